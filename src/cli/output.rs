//! Standard output and standard error, which may be closed or full at any moment. Nothing else in this program writes to them.
//!
//! A reader that has gone away (`countersign audit export | head -n 1`) ends a command quietly, with the status a shell gives to a
//! program that SIGPIPE ended; a full disk is an error. What is only told on standard error never fails anything.

use super::error::CliError;
use std::io::{ErrorKind, Write};

/// Prints text with colours, which only terminals get to see.
pub fn text(text: &str) -> Result<(), CliError> {
    write(&mut anstream::stdout().lock(), text.as_bytes())
}

/// Prints one line with colours.
pub fn line(line: &str) -> Result<(), CliError> {
    text(&format!("{line}\n"))
}

/// Prints exactly these bytes: documents for other programs.
pub fn exact(bytes: impl AsRef<[u8]>) -> Result<(), CliError> {
    write(&mut std::io::stdout().lock(), bytes.as_ref())
}

fn write(stdout: &mut impl Write, bytes: &[u8]) -> Result<(), CliError> {
    // without the flush what stands behind the last newline would be lost unnoticed
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| failed(&error))
}

/// What it means that standard output takes nothing more.
pub fn failed(error: &std::io::Error) -> CliError {
    match error.kind() {
        ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::OutputFailed(error.to_string()),
    }
}

/// Tells a line on standard error; whether anybody can read it changes nothing.
pub fn tell(line: &str) {
    draw(&format!("{line}\n"));
}

/// The same without the end of the line, such as a question.
pub fn draw(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()); // there is nowhere else to report it
    let _ = stderr.flush();
}
