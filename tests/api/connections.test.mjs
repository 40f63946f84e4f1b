// Who uses which database connection: GET /api/ops/db and `softfactory db connections`, while something is held up [D-3].
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { BIN, Server, onEachEngine } from '../lib/server.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { day, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';
import { addMails } from '../lib/jobs.mjs';
import { Daemon, exec, until } from '../lib/proc.mjs';
import { endOwn } from '../lib/pg.mjs';

const HELD_S = 4; // by which a statement is timed out, and so what holds a connection here ends

/** Makes new chefs, bookings and kept mails take longer than a statement may, until `end`. */
async function holdUp(s) {
  if (s.engine === 'sqlite') {
    await onDatabase(s, `CREATE VIEW long_count AS WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 1000000000) SELECT count(*) AS n FROM i;
      CREATE TRIGGER held_chef BEFORE INSERT ON chefs BEGIN SELECT n FROM long_count; END;
      CREATE TRIGGER held_mail BEFORE INSERT ON mail_outbox BEGIN SELECT n FROM long_count; END;
      CREATE TRIGGER held_booking BEFORE INSERT ON bookings BEGIN SELECT n FROM long_count; END`);
    return { end: () => onDatabase(s, 'DROP TRIGGER held_chef; DROP TRIGGER held_booking; DROP TRIGGER held_mail; DROP VIEW long_count') };
  }
  const psql = new Daemon('psql', ['-X', '-q', '-A', '-t', '-d', s.database.url], { stdio: ['pipe', 'pipe', 'pipe'] });
  psql.child.stdin.write("BEGIN; LOCK TABLE chefs, bookings, mail_outbox IN EXCLUSIVE MODE; SELECT 'locked';\n");
  await psql.logContains('locked');
  return { end: async () => { psql.child.stdin.end('ROLLBACK;\n'); await psql.done; } };
}

