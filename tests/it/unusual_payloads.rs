//! Unusual payloads that Slack really sends: each has its effect or none, and never causes an error.

use crate::database::on_both_doors;
use crate::world::{DEPLOY, World, world};
use countersign::sandbox::{Forge, Place, Seed, Values};
use serde_json::{Value, json};

const DEMO: &str = include_str!("../../manifests/demo.yaml");

/// A change of what Slack sends.
type Change = fn(&mut Value);

fn but(change: Change) -> Forge {
    Forge {
        edit: Some(Box::new(change)),
        ..Forge::default()
    }
}

fn without(payload: &mut Value, key: &str) {
    payload.as_object_mut().expect("an object").remove(key);
}

async fn decisions(world: &World) -> i64 {
    world.database.count("SELECT count(*) FROM decisions").await
}

/// Creates a new request, so that each payload has its own card.
async fn asks(world: &World, number: usize) {
    let said = world
        .types("alice", &DEPLOY.replace("v1.4.2", &format!("v{number}")))
        .await;
    assert!(said.contains("Asked as"), "{said}");
    // Slack accepts about one message per second
    world
        .passes(countersign::domain::time::Span::seconds(2))
        .await;
}

on_both_doors! {
    async fn unusual_click_payloads_count_for_the_person_who_clicked_b46(kind) {
        let forms: [(&str, Change); 15] = [
            ("org-wide: no team", |p| p["team"] = Value::Null),
            ("no team at all", |p| without(p, "team")),
            ("no enterprise", |p| without(p, "enterprise")),
            ("no trigger", |p| without(p, "trigger_id")),
            ("an empty trigger", |p| p["trigger_id"] = json!("")),
            ("no response_url", |p| without(p, "response_url")),
            ("no channel", |p| without(p, "channel")),
            ("no container", |p| without(p, "container")),
            ("a container of a new type", |p| p["container"] = json!({"type": "canvas", "canvas_id": "F1"})),
            ("no message", |p| without(p, "message")),
            ("a message with metadata of numbers", |p| p["message"]["metadata"] = json!({"event_payload": {"n": 3}})),
            ("no state", |p| without(p, "state")),
            ("an empty state", |p| p["state"] = json!({})),
            ("fields that we have never heard of", |p| p["function_data"] = json!({"execution_id": "Fx1", "inputs": [1]})),
            ("names of somebody else", |p| { p["user"]["name"] = json!("mallory"); p["user"]["username"] = json!("mallory"); }),
        ];
        let world = world!(kind);
        for (number, (form, change)) in forms.into_iter().enumerate() {
            asks(&world, number).await;
            let click = world.click_of("bob", "approve", but(change));
            assert_eq!(world.delivers(&click).await.status, 200, "{form}");
            let expected = i64::try_from(number).expect("few") + 1;
            assert_eq!(decisions(&world).await, expected, "{form}");
            // sent again unchanged, with or without an id
            let rows = world.rows().await;
            assert_eq!(world.delivers(&click).await.status, 200, "{form}");
            assert_eq!(world.rows().await, rows, "{form}");
        }
        assert_eq!(world.told("bob"), Vec::<String>::new());
        world.finish().await;
    }

    async fn incomplete_click_payloads_have_no_effect_b46(kind) {
        let forms: [(&str, Change); 14] = [
            ("no user", |p| without(p, "user")),
            ("no user's id", |p| without(&mut p["user"], "id")),
            ("an empty user's id", |p| p["user"]["id"] = json!("")),
            ("no workspace of anybody", |p| { p["team"] = Value::Null; without(&mut p["user"], "team_id"); }),
            ("a guest of a shared channel", |p| p["user"]["team_id"] = json!("T02ELSE")),
            ("no app", |p| without(p, "api_app_id")),
            ("no actions", |p| without(p, "actions")),
            ("an empty list of actions", |p| p["actions"] = json!([])),
            ("actions that are none", |p| p["actions"] = Value::Null),
            ("an action without a name", |p| without(&mut p["actions"][0], "action_id")),
            ("an action without a value", |p| without(&mut p["actions"][0], "value")),
            ("a choice of nothing", |p| { p["actions"][0]["value"] = Value::Null; p["actions"][0]["selected_option"] = Value::Null; }),
            ("actions of another type", |p| p["actions"] = json!({"0": "approve"})),
            ("a link that was only opened", |p| p["actions"][0] = json!({"type": "button", "action_id": "open", "url": "https://example.com"})),
        ];
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let rows = world.rows().await;
        for (form, change) in forms {
            let click = world.click_of("bob", "approve", but(change));
            assert_eq!(world.delivers(&click).await.status, 200, "{form}");
            assert_eq!(world.rows().await, rows, "{form}");
        }
        // without a reply target there is no reply, and no error
        let click = world.click_of("mallory", "approve", but(|p| {
            for key in ["response_url", "channel", "container"] {
                without(p, key);
            }
        }));
        assert_eq!(world.delivers(&click).await.status, 200);
        assert_eq!(world.told("mallory"), Vec::<String>::new());
        // without a response_url the reply is an ephemeral message in the channel
        let click = world.click_of("mallory", "reject", but(|p| without(p, "response_url")));
        world.delivers(&click).await;
        assert!(world.told("mallory").join("").starts_with("You are not an eligible approver"), "{:?}", world.told("mallory"));
        // a modal needs a trigger
        let click = world.click_of("bob", "details", but(|p| without(p, "trigger_id")));
        world.delivers(&click).await;
        assert!(world.slack.modal("bob").is_none());
        world.finish().await;
    }

    async fn unusual_modal_payloads_are_handled_or_refused_sl13(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "details").await;
        let filled = || Values::from([("verdict", "approve"), ("comment", "fine")]);
        let sent = |change: Change| world.slack.submit_delivery("bob", &filled(), but(change)).expect("it is sent");
        let rows = world.rows().await;
        let unanswered: [(&str, Change); 5] = [
            ("an empty state", |p| p["view"]["state"] = json!({})),
            ("no state", |p| without(&mut p["view"], "state")),
            ("a state of nothing", |p| p["view"]["state"] = Value::Null),
            ("nothing chosen", |p| p["view"]["state"]["values"]["verdict"]["verdict"]["selected_option"] = Value::Null),
            ("another verdict", |p| p["view"]["state"]["values"]["verdict"]["verdict"]["selected_option"]["value"] = json!("maybe")),
        ];
        for (form, change) in unanswered {
            let answer = world.delivers(&sent(change)).await;
            assert!(answer.body.contains("Choose one."), "{form}: {}", answer.body);
            assert_eq!(world.rows().await, rows, "{form}");
        }
        let ignored: [(&str, Change); 5] = [
            ("no view", |p| p["view"] = Value::Null),
            ("another modal", |p| p["view"]["callback_id"] = json!("another")),
            ("it was only closed", |p| p["type"] = json!("view_closed")),
            ("it was cleared", |p| { p["type"] = json!("view_closed"); p["is_cleared"] = json!(true); }),
            ("a view of another type", |p| p["view"] = json!("V1")),
        ];
        for (form, change) in ignored {
            let answer = world.delivers(&sent(change)).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{form}");
            assert_eq!(world.rows().await, rows, "{form}");
        }
        let counted = sent(|p| {
            p["team"] = Value::Null;
            p["response_urls"] = json!([]);
            without(p, "trigger_id");
            without(&mut p["view"], "app_installed_team_id");
        });
        world.delivers(&counted).await;
        assert_eq!(decisions(&world).await, 1);
        assert!(world.card().contains("1 of 2") && world.card().contains(": fine"), "{}", world.card());
        world.finish().await;
    }

    async fn unusual_command_and_event_payloads_are_handled_or_ignored(kind) {
        let world = world!(kind);
        let typed = |change: fn(&str) -> String| {
            let body = String::from_utf8(world.command_of("alice", "help").body.to_vec()).expect("a form");
            world.slack.raw_delivery("application/x-www-form-urlencoded", change(&body))
        };
        let without_text = typed(|body| body.replace("&text=help", ""));
        assert!(world.delivers(&without_text).await.body.contains("/approval"));
        let empty = typed(|body| body.replace("text=help", "text="));
        assert!(world.delivers(&empty).await.body.contains("/approval"));
        let nowhere = typed(|body| body.replace("&trigger_id=", "&x=").replace("&response_url=", "&y=").replace("&channel_id=", "&z="));
        assert!(world.delivers(&nowhere).await.body.contains("/approval"));
        let org_wide = typed(|body| body.replace("is_enterprise_install=false", "is_enterprise_install=true&enterprise_id=E01ELSE&enterprise_name=x"));
        assert!(world.delivers(&org_wide).await.body.contains("/approval"));
        let rows = world.rows().await;
        for event in [
            json!({"type": "app_home_opened", "user": "U02BOB", "channel": "D1", "tab": "messages"}),
            json!({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": null}}),
            json!({"type": "user_change", "user": {"id": "U02BOB", "deleted": false, "profile": {"x": [1]}}}),
            json!({"type": "user_change", "user": null}),
            json!({"type": "subteam_updated", "subteam": {"id": "S1", "user_count": "4", "users": null}}),
            json!({"type": "channel_id_changed", "old_channel_id": "G1", "new_channel_id": "C1"}),
            json!({"type": "message", "subtype": "something_new", "message": null}),
            json!({}),
            json!("text"),
            Value::Null,
        ] {
            assert_eq!(world.slack.event(&event).await.map(|answer| answer.status), Ok(200), "{event}");
        }
        // an organization-wide installation: no workspace, and authorizations without one
        let uninstalled = json!({"type": "event_callback", "api_app_id": "A01APP", "event_id": "Ev1", "enterprise_id": "E1",
            "event": {"type": "app_uninstalled"}, "authorizations": [{"team_id": null, "is_enterprise_install": true}]});
        for body in [uninstalled, json!({"type": "event_callback"}), json!({"type": "app_rate_limited", "minute_rate_limited": 1})] {
            let sent = world.slack.raw_delivery("application/json", body.to_string());
            assert_eq!(world.delivers(&sent).await.status, 200, "{body}");
        }
        world.settle().await;
        assert_eq!(world.rows().await, rows);
        assert_eq!(world.slack.home("bob"), None);
        world.finish().await;
    }

    async fn org_wide_installation_accepts_clicks_from_all_its_workspaces_sl6(kind) {
        let configuration = DEMO.replace("teamId: T01TEST", "enterpriseId: E01TEST");
        let seed = Seed::example().organization("E01TEST");
        let Some(world) = World::start_in(kind, &configuration, seed).await else { return };
        let said = world.types("alice", DEPLOY).await;
        assert!(said.contains("Asked as *#1*"), "{said}");
        let click = world.click_of("bob", "approve", Forge::default());
        let form = String::from_utf8(click.body.to_vec()).expect("a form");
        assert!(form.contains("%22team%22%3Anull"), "Slack names no workspace: {form}");
        world.delivers(&click).await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        // the same person under another workspace of the organization is the same person
        let again = Forge { edit: Some(Box::new(|p| p["user"]["team_id"] = json!("T09OTHER"))), ..Forge::default() };
        let (_, told) = world.clicks_forged("bob", "approve", again).await;
        assert!(told.starts_with("Already reviewed"), "{told}");
        // another organization is refused
        let foreign = Forge { edit: Some(Box::new(|p| { p["user"]["team_id"] = json!("T09OTHER"); p["enterprise"]["id"] = json!("E02ELSE"); })), ..Forge::default() };
        let (_, told) = world.clicks_forged("carol", "approve", foreign).await;
        assert!(told.contains("its own workspace only"), "{told}");
        assert_eq!(decisions(&world).await, 1);
        world.slack.open_home("carol").await.expect("an answer");
        world.settle().await;
        assert!(world.slack.home("carol").is_some());
        world.finish().await;
    }

    async fn click_on_a_just_deleted_card_counts(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let gone = world.slack.card("prod-approvals").expect("a card");
        let place = Place::Message { channel: &gone.channel, ts: &gone.ts };
        let [bob, mallory] = ["bob", "mallory"].map(|who| {
            world.slack.press_delivery(who, place, "approve".into(), Forge::default()).expect("it can be clicked")
        });
        world.slack.change(|state| state.channels.get_mut(&gone.channel)?.messages.remove(&gone.ts));
        world.delivers(&mallory).await;
        assert!(world.told("mallory").join("").starts_with("You are not an eligible approver"));
        world.delivers(&bob).await;
        let cards = world.slack.cards("prod-approvals");
        assert_eq!(cards.len(), 1, "{cards:#?}");
        assert!(cards[0].ts != gone.ts && cards[0].text.contains("1 of 2"), "{}", cards[0]);
        world.finish().await;
    }

    async fn externally_shared_channel_gets_neither_reason_nor_content_sl7(kind) {
        let world = world!(kind);
        let shared = |shared: bool| world.slack.change(|state| {
            state.channels.get_mut("C02PROD").expect("there").is_ext_shared = shared;
        });
        let ask = |number: u32| {
            let payload = "payload='{\"command\":[\"secret-tool\"]}'";
            format!("{} {payload}", DEPLOY.replace("v1.4.2", &format!("v{number}")))
        };
        world.types("alice", &ask(1)).await;
        assert!(world.card().contains("hotfix for checkout") && world.card().contains("secret-tool"), "{}", world.card());
        assert_eq!(world.buttons(), ["approve", "reject", "details"]);
        shared(true);
        let told = world.slack.event(&json!({"type": "channel_shared", "channel": "C02PROD", "connected_team_id": "T02ELSE"})).await;
        assert_eq!(told.map(|answer| answer.status), Ok(200));
        world.passes(countersign::domain::time::Span::seconds(2)).await;
        world.types("alice", &ask(2)).await;
        let card = world.card();
        assert!(!card.contains("hotfix") && !card.contains("secret-tool") && card.contains("*#2*"), "{card}");
        assert!(card.contains("This channel is (or may be) shared with another organization, so the reason, comments and content are not shown here"), "{card}");
        assert_eq!(world.buttons(), ["review", "reject", "details"]);
        // approvers read all of it in Review, and comments stay there, too
        world.clicks("bob", "review").await;
        assert!(format!("{:?}", world.slack.modal("bob")).contains("secret-tool"));
        world.types("bob", "approve 2 looks like secret-tool to me").await;
        assert!(world.card().contains("1 of 2") && !world.card().contains("secret-tool"), "{}", world.card());
        // the first card loses its text at its next update
        world.types("carol", "approve 1").await;
        let cards = world.slack.cards("prod-approvals");
        assert!(cards[0].text.contains("1 of 2") && !cards[0].text.contains("secret-tool"), "{}", cards[0]);
        // nothing is posted while Slack does not say who reads the channel
        shared(false);
        world.slack.event(&json!({"type": "channel_unshared", "channel": "C02PROD"})).await.expect("an ack");
        world.passes(countersign::domain::time::Span::seconds(2)).await;
        world.slack.fail_next_of("conversations.info", countersign::sandbox::Fault::Http(500));
        world.types("alice", &ask(3)).await;
        assert_eq!(world.slack.cards("prod-approvals").len(), 2);
        world.passes(countersign::domain::time::Span::seconds(2)).await;
        assert!(world.card().contains("*#3*") && world.card().contains("secret-tool"), "{}", world.card());
        // without the scope the readers are unknown: cards are posted, with Review
        world.slack.change(|state| state.scopes.remove("channels:read"));
        world.passes(countersign::domain::time::Span::minutes(11)).await;
        world.types("alice", &ask(4)).await;
        assert!(world.card().contains("*#4*") && !world.card().contains("secret-tool"), "{}", world.card());
        assert_eq!(world.buttons(), ["review", "reject", "details"]);
        world.finish().await;
    }
}
