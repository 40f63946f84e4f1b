// A month of days to choose from, by pointer or keys: arrows move by day and week, Home and End within the week,
// Page Up and Page Down by month (WAI-ARIA date grid). Days are 'YYYY-MM-DD'.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { html, cx } from '../lib/html.js';
import { addDays, addMonths, day as dayText, month as monthText, today, weekday } from '../lib/format.js';
import { Icon } from './icon.js';

const WEEK = [['Su', 'Sunday'], ['Mo', 'Monday'], ['Tu', 'Tuesday'], ['We', 'Wednesday'], ['Th', 'Thursday'], ['Fr', 'Friday'], ['Sa', 'Saturday']];

/** The weeks of the month of `first` (its first day), with null where another month's day would stand. */
export function weeksOf(first) {
  const days = Array(weekday(first)).fill(null);
  for (let d = first; d.slice(0, 7) === first.slice(0, 7); d = addDays(d, 1)) days.push(d);
  while (days.length % 7) days.push(null);
  return Array.from({ length: days.length / 7 }, (_, i) => days.slice(i * 7, i * 7 + 7));
}

const clamp = (d, min, max) => (min && d < min ? min : max && d > max ? max : d);

/**
 * value: the chosen day or null; now: the day that is today there; min, max: days outside cannot be chosen; month (a first day) and onMonth: what is
 * shown; info(day) → { tone, text, off, mark }: tone colours it, text is read aloud, off forbids it, mark is a small number.
 */
export function Calendar({ label, value, onValue, month, onMonth, min, max, now = today(), info = () => ({}), busy }) {
  const grid = useRef(null);
  const [cursor, setCursor] = useState(value ?? clamp(now, min, max));
  const [follow, setFollow] = useState(false); // the focus shall follow the cursor
  const within = cursor.slice(0, 7) === month.slice(0, 7) ? cursor : clamp(month, min, max);

  // where the keys go from: ahead of what is drawn when they are pressed faster than it is drawn
  const at = useRef(within);
  if (!follow) at.current = within;

  useLayoutEffect(() => {
    const button = follow && grid.current.querySelector(`[data-day="${cursor}"]`);
    if (!button) return;
    button.focus();
    setFollow(false);
  }, [cursor, follow, month]);

  const go = (to) => {
    const d = clamp(to, min, max);
    at.current = d;
    setCursor(d);
    setFollow(true);
    if (d.slice(0, 7) !== month.slice(0, 7)) onMonth(`${d.slice(0, 7)}-01`);
  };
  const onKey = (e) => {
    const from = at.current;
    const w = weekday(from);
    const to = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7, Home: -w, End: 6 - w,
    }[e.key];
    if (to !== undefined) { e.preventDefault(); go(addDays(from, to)); }
    if (e.key === 'PageUp' || e.key === 'PageDown') { e.preventDefault(); go(addMonths(from, e.key === 'PageUp' ? -1 : 1)); }
  };
  const choose = (d) => { setCursor(d); onValue(d); };
  const turn = (n) => onMonth(addMonths(month, n));
  const atStart = min && month <= `${min.slice(0, 7)}-01`;
  const atEnd = max && month >= `${max.slice(0, 7)}-01`;

  return html`<div class=${cx('calendar', busy && 'calendar--busy')} role="group" aria-label=${label} aria-busy=${busy ? 'true' : undefined}>
    <div class="calendar__head">
      <button type="button" class="icon-button" aria-label="Previous month" disabled=${atStart} onClick=${() => turn(-1)}><${Icon} name="chevron-left" /></button>
      <h3 class="calendar__month" aria-live="polite">${monthText(month)}</h3>
      <button type="button" class="icon-button" aria-label="Next month" disabled=${atEnd} onClick=${() => turn(1)}><${Icon} name="chevron-right" /></button>
    </div>
    <table class="calendar__grid" role="grid" aria-label=${monthText(month)} ref=${grid} onKeyDown=${onKey}>
      <thead><tr>${WEEK.map(([short, long]) => html`<th key=${long} scope="col"><span aria-hidden="true">${short}</span><span class="visually-hidden">${long}</span></th>`)}</tr></thead>
      <tbody>${weeksOf(month).map((week, i) => html`<tr key=${i}>
        ${week.map((d, j) => (d === null ? html`<td key=${j}></td>` : html`<${Day} key=${d} d=${d} info=${info(d)}
          today=${d === now} chosen=${d === value} cursor=${d === within} off=${(min && d < min) || (max && d > max)} onValue=${choose} />`))}
      </tr>`)}</tbody>
    </table>
  </div>`;
}

function Day({ d, today: isToday, chosen, cursor, off: outside, info, onValue }) {
  const off = outside || info.off;
  const words = [dayText(d), isToday && 'today', info.text].filter(Boolean).join(', ');
  return html`<td aria-selected=${chosen ? 'true' : 'false'}>
    <button type="button" class=${cx('day', !outside && info.tone && `day--${info.tone}`, chosen && 'is-chosen', isToday && 'is-today')} data-day=${d}
      tabindex=${cursor ? 0 : -1} aria-disabled=${off ? 'true' : undefined} onClick=${() => { if (!off) onValue(d); }}>
      <span aria-hidden="true">${Number(d.slice(8))}</span><span class="visually-hidden">${words}</span>${info.mark ? html`<span class="day__mark" aria-hidden="true">${info.mark}</span>` : null}
    </button>
  </td>`;
}
