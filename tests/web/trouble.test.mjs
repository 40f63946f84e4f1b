// When things go wrong: lost connections, slow or busy servers, a session that ended, hours taken meanwhile.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { SECRET } from '../lib/server.mjs';
import { onDemo } from './browser.mjs';

const CHEFS = '/api/coocook/chefs';
const json = (status, body, headers = {}) => ({ status, contentType: 'application/json', headers, body: JSON.stringify(body) });

describe('when things go wrong', () => {
  let server, browser;
  onDemo((site) => ({ server, browser } = site));

  test('an error is shown with its request and a way to try again', async () => {
    const p = await browser.person();
    let broken = true;
    await p.page.route(`**${CHEFS}?*`, (r) => (broken ? r.fulfill(json(500, { error: 'Something went wrong on our side.', code: 'internal', request_id: 'abc123' })) : r.continue()));
    p.expect(500, CHEFS);
    await p.open('/chefs');
    await p.heading('The chefs did not load').waitFor();
    await p.hasText('Request abc123');
    await p.accessible('an error');
    broken = false;
    await p.button('Try again').click();
    await p.hasText('80 chefs');
    await p.leave();
  });

  test('a busy server is asked again after its Retry-After, without a word', async () => {
    const p = await browser.person();
    const times = [];
    await p.page.route(`**${CHEFS}?*`, (r) => {
      times.push(Date.now());
      return times.length === 1 ? r.fulfill(json(503, { error: 'Busy.', code: 'overload' }, { 'Retry-After': '1' })) : r.continue();
    });
    p.expect(503, CHEFS);
    await p.open('/chefs');
    await p.hasText('80 chefs');
    assert.equal(times.length, 2);
    assert.ok(times[1] - times[0] >= 1000);
    await p.leave();
  });

  test('a lost answer: the booking is asked for again under the same key, and made once', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    const count = async () => Number((await p.page.evaluate(async () => (await fetch('/api/coocook/bookings')).headers.get('X-Total-Count'))));
    const had = await count();
    await p.open('/chef?id=5');
    await p.button('Next month').click();
    await p.settled();
    await p.page.locator('.day--free:not([aria-disabled])').nth(2).click();
    await p.page.locator('.hour').first().click();
    const keys = [];
    await p.page.route('**/api/coocook/bookings', async (r) => {
      keys.push(r.request().headers()['idempotency-key']);
      if (keys.length > 1) return r.continue();
      await r.fetch(); // the server does it, the answer is lost
      return r.abort('connectionreset');
    });
    await p.button(/^Request for/).click();
    await p.heading('Asked for').waitFor();
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    assert.equal(await count(), had + 1);
    await p.leave();
  });

  test('hours that someone else took: said in words, and the calendar knows', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    await p.open('/chef?id=6');
    await p.button('Next month').click();
    await p.settled();
    await p.page.locator('.day--free:not([aria-disabled])').nth(3).click();
    const hour = p.page.locator('.hour').first();
    const text = await hour.textContent();
    await hour.click();
    const day = new URL(p.page.url()).searchParams.get('day');
    const starts = new Date(Date.parse(`${day}T${text}:00Z`) - 9 * 3_600_000).toISOString().replace('.000', '');
    const rival = await server.demoUser('admin');
    const taken = await server.post('/api/coocook/bookings', { chef_id: 6, booking_date: starts, duration_hours: 1 }, { token: rival.token });
    assert.equal(taken.status, 201, taken.text);
    p.expect(409, '/api/coocook/bookings');
    await p.button(/^Request for/).click();
    await p.page.locator('.field__error, .form-error p').first().waitFor();
    await p.settled();
    assert.equal(await p.page.getByRole('button', { name: text, exact: true }).count(), 0);
    // what is free instead is one click away
    const offers = p.page.getByRole('group', { name: 'Free instead' }).getByRole('button');
    assert.equal(await offers.count(), 3);
    await p.fits('the times that are free instead');
    const words = await offers.first().textContent();
    await offers.first().click();
    await offers.first().waitFor({ state: 'detached' });
    await p.button(/^Request for/).click();
    await p.heading('Asked for').waitFor();
    await p.hasText(words);
    await p.leave();
  });

  test('too much that is not paid: said in words, with the way to one\'s bookings', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    await p.open('/chef?id=7');
    await p.button('Next month').click();
    await p.settled();
    await p.page.locator('.day--free:not([aria-disabled])').first().click();
    await p.page.locator('.hour').first().click();
    await p.page.route('**/api/coocook/bookings', (r) => r.fulfill(json(409, { error: 'You have 3 unpaid bookings with this chef.', code: 'conflict', request_id: 'x' })));
    p.expect(409, '/api/coocook/bookings');
    await p.button(/^Request for/).click();
    await p.hasText('You have 3 unpaid bookings with this chef.');
    await p.page.unrouteAll();
    await p.link('See your bookings').click();
    await p.heading('My bookings').waitFor();
    await p.leave();
  });

  test('a session that ended: to signing in, and back to where one was', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    await p.settled(); // what the dashboard asks for is answered
    const cookies = await p.context.cookies();
    await p.context.clearCookies({ name: 'sf_session' });
    assert.ok(cookies.find((c) => c.name === 'sf_session').httpOnly);
    p.expect(401, '/api/coocook/bookings');
    await p.link('My bookings').first().click();
    await p.page.waitForURL('**/login?next=%2Fbookings');
    await p.hasText('Your session has ended. Please sign in again.');
    await p.field('E-mail').fill('demo@softfactory.com');
    await p.field('Password').fill('demo123');
    await p.page.locator('form').getByRole('button', { name: 'Sign in' }).click();
    await p.page.waitForURL('**/bookings');
    await p.leave();
  });

  test('signing in never leads to another site, nor nowhere', async () => {
    const p = await browser.person();
    await p.open(`/login?next=${encodeURIComponent('/.//evil.example/')}`);
    await p.field('E-mail').fill('demo@softfactory.com');
    await p.field('Password').fill('demo123');
    await p.page.locator('form').getByRole('button', { name: 'Sign in' }).click();
    await p.page.waitForURL('**/dashboard');
    await p.heading(/^Hello, /).waitFor();
    // who is signed in is led on at once
    for (const [page, next] of [['/register', '/.//evil.example/'], ['/login', '/\\evil.example'], ['/register', 'javascript:alert(1)'], ['/login', '/login?next=/login'], ['/login', '/nowhere']]) {
      await p.page.goto(`${page}?next=${encodeURIComponent(next)}`);
      await p.page.waitForURL('**/dashboard');
      await p.heading(/^Hello, /).waitFor();
    }
    await p.page.goto(`/login?next=${encodeURIComponent('/account#name')}`);
    await p.page.waitForURL('**/account#name');
    await p.settled();
    p.expect(404, '//chefs'); // a path that reads as a host: no page, and its links work
    await p.open(`${server.url}//chefs?x=1`);
    await p.page.locator('main').getByRole('link', { name: 'Find a chef' }).click();
    await p.hasText('80 chefs');
    await p.leave();
  });

  test('a guest who picks hours finds them again after signing in', async () => {
    const p = await browser.person();
    await p.open('/chef?id=7');
    await p.button('Next month').click();
    await p.settled();
    await p.page.locator('.day--free:not([aria-disabled])').nth(1).click();
    await p.page.locator('.hour').nth(2).click();
    await p.button('One hour more').click();
    await p.link('Sign in to book').click();
    await p.field('E-mail').fill('demo@softfactory.com');
    await p.field('Password').fill('demo123');
    await p.page.locator('form').getByRole('button', { name: 'Sign in' }).click();
    await p.page.waitForURL('**/chef?id=7*');
    await p.settled();
    await p.button(/^Request for/).waitFor();
    await p.hasText('3 hours');
    await p.leave();
  });

  test('text from people stays text', async () => {
    const p = await browser.person();
    const chef = await server.user({ name: 'x' });
    const name = '<img src=x onerror=alert(1)>';
    const made = await server.post(CHEFS, { name, cuisine_type: '"><script>', location: "'--", price_per_session: 1, bio: '</p><b>bold</b>' }, { token: chef.token });
    assert.equal(made.status, 201, made.text);
    await p.open(`/chef?id=${made.body.id}`);
    await p.heading(name).first().waitFor();
    await p.hasText('</p><b>bold</b>');
    assert.equal(await p.page.locator('main img').count(), 0);
    await p.leave();
  });

  test('the account: a new name and a new password', async () => {
    const p = await browser.person();
    const user = await server.user({ name: 'Before' });
    await p.signIn(user.email, user.password);
    await p.open('/account');
    await p.field('Name').fill('After');
    await p.button('Save the name').click();
    await p.heading('After').waitFor();
    await p.field('Present password').fill('not it at all');
    await p.field('New password').fill('another sentence');
    await p.field('New password again').fill('another sentence');
    p.expect(400, '/api/auth/me');
    await p.button('Change the password').click();
    await p.page.locator('.field__error, .form-error p').first().waitFor();
    await p.field('Present password').fill(user.password);
    await p.button('Change the password').click();
    await p.hasText('Your password is changed.');
    await p.open('/dashboard');
    await p.heading('Hello, After').waitFor();
    await p.leave();
  });

  test('signing out that failed is told, and the page stays signed in', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    await p.page.route('**/auth/logout', (r) => r.fulfill(json(500, { error: 'Something went wrong on our side.', code: 'internal', request_id: 'r' })));
    p.expect(500, '/auth/logout');
    await p.open('/account');
    const out = p.page.locator('main').getByRole('button', { name: 'Sign out', exact: true });
    await out.click();
    await p.hasText('You are still signed in. Something went wrong on our side.');
    await p.button(/^Account of /).waitFor();
    let lost = true;
    await p.page.unroute('**/auth/logout');
    await p.page.route('**/auth/logout', (r) => (lost ? (lost = false, r.abort('connectionreset')) : r.continue())); // asked again by itself
    await out.click();
    await p.link('Sign in').first().waitFor();
    assert.deepEqual((await p.context.cookies()).map((c) => c.name), ['sf_device'], 'what stays signs nobody in');
    await p.leave();
  });

  test('while the server cannot say who is here, nobody is sent to sign in', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    let broken = true;
    await p.page.route('**/auth/session', (r) => (broken ? r.fulfill(json(503, { error: 'A part of the system is down.', code: 'unavailable', request_id: 'r' }, { 'Retry-After': '60' })) : r.continue()));
    p.expect(503, '/auth/session');
    await p.page.goto('/bookings');
    await p.heading('We could not find out who you are').waitFor();
    assert.equal(new URL(p.page.url()).pathname, '/bookings');
    await p.accessible('a session that is not known');
    broken = false;
    await p.button('Try again').click();
    await p.heading('My bookings').waitFor();
    await p.leave();
  });

  test('what the cookies say is not believed: the server says who is signed in', async () => {
    const p = await browser.person();
    await p.signIn('demo@softfactory.com', 'demo123');
    await p.context.clearCookies({ name: 'sf_csrf' });
    await p.page.goto('/bookings');
    await p.heading('My bookings').waitFor(); // the session lives, and its companion is back
    assert.ok((await p.context.cookies()).some((c) => c.name === 'sf_csrf'));
    const other = await p.context.newPage();
    other.setDefaultTimeout(60_000);
    await other.route('**/js/pages/landing.*.js', async (r) => { await delay(500); await r.continue(); }); // the page before stands meanwhile
    await other.goto('/account');
    await other.locator('main').getByRole('button', { name: 'Sign out', exact: true }).click();
    await other.waitForFunction(() => location.pathname === '/' && document.title.startsWith('SoftFactory: ')); // not to signing in
    await other.getByRole('link', { name: 'Sign in' }).first().waitFor();
    await p.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange'))); // the first tab is looked at again
    await p.page.waitForURL('**/login?next=%2Fbookings');
    await p.link('Sign in').first().waitFor();
    await p.leave();
  });

  test('a page that was open while the server got another secret: writes and signing out work', async () => {
    const p = await browser.person();
    const user = await server.user({ name: 'Before' });
    const rename = async (name) => {
      const saved = p.page.waitForResponse((r) => r.url().endsWith('/api/auth/me') && r.request().method() === 'PUT' && r.ok());
      await p.field('Name').fill(name);
      await p.button('Save the name').click();
      await saved;
      await p.heading(name).waitFor();
    };
    const [second, third] = ['second', 'third'].map((n) => `the ${n} secret of thirty-two bytes or more for tests`);
    await p.signIn(user.email, user.password);
    await p.open('/account');
    await server.restart({ JWT_SECRET: second, JWT_PREVIOUS_SECRETS: SECRET }); // a rotation as the guide has it
    await rename('After a rotation');
    await server.restart({ JWT_SECRET: third, JWT_PREVIOUS_SECRETS: undefined }); // the others are gone
    p.expect(403, '/api/auth/me'); // once: then the page has read, and written
    await rename('After another');
    await p.context.addCookies([{ name: 'sf_csrf', value: 'of-a-secret-that-is-gone', url: server.url }]);
    await p.page.locator('main').getByRole('button', { name: 'Sign out', exact: true }).click();
    await p.link('Sign in').first().waitFor();
    assert.deepEqual((await p.context.cookies()).map((c) => c.name), ['sf_device'], 'what stays signs nobody in');
    await p.leave();
  });
});
