//! Policies on the web: read by everybody, changed by administrators through the same use case.

use crate::database::on_both;
use crate::world::{DEPLOY, world};
use serde_json::json;

on_both! {
    async fn policy_is_created_bound_edited_and_unbound_on_the_web(kind) {
        let world = world!(kind);
        let mut carol = world.browser_of("U03CAROL").await;
        let list = carol.open("/approval-policies").await;
        for part in ["Production Deploy Gate", "bound to environment production", "168 hours a week", "Create policy"] {
            assert!(list.text.contains(part), "{part}: {}", list.text);
        }
        let blank = carol.open("/approval-policies/new").await;
        let (csrf, version) = (blank.field("csrf").expect("a token"), blank.field("version").expect("a version"));
        let yaml = "id: night-gate\nname: Night Gate\nscope: project\napprovers: {teams: [sre]}\nquorum: {minApprovals: 1}\nconditions: {startHour: 18, endHour: 9, timezone: Europe/Istanbul}\n";
        let seen = carol.submit("/approval-policies/new", &[("csrf", &csrf), ("version", &version), ("policy", yaml)]).await;
        assert_eq!((seen.status, seen.location().as_str()), (303, "/approval-policies"), "{}", seen.text);
        // the same form again was made from an older version
        let stale = carol.submit("/approval-policies/new", &[("csrf", &csrf), ("version", &version), ("policy", yaml)]).await;
        assert_eq!(stale.status, 409, "{}", stale.text);
        let page = carol.open("/approval-policies/night-gate").await;
        assert!(page.text.contains("105 of 168 hours a week, time zone Europe/Istanbul") && page.text.contains("gates nothing"), "{}", page.text);
        assert_eq!(page.text.matches("<td").count(), 168);
        let version = page.field("version").expect("a version");
        let bind = [("csrf", csrf.as_str()), ("version", version.as_str()), ("resource", "billing"), ("change", "bind")];
        assert_eq!(carol.submit("/approval-policies/night-gate/bindings", &bind).await.status, 303);
        let page = carol.open("/approval-policies/night-gate").await;
        assert!(page.text.contains("project billing"), "{}", page.text);
        let version = page.field("version").expect("a version");
        for (wrong, words) in [
            ("id: other\nname: Night Gate\nscope: project\n", "stays as it is"),
            ("id: night-gate\nname: Night Gate\nscope: project\nqorum: {}\n", "qorum"),
            ("id: night-gate\nname: Night Gate\nscope: project\napprovers: {teams: [ser]}\n", "ser"),
            ("[1", "cannot be read"),
        ] {
            let seen = carol.submit("/approval-policies/night-gate", &[("csrf", &csrf), ("version", &version), ("policy", wrong)]).await;
            assert!(seen.status == 422 && seen.text.contains(words), "{wrong}: {} {}", seen.status, seen.text);
        }
        let unbind = [("csrf", csrf.as_str()), ("version", version.as_str()), ("resource", "billing"), ("change", "unbind")];
        assert_eq!(carol.submit("/approval-policies/night-gate/bindings", &unbind).await.status, 303);
        world.settle().await;
        world.finish().await;
    }

    async fn only_administrators_change_policies_and_gated_changes_become_requests(kind) {
        let world = world!(kind);
        let mut bob = world.browser_of("U02BOB").await;
        let page = bob.open("/approval-policies/production-deploy-gate").await;
        assert!(page.status == 200 && page.text.contains("Backend, SRE") && !page.text.contains("as YAML"), "{}", page.text);
        let csrf = bob.csrf().await;
        assert_eq!(bob.open("/approval-policies/new").await.status, 403);
        let seen = bob.submit("/approval-policies/production-deploy-gate/bindings",
            &[("csrf", &csrf), ("version", "1"), ("resource", "production"), ("change", "unbind")]).await;
        assert_eq!(seen.status, 403);
        assert_eq!(bob.open("/approval-policies/none").await.status, 404);
        world.reconfigure(|document| {
            let gate = serde_json::json!({"id": "rules", "name": "Rules", "scope": "organization", "actions": ["environment.policy_update"],
                "approvers": {"teams": ["security"]}, "quorum": {"minApprovals": 1}});
            document["policies"].as_array_mut().expect("a list").push(gate);
            document["bindings"].as_array_mut().expect("a list").push(serde_json::json!({"policy": "rules", "level": "organization"}));
        }).await;
        let mut carol = world.browser_of("U03CAROL").await;
        let page = carol.open("/approval-policies/production-deploy-gate").await;
        let (csrf, version) = (page.field("csrf").expect("a token"), page.field("version").expect("a version"));
        let seen = carol.submit("/approval-policies/production-deploy-gate/bindings",
            &[("csrf", &csrf), ("version", &version), ("resource", "staging"), ("change", "bind"), ("why", "staging too")]).await;
        assert_eq!(seen.location(), "/approvals/1", "{}", seen.text);
        let request = carol.open("/approvals/1").await;
        assert!(request.text.contains("What changes in the configuration") && request.text.contains("staging too"), "{}", request.text);
        let mut erin = world.browser_of("U06ERIN").await;
        assert_eq!(erin.decides(1, "approve", "").await.status, 303);
        world.settle().await;
        assert!(carol.open("/approval-policies").await.text.contains("environment staging"));
        world.finish().await;
    }

    async fn versions_of_a_policy_say_who_changed_what_by_which_request(kind) {
        let world = world!(kind);
        world.reconfigure(|document| {
            document["policies"][0]["quorum"]["minApprovals"] = json!(3);
        }).await;
        let gate = json!({"id": "rules", "name": "Rules", "scope": "organization", "actions": ["environment.policy_update"],
            "approvers": {"teams": ["security"]}, "quorum": {"minApprovals": 1}});
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(gate);
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "rules", "level": "organization"}));
        }).await;
        let mut carol = world.browser_of("U03CAROL").await;
        let page = carol.open("/approval-policies/production-deploy-gate").await;
        let (csrf, version) = (page.field("csrf").expect("a token"), page.field("version").expect("a version"));
        carol.submit("/approval-policies/production-deploy-gate/bindings",
            &[("csrf", &csrf), ("version", &version), ("resource", "staging"), ("change", "bind"), ("why", "staging <too>")]).await;
        let mut erin = world.browser_of("U06ERIN").await;
        assert_eq!(erin.decides(1, "approve", "").await.status, 303);
        world.settle().await;
        // whoever reads requests reads policies
        let mut bob = world.browser_of("U02BOB").await;
        let page = bob.open("/approval-policies/production-deploy-gate/versions").await;
        let words = page.text.split("<h2").skip(1).collect::<Vec<_>>();
        assert_eq!(words.len(), 3, "the version that added another policy is not among them: {}", page.text);
        for part in ["Version 4", "Countersign", "by request <a href=\"/approvals/1\">#1</a>", "staging &#60;too&#62;", "+ bound to environment staging"] {
            assert!(words[0].contains(part), "{part}: {}", words[0]);
        }
        for part in ["Version 2", "~ quorum.minApprovals: 2 -&#62; 3"] {
            assert!(words[1].contains(part), "{part}: {}", words[1]);
        }
        for part in ["Version 1 ", "the operator", "+ name: &#34;Production Deploy Gate&#34;", "+ bound to environment production"] {
            assert!(words[2].contains(part), "{part}: {}", words[2]);
        }
        world.finish().await;
    }

    async fn policy_that_is_gone_keeps_its_history_page_by_page(kind) {
        let world = world!(kind);
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").retain(|policy| policy["id"] != "project-deletion-gate");
            document["bindings"].as_array_mut().expect("a list").retain(|binding| binding["policy"] != "project-deletion-gate");
        }).await;
        for days in 0..32 {
            world.reconfigure(|document| document["console"]["absolute"] = json!(format!("{}h", 100 + days))).await;
        }
        let mut bob = world.browser_of("U02BOB").await;
        let page = bob.open("/approval-policies/project-deletion-gate/versions").await;
        assert!(page.text.contains("No policy has this id now") && page.text.contains("None of the versions compared so far"), "{}", page.text);
        let next = page.text.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a next page").to_owned();
        let page = bob.open(&next).await;
        for part in ["- name: &#34;Project Deletion Gate&#34;", "no longer bound to organization", "Weaker:", "Version 1 "] {
            assert!(page.text.contains(part), "{part}: {}", page.text);
        }
        assert!(!page.text.contains("rel=\"next\""));
        world.settle().await;
        world.finish().await;
    }

    async fn draft_is_evaluated_over_past_requests_and_changes_nothing(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.types("alice", "request command.execute cluster=prod-eu-1 reason=cleanup").await;
        let mut bob = world.browser_of("U02BOB").await;
        let rows = world.rows().await;
        let csrf = bob.csrf().await;
        let gate = "id: production-deploy-gate\nname: Gate\nscope: environment\nactions: [release.deploy]\napprovers: anyone\nquorum: {minApprovals: QUORUM}\n";
        for (quorum, words) in [("3", "more approvals"), ("1", "fewer approvals"), ("6", "unsatisfiable")] {
            let yaml = gate.replace("QUORUM", quorum);
            let seen = bob.submit("/approval-policies/production-deploy-gate/replay", &[("csrf", &csrf), ("policy", &yaml)]).await;
            assert_eq!(seen.status, 200, "{}", seen.text);
            assert!(seen.text.contains(&format!("<strong>1</strong> {words}")) && seen.text.contains("href=\"/approvals/1\""), "{}", seen.text);
        }
        let other = gate.replace("QUORUM", "1").replace("release.deploy", "project.delete");
        let seen = bob.submit("/approval-policies/production-deploy-gate/replay", &[("csrf", &csrf), ("policy", &other)]).await;
        assert!(seen.text.contains("<strong>1</strong> no longer gated") && seen.text.contains("no policy"), "{}", seen.text);
        // a new policy gates nothing until it is bound
        let new = "id: new-gate\nname: New\nscope: cluster\nactions: [command.execute]\napprovers: anyone\nquorum: {minApprovals: 4}\n";
        for (resource, count) in [("", 0), ("prod-eu-1", 1)] {
            let seen = bob.submit("/approval-policies/new/replay", &[("csrf", &csrf), ("policy", new), ("resource", resource)]).await;
            let more = ["more approvals", "newly gated", "unsatisfiable"].iter();
            let found = more.filter(|words| seen.text.contains(&format!("<strong>1</strong> {words}"))).count();
            assert_eq!((seen.status, found), (200, count), "{}", seen.text);
        }
        for (yaml, words) in [("id: production-deploy-gate\nname: A\nscope: moon\n", "moon"), ("a: &a [*a]", "cannot be read"),
            ("id: production-deploy-gate\nname: A\nscope: environment\napprovers: {teams: [nobody]}\n", "nobody")] {
            let seen = bob.submit("/approval-policies/production-deploy-gate/replay", &[("csrf", &csrf), ("policy", yaml)]).await;
            assert!(seen.status == 422 && seen.text.contains(words), "{yaml}: {} {}", seen.status, seen.text);
        }
        assert_eq!(world.rows().await, rows);
        world.settle().await;
        world.finish().await;
    }

    async fn request_is_tried_out_without_asking(kind) {
        let world = world!(kind);
        let mut bob = world.browser_of("U02BOB").await;
        let rows = world.rows().await;
        let blank = bob.open("/explain").await;
        assert!(blank.text.contains("Release Deploy") && !blank.text.contains("What would happen"), "{}", blank.text);
        let query = "action=release.deploy&requester=alice&project=api-platform&environment=production&release=v1&reason=why";
        let seen = bob.open(&format!("/explain?{query}")).await;
        for part in ["Production Deploy Gate", "is bound to environment production", "The fewest people who suffice", "Could approve", "Policies that do not apply"] {
            assert!(seen.text.contains(part), "{part}: {}", seen.text);
        }
        let approvers = seen.text.split("Could approve: ").nth(1).and_then(|rest| rest.split('<').next()).expect("names").to_owned();
        assert!(approvers.contains("Bob Brown") && !approvers.contains("Alice"), "{approvers}");
        let seen = bob.open("/explain?action=release.deploy&project=moon%3Cb%3E").await;
        assert!(seen.status == 200 && seen.text.contains("would be refused") && !seen.text.contains("moon<b>"), "{}", seen.text);
        // the same with a draft, which nobody has saved
        let csrf = bob.csrf().await;
        let yaml = "id: production-deploy-gate\nname: Draft <Gate>\nscope: environment\nactions: [release.deploy]\napprovers: anyone\nquorum: {minApprovals: 5}\n";
        let form = [("csrf", csrf.as_str()), ("policy", yaml), ("action", "release.deploy"), ("requester", "alice"),
            ("project", "api-platform"), ("environment", "production")];
        let seen = bob.submit("/approval-policies/production-deploy-gate/explain", &form).await;
        for part in ["Draft &#60;Gate&#62;", "5 approvals needed", "takes the place of the policy in force"] {
            assert!(seen.text.contains(part), "{part}: {}", seen.text);
        }
        let seen = bob.submit("/approval-policies/production-deploy-gate/explain", &[("csrf", &csrf), ("policy", "[")]).await;
        assert_eq!(seen.status, 422);
        assert_eq!(world.rows().await, rows);
        world.finish().await;
    }

    async fn policy_of_somebody_without_the_right_is_not_even_read_w12(kind) {
        let world = world!(kind);
        let mut bob = world.browser_of("U02BOB").await;
        let csrf = bob.csrf().await;
        for yaml in ["[", "id: production-deploy-gate\nname: A\nscope: environment\n"] {
            for id in ["new", "production-deploy-gate"] {
                let seen = bob.submit(&format!("/approval-policies/{id}"), &[("csrf", &csrf), ("version", "1"), ("policy", yaml)]).await;
                assert_eq!(seen.status, 403, "{id} {yaml}: {}", seen.text);
            }
        }
        world.finish().await;
    }
}
