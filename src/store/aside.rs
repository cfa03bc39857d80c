//! Rows that this release cannot read, for `/readyz` and `doctor`. A row is remembered from the first failed read until all of
//! it can be read.

use super::{StoreError, Tx, Unreadable};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Maximum number of rows that are remembered; after so many log lines, another one adds no information.
const MOST_REMEMBERED: usize = 1_000;

type Rows = BTreeMap<(&'static str, String), Unreadable>;

/// Unreadable rows by table and key; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Aside(Arc<Mutex<Rows>>);

/// The unreadable rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The table.
    pub table: &'static str,
    /// How many rows there are.
    pub rows: usize,
    /// What is wrong with the first row.
    pub first: String,
}

/// Where a page of overdue rows ended: the time and the id of its last row. The default is before the first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepCursor {
    pub(super) at: i64,
    pub(super) id: String,
}

impl Default for SweepCursor {
    fn default() -> Self {
        Self {
            at: i64::MIN,
            id: String::new(),
        }
    }
}

impl SweepCursor {
    /// Where to continue after a page of `rows` rows with this last row; `None` if the page was not full.
    pub(super) fn after(last: Option<(i64, &str)>, rows: usize, limit: i64) -> Option<Self> {
        let is_full = i64::try_from(rows).is_ok_and(|rows| rows >= limit);
        let (at, id) = last.filter(|_| is_full)?;
        let id = id.to_owned();
        Some(Self { at, id })
    }
}

impl Aside {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that were set aside, grouped by table.
    pub fn tables(&self) -> Vec<SetAside> {
        let mut tables: Vec<SetAside> = Vec::new();
        for ((table, _), row) in &*self.rows() {
            match tables.last_mut() {
                Some(last) if last.table == *table => last.rows += 1,
                _ => tables.push(SetAside {
                    table,
                    rows: 1,
                    first: row.to_string(),
                }),
            }
        }
        tables
    }

    /// How many rows of a table were set aside.
    pub fn count(&self, table: &'static str) -> usize {
        self.rows().keys().filter(|(of, _)| *of == table).count()
    }

    /// Whether this row was set aside.
    pub fn holds(&self, table: &'static str, row: &str) -> bool {
        self.rows().contains_key(&(table, row.to_owned()))
    }

    fn set_aside(&self, unreadable: Unreadable) {
        let mut rows = self.rows();
        let key = (unreadable.table, unreadable.row.clone());
        if rows.contains_key(&key) || rows.len() >= MOST_REMEMBERED {
            return;
        }
        unreadable.report("set aside");
        rows.insert(key, unreadable);
    }

    fn reads(&self, table: &'static str, row: &str) {
        let mut rows = self.rows();
        if !rows.is_empty() {
            rows.remove(&(table, row.to_owned()));
        }
    }
}

impl Tx {
    /// For one row of many: `None` if it is unreadable. The row is then remembered and reported, and the caller continues with the
    /// others.
    pub(super) fn readable<T>(
        &self,
        table: &'static str,
        row: &str,
        value: Result<T, StoreError>,
    ) -> Option<T> {
        self.sole(table, row, value).ok()
    }

    /// For a row that the caller needs: an unreadable row is remembered and reported, and returned as an error.
    pub(super) fn sole<T>(
        &self,
        table: &'static str,
        row: &str,
        value: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if value.is_ok() {
            self.aside.reads(table, row);
        }
        self.part(table, row, value)
    }

    /// For some columns of a row: unreadable ones are remembered, reported and returned as an error. Readable ones say nothing about
    /// the other columns, so the row stays remembered.
    pub(super) fn part<T>(
        &self,
        table: &'static str,
        row: &str,
        value: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Err(StoreError::Unreadable(reason)) = &value {
            self.aside.set_aside(Unreadable {
                table,
                row: row.to_owned(),
                column: "row",
                reason: reason.clone(),
            });
        }
        value
    }

    /// Extends a limit by the number of rows of a table that were set aside, so that they take no place from readable rows.
    pub(super) fn beyond_aside(&self, table: &'static str, limit: i64) -> i64 {
        let known = i64::try_from(self.aside.count(table)).unwrap_or(0);
        limit.saturating_add(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(table: &'static str, row: &str) -> Unreadable {
        Unreadable {
            table,
            row: row.to_owned(),
            column: "row",
            reason: "gates: unknown field `later`".to_owned(),
        }
    }

    #[test]
    fn a_row_is_reported_by_table_until_it_reads_r04() {
        let aside = Aside::default();
        for (table, row) in [("sessions", "s"), ("requests", "b"), ("requests", "a")] {
            aside.set_aside(unreadable(table, row));
        }
        aside.set_aside(unreadable("requests", "a"));
        let requests = SetAside {
            table: "requests",
            rows: 2,
            first: "unreadable row in requests a: gates: unknown field `later`".to_owned(),
        };
        assert_eq!(aside.tables()[0], requests);
        assert_eq!((aside.count("requests"), aside.count("sessions")), (2, 1));
        aside.reads("requests", "a");
        assert!(!aside.holds("requests", "a") && aside.holds("requests", "b"));
    }

    #[test]
    fn rows_are_remembered_up_to_a_bound_r04() {
        let aside = Aside::default();
        for row in 0..=MOST_REMEMBERED {
            aside.set_aside(unreadable("requests", &row.to_string()));
        }
        assert_eq!(aside.count("requests"), MOST_REMEMBERED);
    }
}
