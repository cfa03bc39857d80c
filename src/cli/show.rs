//! `countersign show`: prints one request with its policies and decisions.

use super::client::{Call, Client, RETRY_PERIOD};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::progress::{decision, headline};
use super::{output, style};
use crate::app::RequestRef;
use crate::config::client::ClientArgs;
use crate::domain::content::{self, TextPayload};
use crate::http::view::{ExplanationView, PolicyView, RequestView};
use serde::Serialize;
use serde_json::json;

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  countersign show 42\n  countersign show 42 --json")]
pub struct Args {
    /// The request's number or id
    #[arg(value_parser = request_id)]
    id: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Runs `countersign show`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let view = read(&client, &args.id).await?;
    if args.json {
        print_json(&view)?;
    } else {
        output::text(&text(&view))?;
    }
    Ok(ExitStatus::Done)
}

/// Accepts a request id or number, which may become part of a URL.
pub fn request_id(text: &str) -> Result<String, String> {
    match text.parse::<RequestRef>() {
        Ok(RequestRef::Number(number)) => Ok(number.to_string()),
        Ok(RequestRef::Id(id)) => Ok(id.to_string()),
        Err(_) => Err("a request is a number such as 42, or an id such as req_01k8..".to_owned()),
    }
}

/// Reads the request as it is now.
pub async fn read(client: &Client, id: &str) -> Result<RequestView, CliError> {
    client
        .read(&Call::get(format!("/v1/requests/{id}")), RETRY_PERIOD)
        .await
}

/// Prints a value as JSON on standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| CliError::Usage(format!("this cannot be printed: {error}")))?;
    output::exact(format!("{text}\n"))?;
    Ok(())
}

/// The request as text.
pub fn text(view: &RequestView) -> String {
    let mut lines = vec![headline(view)];
    lines.push(format!("  id       {}", view.id));
    lines.push(format!("  digest   {}", style::plain(&view.digest)));
    if let Some(reason) = &view.reason {
        lines.push(format!("  reason   {}", style::plain(reason)));
    }
    lines.extend(payload(view));
    lines.push(format!("  asked    {}", view.created_at));
    let moments = [
        ("expires ", &view.expires_at),
        ("decided ", &view.decided_at),
        ("run until", &view.executable_until),
        ("outcome ", &view.outcome),
        ("replaces", &view.replaces),
        ("session ", &view.break_glass_session),
    ];
    for (name, moment) in moments {
        if let Some(moment) = moment {
            lines.push(format!("  {name} {}", style::plain(moment)));
        }
    }
    for policy in &view.bypassed_policies {
        let name = style::plain(&policy.name);
        lines.push(format!("{} {name}", style::bad("bypassed by break-glass:")));
    }
    for shown in &view.policies {
        lines.extend(policy(shown));
    }
    if !view.decisions.is_empty() {
        lines.push(style::strong("Decisions"));
        lines.extend(view.decisions.iter().map(decision));
    }
    if view.can_approve {
        let number = view.number;
        lines.push(style::waiting(&match (view.decide_on, &view.page) {
            (None, _) => format!("You can approve it: countersign approve {number}"),
            (Some(_), Some(page)) => format!("You can approve it on the web: {page}"),
            (Some(_), None) => "You can approve it on the web pages, which have no address yet: the operator sets COUNTERSIGN_PUBLIC_URL.".to_owned(),
        }));
    }
    lines.join("\n") + "\n"
}

fn payload(view: &RequestView) -> Vec<String> {
    let line = |text: &str| format!("  payload  {text}");
    let Some(payload) = &view.payload else {
        return vec![line("hidden by a policy; the digest stands for it")];
    };
    if payload.get() == "null" {
        return vec![line("none")];
    }
    let Some(TextPayload { command, text }) = TextPayload::read(payload.get()) else {
        return vec![line(&style::plain(payload.get()))];
    };
    let name = if command.is_some() {
        "input  "
    } else {
        "payload"
    };
    let kind = format!("  {name}  {}:", style::plain(&text.content_type));
    let command = command.map(|words| line(&style::plain(&json!({"command": words}).to_string())));
    let seen = content::seen(&text.text);
    let lines = seen.split('\n').map(|line| format!("    {line}"));
    command.into_iter().chain([kind]).chain(lines).collect()
}

/// One policy with its explanation tree.
pub fn policy(policy: &PolicyView) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {}",
        style::strong(&style::plain(&policy.name)),
        style::dim(&style::plain(&policy.description))
    )];
    tree(&policy.explanation, 1, &mut lines);
    lines
}

fn tree(node: &ExplanationView, depth: usize, lines: &mut Vec<String>) {
    let mark = if node.met {
        style::good("[x]")
    } else {
        style::waiting("[ ]")
    };
    lines.push(format!(
        "{}{mark} {}",
        "  ".repeat(depth),
        style::plain(&node.text)
    ));
    for child in &node.children {
        tree(child, depth + 1, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::progress::tests::view;

    #[test]
    fn a_request_for_people() {
        let text = text(&view());
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn a_text_is_read_line_by_line_b13() {
        let read = |payload: &str| {
            let payload = serde_json::value::RawValue::from_string(payload.to_owned());
            let mut view = view();
            view.payload = Some(payload.expect("JSON"));
            super::payload(&view).join("\n")
        };
        let diff = r#"{"contentType":"text/x-diff","text":"-a\n+\tb \n\u001b[2J"}"#;
        let lines = "text/x-diff:\n    -a\n    +→\tb ¶\n    \\u{1b}[2J∎";
        assert_eq!(read(diff), format!("  payload  {lines}"));
        let fed = format!(r#"{{"command":["psql"],"input":{diff}}}"#);
        let command = r#"  payload  {"command":["psql"]}"#;
        assert_eq!(read(&fed), format!("{command}\n  input    {lines}"));
    }

    #[test]
    fn invalid_ids_are_refused_before_the_server_is_called() {
        assert_eq!(request_id("#42").as_deref(), Ok("42"));
        assert_eq!(request_id("42").as_deref(), Ok("42"));
        for bad in ["", "../v1/config", "42?wait=1s", "req_1", "-1"] {
            assert!(request_id(bad).is_err(), "{bad}");
        }
    }
}
