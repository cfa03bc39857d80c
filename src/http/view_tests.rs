//! A request in the middle of its life, and what is shown of it to whom.

use super::*;
use crate::domain::action::{Action, RequestType};
use crate::domain::audit::AuditEventKind;
use crate::domain::decision::{Decision, DecisionKind, Via};
use crate::domain::digest::content_digest;
use crate::domain::document::ShowPayload;
use crate::domain::document::{ActionGroup, Risk};
use crate::domain::eligibility::{Involvement, PeopleInvolved};
use crate::domain::id::{PersonId, RequestId};
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::request_details::{PersonSummary, TimelineEvent};
use crate::domain::target::Target;
use std::collections::{BTreeMap, BTreeSet};

const ASKED: Timestamp = Timestamp(1_790_000_000_000);

fn gate() -> PinnedPolicy {
    let template = r#"{"id": "two-people", "name": "Two People", "description": "No change alone",
        "scope": "environment", "approvers": "anyone", "quorum": {"minApprovals": 2}}"#;
    PinnedPolicy {
        version: 3,
        template: serde_json::from_str(template).expect("a template"),
        bound: vec!["environment production".to_owned()],
        left_out: None,
    }
}

fn policy() -> PolicyProgress {
    let leaf = |met, text: &str| Explanation {
        met,
        text: text.to_owned(),
        children: Vec::new(),
    };
    PolicyProgress {
        policy: "two-people".into(),
        name: "Two People".to_owned(),
        description: "No change alone".to_owned(),
        version: 3,
        satisfied: false,
        have: 1,
        need: 2,
        missing: vec!["one more approval".to_owned()],
        explanation: Explanation {
            met: false,
            text: "all of".to_owned(),
            children: vec![leaf(false, "1 of 2 approvals")],
        },
    }
}

fn names() -> BTreeMap<PersonId, PersonSummary> {
    ["alice", "bob"]
        .map(|id| {
            let name = format!("{}{}", id[..1].to_uppercase(), &id[1..]);
            (
                id.into(),
                PersonSummary {
                    name,
                    slack: Vec::new(),
                },
            )
        })
        .into()
}

fn request() -> Request {
    let target = Target {
        project: Some("api".into()),
        environment: Some("production".into()),
        ..Target::default()
    };
    let payload = r#"{"command":["deploy","--all"]}"#;
    Request {
        id: RequestId::from_uuid(uuid::Uuid::from_u128(42)),
        number: 42,
        version: 2,
        digest: content_digest(&"release.deploy".into(), &target, payload),
        action: "release.deploy".into(),
        target,
        requester: Principal::Person("alice".into()),
        submitted_by: Principal::Service("ci".into()),
        authors: vec!["alice".into()],
        reason: Some("fixes the login".to_owned()),
        payload: payload.to_owned(),
        gates: vec![gate()],
        observed: Vec::new(),
        bypassed: Vec::new(),
        session: None,
        excluded: PeopleInvolved(BTreeMap::from([("alice".into(), Involvement::Requester)])),
        state: State::Pending {
            expires_at: Timestamp(ASKED.0 + 86_400_000),
        },
        created_at: ASKED,
        decided_at: None,
        replaces: None,
        callback_url: None,
    }
}

/// A pending request of Alice's that `ci` submitted and Bob approved.
pub(crate) fn shown() -> RequestDetails {
    let bob: PersonId = "bob".into();
    let later = Timestamp(ASKED.0 + 60_000);
    let event = |at, what, actor, via, note: Option<&str>| TimelineEvent {
        at,
        what,
        actor,
        via,
        note: note.map(str::to_owned),
    };
    RequestDetails {
        request: request(),
        action: Action {
            id: "release.deploy".into(),
            name: "Release Deploy".to_owned(),
            group: ActionGroup::Project,
            risk: Risk::High,
            requires: Vec::new(),
            kind: RequestType::Release,
        },
        policies: vec![policy()],
        observed: Vec::new(),
        bypassed: Vec::new(),
        session: None,
        decisions: vec![Decision {
            by: bob.clone(),
            verdict: DecisionKind::Approve,
            comment: Some("looks right".to_owned()),
            teams: BTreeSet::new(),
            roles: BTreeSet::new(),
            at: later,
            via: Via::Button,
            fresh_sign_in: false,
            author_left: false,
        }],
        people: names(),
        waiting_for: Vec::new(),
        waiting_more: 0,
        page: None,
        difference: None,
        timeline_truncated: false,
        timeline: vec![
            event(
                ASKED,
                AuditEventKind::RequestCreated,
                Principal::Service("ci".into()),
                Via::Api,
                None,
            ),
            event(
                later,
                AuditEventKind::VoteApproved,
                Principal::Person(bob),
                Via::Button,
                Some("looks right"),
            ),
        ],
    }
}

