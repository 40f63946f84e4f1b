// A real SMTP server (aiosmtpd) as tests see it: started on a port of its own, told how to behave, asked what it has taken.
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import net from 'node:net';
import { Daemon, freePort, tempDir, until } from './proc.mjs';

// mode: ok | later (451 to the first `times`, then taken) | never (550) | slow (waits before it answers) | lost (takes, then cuts the first `times`)
const PROGRAM = `
import asyncio, json, sys
from aiosmtpd.smtp import SMTP

folder, port = sys.argv[1], int(sys.argv[2])
counts = {}

class Handler:
    async def handle_DATA(self, server, session, envelope):
        rule = json.load(open(folder + '/mode'))
        key = envelope.rcpt_tos[0]
        counts[key] = counts.get(key, 0) + 1
        times = rule.get('times', 1)
        if rule['mode'] == 'later' and counts[key] <= times:
            return '451 4.3.0 come again'
        if rule['mode'] == 'never':
            return '550 5.1.1 nobody of that name lives here'
        if rule['mode'] == 'slow':
            await asyncio.sleep(rule.get('seconds', 2))
        with open(folder + '/taken', 'a') as f:
            f.write(json.dumps({'from': envelope.mail_from, 'to': envelope.rcpt_tos,
                                'data': envelope.content.decode('latin1')}) + '\\n')
        if rule['mode'] == 'lost' and counts[key] <= times:
            server.transport.abort()
            await asyncio.sleep(0)
        return '250 2.0.0 taken'

async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), loop=loop, hostname='test'), '127.0.0.1', port)
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
  static async start(rule) {
    const s = await Smtp.prepare(rule);
    await s.run();
    return s;
  }
  behave(rule) {
    writeFileSync(join(this.dir.path, 'mode'), JSON.stringify(rule));
  }
  async run() {
    this.daemon = new Daemon('/usr/bin/python3', ['-c', PROGRAM, this.dir.path, String(this.port)]);
    await until(() => {
      if (this.daemon.exit) throw new Error(`the mail server ended: ${this.daemon.log()}`);
      return new Promise((resolve) => {
        const c = net.connect(this.port, '127.0.0.1');
        c.on('data', () => resolve(c.end() && true));
        c.on('error', () => resolve(false));
      });
    }, { what: 'the mail server to listen' });
  }
  /** What was taken, oldest first: {from, to, data, headers, text, html}. */
  taken() {
    const file = join(this.dir.path, 'taken');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map((l) => parse(JSON.parse(l))) : [];
  }
  to(email) {
    return this.taken().filter((m) => m.to.includes(email));
  }
  async stop() {
    await this.daemon?.stop();
    this.dir.remove();
  }
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
