// A chef in a list: one link, with what decides whether to look closer.
import { html } from '../lib/html.js';
import { money } from '../lib/format.js';
import { Cover } from './cover.js';
import { Icon } from './icon.js';
import { Rating } from './stars.js';

export const ChefCard = ({ chef, level = 2 }) => html`<article class="chef-card">
  <${Cover} chef=${chef} />
  <div class="chef-card__body">
    <div class="chef-card__top">
      <span class="chef-card__cuisine">${chef.cuisine_type}</span>
      <${Rating} value=${chef.rating} count=${chef.rating_count} />
    </div>
    <${`h${level}`} class="chef-card__name"><a class="card-link" href=${`/chef?id=${chef.id}`}>${chef.name}</a><//>
    ${chef.reason ? html`<p class="chef-card__reason"><${Icon} name="spark" />${chef.reason}</p>` : html`<p class="chef-card__bio">${chef.bio || 'This chef lets the food speak.'}</p>`}
    <div class="chef-card__foot">
      <span class="with-icon"><${Icon} name="pin" />${chef.location}</span>
      <span class="price"><strong>${money(chef.price_per_session)}</strong> <span class="price__unit">/ hour</span></span>
    </div>
  </div>
</article>`;
