// The same requests to a server on SQLite and to one on PostgreSQL, and the comparison of their answers [M-2].
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Server, SECRET } from './server.mjs';
import { freshDatabase } from './pg.mjs';
import { onDatabase } from './coocook.mjs';

const HEADERS = ['content-type', 'cache-control', 'vary', 'allow', 'x-total-count', 'retry-after', 'www-authenticate', 'location',
  'link', 'idempotent-replayed', 'x-content-type-options', 'content-security-policy', 'ratelimit-limit'];
const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');

/** Takes out what differs by chance: ids of requests, tokens, and times that the clock gave just now. */
function plain(value, key, now) {
  if (Array.isArray(value)) return value.map((v) => plain(v, key, now));
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v, k, now)]));
  if (typeof value !== 'string') return value;
  if (key === 'request_id') return '<request>';
  if (/_token$/.test(key ?? '') && value.split('.').length === 3) return '<token>';
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/.test(value)) {
    const since = Date.parse(value) - now - (key === 'expires_at' ? 48 * 3_600_000 : 0); // a request of just now ends in 48 h
    if (Math.abs(since) < 120_000) return '<now>';
  }
  return value;
}

/** The first place where two values differ, as a line for each. */
function first(a, b, at = '') {
  if (a && b && typeof a === 'object' && typeof b === 'object' && Array.isArray(a) === Array.isArray(b)) {
    for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) if (!isDeepStrictEqual(a[k], b[k])) return first(a[k], b[k], `${at}.${k}`);
  }
  const show = (v) => (JSON.stringify(v) ?? 'nothing').slice(0, 300);
  return `  ${at.slice(1)}\n    SQLite:     ${show(a)}\n    PostgreSQL: ${show(b)}`;
}

export class Twins {
  /** The PostgreSQL database sorts as a person would (ICU), so that an order left to the collation shows. */
  static async start(options = {}) {
    const t = new Twins();
    t.differences = [];
    t.database = await freshDatabase("TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'");
    const servers = await Promise.allSettled([Server.start({ engine: 'sqlite', ...options }),
      Server.start({ engine: 'postgres', database: t.database.url, ...options })]);
    t.servers = servers.filter((s) => s.status === 'fulfilled').map((s) => s.value);
    const bad = servers.find((s) => s.status === 'rejected');
    if (bad) {
      await t.stop();
      throw bad.reason;
    }
    return t;
  }
  async stop() {
    const ends = await Promise.allSettled(this.servers.map((s) => s.stop()));
    await this.database.drop();
    for (const e of ends) if (e.status === 'rejected') throw e.reason;
  }
  sql(text) {
    return Promise.all(this.servers.map((s) => onDatabase(s, text)));
  }
  /** Users by SQL: [email, name] each, with the ids that follow; nobody can log in as them, but see `token`. */
  async users(list) {
    const quote = (s) => `'${s.replaceAll("'", "''")}'`;
    const rows = list.map(([email, name], i) => `(${quote(email)}, '-', ${quote(name)}, '2026-03-01 10:00:${String(i % 60).padStart(2, '0')}.${['000000', '500000', '000001'][i % 3]}')`);
    const ids = await this.sql(`INSERT INTO users (email, password_hash, name, created_at) VALUES ${rows.join(', ')} RETURNING id`);
    assert.deepEqual(ids[0], ids[1]);
    return ids[0].map(([id]) => Number(id));
  }
  /** Lets the next ids be the same again: a row that was refused has used one up on PostgreSQL. */
  level(table) {
    return onDatabase(this.servers[1], `SELECT setval(pg_get_serial_sequence('${table}', 'id'), (SELECT max(id) FROM ${table}))`);
  }
  async subscribe(ids, slug = 'coocook') {
    await this.sql(`INSERT INTO subscriptions (user_id, product_id, plan_type, status, current_period_start, current_period_end, created_at)
      SELECT u.id, p.id, 'monthly', 'active', '2026-02-03 04:05:06.789', '2099-01-01 00:00:00', '2026-02-03 04:05:06' FROM users u, products p
      WHERE u.id IN (${ids}) AND p.slug = '${slug}'`);
  }
  /** An access token of a user, signed as the server signs; `pattern` is a token the server made, whose key id it takes. */
  token(pattern, id, role = 'user') {
    const iat = Math.floor(Date.now() / 1000);
    const text = `${pattern.split('.')[0]}.${part({ sub: String(id), role, iat, exp: iat + 3600, jti: `t${id}${role}`, typ: 'access' })}`;
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
  }
  /** Asks both and keeps where they differ for `same`; returns SQLite's answer with `both` beside it. */
  async ask(method, path, options = {}) {
    const of = (s, i) => s.request(method, path, { ...options, ...(options.each ? options.each(i) : {}) });
    const [a, b] = await Promise.all(this.servers.map(of));
    const now = Date.now();
    const seen = (r) => ({
      status: r.status, body: r.body === undefined ? r.text : plain(r.body, undefined, now),
      headers: Object.fromEntries(HEADERS.filter((h) => r.headers[h] !== undefined).map((h) => [h, r.headers[h]])),
    });
    const [left, right] = [seen(a), seen(b)];
    if (a.text === b.text) left.etag = a.headers.etag, right.etag = b.headers.etag;
    if (!isDeepStrictEqual(left, right)) this.differences.push(`${method} ${path} ${JSON.stringify(options.body ?? '')}\n${first(left, right)}`);
    a.both = [a, b];
    return a;
  }
  /** Asserts that nothing differed since the last call. */
  same() {
    const list = this.differences.splice(0);
    assert.ok(list.length === 0, `${list.length} answers differ:\n${list.slice(0, 20).join('\n')}`);
  }
  get(path, token) { return this.ask('GET', path, { token }); }
}
