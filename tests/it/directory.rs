//! What Countersign learns from Slack about people and channels: large workspaces, rights that come from user groups, accounts that may not
//! act, and channels shared with another organization.

use crate::break_glass::{said, start};
use crate::client::{command, deploy, text};
use crate::database::{Kind, on_both};
use crate::world::{DEPLOY, World, world};
use countersign::app::{AppError, Changed};
use countersign::domain::document::ConfigDocument;
use countersign::domain::refusal::Refusal;
use countersign::domain::time::Span;
use countersign::sandbox::{Fault, Group, Seed, User};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

const DEMO: &str = include_str!("../../manifests/demo.yaml");

/// SRE takes its members from a user group; its members are administrators and may start break-glass sessions.
fn grouped() -> String {
    let listed = "- {id: sre, name: SRE, members: [carol, dan]}";
    let administrators = "administrators: {orgRoles: [platform-admin]}";
    assert!(DEMO.contains(listed) && DEMO.contains(administrators));
    DEMO.replace(listed, "- {id: sre, name: SRE, slackUserGroup: S02SRE}")
        .replace(administrators, "administrators: {teams: [sre]}")
}

/// All members of the workspace are people, and SRE takes its members from a user group.
fn open_house() -> String {
    grouped().replace("directory:\n", "directory:\n  slack: {members: true}\n")
}

async fn rights_by_group(kind: Kind) -> Option<World> {
    let world = World::start_with(kind, &grouped()).await?;
    world.syncs().await;
    world.passes(Span::seconds(1)).await;
    Some(world)
}

fn member(n: usize, team: &str) -> User {
    let id = format!("U7{n:05}");
    User {
        team_id: team.to_owned(),
        name: format!("member{n:05}"),
        real_name: format!("Member {n}"),
        id,
        ..User::default()
    }
}

/// Adds this many members to the workspace.
fn grow(world: &World, members: usize) {
    world.slack.change(|state| {
        let new = (0..members).map(|n| member(n, "T01TEST"));
        state.users.extend(new.map(|user| (user.id.clone(), user)));
    });
}

async fn people(world: &World) -> usize {
    let config = world.app().compiled_config().await.expect("the rules");
    config.directory().people().count()
}

/// The members of a large group.
const MANY: usize = 600;

/// How many memberships are on hold.
async fn held(world: &World) -> i64 {
    let held = "SELECT count(*) FROM gained WHERE held_until IS NOT NULL";
    world.database.count(held).await
}

/// How many statements have written recent memberships since the first call; only Postgres counts them.
async fn statements(world: &World, kind: Kind) -> i64 {
    if kind == Kind::Sqlite {
        return 0;
    }
    for set_up in [
        "CREATE TABLE IF NOT EXISTS statements (n BIGINT)",
        "CREATE OR REPLACE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO statements VALUES (1); RETURN NULL; END'",
        "CREATE OR REPLACE TRIGGER counted AFTER INSERT OR DELETE ON gained
            FOR EACH STATEMENT EXECUTE FUNCTION count_statement()",
    ] {
        world.database.execute(set_up).await.expect("it is set up");
    }
    let counted = "SELECT count(*) FROM statements";
    world.database.count(counted).await
}

/// Whether a person may change the configuration; tries it by adding a project.
async fn administers(world: &World, who: &str, project: &str) -> bool {
    let changed = world
        .edits(who, |document| {
            let projects = document["resources"]["projects"].as_array_mut();
            projects.expect("a list").push(json!(project));
        })
        .await;
    match changed {
        Ok(Changed::Applied(_)) => true,
        Err(AppError::Refused(Refusal::Forbidden(_))) => false,
        other => panic!("{other:?}"),
    }
}

/// The last message in `#security`.
fn last_alert(world: &World) -> String {
    said(world, "security").pop().unwrap_or_default()
}

