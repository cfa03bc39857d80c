//! From a tree of values to the document: every fault of its shape at once, each in words and with its place.
//!
//! The reader of the document stops at its first fault. So the faulty node is struck out and the rest is read again.

use super::source_location::{SourceLocation, Step};
use crate::domain::document::ConfigDocument;
use crate::domain::suggestion;
use serde_json::Value;
use serde_path_to_error::Segment;

/// Beyond this many faults the file is something else altogether.
const FAULTS_SHOWN: usize = 50;

/// A fault of shape: where, under which path, and what.
pub(super) type ShapeError = ((usize, usize), String, String);

/// Reads the document, or tells every flaw of its shape.
pub(super) fn read(
    mut value: Value,
    mut places: SourceLocation,
) -> Result<ConfigDocument, Vec<ShapeError>> {
    let mut flaws = Vec::new();
    let mut struck: Vec<Vec<Step>> = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize(&value) {
            Ok(document) if flaws.is_empty() => return not_by_position(document, &value, &places),
            Ok(_) => return Err(flaws),
            Err(error) => error,
        };
        let mut path: Vec<Step> = error.path().iter().filter_map(step).collect();
        let text = error.into_inner().to_string();
        let wrong = Wrong::read(&text).seen_at(&path, &places);
        match &wrong {
            Wrong::Missing(field) => {
                let asked = [path.as_slice(), &[Step::Key((*field).to_owned())]].concat();
                // what was struck out as faulty is not missing besides
                if !struck.contains(&asked) {
                    let (at, shown) = places.find(&path);
                    flaws.push((at, shown, wrong.to_string()));
                }
                if path.is_empty() {
                    // go on looking below: any name will do
                    put(&mut value, field, Value::from("?"));
                    continue;
                }
            }
            Wrong::UnknownKey { key, .. } if path.last() != Some(&Step::Key((*key).to_owned())) => {
                path.push(Step::Key((*key).to_owned()));
                let (at, shown) = places.find(&path);
                flaws.push((at, shown, wrong.to_string()));
            }
            _ => {
                let (at, shown) = places.find(&path);
                flaws.push((at, shown, wrong.to_string()));
            }
        }
        let gone = strike(&mut value, &path);
        if !gone || flaws.len() >= FAULTS_SHOWN {
            return Err(flaws);
        }
        places.strike(&path);
        match path.last() {
            // the next item has moved up: forget what was struck out below this list
            Some(Step::Item(_)) => {
                let list = &path[..path.len() - 1];
                struck.retain(|other| !other.starts_with(list));
            }
            _ => struck.push(path),
        }
    }
}

/// Serde also takes a list where a mapping belongs and fills it by position; nobody means that.
fn not_by_position(
    document: ConfigDocument,
    value: &Value,
    places: &SourceLocation,
) -> Result<ConfigDocument, Vec<ShapeError>> {
    let mut flaws = Vec::new();
    let said = serde_json::to_value(&document).unwrap_or_default();
    compare(value, &said, &mut Vec::new(), &mut |path| {
        let (at, shown) = places.find(path);
        flaws.push((
            at,
            shown,
            "this must be a mapping of keys and values, but it is a list".to_owned(),
        ));
    });
    if flaws.is_empty() {
        Ok(document)
    } else {
        Err(flaws)
    }
}

fn compare(given: &Value, said: &Value, path: &mut Vec<Step>, flaw: &mut dyn FnMut(&[Step])) {
    match (given, said) {
        // one Slack identity may stand in a list
        (Value::Array(_), Value::Object(_))
            if path.last() == Some(&Step::Key("slack".to_owned())) => {}
        (Value::Array(_), Value::Object(_)) => flaw(path),
        (Value::Array(given), Value::Array(said)) => {
            for (number, (given, said)) in given.iter().zip(said).enumerate() {
                path.push(Step::Item(number));
                compare(given, said, path, flaw);
                path.pop();
            }
        }
        (Value::Object(given), Value::Object(said)) => {
            for (key, given) in given {
                path.push(Step::Key(key.clone()));
                compare(given, said.get(key).unwrap_or(&Value::Null), path, flaw);
                path.pop();
            }
        }
        _ => {}
    }
}

