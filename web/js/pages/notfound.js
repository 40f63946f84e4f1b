// No page at this address.
import { html } from '../lib/html.js';
import { Icon } from '../ui/icon.js';

export default () => html`<div class="wrap page notfound">
  <p class="notfound__code" aria-hidden="true">4<span class="notfound__plate"><${Icon} name="cutlery" /></span>4</p>
  <h1>Nothing is served here</h1>
  <p>There is no page at this address. It may have moved, or the link had a slip.</p>
  <div class="hero__buttons"><a class="button button--primary" href="/chefs">Find a chef</a><a class="button" href="/">Go to the front page</a></div>
</div>`;
