//! The arguments of a call, from query, form or JSON.

use axum::http::{HeaderMap, Uri, header};
use serde_json::{Map, Value};

use super::ApiError;

/// Methods that accept arguments only as query and form, according to Slack's reference.
const NO_JSON: [&str; 8] = [
    "bots.info",
    "users.info",
    "users.list",
    "conversations.info",
    "conversations.list",
    "conversations.members",
    "usergroups.list",
    "usergroups.users.list",
];

/// Arguments by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Args(Map<String, Value>);

impl Args {
    pub(super) fn read(method: &str, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut all = Map::new();
        let mut add = |pairs: Vec<(String, String)>| {
            all.extend(
                pairs
                    .into_iter()
                    .map(|(name, value)| (name, Value::String(value))),
            );
        };
        add(serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default());
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") {
            add(serde_urlencoded::from_bytes(body).unwrap_or_default());
        } else if kind.starts_with("application/json")
            && !NO_JSON.contains(&method)
            && let Ok(Value::Object(fields)) = serde_json::from_slice(body)
        {
            all.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        }
        Self(all)
    }

    /// A text argument; an argument of another type counts as missing.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A required text argument.
    pub(super) fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| ApiError::missing(name))
    }

    /// A boolean argument: JSON `true`, or `true` or `1` in a form.
    pub(super) fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true" || text == "1",
            _ => false,
        }
    }

    /// A structured argument: JSON, or JSON as text in a form. `code` is the error for text that is not JSON.
    pub(super) fn json(&self, name: &str, code: &'static str) -> Result<Option<Value>, ApiError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => {
                let parsed = serde_json::from_str(text);
                parsed.map(Some).map_err(|_| code.into())
            }
            Some(other) => Ok(Some(other.clone())),
        }
    }

    /// All arguments except the token, for the log.
    pub(super) fn without_token(&self) -> Value {
        let mut all = self.0.clone();
        all.remove("token");
        Value::Object(all)
    }
}
