// Many requests in little time: each connection keeps `depth` requests under way (HTTP pipelining).
import net from 'node:net';

/** Sends `total` requests of `paths` in turn over `conns` connections; resolves to the counts by status. */
export async function pipeline(port, { total, conns = 8, depth = 64, paths = ['/health'], headers = '' }) {
  const counts = {};
  await Promise.all(Array.from({ length: conns }, (_, c) => new Promise((resolve, reject) => {
    let left = Math.ceil(total / conns), under = 0, sent = c, buffer = Buffer.alloc(0);
    const socket = net.connect(port, '127.0.0.1');
    const send = () => {
      let text = '';
      while (under < depth && left > 0) {
        text += `GET ${paths[sent++ % paths.length]} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
        under++, left--;
      }
      if (text) socket.write(text);
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('close', () => (under || left ? reject(new Error(`closed with ${under} under way, ${left} left`)) : resolve()));
    socket.on('data', (d) => {
      buffer = buffer.length ? Buffer.concat([buffer, d]) : d;
      let at = 0;
      for (;;) {
        const head = buffer.indexOf('\r\n\r\n', at, 'latin1');
        if (head < 0) break;
        const text = buffer.toString('latin1', at, head);
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (buffer.length < head + 4 + length) break;
        const status = text.slice(9, 12);
        counts[status] = (counts[status] ?? 0) + 1;
        at = head + 4 + length;
        under--;
      }
      buffer = buffer.subarray(at);
      if (left > 0 && under <= depth / 2) send();
      if (under === 0 && left === 0) socket.end();
    });
  })));
  return counts;
}
