// The caller's start: products, subscriptions, next bookings, and chefs they may like.
import { html, cx } from '../lib/html.js';
import { get } from '../lib/api.js';
import { dayOf, span } from '../lib/booking.js';
import { dayOfYear, fromToday, money } from '../lib/format.js';
import { useResource } from '../lib/resource.js';
import { useSession } from '../lib/session.js';
import { Button } from '../ui/button.js';
import { ChefCard } from '../ui/chef-card.js';
import { Avatar } from '../ui/cover.js';
import { Icon } from '../ui/icon.js';
import { modules } from '../ui/modules.js';
import { Empty, Loaded, Skeleton } from '../ui/states.js';
import { Status } from '../ui/status.js';

const Head = ({ id, title, href, more }) => html`<header class="section-head"><h2 id=${id}>${title}</h2>
  ${href ? html`<a class="more" href=${href}>${more}<${Icon} name="arrow-right" /></a>` : null}</header>`;

const moduleOf = (slug) => modules.find((m) => m.id === slug) ?? { icon: 'grid', hue: 'olive' };

function Product({ product: p }) {
  const m = moduleOf(p.slug);
  const until = p.subscription?.current_period_end;
  return html`<li class=${cx('product', `hue-${m.hue}`, p.subscribed && 'product--on')}>
    <span class="module__icon"><${Icon} name=${m.icon} /></span>
    <div class="product__main">
      <h3>${p.subscribed && m.href ? html`<a class="card-link" href=${m.href}>${p.name}</a>` : p.name}</h3>
      <p>${p.description}</p>
    </div>
    <div class="product__end">
      ${p.subscribed ? html`<span class="chip chip--on">Subscribed</span>${until ? html`<span class="product__small">until ${dayOfYear(until)}</span>` : null}`
        : html`<span class="price"><strong>${money(p.monthly_price)}</strong> <span class="price__unit">/ month</span></span><span class="product__small">Not subscribed</span>`}
    </div>
  </li>`;
}

/** The bookings to come, nearest first. */
async function nextBookings(signal) {
  const ask = (status) => get('/api/coocook/bookings', { status, per_page: 50 }, { signal });
  const [pending, confirmed] = await Promise.all([ask('pending'), ask('confirmed')]);
  return [...pending, ...confirmed].filter((b) => Date.parse(b.ends_at) > Date.now()).sort((a, b) => a.starts_at.localeCompare(b.starts_at)).slice(0, 4);
}

/** open: whether CooCook is among the caller's products; null while that is not known. */
function Next({ open }) {
  const next = useResource(open ? nextBookings : null, [open]);
  if (open === false) return html`<${Empty} icon="calendar" level=${3} title="No bookings"><p>CooCook is not among your products.</p><//>`;
  return html`<${Loaded} resource=${next} skeleton=${html`<${Skeleton} shape="row" count=${3} />`} title="Your bookings did not load">
    ${(list) => (list.length ? html`<ul class="agenda">${list.map((b) => html`<li key=${b.id} class="agenda__item">
      <${Avatar} name=${b.chef_name} cuisine=${b.chef_cuisine} />
      <div><p><strong>${b.chef_name}</strong></p><p class="agenda__when">${span(b)}, ${fromToday(dayOf(b))}</p></div>
      <${Status} status=${b.status} /></li>`)}</ul>`
      : html`<${Empty} icon="calendar" level=${3} title="Nothing in the book">
          <p>Your next table is a few clicks away.</p><${Button} kind="primary" href="/chefs">Find a chef<//><//>`)}
  <//>`;
}

function Recommended() {
  const list = useResource((signal) => get('/api/coocook/recommendations', null, { signal }), []);
  if (list.error) return null; // an extra: the page is whole without it
  const chefs = list.data ? (list.data.chefs ?? list.data) : null;
  if (chefs && !chefs.length) return null;
  const cards = chefs?.slice(0, 6).map((c) => html`<li key=${c.id}><${ChefCard} chef=${c} level=${3} /></li>`);
  return html`<section aria-labelledby="for-you">
    <${Head} id="for-you" title="For you" href="/chefs" more="All chefs" />
    ${cards ? html`<ul class="rail">${cards}</ul>` : html`<${Skeleton} shape="card" count=${3} />`}
  </section>`;
}

export default function Dashboard() {
  const { user } = useSession();
  const board = useResource((signal) => get('/api/platform/dashboard', null, { signal }), []);
  const open = board.data ? board.data.products.some((p) => p.slug === 'coocook' && p.subscribed) : null;
  return html`<div class="wrap page dashboard">
    <header class="page-head"><h1>Hello, ${user.name}</h1><p>Here is what is on.</p></header>
    <div class="dashboard__columns">
      <section aria-labelledby="next" class="card"><${Head} id="next" title="Next bookings" href="/bookings" more="All" />
        ${board.error ? null : html`<${Next} open=${open} />`}</section>
      <section aria-labelledby="products" class="card"><${Head} id="products" title="Products" />
        <${Loaded} resource=${board} skeleton=${html`<${Skeleton} shape="row" count=${4} />`} title="Your products did not load">
          ${({ products }) => (products.length
            ? html`<ul class="products">${[...products].sort((a, b) => b.subscribed - a.subscribed).map((p) => html`<${Product} key=${p.id} product=${p} />`)}</ul>`
            : html`<${Empty} icon="grid" level=${3} title="No products"><p>The shelf is empty.</p><//>`)}
        <//>
      </section>
    </div>
    <${Recommended} />
  </div>`;
}
