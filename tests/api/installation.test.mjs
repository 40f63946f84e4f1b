// The first minute of a real installation, as docs/operations.md tells it: tables, an administrator, a subscriber, all by command;
// and what these commands do to a server that runs.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { BIN, Server, onEachEngine } from '../lib/server.mjs';
import { Daemon, tempDir, until } from '../lib/proc.mjs';
import { freshDatabase } from '../lib/pg.mjs';
import { assertError } from '../lib/contract.mjs';
import { day, newChef } from '../lib/coocook.mjs';

onEachEngine(describe, after, 'a real installation', (engine) => {
  let dir, database, env, s;
  before(async () => {
    dir = tempDir();
    database = engine === 'postgres' ? await freshDatabase() : { url: `sqlite:///${dir.path}/data/own.db`, drop: async () => {} };
    env = { PATH: process.env.PATH, DATABASE_URL: database.url, LOG_LEVEL: 'error' };
  });
  after(async () => {
    await s?.stop();
    await database?.drop();
    dir?.remove();
  });
  /** Runs a command; input: what it reads. */
  const cli = async (args, { input = '', code = 0 } = {}) => {
    const child = spawn(BIN, args, { env, cwd: dir.path });
    let stdout = '', stderr = '';
    child.stdout.on('data', (d) => (stdout += d));
    child.stderr.on('data', (d) => (stderr += d));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
    const ended = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(ended, code, `${args.join(' ')}: ${stdout}${stderr}`);
    if (code) assert.match(stderr, /^softfactory: .+\n$/);
    return code ? stderr : stdout;
  };
  const me = (user) => s.get('/api/auth/me', { token: user.token });
  const ended = (user) => until(async () => (await me(user)).status === 401, { what: 'the sign-in to end', ms: 60_000 });

  test('before the tables stand, it says how to make them', async () => {
    assert.match(await cli(['user', 'list'], { code: 1 }), /run `softfactory db migrate` first/);
    await cli(['db', 'migrate']);
    assert.equal(await cli(['user', 'list', '--json']), '[]\n');
  });

  test('a fresh start says how to make an administrator, once; the next one does not', async () => {
    s = await Server.start({ engine, database: database.url });
    const hints = () => s.logs('nobody administers this platform yet');
    await until(() => hints().length > 0, { what: 'the hint' });
    assert.deepEqual(hints().map((l) => [l.level, l.do]), [['warn', 'softfactory user add EMAIL --name NAME --role admin']]);
    assert.match(await cli(['user', 'add', 'Boss@Example.com', '--name', '김사장', '--role', 'admin', '--password-stdin'], { input: 'a long password\n' }), /^Account 1 \(admin\) is made/);
    const boss = await s.login('boss@example.com', 'a long password');
    assert.equal((await s.get('/api/platform/admin/users', { token: boss.token })).status, 200, 'it administers at once');
    await s.stop();
    s = await Server.start({ engine, database: database.url });
    assert.equal(hints().length, 0);
  });

  test('accounts keep the rules of registration, and nothing is done where one is broken', async () => {
    const add = (args, options) => cli(['user', 'add', ...args, '--password-stdin'], options);
    const before = await cli(['user', 'list']);
    assert.match(await add(['boss@EXAMPLE.com', '--name', 'x'], { input: 'long enough\n', code: 1 }), /has an account already/);
    for (const [args, input, what] of [
      [['no-address', '--name', 'x'], 'long enough\n', /the email must be/], [['a@example.com', '--name', 'x'], 'short\n', /the password must have between 8 and 128/],
      [['a@example.com', '--name', 'a\r\nBcc: x'], 'long enough\n', /the name must be one line/], [['a@example.com'], 'long enough\n', /--name/],
      [['a@example.com', '--name', ''], 'long enough\n', /--name needs a value/], [['a@example.com', '--name', 'x', '--role', 'king'], 'long enough\n', /admin or user/],
      [['a@example.com', '--name', 'x'], '', /standard input has no line/], [['--name', 'x'], 'long enough\n', /missing/], [['a@example.com', 'b', '--name', 'x'], 'long enough\n', /too much/],
    ]) assert.match(await add(args, { input, code: 2 }), what);
    assert.match(await cli(['user', 'add', 'a@example.com', '--name', 'x'], { code: 2 }), /no terminal to ask .* --password-stdin/);
    assert.match(await cli(['user', 'show', 'nobody@example.com'], { code: 1 }), /no account "nobody@example.com"/);
    assert.match(await cli(['user', 'fly'], { code: 2 }), /takes one of/);
    assert.equal(await cli(['user', 'list']), before);
  });

  test('on a terminal the password is asked for twice and not shown', async () => {
    const onTerminal = new Daemon('script', ['-qefc', `${BIN} user add typed@example.com --name Typed`, '/dev/null'], { env, cwd: dir.path, stdio: ['pipe', 'pipe', 'pipe'] });
    let seen = '';
    onTerminal.child.stdout.on('data', (d) => (seen += d));
    try {
      for (const prompt of ['Password: ', 'The same again: ']) {
        await until(() => seen.includes(prompt), { what: prompt });
        onTerminal.child.stdin.write('typed by hand\r');
      }
      await until(() => seen.includes('is made'), { what: 'the account' });
    } finally {
      await onTerminal.stop();
    }
    assert.ok(!seen.includes('typed by hand'), seen);
    assert.equal((await s.login('typed@example.com', 'typed by hand')).email, 'typed@example.com');
  });

  test('a subscription is granted, lengthened and taken', async () => {
    const guest = await s.user({ email: 'kim@example.com' });
    const bookings = () => s.get('/api/coocook/bookings', { token: guest.token });
    assertError(await bookings(), 403);
    assert.match(await cli(['subscription', 'grant', 'kim@example.com', 'cook'], { code: 2 }), /no product "cook"; there are coocook, sns-auto/);
    assert.match(await cli(['subscription', 'grant', 'kim@example.com', 'coocook', '--until', '2020-01-01'], { code: 2 }), /is over already/);
    assert.match(await cli(['subscription', 'grant', 'kim@example.com', 'coocook', '--until', 'soon'], { code: 2 }), /--until takes a day/);
    assert.match(await cli(['subscription', 'grant', 'kim@example.com', 'coocook', '--plan', 'weekly'], { code: 2 }), /monthly or annual/);
    assertError(await bookings(), 403);
    await cli(['subscription', 'grant', 'kim@example.com', 'coocook']);
    assert.equal((await bookings()).status, 200);
    const chef = await newChef(s);
    assert.equal((await s.post('/api/coocook/bookings', { chef_id: chef.id, booking_date: day(7), duration_hours: 2 }, { token: guest.token })).status, 201);
    const [one, ...more] = JSON.parse(await cli(['subscription', 'list', 'kim@example.com', '--json']));
    assert.deepEqual([more.length, one.product, one.plan_type, one.status], [0, 'coocook', 'monthly', 'active']);
    const days = (new Date(one.current_period_end) - Date.now()) / 86_400_000;
    assert.ok(days > 29.9 && days <= 30, `${days} days`);
    assert.match(await cli(['subscription', 'grant', 'kim@example.com', 'coocook', '--plan', 'annual', '--until', '2098-12-31']), /until 2099-01-01T00:00:00Z/);
    const mine = (await s.get('/api/payment/subscriptions', { token: guest.token })).body;
    assert.deepEqual(mine.map((x) => [x.product_slug, x.plan_type, x.status, x.current_period_end]), [['coocook', 'annual', 'active', '2099-01-01T00:00:00Z']], 'the same one, longer');
    assert.match(await cli(['subscription', 'list']), /kim@example.com +coocook +annual +active +until 2099/);
    await cli(['subscription', 'cancel', 'kim@example.com', 'coocook']);
    assertError(await bookings(), 403);
    assert.match(await cli(['subscription', 'cancel', 'kim@example.com', 'coocook'], { code: 1 }), /no active subscription/);
    assert.match(await cli(['user', 'show', 'kim@example.com']), /coocook +annual +canceled/);
  });

  test('a running server follows: role, password, disabling and enabling', async () => {
    let helper = await s.user({ email: 'lee@example.com', name: '이서준' });
    await cli(['user', 'role', 'lee@example.com', 'admin']);
    await ended(helper);
    helper = await s.login('lee@example.com', helper.password);
    assert.equal((await s.get('/api/platform/admin/users', { token: helper.token })).status, 200);
    await cli(['user', 'set-password', 'lee@example.com', '--password-stdin'], { input: 'another one\n' });
    await ended(helper);
    assertError(await s.post('/api/auth/login', { email: 'lee@example.com', password: helper.password }), 401);
    helper = await s.login('lee@example.com', 'another one');
    await cli(['user', 'disable', String(helper.id)]);
    await ended(helper);
    assertError(await s.post('/api/auth/login', { email: 'lee@example.com', password: 'another one' }), 403);
    assert.equal(JSON.parse(await cli(['user', 'list', '--q', '서준', '--json']))[0].is_active, false);
    await cli(['user', 'enable', 'lee@example.com']);
    assert.ok((await s.login('lee@example.com', 'another one')).token);
    await cli(['user', 'role', 'lee@example.com', 'user']);
  });

  test('the last administrator stays', async () => {
    for (const args of [['role', 'boss@example.com', 'user'], ['disable', 'boss@example.com']])
      assert.match(await cli(['user', ...args], { code: 1 }), /is the last administrator: make another one first/);
    await cli(['user', 'role', 'lee@example.com', 'admin']);
    await cli(['user', 'role', 'boss@example.com', 'user']);
    assert.match(await cli(['user', 'disable', 'lee@example.com'], { code: 1 }), /is the last administrator/);
    await cli(['user', 'role', 'boss@example.com', 'admin']);
    await cli(['user', 'role', 'lee@example.com', 'user']);
  });
});
