//! Which policies gate which requests, where cards go, and who administers.

use super::fixture::{NOON, config};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::id::{ActionId, ChannelId};
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::Principal;
use crate::domain::resolve::Reach;
use crate::domain::target::Target;
use std::collections::BTreeMap;

const LEVELS: &str = "
policies:
  - {id: org, name: Org, scope: organization, approvers: anyone}
  - {id: project, name: Project, scope: project, approvers: anyone, quorum: {minApprovals: 2, requiredTeamIds: [sre]}}
  - {id: cluster, name: Cluster, scope: cluster, approvers: anyone, channel: C01CLUSTER}
  - {id: environment, name: Environment, scope: environment, approvers: anyone}
  - {id: deploys, name: Deploys, scope: organization, approvers: anyone, actions: [release.deploy], mode: observe}
  - {id: night, name: Night, scope: organization, approvers: anyone, conditions: {startHour: 0, endHour: 6, timezone: UTC}}
  - {id: staging, name: Staging, scope: project, approvers: anyone, conditions: {environments: [staging]}}
  - {id: repair, name: Repair, scope: environment, approvers: anyone, actions: [environment.policy_update], conditions: {environments: [staging]}}
  - {id: door, name: Door, scope: project, approvers: anyone, actions: [break_glass.initiate]}
  - {id: loose, name: Loose, scope: organization, approvers: anyone}
bindings:
  - {policy: org, level: organization}
  - {policy: project, level: project, resource: api}
  - {policy: cluster, level: cluster, resource: prod-eu-1}
  - {policy: environment, level: environment, resource: production}
  - {policy: deploys, level: organization}
  - {policy: night, level: organization}
  - {policy: staging, level: project, resource: api}
  - {policy: repair, level: environment, resource: production}
  - {policy: repair, level: environment, resource: staging}
  - {policy: door, level: project, resource: api}
routes:
  default: C01DEFAULT
  rules: [{environment: production, risk: Critical, channel: C02CRITICAL}, {policy: project, channel: C03API}, {project: billing, channel: C04BILLING}]
";

fn target(project: Option<&str>, cluster: Option<&str>, environment: Option<&str>) -> Target {
    Target {
        project: project.map(Into::into),
        cluster: cluster.map(Into::into),
        environment: environment.map(Into::into),
        release: None,
    }
}

fn names(gates: &[PinnedPolicy]) -> Vec<String> {
    gates
        .iter()
        .map(|gate| format!("{} @ {}", gate.template.id, gate.bound.join(", ")))
        .collect()
}

fn gating(config: &CompiledConfig, action: &str, target: &Target) -> Vec<String> {
    names(&config.resolve(&action.into(), target, NOON).0)
}

#[test]
fn every_level_stacks() {
    let config = config(LEVELS);
    let everything = target(Some("api"), Some("prod-eu-1"), Some("production"));
    assert_eq!(
        gating(&config, "release.deploy", &everything),
        [
            "org @ organization",
            "project @ project api",
            "cluster @ cluster prod-eu-1",
            "environment @ environment production"
        ]
    );
    assert_eq!(
        gating(
            &config,
            "release.deploy",
            &target(Some("billing"), None, Some("development"))
        ),
        ["org @ organization"]
    );
    assert_eq!(
        gating(
            &config,
            "release.deploy",
            &target(Some("api"), None, Some("staging"))
        ),
        [
            "org @ organization",
            "project @ project api",
            "staging @ project api"
        ]
    );
    let (_, observed) = config.resolve(&"release.deploy".into(), &everything, NOON);
    assert_eq!(names(&observed), ["deploys @ organization"]);
}

/// AP11, B49: a caller who leaves out a cluster's environment avoids no policy.
#[test]
fn a_cluster_brings_its_environment_ap11_b49() {
    let config = config(LEVELS);
    let bare = gating(
        &config,
        "cluster.sync",
        &target(None, Some("prod-eu-1"), None),
    );
    assert_eq!(
        bare,
        gating(
            &config,
            "cluster.sync",
            &target(None, Some("prod-eu-1"), Some("production"))
        )
    );
    assert!(bare.contains(&"environment @ environment production".to_owned()));
}

#[test]
fn hours_decide_by_the_time_that_is_given() {
    let config = config(LEVELS);
    let target = target(Some("billing"), None, Some("development"));
    let night = crate::domain::time::Timestamp(NOON.0 - 9 * 3_600_000);
    let (gates, _) = config.resolve(&ActionId::from("release.deploy"), &target, night);
    assert_eq!(
        names(&gates),
        ["org @ organization", "night @ organization"]
    );
}

#[test]
fn configuration_and_break_glass_are_gated_by_name_alone() {
    let config = config(LEVELS);
    let (gates, _) = config.gates_of_config_change(NOON);
    assert_eq!(
        names(&gates),
        ["repair @ environment production, environment staging"]
    );
    // the same action without a target
    let without = config.resolve(
        &"environment.policy_update".into(),
        &Target::default(),
        NOON,
    );
    assert_eq!(without.0, gates);
    // with a target, it is an action like any other
    assert_eq!(
        gating(
            &config,
            "environment.policy_update",
            &target(None, None, Some("staging"))
        ),
        ["repair @ environment staging"]
    );
    let starts = |projects: Option<Vec<_>>| {
        let reach = Reach {
            projects,
            ..Reach::default()
        };
        names(&config.gates_of_break_glass_start(&reach, NOON).0)
    };
    assert_eq!(starts(None), ["door @ project api"]);
    assert_eq!(starts(Some(vec!["api".into()])), ["door @ project api"]);
    assert!(starts(Some(vec!["billing".into()])).is_empty());
}

