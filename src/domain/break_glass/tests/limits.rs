//! Exactly at a limit of a session's start, and what is displayed of a session.

use super::*;
use crate::domain::people::Directory;
use crate::domain::slack_directory::{SlackDirectory, SyncedAccount};
use serde_json::{Value, json};

/// An edit of the usual start.
type Change = fn(&mut SessionAsk);

/// Reads a start that differs from the usual one; returns what starts, or the messages.
fn read(change: impl FnOnce(&mut SessionAsk)) -> Result<SessionStart, Vec<String>> {
    let config = config();
    let mut ask = ask();
    change(&mut ask);
    let start = config.read_start(&ask, &"dan".into(), door(&config), id());
    start.map_err(|broken| broken.into_iter().map(|one| one.message).collect())
}

#[test]
fn a_start_names_up_to_two_hundred_actions_resources_and_responders() {
    let many = |name: &str, count: usize| vec![name.to_owned(); count];
    let start = read(|ask| {
        ask.actions = many("cluster.restart", 200);
        ask.clusters = Some(many("prod-eu-1", 200));
        ask.projects = Some(many("api", 200));
        ask.environments = Some(many("production", 200));
        ask.responders = many("dan", 200);
    });
    let start = start.expect("each list is as long as it may be");
    assert_eq!(start.responders, [person("dan")], "each is named once");
    assert_eq!(
        start.scope.to_string(),
        "cluster.restart; project api; cluster prod-eu-1; environment production"
    );
    let too_many: [(Change, &str); 5] = [
        (
            |ask| ask.actions = vec!["cluster.restart".to_owned(); 201],
            "the scope names 1 to 200 actions",
        ),
        (
            |ask| ask.clusters = Some(vec!["prod-eu-1".to_owned(); 201]),
            "the scope's list of clusters names 1 to 200",
        ),
        (
            |ask| ask.projects = Some(vec!["api".to_owned(); 201]),
            "the scope's list of projects names 1 to 200",
        ),
        (
            |ask| ask.environments = Some(vec!["production".to_owned(); 201]),
            "the scope's list of environments names 1 to 200",
        ),
        (
            |ask| ask.responders = vec!["dan".to_owned(); 201],
            "name at most 200 responders",
        ),
    ];
    for (change, says) in too_many {
        let messages = read(change).expect_err(says);
        assert!(
            messages.iter().any(|message| message.starts_with(says)),
            "{messages:?}"
        );
    }
}

