//! The workers: cards are brought up to date, messages delivered, requests expired, the audit log sealed. Each is a `tick` that does
//! what is due now, and a loop around it.

mod cards;
mod egress;
mod emails;
mod outbox;
mod pace;
mod pause;
mod sessions;
mod sweep;
mod threads;
mod ticked;
mod undelivered;
mod waiting;
mod webhooks;

use crate::app::{App, AppError};
use crate::net::Poster;
use crate::slack::api::client::Slack;
use crate::slack::handlers::Dispatcher;
use egress::Egress;
use emails::Emails;
use pace::Pace;
use std::sync::Arc;
use std::time::Duration;
use ticked::{Ticked, in_time};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
pub use webhooks::Variables;
use webhooks::Webhooks;

/// How often a worker looks although nobody woke it: for what time, another replica or another process has made due.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

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
    egress: Arc<Egress>,
    webhooks: Webhooks,
    emails: Emails,
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
    Webhooks,
    Emails,
}

/// In the order in which a test lets them run: what time makes due comes first.
const ALL_WORK: [Work; 6] = [
    Work::Sweeps,
    Work::Messages,
    Work::Cards,
    Work::Homes,
    Work::Webhooks,
    Work::Emails,
];

impl Work {
    /// Whether it calls Slack.
    fn needs_slack(self) -> bool {
        match self {
            Self::Cards | Self::Messages | Self::Homes => true,
            Self::Sweeps | Self::Webhooks | Self::Emails => false,
        }
    }

    /// Its name in logs, metrics and `/readyz`.
    fn name(self) -> &'static str {
        match self {
            Self::Cards => "cards worker",
            Self::Messages => "messages worker",
            Self::Sweeps => "sweeps worker",
            Self::Homes => "Home tabs worker",
            Self::Webhooks => "webhooks worker",
            Self::Emails => "e-mails worker",
        }
    }
}

impl Workers {
    /// Workers that do nothing yet: call [`Workers::start`], or [`Workers::settle`] in a test.
    pub fn new(app: App, slack: Slack, dispatcher: Dispatcher, variables: Variables) -> Self {
        Self {
            app,
            emails: Emails::new(variables.clone()),
            webhooks: Webhooks::new(Poster::new(slack.proxies()), variables),
            slack,
            // chat.postMessage: several hundred a minute and workspace
            posts: Arc::new(Pace::new(20, 250)),
            // chat.update: 50 in any minute (Tier 3)
            updates: Arc::new(Pace::per_minute(48)),
            // direct messages: conversations.open, then chat.postMessage
            messages: Arc::new(Pace::new(50, 500)),
            // views.publish: 100 a minute, and every look at a Home costs the database something
            homes: Arc::new(Pace::new(20, 600)),
            egress: Arc::default(),
            dispatcher,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Starts the loops.
    pub fn start(&self) {
        for work in ALL_WORK {
            let this = self.clone();
            let run = move || this.clone().run(work);
            let (supervisor, stop) = (self.app.supervisor().clone(), self.stop.clone());
            self.tasks
                .spawn(supervisor.supervise(work.name(), stop, run));
        }
    }

    /// Lets every loop finish what it is doing.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.webhooks.finish().await;
    }

    /// Does everything that is due now, until nothing is.
    pub async fn settle(&self) -> Result<(), AppError> {
        loop {
            let (mut more, mut failed) = (false, None);
            for work in ALL_WORK {
                let ticked = self.tick(work).await;
                self.webhooks.finish().await;
                more |= ticked.more;
                failed = failed.or(ticked.error);
            }
            if !more {
                return failed.map_or(Ok(()), Err);
            }
        }
    }

    /// Does some of what is due now.
    async fn tick(&self, work: Work) -> Ticked {
        if work.needs_slack() && !self.can_deliver().await {
            return Ticked::default();
        }
        match work {
            Work::Cards => self.tick_cards().await,
            Work::Messages => self.tick_messages().await,
            Work::Sweeps => self.tick_sweeps().await,
            Work::Homes => self.tick_homes().await,
            Work::Webhooks => self.tick_webhooks().await,
            Work::Emails => self.tick_emails().await,
        }
    }

    /// Home tabs that somebody looks at are published anew where they show something else by now.
    async fn tick_homes(&self) -> Ticked {
        let allowed = self.homes.take(HOMES_AT_ONCE, self.app.now());
        let looked_at = in_time(self.dispatcher.refresh_homes(allowed)).await;
        let used = looked_at.as_ref().map_or(0, |count| *count);
        self.homes.give_back(allowed - used);
        let mut ticked = Ticked::default();
        let more = looked_at.map(|count| count > 0);
        ticked.take_in(&self.app, "Home tabs", more);
        ticked
    }

    async fn run(self, work: Work) {
        let mut commits = self.app.work();
        while !self.stop.is_cancelled() {
            commits.mark_unchanged();
            if self.tick(work).await.more {
                continue;
            }
            tokio::select! {
                // what time makes due, no commit does
                _ = commits.changed(), if !matches!(work, Work::Sweeps) => {}
                () = tokio::time::sleep(RECHECK_INTERVAL) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }
}
