// Accounts by a mailed code: joining, a forgotten password, what is refused on the way; and a Telegram chat linked to one.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { until } from '../lib/proc.mjs';
import { DESK, HOOK, PHONE, onDemo } from './browser.mjs';

describe('accounts by a code', () => {
  let server, browser, api, admin;
  onDemo(async (site) => {
    ({ server, browser, api } = site);
    admin = await server.demoUser('admin');
  }, { bot: true });
  /** The code in the newest of at least `count` mails to the address. */
  const code = async (email, count = 1) => {
    const [{ id }] = await until(async () => {
      const { body } = await server.get(`/api/ops/outbox?to=${encodeURIComponent(email)}`, { token: admin.token });
      return body.mails.length >= count && body.mails;
    }, { what: `${count} mails to ${email}` });
    return /: (\d{6})\n/.exec((await server.get(`/api/ops/outbox/${id}`, { token: admin.token })).body.text)[1];
  };
  const fill = async (p, otp, password) => {
    await p.field('Code').fill(otp);
    await p.field('New password').fill(password);
  };

  for (const [viewport, dark] of [[PHONE, false], [DESK, true]]) {
    const looks = `${viewport.width} px, ${dark ? 'dark' : 'light'}`;

    test(`joining, ${looks}`, async () => {
      const email = `join-${viewport.width}@example.com`;
      const p = await browser.person({ viewport, dark });
      await p.open('/register');
      await p.link('Join with a code').click();
      await p.heading('Join with a code').waitFor();
      await p.fits('/join');
      await p.accessible(`/join, ${looks}`);
      await p.button('Mail me a code').click();
      await p.hasText('Please enter your e-mail address.');
      await p.field('E-mail').fill(email);
      await p.button('Mail me a code').click();
      await p.page.getByRole('status').filter({ hasText: email }).waitFor();
      await p.hasText('You can ask for a new code in');
      await p.hasText('This installation sends no mail yet');
      await p.fits('the code of /join');
      await p.accessible(`the code of /join, ${looks}`);
      await fill(p, '12a', 'short');
      await p.button('Create account').click();
      await p.hasText('The code has six digits.');
      await p.hasText('A password has at least 8 characters.');
      await fill(p, await code(email), 'long enough 1');
      await p.button('Create account').click();
      await p.page.waitForURL('**/dashboard');
      await p.heading(`Hello, join-${viewport.width}`).waitFor();
      await p.leave();
    });

    test(`a forgotten password, ${looks}`, async () => {
      const user = await server.user();
      const p = await browser.person({ viewport, dark });
      await p.open('/login?next=%2Faccount');
      await p.link('Forgot your password?').click();
      await p.heading('Forgot your password?').waitFor();
      await p.accessible(`/forgot, ${looks}`);
      await p.field('E-mail').fill(user.email);
      await p.button('Mail me a code').click();
      await p.field('Code').waitFor();
      const otp = await code(user.email, 2); // the first confirms the address
      p.expect(400, '/auth/reset-password');
      await fill(p, otp === '000000' ? '111111' : '000000', 'long enough 2');
      await p.button('Set the password').click();
      await p.hasText('This code is wrong or over. Ask for a new one.');
      await p.page.waitForFunction(() => document.activeElement?.name === 'otp');
      await p.accessible(`a wrong code, ${looks}`);
      await fill(p, otp, 'long enough 2');
      await p.button('Set the password').click();
      await p.page.waitForURL('**/account');
      await p.heading(user.email.split('@')[0]).waitFor(); // the name that was given before the address was confirmed is gone
      assert.equal((await server.post('/auth/login', { email: user.email, password: 'long enough 2' })).status, 200);
      await p.leave();
    });
  }

  test('an address is confirmed on the account page', async () => {
    const email = 'confirm@example.com', p = await browser.person({ viewport: PHONE });
    await p.open('/register?next=%2Faccount');
    await p.field('Name').fill('김손님');
    await p.field('E-mail').fill(email);
    await p.field('Password').fill('long enough 1');
    await p.button('Create account').click();
    await p.page.waitForURL('**/account');
    await p.heading('Confirm your mail').waitFor();
    await p.fits('the code that confirms');
    await p.accessible('the code that confirms');
    await p.button('Confirm').click();
    await p.hasText('Please enter the code.');
    const mails = async () => (await server.get(`/api/ops/outbox?to=${email}`, { token: admin.token })).body.mails;
    const [{ id }] = await until(async () => { const list = await mails(); return list.length && list; }, { what: 'the mail' });
    const right = /: ([0-9A-Z]{4}-[0-9A-Z]{4})\n/.exec((await server.get(`/api/ops/outbox/${id}`, { token: admin.token })).body.text)[1];
    p.expect(400, '/api/auth/confirm');
    await p.field('Code').fill(right === 'AAAA-AAAA' ? 'BBBB-BBBB' : 'AAAA-AAAA');
    await p.button('Confirm').click();
    await p.hasText('This code is wrong or over. Ask for a new one.');
    await p.button('Mail me a new code').click();
    await p.hasText('an administrator finds the code in the outbox');
    assert.equal((await mails()).length, 1, 'one a minute');
    await p.field('Code').fill(right.toLowerCase());
    await p.button('Confirm').click();
    await p.hasText('Your address is confirmed.');
    assert.equal(await p.heading('Confirm your mail').count(), 0);
    await p.leave();
  });

  test('where an installation says of no address whether it has an account, a code comes first', async () => {
    const email = 'quiet@example.com', p = await browser.person();
    await p.open('/register?next=%2Faccount');
    await p.page.route('**/api/auth/register', async (route) => { // as REGISTER_QUIET has it
      const { status, body } = await server.post('/auth/register', { email: route.request().postDataJSON().email });
      await route.fulfill({ status, json: body });
    });
    await p.field('Name').fill('이조용');
    await p.field('E-mail').fill(email);
    await p.field('Password').fill('long enough 1');
    await p.button('Create account').click();
    await p.page.getByRole('status').filter({ hasText: email }).waitFor();
    await p.accessible('the code of a quiet registration');
    assert.equal(await p.field('New password').inputValue(), 'long enough 1');
    await p.field('Code').fill(await code(email));
    await p.button('Create account').click();
    await p.page.waitForURL('**/account');
    await p.heading('이조용').waitFor();
    assert.equal(await p.heading('Confirm your mail').count(), 0);
    await p.leave();
  });

  test('an address without an account is answered the same', async () => {
    const p = await browser.person();
    await p.open('/forgot');
    await p.field('E-mail').fill('nobody@example.com');
    await p.button('Mail me a code').click();
    await p.page.getByRole('status').filter({ hasText: 'If nobody@example.com can be used' }).waitFor();
    await p.button('Use another address').click();
    await p.button('Mail me a code').waitFor();
    assert.equal(await p.field('E-mail').inputValue(), 'nobody@example.com');
    await p.leave();
  });

  test('with a code from another page, by keyboard alone', async () => {
    const user = await server.user();
    assert.equal((await server.post('/auth/forgot-password', { email: user.email })).status, 202);
    const otp = await code(user.email, 2);
    const p = await browser.person();
    const { keyboard } = p.page;
    const at = (name) => p.page.waitForFunction((n) => document.activeElement?.name === n, name);
    await p.open('/forgot');
    await p.button('I have a code already').focus();
    await keyboard.press('Enter');
    await at('email');
    await keyboard.type(user.email);
    await keyboard.press('Tab');
    await at('otp');
    await keyboard.type(otp);
    await keyboard.press('Tab');
    await at('password');
    await keyboard.type('long enough 3');
    await keyboard.press('Enter');
    await p.page.waitForURL('**/dashboard');
    await p.heading(`Hello, ${user.email.split('@')[0]}`).waitFor();
    await p.leave();
  });

  test('a server in trouble is told, and what was typed stays', async () => {
    const p = await browser.person();
    await p.open('/forgot');
    await p.page.route('**/auth/forgot-password', (route) => route.fulfill({ status: 503, contentType: 'application/json', headers: { 'Retry-After': '7' },
      body: JSON.stringify({ error: 'Busy.', code: 'overloaded', request_id: 'r' }) }));
    p.expect(503, '/auth/forgot-password');
    await p.field('E-mail').fill('kim@example.com');
    await p.button('Mail me a code').click();
    await p.page.getByRole('alert').filter({ hasText: 'Busy. Try again in 7 s.' }).waitFor();
    assert.equal(await p.field('E-mail').inputValue(), 'kim@example.com');
    await p.leave();
  });

  for (const viewport of [PHONE, DESK]) {
    test(`a chat is connected and disconnected, ${viewport.width} px`, async () => {
      const user = await server.user();
      const p = await browser.person({ viewport });
      await p.signIn(user.email, user.password);
      await p.open('/account');
      await p.button('Connect Telegram').click();
      const command = p.page.locator('.telegram__command');
      await command.waitFor();
      await p.fits('the code of Telegram');
      await p.accessible('the code of Telegram');
      const text = await command.textContent();
      assert.match(text, /^\/start [\w-]{22}$/);
      const chat = 7000 + viewport.width;
      const sent = await server.post(HOOK, { update_id: chat, message: { message_id: 1, date: 1, chat: { id: chat, type: 'private' }, from: { id: chat }, text } });
      assert.equal(sent.status, 200, sent.text);
      await p.hasText(/^Connected since/); // without a reload
      await p.button('Disconnect').click();
      await p.page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click();
      await p.button('Connect Telegram').waitFor();
      assert.equal((await server.get('/api/telegram/link', { token: user.token })).body.linked, false);
      await p.leave();
    });
  }

  for (const [viewport, dark] of [[PHONE, false], [DESK, true]]) {
    test(`sign-ins are seen and ended, ${viewport.width} px`, async () => {
      const user = await server.user(); // a program's sign-in
      const [here, there] = [await browser.person({ viewport, dark }), await browser.person({ viewport })];
      for (const p of [here, there]) {
        await p.signIn(user.email, user.password);
        await p.open('/account');
      }
      await here.open('/account');
      const items = here.page.locator('.sign-in');
      await here.page.waitForFunction(() => document.querySelectorAll('.sign-in').length === 3);
      assert.match(await items.first().textContent(), /on Linux\s*This device\s*In use now/);
      await here.fits('the sign-ins');
      await here.accessible(`the sign-ins, ${viewport.width} px`);
      await here.button('Sign out Unknown device').click();
      await here.page.waitForFunction(() => document.querySelectorAll('.sign-in').length === 2);
      assert.equal((await server.get('/api/auth/me', { token: user.token })).status, 401);
      await here.button('Sign out everywhere').click();
      await here.page.getByRole('dialog').getByRole('button', { name: 'Stay signed in' }).click();
      await here.button('Sign out everywhere').click();
      await here.page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
      await here.page.waitForURL((url) => url.pathname === '/');
      await here.link('Sign in').first().waitFor();
      there.expect(401, '/api/auth/me');
      there.expect(401, '/api/auth/sessions');
      await there.field('Name').fill('Too late');
      await there.button('Save the name').click();
      await there.page.waitForURL('**/login?next=%2Faccount');
      for (const p of [here, there]) await p.leave();
    });
  }

  test('registering leaves one sign-in, and a new password keeps this browser', async () => {
    const p = await browser.person();
    const email = `one${Date.now()}@example.com`;
    await p.open('/register');
    await p.field('Name').fill('One');
    await p.field('E-mail').fill(email);
    await p.field('Password').fill('long enough 4');
    await p.button('Create account').click();
    await p.page.waitForURL('**/dashboard');
    const signIns = () => p.page.evaluate(async () => (await (await fetch('/api/auth/sessions')).json()).sessions.map((s) => s.current));
    await until(async () => (await signIns()).length === 1, { what: 'the sign-in of registering to end' });
    await p.open('/account');
    await p.field('Present password').fill('long enough 4');
    await p.field('New password').fill('long enough 5');
    await p.field('New password again').fill('long enough 5');
    await p.button('Change the password').click();
    await p.hasText('Your password is changed.');
    assert.deepEqual(await signIns(), [true]);
    await p.field('Name').fill('Still here');
    await p.button('Save the name').click();
    await p.hasText('Your name is saved.');
    await p.leave();
  });

  test('without a bot there is nothing to connect', async () => {
    const p = await browser.person();
    const user = await server.user();
    await p.page.route('**/api/telegram/link', (route) => route.fulfill({ json: { configured: false, linked: false, linked_at: null } }));
    await p.signIn(user.email, user.password);
    const asked = p.page.waitForResponse('**/api/telegram/link');
    await p.open('/account');
    await asked;
    await p.settled();
    assert.equal(await p.heading('Telegram').count(), 0);
    await p.leave();
  });
});
