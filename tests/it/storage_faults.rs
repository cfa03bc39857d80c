//! Storage faults (threats ST9, ST13, OP3): errors are reported as errors, nothing is stored in part, and no secret leaks.

use crate::crash::{Ground, SECRET, TOKEN};
use crate::database::{Kind, fresh, on_both};
use crate::world::{DEPLOY, world};
use countersign::store::{Db, StoreError};

on_both! {
    /// A table is missing for a while, as after a disk fault: a change must not be stored without its other rows.
    async fn failed_write_is_refused_and_never_stored_in_part_st9(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let carol = world.person("carol").await;
        let rows = world.rows().await;
        for hidden in ["audit", "decisions", "outbox"] {
            world.database.execute(&format!("ALTER TABLE {hidden} RENAME TO hidden")).await.expect("renamed");
            let card = world.slack.card("prod-approvals").expect("a card");
            let answer = world.slack.click("bob", &card.channel, &card.ts, "approve").await.expect("an answer");
            let api = carol.decide("1", "approve").await;
            world.bot.dispatcher.finish().await;
            world.database.execute(&format!("ALTER TABLE hidden RENAME TO {hidden}")).await.expect("renamed");
            assert!(api.status >= 500, "{hidden}: {}", api.outcome());
            let told = world.told("bob").join("\n");
            assert!(answer.status >= 500 || !told.is_empty(), "{hidden}: he is told that it did not work");
            assert_eq!(world.rows().await, rows, "{hidden}: nothing of it was kept");
        }
        world.clicks("bob", "approve").await;
        assert!(world.card().contains("1 of 2 approvals"), "the next click counts: {}", world.card());
        world.finish().await;
    }

    async fn a_database_that_could_lose_acknowledged_commits_is_refused_st13(kind) {
        let database = fresh!(kind);
        let urls = match kind {
            Kind::Sqlite => vec!["sqlite::memory:".to_owned()],
            Kind::Postgres => vec![format!("{}%20-c%20synchronous_commit%3Doff", database.url)],
        };
        for url in urls {
            let opened = Db::open(&url).await.map(|_| ());
            assert!(matches!(opened, Err(StoreError::NotDurable(_))), "{url}: {opened:?}");
        }
        database.drop().await;
    }

    /// Logs everything possible while invalid input of every kind arrives.
    async fn secrets_are_never_logged_on_errors_op3(kind) {
        const CANARY: &str = "cs_0123456789canary0123456789";
        let ground = Ground::new(fresh!(kind)).await;
        let serving = ground.serve_telling("trace").await;
        let http = reqwest::Client::new();
        for (path, body) in [("/v1/requests", "{}"), ("/v1/requests", "{\"action\":"), ("/slack/events", "payload=x"), ("/nowhere", "")] {
            let call = http.post(format!("{}{path}", serving.url)).bearer_auth(CANARY).header("content-type", "application/json").body(body);
            let answer = call.send().await.expect("an answer");
            assert!(answer.status().as_u16() >= 400, "{path}");
            let said = answer.text().await.expect("a body");
            assert!(!said.contains(CANARY) && !said.contains(SECRET) && !said.contains(TOKEN), "{said}");
        }
        ground.asks().await;
        ground.card_shows("0 of 2").await;
        ground.clicks("bob").await;
        ground.card_shows("1 of 2").await;
        let log = serving.ends_with_its_log().await;
        assert!(log.len() > 20, "only {} lines were logged", log.len());
        for line in log {
            for secret in [CANARY, SECRET, TOKEN] {
                assert!(!line.contains(secret), "{line}");
            }
        }
        ground.end().await;
    }
}
