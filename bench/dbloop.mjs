// The database layer beside pgbench: the same statements, the same server, as many coroutines as pgbench has clients.
// Usage: node bench/dbloop.mjs OUTDIR [scenario...]      scenarios: point list insert transfer; BENCH_SECONDS, BENCH_CLIENTS
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exec } from '../tests/lib/proc.mjs';
import { Postgres, sql } from '../tests/lib/pg.mjs';
import { CLIENTS, SECONDS, pgbench } from './lib.mjs';

const FIELDS = 'id, name, bio, cuisine, city, price, rating, votes,';
const scripts = {
  point: `\\set a random(1, 10000)\nSELECT ${FIELDS} 0::int8 AS total FROM chefs WHERE id = :a;\n`,
  list: `SELECT ${FIELDS} (SELECT n FROM counts WHERE kind = 'all') AS total FROM chefs WHERE active ORDER BY rating DESC, votes DESC, id LIMIT 12 OFFSET 0;\n`,
  insert: '\\set a random(1, 10000)\nINSERT INTO entries (chef, hours) VALUES (:a, 2);\n',
  transfer: '\\set a random(1, 10000)\n\\set b random(1, 10000)\nBEGIN;\nUPDATE chefs SET price = price + 1 WHERE id = :a;\nINSERT INTO entries (chef, hours) VALUES (:b, 2);\nCOMMIT;\n',
};
const tables = `
  CREATE TABLE chefs (id bigint PRIMARY KEY, name text NOT NULL, bio text, cuisine text NOT NULL, city text NOT NULL, price bigint NOT NULL,
    rating float8 NOT NULL, votes bigint NOT NULL, active bool NOT NULL);
  INSERT INTO chefs SELECT i, '요리사 ' || i, repeat('집밥 ', 20), 'korean', '서울', 50000 + i, (i * 7919 % 500) / 100.0, i % 1000, i % 20 > 0 FROM generate_series(1, 10000) i;
  CREATE INDEX chefs_rating ON chefs (rating DESC, votes DESC, id) WHERE active;
  CREATE TABLE counts (kind text PRIMARY KEY, n bigint NOT NULL);
  INSERT INTO counts VALUES ('all', 9500);
  CREATE TABLE entries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, chef bigint NOT NULL, hours bigint NOT NULL);
  VACUUM ANALYZE chefs`;

const [outDir = 'build/bench', ...wanted] = process.argv.slice(2);
const pg = await Postgres.start({ durable: process.env.BENCH_DURABLE !== '0' });
try {
  await sql(pg.url(), 'CREATE DATABASE bench');
  for (const statement of tables.split(';\n')) await sql(pg.url('bench'), statement);
  console.log(`| statement, ${CLIENTS} at once | pgbench/s | dbloop/s | ratio | mean µs, pgbench | dbloop | p99 µs | CPU µs of ours | connections |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|`);
  for (const name of wanted.length ? wanted : Object.keys(scripts)) {
    const file = join(outDir, `${name}.sql`);
    writeFileSync(file, scripts[name]);
    const peer = await pgbench(pg, 'bench', file);
    const r = await exec(join(outDir, 'dbloop'), [pg.url('bench'), name, String(CLIENTS), String(SECONDS)]);
    if (r.code !== 0) throw new Error(r.stderr);
    const mine = JSON.parse(r.stdout);
    if (mine.errors) throw new Error(`${mine.errors} statements failed`);
    console.log(`| ${name} | ${peer ? Math.round(peer.rps) : ''} | ${mine.tps} | ${peer ? (mine.tps / peer.rps).toFixed(2) : ''} | ${peer ? Math.round(peer.meanMs * 1000) : ''} | ${mine.mean_us} | ${mine.p99_us} | ${mine.cpu_us} | ${mine.connections} |`);
  }
} finally {
  await pg.stop();
}
