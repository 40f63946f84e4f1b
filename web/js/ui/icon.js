// An icon of the sprite. It is decoration: what it means is said in words beside it or on its button.
import { html, cx } from '../lib/html.js';

const sprite = new URL('../../img/icons.svg', import.meta.url).pathname;

export const Icon = ({ name, class: more }) => html`<svg class=${cx('icon', more)} aria-hidden="true" focusable="false"><use href=${`${sprite}#${name}`} /></svg>`;
