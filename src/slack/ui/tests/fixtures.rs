//! Requests in every state, as the views are given them.

use crate::app::LoggedEvent;
use crate::domain::action::{Action, RequestType};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decision::{Decision, DecisionKind, Via};
use crate::domain::digest::content_digest;
use crate::domain::document::{
    ActionGroup, ConfigDocument, Level, PolicyTemplate, Risk, ShowPayload, SlackIdentity,
};
use crate::domain::eligibility::PeopleInvolved;
use crate::domain::id::{PersonId, RequestId};
use crate::domain::people::Person;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::Principal;
use crate::domain::progress::{Explanation, PolicyProgress};
use crate::domain::request::{Grant, Outcome, Request, State};
use crate::domain::request_details::{PersonSummary, RequestDetails, TimelineEvent};
use crate::domain::target::Target;
use crate::domain::time::{Span, Timestamp};
use crate::slack::ui::home::{self, Home, Look};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const NOW: Timestamp = Timestamp(1_763_800_000_000);

pub(super) fn later(minutes: i64) -> Timestamp {
    NOW.plus(Span::minutes(minutes))
}

fn person(name: &str, slack: &str) -> (PersonId, PersonSummary) {
    let shown = PersonSummary {
        name: name.to_owned(),
        slack: vec![SlackIdentity {
            team_id: Some("T1".to_owned()),
            enterprise_id: None,
            user_id: slack.to_owned(),
        }],
    };
    (PersonId::new(name.to_lowercase()), shown)
}

pub(super) fn template(show_payload: ShowPayload) -> PolicyTemplate {
    let template = serde_json::json!({
        "id": "production-deploys", "name": "Production deploys", "scope": "environment",
        "quorum": {"minApprovals": 2, "requiredTeamIds": ["sre"]}, "showPayload": show_payload,
    });
    serde_json::from_value(template).expect("a template")
}

pub(super) fn decision(
    by: &str,
    verdict: DecisionKind,
    comment: Option<&str>,
    at: Timestamp,
) -> Decision {
    Decision {
        by: by.into(),
        verdict,
        comment: comment.map(str::to_owned),
        teams: ["sre".into()].into(),
        roles: std::collections::BTreeSet::new(),
        at,
        via: Via::Button,
        fresh_sign_in: false,
        author_left: false,
    }
}

fn verdict(have: u32, missing: &[&str]) -> PolicyProgress {
    let leaf = |met: bool, text: &str| Explanation {
        met,
        text: text.to_owned(),
        children: Vec::new(),
    };
    let satisfied = missing.is_empty();
    PolicyProgress {
        policy: "production-deploys".into(),
        name: "Production deploys".to_owned(),
        description: "Two people, one of them from SRE, look at every deployment.".to_owned(),
        version: 3,
        satisfied,
        have,
        need: 2,
        missing: missing.iter().map(|&text| text.to_owned()).collect(),
        explanation: Explanation {
            met: satisfied,
            text: std::iter::once(format!("{have} of 2 approvals"))
                .chain(
                    missing
                        .iter()
                        .filter(|text| !text.contains("more approval"))
                        .map(|&text| text.to_owned()),
                )
                .collect::<Vec<_>>()
                .join("; "),
            children: vec![
                leaf(
                    have >= 2,
                    match have {
                        0 => "0 of 2 approvals",
                        1 => "1 of 2 approvals (Bob); one more is needed",
                        _ => "2 of 2 approvals (Bob and Carol)",
                    },
                ),
                leaf(
                    satisfied,
                    if satisfied {
                        "Carol counts for SRE"
                    } else {
                        "SRE has not approved"
                    },
                ),
            ],
        },
    }
}

fn event(at: Timestamp, what: AuditEventKind, actor: &str, note: Option<&str>) -> TimelineEvent {
    TimelineEvent {
        at,
        what,
        actor: Principal::Person(actor.into()),
        via: Via::Button,
        note: note.map(str::to_owned),
    }
}

/// Asked, and nobody has decided.
pub(super) fn pending() -> RequestDetails {
    let action = Action {
        id: "release.deploy".into(),
        name: "Release deploy".to_owned(),
        group: ActionGroup::Project,
        risk: Risk::High,
        requires: vec![Level::Project, Level::Environment],
        kind: RequestType::Release,
    };
    let target = Target {
        project: Some(crate::domain::id::ProjectId::new("api-platform")),
        cluster: None,
        environment: Some(crate::domain::id::EnvironmentId::new("production")),
        release: Some("v1.4.2".to_owned()),
    };
    let payload = r#"{"image":"api:1.4.2","replicas":3}"#.to_owned();
    let digest = content_digest(&action.id, &target, &payload);
    let alice = Principal::Person("alice".into());
    let request = Request {
        id: RequestId::from_uuid(uuid::Uuid::from_u128(42)),
        number: 42,
        version: 1,
        action: action.id.clone(),
        target,
        requester: alice.clone(),
        submitted_by: alice,
        authors: Vec::new(),
        reason: Some("hotfix for checkout".to_owned()),
        payload,
        digest,
        gates: vec![PinnedPolicy {
            version: 3,
            template: template(ShowPayload::Card),
            bound: vec!["environment production".to_owned()],
            left_out: None,
        }],
        observed: Vec::new(),
        bypassed: Vec::new(),
        session: None,
        excluded: PeopleInvolved::default(),
        state: State::Pending {
            expires_at: later(24 * 60),
        },
        created_at: NOW,
        decided_at: None,
        replaces: None,
        callback_url: None,
    };
    let people = [
        ("Alice", "U1"),
        ("Bob", "U2"),
        ("Carol", "U3"),
        ("Dan", "U4"),
    ];
    RequestDetails {
        request,
        action,
        policies: vec![verdict(0, &["2 more approvals", "SRE has not approved"])],
        observed: Vec::new(),
        bypassed: Vec::new(),
        session: None,
        decisions: Vec::new(),
        people: people
            .into_iter()
            .map(|(name, slack)| person(name, slack))
            .collect::<BTreeMap<_, _>>(),
        waiting_for: vec!["bob".into(), "carol".into()],
        waiting_more: 0,
        page: None,
        difference: None,
        timeline_truncated: false,
        timeline: vec![event(NOW, AuditEventKind::RequestCreated, "alice", None)],
    }
}

