// 100,000 requests of every kind of path leave nothing behind: under the sanitizer build the exit of a worker shows every
// leak (the harness fails on a report); in the plain build memory stays flat over 1,000,000.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Server } from '../lib/server.mjs';
import { pipeline } from '../lib/pipeline.mjs';

const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const sanitized = readFileSync(process.env.SF_BIN).includes('__asan_init');

test('no leak over 100,000 requests, flat memory over 1,000,000', async () => {
  const s = await Server.start({ demo: true, env: { WORKERS: '1', ACCESS_LOG: '0' } });
  try {
    const admin = (await s.demoUser('admin')).token;
    const paths = ['/health', '/health', '/health', '/api/nowhere', '/health?x=1', '/api/coocook/chefs/1', '/api/auth/me', '/api/coocook/search?q=kim', '/api/coocook/chefs?page=0', '/health'];
    const mixed = await pipeline(s.port, { total: 100_000, paths });
    assert.deepEqual(Object.keys(mixed).sort(), ['200', '400', '401', '404']);
    if (!sanitized) {
      const [worker] = (await s.get('/api/infrastructure/processes', { token: admin })).body.processes.filter((p) => p.name.startsWith('worker'));
      const before = rss(worker.pid);
      const counts = await pipeline(s.port, { total: 1_000_000, conns: 16 });
      assert.deepEqual(counts, { 200: 1_000_000 });
      const grown = rss(worker.pid) - before;
      console.log(`RSS ${before} KiB, after 1,000,000 requests ${grown >= 0 ? '+' : ''}${grown} KiB`);
      assert.ok(grown < 1024, `RSS grew by ${grown} KiB`);
    }
  } finally {
    assert.equal((await s.stop()).code, 0);
  }
});
