//! What the environment says wrong, in words that never repeat a value (threat OP3).

use std::fmt;

/// One variable that cannot be used, and what to do. It never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// Every variable that cannot be used; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingErrors(pub Vec<SettingError>);

impl fmt::Display for SettingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            let gap = if number > 0 { "\n" } else { "" };
            write!(f, "{gap}{} {}", error.variable, error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingErrors {}
