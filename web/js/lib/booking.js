// What the app knows of bookings: free hours, what a start and a length cost, what may still be done with one.
//
// The platform counts in UTC; people count in the time of the place where the meal is cooked, and the chefs cook in
// Korea. Korea is nine whole hours ahead all year, so an hour is an integer here: hours since 1970 in UTC, `place`
// turns it into the local day and hour. UTC days and local days begin at different hours; this file is where they meet.
import { AHEAD_H, addDays, ago, clock, isoDay, shortDay } from './format.js';

export const LONGEST = 12; // hours that the panel offers; the platform takes up to 24
export const FAR_DAYS = 366; // how far ahead the panel goes until the platform has said what the last day is
export const PLACE = 'Korean time';
const HOUR_MS = 3_600_000;

export const hourOf = (iso) => Math.floor(Date.parse(iso) / HOUR_MS);
/** The local day and hour of an hour since 1970. */
export function place(hour) {
  const local = new Date((hour + AHEAD_H) * HOUR_MS);
  return { day: isoDay(local), hour: local.getUTCHours() };
}
export const hourAt = (day, hour) => hourOf(`${day}T00:00:00Z`) + hour - AHEAD_H;
export const startTime = (hour) => `${new Date(hour * HOUR_MS).toISOString().slice(0, 19)}Z`;
const nextHour = () => Math.floor(Date.now() / HOUR_MS) + 1;

/** The UTC days whose hours make up the local days from..to, and what a booking that runs on needs. */
export const utcRange = (from, to) => ({ from: laterDay(addDays(from, -1), isoDay(new Date())), to });
const laterDay = (a, b) => (a > b ? a : b);

/** Free hours since 1970 of an availability answer, without those that have begun. */
export function freeHours(answer) {
  const first = nextHour();
  const free = new Set();
  for (const { date, available_hours } of answer.days) {
    const midnight = hourOf(`${date}T00:00:00Z`);
    for (const h of available_hours) if (midnight + h >= first) free.add(midnight + h);
  }
  return free;
}

/** The local hours 0–23 of a day that are free. */
export const freeOn = (day, free) => Array.from({ length: 24 }, (_, h) => h).filter((h) => free.has(hourAt(day, h)));

/** How many hours in a row are free from `hour` on, at most LONGEST. */
export function roomFrom(hour, free) {
  let n = 0;
  while (n < LONGEST && free.has(hour + n)) n++;
  return n;
}

export const priceOf = (chef, hours) => chef.price_per_session * hours;

/* Of bookings as the platform lists them. */
export const dayOf = (b) => place(hourOf(b.starts_at)).day;
/** "18:00–21:00" */
export function times(b) {
  const { hour } = place(hourOf(b.starts_at));
  return `${clock(hour)}–${clock(hour + b.duration_hours)}`;
}
/** "Fri, Nov 27, 18:00–21:00" */
export const span = (b) => `${shortDay(dayOf(b))}, ${times(b)}`;

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
