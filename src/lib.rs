//! Countersign: a self-hosted approvals bot for Slack.
//!
//! `docs/architecture.md` draws the modules and which of them may use which; `tests/it/architecture.rs` keeps it true.

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
pub mod web;
pub mod worker;
