//! Policies with `decideOn: web`: which approvals are taken, which count, and what happens to those that were given before (threats W9,
//! W10).

use super::decide::request;
use super::fixture::{
    NOON, approvals, ask, compile, config, directory, document, erin, gate, template,
};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decide::{NewDecision, add_decision};
use crate::domain::decision::{Decision, DecisionKind, Via};
use crate::domain::document::{Console, DecideOn, OidcIdentity};
use crate::domain::execute::{Recheck, recheck};
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::progress;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Request, State, Status};
use crate::domain::sign_in::{FreshSignIn, Identity, SignIn};
use crate::domain::time::{Span, Timestamp};
use std::collections::BTreeMap;

const ALL_VIA: [Via; 8] = [
    Via::Button,
    Via::Modal,
    Via::Command,
    Via::Web,
    Via::Api,
    Via::Cli,
    Via::File,
    Via::Bot,
];

const CONSOLE: &str = "console: {slack: {clientId: a, clientSecretEnv: SLACK_CLIENT_SECRET}}\n";

fn console(text: &str) -> Console {
    serde_saphyr::from_str(text).expect("a console")
}

/// A sign-in whose person proved at that time who they are.
fn sign_in(authenticated_at: Option<Timestamp>) -> SignIn {
    let identity = OidcIdentity {
        issuer: "https://id.example.com".to_owned(),
        subject: "bob".to_owned(),
    };
    SignIn {
        id: "sgn_00000000000000000000000000".parse().expect("an id"),
        person: "bob".into(),
        identity: Identity::Oidc(identity),
        started_at: NOON,
        seen_at: NOON,
        authenticated_at,
    }
}

fn fresh() -> FreshSignIn {
    let authentication = sign_in(Some(NOON)).authentication();
    let fresh = authentication.and_then(|one| one.fresh(&console("{}"), NOON));
    fresh.expect("a fresh sign-in")
}

fn policy(id: &str, decide_on: Option<DecideOn>, approvals: u32) -> PinnedPolicy {
    let mut template = template(id, crate::domain::document::Quorum::default());
    template.quorum.min_approvals = approvals;
    template.decide_on = decide_on;
    gate(template)
}

fn on_web() -> PinnedPolicy {
    policy("careful", Some(DecideOn::Web), 1)
}

fn anywhere() -> PinnedPolicy {
    policy("usual", None, 1)
}

fn decide(
    request: &mut Request,
    decisions: &mut Vec<Decision>,
    verdict: DecisionKind,
    (via, fresh): (Via, Option<FreshSignIn>),
    web_only: &[PinnedPolicy],
) -> Result<(), Refusal> {
    let directory = directory();
    let new = NewDecision {
        approver: directory.person(&"bob".into()),
        linked_since: false,
        digest: None,
        verdict,
        comment: None,
        at: NOON,
        via,
        fresh,
        web_only,
    };
    add_decision(request, decisions, new)
}

/// Each interface, with and without a fresh sign-in, on requests of which no policy, a pinned one, one of two, or one in force now says
/// that approvals are given on the web.
#[test]
fn approvals_are_taken_only_where_they_count_w9_w10() {
    let gated: [(Vec<PinnedPolicy>, Vec<PinnedPolicy>, bool); 5] = [
        (vec![anywhere()], vec![], false),
        (vec![on_web()], vec![], true),
        (vec![anywhere(), on_web()], vec![], true),
        (vec![anywhere()], vec![on_web()], true),
        (vec![on_web()], vec![on_web()], true),
    ];
    for (gates, in_force, web_only) in gated {
        for via in ALL_VIA {
            for fresh in [None, Some(fresh())] {
                let (mut request, mut decisions) = (request(gates.clone()), Vec::new());
                let approve = DecisionKind::Approve;
                let taken = decide(
                    &mut request,
                    &mut decisions,
                    approve,
                    (via, fresh),
                    &in_force,
                );
                let context = format!("{gates:?} {in_force:?} {via:?} {fresh:?}");
                match (web_only, via, fresh) {
                    (false, ..) | (true, Via::Web, Some(_)) => {
                        assert_eq!(taken, Ok(()), "{context}");
                        assert_eq!(request.state.status(), Status::Approved, "{context}");
                        let is_fresh = via == Via::Web && fresh.is_some();
                        assert_eq!(decisions[0].fresh_sign_in, is_fresh, "{context}");
                    }
                    (true, Via::Web, None) => {
                        let policy = "CAREFUL".to_owned();
                        assert_eq!(taken, Err(Refusal::SignInTooOld { policy }), "{context}");
                        assert!(decisions.is_empty(), "{context}");
                    }
                    (true, ..) => {
                        let (policy, page) = ("CAREFUL".to_owned(), None);
                        assert_eq!(taken, Err(Refusal::OnWebOnly { policy, page }), "{context}");
                        assert!(decisions.is_empty(), "{context}");
                    }
                }
            }
        }
    }
}

