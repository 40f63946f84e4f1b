// Measuring and the peers that benchmarks stand beside: wrk, a bare epoll loop, nginx, pgbench.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import net from 'node:net';
import { Daemon, exec, freePort, tempDir, until } from '../tests/lib/proc.mjs';
import { Server } from '../tests/lib/server.mjs';

export const SECONDS = Number(process.env.BENCH_SECONDS ?? 5);
export const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 64);
const TICK_US = 1e6 / 100; // a clock tick of /proc/<pid>/stat (USER_HZ is 100 on Linux)

export const has = async (program) => (await exec('sh', ['-c', `command -v ${program}`])).code === 0;

/** CPU time a process has used, µs. */
export function cpu(pid) {
  const f = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(f[11]) + Number(f[12])) * TICK_US;
}
/** A line of /proc/<pid>/status, KiB. */
export const memory = (pid, key) => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
export const children = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number);

/** Loads a URL with wrk and sums the CPU of `pids` meanwhile. */
export async function wrk(url, pids, { script, seconds = SECONDS } = {}) {
  const args = ['-t1', `-c${CLIENTS}`, '--latency', ...(script ? ['-s', script] : []), url];
  await exec('wrk', ['-d1s', ...args]); // warm
  const before = pids.map(cpu);
  const r = await exec('wrk', [`-d${seconds}s`, ...args]);
  const used = pids.reduce((sum, p, i) => sum + cpu(p) - before[i], 0);
  if (r.code !== 0) throw new Error(`wrk: ${r.stderr}${r.stdout}`);
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(r.stdout);
  return {
    rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(r.stdout)[1]),
    p99ms: Number(p99[1]) * { us: 1e-3, ms: 1, s: 1e3 }[p99[2]],
    cpuUs: used / Number(/(\d+) requests in/.exec(r.stdout)[1]),
    bad: Number(/Non-2xx or 3xx responses: (\d+)/.exec(r.stdout)?.[1] ?? 0),
    socketErrors: /Socket errors:(.*)/.exec(r.stdout)?.[1] ?? '',
  };
}

export const connects = (port) => new Promise((resolve, reject) => {
  const s = net.connect(port, '127.0.0.1', () => (s.destroy(), resolve(true)));
  s.on('error', reject);
});

/** The bare epoll loop: answers `bytes` to whatever ends in an empty line. */
export async function floor(outDir, bytes) {
  const dir = tempDir('sf-floor-');
  const port = await freePort();
  writeFileSync(join(dir.path, 'answer'), bytes, 'latin1');
  const d = new Daemon(join(outDir, 'floor'), [String(port), join(dir.path, 'answer')]);
  await until(() => connects(port), { what: `the floor to listen: ${d.log()}` });
  return { url: `http://127.0.0.1:${port}/`, pids: [d.pid], stop: async () => (await d.stop('SIGKILL'), dir.remove()) };
}

/** nginx with one worker, serving `body` as a file; null where it is not installed. */
export async function nginx(body, type) {
  if (!(await has('nginx'))) return null;
  const dir = tempDir('sf-nginx-');
  const port = await freePort();
  mkdirSync(join(dir.path, 'www'));
  writeFileSync(join(dir.path, 'www', 'answer'), body, 'latin1');
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((t) => `${t}_temp_path ${dir.path};`).join(' ');
  writeFileSync(join(dir.path, 'nginx.conf'), `
    daemon off; worker_processes 1; pid ${dir.path}/pid; error_log ${dir.path}/error.log; ${process.getuid() === 0 ? 'user root;' : ''}
    events { worker_connections 4096; }
    http { access_log off; keepalive_requests 100000000; open_file_cache max=10; default_type ${type}; sendfile on; tcp_nopush on; ${temps}
      server { listen 127.0.0.1:${port} backlog=4096; root ${dir.path}/www; } }`);
  const d = new Daemon('nginx', ['-c', join(dir.path, 'nginx.conf'), '-p', dir.path]);
  await until(() => connects(port), { what: 'nginx to listen' });
  return { url: `http://127.0.0.1:${port}/answer`, pids: children(d.pid), stop: async () => (await d.stop(), dir.remove()) };
}

/** pgbench with a script, prepared statements, as many clients as the HTTP load; null where it is not installed. */
export async function pgbench(pg, database, file) {
  const program = join(pg.bin, 'pgbench');
  if (!existsSync(program)) return null;
  const run = (seconds) => exec(program, ['-h', '127.0.0.1', '-p', String(pg.port), '-U', 'postgres', '-n', '-M', 'prepared', '-c', String(CLIENTS), '-j', '1', '-T', String(seconds), '-D', 'n=0', '-f', file, database]);
  const r = await run(SECONDS);
  if (r.code !== 0 || / aborted/.test(r.stderr)) throw new Error(`pgbench: ${r.stderr}`);
  return { rps: Number(/tps = ([\d.]+)/.exec(r.stdout)[1]), meanMs: Number(/latency average = ([\d.]+)/.exec(r.stdout)[1]) };
}

/** Our server with one worker and the demo data, request log off. */
export const ours = (options = {}) => Server.start({ demo: true, ...options, env: { WORKERS: '1', ACCESS_LOG: '0', ...options.env } });
export const workersOf = (s) => children(s.pid);
/** The bytes of an answer, head and body. */
export const answerOf = async (s, path) => (await s.raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, {
  done: (t) => t.includes('\r\n\r\n') && t.length >= t.indexOf('\r\n\r\n') + 4 + Number(/content-length: (\d+)/i.exec(t)?.[1] ?? 0),
})).text;
export const bodyOf = (answer) => answer.slice(answer.indexOf('\r\n\r\n') + 4);
