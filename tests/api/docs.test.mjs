// docs/configuration.md names each setting there is, with its flag and default, and none that is not.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { BIN } from '../lib/server.mjs';
import { exec } from '../lib/proc.mjs';

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
