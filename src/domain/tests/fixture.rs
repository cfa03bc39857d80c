//! A small organization, and short helpers for policies, decisions and asks.

use crate::domain::ask::Ask;
use crate::domain::compiled_config::{CompiledConfig, ConfigError};
use crate::domain::decision::{Decision, DecisionKind, Via};
use crate::domain::document::{Approvers, ConfigDocument, Level, People, PolicyTemplate, Quorum};
use crate::domain::eligibility::{Involvement, PeopleInvolved};
use crate::domain::people::Directory;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::Caller;
use crate::domain::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// Monday, 2026-01-05, 12:00 UTC.
pub(super) const NOON: Timestamp = Timestamp(1_767_614_400_000);

pub(super) const ACME: &str = r"
organization: acme
resources:
  environments: [development, staging, production]
  projects: [api, billing]
  clusters: [{id: prod-eu-1, environment: production}, {id: dev-1, environment: development}]
directory:
  users:
    - {id: alice, name: Alice Anderson, slack: {teamId: T01TEST, userId: U01ALICE}, orgRoles: [tech-lead]}
    - {id: bob, name: Bob Brown, slack: [{teamId: T01TEST, userId: U01BOB}, {enterpriseId: E01TEST, userId: W01BOB}]}
    - {id: carol, name: Carol Clark}
    - {id: dan, name: Dan Dunn, orgRoles: [platform-admin]}
    - {id: erin, name: Erin Evans}
  teams:
    - {id: sre, name: SRE, members: [alice, bob]}
    - {id: security, name: Security, members: [carol, bob]}
    - {id: payments, name: Payments, members: [dan]}
services: [{id: ci, owners: [bob]}, {id: stray}]
routes: {default: C01DEFAULT}
administrators: {orgRoles: [platform-admin], services: [ci]}
";

pub(super) fn document(more: &str) -> ConfigDocument {
    let acme = if more.contains("routes:") {
        ACME.replace("routes: {default: C01DEFAULT}", "")
    } else {
        ACME.to_owned()
    };
    serde_saphyr::from_str(&format!("{acme}\n{more}")).expect("a document")
}

pub(super) fn compile(more: &str) -> Result<CompiledConfig, Vec<ConfigError>> {
    CompiledConfig::compile(7, document(more), &BTreeMap::new())
}

pub(super) fn config(more: &str) -> CompiledConfig {
    match compile(more) {
        Ok(config) => config,
        Err(problems) => panic!("{problems:#?}"),
    }
}

pub(in crate::domain) fn directory() -> Directory {
    Directory::compile(&document("").directory)
}

pub(in crate::domain) fn template(id: &str, quorum: Quorum) -> PolicyTemplate {
    PolicyTemplate {
        id: id.into(),
        name: id.to_uppercase(),
        description: String::new(),
        scope: Level::Organization,
        actions: None,
        approvers: Some(Approvers::Anyone),
        quorum,
        conditions: crate::domain::document::Conditions::default(),
        requester_can_approve: false,
        expires_after: Span::hours(24),
        valid_for: Span::hours(1),
        escalation: None,
        latency_target: None,
        decide_on: None,
        channel: None,
        show_payload: crate::domain::document::ShowPayload::Card,
        break_glass_bypass: true,
        mode: crate::domain::document::Mode::Enforce,
    }
}

pub(super) fn gate(template: PolicyTemplate) -> PinnedPolicy {
    PinnedPolicy {
        version: 3,
        template,
        bound: vec!["organization".to_owned()],
        left_out: None,
    }
}

/// A pinned policy with a quorum written in YAML.
pub(super) fn quorum(yaml: &str) -> PinnedPolicy {
    gate(template(
        "gate",
        serde_saphyr::from_str(yaml).expect("a quorum"),
    ))
}

pub(super) fn approvers(teams: &[&str], users: &[&str]) -> Approvers {
    Approvers::Among(People {
        users: users.iter().map(|&id| id.into()).collect(),
        teams: teams.iter().map(|&id| id.into()).collect(),
        org_roles: Vec::new(),
    })
}

/// An approval, with the memberships that the approver has in this directory.
pub(super) fn approval(directory: &Directory, by: &str) -> Decision {
    let person = directory.person(&by.into()).expect("a person");
    Decision {
        by: by.into(),
        verdict: DecisionKind::Approve,
        comment: None,
        teams: person.teams.clone(),
        roles: person.roles.clone(),
        at: NOON,
        via: Via::Button,
        fresh_sign_in: false,
        author_left: false,
    }
}

pub(super) fn approvals(by: &[&str]) -> Vec<Decision> {
    let directory = directory();
    by.iter().map(|by| approval(&directory, by)).collect()
}

pub(super) fn excluding(people: &[&str]) -> PeopleInvolved {
    PeopleInvolved(
        people
            .iter()
            .map(|&id| (id.into(), Involvement::Requester))
            .collect(),
    )
}

/// Erin asks to deploy `api` to production.
pub(super) fn ask() -> Ask {
    Ask {
        action: "release.deploy".to_owned(),
        project: Some("api".to_owned()),
        environment: Some("production".to_owned()),
        release: Some("1.4.2".to_owned()),
        reason: Some(" to mend the login ".to_owned()),
        ..Ask::default()
    }
}

/// Erin, by API.
pub(super) fn erin() -> Caller {
    Caller::person("erin".into(), Via::Api)
}
