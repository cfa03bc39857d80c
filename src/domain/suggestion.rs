//! Suggestions for unknown names. Only this file compares input with existing names. Its work is bounded, because input can contain
//! many long names, and a directory can be large.

use super::action::must_be_named;
use super::compiled_config::CompiledConfig;
use super::violation::{NameKind, Violation};
use std::cell::Cell;

/// Maximum length, in characters, of an unknown name that gets suggestions: a misspelt real name is shorter.
const LONGEST_COMPARED: usize = 64;
/// Maximum number of known names that are compared with one unknown name: those with the longest common prefix.
const CANDIDATES_COMPARED: usize = 1_000;
/// Maximum number of unknown names in one response that get suggestions; the others are only listed as unknown.
const NAMES_SUGGESTED_FOR: usize = 20;
/// Maximum number of characters of an unknown name that the response repeats.
const LONGEST_REPEATED: usize = 100;
/// Minimum similarity of a suggestion (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;
/// Maximum difference in similarity between the best suggestion and another one.
const NEAR_THE_NEAREST: f64 = 0.08;
const SUGGESTIONS: usize = 3;
const SHOWN_WHEN_NONE_IS_NEAR: usize = 5;

/// The suggestions of one response. Only the first unknown names get some, so that the work does not grow with the number of
/// mistakes.
#[derive(Debug, Default)]
pub(super) struct Suggestions {
    made: Cell<usize>,
}

impl Suggestions {
    /// Like [`unknown`], but without suggestions after enough names got some.
    pub(super) fn unknown<'a>(
        &self,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> String {
        let mut message = unknown_name(what, name);
        if self.may_suggest() {
            message += &hint(name, known);
        }
        message
    }

    fn may_suggest(&self) -> bool {
        let made = self.made.get();
        self.made.set(made + 1);
        made < NAMES_SUGGESTED_FOR
    }
}

/// An unknown name with suggestions (unknown environment `prod`; did you mean `production`?), or with known names if none is similar.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    unknown_name(what, name) + &hint(name, known)
}

/// "unknown environment" and the quoted name, without suggestions; a long name is truncated.
pub(super) fn unknown_name(what: &str, name: &str) -> String {
    let repeated: String = name.chars().take(LONGEST_REPEATED).collect();
    let cut = if repeated.len() < name.len() {
        "…"
    } else {
        ""
    };
    format!("unknown {what} `{}{cut}`", repeated.escape_debug())
}

impl CompiledConfig {
    /// Adds suggestions to violations about unknown names. Comparing names takes time, so call it only after the transaction has
    /// ended.
    pub fn suggest_names(&self, violations: &mut [Violation]) {
        let suggestions = Suggestions::default();
        for violation in violations {
            if let Some(unknown) = violation.unknown.take()
                && suggestions.may_suggest()
            {
                violation.message += &hint(&unknown.name, self.known_names(unknown.kind));
            }
        }
    }

    /// All names of this kind.
    fn known_names(&self, kind: NameKind) -> Box<dyn Iterator<Item = &str> + '_> {
        let actions = self.actions().iter();
        match kind {
            NameKind::Action => Box::new(actions.map(|action| action.id.as_str())),
            NameKind::SessionAction => {
                let coverable = actions.filter(|action| !must_be_named(&action.id));
                let groups = ["project", "cluster"];
                Box::new(coverable.map(|action| action.id.as_str()).chain(groups))
            }
            NameKind::Resource(level) => self.registry().names(level),
            NameKind::Person => Box::new(self.directory().people().map(|one| one.id.as_str())),
            NameKind::Service => {
                Box::new(self.document().services.iter().map(|one| one.id.as_str()))
            }
        }
    }
}

/// The text after the unknown name: suggestions, or some of the known names.
fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    if known.is_empty() {
        return "; the configuration has none".to_owned();
    }
    let total = known.len();
    let ranked = ranked(name, &mut known);
    let quoted = |name: &&str| format!("`{name}`");
    let near: Vec<String> = near(&ranked)
        .take(SUGGESTIONS)
        .map(|name| quoted(&name))
        .collect();
    if !near.is_empty() {
        return format!("; did you mean {}?", near.join(" or "));
    }
    let some: Vec<String> = if ranked.is_empty() {
        known.sort_unstable();
        known
            .iter()
            .take(SHOWN_WHEN_NONE_IS_NEAR)
            .map(quoted)
            .collect()
    } else {
        let names = ranked.iter().map(|(_, name)| name);
        names.take(SHOWN_WHEN_NONE_IS_NEAR).map(quoted).collect()
    };
    match total - some.len() {
        0 => format!("; known: {}", some.join(", ")),
        rest => format!("; known are {} and {rest} more", some.join(", ")),
    }
}

