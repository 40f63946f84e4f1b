// Benchmarks beside their peers, in one run on the same cores, written to a report with ratios.
// Usage: node bench/run.mjs OUTDIR [scenario...]      scenarios: health chefs booking jobs held idle start
//
// Each HTTP scenario asks our server, a bare epoll loop and nginx, the latter two serving the very bytes that ours
// answered; database scenarios also run pgbench with our statements on the same PostgreSQL. Every load is bounded by time.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import net from 'node:net';
import { Daemon, exec, freePort, tempDir, until } from '../tests/lib/proc.mjs';
import { Postgres, sql } from '../tests/lib/pg.mjs';
import { BIN } from '../tests/lib/server.mjs';
import { CLIENTS, SECONDS, answerOf, bodyOf, floor, has, memory, nginx, ours, pgbench, workersOf, wrk } from './lib.mjs';
import { held, jobs } from './queue.mjs';
import { BOOKING_ENV, CHEFS, bookingLua, bookingScript, chefsScript, fill, mailsSent } from './statements.mjs';

const [outDir = 'build/bench', ...wanted] = process.argv.slice(2);
const report = [];
const say = (text) => (console.log(text), report.push(text));

const head = (title, base) => say(`\n## ${title}\n\n| server | req/s | of ${base} | p99 ms | server CPU µs/request | |\n|---|---:|---:|---:|---:|---|`);
const row = (name, m, base) => say(`| ${name} | ${Math.round(m.rps).toLocaleString('en')} | ${base ? (m.rps / base.rps).toFixed(2) : ''} | `
  + `${m.p99ms?.toFixed(2) ?? `mean ${m.meanMs.toFixed(2)}`} | ${m.cpuUs?.toFixed(2) ?? ''} | ${m.bad ? `${m.bad} not 2xx ` : ''}${m.socketErrors ?? ''} |`);
const absent = (name) => say(`| ${name}: not installed (tools/install.sh bench) | | | | | |`);

/** A server over a database with CHEFS chefs. */
async function filled(engine) {
  const pg = engine === 'postgres' ? await Postgres.start({ durable: true }) : null;
  if (pg) await sql(pg.url(), 'CREATE DATABASE bench');
  const s = await ours({ engine, env: BOOKING_ENV, ...(pg ? { database: pg.url('bench') } : {}) });
  await until(async () => (await s.get('/api/coocook/chefs')).body?.total >= 80, { what: 'the demo data' });
  await fill(s, pg && pg.url('bench'), outDir);
  return { s, pg, stop: async () => (await s.stop(), await pg?.stop()) };
}

