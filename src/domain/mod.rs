//! The approval logic as plain functions over values. It has no IO, no clock and no randomness; callers pass in times and ids.

pub mod action;
mod admit;
mod ask;
pub mod audit;
mod binding;
pub mod break_glass;
mod check;
pub mod compiled_config;
pub mod conditions;
pub mod content;
pub mod decide;
pub mod decision;
pub mod delta;
pub mod diff;
pub mod digest;
pub mod document;
pub mod eligibility;
mod english;
pub mod entitlement;
pub mod execute;
pub mod explain;
pub mod id;
pub mod latency;
pub mod message;
pub mod people;
pub mod pinned_policy;
pub mod principal;
pub mod progress;
pub mod quorum;
pub mod refusal;
pub mod request;
pub mod request_details;
pub mod resolve;
pub mod resources;
pub mod satisfiable;
pub mod slack_directory;
pub mod smallest;
pub mod suggestion;
pub mod target;
pub mod text;
pub mod time;
pub mod token;
mod weakening;
pub mod window;

#[cfg(test)]
mod tests;