#[test]
fn rejections_are_taken_everywhere_w9() {
    for via in ALL_VIA {
        let (mut request, mut decisions) = (request(vec![on_web()]), Vec::new());
        let reject = DecisionKind::Reject;
        let taken = decide(
            &mut request,
            &mut decisions,
            reject,
            (via, None),
            &[on_web()],
        );
        assert_eq!((taken, request.state), (Ok(()), State::Rejected), "{via:?}");
    }
}

/// Approvals that were given before a policy was tightened keep counting for the policies that took them, and for no other.
#[test]
fn an_approval_counts_only_for_the_policies_that_take_it_w9() {
    let gates = vec![anywhere(), on_web()];
    let directory = directory();
    let excluded = crate::domain::eligibility::PeopleInvolved::default();
    let mut decisions = approvals(&["bob"]);
    let before = progress::evaluate(&gates, &excluded, &decisions, &directory);
    assert_eq!((before[0].satisfied, before[1].satisfied), (true, false));
    assert_eq!(before[1].explanation.text, "0 of 1 approval on the web");
    assert_eq!(before[1].missing, ["needs one more approval on the web"]);
    decisions[0].fresh_sign_in = true;
    assert!(progress::all_satisfied(&gates, &excluded, &decisions));
    assert!(
        decisions.iter().all(|one| one.via == Via::Button),
        "the mark alone counts"
    );
}

fn deploy(more: &str) -> String {
    format!(
        "{CONSOLE}policies:\n  - {{id: deploy, name: Deploy, scope: organization, actions: [release.deploy], approvers: anyone{more}}}\n\
         bindings:\n  - {{policy: deploy, level: organization}}\n"
    )
}

fn asked(config: &CompiledConfig) -> Request {
    let admitted = config.admit(&ask(), &erin(), NOON).expect("an ask");
    Request {
        target: admitted.target,
        excluded: admitted.excluded,
        ..request(admitted.gates)
    }
}

