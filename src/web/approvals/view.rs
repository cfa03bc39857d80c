//! One request as its page shows it, built from [`RequestDetails`] and the visitor.

use super::Place;
use super::content::{self, Part};
use crate::domain::audit_words::in_words;
use crate::domain::decision::DecisionKind;
use crate::domain::document::Risk;
use crate::domain::principal::Principal;
use crate::domain::progress::{Explanation, PolicyProgress};
use crate::domain::request::{Request, State};
use crate::domain::request_details::RequestDetails;
use crate::domain::time::Timestamp;
use crate::web::access::Visitor;
use crate::web::next;
use crate::web::words::{self, Moment};

/// Names of people that are listed before the rest becomes a number.
const NAMES_SHOWN: usize = 10;

/// A request, in the words of its page.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one question that the page asks"
)]
pub(super) struct RequestView {
    pub number: i64,
    pub version: i64,
    pub id: String,
    pub digest: String,
    pub action: String,
    pub action_id: String,
    pub risk: &'static str,
    pub status: &'static str,
    pub sign: &'static str,
    pub tone: &'static str,
    pub requester: String,
    pub submitter: Option<String>,
    pub authors: String,
    pub asked: Moment,
    pub target: Vec<(&'static str, String)>,
    pub reason: Option<String>,
    pub session: Option<String>,
    /// Why nothing of the payload is shown, where a policy hides it.
    pub is_hidden: bool,
    pub payload_bytes: usize,
    pub part: Part,
    pub pages: Place,
    pub policies: Vec<PolicyView>,
    pub decisions: Vec<DecisionView>,
    pub waiting_for: String,
    pub timeline: Vec<EventView>,
    pub timeline_truncated: bool,
    pub ends: Option<(&'static str, Moment)>,
    pub can_decide: bool,
    pub step_up: Option<StepUp>,
    pub decided: Option<&'static str>,
    pub may_cancel: bool,
    pub replaces: Option<String>,
    pub is_critical: bool,
}

/// What an approver must do before approving, where a policy says `decideOn: web`.
pub(super) struct StepUp {
    /// The policy.
    pub policy: String,
    /// Until when the present sign-in counts; nothing if it is too old.
    pub fresh_until: Option<Moment>,
    /// Where to sign in again.
    pub link: String,
}

impl StepUp {
    fn of(request: &Request, visitor: &Visitor, now: Timestamp) -> Option<Self> {
        let config = &visitor.signed_in.config;
        let in_force = config.web_only_in_force(request, now);
        let gate = request.web_only().or(in_force.first())?;
        let sign_in = &visitor.signed_in.sign_in;
        let fresh_until = (sign_in
            .authentication()
            .zip(config.document().console.as_ref()))
        .filter(|(authentication, console)| authentication.fresh(console, now).is_some())
        .map(|(authentication, console)| Moment::of(authentication.fresh_until(console)));
        let page = format!("/approvals/{}", request.number);
        Some(Self {
            policy: gate.template.name.clone(),
            fresh_until,
            link: next::prove_and_return_to(&page, &sign_in.identity),
        })
    }
}

/// A policy with its explanation, flattened: each line with its depth.
pub(in crate::web) struct PolicyView {
    pub name: String,
    pub version: i64,
    pub description: String,
    pub satisfied: bool,
    pub remark: &'static str,
    pub have: u32,
    pub need: u32,
    pub lines: Vec<Branch>,
}

pub(in crate::web) struct Branch {
    pub depth: usize,
    pub met: bool,
    pub text: String,
}

pub(super) struct DecisionView {
    pub who: String,
    pub what: &'static str,
    pub is_approval: bool,
    pub at: Moment,
    pub via: &'static str,
    pub comment: Option<String>,
    pub left: bool,
}

pub(super) struct EventView {
    pub at: Moment,
    pub who: String,
    pub what: String,
    pub via: &'static str,
    pub note: Option<String>,
}

impl RequestView {
    /// Whether the page offers to approve now.
    pub(super) fn may_approve(&self) -> bool {
        (self.step_up.as_ref()).is_none_or(|step_up| step_up.fresh_until.is_some())
    }

    pub(super) fn of(
        shown: &RequestDetails,
        visitor: &Visitor,
        place: &Place,
        now: Timestamp,
    ) -> Self {
        let request = &shown.request;
        let caller = visitor.caller();
        let directory = visitor.signed_in.config.directory();
        let is_hidden = !request.shows_payload_to(&caller.principal);
        let blocks = if is_hidden {
            Vec::new()
        } else {
            content::blocks(shown)
        };
        let part = Part::of(blocks, place.part());
        let own = shown
            .decisions
            .iter()
            .find(|one| one.by == *visitor.person());
        let is_open = request.state.ends_at().is_some_and(|end| now < end);
        Self {
            number: request.number,
            version: request.version,
            id: request.id.to_string(),
            digest: request.digest.to_string(),
            action: shown.action.name.clone(),
            action_id: request.action.to_string(),
            risk: words::risk(shown.action.risk),
            is_critical: shown.action.risk == Risk::Critical,
            status: words::status(&request.state),
            sign: words::sign(&request.state),
            tone: words::tone(&request.state),
            requester: shown.who(&request.requester).into_owned(),
            submitter: (request.submitted_by != request.requester)
                .then(|| shown.who(&request.submitted_by).into_owned()),
            authors: names(shown, request.authors.iter(), 0),
            asked: Moment::of(request.created_at),
            target: target(shown),
            reason: request.reason.clone(),
            session: (shown.session.as_ref())
                .map(|session| format!("{}: {}", session.initiator, session.reason)),
            is_hidden,
            payload_bytes: request.payload.len(),
            pages: place.with(part.number),
            part,
            policies: policies(shown),
            decisions: decisions(shown),
            waiting_for: names(shown, shown.waiting_for.iter(), shown.waiting_more),
            timeline: timeline(shown),
            timeline_truncated: shown.timeline_truncated,
            ends: ends(&request.state),
            step_up: StepUp::of(request, visitor, now),
            can_decide: shown.takes_decision_of(visitor.person(), directory),
            decided: own.map(|decision| words::decided(decision.verdict)),
            may_cancel: is_open && visitor.signed_in.may_cancel(request),
            replaces: request.replaces.as_ref().map(ToString::to_string),
        }
    }
}

fn target(shown: &RequestDetails) -> Vec<(&'static str, String)> {
    let target = &shown.request.target;
    let parts = [
        ("Project", target.project.as_ref().map(ToString::to_string)),
        ("Cluster", target.cluster.as_ref().map(ToString::to_string)),
        (
            "Environment",
            target.environment.as_ref().map(ToString::to_string),
        ),
        ("Release", target.release.clone()),
    ];
    let named = parts.into_iter();
    named
        .filter_map(|(label, value)| Some((label, value?)))
        .collect()
}

fn names<'a>(
    shown: &RequestDetails,
    ids: impl ExactSizeIterator<Item = &'a crate::domain::id::PersonId>,
    more: usize,
) -> String {
    let more = more + ids.len().saturating_sub(NAMES_SHOWN);
    let mut names: Vec<String> = ids
        .take(NAMES_SHOWN)
        .map(|id| shown.name(id).to_owned())
        .collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

fn policies(shown: &RequestDetails) -> Vec<PolicyView> {
    let gates = shown.policies.iter().map(|policy| policy_view(policy, ""));
    let bypassed = shown.bypassed.iter();
    let bypassed = bypassed.map(|policy| policy_view(policy, "bypassed by break-glass"));
    let observed = shown.observed.iter();
    let observed = observed.map(|policy| policy_view(policy, "observed only, gates nothing"));
    gates.chain(bypassed).chain(observed).collect()
}

/// A policy with its explanation.
pub(in crate::web) fn policy_view(policy: &PolicyProgress, remark: &'static str) -> PolicyView {
    let mut lines = Vec::new();
    let root = &policy.explanation;
    if root.children.is_empty() {
        branch(root, 0, &mut lines);
    }
    for part in &root.children {
        branch(part, 0, &mut lines);
    }
    PolicyView {
        name: policy.name.clone(),
        version: policy.version,
        description: policy.description.clone(),
        satisfied: policy.satisfied,
        remark,
        have: policy.have,
        need: policy.need,
        lines,
    }
}

fn branch(node: &Explanation, depth: usize, lines: &mut Vec<Branch>) {
    lines.push(Branch {
        depth: depth.min(3),
        met: node.met,
        text: node.text.clone(),
    });
    for child in &node.children {
        branch(child, depth + 1, lines);
    }
}

fn decisions(shown: &RequestDetails) -> Vec<DecisionView> {
    let view = |decision: &crate::domain::decision::Decision| DecisionView {
        who: shown.name(&decision.by).to_owned(),
        what: words::decided(decision.verdict),
        is_approval: decision.verdict == DecisionKind::Approve,
        at: Moment::of(decision.at),
        via: words::via(decision.via),
        comment: decision.comment.clone(),
        left: decision.author_left && decision.verdict == DecisionKind::Approve,
    };
    shown.decisions.iter().map(view).collect()
}

fn timeline(shown: &RequestDetails) -> Vec<EventView> {
    let view = |event: &crate::domain::request_details::TimelineEvent| EventView {
        at: Moment::of(event.at),
        who: shown.who(&event.actor).into_owned(),
        what: in_words(event.what, &event.actor, "the request"),
        via: match event.actor {
            Principal::Bot => "",
            _ => words::via(event.via),
        },
        note: event.note.clone(),
    };
    shown.timeline.iter().map(view).collect()
}

fn ends(state: &State) -> Option<(&'static str, Moment)> {
    match state {
        State::Pending { expires_at } => {
            Some(("Waits for decisions until", Moment::of(*expires_at)))
        }
        State::Granted { until, .. } => Some(("May be executed until", Moment::of(*until))),
        State::Executed { at } | State::Completed { at, .. } => Some(("Executed", Moment::of(*at))),
        State::Rejected | State::Cancelled | State::Expired => None,
    }
}
