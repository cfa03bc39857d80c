//! What counts as a weakening, edit by edit, and what does not.

use super::fixture::document;
use crate::domain::diff::diff;
use crate::domain::document::ConfigDocument;
use serde_json::{Value, json};

const STRICT: &str = "
actions: [{id: database.migrate, name: Migrate, group: project, risk: High, requires: [project]}]
policies:
  - id: gate
    name: Gate
    scope: organization
    actions: [release.deploy, database.migrate]
    approvers: {users: [carol], teams: [sre, security], orgRoles: [tech-lead]}
    quorum: {minApprovals: 3, minDistinctTeams: 2, requiredUserIds: [carol], requiredTeamIds: [sre, security], requiredOrgRoles: [tech-lead]}
    conditions: {environments: [staging, production], weekdays: [monday, tuesday], startHour: 8, endHour: 18, timezone: UTC, requireReason: true}
    requesterCanApprove: false
    expiresAfter: 4h
    validFor: 2h
    showPayload: details
    channel: C07GATE
    escalation: {after: 1h, notify: {users: [dan]}}
    breakGlassBypass: false
    decideOn: web
bindings:
  - {policy: gate, level: organization}
";

/// How an edit of this document, as JSON, weakens it.
fn weakens(edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let before = document(STRICT);
    let mut after = serde_json::to_value(&before).expect("JSON");
    edit(&mut after);
    let after: ConfigDocument = serde_json::from_value(after).expect("a document");
    diff(&before, &after).weakens
}

/// Sets a value, or adds it to a list if the path ends with `/-`.
fn put(document: &mut Value, path: &str, value: Value) {
    match path.strip_suffix("/-") {
        Some(list) => {
            let list = document.pointer_mut(list).and_then(Value::as_array_mut);
            list.expect("a list").push(value);
        }
        None => *document.pointer_mut(path).expect(path) = value,
    }
}

/// Each line of a table has a path, a value, and how that weakens the document: nothing, or sentences apart by ` & `.
fn check(table: &str) {
    for line in table.lines().filter(|line| !line.is_empty()) {
        let mut cells = line.split(" | ").map(str::trim);
        let mut cell = || cells.next().unwrap_or_default();
        let (path, value, how) = (cell(), cell(), cell());
        let value: Value = serde_json::from_str(value).expect(line);
        let expected: Vec<&str> = how.split(" & ").filter(|how| !how.is_empty()).collect();
        assert_eq!(
            weakens(|document| put(document, path, value)),
            expected,
            "{line}"
        );
    }
}

#[test]
fn each_field_of_a_policy_weakens_in_one_direction() {
    check(
        r#"
/policies/0/scope | "project" | policy gate has another scope
/policies/0/actions | ["release.deploy"] | policy gate gates fewer actions
/policies/0/actions | ["database.migrate", "project.delete"] | policy gate gates fewer actions
/policies/0/approvers/users | ["carol", "erin"] | policy gate lets more people approve
/policies/0/approvers/teams | ["sre", "security", "payments"] | policy gate lets more people approve
/policies/0/approvers/orgRoles | ["tech-lead", "platform-admin"] | policy gate lets more people approve
/policies/0/approvers | "anyone" | policy gate lets more people approve
/policies/0/quorum/minApprovals | 2 | policy gate needs less of a quorum
/policies/0/quorum/minDistinctTeams | 1 | policy gate needs less of a quorum
/policies/0/quorum/requiredUserIds | [] | policy gate needs less of a quorum
/policies/0/quorum/requiredTeamIds | ["sre"] | policy gate needs less of a quorum
/policies/0/quorum/requiredOrgRoles | [] | policy gate needs less of a quorum
/policies/0/conditions/environments | ["staging"] | policy gate applies less often
/policies/0/conditions/weekdays | ["monday"] | policy gate applies less often
/policies/0/conditions/startHour | 9 | policy gate applies less often
/policies/0/conditions/endHour | 17 | policy gate applies less often
/policies/0/conditions/timezone | "Asia/Tokyo" | policy gate applies less often
/policies/0/conditions/requireReason | false | policy gate needs no reason any more
/policies/0/requesterCanApprove | true | policy gate lets the requester approve
/policies/0/decideOn | null | policy gate takes approvals outside the web pages
/policies/0/expiresAfter | "4h 1ms" | policy gate lets requests wait longer
/policies/0/validFor | "2h 1ms" | policy gate lets approvals hold longer
/policies/0/showPayload | "card" | policy gate shows more of the payload
/policies/0/showPayload | "never" | policy gate shows less of the payload to those who decide
/policies/0/channel | "C09AWAY" | policy gate posts its cards to other channels
/policies/0/channel | null | policy gate posts its cards to other channels
/policies/0/escalation | null | policy gate escalates otherwise
/policies/0/escalation/after | "2h" | policy gate escalates otherwise
/policies/0/breakGlassBypass | true | policy gate can be bypassed by break-glass
/policies/0/mode | "observe" | policy gate only observes
"#,
    );
}

