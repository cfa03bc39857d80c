//! `countersign explain`: predicts what a request would need, without creating it.

use super::ask::Ask;
use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::show::{policy, print_json};
use super::{output, style};
use crate::config::client::ClientArgs;
use crate::domain::conditions;
use crate::domain::document::Conditions;
use crate::http::view::Who;
use crate::http::{ExplainedView, GatingPolicy};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign explain release.deploy --project api-platform --env production\n\nExit status: 0 it could be asked; 5 it breaks rules, which are told."
)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// Print the response as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Runs `countersign explain`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let body = args.ask.on.body(&args.ask.action, None)?;
    let call = Call::post("/v1/explain", &body, fresh_key());
    let explained: ExplainedView = client.read(&call, RETRY_PERIOD).await?;
    if args.json {
        print_json(&explained)?;
    } else {
        output::text(&text(&explained))?;
    }
    Ok(if explained.violations.is_empty() {
        ExitStatus::Done
    } else {
        ExitStatus::Violations
    })
}

fn text(explained: &ExplainedView) -> String {
    let mut lines = Vec::new();
    for broken in &explained.violations {
        lines.push(format!(
            "{}: {}",
            style::bad("broken rule"),
            style::plain(&broken.message)
        ));
    }
    if explained.violations.is_empty() && !explained.gated {
        lines.push(style::good(
            "No policy gates it: it would be allowed at once.",
        ));
    }
    for gate in &explained.policies {
        lines.extend(applying(gate, "It applies"));
    }
    if !explained.policies.is_empty() {
        lines.push(format!("Could approve: {}", names(&explained.eligible)));
        lines.push(format!(
            "Smallest set of approvers: {}",
            names(&explained.smallest_set)
        ));
    }
    for tried in &explained.observed {
        lines.extend(applying(tried, "Only tried out, gates nothing"));
    }
    for other in &explained.others {
        let text = format!("{} does not apply: it {}", other.name, other.why);
        lines.push(style::dim(&style::plain(&text)));
        lines.extend(week(other.hours.as_ref()));
    }
    lines.join("\n") + "\n"
}

fn applying(gate: &GatingPolicy, head: &str) -> Vec<String> {
    let mut lines = policy(&gate.policy);
    lines.insert(1, format!("  {head}: it {}", style::plain(&gate.why)));
    lines.extend(week(gate.hours.as_ref()));
    lines
}

/// The hours in which a policy gates, drawn as a week.
fn week(hours: Option<&Conditions>) -> Vec<String> {
    let picture = hours.map(conditions::week_picture).unwrap_or_default();
    let lines = picture.lines();
    lines
        .map(|line| format!("  {}", style::plain(line)))
        .collect()
}

fn names(people: &[Who]) -> String {
    if people.is_empty() {
        return "nobody".to_owned();
    }
    let names: Vec<String> = people.iter().map(|who| style::plain(&who.name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::progress::tests::view;
    use crate::http::OtherPolicy;

    #[test]
    fn an_explanation_for_people() {
        let alice = Who {
            id: "alice".to_owned(),
            name: "Alice".to_owned(),
        };
        let explained = ExplainedView {
            gated: true,
            policies: vec![GatingPolicy {
                policy: view().policies.remove(0),
                why: "is bound to environment production".to_owned(),
                hours: None,
            }],
            observed: Vec::new(),
            others: vec![OtherPolicy {
                id: "night".to_owned(),
                name: "Night".to_owned(),
                why: "is outside its hours; it applies again from Monday 2026-01-05 22:00 (UTC)"
                    .to_owned(),
                hours: Some(Conditions {
                    start_hour: Some(22),
                    end_hour: Some(6),
                    timezone: Some("UTC".to_owned()),
                    ..Conditions::default()
                }),
            }],
            eligible: vec![alice],
            smallest_set: Vec::new(),
            violations: Vec::new(),
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&explained)).to_string());
    }
}
