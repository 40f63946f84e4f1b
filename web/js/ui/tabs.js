// Tabs with arrow keys (WAI-ARIA tabs pattern, manual focus follows selection).
import { html } from '../lib/html.js';

/** tabs: [[id, text, count?]…]; the panel is children. */
export function Tabs({ label, tabs, value, onValue, children, id }) {
  const onKey = (e) => {
    const at = tabs.findIndex(([t]) => t === value);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length][0];
    onValue(next);
    document.getElementById(`${id}-tab-${next}`)?.focus();
  };
  return html`<div class="tabs">
    <div class="tabs__list" role="tablist" aria-label=${label} onKeyDown=${onKey}>
      ${tabs.map(([t, text, n]) => html`<button type="button" role="tab" class="tab" key=${t} id=${`${id}-tab-${t}`} aria-selected=${t === value}
        aria-controls=${`${id}-panel`} tabindex=${t === value ? 0 : -1} onClick=${() => onValue(t)}>
        ${text}${n === undefined ? null : html`<span class="tab__count">${n}</span>`}</button>`)}
    </div>
    <div role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-tab-${value}`} tabindex="0" class="tabs__panel">${children}</div>
  </div>`;
}
