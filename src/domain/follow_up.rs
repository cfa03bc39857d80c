//! What happens while a request waits: reminders with growing pauses, escalations, a warning before expiry, and missed targets.
//!
//! Everything is derived from when the request began to wait. What was missed, for example because nothing was running, is made up
//! for once and not once for each time.

use super::document::Reminders;
use super::id::PolicyId;
use super::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many reminders are sent if the configuration does not say.
const MOST_REMINDERS: u32 = 5;

/// What was done so far about a waiting request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FollowUps {
    /// How many reminders were due; of several that were missed, only the last one is sent.
    pub reminders: u32,
    /// The policies whose escalation was sent.
    pub escalated: BTreeSet<PolicyId>,
    /// Whether the requester was warned before expiry.
    pub warned: bool,
    /// The policies whose latency target was missed.
    pub missed: BTreeSet<PolicyId>,
}

/// A policy that still lacks approvals, with the times after which it is due for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPolicy {
    /// The policy.
    pub id: PolicyId,
    /// After which time its escalation is sent.
    pub escalate_after: Option<Span>,
    /// Within which time it should have been satisfied.
    pub target: Option<Span>,
}

/// A waiting request and what the configuration says about waiting.
#[derive(Debug, Clone)]
pub struct Waiting<'a> {
    /// When it began to wait: when it was created, or reopened.
    pub since: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When approvers are reminded.
    pub reminders: Option<&'a Reminders>,
    /// How long before expiry the requester is warned.
    pub warning: Option<Span>,
    /// The policies that are not satisfied.
    pub open: Vec<OpenPolicy>,
}

/// What is due now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Approvers are reminded.
    pub remind: bool,
    /// The escalations of these policies are sent.
    pub escalate: BTreeSet<PolicyId>,
    /// The requester is warned.
    pub warn: bool,
    /// These policies have just missed their target.
    pub missed: BTreeSet<PolicyId>,
    /// What was done after this.
    pub after: FollowUps,
    /// When something is due next.
    pub next: Option<Timestamp>,
}

