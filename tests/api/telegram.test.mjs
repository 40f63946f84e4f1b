// The Telegram bot: linking a chat, commands, each update once, and what becomes of messages that the Bot API refuses.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { confirm, day, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';
import { certificates } from '../lib/smtp.mjs';
import { runJob } from '../lib/jobs.mjs';
import { BotApi } from '../lib/telegram.mjs';

const SECRET = 'the-secret-of-the-webhook';
const HOOK = `/api/telegram/webhook/${SECRET}`;

onEachEngine(describe, after, 'telegram', (engine) => {
  let s, api, doc, update = 1000, chat = 5000;
  before(async () => {
    api = await BotApi.start();
    s = await Server.start({ engine, env: { LOG_LEVEL: 'debug', TELEGRAM_BOT: 'softfactory_bot', TELEGRAM_BASE_URL: api.url, TELEGRAM_TOKEN: api.token, TELEGRAM_WEBHOOK_SECRET: SECRET } });
    doc = (await s.get('/api/openapi.json')).body;
  });
  after(async () => {
    await s?.stop();
    await api?.stop();
  });
  const message = (id, text, type = 'private') => ({ message_id: 1, date: 1, chat: { id, type }, from: { id }, text });
  const say = async (id, text, n = ++update, headers = {}) => {
    const r = await s.post(HOOK, { update_id: n, message: message(id, text) }, { headers });
    assert.equal(r.status, 200, r.text);
    assertDocumented(doc, 'POST', HOOK, r);
    return n;
  };
  const hears = (id, n, what) => until(() => api.to(id).length >= n && api.to(id)[n - 1], { ms: 60_000, what });
  const answer = async (id, text) => {
    const n = api.to(id).length;
    await say(id, text);
    return hears(id, n + 1, `the answer to ${text}`);
  };
  const code = async (user) => {
    const r = await s.post('/api/telegram/link', undefined, { token: user.token });
    assertDocumented(doc, 'POST', '/api/telegram/link', r);
    assert.equal(r.status, 201);
    return r.body;
  };
  const job = async (text) => (await onDatabase(s, `SELECT state, attempts, error FROM jobs WHERE payload LIKE '%${text}%'
    UNION ALL SELECT state, attempts, error FROM job_history WHERE payload LIKE '%${text}%'`))[0];

  test('the secret is asked for', async () => {
    const body = { update_id: 1, message: message(1, '/status') };
    assertError(await s.post('/api/telegram/webhook/wrong', body), 404);
    assertError(await s.post(`${HOOK}x`, body), 404);
    assertError(await s.post(`/api/telegram/webhook/${SECRET.slice(1)}`, body), 404);
    assertError(await s.get(HOOK), 405);
    const head = (path, length) => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    assert.match((await s.raw(head('/api/telegram/webhook/wrong', 60_000))).text, /^HTTP\/1\.1 404 /, 'before the body is read');
    assert.match((await s.raw(head('/api/telegram/webhook/wrong', 2_000_000))).text, /^HTTP\/1\.1 404 /);
    const gz = (path) => s.request('POST', path, { body: gzipSync(JSON.stringify({ update_id: 2 })), headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' } });
    assertError(await gz('/api/telegram/webhook/wrong'), 404);
    assert.equal((await gz(HOOK)).status, 200, 'in gzip, too');
    assertError(await s.get('/api/telegram/link'), 401);
    assertError(await s.post('/api/telegram/link'), 401);
    await until(() => s.daemon.lines.some((l) => l.includes('"status":405') && l.includes('"path":null')), { what: 'the log' });
    assert.equal(api.asked.length, 0);
    assert.ok(!s.daemon.lines.some((l) => l.includes(SECRET)), 'the secret is in no log line');
  });

  test('a chat is unlinked by its user', async () => {
    const user = await s.user(), here = ++chat, link = () => s.request('DELETE', '/api/telegram/link', { token: user.token });
    assertError(await link(), 404);
    assert.match(await answer(here, (await code(user)).command), /linked to your account/);
    const ended = await link();
    assert.equal(ended.status, 200);
    assertDocumented(doc, 'DELETE', '/api/telegram/link', ended);
    const { body } = await s.get('/api/telegram/link', { token: user.token });
    assert.deepEqual(body, { configured: true, linked: false, linked_at: null });
    assert.match(await answer(here, '/status'), /not linked/);
    assertError(await link(), 404);
    assertError(await s.request('DELETE', '/api/telegram/link'), 401);
    assertError(await s.get('/api/telegram/link'), 401);
  });

  test('a code drawn before a new password, or before all sign-ins were ended, links nothing', async () => {
    const user = await s.user(), here = ++chat;
    for (const end of [() => s.request('PUT', '/api/auth/me', { token: user.token, body: { current_password: user.password, password: 'another eight888' } }),
      () => s.post('/api/auth/logout-all', {}, { token: user.token })]) {
      const drawn = await code(user), r = await end();
      assert.equal(r.status, 200, r.text);
      user.token = r.body.access_token ?? (await s.login(user.email, 'another eight888')).token;
      assert.match(await answer(here, drawn.command), /not valid/);
      assert.match(await answer(here, '/status'), /not linked/);
    }
    assert.match(await answer(here, (await code(user)).command), /linked to your account/);
  });

  test('a code links a chat, once', async () => {
    const user = await s.user();
    const here = ++chat;
    await onDatabase(s, `UPDATE users SET name = '김\n예약' WHERE id = ${user.id}`); // brought in with older data
    assert.match(await answer(here, '/status'), /not linked/);
    const first = await code(user);
    assert.equal(first.linked, false);
    assert.equal(first.command, `/start ${first.code}`);
    assert.equal(first.url, `https://t.me/softfactory_bot?start=${first.code}`);
    const left = new Date(first.expires_at) - Date.now();
    assert.ok(left > 590_000 && left <= 600_000, `${left} ms`);
    const second = await code(user);
    assert.match(await answer(here, first.command), /not valid/, 'a new code ends the one before');
    assert.match(await answer(here, second.command), /linked to your account/);
    assert.match(await answer(here, '/status'), new RegExp(`김 예약 \\(${user.email}\\)`));
    assert.equal((await code(user)).linked, true);
    const state = await s.get('/api/telegram/link', { token: user.token });
    assertDocumented(doc, 'GET', '/api/telegram/link', state);
    assert.deepEqual([state.body.configured, state.body.linked], [true, true]);
    assert.ok(Date.now() - new Date(state.body.linked_at) < 60_000);
    const other = ++chat;
    assert.match(await answer(other, second.command), /not valid/, 'a code works once');
    const third = await code(user);
    assert.match(await answer(other, `/start@AnyBot ${third.code}`), /linked to your account/);
    assert.match(await hears(here, api.to(here).length, 'the older chat to be told'), /linked to another chat now/);
    assert.match(await answer(here, '/status'), /not linked/, 'the newer chat takes the place of the older');
    assert.match(await answer(other, '/stop'), /no longer linked/);
    assert.match(await answer(other, '/stop'), /was not linked/);
    assert.match(await answer(other, (await code(user)).command), /linked to your account/);
    await onDatabase(s, `UPDATE users SET is_active = false WHERE id = ${user.id}`);
    assert.match(await answer(other, '/status'), /not linked/, 'an account that is closed is told nothing');
    await onDatabase(s, `UPDATE users SET is_active = true WHERE id = ${user.id}`);
    const late = await code(user);
    await onDatabase(s, `UPDATE telegram_codes SET expires_at = '2020-01-01 00:00:00.000000'`);
    assert.match(await answer(other, late.command), /not valid/, 'its time is over');
  });

  test('a chat that is linked is asked, by name, before a code of another account takes its place', async () => {
    const user = await s.user({ name: '이서준' }), guest = await s.user({ name: '박하늘' }), here = ++chat;
    await confirm(s, user, guest);
    const linkedTo = async (who) => (await s.get('/api/telegram/link', { token: who.token })).body.linked;
    assert.match(await answer(here, (await code(user)).command), new RegExp(`linked to your account, 이서준 \\(${user.email}\\)`));
    const theirs = await code(guest);
    const asked = await answer(here, theirs.command);
    assert.match(asked, new RegExp(`이서준 \\(${user.email}\\). Nothing has changed`));
    assert.match(asked, new RegExp(`박하늘 \\(${guest.email}\\)`));
    assert.ok(asked.endsWith(`\n/switch ${theirs.code}`), asked);
    assert.deepEqual([await linkedTo(user), await linkedTo(guest)], [true, false]);
    assert.match(await answer(here, '/switch not-a-code'), /not valid/);
    assert.deepEqual([await linkedTo(user), await linkedTo(guest)], [true, false]);
    assert.match(await answer(here, `/switch ${theirs.code}`), /linked to your account, 박하늘/, 'asking has not used the code up');
    assert.deepEqual([await linkedTo(user), await linkedTo(guest)], [false, true]);
    assert.match(await answer(here, `/switch ${theirs.code}`), /not valid/, 'switching has');
    assert.match(await answer(here, (await code(guest)).command), /linked to your account, 박하늘/, 'the same account is not asked');
  });

  test('a code is made by POST alone: reading the state, by GET or HEAD, changes nothing', async () => {
    const user = await s.user(), made = await code(user), here = ++chat;
    for (const method of ['GET', 'HEAD']) {
      const r = await s.request(method, '/api/telegram/link', { token: user.token });
      assert.equal(r.status, 200);
      assert.ok(!r.text.includes('code'), r.text);
    }
    assert.equal((await onDatabase(s, `SELECT count(*) FROM telegram_codes WHERE user_id = ${user.id}`))[0][0], '1');
    assert.match(await answer(here, made.command), /linked to your account/, 'reading has not replaced the code');
  });

  test('commands', async () => {
    const guest = await subscriber(s);
    const chef = await newChef(s), named = '*최*_<b>셰프 …'; // no markup, no second line, no link
    await onDatabase(s, `UPDATE chefs SET name = '*최*_<b>셰프\n[x](http://x.kr)' WHERE id = ${chef.id}`);
    const here = ++chat;
    await answer(here, (await code(guest)).command);
    assert.match(await answer(here, '/bookings'), /no bookings ahead/);
    const r = await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(20)}T09:00:00Z`, duration_hours: 3 }, { token: guest.token });
    assert.equal(r.status, 201, r.text);
    const word = await hears(here, 3, 'word of the booking');
    assert.ok(word.includes(' has asked chef (name not confirmed) for a booking.'), word);
    assert.deepEqual((await answer(here, '/bookings')).split('\n').slice(1), [`${day(20)} 18:00, 3 h: (name not confirmed), pending`]);
    await confirm(s, chef.user);
    assert.deepEqual((await answer(here, '/bookings')).split('\n').slice(1), [`${day(20)} 18:00, 3 h: ${named}, pending`]);
    assert.ok(api.sent.every((m) => !('parse_mode' in m) && !('entities' in m)));
    assert.match(await answer(here, '/posts'), /does not publish posts/);
    for (const text of ['/nothing', 'hello', '/help', '/start']) {
      const help = await answer(here, text);
      assert.match(help, /\/bookings/);
      assert.ok(!help.includes('/posts'), 'what does not exist is not offered');
    }
  });

  test('both sides of a booking are told at each step, once, in the chats they have linked', async () => {
    const guest = await subscriber(s, 'coocook', { name: '김손님' }), chef = await newChef(s, { name: '최셰프' });
    await confirm(s, chef.user);
    const theirs = ++chat, ours = ++chat;
    await answer(theirs, (await code(guest)).command);
    await answer(ours, (await code(chef.user)).command);
    const before = api.asked.length;
    const b = (await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(21)}T16:00:00Z`, duration_hours: 2 }, { token: guest.token })).body;
    const path = `/api/coocook/bookings/${b.id}`, last = (id) => api.to(id).at(-1);
    const told = async (n, what) => {
      await hears(theirs, n, `the guest to be told: ${what}`);
      await hears(ours, n, `the chef to be told: ${what}`);
      assert.ok(last(theirs).startsWith(what), last(theirs));
      assert.equal(last(theirs), last(ours));
    };
    await told(2, '김손님 has asked chef 최셰프 for a booking.');
    assert.equal(last(ours).split('\n')[1], `Booking ${b.id}: ${day(22)} 01:00, 2 h, ${b.total_price} KRW`);
    assert.equal((await s.request('PUT', path, { token: chef.user.token, body: { status: 'confirmed' } })).status, 200);
    await told(3, 'The booking of 김손님 with chef 최셰프 is confirmed.');
    assert.equal((await s.post(`${path}/pay`, { amount: b.total_price }, { token: guest.token })).status, 200);
    await told(4, '김손님 has paid for the booking with chef 최셰프.');
    await answer(ours, '/stop');
    assert.equal((await s.request('DELETE', path, { token: guest.token })).status, 200);
    await hears(theirs, 5, 'the guest to be told that it is cancelled');
    assert.match(last(theirs), /^The booking of 김손님 with chef 최셰프 is cancelled. Whatever was paid is given back/);
    assert.equal(api.to(ours).length, 5, 'who has ended the link is told no more');
    assert.equal(api.asked.length - before, 8, 'nobody is told twice');
    await until(async () => (await onDatabase(s, "SELECT count(*) FROM jobs WHERE kind = 'telegram.send'"))[0][0] === '0', { ms: 60_000, what: 'the queue to be empty' });
    assert.equal((await onDatabase(s, `SELECT count(*) FROM job_history WHERE kind = 'telegram.send' AND payload LIKE '%Booking ${b.id}:%'`))[0][0], '7', 'no job for who has no chat');
  });

  test('whose account is closed is told nothing, also of what was on its way; the link stands when it is opened again', async () => {
    const user = await s.user(), here = ++chat;
    await answer(here, (await code(user)).command);
    const send = (text) => runJob(s, 'telegram.send', { queue: 'telegram', lane: 'telegram/telegram.send', payload: { user: user.id, text } });
    const active = (value) => onDatabase(s, `UPDATE users SET is_active = ${value} WHERE id = ${user.id}`);
    await active(false);
    await send('on its way');
    assert.match(await answer(here, '/status'), /not linked/);
    await active(true);
    await send('back again');
    await hears(here, 3, 'the message');
    assert.deepEqual(api.to(here).slice(2), ['back again']);
  });

  test('an update is applied once, and what is no message is left alone', async () => {
    const here = ++chat, trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const n = await say(here, '/status', ++update, { traceparent: `00-${trace}-00f067aa0ba902b7-01` });
    await Promise.all(Array.from({ length: 8 }, () => say(here, '/status', n)));
    await say(here, '/posts');
    await until(() => api.to(here).some((t) => t.includes('posts')), { ms: 60_000, what: 'the later answer' });
    await until(async () => (await onDatabase(s, "SELECT count(*) FROM jobs WHERE kind = 'telegram.send'"))[0][0] === '0', { ms: 60_000, what: 'the queue to be empty' });
    assert.equal(api.to(here).length, 2);
    assert.match(api.asked.find((a) => a.message.chat_id === here).headers.traceparent, new RegExp(`^00-${trace}-`));
    for (const body of [{ update_id: ++update, edited_message: message(here, '/status') }, { update_id: ++update, message: message(-77, '/status', 'group') },
      { update_id: ++update, message: { chat: 3, text: [] } }, { update_id: ++update, message: { chat: { type: 'private' }, text: '/status' } }, { update_id: ++update, message: 7 }, { update_id: ++update, message: { ...message(here, ''), text: undefined, photo: [] } }])
      assert.equal((await s.post(HOOK, body)).status, 200, JSON.stringify(body));
    assert.equal((await s.post(HOOK, { message: message(here, '/status') })).status, 200);
    assert.equal((await onDatabase(s, "SELECT count(*) FROM jobs WHERE kind = 'telegram.send'"))[0][0], '0');
  });

  test('what cannot be used is answered 200 and logged, or its sender would repeat it for a day and hold up the chat', async () => {
    const here = ++chat, text = (said, id = ++update) => `{"update_id":${id},"message":${JSON.stringify(message(here, '?')).replace('"?"', said)}}`;
    const notes = () => s.logs('a webhook sent what cannot be used').length, before = notes();
    const unusable = [text('"/status \\ud800"'), text('"/status \\u0000"'), text('"/status"').replace('"message"', '"update_id":1,"message"'), '{"update_id":', '[]', '7', '', '"\xff"', text('"x"', '"one"'),
      text('"x"', -1), text('"x"', '1e400'), `{"update_id":${++update},"x":${'['.repeat(500)}${']'.repeat(500)}}`, text(JSON.stringify('가'.repeat(40_000)))];
    for (const body of unusable) {
      const r = await s.post(HOOK, Buffer.from(body, 'latin1'), { headers: { 'Content-Type': 'application/json' } });
      assert.deepEqual([r.status, r.body], [200, { ok: true }], body.slice(0, 80));
    }
    assert.equal((await s.post(HOOK, 'update=1', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })).status, 200);
    assert.match((await s.raw(`POST ${HOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 65537\r\n\r\n`)).text, /^HTTP\/1\.1 200 /, 'more than an update can have is not read');
    await until(() => notes() - before === unusable.length + 2, { what: `a log line for each: ${notes() - before}` });
    assertError(await s.post('/api/telegram/webhook/wrong', '{"update_id":', { headers: { 'Content-Type': 'application/json' } }), 404);
    assert.match(await answer(here, '/status'), /up/, 'and the next one is heard');
  });

  test('numbers of updates are kept for as long as Telegram repeats them', async () => {
    await onDatabase(s, "INSERT INTO telegram_updates (update_id, received_at) VALUES (1, '2020-01-01 00:00:00.000000')");
    const here = ++chat;
    await say(here, '/status', 64 * 1000);
    await hears(here, 1, 'the answer');
    const [[old, fresh]] = await onDatabase(s, 'SELECT sum(CASE WHEN update_id = 1 THEN 1 ELSE 0 END), count(*) FROM telegram_updates');
    assert.equal(Number(old), 0);
    assert.ok(Number(fresh) > 20, `${fresh} updates`);
  });

  test('5xx, a broken connection and an answer that is lost are tried again', async () => {
    const here = ++chat;
    api.prepare({ status: 502 }, 'reset');
    assert.match(await answer(here, '/status'), /up/);
    assert.equal(api.asked.filter((a) => a.message.chat_id === here).length, 3);
    api.prepare('lost');
    await say(here, '/posts');
    await hears(here, 3, 'the message whose answer was lost to come again');
    assert.equal(api.to(here)[1], api.to(here)[2]);
  });

  test('429 waits as long as it says and counts no attempt', async () => {
    const here = ++chat;
    api.prepare({ status: 429, body: { ok: false, error_code: 429, description: 'Too Many Requests', parameters: { retry_after: 2 } } });
    await say(here, '/status');
    await until(async () => /wait for 2000 ms/.test((await job(`"chat":${here}`))?.[2]), { ms: 60_000, what: 'the message to wait' });
    await hears(here, 1, 'the message');
    const [refused, taken] = api.asked.filter((a) => a.message.chat_id === here);
    assert.ok(taken.at - refused.at >= 1900, `${taken.at - refused.at} ms`);
    const [state, attempts] = await until(async () => { const j = await job(`"chat":${here}`); return j?.[0] === 'done' && j; }, { ms: 60_000, what: 'done' });
    assert.deepEqual([state, attempts], ['done', '1']);
  });

  test('a message that waits is not sent when the link has ended meanwhile', async () => {
    const guest = await subscriber(s), chef = await newChef(s), here = ++chat;
    await answer(here, (await code(guest)).command);
    api.prepare({ status: 429, body: { ok: false, error_code: 429, parameters: { retry_after: 2 } } });
    const b = await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(23)}T09:00:00Z`, duration_hours: 1 }, { token: guest.token });
    await until(() => api.asked.some((a) => a.message.text.includes(`Booking ${b.body.id}:`)), { ms: 60_000, what: 'the message' });
    assert.equal((await s.request('DELETE', '/api/telegram/link', { token: guest.token })).status, 200);
    const asked = api.asked.length;
    await until(async () => (await job(`Booking ${b.body.id}:`))?.[0] === 'done', { ms: 60_000, what: 'the job to be over' });
    assert.equal(api.asked.length, asked);
  });

  test('4xx gives up at once, and 403 ends the link', async () => {
    const here = ++chat;
    api.prepare({ status: 400, description: 'Bad Request: chat not found' });
    await say(here, '/status');
    const [, attempts, error] = await until(async () => { const j = await job(`"chat":${here}`); return j?.[0] === 'dead' && j; }, { ms: 60_000, what: 'dead' });
    assert.equal(attempts, '1');
    assert.match(error, /400: Bad Request: chat not found/);
    assert.ok(!error.includes(api.token));
    const user = await s.user();
    const theirs = ++chat;
    await answer(theirs, (await code(user)).command);
    api.prepare({ status: 403, description: 'Forbidden: bot was blocked by the user' });
    await say(theirs, '/status');
    await until(async () => !(await code(user)).linked, { ms: 60_000, what: 'the link to end' });
    assert.ok(!s.daemon.lines.some((l) => l.includes(api.token)), 'the token is in no log line');
  });
});

test('the webhook has a limit of its own: a backlog gets through from one address, guesses at the secret do not', async (t) => {
  const s = await Server.start({ env: { RATE_LIMIT_API: '20', RATE_LIMIT_WEBHOOKS: '120', TELEGRAM_WEBHOOK_SECRET: SECRET } });
  t.after(() => s.stop());
  const statuses = async (n, path) => {
    const list = [];
    for (let i = 0; i < n; i++) list.push((await s.post(path, { update_id: 9000 + i })).status);
    return list;
  };
  const count = (list, status) => list.filter((x) => x === status).length;
  const backlog = await statuses(110, HOOK);
  assert.equal(count(backlog, 200), 110);
  const guesses = await statuses(60, '/api/telegram/webhook/a-guess-at-the-secret');
  assert.ok(count(guesses, 404) <= 40 && count(guesses, 429) >= 20, JSON.stringify(guesses)); // a minute may end in between
  const flood = await s.post(HOOK, { update_id: 9999 });
  assert.deepEqual([flood.status, flood.headers['ratelimit-limit']], [200, '120'], 'guesses do not use it up');
});

test('a Bot API whose certificate does not hold is told nothing, the token least of all', async (t) => {
  const certs = await certificates();
  t.after(() => certs.remove());
  const api = await BotApi.start(certs.good);
  t.after(() => api.stop());
  const s = await Server.start({ env: { TELEGRAM_BASE_URL: api.url, TELEGRAM_TOKEN: api.token, TELEGRAM_WEBHOOK_SECRET: SECRET } });
  t.after(() => s.stop());
  assert.equal((await s.post(HOOK, { update_id: 1, message: { chat: { id: 7, type: 'private' }, text: '/status' } })).status, 200);
  const error = await until(async () => (await onDatabase(s, "SELECT error FROM jobs WHERE kind = 'telegram.send' AND error <> ''"))[0]?.[0], { ms: 60_000, what: 'an attempt that failed' });
  assert.match(error, /^the Bot API did not answer: [^/]*:\d+ could not be reached: .*certificate/i);
  assert.ok(!error.includes(api.token));
  assert.equal(api.asked.length, 0);
  assert.ok(!s.daemon.lines.some((l) => l.includes(api.token)), 'the token is in no log line');
});
