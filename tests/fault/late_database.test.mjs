// The program starts, lives and heals when its database is late or goes away.
import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { Postgres, sql } from '../lib/pg.mjs';
import { until } from '../lib/proc.mjs';

describe('a database that comes late or leaves', () => {
  let pg, s;
  after(async () => {
    await s?.stop();
    await pg?.stop();
  });

  test('down at the start: alive, not ready, healed by itself; gone and back: the same', async () => {
    pg = await Postgres.start();
    await sql(pg.url(), 'CREATE DATABASE late');
    await pg.down();
    s = await Server.start({ engine: 'postgres', database: pg.url('late'), demo: true, ready: false });
    assert.equal((await s.get('/health')).status, 200);
    const ready = await s.get('/ready');
    assert.equal(ready.status, 503);
    assert.notEqual(ready.body.checks.database, 'ok');
    const chefs = await s.get('/api/coocook/chefs');
    assert.equal(chefs.status, 503);
    assert.ok(Number(chefs.headers['retry-after']) >= 1);

    await pg.up();
    await s.ready(10_000);
    assert.ok((await until(async () => {
      const r = await s.get('/api/coocook/chefs');
      return r.status === 200 && r.body.total >= 80 && r;
    }, { what: 'the demo data' })).body.total >= 80);
    const pids = await sql(pg.url('late'), 'SELECT 1');
    assert.equal(pids.length, 1);

    for (const mode of ['immediate', 'fast']) {
      await pg.down(mode);
      await until(async () => (await s.get('/ready')).status === 503, { what: '/ready to notice' });
      assert.equal((await s.get('/health')).status, 200);
      assert.equal((await s.get('/api/coocook/chefs?page=2')).status, 503);
      await pg.up();
      await s.ready(30_000);
      assert.equal((await s.get('/api/coocook/chefs?page=2')).status, 200);
    }
    assert.equal(s.daemon.exit, null);
    assert.equal(s.logs().filter((l) => /^worker (died|exited)/.test(l.msg)).length, 0);
  });
});
