//! Whether a channel is shared with another organization, whose people then read every card there (threat SL7).

use crate::domain::time::{Span, Timestamp};
use crate::slack::api::client::Slack;
use crate::slack::api::error::SlackError;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a look-up is believed.
const CACHE_TTL: Span = Span::minutes(10);
/// How long a look-up may take: with the call that posts it must end within a card's lease.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(2_500);
/// How many look-ups are kept; routes name far fewer channels.
const CACHE_CAPACITY: usize = 1_000;

/// Who reads what is posted in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// People of our own.
    Own,
    /// People of another organization, too.
    Shared,
}

/// Look-ups of channels, bounded, for ten minutes.
#[derive(Debug, Default)]
pub struct Channels(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    channels: HashMap<String, (Audience, Timestamp)>,
    /// Counts what was dropped, so that a look-up begun before is not kept after.
    drops: u64,
}

impl Channels {
    /// Who reads a channel, looked up unless it is known. An error means that nothing is known, and nothing may be posted.
    pub async fn audience(
        &self,
        slack: &Slack,
        channel: &str,
        now: Timestamp,
    ) -> Result<Audience, SlackError> {
        let drops = match self.known(channel, now) {
            Ok(audience) => return Ok(audience),
            Err(drops) => drops,
        };
        let asked = slack.channel_info_within(LOOKUP_TIMEOUT, channel).await;
        let audience = match asked {
            Ok(channel) if channel.is_ext_shared == Some(false) => Audience::Own,
            // what Slack does not tell is not known to be ours alone
            Ok(_) => Audience::Shared,
            // an app that was installed before it asked for the scope: cards go on, with Review, and `doctor` says so
            Err(SlackError::Other(code)) if code == "missing_scope" => Audience::Shared,
            // posting says better what is wrong
            Err(SlackError::ChannelNotFound) => return Ok(Audience::Shared),
            Err(error) => return Err(error),
        };
        self.keep(channel, audience, now, drops);
        Ok(audience)
    }

    /// Forgets all of them, because Slack says that a channel has changed.
    pub fn forget(&self) {
        let mut known = self.lock();
        known.drops += 1;
        known.channels.clear();
    }

    fn known(&self, channel: &str, now: Timestamp) -> Result<Audience, u64> {
        let known = self.lock();
        match known.channels.get(channel) {
            // a clock that went back makes a look-up old as well
            Some((audience, at)) if *at <= now && now < at.plus(CACHE_TTL) => Ok(*audience),
            _ => Err(known.drops),
        }
    }

    fn keep(&self, channel: &str, audience: Audience, now: Timestamp, drops: u64) {
        let mut known = self.lock();
        if known.drops != drops {
            return;
        }
        if known.channels.len() >= CACHE_CAPACITY {
            known.channels.clear();
        }
        known.channels.insert(channel.to_owned(), (audience, now));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_is_believed_for_ten_minutes_unless_something_changed() {
        let channels = Channels::default();
        let at = |millis: i64| Timestamp(1_800_000_000_000 + millis);
        let drops = channels.known("C1", at(0)).expect_err("unknown");
        channels.keep("C1", Audience::Shared, at(0), drops);
        assert_eq!(channels.known("C1", at(599_999)), Ok(Audience::Shared));
        assert!(channels.known("C1", at(600_000)).is_err());
        assert!(channels.known("C1", at(-1)).is_err());
        assert!(channels.known("C2", at(0)).is_err());
        channels.forget();
        assert!(channels.known("C1", at(0)).is_err());
        // a look-up that began before it changed is not kept
        channels.keep("C1", Audience::Own, at(0), drops);
        assert!(channels.known("C1", at(0)).is_err());
    }
}
