//! Tests of the domain that involve several of its files.

mod administrators;
mod admission;
mod decide;
mod decisions;
mod directory;
mod edges;
mod explanation;
pub(super) mod fixture;
mod groups;
mod limits;
mod memberships;
mod messages;
mod oracle;
mod properties;
mod recheck;
mod refused;
mod replayed;
mod request_details;
mod resolution;
mod sign_ins;
mod text_limits;
mod weakening;
mod web_only;
mod windows;
