// Mail through a real server that refuses, is slow, says later, says never, or is lost after the data: each mail arrives, and
// twice only where SMTP itself cannot tell.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { onDatabase } from '../lib/coocook.mjs';
import { Smtp } from '../lib/smtp.mjs';

onEachEngine(describe, after, 'smtp', (engine) => {
  let s, smtp, n = 0;
  before(async () => {
    smtp = await Smtp.prepare();
    s = await Server.start({ engine, env: { WORKERS: '1', JOB_WORKERS: '1', SMTP_URL: smtp.url, MAIL_FROM: '소프트팩토리 <no-reply@softfactory.example>' } });
  });
  after(async () => {
    await s?.stop();
    await smtp?.stop();
  });
  const ask = async () => {
    const email = `smtp-${++n}@example.com`;
    assert.equal((await s.post('/auth/register', { email })).status, 202);
    return email;
  };
  const arrived = (email, times = 1) => until(() => smtp.to(email).length >= times && smtp.to(email), { ms: 30_000, what: `mail to ${email}` });
  const waiting = async () => Number((await onDatabase(s, "SELECT count(*) FROM jobs WHERE kind = 'email.send'"))[0][0]);
  const over = () => until(async () => (await waiting()) === 0, { ms: 30_000, what: 'no mail to be waiting' });

  test('a server that is down gets its mail when it is back', async () => {
    const email = await ask();
    await until(async () => Number((await onDatabase(s, "SELECT max(attempts) FROM jobs WHERE kind = 'email.send'"))[0][0]) >= 1, { what: 'an attempt' });
    await smtp.run();
    const [mail] = await arrived(email);
    assert.equal(mail.from, 'no-reply@softfactory.example');
    assert.match(mail.headers.from, /^소프트팩토리 <no-reply@softfactory\.example>$/);
    assert.match(mail.headers.subject, /인증번호 안내/);
    assert.match(mail.headers['message-id'], /^<job-\d+\.[0-9a-f]{16}@softfactory\.example>$/);
    assert.match(mail.text, /: \d{6}\r\n/);
    assert.match(mail.html, /<b>\d{6}<\/b>/);
    await over();
    assert.equal(smtp.to(email).length, 1);
  });

  test('later is tried again, slow is waited for: once each', async () => {
    smtp.behave({ mode: 'later', times: 2 });
    const later = await ask();
    await arrived(later);
    smtp.behave({ mode: 'slow', seconds: 2 });
    const slow = await ask();
    await arrived(slow);
    await over();
    assert.equal(smtp.to(later).length, 1);
    assert.equal(smtp.to(slow).length, 1);
  });

  test('lost after the data: sent again under the same name', async () => {
    smtp.behave({ mode: 'lost', times: 1 });
    const email = await ask();
    const mails = await arrived(email, 2);
    await over();
    assert.equal(mails[0].data, mails[1].data);
    assert.equal(smtp.to(email).length, 2);
  });

  test('never: dead at once, with the server\'s words', async () => {
    smtp.behave({ mode: 'never' });
    await ask();
    await over();
    const [[state, attempts, error]] = await onDatabase(s, 'SELECT state, attempts, error FROM job_history ORDER BY id DESC LIMIT 1');
    assert.equal(state, 'dead');
    assert.equal(Number(attempts), 1);
    assert.match(error, /550 5\.1\.1 nobody of that name/);
  });
});
