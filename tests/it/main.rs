//! Stories, store and architecture tests: everything that needs real databases, real sockets or the source itself.

mod architecture;
mod database;
mod execute_race;
mod main_job;
mod plans;
mod races;
mod store;
mod world;
