// A private RabbitMQ in a temporary folder on free ports: started, killed and started again on the same data.
import { existsSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import net from 'node:net';
import { Daemon, exec, freePort, tempDir, until } from './proc.mjs';

const BIN = '/usr/lib/rabbitmq/bin';

/** Whether somebody speaks AMQP there: a wrong greeting is answered with the right one. */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('AMQP\x00\x01\x01\x01'));
    socket.setTimeout(1000, () => socket.destroy());
    let heard = false;
    socket.on('data', () => {
      heard = true;
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
  });
}

/** ca.pem, and cert.pem with key.pem that it signed for localhost. */
async function certificates(dir) {
  const openssl = async (...args) => {
    const r = await exec('openssl', args, { cwd: dir });
    if (r.code !== 0) throw new Error(`openssl: ${r.stderr}`);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test CA');
  await openssl('req', '-x509', ...key, '-keyout', 'key.pem', '-out', 'cert.pem', '-subj', '/CN=localhost', '-CA', 'ca.pem', '-CAkey', 'ca.key',
    '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE');
}

export class Rabbit {
  static async start() {
    if (!existsSync(join(BIN, 'rabbitmq-server'))) throw new Error('RabbitMQ is not installed (tools/install.sh test installs it)');
    const r = new Rabbit();
    r.dir = tempDir('sf-rabbit-');
    r.port = await freePort();
    const [dist, epmd] = [await freePort(), await freePort()];
    const at = (name) => join(r.dir.path, name);
    r.tlsPort = await freePort();
    r.ca = at('ca.pem');
    await certificates(r.dir.path);
    writeFileSync(at('.erlang.cookie'), randomBytes(16).toString('hex'), { mode: 0o400 });
    writeFileSync(at('plugins'), '[].\n');
    writeFileSync(at('rabbitmq.conf'), `listeners.tcp.default = 127.0.0.1:${r.port}\nlog.console = true\nlog.file = false\nvm_memory_high_watermark.relative = 0.6\ndisk_free_limit.absolute = 20MB
listeners.ssl.default = 127.0.0.1:${r.tlsPort}\nssl_options.cacertfile = ${r.ca}\nssl_options.certfile = ${at('cert.pem')}\nssl_options.keyfile = ${at('key.pem')}\nssl_options.verify = verify_none\n`);
    r.env = {
      PATH: process.env.PATH, HOME: r.dir.path, LANG: 'C.UTF-8',
      RABBITMQ_NODENAME: `sf${r.port}@localhost`, RABBITMQ_MNESIA_BASE: at('data'), RABBITMQ_LOG_BASE: at('log'),
      RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'), RABBITMQ_CONF_ENV_FILE: at('env.conf'), RABBITMQ_ENABLED_PLUGINS_FILE: at('plugins'),
      RABBITMQ_PID_FILE: at('pid'), RABBITMQ_DIST_PORT: String(dist), ERL_EPMD_PORT: String(epmd), ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none',
    };
    r.epmd = new Daemon('epmd', ['-address', '127.0.0.1', '-port', String(epmd)], { env: r.env, cwd: '/' });
    await r.up();
    return r;
  }
  /** Starts it (again) and waits until it answers. */
  async up(ms = 60_000) {
    this.server = new Daemon(join(BIN, 'rabbitmq-server'), [], { env: this.env, cwd: '/', detached: true });
    await until(() => {
      if (this.server.exit) throw new Error(`rabbitmq ended: ${this.server.log()}`);
      return answers(this.port);
    }, { ms, every: 50, what: 'RabbitMQ to answer' });
    return this;
  }
  url(port = this.port) {
    return `amqp://guest:guest@127.0.0.1:${port}/`;
  }
  /** With TLS; `ca` is the file of who signed its certificate, which names localhost. */
  tlsUrl(host = 'localhost') {
    return `amqps://guest:guest@${host}:${this.tlsPort}/`;
  }
  /** As a power failure: the whole group of processes at once, for the server is a child of a shell script. */
  async kill() {
    if (!this.server.exit) process.kill(-this.server.pid, 'SIGKILL');
    await this.server.done;
  }
  /** Stops (SIGSTOP) or continues (SIGCONT) it: connections stay, nothing is answered. */
  signal(name) {
    process.kill(-this.server.pid, name);
  }
  async ctl(...args) {
    const r = await exec(join(BIN, 'rabbitmqctl'), ['-q', ...args], { env: this.env, cwd: '/' });
    if (r.code !== 0) throw new Error(`rabbitmqctl ${args.join(' ')}: ${r.stderr}${r.stdout}`);
    return r.stdout;
  }
  /** Queues by name: {type, messages, consumers}. */
  async queues() {
    const rows = JSON.parse(await this.ctl('list_queues', '--formatter', 'json', 'name', 'type', 'messages', 'consumers'));
    return Object.fromEntries(rows.map((q) => [q.name, q]));
  }
  async stop() {
    await this.kill();
    await this.epmd.stop('SIGKILL');
    this.dir.remove();
  }
}
