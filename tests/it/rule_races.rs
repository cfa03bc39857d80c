//! Configuration changes that race with decisions (threats ST3, ST4, AP3, B04): no decision uses a configuration that an earlier commit
//! replaced, nothing deadlocks, and no click is lost.
//!
//! `COUNTERSIGN_RACE_ROUNDS` sets the number of rounds.

use crate::database::{Kind, on_both};
use crate::policies::{configure, document};
use crate::race_support::{approval, rounds};
use crate::world::{World, world};
use countersign::app::{App, AppError, Changed, DecisionOutcome, RequestRef};
use countersign::domain::ask::Ask;
use countersign::domain::decision::Via;
use countersign::domain::document::ConfigDocument;
use countersign::domain::principal::Caller;
use countersign::domain::refusal::Refusal;
use countersign::domain::request::{Request, Status};
use countersign::domain::time::Span;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::Duration;

/// A round that takes longer is stuck.
const STUCK: Duration = Duration::from_mins(1);

/// One policy on production with this many approvals by backend and SRE; if `gated`, security must approve configuration changes.
fn gate(least: u32, gated: bool) -> ConfigDocument {
    let mut policies = format!(
        "  - {{id: gate, name: Gate, scope: environment, approvers: {{teams: [backend, sre]}}, quorum: {{minApprovals: {least}}}}}"
    );
    let mut bindings = "  - {policy: gate, level: environment, resource: production}".to_owned();
    if gated {
        policies += "\n  - {id: rules-gate, name: Rules Gate, scope: organization, actions: [environment.policy_update], approvers: {teams: [security]}}";
        bindings += "\n  - {policy: rules-gate, level: organization}";
    }
    document(&policies, &bindings, "")
}

async fn asks(world: &World) -> Request {
    // the rate limit is not under test
    world.clock.advance(Span::seconds(1));
    let ask = Ask {
        action: "release.deploy".to_owned(),
        project: Some("api-platform".to_owned()),
        environment: Some("production".to_owned()),
        reason: Some("a race".to_owned()),
        ..Ask::default()
    };
    let asked = world.app().submit(&alice(), ask, None).await;
    asked.expect("a request").shown.request
}

fn alice() -> Caller {
    Caller::person("alice".into(), Via::Api)
}

/// Decides, and retries while the bot is too busy to decide.
async fn decides(app: &App, request: &Request, who: &str) -> Result<DecisionOutcome, AppError> {
    loop {
        match app
            .decide(approval(&RequestRef::Id(request.id.clone()), who))
            .await
        {
            Err(AppError::Busy) => tokio::task::yield_now().await,
            other => return other,
        }
    }
}

/// Whether an event of this request was written after the last configuration change. Transactions write in the order in which they got the
/// configuration lock; at their first write they number their rows (`SQLite`) or themselves (Postgres).
async fn came_after_the_change(world: &World, kind: Kind, what: &str, request: &Request) -> bool {
    let place = match kind {
        Kind::Sqlite => "rowid",
        Kind::Postgres => "CAST(CAST(xmin AS TEXT) AS BIGINT)",
    };
    let sql = format!(
        "SELECT count(*) FROM audit WHERE what = '{what}' AND request_id = '{}'
         AND {place} > (SELECT max({place}) FROM audit WHERE what = 'config.changed')",
        request.id
    );
    world.database.count(&sql).await > 0
}

