// The queue: how many jobs of each kind and state there are, a filtered list, one job, and acting on one or on all.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { ApiError, get, post } from '../lib/api.js';
import { ago, count, plural, time } from '../lib/format.js';
import { useAction, useResource } from '../lib/resource.js';
import { useQuery } from '../lib/router.js';
import { toast } from '../lib/toast.js';
import { Button } from '../ui/button.js';
import { Confirm, Dialog } from '../ui/dialog.js';
import { SearchField, Select } from '../ui/field.js';
import { Empty, Loaded, Skeleton } from '../ui/states.js';

const JOBS = '/api/ops/jobs';
const STATES = ['scheduled', 'ready', 'running', 'retrying', 'done', 'dead', 'cancelled'];
const TONES = { running: 'pending', retrying: 'pending', done: 'confirmed', dead: 'dead' };
/* What each state allows, as the queue has it. */
const ACTIONS = {
  retry: { verb: 'Retry', states: ['scheduled', 'ready', 'retrying', 'dead', 'cancelled'] },
  cancel: { verb: 'Cancel', states: ['scheduled', 'ready', 'retrying', 'running'] },
  discard: { verb: 'Discard', states: ['scheduled', 'ready', 'retrying', 'dead'] },
};

const State = ({ state }) => html`<span class=${`badge badge--${TONES[state] ?? 'plain'}`}><span class="badge__dot" aria-hidden="true"></span>${state}</span>`;
const when = (iso) => (iso ? html`<span title=${time(iso)}>${ago(iso)}</span>` : '–');

function Counts({ resource, params, onChoose }) {
  return html`<${Loaded} resource=${resource} skeleton=${html`<${Skeleton} shape="line" count=${2} />`} title="The counts did not load">
    ${({ counts }) => (counts.length ? html`<ul class="ops__counts" aria-label="Jobs by kind and state">
      ${counts.map((c) => html`<li key=${`${c.kind} ${c.state}`}><button type="button" class="ops__tally" aria-pressed=${params.kind === c.kind && params.state === c.state}
        onClick=${() => onChoose(c)}><span>${c.kind}</span><strong>${c.estimated ? 'about ' : ''}${count(c.count)}</strong><${State} state=${c.state} /></button></li>`)}
    </ul>` : null)}
  <//>`;
}

function Detail({ id, onClose, onDone }) {
  const job = useResource((signal) => get(`${JOBS}/${id}`, null, { signal }), [id]);
  const [busy, act] = useAction(async (action) => {
    try {
      toast.ok((await post(`${JOBS}/${id}/${action}`)).message);
      onDone();
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      toast.error(err);
    }
    job.reload();
  });
  return html`<${Dialog} title=${`Job ${id}`} onClose=${onClose}>
    <${Loaded} resource=${job} skeleton=${html`<${Skeleton} shape="line" count=${5} />`} title="The job did not load">
      ${(j) => html`<dl class="ops__facts">
          <dt>Kind</dt><dd>${j.kind}</dd><dt>State</dt><dd><${State} state=${j.state} /></dd>
          <dt>Attempts</dt><dd>${j.attempts} of ${j.max_attempts}</dd><dt>Added</dt><dd>${time(j.created_at)}</dd>
          ${j.finished_at ? html`<dt>Over</dt><dd>${time(j.finished_at)}</dd>` : html`<dt>Due</dt><dd>${time(j.run_at)}</dd>`}
          ${j.progress ? html`<dt>Progress</dt><dd>${j.progress} % ${j.progress_text ?? ''}</dd>` : null}
          ${j.error ? html`<dt>Error</dt><dd>${j.error}</dd>` : null}
        </dl>
        <pre class="ops__json" tabindex="0" role="region" aria-label="Payload">${JSON.stringify(j.payload, null, 2)}</pre>
        ${j.result === null ? null : html`<pre class="ops__json" tabindex="0" role="region" aria-label="Result">${JSON.stringify(j.result, null, 2)}</pre>`}
        <div class="dialog__buttons">${Object.entries(ACTIONS).filter(([, a]) => a.states.includes(j.state)).map(([name, a]) => html`
          <${Button} key=${name} kind=${name === 'retry' ? 'primary' : 'quiet'} busy=${busy} onClick=${() => act(name)}>${a.verb}<//>`)}</div>`}
    <//>
  <//>`;
}

