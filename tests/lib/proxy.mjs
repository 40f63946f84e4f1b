// A TCP proxy on loopback that breaks what goes through it.
import net from 'node:net';
import { freePort } from './proc.mjs';

/** `cut` resets what is open, `hole` swallows it until `mend`. */
export class Proxy {
  static async start(to) {
    const p = new Proxy();
    p.pairs = new Set();
    p.holes = false;
    p.port = await freePort();
    p.server = net.createServer((a) => {
      const b = net.connect(to, '127.0.0.1'), pair = [a, b];
      p.pairs.add(pair);
      for (const [from, into] of [[a, b], [b, a]]) {
        from.on('data', (d) => p.holes || into.write(d));
        from.on('end', () => p.holes || into.end());
        from.on('error', () => {});
        from.on('close', () => (into.destroy(), p.pairs.delete(pair)));
      }
    });
    await new Promise((go) => p.server.listen(p.port, '127.0.0.1', go));
    return p;
  }
  cut() {
    for (const pair of this.pairs) for (const s of pair) s.resetAndDestroy();
  }
  hole() {
    this.holes = true; // what is swallowed is gone, so what was open must not come to life again
    this.lost = [...this.pairs];
  }
  mend() {
    this.holes = false;
    for (const pair of this.lost) pair[1].destroy();
  }
  async stop() {
    for (const pair of this.pairs) for (const s of pair) s.destroy();
    await new Promise((go) => this.server.close(go));
  }
}
