//! Refused at save, from the text that an operator wrote: the line and the reason.

use super::*;

const GOOD: &str = "\
organization: acme
resources: {environments: [production], projects: [api], clusters: [{id: c1, environment: production}]}
directory:
  users: [{id: alice, name: Alice, orgRoles: [lead]}, {id: bob, name: Bob}]
  teams: [{id: sre, name: SRE, members: [alice]}]
policies:
  - id: gate
    name: Gate
    scope: project
    approvers: {teams: [sre], orgRoles: [lead]}
    quorum: {minApprovals: 1}
    conditions: {startHour: 9, endHour: 17, timezone: Europe/Istanbul}
bindings:
  - {policy: gate, level: project, resource: api}
";

/// What is told of the good text after an edit; nothing where it is in order.
fn told(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    let faults = match Source::read("c.yaml", &text) {
        Ok(source) => source.compile(0, &BTreeMap::new()).err(),
        Err(faults) => Some(faults),
    };
    let text = faults.map(|faults| faults.to_string()).unwrap_or_default();
    text.lines().map(without_column).collect()
}

/// `c.yaml:7:5: text` as `7: text`: columns are for the tests of places.
fn without_column(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    let (_, number, _) = (parts.next(), parts.next(), parts.next());
    format!(
        "{}:{}",
        number.unwrap_or_default(),
        parts.next().unwrap_or_default()
    )
}

const APPROVERS: &str = "approvers: {teams: [sre], orgRoles: [lead]}";

/// What is written instead of what, and how the first complaint about it begins.
const MISTAKES: [(&str, &str, &str); 21] = [
    (
        APPROVERS,
        "description: nobody",
        "7: policies[0]: has no approvers",
    ),
    (
        APPROVERS,
        "approvers: {}",
        "10: policies[0].approvers: names nobody, and empty never means everyone",
    ),
    (
        "minApprovals: 1",
        "minApprovals: 0",
        "11: policies[0].quorum.minApprovals: must be at least 1",
    ),
    (
        "minApprovals: 1",
        "minApprovals: 2",
        "11: policies[0].quorum: can never be met: needs two approvals; only alice can approve",
    ),
    (
        "minApprovals: 1",
        "minDistinctTeams: 2",
        "11: policies[0].quorum: can never be met: needs two teams; only SRE can approve",
    ),
    (
        "minApprovals: 1",
        "requiredUserIds: [alicia]",
        "11: policies[0].quorum.requiredUserIds[0]: unknown person `alicia`; did you mean `alice`?",
    ),
    (
        "minApprovals: 1",
        "requiredTeamIds: [sres]",
        "11: policies[0].quorum.requiredTeamIds[0]: unknown team `sres`; did you mean `sre`?",
    ),
    (
        "orgRoles: [lead]}\n",
        "orgRoles: [led]}\n",
        "10: policies[0].approvers.orgRoles[0]: unknown role `led`; did you mean `lead`?",
    ),
    (
        "members: [alice]",
        "members: [alise]",
        "5: directory.teams[0].members[0]: unknown person `alise`; did you mean `alice`?",
    ),
    (
        "Europe/Istanbul",
        "Europe/Instanbul",
        "12: policies[0].conditions.timezone: unknown time zone `Europe/Instanbul`; did you mean `Europe/Istanbul`",
    ),
    (
        "endHour: 17",
        "endHour: 9",
        "12: policies[0].conditions.endHour: is 9 like the start",
    ),
    (
        "endHour: 17",
        "endHour: 25",
        "12: policies[0].conditions.endHour: 25 is no hour; write 0 to 24",
    ),
    (
        "startHour: 9",
        "environments: [prod], startHour: 9",
        "12: policies[0].conditions.environments[0]: unknown environment `prod`; did you mean `production`?",
    ),
    (
        "resource: api",
        "resource: apo",
        "14: bindings[0].resource: unknown project `apo`; did you mean `api`?",
    ),
    (
        "level: project, resource: api",
        "level: organization",
        "14: bindings[0].level: `gate` has the scope project, so it cannot be bound at the level organization",
    ),
    (
        "level: project, resource: api",
        "level: cluster, resource: c1",
        "14: bindings[0].level: `gate` has the scope project, so it cannot be bound at the level cluster",
    ),
    (
        "minApprovals: 1",
        "minApproval: 1",
        "11: policies[0].quorum.minApproval: unknown key; did you mean `minApprovals`?",
    ),
    (
        "    scope: project\n",
        "    scope: project\n    requesterMayApprove: true\n",
        "10: policies[0].requesterMayApprove: unknown key",
    ),
    (
        "{id: bob, name: Bob}",
        "{id: bob, name: Bob}, {id: bob, name: Robert}",
        "4: directory.users[2].id: `bob` stands twice in directory.users",
    ),
    (
        "bindings:\n",
        "  - {id: gate, name: Other, scope: project, approvers: anyone}\nbindings:\n",
        "13: policies[1].id: `gate` stands twice in policies",
    ),
    (
        "environment: production}]}",
        "environment: prod}]}",
        "2: resources.clusters[0].environment: unknown environment `prod`",
    ),
];

#[test]
fn every_config_error_names_its_line() {
    assert_eq!(told("", ""), Vec::<String>::new());
    for (from, to, expected) in MISTAKES {
        let told = told(from, to);
        assert!(
            told.iter().any(|line| line.starts_with(expected)),
            "{to}: expected\n{expected}\nbut was told\n{}",
            told.join("\n")
        );
    }
}
