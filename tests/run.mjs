// Runs test files with one private PostgreSQL for all of them. Usage: node tests/run.mjs FILE...
import { spawn } from 'node:child_process';
import { Postgres } from './lib/pg.mjs';

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('no test file matches');
  process.exit(1);
}
const pg = await Postgres.start();
const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...files], {
  stdio: 'inherit', env: { ...process.env, SF_PG_URL: pg.url() },
});
const stop = (signal) => child.kill(signal);
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
const code = await new Promise((resolve) => child.on('close', (c) => resolve(c ?? 1)));
await pg.stop();
process.exit(code);
