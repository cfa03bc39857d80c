//! Policies with `decideOn: web`: approvals count on the web pages only, soon after signing in (threats W9, W10).

use super::{Seen, Visitor};
use crate::client::{deploy, text};
use crate::database::on_both;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;
use countersign::sandbox::{Forge, SignInFault as Fault};
use serde_json::json;

const REFUSED: &str = "Approvals of this request count on the web only. Production Deploy Gate counts approvals only if they are given on the web pages";

impl World {
    /// From now on, the gate of production counts approvals on the web only.
    async fn wants_the_web(&self) {
        self.reconfigure(|document| document["policies"][0]["decideOn"] = json!("web"))
            .await;
    }

    async fn decisions(&self) -> i64 {
        self.database.count("SELECT count(*) FROM decisions").await
    }
}

/// The address to which the page sends a person who must sign in again.
fn sign_in_again(page: &Seen) -> String {
    let link = page
        .text
        .split("href=\"")
        .find(|rest| rest.starts_with("/sign-in/"));
    let link = link
        .and_then(|rest| rest.split('"').next())
        .expect("a link");
    link.replace("&#38;", "&").replace("&amp;", "&")
}

/// Submits an approval of a request, whatever its page offers.
async fn posts_approval(browser: &mut Visitor, number: i64, comment: &str) -> Seen {
    browser.decides(number, "approve", comment).await
}

/// Signs in again at the provider, where the person says who they are.
async fn proves_again(browser: &mut Visitor, page: &Seen, user: &str) -> Seen {
    let provider = browser.open(&sign_in_again(page)).await.location();
    for part in ["max_age=600", "prompt=login"] {
        assert!(provider.contains(part), "{provider}");
    }
    let who = browser.open(&provider).await;
    assert!(
        who.text.contains("Who are you?"),
        "the provider asks again: {}",
        who.text
    );
    let back = browser
        .open(&format!("{provider}&login_hint={user}"))
        .await
        .location();
    browser.open(&back).await
}

