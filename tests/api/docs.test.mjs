// docs/configuration.md names each setting there is, with its flag and default, and none that is not; the job that docs/jobs.md writes compiles.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BIN } from '../lib/server.mjs';
import { exec, tempDir } from '../lib/proc.mjs';

const page = (name) => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8');

describe('the documentation of settings', () => {
  test('its tables and `softfactory config` say the same', async () => {
    const r = await exec(BIN, ['config', '--json'], { env: { PATH: process.env.PATH } });
    assert.equal(r.code, 0, r.stderr);
    const settings = Object.fromEntries(JSON.parse(r.stdout).map((s) => [s.name, { flag: s.flag, fallback: s.value ?? '' }]));
    const documented = {};
    for (const m of page('configuration').matchAll(/^\| `([A-Z0-9_]+)` \| `(--[a-z0-9-]+)` \| (?:`([^`]*)`)? ?\| \S.*\|$/gm)) {
      assert.ok(!documented[m[1]], `${m[1]} is documented twice`);
      documented[m[1]] = { flag: m[2], fallback: m[3] ?? '' };
    }
    assert.deepEqual(documented, settings);
  });

  test('every name in capitals on the pages is a setting', async () => {
    const r = await exec(BIN, ['config', '--json'], { env: { PATH: process.env.PATH } });
    const names = new Set(JSON.parse(r.stdout).map((s) => s.name));
    for (const name of ['configuration', 'operations'])
      for (const [, word] of page(name).matchAll(/\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b/g)) assert.ok(names.has(word), `docs/${name}.md: ${word} is no setting`);
  });
});

test('the job of docs/jobs.md compiles where the page puts it', { timeout: 120_000 }, async () => {
  const text = page('jobs');
  const writing = text.slice(text.indexOf('## Writing a job'), text.indexOf('## What is guaranteed'));
  const [sql, handler, declared, kind, route, out, cron, ...rest] = [...writing.matchAll(/^ {3}```\w+\n(.*?)^ {3}```$/gms)].map((m) => m[1].replace(/^ {3}/gm, ''));
  assert.equal(rest.length, 1, 'and a block of shell');
  const dir = tempDir();
  try {
    const root = new URL('../..', import.meta.url).pathname;
    const src = join(dir.path, 'src');
    const gen = join(dir.path, 'gen');
    const service = (file) => join(src, 'services/coocook', file);
    const edit = (file, change) => writeFileSync(service(file), change(readFileSync(service(file), 'utf8')));
    const into = (table, row) => (code) => {
      assert.ok(code.includes(`${table} = {\n`), table);
      return code.replace(`${table} = {\n`, (head) => head + row);
    };
    cpSync(join(root, 'src'), src, { recursive: true });
    mkdirSync(gen);
    edit('queries/bookings.sql', (queries) => `${queries}\n${sql}`);
    writeFileSync(service('closing.c'), handler);
    edit('internal.h', (code) => code.replace(/#endif\s*$/, () => `${declared}\n#endif\n`));
    edit('service.c', into('static const struct sf_job_kind jobs[]', kind));
    edit('service.c', into('static const struct sf_cron crons[]', cron));
    edit('service.c', into('static const struct sf_route routes[]', route));
    edit('service.c', (code) => code.replace('static const struct sf_route routes[]', (table) => out + table));
    const run = async (...args) => {
      const r = await exec(args[0], args.slice(1), { cwd: dir.path, env: { PATH: process.env.PATH }, timeout: 60_000 });
      assert.equal(r.code, 0, r.stderr);
    };
    const tool = join(root, 'tools/sqlgen');
    await run('cc', '-std=gnu17', '-D_GNU_SOURCE', '-o', 'sqlgen', ...readdirSync(tool).filter((f) => f.endsWith('.c')).map((f) => join(tool, f)));
    await run('./sqlgen', gen, ...['app', 'jobs', 'services/coocook'].map((owner) => join(src, owner)));
    for (const file of ['closing.c', 'service.c'])
      await run('cc', '-std=gnu17', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-Wno-missing-field-initializers', '-fsyntax-only', `-I${src}`, `-I${gen}`, service(file));
  } finally {
    dir.remove();
  }
});

describe('the API document', () => {
  test('Spectral and Redocly find nothing in it', { timeout: 120_000 }, async () => {
    const r = await exec(BIN, ['openapi'], { env: { PATH: process.env.PATH } });
    assert.equal(r.code, 0, r.stderr);
    const lint = (text) => spawnSync(process.execPath, [new URL('../openapi/lint.mjs', import.meta.url).pathname], { input: text, encoding: 'utf8' });
    const clean = lint(r.stdout);
    assert.deepEqual([clean.stdout, clean.status], ['', 0], clean.stderr);
    const broken = lint(r.stdout.replace('"contact"', '"contacts"'));
    assert.match(broken.stdout, /spectral info-contact/, 'the linters look');
    assert.match(broken.stdout, /redocly \S+ at #\/info/);
  });

  test('it names who answers for the API, and the page that shows it', async () => {
    const doc = async (API_CONTACT) => JSON.parse((await exec(BIN, ['openapi'], { env: { PATH: process.env.PATH, ...(API_CONTACT && { API_CONTACT }) } })).stdout);
    assert.deepEqual((await doc()).info.contact, { name: 'SoftFactory' });
    assert.deepEqual((await doc('api@example.com')).info.contact, { name: 'SoftFactory', email: 'api@example.com' });
    assert.deepEqual((await doc('https://example.com/help')).info.contact, { name: 'SoftFactory', url: 'https://example.com/help' });
    const used = new Set(JSON.stringify((await doc()).paths).match(/#\/components\/examples\/[^"]+/g).map((ref) => ref.split('/').pop()));
    assert.deepEqual(Object.keys((await doc()).components.examples).sort(), [...used].sort(), 'no example that nothing refers to');
    assert.ok('text/html' in (await doc()).paths['/docs'].get.responses[200].content);
  });
});
