//! The border to the operator: the configuration file, the environment, the log. Nothing here decides anything.

pub mod client;
pub mod setting_error;
pub mod dotenv;
pub mod draft;
pub mod file_error;
pub mod file;
pub mod logging;
pub mod manifest;
mod source_location;
pub mod settings;
mod structure;
pub mod not_implemented;
