//! One dispatcher for all deliveries from Slack: the sender is checked first, then a use case is called, then the answer finds its way.

mod break_glass;
mod clicks;
mod commands;
mod context;
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
mod preferences;
mod reply;
mod reply_sender;
mod requests;
mod sign_ins;

use crate::app::{App, LogLimit};
use crate::slack::api::client::Slack;
use crate::slack::inbound::account_access::{AccessCache, AccessDenied};
use crate::slack::inbound::installation::{Installation, NotForUs};
use crate::slack::inbound::{Ack, Delivery, Handler, Inbound, Origin};
use crate::slack::ui::{Message, replies};
use context::Context;
use homes::Homes;
use reply::{Handled, Reply};
use reply_sender::{ReplySender, ReplyTarget};
use serde_json::json;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing::{Instrument as _, info, info_span, warn};

/// How long Slack waits for its ack at our side; its own limit is three seconds.
const SLACK_ACK_DEADLINE: Duration = Duration::from_millis(2_500);

/// Lines that somebody could cause at will.
static REFUSED_ACCOUNTS: LogLimit = LogLimit::new();
static NOT_FOR_US: LogLimit = LogLimit::new();

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
        let span = info_span!("slack", kind = inbound.kind(), delivery = %delivery.key);
        self.dispatch(inbound, delivery).instrument(span).await
    }

    async fn dispatch(&self, inbound: Inbound, delivery: Delivery) -> Ack {
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
            Inbound::Command(command) => {
                let target = ReplyTarget::command(&command);
                self.reply(target, origin, |installation| {
                    let user = command.user_id.as_deref();
                    let context = Context::new(self, installation, user, delivery);
                    async move { commands::handle(&context, &command).await }
                })
                .await
            }
            Inbound::Interaction(interaction) => {
                let target = ReplyTarget::interaction(&interaction);
                self.reply(target, origin, |installation| {
                    let user = interaction.user_id();
                    let context = Context::new(self, installation, user, delivery);
                    async move { clicks::handle(&context, &interaction).await }
                })
                .await
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

    /// Checks the sender, runs the handler, and answers within Slack's time.
    async fn reply<W: Future<Output = Handled> + Send + 'static>(
        &self,
        target: ReplyTarget,
        origin: Option<Origin>,
        handler: impl FnOnce(&Installation) -> W,
    ) -> Ack {
        let sender = &self.0.reply_sender;
        match admit(self.home(), origin) {
            Ok(installation) => {
                let work = handler(installation).in_current_span();
                sender.answered(target, work).await
            }
            Err(refusal) => sender.ack(target, Reply::Answer(refusal)),
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

#[cfg(test)]
mod tests;
