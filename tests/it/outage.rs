//! Slack fails in every way it can: decisions continue, nothing is lost, and the cards become correct as soon as possible.

use crate::client::{deploy, text};
use crate::database::on_both;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use countersign::sandbox::{Fault, Forge};
use serde_json::{Value, json};

const POST: &str = "chat.postMessage";
const UPDATE: &str = "chat.update";

/// A person's API call.
async fn api(world: &World, who: &str, path: &str, body: Value) -> Value {
    let token = world
        .token_of(
            who,
            &[
                Scope::RequestsWrite,
                Scope::DecisionsWrite,
                Scope::RequestsRead,
            ],
        )
        .await;
    let call = reqwest::Client::new()
        .post(format!("{}/v1/requests{path}", world.url))
        .bearer_auth(token)
        .json(&body);
    let answer = call.send().await.expect("an answer");
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap_or_default()
    );
    answer.json().await.expect("JSON")
}

async fn asks(world: &World) -> Value {
    let body = json!({"action": "release.deploy", "project": "api-platform", "environment": "production",
        "release": "v1.4.2", "reason": "hotfix"});
    api(world, "alice", "", body).await
}

async fn approves(world: &World, who: &str) -> Value {
    api(world, who, "/1/decisions", json!({"verdict": "approve"})).await
}

fn cards(world: &World) -> Vec<String> {
    world
        .slack
        .cards("prod-approvals")
        .into_iter()
        .map(|card| card.text)
        .collect()
}

fn posted(world: &World) -> i64 {
    i64::try_from(cards(world).len()).expect("few")
}

/// The number of cards that are behind for a known reason.
async fn troubles(world: &World) -> i64 {
    world
        .database
        .count("SELECT count(*) FROM cards WHERE trouble IS NOT NULL AND due_at IS NOT NULL")
        .await
}

