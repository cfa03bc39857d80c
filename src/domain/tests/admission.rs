//! Validation of asks, and who is excluded.

use super::fixture::{NOON, ask, config, erin};
use crate::domain::ask::{AdmittedRequest, Ask};
use crate::domain::decision::Via;
use crate::domain::eligibility::{Involvement, PeopleInvolved};
use crate::domain::principal::{Caller, Principal};
use crate::domain::time::Span;
use crate::domain::violation::{AskField, Violation, ViolationCode};

const GATES: &str = "
policies:
  - {id: gate, name: Production Gate, scope: environment, approvers: anyone, validFor: 20m, expiresAfter: 4h, conditions: {requireReason: true}}
  - {id: cross, name: Cross Team, scope: project, approvers: {users: [alice, dan]}, quorum: {minDistinctTeams: 2}}
bindings:
  - {policy: gate, level: environment, resource: production}
  - {policy: cross, level: project, resource: api}
actions: [{id: database.migrate, name: Database Migrate, group: project, risk: High, requires: [project, cluster]}]
";

fn admit(change: impl FnOnce(&mut Ask)) -> Result<AdmittedRequest, Vec<Violation>> {
    admit_of(&erin(), change)
}

fn admit_of(
    caller: &Caller,
    change: impl FnOnce(&mut Ask),
) -> Result<AdmittedRequest, Vec<Violation>> {
    let mut ask = ask();
    change(&mut ask);
    config(GATES).admit(&ask, caller, NOON)
}

fn broken(change: impl FnOnce(&mut Ask)) -> Vec<(ViolationCode, String)> {
    broken_of(&erin(), change)
}

fn broken_of(caller: &Caller, change: impl FnOnce(&mut Ask)) -> Vec<(ViolationCode, String)> {
    let violations = admit_of(caller, change).err().unwrap_or_default();
    violations
        .into_iter()
        .map(|v| (v.rule, v.message))
        .collect()
}

fn service(id: &str, owners: &[&str]) -> Caller {
    Caller {
        principal: Principal::Service(id.into()),
        owners: owners.iter().map(|&id| id.into()).collect(),
        acts_for_others: true,
        via: Via::Api,
    }
}

fn only(rule: ViolationCode, message: &str) -> Vec<(ViolationCode, String)> {
    vec![(rule, message.to_owned())]
}

#[test]
fn valid_ask_is_admitted() {
    let admitted = admit(|_| {}).expect("admitted");
    assert_eq!(admitted.reason.as_deref(), Some("to mend the login"));
    assert_eq!(admitted.gates.len(), 2);
    assert_eq!(
        (admitted.expires_after, admitted.valid_for),
        (Span::hours(4), Span::minutes(20))
    );
    let ungated = admit(|ask| {
        ask.project = Some("billing".to_owned());
        ask.environment = Some("staging".to_owned());
        ask.reason = None;
    });
    let ungated = ungated.expect("admitted");
    assert!(ungated.gates.is_empty());
    assert_eq!(
        (ungated.expires_after, ungated.valid_for),
        (Span::hours(24), Span::hours(1))
    );
    let cluster = admit(|ask| {
        ask.action = "cluster.sync".to_owned();
        (ask.project, ask.environment, ask.cluster) = (None, None, Some("prod-eu-1".to_owned()));
    });
    assert_eq!(
        cluster.expect("admitted").target.environment,
        Some("production".into())
    );
}

#[test]
fn names_must_be_exact_b64() {
    assert_eq!(
        broken(|ask| ask.environment = Some("prod".to_owned())),
        only(
            ViolationCode::UnknownResource,
            "unknown environment `prod`; did you mean `production`?"
        )
    );
    for close in [
        "Production",
        "production ",
        " production",
        "",
        "productio\u{6e}\u{200b}",
    ] {
        let config: Vec<ViolationCode> = broken(|ask| ask.environment = Some(close.to_owned()))
            .into_iter()
            .map(|b| b.0)
            .collect();
        assert_eq!(config, [ViolationCode::UnknownResource], "{close:?}");
    }
    assert_eq!(
        broken(|ask| ask.action = "release.deplyo".to_owned())[0],
        (
            ViolationCode::UnknownAction,
            "unknown action `release.deplyo`; did you mean `release.deploy`?".to_owned()
        )
    );
}

#[test]
fn what_an_action_needs_is_required() {
    assert_eq!(
        broken(|ask| (ask.project, ask.environment) = (None, None)),
        [
            (
                ViolationCode::TargetRequired,
                "release.deploy needs a project".to_owned()
            ),
            (
                ViolationCode::TargetRequired,
                "release.deploy needs an environment".to_owned()
            )
        ]
    );
    assert_eq!(
        broken(|ask| ask.action = "database.migrate".to_owned()),
        only(
            ViolationCode::TargetRequired,
            "database.migrate needs a cluster"
        )
    );
}

