// Accounts proved by a mailed code: registering, a forgotten password, the session cookie, and what is refused.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { onDatabase } from '../lib/coocook.mjs';

const PASSWORD = 'long enough 1';

onEachEngine(describe, after, 'otp', (engine) => {
  let s, doc, admin, n = 0;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { WORKERS: '2', JOB_WORKERS: '1' } });
    doc = (await s.get('/api/openapi.json')).body;
    admin = await s.demoUser('admin');
  });
  after(() => s?.stop());
  const address = () => `otp-${++n}@example.com`;
  const ask = async (path, email) => {
    const r = await s.post(path, { email });
    assertDocumented(doc, 'POST', path, r);
    return r;
  };
  const mails = async (email) => (await s.get(`/api/ops/outbox?to=${encodeURIComponent(email)}`, { token: admin.token })).body.mails;
  /** The code in the newest of at least `count` mails to the address. */
  const code = async (email, count = 1) => {
    const [newest] = await until(async () => {
      const list = await mails(email);
      return list.length >= count && list;
    }, { what: `${count} mails to ${email}` });
    const { text } = (await s.get(`/api/ops/outbox/${newest.id}`, { token: admin.token })).body;
    return /: (\d{6})\n/.exec(text)?.[1];
  };
  const use = async (path, email, otp, password = PASSWORD, again = password) => {
    const r = await s.post(path, { email, otp, password, password_confirm: again });
    assertDocumented(doc, 'POST', path, r);
    return r;
  };
  const wrong = (otp) => String((Number(otp) + 1) % 1_000_000).padStart(6, '0');
  const longAgo = (email) => onDatabase(s, `UPDATE otp_clients SET sent_at = '2020-01-01 00:00:00' WHERE email = '${email}'`);
  const registered = async () => {
    const email = address();
    assert.equal((await ask('/auth/register', email)).status, 202);
    assert.equal((await use('/auth/verify-otp', email, await code(email))).status, 201);
    return email;
  };

  test('an answer that was lost is asked for again with the Idempotency-Key, though the code is used', async () => {
    const email = address();
    await ask('/auth/register', email);
    const body = { email, otp: await code(email), password: PASSWORD, password_confirm: PASSWORD };
    const verify = async () => {
      const r = await s.request('POST', '/auth/verify-otp', { body, headers: { 'Idempotency-Key': `of-${email}` } });
      assertDocumented(doc, 'POST', '/auth/verify-otp', r);
      return r;
    };
    const first = await verify(), again = await verify();
    assert.deepEqual([first.status, again.status, again.text, again.headers['idempotent-replayed']], [201, 201, first.text, 'true']);
    assertError(await s.post('/auth/verify-otp', body), 400, { field: 'otp' });
  });

  test('registering: a code, then an account that is active and may sign in', async () => {
    const email = address();
    const asked = await ask('/auth/register', email.toUpperCase());
    assert.equal(asked.status, 202);
    assert.equal(asked.body.outbox, true);
    assertError(await s.post('/auth/login', { email, password: PASSWORD }), 401);
    const otp = await code(email);
    const made = await use('/auth/verify-otp', email, otp);
    assert.equal(made.status, 201);
    assert.deepEqual([made.body.email, made.body.role, made.body.is_active], [email, 'user', true]);
    const login = await s.post('/auth/login', { email, password: PASSWORD });
    assert.equal(login.status, 200);
    const subscribed = await s.get('/api/payment/subscriptions', { token: login.body.access_token });
    assert.deepEqual(subscribed.body.map((p) => p.product_slug), ['coocook'], 'in demo mode, as by any other way to join');
    assertError(await use('/auth/verify-otp', email, otp), 400, { field: 'otp' }); // used
  });

  test('the session: a cookie that scripts cannot read, a token for writes, and its end', async () => {
    const email = await registered();
    const r = await s.post('/auth/login', { email, password: PASSWORD });
    assertDocumented(doc, 'POST', '/auth/login', r);
    const set = [r.headers['set-cookie']].flat();
    const session = set.find((c) => c.startsWith('sf_session=')), csrf = set.find((c) => c.startsWith('sf_csrf='));
    assert.match(session, /HttpOnly/i);
    assert.match(session, /SameSite=Lax/i);
    assert.match(session, /Path=\//i);
    assert.doesNotMatch(csrf, /HttpOnly/i);
    const cookie = [session, csrf].map((c) => c.split(';')[0]).join('; ');
    const token = decodeURIComponent(csrf.split(';')[0].slice('sf_csrf='.length));
    assert.equal((await s.get('/api/auth/me', { cookie })).body.email, email);
    assertError(await s.request('PUT', '/api/auth/me', { cookie, body: { name: 'x' } }), 403);
    assert.equal((await s.request('PUT', '/api/auth/me', { cookie, body: { name: 'x' }, headers: { 'X-CSRF-Token': token } })).status, 200);
    const out = await s.post('/auth/logout', undefined, { cookie });
    assert.equal(out.status, 200, out.text);
    assertDocumented(doc, 'POST', '/auth/logout', out);
    assert.ok([out.headers['set-cookie']].flat().some((c) => /^sf_session=;.*Max-Age=0/i.test(c)));
    assertError(await s.get('/api/auth/me', { cookie }), 401);
    assertError(await s.post('/auth/logout'), 401);
  });

  test('a forgotten password: a code, then every session and token is over', async () => {
    const email = await registered();
    const login = await s.post('/auth/login', { email, password: PASSWORD });
    const cookie = [login.headers['set-cookie']].flat().map((c) => c.split(';')[0]).join('; ');
    await until(async () => (await mails(email)).length === 2, { what: 'the welcome' });
    assert.equal((await ask('/auth/forgot-password', email)).status, 202);
    const otp = await code(email, 3);
    assertError(await use('/auth/verify-otp', email, otp), 400, { field: 'otp' }); // of another purpose
    const many = await Promise.all(Array.from({ length: 4 }, () => use('/auth/reset-password', email, otp, 'long enough 2')));
    assert.deepEqual(many.map((r) => r.status).sort(), [200, 400, 400, 400], 'one code sets one password');
    const [[live]] = await onDatabase(s, `SELECT count(*) FROM refresh_tokens WHERE user_id = ${login.body.user.id} AND NOT revoked`);
    assert.equal(Number(live), 0, 'longer than memory lasts');
    assertError(await s.get('/api/auth/me', { cookie }), 401);
    assertError(await s.get('/api/auth/me', { token: login.body.access_token }), 401);
    assertError(await s.post('/api/auth/refresh', { refresh_token: login.body.refresh_token }), 401);
    assertError(await s.post('/auth/login', { email, password: PASSWORD }), 401);
    assert.equal((await s.post('/auth/login', { email, password: 'long enough 2' })).status, 200);
    assertError(await use('/auth/reset-password', email, otp, 'long enough 3'), 400, { field: 'otp' }); // used
    await until(async () => (await mails(email)).length === 4, { what: 'word of the change' });
    await longAgo(email); // and it can be forgotten again, after guessing too often
    await onDatabase(s, `INSERT INTO client_failures (email, client, failures, since)
      SELECT '${email}', client, 10, '${new Date().toISOString().slice(0, 23).replace('T', ' ')}000' FROM known_clients WHERE user_id = ${login.body.user.id}`);
    assertError(await s.post('/auth/login', { email, password: 'long enough 2' }), 423);
    assert.equal((await ask('/auth/forgot-password', email)).status, 202);
    assert.equal((await use('/auth/reset-password', email, await code(email, 5), 'long enough 3')).status, 200);
    assert.equal((await s.post('/auth/login', { email, password: 'long enough 3' })).status, 200);
  });

  test('nobody learns who has an account', async () => {
    const known = await registered(), unknown = address();
    await longAgo(known);
    for (const path of ['/auth/register', '/auth/forgot-password']) {
      const [a, b] = [await ask(path, known), await ask(path, unknown)];
      assert.deepEqual([a.status, a.body], [b.status, b.body], path);
    }
    for (const path of ['/auth/verify-otp', '/auth/reset-password']) {
      const [a, b] = [await use(path, known, '000000'), await use(path, unknown, '000000')];
      for (const r of [a, b]) delete r.body.request_id;
      assert.deepEqual([a.status, a.body], [b.status, b.body], path);
    }
    const templates = async (email) => (await mails(email)).map((m) => m.template).sort();
    await until(async () => (await mails(known)).length === 4 && (await mails(unknown)).length === 2, { what: 'all mails' });
    assert.deepEqual(await templates(known), ['has_account', 'otp', 'otp', 'welcome']);
    assert.deepEqual(await templates(unknown), ['no_account', 'otp']);
  });

  test('a code can be tried five times, however many ask at once', async () => {
    const email = address();
    await ask('/auth/register', email);
    const otp = await code(email);
    const tries = await Promise.all(Array.from({ length: 20 }, () => use('/auth/verify-otp', email, wrong(otp))));
    for (const r of tries) assertError(r, 400, { field: 'otp' });
    for (const table of ['otps', 'otp_clients']) {
      const [[counted]] = await onDatabase(s, `SELECT max(tries) FROM ${table} WHERE email = '${email}'`);
      assert.equal(Number(counted), 5, table);
    }
    assertError(await use('/auth/verify-otp', email, otp), 400, { field: 'otp' });
    await longAgo(email); // a new one helps
    await ask('/auth/register', email);
    assert.equal((await use('/auth/verify-otp', email, await code(email, 2))).status, 201);
  });

  test('a code is over after ten minutes, ends the one before, and is not sent twice a minute', async () => {
    const email = address();
    await ask('/auth/register', email);
    const first = await code(email);
    const [[life]] = await onDatabase(s, engine === 'postgres'
      ? `SELECT round(extract(epoch FROM expires_at - sent_at)) FROM otps WHERE email = '${email}'`
      : `SELECT round((julianday(expires_at) - julianday(sent_at)) * 86400) FROM otps WHERE email = '${email}'`);
    assert.equal(Number(life), 600);
    const again = await Promise.all(Array.from({ length: 5 }, () => ask('/auth/register', email)));
    assert.ok(again.every((r) => r.status === 202));
    await longAgo(email);
    await ask('/auth/register', email);
    const second = await code(email, 2);
    assert.equal((await mails(email)).length, 2, 'five within the minute sent nothing');
    if (first !== second) assertError(await use('/auth/verify-otp', email, first), 400, { field: 'otp' });
    for (const table of ['otps', 'otp_clients']) await onDatabase(s, `UPDATE ${table} SET expires_at = '2020-01-01 00:00:00' WHERE email = '${email}'`);
    assertError(await use('/auth/verify-otp', email, second), 400, { field: 'otp' });
  });

  test('a code is nowhere to be read but in the mail', async () => {
    const email = address();
    await ask('/auth/register', email);
    const otp = await code(email);
    const hashes = await onDatabase(s, `SELECT otp_hash FROM otps WHERE email = '${email}' UNION ALL SELECT otp_hash FROM otp_clients WHERE email = '${email}'`);
    assert.equal(hashes.length, 3);
    for (const [hash] of hashes) assert.match(hash, /^[0-9a-f]{64}$/);
    const payloads = await onDatabase(s, `SELECT payload FROM job_history WHERE kind = 'email.send' AND payload LIKE '%${email}%'`);
    assert.equal(payloads.length, 1);
    assert.ok(!payloads[0][0].includes(otp));
    assert.ok(!s.daemon.log().includes(otp));
  });

  test('one code makes one account', async () => {
    const email = address();
    await ask('/auth/register', email);
    const otp = await code(email);
    const made = await Promise.all(Array.from({ length: 5 }, () => use('/auth/verify-otp', email, otp)));
    assert.deepEqual(made.map((r) => r.status).sort(), [201, 400, 400, 400, 400]);
    await until(async () => (await mails(email)).some((m) => m.template === 'welcome'), { what: 'the welcome' });
    assert.equal((await mails(email)).filter((m) => m.template === 'welcome').length, 1);
  });

  test('what is refused at once', async () => {
    for (const path of ['/auth/register', '/auth/forgot-password']) {
      assertError(await ask(path, 'not an address'), 400, { field: 'email' });
      assertError(await ask(path, 'a@b.example\r\nBcc: all@x.kr'), 400, { field: 'email' });
      for (const email of ['김@example.com', 'kim@예.한국', 'a..b@example.com', 'a@-b.example']) assertError(await ask(path, email), 400, { field: 'email' });
      assertError(await s.post(path, {}), 400, { field: 'email' });
      assertError(await s.post(path, 'email=a@b.example', { headers: { 'Content-Type': 'text/plain' } }), 415);
      assertError(await s.get(path), 405);
    }
    for (const path of ['/auth/verify-otp', '/auth/reset-password']) {
      const email = address();
      assertError(await use(path, email, '123456', 'short'), 400, { field: 'password' });
      assertError(await use(path, email, '123456', PASSWORD, 'long enough 2'), 400, { field: 'password_confirm' });
      assertError(await use(path, email, '12345'), 400, { field: 'otp' });
      assertError(await use(path, email, 'abcdef'), 400, { field: 'otp' });
      assertError(await s.post(path, { email }), 400, { field: 'otp' });
    }
    assertError(await s.post('/auth/login', { email: 'nobody@example.com', password: PASSWORD }), 401);
    assertError(await s.post('/auth/login', { email: 'nobody@example.com' }), 400, { field: 'password' });
  });

  test('who was locked out stays out: a code sets the password, not the account', async () => {
    const email = await registered();
    const login = await s.post('/auth/login', { email, password: PASSWORD }), { id } = login.body.user;
    const cookie = [login.headers['set-cookie']].flat().map((c) => c.split(';')[0]).join('; ');
    const active = (is) => onDatabase(s, `UPDATE users SET is_active = ${is} WHERE id = ${id}`);
    await active(false); // whoever did it
    assertError(await s.get('/api/auth/me', { cookie }), 401);
    await active(true);
    const locked = await s.request('PUT', `/api/platform/admin/users/${id}`, { token: admin.token, body: { is_active: false } });
    assert.equal(locked.status, 200, locked.text);
    await until(async () => (await mails(email)).length === 2, { what: 'the welcome' });
    await ask('/auth/forgot-password', email);
    await use('/auth/reset-password', email, (await code(email, 3)) ?? '000000', 'long enough 2');
    assertError(await s.post('/auth/login', { email, password: 'long enough 2' }), 403);
  });
});
