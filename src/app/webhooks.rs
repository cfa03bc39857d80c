//! Webhooks: messages in the commit of what they announce, what they show, and endpoints that fail (docs/decisions.md D47).

use super::{App, AppError, announce, show};
use crate::domain::audit::{AuditEvent, AuditEventKind};
use crate::domain::break_glass::{Session, SessionDetails};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::{ConfigDocument, Webhook};
use crate::domain::message::Message;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::request::Request;
use crate::domain::request_details::RequestDetails;
use crate::domain::time::{Span, Timestamp};
use crate::domain::webhook::{
    EndpointFailure, KEPT_FOR, RequestMoment, SWITCH_OFF_AFTER, WebhookEvent, WebhookMessage,
    covering, endpoint_pause_ends, endpoints, next_attempt,
};
use crate::store::{DueMessage, FailingEndpoint, Tx};
use serde_json::json;
use std::sync::Arc;

/// How many failed deliveries in a row are an outage, after whose end everything that waits is sent at once.
const OUTAGE_AFTER_FAILURES: i64 = 3;
/// How many failing endpoints are reported.
const REPORTED: i64 = 20;

/// What a webhook is about, as it was right after the event.
#[derive(Debug, Clone)]
pub struct WebhookSubject {
    /// The request.
    pub request: Option<RequestDetails>,
    /// The break-glass session.
    pub session: Option<SessionDetails>,
}

/// The webhook messages about an audit event of a request, for all endpoints that receive it.
pub(super) fn webhook_messages(
    webhooks: &[Webhook],
    what: AuditEventKind,
    at: Timestamp,
    request: &Request,
    moment: &RequestMoment,
) -> Vec<Message> {
    if webhooks.is_empty() {
        return Vec::new(); // a callback is signed with a webhook's secret
    }
    let callback = request.callback_url.as_deref();
    let mut messages = Vec::new();
    for event in WebhookEvent::of(what) {
        for url in endpoints(webhooks, *event, callback) {
            let session = event.session_status().and(request.session.clone());
            messages.push(message(url, *event, at, Some(moment.clone()), session));
        }
    }
    messages
}

fn message(
    url: &str,
    event: WebhookEvent,
    at: Timestamp,
    request: Option<RequestMoment>,
    session: Option<crate::domain::id::SessionId>,
) -> Message {
    Message::Webhook {
        webhook: Box::new(WebhookMessage {
            url: url.to_owned(),
            event,
            at,
            request,
            session,
        }),
    }
}

impl App {
    /// Writes an audit row about a request, and the webhooks about the same event.
    pub(super) async fn record_about(
        &self,
        tx: &mut Tx,
        event: &AuditEvent,
        request: &Request,
    ) -> Result<(), AppError> {
        if WebhookEvent::of(event.what).is_empty() {
            return Ok(tx.record(event).await?);
        }
        let Some(config) = self.readable_config(tx).await? else {
            return Ok(tx.record(event).await?);
        };
        let webhooks = &config.document().webhooks;
        self.record_with_webhooks(tx, event, request, webhooks)
            .await
    }

