// The real binary as tests see it: started on a free port with a database of its own, asked over HTTP, ended by pid.
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon, tempDir, until } from './proc.mjs';
import { endOwn, freshDatabase } from './pg.mjs';

export const BIN = process.env.SF_BIN ?? new URL('../../build/softfactory', import.meta.url).pathname;
export const ENGINES = (process.env.SF_ENGINES ?? 'sqlite,postgres').split(',');
export const SECRET = 'a secret of thirty-two bytes or more for tests only'; // without a comma: JWT_PREVIOUS_SECRETS may hold it

/** Limits are off, so that one address may ask as often as it likes on a machine however busy; tests of limits set them. */
const BASE_ENV = {
  LISTEN: '127.0.0.1', PORT: '0', WORKERS: '2', JWT_SECRET: SECRET, DEMO_MODE: '0', LOG_LEVEL: 'info',
  RATE_LIMIT_API: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_WRITES: '0', SIGN_IN_WAIT: '5m', DRAIN_TIMEOUT: '10s',
  BOOKING_OPEN_MAX: '1000000', BOOKING_OPEN_HOURS: '1000000', JOB_CRASH_DIR: tmpdir(),
};

export class Server {
  /** engine: sqlite | postgres. env: settings over the base. database: a URL to use instead of a new one. ready: wait for /ready. */
  static async start({ engine = 'sqlite', env = {}, database, demo = false, ready = true, args = [] } = {}) {
    const s = new Server();
    s.engine = engine;
    s.dir = tempDir();
    if (database) s.database = { url: database, drop: async () => {} };
    else if (engine === 'postgres') s.database = await freshDatabase();
    else s.database = { url: `sqlite:///${join(s.dir.path, 'data.db')}`, path: join(s.dir.path, 'data.db'), drop: async () => {} };
    s.env = { PATH: process.env.PATH, ...pick(process.env, 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS', 'AMQP_URL'), ...BASE_ENV,
      DATABASE_URL: s.database.url, ...(demo ? { DEMO_MODE: '1' } : {}), ...(process.env.SF_WEB ? { WEB_DIR: process.env.SF_WEB } : {}), ...env };
    s.args = args;
    await s.launch(ready);
    return s;
  }
  async launch(ready) {
    this.daemon = new Daemon(BIN, ['serve', ...this.args], { env: this.env, cwd: this.dir.path });
    this.pid = this.daemon.pid;
    try {
      const line = await until(() => {
        if (this.daemon.exit) throw new Error(`the server ended: ${JSON.stringify(this.daemon.exit)}\n${this.daemon.log()}`);
        return this.daemon.lines.find((l) => l.includes('"msg":"listening"'));
      }, { ms: 60_000, what: 'the server to listen' });
      this.port = JSON.parse(line).port;
      this.url = `http://127.0.0.1:${this.port}`;
      if (ready) await this.ready();
    } catch (error) {
      error.message += `\n${this.daemon.log()}`;
      await this.stop('SIGKILL');
      throw error;
    }
  }
  /** Ends it and starts it again on the same database and port, with changed settings (undefined takes one away). */
  async restart(env = {}) {
    await this.daemon.stop('SIGTERM', 20_000);
    this.check();
    this.agent?.destroy();
    this.agent = undefined;
    this.env = { ...this.env, PORT: String(this.port), ...env };
    await this.launch(true);
  }
  ready(ms = 60_000) {
    return until(async () => (await this.get('/ready')).status === 200, { ms, what: '/ready to be 200' });
  }
  logContains(text, options) {
    return this.daemon.logContains(text, options);
  }
  /** Log lines as objects; lines that are not JSON are left out. */
  logs(message) {
    return this.daemon.lines.flatMap((l) => {
      try {
        const o = JSON.parse(l);
        return message && o.msg !== message ? [] : [o];
      } catch {
        return [];
      }
    });
  }
  async stop(signal = 'SIGTERM') {
    const exit = await this.daemon.stop(signal, 20_000);
    this.agent?.destroy();
    await this.database?.drop();
    this.dir.remove();
    this.check();
    return exit;
  }
  check() {
    const report = this.daemon.lines.findIndex((l) => /Sanitizer|runtime error:/.test(l));
    if (report >= 0) throw new Error(`the server had a finding:\n${this.daemon.lines.slice(report, report + 60).join('\n')}`);
  }

  // ---- asking ----
  /** One request. body: an object is sent as JSON, text and buffers as they are. Returns {status, headers, body, text, raw}. */
  request(method, path, { body, token, cookie, headers = {}, agent, timeout = 30_000, json = true } = {}) {
    this.agent ??= new http.Agent({ keepAlive: true, maxSockets: 2000 });
    const h = { ...headers };
    let payload;
    if (body !== undefined) {
      payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
      if (json && !Object.keys(h).some((k) => k.toLowerCase() === 'content-type')) h['Content-Type'] = 'application/json';
      h['Content-Length'] = Buffer.byteLength(payload);
    }
    if (token) h.Authorization = `Bearer ${token}`;
    if (cookie) h.Cookie = cookie;
    return new Promise((resolve, reject) => {
      const req = http.request({ host: '127.0.0.1', port: this.port, method, path, headers: h, agent: agent ?? this.agent, timeout }, (res) => {
        const parts = [];
        res.on('data', (d) => parts.push(d));
        res.on('error', reject);
        res.on('end', () => {
          const raw = Buffer.concat(parts);
          const text = raw.toString('utf8');
          let parsed;
          if (/json/.test(res.headers['content-type'] ?? '') && !res.headers['content-encoding'] && text !== '') {
            try {
              parsed = JSON.parse(text);
            } catch (error) {
              return reject(new Error(`${method} ${path}: not JSON: ${text.slice(0, 200)}`, { cause: error }));
            }
          }
          resolve({ status: res.statusCode, headers: res.headers, body: parsed, text, raw });
        });
      });
      req.on('timeout', () => req.destroy(new Error(`${method} ${path}: no answer in ${timeout} ms`)));
      req.on('error', reject);
      req.end(payload);
    });
  }
  get(path, options) { return this.request('GET', path, options); }
  head(path, options) { return this.request('HEAD', path, options); }
  post(path, body, options = {}) { return this.request('POST', path, { ...options, body }); }
  put(path, body, options = {}) { return this.request('PUT', path, { ...options, body }); }
  delete(path, options) { return this.request('DELETE', path, options); }

  /** Registers a user (or logs in a known one) and returns {token, refresh, id, email, password}. */
  async user({ email = `u${Math.random().toString(36).slice(2)}@example.com`, password = 'correct horse', name = 'A User' } = {}) {
    const r = await this.post('/api/auth/register', { email, password, name });
    if (r.status !== 201) throw new Error(`register: ${r.status} ${r.text}`);
    return { token: r.body.access_token, refresh: r.body.refresh_token, id: r.body.user.id, email, password };
  }
  async login(email, password) {
    const r = await this.post('/api/auth/login', { email, password });
    if (r.status !== 200) throw new Error(`login: ${r.status} ${r.text}`);
    return { token: r.body.access_token, refresh: r.body.refresh_token, id: r.body.user.id, email, password };
  }
  /** The demo accounts, by name: demo (user 1), admin, chef. Needs demo: true. */
  demoUser(name) {
    return this.login(`${name}@softfactory.com`, `${name}123`);
  }
  /** Writes bytes on a new connection; resolves to all text the server sent until it closed (or `done` said enough); `reply` may answer; `from` is our address. */
  raw(bytes, { ms = 10_000, done = () => false, reply = () => {}, end = false, from } = {}) {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port: this.port, host: '127.0.0.1', localAddress: from });
      let text = '';
      const timer = setTimeout(() => finish(false), ms);
      const finish = (closed) => {
        clearTimeout(timer);
        socket.destroy();
        resolve({ text, closed });
      };
      socket.on('connect', () => (end ? socket.end(bytes) : socket.write(bytes)));
      socket.on('data', (d) => {
        text += d.toString('latin1');
        reply(text, socket);
        if (done(text)) finish(false);
      });
      socket.on('close', () => finish(true));
      socket.on('error', (e) => (e.code === 'ECONNRESET' || e.code === 'EPIPE' ? finish(true) : reject(e)));
    });
  }
}

const pick = (from, ...keys) => Object.fromEntries(keys.filter((k) => from[k] !== undefined).map((k) => [k, from[k]]));

/** Runs `body(engine)` once an engine, as a group; the private PostgreSQL of the file, if any, ends with the process. */
export function onEachEngine(describe, after, title, body) {
  for (const engine of ENGINES) describe(`${title} [${engine}]`, { concurrency: false }, () => body(engine));
  after(endOwn);
}
