// Child processes of tests: start, wait for a condition, end by pid, leave nothing behind.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import net from 'node:net';

/** A temporary folder under the system's, removed by `remove()`. */
export function tempDir(prefix = 'sf-test-') {
  const path = mkdtempSync(join(tmpdir(), prefix));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Waits until `probe` returns something truthy and returns it; fails after `ms` with the words of `what`. */
export async function until(probe, { ms = 60_000, every = 10, what = 'a condition' } = {}) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}${last ? `: ${last.message}` : ''}`, { cause: last });
    await new Promise((r) => setTimeout(r, every));
  }
}

/** A free TCP port on loopback, below the range that the system gives to outgoing connections: those of a load test would take it away before it is listened on. */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise((resolve) => {
      const s = net.createServer();
      s.on('error', () => resolve(false));
      s.listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** Runs a program to its end; resolves to {code, signal, stdout, stderr}. */
export function exec(command, args = [], options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let stdout = '', stderr = '';
    child.stdout.on('data', (d) => (stdout += d));
    child.stderr.on('data', (d) => (stderr += d));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** A program that keeps running; its output lines are kept for `log()` and `logContains()`. */
export class Daemon {
  constructor(command, args, options = {}) {
    this.lines = [];
    this.exit = null;
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.pid = this.child.pid;
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop();
        this.lines.push(...parts);
        if (this.lines.length > 50_000) this.lines.splice(0, 25_000);
      });
    }
    this.done = new Promise((resolve) => {
      this.child.on('error', (error) => resolve((this.exit = { code: null, error })));
      this.child.on('close', (code, signal) => resolve((this.exit = { code, signal })));
    });
    live.add(this);
    this.done.then(() => live.delete(this));
  }
  log() {
    return this.lines.join('\n');
  }
  logContains(text, options = {}) {
    return until(() => this.lines.find((l) => l.includes(text)), { what: `"${text}" in the log`, ...options });
  }
  signal(name) {
    if (!this.exit) this.child.kill(name);
  }
  /** Ends it: the signal first, SIGKILL after `ms`. Returns how it ended. */
  async stop(name = 'SIGTERM', ms = 60_000) {
    this.signal(name);
    const timer = setTimeout(() => this.signal('SIGKILL'), ms);
    const exit = await this.done;
    clearTimeout(timer);
    return exit;
  }
}

// A test file that dies must not leave its servers behind.
const live = new Set();
process.on('exit', () => {
  for (const d of live) d.child.kill('SIGKILL');
});
for (const s of ['SIGINT', 'SIGTERM']) process.once(s, () => process.exit(1));