fn step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Seq { index } => Some(Step::Item(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

fn put(value: &mut Value, key: &str, new: Value) {
    if let Value::Object(entries) = value {
        entries.insert(key.to_owned(), new);
    }
}

/// Takes a node out; says whether there was one.
fn strike(value: &mut Value, path: &[Step]) -> bool {
    let Some((last, above)) = path.split_last() else {
        return false;
    };
    let mut here = value;
    for step in above {
        let next = match step {
            Step::Key(key) => here.get_mut(key),
            Step::Item(number) => here.get_mut(number),
        };
        let Some(next) = next else { return false };
        here = next;
    }
    match (here, last) {
        (Value::Object(entries), Step::Key(key)) => entries.remove(key).is_some(),
        (Value::Array(items), Step::Item(number)) if *number < items.len() => {
            items.remove(*number);
            true
        }
        _ => false,
    }
}

/// What the reader complains about, taken apart so that it can be said to people.
enum Wrong<'a> {
    Missing(&'a str),
    UnknownKey { key: &'a str, known: Vec<&'a str> },
    UnknownValue { value: &'a str, known: Vec<&'a str> },
    Type { found: String, wanted: &'a str },
    Other(&'a str),
}

impl<'a> Wrong<'a> {
    /// Takes serde's own sentences apart; another sentence stays as it is.
    fn read(text: &'a str) -> Self {
        let quoted = |rest: &'a str| rest.split('`').skip(1).step_by(2).collect::<Vec<_>>();
        if let Some(rest) = text.strip_prefix("missing field `") {
            return Self::Missing(rest.trim_end_matches('`'));
        }
        for (prefix, is_key) in [("unknown field `", true), ("unknown variant `", false)] {
            let Some(rest) = text.strip_prefix(prefix) else {
                continue;
            };
            // what follows the last `, expected` is serde's, what stands before it is the file's
            let Some((name, known)) = rest.rsplit_once("`, expected ") else {
                return Self::Other(text);
            };
            let known = quoted(known);
            return if is_key {
                Self::UnknownKey { key: name, known }
            } else {
                Self::UnknownValue { value: name, known }
            };
        }
        if text.starts_with("invalid length ") && text.contains(", expected struct ") {
            return Self::Type {
                found: "sequence".to_owned(),
                wanted: "struct ",
            };
        }
        let typed = text
            .strip_prefix("invalid type: ")
            .or_else(|| text.strip_prefix("invalid value: "))
            .and_then(|rest| rest.rsplit_once(", expected "));
        match typed {
            Some((found, wanted)) => Self::Type {
                found: found.to_owned(),
                wanted,
            },
            None => Self::Other(text),
        }
    }

    /// The same with the value as the file has it, `0x19` and not `25`, and with what its key takes.
    fn seen_at(self, path: &[Step], places: &SourceLocation) -> Self {
        let Self::Type {
            mut found,
            mut wanted,
        } = self
        else {
            return self;
        };
        if let (Some(kind), Some(written)) = (unquoted_kind(&found), places.written(path)) {
            found = format!("{kind} `{written}`");
        }
        if wanted == "string or map" {
            let in_weekdays = |step: &Step| *step == Step::Key("weekdays".to_owned());
            wanted = if path.iter().any(in_weekdays) {
                "a day: monday, tuesday, wednesday, thursday, friday, saturday or sunday"
            } else {
                "a word"
            };
        }
        if wanted == "u8" {
            wanted = match path.last() {
                Some(Step::Key(key)) if key == "endHour" => "a whole hour from 0 to 24",
                _ => "a whole hour from 0 to 23",
            };
        }
        Self::Type { found, wanted }
    }
}

impl std::fmt::Display for Wrong<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the key `{field}` is missing here"),
            Self::UnknownKey { key, known } => {
                write!(f, "unknown key")?;
                suggest(f, key, known, "the keys known here are")
            }
            Self::UnknownValue { value, known } => {
                write!(f, "`{value}` is not known here")?;
                let list = known.join(", ");
                match suggestion::nearest(value, known) {
                    Some(near) => write!(f, "; did you mean `{near}`? Write one of {list}"),
                    None => write!(f, "; write one of {list}"),
                }
            }
            Self::Type { found, wanted } => {
                write!(
                    f,
                    "this must be {}, but it is {}",
                    plain_wanted(wanted),
                    plain_found(found)
                )?;
                if *wanted == "a string" && unquoted_kind(found).is_some() {
                    write!(f, "; put it in quotes")?;
                }
                Ok(())
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

fn suggest(
    f: &mut std::fmt::Formatter<'_>,
    given: &str,
    known: &[&str],
    otherwise: &str,
) -> std::fmt::Result {
    match suggestion::nearest(given, known) {
        Some(near) => write!(f, "; did you mean `{near}`?"),
        None if known.is_empty() => Ok(()),
        None => write!(f, "; {otherwise} {}", known.join(", ")),
    }
}

/// What a value without quotes was taken for, where that was no text.
fn unquoted_kind(found: &str) -> Option<&'static str> {
    let kinds = ["integer", "floating point", "boolean"];
    kinds.into_iter().find(|kind| found.starts_with(kind))
}

fn plain_wanted(wanted: &str) -> &str {
    match wanted {
        "a string" => "text",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "u32" => "a whole number from 0 to 4294967295",
        other if other.starts_with("struct ") => "a mapping of keys and values",
        other if other.starts_with("enum ") => "one of the known words",
        other => other,
    }
}

fn plain_found(found: &str) -> String {
    match found {
        "null" | "unit value" => "empty".to_owned(),
        "map" => "a mapping".to_owned(),
        "sequence" => "a list".to_owned(),
        other => other
            .replacen("integer", "the number", 1)
            .replacen("floating point", "the number", 1)
            .replacen("boolean", "the value", 1)
            .replacen("string", "the text", 1),
    }
}
