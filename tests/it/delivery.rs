//! Workers and messages: one message fails, is refused or cannot be read, or one replica cannot reach Slack; all others are delivered.

mod channels;
mod egress;
mod homes;
mod supervised;
mod unreadable;

use crate::world::World;
use countersign::domain::id::OutboxId;
use countersign::domain::message::Message;
use countersign::sandbox::Call;

const POST: &str = "chat.postMessage";
const SECURITY: &str = "C03SECURITY";
const PROD: &str = "C02PROD";

/// The number of calls that posted, or tried to post, to a channel.
fn posts_to(world: &World, channel: &str) -> usize {
    let to = |call: &Call| call.args["channel"].as_str() == Some(channel);
    world
        .slack
        .calls(POST)
        .iter()
        .filter(|call| to(call))
        .count()
}

/// Archives a channel, or restores it.
fn archive(world: &World, channel: &str, is_archived: bool) {
    world.slack.change(|state| {
        state
            .channels
            .get_mut(channel)
            .expect("the channel")
            .is_archived = is_archived;
    });
}

/// Stores alerts for the security channel in one transaction.
async fn alert(world: &World, texts: impl Iterator<Item = String>) {
    alert_to(world, SECURITY, texts).await;
}

/// Alerts leave for a channel, in one commit.
async fn alert_to(world: &World, channel: &str, texts: impl Iterator<Item = String>) {
    let now = world.app().now();
    let alerts: Vec<(OutboxId, Message)> = texts
        .map(|text| {
            let channel = channel.into();
            (
                OutboxId::from_uuid(uuid::Uuid::now_v7()),
                Message::Alert { channel, text },
            )
        })
        .collect();
    let sent: Result<(), countersign::app::AppError> = world
        .app()
        .db()
        .transaction(async |tx| {
            for (id, alert) in &alerts {
                tx.send(id, alert, now).await?;
            }
            Ok(())
        })
        .await;
    sent.expect("they are stored");
}
