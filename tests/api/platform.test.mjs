// Health, products, dashboard, administration of users, and the demo account.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ENGINES, Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';

const SLUGS = ['ai-automation', 'coocook', 'experience', 'review', 'sns-auto', 'webapp-builder'];

onEachEngine(describe, after, 'platform', (engine) => {
  let s, doc, admin, demo;
  before(async () => {
    s = await Server.start({ engine, demo: true });
    doc = (await s.get('/api/openapi.json')).body;
    admin = await s.demoUser('admin');
    demo = await s.demoUser('demo');
  });
  after(() => s?.stop());
  const call = async (method, path, options) => {
    const a = await s.request(method, path, options);
    assertDocumented(doc, method, path, a);
    return a;
  };

  test('health, ready and infrastructure', async () => {
    assert.deepEqual((await call('GET', '/health')).body, { status: 'ok' });
    const ready = await call('GET', '/ready');
    assert.equal(ready.status, 200);
    assert.equal(ready.body.checks.database, 'ok');
    const infra = (await call('GET', '/api/infrastructure/health')).body;
    assert.equal(infra.overall_status, 'healthy');
    assert.equal(infra.database_status, 'healthy');
    assertError(await call('GET', '/api/infrastructure/processes', { token: demo.token }), 403);
    const processes = (await call('GET', '/api/infrastructure/processes', { token: admin.token })).body;
    assert.equal(processes.total_count, processes.processes.length);
    assert.ok(processes.processes.filter((p) => p.name.startsWith('worker')).length >= 2);
    for (const p of processes.processes) process.kill(p.pid, 0);
  });

  test('products and plans are public and cacheable', async () => {
    const r = await call('GET', '/api/platform/products');
    assert.deepEqual(r.body.map((p) => p.slug).sort(), SLUGS);
    for (const p of r.body) assert.ok(Number.isInteger(p.monthly_price) && p.currency === 'KRW' && p.is_active === true);
    assert.match(r.headers['cache-control'], /^public, max-age=3600, stale-while-revalidate=\d+$/);
    const again = await s.get('/api/platform/products', { headers: { 'If-None-Match': r.headers.etag } });
    assert.equal(again.status, 304);
    assert.equal(again.text, '');
    assert.deepEqual((await call('GET', '/api/payment/plans')).body.map((p) => p.slug).sort(), SLUGS);
  });

  test('the dashboard shows each product and whether it is subscribed', async () => {
    const mine = (await call('GET', '/api/platform/dashboard', { token: demo.token })).body;
    assert.equal(mine.user.email, 'demo@softfactory.com');
    assert.equal(mine.subscription_count, 6);
    assert.ok(mine.products.every((p) => p.subscribed && p.subscription));
    const fresh = await s.user();
    const theirs = (await call('GET', '/api/platform/dashboard', { token: fresh.token })).body;
    assert.deepEqual(theirs.products.filter((p) => p.subscribed).map((p) => p.slug), ['coocook'], 'in demo mode who joins can book');
    assertError(await call('GET', '/api/platform/dashboard'), 401);
  });

  test('demo_token is user 1 with every subscription', async () => {
    const me = await call('GET', '/api/auth/me', { token: 'demo_token' });
    assert.equal(me.body.id, 1);
    assert.equal((await call('GET', '/api/coocook/bookings', { token: 'demo_token' })).status, 200);
    assertError(await call('GET', '/api/platform/admin/users', { token: 'demo_token' }), 403);
  });

  test('administration of users: list, search, paging bounds', async () => {
    const list = (query = '', token = admin.token) => call('GET', `/api/platform/admin/users${query}`, { token });
    assertError(await list('', null), 401);
    assertError(await list('', demo.token), 403);
    const u = await s.user({ name: '홍길동 검색' });
    const found = (await list(`?q=${encodeURIComponent('홍길동')}`)).body;
    assert.ok(found.users.some((x) => x.id === u.id));
    assert.ok(found.users.every((x) => !('password_hash' in x)));
    assert.equal((await list(`?q=${u.email}`)).body.total, 1);
    assert.equal((await list('?q=100%25_nobody')).body.total, 0, 'wildcards are text');
    for (const q of ['page=0', 'page=-1', 'page=x', 'per_page=0', 'per_page=101', 'page=1.5', 'page=99999999999999999999'])
      assertError(await list(`?${q}`), 400, { field: q.split('=')[0] });
    const past = (await list('?page=1000')).body;
    assert.deepEqual(past.users, []);
    assert.ok(past.total >= 4);
  });

  test('an admin changes role and activity, and the user feels it at once', async () => {
    const u = await s.user();
    const change = (id, body) => call('PUT', `/api/platform/admin/users/${id}`, { token: admin.token, body });
    assert.equal((await change(u.id, { is_active: false })).status, 200);
    assert.equal((await s.get('/api/auth/me', { token: u.token })).status, 401);
    assertError(await call('POST', '/api/auth/login', { body: { email: u.email, password: u.password } }), 403);
    assert.equal((await change(u.id, { is_active: true, role: 'admin' })).status, 200);
    const again = await s.login(u.email, u.password);
    assert.equal((await s.get('/api/platform/admin/users', { token: again.token })).status, 200);
    await change(u.id, { role: 'user' });
    assert.equal((await s.get('/api/platform/admin/users', { token: again.token })).status, 401);
    assertError(await change(u.id, { role: 'king' }), 400, { field: 'role' });
    assertError(await change(999999, { role: 'user' }), 404);
    assertError(await change(admin.id, { is_active: false }), 409);
  });

  // The hash takes its time, and in a crowd much more: what was true when it began is looked at again when tokens are made.
  for (const [title, before, during] of [
    ['deactivated', null, { is_active: false }],
    ['demoted', { role: 'admin' }, { role: 'user' }],
  ])
    test(`a sign-in under way when its user is ${title} lets nobody in`, async () => {
      const u = await s.user();
      const change = (body) => call('PUT', `/api/platform/admin/users/${u.id}`, { token: admin.token, body });
      if (before) assert.equal((await change(before)).status, 200);
      const body = { email: u.email, password: u.password };
      const all = Array.from({ length: 12 }, (_, i) => s.post(i % 2 ? '/api/auth/login' : '/auth/login', body));
      await Promise.race(all); // the others are in the line
      assert.equal((await change(during)).status, 200);
      const answers = await Promise.all(all);
      assert.ok(answers.some((a) => a.status === 401), answers.map((a) => a.status).join());
      for (const a of answers) {
        assert.ok([200, 401, 403].includes(a.status), `${a.status}`);
        if (a.status !== 200) continue;
        assert.equal((await s.get('/api/auth/me', { token: a.body.access_token })).status, 401);
        assert.equal((await s.post('/api/auth/refresh', { refresh_token: a.body.refresh_token })).status, 401);
        const cookie = a.headers['set-cookie']?.map((c) => c.split(';')[0]).join('; ');
        if (cookie) assert.equal((await s.get('/api/auth/me', { cookie })).status, 401);
      }
    });

  test('of administrators who take each other\'s rights at once one stays', async () => {
    const change = (id, token, body) => s.put(`/api/platform/admin/users/${id}`, body, { token, agent: false });
    const people = [];
    for (let i = 0; i < 3; i++) people.push(await s.user());
    for (let round = 0; round < 6; round++) {
      for (const p of people) assert.equal((await change(p.id, admin.token, { role: 'admin', is_active: true })).status, 200);
      const all = await Promise.all(people.map((p) => s.login(p.email, p.password)));
      // each demotes or shuts out each other one, and none of them the demo's administrator
      const answers = await Promise.all(all.flatMap((a) => all.filter((b) => b !== a).map((b) => change(b.id, a.token, round % 2 ? { role: 'user' } : { is_active: false }))));
      assert.ok(answers.every((a) => [200, 401, 403].includes(a.status)), answers.map((a) => a.status).join());
      const still = await Promise.all(all.map((a) => s.get('/api/platform/admin/users', { token: a.token })));
      assert.equal(still.filter((a) => a.status === 200).length, 1, still.map((a) => a.status).join());
    }
    for (const p of people) await change(p.id, admin.token, { role: 'user' });
  });

  test('of two changes of a password at once one stands, and no sign-in with the old one survives it', async () => {
    const u = await s.user();
    const [mine, other] = [await s.login(u.email, u.password), await s.login(u.email, u.password)];
    const put = (token, password) => s.put('/api/auth/me', { password, current_password: u.password }, { token });
    const puts = [put(mine.token, 'the first one'), put(other.token, 'the second one')];
    const logins = Array.from({ length: 8 }, () => s.post('/api/auth/login', { email: u.email, password: u.password }));
    const [a, b] = await Promise.all(puts);
    assert.deepEqual([a.status, b.status].sort(), [200, 401]);
    for (const l of await Promise.all(logins)) if (l.status === 200) assert.equal((await s.get('/api/auth/me', { token: l.body.access_token })).status, 401);
    for (const [r, password] of [[a, 'the first one'], [b, 'the second one']]) assert.equal((await s.post('/api/auth/login', { email: u.email, password })).status, r.status);
  });

  test('who joins the demo can book, and sees the subscription', async () => {
    const u = await s.user();
    assert.equal((await call('GET', '/api/coocook/bookings', { token: u.token })).status, 200);
    assert.deepEqual((await call('GET', '/api/payment/subscriptions', { token: u.token })).body.map((x) => x.product_slug), ['coocook']);
    assert.equal((await call('GET', '/api/coocook/bookings', { token: demo.token })).status, 200);
    assert.equal((await call('GET', '/api/payment/subscriptions', { token: demo.token })).status, 200);
  });

  test('the document is of version 3.1 and the metrics name the routes', async () => {
    assert.equal(doc.openapi.slice(0, 3), '3.1');
    const m = await s.get('/metrics');
    assert.equal(m.status, 200);
    assert.match(m.text, /^http_requests_total\{method="POST",endpoint="\/api\/auth\/login",status="200"\} [1-9]\d*$/m);
    for (const [, status] of m.text.matchAll(/^http_requests_total\{.*status="([^"]*)"\} \d+$/gm)) assert.match(status, /^[2-5]\d\d$/, 'the code itself');
    assert.doesNotMatch(m.text, /^http_requests_total\{.*\} 0$/m, 'codes that occurred');
    assert.match(m.text, /^http_request_duration_seconds_bucket\{/m);
    assert.match(m.text, /^db_connections_open/m);
  });
});

test('the metrics page is what Prometheus asks of one', async () => {
  const s = await Server.start({ demo: true });
  try {
    await s.demoUser('admin'); // some of each: requests, statements, jobs
    const check = spawnSync('promtool', ['check', 'metrics'], { input: (await s.get('/metrics')).text, encoding: 'utf8' });
    assert.deepEqual([check.status, check.stdout, check.stderr], [0, '', '']);
  } finally {
    await s.stop();
  }
});

test('what one host revokes the other refuses within a second', { skip: !ENGINES.includes('postgres') }, async () => {
  const a = await Server.start({ engine: 'postgres', demo: true });
  const b = await Server.start({ engine: 'postgres', database: a.database.url });
  try {
    const admin = await a.demoUser('admin');
    const ways = {
      'signing out': (u) => a.post('/api/auth/logout', undefined, { token: u.token }),
      'another password': (u) => a.put('/api/auth/me', { password: 'another one', current_password: u.password }, { token: u.token }),
      'signing out everywhere': (u) => a.post('/api/auth/logout-all', undefined, { token: u.token }),
      'the end of one sign-in': async (u) => {
        const { token } = await a.login(u.email, u.password);
        const { sessions } = (await a.get('/api/auth/sessions', { token })).body;
        return a.delete(`/api/auth/sessions/${sessions.find((x) => !x.current).id}`, { token });
      },
      deactivation: (u) => a.put(`/api/platform/admin/users/${u.id}`, { is_active: false }, { token: admin.token }),
    };
    const took = {};
    for (const [way, revoke] of Object.entries(ways)) {
      const u = await a.user();
      assert.equal((await b.get('/api/auth/me', { token: u.token })).status, 200);
      assert.equal((await revoke(u)).status, 200, way);
      const start = performance.now();
      await until(async () => (await b.get('/api/auth/me', { token: u.token })).status === 401, { what: `the other host to refuse after ${way}`, ms: 10_000 });
      took[way] = Math.round(performance.now() - start);
      assert.equal((await a.get('/api/auth/me', { token: u.token })).status, 401);
      assert.equal((await b.post('/api/auth/refresh', { refresh_token: u.refresh })).status, 401);
    }
    assert.ok(Object.values(took).every((ms) => ms < 1000), JSON.stringify(took));
    const v = await a.user();
    await a.post('/api/auth/logout-all', undefined, { token: v.token });
    assert.equal((await b.get('/api/auth/me', { token: (await b.login(v.email, v.password)).token })).status, 200, 'a new sign-in works at once');
  } finally {
    await b.stop();
    await a.stop();
  }
});
