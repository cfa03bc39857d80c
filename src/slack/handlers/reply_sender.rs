//! How the one who acted gets the answer: within the ack, or after it.

use super::reply::{Handled, Reply};
use crate::slack::api::client::Slack;
use crate::slack::api::error::SlackError;
use crate::slack::inbound::{Ack, Command, Interaction, InteractionKind};
use crate::slack::ui::text::{cut, plain};
use crate::slack::ui::{Message, blocks};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, warn};

/// Where an answer goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ReplyTarget {
    /// Under the command that was typed; in time within the ack.
    Command { response_url: Option<String> },
    /// Beside the message whose button was clicked.
    Beside {
        response_url: Option<String>,
        channel: Option<String>,
        user: Option<String>,
        /// Whether the message is a passing one, which no worker brings up to date.
        passing: bool,
    },
    /// In the modal whose button was clicked.
    Modal { view_id: String },
    /// In the modal that was sent; in time within the ack.
    Sent { view_id: String },
    /// On the Home tab, which is published anew: only what must be read opens as a small modal.
    Home {
        trigger_id: Option<String>,
        user: Option<String>,
    },
    /// In a list that opens under the letters typed so far.
    List,
    /// A direct message, where there is no other place.
    Direct { user: Option<String> },
}

impl ReplyTarget {
    pub(super) fn command(command: &Command) -> Self {
        Self::Command {
            response_url: command.response_url.clone(),
        }
    }

    pub(super) fn interaction(seen: &Interaction) -> Self {
        let user = seen.user.as_ref().and_then(|user| user.id.clone());
        let view = seen.view.as_ref();
        let modal = view
            .filter(|view| view.kind.as_deref() != Some("home"))
            .and_then(|view| view.id.clone());
        match (seen.kind, modal) {
            (InteractionKind::ViewSubmission, Some(view_id)) => Self::Sent { view_id },
            (InteractionKind::BlockActions, Some(view_id)) => Self::Modal { view_id },
            (InteractionKind::BlockSuggestion, _) => Self::List,
            (InteractionKind::BlockActions, None) if view.is_some() => Self::Home {
                trigger_id: seen.trigger_id.clone(),
                user,
            },
            (InteractionKind::BlockActions | InteractionKind::MessageAction, None)
                if view.is_none() =>
            {
                let container = seen.container.as_ref();
                Self::Beside {
                    response_url: seen.response_url.clone(),
                    channel: seen.channel_id().map(str::to_owned),
                    user,
                    passing: container.and_then(|c| c.is_ephemeral).unwrap_or(false),
                }
            }
            _ => Self::Direct { user },
        }
    }
}

/// Answers, and the tasks that still owe one; cheap to clone.
#[derive(Clone)]
pub(super) struct ReplySender {
    pub(super) slack: Slack,
    tasks: TaskTracker,
    patience: Duration,
}

impl ReplySender {
    pub(super) fn new(slack: Slack, patience: Duration) -> Self {
        Self {
            slack,
            tasks: TaskTracker::new(),
            patience,
        }
    }