fn seen_by(shown: &RequestDetails, principal: Principal) -> RequestView {
    let caller = Caller {
        principal,
        owners: Vec::new(),
        acts_for_others: false,
        via: Via::Api,
    };
    let viewer = Viewer {
        caller: &caller,
        directory: &Directory::default(),
    };
    RequestView::of(shown, viewer).expect("the fixture's payload is JSON")
}

#[test]
fn a_request_reads_as_designed() {
    let view = seen_by(&shown(), Principal::Service("ci".into()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&view).expect("JSON"));
}

#[test]
fn a_view_reads_back() {
    let view = seen_by(&shown(), Principal::Service("ci".into()));
    let text = serde_json::to_string(&view).expect("JSON");
    let again: RequestView = serde_json::from_str(&text).expect("its own JSON");
    assert_eq!(serde_json::to_string(&again).expect("JSON"), text);
}

/// Whatever the rows of a list have, and whoever reads it.
#[test]
fn a_list_has_no_payload_r16() {
    let shown = shown();
    for reader in ["alice", "bob"] {
        let caller = Caller {
            principal: Principal::Person(reader.into()),
            ..Caller::bot()
        };
        let viewer = Viewer {
            caller: &caller,
            directory: &Directory::default(),
        };
        assert!(RequestView::of(&shown, viewer).is_ok_and(|view| view.payload.is_some()));
        assert!(RequestView::in_list(&shown, viewer).payload.is_none());
    }
}

#[test]
fn hidden_payload_is_returned_to_the_requester_only() {
    let mut shown = shown();
    shown.request.gates[0].template.show_payload = ShowPayload::Never;
    for principal in [
        Principal::Person("alice".into()),
        Principal::Service("ci".into()),
    ] {
        assert!(seen_by(&shown, principal).payload.is_some());
    }
    for principal in [
        Principal::Person("bob".into()),
        Principal::Service("other".into()),
        // a service that is called like the requester is somebody else
        Principal::Service("alice".into()),
    ] {
        let view = seen_by(&shown, principal);
        assert!(view.payload.is_none());
        assert!(
            !serde_json::to_string(&view)
                .expect("JSON")
                .contains("--all")
        );
    }
}

#[test]
fn what_is_bypassed_may_hide_the_payload_too() {
    let mut shown = shown();
    shown.request.bypassed = std::mem::take(&mut shown.request.gates);
    shown.bypassed = std::mem::take(&mut shown.policies);
    shown.request.bypassed[0].template.show_payload = ShowPayload::Never;
    let view = seen_by(&shown, Principal::Person("bob".into()));
    assert!(view.payload.is_none());
    assert_eq!(view.bypassed_policies[0].id, "two-people");
}

#[test]
fn the_moments_of_each_state() {
    let mut shown = shown();
    let at = Timestamp(5);
    let view = |shown: &RequestDetails| seen_by(shown, Principal::Bot);
    assert!(view(&shown).expires_at.is_some() && view(&shown).executable_until.is_none());
    shown.request.state = State::Granted {
        grant: crate::domain::request::Grant::Approved,
        until: at,
    };
    assert_eq!(view(&shown).executable_until, Some(at.rfc3339()));
    assert_eq!(view(&shown).expires_at, None);
    shown.request.state = State::Completed {
        at,
        outcome: Outcome::Failed,
    };
    assert_eq!(view(&shown).outcome.as_deref(), Some("failed"));
}

#[test]
fn unreadable_stored_payload_is_an_internal_error() {
    let mut shown = shown();
    shown.request.payload = "{".to_owned();
    let caller = Caller::person("alice".into(), Via::Api);
    let viewer = Viewer {
        caller: &caller,
        directory: &Directory::default(),
    };
    assert!(RequestView::of(&shown, viewer).is_err());
}
