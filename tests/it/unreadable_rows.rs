//! A row that this release cannot read stops nothing else, and nothing is decided by it (threat R04).

use crate::client::{Api, command, deploy, text};
use crate::database::{Database, on_both};
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;
use serde_json::{Value, json};

/// Adds a field to pinned policies, as a newer release would.
pub const LATER_POLICY: &str = "UPDATE requests SET gates = replace(gates, '\"requesterCanApprove\"', '\"requiresTicket\":true,\"requesterCanApprove\"')";

/// Adds a session that is active for another hour, with an unknown field in its scope.
pub async fn later_session(database: &Database, initiator: &str, now: i64) {
    let sql = format!(
        "INSERT INTO sessions (id, status, initiator, reason, scope, responders, duration, channel, asked_at, starts_at, ends_at)
         VALUES ('bg_01k8z0v3c5d7e9f1g2h3j4k5m6', 'active', '{initiator}', 'later', '{{\"actions\":[\"cluster\"],\"onlyDryRuns\":true}}',
            '[\"person:{initiator}\"]', 3600000, 'C03SECURITY', {now}, {now}, {})",
        now + 3_600_000
    );
    database.execute(&sql).await.expect("a session");
}

async fn numbers(api: &Api, path: &str) -> Vec<i64> {
    let page = api.get(path).await.ok();
    let items = page["items"].as_array().expect("items").iter();
    items
        .map(|item| item["number"].as_i64().expect("a number"))
        .collect()
}

/// What `/readyz` lists a minute later.
pub async fn degraded(world: &World) -> Vec<String> {
    world.passes(Span::minutes(1)).await;
    world.degraded().await
}

