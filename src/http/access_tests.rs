//! Every route with every scope and every kind of principal; made from the routes, so that a new one is in it.

use super::*;
use crate::domain::id::TokenId;
use crate::domain::time::Timestamp;
use crate::http::route::routes;
use axum::http::HeaderValue;
use std::collections::BTreeSet;

fn token(principal: Principal, scopes: Vec<Scope>) -> Token {
    Token {
        id: TokenId::from_uuid(uuid::Uuid::from_u128(1)),
        name: "test".to_owned(),
        principal,
        owners: Vec::new(),
        scopes,
        created_at: Timestamp(0),
        last_used_at: None,
        revoked_at: None,
    }
}

fn person(id: &str, active: bool) -> Person {
    Person {
        id: id.into(),
        name: id.to_owned(),
        email: None,
        slack: Vec::new(),
        teams: BTreeSet::new(),
        roles: BTreeSet::new(),
        active,
    }
}

/// The answer's status to a token of `principal` whose directory entry is `person`; 200 stands for "let in".
fn answer(
    access: Access,
    principal: &Principal,
    scopes: Vec<Scope>,
    person: Option<&Person>,
) -> u16 {
    match admit(&token(principal.clone(), scopes), person, access) {
        Ok(()) => 200,
        Err(problem) => problem.status,
    }
}

#[test]
fn every_route_with_every_scope_and_principal_ap1_b35() {
    let mut table = Vec::new();
    for route in routes() {
        let needs = match route.access {
            Access::Open => "open".to_owned(),
            Access::Token { scope, who } => format!("{} of {who:?}", scope.as_str()),
        };
        table.push(format!("{:4} {:32} {needs}", route.method, route.path));
        let Access::Token { scope, who } = route.access else {
            continue;
        };
        let alice = Principal::Person("alice".into());
        let ci = Principal::Service("ci".into());
        let (active, inactive, other) = (
            person("alice", true),
            person("alice", false),
            person("bob", true),
        );
        for held in Scope::ALL.iter().copied() {
            let opens = if held == scope { 200 } else { 403 };
            let for_service = if who == Who::Person { 403 } else { opens };
            let at = format!("{} {} with {}", route.method, route.path, held.as_str());
            let ask = |who: &Principal, person| answer(route.access, who, vec![held], person);
            assert_eq!(ask(&alice, Some(&active)), opens, "{at}");
            assert_eq!(ask(&ci, None), for_service, "{at}");
            // nobody, somebody who left, somebody else, and who has no business here
            assert_eq!(ask(&alice, None), 403, "{at}");
            assert_eq!(ask(&alice, Some(&inactive)), 403, "{at}");
            assert_eq!(ask(&alice, Some(&other)), 403, "{at}");
            assert_eq!(ask(&Principal::Operator, None), 403, "{at}");
            assert_eq!(ask(&Principal::Bot, None), 403, "{at}");
        }
        let others: Vec<Scope> = Scope::ALL.iter().copied().filter(|s| *s != scope).collect();
        assert_eq!(answer(route.access, &alice, others, Some(&active)), 403);
        assert_eq!(
            answer(route.access, &alice, Vec::new(), Some(&active)),
            403,
            "b43: no scope is no right"
        );
        assert_eq!(
            answer(route.access, &alice, Scope::ALL.to_vec(), Some(&active)),
            200
        );
    }
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn decisions_need_their_own_scope_and_a_person_b40() {
    let decide: Vec<_> = routes()
        .into_iter()
        .filter(|route| {
            matches!(
                route.access,
                Access::Token {
                    scope: Scope::DecisionsWrite,
                    ..
                }
            )
        })
        .map(|route| (route.path, route.access))
        .collect();
    assert_eq!(
        decide,
        [(
            "/v1/requests/{id}/decisions".to_owned(),
            Access::Token {
                scope: Scope::DecisionsWrite,
                who: Who::Person
            }
        )]
    );
}

#[test]
fn a_reader_cancels_nothing_b36_b37() {
    let cancel = routes()
        .into_iter()
        .find(|route| route.path.ends_with("/cancel"))
        .expect("there is such a route");
    let ci = Principal::Service("ci".into());
    assert_eq!(
        answer(cancel.access, &ci, vec![Scope::RequestsRead], None),
        403
    );
    assert_eq!(
        answer(cancel.access, &ci, vec![Scope::RequestsWrite], None),
        200
    );
}

#[test]
fn revoked_token_is_refused() {
    let mut revoked = token(Principal::Service("ci".into()), Scope::ALL.to_vec());
    revoked.revoked_at = Some(Timestamp(1));
    let refused = admit(&revoked, None, Allowed::<ReadRequests>::ACCESS);
    assert_eq!(refused.err().map(|problem| problem.status), Some(401));
}

#[test]
fn only_probes_and_documentation_are_open() {
    let open: Vec<String> = routes()
        .into_iter()
        .filter(|route| route.access == Access::Open)
        .map(|route| route.path)
        .collect();
    assert_eq!(open, ["/healthz", "/readyz", "/metrics", "/openapi.json"]);
}

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(
            AUTHORIZATION,
            HeaderValue::from_str(value).expect("a header"),
        );
    }
    headers
}

#[test]
fn the_secret_is_read_from_one_header() {
    for good in ["Bearer cs_abc", "bearer cs_abc", "BEARER  cs_abc "] {
        assert_eq!(bearer(&headers(&[good])).ok(), Some("cs_abc"), "{good}");
    }
    let long = format!("Bearer {}", "x".repeat(LONGEST_SECRET + 1));
    for bad in [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "cs_abc",
        "Bearer a b",
        &long,
    ] {
        assert!(bearer(&headers(&[bad])).is_err(), "{bad}");
    }
    assert!(bearer(&headers(&["Bearer a", "Bearer b"])).is_err());
    assert_eq!((no_token().status, unknown_token().status), (401, 401));
}

#[test]
fn identity_headers_are_ignored_b30() {
    let mut headers = HeaderMap::new();
    for name in [
        "x-forwarded-user",
        "x-remote-user",
        "x-auth-request-email",
        "x-slack-user-id",
        "cookie",
    ] {
        headers.insert(name, HeaderValue::from_static("alice"));
    }
    assert!(bearer(&headers).is_err());
}
