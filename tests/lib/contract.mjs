// Checks an answer against the program's own OpenAPI document: every documented answer must be as documented.
import assert from 'node:assert/strict';

/** The subset of JSON Schema that the document uses; returns the first disagreement or null. */
function mismatch(schema, value, at, doc) {
  if (schema.$ref) return mismatch(resolve(schema.$ref, doc), value, at, doc);
  for (const part of schema.allOf ?? []) {
    const m = mismatch(part, value, at, doc);
    if (m) return m;
  }
  if (schema.anyOf && schema.anyOf.every((s) => mismatch(s, value, at, doc))) return `${at}: fits none of anyOf`;
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length && !types.some((t) => isType(t, value))) return `${at}: ${JSON.stringify(value)} is not ${types.join(' or ')}`;
  if (value === null) return null;
  if (schema.enum && !schema.enum.includes(value)) return `${at}: ${JSON.stringify(value)} is not one of ${schema.enum}`;
  if (schema.format === 'date-time' && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value)) return `${at}: ${value} is no UTC time`;
  if (schema.format === 'date' && !/^\d{4}-\d\d-\d\d$/.test(value)) return `${at}: ${value} is no date`;
  if (Array.isArray(value) && schema.items) {
    for (const [i, v] of value.entries()) {
      const m = mismatch(schema.items, v, `${at}[${i}]`, doc);
      if (m) return m;
    }
  }
  if (typeof value === 'object' && !Array.isArray(value)) {
    for (const name of schema.required ?? []) if (!(name in value)) return `${at}: ${name} is missing`;
    for (const [name, v] of Object.entries(value)) {
      const sub = schema.properties?.[name] ?? Object.entries(schema.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern, 'u').test(name))?.[1];
      if (!sub) {
        if (schema.properties && schema.additionalProperties === false) return `${at}.${name}: is not documented`;
        if (schema.properties && !schema.additionalProperties) return `${at}.${name}: is not documented`;
        continue;
      }
      const m = mismatch(sub, v, `${at}.${name}`, doc);
      if (m) return m;
    }
  }
  return null;
}
const isType = (t, v) =>
  t === 'null' ? v === null
  : t === 'array' ? Array.isArray(v)
  : t === 'integer' ? Number.isInteger(v)
  : t === 'object' ? v !== null && typeof v === 'object' && !Array.isArray(v)
  : typeof v === t;
const resolve = (ref, doc) => ref.slice(2).split('/').reduce((o, k) => o[k.replace(/~1/g, '/').replace(/~0/g, '~')], doc);

/** The operation of a request's path in the document, and its pattern. */
export function operationOf(doc, method, path) {
  const parts = path.split('?')[0].split('/');
  let best = null;
  for (const [pattern, item] of Object.entries(doc.paths)) {
    const want = pattern.split('/');
    if (want.length !== parts.length || !item[method.toLowerCase()]) continue;
    if (!want.every((w, i) => w === parts[i] || /^\{.*\}$/.test(w))) continue;
    const exact = want.filter((w, i) => w === parts[i]).length;
    if (!best || exact > best.exact) best = { pattern, operation: item[method.toLowerCase()], exact };
  }
  return best;
}

/** Asserts that status and body of `answer` are documented for that request. */
export function assertDocumented(doc, method, path, answer) {
  const found = operationOf(doc, method, path);
  assert.ok(found, `${method} ${path} is not in the document`);
  const response = found.operation.responses[String(answer.status)];
  assert.ok(response, `${method} ${found.pattern}: status ${answer.status} is not documented (${Object.keys(found.operation.responses)}): ${answer.text.slice(0, 300)}`);
  const media = (response.$ref ? resolve(response.$ref, doc) : response).content?.['application/json'];
  if (!media || answer.body === undefined) return;
  const m = mismatch(media.schema, answer.body, 'body', doc);
  assert.equal(m, null, `${method} ${found.pattern} ${answer.status}: ${m}`);
}

/** Asserts an error body as the contract has it. */
export function assertError(answer, status, { code, field } = {}) {
  assert.equal(answer.status, status, `wanted ${status}, got ${answer.status}: ${answer.text.slice(0, 300)}`);
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
  assert.equal(typeof answer.body.error, 'string');
  assert.match(answer.body.error, /^[A-Z0-9가-힣"].*[.!?]$/s, 'a sentence for a person');
  assert.match(answer.body.code, /^[a-z_]+$/);
  assert.ok(answer.body.request_id);
  assert.doesNotMatch(answer.text, /SELECT |INSERT |src\/|\.c:\d+|sqlite|postgres/i, 'an error shows nothing of the inside');
  for (const [name, why] of Object.entries(answer.body.fields ?? {})) assert.match(why, /^must .*[^.!?]$/s, `fields.${name}: a phrase that continues its name`);
  if (status !== 400) assert.ok(!('fields' in answer.body), `only a request that is not valid has fields: ${answer.text}`);
  if (code) assert.equal(answer.body.code, code);
  if (field) assert.ok(answer.body.fields?.[field], `fields.${field} is missing: ${answer.text}`);
}
