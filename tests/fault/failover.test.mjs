// The primary fails over to its standby while bookings are made: they go on within 5 s, and no process is restarted [D-2].
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { Postgres, sql } from '../lib/pg.mjs';
import { until } from '../lib/proc.mjs';
import { day, newChef, subscriber } from '../lib/coocook.mjs';

const WITHIN = 5_000; // ms from the promotion to the next accepted write

/** Clients that book hour after hour; what each was told is kept with its time. */
class Bookings {
  constructor(server, token, chefs, clients) {
    Object.assign(this, { server, token, chefs, running: true, accepted: [], refused: [], errors: [], slot: 0 });
    this.loops = Array.from({ length: clients }, () => this.client());
  }
  async client() {
    while (this.running) {
      const k = this.slot++, asked = Date.now();
      const body = { chef_id: this.chefs[k % this.chefs.length].id, duration_hours: 1, booking_date: `${day(30 + Math.floor(k / this.chefs.length / 24))}T${String(Math.floor(k / this.chefs.length) % 24).padStart(2, '0')}:00:00Z` };
      try {
        const r = await this.server.post('/api/coocook/bookings', body, { token: this.token });
        if (r.status === 201) this.accepted.push({ id: r.body.id, asked, at: Date.now() });
        else this.refused.push({ status: r.status, retry: r.headers['retry-after'], text: r.text });
      } catch (error) {
        this.errors.push(error);
      }
      await new Promise((go) => setTimeout(go, 20)); // a guest thinks; refusals must not turn into a flood
    }
  }
  /** Waits for a booking that was asked for after `time` and accepted. */
  acceptedAfter(time, options) {
    return until(() => this.accepted.find((a) => a.asked >= time), { what: 'an accepted booking', ...options });
  }
  async stop() {
    this.running = false;
    await Promise.all(this.loops);
  }
}

/** Sets primary, standby and server up, lets `fail` take the primary away, and checks what follows the promotion. */
async function failover(fail) {
  const primary = await Postgres.start();
  let standby, s, load;
  try {
    standby = await primary.standby();
    await sql(primary.url(), 'CREATE DATABASE sf');
    const database = `postgresql://postgres@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/sf?target_session_attrs=read-write`;
    s = await Server.start({ engine: 'postgres', database, env: { DB_POOL_SIZE: '8' } });
    s.database.url = primary.url('sf'); // where the set-up below writes
    const guest = await subscriber(s);
    const chefs = await Promise.all(Array.from({ length: 4 }, () => newChef(s)));
    await until(async () => (await sql(standby.url('sf'), 'SELECT count(*) FROM chefs'))[0][0] === '4', { what: 'the standby to have the chefs' });
    load = new Bookings(s, guest.token, chefs, 8);
    await until(() => load.accepted.length > 50, { what: 'bookings on the primary' });

    await fail(primary, standby, load);
    await standby.promote();
    const promoted = Date.now();
    const first = await load.acceptedAfter(promoted, { ms: 20_000 });
    const pause = first.at - promoted;
    assert.ok(pause < WITHIN, `writes resumed ${pause} ms after the promotion`);
    await s.ready(WITHIN);

    // from then on every write works: those who were under way when the pool moved have been told
    await until(() => load.accepted.filter((a) => a.asked >= first.at).length > 50, { what: 'bookings on the new primary' });
    const refused = load.refused.length, errors = load.errors.length;
    const settled = Date.now();
    await until(() => load.accepted.filter((a) => a.asked >= settled).length > 50, { what: 'more of them' });
    await load.stop();
    assert.equal(load.refused.length, refused, `refused once it had settled: ${JSON.stringify(load.refused.at(-1))}`);
    assert.equal(load.errors.length, errors);

    assert.deepEqual(load.errors, [], 'no connection to the server was lost');
    for (const r of load.refused) {
      assert.equal(r.status, 503, r.text);
      assert.ok(Number(r.retry) >= 1, 'Retry-After');
    }
    const have = new Set((await sql(standby.url('sf'), 'SELECT id FROM bookings')).map(([id]) => Number(id)));
    const lost = load.accepted.filter((a) => a.asked >= promoted && !have.has(a.id));
    assert.deepEqual(lost, [], 'accepted after the promotion, and not there');
    assert.equal(s.daemon.exit, null);
    assert.equal(s.logs().filter((l) => /^worker (died|exited)/.test(l.msg)).length, 0);
    assert.equal((await s.get('/api/coocook/chefs')).status, 200);
    return { pause, refused: load.refused.length, log: s.daemon.log() };
  } finally {
    await load?.stop();
    await s?.stop();
    await standby?.stop();
    await primary.stop();
  }
}

describe('failover', { concurrency: false }, () => {
  test('the primary dies, the standby is promoted', async (t) => {
    const { pause, refused } = await failover(async (primary) => primary.down('immediate'));
    t.diagnostic(`writes resumed ${pause} ms after the promotion; ${refused} were refused`);
  });

  test('the primary turns read-only without a connection being lost', async (t) => {
    const { pause, refused } = await failover(async (primary, standby, load) => {
      const before = load.refused.length;
      await sql(primary.url(), 'ALTER SYSTEM SET default_transaction_read_only = on');
      await sql(primary.url(), 'SELECT pg_reload_conf()');
      await until(() => load.refused.length > before, { what: 'a write to be refused' });
    });
    t.diagnostic(`writes resumed ${pause} ms after the promotion; ${refused} were refused`);
  });

  test('the primary is started again as a standby, and stays first in the list of hosts', async (t) => {
    const { pause, refused } = await failover(async (primary, standby, load) => {
      await primary.down('fast');
      primary.demote();
      await primary.up();
      await until(() => load.refused.length > 0, { what: 'a write to be refused' });
    });
    t.diagnostic(`writes resumed ${pause} ms after the promotion; ${refused} were refused`);
  });
});
