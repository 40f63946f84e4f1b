// A pool without a free connection tells so at once and leaks nothing, also when clients go away meanwhile [D-3].
import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { Server } from '../lib/server.mjs';
import { endOwn, freshDatabase, sql } from '../lib/pg.mjs';
import { Daemon, until } from '../lib/proc.mjs';
import { day, newChef, subscriber } from '../lib/coocook.mjs';

const STATEMENT = 1_000; // ms, DB_STATEMENT_TIMEOUT of the pool's test
const SLACK = 1_500;     // a machine that does other things too

/** Values of /metrics by series. */
async function metrics(s) {
  const out = {};
  for (const line of (await s.get('/metrics')).text.split('\n')) {
    const m = /^([^#\s]\S*) (\S+)$/.exec(line);
    if (m) out[m[1]] = Number(m[2]);
  }
  return out;
}

/** One request on a socket of its own; `hangUp`: ms after which the client goes away. Resolves to {status, retry, ms} or {gone}. */
function once(s, { method = 'POST', path, body, token, hangUp }) {
  return new Promise((resolve) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const asked = performance.now();
    const headers = { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...(text ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } : {}) };
    const req = http.request({ host: '127.0.0.1', port: s.port, method, path, headers, agent: false }, (res) => {
      res.resume();
      res.on('end', () => resolve({ status: res.statusCode, retry: res.headers['retry-after'], ms: performance.now() - asked }));
      res.on('error', () => resolve({ gone: true }));
    });
    req.on('error', (error) => resolve({ gone: true, code: error.code }));
    if (hangUp !== undefined) setTimeout(() => req.destroy(), hangUp);
    req.end(text);
  });
}

describe('the pool', { concurrency: false }, () => {
  after(endOwn);
  test('500 bookings at once while another holds the chefs: 2xx or 503, in bounded time, and nothing leaks', async (t) => {
    const database = await freshDatabase();
    const s = await Server.start({ engine: 'postgres', database: database.url,
      env: { WORKERS: '1', JOB_WORKERS: '0', DB_POOL_SIZE: '4', DB_POOL_OVERFLOW: '0', DB_STATEMENT_TIMEOUT: `${STATEMENT}ms` } });
    let psql;
    try {
      const guest = await subscriber(s);
      const chefs = await Promise.all(Array.from({ length: 4 }, () => newChef(s)));
      let slot = 0;
      const booking = () => {
        const k = slot++;
        return { path: '/api/coocook/bookings', token: guest.token, body: { chef_id: chefs[k % 4].id, duration_hours: 1,
          booking_date: `${day(30 + Math.floor(k / 96))}T${String(Math.floor(k / 4) % 24).padStart(2, '0')}:00:00Z` } };
      };
      const change = (k) => ({ method: 'PUT', path: `/api/coocook/chefs/${chefs[k % 4].id}`, token: chefs[k % 4].user.token, body: { bio: `for the ${k}th time` } });
      const before = await until(async () => {
        const m = await metrics(s);
        return m.db_connections_busy === 0 && m.db_connections_open > 0 && m;
      }, { what: 'the pool to be idle' });

      // rows of chefs locked: changing a chef waits for them, and so does whoever comes after it for a connection
      psql = new Daemon('psql', ['-X', '-q', '-A', '-t', '-d', database.url], { stdio: ['pipe', 'pipe', 'pipe'] });
      psql.child.stdin.write("BEGIN; LOCK TABLE chefs, bookings IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n");
      await psql.logContains('locked');

      const asked = performance.now();
      const answers = await Promise.all(Array.from({ length: 500 }, (_, k) => once(s, { ...(k % 3 ? booking() : change(k)), hangUp: k % 5 === 4 ? 20 + (k % 7) * 40 : undefined })));
      const took = performance.now() - asked;
      const told = answers.filter((a) => !a.gone);
      assert.ok(told.length >= 400, `${told.length} answers`);
      for (const a of told) {
        assert.ok(a.status === 503 || (a.status >= 200 && a.status < 300), `status ${a.status}`);
        if (a.status === 503) assert.ok(Number(a.retry) >= 1, 'Retry-After');
      }
      const worst = Math.max(...told.map((a) => a.ms));
      // a booking is two statements, the look for a subscription and itself; each may wait for a connection and run its time
      assert.ok(worst < 2 * (300 + STATEMENT) + SLACK, `the last answer took ${worst.toFixed(0)} ms, all ${took.toFixed(0)} ms`);
      const held = await metrics(s);
      assert.ok(held.db_connections_open <= 4, `${held.db_connections_open} connections`);
      assert.ok(held.db_refused_total > before.db_refused_total, 'some were refused');

      // exhaustion itself is told at once: where every connection is stuck, who comes later waits DB_POOL_WAIT and no longer
      const stuck = Array.from({ length: 40 }, (_, k) => once(s, change(k)));
      await new Promise((go) => setTimeout(go, 250)); // longer than what a connection may take to count as stuck
      const late = await Promise.all(Array.from({ length: 20 }, (_, k) => once(s, { method: 'GET', path: `/api/coocook/chefs?page=${k + 1}` })));
      const soonest = Math.min(...late.map((a) => a.ms));
      for (const a of late) assert.equal(a.status, 503);
      assert.ok(soonest < STATEMENT - 100, `refused after ${soonest.toFixed(0)} ms, when a statement may run ${STATEMENT}`);
      await Promise.all(stuck);

      psql.child.stdin.end('ROLLBACK;\n');
      await psql.done;
      await until(async () => {
        const m = await metrics(s);
        return m.db_connections_busy === 0 && m.request_queue_length === 0 && m.coroutines_live <= before.coroutines_live
          && m.http_requests_in_flight <= before.http_requests_in_flight;
      }, { what: 'connections, coroutines and requests to come back' });
      const after = await metrics(s);
      assert.ok(after.db_connections_open <= 4 && after.db_connections_open >= 1);
      for (let k = 0; k < 200; k++) {
        const a = await once(s, k % 2 ? booking() : { method: 'GET', path: '/api/coocook/chefs' });
        assert.ok(a.status === 200 || a.status === 201, `request ${k} after it: ${a.status}`);
      }
      const rows = Number((await sql(database.url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"))[0][0]);
      assert.equal(rows, 0, 'transactions were left open');
      assert.equal(s.logs().filter((l) => /^worker (died|exited)/.test(l.msg)).length, 0);
      t.diagnostic(`500 at once: ${told.filter((a) => a.status !== 503).length} served, ${told.filter((a) => a.status === 503).length} refused, ${500 - told.length} hung up; slowest answer ${worst.toFixed(0)} ms`);
    } finally {
      psql?.signal('SIGKILL');
      await s.stop();
      await database.drop();
    }
  });
});
