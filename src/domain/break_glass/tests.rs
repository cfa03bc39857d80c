//! Table tests and random schedules of sessions: what they cover, their states, and who may do what.

mod limits;

use super::*;
use crate::domain::action::{self, Action};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::{ActionGroup, BreakGlassConfig, ConfigDocument};
use crate::domain::refusal::Refusal;
use crate::domain::violation::ViolationCode;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000_000);
const LENGTH: Span = Span::minutes(30);

fn config() -> CompiledConfig {
    let document: ConfigDocument = serde_json::from_value(serde_json::json!({
        "organization": "acme",
        "resources": {"environments": ["prod", "production", "staging"], "projects": ["api", "billing"],
            "clusters": [{"id": "prod-eu-1", "environment": "production"}, {"id": "prod", "environment": "prod"}]},
        "directory": {
            "users": [{"id": "alice", "name": "Alice"}, {"id": "bob", "name": "Bob"}, {"id": "dan", "name": "Dan"},
                {"id": "erin", "name": "Erin", "orgRoles": ["admin"]}],
            "teams": [{"id": "sre", "name": "SRE", "members": ["dan", "alice"]}],
        },
        "services": [{"id": "ci", "owners": ["bob"]}],
        "breakGlass": {"securityChannel": "C1", "allowed": {"teams": ["sre"]}},
        "administrators": {"orgRoles": ["admin"]},
    }))
    .expect("a document");
    CompiledConfig::compile(1, document, &std::collections::BTreeMap::new())
        .expect("it makes sense")
}

fn door(config: &CompiledConfig) -> &BreakGlassConfig {
    config.document().break_glass.as_ref().expect("it is there")
}

fn id() -> SessionId {
    SessionId::from_uuid(uuid::Uuid::from_u128(7))
}

fn person(name: &str) -> Principal {
    Principal::Person(name.into())
}

fn ask() -> SessionAsk {
    SessionAsk {
        reason: "checkout is down".to_owned(),
        actions: vec!["cluster.restart".to_owned()],
        clusters: Some(vec!["prod-eu-1".to_owned()]),
        duration: Some(LENGTH),
        ..SessionAsk::default()
    }
}

fn broken(ask: &SessionAsk) -> Vec<(ViolationCode, String)> {
    let config = config();
    let read = config.read_start(ask, &"dan".into(), door(&config), id());
    let mut broken = read.err().unwrap_or_default();
    config.suggest_names(&mut broken);
    broken
        .into_iter()
        .map(|one| (one.rule, one.message))
        .collect()
}

fn session(state: SessionState, scope: SessionScope, responders: &[Principal]) -> Session {
    Session {
        id: id(),
        initiator: "dan".into(),
        reason: "checkout is down".to_owned(),
        scope,
        responders: responders.to_vec(),
        duration: LENGTH,
        channel: "C1".into(),
        request: None,
        asked_at: NOW,
        state,
    }
}

fn active() -> SessionState {
    SessionState::Active {
        from: NOW,
        until: NOW.plus(LENGTH),
    }
}

fn scope(json: serde_json::Value) -> SessionScope {
    serde_json::from_value(json).expect("a scope")
}

fn target(json: serde_json::Value) -> Target {
    serde_json::from_value(json).expect("a target")
}

#[test]
fn valid_session_start_survives_the_round_trip_through_its_request() {
    let config = config();
    let start = config
        .read_start(&ask(), &"dan".into(), door(&config), id())
        .expect("it keeps every rule");
    assert_eq!(start.responders, [person("dan")]);
    let json = serde_json::to_string(&start).expect("JSON");
    assert_eq!(
        serde_json::from_str::<SessionStart>(&json).expect("reads"),
        start
    );
    let unbounded = SessionAsk {
        duration: None,
        ..ask()
    };
    let start = config.read_start(&unbounded, &"dan".into(), door(&config), id());
    assert_eq!(start.expect("the shortest").duration, Span::minutes(30));
}

