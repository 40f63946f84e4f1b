// The app's pure parts: time and place, formats, pages, the reading of OpenAPI, and the build itself.
import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Build } from '../../tools/web.mjs';
import { freeHours, freeOn, hourAt, mayComplete, mayPay, mayReview, place, remark, roomFrom, span, startTime } from '../../web/js/lib/booking.js';
import { browserZone, hoursOf, instantOf, isRepeated, readerZone, setReaderZone, wallOf, zoneNote } from '../../web/js/lib/zone.js';
import { normal, pageAddress } from '../../web/js/lib/address.js';
import { ApiError, keyKeeper, retryAfterSeconds } from '../../web/js/lib/api.js';
import { addDays, addMonths, dayOfYear, money, weekday } from '../../web/js/lib/format.js';
import { exampleOf, operationsByTag, rowsOf, typeWords } from '../../web/js/lib/openapi.js';
import { isReturn } from '../../web/js/routes.js';
import { weeksOf } from '../../web/js/ui/calendar.js';
import { pageNumbers } from '../../web/js/ui/pager.js';
import { tempDir } from '../lib/proc.mjs';

globalThis.crypto ??= webcrypto; // Node 18 has it under this name only

describe('zones: instants, wall times, hours of days', () => {
  const H = 3_600_000;
  const iso = (ms) => (ms === null ? null : startTime(ms));
  test('an evening in Seoul is a morning in UTC', () => {
    assert.equal(iso(hoursOf('Asia/Seoul', '2099-03-01')[18]), '2099-03-01T09:00:00Z');
    assert.equal(iso(hoursOf('Asia/Seoul', '2099-03-01')[8]), '2099-02-28T23:00:00Z');
    assert.deepEqual(place('Asia/Seoul', Date.parse('2099-02-28T23:00:00Z')), { day: '2099-03-01', hour: 8 });
    assert.equal(iso(hoursOf('Asia/Kolkata', '2026-11-22')[18]), '2026-11-22T12:30:00Z');
  });
  test('a day on which clocks change: what is skipped has no instant, what comes twice has its first', () => {
    const spring = hoursOf('America/New_York', '2026-03-08');
    assert.deepEqual([1, 2, 3].map((h) => iso(spring[h])), ['2026-03-08T06:00:00Z', null, '2026-03-08T07:00:00Z']);
    const autumn = hoursOf('America/New_York', '2026-11-01');
    assert.deepEqual([0, 1, 2].map((h) => iso(autumn[h])), ['2026-11-01T04:00:00Z', '2026-11-01T05:00:00Z', '2026-11-01T07:00:00Z']);
    assert.equal(isRepeated('America/New_York', autumn[1] + H), true);
    assert.equal(isRepeated('America/New_York', autumn[1]), false);
    assert.deepEqual([1, 2, 3].map((h) => iso(hoursOf('Australia/Lord_Howe', '2026-10-04')[h])), ['2026-10-03T14:30:00Z', null, '2026-10-03T16:00:00Z']);
    assert.deepEqual([0, 1].map((h) => iso(hoursOf('America/Santiago', '2026-09-06')[h])), [null, '2026-09-06T04:00:00Z']);
  });
  test('wall times there and back, around every change of a few years', () => {
    for (const zone of ['America/New_York', 'Australia/Lord_Howe', 'America/Santiago', 'Europe/London', 'Asia/Seoul', 'Africa/Casablanca'])
      for (let at = Date.UTC(2026, 0); at < Date.UTC(2028, 0); at += 12 * H) {
        if (wallOf(zone, at + 12 * H) - wallOf(zone, at) === 12 * H) continue;
        for (let ms = at - 2 * H; ms < at + 15 * H; ms += H / 4) {
          const first = instantOf(zone, wallOf(zone, ms));
          assert.ok(first <= ms && wallOf(zone, first) === wallOf(zone, ms), `${zone} ${new Date(ms).toISOString()}`);
          assert.equal(isRepeated(zone, ms), first !== ms);
        }
      }
  });
  test('free hours of an answer, by its zone; the second of an hour that comes twice is as free as the first', () => {
    const free = freeHours({ time_zone: 'Asia/Seoul', days: [{ date: '2099-03-01', available_hours: [7, 8, 9, 10, 18] }] });
    assert.deepEqual(freeOn('2099-03-01', free), [7, 8, 9, 10, 18]);
    assert.deepEqual(freeOn('2099-03-02', free), []);
    assert.equal(roomFrom(hourAt('2099-03-01', 7, free), free), 4);
    assert.equal(roomFrom(hourAt('2099-03-01', 18, free), free), 1);
    const twice = freeHours({ time_zone: 'America/New_York', days: [{ date: '2099-11-01', available_hours: [0, 1, 2, 4] }] });
    assert.equal(roomFrom(hourAt('2099-11-01', 0, twice), twice), 4);
    assert.equal(roomFrom(hourAt('2099-11-01', 2, twice), twice), 1);
  });
  test('hours that have begun are not offered', () => {
    const past = new Date(Date.now() - H).toISOString().slice(0, 10);
    const free = freeHours({ time_zone: 'UTC', days: [{ date: past, available_hours: Array.from({ length: 24 }, (_, h) => h) }] });
    for (const at of free.at) assert.ok(at > Date.now());
  });
  test('a booking in words: the reader\'s clocks, named where the chef or the browser has others', () => {
    const b = { starts_at: '2099-03-01T13:00:00Z', duration_hours: 4, time_zone: 'Asia/Seoul' };
    const note = (zone) => (zone === browserZone() && zone === 'Asia/Seoul' ? '' : ` (${zone})`);
    setReaderZone('Asia/Seoul');
    assert.equal(span(b), `Sun, Mar 1, 22:00–02:00${note('Asia/Seoul')}`);
    setReaderZone('America/New_York');
    assert.equal(span(b), 'Sun, Mar 1, 08:00–12:00 (America/New_York)');
    assert.equal(span({ ...b, starts_at: '2099-03-01T03:00:00Z' }), 'Sat, Feb 28, 22:00–02:00 (America/New_York)');
    assert.equal(dayOfYear('2099-03-01T03:00:00Z'), 'Feb 28, 2099');
    assert.equal(dayOfYear('2099-03-01'), 'Mar 1, 2099');
    assert.equal(zoneNote('Asia/Calcutta', 'Asia/Kolkata'), browserZone() === 'Asia/Calcutta' ? '' : ' (Asia/Calcutta)');
    setReaderZone('Nowhere/Known');
    assert.match(span(b), /13:00–17:00 \(Nowhere\/Known\)$/, 'a zone that the browser does not know');
    setReaderZone(null);
    assert.equal(readerZone(), browserZone());
  });
});

