// A real SMTP server (aiosmtpd) as tests see it: started on a port of its own, told how to behave, asked what it has taken.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import net from 'node:net';
import { Daemon, exec, freePort, tempDir, until } from './proc.mjs';

// A rule is {mode, at, times, seconds}. mode: ok | later (4xx to the first `times` of a receiver, then taken) | never (5xx) |
// slow (waits before it answers) | lost (takes, then cuts the first `times`) | mute (takes nothing and never answers).
// at: the command it is done at: greeting, MAIL, RCPT or DATA, which means the answer to the message (lost and mute: always there).
const PROGRAM = `
import asyncio, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

folder, port, options = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
counts = {}

def rule():
    with open(folder + '/mode') as f:
        return json.load(f)

def note(file, what):
    with open(folder + '/' + file, 'a') as f:
        f.write(json.dumps(what) + '\\n')

# What the rule says at this command: an answer, or None to go on.
async def obey(at, key):
    r = rule()
    if r.get('at', 'DATA') != at:
        return None
    if r['mode'] == 'slow':
        await asyncio.sleep(r.get('seconds', 2))
    if r['mode'] == 'mute':
        await asyncio.sleep(3600)
    if r['mode'] == 'never':
        return '550 5.1.1 nobody of that name lives here'
    if r['mode'] == 'later':
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= r.get('times', 1):
            return '421 4.3.2 too busy' if at == 'greeting' else '451 4.3.0 come again'
    return None

class Server(SMTP):
    async def _handle_client(self):
        answer = await obey('greeting', 'greeting')
        if answer:
            await self.push(answer)
            self.transport.close()
            return
        await super()._handle_client()

class Handler:
    def seen(self, server, command, **more):
        note('seen', {'command': command, 'tls': bool(server.session.ssl) or options.get('tls') == 'from the start', **more})

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self.seen(server, 'EHLO')
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options_):
        self.seen(server, 'MAIL', login=bool(session.authenticated))
        answer = await obey('MAIL', address)
        if not answer:
            envelope.mail_from = address
        return answer or '250 OK'

    async def handle_RCPT(self, server, session, envelope, address, options_):
        self.seen(server, 'RCPT')
        answer = await obey('RCPT', address)
        if not answer:
            envelope.rcpt_tos.append(address)
        return answer or '250 OK'

    async def handle_DATA(self, server, session, envelope):
        self.seen(server, 'DATA')
        key = envelope.rcpt_tos[0]
        answer = await obey('DATA', key)
        if answer:
            return answer
        note('taken', {'from': envelope.mail_from, 'to': envelope.rcpt_tos, 'data': envelope.content.decode('latin1')})
        r = rule()
        if r['mode'] == 'lost':
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= r.get('times', 1):
                server.transport.abort()
                await asyncio.sleep(0)
        return '250 2.0.0 taken'

def authenticate(server, session, envelope, mechanism, data):
    good = data.login.decode() == options['user'] and data.password.decode() == options['password']
    note('seen', {'command': 'AUTH', 'tls': bool(session.ssl) or options.get('tls') == 'from the start', 'good': good})
    return AuthResult(success=good, handled=False)

async def main():
    loop = asyncio.get_running_loop()
    more, context = {}, None
    if 'cert' in options:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options['cert'], options['key'])
    at_start = options.get('tls') == 'from the start'
    if context and not at_start:
        more['tls_context'] = context
    if 'user' in options:
        more.update(authenticator=authenticate, auth_required=True, auth_require_tls=not at_start)
    server = await loop.create_server(lambda: Server(Handler(), loop=loop, hostname='test', **more), '127.0.0.1', port,
                                      ssl=context if at_start else None)
    await server.serve_forever()

asyncio.run(main())
`;

