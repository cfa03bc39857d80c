//! The rules of approval as plain functions over values: no IO, no clock, no randomness; time and ids are passed in.

pub mod action;
mod admit;
mod ask;
pub mod audit;
mod binding;
pub mod break_glass;
mod check;
pub mod conditions;
pub mod content;
pub mod decide;
pub mod diff;
pub mod digest;
pub mod document;
pub mod eligibility;
pub mod entitlement;
pub mod execute;
pub mod explain;
pub mod id;
pub mod latency;
pub mod message;
pub mod people;
pub mod policy;
pub mod principal;
pub mod quorum;
pub mod refusal;
pub mod request;
pub mod resolve;
pub mod resources;
pub mod roster;
pub mod rules;
pub mod satisfiable;
pub mod shown;
pub mod smallest;
pub mod target;
pub mod time;
pub mod token;
pub mod verdict;
pub mod vote;
mod weaken;
pub mod window;
mod words;

#[cfg(test)]
mod tests;
