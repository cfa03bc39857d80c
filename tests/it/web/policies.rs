//! Policies on the web: read by everybody, changed by administrators through the same use case.

use crate::database::on_both;
use crate::world::world;

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
}
