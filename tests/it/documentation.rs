//! Checks that the documentation matches the code: the README's commands are the ones that CI runs, and links resolve.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The commands in the first two steps of the README.
const COMMANDS: [&str; 2] = ["cargo run -- demo", "cargo test"];

#[test]
fn readme_commands_are_the_ones_ci_runs() {
    let readme = read("README.md");
    let checks = read(".ci/run");
    for command in COMMANDS {
        assert!(
            readme.lines().any(|line| line.trim() == command),
            "README.md does not say `{command}`"
        );
    }
    assert!(
        checks.contains("cargo test --locked"),
        ".ci/run does not run the README's tests"
    );
}

#[test]
fn documentation_links_resolve() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut papers = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for entry in fs::read_dir(folder.join("docs")).expect("docs") {
        let name = entry.expect("a paper").file_name();
        // pictures have their own folder
        if Path::new(&name)
            .extension()
            .is_some_and(|ending| ending == "md")
        {
            papers.push(format!("docs/{}", name.display()));
        }
    }
    let mut links = 0;
    for paper in papers {
        let text = read(&paper);
        let base = folder.join(&paper);
        let base = base.parent().expect("a folder");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            links += 1;
            assert!(base.join(file).exists(), "{paper}: {target} leads nowhere");
        }
    }
    assert!(links > 5, "no links were found");
}

#[test]
fn configuration_page_explains_every_variable() {
    let text = read("docs/configuration.md");
    for line in read(".env.example").lines() {
        let Some((name, _)) = line.trim_start_matches('#').split_once('=') else {
            continue;
        };
        if !name.contains(' ') {
            assert!(
                text.contains(name),
                "docs/configuration.md does not explain {name}"
            );
        }
    }
}

#[test]
fn api_page_lists_every_route() {
    let text = read("docs/api.md");
    for route in countersign::http::route::routes() {
        let named = format!("`{} {}`", route.method, route.path);
        assert!(text.contains(&named), "docs/api.md does not name {named}");
    }
}

/// Every name of the code on this page, such as `Tx::requests` or `DecisionInput`, stands in the source.
#[test]
fn architecture_page_names_what_exists() {
    let mut source = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                source += &fs::read_to_string(&path).expect("a source file");
            }
        }
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words: std::collections::HashSet<&str> = source.split(|c| !is_part(c)).collect();
    let page = read("docs/architecture.md");
    // between every pair of backticks stands what is quoted
    let quoted = page.split('`').skip(1).step_by(2);
    let names = quoted.filter(|quoted| quoted.chars().all(|c| is_part(c) || c == ':'));
    let mut checked = 0;
    for name in names {
        let last = name.rsplit(':').next().unwrap_or_default();
        checked += 1;
        assert!(
            words.contains(last),
            "docs/architecture.md names `{name}`, which is not in the source"
        );
    }
    assert!(checked > 40, "only {checked} names were found");
}
