// Mail through a real server that refuses, is slow, says later, says never, or is lost after the data: each mail arrives, and
// twice only where SMTP itself cannot tell. And what is said to a server that is not who it should be: nothing.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Server, onEachEngine } from '../lib/server.mjs';
import { until } from '../lib/proc.mjs';
import { onDatabase } from '../lib/coocook.mjs';
import { addMails } from '../lib/jobs.mjs';
import { Smtp, certificates } from '../lib/smtp.mjs';

let n = 0;
/** Asks for a code at a new address, which is what a mail goes to. */
async function ask(s) {
  const email = `smtp-${++n}@example.com`;
  assert.equal((await s.post('/auth/register', { email })).status, 202);
  return email;
}
const arrived = (smtp, email, times = 1) => until(() => smtp.to(email).length >= times && smtp.to(email), { what: `mail to ${email}` });
const waiting = async (s) => Number((await onDatabase(s, "SELECT count(*) FROM jobs WHERE kind LIKE 'email.%'"))[0][0]);
const over = (s) => until(async () => (await waiting(s)) === 0, { what: 'no mail to be waiting' });
/** {state, attempts, error} of the only mail that is waiting, once an attempt of it has failed. */
const failing = (s) => until(async () => {
  const [row] = await onDatabase(s, "SELECT state, attempts, error FROM jobs WHERE kind = 'email.send' AND error IS NOT NULL AND error <> ''");
  return row && { state: row[0], attempts: Number(row[1]), error: row[2] };
}, { what: 'an attempt that failed' });
const ended = async (s) => {
  await over(s);
  const [[state, attempts, error]] = await onDatabase(s, "SELECT state, attempts, error FROM job_history WHERE kind = 'email.send' ORDER BY id DESC LIMIT 1");
  return { state, attempts: Number(attempts), error };
};

