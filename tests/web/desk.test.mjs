// The chef's desk and the administration of users: becoming a chef, declining, the calendar; roles and locks.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { day, subscriber } from '../lib/coocook.mjs';
import { PHONE, onDemo } from './browser.mjs';

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