on_both! {
    async fn approvals_count_on_the_web_alone_and_rejections_everywhere_w9(kind) {
        let world = world!(kind);
        world.shows_pages();
        world.wants_the_web().await;
        world.types("alice", DEPLOY).await;
        assert_eq!(world.buttons(), ["review_on_web", "reject", "details"]);
        let card = world.card();
        assert!(card.contains("0 of 2 approvals on the web") && card.contains("[Review on the web]") && card.contains("Rejecting works here, too."), "{card}");
        assert_eq!(world.clicks("bob", "review_on_web").await, "", "the link needs only the acknowledgement");
        // command, API and Home know no way around
        let told = world.types("bob", "approve 1").await;
        let page = format!("{}/approvals/1", world.url);
        assert!(told.starts_with(REFUSED) && told.contains(&page), "{told}");
        let bob_api = world.person("bob").await;
        let refused = bob_api.decide("1", "approve").await;
        assert_eq!(refused.outcome(), "403 on_web_only");
        assert!(refused.body["detail"].as_str().is_some_and(|why| why.contains(&page)), "{:?}", refused.body);
        world.slack.open_home("bob").await.expect("an answer");
        world.settle().await;
        let home = world.slack.home("bob").unwrap_or_default();
        assert!(home.contains("[Review on the web]") && !home.contains("[Approve]"), "{home}");
        world.clicks("bob", "details").await;
        let details = world.modal("bob");
        assert!(details.contains("[Review on the web]") && details.contains("Reject; one rejection ends it") && !details.contains("Approve\n"), "{details}");
        assert_eq!(world.decisions().await, 0);
        // the page takes it
        let mut bob = world.browser_of("U02BOB").await;
        let shown = bob.open("/approvals/1").await;
        assert!(shown.text.contains("counts approvals only shortly after signing in. You may approve until"), "{}", shown.text);
        assert!(bob.open("/approval-policies/production-deploy-gate").await.text.contains("on these pages only"));
        assert_eq!(bob.decides(1, "approve", "read it all").await.location(), "/approvals/1");
        let mut carol = world.browser_of("U03CAROL").await;
        assert_eq!(carol.decides(1, "approve", "").await.location(), "/approvals/1");
        world.settle().await;
        assert!(world.card().contains("#1 Approved"), "{}", world.card());
        assert_eq!(world.database.count("SELECT count(*) FROM decisions WHERE fresh_sign_in").await, 2);
        let asked = world.person("alice").await.read("1").await;
        let alice = world.person("alice").await;
        assert_eq!(alice.execute("1", &text(&asked, "digest")).await.outcome(), "200");
        // the attempts are on record, once for each interface's caller
        assert!(world.audit().await.contains(&"vote.refused by person:bob".to_owned()));
        // rejecting works in Slack
        world.types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3")).await;
        world.rejects("bob", "not on a Friday").await;
        assert!(world.card().contains("#2 Rejected"), "{}", world.card());
        world.finish().await;
    }

    /// A card from before the change still has Approve; the decision is refused, and nobody loses theirs by trying.
    async fn policy_tightened_meanwhile_refuses_the_old_button_w9(kind) {
        let world = world!(kind);
        world.shows_pages();
        world.types("alice", DEPLOY).await;
        let [click, typed] = [world.click_of("bob", "approve", Forge::default()), world.command_of("bob", "approve 1")];
        world.wants_the_web().await;
        let told = world.clicks("bob", "approve").await;
        assert!(told.starts_with(REFUSED), "{told}");
        world.delivers(&click).await;
        world.delivers(&typed).await;
        assert_eq!(world.decisions().await, 0);
        // the same deliveries do not count later, when they could
        world.reconfigure(|document| document["policies"][0]["decideOn"] = json!(null)).await;
        world.delivers(&click).await;
        world.delivers(&typed).await;
        assert_eq!(world.decisions().await, 0);
        assert_eq!(world.clicks("bob", "approve").await, "", "a new click does");
        world.finish().await;
    }

    /// What was given in Slack keeps counting for the pinned policy, and the policy in force must be met as well.
    async fn older_approval_in_slack_does_not_satisfy_the_tightened_policy_w9(kind) {
        let world = world!(kind);
        world.reconfigure(|document| document["policies"][0]["quorum"]["minApprovals"] = json!(1)).await;
        for release in ["v1", "v2"] {
            world.types("alice", &DEPLOY.replace("v1.4.2", release)).await;
            assert_eq!(world.clicks("carol", "approve").await, "");
            assert!(world.card().contains("Approved"), "{}", world.card());
        }
        world.shows_pages();
        world.wants_the_web().await;
        let alice = world.person("alice").await;
        let digest = text(&alice.read("1").await, "digest");
        let refused = alice.execute("1", &digest).await;
        assert_eq!(refused.outcome(), "409 requirements_changed");
        let why = "Production Deploy Gate (needs one more approval on the web, SRE has not approved)";
        assert!(refused.body["detail"].as_str().is_some_and(|said| said.contains(why)), "{:?}", refused.body);
        world.settle().await;
        let again = world.types("carol", "approve 1").await;
        assert!(again.starts_with("Already reviewed"), "{again}");
        let mut dan = world.browser_of("U05DAN").await;
        assert_eq!(dan.decides(1, "approve", "").await.location(), "/approvals/1");
        assert_eq!(alice.execute("1", &digest).await.outcome(), "200");
        // where nobody is left who could approve on the web, it ends
        world.reconfigure(|document| document["policies"][0]["quorum"]["minApprovals"] = json!(3)).await;
        let digest = text(&alice.read("2").await, "digest");
        assert_eq!(alice.execute("2", &digest).await.outcome(), "409 requirements_changed");
        assert_eq!(alice.read("2").await["status"], "cancelled");
        world.settle().await;
        world.finish().await;
    }

    async fn old_sign_in_is_sent_to_the_provider_again_w10(kind) {
        let world = world!(kind);
        world.wants_the_web().await;
        world.types("alice", DEPLOY).await;
        let mut bob = world.browser_of("U02BOB").await;
        world.clock.advance(Span::minutes(10));
        let page = bob.open("/approvals/1").await;
        assert!(page.text.contains("Sign in again to approve") && !page.text.contains("value=\"approve\"") && page.text.contains("value=\"reject\""), "{}", page.text);
        // a form that is posted all the same is refused, and what was typed is not lost
        let refused = posts_approval(&mut bob, 1, "typed with <care>").await;
        assert!(refused.status == 403 && refused.text.contains("Sign in again to approve this request"), "{}", refused.text);
        assert!(refused.text.contains("typed with &#60;care&#62;"), "{}", refused.text);
        assert_eq!(world.decisions().await, 0);
        let back = proves_again(&mut bob, &refused, "U02BOB").await;
        assert_eq!((back.status, back.location().as_str()), (303, "/approvals/1"));
        assert_eq!(bob.decides(1, "approve", "typed with care").await.location(), "/approvals/1");
        assert_eq!(world.decisions().await, 1);
        assert_eq!(world.database.count("SELECT count(*) FROM sign_ins WHERE ended_at IS NULL").await, 1);
        // rejecting needs no fresh sign-in
        let mut carol = world.browser_of("U03CAROL").await;
        world.clock.advance(Span::minutes(10));
        assert_eq!(carol.decides(1, "reject", "wait").await.location(), "/approvals/1");
        world.settle().await;
        assert!(world.audit().await.contains(&"vote.refused by person:bob".to_owned()));
        world.finish().await;
    }

    /// The provider knows people for longer than a sign-in is fresh: without the question, signing in anew proves nothing.
    async fn session_at_the_provider_is_no_fresh_sign_in_w10(kind) {
        let world = world!(kind);
        world.adds_provider(&[(1, "U02BOB")]).await;
        world.wants_the_web().await;
        world.types("alice", DEPLOY).await;
        for provider in ["slack", "oidc"] {
            let sign_in = format!("/sign-in/{provider}?as=U02BOB&next=/approvals/1");
            world.browser().follow(&sign_in).await;
            world.clock.advance(Span::minutes(11));
            let mut bob = world.browser();
            let page = bob.follow(&sign_in).await;
            assert!(page.text.contains("Sign in again to approve"), "{provider}: {}", page.text);
            assert_eq!(posts_approval(&mut bob, 1, "").await.status, 403, "{provider}");
            assert!(sign_in_again(&page).starts_with(&format!("/sign-in/{provider}?fresh=1&next=")));
            let back = proves_again(&mut bob, &page, "U02BOB").await;
            assert_eq!(back.location(), "/approvals/1");
            let page = bob.open("/approvals/1").await;
            assert!(page.text.contains("You may approve until"), "{provider}: {}", page.text);
        }
        world.finish().await;
    }

    async fn missing_old_or_forged_time_of_the_provider_is_refused_w10(kind) {
        let world = world!(kind);
        world.wants_the_web().await;
        world.types("alice", DEPLOY).await;
        let mut bob = world.browser_of("U02BOB").await;
        for fault in [Fault::NoAuthTime, Fault::NotAskedAgain, Fault::FutureAuthTime] {
            world.clock.advance(Span::minutes(10));
            let page = bob.open("/approvals/1").await;
            world.slack.fail_next_sign_in(fault);
            let seen = proves_again(&mut bob, &page, "U02BOB").await;
            assert_eq!(seen.status, 403, "{fault:?}: {}", seen.text);
            assert!(seen.text.contains("You were not asked to sign in again"), "{fault:?}: {}", seen.text);
            assert!(seen.text.contains("fresh=1&amp;next=%2Fapprovals%2F1") || seen.text.contains("fresh=1&#38;next=%2Fapprovals%2F1"), "{}", seen.text);
            assert_eq!(posts_approval(&mut bob, 1, "").await.status, 403, "{fault:?}");
        }
        assert_eq!(bob.open("/approvals/1").await.status, 200, "signed in as before");
        // a provider that never says when, or nonsense: people sign in, and may do everything else
        for fault in [Fault::NoAuthTime, Fault::FutureAuthTime] {
            world.slack.fail_next_sign_in(fault);
            let mut carol = world.browser_of("U03CAROL").await;
            assert!(carol.open("/approvals/1").await.text.contains("Sign in again to approve"));
            assert_eq!(posts_approval(&mut carol, 1, "").await.status, 403);
        }
        // a sign-in of the previous release
        let mut dan = world.browser_of("U05DAN").await;
        world.database.execute("UPDATE sign_ins SET authenticated_at = NULL").await.expect("rows");
        assert_eq!(posts_approval(&mut dan, 1, "").await.status, 403);
        assert_eq!(world.decisions().await, 0);
        world.finish().await;
    }

    /// Whoever removes what the browser was told on its way to the provider gains nothing: the token decides.
    async fn stripped_max_age_is_noticed_w10(kind) {
        let world = world!(kind);
        world.wants_the_web().await;
        world.types("alice", DEPLOY).await;
        let mut bob = world.browser_of("U02BOB").await;
        world.clock.advance(Span::minutes(10));
        let page = bob.open("/approvals/1").await;
        let provider = bob.open(&sign_in_again(&page)).await.location();
        let stripped = provider.replace("&max_age=600&prompt=login", "&login_hint=U02BOB");
        assert_ne!(stripped, provider);
        let back = bob.open(&stripped).await.location();
        let seen = bob.open(&back).await;
        assert!(seen.status == 403 && seen.text.contains("You were not asked to sign in again"), "{}", seen.text);
        assert_eq!(posts_approval(&mut bob, 1, "").await.status, 403);
        world.finish().await;
    }

    async fn pages_without_an_address_are_reported_w9(kind) {
        let world = world!(kind);
        assert!(world.degraded().await.is_empty());
        world.wants_the_web().await;
        world.clock.advance(Span::seconds(2));
        let said = world.degraded().await;
        assert!(said.iter().any(|why| why.contains("decideOn: web") && why.contains("set COUNTERSIGN_PUBLIC_URL")), "{said:?}");
        world.types("alice", DEPLOY).await;
        assert_eq!(world.buttons(), ["reject", "details"]);
        assert!(world.card().contains("ask the operator to set COUNTERSIGN_PUBLIC_URL"), "{}", world.card());
        let refused = world.person("bob").await.decide("1", "approve").await;
        assert!(refused.body["detail"].as_str().is_some_and(|why| why.contains("set COUNTERSIGN_PUBLIC_URL")), "{:?}", refused.body);
        world.finish().await;
    }

    /// A configuration change is gated by such a policy as well: the bot applies it once it was approved on the web.
    async fn effect_runs_after_an_approval_on_the_web_w9(kind) {
        let world = world!(kind);
        world.shows_pages();
        let gate = json!({"id": "rules-gate", "name": "Rules Gate", "scope": "organization", "actions": ["environment.policy_update"],
            "approvers": {"teams": ["security"]}, "decideOn": "web"});
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(gate);
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "rules-gate", "level": "organization"}));
        }).await;
        world.edits("carol", |document| document["organization"] = json!("renamed")).await.expect("a request");
        world.settle().await;
        let told = world.types("erin", "approve 1").await;
        assert!(told.contains("Rules Gate counts approvals only if they are given on the web pages"), "{told}");
        let mut erin = world.browser_of("U06ERIN").await;
        assert_eq!(erin.decides(1, "approve", "").await.location(), "/approvals/1");
        world.settle().await;
        assert_eq!(world.app().config().await.expect("it").document.organization, "renamed");
        // removing the key is a weakening, gated and announced
        let asked = world.edits("carol", |document| {
            let policies = document["policies"].as_array_mut().expect("a list");
            policies.last_mut().expect("the gate")["decideOn"] = json!(null);
        }).await;
        assert!(asked.is_ok(), "{asked:?}");
        let mut erin = world.browser_of("U06ERIN").await;
        assert_eq!(erin.decides(2, "approve", "").await.location(), "/approvals/2");
        world.settle().await;
        let said = world.slack.messages("security");
        let last = said.last().map(|one| one.text.clone()).unwrap_or_default();
        assert!(last.contains("policy rules-gate takes approvals outside the web pages"), "{last}");
        world.finish().await;
    }

    async fn request_gated_by_two_policies_is_approved_on_the_web_w9(kind) {
        let world = world!(kind);
        world.shows_pages();
        let second = json!({"id": "second", "name": "Second Gate", "scope": "organization", "actions": ["release.deploy"],
            "approvers": {"users": ["erin"]}, "decideOn": "web"});
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(second);
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "second", "level": "organization"}));
        }).await;
        let asked = world.person("alice").await.submit(deploy()).await.ok();
        world.settle().await;
        let id = text(&asked, "id");
        // the strictest policy says how, also for approvers of the other one
        for who in ["bob", "erin"] {
            assert_eq!(world.person(who).await.decide(&id, "approve").await.outcome(), "403 on_web_only", "{who}");
        }
        for who in ["U02BOB", "U03CAROL", "U06ERIN"] {
            let mut browser = world.browser_of(who).await;
            assert_eq!(browser.decides(1, "approve", "").await.location(), "/approvals/1", "{who}");
        }
        world.settle().await;
        assert!(world.card().contains("#1 Approved"), "{}", world.card());
        world.finish().await;
    }
}
