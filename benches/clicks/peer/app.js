// What a team would write by hand with Bolt for JavaScript: a click is verified, stored once per approver, and counted in the same
// transaction; then it is acknowledged. It has no policies, no audit log and updates no card.
import bolt from '@slack/bolt';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const QUORUM = 2;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, approved BOOLEAN NOT NULL);
  CREATE TABLE IF NOT EXISTS decisions (request TEXT NOT NULL, person TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (request, person))`;

function sqlite(file) {
  const db = new (require('better-sqlite3'))(file);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec(SCHEMA);
  const request = db.prepare('INSERT INTO requests VALUES (?, 0) ON CONFLICT DO NOTHING');
  const decision = db.prepare('INSERT INTO decisions VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const count = db.prepare('SELECT count(*) AS approvals FROM decisions WHERE request = ?');
  const approve = db.prepare('UPDATE requests SET approved = 1 WHERE id = ?');
  const decide = db.transaction((id, person) => {
    request.run(id);
    decision.run(id, person, Date.now());
    if (count.get(id).approvals >= QUORUM) approve.run(id);
  });
  return async (id, person) => decide.immediate(id, person);
}

async function postgres(url) {
  const { Pool } = require('pg');
  const pool = new Pool({ connectionString: url, max: 16 });
  await pool.query(SCHEMA);
  return async (id, person) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query({ name: 'request', text: 'INSERT INTO requests VALUES ($1, false) ON CONFLICT DO NOTHING', values: [id] });
      await client.query({ name: 'lock', text: 'SELECT id FROM requests WHERE id = $1 FOR UPDATE', values: [id] });
      await client.query({ name: 'decision', text: 'INSERT INTO decisions VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', values: [id, person, Date.now()] });
      const { rows } = await client.query({ name: 'count', text: 'SELECT count(*) AS approvals FROM decisions WHERE request = $1', values: [id] });
      if (Number(rows[0].approvals) >= QUORUM) {
        await client.query({ name: 'approve', text: 'UPDATE requests SET approved = true WHERE id = $1', values: [id] });
      }
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  };
}

const { DATABASE_URL, SLACK_SIGNING_SECRET, PORT } = process.env;
const decide = DATABASE_URL.startsWith('sqlite://') ? sqlite(DATABASE_URL.slice('sqlite://'.length)) : await postgres(DATABASE_URL);
const app = new bolt.App({
  signingSecret: SLACK_SIGNING_SECRET,
  authorize: async () => ({ botToken: 'xoxb-peer', botId: 'B01BOT', botUserId: 'U00BOT' }),
  logLevel: bolt.LogLevel.ERROR,
  customRoutes: [{ path: '/readyz', method: ['GET'], handler: (_request, response) => response.writeHead(200).end() }],
});
app.action('approve', async ({ ack, action, body }) => {
  await decide(action.value.split(' ')[0], body.user.id);
  await ack();
});
await app.start(Number(PORT));
