// The queue while everything around it dies: workers, enqueuers, the database, connections. Each job whose enqueuing transaction
// committed has exactly one effect. CHAOS_JOBS and CHAOS_KILLS set the size (200000 and 30 for the full one), CHAOS_SEED repeats a run.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { Queue } from '../lib/jobworker.mjs';
import { sql } from '../lib/pg.mjs';
import { freePort, until } from '../lib/proc.mjs';

const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1e6);
const SIZE = { postgres: [Number(process.env.CHAOS_JOBS ?? 10_000), Number(process.env.CHAOS_KILLS ?? 8)], sqlite: [2_000, 5] };
const LEASE = 1_500; // ms
const WORKERS = { postgres: 3, sqlite: 2 };
const pause = (ms) => new Promise((go) => setTimeout(go, ms)); // the pace of the kills, not a wait for a condition

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
function dice(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Keeps `want` workers alive. */
class Workers {
  constructor(q, want, options) {
    Object.assign(this, { q, want, options, live: [] });
    this.fill();
  }
  fill() {
    this.live = this.live.filter((d) => !d.exit && !d.killed);
    while (this.live.length < this.want) this.live.push(this.q.worker(this.options));
  }
  kill(d) {
    d.killed = true;
    d.signal('SIGKILL');
    this.fill();
  }
  /** Drains all; the sum of what they say. */
  async finish() {
    const said = await Promise.all(this.live.filter((d) => !d.exit).map((d) => Queue.finish(d)));
    this.live = [];
    return said.reduce((sum, s) => Object.fromEntries(Object.entries(s).map(([k, v]) => [k, v + (sum[k] ?? 0)])), {});
  }
}

/** Enqueuers that add `total` jobs in all as far as they were told, in transactions of 1 and of 20, and are followed by others when killed. */
class Adders {
  constructor(q, total) {
    Object.assign(this, { q, total, live: [], seq: 1 });
    this.fill();
  }
  left() {
    return this.total - this.q.committed().reduce((n, [, k]) => n + k, 0);
  }
  fill() {
    this.live = this.live.filter((d) => !d.exit && !d.killed);
    const left = this.left();
    if (left <= 0) return;
    for (; this.live.length < 2; this.seq += 100_000_000)
      this.live.push(this.q.adder({ kind: 'mixed', from: this.seq, n: Math.ceil(left / 2), batch: this.live.length ? 20 : 1, co: 4, rate: Math.ceil(this.total / 20) }));
  }
  kill(d) {
    d.killed = true;
    d.signal('SIGKILL');
  }
}

/** The end of it all: exactly one effect for each job that was asked for. */
async function check(q, { dead = 0, mixed = false } = {}) {
  const one = async (text) => (await q.sql(text)).flat();
  assert.equal(await q.count('jobs'), 0, 'jobs that are left');
  assert.deepEqual(await one('SELECT seq FROM ledger GROUP BY seq HAVING count(*) > 1 LIMIT 5'), [], 'effects twice');
  assert.deepEqual(await one('SELECT seq FROM asked GROUP BY seq HAVING count(*) > 1 LIMIT 5'), [], 'asked for twice');
  assert.deepEqual(await one('SELECT seq FROM asked EXCEPT SELECT seq FROM ledger LIMIT 5'), [], 'asked for and not done');
  assert.deepEqual(await one('SELECT seq FROM ledger EXCEPT SELECT seq FROM asked LIMIT 5'), [], 'done and not asked for');
  assert.equal(await q.count(`job_history WHERE state = 'dead'`), dead, 'dead jobs');
  const asked = new Set((await one('SELECT seq FROM asked')).map(Number));
  for (const [from, n] of q.committed())
    for (let seq = from; seq < from + n; seq++) assert.ok(asked.has(seq), `${seq} was committed and is not there`);
  const keys = new Map(); // of the effects outside: one key a job, at however many attempts
  for (const [key, seq] of q.effects()) assert.equal(keys.get(seq) ?? key, key, `job ${seq} had two keys`), keys.set(seq, key);
  assert.equal(new Set(keys.values()).size, keys.size, 'two jobs had one key');
  for (const seq of mixed ? asked : []) if (seq % 10 !== 0 && seq % 4 === 1) assert.ok(keys.has(String(seq)), `job ${seq} has no effect outside`);
  return { jobs: asked.size, outside: keys.size, repeated: q.effects().length - keys.size };
}

async function chaos(t, engine) {
  const [jobs, kills] = SIZE[engine], roll = dice(SEED);
  const q = await Queue.start(engine);
  const did = [];
  let workers;
  try {
    const began = Date.now();
    workers = new Workers(q, WORKERS[engine], { lease: LEASE });
    const adders = new Adders(q, jobs);
    const pick = (list) => list[Math.floor(roll() * list.length)];
    const deeds = {
      worker: () => workers.kill(pick(workers.live)),
      enqueuer: () => adders.live.length && adders.kill(pick(adders.live)),
      stop: async () => {
        const d = pick(workers.live);
        d.signal('SIGSTOP');
        await pause(LEASE * 1.6);
        d.signal('SIGCONT');
      },
      database: async () => {
        await q.pg.down('immediate');
        await q.pg.up();
      },
    };
    const bag = engine === 'postgres' ? ['worker', 'worker', 'enqueuer', 'stop', 'database'] : ['worker', 'worker', 'enqueuer', 'stop'];
    for (let i = 0; i < kills; i++) {
      // spread over the time in which there is work: the n-th when that share of the jobs has been asked for
      await until(() => (adders.fill(), workers.fill(), jobs - adders.left() >= ((i + roll()) * jobs) / (kills + 1)), { every: 20, ms: 120_000, what: 'jobs to be added' });
      const deed = i < bag.length ? bag[(i + SEED) % bag.length] : pick(bag);
      did.push(deed);
      await deeds[deed]();
      workers.fill();
    }
    await until(() => (adders.fill(), adders.live.every((d) => d.exit) && adders.left() <= 0), { every: 20, ms: 180_000, what: 'all jobs to be added' });
    await until(async () => (workers.fill(), (await q.count('jobs')) === 0), { every: 100, ms: 180_000, what: 'the queue to be empty' });
    const seconds = (Date.now() - began) / 1000;
    const said = await workers.finish();
    const found = await check(q, { mixed: true });
    assert.equal(await q.count('job_workers'), 0, 'leases that are left');
    t.diagnostic(`${engine}, seed ${SEED}: ${found.jobs} jobs in ${seconds.toFixed(1)} s under ${did.join(' ')}; ${found.outside} effects outside, `
      + `${found.repeated} of them tried again under their key; the last workers rescued ${said.rescued} and were refused ${said.refused}`);
  } catch (error) {
    error.message += ` (seed ${SEED}: ${did.join(' ')}; workers say: ${workers?.live.map((d) => d.log().slice(-600)).join('\n')})`;
    throw error;
  } finally {
    await q.stop();
  }
}

/** A TCP proxy before the database: `cut` resets what is open, `hole` swallows it until `mend`. */
class Proxy {
  static async start(to) {
    const p = new Proxy();
    p.pairs = new Set();
    p.holes = false;
    p.port = await freePort();
    p.server = net.createServer((a) => {
      const b = net.connect(to, '127.0.0.1'), pair = [a, b];
      p.pairs.add(pair);
      for (const [from, into] of [[a, b], [b, a]]) {
        from.on('data', (d) => p.holes || into.write(d));
        from.on('end', () => p.holes || into.end());
        from.on('error', () => {});
        from.on('close', () => (into.destroy(), p.pairs.delete(pair)));
      }
    });
    await new Promise((go) => p.server.listen(p.port, '127.0.0.1', go));
    return p;
  }
  cut() {
    for (const pair of this.pairs) for (const s of pair) s.resetAndDestroy();
  }
  hole() {
    this.holes = true; // what is swallowed is gone, so what was open must not come to life again
    this.lost = [...this.pairs];
  }
  mend() {
    this.holes = false;
    for (const pair of this.lost) pair[1].destroy();
  }
  async stop() {
    for (const pair of this.pairs) for (const s of pair) s.destroy();
    await new Promise((go) => this.server.close(go));
  }
}

describe('the queue under chaos', { concurrency: false }, () => {
  test('each job has exactly one effect, PostgreSQL', (t) => chaos(t, 'postgres'));
  test('each job has exactly one effect, SQLite', (t) => chaos(t, 'sqlite'));

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

  test('20,000 jobs that come due in the same second start without a queue of their own', async (t) => {
    const q = await Queue.start('postgres', { durable: false });
    try {
      const w = q.worker();
      await w.logContains('working');
      await q.add({ kind: 'lag', n: 20_000, batch: 1_000, co: 2, due: 5_000_000, bare: 1 });
      assert.equal(await q.count('jobs'), 20_000, 'none has begun before its time');
      await q.empty({ every: 200 });
      const said = await Queue.finish(w);
      assert.equal(said.lags, 20_000);
      t.diagnostic(`lag p50 ${said.p50_us / 1000} ms, p99 ${said.p99_us / 1000} ms, max ${said.max_us / 1000} ms`);
      assert.ok(said.p99_us < 3_000_000, `p99 ${said.p99_us} µs`); // 1 s on an idle machine
    } finally {
      await q.stop();
    }
  });

  test('connections cut 20 times: consumption resumes within 5 s each time', async (t) => {
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
      await flows(15_000);
      for (let i = 0; i < 20; i++) {
        if (i % 3 === 0) {
          await sql(q.pg.url(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`);
        } else if (i % 3 === 1) {
          proxy.cut();
        } else {
          proxy.hole();
          await pause(300);
          proxy.mend();
        }
        times.push(await flows(20_000));
      }
      t.diagnostic(`resumed after ${times.join(', ')} ms`);
      for (const [i, ms] of times.entries()) assert.ok(ms < 5_000, `cut ${i}: ${ms} ms`);
      await Queue.finish(w);
      assert.equal((await check(q)).jobs, 21);
    } finally {
      await q.stop();
      await proxy?.stop();
    }
  });
});
