//! A configuration change is an operation like any other (docs/decisions.md D10): policies can gate it, and the bot applies and announces
//! it.

use crate::database::on_both;
use crate::world::{World, operator, world};
use countersign::app::{AppError, Changed, RequestRef};
use countersign::config::file::Source;
use countersign::domain::decision::Via;
use countersign::domain::document::ConfigDocument;
use countersign::domain::principal::Caller;
use countersign::domain::refusal::Refusal;
use countersign::domain::request_details::RequestDetails;

/// A policy under which a member of the team security must approve every configuration change.
const GATE: &str = "
  - id: rules-gate
    name: Rules Gate
    description: Somebody from security looks at every change of the rules.
    scope: organization
    actions: [environment.policy_update]
    approvers: {teams: [security]}
    quorum: {minApprovals: 1}
";

fn carol() -> Caller {
    Caller::person("carol".into(), Via::Api)
}

fn gated() -> ConfigDocument {
    let demo = include_str!("../../manifests/demo.yaml");
    let text = demo
        .replacen("policies:\n", &format!("policies:{GATE}"), 1)
        .replacen(
            "bindings:\n",
            "bindings:\n  - {policy: rules-gate, level: organization}\n",
            1,
        );
    Source::read("gated.yaml", &text)
        .expect("a configuration")
        .into_document()
}

/// The same configuration without its routes.
fn unrouted(mut document: ConfigDocument) -> ConfigDocument {
    document.routes.rules.clear();
    document
}

async fn requested(world: &World, document: ConfigDocument) -> RequestDetails {
    match world
        .app()
        .change_config(&carol(), document, None, Some("tidy".to_owned()))
        .await
    {
        Ok(Changed::Requested(shown)) => *shown,
        other => panic!("not a request: {other:?}"),
    }
}

async fn status(world: &World, shown: &RequestDetails) -> String {
    let now = world
        .app()
        .show(&RequestRef::Id(shown.request.id.clone()))
        .await
        .expect("it is there");
    now.request.state.status().to_string()
}

/// Erin of security approves the newest card in `#approvals`.
async fn erin_approves(world: &World, shown: &RequestDetails) -> String {
    world
        .types("erin", &format!("approve {}", shown.request.number))
        .await
}

