// Jobs through RabbitMQ: each effect exactly once, whatever happens to the broker; polling takes over while it is away [Q-1, Q-4].
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { chaos, check } from '../lib/chaos.mjs';
import { Queue } from '../lib/jobworker.mjs';
import { until } from '../lib/proc.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { endOwn } from '../lib/pg.mjs';
import { Rabbit } from '../lib/rabbit.mjs';

const WITHIN = process.env.RABBIT_KILLS ? 5_000 : 60_000; // ms from the loss of the broker, and from its return, to the next job; on any machine, however busy
const FULL = Boolean(process.env.RABBIT_CUTS);
const CUTS = Number(process.env.RABBIT_CUTS ?? 4), KILLS = Number(process.env.RABBIT_KILLS ?? 0); // `make chaos` asks for more
const pause = (ms) => new Promise((go) => setTimeout(go, ms)); // the pace of what is done to it, not a wait for a condition

after(endOwn);

/** Tests of one broker, one after the other. */
function withBroker(name, tests) {
  describe(name, { concurrency: false }, () => {
    const own = {};
    before(async () => { own.rabbit = await Rabbit.start(); });
    after(async () => { await own.rabbit?.stop(); });
    tests(own);
  });
}

// two brokers, for most of it is waiting; where durations are asked for, one after the other
describe('RabbitMQ', { concurrency: FULL ? 1 : 2 }, () => {
  withBroker('killed', (own) => {
    test('chaos: workers, enqueuers, the database and the broker are killed, and each job has exactly one effect', (t) => chaos(t, 'postgres', { jobs: 2_000, kills: 6, rabbit: own.rabbit }));
  });
  withBroker('used', ofOne);
});

