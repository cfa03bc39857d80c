//! Where each key and list item of a YAML text stands, so that a fault found later can name its line.

use serde_saphyr::granit_parser::{Event, Parser, Span, StrInput};
use std::collections::BTreeMap;

/// A node of the text: where it is named, and what is inside it.
#[derive(Debug, Clone)]
pub(super) struct SourceLocation {
    /// Line and column from 1: of the key for a value under a key, of the item for an item of a list.
    pub at: (usize, usize),
    /// For an item of a list, its number in the text, which stays when items before it are struck out.
    pub number: usize,
    /// What is inside.
    pub inside: Inside,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Inside {
    /// A plain value, as it is written without its quotes; none where the text has no value here.
    Scalar(Option<String>),
    /// Items.
    List(Vec<SourceLocation>),
    /// Keys and values.
    Map(BTreeMap<String, SourceLocation>),
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list.
    Item(usize),
}

impl SourceLocation {
    /// The places of a text that the reader has already accepted; its limits hold here too.
    pub fn of(text: &str) -> Self {
        let mut walk = Walk {
            events: Parser::new_from_str(text),
            anchors: BTreeMap::new(),
        };
        let inside = walk
            .next_node()
            .map_or(Inside::Scalar(None), |(_, inside)| inside);
        Self {
            at: (1, 1),
            number: 0,
            inside,
        }
    }

    /// The place of a path and the path as the text counts it; of the nearest node above where the path itself is not written.
    pub fn find(&self, path: &[Step]) -> ((usize, usize), String) {
        let mut here = Some(self);
        let mut at = self.at;
        let mut shown = String::new();
        for step in path {
            here = here.and_then(|place| place.child(step));
            let number = here.map(|place| place.number);
            if let Some(place) = here {
                at = place.at;
            }
            show(&mut shown, step, number);
        }
        (at, shown)
    }

    /// The value of a path as it is written, where it is a plain one.
    pub fn written(&self, path: &[Step]) -> Option<&str> {
        let mut here = self;
        for step in path {
            here = here.child(step)?;
        }
        match &here.inside {
            Inside::Scalar(written) => written.as_deref(),
            Inside::List(_) | Inside::Map(_) => None,
        }
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.inside, step) {
            (Inside::Map(entries), Step::Key(key)) => entries.get(key),
            (Inside::List(items), Step::Item(number)) => items.get(*number),
            _ => None,
        }
    }

    /// Strikes a node out, as [`super::structure`] does with the value beside it.
    pub fn strike(&mut self, path: &[Step]) {
        let Some((last, above)) = path.split_last() else {
            return;
        };
        let mut here = self;
        for step in above {
            let next = match (&mut here.inside, step) {
                (Inside::Map(entries), Step::Key(key)) => entries.get_mut(key),
                (Inside::List(items), Step::Item(number)) => items.get_mut(*number),
                _ => None,
            };
            let Some(next) = next else { return };
            here = next;
        }
        match (&mut here.inside, last) {
            (Inside::Map(entries), Step::Key(key)) => {
                entries.remove(key);
            }
            (Inside::List(items), Step::Item(number)) if *number < items.len() => {
                items.remove(*number);
            }
            _ => {}
        }
    }
}

fn show(path: &mut String, step: &Step, number: Option<usize>) {
    match step {
        Step::Item(given) => {
            path.push('[');
            path.push_str(&number.unwrap_or(*given).to_string());
            path.push(']');
        }
        Step::Key(key) => {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
        }
    }
}

/// Reads a path such as `policies[2].quorum.requiredTeamIds[0]`.
pub(super) fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        if let Some(key) = pieces.next().filter(|key| !key.is_empty()) {
            steps.push(Step::Key(key.to_owned()));
        }
        for piece in pieces {
            match piece.trim_end_matches(']').parse() {
                Ok(number) => steps.push(Step::Item(number)),
                Err(_) => steps.push(Step::Key(piece.to_owned())),
            }
        }
    }
    steps
}

struct Walk<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Inside>,
}

