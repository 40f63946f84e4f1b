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
      for (const path of ['/ops', '/ops?state=dead', '/ops?state=cancelled&kind=telegram.send', '/ops?tab=processes']) {
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

  test('others are kept out', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    await p.button('Account of').click();
    await p.link('Account').first().waitFor();
    assert.equal(await p.link('Operations').count(), 0);
    await p.open('/ops');
    await p.heading('For administrators').waitFor();
    await p.leave();
  });
});
