//! How a draft differs from what gated a past request.

use super::decide::request;
use super::fixture::{config, quorum};
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::replay::{Gating, ReplayChange, replay};

fn anyone(approvals: u32) -> PinnedPolicy {
    quorum(&format!("{{minApprovals: {approvals}}}"))
}

/// A draft with one policy for everything.
fn draft(policy: &str) -> String {
    format!(
        "policies: [{{id: draft, name: Draft, scope: organization, {policy}}}]\nbindings: [{{policy: draft, level: organization}}]"
    )
}

#[test]
fn draft_is_compared_with_the_policies_that_were_pinned() {
    use ReplayChange::{FewerApprovals, MoreApprovals, NewlyGated, NoLongerGated, Unsatisfiable};
    let any = |approvals: u32| {
        draft(&format!(
            "approvers: anyone, quorum: {{minApprovals: {approvals}}}"
        ))
    };
    let of_erin = draft("approvers: {users: [erin]}, quorum: {minApprovals: 1}");
    let in_force = config("");
    for (pinned, text, approvals, change) in [
        (None, String::new(), (0, 0), None),
        (None, any(2), (0, 2), Some(NewlyGated)),
        (Some(1), String::new(), (1, 0), Some(NoLongerGated)),
        (Some(1), any(2), (1, 2), Some(MoreApprovals)),
        (Some(3), any(2), (3, 2), Some(FewerApprovals)),
        (Some(2), any(2), (2, 2), None),
        // erin asked
        (None, of_erin.clone(), (0, 0), Some(Unsatisfiable)),
        (Some(1), of_erin, (1, 0), Some(Unsatisfiable)),
    ] {
        let request = request(pinned.map(anyone).into_iter().collect());
        let replayed = replay(&in_force, &config(&text), &request);
        assert_eq!(replayed.change, change, "{pinned:?} {text}");
        let counts = (replayed.before.approvals, replayed.after.approvals);
        assert_eq!(counts, approvals, "{pinned:?} {text}");
    }
}

#[test]
fn bypassed_policies_count_as_pinned() {
    let mut request = request(Vec::new());
    request.bypassed = vec![anyone(2)];
    let replayed = replay(&config(""), &config(""), &request);
    let before = Gating {
        policies: vec!["gate".into()],
        approvals: 2,
    };
    assert_eq!(replayed.before, before);
    assert_eq!(replayed.change, Some(ReplayChange::NoLongerGated));
}
