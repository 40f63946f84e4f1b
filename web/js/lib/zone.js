// Time zones, as the browser's Intl knows them: what clocks somewhere show at an instant, and the instant of a wall time. A wall
// time is milliseconds as if it were UTC. Where clocks change it follows the platform (src/core/zone.h): of two instants the first,
// and a skipped time by the offset from before.
const DAY_MS = 86_400_000;

const canonical = new Map(); // of every name seen
/** The browser's own name for a zone; what it does not know counts as UTC. */
function nameOf(zone) {
  let name = canonical.get(zone);
  if (!name) {
    try { name = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone; } catch { name = 'UTC'; }
    canonical.set(zone, name);
  }
  return name;
}
const formats = new Map();
/** A formatter that is made once for its zone and options. */
export function formatIn(zone, options) {
  const key = `${zone} ${Object.entries(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat('en', { ...options, timeZone: nameOf(zone) }));
  return formats.get(key);
}

export const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
let chosen = null; // by the one who is signed in
export const setReaderZone = (zone) => { chosen = zone; };
/** In which times are shown. */
export const readerZone = () => chosen ?? browserZone();
/** The names that forms suggest. */
export const zoneNames = () => Intl.supportedValuesOf?.('timeZone') ?? [];

const PARTS = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' };
/** What clocks in the zone show at an instant, to the second. */
export function wallOf(zone, ms) {
  const at = {};
  for (const { type, value } of formatIn(zone, PARTS).formatToParts(ms)) at[type] = Number(value);
  return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second);
}
const offsetAt = (zone, ms) => wallOf(zone, ms) - Math.floor(ms / 1000) * 1000;

export function instantOf(zone, wall) {
  const before = offsetAt(zone, wall - DAY_MS);
  const after = offsetAt(zone, wall + DAY_MS);
  const at = [wall - before, wall - after].find((ms) => wallOf(zone, ms) === wall);
  return at ?? wall - before;
}
const HOUR_MS = 3_600_000;
const days = new Map(); // hours of days seen
/** The instants of the hours 0 to 23 of a day, 'YYYY-MM-DD'; null for one that clocks there skip. */
export function hoursOf(zone, day) {
  const key = `${zone} ${day}`;
  if (days.has(key)) return days.get(key);
  const midnight = Date.parse(`${day}T00:00:00Z`);
  const first = instantOf(zone, midnight);
  const steady = wallOf(zone, first) === midnight && wallOf(zone, first + DAY_MS) === midnight + DAY_MS;
  const hours = Array.from({ length: 24 }, (_, h) => {
    const wall = midnight + h * HOUR_MS;
    const at = steady ? first + h * HOUR_MS : instantOf(zone, wall);
    return steady || wallOf(zone, at) === wall ? at : null;
  });
  days.set(key, hours);
  return hours;
}
/** Whether clocks have shown this wall time once already. */
export const isRepeated = (zone, ms) => instantOf(zone, wallOf(zone, ms)) !== ms;

/** " (Asia/Seoul)" after times of that zone, unless it is the one of `place` and of this browser alike. */
export function zoneNote(zone, place = zone) {
  const names = new Set([zone, place, browserZone()].map(nameOf));
  return names.size > 1 ? ` (${zone})` : '';
}
