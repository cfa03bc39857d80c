//! People and teams from Slack. A late or missing answer never widens who may approve.

use super::SRE;
use crate::client::{command, deploy, text};
use crate::database::{Kind, on_both};
use crate::world::{DEPLOY, World};
use countersign::app::{AppError, ListedGroup};
use countersign::domain::document::SlackIdentity;
use countersign::domain::refusal::Refusal;
use countersign::domain::time::Span;
use countersign::sandbox::{Fault, User};
use serde_json::{Value, json};

const DEMO: &str = include_str!("../../../manifests/demo.yaml");

/// SRE takes its members from a user group; the configuration lists none.
async fn grouped(kind: Kind) -> Option<World> {
    let listed = "- {id: sre, name: SRE, members: [carol, dan]}";
    assert!(DEMO.contains(listed));
    let configuration = DEMO.replace(listed, "- {id: sre, name: SRE, slackUserGroup: S02SRE}");
    World::start_with(kind, &configuration).await
}

/// Every full member of the workspace is a person. Mallory is not listed, and one approval by anyone is enough for a deploy.
async fn open_house(kind: Kind) -> Option<World> {
    let line = DEMO.lines().find(|line| line.contains("U04MALLORY"));
    let configuration = DEMO
        .replace(line.expect("mallory's line"), "")
        .replace("directory:\n", "directory:\n  slack: {members: true}\n")
        .replace(
            "approvers: {teams: [backend, sre]}\n    quorum: {minApprovals: 2, requiredTeamIds: [sre]}",
            "approvers: anyone",
        );
    World::start_with(kind, &configuration).await
}

/// The first sync of a group counts for later requests only.
async fn first_sync(world: &World) {
    world.syncs().await;
    world.passes(Span::seconds(1)).await;
}

