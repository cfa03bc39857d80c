//! Standard output and standard error, which may be closed or full at any time. Nothing else in this program writes to them.
//!
//! When a reader closes standard output (`countersign audit export | head -n 1`), the command ends quietly with the status that a shell
//! gives to a program that SIGPIPE ended. A full disk is an error. Failures to write to standard error are ignored.

use super::error::CliError;
use std::io::{ErrorKind, Write};

/// Prints text with colours; only terminals receive the colours.
pub fn text(text: &str) -> Result<(), CliError> {
    write(&mut anstream::stdout().lock(), text.as_bytes())
}

/// Prints one line with colours; only terminals receive the colours.
pub fn line(line: &str) -> Result<(), CliError> {
    text(&format!("{line}\n"))
}

/// Prints exactly these bytes, for documents that other programs read.
pub fn exact(bytes: impl AsRef<[u8]>) -> Result<(), CliError> {
    write(&mut std::io::stdout().lock(), bytes.as_ref())
}

fn write(stdout: &mut impl Write, bytes: &[u8]) -> Result<(), CliError> {
    // without the flush, a failure to write what follows the last newline would go unnoticed
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| failed(&error))
}

/// Says what a failed write to standard output means.
pub fn failed(error: &std::io::Error) -> CliError {
    match error.kind() {
        ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::OutputFailed(error.to_string()),
    }
}

/// Prints a line on standard error; a failure is ignored.
pub fn tell(line: &str) {
    draw(&format!("{line}\n"));
}

/// Prints text without a newline on standard error, such as a question.
pub fn draw(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()); // there is nowhere else to report it
    let _ = stderr.flush();
}
