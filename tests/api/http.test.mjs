// The protocol as a client sees it: malformed requests, smuggling, limits, encodings, CORS, ids, static files.
import { after, before, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import zlib from 'node:zlib';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Server } from '../lib/server.mjs';
import { assertError } from '../lib/contract.mjs';
import { tempDir, until } from '../lib/proc.mjs';

describe('http', () => {
  let s, web;
  before(async () => {
    web = tempDir();
    const put = (name, text) => writeFileSync(join(web.path, name), text);
    put('index.html', '<!doctype html><title>front</title>');
    put('404.html', '<!doctype html><title>nothing here</title>');
    put('app.0123abcd.js', `export const big = ${JSON.stringify('x'.repeat(5000))};`);
    put('app.0123abcd.js.br', zlib.brotliCompressSync(`export const big = ${JSON.stringify('x'.repeat(5000))};`));
    put('app.0123abcd.js.gz', zlib.gzipSync(`export const big = ${JSON.stringify('x'.repeat(5000))};`));
    put('plain.txt', '0123456789'.repeat(100));
    put('.secret', 'secret');
    mkdirSync(join(web.path, 'sub'));
    put('sub/page.html', '<p>sub</p>');
    s = await Server.start({ demo: true, env: { WEB_DIR: web.path, CORS_ALLOWED_ORIGINS: 'https://app.example.com' } });
  });
  after(async () => {
    await s?.stop();
    web.remove();
  });

  const H = 'Host: localhost\r\n';
  const CHUNKED = `POST /api/auth/login HTTP/1.1\r\n${H}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const malformed = [
    ['both lengths', `POST /api/auth/login HTTP/1.1\r\n${H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n${H}\r\n`],
    ['both lengths, other order', `POST /api/auth/login HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`],
    ['two different lengths', `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
    ['a list of lengths', `POST / HTTP/1.1\r\n${H}Content-Length: 5, 5\r\n\r\nhello`],
    ['a signed length', `POST / HTTP/1.1\r\n${H}Content-Length: +5\r\n\r\nhello`],
    ['a negative length', `POST / HTTP/1.1\r\n${H}Content-Length: -1\r\n\r\n`],
    ['a hexadecimal length', `POST / HTTP/1.1\r\n${H}Content-Length: 0x5\r\n\r\nhello`],
    ['a length that overflows', `POST / HTTP/1.1\r\n${H}Content-Length: 99999999999999999999999\r\n\r\n`],
    ['space before the colon', `GET / HTTP/1.1\r\nHost : localhost\r\n\r\n`],
    ['a folded header', `GET / HTTP/1.1\r\n${H}X-A: 1\r\n  folded\r\n\r\n`],
    ['chunked twice', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
    ['chunked not last', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ['an obscured chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['a chunk size that overflows', `${CHUNKED}ffffffffffffffffff\r\nx`],
    ['a chunk size that is none', `${CHUNKED}zz\r\nhello\r\n0\r\n\r\n`],
    ['a chunk longer than it said', `${CHUNKED}1\r\nhello\r\n0\r\n\r\n`],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two hosts', `GET / HTTP/1.1\r\n${H}Host: other\r\n\r\n`],
    ['a bare newline', 'GET / HTTP/1.1\nHost: localhost\n\n'],
    ['a control character in a header', `GET / HTTP/1.1\r\n${H}X-A: a\x00b\r\n\r\n`],
    ['a control character in the target', `GET /a\x01b HTTP/1.1\r\n${H}\r\n`],
    ['a space in the target', `GET /a b HTTP/1.1\r\n${H}\r\n`],
    ['a header without a name', `GET / HTTP/1.1\r\n${H}: x\r\n\r\n`],
    ['a method that is none', `G<T / HTTP/1.1\r\n${H}\r\n`],
    ['no protocol', 'GET /\r\n\r\n'],
    ['a broken protocol', `GET / HTTQ/1.1\r\n${H}\r\n`],
    ['TLS on a plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ];
  for (const [title, bytes] of malformed)
    test(`malformed: ${title} is answered 400 and closed`, async () => {
      const r = await s.raw(Buffer.from(bytes, 'latin1'));
      assert.match(r.text, /^HTTP\/1\.[01] (400|501) /, JSON.stringify(r.text.slice(0, 200)));
      assert.equal(r.text.match(/HTTP\/1\.1 \d/g).length, 1, 'one answer, nothing smuggled');
      assert.ok(r.closed, 'the connection is closed');
    });

  test('the old preface and other versions are 505', async () => {
    for (const bytes of ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', `GET / HTTP/3.1\r\n${H}\r\n`])
      assert.match((await s.raw(bytes)).text, /^HTTP\/1\.1 (505|400) /);
  });

  test('too long: target 414, headers 431, body 413 by length and by chunks', async () => {
    assert.match((await s.raw(`GET /${'a'.repeat(9000)} HTTP/1.1\r\n${H}\r\n`)).text, /^HTTP\/1\.1 414 /);
    assert.match((await s.raw(`GET / HTTP/1.1\r\n${H}X: ${'a'.repeat(20000)}\r\n\r\n`)).text, /^HTTP\/1\.1 431 /);
    assert.match((await s.raw(`GET / HTTP/1.1\r\n${H}${'X-A: 1\r\n'.repeat(150)}\r\n`)).text, /^HTTP\/1\.1 431 /);
    const json = 'Content-Type: application/json\r\n';
    for (const path of ['/api/auth/login', '/api/auth/register', '/api/auth/refresh', '/auth/login', '/auth/verify-otp', '/auth/reset-password'])
      assert.match((await s.raw(`POST ${path} HTTP/1.1\r\n${H}${json}Content-Length: 8193\r\n\r\n`)).text, /^HTTP\/1\.1 413 /, path);
    assert.match((await s.raw(`POST /api/auth/login HTTP/1.1\r\n${H}${json}Content-Length: 2000000\r\n\r\n`)).text, /^HTTP\/1\.1 413 /);
    const chunk = `10000\r\n${'a'.repeat(65536)}\r\n`;
    assert.match((await s.raw(`POST /api/auth/login HTTP/1.1\r\n${H}${json}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`)).text, /^HTTP\/1\.1 413 /);
  });

  test('JSON of very many values is refused, whatever its length', async () => {
    const token = (await s.demoUser('demo')).token;
    const body = `{"chef_id":1,"special_requests":[${'1,'.repeat(9_996)}1]}`; // 10,000 values, 20 KB
    const limit = (b) => s.post('/api/coocook/bookings', b, { token });
    assertError(await limit(body), 400);
    const r = await limit(body.replace('[', '[1,'));
    assertError(r, 413);
    assert.match(r.body.error, /more than 10000 values/);
  });

  test('the document tells how long a body may be', async () => {
    const paths = (await s.get('/api/openapi.json')).body.paths;
    assert.equal(paths['/api/auth/login'].post.requestBody.description, 'At most 8 KiB.');
    assert.equal(paths['/api/telegram/webhook/{secret}'].post.requestBody.description, 'At most 64 KiB.');
  });

  test('bodies in gzip are understood within the limit of what is inside', async () => {
    const login = { email: 'demo@softfactory.com', password: 'demo123' };
    const send = (body, coding, path = '/api/auth/login', headers = {}) => s.request('POST', path, { body, headers: { 'Content-Type': 'application/json', ...(coding ? { 'Content-Encoding': coding } : {}), ...headers } });
    const json = JSON.stringify(login), gz = zlib.gzipSync(json);
    for (const [body, coding] of [[gz, 'gzip'], [gz, 'x-gzip'], [gz, 'GZIP'], [json, 'identity'], [Buffer.concat([zlib.gzipSync(json.slice(0, 10)), zlib.gzipSync(json.slice(10))]), 'gzip']]) {
      const r = await send(body, coding);
      assert.equal(r.status, 200, `${coding}: ${r.text}`);
      assert.equal(r.body.user.email, login.email);
    }
    const chunked = [...gz].map((b) => Buffer.concat([Buffer.from('1\r\n'), Buffer.from([b]), Buffer.from('\r\n')]));
    assert.match((await s.raw(Buffer.concat([Buffer.from(`${CHUNKED.replace(/\r\n\r\n$/, '\r\n')}Content-Encoding: gzip\r\nConnection: close\r\n\r\n`), ...chunked, Buffer.from('0\r\n\r\n')]))).text, /^HTTP\/1\.1 200 /);
    for (const [body, coding] of [[zlib.deflateSync(json), 'deflate'], [zlib.brotliCompressSync(json), 'br'], [zlib.gzipSync(gz), 'gzip, gzip'], [json, 'zstd']]) {
      const r = await send(body, coding);
      assertError(r, 415);
      assert.equal(r.headers['accept-encoding'], 'gzip', coding);
    }
    assert.equal((await send('a=b', undefined, '/api/auth/login', { 'Content-Type': 'text/plain' })).headers['accept-encoding'], undefined, 'the type is another matter');
    const bad = Buffer.from(gz);
    bad[20] ^= 0x10;
    for (const body of [json, gz.subarray(0, gz.length - 1), gz.subarray(0, 15), bad, Buffer.concat([gz, Buffer.from('x')]), zlib.gzipSync(`${json}}`), zlib.gzipSync('')]) assertError(await send(body, 'gzip'), 400);
    const padded = (n) => zlib.gzipSync(json + ' '.repeat(n - json.length));
    assert.equal((await send(padded(8192), 'gzip')).status, 200);
    assertError(await send(padded(8193), 'gzip'), 413);
    assertError(await send(zlib.gzipSync(Buffer.alloc(5_000_000)), 'gzip'), 413); // 5 KB on the way
    const token = (await s.demoUser('demo')).token;
    const missing = await send(zlib.gzipSync('{}'), 'gzip', '/api/coocook/bookings', { Authorization: `Bearer ${token}` });
    assert.ok(missing.body.fields.chef_id, missing.text);
  });

  test('keep-alive, pipelining in order, HTTP/1.0, Connection: close', async () => {
    const one = `GET /health HTTP/1.1\r\n${H}\r\n`;
    const n = (t) => (t.match(/HTTP\/1\.1 200 /g) ?? []).length;
    const r = await s.raw(one.repeat(50), { done: (t) => n(t) === 50 && t.endsWith('{"status":"ok"}') });
    assert.equal(n(r.text), 50);
    const mixed = await s.raw(`${one}GET /nowhere HTTP/1.1\r\n${H}\r\n${one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`);
    assert.deepEqual(mixed.text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
    assert.ok(mixed.closed);
    const old = await s.raw('GET /health HTTP/1.0\r\n\r\n');
    assert.match(old.text, /^HTTP\/1\.[01] 200 /);
    assert.ok(old.closed);
  });

  test('chunked bodies and 100-continue', async () => {
    const body = '{"email":"x@y.zz","password":"nope nope"}';
    const head = `POST /api/auth/login HTTP/1.1\r\n${H}Content-Type: application/json\r\nConnection: close\r\n`;
    const chunks = [...body].map((c) => `1\r\n${c}\r\n`).join('');
    assert.match((await s.raw(`${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\nX-Trailer: 1\r\n\r\n`)).text, /^HTTP\/1\.1 401 /);
    const waits = await s.raw(`${head}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`, {
      reply: (text, socket) => text.endsWith('100 Continue\r\n\r\n') && socket.write(body) });
    assert.match(waits.text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 401 /);
    assert.doesNotMatch((await s.raw(`${head}Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n`)).text, /100 Continue/);
  });

  test('404, 405 with Allow, 415', async () => {
    assertError(await s.get('/api/nowhere'), 404);
    const r = await s.delete('/api/auth/login');
    assertError(r, 405);
    assert.match(r.headers.allow, /POST/);
    assertError(await s.request('POST', '/api/auth/login', { body: 'email=x', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }), 415);
    assertError(await s.request('POST', '/api/auth/login', { body: '{}', json: false }), 415);
    assert.equal((await s.request('POST', '/api/auth/login', { body: '{}', headers: { 'Content-Type': 'application/json; charset=utf-8' } })).status, 400);
  });

  test('ids are made, kept when valid, and never echoed when hostile', async () => {
    const a = await s.get('/health');
    assert.ok(a.headers['x-request-id']);
    assert.match(a.headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    const kept = await s.get('/api/nowhere', { headers: { 'X-Request-Id': 'my-id-1' } });
    assert.equal(kept.headers['x-request-id'], 'my-id-1');
    assert.equal(kept.body.request_id, 'my-id-1');
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    assert.ok((await s.get('/health', { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } })).headers.traceparent.includes(trace));
    const bad = await s.get('/health', { headers: { 'X-Request-Id': 'x'.repeat(500), traceparent: 'nonsense' } });
    assert.ok(bad.headers['x-request-id'].length <= 128);
    assert.match(bad.headers.traceparent, /^00-[0-9a-f]{32}-/);
  });

  test('answers over 1 KiB are compressed as asked, and vary', async () => {
    const path = '/api/coocook/chefs';
    const plain = await s.get(path);
    assert.equal(plain.headers['content-encoding'], undefined);
    assert.ok(plain.raw.length > 1024);
    for (const [accept, name, open] of [['gzip', 'gzip', zlib.gunzipSync], ['br', 'br', zlib.brotliDecompressSync], ['gzip;q=0.5, br', 'br', zlib.brotliDecompressSync], ['br;q=0, gzip', 'gzip', zlib.gunzipSync]]) {
      const r = await s.get(path, { headers: { 'Accept-Encoding': accept } });
      assert.equal(r.headers['content-encoding'], name, accept);
      assert.match(r.headers.vary, /Accept-Encoding/i);
      assert.equal(open(r.raw).toString(), plain.text);
      assert.equal((await s.get(path, { headers: { 'Accept-Encoding': accept, 'If-None-Match': r.headers.etag } })).status, 304);
    }
    assert.equal((await s.get(path, { headers: { 'Accept-Encoding': 'identity, gzip;q=0' } })).headers['content-encoding'], undefined);
    assert.equal((await s.get('/health', { headers: { 'Accept-Encoding': 'gzip' } })).headers['content-encoding'], undefined);
  });

  /** GET routes of the document with what a path needs, and some files. */
  const readable = async () => {
    const doc = (await s.get('/api/openapi.json')).body;
    const routes = Object.entries(doc.paths).filter(([, item]) => item.get).map(([path, item]) => {
      const needs = (item.get.parameters ?? []).filter((p) => p.in === 'query' && p.required);
      const values = { q: 'chef', from: '2026-12-01', to: '2026-12-03' };
      return path.replace(/\{[^}]*\}/g, '1') + needs.map((p, i) => `${i ? '&' : '?'}${p.name}=${values[p.name] ?? 1}`).join('');
    });
    assert.ok(routes.length > 25);
    return [...routes, '/', '/sub/page', '/app.0123abcd.js', '/plain.txt', '/no/such/page'];
  };
  const ACCEPTS = [undefined, 'identity', 'gzip', 'br', 'gzip, br;q=0.5', 'gzip;q=0, *'];
  const accepting = (accept, more) => ({ headers: { ...(accept ? { 'Accept-Encoding': accept } : {}), ...more } });

  test('a 304 carries what its 200 does, and no two forms share a strong ETag: every route, every encoding', async () => {
    const kept = ['etag', 'vary', 'cache-control', 'content-location', 'expires', 'access-control-allow-origin'];
    const seen = { etags: 0, weak: 0, strong: 0 };
    for (const path of await readable()) {
      const forms = new Map();
      for (const accept of ACCEPTS) {
        const o = { Origin: 'https://app.example.com' };
        const full = await s.get(path, accepting(accept, o)), { etag } = full.headers;
        if (full.status !== 200 || !etag || (await s.get(path, accepting(accept, o))).headers.etag !== etag) continue; // nothing to renew, or figures of the moment
        if (full.headers['content-encoding']) assert.match(full.headers.vary, /Accept-Encoding/);
        seen.etags++;
        seen[etag.startsWith('W/') ? 'weak' : 'strong']++;
        for (const method of ['GET', 'HEAD']) {
          const none = await s.request(method, path, accepting(accept, { ...o, 'If-None-Match': etag }));
          const what = `${method} ${path} in ${accept}`;
          assert.equal(none.status, 304, what);
          for (const name of kept) assert.equal(none.headers[name], full.headers[name], `${name} of ${what}`);
          assert.ok(none.headers.date, what);
          for (const name of ['content-type', 'content-encoding', 'content-length', 'transfer-encoding']) assert.equal(none.headers[name], undefined, `${name} of ${what}`);
        }
        const bytes = full.raw.toString('base64');
        if (!etag.startsWith('W/')) {
          assert.equal(forms.get(etag) ?? bytes, bytes, `${etag} of ${path} names two forms`);
          forms.set(etag, bytes);
        }
      }
    }
    assert.ok(seen.weak > 20 && seen.strong > 20, JSON.stringify(seen));
  });

  test('HEAD answers as GET on every route', async () => {
    const token = (await s.demoUser('admin')).token;
    const own = new Set(['date', 'x-request-id', 'traceparent']); // of each answer
    let asked = 0;
    for (const path of await readable()) for (const accept of [undefined, 'gzip']) for (const who of [{}, { Authorization: `Bearer ${token}` }]) {
      const o = accepting(accept, who);
      const [a, head, b] = [await s.get(path, o), await s.head(path, o), await s.get(path, o)];
      const what = `${path} in ${accept} as ${who.Authorization ? 'administrator' : 'nobody'}`;
      assert.equal(head.status, a.status, what);
      assert.equal(head.raw.length, 0, what);
      const names = (r) => Object.keys(r.headers).sort().join();
      assert.equal(names(head), names(a), what);
      // what differs from one GET to the next is not compared, nor the length of figures, which changes to and fro
      const volatile = new Set(path === '/metrics' ? [...own, 'content-length'] : own);
      for (const name of Object.keys(a.headers)) if (!volatile.has(name) && a.headers[name] === b.headers[name]) assert.equal(head.headers[name], a.headers[name], `${name} of ${what}`);
      asked++;
    }
    assert.ok(asked > 100);
  });

  test('CORS: listed origins only', async () => {
    const origin = 'https://app.example.com';
    const pre = await s.request('OPTIONS', '/api/coocook/bookings', { headers: { Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization, content-type' } });
    assert.ok([200, 204].includes(pre.status));
    assert.equal(pre.headers['access-control-allow-origin'], origin);
    assert.match(pre.headers['access-control-allow-methods'], /POST/);
    assert.match(pre.headers['access-control-allow-headers'], /authorization/i);
    assert.match(pre.headers['access-control-allow-headers'], /content-encoding/i);
    const r = await s.get('/api/coocook/chefs', { headers: { Origin: origin } });
    assert.equal(r.headers['access-control-allow-origin'], origin);
    assert.match(r.headers.vary, /Origin/i);
    const other = await s.get('/api/coocook/chefs', { headers: { Origin: 'https://evil.example.com' } });
    assert.equal(other.headers['access-control-allow-origin'], undefined);
  });

  test('static files: types, ETag, ranges, precompressed, caching, pages', async () => {
    const index = await s.get('/');
    assert.match(index.headers['content-type'], /^text\/html; charset=utf-8/);
    assert.match(index.headers['content-security-policy'], /default-src 'self'/);
    assert.equal(index.headers['x-content-type-options'], 'nosniff');
    const js = await s.get('/app.0123abcd.js', { headers: { 'Accept-Encoding': 'br, gzip' } });
    assert.equal(js.headers['content-encoding'], 'br');
    assert.match(js.headers['cache-control'], /max-age=31536000.*immutable/);
    assert.match(zlib.brotliDecompressSync(js.raw).toString(), /^export const big/);
    assert.equal((await s.get('/app.0123abcd.js', { headers: { 'If-None-Match': js.headers.etag, 'Accept-Encoding': 'br' } })).status, 304);
    const part = await s.get('/plain.txt', { headers: { Range: 'bytes=10-19' } });
    assert.equal(part.status, 206);
    assert.equal(part.text, '0123456789');
    assert.equal(part.headers['content-range'], 'bytes 10-19/1000');
    assert.equal((await s.get('/plain.txt', { headers: { Range: 'bytes=-3' } })).text, '789');
    assert.equal((await s.get('/plain.txt', { headers: { Range: 'bytes=5000-' } })).status, 416);
    assert.equal((await s.get('/sub/page')).text, '<p>sub</p>');
    const lost = await s.get('/no/such/page');
    assert.equal(lost.status, 404);
    assert.match(lost.text, /nothing here/);
  });

  test('a page takes GET and HEAD: OPTIONS says so, anything else is 405 with Allow', async () => {
    for (const path of ['/docs', '/plain.txt', '/sub/page', '/']) {
      const options = await s.request('OPTIONS', path);
      assert.deepEqual([options.status, options.headers.allow], [204, 'GET, HEAD, OPTIONS'], path);
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
        const r = await s.request(method, path);
        assertError(r, 405);
        assert.equal(r.headers.allow, 'GET, HEAD, OPTIONS', `${method} ${path}`);
      }
    }
    for (const method of ['OPTIONS', 'POST']) assertError(await s.request(method, '/no/such/page'), 404);
  });

  test('no path leaves the folder, no hidden file is served', async () => {
    for (const path of ['/../../etc/passwd', '/..%2f..%2fetc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/sub/../../etc/passwd', '//etc/passwd', '/sub/%2e%2e/.secret', '/.secret', '/%2esecret', '/..\\..\\etc\\passwd', '/sub/..%5c..%5cetc', '/plain.txt%00.html', '/%c0%ae%c0%ae/etc/passwd']) {
      const r = await s.raw(`GET ${path} HTTP/1.1\r\n${H}Connection: close\r\n\r\n`);
      assert.match(r.text, /^HTTP\/1\.1 (404|400) /, path);
      assert.doesNotMatch(r.text, /root:|secret/, path);
    }
  });

  describe('limits', () => {
    let t;
    before(async () => {
      t = await Server.start({ env: { RATE_LIMIT_AUTH: '5', RATE_LIMIT_API: '50', RATE_LIMIT_WRITES: '9', WEB_DIR: web.path } });
    });
    after(() => t?.stop());
    const agents = [];
    after(() => agents.forEach((a) => a.destroy()));
    /** Asks from an address of this machine that no other test uses. */
    const from = (last) => {
      const agent = new http.Agent({ keepAlive: true, localAddress: `127.0.0.${last}` });
      agents.push(agent);
      return { agent };
    };
    /** Counts are of a minute by the clock: a test begins where its requests will lie in one. */
    beforeEach(() => until(() => Date.now() % 60_000 < 48_000, { what: 'the next minute', ms: 15_000 }));
    const left = (r) => [r.headers['ratelimit-limit'], r.headers['ratelimit-remaining']].map(Number);

    test('answer 429 with headers and spare /health', async () => {
      const codes = [], me = from(10);
      for (let i = 0; i < 8; i++) codes.push(await t.post('/api/auth/login', { email: 'a@b.cc', password: 'xxxxxxxx' }, me));
      assert.equal(codes.filter((r) => r.status === 401).length, 5);
      const limited = codes.at(-1);
      assertError(limited, 429);
      assert.ok(Number(limited.headers['retry-after']) >= 1);
      assert.deepEqual(left(limited), [5, 0]);
      assert.ok(codes[0].headers['ratelimit-reset']);
      const forged = await t.post('/api/auth/login', { email: 'a@b.cc', password: 'xxxxxxxx' }, { ...me, headers: { 'X-Forwarded-For': '9.9.9.9' } });
      assert.equal(forged.status, 429, 'a forged address does not help');
      for (let i = 0; i < 100; i++) assert.equal((await t.get('/health', me)).status, 200);
    });

    test('hold for what no route takes, too, and it is counted in one series', async () => {
      const series = (text) => text.split('\n').filter((l) => l.startsWith('http_requests_total{') || l.startsWith('http_request_duration_seconds_count{'));
      const endpoints = (text) => new Set(series(text).map((l) => /endpoint="([^"]*)"/.exec(l)[1]));
      const unmatched = (text, status) => Number(new RegExp(`^http_requests_total\\{method="",endpoint="unmatched",status="${status}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
      const me = from(11), before = (await t.get('/metrics', me)).text;
      const kinds = [
        (i) => t.get(`/api/${i}/${Math.random()}`, me), (i) => t.post(`/auth/none${i}`, {}, me), () => t.delete('/api/coocook/search', me),
        () => t.request('POST', '/api/auth/login', { ...me, body: 'a=b', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
      ];
      const statuses = [404, 404, 405, 415], answers = [];
      for (let i = 0; i < 60; i++) answers.push(await kinds[i % 3](i));
      answers.forEach((r, i) => {
        assertError(r, i < 50 ? statuses[i % 3] : 429);
        assert.deepEqual(left(r), [50, Math.max(0, 49 - i)], `the ${i + 1}th`);
      });
      assert.equal((await t.get('/api/coocook/cuisines', me)).status, 429, 'they count as requests of the API');
      const type = [];
      for (let i = 0; i < 7; i++) type.push((await kinds[3]()).status);
      assert.deepEqual(type, [415, 415, 415, 415, 415, 429, 429], 'as those of the route, where there is one');
      const raw = [];
      for (let i = 0; i < 52; i++) raw.push(await t.raw('GET / HTTP/1.1\r\n\r\n', { from: '127.0.0.12' }));
      assert.match(raw[0].text, /^HTTP\/1\.1 400 [^]*\r\nRateLimit-Remaining: 49\r\n/);
      assert.match(raw[51].text, /^HTTP\/1\.1 429 [^]*\r\nRetry-After: /);
      for (let i = 0; i < 60; i++) assert.equal((await t.get(i % 2 ? '/plain.txt' : '/no/such/page', me)).status, i % 2 ? 200 : 404, 'files are not limited');
      await until(async () => unmatched((await t.get('/metrics', me)).text, 429) - unmatched(before, 429) === 12, { what: 'the counters' });
      const now = (await t.get('/metrics', me)).text;
      assert.equal(unmatched(now, 404) - unmatched(before, 404), 34 + 30);
      assert.equal(unmatched(now, 405) - unmatched(before, 405), 16);
      assert.equal(unmatched(now, 400) - unmatched(before, 400), 50);
      const { paths } = (await s.get('/api/openapi.json')).body;
      assert.deepEqual([...endpoints(now)].filter((e) => !paths[e.replace(/:text\}/g, '}')]), ['unmatched'], 'labels are those of routes');
    });

    test('a change of name is a write, one of the password a sign-in as well; signing out is a write', async () => {
      const me = from(13);
      const { body } = await t.post('/api/auth/register', { email: 'me@example.com', password: 'correct horse', name: 'Me' }, me);
      const o = { ...me, token: body.access_token };
      assert.deepEqual(left(await t.put('/api/auth/me', { name: 'You' }, o)), [9, 8]);
      assert.deepEqual(left(await t.put('/api/auth/me', { name: 'I' }, o)), [9, 7]);
      for (let i = 0; i < 4; i++) {
        const r = await t.put('/api/auth/me', { password: 'another horse', current_password: 'wrong horse' }, o);
        assertError(r, 400);
        assert.deepEqual(left(r), [5, 3 - i]);
      }
      assertError(await t.put('/api/auth/me', { password: 'another horse', current_password: 'correct horse' }, o), 429);
      assert.equal((await t.post('/api/auth/login', { email: 'me@example.com', password: 'correct horse' }, me)).status, 429);
      assert.deepEqual(left(await t.put('/api/auth/me', { name: 'Me' }, o)), [9, 1], 'each was a write, too');
      assert.equal((await t.post('/api/auth/logout', undefined, o)).status, 200, 'whoever may not sign in may still sign out');
    });
  });
});
