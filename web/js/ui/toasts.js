// The corner where short messages appear; read aloud politely.
import { html } from '../lib/html.js';
import { useStore } from '../lib/store.js';
import { dismiss, toasts } from '../lib/toast.js';
import { Icon } from './icon.js';

const ICONS = { ok: 'check', info: 'info', error: 'alert' };

export function Toasts() {
  const list = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${list.map((t) => html`<div key=${t.id} class=${`toast toast--${t.kind}`}>
      <${Icon} name=${ICONS[t.kind]} />
      <p class="toast__text">${t.text}${t.action ? html` <a href=${t.action.href}>${t.action.text}</a>` : null}</p>
      <button type="button" class="icon-button icon-button--small" aria-label="Dismiss" onClick=${() => dismiss(t.id)}><${Icon} name="close" /></button>
    </div>`)}
  </div>`;
}
