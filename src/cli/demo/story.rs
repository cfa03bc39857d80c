//! What happened in the demo's company during the last two weeks. `tales.rs` has the requests; `history.rs` plays them through the use
//! cases.

/// When a request was made.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    /// So many working days ago, at this hour and minute (UTC). Weekends do not count.
    Day(i64, i64, i64),
    /// So many minutes ago.
    MinutesAgo(i64),
}

/// What happens to a request after it was made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Approve(&'static str, Option<&'static str>),
    /// On the web pages, right after signing in.
    ApproveOnWeb(&'static str, Option<&'static str>),
    Reject(&'static str, &'static str),
    Execute,
    Succeed,
    Fail(&'static str),
    Cancel,
}

/// A request, and what happens to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tale {
    pub(super) at: When,
    /// A person, or `ci` for the service.
    pub(super) who: &'static str,
    pub(super) action: &'static str,
    pub(super) project: Option<&'static str>,
    pub(super) cluster: Option<&'static str>,
    pub(super) environment: Option<&'static str>,
    pub(super) release: Option<&'static str>,
    pub(super) reason: &'static str,
    /// The payload as JSON.
    pub(super) payload: Option<&'static str>,
    /// What happens, and how many minutes after the request.
    pub(super) steps: &'static [(i64, Step)],
}

use When::Day;

/// The ended break-glass session whose review is still owed.
pub(super) struct SessionTale {
    pub(super) at: When,
    pub(super) who: &'static str,
    pub(super) reason: &'static str,
    pub(super) cluster: &'static str,
    pub(super) minutes: i64,
    /// How many minutes after its start it was revoked.
    pub(super) revoked_after: i64,
}

pub(super) const SESSION: SessionTale = SessionTale {
    at: Day(4, 2, 12),
    who: "ivan",
    reason: "Checkout returns 502 in Europe; the database primary is failing over (INC-2041)",
    cluster: "prod-eu-1",
    minutes: 60,
    revoked_after: 38,
};

/// A change of a policy that security approved.
pub(super) struct PolicyTale {
    pub(super) at: When,
    pub(super) who: &'static str,
    pub(super) policy: &'static str,
    pub(super) description: &'static str,
    pub(super) reason: &'static str,
    pub(super) approver: &'static str,
    pub(super) approved_after: i64,
}

pub(super) const POLICY: PolicyTale = PolicyTale {
    at: Day(6, 12, 5),
    who: "carol",
    policy: "cluster-command-gate",
    description: "One person from SRE must approve everything that runs on a production cluster, restarts included.",
    reason: "Restarts have been gated since INC-1987; the description should say so",
    approver: "heidi",
    approved_after: 64,
};