#[test]
fn every_violation_of_a_session_start_is_reported() {
    type Change = fn(&mut SessionAsk);
    let cases: [(Change, ViolationCode, &str); 17] = [
        (
            |a| a.reason = "x".to_owned(),
            ViolationCode::ReasonRequired,
            "what the emergency is",
        ),
        (
            |a| a.reason = " \n ".to_owned(),
            ViolationCode::ReasonRequired,
            "what the emergency is",
        ),
        (
            |a| a.reason = "a\u{7}bcdef".to_owned(),
            ViolationCode::Payload,
            "control character",
        ),
        (
            |a| a.reason = "y".repeat(4_001),
            ViolationCode::Payload,
            "4,000",
        ),
        (
            |a| a.actions.clear(),
            ViolationCode::Scope,
            "1 to 200 actions",
        ),
        (
            |a| a.actions = vec!["cluster.reboot".to_owned()],
            ViolationCode::UnknownAction,
            "unknown action",
        ),
        (
            |a| a.actions.push(action::BREAK_GLASS.to_owned()),
            ViolationCode::Scope,
            "can never be covered",
        ),
        (
            |a| a.actions.push(action::POLICY_UPDATE.to_owned()),
            ViolationCode::Scope,
            "can never be covered",
        ),
        (
            |a| a.actions = vec!["security".to_owned()],
            ViolationCode::UnknownAction,
            "unknown action",
        ),
        (
            |a| a.clusters = None,
            ViolationCode::Scope,
            "names no resource",
        ),
        (
            |a| a.clusters = Some(Vec::new()),
            ViolationCode::Scope,
            "leave it out",
        ),
        (
            |a| a.clusters = Some(vec!["prod-eu".to_owned()]),
            ViolationCode::UnknownResource,
            "did you mean `prod-eu-1`",
        ),
        (
            |a| a.responders = vec!["dan".to_owned(); 201],
            ViolationCode::UnknownPerson,
            "at most 200 responders",
        ),
        (
            |a| a.duration = Some(Span(LENGTH.0 - 1)),
            ViolationCode::Duration,
            "from 30m to 4h",
        ),
        (
            |a| a.duration = Some(Span(Span::hours(4).0 + 1)),
            ViolationCode::Duration,
            "from 30m to 4h",
        ),
        (
            |a| a.responders = vec!["zoe".to_owned()],
            ViolationCode::UnknownPerson,
            "unknown responder",
        ),
        (
            |a| a.responders = vec!["service:cd".to_owned()],
            ViolationCode::UnknownPerson,
            "unknown service",
        ),
    ];
    for (change, rule, says) in cases {
        let mut ask = ask();
        change(&mut ask);
        let broken = broken(&ask);
        let is_it = |(of, message): &(_, String)| *of == rule && message.contains(says);
        assert!(broken.iter().any(is_it), "{ask:?}: {broken:?}");
    }
    let all_at_once = SessionAsk::default();
    assert!(broken(&all_at_once).len() >= 3);
}

fn on_cluster() -> SessionScope {
    scope(serde_json::json!({"actions": ["cluster.restart"], "clusters": ["prod-eu-1"]}))
}

/// Each scope with an action, a target (project, cluster, environment; `-` for none) and whether the scope covers it.
const COVERED: [(&str, &str, [&str; 3], bool); 15] = [
    (
        "cluster",
        "cluster.restart",
        ["-", "prod-eu-1", "production"],
        true,
    ),
    (
        "cluster",
        "cluster.sync",
        ["-", "prod-eu-1", "production"],
        false,
    ),
    ("cluster", "cluster.restart", ["-", "prod", "prod"], false),
    (
        "cluster",
        "cluster.restart",
        ["-", "-", "production"],
        false,
    ),
    // `prod` is neither `production` nor `prod-eu-1`
    (
        "environment",
        "cluster.restart",
        ["-", "prod-eu-1", "production"],
        false,
    ),
    (
        "environment",
        "cluster.restart",
        ["-", "prod", "prod"],
        true,
    ),
    ("environment", "release.deploy", ["api", "-", "prod"], true),
    ("environment", "project.delete", ["api", "-", "-"], false),
    (
        "environment",
        action::POLICY_UPDATE,
        ["-", "-", "prod"],
        false,
    ),
    ("environment", action::POLICY_UPDATE, ["-", "-", "-"], false),
    ("environment", action::BREAK_GLASS, ["-", "-", "-"], false),
    ("both", "release.deploy", ["api", "-", "production"], true),
    (
        "both",
        "release.deploy",
        ["billing", "-", "production"],
        false,
    ),
    ("both", "release.deploy", ["api", "-", "staging"], false),
    (
        "both",
        "promotion.execute",
        ["api", "-", "production"],
        false,
    ),
];

