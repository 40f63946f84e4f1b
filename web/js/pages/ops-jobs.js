// The queue: how many jobs of each kind and state there are, a filtered list, one job, and acting on one or on all.
import { useEffect, useState } from 'preact/hooks';
import { cx, html } from '../lib/html.js';
import { ApiError, get, post } from '../lib/api.js';
import { ago, count, lasting, plural, time } from '../lib/format.js';
import { useAction, useEvery, useResource, useSettled } from '../lib/resource.js';
import { useQuery } from '../lib/router.js';
import { toast } from '../lib/toast.js';
import { Button } from '../ui/button.js';
import { Confirm, Dialog } from '../ui/dialog.js';
import { SearchField, Select } from '../ui/field.js';
import { AsOf, LOOK_MS } from '../ui/ops-parts.js';
import { Empty, Loaded, Skeleton } from '../ui/states.js';

const JOBS = '/api/ops/jobs';
const STATES = ['scheduled', 'ready', 'running', 'retrying', 'done', 'dead', 'cancelled'];
const TONES = { running: 'pending', retrying: 'pending', done: 'confirmed', dead: 'dead' };
const OVER = ['done', 'dead', 'cancelled'];
const LATE_S = 5; // a queue that is behind by less is at work
const MOST = 10_000; // jobs of one call
/* What each state allows, as the queue has it, and what is said after it. */
const ACTIONS = {
  retry: { verb: (state) => (OVER.includes(state) ? 'Retry' : 'Run now'), did: () => 'will be run', states: ['scheduled', 'ready', 'retrying', 'dead', 'cancelled'] },
  cancel: { verb: () => 'Cancel', did: (one) => `${one ? 'is' : 'are'} cancelled, or asked to stop`, states: ['scheduled', 'ready', 'retrying', 'running'] },
  discard: { verb: () => 'Discard', did: (one) => `${one ? 'is' : 'are'} discarded`, states: ['scheduled', 'ready', 'retrying', 'dead'] },
};
const allowed = (state) => Object.entries(ACTIONS).filter(([, a]) => a.states.includes(state));
/* A page of the list: what a phone shows on two screens or three. */
const rows = () => (matchMedia('(max-width: 46rem)').matches ? 15 : 25);
const HOUR = 3_600_000;
const SINCE = { '1h': ['Last hour', HOUR], '24h': ['Last 24 hours', 24 * HOUR], '7d': ['Last 7 days', 168 * HOUR] };

const State = ({ state }) => html`<span class=${`badge badge--${TONES[state] ?? 'plain'}`}><span class="badge__dot" aria-hidden="true"></span>${state}</span>`;
const when = (iso) => (iso ? html`<span title=${time(iso)}>${ago(iso)}</span>` : '–');

/** Queues whose oldest due job has waited for a while: workers do not keep up, stand still, or none takes from it. */
function Behind({ queues }) {
  const late = queues.filter((q) => q.oldest_seconds >= LATE_S);
  return late.length ? html`<ul class="ops__behind" aria-label="Queues that are behind">${late.map((q) => html`<li key=${q.queue}>
    The queue <strong>${q.queue}</strong> is behind: ${q.estimated ? 'about ' : ''}${plural(q.due, 'job')} due, the oldest for ${lasting(q.oldest_seconds)}.</li>`)}</ul>` : null;
}

function Counts({ resource, params, onChoose }) {
  return html`<${Loaded} resource=${resource} skeleton=${html`<${Skeleton} shape="line" count=${2} />`} title="The counts did not load">
    ${({ counts, queues }) => html`<${Behind} queues=${queues} />${counts.length ? html`<ul class="ops__counts" aria-label="Jobs by kind and state">
      ${counts.map((c) => html`<li key=${`${c.kind} ${c.state}`}><button type="button" class="ops__tally" aria-pressed=${params.kind === c.kind && params.state === c.state}
        onClick=${() => onChoose(c)}><span>${c.kind}</span><strong>${c.estimated ? 'about ' : ''}${count(c.count)}</strong><${State} state=${c.state} /></button></li>`)}
    </ul>` : null}`}
  <//>`;
}

const Json = ({ name, value }) => html`<h3 class="ops__label">${name}</h3>
  <pre class="ops__json" tabindex="0" role="region" aria-label=${name}>${JSON.stringify(value, null, 2)}</pre>`;

