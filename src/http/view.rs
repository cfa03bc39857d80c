//! A request as the API shows it (docs/decisions.md D38), built from [`RequestDetails`] and nothing else.

use crate::app::AppError;
use crate::domain::document::DecideOn;
use crate::domain::people::Directory;
use crate::domain::principal::{Caller, Principal};
use crate::domain::progress::{Explanation, PolicyProgress};
use crate::domain::request::{Outcome, Request, State};
use crate::domain::request_details::RequestDetails;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Who looks.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// Who is who.
    pub directory: &'a Directory,
}

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestView {
    /// Its id.
    #[schema(example = "req_01k8f3t2v6f8j9m0p1q2r3s4t5")]
    pub id: String,
    /// Its number, `#42` on the card.
    pub number: i64,
    /// The inbox's type.
    #[serde(rename = "type")]
    #[schema(example = "release")]
    pub kind: String,
    /// The action's id.
    #[schema(example = "release.deploy")]
    pub action: String,
    /// The action's risk.
    #[schema(example = "High")]
    pub risk: String,
    /// What it is done to.
    pub target: TargetView,
    /// For whom.
    pub requester: Who,
    /// Who wrote what would run.
    pub authors: Vec<Who>,
    /// Why.
    pub reason: Option<String>,
    /// What would run. Left out in lists, and where a policy shows it only to whoever asked.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[schema(value_type = Option<serde_json::Value>)]
    pub payload: Option<Box<RawValue>>,
    /// What people approve: the SHA-256 of action, target and payload.
    pub digest: String,
    /// Where it stands.
    #[schema(example = "pending")]
    pub status: String,
    /// Counts every change.
    pub version: i64,
    /// Whether the token's person could approve it now, here or on the web.
    pub can_approve: bool,
    /// `web`: approvals count only on the web pages, soon after signing in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "web")]
    pub decide_on: Option<DecideOn>,
    /// The address of its page, if the web pages are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// How far each of its policies is.
    pub policies: Vec<PolicyView>,
    /// The decisions, oldest first.
    pub decisions: Vec<DecisionView>,
    /// When it was asked.
    pub created_at: String,
    /// Until when it waits for decisions, while it does.
    pub expires_at: Option<String>,
    /// When it was decided.
    pub decided_at: Option<String>,
    /// Until when it may be executed, while it may.
    pub executable_until: Option<String>,
    /// How the execution ended, once that is reported: `succeeded` or `failed`.
    pub outcome: Option<String>,
    /// The request that this one replaces.
    pub replaces: Option<String>,
    /// The break-glass session that bypassed policies.
    pub break_glass_session: Option<String>,
    /// The policies it bypassed.
    pub bypassed_policies: Vec<PolicyName>,
    /// What happened, oldest first: the first event and the latest 199 (in lists, 49).
    pub timeline: Vec<EventView>,
    /// Whether events between the first and the others are left out; the audit log has all of them.
    #[serde(default)]
    pub timeline_truncated: bool,
}

/// What an action is done to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    pub project: Option<String>,
    pub cluster: Option<String>,
    pub environment: Option<String>,
    pub release: Option<String>,
}

/// A person by their id, or `service:ci`, `operator`, `bot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Who {
    /// The id.
    pub id: String,
    /// The name that is shown.
    pub name: String,
}

/// A policy by its name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyName {
    /// The policy's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The pinned version.
    pub version: i64,
    /// What was missing from it.
    #[serde(default)]
    pub missing: Vec<String>,
}

/// How far one policy is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// The policy's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it protects and why.
    pub description: String,
    /// The pinned version.
    pub version: i64,
    /// Whether it is satisfied.
    pub satisfied: bool,
    /// How many approvals count, and how many are needed.
    pub approvals: Approvals,
    /// What is missing, in words.
    pub missing: Vec<String>,
    /// The whole tree.
    pub explanation: ExplanationView,
}

/// How many approvals count, and how many are needed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Approvals {
    /// Approvals that count.
    pub have: u32,
    /// Approvals that are needed.
    pub need: u32,
}

/// One node of the tree that explains a policy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExplanationView {
    /// Whether this part is met.
    pub met: bool,
    /// In words.
    #[schema(example = "1 of 2 approvals")]
    pub text: String,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub children: Vec<ExplanationView>,
}

/// A decision.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// Who decided.
    pub approver: Who,
    /// `approve` or `reject`.
    pub verdict: String,
    /// In their own words.
    pub comment: Option<String>,
    /// When.
    pub at: String,
    /// The interface it came through, such as `button` or `api`.
    pub via: String,
}

