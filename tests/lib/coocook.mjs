// Steps that tests of CooCook share: chefs, subscribed users, dates.
import assert from 'node:assert/strict';
import { exec } from './proc.mjs';
import { sql } from './pg.mjs';

/** YYYY-MM-DD, `days` from today in Seoul, where chefs are unless they say another zone. */
export const day = (days) => new Date(Date.now() + 9 * 3_600_000 + days * 86_400_000).toISOString().slice(0, 10);

/** Runs SQL on the server's database, whichever engine it is (for what no route can do). */
export async function onDatabase(server, text) {
  if (server.engine === 'postgres') return sql(server.database.url, text);
  const r = await exec('sqlite3', ['-cmd', '.timeout 10000', '-separator', '\t', server.database.path, text]);
  assert.equal(r.code, 0, r.stderr);
  return r.stdout.split('\n').filter(Boolean).map((l) => l.split('\t'));
}

/** Moves bookings that many days back, as if that time had passed. where: SQL that says which. */
export function letPass(server, where, days = 400) {
  const back = (column) => (server.engine === 'postgres' ? `${column} - interval '${days} days'` : `strftime('%Y-%m-%d %H:%M:%f000', ${column}, '-${days} days')`);
  return onDatabase(server, `UPDATE bookings SET starts_at = ${back('starts_at')}, ends_at = ${back('ends_at')} WHERE ${where}`);
}

/** Confirms the emails of these users, as if each had typed the code: until then their names are mailed to nobody. */
export const confirm = (server, ...users) => onDatabase(server, `UPDATE users SET email_confirmed = true WHERE id IN (${users.map((u) => u.id)})`);

/** A registered user with an active subscription to `slug` and a confirmed email. */
export async function subscriber(server, slug = 'coocook', user = {}) {
  const u = await server.user(user);
  const now = new Date().toISOString().slice(0, 19).replace('T', ' ');
  const end = day(300);
  await onDatabase(server, `INSERT INTO subscriptions (user_id, product_id, plan_type, status, current_period_start, current_period_end, created_at)
    SELECT ${u.id}, id, 'monthly', 'active', '${now}', '${end} 00:00:00', '${now}' FROM products WHERE slug = '${slug}' ON CONFLICT DO NOTHING; UPDATE users SET email_confirmed = true WHERE id = ${u.id}`);
  return u;
}

/** A chef of a new user: {id, user, ...}. */
export async function newChef(server, fields = {}) {
  const user = await server.user();
  const body = { name: '박셰프', cuisine_type: 'Korean', location: 'Seoul', price_per_session: 100_000, bio: '정성을 담은 집밥', ...fields };
  const r = await server.post('/api/coocook/chefs', body, { token: user.token });
  assert.equal(r.status, 201, r.text);
  return { ...body, id: r.body.id, user };
}
