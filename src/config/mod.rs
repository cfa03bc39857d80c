//! The border to the operator: the configuration file, the environment, the log. Nothing here decides anything.

pub(crate) mod client;
pub(crate) mod dotenv;
pub(crate) mod draft;
pub mod file;
pub(crate) mod file_error;
pub(crate) mod logging;
pub(crate) mod manifest;
pub(crate) mod setting_error;
pub(crate) mod settings;
mod source_location;
mod structure;