on_both! {
    async fn decisions_continue_while_slack_is_down_for_a_day_no1(kind) {
        let world = world!(kind);
        world.slack.set_outage(true);
        asks(&world).await;
        world.settle().await;
        assert_eq!((cards(&world).len(), troubles(&world).await), (0, 1));
        approves(&world, "bob").await;
        for _ in 0..20 {
            world.passes(Span::hours(1)).await;
        }
        assert_eq!(approves(&world, "carol").await["status"], "approved");
        world.settle().await;
        // the bot asks who reads the channel before it posts there
        let tried = world.slack.call_count(POST) + world.slack.call_count("conversations.info");
        assert!((5..60).contains(&tried), "{tried} calls: neither given up nor in a hurry");
        world.slack.set_outage(false);
        // up to date within a minute of the recovery
        world.passes(Span::seconds(45)).await;
        let cards = cards(&world);
        assert_eq!(cards.len(), 1, "{cards:#?}");
        assert!(cards[0].contains("*#1 Approved*") && cards[0].contains("*Carol Clark* approved"), "{}", cards[0]);
        assert_eq!(world.slack.direct_messages("alice").len(), 1, "{:?}", world.slack.direct_messages("alice"));
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        world.finish().await;
    }

    async fn cards_show_the_latest_state_after_an_outage_no1(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.slack.set_outage(true);
        approves(&world, "bob").await;
        world.settle().await;
        assert!(world.card().contains("0 of 2"), "{}", world.card());
        approves(&world, "carol").await;
        world.settle().await;
        world.slack.set_outage(false);
        world.passes(Span::seconds(45)).await;
        assert_eq!(cards(&world).len(), 1);
        assert!(world.card().contains("*#1 Approved*"), "{}", world.card());
        let updates = world.slack.calls(UPDATE);
        assert_eq!(updates.iter().filter(|call| call.error.is_none()).count(), 1, "one update tells both");
        world.finish().await;
    }

    async fn retry_after_is_obeyed_no2(kind) {
        let world = world!(kind);
        for (method, button) in [(POST, None), (UPDATE, Some("approve"))] {
            world.slack.fail_next_of(method, Fault::RateLimited { retry_after: 30 });
            let before = world.slack.call_count(method);
            match button {
                None => { asks(&world).await; }
                Some(button) => { world.clicks("bob", button).await; }
            }
            world.settle().await;
            assert_eq!(world.slack.call_count(method), before + 1, "{method}");
            world.passes(Span(29_999)).await;
            assert_eq!(world.slack.call_count(method), before + 1, "{method} before its time");
            world.passes(Span(1)).await;
            assert_eq!(world.slack.call_count(method), before + 2, "{method}");
        }
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        // the same error in its other form, without a time
        world.slack.fail_next_of(UPDATE, Fault::api("ratelimited"));
        world.clicks("carol", "approve").await;
        world.passes(Span::seconds(1)).await;
        assert!(world.card().contains("Approved"), "{}", world.card());
        world.finish().await;
    }

    async fn deleted_card_is_posted_again_once_no3(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let old = world.click_of("carol", "approve", Forge::default());
        let gone = world.slack.card("prod-approvals").expect("a card");
        world.slack.change(|state| state.channels.get_mut(&gone.channel)?.messages.remove(&gone.ts));
        approves(&world, "bob").await;
        world.settle().await;
        assert_eq!(world.slack.call_count(UPDATE), 1);
        let cards = world.slack.cards("prod-approvals");
        assert_eq!(cards.len(), 1, "{cards:#?}");
        assert!(cards[0].ts != gone.ts && cards[0].text.contains("1 of 2"), "{}", cards[0]);
        // a click on the old card that was in flight counts once, like any other
        world.delivers(&old).await;
        world.delivers(&old).await;
        assert!(world.card().contains("Approved"), "{}", world.card());
        assert_eq!(world.slack.cards("prod-approvals").len(), 1);
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 2);
        world.finish().await;
    }

    async fn post_with_a_lost_response_leaves_one_copy_and_the_last_is_live_no5(kind) {
        for fault in [Fault::DisconnectAfterEffect, Fault::CutMidBody, Fault::TimeoutAfterEffect] {
            let world = world!(kind);
            world.slack.fail_next_of(POST, fault.clone());
            asks(&world).await;
            let lost = async {
                world.slack.wait_for_calls(POST, 1).await.expect("it is posted");
                world.slack.release_hung();
            };
            tokio::join!(world.settle(), lost);
            world.passes(Span::seconds(45)).await;
            assert_eq!(cards(&world).len(), 2, "{fault:?}");
            world.clicks("bob", "approve").await;
            let now = cards(&world);
            assert!(now[0].contains("0 of 2") && now[1].contains("1 of 2"), "{fault:?} {now:#?}");
            // a click on the copy is not a second decision, and removes the copy
            let copy = world.slack.cards("prod-approvals").remove(0);
            world.slack.click("bob", &copy.channel, &copy.ts, "approve").await.expect("an answer");
            world.settle().await;
            assert!(world.told("bob").join("").starts_with("Already reviewed"), "{:?}", world.told("bob"));
            let copy = world.slack.cards("prod-approvals").remove(0);
            assert!(copy.actions.is_empty() && copy.text.starts_with("This copy"), "{copy:#?}");
            // a refused click on the live card removes nothing
            world.clicks("bob", "approve").await;
            assert_eq!(world.buttons(), ["approve", "reject", "details"]);
            world.clicks("carol", "approve").await;
            assert!(world.card().contains("Approved"), "{}", world.card());
            assert_eq!(cards(&world).len(), 2);
            world.finish().await;
        }
    }

    async fn update_with_a_lost_response_is_repeated_once_no6(kind) {
        for fault in [Fault::Disconnect, Fault::DisconnectAfterEffect, Fault::CutMidBody, Fault::BadJson, Fault::Http(502)] {
            let world = world!(kind);
            world.types("alice", DEPLOY).await;
            world.slack.fail_next_of(UPDATE, fault.clone());
            world.clicks("bob", "approve").await;
            world.passes(Span::seconds(1)).await;
            assert_eq!(world.slack.call_count(UPDATE), 2, "{fault:?}");
            assert!(world.card().contains("1 of 2"), "{fault:?} {}", world.card());
            assert_eq!(cards(&world).len(), 1, "{fault:?}");
            world.finish().await;
        }
    }

    async fn cards_are_posted_once_the_bot_is_invited_to_the_channel_no4(kind) {
        let world = world!(kind);
        for (number, why) in [(0, "not_in_channel"), (1, "is_archived")] {
            let closed = |closed: bool| world.slack.change(|state| {
                let bot = state.install.bot_user.clone();
                let channel = state.channels.get_mut("C02PROD").expect("the channel");
                match (why, closed) {
                    ("is_archived", _) => channel.is_archived = closed,
                    (_, true) => { channel.members.remove(&bot); }
                    (_, false) => { channel.members.insert(bot); }
                }
            });
            closed(true);
            asks(&world).await;
            for _ in 0..5 {
                world.passes(Span::minutes(1)).await;
            }
            assert_eq!(posted(&world), number, "{why}");
            assert_eq!(troubles(&world).await, 1, "{why}");
            let trouble = format!("SELECT count(*) FROM cards WHERE trouble LIKE '{why}%'");
            assert_eq!(world.database.count(&trouble).await, 1, "{why}");
            assert_eq!(world.database.count("SELECT count(*) FROM requests WHERE status = 'pending'").await, number + 1);
            closed(false);
            world.passes(Span::seconds(45)).await;
            assert_eq!(posted(&world), number + 1, "{why}");
            assert_eq!(troubles(&world).await, 0, "{why}");
        }
        world.finish().await;
    }

    async fn a_direct_message_that_fails_is_sent_later_and_once(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        world.slack.fail_next_of("conversations.open", Fault::Http(500));
        world.clicks("carol", "approve").await;
        assert!(world.card().contains("Approved"), "{}", world.card());
        assert_eq!(world.direct("alice"), "");
        world.slack.fail_next_of(POST, Fault::RateLimited { retry_after: 20 });
        world.passes(Span::seconds(1)).await;
        world.passes(Span::seconds(19)).await;
        assert_eq!(world.direct("alice"), "");
        world.passes(Span::seconds(1)).await;
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        world.passes(Span::hours(1)).await;
        // the end of the request is sent once, as a new message, and the older message refers to it
        let told: Vec<String> = world.slack.direct_messages("alice").into_iter().map(|told| told.text).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("There is a newer message") && told[1].contains("has expired"), "{told:?}");
        world.finish().await;
    }

    /// Delayed messages are delivered at once, in any order: only the most recent message about a request stays current; the others say so.
    async fn only_the_most_recent_direct_message_about_a_request_stays_current(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let deciders = [world.person("bob").await, world.person("carol").await];
        let mut approved = Vec::new();
        for release in ["v1", "v2", "v3", "v4", "v5"] {
            let mut ask = deploy();
            ask["release"] = json!(release);
            let asked = alice.submit(ask).await.ok();
            for decider in &deciders {
                decider.decide(&text(&asked, "id"), "approve").await.ok();
            }
            approved.push(asked);
        }
        // without remaining approvers the requests cannot be approved again
        world.reconfigure(|document| document["directory"]["teams"][1]["members"] = json!(["alice"])).await;
        for asked in approved {
            let refused = alice.execute(&text(&asked, "id"), &text(&asked, "digest")).await;
            assert_eq!(refused.outcome(), "409 requirements_changed");
        }
        world.settle().await;
        let told: Vec<String> = world.slack.direct_messages("alice").into_iter().map(|told| told.text).collect();
        assert_eq!(told.len(), 10, "{told:?}");
        for number in 1..=5 {
            let about = told.iter().filter(|text| text.contains(&format!("#{number} ")));
            assert_eq!(about.filter(|text| text.contains("was cancelled")).count(), 1, "{number}: {told:?}");
        }
        assert!(told[9].contains("was cancelled"), "the last is kept: {told:?}");
        world.finish().await;
    }

    async fn worker_with_an_expired_lease_records_nothing_no8(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        world.slack.fail_next_of(POST, Fault::Timeout);
        asks(&world).await;
        let overtaken = async {
            world.slack.wait_for_calls(POST, 1).await.expect("it hangs");
            world.clock.advance(Span(7_999));
            replica.workers.settle().await.expect("the workers work");
            assert_eq!(world.slack.call_count(POST), 1, "the lease has not ended");
            world.clock.advance(Span(1));
            replica.workers.settle().await.expect("the workers work");
            assert_eq!(cards(&world).len(), 1);
            let resolve_groups = world.rows().await;
            world.slack.release_hung();
            resolve_groups
        };
        let ((), resolve_groups) = tokio::join!(world.settle(), overtaken);
        assert_eq!(world.rows().await, resolve_groups);
        let touched = "SELECT count(*) FROM cards WHERE failures > 0 OR due_at IS NOT NULL OR shown IS NULL";
        assert_eq!(world.database.count(touched).await, 0, "who comes back late changes nothing");
        world.passes(Span::minutes(5)).await;
        assert_eq!((cards(&world).len(), world.slack.call_count(POST)), (1, 2));
        replica.stop().await;
        world.finish().await;
    }

    async fn two_concurrent_replicas_post_each_card_once(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        for round in 1..=20_usize {
            let said = world.slack.command_in("alice", "prod-approvals", "/approval", &DEPLOY.replace("v1.4.2", &format!("v{round}"))).await;
            assert!(said.expect("an answer").body.contains("Asked as"), "round {round}");
            let (one, other) = tokio::join!(world.bot.workers.settle(), replica.workers.settle());
            one.and(other).expect("the workers work");
            assert_eq!(cards(&world).len(), round);
            let click = world.click_of("bob", "approve", Forge::default());
            world.slack.redeliver(&click).await.expect("an answer");
            let (one, other) = tokio::join!(replica.workers.settle(), world.bot.workers.settle());
            one.and(other).expect("the workers work");
            assert!(world.card().contains("1 of 2"), "{}", world.card());
            world.clock.advance(Span::seconds(1));
        }
        let posts = world.slack.calls(POST).into_iter();
        let (in_threads, posted): (Vec<_>, Vec<_>) = posts.partition(|call| !call.args["thread_ts"].is_null());
        assert_eq!((posted.len(), in_threads.len()), (20, 20));
        assert_eq!(world.slack.call_count(UPDATE), 20);
        replica.stop().await;
        world.finish().await;
    }

    /// 24 hours without Slack, in which 250 requests are decided twice each.
    async fn five_hundred_decisions_during_an_outage_cost_one_update_per_card_no1(kind) {
        let demo = include_str!("../../manifests/demo.yaml").replace(
            "    name: Production Deploy Gate\n",
            "    name: Production Deploy Gate\n    validFor: 72h\n",
        );
        let Some(world) = World::start_with(kind, &demo).await else { return };
        let alice = world.person("alice").await;
        let deciders = [world.person("bob").await, world.person("carol").await];
        let mut asked = Vec::new();
        for number in 0..250 {
            let mut ask = deploy();
            ask["release"] = json!(format!("v{number}"));
            asked.push(text(&alice.submit(ask).await.ok(), "id"));
            world.clock.advance(Span(100));
        }
        while posted(&world) < 250 {
            world.passes(Span::seconds(5)).await;
        }
        world.slack.set_outage(true);
        for (number, id) in asked.iter().enumerate() {
            for decider in &deciders {
                decider.decide(id, "approve").await.ok();
            }
            world.clock.advance(Span::minutes(5));
            if number % 25 == 0 {
                world.settle().await;
            }
        }
        world.passes(Span::hours(3)).await;
        world.slack.set_outage(false);
        let before = world.slack.call_count(UPDATE);
        for _ in 0..180 {
            world.passes(Span::seconds(10)).await;
        }
        let shown = cards(&world);
        assert_eq!(shown.len(), 250);
        let is_true = |card: &String| card.contains("Approved*");
        assert!(shown.iter().all(is_true), "{:?}", shown.iter().find(|card| !is_true(card)));
        let updates = world.slack.call_count(UPDATE) - before;
        assert_eq!(updates, 250, "one update for both decisions");
        let in_threads = world.slack.messages("prod-approvals").into_iter().filter(|message| message.thread_ts.is_some());
        let lines: usize = in_threads.map(|message| message.text.lines().count()).sum();
        assert_eq!(lines, 500, "each decision is one line in a thread");
        world.finish().await;
    }
}