on_both! {
    async fn unreadable_request_stops_nothing_and_cannot_be_decided_r04(kind) {
        let world = world!(kind);
        let [alice, bob] = [world.person("alice").await, world.person("bob").await];
        let mut asked = Vec::new();
        for release in ["v1", "v2", "v3"] {
            let mut ask = deploy();
            ask["release"] = json!(release);
            asked.push(alice.submit(ask).await.ok());
        }
        world.settle().await;
        let unreadable = text(&asked[1], "id");
        world.database.execute(&format!("{LATER_POLICY} WHERE number = 2")).await.expect("a row");

        assert_eq!(numbers(&alice, "/v1/requests").await, [3, 1]);
        let first = alice.get("/v1/requests?limit=1").await.ok();
        assert_eq!(first["items"][0]["number"], 3);
        let next = format!("/v1/requests?limit=1&cursor={}", text(&first, "nextCursor"));
        assert_eq!(numbers(&alice, &next).await, [1], "behind an unreadable row there are others");
        let approvable = "/v1/requests?canApprove=bob";
        assert_eq!(numbers(&bob, approvable).await, [3, 1]);
        assert_eq!(bob.decide(&text(&asked[0], "id"), "approve").await.status, 200);
        for refused in [
            bob.decide(&unreadable, "approve").await,
            alice.execute(&unreadable, &text(&asked[1], "digest")).await,
            alice.cancel(&unreadable).await,
            alice.get(&format!("/v1/requests/{unreadable}")).await,
        ] {
            assert_eq!(refused.outcome(), "409 unreadable", "{}", refused.body);
            assert!(text(&refused.body, "detail").contains("Nothing has changed"), "{}", refused.body);
        }
        let decided = format!("SELECT count(*) FROM decisions WHERE request_id = '{unreadable}'");
        assert_eq!(world.database.count(&decided).await, 0);
        assert!(world.types("alice", DEPLOY).await.contains("Asked as"));

        let said = world.degraded().await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("1 request cannot be read by this release: ") && said[0].contains("requiresTicket"), "{said:?}");

        world.passes(Span::hours(25)).await;
        let status = "SELECT status FROM requests WHERE number = ";
        assert_eq!(world.database.text(&format!("{status}3")).await, "expired");
        assert_eq!(world.database.text(&format!("{status}2")).await, "pending");
        assert_eq!(world.database.count("SELECT count(*) FROM audit WHERE seal IS NULL").await, 0);

        // the newer release has changed the row back
        let back = "UPDATE requests SET gates = replace(gates, '\"requiresTicket\":true,', '') WHERE number = 2";
        world.database.execute(back).await.expect("a row");
        world.settle().await;
        assert_eq!(alice.read(&unreadable).await["status"], "expired");
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.finish().await;
    }

    async fn unreadable_decision_is_never_ignored_r04(kind) {
        let world = world!(kind);
        let [alice, bob] = [world.person("alice").await, world.person("bob").await];
        let [one, other] = [alice.submit(deploy()).await.ok(), alice.submit(command()).await.ok()];
        bob.decide(&text(&one, "id"), "approve").await.ok();
        world.settle().await;
        world.database.execute("UPDATE decisions SET teams = 'no JSON'").await.expect("a vote");
        assert_eq!(numbers(&alice, "/v1/requests").await, [2]);
        let carol = world.person("carol").await;
        assert_eq!(carol.decide(&text(&one, "id"), "approve").await.outcome(), "409 unreadable");
        assert_eq!(carol.decide(&text(&other, "id"), "approve").await.status, 200);
        world.database.execute("UPDATE decisions SET teams = '[]'").await.expect("a vote");
        world.finish().await;
    }

    /// More unreadable requests than one step handles, all overdue for longer than the readable ones.
    async fn unreadable_requests_do_not_delay_later_ones_r04(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        alice.submit(deploy()).await.ok();
        world.settle().await;
        for more in 10..80 {
            let copy = format!(
                "INSERT INTO requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason, digest,
                    gates, observed, bypassed, excluded, ends_at, created_at)
                 SELECT 'req_01k8z0v3c5d7e9f1g2h3j4k5{more}', {more}, 1, status, kind, action, target, requester, submitted_by, authors, reason,
                    digest, '[{{\"later\":1}}]', observed, bypassed, excluded, ends_at - 1, created_at FROM requests WHERE number = 1");
            world.database.execute(&copy).await.expect("a copy");
        }
        world.passes(Span::hours(25)).await;
        world.settle().await;
        assert_eq!(world.database.text("SELECT status FROM requests WHERE number = 1").await, "expired");
        let said = world.degraded().await;
        assert!(said[0].starts_with("70 requests cannot be read"), "{said:?}");
        world.finish().await;
    }

    /// More of them than this process remembers.
    async fn any_number_of_unreadable_requests_holds_back_none_behind_them_r04(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        alice.submit(deploy()).await.ok();
        world.settle().await;
        let copies = "INSERT INTO requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason, digest,
                gates, observed, bypassed, excluded, ends_at, created_at)
            WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 2199)
            SELECT 'req_01k8z0v3c5d7e9f1g2h3j4' || n.i, n.i, 1, r.status, r.kind, r.action, r.target, r.requester, r.submitted_by, r.authors,
                r.reason, r.digest, '[{\"later\":1}]', r.observed, r.bypassed, r.excluded, r.ends_at - 1, r.created_at
            FROM requests r, n WHERE r.number = 1";
        assert_eq!(world.database.execute(copies).await.expect("copies"), 1_200);
        world.passes(Span::hours(25)).await;
        assert_eq!(world.database.text("SELECT status FROM requests WHERE number = 1").await, "expired");
        world.finish().await;
    }

    async fn unreadable_session_bypasses_nothing_and_fails_no_submission_r04(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        later_session(&world.database, "dan", world.clock.now().0).await;
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending");
        assert_eq!(dan.get("/v1/break-glass").await.status, 200);
        assert_eq!(dan.get("/v1/break-glass/bg_01k8z0v3c5d7e9f1g2h3j4k5m6").await.outcome(), "409 unreadable");
        let said = degraded(&world).await;
        assert!(said.iter().any(|why| why.starts_with("1 break-glass session cannot be read by this release: ") && why.contains("onlyDryRuns")), "{said:?}");
        // it is over, but a release that cannot read it does not announce its end
        world.passes(Span::hours(2)).await;
        assert_eq!(world.database.text("SELECT status FROM sessions").await, "active");
        world.finish().await;
    }

    async fn session_that_becomes_unreadable_voids_its_grants_r04(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        crate::break_glass::opened(&world, &dan).await;
        let used = dan.submit(command()).await.ok();
        assert_eq!(used["status"], "bypassed");
        world.settle().await;
        later_session(&world.database, "dan", world.clock.now().0).await;
        let moved = "UPDATE requests SET session_id = 'bg_01k8z0v3c5d7e9f1g2h3j4k5m6' WHERE status = 'bypassed'";
        world.database.execute(moved).await.expect("a row");
        assert_eq!(dan.execute(&text(&used, "id"), &text(&used, "digest")).await.outcome(), "409 session_ended");
        world.finish().await;
    }

    /// More of them than this process remembers.
    async fn any_number_of_unreadable_sessions_holds_back_none_behind_them_r04(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        crate::break_glass::opened(&world, &dan).await;
        let copies = "INSERT INTO sessions (id, status, initiator, reason, scope, responders, duration, channel, asked_at, starts_at, ends_at)
            WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 2199)
            SELECT 'bg_01k8z0v3c5d7e9f1g2h3j4' || n.i, s.status, s.initiator, s.reason, '{\"later\":1}', s.responders, s.duration, s.channel,
                s.asked_at, s.starts_at, s.ends_at - 1
            FROM sessions s, n";
        assert_eq!(world.database.execute(copies).await.expect("copies"), 1_200);
        world.passes(Span::hours(2)).await;
        assert_eq!(world.database.count("SELECT count(*) FROM sessions WHERE status = 'ended'").await, 1);
        world.finish().await;
    }

    /// A session shows some columns of the requests that used it; that those can be read says nothing about the others.
    async fn an_unreadable_request_stays_reported_while_a_part_of_it_is_read_r04(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let session = crate::break_glass::opened(&world, &dan).await;
        assert_eq!(dan.submit(command()).await.ok()["status"], "bypassed");
        world.settle().await;
        world.database.execute("UPDATE requests SET gates = '[{\"later\":1}]' WHERE status = 'bypassed'").await.expect("a row");
        assert_eq!(numbers(&dan, "/v1/requests").await, Vec::<i64>::new());
        let said = world.degraded().await;
        assert!(said.iter().any(|why| why.starts_with("1 request cannot be read")), "{said:?}");
        assert_eq!(dan.get(&format!("/v1/break-glass/{session}")).await.status, 200);
        assert_eq!(world.degraded().await, said);
        world.database.execute("UPDATE requests SET gates = '[]' WHERE status = 'bypassed'").await.expect("a row");
        world.finish().await;
    }

    async fn unreadable_token_is_refused_r04(kind) {
        let world = world!(kind);
        let [alice, bob] = [world.person("alice").await, world.person("bob").await];
        let scope = "UPDATE tokens SET scopes = '[\"requests:read\",\"requests:later\"]' WHERE principal = 'person:alice'";
        assert_eq!(world.database.execute(scope).await.expect("a row"), 1);
        assert_eq!(alice.get("/v1/requests").await.status, 401);
        assert_eq!(bob.get("/v1/requests").await.status, 200);
        assert_eq!(world.app().tokens().await.expect("the others").len(), 1);
        assert!(world.degraded().await[0].starts_with("1 token cannot be read"));
        world.finish().await;
    }

    /// Whether its principal goes or a back-up was restored: the release that can read it does not take it any more either.
    async fn an_unreadable_token_is_revoked_with_the_others_r04_r27_r36(kind) {
        let world = world!(kind);
        let [mallory, alice, bob] = [world.person("mallory").await, world.person("alice").await, world.person("bob").await];
        let later = "UPDATE tokens SET scopes = replace(scopes, '\"requests:read\"', '\"requests:later\",\"requests:read\"')
            WHERE principal <> 'person:bob'";
        let back = "UPDATE tokens SET scopes = replace(scopes, '\"requests:later\",', '')";
        assert_eq!(world.database.execute(later).await.expect("rows"), 2);
        world.reconfigure(|document| {
            let users = document["directory"]["users"].as_array_mut().expect("a list");
            users.retain(|user| user["id"] != "mallory");
        }).await;
        let live = "SELECT count(*) FROM tokens WHERE revoked_at IS NULL";
        assert_eq!(world.database.count(live).await, 2, "mallory's alone is revoked");
        let voided = world.app().void_open("the disk broke").await.expect("void");
        assert_eq!(voided.tokens.len(), 1, "the one that reads is named");
        assert_eq!(world.database.count(live).await, 0);
        let revoked = world.audit().await.into_iter().filter(|event| event == "token.revoked by operator").count();
        assert_eq!(revoked, 3, "one row each");
        world.database.execute(back).await.expect("the newer release is back");
        for api in [&mallory, &alice, &bob] {
            assert_eq!(api.get("/v1/requests").await.outcome(), "401 unauthenticated");
        }
        world.finish().await;
    }

    async fn unreadable_audit_rows_are_sealed_and_exported_and_unknown_events_are_listed_as_unknown_r04(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let asked = text(&alice.submit(deploy()).await.ok(), "id");
        for (id, what, detail) in [("z1", "request.delegated", "{}"), ("z2", "request.submitted", "no JSON")] {
            let row = format!("INSERT INTO audit (id, at, what, actor, via, request_id, prominent, detail)
                VALUES ('{id}', 1, '{what}', 'bot', 'bot', '{asked}', FALSE, '{detail}')");
            world.database.execute(&row).await.expect("a row");
        }
        world.settle().await;
        assert_eq!(world.database.count("SELECT count(*) FROM audit WHERE seal IS NULL").await, 0);
        let walked = world.app().verify_audit().await.expect("the log");
        assert_eq!(walked.broken_at, None);
        let timeline = alice.read(&asked).await["timeline"].clone();
        let events: Vec<&str> = timeline.as_array().expect("a list").iter().filter_map(|line| line["event"].as_str()).collect();
        assert_eq!(events, ["request.created", "unknown"], "a row whose detail does not read is left out");
        let degraded = world.degraded().await;
        assert!(degraded[0].starts_with("1 row of audit cannot be read"), "{degraded:?}");
        world.finish().await;
    }

    /// Decisions need the configuration in force. Calls that do not need it still work.
    async fn unreadable_configuration_refuses_all_calls_and_is_reported_r04(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let asked = text(&alice.submit(deploy()).await.ok(), "id");
        world.settle().await;
        let document = serde_json::to_value(world.app().config().await.expect("a configuration").document).expect("JSON");
        let later = "INSERT INTO config (version, document, digest, made_at, actor)
            SELECT version + 1, replace(document, '\"requesterCanApprove\"', '\"requiresTicket\":true,\"requesterCanApprove\"'), 'later', made_at, actor FROM config";
        world.database.execute(later).await.expect("a row");
        world.clock.advance(Span::seconds(1));
        let probe = Api::new(&world.url, "").get("/readyz").await;
        assert_eq!(probe.outcome(), "503 not_ready");
        let detail = text(&probe.body, "detail");
        assert!(detail.starts_with("the stored configuration cannot be read by this release: ") && detail.contains("requiresTicket"), "{detail}");
        assert_eq!(alice.submit(command()).await.outcome(), "503 configuration_unreadable");
        assert_eq!(alice.execute(&asked, "sha256:0").await.outcome(), "503 configuration_unreadable");
        let click = world.click_of("bob", "approve", countersign::sandbox::Forge::default());
        world.slack.redeliver(&click).await.expect("an answer");
        world.bot.dispatcher.finish().await;
        let told = world.told("bob");
        assert!(told.last().is_some_and(|told| told.contains("cannot read its stored configuration")), "{told:?}");
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        world.clock.advance(Span::hours(25));
        world.app().expire_overdue().await.expect("expired");
        assert_eq!(world.database.text("SELECT status FROM requests").await, "expired");
        assert!(!world.app().seal().await.expect("sealed"));
        let document = serde_json::from_value::<countersign::domain::document::ConfigDocument>(document).expect("a document");
        world.app().recover(&document, "rolled back").await.expect("recovered");
        assert_eq!(Api::new(&world.url, "").get("/readyz").await.status, 200);
        assert_eq!(alice.read(&asked).await["status"], "expired");
        world.finish().await;
    }

    /// A policy version that is no longer in force does not matter.
    async fn unreadable_version_of_a_removed_policy_stops_nothing_r04(kind) {
        let world = world!(kind);
        for policy in ["gone", "gone-too"] {
            let row = format!("INSERT INTO policy_versions (policy, version, template, made_at) VALUES ('{policy}', 3, '{{\"later\":1}}', 1)");
            world.database.execute(&row).await.expect("a row");
        }
        world.reconfigure(|document| document["organization"] = Value::from("renamed")).await;
        assert!(world.types("alice", DEPLOY).await.contains("Asked as"));
        // a policy with the same id is a newer version, whether its row is looked up alone or together with many others
        let added = |document: &mut Value, ids: &mut dyn Iterator<Item = String>| {
            let policies = document["policies"].as_array_mut().expect("a list");
            policies.extend(ids.map(|id| json!({"id": id, "name": id, "scope": "organization", "actions": ["project.delete"], "approvers": "anyone"})));
        };
        world.reconfigure(|document| added(document, &mut std::iter::once("gone".to_owned()))).await;
        let many = (0..20).map(|n| format!("other-{n}"));
        world.reconfigure(|document| added(document, &mut many.chain(["gone-too".to_owned()]))).await;
        for policy in ["gone", "gone-too"] {
            let versions = format!("SELECT count(*) FROM policy_versions WHERE policy = '{policy}' AND version = 4");
            assert_eq!(world.database.count(&versions).await, 1, "{policy}");
        }
        let gated = json!({"action": "project.delete", "project": "billing", "reason": "it is not used"});
        let asked = world.person("alice").await.submit(gated).await.ok();
        assert_eq!(asked["status"], "pending");
        assert!(world.app().config().await.is_ok());
        world.finish().await;
    }
}