export class Smtp {
  constructor(port, dir) {
    this.port = port;
    this.dir = dir;
    this.url = `smtp://127.0.0.1:${port}`;
  }
  /** A server that is not running yet: its port refuses. */
  static async prepare(rule = { mode: 'ok' }) {
    const s = new Smtp(await freePort(), tempDir('sf-smtp-'));
    s.behave(rule);
    return s;
  }
  static async start(rule, options) {
    const s = await Smtp.prepare(rule);
    await s.run(options);
    return s;
  }
  behave(rule) {
    const file = join(this.dir.path, 'mode'); // in one go, for the server reads it at any moment
    writeFileSync(`${file}.new`, JSON.stringify(rule));
    renameSync(`${file}.new`, file);
  }
  /** options: {cert, key} files offer STARTTLS (`tls: 'from the start'`: TLS at once), {user, password} demand a login. */
  async run(options = {}) {
    this.daemon = new Daemon('/usr/bin/python3', ['-W', 'ignore', '-c', PROGRAM, this.dir.path, String(this.port), JSON.stringify(options)]);
    await until(() => {
      if (this.daemon.exit) throw new Error(`the mail server ended: ${this.daemon.log()}`);
      return new Promise((resolve) => {
        const c = net.connect(this.port, '127.0.0.1');
        c.on('connect', () => resolve(c.end() && true));
        c.on('error', () => resolve(false));
      });
    }, { what: 'the mail server to listen' });
  }
  #lines(name) {
    const file = join(this.dir.path, name);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)) : [];
  }
  /** What was taken, oldest first: {from, to, data, headers, text, html}. */
  taken() {
    return this.#lines('taken').map(parse);
  }
  /** The commands that came, oldest first: {command, tls, login?, good?}. */
  seen() {
    return this.#lines('seen');
  }
  to(email) {
    return this.taken().filter((m) => m.to.includes(email));
  }
  async stop() {
    await this.daemon?.stop();
    this.dir.remove();
  }
}

/** Certificates of two authorities, made with openssl in a folder of their own: {ca, otherCa, good, otherName, remove()}; good and
 * otherName are {cert, key} by `ca`, the one for 127.0.0.1, the other for another host. */
export async function certificates() {
  const dir = tempDir('sf-certs-');
  const at = (name) => join(dir.path, name);
  const openssl = async (...args) => {
    const r = await exec('openssl', args);
    if (r.code !== 0) throw new Error(`openssl ${args[0]}: ${r.stderr}`);
  };
  const key = (name) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at(`${name}.key`)];
  const authority = (name) => openssl('req', '-x509', ...key(name), '-out', at(`${name}.pem`), '-days', '2', '-subj', `/CN=${name}`,
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign');
  const server = async (name, host) => {
    await openssl('req', ...key(name), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`);
    writeFileSync(at(`${name}.ext`), `subjectAltName=${host}\nbasicConstraints=CA:FALSE\n`);
    await openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2',
      '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`));
    return { cert: at(`${name}.pem`), key: at(`${name}.key`) };
  };
  await authority('ca');
  await authority('other-ca');
  return { ca: at('ca.pem'), otherCa: at('other-ca.pem'), good: await server('good', 'IP:127.0.0.1'), otherName: await server('other-name', 'DNS:mail.elsewhere.example'), remove: dir.remove };
}

const words = (s) => s.replace(/\?=\s+=\?/g, '?==?').replace(/=\?UTF-8\?B\?([^?]*)\?=/g, (_, b) => Buffer.from(b, 'base64').toString('utf8'));

function parse(mail) {
  const end = mail.data.indexOf('\r\n\r\n');
  const headers = {};
  for (const line of mail.data.slice(0, end).replace(/\r\n[ \t]/g, ' ').split('\r\n')) headers[line.slice(0, line.indexOf(':')).toLowerCase()] = words(line.slice(line.indexOf(':') + 1).trim());
  const boundary = /boundary="([^"]+)"/.exec(headers['content-type'])?.[1];
  const [text, html] = mail.data.split(`--${boundary}`).slice(1, 3).map((p) => Buffer.from(p.slice(p.indexOf('\r\n\r\n')), 'base64').toString('utf8'));
  return { ...mail, headers, text, html };
}
