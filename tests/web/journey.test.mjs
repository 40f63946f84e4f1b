// The whole way: join, find a chef, book, pay; the chef confirms and completes; the review appears.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { letPass, onDatabase } from '../lib/coocook.mjs';
import { until } from '../lib/proc.mjs';
import { onDemo } from './browser.mjs';

const CHEF = '이서준 Seojun Lee'; // of the demo's chef account
const EMAIL = 'guest@example.com';

/** Who joins the demo has CooCook; this takes it away and gives it back. */
const setSubscription = (server, email, status) => onDatabase(server,
  `UPDATE subscriptions SET status = '${status}' WHERE user_id = (SELECT id FROM users WHERE email = '${email}')`);

describe('from joining to the review', () => {
  let server, browser, guest, chef, total;
  onDemo(async (site) => {
    ({ server, browser } = site);
    guest = await browser.person();
    chef = await browser.person();
  });

  test('joining: what is wrong is said at its field, then the dashboard opens', async () => {
    await guest.open('/register');
    await guest.button('Create account').click();
    await guest.hasText('Please enter your name.');
    assert.equal(await guest.field('Name').evaluate((e) => e === document.activeElement), true, 'the first wrong field has the focus');
    await guest.field('Name').fill('김손님');
    await guest.field('E-mail').fill('demo@softfactory.com');
    await guest.field('Password').fill('a good sentence');
    guest.expect(400, '/api/auth/register');
    await guest.button('Create account').click();
    await guest.page.locator('.field__error').waitFor();
    assert.equal(await guest.field('E-mail').getAttribute('aria-invalid'), 'true');
    await guest.field('E-mail').fill(EMAIL);
    await guest.button('Create account').click();
    await guest.page.waitForURL('**/dashboard');
    await guest.heading('Hello, 김손님').waitFor();
  });

  test('without the product a booking is refused in words', async () => {
    await setSubscription(server, EMAIL, 'canceled');
    guest.expect(403, '/api/coocook/bookings');
    await guest.open('/bookings');
    await guest.heading('CooCook is not among your products').waitFor();
    await setSubscription(server, EMAIL, 'active');
  });

  test('a chef is found by filters', async () => {
    await guest.open('/chefs');
    await guest.hasText('80 chefs');
    await guest.page.getByRole('group', { name: 'Cuisine' }).getByRole('button', { name: /^Korean/ }).click();
    await guest.hasText(/^8 chefs/);
    await guest.field('City or district').fill('Seoul');
    await guest.hasText(/^2 chefs/);
    assert.match(guest.page.url(), /cuisine=Korean/);
    assert.match(guest.page.url(), /location=Seoul/);
    await guest.field('to, ₩').fill('200000');
    await guest.hasText(/^1 chef$/);
    await guest.link(CHEF).waitFor();
    await guest.page.goBack();
    await guest.page.goBack();
    await guest.button('Clear all').waitFor({ state: 'detached' });
  });

  test('pages of the list are addresses', async () => {
    await guest.open('/chefs');
    const first = await guest.page.locator('.chef-card h2').first().textContent();
    await guest.link('Page 2').click();
    await guest.page.waitForURL('**/chefs?page=2');
    await until(async () => (await guest.page.locator('.chef-card h2').first().textContent()) !== first, { what: 'the second page' });
    await guest.page.reload();
    await guest.settled();
    assert.notEqual(await guest.page.locator('.chef-card h2').first().textContent(), first);
  });

  test('a chef is found by searching, in Korean and in English', async () => {
    await guest.open('/chefs');
    const search = guest.page.getByRole('searchbox');
    await search.pressSequentially('Seojun');
    await guest.hasText(/for “Seojun”/);
    await guest.link(CHEF).waitFor();
    await guest.button('Clear the search').click();
    await guest.hasText('80 chefs');
    await search.fill('궁중요리');
    await guest.link(CHEF).click();
    await guest.page.waitForURL('**/chef?id=*');
    await guest.heading(CHEF).first().waitFor();
  });

  test('booking with the calendar, and paying at once', async () => {
    await guest.settled();
    await guest.button('Next month').click();
    await guest.settled();
    const day = guest.page.locator('.day--free:not([aria-disabled])').first();
    await day.click();
    const hours = guest.page.locator('.hour');
    await hours.first().waitFor();
    await guest.page.getByRole('button', { name: '12:00' }).click();
    await guest.button('One hour more').click();
    await guest.hasText('3 hours');
    await guest.field('Special requests').fill('땅콩 알레르기가 있어요.');
    const ask = guest.button(/^Request for ₩/);
    total = (await ask.textContent()).replace(/[^₩\d,]/g, '');
    assert.equal(total, '₩540,000');
    await ask.click();
    await guest.heading('Asked for').waitFor();
    await guest.button(`Pay ${total}`).click();
    await guest.page.getByRole('dialog').getByRole('button', { name: `Pay ${total}` }).click();
    await guest.hasText(`Paid ${total}.`);
    await guest.link('See my bookings').click();
    await guest.page.getByRole('article').filter({ hasText: CHEF }).getByText('Paid').waitFor();
  });

  test('the same hours are gone for others', async () => {
    const other = await browser.person();
    await other.signIn('demo@softfactory.com', 'demo123');
    await other.open('/chefs?q=Seojun');
    await other.link(CHEF).click();
    await other.settled();
    await other.button('Next month').click();
    await other.settled();
    await other.page.locator('.day--free:not([aria-disabled])').first().click();
    await other.page.getByRole('button', { name: '15:00' }).waitFor();
    assert.equal(await other.page.getByRole('button', { name: '12:00' }).count(), 0);
    assert.equal(await other.page.getByRole('button', { name: '14:00' }).count(), 0);
    // the calendar ends where the platform takes no more bookings
    const { last_day: last } = (await server.get(`/api/coocook/chefs/${new URL(other.page.url()).searchParams.get('id')}/availability`)).body;
    const next = other.button('Next month');
    for (let i = 0; i < 20 && await next.isEnabled(); i++) await next.click();
    await other.settled();
    const days = await other.page.locator('.day:not([aria-disabled])').evaluateAll((list) => list.map((d) => d.dataset.day));
    assert.equal(days.at(-1), last);
    await other.leave();
  });

  test('the chef confirms and completes', async () => {
    await chef.signIn('chef@softfactory.com', 'chef123');
    await chef.link("Chef's desk").first().click();
    const request = chef.page.getByRole('article').filter({ hasText: '땅콩 알레르기가 있어요.' });
    await request.getByRole('heading', { name: '김손님' }).waitFor();
    await request.getByRole('button', { name: 'Confirm' }).click();
    await chef.hasText('Confirmed. The guest is told.');
    await request.getByText('Confirmed').first().waitFor();
    assert.equal(await request.getByRole('button', { name: 'Mark as cooked' }).count(), 0, 'not before it has taken place');
    await letPass(server, "special_requests = '땅콩 알레르기가 있어요.'");
    await chef.page.reload();
    await request.getByRole('button', { name: 'Mark as cooked' }).click();
    await chef.hasText('Completed. The guest may now write a review.');
    await chef.leave();
  });

  test('the guest reviews, and the review appears with the new rating', async () => {
    await guest.open('/bookings?status=completed');
    await guest.button('Write a review').click();
    const dialog = guest.page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Send the review' }).click();
    await dialog.getByText('Please choose one to five stars.').waitFor();
    await dialog.locator('.star-input__star').nth(4).click();
    await dialog.getByLabel('In your words').fill('정말 잊지 못할 저녁이었어요.');
    await dialog.getByRole('button', { name: 'Send the review' }).click();
    await guest.link('See it').click();
    await guest.hasText('정말 잊지 못할 저녁이었어요.');
    await guest.page.locator('.review').filter({ hasText: '정말 잊지 못할 저녁이었어요.' }).getByText('김○○').waitFor();
    const { body } = await server.get('/api/coocook/search?q=Seojun');
    await guest.page.locator('.chef__head').getByText(`(${body.chefs[0].rating_count})`).waitFor();
    await guest.open('/bookings?status=completed');
    assert.equal(await guest.button('Write a review').count(), 0, 'once only');
    await guest.leave();
  });
});
