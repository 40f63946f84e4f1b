// Jobs through RabbitMQ: each effect exactly once, whatever happens to the broker; polling takes over while it is away.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Daemon, exec, tempDir, until } from '../lib/proc.mjs';
import { endOwn, freshDatabase, sql } from '../lib/pg.mjs';
import { Rabbit } from '../lib/rabbit.mjs';

const LEDGER = process.env.SF_LEDGER ?? new URL('../../build/tests/jobs/ledger', import.meta.url).pathname;
const WITHIN = 5_000; // ms from the loss of the broker, and from its return, to the next job

/** Processes that run jobs on one database, and what they have done. */
class Bench {
  static async start(rabbit, { engine = 'postgres', workers = 2 } = {}) {
    const b = new Bench();
    b.rabbit = rabbit;
    b.engine = engine;
    if (engine === 'postgres') Object.assign(b, await freshDatabase());
    else {
      b.dir = tempDir();
      b.url = `sqlite:///${join(b.dir.path, 'q.db')}`;
    }
    await b.program('migrate');
    b.workers = Array.from({ length: workers }, () => new Daemon(LEDGER, ['run', b.url, rabbit.url()]));
    await until(() => b.workers.every((w) => w.lines.some((l) => l.startsWith('{"claimed"'))), { what: 'the workers to run' });
    return b;
  }
  async program(name, ...args) {
    const r = await exec(LEDGER, [name, this.url, ...args.map(String)]);
    assert.equal(r.code, 0, `${name}: ${r.stderr}`);
  }
  add(first, n, kind = 'ledger') {
    return this.program('add', first, n, kind);
  }
  async number(text) {
    if (this.engine === 'postgres') return Number((await sql(this.url, text))[0][0]);
    const r = await exec('sqlite3', ['-cmd', '.timeout 5000', join(this.dir.path, 'q.db'), text]);
    assert.equal(r.code, 0, r.stderr);
    return Number(r.stdout);
  }
  count() {
    return this.number('SELECT count(*) FROM ledger');
  }
  reach(n, options) {
    return until(async () => (await this.count()) >= n, { ms: 30_000, every: 50, what: `${n} rows in the ledger`, ...options });
  }
  /** A counter of all workers together. */
  counter(name) {
    return this.workers.reduce((sum, w) => sum + JSON.parse(w.lines.findLast((l) => l.startsWith('{"claimed"')))[name], 0);
  }
  /** Exactly the numbers 1 to n, each once, and no job left. */
  async exactly(n) {
    assert.equal(await this.count(), n, 'effects');
    assert.equal(await this.number('SELECT count(DISTINCT n) FROM ledger'), n, 'different effects');
    assert.equal(await this.number('SELECT max(n) FROM ledger'), n);
    await until(async () => (await this.number('SELECT count(*) FROM jobs')) === 0, { what: 'no job to be left' });
  }
  /** All messages acknowledged, in every queue but that of the dead. */
  async drained() {
    await until(async () => Object.values(await this.rabbit.queues()).every((q) => q.name === 'softfactory-dead' || q.messages === 0), { ms: 20_000, every: 200, what: 'the queues to be empty' });
  }
  async stop() {
    for (const w of this.workers) assert.deepEqual(await w.stop(), { code: 0, signal: null }, w.log().slice(-2000));
    await this.drop?.();
    this.dir?.remove();
  }
  async through() {
    await this.add(1, 1);
    await this.reach(1);
    let last = 1;
    await until(async () => {
      await this.add(++last, 1);
      await this.reach(last);
      return this.counter('brought') > 0;
    }, { ms: 20_000, every: 100, what: 'a job to come through the broker' });
    return last;
  }
}

