-- A payload lies where its key does: to read one is one look-up instead of two. Postgres has no such kind of table.
CREATE TABLE payloads_by_key (
    request_id TEXT PRIMARY KEY REFERENCES requests (id),
    content TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO payloads_by_key (request_id, content) SELECT request_id, content FROM payloads ORDER BY request_id;
DROP TABLE payloads;
ALTER TABLE payloads_by_key RENAME TO payloads;
