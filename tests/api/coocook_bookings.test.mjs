// CooCook, bookings: the whole life of one, who may do what, payment, reviews, and many at once.
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { day, letPass, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';

onEachEngine(describe, after, 'bookings', (engine) => {
  let s, doc, guest;
  before(async () => {
    s = await Server.start({ engine });
    doc = (await s.get('/api/openapi.json')).body;
    guest = await subscriber(s, 'coocook', { name: '김민지' });
  });
  after(() => s?.stop());
  const call = async (method, path, options) => {
    const a = await s.request(method, `/api/coocook${path}`, options);
    assertDocumented(doc, method, `/api/coocook${path}`, a);
    return a;
  };
  const book = (chef, fields = {}, user = guest, headers = {}) => call('POST', '/bookings', {
    token: user.token, headers, body: { chef_id: chef.id, booking_date: day(7), duration_hours: 3, ...fields } });
  const status = (chef, id, value, user = chef.user) => call('PUT', `/bookings/${id}`, { token: user.token, body: { status: value } });

  test('from booking to review', async () => {
    const chef = await newChef(s, { price_per_session: 120_000 });
    const b = await book(chef, { special_requests: '땅콩 알레르기가 있어요' });
    assert.equal(b.status, 201);
    assert.ok(Number.isInteger(b.body.total_price) && b.body.total_price > 0);
    const id = b.body.id;
    const one = (await call('GET', `/bookings/${id}`, { token: guest.token })).body;
    assert.equal(one.status, 'pending');
    assert.equal(one.special_requests, '땅콩 알레르기가 있어요');
    assert.equal(one.chef_name, chef.name);
    assert.equal(one.booking_date, day(7));
    assert.equal((await call('GET', `/bookings/${id}`, { token: chef.user.token })).status, 200);
    assertError(await call('GET', `/bookings/${id}`, { token: (await subscriber(s)).token }), 404);

    const mine = await call('GET', '/bookings?status=pending', { token: guest.token });
    assert.ok(mine.body.some((x) => x.id === id));
    assert.ok(Number(mine.headers['x-total-count']) >= 1);
    const calendar = (await call('GET', `/chefs/${chef.id}/bookings`, { token: chef.user.token })).body;
    assert.equal(calendar.total, 1);
    assert.equal(calendar.bookings[0].user_name, '김민지', 'the chef sees who comes');
    assert.equal((await call('GET', `/bookings/${id}`, { token: chef.user.token })).body.user_name, '김민지');
    assert.ok(!JSON.stringify(calendar).includes(guest.email), 'and no address');
    assertError(await call('GET', `/chefs/${chef.id}/bookings`, { token: guest.token }), 404);

    assertError(await call('POST', `/bookings/${id}/pay`, { token: guest.token, body: { amount: b.body.total_price - 1 } }), 400, { field: 'amount' });
    const paid = await call('POST', `/bookings/${id}/pay`, { token: guest.token, body: { amount: b.body.total_price } });
    assert.equal(paid.status, 200);
    assert.equal(paid.body.booking_id, id);
    assert.equal(paid.body.amount, b.body.total_price);
    assertError(await call('POST', `/bookings/${id}/pay`, { token: guest.token, body: { amount: b.body.total_price } }), 400);
    const [provider] = (await onDatabase(s, `SELECT provider FROM booking_payments WHERE booking_id = ${id}`))[0];
    assert.equal(provider, 'sandbox');

    assertError(await call('POST', `/bookings/${id}/review`, { token: guest.token, body: { rating: 5 } }), 409);
    assertError(await status(chef, id, 'completed'), 409);
    assert.equal((await status(chef, id, 'confirmed')).status, 200);
    assertError(await status(chef, id, 'pending'), 400);
    assert.match((await status(chef, id, 'completed')).body.error, /after its end/, 'not before it has taken place');
    assert.equal((await call('GET', `/bookings/${id}`, { token: guest.token })).body.status, 'confirmed');
    await letPass(s, `id = ${id}`);
    assertError(await call('POST', `/bookings/${id}/review`, { token: guest.token, body: { rating: 5 } }), 409);
    assert.equal((await status(chef, id, 'completed')).status, 200);
    assertError(await status(chef, id, 'cancelled'), 409);

    const review = await call('POST', `/bookings/${id}/review`, { token: guest.token, body: { rating: 4, comment: '정말 맛있었어요' } });
    assert.equal(review.status, 201);
    assert.equal(review.body.rating_count, 1);
    assert.equal(review.body.chef_rating, 4);
    const twice = await call('POST', `/bookings/${id}/review`, { token: guest.token, body: { rating: 1 } });
    assert.ok([400, 409].includes(twice.status));
    assert.equal((await call('GET', `/bookings/${id}/review`, { token: chef.user.token })).body.rating, 4);
    const shown = (await call('GET', `/chefs/${chef.id}/reviews`)).body;
    assert.equal(shown.average_rating, 4);
    assert.equal(shown.total_reviews, 1);
    assert.equal(shown.reviews[0].comment, '정말 맛있었어요');
    assert.equal(shown.reviews[0].author, '김○○');
    assert.ok(!JSON.stringify(shown).includes('민지'), 'everybody may read it');
  });

  test('what cannot be booked', async () => {
    const chef = await newChef(s);
    assertError(await call('POST', '/bookings', { body: {} }), 401);
    assertError(await call('POST', '/bookings', { token: (await s.user()).token, body: { chef_id: chef.id, booking_date: day(3), duration_hours: 1 } }), 403);
    assertError(await book(chef, { booking_date: day(-1) }), 400, { field: 'booking_date' });
    assertError(await book(chef, { booking_date: '2026-02-30' }), 400, { field: 'booking_date' });
    assertError(await book(chef, { booking_date: 20261122 }), 400, { field: 'booking_date' });
    for (const h of [0, 25, -1, 1.5, '3', null]) assertError(await book(chef, { duration_hours: h }), 400, { field: 'duration_hours' });
    assertError(await book(chef, { special_requests: 'x'.repeat(2001) }), 400, { field: 'special_requests' });
    assertError(await book({ id: 99_999_999 }), 404);
    const own = await subscriber(s);
    const me = await s.post('/api/coocook/chefs', { name: 'Me', cuisine_type: 'Thai', location: 'Seoul', price_per_session: 1 }, { token: own.token });
    assertError(await book({ id: me.body.id }, {}, own), 400, { field: 'chef_id' });
  });

  test('a booking runs to its end before it is completed, and a review waits for both', async () => {
    const chef = await newChef(s);
    const { id } = (await book(chef, { booking_date: day(6) })).body;
    await status(chef, id, 'confirmed');
    const now = new Date(Math.floor(Date.now() / 1000) * 1000), at = (ms) => new Date(now.getTime() + ms).toISOString().slice(0, 19).replace('T', ' ') + (engine === 'postgres' ? '+00' : '.000000');
    const span = (from, to) => onDatabase(s, `UPDATE bookings SET starts_at = '${at(from)}', ends_at = '${at(to)}' WHERE id = ${id}`);
    await span(-7_200_000, 3_600_000);
    assertError(await status(chef, id, 'completed'), 409);
    // what an earlier release let be completed before its end cannot be reviewed before it either
    await onDatabase(s, `UPDATE bookings SET status = 'completed' WHERE id = ${id}`);
    const review = () => call('POST', `/bookings/${id}/review`, { token: guest.token, body: { rating: 5 } });
    assertError(await review(), 409);
    await span(-7_200_000, -1_000);
    assert.equal((await review()).status, 201);
  });

  test('nothing is booked after the horizon, and the calendar says where it is', async () => {
    const chef = await newChef(s);
    const month = (await call('GET', `/chefs/${chef.id}/availability?from=${day(350)}&to=${day(380)}`)).body;
    const last = month.last_day;
    assert.ok([day(364), day(365), day(366)].includes(last), last);
    for (const { date, available_hours } of month.days) assert.equal(available_hours.length, date <= last ? 24 : 0, date);
    const next = (n) => new Date(Date.parse(last) + n * 86_400_000).toISOString().slice(0, 10);
    for (const when of [next(1), `${next(1)}T00:00:00Z`, '9000-01-01', '9999-12-31']) {
      const r = await book(chef, { booking_date: when });
      assertError(r, 400, { field: 'booking_date' });
      assert.ok(r.body.error.includes(last), `${r.body.error} names the last day`);
    }
    assert.deepEqual((await call('GET', `/chefs/${chef.id}/availability?from=${next(1)}&to=${next(3)}`)).body.days.map((d) => d.available_hours), [[], [], []]);
    assert.equal((await book(chef, { booking_date: `${last}T20:00:00`, duration_hours: 8 })).status, 201);
    const full = await book(chef, { booking_date: `${last}T21:00:00`, duration_hours: 3 });
    assertError(full, 409);
    assert.deepEqual(full.body.next_free, [], 'no time after the horizon is offered');
    assert.match(full.body.error, /Nothing that long is free/);
  });

  test('a day holds 24 hours; a cancelled booking gives them back', async () => {
    const chef = await newChef(s);
    const date = day(20);
    const first = await book(chef, { booking_date: date, duration_hours: 24 });
    assert.equal(first.status, 201);
    const full = await book(chef, { booking_date: date, duration_hours: 1 }, guest, { 'Idempotency-Key': 'a-full-day' });
    assertError(full, 409);
    assert.deepEqual(full.body.next_free.map((t) => t.slice(0, 13)), [5, 6, 7].map((h) => `${day(20)}T1${h}`), 'from the next midnight in Seoul on');
    assert.equal((await call('DELETE', `/bookings/${first.body.id}`, { token: guest.token })).status, 200);
    assertError(await call('DELETE', `/bookings/${first.body.id}`, { token: guest.token }), 409);
    assert.equal((await book(chef, { booking_date: date, duration_hours: 1 })).status, 201);
  });

  test('the same slot is never booked twice', async () => {
    const chef = await newChef(s);
    const at = (h) => `${day(21)}T${String(h).padStart(2, '0')}:00:00Z`;
    assert.equal((await book(chef, { booking_date: at(10), duration_hours: 3 })).status, 201);
    for (const h of [8, 10, 12]) {
      const r = await book(chef, { booking_date: at(h), duration_hours: 3 });
      assertError(r, 409);
      assert.deepEqual(r.body.next_free, [at(13), at(16), at(19)]);
      assert.doesNotMatch(r.body.error, /T\d\d:/, 'the sentence is for a person');
      assert.match(r.body.error, new RegExp(`^The chef is booked then\\. Free next: ${day(21)} 22:00, [-\\d]+ \\d\\d:00 or [-\\d]+ \\d\\d:00\\.$`));
    }
    assert.equal((await book(chef, { booking_date: at(7), duration_hours: 3 })).status, 201);
    assert.equal((await book(chef, { booking_date: at(13), duration_hours: 3 })).status, 201);
  });

  test('1,000 bookings at once give exactly the possible set', async () => {
    const chef = await newChef(s);
    const users = await Promise.all(Array.from({ length: 8 }, () => subscriber(s)));
    const days = [day(30), day(31)];
    const answers = await Promise.all(Array.from({ length: 1000 }, async (_, i) => {
      const hour = (i * 7) % 23;
      const wish = { chef_id: chef.id, booking_date: `${days[i % 2]}T${String(hour).padStart(2, '0')}:00:00Z`, duration_hours: 1 + (i % 2) };
      for (let tries = 0; ; tries++) { // a busy machine may ask to come again; it must not book then
        const a = await s.post('/api/coocook/bookings', wish, { token: users[i % 8].token });
        if (a.status !== 503 || tries === 20) return a;
        await delay(Number(a.headers['retry-after']) * 1000);
      }
    }));
    const count = (code) => answers.filter((a) => a.status === code).length;
    assert.equal(count(201) + count(409), 1000, [...new Set(answers.map((a) => a.status))].join());
    for (const a of answers.filter((x) => x.status === 409)) assertError(a, 409);
    const rows = await onDatabase(s, `SELECT id, starts_at, ends_at FROM bookings WHERE chef_id = ${chef.id} ORDER BY starts_at`);
    assert.equal(rows.length, count(201), 'each 201 is a row and each row a 201');
    for (let i = 1; i < rows.length; i++) assert.ok(rows[i - 1][2] <= rows[i][1], `overlap: ${rows[i - 1]} and ${rows[i]}`);
    // maximal: whatever was refused still does not fit
    for (const [i, a] of answers.entries()) {
      if (a.status === 201) continue;
      const hour = (i * 7) % 23;
      const begin = Date.parse(`${days[i % 2]}T${String(hour).padStart(2, '0')}:00:00Z`), end = begin + (1 + (i % 2)) * 3_600_000;
      const utc = (t) => Date.parse(`${t.replace(' ', 'T').replace(/(\+00)?$/, '')}Z`);
      assert.ok(rows.some((r) => utc(r[1]) < end && utc(r[2]) > begin), `request ${i} was refused although it fits`);
    }
  });

  test('two confirmations at once: one wins; confirm against cancel: one wins', async () => {
    const chef = await newChef(s);
    for (let i = 0; i < 5; i++) {
      const { id } = (await book(chef, { booking_date: day(40 + i) })).body;
      const [a, b] = await Promise.all([status(chef, id, 'confirmed'), status(chef, id, 'confirmed')]);
      assert.deepEqual([a.status, b.status].sort(), [200, 409]);
    }
  });

  test('ratings add up under concurrent reviews', async () => {
    const chef = await newChef(s);
    const ids = [];
    for (let i = 0; i < 20; i++) {
      const { id } = (await book(chef, { booking_date: day(50 + i), duration_hours: 1 })).body;
      await status(chef, id, 'confirmed');
      ids.push(id);
    }
    await letPass(s, `chef_id = ${chef.id}`);
    for (const id of ids) await status(chef, id, 'completed');
    const ratings = ids.map((_, i) => 1 + (i % 5));
    const r = await Promise.all(ids.map((id, i) => s.post(`/api/coocook/bookings/${id}/review`, { rating: ratings[i] }, { token: guest.token })));
    assert.ok(r.every((x) => x.status === 201));
    const got = (await call('GET', `/chefs/${chef.id}`)).body;
    assert.equal(got.rating_count, 20);
    assert.equal(got.rating, 3);
  });

  test('a payment with one key is made once, however often it is sent', async () => {
    const chef = await newChef(s);
    const b = (await book(chef)).body;
    const pay = () => s.post(`/api/coocook/bookings/${b.id}/pay`, { amount: b.total_price }, { token: guest.token, headers: { 'Idempotency-Key': `pay-${b.id}` } });
    const answers = await Promise.all(Array.from({ length: 100 }, async () => {
      for (;;) {
        const a = await pay();
        if (a.status !== 409) return a;
      }
    }));
    assert.ok(answers.every((a) => a.status === 200), [...new Set(answers.map((a) => `${a.status} ${a.text}`))].join('\n'));
    assert.equal(new Set(answers.map((a) => a.text)).size, 1, 'all answers are the same');
    assert.equal((await onDatabase(s, `SELECT count(*) FROM booking_payments WHERE booking_id = ${b.id}`))[0][0], '1');
    const other = await s.post(`/api/coocook/bookings/${b.id}/pay`, { amount: 1 }, { token: guest.token, headers: { 'Idempotency-Key': `pay-${b.id}` } });
    assertError(other, 422);
  });

  test('a booking repeated with its key is one booking; without a key payments race and one wins', async () => {
    const chef = await newChef(s);
    const key = { 'Idempotency-Key': 'book-once' };
    const one = await book(chef, {}, guest, key), two = await book(chef, {}, guest, key);
    assert.equal(one.status, 201);
    assert.equal(two.status, 201);
    assert.equal(two.body.id, one.body.id);
    assertError(await book(chef, { duration_hours: 4 }, guest, key), 422);
    const written = await s.post('/api/coocook/bookings', ` { "special_requests": null, "duration_hours": 3,
      "booking_date": "${day(7)}", "seen": [1], "chef_id": ${chef.id} } `, { token: guest.token, headers: key });
    assert.deepEqual([written.status, written.text], [201, one.text], 'the same request, written otherwise');
    const late = { 'Idempotency-Key': 'refused-once' };
    const refused = await book(chef, { booking_date: one.body.starts_at }, guest, late);
    assertError(refused, 409);
    await s.delete(`/api/coocook/bookings/${one.body.id}`, { token: guest.token });
    const again = await book(chef, { booking_date: one.body.starts_at }, guest, late);
    assert.deepEqual([again.status, again.text, again.headers['idempotent-replayed']], [409, refused.text, 'true'], 'an error of the handler is an answer, too');
    assertError(await book(chef, { duration_hours: 0 }, guest, { 'Idempotency-Key': 'invalid' }), 400);
    one.body = (await book(chef, {}, guest, { 'Idempotency-Key': 'invalid' })).body;
    assert.ok(one.body.id, 'what validation refused has not taken the key');
    const raced = await Promise.all(Array.from({ length: 20 }, () => s.post(`/api/coocook/bookings/${one.body.id}/pay`, { amount: one.body.total_price }, { token: guest.token })));
    assert.equal(raced.filter((a) => a.status === 200).length, 1);
    assert.equal(raced.filter((a) => a.status === 400).length, 19, raced.map((a) => a.status).join());
  });

  test('a paid booking that is cancelled is refunded', async () => {
    const chef = await newChef(s);
    const b = (await book(chef)).body;
    await s.post(`/api/coocook/bookings/${b.id}/pay`, { amount: b.total_price }, { token: guest.token });
    assert.equal((await call('DELETE', `/bookings/${b.id}`, { token: guest.token })).status, 200);
    assert.equal((await onDatabase(s, `SELECT status FROM booking_payments WHERE booking_id = ${b.id}`))[0][0], 'refunded');
  });
});
