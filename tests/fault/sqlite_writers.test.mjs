// SQLite under many writers never answers "locked": 64 clients that read and then write, for 20 seconds, over 2 workers.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { Load } from '../lib/load.mjs';
import { day, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';

test('64 writers for 20 s on SQLite give no error', async () => {
  const s = await Server.start({ engine: 'sqlite', env: { BOOKING_HORIZON: '3650d' } });
  try {
    const guests = await Promise.all(Array.from({ length: 8 }, () => subscriber(s)));
    const chefs = await Promise.all(Array.from({ length: 16 }, () => newChef(s)));
    let k = 0;
    const load = new Load(s, 64, (i, n) => {
      if (n % 4 === 3) return { path: `/api/coocook/chefs/${chefs[i % 16].id}` };
      if (n % 4 === 2) return { method: 'PUT', path: `/api/coocook/chefs/${chefs[i % 16].id}`, token: chefs[i % 16].user.token, body: { bio: `round ${n}` } };
      const slot = k++;
      return { method: 'POST', path: '/api/coocook/bookings', token: guests[i % 8].token,
        body: { chef_id: chefs[slot % 16].id, booking_date: day(1 + (Math.floor(slot / 16) % 3000)), duration_hours: 1 } };
    });
    await new Promise((r) => setTimeout(r, 20_000)); // the length of the load, not a wait for a condition
    await load.stop();
    assert.deepEqual(load.errors, []);
    const statuses = Object.fromEntries(load.answers);
    for (const code of Object.keys(statuses)) assert.ok(['200', '201', '409'].includes(code), JSON.stringify(statuses));
    assert.ok(statuses[201] > 500, JSON.stringify(statuses));
    assert.equal(Number((await onDatabase(s, 'SELECT count(*) FROM bookings'))[0][0]), load.accepted.length);
    assert.equal(s.logs().filter((l) => /lock|busy/i.test(JSON.stringify(l))).length, 0);
    console.log(`64 writers, 20 s: ${JSON.stringify(statuses)}`);
  } finally {
    await s.stop();
  }
});