describe('what may be done with a booking, and what is said of it', () => {
  const at = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();
  const b = (fields) => ({ status: 'pending', payment_status: 'unpaid', reviewed: false, ends_at: at(50), expires_at: at(40), cancel_reason: null, ...fields });
  test('a request ends', () => {
    assert.equal(remark(b(), 'guest'), 'Ends in 40 hours unless the chef confirms it.');
    assert.equal(remark(b(), 'chef'), 'Ends in 40 hours unless you confirm it.');
    assert.equal(mayPay(b()), true);
    const over = b({ expires_at: at(-1) });
    assert.equal(remark(over, 'guest'), 'The chef did not answer in time.');
    assert.equal(mayPay(over), false);
    assert.equal(remark(b({ expires_at: null }), 'guest'), null);
  });
  test('nothing is completed or reviewed before its end', () => {
    assert.deepEqual(['pending', 'confirmed', 'completed'].map((status) => mayComplete(b({ status }))), [false, false, false]);
    assert.deepEqual(['pending', 'confirmed', 'completed'].map((status) => mayComplete(b({ status, ends_at: at(-1) }))), [false, true, false]);
    assert.equal(mayReview(b({ status: 'completed' })), false);
    assert.equal(mayReview(b({ status: 'completed', ends_at: at(-1) })), true);
    assert.equal(mayReview(b({ status: 'completed', ends_at: at(-1), reviewed: true })), false);
  });
  test('who ended it', () => {
    const said = (cancel_reason, reader) => remark(b({ status: 'cancelled', cancel_reason, expires_at: null }), reader);
    assert.deepEqual([said('guest', 'guest'), said('guest', 'chef'), said('chef', 'guest'), said('chef', 'chef')], ['By you.', 'By the guest.', 'By the chef.', 'By you.']);
    assert.equal(said('expired', 'guest'), 'The chef did not answer in time.');
    assert.equal(said('closed', 'chef'), 'One of the accounts was closed.');
    assert.equal(said(null, 'guest'), null, 'from before this was noted');
    assert.equal(remark(b({ status: 'confirmed', expires_at: null }), 'guest'), null);
  });
});

