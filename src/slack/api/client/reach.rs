//! Whether Slack can be reached from this replica. One whose way to Slack is cut leaves work to those that can deliver it.

use crate::slack::api::error::SlackError;
use std::sync::atomic::{AtomicU32, Ordering};

/// After so many calls in a row that did not reach Slack, its way is taken to be cut.
const CUT_OFF_AFTER: u32 = 3;

/// Counts calls in a row that did not reach Slack.
#[derive(Debug, Default)]
pub(super) struct Reach(AtomicU32);

impl Reach {
    /// A call has ended. Any answer of Slack's, a refusal included, shows that it can be reached.
    pub(super) fn learn(&self, error: Option<&SlackError>) {
        if error.is_some_and(SlackError::is_unreachable) {
            let more = |count: u32| Some(count.saturating_add(1));
            let _ = self
                .0
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more); // never refused
        } else {
            self.0.store(0, Ordering::SeqCst);
        }
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= CUT_OFF_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Unreached;

    #[test]
    fn a_replica_is_cut_off_after_calls_in_a_row_without_any_answer() {
        let reach = Reach::default();
        let transport = SlackError::Transport(Unreached {
            what: "no answer".to_owned(),
            hint: String::new(),
        });
        reach.learn(Some(&transport));
        reach.learn(Some(&SlackError::TimedOut));
        assert!(!reach.is_cut_off());
        reach.learn(Some(&SlackError::Http(503)));
        reach.learn(Some(&transport));
        reach.learn(Some(&transport));
        assert!(!reach.is_cut_off(), "an answer came between");
        reach.learn(Some(&transport));
        assert!(reach.is_cut_off());
        reach.learn(None);
        assert!(!reach.is_cut_off());
    }
}
