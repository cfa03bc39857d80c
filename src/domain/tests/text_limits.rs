//! Texts of a configuration exactly at their limits, and lists that are displayed entry by entry.

use super::fixture::{ACME, document};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decision::Via;
use crate::domain::diff::diff;
use crate::domain::document::{ConfigDocument, LARGEST_CONFIGURATION, too_large};
use crate::domain::people::Directory;
use crate::domain::principal::{Caller, Principal};
use crate::domain::slack_directory::{SlackDirectory, SyncedAccount};
use crate::domain::suggestion;
use crate::domain::text::{TextFault, check_line};
use crate::domain::violation::ViolationCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is wrong with the fixture's document after an edit.
fn problems(edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let text = "policies: [{id: gate, name: Gate, scope: organization, approvers: anyone}]
bindings: [{policy: gate, level: organization}]
webhooks: [{url: 'https://example.com/', secretEnv: HOOK, events: [request.decided]}]
breakGlass: {securityChannel: C01SEC, allowed: {users: [alice]}, minDuration: 1h, maxDuration: 1h}";
    let mut document = serde_json::to_value(document(text)).expect("JSON");
    edit(&mut document);
    let document: ConfigDocument = serde_json::from_value(document).expect("a document");
    let compiled = CompiledConfig::compile(1, document, &BTreeMap::new());
    let problems = compiled.err().into_iter().flatten();
    problems.map(|error| error.to_string()).collect()
}

fn set(path: &str, value: Value) -> Vec<String> {
    problems(|document| *document.pointer_mut(path).expect("a field") = value)
}

#[test]
fn texts_are_as_long_as_their_limit_and_no_longer() {
    for (path, limit, says) in [
        (
            "/resources/projects/1",
            100,
            "an id has at most 100 characters",
        ),
        (
            "/directory/users/4/name",
            200,
            "a name has 1 to 200 characters",
        ),
        (
            "/policies/0/description",
            4_000,
            "a description has at most 4,000 characters",
        ),
    ] {
        assert_eq!(set(path, json!("b".repeat(limit))), [""; 0], "{path}");
        let said = set(path, json!("b".repeat(limit + 1)));
        assert!(
            said.len() == 1 && said[0].contains(says),
            "{path}: {said:?}"
        );
    }
    // characters are counted, not bytes
    assert_eq!(
        set("/policies/0/description", json!("é".repeat(4_000))),
        [""; 0]
    );
    assert_eq!(
        set("/directory/users/4/name", json!("é".repeat(200))),
        [""; 0]
    );
    assert_eq!(check_line("abc", 3), Ok(()));
    assert_eq!(check_line("abcd", 3), Err(TextFault::TooLong(3)));
    let control = set("/policies/0/description", json!("two\r\nlines\u{1}"));
    assert!(control[0].contains("U+0001"), "{control:?}");
    assert_eq!(
        set("/policies/0/description", json!("two\r\nlines")),
        [""; 0]
    );
    assert_eq!(too_large(LARGEST_CONFIGURATION), None);
    assert!(too_large(LARGEST_CONFIGURATION + 1).is_some_and(|why| why.contains("8388609 bytes")));
}

#[test]
fn the_shortest_session_may_be_the_longest() {
    assert_eq!(problems(|_| {}), [""; 0]);
    let shorter = set("/breakGlass/maxDuration", json!("59m"));
    assert!(
        shorter.len() == 1 && shorter[0].contains("is shorter than `minDuration`"),
        "{shorter:?}"
    );
    assert_eq!(set("/breakGlass/maxDuration", json!("61m")), [""; 0]);
    // whoever is unknown is reported once, and not as somebody who cannot start a session
    let unknown = set("/breakGlass/allowed/users", json!(["nobody-here"]));
    assert!(
        unknown.len() == 1 && unknown[0].contains("unknown person"),
        "{unknown:?}"
    );
}

#[test]
fn an_address_of_a_webhook_names_no_user_and_no_password() {
    for (url, says) in [
        ("https://example.com/hook?a=b", ""),
        ("https://user@example.com/", "a user or a password"),
        ("https://user:word@example.com/", "a user or a password"),
        ("https://:word@example.com/", "a user or a password"),
        ("https://example.com/#part", "`#` part"),
        ("http://example.com/", "must begin with https://"),
        ("ftp://example.com/", "must begin with https://"),
        ("example.com", "is no address"),
    ] {
        let said = set("/webhooks/0/url", json!(url));
        match says {
            "" => assert_eq!(said, [""; 0], "{url}"),
            says => assert!(said.len() == 1 && said[0].contains(says), "{url}: {said:?}"),
        }
    }
}

