-- Approvals on the web pages soon after signing in: when a person proved who they are, and which decisions were made soon after. The same
-- columns are in migrations/postgres. A sign-in or decision of the previous release is not fresh.
ALTER TABLE sign_ins ADD COLUMN authenticated_at BIGINT;
ALTER TABLE decisions ADD COLUMN fresh_sign_in BOOLEAN NOT NULL DEFAULT FALSE;
