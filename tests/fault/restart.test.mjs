// Restarts under load: SIGHUP loses nothing, a killed worker loses only what it was answering, SIGTERM drains.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { Load } from '../lib/load.mjs';
import { until } from '../lib/proc.mjs';
import { day, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';


onEachEngine(describe, after, 'restarts', (engine) => {
  let s, guest, chefs, admin;
  before(async () => {
    s = await Server.start({ engine, demo: true });
    admin = (await s.demoUser('admin')).token;
    guest = await subscriber(s);
    chefs = await Promise.all(Array.from({ length: 4 }, () => newChef(s)));
  });
  after(() => s?.stop());
  const processes = async () => (await s.get('/api/infrastructure/processes', { token: admin, agent: false })).body.processes;
  const workers = async () => (await processes()).filter((p) => p.name.startsWith('worker') && p.status === 'ready');
  let slot = 0;
  const next = (i, n) => {
    if (n % 3) return { path: n % 3 === 1 ? '/api/coocook/chefs' : '/health' };
    const k = slot++;
    return { method: 'POST', path: '/api/coocook/bookings', token: guest.token,
      body: { chef_id: chefs[k % 4].id, booking_date: day(100 + Math.floor(k / 4 / 24)), duration_hours: 1 } };
  };
  const rows = async () => Number((await onDatabase(s, 'SELECT count(*) FROM bookings WHERE user_id = ' + guest.id))[0][0]);

  test('SIGHUP ten times: no connection reset, no lost write, new workers each time', async () => {
    const rowsBefore = await rows();
    const load = new Load(s, 16, next);
    for (let i = 0; i < 10; i++) {
      const old = (await workers()).map((w) => w.pid);
      assert.equal(old.length, 2);
      const asked = load.count;
      s.daemon.signal('SIGHUP');
      await until(async () => {
        const now = (await workers()).map((w) => w.pid);
        return now.length === 2 && now.every((p) => !old.includes(p));
      }, { what: `new workers after SIGHUP ${i + 1}`, ms: 30_000 });
      await until(() => load.count > asked + 20 || load.errors.length, { what: 'answers after the restart' });
    }
    await load.stop();
    assert.deepEqual(load.errors, []);
    for (const status of load.answers.keys()) assert.ok([200, 201].includes(status), `status ${status}`);
    assert.equal((await rows()) - rowsBefore, load.accepted.length);
    assert.equal((await processes()).find((p) => p.name === 'supervisor').pid, s.pid, 'the supervisor keeps its pid');
  });

  test('kill -9 of a worker: another takes its place, others notice nothing, no write is lost', async () => {
    const rowsBefore = await rows();
    const load = new Load(s, 16, next);
    const uncertain = () => load.errors.filter((e) => e.method === 'POST').length;
    for (let i = 0; i < 3; i++) {
      const [victim] = await until(async () => {
        const w = await workers();
        return w.length === 2 && w;
      }, { what: 'two workers' });
      process.kill(victim.pid, 'SIGKILL');
      await until(async () => {
        const w = (await workers().catch(() => [])).map((p) => p.pid);
        return w.length === 2 && !w.includes(victim.pid);
      }, { what: 'a successor', ms: 30_000 });
    }
    await load.stop();
    assert.ok(load.errors.every((e) => ['ECONNRESET', 'EPIPE'].includes(e.code)), JSON.stringify(load.errors[0]));
    assert.ok(load.errors.length <= 3 * 16, `${load.errors.length} requests were lost to 3 kills of one of two workers`);
    const made = (await rows()) - rowsBefore;
    assert.ok(made >= load.accepted.length && made <= load.accepted.length + uncertain(), `${made} rows, ${load.accepted.length} accepted, ${uncertain()} uncertain`);
  });

  test('SIGTERM: what was received is answered, then the exit code is 0', async () => {
    const rowsBefore = await rows();
    const load = new Load(s, 16, next);
    await until(() => load.count > 50, { what: 'load' });
    s.daemon.signal('SIGTERM');
    await s.daemon.done;
    const made = load.accepted.length;
    await load.stop();
    assert.equal(s.daemon.exit.code, 0);
    assert.deepEqual(load.errors.filter((e) => !['ECONNREFUSED', 'ECONNRESET'].includes(e.code)), []);
    for (const status of load.answers.keys()) assert.ok([200, 201, 503].includes(status), `status ${status}`);
    assert.ok((await rows()) - rowsBefore >= made);
  });
});

describe('recycling', () => {
  test('--max-requests replaces workers without losing a request', async () => {
    const s = await Server.start({ demo: true, env: { MAX_REQUESTS: '500' } });
    try {
      const admin = (await s.demoUser('admin')).token;
      const pids = async () => (await s.get('/api/infrastructure/processes', { token: admin, agent: false })).body.processes.filter((p) => p.name.startsWith('worker')).map((p) => p.pid);
      const first = await pids();
      const load = new Load(s, 8, () => ({ path: '/health' }));
      await until(async () => (await pids()).every((p) => !first.includes(p)), { what: 'all workers to be replaced', ms: 30_000 });
      await load.stop();
      assert.deepEqual(load.errors, []);
      assert.deepEqual([...load.answers.keys()], [200]);
    } finally {
      await s.stop();
    }
  });
});
