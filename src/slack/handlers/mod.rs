//! One dispatcher for all deliveries from Slack: the sender is checked first, then a use case is called, then the answer finds its way.

mod break_glass;
mod clicks;
mod commands;
mod decisions;
mod events;
mod executions;
mod home;
mod homes;
mod listing;
mod lists;
mod modals;
mod people;
mod policies;
mod reply_sender;
mod requests;

use crate::app::{App, AppError, IdempotencyKey, LogLimit};
use crate::domain::eligibility::Ineligible;
use crate::domain::people::{Person, SlackAccount};
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;
use crate::slack::api::client::Slack;
use crate::slack::inbound::account_access::{AccessCache, AccessDenied};
use crate::slack::inbound::installation::{Installation, NotForUs};
use crate::slack::inbound::{Ack, Command, Delivery, Handler, Inbound, Interaction, Origin};
use crate::slack::ui::text::escape;
use crate::slack::ui::{Message, replies};
use homes::Homes;
use reply_sender::{ReplySender, ReplyTarget};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing::{error, info, warn};

/// How long Slack waits for its ack at our side; its own limit is three seconds.
const SLACK_ACK_DEADLINE: Duration = Duration::from_millis(2_500);

/// Lines that somebody could cause at will.
static REFUSED_ACCOUNTS: LogLimit = LogLimit::new();
static NOT_FOR_US: LogLimit = LogLimit::new();
static FAILED: LogLimit = LogLimit::new();

/// The dispatcher; cheap to clone.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

struct Inner {
    app: App,
    reply_sender: ReplySender,
    home: OnceLock<Installation>,
    access: AccessCache,
    directory_refresh: people::DirectoryRefresh,
    homes: Homes,
}

