// /ready names each thing that this installation is made of, says 503 when one it cannot do without is gone, and "degraded" for the rest.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { freshDatabase, endOwn } from '../lib/pg.mjs';
import { freePort, until } from '../lib/proc.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { assertDocumented } from '../lib/contract.mjs';

describe('what /ready looks at', () => {
  let main, own, service, replica, s, doc, token;
  before(async () => {
    [main, own] = [await freshDatabase(), await freshDatabase()];
    const port = Number(new URL(main.url).port), through = (url, proxy) => url.replace(`:${port}/`, `:${proxy.port}/`);
    [service, replica] = [await Proxy.start(port), await Proxy.start(port)];
    s = await Server.start({ database: main.url, demo: true, env: { COOCOOK_DATABASE_URL: through(own.url, service), DATABASE_REPLICA_URLS: through(main.url, replica),
      WORKERS: '1', JOB_WORKERS: '1', AMQP_URL: `amqp://guest:guest@127.0.0.1:${await freePort()}/` } });
    doc = (await s.get('/api/openapi.json')).body;
    token = (await s.demoUser('admin')).token;
  });
  after(async () => {
    await s?.stop();
    await service?.stop();
    if (replica?.server.listening) await replica.stop();
    await main?.drop();
    await own?.drop();
    await endOwn();
  });
  /** Waits until the checks say so, whatever else a busy machine adds; returns the answer. */
  const says = (status, checks, what) => until(async () => {
    const r = await s.get('/ready');
    assertDocumented(doc, 'GET', '/ready', r);
    return r.status === status && Object.entries(checks).every(([name, how]) => how.test(r.body.checks[name] ?? 'missing')) && r;
  }, { what: `/ready to say that ${what}` });
  const overall = async () => (await s.get('/api/infrastructure/health')).body;

  test('a broker that is away is missed, but not needed', async () => {
    const r = await says(200, { database: /^(ok|slow)$/, 'database:coocook': /^(ok|slow)$/, replica: /^ok$/, queue: /^RabbitMQ unavailable, jobs are polled$/ }, 'RabbitMQ is away');
    assert.equal(r.body.status, 'degraded');
    assert.deepEqual(Object.keys(r.body.checks).sort(), ['database', 'database:coocook', 'queue', 'replica'], 'nothing that is not configured');
    assert.equal((await overall()).overall_status, 'degraded');
  });

  test('a database of one service is needed as well', async () => {
    service.hole();
    const r = await says(503, { database: /^(ok|slow)$/, 'database:coocook': /^unavailable$/ }, "a service's database is gone");
    assert.equal(r.body.status, 'not_ready');
    assert.ok(Number(r.headers['retry-after']) >= 1);
    const health = await overall();
    assert.deepEqual([health.overall_status, health.database_status], ['unhealthy', 'unhealthy']);
    assert.equal((await s.get('/health')).status, 200);
    service.mend();
    service.cut();
    await says(200, { 'database:coocook': /^(ok|slow)$/ }, 'it is back');
  });

  test('a job worker that stands still is told within 15 s', async () => {
    const list = (await s.get('/api/infrastructure/processes', { token })).body.processes;
    const { pid } = list.find((p) => p.name.startsWith('job worker') && p.status === 'ready');
    const began = Date.now();
    process.kill(pid, 'SIGSTOP');
    try {
      const r = await says(200, { queue: /^1 of 1 job workers stand still$/ }, 'the job worker stands still');
      assert.equal(r.body.status, 'degraded');
      assert.ok(Date.now() - began < 15_000, `${Date.now() - began} ms`);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await says(200, { queue: /^RabbitMQ/ }, 'it goes on');
  });

  test('a replica that is gone is told, and its reads are answered', async () => {
    await replica.stop();
    const r = await says(200, { replica: /^1 of 1 unavailable$/ }, 'the replica is gone');
    assert.equal(r.body.status, 'degraded');
    assert.equal((await s.get('/api/platform/products')).status, 200);
  });
});

test('where nothing but a file is configured, nothing else is looked at', async () => {
  const s = await Server.start({ env: { WORKERS: '1', JOB_WORKERS: '0' } });
  try {
    const r = await until(async () => { const a = await s.get('/ready'); return a.body.status === 'ready' && a; }, { what: 'ready' });
    assert.deepEqual([r.status, r.body], [200, { status: 'ready', checks: { database: 'ok' } }]);
  } finally {
    await s.stop();
  }
});
