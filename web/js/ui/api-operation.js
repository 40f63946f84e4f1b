// One route of the API: a line that opens to its parameters, body, answers and, for reads, a try-out.
import { useState } from 'preact/hooks';
import { html, cx } from '../lib/html.js';
import { deref, mediaOf, rowsOf, typeWords } from '../lib/openapi.js';
import { Icon } from './icon.js';
import { TryIt } from './api-try.js';

const pretty = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));

function Rows({ caption, rows }) {
  if (!rows.length) return null;
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${caption}><table class="table table--fields"><caption>${caption}</caption>
    <thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
    <tbody>${rows.map((r) => html`<tr key=${r.path}><th scope="row"><code>${r.path}</code>${r.required ? html`<span class="need">required</span>` : null}</th>
      <td>${r.type}</td><td>${r.help ?? ''}${r.fallback !== undefined ? html` <span class="quiet">default ${String(r.fallback)}</span>` : null}</td></tr>`)}</tbody>
  </table></div>`;
}

const Code = ({ label, value }) => (value === undefined ? null : html`<figure class="code"><figcaption>${label}</figcaption><pre tabindex="0">${pretty(value)}</pre></figure>`);

function Answer({ doc, status, response }) {
  const r = deref(doc, response);
  const media = mediaOf(doc, r);
  const [open, setOpen] = useState(false);
  const rows = media?.schema ? rowsOf(doc, media.schema) : [];
  const tone = `status status--${String(status)[0]}`;
  if (!media) return html`<li class="answer"><p class="answer__line"><span class=${tone}>${status}</span>${r.description}</p></li>`;
  return html`<li class="answer">
    <button type="button" class="answer__line" aria-expanded=${open ? 'true' : 'false'} onClick=${() => setOpen(!open)}>
      <span class=${tone}>${status}</span><span>${r.description}</span><${Icon} name="chevron-down" />
    </button>
    ${open ? html`<div class="answer__body"><${Rows} caption=${`Fields of ${status}`} rows=${rows} /><${Code} label=${`Example, ${media.type}`} value=${media.example} /></div>` : null}
  </li>`;
}

function Details({ doc, op }) {
  const body = mediaOf(doc, op.requestBody);
  const parameters = op.parameters.map((p) => {
    const schema = deref(doc, p.schema ?? {});
    return { path: p.name, required: p.required, type: `${typeWords(doc, schema)}, ${p.in}`, help: p.description ?? schema.description, fallback: schema.default };
  });
  return html`<div class="op__body">
    ${op.description && op.description !== op.summary ? html`<p>${op.description}</p>` : null}
    <${Rows} caption="Parameters" rows=${parameters} />
    ${body ? html`<${Rows} caption=${`Body, ${body.type}`} rows=${rowsOf(doc, body.schema ?? {})} /><${Code} label="Example body" value=${body.example} />` : null}
    <h4>Answers</h4>
    <ul class="answers">${Object.entries(op.responses ?? {}).map(([status, r]) => html`<${Answer} key=${status} doc=${doc} status=${status} response=${r} />`)}</ul>
    ${op.method === 'get' ? html`<${TryIt} doc=${doc} op=${op} />` : null}
  </div>`;
}

export function Operation({ doc, op }) {
  const [open, setOpen] = useState(location.hash === `#${op.id}`);
  const locked = (op.security ?? doc.security ?? []).some((s) => Object.keys(s).length);
  return html`<article class=${cx('op', open && 'is-open')} id=${op.id}>
    <h3 class="op__head"><button type="button" class="op__line" aria-expanded=${open ? 'true' : 'false'} onClick=${() => setOpen(!open)}>
      <span class=${`method method--${op.method}`}>${op.method.toUpperCase()}</span>
      <code class="op__path">${op.path}</code><span class="op__summary">${op.summary}</span>
      ${locked ? html`<span class="op__lock"><${Icon} name="shield" /><span class="visually-hidden">needs signing in</span></span>` : null}
      <${Icon} name="chevron-down" class="op__chevron" />
    </button></h3>
    ${open ? html`<${Details} doc=${doc} op=${op} />` : null}
  </article>`;
}
