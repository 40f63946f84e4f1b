// Checks the include rules: a folder includes only its own headers and the faces of folders below it, and every
// header compiles alone. Usage: node tools/includes.mjs "<compiler and flags>"
import { readdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join, dirname, relative } from 'node:path';
import { tmpdir } from 'node:os';

const ORDER = ['core', 'loop', 'http', 'db', 'cache', 'jobs', 'auth', 'app', 'telemetry', 'services', 'cli'];
const files = readdirSync('src', { recursive: true }).map((f) => join('src', f)).filter((f) => /\.[ch]$/.test(f));
const folderOf = (path) => path.split('/')[1];
const moduleOf = (path) => path.split('/')[2]; // of services/<module>/
const problems = [];

for (const file of files) {
  const from = folderOf(file);
  for (const [line, text] of readFileSync(file, 'utf8').split('\n').entries()) {
    const inc = /^\s*#\s*include\s+"([^"]+)"/.exec(text)?.[1];
    if (!inc) continue;
    const say = (why) => problems.push(`${file}:${line + 1}: includes "${inc}": ${why}`);
    if (/\.q\.h$/.test(inc)) continue; // generated from SQL, belongs to its owner
    if (!inc.includes('/')) { say('write the path from src/'); continue; }
    const [to, second] = inc.split('/');
    if (!ORDER.includes(to)) { say('no such folder'); continue; }
    if (to === from) {
      if (to === 'services' && inc.split('/').length > 2 && moduleOf(file) !== second && !inc.endsWith('/client.h'))
        say('of another service only client.h may be included');
      continue;
    }
    if (ORDER.indexOf(to) > ORDER.indexOf(from)) { say(`${from}/ stands below ${to}/`); continue; }
    const face = to === 'core' || inc === `${to}/${to}.h` || (to === 'services' && inc.endsWith('/client.h'));
    if (!face || inc.endsWith('internal.h')) say(`only the face ${to}/${to}.h is public`);
  }
}

const [cc, ...flags] = process.argv[2].split(/\s+/).filter(Boolean);
const dir = mkdtempSync(join(tmpdir(), 'sf-includes-'));
for (const header of files.filter((f) => f.endsWith('.h'))) {
  const unit = join(dir, 'alone.c');
  writeFileSync(unit, `#include "${relative('src', header)}"\n`);
  const run = spawnSync(cc, [...flags, '-fsyntax-only', unit], { encoding: 'utf8' });
  if (run.status !== 0) problems.push(`${header}: does not compile alone\n${run.stderr}`);
}
rmSync(dir, { recursive: true });
for (const p of problems) console.error(p);
console.log(`${files.length} files, ${problems.length} include problems`);
process.exit(problems.length ? 1 : 0);
