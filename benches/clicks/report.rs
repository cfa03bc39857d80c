//! The figures, and the table that shows them.

use crate::database::Kind;
use std::collections::BTreeMap;
use std::fmt;

/// All samples by database and name, in the order in which the names came.
#[derive(Default)]
pub struct Report {
    names: Vec<String>,
    samples: BTreeMap<(Kind, String), Vec<f64>>,
}

impl Report {
    /// Adds one sample.
    pub fn add(&mut self, kind: Kind, name: &str, value: f64) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        self.samples
            .entry((kind, name.to_owned()))
            .or_default()
            .push(value);
    }

    fn row(&self, kind: Kind, name: &str) -> Option<[f64; 3]> {
        let mut samples = self.samples.get(&(kind, name.to_owned()))?.clone();
        samples.sort_unstable_by(f64::total_cmp);
        let last = samples.len() - 1;
        Some([samples[last / 2], samples[0], samples[last]])
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in [Kind::Sqlite, Kind::Postgres] {
            let rows: Vec<_> = self
                .names
                .iter()
                .filter_map(|name| Some((name, self.row(kind, name)?)))
                .collect();
            if rows.is_empty() {
                continue;
            }
            writeln!(
                out,
                "\n{:<48}{:>12}{:>12}{:>12}",
                kind.name(),
                "median",
                "least",
                "most"
            )?;
            for (name, [median, least, most]) in rows {
                writeln!(out, "{name:<48}{median:>12.2}{least:>12.2}{most:>12.2}")?;
            }
        }
        Ok(())
    }
}
