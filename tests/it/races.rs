//! Racing clicks (threats ST1, ST2, SL12, B61): with two replicas on one database no decision is stuck, duplicated or lost.
//!
//! `COUNTERSIGN_RACE_ROUNDS` sets the number of rounds; CI runs a thousand.

use crate::database::on_both;
use crate::race_support::{decision, rounds};
use crate::world::{World, world};
use countersign::app::{App, AppError, DecisionOutcome, RequestRef};
use countersign::domain::ask::Ask;
use countersign::domain::audit::AuditEventKind;
use countersign::domain::decision::{DecisionKind, Via};
use countersign::domain::principal::Caller;
use countersign::domain::refusal::Refusal;
use countersign::domain::request::Status;
use countersign::domain::request_details::RequestDetails;
use countersign::domain::time::Span;

/// Two replicas, and a request of alice's for every round.
struct Race {
    world: World,
    here: App,
    there: App,
}

impl Race {
    async fn start(world: World) -> Self {
        let (replica, _) = world.replica().await;
        Self {
            here: world.app().clone(),
            there: replica.app.clone(),
            world,
        }
    }

    async fn ask(&self) -> RequestRef {
        // a person's refused decisions are limited to a hundred a minute, and many rounds refuse one
        self.world.clock.advance(Span::seconds(1));
        let submission = Ask {
            action: "release.deploy".to_owned(),
            project: Some("api-platform".to_owned()),
            environment: Some("production".to_owned()),
            reason: Some("a race".to_owned()),
            ..Ask::default()
        };
        let alice = Caller::person("alice".into(), Via::Api);
        // the limits of pending requests and of requests per second are not under test
        self.world
            .clock
            .advance(countersign::domain::time::Span::seconds(1));
        let submitted = self
            .here
            .submit(&alice, submission, None)
            .await
            .expect("a request");
        RequestRef::Id(submitted.shown.request.id)
    }

    /// Boxed, because a world is large.
    fn finish(self) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async move {
            self.there.close().await;
            let Self { world, .. } = self;
            world.finish().await;
        })
    }
}

fn count(shown: &RequestDetails, what: AuditEventKind) -> usize {
    shown
        .timeline
        .iter()
        .filter(|event| event.what == what)
        .count()
}

fn refusal(outcome: Result<DecisionOutcome, AppError>) -> Option<Refusal> {
    match outcome {
        Ok(_) => None,
        Err(AppError::Refused(refusal)) => Some(refusal),
        Err(other) => panic!("neither a decision nor a refusal: {other}"),
    }
}

on_both! {
    async fn two_racing_clicks_complete_the_quorum_once_st1(kind) {
        let race = Race::start(world!(kind)).await;
        for _ in 0..rounds(200, 1) {
            let request = race.ask().await;
            let (bob, carol) = tokio::join!(
                race.here.decide(decision(&request, "bob", DecisionKind::Approve)),
                race.there.decide(decision(&request, "carol", DecisionKind::Approve)),
            );
            assert_eq!((refusal(bob), refusal(carol)), (None, None));
            let shown = race.there.show(&request).await.expect("it is there");
            assert_eq!(shown.request.state.status(), Status::Approved);
            assert_eq!(shown.decisions.len(), 2);
            assert_eq!(count(&shown, AuditEventKind::VoteApproved), 2);
            assert_eq!(count(&shown, AuditEventKind::RequestApproved), 1);
        }
        race.finish().await;
    }

    async fn approve_racing_reject_ends_in_exactly_one_state_st2(kind) {
        let race = Race::start(world!(kind)).await;
        let mut rejected = 0;
        for round in 0..rounds(200, 1) {
            let request = race.ask().await;
            race.here.decide(decision(&request, "bob", DecisionKind::Approve)).await.expect("the first of two");
            let (carol, dan) = tokio::join!(
                race.here.decide(decision(&request, "carol", DecisionKind::Approve)),
                race.there.decide(decision(&request, "dan", DecisionKind::Reject)),
            );
            let shown = race.here.show(&request).await.expect("it is there");
            let ended = (count(&shown, AuditEventKind::RequestApproved), count(&shown, AuditEventKind::RequestRejected));
            match (shown.request.state.status(), refusal(carol), refusal(dan)) {
                (Status::Approved, None, Some(Refusal::Closed(Status::Approved))) => assert_eq!(ended, (1, 0)),
                (Status::Rejected, Some(Refusal::Closed(Status::Rejected)), None) => {
                    rejected += 1;
                    assert_eq!(ended, (0, 1));
                }
                // carol's approval may meet a request that dan has already ended, but never a partly ended one
                other => panic!("round {round}: {other:?}"),
            }
            assert_eq!(shown.decisions.len(), 2, "the loser's vote is not kept");
        }
        println!("{rejected} of {} rounds went to the rejection", rounds(200, 1));
        race.finish().await;
    }

    async fn sixteen_clicks_of_one_person_are_one_decision_sl12(kind) {
        let race = Race::start(world!(kind)).await;
        for _ in 0..rounds(200, 10) {
            let request = race.ask().await;
            let clicks = (0..16).map(|n| {
                let app = if n % 2 == 0 { &race.here } else { &race.there };
                app.decide(decision(&request, "bob", if n % 3 == 0 { DecisionKind::Reject } else { DecisionKind::Approve }))
            });
            let outcomes = futures::future::join_all(clicks).await;
            let refusals: Vec<Refusal> = outcomes.into_iter().filter_map(refusal).collect();
            assert_eq!(refusals, vec![Refusal::AlreadyReviewed; 15]);
            race.world.clock.advance(Span::minutes(1));
            let shown = race.here.show(&request).await.expect("it is there");
            assert_eq!(shown.decisions.len(), 1);
        }
        race.finish().await;
    }

    async fn approve_racing_cancel_never_leaves_a_grant_b61(kind) {
        let race = Race::start(world!(kind)).await;
        let alice = Caller::person("alice".into(), Via::Api);
        for _ in 0..rounds(200, 4) {
            let request = race.ask().await;
            race.here.decide(decision(&request, "bob", DecisionKind::Approve)).await.expect("the first of two");
            let (carol, cancelled) = tokio::join!(
                race.there.decide(decision(&request, "carol", DecisionKind::Approve)),
                race.here.cancel(&alice, &request, None),
            );
            cancelled.expect("alice may take back what she asked for");
            let shown = race.there.show(&request).await.expect("it is there");
            assert_eq!(shown.request.state.status(), Status::Cancelled);
            let approved = usize::from(refusal(carol).is_none());
            assert_eq!(count(&shown, AuditEventKind::RequestApproved), approved);
            assert_eq!(shown.decisions.len(), 1 + approved);
        }
        race.finish().await;
    }
}
