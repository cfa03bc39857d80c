//! One round: the program starts on an empty database, takes submissions, clicks and executions, and answers questions.

use crate::database::{Database, Kind, Work, server_and_database};
use crate::load::{Outcome, Plan, Prepared, send};
use crate::options::Options;
use crate::proxy::Proxy;
use crate::report::Report;
use crate::server::{Server, Usage};
use crate::slack::{self, APPROVERS};
use serde_json::{Value, json};

/// Clients that submit, execute or ask at the same time.
const CALLERS: usize = 8;
/// How often a question is asked.
const QUESTIONS: usize = 1_000;
/// How many requests the proxy counts.
const COUNTED: usize = 1_000;

/// A request that waits for approvals.
struct Pending {
    id: String,
    digest: String,
}

/// Measures one round.
pub async fn measure(kind: Kind, options: &Options, report: &mut Report) {
    let database = Database::fresh(kind).await;
    let slack = slack::workspace().await;
    let server = Server::start(&database, &database.url, &slack).await;
    let at_rest = server.usage();
    report.add(
        kind,
        "start to ready, ms",
        server.started.as_secs_f64() * 1e3,
    );
    report.add(kind, "memory at rest, MB", at_rest.memory);
    let mut run = Run {
        database: &database,
        server: &server,
        report,
    };
    for clients in &options.clients {
        let pending = run.submissions(options.clicks / APPROVERS.len()).await;
        run.clicks(&pending, *clients).await;
        run.executions(&pending[..pending.len().min(QUESTIONS)])
            .await;
    }
    let ask = json!({"action": "release.deploy", "project": "api-platform", "environment": "production", "release": "v1"});
    let explain = post("/v1/explain", &server.token, &ask, None);
    run.question("explain", explain).await;
    let inbox = get("/v1/requests?status=pending&limit=20", &server.token);
    run.question("inbox page", inbox).await;
    report.add(kind, "memory after the round, MB", server.usage().memory);
    server.stop().await;
    slack.stop().await;
    database.remove().await;
}

/// Counts statements and round trips of clicks and submissions on Postgres, with the proxy's delay and hence apart from the times.
pub async fn count(options: &Options, report: &mut Report) {
    let kind = Kind::Postgres;
    let database = Database::fresh(kind).await;
    let (host, _) = server_and_database();
    let proxy = Proxy::start(&host).await;
    let slack = slack::workspace().await;
    let server = Server::start(&database, &proxy.url(&database.url), &slack).await;
    let clients = options.clients.first().copied().unwrap_or(CALLERS);
    // connections prepare their statements first
    let warm = submit(&server, COUNTED, CALLERS).await.1;
    send(&plan(&server.address, clients, clicks(&warm), false)).await;
    let before = proxy.counted();
    let pending = submit(&server, COUNTED, CALLERS).await.1;
    let between = proxy.counted();
    let clicks = clicks(&pending);
    let many = clicks.len();
    let outcome = send(&plan(&server.address, clients, clicks, false)).await;
    let after = proxy.counted();
    assert_eq!(outcome.succeeded(), many, "{:?}", outcome.statuses);
    for (what, from, to, many) in [
        ("submission", before, between, COUNTED),
        ("click", between, after, many),
    ] {
        let statements = (to.statements - from.statements) as f64 / many as f64;
        let trips = (to.trips - from.trips) as f64 / many as f64;
        report.add(kind, &format!("statements per {what}"), statements);
        report.add(kind, &format!("round trips per {what}"), trips);
    }
    server.stop().await;
    slack.stop().await;
    database.remove().await;
}

struct Run<'a> {
    database: &'a Database,
    server: &'a Server,
    report: &'a mut Report,
}

