//! E-mails: what they say (pure functions from domain values to text and HTML), their format, and the client of the mail server.

pub mod alerts;
pub mod letter;
mod mime;
pub mod requests;
pub mod smtp;

pub use letter::Letter;
pub use mime::{Envelope, Outgoing};
pub use smtp::{MailConnection, MailFailure};
