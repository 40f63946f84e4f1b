// The secret over restarts: demo mode keeps its own, and a rotation of JWT_SECRET ends nothing that was begun before it: browsers,
// tokens, one-time codes, mails that wait.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { assertDocumented, assertError } from '../lib/contract.mjs';
import { onDatabase } from '../lib/coocook.mjs';

const PASSWORD = 'long enough 1';
const SECOND = 'the second secret of thirty-two bytes, for tests only';
const THIRD = 'the third secret of thirty-two bytes, for tests only';

/** A browser's cookies, kept as a browser keeps them. */
class Jar {
  cookies = new Map();
  take(answer) {
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/Max-Age=0/.test(line)) this.cookies.delete(name); else this.cookies.set(name, value);
    }
    return answer;
  }
  get text() {
    return [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; ');
  }
  get csrf() {
    return this.cookies.get('sf_csrf');
  }
}

onEachEngine(describe, after, 'the secret', (engine) => {
  let s, doc, file;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { JWT_SECRET: undefined, WORKERS: '1', JOB_WORKERS: '0' } });
    doc = (await s.get('/api/openapi.json')).body;
    file = engine === 'sqlite' ? join(s.dir.path, 'data.db-secret') : join(s.dir.path, 'data/demo-secret');
  });
  after(() => s?.stop());

  const ask = async (method, path, jar, options = {}) => {
    const r = jar.take(await s.request(method, path, { cookie: jar.text, ...options }));
    assertDocumented(doc, method, path, r);
    return r;
  };
  const write = (jar, name, csrf = jar.csrf) => ask('PUT', '/api/auth/me', jar, { body: { name }, headers: csrf ? { 'X-CSRF-Token': csrf } : {} });
  const browser = async (user) => {
    const jar = new Jar();
    const r = await ask('POST', '/auth/login', jar, { body: { email: user.email, password: user.password } });
    return Object.assign(jar, { access: r.body.access_token, refresh: r.body.refresh_token });
  };
  const kid = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
  /** The code in a mail to the address, once it is in the outbox. */
  const code = async (email) => {
    const { token } = await s.demoUser('admin');
    const [{ id }] = await until(async () => {
      const { mails } = (await s.get(`/api/ops/outbox?to=${encodeURIComponent(email)}`, { token })).body;
      return mails.length && mails;
    }, { what: `a mail to ${email}` });
    return /: (\d{6})\n/.exec((await s.get(`/api/ops/outbox/${id}`, { token })).body.text)[1];
  };

  test('demo mode keeps what it made in a file of its own, and never says it', async () => {
    const secret = readFileSync(file, 'utf8').trim();
    assert.match(secret, /^[0-9a-f]{64}$/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(file, '..')).filter((f) => f.includes('secret')), [file.split('/').at(-1)], 'no draft is left');
    const jar = await browser(await s.user());
    await s.restart();
    assert.equal(readFileSync(file, 'utf8').trim(), secret);
    const me = await ask('GET', '/api/auth/me', jar);
    assert.equal(me.status, 200);
    assert.equal(me.headers['set-cookie'], undefined, 'nothing to renew');
    assert.equal((await write(jar, 'After a restart')).status, 200);
    assert.equal((await s.get('/api/auth/me', { token: jar.access })).status, 200);
    assert.ok(!s.daemon.log().includes(secret));
  });

  test('a rotation with the old secret among the previous ones ends nothing', async () => {
    const first = readFileSync(file, 'utf8').trim();
    const user = await s.user(), jar = await browser(user), unread = await browser(user), forgetful = await browser(user);
    const email = 'waiting@example.com'; // the mails wait in the queue, encrypted
    assert.equal((await s.post('/auth/register', { email })).status, 202);
    assert.equal((await s.post('/auth/forgot-password', { email: user.email })).status, 202);
    await s.restart({ JWT_SECRET: SECOND, JWT_PREVIOUS_SECRETS: first, JOB_WORKERS: '1' });
    // browsers: the old cookie writes at once, a read brings the new one
    assert.equal((await write(unread, 'Without a read')).status, 200);
    const old = jar.csrf;
    assert.equal((await ask('GET', '/api/auth/me', jar)).body.name, 'Without a read');
    assert.notEqual(jar.csrf, old);
    assert.equal((await write(jar, 'With the new one')).status, 200);
    assertError(await write(jar, 'With nobody’s', `${old.slice(0, -2)}AA`), 403);
    forgetful.cookies.delete('sf_csrf');
    assert.equal((await ask('GET', '/auth/session', forgetful)).body.user.id, user.id);
    assert.equal((await write(forgetful, 'Renewed')).status, 200);
    // tokens: both kinds, and what follows is signed with the new one
    assert.equal((await s.get('/api/auth/me', { token: jar.access })).status, 200);
    const next = await s.post('/api/auth/refresh', { refresh_token: jar.refresh });
    assert.equal(next.status, 200);
    assert.notEqual(kid(next.body.access_token), kid(jar.access));
    // codes and the mails that carry them
    const made = await s.post('/auth/verify-otp', { email, otp: await code(email), password: PASSWORD, password_confirm: PASSWORD });
    assert.equal(made.status, 201, made.text);
    const reset = { email: user.email, otp: await code(user.email), password: 'long enough 2', password_confirm: 'long enough 2' };
    assert.equal((await s.post('/auth/reset-password', reset)).status, 200);
    const [[dead]] = await onDatabase(s, "SELECT count(*) FROM jobs WHERE state = 'dead'");
    assert.equal(Number(dead), 0);
  });

  test('a new secret alone ends tokens; a browser goes on after one read, and signs out even without it', async () => {
    const user = await s.user(), jar = await browser(user), leaving = await browser(user);
    await s.restart({ JWT_SECRET: THIRD, JWT_PREVIOUS_SECRETS: undefined });
    assertError(await s.get('/api/auth/me', { token: jar.access }), 401);
    const refused = await write(jar, 'Too early');
    assertError(refused, 403);
    assert.equal(refused.body.code, 'csrf', 'told apart from what the caller may not do');
    assert.equal((await ask('GET', '/auth/session', jar)).body.user.id, user.id);
    assert.equal((await write(jar, 'After a read')).status, 200);
    const out = await ask('POST', '/auth/logout', leaving);
    assert.equal(out.status, 200, out.text);
    assert.doesNotMatch(leaving.text, /sf_(session|csrf)/, 'both cookies are gone');
    assert.equal((await ask('GET', '/auth/session', leaving)).body.user, null);
    assert.equal((await ask('GET', '/auth/session', jar)).body.user.name, 'After a read');
  });
});
