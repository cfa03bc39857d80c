//! Statements that differ between the databases: locks, reading and writing many rows at once, claiming work, numbers.

use super::sql;

/// The columns of a request, with its decisions and (if `$2` is 1) its payload.
macro_rules! requests {
    (sqlite) => {
        requests!("SELECT json_group_array(json_object('by', d.person, 'verdict', d.verdict, 'comment', d.comment,
            'teams', d.teams, 'roles', d.roles, 'at', d.at, 'via', d.via, 'fresh', json(iif(d.fresh_sign_in, 'true', 'false'))))")
    };
    (postgres) => {
        requests!("SELECT CAST(jsonb_agg(jsonb_build_object('by', d.person, 'verdict', d.verdict, 'comment', d.comment,
            'teams', d.teams, 'roles', d.roles, 'at', d.at, 'via', d.via, 'fresh', d.fresh_sign_in)) AS TEXT)")
    };
    ($decisions:literal) => {
        concat!(
            "SELECT r.id, r.number, r.version, r.status, r.action, r.target, r.requester, r.submitted_by, r.authors, r.reason,
                r.digest, r.gates, r.observed, r.bypassed, r.excluded, r.session_id, r.ends_at, r.created_at, r.decided_at,
                r.executed_at, r.outcome, r.replaces, r.callback_url,
                (SELECT coalesce(max(c.version), CAST(0 AS BIGINT)) FROM config c) AS config,
                (SELECT coalesce(max(v.version), CAST(0 AS BIGINT)) FROM directory_versions v) AS directory,
                CASE WHEN CAST($2 AS BIGINT) = 1 THEN (SELECT p.content FROM payloads p WHERE p.request_id = r.id) END AS payload,
                coalesce((", $decisions, " FROM decisions d WHERE d.request_id = r.id), '[]') AS decisions
             FROM requests r WHERE ")
    };
}

