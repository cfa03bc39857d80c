//! The authorization matrix: every route, every scope and every kind of principal, through the real router (threats AP1, B33, B35, B40).
//!
//! The rows are written by hand. A route without a row fails, and so does a row without a route.

use crate::client::{Api, deploy, text};
use crate::database::on_both;
use crate::world::{World, operator, world};
use countersign::domain::principal::Principal;
use countersign::domain::token::Scope;
use countersign::http::route::routes;
use serde_json::{Value, json};

/// What a route requires of the caller.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    Token(Scope),
    Person(Scope),
}
use Needs::{Nothing, Person, Token};

/// Method, path and required rights of each route.
const ROWS: &[(&str, &str, Needs)] = &[
    ("POST", "/v1/requests", Token(Scope::RequestsWrite)),
    ("GET", "/v1/requests", Token(Scope::RequestsRead)),
    ("GET", "/v1/requests/{id}", Token(Scope::RequestsRead)),
    (
        "POST",
        "/v1/requests/{id}/decisions",
        Person(Scope::DecisionsWrite),
    ),
    (
        "POST",
        "/v1/requests/{id}/cancel",
        Token(Scope::RequestsWrite),
    ),
    (
        "POST",
        "/v1/requests/{id}/execute",
        Token(Scope::RequestsExecute),
    ),
    (
        "POST",
        "/v1/requests/{id}/complete",
        Token(Scope::RequestsExecute),
    ),
    ("POST", "/v1/explain", Token(Scope::RequestsRead)),
    ("POST", "/v1/replay", Token(Scope::RequestsRead)),
    ("GET", "/v1/policies", Token(Scope::ConfigRead)),
    ("GET", "/v1/policies/{id}", Token(Scope::ConfigRead)),
    ("PUT", "/v1/policies/{id}", Token(Scope::ConfigWrite)),
    ("GET", "/v1/bindings", Token(Scope::ConfigRead)),
    ("GET", "/v1/directory", Token(Scope::ConfigRead)),
    ("GET", "/v1/config", Token(Scope::ConfigRead)),
    ("PUT", "/v1/config", Token(Scope::ConfigWrite)),
    ("POST", "/v1/break-glass", Person(Scope::BreakGlassWrite)),
    ("GET", "/v1/break-glass", Token(Scope::RequestsRead)),
    ("GET", "/v1/break-glass/{id}", Token(Scope::RequestsRead)),
    (
        "POST",
        "/v1/break-glass/{id}/revoke",
        Token(Scope::BreakGlassWrite),
    ),
    (
        "POST",
        "/v1/break-glass/{id}/review",
        Person(Scope::BreakGlassWrite),
    ),
    ("GET", "/v1/audit", Token(Scope::AuditRead)),
    ("GET", "/v1/stats/latency", Token(Scope::RequestsRead)),
    ("GET", "/healthz", Nothing),
    ("GET", "/readyz", Nothing),
    ("GET", "/metrics", Nothing),
    ("GET", "/openapi.json", Nothing),
];

#[test]
fn authorization_matrix_covers_every_route_b35() {
    let mut known: Vec<(&str, &str)> = ROWS
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .collect();
    let routes = routes();
    let mut served: Vec<(&str, &str)> = routes
        .iter()
        .map(|route| (route.method, route.path.as_str()))
        .collect();
    known.sort_unstable();
    served.sort_unstable();
    assert_eq!(
        served, known,
        "a new route needs a row that says who may come in"
    );
}

/// One caller of the matrix.
struct Caller {
    name: String,
    api: Api,
    /// The scope of the token; none without a usable token of a known, active principal.
    scope: Option<Scope>,
    known: bool,
    active: bool,
    person: bool,
}

async fn callers(world: &World) -> Vec<Caller> {
    let mut callers = Vec::new();
    let mut add = |name: String, token: &str, scope, known, active, person| {
        let api = Api::new(&world.url, token);
        callers.push(Caller {
            name,
            api,
            scope,
            known,
            active,
            person,
        });
    };
    add("nobody".into(), "", None, false, false, false);
    add(
        "a token of somebody's own making".into(),
        &format!("cs_{}", "a".repeat(64)),
        None,
        false,
        false,
        false,
    );
    let mut leavers = Vec::new();
    for scope in Scope::ALL {
        let name = scope.as_str();
        let person = |id: &str| Principal::Person(id.into());
        add(
            format!("a person with {name}"),
            &world.token(person("mallory"), &[], &[*scope]).await,
            Some(*scope),
            true,
            true,
            true,
        );
        add(
            format!("a revoked person with {name}"),
            &revoked(world, person("mallory"), *scope).await,
            Some(*scope),
            false,
            false,
            true,
        );
        for (who, known) in [("dan", false), ("erin", true)] {
            let token = world.token(person(who), &[], &[*scope]).await;
            leavers.push((name, token, *scope, known));
        }
        if *scope == Scope::DecisionsWrite {
            continue; // a service cannot have such a token
        }
        let ci = || Principal::Service("ci".into());
        add(
            format!("a service with {name}"),
            &world.token(ci(), &[], &[*scope]).await,
            Some(*scope),
            true,
            true,
            false,
        );
        add(
            format!("a revoked service with {name}"),
            &revoked(world, ci(), *scope).await,
            Some(*scope),
            false,
            false,
            false,
        );
    }
    for (name, token, scope, known) in leavers {
        // a token is revoked when its person is removed, and unusable while they are inactive
        let what = if known { "is inactive" } else { "has left" };
        add(
            format!("a person who {what}, with {name}"),
            &token,
            Some(scope),
            known,
            false,
            true,
        );
    }
    world.dan_leaves().await;
    world.syncs().await;
    world.account("U06ERIN", |erin| erin.deleted = true).await;
    callers
}

