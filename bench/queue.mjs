// The job queue: ours on SQLite, on PostgreSQL and through RabbitMQ, beside Celery with a task that does the same work.
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon, exec, freePort, tempDir, until } from '../tests/lib/proc.mjs';
import { Postgres, sql } from '../tests/lib/pg.mjs';
import { Rabbit } from '../tests/lib/rabbit.mjs';
import { connects, has } from './lib.mjs';

const RATE = 1000, SECONDS = Number(process.env.BENCH_SECONDS ?? 5), JOBS = Number(process.env.BENCH_JOBS ?? 50_000);
const HELD_RATE = 800, HELD_SECONDS = Number(process.env.BENCH_HELD_SECONDS ?? 60); // as the figures that made Q-6
const CELERY_JOBS = Math.ceil(JOBS / 10), CELERY_RATE = 200;
const PYTHON = '/usr/bin/python3'; // Debian's, which has Debian's packages
const HERE = fileURLToPath(new URL('.', import.meta.url));

const number = (n) => Math.round(n).toLocaleString('en');
const ms = (us) => (us / 1000).toFixed(1);

async function mine(outDir, url, { broker, rate = RATE, seconds = SECONDS } = {}) {
  const r = await exec(join(outDir, 'jobs'), [url, String(JOBS), String(rate), String(seconds)], { env: { PATH: process.env.PATH, ...(broker ? { AMQP_URL: broker } : {}) } });
  if (r.code !== 0) throw new Error(`bench/jobs: ${r.stderr}`);
  return JSON.parse(r.stdout);
}

async function durableDatabase() {
  const pg = await Postgres.start({ durable: true });
  await sql(pg.url(), 'CREATE DATABASE bench');
  return pg;
}

