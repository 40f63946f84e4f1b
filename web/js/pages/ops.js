// For administrators: the queue of jobs, the mails that are kept, the processes, and connections to databases. At /ops/outbox it opens with the mails.
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { ago, count, lasting, plural, time } from '../lib/format.js';
import { useEvery, useResource } from '../lib/resource.js';
import { useLocation, useQuery } from '../lib/router.js';
import { AsOf, LOOK_MS } from '../ui/ops-parts.js';
import { Loaded, Skeleton } from '../ui/states.js';
import { Tabs } from '../ui/tabs.js';
import { Database } from './ops-db.js';
import { Jobs } from './ops-jobs.js';
import { Mails } from './ops-mails.js';

const TABS = [['jobs', 'Jobs'], ['mails', 'Mails'], ['processes', 'Processes'], ['db', 'Database']];

const STILL_S = 15; // a job worker asks far more often
const TONES = { ready: 'confirmed', starting: 'pending', draining: 'pending', backoff: 'dead' };

function Process({ process: p }) {
  const stands = p.idle_seconds >= STILL_S;
  return html`<tr><th scope="row">${p.name}</th><td data-label="Pid">${p.pid || '–'}</td>
    <td class="table__mark"><span class=${`badge badge--${stands ? 'dead' : TONES[p.status] ?? 'plain'}`}><span class="badge__dot" aria-hidden="true"></span>${stands
      ? `took or ended nothing for ${lasting(p.idle_seconds)}` : p.status}</span></td>
    <td>${p.pid ? html`<span title=${time(p.started_at)}>${ago(p.started_at)}</span>` : '–'}</td>
    <td data-label="Restarts">${count(p.restarts)}</td></tr>`;
}

function Processes() {
  const list = useResource((signal) => get('/api/infrastructure/processes', null, { signal }), []);
  useEvery(LOOK_MS, () => { if (!list.error) list.refresh(); });
  return html`<${Loaded} resource=${list} skeleton=${html`<${Skeleton} shape="row" count=${5} />`} title="The processes did not load">
    ${(data) => html`<div class="ops__bulk"><p>${plural(data.total_count, 'process', 'processes')} of this instance</p><${AsOf} at=${list.at} /></div>
      <div class="table-card"><table class="table table--brief"><caption class="visually-hidden">Processes</caption>
        <thead><tr><th scope="col">Process</th><th scope="col">Pid</th><th scope="col">State</th><th scope="col">Started</th><th scope="col">Restarts</th></tr></thead>
        <tbody>${data.processes.map((p) => html`<${Process} key=${`${p.name} ${p.pid}`} process=${p} />`)}</tbody>
      </table></div>`}
  <//>`;
}

export default function Ops() {
  const [params, change] = useQuery();
  const first = useLocation().path === '/ops/outbox' ? 'mails' : 'jobs';
  const tab = TABS.some(([t]) => t === params.tab) ? params.tab : first;
  const choose = (t) => change({ tab: t === first ? null : t, page: null, state: null, kind: null, error: null, since: null, before: null, ticks: null, job: null, to: null, mail: null });
  const panel = { jobs: Jobs, mails: Mails, processes: Processes, db: Database }[tab];
  return html`<div class="wrap page ops">
    <header class="page-head"><h1>Operations</h1><p>What the platform does behind its requests.</p></header>
    <${Tabs} id="ops" label="Operations" tabs=${TABS} value=${tab} onValue=${choose}><${panel} /><//>
  </div>`;
}
