// A real browser for tests, and a watch on every page: console errors, Content-Security-Policy violations, requests
// to other hosts and unexpected error answers fail the test that made them.
import { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { Server } from '../lib/server.mjs';
import { BotApi } from '../lib/telegram.mjs';
import { illegible } from './legible.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const PHONE = { width: 390, height: 844 };
export const DESK = { width: 1280, height: 800 };

/** The demo platform of a describe and a browser on it, from before its tests until after them; take(site), awaited, gets
 *  { server, browser }, and with bot the Bot API of Telegram, `api`, whose updates are posted to HOOK. */
export function onDemo(take, { bot = false } = {}) {
  const site = {};
  before(async () => {
    if (bot) site.api = await BotApi.start();
    const env = bot ? { TELEGRAM_BASE_URL: site.api.url, TELEGRAM_TOKEN: site.api.token, TELEGRAM_WEBHOOK_SECRET: HOOK.split('/').at(-1) } : {};
    site.server = await Server.start({ demo: true, env });
    site.browser = await Browser.start(site.server);
    await take(site);
  });
  after(async () => {
    await site.browser?.stop();
    await site.server?.stop();
    await site.api?.stop();
  });
}
export const HOOK = '/api/telegram/webhook/the-secret-of-the-webhook';

const LARGE = '--blink-settings=defaultFontSize=32,defaultFixedFontSize=26'; // twice the usual, as a browser's setting has it

/** The browser of a test file; one more, with letters twice as large, from when somebody asks for it. */
class Browser {
  static async start(server) {
    const b = new Browser();
    b.server = server;
    b.usual = await b.launch();
    return b;
  }
  launch(...more) {
    return chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...more] });
  }
  /** A person: own cookies, own storage, one page, and a clock of their own. large: letters of 200 %. */
  async person({ viewport = DESK, dark = false, large = false, zone = 'Asia/Seoul' } = {}) {
    if (large) this.large ??= await this.launch(LARGE);
    const context = await (large ? this.large : this.usual).newContext({ viewport, colorScheme: dark ? 'dark' : 'light', baseURL: this.server.url, locale: 'en-US', timezoneId: zone, reducedMotion: 'reduce' });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000); // how long a test waits for what never comes; a busy machine takes its time
    return new Person(context, page, this.server);
  }
  async stop() {
    await this.usual?.close();
    await this.large?.close();
  }
}

class Person {
  constructor(context, page, server) {
    Object.assign(this, { context, page, troubles: [], expected: [] });
    page.on('pageerror', (e) => this.troubles.push(`exception: ${e.stack}`));
    page.on('console', (m) => {
      if (m.type() !== 'error' && m.type() !== 'warning') return;
      if (m.text().startsWith('Failed to load resource')) return; // judged by its status below
      this.troubles.push(`console: ${m.text()}`);
    });
    page.on('request', (r) => {
      const url = new URL(r.url());
      if (url.protocol !== 'data:' && url.origin !== server.url) this.troubles.push(`request to another host: ${r.url()}`);
    });
    page.on('response', (r) => {
      const { pathname } = new URL(r.url());
      if (r.status() < 400) return;
      const at = this.expected.findIndex(([status, path]) => status === r.status() && path === pathname);
      if (at < 0) this.troubles.push(`${r.request().method()} ${pathname}: ${r.status()}`);
    });
  }
  /** An error answer that the test provokes on purpose. */
  expect(status, path) {
    this.expected.push([status, path]);
  }
  async open(path) {
    await this.page.goto(path);
    await this.settled();
  }
  /** Until the page stands and nothing is loading. */
  async settled() {
    await this.page.locator('main h1').first().waitFor();
    await this.page.waitForFunction(() => !document.querySelector('.skeletons, [aria-busy="true"]'));
  }
  button(name) {
    return this.page.getByRole('button', { name });
  }
  link(name) {
    return this.page.getByRole('link', { name });
  }
  heading(name) {
    return this.page.getByRole('heading', { name });
  }
  field(label) {
    return this.page.getByLabel(label, { exact: true }).and(this.page.locator('input, textarea, select'));
  }
  /** Signs in with the form. */
  async signIn(email, password) {
    await this.open('/login');
    await this.field('E-mail').fill(email);
    await this.field('Password').fill(password);
    await this.page.locator('form').getByRole('button', { name: 'Sign in' }).click();
    await this.page.waitForURL('**/dashboard');
    await this.heading(/^Hello, /).waitFor(); // the address changes before the page does
    await this.settled();
  }
  async hasText(text) {
    await this.page.getByText(text).first().waitFor();
  }
  /** Violations of WCAG 2.2 A and AA, serious or critical, as axe-core finds them. */
  async accessible(what) {
    const size = this.page.viewportSize();
    await this.page.evaluate(AXE); // through the debugger, which the page's policy does not bind
    // on a screen as tall as the page: what happens to be under the bar at the foot of a phone is not hidden for good
    await this.page.setViewportSize({ ...size, height: Math.max(size.height, await this.page.evaluate(() => document.documentElement.scrollHeight)) });
    const found = await this.page.evaluate(async () => {
      window.scrollTo(0, 0); // what the fixed header covers depends on how far a page was scrolled
      const { violations } = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
      return violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id} (${v.impact}): ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`);
    });
    await this.page.setViewportSize(size);
    assert.deepEqual(found, [], `accessibility of ${what}`);
  }
  /** Nothing is wider than the screen, as it is, nor on the narrowest phone (320 px, WCAG 1.4.10) and a tablet, and all text can be
   *  read there; on a phone, in wide letters too. */
  async fits(what, widths = [320, 768]) {
    const size = this.page.viewportSize();
    for (const width of new Set([size.width, ...widths])) {
      for (const wide of width === PHONE.width ? [false, true] : [false]) {
        const where = `${what}, ${width} px${wide ? ', wide letters' : ''}`;
        await this.page.setViewportSize({ ...size, width });
        const excess = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(excess <= 0, `${where}: ${excess} px wider than the screen`);
        assert.deepEqual(await illegible(this.page, wide), [], where);
      }
    }
    await this.page.setViewportSize(size);
  }
  /** Fails with whatever went wrong on the way. */
  async leave() {
    await this.context.close();
    assert.deepEqual(this.troubles, []);
  }
}
