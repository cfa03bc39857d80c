//! What the longest names, ids and texts become: random ones hardly ever are as long as what Slack would refuse.

use super::fixtures::{config, later};
use super::limits::{check_message, hostile};
use crate::app::Page;
use crate::domain::audit::AuditEventKind;
use crate::domain::break_glass::{
    Bypassed, ScopeAction, Session, SessionAlert, SessionDetails, SessionEvent, SessionScope,
    SessionState, SessionStatus, UseLine,
};
use crate::domain::document::ShowPayload;
use crate::domain::id::{ClusterId, EnvironmentId, ProjectId, RequestId, SessionId};
use crate::domain::principal::Principal;
use crate::domain::request::{Grant, State};
use crate::domain::request_details::{RequestDetails, SessionSummary};
use crate::domain::target::Target;
use crate::domain::time::Span;
use crate::slack::api::channels::Audience;
use crate::slack::ui::{break_glass, card_for, details, direct, help, replies, text};
use std::collections::BTreeMap;

/// What becomes longest when it is sent.
const SIGNS: [&str; 5] = ["&", "\"", "\u{202e}", "😀", "<!channel> "];

fn long(sign: &str) -> String {
    sign.chars().cycle().take(200).collect()
}

#[test]
fn the_longest_cards_and_direct_messages_are_taken_by_slack_sl8() {
    for sign in SIGNS {
        for many in [0, 1, 3, 45] {
            for payload in [0, 100, 320, 2_000] {
                for shown in longest(&long(sign), many, payload) {
                    for audience in [Audience::Own, Audience::Shared] {
                        let card = card_for(&shown, audience);
                        check_message(&card)
                            .unwrap_or_else(|why| panic!("{sign} {many} {payload}: {why}"));
                        let size = card.body().to_string().chars().count();
                        assert!(size < 13_000, "{sign} {many} {payload}: {size}");
                    }
                    check_message(&direct::news(&shown)).expect("a direct message");
                    check_message(&replies::submitted(&shown, true)).expect("an answer");
                }
            }
        }
    }
}

