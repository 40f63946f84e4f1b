// Three times what the server can do or more, for ten seconds: what it accepts it finishes, the rest is refused at once, and afterwards all is
// as before [APP-2]. Requests that cost the generator little: logins, where the processor is what there is too little of, and bookings
// in a database that takes 20 ms for each, where it is connections.
// alone: the capacity before, in and after the flood is compared
import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync } from 'node:fs';
import { Server } from '../lib/server.mjs';
import { endOwn, sql } from '../lib/pg.mjs';
import { until } from '../lib/proc.mjs';
import { day, newChef, subscriber } from '../lib/coocook.mjs';

const FLOOD = 10_000;

const quantile = (list, q) => list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(q * list.length))];
/** The most memory a process had so far, in bytes. */
const peak = (pid) => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

const kinds = [
  {
    name: 'logins', times: 5 /* others use the processor, too, some of the time */, inflight: 4, clients: 4, engine: 'sqlite', env: {}, accepted: 200,
    async setUp(s) {
      const { email, password } = await s.user();
      return () => ({ path: '/api/auth/login', body: { email, password } });
    },
  },
  {
    name: 'bookings', times: 3, inflight: 32, clients: 8, engine: 'postgres', env: { DB_POOL_SIZE: '4', DB_POOL_OVERFLOW: '0' }, accepted: 201,
    async setUp(s) {
      await sql(s.database.url, `CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN new; END';
        CREATE TRIGGER slowly BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION slowly()`);
      const guest = await subscriber(s);
      const chefs = [];
      for (let i = 0; i < 20; i++) chefs.push(await newChef(s));
      let slot = 0;
      return () => {
        const k = slot++, hour = Math.floor(k / 20);
        return { path: '/api/coocook/bookings', token: guest.token,
          body: { chef_id: chefs[k % 20].id, duration_hours: 1, booking_date: `${day(30 + Math.floor(hour / 24))}T${String(hour % 24).padStart(2, '0')}:00:00Z` } };
      };
    },
  },
];

describe('overload', { concurrency: false }, () => {
  after(endOwn);
  for (const kind of kinds) test(`${kind.name}: an open loop of ${kind.times} times the capacity`, async (t) => {
    const s = await Server.start({ engine: kind.engine, env: { WORKERS: '1', MAX_INFLIGHT: String(kind.inflight), ...kind.env } });
    try {
      const next = await kind.setUp(s);
      const [{ pid }] = s.logs('worker started');
      const agent = new http.Agent({ keepAlive: true });
      const ask = async () => {
        const { path, body, token } = next();
        const asked = performance.now();
        const r = await s.post(path, body, { token, agent });
        return { status: r.status, retry: r.headers['retry-after'], ms: performance.now() - asked };
      };
      /** Requests a second with a few clients that wait for each answer. */
      const capacity = async () => {
        const from = performance.now();
        let n = 0;
        await Promise.all(Array.from({ length: kind.clients }, async () => {
          while (performance.now() - from < 2_000) {
            assert.equal((await ask()).status, kind.accepted);
            n++;
          }
        }));
        return n / ((performance.now() - from) / 1000);
      };

      const before = await capacity();
      const memory = peak(pid);
      const answers = [], pending = [];
      const from = performance.now();
      let sent = 0;
      await new Promise((done) => {
        const timer = setInterval(() => {
          const elapsed = performance.now() - from;
          for (const due = (Math.min(elapsed, FLOOD) / 1000) * before * kind.times; sent < due; sent++) pending.push(ask().then((a) => answers.push(a)));
          if (elapsed < FLOOD) return;
          clearInterval(timer);
          done();
        }, 5);
      });
      await Promise.all(pending); // any error of a connection fails the test here
      const seconds = (performance.now() - from) / 1000;
      const calm = performance.now();
      const unit = (kind.inflight / before) * 1000; // ms that a full house takes
      await until(async () => (await ask()).ms < Math.max(unit, 100) && (await s.get('/ready')).status === 200, { ms: 30_000, what: 'the latency to be back' });
      const back = performance.now() - calm;
      const after = await capacity();

      const good = answers.filter((a) => a.status === kind.accepted), refused = answers.filter((a) => a.status === 503);
      assert.equal(good.length + refused.length, answers.length, `statuses ${[...new Set(answers.map((a) => a.status))]}`);
      assert.ok(refused.length > answers.length / 10, 'it was no flood');
      for (const a of refused) assert.ok(Number(a.retry) >= 1, 'Retry-After');
      const goodput = good.length / seconds, p99 = quantile(good.map((a) => a.ms), 0.99), no = quantile(refused.map((a) => a.ms), 0.5);
      t.diagnostic(`capacity ${before.toFixed(0)}/s before, ${after.toFixed(0)}/s after; flood ${(sent / (FLOOD / 1000)).toFixed(0)}/s: goodput ${goodput.toFixed(0)}/s, accepted p99 ${p99.toFixed(0)} ms, `
        + `refused ${refused.length}, half of them within ${no.toFixed(1)} ms; back after ${back.toFixed(0)} ms; memory ${(peak(pid) / 2 ** 20).toFixed(0)} MiB, ${((peak(pid) - memory) / 2 ** 20).toFixed(0)} more`);
      assert.ok(goodput >= 0.25 * Math.min(before, after) /* a collapse is far below; the figure is for the bench */, `goodput ${goodput.toFixed(1)}/s of ${before.toFixed(1)}/s before and ${after.toFixed(1)}/s after`);
      assert.ok(p99 < 3 * unit + 2_000, `p99 of what was accepted: ${p99.toFixed(0)} ms`);
      assert.ok(no < 500, `refusals took ${no.toFixed(0)} ms`);
      assert.ok(peak(pid) - memory < 64 * 2 ** 20, 'memory');
      assert.equal(s.logs().filter((l) => /^worker (died|exited)/.test(l.msg)).length, 0);
      agent.destroy();
    } finally {
      await s.stop();
    }
  });
});
