//! What would happen to an ask and why, and what a configuration change changes.

use super::fixture::{ACME, NOON, ask, config, document, erin};
use crate::domain::diff::{Difference, before_and_after, diff};
use crate::domain::document::ConfigDocument;
use crate::domain::time::Span;

const POLICIES: &str = "
policies:
  - {id: gate, name: Gate, scope: environment, approvers: {teams: [sre, security]}, quorum: {minApprovals: 2, requiredTeamIds: [sre]}}
  - {id: staging, name: Staging, scope: environment, approvers: anyone}
  - {id: sync, name: Sync, scope: organization, approvers: anyone, actions: [cluster.sync]}
  - {id: night, name: Night, scope: organization, approvers: anyone, conditions: {startHour: 0, endHour: 6, timezone: UTC}}
  - {id: only, name: Only, scope: project, approvers: anyone, conditions: {environments: [staging, development]}}
  - {id: loose, name: Loose, scope: organization, approvers: anyone}
  - {id: trial, name: Trial, scope: organization, approvers: anyone, mode: observe}
bindings:
  - {policy: gate, level: environment, resource: production}
  - {policy: staging, level: environment, resource: staging}
  - {policy: staging, level: environment, resource: development}
  - {policy: sync, level: organization}
  - {policy: night, level: organization}
  - {policy: only, level: project, resource: api}
  - {policy: trial, level: organization}
";

#[test]
fn every_policy_says_why_it_applies_or_not() {
    let explained = config(POLICIES).explain(&ask(), &erin(), NOON);
    assert_eq!(explained.policies.len(), 1);
    assert_eq!(
        explained.policies[0].explanation.text,
        "0 of 2 approvals; SRE has not approved"
    );
    assert_eq!(explained.observed[0].policy, "trial".into());
    assert_eq!(
        explained.because[0].why,
        "is bound to environment production"
    );
    assert_eq!(
        explained.observed_because[0].why,
        "is bound to organization"
    );
    let night = NOON.plus(Span::hours(13));
    let night = config(POLICIES).explain(&ask(), &erin(), night);
    assert_eq!(
        night.because[0].why,
        "is bound to organization, and applies at this hour, until Tuesday 2026-01-06 06:00 (UTC)"
    );
    assert!(night.because[0].hours.is_some() && night.because[1].hours.is_none());
    let others: Vec<String> = explained
        .others
        .iter()
        .map(|other| format!("{} {}", other.name, other.why))
        .collect();
    assert_eq!(
        others,
        [
            "Staging is bound to environment staging and environment development",
            "Sync does not gate release.deploy",
            "Night is outside its hours; it applies again from Tuesday 2026-01-06 00:00 (UTC)",
            "Only applies to staging and development alone",
            "Loose is bound to nothing",
        ]
    );
    assert_eq!(
        explained.eligible,
        ["alice".into(), "bob".into(), "carol".into()]
    );
    assert_eq!(explained.smallest_set, ["alice".into(), "bob".into()]);
    assert!(explained.violations.is_empty());
}

#[test]
fn explain_lists_violations_with_the_policies() {
    let mut without = ask();
    without.authors = vec!["nobody".to_owned()];
    let explained = config(POLICIES).explain(&without, &erin(), NOON);
    assert_eq!((explained.violations.len(), explained.gates.len()), (1, 1));
    without.environment = Some("nowhere".to_owned());
    let explained = config(POLICIES).explain(&without, &erin(), NOON);
    assert_eq!((explained.violations.len(), explained.gates.len()), (2, 0));
}

fn between(change: impl FnOnce(&mut ConfigDocument)) -> Difference {
    let before = document(POLICIES);
    let mut after = before.clone();
    change(&mut after);
    diff(&before, &after)
}

fn lines(difference: &Difference) -> Vec<String> {
    difference
        .lines
        .iter()
        .map(|line| format!("{} {}", line.change.sign(), line.text))
        .collect()
}

