// The operations page: who may see it, the queue with its filters, retry and bulk, and that it fits and can be read.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { BotApi } from '../lib/telegram.mjs';
import { Browser, DESK, PHONE } from './browser.mjs';

const HOOK = '/api/telegram/webhook/s';

describe('operations', () => {
  let server, browser, api;
  before(async () => {
    api = await BotApi.start();
    server = await Server.start({ demo: true, env: { TELEGRAM_BASE_URL: api.url, TELEGRAM_TOKEN: api.token, TELEGRAM_WEBHOOK_SECRET: 's' } });
    browser = await Browser.start(server);
    const { token } = await server.demoUser('admin');
    api.prepare({ status: 400, description: 'chat one not found' }, { status: 400, description: 'chat two not found' });
    for (const n of [1, 2]) await server.post(HOOK, { update_id: n, message: { chat: { id: n, type: 'private' }, text: '/status' } });
    const dead = async () => (await server.get('/api/ops/jobs?state=dead', { token })).body.jobs.length === 2;
    await until(dead, { ms: 20_000, what: 'two dead jobs' });
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
    await api?.stop();
  });

  for (const [viewport, dark] of [[PHONE, false], [DESK, true]]) {
    test(`every tab, ${viewport.width} px, ${dark ? 'dark' : 'light'}`, async () => {
      const p = await browser.person({ viewport, dark });
      await p.signIn('admin@softfactory.com', 'admin123');
      for (const path of ['/ops', '/ops?tab=mails', '/ops/outbox?to=nobody@example.com', '/ops?state=dead', '/ops?state=cancelled&kind=telegram.send', '/ops?tab=processes']) {
        await p.open(path);
        await p.fits(path);
        await p.accessible(path);
      }
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
    await dialog.getByRole('button', { name: 'Retry' }).click();
    await p.hasText('The job will be run.');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await until(() => api.sent.length === 1, { what: 'the message to be sent after all' });
    await p.button('Refresh').click();
    await p.button('Retry all').click();
    await dialog.getByText('Retry 1 job?').waitFor();
    await dialog.getByRole('button', { name: 'Retry them' }).click();
    await until(() => api.sent.length === 2, { what: 'the other one' });
    await p.button('Refresh').click();
    await p.hasText('No such jobs');
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
      await p.page.getByRole('searchbox', { name: 'Mails to this address' }).fill(email);
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
    await p.page.unroute('**/api/ops/outbox?*');
    await p.page.route('**/api/ops/outbox?*', (route) => route.fulfill({ status: 500, json: { error: 'Something broke.', code: 'internal', request_id: 'r1' } }));
    p.expect(500, '/api/ops/outbox');
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
