// The front page: what the platform is, what is open today, how to begin.
import { html, cx } from '../lib/html.js';
import { get } from '../lib/api.js';
import { useResource } from '../lib/resource.js';
import { useSession } from '../lib/session.js';
import { ChefCard } from '../ui/chef-card.js';
import { Icon } from '../ui/icon.js';
import { modules } from '../ui/modules.js';
import { Mosaic } from '../ui/mosaic.js';
import { Loaded, Skeleton } from '../ui/states.js';

const STEPS = [
  ['search', 'Find your chef', 'Filter by cuisine, city and price, or type what you feel like eating. In Korean or in English.'],
  ['calendar', 'Pick the hours', 'The calendar shows what is free this minute, and no hour is ever sold twice.'],
  ['star', 'Eat, then tell', 'Pay when it suits you. After dinner, your stars help the next table choose.'],
];

const FACTS = [
  ['One account', 'Customers, chefs and administrators sign in once, for everything.'],
  ['One program', 'It starts in a blink on a laptop and grows to a whole rack by configuration alone.'],
  ['Your data', 'It stays in your database. No tracker, no third party, not one outside request.'],
];

export default function Landing() {
  const { status } = useSession();
  const popular = useResource((signal) => get('/api/coocook/popular', null, { signal }), []);
  const begin = status === 'user' ? ['/dashboard', 'Open your dashboard'] : ['/register', 'Create an account'];
  return html`<div class="landing">
    <section class="hero wrap">
      <div class="hero__words">
        <p class="eyebrow"><span class="eyebrow__dot"></span>CooCook is open</p>
        <h1 class="hero__title">The workshop your business <em>runs on.</em></h1>
        <p class="hero__lead">SoftFactory is nine modules on one platform. Begin with a private chef at your table tonight;
          bring posts, campaigns and automation in when you need them.</p>
        <div class="hero__buttons">
          <a class="button button--primary button--large" href="/chefs"><span>Find a chef</span><${Icon} name="arrow-right" /></a>
          <a class="button button--large" href=${begin[0]}>${begin[1]}</a>
        </div>
      </div>
      <div class="hero__art"><${Mosaic} /></div>
    </section>

    <section class="band" aria-labelledby="popular"><div class="wrap">
      <header class="section-head">
        <h2 id="popular">Tables people talk about</h2>
        <a class="more" href="/chefs">All chefs<${Icon} name="arrow-right" /></a>
      </header>
      <${Loaded} resource=${popular} skeleton=${html`<${Skeleton} shape="card" count=${3} />`} title="The chefs did not load">
        ${(data) => html`<ul class="rail">${(data.chefs ?? data).slice(0, 6).map((c) => html`<li key=${c.id}><${ChefCard} chef=${c} level=${3} /></li>`)}</ul>`}
      <//>
    </div></section>

    <section class="wrap steps" aria-labelledby="how">
      <h2 id="how">From hunger to a set table in three steps</h2>
      <ol class="steps__list">${STEPS.map(([icon, title, text], i) => html`<li key=${title} class="step">
        <span class="step__number" aria-hidden="true">${i + 1}</span><${Icon} name=${icon} /><h3>${title}</h3><p>${text}</p></li>`)}</ol>
    </section>

    <section class="wrap modules" aria-labelledby="modules">
      <header class="section-head"><h2 id="modules">Nine modules, one platform</h2><p>They share accounts, payments and jobs, so each new one is ready the day you need it.</p></header>
      <ul class="modules__grid">${modules.map((m) => html`<li key=${m.id} class=${cx('module', `hue-${m.hue}`, m.open && 'module--open')}>
        <span class="module__icon"><${Icon} name=${m.icon} /></span>
        <h3>${m.open ? html`<a class="card-link" href=${m.href}>${m.name}</a>` : m.name}</h3>
        <p>${m.text}</p>
        <span class=${cx('chip', m.open && 'chip--on')}>${m.open ? 'Open' : 'On its way'}</span>
      </li>`)}</ul>
    </section>

    <section class="wrap"><div class="closing">
      <h2>Small enough to understand. Strong enough to stay.</h2>
      <dl class="closing__facts">${FACTS.map(([t, d]) => html`<div key=${t}><dt>${t}</dt><dd>${d}</dd></div>`)}</dl>
      <div class="hero__buttons">
        <a class="button button--light button--large" href=${begin[0]}>${begin[1]}</a>
        <a class="button button--ghost button--large" href="/docs">Read the API</a>
      </div>
    </div></section>
  </div>`;
}
