-- Break-glass sessions, and where their alerts stand in Slack, so that buttons go when they are of no use any more.

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    initiator TEXT NOT NULL,
    reason TEXT NOT NULL,
    scope TEXT NOT NULL,
    responders TEXT NOT NULL,
    duration BIGINT NOT NULL,
    channel TEXT NOT NULL,
    request_id TEXT REFERENCES requests (id),
    asked_at BIGINT NOT NULL,
    starts_at BIGINT,
    ends_at BIGINT,
    ended_by TEXT,
    reviewer TEXT,
    review_note TEXT,
    reviewed_at BIGINT,
    remind_at BIGINT
);
CREATE INDEX sessions_active ON sessions (ends_at) WHERE status = 'active';
CREATE INDEX sessions_owed ON sessions (remind_at) WHERE remind_at IS NOT NULL;
CREATE INDEX sessions_by_request ON sessions (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX requests_by_session ON requests (session_id, number) WHERE session_id IS NOT NULL;

CREATE TABLE session_posts (
    session_id TEXT NOT NULL REFERENCES sessions (id),
    part TEXT NOT NULL,
    channel TEXT NOT NULL,
    ts TEXT NOT NULL,
    alert TEXT NOT NULL,
    PRIMARY KEY (session_id, part, channel)
);

CREATE TRIGGER sessions_are_kept BEFORE DELETE ON sessions
BEGIN SELECT RAISE(ABORT, 'break-glass sessions are never deleted'); END;
CREATE TRIGGER sessions_say_what_they_said BEFORE UPDATE ON sessions
WHEN OLD.status = 'reviewed' OR OLD.id <> NEW.id OR OLD.initiator <> NEW.initiator OR OLD.reason <> NEW.reason
  OR OLD.scope <> NEW.scope OR OLD.responders <> NEW.responders OR OLD.duration <> NEW.duration OR OLD.asked_at <> NEW.asked_at
  OR (OLD.status = 'ended' AND (NEW.status NOT IN ('ended', 'reviewed') OR OLD.starts_at IS NOT NEW.starts_at
    OR OLD.ends_at IS NOT NEW.ends_at OR OLD.ended_by IS NOT NEW.ended_by))
BEGIN SELECT RAISE(ABORT, 'a break-glass session is never rewritten'); END;
