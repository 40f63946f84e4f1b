// Connections to databases: who uses which and for how long, and how many each process has.
import { cx, html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { count, lasting, time } from '../lib/format.js';
import { useEvery, useResource } from '../lib/resource.js';
import { AsOf, LOOK_MS } from '../ui/ops-parts.js';
import { Loaded, Skeleton } from '../ui/states.js';

const LONG_MS = 1000; // nothing that a person waits for should hold a connection for longer

const age = (ms) => (ms < 1000 ? `${ms} ms` : lasting(ms / 1000));

function Held({ one: h }) {
  const of = h.request_id ? `request ${h.request_id.slice(0, 8)}` : h.job_id ? `job ${h.job_id}` : null;
  return html`<tr><th scope="row"><span>${h.holder}</span></th>
    <td class="table__mark"><span class=${`badge badge--${h.ms >= LONG_MS ? 'dead' : 'plain'}`}><span class="badge__dot" aria-hidden="true"></span>${h.transaction ? 'transaction' : 'statement'} ${age(h.ms)}</span></td>
    <td class=${cx(!h.query && 'table__none')}>${h.query ?? '–'}</td><td><span title=${h.request_id}>${of ? `${h.process}, ${of}` : h.process}</span></td></tr>`;
}

function Pool({ process: p, pool: d }) {
  return html`<tr><th scope="row"><span>${p.name}, ${d.role}</span></th>
    <td class="table__mark"><span class=${`badge badge--${d.waiting ? 'pending' : 'plain'}`}><span class="badge__dot" aria-hidden="true"></span>${count(d.waiting)} waiting</span></td>
    <td data-label="In use">${count(d.in_use)}</td><td data-label="Idle">${count(d.idle)}</td><td data-label="Open">${count(d.open)} of ${count(d.max)}</td>
    <td class="table__rest"><span title=${`${d.engine}, of ${d.services}; as of ${time(p.as_of)}`}>${d.server}</span></td></tr>`;
}

export function Database() {
  const list = useResource((signal) => get('/api/ops/db', null, { signal }), []);
  useEvery(LOOK_MS, () => { if (!list.error) list.refresh(); });
  return html`<${Loaded} resource=${list} skeleton=${html`<${Skeleton} shape="row" count=${5} />`} title="The connections did not load">
    ${({ processes }) => {
      const pools = processes.flatMap((p) => p.databases.map((d) => ({ p, d })));
      const held = pools.flatMap(({ p, d }) => d.held.map((h) => ({ ...h, process: p.name }))).sort((a, b) => b.ms - a.ms);
      const more = processes.reduce((n, p) => n + p.not_shown, 0);
      return html`<div class="ops__bulk"><p>${held.length ? 'Who uses a connection, the longest first.' : 'Nobody uses a connection at this moment.'}</p><${AsOf} at=${list.at} /></div>
        ${held.length ? html`<div class="table-card"><table class="table table--brief"><caption class="visually-hidden">Who uses a connection</caption>
          <thead><tr><th scope="col">Route, job or part</th><th scope="col">For</th><th scope="col">Last statement</th><th scope="col">Where</th></tr></thead>
          <tbody>${held.map((h, i) => html`<${Held} key=${`${h.process} ${h.request_id ?? h.job_id ?? h.holder} ${i}`} one=${h} />`)}</tbody></table></div>` : null}
        ${more ? html`<p class="ops__note">And ${count(more)} more.</p>` : null}
        <div class="table-card"><table class="table table--brief"><caption class="visually-hidden">Connections by process</caption>
          <thead><tr><th scope="col">Process</th><th scope="col">In line</th><th scope="col">In use</th><th scope="col">Idle</th><th scope="col">Open</th><th scope="col">Database</th></tr></thead>
          <tbody>${pools.map(({ p, d }) => html`<${Pool} key=${`${p.pid} ${d.server} ${d.role}`} process=${p} pool=${d} />`)}</tbody></table></div>`;
    }}
  <//>`;
}
