// For administrators: the queue of jobs, the mails that are kept, and the processes. At /ops/outbox it opens with the mails.
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { count } from '../lib/format.js';
import { useResource } from '../lib/resource.js';
import { useLocation, useQuery } from '../lib/router.js';
import { Loaded, Skeleton } from '../ui/states.js';
import { Tabs } from '../ui/tabs.js';
import { Jobs } from './ops-jobs.js';
import { Mails } from './ops-mails.js';

const TABS = [['jobs', 'Jobs'], ['mails', 'Mails'], ['processes', 'Processes']];

const Rows = () => html`<${Skeleton} shape="row" count=${5} />`;

function Processes() {
  const list = useResource((signal) => get('/api/infrastructure/processes', null, { signal }), []);
  return html`<${Loaded} resource=${list} skeleton=${html`<${Rows} />`} title="The processes did not load">
    ${(data) => html`<div class="table-card"><table class="table table--stack"><caption class="visually-hidden">Processes</caption>
      <thead><tr><th scope="col">Process</th><th scope="col">Pid</th><th scope="col">State</th></tr></thead>
      <tbody>${data.processes.map((p) => html`<tr key=${p.pid}><th scope="row">${p.name}</th><td data-label="Pid">${p.pid}</td><td data-label="State">${p.status}</td></tr>`)}</tbody>
    </table></div>
    <p class="admin__count">${count(data.total_count)} in all</p>`}
  <//>`;
}

export default function Ops() {
  const [params, change] = useQuery();
  const first = useLocation().path === '/ops/outbox' ? 'mails' : 'jobs';
  const tab = TABS.some(([t]) => t === params.tab) ? params.tab : first;
  const choose = (t) => change({ tab: t === first ? null : t, page: null, state: null, kind: null, error: null, before: null, job: null, to: null, mail: null });
  const panel = { jobs: Jobs, mails: Mails, processes: Processes }[tab];
  return html`<div class="wrap page ops">
    <header class="page-head"><h1>Operations</h1><p>What the platform does behind its requests.</p></header>
    <${Tabs} id="ops" label="Operations" tabs=${TABS} value=${tab} onValue=${choose}><${panel} /><//>
  </div>`;
}
