//! What can go wrong with a call to Slack, as a value. The client library's own errors carry bodies and must never be printed.

use crate::net::Unreached;
use hyper_util::client::legacy;
use slack_morphism::errors::{SlackClientError, SlackClientHttpProtocolError};
use std::time::Duration;

/// The longest pause that is taken from Slack at its word. Its real pauses are half a minute at most; a proxy, or a mistake, that asks
/// for days must not keep an alert back for days. Too early a try costs one more refusal.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(3);

/// Why a call to Slack failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// Too fast; Slack may say for how long to pause.
    #[error("rate limited")]
    RateLimited {
        /// How long to pause, where Slack said so.
        retry_after: Option<Duration>,
    },
    /// The channel does not exist, or the bot cannot see it.
    #[error("channel_not_found: name a channel that exists and that the bot may see")]
    ChannelNotFound,
    /// The bot is not in the channel.
    #[error("not_in_channel: invite the bot to the channel")]
    NotInChannel,
    /// The channel is archived.
    #[error("is_archived: the channel is archived")]
    IsArchived,
    /// The message was deleted.
    #[error("message_not_found")]
    MessageNotFound,
    /// The message is not ours to change.
    #[error("cant_update_message")]
    CantUpdate,
    /// The token is wrong or lacks something; with Slack's code.
    #[error("{0}: the bot token does not work")]
    InvalidAuth(String),
    /// The token was taken back, or the app removed; with Slack's code.
    #[error("{0}: the bot token was revoked")]
    TokenRevoked(String),
    /// The three seconds of a `trigger_id` are over, or it was used before.
    #[error("the trigger has expired")]
    ExpiredTrigger,
    /// The blocks break a rule of Slack's: a fault of ours.
    #[error("invalid blocks: {}", .0.join("; "))]
    InvalidBlocks(Vec<String>),
    /// Our own patience ended; Slack may have done it.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke, or the answer makes no sense; Slack may have done it.
    #[error("the answer was lost")]
    Lost,
    /// No connection: nothing was sent.
    #[error("no connection to Slack: {0}")]
    Transport(Unreached),
    /// An HTTP status other than 200 and 429.
    #[error("HTTP status {0}")]
    Http(u16),
    /// An address that we do not follow.
    #[error("this address is not Slack's")]
    ForeignUrl,
    /// Any other code of Slack's.
    #[error("{0}")]
    Other(String),
}

/// Codes after which the same call can never succeed.
const FINAL_CODES: &[&str] = &[
    "account_inactive",
    "cannot_dm_bot",
    "cannot_reply_to_message",
    "channel_type_not_supported",
    "duplicate_external_id",
    "edit_window_closed",
    "ekm_access_denied",
    "hash_conflict",
    "invalid_arguments",
    "messages_tab_disabled",
    "metadata_too_large",
    "method_not_supported_for_channel_type",
    "missing_scope",
    "msg_too_long",
    "no_permission",
    "no_text",
    "not_enabled",
    "not_found",
    "push_limit_reached",
    "restricted_action",
    "restricted_action_read_only_channel",
    "user_disabled",
    "user_not_found",
    "user_not_in_channel",
    "user_not_visible",
    "users_not_found",
    "view_too_large",
];

/// Codes that are about what one message says.
const MESSAGE_CODES: &[&str] = &[
    "cannot_reply_to_message",
    "duplicate_external_id",
    "edit_window_closed",
    "hash_conflict",
    "invalid_arguments",
    "invalid_attachments",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "metadata_too_large",
    "msg_too_long",
    "no_text",
    "too_many_attachments",
    "view_too_large",
];

