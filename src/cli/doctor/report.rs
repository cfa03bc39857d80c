//! The report: each line has a mark, what was found, and a hint.

use crate::cli::style;
use serde::Serialize;

/// The state of one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It works.
    Ok,
    /// It works, but needs attention.
    Warning,
    /// It does not work.
    Problem,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its state.
    pub mark: Mark,
    /// The area that was checked.
    pub area: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(rename = "mend", skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// All findings.
#[derive(Debug, Default)]
pub struct Report(Vec<Finding>);

impl Report {
    /// Adds a finding that works.
    pub fn ok(&mut self, area: &'static str, found: impl Into<String>) {
        self.add(Mark::Ok, area, found.into(), None);
    }

    /// Adds a finding that works but needs attention.
    pub fn warning(
        &mut self,
        area: &'static str,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(Mark::Warning, area, found.into(), Some(hint.into()));
    }

    /// Adds a finding that does not work.
    pub fn problem(
        &mut self,
        area: &'static str,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(Mark::Problem, area, found.into(), Some(hint.into()));
    }

    fn add(&mut self, mark: Mark, area: &'static str, found: String, hint: Option<String>) {
        self.0.push(Finding {
            mark,
            area,
            found,
            hint,
        });
    }

    /// The worst mark; ok if there are no findings.
    pub fn worst(&self) -> Mark {
        self.0.iter().map(|one| one.mark).max().unwrap_or(Mark::Ok)
    }

    /// The report as text.
    pub fn text(&self) -> String {
        let count = |mark| self.0.iter().filter(|one| one.mark == mark).count();
        let lines: String = self.0.iter().map(line).collect();
        let (problems, warnings) = (count(Mark::Problem), count(Mark::Warning));
        format!(
            "{lines}\n{}, {}.\n",
            many(problems, "problem"),
            many(warnings, "warning")
        )
    }

    /// The report as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({ "ok": self.worst() != Mark::Problem, "findings": self.0 })
    }
}

fn line(one: &Finding) -> String {
    let sign = match one.mark {
        Mark::Ok => style::good("✓ ok     "),
        Mark::Warning => style::waiting("! warning"),
        Mark::Problem => style::bad("✗ problem"),
    };
    let hint = one
        .hint
        .as_ref()
        .map(|hint| format!("            {}\n", style::plain(hint)));
    format!(
        "{sign}  {}: {}\n{}",
        style::strong(one.area),
        style::plain(&one.found),
        hint.unwrap_or_default()
    )
}

fn many(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_is_readable_without_colours() {
        let mut report = Report::default();
        report.ok("database", "SQLite");
        assert_eq!(report.worst(), Mark::Ok);
        report.warning("channel C1", "shared\u{1b}[2K", "choose another");
        report.problem("bot token", "invalid_auth", "copy it again");
        assert_eq!(report.worst(), Mark::Problem);
        let plain = anstream::adapter::strip_str(&report.text()).to_string();
        insta::assert_snapshot!(plain, @r"
        ✓ ok       database: SQLite
        ! warning  channel C1: shared<U+001B>[2K
                    choose another
        ✗ problem  bot token: invalid_auth
                    copy it again

        1 problem, 1 warning.
        ");
        assert_eq!(report.json()["ok"], false);
        assert_eq!(report.json()["findings"][1]["mark"], "warning");
    }
}
