//! Runs the approved command: it inherits our standard streams, receives our signals, and its exit status becomes ours.

use super::wait::{Stop, Stops};
use crate::config::client::WITHHELD;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{ErrorKind, IsTerminal as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use tokio::process::Command;

/// Why a command was not started.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The program does not exist.
    #[error("{0}: no such command")]
    Missing(String),
    /// The program cannot be run.
    #[error("{0}: {1}")]
    Unrunnable(String, std::io::Error),
    /// The command is empty.
    #[error("the approved command is empty")]
    Empty,
}

impl NotStarted {
    /// The exit status that a shell would use.
    pub fn status(&self) -> u8 {
        match self {
            Self::Missing(_) => 127,
            Self::Unrunnable(..) | Self::Empty => 126,
        }
    }
}

/// Runs the command and waits for its end.
pub async fn run(argv: &[String], stops: &mut Stops) -> Result<ExitStatus, NotStarted> {
    let [program, arguments @ ..] = argv else {
        return Err(NotStarted::Empty);
    };
    let unrunnable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => NotStarted::Missing(program.clone()),
        _ => NotStarted::Unrunnable(program.clone(), error),
    };
    let mut command = Command::new(program);
    command.args(arguments);
    // the approved command does not need the secrets that authorize more calls (threat R08)
    for secret in WITHHELD {
        command.env_remove(secret);
    }
    let mut child = command.spawn().map_err(unrunnable)?;
    loop {
        tokio::select! {
            status = child.wait() => return status.map_err(unrunnable),
            stop = stops.next() => {
                if let Some(pid) = child.id() {
                    hand_on(pid, stop);
                }
            }
        }
    }
}

/// Forwards a signal. A terminal signals the whole process group, so its signals are not forwarded: they would arrive twice.
fn hand_on(pid: u32, stop: Stop) {
    let typed = matches!(stop, Stop::Interrupt | Stop::Quit) && std::io::stdin().is_terminal();
    let signal = match stop {
        Stop::Interrupt => Signal::INT,
        Stop::Terminate => Signal::TERM,
        Stop::HangUp => Signal::HUP,
        Stop::Quit => Signal::QUIT,
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let (Some(pid), false) = (pid, typed)
        && let Err(error) = kill_process(pid, signal)
    {
        tracing::debug!(%error, "signal not forwarded");
    }
}

/// The exit status: the command's own, or 128 plus the signal that ended it.
pub fn status_of(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ends(argv: &[&str]) -> Result<u8, u8> {
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        let mut stops = Stops::listen().expect("signals can be read");
        match run(&argv, &mut stops).await {
            Ok(status) => Ok(status_of(status)),
            Err(why) => Err(why.status()),
        }
    }

    #[tokio::test]
    async fn run_exits_with_the_status_of_the_command() {
        assert_eq!(ends(&["true"]).await, Ok(0));
        assert_eq!(ends(&["sh", "-c", "exit 3"]).await, Ok(3));
        assert_eq!(ends(&["sh", "-c", "kill -TERM $$"]).await, Ok(143));
        assert_eq!(ends(&["sh", "-c", "kill -KILL $$"]).await, Ok(137));
        assert_eq!(ends(&["no-such-command-at-all"]).await, Err(127));
        assert_eq!(ends(&["/"]).await, Err(126));
        assert_eq!(ends(&[]).await, Err(126));
    }

    #[tokio::test]
    async fn arguments_reach_the_command_unchanged_b09() {
        let exact = r#"test "$1" = "a  b" && test "$2" = '$HOME;*' && test $# = 2"#;
        assert_eq!(
            ends(&["sh", "-c", exact, "sh", "a  b", "$HOME;*"]).await,
            Ok(0)
        );
    }
}