describe('formats', () => {
  test('won have no fraction', () => assert.equal(money(1234567), '₩1,234,567'));
  test('days and months carry over', () => {
    assert.equal(addDays('2027-12-31', 1), '2028-01-01');
    assert.equal(addDays('2028-03-01', -1), '2028-02-29');
    assert.equal(addMonths('2027-12-15', 1), '2028-01-01');
    assert.equal(weekday('2026-11-22'), 0);
  });
  test('a month in weeks', () => {
    const weeks = weeksOf('2026-11-01');
    assert.equal(weeks[0][0], '2026-11-01');
    assert.equal(weeks.length, 5);
    assert.deepEqual(weeks.at(-1), ['2026-11-29', '2026-11-30', null, null, null, null, null]);
    assert.ok(weeksOf('2027-05-01').every((w) => w.length === 7));
  });
  test('page numbers with gaps', () => {
    assert.deepEqual(pageNumbers(1, 7), [1, 2, 0, 7]);
    assert.deepEqual(pageNumbers(4, 7), [1, 0, 3, 4, 5, 0, 7]);
    assert.deepEqual(pageNumbers(2, 3), [1, 2, 3]);
  });
  test('Retry-After as seconds and as a date', () => {
    assert.equal(retryAfterSeconds('7'), 7);
    assert.equal(retryAfterSeconds('Thu, 01 Jan 2026 00:00:10 GMT', Date.parse('2026-01-01T00:00:00Z')), 10);
    assert.equal(retryAfterSeconds('soon'), null);
    assert.equal(retryAfterSeconds(null), null);
  });
  test('one key for one question', () => {
    const keys = keyKeeper();
    const a = keys.for({ hour: 1 });
    assert.equal(keys.for({ hour: 1 }), a);
    assert.notEqual(keys.for({ hour: 2 }), a);
    const b = keys.for({ hour: 2 });
    keys.forget();
    assert.notEqual(keys.for({ hour: 2 }), b);
  });
  test('a key is kept only while nobody knows what came of it', async () => {
    const keys = keyKeeper(), used = [], fails = (error) => async (key) => { used.push(key); throw error; };
    for (const error of [new ApiError(0), new ApiError(503), new ApiError(409), new ApiError(400), new Error('a bug')])
      await assert.rejects(keys.ask({ hour: 1 }, fails(error)), error);
    assert.equal(await keys.ask({ hour: 1 }, async (key) => { used.push(key); return 'done'; }), 'done');
    await keys.ask({ hour: 1 }, async (key) => { used.push(key); });
    assert.equal(used[1], used[0], 'a lost answer');
    assert.equal(used[2], used[0], 'a busy server');
    assert.equal(new Set(used).size, 5, 'anything else is an answer');
  });
});

describe('where signing in leads back to', () => {
  const back = (text) => pageAddress(text, 'https://soft.example', isReturn);
  test('pages of this app, with their query and fragment', () => {
    for (const text of ['/', '/chefs', '/chef?id=7&hours=3', '/bookings#paid', '/ops/outbox?to=a%40b.co', '/chefs?next=//evil.com', '/chefs?q=http://evil.com']) assert.equal(back(text), text);
    assert.equal(back('/chefs/'), '/chefs/');
    assert.equal(back('/./chefs'), '/chefs');
    assert.equal(back('//soft.example/chefs'), '/chefs', 'our own host by name');
    assert.equal(back('/x/../bookings?page=2'), '/bookings?page=2');
  });
  for (const text of ['/.//evil.com', '//evil.com', '/\\evil.com', '\\\\evil.com', '/%2e//evil.com', '/%2E%2F/evil.com', '/..//evil.com', '/x/..//evil.com', '/\t/evil.com', '/\n/evil.com',
    '///evil.com', '/////', '//', '/.//', '//chefs', '//evil.com/chefs', '/@evil.com', '/:80', 'javascript:alert(1)', 'https://evil.com/', 'https://soft.example/chefs', 'data:text/html,x', 'chefs', ' /chefs', '',
    null, undefined, '/api/auth/me', '/auth/logout', '/nowhere', '/js/app.js', '/login', '/login?next=/login', '/register', '/join', '/forgot/', '//[', '/%']) {
    test(`not by ${JSON.stringify(text)}`, () => assert.equal(back(text), null));
  }
  test('a page has several paths', () => {
    assert.deepEqual(['/', '/index.html', '/chefs/', '/chefs.html', '/ops/outbox/'].map(normal), ['/', '/', '/chefs', '/chefs', '/ops/outbox']);
  });
});

describe('OpenAPI', () => {
  const doc = {
    paths: { '/a/{id}': { get: { tags: ['x'], summary: 's', parameters: [{ $ref: '#/components/parameters/Id' }], responses: {} } }, '/b': { post: { responses: {} } } },
    components: {
      parameters: { Id: { name: 'id', in: 'path', required: true, schema: { type: 'integer' } } },
      schemas: { Node: { type: 'object', required: ['id'], properties: { id: { type: 'integer', minimum: 3 }, child: { $ref: '#/components/schemas/Node' }, kind: { enum: ['a', 'b'] }, at: { type: ['string', 'null'], format: 'date' } } } },
    },
  };
  test('operations by tag, references resolved', () => {
    const groups = operationsByTag(doc);
    assert.deepEqual(groups.map((g) => g.tag), ['x', 'other']);
    assert.equal(groups[0].operations[0].parameters[0].name, 'id');
  });
  test('a schema that holds itself ends', () => {
    const ref = { $ref: '#/components/schemas/Node' };
    assert.ok(rowsOf(doc, ref).length < 50);
    assert.equal(exampleOf(doc, ref).id, 3);
    assert.equal(typeWords(doc, { type: ['string', 'null'], format: 'date' }), 'date or null');
  });
});

