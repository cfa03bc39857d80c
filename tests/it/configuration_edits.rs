//! The cost of an edit among thousands of policies depends on what it changes, and no version of the configuration is lost.

use crate::database::{fresh, on_both};
use crate::large_configuration::with_policies;
use crate::world::{World, operator, world};
use countersign::domain::document::ConfigDocument;
use serde_json::Value;
use std::time::Instant;

const EDITS: u32 = 5;

/// The size of the stored configurations, in bytes.
async fn stored_bytes(world: &World) -> i64 {
    let columns = [
        ("config", "document"),
        ("audit", "detail"),
        ("policy_versions", "template"),
    ];
    let sums = columns
        .map(|(table, column)| format!("(SELECT coalesce(sum(length({column})), 0) FROM {table})"));
    let history = "(SELECT coalesce(sum(length(delta)), 0) FROM config_history)";
    let sql = format!("SELECT CAST({} + {history} AS BIGINT)", sums.join(" + "));
    world.database.count(&sql).await
}

/// The configuration with another description of the policy in its middle.
fn described(document: &ConfigDocument, description: &str) -> ConfigDocument {
    let mut document = document.clone();
    let middle = document.policies.len() / 2;
    description.clone_into(&mut document.policies[middle].description);
    document
}

on_both! {
    async fn edit_among_thousands_of_policies_stores_only_the_delta_r26(kind) {
        let world = world!(kind);
        let demo = world.app().config().await.expect("stored").document;
        let large = with_policies(&demo, 5_000, "One of many");
        let size = i64::try_from(serde_json::to_string(&large).expect("JSON").len()).expect("a size");
        world.app().change_config(&operator(), large.clone(), None, None).await.expect("applied");
        world.settle().await;

        let (before, started) = (stored_bytes(&world).await, Instant::now());
        let mut versions = vec![demo, large.clone()];
        for edit in 0..EDITS {
            let document = described(&large, &format!("Edit number {edit}"));
            world.app().change_config(&operator(), document.clone(), None, None).await.expect("applied");
            world.settle().await;
            versions.push(document);
        }
        let (took, grown) = (started.elapsed() / EDITS, (stored_bytes(&world).await - before) / i64::from(EDITS));
        println!("{kind:?}: {size} bytes, an edit takes {took:?} and stores {grown} bytes; {}", peak_memory());
        assert!(grown < size / 100, "an edit of a document of {size} bytes stores {grown}");

        // every version can be read unchanged, with its digest
        let mut tx = world.app().db().read().await.expect("a snapshot");
        for (at, document) in versions.iter().enumerate() {
            let version = i64::try_from(at).expect("a version") + 1;
            assert_eq!(tx.config_at(version).await.expect("it reads").as_ref(), Some(document), "version {version}");
            let digest = countersign::config::file::digest(document);
            assert!(tx.knows_document(digest.as_str()).await.expect("it reads"), "version {version}");
        }
        assert_eq!(tx.config_at(99).await.expect("it reads"), None);
        drop(tx);
        // the newest version is complete where the previous release reads it
        let newest = world.database.text("SELECT document FROM config ORDER BY version DESC LIMIT 1").await;
        assert_eq!(serde_json::from_str::<ConfigDocument>(&newest).ok().as_ref(), versions.last());
        // another replica compiles the same configuration from it
        let (replica, _) = world.replica().await;
        assert_eq!(Some(&replica.app.config().await.expect("stored").document), versions.last());
        replica.stop().await;
        world.finish().await;
    }

    async fn audit_row_of_a_config_change_lists_values_before_and_after_r26(kind) {
        let world = world!(kind);
        let demo = world.app().config().await.expect("stored").document;
        let mut changed = described(&demo, "Another text");
        changed.routes.rules.clear();
        world.app().change_config(&operator(), changed, None, None).await.expect("applied");
        let detail = world.database.text("SELECT detail FROM audit WHERE what = 'config.changed' ORDER BY id DESC LIMIT 1").await;
        let detail: Value = serde_json::from_str(&detail).expect("JSON");
        insta::assert_snapshot!("audit_before_and_after", serde_json::to_string_pretty(&detail).expect("JSON"));
        world.finish().await;
    }

    /// Superseded versions move to another table. The version in force, and one that is not stored there, cannot be deleted.
    async fn superseded_config_versions_are_immutable_r26(kind) {
        let world = world!(kind);
        let demo = world.app().config().await.expect("stored").document;
        for edit in 0..3 {
            let document = described(&demo, &format!("Edit number {edit}"));
            world.app().change_config(&operator(), document, None, None).await.expect("applied");
        }
        assert_eq!(world.database.count("SELECT count(*) FROM config_history").await, 3);
        assert_eq!(world.database.count("SELECT min(version) FROM config").await, 4);
        for forbidden in ["DELETE FROM config_history", "UPDATE config_history SET delta = '{}'", "DELETE FROM config",
            "UPDATE config SET document = '{}'"] {
            assert!(world.database.execute(forbidden).await.is_err(), "{forbidden}");
        }
        world.finish().await;

        let database = fresh!(kind);
        for version in [1, 2] {
            let row = format!("INSERT INTO config (version, document, digest, made_at, actor) VALUES ({version}, '{{}}', 'd', 0, 'operator')");
            database.execute(&row).await.expect("a row");
        }
        for version in [1, 2] {
            let delete = format!("DELETE FROM config WHERE version = {version}");
            assert!(database.execute(&delete).await.is_err(), "{version} is kept nowhere else");
        }
        database.drop().await;
    }
}

/// The peak memory of this process, as Linux reports it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    peak.unwrap_or_default().to_owned()
}
