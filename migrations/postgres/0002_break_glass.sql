-- Break-glass sessions, and where their alerts stand in Slack, so that buttons go when they are of no use any more.

CREATE TABLE sessions (
    id TEXT COLLATE "C" PRIMARY KEY,
    status TEXT COLLATE "C" NOT NULL,
    initiator TEXT COLLATE "C" NOT NULL,
    reason TEXT NOT NULL,
    scope TEXT NOT NULL,
    responders TEXT NOT NULL,
    duration BIGINT NOT NULL,
    channel TEXT NOT NULL,
    request_id TEXT COLLATE "C" REFERENCES requests (id),
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
    session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions (id),
    part TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    ts TEXT NOT NULL,
    alert TEXT NOT NULL,
    PRIMARY KEY (session_id, part, channel)
);

CREATE TRIGGER sessions_are_kept BEFORE DELETE ON sessions
FOR EACH ROW EXECUTE FUNCTION refuse('break-glass sessions are never deleted');
CREATE TRIGGER sessions_say_what_they_said BEFORE UPDATE ON sessions
FOR EACH ROW WHEN (OLD.status = 'reviewed' OR OLD.id <> NEW.id OR OLD.initiator <> NEW.initiator OR OLD.reason <> NEW.reason
  OR OLD.scope <> NEW.scope OR OLD.responders <> NEW.responders OR OLD.duration <> NEW.duration OR OLD.asked_at <> NEW.asked_at
  OR (OLD.status = 'ended' AND (NEW.status NOT IN ('ended', 'reviewed') OR OLD.starts_at IS DISTINCT FROM NEW.starts_at
    OR OLD.ends_at IS DISTINCT FROM NEW.ends_at OR OLD.ended_by IS DISTINCT FROM NEW.ended_by)))
EXECUTE FUNCTION refuse('a break-glass session is never rewritten');
