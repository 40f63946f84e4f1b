// Reads an OpenAPI document on standard input and prints what Spectral (spectral:oas, all rules that are on by default) and Redocly
// (recommended) find, a line each, hints included. Exit code 1 when there is any.
import { text } from 'node:stream/consumers';
import spectral from '@stoplight/spectral-core';
import rulesets from '@stoplight/spectral-rulesets';
import { createConfig, lintFromString } from '@redocly/openapi-core';

const source = await text(process.stdin);
const linter = new spectral.Spectral();
linter.setRuleset({ extends: [rulesets.oas] });
const found = (await linter.run(JSON.parse(source))).map((r) => `spectral ${r.code} at ${r.path.join('.')}: ${r.message}`);
const config = await createConfig({ extends: ['recommended'] });
for (const p of await lintFromString({ source, absoluteRef: 'openapi.json', config })) found.push(`redocly ${p.ruleId} at ${p.location[0]?.pointer}: ${p.message}`);
if (found.length > 0) console.log(found.join('\n'));
process.exitCode = found.length > 0 ? 1 : 0;
