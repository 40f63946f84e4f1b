// CooCook, the public side: chefs, cuisines, search, popular, recommendations, availability.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { day, newChef, subscriber } from '../lib/coocook.mjs';

onEachEngine(describe, after, 'chefs', (engine) => {
  let s, doc, demo;
  before(async () => {
    s = await Server.start({ engine, demo: true });
    doc = (await s.get('/api/openapi.json')).body;
    demo = await s.demoUser('demo');
  });
  after(() => s?.stop());
  const call = async (method, path, options) => {
    const a = await s.request(method, `/api/coocook${path}`, options);
    assertDocumented(doc, method, `/api/coocook${path}`, a);
    return a;
  };
  const all = async (query) => {
    const out = [];
    for (let page = 1; ; page++) {
      const r = (await call('GET', `/chefs?per_page=100&page=${page}${query ? `&${query}` : ''}`)).body;
      out.push(...r.chefs);
      if (page >= r.pages) return { chefs: out, total: r.total };
    }
  };

  test('the demo has 80 chefs over 10 cuisines, twelve a page', async () => {
    const r = await call('GET', '/chefs');
    assert.equal(r.status, 200);
    assert.equal(r.body.chefs.length, 12);
    assert.ok(r.body.total >= 80);
    assert.equal(r.body.current_page, 1);
    assert.equal(r.body.pages, Math.ceil(r.body.total / 12));
    assert.match(r.headers['cache-control'], /^public, max-age=300,/);
    assert.deepEqual(Object.keys(r.body.chefs[0]).sort(),
      ['bio', 'cuisine_type', 'id', 'location', 'name', 'price_per_session', 'rating', 'rating_count', 'time_zone']);
    const cuisines = (await call('GET', '/cuisines')).body;
    assert.ok(cuisines.length >= 10);
    assert.equal(cuisines.reduce((n, c) => n + c.chefs, 0), r.body.total);
  });

  test('pages join to the whole list, each chef once, in the order asked for', async () => {
    for (const [sort, key, down] of [['rating', 'rating', true], ['price', 'price_per_session', false]]) {
      const { chefs, total } = await all(`sort=${sort}`);
      assert.equal(chefs.length, total);
      assert.equal(new Set(chefs.map((c) => c.id)).size, total);
      for (let i = 1; i < chefs.length; i++)
        assert.ok(down ? chefs[i - 1][key] >= chefs[i][key] : chefs[i - 1][key] <= chefs[i][key], `${sort} at ${i}`);
    }
    const { chefs } = await all('sort=newest');
    assert.ok(chefs.length >= 80);
  });

  test('filters: cuisine, location, price, alone and together', async () => {
    const { chefs } = await all('');
    const { cuisine_type, location } = chefs[0];
    const check = async (query, keep) => {
      const got = await all(query);
      const want = chefs.filter(keep).map((c) => c.id).sort((a, b) => a - b);
      assert.deepEqual(got.chefs.map((c) => c.id).sort((a, b) => a - b), want, query);
      assert.equal(got.total, want.length);
    };
    const q = encodeURIComponent;
    await check(`cuisine=${q(cuisine_type)}`, (c) => c.cuisine_type === cuisine_type);
    await check(`location=${q(location)}`, (c) => c.location === location);
    await check('min_price=100000&max_price=150000', (c) => c.price_per_session >= 100_000 && c.price_per_session <= 150_000);
    for (const sort of ['rating', 'price', 'newest'])
      await check(`cuisine=${q(cuisine_type)}&location=${q(location)}&min_price=1&sort=${sort}`,
        (c) => c.cuisine_type === cuisine_type && c.location === location);
    await check('cuisine=NoSuchCuisine', () => false);
  });

  for (const q of ['page=0', 'per_page=101', 'per_page=x', 'sort=best', 'min_price=-1', 'max_price=cheap', 'page=1e3'])
    test(`GET /chefs?${q} is 400`, async () => assertError(await call('GET', `/chefs?${q}`), 400, { field: q.split('=')[0] }));

  test('ETag, 304 and HEAD', async () => {
    const r = await call('GET', '/chefs');
    assert.match(r.headers.etag, /^(W\/)?"[^"]+"$/);
    assert.equal((await s.get('/api/coocook/chefs', { headers: { 'If-None-Match': r.headers.etag } })).status, 304);
    const h = await s.head('/api/coocook/chefs');
    assert.equal(h.status, 200);
    assert.equal(h.text, '');
    assert.equal(Number(h.headers['content-length']), r.raw.length);
  });

  test('one chef; unknown, deactivated and not a number are 404', async () => {
    const { id, user } = await newChef(s, { name: '이름 있는 셰프' });
    const r = await call('GET', `/chefs/${id}`);
    assert.equal(r.body.name, '이름 있는 셰프');
    assert.equal(r.body.user_id, user.id);
    assertError(await call('GET', '/chefs/99999999'), 404);
    assertError(await s.get('/api/coocook/chefs/abc'), 404);
    assertError(await s.get('/api/coocook/chefs/99999999999999999999999'), 404);
    assert.equal((await call('DELETE', `/chefs/${id}`, { token: user.token })).status, 200);
    assertError(await call('GET', `/chefs/${id}`), 404);
    assert.ok(!(await all('sort=newest')).chefs.some((c) => c.id === id));
  });

  test('a chef profile: one a user, changed by its owner only', async () => {
    const { id, user } = await newChef(s);
    const again = { name: 'x', cuisine_type: 'Korean', location: 'Seoul', price_per_session: 1 };
    assertError(await call('POST', '/chefs', { token: user.token, body: again }), 400);
    assertError(await call('PUT', `/chefs/${id}`, { body: { name: 'y' } }), 401);
    assertError(await call('PUT', `/chefs/${id}`, { token: (await s.user()).token, body: { name: 'y' } }), 404);
    assert.equal((await call('PUT', `/chefs/${id}`, { token: user.token, body: { name: '새 이름', price_per_session: 70_000 } })).status, 200);
    const r = (await call('GET', `/chefs/${id}`)).body;
    assert.equal(r.name, '새 이름');
    assert.equal(r.price_per_session, 70_000);
    assert.equal(r.location, 'Seoul', 'what was not sent stays');
    for (const [body, field] of [[{ name: '' }, 'name'], [{ price_per_session: -5 }, 'price_per_session'], [{ price_per_session: 1.5 }, 'price_per_session'], [{ location: 7 }, 'location']])
      assertError(await call('PUT', `/chefs/${id}`, { token: user.token, body }), 400, { field });
  });

  test('of parallel profiles of one user exactly one is made', async () => {
    const u = await s.user();
    const body = { name: '동시', cuisine_type: 'Korean', location: 'Busan', price_per_session: 5 };
    const all20 = await Promise.all(Array.from({ length: 20 }, () => s.post('/api/coocook/chefs', body, { token: u.token })));
    assert.equal(all20.filter((r) => r.status === 201).length, 1);
    assert.equal(all20.filter((r) => r.status === 400).length, 19, all20.map((r) => r.status).join());
  });

  test('search finds Korean and English by word and by prefix', async () => {
    const tag = `zq${Date.now().toString(36)}`;
    const one = await newChef(s, { name: `${tag} 김순자`, bio: '전통 궁중요리를 현대적으로 Fermentation specialist', cuisine_type: 'Korean', location: 'Jeonju' });
    const find = async (q) => (await call('GET', `/search?q=${encodeURIComponent(q)}`)).body.chefs.map((c) => c.id);
    for (const q of [tag, tag.slice(0, 4), '김순자', '김순', '궁중요리', '궁중', 'fermentation', 'FERMENT', `${tag} 궁중`, 'jeonju ' + tag])
      assert.ok((await find(q)).includes(one.id), q);
    assert.ok(!(await find(`${tag} nowhere`)).includes(one.id), 'every word must be there');
    for (const q of ['"', "'; DROP TABLE chefs; --", '* OR 1', 'a & b | !c', '(((', ':*', 'NEAR(a b)', '한글 "따옴표', '\\\\'])
      assert.ok([200, 400].includes((await call('GET', `/search?q=${encodeURIComponent(q)}`)).status), q);
    for (const q of ['', 'q=', 'q=a', `q=${'x'.repeat(101)}`]) assertError(await call('GET', `/search?${q}`), 400, { field: 'q' });
    await s.put(`/api/coocook/chefs/${one.id}`, { name: '다른 이름' }, { token: one.user.token });
    assert.deepEqual((await find('김순자')).includes(one.id), false, 'a changed name is no longer found');
    await s.delete(`/api/coocook/chefs/${one.id}`, { token: one.user.token });
    assert.equal((await find(tag)).includes(one.id), false);
  });

  test('popular: twelve, and one perfect rating does not beat many good ones', async () => {
    const r = (await call('GET', '/popular')).body;
    assert.equal(r.chefs.length, 12);
    const { chefs } = await all('');
    const single = chefs.find((c) => c.rating_count === 1 && c.rating === 5);
    const proven = r.chefs[0];
    assert.ok(proven.rating_count > 1);
    if (single) assert.notEqual(r.chefs[0].id, single.id);
  });

  test('recommendations come with a reason and follow past bookings', async () => {
    assertError(await call('GET', '/recommendations'), 401);
    const r = (await call('GET', '/recommendations', { token: demo.token })).body;
    assert.ok(r.chefs.length > 0);
    assert.ok(r.chefs.every((c) => c.reason.length > 5));
    const u = await subscriber(s);
    const chef = (await all('')).chefs[5];
    await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: day(40), duration_hours: 1 }, { token: u.token });
    const mine = (await call('GET', '/recommendations', { token: u.token })).body.chefs;
    assert.ok(mine.some((c) => c.cuisine_type === chef.cuisine_type || c.location === chef.location));
    assert.ok(mine.every((c) => c.id !== chef.id));
  });

  test('availability: days with free hours, bounds, and a booking takes hours', async () => {
    const chef = await newChef(s);
    const u = await subscriber(s);
    const from = day(10), to = day(12);
    const free = async () => (await call('GET', `/chefs/${chef.id}/availability?from=${from}&to=${to}`)).body;
    const before1 = await free();
    assert.equal(before1.chef_id, chef.id);
    assert.deepEqual(before1.days.map((d) => d.date), [from, day(11), to]);
    const sum = (d) => (Array.isArray(d.available_hours) ? d.available_hours.length : d.available_hours);
    assert.equal(sum(before1.days[1]), 24);
    const b = await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: day(11), duration_hours: 5 }, { token: u.token });
    assert.equal(b.status, 201, b.text);
    assert.equal(sum((await free()).days[1]), 19);
    assertError(await call('GET', `/chefs/${chef.id}/availability?from=${day(1)}&to=${day(92)}`), 400);
    assertError(await call('GET', `/chefs/${chef.id}/availability?from=${to}&to=${from}`), 400);
    assertError(await call('GET', `/chefs/${chef.id}/availability?from=2026-02-30&to=2026-03-01`), 400, { field: 'from' });
    assertError(await call('GET', '/chefs/99999999/availability'), 404);
  });
});
