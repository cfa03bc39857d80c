//! How long requests wait for people: until the first decision and until the approval, by policy, team and request type.

use super::action::RequestType;
use super::id::{PolicyId, TeamId};
use super::request::Status;
use super::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// The data of one gated request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request type.
    pub kind: RequestType,
    /// The request's status.
    pub status: Status,
    /// The policies that gated the request.
    pub policies: Vec<PolicyId>,
    /// When the request was created.
    pub created_at: Timestamp,
    /// When the request was decided.
    pub decided_at: Option<Timestamp>,
    /// The time of each decision, with the approver's teams at that time.
    pub decisions: Vec<(Timestamp, Vec<TeamId>)>,
}

impl Asked {
    /// The first decision of each team.
    pub(super) fn first_of_teams(&self) -> BTreeMap<&TeamId, Timestamp> {
        first_of_teams(self)
    }

    fn first_decision(&self) -> Option<Timestamp> {
        self.decisions.iter().map(|(at, _)| *at).min()
    }

    /// When the quorum was met; `None` for a rejected request.
    pub(super) fn approved_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Pending | Status::Rejected => None,
            Status::Approved
            | Status::Executed
            | Status::Completed
            | Status::Cancelled
            | Status::Expired
            | Status::Allowed
            | Status::Bypassed => self.decided_at,
        }
    }
}

/// The distribution of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// How many durations there are.
    pub count: usize,
    /// Half of the durations are at most this long.
    pub median: Span,
    /// Nine of ten durations are at most this long.
    pub p90: Span,
    /// The longest duration.
    pub longest: Span,
}

impl Spread {
    /// The distribution of these durations; `None` if there are none.
    pub fn of(mut lengths: Vec<Span>) -> Option<Self> {
        lengths.sort_unstable();
        // the smallest duration that is not exceeded by this many tenths
        let at = |tenths: usize| lengths.get((lengths.len() * tenths).div_ceil(10).max(1) - 1);
        Some(Self {
            count: lengths.len(),
            median: *at(5)?,
            p90: *at(9)?,
            longest: *lengths.last()?,
        })
    }
}

/// The waiting times of a group of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// From creation to the first decision.
    pub first_decision: Option<Spread>,
    /// From creation to approval.
    pub approval: Option<Spread>,
}

#[derive(Default)]
struct Group {
    first_decision: Vec<Span>,
    approval: Vec<Span>,
}

impl Group {
    fn add(&mut self, asked: &Asked, first: Option<Timestamp>) {
        let since = |at: Timestamp| Span(at.0.saturating_sub(asked.created_at.0).max(0));
        self.first_decision.extend(first.map(since));
        self.approval.extend(asked.approved_at().map(since));
    }

    fn latency(self) -> Latency {
        Latency {
            first_decision: Spread::of(self.first_decision),
            approval: Spread::of(self.approval),
        }
    }
}

/// The waiting times of all requests, and of groups of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// All requests.
    pub overall: Latency,
    /// By policy; a request counts for each policy that gated it.
    pub by_policy: BTreeMap<PolicyId, Latency>,
    /// By team; a request counts for each team that decided on it, with the team's own first decision.
    pub by_team: BTreeMap<TeamId, Latency>,
    /// By request type.
    pub by_kind: BTreeMap<&'static str, Latency>,
}

impl Latencies {
    /// The waiting times of these requests.
    pub fn of(all: &[Asked]) -> Self {
        let mut overall = Group::default();
        let mut by_policy: BTreeMap<PolicyId, Group> = BTreeMap::new();
        let mut by_team: BTreeMap<TeamId, Group> = BTreeMap::new();
        let mut by_kind: BTreeMap<&'static str, Group> = BTreeMap::new();
        for asked in all {
            let first = asked.first_decision();
            overall.add(asked, first);
            let kind = by_kind.entry(asked.kind.as_str()).or_default();
            kind.add(asked, first);
            for policy in &asked.policies {
                let group = by_policy.entry(policy.clone()).or_default();
                group.add(asked, first);
            }
            for (team, at) in first_of_teams(asked) {
                let group = by_team.entry(team.clone()).or_default();
                group.add(asked, Some(at));
            }
        }
        Self {
            overall: overall.latency(),
            by_policy: latencies(by_policy),
            by_team: latencies(by_team),
            by_kind: latencies(by_kind),
        }
    }
}

fn first_of_teams(asked: &Asked) -> BTreeMap<&TeamId, Timestamp> {
    let mut firsts = BTreeMap::new();
    for (at, teams) in &asked.decisions {
        for team in teams {
            let first = firsts.entry(team).or_insert(*at);
            *first = (*first).min(*at);
        }
    }
    firsts
}

fn latencies<K: Ord>(groups: BTreeMap<K, Group>) -> BTreeMap<K, Latency> {
    groups
        .into_iter()
        .map(|(key, group)| (key, group.latency()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(lengths: impl IntoIterator<Item = i64>) -> Option<(usize, i64, i64, i64)> {
        let lengths = lengths.into_iter().map(Span).collect();
        Spread::of(lengths).map(|s| (s.count, s.median.0, s.p90.0, s.longest.0))
    }

    #[test]
    fn percentiles_are_taken_from_measured_values() {
        assert_eq!(spread([]), None);
        assert_eq!(spread([7]), Some((1, 7, 7, 7)));
        assert_eq!(spread([9, 1]), Some((2, 1, 9, 9)));
        assert_eq!(spread((1..=10).rev()), Some((10, 5, 9, 10)));
        assert_eq!(spread(1..=101), Some((101, 51, 91, 101)));
    }

    #[test]
    fn a_request_counts_for_each_policy_and_for_each_team_that_decided() {
        let decision = |at, team: &str| (Timestamp(at), vec![TeamId::from(team)]);
        let asked = |status, decided: Option<i64>, decisions: Vec<_>| Asked {
            kind: RequestType::Release,
            status,
            policies: vec!["one".into(), "two".into()],
            created_at: Timestamp(100),
            decided_at: decided.map(Timestamp),
            decisions,
        };
        let all = [
            asked(
                Status::Completed,
                Some(160),
                vec![decision(160, "sre"), decision(110, "platform")],
            ),
            asked(Status::Rejected, Some(130), vec![decision(130, "sre")]),
            // requests that were cancelled, expired or pending without a decision do not count
            asked(Status::Cancelled, None, Vec::new()),
            asked(Status::Pending, None, Vec::new()),
        ];
        let found = Latencies::of(&all);
        let read = |latency: &Latency| {
            let read = |spread: Option<Spread>| spread.map(|s| (s.count, s.median.0, s.longest.0));
            (read(latency.first_decision), read(latency.approval))
        };
        let whole = (Some((2, 10, 30)), Some((1, 60, 60)));
        assert_eq!(read(&found.overall), whole);
        assert_eq!(read(&found.by_policy["one"]), whole);
        assert_eq!(read(&found.by_policy["two"]), whole);
        assert_eq!(read(&found.by_kind["release"]), whole);
        let (sre, platform) = (&found.by_team["sre"], &found.by_team["platform"]);
        assert_eq!(read(sre), (Some((2, 30, 60)), Some((1, 60, 60))));
        assert_eq!(read(platform), (Some((1, 10, 10)), Some((1, 60, 60))));
    }
}