#[test]
fn difference_lists_changed_fields() {
    let difference = between(|document| {
        document.policies[0].quorum.min_approvals = 3;
        document.policies.remove(1);
        document
            .bindings
            .retain(|binding| binding.policy != "staging".into());
        document.resources.projects.push("web".into());
    });
    assert_eq!(
        lines(&difference),
        [
            "- bindings.staging environment development",
            "- bindings.staging environment staging",
            "~ policies.gate.quorum.minApprovals: 2 -> 3",
            "- policies.staging.approvers: \"anyone\"",
            "- policies.staging.breakGlassBypass: true",
            "- policies.staging.conditions.requireReason: false",
            "- policies.staging.expiresAfter: \"1day\"",
            "- policies.staging.mode: \"enforce\"",
            "- policies.staging.name: \"Staging\"",
            "- policies.staging.quorum.minApprovals: 1",
            "- policies.staging.quorum.minDistinctTeams: 0",
            "- policies.staging.requesterCanApprove: false",
            "- policies.staging.scope: \"environment\"",
            "- policies.staging.showPayload: \"card\"",
            "- policies.staging.validFor: \"1h\"",
            "+ resources.projects: \"web\"",
        ]
    );
    assert_eq!(difference.touches, ["resources"]);
    assert_eq!(
        difference.weakens,
        [
            "policy staging is removed",
            "policy staging is unbound from environment staging",
            "policy staging is unbound from environment development"
        ]
    );
}

#[test]
fn equal_documents_have_no_difference_and_others_always_one() {
    assert_eq!(between(|_| {}), Difference::default());
    let swapped = between(|document| document.policies.swap(0, 1));
    assert_eq!(lines(&swapped), ["~ policies: another order"]);
    assert!(!swapped.is_announced());
    let routes = between(|document| document.routes.default = None);
    assert_eq!(lines(&routes), ["- routes.default: \"C01DEFAULT\""]);
    assert_eq!(routes.touches, ["routes"]);
}

#[test]
fn difference_lists_items_one_by_one_and_added_ones_field_by_field() {
    let lists = between(|document| {
        document.resources.projects = vec!["web".into(), "billing".into()];
    });
    assert_eq!(
        lines(&lists),
        [
            "- resources.projects: \"api\"",
            "+ resources.projects: \"web\""
        ]
    );
    let added = between(|document| {
        let user =
            "{id: zoe, name: Zoe, slack: [{teamId: T1, userId: U1}, {teamId: T2, userId: U2}]}";
        let user = serde_saphyr::from_str(user).expect("a person");
        document.directory.users.push(user);
        let service = "{id: deployer, owners: [bob]}";
        document
            .services
            .push(serde_saphyr::from_str(service).expect("a service"));
        let binding = "{policy: loose, level: organization}";
        document
            .bindings
            .push(serde_saphyr::from_str(binding).expect("a binding"));
    });
    assert_eq!(
        lines(&added),
        [
            "+ bindings.loose organization",
            "+ directory.users.zoe.name: \"Zoe\"",
            "+ directory.users.zoe.slack: {\"teamId\":\"T1\",\"userId\":\"U1\"}",
            "+ directory.users.zoe.slack: {\"teamId\":\"T2\",\"userId\":\"U2\"}",
            "+ services.deployer.owners: [\"bob\"]",
        ]
    );
}

#[test]
fn audit_log_keeps_only_what_differs() {
    let before = document(POLICIES);
    let mut after = before.clone();
    after.resources.projects = vec!["web".into()];
    let (old, new) = before_and_after(&before, &after);
    let projects = |names: &[&str]| serde_json::json!({"resources": {"projects": names}});
    assert_eq!(old, projects(&["api", "billing"]));
    assert_eq!(new, projects(&["web"]));
}

