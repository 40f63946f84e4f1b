// A button, or a link that looks like one: with an icon, and a spinner while its action runs.
import { html, cx } from '../lib/html.js';
import { Icon } from './icon.js';

/**
 * kind: primary, danger, quiet, light, ghost. href: a link. busy: it keeps the focus and says that it is at work
 * (the action itself ignores further clicks). wide: as wide as its place.
 */
export function Button({ kind, icon, busy, wide, small, href, class: more, children, type = 'button', ...rest }) {
  const names = cx('button', kind && `button--${kind}`, wide && 'button--wide', small && 'button--small', more);
  const inside = html`${busy ? html`<span class="spinner" aria-hidden="true"></span>` : icon ? html`<${Icon} name=${icon} />` : null}<span>${children}</span>`;
  if (href) return html`<a class=${names} href=${href} ...${rest}>${inside}</a>`;
  return html`<button type=${type} class=${names} aria-disabled=${busy ? 'true' : undefined} ...${rest}>${inside}</button>`;
}
