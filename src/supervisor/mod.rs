//! Long-lived tasks: one that panics is started again, and whoever operates the bot learns of it (threat R35).

use futures::FutureExt;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Counts panics of long-lived tasks, by task.
pub const TASK_PANICS: &str = "countersign_task_panics_total";

/// The pause before the first restart; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: decisions and alerts wait for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A task that has run for so long after its restart counts as healthy again.
const HEALTHY_AFTER: Duration = Duration::from_mins(10);

/// Starts long-lived tasks again and knows which of them are in trouble; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Supervisor(Arc<Mutex<ReadinessState>>);

#[derive(Debug, Default)]
struct ReadinessState {
    /// How often a task has panicked lately.
    panics: BTreeMap<&'static str, u32>,
    /// Steps whose last try failed.
    failing: BTreeMap<&'static str, u32>,
    /// What else does not work, a sentence for each topic.
    said: BTreeMap<&'static str, &'static str>,
}

impl Supervisor {
    /// Runs a task until it ends by itself. After a panic it is started again, unless the bot stops.
    pub async fn supervise<F: Future<Output = ()>>(
        self,
        task: &'static str,
        stop: CancellationToken,
        mut start: impl FnMut() -> F,
    ) {
        loop {
            let running = AssertUnwindSafe(async { start().await }).catch_unwind();
            let Err(panic) = self.until_healthy(task, running).await else {
                self.lock().panics.remove(task);
                return;
            };
            let pause = self.panicked(task, panic.as_ref());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One step of a task has failed, or works: a sentence is kept as long as its last try failed.
    pub fn step(&self, step: &'static str, works: bool) {
        let mut troubles = self.lock();
        if works {
            troubles.failing.remove(step);
        } else {
            let failures = troubles.failing.entry(step).or_default();
            *failures = failures.saturating_add(1);
        }
    }

    /// Says what does not work with a topic, or that it works again.
    pub fn say(&self, topic: &'static str, sentence: Option<&'static str>) {
        let mut troubles = self.lock();
        match sentence {
            Some(sentence) => troubles.said.insert(topic, sentence),
            None => troubles.said.remove(topic),
        };
    }

    /// What is in trouble, a sentence each. Details are in the log alone: this is read without a token.
    pub fn degraded(&self) -> Vec<String> {
        let troubles = self.lock();
        let panics = troubles.panics.iter().map(|(task, times)| {
            format!(
                "the task `{task}` has panicked and was started again ({times} times); see the log"
            )
        });
        let failing = troubles.failing.iter().map(|(step, times)| {
            format!(
                "the step `{step}` fails and is tried again ({times} times in a row); see the log"
            )
        });
        let said = troubles.said.values().map(|said| (*said).to_owned());
        panics.chain(failing).chain(said).collect()
    }

    /// Waits for a task; one that has run for a while is not in trouble any more.
    async fn until_healthy<T>(&self, task: &'static str, running: impl Future<Output = T>) -> T {
        tokio::pin!(running);
        tokio::select! {
            biased;
            ended = &mut running => return ended,
            () = tokio::time::sleep(HEALTHY_AFTER) => {}
        }
        self.lock().panics.remove(task);
        running.await
    }

    /// Reports a panic; says how long to pause.
    fn panicked(&self, task: &'static str, panic: &(dyn Any + Send)) -> Duration {
        let mut troubles = self.lock();
        let times = troubles.panics.entry(task).or_default();
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(*times));
        *times = times.saturating_add(1);
        metrics::counter!(TASK_PANICS, "task" => task).increment(1);
        tracing::error!(
            task,
            times = *times,
            panic = message(panic),
            "task panicked, restarting"
        );
        pause.min(LONGEST_PAUSE)
    }

    fn lock(&self) -> MutexGuard<'_, ReadinessState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests;
