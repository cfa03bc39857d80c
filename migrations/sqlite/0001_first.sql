-- Times are milliseconds since the epoch; JSON is TEXT; ids are TEXT. The same tables stand in migrations/postgres.

CREATE TABLE config (
    version BIGINT PRIMARY KEY,
    document TEXT NOT NULL,
    digest TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT
);
CREATE TABLE known_documents (
    digest TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE TABLE policy_versions (
    policy TEXT NOT NULL,
    version BIGINT NOT NULL,
    template TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (policy, version)
);

CREATE TABLE requests (
    id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    requester TEXT NOT NULL,
    submitted_by TEXT NOT NULL,
    authors TEXT NOT NULL,
    reason TEXT,
    digest TEXT NOT NULL,
    gates TEXT NOT NULL,
    observed TEXT NOT NULL,
    bypassed TEXT NOT NULL,
    excluded TEXT NOT NULL,
    session_id TEXT,
    ends_at BIGINT,
    created_at BIGINT NOT NULL,
    decided_at BIGINT,
    executed_at BIGINT,
    outcome TEXT,
    replaces TEXT
);
CREATE INDEX requests_by_status ON requests (status, number);
CREATE INDEX requests_by_submitter ON requests (submitted_by, created_at);
CREATE INDEX requests_by_requester ON requests (requester, number);
CREATE INDEX requests_waiting ON requests (submitted_by) WHERE status = 'pending';
CREATE INDEX requests_identical ON requests (digest) WHERE status = 'pending';
CREATE INDEX requests_ending ON requests (ends_at) WHERE ends_at IS NOT NULL;

CREATE TABLE payloads (
    request_id TEXT PRIMARY KEY REFERENCES requests (id),
    content TEXT NOT NULL
);
CREATE TABLE decisions (
    request_id TEXT NOT NULL REFERENCES requests (id),
    person TEXT NOT NULL,
    verdict TEXT NOT NULL,
    comment TEXT,
    teams TEXT NOT NULL,
    roles TEXT NOT NULL,
    digest TEXT NOT NULL,
    pages TEXT NOT NULL,
    at BIGINT NOT NULL,
    via TEXT NOT NULL,
    PRIMARY KEY (request_id, person)
);

CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    keep_until BIGINT NOT NULL
);
CREATE INDEX answers_by_end ON answers (keep_until);

CREATE TABLE cards (
    request_id TEXT NOT NULL REFERENCES requests (id),
    channel TEXT NOT NULL,
    ts TEXT,
    shown TEXT,
    touched BIGINT NOT NULL,
    due_at BIGINT,
    attempt BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    trouble TEXT,
    PRIMARY KEY (request_id, channel)
);
CREATE INDEX cards_to_post ON cards (due_at) WHERE due_at IS NOT NULL AND ts IS NULL;
CREATE INDEX cards_to_update ON cards (due_at) WHERE due_at IS NOT NULL AND ts IS NOT NULL;

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    lane BIGINT NOT NULL,
    message TEXT NOT NULL,
    request_id TEXT,
    due_at BIGINT,
    attempt BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    trouble TEXT,
    made_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (lane, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE,
    principal TEXT NOT NULL,
    owners TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
);

-- what was learnt once and outlives a restart: the app's id, the home workspace
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    actor TEXT NOT NULL,
    via TEXT NOT NULL,
    request_id TEXT,
    session_id TEXT,
    prominent BOOLEAN NOT NULL,
    detail TEXT NOT NULL,
    seal BIGINT,
    hash TEXT
);
CREATE INDEX audit_by_request ON audit (request_id, id);
-- partial, or SQLite would look for unsealed rows among the seals
CREATE UNIQUE INDEX audit_by_seal ON audit (seal) WHERE seal IS NOT NULL;
CREATE INDEX audit_unsealed ON audit (id) WHERE seal IS NULL;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END;
CREATE TRIGGER audit_is_written_once BEFORE UPDATE ON audit
WHEN OLD.seal IS NOT NULL OR NEW.seal IS NULL OR NEW.hash IS NULL
  OR OLD.id <> NEW.id OR OLD.at <> NEW.at OR OLD.what <> NEW.what OR OLD.actor <> NEW.actor OR OLD.via <> NEW.via
  OR OLD.request_id IS NOT NEW.request_id OR OLD.session_id IS NOT NEW.session_id
  OR OLD.prominent <> NEW.prominent OR OLD.detail <> NEW.detail
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER policy_versions_are_kept BEFORE DELETE ON policy_versions
BEGIN SELECT RAISE(ABORT, 'a version of a policy is never changed or deleted'); END;
CREATE TRIGGER policy_versions_are_final BEFORE UPDATE ON policy_versions
BEGIN SELECT RAISE(ABORT, 'a version of a policy is never changed or deleted'); END;
CREATE TRIGGER config_are_kept BEFORE DELETE ON config
BEGIN SELECT RAISE(ABORT, 'a version of the configuration is never changed or deleted'); END;
CREATE TRIGGER config_are_final BEFORE UPDATE ON config
BEGIN SELECT RAISE(ABORT, 'a version of the configuration is never changed or deleted'); END;
CREATE TRIGGER decisions_are_kept BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
CREATE TRIGGER decisions_are_final BEFORE UPDATE ON decisions
WHEN OLD.verdict <> NEW.verdict OR OLD.person <> NEW.person OR OLD.request_id <> NEW.request_id OR OLD.at <> NEW.at
BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
CREATE TRIGGER ended_requests_stay BEFORE UPDATE ON requests
WHEN OLD.status IN ('rejected', 'cancelled', 'expired', 'completed')
BEGIN SELECT RAISE(ABORT, 'a request that has ended is never changed'); END;
