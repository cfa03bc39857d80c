//! Database errors, classified by what the operator can do about them.

use sqlx::error::DatabaseError;
use std::sync::Arc;

/// Why a database operation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another error of the driver.
    #[error("database: {0}")]
    Driver(Arc<sqlx::Error>),
    /// The only writer of an `SQLite` file is busy or has stopped.
    #[error("the database's writer is busy or has stopped")]
    Writer,
    /// No connection became free in time.
    #[error(
        "every connection to the database is in use; try again, or raise the server's max_connections"
    )]
    Crowded,
    /// A lock or a statement exceeded its time limit.
    #[error("the database took too long: {0}")]
    TooSlow(String),
    /// The database answers but does not accept writes.
    #[error("the database cannot be written: {0}")]
    NotWritable(String),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unreachable(String),
    /// The database could not be opened; the text contains the address, the cause and a hint.
    #[error("{0}")]
    CannotOpen(String),
    /// A statement of this transaction failed, so the transaction cannot be committed.
    #[error("a statement of this unit failed, so it cannot be committed")]
    Failed,
    /// A row is unreadable: a newer release wrote it, or someone edited it.
    #[error("the database holds something unreadable: {0}")]
    Unreadable(String),
    /// The database could lose acknowledged commits.
    #[error("{0}")]
    NotDurable(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::Crowded,
            sqlx::Error::Io(cause) => Self::Unreachable(cause.to_string()),
            sqlx::Error::Tls(cause) => Self::Unreachable(format!("TLS: {cause}")),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Writer,
            sqlx::Error::Database(cause) => {
                of_database(cause.as_ref()).unwrap_or_else(|| Self::Driver(Arc::new(error)))
            }
            _ => Self::Driver(Arc::new(error)),
        }
    }
}

/// The error for a code of the database; `None` if the code has no special meaning here.
fn of_database(error: &dyn DatabaseError) -> Option<StoreError> {
    of_code(&error.code()?, error.message())
}

fn of_code(code: &str, message: &str) -> Option<StoreError> {
    match code.parse::<u32>() {
        // Postgres codes have five characters, most of them with a letter or a leading zero; SQLite codes are small numbers
        Ok(number) if code.len() < 5 => of_sqlite(number, message),
        _ => of_postgres(code, message),
    }
}

/// Classifies by the primary result code, which is the lowest byte.
fn of_sqlite(code: u32, message: &str) -> Option<StoreError> {
    Some(match code & 0xff {
        5 | 6 => StoreError::TooSlow("another process is writing to the file".to_owned()),
        8 => StoreError::NotWritable(
            "the file is read-only, or was moved; check the owner and the permissions of the file and its folder".to_owned(),
        ),
        13 => StoreError::NotWritable("the disk is full; free some space".to_owned()),
        10 => StoreError::Unreachable(format!("{message}; check the disk")),
        11 | 26 => StoreError::Unreachable(format!("{message}; restore a backup")),
        14 => StoreError::Unreachable(format!(
            "{message}; check that the folder exists and may be written"
        )),
        _ => return None,
    })
}

fn of_postgres(code: &str, message: &str) -> Option<StoreError> {
    Some(match code {
        "25006" => StoreError::NotWritable(
            "the server is read-only, as a standby is after a failover; point DATABASE_URL at the primary".to_owned(),
        ),
        "42501" => StoreError::NotWritable(format!(
            "{message}; grant the right to the user of DATABASE_URL"
        )),
        "53100" => StoreError::NotWritable("the server's disk is full; free some space".to_owned()),
        "53300" => StoreError::Crowded,
        "55P03" => StoreError::TooSlow("a lock did not become free in time".to_owned()),
        "57014" => StoreError::TooSlow("a statement was cancelled".to_owned()),
        "25P03" => StoreError::TooSlow("the transaction stood still for too long".to_owned()),
        "40001" | "40P01" => {
            StoreError::TooSlow("two transactions were in each other's way".to_owned())
        }
        "28000" | "28P01" => StoreError::Unreachable(format!(
            "{message}; check the user and the password in DATABASE_URL"
        )),
        "3D000" => StoreError::Unreachable(format!("{message}; create the database")),
        "57P01" | "57P02" | "57P03" => StoreError::Unreachable(message.to_owned()),
        "08P01" if message.contains("startup parameter") => {
            StoreError::Unreachable(format!("{message}; {}", super::settings::USE_THE_SERVER))
        }
        _ if code.starts_with("08") => StoreError::Unreachable(message.to_owned()),
        _ => return None,
    })
}