function ofOne(own) {

  /** A queue whose workers go through the broker. `work` gets it with: live, the workers; added(n), which adds jobs and counts on;
   * reach(n) rows in the ledger; brought(), how many jobs messages have named; through(), which waits until one more is. */
  async function withWorkers({ engine = 'postgres', workers = 2, url = own.rabbit.url(), settings = {} }, work) {
    const q = await Queue.start(engine, { durable: false, shared: true });
    try {
      q.live = Array.from({ length: workers }, () => q.worker({ amqp: url, say: 50, ...settings }));
      q.n = 0;
      q.added = (n, kind = 'ledger.write') => (q.n += n, q.add({ from: q.n - n + 1, n, kind, co: 1 }));
      q.done = () => q.count('ledger');
      q.reach = (n, options) => until(async () => (await q.done()) >= n, { ms: 60_000, every: 30, what: `${n} rows in the ledger`, ...options });
      q.said = (d) => JSON.parse(d.lines.findLast((l) => l.startsWith('{"done"')) ?? '{"brought":0,"done":0}');
      q.brought = () => q.live.reduce((sum, d) => sum + q.said(d).brought, 0);
      q.through = async (ms = 30_000) => {
        const had = q.brought();
        await until(async () => {
          await q.added(1);
          await q.reach(q.n);
          return q.brought() > had;
        }, { ms, every: 50, what: 'a job to come through the broker' });
      };
      await q.through();
      await work(q);
      await q.empty();
      await Promise.all(q.live.map((d) => Queue.finish(d)));
    } catch (error) {
      const logs = (q.live ?? []).map((d) => d.lines.filter((l) => !l.startsWith('{"done"')).slice(-25).join('\n'));
      error.message += `\n${logs.map((l, i) => `worker ${i} says:\n${l}`).join('\n')}\nthe broker says:\n${own.rabbit.server.lines.slice(-40).join('\n')}`;
      throw error;
    } finally {
      await q.stop();
    }
  }
  /** All messages acknowledged, and so many notices. */
  const drained = ({ dead }) => until(async () => Object.values(await own.rabbit.queues()).every((q) => q.messages === (q.name === 'softfactory-dead' ? dead : 0)),
    { ms: 60_000, every: 100, what: `the broker to be empty but for ${dead} notices` });

  for (const engine of ['postgres', 'sqlite'])
    test(`jobs come through quorum queues, retries too, and nothing is left there [${engine}]`, () => withWorkers({ engine }, async (q) => {
      const before = q.brought();
      await q.added(1000);
      await q.added(50, 'ledger.flaky'); // done at the third attempt
      await q.added(20, 'ledger.narrow'); // with a limit: from the table
      await q.reach(q.n);
      await until(() => q.brought() - before >= 1000, { what: 'most of it to have come through the broker' }); // 1150, but for looks at the table
      const queues = await own.rabbit.queues();
      for (const name of ['softfactory.default', 'softfactory-dead']) assert.equal(queues[name]?.type, 'quorum', name);
      await check(q);
    }));

  test('dead jobs are told to the dead-letter queue, also when they die again; nothing else is left in the broker', () => withWorkers({}, async (q) => {
    const told = (n) => until(async () => (await q.count('job_dead_sent WHERE confirmed = 1')) === n, { every: 50, what: `${n} confirmed notices` });
    await q.add({ kind: 'never', n: 3, bare: 1, told: `${q.dir.path}/none` });
    await told(3);
    assert.equal(await q.count(`job_history WHERE state = 'dead'`), 3);
    await q.sql('UPDATE job_history SET finished_at = finished_at + 1 WHERE id = (SELECT min(id) FROM job_history WHERE state = \'dead\')');
    await until(async () => (await q.count('job_dead_sent s JOIN job_history h ON h.id = s.id AND h.finished_at = s.died_at WHERE s.confirmed = 1')) === 3, { every: 50, what: 'the notice of a second death' });
    await drained({ dead: 4 });
  }));

  /** Jobs that come one after the other; `resumes` is the time until one that is added now is done. */
  async function flowing(q, work) {
    let flows = true;
    const flow = (async () => {
      while (flows) {
        await q.added(20);
        await pause(30);
      }
    })();
    const resumes = async (what) => {
      const began = Date.now(), target = q.n + 1;
      await q.reach(target, { ms: 60_000, what: `jobs to go on after ${what}` });
      return Date.now() - began;
    };
    try {
      await work(resumes);
    } finally {
      flows = false;
      await flow;
    }
    await q.reach(q.n);
    await check(q);
  }

  test('the broker is killed, one time after the other, while jobs flow: each effect once, and never a pause of 5 s', { skip: !KILLS }, (t) => withWorkers({}, async (q) => {
    const pauses = [];
    await flowing(q, async (resumes) => {
      for (let i = 0; i < KILLS; i++) {
        await own.rabbit.kill();
        pauses.push(await resumes('the kill'));
        await own.rabbit.up();
        pauses.push(await resumes('the return'));
        const had = q.brought(), began = Date.now();
        await until(() => q.brought() > had, { ms: 120_000, what: 'jobs to come through the broker again' });
        pauses.push(`(through it again after ${Date.now() - began})`);
      }
    });
    t.diagnostic(`${q.n} jobs; pauses in ms: ${pauses.join(' ')}`);
    for (const ms of pauses) assert.ok(typeof ms === 'string' || ms < WITHIN, `${ms} ms`);
  }));

  test('a broker that was killed right after its first job comes back with a queue without a leader: it is declared anew', { skip: !KILLS }, async (t) => {
    const young = await Rabbit.start();
    try {
      await withWorkers({ url: young.url() }, async (q) => {
        await young.kill();
        await young.up();
        const began = Date.now();
        await q.through(120_000);
        const dropped = q.live.some((d) => d.log().includes('had no leader'));
        t.diagnostic(`through it again after ${Date.now() - began} ms; ${dropped ? 'a queue was' : 'no queue had to be'} deleted`);
        await check(q);
      });
    } finally {
      await young.stop();
    }
  });

  test(`the connections are cut ${CUTS} times (reset, black hole): consumption resumes within 5 s each time`, async (t) => {
    const proxy = await Proxy.start(own.rabbit.port);
    try {
      await withWorkers({ url: own.rabbit.url(proxy.port), settings: FULL ? {} : { heartbeat: 1 } }, async (q) => { // a silence is noticed after 1.5 s, then, instead of 2.5
        const times = [], back = [];
        await flowing(q, async (resumes) => {
          for (let i = 0; i < CUTS; i++) {
            if (i % 2 === 0) proxy.cut();
            else proxy.hole();
            times.push(await resumes(`cut ${i}`));
            if (i % 2) proxy.mend();
            const had = q.brought(), began = Date.now();
            await until(() => q.brought() > had, { what: 'jobs to come through the broker again' });
            back.push(Date.now() - began);
          }
        });
        t.diagnostic(`resumed after ${times.join(', ')} ms; through the broker again after ${back.join(', ')} ms`);
        for (const [i, ms] of times.entries()) assert.ok(ms < WITHIN, `cut ${i}: ${ms} ms`);
      });
    } finally {
      await proxy.stop();
    }
  });

  test('the broker takes messages and confirms none (an alarm of its memory): jobs are polled, and come through it later', (t) => withWorkers({}, async (q) => {
    const times = [];
    await flowing(q, async (resumes) => {
      await own.rabbit.ctl('set_vm_memory_high_watermark', 'absolute', '1MB');
      times.push(await resumes('the alarm'));
      await pause(1_000);
      times.push(await resumes('a second of it'));
      await own.rabbit.ctl('set_vm_memory_high_watermark', '0.6');
      const had = q.brought();
      await until(() => q.brought() > had, { what: 'jobs to come through the broker again' });
    });
    t.diagnostic(`resumed after ${times.join(', ')} ms`);
    for (const ms of times) assert.ok(ms < WITHIN, `${ms} ms`);
  }));

  test('TLS: with the CA of its certificate jobs come through, without it they are polled', () => withWorkers({ url: own.rabbit.tlsUrl(), settings: { ca: own.rabbit.ca } }, async (q) => {
    const [wrongCa, wrongName] = [{ amqp: own.rabbit.tlsUrl() }, { amqp: own.rabbit.tlsUrl('127.0.0.1'), ca: own.rabbit.ca }].map((o) => q.worker(o));
    for (const d of [wrongCa, wrongName]) await d.logContains('RabbitMQ is away');
    await Promise.all(q.live.splice(0).map((d) => Queue.finish(d)));
    await q.added(20);
    await q.reach(q.n);
    for (const d of [wrongCa, wrongName]) assert.equal((await Queue.finish(d)).brought, 0);
    await check(q);
  }));
}
