// Whose clocks: date-times without offset, a chef's days and hours where clocks change, what each reader is told of one booking.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { BIN, Server, onEachEngine } from '../lib/server.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { exec, until } from '../lib/proc.mjs';
import { day, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';
import { hoursOf, instantOf, wallOf } from '../../web/js/lib/zone.js';

const HOUR = 3_600_000;
const NY = 'America/New_York';
const utc = (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
const wall = (zone, ms) => new Date(wallOf(zone, ms)).toISOString().slice(0, 16).replace('T', ' ');

/** The next days in a zone with more (step 1) and fewer (step -1) than 24 hours, well within the horizon. */
function changes(zone) {
  const found = {};
  for (let n = 2; n < 362; n++) {
    const date = day(n);
    const hours = (instantOf(zone, Date.parse(`${day(n + 1)}T00:00:00Z`)) - instantOf(zone, Date.parse(`${date}T00:00:00Z`))) / HOUR;
    if (hours > 24) found.long ??= date;
    if (hours < 24) found.short ??= date;
  }
  assert.ok(found.long && found.short, `${zone} changes its clocks within a year`);
  return found;
}

onEachEngine(describe, after, 'time zones', (engine) => {
  let s, doc, guest, admin;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { BOOKING_OPEN_MAX: '100000', BOOKING_OPEN_HOURS: '100000' } });
    doc = (await s.get('/api/openapi.json')).body;
    guest = await subscriber(s);
    admin = (await s.demoUser('admin')).token;
  });
  after(() => s?.stop());
  const call = async (method, path, options) => {
    const a = await s.request(method, `/api/coocook${path}`, options);
    assertDocumented(doc, method, `/api/coocook${path}`, a);
    return a;
  };
  const book = (chef, booking_date, { hours = 1, who = guest, zone } = {}) => call('POST', '/bookings', {
    token: who.token, body: { chef_id: chef.id, booking_date, duration_hours: hours }, headers: zone ? { 'Time-Zone': zone } : {} });
  const booked = async (...args) => {
    const r = await book(...args);
    assert.equal(r.status, 201, r.text);
    return r.body;
  };
  const days = async (chef, from, to = from) => (await call('GET', `/chefs/${chef.id}/availability?from=${from}&to=${to}`)).body;
  const live = async (fields) => {
    const u = await subscriber(s);
    assert.equal((await s.put('/api/auth/me', fields, { token: u.token })).status, 200);
    return u;
  };

  test('a chef has a time zone: Seoul, the user\'s, or one that was said', async () => {
    const zoneOf = async (chef) => {
      const one = (await call('GET', `/chefs/${chef.id}`)).body.time_zone;
      const listed = (await call('GET', `/chefs?user_id=${chef.user.id}`)).body.chefs[0].time_zone;
      assert.equal(listed, one);
      return one;
    };
    const chef = await newChef(s);
    assert.equal(await zoneOf(chef), 'Asia/Seoul');
    assert.equal(await zoneOf(await newChef(s, { time_zone: NY })), NY);
    const put = (body) => call('PUT', `/chefs/${chef.id}`, { token: chef.user.token, body });
    assert.equal((await put({ time_zone: 'Europe/Paris', bio: 'moved' })).status, 200);
    assert.equal((await put({ bio: 'and stayed' })).status, 200);
    assert.equal(await zoneOf(chef), 'Europe/Paris');
    for (const time_zone of ['', 'Paris', 'europe/paris', 'UTC+9', 7]) assertError(await put({ time_zone }), 400, { field: 'time_zone' });
    const mover = await live({ time_zone: 'Asia/Tokyo' });
    const body = { name: 'x', cuisine_type: 'x', location: 'x', price_per_session: 1 };
    const { id } = (await call('POST', '/chefs', { token: mover.token, body })).body;
    assert.equal((await call('GET', `/chefs/${id}`)).body.time_zone, 'Asia/Tokyo');
    for (const path of ['/chefs', '/popular', '/search?q=chef', '/chefs?sort=price&min_price=1'])
      assert.ok((await call('GET', path)).body.chefs.every((c) => /^[A-Z]\w+\/\w+$/.test(c.time_zone)), path);
  });

  test('a date-time without offset is in the zone of the caller, or of the header Time-Zone', async () => {
    const chef = await newChef(s);
    const there = await live({ time_zone: NY });
    const at = (h) => `${day(30)}T${String(h).padStart(2, '0')}:00`;
    const starts = async (...args) => (await booked(...args)).starts_at;
    assert.equal(await starts(chef, at(18)), `${day(30)}T09:00:00Z`, 'Seoul, where nothing else was chosen');
    assert.equal(await starts(chef, at(5), { who: there }), utc(instantOf(NY, Date.parse(`${at(5)}Z`))));
    assert.equal(await starts(chef, at(5), { who: there, zone: 'Europe/London' }), utc(instantOf('Europe/London', Date.parse(`${at(5)}Z`))));
    assert.equal(await starts(chef, `${at(20)}Z`, { who: there }), `${day(30)}T20:00:00Z`);
    assert.equal(await starts(chef, `${at(20)}:00+09:00`, { who: there }), `${day(30)}T11:00:00Z`);
    assertError(await book(chef, at(6), { zone: 'London' }), 400, { field: 'Time-Zone' });
    assertError(await book(chef, at(6), { zone: 'Asia/Kolkata' }), 400, { field: 'booking_date' });
  });

  test('a date is the chef\'s day: from midnight there, and over when it is over there', async () => {
    const chef = await newChef(s, { time_zone: NY });
    const [one, next] = [day(9), day(10)];
    const b = await booked(chef, one, { hours: 24 });
    assert.equal(b.starts_at, utc(instantOf(NY, Date.parse(`${one}T00:00:00Z`))));
    const shown = (await call('GET', `/bookings/${b.id}`, { token: guest.token })).body;
    assert.deepEqual([shown.booking_date, shown.time_zone], [one, NY]);
    const answer = await days(chef, one, next);
    assert.equal(answer.time_zone, NY);
    assert.deepEqual(answer.days.map((d) => d.available_hours.length), [0, 24]);
    const today = new Date(wallOf(NY, Date.now())).toISOString().slice(0, 10);
    assert.equal((await call('GET', `/chefs/${chef.id}/availability`)).body.days[0].date, today);
    assertError(await book(chef, new Date(Date.parse(today) - 86_400_000).toISOString().slice(0, 10)), 400, { field: 'booking_date' });
  });

  test('hours begin where the chef\'s clocks are on the hour', async () => {
    const chef = await newChef(s, { time_zone: 'Asia/Kolkata' });
    assert.equal((await booked(chef, `${day(12)}T18:00+05:30`)).starts_at, `${day(12)}T12:30:00Z`);
    assertError(await book(chef, `${day(12)}T12:00Z`), 400, { field: 'booking_date' });
    assert.deepEqual((await days(chef, day(12))).days[0].available_hours, Array.from({ length: 24 }, (_, h) => h).filter((h) => h !== 18));
    const seoul = await newChef(s);
    assertError(await book(seoul, `${day(12)}T18:00+05:30`), 400, { field: 'booking_date' });
  });

  test('a taken hour is refused by the reader\'s clocks, next_free in UTC', async () => {
    const chef = await newChef(s);
    const there = await live({ time_zone: NY });
    await booked(chef, `${day(14)}T10:00Z`, { hours: 2 });
    const r = await book(chef, `${day(14)}T11:00Z`, { who: there });
    assertError(r, 409);
    assert.deepEqual(r.body.next_free, [12, 13, 14].map((h) => `${day(14)}T${h}:00:00Z`));
    assert.ok(r.body.error.includes(`Free next: ${wall(NY, Date.parse(`${day(14)}T12:00Z`))}, `) && r.body.error.endsWith(` (${NY}).`), r.body.error);
  });

  for (const zone of [NY, 'Australia/Lord_Howe', 'America/Santiago']) {
    test(`days on which clocks change in ${zone}`, async () => {
      const { long, short } = changes(zone);
      for (const date of [short, long]) {
        const chef = await newChef(s, { time_zone: zone });
        const starts = hoursOf(zone, date);
        const free = async () => (await days(chef, date)).days[0].available_hours;
        const there = starts.flatMap((at, h) => (at === null ? [] : [h]));
        assert.deepEqual(await free(), there, 'what clocks skip is not offered');
        for (const [n, h] of there.entries()) {
          const b = await booked(chef, `${date}T${String(h).padStart(2, '0')}:00`, { zone });
          assert.equal(b.starts_at, utc(starts[h]));
          assert.deepEqual(await free(), there.slice(n + 1));
        }
        const all = (await call('GET', `/chefs/${chef.id}/bookings?per_page=100`, { token: chef.user.token })).body.bookings;
        assert.ok(all.length === there.length && all.every((b) => b.booking_date === date && b.time_zone === zone));
        assertError(await book(chef, date), 409);
      }
    });
  }

  test('a day of 25 hours holds 24 of them, whoever is fastest', async () => {
    const { long } = changes(NY);
    const begin = instantOf(NY, Date.parse(`${long}T00:00:00Z`));
    const chef = await newChef(s, { time_zone: NY });
    const others = await Promise.all(Array.from({ length: 5 }, () => subscriber(s)));
    const answers = await Promise.all(Array.from({ length: 25 }, (_, n) => book(chef, utc(begin + n * HOUR), { who: others[n % 5] })));
    assert.deepEqual(answers.map((a) => a.status).sort(), [...Array(24).fill(201), 409]);
    const refused = answers.find((a) => a.status === 409);
    assert.equal(refused.body.next_free[0], utc(begin + 25 * HOUR), 'the first hour of the next day');
    // two long ones that together are 25 hours
    const next = await newChef(s, { time_zone: NY });
    await booked(next, utc(begin), { hours: 13 });
    assertError(await book(next, utc(begin + 13 * HOUR), { hours: 12 }), 409);
    await booked(next, utc(begin + 13 * HOUR), { hours: 11 });
    assert.deepEqual((await days(next, long)).days[0].available_hours, []);
  });

  test('a chef who moves: bookings stay where they were made', async () => {
    const chef = await newChef(s, { time_zone: NY });
    const before = await booked(chef, day(20));
    assert.equal((await call('PUT', `/chefs/${chef.id}`, { token: chef.user.token, body: { time_zone: 'Asia/Seoul' } })).status, 200);
    const kept = (await call('GET', `/bookings/${before.id}`, { token: guest.token })).body;
    assert.deepEqual([kept.booking_date, kept.time_zone, kept.starts_at], [day(20), NY, before.starts_at]);
    const taken = new Date(wallOf('Asia/Seoul', Date.parse(before.starts_at))).getUTCHours();
    assert.ok(!(await days(chef, day(20))).days[0].available_hours.includes(taken));
    const after1 = (await call('GET', `/bookings/${(await booked(chef, day(21))).id}`, { token: guest.token })).body;
    assert.deepEqual([after1.booking_date, after1.time_zone, after1.starts_at], [day(21), 'Asia/Seoul', `${day(20)}T15:00:00Z`]);
  });

  test('one booking, by mail: each reader\'s clocks, named where the kitchen is elsewhere', async () => {
    const chef = await newChef(s);
    const there = await live({ time_zone: NY });
    const b = await booked(chef, `${day(16)}T10:00Z`, { who: there });
    const at = Date.parse(b.starts_at);
    const mail = async (to) => {
      const list = await until(async () => {
        const found = (await s.get(`/api/ops/outbox?to=${encodeURIComponent(to)}`, { token: admin })).body.mails.filter((m) => m.template === 'booking_created');
        return found.length ? found : null;
      }, { ms: 60_000, what: `a mail to ${to}` });
      return (await s.get(`/api/ops/outbox/${list[0].id}`, { token: admin })).body.text;
    };
    const [theirs, ours] = [await mail(there.email), await mail(chef.user.email)];
    assert.ok(theirs.includes(`Start: ${wall(NY, at)} (${NY})\n`) && theirs.includes(`시작: ${wall(NY, at)} (${NY})\n`), theirs);
    assert.ok(ours.includes(`Start: ${day(16)} 19:00\n`), ours);
  });

  test('bookings from before: their day is that of Seoul', async () => {
    const chef = await newChef(s), ids = [];
    for (const hour of ['00', '14', '15', '23']) ids.push((await booked(chef, `${day(25)}T${hour}:00Z`)).id);
    const where = `WHERE id IN (${ids})`;
    // as the version before left it
    await onDatabase(s, `UPDATE bookings SET booking_date = '${day(25)}' ${where}`);
    for (const table of ['chefs', 'bookings']) await onDatabase(s, `ALTER TABLE ${table} DROP COLUMN time_zone`);
    await onDatabase(s, "DELETE FROM schema_migrations WHERE service = 'coocook' AND version = 4");
    const r = await exec(BIN, ['db', 'migrate'], { env: s.env });
    assert.equal(r.code, 0, r.stderr);
    assert.deepEqual(await onDatabase(s, `SELECT booking_date, time_zone FROM bookings ${where} ORDER BY id`),
      [day(25), day(25), day(26), day(26)].map((d) => [d, 'Asia/Seoul']));
  });
});
