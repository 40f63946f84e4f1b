// Steps that tests of jobs share. The jobs are of the kind platform.prune, which may run at any time and as often as one likes.
import { onDatabase } from './coocook.mjs';
import { until } from './proc.mjs';

/** Adds `n` jobs as a transaction of the program would have; returns their ids. */
export async function addJobs(server, n = 1, { owner = 0, runAt = Date.now(), key = 'NULL' } = {}) {
  const row = `('platform.prune', 'upkeep', 'upkeep', 5, ${runAt * 1000}, 3, '{}', ${key}, ${owner}, ${Date.now() * 1000})`;
  const rows = await onDatabase(server, `INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, job_key, owner_user, created_at)
    VALUES ${Array(n).fill(row).join(', ')} RETURNING id`);
  return rows.map(([id]) => Number(id)).filter(Boolean);
}

/** Runs one job, now, and waits for its end. A kind with a limit has a lane of its own, `queue/kind`. */
export async function runJob(server, kind, { queue = 'default', lane = queue, payload = {} } = {}) {
  const [[id]] = await onDatabase(server, `INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, created_at)
    VALUES ('${kind}', '${queue}', '${lane}', 5, ${Date.now() * 1000}, 3, '${JSON.stringify(payload)}', ${Date.now() * 1000}) RETURNING id`);
  const ended = () => onDatabase(server, `SELECT state FROM job_history WHERE id = ${id}`);
  const [[state]] = await until(async () => { const rows = await ended(); return rows.length && rows; }, { what: `the end of ${kind}` });
  if (state !== 'done') throw new Error(`${kind} ended ${state}`);
}

/** Adds very many. */
export async function addMany(server, n, { runAt, kind = 'platform.prune', queue = 'upkeep', payload = {} }) {
  const row = `'${kind}', '${queue}', '${queue}', 5, ${runAt * 1000}, 3, '${JSON.stringify(payload)}', ${Date.now() * 1000}`;
  const from = server.engine === 'postgres' ? `SELECT ${row} FROM generate_series(1, ${n})` : `WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ${n}) SELECT ${row} FROM i`;
  await onDatabase(server, `INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, created_at) ${from}`);
}

/** How many jobs of that kind are over in that state. */
export async function over(server, state = 'done', kind = 'platform.prune') {
  return Number((await onDatabase(server, `SELECT count(*) FROM job_history WHERE kind = '${kind}' AND state = '${state}'`))[0][0]);
}

/** Pids of the job workers that are ready. */
export async function jobWorkers(server, token) {
  const { body } = await server.get('/api/infrastructure/processes', { token, agent: false });
  return body.processes.filter((p) => p.name.startsWith('job worker') && p.status === 'ready').map((p) => p.pid);
}

/** Adds the job that hands out mails which were asked for together. mails: payloads of email.send. */
export async function addMails(server, mails, owner = 0) {
  const payload = JSON.stringify({ mails: mails.map((mail) => ({ user: owner, mail })) });
  const [[id]] = await onDatabase(server, `INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, created_at)
    VALUES ('email.batch', 'mail', 'mail', 5, ${Date.now() * 1000}, 3, '${payload}', ${Date.now() * 1000}) RETURNING id`);
  return Number(id);
}