/// What a use case's end means for the one who clicked.
#[derive(Debug, Clone, PartialEq)]
enum Reply {
    /// Nothing to say, or it has been said before.
    Nothing,
    /// It is done. A card that shows it says enough.
    Done(Message),
    /// It is not done, or an answer was asked for: this must be read.
    Answer(Message),
    /// What is wrong with the inputs of a modal, by `block_id`.
    Fields(Vec<(&'static str, String)>),
    /// What fits the letters typed into a long list.
    Choices(Vec<Value>),
    /// Not done; Slack's own sign of failure tells it best.
    Again,
}

impl Reply {
    /// The words, where somebody is to read some.
    fn message(self) -> Option<Message> {
        match self {
            Self::Nothing | Self::Choices(_) => None,
            Self::Done(message) | Self::Answer(message) => Some(message),
            Self::Fields(wrong) => {
                let why: Vec<String> = wrong.into_iter().map(|(_, why)| why).collect();
                Some(Message::plain(escape(&why.join(" "))))
            }
            Self::Again => Some(replies::busy()),
        }
    }
}

impl Dispatcher {
    /// A dispatcher that refuses everything until it learns where home is.
    pub fn new(app: App, slack: Slack) -> Self {
        Self(Arc::new(Inner {
            app,
            reply_sender: ReplySender::new(slack, SLACK_ACK_DEADLINE),
            home: OnceLock::new(),
            access: AccessCache::default(),
            directory_refresh: people::DirectoryRefresh::default(),
            homes: Homes::default(),
        }))
    }

    /// Says where home is; the first answer stays.
    pub fn learn(&self, home: Installation) {
        // a second answer names the same installation: the token is the same
        let _ = self.0.home.set(home);
    }

    /// Where home is, once it is known; until then this replica is not ready.
    pub fn home(&self) -> Option<&Installation> {
        self.0.home.get()
    }

    /// Takes one delivery, whose signature has been checked or whose socket is ours.
    pub async fn handle(&self, inbound: Inbound, delivery: Delivery) -> Ack {
        let origin = inbound.origin();
        match inbound {
            Inbound::UrlVerification { challenge } => Ack::Json(json!({ "challenge": challenge })),
            Inbound::SslCheck => Ack::Ok,
            Inbound::Unusable { kind } => {
                info!(kind, "delivery of an unused kind ignored");
                Ack::Ok
            }
            Inbound::Event(event) => {
                if admit(self.home(), origin).is_ok() {
                    self.happened(&event.event);
                }
                Ack::Ok
            }
            Inbound::Command(command) => self.commanded(*command, origin, delivery).await,
            Inbound::Interaction(interaction) => {
                self.interacted(*interaction, origin, delivery).await
            }
        }
    }

    /// [`Dispatcher::handle`] as a function, for those who receive deliveries.
    pub fn handler(&self) -> Handler {
        let this = self.clone();
        Arc::new(move |inbound, delivery| {
            let this = this.clone();
            Box::pin(async move { this.handle(inbound, delivery).await })
        })
    }

    /// Ends when every answer under way has been given; new ones may still begin.
    pub async fn finish(&self) {
        self.0.reply_sender.finish().await;
    }

    async fn commanded(&self, command: Command, origin: Option<Origin>, once: Delivery) -> Ack {
        let target = ReplyTarget::command(&command);
        match admit(self.home(), origin) {
            Ok(home) => {
                let (this, home) = (self.clone(), home.clone());
                let work = async move { this.command(&home, command, once).await };
                self.0.reply_sender.answered(target, work).await
            }
            Err(refusal) => self.0.reply_sender.ack(target, Reply::Answer(refusal)),
        }
    }

    async fn interacted(&self, seen: Interaction, origin: Option<Origin>, once: Delivery) -> Ack {
        let target = ReplyTarget::interaction(&seen);
        match admit(self.home(), origin) {
            Ok(home) => {
                let (this, home) = (self.clone(), home.clone());
                let work = async move { this.interaction(&home, seen, once).await };
                self.0.reply_sender.answered(target, work).await
            }
            Err(refusal) => self.0.reply_sender.ack(target, Reply::Answer(refusal)),
        }
    }

    /// The account of the one who acts, or what they are told.
    async fn account(
        &self,
        home: &Installation,
        user_id: Option<&str>,
    ) -> Result<SlackAccount, Reply> {
        let user_id = user_id.filter(|id| !id.is_empty() && id.len() <= 64);
        let Some(user_id) = user_id else {
            return Err(Reply::Answer(replies::unchecked()));
        };
        let Inner {
            app,
            reply_sender,
            access,
            ..
        } = &*self.0;
        let asked_at = app.now();
        let looked = access
            .look(&reply_sender.slack, home, user_id, asked_at)
            .await;
        if let Ok((access, Some(user))) = &looked
            && user.id == user_id
        {
            self.share_standing(home, user, access, asked_at).await;
        }
        match looked.map(|(access, _)| access) {
            Ok(Ok(account)) => Ok(account),
            Ok(Err(why)) => {
                if let Some(left_out) = REFUSED_ACCOUNTS.admit() {
                    info!(user_id, %why, left_out, "refused an account without access");
                }
                Err(Reply::Answer(replies::access_denied(why)))
            }
            Err(error) => {
                warn!(%error, "account access lookup failed");
                Err(Reply::Answer(replies::unchecked()))
            }
        }
    }

    /// The person behind an account, for everything but decisions, which find it within their own unit of work.
    async fn person(&self, account: &SlackAccount) -> Result<Person, Reply> {
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        let person = config.directory().by_slack(account);
        let may_act = |_: &&Person| !config.directory().is_refused(account);
        match person.filter(|person| person.active).filter(may_act) {
            Some(person) => Ok(person.clone()),
            None => Err(Reply::Answer(replies::not_listed(match person {
                Some(_) => &Ineligible::Inactive,
                None => &Ineligible::Unknown,
            }))),
        }
    }
}

/// Our app, our home: before anything is touched (threats B44, B45, B58).
fn admit(home: Option<&Installation>, origin: Option<Origin>) -> Result<&Installation, Message> {
    let Some(home) = home else {
        warn!("refused: the own app id is not known yet");
        return Err(replies::busy());
    };
    match home.admits(&origin.unwrap_or_default()) {
        Ok(()) => Ok(home),
        Err(why) => {
            if let Some(left_out) = NOT_FOR_US.admit() {
                warn!(%why, left_out, "refused a delivery that is not for us");
            }
            Err(match why {
                NotForUs::App => replies::another_app(),
                NotForUs::Workspace => replies::access_denied(AccessDenied::Stranger),
            })
        }
    }
}

/// What a failed use case means for the one who waits.
fn failed(error: &AppError) -> Reply {
    match error {
        AppError::Refused(refusal) => refused(refusal),
        AppError::Busy | AppError::ClockUnsure => Reply::Again,
        AppError::NotWritable(reason) => {
            error!(reason, "refused: the database cannot be written");
            Reply::Answer(replies::not_writable(reason))
        }
        AppError::NoDatabase(reason) => {
            error!(reason, "refused: the database does not answer");
            Reply::Answer(replies::no_database())
        }
        AppError::UnreadableConfig(reason) => {
            error!(reason, "refused: the stored configuration cannot be read");
            Reply::Answer(replies::unreadable_config())
        }
        AppError::Internal(reason) => {
            if let Some(left_out) = FAILED.admit() {
                error!(reason, left_out, "a use case failed");
            }
            Reply::Answer(replies::broken())
        }
    }
}

fn refused(refusal: &Refusal) -> Reply {
    Reply::Answer(replies::refusal(refusal, None))
}

/// A delivery's key is kept for a day (docs/decisions.md D23).
fn once(delivery: Delivery) -> IdempotencyKey {
    IdempotencyKey {
        key: delivery.key,
        fingerprint: delivery.fingerprint,
        keep: Span::hours(24),
    }
}

#[cfg(test)]
mod tests;
