//! The border to the operator: the configuration file, the environment, the log. Nothing here decides anything.

pub mod client;
pub mod complaint;
pub mod dotenv;
pub mod draft;
pub mod fault;
pub mod file;
pub mod logging;
pub mod manifest;
mod places;
pub mod settings;
mod structure;
pub mod unbuilt;