    /// The configuration; `None` if this release cannot read it. What ends by time ends all the same, without webhooks and e-mails.
    pub(super) async fn readable_config(
        &self,
        tx: &mut Tx,
    ) -> Result<Option<Arc<CompiledConfig>>, AppError> {
        let version = tx.config_versions().await?;
        match self.compiled_config_at(tx, version).await {
            Ok(config) => Ok(Some(config)),
            Err(AppError::UnreadableConfig(why)) => {
                tracing::warn!(
                    why,
                    "webhooks and e-mails not stored: the configuration cannot be read"
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The same with the webhooks of a configuration that was read already.
    pub(super) async fn record_with_webhooks(
        &self,
        tx: &mut Tx,
        event: &AuditEvent,
        request: &Request,
        webhooks: &[Webhook],
    ) -> Result<(), AppError> {
        tx.record(event).await?;
        let moment = RequestMoment::of(request);
        let messages = webhook_messages(webhooks, event.what, event.at, request, &moment);
        self.send(tx, messages, event.at).await
    }

    /// Writes an audit row about a break-glass session, and the webhooks about the same event.
    pub(super) async fn record_about_session(
        &self,
        tx: &mut Tx,
        event: &AuditEvent,
        session: &Session,
    ) -> Result<(), AppError> {
        tx.record(event).await?;
        let Some(config) = self.readable_config(tx).await? else {
            return Ok(());
        };
        let mut messages = Vec::new();
        for kind in WebhookEvent::of(event.what) {
            for url in endpoints(&config.document().webhooks, *kind, None) {
                let session = Some(session.id.clone());
                messages.push(message(url, *kind, event.at, None, session));
            }
        }
        self.send(tx, messages, event.at).await
    }

    /// What a webhook is about, as it was right after the event.
    pub async fn webhook_subject(
        &self,
        webhook: &WebhookMessage,
    ) -> Result<WebhookSubject, AppError> {
        let request = match &webhook.request {
            Some(moment) => Some(self.request_at(moment, webhook.at).await?),
            None => None,
        };
        let session = match &webhook.session {
            Some(id) => {
                let mut shown = self.session(id).await?;
                let session = &mut shown.session;
                if let Some(status) = webhook.event.session_status() {
                    session.state = session.state.clone().as_of(status, session.duration);
                }
                shown.uses.retain(|one| one.at <= webhook.at);
                Some(shown)
            }
            None => None,
        };
        Ok(WebhookSubject { request, session })
    }

    async fn request_at(
        &self,
        moment: &RequestMoment,
        at: Timestamp,
    ) -> Result<RequestDetails, AppError> {
        let mut tx = self.0.db.read().await?;
        let mut loaded = tx.requests(&[&moment.id], false).await?;
        for one in &mut loaded {
            one.decisions.retain(|decision| decision.at <= at);
        }
        let shown = self.show_loaded(&mut tx, loaded).await?.pop();
        let shown = shown.ok_or_else(|| self.absent(&moment.id))?;
        Ok(show::as_of(shown, moment, at))
    }

    /// Endpoints for which webhooks are due.
    pub async fn due_endpoints(&self) -> Result<Vec<String>, AppError> {
        let mut tx = self.0.db.read().await?;
        Ok(tx.due_endpoints(self.now()).await?)
    }

    /// Claims at most `limit` due webhooks of an endpoint; of one that fails only one, and of one that is switched off none.
    pub async fn claim_webhooks(
        &self,
        url: &str,
        lease: Span,
        limit: i64,
    ) -> Result<Vec<DueMessage>, AppError> {
        let now = self.now();
        self.0
            .db
            .transaction(async |tx| {
                let limit = match tx.failing_endpoint(url).await? {
                    Some(endpoint) if endpoint.disabled_at.is_some() => {
                        tx.park_webhooks(url, now, KEPT_FOR).await?;
                        return Ok(Vec::new());
                    }
                    Some(endpoint) if now < endpoint.paused_until => return Ok(Vec::new()),
                    Some(_) => limit.min(1),
                    None => limit,
                };
                Ok(tx.claim_webhooks(url, now, now.plus(lease), limit).await?)
            })
            .await
    }

    /// A webhook was delivered. What else waits for its endpoint is due, if it was down.
    pub async fn webhook_delivered(&self, due: &DueMessage, lease: Span) -> Result<(), AppError> {
        let now = self.now();
        let Some(url) = due.message.queue() else {
            return Ok(());
        };
        self.0
            .db
            .transaction::<_, AppError>(async |tx| {
                tx.delivered(due).await?;
                let before = tx.failing_endpoint(url).await?;
                let was_down = before.is_some_and(|it| it.failures >= OUTAGE_AFTER_FAILURES);
                if tx.endpoint_succeeded(url).await? && was_down {
                    // those under way are due again at the end of their leases
                    tx.release_webhooks(url, now, now.plus(lease)).await?;
                }
                Ok(())
            })
            .await?;
        self.notify_changes(&[]);
        Ok(())
    }

    /// A webhook was not delivered: it is tried again, or given up after a day. An endpoint that has failed for a day is switched off.
    pub async fn webhook_failed(
        &self,
        due: &DueMessage,
        failure: &EndpointFailure,
        jitter: u8,
    ) -> Result<(), AppError> {
        let now = self.now();
        let Some(url) = due.message.queue() else {
            return Ok(());
        };
        let next = next_attempt(due.failures, failure.retry_after, jitter, now);
        let next = next.filter(|_| !failure.is_gone);
        tracing::warn!(message = %due.id, url = without_query(url), error = failure.why, given_up = next.is_none(), "webhook not delivered");
        self.0
            .db
            .transaction::<_, AppError>(async |tx| {
                // whoever comes back after the end of the lease says nothing about the endpoint either
                if !tx.put_off_message(due, next, &failure.why).await? || failure.is_ours {
                    return Ok(());
                }
                let before = tx.failing_endpoint(url).await?;
                let failures = before.as_ref().map_or(0, |before| before.failures);
                let until = endpoint_pause_ends(failures, failure.retry_after, now);
                tx.endpoint_failed(url, now, until, &failure.why).await?;
                let since = before.map_or(now, |before| before.failing_since);
                let ends = failure.is_gone || since.plus(SWITCH_OFF_AFTER) <= now;
                if ends && self.switch_off(tx, url, &failure.why, now).await? {
                    // it is kept with everything else
                    tx.put_off_message(due, Some(now), &failure.why).await?;
                }
                Ok(())
            })
            .await?;
        self.notify_changes(&[]);
        Ok(())
    }

    /// Switches a configured endpoint off: audited, and announced in the security channel. Says whether it is off now. A callback of
    /// one request is only given up.
    async fn switch_off(
        &self,
        tx: &mut Tx,
        url: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(tx, version).await?;
        let document = config.document();
        let Some(webhook) = document.webhooks.iter().find(|one| one.url == url) else {
            return Ok(false);
        };
        if !tx.disable_endpoint(url, now).await? {
            return Ok(true);
        }
        let name = name_of(webhook);
        tracing::error!(
            webhook = name,
            why,
            "webhook endpoint failed for a day, switched off"
        );
        let detail = json!({"webhook": name, "why": why});
        let bot = Caller::bot();
        let event = self.own_event(now, AuditEventKind::WebhookDisabled, &bot, detail);
        tx.record(&event).await?;
        let text = format!(
            "The webhook {name} is switched off, because it does not accept events: {why}. Its events are kept for 7 days. Fix the \
             endpoint, then run: countersign webhook enable {name}"
        );
        let alert = announce::place(document).map(|channel| Message::Alert {
            channel: channel.clone(),
            text,
        });
        self.send(tx, alert.into_iter().collect(), now).await?;
        Ok(true)
    }

    /// Switches an endpoint on again; what was kept for it is sent, in order. Returns whether it was off.
    pub async fn enable_webhook(
        &self,
        caller: &Caller,
        webhook: &Webhook,
    ) -> Result<bool, AppError> {
        let now = self.now();
        let enabled = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                if !tx.enable_endpoint(&webhook.url).await? {
                    return Ok(false);
                }
                tx.release_webhooks(&webhook.url, now, now).await?;
                let detail = json!({"webhook": name_of(webhook)});
                let event = self.own_event(now, AuditEventKind::WebhookEnabled, caller, detail);
                tx.record(&event).await?;
                Ok(true)
            })
            .await?;
        self.notify_changes(&[]);
        Ok(enabled)
    }

    /// The configured webhook with this name or URL.
    pub async fn webhook(&self, name_or_url: &str) -> Result<Webhook, AppError> {
        let config = self.compiled_config().await?;
        let mut webhooks = config.document().webhooks.iter();
        let is_it =
            |one: &&Webhook| one.name.as_deref() == Some(name_or_url) || one.url == name_or_url;
        webhooks.find(is_it).cloned().ok_or_else(|| {
            let known: Vec<String> = config.document().webhooks.iter().map(name_of).collect();
            let known = if known.is_empty() {
                "the configuration has no webhooks".to_owned()
            } else {
                format!("the configuration has {}", known.join(", "))
            };
            Refusal::Forbidden(format!("There is no webhook `{name_or_url}`; {known}.")).into()
        })
    }

    /// The webhook whose secret signs what is sent to a URL now.
    pub async fn webhook_covering(&self, url: &str) -> Result<Option<Webhook>, AppError> {
        let config = self.compiled_config().await?;
        Ok(covering(&config.document().webhooks, url).cloned())
    }

    /// Forgets webhooks that were kept for a week, and failures of endpoints for which nothing waits.
    pub async fn forget_webhooks(&self) -> Result<(), AppError> {
        let now = self.now();
        let until = Timestamp(now.0.saturating_sub(KEPT_FOR.0));
        let config = self.compiled_config().await?;
        let is_configured = |url: &str| config.document().webhooks.iter().any(|one| one.url == url);
        let forgotten = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                for endpoint in tx.failing_endpoints(REPORTED).await? {
                    if !is_configured(&endpoint.url) {
                        tx.enable_endpoint(&endpoint.url).await?;
                    }
                }
                Ok(tx.forget_webhooks(now, until).await?)
            })
            .await?;
        if forgotten > 0 {
            tracing::warn!(forgotten, "webhooks that were kept for a week were deleted");
        }
        Ok(())
    }

