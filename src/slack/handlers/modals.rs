//! Modals open in time: Slack's trigger lives three seconds, and what a modal shows may have to be looked up first.

use super::context::Context;
use super::reply::{Failure, Handled, Reply};
use super::reply_sender::notice;
use crate::slack::api::client::Slack;
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

/// What a modal will show, or why it is not opened.
pub(super) type FutureView = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>>;

/// Slack's permission to open one modal.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    trigger_id: String,
    /// Whether it opens on top of another one; Slack shows up to three.
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

    async fn open(&self, slack: &Slack, view: &Value) -> Result<OpenedView, SlackError> {
        if self.trigger_id.is_empty() {
            return Err(SlackError::ExpiredTrigger);
        }
        if self.on_top {
            slack.push_view(&self.trigger_id, view).await
        } else {
            slack.open_view(&self.trigger_id, view).await
        }
    }
}

/// Opens a modal. Content that takes long is not waited for: a light view takes its place until it is there.
pub(super) async fn open(context: &Context, opening: &Opening, mut view: FutureView) -> Handled {
    if let Ok(view) = tokio::time::timeout(FILL_DEADLINE, &mut view).await {
        return open_now(context, opening, &view?).await;
    }
    let opened = opening.open(context.slack(), &loading()).await;
    fill_later(context, opened.map_err(|error| not_opened(&error))?, view);
    Ok(Reply::Nothing)
}

/// Opens a modal whose content is there.
pub(super) async fn open_now(context: &Context, opening: &Opening, view: &Value) -> Handled {
    match opening.open(context.slack(), view).await {
        Ok(_) => Ok(Reply::Nothing),
        Err(error) => Err(not_opened(&error)),
    }
}

/// Puts the content into the light view once it is there; a refusal is shown there, too.
fn fill_later(context: &Context, opened: OpenedView, view: FutureView) {
    let slack = context.slack().clone();
    context.spawn(async move {
        let view = match view.await {
            Ok(view) => view,
            Err(failure) => match Reply::from(failure).message() {
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

/// The light view.
fn loading() -> Value {
    notice(&Message {
        text: "One moment.".to_owned(),
        blocks: vec![blocks::section("One moment: Countersign is looking it up.")],
    })
}

/// Slack did not open or update a modal.
pub(super) fn not_opened(error: &SlackError) -> Failure {
    warn!(%error, "modal not opened");
    replies::no_modal().into()
}

/// The modal that was clicked in; the Home tab is a view too, but no modal.
pub(super) fn modal(seen: &Interaction) -> Option<&View> {
    let view = seen.view.as_ref()?;
    (view.kind.as_deref() != Some("home")).then_some(view)
}