#[test]
fn a_target_that_contradicts_the_registry_is_refused_b49_ap11() {
    assert_eq!(
        broken(|ask| ask.cluster = Some("dev-1".to_owned())),
        only(
            ViolationCode::ContradictsRegistry,
            "cluster `dev-1` belongs to `development`, not to `production`"
        )
    );
}

#[test]
fn blank_reason_counts_as_missing() {
    for reason in [None, Some(""), Some(" \n\t ")] {
        let violations = admit(|ask| ask.reason = reason.map(str::to_owned)).expect_err("refused");
        assert_eq!(violations[0].policy, Some("gate".into()));
        assert_eq!(violations[0].rule, ViolationCode::ReasonRequired);
        assert_eq!(
            violations[0].message,
            "Production Gate needs a reason; say why"
        );
        assert_eq!(violations.len(), 1);
    }
}

#[test]
fn texts_have_limits_and_no_control_characters() {
    let refused =
        |change: fn(&mut Ask)| broken(change).into_iter().map(|b| b.0).collect::<Vec<_>>();
    assert_eq!(
        refused(|ask| ask.reason = Some("a\u{7}b".to_owned())),
        [ViolationCode::Payload]
    );
    assert_eq!(
        refused(|ask| ask.reason = Some("é".repeat(4_001))),
        [ViolationCode::Payload]
    );
    assert_eq!(
        refused(|ask| ask.release = Some("v1\n".to_owned())),
        [ViolationCode::Payload]
    );
    assert_eq!(
        refused(|ask| ask.release = Some(String::new())),
        [ViolationCode::Payload]
    );
    assert_eq!(
        refused(|ask| ask.release = Some("v".repeat(201))),
        [ViolationCode::Payload]
    );
    assert!(refused(|ask| ask.reason = Some("é".repeat(4_000))).is_empty());
    assert!(refused(|ask| ask.reason = Some("two\n\tlines \u{202e}kept".to_owned())).is_empty());
}

#[test]
fn unsatisfiable_for_this_requester() {
    let violations = admit(|ask| ask.requester = Some("dan".into())).expect_err("refused");
    assert_eq!(
        violations,
        [Violation {
            field: AskField::Whole,
            policy: Some("cross".into()),
            rule: ViolationCode::Unsatisfiable,
            message: "Cross Team: needs two teams; only SRE is left once dan is excluded"
                .to_owned(),
            unknown: None,
        }]
    );
}

#[test]
fn variants_of_an_id_name_nobody_b28() {
    for name in [
        "Alice",
        "ALICE",
        " alice",
        "alice ",
        "аlice",
        "alice\u{200b}",
    ] {
        let broken = broken(|ask| ask.requester = Some(name.into()));
        assert_eq!(
            broken.iter().map(|b| b.0).collect::<Vec<_>>(),
            [ViolationCode::UnknownPerson],
            "{name:?}"
        );
        let as_author = self::broken(|ask| ask.authors = vec![name.to_owned()]);
        assert_eq!(as_author.len(), 1, "{name:?}");
    }
    assert_eq!(
        broken(|ask| ask.authors = vec!["ALICE".to_owned()]),
        only(
            ViolationCode::UnknownPerson,
            "unknown author `ALICE`; did you mean `alice`?"
        )
    );
}

#[test]
fn break_glass_start_is_refused_as_an_ordinary_request() {
    let broken = broken(|ask| ask.action = "break_glass.initiate".to_owned());
    assert_eq!(
        broken.iter().map(|b| b.0).collect::<Vec<_>>(),
        [ViolationCode::OwnRoute]
    );
}

#[test]
fn all_violations_are_reported_at_once() {
    let broken = broken(|ask| {
        ask.action = "nothing".to_owned();
        ask.project = Some("nowhere".to_owned());
        ask.release = Some("\u{0}".to_owned());
        ask.requester = Some("nobody".into());
        ask.authors = vec!["noone".to_owned()];
    });
    let config: Vec<ViolationCode> = broken.into_iter().map(|b| b.0).collect();
    assert_eq!(
        config,
        [
            ViolationCode::UnknownResource,
            ViolationCode::Payload,
            ViolationCode::UnknownAction,
            ViolationCode::UnknownPerson,
            ViolationCode::UnknownPerson
        ]
    );
}

fn excluded(caller: &Caller, change: impl FnOnce(&mut Ask)) -> PeopleInvolved {
    let admitted = admit_of(caller, |ask| {
        (ask.project, ask.environment) = (Some("billing".to_owned()), Some("staging".to_owned()));
        change(ask);
    });
    admitted.expect("admitted").excluded
}

