//! Exit statuses, for scripts (docs/decisions.md D35).

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// The request is allowed, approved or bypassed, or the command did what it should.
    Done,
    /// A person rejected the request.
    Rejected,
    /// The server understood the call and refused it.
    Refused,
    /// The command was called wrongly.
    Usage,
    /// The request was not decided in time.
    TooLate,
    /// The request was cancelled.
    Cancelled,
    /// The request violates policies.
    Violations,
    /// The server did not answer.
    NoAnswer,
    /// The request is pending.
    Pending,
    /// The reader of standard output has closed it.
    OutputClosed,
}

/// The status that a shell shows for a program that SIGPIPE ended.
const READER_GONE: u8 = 141;

impl ExitStatus {
    /// The exit status of `request`.
    pub fn of_request(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Rejected => 1,
            Self::Usage | Self::Refused => 2,
            Self::TooLate => 3,
            Self::Cancelled => 4,
            Self::Violations => 5,
            Self::NoAnswer => 6,
            Self::Pending => 7,
            Self::OutputClosed => READER_GONE,
        }
    }

    /// The exit status of `run` if its command did not run.
    pub fn of_run(self) -> u8 {
        match self {
            Self::Rejected => 120,
            // the request was still pending when the wait ended
            Self::TooLate | Self::Pending => 121,
            Self::Cancelled => 122,
            Self::Violations => 123,
            Self::NoAnswer => 124,
            // nothing ran, so the status must not mean success
            Self::Refused | Self::Usage | Self::Done | Self::OutputClosed => 125,
        }
    }

    /// The exit status of every other command: like that of `request`, except that a refusal is 1.
    pub fn of_command(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::Done
            | Self::Rejected
            | Self::Usage
            | Self::TooLate
            | Self::Cancelled
            | Self::Violations
            | Self::NoAnswer
            | Self::Pending
            | Self::OutputClosed => self.of_request(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each variant with its status for `request`, for `run` and for the other commands.
    const TABLE: [(ExitStatus, u8, u8, u8); 10] = [
        (ExitStatus::Done, 0, 125, 0),
        (ExitStatus::Rejected, 1, 120, 1),
        (ExitStatus::Refused, 2, 125, 1),
        (ExitStatus::Usage, 2, 125, 2),
        (ExitStatus::TooLate, 3, 121, 3),
        (ExitStatus::Cancelled, 4, 122, 4),
        (ExitStatus::Violations, 5, 123, 5),
        (ExitStatus::NoAnswer, 6, 124, 6),
        (ExitStatus::Pending, 7, 121, 7),
        (ExitStatus::OutputClosed, 141, 125, 141),
    ];

    #[test]
    fn exit_codes_match_the_documented_table() {
        for (ending, request, run, command) in TABLE {
            let is = (ending.of_request(), ending.of_run(), ending.of_command());
            assert_eq!(is, (request, run, command), "{ending:?}");
        }
    }

    #[test]
    fn nothing_but_a_grant_exits_with_0_and_run_never_does_by_itself() {
        for (ending, request, run, _) in TABLE {
            assert_eq!(request == 0, ending == ExitStatus::Done);
            assert_ne!(run, 0);
        }
    }
}
