// The program as a person or an operator calls it: help, wrong use, wrong settings, migrations by hand, draining.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BIN, SECRET, Server } from '../lib/server.mjs';
import { Daemon, exec, tempDir, until } from '../lib/proc.mjs';

describe('the command line', () => {
  let dir;
  before(() => (dir = tempDir()));
  after(() => dir.remove());
  const env = (extra) => ({ PATH: process.env.PATH, DATABASE_URL: `sqlite:///${join(dir.path, 'cli.db')}`, ...extra });
  const run = (args, extra = {}) => exec(BIN, args, { cwd: dir.path, env: env(extra), timeout: 20_000 });
  const COMMANDS = ['serve', 'worker', 'config', 'routes', 'openapi', 'db', 'jobs', 'user', 'subscription', 'version'];

  test('--help names every command, and each has its own', async () => {
    const all = await run(['--help']);
    assert.equal(all.code, 0);
    for (const c of COMMANDS) {
      assert.match(all.stdout, new RegExp(`^ +${c} `, 'm'));
      const one = await run([c, '--help']);
      assert.equal(one.code, 0, c);
      assert.match(one.stdout, new RegExp(`^Usage: softfactory ${c}`));
    }
    assert.match((await run(['serve', '--help'])).stdout, /--port N/);
    assert.equal((await run(['help', 'jobs'])).stdout, (await run(['jobs', '--help'])).stdout);
    assert.match((await run(['version'])).stdout, /^softfactory \d+\.\d+\.\d+\n$/);
  });

  test('wrong use: exit code 2 and one line that says what', async () => {
    for (const [args, what] of [
      [['sreve'], /no command "sreve"/], [['serve', '--prot', '80'], /no flag "--prot"/], [['serve', 'now'], /"now"/],
      [['serve', '--port', '80000'], /PORT \(--port\) .*65535.*80000/], [['serve', '--port'], /--port needs a value/],
      [['db'], /migrate/], [['db', 'drop'], /migrate/], [['config', 'all'], /"all"/], [['worker', 'now'], /"now"/],
      [['worker', '--queues'], /--queues needs a value/], [['help', 'sreve'], /no command "sreve"/],
      [['version', '--x'], /"--x"/], [['openapi', 'x'], /"x"/], [['routes', 'x'], /"x"/], [['serve', '--job-workers', 'many'], /JOB_WORKERS \(--job-workers\)/],
    ]) {
      const r = await run(args);
      assert.equal(r.code, 2, args.join(' '));
      assert.match(r.stderr, what);
      assert.equal(r.stderr.trim().split('\n').length, 1, r.stderr);
      assert.equal(r.stdout, '');
    }
    assert.equal((await run([])).code, 2);
  });

  test('on a terminal the log is for people, without a line for each asset', async () => {
    const onTerminal = new Daemon('script', ['-qefc', `${BIN} serve --port 0`, '/dev/null'], { cwd: dir.path,
      env: env({ JWT_SECRET: SECRET, WORKERS: '1', JOB_WORKERS: '0', LISTEN: '127.0.0.1', TERM: 'xterm', ...(process.env.SF_WEB ? { WEB_DIR: process.env.SF_WEB } : {}) }) });
    try {
      const port = /\bport=(\d+)/.exec(await onTerminal.logContains('listening'))[1];
      await onTerminal.logContains('all workers ready');
      const asked = (path) => fetch(`http://127.0.0.1:${port}${path}`).then((r) => r.text());
      const page = await asked('/');
      const asset = /(?:src|href)="(\/[^"]+\.(?:js|css)[^"]*)"/.exec(page)?.[1];
      if (asset) await asked(asset);
      await asked('/api/coocook/chefs');
      const line = await onTerminal.logContains('/api/coocook/chefs');
      assert.match(line, /^\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m GET    \/api\/coocook\/chefs\x1b\[32m 200\x1b\[0m \d+\.\d ms/);
      if (asset) assert.ok(!onTerminal.log().includes(asset), asset);
      assert.ok(!onTerminal.lines.some((l) => l.startsWith('{')), onTerminal.log());
    } finally {
      await onTerminal.stop();
    }
  });

  test('a setting nobody can serve with stops the start', async () => {
    for (const [extra, what] of [
      [{}, /JWT_SECRET is required/], [{ JWT_SECRET: 'short' }, /at least 32 bytes/],
      [{ JWT_SECRET: SECRET, DATABASE_URL: 'mysql://localhost/x' }, /DATABASE_URL must begin with/],
      [{ JWT_SECRET: SECRET, LISTEN: 'nowhere' }, /not an address to listen on/],
      [{ JWT_SECRET: SECRET, TRUSTED_PROXIES: 'proxy.example' }, /TRUSTED_PROXIES must be/],
      [{ JWT_SECRET: SECRET, JWT_PREVIOUS_SECRETS: 'short' }, /JWT_PREVIOUS_SECRETS/],
      [{ JWT_SECRET: SECRET, CORS_ALLOWED_ORIGINS: 'null' }, /CORS_ALLOWED_ORIGINS must be/],
      [{ JWT_SECRET: SECRET, MAIL_FROM: 'nobody' }, /MAIL_FROM must be/],
      [{ JWT_SECRET: SECRET, SMTP_URL: 'mail.example.com:25' }, /SMTP_URL must be/],
      [{ JWT_SECRET: SECRET, SMTP_URL: 'smtp://me:pw@mail.example.com', SMTP_TLS: 'off' }, /SMTP_TLS=off contradicts/],
      [{ JWT_SECRET: SECRET, SMTP_URL: 'smtp://mail.example.com', SMTP_TLS: 'maybe' }, /SMTP_TLS \(--smtp-tls\) must be one of/],
      [{ JWT_SECRET: SECRET, TELEGRAM_BASE_URL: 'api.telegram.org' }, /TELEGRAM_BASE_URL must begin/],
      [{ JWT_SECRET: SECRET, TELEGRAM_WEBHOOK_SECRET: 'easy-to-guess' }, /TELEGRAM_WEBHOOK_SECRET must be 16/],
      [{ JWT_SECRET: SECRET, TELEGRAM_WEBHOOK_SECRET: 'cannot/stand/in/a/path' }, /TELEGRAM_WEBHOOK_SECRET must be 16/],
    ]) {
      const r = await run(['serve'], { PORT: '0', WORKERS: '2', ...extra });
      assert.ok([1, 2].includes(r.code), JSON.stringify(r));
      assert.match(r.stderr, what);
    }
  });

  test('demo mode makes its secret once, whoever starts first, and takes no other file for it', async () => {
    const file = join(dir.path, 'secrets', 'kept'), demo = { DEMO_MODE: '1', DEMO_SECRET_FILE: file, MAIL_FROM: 'nobody' };
    const start = async (why) => { // the last of the settings is wrong: nothing is started
      const r = await run(['serve'], demo);
      assert.equal(r.code, 2);
      assert.match(r.stderr, why);
    };
    await Promise.all(Array.from({ length: 8 }, () => start(/MAIL_FROM must be/)));
    const secret = readFileSync(file, 'utf8');
    assert.match(secret, /^[0-9a-f]{64}\n$/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(dir.path, 'secrets')), ['kept']);
    await start(/MAIL_FROM must be/);
    assert.equal(readFileSync(file, 'utf8'), secret, 'it stays');
    chmodSync(file, 0o640);
    await start(/secret in .*kept: others may read it; its mode must be 0600/);
    writeFileSync(file, 'too short');
    chmodSync(file, 0o600);
    await start(/kept: it holds fewer than 32 bytes/);
    rmSync(file);
    symlinkSync('/etc/hostname', file);
    await start(/secret in .*kept: /);
    rmSync(file);
    mkdirSync(file);
    await start(/kept: Is a directory/);
  });

  test('flags win over the environment, and secrets are not shown', async () => {
    const r = await run(['config', '--json', '--port', '9123'], { PORT: '9000', JWT_SECRET: SECRET, DATABASE_URL: 'postgresql://u:geheim@h/d' });
    const rows = Object.fromEntries(JSON.parse(r.stdout).map((x) => [x.name, x]));
    assert.deepEqual([rows.PORT.value, rows.PORT.source], ['9123', 'flag']);
    assert.equal(rows.JWT_SECRET.source, 'environment');
    assert.doesNotMatch(r.stdout, /geheim|thirty-two/);
  });

  test('looking at jobs makes no database where there is none', async () => {
    const url = join(dir.path, 'typo', 'data.db');
    const r = await run(['jobs', 'counts', '--database-url', `sqlite:///${url}`]);
    assert.equal(r.code, 1);
    assert.match(r.stderr, /^softfactory: there is no database .*typo\/data\.db; DATABASE_URL/);
    assert.equal(existsSync(join(dir.path, 'typo')), false);
  });

  test('a queue that there is not stops the job workers with a word', async () => {
    for (const queues of ['no.such', 'mail,no.such']) {
      const r = await run(['worker', '--queues', queues], { JWT_SECRET: SECRET });
      assert.equal(r.code, 2, r.stderr);
      assert.match(r.stderr, /jobs cannot be run.*no\.such/);
    }
  });

  test('routes and the document hold the same paths', async () => {
    const routes = JSON.parse((await run(['routes', '--json'])).stdout);
    const doc = JSON.parse((await run(['openapi'])).stdout);
    const listed = routes.map((r) => `${r.method} ${r.path.replace(/:text\}/g, '}')}`).sort();
    const documented = Object.entries(doc.paths).flatMap(([path, item]) =>
      Object.keys(item).filter((k) => /^(get|post|put|patch|delete)$/.test(k)).map((m) => `${m.toUpperCase()} ${path}`)).sort();
    assert.deepEqual(listed, documented);
    assert.ok(listed.includes('GET /metrics'));
  });

  test('without AUTO_MIGRATE the server waits for `db migrate`', async () => {
    const s = await Server.start({ ready: false, env: { AUTO_MIGRATE: '0' } });
    try {
      const first = await until(() => s.get('/ready'), { what: 'an answer' });
      assert.equal(first.status, 503);
      assert.equal((await s.get('/health')).status, 200);
      assert.equal((await s.get('/api/platform/products')).status, 503);
      const by = (args) => exec(BIN, args, { env: s.env, cwd: s.dir.path });
      assert.match((await by(['db', 'status'])).stdout, /platform +0001 .*missing/);
      assert.match((await by(['db', 'migrate'])).stdout, /[1-9]\d* applied/);
      assert.match((await by(['db', 'migrate'])).stdout, /0 applied/);
      await s.ready(10_000);
      assert.equal((await s.get('/api/platform/products')).status, 200);
    } finally {
      assert.equal((await s.stop()).code, 0);
    }
  });

  test('the end: /ready says 503 while everything is served, then what is in flight is finished', async () => {
    const s = await Server.start({ env: { DRAIN_WAIT: '1500ms' } });
    try {
      const at = Date.now();
      s.daemon.signal('SIGTERM');
      await until(async () => (await s.get('/ready')).status === 503, { what: '/ready to say so' });
      assert.equal((await s.get('/api/platform/products')).status, 200);
      assert.equal((await s.daemon.done).code, 0);
      assert.ok(Date.now() - at >= 1400);
    } finally {
      await s.stop();
    }
  });

  test('two interrupts end it at once', async () => {
    const s = await Server.start({ env: { DRAIN_WAIT: '60s' } });
    s.daemon.signal('SIGINT');
    await s.logContains('server drains');
    s.daemon.signal('SIGINT');
    assert.equal((await s.daemon.done).code, 1);
    await s.stop();
  });
});
