// Page numbers of a list: ordinary links, so that they can be opened elsewhere and gone back from.
import { html } from '../lib/html.js';
import { Icon } from './icon.js';

/** The numbers to show around the current one; 0 stands for a gap. */
export function pageNumbers(current, pages) {
  const near = [1, pages, current - 1, current, current + 1].filter((n) => n >= 1 && n <= pages);
  const shown = [...new Set(near)].sort((a, b) => a - b);
  return shown.flatMap((n, i) => (i && n - shown[i - 1] > 1 ? [0, n] : [n]));
}

/** href(n): the address of page n. */
export function Pager({ page, pages, href, label = 'Pages' }) {
  if (pages <= 1) return null;
  const step = (n, icon, text) => (n >= 1 && n <= pages
    ? html`<a class="pager__step" href=${href(n)} aria-label=${text}><${Icon} name=${icon} /></a>`
    : html`<span class="pager__step is-off" aria-hidden="true"><${Icon} name=${icon} /></span>`);
  return html`<nav class="pager" aria-label=${label}>
    ${step(page - 1, 'chevron-left', 'Previous page')}
    ${pageNumbers(page, pages).map((n, i) => (n
      ? html`<a key=${`p${n}`} class="pager__page" href=${href(n)} aria-label=${`Page ${n}`} aria-current=${n === page ? 'page' : undefined}>${n}</a>`
      : html`<span key=${`g${i}`} class="pager__gap" aria-hidden="true">…</span>`))}
    ${step(page + 1, 'chevron-right', 'Next page')}
  </nav>`;
}