#[test]
fn a_tightened_policy_wants_approvals_on_the_web_before_it_runs_w9() {
    let (loose, tight) = (config(&deploy("")), config(&deploy(", decideOn: web")));
    let mut request = asked(&loose);
    assert!(loose.web_only_in_force(&request, NOON).is_empty());
    let in_force = tight.web_only_in_force(&request, NOON);
    assert_eq!(in_force.len(), 1, "the next approval in Slack is refused");
    request.state = request
        .state
        .approve(NOON, NOON.plus(Span::hours(1)))
        .expect("approved");
    let given = approvals(&["bob"]);
    assert_eq!(
        recheck(&request, &given, &loose, false, NOON),
        Recheck::Holds
    );
    match recheck(&request, &given, &tight, false, NOON) {
        Recheck::MoreIsRequired {
            gates,
            decisions,
            why,
        } => {
            assert_eq!((gates.len(), decisions.len()), (2, 1), "{why}");
            assert!(why.contains("needs one more approval on the web"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    let fresh: Vec<Decision> = approvals(&["carol"])
        .into_iter()
        .map(|one| Decision {
            fresh_sign_in: true,
            ..one
        })
        .collect();
    assert_eq!(
        recheck(&request, &fresh, &tight, false, NOON),
        Recheck::Holds
    );
    // loosened: what was pinned still wants it
    let request = Request {
        state: request.state.clone(),
        ..asked(&tight)
    };
    assert!(matches!(
        recheck(&request, &given, &loose, false, NOON),
        Recheck::MoreIsRequired { .. }
    ));
}

#[test]
fn a_bypassed_policy_does_not_ask_for_the_web_w9() {
    let tight = config(&deploy(", decideOn: web"));
    let mut request = asked(&tight);
    request.bypassed = std::mem::replace(&mut request.gates, vec![anywhere()]);
    assert!(
        tight.web_only_in_force(&request, NOON).is_empty(),
        "bypassed by the session"
    );
    let firm = config(&deploy(", decideOn: web, breakGlassBypass: false"));
    assert_eq!(
        firm.web_only_in_force(&request, NOON).len(),
        1,
        "no session bypasses it"
    );
}

/// Nothing is fresh without a known time, at its end, or in the future.
#[test]
fn a_sign_in_is_fresh_for_a_limited_time_w10() {
    let ten_minutes = Span::minutes(10).0;
    for (proved, now, is_fresh) in [
        (Some(0), 0, true),
        (Some(0), ten_minutes - 1, true),
        (Some(0), ten_minutes, false),
        (Some(1), 0, false),
        (Some(i64::MAX - NOON.0), 0, false),
        (None, 0, false),
    ] {
        let at = |offset: i64| Timestamp(NOON.0.saturating_add(offset));
        let sign_in = sign_in(proved.map(at));
        let fresh = sign_in
            .authentication()
            .and_then(|one| one.fresh(&console("{}"), at(now)));
        assert_eq!(fresh.is_some(), is_fresh, "{proved:?} {now}");
    }
    let authentication = sign_in(Some(NOON)).authentication().expect("a time");
    let later = NOON.plus(Span::minutes(2));
    assert!(
        authentication
            .fresh(&console("freshFor: 1m"), later)
            .is_none()
    );
}

#[test]
fn a_policy_that_nobody_could_approve_on_the_web_is_refused() {
    let problems = compile(&deploy(", decideOn: web").replace(CONSOLE, "")).expect_err("refused");
    assert_eq!(problems[0].path, "policies[0].decideOn");
    assert!(
        problems[0].message.contains("add `console`"),
        "{}",
        problems[0].message
    );
    // erin has no account in Slack, and alice no identity at the other provider
    let of_erin =
        deploy(", decideOn: web").replace("approvers: anyone", "approvers: {users: [erin]}");
    let problems = compile(&of_erin).expect_err("refused");
    assert_eq!(problems[0].path, "policies[0].decideOn");
    assert!(
        problems[0]
            .message
            .starts_with("too few of its approvers can sign in"),
        "{}",
        problems[0].message
    );
    let of_alice = of_erin.replace("[erin]", "[alice]");
    assert!(compile(&of_alice).is_ok());
    let elsewhere = "console: {oidc: {issuer: \"https://id.example.com\", clientId: a, clientSecretEnv: OIDC_CLIENT_SECRET}}\n";
    assert_eq!(
        compile(&of_alice.replace(CONSOLE, elsewhere))
            .expect_err("refused")
            .len(),
        1
    );
    let of_carol = of_erin
        .replace("[erin]", "[carol]")
        .replace(CONSOLE, elsewhere);
    for (issuer, can_sign_in) in [
        ("https://id.example.com", true),
        ("https://id.example.org", false),
    ] {
        let mut document = document(&of_carol);
        document.directory.users[2].oidc = vec![OidcIdentity {
            issuer: issuer.to_owned(),
            subject: "carol".to_owned(),
        }];
        let compiled = CompiledConfig::compile(7, document, &BTreeMap::new());
        assert_eq!(compiled.is_ok(), can_sign_in, "{issuer}");
    }
    let zero = deploy("").replace("SLACK_CLIENT_SECRET}", "SLACK_CLIENT_SECRET}, freshFor: 0s");
    assert_eq!(
        compile(&zero).expect_err("refused")[0].path,
        "console.freshFor"
    );
}

#[test]
fn longer_fresh_sign_in_is_stored() {
    for (text, stored) in [("{}", None), ("freshFor: 30m", Some("30m"))] {
        let console = serde_json::to_value(console(text)).expect("JSON");
        let fresh_for = console.get("freshFor").and_then(serde_json::Value::as_str);
        assert_eq!(fresh_for, stored, "{text}");
    }
}

/// The previous release refuses unknown keys, so what it knows is stored as it was.
#[test]
fn defaults_are_stored_as_before_and_older_rows_are_read_st12() {
    let stored = serde_json::to_value(anywhere()).expect("JSON");
    assert!(stored["template"].get("decideOn").is_none());
    assert_eq!(
        serde_json::from_value::<PinnedPolicy>(stored).expect("a policy"),
        anywhere()
    );
    let stored = serde_json::to_value(on_web()).expect("JSON");
    assert_eq!(stored["template"]["decideOn"], "web");
    assert_eq!(
        serde_json::from_value::<PinnedPolicy>(stored).expect("a policy"),
        on_web()
    );
    let unknown = r#"{"version":1,"template":{"id":"a","name":"A","scope":"organization","decideOn":"phone"},"bound":[]}"#;
    assert!(
        serde_json::from_str::<PinnedPolicy>(unknown).is_err(),
        "unknown means refused"
    );
    let console = serde_json::to_value(console("{}")).expect("JSON");
    assert!(console.get("freshFor").is_none(), "{console}");
}