/// An administrator changes the configuration with this reason.
async fn changes(world: &World, who: &str, reason: &str, change: impl FnOnce(&mut Value)) {
    let stored = world.app().config().await.expect("a configuration");
    let mut document = serde_json::to_value(&stored.document).expect("JSON");
    change(&mut document);
    let document: ConfigDocument = serde_json::from_value(document).expect("a document");
    let caller = countersign::domain::principal::Caller::person(
        who.into(),
        countersign::domain::decision::Via::Api,
    );
    let changed = world
        .app()
        .change_config(&caller, document, None, Some(reason.to_owned()))
        .await;
    assert!(matches!(changed, Ok(Changed::Applied(_))), "{changed:?}");
    world.settle().await;
}

on_both! {
    async fn eleven_thousand_members_and_groups_are_read_within_rate_limits_r17(kind) {
        let Some(world) = World::start_with(kind, &open_house()).await else { return };
        grow(&world, 11_000);
        let users = world.slack.look(|state| state.users.len());
        let pages = users.div_ceil(500);
        assert!(pages > 20);
        world.slack.set_tiers(true);
        world.syncs().await;
        let (listed, grouped) = (world.slack.call_count("users.list"), world.slack.call_count("usergroups.list"));
        assert_eq!((listed, grouped), (20, 1), "a minute's calls at once, and groups do not wait for members");
        assert_eq!(world.team("sre").await, ["carol", "dan"]);
        // Slack still asks for a pause in the middle
        world.slack.fail_next_of("users.list", Fault::RateLimited { retry_after: 17 });
        let mut seconds = 0;
        while people(&world).await < 11_000 {
            world.passes(Span::seconds(5)).await;
            world.syncs().await;
            seconds += 5;
            assert!(seconds <= 80, "it never ends");
        }
        assert!((60..=80).contains(&seconds), "{seconds}");
        assert_eq!(world.slack.call_count("users.list"), u64::try_from(pages).expect("few") + 1, "no page twice but the refused one");
        assert_eq!(world.degraded().await, Vec::<String>::new());
        // the next sync is as fast, and a group that has changed since is read at once
        world.passes(Span::minutes(5)).await;
        world.syncs().await;
        world.regroups("S02SRE", "U03CAROL", &["U03CAROL"]).await;
        assert_eq!(world.team("sre").await, ["carol"]);
        world.finish().await;
    }

    async fn stale_member_page_does_not_reactivate_a_deactivated_person_r17(kind) {
        let Some(world) = World::start_with(kind, &open_house()).await else { return };
        grow(&world, 11_000);
        world.slack.set_tiers(true);
        let bob = world.person("bob").await;
        world.syncs().await;
        assert_eq!(people(&world).await, 6, "the list is not complete");
        world.passes(Span::seconds(10)).await;
        // the page that shows bob as active was read before
        world.account("U02BOB", |user| user.deleted = true).await;
        assert_eq!(bob.get("/v1/requests").await.outcome(), "403 forbidden");
        for _ in 0..6 {
            world.passes(Span::seconds(10)).await;
            world.syncs().await;
        }
        assert!(people(&world).await > 11_000, "the list is complete");
        assert_eq!(bob.get("/v1/requests").await.outcome(), "403 forbidden");
        world.finish().await;
    }

    async fn every_workspace_of_an_organization_is_read(kind) {
        let configuration = open_house().replace("teamId: T01TEST", "enterpriseId: E01TEST");
        let seed = Seed::example().organization("E01TEST");
        let Some(world) = World::start_in(kind, &configuration, seed).await else { return };
        world.slack.change(|state| {
            for n in 0..600 {
                let user = User { enterprise: Some("E01TEST".to_owned()), ..member(n, "T02OTHER") };
                state.users.insert(user.id.clone(), user);
            }
            let group = state.groups.get_mut("S02SRE").expect("a group");
            let moved = Group { team_id: "T02OTHER".to_owned(), users: vec!["U700599".to_owned(), "U05DAN".to_owned()], ..group.clone() };
            *group = moved;
        });
        world.syncs().await;
        assert_eq!(people(&world).await, 6 + 600);
        assert_eq!(world.team("sre").await, ["U700599", "dan"]);
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.finish().await;
    }

    async fn rights_from_joining_a_group_are_held_for_24_hours_and_announced_r18(kind) {
        let Some(world) = rights_by_group(kind).await else { return };
        assert!(administers(&world, "carol", "search").await, "the group as it was chosen");
        let (alice, mallory) = (world.person("alice").await, world.person("mallory").await);
        let waiting = text(&alice.submit(command()).await.ok(), "id");
        world.passes(Span::seconds(1)).await;
        world.regroups("S02SRE", "U04MALLORY", &["U03CAROL", "U05DAN", "U04MALLORY"]).await;
        insta::assert_snapshot!("joined_by_herself", last_alert(&world));
        assert!(!administers(&world, "mallory", "hers").await);
        let refused = mallory.post("/v1/break-glass", start()).await;
        assert_eq!(refused.outcome(), "403 forbidden");
        assert!(refused.body["detail"].to_string().contains("from 2026-11-24T10:00:02.000Z on"), "{}", refused.body);
        assert_eq!(mallory.decide(&waiting, "approve").await.outcome(), "403 not_eligible");
        // rights that the configuration gives as well are not held
        world.edits("carol", |document| document["directory"]["teams"][1]["members"] = json!(["mallory"])).await.expect("she administers");
        assert!(administers(&world, "mallory", "hers").await);
        world.edits("carol", |document| document["directory"]["teams"][1]["members"] = json!([])).await.expect("she administers");
        assert!(!administers(&world, "mallory", "more").await);

        world.passes(Span::hours(24)).await;
        world.syncs().await;
        assert!(administers(&world, "mallory", "more").await);
        assert_eq!(mallory.post("/v1/break-glass", start()).await.status, 201);
        world.finish().await;
    }

    async fn holds_of_a_large_group_are_written_in_bulk_r17(kind) {
        let Some(world) = World::start_with(kind, &open_house()).await else { return };
        grow(&world, MANY);
        world.syncs().await;
        let was = statements(&world, kind).await;
        let joined: Vec<String> = (0..MANY).map(|n| member(n, "T01TEST").id).collect();
        let joined: Vec<&str> = joined.iter().map(String::as_str).chain(["U03CAROL"]).collect();
        world.regroups("S02SRE", "U99ADMIN", &joined).await;
        let many = i64::try_from(MANY).expect("it fits");
        assert_eq!(held(&world).await, many);
        let gained = statements(&world, kind).await;
        assert!(gained - was <= 2, "{gained}"); // dan has left, the others came
        world.passes(Span::hours(24)).await;
        world.syncs().await;
        assert_eq!(held(&world).await, 0);
        assert_eq!(world.database.count("SELECT count(*) FROM gained").await, many + 1);
        let ended = statements(&world, kind).await;
        assert!(ended - gained <= 1, "{ended}");
        // a membership that is lost is forgotten
        world.regroups("S02SRE", "U99ADMIN", &["U03CAROL", "U05DAN"]).await;
        assert_eq!(world.database.count("SELECT count(*) FROM gained").await, 2);
        assert!(statements(&world, kind).await - ended <= 2);
        world.finish().await;
    }

    async fn hold_that_cannot_be_ended_does_not_keep_leavers_in_their_team_st4(kind) {
        let Some(world) = rights_by_group(kind).await else { return };
        world.regroups("S02SRE", "U04MALLORY", &["U03CAROL", "U05DAN", "U04MALLORY"]).await;
        assert_eq!(held(&world).await, 1);
        world.passes(Span::hours(24)).await;
        let refuses = match kind {
            Kind::Sqlite => "CREATE TRIGGER refuses BEFORE UPDATE ON gained BEGIN SELECT RAISE(ABORT, 'refused'); END",
            Kind::Postgres => "ALTER TABLE gained ADD CONSTRAINT refuses CHECK (held_until IS NOT NULL) NOT VALID",
        };
        world.database.execute(refuses).await.expect("it is set up");
        world.slack.change(|state| {
            let group = state.groups.get_mut("S02SRE").expect("a group");
            group.users = vec!["U03CAROL".to_owned(), "U04MALLORY".to_owned()];
        });
        let error = world.bot.dispatcher.sync_people().await.expect_err("the hold stays");
        assert!(error.to_string().contains("database"), "{error}");
        assert_eq!(held(&world).await, 1);
        assert_eq!(world.team("sre").await, ["carol", "mallory"]);
        world.finish().await;
    }

    async fn person_added_to_a_group_by_another_gets_rights_at_once_announced_r18(kind) {
        let Some(world) = rights_by_group(kind).await else { return };
        world.regroups("S02SRE", "U05DAN", &["U03CAROL", "U05DAN", "U06ERIN"]).await;
        let told = last_alert(&world);
        assert!(told.contains("+ Erin Evans (erin) may change the configuration\n+ Erin Evans (erin) may start break-glass sessions"), "{told}");
        assert!(administers(&world, "erin", "search").await);
        // a person who is not in the directory may be anyone, even the person who was added
        world.regroups("S02SRE", "U99ADMIN", &["U03CAROL", "U05DAN", "U06ERIN", "U04MALLORY"]).await;
        assert!(!administers(&world, "mallory", "hers").await);
        world.finish().await;
    }

    async fn rights_are_held_for_people_listed_after_joining_a_group_r18(kind) {
        let Some(world) = rights_by_group(kind).await else { return };
        world.regroups("S02SRE", "U99NEW", &["U03CAROL", "U05DAN", "U99NEW"]).await;
        let alice = world.person("alice").await;
        let waiting = text(&alice.submit(deploy()).await.ok(), "id");
        world.passes(Span::seconds(1)).await;
        world.edits("carol", |document| document["directory"]["users"].as_array_mut().expect("a list")
            .push(json!({"id": "grace", "name": "Grace", "slack": {"teamId": "T01TEST", "userId": "U99NEW"}}))).await.expect("she administers");
        assert_eq!(world.team("sre").await, ["carol", "dan", "grace"]);
        assert!(!administers(&world, "grace", "hers").await);
        let grace = world.person("grace").await;
        assert_eq!(grace.decide(&waiting, "approve").await.outcome(), "403 not_eligible");
        for _ in 0..5 {
            world.passes(Span::seconds(1)).await;
        }
        let told = said(&world, "security").concat();
        assert!(told.contains("more people have rights through a Slack user group"), "{told}");
        assert!(told.contains("+ Grace (grace) may change the configuration from 2026-"), "{told}");
        world.passes(Span::hours(24)).await;
        world.syncs().await;
        assert!(administers(&world, "grace", "hers").await);
        world.finish().await;
    }

    async fn all_rights_of_a_newly_bound_group_are_held_r18(kind) {
        let Some(world) = World::start(kind).await else { return };
        world.edits("carol", |document| {
            document["directory"]["teams"][2]["slackUserGroup"] = json!("S03SECURITY");
            document["directory"]["teams"][2]["members"] = json!([]);
            document["administrators"]["teams"] = json!(["security"]);
        }).await.expect("she administers");
        world.syncs().await;
        assert_eq!(world.team("security").await, ["erin"]);
        assert!(!administers(&world, "erin", "hers").await);
        assert!(administers(&world, "carol", "search").await);
        world.finish().await;
    }

    async fn group_edit_author_is_unknown_after_a_later_edit_r34(kind) {
        let Some(world) = rights_by_group(kind).await else { return };
        let alice = world.person("alice").await;
        let waiting = text(&alice.submit(deploy()).await.ok(), "id");
        world.passes(Span::seconds(1)).await;
        // Slack reports only the last editor, and that is not mallory
        let own = world.regroups_unheard("S02SRE", "U04MALLORY", &["U03CAROL", "U05DAN", "U04MALLORY"]);
        world.slack.event(&own).await.expect("an ack");
        world.regroups("S02SRE", "U05DAN", &["U03CAROL", "U05DAN", "U04MALLORY", "U06ERIN"]).await;
        assert_eq!(world.team("sre").await, ["carol", "dan", "erin", "mallory"]);
        let (erin, mallory) = (world.person("erin").await, world.person("mallory").await);
        assert!(!administers(&world, "mallory", "hers").await);
        assert_eq!(mallory.decide(&waiting, "approve").await.outcome(), "403 not_eligible");
        assert!(administers(&world, "erin", "search").await, "dan has added her");
        assert_eq!(erin.decide(&waiting, "approve").await.outcome(), "200");
        world.finish().await;
    }

    async fn group_edit_author_is_unknown_without_an_event_r34(kind) {
        let Some(world) = rights_by_group(kind).await else { return };
        world.regroups_unheard("S02SRE", "U05DAN", &["U03CAROL", "U05DAN", "U06ERIN"]);
        world.passes(Span::minutes(5)).await;
        world.syncs().await;
        assert_eq!(world.team("sre").await, ["carol", "dan", "erin"]);
        assert!(!administers(&world, "erin", "hers").await);
        world.finish().await;
    }

    async fn guest_seen_by_one_replica_is_refused_by_others_and_by_token_r19(kind) {
        let world = world!(kind);
        world.syncs().await;
        let (other, other_url) = world.replica().await;
        let bob = world.person("bob").await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::minutes(11)).await;
        world.slack.set_bot_url(&other_url);
        assert!(world.types("bob", "inbox").await.contains("#1"), "the other replica knows him for ten minutes");
        world.slack.set_bot_url(&world.url);
        // no event reports it: the bot learns it when bob acts
        world.slack.change(|state| state.users.get_mut("U02BOB").expect("there").is_restricted = true);
        assert!(world.types("bob", "inbox").await.contains("Guests of this workspace"));
        world.slack.set_bot_url(&other_url);
        let told = world.types("bob", "inbox").await;
        assert!(told.contains("Your account is not active."), "{told}");
        let told = world.clicks("bob", "approve").await;
        other.dispatcher.finish().await;
        let told = told + &world.told("bob").concat();
        assert!(told.contains("Your account is not active."), "{told}");
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        assert_eq!(bob.get("/v1/requests").await.outcome(), "403 forbidden");
        assert_eq!(bob.at(&other_url).decide("1", "approve").await.outcome(), "403 forbidden");
        // undone in Slack
        world.slack.set_bot_url(&world.url);
        world.account("U02BOB", |user| user.is_restricted = false).await;
        assert_eq!(bob.decide("1", "approve").await.outcome(), "200");
        other.stop().await;
        world.finish().await;
    }

    async fn guest_account_is_refused_even_if_its_person_has_another_account_r19(kind) {
        let world = world!(kind);
        world.edits("carol", |document| document["directory"]["users"][1]["slack"] = json!([
            {"teamId": "T01TEST", "userId": "U02BOB"}, {"teamId": "T02OTHER", "userId": "U02BOB"}])).await.expect("she administers");
        world.syncs().await;
        let (other, other_url) = world.replica().await;
        world.passes(Span::seconds(1)).await;
        world.types("alice", DEPLOY).await;
        world.slack.set_bot_url(&other_url);
        assert!(world.types("bob", "inbox").await.contains("#1"));
        world.slack.set_bot_url(&world.url);
        world.account("U02BOB", |user| user.is_ultra_restricted = true).await;
        world.slack.set_bot_url(&other_url);
        assert!(world.types("bob", "inbox").await.contains("Your account is not active."));
        world.clicks("bob", "approve").await;
        other.dispatcher.finish().await;
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        other.stop().await;
        world.finish().await;
    }

    async fn weakenings_are_announced_before_harmless_edits_and_a_long_reason_r11(kind) {
        let world = world!(kind);
        changes(&world, "carol", &"because of everything ".repeat(150), |document| {
            let projects = document["resources"]["projects"].as_array_mut().expect("a list");
            projects.extend((0..500).map(|n| json!(format!("harmless-project-{n}"))));
            let users = document["directory"]["users"].as_array_mut().expect("a list");
            users.extend((0..300).map(|n| json!({"id": format!("a-new-{n}"), "name": "New", "slack": {"teamId": "T01TEST", "userId": format!("U8{n:04}")}})));
            document["directory"]["users"][5]["orgRoles"] = json!(["platform-admin"]);
            document["policies"][3]["quorum"]["minApprovals"] = json!(1);
            document["policies"][3]["quorum"]["minDistinctTeams"] = json!(1);
        }).await;
        let told = said(&world, "security");
        assert_eq!(told.len(), 1, "{told:#?}");
        let place = |what: &str| told[0].find(what).unwrap_or_else(|| panic!("no {what} in {}", told[0]));
        assert!(place("directory.users.mallory.orgRoles") < place("! policy project-deletion-gate needs less of a quorum"));
        assert!(place("! policy project-deletion-gate needs less of a quorum") < place("Reason: because of everything"));
        assert!(place("Reason: because of everything") < place("and "));
        assert!(told[0].chars().count() < 2_600, "{}", told[0]);
        world.finish().await;
    }

    async fn a_hundred_weakened_policies_are_all_announced_r11(kind) {
        let world = world!(kind);
        world.reconfigure(|document| {
            let policies = document["policies"].as_array_mut().expect("a list");
            policies.extend((0..100).map(|n| json!({"id": format!("gate-of-team-number-{n}"), "name": "Gate", "scope": "organization",
                "approvers": {"teams": ["sre"]}, "quorum": {"minApprovals": 2}})));
        }).await;
        let before = said(&world, "security").len();
        changes(&world, "carol", "less work", |document| {
            for policy in document["policies"].as_array_mut().expect("a list").iter_mut().skip(4) {
                policy["quorum"]["minApprovals"] = json!(1);
            }
        }).await;
        while said(&world, "security").last().is_none_or(|last| !last.contains("Reason: less work")) {
            world.passes(Span::seconds(1)).await;
        }
        let told = said(&world, "security").split_off(before).concat();
        for n in 0..100 {
            assert!(told.contains(&format!("! policy gate-of-team-number-{n} needs less of a quorum")), "{n}: {told}");
        }
        world.finish().await;
    }

    async fn payload_hiding_and_added_channels_are_announced_and_keep_all_cards_r12(kind) {
        let world = world!(kind);
        changes(&world, "carol", "less noise", |document| document["policies"][0]["showPayload"] = json!("never")).await;
        assert!(last_alert(&world).contains("! policy production-deploy-gate shows less of the payload to those who decide"), "{}", last_alert(&world));
        changes(&world, "carol", "more noise", |document| {
            document["policies"].as_array_mut().expect("a list").push(json!({"id": "quiet", "name": "Quiet", "scope": "organization",
                "actions": ["release.deploy"], "approvers": "anyone", "showPayload": "never", "channel": "C01APPROVALS"}));
        }).await;
        let told = last_alert(&world);
        assert!(told.contains("! policy quiet is added and hides the payload from those who decide"), "{told}");
        assert!(told.contains("! policy quiet is added and posts its cards to C01APPROVALS, too"), "{told}");
        changes(&world, "carol", "bind it", |document| {
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "quiet", "level": "organization"}));
        }).await;
        let told = last_alert(&world);
        assert!(told.contains("! policy quiet is bound to") && told.contains("posts its cards to C01APPROVALS, too"), "{told}");
        world.types("alice", DEPLOY).await;
        for channel in ["prod-approvals", "approvals"] {
            assert!(world.slack.card(channel).is_some_and(|card| card.text.contains("#1")), "{channel}");
        }
        changes(&world, "carol", "elsewhere", |document| document["policies"][4]["channel"] = json!("C03SECURITY")).await;
        assert!(last_alert(&world).contains("! policy quiet posts its cards to other channels"), "{}", last_alert(&world));
        world.finish().await;
    }

    async fn alerts_in_shared_channels_omit_reason_and_content_r23(kind) {
        let world = world!(kind);
        let share = |shared: bool| world.slack.change(|state| state.channels.get_mut("C03SECURITY").expect("there").is_ext_shared = shared);
        let (dan, erin) = (world.person("dan").await, world.person("erin").await);
        let opened = dan.post("/v1/break-glass", start()).await.ok();
        world.settle().await;
        assert!(last_alert(&world).contains("checkout is down"), "{}", last_alert(&world));
        share(true);
        world.slack.event(&json!({"type": "channel_shared", "channel": "C03SECURITY"})).await.expect("an ack");
        world.settle().await;
        let before = said(&world, "security").len();
        let id = text(&opened, "id");
        assert_eq!(dan.post(&format!("/v1/break-glass/{id}/revoke"), json!({})).await.status, 200);
        world.settle().await;
        let note = json!({"note": "secret-note of the review"});
        assert_eq!(erin.post(&format!("/v1/break-glass/{id}/review"), note).await.status, 200);
        world.settle().await;
        changes(&world, "carol", "secret-reason of the change", |document| document["policies"][0]["showPayload"] = json!("never")).await;
        let told = said(&world, "security");
        let new = told[before..].join("\n");
        for secret in ["checkout is down", "secret-note", "secret-reason", "production-deploy-gate"] {
            assert!(!new.contains(secret), "{secret}: {new}");
        }
        insta::assert_snapshot!("shared_alerts", told[before..].join("\n---\n"));
        // older cards lose their text at their next update; direct messages keep all of it
        assert!(!told[0].contains("checkout is down"), "{}", told[0]);
        assert!(world.slack.direct_messages("erin").iter().any(|message| message.text.contains("checkout is down")));
        share(false);
        world.slack.event(&json!({"type": "channel_unshared", "channel": "C03SECURITY"})).await.expect("an ack");
        changes(&world, "carol", "open-reason of the change", |document| document["policies"][0]["showPayload"] = json!("card")).await;
        assert!(last_alert(&world).contains("open-reason"), "{}", last_alert(&world));
        world.finish().await;
    }

    async fn card_text_is_removed_with_a_note_once_its_channel_is_shared_sl7(kind) {
        let world = world!(kind);
        let mut ask = deploy();
        ask["payload"] = json!({"image": "secret-image:7"});
        ask["reason"] = json!("hotfix for checkout");
        world.person("alice").await.submit(ask).await.ok();
        world.settle().await;
        assert!(world.card().contains("hotfix for checkout") && world.card().contains("secret-image"), "{}", world.card());
        assert_eq!(world.buttons(), ["approve", "reject", "details"]);
        world.slack.change(|state| state.channels.get_mut("C02PROD").expect("there").is_ext_shared = true);
        world.slack.event(&json!({"type": "channel_shared", "channel": "C02PROD"})).await.expect("an ack");
        world.passes(Span::seconds(2)).await;
        assert!(!world.card().contains("hotfix for checkout") && !world.card().contains("secret-image"), "{}", world.card());
        assert!(world.card().contains("so the reason, comments and content are not shown here. Open Details to read them."), "{}", world.card());
        // who approves has to read the content first, which Review shows to them alone
        assert_eq!(world.buttons(), ["review", "reject", "details"]);
        for who in ["bob", "carol"] {
            world.types(who, &format!("approve 1 secret-comment of {who}")).await;
        }
        assert!(world.card().contains("Bob Brown") && !world.card().contains("secret-comment"), "{}", world.card());
        // the card does not say why a grant was voided, either
        world.app().void_open("secret-reason of the restore").await.expect("voided");
        world.settle().await;
        assert!(world.card().contains("Cancelled") && !world.card().contains("secret-reason"), "{}", world.card());
        world.finish().await;
    }
}

#[tokio::test]
async fn init_reads_a_large_workspace_although_slack_asks_for_pauses_r17() {
    let Some(world) = World::start(Kind::Sqlite).await else {
        return;
    };
    grow(&world, 11_000);
    for method in ["users.list", "usergroups.list", "conversations.list"] {
        for _ in 0..2 {
            let fault = Fault::RateLimited { retry_after: 0 };
            world.slack.fail_next_of(method, fault);
        }
    }
    let mut init = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let flags = ["--channel", "approvals", "--administrator", "member10999"];
    init.args(["init", "--project", "api", "--out", "-"])
        .args(flags)
        .env_clear()
        .env("SLACK_API_URL", world.slack.api_url())
        .env("SLACK_BOT_TOKEN", "xoxb-story")
        .stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || init.output()).await;
    let output = ran.expect("no panic").expect("it runs");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(out.contains("member10999"), "{out}");
    world.finish().await;
}
