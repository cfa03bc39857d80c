//! Webhook deliveries, which wait in the outbox, and endpoints that fail.

use super::dialect::{self, on};
use super::outbox::{Claimed, DueMessage, Row};
use super::{StoreError, Tx, on_db, sql};
use crate::domain::message::Lane;
use crate::domain::time::{Span, Timestamp};

sql! {
    DUE_ENDPOINTS = "SELECT o.channel FROM outbox o WHERE o.lane = 3 AND o.due_at <= $1 AND o.channel IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM webhook_endpoints e WHERE e.url = o.channel AND e.disabled_at IS NULL AND e.paused_until > $1)
        GROUP BY o.channel ORDER BY min(o.due_at)";
    ENDPOINT = "SELECT url, failures, failing_since, paused_until, trouble, disabled_at FROM webhook_endpoints WHERE url = $1";
    FAILING_ENDPOINTS = "SELECT url, failures, failing_since, paused_until, trouble, disabled_at FROM webhook_endpoints ORDER BY url LIMIT $1";
    FAILED = "INSERT INTO webhook_endpoints (url, failures, failing_since, paused_until, trouble) VALUES ($1, 1, $2, $3, $4)
        ON CONFLICT (url) DO UPDATE SET failures = webhook_endpoints.failures + 1, paused_until = excluded.paused_until,
            trouble = excluded.trouble";
    SUCCEEDED = "DELETE FROM webhook_endpoints WHERE url = $1 AND disabled_at IS NULL";
    DISABLE = "UPDATE webhook_endpoints SET disabled_at = $2 WHERE url = $1 AND disabled_at IS NULL";
    ENABLE = "DELETE FROM webhook_endpoints WHERE url = $1 AND disabled_at IS NOT NULL";
    COUNT_DISABLED = "SELECT count(*) FROM webhook_endpoints WHERE disabled_at IS NOT NULL";
    /// Each waits until it is forgotten, or the endpoint is switched on.
    PARK = "UPDATE outbox SET due_at = made_at + $3 WHERE lane = 3 AND channel = $1 AND due_at <= $2";
    RELEASE_WAITING = "UPDATE outbox SET due_at = $2, failures = 0 WHERE lane = 3 AND channel = $1 AND due_at > $3";
    FORGET = "DELETE FROM outbox WHERE lane = 3 AND made_at <= $1";
    /// Failures of callbacks for which nothing waits any more.
    /// Looks into the outbox once for each endpoint: as NOT EXISTS, Postgres would read all webhooks that wait.
    FORGET_ENDPOINTS = "DELETE FROM webhook_endpoints WHERE disabled_at IS NULL AND paused_until <= $1 AND
        (SELECT o.id FROM outbox o WHERE o.lane = 3 AND o.channel = webhook_endpoints.url AND o.due_at IS NOT NULL LIMIT 1) IS NULL";
}

/// An endpoint whose last delivery failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingEndpoint {
    /// The URL.
    pub url: String,
    /// Number of failed deliveries in a row.
    pub failures: i64,
    /// When the first of them failed.
    pub failing_since: Timestamp,
    /// Until when nothing is sent there.
    pub paused_until: Timestamp,
    /// The last error.
    pub trouble: String,
    /// When the endpoint was switched off, if it was.
    pub disabled_at: Option<Timestamp>,
}

type EndpointRow = (String, i64, i64, i64, String, Option<i64>);

fn endpoint(row: EndpointRow) -> FailingEndpoint {
    let (url, failures, failing_since, paused_until, trouble, disabled_at) = row;
    FailingEndpoint {
        url,
        failures,
        failing_since: Timestamp(failing_since),
        paused_until: Timestamp(paused_until),
        trouble,
        disabled_at: disabled_at.map(Timestamp),
    }
}

impl Tx {
    /// Endpoints for which webhooks are due, those that wait longest first; without endpoints that pause after a failure.
    pub async fn due_endpoints(&mut self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = on_db!(self, |c| sqlx::query_as(DUE_ENDPOINTS)
            .bind(now.0)
            .fetch_all(c)
            .await)?;
        Ok(rows.into_iter().map(|(url,)| url).collect())
    }

