//! Modals open in time: Slack's trigger lives three seconds, and what a modal shows may have to be looked up first.

use super::reply_sender::notice;
use super::{Dispatcher, Reply};
use crate::slack::api::error::SlackError;
use crate::slack::api::reply::OpenedView;
use crate::slack::inbound::{Command, Interaction, View};
use crate::slack::ui::{Message, blocks, replies};
use serde_json::Value;
use std::pin::Pin;
use std::time::Duration;
use tracing::warn;

/// How long a modal's content may take before a light view is opened in its place.
const FILL_DEADLINE: Duration = Duration::from_secs(1);

/// What a modal will show, or what is told instead.
pub(super) type Content = Pin<Box<dyn Future<Output = Result<Value, Reply>> + Send>>;

/// Slack's leave to open one modal.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    trigger_id: String,
    /// Whether it lies on top of another one; three fit.
    on_top: bool,
}

impl Opening {
    pub(super) fn of_command(command: &Command) -> Self {
        Self {
            trigger_id: command.trigger_id.clone().unwrap_or_default(),
            on_top: false,
        }
    }

    pub(super) fn of_click(seen: &Interaction) -> Self {
        Self {
            trigger_id: seen.trigger_id.clone().unwrap_or_default(),
            on_top: modal(seen).is_some(),
        }
    }
}

impl Dispatcher {
    /// Opens a modal. Content that takes long is not waited for: a light view takes its place until it is there.
    pub(super) async fn open(&self, opening: &Opening, mut content: Content) -> Reply {
        match tokio::time::timeout(FILL_DEADLINE, &mut content).await {
            Ok(Ok(view)) => match self.open_now(opening, &view).await {
                Ok(_) => Reply::Nothing,
                Err(error) => lost_view(&error),
            },
            Ok(Err(reply)) => reply,
            Err(_) => match self.open_now(opening, &loading()).await {
                Ok(opened) => {
                    self.fill_later(opened, content);
                    Reply::Nothing
                }
                Err(error) => lost_view(&error),
            },
        }
    }

    /// Opens a modal whose content is there.
    pub(super) async fn open_now(
        &self,
        opening: &Opening,
        view: &Value,
    ) -> Result<OpenedView, SlackError> {
        if opening.trigger_id.is_empty() {
            return Err(SlackError::ExpiredTrigger);
        }
        let slack = &self.0.reply_sender.slack;
        if opening.on_top {
            slack.push_view(&opening.trigger_id, view).await
        } else {
            slack.open_view(&opening.trigger_id, view).await
        }
    }

    /// Puts the content into the light view once it is there; a refusal is said there, too.
    fn fill_later(&self, opened: OpenedView, content: Content) {
        let slack = self.0.reply_sender.slack.clone();
        self.0.reply_sender.spawn(async move {
            let view = match content.await {
                Ok(view) => view,
                Err(reply) => match reply.message() {
                    Some(message) => notice(&message),
                    None => return,
                },
            };
            let hash = opened.hash.as_deref();
            if let Err(error) = slack.update_view(&opened.id, hash, &view).await {
                warn!(%error, "modal not filled");
            }
        });
    }
}

/// The light view.
fn loading() -> Value {
    notice(&Message {
        text: "One moment.".to_owned(),
        blocks: vec![blocks::section("One moment: Countersign is looking it up.")],
    })
}

pub(super) fn lost_view(error: &SlackError) -> Reply {
    warn!(%error, "modal not opened");
    Reply::Answer(replies::no_modal())
}

/// The modal that was clicked in; the Home tab is a view too, but no modal.
pub(super) fn modal(seen: &Interaction) -> Option<&View> {
    let view = seen.view.as_ref()?;
    (view.kind.as_deref() != Some("home")).then_some(view)
}
