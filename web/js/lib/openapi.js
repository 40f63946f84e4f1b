// Reading an OpenAPI 3.1 document: references, operations by tag, schemas in words, examples.

/** What a value stands for when it is, or is not, a reference. */
export function deref(doc, value) {
  let v = value;
  for (let i = 0; v?.$ref && i < 16; i++) {
    v = v.$ref.slice(2).split('/').reduce((at, part) => at?.[part.replace(/~1/g, '/').replace(/~0/g, '~')], doc);
  }
  return v ?? {};
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** [{ tag, about, operations: [{ id, method, path, … }] }] in the document's order. */
export function operationsByTag(doc) {
  const groups = new Map((doc.tags ?? []).map((t) => [t.name, { tag: t.name, about: t.description, operations: [] }]));
  for (const [path, item] of Object.entries(doc.paths ?? {})) {
    for (const method of METHODS) {
      const op = item[method];
      if (!op) continue;
      const tag = op.tags?.[0] ?? 'other';
      if (!groups.has(tag)) groups.set(tag, { tag, operations: [] });
      const parameters = [...(item.parameters ?? []), ...(op.parameters ?? [])].map((p) => deref(doc, p));
      groups.get(tag).operations.push({ ...op, method, path, parameters, id: `${method}-${path.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '')}` });
    }
  }
  return [...groups.values()].filter((g) => g.operations.length);
}

/** A type in words: "integer 1..100", "rating | price", "array of chef". */
export function typeWords(doc, schema) {
  const s = deref(doc, schema);
  if (s.enum) return s.enum.map((v) => JSON.stringify(v)).join(' | ');
  if (s.anyOf || s.oneOf) return (s.anyOf ?? s.oneOf).map((x) => typeWords(doc, x)).join(' or ');
  const types = [s.type ?? (s.properties ? 'object' : 'any')].flat();
  const words = types.filter((t) => t !== 'null').map((t) => (t === 'array' ? `array of ${typeWords(doc, s.items ?? {})}` : s.format ?? t));
  if (s.minimum !== undefined || s.maximum !== undefined) words.push(`${s.minimum ?? ''}..${s.maximum ?? ''}`);
  if (s.minLength !== undefined || s.maxLength !== undefined) words.push(`${s.minLength ?? 0}..${s.maxLength ?? ''} characters`);
  if (types.includes('null')) words.push('or null');
  return words.join(' ');
}

/** The members of an object schema as rows; nested ones follow with their path. */
export function rowsOf(doc, schema, prefix = '', depth = 0) {
  const s = deref(doc, schema);
  if (s.allOf) return s.allOf.flatMap((part) => rowsOf(doc, part, prefix, depth));
  if (s.type === 'array' || [s.type].flat().includes('array')) return rowsOf(doc, s.items ?? {}, `${prefix}[]`, depth);
  if (!s.properties || depth > 4) return [];
  return Object.entries(s.properties).flatMap(([name, sub]) => {
    const path = prefix ? `${prefix}.${name}` : name;
    const p = deref(doc, sub);
    return [{ path, type: typeWords(doc, sub), required: s.required?.includes(name), help: p.description, fallback: p.default }, ...rowsOf(doc, sub, path, depth + 1)];
  });
}

/** An example value: the schema's own, or one made from its types. */
export function exampleOf(doc, schema, depth = 0) {
  const s = deref(doc, schema);
  if (s.example !== undefined) return s.example;
  if (s.examples?.length) return s.examples[0];
  if (s.default !== undefined) return s.default;
  if (s.enum) return s.enum[0];
  if (s.allOf) return Object.assign({}, ...s.allOf.map((x) => exampleOf(doc, x, depth)));
  if (s.anyOf || s.oneOf) return exampleOf(doc, (s.anyOf ?? s.oneOf)[0], depth);
  const type = [s.type ?? (s.properties ? 'object' : 'null')].flat().find((t) => t !== 'null');
  if (depth > 5) return null;
  if (type === 'object') return Object.fromEntries(Object.entries(s.properties ?? {}).map(([k, v]) => [k, exampleOf(doc, v, depth + 1)]));
  if (type === 'array') return [exampleOf(doc, s.items ?? {}, depth + 1)];
  if (type === 'integer' || type === 'number') return Math.max(s.minimum ?? 1, Math.min(1, s.maximum ?? 1));
  if (type === 'boolean') return true;
  if (type === 'string') return { 'date-time': '2030-01-15T09:00:00Z', date: '2030-01-15', email: 'kim@example.com', uri: 'https://example.com/' }[s.format] ?? 'text';
  return null;
}

/** The JSON media type of a request body or response, with its example. */
export function mediaOf(doc, holder) {
  const content = deref(doc, holder)?.content ?? {};
  const type = content['application/json'] ? 'application/json' : Object.keys(content)[0];
  if (!type) return null;
  const media = content[type];
  const named = Object.values(media.examples ?? {})[0];
  const example = media.example ?? deref(doc, named ?? {}).value ?? (media.schema ? exampleOf(doc, media.schema) : undefined);
  return { type, schema: media.schema, example };
}