impl SlackError {
    /// Whether trying again cannot help, as long as nobody changes something.
    pub fn is_final(&self) -> bool {
        match self {
            Self::ChannelNotFound
            | Self::NotInChannel
            | Self::IsArchived
            | Self::MessageNotFound
            | Self::CantUpdate
            | Self::InvalidAuth(_)
            | Self::TokenRevoked(_)
            | Self::ExpiredTrigger
            | Self::InvalidBlocks(_)
            | Self::ForeignUrl => true,
            Self::Http(status) => (400..500).contains(status) && *status != 408,
            Self::Other(code) => FINAL_CODES.contains(&code.as_str()),
            Self::RateLimited { .. } | Self::TimedOut | Self::Lost | Self::Transport(_) => false,
        }
    }

    /// Whether Slack may have done it although no answer says so.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::TimedOut | Self::Lost => true,
            Self::Http(status) => *status >= 500,
            Self::Other(code) => matches!(
                code.as_str(),
                "fatal_error" | "internal_error" | "request_timeout" | "service_unavailable"
            ),
            _ => false,
        }
    }

    /// Slack asks for a pause, for so long if it says so; never longer than [`LONGEST_RETRY_AFTER`].
    pub(super) fn rate_limited(asked: Option<Duration>) -> Self {
        Self::RateLimited {
            retry_after: asked.map(|pause| pause.min(LONGEST_RETRY_AFTER)),
        }
    }

    /// Whether Slack refuses what was said, not where: another message may pass.
    pub fn concerns_message(&self) -> bool {
        match self {
            Self::MessageNotFound
            | Self::CantUpdate
            | Self::ExpiredTrigger
            | Self::InvalidBlocks(_)
            | Self::ForeignUrl => true,
            Self::Other(code) => MESSAGE_CODES.contains(&code.as_str()),
            _ => false,
        }
    }

    /// Whether the message whose thread was meant is gone.
    pub fn is_without_thread(&self) -> bool {
        match self {
            Self::MessageNotFound => true,
            Self::Other(code) => matches!(
                code.as_str(),
                "thread_not_found" | "cannot_reply_to_message"
            ),
            _ => false,
        }
    }

    /// Whether it surely is not the message's fault: whatever goes to this channel meets the same answer.
    pub fn concerns_channel(&self) -> bool {
        matches!(
            self,
            Self::ChannelNotFound
                | Self::NotInChannel
                | Self::IsArchived
                | Self::RateLimited { .. }
                | Self::InvalidAuth(_)
                | Self::TokenRevoked(_)
        )
    }

    /// Whether the bot may not write in this channel: it is not in it, cannot see it, or the channel is closed to it. A revoked token
    /// or a broken message is something else.
    pub fn closes_channel(&self) -> bool {
        match self {
            Self::ChannelNotFound | Self::NotInChannel | Self::IsArchived => true,
            Self::Other(code) => matches!(
                code.as_str(),
                "restricted_action"
                    | "restricted_action_read_only_channel"
                    | "method_not_supported_for_channel_type"
            ),
            _ => false,
        }
    }

    /// Whether Slack was not reached at all, or nothing came back.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::TimedOut)
    }

    /// How long Slack wants a pause, where it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }

    /// Slack's code, with what it says about it.
    pub(in crate::slack) fn from_code(code: &str, messages: Vec<String>) -> Self {
        match code {
            "ratelimited" | "rate_limited" => Self::rate_limited(None),
            "channel_not_found" => Self::ChannelNotFound,
            "not_in_channel" => Self::NotInChannel,
            "is_archived" => Self::IsArchived,
            "message_not_found" => Self::MessageNotFound,
            "cant_update_message" => Self::CantUpdate,
            "invalid_auth" | "not_authed" | "token_expired" => Self::InvalidAuth(code.to_owned()),
            "token_revoked" | "account_inactive" | "app_uninstalled" => {
                Self::TokenRevoked(code.to_owned())
            }
            "expired_trigger_id"
            | "exchanged_trigger_id"
            | "invalid_trigger_id"
            | "trigger_expired"
            | "trigger_exchanged" => Self::ExpiredTrigger,
            "invalid_blocks" | "invalid_blocks_format" | "msg_blocks_too_long" => {
                let mut messages = messages;
                messages.insert(0, code.to_owned());
                Self::InvalidBlocks(messages)
            }
            other => Self::Other(other.chars().take(80).collect()),
        }
    }
}

