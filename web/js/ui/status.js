// A booking's state as a badge: colour, and always the word.
import { html } from '../lib/html.js';

const WORDS = { pending: 'Waiting for the chef', confirmed: 'Confirmed', completed: 'Completed', cancelled: 'Cancelled' };

export const Status = ({ status }) => html`<span class=${`badge badge--${status}`}><span class="badge__dot" aria-hidden="true"></span>${WORDS[status] ?? status}</span>`;
