//! Endpoints that are slow, down, elsewhere or not allowed.

use super::endpoint::Endpoint;
use super::{hook, hooked, told};
use crate::break_glass::said;
use crate::database::on_both;
use crate::world::{DEPLOY, operator};
use countersign::domain::time::Span;

on_both! {
    async fn slow_or_dead_endpoint_holds_back_no_other_no12(kind) {
        let (slow, good) = (Endpoint::start().await, Endpoint::start().await);
        slow.holds();
        // nothing listens there
        let dead = "http://127.0.0.1:9/hooks";
        let world = hooked!(kind, hook(&slow.url("/hooks")), hook(dead), hook(&good.url("/hooks")));
        let asks = async {
            world.types("alice", DEPLOY).await;
            for who in ["bob", "carol"] {
                assert_eq!(world.clicks(who, "approve").await, "");
            }
        };
        // `asks` ends once the slow endpoint has answered, which waits for the good one
        let opens = async {
            slow.arrived(1).await;
            good.arrived(1).await;
            slow.opens();
        };
        tokio::join!(asks, opens);
        assert_eq!(told(&good.received()), ["request.created pending", "request.decided approved"]);
        assert_eq!(told(&slow.received()), ["request.created pending", "request.decided approved"]);
        world.database.execute("DELETE FROM outbox WHERE channel LIKE '%:9/hooks'").await.expect("deleted");
        world.finish().await;
    }

    async fn endpoint_that_fails_for_a_day_is_switched_off_announced_and_switched_on_again_no12(kind) {
        let endpoint = Endpoint::start().await;
        let url = endpoint.url("/hooks");
        let world = hooked!(kind, hook(&url));
        endpoint.always(Some(500));
        world.types("alice", DEPLOY).await;
        for _ in 0..23 {
            world.passes(Span::hours(1)).await;
        }
        let degraded = world.degraded().await.join("\n");
        assert!(degraded.contains(&format!("webhook {url} has failed since")), "{degraded}");
        assert!(!degraded.contains("switched off"), "{degraded}");
        for _ in 0..9 {
            world.passes(Span::hours(1)).await;
        }
        let degraded = world.degraded().await.join("\n");
        assert!(degraded.contains("was switched off at") && degraded.contains("countersign webhook enable"), "{degraded}");
        let alerts: Vec<String> = said(&world, "security").into_iter().filter(|text| text.contains("is switched off")).collect();
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert!(alerts[0].contains("the endpoint answered 500"), "{alerts:?}");
        assert_eq!(world.audit().await.iter().filter(|line| *line == "webhook.disabled by bot").count(), 1);
        let metrics = reqwest::get(format!("{}/metrics", world.url)).await.expect("an answer");
        assert_eq!(metrics.status(), 200);

        // nothing is sent any more, and nothing is lost
        let attempts = endpoint.taken().len();
        assert_eq!(attempts, 8);
        world.passes(Span::hours(1)).await;
        assert!(endpoint.received().is_empty());
        endpoint.always(None);
        let webhook = world.app().webhook(&url).await.expect("it is configured");
        assert!(world.app().enable_webhook(&operator(), &webhook).await.expect("enabled"));
        assert!(!world.app().enable_webhook(&operator(), &webhook).await.expect("once"));
        world.settle().await;
        assert_eq!(told(&endpoint.received()), ["request.created pending", "request.expired expired"]);
        assert!(world.audit().await.contains(&"webhook.enabled by operator".to_owned()));
        assert!(world.degraded().await.is_empty());
        world.finish().await;
    }

    async fn endpoint_that_says_gone_is_switched_off_at_once(kind) {
        let endpoint = Endpoint::start().await;
        let world = hooked!(kind, hook(&endpoint.url("/hooks")));
        endpoint.always(Some(410));
        world.types("alice", DEPLOY).await;
        let degraded = world.degraded().await.join("\n");
        assert!(degraded.contains("the endpoint answered 410 (gone)"), "{degraded}");
        assert_eq!(endpoint.received().len(), 1);
        world.database.execute("DELETE FROM outbox WHERE lane = 3").await.expect("deleted");
        world.finish().await;
    }

    async fn redirects_are_not_followed_no9(kind) {
        let (endpoint, inside) = (Endpoint::start().await, Endpoint::start().await);
        let world = hooked!(kind, hook(&endpoint.url("/hooks")));
        endpoint.redirects_to(&inside.url("/secrets"));
        world.types("alice", DEPLOY).await;
        let trouble = world.database.text("SELECT trouble FROM outbox WHERE lane = 3").await;
        assert!(trouble.contains("redirects are not followed"), "{trouble}");
        assert!(inside.received().is_empty());
        endpoint.always(None);
        world.passes(Span::seconds(10)).await;
        world.finish().await;
    }

    async fn private_addresses_are_refused_unless_the_webhook_allows_them_no9(kind) {
        let endpoint = Endpoint::start().await;
        let port = endpoint.url("").rsplit(':').next().expect("a port").to_owned();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let url = format!("https://{host}:{port}/hooks");
            let refused = hook(&url).replace("allowPrivate: true", "allowPrivate: false");
            let world = hooked!(kind, refused);
            world.types("alice", DEPLOY).await;
            let trouble = world.database.text("SELECT trouble FROM outbox WHERE lane = 3").await;
            assert!(trouble.contains("is not a public address"), "{host}: {trouble}");
            assert!(trouble.contains("allowPrivate"), "{host}: {trouble}");
            world.database.execute("DELETE FROM outbox WHERE lane = 3").await.expect("deleted");
            world.finish().await;
        }
        assert!(endpoint.received().is_empty());
    }

    async fn webhook_without_its_secret_is_never_sent_unsigned_no10(kind) {
        let endpoint = Endpoint::start().await;
        let url = endpoint.url("/hooks");
        let world = hooked!(kind, hook(&url).replace("HOOK_SECRET", "NO_SUCH_VARIABLE"));
        world.types("alice", DEPLOY).await;
        let trouble = world.database.text("SELECT trouble FROM outbox WHERE lane = 3").await;
        assert_eq!(trouble, "NO_SUCH_VARIABLE is not set, so nothing can be signed");
        assert!(endpoint.received().is_empty());
        world.database.execute("DELETE FROM outbox WHERE lane = 3").await.expect("deleted");
        world.finish().await;
    }
}
