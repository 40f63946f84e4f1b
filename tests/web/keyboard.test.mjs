// Without a pointer: signing in, booking, dialogs and tabs by keys alone.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { onDemo } from './browser.mjs';

describe('by keyboard alone', () => {
  let server, browser, p;
  onDemo(async (site) => {
    ({ server, browser } = site);
    p = await browser.person();
  });
  const press = (...keys) => keys.reduce((done, k) => done.then(() => p.page.keyboard.press(k)), Promise.resolve());
  const focused = () => p.page.evaluate(() => {
    const e = document.activeElement;
    return e.getAttribute('aria-label') ?? (e.labels?.[0]?.textContent || e.textContent).trim().replace(/\s+/g, ' ');
  });
  /** Presses Tab until the focus is on what the words say. */
  const tabTo = async (words, most = 80) => {
    const seen = [];
    for (let i = 0; i < most; i++) {
      await press('Tab');
      const at = await focused();
      seen.push(at);
      if (words instanceof RegExp ? words.test(at) : at === words) return at;
    }
    throw new Error(`Tab never came to ${words}; it came to ${seen.join(' > ')}`);
  };

  test('the first stop is a way past the header', async () => {
    await p.open('/');
    await press('Tab');
    assert.equal(await focused(), 'Skip to content');
    await press('Enter');
    assert.equal(await p.page.evaluate(() => document.activeElement.id), 'main');
  });

  test('signing in', async () => {
    await p.open('/login');
    assert.equal(await focused(), 'E-mail', 'the first field has the focus');
    await p.page.keyboard.type('demo@softfactory.com');
    await press('Tab');
    await p.page.keyboard.type('wrong');
    p.expect(401, '/auth/login');
    await press('Enter');
    await p.page.locator('[role="alert"] p').waitFor();
    await p.field('Password').focus();
    await press('Control+A');
    await p.page.keyboard.type('demo123');
    await press('Enter');
    await p.page.waitForURL('**/dashboard');
  });

  test('booking: day by arrows, hour, length and the request', async () => {
    await p.open('/chef?id=3');
    await tabTo('Next month');
    await press('Enter');
    await p.settled();
    const month = await p.page.locator('.calendar__month').textContent();
    await press('Tab');
    const start = await p.page.evaluate(() => document.activeElement.dataset.day);
    assert.match(start, /-01$/);
    await press('ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowLeft');
    assert.equal(await p.page.evaluate(() => document.activeElement.dataset.day), start.replace(/01$/, '09'));
    // on to a day that has hours
    for (let i = 0; i < 10 && await p.page.evaluate(() => document.activeElement.getAttribute('aria-disabled')); i++) await press('ArrowRight');
    await press('Enter');
    await p.page.locator('.hour').first().waitFor();
    assert.equal(await p.page.locator('.calendar__month').textContent(), month);
    await tabTo(/^\d\d:00$/);
    await press('Enter');
    await tabTo('One hour more');
    await press('Enter');
    await tabTo(/^Request for ₩/);
    await press('Enter');
    await p.heading('Asked for').waitFor();
    assert.equal(await focused(), 'Asked for', 'the answer has the focus');
  });

  test('a dialog keeps the focus, closes with Escape and gives it back', async () => {
    await p.open('/bookings');
    const pay = await tabTo(/^Pay ₩/);
    await press('Enter');
    await p.page.getByRole('dialog').waitFor();
    for (let i = 0; i < 8; i++) {
      await press('Tab');
      assert.ok(await p.page.evaluate(() => document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))));
    }
    await press('Escape');
    await p.page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.equal(await focused(), pay);
  });

  test('tabs by arrows', async () => {
    await p.open('/bookings');
    await p.page.getByRole('tab', { name: 'All' }).focus();
    await press('ArrowRight');
    assert.equal(await focused(), 'Waiting');
    assert.match(p.page.url(), /status=pending/);
    await press('End');
    assert.equal(await focused(), 'Cancelled');
    await p.settled();
  });

  test('the menu of the account closes with Escape', async () => {
    await p.button(/^Account of/).focus();
    await press('Enter');
    await p.link('Account').waitFor();
    await press('Escape');
    await p.link('Account').waitFor({ state: 'detached' });
    assert.match(await focused(), /^Account of/);
    await press('Enter');
    await tabTo('Sign out', 6);
    await press('Enter');
    await p.link('Sign in').first().waitFor();
    await p.leave();
  });
});