describe('the build', () => {
  const dir = tempDir('sf-web-');
  after(() => dir.remove());
  const SHELL = '<title>{{title}}</title><meta content="{{description}}"><link rel="stylesheet" href="/css/a.css"><!--modulepreload--><script type="module" src="/js/app.js"></script>';
  let n = 0;
  const site = (files) => {
    const root = join(dir.path, String(n++));
    const all = { 'package.json': '{"type":"module"}', 'shell.html': SHELL, 'css/a.css': '@import "./b.css";\n.a { background: url("../img/i.svg") }', 'css/b.css': '.b {}', 'img/i.svg': '<svg/>',
      'js/app.js': "import './routes.js';\nimport { h } from 'preact';\nexport const url = new URL('../img/i.svg', import.meta.url);",
      'js/routes.js': "export const routes = [{ path: '/', file: 'index.html', title: 'T & T', description: 'D', load: () => import('./page.js') }];",
      'js/page.js': "import { useState } from 'preact/hooks';\nexport default 1;", ...files };
    for (const [name, text] of Object.entries(all)) {
      if (text === null) continue;
      mkdirSync(join(root, name, '..'), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return root;
  };
  const build = async (files) => {
    const root = site(files);
    const to = `${root}-out`;
    await new Build(root, to, new URL('../../node_modules', import.meta.url).pathname).run();
    const names = readdirSync(to, { recursive: true }).map(String);
    return { to, names, find: (re) => names.find((f) => re.test(f)), read: (f) => readFileSync(join(to, f), 'utf8') };
  };

  test('names by content, references follow, libraries come along', async () => {
    const out = await build({});
    const app = out.find(/^js\/app\.[0-9a-f]{8,}\.js$/);
    const icon = out.find(/^img\/i\.[0-9a-f]{8,}\.svg$/);
    assert.ok(app && icon && out.find(/^lib\/preact\.[0-9a-f]{8,}\.js$/) && out.find(/^lib\/hooks\.[0-9a-f]{8,}\.js$/));
    for (const file of out.names.filter((f) => f.endsWith('.js') && !f.startsWith('lib/'))) {
      for (const [, spec] of out.read(file).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) assert.ok(existsSync(join(out.to, file, '..', spec)), `${file}: ${spec}`);
    }
    assert.ok(out.read(app).includes(`'../${icon}'`));
    const css = out.read(out.find(/^css\/a\..*\.css$/));
    assert.ok(css.includes('.b {}') && css.includes(`url("/${icon}")`));
    const html = out.read('index.html');
    assert.ok(html.includes('T &amp; T') && html.includes(`modulepreload" href="/${app}"`) && html.includes(out.find(/^js\/page\..*\.js$/)));
  });
  test('a change deep down changes the names above it, and only those', async () => {
    const a = await build({});
    const b = await build({ 'js/page.js': 'export default 2;' });
    for (const name of ['page', 'routes', 'app']) assert.notEqual(a.find(new RegExp(`^js/${name}\\.\\w+\\.js$`)), b.find(new RegExp(`^js/${name}\\.\\w+\\.js$`)), name);
    assert.equal(a.find(/^css\/a/), b.find(/^css\/a/));
  });
  test('compressed forms hold the same bytes', async () => {
    const out = await build({ 'css/b.css': '.b { color: red }\n'.repeat(100) });
    const css = out.find(/^css\/a\.\w+\.css$/);
    const plain = readFileSync(join(out.to, css));
    assert.deepEqual(brotliDecompressSync(readFileSync(join(out.to, `${css}.br`))), plain);
    assert.deepEqual(gunzipSync(readFileSync(join(out.to, `${css}.gz`))), plain);
  });
  test('refusals say what and where', async () => {
    await assert.rejects(build({ 'js/page.js': "import './app.js';" }), /a cycle of references: .*app\.js/);
    await assert.rejects(build({ 'js/page.js': "import './gone.js';" }), /page\.js: "\.\/gone\.js" names no file/);
    await assert.rejects(build({ 'js/page.js': "import 'leftpad';" }), /no library "leftpad"/);
    await assert.rejects(build({ 'js/dead.js': '' }), /nothing refers to .*dead\.js/);
  });
});
