//! Countersign: a self-hosted approvals bot for Slack.
//!
//! `docs/architecture.md` draws the modules and which of them may use which; `tests/it/architecture.rs` keeps it true.

pub mod app;
pub mod bot;
pub mod cli;
pub mod config;
pub mod domain;
mod email;
#[cfg(test)]
mod fuzz_tests;
pub mod http;
mod net;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod slack;
pub mod store;
mod supervisor;
pub mod web;
mod worker;
