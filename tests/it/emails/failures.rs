//! A mail server that fails delays e-mails only; nothing is lost, and nobody else waits.

use super::server::Failing;
use super::{mailing, told};
use crate::database::on_both;
use crate::doctor::visit;
use crate::notifications::reminders;
use crate::world::{DEPLOY, operator};
use countersign::domain::time::Span;

on_both! {
    async fn a_dead_mail_server_stops_nothing_is_reported_and_recovers_no15(kind) {
        let (mut world, mut server) = mailing!(kind);
        server.stop().await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!((reminders(&world, "bob"), reminders(&world, "carol")), (1, 1), "Slack does not wait for it");
        let degraded = world.degraded().await.join("\n");
        assert!(degraded.contains("2 e-mails have not been sent: the mail server 127.0.0.1:") && degraded.contains("Connection refused"), "{degraded}");
        world.restart().await;
        world.passes(Span::minutes(30)).await;
        server.start_again().await;
        world.passes(Span::minutes(5)).await;
        assert_eq!(told(&server), [
            "bob@example.com: Reminder: #1 Release Deploy waits for you",
            "carol@example.com: Reminder: #1 Release Deploy waits for you",
        ]);
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.types("alice", "cancel 1").await;
        world.finish().await;
    }

    async fn each_way_of_failing_is_named_and_retried_no15(kind) {
        let (world, server) = mailing!(kind);
        world.types("alice", DEPLOY).await;
        world.types("carol", "reject 1 not today").await;
        world.types("alice", &DEPLOY.replace("v1.4.2", "v2")).await;
        for (failing, why) in [
            (Failing::Drops, "127.0.0.1"),
            (Failing::IsClosing, "421"),
            (Failing::RefusesSenders, "refuses the sender approvals@countersign.example: permanent error (553)"),
        ] {
            server.fails(Some(failing));
            let before = server.connections();
            world.types("carol", "reject 2 not today").await;
            world.passes(Span::minutes(10)).await;
            assert!(server.connections() > before);
            let degraded = world.degraded().await.join("\n");
            assert!(degraded.contains("1 e-mails have not been sent") && degraded.contains(why), "{failing:?}: {degraded}");
        }
        server.fails(None);
        world.passes(Span::minutes(5)).await;
        assert_eq!(told(&server), ["alice@example.com: #1 Release Deploy was rejected", "alice@example.com: #2 Release Deploy was rejected"]);
        world.finish().await;
    }

    async fn one_refused_address_stops_no_other_no15(kind) {
        let (world, server) = mailing!(kind);
        server.refuses("bob@example.com", &[550]);
        server.refuses("carol@example.com", &[450]);
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!(told(&server), Vec::<String>::new());
        // bob's is given up at once, carol's is tried again
        assert_eq!(world.database.count("SELECT count(*) FROM outbox WHERE lane = 4 AND due_at IS NULL").await, 1);
        world.passes(Span::minutes(2)).await;
        assert_eq!(told(&server), ["carol@example.com: Reminder: #1 Release Deploy waits for you"]);
        let (code, said) = visit(&world, &[], &[("SMTP_PASSWORD", super::PASSWORD)]).await;
        assert!(code == 0 && said.contains("an e-mail of 2026-11-23T12:00:00.000Z: the mail server refuses the recipient bob@example.com"), "{said}");
        world.types("alice", "cancel 1").await;
        world.database.execute("DELETE FROM outbox WHERE lane = 4").await.expect("a row");
        world.finish().await;
    }

    async fn emails_are_given_up_after_a_day_and_forgotten_after_a_week(kind) {
        let (world, mut server) = mailing!(kind);
        server.stop().await;
        world.types("alice", DEPLOY).await;
        world.types("carol", "reject 1 not today").await;
        let waiting = "SELECT count(*) FROM outbox WHERE lane = 4 AND due_at IS NOT NULL";
        world.passes(Span::hours(23)).await;
        assert_eq!(world.database.count(waiting).await, 1);
        world.passes(Span::hours(1)).await;
        assert_eq!(world.database.count(waiting).await, 0);
        let said = visit(&world, &[], &[("SMTP_PASSWORD", super::PASSWORD)]).await.1;
        assert!(said.contains("! warning  undelivered: an e-mail of"), "{said}");
        world.passes(Span::hours(6 * 24)).await;
        assert_eq!(world.database.count("SELECT count(*) FROM outbox").await, 0);
        world.finish().await;
    }

    async fn two_replicas_send_each_email_once_with_a_stable_message_id(kind) {
        let (world, server) = mailing!(kind);
        let (replica, _) = world.replica().await;
        for release in 0..6 {
            world.types("alice", &DEPLOY.replace("v1.4.2", &format!("v{release}"))).await;
        }
        world.clock.advance(Span::hours(2));
        let (one, other) = tokio::join!(world.bot.workers.settle(), replica.workers.settle());
        one.and(other).expect("the workers work");
        world.passes(Span::minutes(2)).await;
        assert_eq!(server.received().len(), 12);
        let mut ids: Vec<String> = server.received().iter().map(|one| one.header("Message-ID")).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 12);
        assert!(ids[0].starts_with("<out_") && ids[0].ends_with("@countersign.example>"), "{ids:?}");
        replica.stop().await;
        for number in 1..=6 {
            world.types("alice", &format!("cancel {number}")).await;
        }
        world.finish().await;
    }

    async fn what_is_not_true_any_more_is_not_sent(kind) {
        let (world, mut server) = mailing!(kind);
        server.stop().await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        world.clicks("bob", "approve").await;
        server.start_again().await;
        world.passes(Span::minutes(5)).await;
        assert_eq!(told(&server), ["carol@example.com: Reminder: #1 Release Deploy waits for you"]);
        world.types("alice", "cancel 1").await;
        world.finish().await;
    }

    async fn emails_end_with_the_settings(kind) {
        let (world, mut server) = mailing!(kind);
        server.stop().await;
        world.types("alice", DEPLOY).await;
        world.types("carol", "reject 1 not today").await;
        let mut document = world.app().config().await.expect("a configuration").document;
        document.email = None;
        world.app().change_config(&operator(), document, None, None).await.expect("applied");
        world.passes(Span::minutes(5)).await;
        assert_eq!(world.database.count("SELECT count(*) FROM outbox WHERE lane = 4").await, 0);
        assert!(crate::break_glass::said(&world, "security").iter().any(|said| said.contains("email")), "it is announced");
        world.finish().await;
    }
}
