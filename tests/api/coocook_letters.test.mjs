// What both sides of a booking are told: each letter once to each, whichever worker dies, and none is forgotten.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { day, letPass, newChef, onDatabase, subscriber } from '../lib/coocook.mjs';
import { jobWorkers } from '../lib/jobs.mjs';

onEachEngine(describe, after, 'letters', (engine) => {
  let s, admin;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { WORKERS: '2', JOB_WORKERS: '2', JOB_LEASE: '1s' } });
    admin = (await s.demoUser('admin')).token;
  });
  after(() => s?.stop());
  const book = async (chef, guest, fields = {}) => {
    const r = await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: day(9), duration_hours: 1, ...fields }, { token: guest.token });
    assert.equal(r.status, 201, r.text);
    return r.body;
  };
  /** How often each template went to an address, but for the code that every new account is sent. */
  const mails = async (to) => Object.fromEntries((await onDatabase(s, `SELECT template, count(*) FROM mail_outbox WHERE recipient = '${to}' AND template <> 'confirm' GROUP BY template`)).map(([t, n]) => [t, Number(n)]));
  const number = async (text) => Number((await onDatabase(s, text))[0][0]);
  const quiet = () => until(async () => (await number('SELECT count(*) FROM booking_letters')) === 0
    && (await number("SELECT count(*) FROM jobs WHERE kind IN ('email.send', 'email.batch', 'coocook.letters')")) === 0, { ms: 60_000, every: 100, what: 'all letters to be sent' });

  test('a payment that is sent again and a cancellation are told once', async () => {
    const chef = await newChef(s), guest = await subscriber(s), b = await book(chef, guest), path = `/api/coocook/bookings/${b.id}`;
    const key = { 'Idempotency-Key': `pay-${b.id}` };
    const pay = () => s.post(`${path}/pay`, { amount: b.total_price }, { token: guest.token, headers: key });
    for (let i = 0; i < 3; i++) assert.equal((await pay()).status, 200);
    await Promise.all(Array.from({ length: 10 }, pay));
    const cancels = await Promise.all(Array.from({ length: 5 }, () => s.request('DELETE', path, { token: guest.token })));
    assert.deepEqual(cancels.map((r) => r.status).sort(), [200, 409, 409, 409, 409]);
    assert.equal(cancels.find((r) => r.status === 200).body.refunded_amount, b.total_price);
    await quiet();
    for (const to of [guest.email, chef.user.email]) assert.deepEqual(await mails(to), { booking_created: 1, booking_paid: 1, booking_cancelled: 1 });
    const { jobs } = (await s.get('/api/ops/jobs?kind=coocook.letters&state=done', { token: admin })).body;
    assert.ok(jobs.some((j) => j.result?.letters > 0), 'a run that found letters says so');
  });

  test('a booking with a key that is sent again is told once, one that is refused to nobody, one without news not at all', async () => {
    const chef = await newChef(s), guest = await subscriber(s);
    const ask = () => s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(9)}T10:00:00Z`, duration_hours: 2 },
      { token: guest.token, headers: { 'Idempotency-Key': 'once' } });
    const [one, two] = [await ask(), await ask()];
    assert.deepEqual([one.status, two.status, two.body.id], [201, 201, one.body.id]);
    assert.equal((await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(9)}T11:00:00Z`, duration_hours: 1 }, { token: guest.token })).status, 409);
    const turn = async (status) => assert.equal((await s.request('PUT', `/api/coocook/bookings/${one.body.id}`, { token: chef.user.token, body: { status } })).status, 200);
    await turn('confirmed');
    await letPass(s, `id = ${one.body.id}`);
    await turn('completed');
    await quiet();
    for (const to of [guest.email, chef.user.email]) assert.deepEqual(await mails(to), { booking_created: 1, booking_confirmed: 1 });
  });

  test('what nobody asked for is found by whoever looks next; an account that is closed is told nothing', async () => {
    const chef = await newChef(s), guest = await subscriber(s), left = await subscriber(s);
    const b = await book(chef, left);
    await quiet();
    await onDatabase(s, `UPDATE users SET is_active = false WHERE id = ${left.id}`);
    // as the end of a process leaves it between the commit and the job: the letter is there, and nobody looks
    await onDatabase(s, `UPDATE bookings SET status = 'confirmed' WHERE id = ${b.id}`);
    await book(chef, guest);
    await quiet();
    assert.deepEqual(await mails(chef.user.email), { booking_created: 2, booking_confirmed: 1 });
    assert.deepEqual(await mails(left.email), { booking_created: 1 });
    assert.deepEqual(await mails(guest.email), { booking_created: 1 });
  });

  test('300 bookings while the job workers are killed: each letter once to each side', async () => {
    const chefs = await Promise.all(Array.from({ length: 4 }, () => newChef(s))), guests = await Promise.all(Array.from({ length: 4 }, () => subscriber(s)));
    const killed = [];
    const workers = () => until(async () => {
      const pids = await jobWorkers(s, admin);
      return pids.length === 2 && !pids.some((p) => killed.includes(p)) && pids;
    }, { ms: 30_000, what: 'two job workers' });
    for (let round = 0; round < 3; round++) {
      const [victim] = await workers();
      const booked = Promise.all(Array.from({ length: 100 }, (_, i) => book(chefs[i % 4], guests[(i >> 2) % 4],
        { booking_date: `${day(30 + 2 * round + Math.floor((i >> 2) / 24))}T${String((i >> 2) % 24).padStart(2, '0')}:00:00Z` })));
      await until(async () => (await number("SELECT count(*) FROM job_history WHERE kind = 'coocook.letters'")) > round, { ms: 30_000, what: 'the job to run' });
      process.kill(victim, 'SIGKILL');
      killed.push(victim);
      await booked;
    }
    await quiet();
    for (const c of chefs) assert.deepEqual(await mails(c.user.email), { booking_created: 75 });
    let sum = 0;
    for (const g of guests) sum += (await mails(g.email)).booking_created;
    assert.equal(sum, 300);
    assert.equal(await number("SELECT count(*) FROM job_history WHERE state = 'dead'"), 0);
  });
});