impl SlackError {
    /// What an error of the client library means; `address` is where the call went.
    pub(super) fn of(error: SlackClientError, address: &str) -> Self {
        match error {
            SlackClientError::ApiError(error) => {
                Self::from_code(&error.code, error.errors.unwrap_or_default())
            }
            SlackClientError::RateLimitError(error) => Self::rate_limited(error.retry_after),
            SlackClientError::HttpError(error) => Self::Http(error.status_code.as_u16()),
            SlackClientError::HttpProtocolError(error) => match never_sent(&error) {
                Some(error) => Self::Transport(Unreached::of(error, address)),
                None => Self::Lost,
            },
            SlackClientError::EndOfStream(_)
            | SlackClientError::SystemError(_)
            | SlackClientError::ProtocolError(_)
            | SlackClientError::SocketModeProtocolError(_) => Self::Lost,
        }
    }
}

/// The error of the connection, where there was none to send anything on.
fn never_sent(error: &SlackClientHttpProtocolError) -> Option<&legacy::Error> {
    let cause = error.cause.as_deref();
    cause
        .and_then(|cause| cause.downcast_ref::<legacy::Error>())
        .filter(|error| error.is_connect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_consequence() {
        let table: [(&str, bool, bool); 12] = [
            ("ratelimited", false, false),
            ("rate_limited", false, false),
            ("channel_not_found", true, false),
            ("not_in_channel", true, false),
            ("message_not_found", true, false),
            ("invalid_auth", true, false),
            ("token_revoked", true, false),
            ("trigger_exchanged", true, false),
            ("invalid_blocks", true, false),
            ("fatal_error", false, true),
            ("service_unavailable", false, true),
            ("some_new_code", false, false),
        ];
        for (code, is_final, unknown) in table {
            let error = SlackError::from_code(code, Vec::new());
            assert_eq!(
                (error.is_final(), error.outcome_unknown()),
                (is_final, unknown),
                "{code}"
            );
        }
        assert!(SlackError::TimedOut.outcome_unknown() && !SlackError::TimedOut.is_final());
        assert!(SlackError::Http(502).outcome_unknown() && SlackError::Http(404).is_final());
    }

    #[test]
    fn no_pause_is_longer_than_the_limit_r24() {
        let pause = |seconds| SlackError::rate_limited(Some(Duration::from_secs(seconds)));
        assert_eq!(pause(30).retry_after(), Some(Duration::from_secs(30)));
        assert_eq!(pause(864_000).retry_after(), Some(LONGEST_RETRY_AFTER));
        assert_eq!(SlackError::rate_limited(None).retry_after(), None);
    }

    #[test]
    fn a_refusal_concerns_the_message_or_the_channel_r05() {
        let of = |code| {
            let error = SlackError::from_code(code, Vec::new());
            (error.concerns_message(), error.concerns_channel())
        };
        assert_eq!(of("msg_too_long"), (true, false));
        assert_eq!(of("invalid_blocks"), (true, false));
        assert_eq!(of("is_archived"), (false, true));
        assert_eq!(of("ratelimited"), (false, true));
        assert_eq!(of("some_new_code"), (false, false));
    }

    #[test]
    fn nothing_of_a_body_is_printed() {
        let error = slack_morphism::errors::SlackClientApiError::new("fatal_error".to_owned())
            .with_http_response_body("xoxb-secret".to_owned());
        let ours = SlackError::of(SlackClientError::ApiError(error), "slack.com:443");
        assert_eq!(
            format!("{ours} {ours:?}"),
            r#"fatal_error Other("fatal_error")"#
        );
    }
}