#[test]
fn a_rule_of_the_routes_names_an_existing_policy() {
    let route = |rule: Value| problems(|document| document["routes"]["rules"] = json!([rule]));
    assert_eq!(
        route(json!({"channel": "C01PROD", "policy": "gate"})),
        [""; 0]
    );
    let unknown = route(json!({"channel": "C01PROD", "policy": "gat"}));
    assert!(
        unknown.len() == 1 && unknown[0].contains("did you mean `gate`"),
        "{unknown:?}"
    );
    let all = route(json!({"channel": "C01PROD"}));
    assert!(
        all.len() == 1 && all[0].contains("matches every request"),
        "{all:?}"
    );
}

/// Without `members`, a Slack user id is not a person.
#[test]
fn slack_ids_are_people_only_where_all_members_are() {
    let with = |members: bool, id: &str| {
        problems(|document| {
            document["directory"]["slack"] = json!({"members": members});
            document["policies"][0]["approvers"] = json!({"users": ["alice", id]});
        })
    };
    assert_eq!(with(true, "U09NEW"), [""; 0]);
    assert_eq!(with(true, "W09NEW"), [""; 0]);
    for (members, id) in [
        (false, "U09NEW"),
        (true, "C09NEW"),
        (true, "u09new"),
        (true, "zoe"),
        (false, "zoe"),
    ] {
        let said = with(members, id);
        assert!(
            said.len() == 1 && said[0].contains("unknown person"),
            "{members} {id}: {said:?}"
        );
    }
}

