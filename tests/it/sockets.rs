//! Socket Mode: connections open and close, and every click still counts once. The other story tests use Socket Mode, too.

use crate::database::{Kind, on_both};
use crate::world::{DEPLOY, Stage, Wire, World, bot, world};
use countersign::sandbox::{Fault, Forge};
use serde_json::json;

const OPEN: &str = "apps.connections.open";
const LOOK_UP: &str = "users.info";

fn over_sockets(kind: Kind) -> Stage {
    Stage {
        kind,
        wire: Wire::Sockets,
    }
}

/// Waits until an account lookup hangs: until the test releases it, deliveries that need the lookup are in progress.
async fn hung(world: &World, before: u64) {
    let begun = world.slack.wait_for_calls(LOOK_UP, before + 1).await;
    begun.expect("a look-up begins");
}

async fn decisions(world: &World) -> i64 {
    world.database.count("SELECT count(*) FROM decisions").await
}

/// Waits until `/readyz` reports this; a background loop has to notice first.
async fn until_degraded(world: &World, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
    for _ in 0..1_000 {
        let said = world.degraded().await;
        if wanted(&said) {
            return said;
        }
        tokio::task::yield_now().await;
    }
    panic!("{:?}", world.degraded().await);
}

on_both! {
    async fn a_socket_is_replaced_before_it_closes(kind) {
        let world = world!(over_sockets(kind));
        world.types("alice", DEPLOY).await;
        for reason in ["warning", "refresh_requested"] {
            let before = world.slack.sockets();
            assert_eq!(before.len(), 2);
            world.slack.disconnect(before[0], reason);
            let with_both = world.slack.wait_for_sockets(|open| open.len() == 3).await.expect("another one opens");
            assert!(with_both.contains(&before[0]), "the old one is still open");
            // whichever socket Slack chooses: all three are read
            for _ in 0..3 {
                assert!(world.types("alice", "help").await.contains("/approval"));
            }
            world.slack.close_socket(before[0]);
            world.slack.wait_for_sockets(|open| open.len() == 2).await.expect("the old one closes");
        }
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.clicks("bob", "approve").await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn delivery_in_progress_is_acked_on_its_replaced_socket(kind) {
        let world = world!(over_sockets(kind));
        world.types("alice", DEPLOY).await;
        let click = world.click_of("bob", "approve", Forge::default());
        world.slack.fail_next_of(LOOK_UP, Fault::TimeoutAfterEffect);
        let calls = world.slack.call_count(LOOK_UP);
        let replaced = async {
            hung(&world, calls).await;
            let carried = *world.slack.envelopes().last().expect("one was sent");
            world.slack.disconnect(carried, "refresh_requested");
            world.slack.wait_for_sockets(|open| open.len() == 3).await.expect("another one opens");
            world.slack.release_hung();
        };
        let (answer, ()) = tokio::join!(world.slack.redeliver(&click), replaced);
        assert_eq!(answer.map(|answer| answer.status), Ok(200));
        world.settle().await;
        // the lookup failed: nothing is recorded, and retrying is safe
        assert_eq!(decisions(&world).await, 0);
        world.delivers(&click).await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn envelope_repeated_over_another_socket_counts_once_sl12(kind) {
        let world = world!(over_sockets(kind));
        world.types("alice", DEPLOY).await;
        assert_eq!(world.clicks("bob", "details").await, ""); // bob's account is cached from here on
        let click = world.click_of("bob", "approve", Forge::default());
        world.delivers(&click).await;
        let rows = world.rows().await;
        for _ in 0..4 {
            assert_eq!(world.delivers(&click).await.status, 200);
        }
        let chosen = world.slack.envelopes();
        let last = &chosen[chosen.len() - 4..];
        assert!(last.iter().any(|socket| *socket != last[0]), "both sockets were used: {last:?}");
        assert_eq!(world.rows().await, rows);
        assert_eq!(world.told("bob"), Vec::<String>::new());
        world.finish().await;
    }

    async fn socket_broken_before_the_ack_loses_and_duplicates_nothing_sl12(kind) {
        let world = world!(over_sockets(kind));
        world.types("alice", DEPLOY).await;
        let click = world.click_of("bob", "approve", Forge::default());
        world.slack.fail_next_of(LOOK_UP, Fault::Timeout);
        let calls = world.slack.call_count(LOOK_UP);
        let broken = async {
            hung(&world, calls).await;
            world.slack.cut_socket(*world.slack.envelopes().last().expect("one was sent"));
        };
        // Slack repeats it over the other socket, where it counts while the first one still hangs
        let (answer, ()) = tokio::join!(world.slack.redeliver(&click), broken);
        assert_eq!(answer.map(|answer| answer.status), Ok(200));
        world.slack.release_hung();
        world.settle().await;
        assert_eq!(decisions(&world).await, 1);
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.slack.wait_for_sockets(|open| open.len() == 2).await.expect("it is opened anew");
        world.finish().await;
    }

    async fn socket_reads_do_not_wait_for_slow_handlers(kind) {
        let world = world!(over_sockets(kind));
        world.types("alice", DEPLOY).await;
        let clicks = ["bob", "carol", "dan"].map(|who| world.click_of(who, "approve", Forge::default()));
        let before = world.slack.call_count(LOOK_UP);
        for _ in &clicks {
            world.slack.fail_next_of(LOOK_UP, Fault::Timeout);
        }
        let others = async {
            world.slack.wait_for_calls(LOOK_UP, before + 3).await.expect("three look-ups hang");
            // more than there are sockets, so every socket is read while its clicks hang
            for _ in 0..4 {
                let answer = world.slack.command("alice", "/approval", "help").await.expect("an answer");
                assert!(answer.body.contains("/approval"), "{}", answer.body);
            }
            world.slack.release_hung();
        };
        let sent = futures::future::join_all(clicks.iter().map(|click| world.slack.redeliver(click)));
        let (answers, ()) = tokio::join!(sent, others);
        assert!(answers.into_iter().all(|answer| answer.map(|a| a.status) == Ok(200)));
        world.settle().await;
        world.finish().await;
    }

    async fn socket_loop_ends_with_an_error_when_disabled_in_slack(kind) {
        let world = world!(over_sockets(kind));
        let calls = world.slack.call_count(OPEN);
        for socket in world.slack.sockets() {
            world.slack.disconnect(socket, "link_disabled");
            world.slack.close_socket(socket);
        }
        world.slack.wait_for_sockets(<[u64]>::is_empty).await.expect("both are closed");
        let said = until_degraded(&world, |said| said.iter().any(|why| why.contains("link_disabled"))).await;
        assert!(said[0].starts_with("Socket Mode: link_disabled: Socket Mode is switched off"), "{said:?}");
        assert_eq!(world.slack.call_count(OPEN), calls, "nobody asks again");
        world.finish().await;
    }

    async fn socket_loop_ends_with_an_error_when_the_token_is_revoked(kind) {
        let world = world!(over_sockets(kind));
        let calls = world.slack.call_count(OPEN);
        world.slack.fail_always(OPEN, Fault::api("token_revoked"));
        for socket in world.slack.sockets() {
            world.slack.cut_socket(socket);
        }
        world.slack.wait_for_calls(OPEN, calls + 2).await.expect("each asks once");
        let said = until_degraded(&world, |said| said.iter().any(|why| why.contains("token_revoked"))).await;
        assert!(said[0].contains("SLACK_APP_TOKEN was taken back"), "{said:?}");
        assert_eq!(world.slack.call_count(OPEN), calls + 2);
        // a start with this token fails
        let other = bot(world.database.again().await, &world.clock, &world.slack, Wire::Sockets).await;
        let why = other.check_sockets().await.expect_err("hopeless").to_string();
        assert!(why.starts_with("token_revoked: SLACK_APP_TOKEN was taken back; make another"), "{why}");
        other.stop().await;
        world.finish().await;
    }

    async fn failed_socket_replacement_is_reported_as_degraded(kind) {
        let world = world!(over_sockets(kind));
        let calls = world.slack.call_count(OPEN);
        world.slack.fail_always(OPEN, Fault::Http(503));
        for socket in world.slack.sockets() {
            world.slack.disconnect(socket, "refresh_requested");
        }
        world.slack.wait_for_calls(OPEN, calls + 2).await.expect("each asks");
        until_degraded(&world, |said| said.iter().any(|why| why.contains("trying again"))).await;
        world.slack.clear_faults();
        world.slack.wait_for_calls(OPEN, calls + 4).await.expect("each asks again");
        until_degraded(&world, <[String]>::is_empty).await;
        world.finish().await;
    }

    async fn socket_reconnects_back_off_during_an_outage(kind) {
        let world = world!(over_sockets(kind));
        world.types("alice", DEPLOY).await;
        let calls = world.slack.call_count(OPEN);
        world.slack.fail_always(OPEN, Fault::Http(503));
        for socket in world.slack.sockets() {
            world.slack.cut_socket(socket);
        }
        // a start during an outage succeeds, because the outage may end
        let other = bot(world.database.again().await, &world.clock, &world.slack, Wire::Sockets).await;
        assert_eq!(other.check_sockets().await, Ok(()));
        other.stop().await;
        let said = until_degraded(&world, |said| !said.is_empty()).await;
        assert!(said[0].contains("no connection to Slack"), "{said:?}");
        world.slack.wait_for_calls(OPEN, calls + 4).await.expect("it is tried again");
        let tried = world.slack.call_count(OPEN) - calls;
        assert!(tried <= 7, "{tried} calls: not in a hurry");
        world.slack.clear_faults();
        world.slack.wait_for_sockets(|open| open.len() == 2).await.expect("both are back");
        until_degraded(&world, <[String]>::is_empty).await;
        world.clicks("bob", "approve").await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn malformed_socket_frames_change_nothing(kind) {
        let world = world!(over_sockets(kind));
        world.types("alice", DEPLOY).await;
        let (rows, open) = (world.rows().await, world.slack.sockets());
        let frames = [
            "", "garbage", "[]", "{}", "null", "5", r#"{"type":"hello"}"#, r#"{"type":"interactive"}"#,
            r#"{"type":"interactive","envelope_id":7,"payload":{}}"#, r#"{"type":"never_heard_of"}"#,
        ];
        for frame in frames {
            world.slack.write_to_socket(open[0], frame);
        }
        // Slack would repeat these for ever: they are acknowledged and have no effect
        for (id, frame) in [
            ("e1", r#"{"type":"interactive","envelope_id":"e1","payload":"text"}"#),
            ("e2", r#"{"type":"slash_commands","envelope_id":"e2","payload":{"text":5}}"#),
            ("e3", r#"{"type":"something_new","envelope_id":"e3","payload":{}}"#),
            ("e4", r#"{"type":"events_api","envelope_id":"e4"}"#),
        ] {
            world.slack.write_to_socket(open[0], frame);
            let acked = world.slack.wait_for_strange_frame().await.expect("an ack");
            assert_eq!(acked, format!(r#"{{"envelope_id":"{id}"}}"#));
        }
        assert_eq!(world.rows().await, rows);
        assert_eq!(world.slack.sockets(), open);
        // a frame that is larger than any payload of Slack's ends its connection, and another one opens
        let long = json!({"type": "interactive", "envelope_id": "e5", "payload": "x".repeat(2 << 20)});
        world.slack.write_to_socket(open[0], &long.to_string());
        world.slack.wait_for_sockets(|now| now.len() == 2 && !now.contains(&open[0])).await.expect("another one");
        world.clicks("bob", "approve").await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn socket_shutdown_finishes_deliveries_in_progress(kind) {
        let mut world = world!(over_sockets(kind));
        world.types("alice", DEPLOY).await;
        let click = world.click_of("bob", "approve", Forge::default());
        world.slack.fail_next_of(LOOK_UP, Fault::Timeout);
        let calls = world.slack.call_count(LOOK_UP);
        let stopped = async {
            hung(&world, calls).await;
            // the lookup may start to hang only after the first release
            let released = async {
                loop {
                    world.slack.release_hung();
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = world.bot.stop() => {}
                () = released => {}
            }
        };
        let (answer, ()) = tokio::join!(world.slack.redeliver(&click), stopped);
        assert_eq!(answer.map(|answer| answer.status), Ok(200), "the ack went out before the socket closed");
        world.slack.wait_for_sockets(<[u64]>::is_empty).await.expect("all are closed");
        assert!(world.slack.redeliver(&click).await.is_err(), "nobody hears any more");
        world.restart().await;
        world.delivers(&click).await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn http_deliveries_are_not_served_without_a_signing_secret_b54(kind) {
        let world = world!(over_sockets(kind));
        let click = world.slack.raw_delivery("application/json", r#"{"type":"url_verification","challenge":"x"}"#);
        let answer = reqwest::Client::new().post(format!("{}/slack/events", world.url))
            .header("content-type", click.content_type)
            .header("x-slack-request-timestamp", click.timestamp.to_string())
            .header("x-slack-signature", &click.signature)
            .body(click.body.clone()).send().await;
        assert_eq!(answer.expect("an answer").status(), 404);
        world.finish().await;
    }
}
