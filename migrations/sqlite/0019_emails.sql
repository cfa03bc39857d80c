-- E-mails wait in the outbox, in lane 4. The same indexes are in migrations/postgres.

-- those that stand in for an alert, by the id of the alert
CREATE INDEX outbox_emails ON outbox (channel) WHERE lane = 4;
CREATE INDEX outbox_emails_made ON outbox (made_at) WHERE lane = 4;
