// What the app knows of bookings: free hours, what a start and a length cost, what may still be done with one.
//
// A chef's days and hours are by the clocks of the chef's time zone; times of a booking are shown by the reader's, with the name of
// the zone where it is another than the chef's or this browser's. An hour that can be booked is the instant at which it begins, in ms.
import { ago, dayIn, shortDay } from './format.js';
import { hoursOf, isRepeated, readerZone, wallOf, zoneNote } from './zone.js';

export const LONGEST = 12; // hours that the panel offers; the platform takes up to 24
export const FAR_DAYS = 366; // how far ahead the panel goes until the platform has said what the last day is
const HOUR_MS = 3_600_000;

export const startTime = (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
/** The day and hour there of an instant on the hour. */
export function place(zone, ms) {
  const wall = wallOf(zone, ms);
  return { day: dayIn(zone, ms), hour: new Date(wall).getUTCHours() };
}

/** What is free of an availability answer, without hours that have begun: { zone, at: the instants, on: day → hours 0 to 23 }. */
export function freeHours({ time_zone: zone, days }) {
  const free = { zone, at: new Set(), on: new Map() };
  for (const { date, available_hours } of days) {
    const starts = hoursOf(zone, date);
    const hours = available_hours.filter((h) => starts[h] > Date.now());
    free.on.set(date, hours);
    for (const h of hours) free.at.add(starts[h]);
  }
  return free;
}
export const freeOn = (day, free) => free.on.get(day) ?? [];
export const hourAt = (day, hour, free) => hoursOf(free.zone, day)[hour];

/** How many hours in a row are free from an instant on, at most LONGEST. The second of an hour that comes twice has no name, so
 *  no answer lists it: it is as free as the first. */
export function roomFrom(start, free) {
  let n = 0;
  const open = (ms) => free.at.has(ms) || (n > 0 && isRepeated(free.zone, ms));
  while (n < LONGEST && open(start + n * HOUR_MS)) n++;
  return n;
}

export const priceOf = (chef, hours) => chef.price_per_session * hours;

/* Of bookings as the platform lists them. */
export const dayOf = (b) => dayIn(readerZone(), Date.parse(b.starts_at));
const clockIn = (zone, ms) => new Date(wallOf(zone, ms)).toISOString().slice(11, 16);
/** "Fri, Nov 27, 18:00–21:00" by the clocks of a zone */
export function spanIn(zone, b) {
  const start = Date.parse(b.starts_at);
  return `${shortDay(dayIn(zone, start))}, ${clockIn(zone, start)}–${clockIn(zone, start + b.duration_hours * HOUR_MS)}`;
}
/** The same by the reader's, "Fri, Nov 27, 04:00–07:00 (America/New_York)" where the chef or this browser is elsewhere. */
export const span = (b) => `${spanIn(readerZone(), b)}${zoneNote(readerZone(), b.time_zone)}`;

export const isPaid = (b) => b.payment_status === 'paid';
export const isOpen = (b) => b.status === 'pending' || b.status === 'confirmed';
export const isExpired = (b) => b.status === 'pending' && b.expires_at !== null && Date.parse(b.expires_at) <= Date.now();
export const mayPay = (b) => b.payment_status === 'unpaid' && isOpen(b) && !isExpired(b);
export const mayCancel = isOpen;
/** What the reader, 'guest' or 'chef', wants to know beside the state; null: nothing. */
export function remark(b, reader) {
  if (isExpired(b)) return 'The chef did not answer in time.';
  if (b.status === 'pending' && b.expires_at) return `Ends ${ago(b.expires_at)} unless ${reader === 'chef' ? 'you confirm' : 'the chef confirms'} it.`;
  if (b.status !== 'cancelled' || !b.cancel_reason) return null;
  if (b.cancel_reason === 'expired') return 'The chef did not answer in time.';
  if (b.cancel_reason === 'closed') return 'One of the accounts was closed.';
  return `By ${b.cancel_reason === reader ? 'you' : `the ${b.cancel_reason}`}.`;
}

const isOver = (b) => Date.parse(b.ends_at) <= Date.now();
export const mayComplete = (b) => b.status === 'confirmed' && isOver(b);
export const mayReview = (b) => b.status === 'completed' && isOver(b) && !b.reviewed;