/// Ids are part of the path, and lists of mappings are entries of their own.
#[test]
fn what_is_added_is_listed_field_by_field() {
    let before = document("");
    let added = |more: &str| {
        let lines = diff(&before, &document(more)).lines;
        let texts = lines
            .into_iter()
            .map(|line| format!("{} {}", line.change.sign(), line.text));
        texts.collect::<Vec<_>>()
    };
    let service = ACME.contains("{id: ci, owners: [bob]}");
    assert!(service);
    let webhook =
        added("webhooks: [{url: 'https://example.com/', secretEnv: HOOK, events: [a, b]}]");
    assert!(
        webhook
            .iter()
            .any(|line| line.contains("https://example.com/")),
        "{webhook:?}"
    );
    let rules = added(
        "routes: {default: C01DEFAULT, rules: [{channel: C01PROD, environment: production}]}",
    );
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert!(
        rules[0].contains("C01PROD") && rules[0].contains("production"),
        "{rules:?}"
    );
    let windows = added("
policies: [{id: gate, name: Gate, scope: organization, approvers: {users: [alice, bob]},
  conditions: {timezone: UTC, windows: [{weekdays: [monday]}, {weekdays: [friday], startHour: 1, endHour: 2}]}}]
bindings: [{policy: gate, level: organization}]");
    assert!(
        windows.iter().any(
            |line| line.starts_with("+ policies.gate.conditions.windows: ")
                && line.contains("friday")
        ),
        "{windows:?}"
    );
    assert!(
        windows
            .iter()
            .any(|line| line == "+ policies.gate.approvers.users: [\"alice\",\"bob\"]"),
        "{windows:?}"
    );
    assert!(
        windows
            .iter()
            .any(|line| line == "+ bindings.gate@organization" || line.starts_with("+ bindings.")),
        "{windows:?}"
    );
    assert!(
        !windows.iter().any(|line| line.contains(".id:")),
        "{windows:?}"
    );
}

/// Slack may add people to a team with a user group, so that its quorum is checked only when a request is created.
#[test]
fn a_quorum_that_slack_could_meet_is_not_refused() {
    let with = |is_bound: bool, policy: Value| {
        problems(|document| {
            let mut team = json!({"id": "ops", "name": "Ops", "members": []});
            if is_bound {
                team["slackUserGroup"] = json!("S01OPS");
            }
            let teams = document["directory"]["teams"].as_array_mut();
            teams.expect("a list").push(team);
            let fields = policy.as_object().expect("fields").clone();
            document["policies"][0]
                .as_object_mut()
                .expect("a policy")
                .extend(fields);
        })
    };
    for policy in [
        json!({"approvers": "anyone", "quorum": {"minApprovals": 9}}),
        json!({"approvers": {"users": ["alice", "bob", "carol", "dan"]}, "quorum": {"minDistinctTeams": 4}}),
        json!({"approvers": {"users": ["alice"]}, "quorum": {"requiredTeamIds": ["ops"]}}),
        json!({"approvers": {"teams": ["ops"]}, "quorum": {"minApprovals": 2}}),
    ] {
        assert_eq!(with(true, policy.clone()), [""; 0], "{policy}");
        let said = with(false, policy.clone());
        assert!(
            said.len() == 1 && said[0].contains("can never be met"),
            "{policy}: {said:?}"
        );
    }
    let few = with(
        true,
        json!({"approvers": {"users": ["alice"]}, "quorum": {"minApprovals": 2}}),
    );
    assert!(
        few.len() == 1 && few[0].contains("can never be met"),
        "{few:?}"
    );
}

/// Accounts that a document does not name are left out, so that its digest stays the same.
#[test]
fn people_without_accounts_are_written_without_them() {
    let written = serde_json::to_value(document("")).expect("JSON");
    let users = written["directory"]["users"].as_array().expect("a list");
    let with_accounts = users.iter().filter(|user| user.get("slack").is_some());
    assert_eq!(with_accounts.count(), 2, "{users:?}");
}

/// A person whose id is the Slack id of somebody else stays who they are.
#[test]
fn an_id_that_is_somebody_elses_account_belongs_to_the_person_with_that_id() {
    let account = SyncedAccount {
        identity: serde_json::from_value(json!({"teamId": "T1", "userId": "U1BEN"}))
            .expect("an identity"),
        name: "ben".to_owned(),
        is_active: true,
        is_full: true,
    };
    let slack = SlackDirectory {
        accounts: vec![account],
        ..SlackDirectory::default()
    };
    let compiled = |users: Value| {
        let document = serde_json::from_value(json!({"users": users, "slack": {"members": true}}));
        Directory::compile_with(&document.expect("a directory"), &slack)
    };
    let ben = json!({"id": "ben", "name": "Ben", "slack": {"teamId": "T1", "userId": "U1BEN"}});
    let alone = compiled(json!([ben]));
    assert_eq!(alone.canonical(&"U1BEN".into()), &"ben".into());
    let both = compiled(json!([ben, {"id": "U1BEN", "name": "Another"}]));
    assert_eq!(both.canonical(&"U1BEN".into()), &"U1BEN".into());
}

#[test]
fn a_name_among_exactly_a_thousand_is_still_found() {
    let names: Vec<String> = (0..1_000).map(|n| format!("project-{n:04}")).collect();
    for count in [999, 1_000] {
        let known = names.iter().take(count).map(String::as_str);
        let said = suggestion::unknown("project", "projcet-0500", known);
        assert!(
            said.contains("did you mean `project-0500`"),
            "{count}: {said}"
        );
    }
    let said = |wanted: &str| {
        suggestion::unknown(
            "project",
            wanted,
            ["billing-and-invoices-of-customers"].into_iter(),
        )
    };
    assert!(
        said("bi").contains("did you mean"),
        "two characters are an abbreviation: {}",
        said("bi")
    );
    assert!(
        !said("b").contains("did you mean"),
        "one is not: {}",
        said("b")
    );
}

/// What is wrong with the target is reported alone, as the policies of a target that does not exist say nothing.
#[test]
fn an_unknown_target_is_reported_without_the_rules_of_its_policies() {
    let config = super::fixture::config("
policies: [{id: gate, name: Gate, scope: organization, actions: [release.deploy], approvers: anyone, conditions: {requireReason: true}}]
bindings: [{policy: gate, level: organization}]");
    let codes = |environment: &str| {
        let mut ask = super::fixture::ask();
        ask.reason = None;
        ask.environment = Some(environment.to_owned());
        let broken = config
            .admit(&ask, &super::fixture::erin(), super::fixture::NOON)
            .expect_err("it breaks rules");
        broken.into_iter().map(|one| one.rule).collect::<Vec<_>>()
    };
    assert_eq!(codes("production"), [ViolationCode::ReasonRequired]);
    assert_eq!(codes("nowhere"), [ViolationCode::UnknownResource]);
}

#[test]
fn a_requester_who_left_cannot_be_asked_for() {
    let with = |is_active| {
        let account = SyncedAccount {
            identity: serde_json::from_value(json!({"teamId": "T01TEST", "userId": "U01ALICE"}))
                .expect("an identity"),
            name: "alice".to_owned(),
            is_active,
            is_full: true,
        };
        let slack = SlackDirectory {
            accounts: vec![account],
            ..SlackDirectory::default()
        };
        let config = CompiledConfig::compile_with(1, document(""), &BTreeMap::new(), slack);
        let mut ask = super::fixture::ask();
        ask.requester = Some("alice".into());
        let caller = Caller {
            principal: Principal::Service("ci".into()),
            owners: Vec::new(),
            acts_for_others: true,
            via: Via::Api,
        };
        let admitted = config
            .expect("a configuration")
            .admit(&ask, &caller, super::fixture::NOON);
        let broken = admitted.err().into_iter().flatten();
        broken.map(|one| one.message).collect::<Vec<_>>()
    };
    assert_eq!(with(true), [""; 0]);
    assert_eq!(with(false), ["the requester `alice` is not active"]);
}

#[test]
fn buttons_forms_and_commands_come_through_slack() {
    for (via, expected) in [
        (Via::Button, true),
        (Via::Modal, true),
        (Via::Command, true),
        (Via::Api, false),
        (Via::Web, false),
        (Via::Cli, false),
        (Via::File, false),
        (Via::Bot, false),
    ] {
        assert_eq!(via.is_slack(), expected, "{via:?}");
    }
}
