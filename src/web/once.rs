//! A form that is sent twice has effect once: its page gives it a random key.

use super::access::Visitor;
use super::failure::Failure;
use super::fields::Fields;
use crate::app::{AppError, IdempotencyKey};
use crate::domain::digest::Digest;
use crate::domain::time::Span;

/// The hidden field with the key.
const FIELD: &str = "once";
/// How long a key is kept.
const KEPT: Span = Span::hours(24);

/// A new key for a form.
pub fn fresh() -> Result<String, Failure> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(hex::encode(random))
}

/// The key of a submitted form; nothing if it has none that a page could have given.
pub fn key(visitor: &Visitor, fields: &Fields) -> Option<IdempotencyKey> {
    let once = fields.get(FIELD)?;
    let plausible = once.len() == 32 && once.bytes().all(|b| b.is_ascii_hexdigit());
    plausible.then(|| IdempotencyKey {
        key: format!("web:{}:{once}", visitor.signed_in.sign_in.id),
        fingerprint: Digest::of(fields.text().as_bytes()).to_string(),
        keep: KEPT,
    })
}