impl Walk<'_> {
    /// The next node and where it begins; `None` at the end of a collection, of the text, or at a fault of syntax.
    fn next_node(&mut self) -> Option<((usize, usize), Inside)> {
        loop {
            let (event, span) = self.events.next()?.ok()?;
            let (inside, anchor) = match event {
                Event::Scalar(written, _, anchor, _) => {
                    (Inside::Scalar(Some(written.into_owned())), anchor)
                }
                Event::SequenceStart(_, anchor, _) => (self.list(), anchor),
                Event::MappingStart(_, anchor, _) => (self.map(), anchor),
                Event::Alias(anchor) => {
                    let known = self.anchors.get(&anchor).cloned();
                    return Some((start(&span), known.unwrap_or(Inside::Scalar(None))));
                }
                Event::SequenceEnd | Event::MappingEnd | Event::StreamEnd => return None,
                _ => continue,
            };
            if anchor != 0 {
                self.anchors.insert(anchor, inside.clone());
            }
            return Some((start(&span), inside));
        }
    }

    fn list(&mut self) -> Inside {
        let mut items = Vec::new();
        while let Some((at, inside)) = self.next_node() {
            let number = items.len();
            items.push(SourceLocation { at, number, inside });
        }
        Inside::List(items)
    }

    fn map(&mut self) -> Inside {
        let mut entries = BTreeMap::new();
        while let Some((at, key)) = self.next_key() {
            let Some((_, inside)) = self.next_node() else {
                break;
            };
            entries.insert(
                key,
                SourceLocation {
                    at,
                    number: 0,
                    inside,
                },
            );
        }
        Inside::Map(entries)
    }

    fn next_key(&mut self) -> Option<((usize, usize), String)> {
        match self.events.next()?.ok()? {
            (Event::Scalar(key, ..), span) => Some((start(&span), key.into_owned())),
            // the end of the mapping; a key that is no text was refused before
            _ => None,
        }
    }
}

/// The parser counts lines from 1 and columns from 0.
fn start(span: &Span) -> (usize, usize) {
    (span.start.line(), span.start.col() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "organization: acme\npolicies:\n  # a comment\n  - id: one\n    quorum: {minApprovals: 2, requiredTeamIds: [sre, ops]}\n  - id: two\n    conditions:\n      endHour: 25\n";

    #[test]
    fn every_key_and_item_has_a_source_location() {
        let places = SourceLocation::of(TEXT);
        for (path, at) in [
            ("organization", (1, 1)),
            ("policies", (2, 1)),
            ("policies[0]", (4, 5)),
            ("policies[0].quorum.minApprovals", (5, 14)),
            ("policies[0].quorum.requiredTeamIds[1]", (5, 54)),
            ("policies[1].conditions.endHour", (8, 7)),
            // not written: the nearest node above it
            ("policies[1].conditions.startHour", (7, 5)),
            ("policies[7].conditions", (2, 1)),
            ("", (1, 1)),
        ] {
            assert_eq!(places.find(&steps(path)), (at, path.to_owned()));
        }
    }

    #[test]
    fn a_value_is_known_as_it_is_written_f5() {
        let places = SourceLocation::of("a: 0x19\nb: [2.50, 'x', {c: &n 007}]\nd: *n\n");
        for (path, written) in [
            ("a", Some("0x19")),
            ("b[0]", Some("2.50")),
            ("b[1]", Some("x")),
            ("b[2].c", Some("007")),
            ("d", Some("007")),
            ("b", None),
            ("e", None),
        ] {
            assert_eq!(places.written(&steps(path)), written, "{path}");
        }
    }

    #[test]
    fn removed_items_keep_the_indexes_of_the_others() {
        let mut places = SourceLocation::of(TEXT);
        places.strike(&steps("policies[0]"));
        assert_eq!(
            places.find(&steps("policies[0].id")),
            ((6, 5), "policies[1].id".to_owned())
        );
    }

    #[test]
    fn alias_resolves_to_its_anchor() {
        let places = SourceLocation::of("a: &x\n  b: 1\nc: *x\n");
        assert_eq!(places.find(&steps("c.b")).0, (2, 3));
    }
}