/// What no session may cover is not suggested.
#[test]
fn an_unknown_action_is_answered_with_one_that_a_session_may_cover() {
    let said = |action: &str| {
        let mut ask = ask();
        ask.actions = vec![action.to_owned()];
        broken(&ask)
            .into_iter()
            .map(|(_, message)| message)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let restart = said("cluster.restrt");
    assert!(
        restart.contains("did you mean `cluster.restart`"),
        "{restart}"
    );
    let update = said("environment.policy_updat");
    assert!(!update.contains("`environment.policy_update`"), "{update}");
}

#[test]
fn a_start_lasts_from_its_shortest_to_its_longest_duration() {
    let minute = Span::minutes(1);
    for (duration, may) in [
        (Span::minutes(30), true),
        (Span::hours(4), true),
        (Span(Span::minutes(30).0 - 1), false),
        (Span(Span::hours(4).0 + 1), false),
        (minute, false),
    ] {
        assert_eq!(
            read(|ask| ask.duration = Some(duration)).is_ok(),
            may,
            "{duration}"
        );
    }
}

#[test]
fn a_reason_has_five_letters_or_digits() {
    for (reason, may) in [
        ("abcde", true),
        ("a-b.c/d!1", true),
        ("abcd", false),
        ("a-b.c/d!?", false),
        ("..........", false),
    ] {
        assert_eq!(
            read(|ask| ask.reason = reason.to_owned()).is_ok(),
            may,
            "{reason}"
        );
    }
}

#[test]
fn responders_are_active_people_and_known_services() {
    let start = read(|ask| {
        ask.responders = ["service:ci", "person:alice", "bob", "service:ci"]
            .map(str::to_owned)
            .into();
    });
    let expected = [
        Principal::Service("ci".into()),
        person("alice"),
        person("bob"),
    ];
    assert_eq!(start.expect("they exist").responders, expected);

    let mut document = config().document().clone();
    document.directory.users[1].slack =
        serde_json::from_value(json!([{"teamId": "T1", "userId": "U1BOB"}])).expect("an identity");
    let account = SyncedAccount {
        identity: document.directory.users[1].slack.0[0].clone(),
        name: "bob".to_owned(),
        is_active: false,
        is_full: true,
    };
    let slack = SlackDirectory {
        accounts: vec![account],
        ..SlackDirectory::default()
    };
    let config =
        CompiledConfig::compile_with(2, document, &std::collections::BTreeMap::new(), slack)
            .expect("a configuration");
    let mut ask = ask();
    ask.responders = vec!["bob".to_owned()];
    let broken = config.read_start(&ask, &"dan".into(), door(&config), id());
    let messages: Vec<String> = broken
        .expect_err("he left")
        .into_iter()
        .map(|one| one.message)
        .collect();
    assert_eq!(messages, ["the responder `bob` is not active"]);
}

/// A person whom the directory lists by now, under the id of a member before.
fn listed() -> Directory {
    let document = serde_json::from_value(json!({
        "users": [{"id": "mallory", "name": "Mallory", "slack": {"teamId": "T1", "userId": "U1MALLORY"}}],
        "slack": {"members": true},
    }));
    let account = SyncedAccount {
        identity: serde_json::from_value(json!({"teamId": "T1", "userId": "U1MALLORY"}))
            .expect("an identity"),
        name: "mallory".to_owned(),
        is_active: true,
        is_full: true,
    };
    let slack = SlackDirectory {
        accounts: vec![account],
        ..SlackDirectory::default()
    };
    Directory::compile_with(&document.expect("a directory"), &slack)
}

#[test]
fn everybody_in_a_session_goes_by_the_listed_id_r09() {
    let review = SessionReview {
        by: "U1MALLORY".into(),
        note: "it was needed".to_owned(),
        at: NOW,
    };
    let ended = SessionState::Ended {
        from: NOW,
        at: NOW,
        by: EndedBy::Time,
    };
    let reviewed = ended.clone().review(review).expect("it is over");
    assert!(ended.owes_review() && !reviewed.owes_review());
    let one = session(
        reviewed,
        on_cluster(),
        &[person("U1MALLORY"), person("dan")],
    );
    let one = Session {
        initiator: "U1MALLORY".into(),
        ..one
    };
    let one = one.canonicalize_people(&listed());
    assert_eq!(one.initiator, "mallory".into());
    assert_eq!(one.responders, [person("mallory"), person("dan")]);
    assert!(
        matches!(&one.state, SessionState::Reviewed { review, .. } if review.by.as_str() == "mallory")
    );
    let mut other = ended.clone();
    other.recognise(&listed());
    assert_eq!(other, ended);
    let one = used("U1MALLORY", "U1MALLORY").canonicalize_people(&listed());
    assert_eq!(
        (one.by, one.requester),
        (person("mallory"), person("mallory"))
    );
}

fn used(by: &str, requester: &str) -> SessionUse {
    SessionUse {
        request: RequestId::from_uuid(uuid::Uuid::from_u128(8)),
        number: 8,
        action: "cluster.restart".into(),
        target: target(json!({"cluster": "prod-eu-1"})),
        by: person(by),
        requester: person(requester),
        at: NOW,
        status: Status::Executed,
        outcome: None,
    }
}

#[test]
fn those_whom_a_session_acted_for_and_the_owners_of_its_services_are_involved() {
    let uses = vec![
        used("dan", "alice"),
        used("dan", "U1MALLORY").canonicalize_people(&listed()),
    ];
    let details = SessionDetails {
        session: session(active(), on_cluster(), &[person("dan")]),
        uses,
        token_owners: vec!["erin".into()],
        names: BTreeMap::from([(person("alice"), "Alice Anderson".to_owned())]),
    };
    let involved = details.involved();
    assert_eq!(
        involved,
        [person("alice"), person("mallory"), person("erin")]
    );
    let config = config();
    let over = Session {
        state: active().lapse(NOW.plus(LENGTH)).expect("over"),
        ..details.session.clone()
    };
    for (who, may) in [("alice", false), ("erin", false), ("bob", true)] {
        assert_eq!(
            config.check_review(&over, &involved, &who.into()).is_ok(),
            may,
            "{who}"
        );
    }
    assert_eq!(details.name(&person("alice")), "Alice Anderson");
    assert_eq!(details.name_of(&"alice".into()), "Alice Anderson");
    assert_eq!(
        details.name(&person("bob")),
        "person:bob",
        "a name that is not known"
    );
}

#[test]
fn a_refusal_names_five_people_and_counts_the_others() {
    let with = |people: usize| {
        let mut document = config().document().clone();
        let names = ["Ann", "Ben", "Cleo", "Dora", "Emil", "Fay"];
        document.directory.users = names
            .iter()
            .take(people)
            .chain(["Zoe"].iter())
            .map(|name| {
                serde_json::from_value(json!({"id": name.to_lowercase(), "name": name}))
                    .expect("a person")
            })
            .collect();
        let mut plain: Value = serde_json::to_value(&document).expect("JSON");
        let ids: Vec<String> = names
            .iter()
            .take(people)
            .map(|name| name.to_lowercase())
            .collect();
        plain["directory"]["teams"] = json!([{"id": "sre", "name": "SRE", "members": ids}]);
        plain["services"] = json!([]);
        plain["administrators"] = json!({"users": ["zoe"]});
        let document: ConfigDocument = serde_json::from_value(plain).expect("a document");
        let config = CompiledConfig::compile(1, document, &std::collections::BTreeMap::new())
            .expect("it compiles");
        config
            .may_start(&"zoe".into())
            .expect_err("not of SRE")
            .detail()
    };
    for (people, named) in [
        (1, "Ann can"),
        (4, "Ann, Ben, Cleo and Dora can"),
        (5, "Ann, Ben, Cleo, Dora and Emil can"),
        (6, "Ann, Ben, Cleo, Dora, Emil and 1 more can"),
    ] {
        let said = with(people);
        assert_eq!(
            said,
            format!("You may not start a break-glass session; {named}.")
        );
    }
}

#[test]
fn principals_are_named_as_people_know_them() {
    let config = config();
    for (who, name) in [
        (person("alice"), "Alice"),
        (person("zoe"), "zoe"),
        (Principal::Service("ci".into()), "ci"),
        (Principal::Operator, "the operator"),
        (Principal::Bot, "Countersign"),
    ] {
        assert_eq!(config.name_of(&who), name);
    }
}

#[test]
fn of_several_sessions_the_one_that_ends_last_covers() {
    let config = config();
    let ends_in = |minutes| {
        let state = SessionState::Active {
            from: NOW,
            until: NOW.plus(Span::minutes(minutes)),
        };
        Session {
            id: SessionId::from_uuid(uuid::Uuid::from_u128(
                u128::try_from(minutes).expect("positive"),
            )),
            ..session(state, on_cluster(), &[person("dan")])
        }
    };
    let sessions = [ends_in(10), ends_in(30), ends_in(20)];
    let action = config.action(&"cluster.restart".into()).expect("an action");
    let target = target(json!({"cluster": "prod-eu-1", "environment": "production"}));
    let covering = |who: &str, at| {
        let found = config.covering(&sessions, &person(who), action, &target, at);
        found
            .and_then(|session| session.state.ran())
            .map(|(_, end)| end)
    };
    assert_eq!(covering("dan", NOW), Some(NOW.plus(Span::minutes(30))));
    assert_eq!(covering("alice", NOW), None);
    assert_eq!(covering("dan", NOW.plus(Span::minutes(30))), None);
}

#[test]
fn an_alert_asks_people_only_while_there_is_something_to_do() {
    let started = SessionEvent::Started { until: NOW };
    assert_eq!(started.asks_while(), Some(SessionStatus::Active));
    assert_eq!(started.part(), Some("started"));
    let ended = SessionEvent::Ended {
        revoked_by: None,
        by_initiator: false,
        from: NOW,
        at: NOW,
        uses: Vec::new(),
        more: 0,
    };
    assert_eq!(ended.asks_while(), Some(SessionStatus::Ended));
    assert_eq!(ended.part(), Some("ended"));
}