/// B22, AP2: submitter, requester, owners by token and by configuration, and authors are excluded; administrators are no exception
/// (B18).
#[test]
fn everyone_involved_is_excluded_b22() {
    let all = excluded(&service("ci", &["carol"]), |ask| {
        ask.requester = Some("dan".into());
        ask.authors = vec!["alice".to_owned(), "alice".to_owned()];
    });
    let expected = [
        ("alice", Involvement::Author),
        ("bob", Involvement::Owner),
        ("carol", Involvement::Owner),
        ("dan", Involvement::Requester),
    ];
    assert_eq!(
        all,
        PeopleInvolved(
            expected
                .into_iter()
                .map(|(id, part)| (id.into(), part))
                .collect()
        )
    );
    let alice = Caller::person("alice".into(), Via::Api);
    let acting = excluded(&alice, |ask| ask.requester = Some("erin".into()));
    assert_eq!(acting.0.get("alice"), Some(&Involvement::Submitter));
}

#[test]
fn an_administrator_may_not_approve_what_they_asked_for_b18() {
    let config = config(GATES);
    let mut ask = ask();
    let dan = Caller::person("dan".into(), Via::Api);
    ask.project = Some("billing".to_owned());
    assert!(config.is_administrator(&dan.principal));
    let admitted = config.admit(&ask, &dan, NOON).expect("admitted");
    let dan = config.directory().person(&"dan".into()).expect("dan");
    let refused = crate::domain::eligibility::check(&admitted.gates, &admitted.excluded, dan);
    assert_eq!(
        refused,
        Err(crate::domain::eligibility::Ineligible::Excluded(
            Involvement::Requester
        ))
    );
}

#[test]
fn nobody_approves_their_own_request_by_default_b32() {
    let default: crate::domain::document::PolicyTemplate =
        serde_saphyr::from_str("{id: a, name: A, scope: organization, approvers: anyone}")
            .expect("a template");
    assert!(!default.requester_can_approve);
}

#[test]
fn a_service_without_owners_may_only_ask_for_a_person() {
    let alone = |id: &str, owners: &[&str]| {
        broken_of(&service(id, owners), |ask| {
            (ask.project, ask.environment) =
                (Some("billing".to_owned()), Some("staging".to_owned()));
        })
    };
    assert!(alone("ci", &[]).is_empty());
    assert!(alone("stray", &["carol"]).is_empty());
    let message = "nobody who is active answers for the service `stray`; name active owners, or let it ask on behalf of a person";
    assert_eq!(
        alone("stray", &[]),
        only(ViolationCode::UnknownPerson, message)
    );
    assert_eq!(
        alone("stray", &["left-long-ago"]),
        only(ViolationCode::UnknownPerson, message)
    );
    let for_erin = |ask: &mut Ask| ask.requester = Some("erin".into());
    assert!(broken_of(&service("stray", &[]), for_erin).is_empty());
}

#[test]
fn a_change_of_the_configuration_needs_its_reason_and_its_people() {
    let config = config("
policies: [{id: repair, name: Repair, scope: organization, approvers: {users: [dan, carol]}, actions: [environment.policy_update], conditions: {requireReason: true}}]
bindings: [{policy: repair, level: organization}]
");
    let dan = Caller::person("dan".into(), Via::Api);
    let admitted = config.admit_config_change(Some("a mistake"), &dan, NOON);
    let admitted = admitted.expect("admitted");
    assert_eq!(admitted.target, crate::domain::target::Target::default());
    assert_eq!(admitted.gates.len(), 1);
    assert!(admitted.excluded.0.contains_key("dan"));
    let refused = config.admit_config_change(None, &dan, NOON);
    assert_eq!(
        refused.expect_err("refused")[0].rule,
        ViolationCode::ReasonRequired
    );
    let reach = crate::domain::resolve::Reach::default();
    assert!(
        config
            .admit_break_glass_start("an outage", &dan, &reach, NOON)
            .expect("admitted")
            .gates
            .is_empty()
    );
}

#[test]
fn suggestions_are_made_after_the_transaction_r07() {
    let mut ask = ask();
    ask.action = "release.deplo".to_owned();
    ask.environment = Some("prod".to_owned());
    ask.authors = vec!["alise".to_owned()];
    let config = config(GATES);
    let found = config
        .admit_under(&ask, &erin(), &[], NOON)
        .expect_err("refused");
    let text = |violations: &[Violation]| -> Vec<String> {
        violations.iter().map(|one| one.message.clone()).collect()
    };
    assert_eq!(
        text(&found),
        [
            "unknown environment `prod`",
            "unknown action `release.deplo`",
            "unknown author `alise`"
        ]
    );
    let suggested = config.admit(&ask, &erin(), NOON);
    let suggested = suggested.expect_err("refused");
    let suggests = |message: &String| message.contains("; did you mean `");
    assert!(text(&suggested).iter().all(suggests), "{suggested:?}");
}