/// One of two has approved.
pub(super) fn partly() -> RequestDetails {
    let mut shown = pending();
    shown.decisions = vec![decision(
        "bob",
        DecisionKind::Approve,
        Some("looks fine"),
        later(5),
    )];
    shown.policies = vec![verdict(1, &["SRE has not approved"])];
    shown.waiting_for = vec!["carol".into()];
    let voted = event(
        later(5),
        AuditEventKind::VoteApproved,
        "bob",
        Some("looks fine"),
    );
    shown.timeline.push(voted);
    shown
}

/// The quorum is met.
pub(super) fn approved() -> RequestDetails {
    let mut shown = partly();
    shown
        .decisions
        .push(decision("carol", DecisionKind::Approve, None, later(9)));
    shown.policies = vec![verdict(2, &[])];
    shown.waiting_for = Vec::new();
    shown.request.decided_at = Some(later(9));
    shown.request.state = State::Granted {
        grant: Grant::Approved,
        until: later(69),
    };
    let carol = event(later(9), AuditEventKind::VoteApproved, "carol", None);
    shown.timeline.push(carol);
    shown.timeline.push(event(
        later(9),
        AuditEventKind::RequestApproved,
        "carol",
        None,
    ));
    shown
}

/// Every state, by name.
pub(super) fn every_state() -> Vec<(&'static str, RequestDetails)> {
    let ended = |state: State, what: AuditEventKind, actor: &str| {
        let mut shown = partly();
        shown.waiting_for = Vec::new();
        shown.request.state = state;
        shown.timeline.push(event(later(12), what, actor, None));
        shown
    };
    let mut rejected = ended(State::Rejected, AuditEventKind::RequestRejected, "carol");
    let no = decision(
        "carol",
        DecisionKind::Reject,
        Some("freeze until Monday"),
        later(12),
    );
    rejected.decisions.push(no);
    rejected.request.decided_at = Some(later(12));
    let granted = |grant| State::Granted {
        grant,
        until: later(72),
    };
    let failed = State::Completed {
        at: later(20),
        outcome: Outcome::Failed,
    };
    vec![
        ("pending", pending()),
        ("partly approved", partly()),
        ("approved", approved()),
        ("rejected", rejected),
        (
            "cancelled",
            ended(State::Cancelled, AuditEventKind::RequestCancelled, "alice"),
        ),
        (
            "expired",
            ended(State::Expired, AuditEventKind::RequestExpired, "alice"),
        ),
        (
            "allowed",
            ended(
                granted(Grant::Allowed),
                AuditEventKind::RequestAllowed,
                "alice",
            ),
        ),
        (
            "bypassed",
            ended(
                granted(Grant::Bypassed),
                AuditEventKind::RequestBypassed,
                "alice",
            ),
        ),
        (
            "executed",
            ended(
                State::Executed { at: later(20) },
                AuditEventKind::RequestExecuted,
                "alice",
            ),
        ),
        (
            "failed",
            ended(failed, AuditEventKind::RequestCompleted, "alice"),
        ),
    ]
}

/// The same request with another payload, and the digest that belongs to it.
pub(super) fn with_payload(payload: &str) -> RequestDetails {
    let mut shown = pending();
    payload.clone_into(&mut shown.request.payload);
    let request = &mut shown.request;
    request.digest = content_digest(&request.action, &request.target, payload);
    shown
}

/// Somebody of SRE, who may approve what the fixtures ask for.
pub(super) fn carol() -> Person {
    Person {
        id: "carol".into(),
        name: "Carol".to_owned(),
        email: None,
        slack: Vec::new(),
        teams: ["sre".into()].into(),
        roles: std::collections::BTreeSet::new(),
        active: true,
    }
}

/// Carol's Home tab.
pub(super) fn home_of(
    pending: &[RequestDetails],
    lately: &[RequestDetails],
    events: Option<&[LoggedEvent]>,
) -> Value {
    let config = config();
    home::home(&Home {
        notifications: &[],
        person: &carol(),
        look: &Look {
            more: true,
            ..Look::default()
        },
        pending,
        next: (!pending.is_empty()).then_some("41"),
        yours: lately,
        decided: lately,
        events,
        directory: config.directory(),
        above: &[],
    })
}

/// An event of the audit log.
pub(super) fn logged(what: AuditEventKind, actor: Principal, note: Option<&str>) -> LoggedEvent {
    LoggedEvent {
        altered: false,
        at: NOW,
        what,
        actor,
        via: Via::Button,
        prominent: matches!(
            what,
            AuditEventKind::RequestBypassed
                | AuditEventKind::SessionStarted
                | AuditEventKind::Recovered
        ),
        number: Some(42),
        note: note.map(str::to_owned),
    }
}

/// The demo's rules.
pub(super) fn config() -> CompiledConfig {
    let text = include_str!("../../../../manifests/demo.yaml");
    let document: ConfigDocument = serde_saphyr::from_str(text).expect("a document");
    CompiledConfig::compile(7, document, &BTreeMap::new()).expect("rules")
}
