// What a busy time takes of memory is given back once it is quiet: by a job worker after a backlog, by a server worker after a flood.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { ENGINES, Server } from '../lib/server.mjs';
import { addMany, jobWorkers, over } from '../lib/jobs.mjs';
import { endOwn } from '../lib/pg.mjs';
import { until } from '../lib/proc.mjs';

const JOBS = 20_000, CLIENTS = 3000;
const sanitized = readFileSync(process.env.SF_BIN).includes('__asan_init'); // keeps what was freed

/** KiB of a process: `Rss` all of it, `Anonymous` without files that are mapped. */
const memory = (pid, what) => Number(new RegExp(`^${what}: +(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);
const mb = (kib) => `${(kib / 1024).toFixed(1)} MB`;

/** Waits until it is back near what it was. */
async function givenBack(t, { pid, what, before, factor = 1.5, spare, peak, title }) {
  const bound = factor * before + spare * 1024;
  let now;
  await until(() => (now = memory(pid, what)) <= bound, { ms: 60_000, every: 100, what: `${title} to be below ${mb(bound)}: ${mb(before)} before, ${mb(peak)} at the end of the load` });
  t.diagnostic(`${title}: ${mb(before)} before, ${mb(peak)} at the end of the load, ${mb(now)} once quiet`);
  return bound;
}

for (const engine of ENGINES)
  test(`a job worker after ${JOBS} mails [${engine}]`, { skip: sanitized }, async (t) => {
    const s = await Server.start({ engine, demo: true, env: { WORKERS: '1', JOB_WORKERS: '1' } });
    try {
      const { token } = await s.demoUser('admin');
      const [pid] = await until(async () => { const pids = await jobWorkers(s, token); return pids.length === 1 && pids; }, { what: 'the job worker' });
      const mail = { kind: 'email.send', queue: 'mail', payload: { template: 'welcome', to: 'kim@example.com', at: Date.now() * 1000, data: { email: 'kim' } } };
      await addMany(s, 10, { runAt: Date.now(), ...mail }); // so that its connections are open
      await until(async () => (await over(s, 'done', mail.kind)) >= 10, { what: 'its first jobs' });
      const before = memory(pid, 'Rss');
      await addMany(s, JOBS, { runAt: Date.now(), ...mail });
      await until(async () => (await over(s, 'done', mail.kind)) >= JOBS + 10, { ms: 240_000, every: 200, what: 'the backlog to be over' });
      const peak = memory(pid, 'Rss');
      const bound = await givenBack(t, { pid, what: 'Rss', before, spare: 4, peak, title: `a job worker on ${engine}` });
      if (engine === 'sqlite') assert.ok(peak > bound, `the load is too small to show anything: ${mb(peak)} at its end`);
      assert.deepEqual(await jobWorkers(s, token), [pid], 'it is the same process');
    } finally {
      await s.stop();
    }
  });

for (const engine of ENGINES)
  test(`a worker after ${CLIENTS} clients at once [${engine}]`, { skip: sanitized }, async (t) => {
    const s = await Server.start({ engine, demo: true, env: { WORKERS: '1', JOB_WORKERS: '0', ACCESS_LOG: '0' } });
    const sockets = [];
    try {
      const { token } = await s.demoUser('admin');
      const { pid } = (await s.get('/api/infrastructure/processes', { token })).body.processes.find((p) => p.name === 'worker 0');
      const before = memory(pid, 'Anonymous');
      await Promise.all(Array.from({ length: CLIENTS }, (_, k) => new Promise((resolve, reject) => {
        const c = net.connect(s.port, '127.0.0.1');
        sockets.push(c);
        c.on('error', reject);
        c.on('data', resolve);
        c.write(`GET /api/coocook/chefs?page=${(k % 50) + 1} HTTP/1.1\r\nHost: test\r\n\r\n`);
      })));
      const peak = memory(pid, 'Anonymous');
      for (const c of sockets) c.destroy();
      const spare = engine === 'postgres' ? 5 : 1; // connections that the load has opened stay for a while
      const bound = await givenBack(t, { pid, what: 'Anonymous', before, factor: 1.1, spare, peak, title: `a worker on ${engine}` });
      assert.ok(peak > bound, `the load is too small to show anything: ${mb(peak)} at its end`);
      assert.equal((await s.get('/ready')).status, 200);
    } finally {
      for (const c of sockets) c.destroy();
      await s.stop();
    }
  });
after(endOwn);
