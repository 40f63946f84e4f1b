// The operations page: who may see it, the queue with its filters, retry and bulk, and that it fits and can be read.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { onDatabase } from '../lib/coocook.mjs';
import { until } from '../lib/proc.mjs';
import { DESK, HOOK, PHONE, onDemo } from './browser.mjs';

describe('operations', () => {
  let server, browser, api;
  onDemo(async (site) => {
    ({ server, browser, api } = site);
    const { token } = await server.demoUser('admin');
    api.prepare({ status: 400, description: 'chat one not found' }, { status: 400, description: 'chat two not found' });
    for (const n of [1, 2]) await server.post(HOOK, { update_id: n, message: { chat: { id: n, type: 'private' }, text: '/status' } });
    const dead = async () => (await server.get('/api/ops/jobs?state=dead', { token })).body.jobs.length === 2;
    await until(dead, { ms: 20_000, what: 'two dead jobs' });
  }, { bot: true });

  for (const [viewport, dark] of [[PHONE, false], [DESK, true]]) {
    test(`every tab, ${viewport.width} px, ${dark ? 'dark' : 'light'}`, async () => {
      const p = await browser.person({ viewport, dark });
      await p.signIn('admin@softfactory.com', 'admin123');
      for (const path of ['/ops', '/ops?tab=mails', '/ops/outbox?to=nobody@example.com', '/ops?state=dead', '/ops?state=cancelled&kind=telegram.send', '/ops?tab=processes', '/ops?tab=db', '/ops?job=1']) {
        await p.open(path);
        await p.fits(path);
        await p.accessible(path);
      }
      const hidden = await p.page.getByRole('dialog').evaluate((d) => d.scrollWidth - d.clientWidth);
      assert.ok(hidden <= 0, `the dialog of a job is ${hidden} px wider than it shows`);
      await p.leave();
    });
  }

  test('a dead job is looked at and retried, the rest in bulk', async () => {
    const p = await browser.person();
    await p.signIn('admin@softfactory.com', 'admin123');
    await p.button('Account of').click();
    await p.link('Operations').first().click();
    await p.heading('Operations').waitFor();
    await p.page.getByLabel('State', { exact: true }).selectOption('dead');
    const row = p.page.getByRole('row').filter({ hasText: 'found' });
    await row.nth(1).waitFor();
    await row.first().getByRole('button').click();
    const dialog = p.page.getByRole('dialog');
    await dialog.getByText(/400: chat (one|two) not found/).waitFor();
    await p.accessible('the dialog of a job');
    await dialog.getByText(/^[A-Z][a-z]{2} \d+, \d{4}, \d\d:\d\d:\d\d [A-Z]+/).first().waitFor(); // when, with its zone
    await dialog.getByRole('button', { name: 'Retry' }).click();
    await p.hasText('The job will be run.');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await until(() => api.sent.length === 1, { what: 'the message to be sent after all' });
    await row.nth(1).waitFor({ state: 'detached' }); // without a reload
    await p.button('Retry all').click();
    await dialog.getByText('Retry 1 job?').waitFor();
    await dialog.getByText('All that the filter names: state dead.').waitFor();
    await dialog.getByRole('button', { name: 'Retry it' }).click();
    await p.hasText('1 job will be run.');
    await until(() => api.sent.length === 2, { what: 'the other one' });
    await p.hasText('No such jobs');
    await p.page.getByLabel('State', { exact: true }).selectOption('');
    await p.hasText('Choose a state to act on all of its jobs.');
    for (const name of ['Retry all', 'Cancel all', 'Discard all']) assert.equal(await p.button(name).count(), 0, name);
    await p.leave();
  });

  test('on a phone a job is two lines, and the page is not long, whatever the schedules do', async () => {
    const now = Date.now() * 1000;
    const history = (from, n, kind, key, error) => onDatabase(server, `WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < ${n - 1})
      INSERT INTO job_history (id, kind, queue, priority, run_at, state, attempts, max_attempts, crashes, payload, job_key, owner_user, progress, error, created_at, started_at, finished_at)
      SELECT ${from} + n, '${kind}', 'default', 5, ${now}, '${error ? 'dead' : 'done'}', 1, 20, 0, '{}', ${key ? `'cron:${key}'` : 'NULL'}, 0, 0, ${error ? `'${error}'` : 'NULL'}, ${now}, ${now}, ${now} FROM i`);
    await history(1000, 30, 'email.batch', null, 'the mail server has said at some length why it would not take this mail today, nor tomorrow');
    await history(1100, 30, 'email.send', null);
    await history(1200, 90, 'coocook.letters', 'coocook.letters');
    const p = await browser.person({ viewport: PHONE });
    await p.signIn('admin@softfactory.com', 'admin123');
    await p.open('/ops');
    const rows = p.page.getByRole('button', { name: /^[a-z]+\.[a-z]+ \d+$/ });
    const isShort = async () => {
      assert.equal(await rows.count(), 15);
      const heights = await p.page.locator('.table--brief tbody tr').evaluateAll((all) => all.map((tr) => Math.round(tr.getBoundingClientRect().height)));
      assert.ok(Math.max(...heights) <= 72, `rows of ${heights} px`);
      const { height } = await p.page.locator('#app').boundingBox();
      assert.ok(height <= 3 * PHONE.height, `${height} px`);
    };
    assert.deepEqual([...new Set(await rows.allTextContents())].slice(0, 2), ['email.send 1129', 'email.send 1128'], 'no tick among them');
    await isShort();
    await p.page.getByRole('button', { name: 'Show them' }).click();
    await rows.filter({ hasText: 'coocook.letters 1289' }).waitFor();
    assert.match(p.page.url(), /ticks=true/);
    await p.fits('ticks');
    await p.page.getByRole('button', { name: 'Fold them away' }).click();
    await rows.filter({ hasText: 'email.send 1129' }).waitFor();
    for (const id of [1114, 1029]) { // page after page
      await p.button('Older jobs').click();
      await rows.filter({ hasText: String(id) }).waitFor();
      await p.settled();
    }
    await isShort();
    await p.fits('jobs that have failed');
    await p.open('/ops?kind=coocook.letters');
    await rows.filter({ hasText: 'coocook.letters 1289' }).waitFor(); // named, it is shown
    assert.equal(await p.page.getByText('folded away').count(), 0);
    await p.leave();
  });

  for (const viewport of [PHONE, DESK])
    test(`who holds a connection, ${viewport.width} px`, async () => {
      const p = await browser.person({ viewport });
      await p.signIn('admin@softfactory.com', 'admin123');
      await p.open('/ops?tab=db');
      await p.page.getByRole('row').filter({ hasText: /^worker 0, primary/ }).waitFor(); // of the real server
      await p.page.getByRole('row').filter({ hasText: /^job worker 0, primary/ }).waitFor();
      const pool = (held) => ({ services: 'coocook,platform', server: 'db.example.com:5432/softfactory', engine: 'postgresql', role: 'primary', open: 20, in_use: 20, idle: 0, waiting: 7, max: 30, held });
      const one = { holder: 'PUT /api/coocook/bookings/{id}/status', transaction: true, ms: 480, query: 'coocook.booking_get', request_id: '5f0c1d2e3a4b59687f0e1d2c3b4a5968', job_id: null };
      let held = [one, { holder: 'email.batch', transaction: false, ms: 125_000, query: null, request_id: null, job_id: 77 }];
      await p.page.route('**/api/ops/db', (route) => route.fulfill({ json: { processes: [{ name: 'worker 0', pid: 1, as_of: new Date().toISOString(), databases: [pool(held)], not_shown: 3 }] } }));
      await p.open('/ops?tab=db');
      const rows = p.page.getByRole('table', { name: 'Who uses a connection' }).locator('tbody tr');
      await rows.nth(1).waitFor();
      const texts = (await rows.allTextContents()).map((t) => t.replace(/\s+/g, ' '));
      assert.match(texts[0], /email\.batch.*statement 2 min.*worker 0, job 77/, 'the longest first');
      assert.match(texts[1], /PUT \/api\/coocook\/bookings\/\{id\}\/status.*transaction 480 ms.*coocook\.booking_get.*worker 0, request 5f0c1d2e/);
      await p.hasText('And 3 more.');
      await p.hasText('7 waiting');
      await p.fits('connections that are held');
      await p.accessible('connections that are held');
      held = [];
      await p.open('/ops?tab=db');
      await p.hasText('Nobody uses a connection at this moment.');
      await p.leave();
    });

  test('what is asked for follows the filter; a page of none is not the end; a queue that is behind is said', async () => {
    const p = await browser.person();
    await p.signIn('admin@softfactory.com', 'admin123');
    const asked = [];
    const job = (id) => ({ id, kind: 'email.send', state: 'dead', attempts: 1, max_attempts: 30, created_at: new Date().toISOString(), error: 'the needle' });
    let behind = [{ queue: 'mail', due: 12_345, estimated: true, oldest_seconds: 600 }];
    await p.page.route('**/api/ops/jobs/counts', (route) => route.fulfill({ json: { counts: [{ kind: 'email.send', state: 'dead', count: 12_345, estimated: false }], queues: behind } }));
    await p.page.route('**/api/ops/jobs?*', (route) => {
      const query = Object.fromEntries(new URL(route.request().url()).searchParams);
      asked.push(query);
      return route.fulfill({ json: query.before ? { jobs: [job(7)], next: null } : { jobs: [], next: 900 } });
    });
    await p.open('/ops');
    await p.hasText('The queue mail is behind: about 12,345 jobs due, the oldest for 10 min.');
    await p.hasText('None so far');
    const [search, refresh] = [await p.page.getByRole('searchbox').boundingBox(), await p.button('Refresh').boundingBox()];
    assert.deepEqual([refresh.y, refresh.height], [search.y, search.height], 'the button stands beside the field');
    await p.button(/^email\.send 12,345/).click();
    await p.page.getByLabel('Added', { exact: true }).selectOption('Last hour');
    await p.page.getByRole('searchbox').pressSequentially('needle', { delay: 20 });
    await until(() => asked.at(-1).error, { what: 'the list of the error' });
    assert.deepEqual([...new Set(asked.map((q) => q.error ?? ''))], ['', 'needle'], 'a word, not each of its letters');
    const { from, ...rest } = asked.at(-1);
    assert.deepEqual(rest, { state: 'dead', kind: 'email.send', error: 'needle', limit: '25' });
    assert.ok(Math.abs(Date.now() - 3_600_000 - Date.parse(from)) < 600_000, from);
    await p.button('Look further back').click();
    await p.hasText('email.send 7');
    assert.equal(asked.at(-1).before, '900');
    await p.button('The newest').click();
    await p.hasText('None so far');
    behind = [];
    await p.page.getByText('is behind').waitFor({ state: 'detached' }); // without a reload
    await p.leave();
  });

  test('a job worker that stands still is said among the processes', async () => {
    const p = await browser.person();
    await p.signIn('admin@softfactory.com', 'admin123');
    const one = (name, pid, idle_seconds) => ({ name, pid, status: 'ready', generation: 0, restarts: 1200, started_at: new Date().toISOString(), idle_seconds });
    await p.page.route('**/api/infrastructure/processes', (route) => route.fulfill({ json: { processes: [one('worker 0', 11, null), one('job worker 0', 12, 300)], total_count: 2 } }));
    await p.open('/ops?tab=processes');
    await p.page.getByRole('row', { name: /job worker 0 12 took or ended nothing for 5 min .* 1,200/ }).waitFor();
    await p.page.getByRole('row', { name: /^worker 0 11 ready/ }).waitFor();
    await p.leave();
  });

  for (const [viewport, dark] of [[PHONE, true], [DESK, false]]) {
    test(`the outbox: its mails, and one as it looks and as text, ${viewport.width} px`, async () => {
      const email = `outbox-${viewport.width}@example.com`;
      assert.equal((await server.post('/auth/register', { email })).status, 202);
      const { token } = await server.demoUser('admin');
      await until(async () => (await server.get(`/api/ops/outbox?to=${email}`, { token })).body.total === 1, { what: 'the mail' });
      const p = await browser.person({ viewport, dark });
      await p.signIn('admin@softfactory.com', 'admin123');
      await p.open('/ops/outbox');
      assert.equal(await p.page.getByRole('tab', { name: 'Mails' }).getAttribute('aria-selected'), 'true');
      const found = p.page.waitForResponse((r) => r.url().includes('/api/ops/outbox?') && r.url().includes(encodeURIComponent(email)));
      await p.page.getByRole('searchbox', { name: 'Mails to this address' }).fill(email);
      await found;
      await p.settled(); // what is asked for anew is dimmed until it comes
      await p.hasText('1 mail, kept here');
      await p.fits('the outbox');
      await p.accessible('the outbox');
      await p.button(/Your one-time code/).click();
      const dialog = p.page.getByRole('dialog');
      await dialog.getByText(email).waitFor();
      const frame = p.page.frameLocator('iframe[title="The mail as it looks"]');
      const seen = frame.locator('div[lang="en"]');
      await seen.getByText('Please enter the code below.').waitFor();
      const otp = (await seen.locator('b').textContent()).trim();
      assert.match(otp, /^\d{6}$/);
      const drawn = await frame.locator('body').evaluate((b) => getComputedStyle(b).backgroundColor);
      assert.equal(drawn, 'rgb(246, 246, 244)', 'with the styles of the mail');
      await p.accessible('the dialog of a mail');
      await dialog.getByRole('tab', { name: 'As it looks' }).focus();
      await p.page.keyboard.press('ArrowRight');
      await dialog.getByRole('region', { name: 'The mail as plain text' }).getByText(`Code: ${otp}`).waitFor();
      await p.fits('the dialog of a mail');
      await p.accessible('the dialog of a mail as text');
      await p.page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      await p.page.getByRole('tab', { name: 'Jobs' }).click();
      await p.page.getByLabel('State', { exact: true }).waitFor();
      await p.leave();
    });
  }

  test('the outbox by pages, empty, and in trouble', async () => {
    const p = await browser.person();
    await p.signIn('admin@softfactory.com', 'admin123');
    const page = (mails, n = 1, pages = 1) => ({ mails, total: mails.length, pages, current_page: n });
    const mail = (id) => ({ id, to: 'kim@example.com', template: 'welcome', subject: `Mail number ${id}`, created_at: new Date().toISOString() });
    await p.page.route('**/api/ops/outbox?*', (route) => {
      const n = Number(new URL(route.request().url()).searchParams.get('page'));
      return route.fulfill({ json: page([mail(n * 100)], n, 3) });
    });
    await p.open('/ops/outbox');
    await p.hasText('Mail number 100');
    await p.link('Next page').click();
    await p.hasText('Mail number 200');
    assert.match(p.page.url(), /\/ops\/outbox\?page=2$/);
    await p.page.unroute('**/api/ops/outbox?*');
    await p.page.route('**/api/ops/outbox?*', (route) => route.fulfill({ json: page([]) }));
    await p.button('Refresh').click();
    await p.heading('No mail is kept').waitFor();
    await p.accessible('an empty outbox');
    p.expect(500, '/api/ops/outbox');
    await p.page.unroute('**/api/ops/outbox?*');
    await p.page.route('**/api/ops/outbox?*', (route) => route.fulfill({ status: 500, json: { error: 'Something broke.', code: 'internal', request_id: 'r1' } }));
    await p.button('Refresh').click();
    await p.heading('The mails did not load').waitFor();
    await p.accessible('an outbox in trouble');
    await p.page.unroute('**/api/ops/outbox?*');
    await p.button('Try again').click();
    await p.heading('Nothing on this page').waitFor();
    await p.link('To the newest').click();
    await p.page.locator('.ops__open').first().waitFor();
    p.expect(404, '/api/ops/outbox/999999');
    await p.open('/ops/outbox?mail=999999');
    await p.page.getByRole('dialog').getByText('The mail did not load').waitFor();
    await p.leave();
  });

  test('others are kept out', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    await p.button('Account of').click();
    await p.link('Account').first().waitFor();
    assert.equal(await p.link('Operations').count(), 0);
    await p.open('/ops');
    await p.heading('For administrators').waitFor();
    await p.open('/ops/outbox');
    await p.heading('For administrators').waitFor();
    await p.leave();
  });
});
