//! The fields of a submitted form.

use super::access::CSRF;

/// The fields of a form, as they were sent; a token is among them, so they are not for the log.
#[derive(Clone)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form; nothing if it is not one.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_urlencoded::from_bytes(body).ok().map(Self)
    }

    /// Every value of a list, without blank ones.
    pub fn all(&self, name: &str) -> Vec<String> {
        let found = self.0.iter().filter(|(key, _)| key == name);
        let values = found.map(|(_, value)| value.trim().to_owned());
        values.filter(|value| !value.is_empty()).collect()
    }

    /// All fields but the token, as one text that is the same for the same form.
    pub fn text(&self) -> String {
        let fields = self.0.iter().filter(|(key, _)| key != CSRF);
        serde_json::to_string(&fields.collect::<Vec<_>>()).unwrap_or_default()
    }

    /// The value of a field; nothing if it was left out, blank, or sent twice.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value.trim()).filter(|value| !value.is_empty()),
            _ => None,
        }
    }
}
