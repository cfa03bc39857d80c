//! Alerts are stored in the transaction of their cause, sent before other messages, survive outages, and are kept until they are delivered
//! (threats OP7, B74).

use super::{masked, opened, revoke, said, start};
use crate::client::{Api, command, deploy, text};
use crate::database::on_both;
use crate::world::world;
use countersign::app::AppError;
use countersign::domain::id::SessionId;
use countersign::domain::time::Span;
use countersign::sandbox::Fault;
use serde_json::json;

on_both! {
    async fn slack_outage_loses_no_alert_and_delays_no_session_start_op7(kind) {
        let mut world = world!(kind);
        world.slack.set_outage(true);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        let used = dan.submit(command()).await.ok();
        dan.execute(&text(&used, "id"), &text(&used, "digest")).await.ok();
        world.passes(Span::minutes(61)).await;
        assert_eq!(said(&world, "security"), Vec::<String>::new());
        // the restart shows that alerts are not kept in memory
        world.restart().await;
        world.passes(Span::hours(3)).await;
        world.slack.set_outage(false);
        world.passes(Span::minutes(2)).await;
        let alerts = said(&world, "security");
        assert_eq!(alerts.len(), 3, "{alerts:?}");
        for (alert, says) in alerts.iter().zip(["has started a session", "bypassed one policy", "is over after 1 h"]) {
            assert!(alert.contains(says), "{says}: {alert}");
        }
        // the first alert came too late for its button
        assert!(world.slack.messages("security")[0].actions.is_empty());
        assert_eq!(world.slack.messages("security")[2].actions, ["bg_review"]);
        let dan = world.person("dan").await;
        assert_eq!(dan.get(&format!("/v1/break-glass/{id}")).await.ok()["status"], "ended");
        world.finish().await;
    }

    async fn alerts_are_sent_before_all_other_messages(kind) {
        let world = world!(kind);
        world.slack.set_outage(true);
        world.person("alice").await.submit(deploy()).await.ok();
        let dan = world.person("dan").await;
        dan.post("/v1/break-glass", start()).await.ok();
        world.slack.set_outage(false);
        world.passes(Span::minutes(2)).await;
        let order: Vec<String> = world.slack.calls("chat.postMessage").into_iter()
            .map(|call| call.args["channel"].as_str().unwrap_or_default().to_owned())
            .collect();
        let first = |channel: &str| {
            let shown = world.slack.messages(channel);
            shown.first().expect(channel).ts.clone()
        };
        assert!(first("security") < first("prod-approvals"), "{order:?}");
        world.finish().await;
    }

    async fn refused_alerts_are_reported_to_administrators_and_in_readyz(kind) {
        let world = world!(kind);
        let channel = |archived: bool| world.slack.change(|state| {
            state.channels.get_mut("C03SECURITY").expect("the channel").is_archived = archived;
        });
        channel(true);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        insta::assert_snapshot!("unheard", masked(&world.direct("carol")));
        let probe = Api::new(&world.url, "").get("/readyz").await;
        assert_eq!(probe.status, 200, "it serves all the same");
        let degraded = probe.body["degraded"][0].as_str().unwrap_or_default().to_owned();
        assert!(degraded.contains("1 alerts have not been delivered: is_archived"), "{degraded}");
        // sent once, however often delivery fails
        world.passes(Span::minutes(10)).await;
        assert_eq!(world.slack.direct_messages("carol").len(), 1);
        channel(false);
        world.passes(Span::minutes(2)).await;
        assert_eq!(said(&world, "security").len(), 1);
        assert_eq!(Api::new(&world.url, "").get("/readyz").await.body["degraded"], json!([]));
        world.finish().await;
    }

    async fn alert_is_sent_again_when_the_response_was_lost_b74(kind) {
        let world = world!(kind);
        world.slack.fail_next_of("chat.postMessage", Fault::DisconnectAfterEffect);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        world.passes(Span::minutes(2)).await;
        let alerts = said(&world, "security");
        // the bot cannot know that the first alert arrived, so it sends a second one; then the delivery is certain
        assert_eq!(alerts.len(), 2, "{alerts:?}");
        assert_eq!(alerts[0], alerts[1]);
        assert_eq!(world.database.count("SELECT count(*) FROM outbox").await, 0);
        revoke(&dan, &id).await.ok();
        world.settle().await;
        let last = world.slack.messages("security");
        assert_eq!(last.last().expect("the end").actions, ["bg_review"]);
        world.finish().await;
    }

    /// The session ended while Slack took the alert of its start, whose button ends it.
    async fn alert_that_is_outdated_once_it_is_posted_is_updated(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        let session: SessionId = id.parse().expect("an id");
        let post = world.app().session_posts(&session).await.expect("the posts").remove(0);
        let kept = async || {
            let (app, now) = (world.app(), world.clock.now());
            let kept = world.database.db.transaction::<_, AppError>(async |tx| app.keep_session_post(tx, &post, now).await).await;
            kept.expect("it is kept");
            world.database.count("SELECT count(*) FROM outbox").await
        };
        assert_eq!(kept().await, 0, "its button is of use");
        revoke(&dan, &id).await.ok();
        world.settle().await;
        assert_eq!(kept().await, 1, "it is to be updated");
        world.settle().await;
        assert!(world.slack.messages("security")[0].actions.is_empty());
        world.finish().await;
    }
}
