// Both engines give identical answers [M-2]: statuses, headers and bodies, for a script of requests and for random data.
import { after, afterEach, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { ENGINES } from '../lib/server.mjs';
import { Twins } from '../lib/twins.mjs';
import { day, letPass } from '../lib/coocook.mjs';
import { endOwn } from '../lib/pg.mjs';

const q = encodeURIComponent;
const SORTS = ['rating', 'price', 'newest'];
const both = ENGINES.includes('sqlite') && ENGINES.includes('postgres');

after(endOwn);

describe('a script of requests', { skip: !both && 'needs both engines', concurrency: false }, () => {
  let t, admin, pattern;
  const as = {};    // name → token
  const chef = {};  // name → id
  before(async () => {
    t = await Twins.start({ env: { WORKERS: '1' } });
    const r = await t.ask('POST', '/api/auth/register', { body: { email: 'First@Example.COM', password: 'correct horse', name: '첫 사용자' } });
    assert.equal(r.status, 201);
    pattern = r.body.access_token;
  });
  after(() => t?.stop());
  afterEach(() => t.same());
  const on = (name) => ({ token: as[name] });

  test('accounts: names, emails and passwords at the bounds', async () => {
    const wide = '👩‍🍳'.repeat(20); // 60 code points
    const bodies = [
      { email: 'first@example.com', password: 'correct horse', name: 'taken, in another case' },
      { email: 'kim@example.com', password: '12345678', name: '김철수' },
      { email: 'KIM2@example.com', password: '비밀번호가여덟', name: 'seven letters' },
      { email: 'kim2@example.com', password: '비밀번호가여덟자', name: 'Émile Zola' },
      { email: 'chef@example.com', password: 'x'.repeat(128), name: wide },
      { email: 'long@example.com', password: 'x'.repeat(129), name: 'x' },
      { email: 'name@example.com', password: 'correct horse', name: '가'.repeat(100) },
      { email: 'name2@example.com', password: 'correct horse', name: '가'.repeat(101) },
      { email: 'no at', password: 'correct horse', name: 'x' },
      { email: `${'l'.repeat(64)}@${'d'.repeat(180)}.com`, password: 'correct horse', name: 'x' },
      { email: 'nul@example.com', password: 'correct horse', name: 'a\0b' },
      { email: 'space@example.com', password: 'correct horse', name: '   ' },
      { email: 'quote@example.com', password: 'correct horse', name: "O'Brien\"; DROP TABLE users; --\\" },
      { email: 5, password: null, name: [] }, {}, [], 'text',
    ];
    for (const body of bodies) {
      await t.ask('POST', '/api/auth/register', { body });
      await t.level('users');
    }
    for (const [email, password] of [['KIM@example.COM', '12345678'], ['kim2@example.com', '비밀번호가여덟자'], ['kim@example.com', 'wrong'], ['nobody@example.com', 'wrong']])
      await t.ask('POST', '/api/auth/login', { body: { email, password } });
    for (const token of [undefined, 'x.y.z', t.token(pattern, 1), t.token(pattern, 999_999)]) {
      await t.get('/api/auth/me', token);
      await t.get('/api/platform/dashboard', token);
      await t.get('/api/payment/subscriptions', token);
    }
    await t.ask('PUT', '/api/auth/me', { token: t.token(pattern, 1), body: { name: 'İstanbul ß' } });
    await t.ask('PUT', '/api/auth/me', { token: t.token(pattern, 1), body: { password: 'another one', current_password: 'wrong' } });
    const login = await t.ask('POST', '/api/auth/login', { body: { email: 'kim@example.com', password: '12345678' } });
    const refresh = (token) => t.ask('POST', '/api/auth/refresh', { each: (i) => ({ body: { refresh_token: token ?? login.both[i].body.refresh_token } }) });
    const next = await refresh();
    assert.equal(next.status, 200);
    assert.equal((await refresh()).status, 200);
    await t.ask('POST', '/api/auth/refresh', { each: (i) => ({ body: { refresh_token: next.both[i].body.refresh_token } }) });
    await t.ask('POST', '/api/auth/refresh', { body: { refresh_token: 'no token' } });
  });

  test('users as administrators see and search them', async () => {
    const [id] = await t.users([['admin@example.com', 'The Admin']]);
    await t.users([['per%cent@example.com', '100% 할인'], ['under_score@example.com', 'snake_case'], ['back@example.com', 'back\\slash'],
      ['accent@example.com', 'ÉCLAIR Ångström'], ['accent2@example.com', 'éclair ångström'], ['greek@example.com', 'ΜΉΛΟΝ'], ['cyr@example.com', 'Борис'],
      ['full@example.com', 'ＦＵＬＬ'], ['emoji@example.com', '👍🏽 thumbs'], ['sharp@example.com', 'Straße'], ['nfd@example.com', 'e\u0301clair'], ['hangul@example.com', '김치\u0020찌개']]);
    await t.sql(`UPDATE users SET role = 'admin' WHERE id = ${id}`);
    await t.sql("UPDATE users SET created_at = '2026-05-06 07:08:09.120000' WHERE id < 6");
    admin = t.token(pattern, id, 'admin');
    await t.subscribe([1, 2, id]);
    const words = ['%', '_', '\\', '%%', '__', '\\%', "'", '"', 'KIM', 'kim', 'Kim', '김', '김치 찌개', '할인', 'É', 'é', 'ÉCLAIR', 'éclair', 'ångström', 'ÅNGSTRÖM', 'μήλον',
      'борис', 'БОРИС', 'ｆｕｌｌ', '👍', '👍🏽', 'straße', 'STRASSE', 'STRAßE', 'e\u0301', '@example.com', 'EXAMPLE', 'a', ' ', 'x'.repeat(100), 'x'.repeat(101), '\u0000'];
    for (const word of words) await t.get(`/api/platform/admin/users?q=${q(word)}`, admin);
    for (const query of ['', '?per_page=1', '?per_page=100', '?per_page=7&page=2', '?page=1000', '?page=0', '?page=-1', '?per_page=101', '?page=x', '?page=9223372036854775808'])
      await t.get(`/api/platform/admin/users${query}`, admin);
    await t.get('/api/platform/admin/users', t.token(pattern, 2));
    for (const body of [{ is_active: false }, { role: 'admin' }, { role: 'king' }, { is_active: 'no' }, { is_active: true, role: 'user' }, {}])
      await t.ask('PUT', '/api/platform/admin/users/3', { token: admin, body });
    for (const path of [id, 0, -1, 'x', '999999', '99999999999999999999'])
      await t.ask('PUT', `/api/platform/admin/users/${path}`, { token: admin, body: { role: 'user' } });
  });

  const NAMES = ['김치찌개 장인', 'kim', 'Kim', 'KIM', 'Ärzte', 'ärzte', 'zeta', 'Zeta', '👨‍🍳 emoji', 'éclair', 'e\u0301clair', 'ＦＵＬＬ width', "O'Brien; DROP",
    '100%_x', 'a\\b', 'no\u00a0break', 'pasta/pizza', 'a.b.c', '1e5 2.5', 'Straße', 'ΣΊΣΥΦΟΣ', '寿司 master', 'x'.repeat(100), '  padded  ', 'under_score-hyphen'];
  const CUISINES = ['korean', 'Korean', 'KOREAN', '한식', 'Crème', 'creme', 'Ελλάδα', 'zed', 'Zed', 'æther', 'a b', 'A-B', 'a_b'];
  const PRICES = [0, 1, 100_000_000, 120_000, 120_000, 99_999];

  test('chefs are made and refused alike', async () => {
    const ids = await t.users(NAMES.map((_, i) => [`c${i}@example.com`, `Chef ${i}`]));
    for (const [i, name] of NAMES.entries()) {
      as[name] = t.token(pattern, ids[i]);
      const body = { name, cuisine_type: CUISINES[i % CUISINES.length], location: ['Seoul', 'seoul', '서울', '부산'][i % 4], price_per_session: PRICES[i % PRICES.length],
        ...(i % 3 === 0 ? {} : i % 3 === 1 ? { bio: null } : { bio: i % 2 ? '' : `정성 soup ${i} "quoted" \n line` }) };
      const r = await t.ask('POST', '/api/coocook/chefs', { ...on(name), body });
      assert.equal(r.status, 201, r.text);
      chef[name] = r.body.id;
    }
    const [other] = await t.users([['other@example.com', 'Other']]);
    as.other = t.token(pattern, other);
    const good = { name: 'x', cuisine_type: 'x', location: 'x', price_per_session: 1 };
    for (const bad of [{ price_per_session: 100_000_001 }, { price_per_session: -1 }, { price_per_session: 1.5 }, { price_per_session: '12' }, { price_per_session: null },
      { price_per_session: 1e300 }, { price_per_session: true }, { name: '' }, { name: 'x'.repeat(101) }, { name: 7 }, { bio: 'x'.repeat(2001) }, { cuisine_type: '\0' }, { location: undefined }])
      await t.ask('POST', '/api/coocook/chefs', { ...on('other'), body: { ...good, ...bad } });
    await t.ask('POST', '/api/coocook/chefs', { ...on('kim'), body: good });
    await t.ask('POST', '/api/coocook/chefs', { body: good });
    await t.ask('POST', '/api/coocook/chefs', { ...on('other'), body: '{"name": "x", "name": "y"}' });
    await t.ask('POST', '/api/coocook/chefs', { ...on('other'), body: Buffer.from('{"name": "\xff"}', 'latin1') });
    for (const body of [{ bio: 'changed' }, { price_per_session: 7, cuisine_type: 'Korean' }, { is_active: false }, { is_active: true }, { location: '' }, {}])
      await t.ask('PUT', `/api/coocook/chefs/${chef.kim}`, { ...on('kim'), body });
    await t.ask('PUT', `/api/coocook/chefs/${chef.kim}`, { ...on('Kim'), body: { bio: 'not mine' } });
    await t.ask('DELETE', `/api/coocook/chefs/${chef.zeta}`, on('zeta'));
    await t.ask('DELETE', `/api/coocook/chefs/${chef.zeta}`, on('kim'));
    await t.sql("UPDATE chefs SET created_at = '2026-04-01 00:00:00' WHERE id % 4 = 0");
    await t.sql("UPDATE chefs SET created_at = '2026-04-01 00:00:00.5' WHERE id % 4 = 1");
  });

  test('bookings: dates with and without offsets, conflicts, each turn, payment and review', async () => {
    const guests = await t.users(Array.from({ length: 3 }, (_, i) => [`g${i}@example.com`, `Guest ${i}`]));
    await t.subscribe(guests);
    guests.forEach((id, i) => (as[`g${i}`] = t.token(pattern, id)));
    const book = (guest, body) => t.ask('POST', '/api/coocook/bookings', { ...on(guest), body });
    const d = day(20);
    const made = [];
    for (const when of [d, d, `${d}T05:00:00Z`, `${d}T15:00:00+09:00`, `${d}T23:00:00-02:00`, `${d}T10:00:00.000Z`, `${d}T10:00:00.000001Z`, `${d}T10:30:00Z`, `${d} 12:00:00`,
      `${d}T13:00Z`, `${d}T14:00:00`, `${d}T24:00:00Z`, '2026-02-30', '9999-12-31', '9999-12-30T23:00:00Z', day(-1), '2020-01-01T00:00:00Z', 'tomorrow', d.replaceAll('-', '/')]) {
      const r = await book('g0', { chef_id: chef.Kim, booking_date: when, duration_hours: 3, special_requests: 'no 땅콩 please' });
      if (r.status === 201) made.push(r.body.id);
    }
    assert.ok(made.length >= 4);
    for (const body of [{ chef_id: 999_999, booking_date: d, duration_hours: 1 }, { chef_id: chef.zeta, booking_date: d, duration_hours: 1 }, { chef_id: 2 ** 53, booking_date: d, duration_hours: 1 },
      { chef_id: chef.Kim, booking_date: d, duration_hours: 25 }, { chef_id: chef.Kim, booking_date: d, duration_hours: 0 }, { chef_id: chef.Kim, booking_date: d, duration_hours: 24 },
      { chef_id: chef.Kim, booking_date: d, duration_hours: 1, special_requests: 'x'.repeat(2001) }, {}]) await book('g1', body);
    await t.ask('POST', '/api/coocook/bookings', { ...on('Kim'), body: { chef_id: chef.Kim, booking_date: d, duration_hours: 1 } });
    const key = { 'Idempotency-Key': 'one-and-only' };
    const once = { chef_id: chef.KIM, booking_date: d, duration_hours: 2 };
    for (const body of [once, once, { ...once, duration_hours: 3 }]) await t.ask('POST', '/api/coocook/bookings', { ...on('g0'), headers: key, body });

    // reviews whose means are not round: thirds, sixths, sevenths
    const ratings = { Ärzte: [5, 4, 4], ärzte: [1, 2], éclair: [5, 5, 4], Straße: [3, 3, 4, 5, 1, 2, 4], KIM: [1], '寿司 master': [5, 5, 5, 5, 5, 4] };
    const walk = async (guest, name, rating, n) => {
      const { body: { id } } = await book(guest, { chef_id: chef[name], booking_date: day(40 + n), duration_hours: 1 });
      const step = (who, method, path, body) => t.ask(method, `/api/coocook/bookings/${id}${path}`, { ...on(who), body });
      await step(guest, 'POST', '/review', { rating });
      await step(name, 'PUT', '', { status: 'completed' });
      await step(guest, 'PUT', '', { status: 'confirmed' });
      await step(name, 'PUT', '', { status: 'confirmed' });
      const { total_price } = (await step(guest, 'GET', '')).body;
      for (const amount of [total_price + 1, -1, total_price, total_price]) await step(guest, 'POST', '/pay', { amount });
      await step(name, 'PUT', '', { status: 'completed' });
      await Promise.all(t.servers.map((s) => letPass(s, `id = ${id}`)));
      await step(name, 'PUT', '', { status: 'completed' });
      for (const body of [{ rating: 6 }, { rating: 0 }, { rating: 4.5 }, n % 2 ? { rating } : { rating, comment: `맛있어요 ${n} 👍` }, { rating }]) await step(guest, 'POST', '/review', body);
      for (const who of [guest, name, 'other', undefined]) await step(who, 'GET', '/review');
      await step(guest, 'DELETE', '');
    };
    let n = 0;
    for (const [name, list] of Object.entries(ratings)) for (const rating of list) await walk(`g${n % 3}`, name, rating, n++);
    const [a, b, c] = made;
    await t.ask('PUT', `/api/coocook/bookings/${a}`, { ...on('Kim'), body: { status: 'cancelled' } });
    await t.ask('DELETE', `/api/coocook/bookings/${b}`, on('g0'));
    await t.ask('DELETE', `/api/coocook/bookings/${b}`, on('g0'));
    await t.ask('DELETE', `/api/coocook/bookings/${c}`, on('g1'));
    await t.ask('PUT', `/api/coocook/bookings/${c}`, { ...on('Kim'), body: { status: 'done' } });
    for (const id of [0, -1, 'x', 999_999, '9223372036854775807', '9223372036854775808']) await t.get(`/api/coocook/bookings/${id}`, as.g0);
    await t.sql("UPDATE bookings SET created_at = '2026-06-07 08:09:10.25' WHERE id % 3 = 0");
    await t.sql("UPDATE bookings SET created_at = '2026-06-07 08:09:10' WHERE id % 3 = 1");
    await t.sql("UPDATE booking_reviews SET created_at = '2026-06-07 08:09:10.000009'");
  });

  test('every list, in each order and filter, to past its end', async () => {
    const filters = ['', ...CUISINES.map((c) => `cuisine=${q(c)}`), 'location=Seoul', `location=${q('서울')}`, 'location=SEOUL', 'min_price=1', 'max_price=0', 'min_price=120000&max_price=120000',
      'min_price=5&max_price=4', 'cuisine=Korean&location=seoul', 'cuisine=Korean&min_price=1&max_price=100000000', `location=${q('부산')}&min_price=1`, 'cuisine=korean&location=Seoul&min_price=0'];
    for (const sort of SORTS) {
      for (const filter of filters) await t.get(`/api/coocook/chefs?sort=${sort}&per_page=100&${filter}`);
      for (const page of ['page=1&per_page=1', 'page=2&per_page=5', 'page=3&per_page=5', 'page=6&per_page=5', 'page=1000000', 'page=2&per_page=100']) await t.get(`/api/coocook/chefs?sort=${sort}&${page}`);
    }
    for (const query of ['page=0', 'per_page=0', 'per_page=101', 'sort=', 'sort=best', 'min_price=-1', 'min_price=1e3', 'user_id=5', 'user_id=0', 'cuisine=', `cuisine=${'x'.repeat(101)}`, 'cuisine=%ff', 'page=1&page=2'])
      await t.get(`/api/coocook/chefs?${query}`);
    for (const id of [...Object.values(chef), 0, 'x', 999_999]) {
      await t.get(`/api/coocook/chefs/${id}`);
      for (const query of ['', '?per_page=2', '?per_page=2&page=2', '?page=99']) await t.get(`/api/coocook/chefs/${id}/reviews${query}`);
      await t.get(`/api/coocook/chefs/${id}/availability?from=${day(19)}&to=${day(50)}`);
    }
    for (const range of ['', `from=${day(1)}`, `to=${day(3)}`, `from=${day(3)}&to=${day(1)}`, `from=${day(0)}&to=${day(90)}`, 'from=2026-13-01', 'from=x'])
      await t.get(`/api/coocook/chefs/${chef.Kim}/availability?${range}`);
    await t.get('/api/coocook/cuisines');
    await t.get('/api/coocook/popular');
    await t.get('/api/platform/products');
    for (const who of ['g0', 'g1', 'g2', 'Kim', 'other', undefined]) {
      for (const query of ['', '?status=pending', '?status=completed', '?status=cancelled', '?status=x', '?per_page=3&page=2', '?page=50']) {
        await t.get(`/api/coocook/bookings${query}`, as[who]);
        await t.get(`/api/coocook/chefs/${chef.Kim}/bookings${query}`, as[who]);
      }
      await t.get('/api/coocook/recommendations', as[who]);
      await t.get('/api/platform/dashboard', as[who]);
    }
  });

  test('search finds the same chefs in the same order', async () => {
    for (const word of ['김치', '김', '김치찌개', 'kim', 'KIM', 'ki', 'ärzte', 'ÄRZTE', 'arzte', 'éclair', 'e\u0301clair', 'eclair', 'full', 'ｆｕｌｌ', 'ＦＵＬＬ', "O'Brien", 'brien drop', '100%', '100', '_x', 'a\\b', 'a b',
      'pasta', 'pizza', 'pasta/pizza', 'a.b', 'b.c', '1e5', '2.5', '25', 'straße', 'strasse', 'STRASSE', 'σίσυφοσ', 'ΣΊΣΥΦΟΣ', '寿司', '寿', 'master', 'seoul', '서울', '서', 'korean', 'korean seoul', '정성', '정성 soup',
      'soup quoted', '"quoted"', 'zeta', 'under_score', 'score', 'hyphen', '👨‍🍳', 'emoji', '👨‍🍳 emoji', "' OR 1=1 --", '* ', 'a*', ':*', '!kim', 'kim & Kim', 'NOT kim', 'kim OR zeta', 'kim NEAR zeta', '--', '  ', 'x', 'x'.repeat(100), 'x'.repeat(101), 'ελλάδα', 'crème', 'creme'])
      for (const page of ['', '&per_page=1&page=2', '&page=50']) await t.get(`/api/coocook/search?q=${q(word)}${page}`);
    await t.get('/api/coocook/search');
  });

  test('what is not there, and what is not allowed', async () => {
    for (const [method, path, options] of [['GET', '/api/nothing'], ['DELETE', '/api/coocook/cuisines'], ['POST', '/health'], ['PUT', '/api/coocook/bookings', { body: {} }], ['HEAD', '/api/coocook/popular'],
      ['OPTIONS', '/api/coocook/chefs'], ['POST', '/api/auth/login', { body: 'not json' }], ['POST', '/api/auth/login', { body: 'a=b', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }],
      ['GET', '/health'], ['GET', '/ready'], ['GET', '/api/openapi.json']]) await t.ask(method, path, options);
    const r = await t.get('/api/coocook/popular');
    await t.ask('GET', '/api/coocook/popular', { headers: { 'If-None-Match': r.headers.etag } });
  });
});

/** A small generator of random numbers (mulberry32), so that a failure can be seen again with its seed. */
function random(seed) {
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) | 0;
    let x = Math.imul(a ^ (a >>> 15), 1 | a);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 4294967296) * n);
  };
}

