//! Webhooks are delivered: signed, at most a few at once to each server, and in order for each request. A server that is slow or down
//! holds back nobody else, because every delivery is a task of its own.

use super::Workers;
use super::ticked::{Ticked, in_time};
use crate::app::{AppError, WEBHOOK_DELIVERIES};
use crate::domain::message::Message;
use crate::domain::principal::Caller;
use crate::domain::time::{Span, Timestamp};
use crate::domain::webhook::{EndpointFailure, WebhookMessage, accepted};
use crate::domain::webhook_signature::SigningKeys;
use crate::http::webhook_body;
use crate::net::{Poster, Reach};
use crate::store::DueMessage;
use metrics::counter;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::task::TaskTracker;
use url::Url;

/// How many deliveries to one server are under way at once.
const PER_SERVER: usize = 8;
/// Longer than one post may take.
const LEASE_DURATION: Span = Span::seconds(30);
/// How often old deliveries are looked for.
const FORGET_EVERY: Span = Span::minutes(1);

/// Reads an environment variable.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What the deliveries of one replica share; cheap to clone.
#[derive(Clone)]
pub(super) struct Webhooks {
    poster: Poster,
    variables: Variables,
    under_way: Arc<Mutex<HashMap<String, usize>>>,
    forgotten_at: Arc<Mutex<Option<Timestamp>>>,
    tasks: TaskTracker,
}

/// One delivery that counts against its server until it is dropped.
struct UnderWay {
    server: String,
    all: Arc<Mutex<HashMap<String, usize>>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        if let Some(count) = all.get_mut(&self.server) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.server);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Webhooks {
    pub(super) fn new(poster: Poster, variables: Variables) -> Self {
        Self {
            poster,
            variables,
            under_way: Arc::default(),
            forgotten_at: Arc::default(),
            tasks: TaskTracker::new(),
        }
    }

    fn free(&self, server: &str) -> usize {
        let under_way = lock(&self.under_way).get(server).copied();
        PER_SERVER.saturating_sub(under_way.unwrap_or(0))
    }

    fn begin(&self, server: &str) -> UnderWay {
        *lock(&self.under_way).entry(server.to_owned()).or_default() += 1;
        UnderWay {
            server: server.to_owned(),
            all: self.under_way.clone(),
        }
    }

    /// Waits until nothing is under way.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    fn is_time_to_forget(&self, now: Timestamp) -> bool {
        let mut last = lock(&self.forgotten_at);
        let due = last.is_none_or(|at| now.0.abs_diff(at.0) >= FORGET_EVERY.0.unsigned_abs());
        if due {
            *last = Some(now);
        }
        due
    }
}

/// The server of a URL: deliveries to it share a limit, whatever their paths are.
fn server_of(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}

impl Workers {
    /// Begins the deliveries that are due.
    pub(super) async fn tick_webhooks(&self) -> Ticked {
        let mut ticked = Ticked::default();
        ticked.take_in(&self.app, "webhooks", in_time(self.begin_webhooks()).await);
        if self.webhooks.is_time_to_forget(self.app.now()) {
            let forgotten = in_time(self.app.forget_webhooks()).await;
            ticked.take_in(&self.app, "old webhooks", forgotten.map(|()| false));
        }
        ticked
    }

    async fn begin_webhooks(&self) -> Result<bool, AppError> {
        let mut begun = false;
        for url in self.app.due_endpoints().await? {
            let server = server_of(&url);
            let free = i64::try_from(self.webhooks.free(&server)).unwrap_or(0);
            if free == 0 {
                continue;
            }
            for due in self.app.claim_webhooks(&url, LEASE_DURATION, free).await? {
                begun = true;
                let (this, slot) = (self.clone(), self.webhooks.begin(&server));
                let stop = self.stop.clone();
                self.webhooks
                    .tasks
                    .spawn(stop.run_until_cancelled_owned(async move {
                        this.deliver_webhook(&due).await;
                        drop(slot);
                        this.app.wake_workers();
                    }));
            }
        }
        Ok(begun)
    }

    async fn deliver_webhook(&self, due: &DueMessage) {
        let Message::Webhook { webhook } = &due.message else {
            return;
        };
        let settled = match self.post_webhook(due, webhook).await {
            Ok(()) => {
                counter!(WEBHOOK_DELIVERIES, "outcome" => "delivered").increment(1);
                self.app.webhook_delivered(due, LEASE_DURATION).await
            }
            Err(failure) => {
                counter!(WEBHOOK_DELIVERIES, "outcome" => "failed").increment(1);
                self.app.webhook_failed(due, &failure, jitter()).await
            }
        };
        if let Err(error) = settled {
            // it is due again at the end of its lease
            tracing::warn!(message = %due.id, %error, "outcome of a webhook not stored");
        }
    }

    async fn post_webhook(
        &self,
        due: &DueMessage,
        webhook: &WebhookMessage,
    ) -> Result<(), EndpointFailure> {
        let ours = |error: AppError| EndpointFailure {
            is_ours: true,
            ..failure(error.to_string())
        };
        let configured = self
            .app
            .webhook_covering(&webhook.url)
            .await
            .map_err(ours)?;
        let Some(configured) = configured else {
            return Err(EndpointFailure {
                is_gone: true,
                ..failure("the configuration no longer contains a webhook for it".to_owned())
            });
        };
        let variable = configured.secret_env.as_str();
        let keys = SigningKeys::of_variable(variable, (self.webhooks.variables)(variable));
        let keys = keys.map_err(failure)?;
        let subject = self.app.webhook_subject(webhook).await.map_err(ours)?;
        let config = self.app.compiled_config().await.map_err(ours)?;
        let body = webhook_body(webhook, &subject, &Caller::bot(), config.directory());
        let reach = if configured.allow_private {
            Reach::All
        } else {
            Reach::Public
        };
        let signed = keys.headers(due.id.as_str(), self.app.now(), &body);
        let answer = self
            .webhooks
            .poster
            .post(&webhook.url, &signed, body, reach)
            .await;
        let answer = answer.map_err(|unreached| failure(unreached.to_string()))?;
        accepted(answer.status, answer.retry_after.as_deref(), self.app.now())
    }
}

fn failure(why: String) -> EndpointFailure {
    EndpointFailure {
        why,
        retry_after: None,
        is_gone: false,
        is_ours: false,
    }
}

fn jitter() -> u8 {
    let mut byte = [0];
    // without randomness there is no jitter
    let _ = getrandom::fill(&mut byte);
    byte[0]
}
