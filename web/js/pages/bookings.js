// The caller's bookings by state: pay, cancel, review.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { request } from '../lib/api.js';
import { useResource } from '../lib/resource.js';
import { useQuery } from '../lib/router.js';
import { Button } from '../ui/button.js';
import { BookingCard } from '../ui/booking-card.js';
import { Pager } from '../ui/pager.js';
import { Empty, Loaded, Skeleton } from '../ui/states.js';
import { Tabs } from '../ui/tabs.js';

const PER_PAGE = 10;
const TABS = [['all', 'All'], ['pending', 'Waiting'], ['confirmed', 'Confirmed'], ['completed', 'Completed'], ['cancelled', 'Cancelled']];
const NOTHING = {
  all: ['You have no bookings yet', 'A good table starts with a chef.'],
  pending: ['Nothing is waiting', 'Requests that a chef has not answered appear here.'],
  confirmed: ['Nothing is confirmed', 'Bookings that a chef has said yes to appear here.'],
  completed: ['No dinner is behind you', 'Bookings appear here once the chef has cooked; then you can review them.'],
  cancelled: ['Nothing was cancelled', 'May it stay that way.'],
};

export default function Bookings() {
  const [params, change] = useQuery();
  const tab = TABS.some(([t]) => t === params.status) ? params.status : 'all';
  const page = Number(params.page) || 1;
  const [turn, setTurn] = useState(0);
  const list = useResource(async (signal) => {
    const { data, headers } = await request('GET', '/api/coocook/bookings', { query: { status: tab === 'all' ? null : tab, page, per_page: PER_PAGE }, signal });
    return { bookings: data, total: Number(headers.get('X-Total-Count') ?? data.length) };
  }, [tab, page, turn]);
  const href = (n) => `/bookings?${new URLSearchParams({ ...(tab !== 'all' && { status: tab }), page: n })}`;

  return html`<div class="wrap wrap--narrow page">
    <header class="page-head"><h1>My bookings</h1><p>Every table you have asked for.</p></header>
    <${Tabs} id="bookings" label="Bookings by state" tabs=${TABS} value=${tab} onValue=${(t) => change({ status: t === 'all' ? null : t, page: null })}>
      ${list.error?.status === 403 ? html`<${Empty} icon="chef" title="CooCook is not among your products">
          <p>Bookings belong to the CooCook product.</p><${Button} kind="primary" href="/dashboard">See your products<//><//>`
        : html`<${Loaded} key=${tab} resource=${list} skeleton=${html`<${Skeleton} shape="row" count=${4} />`} title="Your bookings did not load">
        ${(data) => (data.bookings.length ? html`
          <ul class="booking-list">${data.bookings.map((b) => html`<li key=${b.id}><${BookingCard} booking=${b} onChange=${() => setTurn((t) => t + 1)} /></li>`)}</ul>
          <${Pager} page=${page} pages=${Math.ceil(data.total / PER_PAGE)} href=${href} label="Pages of bookings" />`
          : html`<${Empty} icon="calendar" title=${NOTHING[tab][0]}><p>${NOTHING[tab][1]}</p><a class="button button--primary" href="/chefs">Find a chef</a><//>`)}
      <//>`}
    <//>
  </div>`;
}
