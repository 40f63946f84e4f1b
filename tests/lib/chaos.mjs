// The queue while everything around it dies: who is killed, who takes their place, and what must have come of it. Each job whose
// enqueuing transaction committed has exactly one effect. CHAOS_SEED repeats a run.
import assert from 'node:assert/strict';
import { Queue } from './jobworker.mjs';
import { until } from './proc.mjs';

const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1e6);
const LEASE = 1_500; // ms
const WORKERS = { postgres: 3, sqlite: 2 };
const pause = (ms) => new Promise((go) => setTimeout(go, ms)); // the pace of the kills, not a wait for a condition

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function dice(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Keeps `want` workers alive. */
export class Workers {
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

/** Enqueuers that add `total` jobs in all as far as they were told, within `seconds` if nothing is in their way, in transactions of 1 and of 20, and are followed by others when killed. */
export class Adders {
  constructor(q, total, seconds) {
    Object.assign(this, { q, total, seconds, live: [], seq: 1 });
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
      this.live.push(this.q.adder({ kind: 'mixed', from: this.seq, n: Math.ceil(left / 2), batch: this.live.length ? 20 : 1, co: 4, rate: Math.ceil(this.total / this.seconds / 2) }));
  }
  kill(d) {
    d.killed = true;
    d.signal('SIGKILL');
  }
}

/** The end of it all: exactly one effect for each job that was asked for. */
export async function check(q, { dead = 0, mixed = false } = {}) {
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

/** Kills `kills` times at random what takes part while `jobs` jobs are added and done. rabbit: a broker they go through, and that is killed too. */
export async function chaos(t, engine, { jobs, kills, rabbit }) {
  const roll = dice(SEED), patience = 180_000 + 3 * jobs; // ms; a machine that others use too
  const q = await Queue.start(engine);
  const did = [];
  let workers;
  try {
    const began = Date.now();
    workers = new Workers(q, WORKERS[engine], { lease: LEASE, ...(rabbit && { amqp: rabbit.url() }) });
    const adders = new Adders(q, jobs, kills / 3);
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
      broker: async () => {
        await rabbit.kill();
        await rabbit.up();
      },
    };
    const bag = ['worker', 'worker', 'enqueuer', 'stop', ...(q.pg ? ['database'] : []), ...(rabbit ? ['broker', 'broker'] : [])];
    for (let i = 0; i < kills; i++) {
      // spread over the time in which there is work: the n-th when that share of the jobs has been asked for
      await until(() => (adders.fill(), workers.fill(), jobs - adders.left() >= ((i + roll()) * jobs) / (kills + 1)), { every: 20, ms: patience, what: 'jobs to be added' });
      const deed = i < bag.length ? bag[(i + SEED) % bag.length] : pick(bag);
      did.push(deed);
      await deeds[deed]();
      workers.fill();
    }
    await until(() => (adders.fill(), adders.live.every((d) => d.exit) && adders.left() <= 0), { every: 20, ms: patience, what: 'all jobs to be added' });
    await until(async () => (workers.fill(), (await q.count('jobs')) === 0), { every: 100, ms: patience, what: 'the queue to be empty' });
    const seconds = (Date.now() - began) / 1000;
    const said = await workers.finish();
    const found = await check(q, { mixed: true });
    const last = q.worker({ lease: LEASE }); // takes the leases of those who were killed without a job
    await until(async () => {
      const rows = await q.sql('SELECT name FROM job_workers');
      return rows.length === 1 && rows[0][0].includes(String(last.pid));
    }, { every: 50, ms: patience, what: 'the leases of the dead to be taken' });
    await Queue.finish(last);
    assert.equal(await q.count('job_workers'), 0, 'leases that are left');
    t.diagnostic(`${engine}${rabbit ? ' through RabbitMQ' : ''}, seed ${SEED}: ${found.jobs} jobs in ${seconds.toFixed(1)} s under ${did.join(' ')}; ${found.outside} effects outside, `
      + `${found.repeated} of them tried again under their key; the last workers rescued ${said.rescued} and were refused ${said.refused}`);
  } catch (error) {
    error.message += ` (seed ${SEED}: ${did.join(' ')}; workers say: ${workers?.live.map((d) => d.log().slice(-600)).join('\n')})`;
    throw error;
  } finally {
    await q.stop();
  }
}
