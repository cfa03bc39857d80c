//! How the one who acted gets the answer: within the ack, or after it.

use super::{Ack, Told};
use crate::slack::client::Slack;
use crate::slack::error::SlackError;
use crate::slack::inbound::{Command, Interaction, InteractionKind};
use crate::slack::views::text::{cut, plain};
use crate::slack::views::{Message, kit};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// Where an answer goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
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

impl Place {
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
pub(super) struct Outlet {
    pub(super) slack: Slack,
    tasks: TaskTracker,
    patience: Duration,
}

impl Outlet {
    pub(super) fn new(slack: Slack, patience: Duration) -> Self {
        Self {
            slack,
            tasks: TaskTracker::new(),
            patience,
        }
    }

    /// Runs beside the ack; shutdown waits for it.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Ends when nothing is owed any more.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits for the work as long as Slack waits for us. What ends later is told later.
    pub(super) async fn answered(
        &self,
        place: Place,
        work: impl Future<Output = Told> + Send + 'static,
    ) -> Ack {
        let (tell, mut told) = oneshot::channel();
        let (late, late_place) = (self.clone(), place.clone());
        self.tasks.spawn(async move {
            if let Err(told) = tell.send(work.await) {
                late.tell_late(&late_place, told).await;
            }
        });
        if let Ok(told) = tokio::time::timeout(self.patience, &mut told).await {
            return told.map_or(Ack::TryAgain, |told| self.ack(place, told));
        }
        // closed first, so that an answer is either here or with the one who tells it late
        told.close();
        told.try_recv()
            .map_or(Ack::TryAgain, |told| self.ack(place, told))
    }

    /// The ack for what was told in time; what the ack cannot carry is told after it.
    pub(super) fn ack(&self, place: Place, told: Told) -> Ack {
        match (told, &place) {
            (Told::Choices(options), _) => Ack::Json(json!({ "options": options })),
            // a list has no room for words
            (_, Place::List) => Ack::Json(json!({ "options": [] })),
            (Told::Again, _) => Ack::TryAgain,
            (Told::Nothing, _)
            | (Told::Done(_), Place::Beside { passing: false, .. } | Place::Home { .. }) => Ack::Ok,
            (Told::Fields(wrong), Place::Sent { .. }) => {
                Ack::Json(json!({ "response_action": "errors", "errors": beside(wrong) }))
            }
            (Told::Done(message) | Told::Answer(message), Place::Command { .. }) => {
                let mut body = message.body();
                body["response_type"] = "ephemeral".into();
                Ack::Json(body)
            }
            (Told::Done(message) | Told::Answer(message), Place::Sent { .. }) => {
                Ack::Json(json!({ "response_action": "update", "view": notice(&message) }))
            }
            (told, _) => {
                let this = self.clone();
                self.spawn(async move { this.tell_late(&place, told).await });
                Ack::Ok
            }
        }
    }

    async fn tell_directly(&self, user: &str, message: &Message) -> Result<(), SlackError> {
        let channel = self.slack.open_dm(user).await?;
        let posted = self.slack.post_message(&channel, message, None).await;
        posted.map(|_| ())
    }

