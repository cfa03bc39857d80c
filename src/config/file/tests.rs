//! Faults of configuration files, as operators read them.

use super::*;
use crate::domain::document::LARGEST_CONFIGURATION;

/// The faults of a text, a line each.
fn faults(text: &str) -> String {
    match Source::read("c.yaml", text) {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    }
}

const SMALL: &str = "organization: acme\npolicies:\n  - {id: p, name: P, scope: project}\n";

#[test]
fn unknown_keys_name_line_column_and_the_nearest_known_key() {
    insta::assert_snapshot!(faults("organization: acme\npolices: []\npolicies:\n  - id: p\n    name: P\n    scope: project\n    qourum: {}\n    quorum:\n      min_approvals: 2\n      percent: 50\n"), @r#"
        c.yaml:2:1: polices: unknown key; did you mean `policies`?
        c.yaml:7:5: policies[0].qourum: unknown key; did you mean `quorum`?
        c.yaml:9:7: policies[0].quorum.min_approvals: unknown key; did you mean `minApprovals`?
        c.yaml:10:7: policies[0].quorum.percent: unknown key; the keys known here are minApprovals, minDistinctTeams, requiredUserIds, requiredTeamIds, requiredOrgRoles
        "#);
}

#[test]
fn all_shape_errors_are_reported_at_once() {
    insta::assert_snapshot!(faults("resources: {environments: production}\ndirectory:\n  users:\n    - {id: 7, name: Seven}\n    - {id: eight}\n    - {id: nine, name: Nine, slack: U9}\npolicies:\n  - {id: a, name: A, scope: envrionment, expiresAfter: 90}\n  - {id: b, name: B, scope: project, validFor: soon}\n  - id: c\n    name:\n    scope: project\n    approvers: everyone\n    conditions: {startHour: 300, weekdays: [Mon]}\n    requesterCanApprove: 'no'\n  - {name: D}\n"), @r#"
        c.yaml:1:1: the key `organization` is missing here
        c.yaml:1:13: resources.environments: this must be a list, but it is the text "production"
        c.yaml:4:8: directory.users[0].id: this must be text, but it is the number `7`; put it in quotes
        c.yaml:5:7: directory.users[1]: the key `name` is missing here
        c.yaml:6:30: directory.users[2].slack: this must be {teamId or enterpriseId, userId}, or a list of these, but it is the text "U9"
        c.yaml:8:22: policies[0].scope: `envrionment` is not known here; did you mean `environment`? Write one of organization, project, cluster, environment
        c.yaml:8:42: policies[0].expiresAfter: this must be a length of time such as 30m, 4h or 1d, but it is the number `90`
        c.yaml:9:38: policies[1].validFor: `soon` is no length of time (expected number at 0); write for example 30m, 4h or 1d
        c.yaml:11:5: policies[2].name: this must be text, but it is empty
        c.yaml:13:5: policies[2].approvers: this must be `anyone`, or a mapping of `users`, `teams`, `orgRoles`, but it is the text "everyone"
        c.yaml:14:18: policies[2].conditions.startHour: this must be a whole hour from 0 to 23, but it is the number `300`
        c.yaml:14:45: policies[2].conditions.weekdays[0]: `Mon` is not known here; did you mean `monday`? Write one of monday, tuesday, wednesday, thursday, friday, saturday, sunday
        c.yaml:15:5: policies[2].requesterCanApprove: this must be true or false, but it is the text "no"
        c.yaml:16:5: policies[3]: the key `id` is missing here
        "#);
}

#[test]
fn a_value_is_repeated_as_it_is_written_with_what_would_be_accepted_f5() {
    let policy = |fields: &str| {
        format!("organization: acme\npolicies:\n  - {{id: p, name: P, scope: project, {fields}}}\n")
    };
    let told = [
        "quorum: {minApprovals: two}",
        "quorum: {minApprovals: 2.50}",
        "quorum: {minApprovals: -0x2}",
        "conditions: {startHour: 0x1_000}",
        "conditions: {startHour: 300, endHour: 1e3}",
        "conditions: {weekdays: [Funday]}",
        "conditions: {weekdays: [7]}",
        "conditions: {requireReason: 1}",
        "conditions: {timezone: 07}",
        "expiresAfter: 1 fortnight",
        "validFor: 2.50",
        "expiresAfter: true",
    ];
    insta::assert_snapshot!(told.map(|fields| faults(&policy(fields))).join("\n"));
}

#[test]
fn syntax_errors_name_their_location() {
    insta::assert_snapshot!([
        "organization: acme\norganization: evil\n",
        "organization: acme\npolicies:\n  - {id: p, name: P, scope: project, quorum: {minApprovals: 2, minApprovals: 1}}\n",
        "organization: acme\n---\norganization: evil\n",
        "organization: [acme\n",
        "organization: acme\npolicies:\n\t- id: p\n",
        "organization: !!js acme\n",
        "organization: *nobody\n",
        "base: &b {id: p}\norganization: acme\npolicies:\n  - {<<: *b, name: P, scope: project}\n",
        "? [a]\n: b\n",
    ].map(faults).join("\n"), @r#"
        c.yaml:2:1: the key `organization` is given twice in one mapping; keep one of them
        c.yaml:3:64: the key `minApprovals` is given twice in one mapping; keep one of them
        c.yaml:3:1: a second document begins here (`---`); one file holds one configuration
        c.yaml:1:15: unclosed bracket '['
        c.yaml:3:2: tabs disallowed within this context (block indentation)
        c.yaml:1:20: unsupported tag `!!js`
        c.yaml:1:15: reference to unknown value
        c.yaml:4:6: merge keys (`<<`) are not read; write the keys out, so that a policy says what it does where it stands
        c.yaml:1:3: expected string scalar
        "#);
}

#[test]
fn empty_file_is_refused() {
    for empty in ["", "\n\n", "# only a comment\n", "---\n", "null", "~"] {
        assert!(
            faults(empty).contains("is empty"),
            "{empty:?}: {}",
            faults(empty)
        );
    }
    for other in ["[]", "acme", "7"] {
        assert!(
            faults(other).contains("must be a mapping"),
            "{}",
            faults(other)
        );
    }
}

#[test]
fn yaml_bombs_are_refused_quickly() {
    let mut laughs = "organization: acme\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let item = format!("*a{}", level - 1);
        let items = [item.as_str(); 10].join(", ");
        laughs += &[
            "a",
            &level.to_string(),
            ": &a",
            &level.to_string(),
            " [",
            &items,
            "]\n",
        ]
        .concat();
    }
    let deep = format!("organization: {}acme", "[".repeat(10_000));
    let big = format!("organization: {}", "a".repeat(LARGEST_CONFIGURATION));
    for bomb in [laughs, deep, big] {
        assert_ne!(faults(&bomb), "");
        assert!(faults(&bomb).len() < 1_000);
    }
}

#[test]
fn yaml_1_1_booleans_stay_strings() {
    let text = "organization: 'no'\nresources: {environments: [no, on, y, 'null', '1', 012x]}\n";
    let source = Source::read("c", text).expect("reads");
    let read: Vec<_> = source
        .document()
        .resources
        .environments
        .iter()
        .map(AsRef::as_ref)
        .collect();
    assert_eq!(read, ["no", "on", "y", "null", "1", "012x"]);
}

#[test]
fn json_crlf_and_byte_order_mark_read_the_same() {
    let yaml = Source::read("c", SMALL).expect("YAML").into_document();
    let json = serde_json::to_string_pretty(&yaml).expect("JSON");
    for text in [
        json.replace("  ", "\t"),
        json,
        SMALL.replace('\n', "\r\n"),
        format!("\u{feff}{SMALL}"),
    ] {
        let again = Source::read("c", &text).unwrap_or_else(|faults| panic!("{text}\n{faults}"));
        assert_eq!(again.into_document(), yaml);
    }
}

#[test]
fn domain_errors_get_line_numbers_in_order() {
    let source = Source::read("c.yaml", SMALL).expect("reads");
    let problem = |path: &str| ConfigError {
        path: path.to_owned(),
        message: "no".to_owned(),
    };
    let located = source.locate(&[
        problem("policies[0].quorum.minApprovals"),
        problem("organization"),
        problem("policies[0].scope"),
        problem("routes.default"),
    ]);
    insta::assert_snapshot!(located, @r#"
        c.yaml:1:1: organization: no
        c.yaml:1:1: routes.default: no
        c.yaml:3:5: policies[0].quorum.minApprovals: no
        c.yaml:3:22: policies[0].scope: no
        "#);
}

#[test]
fn digest_depends_on_meaning_and_not_on_layout() {
    let one = Source::read("a", SMALL).expect("reads").into_document();
    let two = Source::read(
        "b",
        "# note\npolicies: [{scope: project, name: P, id: p}]\norganization: \"acme\"",
    )
    .expect("reads")
    .into_document();
    assert_eq!(digest(&one), digest(&two));
    let other = ConfigDocument {
        organization: "acme2".to_owned(),
        ..two
    };
    assert_ne!(digest(&one), digest(&other));
}

#[test]
fn list_in_place_of_a_mapping_is_refused() {
    insta::assert_snapshot!(faults("organization: acme\nresources: []\ndirectory:\n  users:\n    - [alice, Alice, null, [], []]\n    - {id: bob, name: Bob, slack: [{teamId: T1, userId: U1}]}\npolicies:\n  - {id: p, name: P, scope: project, quorum: [], conditions: []}\n"), @r#"
        c.yaml:2:1: resources: this must be a mapping of keys and values, but it is a list
        c.yaml:5:7: directory.users[0]: this must be a mapping of keys and values, but it is a list
        c.yaml:8:38: policies[0].quorum: this must be a mapping of keys and values, but it is a list
        c.yaml:8:50: policies[0].conditions: this must be a mapping of keys and values, but it is a list
        "#);
}

/// Specification, Policy Templates and Condition Constraints: what makes no sense is refused when it is saved, with its line.
#[test]
fn contradictory_configuration_is_refused_with_line_numbers() {
    let text = "organization: acme
resources:
  environments: [production]
  projects: [api]
  clusters: [{id: c1, environment: prod}]
directory:
  users:
    - {id: alice, name: Alice}
    - {id: alice, name: Again}
  teams:
    - {id: sre, name: SRE, members: [alcie]}
policies:
  - id: p1
    name: One
    scope: environment
    quorum: {minApprovals: 2, requiredTeamIds: [sre]}
    conditions:
      startHour: 9
      endHour: 9
      timezone: Europe/Istambul
  - id: p2
    name: Two
    scope: project
    conditions: {startHour: 25, endHour: 3}
bindings:
  - {policy: p1, level: project, resource: api}
  - {policy: p3, level: organization}
administrators: {users: [bob]}
";
    let source = Source::read("c.yaml", text).expect("its shape is right");
    let faults = source
        .compile(0, &BTreeMap::new())
        .expect_err("nothing of it makes sense");
    insta::assert_snapshot!(faults, @r#"
        c.yaml:5:23: resources.clusters[0].environment: unknown environment `prod`; did you mean `production`?
        c.yaml:9:8: directory.users[1].id: `alice` stands twice in directory.users
        c.yaml:11:38: directory.teams[0].members[0]: unknown person `alcie`; did you mean `alice`?
        c.yaml:16:5: policies[0].quorum: can never be met: needs SRE; nobody in SRE can approve
        c.yaml:19:7: policies[0].conditions.endHour: is 9 like the start, which could mean never or always; write 0 to 24 for the whole day
        c.yaml:20:7: policies[0].conditions.timezone: unknown time zone `Europe/Istambul`; did you mean `Europe/Istanbul` or `Europe/Malta` or `Europe/Belfast`?
        c.yaml:21:5: policies[1]: has no approvers; name them in `approvers` (people, teams, roles, or `anyone`) or in the quorum
        c.yaml:24:5: policies[1].conditions.timezone: is missing; days and hours need one, such as `Europe/Istanbul`
        c.yaml:24:18: policies[1].conditions.startHour: 25 is no hour; write 0 to 23
        c.yaml:26:18: bindings[0].level: `p1` has the scope environment, so it cannot be bound at the level project
        c.yaml:27:6: bindings[1].policy: unknown policy `p3`; known: `p1`, `p2`
        c.yaml:28:26: administrators.users[0]: unknown person `bob`; known: `alice`
        "#);
}