/// The most similar known name, if one is similar enough.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let ranked = ranked(name, &mut known.to_vec());
    near(&ranked).next()
}

/// The names that are similar enough to suggest, the most similar first.
fn near<'a>(ranked: &[(f64, &'a str)]) -> impl Iterator<Item = &'a str> {
    let best = ranked.first().map_or(0.0, |(likeness, _)| *likeness);
    let enough = ALIKE.max(best - NEAR_THE_NEAREST);
    let near = ranked
        .iter()
        .take_while(move |(likeness, _)| *likeness >= enough);
    near.map(|(_, name)| *name)
}

/// The candidates with their similarity, the most similar first; empty for a name that is too long to compare.
fn ranked<'a>(name: &str, known: &mut [&'a str]) -> Vec<(f64, &'a str)> {
    if name.chars().nth(LONGEST_COMPARED).is_some() {
        return Vec::new();
    }
    let wanted = plain(name);
    if known.len() > CANDIDATES_COMPARED {
        known.select_nth_unstable_by_key(CANDIDATES_COMPARED, |known| {
            std::cmp::Reverse(shared_beginning(name, known))
        });
    }
    let mut ranked: Vec<(f64, &str)> = known
        .iter()
        .take(CANDIDATES_COMPARED)
        .map(|known| (likeness(&wanted, &plain(known)), *known))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    ranked
}

/// Similarity from 0 to 1. A prefix of two or more characters is always similar, because people abbreviate.
fn likeness(wanted: &str, known: &str) -> f64 {
    let likeness = strsim::jaro_winkler(wanted, known);
    if wanted.len() > 1 && known.starts_with(wanted) {
        return likeness.max(ALIKE);
    }
    likeness
}

/// Normalises case and separators: `min_approvals` means `minApprovals`.
fn plain(name: &str) -> String {
    name.chars()
        .take(LONGEST_COMPARED)
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

fn shared_beginning(one: &str, other: &str) -> usize {
    one.bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_get_the_nearest_known_ones() {
        let known = ["production", "staging", "development"];
        assert_eq!(
            unknown("environment", "prod", known.into_iter()),
            "unknown environment `prod`; did you mean `production`?"
        );
        assert_eq!(
            unknown("environment", "Production", known.into_iter()),
            "unknown environment `Production`; did you mean `production`?"
        );
        assert_eq!(
            unknown("cluster", "x", ["a", "b"].into_iter()),
            "unknown cluster `x`; known: `a`, `b`"
        );
        assert_eq!(
            unknown("cluster", "\u{202e}x", [].into_iter()),
            "unknown cluster `\\u{202e}x`; the configuration has none"
        );
        assert_eq!(
            unknown("project", "x", ["1", "2", "3", "4", "5", "6"].into_iter()),
            "unknown project `x`; known are `1`, `2`, `3`, `4`, `5` and 1 more"
        );
        assert_eq!(
            nearest("min_approval", &["minApprovals"]),
            Some("minApprovals")
        );
        assert_eq!(nearest("req", &["reject", "request"]), Some("request"));
        assert_eq!(nearest("xyzzy", &["reject", "request"]), None);
    }

    #[test]
    fn long_names_are_cut_and_not_compared_r07() {
        let known = [
            "a".repeat(LONGEST_COMPARED),
            "bob".to_owned(),
            "carol".to_owned(),
        ];
        let names = || known.iter().map(String::as_str);
        let longest = "a".repeat(LONGEST_COMPARED - 1) + "b";
        assert!(unknown("author", &longest, names()).contains("did you mean `aaa"));
        let long = unknown("author", &"a".repeat(2_000), names());
        assert!(long.ends_with("a…`; known: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`, `bob`, `carol`"), "{long}");
        assert!(long.len() < 300, "{long}");
    }

    #[test]
    fn few_candidates_are_compared_and_the_right_one_is_among_them_r07() {
        let known: Vec<String> = (0..50_000).map(|n| format!("user-{n:05}")).collect();
        let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
        let ranked = ranked("user-31415x", &mut names);
        assert_eq!(ranked.len(), CANDIDATES_COMPARED);
        assert_eq!(ranked[0].1, "user-31415");
    }

    #[test]
    fn one_answer_suggests_for_the_first_names_alone_r07() {
        let suggestions = Suggestions::default();
        let told: Vec<String> = (0..100)
            .map(|_| suggestions.unknown("author", "alcie", ["alice"].into_iter()))
            .collect();
        let suggested = told.iter().filter(|one| one.contains("alice")).count();
        assert_eq!(suggested, NAMES_SUGGESTED_FOR);
        assert_eq!(told[99], "unknown author `alcie`");
    }
}
