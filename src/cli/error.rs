//! Errors of the command line, with what to do about them.

use super::exit_status::ExitStatus;
use super::{output, style};
use crate::http::problem::Problem;

/// Why a command failed.
#[derive(Debug)]
pub enum CliError {
    /// The command was called wrongly, or something on this machine is missing.
    Usage(String),
    /// There was no answer, or one that is not from the API.
    NoAnswer(String),
    /// The server refused the call.
    Refused(Problem),
    /// The reader of standard output has closed it.
    OutputClosed,
    /// Standard output cannot be written, for this reason.
    OutputFailed(String),
}

impl CliError {
    /// How the command ends because of this error.
    pub fn ending(&self) -> ExitStatus {
        match self {
            Self::Usage(_) | Self::OutputFailed(_) => ExitStatus::Usage,
            Self::NoAnswer(_) => ExitStatus::NoAnswer,
            Self::Refused(problem) if problem.code == "policy_violations" => ExitStatus::Violations,
            Self::Refused(_) => ExitStatus::Refused,
            Self::OutputClosed => ExitStatus::OutputClosed,
        }
    }

    /// Prints the error on standard error, except when the reader of the output has gone.
    pub fn tell(&self) -> ExitStatus {
        if !matches!(self, Self::OutputClosed) {
            output::tell(&self.text());
        }
        self.ending()
    }

    fn text(&self) -> String {
        let (first, more) = match self {
            // several config errors come one per line, so they are printed that way
            Self::Usage(text) => {
                let mut lines = text.lines().map(str::to_owned);
                (lines.next().unwrap_or_default(), lines.collect())
            }
            Self::NoAnswer(text) => ("no answer from the server".to_owned(), vec![text.clone()]),
            Self::Refused(problem) => (problem.title.clone(), reasons(problem)),
            Self::OutputClosed => ("standard output is closed".to_owned(), Vec::new()),
            Self::OutputFailed(why) => (
                format!("cannot write to standard output: {why}"),
                vec!["free some space, or send the output elsewhere".to_owned()],
            ),
        };
        let mut lines = vec![format!("{}: {}", style::bad("error"), style::plain(&first))];
        lines.extend(more.iter().map(|line| format!("  {}", style::plain(line))));
        lines.join("\n")
    }
}

fn reasons(problem: &Problem) -> Vec<String> {
    if !problem.violations.is_empty() {
        let line = |broken: &crate::http::problem::ViolationView| match &broken.policy {
            Some(policy) => format!("{policy}: {}", broken.message),
            None => broken.message.clone(),
        };
        return problem.violations.iter().map(line).collect();
    }
    if !problem.problems.is_empty() {
        let line = |wrong: &crate::http::problem::ConfigErrorView| {
            format!("{}: {}", wrong.path, wrong.message)
        };
        return problem.problems.iter().map(line).collect();
    }
    vec![problem.detail.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::Refusal;
    use crate::domain::violation::{AskField, Violation, ViolationCode};

    #[test]
    fn a_refusal_says_why_and_what_to_do() {
        let trouble = CliError::Refused(Refusal::AlreadyReviewed.into());
        let text = anstream::adapter::strip_str(&trouble.text()).to_string();
        assert_eq!(
            text,
            "error: already reviewed\n  Your decision is recorded; there is nothing left for you to do."
        );
        assert_eq!(trouble.ending(), ExitStatus::Refused);
    }

    #[test]
    fn each_config_error_is_printed_on_its_own_line() {
        let trouble = CliError::Usage("c.yaml:1:1: a\nc.yaml:2:2: b\u{1b}[2K".to_owned());
        let text = anstream::adapter::strip_str(&trouble.text()).to_string();
        assert_eq!(text, "error: c.yaml:1:1: a\n  c.yaml:2:2: b<U+001B>[2K");
    }

    #[test]
    fn every_violation_is_printed() {
        let violation = |policy: Option<&str>, message: &str| Violation {
            policy: policy.map(Into::into),
            ..Violation::new(AskField::Reason, ViolationCode::ReasonRequired, message)
        };
        let refusal = Refusal::Violations(vec![
            violation(Some("prod"), "say why"),
            violation(None, "name a project"),
        ]);
        let trouble = CliError::Refused(refusal.into());
        let text = anstream::adapter::strip_str(&trouble.text()).to_string();
        assert_eq!(
            text,
            "error: policy violations\n  prod: say why\n  name a project"
        );
        assert_eq!(trouble.ending(), ExitStatus::Violations);
    }
}
