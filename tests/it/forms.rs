//! Forms: they ask for whatever a command leaves out, show errors beside their fields, and require a reason for a rejection.

use crate::database::{Kind, on_both};
use crate::forged_deliveries::joins;
use crate::world::{DEPLOY, World, world};
use countersign::sandbox::{Fault, Forge, Values};
use serde_json::json;

const DEMO: &str = include_str!("../../manifests/demo.yaml");

fn release() -> Values {
    Values::from([
        ("action", "release.deploy"),
        ("project", "api-platform"),
        ("environment", "production"),
        ("release", "v1.4.2"),
        ("reason", "hotfix"),
    ])
}

/// The number of requests so far.
async fn requests(world: &World) -> i64 {
    world.database.count("SELECT count(*) FROM requests").await
}

on_both! {
    async fn form_asks_for_what_a_command_leaves_out(kind) {
        let world = world!(kind);
        let said = world.types("alice", "request release.deploy env=production release=v1.4.2").await;
        assert_eq!(said, "");
        insta::assert_snapshot!("form_filled_in", world.modal("alice"));
        assert_eq!(requests(&world).await, 0);

        // given values stay, the missing one has an error beside its field, and typed text survives
        let still = world.fills("alice", Values::from([("reason", "hotfix for checkout")])).await;
        assert!(still.contains("! This action needs it."), "{still}");
        assert_eq!(requests(&world).await, 0);
        let asked = world.fills("alice", Values::from([("project", "api-platform"), ("reason", "hotfix for checkout")])).await;
        assert!(asked.contains("Asked as *#1*"), "{asked}");
        let card = world.card();
        assert!(card.contains("Why: hotfix for checkout") && card.contains("v1.4.2"), "{card}");
        world.finish().await;
    }

    async fn an_empty_command_opens_an_empty_form(kind) {
        let world = world!(kind);
        assert_eq!(world.types("alice", "request").await, "");
        let form = world.modal("alice");
        assert!(form.contains("Release Deploy (High risk)") && !form.contains("Break-Glass"), "{form}");
        let wrong = world.fills("alice", Values::from([("action", "release.deploy"), ("payload", "{x")])).await;
        assert!(wrong.contains("! This is not valid JSON"), "{wrong}");
        let wrong = world.fills("alice", Values::from([("action", "release.deploy")])).await;
        assert_eq!(wrong.matches("! This action needs it.").count(), 2, "{wrong}");
        let wrong = world.fills("alice", Values::from([("action", "command.execute"), ("cluster", "prod-eu-1"), ("environment", "staging"), ("reason", "x")])).await;
        assert!(wrong.contains("! Cluster `prod-eu-1` belongs to `production`, not to `staging`."), "{wrong}");
        assert_eq!(requests(&world).await, 0);
        let asked = world.fills("alice", release().with("payload", r#"{"image": "api:1.4.2"}"#)).await;
        assert!(asked.contains("Asked as *#1*"), "{asked}");
        assert!(world.card().contains(r#"{"image":"api:1.4.2"}"#), "{}", world.card());
        // an identical ask shows the existing request
        world.types("alice", "request").await;
        let again = world.fills("alice", release().with("payload", r#"{"image": "api:1.4.2"}"#)).await;
        assert!(again.contains("You already asked for the same as *#1*"), "{again}");
        assert_eq!(requests(&world).await, 1);
        world.finish().await;
    }

    async fn missing_required_reason_is_asked_for_in_a_form(kind) {
        let world = world!(kind);
        world.types("alice", "request release.deploy project=api-platform env=production release=v1").await;
        let wrong = world.fills("alice", Values::default()).await;
        assert!(wrong.contains("! Production Deploy Gate needs a reason; say why."), "{wrong}");
        let asked = world.fills("alice", Values::from([("reason", "because")])).await;
        assert!(asked.contains("Asked as *#1*"), "{asked}");
        // invalid values, unlike missing ones, are refused at once with a text
        let said = world.types("alice", "request release.deploy project=api-platform env=prod").await;
        assert!(said.contains("did you mean 'production'"), "{said}");
        world.finish().await;
    }

    async fn request_form_submits_for_the_person_who_sends_it_sl13(kind) {
        let world = world!(kind);
        world.types("alice", "request").await;
        let by = |user: &str| Forge { user_id: Some(user.to_owned()), ..Forge::default() };
        let sent = |forge| world.slack.submit_delivery("alice", &release(), forge).expect("it is sent");
        let rows = world.rows().await;
        for (user, why) in [("U99NOBODY", "could not check"), ("U0BOT", "Bots may not")] {
            let answer = world.delivers(&sent(by(user))).await;
            assert!(answer.body.contains(why), "{}", answer.body);
            assert_eq!(world.rows().await, rows);
        }
        world.delivers(&sent(by("U02BOB"))).await;
        assert!(world.card().contains("*Bob Brown* asks for"), "{}", world.card());
        assert!(world.clicks("bob", "approve").await.contains("You asked for it"));
        world.finish().await;
    }

    async fn reject_form_asks_for_a_reason_and_the_requester_receives_it(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        assert_eq!(world.clicks("bob", "reject").await, "");
        insta::assert_snapshot!("reject_form", world.modal("bob"));
        assert!(world.card().contains("0 of 2"), "opening decides nothing: {}", world.card());
        let missing = world.slack.submit_view("bob", Values::from([("reason", " \n ")])).await;
        assert!(missing.is_ok());
        assert!(world.modal("bob").contains("! Say why: the requester reads it."), "{}", world.modal("bob"));
        world.slack.close_view("bob").await.expect("closed");
        world.settle().await;
        assert!(world.card().contains("0 of 2"), "closing decides nothing: {}", world.card());

        world.rejects("bob", "frozen until <!channel> Monday").await;
        assert_eq!(world.modal("bob"), "== Countersign ==\nYou rejected #1. It has ended.\n[Close]");
        assert!(world.card().contains("*#1 Rejected*") && world.card().contains("frozen until <!channel> Monday"), "{}", world.card());
        assert!(world.direct("alice").contains("was rejected. *Bob Brown* rejected"), "{}", world.direct("alice"));
        world.finish().await;
    }

    async fn refused_reject_click_opens_no_form_and_is_audited(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        assert!(world.clicks("mallory", "reject").await.starts_with("You are not an eligible approver"));
        assert!(world.clicks("alice", "reject").await.contains("You asked for it"));
        assert!(world.slack.modal("mallory").is_none() && world.slack.modal("alice").is_none());
        let audit = world.audit().await;
        assert_eq!(audit.iter().filter(|line| line.starts_with("vote.refused")).count(), 2, "{audit:#?}");
        world.clicks("bob", "approve").await;
        assert!(world.clicks("bob", "reject").await.starts_with("Already reviewed"));
        // a form that was opened in time and submitted too late
        world.clicks("carol", "reject").await;
        world.types("dan", "reject 1 me first").await;
        let late = world.fills("carol", Values::from([("reason", "too late")])).await;
        assert!(late.contains("This request is rejected"), "{late}");
        world.finish().await;
    }

    async fn rejection_by_command_and_from_details_includes_the_reason(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        assert_eq!(world.types("bob", "reject 1").await, "");
        assert!(world.modal("bob").contains("Reject #1"), "{}", world.modal("bob"));
        world.slack.close_view("bob").await.expect("closed");
        world.clicks("bob", "details").await;
        let wrong = world.fills("bob", Values::from([("verdict", "reject")])).await;
        assert!(wrong.contains("! Say why: the requester reads it."), "{wrong}");
        world.fills("bob", Values::from([("verdict", "reject"), ("comment", "not today")])).await;
        assert!(world.card().contains("rejected") && world.card().contains("not today"), "{}", world.card());
        assert!(world.types("carol", "reject 1").await.starts_with("This request is rejected"));
        world.finish().await;
    }

    async fn details_offers_a_decision_only_to_people_who_can_decide(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        assert!(world.types("bob", "inbox").await.contains("you can approve"));
        world.clicks("bob", "approve").await;
        assert!(!world.types("bob", "inbox").await.contains("you can approve"), "his part is done");
        for (who, offered) in [("alice", false), ("bob", false), ("carol", true), ("mallory", false)] {
            world.clicks(who, "details").await;
            let modal = world.modal(who);
            assert!(modal.contains("Request #1"), "{who}: {modal}");
            assert_eq!(modal.contains("Your decision"), offered, "{who}: {modal}");
            world.slack.close_view(who).await.expect("closed");
        }
        world.finish().await;
    }

    async fn long_option_list_can_be_searched(kind) {
        let many: Vec<String> = (0..150).map(|n| format!("service-{n}")).collect();
        let long = format!("projects: [api-platform, billing, {}]", many.join(", "));
        let demo = DEMO.replace("projects: [api-platform, billing]", &long);
        let Some(world) = World::start_with(kind, &demo).await else { return };
        world.types("alice", "request").await;
        let found = world.slack.suggest("alice", "project", "vice-14").await.expect("options");
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["service-14", "service-140", "service-141", "service-142", "service-143", "service-144", "service-145", "service-146",
            "service-147", "service-148", "service-149"]);
        assert_eq!(world.slack.suggest("alice", "project", "").await.expect("options").len(), 100);
        assert!(world.slack.suggest("alice", "project", "xyz").await.expect("none").is_empty());
        let asked = world.fills("alice", release().with("project", "service-149")).await;
        assert!(asked.contains("Asked as *#1*"), "{asked}");
        assert!(world.card().contains("service-149"), "{}", world.card());
        world.finish().await;
    }

    async fn option_lists_are_served_only_to_directory_people_b41(kind) {
        let world = world!(kind);
        let payload = |user: &str| json!({
            "type": "block_suggestion", "api_app_id": "A01APP", "team": {"id": "T01TEST"}, "user": {"id": user, "team_id": "T01TEST"},
            "action_id": "project", "value": "", "view": {"id": "V1", "type": "modal", "callback_id": "request"},
        });
        // a member of the workspace who is not in the directory
        joins(&world, "U66EVE", "eve", |_| {});
        for (user, offered) in [("U02BOB", true), ("U66EVE", false), ("U0BOT", false), ("U99NOBODY", false)] {
            let body = format!("payload={}", urlencoded(&payload(user).to_string()));
            let delivery = world.slack.raw_delivery("application/x-www-form-urlencoded", body);
            let answer = world.delivers(&delivery).await;
            assert_eq!(answer.body.contains("api-platform"), offered, "{user}: {}", answer.body);
            assert!(answer.json().expect("JSON")["options"].is_array());
        }
        world.slack.forgive();
        world.finish().await;
    }
}

fn urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A trigger is valid for three seconds; a lookup may take longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modal_opens_in_time_even_if_its_content_is_late() {
    let world = world!(Kind::Sqlite);
    world.types("alice", DEPLOY).await;
    let card = world.slack.card("prod-approvals").expect("a card");
    // looking up bob's account access takes longer than Slack's five seconds
    world.slack.fail_next_of("users.info", Fault::Timeout);
    let clicked = world.slack.click("bob", &card.channel, &card.ts, "details");
    assert_eq!(clicked.await.expect("in time").status, 200);
    assert!(
        world.modal("bob").contains("One moment"),
        "{}",
        world.modal("bob")
    );
    world.slack.release_hung();
    world.settle().await;
    assert!(
        world.modal("bob").contains("could not check"),
        "{}",
        world.modal("bob")
    );
    world.finish().await;
}
