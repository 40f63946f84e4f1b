// Accounts: register, login, tokens, refresh rotation, sessions, lockout, profile.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { SECRET, Server, onEachEngine } from '../lib/server.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { onDatabase } from '../lib/coocook.mjs';
import { until } from '../lib/proc.mjs';

const b64 = (o) => Buffer.from(typeof o === 'string' ? o : JSON.stringify(o)).toString('base64url');
const decode = (token) => token.split('.').slice(0, 2).map((p) => JSON.parse(Buffer.from(p, 'base64url')));
function forge(token, { header = {}, claims = {}, secret = SECRET, hash = 'sha256' } = {}) {
  const [h, c] = decode(token);
  const text = `${b64({ ...h, ...header })}.${b64({ ...c, ...claims })}`;
  return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`;
}

onEachEngine(describe, after, 'accounts', (engine) => {
  let s, doc;
  before(async () => {
    s = await Server.start({ engine });
    doc = (await s.get('/api/openapi.json')).body;
  });
  after(() => s?.stop());
  const call = async (method, path, options) => {
    const a = await s.request(method, path, options);
    assertDocumented(doc, method, path, a);
    return a;
  };

  test('register gives tokens and the user', async () => {
    const r = await call('POST', '/api/auth/register', { body: { email: 'Kim@Example.com', password: 'eight888', name: '김철수' } });
    assert.equal(r.status, 201);
    assert.deepEqual(Object.keys(r.body).sort(), ['access_token', 'expires_in', 'refresh_token', 'user']);
    assert.equal(r.body.user.email, 'kim@example.com');
    assert.equal(r.body.user.name, '김철수');
    assert.equal(r.body.user.role, 'user');
    assert.equal(r.body.user.is_active, true);
    assert.equal(r.body.expires_in, 3600);
    const [header, claims] = decode(r.body.access_token);
    assert.equal(header.alg, 'HS256');
    assert.equal(claims.typ, 'access');
    assert.equal(claims.exp - claims.iat, 3600);
    assert.ok(claims.jti && claims.role && claims.sub);
    const me = await call('GET', '/api/auth/me', { token: r.body.access_token });
    assert.equal(me.status, 200);
    assert.equal(me.body.email, 'kim@example.com');
    assert.equal(me.headers['cache-control'], 'private, no-store');
  });

  test('a registration repeated with its Idempotency-Key is answered as the first time; its tokens are stored encrypted', async () => {
    const key = { 'Idempotency-Key': 'registration-1' }, body = { email: 'once@example.com', password: 'eight888', name: 'Once' };
    const register = (more = {}) => call('POST', '/api/auth/register', { body: { ...body, ...more }, headers: key });
    const together = await Promise.all(Array.from({ length: 5 }, () => register()));
    assert.ok(together.every((r) => [201, 409].includes(r.status)), String(together.map((r) => r.status)));
    const first = together.find((r) => r.status === 201 && !r.headers['idempotent-replayed']), again = await register();
    assert.ok(first && !first.headers['idempotent-replayed']);
    assert.deepEqual([again.status, again.text, again.headers['idempotent-replayed']], [201, first.text, 'true']);
    assert.equal((await call('GET', '/api/auth/me', { token: again.body.access_token })).body.email, body.email);
    assertError(await register({ password: 'eight999' }), 422);
    assertError(await call('POST', '/api/auth/register', { body }), 400, { field: 'email' });
    const taken = await call('POST', '/api/auth/register', { body, headers: { 'Idempotency-Key': 'registration-2' } });
    assertError(taken, 400, { field: 'email' });
    const takenAgain = await call('POST', '/api/auth/register', { body, headers: { 'Idempotency-Key': 'registration-2' } });
    assert.deepEqual([takenAgain.text, takenAgain.headers['idempotent-replayed']], [taken.text, 'true'], 'the handler had begun, so this is its answer');
    assertError(await call('POST', '/api/auth/register', { body: { ...body, email: 'no address' }, headers: { 'Idempotency-Key': 'registration-3' } }), 400, { field: 'email' });
    assert.equal((await call('POST', '/api/auth/register', { body: { ...body, email: 'twice@example.com' }, headers: { 'Idempotency-Key': 'registration-3' } })).status, 201, 'what validation refuses takes no key');
    const stored = (await onDatabase(s, "SELECT response FROM idempotency_keys WHERE route = 'POST /api/auth/register'")).flat();
    assert.equal(stored.length, 3);
    for (const text of stored) assert.match(text, /^[\w-]{80,}$/);
  });

  test('a taken email is 400, whatever its case', async () => {
    const u = await s.user();
    const again = { email: u.email.toUpperCase(), password: 'eight888', name: 'X' };
    assertError(await call('POST', '/api/auth/register', { body: again }), 400, { field: 'email' });
  });

  const wrong = [
    ['no email', { password: 'eight888', name: 'x' }, 'email'],
    ['not an email', { email: 'nobody', password: 'eight888', name: 'x' }, 'email'],
    ['a short password', { email: 'a@b.co', password: '7777777', name: 'x' }, 'password'],
    ['a long password', { email: 'a@b.co', password: 'x'.repeat(129), name: 'x' }, 'password'],
    ['an empty name', { email: 'a@b.co', password: 'eight888', name: '' }, 'name'],
    ['a name that is a number', { email: 'a@b.co', password: 'eight888', name: 5 }, 'name'],
    ['a null name', { email: 'a@b.co', password: 'eight888', name: null }, 'name'],
  ];
  for (const [title, body, field] of wrong)
    test(`register with ${title} names the field`, async () => assertError(await call('POST', '/api/auth/register', { body }), 400, { field }));

  test('all wrong fields are named at once', async () => {
    const r = await s.post('/api/auth/register', { email: 1 });
    assert.deepEqual(Object.keys(r.body.fields).sort(), ['email', 'name', 'password']);
  });

  test('login: right, wrong password and unknown email', async () => {
    const u = await s.user();
    assert.equal((await call('POST', '/api/auth/login', { body: { email: u.email, password: u.password } })).status, 200);
    const bad = await call('POST', '/api/auth/login', { body: { email: u.email, password: 'not it at all' } });
    const unknown = await call('POST', '/api/auth/login', { body: { email: 'nobody@example.com', password: 'not it at all' } });
    assertError(bad, 401);
    assertError(unknown, 401);
    assert.equal(bad.body.error, unknown.body.error);
    assert.equal(bad.body.code, unknown.body.code);
  });

  test('a password hashed by the earlier platform is taken, and hashed anew', async () => {
    const u = await s.user();
    const login = (password) => s.post('/api/auth/login', { email: u.email, password });
    const hash = async () => (await onDatabase(s, `SELECT password_hash FROM users WHERE id = ${u.id}`))[0][0];
    await onDatabase(s, `UPDATE users SET password_hash = 'pbkdf2:sha256:1000$saltSALTsalt$a74e09701229752dc99fed3e687344487cde6d1405131ecfe2ada71d877b56ce' WHERE id = ${u.id}`);
    assertError(await login(u.password), 401);
    assertError(await s.post('/api/auth/login', { email: 'nobody at all', password: 'x' }), 401);
    assert.match(await hash(), /^pbkdf2/);
    const all = await Promise.all([login('비밀번호 1!'), login('비밀번호 1!')]);
    assert.deepEqual(all.map((r) => r.status), [200, 200], 'both, though the first one changes the hash');
    for (const r of all) assert.equal((await s.get('/api/auth/me', { token: r.body.access_token })).status, 200);
    assert.match(await hash(), /^\$argon2id\$/);
    assert.equal((await login('비밀번호 1!')).status, 200);
  });

  test('ten failures lock the account, also for the right password', async () => {
    const u = await s.user();
    for (let i = 0; i < 10; i++) assert.equal((await s.post('/api/auth/login', { email: u.email, password: 'wrong wrong' })).status, 401);
    assertError(await call('POST', '/api/auth/login', { body: { email: u.email, password: u.password } }), 423);
  });

  test('no token, a broken one and a foreign one are 401 with a challenge', async () => {
    const u = await s.user();
    for (const token of [undefined, 'x', 'a.b.c', `${u.token}x`, u.refresh, 'demo_token']) {
      const r = await call('GET', '/api/auth/me', { token });
      assertError(r, 401);
      assert.match(r.headers['www-authenticate'] ?? '', /^Bearer/);
    }
  });

  test('only the configured algorithm and key are accepted', async () => {
    const { token } = await s.user();
    const now = Math.floor(Date.now() / 1000);
    assert.equal((await s.get('/api/auth/me', { token: forge(token) })).status, 200, 'the forge itself works');
    const [h, c] = decode(token);
    const bad = {
      'alg none': `${b64({ ...h, alg: 'none' })}.${b64(c)}.`,
      'alg none, signed': forge(token, { header: { alg: 'none' } }),
      HS512: forge(token, { header: { alg: 'HS512' }, hash: 'sha512' }),
      HS384: forge(token, { header: { alg: 'HS384' }, hash: 'sha384' }),
      'RS256 confusion': forge(token, { header: { alg: 'RS256' } }),
      'another secret': forge(token, { secret: 'another secret of thirty-two bytes, or more' }),
      'unknown kid': forge(token, { header: { kid: 'nobody' } }),
      expired: forge(token, { claims: { exp: now - 1, iat: now - 4000 } }),
      'not yet valid': forge(token, { claims: { nbf: now + 3600 } }),
      'no exp': forge(token, { claims: { exp: undefined } }),
      'exp is text': forge(token, { claims: { exp: 'never' } }),
      'another type': forge(token, { claims: { typ: 'refresh' } }),
      'no type': forge(token, { claims: { typ: undefined } }),
    };
    for (const [why, t] of Object.entries(bad)) assert.equal((await s.get('/api/auth/me', { token: t })).status, 401, why);
  });

  test('a role written into a token by its holder does not count', async () => {
    const { token } = await s.user();
    const [h, c, signature] = token.split('.');
    const forged = `${h}.${b64({ ...JSON.parse(Buffer.from(c, 'base64url')), role: 'admin' })}.${signature}`;
    assertError(await call('GET', '/api/platform/admin/users', { token: forged }), 401);
  });

  const refresh = (refresh_token) => call('POST', '/api/auth/refresh', { body: { refresh_token } });
  /** As if the user's refresh tokens had been used that many seconds earlier. */
  const usedBefore = (u, seconds) => onDatabase(s, engine === 'postgres'
    ? `UPDATE refresh_tokens SET used_at = used_at - interval '${seconds} seconds' WHERE user_id = ${u.id} AND used_at IS NOT NULL`
    : `UPDATE refresh_tokens SET used_at = strftime('%Y-%m-%d %H:%M:%f', used_at, '-${seconds} seconds') || '000' WHERE user_id = ${u.id} AND used_at IS NOT NULL`);
  const works = async (pair) => (await s.get('/api/auth/me', { token: pair.access_token })).status === 200;

  test('refresh rotates; a token used again after 10 s ends all that came of it', async () => {
    const u = await s.user();
    const other = await s.login(u.email, u.password);
    const one = await refresh(u.refresh);
    assert.equal(one.status, 200);
    assert.notEqual(one.body.refresh_token, u.refresh);
    const two = await refresh(one.body.refresh_token);
    assert.equal(two.status, 200);
    assert.ok(await works(two.body));
    await usedBefore(u, 11);
    assertError(await refresh(one.body.refresh_token), 401);
    assertError(await refresh(two.body.refresh_token), 401);
    assertError(await refresh(u.token), 401);
    for (const pair of [one.body, two.body]) assert.ok(!await works(pair));
    assert.equal((await s.get('/api/auth/me', { token: other.token })).status, 200, 'another sign-in goes on');
  });

  test('tabs that refresh at the same moment all go on', async () => {
    const u = await s.user();
    const answers = await Promise.all(Array.from({ length: 6 }, () => s.post('/api/auth/refresh', { refresh_token: u.refresh }, { agent: false })));
    assert.deepEqual(answers.map((a) => a.status), Array(6).fill(200));
    for (const { body } of answers) assert.ok(await works(body));
    const [first, last] = [answers[0].body, answers.at(-1).body];
    const next = await refresh(first.refresh_token);
    assert.equal(next.status, 200);
    assert.equal((await refresh(last.refresh_token)).status, 200, 'the other tab, a moment later');
    for (const pair of [first, last, next.body]) assert.ok(await works(pair));
    await usedBefore(u, 11);
    assertError(await refresh(u.refresh), 401);
    for (const pair of [first, last, next.body]) {
      assert.ok(!await works(pair));
      assertError(await refresh(pair.refresh_token), 401);
    }
  });

  test('logout revokes the token in every worker', async () => {
    const u = await s.user();
    assert.equal((await call('POST', '/api/auth/logout', { token: u.token })).status, 200);
    const asks = await Promise.all(Array.from({ length: 40 }, () => s.get('/api/auth/me', { token: u.token, agent: false })));
    assert.ok(asks.every((r) => r.status === 401));
  });

  test('the profile: name, and password with the present one', async () => {
    const u = await s.user();
    const put = (body) => call('PUT', '/api/auth/me', { token: u.token, body });
    assert.equal((await put({ name: '새 이름' })).status, 200);
    assert.equal((await s.get('/api/auth/me', { token: u.token })).body.name, '새 이름');
    assertError(await put({ password: 'another one' }), 400, { field: 'current_password' });
    assertError(await put({ password: 'another one', current_password: 'wrong wrong' }), 400, { field: 'current_password' });
    const other = await s.login(u.email, u.password);
    assert.equal((await put({ password: 'another one', current_password: u.password })).status, 200);
    assert.equal((await s.get('/api/auth/me', { token: other.token })).status, 401, 'older tokens are revoked');
    assertError(await s.post('/api/auth/refresh', { refresh_token: other.refresh }), 401);
    assertError(await s.post('/api/auth/login', { email: u.email, password: u.password }), 401);
    await s.login(u.email, 'another one');
  });

  test('the profile: time zone and language, which every answer about the user carries', async () => {
    const u = await s.user();
    const me = () => call('GET', '/api/auth/me', { token: u.token });
    const put = (body, status = 200) => call('PUT', '/api/auth/me', { token: u.token, body }).then((r) => (assert.equal(r.status, status, r.text), r.body));
    const of = ({ time_zone, language }) => [time_zone, language];
    assert.deepEqual(of((await me()).body), ['Asia/Seoul', null]);
    assert.deepEqual(of(await put({ time_zone: 'America/New_York' })), ['America/New_York', null]);
    assert.deepEqual(of(await put({ language: 'ko' })), ['America/New_York', 'ko']);
    assert.deepEqual(of(await put({ name: 'Another', time_zone: null, language: null })), ['America/New_York', 'ko'], 'what is absent stays');
    for (const time_zone of ['', 'Seoul', 'KST', '+09:00', 'asia/seoul', '../../../etc/passwd', 'Asia/Seoul\u0001', 9])
      assertError(await call('PUT', '/api/auth/me', { token: u.token, body: { time_zone } }), 400, { field: 'time_zone' });
    assertError(await call('PUT', '/api/auth/me', { token: u.token, body: { language: 'de' } }), 400, { field: 'language' });
    const r = await call('POST', '/api/auth/login', { body: { email: u.email, password: u.password } });
    assert.deepEqual(of(r.body.user), ['America/New_York', 'ko']);
    assert.deepEqual(of((await call('GET', '/api/platform/dashboard', { token: u.token })).body.user), ['America/New_York', 'ko']);
    assert.deepEqual(of((await me()).body), ['America/New_York', 'ko']);
    assert.deepEqual(of((await call('POST', '/api/auth/register', { body: { email: 'zoned@example.com', password: 'eight888', name: 'Z' } })).body.user), ['Asia/Seoul', null]);
  });

  /** A browser that signs in: its cookies, the header that proves a write is its page's, and the tokens answered beside them. */
  const browser = async (u, agent = 'test') => {
    const r = await call('POST', '/auth/login', { body: { email: u.email, password: u.password }, headers: { 'User-Agent': agent } });
    assert.equal(r.status, 200);
    const cookies = r.headers['set-cookie'].map((c) => c.split(';')[0]);
    const cookie = cookies.join('; ');
    return { cookie, token: r.body.access_token, refresh: r.body.refresh_token, write: { cookie, headers: { 'X-CSRF-Token': cookies.find((c) => c.startsWith('sf_csrf=')).slice(8) } } };
  };
  const isOut = async (b) => {
    if (b.cookie) assertError(await s.get('/api/auth/me', { cookie: b.cookie }), 401);
    assertError(await s.get('/api/auth/me', { token: b.token }), 401);
    assertError(await s.post('/api/auth/refresh', { refresh_token: b.refresh }), 401);
  };
  const isIn = async (b) => {
    assert.equal((await s.get('/api/auth/me', { cookie: b.cookie })).status, 200);
    assert.equal((await s.get('/api/auth/me', { token: b.token })).status, 200);
  };

  test('signing out with the token or with the cookie ends both', async () => {
    const u = await s.user();
    const [a, b, c] = [await browser(u), await browser(u), await browser(u)];
    assert.equal((await call('POST', '/api/auth/logout', { token: a.token })).status, 200);
    await isOut(a);
    assert.equal((await call('POST', '/auth/logout', b.write)).status, 200);
    await isOut(b);
    await isIn(c);
  });

  test('sign-ins are listed with device and last use, and ended one by one', async () => {
    const u = await s.user();
    const b = await browser(u, 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0');
    const other = await s.user();
    const list = async (options, query = '') => (await call('GET', `/api/auth/sessions${query}`, options)).body;
    const mine = await list({ cookie: b.cookie });
    assert.equal(mine.total, 2);
    assert.deepEqual(mine.sessions.map((x) => [x.device, x.current]), [['Firefox on Linux', true], ['', false]]);
    assert.deepEqual((await list({ token: b.token })).sessions.map((x) => x.current), [true, false], 'the tokens are of the same sign-in');
    assert.deepEqual((await list({ cookie: b.cookie }, '?per_page=1&page=2')).sessions.map((x) => x.id), [mine.sessions[1].id]);
    assert.equal((await list({ token: other.token })).total, 1);
    for (const x of mine.sessions) {
      assert.ok(Math.abs(Date.parse(x.created_at) - Date.now()) < 60_000 && Date.parse(x.last_used_at) >= Date.parse(x.created_at));
      assert.equal(x.address, '127.0.0.1');
    }
    const end = (id, options) => call('DELETE', `/api/auth/sessions/${id}`, options);
    assertError(await end(mine.sessions[1].id, { token: other.token }), 404);
    assert.equal((await end(mine.sessions[1].id, b.write)).status, 200);
    assertError(await end(mine.sessions[1].id, b.write), 404);
    await isOut({ token: u.token, refresh: u.refresh });
    await isIn(b);
    assert.equal((await end(mine.sessions[0].id, { token: b.token })).status, 200);
    await isOut(b);
  });

  test('the last use is kept to the minute', async () => {
    const u = await s.user();
    const b = await browser(u);
    await onDatabase(s, `UPDATE sessions SET last_used_at = '2026-01-01 00:00:00.000000', created_at = '2026-01-01 00:00:00.000000' WHERE user_id = ${u.id}`);
    const recent = async () => (await call('GET', '/api/auth/sessions', { token: u.token })).body.sessions.filter((x) => Date.now() - Date.parse(x.last_used_at) < 120_000).length;
    await s.get('/api/auth/me', { token: u.token });
    await until(async () => (await recent()) === 1, { what: 'the use of the token to be noted' });
    await s.get('/api/auth/me', { cookie: b.cookie });
    await until(async () => (await recent()) === 2, { what: 'the use of the cookie to be noted' });
  });

  test('signing out everywhere ends every sign-in, and a new one works at once', async () => {
    const u = await s.user();
    const [a, b] = [await browser(u), await browser(u)];
    const all = await call('POST', '/api/auth/logout-all', a.write);
    assert.equal(all.status, 200);
    assert.ok(all.headers['set-cookie'].some((c) => /^sf_session=;/.test(c)));
    for (const x of [a, b, { token: u.token, refresh: u.refresh }]) await isOut(x);
    assertError(await call('POST', '/api/auth/logout-all', { token: u.token }), 401);
    await isIn(await browser(u));
  });

  // What another process wrote, as `softfactory user disable` does: a server that holds the tokens in memory reads it.
  test('what another process of the database revokes is refused, too', async () => {
    const u = await s.user();
    const now = Math.floor(Date.now() / 1000);
    await onDatabase(s, `UPDATE users SET tokens_from = ${now + 1} WHERE id = ${u.id}`);
    await until(async () => (await s.get('/api/auth/me', { token: u.token })).status === 401, { ms: 5000, what: 'the token to be refused' });
  });

  test('a browser session: cookie, CSRF token, logout', async () => {
    const u = await s.user();
    const r = await call('POST', '/auth/login', { body: { email: u.email, password: u.password } });
    assert.equal(r.status, 200);
    const cookies = r.headers['set-cookie'];
    const session = cookies.find((c) => c.startsWith('sf_session='));
    assert.match(session, /HttpOnly/);
    assert.match(session, /SameSite=Lax/);
    const csrf = /^sf_csrf=([^;]+)/.exec(cookies.find((c) => c.startsWith('sf_csrf=')))[1];
    const cookie = cookies.map((c) => c.split(';')[0]).join('; ');
    assert.equal((await s.get('/api/auth/me', { cookie })).status, 200);
    assertError(await s.put('/api/auth/me', { name: 'No token' }, { cookie }), 403);
    assertError(await s.put('/api/auth/me', { name: 'Bad token' }, { cookie, headers: { 'X-CSRF-Token': 'x' } }), 403);
    assert.equal((await s.put('/api/auth/me', { name: 'With it' }, { cookie, headers: { 'X-CSRF-Token': csrf } })).status, 200);
    assert.equal((await s.post('/auth/logout', undefined, { cookie, headers: { 'X-CSRF-Token': csrf } })).status, 200);
    assert.equal((await s.get('/api/auth/me', { cookie })).status, 401);
  });
});