    /// Runs beside the ack; shutdown waits for it.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work.in_current_span());
    }

    /// Ends when nothing is owed any more.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits for the work as long as Slack waits for us. What ends later is told later.
    pub(super) async fn answered(
        &self,
        target: ReplyTarget,
        work: impl Future<Output = Handled> + Send + 'static,
    ) -> Ack {
        let (tell, mut reply) = oneshot::channel();
        let (late, late_place) = (self.clone(), target.clone());
        self.tasks.spawn(async move {
            let handled = work.await.unwrap_or_else(Reply::from);
            if let Err(reply) = tell.send(handled) {
                late.reply_late(&late_place, reply).await;
            }
        });
        if let Ok(reply) = tokio::time::timeout(self.patience, &mut reply).await {
            return reply.map_or(Ack::TryAgain, |reply| self.ack(target, reply));
        }
        // closed first, so that an answer is either here or with the one who tells it late
        reply.close();
        reply
            .try_recv()
            .map_or(Ack::TryAgain, |reply| self.ack(target, reply))
    }

    /// The ack for what was told in time; what the ack cannot carry is told after it.
    pub(super) fn ack(&self, target: ReplyTarget, reply: Reply) -> Ack {
        match (reply, &target) {
            (Reply::Choices(options), _) => Ack::Json(json!({ "options": options })),
            // a list has no room for words
            (_, ReplyTarget::List) => Ack::Json(json!({ "options": [] })),
            (Reply::Again, _) => Ack::TryAgain,
            (Reply::Nothing, _)
            | (
                Reply::Done(_),
                ReplyTarget::Beside { passing: false, .. } | ReplyTarget::Home { .. },
            ) => Ack::Ok,
            (Reply::Fields(wrong), ReplyTarget::Sent { .. }) => {
                Ack::Json(json!({ "response_action": "errors", "errors": beside(wrong) }))
            }
            (Reply::Done(message) | Reply::Answer(message), ReplyTarget::Command { .. }) => {
                let mut body = message.body();
                body["response_type"] = "ephemeral".into();
                Ack::Json(body)
            }
            (Reply::Done(message) | Reply::Answer(message), ReplyTarget::Sent { .. }) => {
                Ack::Json(json!({ "response_action": "update", "view": notice(&message) }))
            }
            (reply, _) => {
                let this = self.clone();
                self.spawn(async move { this.reply_late(&target, reply).await });
                Ack::Ok
            }
        }
    }

    async fn reply_directly(&self, user: &str, message: &Message) -> Result<(), SlackError> {
        let channel = self.slack.open_dm(user).await?;
        let posted = self.slack.post_message(&channel, message, None).await;
        posted.map(|_| ())
    }

    /// Tells what the ack could not carry, best effort: it is not worth an outbox row (docs/decisions.md D23).
    async fn reply_late(&self, target: &ReplyTarget, reply: Reply) {
        let Some(message) = reply.message() else {
            return;
        };
        let slack = &self.slack;
        let sent = match target {
            ReplyTarget::Command {
                response_url: Some(url),
            }
            | ReplyTarget::Beside {
                response_url: Some(url),
                ..
            } => slack.respond(url, &message).await,
            ReplyTarget::Beside {
                channel: Some(channel),
                user: Some(user),
                ..
            } => slack.post_ephemeral(channel, user, &message).await,
            ReplyTarget::Modal { view_id } | ReplyTarget::Sent { view_id } => slack
                .update_view(view_id, None, &notice(&message))
                .await
                .map(|_| ()),
            ReplyTarget::Home {
                trigger_id: Some(trigger_id),
                ..
            } => slack
                .open_view(trigger_id, &notice(&message))
                .await
                .map(|_| ()),
            ReplyTarget::Direct { user: Some(user) } => self.reply_directly(user, &message).await,
            ReplyTarget::Command { response_url: None }
            | ReplyTarget::Beside { .. }
            | ReplyTarget::Home { .. }
            | ReplyTarget::List
            | ReplyTarget::Direct { user: None } => return,
        };
        if let Err(error) = sent {
            warn!(%error, "reply to one person not delivered");
        }
    }
}

