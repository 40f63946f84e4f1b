// Closed-loop clients with one keep-alive connection each: ask, wait for the answer, ask again, until stopped.
import http from 'node:http';

export class Load {
  /** next(i, n): the n-th request of client i: {method, path, body, token, headers}. */
  constructor(server, clients, next) {
    this.server = server;
    this.answers = new Map(); // status → count
    this.errors = [];         // {code, message, reused}
    this.accepted = [];       // bodies of 201s
    this.running = true;
    this.loops = Array.from({ length: clients }, (_, i) => this.client(i, next));
  }
  async client(i, next) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; this.running; n++) {
      const { method = 'GET', path, body, ...rest } = next(i, n);
      try {
        const r = await this.server.request(method, path, { ...rest, body, agent });
        this.answers.set(r.status, (this.answers.get(r.status) ?? 0) + 1);
        if (r.status === 201) this.accepted.push(r.body);
      } catch (error) {
        this.errors.push({ code: error.code, message: error.message, method });
      }
    }
    agent.destroy();
  }
  get count() {
    return [...this.answers.values()].reduce((a, b) => a + b, 0);
  }
  async stop() {
    this.running = false;
    await Promise.all(this.loops);
    return this;
  }
}
