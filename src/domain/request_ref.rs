//! How callers name a request.

use super::id::{NotAnId, RequestId};

/// How a request is named: by its id, or by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestRef {
    /// By id.
    Id(RequestId),
    /// By number, `#42`.
    Number(i64),
}

impl std::str::FromStr for RequestRef {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if !digits.is_empty() && digits.len() < 18 && digits.bytes().all(|b| b.is_ascii_digit()) {
            return digits.parse().map(Self::Number).map_err(|_| NotAnId);
        }
        text.parse().map(Self::Id)
    }
}
