// Every named query of the program is planned by PostgreSQL on large tables, as a prepared statement with a generic plan: none may scan
// a large table, and none may sort or count its way through one.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { BIN, Server } from '../lib/server.mjs';
import { exec } from '../lib/proc.mjs';
import { endOwn, sql } from '../lib/pg.mjs';

const LARGE = 10_000; // rows from which a sequential scan is a fault
const CHEFS = 100_000, BOOKINGS = 1_000_000, ROWS = 100_000; // ROWS: of each table beside these
const PG_TYPES = { int: 'bigint', float: 'double precision', bool: 'boolean', text: 'text', json: 'jsonb', time: 'timestamptz', date: 'date', bytes: 'bytea', ints: 'bigint[]' };

// These are to read all: lanes that a release no longer knows are emptied once, as it starts; the outbox never holds more than 10,000.
const WHOLE = { 'jobs.relane': 'jobs', 'mail.count': 'mail_outbox' };

// Values that a table of this size has many rows of; by parameter name first, then by type.
const VALUES = {
  limit: '12', offset: '0', cuisine: "'Cuisine 3'", location: "'City 7'", min_price: '60000', max_price: '90000', status: "'pending'",
  words: "'number:*'", in_name: "'chef:*'", in_head: "'cuisine:*'", q: "'%500%'", pattern: "'%500%'", query: "'%500%'",
  int: '4242', float: '1.5', bool: 'true', text: "'text'", json: "'{}'", time: "'2027-01-01T00:00:00Z'", date: "'2027-01-01'", bytes: "'\\x00'", ints: "'{1,2,3}'",
};

let s, url, queries;
before(async () => {
  s = await Server.start({ engine: 'postgres', demo: true, env: { JOB_WORKERS: '0' } }); // what waits in the queue stays there
  url = s.database.url;
  queries = JSON.parse((await exec(BIN, ['db', 'queries', '--json'])).stdout);
  await sql(url, `
    INSERT INTO users (id, email, password_hash, name, role, is_active, created_at)
      SELECT 1000 + i, 'user' || i || '@example.com', 'x', 'User ' || i, 'user', true, now() - i * interval '1 minute' FROM generate_series(1, 100000) i;
    INSERT INTO subscriptions (user_id, product_id, plan_type, status, current_period_start, current_period_end, created_at)
      SELECT 1000 + i, 1 + i % 6, 'monthly', 'active', now(), now() + interval '1 month', now() FROM generate_series(1, 100000) i;
    INSERT INTO chefs (user_id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, popularity, created_at)
      SELECT 1000 + i, 'Chef ' || i, 'A cook, number ' || i, 'Cuisine ' || i % 20, 'City ' || i % 30, 50000 + (i % 200) * 1000, (i % 50) / 10.0, i % 90, 4 + (i % 100) / 100.0, now() - i * interval '1 minute'
      FROM generate_series(1, ${CHEFS}) i;`);
  // Without its exclusion constraint, which no plan uses, the table is filled in a fifth of the time.
  await sql(url, 'ALTER TABLE bookings DROP CONSTRAINT bookings_slot');
  await sql(url, `
    INSERT INTO bookings (user_id, chef_id, booking_date, starts_at, ends_at, duration_hours, total_price, status, created_at)
      SELECT 1000 + i % 50000, (SELECT min(id) + 200 FROM chefs) + i / 12, day, day + (i % 12) * interval '2 hours', day + (i % 12) * interval '2 hours' + interval '1 hour', 1, 100000,
        (ARRAY['pending', 'confirmed', 'completed', 'cancelled'])[1 + i % 4], now()
      FROM (SELECT i, date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + (i % 300) * interval '1 day' AS day FROM generate_series(0, ${BOOKINGS - 1}) i) t;
    INSERT INTO booking_reviews (booking_id, chef_id, user_id, rating, comment, created_at)
      SELECT id, chef_id, user_id, 1 + id % 5, 'fine', now() FROM bookings WHERE status = 'completed' AND NOT reviewed;
    INSERT INTO booking_payments (booking_id, user_id, amount, status, provider, provider_ref, created_at)
      SELECT id, user_id, total_price, 'paid', 'sandbox', 'ref' || id, now() FROM bookings WHERE status = 'confirmed' AND payment_status = 'unpaid';`);
  // job_history is looked at in its partitions, of which today's gets all
  await sql(url, `
    INSERT INTO booking_letters (booking_id, event) SELECT i, (ARRAY['created', 'confirmed', 'cancelled', 'paid'])[1 + i % 4] FROM generate_series(1, ${ROWS}) i;
    INSERT INTO mail_outbox (message_id, template, sender, recipient, subject, body_text, body_html)
      SELECT 'm' || i, 'booking_created', 'a@example.com', 'user' || i % 1000 || '@example.com', 'subject', 'text', 'html' FROM generate_series(1, ${ROWS}) i;
    INSERT INTO otps (email, purpose, otp_hash, expires_at, sent_at) SELECT 'user' || i || '@example.com', 'reset', 'h' || i, now() + i * interval '1 second', now() FROM generate_series(1, ${ROWS}) i;
    INSERT INTO telegram_links (user_id, chat_id, linked_at) SELECT i, i, now() FROM generate_series(1, ${ROWS}) i;
    INSERT INTO telegram_codes (user_id, code_hash, expires_at) SELECT i, 'h' || i, now() + i * interval '1 second' FROM generate_series(1, ${ROWS}) i;
    INSERT INTO telegram_updates (update_id, received_at) SELECT i, now() - i * interval '1 second' FROM generate_series(1, ${ROWS}) i;
    INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, created_at, state, worker)
      SELECT 'kind' || i % 5, 'queue' || i % 3, 'queue' || i % 3, i % 10, jobs_now() + i, 20, '{}', jobs_now(), CASE WHEN i % 100 = 0 THEN 'running' ELSE 'ready' END, CASE WHEN i % 100 = 0 THEN i % 16 END
      FROM generate_series(1, ${ROWS}) i;
    INSERT INTO job_history (id, kind, queue, priority, run_at, state, attempts, max_attempts, crashes, payload, owner_user, progress, created_at, started_at, finished_at)
      SELECT 10000000 + i, 'kind' || i % 5, 'queue' || i % 3, 5, jobs_now(), CASE WHEN i % 1000 = 0 THEN 'dead' ELSE 'done' END, 1, 20, 0, '{}', i % 1000, 0, jobs_now(), jobs_now(), jobs_now()
      FROM generate_series(1, ${ROWS}) i;`);
  await sql(url, 'VACUUM ANALYZE');
});
after(async () => {
  await s?.stop();
  await endOwn();
});

