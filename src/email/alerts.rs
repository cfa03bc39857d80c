//! What e-mails say about break-glass sessions, when Slack does not take the alert.

use super::letter::{Letter, name};
use crate::domain::break_glass::{SessionAlert, SessionEvent, UseLine};

const WHY: &str = "You receive it because Slack has not taken the alert. Break-glass alerts cannot be switched off.";
/// Uses that are listed before the rest becomes a number.
const USES_SHOWN: usize = 10;

/// A break-glass alert.
pub fn alert(alert: &SessionAlert) -> Letter {
    let initiator = name(&alert.initiator);
    let said = match &alert.event {
        SessionEvent::Started { until } => {
            format!(
                "{initiator} has started a session, until {}",
                until.utc_minute()
            )
        }
        SessionEvent::Used { line, .. } => format!("{} bypassed policies", use_line(line)),
        SessionEvent::Ended {
            revoked_by: Some(who),
            by_initiator: false,
            ..
        } => format!("{} has ended the session of {initiator}", name(who)),
        SessionEvent::Ended {
            revoked_by: Some(_),
            ..
        } => format!("{initiator} has ended their session"),
        SessionEvent::Ended { .. } => format!("the session of {initiator} is over"),
        SessionEvent::CompletedLate { line, ended_at } => format!(
            "{} was completed after its session had ended at {}",
            use_line(line),
            ended_at.utc_minute()
        ),
        SessionEvent::Reviewed { by, .. } => {
            format!("{} has reviewed the session of {initiator}", name(by))
        }
        SessionEvent::ReviewOwed { ended_at } => format!(
            "nobody has reviewed the session of {initiator}, which ended at {}",
            ended_at.utc_minute()
        ),
    };
    let said = format!("Break-glass: {said}");
    let letter = Letter::new(&said, &format!("{said}."), WHY)
        .fact("At", &alert.at.utc_minute())
        .fact("Reason", &alert.reason)
        .fact("Covers", &alert.scope.to_string())
        .fact("Session", alert.session.as_str());
    with_event(letter, &alert.event).next("To see open sessions, type /breakglass status in Slack, or run: countersign break-glass list")
}

fn with_event(letter: Letter, event: &SessionEvent) -> Letter {
    match event {
        SessionEvent::Used { bypassed, .. } => {
            let bypassed = bypassed.iter().map(|policy| name(&policy.name));
            letter.fact("Bypassed", &bypassed.collect::<Vec<_>>().join("; "))
        }
        SessionEvent::Ended { uses, more, .. } => {
            let mut lines: Vec<String> = uses
                .iter()
                .take(USES_SHOWN)
                .map(|line| format!("{} ({})", use_line(line), line.status))
                .collect();
            let more = more + uses.len().saturating_sub(USES_SHOWN);
            if more > 0 {
                lines.push(format!("and {more} more"));
            }
            letter.fact("Uses", &lines.join("; "))
        }
        SessionEvent::Reviewed { note, .. } => letter.fact("Note", note),
        SessionEvent::Started { .. }
        | SessionEvent::CompletedLate { .. }
        | SessionEvent::ReviewOwed { .. } => letter,
    }
}

/// `#7 Cluster Restart on prod-eu-1 by Dan Davis`.
fn use_line(line: &UseLine) -> String {
    let place = if line.target.is_empty() {
        String::new()
    } else {
        format!(" on {}", name(&line.target))
    };
    format!(
        "#{} {}{place} by {}",
        line.number,
        name(&line.action),
        name(&line.who)
    )
}
