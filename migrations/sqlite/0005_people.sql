-- What is known of people besides the configuration, versioned apart from it. The same tables stand in migrations/postgres.

-- whoever holds rules of another version reads them anew
CREATE TABLE directory_versions (
    version BIGINT PRIMARY KEY,
    made_at BIGINT NOT NULL
);
-- what somebody gave himself, and Slack accounts that an edit gave to somebody: they do not count for older requests
CREATE TABLE gained (
    person TEXT NOT NULL,
    what TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (person, what)
);
