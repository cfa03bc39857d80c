//! Exactly at a limit: the first and last moment of a window, a grant and a session, names that are almost valid, and how many places
//! an explanation names.

use super::fixture::{ACME, NOON, ask, config, document, erin, gate, template};
use crate::domain::break_glass::{EndedBy, SessionState, SessionStatus, WrongSessionState};
use crate::domain::conditions::{applies_at, is_timed, next_edge, on_the_wall};
use crate::domain::document::{Approvers, Conditions, ConfigDocument, Level, Quorum};
use crate::domain::eligibility::PeopleInvolved;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::Principal;
use crate::domain::request::{Grant, State, Status};
use crate::domain::resources::Registry;
use crate::domain::time::{Span, Timestamp};

const MOMENT: Span = Span(1);

fn before(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - MOMENT.0)
}

fn from_nine_to_five() -> Conditions {
    serde_saphyr::from_str("{weekdays: [monday], startHour: 9, endHour: 17, timezone: UTC}")
        .expect("conditions")
}

/// `NOON` is a Monday.
#[test]
fn a_window_contains_its_first_moment_and_not_its_last() {
    let conditions = from_nine_to_five();
    let (opens, closes) = (
        Timestamp(NOON.0 - Span::hours(3).0),
        NOON.plus(Span::hours(5)),
    );
    let day = Span::hours(24);
    for (at, applies) in [
        (before(opens), false),
        (opens, true),
        (NOON, true),
        (before(closes), true),
        (closes, false),
        (opens.plus(day), false),
        (before(opens.plus(Span::hours(7 * 24))), false),
        (opens.plus(Span::hours(7 * 24)), true),
    ] {
        assert_eq!(applies_at(&conditions, at), applies, "{}", at.rfc3339());
    }
    for (after, edge) in [
        (before(opens), opens),
        (opens, closes),
        (before(closes), closes),
        (closes, opens.plus(Span::hours(7 * 24))),
    ] {
        assert_eq!(
            next_edge(&conditions, after),
            Some(edge),
            "{}",
            after.rfc3339()
        );
    }
    assert_eq!(
        on_the_wall(&conditions, closes),
        "Monday 2026-01-05 17:00 (UTC)"
    );
    let weekdays: Conditions =
        serde_saphyr::from_str("{weekdays: [monday], timezone: UTC}").expect("conditions");
    let reason: Conditions = serde_saphyr::from_str("{requireReason: true}").expect("conditions");
    assert!(is_timed(&weekdays) && !is_timed(&reason));
    for timed in [
        "{startHour: 1, timezone: UTC}",
        "{endHour: 1, timezone: UTC}",
        "{windows: [], timezone: UTC}",
    ] {
        assert!(
            is_timed(&serde_saphyr::from_str(timed).expect("conditions")),
            "{timed}"
        );
    }
    assert_eq!(next_edge(&reason, NOON), None);
}

#[test]
fn a_request_can_be_decided_until_it_expires_and_executed_until_its_grant_ends() {
    let pending = State::Pending { expires_at: NOON };
    assert_eq!(pending.clone().at(before(NOON)).status(), Status::Pending);
    assert_eq!(pending.clone().at(NOON).status(), Status::Expired);
    assert!(pending.clone().approve(before(NOON), NOON).is_ok());
    assert!(pending.clone().expire(before(NOON)).is_err());
    assert!(pending.expire(NOON).is_ok());
    let granted = State::Granted {
        grant: Grant::Approved,
        until: NOON,
    };
    assert_eq!(granted.clone().at(before(NOON)).status(), Status::Approved);
    assert_eq!(granted.clone().at(NOON).status(), Status::Expired);
    assert!(granted.clone().execute(before(NOON)).is_ok());
    assert!(granted.execute(NOON).is_err());
}

#[test]
fn a_session_ends_exactly_when_its_time_is_over() {
    let (from, until) = (NOON, NOON.plus(Span::minutes(30)));
    let active = SessionState::Active { from, until };
    for (at, is_active) in [
        (before(from), false),
        (from, true),
        (before(until), true),
        (until, false),
    ] {
        assert_eq!(active.is_active(at), is_active, "{}", at.rfc3339());
    }
    let over = SessionState::Ended {
        from,
        at: until,
        by: EndedBy::Time,
    };
    assert_eq!(active.clone().lapse(until), Ok(over.clone()));
    assert_eq!(
        active.clone().lapse(before(until)),
        Err(WrongSessionState(SessionStatus::Active))
    );
    assert_eq!(
        (active.clone().at(before(until)), active.clone().at(until)),
        (active.clone(), over)
    );
    let dan = Principal::Person("dan".into());
    let revoked = active.clone().revoke(before(until), dan.clone());
    assert!(revoked.is_ok_and(|state| state.ended_by().as_deref() == Some("person:dan")));
    assert_eq!(
        active.revoke(until, dan),
        Err(WrongSessionState(SessionStatus::Ended))
    );
}