on_both! {
    async fn gated_config_change_waits_for_approval_and_is_applied_by_the_bot_op4_b19(kind) {
        let world = world!(kind);
        world.app().change_config(&operator(), gated(), None, None).await.expect("the gate is ungated itself");

        let shown = requested(&world, unrouted(gated())).await;
        world.settle().await;
        assert_eq!(world.app().config().await.expect("it").document, gated(), "nothing holds before it is approved");
        let herself = world.types("carol", &format!("approve {}", shown.request.number)).await;
        assert!(herself.starts_with("You are not an eligible approver for this request"), "{herself}");

        erin_approves(&world, &shown).await;
        assert_eq!(status(&world, &shown).await, "completed");
        let config = world.app().config().await.expect("it");
        assert_eq!((config.version, config.document), (3, unrouted(gated())));
        let said = world.slack.messages("security");
        let alert = said.iter().find(|said| said.text.contains("configuration was changed")).expect("an announcement");
        let alert = &alert.text;
        assert!(alert.contains("routes"), "{alert}");
        assert!(world.audit().await.ends_with(&["request.approved by bot".to_owned(), "config.changed by bot".to_owned(),
            "request.completed by bot".to_owned()]));
        world.finish().await;
    }

    async fn config_change_from_another_version_ends_as_config_changed(kind) {
        let world = world!(kind);
        world.app().change_config(&operator(), gated(), None, None).await.expect("the gate is ungated itself");
        let mut other = unrouted(gated());
        "elsewhere".clone_into(&mut other.organization);
        let (first, second) = (requested(&world, unrouted(gated())).await, requested(&world, other).await);
        erin_approves(&world, &first).await;
        erin_approves(&world, &second).await;
        assert_eq!(status(&world, &first).await, "completed");
        assert_eq!(status(&world, &second).await, "cancelled");
        assert_eq!(world.app().config().await.expect("it").document, unrouted(gated()));
        world.finish().await;
    }

    async fn config_change_needs_an_administrator_and_a_current_valid_document(kind) {
        let world = world!(kind);
        let app = world.app();
        let bob = Caller::person("bob".into(), Via::Api);
        let refused = app.change_config(&bob, unrouted(gated()), None, None).await;
        assert!(matches!(refused, Err(AppError::Refused(Refusal::Forbidden(_)))), "{refused:?}");
        let stale = app.change_config(&carol(), gated(), Some(7), None).await;
        assert!(matches!(stale, Err(AppError::Refused(Refusal::Stale(_)))), "{stale:?}");
        let mut senseless = gated();
        senseless.policies[0].quorum.min_approvals = 99;
        let invalid = app.change_config(&carol(), senseless, None, None).await;
        assert!(matches!(invalid, Err(AppError::Refused(Refusal::Invalid(_)))), "{invalid:?}");
        assert_eq!(app.config().await.expect("it").version, 1);
        world.finish().await;
    }

    async fn known_configuration_file_changes_nothing_when_loaded_again(kind) {
        let world = world!(kind);
        let app = world.app();
        let demo = app.config().await.expect("it").document;
        app.change_config(&carol(), unrouted(demo.clone()), Some(1), None).await.expect("an edit");
        let loaded = app.load_file(demo.clone(), "demo.yaml").await.expect("a restart");
        assert!(matches!(loaded, Changed::Unchanged(_)), "{loaded:?}");
        assert_eq!(app.config().await.expect("it").document, unrouted(demo));
        world.finish().await;
    }

    async fn new_configuration_file_is_applied_once_by_replicas_starting_together(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let new = unrouted(world.app().config().await.expect("it").document);
        let (here, there) = tokio::join!(
            world.app().load_file(new.clone(), "new.yaml"),
            replica.app.load_file(new.clone(), "new.yaml"),
        );
        let applied = [here.expect("loaded"), there.expect("loaded")];
        let applied = applied.iter().filter(|changed| matches!(changed, Changed::Applied(_))).count();
        assert_eq!((applied, world.app().config().await.expect("it").version), (1, 2));
        replica.stop().await;
        world.finish().await;
    }

    async fn gated_new_configuration_file_creates_exactly_one_request(kind) {
        let world = world!(kind);
        world.app().change_config(&operator(), gated(), None, None).await.expect("the gate is ungated itself");
        let (replica, _) = world.replica().await;
        let new = unrouted(gated());
        let (here, there) = tokio::join!(
            world.app().load_file(new.clone(), "new.yaml"),
            replica.app.load_file(new.clone(), "new.yaml"),
        );
        let asked = [here.expect("loaded"), there.expect("loaded")];
        let asked = asked.iter().filter(|changed| matches!(changed, Changed::Requested(_))).count();
        assert_eq!((asked, world.database.count("SELECT count(*) FROM requests").await), (1, 1));
        world.types("erin", "reject 1 not like this").await;
        let asked = world.app().show(&RequestRef::Number(1)).await.expect("it is there");
        assert_eq!(asked.request.state.status().to_string(), "rejected");
        let again = world.app().load_file(new, "new.yaml").await.expect("a restart");
        assert!(matches!(again, Changed::Unchanged(_)), "it was asked once, and refused: {again:?}");
        assert_eq!(world.app().config().await.expect("it").document, gated());
        replica.stop().await;
        world.finish().await;
    }

    async fn tightened_policy_survives_a_restart_with_the_old_file(kind) {
        let mut world = world!(kind);
        let demo = world.app().config().await.expect("it").document;
        world.edits("carol", |document| document["policies"][0]["quorum"]["minApprovals"] = serde_json::json!(3)).await.expect("an edit");
        world.restart().await;
        let loaded = world.app().load_file(demo, "demo.yaml").await.expect("a restart");
        assert!(matches!(loaded, Changed::Unchanged(_)), "{loaded:?}");
        world.types("alice", crate::world::DEPLOY).await;
        assert!(world.card().contains("0 of 3 approvals"), "{}", world.card());
        world.finish().await;
    }

    async fn last_approver_of_config_changes_is_kept_and_a_lock_is_recoverable_op4(kind) {
        let world = world!(kind);
        world.app().change_config(&operator(), gated(), None, None).await.expect("the gate is ungated itself");
        world.syncs().await;
        let mut without = gated();
        without.directory.teams[2].members.clear();
        let refused = world.app().change_config(&carol(), without, None, None).await;
        assert!(matches!(refused, Err(AppError::Refused(Refusal::Invalid(_)))), "{refused:?}");

        world.account("U06ERIN", |erin| erin.deleted = true).await;
        let alarm = world.slack.messages("security").pop().expect("an alarm");
        assert!(alarm.text.contains("rules-gate"), "{}", alarm.text);
        let locked = world.app().change_config(&carol(), unrouted(gated()), None, None).await;
        assert!(matches!(locked, Err(AppError::Refused(Refusal::Violations(_)))), "{locked:?}");
        let open = world.app().config().await.expect("it").document;
        let mut open = ConfigDocument { bindings: Vec::new(), ..open };
        open.policies.clear();
        world.app().recover(&open, "erin has left").await.expect("the way back in");
        world.app().change_config(&carol(), unrouted(open), None, None).await.expect("nothing gates it any more");
        world.finish().await;
    }
}
