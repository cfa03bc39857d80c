//! Slack, in and out: whether a delivery is genuine, what it asks for, how it is answered, and what people see.

pub mod account_access;
pub mod break_glass;
pub mod channels;
pub mod client;
pub mod command;
pub mod error;
pub mod handlers;
pub mod homes;
pub mod inbound;
pub mod installation;
mod listing;
pub mod reply;
pub mod route;
pub mod signature;
pub mod socket;
pub mod views;
