// Browse chefs: filters, search as you type, pages. Everything chosen stands in the address, so it can be shared.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html, cx } from '../lib/html.js';
import { get } from '../lib/api.js';
import { money, plural } from '../lib/format.js';
import { useResource, useSettled } from '../lib/resource.js';
import { useLocation, useQuery } from '../lib/router.js';
import { ChefCard } from '../ui/chef-card.js';
import { dishOf } from '../ui/cover.js';
import { SearchField } from '../ui/field.js';
import { Icon } from '../ui/icon.js';
import { Pager } from '../ui/pager.js';
import { Loaded, Skeleton, Empty } from '../ui/states.js';
import { Filters } from '../ui/chef-filters.js';

const PER_PAGE = 12;
const FILTERS = ['cuisine', 'location', 'min_price', 'max_price'];

function load(params, signal) {
  const page = params.page ?? 1;
  const opts = { signal };
  if (params.q?.length >= 2) return get('/api/coocook/search', { q: params.q, page, per_page: PER_PAGE }, opts);
  const { cuisine, location, max_price, sort } = params;
  const min_price = Number(params.min_price) > Number(max_price) ? null : params.min_price; // the filter says what is wrong with it
  return get('/api/coocook/chefs', { cuisine, location, min_price, max_price, sort, page, per_page: PER_PAGE }, opts);
}

function Cuisines({ value, onValue, disabled }) {
  const cuisines = useResource((signal) => get('/api/coocook/cuisines', null, { signal }), []);
  if (cuisines.error) return null; // the rest of the page does without
  if (!cuisines.data) return html`<${Skeleton} shape="chip" count=${6} />`;
  const all = [{ cuisine_type: '' }, ...cuisines.data];
  return html`<div class="cuisines" role="group" aria-label="Cuisine">
    ${all.map(({ cuisine_type: c, chefs }) => html`<button type="button" key=${c} class="cuisine" aria-pressed=${(value ?? '') === c ? 'true' : 'false'}
      aria-disabled=${disabled ? 'true' : undefined} onClick=${() => !disabled && onValue(c)}>
      <${Icon} name=${c ? dishOf(c).icon : 'cutlery'} /><span>${c || 'Everything'}</span>${chefs ? html`<span class="cuisine__count">${chefs}</span>` : null}
    </button>`)}
  </div>`;
}

/** What is being filtered by, each with a button that takes it away. */
function Chosen({ params, change }) {
  const chips = [
    params.cuisine && ['cuisine', params.cuisine],
    params.location && ['location', params.location],
    params.min_price && ['min_price', `from ${money(Number(params.min_price))}`],
    params.max_price && ['max_price', `up to ${money(Number(params.max_price))}`],
  ].filter(Boolean);
  if (!chips.length) return null;
  return html`<div class="chosen">
    ${chips.map(([k, text]) => html`<button type="button" key=${k} class="chip chip--remove" onClick=${() => change({ [k]: null, page: null })}>
      ${text}<span class="visually-hidden">, remove</span><${Icon} name="close" /></button>`)}
    <button type="button" class="link-button" onClick=${() => change({ ...Object.fromEntries(FILTERS.map((f) => [f, null])), page: null })}>Clear all</button>
  </div>`;
}

export default function Chefs() {
  const [params, change] = useQuery();
  const { search } = useLocation();
  const [text, setText] = useState(params.q ?? '');
  const settled = useSettled(text.trim(), 280);
  const [open, setOpen] = useState(false);
  const list = useRef(null);
  const result = useResource((signal) => load(params, signal), [search]);
  const searching = (params.q?.length ?? 0) >= 2;
  const page = Number(params.page) || 1;

  useEffect(() => { if (settled !== (params.q ?? '')) change({ q: settled.length >= 2 ? settled : null, page: null }, { replace: true }); }, [settled]);
  // someone went back: the box shows what the address says
  useEffect(() => { if ((params.q ?? '') !== settled) setText(params.q ?? ''); }, [params.q]);

  const href = (n) => {
    const next = new URLSearchParams(search);
    if (n > 1) next.set('page', n); else next.delete('page');
    const query = next.toString();
    return query ? `/chefs?${query}` : '/chefs';
  };
  const active = FILTERS.filter((f) => params[f]).length;

  return html`<div class="wrap page chefs">
    <header class="page-head">
      <h1>Find a chef</h1>
      <p>Private chefs in your city, booked by the hour.</p>
    </header>
    <div class="chefs__bar">
      <${SearchField} label="Search chefs by name, dish, cuisine or place" placeholder="Name, dish, cuisine or place" value=${text} onValue=${setText} />
      <button type="button" class="button chefs__toggle" aria-expanded=${open ? 'true' : 'false'} aria-controls="filters" onClick=${() => setOpen(!open)}>
        <${Icon} name="filter" /><span>Filters${active ? ` (${active})` : ''}</span>
      </button>
    </div>
    <${Cuisines} value=${params.cuisine} disabled=${searching} onValue=${(c) => change({ cuisine: c || null, page: null })} />
    <div class="chefs__columns">
      <aside id="filters" class=${cx('chefs__filters', open && 'is-open')} aria-label="Filters">
        <${Filters} params=${params} change=${change} searching=${searching} />
      </aside>
      <section ref=${list} aria-label="Chefs" class="chefs__results">
        <${Loaded} resource=${result} skeleton=${html`<${Skeleton} shape="card" count=${6} />`} title="The chefs did not load">
          ${(data) => html`
            <div class="chefs__count">
              <p role="status">${plural(data.total, 'chef')}${searching ? html` for “${params.q}”, best match first` : ''}</p>
              ${searching ? null : html`<${Chosen} params=${params} change=${change} />`}
            </div>
            ${data.chefs.length ? html`<ul class="chef-grid">${data.chefs.map((c) => html`<li key=${c.id}><${ChefCard} chef=${c} /></li>`)}</ul>` : html`
              <${Empty} icon="search" title=${page > 1 && data.total ? 'This page is empty' : 'No chef fits that'}>
                <p>${searching ? 'Try another word, or fewer of them.' : 'Try a wider price range or another city.'}</p>
                <a class="button" href="/chefs">Show all chefs</a>
              <//>`}
            <${Pager} page=${page} pages=${data.pages} href=${href} label="Pages of chefs" />`}
        <//>
      </section>
    </div>
  </div>`;
}