#[test]
fn a_resource_is_known_only_at_its_own_level() {
    let registry = Registry::new(&document("").resources);
    for (level, name) in [
        (Level::Project, "api"),
        (Level::Cluster, "prod-eu-1"),
        (Level::Environment, "staging"),
    ] {
        for asked in [Level::Project, Level::Cluster, Level::Environment] {
            let checked = registry.check(asked, name);
            assert_eq!(
                checked.is_ok(),
                asked == level,
                "{asked:?} {name}: {checked:?}"
            );
            assert_eq!(
                registry.has(asked, name),
                asked == level,
                "{asked:?} {name}"
            );
        }
        let wrong = registry.check(level, "nothing").expect_err("unknown");
        assert!(
            wrong.contains(level.as_str()) && wrong.contains("nothing"),
            "{wrong}"
        );
    }
    assert_eq!(registry.check(Level::Organization, ""), Ok(()));
    assert!(registry.has(Level::Organization, ""));
}

/// The places where a policy is bound, as `explain` names them.
fn bound(levels: &[&str]) -> String {
    let bindings: Vec<String> = levels
        .iter()
        .map(|level| format!("  - {{policy: gate, {level}}}\n"))
        .collect();
    let policy = "policies: [{id: gate, name: Gate, scope: environment, actions: [cluster.sync], approvers: anyone}]";
    let environments = ACME.replace(
        "environments: [development, staging, production]",
        "environments: [development, staging, production, e4, e5]",
    );
    let text = format!("{environments}\n{policy}\nbindings:\n{}", bindings.concat());
    let document: ConfigDocument = serde_saphyr::from_str(&text).expect("a document");
    let config = crate::domain::compiled_config::CompiledConfig::compile(
        1,
        document,
        &std::collections::BTreeMap::new(),
    );
    let config = config.expect("a configuration");
    let mut ask = ask();
    ask.action = "cluster.sync".to_owned();
    ask.cluster = Some("prod-eu-1".to_owned());
    (ask.project, ask.release) = (None, None);
    let explained = config.explain(&ask, &erin(), NOON);
    let reasons = explained.others.iter().chain(&explained.because);
    reasons.map(|reason| reason.why.clone()).collect()
}

#[test]
fn an_explanation_names_three_places_and_counts_the_others() {
    let environments = ["development", "staging", "e4", "e5"]
        .map(|name| format!("level: environment, resource: {name}"));
    let environments: Vec<&str> = environments.iter().map(String::as_str).collect();
    for (places, expected) in [
        (1, "is bound to environment development"),
        (
            2,
            "is bound to environment development and environment staging",
        ),
        (
            3,
            "is bound to environment development, environment staging and environment e4",
        ),
        (
            4,
            "is bound to environment development, environment staging, environment e4 and 1 more",
        ),
    ] {
        assert_eq!(bound(&environments[..places]), expected);
    }
}

/// A quorum of nobody in particular asks for one approval, whatever was stored.
#[test]
fn a_quorum_of_nothing_needs_one_approval() {
    let nothing = gate(template(
        "gate",
        Quorum {
            min_approvals: 0,
            ..Quorum::default()
        },
    ));
    let satisfied = |gates: &[PinnedPolicy], by: &[&str]| {
        crate::domain::progress::all_satisfied(
            gates,
            &PeopleInvolved::default(),
            &super::fixture::approvals(by),
        )
    };
    assert!(!satisfied(std::slice::from_ref(&nothing), &[]));
    assert!(satisfied(std::slice::from_ref(&nothing), &["bob"]));
    assert!(
        !satisfied(&[], &["bob"]),
        "no policy at all is not satisfied"
    );
    let mut among = nothing;
    among.template.approvers = Some(Approvers::Among(crate::domain::document::People::default()));
    assert!(!satisfied(&[among], &["bob"]), "nobody is named");
    assert!(config("").admit(&ask(), &erin(), NOON).is_ok());
}

/// A secret of a webhook is the name of an environment variable.
#[test]
fn a_variable_begins_with_a_letter_or_an_underscore() {
    for (name, valid) in [
        ("A", true),
        ("_", true),
        ("a9_B", true),
        ("_9", true),
        ("9A", false),
        ("A-B", false),
        ("A.B", false),
        ("", false),
        ("A ", false),
        ("Ä", false),
    ] {
        let text = format!(
            "{ACME}\nwebhooks: [{{url: 'https://example.com/', secretEnv: '{name}', events: [request.decided]}}]"
        );
        let document: ConfigDocument = serde_saphyr::from_str(&text).expect("a document");
        let compiled = crate::domain::compiled_config::CompiledConfig::compile(
            1,
            document,
            &std::collections::BTreeMap::new(),
        );
        let problems: Vec<String> = compiled
            .err()
            .into_iter()
            .flatten()
            .map(|error| error.to_string())
            .collect();
        let about_the_name = problems.iter().any(|problem| problem.contains("secretEnv"));
        assert_eq!(about_the_name, !valid, "{name:?}: {problems:?}");
    }
}
