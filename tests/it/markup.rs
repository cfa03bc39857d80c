//! Text from people is displayed and never interpreted: none of their mentions, links or formats is live anywhere in Slack (threat SL8).

use crate::database::on_both;
use crate::world::{World, world};
use countersign::sandbox::Values;
use serde_json::Value;

const EVIL: &str = "<!channel> <!here|x> <@U06ERIN> <!subteam^S03SECURITY> <https://evil.example|docs> &lt;!everyone&gt; @here *bold* `code` http://evil.example \u{202e}gnp\u{200b}";

/// Everything in the workspace that Slack would parse: `mrkdwn` objects, and the text of messages.
fn parsed(world: &World) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        if value["type"] == "mrkdwn" {
            found.extend(value["text"].as_str().map(str::to_owned));
        }
        match value {
            Value::Array(all) => all.iter().for_each(|one| walk(one, found)),
            Value::Object(fields) => fields.values().for_each(|one| walk(one, found)),
            _ => {}
        }
    }
    world.slack.look(|state| {
        let mut found = Vec::new();
        for message in state
            .channels
            .values()
            .flat_map(|channel| channel.messages.values())
        {
            found.push(message.text.clone());
            message
                .blocks
                .iter()
                .for_each(|block| walk(block, &mut found));
        }
        let views = state.modals.values().flatten().chain(state.homes.values());
        views.for_each(|view| walk(&view.body, &mut found));
        found
    })
}

fn nothing_is_live(world: &World) {
    for text in parsed(world) {
        let marks = text
            .split('<')
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap_or_default());
        for mark in marks {
            let own =
                ["@U02BOB", "@U03CAROL", "@U05DAN"].contains(&mark) || mark.starts_with("!date^");
            assert!(own, "<{mark}> in {text}");
        }
        // inside a code span only Slack's own characters and the end of the span have a meaning
        let outside: String = text.split('`').step_by(2).collect();
        for alive in [
            "@here",
            "@channel",
            "@everyone",
            "http://evil",
            "https://evil",
            "*bold*",
        ] {
            assert!(!outside.contains(alive), "{alive} in {text}");
        }
        for unseen in ['\u{202e}', '\u{200b}'] {
            assert!(!text.contains(unseen), "{unseen:?} in {text}");
        }
        assert!(!text.contains("&amp;amp;"), "escaped twice: {text}");
    }
}

on_both! {
    async fn reason_is_displayed_and_never_parsed_as_markup_sl8(kind) {
        let world = world!(kind);
        let said = world.types("alice", &format!("request release.deploy project=api-platform env=production release=v1 reason=\"{EVIL}\"")).await;
        assert!(said.contains("#1"), "{said}");
        let card = world.card();
        assert!(card.contains("@channel @x @U06ERIN") && card.contains("<!everyone>"), "{card}");
        assert!(card.contains("\\u{202e}gnp\\u{200b}"), "{card}");
        world.clicks("bob", "details").await;
        let modal = world.slack.modal("bob").expect("a modal").text;
        assert!(modal.contains("<!everyone>"), "{modal}");
        for who in ["alice", "bob"] {
            world.types(who, "inbox").await;
            world.types(who, "show 1").await;
            world.slack.open_home(who).await.expect("an answer");
        }
        world.settle().await;
        nothing_is_live(&world);
        world.finish().await;
    }

    async fn release_is_displayed_and_never_parsed_as_markup_sl8(kind) {
        let world = world!(kind);
        for (number, release) in ["<!channel>", "<@U06ERIN>", "*bold*", "`v1`", "@here", "http://evil.example"].into_iter().enumerate() {
            let said = world.types("alice", &format!("request release.deploy project=api-platform env=production release={release} reason=why")).await;
            // whether it was accepted or refused, it is not interpreted
            assert!(said.contains(&format!("#{}", number + 1)) || said.starts_with("Policy violations"), "{said}");
            world.types("alice", &format!("explain release.deploy project=api-platform env=production release={release}")).await;
        }
        world.types("alice", &format!("request {EVIL}")).await;
        world.types("alice", EVIL).await;
        nothing_is_live(&world);
        world.finish().await;
    }

    async fn comment_is_displayed_and_never_parsed_as_markup_sl8(kind) {
        let world = world!(kind);
        world.types("alice", crate::world::DEPLOY).await;
        world.clicks("bob", "details").await;
        let values = Values::from([("verdict", "approve"), ("comment", EVIL)]);
        world.slack.submit_view("bob", values).await.expect("an answer");
        world.settle().await;
        assert!(world.card().contains("<!channel> <!here|x>"), "{}", world.card());
        let said = world.types("carol", &format!("reject 1 {EVIL}")).await;
        assert_eq!(said, "You rejected #1. It has ended.");
        assert!(world.direct("alice").contains("<!everyone>"), "{}", world.direct("alice"));
        world.slack.open_home("alice").await.expect("an answer");
        world.settle().await;
        nothing_is_live(&world);
        world.finish().await;
    }
}
