//! Keeps the language of the project: names and texts follow docs/glossary.md, comments point into docs/, threat ids are explained.
//!
//! To ban another word, add it to `BANNED_NAMES` or `BANNED_PHRASES`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Words that the glossary replaced. They must not come back as identifiers, or as part of one.
const BANNED_NAMES: [(&str, &str); 12] = [
    ("voter", "approver"),
    ("barred", "exclusions"),
    ("docket", "request"),
    ("roster", "slack_directory"),
    ("unheard", "undeliverable"),
    ("carry_out", "run_effect"),
    ("judge", "decide"),
    ("judgement", "decision"),
    ("outlet", "reply_sender"),
    ("complaint", "setting_error"),
    ("hopeless", "undeliverable"),
    ("furniture", "documentation"),
];

/// Phrases that people must not read, in documentation, `--help` and messages.
const BANNED_PHRASES: [&str; 8] = [
    "besides",
    "anew",
    "mended",
    "himself",
    "is no app id",
    "stands twice",
    "nothing is here",
    "through which door",
];

/// Threats whose guard is held by something other than a test of their name.
const HELD_OTHERWISE: [(&str, &str); 6] = [
    ("B42", "the compiler: only the check can make an `Allowed`"),
    ("B44", "the tests of B54: an unsigned body touches no table"),
    ("B53", "the library compares in constant time"),
    ("B58", "the tests of B54"),
    ("F2", "the tests of R17"),
    ("F8", "the tests of R30"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below these folders with one of these endings.
fn files(folders: &[&str], ending: &str) -> Vec<(PathBuf, String)> {
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                let text = fs::read_to_string(&path).expect("a text file");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// The code of a file, without its comments and texts.
fn identifiers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        for (number, part) in code.split('"').enumerate() {
            if number % 2 == 0 {
                found.extend(words(part).map(str::to_owned));
            }
        }
    }
    found
}

/// Whether the identifier is made of this word, in snake case or camel case.
fn is_made_of(identifier: &str, word: &str) -> bool {
    let mut snake = String::with_capacity(identifier.len() + 4);
    for (at, c) in identifier.char_indices() {
        if c.is_ascii_uppercase() && at > 0 && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    format!("_{snake}_").contains(&format!("_{word}_"))
}

#[test]
fn words_that_the_glossary_replaced_do_not_come_back_as_names() {
    let mut wrong = Vec::new();
    for (path, text) in files(&["src"], "rs") {
        for identifier in identifiers(&text) {
            for (word, instead) in BANNED_NAMES {
                if is_made_of(&identifier, word) {
                    wrong.push(format!("{}: {identifier}: write {instead}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn people_do_not_read_phrases_that_the_language_guide_bans() {
    let mut texts = files(&["docs", "manifests"], "md");
    for ending in ["snap", "yaml"] {
        texts.extend(files(&["src", "tests", "manifests"], ending));
    }
    for name in ["README.md", "CHANGELOG.md", ".env.example"] {
        let path = root().join(name);
        let text = fs::read_to_string(&path).expect("a text file");
        texts.push((path, text));
    }
    let mut wrong = Vec::new();
    for (path, text) in texts {
        // the glossary lists the words not to use
        if path.ends_with("docs/glossary.md") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            for phrase in BANNED_PHRASES {
                let padded = format!(" {} ", words(&line).collect::<Vec<_>>().join(" "));
                if padded.contains(&format!(" {phrase} ")) {
                    wrong.push(format!("{}:{}: {phrase}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn comments_point_to_documents_of_this_repository() {
    let mut wrong = Vec::new();
    for (path, text) in files(&["src", "tests", "benches"], "rs") {
        for (number, line) in text.lines().enumerate() {
            let cited = line.split("design ").skip(1);
            if cited
                .into_iter()
                .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            {
                wrong.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "cite docs/decisions.md instead:\n{}",
        wrong.join("\n")
    );
}

/// The threat ids at the end of a test's name: `quorum_check_b20_b43` has two.
fn ids_of(test: &str) -> Vec<String> {
    let is_id = |part: &&str| {
        let digits = part.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let letters = &part[..part.len() - digits.len()];
        ["b", "sl", "ap", "st", "no", "op", "r", "f", "w"].contains(&letters)
            && !digits.is_empty()
            // `visit_f64` is a method of a library
            && *part != "f64"
            && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let ids = test.rsplit('_').take_while(is_id);
    ids.map(str::to_uppercase).collect()
}

#[test]
fn every_threat_id_of_a_test_is_explained_and_every_explained_one_has_a_test() {
    let mut tested: BTreeMap<String, String> = BTreeMap::new();
    for (_, text) in files(&["src", "tests"], "rs") {
        for name in text.split("fn ").skip(1) {
            let name = words(name).next().unwrap_or_default();
            tested.extend(ids_of(name).into_iter().map(|id| (id, name.to_owned())));
        }
    }
    let security = fs::read_to_string(root().join("docs/security.md")).expect("the page");
    let mut explained = BTreeSet::new();
    for line in security.lines().filter(|line| line.starts_with("| ")) {
        let first = line.split('|').nth(1).unwrap_or_default();
        let ids = words(first).filter(|word| ids_of(&word.to_lowercase()).len() == 1);
        explained.extend(ids.map(str::to_owned));
    }
    let unexplained: Vec<_> = tested
        .iter()
        .filter(|(id, _)| !explained.contains(*id))
        .collect();
    assert!(
        unexplained.is_empty(),
        "docs/security.md does not explain {unexplained:?}"
    );
    let untested: Vec<_> = explained
        .iter()
        .filter(|id| !tested.contains_key(*id))
        .filter(|id| HELD_OTHERWISE.iter().all(|(held, _)| held != id))
        .collect();
    assert!(untested.is_empty(), "no test is named after {untested:?}");
}

#[test]
fn the_checks_of_this_file_find_what_they_look_for() {
    assert!(is_made_of("StandingRoster", "roster"));
    assert!(is_made_of("the_voter", "voter"));
    assert!(!is_made_of("devoter", "voter"));
    assert!(
        identifiers("let x = \"barred\"; // barred").is_disjoint(&["barred".to_owned()].into())
    );
    assert_eq!(ids_of("quorum_check_b20_b43"), ["B43", "B20"]);
    assert!(ids_of("a_restart_after_b").is_empty());
}
