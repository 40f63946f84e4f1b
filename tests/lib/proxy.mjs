// A TCP proxy on loopback that breaks what goes through it.
import net from 'node:net';
import { freePort } from './proc.mjs';

/** `cut` resets what is open. `hole` swallows everything until `mend`; what was open then stays silent for ever, as when a router has forgotten it. */
export class Proxy {
  static async start(to) {
    const p = new Proxy();
    p.pairs = new Set();
    p.holes = false;
    p.port = await freePort();
    p.server = net.createServer((a) => {
      const b = net.connect(to, '127.0.0.1'), pair = { ends: [a, b], silent: p.holes };
      p.pairs.add(pair);
      for (const [from, into] of [[a, b], [b, a]]) {
        from.on('data', (d) => pair.silent || into.write(d));
        from.on('end', () => pair.silent || into.end());
        from.on('error', () => {});
        from.on('close', () => (into.destroy(), p.pairs.delete(pair)));
      }
    });
    await new Promise((go) => p.server.listen(p.port, '127.0.0.1', go));
    return p;
  }
  cut() {
    for (const pair of this.pairs) for (const s of pair.ends) s.resetAndDestroy();
  }
  hole() {
    this.holes = true;
    for (const pair of this.pairs) pair.silent = true;
  }
  mend() {
    this.holes = false;
  }
  async stop() {
    for (const pair of this.pairs) for (const s of pair.ends) s.destroy();
    await new Promise((go) => this.server.close(go));
  }
}
