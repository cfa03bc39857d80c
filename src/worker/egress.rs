//! A replica that cannot reach Slack leaves deliveries to those that can. It claims nothing, and probes its way to Slack from time to
//! time by a call that changes nothing.

use super::Workers;
use super::pause::next_probe_of_egress;
use crate::domain::time::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What `/readyz` says meanwhile.
const CUT_OFF: &str = "this replica cannot reach Slack and leaves deliveries to other replicas; check its network, proxy and DNS";
/// Under which topic it is said.
const TOPIC: &str = "egress";

/// When the way to Slack is probed next.
#[derive(Debug, Default)]
pub(super) struct Egress(Mutex<Probes>);

#[derive(Debug, Default)]
struct Probes {
    failures: i64,
    next: Option<Timestamp>,
}

impl Egress {
    /// Whether to probe now: one at a time, each after a longer pause.
    fn take(&self, now: Timestamp) -> bool {
        let mut probes = self.lock();
        let pause_ends = next_probe_of_egress(probes.failures, now);
        // a clock that was set back makes nobody wait for longer than the pause
        if probes
            .next
            .is_some_and(|next| now < next && next <= pause_ends)
        {
            return false;
        }
        probes.next = Some(pause_ends);
        probes.failures = probes.failures.saturating_add(1);
        true
    }

    fn reset(&self) {
        *self.lock() = Probes::default();
    }

    fn lock(&self) -> MutexGuard<'_, Probes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workers {
    /// Whether work may be claimed: not while this replica cannot reach Slack.
    pub(super) async fn can_deliver(&self) -> bool {
        if self.slack.is_cut_off() {
            self.app.supervisor().say(TOPIC, Some(CUT_OFF));
            if !self.egress.take(self.app.now()) {
                return false;
            }
            tracing::warn!("Slack unreachable, claiming no deliveries and probing");
            // its outcome is counted with every other call's
            let _ = self.slack.auth_test().await;
            if self.slack.is_cut_off() {
                return false;
            }
        }
        self.egress.reset();
        self.app.supervisor().say(TOPIC, None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_come_one_at_a_time_and_more_and_more_rarely() {
        let egress = Egress::default();
        let takes = |at: i64| egress.take(Timestamp(at));
        assert!(
            takes(0) && !takes(0) && !takes(999),
            "one in the first second"
        );
        assert!(takes(1_000) && !takes(2_999));
        assert!(takes(3_000) && !takes(6_999));
        egress.reset();
        assert!(takes(7_000) && !takes(7_999) && takes(8_000));
    }
}
