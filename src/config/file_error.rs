//! What is wrong with a configuration file, and where: one line for each fault, all of them at once.

use crate::domain::text::is_invisible;
use std::fmt;

/// One fault of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFileError {
    /// The file as the operator named it.
    pub file: String,
    /// Line and column, both counted from 1, where they are known.
    pub at: Option<(usize, usize)>,
    /// The key, such as `policies[2].conditions.endHour`; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for ConfigFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", printable(&self.path))?;
        }
        write!(f, ": {}", printable(&self.message))
    }
}

/// The faults of a configuration file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFileErrors(pub Vec<ConfigFileError>);

impl fmt::Display for ConfigFileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFileErrors {}

/// The file is not ours to trust: what would steer a terminal is shown escaped.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|sign| {
            let escaped = is_invisible(sign).then(|| sign.escape_unicode());
            let plain = escaped.is_none().then_some(sign);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_error_has_file_line_column_and_escapes_control_characters() {
        let fault = ConfigFileError {
            file: "countersign.yaml".to_owned(),
            at: Some((41, 7)),
            path: "policies[2].conditions.endHour".to_owned(),
            message: "25 is no hour\u{1b}[2J".to_owned(),
        };
        assert_eq!(
            fault.to_string(),
            "countersign.yaml:41:7: policies[2].conditions.endHour: 25 is no hour\\u{1b}[2J"
        );
        let whole = ConfigFileError {
            at: None,
            path: String::new(),
            ..fault
        };
        assert!(whole.to_string().starts_with("countersign.yaml: 25"));
    }
}
