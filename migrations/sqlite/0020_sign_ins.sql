-- Signed-in browsers of the web pages: the hash of each secret, and who signed in. The same table is in migrations/postgres.
CREATE TABLE sign_ins (
    id TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE,
    person TEXT NOT NULL,
    identity TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX sign_ins_person ON sign_ins (person, started_at);
CREATE INDEX sign_ins_started ON sign_ins (started_at, id);
