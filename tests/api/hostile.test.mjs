// Hostile input to every route of the document: no 5xx, no crash, an error body that a program can read.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { assertError } from '../lib/contract.mjs';

const SQL = ["'; DROP TABLE users; --", '" OR ""="', "1); DELETE FROM chefs; --", "\\'; SELECT pg_sleep(10); --", '%27%20OR%201=1', '$1', ':id', '?1', '{"$gt":""}', '한글\u202e\u0000'];

onEachEngine(describe, after, 'hostile input', (engine) => {
  let s, doc, token, before1;
  before(async () => {
    s = await Server.start({ engine, demo: true });
    doc = (await s.get('/api/openapi.json')).body;
    token = (await s.demoUser('admin')).token;
    before1 = await pids();
  });
  after(() => s?.stop());
  const pids = async () => (await s.get('/api/infrastructure/processes', { token })).body.processes.map((p) => p.pid).sort();

  const operations = () => Object.entries(doc.paths).flatMap(([path, item]) => Object.entries(item)
    .filter(([m]) => ['get', 'post', 'put', 'delete'].includes(m)).map(([method, op]) => ({ path, method: method.toUpperCase(), op })))
    .filter((o) => !/logout/.test(o.path));
  const fill = (path, value) => path.replace(/\{[^}]+\}/g, encodeURIComponent(value));
  const sane = (r, what) => {
    assert.ok(r.status < 500, `${what}: ${r.status} ${r.text.slice(0, 300)}`);
    if (r.status >= 400 && /json/.test(r.headers['content-type'] ?? '')) assertError(r, r.status);
  };

  test('bodies of wrong types, in every body field', async () => {
    const values = [null, true, 0, -1, 1.5, 1e308, 9007199254740993, '', 'x', [], [1], {}, { a: 1 }, 'x'.repeat(20_000), ...SQL];
    for (const { path, method, op } of operations()) {
      const schema = op.requestBody?.content?.['application/json']?.schema;
      if (!schema?.properties) continue;
      for (const field of Object.keys(schema.properties)) {
        const answers = await Promise.all(values.map((v) => s.request(method, fill(path, '1'), { token, body: { [field]: v } })));
        answers.forEach((r, i) => sane(r, `${method} ${path} {${field}: ${JSON.stringify(values[i])?.slice(0, 40)}}`));
      }
      for (const v of values) {
        const r = await s.request(method, fill(path, '1'), { token, body: Buffer.from(JSON.stringify(v)), headers: { 'Content-Type': 'application/json' } });
        sane(r, `${method} ${path} body ${JSON.stringify(v)?.slice(0, 40)}`);
      }
    }
  });

  test('texts that are no JSON', async () => {
    const bodies = ['', '{', '{"a":}', '[1,]', '{"a":1,"a":2}', '{"email":"\\ud800"}', '\ufeff{}', '{"a":1}x', 'nul', '{"a":01}', "{'a':1}", '{"a":"\u0000"}',
      Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), '['.repeat(100_000), '{"a":'.repeat(50_000), Buffer.alloc(1_000_000, 'A'), `{"x":"${'y'.repeat(900_000)}"}`, `[${'1,'.repeat(400_000)}1]`, '{"a":1e999999}', `{"a":${'9'.repeat(5000)}}`];
    for (const { path, method, op } of operations()) {
      if (!op.requestBody) continue;
      for (const b of bodies) {
        const r = await s.request(method, fill(path, '1'), { token, body: b, headers: { 'Content-Type': 'application/json' } });
        sane(r, `${method} ${path} ${String(b).slice(0, 30)}`);
        if (!Buffer.isBuffer(b) ? !b.startsWith('{"x"') : b[0] !== 0x41) assert.equal(r.status >= 400, true, `${method} ${path} took ${String(b).slice(0, 30)}: ${r.status}`);
      }
    }
  });

  test('paths and queries', async () => {
    const values = ['0', '-1', '1.5', '99999999999999999999', 'abc', '..', '%2e%2e', '%00', '%', '%zz', '%ff%fe', 'a'.repeat(3000), ...SQL.map(encodeURIComponent)];
    for (const { path, method, op } of operations()) {
      if (path.includes('{')) for (const v of values) {
        const r = await s.request(method, path.replace(/\{[^}]+\}/g, v), { token, ...(op.requestBody ? { body: {} } : {}) });
        sane(r, `${method} ${path} ${v.slice(0, 30)}`);
        assert.ok(r.status >= 400, `${method} ${path} took ${v.slice(0, 30)}`);
      }
      for (const p of (op.parameters ?? []).filter((x) => x.in === 'query')) {
        const answers = await Promise.all([...values, '', ...SQL.map(encodeURIComponent)].map((v) => s.request(method, `${fill(path, '1')}?${p.name}=${v}`, { token })));
        answers.forEach((r) => sane(r, `${method} ${path}?${p.name}=`));
      }
    }
  });

  test('a text of one line takes no control character, and the document says which have several', async () => {
    const lines = ['A\r\nBcc: x', 'A\n', 'A\n\nB', 'A\tB'];
    const never = ['\rA', 'A\u001b[2J', 'A\u007f', 'A\u0085B', 'A\u009f', 'A\u2028B', 'A\u2029B', 'A\u202eB', 'A\u2066B'];
    const several = new Set();
    let fields = 0;
    const check = async (what, name, schema, send) => {
      const text = schema.items ?? schema;
      if (text.type !== 'string' || text.enum || /^date/.test(text.format ?? '')) return;
      const pattern = new RegExp(text.pattern);
      const multiline = pattern.test(lines[0]);
      if (multiline) several.add(name);
      fields++;
      const own = !text.pattern.includes('u007f'); // a time zone, a date: its form leaves no room for them
      for (const v of [...lines, ...never]) {
        const taken = multiline && lines.includes(v);
        assert.equal(pattern.test(v), taken, `${what}: the pattern of ${name} on ${JSON.stringify(v)}`);
        const r = await send(schema.items ? [v] : v);
        const said = (own ? /./ : /control characters$/).test(r.body?.fields?.[name] ?? '');
        assert.ok(said === !taken && (taken || r.status === 400), `${what} ${name} ${JSON.stringify(v)}: ${r.status} ${r.text.slice(0, 300)}`);
      }
    };
    for (const { path, method, op } of operations()) {
      for (const [name, schema] of Object.entries(op.requestBody?.content?.['application/json']?.schema?.properties ?? {}))
        await check(`${method} ${path}`, name, schema, (v) => s.request(method, fill(path, '1'), { token, body: { [name]: v } }));
      for (const { name, schema } of (op.parameters ?? []).filter((p) => p.in === 'query'))
        await check(`${method} ${path}`, name, schema, (v) => s.request(method, `${fill(path, '1')}?${name}=${encodeURIComponent(v)}`, { token }));
    }
    assert.ok(fields >= 25, `${fields} fields`);
    assert.deepEqual([...several].sort(), ['bio', 'comment', 'current_password', 'password', 'special_requests'], 'a password is compared with an older one');
  });

  test('afterwards the same processes serve, and the data is there', async () => {
    assert.deepEqual(await pids(), before1, 'no worker died');
    assert.ok((await s.get('/api/coocook/chefs')).body.total >= 70);
    assert.ok((await s.get('/api/platform/admin/users', { token })).body.total >= 3);
    assert.equal(s.logs().filter((l) => l.level === 'error').length, 0, JSON.stringify(s.logs().filter((l) => l.level === 'error')[0]));
  });
});
