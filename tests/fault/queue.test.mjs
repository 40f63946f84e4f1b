// The queue while everything around it dies: workers, enqueuers, the database, the broker, connections. Each job whose enqueuing
// transaction committed has exactly one effect. Small here; `make chaos` asks for the full size.
// alone: leases of 300 ms are renewed in time
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Workers, chaos, check } from '../lib/chaos.mjs';
import { Queue } from '../lib/jobworker.mjs';
import { sql } from '../lib/pg.mjs';
import { until } from '../lib/proc.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { Rabbit } from '../lib/rabbit.mjs';

const size = (name, small) => Number(process.env[name] ?? small);
const SIZE = { jobs: size('CHAOS_JOBS', 3_000), kills: size('CHAOS_KILLS', 5) }, DUE = size('CHAOS_DUE', 5_000), CUTS = size('CHAOS_CUTS', 3);
const FULL = SIZE.kills > 5;
const pause = (ms) => new Promise((go) => setTimeout(go, ms)); // how long a hole lasts

describe('the queue under chaos', { concurrency: false }, () => {
  test('each job has exactly one effect, PostgreSQL', (t) => chaos(t, 'postgres', SIZE));
  test('each job has exactly one effect, SQLite', (t) => chaos(t, 'sqlite', FULL ? { jobs: 2_000, kills: 5 } : { jobs: 500, kills: 3 }));
  test('each job has exactly one effect, PostgreSQL through RabbitMQ', { skip: !FULL && 'rabbit.test.mjs has the small one' }, async (t) => {
    const rabbit = await Rabbit.start();
    try {
      await chaos(t, 'postgres', { ...SIZE, rabbit });
    } finally {
      await rabbit.stop();
    }
  });

  for (const engine of ['postgres', 'sqlite']) {
    test(`leases, ${engine}: a long job runs once; a stopped worker's late end is refused; a poison job is dead after 3`, async () => {
      const q = await Queue.start(engine, { durable: false });
      try {
        // ten times its lease, with another worker that would take it
        const lease = 300, a = q.worker({ lease }), b = q.worker({ lease });
        await q.add({ kind: 'ledger.slow', ms: lease * 10, told: q.told });
        await q.empty();
        const said = [await Queue.finish(a), await Queue.finish(b)];
        assert.equal(said[0].rescued + said[1].rescued + said[0].refused + said[1].refused, 0);
        assert.equal((await q.sql('SELECT attempts FROM job_history'))[0][0], '1');

        // stopped in the midst of its handler: rescued once by the other, and what it writes later is refused
        const stopped = q.worker({ lease: 1_000 });
        await stopped.logContains('working');
        await q.add({ kind: 'ledger.block', ms: 400, from: 10 });
        await stopped.logContains('blocking');
        stopped.signal('SIGSTOP');
        const other = q.worker({ lease: 1_000 });
        await q.empty();
        assert.equal(await q.count('ledger WHERE seq = 10'), 1);
        stopped.signal('SIGCONT');
        await until(() => stopped.log().includes('lease was taken away'), { what: 'the stopped worker to notice' });
        const late = await Queue.finish(stopped), rescuer = await Queue.finish(other);
        assert.equal(rescuer.rescued, 1);
        assert.equal(late.refused, 1);
        assert.equal(late.done, 0);

        // takes its worker down every time
        await q.add({ kind: 'crash', from: 20, bare: 1, told: `${q.dir.path}/none` });
        const workers = new Workers(q, 2, { lease });
        await until(async () => (workers.fill(), (await q.count('jobs')) === 0), { every: 50, ms: 60_000, what: 'the poison job to be given up' });
        assert.deepEqual(await q.sql(`SELECT state, crashes FROM job_history WHERE kind = 'crash'`), [['dead', '3']]);
        await workers.finish();
        assert.deepEqual(await check(q, { dead: 1 }).then((f) => f.jobs), 2);
        assert.equal(await q.count('job_workers'), 0);
      } finally {
        await q.stop();
      }
    });
  }

  test(`${DUE} jobs that come due in the same second start at once, each one time`, async (t) => {
    const q = await Queue.start('postgres', { durable: false });
    try {
      const w = q.worker();
      await w.logContains('working');
      await q.add({ kind: 'lag', n: DUE, batch: 1_000, co: 2, due: FULL ? 5_000_000 : 2_000_000, bare: 1 });
      assert.equal(await q.count('jobs'), DUE, 'none has begun before its time');
      await q.empty({ every: 200 });
      const said = await Queue.finish(w);
      assert.equal(said.lags, DUE);
      t.diagnostic(`lag p50 ${said.p50_us / 1000} ms, p99 ${said.p99_us / 1000} ms, max ${said.max_us / 1000} ms`);
      if (FULL) assert.ok(said.p99_us < 3_000_000, `p99 ${said.p99_us} µs`); // 1 s on an idle machine
    } finally {
      await q.stop();
    }
  });

  test(`connections cut ${CUTS} times (by the server, reset, black hole): consumption resumes within 5 s each time`, async (t) => {
    const q = await Queue.start('postgres', { durable: false });
    let proxy;
    try {
      proxy = await Proxy.start(q.pg.port);
      const through = q.url.replace(`:${q.pg.port}/`, `:${proxy.port}/`);
      const w = q.worker({ lease: 5_000 }, through), times = [];
      await w.logContains('working');
      let seq = 1;
      const flows = async (ms) => {
        const from = seq++, began = Date.now();
        await q.add({ from });
        await until(async () => (await q.count(`ledger WHERE seq = ${from}`)) === 1, { every: 20, ms, what: `a job after cut ${times.length} to be done` });
        return Date.now() - began;
      };
      await flows(60_000);
      for (let i = 0; i < CUTS; i++) {
        if (i % 3 === 0) {
          await sql(q.pg.url(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`);
        } else if (i % 3 === 1) {
          proxy.cut();
        } else {
          proxy.hole();
          await pause(300);
          proxy.mend();
        }
        times.push(await flows(60_000));
      }
      t.diagnostic(`resumed after ${times.join(', ')} ms`);
      for (const [i, ms] of times.entries()) assert.ok(ms < (FULL ? 5_000 : 60_000 /* any machine, however busy */), times.join() + `cut ${i}: ${ms} ms`);
      proxy.cut(); // what is silent, so that the worker need not wait for it
      await Queue.finish(w);
      assert.equal((await check(q)).jobs, CUTS + 1);
    } finally {
      await q.stop();
      await proxy?.stop();
    }
  });
});