#[test]
fn templates_are_pinned_in_the_version_that_is_stored() {
    let versions = BTreeMap::from([("org".into(), 5)]);
    let config =
        CompiledConfig::compile(9, super::fixture::document(LEVELS), &versions).expect("rules");
    let (gates, _) = config.resolve(
        &"release.deploy".into(),
        &target(Some("api"), None, Some("staging")),
        NOON,
    );
    assert_eq!(
        gates.iter().map(|gate| gate.version).collect::<Vec<_>>(),
        [5, 1, 1]
    );
    assert_eq!(config.version(), 9);
}

#[test]
fn cards_go_by_route_and_to_their_policies_channels() {
    let config = config(LEVELS);
    let route = |action: &str, target: &Target| {
        let (gates, _) = config.resolve(&action.into(), target, NOON);
        let action = config.action(&action.into()).expect("an action");
        config.route(action, target, &gates)
    };
    let channel = |id: &str| vec![ChannelId::from(id)];
    assert_eq!(
        route(
            "command.execute",
            &target(None, Some("prod-eu-1"), Some("production"))
        ),
        vec!["C02CRITICAL".into(), "C01CLUSTER".into()]
    );
    assert_eq!(
        route(
            "project.delete",
            &target(Some("billing"), Some("dev-1"), Some("production"))
        ),
        channel("C02CRITICAL")
    );
    assert_eq!(
        route(
            "release.deploy",
            &target(Some("api"), None, Some("staging"))
        ),
        channel("C03API")
    );
    assert_eq!(
        route(
            "release.deploy",
            &target(Some("billing"), None, Some("staging"))
        ),
        channel("C04BILLING")
    );
    assert_eq!(
        route(
            "environment.freeze",
            &target(Some("billing"), None, Some("staging"))
        ),
        channel("C04BILLING")
    );
    assert_eq!(
        route(
            "cluster.scale",
            &target(Some("development"), Some("dev-1"), Some("development"))
        ),
        channel("C01DEFAULT")
    );
}

#[test]
fn administrators_are_those_who_are_named_b43() {
    let config = config("");
    for (principal, expected) in [
        (Principal::Person("dan".into()), true),
        (Principal::Person("alice".into()), false),
        (Principal::Person("DAN".into()), false),
        (Principal::Person("nobody".into()), false),
        (Principal::Service("ci".into()), true),
        (Principal::Service("stray".into()), false),
        (Principal::Operator, false),
        (Principal::Bot, false),
    ] {
        assert_eq!(config.is_administrator(&principal), expected, "{principal}");
    }
    let empty = CompiledConfig::compile(
        0,
        serde_saphyr::from_str("organization: acme").expect("a document"),
        &BTreeMap::new(),
    );
    let empty = empty.expect("rules");
    assert!(!empty.is_administrator(&Principal::Person("dan".into())));
    assert_eq!(empty.actions().len(), 16);
}

/// R03: a level that the target leaves out may mean any resource of it, so leaving it out avoids no policy.
#[test]
fn level_left_out_matches_every_binding_of_it_r03() {
    let config = config(
        "
actions: [{id: own.thing, name: Own Thing, group: project, risk: High, requires: [project]}]
policies:
  - {id: cluster, name: Cluster, scope: cluster, approvers: anyone}
  - {id: project, name: Project, scope: project, approvers: anyone, actions: [command.execute]}
  - {id: environment, name: Environment, scope: environment, approvers: anyone, actions: [own.thing]}
  - {id: staging, name: Staging, scope: organization, approvers: anyone, actions: [own.thing], conditions: {environments: [staging]}}
bindings:
  - {policy: cluster, level: cluster, resource: prod-eu-1}
  - {policy: project, level: project, resource: api}
  - {policy: project, level: project, resource: billing}
  - {policy: environment, level: environment, resource: production}
  - {policy: staging, level: organization}
",
    );
    let own = target(Some("api"), None, None);
    assert_eq!(
        gating(&config, "own.thing", &own),
        [
            "staging @ organization",
            "cluster @ cluster prod-eu-1",
            "environment @ environment production"
        ]
    );
    let in_development = target(Some("api"), None, Some("development"));
    assert!(
        gating(&config, "own.thing", &in_development).is_empty(),
        "it names an environment where nothing is bound"
    );
    let deploy = target(Some("api"), None, Some("production"));
    assert_eq!(
        gating(&config, "release.deploy", &deploy),
        ["cluster @ cluster prod-eu-1"]
    );
    let command = target(None, Some("dev-1"), Some("development"));
    assert_eq!(
        gating(&config, "command.execute", &command),
        ["project @ project api, project billing"]
    );
    let (gates, _) = config.resolve(&"command.execute".into(), &command, NOON);
    assert_eq!(
        gates[0].left_out_reason().as_deref(),
        Some("no project is named, so the policies of every project apply")
    );
    let elsewhere = Reach {
        clusters: Some(vec!["prod-eu-1".into()]),
        ..Reach::default()
    };
    assert!(
        !elsewhere.contains(&deploy),
        "what a session lets through must be named as ever"
    );
}
