// A Bot API server of our own, as the bot's messages find it: it keeps what was sent, and answers what a test has prepared.
import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';

export class BotApi {
  /** tls: {cert, key}, files; without it HTTP is spoken. */
  static async start(tls, token = '123456:a-token-of-tests') {
    const api = new BotApi();
    Object.assign(api, { token, sent: [], asked: [], prepared: [] });
    const answer = (req, res) => api.answer(req, res);
    api.server = tls ? https.createServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, answer) : http.createServer(answer);
    await new Promise((done) => api.server.listen(0, '127.0.0.1', done));
    api.url = `http${tls ? 's' : ''}://127.0.0.1:${api.server.address().port}`;
    return api;
  }
  /** Next answers, in order: {status, body}, or 'reset' for a connection that breaks, 'lost' for one that breaks after the message was taken. */
  prepare(...answers) {
    this.prepared.push(...answers);
  }
  to(chat) {
    return this.sent.filter((m) => m.chat_id === chat).map((m) => m.text);
  }
  async answer(req, res) {
    const parts = [];
    for await (const part of req) parts.push(part);
    const message = parts.length ? JSON.parse(Buffer.concat(parts)) : {};
    this.asked.push({ method: req.method, url: req.url, headers: req.headers, message, at: Date.now() });
    const reply = (status, body) => {
      res.writeHead(status, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(body));
    };
    if (req.url !== `/bot${this.token}/sendMessage`) return reply(404, { ok: false, error_code: 404, description: 'Not Found' });
    const next = this.prepared.shift();
    if (next === 'reset') return req.socket.resetAndDestroy();
    if (next && next !== 'lost') return reply(next.status, next.body ?? { ok: false, error_code: next.status, description: next.description ?? 'as prepared' });
    this.sent.push(message);
    if (next === 'lost') return req.socket.resetAndDestroy();
    return reply(200, { ok: true, result: { message_id: this.sent.length, chat: { id: message.chat_id }, text: message.text } });
  }
  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
}
