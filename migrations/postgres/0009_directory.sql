-- What is known of people is shared between replicas in more detail. The same columns exist in migrations/sqlite.

-- when Slack was asked about this account alone: an older list does not replace the answer
ALTER TABLE slack_accounts ADD COLUMN heard_at BIGINT;
-- accounts that may have added themselves to the group lately, as JSON
ALTER TABLE slack_groups ADD COLUMN recent TEXT;
-- until when the membership makes nobody an administrator and opens no break-glass session
ALTER TABLE gained ADD COLUMN held_until BIGINT;
