// The chef's desk and the administration of users: becoming a chef, declining, the calendar; roles and locks.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { day, newChef, subscriber } from '../lib/coocook.mjs';
import { hoursOf, wallOf } from '../../web/js/lib/zone.js';
import { PHONE, onDemo } from './browser.mjs';

const NY = 'America/New_York';

describe('the other side of the counter', () => {
  let server, browser;
  onDemo((site) => ({ server, browser } = site));

  test('becoming a chef, changing the price, taking the profile down', async () => {
    const p = await browser.person({ viewport: PHONE });
    const user = await server.user({ name: '새 셰프' });
    await p.signIn(user.email, user.password);
    await p.page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Desk' }).click();
    await p.heading('Cook with us').waitFor();
    await p.button('Open my kitchen').click();
    await p.hasText('Please enter what you cook.');
    await p.field('Name').fill('장금이');
    await p.field('Cuisine').fill('Korean');
    await p.field('City').fill('Seoul');
    await p.field('Price per hour, ₩').fill('lots');
    await p.field('About you').fill('궁중 음식');
    await p.button('Open my kitchen').click();
    await p.hasText('Please enter whole won');
    await p.field('Price per hour, ₩').fill('90000');
    await p.button('Open my kitchen').click();
    await p.heading("Chef's desk").waitFor();
    await p.page.getByRole('tab', { name: 'Profile' }).click();
    await p.field('Price per hour, ₩').fill('95000');
    await p.button('Save the profile').click();
    await p.hasText('Your profile is saved.');
    await p.link('See it as guests do').click();
    await p.page.locator('.chef__head').getByText('₩95,000').waitFor();
    await p.open('/chef-desk?tab=profile');
    await p.button('Take the profile down').click();
    await p.page.getByRole('dialog').getByRole('button', { name: 'Take it down' }).click();
    await p.heading('Cook with us').waitFor();
    assert.equal((await server.get('/api/coocook/search?q=%EC%9E%A5%EA%B8%88%EC%9D%B4')).body.total, 0);
    await p.leave();
  });

  test('a declined request leaves the desk, and a stale desk is told', async () => {
    const guest = await subscriber(server);
    const { id: userId, token } = await server.demoUser('chef');
    const [chef] = (await server.get(`/api/coocook/chefs?user_id=${userId}`)).body.chefs;
    const ask = async (hour, words) => (await server.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(60)}T${hour}:00:00Z`, duration_hours: 2, special_requests: words }, { token: guest.token })).body.id;
    await ask('03', 'please decline me');
    const second = await ask('09', 'gone meanwhile');

    const p = await browser.person();
    await p.signIn('chef@softfactory.com', 'chef123');
    await p.open('/chef-desk');
    const request = p.page.getByRole('article').filter({ hasText: 'please decline me' });
    await request.getByText(/^Ends in .+ unless you confirm it\.$/).waitFor();
    await request.getByRole('button', { name: 'Decline' }).click();
    await p.page.getByRole('dialog').getByRole('button', { name: 'Decline it' }).click();
    await request.waitFor({ state: 'detached' });

    const stale = p.page.getByRole('article').filter({ hasText: 'gone meanwhile' });
    await stale.waitFor();
    assert.equal((await server.put(`/api/coocook/bookings/${second}`, { status: 'cancelled' }, { token })).status, 200);
    p.expect(409, `/api/coocook/bookings/${second}`);
    await stale.getByRole('button', { name: 'Confirm' }).click();
    await p.page.locator('.toast--error').waitFor();
    await stale.waitFor({ state: 'detached' });
    await p.page.getByRole('tab', { name: 'Past' }).click();
    await stale.getByText('Cancelled').waitFor();
    await stale.getByText('By you.').waitFor();
    await p.leave();
  });

  test('a booking by the reader\'s clocks: named where the kitchen or the browser has others', async () => {
    const guest = await subscriber(server), chef = await newChef(server, { name: '시차 셰프' });
    const b = await server.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: `${day(40)}T18:00`, duration_hours: 2 }, { token: guest.token });
    assert.equal(b.status, 201, b.text);
    const there = (zone, hours) => { // of the start, "16:00" and so on
      const ms = Date.parse(b.body.starts_at) + hours * 3_600_000;
      return new Date(wallOf(zone, ms)).toISOString().slice(11, 16);
    };
    const when = (p, chefName) => p.page.getByRole('article').filter({ hasText: chefName }).locator('.booking__when strong');
    // at home: nothing to name
    const home = await browser.person();
    await home.signIn(guest.email, guest.password);
    await home.open('/bookings');
    assert.match(await when(home, '시차 셰프').textContent(), /, 18:00–20:00$/);
    await home.leave();
    // abroad: the account's clocks still, named
    const abroad = await browser.person({ zone: NY });
    await abroad.signIn(guest.email, guest.password);
    await abroad.open('/bookings');
    assert.match(await when(abroad, '시차 셰프').textContent(), /, 18:00–20:00 \(Asia\/Seoul\)$/);
    // and then the clocks of there, by choice
    await abroad.open('/account');
    await abroad.hasText('The clock of this device is on America/New_York.');
    await abroad.field('Time zone').fill('New York');
    await abroad.field('Language').selectOption({ label: '한국어' });
    abroad.expect(400, '/api/auth/me');
    await abroad.button('Save time zone and language').click();
    await abroad.hasText('must be an IANA time zone such as Asia/Seoul');
    await abroad.field('Time zone').fill(NY);
    await abroad.button('Save time zone and language').click();
    await abroad.hasText('Your time zone and language are saved.');
    assert.deepEqual((({ time_zone, language }) => [time_zone, language])((await server.get('/api/auth/me', { token: guest.token })).body), [NY, 'ko']);
    await abroad.open('/bookings');
    assert.ok((await when(abroad, '시차 셰프').textContent()).endsWith(`, ${there(NY, 0)}–${there(NY, 2)} (${NY})`), await when(abroad, '시차 셰프').textContent());
    await abroad.fits('bookings with a zone');
    await abroad.accessible('the account');
    await abroad.leave();
  });

  test('a kitchen elsewhere: its days and hours in the panel and on its desk, one\'s own beside them', async () => {
    const guest = await subscriber(server), chef = await newChef(server, { name: '뉴욕 셰프', time_zone: NY });
    const p = await browser.person();
    await p.signIn(guest.email, guest.password);
    await p.open(`/chef?id=${chef.id}`);
    await p.button('Next month').click();
    await p.settled();
    const cell = p.page.locator('.day--free:not([aria-disabled])').nth(4);
    const date = await cell.getAttribute('data-day');
    await cell.click();
    await p.hasText(`${NY} time`);
    await p.page.getByRole('button', { name: '18:00' }).click();
    const start = hoursOf(NY, date)[18];
    const seoul = new Date(wallOf('Asia/Seoul', start)).toISOString();
    await p.hasText(`, ${seoul.slice(11, 16)}–`);
    assert.match(await p.page.getByText(/^For you that is /).textContent(), /\(Asia\/Seoul\)\.$/);
    await p.fits('a kitchen elsewhere');
    await p.button(/^Request for/).click();
    await p.heading('Asked for').waitFor();
    const [b] = (await server.get('/api/coocook/bookings', { token: guest.token })).body;
    assert.deepEqual([b.starts_at, b.booking_date, b.time_zone], [`${new Date(start).toISOString().slice(0, 19)}Z`, date, NY]);
    await p.leave();
    // the chef, who reads Seoul's clocks: the day is the kitchen's
    const desk = await browser.person();
    await desk.signIn(chef.user.email, chef.user.password);
    await desk.open('/chef-desk?tab=calendar');
    while (await desk.page.locator(`[data-day="${date}"]`).count() === 0) await desk.button('Next month').click();
    await desk.page.locator(`[data-day="${date}"]`).click();
    await desk.heading(new RegExp(`\\(${NY}\\)$`)).waitFor();
    assert.match(await desk.page.getByRole('article').locator('.booking__when strong').textContent(), new RegExp(`, ${seoul.slice(11, 16)}–.* \\(Asia/Seoul\\)$`));
    await desk.page.getByRole('tab', { name: 'Profile' }).click();
    assert.equal(await desk.field('Time zone').inputValue(), NY);
    await desk.field('Time zone').fill('Asia/Seoul');
    await desk.button('Save the profile').click();
    await desk.hasText('Your profile is saved.');
    assert.equal((await server.get(`/api/coocook/chefs/${chef.id}`)).body.time_zone, 'Asia/Seoul');
    await desk.leave();
  });

  test('an administrator finds a person, changes the role, locks them out and in', async () => {
    const user = await server.user({ name: '찾을 사람', email: 'findme@example.com' });
    const p = await browser.person();
    await p.signIn('admin@softfactory.com', 'admin123');
    await p.link('Users').first().click();
    await p.page.getByRole('searchbox').fill('찾을');
    await p.hasText(/^1 user$/);
    const row = p.page.getByRole('row').filter({ hasText: user.email });
    await row.getByRole('combobox').selectOption('admin');
    await p.hasText('찾을 사람 is now an administrator.');
    await row.getByRole('combobox').selectOption('user');
    await p.hasText('찾을 사람 is now a user.');
    await row.getByRole('button', { name: 'Lock' }).click();
    await p.page.getByRole('dialog').getByRole('button', { name: 'Lock the account' }).click();
    await p.hasText('찾을 사람 is locked out.');
    assert.equal((await server.post('/api/auth/login', { email: user.email, password: user.password })).status, 403);
    await row.getByRole('button', { name: 'Unlock' }).click();
    await p.hasText('찾을 사람 may come in again.');
    assert.equal((await server.post('/api/auth/login', { email: user.email, password: user.password })).status, 200);
    await p.leave();
  });

  test('others are kept out of the administration', async () => {
    const p = await browser.person();
    await p.open('/login');
    await p.page.goto('/admin');
    await p.page.waitForURL('**/login?next=%2Fadmin');
    await p.signIn('demo@softfactory.com', 'demo123');
    await p.open('/admin');
    await p.heading('For administrators').waitFor();
    assert.equal(await p.link('Users').count(), 0);
    await p.leave();
  });
});