#[test]
fn moved_and_removed_resources_count_as_weakened_before_what_is_added_r11() {
    let difference = between(|document| {
        let resources = &mut document.resources;
        resources.clusters[0].environment = "development".into();
        resources.clusters.remove(1);
        resources
            .projects
            .retain(|project| *project != "billing".into());
        let mut loud = document.policies[0].clone();
        loud.id = "loud".into();
        loud.channel = Some("C09AWAY".into());
        document.policies.push(loud);
    });
    assert_eq!(
        difference.weakens[..3],
        [
            "project billing is removed",
            "cluster prod-eu-1 moves from environment production to development",
            "cluster dev-1 is removed",
        ]
    );
    assert!(
        difference.weakens[3..]
            .iter()
            .all(|how| how.contains("policy loud is added"))
    );
    assert!(difference.weakens.len() > 3);
}

/// B48: hours are part of a policy; changing them is announced like any other weakening.
#[test]
fn weakened_policy_is_announced_b48() {
    type Edit = fn(&mut crate::domain::document::PolicyTemplate);
    let weakens: [(Edit, &str); 15] = [
        (
            |policy| policy.conditions.end_hour = Some(5),
            "applies less often",
        ),
        (
            |policy| policy.conditions.timezone = Some("Asia/Tokyo".to_owned()),
            "applies less often",
        ),
        (
            |policy| policy.conditions.environments = Some(vec!["staging".into()]),
            "applies less often",
        ),
        (
            |policy| policy.conditions.require_reason = false,
            "needs no reason any more",
        ),
        (
            |policy| policy.actions = Some(vec!["cluster.sync".into()]),
            "gates fewer actions",
        ),
        (
            |policy| policy.approvers = Some(crate::domain::document::Approvers::Anyone),
            "lets more people approve",
        ),
        (
            |policy| policy.quorum.min_approvals = 1,
            "needs less of a quorum",
        ),
        (
            |policy| policy.quorum.required_team_ids.clear(),
            "needs less of a quorum",
        ),
        (
            |policy| policy.requester_can_approve = true,
            "lets the requester approve",
        ),
        (
            |policy| policy.valid_for = crate::domain::time::Span::hours(9),
            "lets approvals hold longer",
        ),
        (
            |policy| policy.expires_after = crate::domain::time::Span::hours(99),
            "lets requests wait longer",
        ),
        (
            |policy| policy.show_payload = crate::domain::document::ShowPayload::Card,
            "shows more of the payload",
        ),
        (
            |policy| policy.break_glass_bypass = true,
            "can be bypassed by break-glass",
        ),
        (
            |policy| policy.mode = crate::domain::document::Mode::Observe,
            "only observes",
        ),
        (
            |policy| policy.channel = Some("C09AWAY".into()),
            "posts its cards to other channels",
        ),
    ];
    let strict = "
policies:
  - id: gate
    name: Gate
    scope: organization
    approvers: {teams: [sre]}
    quorum: {minApprovals: 2, requiredTeamIds: [sre]}
    conditions: {startHour: 0, endHour: 6, timezone: UTC, requireReason: true}
    showPayload: never
    breakGlassBypass: false
";
    let before = document(strict);
    for (edit, expected) in weakens {
        let mut after = before.clone();
        edit(&mut after.policies[0]);
        let difference = diff(&before, &after);
        assert_eq!(difference.weakens, [format!("policy gate {expected}")]);
        assert!(difference.is_announced() && !difference.lines.is_empty());
    }
    let stronger: [Edit; 5] = [
        |policy| {
            policy.conditions = crate::domain::document::Conditions {
                require_reason: true,
                ..Default::default()
            }
        },
        |policy| policy.quorum.min_distinct_teams = 1,
        |policy| policy.conditions.end_hour = Some(7),
        |policy| policy.approvers = Some(super::fixture::approvers(&[], &[])),
        |policy| policy.description = "what for".to_owned(),
    ];
    for edit in stronger {
        let mut after = before.clone();
        edit(&mut after.policies[0]);
        assert!(!diff(&before, &after).is_announced());
    }
}

#[test]
fn the_document_round_trips() {
    let text = format!("{ACME}\n{POLICIES}");
    let document: ConfigDocument = serde_saphyr::from_str(&text).expect("a document");
    let json = serde_json::to_string(&document).expect("JSON");
    assert_eq!(
        serde_json::from_str::<ConfigDocument>(&json).expect("a document"),
        document
    );
}
