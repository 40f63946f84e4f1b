// What strangers can do to an account that is not theirs, and to the machine: floods of sign-ins. Addresses are told by
// X-Forwarded-For, which the server believes of the test.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';

const from = (ip) => ({ headers: { 'X-Forwarded-For': ip } });

onEachEngine(describe, after, 'abuse', (engine) => {
  let s;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { WORKERS: '1', TRUSTED_PROXIES: '127.0.0.1' } });
  });
  after(() => s?.stop());
  const login = (email, password, ip) => s.post('/api/auth/login', { email, password }, from(ip));

  describe('a flood of sign-ins', () => {
    test('from one address costs others a turn', async () => {
      const { email, password } = await s.user();
      let served = 0;
      const flood = Array.from({ length: 16 }, (_, i) => login(`flood-${i % 4}@example.com`, 'wrong wrong', '192.0.2.1').then((r) => { served++; return r; }));
      await Promise.any(flood); // all are in line once the first is served
      const before = served;
      assert.equal((await login(email, password, '198.51.100.7')).status, 200);
      const overtaken = served - before;
      assert.ok(overtaken <= 6, `${overtaken} were served before`); // two that ran, a turn, and what came while it was hashed
      assert.ok((await Promise.all(flood)).every((r) => r.status === 401));
    });
  });
});
