use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// A task that panics so often before it ends.
fn panics(
    times: u32,
    starts: &Arc<AtomicU32>,
) -> impl FnMut() -> futures::future::BoxFuture<'static, ()> + use<> {
    let starts = Arc::clone(starts);
    move || {
        let start = starts.fetch_add(1, Ordering::SeqCst);
        async move { assert!(start >= times, "start {start}") }.boxed()
    }
}

#[tokio::test]
async fn a_task_that_panics_is_started_again_r35() {
    let (supervisor, starts) = (Supervisor::default(), Arc::<AtomicU32>::default());
    let stop = CancellationToken::new();
    let seen = supervisor.clone();
    let mut start = panics(2, &starts);
    let task = move || {
        let after_a_panic = starts.load(Ordering::SeqCst) > 0;
        assert_eq!(!seen.degraded().is_empty(), after_a_panic);
        start()
    };
    supervisor.clone().supervise("probe", stop, task).await;
    // it has ended by itself, so nothing is wrong any more
    assert_eq!(supervisor.degraded(), Vec::<String>::new());
}

#[tokio::test]
async fn a_task_that_panics_at_once_is_supervised_too_r35() {
    let supervisor = Supervisor::default();
    let mut panicked = false;
    let task = || {
        let first = !std::mem::replace(&mut panicked, true);
        assert!(!first, "before its first await");
        async {}
    };
    supervisor
        .clone()
        .supervise("probe", CancellationToken::new(), task)
        .await;
    assert!(panicked);
}

#[tokio::test]
async fn a_bot_that_stops_starts_nothing_again_r35() {
    let (supervisor, starts) = (Supervisor::default(), Arc::<AtomicU32>::default());
    let stop = CancellationToken::new();
    stop.cancel();
    supervisor
        .clone()
        .supervise("probe", stop, panics(99, &starts))
        .await;
    assert_eq!(starts.load(Ordering::SeqCst), 1);
    assert_eq!(
        supervisor.degraded(),
        ["the task `probe` has panicked and was started again (1 times); see the log"]
    );
}

#[test]
fn panics_are_counted_by_task_r35() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        let supervisor = Supervisor::default();
        supervisor.panicked("probe", &"why");
        supervisor.panicked("probe", &"why");
    });
    let rendered = recorder.handle().render();
    assert!(
        rendered.contains("countersign_task_panics_total{task=\"probe\"} 2"),
        "{rendered}"
    );
}

#[test]
fn pauses_grow_up_to_a_limit_r35() {
    let supervisor = Supervisor::default();
    let pauses: Vec<u128> = (0..9)
        .map(|_| supervisor.panicked("probe", &"why").as_millis())
        .collect();
    assert_eq!(
        pauses,
        [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]
    );
}

#[test]
fn a_failing_step_is_reported_until_it_works_r35() {
    let supervisor = Supervisor::default();
    supervisor.step("expiry", false);
    supervisor.step("expiry", false);
    supervisor.step("sealing", true);
    assert_eq!(
        supervisor.degraded(),
        ["the step `expiry` fails and is tried again (2 times in a row); see the log"]
    );
    supervisor.step("expiry", true);
    assert_eq!(supervisor.degraded(), Vec::<String>::new());
}
