// One chef: who they are, when they are free, what guests say, and the panel that books them.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { money } from '../lib/format.js';
import { useResource } from '../lib/resource.js';
import { useQuery } from '../lib/router.js';
import { BookingPanel } from '../ui/booking-panel.js';
import { Cover } from '../ui/cover.js';
import { Icon } from '../ui/icon.js';
import { Reviews } from '../ui/reviews.js';
import { Rating } from '../ui/stars.js';
import { Empty, Loaded, Skeleton, Trouble } from '../ui/states.js';

const Waiting = () => html`<div class="chef__columns"><div><${Skeleton} shape="hero" /><${Skeleton} shape="line" count=${4} /></div><${Skeleton} shape="block" /></div>`;

const Missing = () => html`<${Empty} icon="chef" level=${1} title="This chef is not here">
  <p>The profile may have been taken down.</p><a class="button button--primary" href="/chefs">Find another chef</a><//>`;

export default function ChefPage() {
  const [{ id }] = useQuery();
  const valid = /^\d+$/.test(id ?? '');
  const chef = useResource(valid ? (signal) => get(`/api/coocook/chefs/${id}`, null, { signal }) : null, [id]);
  useEffect(() => { if (chef.data) document.title = `${chef.data.name} · SoftFactory`; }, [chef.data]);

  let body;
  if (!valid || chef.error?.status === 404) body = html`<${Missing} />`;
  else if (chef.error) body = html`<${Trouble} error=${chef.error} onRetry=${chef.reload} title="This chef did not load" />`;
  else body = html`<${Loaded} resource=${chef} skeleton=${html`<${Waiting} />`}>${(c) => html`<${Profile} chef=${c} key=${c.id} />`}<//>`;
  return html`<div class="wrap page chef">
    <nav class="crumbs" aria-label="Where you are"><a href="/chefs"><${Icon} name="chevron-left" />All chefs</a></nav>
    ${body}
  </div>`;
}

/** On small screens: a way down to the panel for as long as the panel is out of sight. */
function BookBar({ price }) {
  const [hidden, setHidden] = useState(true);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => setHidden(entry.isIntersecting));
    watch.observe(document.getElementById('book'));
    return () => watch.disconnect();
  }, []);
  if (hidden) return null;
  return html`<a class="book-bar" href="#book"><span><strong>${money(price)}</strong> an hour</span><span class="button button--primary">See free days</span></a>`;
}

function Profile({ chef }) {
  return html`<div class="chef__columns">
    <div class="chef__main">
      <${Cover} chef=${chef} class="cover--large" />
      <header class="chef__head">
        <p class="chef-card__cuisine">${chef.cuisine_type}</p>
        <h1>${chef.name}</h1>
        <ul class="facts">
          <li><${Rating} value=${chef.rating} count=${chef.rating_count} /></li>
          <li class="with-icon"><${Icon} name="pin" />${chef.location}</li>
          <li class="with-icon"><${Icon} name="clock" /><span><strong>${money(chef.price_per_session)}</strong> an hour</span></li>
        </ul>
      </header>
      <section aria-labelledby="about"><h2 id="about">About</h2><p class="chef__bio">${chef.bio || 'This chef lets the food speak.'}</p></section>
    </div>
    <aside class="chef__side" id="book" aria-label="Book this chef"><${BookingPanel} chef=${chef} /></aside>
    <${Reviews} chefId=${chef.id} />
    <${BookBar} price=${chef.price_per_session} />
  </div>`;
}
