//! Countersign: a self-hosted approvals bot for Slack.
//!
//! The rooms and the arrows between them are drawn in `docs/architecture.md`; `tests/it/architecture.rs` keeps them true.

pub mod app;
pub mod bot;
pub mod cli;
pub mod config;
pub mod domain;
#[cfg(test)]
mod fuzz_tests;
pub mod http;
pub mod net;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod slack;
pub mod store;
pub mod supervisor;
pub mod worker;