/// What somebody approves they have seen the target of, to its last character.
#[test]
fn wherever_approve_stands_the_whole_target_does_sl9() {
    let mut approvable = 0;
    for sign in SIGNS {
        let release: String = long(sign).chars().skip(1).chain(['!']).collect();
        for mut shown in longest(&long(sign), 1, 10) {
            shown.request.target.release = Some(release.clone());
            let views = [
                card_for(&shown, Audience::Own).body(),
                details::details(&shown, true),
            ];
            for view in views {
                let json = view.to_string();
                if !json.contains(r#""action_id":"approve""#)
                    && !json.contains(r#""value":"approve""#)
                {
                    continue;
                }
                approvable += 1;
                let ours = [text::code(&release), text::escape(&release)];
                let said = ours.iter().any(|whole| {
                    let whole = serde_json::Value::from(whole.as_str()).to_string();
                    json.contains(whole.trim_matches('"'))
                });
                assert!(said, "{sign}: {json}");
            }
        }
    }
    assert!(approvable >= 4 * SIGNS.len(), "{approvable}");
}

#[test]
fn the_longest_alerts_are_taken_by_slack_sl8() {
    for sign in SIGNS {
        for many in [0, 1, 9, 45] {
            for alert in alerts(&long(sign), many) {
                let mentions = vec!["U0123456789".to_owned(); many * 4];
                let alert = break_glass::alert(&alert, Some(SessionStatus::Active), &mentions);
                check_message(&alert).unwrap_or_else(|why| panic!("{sign} {many}: {why}"));
                check_message(&break_glass::undeliverable(
                    "C0123456789",
                    "is_archived",
                    &alert,
                ))
                .expect("for an administrator");
            }
        }
    }
}

#[test]
fn the_longest_lists_are_taken_by_slack_sl8() {
    let config = config();
    for sign in SIGNS {
        let words = long(sign);
        let shown = longest(&words, 9, 0).remove(0);
        let page = Page {
            items: vec![shown; 50],
            next: None,
        };
        let inbox = help::inbox(&page, &"carol".into(), config.directory());
        check_message(&inbox).unwrap_or_else(|why| panic!("{sign}: {why}"));
        let sessions = vec![open_session(&words); 30];
        check_message(&break_glass::status(&sessions, &config, &"dan".into()))
            .unwrap_or_else(|why| panic!("{sign}: {why}"));
    }
}

fn open_session(words: &str) -> SessionDetails {
    let dan = Principal::Person("dan".into());
    let session = Session {
        id: SessionId::from_uuid(uuid::Uuid::from_u128(7)),
        initiator: "dan".into(),
        reason: words.repeat(20),
        scope: wide(30),
        responders: vec![dan.clone()],
        duration: Span::minutes(60),
        channel: "C1".into(),
        request: None,
        asked_at: later(0),
        state: SessionState::Active {
            from: later(0),
            until: later(60),
        },
    };
    SessionDetails {
        session,
        uses: Vec::new(),
        token_owners: Vec::new(),
        names: BTreeMap::from([(dan, words.to_owned())]),
    }
}

fn wide(many: usize) -> SessionScope {
    SessionScope {
        actions: vec![ScopeAction::Action("&".repeat(100).as_str().into()); many],
        projects: None,
        clusters: None,
        environments: None,
    }
}

/// A request with the longest of everything, in the states whose cards say most, with each of the ways to show what runs.
fn longest(words: &str, many: usize, payload: usize) -> Vec<RequestDetails> {
    let mut shown = hostile(words, many, payload);
    let id = "&".repeat(100);
    shown.request.action = id.as_str().into();
    shown.request.target = Target {
        project: Some(ProjectId::new(&id)),
        cluster: Some(ClusterId::new(&id)),
        environment: Some(EnvironmentId::new(&id)),
        release: Some(words.to_owned()),
    };
    shown.request.reason = Some(words.repeat(20));
    shown.request.submitted_by = Principal::Person("dan".into());
    shown.request.authors = vec!["bob".into(); many];
    shown.session = Some(SessionSummary {
        id: SessionId::from_uuid(uuid::Uuid::from_u128(7)),
        reason: words.repeat(20),
        initiator: words.to_owned(),
    });
    let mut hidden = shown.clone();
    hidden.request.gates[0].template.show_payload = ShowPayload::Never;
    hidden.difference = None;
    let mut short = hostile(words, many, payload);
    short.difference = None;
    let mut all = vec![shown, hidden, short];
    for shown in all.clone() {
        let mut bypassed = shown.clone();
        bypassed.bypassed.clone_from(&shown.policies);
        bypassed.request.state = State::Granted {
            grant: Grant::Bypassed,
            until: later(60),
        };
        let mut approved = shown.clone();
        approved.request.state = State::Granted {
            grant: Grant::Approved,
            until: later(60),
        };
        approved.request.decided_at = Some(later(9));
        let mut cancelled = shown.clone();
        cancelled.request.state = State::Cancelled;
        if let Some(event) = cancelled.timeline.last_mut() {
            event.what = AuditEventKind::RequestCancelled;
            event.note = Some(words.repeat(20));
        }
        all.extend([bypassed, approved, cancelled]);
    }
    all
}

/// Every alert of a session with long names and many of everything.
fn alerts(words: &str, many: usize) -> Vec<SessionAlert> {
    let line = || UseLine {
        number: 42,
        who: words.to_owned(),
        action: words.to_owned(),
        target: words.repeat(4),
        status: "bypassed".to_owned(),
    };
    let alert = |event| SessionAlert {
        session: SessionId::from_uuid(uuid::Uuid::from_u128(7)),
        initiator: words.to_owned(),
        reason: words.repeat(20),
        scope: wide(many),
        responders: vec![words.to_owned(); many * 4],
        event,
        at: later(0),
        mentioned: Vec::new(),
    };
    let bypassed = Bypassed {
        name: words.to_owned(),
        missing: vec![words.to_owned(); 3],
    };
    [
        SessionEvent::Started { until: later(60) },
        SessionEvent::Used {
            request: RequestId::from_uuid(uuid::Uuid::from_u128(42)),
            line: line(),
            bypassed: vec![bypassed; many],
            gated: vec![words.to_owned(); many],
        },
        SessionEvent::Ended {
            revoked_by: Some(words.to_owned()),
            by_initiator: false,
            from: later(0),
            at: later(60),
            uses: (0..many).map(|_| line()).collect(),
            more: many,
        },
        SessionEvent::CompletedLate {
            line: line(),
            ended_at: later(60),
        },
        SessionEvent::Reviewed {
            by: words.to_owned(),
            note: words.repeat(15),
        },
        SessionEvent::ReviewOwed {
            ended_at: later(60),
        },
    ]
    .map(alert)
    .into()
}