sql! {
    /// Lock the configuration first, then rows in a fixed order. This prevents deadlocks, and nobody changes the configuration
    /// during a decision.
    LOCK_CONFIG_SHARED @postgres = "SELECT pg_advisory_xact_lock_shared(hashtext(current_schema()))";
    LOCK_CONFIG @postgres = "SELECT pg_advisory_xact_lock(hashtext(current_schema()))";
    /// Taken after the configuration lock and before any request lock: a transaction that counts the requests of a principal then
    /// sees those that another replica is adding. A two-part key cannot collide with the one-part key of the configuration; the
    /// fixed order prevents deadlocks between two principals.
    LOCK_PRINCIPALS @postgres = "SELECT pg_advisory_xact_lock(hashtext('principals ' || current_schema()), o.key)
        FROM (SELECT DISTINCT hashtext(p) AS key FROM unnest(CAST($1 AS TEXT[])) AS p ORDER BY key) o";
    LOCK_REQUESTS @postgres = "SELECT id FROM requests WHERE id = ANY(CAST($1 AS TEXT[])) ORDER BY id FOR UPDATE";

    READ_REQUESTS_SQLITE @sqlite = concat!(requests!(sqlite), "r.id IN (SELECT value FROM json_each($1))");
    READ_REQUESTS_POSTGRES @postgres = concat!(requests!(postgres), "r.id = ANY(CAST($1 AS TEXT[]))");
    READ_ROWS_SQLITE @sqlite = concat!(requests!(sqlite), "r.rowid IN (SELECT CAST(value AS INTEGER) FROM json_each($1))");
    READ_PAYLOADS_SQLITE @sqlite = "SELECT request_id, content FROM payloads WHERE request_id IN (SELECT value FROM json_each($1))";
    READ_PAYLOADS_POSTGRES @postgres = "SELECT request_id, content FROM payloads
        WHERE request_id = ANY(CAST($1 AS TEXT[]))";

    READ_ANSWERS_SQLITE @sqlite = "SELECT key, fingerprint, answer FROM answers WHERE key IN (SELECT value FROM json_each($1))";
    READ_ANSWERS_POSTGRES @postgres = "SELECT key, fingerprint, answer FROM answers WHERE key = ANY(CAST($1 AS TEXT[]))";
    /// For each request ($1): the first event and the latest $2 events. Refused decisions could fill the timeline before they were
    /// limited, so it may be long.
    READ_TIMELINE_SQLITE @sqlite = "SELECT a.id, a.at, a.what, a.actor, a.via, a.request_id, a.detail
            FROM json_each($1) j JOIN audit a ON a.request_id = j.value AND a.id >= coalesce(
                (SELECT b.id FROM audit b WHERE b.request_id = j.value ORDER BY b.id DESC LIMIT 1 OFFSET $2 - 1), '')
        UNION SELECT a.id, a.at, a.what, a.actor, a.via, a.request_id, a.detail
            FROM json_each($1) j JOIN audit a ON a.request_id = j.value
                AND a.id = (SELECT min(b.id) FROM audit b WHERE b.request_id = j.value)
        ORDER BY 1";
    READ_TIMELINE_POSTGRES @postgres = "SELECT a.id, a.at, a.what, a.actor, a.via, a.request_id, a.detail
        FROM unnest(CAST($1 AS TEXT[])) AS j(request) CROSS JOIN LATERAL (
            (SELECT * FROM audit b WHERE b.request_id = j.request ORDER BY b.id DESC LIMIT CAST($2 AS BIGINT))
            UNION (SELECT * FROM audit b WHERE b.request_id = j.request ORDER BY b.id LIMIT 1)) a
        ORDER BY a.id";
    READ_VERSIONS_SQLITE @sqlite = "SELECT id, version FROM requests WHERE id IN (SELECT value FROM json_each($1))";
    READ_VERSIONS_POSTGRES @postgres = "SELECT id, version FROM requests WHERE id = ANY(CAST($1 AS TEXT[]))";

    /// Everything that a decision batch changes: $1 decisions, $2 requests (one row each), $3 audit events, $4 outbox messages, $5
    /// stored responses, $6 the time, $7 the ids of the requests.
    WRITE_BATCH_SQLITE @sqlite = "
        INSERT INTO decisions (request_id, person, verdict, comment, teams, roles, digest, pages, at, via, fresh_sign_in)
            SELECT value->>'r', value->>'p', value->>'v', value->>'c', value->>'t', value->>'o', value->>'d', value->>'g', $6, value->>'i',
                value->>'f'
            FROM json_each($1);
        UPDATE requests SET status = x.s, ends_at = x.e, decided_at = coalesce(x.d, decided_at), version = version + 1
            FROM (SELECT value->>'r' AS r, value->>'s' AS s, value->>'e' AS e, value->>'d' AS d FROM json_each($2)) x
            WHERE requests.id = x.r;
        UPDATE cards SET due_at = $6, touched = touched + 1 WHERE request_id IN (SELECT value FROM json_each($7));
        INSERT INTO audit (id, at, what, actor, via, request_id, session_id, prominent, detail)
            SELECT value->>'i', $6, value->>'w', value->>'a', value->>'v', value->>'r', value->>'s', value->>'h', value->>'d'
            FROM json_each($3);
        INSERT INTO outbox (id, lane, message, request_id, channel, due_at, attempt, failures, made_at)
            SELECT value->>'i', value->>'l', value->>'m', value->>'r', value->>'c', $6, 0, 0, $6 FROM json_each($4);
        INSERT INTO answers (key, fingerprint, answer, keep_until)
            SELECT value->>'k', value->>'f', value->>'a', value->>'u' FROM json_each($5)";
    WRITE_BATCH_POSTGRES @postgres = "
        WITH d AS (
            INSERT INTO decisions (request_id, person, verdict, comment, teams, roles, digest, pages, at, via, fresh_sign_in)
            SELECT r, p, v, c, t, o, d, g, CAST($6 AS BIGINT), i, f
            FROM jsonb_to_recordset(CAST($1 AS jsonb))
                AS x(r text, p text, v text, c text, t text, o text, d text, g text, i text, f boolean)),
        q AS (
            UPDATE requests SET status = x.s, ends_at = x.e, decided_at = coalesce(x.d, requests.decided_at), version = version + 1
            FROM jsonb_to_recordset(CAST($2 AS jsonb)) AS x(r text, s text, e bigint, d bigint)
            WHERE requests.id = x.r AND requests.id = ANY(CAST($7 AS TEXT[]))),
        k AS (
            UPDATE cards SET due_at = CAST($6 AS BIGINT), touched = touched + 1
            WHERE request_id = ANY(CAST($7 AS TEXT[]))),
        a AS (
            INSERT INTO audit (id, at, what, actor, via, request_id, session_id, prominent, detail)
            SELECT i, CAST($6 AS BIGINT), w, a, v, r, s, h, d
            FROM jsonb_to_recordset(CAST($3 AS jsonb)) AS x(i text, w text, a text, v text, r text, s text, h boolean, d text)),
        o AS (
            INSERT INTO outbox (id, lane, message, request_id, channel, due_at, attempt, failures, made_at)
            SELECT i, l, m, r, c, CAST($6 AS BIGINT), 0, 0, CAST($6 AS BIGINT)
            FROM jsonb_to_recordset(CAST($4 AS jsonb)) AS x(i text, l bigint, m text, r text, c text))
        INSERT INTO answers (key, fingerprint, answer, keep_until)
            SELECT k, f, a, u FROM jsonb_to_recordset(CAST($5 AS jsonb)) AS x(k text, f text, a text, u bigint)";

    SAVE_ACCOUNTS_SQLITE @sqlite = "INSERT INTO slack_accounts (account, name, is_active, is_full)
        SELECT value->>'i', value->>'n', value->>'a', value->>'f' FROM json_each($1) WHERE true
        ON CONFLICT (account) DO UPDATE SET name = excluded.name, is_active = excluded.is_active, is_full = excluded.is_full";
    SAVE_ACCOUNTS_POSTGRES @postgres = "INSERT INTO slack_accounts (account, name, is_active, is_full)
        SELECT i, n, a, f FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS x(i text, n text, a boolean, f boolean)
        ON CONFLICT (account) DO UPDATE SET name = excluded.name, is_active = excluded.is_active, is_full = excluded.is_full";

    GAIN_SQLITE @sqlite = "INSERT INTO gained (person, what, since, held_until)
        SELECT value->>'p', value->>'w', value->>'s', value->>'u' FROM json_each($1) WHERE true
        ON CONFLICT (person, what) DO UPDATE SET since = excluded.since, held_until = excluded.held_until";
    GAIN_POSTGRES @postgres = "INSERT INTO gained (person, what, since, held_until)
        SELECT p, w, s, u FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS x(p text, w text, s bigint, u bigint)
        ON CONFLICT (person, what) DO UPDATE SET since = excluded.since, held_until = excluded.held_until";
    FORGET_GAINED_SQLITE @sqlite = "DELETE FROM gained WHERE (person, what) IN
        (SELECT value->>'p', value->>'w' FROM json_each($1))";
    FORGET_GAINED_POSTGRES @postgres = "DELETE FROM gained g
        USING jsonb_to_recordset(CAST($1 AS jsonb)) AS x(p text, w text) WHERE g.person = x.p AND g.what = x.w";

    INSERT_REQUEST_SQLITE @sqlite = "
        INSERT INTO requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason, digest,
            gates, observed, bypassed, excluded, session_id, ends_at, created_at, decided_at, executed_at, outcome, replaces, callback_url)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, NULL, NULL, $21, $22);
        INSERT INTO payloads (request_id, content) VALUES ($1, $23)";
    INSERT_REQUEST_POSTGRES @postgres = "
        WITH r AS (
            INSERT INTO requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason, digest,
                gates, observed, bypassed, excluded, session_id, ends_at, created_at, decided_at, executed_at, outcome, replaces, callback_url)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, NULL, NULL, $21, $22))
        INSERT INTO payloads (request_id, content) VALUES ($1, $23)";

    NEXT_NUMBER_SQLITE @sqlite = "SELECT coalesce(max(number), 0) + 1 FROM requests";
    NEXT_NUMBER_POSTGRES @postgres = "SELECT nextval('request_number')";

    /// Claiming moves the due time of work to the end of the lease. The attempt number rejects results of a worker whose lease was
    /// lost (NO8). A claimed row is no longer set aside; reading it sets it aside again if need be.
    CLAIM_POSTS_SQLITE @sqlite = "UPDATE cards SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE (request_id, channel) IN
            (SELECT c.request_id, c.channel FROM cards c WHERE c.due_at <= $1 AND c.ts IS NULL AND NOT EXISTS
                (SELECT 1 FROM channel_pauses p WHERE p.channel = c.channel AND p.lane = 'post')
            ORDER BY c.due_at LIMIT $3)
        RETURNING request_id, channel, ts, shown, touched, attempt, failures, person, notice";
    PROBE_POSTS_SQLITE @sqlite = "UPDATE cards SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE (request_id, channel) IN
            (SELECT c.request_id, c.channel FROM cards c WHERE c.channel = $3 AND c.due_at <= $1 AND c.ts IS NULL
            ORDER BY c.due_at LIMIT 1)
        RETURNING request_id, channel, ts, shown, touched, attempt, failures, person, notice";
    CLAIM_POSTS_POSTGRES @postgres = "UPDATE cards SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE (request_id, channel) IN
            (SELECT c.request_id, c.channel FROM cards c WHERE c.due_at <= $1 AND c.ts IS NULL AND NOT EXISTS
                (SELECT 1 FROM channel_pauses p WHERE p.channel = c.channel AND p.lane = 'post')
            ORDER BY c.due_at LIMIT $3 FOR UPDATE OF c SKIP LOCKED)
        RETURNING request_id, channel, ts, shown, touched, attempt, failures, person, notice";
    PROBE_POSTS_POSTGRES @postgres = "UPDATE cards SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE (request_id, channel) IN
            (SELECT c.request_id, c.channel FROM cards c WHERE c.channel = $3 AND c.due_at <= $1 AND c.ts IS NULL
            ORDER BY c.due_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
        RETURNING request_id, channel, ts, shown, touched, attempt, failures, person, notice";
    CLAIM_UPDATES_SQLITE @sqlite = "UPDATE cards SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE (request_id, channel) IN
            (SELECT c.request_id, c.channel FROM cards c WHERE c.due_at <= $1 AND c.ts IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM channel_pauses p WHERE p.channel = c.channel AND p.lane = 'update')
            ORDER BY c.due_at LIMIT $3)
        RETURNING request_id, channel, ts, shown, touched, attempt, failures, person, notice";
    PROBE_UPDATES_SQLITE @sqlite = "UPDATE cards SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE (request_id, channel) IN
            (SELECT c.request_id, c.channel FROM cards c WHERE c.channel = $3 AND c.due_at <= $1 AND c.ts IS NOT NULL
            ORDER BY c.due_at LIMIT 1)
        RETURNING request_id, channel, ts, shown, touched, attempt, failures, person, notice";
    CLAIM_UPDATES_POSTGRES @postgres = "UPDATE cards SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE (request_id, channel) IN
            (SELECT c.request_id, c.channel FROM cards c WHERE c.due_at <= $1 AND c.ts IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM channel_pauses p WHERE p.channel = c.channel AND p.lane = 'update')
            ORDER BY c.due_at LIMIT $3 FOR UPDATE OF c SKIP LOCKED)
        RETURNING request_id, channel, ts, shown, touched, attempt, failures, person, notice";
    PROBE_UPDATES_POSTGRES @postgres = "UPDATE cards SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE (request_id, channel) IN
            (SELECT c.request_id, c.channel FROM cards c WHERE c.channel = $3 AND c.due_at <= $1 AND c.ts IS NOT NULL
            ORDER BY c.due_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
        RETURNING request_id, channel, ts, shown, touched, attempt, failures, person, notice";
    CLAIM_OUTBOX_SQLITE @sqlite = "UPDATE outbox SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE id IN
            (SELECT o.id FROM outbox o WHERE o.lane = $4 AND o.due_at <= $1 AND NOT EXISTS
                (SELECT 1 FROM channel_pauses p WHERE p.channel = o.channel AND p.lane = 'alert')
            ORDER BY o.due_at, o.id LIMIT $3)
        RETURNING id, message, attempt, failures, made_at, channel";
    PROBE_OUTBOX_SQLITE @sqlite = "UPDATE outbox SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE id IN
            (SELECT o.id FROM outbox o WHERE o.lane = 0 AND o.channel = $3 AND o.due_at <= $1 ORDER BY o.due_at, o.id LIMIT 1)
        RETURNING id, message, attempt, failures, made_at, channel";
    CLAIM_OUTBOX_POSTGRES @postgres = "UPDATE outbox SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE id IN
            (SELECT o.id FROM outbox o WHERE o.lane = $4 AND o.due_at <= $1 AND NOT EXISTS
                (SELECT 1 FROM channel_pauses p WHERE p.channel = o.channel AND p.lane = 'alert')
            ORDER BY o.due_at, o.id LIMIT $3 FOR UPDATE OF o SKIP LOCKED)
        RETURNING id, message, attempt, failures, made_at, channel";
    PROBE_OUTBOX_POSTGRES @postgres = "UPDATE outbox SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE id IN
            (SELECT o.id FROM outbox o WHERE o.lane = 0 AND o.channel = $3 AND o.due_at <= $1 ORDER BY o.due_at, o.id LIMIT 1 FOR UPDATE OF o SKIP LOCKED)
        RETURNING id, message, attempt, failures, made_at, channel";
    CLAIM_WEBHOOKS_SQLITE @sqlite = "UPDATE outbox SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE id IN
            (SELECT o.id FROM outbox o WHERE o.lane = 3 AND o.channel = $4 AND o.due_at <= $1 AND NOT EXISTS
                (SELECT 1 FROM outbox e WHERE e.lane = 3 AND e.channel = o.channel AND e.request_id = o.request_id AND e.id < o.id
                    AND e.due_at IS NOT NULL)
            ORDER BY o.due_at, o.id LIMIT $3)
        RETURNING id, message, attempt, failures, made_at, channel";
    CLAIM_WEBHOOKS_POSTGRES @postgres = "UPDATE outbox SET due_at = $2, attempt = attempt + 1, set_aside_at = NULL WHERE id IN
            (SELECT o.id FROM outbox o WHERE o.lane = 3 AND o.channel = $4 AND o.due_at <= $1 AND NOT EXISTS
                (SELECT 1 FROM outbox e WHERE e.lane = 3 AND e.channel = o.channel AND e.request_id = o.request_id AND e.id < o.id
                    AND e.due_at IS NOT NULL)
            ORDER BY o.due_at, o.id LIMIT $3 FOR UPDATE OF o SKIP LOCKED)
        RETURNING id, message, attempt, failures, made_at, channel";
    SEAL_SQLITE @sqlite = "UPDATE audit SET seal = x.s, hash = x.h
        FROM (SELECT value->>'i' AS i, value->>'s' AS s, value->>'h' AS h FROM json_each($1)) x WHERE audit.id = x.i";
    SEAL_POSTGRES @postgres = "UPDATE audit SET seal = x.s, hash = x.h
        FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS x(i text, s bigint, h text)
        WHERE audit.id = x.i AND audit.id = ANY(CAST($2 AS TEXT[]))";
    LOCK_SEALS @postgres = "SELECT pg_advisory_xact_lock(hashtext('seals'), hashtext(current_schema()))";

    /// The common clock of all replicas; `SQLite` uses the machine's clock.
    CLOCK @postgres = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)";

    NOTIFY @postgres = "SELECT pg_notify('countersign_' || current_schema(), $1)";
}

/// Picks the statement for the database that a transaction runs on.
macro_rules! on {
    ($tx:expr, $sqlite:expr, $postgres:expr) => {
        match $tx.conn {
            $crate::store::Conn::Postgres(_) => $postgres,
            _ => $sqlite,
        }
    };
}
pub(crate) use on;

impl super::Tx {
    /// Whether this transaction runs on Postgres, where rows are locked individually.
    pub(crate) fn locks_rows(&self) -> bool {
        matches!(self.conn, super::Conn::Postgres(_))
    }
}
