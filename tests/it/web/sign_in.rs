//! Signing in: with Slack, with another provider, and everything that must not sign anybody in (threats W1, W4, W5).

use super::Visitor;
use crate::database::on_both;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;
use countersign::sandbox::SignInFault as Fault;

async fn sign_ins(world: &World) -> i64 {
    world.database.count("SELECT count(*) FROM sign_ins").await
}

/// Begins to sign in and stops before the browser returns; the address of the return.
async fn returns_to(browser: &mut Visitor, user: &str) -> String {
    let at_provider = browser
        .open(&format!("/sign-in?as={user}"))
        .await
        .location();
    browser.open(&at_provider).await.location()
}

on_both! {
    async fn person_signs_in_with_slack_and_lands_where_they_wanted(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let mut browser = world.browser();
        let asked = browser.open("/approvals/1").await;
        assert_eq!((asked.status, asked.location().as_str()), (303, "/sign-in?next=%2Fapprovals%2F1"));
        let provider = browser.open(&asked.location()).await.location();
        assert!(provider.starts_with(&format!("{}/openid/connect/authorize?", world.slack.url())), "{provider}");
        for part in ["response_type=code", "code_challenge_method=S256", "state=", "nonce=", "code_challenge="] {
            assert!(provider.contains(part), "{provider}");
        }
        // without a hint, the workspace asks who it is
        let who = browser.open(&provider).await;
        assert!(who.text.contains("Who are you?") && who.text.contains("Bob Brown"), "{}", who.text);
        let back = browser.open(&format!("{provider}&login_hint=U02BOB")).await.location();
        let done = browser.open(&back).await;
        assert_eq!((done.status, done.location().as_str()), (303, "/approvals/1"));
        let cookie = done.headers.get_all("set-cookie").iter().next().expect("a cookie").to_str().expect("a text");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/;"), "{cookie}");
        let page = browser.open("/approvals/1").await;
        assert!(page.status == 200 && page.text.contains("Bob Brown") && page.text.contains("hotfix for checkout"), "{}", page.text);
        // only a hash is stored, and the log names the person
        let secret = browser.cookies["countersign-local"].clone();
        let stored = world.database.text("SELECT secret_hash FROM sign_ins").await;
        assert!(secret.len() == 64 && !stored.contains(&secret));
        assert!(world.audit().await.contains(&"session.signed_in by person:bob".to_owned()));
        world.finish().await;
    }

    /// Each of these sign-ins fails in one way alone.
    async fn forged_token_signs_nobody_in_w1(kind) {
        let world = world!(kind);
        for fault in [
            Fault::WrongProvider, Fault::WrongState, Fault::WrongSender, Fault::WrongNonce, Fault::NoNonce, Fault::WrongAudience, Fault::SharedAudience, Fault::WrongIssuer,
            Fault::Expired, Fault::Old, Fault::NotYet, Fault::UnknownKey, Fault::Unsigned, Fault::PublicKeyAsSecret,
            Fault::WrongSignature, Fault::OtherWorkspace, Fault::NoAccount, Fault::Down,
        ] {
            let mut browser = world.browser();
            world.slack.fail_next_sign_in(fault);
            let seen = browser.follow("/sign-in?as=U02BOB&next=/approvals").await;
            assert!((400..600).contains(&seen.status), "{fault:?}: {}", seen.status);
            assert!(!browser.is_signed_in() && seen.text.contains("<h1>"), "{fault:?}");
        }
        assert_eq!(sign_ins(&world).await, 0);
        // and without a fault, the same person comes in
        world.browser_of("U02BOB").await;
        assert_eq!(sign_ins(&world).await, 1);
        world.finish().await;
    }

    async fn answer_to_another_browser_and_used_code_are_refused_w1(kind) {
        let world = world!(kind);
        let mut mallory = world.browser();
        let back = returns_to(&mut mallory, "U04MALLORY").await;
        // mallory sends bob the address of her own return, so that he would act as her
        let mut bob = world.browser();
        assert_eq!(bob.open(&back).await.status, 403);
        let of_bob = returns_to(&mut bob, "U02BOB").await;
        assert_eq!(bob.open(&back).await.status, 403, "the state of another attempt");
        let attempt = bob.cookies.clone();
        assert_eq!(bob.open(&of_bob).await.status, 303);
        // the attempt is over; and whoever kept its cookie has a code that was used
        assert_eq!(bob.open(&of_bob).await.status, 403);
        bob.cookies = attempt;
        assert_eq!(bob.open(&of_bob).await.status, 403);
        // an attempt lasts ten minutes
        let mut late = world.browser();
        let back = returns_to(&mut late, "U02BOB").await;
        world.clock.advance(Span::minutes(10));
        assert_eq!(late.open(&back).await.status, 403);
        assert_eq!(sign_ins(&world).await, 1);
        world.finish().await;
    }

    async fn only_active_full_members_who_are_listed_sign_in_w1(kind) {
        let world = world!(kind);
        world.account("U06ERIN", |erin| erin.is_restricted = true).await;
        world.account("U05DAN", |dan| "T99OTHER".clone_into(&mut dan.team_id)).await;
        world.slack.change(|state| {
            let mut zoe = state.users["U02BOB"].clone();
            // an account that nobody lists, with bob's name and address
            "U99ZOE".clone_into(&mut zoe.id);
            state.users.insert(zoe.id.clone(), zoe);
        });
        for who in ["U06ERIN", "U05DAN", "U99ZOE"] {
            let mut browser = world.browser();
            let seen = browser.follow(&format!("/sign-in?as={who}")).await;
            assert_eq!(seen.status, 403, "{who}: {}", seen.text);
            assert!(!browser.is_signed_in(), "{who}");
        }
        // deactivated between the provider and the return
        let mut carol = world.browser();
        let back = returns_to(&mut carol, "U03CAROL").await;
        world.account("U03CAROL", |carol| carol.deleted = true).await;
        world.syncs().await;
        assert_eq!(carol.open(&back).await.status, 403);
        // inactive by the account at Slack, and so by the identity at another provider
        world.adds_provider(&[(2, "U04MALLORY")]).await;
        assert_eq!(world.browser().follow("/sign-in/oidc?as=U04MALLORY").await.status, 403);
        assert_eq!(sign_ins(&world).await, 0);
        assert!(world.audit().await.contains(&"session.refused by bot".to_owned()));
        world.finish().await;
    }

    async fn changed_key_is_fetched_again_once_a_minute_w1(kind) {
        let world = world!(kind);
        world.browser_of("U02BOB").await;
        assert_eq!(world.slack.sign_in_key_requests(), 1);
        world.clock.advance(Span::minutes(2));
        world.slack.rotate_sign_in_key();
        world.browser_of("U02BOB").await;
        assert_eq!(world.slack.sign_in_key_requests(), 2);
        for _ in 0..5 {
            world.slack.fail_next_sign_in(Fault::UnknownKey);
            assert_eq!(world.browser().follow("/sign-in?as=U02BOB").await.status, 403);
        }
        assert_eq!(world.slack.sign_in_key_requests(), 2, "unknown keys cause no storm");
        world.finish().await;
    }

    async fn another_provider_names_people_by_subject_and_never_by_mail_w1(kind) {
        let world = world!(kind);
        // bob's subject belongs to carol, although the token has bob's address
        world.adds_provider(&[(2, "U02BOB")]).await;
        let mut browser = world.browser();
        let choice = browser.open("/sign-in?next=/approvals").await;
        assert!(choice.text.contains("/sign-in/slack?next=%2Fapprovals") && choice.text.contains("/sign-in/oidc?next="), "{}", choice.text);
        let seen = browser.follow("/sign-in/oidc?as=U02BOB").await;
        assert!(seen.status == 200 && seen.text.contains("Carol Clark"), "{}", seen.text);
        let nobody = world.browser().follow("/sign-in/oidc?as=U01ALICE").await;
        assert_eq!(nobody.status, 403);
        // the answer of one provider does not complete the sign-in at the other
        let mut mixed = world.browser();
        let provider = mixed.open("/sign-in/oidc?as=U02BOB").await.location();
        let back = mixed.open(&provider).await.location().replace("/oidc/", "/slack/");
        assert_eq!(mixed.open(&back).await.status, 403);
        world.finish().await;
    }

    async fn identity_linked_after_a_request_does_not_decide_on_it_w1_b68(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.clock.advance(Span::minutes(1));
        world.adds_provider(&[(1, "U04MALLORY")]).await;
        let mut browser = world.browser();
        browser.follow("/sign-in/oidc?as=U04MALLORY").await;
        assert!(browser.is_signed_in());
        assert_eq!(browser.decides(1, "approve", "").await.status, 403);
        world.clock.advance(Span::minutes(1));
        world.types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3")).await;
        assert_eq!(browser.decides(2, "approve", "").await.status, 303);
        world.settle().await;
        world.finish().await;
    }

    async fn sign_in_leads_to_this_server_only_w4(kind) {
        let world = world!(kind);
        for (next, lands) in [
            ("/approvals/7", "/approvals/7"),
            ("//evil.example", "/approvals"),
            ("/%5Cevil.example", "/approvals"),
            ("https://evil.example", "/approvals"),
            ("/%2F/evil.example", "/approvals"),
            ("%2F%2Fevil.example", "/approvals"),
            ("/%09/evil.example", "/approvals"),
            ("javascript:alert(1)", "/approvals"),
        ] {
            let mut browser = world.browser();
            let provider = browser.open(&format!("/sign-in?as=U02BOB&next={next}")).await.location();
            let back = browser.open(&provider).await.location();
            assert_eq!(browser.open(&back).await.location(), lands, "{next}");
        }
        world.finish().await;
    }

    async fn pages_are_off_without_a_console_or_an_address(kind) {
        let world = world!(kind);
        let mut browser = Visitor::new(&world.url);
        assert_eq!(browser.open("/approvals").await.status, 503, "nobody has said where the pages are");
        world.shows_pages();
        world.reconfigure(|document| { document.as_object_mut().expect("a mapping").remove("console"); }).await;
        for path in ["/approvals", "/sign-in", "/sign-in/slack", "/sign-ins", "/approvals/1"] {
            assert_eq!(browser.open(path).await.status, 404, "{path}");
        }
        world.finish().await;
    }
}
