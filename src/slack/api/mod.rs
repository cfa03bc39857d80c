//! Slack's Web API: the client, Slack's replies and errors, and the messages that are sent. It does not know what messages say.

pub mod channels;
pub mod client;
pub mod error;
pub mod message;
pub mod reply;
pub(in crate::slack) mod ttl_cache;
