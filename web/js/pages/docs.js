// The API, from the platform's own OpenAPI document: routes by module, parameters, bodies, answers, and a try-out of reads.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { html, cx } from '../lib/html.js';
import { get } from '../lib/api.js';
import { plural } from '../lib/format.js';
import { operationsByTag } from '../lib/openapi.js';
import { useResource } from '../lib/resource.js';
import { Operation } from '../ui/api-operation.js';
import { SearchField } from '../ui/field.js';
import { Empty, Loaded, Skeleton } from '../ui/states.js';

const matches = (op, words) => words.every((w) => `${op.method} ${op.path} ${op.summary ?? ''}`.toLowerCase().includes(w));
const slug = (tag) => `tag-${tag.replace(/\W+/g, '-').toLowerCase()}`;

export default function Docs() {
  const doc = useResource((signal) => get('/api/openapi.json', null, { signal }), []);
  const waiting = html`<header class="page-head"><h1>API</h1></header><${Skeleton} shape="row" count=${6} />`;
  return html`<div class="wrap page docs"><${Loaded} resource=${doc} skeleton=${waiting} title="The document did not load">
    ${(data) => html`<${Reference} doc=${data} />`}<//></div>`;
}

function Reference({ doc }) {
  const groups = useMemo(() => operationsByTag(doc), [doc]);
  const [text, setText] = useState('');
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = groups.map((g) => ({ ...g, operations: g.operations.filter((op) => matches(op, words)) })).filter((g) => g.operations.length);
  const total = groups.reduce((n, g) => n + g.operations.length, 0);

  // an address with a fragment opens that operation once the document is there
  useEffect(() => { if (location.hash.length > 1) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView(); }, []);

  return html`
    <header class="page-head page-head--row"><div><h1>${/API/.test(doc.info?.title) ? doc.info.title : `${doc.info?.title ?? ''} API`}</h1>
      <p>${plural(total, 'route')}, version ${doc.info?.version}. The same document for programs: <a href="/api/openapi.json" data-native>openapi.json</a></p></div></header>
    ${doc.info?.description ? html`<p class="docs__about">${doc.info.description}</p>` : null}
    <div class="docs__columns">
      <nav class="docs__nav" aria-label="Modules">
        <${SearchField} label="Search routes" placeholder="Search routes" value=${text} onValue=${setText} />
        <ul>${shown.map((g) => html`<li key=${g.tag}><a href=${`#${slug(g.tag)}`}>${g.tag}<span>${g.operations.length}</span></a></li>`)}</ul>
      </nav>
      <div class="docs__body">
        ${shown.length ? shown.map((g) => html`<section key=${g.tag} id=${slug(g.tag)} aria-labelledby=${`${slug(g.tag)}-h`} class="docs__group">
          <h2 id=${`${slug(g.tag)}-h`}>${g.tag}</h2>${g.about ? html`<p class="docs__tag">${g.about}</p>` : null}
          <ul class=${cx('docs__list')}>${g.operations.map((op) => html`<li key=${op.id}><${Operation} doc=${doc} op=${op} /></li>`)}</ul>
        </section>`) : html`<${Empty} icon="search" title="No route like that"><p>Search looks at methods, paths and summaries.</p><//>`}
      </div>
    </div>`;
}