#[test]
fn a_stronger_policy_weakens_nothing() {
    check(
        r#"
/policies/0/actions | ["release.deploy", "database.migrate", "project.delete"]
/policies/0/approvers/users | []
/policies/0/approvers/teams | ["sre"]
/policies/0/quorum/minApprovals | 4
/policies/0/quorum/minDistinctTeams | 3
/policies/0/quorum/requiredUserIds | ["carol", "erin"]
/policies/0/conditions/environments | ["staging", "production", "development"]
/policies/0/conditions/weekdays | ["monday", "tuesday", "sunday"]
/policies/0/conditions/startHour | 7
/policies/0/conditions/endHour | 19
/policies/0/conditions | {"requireReason": true}
/policies/0/expiresAfter | "3h"
/policies/0/validFor | "1h"
/policies/0/description | "another one"
/policies/0/name | "Another"
"#,
    );
}

#[test]
fn each_part_of_the_document_weakens_by_what_it_loses() {
    check(
        r#"
/policies | [] | policy gate is removed
/bindings | [] | policy gate is unbound from organization
/resources/environments | ["development", "production"] | environment staging is removed
/resources/projects | ["billing"] | project api is removed
/resources/clusters | [{"id": "prod-eu-1", "environment": "production"}] | cluster dev-1 is removed
/resources/clusters/1/environment | "staging" | cluster dev-1 moves from environment development to staging
/actions/0/risk | "Medium" | action database.migrate is changed or removed
/actions | [] | action database.migrate is changed or removed
"#,
    );
}

/// What is added weakens nothing by itself, but for what it does to the cards.
#[test]
fn what_is_added_weakens_by_what_it_does_to_the_cards() {
    check(
        r#"
/resources/environments/- | "lab"
/resources/projects/- | "web"
/resources/clusters/- | {"id": "lab-1", "environment": "staging"}
/directory/users/- | {"id": "zoe", "name": "Zoe", "slack": {"teamId": "T01TEST", "userId": "U01ZOE"}}
/policies/- | {"id": "other", "name": "Other", "scope": "organization", "approvers": "anyone"}
/policies/- | {"id": "other", "name": "Other", "scope": "organization", "showPayload": "details"} | policy other is added and keeps the payload off the cards
/policies/- | {"id": "other", "name": "Other", "scope": "organization", "showPayload": "never", "channel": "C08OTHER"} | policy other is added and hides the payload from those who decide & policy other is added and posts its cards to C08OTHER, too
/bindings/- | {"policy": "gate", "level": "project", "resource": "api"} | policy gate is bound to project api and keeps the payload off the cards & policy gate is bound to project api and posts its cards to C07GATE, too
"#,
    );
}

#[test]
fn bound_policy_is_found_among_others() {
    let before = document(
        "
policies:
  - {id: plain, name: Plain, scope: organization, approvers: anyone}
  - {id: gate, name: Gate, scope: organization, approvers: anyone, showPayload: details}
bindings: [{policy: gate, level: organization}]",
    );
    let mut after = before.clone();
    let binding = "{policy: gate, level: project, resource: api}";
    let binding = serde_saphyr::from_str(binding).expect("a binding");
    after.bindings.push(binding);
    assert_eq!(
        diff(&before, &after).weakens,
        ["policy gate is bound to project api and keeps the payload off the cards"]
    );
}

#[test]
fn an_account_that_moves_to_another_person_weakens() {
    check(
        r#"
/directory/users/0/slack | {"teamId": "T01TEST", "userId": "U09OTHER"} | alice acts by the Slack account U09OTHER
"#,
    );
    let moved = weakens(|document| {
        let alice = document["directory"]["users"][0].as_object_mut();
        let account = alice.and_then(|alice| alice.remove("slack"));
        put(
            document,
            "/directory/users/-",
            json!({"id": "zoe", "name": "Zoe", "slack": account}),
        );
    });
    assert_eq!(moved, ["zoe acts by the Slack account U01ALICE"]);
}

/// Hours in another zone are other hours, unless the policy applies at every hour.
#[test]
fn a_policy_of_every_hour_has_no_weaker_time_zone() {
    let before = document(
        "
policies: [{id: gate, name: Gate, scope: organization, approvers: anyone, conditions: {timezone: UTC}}]
bindings: [{policy: gate, level: organization}]",
    );
    let mut after = before.clone();
    after.policies[0].conditions.timezone = Some("Asia/Tokyo".to_owned());
    assert_eq!(diff(&before, &after).weakens, [""; 0]);
    // a policy that named no environment applied in all of them
    after.policies[0].conditions.environments = Some(vec!["staging".into()]);
    let narrower = diff(&before, &after).weakens;
    assert_eq!(narrower, ["policy gate applies less often"]);
    assert_eq!(diff(&after, &before).weakens, [""; 0]);
}

/// Without `approvers`, those whom the quorum requires are the approvers.
#[test]
fn the_required_people_are_the_approvers_of_a_policy_that_names_none() {
    let required = |users: &str| {
        document(&format!(
            "
policies: [{{id: gate, name: Gate, scope: organization, quorum: {{requiredUserIds: [{users}]}}}}]
bindings: [{{policy: gate, level: organization}}]"
        ))
    };
    let more = diff(&required("carol"), &required("carol, dan"));
    assert_eq!(more.weakens, ["policy gate lets more people approve"]);
    let fewer = diff(&required("carol, dan"), &required("carol"));
    assert_eq!(fewer.weakens, ["policy gate needs less of a quorum"]);
}
