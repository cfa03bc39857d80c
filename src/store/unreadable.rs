//! A stored row that this release cannot read, because a newer release wrote it or someone edited it. Such a row is set aside and
//! reported. It never stops the processing of other rows, and is never deleted.

use super::StoreError;
use std::fmt;

/// Metric: unreadable rows, by table.
pub const UNREADABLE_ROWS: &str = "countersign_unreadable_rows_total";

/// A row that this release cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The table.
    pub table: &'static str,
    /// The row's key, as stored.
    pub row: String,
    /// The unreadable column.
    pub column: &'static str,
    /// Why the column is unreadable.
    pub reason: String,
}

impl Unreadable {
    /// Reads one column of one row.
    pub(crate) fn read<T, E: fmt::Display>(
        table: &'static str,
        row: &str,
        column: &'static str,
        value: Result<T, E>,
    ) -> Result<T, Self> {
        value.map_err(|error| Self {
            table,
            row: row.to_owned(),
            column,
            reason: error.to_string(),
        })
    }

    /// Logs and counts the row. `consequence` says what happens to it, such as "set aside".
    pub fn report(&self, consequence: &'static str) {
        metrics::counter!(UNREADABLE_ROWS, "table" => self.table).increment(1);
        tracing::error!(
            table = self.table,
            row = %self.row,
            column = self.column,
            reason = %self.reason,
            consequence,
            "unreadable row"
        );
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            row,
            column,
            reason,
        } = self;
        write!(f, "unreadable {column} in {table} {row}: {reason}")
    }
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_row_names_its_place_and_its_reason_r04() {
        let number: Result<i64, _> = Unreadable::read("outbox", "7", "message", "x".parse::<i64>());
        let unreadable = number.expect_err("no number");
        assert_eq!(
            unreadable.to_string(),
            "unreadable message in outbox 7: invalid digit found in string"
        );
        let error = StoreError::from(unreadable);
        assert!(matches!(error, StoreError::Unreadable(_)), "{error}");
    }
}
