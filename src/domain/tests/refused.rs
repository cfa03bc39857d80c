//! Invalid configurations: every config error, with its path and hint.

use super::fixture::{compile, document};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::{ConfigDocument, OidcIdentity};
use std::collections::BTreeMap;

fn problems(more: &str) -> Vec<String> {
    compile(more)
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The config errors of one policy with these fields.
fn policy(fields: &str) -> Vec<String> {
    problems(&format!(
        "policies: [{{id: gate, name: Gate, scope: project, {fields}}}]"
    ))
}

fn changed(change: impl FnOnce(&mut ConfigDocument)) -> Vec<String> {
    let mut document = document("");
    change(&mut document);
    let result = CompiledConfig::compile(1, document, &BTreeMap::new());
    result
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_policy_without_approvers_b34_b20() {
    assert_eq!(
        policy("quorum: {minApprovals: 2}"),
        [
            "policies[0]: has no approvers; name them in `approvers` (people, teams, roles, or `anyone`) or in the quorum"
        ]
    );
    assert_eq!(
        policy("approvers: {users: [], teams: []}"),
        [
            "policies[0].approvers: names nobody, and empty never means everyone; name people, teams or roles, or write `anyone`"
        ]
    );
}

#[test]
fn a_quorum_of_none_or_one_that_can_never_be_met_b63() {
    assert_eq!(
        policy("approvers: anyone, quorum: {minApprovals: 0}"),
        ["policies[0].quorum.minApprovals: must be at least 1"]
    );
    assert_eq!(
        policy("approvers: {teams: [sre]}, quorum: {minApprovals: 3}"),
        [
            "policies[0].quorum: can never be met: needs three approvals; only alice and bob can approve"
        ]
    );
    assert_eq!(
        policy("approvers: {users: [alice]}, quorum: {minDistinctTeams: 2}"),
        ["policies[0].quorum: can never be met: needs two teams; only SRE can approve"]
    );
    assert_eq!(
        policy("approvers: {users: [alice]}, quorum: {requiredUserIds: [dan]}"),
        ["policies[0].quorum: can never be met: needs dan, who is not among its approvers"]
    );
}

#[test]
fn policy_on_unsynced_slack_group_is_not_called_unsatisfiable() {
    let grown = |edit: fn(&mut ConfigDocument)| {
        let mut document = document(
            "policies: [{id: gate, name: Gate, scope: project, approvers: {teams: [sre]}, quorum: {minApprovals: 3}}]",
        );
        edit(&mut document);
        CompiledConfig::compile(1, document, &BTreeMap::new()).is_ok()
    };
    assert!(!grown(|_| {}));
    assert!(grown(|document| document.directory.teams[0]
        .slack_user_group =
        Some("S01SRE".to_owned())));
    assert!(grown(|document| document.directory.slack.members = true));
    assert!(!grown(|document| document.directory.teams[2]
        .slack_user_group =
        Some("S01PAY".to_owned())));
}

#[test]
fn unknown_names_with_the_nearest_known_ones() {
    assert_eq!(
        policy(
            "approvers: {users: [alise], teams: [sres], orgRoles: [tech-led]}, actions: [release.deplo], conditions: {environments: [prod]}"
        ),
        [
            "policies[0].actions[0]: unknown action `release.deplo`; did you mean `release.deploy`?",
            "policies[0].conditions.environments[0]: unknown environment `prod`; did you mean `production`?",
            "policies[0].approvers.users[0]: unknown person `alise`; did you mean `alice`?",
            "policies[0].approvers.teams[0]: unknown team `sres`; did you mean `sre`?",
            "policies[0].approvers.orgRoles[0]: unknown role `tech-led`; did you mean `tech-lead`? (no person has it in `orgRoles`)"
        ]
    );
    assert_eq!(
        policy("quorum: {requiredUserIds: [x], requiredTeamIds: [y], requiredOrgRoles: [z]}").len(),
        3
    );
}

#[test]
fn invalid_hours_days_and_time_zones_are_refused_b65() {
    let conditions = |fields: &str| policy(&format!("approvers: anyone, conditions: {{{fields}}}"));
    for (fields, expected) in [
        (
            "startHour: 9, endHour: 9, timezone: UTC",
            "endHour: is 9 like the start, which could mean never or always; write 0 to 24 for the whole day",
        ),
        (
            "startHour: 24, endHour: 9, timezone: UTC",
            "startHour: 24 is no hour; write 0 to 23",
        ),
        (
            "startHour: 1, endHour: 25, timezone: UTC",
            "endHour: 25 is no hour; write 0 to 24",
        ),
        (
            "startHour: 1, timezone: UTC",
            "startHour: needs an `endHour`",
        ),
        ("endHour: 1, timezone: UTC", "endHour: needs a `startHour`"),
        (
            "weekdays: [], timezone: UTC",
            "weekdays: names no day, so the policy would never apply; leave it out for every day",
        ),
        (
            "weekdays: [monday]",
            "timezone: is missing; days and hours need one, such as `Europe/Istanbul`",
        ),
        (
            "windows: [{startHour: 1, endHour: 2}]",
            "timezone: is missing; days and hours need one, such as `Europe/Istanbul`",
        ),
        (
            "windows: [{startHour: 1, endHour: 1}], timezone: UTC",
            "windows[0].endHour: is 1 like the start, which could mean never or always; write 0 to 24 for the whole day",
        ),
        (
            "windows: [], timezone: UTC",
            "windows: names no window; leave it out",
        ),
        (
            "environments: []",
            "environments: names no environment; leave it out for all of them",
        ),
        (
            "weekdays: [monday], windows: [{weekdays: [tuesday]}], timezone: UTC",
            "windows: `windows` and the days and hours beside it never hold together",
        ),
    ] {
        assert_eq!(
            conditions(fields),
            [format!("policies[0].conditions.{expected}")],
            "{fields}"
        );
    }
    let zone = conditions("startHour: 1, endHour: 2, timezone: Europe/Instanbul").remove(0);
    assert!(zone.contains("did you mean `Europe/Istanbul`"), "{zone}");
    assert!(conditions("startHour: 0, endHour: 24, timezone: Europe/Istanbul").is_empty());
    for wrong in [
        "startHour: -1",
        "startHour: six",
        "startHour: 1.5",
        "hours: 3",
        "weekdays: [caturday]",
    ] {
        let text = format!(
            "organization: acme\npolicies: [{{id: a, name: A, scope: project, conditions: {{{wrong}}}}}]"
        );
        assert!(
            serde_saphyr::from_str::<ConfigDocument>(&text).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn mismatched_bindings_are_refused() {
    let bound = |binding: &str| {
        problems(&format!(
            "policies: [{{id: gate, name: Gate, scope: project, approvers: anyone}}, {{id: org, name: Org, scope: organization, approvers: anyone}}]\nbindings: [{binding}]"
        ))
    };
    for (binding, expected) in [
        (
            "{policy: gate, level: organization}",
            "bindings[0].level: `gate` has the scope project, so it cannot be bound at the level organization",
        ),
        (
            "{policy: gate, level: project}",
            "bindings[0].resource: is missing; name the project",
        ),
        (
            "{policy: org, level: organization, resource: api}",
            "bindings[0].resource: at the organization's level there is none; leave it out",
        ),
        (
            "{policy: gate, level: project, resource: apo}",
            "bindings[0].resource: unknown project `apo`; did you mean `api`?",
        ),
        (
            "{policy: gates, level: project, resource: api}",
            "bindings[0].policy: unknown policy `gates`; did you mean `gate`?",
        ),
        (
            "{policy: gate, level: project, resource: api}, {policy: gate, level: project, resource: api}",
            "bindings[1]: is the same as bindings[0]; keep one",
        ),
    ] {
        assert_eq!(bound(binding), [expected], "{binding}");
    }
}

#[test]
fn confusable_ids_are_refused_b28() {
    assert_eq!(
        changed(|document| document.directory.users[1].id = "ALICE".into())[0],
        "directory.users[1].id: `ALICE` differs from `alice` in case alone; choose another id"
    );
    assert_eq!(
        changed(|document| document.directory.users[4].id = "alice".into()),
        ["directory.users[4].id: `alice` stands twice in directory.users"]
    );
    for id in [
        "",
        " erin",
        "er in",
        "er\u{0}in",
        "er\u{200b}in",
        "érin",
        "e\u{301}rin",
    ] {
        let found = changed(|document| document.directory.users[4].id = id.into());
        assert_eq!(found.len(), 1, "{id:?} {found:?}");
        assert!(found[0].starts_with("directory.users[4].id: "), "{found:?}");
    }
}

#[test]
fn slack_identities_b24_b29() {
    let with = |slack: &str| {
        changed(|document| {
            document.directory.users[2].slack = serde_saphyr::from_str(slack).expect("identities");
        })
    };
    assert_eq!(
        with("{teamId: T01TEST, userId: U01ALICE}"),
        [
            "directory.users[2].slack: this Slack account is `alice` already; two people may not share one"
        ]
    );
    for slack in [
        "{userId: U01X}",
        "{teamId: T01TEST, enterpriseId: E01TEST, userId: U01X}",
        "{teamId: '', userId: U01X}",
        "{teamId: T01TEST, userId: ''}",
        "{teamId: t01test, userId: U01X}",
        "{enterpriseId: T01TEST, userId: U01X}",
        "{teamId: T01TEST, userId: carol}",
    ] {
        assert_eq!(with(slack).len(), 1, "{slack}");
    }
    assert!(
        with("[{teamId: T01TEST, userId: U01CAROL}, {enterpriseId: E01TEST, userId: W01CAROL}]")
            .is_empty()
    );
}

#[test]
fn own_actions() {
    let own = |fields: &str| {
        problems(&format!(
            "actions: [{{name: X, group: project, risk: High, {fields}}}]"
        ))
    };
    for (fields, expected) in [
        (
            "id: release.deploy, requires: [project]",
            "actions[0].id: `release.deploy` is one of the sixteen actions already",
        ),
        (
            "id: Release.Deploy, requires: [project]",
            "actions[0].id: `Release.Deploy` is one of the sixteen actions already",
        ),
        (
            "id: cluster, requires: [project]",
            "actions[0].id: `cluster` is the name of a group of actions",
        ),
        (
            "id: x, requires: []",
            "actions[0].requires: names nothing; an action without a target would match no binding and run ungated",
        ),
        (
            "id: x, requires: [organization]",
            "actions[0].requires[0]: the organization is no target; write project, cluster or environment",
        ),
    ] {
        assert_eq!(own(fields), [expected], "{fields}");
    }
}

#[test]
fn break_glass_settings_are_checked() {
    let door = |fields: &str| {
        problems(&format!(
            "breakGlass: {{securityChannel: C01SEC, {fields}}}"
        ))
    };
    assert!(door("allowed: {teams: [sre]}").is_empty());
    for (fields, expected) in [
        (
            "allowed: {}",
            "breakGlass.allowed: names nobody, and empty never means everyone; name who may start a session, or leave `breakGlass` out",
        ),
        (
            "allowed: {users: [alice]}, minDuration: 2h, maxDuration: 1h",
            "breakGlass.maxDuration: is shorter than `minDuration`",
        ),
        (
            "allowed: {users: [alice]}, minDuration: 0s",
            "breakGlass.minDuration: must be longer than nothing",
        ),
        (
            "allowed: {users: [alice]}, notify: {teams: [securty]}",
            "breakGlass.notify.teams[0]: unknown team `securty`; did you mean `security`?",
        ),
    ] {
        assert_eq!(door(fields), [expected], "{fields}");
    }
    assert_eq!(
        problems("breakGlass: {securityChannel: '#security', allowed: {users: [alice]}}").len(),
        1
    );
    assert_eq!(
        changed(|document| {
            document.directory.teams[2].members.clear();
            document.break_glass = Some(
                serde_saphyr::from_str("{securityChannel: C01SEC, allowed: {teams: [payments]}}")
                    .expect("rules"),
            );
        }),
        ["breakGlass.allowed: nobody belongs to it, so no session could ever be started"]
    );
}

#[test]
fn webhooks_routes_and_the_rest() {
    let hook = |fields: &str| problems(&format!("webhooks: [{{secretEnv: HOOK, {fields}}}]"));
    let events = "events: [request.decided]";
    assert!(hook(&format!("url: 'https://example.com/x', {events}")).is_empty());
    assert!(
        hook(&format!(
            "url: 'http://127.0.0.1:9/x', allowPrivate: true, {events}"
        ))
        .is_empty()
    );
    for wrong in [
        "http://example.com",
        "ftp://example.com",
        "nowhere",
        "https://u:p@example.com",
        "https://example.com/#x",
    ] {
        assert_eq!(
            hook(&format!("url: '{wrong}', {events}")).len(),
            1,
            "{wrong}"
        );
    }
    assert_eq!(
        hook("url: 'https://example.com', events: [request.decide]"),
        [
            "webhooks[0].events[0]: unknown event `request.decide`; did you mean `request.decided` or `request.created`?"
        ]
    );
    assert_eq!(hook("url: 'https://example.com', events: []").len(), 1);
    assert_eq!(
        problems(
            "webhooks: [{url: 'https://example.com', secretEnv: 'a b', events: [request.created]}]"
        )
        .len(),
        1
    );
    let twice = |first: &str, second: &str| {
        let hook = |fields: &str| format!("{{secretEnv: HOOK, {events}, {fields}}}");
        problems(&format!("webhooks: [{}, {}]", hook(first), hook(second)))
    };
    let (a, b) = (
        "url: 'https://example.com/a'",
        "url: 'https://example.com/b'",
    );
    assert_eq!(
        twice(a, a),
        ["webhooks[1].url: is the url of another webhook; list all of its events there"]
    );
    assert_eq!(
        twice(&format!("{a}, name: ci"), &format!("{b}, name: ci")),
        ["webhooks[1].name: `ci` is the name of another webhook"]
    );
    let long = format!("url: 'https://example.com/{}'", "a".repeat(1_000));
    assert_eq!(
        twice(a, &long),
        ["webhooks[1].url: is longer than 1000 characters"]
    );
    assert_eq!(
        problems("reminders: {first: 0s, factor: 0, most: 51}").len(),
        3
    );
    assert_eq!(
        problems(
            "notifications: {quietHours: {from: 24, to: 7}, requesterExpiryWarning: 0s, staleAfter: 0s, \
             digest: {weekday: monday, hour: 24, timezone: Mars/Olympus, channel: general}}"
        )
        .len(),
        6
    );
    assert_eq!(
        problems("notifications: {quietHours: {from: 7, to: 7}}").len(),
        1
    );
    assert_eq!(policy("approvers: anyone, expiresAfter: 0s, validFor: 0s, channel: general, escalation: {after: 0s}, latencyTarget: 0s").len(), 6);
    assert_eq!(
        changed(|document| {
            document.routes.rules = serde_saphyr::from_str(
                "[{channel: C01X}, {policy: none, project: none, channel: general}]",
            )
            .expect("rules");
            document.administrators = serde_saphyr::from_str("{users: [none], services: [none]}")
                .expect("administrators");
            document.services[0].owners = vec!["none".into()];
            document.resources.clusters[0].environment = "none".into();
        })
        .len(),
        8
    );
    assert_eq!(
        changed(|document| document.organization = String::new()),
        ["organization: a name has 1 to 200 characters"]
    );
    assert_eq!(
        changed(|document| document.directory.teams[0].name = "x".repeat(201)).len(),
        1
    );
}

#[test]
fn sign_in_for_the_pages_w1() {
    let good = "slack: {clientId: '1.2', clientSecretEnv: SLACK_CLIENT_SECRET}";
    assert!(problems(&format!("console: {{{good}}}")).is_empty());
    assert!(problems(&format!("console: {{{good}, idle: 1h, absolute: 12h}}")).is_empty());
    let oidc = |issuer: &str| {
        problems(&format!(
            "console: {{oidc: {{issuer: '{issuer}', clientId: a, clientSecretEnv: OIDC_CLIENT_SECRET}}}}"
        ))
    };
    for good in [
        "https://id.example.com",
        "https://id.example.com/realms/a/",
        "http://127.0.0.1:8090",
    ] {
        assert_eq!(oidc(good), Vec::<String>::new(), "{good}");
    }
    for wrong in [
        "http://id.example.com",
        "id.example.com",
        "https://a:b@id.example.com",
        "https://id.example.com?x=1",
        "https://",
        "",
    ] {
        assert_eq!(oidc(wrong).len(), 1, "{wrong}");
    }
    for (wrong, path) in [
        ("idle: 1h", "console: names no provider"),
        (
            "slack: {clientId: ' ', clientSecretEnv: SLACK_CLIENT_SECRET}",
            "console.slack.clientId:",
        ),
        (
            "slack: {clientId: a, clientSecretEnv: 'a b'}",
            "console.slack.clientSecretEnv:",
        ),
        // no other secret of the server may be sent to a provider
        (
            "slack: {clientId: a, clientSecretEnv: SLACK_SIGNING_SECRET}",
            "console.slack.clientSecretEnv: must be",
        ),
        (
            "oidc: {issuer: 'https://a.example', clientId: a, clientSecretEnv: SLACK_BOT_TOKEN}",
            "console.oidc.clientSecretEnv: must end",
        ),
        (
            "oidc: {issuer: 'https://a.example', clientId: a, clientSecretEnv: SLACK_CLIENT_SECRET}",
            "console.oidc.clientSecretEnv: must end",
        ),
        (
            "slack: {clientId: a, clientSecretEnv: SLACK_CLIENT_SECRET}, idle: 0s",
            "console.idle:",
        ),
        (
            "slack: {clientId: a, clientSecretEnv: SLACK_CLIENT_SECRET}, absolute: 1h",
            "console.absolute: is shorter",
        ),
        (
            "slack: {clientId: a, clientSecretEnv: SLACK_CLIENT_SECRET}, absolute: 31d",
            "console.absolute: must be",
        ),
    ] {
        let found = problems(&format!("console: {{{wrong}}}"));
        assert!(
            found.len() == 1 && found[0].starts_with(path),
            "{wrong}: {found:?}"
        );
    }
}

#[test]
fn an_identity_at_a_provider_belongs_to_one_person_w1() {
    let identity = |issuer: &str, subject: &str| OidcIdentity {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
    };
    let told = |alice: OidcIdentity, bob: OidcIdentity| {
        let mut document = document("");
        document.directory.users[0].oidc = vec![alice];
        document.directory.users[1].oidc = vec![bob];
        let compiled = CompiledConfig::compile(7, document, &BTreeMap::new());
        compiled.err().unwrap_or_default().len()
    };
    let (one, other) = ("https://id.example.com", "https://id.example.org");
    assert_eq!(told(identity(one, "a"), identity(one, "b")), 0);
    assert_eq!(told(identity(one, "a"), identity(other, "a")), 0);
    assert_eq!(told(identity(one, "a"), identity(one, "a")), 1);
    assert_eq!(told(identity(one, ""), identity(one, "a b")), 2);
    assert_eq!(
        told(identity("http://id.example.com", "a"), identity(one, "a")),
        1
    );
}
