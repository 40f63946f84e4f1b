// What strangers can do to an account that is not theirs, and what they cannot: floods of sign-ins, guessing, codes, names in mails.
// Addresses are told by X-Forwarded-For, which the server believes of the test.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { day, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';

const PASSWORD = 'long enough 1', WRONG = 'wrong wrong';

onEachEngine(describe, after, 'abuse', (engine) => {
  let s, doc, admin, n = 0;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { WORKERS: '1', JOB_WORKERS: '1', TRUSTED_PROXIES: '127.0.0.1' } });
    doc = (await s.get('/api/openapi.json')).body;
    admin = await s.demoUser('admin');
  });
  after(() => s?.stop());
  /** A client: an address of its own, and the cookies it was given if it keeps them. */
  const client = ({ keeps = false } = {}) => {
    const ip = `10.${engine === 'sqlite' ? 1 : 2}.${++n >> 8}.${n & 255}`, jar = new Map();
    const ask = async (method, path, body, options = {}) => {
      const cookie = [...jar].map(([k, v]) => `${k}=${v}`).join('; ') || undefined;
      const r = await s.request(method, path, { body, cookie, headers: { 'X-Forwarded-For': ip, ...options.headers }, token: options.token });
      assertDocumented(doc, method, path, r);
      for (const c of keeps ? [r.headers['set-cookie'] ?? []].flat() : []) {
        const [, k, v] = /^(sf_device)=([^;]*)/.exec(c) ?? [];
        if (k) jar.set(k, v);
      }
      return r;
    };
    return { ip, jar, ask, post: (path, body, options) => ask('POST', path, body, options),
      at: (other) => ({ ip: other.ip }), login: (email, password, path = '/api/auth/login') => ask('POST', path, { email, password }) };
  };
  const address = () => `abuse-${++n}@example.com`;
  const outbox = async (email) => (await s.get(`/api/ops/outbox?to=${encodeURIComponent(email)}`, { token: admin.token })).body.mails;
  const mailed = (email, count) => until(async () => {
    const list = await outbox(email);
    return list.length >= count && list;
  }, { what: `${count} mails to ${email}` });
  const text = async (mail) => (await s.get(`/api/ops/outbox/${mail.id}`, { token: admin.token })).body.text;
  const CODE = /: (\d{6}|[0-9A-Z]{4}-[0-9A-Z]{4})\n/;
  /** The code in the newest of at least `count` mails. */
  const code = async (email, count = 1) => CODE.exec(await text((await mailed(email, count))[0]))[1];
  const member = async (who = client()) => {
    const email = address(), r = await who.post('/api/auth/register', { email, password: PASSWORD, name: 'A User' });
    assert.equal(r.status, 201, r.text);
    return { email, id: r.body.user.id, token: r.body.access_token };
  };

  describe('a flood of sign-ins', () => {
    test('from one address costs others a turn', async () => {
      const flooder = client(), honest = client(), { email } = await member();
      let served = 0;
      const flood = Array.from({ length: 16 }, (_, i) => flooder.login(`flood-${i % 4}@example.com`, WRONG).then((r) => { served++; return r; }));
      await Promise.any(flood); // all are in line once the first is served
      const before = served;
      assert.equal((await honest.login(email, PASSWORD)).status, 200);
      const overtaken = served - before;
      assert.ok(overtaken <= 6, `${overtaken} were served before`); // two that ran, a turn, and what came while it was hashed
      assert.ok((await Promise.all(flood)).every((r) => r.status === 401));
    });
  });

  describe('guessing a password', () => {
    /** As if that many strangers had failed with the name. */
    const failed = (email, count) => onDatabase(s, `INSERT INTO budgets (key, whole_at) VALUES ('sign-in ${email} ', ${(Date.now() + count * 120_000) * 1000})`);

    test('ten failures lock the name for the client that failed, and for nobody else', async () => {
      const owner = client(), thief = client(), { email, token } = await member(owner);
      for (let i = 0; i < 10; i++) assertError(await thief.login(email, WRONG), 401);
      const locked = await thief.login(email, PASSWORD);
      assertError(locked, 423);
      assert.equal(locked.headers['retry-after'], '900');
      assert.equal((await owner.login(email, PASSWORD)).status, 200);
      assert.equal((await client().login(email, PASSWORD)).status, 200, 'nor for one that the account has never seen');
      const changed = await thief.ask('PUT', '/api/auth/me', { password: 'another one', current_password: PASSWORD }, { token });
      assert.equal(changed.status, 200, 'a live sign-in may set a password from there, too');
      assertError(await thief.login(email, 'another one'), 423);
    });

    test('past their budget strangers are told to wait, whether or not anybody has the name; clients that are known go on', async () => {
      const owner = client({ keeps: true }), { email } = await member(owner), nobody = address();
      assert.equal((await owner.login(email, PASSWORD, '/auth/login')).status, 200);
      assert.equal(owner.jar.get('sf_device').length, 22);
      for (const name of [email, nobody]) {
        await failed(name, 99);
        assertError(await client().login(name, WRONG), 401); // the hundredth
        const r = await client().login(name, PASSWORD);
        assertError(r, 429);
        assert.ok(Number(r.headers['retry-after']) > 0);
      }
      assert.equal((await owner.login(email, PASSWORD)).status, 200);
      owner.ip = client().ip;
      const elsewhere = await s.post('/api/auth/login', { email, password: PASSWORD },
        { cookie: `sf_device=${owner.jar.get('sf_device')}`, headers: { 'X-Forwarded-For': client().ip } });
      assert.equal(elsewhere.status, 200, 'the browser is known at another address');
      // a new password by a code opens the account to the client that set it
      const fresh = client({ keeps: true });
      assert.equal((await fresh.post('/auth/forgot-password', { email })).status, 202);
      const otp = await code(email, 2);
      assert.equal((await fresh.post('/auth/reset-password', { email, otp, password: 'long enough 2', password_confirm: 'long enough 2' })).status, 200);
      assert.equal((await fresh.login(email, 'long enough 2')).status, 200);
    });
  });

  describe('codes', () => {
    const use = (who, email, otp, path = '/auth/verify-otp') => who.post(path, { email, otp, password: PASSWORD, password_confirm: PASSWORD });
    const wrong = (otp) => String((Number(otp) + 1) % 1_000_000).padStart(6, '0');
    const burn = async (who, email, otp) => { for (let i = 0; i < 6; i++) assertError(await use(who, email, wrong(otp)), 400, { field: 'otp' }); };
    const longAgo = (email) => onDatabase(s, `UPDATE otp_clients SET sent_at = '2020-01-01 00:00:00' WHERE email = '${email}'`);
    const ask = async (who, email, path = '/auth/register') => {
      await longAgo(email);
      const r = await who.post(path, { email });
      assert.equal(r.status, 202);
      assert.deepEqual([r.body.status, r.body.outbox], ['queued', true]);
    };

    test('wrong ones by a stranger leave the right one alone', async () => {
      const email = address(), owner = client();
      await ask(owner, email);
      const otp = await code(email);
      await burn(client(), email, otp);
      assert.equal((await use(owner, email, otp)).status, 201);
    });

    test('nor do those by a stranger at the same address spoil it for a browser', async () => {
      const email = address(), owner = client({ keeps: true });
      await ask(owner, email);
      const otp = await code(email);
      for (let i = 0; i < 6; i++)
        assertError(await s.post('/auth/verify-otp', { email, otp: wrong(otp), password: PASSWORD, password_confirm: PASSWORD }, { headers: { 'X-Forwarded-For': owner.ip } }), 400);
      assert.equal((await use(owner, email, otp)).status, 201);
    });

    test('a code can be used from elsewhere, by the newest mail; the five tries of all who did not ask are one budget', async () => {
      const [email, other] = [address(), address()];
      await ask(client(), email);
      assert.equal((await use(client(), email, await code(email))).status, 201);
      await ask(client(), other);
      const otp = await code(other);
      for (let i = 0; i < 5; i++) assertError(await use(client(), other, wrong(otp)), 400);
      assertError(await use(client(), other, otp), 400, { field: 'otp' });
    });

    test('a code that a stranger asks for takes the place of nobody else\'s', async () => {
      const email = address(), owner = client(), stranger = client();
      await ask(owner, email);
      const first = await code(email);
      await ask(stranger, email);
      const second = await code(email, 2);
      if (first !== second) assertError(await use(stranger, email, wrong(first)), 400);
      assert.equal((await use(owner, email, first)).status, 201);
      assertError(await use(stranger, email, second), 400, { field: 'otp' }); // all are over with it
    });

    test('a stranger who asks for many leaves the owner some, and a client that is known has its own', async () => {
      const owner = client(), { email } = await member(owner), stranger = client();
      const forgot = (who) => ask(who, email, '/auth/forgot-password');
      const sent = async (count) => assert.equal((await mailed(email, count)).length, count);
      for (let i = 0; i < 10; i++) await forgot(stranger);
      await sent(1 + 5); // the code that confirms the address, and the stranger's share
      await forgot(client());
      await sent(7);
      for (let i = 0; i < 6; i++) await forgot(client()); // four until the address has had its ten
      await sent(11);
      for (let i = 0; i < 4; i++) await forgot(owner);
      await sent(14); // three more
      assert.equal((await use(owner, email, await code(email, 14), '/auth/reset-password')).status, 200);
      const [[share]] = await onDatabase(s, `SELECT count(*) FROM budgets WHERE key LIKE 'otp-reset ${email} %' AND whole_at > 0`);
      assert.equal(Number(share), 1 + 6 + 1 + 1, 'clients that were sent some, all together, and the known ones');
      await onDatabase(s, `UPDATE budgets SET whole_at = whole_at - ${4 * 3600e6} WHERE key = 'otp-reset ${email} all'`); // four hours later
      await forgot(client());
      await sent(16); // with the word that the password was changed
    });
  });

  describe('an account that nobody has confirmed', () => {
    const EVIL = 'Your account is suspended, verify at http://evil.example/x';
    const confirm = (token, typed) => client().post('/api/auth/confirm', { code: typed }, { token });
    const registered = async (name) => {
      const email = address(), r = await client().post('/api/auth/register', { email, password: PASSWORD, name });
      assert.equal(r.status, 201);
      return { email, id: r.body.user.id, token: r.body.access_token, user: r.body.user };
    };

    test('works at once, and what it writes is mailed to nobody; confirmed, it is, but for links', async () => {
      const guest = await registered(EVIL);
      assert.equal(guest.user.email_confirmed, false);
      assert.equal(guest.user.is_active, true);
      const chef = await newChef(s, { name: '박셰프 @evil' });
      const book = async (hours) => {
        const r = await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: day(9 + hours), duration_hours: hours, special_requests: EVIL }, { token: guest.token });
        assert.equal(r.status, 201, r.text);
      };
      await book(1);
      for (const email of [guest.email, chef.user.email]) {
        const mail = await text((await mailed(email, 2)).find((m) => m.template === 'booking_created'));
        assert.doesNotMatch(mail, /evil|suspended|박셰프|A User/);
        assert.match(mail, /고객님이 \(이름 미확인\) 셰프에게/);
        assert.match(mail, /Chef \(name not confirmed\) has been asked for a booking by a guest\./);
        assert.match(mail, /^안녕하세요\./m);
      }
      const mail = (await outbox(guest.email)).find((m) => m.template === 'confirm'), words = await text(mail);
      assert.doesNotMatch(words, /evil|suspended/);
      assert.equal((await confirm(guest.token, CODE.exec(words)[1])).body.email_confirmed, true);
      const theirs = CODE.exec(await text((await outbox(chef.user.email)).find((m) => m.template === 'confirm')))[1];
      assert.equal((await confirm(chef.user.token, theirs.toLowerCase().replace('-', ' '))).status, 200);
      await book(2);
      const told = await text((await mailed(chef.user.email, 3))[0]);
      assert.match(told, /Chef 박셰프 evil has been asked for a booking by Your account is suspended, verify at …\./);
      assert.doesNotMatch(told, /evil\.example|http/);
    });

    test('is confirmed by the code that was mailed alone, in five tries, by itself', async () => {
      const [one, two] = [await registered('A'), await registered('B')], right = await code(one.email);
      assertError(await confirm(two.token, right), 400, { field: 'code' });
      assertError(await client().post('/api/auth/confirm', { code: right }), 401);
      assertError(await confirm(one.token, 'short'), 400, { field: 'code' });
      for (let i = 0; i < 5; i++) assertError(await confirm(one.token, 'AAAA-AAAA'), 400, { field: 'code' });
      assertError(await confirm(one.token, right), 400, { field: 'code' });
      const again = () => client().post('/api/auth/confirm/mail', undefined, { token: one.token });
      assert.equal((await again()).status, 202); // within the minute: nothing
      await onDatabase(s, `UPDATE email_codes SET sent_at = '2020-01-01 00:00:00' WHERE user_id = ${one.id}`);
      const r = await again();
      assert.deepEqual([r.status, r.body.status, r.body.outbox], [202, 'queued', true]);
      const next = await code(one.email, 2);
      assert.equal((await outbox(one.email)).length, 2);
      const [[stored]] = await onDatabase(s, `SELECT code_hash FROM email_codes WHERE user_id = ${one.id}`);
      assert.match(stored, /^[0-9a-f]{64}$/);
      assert.equal((await confirm(one.token, next)).status, 200);
      assert.equal((await client().ask('GET', '/api/auth/me', undefined, { token: one.token })).body.email_confirmed, true);
      assertError(await confirm(one.token, next), 400, { field: 'code' }); // used
      assertError(await again(), 409);
    });

    test('is not one that came from a code, the demo or older data; a new password by a code confirms', async () => {
      assert.equal((await s.get('/api/auth/me', { token: admin.token })).body.email_confirmed, true);
      const email = address(), who = client();
      await who.post('/auth/register', { email });
      const made = await who.post('/auth/verify-otp', { email, otp: await code(email), password: PASSWORD, password_confirm: PASSWORD, name: '김철수' });
      assert.deepEqual([made.status, made.body.email_confirmed, made.body.name], [201, true, '김철수']);
      const squatted = await registered('Not its owner');
      await onDatabase(s, `INSERT INTO telegram_links (user_id, chat_id, linked_at) VALUES (${squatted.id}, 77, '2026-01-01 00:00:00.000000')`);
      await who.post('/auth/forgot-password', { email: squatted.email });
      const reset = await who.post('/auth/reset-password', { email: squatted.email, otp: await code(squatted.email, 2), password: 'long enough 2', password_confirm: 'long enough 2' });
      assert.equal(reset.status, 200);
      assertError(await s.get('/api/auth/me', { token: squatted.token }), 401); // who made it is out
      const login = await who.login(squatted.email, 'long enough 2');
      assert.deepEqual([login.body.user.email_confirmed, login.body.user.name], [true, squatted.email.split('@')[0]]);
      assert.equal((await s.get('/api/telegram/link', { token: login.body.access_token })).body.linked, false);
      await onDatabase(s, `INSERT INTO users (email, password_hash, name) VALUES ('old-${engine}@example.com', 'x', 'Old')`);
      const { users } = (await s.get(`/api/platform/admin/users?q=old-${engine}`, { token: admin.token })).body;
      assert.deepEqual(users.map((u) => u.email_confirmed), [true]);
    });
  });

  test('REGISTER_QUIET: nothing tells an address that has an account from one that has none', async () => {
    const quiet = await Server.start({ engine, demo: true, env: { WORKERS: '1', JOB_WORKERS: '1', REGISTER_QUIET: '1' } });
    try {
      const boss = await quiet.demoUser('admin'), fresh = address();
      const ask = async (email) => {
        const r = await quiet.post('/api/auth/register', { email, password: PASSWORD, name: '김철수' });
        assertDocumented(doc, 'POST', '/api/auth/register', r);
        return [r.status, r.body];
      };
      const taken = await ask('chef@softfactory.com');
      assert.equal(taken[0], 202);
      assert.deepEqual(await ask(fresh), taken);
      assert.deepEqual((await quiet.post('/auth/register', { email: 'other@example.com' })).body, taken[1]);
      const mails = (to) => until(async () => {
        const { mails: list } = (await quiet.get(`/api/ops/outbox?to=${to}`, { token: boss.token })).body;
        return list.length && list;
      }, { what: `a mail to ${to}` });
      assert.equal((await mails('chef@softfactory.com'))[0].template, 'has_account');
      const [mail] = await mails(fresh), { text: words } = (await quiet.get(`/api/ops/outbox/${mail.id}`, { token: boss.token })).body;
      assertError(await quiet.post('/api/auth/login', { email: fresh, password: PASSWORD }), 401); // nothing is made yet
      const made = await quiet.post('/auth/verify-otp', { email: fresh, otp: CODE.exec(words)[1], password: PASSWORD, password_confirm: PASSWORD, name: '김철수' });
      assert.deepEqual([made.status, made.body.name], [201, '김철수']);
    } finally {
      await quiet.stop();
    }
  });
});
