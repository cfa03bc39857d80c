//! Stories, store and architecture tests: everything that needs real databases, real sockets or the source itself.

mod architecture;
mod crash;
mod database;
mod deliveries;
mod execute_race;
mod forged;
mod main_job;
mod markup;
mod outage;
mod pace;
mod plans;
mod races;
mod store;
mod world;