    /// Claims at most `limit` due webhooks of an endpoint until `lease_end`: of each request or session only the oldest one.
    pub async fn claim_webhooks(
        &mut self,
        url: &str,
        now: Timestamp,
        lease_end: Timestamp,
        limit: i64,
    ) -> Result<Vec<DueMessage>, StoreError> {
        let text = on!(
            self,
            dialect::CLAIM_WEBHOOKS_SQLITE,
            dialect::CLAIM_WEBHOOKS_POSTGRES
        );
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(text)
            .bind(now.0)
            .bind(lease_end.0)
            .bind(limit)
            .bind(url)
            .fetch_all(c)
            .await)?;
        let mut claimed = Claimed::none();
        self.take_in(rows, None, now, &mut claimed).await?;
        Ok(claimed.due)
    }

    /// An endpoint, if its last delivery failed.
    pub async fn failing_endpoint(
        &mut self,
        url: &str,
    ) -> Result<Option<FailingEndpoint>, StoreError> {
        let row: Option<EndpointRow> = on_db!(self, |c| sqlx::query_as(ENDPOINT)
            .bind(url)
            .fetch_optional(c)
            .await)?;
        Ok(row.map(endpoint))
    }

    /// The endpoints whose last delivery failed; at most `limit`.
    pub async fn failing_endpoints(
        &mut self,
        limit: i64,
    ) -> Result<Vec<FailingEndpoint>, StoreError> {
        let rows: Vec<EndpointRow> = on_db!(self, |c| sqlx::query_as(FAILING_ENDPOINTS)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        Ok(rows.into_iter().map(endpoint).collect())
    }

    /// How many endpoints are switched off.
    pub async fn disabled_endpoints(&mut self) -> Result<i64, StoreError> {
        let (count,): (i64,) = on_db!(self, |c| sqlx::query_as(COUNT_DISABLED).fetch_one(c).await)?;
        Ok(count)
    }

    /// Counts a failed delivery; nothing is sent to the endpoint until the pause ends.
    pub async fn endpoint_failed(
        &mut self,
        url: &str,
        now: Timestamp,
        paused_until: Timestamp,
        trouble: &str,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(FAILED)
            .bind(url)
            .bind(now.0)
            .bind(paused_until.0)
            .bind(trouble)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Ends the endpoint's failures. Returns whether there were any.
    pub async fn endpoint_succeeded(&mut self, url: &str) -> Result<bool, StoreError> {
        self.changed_endpoint(SUCCEEDED, url, None).await
    }

    /// Switches a failing endpoint off. Returns whether it was on.
    pub async fn disable_endpoint(
        &mut self,
        url: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.changed_endpoint(DISABLE, url, Some(now)).await
    }

    /// Switches an endpoint on. Returns whether it was off.
    pub async fn enable_endpoint(&mut self, url: &str) -> Result<bool, StoreError> {
        self.changed_endpoint(ENABLE, url, None).await
    }

    async fn changed_endpoint(
        &mut self,
        text: &'static str,
        url: &str,
        at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let rows = on_db!(self, |c| {
            let query = sqlx::query(text).bind(url);
            let query = match at {
                Some(at) => query.bind(at.0),
                None => query,
            };
            query.execute(c).await.map(|done| done.rows_affected())
        })?;
        Ok(rows > 0)
    }

    /// Keeps due webhooks of an endpoint that is switched off, each for `kept_for`.
    pub async fn park_webhooks(
        &mut self,
        url: &str,
        now: Timestamp,
        kept_for: Span,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(PARK)
            .bind(url)
            .bind(now.0)
            .bind(kept_for.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Makes webhooks of an endpoint due that were to be tried after `later`.
    pub async fn release_webhooks(
        &mut self,
        url: &str,
        now: Timestamp,
        later: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RELEASE_WAITING)
            .bind(url)
            .bind(now.0)
            .bind(later.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Deletes webhooks that were stored up to `until`, and failures of endpoints for which nothing waits. Returns how many webhooks.
    pub async fn forget_webhooks(
        &mut self,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<u64, StoreError> {
        let forgotten = on_db!(self, |c| sqlx::query(FORGET)
            .bind(until.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        on_db!(self, |c| sqlx::query(FORGET_ENDPOINTS)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))?;
        Ok(forgotten)
    }
}

/// The lane number in the statements above.
const _: () = assert!(Lane::Webhook as i64 == 3);
