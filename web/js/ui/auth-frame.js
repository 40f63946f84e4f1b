// The two-part page of signing in and joining: the form, and beside it what the platform is.
import { html } from '../lib/html.js';
import { Mosaic } from './mosaic.js';

export const AuthFrame = ({ title, lead, children }) => html`<div class="auth">
  <section class="auth__form">
    <h1>${title}</h1>
    <p class="auth__lead">${lead}</p>
    ${children}
  </section>
  <aside class="auth__side" aria-hidden="true">
    <${Mosaic} />
    <p class="auth__quote">Nine modules, one quiet machine.</p>
  </aside>
</div>`;