    /// What does not work about webhooks, a sentence each.
    pub(super) async fn webhook_troubles(&self, tx: &mut Tx) -> Result<Vec<String>, AppError> {
        let failing = tx.failing_endpoints(REPORTED).await?;
        if failing.is_empty() {
            return Ok(Vec::new());
        }
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(tx, version).await?;
        let failing = failing.iter();
        Ok(failing
            .filter_map(|endpoint| trouble(endpoint, config.document()))
            .collect())
    }
}

fn trouble(endpoint: &FailingEndpoint, document: &ConfigDocument) -> Option<String> {
    let FailingEndpoint { url, trouble, .. } = endpoint;
    let webhook = document.webhooks.iter().find(|one| one.url == *url);
    let name = webhook.map_or_else(|| without_query(url), name_of);
    if let Some(at) = endpoint.disabled_at {
        let at = at.rfc3339();
        return Some(format!(
            "webhook {name} was switched off at {at}: {trouble}; fix the endpoint, then run: countersign webhook enable {name}"
        ));
    }
    let since = endpoint.failing_since.rfc3339();
    (endpoint.failures >= OUTAGE_AFTER_FAILURES)
        .then(|| format!("webhook {name} has failed since {since}: {trouble}"))
}

/// How a webhook is named to people: by its name, or by its URL without the query, which may contain a secret.
pub fn name_of(webhook: &Webhook) -> String {
    let name = webhook.name.clone();
    name.unwrap_or_else(|| without_query(&webhook.url))
}

fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}
