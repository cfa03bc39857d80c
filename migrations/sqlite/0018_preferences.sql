-- What a person wants to be told, and when, as JSON.
CREATE TABLE preferences (
    person TEXT PRIMARY KEY,
    wishes TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
