//! Slack. Each module may use those above it in this list, never those below (tests/it/architecture.rs).

pub mod api;
pub mod inbound;
// what people see
pub mod ui;
// what happens when a delivery arrives
pub mod handlers;
