//! Whether a channel is shared with another organization, whose people then read every card there (threat SL7).

use crate::domain::time::Timestamp;
use crate::slack::api::client::Slack;
use crate::slack::api::error::SlackError;
use crate::slack::api::ttl_cache::TtlCache;
use std::time::Duration;

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

/// Who reads each channel, as far as Slack was asked lately.
#[derive(Debug)]
pub struct Channels(TtlCache<Audience>);

impl Default for Channels {
    fn default() -> Self {
        Self(TtlCache::new(CACHE_CAPACITY))
    }
}

impl Channels {
    /// Who reads a channel, looked up unless it is known. An error means that nothing is known, and nothing may be posted.
    pub async fn audience(
        &self,
        slack: &Slack,
        channel: &str,
        now: Timestamp,
    ) -> Result<Audience, SlackError> {
        let asked = match self.0.get(channel, now) {
            Ok(audience) => return Ok(audience),
            Err(asked) => asked,
        };
        let audience = match slack.channel_info_within(LOOKUP_TIMEOUT, channel).await {
            Ok(channel) if channel.is_ext_shared == Some(false) => Audience::Own,
            // what Slack does not tell is not known to be ours alone
            Ok(_) => Audience::Shared,
            // an app that was installed before it asked for the scope: cards go on, with Review, and `doctor` says so
            Err(SlackError::Other(code)) if code == "missing_scope" => Audience::Shared,
            // posting says better what is wrong
            Err(SlackError::ChannelNotFound) => return Ok(Audience::Shared),
            Err(error) => return Err(error),
        };
        self.0.keep(channel, audience, now, asked);
        Ok(audience)
    }

    /// Forgets all of them, because Slack says that a channel has changed.
    pub fn forget(&self) {
        self.0.forget_all();
    }
}
