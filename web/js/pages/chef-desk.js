// The chef's side: requests to answer, the calendar, the profile. Without a profile: the way to one.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { isOpen } from '../lib/booking.js';
import { useResource } from '../lib/resource.js';
import { useQuery } from '../lib/router.js';
import { useSession } from '../lib/session.js';
import { ProfileForm, TakeDown } from '../ui/chef-profile.js';
import { DeskCalendar } from '../ui/desk-calendar.js';
import { RequestCard } from '../ui/request-card.js';
import { Icon } from '../ui/icon.js';
import { Rating } from '../ui/stars.js';
import { Empty, Loaded, Skeleton } from '../ui/states.js';
import { Tabs } from '../ui/tabs.js';

const TABS = [['requests', 'Requests'], ['calendar', 'Calendar'], ['past', 'Past'], ['profile', 'Profile']];
const CALENDAR_ROWS = 100; // the most the platform gives at once

const ownChef = async (userId, signal) => (await get('/api/coocook/chefs', { user_id: userId }, { signal })).chefs[0] ?? { id: null };

export default function ChefDesk() {
  const { user } = useSession();
  const chef = useResource((signal) => ownChef(user.id, signal), [user.id]);
  return html`<div class="wrap page desk">
    <${Loaded} resource=${chef} skeleton=${html`<h1 class="visually-hidden">Chef's desk</h1><${Skeleton} shape="block" />`} title="Your desk did not load">
      ${(c) => (c.id ? html`<${Desk} chef=${c} onChange=${chef.setData} />` : html`<${Welcome} onCreated=${chef.setData} />`)}
    <//>
  </div>`;
}

const Welcome = ({ onCreated }) => html`<div class="desk__welcome">
  <header class="page-head"><h1>Cook with us</h1><p>Tell guests who you are and what an hour of your cooking costs. Requests then arrive at this desk.</p></header>
  <ul class="ticks">
    <li><${Icon} name="check" />You confirm each booking yourself</li>
    <li><${Icon} name="check" />No two guests ever get the same hour</li>
    <li><${Icon} name="check" />Your rating grows with every review</li>
  </ul>
  <section class="card" aria-label="Your profile"><${ProfileForm} onSaved=${onCreated} /></section>
</div>`;

/** The chef's bookings of one state, or of all when it is null. */
function useBookings(chefId, status, turn) {
  return useResource(async (signal) => (await get(`/api/coocook/chefs/${chefId}/bookings`, { status, per_page: CALENDAR_ROWS }, { signal })).bookings, [chefId, status, turn]);
}

function Desk({ chef, onChange }) {
  const [params, change] = useQuery();
  const tab = TABS.some(([t]) => t === params.tab) ? params.tab : 'requests';
  const [turn, setTurn] = useState(0);
  const bookings = useBookings(chef.id, null, turn);
  const again = () => setTurn((t) => t + 1);
  const waiting = bookings.data?.filter((b) => b.status === 'pending').length;
  const tabs = TABS.map(([id, text]) => (id === 'requests' && waiting ? [id, text, waiting] : [id, text]));
  return html`
    <header class="page-head page-head--row">
      <div><h1>Chef's desk</h1><p class="facts"><strong>${chef.name}</strong><${Rating} value=${chef.rating} count=${chef.rating_count} /></p></div>
      <a class="button" href=${`/chef?id=${chef.id}`}>See it as guests do</a>
    </header>
    <${Tabs} id="desk" label="Chef's desk" tabs=${tabs} value=${tab} onValue=${(t) => change({ tab: t === 'requests' ? null : t })}>
      ${tab === 'profile' ? html`<section class="card" aria-label="Your profile">
          <${ProfileForm} chef=${chef} onSaved=${onChange} /><${TakeDown} chef=${chef} onDone=${() => onChange({ id: null })} /></section>`
        : html`<${Loaded} resource=${bookings} skeleton=${html`<${Skeleton} shape="row" count=${4} />`} title="The bookings did not load">
          ${(list) => html`<${Panel} tab=${tab} list=${list} zone=${chef.time_zone} onChange=${again} />`}
        <//>`}
    <//>`;
}

function Panel({ tab, list, zone, onChange }) {
  const card = (b) => html`<li key=${b.id}><${RequestCard} booking=${b} onChange=${onChange} /></li>`;
  if (tab === 'calendar') return html`<${DeskCalendar} bookings=${list.filter((b) => b.status !== 'cancelled')} zone=${zone} card=${card} />`;
  if (tab === 'past') {
    const past = list.filter((b) => !isOpen(b));
    if (past.length) return html`<ul class="booking-list">${past.map(card)}</ul>`;
    return html`<${Empty} icon="clock" title="Nothing is behind you yet"><p>Completed and cancelled bookings are kept here.</p><//>`;
  }
  const byStart = (a, b) => a.starts_at.localeCompare(b.starts_at);
  const pending = list.filter((b) => b.status === 'pending').sort(byStart);
  const confirmed = list.filter((b) => b.status === 'confirmed').sort(byStart);
  if (!pending.length && !confirmed.length) {
    return html`<${Empty} icon="chef" title="The desk is clear"><p>New requests appear here. Guests find you by cuisine, city and price.</p><//>`;
  }
  return html`
    ${pending.length ? html`<h2 class="desk__sub">To answer</h2><ul class="booking-list">${pending.map(card)}</ul>` : null}
    ${confirmed.length ? html`<h2 class="desk__sub">To cook</h2><ul class="booking-list">${confirmed.map(card)}</ul>` : null}`;
}
