//! Messages that could not be delivered: tried again later, probed with their channel, or given up; and who is told.

use super::Workers;
use super::pause::{next_probe, next_try, next_try_elsewhere, next_try_of_ours};
use crate::app::AppError;
use crate::domain::id::{ChannelId, PersonId};
use crate::domain::message::Lane;
use crate::domain::time::{Span, Timestamp};
use crate::slack::api::error::SlackError;
use crate::store::{ChannelLane, DueMessage, Tx};

/// A direct message nobody could deliver for so long is given up; alerts never are.
const GIVE_UP_AFTER: Span = Span::hours(48);
/// After so many failures an alert lets the others of its channel be the probe: it may be the one that cannot pass.
const IN_ORDER_UP_TO: i64 = 10;

/// Why a message has not been delivered.
pub(super) enum Undelivered {
    Slack(SlackError),
    Us(AppError),
}

impl From<SlackError> for Undelivered {
    fn from(error: SlackError) -> Self {
        Self::Slack(error)
    }
}

impl From<AppError> for Undelivered {
    fn from(error: AppError) -> Self {
        Self::Us(error)
    }
}

/// What the end of a delivery says about the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// Nothing: it was delivered, or the fault is its own.
    Alone,
    /// Its channel fails.
    ChannelFails,
    /// Slack cannot be reached from here.
    Unreachable,
}

impl Workers {
    /// Slack did not take it.
    pub(super) async fn settle_failed(
        &self,
        due: &DueMessage,
        error: &SlackError,
    ) -> Result<Settled, AppError> {
        let now = self.app.now();
        if matches!(error, SlackError::Transport(_)) {
            let (next, why) = (next_try_elsewhere(now), error.to_string());
            self.app
                .db()
                .transaction::<_, AppError>(async |tx| {
                    Ok(tx.release_message(due, next, Some(&why)).await?)
                })
                .await?;
            return Ok(Settled::Unreachable);
        }
        let channel = due.message.channel();
        let channel = channel.filter(|_| !error.concerns_message());
        let given_up = is_given_up(due, now);
        let next = match channel {
            _ if given_up => None,
            Some(_) => Some(next_turn(due, error, now)),
            None => Some(next_try(error, due.failures, now)),
        };
        tracing::warn!(message = %due.id, %error, given_up, "message not delivered");
        let administrators = self.administrators(due, error).await?;
        let told = due
            .message
            .undeliverable(&error.to_string(), &administrators);
        self.app
            .db()
            .transaction::<_, AppError>(async |tx| {
                // whoever comes back after the end of the lease says nothing about the channel either
                if !tx.put_off_message(due, next, &error.to_string()).await? {
                    return Ok(());
                }
                if let Some(channel) = channel {
                    pause(tx, due, channel, error, now).await?;
                }
                if error.is_final() {
                    release_emails(tx, due, channel, now).await?;
                }
                if !told.is_empty() && is_first(tx, due, channel, now).await? {
                    self.app.tell(tx, told.clone(), now).await?;
                }
                Ok(())
            })
            .await?;
        Ok(channel.map_or(Settled::Alone, |_| Settled::ChannelFails))
    }

    /// It could not be written, such as news of a request that cannot be read; the others go on.
    pub(super) async fn settle_ours(
        &self,
        due: &DueMessage,
        error: &AppError,
    ) -> Result<Settled, AppError> {
        tracing::warn!(message = %due.id, %error, "message not written, trying again later");
        if matches!(error, AppError::Busy | AppError::ClockUnsure) {
            return Ok(Settled::Alone); // it is due again when its lease has ended
        }
        let now = self.app.now();
        let next = (!is_given_up(due, now)).then(|| next_try_of_ours(due.failures, now));
        self.app
            .db()
            .transaction::<_, AppError>(async |tx| {
                tx.put_off_message(due, next, &error.to_string()).await?;
                Ok(Settled::Alone)
            })
            .await
    }

    /// Gives back what was claimed and not tried: due again in its turn, or later where Slack cannot be reached from here.
    pub(super) async fn release(
        &self,
        untried: &[&DueMessage],
        reachable: bool,
    ) -> Result<(), AppError> {
        if untried.is_empty() {
            return Ok(());
        }
        let elsewhere = next_try_elsewhere(self.app.now());
        self.app
            .db()
            .transaction(async |tx| {
                for one in untried {
                    let due = if reachable { one.made_at } else { elsewhere };
                    tx.release_message(one, due, None).await?;
                }
                Ok(())
            })
            .await
    }

    /// The card of a thread is not posted yet, or another worker posts there: looked at again soon, within reason.
    pub(super) async fn wait_for_thread(
        &self,
        due: &DueMessage,
        pause: Span,
    ) -> Result<(), AppError> {
        let now = self.app.now();
        let given_up = is_given_up(due, now);
        self.app
            .db()
            .transaction(async |tx| {
                if given_up {
                    return Ok(tx.delivered(due).await?);
                }
                Ok(tx.release_message(due, now.plus(pause), None).await?)
            })
            .await
    }

    /// Whom to tell that an alert is refused; nobody where trying again may help by itself.
    async fn administrators(
        &self,
        due: &DueMessage,
        error: &SlackError,
    ) -> Result<Vec<PersonId>, AppError> {
        if due.message.channel().is_none() || !error.is_final() {
            return Ok(Vec::new());
        }
        let config = self.app.compiled_config().await?;
        let administrators = config.administrators().into_iter();
        Ok(administrators.map(|one| one.id.clone()).collect())
    }
}

fn is_given_up(due: &DueMessage, now: Timestamp) -> bool {
    due.message.lane() != Lane::Alert && due.made_at.plus(GIVE_UP_AFTER) <= now
}

/// An alert keeps its place among those of its channel, unless it may be the one that keeps the others back.
fn next_turn(due: &DueMessage, error: &SlackError, now: Timestamp) -> Timestamp {
    if error.concerns_channel() || due.failures < IN_ORDER_UP_TO {
        due.made_at
    } else {
        now
    }
}

async fn pause(
    tx: &mut Tx,
    due: &DueMessage,
    channel: &ChannelId,
    error: &SlackError,
    now: Timestamp,
) -> Result<(), AppError> {
    let failures = due.probes_after.unwrap_or(0);
    let until = next_probe(error, failures, now);
    let failures = failures.saturating_add(1);
    Ok(tx
        .pause_channel(channel, ChannelLane::Alert, until, failures)
        .await?)
}

/// Slack refuses an alert: the e-mails that stand in for it, and for those that wait for the same channel, leave now.
async fn release_emails(
    tx: &mut Tx,
    due: &DueMessage,
    channel: Option<&ChannelId>,
    now: Timestamp,
) -> Result<(), AppError> {
    match channel {
        Some(channel) => tx.release_emails_for_channel(channel, now).await?,
        None => tx.release_emails_for_message(&due.id, now).await?,
    }
    Ok(())
}

/// Whether nobody was told yet: of this outage of the channel, or of this message where Slack refuses what it says.
async fn is_first(
    tx: &mut Tx,
    due: &DueMessage,
    channel: Option<&ChannelId>,
    now: Timestamp,
) -> Result<bool, AppError> {
    Ok(match channel {
        Some(channel) => tx.is_first_refusal_of_channel(channel, now).await?,
        None => tx.is_first_refusal_of_message(due, now).await?,
    })
}
