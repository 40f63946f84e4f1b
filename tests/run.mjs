// Runs test files with one private PostgreSQL for all of them. Usage: node tests/run.mjs FILE...
// With SF_JOBS_VIA=rabbitmq their jobs go through a private RabbitMQ.
import { spawn } from 'node:child_process';
import { Postgres } from './lib/pg.mjs';
import { Rabbit } from './lib/rabbit.mjs';

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('no test file matches');
  process.exit(1);
}
const pg = await Postgres.start();
const rabbit = process.env.SF_JOBS_VIA === 'rabbitmq' ? await Rabbit.start() : null;
const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...files], {
  stdio: 'inherit', env: { ...process.env, SF_PG_URL: pg.url(), ...(rabbit && { AMQP_URL: rabbit.url() }) },
});
const stop = (signal) => child.kill(signal);
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
const code = await new Promise((resolve) => child.on('close', (c) => resolve(c ?? 1)));
await pg.stop();
await rabbit?.stop();
process.exit(code);
