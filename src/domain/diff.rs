//! The difference between two configurations, line by line, and whether it must be announced (docs/decisions.md D12).

use super::delta::changed_parts;
use super::document::ConfigDocument;
use super::weakening;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the new document contains it.
    Added,
    /// Only the old document contains it.
    Removed,
    /// Its value changed.
    Changed,
}

impl Change {
    /// The character before the line: `+`, `-` or `~`.
    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}

/// One line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What happened to the line.
    pub change: Change,
    /// Path and value: `policies.gate.quorum.minApprovals: 2 -> 1`.
    pub text: String,
    /// The path alone. Ids may contain a colon, so the text does not say where it ends.
    #[serde(skip)]
    pub path: String,
}

/// How two documents differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// The lines; empty only if the documents are equal.
    pub lines: Vec<Line>,
    /// The changed parts that must be announced: `routes`, `directory`.
    pub touches: Vec<&'static str>,
    /// How the change weakens policies, one sentence each.
    pub weakens: Vec<String>,
}

impl Difference {
    /// Whether the change must be announced to the security channel (docs/decisions.md D12).
    pub fn is_announced(&self) -> bool {
        !self.touches.is_empty() || !self.weakens.is_empty()
    }
}

/// Compares two documents.
pub fn diff(before: &ConfigDocument, after: &ConfigDocument) -> Difference {
    let mut lines = Vec::new();
    let touches = weakening::touched(before, after);
    // the whole documents: what a new binding changes depends on a policy that stays as it was
    let weakens = weakening::weakened(before, after);
    let (before, after) = changed_parts(before, after);
    compare("", &value(&before), &value(&after), &mut lines);
    Difference {
        lines,
        touches,
        weakens,
    }
}

/// The part of a change that the audit log stores: the fields and items that differ, before and after.
pub fn before_and_after(before: &ConfigDocument, after: &ConfigDocument) -> (Value, Value) {
    let (before, after) = changed_parts(before, after);
    let (mut before, mut after) = (value(&before), value(&after));
    drop_equal_fields(&mut before, &mut after);
    (before, after)
}

fn drop_equal_fields(before: &mut Value, after: &mut Value) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return;
    };
    old.retain(|key, value| {
        let Some(other) = new.get_mut(key) else {
            return true;
        };
        if value == other {
            new.remove(key);
            return false;
        }
        drop_equal_fields(value, other);
        true
    });
}

/// Converts a document to JSON. This cannot fail: its keys are text and its numbers are integers.
fn value(document: &ConfigDocument) -> Value {
    serde_json::to_value(document).unwrap_or_default()
}

fn compare(path: &str, before: &Value, after: &Value, lines: &mut Vec<Line>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let pairs = |map: &'_ serde_json::Map<String, Value>| {
                map.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
            };
            compare_keyed(path, &pairs(old), &pairs(new), lines);
        }
        (Value::Array(old), Value::Array(new)) => compare_lists(path, old, new, lines),
        _ => lines.push(Line {
            change: Change::Changed,
            text: format!("{path}: {before} -> {after}"),
            path: path.to_owned(),
        }),
    }
}

fn compare_keyed(
    path: &str,
    old: &BTreeMap<String, Value>,
    new: &BTreeMap<String, Value>,
    lines: &mut Vec<Line>,
) {
    for (key, before) in old {
        match new.get(key) {
            Some(after) => compare(&join(path, key), before, after, lines),
            None => leaves(Change::Removed, &join(path, key), before, lines),
        }
    }
    for (key, after) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        leaves(Change::Added, &join(path, key), after, lines);
    }
}

/// Compares lists by their items; if only the order differs, one line says so.
fn compare_lists(path: &str, old: &[Value], new: &[Value], lines: &mut Vec<Line>) {
    let before = lines.len();
    match (by_key(old), by_key(new)) {
        (Some(old), Some(new)) => compare_keyed(path, &old, &new, lines),
        _ => compare_items(path, old, new, lines),
    }
    if lines.len() == before {
        lines.push(Line {
            change: Change::Changed,
            text: format!("{path}: another order"),
            path: path.to_owned(),
        });
    }
}

fn compare_items(path: &str, old: &[Value], new: &[Value], lines: &mut Vec<Line>) {
    let mut left = new.to_vec();
    for item in old {
        match left.iter().position(|other| other == item) {
            Some(at) => drop(left.remove(at)),
            None => lines.push(line(Change::Removed, path, item)),
        }
    }
    lines.extend(left.iter().map(|item| line(Change::Added, path, item)));
}

/// The items of a list by key, if each item has a unique key.
fn by_key(items: &[Value]) -> Option<BTreeMap<String, Value>> {
    let mut map = BTreeMap::new();
    for item in items {
        let text = |field: &str| item.get(field).and_then(Value::as_str);
        let key = match (text("id"), text("level")) {
            (Some(id), _) => id.to_owned(),
            (None, Some(level)) => {
                [text("policy")?, level, text("resource").unwrap_or_default()].join(" ")
            }
            (None, None) => return None,
        };
        if map
            .insert(key.trim_end().to_owned(), item.clone())
            .is_some()
        {
            return None;
        }
    }
    Some(map)
}

/// Lists every field of an added or removed value; skips empty fields.
fn leaves(change: Change, path: &str, value: &Value, lines: &mut Vec<Line>) {
    let before = lines.len();
    match value {
        // the path says everything about a binding
        Value::Object(fields) if path.starts_with("bindings.") && fields.contains_key("level") => {
            lines.push(Line {
                change,
                text: path.to_owned(),
                path: path.to_owned(),
            });
        }
        Value::Object(fields) => {
            let id_in_path = |key: &str, value: &Value| {
                key == "id" && value.as_str().is_some_and(|id| path.ends_with(id))
            };
            for (key, value) in fields {
                if !is_empty(value) && !id_in_path(key, value) {
                    leaves(change, &join(path, key), value, lines);
                }
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => match by_key(items) {
            Some(keyed) => keyed
                .iter()
                .for_each(|(key, value)| leaves(change, &join(path, key), value, lines)),
            None => lines.extend(items.iter().map(|item| line(change, path, item))),
        },
        _ => lines.push(line(change, path, value)),
    }
    if lines.len() == before {
        lines.push(line(change, path, value));
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn line(change: Change, path: &str, value: &Value) -> Line {
    Line {
        change,
        text: format!("{path}: {value}"),
        path: path.to_owned(),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
