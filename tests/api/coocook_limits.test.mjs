// CooCook, what a calendar is kept free of: guests who book without paying, requests that nobody answers, people who have left.
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { BIN, Server, onEachEngine } from '../lib/server.mjs';
import { freshDatabase } from '../lib/pg.mjs';
import { exec, tempDir, until } from '../lib/proc.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { day, letPass, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';
import { runJob } from '../lib/jobs.mjs';

onEachEngine(describe, after, 'limits of bookings', (engine) => {
  let s, doc;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { BOOKING_OPEN_MAX: '3', BOOKING_OPEN_HOURS: '72' } });
    doc = (await s.get('/api/openapi.json')).body;
  });
  after(() => s?.stop());
  const call = async (method, path, options) => {
    const a = await s.request(method, `/api/coocook${path}`, options);
    assertDocumented(doc, method, `/api/coocook${path}`, a);
    return a;
  };
  const book = (chef, guest, fields = {}, headers = {}) => call('POST', '/bookings', { token: guest.token, headers, body: { chef_id: chef.id, booking_date: day(9), duration_hours: 1, ...fields } });
  const booked = async (...args) => {
    const r = await book(...args);
    assert.equal(r.status, 201, r.text);
    return r.body;
  };
  const at = (d, hour) => `${day(d)}T${String(hour).padStart(2, '0')}:00:00Z`;
  const booking = async (id, who) => (await call('GET', `/bookings/${id}`, { token: who.token })).body;
  const pay = (b, guest) => call('POST', `/bookings/${b.id}/pay`, { token: guest.token, body: { amount: b.total_price } });
  const turn = (b, chef, status) => call('PUT', `/bookings/${b.id}`, { token: chef.user.token, body: { status } });
  const open = async (guest) => Number((await onDatabase(s, `SELECT count(*) FROM bookings WHERE user_id = ${guest.id} AND status <> 'cancelled'`))[0][0]);
  /** The templates of mails on bookings that went to an address, in order of their names. */
  const mails = async (to, n) => {
    const list = async () => (await onDatabase(s, `SELECT template FROM mail_outbox WHERE recipient = '${to}' AND template LIKE 'booking%' ORDER BY template`)).flat();
    return until(async () => { const l = await list(); return l.length >= n && l; }, { what: `${n} mails to ${to}` });
  };
  const overdue = (id) => onDatabase(s, `UPDATE bookings SET expires_at = '2026-01-01 00:00:00.000000' WHERE id = ${id}`);

  /** On PostgreSQL, whose statements run side by side: the bookings of this guest take a while between looking and being there. */
  const slowly = async (guest, body) => {
    if (engine !== 'postgres') return body();
    await onDatabase(s, `CREATE FUNCTION slow_${guest.id}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$;
      CREATE TRIGGER slow_${guest.id} BEFORE INSERT ON bookings FOR EACH ROW WHEN (NEW.user_id = ${guest.id}) EXECUTE FUNCTION slow_${guest.id}()`);
    try {
      return await body();
    } finally {
      await onDatabase(s, `DROP FUNCTION slow_${guest.id} CASCADE`);
    }
  };

  for (const [title, headers] of [['', () => ({})], [', each with a key', (i) => ({ 'Idempotency-Key': `flood-${i}` })]])
    test(`of 60 bookings that a guest asks one chef for at once, 3 are made${title}`, async () => {
      const chef = await newChef(s), guest = await subscriber(s);
      const answers = await slowly(guest, () => Promise.all(Array.from({ length: 60 }, async (_, i) => {
        for (;;) { // a busy machine may ask to come again; it must not book then
          const a = await book(chef, guest, { booking_date: at(20 + (i % 3), Math.floor(i / 3)) }, headers(i));
          if (a.status !== 503) return a;
          await delay(Number(a.headers['retry-after']) * 1000);
        }
      })));
      const refused = answers.filter((a) => a.status !== 201);
      assert.equal(refused.length, 57);
      for (const a of refused) {
        assertError(a, 409);
        assert.match(a.body.error, /^You have 3 unpaid bookings with this chef\./);
        assert.equal(a.body.next_free, undefined, 'another time would not help');
      }
      assert.equal(await open(guest), 3);
      // others may book, and the guest elsewhere
      await booked(chef, await subscriber(s), { booking_date: day(23) });
      await booked(await newChef(s), guest);
    });

  test('what is paid, cancelled or completed leaves room for one more', async () => {
    const chef = await newChef(s), guest = await subscriber(s);
    const held = [];
    for (let i = 0; i < 3; i++) held.push(await booked(chef, guest, { booking_date: day(10 + i) }));
    const more = (d) => book(chef, guest, { booking_date: day(d) });
    assertError(await more(13), 409);
    assert.equal((await pay(held[0], guest)).status, 200);
    assert.equal((await more(14)).status, 201);
    assertError(await more(15), 409);
    assert.equal((await turn(held[1], chef, 'cancelled')).status, 200);
    assert.equal((await more(16)).status, 201);
    assertError(await more(17), 409);
    assert.equal((await turn(held[2], chef, 'confirmed')).status, 200);
    assertError(await more(18), 409, {});
    await letPass(s, `id = ${held[2].id}`);
    assert.equal((await turn(held[2], chef, 'completed')).status, 200);
    assert.equal((await more(19)).status, 201);
  });

  test('hours without payment add up over all chefs, to the hour, also at once', async () => {
    const guest = await subscriber(s), chefs = await Promise.all(Array.from({ length: 6 }, () => newChef(s)));
    await booked(chefs[0], guest, { duration_hours: 24 });
    const answers = await slowly(guest, () => Promise.all(chefs.slice(1).map((c) => book(c, guest, { duration_hours: 20 }))));
    assert.deepEqual(answers.map((a) => a.status).sort(), [201, 201, 409, 409, 409]);
    for (const a of answers.filter((x) => x.status === 409)) assert.match(a.body.error, /^You have booked 64 hours without paying, and 72 are the most\./);
    const late = chefs[1 + answers.findIndex((a) => a.status === 409)];
    assertError(await book(late, guest, { duration_hours: 9 }), 409);
    assert.equal((await book(late, guest, { duration_hours: 8 })).status, 201);
  });

  test('a request that nobody answers ends: its hours are free, what was paid is given back, both are told', async () => {
    const chef = await newChef(s), guest = await subscriber(s), other = await subscriber(s);
    const b = await booked(chef, guest, { booking_date: at(9, 10) });
    const far = await booking(b.id, guest), soon = await booking((await booked(chef, other, { booking_date: at(1, 23) })).id, other);
    assert.ok(Math.abs(Date.parse(far.expires_at) - Date.parse(far.created_at) - 48 * 3_600_000) < 1000, `48 h: ${far.expires_at}`);
    assert.equal(soon.expires_at, soon.starts_at, 'at the latest when it begins');
    assert.equal((await pay(b, guest)).status, 200);
    await overdue(b.id);
    // from that moment on, whether or not the job has come by
    const late = await turn(b, chef, 'confirmed');
    if (late.status !== 409 || !/expired|cancelled/.test(late.body.error)) assert.fail(late.text);
    await runJob(s, 'coocook.expire');
    const after = await booking(b.id, chef.user);
    assert.deepEqual([after.status, after.payment_status, after.cancel_reason, after.expires_at], ['cancelled', 'refunded', 'expired', null]);
    assert.equal((await onDatabase(s, `SELECT status FROM booking_payments WHERE booking_id = ${b.id}`))[0][0], 'refunded');
    await booked(chef, other, { booking_date: at(9, 10) });
    assert.deepEqual(await mails(guest.email, 3), ['booking_created', 'booking_expired', 'booking_paid']);
    assert.ok((await mails(chef.user.email, 5)).includes('booking_expired'));
    assertError(await pay(b, guest), 409);
  });

  test('a request that was confirmed, or is not yet due, stays', async () => {
    const chef = await newChef(s), guest = await subscriber(s);
    const kept = await booked(chef, guest, { booking_date: day(11) }), waits = await booked(chef, guest, { booking_date: day(12) }), gone = await booked(chef, guest, { booking_date: day(13) });
    assert.equal((await turn(kept, chef, 'confirmed')).status, 200);
    assert.equal((await booking(kept.id, guest)).expires_at, null);
    await overdue(gone.id);
    await runJob(s, 'coocook.expire');
    const states = await Promise.all([kept, waits, gone].map(async (b) => (await booking(b.id, guest)).status));
    assert.deepEqual(states, ['confirmed', 'pending', 'cancelled']);
    assert.equal((await booking(gone.id, guest)).cancel_reason, 'expired');
  });

  test('a chef who confirms as the time runs out: one of the two comes first, never both', async () => {
    const chef = await newChef(s), guests = [await subscriber(s), await subscriber(s)];
    const list = [];
    for (let i = 0; i < 6; i++) list.push(await booked(chef, guests[i % 2], { booking_date: at(30, i) }));
    const end = Date.now() + 300;
    await onDatabase(s, `UPDATE bookings SET expires_at = '${new Date(end).toISOString().slice(0, 23).replace('T', ' ')}000' WHERE chef_id = ${chef.id}`);
    const expire = runJob(s, 'coocook.expire');
    const answers = await Promise.all(list.map(async (b, i) => {
      while (Date.now() < end - 60 + 20 * i) await booking(b.id, chef.user);
      return turn(b, chef, 'confirmed');
    }));
    await expire;
    await runJob(s, 'coocook.expire');
    for (const [i, b] of list.entries()) {
      const { status } = await booking(b.id, chef.user);
      assert.equal(status, answers[i].status === 200 ? 'confirmed' : 'cancelled', `${status} after ${answers[i].text}`);
    }
  });

  test('who cancels is noted', async () => {
    const chef = await newChef(s), guest = await subscriber(s);
    const [a, b] = [await booked(chef, guest, { booking_date: day(11) }), await booked(chef, guest, { booking_date: day(12) })];
    assert.equal((await booking(a.id, guest)).cancel_reason, null);
    assert.equal((await turn(a, chef, 'cancelled')).status, 200);
    assert.equal((await call('DELETE', `/bookings/${b.id}`, { token: guest.token })).status, 200);
    assert.deepEqual([(await booking(a.id, guest)).cancel_reason, (await booking(b.id, guest)).cancel_reason], ['chef', 'guest']);
  });

  // ---- people who have left ----

  /** Deactivates or activates a user as an administrator does, and waits until what is theirs has followed. */
  const setActive = async (user, is_active, on = s) => {
    const { token } = await on.demoUser('admin');
    const r = await on.put(`/api/platform/admin/users/${user.id}`, { is_active }, { token });
    assert.equal(r.status, 200, r.text);
    await followed(on);
  };
  const followed = (on = s) => until(async () => (await onDatabase(on, "SELECT count(*) FROM jobs WHERE kind = 'coocook.user'"))[0][0] === '0', { what: 'the news of a user to be through' });
  /** Where guests may come upon a chef of that one cuisine. */
  const places = async (chef, on, guest) => {
    const get = async (path, token) => (await on.get(`/api/coocook${path}`, { token, agent: false })).body.chefs ?? [];
    const lists = [await get(`/chefs?cuisine=${chef.cuisine_type}`), await get(`/search?q=${chef.cuisine_type}`), await get('/popular'), await get('/recommendations', guest.token),
      await get(`/chefs?user_id=${chef.user.id}`)];
    const cuisines = (await on.get('/api/coocook/cuisines', { agent: false })).body.some((c) => c.cuisine_type === chef.cuisine_type);
    const profile = (await on.get(`/api/coocook/chefs/${chef.id}`, { agent: false })).status === 200;
    return [...lists.map((l) => l.some((c) => c.id === chef.id)), cuisines, profile];
  };

  test('a chef whose account is closed is nowhere, takes no bookings, and comes back with the account', async () => {
    const chef = await newChef(s, { cuisine_type: 'Vanishing' }), guest = await subscriber(s), other = await newChef(s, { cuisine_type: 'Vanishing' });
    await onDatabase(s, `UPDATE chefs SET popularity = 1000 WHERE id = ${chef.id}`);
    await booked(other, guest, { booking_date: day(25) }); // so that the cuisine is recommended
    const waits = await booked(chef, guest, { booking_date: day(11) }), agreed = await booked(chef, guest, { booking_date: day(12) });
    assert.equal((await turn(agreed, chef, 'confirmed')).status, 200);
    assert.equal((await pay(waits, guest)).status, 200);
    assert.deepEqual(await places(chef, s, await subscriber(s)), [true, true, true, true, true, true, true]);
    await mails(chef.user.email, 3); // while there is somebody to tell

    await setActive(chef.user, false);
    assert.deepEqual(await places(chef, s, await subscriber(s)), [false, false, false, false, false, true, false], 'the other chef of the cuisine is there');
    assertError(await book(chef, guest, { booking_date: day(13) }), 404);
    assertError(await call('GET', `/chefs/${chef.id}/availability`), 404);
    assertError(await call('GET', `/chefs/${chef.id}/reviews`), 404);
    const ended = await booking(waits.id, guest);
    assert.deepEqual([ended.status, ended.payment_status, ended.cancel_reason], ['cancelled', 'refunded', 'closed']);
    assert.equal((await booking(agreed.id, guest)).status, 'confirmed', 'what was agreed stands until somebody ends it');
    const told = await mails(guest.email, 6);
    assert.equal(told.filter((t) => t === 'booking_closed').length, 1);
    assert.ok(!(await mails(chef.user.email, 3)).includes('booking_closed'), 'nothing is mailed to an account that is closed');

    await setActive(chef.user, true);
    assert.deepEqual(await places(chef, s, await subscriber(s)), [true, true, true, true, true, true, true]);
    assert.equal((await book(chef, guest, { booking_date: day(13) })).status, 201);
    assert.equal((await booking(waits.id, guest)).status, 'cancelled');
  });

  test('a profile that its chef took down stays down, whatever becomes of the account', async () => {
    const chef = await newChef(s);
    const shown = async () => (await call('GET', `/chefs/${chef.id}`)).status === 200;
    assert.equal((await call('DELETE', `/chefs/${chef.id}`, { token: chef.user.token })).status, 200);
    await setActive(chef.user, false);
    await setActive(chef.user, true);
    assert.equal(await shown(), false);
    const again = await s.login(chef.user.email, chef.user.password);
    assert.equal((await call('PUT', `/chefs/${chef.id}`, { token: again.token, body: { is_active: true } })).status, 200);
    assert.equal(await shown(), true);
    // the news twice, and of a role, change nothing
    await runJob(s, 'coocook.user', { payload: { id: chef.user.id } });
    await runJob(s, 'coocook.user', { payload: { id: 99_999_999 } });
    assert.equal(await shown(), true);
  });

  test('requests of a guest whose account is closed end, and the chef is told', async () => {
    const chef = await newChef(s), guest = await subscriber(s);
    const b = await booked(chef, guest, { booking_date: at(14, 5) });
    await setActive(guest, false);
    const ended = await booking(b.id, chef.user);
    assert.deepEqual([ended.status, ended.cancel_reason], ['cancelled', 'closed']);
    assert.deepEqual(await mails(chef.user.email, 2), ['booking_closed', 'booking_created']);
    await booked(chef, await subscriber(s), { booking_date: at(14, 5) });
  });

  test('the command line closes and opens with the same effect', async () => {
    const chef = await newChef(s);
    const user = async (action) => {
      const r = await exec(BIN, ['user', action, chef.user.email], { env: s.env, cwd: s.dir.path });
      assert.equal(r.code, 0, r.stderr + r.stdout);
      await followed();
      return (await call('GET', `/chefs/${chef.id}`)).status;
    };
    assert.equal(await user('disable'), 404);
    assert.equal(await user('enable'), 200);
  });

  test('closed and opened many times at once: in the end the profile is as the account', async () => {
    const chef = await newChef(s), { token } = await s.demoUser('admin');
    for (const last of [false, true]) {
      await Promise.all(Array.from({ length: 12 }, (_, i) => s.put(`/api/platform/admin/users/${chef.user.id}`, { is_active: i % 2 === 0 }, { token })));
      await s.put(`/api/platform/admin/users/${chef.user.id}`, { is_active: last }, { token });
      await followed();
      assert.equal((await call('GET', `/chefs/${chef.id}`)).status, last ? 200 : 404);
    }
  });

  test('what no event told of is found by the daily look', async () => {
    const [gone, stays] = [await newChef(s), await newChef(s)];
    const status = async (c) => (await call('GET', `/chefs/${c.id}`)).status;
    await onDatabase(s, `UPDATE users SET is_active = false WHERE id = ${gone.user.id}`); // as before there were events
    await runJob(s, 'coocook.owners');
    assert.deepEqual([await status(gone), await status(stays)], [404, 200]);
    await onDatabase(s, `UPDATE users SET is_active = true WHERE id = ${gone.user.id}`);
    await runJob(s, 'coocook.owners');
    assert.deepEqual([await status(gone), await status(stays)], [200, 200]);
    assert.ok(Number((await onDatabase(s, 'SELECT count(*) FROM chefs WHERE user_id > 900000 AND is_active'))[0][0]) >= 79, 'whom no account is known of stays');
  });

  test('a service with a database of its own follows, too', async () => {
    const second = engine === 'postgres' ? await freshDatabase() : null, dir = second ? null : tempDir();
    const path = dir && join(dir.path, 'coocook.db');
    const own = await Server.start({ engine, demo: true, env: { COOCOOK_DATABASE_URL: second?.url ?? `sqlite:///${path}` } });
    const inCoocook = { engine, database: second ?? { path } };
    try {
      assert.equal((await onDatabase(inCoocook, 'SELECT count(*) FROM chefs'))[0][0], '80');
      const chef = await newChef(own, { cuisine_type: 'Elsewhere' }), guest = await subscriber(own);
      const b = (await own.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: day(9), duration_hours: 1 }, { token: guest.token })).body;
      const status = async () => (await own.get(`/api/coocook/bookings/${b.id}`, { token: guest.token })).body.status;
      assert.equal((await own.get(`/api/coocook/chefs/${chef.id}/bookings`, { token: chef.user.token })).body.bookings[0].user_name, 'A User', 'names come from platform');
      await setActive(chef.user, false, own);
      assert.deepEqual(await places(chef, own, guest), [false, false, false, false, false, false, false]);
      assert.equal(await status(), 'cancelled');
      await setActive(chef.user, true, own);
      assert.equal((await own.get(`/api/coocook/chefs/${chef.id}`)).status, 200);
    } finally {
      await own.stop();
      await second?.drop();
      dir?.remove();
    }
  });
});
