use super::*;
use crate::app::AppError;
use crate::domain::refusal::Refusal;
use crate::slack::inbound::installation::example;
use crate::slack::inbound::parse;

const KINDS: [&str; 5] = [
    "block_actions",
    "view_submission",
    "view_closed",
    "shortcut",
    "message_action",
];

fn refused(inbound: &Inbound) -> String {
    let home = example();
    admit(Some(&home), inbound.origin()).map_or_else(|reply| reply.text, |_| "admitted".to_owned())
}

fn interaction(kind: &str, app: &str, team: &str) -> Inbound {
    let json = format!(
        r#"{{"type":"{kind}","api_app_id":"{app}","user":{{"id":"U1","team_id":"{team}"}},"team":{{"id":"T1"}}}}"#
    );
    Inbound::from_interaction(&json).expect("an interaction")
}

#[test]
fn another_app_or_workspace_is_refused_on_every_kind_b45() {
    let command = |app: &str, team: &str| {
        let body = format!("command=%2Fapproval&user_id=U1&team_id={team}&api_app_id={app}");
        parse("application/x-www-form-urlencoded", body.as_bytes()).expect("a command")
    };
    let event = |app: &str, team: &str| {
        let json = format!(
            r#"{{"type":"event_callback","team_id":"{team}","api_app_id":"{app}","event":{{"type":"user_change"}}}}"#
        );
        Inbound::from_event(&json).expect("an event")
    };
    let all = |app: &str, team: &str| {
        let mut all: Vec<Inbound> = KINDS.map(|kind| interaction(kind, app, team)).to_vec();
        all.extend([command(app, team), event(app, team)]);
        all
    };
    for inbound in all("A1", "T1") {
        assert_eq!(refused(&inbound), "admitted", "{inbound:?}");
    }
    for inbound in all("A2", "T1") {
        assert!(refused(&inbound).contains("another app"), "{inbound:?}");
    }
    for inbound in all("A1", "T2") {
        let reply = refused(&inbound);
        assert!(
            reply.starts_with("You are not an eligible approver"),
            "{reply}"
        );
        assert!(reply.contains("its own workspace only"), "{reply}");
    }
}

/// While the own app id has never been learnt, interactions are refused (docs/decisions.md D36).
#[test]
fn deliveries_are_refused_until_the_installation_is_known() {
    let click = interaction("block_actions", "A1", "T1");
    let reply = admit(None, click.origin()).err().map(|reply| reply.text);
    assert!(reply.is_some_and(|reply| reply.contains("has not done this")));
}

#[test]
fn failures_never_read_as_success() {
    assert_eq!(Reply::from(AppError::Busy), Reply::Again);
    let broken = Reply::from(AppError::Internal("the disk is full".to_owned()));
    let Reply::Answer(message) = broken else {
        panic!("{broken:?}");
    };
    assert!(!message.text.contains("disk"), "{}", message.text);
    let no = Reply::from(AppError::Refused(Refusal::AlreadyReviewed));
    let Reply::Answer(message) = no else {
        panic!("{no:?}");
    };
    assert!(
        message.text.starts_with("Already reviewed. "),
        "{}",
        message.text
    );
}