impl Waiting<'_> {
    /// What is due at `now`, after what was done so far.
    pub fn due(&self, done: &FollowUps, now: Timestamp) -> Due {
        let times: Vec<Timestamp> = self.reminder_times().collect();
        let past = times.iter().filter(|at| **at <= now).count();
        let past = u32::try_from(past).unwrap_or(u32::MAX).max(done.reminders);
        let escalate = self.reached(now, &done.escalated, |policy| policy.escalate_after);
        let missed = self.reached(now, &done.missed, |policy| policy.target);
        let warn_at = self.warning_time();
        let warn = !done.warned && warn_at.is_some_and(|at| at <= now && now < self.expires_at);
        let after = FollowUps {
            reminders: past,
            escalated: done.escalated.union(&escalate).cloned().collect(),
            warned: done.warned || warn,
            missed: done.missed.union(&missed).cloned().collect(),
        };
        let policies = self.open.iter().flat_map(|policy| {
            let escalation = (!after.escalated.contains(&policy.id))
                .then_some(policy.escalate_after)
                .flatten();
            let target = (!after.missed.contains(&policy.id))
                .then_some(policy.target)
                .flatten();
            [escalation, target].into_iter().flatten()
        });
        let next = policies
            .map(|span| self.since.plus(span))
            .chain(times)
            .chain(warn_at.filter(|_| !after.warned))
            .filter(|at| *at > now && *at < self.expires_at)
            .min();
        Due {
            remind: past > done.reminders && now < self.expires_at,
            escalate,
            warn,
            missed,
            after,
            next,
        }
    }

    /// The times of all reminders before expiry. Each pause is longer than the one before by the factor.
    fn reminder_times(&self) -> impl Iterator<Item = Timestamp> {
        let most = self
            .reminders
            .map_or(0, |reminders| reminders.most.unwrap_or(MOST_REMINDERS));
        let (first, factor) = self.reminders.map_or((Span(1), 1), |reminders| {
            (reminders.first, i64::from(reminders.factor.max(1)))
        });
        let (mut at, mut pause) = (self.since, first.0.max(1));
        let expires_at = self.expires_at;
        (0..most)
            .map(move |_| {
                at = at.plus(Span(pause));
                pause = pause.saturating_mul(factor);
                at
            })
            .take_while(move |at| *at < expires_at)
    }

    /// A request that waits for a shorter time than the warning needs gets none.
    fn warning_time(&self) -> Option<Timestamp> {
        let at = Timestamp(self.expires_at.0.saturating_sub(self.warning?.0));
        (at > self.since).then_some(at)
    }

    fn reached(
        &self,
        now: Timestamp,
        done: &BTreeSet<PolicyId>,
        after: impl Fn(&OpenPolicy) -> Option<Span>,
    ) -> BTreeSet<PolicyId> {
        if now >= self.expires_at {
            return BTreeSet::new();
        }
        let reached = |policy: &&OpenPolicy| {
            after(policy).is_some_and(|span| self.since.plus(span) <= now)
                && !done.contains(&policy.id)
        };
        let policies = self.open.iter().filter(reached);
        policies.map(|policy| policy.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting(reminders: &Reminders) -> Waiting<'_> {
        Waiting {
            since: Timestamp(0),
            expires_at: Timestamp(0).plus(Span::hours(24)),
            reminders: Some(reminders),
            warning: Some(Span::hours(1)),
            open: vec![OpenPolicy {
                id: "p".into(),
                escalate_after: Some(Span::hours(3)),
                target: Some(Span::hours(4)),
            }],
        }
    }

    fn hours(due: &Due) -> Option<i64> {
        due.next.map(|at| at.0 / 3_600_000)
    }

    #[test]
    fn reminders_come_with_growing_pauses_and_stop() {
        let reminders = Reminders {
            first: Span::hours(2),
            factor: 2,
            most: Some(3),
        };
        let waiting = waiting(&reminders);
        let (mut done, mut reminded) = (FollowUps::default(), Vec::new());
        for hour in 0..24 {
            let due = waiting.due(&done, Timestamp(0).plus(Span::hours(hour)));
            reminded.extend(due.remind.then_some(hour));
            assert!(due.escalate.is_empty() || hour == 3, "{hour}");
            assert!(due.missed.is_empty() || hour == 4, "{hour}");
            assert_eq!(due.warn, hour == 23);
            done = due.after;
        }
        assert_eq!(reminded, [2, 6, 14]);
    }

    #[test]
    fn what_was_missed_is_made_up_for_once() {
        let reminders = Reminders {
            first: Span::hours(1),
            factor: 1,
            most: Some(20),
        };
        let waiting = waiting(&reminders);
        let due = waiting.due(&FollowUps::default(), Timestamp(0).plus(Span::hours(9)));
        assert!(due.remind && due.escalate.len() == 1);
        assert_eq!((due.after.reminders, hours(&due)), (9, Some(10)));
        assert_eq!(
            waiting
                .due(&due.after, Timestamp(0).plus(Span::hours(9)))
                .after,
            due.after
        );
        // from the very millisecond of its end, nothing is due
        let end = waiting.due(&FollowUps::default(), waiting.expires_at);
        assert!(!end.remind && !end.warn && end.escalate.is_empty() && end.next.is_none());
    }

    #[test]
    fn things_are_due_at_their_very_millisecond_and_before_the_end() {
        let reminders = Reminders {
            first: Span::hours(1),
            factor: 3,
            most: None,
        };
        let mut waiting = waiting(&reminders);
        waiting.expires_at = Timestamp(0).plus(Span::hours(1_000));
        let reminded_at = |hours: i64, less: i64| {
            let at = Timestamp(Span::hours(hours).0 - less);
            waiting.due(&FollowUps::default(), at).after.reminders
        };
        // after 1, 1 + 3, 1 + 3 + 9, .. hours, five times if nothing else is said
        for (number, hours) in [(1, 1), (2, 4), (3, 13), (4, 40), (5, 121)] {
            assert_eq!(
                (reminded_at(hours, 1), reminded_at(hours, 0)),
                (number - 1, number)
            );
        }
        assert_eq!(reminded_at(999, 0), 5);
        for (warning, is_warned) in [(1_000, false), (999, true), (1_001, false)] {
            waiting.warning = Some(Span::hours(warning));
            let due = waiting.due(&FollowUps::default(), Timestamp(Span::hours(2).0));
            assert_eq!(due.warn, is_warned, "{warning}");
        }
        // a reminder at the moment of expiry is none, nor is it the next thing
        waiting.warning = None;
        waiting.open.clear();
        waiting.expires_at = Timestamp(0).plus(Span::hours(4));
        let due = waiting.due(&FollowUps::default(), Timestamp(0).plus(Span::hours(3)));
        assert_eq!((due.after.reminders, due.next), (1, None));
    }

    #[test]
    fn without_settings_nothing_is_ever_due() {
        let waiting = Waiting {
            since: Timestamp(0),
            expires_at: Timestamp(1_000),
            reminders: None,
            warning: None,
            open: Vec::new(),
        };
        assert_eq!(
            waiting.due(&FollowUps::default(), Timestamp(500)),
            Due::default()
        );
    }

    proptest! {
        /// Looking at the next due time is enough: whoever looks only then does the same as somebody who looks all the time, no
        /// later, and never does a thing twice.
        #[test]
        fn next_due_time_misses_nothing(
            first in 1_i64..20, factor in 1_u32..4, most in 0_u32..8, end in 1_i64..200, warning in 1_i64..200,
            escalation in 1_i64..200, looks in proptest::collection::btree_set(0_i64..200, 0..20),
        ) {
            let reminders = Reminders { first: Span(first), factor, most: Some(most) };
            let waiting = Waiting {
                since: Timestamp(0), expires_at: Timestamp(end), reminders: Some(&reminders), warning: Some(Span(warning)),
                open: vec![OpenPolicy { id: "p".into(), escalate_after: Some(Span(escalation)), target: None }],
            };
            let run = |times: &mut dyn Iterator<Item = i64>| {
                let (mut done, mut acts) = (FollowUps::default(), Vec::new());
                for at in times {
                    let due = waiting.due(&done, Timestamp(at));
                    if due.remind || due.warn || !due.escalate.is_empty() {
                        acts.push((at, due.remind, due.warn, due.escalate.len()));
                    }
                    done = due.after;
                }
                (done, acts)
            };
            let (_, all) = run(&mut (0..200));
            let (mut at, mut jumps) = (Some(0), Vec::new());
            let mut done = FollowUps::default();
            while let Some(now) = at {
                let due = waiting.due(&done, Timestamp(now));
                if due.remind || due.warn || !due.escalate.is_empty() {
                    jumps.push((now, due.remind, due.warn, due.escalate.len()));
                }
                prop_assert!(due.next.is_none_or(|next| next.0 > now));
                (done, at) = (due.after, due.next.map(|next| next.0));
            }
            prop_assert_eq!(&jumps, &all);
            prop_assert!(all.iter().filter(|act| act.1).count() <= usize::try_from(most).unwrap_or(0));
            prop_assert!(all.iter().filter(|act| act.3 > 0).count() <= 1);
            prop_assert!(all.iter().all(|act| act.0 < end));
            // however rarely somebody looks, there are no more reminders than looks
            let (_, few) = run(&mut looks.iter().copied());
            prop_assert!(few.len() <= looks.len());
        }
    }
}
