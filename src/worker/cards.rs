//! Cards are reconciled, not pushed: what is due is rendered from the newest state, and sent only if it differs from what the card
//! shows (docs/decisions.md D30). A crash, an outage or a decision made elsewhere heals by itself.

use super::Workers;
use super::pace::Pace;
use super::pause::{next_probe, next_try, next_try_elsewhere, next_try_of_ours};
use super::ticked::{Ticked, in_time};
use crate::app::{AppError, RequestRef};
use crate::domain::digest::Digest;
use crate::domain::id::ChannelId;
use crate::domain::request_details::RequestDetails;
use crate::domain::time::{Span, Timestamp};
use crate::slack::api::channels::Audience;
use crate::slack::api::error::SlackError;
use crate::slack::ui::{Message, card_for, direct, linked, notice};
use crate::store::{Card, Claimed, DueCard, Form, Tx};
use futures::FutureExt as _;
use futures::future::join_all;
use tracing::{Instrument as _, info_span};

/// Cards that are brought up to date at once; each call has its own connection and time-out.
const BATCH_SIZE: i64 = 8;
/// Longer than looking the channel up and one call may take, so that at most one call a card is in flight.
const LEASE_DURATION: Span = Span::seconds(8);

impl Workers {
    /// The workspace has forgotten its messages: the cards of all pending requests are posted anew.
    pub async fn post_anew(&self) -> Result<(), AppError> {
        let now = self.app.now();
        self.app
            .db()
            .transaction(async |tx| Ok(tx.lose_pending_cards(now).await?))
            .await
    }

    pub(super) async fn tick_cards(&self) -> Ticked {
        let mut ticked = Ticked::default();
        let posted = in_time(self.tick_some(&self.posts, Card::ToPost)).await;
        ticked.take_in(&self.app, "posting cards", posted);
        let updated = in_time(self.tick_some(&self.updates, Card::ToUpdate)).await;
        ticked.take_in(&self.app, "updating cards", updated);
        ticked
    }

    /// Brings some cards of a kind up to date, as many as Slack takes now.
    async fn tick_some(&self, pace: &Pace, kind: Card) -> Result<bool, AppError> {
        let now = self.app.now();
        let allowed = pace.take(BATCH_SIZE, now);
        if allowed == 0 {
            return Ok(false);
        }
        let claimed = self.claim(kind, allowed, now).await?;
        pace.give_back(allowed - claimed.count());
        let reconciled = claimed.due.iter().map(|card| {
            let attempt = card.failures + 1;
            let span =
                info_span!("card", request = %card.request, channel = %card.channel, attempt);
            self.reconcile(card).instrument(span)
        });
        for result in join_all(reconciled).await {
            result?;
        }
        Ok(claimed.count() > 0)
    }

    async fn claim(
        &self,
        kind: Card,
        limit: i64,
        now: Timestamp,
    ) -> Result<Claimed<DueCard>, AppError> {
        let next = self
            .app
            .db()
            .ask(|tx| tx.next_card_due(kind, now).boxed())
            .await?;
        if !is_due(next, now) {
            return Ok(Claimed::none());
        }
        self.app
            .db()
            .transaction(async |tx| {
                Ok(tx
                    .claim_cards(kind, now, now.plus(LEASE_DURATION), limit)
                    .await?)
            })
            .await
    }

    async fn reconcile(&self, due: &DueCard) -> Result<(), AppError> {
        let shown = match self.app.show(&RequestRef::Id(due.request.clone())).await {
            Ok(shown) => shown,
            Err(error) => return self.put_off_ours(due, &error).await,
        };
        let message = match due.form {
            Form::Direct => direct::news(&shown),
            // who reads the channel decides what may stand there; as long as that is not known, nothing is sent
            Form::Card | Form::Notice => {
                let now = self.app.now();
                let audience = match self.slack.audience(due.channel.as_str(), now).await {
                    Ok(audience) => audience,
                    Err(error) => return self.settle_card(due, Err(error), "").await,
                };
                match self.for_channel(due, &shown, audience).await {
                    Ok(message) => message,
                    Err(error) => return self.put_off_ours(due, &error).await,
                }
            }
        };
        let hash = hash_of(&message);
        let sent = match &due.ts {
            Some(ts) if due.shown.as_ref() == Some(&hash) => Ok(ts.clone()),
            ts => self.send_card(due, ts.as_deref(), &message).await,
        };
        self.settle_card(due, sent, &hash).await
    }

    /// The card or notice, as the readers of its channel may see it.
    async fn for_channel(
        &self,
        due: &DueCard,
        shown: &RequestDetails,
        audience: Audience,
    ) -> Result<Message, AppError> {
        if due.form == Form::Notice {
            let threads = self.app.threads(&due.request).await?;
            let cards = threads.iter().filter(|thread| !thread.is_of_notice);
            let channels: Vec<&ChannelId> = cards.map(|thread| &thread.channel).collect();
            return Ok(notice::notice(shown, &channels, audience));
        }
        let card = card_for(shown, audience);
        Ok(match page_for(shown, audience) {
            Some(page) => linked(card, page),
            None => card,
        })
    }