onEachEngine(describe, after, 'smtp', (engine) => {
  let s, smtp;
  before(async () => {
    smtp = await Smtp.prepare();
    s = await Server.start({ engine, env: { WORKERS: '1', JOB_WORKERS: '1', JOB_LEASE: '3s', SMTP_URL: smtp.url, MAIL_FROM: '소프트팩토리 <no-reply@softfactory.example>' } });
  });
  after(async () => {
    await s?.stop();
    await smtp?.stop();
  });

  test('a server that is down gets its mail when it is back', async () => {
    const email = await ask(s);
    assert.match((await failing(s)).error, /^not sent yet: .*[Cc]onnect/);
    await smtp.run();
    const [mail] = await arrived(smtp, email);
    assert.equal(mail.from, 'no-reply@softfactory.example');
    assert.match(mail.headers.from, /^소프트팩토리 <no-reply@softfactory\.example>$/);
    assert.match(mail.headers.subject, /인증번호 안내/);
    assert.match(mail.headers['message-id'], /^<job-\d+\.[0-9a-f]{16}@softfactory\.example>$/);
    assert.match(mail.text, /: \d{6}\r\n/);
    assert.match(mail.html, /<b>\d{6}<\/b>/);
    await over(s);
    assert.equal(smtp.to(email).length, 1);
  });

  const each = (all) => (engine === 'sqlite' ? all : ['DATA']); // where it is said is nothing to a database
  for (const at of each(['greeting', 'RCPT', 'DATA'])) {
    test(`later, said at ${at}: tried again, and taken once`, async () => {
      smtp.behave({ mode: 'later', at, times: 1 });
      const email = await ask(s);
      await arrived(smtp, email);
      const end = await ended(s);
      assert.deepEqual([end.state, end.attempts], ['done', 2]);
      assert.equal(smtp.to(email).length, 1);
    });
  }

  test('slow is waited for, longer than a lease, while others go on: once each', async () => {
    const given = () => smtp.seen().filter((e) => e.command === 'DATA').length;
    const before = given();
    smtp.behave({ mode: 'slow', seconds: 4 });
    const slow = await Promise.all(Array.from({ length: 4 }, () => ask(s)));
    await until(() => given() >= before + 4, { what: 'all four to be in the server\'s hands at once' });
    smtp.behave({ mode: 'ok' });
    const quick = await ask(s);
    await arrived(smtp, quick);
    assert.deepEqual(slow.map((e) => smtp.to(e).length), [0, 0, 0, 0], 'nobody waits for those that are slow');
    for (const email of slow) await arrived(smtp, email);
    await over(s);
    for (const email of [...slow, quick]) assert.equal(smtp.to(email).length, 1, email);
    const [[most]] = await onDatabase(s, `SELECT max(attempts) FROM job_history WHERE id > (SELECT max(id) - 5 FROM job_history)`);
    assert.equal(Number(most), 1);
  });

  test('many that were asked for together are sent one by one, each tried by itself', async () => {
    const to = (i) => `many-${i}@example.com`, mails = Array.from({ length: 20 }, (_, i) => ({ template: 'welcome', to: to(i), at: Date.now() * 1000, data: { email: to(i) } }));
    smtp.behave({ mode: 'later', at: 'RCPT', times: 1 });
    const id = await addMails(s, mails);
    for (const m of mails) await arrived(smtp, m.to);
    await over(s);
    assert.equal(Math.max(...mails.map((m) => smtp.to(m.to).length)), 1);
    const rows = await onDatabase(s, `SELECT kind, state, attempts, count(*) FROM job_history WHERE id >= ${id} AND kind LIKE 'email.%' GROUP BY kind, state, attempts ORDER BY kind`);
    assert.deepEqual(rows.map((r) => r.map(String)), [['email.batch', 'done', '1', '1'], ['email.send', 'done', '2', '20']]);
    smtp.behave({ mode: 'ok' });
  });

  test('slow to greet is waited for', async () => {
    smtp.behave({ mode: 'slow', at: 'greeting', seconds: 1 });
    const email = await ask(s);
    await arrived(smtp, email);
    smtp.behave({ mode: 'ok' });
    await over(s);
    assert.equal(smtp.to(email).length, 1);
  });

  test('lost after the data: sent again under the same name', async () => {
    smtp.behave({ mode: 'lost', times: 1 });
    const email = await ask(s);
    const mails = await arrived(smtp, email, 2);
    await over(s);
    assert.equal(mails[0].data, mails[1].data);
    assert.equal(smtp.to(email).length, 2);
  });

  for (const at of each(['MAIL', 'RCPT', 'DATA'])) {
    test(`never, said at ${at}: dead at once, with the server's words`, async () => {
      smtp.behave({ mode: 'never', at });
      const email = await ask(s);
      const end = await ended(s);
      assert.deepEqual([end.state, end.attempts], ['dead', 1]);
      assert.match(end.error, /^refused by the mail server: 550 5\.1\.1 nobody of that name lives here$/);
      assert.equal(smtp.to(email).length, 0);
    });
  }
});

