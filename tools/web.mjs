// Builds the web app: `node tools/web.mjs <from> <to>` copies <from>/ and the library modules it imports into <to>/,
// names every asset by a hash of its content, writes one HTML page per route, and compresses what is worth it.
//
// There is no bundler: modules stay modules. A file can be named only once the names of all it refers to are known,
// so files are written depth first and a cycle of references is an error. References are found by pattern:
//   JS    import … from 'x', export … from 'x', import('x'), new URL('x', import.meta.url)
//   CSS   url(x); an @import is replaced by the file it names, so that a page loads one style sheet
//   HTML  href="/x", src="/x" of files below <from>
// `import(…)` of a page module may point back only at modules already loaded, which keeps the graph without cycles.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join, posix, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const HASH_DIGITS = 12;
const COMPRESSIBLE = new Set(['.html', '.js', '.css', '.svg', '.json', '.txt', '.webmanifest']);
const MIN_COMPRESSED = 512; // bytes; below this a compressed form gains nothing

const JS_IMPORT = /\b(from|import)(\s*\(?\s*)(["'])((?:\.{0,2}\/|[a-z@])[\w@./-]*)\3/g;
const JS_URL = /new URL\(\s*(["'])([^"']+)\1\s*,\s*import\.meta\.url\s*\)/g;
const CSS_IMPORT = /@import\s+(["'])([^"']+)\1\s*;/g;
const CSS_URL = /url\(\s*(["']?)([^"')]+)\1\s*\)/g;
const HTML_REF = /\b(href|src)="(\/[^"#?]+\.[a-z0-9]+)"/g;

class BuildError extends Error {}

/** One file of the input: its absolute path, its output path (of a name without hash), its text or bytes. */
class Asset {
  constructor(source, logical) {
    Object.assign(this, { source, logical, ext: extname(logical), state: 'new', url: null, data: null });
    this.imports = []; // assets that a browser fetches as soon as it has this one
  }
}

export class Build {
  /** modules: where npm put the libraries. */
  constructor(from, to, modules = join(from, '..', 'node_modules')) {
    this.from = resolve(from);
    this.to = resolve(to);
    this.modules = resolve(modules);
    this.assets = new Map(); // absolute path → Asset
    this.trail = []; // assets being made, outermost first: names the cycle in its error
  }

  /** The asset of a reference `spec` made in file `by`. */
  resolve(spec, by) {
    let source;
    if (spec.startsWith('/')) source = join(this.from, spec);
    else if (spec.startsWith('.')) source = resolve(dirname(by), spec);
    else source = this.library(spec, by);
    if (!existsSync(source)) throw new BuildError(`${relative('.', by)}: "${spec}" names no file`);
    return this.asset(source);
  }

  /** The file of a bare specifier ("preact/hooks"), by its package's exports. */
  library(spec, by) {
    const name = spec.split('/').slice(0, spec.startsWith('@') ? 2 : 1).join('/');
    const folder = join(this.modules, name);
    if (!existsSync(folder)) throw new BuildError(`${relative('.', by)}: no library "${name}" is installed`);
    const pkg = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const entry = pkg.exports?.[`.${spec.slice(name.length)}`];
    const pick = (e) => (typeof e === 'string' ? e : e && (pick(e.browser) ?? pick(e.import) ?? pick(e.default)));
    const file = pick(entry) ?? (spec === name ? pkg.module : null);
    if (!file) throw new BuildError(`${relative('.', by)}: library "${name}" has no module for "${spec}"`);
    return join(folder, file);
  }

  asset(source) {
    let a = this.assets.get(source);
    if (a) return a;
    const inLibrary = source.startsWith(this.modules);
    const logical = inLibrary
      ? posix.join('lib', basename(source).replace(/\.mjs$/, '.js'))
      : relative(this.from, source).split('\\').join('/');
    if (logical.startsWith('..')) throw new BuildError(`${source} lies outside the web app`);
    a = new Asset(source, logical);
    this.assets.set(source, a);
    return a;
  }

  /** Writes an asset and, before it, all it refers to; returns the asset with its final address. */
  emit(a) {
    if (a.state === 'done') return a;
    if (a.state === 'open') {
      const cycle = [...this.trail.slice(this.trail.indexOf(a)), a].map((x) => x.logical).join(' → ');
      throw new BuildError(`a cycle of references: ${cycle}`);
    }
    a.state = 'open';
    this.trail.push(a);
    if (a.ext === '.js') a.data = this.script(a);
    else if (a.ext === '.css') a.data = this.style(a.source);
    else a.data = readFileSync(a.source);
    a.data = Buffer.from(a.data);
    const hash = createHash('sha256').update(a.data).digest('hex').slice(0, HASH_DIGITS);
    a.url = `/${a.logical.slice(0, -a.ext.length)}.${hash}${a.ext}`;
    this.write(a.url, a.data);
    this.trail.pop();
    a.state = 'done';
    return a;
  }

  script(a) {
    const near = (target) => {
      const path = posix.relative(posix.dirname(`/${a.logical}`), target.url);
      return path.startsWith('.') ? path : `./${path}`;
    };
    return readFileSync(a.source, 'utf8')
      .replace(/\n?\/\/# sourceMappingURL=.*$/m, '')
      .replace(JS_IMPORT, (_, word, gap, quote, spec) => {
        const target = this.emit(this.resolve(spec, a.source));
        if (!gap.includes('(')) a.imports.push(target);
        return `${word}${gap}${quote}${near(target)}${quote}`;
      })
      .replace(JS_URL, (_, quote, spec) => {
        const target = this.emit(this.resolve(spec, a.source));
        return `new URL(${quote}${near(target)}${quote}, import.meta.url)`;
      });
  }

  style(source) {
    return readFileSync(source, 'utf8')
      .replace(CSS_IMPORT, (_, quote, spec) => this.style(this.resolve(spec, source).source))
      .replace(CSS_URL, (whole, quote, spec) =>
        /^(data:|#)/.test(spec) ? whole : `url("${this.emit(this.resolve(spec, source)).url}")`);
  }

  /** The assets a browser needs to start from `roots`, in order of need, without repetition. */
  closure(roots) {
    const seen = new Set();
    const visit = (a) => { if (!seen.has(a)) { seen.add(a); a.imports.forEach(visit); } };
    roots.forEach(visit);
    return [...seen];
  }

  /** One HTML page of the shell: its title, description, and links that fetch its modules at once. */
  page(shell, route) {
    const fill = { title: route.title, description: route.description };
    const roots = [];
    let html = shell.replace(HTML_REF, (_, attr, path) => {
      const target = this.emit(this.resolve(path, join(this.from, 'shell.html')));
      if (shell.includes(`type="module" src="${path}"`)) roots.push(target);
      return `${attr}="${target.url}"`;
    });
    const own = /import\(\s*["']([^"']+)["']\s*\)/.exec(route.load.toString())?.[1];
    if (!own) throw new BuildError(`route ${route.path}: load() names no module`);
    roots.push(this.emit(this.resolve(own, join(this.from, 'js/routes.js'))));
    const preloads = this.closure(roots).map((a) => `<link rel="modulepreload" href="${a.url}">`);
    html = html.replace('<!--modulepreload-->', preloads.join('\n'));
    html = html.replace(/\{\{(\w+)\}\}/g, (_, key) => {
      if (!(key in fill)) throw new BuildError(`route ${route.path} has no ${key}`);
      return escapeHtml(fill[key]);
    });
    this.write(`/${route.file}`, Buffer.from(html));
  }

  write(url, data) {
    const path = join(this.to, url);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data);
    if (!COMPRESSIBLE.has(extname(path)) || data.length < MIN_COMPRESSED) return;
    const br = brotliCompressSync(data, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length },
    });
    const gz = gzipSync(data, { level: 9 });
    if (br.length < data.length) writeFileSync(`${path}.br`, br);
    if (gz.length < data.length) writeFileSync(`${path}.gz`, gz);
  }

  /** Names of modules below js/ that nothing refers to: dead files are an error. */
  unused() {
    return readdirSync(this.from, { recursive: true })
      .map((f) => join(this.from, f))
      .filter((f) => /\.(js|svg|woff2|png)$/.test(f) && this.assets.get(f)?.state !== 'done');
  }

  async run() {
    rmSync(this.to, { recursive: true, force: true });
    const { routes } = await import(pathToFileURL(join(this.from, 'js/routes.js')));
    const shell = readFileSync(join(this.from, 'shell.html'), 'utf8');
    for (const route of routes) this.page(shell, route);
    const plain = join(this.from, 'plain'); // files whose names are fixed by convention, such as robots.txt
    if (existsSync(plain)) for (const f of readdirSync(plain)) this.write(`/${f}`, readFileSync(join(plain, f)));
    const unused = this.unused();
    if (unused.length) throw new BuildError(`nothing refers to ${unused.map((f) => relative('.', f)).join(', ')}`);
    return { pages: routes.length, assets: [...this.assets.values()].filter((a) => a.state === 'done').length };
  }
}

function escapeHtml(text) {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
}

if (process.argv[1] && resolve(process.argv[1]) === resolve(new URL(import.meta.url).pathname)) {
  const [from, to] = process.argv.slice(2);
  if (!from || !to) {
    console.error('usage: node tools/web.mjs <from> <to>');
    process.exit(2);
  }
  try {
    const { pages, assets } = await new Build(from, to).run();
    console.log(`web: ${pages} pages, ${assets} assets in ${to}`);
  } catch (err) {
    if (!(err instanceof BuildError)) throw err;
    console.error(`web: ${err.message}`);
    process.exit(1);
  }
}
