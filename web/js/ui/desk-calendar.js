// The chef's month, in days where the chef cooks: how much is booked each day, and the bookings of the day chosen.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { day as dayText, plural, today } from '../lib/format.js';
import { readerZone, zoneNote } from '../lib/zone.js';
import { Calendar } from './calendar.js';
import { Empty } from './states.js';

export function DeskCalendar({ bookings, zone, card }) {
  const now = today(zone);
  const [chosen, setChosen] = useState(now);
  const [month, setMonth] = useState(`${now.slice(0, 7)}-01`);
  const byDay = new Map();
  for (const b of bookings) byDay.set(b.booking_date, [...(byDay.get(b.booking_date) ?? []), b]);
  const info = (d) => {
    const list = byDay.get(d);
    if (!list) return {};
    const waits = list.some((b) => b.status === 'pending');
    return { tone: waits ? 'few' : 'free', mark: list.length, text: `${plural(list.length, 'booking')}${waits ? ', one waits for you' : ''}` };
  };
  const list = (byDay.get(chosen) ?? []).sort((a, b) => a.starts_at.localeCompare(b.starts_at));
  return html`<div class="desk__calendar">
    <div class="card"><${Calendar} label="Your bookings by day" value=${chosen} onValue=${setChosen} month=${month} onMonth=${setMonth} now=${now} info=${info} /></div>
    <section aria-live="polite" aria-label="Bookings of the day chosen">
      <h2 class="desk__sub">${dayText(chosen)}${zoneNote(zone, readerZone())}</h2>
      ${list.length ? html`<ul class="booking-list">${list.map(card)}</ul>` : html`<${Empty} icon="calendar" level=${3} title="A free day"><p>Nobody has booked it.</p><//>`}
    </section>
  </div>`;
}
