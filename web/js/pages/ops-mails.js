// The outbox: mails that are kept because no mail server is set. A mail's HTML is drawn in a frame that runs nothing.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { ago, plural, time } from '../lib/format.js';
import { useEvery, useResource, useSettled } from '../lib/resource.js';
import { useLocation, useQuery } from '../lib/router.js';
import { Button } from '../ui/button.js';
import { Dialog } from '../ui/dialog.js';
import { SearchField } from '../ui/field.js';
import { AsOf, LOOK_MS } from '../ui/ops-parts.js';
import { Pager } from '../ui/pager.js';
import { Empty, Loaded, Skeleton } from '../ui/states.js';
import { Tabs } from '../ui/tabs.js';

const OUTBOX = '/api/ops/outbox';
const PER_PAGE = 25;
const VIEWS = [['html', 'As it looks'], ['text', 'Plain text']];

const sort = (template) => (template === 'otp' ? 'one-time code' : template.replaceAll('_', ' '));

function Mail({ id, onClose }) {
  const mail = useResource((signal) => get(`${OUTBOX}/${id}`, null, { signal }), [id]);
  const [view, setView] = useState('html');
  return html`<${Dialog} title=${mail.data?.subject ?? `Mail ${id}`} onClose=${onClose}>
    <${Loaded} resource=${mail} skeleton=${html`<${Skeleton} shape="line" count=${6} />`} title="The mail did not load">
      ${(m) => html`<dl class="ops__facts">
          <dt>From</dt><dd>${m.from}</dd><dt>To</dt><dd>${m.to}</dd><dt>Kind</dt><dd>${sort(m.template)}</dd><dt>Written</dt><dd>${time(m.created_at)}</dd>
        </dl>
        <${Tabs} id="mail" label="Views of the mail" tabs=${VIEWS} value=${view} onValue=${setView}>
          ${view === 'html' ? html`<iframe class="ops__mail" title="The mail as it looks" sandbox="" src=${`${OUTBOX}/${id}/html`}></iframe>`
            : html`<pre class="ops__json ops__json--mail" tabindex="0" role="region" aria-label="The mail as plain text">${m.text}</pre>`}
        <//>`}
    <//>
  <//>`;
}

export function Mails() {
  const { path } = useLocation();
  const [params, change] = useQuery();
  const { to, mail } = params;
  const [text, setText] = useState(to ?? '');
  const settled = useSettled(text.trim(), 280);
  const page = Number(params.page) || 1;
  useEffect(() => { if (settled !== (to ?? '')) change({ to: settled || null, page: null }, { replace: true }); }, [settled]);
  useEffect(() => { if ((to ?? '') !== settled) setText(to ?? ''); }, [to]);
  const list = useResource((signal) => get(OUTBOX, { to, page, per_page: PER_PAGE }, { signal }), [to, page]);
  useEvery(LOOK_MS, () => { if (page === 1 && !list.error) list.refresh(); });
  const href = (n) => `${path}?${new URLSearchParams({ ...(params.tab && { tab: params.tab }), ...(to && { to }), page: n })}`;
  return html`
    <div class="ops__filters">
      <${SearchField} label="Mails to this address" placeholder="Receiver’s address" value=${text} onValue=${setText} />
      <${Button} icon="retry" busy=${list.loading} onClick=${list.reload}>Refresh<//>
    </div>
    <${Loaded} resource=${list} skeleton=${html`<${Skeleton} shape="row" count=${5} />`} title="The mails did not load">
      ${(data) => (data.mails.length ? html`
        <div class="ops__bulk"><p role="status">${plural(data.total, 'mail')}, kept here because no mail server is set</p><${AsOf} at=${list.at} still=${page !== 1} /></div>
        <div class="table-card"><table class="table table--brief"><caption class="visually-hidden">Mails, the newest first</caption>
          <thead><tr><th scope="col">Subject</th><th scope="col">To</th><th scope="col">Kind</th><th scope="col">Written</th></tr></thead>
          <tbody>${data.mails.map((m) => html`<tr key=${m.id}>
            <th scope="row"><button type="button" class="ops__open" onClick=${() => change({ mail: m.id })}>${m.subject}</button></th>
            <td class="table__rest"><span>${m.to}</span></td><td class="table__mark"><span class="badge badge--plain">${sort(m.template)}</span></td>
            <td><span title=${time(m.created_at)}>${ago(m.created_at)}</span></td></tr>`)}</tbody>
        </table></div>
        <${Pager} page=${page} pages=${data.pages} href=${href} label="Pages of mails" />`
        : data.total ? html`<${Empty} icon="send" title="Nothing on this page"><p>There are fewer mails than that.</p><a class="button" href=${href(1)}>To the newest</a><//>`
        : to ? html`<${Empty} icon="send" title="No mail to this address"><p>The search wants the whole address, as it was written to.</p><//>`
          : html`<${Empty} icon="send" title="No mail is kept"><p>Mails appear here while no mail server is set. With one, each is a job of the queue.</p>
            <a class="button" href="/ops?kind=email.send">Mails in the queue</a><//>`)}
    <//>
    ${mail ? html`<${Mail} id=${Number(mail)} onClose=${() => change({ mail: null })} />` : null}`;
}