describe('smtp with TLS and a login', { concurrency: 10 }, () => {
  let certs;
  before(async () => (certs = await certificates()));
  after(() => certs?.remove());
  /** Runs `check` with a mail server of those options and a server that sends through it. */
  const through = async (t, { smtp: options, scheme = 'smtp', login = '', ca, tls }, check) => {
    const smtp = await Smtp.start({ mode: 'ok' }, options);
    t.after(() => smtp.stop());
    const s = await Server.start({ env: { WORKERS: '1', JOB_WORKERS: '1', SMTP_URL: `${scheme}://${login}127.0.0.1:${smtp.port}`, ...(ca ? { SMTP_CA_FILE: ca } : {}), ...(tls ? { SMTP_TLS: tls } : {}) } });
    t.after(() => s.stop());
    await check(s, smtp);
  };
  const user = { user: 'mailer@example.com', password: 'p@ss word/1' }, login = 'mailer%40example.com:p%40ss%20word%2F1@';
  const commands = (smtp) => smtp.seen().map((e) => e.command);
  /** Nothing was taken, and nothing that says who writes to whom, nor a password, was even said. */
  const toldNothing = (smtp) => {
    assert.equal(smtp.taken().length, 0);
    assert.deepEqual(commands(smtp).filter((c) => c !== 'EHLO'), []);
  };

  for (const [scheme, tls] of [['smtp', 'STARTTLS'], ['smtps', 'from the start']]) {
    test(`${scheme}: TLS, then the login, then the mail`, (t) => through(t, { scheme, smtp: { ...certs.good, tls, ...user }, login, ca: certs.ca }, async (s, smtp) => {
      const email = await ask(s);
      await arrived(smtp, email);
      await over(s);
      assert.equal(smtp.to(email).length, 1);
      const told = smtp.seen().filter((e) => e.command !== 'EHLO');
      assert.deepEqual(told.map((e) => e.command), ['AUTH', 'MAIL', 'RCPT', 'DATA']);
      assert.ok(told.every((e) => e.tls));
      assert.equal(told[0].good, true);
    }));
  }

  test('without a login TLS comes first, too', (t) => through(t, { smtp: certs.good, ca: certs.ca }, async (s, smtp) => {
    await arrived(smtp, await ask(s));
    assert.ok(smtp.seen().filter((e) => e.command !== 'EHLO').every((e) => e.tls));
  }));

  test('a relay on this machine is not asked for TLS, whatever certificate it has', (t) => through(t, { smtp: certs.otherName }, async (s, smtp) => {
    await arrived(smtp, await ask(s));
    assert.ok(smtp.seen().every((e) => !e.tls));
  }));

  const refused = [
    ['an authority that is not known', { smtp: 'good', ca: 'otherCa' }, /certificate/i],
    ['an authority that the system does not know', { smtp: 'good', tls: 'required' }, /certificate/i],
    ['a certificate of another host', { smtp: 'otherName', ca: 'ca' }, /certificate|host name|does not match/i],
    ['no STARTTLS, where a login is set', { login, ca: null }, /TLS/],
    ['no STARTTLS, where an authority is set', { ca: 'ca' }, /TLS/],
    ['no STARTTLS, where it is required', { tls: 'required' }, /SMTP_TLS asks for STARTTLS/],
  ];
  for (const [name, how, why] of refused) {
    test(`${name}: nothing is said, and it is tried again`, (t) => through(t, { smtp: certs[how.smtp] ?? {}, login: how.login, ca: certs[how.ca], tls: how.tls }, async (s, smtp) => {
      await ask(s);
      const job = await failing(s);
      assert.match(job.error, /^not sent yet: /);
      assert.match(job.error, why);
      assert.notEqual(job.state, 'dead');
      toldNothing(smtp);
    }));
  }

  test('a wrong password is a fault of ours: the mail waits until it is mended', (t) => through(t, { smtp: { ...certs.good, ...user }, login: 'mailer%40example.com:wrong@', ca: certs.ca }, async (s, smtp) => {
    await ask(s);
    const job = await failing(s);
    assert.match(job.error, /^not sent yet: 535/);
    assert.ok(!job.error.includes('wrong'));
    assert.equal(await waiting(s), 1);
    assert.equal(smtp.taken().length, 0);
    assert.ok(smtp.seen().filter((e) => e.command === 'AUTH').every((e) => e.tls && !e.good));
    assert.ok(!commands(smtp).includes('MAIL'));
    assert.ok(!s.daemon.log().includes('wrong@'), 'the password is in no log');
  }));

  test('no login where the server demands one: the mail waits', (t) => through(t, { smtp: { ...certs.good, ...user }, ca: certs.ca }, async (s, smtp) => {
    await ask(s);
    assert.match((await failing(s)).error, /^not sent yet: 530/);
    assert.equal(smtp.taken().length, 0);
  }));
});