#[test]
fn session_scope_covers_exactly_what_it_names_op6() {
    let config = config();
    let action = |id: &str| config.action(&id.into()).expect("known").clone();
    let some = |name: &'static str| (name != "-").then_some(name);
    for (named, id, [project, cluster, environment], covered) in COVERED {
        let scope = match named {
            "cluster" => on_cluster(),
            "environment" => scope(
                serde_json::json!({"actions": ["cluster", "project"], "environments": ["prod"]}),
            ),
            _ => scope(
                serde_json::json!({"actions": ["release.deploy"], "projects": ["api"], "environments": ["production"]}),
            ),
        };
        let target = Target {
            project: some(project).map(Into::into),
            cluster: some(cluster).map(Into::into),
            environment: some(environment).map(Into::into),
            release: None,
        };
        let covers = scope.covers(&action(id), &target);
        assert_eq!(covers, covered, "{scope} / {id} / {target}");
    }
    // even a scope that was written into the database by hand covers neither
    let forged = SessionScope {
        actions: vec![
            ScopeAction::Action(action::BREAK_GLASS.into()),
            ScopeAction::Group(ActionGroup::Security),
        ],
        ..on_cluster()
    };
    let on = target(serde_json::json!({"cluster": "prod-eu-1"}));
    assert!(!forged.covers(&action(action::BREAK_GLASS), &on));
}

#[test]
fn a_session_covers_its_responders_from_its_first_to_before_its_last_millisecond() {
    let config = config();
    let restart: Action = config
        .action(&"cluster.restart".into())
        .expect("known")
        .clone();
    let on = target(serde_json::json!({"cluster": "prod-eu-1", "environment": "production"}));
    let scope = scope(serde_json::json!({"actions": ["cluster"], "clusters": ["prod-eu-1"]}));
    let responders = [
        person("dan"),
        Principal::Service("ci".into()),
        person("zoe"),
    ];
    let one = session(active(), scope, &responders);
    let end = NOW.plus(LENGTH);
    let covers = |who: &Principal, at: i64| config.covers(&one, who, &restart, &on, Timestamp(at));
    assert!(covers(&person("dan"), NOW.0));
    assert!(covers(&person("dan"), end.0 - 1));
    assert!(
        !covers(&person("dan"), end.0),
        "B66: the end itself is over"
    );
    assert!(!covers(&person("dan"), NOW.0 - 1));
    assert!(covers(&Principal::Service("ci".into()), NOW.0));
    assert!(!covers(&person("alice"), NOW.0), "no responder");
    assert!(!covers(&person("zoe"), NOW.0), "nobody any more");
    assert!(!covers(&Principal::Bot, NOW.0));
    for over in [
        one.state
            .clone()
            .revoke(Timestamp(NOW.0 + 5), person("dan"))
            .expect("active"),
        SessionState::Pending,
        SessionState::NotStarted(NotStarted::Rejected),
    ] {
        let one = Session {
            state: over,
            ..one.clone()
        };
        assert!(!config.covers(&one, &person("dan"), &restart, &on, Timestamp(NOW.0 + 6)));
    }
    let mut document = config.document().clone();
    document.break_glass = None;
    let shut =
        CompiledConfig::compile(2, document, &std::collections::BTreeMap::new()).expect("fine");
    assert!(
        !shut.covers(&one, &person("dan"), &restart, &on, NOW),
        "the door is gone"
    );
}

type Command = (
    &'static str,
    fn(SessionState, Timestamp) -> Result<SessionState, WrongSessionState>,
);

