//! `/breakglass` as people in a hurry use it: the command, the form, the buttons.

use super::{masked, opened, said};
use crate::database::on_both;
use crate::world::{World, world};
use countersign::domain::time::Span;
use countersign::sandbox::{Forge, Values};
use serde_json::json;

const START: &str =
    "start actions=command.execute cluster=prod-eu-1 for=1h reason=\"checkout is down\"";

impl World {
    /// A person types `/breakglass`; returns what they read in reply.
    pub async fn breaks(&self, who: &str, text: &str) -> String {
        let answer = self
            .slack
            .command(who, "/breakglass", text)
            .await
            .expect("the bot answers");
        self.settle().await;
        answer.message.unwrap_or_default()
    }
}

on_both! {
    async fn complete_breakglass_command_starts_a_session_without_a_form(kind) {
        let world = world!(kind);
        insta::assert_snapshot!("help", world.breaks("dan", "").await);
        insta::assert_snapshot!("mallory", world.breaks("mallory", START).await);
        insta::assert_snapshot!("started", masked(&world.breaks("dan", START).await));
        insta::assert_snapshot!("status", masked(&world.breaks("dan", "status").await));
        // buttons are offered to people who may press them
        for who in ["erin", "mallory"] {
            let told = world.breaks(who, "status").await;
            assert!(told.contains("*active*") && !told.contains("End session"), "{who}: {told}");
        }
        let asked = world.types("dan", "request command.execute cluster=prod-eu-1 reason=\"drain a node\"").await;
        insta::assert_snapshot!("asked_under_it", asked);
        let over = world.breaks("dan", "revoke").await;
        assert!(over.contains("a review is owed"), "{over}");
        assert!(world.breaks("erin", "status").await.contains("[Mark reviewed]"));
        let own = world.breaks("dan", "status").await;
        assert!(own.contains("a review is owed") && !own.contains("Mark reviewed"), "{own}");
        assert!(said(&world, "security").concat().contains("Dan Davis has ended their session after"));
        assert!(world.breaks("dan", "revoke").await.contains("You have no active session"));
        assert!(world.breaks("dan", "stop").await.contains("Unknown word"));
        world.finish().await;
    }

    async fn incomplete_breakglass_command_opens_a_form(kind) {
        let world = world!(kind);
        assert_eq!(world.breaks("dan", "start cluster=prod-eu-1 reason=\"checkout is down\"").await, "");
        insta::assert_snapshot!("form", world.modal("dan"));
        let filled = Values::default()
            .with("reason", "x")
            .with("actions", json!(["cluster"]))
            .with("clusters", json!(["prod-eu-1"]))
            .with("duration", "1h");
        world.slack.submit_view("dan", filled).await.expect("the bot answers");
        world.settle().await;
        let errors = world.slack.modal("dan").expect("still there").errors;
        assert!(errors["reason"].contains("what the emergency is"), "{errors:?}");
        let filled = Values::default()
            .with("reason", "checkout is down")
            .with("actions", json!(["cluster"]))
            .with("clusters", json!(["prod-eu-1"]))
            .with("duration", "1h")
            .with("responders", json!(["dan", "carol"]));
        world.slack.submit_view("dan", filled).await.expect("the bot answers");
        world.settle().await;
        assert!(world.modal("dan").contains("The session is"), "{}", world.modal("dan"));
        let alerts = said(&world, "security");
        assert!(alerts[0].contains("Responders: Dan Davis, Carol Clark"), "{alerts:?}");
        // people who may not start a session are refused before they fill in a form
        assert!(world.breaks("bob", "start").await.contains("You may not start a break-glass session"));
        world.finish().await;
    }

    /// A name that is lost between the command and the form would widen the session's scope.
    async fn breakglass_form_keeps_typed_names_even_unknown_ones(kind) {
        let world = world!(kind);
        world.breaks("dan", "start cluster=prod-eu-7,prod-eu-1 responders=service:ci,erin for=9h reason=\"checkout is down\"").await;
        let form = world.modal("dan");
        for chosen in ["now prod-eu-7, prod-eu-1", "now service:ci, Erin Evans (erin)", "now 9h"] {
            assert!(form.contains(chosen), "{chosen}: {form}");
        }
        world.slack.submit_view("dan", Values::default().with("actions", json!(["cluster"]))).await.expect("the bot answers");
        let errors = world.slack.modal("dan").expect("still there").errors;
        assert!(errors["clusters"].contains("prod-eu-7") && errors["duration"].contains("from 30m to 4h"), "{errors:?}");
        let mended = Values::default()
            .with("actions", json!(["cluster"]))
            .with("clusters", json!(["prod-eu-1"]))
            .with("duration", "1h");
        world.slack.submit_view("dan", mended).await.expect("the bot answers");
        world.settle().await;
        let alerts = said(&world, "security");
        assert!(alerts[0].contains("cluster prod-eu-1") && alerts[0].contains("Responders: ci, Erin Evans"), "{alerts:?}");
        world.finish().await;
    }

    async fn alerts_have_only_the_buttons_that_apply(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        let alert = world.slack.messages("security")[0].clone();
        assert_eq!(alert.actions, ["bg_revoke"]);
        assert!(alert.notification.starts_with("Break-glass: Dan Davis has started a session"), "{}", alert.notification);
        // mallory is refused, and only mallory sees that
        world.slack.click("mallory", &alert.channel, &alert.ts, "bg_revoke").await.expect("answered");
        world.settle().await;
        assert!(world.told("mallory").join("").contains("You may not do this"), "{:?}", world.told("mallory"));
        world.slack.click("carol", &alert.channel, &alert.ts, "bg_revoke").await.expect("answered");
        world.settle().await;
        let end = world.slack.messages("security")[1].clone();
        assert!(end.text.contains("Carol Clark has ended the session of Dan Davis after"), "{}", end.text);
        assert_eq!(end.actions, ["bg_review"]);

        // involved people are refused before they write a note
        world.slack.click("dan", &end.channel, &end.ts, "bg_review").await.expect("answered");
        world.settle().await;
        assert!(world.told("dan").join("").contains("You took part in this session"), "{:?}", world.told("dan"));
        world.slack.click("erin", &end.channel, &end.ts, "bg_review").await.expect("answered");
        world.settle().await;
        insta::assert_snapshot!("review_form", masked(&world.modal("erin")));
        world.slack.submit_view("erin", [("note", "a drain was needed; nothing else was touched")]).await.expect("answered");
        world.settle().await;
        assert!(world.modal("erin").contains("reviewed by Erin Evans"), "{}", world.modal("erin"));
        assert!(world.slack.messages("security")[1].actions.is_empty());
        assert!(said(&world, "security")[2].contains("a drain was needed"));
        world.finish().await;
    }

    async fn breakglass_form_is_checked_against_the_person_who_submits_it_sl13(kind) {
        let world = world!(kind);
        world.breaks("dan", "start").await;
        let filled = Values::default()
            .with("reason", "checkout is down")
            .with("actions", json!(["cluster"]))
            .with("clusters", json!(["prod-eu-1"]))
            .with("duration", "1h");
        let forged = Forge { user_id: Some("U04MALLORY".to_owned()), ..Forge::default() };
        let delivery = world.slack.submit_delivery("dan", &filled, forged).expect("it can be sent");
        let answer = world.delivers(&delivery).await;
        assert!(answer.body.contains("You may not start a break-glass session"), "{}", answer.body);
        assert_eq!(said(&world, "security"), Vec::<String>::new());
        world.passes(Span::minutes(1)).await;
        world.slack.forgive();
        world.finish().await;
    }
}
