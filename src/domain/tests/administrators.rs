//! Who may change the configuration, who receives alerts, and what the compiled configuration knows of its policies.

use super::fixture::{NOON, config, document};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::people::Person;
use crate::domain::principal::Principal;
use crate::domain::slack_directory::{SlackDirectory, SyncedAccount, SyncedGroup};
use std::collections::BTreeMap;

#[test]
fn only_administrators_and_the_operator_may_change_the_configuration() {
    let config = config("");
    for (who, may) in [
        (Principal::Operator, true),
        (Principal::Person("dan".into()), true),
        (Principal::Service("ci".into()), true),
        (Principal::Person("alice".into()), false),
        (Principal::Person("nobody".into()), false),
        (Principal::Service("stray".into()), false),
        (Principal::Bot, false),
    ] {
        assert_eq!(config.check_may_change(&who).is_ok(), may, "{who}");
    }
}

fn ids(people: Vec<&Person>) -> Vec<&str> {
    people.into_iter().map(|one| one.id.as_str()).collect()
}

#[test]
fn administrators_and_those_named_for_break_glass_receive_alerts() {
    let config = config(
        "breakGlass: {securityChannel: C01SECURITY, allowed: {users: [alice]}, notify: {users: [carol], teams: [payments]}}",
    );
    assert_eq!(ids(config.administrators()), ["dan"]);
    assert_eq!(ids(config.told_of_sessions()), ["carol", "dan"]);
    assert!(super::fixture::config("").told_of_sessions().is_empty());
}

const GATE: &str = "
policies: [{id: gate, name: Gate, scope: organization, approvers: {teams: [sre]}, quorum: {minApprovals: 2}}]
bindings: [{policy: gate, level: organization}]";

#[test]
fn versions_of_policies_are_known() {
    let versions = BTreeMap::from([("gate".into(), 5)]);
    let config = CompiledConfig::compile(7, document(GATE), &versions).expect("a configuration");
    let of = |id: &str| config.versioned_template(&id.into()).map(|found| found.0);
    assert_eq!((of("gate"), of("other")), (Some(5), None));
    assert!(!config.decides_on_web());
    assert_eq!(config.document().oidc_issuer(), None);
    let mut with_issuer = document(
        "console: {oidc: {issuer: 'https://id.test', clientId: a, clientSecretEnv: OIDC_CLIENT_SECRET}}",
    );
    assert_eq!(with_issuer.oidc_issuer(), Some("https://id.test"));
    with_issuer.console = None;
    assert_eq!(with_issuer.oidc_issuer(), None);
}

/// Nobody is called missing as long as a group or the members of the workspace could still bring them.
#[test]
fn bound_policies_are_unsatisfiable_once_all_of_slack_is_known() {
    let account = |user: &str, is_active| SyncedAccount {
        identity: serde_json::from_value(serde_json::json!({"teamId": "T01TEST", "userId": user}))
            .expect("an identity"),
        name: user.to_owned(),
        is_active,
        is_full: true,
    };
    let group = SyncedGroup::synced(None, Vec::new(), |_| true, true, NOON);
    let gone = vec![account("U01ALICE", false)];
    for (members, has_group, accounts, is_synced, short) in [
        (false, false, Vec::new(), false, 0),
        (false, false, gone.clone(), false, 1),
        (true, false, gone.clone(), false, 1),
        (false, true, gone.clone(), false, 0),
        (false, true, gone.clone(), true, 1),
        (true, true, gone.clone(), false, 0),
        (true, true, gone, true, 1),
        // the workspace has told nothing of its members yet
        (true, true, Vec::new(), true, 0),
        (true, false, Vec::new(), false, 0),
    ] {
        let mut document = document(GATE);
        document.directory.slack.members = members;
        if has_group {
            document.directory.teams[1].slack_user_group = Some("S01SECURITY".to_owned());
        }
        let known = SlackDirectory {
            groups: is_synced
                .then(|| ("S01SECURITY".to_owned(), group.clone()))
                .into_iter()
                .collect(),
            accounts,
            ..SlackDirectory::default()
        };
        let config = CompiledConfig::compile_with(7, document, &BTreeMap::new(), known)
            .expect("a configuration");
        let found = config.unsatisfiable_policies();
        let told = format!("members {members}, group {has_group} {is_synced}");
        assert_eq!(found.len(), short, "{told}");
        assert!(found.iter().all(|one| one.policy.as_str() == "gate"));
    }
}

#[test]
fn group_without_members_leaves_its_policy_unsatisfiable() {
    let mut document = document(GATE);
    let sre = &mut document.directory.teams[0];
    sre.members.clear();
    sre.slack_user_group = Some("S01SRE".to_owned());
    let group = SyncedGroup::synced(None, Vec::new(), |_| true, true, NOON);
    for (is_synced, short) in [(false, 0), (true, 1)] {
        let groups = is_synced.then(|| ("S01SRE".to_owned(), group.clone()));
        let known = SlackDirectory {
            groups: groups.into_iter().collect(),
            ..SlackDirectory::default()
        };
        let config = CompiledConfig::compile_with(7, document.clone(), &BTreeMap::new(), known);
        let config = config.expect("a configuration");
        assert_eq!(config.unsatisfiable_policies().len(), short);
    }
}

#[test]
fn kinds_of_events_are_read_as_they_are_written() {
    for kind in AuditEventKind::ALL {
        let read = kind.as_str().parse::<AuditEventKind>();
        assert_eq!(read.ok(), Some(*kind), "{}", kind.as_str());
    }
    assert!("request.exploded".parse::<AuditEventKind>().is_err());
}
