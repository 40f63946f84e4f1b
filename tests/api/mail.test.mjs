// Mail without a server: bookings and accounts fill the outbox, once each, and an administrator reads it.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { confirm, day, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';
import { addMails } from '../lib/jobs.mjs';

onEachEngine(describe, after, 'mail', (engine) => {
  let s, doc, admin;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { WORKERS: '1', JOB_WORKERS: '1' } });
    doc = (await s.get('/api/openapi.json')).body;
    admin = await s.demoUser('admin');
  });
  after(() => s?.stop());
  const outbox = async (to) => (await s.get(`/api/ops/outbox?to=${encodeURIComponent(to)}`, { token: admin.token })).body.mails;
  const mailed = (to, n) => until(async () => {
    const m = await outbox(to);
    return m.length >= n && m;
  }, { what: `${n} mails to ${to}` });
  /** Once every mail that was asked for is told. */
  const told = () => until(async () => (await onDatabase(s, "SELECT count(*) FROM jobs WHERE kind = 'email.send'"))[0][0] === '0', { what: 'every mail that was asked for to be told' });
  const read = async (id) => (await s.get(`/api/ops/outbox/${id}`, { token: admin.token })).body;

  test('a booking is told to both sides at each step', async () => {
    const chef = await newChef(s, { name: '<b>박</b> & 셰프' }), guest = await subscriber(s);
    await confirm(s, chef.user);
    const b = await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: day(9), duration_hours: 2 }, { token: guest.token });
    assert.equal(b.status, 201, b.text);
    const path = `/api/coocook/bookings/${b.body.id}`;
    assert.equal((await s.request('PUT', path, { token: chef.user.token, body: { status: 'confirmed' } })).status, 200);
    assert.equal((await s.post(`${path}/pay`, { amount: b.body.total_price }, { token: guest.token })).status, 200);
    assert.equal((await s.request('DELETE', path, { token: guest.token })).status, 200);
    const want = ['booking_cancelled', 'booking_confirmed', 'booking_created', 'booking_paid'];
    for (const email of [guest.email, chef.user.email]) {
      const mails = await mailed(email, 5);
      assert.deepEqual(mails.map((m) => m.template).sort(), [...want, 'confirm']);
      const one = await read(mails.find((m) => m.template === 'booking_created').id);
      assert.match(one.text, /<b>박<\/b> & 셰프/);
      assert.match(one.html, /&lt;b&gt;박&lt;\/b&gt; &amp; 셰프/);
      assert.match(one.text, new RegExp(`: ${b.body.id}\\n`));
      assert.match(one.subject, /예약 요청.*A booking has been requested/);
    }
  });

  test('a booking that is refused mails nobody', async () => {
    const chef = await newChef(s), guest = await subscriber(s);
    const ask = () => s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(9)}T10:00:00Z`, duration_hours: 2 }, { token: guest.token });
    assert.equal((await ask()).status, 201);
    assertError(await ask(), 409);
    await mailed(guest.email, 2);
    await told(); // the chef's, too
    assert.deepEqual((await outbox(guest.email)).map((m) => m.template).sort(), ['booking_created', 'confirm']);
  });

  test('many that were asked for together are kept at once, and what cannot be written is dead by itself', async () => {
    const to = (i) => `many-${i}-${engine}@example.com`, at = Date.now() * 1000;
    const mails = Array.from({ length: 20 }, (_, i) => ({ template: 'welcome', to: to(i), at: at + i, data: { email: `"${i}" <b>` } }));
    const id = await addMails(s, [...mails, { ...mails[0], to: 'nobody at all' }, { ...mails[0], data: {} }, mails[0]], admin.id);
    const state = async () => Object.fromEntries((await onDatabase(s, `SELECT error, state FROM job_history WHERE id >= ${id} AND state = 'dead'`)).map(([e, st]) => [e, st]));
    await until(async () => Object.keys(await state()).length === 2, { what: 'two that are dead' });
    assert.deepEqual(await state(), { '"nobody at all" is not an address that mail can be sent to': 'dead', 'the template "welcome" needs the field "email"': 'dead' });
    for (let i = 0; i < 20; i++) assert.equal((await mailed(to(i), 1)).length, i ? 1 : 2, to(i));
    const [one] = await outbox(to(7)), mail = await read(one.id);
    assert.equal(mail.template, 'welcome');
    assert.equal(Date.parse(mail.created_at), Math.floor((at + 7) / 1000));
    assert.match(mail.text, /"7" <b>/);
    assert.match(mail.message_id, new RegExp(`^job-${id}-7\\.[0-9a-f]{16}@`));
  });

  test('the outbox is an administrator\'s', async () => {
    const list = await s.get('/api/ops/outbox?per_page=2', { token: admin.token });
    assertDocumented(doc, 'GET', '/api/ops/outbox', list);
    assert.equal(list.body.mails.length, 2);
    assert.ok(list.body.total >= 9);
    assert.ok(list.body.mails[0].id > list.body.mails[1].id);
    assertDocumented(doc, 'GET', '/api/ops/outbox/1', await s.get(`/api/ops/outbox/${list.body.mails[0].id}`, { token: admin.token }));
    const path = `/api/ops/outbox/${list.body.mails[0].id}/html`, html = await s.get(path, { token: admin.token });
    assertDocumented(doc, 'GET', '/api/ops/outbox/1/html', html);
    assert.equal(html.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(html.text, (await read(list.body.mails[0].id)).html);
    assert.match(html.headers['content-security-policy'], /^sandbox; default-src 'none'; .*frame-ancestors 'self'$/, 'this one alone');
    assertError(await s.get(path), 401);
    assertError(await s.get(path, { token: (await s.user()).token }), 403);
    assertError(await s.get('/api/ops/outbox/999999/html', { token: admin.token }), 404);
    assertError(await s.get('/api/ops/outbox'), 401);
    assertError(await s.get('/api/ops/outbox', { token: (await s.user()).token }), 403);
    assertError(await s.get('/api/ops/outbox/999999', { token: admin.token }), 404);
  });

  test('the newest ten thousand are kept', async () => {
    await told();
    const email = `kept-${engine}@example.com`, before = (await s.get('/api/ops/outbox', { token: admin.token })).body;
    assert.ok(before.total > 5);
    await onDatabase(s, engine === 'postgres' ? "SELECT setval(pg_get_serial_sequence('mail_outbox', 'id'), 20000)"
      : "INSERT INTO mail_outbox SELECT 20000, 'x', template, sender, recipient, subject, body_text, body_html, created_at FROM mail_outbox LIMIT 1");
    await s.post('/auth/register', { email });
    const [mail] = await mailed(email, 1), { body } = await s.get('/api/ops/outbox', { token: admin.token });
    assert.equal(mail.id, 20001);
    assert.deepEqual(body.mails.filter((m) => m.id < 20000), []);
    assert.equal(body.total, engine === 'postgres' ? 1 : 2);
  });

  test('an account by a code, and a forgotten password', async () => {
    const email = `otp-${engine}@example.com`;
    const first = await s.post('/auth/register', { email });
    assert.equal(first.status, 202, first.text);
    assertDocumented(doc, 'POST', '/auth/register', first);
    const code = async (template, n) => /: (\d{6})\n/.exec((await read((await mailed(email, n)).find((m) => m.template === template).id)).text)[1];
    const otp = await code('otp', 1);
    const use = (path, code_, password) => s.post(path, { email, otp: code_, password, password_confirm: password });
    const at_once = await Promise.all(Array.from({ length: 4 }, () => use('/auth/verify-otp', otp, 'long enough 1')));
    assert.deepEqual(at_once.map((r) => r.status).sort(), [201, 400, 400, 400]);
    assertDocumented(doc, 'POST', '/auth/verify-otp', at_once.find((r) => r.status === 201));
    const user = await s.post('/auth/login', { email, password: 'long enough 1' });
    assert.equal(user.status, 200, user.text);
    const [known, unknown] = [await s.post('/auth/forgot-password', { email }), await s.post('/auth/forgot-password', { email: `no-${email}` })];
    assert.deepEqual([known.status, known.body], [unknown.status, unknown.body]);
    const mails = await mailed(email, 3);
    const reset = /: (\d{6})\n/.exec((await read(mails[0].id)).text)[1];
    const done = await use('/auth/reset-password', reset, 'long enough 2');
    assert.equal(done.status, 200, done.text);
    assertDocumented(doc, 'POST', '/auth/reset-password', done);
    assertError(await s.get('/api/auth/me', { token: user.body.access_token }), 401);
    assert.equal((await s.post('/auth/login', { email, password: 'long enough 2' })).status, 200);
    assert.deepEqual((await mailed(email, 4)).map((m) => m.template).sort(), ['otp', 'otp', 'password_changed', 'welcome']);
    assert.equal((await mailed(`no-${email}`, 1))[0].template, 'no_account');
  });
});
