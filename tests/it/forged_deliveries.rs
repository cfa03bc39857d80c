//! Forged deliveries: who clicks, and on what, as an attacker would like Slack to report it.

use crate::database::on_both_doors;
use crate::world::{DEPLOY, World, world};
use countersign::sandbox::{Delivery, Fault, Forge, User, Values};
use serde_json::json;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const DEMO: &str = include_str!("../../manifests/demo.yaml");
const NOT_ELIGIBLE: &str = "You are not an eligible approver for this request.";

fn app(id: &str) -> Forge {
    Forge {
        app_id: Some(id.to_owned()),
        ..Forge::default()
    }
}

fn team(id: &str) -> Forge {
    Forge {
        team_id: Some(id.to_owned()),
        ..Forge::default()
    }
}

fn by(user: &str) -> Forge {
    Forge {
        user_id: Some(user.to_owned()),
        ..Forge::default()
    }
}

fn value(value: impl Into<String>) -> Forge {
    Forge {
        value: Some(value.into()),
        ..Forge::default()
    }
}

fn retyped(kind: &'static str, forge: Forge) -> Forge {
    Forge {
        edit: Some(Box::new(move |payload| payload["type"] = json!(kind))),
        ..forge
    }
}

/// A delivery with another content, signed again.
fn changed(
    world: &World,
    kind: &'static str,
    delivery: &Delivery,
    from: &str,
    to: &str,
) -> Delivery {
    let body = String::from_utf8(delivery.body.to_vec()).expect("text");
    assert!(body.contains(from), "{from} is not in {body}");
    world.slack.raw_delivery(kind, body.replace(from, to))
}

fn approving() -> Values {
    Values::from([("verdict", "approve"), ("comment", "fine")])
}

/// A person opens Details on the newest card.
async fn opens_details(world: &World, who: &str) {
    world.clicks(who, "details").await;
    assert!(world.slack.modal(who).is_some(), "{:?}", world.told(who));
}

/// Adds a person to the workspace and to every channel.
pub fn joins(world: &World, id: &str, name: &str, change: impl FnOnce(&mut User)) {
    world.slack.change(|state| {
        let mut user = User {
            id: id.to_owned(),
            team_id: state.install.team_id.clone(),
            name: name.to_owned(),
            real_name: name.to_owned(),
            ..User::default()
        };
        change(&mut user);
        for channel in state.channels.values_mut() {
            channel.members.insert(id.to_owned());
        }
        state.users.insert(id.to_owned(), user);
    });
}

