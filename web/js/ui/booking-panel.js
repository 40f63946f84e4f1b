// Booking a chef: pick a day, a start and a length; see the price; ask for it. The choice stands in the address, so
// that it survives signing in.
import { useMemo, useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { ApiError, get, keyKeeper, post } from '../lib/api.js';
import { FAR_DAYS, LONGEST, freeHours, freeOn, hourAt, place, priceOf, roomFrom, span, spanIn, startTime } from '../lib/booking.js';
import { addDays, addMonths, clock, day as dayText, hours as hoursText, money, today } from '../lib/format.js';
import { useAction, useResource } from '../lib/resource.js';
import { useQuery } from '../lib/router.js';
import { loginAddress, useSession } from '../lib/session.js';
import { readerZone, zoneNote } from '../lib/zone.js';
import { Button } from './button.js';
import { Calendar } from './calendar.js';
import { FormError, TextArea } from './field.js';
import { Icon } from './icon.js';
import { PayButton } from './pay.js';

const firstOf = (day) => `${day.slice(0, 7)}-01`;

/** The chef's free hours in the month shown, and a day more, for what runs on; onLast is told the last day that can be booked. */
function useMonth(chefId, month, min, max, onLast) {
  const end = addMonths(month, 1);
  const range = { from: month < min ? min : month, to: end > max ? max : end };
  return useResource(async (signal) => {
    const answer = await get(`/api/coocook/chefs/${chefId}/availability`, range, { signal, fresh: true });
    onLast(answer.last_day);
    return freeHours(answer);
  }, [chefId, month]);
}

function toneOf(hours) {
  if (!hours.length) return { tone: 'full', text: 'no free hours', off: true };
  if (hours.length <= 6) return { tone: 'few', text: `${hoursText(hours.length)} free` };
  return { tone: 'free', text: `${hoursText(hours.length)} free` };
}

const PARTS = [['Morning', 6, 12], ['Afternoon', 12, 17], ['Evening', 17, 24], ['Night', 0, 6]];

function Hours({ free, value, onValue, error }) {
  return html`<fieldset class="hours" aria-invalid=${error ? 'true' : undefined}>
    <legend class="field__label">Start</legend>
    ${PARTS.map(([name, from, to]) => {
      const list = Array.from({ length: to - from }, (_, i) => from + i);
      if (!list.some((h) => free.includes(h))) return null;
      return html`<div class="hours__part" key=${name} role="group" aria-label=${name}><span class="hours__name" aria-hidden="true">${name}</span>
        <div class="hours__row">${list.filter((h) => free.includes(h)).map((h) => html`<button type="button" key=${h} class="hour"
          aria-pressed=${h === value ? 'true' : 'false'} onClick=${() => onValue(h)}>${clock(h)}</button>`)}</div></div>`;
    })}
    ${error ? html`<p class="field__error"><${Icon} name="alert" />${error}</p>` : null}
  </fieldset>`;
}

function Length({ value, room, onValue, error }) {
  return html`<div class="length" role="group" aria-label="Duration">
    <span class="field__label" aria-hidden="true">Duration</span>
    <div class="length__row">
      <button type="button" class="icon-button icon-button--edge" aria-label="One hour less" disabled=${value <= 1} onClick=${() => onValue(value - 1)}><${Icon} name="minus" /></button>
      <output class="length__value">${hoursText(value)}</output>
      <button type="button" class="icon-button icon-button--edge" aria-label="One hour more" disabled=${value >= room} onClick=${() => onValue(value + 1)}><${Icon} name="plus" /></button>
    </div>
    ${value >= room && room < LONGEST ? html`<p class="field__hint">The chef is taken after that.</p>` : null}
    ${error ? html`<p class="field__error"><${Icon} name="alert" />${error}</p>` : null}
  </div>`;
}

/** Times that would do instead of the one that was taken meanwhile. */
const Instead = ({ starts, length, zone, onPick }) => html`<div class="instead" role="group" aria-label="Free instead">
  ${starts.map((at) => html`<button type="button" key=${at} class="hour" onClick=${() => onPick(place(zone, Date.parse(at)))}>${spanIn(zone, { starts_at: at, duration_hours: length })}</button>`)}
</div>`;

export function BookingPanel({ chef }) {
  const [params, change] = useQuery();
  const session = useSession();
  const min = today(chef.time_zone);
  const [last, setLast] = useState(null);
  const max = last ?? addDays(min, FAR_DAYS);
  const chosen = /^\d{4}-\d\d-\d\d$/.test(params.day ?? '') && params.day >= min && params.day <= max ? params.day : null;
  const [month, setMonth] = useState(firstOf(chosen ?? min));
  const free = useMonth(chef.id, month, min, max, setLast);
  const [notes, setNotes] = useState('');
  const [error, setError] = useState(null);
  const [done, setDone] = useState(null);
  const keys = useMemo(keyKeeper, []);
  const heading = useRef(null);

  const zone = free.data?.zone ?? chef.time_zone;
  const starts = chosen && free.data ? freeOn(chosen, free.data) : [];
  const hour = params.hour !== undefined && starts.includes(Number(params.hour)) ? Number(params.hour) : null;
  const room = hour === null ? LONGEST : roomFrom(hourAt(chosen, hour, free.data), free.data);
  const length = Math.min(Math.max(Number(params.len) || 2, 1), room);
  const set = (parts) => { setError(null); change(parts, { replace: true }); };

  const instead = ({ day, hour: start }) => {
    set({ day, hour: start, len: error.asked });
    setMonth(firstOf(day));
    heading.current?.focus(); // the button that had the focus goes away
  };

  const [busy, book] = useAction(async () => {
    const ask = { chef_id: chef.id, booking_date: startTime(hourAt(chosen, hour, free.data)), duration_hours: length, ...(notes.trim() && { special_requests: notes.trim() }) };
    try {
      const answer = await post('/api/coocook/bookings', ask, { key: keys.for(ask) });
      keys.forget();
      setDone({ ...ask, ...answer, time_zone: zone, chef_name: chef.name, status: 'pending', payment_status: 'unpaid' });
      setTimeout(() => heading.current?.focus(), 0);
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      setError(Object.assign(err, { asked: length }));
      if (!err.temporary) keys.forget();
      if (err.status === 409) free.reload();
    }
  });

  if (done) {
    return html`<div class="panel panel--done">
      <span class="panel__seal"><${Icon} name="check" /></span>
      <h2 tabindex="-1" ref=${heading}>Asked for</h2>
      <p>${chef.name} has your request for <strong>${span(done)}</strong> and answers soon.</p>
      <p class="panel__total"><span>Total</span><strong>${money(done.total_price)}</strong></p>
      <${PayButton} booking=${done} class="button--wide" />
      <${Button} wide href="/bookings">See my bookings<//>
    </div>`;
  }
  const info = (d) => (free.data ? toneOf(freeOn(d, free.data)) : {});
  const ready = chosen && hour !== null;
  return html`<div class="panel">
    <p class="panel__price"><strong>${money(chef.price_per_session)}</strong> an hour</p>
    <h2 class="panel__title" tabindex="-1" ref=${heading}>Book ${chef.name}</h2>
    <${Calendar} label="Day of the booking" value=${chosen} month=${month} onMonth=${setMonth} min=${min} max=${max} now=${min} info=${info} busy=${free.loading}
      onValue=${(d) => set({ day: d, hour: null })} />
    ${free.error ? html`<p class="panel__trouble" role="alert">${free.error.message} <button type="button" class="link-button" onClick=${free.reload}>Try again</button></p>` : html`
      <p class="legend" aria-hidden="true"><span class="legend__free">Free</span><span class="legend__few">Few hours</span><span class="legend__full">Full</span></p>`}
    <div aria-live="polite">
      ${chosen ? html`<p class="panel__day"><strong>${dayText(chosen)}</strong> <span>${zone} time</span></p>` : html`<p class="panel__hint">Pick a day to see its free hours.</p>`}
    </div>
    ${chosen && free.data ? html`
      <${Hours} free=${starts} value=${hour} onValue=${(h) => set({ hour: h })} error=${error?.fields.booking_date} />
      ${hour !== null ? html`
        <${Length} value=${length} room=${room} onValue=${(n) => set({ len: n })} error=${error?.fields.duration_hours} />
        ${zoneNote(readerZone(), zone) ? html`<p class="panel__hint">For you that is ${span({ starts_at: startTime(hourAt(chosen, hour, free.data)), duration_hours: length, time_zone: zone })}.</p>` : null}
        <${TextArea} label="Special requests" hint="Allergies, an occasion, how many guests. You may leave it empty." max=${2000} maxlength="2000"
          value=${notes} onValue=${setNotes} error=${error?.fields.special_requests} />
        <dl class="bill"><div><dt>${money(chef.price_per_session)} × ${hoursText(length)}</dt><dd>${money(priceOf(chef, length))}</dd></div>
          <div class="bill__total"><dt>Total</dt><dd>${money(priceOf(chef, length))}</dd></div></dl>` : null}` : null}
    <${FormError} error=${error} />
    ${error?.nextFree.length ? html`<${Instead} starts=${error.nextFree} length=${error.asked} zone=${zone} onPick=${instead} />` : null}
    ${error?.status === 409 && !error.nextFree.length ? html`<p class="field__hint"><a href="/bookings">See your bookings</a></p>` : null}
    ${error?.status === 403 ? html`<p class="field__hint">Bookings belong to the CooCook product. <a href="/dashboard">See your products</a>.</p>` : null}
    ${session.status === 'guest'
      ? html`<${Button} kind="primary" wide href=${loginAddress()}>Sign in to book<//>`
      : html`<${Button} kind="primary" wide busy=${busy} disabled=${!ready} onClick=${book}>${ready ? `Request for ${money(priceOf(chef, length))}` : 'Pick a day and a start'}<//>`}
    <p class="panel__small">Nothing is charged until you pay. You can cancel until the chef has cooked.</p>
  </div>`;
}
