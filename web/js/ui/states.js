// What a view shows when it has nothing to show: still loading, nothing there, or trouble with a way out.
import { html, cx } from '../lib/html.js';
import { ApiError } from '../lib/api.js';
import { Icon } from './icon.js';

export const Empty = ({ icon = 'bowl', title, children, level = 2 }) => html`<div class="state">
  <span class="state__icon"><${Icon} name=${icon} /></span>
  <${`h${level}`} class="state__title">${title}<//>
  <div class="state__text">${children}</div>
</div>`;

export function Trouble({ error, onRetry, title = 'This did not load' }) {
  const known = error instanceof ApiError;
  return html`<div class="state state--trouble" role="alert">
    <span class="state__icon"><${Icon} name="alert" /></span>
    <h2 class="state__title">${title}</h2>
    <div class="state__text">
      <p>${known ? error.message : 'Something in this page went wrong.'}</p>
      ${onRetry ? html`<button type="button" class="button" onClick=${onRetry}><${Icon} name="retry" /><span>Try again</span></button>` : null}
      ${known && error.requestId ? html`<p class="state__small">Request ${error.requestId}</p>` : null}
    </div>
  </div>`;
}

/** Grey shapes of what is to come. shape: 'card', 'row', 'line', 'block'. */
export const Skeleton = ({ shape = 'line', count = 1, class: more }) => html`<div class=${cx('skeletons', `skeletons--${shape}`, more)} role="status">
  <span class="visually-hidden">Loading</span>
  ${Array.from({ length: count }, (_, i) => html`<div key=${i} class=${`skeleton skeleton--${shape}`} aria-hidden="true"></div>`)}
</div>`;

/** A resource's three ways: skeleton, trouble, or children(data). */
export function Loaded({ resource, skeleton, children, title }) {
  if (resource.error) return html`<${Trouble} error=${resource.error} onRetry=${resource.reload} title=${title} />`;
  if (resource.data === null || resource.data === undefined) return skeleton;
  return html`<div class=${cx('loaded', resource.loading && 'loaded--anew')} aria-busy=${resource.loading}>${children(resource.data)}</div>`;
}