async fn revoked(world: &World, principal: Principal, scope: Scope) -> String {
    let token = countersign::app::NewToken {
        name: "revoked".into(),
        principal,
        owners: Vec::new(),
        scopes: vec![scope],
    };
    let (token, secret) = world
        .app()
        .create_token(&operator(), token)
        .await
        .expect("a token");
    world
        .app()
        .revoke_token(&operator(), &token.id)
        .await
        .expect("it is revoked");
    secret
}

/// The status that authorization refuses the caller with, if it does.
fn stopped(needs: Needs, caller: &Caller) -> Option<u16> {
    let (scope, people_only) = match needs {
        Nothing => return None,
        Token(scope) => (scope, false),
        Person(scope) => (scope, true),
    };
    if !caller.known {
        return Some(401);
    }
    let fits = caller.active && caller.scope == Some(scope) && (caller.person || !people_only);
    (!fits).then_some(403)
}

/// A body that passes authorization but has as little effect as possible.
fn body(method: &str, path: &str) -> Option<String> {
    let body = match path.rsplit('/').next()? {
        "decisions" => json!({"verdict": "approve"}),
        "execute" => json!({"digest": "sha256:00"}),
        "complete" => json!({"outcome": "failed"}),
        "requests" | "explain" => deploy(),
        "replay" => json!({"config": {}}),
        "break-glass" => {
            json!({"reason": "checkout is down", "scope": {"actions": ["cluster"], "clusters": ["prod-eu-1"]}})
        }
        "review" => json!({"note": "it was needed"}),
        _ => Value::Object(serde_json::Map::new()),
    };
    (method != "GET").then(|| body.to_string())
}

on_both! {
    async fn every_route_times_every_scope_times_every_kind_of_principal_ap1_b33_b35_b40(kind) {
        let world = world!(kind);
        world.reconfigure(|document| document["limits"] = json!({"pendingPerPrincipal": 0, "requestsPerSecond": 0})).await;
        let id = text(&world.person("alice").await.submit(deploy()).await.ok(), "id");
        let callers = callers(&world).await;
        let mut cells = 0;
        for (method, path, needs) in ROWS {
            let at = path.replace("{id}", if path.contains("policies") { "production-deploy-gate" } else { &id });
            for caller in &callers {
                let reply = caller.api.call(method, &at, &[], body(method, path)).await;
                let cell = format!("{method} {path} by {}: {} {}", caller.name, reply.status, reply.body);
                match stopped(*needs, caller) {
                    Some(401) => assert_eq!(reply.outcome(), "401 unauthenticated", "{cell}"),
                    Some(_) => assert_eq!(reply.outcome(), "403 forbidden", "{cell}"),
                    // authorized: any other refusal is not about the token
                    None => assert!(reply.status != 401 && !reply.body.to_string().contains("lacks the scope") && reply.status < 500, "{cell}"),
                }
                if *needs != Nothing && reply.status >= 400 {
                    assert_eq!(reply.header("content-type"), "application/problem+json", "{cell}");
                }
                assert_eq!(reply.header("cache-control"), "no-store", "{cell}");
                cells += 1;
            }
        }
        assert_eq!(cells, ROWS.len() * callers.len());
        // none of these calls has changed alice's request
        let seen = world.person("alice").await.read(&id).await;
        assert_eq!((&seen["status"], &seen["decisions"], &seen["version"]), (&json!("pending"), &json!([]), &json!(1)));
        world.finish().await;
    }

    async fn a_token_without_scopes_and_a_deciding_service_cannot_be_made_b43(kind) {
        let world = world!(kind);
        for (principal, scopes) in [
            (Principal::Person("alice".into()), vec![]),
            (Principal::Service("ci".into()), vec![Scope::DecisionsWrite]),
            (Principal::Person("zoe".into()), vec![Scope::RequestsRead]),
            (Principal::Operator, vec![Scope::RequestsRead]),
            (Principal::Bot, Scope::ALL.to_vec()),
        ] {
            let token = countersign::app::NewToken { name: "t".into(), principal, owners: Vec::new(), scopes };
            assert!(world.app().create_token(&operator(), token.clone()).await.is_err(), "{token:?}");
        }
        world.finish().await;
    }
}