on_both_doors! {
    async fn another_app_or_workspace_touches_no_table_b45(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        opens_details(&world, "bob").await;
        let (rows, looked_up) = (world.rows().await, world.slack.call_count("users.info"));
        let command = world.command_of("dan", DEPLOY);
        let home = world.slack.event_delivery(&json!({"type": "app_home_opened", "user": "U05DAN", "tab": "home"}));
        let submit = |forge| world.slack.submit_delivery("bob", &approving(), forge).expect("it is sent");
        let mut all = vec![
            changed(&world, FORM, &command, "api_app_id=A01APP", "api_app_id=A02APP"),
            changed(&world, FORM, &command, "api_app_id=A01APP", "api_app_id="),
            changed(&world, FORM, &command, "team_id=T01TEST", "team_id=T02ELSE"),
            changed(&world, FORM, &command, "team_id=T01TEST", "no_team_id=T01TEST"),
            changed(&world, JSON, &home, "\"A01APP\"", "\"A02APP\""),
            changed(&world, JSON, &home, "\"T01TEST\"", "\"T02ELSE\""),
            submit(app("A02APP")),
            submit(team("T02ELSE")),
        ];
        for kind in ["block_actions", "view_submission", "view_closed", "shortcut", "message_action"] {
            all.push(world.click_of("bob", "approve", retyped(kind, app("A02APP"))));
            all.push(world.click_of("bob", "approve", retyped(kind, app(""))));
            all.push(world.click_of("bob", "approve", retyped(kind, team("T02ELSE"))));
            all.push(world.click_of("bob", "approve", retyped(kind, team(""))));
        }
        for delivery in &all {
            let answer = world.delivers(delivery).await;
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&delivery.body));
            assert_eq!(world.rows().await, rows, "{}", String::from_utf8_lossy(&delivery.body));
        }
        assert_eq!(world.slack.call_count("users.info"), looked_up, "the origin is checked before anything");
        assert_eq!(world.slack.home("dan"), None);
        let told = world.told("bob").join("\n");
        assert!(told.contains("another app's ID"), "{told}");
        assert!(told.contains("members of its own workspace only"), "{told}");
        world.finish().await;
    }

    async fn guests_bots_strangers_and_deactivated_accounts_are_refused_b46(kind) {
        type Change = fn(&mut User);
        let cases: [(Change, &str); 6] = [
            (|user| user.is_restricted = true, "Guests"),
            (|user| user.is_ultra_restricted = true, "Guests"),
            (|user| user.is_bot = true, "Bots"),
            (|user| user.deleted = true, "deactivated"),
            (|user| user.is_stranger = true, "its own workspace only"),
            (|user| "T02ELSE".clone_into(&mut user.team_id), "its own workspace only"),
        ];
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        opens_details(&world, "bob").await;
        let rows = world.rows().await;
        for (number, (change, why)) in cases.into_iter().enumerate() {
            // an account of an approver, which the directory would accept
            let id = format!("U1{number}DAN");
            joins(&world, &id, &format!("dan{number}"), change);
            let (_, told) = clicks_as(&world, &id, "approve").await;
            assert!(told.contains(NOT_ELIGIBLE) && told.contains(why), "{told}");
            let typed = changed(&world, FORM, &world.command_of("bob", "approve 1"), "user_id=U02BOB", &format!("user_id={id}"));
            let answer = world.delivers(&typed).await;
            assert!(answer.body.contains(NOT_ELIGIBLE) && answer.body.contains(why), "{}", answer.body);
            let sent = world.slack.submit_delivery("bob", &approving(), by(&id)).expect("it is sent");
            let answer = world.delivers(&sent).await;
            assert!(answer.body.contains(why), "{}", answer.body);
            assert_eq!(world.rows().await, rows, "{why}");
        }
        world.finish().await;
    }

    async fn just_deactivated_account_is_refused_st4(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        opens_details(&world, "dan").await;
        let click = world.click_of("dan", "approve", Forge::default());
        world.slack.change(|state| state.users.get_mut("U05DAN").expect("dan").deleted = true);
        let told = json!({"type": "user_change", "user": {"id": "U05DAN", "deleted": true}});
        assert_eq!(world.slack.event(&told).await.map(|answer| answer.status), Ok(200));
        world.settle().await;
        let rows = world.rows().await;
        world.delivers(&click).await;
        assert_eq!(world.rows().await, rows);
        assert!(world.told("dan").join("").contains("deactivated"));
        world.finish().await;
    }

    async fn failed_account_lookup_records_nothing_and_is_not_cached_sl5(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let rows = world.rows().await;
        let faults = [
            Fault::Http(500),
            Fault::Http(503),
            Fault::api("internal_error"),
            Fault::api("user_not_found"),
            Fault::api("token_revoked"),
            Fault::RateLimited { retry_after: 30 },
            Fault::BadJson,
            Fault::Disconnect,
            Fault::CutMidBody,
            Fault::Redirect("http://127.0.0.1:9/".to_owned()),
        ];
        for fault in faults {
            world.slack.fail_next_of("users.info", fault.clone());
            let told = world.clicks("bob", "approve").await;
            assert!(told.starts_with("Countersign could not check your Slack account"), "{fault:?}: {told}");
            assert_eq!(world.rows().await, rows, "{fault:?}");
        }
        // no answer at all
        world.slack.fail_next_of("users.info", Fault::Timeout);
        let calls = world.slack.call_count("users.info");
        let click = world.click_of("bob", "approve", Forge::default());
        let hung = async {
            world.slack.wait_for_calls("users.info", calls + 1).await.expect("the look-up begins");
            assert_eq!(world.rows().await, rows);
            world.slack.release_hung();
        };
        let (answer, ()) = tokio::join!(world.slack.redeliver(&click), hung);
        assert_eq!(answer.map(|answer| answer.status), Ok(200));
        world.settle().await;
        assert!(world.told("bob").last().is_some_and(|told| told.contains("Please try again")));
        assert_eq!(world.rows().await, rows);
        // retrying is safe: the click that failed counts now
        world.delivers(&click).await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn a_tampered_value_never_decides_sl11(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let first = button_value(&world);
        world.types("alice", &DEPLOY.replace("v1.4.2", "v6.6.6")).await;
        let second = button_value(&world);
        let split = |value: &str| value.split_once(' ').map(|(id, digest)| (id.to_owned(), digest.to_owned())).expect("two words");
        let ((first_id, first_digest), (second_id, second_digest)) = (split(&first), split(&second));
        assert_ne!(first_digest, second_digest);
        let rows = world.rows().await;
        let last = if first_digest.ends_with('0') { "1" } else { "0" };
        let other = format!("{}{last}", &first_digest[..first_digest.len() - 1]);
        let nobody = format!("{}0", &first_id[..first_id.len() - 1]);
        let nobody = if nobody == first_id { format!("{}1", &first_id[..first_id.len() - 1]) } else { nobody };
        let cases = [
            (format!("{second_id} {first_digest}"), "The content is not what was approved"),
            (format!("{first_id} {second_digest}"), "The content is not what was approved"),
            (format!("{first_id} {other}"), "The content is not what was approved"),
            (format!("{nobody} {first_digest}"), "Request not found"),
            (first_id.clone(), "does not recognize this button"),
            (first_digest.clone(), "does not recognize this button"),
            (format!("{first_id} {first_digest} {second_digest}"), "does not recognize this button"),
            (format!(" {first}"), "does not recognize this button"),
            (format!("{first}\n"), "does not recognize this button"),
            (format!("1 {first_digest}"), "does not recognize this button"),
            (String::new(), "does not recognize this button"),
            ("garbage".to_owned(), "does not recognize this button"),
            ("' OR 1=1 --".to_owned(), "does not recognize this button"),
            (format!("{first_id} {}", "4".repeat(100_000)), "does not recognize this button"),
            ("\u{202e}\u{0}\u{fffd}".to_owned(), "does not recognize this button"),
        ];
        for (tampered, why) in cases {
            for button in ["approve", "reject", "details"] {
                let (answer, told) = world.clicks_forged("bob", button, value(tampered.clone())).await;
                assert_eq!(answer.status, 200);
                if button != "details" {
                    assert!(told.contains(why), "{button} {tampered:.200}: {told}");
                }
                assert_eq!(world.rows().await, rows, "{button} {tampered:.200}");
            }
        }
        // only the value names the request: with the value of another card, the decision is about that card's request
        let (_, told) = world.clicks_forged("bob", "approve", value(first)).await;
        assert_eq!(told, "");
        let cards = world.slack.cards("prod-approvals");
        assert!(cards[0].text.contains("1 of 2") && cards[1].text.contains("0 of 2"), "{cards:#?}");
        world.finish().await;
    }

    async fn content_of_the_clicked_message_is_not_trusted_sl4(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let forged = || Forge {
            message: Some(json!({"text": "approved by everybody", "blocks": [], "user": "U03CAROL", "ts": "1.2"})),
            edit: Some(Box::new(|payload| {
                payload["channel"] = json!({"id": "C0NOWHERE", "name": "nowhere"});
                payload["container"] = json!({"type": "message", "channel_id": "C0NOWHERE", "message_ts": "1.2"});
                payload["user"]["name"] = json!("carol");
                payload["user"]["username"] = json!("carol");
            })),
            ..Forge::default()
        };
        let (_, told) = world.clicks_forged("mallory", "approve", forged()).await;
        assert!(told.starts_with(NOT_ELIGIBLE), "{told}");
        world.clicks_forged("bob", "approve", forged()).await;
        assert!(world.card().contains("*Bob Brown* approved"), "{}", world.card());
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn modal_is_checked_against_the_person_who_submits_it_sl13(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        opens_details(&world, "bob").await;
        let sent = |forge| world.slack.submit_delivery("bob", &approving(), forge).expect("it is sent");
        for (user, why) in [("U04MALLORY", "None of its policies"), ("U01ALICE", "You asked for it")] {
            let answer = world.delivers(&sent(by(user))).await;
            assert!(answer.body.contains(NOT_ELIGIBLE) && answer.body.contains(why), "{}", answer.body);
        }
        let rows = world.rows().await;
        for metadata in ["", "garbage", "1 2", "0190163d-8694-739b-aea5-966c26f8ad91 sha256"] {
            let edit = Forge {
                edit: Some(Box::new(move |payload| payload["view"]["private_metadata"] = json!(metadata))),
                ..Forge::default()
            };
            world.delivers(&sent(edit)).await;
            assert_eq!(world.rows().await, rows, "{metadata}");
        }
        assert!(world.card().contains("0 of 2"), "{}", world.card());
        // submitted by the right person it counts, with its comment
        world.slack.submit_view("bob", approving()).await.expect("an answer");
        world.settle().await;
        assert!(world.card().contains("1 of 2") && world.card().contains(": fine"), "{}", world.card());
        world.finish().await;
    }

    async fn channel_membership_gives_no_right_to_approve_b39(kind) {
        let world = world!(kind);
        joins(&world, "U20NORA", "nora", |_| {});
        joins(&world, "U21ADMIN", "root", |user| user.is_admin = true);
        world.types("alice", DEPLOY).await;
        for who in ["nora", "root"] {
            for button in ["approve", "reject"] {
                let told = world.clicks(who, button).await;
                assert!(told.starts_with(NOT_ELIGIBLE), "{told}");
            }
            for text in ["approve 1", "reject 1", "cancel 1", "inbox", "show 1", "policies", DEPLOY] {
                world.types(who, text).await;
            }
            world.clicks(who, "details").await;
            assert!(world.slack.modal(who).is_none(), "{who}");
        }
        assert_eq!(world.database.count("SELECT count(*) FROM requests").await, 1);
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        assert!(world.card().contains("0 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn account_with_the_name_of_a_person_is_not_that_person_b26_b27(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        // the same handle and name as bob's, in the same workspace
        joins(&world, "U66EVE", "bob", |user| "Bob".clone_into(&mut user.real_name));
        let rows = world.database.count("SELECT count(*) FROM decisions").await;
        let (status, told) = clicks_as(&world, "U66EVE", "approve").await;
        assert!(status == 200 && told.starts_with(NOT_ELIGIBLE), "{status} {told}");
        let renamed = Forge {
            edit: Some(Box::new(|payload| {
                payload["user"] = json!({"id": "U66EVE", "name": "bob", "username": "bob", "team_id": "T01TEST",
                    "profile": {"email": "bob@example.com"}, "email": "bob@example.com"});
            })),
            ..Forge::default()
        };
        world.clicks_forged("bob", "approve", renamed).await;
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, rows);
        assert!(world.card().contains("0 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn buttons_commands_and_modals_run_the_same_eligibility_check_b41(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        opens_details(&world, "carol").await;
        for (who, id) in [("alice", "U01ALICE"), ("mallory", "U04MALLORY")] {
            let told = world.clicks(who, "approve").await;
            assert!(told.starts_with(NOT_ELIGIBLE), "{told}");
            let told = world.types(who, "approve 1").await;
            assert!(told.starts_with(NOT_ELIGIBLE), "{told}");
            // Details does not offer them a decision; a forged one gets the same check as the others
            opens_details(&world, who).await;
            assert!(!world.modal(who).contains("Your decision"), "{}", world.modal(who));
            let sent = world.slack.submit_delivery("carol", &approving(), by(id)).expect("it is sent");
            let answer = world.delivers(&sent).await;
            assert!(answer.body.contains(NOT_ELIGIBLE), "{}", answer.body);
        }
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        assert!(world.card().contains("0 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn two_accounts_of_one_person_make_one_decision_b24(kind) {
        let one = "slack: {teamId: T01TEST, userId: U02BOB}";
        let two = "slack: [{teamId: T01TEST, userId: U02BOB}, {teamId: T01TEST, userId: U22BOB}]";
        assert!(DEMO.contains(one));
        let Some(world) = World::start_with(kind, &DEMO.replace(one, two)).await else { return };
        joins(&world, "U22BOB", "bob2", |_| {});
        world.types("alice", DEPLOY).await;
        assert_eq!(world.clicks("bob", "approve").await, "");
        assert!(world.clicks("bob2", "approve").await.starts_with("Already reviewed"));
        assert!(world.clicks("bob2", "reject").await.starts_with("Already reviewed"));
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        // the second account cannot approve what the first one requested
        world.types("bob", &DEPLOY.replace("v1.4.2", "v2.0.0")).await;
        let told = world.clicks("bob2", "approve").await;
        assert!(told.contains("You asked for it"), "{told}");
        world.finish().await;
    }

    async fn click_on_a_closed_card_is_refused_and_refreshes_the_card_sl11(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let (late, wrong) = (world.click_of("carol", "approve", Forge::default()), world.click_of("bob", "reject", Forge::default()));
        world.rejects("dan", "not today").await;
        for (who, click) in [("carol", &late), ("bob", &wrong)] {
            let rows = world.rows().await;
            world.delivers(click).await;
            assert!(world.told(who).join("").starts_with("This request is rejected"), "{:?}", world.told(who));
            assert_eq!(world.rows().await, rows);
        }
        // this request has expired, and no worker has run yet
        world.types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3")).await;
        world.clock.advance(countersign::domain::time::Span::hours(24));
        let told = world.clicks("carol", "approve").await;
        assert!(told.starts_with("This request is expired"), "{told}");
        assert!(world.card().contains("*#2 Expired*"), "{}", world.card());
        assert_eq!(world.buttons(), Vec::<String>::new());
        world.finish().await;
    }
}

/// The value of the newest card's buttons.
fn button_value(world: &World) -> String {
    let card = world.slack.card("prod-approvals").expect("a card");
    let value = world.slack.look(|state| {
        let message = state.message(&card.channel, &card.ts)?;
        let buttons = message
            .blocks
            .iter()
            .flat_map(|block| block["elements"].as_array().into_iter().flatten());
        let mut values = buttons
            .filter(|button| button["action_id"] == "approve")
            .filter_map(|button| button["value"].as_str());
        values.next().map(str::to_owned)
    });
    value.expect("an Approve button")
}

/// A click with bob's delivery under another user id, which Slack would not allow. Returns the status and the reply.
async fn clicks_as(world: &World, id: &str, button: &str) -> (u16, String) {
    let before = world.told("bob").len();
    let (answer, _) = world.clicks_forged("bob", button, by(id)).await;
    // the reply goes to the response_url, which belongs to bob
    (
        answer.status,
        world.told("bob").split_off(before).join("\n"),
    )
}