function Facts({ job: j }) {
  const rows = [['Kind', j.kind], ['State', html`<${State} state=${j.state} />`], ['Queue', j.queue], ['Attempts', `${count(j.attempts)} of ${count(j.max_attempts)}`],
    ['Key', j.key], ['Added', time(j.created_at)], ['Due', OVER.includes(j.state) ? null : time(j.run_at)], ['Started', j.started_at && time(j.started_at)],
    ['Ended', j.finished_at && time(j.finished_at)], ['Progress', j.progress || j.progress_text ? `${j.progress} % ${j.progress_text ?? ''}` : null], ['Error', j.error]];
  return html`<dl class="ops__facts">${rows.filter(([, v]) => v).map(([k, v]) => html`<dt key=${k}>${k}</dt><dd>${v}</dd>`)}</dl>`;
}

function Detail({ id, onClose, onDone }) {
  const job = useResource((signal) => get(`${JOBS}/${id}`, null, { signal }), [id]);
  useEvery(LOOK_MS, () => { if (job.data && !OVER.includes(job.data.state)) job.refresh(); });
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
      ${(j) => html`<${Facts} job=${j} /><${Json} name="Payload" value=${j.payload} />
        ${j.result === null ? null : html`<${Json} name="Result" value=${j.result} />`}
        <div class="dialog__buttons ops__actions">${allowed(j.state).map(([name, a]) => html`
          <${Button} key=${name} kind=${name === 'retry' ? 'primary' : 'quiet'} busy=${busy} onClick=${() => act(name)}>${a.verb(j.state)}<//>`)}</div>`}
    <//>
  <//>`;
}

/** All that the filter names: counts them, asks, then acts on as many as the question said. Only where a state is chosen: all
 *  dead jobs are one thing, everything that waits or was cancelled on purpose is another. */
function Bulk({ filter, onDone }) {
  const [asking, setAsking] = useState(null); // { action, filter, count, more }
  const close = () => setAsking(null);
  const guarded = (fn) => async (...args) => {
    try { await fn(...args); } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      toast.error(err);
      close();
    }
  };
  const [counting, ask] = useAction(guarded(async (action) => {
    const named = filter(); // the same when it is counted and when it is done
    const found = await post(`${JOBS}/bulk`, { ...named, action, preview: true, most: MOST });
    if (found.count) setAsking({ ...found, action, filter: named });
    else toast.info('No job of this filter is in that state any more.');
  }));
  const [busy, act] = useAction(guarded(async () => {
    const { action, filter: named, count: most } = asking;
    const { count: n } = await post(`${JOBS}/bulk`, { ...named, action, preview: false, most });
    toast.ok(`${plural(n, 'job')} ${ACTIONS[action].did(n === 1)}.`);
    close();
    onDone();
  }));
  const { state } = filter();
  const verb = asking && ACTIONS[asking.action].verb(state);
  return html`${state ? allowed(state).map(([name, a]) => html`<${Button} key=${name} small busy=${counting} onClick=${() => ask(name)}>${a.verb(state)} all<//>`)
      : html`<p class="ops__note">Choose a state to act on all of its jobs.</p>`}
    ${asking ? html`<${Confirm} title=${`${verb}${asking.more ? ' the first' : ''} ${plural(asking.count, 'job')}?`} yes=${`${verb} ${asking.count === 1 ? 'it' : 'them'}`}
      no=${`Leave ${asking.count === 1 ? 'it' : 'them'}`} danger=${asking.action !== 'retry'} busy=${busy} onYes=${act} onClose=${close}>
      <p>All that the filter names: ${Object.entries(asking.filter).map(([k, v]) => `${NAMES[k]} ${k === 'from' ? time(v) : v}`).join(', ')}.</p><//>` : null}`;
}
const NAMES = { state: 'state', kind: 'kind', error: 'error with', from: 'added since' };

function Row({ job: j, onOpen }) {
  return html`<tr><th scope="row"><button type="button" class="ops__open" onClick=${onOpen}>${j.kind} ${j.id}</button></th>
    <td class="table__mark"><${State} state=${j.state} /></td><td data-label="Run">${count(j.attempts)} of ${count(j.max_attempts)}</td>
    <td>${when(j.created_at)}</td><td class=${cx('table__rest', !j.error && 'table__none')}><span>${j.error ?? '–'}</span></td></tr>`;
}

/* Runs of schedules that found nothing to do: some a minute, for ever. The server leaves them out unless they are asked for. */
const Ticks = ({ ticks, onToggle }) => html`<p class="ops__note">Runs of schedules that had nothing to do are ${ticks ? 'listed as well' : 'folded away'}.${' '}
  <button type="button" class="link-button" aria-pressed=${ticks ? 'true' : 'false'} onClick=${onToggle}>${ticks ? 'Fold them away' : 'Show them'}</button></p>`;

function List({ page: { jobs, next }, before, change }) {
  const older = next && html`<${Button} onClick=${() => change({ before: next }, { keepScroll: false })}>${jobs.length ? 'Older jobs' : 'Look further back'}<//>`;
  const newest = before && html`<${Button} onClick=${() => change({ before: null }, { keepScroll: false })}>The newest<//>`;
  const paging = older || newest ? html`<div class="ops__paging">${newest}${older}</div>` : null;
  if (!jobs.length)
    return html`<${Empty} icon="pulse" title=${next ? 'None so far' : 'No such jobs'}>
      <p>${next ? 'None among those looked at; there are older ones.' : before ? 'Nothing older passes this filter.' : 'Nothing of this filter is in the queue or was lately.'}</p>${paging}<//>`;
  return html`<div class="table-card"><table class="table table--brief"><caption class="visually-hidden">Jobs, the newest first</caption>
      <thead><tr><th scope="col">Job</th><th scope="col">State</th><th scope="col">Attempts</th><th scope="col">Added</th><th scope="col">Error</th></tr></thead>
      <tbody>${jobs.map((j) => html`<${Row} key=${j.id} job=${j} onOpen=${() => change({ job: j.id })} />`)}</tbody>
    </table></div>${paging}`;
}

