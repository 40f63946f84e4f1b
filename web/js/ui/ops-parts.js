// What the tabs of the operations page share: how often they look, and when they last did.
import { html } from '../lib/html.js';
import { timeOfDay } from '../lib/format.js';

export const LOOK_MS = 5000;

/** at: when what is shown came (ms), 0 for not yet. still: it is not renewed by itself. */
export const AsOf = ({ at, still }) => (at ? html`<p class="ops__note">As of ${timeOfDay(at)}${still ? '' : `, renewed every ${LOOK_MS / 1000} s`}</p>` : null);
