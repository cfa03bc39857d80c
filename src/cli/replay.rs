//! `countersign replay`: evaluates a configuration over past requests, without changing anything.

use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::show::print_json;
use super::{output, style};
use crate::config::client::ClientArgs;
use crate::config::file::Source;
use crate::domain::replay::ReplayChange;
use crate::http::view::TargetView;
use crate::http::{ReplayView, ReplayedView};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How many requests are evaluated at most, so that a large store does not keep the server busy.
const EVALUATED_LIMIT: usize = 5_000;
/// How many requests are printed for each kind of difference.
const SHOWN: usize = 20;

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign replay -f countersign.yaml\n  countersign replay -f countersign.yaml --since 7d --json | jq '.changes[] | select(.change == \"unsatisfiable\")'\n\nExit status: 0 whatever it finds; nothing is changed."
)]
pub struct Args {
    /// The configuration file to evaluate
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// How far to look back
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Runs `countersign replay`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let source = Source::open(&args.file).map_err(|faults| CliError::Usage(faults.to_string()))?;
    // compiled here first, so that config errors have their lines
    if let Err(faults) = source.compile(0, &BTreeMap::new()) {
        return Err(CliError::Usage(faults.to_string()));
    }
    let mut all: Option<ReplayView> = None;
    loop {
        let below = all.as_ref().and_then(|all| all.next);
        let body = json!({"config": source.document(), "since": args.since, "below": below});
        let call = Call::post("/v1/replay", &body, fresh_key());
        let page: ReplayView = client.read(&call, RETRY_PERIOD).await?;
        let total = merge(&mut all, page);
        if total.next.is_none() || total.evaluated >= EVALUATED_LIMIT {
            break;
        }
        output::tell(&format!("{} requests evaluated ...", total.evaluated));
    }
    if let Some(all) = all {
        if args.json {
            print_json(&all)?;
        } else {
            output::text(&text(&all))?;
        }
    }
    Ok(ExitStatus::Done)
}

/// Adds a page to those before it.
fn merge(all: &mut Option<ReplayView>, page: ReplayView) -> &ReplayView {
    match all {
        Some(all) => {
            all.evaluated += page.evaluated;
            all.approvals_before += page.approvals_before;
            all.approvals_after += page.approvals_after;
            all.changes.extend(page.changes);
            all.next = page.next;
            all
        }
        None => all.insert(page),
    }
}

fn text(all: &ReplayView) -> String {
    let mut lines = vec![format!(
        "{} requests since {} evaluated; {} would differ. Approvals needed: {} then, {} with this file.",
        all.evaluated,
        all.since,
        all.changes.len(),
        all.approvals_before,
        all.approvals_after
    )];
    for change in ReplayChange::ALL {
        let found: Vec<&ReplayedView> = all
            .changes
            .iter()
            .filter(|one| one.change == change)
            .collect();
        if found.is_empty() {
            continue;
        }
        let head = format!("{} ({})", change.as_str(), found.len());
        lines.push(match change {
            ReplayChange::Unsatisfiable => style::bad(&head),
            _ => style::strong(&head),
        });
        lines.extend(found.iter().take(SHOWN).map(|one| line(one)));
        if found.len() > SHOWN {
            lines.push(format!(
                "  and {} more; --json has all",
                found.len() - SHOWN
            ));
        }
    }
    if all.next.is_some() {
        lines.push(format!(
            "Older requests were left out: at most {EVALUATED_LIMIT} are evaluated."
        ));
    }
    lines.join("\n") + "\n"
}

fn line(one: &ReplayedView) -> String {
    let policies = |ids: &[String]| match ids {
        [] => "no policy".to_owned(),
        ids => ids.join(", "),
    };
    let text = format!(
        "#{} {} {}: {} ({} approvals) -> {} ({} approvals)",
        one.number,
        one.action,
        place(&one.target),
        policies(&one.before.policies),
        one.before.approvals,
        policies(&one.after.policies),
        one.after.approvals
    );
    format!("  {}", style::plain(&text))
}

fn place(target: &TargetView) -> String {
    let parts = [
        &target.project,
        &target.cluster,
        &target.environment,
        &target.release,
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::GatingView;

    fn view(number: i64, change: ReplayChange, next: Option<i64>) -> ReplayView {
        let gating = |policies: &[&str], approvals| GatingView {
            policies: policies.iter().map(|id| (*id).to_owned()).collect(),
            approvals,
        };
        ReplayView {
            since: "2026-10-24T10:00:00.000Z".to_owned(),
            evaluated: 200,
            approvals_before: 10,
            approvals_after: 12,
            changes: vec![ReplayedView {
                id: "req_1".to_owned(),
                number,
                action: "release.deploy".to_owned(),
                target: TargetView {
                    project: Some("api".to_owned()),
                    cluster: None,
                    environment: Some("staging".to_owned()),
                    release: Some("v1".to_owned()),
                },
                created_at: "2026-11-23T10:00:00.000Z".to_owned(),
                change,
                before: gating(&[], 0),
                after: gating(&["gate"], 2),
            }],
            next,
        }
    }

    #[test]
    fn pages_of_a_replay_are_added_up_and_told_by_kind() {
        let mut all = None;
        merge(&mut all, view(412, ReplayChange::NewlyGated, Some(212)));
        merge(&mut all, view(7, ReplayChange::Unsatisfiable, None));
        let text = text(&all.expect("two pages"));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
