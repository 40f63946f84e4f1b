// Linking a Telegram chat to one's account: a code that the chat sends to the bot, watched for until it has come.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { del, get, post } from '../lib/api.js';
import { dayOfYear } from '../lib/format.js';
import { useAction, useResource } from '../lib/resource.js';
import { toast } from '../lib/toast.js';
import { Button } from './button.js';
import { Confirm } from './dialog.js';

const LOOK_MS = 3000; // how often we look whether the chat has answered

function Waiting({ link, onLook, onGiveUp }) {
  useEffect(() => {
    const timer = setInterval(() => {
      if (Date.now() < new Date(link.expires_at)) onLook();
      else { toast.info('The code is over. Ask for a new one when you are ready.'); onGiveUp(); }
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [link]);
  const copy = async () => {
    try { await navigator.clipboard.writeText(link.command); toast.ok('Copied.'); } catch { toast.info('Select the text and copy it.'); }
  };
  return html`<div class="telegram" role="status">
    <ol class="telegram__steps">
      <li>${link.url ? html`Open our bot${' '}<a href=${link.url} target="_blank" rel="noopener noreferrer">in Telegram</a> and press Start.` : 'Open our bot in Telegram.'}</li>
      <li>${link.url ? 'Or send it this yourself:' : 'Send it this:'}
        <div class="telegram__say"><code class="telegram__command">${link.command}</code><${Button} small icon="copy" onClick=${copy}>Copy<//></div></li>
    </ol>
    <p class="telegram__wait"><span class="spinner" aria-hidden="true"></span> Waiting for your chat. The code works once, for ten minutes.</p>
    <${Button} kind="quiet" onClick=${onGiveUp}>Not now<//>
  </div>`;
}

export function TelegramCard() {
  const state = useResource((signal) => get('/api/telegram/link', null, { signal }), []);
  const [link, setLink] = useState(null);
  const [asking, setAsking] = useState(false);
  const guarded = (fn) => async () => { try { await fn(); } catch (err) { toast.error(err); } };
  const [starting, start] = useAction(guarded(async () => setLink(await post('/api/telegram/link'))));
  const [ending, end] = useAction(guarded(async () => {
    await del('/api/telegram/link');
    setAsking(false);
    state.setData((s) => ({ ...s, linked: false, linked_at: null }));
    toast.ok('Your chat is disconnected.');
  }));
  const linked = state.data?.linked;
  useEffect(() => { if (linked && link) { setLink(null); toast.ok('Telegram is connected.'); } }, [linked]);
  if (!state.data?.configured) return null; // no bot, or nobody knows: nothing to offer
  return html`<section class="card" aria-labelledby="telegram"><h2 id="telegram">Telegram</h2>
    <p class="card__lead">${linked ? `Connected since ${dayOfYear(state.data.linked_at)}. News of your bookings comes to your chat.` : 'Let our bot tell you what becomes of your bookings.'}</p>
    ${linked ? html`<${Button} onClick=${() => setAsking(true)}>Disconnect<//>`
      : link ? html`<${Waiting} link=${link} onLook=${state.reload} onGiveUp=${() => setLink(null)} />`
        : html`<${Button} kind="primary" icon="send" busy=${starting} onClick=${start}>Connect Telegram<//>`}
    ${asking ? html`<${Confirm} title="Disconnect Telegram?" yes="Disconnect" no="Keep it" danger busy=${ending} onYes=${end} onClose=${() => setAsking(false)}>
      <p>The bot writes to you no more. You can connect it again at any time.</p><//>` : null}
  </section>`;
}