/// Errors by the block they stand beside; two of one block stand there together.
fn beside(wrong: Vec<(&'static str, String)>) -> Map<String, Value> {
    let mut errors = Map::new();
    for (block_id, why) in wrong {
        let said = errors.get(block_id).and_then(Value::as_str);
        let all = said.map_or_else(|| why.clone(), |said| format!("{said} {why}"));
        errors.insert(block_id.to_owned(), cut(&plain(&all), FIELD_ERROR).into());
    }
    errors
}

/// The longest error beside a field; longer ones push the form off the screen.
const FIELD_ERROR: usize = 500;

/// A modal that says one thing.
pub(super) fn notice(message: &Message) -> Value {
    let blocks = if message.blocks.is_empty() {
        vec![blocks::section(&message.text)]
    } else {
        message.blocks.clone()
    };
    blocks::modal("notice", "Countersign", "", &blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::inbound::Inbound;
    use secrecy::SecretString;

    fn reply_sender(patience: Duration) -> ReplySender {
        let token = SecretString::from("xoxb-test");
        let slack = Slack::new(&token, "http://127.0.0.1:9/api").expect("a client");
        ReplySender::new(slack, patience)
    }

    fn command() -> ReplyTarget {
        ReplyTarget::Command { response_url: None }
    }

    fn done() -> Reply {
        Reply::Done(Message::plain("done"))
    }

    #[tokio::test]
    async fn slow_handler_is_not_acked_but_completes() {
        let reply_sender = reply_sender(Duration::from_millis(1));
        let (finish, finished) = oneshot::channel::<()>();
        let (ended, has_ended) = oneshot::channel();
        let work = async move {
            finished.await.expect("the work is not dropped");
            ended.send(()).expect("somebody waits");
            Ok(done())
        };
        assert_eq!(reply_sender.answered(command(), work).await, Ack::TryAgain);
        finish.send(()).expect("the work is not dropped");
        reply_sender.finish().await;
        assert_eq!(has_ended.await, Ok(()));
    }

    #[tokio::test]
    async fn fast_handler_is_acked_with_its_reply() {
        let reply_sender = reply_sender(Duration::from_mins(1));
        assert_eq!(
            reply_sender.answered(command(), async { Ok(done()) }).await,
            Ack::Json(json!({ "text": "done", "response_type": "ephemeral" }))
        );
        let again = reply_sender
            .answered(command(), async { Ok(Reply::Again) })
            .await;
        assert_eq!(again, Ack::TryAgain);
        let panicked = async { panic!("a fault of ours") };
        assert_eq!(
            reply_sender.answered(command(), panicked).await,
            Ack::TryAgain
        );
    }

    #[tokio::test]
    async fn visible_card_needs_no_reply() {
        let reply_sender = reply_sender(Duration::from_mins(1));
        let beside = |passing| ReplyTarget::Beside {
            response_url: None,
            channel: None,
            user: None,
            passing,
        };
        assert_eq!(reply_sender.ack(beside(false), done()), Ack::Ok);
        assert_eq!(reply_sender.tasks.len(), 0);
        assert_eq!(reply_sender.ack(beside(true), done()), Ack::Ok);
        assert_eq!(reply_sender.tasks.len(), 1);
        reply_sender.finish().await;
    }

    #[tokio::test]
    async fn field_errors_are_shown_beside_their_fields() {
        let sent = ReplyTarget::Sent {
            view_id: "V1".to_owned(),
        };
        let reply = Reply::Fields(vec![
            ("verdict", "Choose one.".to_owned()),
            ("comment", "Say why.".to_owned()),
            ("comment", "In words.".to_owned()),
        ]);
        assert_eq!(
            reply_sender(Duration::from_mins(1)).ack(sent, reply),
            Ack::Json(json!({"response_action": "errors", "errors": {
                "verdict": "Choose one.",
                "comment": "Say why. In words.",
            }}))
        );
    }

    #[tokio::test]
    async fn option_lists_get_options_or_an_empty_list() {
        let reply_sender = reply_sender(Duration::from_mins(1));
        let options = vec![json!({"value": "api"})];
        assert_eq!(
            reply_sender.ack(ReplyTarget::List, Reply::Choices(options.clone())),
            Ack::Json(json!({"options": options}))
        );
        for reply in [Reply::Again, Reply::Answer(Message::plain("no"))] {
            assert_eq!(
                reply_sender.ack(ReplyTarget::List, reply),
                Ack::Json(json!({"options": []}))
            );
        }
    }

    #[test]
    fn reply_target_follows_the_interaction() {
        let target = |json: &str| match Inbound::from_interaction(json) {
            Ok(Inbound::Interaction(seen)) => ReplyTarget::interaction(&seen),
            other => panic!("{other:?}"),
        };
        let modal = target(r#"{"type":"block_actions","view":{"id":"V1","type":"modal"}}"#);
        assert_eq!(
            modal,
            ReplyTarget::Modal {
                view_id: "V1".to_owned()
            }
        );
        let sent = target(r#"{"type":"view_submission","view":{"id":"V1","type":"modal"}}"#);
        assert_eq!(
            sent,
            ReplyTarget::Sent {
                view_id: "V1".to_owned()
            }
        );
        let home = target(
            r#"{"type":"block_actions","trigger_id":"1","user":{"id":"U1"},"view":{"id":"V1","type":"home"}}"#,
        );
        assert_eq!(
            home,
            ReplyTarget::Home {
                trigger_id: Some("1".to_owned()),
                user: Some("U1".to_owned())
            }
        );
        let list = target(r#"{"type":"block_suggestion","view":{"id":"V1","type":"modal"}}"#);
        assert_eq!(list, ReplyTarget::List);
        let card = target(
            r#"{"type":"block_actions","user":{"id":"U1"},"channel":{"id":"C1"},"response_url":"u"}"#,
        );
        assert_eq!(
            card,
            ReplyTarget::Beside {
                response_url: Some("u".to_owned()),
                channel: Some("C1".to_owned()),
                user: Some("U1".to_owned()),
                passing: false,
            }
        );
    }
}