const scenarios = {
  async health() {
    const s = await ours();
    const answer = await answerOf(s, '/health');
    const f = await floor(outDir, answer), n = await nginx(bodyOf(answer), 'application/json');
    try {
      head('GET /health, one worker each', 'the floor');
      const first = await wrk(f.url, f.pids);
      row('bare epoll loop, same bytes', first, first);
      const mine = await wrk(`${s.url}/health`, workersOf(s));
      row('SoftFactory', mine, first);
      const again = await wrk(f.url, f.pids); // before and after, so that a machine that drifts shows
      row('bare epoll loop, again', again, first);
      if (n) row('nginx, same body from a file', await wrk(n.url, n.pids), first);
      else absent('nginx');
      say(`\nServer CPU per request: ${(mine.cpuUs / ((first.cpuUs + again.cpuUs) / 2)).toFixed(2)} × the bare loop.`);
    } finally {
      await f.stop();
      await n?.stop();
      await s.stop();
    }
  },

  async chefs() {
    for (const engine of ['postgres', 'sqlite']) {
      const { s, pg, stop } = await filled(engine);
      try {
        const path = '/api/coocook/chefs?page=1&per_page=12';
        const answer = await answerOf(s, path);
        const n = await nginx(bodyOf(answer), 'application/json'), f = await floor(outDir, answer);
        head(`GET chefs list, not cached, ${CHEFS.toLocaleString('en')} chefs, ${engine}, one worker`, pg ? 'pgbench' : 'itself');
        let base = null;
        if (pg) {
          const file = join(outDir, 'chefs.sql');
          writeFileSync(file, await chefsScript());
          base = await pgbench(pg, 'bench', file);
          if (base) row('pgbench, same statements', base, base);
          else absent('pgbench');
        }
        const mine = await wrk(s.url + path, workersOf(s));
        if (mine.bad) throw new Error(`${mine.bad} answers were no success`);
        base ??= mine;
        row('SoftFactory', mine, base);
        if (n) row('nginx, same body from a file', await wrk(n.url, n.pids), base);
        else absent('nginx');
        row('bare epoll loop, same bytes', await wrk(f.url, f.pids), base);
        await n?.stop();
        await f.stop();
      } finally {
        await stop();
      }
    }
  },

  async booking() {
    for (const engine of ['postgres', 'sqlite']) {
      const { s, pg, stop } = await filled(engine);
      const url = pg ? pg.url('bench') : s.database.url;
      try {
        const { token } = await s.demoUser('demo');
        const script = join(outDir, 'booking.lua');
        writeFileSync(script, bookingLua(token));
        head(`POST booking, ${engine}, one worker, durable commits`, pg ? 'pgbench' : 'the first');
        let base = null;
        if (pg) {
          const file = join(outDir, 'booking.sql');
          writeFileSync(file, await bookingScript());
          base = await pgbench(pg, 'bench', file);
          if (base) row('pgbench, same statements, no mails', base, base);
          else absent('pgbench');
          await sql(url, 'DELETE FROM booking_letters'); // the mails of its bookings are not ours to send
        }
        const mine = await wrk(s.url, workersOf(s), { script });
        base ??= mine;
        const mails = await mailsSent(url);
        row('SoftFactory, a job worker mails of each', mine, base);
        // the same without: what it costs that mails are sent meanwhile
        const alone = await ours({ engine, database: url, env: { ...BOOKING_ENV, JOB_WORKERS: '0' } });
        try {
          row('SoftFactory, nobody sends the mails', await wrk(alone.url, workersOf(alone), { script }), base);
          writeFileSync(script, bookingLua(token, { keyed: true }));
          row('... each with an Idempotency-Key', await wrk(alone.url, workersOf(alone), { script }), base);
        } finally {
          await alone.stop();
        }
        say(`\n${mails}`);
      } finally {
        await stop();
      }
    }
  },

  jobs: () => jobs(outDir, say),
  held: () => held(outDir, say),

  async idle() {
    const s = await ours();
    const sockets = [];
    try {
      const [worker] = workersOf(s);
      const open = () => new Promise((resolve, reject) => {
        const k = net.connect(s.port, '127.0.0.1', () => k.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'));
        k.once('data', resolve);
        k.on('error', reject);
        sockets.push(k);
      });
      await Promise.all(Array.from({ length: 200 }, open));
      const before = memory(worker, 'VmRSS'), N = 10_000;
      for (let i = 0; i < N; i += 200) await Promise.all(Array.from({ length: 200 }, open));
      const after = memory(worker, 'VmRSS');
      say(`\n## Memory\n\n| what | |\n|---|---:|\n| RSS of a worker that has served | ${(before / 1024).toFixed(1)} MiB |`);
      say(`| with ${N.toLocaleString('en')} idle keep-alive connections more | ${(after / 1024).toFixed(1)} MiB |`);
      say(`| an idle connection after one request | ${Math.round(((after - before) * 1024) / N)} bytes |`);
    } finally {
      for (const k of sockets) k.destroy();
      await s.stop();
    }
  },

  async start() {
    const times = [];
    for (let i = 0; i < 5; i++) {
      const port = await freePort();
      const dir = tempDir();
      const env = { PATH: process.env.PATH, PORT: String(port), LISTEN: '127.0.0.1', DATABASE_URL: `sqlite:///${dir.path}/a.db`, WORKERS: '1', JWT_SECRET: 'x'.repeat(40) };
      const t = process.hrtime.bigint();
      const d = new Daemon(BIN, ['serve'], { env, cwd: dir.path });
      await until(async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok, { every: 1, what: 'the first answer' });
      times.push(Number(process.hrtime.bigint() - t) / 1e6);
      await d.stop();
      dir.remove();
    }
    times.sort((a, b) => a - b);
    say(`\n## Start\n\nFrom exec to the first answer of \`/health\`, SQLite, an empty folder: ${times[2].toFixed(0)} ms (median of ${times.map((x) => x.toFixed(0)).join(', ')}).`);
  },
};

mkdirSync(outDir, { recursive: true });
if (!(await has('wrk'))) {
  console.error('bench: wrk is not installed; tools/install.sh bench installs it and the peers');
  process.exit(1);
}
const names = wanted.length ? wanted : Object.keys(scenarios);
for (const name of names) {
  if (scenarios[name]) continue;
  console.error(`bench: no scenario "${name}"; there are ${Object.keys(scenarios).join(', ')}`);
  process.exit(2);
}
const commit = (await exec('git', ['rev-parse', '--short', 'HEAD'])).stdout.trim();
say(`# Benchmark report\n\nCommit ${commit}, ${new Date().toISOString().slice(0, 16)}Z, ${availableParallelism()} cores of ${cpus()[0].model.trim()}, `
  + `wrk -t1 -c${CLIENTS} for ${SECONDS} s on the same cores as the servers. The ratios count, not the figures.`);
let failed = 0;
for (const name of names) {
  try {
    await scenarios[name]();
  } catch (error) {
    failed++;
    say(`\n**${name} failed:** ${error.message}`);
    console.error(error.stack);
  }
}
writeFileSync(join(outDir, 'report.md'), `${report.join('\n')}\n`);
console.log(`\nreport: ${join(outDir, 'report.md')}`);
process.exit(failed ? 1 : 0);