describe('RabbitMQ', { concurrency: false }, () => {
  let rabbit;
  before(async () => { rabbit = await Rabbit.start(); });
  after(async () => {
    await rabbit?.stop();
    await endOwn();
  });

  for (const engine of ['postgres', 'sqlite'])
    test(`jobs come through quorum queues, retries too, and nothing is left there [${engine}]`, async () => {
      const b = await Bench.start(rabbit, { engine });
      try {
        const n = await b.through();
        const before = b.counter('brought');
        await b.add(n + 1, 1000);
        await b.add(n + 1001, 50, 'twice');
        await b.add(n + 1051, 20, 'narrow'); // with a limit: from the table
        await b.reach(n + 1070);
        await b.exactly(n + 1070);
        await until(() => b.counter('done') >= n + 1070, { what: 'the counters' });
        assert.ok(b.counter('brought') - before >= 1000, `only ${b.counter('brought') - before} came through the broker`);
        const queues = await rabbit.queues();
        for (const name of ['softfactory.default', 'softfactory.other', 'softfactory-dead']) assert.equal(queues[name]?.type, 'quorum', name);
        await b.drained();
      } finally {
        await b.stop();
      }
    });

  test('dead jobs are told to the dead-letter queue', async () => {
    const b = await Bench.start(rabbit);
    try {
      await b.through();
      const dead = async () => (await rabbit.queues())['softfactory-dead'].messages;
      const had = await dead();
      await b.add(1, 3, 'poison');
      await until(async () => (await dead()) === had + 3, { ms: 20_000, every: 200, what: 'three notices' });
      assert.equal(await b.number(`SELECT count(*) FROM job_history WHERE state = 'dead'`), 3);
      await until(async () => (await b.number('SELECT count(*) FROM job_dead_sent WHERE confirmed = 1')) === 3, { what: 'them to be confirmed' });
      assert.equal(await dead(), had + 3, 'each once');
    } finally {
      await b.stop();
    }
  });

  test('the broker is killed five times while jobs flow: each effect once, and never a pause of 5 s', async (t) => {
    const b = await Bench.start(rabbit);
    const pauses = [];
    let n = await b.through(), flowing = true;
    const flow = (async () => {
      while (flowing) {
        await b.add(n + 1, 50);
        n += 50;
        await new Promise((go) => setTimeout(go, 50));
      }
    })();
    /** A job that is added now is over within 5 s. */
    const resumes = async (what) => {
      const began = Date.now(), target = n;
      await b.reach(target + 1, { ms: WITHIN, what: `jobs to go on after ${what}` });
      pauses.push(Date.now() - began);
    };
    try {
      for (let i = 0; i < 5; i++) {
        await rabbit.kill();
        await resumes('the kill');
        await rabbit.up();
        await resumes('the return');
        const brought = b.counter('brought');
        await until(() => b.counter('brought') > brought, { ms: 10_000, what: 'jobs to come through the broker again' });
      }
      flowing = false;
      await flow;
      await b.reach(n);
      await b.exactly(n);
      await b.drained();
      t.diagnostic(`${n} jobs; pauses in ms: ${pauses.join(' ')}`);
    } finally {
      flowing = false;
      await flow.catch(() => {});
      await b.stop();
    }
  });

  test('the broker answers no more (a black hole): polling takes over within 5 s, and the broker later', async (t) => {
    const b = await Bench.start(rabbit);
    try {
      let n = await b.through();
      rabbit.signal('SIGSTOP');
      const began = Date.now();
      await b.add(n + 1, 100);
      n += 100;
      await b.reach(n, { ms: WITHIN });
      t.diagnostic(`100 jobs were over after ${Date.now() - began} ms`);
      rabbit.signal('SIGCONT');
      const brought = b.counter('brought');
      await until(async () => {
        await b.add(++n, 1);
        return b.counter('brought') > brought;
      }, { ms: 20_000, every: 200, what: 'jobs to come through the broker again' });
      await b.reach(n);
      await b.exactly(n);
    } finally {
      rabbit.signal('SIGCONT');
      await b.stop();
    }
  });

  test('a worker is killed with messages in hand: its jobs are done by the other, each once', async () => {
    const b = await Bench.start(rabbit);
    try {
      const n = await b.through();
      const adding = b.add(n + 1, 2000);
      await b.reach(n + 200);
      const [victim] = b.workers;
      victim.signal('SIGKILL');
      await victim.done;
      b.workers.shift();
      await adding;
      await b.reach(n + 2000, { ms: 30_000 });
      await b.exactly(n + 2000);
      await b.drained();
    } finally {
      await b.stop();
    }
  });
});
