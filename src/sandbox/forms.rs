//! The values typed into a view, in the form in which Slack reports them: `state.values`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Typed values by block id or action id: a text, an option's value, or a list of options' values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values(BTreeMap<String, Value>);

impl Values {
    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Reads the values that the page sends.
    pub(super) fn from_json(value: &Value) -> Self {
        let fields = value.as_object().cloned().unwrap_or_default();
        Self(fields.into_iter().collect())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Values {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let owned = pairs.map(|(name, value)| (name.to_owned(), Value::from(value)));
        Self(owned.into_iter().collect())
    }
}

/// The `state.values` of a view, or errors by block id as the client shows them before it sends anything.
pub(super) fn state_values(
    view: &Value,
    typed: &Values,
) -> Result<Value, BTreeMap<String, String>> {
    let mut values = Map::new();
    let mut wrong = BTreeMap::new();
    let mut unknown = typed.0.clone();
    for block in view["blocks"].as_array().into_iter().flatten() {
        let block_id = block["block_id"].as_str().unwrap_or_default();
        for element in elements_of(block) {
            let action_id = element["action_id"].as_str().unwrap_or_default();
            let given = unknown
                .remove(block_id)
                .or_else(|| unknown.remove(action_id));
            let Some(state) = element_state(element, given.as_ref()) else {
                continue;
            };
            let state = state.unwrap_or_else(|problem| {
                wrong.insert(block_id.to_owned(), problem);
                Value::Null
            });
            let optional = block["type"] != "input" || block["optional"] == true;
            if !optional && is_blank(&state) {
                wrong
                    .entry(block_id.to_owned())
                    .or_insert_with(|| "Please complete this required field.".to_owned());
            }
            let slot = values.entry(block_id).or_insert_with(|| json!({}));
            slot[action_id] = state;
        }
    }
    for name in unknown.into_keys() {
        wrong.insert(name, "the view has no such field".to_owned());
    }
    if wrong.is_empty() {
        Ok(Value::Object(values))
    } else {
        Err(wrong)
    }
}

/// The interactive elements of a block.
pub(super) fn elements_of(block: &Value) -> Vec<&Value> {
    match block["type"].as_str() {
        Some("input") => vec![&block["element"]],
        Some("section") => block.get("accessory").into_iter().collect(),
        Some("actions" | "context_actions") => {
            block["elements"].as_array().into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

/// The complete option of an element with this value.
pub(super) fn option_of(element: &Value, value: &str) -> Option<Value> {
    let groups = element["option_groups"].as_array().into_iter().flatten();
    let grouped = groups
        .filter_map(|group| group["options"].as_array())
        .flatten();
    let mut all = element["options"]
        .as_array()
        .into_iter()
        .flatten()
        .chain(grouped);
    all.find(|option| option["value"] == value).cloned()
}

/// The state of an element; `None` for an element without state, such as a button.
fn element_state(element: &Value, given: Option<&Value>) -> Option<Result<Value, String>> {
    let kind = element["type"].as_str()?;
    let text = |initial: &str| given.cloned().unwrap_or_else(|| element[initial].clone());
    Some(match kind {
        "plain_text_input" | "number_input" | "email_text_input" | "url_text_input" => {
            typed_text(element, &text("initial_value"))
                .map(|value| json!({"type": kind, "value": value}))
        }
        "static_select" | "radio_buttons" | "external_select" => {
            let chosen = match given.and_then(Value::as_str) {
                None => Ok(element["initial_option"].clone()),
                Some("") => Ok(Value::Null),
                Some(value) => {
                    option_of(element, value).ok_or_else(|| format!("there is no option {value}"))
                }
            };
            chosen.map(|option| json!({"type": kind, "selected_option": option}))
        }
        "multi_static_select" | "multi_external_select" | "checkboxes" => several(element, given)
            .map(|options| json!({"type": kind, "selected_options": options})),
        "datepicker" => {
            Ok(json!({"type": kind, "selected_date": blank_to_null(text("initial_date"))}))
        }
        "timepicker" => {
            Ok(json!({"type": kind, "selected_time": blank_to_null(text("initial_time"))}))
        }
        "users_select" => {
            Ok(json!({"type": kind, "selected_user": blank_to_null(text("initial_user"))}))
        }
        "conversations_select" => Ok(
            json!({"type": kind, "selected_conversation": blank_to_null(text("initial_conversation"))}),
        ),
        "channels_select" => {
            Ok(json!({"type": kind, "selected_channel": blank_to_null(text("initial_channel"))}))
        }
        "multi_users_select" => Ok(json!({"type": kind, "selected_users": text("initial_users")})),
        _ => return None,
    })
}

fn typed_text(element: &Value, text: &Value) -> Result<Value, String> {
    let Some(text) = text.as_str().filter(|text| !text.is_empty()) else {
        return Ok(Value::Null);
    };
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    if length
        > element["max_length"]
            .as_u64()
            .unwrap_or(super::limits::INPUT_LENGTH)
    {
        return Err("This entry is too long.".to_owned());
    }
    if length < element["min_length"].as_u64().unwrap_or_default() {
        return Err("This entry is too short.".to_owned());
    }
    Ok(Value::from(text))
}

fn several(element: &Value, given: Option<&Value>) -> Result<Value, String> {
    let wanted = match given {
        None => {
            return Ok(element
                .get("initial_options")
                .cloned()
                .unwrap_or_else(|| json!([])));
        }
        Some(Value::Array(values)) => values.clone(),
        Some(one) => vec![one.clone()],
    };
    let wanted = wanted
        .iter()
        .filter_map(Value::as_str)
        .filter(|value| !value.is_empty());
    let found = wanted.map(|value| {
        option_of(element, value).ok_or_else(|| format!("there is no option {value}"))
    });
    found.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn blank_to_null(value: Value) -> Value {
    if value == "" { Value::Null } else { value }
}

fn is_blank(state: &Value) -> bool {
    let mut held = state
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "type");
    held.all(|(_, value)| value.is_null() || value.as_array().is_some_and(Vec::is_empty))
}