/** The error's text in the address, once the reader has stopped typing. */
function useErrorFilter(error, change) {
  const [text, setText] = useState(error ?? '');
  const settled = useSettled(text.trim(), 280);
  useEffect(() => { if (settled !== (error ?? '')) change({ error: settled || null, before: null }, { replace: true }); }, [settled]);
  useEffect(() => { if ((error ?? '') !== settled) setText(error ?? ''); }, [error]);
  return [text, setText];
}

export function Jobs() {
  const [params, change] = useQuery();
  const { state, kind, error, since, before, job, ticks } = params;
  const [text, setText] = useErrorFilter(error, change);
  const filter = () => Object.fromEntries(Object.entries({ state, kind, error, from: SINCE[since] && new Date(Date.now() - SINCE[since][1]).toISOString() }).filter(([, v]) => v));
  const counts = useResource((signal) => get(`${JOBS}/counts`, null, { signal }), []);
  const list = useResource((signal) => get(JOBS, { ...filter(), before, ticks, limit: rows() }, { signal }), [state, kind, error, since, before, ticks]);
  const anew = () => { counts.reload(); list.reload(); };
  useEvery(LOOK_MS, () => {
    if (!counts.error) counts.refresh();
    if (!before && !list.error) list.refresh();
  });
  const choose = (parts) => change({ before: null, ...parts });
  const kinds = [...new Set([...(counts.data?.counts ?? []).map((c) => c.kind), ...(kind ? [kind] : [])])].sort();
  return html`
    <${Counts} resource=${counts} params=${params} onChoose=${(c) => choose(params.kind === c.kind && state === c.state ? { kind: null, state: null } : { kind: c.kind, state: c.state })} />
    <div class="ops__filters">
      <${Select} label="State" value=${state ?? ''} onValue=${(v) => choose({ state: v })} options=${[['', 'All'], ...STATES.map((s) => [s, s])]} />
      <${Select} label="Kind" value=${kind ?? ''} onValue=${(v) => choose({ kind: v })} options=${[['', 'All'], ...kinds.map((k) => [k, k])]} />
      <${Select} label="Added" value=${since ?? ''} onValue=${(v) => choose({ since: v })} options=${[['', 'Any time'], ...Object.entries(SINCE).map(([v, [name]]) => [v, name])]} />
      <${SearchField} label="Part of the error" placeholder="Part of the error" value=${text} onValue=${setText} />
      <${Button} icon="retry" busy=${list.loading} onClick=${anew}>Refresh<//>
    </div>
    <div class="ops__bulk" role="group" aria-label="All jobs of this filter"><${Bulk} filter=${filter} onDone=${anew} /><${AsOf} at=${list.at} still=${Boolean(before)} /></div>
    <${Loaded} resource=${list} skeleton=${html`<${Skeleton} shape="row" count=${5} />`} title="The jobs did not load">
      ${(page) => html`<${List} page=${page} before=${before} change=${change} />`}
    <//>
    ${!kind && (!state || state === 'done') ? html`<${Ticks} ticks=${ticks} onToggle=${() => choose({ ticks: ticks ? null : 'true' })} />` : null}
    ${job ? html`<${Detail} id=${Number(job)} onClose=${() => change({ job: null })} onDone=${anew} />` : null}`;
}