impl Run<'_> {
    async fn submissions(&mut self, many: usize) -> Vec<Pending> {
        let before = self.state().await;
        let (outcome, pending) = submit(self.server, many, CALLERS).await;
        self.note(&format!("submissions, {CALLERS} clients"), &outcome, before)
            .await;
        pending
    }

    /// Every approver clicks every card; afterwards every acknowledged click is in the database.
    async fn clicks(&mut self, pending: &[Pending], clients: usize) {
        let decisions = "SELECT count(*) FROM decisions";
        let stored = self.database.number(decisions).await;
        let before = self.state().await;
        let plan = plan(&self.server.address, clients, clicks(pending), false);
        let outcome = send(&plan).await;
        self.note(&format!("clicks, {clients} clients"), &outcome, before)
            .await;
        let stored = self.database.number(decisions).await - stored;
        assert_eq!(
            usize::try_from(stored).ok(),
            Some(outcome.succeeded()),
            "decisions in the database, and acknowledged clicks: {:?}",
            outcome.statuses
        );
    }

    async fn executions(&mut self, pending: &[Pending]) {
        let calls = pending.iter().map(|request| {
            let path = format!("/v1/requests/{}/execute", request.id);
            post(
                &path,
                &self.server.token,
                &json!({"digest": request.digest}),
                None,
            )
        });
        let before = self.state().await;
        let outcome = send(&plan(&self.server.address, CALLERS, calls.collect(), false)).await;
        assert_eq!(outcome.succeeded(), pending.len(), "{:?}", outcome.statuses);
        self.note(&format!("executions, {CALLERS} clients"), &outcome, before)
            .await;
    }

    async fn question(&mut self, what: &str, question: Prepared) {
        let questions = vec![question; QUESTIONS];
        let before = self.state().await;
        let outcome = send(&plan(&self.server.address, CALLERS, questions, false)).await;
        assert_eq!(outcome.succeeded(), QUESTIONS, "{:?}", outcome.statuses);
        self.note(&format!("{what}, {CALLERS} clients"), &outcome, before)
            .await;
    }

    async fn state(&self) -> (Usage, Option<Work>) {
        (self.server.usage(), self.database.work().await)
    }

    /// Adds what a load showed: rate, times, and what each one cost.
    async fn note(&mut self, what: &str, outcome: &Outcome, before: (Usage, Option<Work>)) {
        let (usage, work) = self.state().await;
        let kind = self.database.kind;
        let many = outcome.statuses.values().sum::<usize>() as f64;
        let mut add =
            |unit: &str, value: f64| self.report.add(kind, &format!("{what}: {unit}"), value);
        add("per second", outcome.per_second());
        add("p50, ms", outcome.p50);
        add("p99, ms", outcome.p99);
        add("CPU each, ms", (usage.cpu - before.0.cpu) * 1e3 / many);
        if let (Some(now), Some(before)) = (work, before.1) {
            add("log each, bytes", (now.wal - before.wal) as f64 / many);
            add(
                "transactions each",
                (now.transactions - before.transactions) as f64 / many,
            );
            add("scans of whole tables", (now.scans - before.scans) as f64);
        } else {
            add(
                "written each, bytes",
                (usage.written - before.0.written) / many,
            );
        }
    }
}

/// Submits requests, and returns those that wait.
async fn submit(server: &Server, many: usize, clients: usize) -> (Outcome, Vec<Pending>) {
    let calls = (0..many).map(|number| {
        let ask = json!({"action": "release.deploy", "project": "api-platform", "environment": "production",
            "release": format!("v{number}"), "reason": "measured", "payload": {"image": format!("api@sha256:{number:064}"), "steps": ["migrate", "roll"]}});
        post("/v1/requests", &server.token, &ask, Some(uuid::Uuid::now_v7().to_string()))
    });
    let mut outcome = send(&plan(&server.address, clients, calls.collect(), true)).await;
    assert_eq!(
        outcome.succeeded(),
        many,
        "{:?}: {:?}",
        outcome.statuses,
        outcome.answers.first()
    );
    let answers = std::mem::take(&mut outcome.answers);
    let pending = answers.iter().map(|answer| {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        let text = |field: &str| answer[field].as_str().expect("a text").to_owned();
        assert_eq!(answer["status"], "pending", "{answer}");
        Pending {
            id: text("id"),
            digest: text("digest"),
        }
    });
    let pending = pending.collect();
    (outcome, pending)
}

/// One approver after the other clicks all cards, so that no two clicks on one card come together by design.
fn clicks(pending: &[Pending]) -> Vec<Prepared> {
    let of = |approver| {
        pending.iter().map(move |request| {
            slack::click(&format!("{} {}", request.id, request.digest), approver)
        })
    };
    APPROVERS.into_iter().flat_map(of).collect()
}

fn plan(address: &str, clients: usize, requests: Vec<Prepared>, keep_answers: bool) -> Plan {
    Plan {
        address: address.to_owned(),
        clients,
        requests,
        keep_answers,
    }
}

fn post(path: &str, token: &str, body: &Value, once: Option<String>) -> Prepared {
    let mut call = get(path, token);
    "POST".clone_into(&mut call.method);
    call.headers
        .push(("content-type".to_owned(), "application/json".to_owned()));
    if let Some(once) = once {
        call.headers.push(("idempotency-key".to_owned(), once));
    }
    call.body = body.to_string();
    call
}

fn get(path: &str, token: &str) -> Prepared {
    Prepared {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: vec![("authorization".to_owned(), format!("Bearer {token}"))],
        body: String::new(),
    }
}
