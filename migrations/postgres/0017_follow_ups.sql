-- What is due while a request waits: reminders, escalations, the warning before expiry. `due_at` is when to look again, and `done` what
-- was done so far, as JSON. The row goes when the request waits no longer.
CREATE TABLE follow_ups (
    request_id TEXT PRIMARY KEY REFERENCES requests (id),
    since BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    done TEXT NOT NULL
);
CREATE INDEX follow_ups_due ON follow_ups (due_at);
INSERT INTO follow_ups (request_id, since, due_at, done)
    SELECT id, created_at, created_at, '{}' FROM requests WHERE status = 'pending';

-- when something that repeats was last done, such as the digest
CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    last_at BIGINT NOT NULL
);
