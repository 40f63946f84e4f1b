// Slow and rude clients cost nothing: thousands of half-sent requests, resets, bodies that trickle.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';

const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

describe('slow and rude clients', () => {
  let s, admin;
  before(async () => {
    s = await Server.start({ demo: true, env: { HTTP_HEAD_TIMEOUT: '2s', HTTP_BODY_TIMEOUT: '2s', HTTP_IDLE_TIMEOUT: '3s' } });
    admin = (await s.demoUser('admin')).token;
  });
  after(() => s?.stop());
  const open = (bytes) => new Promise((resolve, reject) => {
    const socket = net.connect(s.port, '127.0.0.1', () => {
      if (bytes) socket.write(bytes);
      resolve(socket);
    });
    socket.text = '';
    socket.on('data', (d) => (socket.text += d));
    socket.on('close', () => (socket.over = true));
    socket.on('error', (e) => (socket.connecting ? reject(e) : (socket.over = true)));
  });

  test('5,000 slow-loris sockets: others are served, then each gets 408 and is closed', async () => {
    const sockets = [];
    for (let i = 0; i < 5000; i += 250) sockets.push(...(await Promise.all(Array.from({ length: 250 }, () => open('GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ')))));
    for (let i = 0; i < 20; i++) {
      assert.equal((await s.get('/health')).status, 200);
      assert.equal((await s.get('/api/coocook/chefs')).status, 200);
    }
    await until(() => sockets.every((k) => k.over), { ms: 30_000, every: 100, what: 'the slow sockets to be closed' });
    const answered = sockets.filter((k) => k.text.startsWith('HTTP/1.1 408 ')).length;
    assert.ok(answered >= 4900, `${answered} of 5,000 were told why`);
  });

  test('a body that trickles is cut off with 408', async () => {
    const k = await open('POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{');
    await until(() => k.over, { ms: 60_000, what: 'the trickle to be cut off' });
    assert.match(k.text, /^HTTP\/1\.1 408 /);
  });

  test('an idle connection is closed in silence', async () => {
    const k = await open('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => k.over, { ms: 60_000, what: 'the idle connection to be closed' });
    assert.equal(k.text.match(/HTTP\/1\.1/g).length, 1);
  });

  test('connect, ask, reset, again and again: memory stays, gauges return', async () => {
    const round = async (n) => {
      for (let i = 0; i < n; i += 100) await Promise.all(Array.from({ length: 100 }, async (_, j) => {
        const k = await open(['GET /health HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /api/coocook/chefs HTTP/1.1\r\nHost: x\r\n\r\n', 'POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a"', 'GET /he', ''][j % 5]);
        k.resetAndDestroy();
      }));
    };
    const pids = (await s.get('/api/infrastructure/processes', { token: admin })).body.processes.filter((p) => p.name.startsWith('worker')).map((p) => p.pid);
    await round(3000);
    const before1 = pids.map(rss);
    await round(10_000);
    const grown = pids.map((p, i) => rss(p) - before1[i]);
    assert.ok(grown.every((kb) => kb < 2048), `RSS grew by ${grown} KiB over 10,000 resets`);
    const gauge = (text, name) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+]+)$`, 'm').exec(text)?.[1] ?? NaN);
    await until(async () => gauge((await s.get('/metrics')).text, 'http_connections_open') <= 4, { what: 'the gauge of connections to return', ms: 60_000 });
  });
});
