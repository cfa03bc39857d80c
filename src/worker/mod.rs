//! The workers: cards are brought up to date, messages delivered, requests expired, the audit log sealed. Each is a `tick` that does
//! what is due now, and a loop around it.

mod cards;
mod outbox;
mod pace;
mod pause;
mod sessions;
mod sweep;

use crate::app::{App, AppError};
use crate::slack::client::Slack;
use crate::slack::dispatch::Dispatcher;
use pace::Pace;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a worker looks although nobody woke it: for what time, another replica or another process has made due.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Home tabs that are looked at in one go.
const HOMES_AT_ONCE: i64 = 8;

/// All workers of one replica; cheap to clone.
#[derive(Clone)]
pub struct Workers {
    app: App,
    slack: Slack,
    posts: Arc<Pace>,
    updates: Arc<Pace>,
    messages: Arc<Pace>,
    homes: Arc<Pace>,
    dispatcher: Dispatcher,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What a worker does.
#[derive(Debug, Clone, Copy)]
enum Work {
    Cards,
    Messages,
    Sweeps,
    Homes,
}

impl Workers {
    /// Workers that do nothing yet: call [`Workers::start`], or [`Workers::settle`] in a test.
    pub fn new(app: App, slack: Slack, dispatcher: Dispatcher) -> Self {
        Self {
            app,
            slack,
            // chat.postMessage: several hundred a minute and workspace; chat.update: 50 a minute
            posts: Arc::new(Pace::new(20, 250)),
            updates: Arc::new(Pace::new(50, 1_000)),
            // direct messages: conversations.open, then chat.postMessage
            messages: Arc::new(Pace::new(50, 500)),
            // views.publish: 100 a minute, and every look at a Home costs the database something
            homes: Arc::new(Pace::new(20, 600)),
            dispatcher,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Starts the loops.
    pub fn start(&self) {
        for work in [Work::Cards, Work::Messages, Work::Sweeps, Work::Homes] {
            self.tasks.spawn(self.clone().run(work));
        }
    }

    /// Lets every loop finish what it is doing.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Does everything that is due now, until nothing is.
    pub async fn settle(&self) -> Result<(), AppError> {
        loop {
            let mut more = false;
            for work in [Work::Sweeps, Work::Messages, Work::Cards, Work::Homes] {
                more |= self.tick(work).await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Does some of what is due now; says whether there may be more.
    async fn tick(&self, work: Work) -> Result<bool, AppError> {
        match work {
            Work::Cards => self.tick_cards().await,
            Work::Messages => self.tick_messages().await,
            Work::Sweeps => self.tick_sweeps().await,
            Work::Homes => Ok(self.tick_homes().await),
        }
    }

    /// Home tabs that somebody looks at are published anew where they show something else by now.
    async fn tick_homes(&self) -> bool {
        let allowed = self.homes.take(HOMES_AT_ONCE, self.app.now());
        let looked_at = self.dispatcher.refresh_homes(allowed).await;
        self.homes.give_back(allowed - looked_at);
        looked_at > 0
    }

    async fn run(self, work: Work) {
        let mut commits = self.app.work();
        while !self.stop.is_cancelled() {
            commits.mark_unchanged();
            match self.tick(work).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(?work, %error, "a worker could not work; it tries again");
                }
            }
            tokio::select! {
                // what time makes due, no commit does
                _ = commits.changed(), if !matches!(work, Work::Sweeps) => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }
}