onEachEngine(describe, after, 'connections', (engine) => {
  let s, admin, guest, chef;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { WORKERS: '2', JOB_WORKERS: '1', DB_STATEMENT_TIMEOUT: `${HELD_S}s` } });
    admin = (await s.demoUser('admin')).token;
    guest = await subscriber(s);
    chef = await newChef(s);
  });
  after(() => s?.stop());
  const seen = async () => (await s.get('/api/ops/db', { token: admin })).body.processes;
  const held = (processes) => processes.flatMap((p) => p.databases.flatMap((d) => d.held.map((h) => ({ ...h, process: p.name, database: d }))));
  const cli = (...args) => exec(BIN, ['db', 'connections', ...args], { env: { PATH: process.env.PATH, DATABASE_URL: s.database.url }, timeout: 20_000 });
  const become = (user, id) => s.post('/api/coocook/chefs', { name: '박셰프', cuisine_type: 'Korean', location: 'Seoul', price_per_session: 100_000 }, { token: user.token, headers: { 'X-Request-Id': id } });
  const book = (id) => s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(30)}T10:00:00Z`, duration_hours: 1 }, { token: guest.token, headers: { 'X-Request-Id': id } });

  test('for administrators only, every process with its pools, as the document says', async () => {
    assertError(await s.get('/api/ops/db'), 401);
    assertError(await s.get('/api/ops/db', { token: guest.token }), 403);
    const doc = (await s.get('/api/openapi.json')).body;
    const processes = await until(async () => {
      const answer = await s.get('/api/ops/db', { token: admin });
      assert.equal(answer.status, 200, answer.text);
      assertDocumented(doc, 'GET', '/api/ops/db', answer);
      return answer.body.processes.every((p) => p.as_of && p.databases.every((d) => d.open)) && answer.body.processes;
    }, { what: 'every process to tell' });
    assert.deepEqual(processes.map((p) => p.name).sort(), ['job worker 0', 'worker 0', 'worker 1']);
    for (const p of processes) {
      assert.ok(Math.abs(Date.now() - Date.parse(p.as_of)) < 10_000, p.as_of);
      assert.equal(p.databases.length, 1);
      const [d] = p.databases;
      assert.equal(d.engine, engine === 'sqlite' ? 'sqlite' : 'postgresql');
      assert.equal(d.role, 'primary');
      for (const service of ['coocook', 'ops', 'platform']) assert.ok(d.services.split(',').includes(service), d.services);
      assert.ok(!d.server.includes('postgresql://'), 'no URL, which may hold a password');
      assert.ok(d.open >= 1 && d.open <= d.max && d.in_use + d.idle === d.open, JSON.stringify(d));
    }
  });

  test('what holds a connection is seen with its route and a growing time by route and command, and is gone afterwards', async () => {
    const user = await s.user();
    const obstacle = await holdUp(s);
    const answer = become(user, 'held-up');
    try {
      const ours = async () => held(await seen()).find((h) => h.request_id === 'held-up' && h.transaction);
      const first = await until(ours, { ms: 20_000, what: 'it to be seen' });
      assert.equal(first.holder, 'POST /api/coocook/chefs');
      assert.match(first.query, /^coocook\.chef/);
      assert.match(first.process, /^worker \d$/);
      assert.equal(first.job_id, null);
      assert.ok(first.database.in_use >= 1, JSON.stringify(first.database));
      const later = await until(async () => { const h = await ours(); return h && h.ms > first.ms && h; }, { ms: 20_000, what: 'its time to grow' });
      assert.ok(later.ms >= first.ms + 500 && later.ms <= (HELD_S + 3) * 1000, `${first.ms}, then ${later.ms} ms`);
      const text = await cli('--pid', String(s.pid));
      assert.equal(text.code, 0, text.stderr);
      const line = text.stdout.split('\n').find((l) => l.includes('held-up'));
      assert.match(line ?? text.stdout, /^ +\d+ ms  transaction +POST \/api\/coocook\/chefs +coocook\.\w+ +held-up$/);
      assert.match(text.stdout, /^worker 0 \(pid \d+, ready\)$/m);
      assert.match(text.stdout, /^ {2}primary \S+ \(\S*coocook\S*\): \d+ in use, \d+ idle, \d+ open of \d+, \d+ waiting$/m);
      const json = JSON.parse((await cli('--pid', String(s.pid), '--json')).stdout);
      assert.ok(held(json.processes).find((h) => h.request_id === 'held-up')?.ms >= later.ms, JSON.stringify(json));
    } finally {
      await answer;
      await obstacle.end();
    }
    await until(async () => !held(await seen()).some((h) => h.request_id === 'held-up'), { ms: 20_000, what: 'it to be gone' });
    assert.equal((await become(user, 'afterwards')).status, 201, 'nothing was left behind');
  });

  test('a statement alone is seen, too, and told from a transaction', async () => {
    const obstacle = await holdUp(s);
    const answer = book('alone');
    try {
      const h = await until(async () => held(await seen()).find((one) => one.request_id === 'alone' && one.ms > 300), { ms: 20_000, what: 'the booking to be seen' });
      assert.deepEqual([h.holder, h.transaction, h.query], ['POST /api/coocook/bookings', false, 'coocook.booking_take']);
    } finally {
      await answer;
      await obstacle.end();
    }
  });

  test('a job worker is seen with the kind of its job and its number', async () => {
    const obstacle = await holdUp(s);
    const id = await addMails(s, [{ template: 'welcome', to: 'held@example.com', at: Date.now() * 1000, data: { email: 'held' } }]);
    try {
      const h = await until(async () => held(await seen()).find((one) => one.job_id === id), { ms: 20_000, what: 'the job to be seen' });
      assert.deepEqual([h.holder, h.process, h.transaction, h.request_id], ['email.batch', 'job worker 0', true, null]);
    } finally {
      await obstacle.end();
    }
  });

  test('the command: help, wrong use, an instance that there is not', async () => {
    assert.match((await exec(BIN, ['db', '--help'])).stdout, /connections +who uses which connection/);
    for (const [args, what] of [[['all'], /"all"/], [['--pid'], /--pid needs a value/]]) {
      const r = await cli(...args);
      assert.equal(r.code, 2, r.stdout);
      assert.match(r.stderr, what);
    }
    const none = await cli('--pid', String(process.pid));
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.match(none.stderr, new RegExp(`no instance with the pid ${process.pid} runs here`));
    const other = await Server.start({ env: { WORKERS: '1', JOB_WORKERS: '0' } });
    try {
      const several = await cli(); // of which to choose
      assert.equal(several.code, 2);
      for (const pid of [s.pid, other.pid]) assert.match(several.stderr, new RegExp(`name one with --pid: .*\\b${pid}\\b`));
      assert.match((await cli('--pid', String(other.pid))).stdout, /^worker 0 /);
    } finally {
      await other.stop();
    }
  });
});
after(endOwn);