    /// Tells what the ack could not carry, best effort: it is not worth an outbox row (design 2.6).
    async fn tell_late(&self, place: &Place, told: Told) {
        let Some(message) = told.message() else {
            return;
        };
        let slack = &self.slack;
        let sent = match place {
            Place::Command {
                response_url: Some(url),
            }
            | Place::Beside {
                response_url: Some(url),
                ..
            } => slack.respond(url, &message).await,
            Place::Beside {
                channel: Some(channel),
                user: Some(user),
                ..
            } => slack.post_ephemeral(channel, user, &message).await,
            Place::Modal { view_id } | Place::Sent { view_id } => slack
                .update_view(view_id, None, &notice(&message))
                .await
                .map(|_| ()),
            Place::Home {
                trigger_id: Some(trigger_id),
                ..
            } => slack
                .open_view(trigger_id, &notice(&message))
                .await
                .map(|_| ()),
            Place::Direct { user: Some(user) } => self.tell_directly(user, &message).await,
            Place::Command { response_url: None }
            | Place::Beside { .. }
            | Place::Home { .. }
            | Place::List
            | Place::Direct { user: None } => return,
        };
        if let Err(error) = sent {
            warn!(%error, "an answer for one person was not delivered");
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
        vec![kit::section(&message.text)]
    } else {
        message.blocks.clone()
    };
    kit::modal("notice", "Countersign", "", &blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::inbound::Inbound;
    use secrecy::SecretString;

    fn outlet(patience: Duration) -> Outlet {
        let token = SecretString::from("xoxb-test");
        let slack = Slack::new(&token, "http://127.0.0.1:9/api").expect("a client");
        Outlet::new(slack, patience)
    }

    fn command() -> Place {
        Place::Command { response_url: None }
    }

    fn done() -> Told {
        Told::Done(Message::plain("done"))
    }

    #[tokio::test]
    async fn what_is_not_there_in_time_is_not_acknowledged_and_still_ends() {
        let outlet = outlet(Duration::from_millis(1));
        let (finish, finished) = oneshot::channel::<()>();
        let (ended, has_ended) = oneshot::channel();
        let work = async move {
            finished.await.expect("the work is not dropped");
            ended.send(()).expect("somebody waits");
            done()
        };
        assert_eq!(outlet.answered(command(), work).await, Ack::TryAgain);
        finish.send(()).expect("the work is not dropped");
        outlet.finish().await;
        assert_eq!(has_ended.await, Ok(()));
    }

    #[tokio::test]
    async fn what_is_there_in_time_is_acknowledged_with_its_answer() {
        let outlet = outlet(Duration::from_mins(1));
        assert_eq!(
            outlet.answered(command(), async { done() }).await,
            Ack::Json(json!({ "text": "done", "response_type": "ephemeral" }))
        );
        let again = outlet.answered(command(), async { Told::Again }).await;
        assert_eq!(again, Ack::TryAgain);
        let panicked = async { panic!("a fault of ours") };
        assert_eq!(outlet.answered(command(), panicked).await, Ack::TryAgain);
    }

    #[tokio::test]
    async fn a_card_that_shows_it_says_enough() {
        let outlet = outlet(Duration::from_mins(1));
        let beside = |passing| Place::Beside {
            response_url: None,
            channel: None,
            user: None,
            passing,
        };
        assert_eq!(outlet.ack(beside(false), done()), Ack::Ok);
        assert_eq!(outlet.tasks.len(), 0);
        assert_eq!(outlet.ack(beside(true), done()), Ack::Ok);
        assert_eq!(outlet.tasks.len(), 1);
        outlet.finish().await;
    }

    #[tokio::test]
    async fn a_wrong_input_is_told_beside_it() {
        let sent = Place::Sent {
            view_id: "V1".to_owned(),
        };
        let told = Told::Fields(vec![
            ("verdict", "Choose one.".to_owned()),
            ("comment", "Say why.".to_owned()),
            ("comment", "In words.".to_owned()),
        ]);
        assert_eq!(
            outlet(Duration::from_mins(1)).ack(sent, told),
            Ack::Json(json!({"response_action": "errors", "errors": {
                "verdict": "Choose one.",
                "comment": "Say why. In words.",
            }}))
        );
    }

    #[tokio::test]
    async fn a_list_gets_options_or_none() {
        let outlet = outlet(Duration::from_mins(1));
        let options = vec![json!({"value": "api"})];
        assert_eq!(
            outlet.ack(Place::List, Told::Choices(options.clone())),
            Ack::Json(json!({"options": options}))
        );
        for told in [Told::Again, Told::Answer(Message::plain("no"))] {
            assert_eq!(
                outlet.ack(Place::List, told),
                Ack::Json(json!({"options": []}))
            );
        }
    }

    #[test]
    fn answers_go_where_the_click_was() {
        let place = |json: &str| match Inbound::from_interaction(json) {
            Ok(Inbound::Interaction(seen)) => Place::interaction(&seen),
            other => panic!("{other:?}"),
        };
        let modal = place(r#"{"type":"block_actions","view":{"id":"V1","type":"modal"}}"#);
        assert_eq!(
            modal,
            Place::Modal {
                view_id: "V1".to_owned()
            }
        );
        let sent = place(r#"{"type":"view_submission","view":{"id":"V1","type":"modal"}}"#);
        assert_eq!(
            sent,
            Place::Sent {
                view_id: "V1".to_owned()
            }
        );
        let home = place(
            r#"{"type":"block_actions","trigger_id":"1","user":{"id":"U1"},"view":{"id":"V1","type":"home"}}"#,
        );
        assert_eq!(
            home,
            Place::Home {
                trigger_id: Some("1".to_owned()),
                user: Some("U1".to_owned())
            }
        );
        let list = place(r#"{"type":"block_suggestion","view":{"id":"V1","type":"modal"}}"#);
        assert_eq!(list, Place::List);
        let card = place(
            r#"{"type":"block_actions","user":{"id":"U1"},"channel":{"id":"C1"},"response_url":"u"}"#,
        );
        assert_eq!(
            card,
            Place::Beside {
                response_url: Some("u".to_owned()),
                channel: Some("C1".to_owned()),
                user: Some("U1".to_owned()),
                passing: false,
            }
        );
    }
}
