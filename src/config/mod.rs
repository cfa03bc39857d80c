//! The border to the operator: the configuration file, the environment, the log. Nothing here decides anything.

pub mod client;
pub mod dotenv;
pub mod draft;
pub mod file;
pub mod file_error;
pub mod logging;
pub mod manifest;
pub mod setting_error;
pub mod settings;
mod source_location;
mod structure;