/// Every state with every transition, one millisecond before the session ends and at that moment.
#[test]
fn state_transitions() {
    let review = SessionReview {
        by: "bob".into(),
        note: "fine".to_owned(),
        at: NOW,
    };
    let ended = SessionState::Ended {
        from: NOW,
        at: NOW.plus(LENGTH),
        by: EndedBy::Time,
    };
    let stages = [
        SessionState::Pending,
        SessionState::NotStarted(NotStarted::Expired),
        active(),
        ended.clone(),
        ended.review(review.clone()).expect("it is over"),
    ];
    let commands: [Command; 4] = [
        ("start", |state, now| state.start(now, LENGTH)),
        ("revoke", |state, now| {
            state.revoke(now, Principal::Person("dan".into()))
        }),
        ("lapse", SessionState::lapse),
        ("review", |state, now| {
            state.review(SessionReview {
                by: "bob".into(),
                note: "fine".to_owned(),
                at: now,
            })
        }),
    ];
    let mut table = String::new();
    for state in stages {
        for (moment, now) in [
            ("before its end", Timestamp(NOW.plus(LENGTH).0 - 1)),
            ("at its end", NOW.plus(LENGTH)),
        ] {
            let answers: Vec<String> = commands
                .iter()
                .map(|(name, command)| match command(state.clone(), now) {
                    Ok(next) => format!(
                        "{name} -> {} by {}",
                        next.status(),
                        next.ended_by().unwrap_or_default()
                    ),
                    Err(WrongSessionState(status)) => format!("{name}: no, {status}"),
                })
                .collect();
            table = format!(
                "{table}{:?} {moment}\n  {}\n",
                state.status(),
                answers.join("\n  ")
            );
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn who_may_start_revoke_and_review() {
    let config = config();
    assert!(config.may_start(&"dan".into()).is_ok());
    let refusal = config.may_start(&"bob".into()).expect_err("not of SRE");
    assert!(
        refusal.detail().contains("Alice and Dan can"),
        "{}",
        refusal.detail()
    );
    let scope = scope(serde_json::json!({"actions": ["cluster"], "clusters": ["prod-eu-1"]}));
    let ended = active().lapse(NOW.plus(LENGTH)).expect("over");
    let one = session(
        ended,
        scope,
        &[person("alice"), Principal::Service("ci".into())],
    );
    for (who, may) in [
        (person("dan"), true),
        (person("alice"), true),
        (Principal::Service("ci".into()), true),
        (person("erin"), true),
        (person("bob"), false),
        (Principal::Bot, false),
    ] {
        assert_eq!(config.check_revoke(&one, &who).is_ok(), may, "{who}");
    }
    let nobody: Vec<Principal> = Vec::new();
    let reviews =
        |who: &str, acted_for: &[Principal]| config.check_review(&one, acted_for, &who.into());
    assert_eq!(reviews("erin", &nobody), Ok(()));
    for part in ["dan", "alice", "bob"] {
        // initiator, responder, owner of a service that could act
        assert!(
            matches!(reviews(part, &nobody), Err(Refusal::Forbidden(_))),
            "{part}"
        );
    }
    assert!(
        matches!(
            reviews("erin", &[person("erin")]),
            Err(Refusal::Forbidden(_))
        ),
        "acted for"
    );
    let running = Session {
        state: active(),
        ..one.clone()
    };
    assert!(matches!(
        config.check_review(&running, &nobody, &"erin".into()),
        Err(Refusal::SessionClosed(SessionStatus::Active, _))
    ));
}

/// How many random schedules run; CI runs a hundred thousand.
fn schedules() -> u32 {
    let named = std::env::var("COUNTERSIGN_SCHEDULES").ok();
    named.and_then(|text| text.parse().ok()).unwrap_or(5_000)
}

#[derive(Debug, Clone, Copy)]
enum Step {
    SessionUse,
    Revoke,
    Sweep,
    SessionReview,
    /// Moves the clock, possibly back.
    Clock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::SessionUse),
        1 => Just(Step::Revoke),
        2 => Just(Step::Sweep),
        1 => Just(Step::SessionReview),
        4 => (-600_000_i64..1_200_000).prop_map(Step::Clock),
        2 => (-2_i64..3).prop_map(Step::Clock),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(schedules()))]
    /// A session covers nothing before its start, after its end or after a revocation; it ends and is reviewed at most once.
    #[test]
    fn no_use_outside_a_session_on_any_schedule_b66(start in 0_i64..2_000_000, steps in prop::collection::vec(step(), 1..40)) {
        let until = start + LENGTH.0;
        let mut state = SessionState::Pending.start(Timestamp(start), LENGTH).expect("pending");
        let (mut now, mut ended, mut ends, mut reviews) = (start, None, 0, 0);
        for step in steps {
            let at = Timestamp(now);
            match step {
                Step::Clock(by) => now += by,
                Step::SessionUse => {
                    let allowed = ended.is_none() && (start..until).contains(&now);
                    prop_assert_eq!(state.is_active(at), allowed, "{:?} at {}", state, now);
                }
                Step::Revoke => if let Ok(next) = state.clone().revoke(at, Principal::Person("dan".into())) {
                    prop_assert!(ended.is_none() && now < until);
                    (state, ended, ends) = (next, Some(now.max(start)), ends + 1);
                },
                Step::Sweep => if let Ok(next) = state.clone().lapse(at) {
                    prop_assert!(ended.is_none() && until <= now);
                    (state, ended, ends) = (next, Some(until), ends + 1);
                },
                Step::SessionReview => if let Ok(next) = state.clone().review(SessionReview { by: "erin".into(), note: "seen".to_owned(), at }) {
                    prop_assert!(ended.is_some());
                    (state, reviews) = (next, reviews + 1);
                },
            }
            prop_assert!(ends <= 1 && reviews <= 1);
            if let (Some(end), Some((from, at))) = (ended, state.ran()) {
                prop_assert_eq!((from.0, at.0), (start, end));
            }
        }
    }
}
