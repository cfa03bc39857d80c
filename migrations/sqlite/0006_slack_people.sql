-- What Slack told of its user groups and of its members. The same tables stand in migrations/postgres.

CREATE TABLE slack_groups (
    id TEXT PRIMARY KEY,
    accounts TEXT NOT NULL,
    people TEXT NOT NULL,
    synced_at BIGINT NOT NULL
);
CREATE TABLE slack_accounts (
    account TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_full BOOLEAN NOT NULL
);
-- one row, once the members were ever listed
CREATE TABLE slack_members_synced (
    id BIGINT PRIMARY KEY,
    at BIGINT NOT NULL
);
