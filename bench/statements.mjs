// What the database scenarios share: many chefs, and our own statements as scripts for pgbench.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from '../tests/lib/pg.mjs';
import { exec, until } from '../tests/lib/proc.mjs';
import { BIN, SECRET } from '../tests/lib/server.mjs';

export const CHEFS = 10_000;
const GUESTS = 2000, FIRST_GUEST = 1_000_000; // what a guest holds unpaid is looked at with each booking, so there are many
/** Settings under which a load of bookings meets no limit of what a guest may hold, or of how far ahead. */
export const BOOKING_ENV = { BOOKING_OPEN_MAX: '1000000', BOOKING_OPEN_HOURS: '1000000', BOOKING_HORIZON: '3650d' };

/** Fills up to CHEFS chefs and makes the guests; url: of PostgreSQL, null for the server's SQLite file. */
export async function fill(server, url, outDir) {
  const rows = [];
  for (let i = 81; i <= CHEFS; i++)
    rows.push(`(${1000 + i},'Chef ${i}','A cook of many years, number ${i}','Cuisine ${i % 20}','City ${i % 30}',${50_000 + (i % 200) * 1000},${(i % 50) / 10},${i % 90})`);
  const file = join(outDir, 'fill.sql');
  writeFileSync(file, `INSERT INTO chefs (user_id, name, bio, cuisine_type, location, price_per_session, rating, rating_count) VALUES\n${rows.join(',\n')};
INSERT INTO users (id, email, password_hash, name) VALUES\n${guests((id) => `(${id},'guest-${id}@example.com','none','Guest ${id}')`)};
INSERT INTO subscriptions (user_id, product_id, plan_type) SELECT u.id, p.id, 'monthly' FROM users u, products p WHERE u.id >= ${FIRST_GUEST} AND p.slug = 'coocook';\n`);
  const r = url
    ? await exec('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', url, '-f', file, '-c', 'VACUUM ANALYZE'])
    : await exec('sh', ['-c', `sqlite3 -bail -cmd '.timeout 10000' "${server.database.path}" < "${file}"`]);
  assert.equal(r.code, 0, r.stderr);
}

const guests = (text) => Array.from({ length: GUESTS }, (_, i) => text(FIRST_GUEST + i)).join(',\n');

/** Access tokens of all guests, like this one of another user. */
function tokens(like) {
  const b64 = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const [header, claims] = like.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
  return guests((id) => {
    const text = `${b64(header)}.${b64({ ...claims, sub: typeof claims.sub === 'string' ? String(id) : id, role: 'user', jti: randomBytes(16).toString('hex') })}`;
    return `"${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}"`;
  });
}

let queries;
/** The PostgreSQL text of a named query with `values` (by parameter name) in place of its parameters. */
async function statement(name, values) {
  queries ??= JSON.parse((await exec(BIN, ['db', 'queries', '--json'])).stdout);
  const q = queries.find((x) => x.name === name);
  assert.ok(q, `no query is named ${name}`);
  return `${q.pg.replace(/\$(\d+)/g, (_, n) => {
    const p = q.in[n - 1];
    assert.ok(p.name in values, `${name} takes ${p.name}`);
    return values[p.name];
  })};\n`;
}

/** GET /api/coocook/chefs?page=1&per_page=12 */
export const chefsScript = () => statement('coocook.chefs_by_rating', { limit: '12', offset: '0' });

/** POST /api/coocook/bookings: each client books its own chefs hour by hour, so that every booking can succeed. */
export async function bookingScript() {
  const at = "(timestamptz '2035-01-01 00:00:00Z' + (:n / 150) * interval '1 hour')";
  const v = {
    time_zone: "'Asia/Seoul'", expires_at: "now() + interval '2 days'", most: '1000000', most_hours: '1000000', user_id: ':guest', slug: "'coocook'", now: 'now()', chef_id: ':chef', early: `${at} - interval '1 day'`,
    booking_date: `${at}::date`, starts_at: at, ends_at: `${at} + interval '1 hour'`, duration_hours: '1', special_requests: 'NULL', created_at: 'now()',
  };
  return `\\set n :n + 1\n\\set guest ${FIRST_GUEST} + (:n * 31 + :client_id) % ${GUESTS}\n\\set chef 200 + :client_id * 150 + :n % 150\n${await statement('platform.subscribed', v)}${await statement('coocook.booking_take', v)}`;
}

/** The same over HTTP, for wrk: chef by chef, then hour by hour, from a day of its own for each run, also the warming one. */
export const bookingLua = (token, { keyed = false } = {}) => `
  local n, tokens = 0, {${tokens(token)}}
  local start = os.time() + 86400 * (10 + os.time() % 3000)
  request = function()
    n = n + 1
    local at = os.date("!%Y-%m-%dT%H:00:00Z", start + math.floor(n / ${CHEFS - 200}) * 3600)
    return wrk.format("POST", "/api/coocook/bookings", {["Content-Type"]="application/json", ["Authorization"]="Bearer " .. tokens[1 + n % ${GUESTS}]${keyed ? ', ["Idempotency-Key"]=string.format("%d-%d", start, n)' : ''}},
      string.format('{"chef_id":%d,"booking_date":"%s","duration_hours":1}', 150 + n % ${CHEFS - 200}, at))
  end`;

/** How many mails the bookings have come to, and how long the last of them takes from now on. */
export async function mailsSent(url) {
  const ask = async () => {
    const text = "SELECT (SELECT count(*) FROM booking_letters) + (SELECT count(*) FROM jobs WHERE kind LIKE 'email.%'), (SELECT coalesce(max(id), 0) FROM mail_outbox)";
    const [row] = url.startsWith('sqlite') ? [(await exec('sqlite3', ['-cmd', '.timeout 10000', url.slice('sqlite:///'.length), text])).stdout.trim().split('|')] : await sql(url, text);
    return { wait: Number(row[0]), sent: Number(row[1]) };
  };
  const t = Date.now(), first = await ask();
  const last = await until(async () => {
    const now = await ask();
    return now.wait === 0 && now;
  }, { every: 200, ms: 120_000, what: 'the mails to be sent' });
  return `Mails when the load ended: ${first.sent.toLocaleString('en')} of ${last.sent.toLocaleString('en')}; the last ${((Date.now() - t) / 1000).toFixed(1)} s later.`;
}
