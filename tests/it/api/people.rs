//! Who may request, decide and cancel: the API enforces the exclusions of everyone involved.

use crate::client::{Api, PIPELINE, command, deploy, text};
use crate::database::on_both;
use crate::world::{World, world};
use countersign::domain::principal::Principal;
use countersign::domain::token::Scope;
use serde_json::{Value, json};

const PEOPLE: [&str; 6] = ["alice", "bob", "carol", "dan", "erin", "mallory"];

async fn acting_pipeline(world: &World, owners: &[&str]) -> Api {
    let mut scopes = PIPELINE.to_vec();
    scopes.push(Scope::RequestsActFor);
    let ci = Principal::Service("ci".into());
    Api::new(&world.url, &world.token(ci, owners, &scopes).await)
}

/// Anyone in SRE or Backend may approve and one approval is enough, so that only the exclusions can refuse.
async fn one_is_enough(world: &World) {
    world
        .reconfigure(|document| {
            document["policies"][0]["quorum"] = json!({"minApprovals": 1});
            document["policies"][0]["approvers"] = json!({"users": PEOPLE});
        })
        .await;
}

on_both! {
    async fn api_decisions_pass_the_same_checks_as_clicks_b16(kind) {
        let world = world!(kind);
        let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
        let id = text(&alice.submit(deploy()).await.ok(), "id");
        world.settle().await;
        assert_eq!(alice.decide(&id, "approve").await.outcome(), "403 not_eligible");
        assert_eq!(alice.decide(&id, "reject").await.outcome(), "403 not_eligible");
        assert_eq!(world.person("erin").await.decide(&id, "approve").await.outcome(), "403 not_eligible");

        // one person in two interfaces makes one decision
        assert_eq!(world.clicks("bob", "approve").await, "");
        assert_eq!(bob.decide(&id, "approve").await.outcome(), "409 already_reviewed");
        let path = format!("/v1/requests/{id}/decisions");
        let other = json!({"verdict": "approve", "digest": format!("sha256:{}", "0".repeat(64))});
        assert_eq!(carol.post(&path, other).await.outcome(), "409 digest_mismatch");
        let approved = carol.post(&path, json!({"verdict": "approve", "comment": "looks right"})).await.ok();
        assert_eq!(approved["status"], "approved");
        assert_eq!(approved["decisions"][1]["comment"], "looks right");
        assert_eq!((&approved["decisions"][0]["via"], &approved["decisions"][1]["via"]), (&json!("button"), &json!("api")));
        world.settle().await;
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        assert_eq!(world.buttons(), [""; 0]);
        world.finish().await;
    }

    async fn approver_is_never_taken_from_a_body_field_b17_b21(kind) {
        let world = world!(kind);
        let (alice, mallory) = (world.person("alice").await, world.person("mallory").await);
        let id = text(&alice.submit(deploy()).await.ok(), "id");
        let path = format!("/v1/requests/{id}/decisions");
        for field in ["approver", "author", "as", "by", "person", "user", "userId", "actor", "via", "clicker", "onBehalfOf", "Verdict"] {
            let reply = mallory.post(&path, json!({"verdict": "approve", field: "bob"})).await;
            assert_eq!(reply.outcome(), "422 invalid_body", "{field}");
            let reply = mallory.post(&format!("{path}?{field}=bob"), json!({"verdict": "approve"})).await;
            assert_eq!(reply.outcome(), "403 not_eligible", "{field} in the query is nobody's name");
        }
        for field in ["submittedBy", "owners", "excluded", "status", "policies", "decisions"] {
            let mut body = deploy();
            body[field] = json!("bob");
            assert_eq!(mallory.submit(body).await.outcome(), "422 invalid_body", "{field}");
        }
        assert_eq!(alice.read(&id).await["decisions"], json!([]));
        world.finish().await;
    }

    async fn administrators_cannot_approve_their_own_requests_b18(kind) {
        let world = world!(kind);
        let carol = world.person("carol").await;
        let id = text(&carol.submit(command()).await.ok(), "id");
        assert_eq!(carol.decide(&id, "approve").await.outcome(), "403 not_eligible");
        assert_eq!(carol.read(&id).await["canApprove"], false);
        world.person("dan").await.decide(&id, "approve").await.ok();
        world.finish().await;
    }

    async fn requester_submitter_owners_and_authors_may_not_approve_ap2_b22_b31(kind) {
        let world = world!(kind);
        one_is_enough(&world).await;
        let ci = acting_pipeline(&world, &["erin"]).await;
        for (requester, author) in [("alice", "carol"), ("carol", "dan"), ("dan", "mallory"), ("mallory", "mallory"), ("bob", "alice")] {
            let mut body = deploy();
            body["requester"] = json!(requester);
            body["authors"] = json!([author]);
            let asked = ci.submit(body).await.ok();
            assert_eq!((&asked["requester"]["id"], &asked["authors"][0]["id"]), (&json!(requester), &json!(author)));
            let id = text(&asked, "id");
            // bob owns the service, erin owns the token
            let had_a_part = [requester, author, "bob", "erin"];
            for person in PEOPLE {
                let api = world.person(person).await;
                let excluded = had_a_part.contains(&person);
                let seen = api.read(&id).await;
                assert_eq!(seen["canApprove"], json!(!excluded && seen["status"] == "pending"), "{person} of {had_a_part:?}");
                if excluded {
                    assert_eq!(api.decide(&id, "approve").await.outcome(), "403 not_eligible", "{person} of {had_a_part:?}");
                }
            }
            let free = PEOPLE.iter().find(|person| !had_a_part.contains(person)).expect("somebody");
            assert_eq!(world.person(free).await.decide(&id, "approve").await.ok()["status"], "approved");
        }
        world.finish().await;
    }

    async fn acting_for_a_person_needs_its_scope_and_shows_on_the_card_b31(kind) {
        let world = world!(kind);
        let mut body = deploy();
        body["requester"] = json!("alice");
        assert_eq!(world.pipeline(PIPELINE).await.submit(body.clone()).await.outcome(), "403 forbidden");
        let ci = acting_pipeline(&world, &[]).await;
        let mut stranger = body.clone();
        stranger["requester"] = json!("zoe");
        assert_eq!(ci.submit(stranger).await.outcome(), "422 policy_violations");
        ci.submit(body).await.ok();
        world.settle().await;
        insta::assert_snapshot!("card_on_behalf", world.card());
        // naming oneself is not acting for others
        let mut own = deploy();
        own["requester"] = json!("mallory");
        world.person("mallory").await.submit(own).await.ok();
        world.finish().await;
    }

    async fn api_ignores_identity_headers_b30(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let id = text(&alice.submit(deploy()).await.ok(), "id");
        let path = format!("/v1/requests/{id}/decisions");
        let (nobody, mallory) = (Api::new(&world.url, ""), world.person("mallory").await);
        let bobs = world.token_of("bob", Scope::ALL).await;
        for header in ["x-forwarded-user", "x-forwarded-email", "x-remote-user", "remote-user", "x-auth-request-user", "x-user-id", "forwarded", "x-actor",
            "cookie", "x-authorization", "proxy-authorization", "x-api-key"] {
            for claim in ["bob", bobs.as_str()] {
                let claim = [(header, claim)];
                let approve = || Some(json!({"verdict": "approve"}).to_string());
                assert_eq!(nobody.call("POST", &path, &claim, approve()).await.outcome(), "401 unauthenticated", "{header}");
                assert_eq!(mallory.call("POST", &path, &claim, approve()).await.outcome(), "403 not_eligible", "{header}");
            }
        }
        let two = [("authorization", bobs.as_str())];
        assert_eq!(mallory.call("POST", &path, &two, Some(json!({"verdict": "approve"}).to_string())).await.status, 401);
        let in_query = format!("{path}?access_token={bobs}");
        assert_eq!(nobody.post(&in_query, json!({"verdict": "approve"})).await.status, 401);
        assert_eq!(alice.read(&id).await["decisions"], json!([]));
        world.finish().await;
    }

    async fn only_requester_submitter_and_administrators_cancel_a_request_b36_b37(kind) {
        let world = world!(kind);
        world.reconfigure(|document| {
            document["services"].as_array_mut().expect("a list").push(json!({"id": "robot", "owners": ["erin"]}));
        }).await;
        let robot = Api::new(&world.url, &world.token(Principal::Service("robot".into()), &[], PIPELINE).await);
        let ci = acting_pipeline(&world, &[]).await;
        let ask = async || {
            let mut body = deploy();
            body["requester"] = json!("alice");
            text(&ci.submit(body).await.ok(), "id")
        };
        let id = ask().await;
        for stranger in [world.person("mallory").await, world.person("erin").await, robot.clone()] {
            assert_eq!(stranger.cancel(&id).await.outcome(), "403 not_yours");
            assert_eq!(stranger.execute(&id, "sha256:00").await.outcome(), "403 not_yours");
        }
        // bob owns the service, so he may not approve; he may not cancel, either
        assert_eq!(world.person("bob").await.cancel(&id).await.outcome(), "403 not_yours");
        assert_eq!(ci.read(&id).await["status"], "pending");
        assert_eq!(ci.cancel(&id).await.ok()["status"], "cancelled");
        assert_eq!(ci.cancel(&id).await.outcome(), "409 request_closed");
        for who in ["alice", "carol", "dan"] {
            let id = ask().await;
            let cancelled = world.person(who).await.cancel(&id).await.ok();
            let events = cancelled["timeline"].as_array().expect("a timeline");
            let last = events.last().expect("an event");
            assert_eq!((text(last, "event"), text(&last["actor"], "id")), ("request.cancelled".into(), who.into()));
        }
        world.finish().await;
    }

    async fn never_shown_payload_is_readable_by_requester_and_submitter_only(kind) {
        let world = world!(kind);
        world.reconfigure(|document| document["policies"][0]["showPayload"] = json!("never")).await;
        let alice = world.person("alice").await;
        let asked = alice.submit(deploy()).await.ok();
        let id = text(&asked, "id");
        assert_eq!(asked["payload"], deploy()["payload"]);
        let seen = world.person("carol").await.read(&id).await;
        assert_eq!((seen.get("payload"), &seen["digest"]), (None, &asked["digest"]));
        world.settle().await;
        assert!(!world.card().contains("1f0c"), "{}", world.card());
        world.finish().await;
    }

    async fn a_request_without_payload_shows_that_there_is_none(kind) {
        let world = world!(kind);
        let mut body = deploy();
        body.as_object_mut().expect("an object").remove("payload");
        let asked = world.person("alice").await.submit(body).await.ok();
        assert_eq!(asked.get("payload"), Some(&Value::Null));
        world.finish().await;
    }
}