impl StoreError {
    /// The cause alone, for a sentence that already contains the address.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Unreachable(cause) | Self::NotWritable(cause) | Self::TooSlow(cause) => {
                cause.clone()
            }
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of an error with this code, for either database.
    fn said_of(code: &str, message: &str) -> String {
        of_code(code, message).map_or_else(String::new, |error| error.to_string())
    }

    /// Codes of both databases, and what is said of each; nothing for a code without a meaning of its own.
    const SENTENCES: &[(&str, &str)] = &[
        (
            "25006",
            "the database cannot be written: the server is read-only, as a standby is after a failover; point DATABASE_URL at the primary",
        ),
        (
            "42501",
            "the database cannot be written: the cause; grant the right to the user of DATABASE_URL",
        ),
        (
            "53100",
            "the database cannot be written: the server's disk is full; free some space",
        ),
        (
            "53300",
            "every connection to the database is in use; try again, or raise the server's max_connections",
        ),
        (
            "55P03",
            "the database took too long: a lock did not become free in time",
        ),
        (
            "57014",
            "the database took too long: a statement was cancelled",
        ),
        (
            "25P03",
            "the database took too long: the transaction stood still for too long",
        ),
        (
            "40001",
            "the database took too long: two transactions were in each other's way",
        ),
        (
            "40P01",
            "the database took too long: two transactions were in each other's way",
        ),
        (
            "28000",
            "the database does not answer: the cause; check the user and the password in DATABASE_URL",
        ),
        (
            "28P01",
            "the database does not answer: the cause; check the user and the password in DATABASE_URL",
        ),
        (
            "3D000",
            "the database does not answer: the cause; create the database",
        ),
        ("57P01", "the database does not answer: the cause"),
        ("57P02", "the database does not answer: the cause"),
        ("57P03", "the database does not answer: the cause"),
        ("08006", "the database does not answer: the cause"),
        ("08P01", "the database does not answer: the cause"),
        ("23505", ""),
        ("42P01", ""),
        // SQLite: primary codes, and extended ones whose lowest byte is the primary code
        (
            "5",
            "the database took too long: another process is writing to the file",
        ),
        (
            "6",
            "the database took too long: another process is writing to the file",
        ),
        (
            "517",
            "the database took too long: another process is writing to the file",
        ),
        (
            "8",
            "the database cannot be written: the file is read-only, or was moved; check the owner and the permissions of the file and its folder",
        ),
        (
            "1032",
            "the database cannot be written: the file is read-only, or was moved; check the owner and the permissions of the file and its folder",
        ),
        (
            "10",
            "the database does not answer: the cause; check the disk",
        ),
        (
            "778",
            "the database does not answer: the cause; check the disk",
        ),
        (
            "11",
            "the database does not answer: the cause; restore a backup",
        ),
        (
            "13",
            "the database cannot be written: the disk is full; free some space",
        ),
        (
            "14",
            "the database does not answer: the cause; check that the folder exists and may be written",
        ),
        (
            "26",
            "the database does not answer: the cause; restore a backup",
        ),
        ("1", ""),
        ("2067", ""),
    ];

    #[test]
    fn every_code_has_the_sentence_that_fits_f5() {
        for (code, expected) in SENTENCES {
            assert_eq!(said_of(code, "the cause"), *expected, "{code}");
        }
        let pooler = said_of("08P01", "unsupported startup parameter: options");
        assert!(
            pooler.contains(super::super::settings::USE_THE_SERVER),
            "{pooler}"
        );
    }

    #[test]
    fn a_refused_connection_is_not_a_crowded_pool_f5() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let said = StoreError::from(sqlx::Error::Io(refused)).to_string();
        assert_eq!(said, "the database does not answer: connection refused");
        let crowded = StoreError::from(sqlx::Error::PoolTimedOut).to_string();
        assert!(crowded.starts_with("every connection"), "{crowded}");
    }
}