describe('random data', { skip: !both && 'needs both engines', concurrency: false }, () => {
  const seed = Number(process.env.SF_SEED ?? 20_261_122);
  const roll = random(seed);
  const pick = (list) => list[roll(list.length)];
  const LETTERS = [...'abzABZ019éÉßøØж한글김치寿司あア', ' ', ' ', ' ', '-', '_', '.', ',', "'", '"', '%', '\\', '/', '&', '|', '!', '*', ':', '(', ')', '👍', '🍜', '·', '、', '！', 'ﬁ', 'ａ'];
  const text = (min, max) => {
    let s = '';
    for (let n = min + roll(max - min + 1); n > 0; n--) s += pick(LETTERS);
    return s.trim() || 'x';
  };
  let t, users, tokens;
  const chefs = [];
  before(async () => {
    t = await Twins.start({ env: { WORKERS: '1' } });
    const r = await t.ask('POST', '/api/auth/register', { body: { email: 'admin@example.com', password: 'correct horse', name: 'x' } });
    users = await t.users(Array.from({ length: 300 }, (_, i) => [`u${i}@example.com`, text(1, 30)]));
    await t.subscribe(users);
    tokens = users.map((id) => t.token(r.body.access_token, id));
    tokens.admin = t.token(r.body.access_token, 1, 'admin');
    await t.sql("UPDATE users SET role = 'admin' WHERE id = 1");
  });
  after(() => t?.stop());
  afterEach(() => t.same());

  test(`300 chefs and 300 bookings (SF_SEED=${seed}): every list is the same`, async () => {
    const cuisines = Array.from({ length: 12 }, () => text(1, 12)), places = Array.from({ length: 6 }, () => text(1, 12));
    for (let i = 0; i < 300; i++) {
      const body = { name: text(1, 40), cuisine_type: pick(cuisines), location: pick(places), price_per_session: pick([0, 1, 50_000, 120_000, 100_000_000, roll(300_000)]), ...(roll(3) ? { bio: text(0, 120) } : {}) };
      const r = await t.ask('POST', '/api/coocook/chefs', { token: tokens[i], body });
      assert.equal(r.status, 201, r.text);
      chefs.push({ ...body, id: r.body.id, token: tokens[i] });
    }
    await t.sql(`UPDATE chefs SET created_at = '2026-01-01 00:00:00' WHERE id % 5 < 2`);
    for (let i = 0; i < 300; i++) {
      const c = chefs[roll(40)], guest = tokens[roll(30) + 200];
      const when = pick([day(10 + roll(5)), `${day(10 + roll(5))}T${String(roll(24)).padStart(2, '0')}:00:00${pick(['Z', '+09:00', '-05:00', '+00:00'])}`]);
      const r = await t.ask('POST', '/api/coocook/bookings', { token: guest, body: { chef_id: c.id, booking_date: when, duration_hours: 1 + roll(6) } });
      if (r.status !== 201 || roll(4) === 0) continue;
      const at = `/api/coocook/bookings/${r.body.id}`;
      await t.ask('PUT', at, { token: c.token, body: { status: pick(['confirmed', 'confirmed', 'confirmed', 'cancelled']) } });
      if (roll(4) === 0) continue;
      if (roll(8)) await Promise.all(t.servers.map((s) => letPass(s, `id = ${r.body.id}`, 400 + 20 * i)));
      await t.ask('PUT', at, { token: c.token, body: { status: 'completed' } });
      if (roll(4)) await t.ask('POST', `${at}/review`, { token: guest, body: { rating: 1 + roll(5), ...(roll(2) ? { comment: text(1, 60) } : {}) } });
    }
    for (const sort of SORTS) {
      for (let page = 1; page <= 4; page++) await t.get(`/api/coocook/chefs?sort=${sort}&per_page=100&page=${page}`);
      for (const c of cuisines) await t.get(`/api/coocook/chefs?sort=${sort}&per_page=100&cuisine=${q(c)}`);
      for (const l of places) await t.get(`/api/coocook/chefs?sort=${sort}&per_page=100&location=${q(l)}`);
      for (let i = 0; i < 30; i++) {
        const low = roll(150_000);
        await t.get(`/api/coocook/chefs?sort=${sort}&per_page=${1 + roll(30)}&page=${1 + roll(4)}&min_price=${low}&max_price=${low + roll(200_000)}${roll(2) ? `&cuisine=${q(pick(cuisines))}` : ''}${roll(2) ? `&location=${q(pick(places))}` : ''}`);
      }
    }
    await t.get('/api/coocook/cuisines');
    await t.get('/api/coocook/popular');
    for (const c of chefs.slice(0, 40)) {
      await t.get(`/api/coocook/chefs/${c.id}`);
      await t.get(`/api/coocook/chefs/${c.id}/reviews?per_page=3`);
      await t.get(`/api/coocook/chefs/${c.id}/availability?from=${day(9)}&to=${day(20)}`);
      await t.get(`/api/coocook/chefs/${c.id}/bookings?per_page=100`, c.token);
    }
    for (let i = 200; i < 230; i++) {
      await t.get('/api/coocook/bookings?per_page=100', tokens[i]);
      await t.get('/api/coocook/recommendations', tokens[i]);
    }
    const piece = (word, n) => Buffer.from([...word].slice(0, n).join('')).toString(); // half a pair becomes U+FFFD
    for (let i = 0; i < 150; i++) { // words, starts of words, and pieces that are no word
      const from = pick(chefs), source = pick([from.name, from.cuisine_type, from.location, from.bio ?? from.name]);
      const word = roll(3) ? pick(source.split(/\s+/)) : source.slice(roll(source.length));
      await t.get(`/api/coocook/search?per_page=100&q=${q(piece(word, 2 + roll(20)))}`);
      await t.get(`/api/platform/admin/users?per_page=100&q=${q(piece(word, 1 + roll(4)))}`, tokens.admin);
    }
  });
});
