-- Channels that Slack refuses or where it asks for a pause, rows that cannot be read, and open Home tabs. The same tables are in
-- migrations/postgres.

-- the channel that an alert goes to; none for what an older release wrote
ALTER TABLE outbox ADD COLUMN channel TEXT;
-- when administrators were told that Slack refuses this alert for what it says
ALTER TABLE outbox ADD COLUMN told_at BIGINT;
-- when a release found that it cannot read the row; such a row is not due
ALTER TABLE outbox ADD COLUMN set_aside_at BIGINT;
ALTER TABLE cards ADD COLUMN set_aside_at BIGINT;
CREATE INDEX outbox_set_aside ON outbox (set_aside_at) WHERE set_aside_at IS NOT NULL;
CREATE INDEX cards_set_aside ON cards (set_aside_at) WHERE set_aside_at IS NOT NULL;

-- one row for each channel and kind of call (alert, post, update) that failed last: nothing goes there but one probe at a time, each
-- after a pause; the row goes when a probe succeeds
CREATE TABLE channel_pauses (
    channel TEXT NOT NULL,
    lane TEXT NOT NULL,
    until BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    told_at BIGINT,
    PRIMARY KEY (channel, lane)
);

-- Home tabs that somebody has opened lately, kept up to date by whichever replica notices a change first
CREATE TABLE open_homes (
    account TEXT PRIMARY KEY,
    look TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    shown TEXT
);
CREATE INDEX open_homes_opened ON open_homes (opened_at);
