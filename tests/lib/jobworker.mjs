// A queue of its own for tests and benchmarks: a database with the queue's tables, and processes of tests/fault/jobworker.c over it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Postgres, freshDatabase, sql } from './pg.mjs';
import { Daemon, exec, tempDir, until } from './proc.mjs';

const PROGRAM = process.env.SF_JOBWORKER ?? resolve('build/tests/jobworker');
const args = (options) => Object.entries(options).map(([k, v]) => `${k}=${v}`);
const lines = (path) => (existsSync(path) ? readFileSync(path, 'latin1').split('\n').slice(0, -1) : []);

export class Queue {
  /** durable: fsync and synchronous_commit on. settings: lines of postgresql.conf. shared: a database on the server of the test run, which
   * is quicker where the server itself is left alone. */
  static async start(engine, { durable = true, settings = {}, shared = false } = {}) {
    const q = new Queue();
    q.engine = engine;
    q.dir = tempDir('sf-jobs-');
    q.told = join(q.dir.path, 'told');
    q.outside = join(q.dir.path, 'outside');
    q.daemons = new Set();
    try {
      if (engine === 'postgres' && shared) {
        q.database = await freshDatabase();
      } else if (engine === 'postgres') {
        q.pg = await Postgres.start({ durable, settings });
        await sql(q.pg.url(), 'CREATE DATABASE jobs');
      }
      q.path = join(q.dir.path, 'jobs.db');
      q.url = q.database?.url ?? q.pg?.url('jobs') ?? `sqlite:///${q.path}`;
      const r = await exec(PROGRAM, [q.url, 'init']);
      assert.equal(r.code, 0, r.stderr);
    } catch (error) {
      await q.stop();
      throw error;
    }
    return q;
  }
  daemon(what, options, url = this.url) {
    const d = new Daemon(PROGRAM, [url, what, ...args(options)]);
    this.daemons.add(d);
    d.done.then(() => this.daemons.delete(d));
    return d;
  }
  /** A process that runs jobs. */
  worker(options = {}, url) {
    return this.daemon('work', { outside: this.outside, pages: this.dir.path, ...options }, url);
  }
  /** A process that adds jobs. */
  adder(options = {}, url) {
    return this.daemon('add', { told: this.told, ...options }, url);
  }
  /** Adds jobs and returns what the adder says of it. */
  async add(options) {
    const d = this.adder(options);
    const exit = await d.done;
    assert.equal(exit.code, 0, d.log());
    return JSON.parse(d.lines.find((l) => l.startsWith('{"added"')));
  }
  /** Ends a worker by a drain and returns what it says of its runs. */
  static async finish(d) {
    await d.logContains('working'); // one that has only just been started knows no drain yet
    const exit = await d.stop('SIGTERM', 60_000);
    assert.equal(exit.code, 0, `a worker ended by ${exit.signal ?? exit.code}: ${d.log().slice(-2000)}`);
    return JSON.parse(d.lines.findLast((l) => l.startsWith('{"done"')));
  }
  /** Rows of text. */
  async sql(text) {
    if (this.engine === 'postgres') return sql(this.url, text);
    const r = await exec('sqlite3', ['-cmd', '.timeout 10000', '-separator', '\t', this.path, text]);
    assert.equal(r.code, 0, r.stderr);
    return r.stdout.split('\n').filter(Boolean).map((l) => l.split('\t'));
  }
  async count(text) {
    return Number((await this.sql(`SELECT count(*) FROM ${text}`))[0][0]);
  }
  /** Waits until no job is left. */
  empty(options = {}) {
    return until(async () => (await this.count('jobs')) === 0, { every: 50, what: 'the queue to be empty', ms: 60_000, ...options });
  }
  /** What adders were told to be committed: [first, n] each. */
  committed() {
    return lines(this.told).map((l) => l.split(' ').map(Number));
  }
  /** Effects outside of the database: [key, seq] each, also those of attempts that failed afterwards. */
  effects() {
    return lines(this.outside).map((l) => l.split(' '));
  }
  async stop() {
    for (const d of this.daemons) d.signal('SIGCONT'), d.signal('SIGKILL');
    await Promise.all([...this.daemons].map((d) => d.done));
    await this.database?.drop();
    await this.pg?.stop();
    this.dir.remove();
  }
}