const nodes = (plan) => [plan, ...(plan.Plans ?? []).flatMap(nodes)];
const sizes = async () => Object.fromEntries((await sql(url, 'SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = \'r\'')).map(([n, c]) => [n, Number(c)]));

test('no named query scans a large table', async () => {
  const rows = await sizes();
  assert.ok(rows.chefs >= CHEFS && rows.bookings >= BOOKINGS && rows.users >= 100_000, 'the tables are large');
  for (const t of ['booking_letters', 'mail_outbox', 'otps', 'telegram_links', 'telegram_codes', 'telegram_updates', 'jobs']) assert.ok(rows[t] >= ROWS, t);
  assert.ok(queries.length >= 50, `${queries.length} queries`);
  const faults = [];
  for (const [i, q] of queries.entries()) {
    const values = q.in.map((p) => (p.type === 'int' && VALUES[p.name]?.startsWith("'") ? VALUES.int : VALUES[p.name] ?? VALUES[p.type]));
    const types = q.in.map((p) => PG_TYPES[p.type]);
    const name = `q${i}`;
    let text;
    try {
      text = (await sql(url, `SET plan_cache_mode = force_generic_plan; PREPARE ${name}${types.length ? `(${types})` : ''} AS ${q.pg};
        EXPLAIN (FORMAT JSON) EXECUTE ${name}${values.length ? `(${values})` : ''}`)).map((l) => l.join('\t')).join('\n');
    } catch (error) {
      faults.push(`${q.name}: ${error.message}`);
      continue;
    }
    for (const n of nodes(JSON.parse(text)[0].Plan)) {
      if (n['Node Type'] === 'Seq Scan' && rows[n['Relation Name']] >= LARGE && WHOLE[q.name] !== n['Relation Name']) faults.push(`${q.name}: sequential scan of ${n['Relation Name']} (${n.Filter ?? 'no filter'})`);
    }
  }
  assert.deepEqual(faults, []);
});
