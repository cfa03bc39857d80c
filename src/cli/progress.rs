//! Progress while a command waits: a terminal shows one line that is redrawn, a pipe receives one line per change.

use super::{output, style};
use crate::http::view::{DecisionView, RequestView};
use std::collections::BTreeSet;
use std::io::IsTerminal as _;

/// Prints the progress of a request on standard error.
pub struct Progress {
    terminal: bool,
    quiet: bool,
    told: Option<i64>,
    decided: BTreeSet<String>,
    drawn: bool,
}

impl Progress {
    /// Picks the form that standard error supports; `quiet` prints nothing.
    pub fn new(quiet: bool) -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            quiet,
            told: None,
            decided: BTreeSet::new(),
            drawn: false,
        }
    }

    /// Prints what has changed since the last call.
    pub fn tell(&mut self, view: &RequestView) {
        if self.quiet || self.told == Some(view.version) {
            return;
        }
        let first = self.told.is_none();
        // compared by approver: the order of simultaneous decisions may change when another one arrives
        let mut fresh = view.decisions.clone();
        fresh.retain(|decision| self.decided.insert(decision.approver.id.clone()));
        let lines = if self.terminal {
            let mut lines = Vec::new();
            if first {
                lines.push(headline(view));
            }
            lines.extend(fresh.iter().map(decision));
            lines
        } else {
            vec![change(view, &fresh, first)]
        };
        self.clear();
        for line in lines {
            output::tell(&line);
        }
        self.told = Some(view.version);
        if self.terminal && view.status == "pending" {
            output::draw(&style::dim(&format!("  waiting: {}", missing(view))));
            self.drawn = true;
        }
    }

    /// Prints a further line.
    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.clear();
            output::tell(&style::dim(text));
        }
    }

    /// Erases the redrawn line, so that other output can follow.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            output::draw("\r\u{1b}[2K");
        }
    }
}

/// One line that describes the request: `#42 release.deploy api / production (High), for Alice`.
pub fn headline(view: &RequestView) -> String {
    let target = target(view);
    let on = if target.is_empty() {
        String::new()
    } else {
        format!(" {target}")
    };
    format!(
        "{} {}{on} ({}), for {}: {}",
        style::strong(&format!("#{}", view.number)),
        style::plain(&view.action),
        style::plain(&view.risk),
        style::plain(&view.requester.name),
        style::status(&view.status),
    )
}

/// The target as one text: `api / production`.
pub fn target(view: &RequestView) -> String {
    let target = &view.target;
    let parts = [
        &target.project,
        &target.cluster,
        &target.environment,
        &target.release,
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .map(|part| style::plain(part))
        .collect();
    parts.join(" / ")
}

/// One decision: `approved by Bob: looks right`.
pub fn decision(decision: &DecisionView) -> String {
    let verdict = match decision.verdict.as_str() {
        "approve" => style::good("approved"),
        "reject" => style::bad("rejected"),
        other => style::plain(other),
    };
    let comment = decision.comment.as_deref().map(style::plain);
    let comment = comment.map_or_else(String::new, |text| format!(": {text}"));
    let name = style::plain(&decision.approver.name);
    format!("  {verdict} by {name}{comment}")
}

/// What is missing, as text.
pub fn missing(view: &RequestView) -> String {
    let open = view.policies.iter().filter(|policy| !policy.satisfied);
    let parts: Vec<String> = open
        .map(|policy| {
            let (have, need) = (policy.approvals.have, policy.approvals.need);
            let missing = style::plain(&policy.missing.join(", "));
            let name = style::plain(&policy.name);
            format!("{name} has {have} of {need} ({missing})")
        })
        .collect();
    if parts.is_empty() {
        "nothing".to_owned()
    } else {
        parts.join("; ")
    }
}

/// One change as one line, for logs.
fn change(view: &RequestView, fresh: &[DecisionView], first: bool) -> String {
    let mut parts = vec![if first {
        headline(view)
    } else {
        format!("#{} {}", view.number, style::status(&view.status))
    }];
    parts.extend(
        fresh
            .iter()
            .map(|one| decision(one).trim_start().to_owned()),
    );
    if view.status == "pending" {
        parts.push(format!("missing: {}", missing(view)));
    }
    parts.join("; ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::decision::Via;
    use crate::domain::people::Directory;
    use crate::domain::principal::Caller;
    use crate::http::view::{Viewer, tests::shown};

    pub(crate) fn view() -> RequestView {
        let caller = Caller::person("alice".into(), Via::Api);
        let viewer = Viewer {
            caller: &caller,
            directory: &Directory::default(),
        };
        RequestView::of(&shown(), viewer).expect("the fixture is consistent")
    }

    fn bare(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_change_is_one_line() {
        let view = view();
        assert_eq!(
            bare(&change(&view, &view.decisions, true)),
            "#42 release.deploy api / production (High), for Alice: pending; approved by Bob: looks right; \
             missing: Two People has 1 of 2 (one more approval)"
        );
        assert_eq!(
            bare(&change(&view, &[], false)),
            "#42 pending; missing: Two People has 1 of 2 (one more approval)"
        );
    }

    #[test]
    fn comment_with_newlines_stays_on_one_line() {
        let mut view = view();
        view.decisions[0].comment = Some("no\n#42 approved".to_owned());
        assert_eq!(change(&view, &view.decisions, false).lines().count(), 1);
    }
}