/** Counts what the filter names, asks, then acts until nothing is left of it. */
function Bulk({ filter, onDone }) {
  const [asking, setAsking] = useState(null); // {action, count, more}
  const call = (action, preview) => post(`${JOBS}/bulk`, { ...filter, action, preview });
  const guarded = (fn) => async (...args) => {
    try { await fn(...args); } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      toast.error(err);
      setAsking(null);
    }
  };
  const [counting, ask] = useAction(guarded(async (action) => setAsking({ ...await call(action, true), action })));
  const [busy, act] = useAction(guarded(async () => {
    const { count: n, more } = await call(asking.action, false);
    toast.ok(`${ACTIONS[asking.action].verb}: ${plural(n, 'job')}.${more ? ' There may be more.' : ''}`);
    setAsking(null);
    onDone();
  }));
  return html`<div class="ops__bulk" role="group" aria-label="All jobs of this filter">
    ${Object.entries(ACTIONS).map(([name, a]) => html`<${Button} key=${name} small busy=${counting} onClick=${() => ask(name)}>${a.verb} all<//>`)}
    ${asking ? html`<${Confirm} title=${`${ACTIONS[asking.action].verb} ${asking.more ? 'at least ' : ''}${plural(asking.count, 'job')}?`} yes=${`${ACTIONS[asking.action].verb} them`}
      no="Leave them" danger=${asking.action !== 'retry'} busy=${busy} onYes=${act} onClose=${() => setAsking(null)}>
      <p>${asking.count ? 'These are the jobs of the filter whose state allows it.' : 'No job of the filter is in a state that allows it.'}</p><//>` : null}
  </div>`;
}

export function Jobs() {
  const [params, change] = useQuery();
  const { state, kind, error, before, job } = params;
  const filter = Object.fromEntries(Object.entries({ state, kind, error }).filter(([, v]) => v));
  const counts = useResource((signal) => get(`${JOBS}/counts`, null, { signal }), []);
  const list = useResource((signal) => get(JOBS, { ...filter, before, limit: 25 }, { signal }), [state, kind, error, before]);
  const anew = () => { counts.reload(); list.reload(); };
  const choose = (parts) => change({ before: null, ...parts });
  const kinds = [...new Set([...(counts.data?.counts ?? []).map((c) => c.kind), ...(kind ? [kind] : [])])].sort();
  return html`
    <${Counts} resource=${counts} params=${params} onChoose=${(c) => choose({ kind: c.kind, state: c.state })} />
    <div class="ops__filters">
      <${Select} label="State" value=${state ?? ''} onValue=${(v) => choose({ state: v })} options=${[['', 'All'], ...STATES.map((s) => [s, s])]} />
      <${Select} label="Kind" value=${kind ?? ''} onValue=${(v) => choose({ kind: v })} options=${[['', 'All'], ...kinds.map((k) => [k, k])]} />
      <${SearchField} label="Part of the error" placeholder="Part of the error" value=${error ?? ''} onValue=${(v) => change({ error: v, before: null }, { replace: true })} />
      <${Button} icon="retry" busy=${list.loading} onClick=${anew}>Refresh<//>
    </div>
    <${Bulk} filter=${filter} onDone=${anew} />
    <${Loaded} resource=${list} skeleton=${html`<${Skeleton} shape="row" count=${5} />`} title="The jobs did not load">
      ${({ jobs, next }) => (jobs.length ? html`
        <div class="table-card"><table class="table table--stack"><caption class="visually-hidden">Jobs, the newest first</caption>
          <thead><tr><th scope="col">Job</th><th scope="col">State</th><th scope="col">Attempts</th><th scope="col">Added</th><th scope="col">Error</th></tr></thead>
          <tbody>${jobs.map((j) => html`<tr key=${j.id}>
            <th scope="row"><button type="button" class="ops__open" onClick=${() => change({ job: j.id })}>${j.kind} ${j.id}</button></th>
            <td data-label="State"><${State} state=${j.state} /></td><td data-label="Attempts">${j.attempts} of ${j.max_attempts}</td>
            <td data-label="Added">${when(j.created_at)}</td><td data-label="Error" class="ops__text">${j.error ?? '–'}</td></tr>`)}</tbody>
        </table></div>
        ${next ? html`<div class="ops__paging"><${Button} onClick=${() => change({ before: next }, { keepScroll: false })}>Older jobs<//></div>` : null}`
        : html`<${Empty} icon="pulse" title="No such jobs"><p>Nothing of this filter is in the queue or was lately.</p><//>`)}
    <//>
    ${job ? html`<${Detail} id=${Number(job)} onClose=${() => change({ job: null })} onDone=${anew} />` : null}`;
}
