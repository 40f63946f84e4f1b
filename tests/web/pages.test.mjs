// Every page: loads at its address, fits a phone, passes axe-core, in light and in dark, and asks no other host.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../lib/proc.mjs';
import { routes } from '../../web/js/routes.js';
import { DESK, PHONE, onDemo } from './browser.mjs';

const PUBLIC = ['/', '/login', '/register', '/forgot', '/join', '/chefs', '/chefs?q=pasta', '/chefs?cuisine=Korean&min_price=100000', '/chefs?q=zzzz', '/chef?id=1', '/docs'];
const SIGNED_IN = ['/dashboard', '/bookings', '/bookings?status=cancelled', '/chef-desk', '/chef-desk?tab=calendar', '/chef-desk?tab=past', '/chef-desk?tab=profile', '/account', '/chef?id=2'];
const ADMIN = ['/admin', '/ops', '/ops?tab=mails', '/ops?tab=processes', '/ops/outbox'];

describe('every page', () => {
  let server, browser;
  onDemo((site) => ({ server, browser } = site));

  // both sizes and both themes; a colour does not depend on the size, nor a width on the theme
  for (const [viewport, dark] of [[PHONE, false], [DESK, true]]) {
    const looks = `${viewport.width} px, ${dark ? 'dark' : 'light'}`;
    test(`as a guest, ${looks}`, async () => {
      const p = await browser.person({ viewport, dark });
      for (const path of PUBLIC) {
        await p.open(path);
        await p.fits(path);
        await p.accessible(`${path}, ${looks}`);
      }
      await p.leave();
    });
    test(`as the chef, ${looks}`, async () => {
      const p = await browser.person({ viewport, dark });
      await p.signIn('chef@softfactory.com', 'chef123');
      for (const path of SIGNED_IN) {
        await p.open(path);
        await p.fits(path);
        await p.accessible(`${path}, ${looks}`);
      }
      await p.leave();
    });
    test(`as a guest with bookings and as the administrator, ${looks}`, async () => {
      const p = await browser.person({ viewport, dark });
      await p.signIn('demo@softfactory.com', 'demo123');
      await p.open('/bookings');
      await p.fits('/bookings');
      await p.accessible(`/bookings, ${looks}`);
      await p.button(/^Pay/).first().click();
      await p.fits('the dialog of paying');
      await p.accessible(`the dialog of paying, ${looks}`);
      await p.leave();
      const admin = await browser.person({ viewport, dark });
      await admin.signIn('admin@softfactory.com', 'admin123');
      await admin.open('/admin');
      await admin.fits('/admin');
      await admin.accessible(`/admin, ${looks}`);
      await admin.leave();
    });
  }

  test('in letters of twice the size every page can be read on a phone', async () => {
    const seen = new Set();
    for (const [account, paths] of [[null, PUBLIC], ['chef', SIGNED_IN], ['admin', ADMIN]]) {
      const p = await browser.person({ viewport: PHONE, large: true });
      if (account) await p.signIn(`${account}@softfactory.com`, `${account}123`);
      for (const path of paths) {
        await p.open(path);
        await p.fits(`${path}, 200 %`, [320]);
        seen.add(path.split('?')[0]);
      }
      if (account) {
        await p.button(/^Account of/).click();
        await p.fits('the menu, 200 %', [320]);
      }
      await p.leave();
    }
    assert.deepEqual(routes.map((r) => r.path).filter((path) => path && !seen.has(path)), [], 'every page of routes.js is looked at');
  });

  test('each has its own title and description, also without JavaScript', async () => {
    const seen = new Set();
    for (const { path, title } of routes) {
      const { status, text, headers } = await server.get(path ?? '/no/such/page', { headers: { Accept: 'text/html' } });
      assert.equal(status, path ? 200 : 404, path);
      assert.match(headers['content-security-policy'], /default-src 'self'/);
      assert.ok(text.includes(`<title>${title.replace(/&/g, '&amp;')}</title>`), path);
      seen.add(/<meta name="description" content="([^"]+)"/.exec(text)[1]);
      assert.doesNotMatch(text, /\sstyle=|<style|<script(?![^>]*\ssrc=)/, 'nothing inline');
    }
    assert.equal(seen.size, routes.length);
  });

  test('an unknown address says so, with status 404', async () => {
    const p = await browser.person();
    p.expect(404, '/nowhere/at/all');
    await p.open('/nowhere/at/all');
    await p.heading('Nothing is served here').waitFor();
    await p.accessible('404');
    await p.page.locator('main').getByRole('link', { name: 'Find a chef' }).click();
    await p.heading('Find a chef').waitFor();
    await p.leave();
  });

  test('assets are named by content, kept for a year, and compressed', async () => {
    const { text } = await server.get('/');
    const assets = [...text.matchAll(/(?:href|src)="(\/[^"]+\.(?:js|css|svg))"/g)].map((m) => m[1]);
    assert.ok(assets.length > 10);
    for (const a of assets) {
      assert.match(a, /\.[0-9a-f]{8,}\.(js|css|svg)$/);
      const r = await server.get(a, { headers: { 'Accept-Encoding': 'br' } });
      assert.equal(r.headers['cache-control'], 'public, max-age=31536000, immutable', a);
      if (r.raw.length > 2000) assert.equal(r.headers['content-encoding'], 'br', a);
    }
    const first = await server.get('/', { headers: { 'Accept-Encoding': 'gzip' } });
    assert.equal(first.headers['cache-control'], 'no-cache');
    assert.equal(first.headers['content-encoding'], 'gzip');
  });

  test('the theme button wins over the system and is remembered', async () => {
    const p = await browser.person({ dark: true });
    const ground = () => p.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const becomes = (fits) => until(async () => fits(await ground()), { what: 'the ground to change' });
    await p.open('/');
    const dark = await ground();
    await p.button('Use the light theme').click();
    let last;
    await becomes((c) => c !== dark && c === last || void (last = c)); // different, and no longer on its way
    const light = await ground();
    await p.page.reload();
    assert.equal(await ground(), light, 'from the first paint on');
    await p.settled();
    await p.open('/chefs');
    assert.equal(await ground(), light);
    await p.button('Use the dark theme').click();
    await becomes((c) => c === dark);
    await p.leave();
  });

  test('back returns to where the reader was', async () => {
    const p = await browser.person({ viewport: PHONE });
    await p.open('/chefs');
    const card = p.page.locator('.chef-card').nth(8).getByRole('link');
    await card.hover(); // scrolls to where it can be clicked
    const y = await p.page.evaluate(() => scrollY);
    assert.ok(y > 500);
    await card.click();
    await p.page.waitForURL('**/chef?id=*');
    await p.settled();
    assert.equal(await p.page.evaluate(() => scrollY), 0);
    // on a slow line the list comes seconds later, and the page is short until then
    await p.page.route('**/api/coocook/chefs?*', async (route) => { await delay(1500); await route.continue(); });
    await p.page.goBack();
    await p.page.locator('.skeletons').first().waitFor();
    await p.settled();
    await p.page.waitForFunction((want) => Math.abs(scrollY - want) < 80, y);
    await p.leave();
  });
});
