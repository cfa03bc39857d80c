//! The same clicks against a bot that was written with Bolt for JavaScript.

use crate::database::{Database, Kind};
use crate::load::{Plan, Prepared, send};
use crate::options::Options;
use crate::report::Report;
use crate::server::{free_port, ready, usage};
use crate::slack::{self, APPROVERS, SECRET};
use std::process::Stdio;
use tokio::process::Command;

/// Measures the peer on a database of its own.
pub async fn measure(kind: Kind, options: &Options, report: &mut Report) {
    let database = Database::fresh(kind).await;
    let port = free_port();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/clicks/peer");
    let mut peer = Command::new("node")
        .arg("app.js")
        .current_dir(folder)
        .env("DATABASE_URL", &database.url)
        .env("SLACK_SIGNING_SECRET", SECRET)
        .env("PORT", port.to_string())
        .env("NODE_ENV", "production")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Node.js starts");
    let address = format!("127.0.0.1:{port}");
    ready(&address).await;
    for (round, clients) in options.clients.iter().enumerate() {
        let before = usage(peer.id().expect("it runs"));
        let requests = clicks(round, options.clicks / APPROVERS.len());
        let many = requests.len();
        let plan = Plan {
            address: address.clone(),
            clients: *clients,
            requests,
            keep_answers: false,
        };
        let outcome = send(&plan).await;
        let stored = database.number("SELECT count(*) FROM decisions").await;
        assert_eq!(outcome.succeeded(), many, "{:?}", outcome.statuses);
        assert_eq!(usize::try_from(stored).ok(), Some(many * (round + 1)));
        let cpu = (usage(peer.id().expect("it runs")).cpu - before.cpu) * 1e3 / many as f64;
        let mut add = |unit: &str, value| {
            report.add(
                kind,
                &format!("peer, clicks, {clients} clients: {unit}"),
                value,
            );
        };
        add("per second", outcome.per_second());
        add("p50, ms", outcome.p50);
        add("p99, ms", outcome.p99);
        add("CPU each, ms", cpu);
    }
    let memory = usage(peer.id().expect("it runs")).memory;
    report.add(kind, "peer, memory after the round, MB", memory);
    peer.kill().await.expect("it ends");
    database.remove().await;
}

fn clicks(round: usize, requests: usize) -> Vec<Prepared> {
    let of = |approver| {
        (0..requests).map(move |number| {
            // as long as the bot's own values: an id and a digest
            let value = format!("req_{round:02}{number:024} sha256:{number:064}");
            slack::click(&value, approver)
        })
    };
    APPROVERS.into_iter().flat_map(of).collect()
}
