// A private PostgreSQL in a temporary folder on a free port; one a test run, one database a test file.
import { existsSync, readdirSync, chownSync, mkdirSync, appendFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Daemon, exec, freePort, tempDir, until } from './proc.mjs';

const asRoot = process.getuid() === 0;

function binDir() {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).filter((v) => existsSync(join(root, v, 'bin/initdb'))) : [];
  if (versions.length === 0) throw new Error('PostgreSQL server is not installed (tools/install.sh test installs it)');
  return join(root, versions.sort((a, b) => b - a)[0], 'bin');
}

// The server refuses to run as root, so there it runs as the user the package made.
const runAs = (command, args) => (asRoot ? ['runuser', ['-u', 'postgres', '--', command, ...args]] : [command, args]);

async function ids() {
  const uid = Number((await exec('id', ['-u', 'postgres'])).stdout);
  const gid = Number((await exec('id', ['-g', 'postgres'])).stdout);
  return { uid, gid };
}

export class Postgres {
  /** durable: fsync on (crash tests); otherwise off, for speed. settings: lines of postgresql.conf. */
  static async start({ durable = false, settings = {} } = {}) {
    const pg = new Postgres();
    pg.bin = binDir();
    pg.dir = tempDir('sf-pg-');
    pg.data = join(pg.dir.path, 'data');
    pg.port = await freePort();
    mkdirSync(pg.data, { mode: 0o700 });
    if (asRoot) {
      const { uid, gid } = await ids();
      chownSync(pg.dir.path, uid, gid);
      chownSync(pg.data, uid, gid);
    }
    const init = await exec(...runAs(join(pg.bin, 'initdb'), ['-D', pg.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']), { cwd: '/' });
    if (init.code !== 0) throw new Error(`initdb: ${init.stderr}`);
    const conf = {
      listen_addresses: "'127.0.0.1'", port: pg.port, unix_socket_directories: `'${pg.dir.path}'`, max_connections: 300,
      fsync: durable ? 'on' : 'off', synchronous_commit: durable ? 'on' : 'off', shared_buffers: '128MB', max_wal_size: '2GB',
      autovacuum: 'on', log_min_messages: 'warning', timezone: "'UTC'", ...settings,
    };
    appendFileSync(join(pg.data, 'postgresql.conf'), Object.entries(conf).map(([k, v]) => `${k} = ${v}\n`).join(''));
    await pg.up();
    return pg;
  }
  /** A standby that streams from this server and answers reads. */
  async standby() {
    const pg = new Postgres();
    pg.bin = this.bin;
    pg.dir = tempDir('sf-pg-');
    pg.data = join(pg.dir.path, 'data');
    pg.port = await freePort();
    if (asRoot) {
      const { uid, gid } = await ids();
      chownSync(pg.dir.path, uid, gid);
    }
    const copy = await exec(...runAs(join(pg.bin, 'pg_basebackup'), ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-D', pg.data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync']), { cwd: '/' });
    if (copy.code !== 0) throw new Error(`pg_basebackup: ${copy.stderr}`);
    appendFileSync(join(pg.data, 'postgresql.conf'), `port = ${pg.port}\nunix_socket_directories = '${pg.dir.path}'\n`);
    await pg.up();
    await until(async () => (await sql(this.url(), 'SELECT state FROM pg_stat_replication')).some(([state]) => state === 'streaming'), { what: 'the standby to stream' });
    return pg;
  }
  /** Makes a standby the primary; returns when it takes writes. */
  async promote() {
    const r = await exec(...runAs(join(this.bin, 'pg_ctl'), ['-D', this.data, '-w', 'promote']), { cwd: '/' });
    if (r.code !== 0) throw new Error(`promote: ${r.stderr}${r.stdout}`);
    await until(async () => (await sql(this.url(), 'SELECT pg_is_in_recovery()'))[0][0] === 'f', { what: 'the promotion' });
  }
  /** Makes a stopped primary come up as a standby that follows nobody. */
  demote() {
    writeFileSync(join(this.data, 'standby.signal'), '');
  }
  /** Starts the server (again) and waits until it answers. */
  async up() {
    this.server = new Daemon(...runAs(join(this.bin, 'postgres'), ['-D', this.data]), { cwd: '/' });
    await until(async () => {
      if (this.server.exit) throw new Error(`postgres ended: ${this.server.log()}`);
      return (await exec(join(this.bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(this.port), '-q'])).code === 0;
    }, { ms: 30_000, every: 30, what: 'PostgreSQL to answer' });
    return this;
  }
  /** mode: fast (disconnects clients), immediate (as after a crash). */
  async down(mode = 'fast') {
    await exec(...runAs(join(this.bin, 'pg_ctl'), ['-D', this.data, '-m', mode, '-w', 'stop']), { cwd: '/' });
    await this.server.done;
  }
  url(database = 'postgres') {
    return `postgresql://postgres@127.0.0.1:${this.port}/${database}`;
  }
  async stop() {
    if (!this.server.exit) await this.down('immediate');
    this.dir.remove();
  }
}

/** Runs SQL with psql; returns rows of text, columns split at tabs. */
export async function sql(url, text) {
  const r = await exec('psql', ['-X', '-q', '-A', '-t', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-d', url, '-c', text]);
  if (r.code !== 0) throw new Error(`psql: ${r.stderr}`);
  return r.stdout.split('\n').filter((l) => l !== '').map((l) => l.split('\t'));
}

let own = null;
/** A new empty database: on the run's server (SF_PG_URL), else on one this file starts; `options` are of CREATE DATABASE. Returns {url, drop}. */
export async function freshDatabase(options = '') {
  let base = process.env.SF_PG_URL;
  if (!base) {
    own ??= await Postgres.start();
    base = own.url();
  }
  const name = `sf_${randomBytes(6).toString('hex')}`;
  await sql(base, `CREATE DATABASE ${name} ${options}`);
  const url = base.replace(/\/[^/]*$/, `/${name}`);
  return { url, drop: () => sql(base, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).catch(() => {}) };
}
/** Ends what freshDatabase started in this file. */
export async function endOwn() {
  await own?.stop();
  own = null;
}
