//! Answers to the words of `/approval` that only ask.

use super::text::{any_of, code, cut, escape, name};
use super::{Message, blocks, phrases};
use crate::app::{Explained, Page};
use crate::domain::id::PersonId;
use crate::domain::people::Directory;
use crate::slack::inbound::command::ParseError;

/// So many policies that do not apply are named.
const OTHERS: usize = 20;

/// Four examples to copy, then the rest.
pub fn help() -> Message {
    let lines = [
        "*Ask, decide, look*; copy one of these:".to_owned(),
        "`/approval request release.deploy project=api-platform env=production release=v1.4.2 reason=\"hotfix for checkout\"`".to_owned(),
        "`/approval inbox`".to_owned(),
        "`/approval approve 42 looks fine`".to_owned(),
        "`/approval explain release.deploy project=api-platform env=production`".to_owned(),
        "Also: `inbox TYPE` (release, promotion, rollback, project, cluster, security), `show N`, `reject N why`, `cancel N`, `policies`, `stats 7d` (how long requests wait), `stale` (what waits too long), `notify needed` (your notifications), `away until=2026-12-24 delegate=bob`, `back`, `audit` (for administrators), `help`. `request` alone opens a form. `request` and `explain` take project, cluster, env, release, reason and payload in any order; quote what has spaces.".to_owned(),
    ];
    let text = "You can type /approval with one of these words: request, inbox, show, approve, reject, cancel, explain, policies, stats, stale, notify, away, back, audit, help.";
    Message {
        text: text.to_owned(),
        blocks: vec![blocks::section(&lines.join("\n"))],
    }
}

/// A command that was not understood: why, and what was typed, so that it can be corrected.
pub fn misread(misread: &ParseError, typed: &str) -> Message {
    let typed = code(&cut(&format!("/approval {typed}"), 300));
    Message::plain(format!(
        "Nothing was done. {}\nYou wrote {typed}. {} shows examples.",
        escape(&misread.0),
        code("/approval help")
    ))
}

/// What `/breakglass` takes.
pub fn break_glass() -> Message {
    let lines = [
        "*For emergencies alone*; everything is announced, recorded and reviewed. Copy one of these:".to_owned(),
        "`/breakglass start`".to_owned(),
        "`/breakglass start actions=cluster.restart,cluster.rollback cluster=prod-eu-1 for=1h reason=\"checkout is down\"`".to_owned(),
        "`/breakglass status`".to_owned(),
        "`/breakglass revoke`".to_owned(),
        "`start` takes actions (ids, or the groups `cluster` and `project`), cluster, env, project, for, responders and reason in any order, several with commas between them; what is missing is asked in a form. `revoke` ends your session early.".to_owned(),
    ];
    Message {
        text: "You can type /breakglass with one of these words: start, status, revoke, help."
            .to_owned(),
        blocks: vec![blocks::section(&lines.join("\n"))],
    }
}

/// A `/breakglass` command that was not understood.
pub fn misread_break_glass(misread: &ParseError, typed: &str) -> Message {
    let typed = code(&cut(&format!("/breakglass {typed}"), 300));
    Message::plain(format!(
        "Nothing was done. {}\nYou wrote {typed}. {} shows examples.",
        escape(&misread.0),
        code("/breakglass help")
    ))
}

/// What waits, with a mark on what this person could approve.
pub fn inbox(page: &Page, person: &PersonId, directory: &Directory) -> Message {
    if page.items.is_empty() {
        return Message::plain("No request waits for a decision.");
    }
    let lines: Vec<String> = page
        .items
        .iter()
        .map(|shown| {
            let waits = shown.waits_for(person, directory);
            let mark = if waits { " · *you can approve*" } else { "" };
            format!("{}{mark}", phrases::list_line(shown))
        })
        .collect();
    let mut blocks = blocks::packed(&lines, blocks::MESSAGE_BYTES);
    let more = if page.next.is_some() {
        "The newest ones; there are more. "
    } else {
        ""
    };
    let hint = format!(
        "{more}{} shows one with its buttons.",
        code("/approval show N")
    );
    blocks.push(blocks::context(&[hint]));
    Message {
        text: match page.items.len() {
            1 => "One request waits for a decision.".to_owned(),
            many => format!("{many} requests wait for a decision."),
        },
        blocks,
    }
}

/// The outcome in one sentence.
fn headline(explained: &Explained) -> &'static str {
    if !explained.violations.is_empty() {
        "The request would be refused."
    } else if explained.gates.is_empty() {
        "The request would be allowed at once."
    } else {
        "The request would wait for approvals."
    }
}

/// What would happen to a submission.
pub fn explained(explained: &Explained, directory: &Directory) -> Message {
    let names = |ids: &[PersonId]| -> String {
        let name = |id: &PersonId| {
            let person = directory.person(id);
            name(person.map_or(id.as_str(), |person| &person.name))
        };
        any_of(&ids.iter().map(name).collect::<Vec<_>>(), 10)
    };
    let mut lines: Vec<String> = explained
        .violations
        .iter()
        .map(|violation| format!("It would be refused: {}", escape(&violation.message)))
        .collect();
    if !explained.gates.is_empty() {
        lines.push("*Gated* by:".to_owned());
        let both = explained.policies.iter().zip(&explained.because);
        lines.extend(both.map(|(policy, because)| {
            let line = phrases::policy_line(policy);
            format!("{line}\n      It applies: it {}", escape(&because.why))
        }));
        lines.push(format!(
            "Who could approve: {}.",
            names(&explained.eligible)
        ));
        let smallest: Vec<String> = explained
            .smallest_set
            .iter()
            .map(|id| names(std::slice::from_ref(id)))
            .collect();
        if !smallest.is_empty() {
            lines.push(format!(
                "Smallest set of approvers: {}.",
                smallest.join(" and ")
            ));
        }
    } else if explained.violations.is_empty() {
        lines.push("*Not gated*: it would be allowed at once.".to_owned());
    }
    lines.extend(explained.observed_because.iter().take(OTHERS).map(|tried| {
        format!(
            "{} is in observe mode and gates nothing; it {}",
            name(&tried.name),
            escape(&tried.why)
        )
    }));
    lines.extend(explained.others.iter().take(OTHERS).map(|other| {
        format!(
            "{} does not apply: it {}",
            name(&other.name),
            escape(&other.why)
        )
    }));
    if explained.others.len() > OTHERS {
        let more = explained.others.len() - OTHERS;
        lines.push(format!("{more} more policies do not apply."));
    }
    Message {
        text: headline(explained).to_owned(),
        blocks: blocks::packed(&lines, blocks::MESSAGE_BYTES),
    }
}
