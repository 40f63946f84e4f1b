// Money, dates and counts as a person reads them. Amounts are integers of the smallest unit; KRW has none below the won.
// Moments are shown in the zone of the reader (zone.js).
import { formatIn, readerZone, wallOf } from './zone.js';

const won = new Intl.NumberFormat('en', { style: 'currency', currency: 'KRW', currencyDisplay: 'narrowSymbol', maximumFractionDigits: 0 });
const number = new Intl.NumberFormat('en');
const dayLong = new Intl.DateTimeFormat('en', { weekday: 'long', month: 'long', day: 'numeric', timeZone: 'UTC' });
const dayShort = new Intl.DateTimeFormat('en', { weekday: 'short', month: 'short', day: 'numeric', timeZone: 'UTC' });
const dayYear = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', year: 'numeric', timeZone: 'UTC' });
const monthYear = new Intl.DateTimeFormat('en', { month: 'long', year: 'numeric', timeZone: 'UTC' });
const OF_DAY = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZoneName: 'short' };
const MOMENT = { year: 'numeric', month: 'short', day: 'numeric', ...OF_DAY };
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

export const money = (amount) => won.format(amount ?? 0);
export const count = (n) => number.format(n ?? 0);
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
export const rating = (value) => (value ?? 0).toFixed(1);

export const isoDay = (date) => date.toISOString().slice(0, 10);
/** The day of a moment in a zone, 'YYYY-MM-DD'. */
export const dayIn = (zone, ms) => isoDay(new Date(wallOf(zone, ms)));
/* Days are 'YYYY-MM-DD' without a time zone; they are counted as if in UTC, so no shift of clocks moves them. Of a moment
 * it is the reader's day. */
const asUtc = (iso) => new Date(`${iso.length > 10 ? dayIn(readerZone(), Date.parse(iso)) : iso}T00:00:00Z`);
export const day = (iso) => dayLong.format(asUtc(iso));
export const shortDay = (iso) => dayShort.format(asUtc(iso));
export const dayOfYear = (iso) => dayYear.format(asUtc(iso));
export const month = (iso) => monthYear.format(asUtc(iso));
/* To the second and with the zone of the reader: what is compared with logs. */
export const time = (iso) => formatIn(readerZone(), MOMENT).format(new Date(iso));
export const timeOfDay = (ms) => formatIn(readerZone(), OF_DAY).format(new Date(ms));

export const addDays = (iso, n) => isoDay(new Date(asUtc(iso).getTime() + n * 86_400_000));
export const weekday = (iso) => asUtc(iso).getUTCDay(); // 0: Sunday
export const today = (zone = readerZone()) => dayIn(zone, Date.now());
export function addMonths(iso, n) {
  const d = asUtc(`${iso.slice(0, 7)}-01`);
  d.setUTCMonth(d.getUTCMonth() + n);
  return isoDay(d);
}

/** "in 3 days", "yesterday": whole days between an ISO day and today. */
export function fromToday(iso) {
  const days = Math.round((asUtc(iso) - asUtc(today())) / 86_400_000);
  if (Math.abs(days) >= 60) return relative.format(Math.round(days / 30), 'month');
  return relative.format(days, 'day');
}

/** "2 hours ago" of a moment in time. */
export function ago(iso) {
  const minutes = Math.round((new Date(iso) - Date.now()) / 60_000);
  if (Math.abs(minutes) < 60) return relative.format(minutes, 'minute');
  if (Math.abs(minutes) < 48 * 60) return relative.format(Math.round(minutes / 60), 'hour');
  return relative.format(Math.round(minutes / 1440), 'day');
}

/** "42 s", "3 min", "2 h", "5 days" of a number of seconds. */
export function lasting(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${count(Math.round(seconds / 86_400))} days`;
}

export const clock = (hour) => `${String(hour % 24).padStart(2, '0')}:00`;
export const hours = (n) => plural(n, 'hour');
export const initial = (name) => ([...(name ?? '').trim()][0] ?? '').toUpperCase();
