-- Times are milliseconds since the epoch; JSON is TEXT; ids are TEXT. The same tables stand in migrations/sqlite.
-- Ids compare by byte (COLLATE "C"), as SQLite's do, or paging would skip rows.

CREATE TABLE config (
    version BIGINT PRIMARY KEY,
    document TEXT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    made_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT
);
CREATE TABLE known_documents (
    digest TEXT COLLATE "C" PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE TABLE policy_versions (
    policy TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    template TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (policy, version)
);

CREATE SEQUENCE request_number;
CREATE TABLE requests (
    id TEXT COLLATE "C" PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    version BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    requester TEXT COLLATE "C" NOT NULL,
    submitted_by TEXT COLLATE "C" NOT NULL,
    authors TEXT NOT NULL,
    reason TEXT,
    digest TEXT COLLATE "C" NOT NULL,
    gates TEXT NOT NULL,
    observed TEXT NOT NULL,
    bypassed TEXT NOT NULL,
    excluded TEXT NOT NULL,
    session_id TEXT COLLATE "C",
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
    request_id TEXT COLLATE "C" PRIMARY KEY REFERENCES requests (id),
    content TEXT NOT NULL
);
CREATE TABLE decisions (
    request_id TEXT COLLATE "C" NOT NULL REFERENCES requests (id),
    person TEXT COLLATE "C" NOT NULL,
    verdict TEXT NOT NULL,
    comment TEXT,
    teams TEXT NOT NULL,
    roles TEXT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    pages TEXT NOT NULL,
    at BIGINT NOT NULL,
    via TEXT NOT NULL,
    PRIMARY KEY (request_id, person)
);

CREATE TABLE answers (
    key TEXT COLLATE "C" PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    keep_until BIGINT NOT NULL
);
CREATE INDEX answers_by_end ON answers (keep_until);

CREATE TABLE cards (
    request_id TEXT COLLATE "C" NOT NULL REFERENCES requests (id),
    channel TEXT COLLATE "C" NOT NULL,
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
    id TEXT COLLATE "C" PRIMARY KEY,
    lane BIGINT NOT NULL,
    message TEXT NOT NULL,
    request_id TEXT COLLATE "C",
    due_at BIGINT,
    attempt BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    trouble TEXT,
    made_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (lane, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    secret_hash TEXT COLLATE "C" NOT NULL UNIQUE,
    principal TEXT COLLATE "C" NOT NULL,
    owners TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
);

-- what was learnt once and outlives a restart: the app's id, the home workspace
CREATE TABLE facts (
    name TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE audit (
    id TEXT COLLATE "C" PRIMARY KEY,
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    actor TEXT NOT NULL,
    via TEXT NOT NULL,
    request_id TEXT COLLATE "C",
    session_id TEXT COLLATE "C",
    prominent BOOLEAN NOT NULL,
    detail TEXT NOT NULL,
    seal BIGINT,
    hash TEXT
);
CREATE INDEX audit_by_request ON audit (request_id, id);
-- partial, or SQLite would look for unsealed rows among the seals
CREATE UNIQUE INDEX audit_by_seal ON audit (seal) WHERE seal IS NOT NULL;
CREATE INDEX audit_unsealed ON audit (id) WHERE seal IS NULL;

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse('audit rows are never deleted');
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse('audit rows are never deleted');
CREATE TRIGGER audit_is_written_once BEFORE UPDATE ON audit
FOR EACH ROW WHEN (OLD.seal IS NOT NULL OR NEW.seal IS NULL OR NEW.hash IS NULL
  OR OLD.id <> NEW.id OR OLD.at <> NEW.at OR OLD.what <> NEW.what OR OLD.actor <> NEW.actor OR OLD.via <> NEW.via
  OR OLD.request_id IS DISTINCT FROM NEW.request_id OR OLD.session_id IS DISTINCT FROM NEW.session_id
  OR OLD.prominent <> NEW.prominent OR OLD.detail <> NEW.detail)
EXECUTE FUNCTION refuse('audit rows are never changed');
CREATE TRIGGER policy_versions_are_final BEFORE UPDATE OR DELETE ON policy_versions
FOR EACH ROW EXECUTE FUNCTION refuse('a version of a policy is never changed or deleted');
CREATE TRIGGER config_are_final BEFORE UPDATE OR DELETE ON config
FOR EACH ROW EXECUTE FUNCTION refuse('a version of the configuration is never changed or deleted');
CREATE TRIGGER decisions_are_kept BEFORE DELETE ON decisions
FOR EACH ROW EXECUTE FUNCTION refuse('decisions are never deleted');
CREATE TRIGGER decisions_are_final BEFORE UPDATE ON decisions
FOR EACH ROW WHEN (OLD.verdict <> NEW.verdict OR OLD.person <> NEW.person OR OLD.request_id <> NEW.request_id OR OLD.at <> NEW.at)
EXECUTE FUNCTION refuse('decisions are never changed');
CREATE TRIGGER ended_requests_stay BEFORE UPDATE ON requests
FOR EACH ROW WHEN (OLD.status IN ('rejected', 'cancelled', 'expired', 'completed'))
EXECUTE FUNCTION refuse('a request that has ended is never changed');
