//! Small pieces of English, so that every refusal counts, lists and suggests alike.

/// A count as a word up to ten.
pub fn number(n: usize) -> String {
    const WORDS: [&str; 11] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    WORDS
        .get(n)
        .map_or_else(|| n.to_string(), |word| (*word).to_owned())
}

/// `one approval`, `two approvals`.
pub fn count(n: usize, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number(n))
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [init @ .., last] => {
            let init: Vec<&str> = init.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", init.join(", "), last.as_ref())
        }
    }
}

const ALIKE: f64 = 0.8;
/// How much less alike than the nearest one another name may be.
const NEAR_THE_NEAREST: f64 = 0.08;
const SUGGESTIONS: usize = 3;
const SHOWN_WHEN_NONE_IS_NEAR: usize = 5;

/// `unknown environment `prod`; did you mean `production`?`, or the known names where none is near.
pub fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let wanted = name.to_lowercase();
    let mut ranked: Vec<(f64, &str)> = known
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let best = ranked.first().map_or(0.0, |(likeness, _)| *likeness);
    let enough = ALIKE.max(best - NEAR_THE_NEAREST);
    let near: Vec<String> = ranked
        .iter()
        .take_while(|(likeness, _)| *likeness >= enough)
        .take(SUGGESTIONS)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    let head = format!("unknown {what} `{}`", name.escape_debug());
    if !near.is_empty() {
        return format!("{head}; did you mean {}?", near.join(" or "));
    }
    if ranked.is_empty() {
        return format!("{head}; the configuration has none");
    }
    let some: Vec<String> = ranked
        .iter()
        .take(SHOWN_WHEN_NONE_IS_NEAR)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    let rest = ranked.len() - some.len();
    if rest > 0 {
        format!("{head}; known are {} and {rest} more", some.join(", "))
    } else {
        format!("{head}; known: {}", some.join(", "))
    }
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
    }

    #[test]
    fn counts_and_lists_read_as_english() {
        assert_eq!(count(1, "team"), "one team");
        assert_eq!(count(2, "approval"), "two approvals");
        assert_eq!(count(12, "approval"), "12 approvals");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list::<&str>(&[]), "");
    }
}