async fn degraded(world: &World) -> Vec<String> {
    let answer = reqwest::get(format!("{}/readyz", world.url)).await;
    let body: Value = answer.expect("an answer").json().await.expect("JSON");
    let list = body["degraded"].as_array().expect("a list").iter();
    list.map(|text| text.as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn directory_changes(world: &World) -> usize {
    let events = world.audit().await;
    events
        .iter()
        .filter(|event| *event == "directory.changed by bot")
        .count()
}

on_both! {
    async fn team_members_come_from_its_slack_user_group(kind) {
        let Some(world) = grouped(kind).await else { return };
        let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
        assert_eq!(degraded(&world).await, ["Slack has not told yet who is in the user group S02SRE"]);
        assert_eq!(alice.submit(deploy()).await.outcome(), "422 policy_violations", "nobody could approve it");
        first_sync(&world).await;
        assert_eq!((degraded(&world).await.len(), world.team("sre").await), (0, vec!["carol".to_owned(), "dan".to_owned()]));
        let asked = text(&alice.submit(deploy()).await.ok(), "id");
        for person in [&bob, &carol] {
            assert_eq!(person.decide(&asked, "approve").await.outcome(), "200");
        }
        assert_eq!(alice.read(&asked).await["status"], "approved");
        let teams = carol.get("/v1/directory").await.ok()["teams"][SRE]["members"].clone();
        assert_eq!(teams, json!(["carol", "dan"]));

        let calls = world.slack.call_count("usergroups.list");
        world.syncs().await;
        assert_eq!(world.slack.call_count("usergroups.list"), calls, "it was asked a moment ago");
        world.passes(Span::minutes(5)).await;
        world.syncs().await;
        assert_eq!(world.slack.call_count("usergroups.list"), calls + 1);
        assert_eq!(directory_changes(&world).await, 1, "the same again is no change");
        world.finish().await;
    }

    async fn person_who_joins_a_group_cannot_decide_pending_requests_b68(kind) {
        let Some(world) = grouped(kind).await else { return };
        first_sync(&world).await;
        let (alice, erin, mallory) = (world.person("alice").await, world.person("erin").await, world.person("mallory").await);
        let old = text(&alice.submit(deploy()).await.ok(), "id");
        world.passes(Span::seconds(1)).await;
        world.regroups("S02SRE", "U04MALLORY", &["U03CAROL", "U05DAN", "U04MALLORY"]).await;
        assert_eq!(world.team("sre").await, ["carol", "dan", "mallory"]);
        assert_eq!(mallory.decide(&old, "approve").await.outcome(), "403 not_eligible");
        world.regroups("S02SRE", "U05DAN", &["U03CAROL", "U05DAN", "U04MALLORY", "U06ERIN"]).await;
        assert_eq!(erin.decide(&old, "approve").await.outcome(), "200", "dan has added her");
        assert_eq!(mallory.decide(&old, "approve").await.outcome(), "403 not_eligible", "still her own doing");
        world.passes(Span::seconds(1)).await;
        let new = text(&alice.submit(deploy()).await.ok(), "id");
        assert_eq!(mallory.decide(&new, "approve").await.outcome(), "200");
        world.finish().await;
    }

    async fn administrator_binding_their_own_group_cannot_decide_pending_requests_b68(kind) {
        let Some(world) = World::start(kind).await else { return };
        first_sync(&world).await;
        world.reconfigure(|document| document["directory"]["users"][4]["orgRoles"] = json!(["platform-admin"])).await;
        let (alice, erin) = (world.person("alice").await, world.person("erin").await);
        let old = text(&alice.submit(deploy()).await.ok(), "id");
        world.passes(Span::seconds(1)).await;
        world.edits("erin", |document| document["directory"]["teams"][SRE]["slackUserGroup"] = json!("S03SECURITY")).await.expect("she administers");
        first_sync(&world).await;
        assert_eq!(world.team("sre").await, ["carol", "dan", "erin"]);
        assert_eq!(erin.decide(&old, "approve").await.outcome(), "403 not_eligible");
        let new = text(&alice.submit(deploy()).await.ok(), "id");
        assert_eq!(erin.decide(&new, "approve").await.outcome(), "200");
        world.finish().await;
    }

    async fn approval_of_a_person_who_left_the_group_drops_and_can_be_replaced_st4(kind) {
        let Some(world) = grouped(kind).await else { return };
        first_sync(&world).await;
        let (alice, carol, dan) = (world.person("alice").await, world.person("carol").await, world.person("dan").await);
        let asked = alice.submit(command()).await.ok();
        let id = text(&asked, "id");
        assert_eq!(dan.decide(&id, "approve").await.outcome(), "200");
        world.regroups("S02SRE", "U03CAROL", &["U03CAROL"]).await;
        assert_eq!(alice.execute(&id, &text(&asked, "digest")).await.outcome(), "409 requirements_changed");
        assert_eq!(carol.decide(&id, "approve").await.outcome(), "200");
        assert_eq!(alice.execute(&id, &text(&asked, "digest")).await.outcome(), "200");
        world.finish().await;
    }

    async fn stale_group_gives_nothing_to_newly_listed_people(kind) {
        let Some(world) = grouped(kind).await else { return };
        world.regroups("S02SRE", "U05DAN", &["U03CAROL", "U05DAN", "U98NEW", "U99NEW"]).await;
        let list = |id: &str, account: &str| json!({"id": id, "name": id, "slack": {"teamId": "T01TEST", "userId": account}});
        world.passes(Span::minutes(14)).await;
        world.edits("carol", |document| document["directory"]["users"].as_array_mut().expect("a list").push(list("frank", "U98NEW")))
            .await.expect("she administers");
        assert_eq!(world.team("sre").await, ["carol", "dan", "frank"], "what was heard is fresh");

        world.slack.fail_always("usergroups.list", Fault::Disconnect);
        world.passes(Span::minutes(2)).await;
        world.syncs().await;
        assert_eq!(degraded(&world).await, ["Slack has not told since 2026-11-23T10:00:00.000Z who is in the user group S02SRE; nobody new comes in by it"]);
        world.edits("carol", |document| document["directory"]["users"].as_array_mut().expect("a list").push(list("grace", "U99NEW")))
            .await.expect("she administers");
        assert_eq!(world.team("sre").await, ["carol", "dan", "frank"], "who was seen in it stays, nobody new comes");
        let calls = world.slack.call_count("usergroups.list");
        world.syncs().await;
        assert_eq!(world.slack.call_count("usergroups.list"), calls, "Slack is left alone for a while");
        world.slack.clear_faults();
        world.passes(Span::minutes(1)).await;
        world.syncs().await;
        assert_eq!(world.team("sre").await, ["carol", "dan", "frank", "grace"]);
        assert_eq!(degraded(&world).await, Vec::<String>::new());
        world.slack.forgive();
        world.finish().await;
    }

    async fn outdated_slack_sync_result_is_ignored(kind) {
        let Some(world) = grouped(kind).await else { return };
        let before = world.app().now();
        world.passes(Span::seconds(1)).await;
        world.syncs().await;
        let mallory = SlackIdentity { team_id: Some("T01TEST".to_owned()), enterprise_id: None, user_id: "U04MALLORY".to_owned() };
        let late = ListedGroup { id: "S02SRE".to_owned(), accounts: vec![mallory], updated_by: None, added_by_updater: Vec::new() };
        assert!(!world.app().hear_groups(&[late], before).await.expect("heard"));
        assert_eq!(world.team("sre").await, ["carol", "dan"]);
        assert!(!world.app().hear_members(&[], before).await.expect("heard"));
        assert_eq!(world.person("carol").await.get("/v1/config").await.status, 200, "nobody was switched off by it");
        // a group that Slack no longer lists is empty
        world.slack.change(|state| state.groups.get_mut("S02SRE").expect("a group").is_disabled = true);
        world.passes(Span::minutes(5)).await;
        world.syncs().await;
        assert_eq!(world.team("sre").await, Vec::<String>::new());
        world.finish().await;
    }

    async fn account_deactivated_in_slack_is_inactive_in_every_interface_st4(kind) {
        let Some(world) = World::start(kind).await else { return };
        world.edits("carol", |document| {
            document["directory"]["users"][3]["slack"] = json!([
                {"teamId": "T01TEST", "userId": "U05DAN"}, {"teamId": "T02OTHER", "userId": "U05DAN"}]);
        }).await.expect("she administers");
        world.syncs().await;
        let (alice, carol, dan) = (world.person("alice").await, world.person("carol").await, world.person("dan").await);
        let asked = text(&alice.submit(deploy()).await.ok(), "id");
        let typed = world.command_of("carol", "inbox");
        world.account("U03CAROL", |user| user.deleted = true).await;
        world.account("U05DAN", |user| user.deleted = true).await;
        assert_eq!(carol.get("/v1/requests").await.outcome(), "403 forbidden");
        assert_eq!(carol.decide(&asked, "approve").await.outcome(), "403 forbidden");
        assert_eq!(carol.get("/v1/config").await.outcome(), "403 forbidden");
        assert!(world.delivers(&typed).await.body.contains("deactivated"));
        assert_eq!(dan.decide(&asked, "approve").await.outcome(), "403 forbidden", "nothing is known of his other account");

        world.account("U03CAROL", |user| user.deleted = false).await;
        assert_eq!(carol.get("/v1/requests").await.outcome(), "200");
        // events that change nothing here cause no lookup, and neither do people who do not matter here
        let calls = world.slack.call_count("users.info");
        let carol_again = json!({"id": "U03CAROL", "team_id": "T01TEST", "real_name": "Carol Clark", "profile": {"status_text": "at lunch"}});
        for user in [carol_again, json!({"id": "U0BOT"})] {
            world.slack.event(&json!({"type": "user_change", "user": user})).await.expect("the bot hears it");
            world.settle().await;
        }
        assert_eq!(world.slack.call_count("users.info"), calls);
        // a newly listed person is looked up at once
        let calls = world.slack.call_count("users.list");
        world.passes(Span::seconds(1)).await;
        world.edits("carol", |document| document["directory"]["users"][4]["orgRoles"] = json!(["auditor"])).await.expect("she administers");
        for _ in 0..2 {
            world.syncs().await;
            assert_eq!(world.slack.call_count("users.list"), calls + 1, "and once");
        }
        // without an event, the next member list finds it
        world.slack.change(|state| state.users.get_mut("U03CAROL").expect("carol").deleted = true);
        world.passes(Span::minutes(5)).await;
        world.syncs().await;
        assert_eq!(carol.get("/v1/requests").await.outcome(), "403 forbidden");
        // a member list without the bot itself is incomplete
        world.slack.change(|state| {
            state.users.get_mut("U03CAROL").expect("carol").deleted = false;
            state.users.remove("U0BOT");
        });
        world.passes(Span::minutes(5)).await;
        world.syncs().await;
        assert_eq!(carol.get("/v1/requests").await.outcome(), "403 forbidden");
        world.finish().await;
    }

    async fn every_full_member_is_a_person_if_the_configuration_says_so(kind) {
        let Some(world) = open_house(kind).await else { return };
        world.slack.change(|state| {
            for n in 0..1_100 {
                let id = format!("U7{n:04}");
                let user = User { id: id.clone(), team_id: "T01TEST".to_owned(), name: id.to_lowercase(), is_restricted: n % 2 == 1,
                    real_name: format!("Member {n}"), ..User::default() };
                state.users.insert(id, user);
            }
        });
        assert!(world.types("mallory", DEPLOY).await.contains("not in Countersign's directory"));
        world.syncs().await;
        let config = world.app().compiled_config().await.expect("the rules");
        assert_eq!(config.directory().people().count(), 5 + 1 + 550, "listed people, mallory, and no guests");
        assert!(world.slack.call_count("users.list") >= 3, "page by page");

        assert!(world.types("mallory", DEPLOY).await.contains("Asked as *#1*"));
        assert!(world.card().contains("Mallory Moore"), "{}", world.card());
        assert!(world.clicks("mallory", "approve").await.contains("You asked for it"));
        // she is now listed under another id, and what she did under the old id is still hers
        world.passes(Span::seconds(1)).await;
        world.edits("carol", |document| document["directory"]["users"].as_array_mut().expect("a list")
            .push(json!({"id": "mallory", "name": "Mallory Moore", "slack": {"teamId": "T01TEST", "userId": "U04MALLORY"}})))
            .await.expect("she administers");
        let (bob, mallory) = (world.person("bob").await, world.person("mallory").await);
        let refused = mallory.decide("1", "approve").await;
        assert_eq!(refused.outcome(), "403 not_eligible");
        assert!(refused.body["detail"].to_string().contains("You asked for it"), "{}", refused.body);
        let asked = bob.decide("1", "approve").await.ok();
        assert_eq!(mallory.execute("1", &text(&asked, "digest")).await.outcome(), "200", "her own request");
        world.finish().await;
    }

    async fn slack_change_that_locks_a_policy_raises_an_alert_and_an_edit_is_refused(kind) {
        let Some(world) = grouped(kind).await else { return };
        first_sync(&world).await;
        let alice = world.person("alice").await;
        let more = world.edits("carol", |document| document["policies"][1]["quorum"]["minApprovals"] = json!(3)).await;
        let Err(AppError::Refused(Refusal::Invalid(problems))) = more else { panic!("not refused: {more:?}") };
        assert_eq!(problems[0].path, "policies[1].quorum");
        assert!(problems[0].message.contains("could not be met any more: needs three approvals"), "{}", problems[0].message);

        world.regroups("S02SRE", "U05DAN", &[]).await;
        let alarm = world.slack.messages("security").pop().expect("an alarm");
        insta::assert_snapshot!("locked_by_slack", alarm.text);
        assert_eq!(alice.submit(command()).await.outcome(), "422 policy_violations");
        // an unsatisfiable policy does not block an unrelated edit
        world.edits("carol", |document| document["resources"]["projects"].as_array_mut().expect("a list").push(json!("search")))
            .await.expect("it holds");
        world.finish().await;
    }
}