async function oursRows(outDir) {
  const rows = [];
  const dir = tempDir('sf-bench-');
  try {
    rows.push(['SQLite', await mine(outDir, `sqlite:///${join(dir.path, 'jobs.db')}`)]);
  } finally {
    dir.remove();
  }
  const pg = await durableDatabase();
  try {
    rows.push(['PostgreSQL', await mine(outDir, pg.url('bench'))]);
  } finally {
    await pg.stop();
  }
  if (!existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server')) return rows;
  const rabbit = await Rabbit.start();
  const again = await durableDatabase();
  try {
    rows.push(['PostgreSQL, RabbitMQ', await mine(outDir, again.url('bench'), { broker: rabbit.url() })]);
  } finally {
    await again.stop();
    await rabbit.stop();
  }
  return rows;
}

// ---- Celery ----

const brokers = {
  async RabbitMQ() {
    if (!existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server')) return null;
    const r = await Rabbit.start();
    return { url: r.url(), settings: 'durable queue, persistent messages, publisher confirms', stop: () => r.stop() };
  },
  async Redis() {
    if (!(await has('redis-server'))) return null;
    const dir = tempDir('sf-redis-'), port = await freePort();
    const d = new Daemon('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir.path, '--appendonly', 'yes', '--appendfsync', 'always', '--save', '']);
    await until(() => connects(port), { what: 'redis to listen' });
    return { url: `redis://127.0.0.1:${port}/0`, settings: 'appendonly, appendfsync=always', stop: async () => (await d.stop(), dir.remove()) };
  },
};

async function peer(broker) {
  const pg = await durableDatabase(), url = pg.url('bench'), dir = tempDir('sf-celery-');
  const env = { PATH: process.env.PATH, HOME: dir.path, BROKER: broker.url, DATABASE: url, PYTHONPATH: HERE, PYTHONDONTWRITEBYTECODE: '1', C_FORCE_ROOT: '1' };
  const add = async (...args) => {
    const r = await exec(PYTHON, [join(HERE, 'celery_peer.py'), ...args.map(String)], { env, cwd: dir.path });
    if (r.code !== 0) throw new Error(`celery_peer: ${r.stderr}`);
    return Number(r.stdout);
  };
  const done = async (n) => until(async () => Number((await sql(url, 'SELECT count(*) FROM effects'))[0][0]) >= n, { ms: 300_000, every: 100, what: `${n} tasks to be done` });
  let worker = null;
  const start = () => (worker = new Daemon(PYTHON, ['-m', 'celery', '-A', 'celery_peer', 'worker', '--pool', 'prefork', '--concurrency', String(availableParallelism()),
    '-O', 'fair', '--without-gossip', '--without-mingle', '--without-heartbeat', '--loglevel', 'ERROR'], { env, cwd: dir.path }));
  const span = async () => Number((await sql(url, 'SELECT extract(epoch FROM max(at) - min(at)) FROM effects'))[0][0]);
  try {
    await sql(url, 'CREATE TABLE effects (lag double precision, at timestamptz)');
    const addPerS = await add('add', CELERY_JOBS);
    start();
    await done(CELERY_JOBS);
    const emptiedPerS = (CELERY_JOBS - 1) / await span(); // from the first task's end on: its start is not held against it
    await sql(url, 'TRUNCATE effects');
    const began = Date.now();
    await add('add', CELERY_JOBS);
    await done(CELERY_JOBS);
    const throughPerS = CELERY_JOBS / ((Date.now() - began) / 1000);
    await sql(url, 'TRUNCATE effects');
    await add('rate', CELERY_RATE, SECONDS);
    await done(CELERY_RATE * SECONDS);
    const [[p50, p99]] = await sql(url, 'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY lag), percentile_disc(0.99) WITHIN GROUP (ORDER BY lag) FROM effects');
    return { addPerS, emptiedPerS, throughPerS, p50: p50 * 1000, p99: p99 * 1000 };
  } finally {
    await worker?.stop('SIGTERM', 20_000);
    await pg.stop();
    dir.remove();
  }
}

async function celeryRows(say) {
  if ((await exec(PYTHON, ['-c', 'import celery, psycopg2'])).code !== 0) {
    say('\nCelery: not installed (tools/install.sh bench installs it).');
    return [];
  }
  const rows = [];
  for (const [name, open] of Object.entries(brokers)) {
    const broker = await open();
    if (!broker) {
      say(`\nCelery over ${name}: ${name} is not installed.`);
      continue;
    }
    try {
      rows.push([name, broker.settings, await peer(broker)]);
    } finally {
      await broker.stop();
    }
  }
  return rows;
}

export async function jobs(outDir, say) {
  const rows = await oursRows(outDir);
  say(`\n## Jobs, one process, 16 at once\n\n| queue on | add one by one /s | 16 at once /s | in batches of 1,000 /s | full to empty /s | enqueue to done /s | each writing a row /s | add to start at ${number(RATE)}/s: p50 ms | p99 ms | from commit: p50 ms | p99 ms |\n|---|${'---:|'.repeat(10)}`);
  for (const [name, r] of rows)
    say(`| ${name} | ${[r.add_one_per_s, r.add_16_at_once_per_s, r.add_batched_per_s, r.full_to_empty_per_s, r.enqueue_to_done_per_s, r.enqueue_to_row_per_s].map(number).join(' | ')} | ${[r.add_p50_us, r.add_p99_us, r.commit_p50_us, r.commit_p99_us].map(ms).join(' | ')} |`);
  say(`\nDurability: ${rows.map(([name, r]) => `${name}: ${r.durability}`).join('; ')}. Handlers do nothing but where a row is written, in the transaction that ends the job. `
    + '"From commit" is the time from the return of the call that adds the job to the start of its handler.');
  const peers = await celeryRows(say);
  if (!peers.length) return;
  const base = rows.find(([name]) => name === 'PostgreSQL')[1].enqueue_to_row_per_s;
  say(`\n| each task writes a row into PostgreSQL and commits | add /s | full to empty /s | enqueue to done /s | SoftFactory is | add to start at ${CELERY_RATE}/s: p50 ms | p99 ms |\n|---|${'---:|'.repeat(6)}`);
  for (const [name, , r] of peers)
    say(`| Celery over ${name} | ${number(r.addPerS)} | ${number(r.emptiedPerS)} | ${number(r.throughPerS)} | ${(base / r.throughPerS).toFixed(1)} × | ${r.p50.toFixed(1)} | ${r.p99.toFixed(1)} |`);
  say(`\nCelery: prefork, ${availableParallelism()} processes, prefetch 64 each, acks_late, results ignored, a kept connection each to the same PostgreSQL (fsync=on synchronous_commit=on); ${peers.map(([name, settings]) => `${name}: ${settings}`).join('; ')}. `
    + `${number(CELERY_JOBS)} tasks; one process adds them. SoftFactory's rate beside it is that of jobs which each write a row.`);
  writeFileSync(join(outDir, 'jobs.json'), JSON.stringify({ ours: Object.fromEntries(rows), celery: Object.fromEntries(peers.map(([name, , r]) => [name, r])) }, null, 2));
}

// ---- under a snapshot that somebody holds ----

/** A transaction that sees the database as it is now, and keeps what ends meanwhile from being cleaned up; ends with stop(). */
async function snapshot(url) {
  const d = new Daemon('psql', ['-X', '-q', '-d', url, '-c', "SET application_name = 'holder'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs; SELECT pg_sleep(3600)"]);
  const held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder' AND backend_xmin IS NOT NULL AND query LIKE '%pg_sleep%'";
  await until(async () => (await sql(url, held))[0][0] === '1', { what: 'the snapshot' });
  return { stop: async () => { await sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'"); await d.done; } };
}

export async function held(outDir, say) {
  const pg = await durableDatabase(), url = pg.url('bench');
  const dead = async () => Number((await sql(url, "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE relname LIKE 'job%'"))[0][0]);
  const rows = [];
  const part = async (name, seconds) => {
    const r = await mine(outDir, url, { rate: HELD_RATE, seconds });
    rows.push([name, seconds, r, await dead(), Number((await sql(url, 'SELECT count(*) FROM jobs'))[0][0])]);
  };
  try {
    await part('before', SECONDS);
    const holder = await snapshot(url);
    try {
      await part('held', HELD_SECONDS);
    } finally {
      await holder.stop();
    }
    await part('after', SECONDS);
  } finally {
    await pg.stop();
  }
  say(`\n## Jobs while a REPEATABLE READ transaction holds its snapshot, PostgreSQL, two queues\n\n| the snapshot | full to empty /s | enqueue to done /s | add to start at ${number(HELD_RATE)}/s, for s | p50 ms | p99 ms | longest ms | dead rows then | jobs left |\n|---|${'---:|'.repeat(8)}`);
  for (const [name, seconds, r, tuples, left] of rows)
    say(`| ${name} | ${[r.full_to_empty_per_s, r.enqueue_to_done_per_s].map(number).join(' | ')} | ${seconds} | ${[r.add_p50_us, r.add_p99_us, r.add_max_us].map(ms).join(' | ')} | ${number(tuples)} | ${left} |`);
  say(`\n${rows[0][2].durability}; each part first adds and works off ${number(2 * JOBS)} jobs, which are the dead rows that the steady rate then meets.`);
  writeFileSync(join(outDir, 'held.json'), JSON.stringify(Object.fromEntries(rows.map(([name, seconds, r, tuples, left]) => [name, { ...r, seconds, dead: tuples, left }])), null, 2));
}
