// The mark of the platform drawn large: nine blocks, one for each module.
import { html, cx } from '../lib/html.js';
import { Icon } from './icon.js';
import { modules } from './modules.js';

// the lit block stands at the upper right, as in the mark
const ORDER = ['sns-auto', 'review', 'coocook', 'ai-automation', 'webapp-builder', 'experience', 'validation', 'ops', 'telegram'];

export const Mosaic = () => html`<div class="mosaic" aria-hidden="true">
  ${ORDER.map((id) => modules.find((m) => m.id === id)).map((m) => html`<div key=${m.id} class=${cx('mosaic__tile', `hue-${m.hue}`, m.open && 'is-lit')}>
    <${Icon} name=${m.icon} /><span>${m.name}</span></div>`)}
</div>`;
