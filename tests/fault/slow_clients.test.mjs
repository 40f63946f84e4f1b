// Slow and rude clients cost nothing: thousands of silent or half-sent requests, resets, bodies that trickle.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';

const MAX = 3000; // connections of each of two workers
const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

describe('slow and rude clients', () => {
  let s, admin;
  before(async () => {
    s = await Server.start({ demo: true, env: { HTTP_HEAD_TIMEOUT: '2s', HTTP_BODY_TIMEOUT: '2s', HTTP_IDLE_TIMEOUT: '3s', HTTP_MAX_CONNS: String(MAX) } });
    admin = (await s.demoUser('admin')).token;
  });
  after(() => s?.stop());
  const open = (bytes, { port = s.port, from } = {}) => new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: from }, () => {
      if (bytes) socket.write(bytes);
      resolve(socket);
    });
    socket.text = '';
    socket.on('data', (d) => (socket.text += d));
    socket.on('close', () => (socket.over = true));
    socket.on('error', (e) => (socket.connecting ? reject(e) : (socket.over = true)));
  });

  const gauge = (text, name) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+]+)$`, 'm').exec(text)?.[1] ?? NaN);
  const metric = async (name, on = s) => gauge((await on.get('/metrics')).text, name);

  test('silent connections, more than there may be: new clients are served at once, then each is dropped', async () => {
    const overloaded = await metric('http_requests_overloaded_total'), sockets = [];
    for (let i = 0; i < 2.5 * MAX; i += 250) sockets.push(...(await Promise.all(Array.from({ length: 250 }, () => open()))));
    for (let i = 0; i < 100; i++) {
      const k = await open('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
      await until(() => k.text.endsWith('}') || k.over, { what: 'a new client to be served', ms: 10_000 });
      assert.match(k.text, /^HTTP\/1\.1 200 /, 'and not 503');
      sockets.push(k);
    }
    assert.equal(await metric('http_requests_overloaded_total'), overloaded);
    await until(() => sockets.every((k) => k.over), { ms: 30_000, every: 100, what: 'silent connections to be dropped' });
    assert.ok(sockets.every((k) => k.text === '' || k.text.startsWith('HTTP/1.1 200 ')), 'silent ones are told nothing');
    // 7,500 were more than two workers hold together, so that some gave way unless they had been dropped before
    const gone = (await metric('http_connections_evicted_total')) + (await metric('http_timeouts_total'));
    assert.ok(gone >= 2.5 * MAX, `${gone}`);
  });

  test('one address holds so many connections; a proxy any number, this machine unless it is said', async () => {
    assert.ok((await metric('http_connections_crowded_total')) === 0, 'the limit of 1,000 holds for others than this machine');
    const t = await Server.start({ env: { WORKERS: '1', HTTP_MAX_CONNS_PER_ADDRESS: '10', TRUSTED_PROXIES: '127.0.0.2' } });
    try {
      const ask = async (from) => {
        const k = await open('GET /health HTTP/1.1\r\nHost: x\r\n\r\n', { port: t.port, from });
        await until(() => k.text.endsWith('}') || k.over, { what: 'an answer', ms: 10_000 });
        return k;
      };
      const status = (k) => Number(k.text.slice(9, 12));
      const proxy = [], client = [];
      for (let i = 0; i < 30; i++) proxy.push(await ask('127.0.0.2'));
      for (let i = 0; i < 15; i++) client.push(await ask('127.0.0.3'));
      assert.deepEqual([...new Set(proxy.map(status))], [200]);
      assert.deepEqual(client.map(status), [...Array(10).fill(200), ...Array(5).fill(503)]);
      assert.ok(client.slice(10).every((k) => /^Retry-After: /m.test(k.text) && /"code":"overloaded"/.test(k.text)));
      assert.equal(status(await ask('127.0.0.4')), 200, 'others are served');
      await until(async () => (await metric('http_connections_crowded_total', t)) === 5, { what: 'the metric' });
      client.forEach((k) => k.destroy());
      await until(async () => status(await ask('127.0.0.3')) === 200, { what: 'the address to be let in again' });
    } finally {
      await t.stop();
    }
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
    await until(async () => (await metric('http_connections_open')) <= 4, { what: 'the gauge of connections to return', ms: 60_000 });
  });
});
