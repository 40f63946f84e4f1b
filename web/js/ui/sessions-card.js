// Where one is signed in: each browser and program with its last use, signed out one by one or all at once.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { del, get } from '../lib/api.js';
import { ago, plural, time } from '../lib/format.js';
import { useAction, useResource } from '../lib/resource.js';
import { logoutEverywhere } from '../lib/session.js';
import { toast } from '../lib/toast.js';
import { Button } from './button.js';
import { Confirm } from './dialog.js';
import { Loaded, Skeleton } from './states.js';

const SHOWN = 10;
const hereFirst = (list) => [...list.filter((s) => s.current), ...list.filter((s) => !s.current)];
const nameOf = (s) => s.device || 'Unknown device';

function SignIn({ session: s, onGone }) {
  const [busy, end] = useAction(async () => {
    try { await del(`/api/auth/sessions/${s.id}`); } catch (err) {
      if (err.status !== 404) { toast.error(err); return; } // 404: it is over already
    }
    toast.ok(`${nameOf(s)} is signed out.`);
    onGone();
  });
  return html`<li class="sign-in">
    <div class="sign-in__text"><p class="sign-in__device">${nameOf(s)}${s.current ? html` <span class="chip chip--on">This device</span>` : null}</p>
      <p class="sign-in__use">${s.current ? 'In use now' : html`Used <time datetime=${s.last_used_at} title=${time(s.last_used_at)}>${ago(s.last_used_at)}</time>`}${s.address ? `, from ${s.address}` : ''}</p></div>
    ${s.current ? null : html`<${Button} small busy=${busy} onClick=${end} aria-label=${`Sign out ${nameOf(s)}`}>Sign out<//>`}
  </li>`;
}

export function SessionsCard() {
  const list = useResource((signal) => get('/api/auth/sessions', { per_page: SHOWN }, { signal }), []);
  const [asking, setAsking] = useState(false);
  const [leaving, leave] = useAction(async () => { await logoutEverywhere(); setAsking(false); });
  return html`<section class="card" aria-labelledby="sessions"><h2 id="sessions">Where you are signed in</h2>
    <p class="card__lead">Sign out what you do not know, and change your password then.</p>
    <${Loaded} resource=${list} skeleton=${html`<${Skeleton} shape="line" count=${3} />`}>${({ sessions, total }) => html`
      <ul class="sign-ins">${hereFirst(sessions).map((s) => html`<${SignIn} key=${s.id} session=${s} onGone=${list.refresh} />`)}</ul>
      ${total > sessions.length ? html`<p class="sign-in__use">And ${plural(total - sessions.length, 'other sign-in')}, used longer ago.</p>` : null}`}<//>
    <div class="card__foot"><${Button} icon="logout" onClick=${() => setAsking(true)}>Sign out everywhere<//></div>
    ${asking ? html`<${Confirm} title="Sign out everywhere?" yes="Sign out everywhere" no="Stay signed in" danger busy=${leaving} onYes=${leave} onClose=${() => setAsking(false)}>
      <p>Every browser and program is signed out within a second, this one too.</p><//>` : null}
  </section>`;
}