on_both! {
    async fn execution_and_policy_tightening_are_serialized_st3_b04(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let rounds = rounds(60, 10);
        let mut executed = 0;
        for round in 0..rounds {
            configure(&world, gate(1, false)).await;
            let request = asks(&world).await;
            decides(world.app(), &request, "carol").await.expect("one is enough");
            let (here, there) = if round % 2 == 0 { (world.app(), &replica.app) } else { (&replica.app, world.app()) };
            let (id, digest) = (RequestRef::Id(request.id.clone()), request.digest.to_string());
            let alice = alice();
            let operator = crate::world::operator();
            let (outcome, changed) = tokio::join!(
                here.execute(&alice, &id, digest.as_str().into(), None),
                there.change_config(&operator, gate(2, false), None, None),
            );
            assert!(matches!(changed, Ok(Changed::Applied(_))), "round {round}: {changed:?}");
            match outcome {
                Ok(_) => {
                    executed += 1;
                    assert!(!came_after_the_change(&world, kind, "request.executed", &request).await, "round {round}");
                }
                Err(AppError::Refused(Refusal::RequirementsChanged(_))) => {}
                Err(other) => panic!("round {round}: {other:?}"),
            }
        }
        println!("{executed} of {rounds} executions were faster than the change");
        replica.stop().await;
        world.finish().await;
    }

    async fn final_approval_and_membership_loss_are_serialized_st4(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let rounds = rounds(60, 10);
        let mut voted = 0;
        for round in 0..rounds {
            configure(&world, gate(2, false)).await;
            let request = asks(&world).await;
            decides(world.app(), &request, "bob").await.expect("the first of two");
            let mut without = gate(2, false);
            without.directory.teams[1].members.retain(|member| member.as_str() != "carol");
            let (here, there) = if round % 2 == 0 { (world.app(), &replica.app) } else { (&replica.app, world.app()) };
            let operator = crate::world::operator();
            let (decision, changed) = tokio::join!(
                decides(here, &request, "carol"),
                there.change_config(&operator, without, None, None),
            );
            assert!(matches!(changed, Ok(Changed::Applied(_))), "round {round}: {changed:?}");
            match decision {
                Ok(decided) => {
                    voted += 1;
                    assert_eq!(decided.status, Status::Approved, "round {round}");
                    assert!(!came_after_the_change(&world, kind, "request.approved", &request).await, "round {round}");
                }
                Err(AppError::Refused(Refusal::NotEligible(_))) => {}
                Err(other) => panic!("round {round}: {other:?}"),
            }
        }
        println!("{voted} of {rounds} votes were faster than the change");
        replica.stop().await;
        world.finish().await;
    }

    /// A click on a configuration change needs the configuration lock alone, ordinary clicks share it, and other changes hold it meanwhile.
    async fn clicks_on_config_changes_and_ordinary_requests_do_not_deadlock_st9(kind) {
        const ORDINARY: usize = 8;
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        configure(&world, gate(2, true)).await;
        let (mut carried_out, rounds) = (0, rounds(60, 10) / 3);
        for round in 0..rounds {
            let mut requests = Vec::with_capacity(ORDINARY);
            for _ in 0..ORDINARY {
                requests.push(asks(&world).await);
            }
            let carol = Caller::person("carol".into(), Via::Api);
            let mut document = world.app().config().await.expect("it").document;
            document.organization = format!("acme-{round}-by-request");
            let changed = world.app().change_config(&carol, document.clone(), None, Some("a race".to_owned())).await;
            let Ok(Changed::Requested(change)) = changed else { panic!("round {round}: {changed:?}") };
            document.organization = format!("acme-{round}-by-the-operator");

            let ordinary = requests.iter().flat_map(|request| [(world.app(), request, "bob"), (&replica.app, request, "carol")]);
            let ordinary = ordinary.map(|(app, request, who)| decides(app, request, who));
            let all = async {
                tokio::join!(
                    futures::future::join_all(ordinary),
                    decides(&replica.app, &change.request, "erin"),
                    world.app().recover(&document, "a race"),
                )
            };
            let (decisions, decided, recovered) = tokio::time::timeout(STUCK, Box::pin(all)).await.expect("nobody waits for somebody who waits for them");
            for decision in decisions {
                decision.unwrap_or_else(|error| panic!("round {round}: {error}"));
            }
            recovered.unwrap_or_else(|error| panic!("round {round}: {error}"));
            match decided.unwrap_or_else(|error| panic!("round {round}: {error}")).status {
                Status::Completed => carried_out += 1,
                Status::Cancelled => {}
                other => panic!("round {round}: the change is {other}"),
            }
            for request in &requests {
                let shown = world.app().show(&RequestRef::Id(request.id.clone())).await.expect("it is there");
                assert_eq!((shown.request.state.status(), shown.decisions.len()), (Status::Approved, 2), "round {round}");
            }
        }
        println!("{carried_out} of {rounds} changes were faster than the operator's");
        replica.stop().await;
        world.finish().await;
    }
}

/// Another replica's transaction that has taken the configuration lock with this function.
async fn held(world: &World, lock: &str) -> PgConnection {
    let mut conn = PgConnection::connect(&world.database.url)
        .await
        .expect("the server");
    conn.execute("BEGIN").await.expect("begun");
    let lock = format!("SELECT {lock}(hashtext(current_schema()))");
    conn.execute(sqlx::AssertSqlSafe(lock))
        .await
        .expect("locked");
    conn
}

/// Decides, sees that the decision waits for the holder of the lock, and releases the lock.
async fn decides_after(
    mut holder: PgConnection,
    world: &World,
    request: &Request,
    who: &str,
) -> Status {
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objsubid = 1
        AND objid = CAST(CAST(hashtext(current_schema()) AS BIT(32)) AS BIGINT)";
    let (app, input) = (
        world.app().clone(),
        approval(&RequestRef::Id(request.id.clone()), who),
    );
    let deciding = tokio::spawn(async move { app.decide(input).await });
    while world.database.count(waiting).await == 0 {
        assert!(
            !deciding.is_finished(),
            "{who} did not wait: {:?}",
            deciding.await
        );
        tokio::task::yield_now().await;
    }
    holder.execute("ROLLBACK").await.expect("released");
    let decided = deciding.await.expect("no panic");
    decided.expect("a decision").status
}

/// An execution holds the configuration lock shared, a change holds it alone. An ordinary decision waits for a change only; one that
/// changes the configuration waits for both.
#[tokio::test]
async fn decisions_wait_for_changes_and_config_changes_for_everybody_st3_st9() {
    let world = world!(Kind::Postgres);
    configure(&world, gate(1, true)).await;
    let mut document = world.app().config().await.expect("it").document;
    document.organization = "acme-changed".to_owned();
    let carol = Caller::person("carol".into(), Via::Api);
    let reason = Some("a race".to_owned());
    let changed = world
        .app()
        .change_config(&carol, document, None, reason)
        .await;
    let Ok(Changed::Requested(change)) = changed else {
        panic!("{changed:?}")
    };

    let ordinary = asks(&world).await;
    let execution = held(&world, "pg_advisory_xact_lock_shared").await;
    let input = approval(&RequestRef::Id(ordinary.id.clone()), "bob");
    let decided = world
        .app()
        .decide(input)
        .await
        .expect("it waits for nobody");
    assert_eq!(decided.status, Status::Approved);
    let status = decides_after(execution, &world, &change.request, "erin").await;
    assert_eq!(status, Status::Completed);

    let ordinary = asks(&world).await;
    let change = held(&world, "pg_advisory_xact_lock").await;
    let status = decides_after(change, &world, &ordinary, "bob").await;
    assert_eq!(status, Status::Approved);
    world.finish().await;
}
