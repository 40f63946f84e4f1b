// Trying a read of the API out with the session of this browser.
import { useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { deref } from '../lib/openapi.js';
import { useAction } from '../lib/resource.js';
import { Select, Submit, TextField } from './field.js';

const SHOWN = 20_000; // characters of an answer

function addressOf(op, values) {
  const query = new URLSearchParams();
  let path = op.path;
  for (const p of op.parameters) {
    const v = values[p.name] ?? '';
    if (p.in === 'path') path = path.replace(`{${p.name}}`, encodeURIComponent(v));
    if (p.in === 'query' && v !== '') query.set(p.name, v);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

async function ask(url) {
  const begun = performance.now();
  const res = await fetch(url, { credentials: 'same-origin', headers: { Accept: 'application/json' } });
  const text = await res.text();
  const ms = Math.round(performance.now() - begun);
  let body = text;
  try { body = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
  return { status: res.status, ms, bytes: text.length, body: body.length > SHOWN ? `${body.slice(0, SHOWN)}\n…` : body };
}

export function TryIt({ doc, op }) {
  const parameters = op.parameters.filter((p) => p.in === 'path' || p.in === 'query');
  const [values, setValues] = useState({});
  const [answer, setAnswer] = useState(null);
  const url = useRef('');
  const [busy, run] = useAction(async () => {
    url.current = addressOf(op, values);
    try { setAnswer(await ask(url.current)); } catch { setAnswer({ status: 0, body: 'The server could not be reached.' }); }
  });
  const field = (p) => {
    const schema = deref(doc, p.schema ?? {});
    const common = { key: p.name, label: p.name, value: values[p.name] ?? '', onValue: (v) => setValues({ ...values, [p.name]: v }), required: p.required };
    if (schema.enum) return html`<${Select} ...${common} options=${[['', 'any'], ...schema.enum.map((v) => [v, v])]} />`;
    return html`<${TextField} ...${common} placeholder=${String(schema.default ?? schema.example ?? '')} autocomplete="off" />`;
  };
  return html`<form class="try" aria-label=${`Try ${op.path}`} onSubmit=${(e) => { e.preventDefault(); run(); }}>
    <h4>Try it</h4>
    <div class="try__fields">${parameters.map(field)}</div>
    <${Submit} busy=${busy}>Send<//>
    <div aria-live="polite">${answer ? html`<figure class="code">
      <figcaption>
        <span class=${`status status--${String(answer.status)[0]}`}>${answer.status || 'No answer'}</span>
        <code>${url.current}</code>${answer.ms !== undefined ? `${answer.ms} ms, ${answer.bytes} characters` : ''}
      </figcaption>
      <pre tabindex="0">${answer.body}</pre>
    </figure>` : null}</div>
  </form>`;
}