    async fn send_card(
        &self,
        due: &DueCard,
        ts: Option<&str>,
        message: &Message,
    ) -> Result<String, SlackError> {
        let channel = due.channel.as_str();
        match ts {
            Some(ts) => self
                .slack
                .update_message(channel, ts, message)
                .await
                .map(|_| ts.to_owned()),
            None => self
                .slack
                .post_message(channel, message, None)
                .await
                .map(|posted| posted.ts),
        }
    }

    async fn settle_card(
        &self,
        due: &DueCard,
        sent: Result<String, SlackError>,
        hash: &str,
    ) -> Result<(), AppError> {
        let now = self.app.now();
        let stalled = self
            .app
            .db()
            .transaction::<_, AppError>(async |tx| {
                match &sent {
                    Ok(ts) => {
                        tx.settle_card(due, ts, hash, now).await?;
                        if due.probes_after.is_some() {
                            tx.resume_channel(&due.channel, due.lane()).await?;
                        }
                    }
                    Err(SlackError::MessageNotFound) if due.ts.is_some() => {
                        tx.lose_card(due, now).await?;
                        if due.probes_after.is_some() {
                            tx.resume_channel(&due.channel, due.lane()).await?;
                        }
                    }
                    // nobody has set this channel up for Countersign; the card stands elsewhere
                    Err(error) if due.form == Form::Notice && error.closes_channel() => {
                        tracing::info!(request = %due.request, channel = %due.channel, %error, "notice dropped");
                        tx.drop_notice(due).await?;
                        if due.probes_after.is_some() {
                            pause(tx, due, error, now).await?;
                        }
                    }
                    Err(error @ SlackError::Transport(_)) => {
                        let next = next_try_elsewhere(now);
                        tx.release_card(due, next, &error.to_string()).await?;
                    }
                    Err(error) => return put_off(tx, due, error, now).await,
                }
                Ok(false)
            })
            .await?;
        match sent {
            Err(error) if stalled && error.is_final() && due.ts.is_none() => {
                self.give_up(due, &error).await
            }
            _ => Ok(()),
        }
    }

    /// A refusal of a new card: what has ended meanwhile needs none.
    async fn give_up(&self, due: &DueCard, error: &SlackError) -> Result<(), AppError> {
        let request = error.concerns_message().then_some(&due.request);
        let given_up = self
            .app
            .db()
            .transaction::<_, AppError>(async |tx| {
                let why = error.to_string();
                Ok(tx.give_up_ended_cards(&due.channel, request, &why).await?)
            })
            .await?;
        if given_up > 0 {
            tracing::warn!(channel = %due.channel, given_up, %error, "cards of ended requests given up");
        }
        Ok(())
    }

    /// The card could not be drawn, such as that of a request that cannot be read; the others go on.
    async fn put_off_ours(&self, due: &DueCard, error: &AppError) -> Result<(), AppError> {
        tracing::warn!(request = %due.request, %error, "card not drawn, trying again later");
        if matches!(error, AppError::Busy | AppError::ClockUnsure) {
            return Ok(()); // it is due again when its lease has ended
        }
        let next = next_try_of_ours(due.failures, self.app.now());
        self.app
            .db()
            .transaction(async |tx| {
                tx.put_off_card(due, next, &error.to_string()).await?;
                Ok(())
            })
            .await
    }
}

/// Slack did not take a card: it is tried again, with its channel where that may be the reason. Says whether the lease still held.
async fn put_off(
    tx: &mut Tx,
    due: &DueCard,
    error: &SlackError,
    now: Timestamp,
) -> Result<bool, AppError> {
    tracing::warn!(request = %due.request, channel = %due.channel, %error, "card is behind, trying again later");
    let alone = error.concerns_message();
    let next = if alone {
        next_try(error, due.failures, now)
    } else {
        now
    };
    if !tx.put_off_card(due, next, &error.to_string()).await? {
        return Ok(false);
    }
    if !alone {
        pause(tx, due, error, now).await?;
    }
    Ok(true)
}

/// Nothing more goes to the channel until its next probe.
async fn pause(
    tx: &mut Tx,
    due: &DueCard,
    error: &SlackError,
    now: Timestamp,
) -> Result<(), AppError> {
    let failures = due.probes_after.unwrap_or(0);
    let until = next_probe(error, failures, now);
    let failures = failures.saturating_add(1);
    tx.pause_channel(&due.channel, due.lane(), until, failures)
        .await?;
    Ok(())
}

/// What tells one state of a message from another.
pub(super) fn hash_of(message: &Message) -> String {
    Digest::of(message.body().to_string().as_bytes()).to_string()
}

/// Whether the next due time has come.
pub(super) fn is_due(next: Option<Timestamp>, now: Timestamp) -> bool {
    next.is_some_and(|due| due <= now)
}

/// The page that a card links to; another organization has none. Where approvals count on the web only, a button leads there.
fn page_for(shown: &RequestDetails, audience: Audience) -> Option<&str> {
    let has_button = shown.is_pending() && shown.request.web_only().is_some();
    let page = shown.page.as_deref();
    page.filter(|_| audience == Audience::Own && !has_button)
}