/// One line of the timeline.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// When.
    pub at: String,
    /// What happened.
    #[schema(example = "request.created")]
    pub event: String,
    /// Who did it.
    pub actor: Who,
    /// The interface it came through.
    pub via: String,
    /// A comment or message, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl RequestView {
    /// A request as `viewer` may see it.
    pub fn of(shown: &RequestDetails, viewer: Viewer<'_>) -> Result<Self, AppError> {
        let mut view = Self::in_list(shown, viewer);
        if shown.request.shows_payload_to(&viewer.caller.principal) {
            view.payload = Some(raw(&shown.request.payload)?);
        }
        Ok(view)
    }

    /// The same without its payload, for lists: 100 payloads have up to 100 MiB.
    pub fn in_list(shown: &RequestDetails, viewer: Viewer<'_>) -> Self {
        let request = &shown.request;
        let (expires_at, executable_until, outcome) = moments(&request.state);
        Self {
            id: request.id.to_string(),
            number: request.number,
            kind: shown.action.kind.as_str().to_owned(),
            action: request.action.as_str().to_owned(),
            risk: word(shown.action.risk),
            target: target(request),
            requester: principal(shown, &request.requester),
            authors: request.authors.iter().map(|id| person(shown, id)).collect(),
            reason: request.reason.clone(),
            payload: None,
            digest: request.digest.to_string(),
            status: request.state.status().as_str().to_owned(),
            version: request.version,
            can_approve: (viewer.caller.principal.person())
                .is_some_and(|id| shown.takes_decision_of(id, viewer.directory)),
            decide_on: request.web_only().map(|_| DecideOn::Web),
            page: shown.page.clone(),
            policies: shown.policies.iter().map(PolicyView::of).collect(),
            decisions: decisions(shown),
            created_at: request.created_at.rfc3339(),
            expires_at: expires_at.map(Timestamp::rfc3339),
            decided_at: request.decided_at.map(Timestamp::rfc3339),
            executable_until: executable_until.map(Timestamp::rfc3339),
            outcome: outcome.map(word),
            replaces: request.replaces.as_ref().map(ToString::to_string),
            break_glass_session: request.session.as_ref().map(ToString::to_string),
            bypassed_policies: bypassed(shown),
            timeline: timeline(shown),
            timeline_truncated: shown.timeline_truncated,
        }
    }
}

impl PolicyView {
    /// A verdict as it is shown.
    pub fn of(verdict: &PolicyProgress) -> Self {
        Self {
            id: verdict.policy.as_str().to_owned(),
            name: verdict.name.clone(),
            description: verdict.description.clone(),
            version: verdict.version,
            satisfied: verdict.satisfied,
            approvals: Approvals {
                have: verdict.have,
                need: verdict.need,
            },
            missing: verdict.missing.clone(),
            explanation: ExplanationView::of(&verdict.explanation),
        }
    }
}

impl ExplanationView {
    fn of(node: &Explanation) -> Self {
        Self {
            met: node.met,
            text: node.text.clone(),
            children: node.children.iter().map(Self::of).collect(),
        }
    }
}

/// `null` is a payload; only a field that is left out is none.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

pub(super) fn raw(canonical: &str) -> Result<Box<RawValue>, AppError> {
    RawValue::from_string(canonical.to_owned())
        .map_err(|error| AppError::Internal(format!("a stored payload is no JSON: {error}")))
}

/// The word by which a value is written in JSON.
pub(super) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

type Moments = (Option<Timestamp>, Option<Timestamp>, Option<Outcome>);

fn moments(state: &State) -> Moments {
    match state {
        State::Pending { expires_at } => (Some(*expires_at), None, None),
        State::Granted { until, .. } => (None, Some(*until), None),
        State::Completed { outcome, .. } => (None, None, Some(*outcome)),
        State::Rejected | State::Cancelled | State::Expired | State::Executed { .. } => {
            (None, None, None)
        }
    }
}

pub(super) fn target(request: &Request) -> TargetView {
    let target = &request.target;
    TargetView {
        project: target.project.as_ref().map(ToString::to_string),
        cluster: target.cluster.as_ref().map(ToString::to_string),
        environment: target.environment.as_ref().map(ToString::to_string),
        release: target.release.clone(),
    }
}

fn person(shown: &RequestDetails, id: &crate::domain::id::PersonId) -> Who {
    Who {
        id: id.as_str().to_owned(),
        name: shown.name(id).to_owned(),
    }
}

fn principal(shown: &RequestDetails, principal: &Principal) -> Who {
    Who {
        id: match principal {
            Principal::Person(id) => id.as_str().to_owned(),
            other => other.to_string(),
        },
        name: shown.principal_name(principal).to_owned(),
    }
}

fn decisions(shown: &RequestDetails) -> Vec<DecisionView> {
    let view = |decision: &crate::domain::decision::Decision| DecisionView {
        approver: person(shown, &decision.by),
        verdict: word(decision.verdict),
        comment: decision.comment.clone(),
        at: decision.at.rfc3339(),
        via: word(decision.via),
    };
    shown.decisions.iter().map(view).collect()
}

fn bypassed(shown: &RequestDetails) -> Vec<PolicyName> {
    let name = |policy: &PolicyProgress| PolicyName {
        id: policy.policy.as_str().to_owned(),
        name: policy.name.clone(),
        version: policy.version,
        missing: policy.missing.clone(),
    };
    shown.bypassed.iter().map(name).collect()
}

fn timeline(shown: &RequestDetails) -> Vec<EventView> {
    let view = |event: &crate::domain::request_details::TimelineEvent| EventView {
        at: event.at.rfc3339(),
        event: event.what.as_str().to_owned(),
        actor: principal(shown, &event.actor),
        via: word(event.via),
        note: event.note.clone(),
    };
    shown.timeline.iter().map(view).collect()
}

#[cfg(test)]
#[path = "view_tests.rs"]
pub(crate) mod tests;
