-- Webhooks: where a request calls back, and endpoints that fail. The same tables are in migrations/sqlite.

-- the address that the submitter wants to be told at; it lies under a configured webhook
ALTER TABLE requests ADD COLUMN callback_url TEXT COLLATE "C";

-- deliveries to one endpoint about one request or session (`request_id`) go out in order
CREATE INDEX outbox_endpoints ON outbox (channel, request_id, id) WHERE lane = 3;
CREATE INDEX outbox_webhooks_made ON outbox (made_at) WHERE lane = 3;

-- one row for each endpoint whose last delivery failed; it goes with the next success
CREATE TABLE webhook_endpoints (
    url TEXT COLLATE "C" PRIMARY KEY,
    failures BIGINT NOT NULL,
    failing_since BIGINT NOT NULL,
    paused_until BIGINT NOT NULL,
    trouble TEXT NOT NULL,
    disabled_at BIGINT
);
