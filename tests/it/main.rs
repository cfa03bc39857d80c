//! Stories, store and architecture tests: everything that needs real databases, real sockets or the source itself.

mod api;
mod architecture;
mod browser;
mod client;
mod command_line;
mod crash;
mod database;
mod deliveries;
mod demo;
mod execute_race;
mod expiry;
mod forged;
mod furniture;
mod main_job;
mod markup;
mod matrix;
mod outage;
mod pace;
mod plans;
mod policies;
mod races;
mod rule_changes;
mod shell;
mod sockets;
mod store;
mod world;
