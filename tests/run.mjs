// Runs test files, as many at once as there are processors, with one private PostgreSQL for all of them.
//   node tests/run.mjs FILE... [--through-rabbitmq FILE...]
// Jobs of the files after --through-rabbitmq go through a private RabbitMQ; they share its queues, so they run one after another.
// All temporary folders are in one, and what a test leaves there fails the run.
// A file that says `// alone: why` at the start of a line runs when nothing else does.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Postgres } from './lib/pg.mjs';
import { Rabbit } from './lib/rabbit.mjs';

const SLOTS = Math.min(Math.max(availableParallelism(), 2), 4); // a browser and its servers take half a gigabyte
const LONG = ['explain', 'rabbit', 'smtp', 'accounts', 'ops', 'trouble', 'telegram', 'jobs_workers']; // begin first, so that none is left at the end
const COUNT = /^(?:ℹ|#) (tests|suites|pass|fail|cancelled|skipped|todo) (\d+)$/;

const args = process.argv.slice(2), at = args.indexOf('--through-rabbitmq');
const files = at < 0 ? args : args.slice(0, at), brokered = at < 0 ? [] : args.slice(at + 1);
if (files.length + brokered.length === 0) {
  console.error('no test file matches');
  process.exit(1);
}

const running = new Set(), sum = new Map();
let failed = false, stopped = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
  stopped = true;
  for (const child of running) child.kill(signal);
});

/** Runs one file; its output comes in one piece, without the counts, which are added up. */
async function run(file, env) {
  if (stopped) return;
  const began = Date.now();
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', file], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let text = '';
  running.add(child);
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part));
  const code = await new Promise((resolve) => child.on('close', resolve));
  running.delete(child);
  failed ||= code !== 0;
  const lines = text.trimEnd().split('\n').filter((line) => {
    const [, what, n] = COUNT.exec(line) ?? [];
    if (what) sum.set(what, (sum.get(what) ?? 0) + Number(n));
    return !what && !/^(ℹ|#) duration_ms/.test(line);
  });
  console.log(`${lines.join('\n')}\n   ${file}: ${((Date.now() - began) / 1000).toFixed(1)} s${code === 0 ? '' : `, FAILED with ${code}`}\n`);
}

/** Runs tasks, SLOTS at once. */
async function pool(tasks) {
  await Promise.all(Array.from({ length: SLOTS }, async () => {
    while (tasks.length > 0) await tasks.shift()();
  }));
}

const rank = (file) => (LONG.some((name) => file.endsWith(`/${name}.test.mjs`)) ? 0 : 1);
const wantsAlone = (file) => /^\/\/ alone: /m.test(readFileSync(file, 'utf8'));
const together = files.filter((f) => !wantsAlone(f)).sort((a, b) => rank(a) - rank(b)), alone = files.filter(wantsAlone);

const scratch = execFileSync(new URL('scratch.sh', import.meta.url).pathname, [String(process.pid)], { encoding: 'utf8' }).trim();
process.env.TMPDIR = scratch;
const pg = await Postgres.start();
const env = { SF_PG_URL: pg.url() };
const throughRabbit = async () => {
  const rabbit = await Rabbit.start();
  for (const file of brokered) await run(file, { ...env, SF_JOBS_VIA: 'rabbitmq', SF_ENGINES: 'postgres', AMQP_URL: rabbit.url() });
  await rabbit.stop();
};
await pool([...(brokered.length > 0 ? [throughRabbit] : []), ...together.map((file) => () => run(file, env))]);
for (const file of alone) await run(file, env);
await pg.stop();
const left = readdirSync(scratch).filter((name) => !name.startsWith('softfactory-jobs-')); // those are what killed workers tell
if (left.length > 0) console.log(`✖ left behind in the temporary folder: ${left.join(', ')}`), failed = true;
rmSync(scratch, { recursive: true, force: true });
for (const [what, n] of sum) console.log(`ℹ ${what} ${n}`);
process.exit(failed || stopped ? 1 : 0);
