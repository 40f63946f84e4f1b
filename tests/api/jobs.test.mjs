// Jobs as their owners follow them, and the queue as administrators see and steer it over HTTP and on the command line.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { BIN, Server, onEachEngine } from '../lib/server.mjs';
import { exec, tempDir, until } from '../lib/proc.mjs';
import { onDatabase } from '../lib/coocook.mjs';
import { addJobs, addMany, jobWorkers, over } from '../lib/jobs.mjs';

onEachEngine(describe, after, 'jobs', (engine) => {
  let s, admin, user, other;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { WORKERS: '1', JOB_WORKERS: '1', WATCHDOG: '0s' } });
    admin = (await s.demoUser('admin')).token;
    [user, other] = await Promise.all([s.user(), s.user()]);
  });
  after(() => s?.stop());
  const tomorrow = () => Date.now() + 86_400_000;
  const done = (id) => until(async () => {
    const r = await s.get(`/api/jobs/${id}`, { token: admin });
    return r.body.state === 'done' && r.body;
  }, { what: `job ${id} to be done` });
  const cli = (...args) => exec(BIN, ['jobs', ...args], { env: s.env, cwd: s.dir.path });

  test('a job is followed by its owner and by administrators, by nobody else', async () => {
    const [id] = await addJobs(s, 1, { owner: user.id });
    await done(id);
    const r = await s.get(`/api/jobs/${id}`, { token: user.token });
    assert.equal(r.status, 200, r.text);
    assert.deepEqual({ ...r.body, created_at: 0, finished_at: 0 }, { id, kind: 'platform.prune', state: 'done', attempts: 1, progress: r.body.progress,
      progress_text: null, error: null, result: null, created_at: 0, finished_at: 0 });
    assert.ok(Date.parse(r.body.created_at) <= Date.parse(r.body.finished_at));
    assert.equal((await s.get(`/api/jobs/${id}`, { token: other.token })).status, 404);
    assert.equal((await s.get(`/api/jobs/${id}`)).status, 401);
    assert.equal((await s.get('/api/jobs/999999999', { token: admin })).status, 404);
    const [nobodys] = await addJobs(s);
    assert.equal((await s.get(`/api/jobs/${nobodys}`, { token: user.token })).status, 404);
  });

  test('the queue is for administrators alone', async () => {
    const [id] = await addJobs(s, 1, { owner: user.id, runAt: tomorrow() });
    const calls = [['GET', ''], ['GET', '/counts'], ['GET', `/${id}`], ['POST', `/${id}/retry`], ['POST', `/${id}/discard`], ['POST', `/${id}/cancel`], ['POST', '/bulk', { action: 'cancel' }]];
    for (const [method, path, body] of calls) {
      assert.equal((await s.request(method, `/api/ops/jobs${path}`, { body })).status, 401, path);
      assert.equal((await s.request(method, `/api/ops/jobs${path}`, { body, token: user.token })).status, 403, path);
    }
    const r = await s.get(`/api/ops/jobs/${id}`, { token: admin });
    assert.equal(r.body.state, 'scheduled');
    assert.deepEqual(r.body.payload, {});
    assert.equal(r.body.owner, user.id);
    assert.equal((await s.post(`/api/ops/jobs/${id}/cancel`, undefined, { token: admin })).body.state, 'cancelled');
    assert.equal((await s.post(`/api/ops/jobs/${id}/cancel`, undefined, { token: admin })).status, 409);
    assert.equal((await s.post(`/api/ops/jobs/${id}/retry`, undefined, { token: admin })).status, 200);
    await done(id);
    assert.equal((await s.post(`/api/ops/jobs/${id}/retry`, undefined, { token: admin })).status, 409);
    assert.equal((await s.post('/api/ops/jobs/999999999/retry', undefined, { token: admin })).status, 404);
  });

  test('lists are filtered and paged by id; counts add up; bulk says how many before it acts', async () => {
    const ids = (await addJobs(s, 25, { runAt: tomorrow() })).sort((a, b) => b - a);
    const seen = [];
    let next = null, pages = 0;
    do {
      const r = await s.get(`/api/ops/jobs?state=scheduled&kind=platform.prune&limit=10${next ? `&before=${next}` : ''}`, { token: admin });
      assert.equal(r.status, 200, r.text);
      seen.push(...r.body.jobs.map((j) => j.id));
      next = r.body.next;
      pages++;
    } while (next);
    assert.deepEqual(seen, ids);
    assert.equal(pages, 3);
    assert.deepEqual((await s.get('/api/ops/jobs?kind=no.such', { token: admin })).body, { jobs: [], next: null });
    assert.equal((await s.get('/api/ops/jobs?state=lost', { token: admin })).status, 400);
    const counts = (await s.get('/api/ops/jobs/counts', { token: admin })).body.counts;
    assert.equal(counts.find((c) => c.kind === 'platform.prune' && c.state === 'scheduled').count, 25);

    const bulk = (body) => s.post('/api/ops/jobs/bulk', body, { token: admin });
    const filter = { action: 'cancel', state: 'scheduled', kind: 'platform.prune' };
    assert.deepEqual((await bulk({ ...filter, preview: true })).body, { action: 'cancel', preview: true, count: 25, more: false });
    assert.deepEqual((await bulk({ ...filter, most: 10 })).body, { action: 'cancel', preview: false, count: 10, more: true });
    assert.equal((await bulk(filter)).body.count, 15);
    assert.equal((await bulk({ ...filter, preview: true })).body.count, 0);
    assert.equal((await bulk({ action: 'delete' })).status, 400);
  });

  test('runs of schedules that had nothing to do are left out of lists, unless they are asked for', async () => {
    const list = async (query) => (await s.get(`/api/ops/jobs?limit=200&${query}`, { token: admin })).body.jobs;
    const ticks = async () => (await list('kind=platform.prune&state=done')).filter((j) => j.key === 'cron:platform.prune');
    /** The schedule's tick, due at once; the job that came of it. */
    const tick = async () => {
      const had = (await ticks()).length;
      await onDatabase(s, `UPDATE job_schedules SET next_at = ${(Date.now() - 1000) * 1000} WHERE name = 'platform.prune'`);
      const [newest] = await until(async () => { const all = await ticks(); return all.length > had && all; }, { what: 'the tick to be done' });
      return newest;
    };
    await tick(); // whatever there was
    const idle = await tick();
    await onDatabase(s, "INSERT INTO revoked_tokens (jti, expires_at, revoked_at) VALUES ('over', '2020-01-01 00:00:00', '2020-01-01 00:00:00')");
    const busy = await tick();
    assert.deepEqual([idle.result, busy.result], [null, { removed: 1 }]);
    const [plain] = await addJobs(s); // of the same kind, but no schedule's
    await done(plain);
    const shown = (jobs) => [idle.id, busy.id, plain].map((id) => jobs.some((j) => j.id === id));
    for (const query of ['', 'state=done', 'ticks=false', 'queue=upkeep']) assert.deepEqual(shown(await list(query)), [false, true, true], query);
    for (const query of ['ticks=true', 'state=done&ticks=true', 'kind=platform.prune', 'kind=platform.prune&state=done']) assert.deepEqual(shown(await list(query)), [true, true, true], query);
    assert.equal((await s.get('/api/ops/jobs?ticks=perhaps', { token: admin })).status, 400);
    await onDatabase(s, `UPDATE job_history SET state = 'dead', error = 'no luck' WHERE id = ${idle.id}`);
    assert.deepEqual(shown(await list('')), [true, true, true], 'one that failed is told');
    await onDatabase(s, `UPDATE job_history SET state = 'done' WHERE id = ${idle.id}`);
    const printed = async (...args) => shown(JSON.parse((await cli('list', '--json', '--limit', '1000', ...args)).stdout));
    assert.deepEqual(await printed(), [false, true, true]);
    assert.deepEqual(await printed('--ticks'), [true, true, true]);
    assert.deepEqual(await printed('--kind', 'platform.prune'), [true, true, true]);
    assert.equal((await cli('counts', '--ticks')).code, 2);
  });

  test('a long queue is not counted but estimated; what is over stays exact', async () => {
    const before = (await s.get('/api/ops/jobs/counts', { token: admin })).body.counts;
    assert.ok(before.every((c) => c.estimated === false));
    const [rare] = await addJobs(s, 1, { runAt: tomorrow() });
    await onDatabase(s, `UPDATE jobs SET error = 'needle' WHERE id = ${rare}`);
    const n = 120_000;
    await addMany(s, n, { runAt: tomorrow() });
    try {
      const { counts } = (await s.get('/api/ops/jobs/counts', { token: admin })).body;
      const waiting = counts.find((c) => c.kind === 'platform.prune' && c.state === 'scheduled');
      assert.equal(waiting.estimated, true);
      assert.ok(waiting.count > n * 0.8 && waiting.count < n * 1.2, `${waiting.count} are no ${n}`);
      for (const c of counts.filter((x) => ['done', 'dead', 'cancelled'].includes(x.state))) assert.equal(c.estimated, false, c.state);
      assert.match((await cli('counts')).stdout, /^platform\.prune +scheduled +about \d+$/m);
      const { text } = await s.get('/metrics');
      const depth = Number(/^jobs_depth\{queue="upkeep",state="scheduled"\} (\d+)$/m.exec(text)[1]);
      assert.ok(depth > n * 0.8 && depth < n * 1.2, `${depth} are no ${n}`);
      assert.match(text, /^jobs_due\{queue="upkeep"\} 0$/m);
      assert.doesNotMatch(text, /^jobs_oldest_due_seconds\{queue="upkeep"\}/m);
      // a filter that few pass: each page looks at so many and no more, and says where to go on
      const found = [];
      let next = null, pages = 0;
      do {
        const { body } = await s.get(`/api/ops/jobs?error=needle${next ? `&before=${next}` : ''}`, { token: admin });
        assert.ok(body.next === null || next === null || body.next < next);
        found.push(...body.jobs.map((j) => j.id));
        next = body.next;
        pages++;
      } while (next);
      assert.deepEqual(found, [rare]);
      assert.ok(pages >= n / 20_000 && pages < n / 10_000, `${pages} pages`);
      assert.equal((await s.post('/api/ops/jobs/bulk', { action: 'cancel', error: 'needle', preview: true }, { token: admin })).body.count, 1);
      assert.deepEqual(JSON.parse((await cli('list', '--error', 'needle', '--json')).stdout).map((j) => j.id), [rare]);
    } finally {
      await onDatabase(s, "DELETE FROM jobs WHERE kind = 'platform.prune'");
    }
  });

  test('hostile and wrong input is refused with the field that is wrong', async () => {
    const get = (query) => s.get(`/api/ops/jobs?${query}`, { token: admin });
    for (const query of ['state=ready%20OR%201=1', 'limit=0', 'limit=201', 'limit=ten', 'before=0', 'before=-1', 'before=9223372036854775808', `kind=${'k'.repeat(101)}`,
      `error=${'e'.repeat(201)}`, 'from=yesterday', 'to=2026-13-01T00:00:00Z', 'service=nobody', `service=${'s'.repeat(41)}`, 'kind=%00', 'kind=%ff', 'kind=%E2%80%AE']) {
      const r = await get(query);
      assert.equal(r.status, 400, query);
    }
    assert.ok('service' in (await get('service=nobody')).body.fields);
    for (const text of ["'; DROP TABLE jobs; --", '100%', '_', '!', '\\', '$1', ':kind']) {
      for (const name of ['kind', 'queue', 'error']) assert.deepEqual((await get(`${name}=${encodeURIComponent(text)}`)).body, { jobs: [], next: null }, `${name}=${text}`);
    }
    assert.deepEqual((await get('before=1')).body, { jobs: [], next: null });
    assert.equal((await get('limit=200&service=coocook')).status, 200);
    for (const path of ['0', '-1', 'x', '9223372036854775808', '1%20OR%201', '%2e%2e']) {
      assert.ok([400, 404].includes((await s.get(`/api/ops/jobs/${path}`, { token: admin })).status), path);
      assert.ok([400, 404].includes((await s.get(`/api/jobs/${path}`, { token: user.token })).status), path);
    }
    for (const body of [{}, { action: 'retry', most: 0 }, { action: 'retry', most: 10_001 }, { action: ['retry'] }, { action: 'retry', preview: 'yes' }, { action: 'retry', state: 'lost' }, { action: 'retry', service: 'nobody' }, [], 'retry', null])
      assert.equal((await s.post('/api/ops/jobs/bulk', body, { token: admin })).status, 400, JSON.stringify(body));
  });

  test('an error is found by a part of its text, a job by when it was added', async () => {
    const [id] = await addJobs(s, 1, { runAt: tomorrow() });
    await onDatabase(s, `UPDATE jobs SET error = '50% of _it_ failed!' WHERE id = ${id}`);
    const ids = async (query) => (await s.get(`/api/ops/jobs?${query}`, { token: admin })).body.jobs.map((j) => j.id);
    for (const part of ['50%', '_it_', 'FAILED!', 'of']) assert.deepEqual(await ids(`error=${encodeURIComponent(part)}`), [id], part);
    assert.deepEqual(await ids('error=50_'), []);
    const at = (ms) => encodeURIComponent(new Date(Date.now() + ms).toISOString());
    assert.deepEqual(await ids(`state=scheduled&from=${at(-60_000)}&to=${at(60_000)}`), [id]);
    assert.deepEqual(await ids(`state=scheduled&from=${at(60_000)}`), []);
    assert.deepEqual(await ids(`state=scheduled&to=${at(-60_000)}`), []);
    assert.equal((await s.post('/api/ops/jobs/bulk', { action: 'discard', error: '_it_' }, { token: admin })).body.count, 1);
  });

  test('what fails too often is a dead letter, says why, and runs once the cause is gone', async () => {
    await onDatabase(s, 'ALTER TABLE client_failures RENAME TO away');
    let id;
    try {
      [id] = await addJobs(s, 1, { owner: user.id });
      await until(async () => (await s.get(`/api/jobs/${id}`, { token: admin })).body.state === 'dead', { ms: 30_000, what: 'a dead letter' });
      const dead = (await s.get('/api/ops/jobs?state=dead', { token: admin })).body.jobs;
      assert.deepEqual(dead.map((j) => [j.id, j.attempts]), [[id, 3]]);
      assert.ok(dead[0].error.length > 5);
      assert.equal((await s.get(`/api/jobs/${id}`, { token: user.token })).body.error, 'The last attempt failed.');
    } finally {
      await onDatabase(s, 'ALTER TABLE away RENAME TO client_failures');
    }
    const listed = await cli('list', '--state', 'dead');
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, new RegExp(`^${id} +platform\\.prune +dead +3/3`, 'm'));
    const would = await cli('retry', '--state=dead');
    assert.match(would.stdout, /would act on 1 job \(1 dead\)/);
    for (const also of [['--limit', '1'], ['--before', '5'], [String(id)]]) assert.equal((await cli('retry', '--state', 'dead', '--yes', ...also)).code, 2, also);
    assert.match((await cli('show', String(id))).stdout, /^state +dead$/m);
    assert.equal((await cli('retry', '--state', 'dead', '--yes')).stdout, 'retry: 1 job\n');
    await done(id);
  });

  test('the command line shows, counts and acts, and says what it does not understand', async () => {
    const [id] = await addJobs(s, 1, { runAt: tomorrow() });
    assert.match((await cli('show', String(id))).stdout, /kind {6}platform\.prune\n/);
    assert.match((await cli('counts')).stdout, /^platform\.prune +scheduled +1$/m);
    assert.equal((await cli('discard', String(id))).code, 0);
    const again = await cli('cancel', String(id));
    assert.equal(again.code, 1);
    assert.match(again.stderr, /state of the job/);
    assert.equal((await cli('show', '999999999')).code, 1);
    const json = async (...args) => JSON.parse((await cli(...args, '--json')).stdout);
    assert.deepEqual(await json('show', String(id)), (await s.get(`/api/ops/jobs/${id}`, { token: admin })).body);
    assert.deepEqual(await json('counts'), (await s.get('/api/ops/jobs/counts', { token: admin })).body.counts);
    assert.deepEqual(await json('list', '--limit', '5'), (await s.get('/api/ops/jobs?limit=5', { token: admin })).body.jobs);
    assert.deepEqual(await json('retry', '--state', 'cancelled', '--kind', 'no.such'), { action: 'retry', preview: true, count: 0 });
    assert.deepEqual(await json('retry', String(id)), { action: 'retry', id });
    await done(id);
    assert.equal((await cli('list', '--service', 'coocook')).code, 0);
    const help = await cli('--help');
    for (const word of ['list', 'counts', 'show', 'retry', 'discard', 'cancel', '--json', '--yes', '--state', '--service']) assert.ok(help.stdout.includes(word), word);
    for (const args of [[], ['lose'], ['retry'], ['show'], ['list', '--from', 'noon'], ['list', '--limit', '0'], ['retry', 'all'], ['list', '--colour', 'red'], ['list', '--service', 'nobody'], ['list', '--service'], ['show', '1', '2'], ['counts', '1'],
      ['counts', '--state', 'dead'], ['list', '--state', 'deed'], ['list', '--limit', '1001'], ['list', '--yes'], ['discard', String(id), '--kind', 'platform.prune']]) {
      const r = await cli(...args);
      assert.equal(r.code, 2, args.join(' '));
      assert.match(r.stderr, /^softfactory: .+\n$/, args.join(' '));
      assert.equal(r.stdout, '');
    }
  });

  test('metrics and processes tell of the job worker', async () => {
    assert.equal((await jobWorkers(s, admin)).length, 1);
    const n = await over(s);
    const value = (text, name) => Number(text.match(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm'))?.[1]);
    // counters are published once a second; jobs of other kinds are among those that are done
    const text = await until(async () => {
      const { text } = await s.get('/metrics');
      return value(text, 'jobs_done_total') >= n && value(text, 'jobs_dead_total') > 0 && text;
    }, { what: 'the counters' });
    assert.ok(value(text, 'jobs_failed_total') >= 2);
    if (process.env.AMQP_URL) assert.ok(value(text, 'jobs_brought_total') > 0, 'none came through RabbitMQ');
    assert.equal(value(text, 'jobs_dead_total'), 1);
    assert.match(text, /^jobs\{kind="platform\.prune",state="done"\} [1-9]/m);
    assert.match(text, /^jobs_idle_seconds\{worker="1"\} /m);
    assert.match(text, /^jobs_running\{worker="1"\} 0$/m);
    assert.ok(value(text, 'jobs_claimed_total') >= n);
    const runs = (outcome) => Number(text.match(new RegExp(`^job_duration_seconds_count\\{kind="platform\\.prune",outcome="${outcome}"\\} (\\d+)$`, 'm'))?.[1]);
    assert.ok(runs('done') >= n);
    assert.equal(runs('failed'), 2); // of the dead letter's three
    assert.equal(runs('dead'), 1);
    assert.match(text, /^job_duration_seconds_bucket\{kind="platform\.prune",outcome="done",le="\+Inf"\} [1-9]/m);
  });

  test('a job worker that stands still, and the queue behind it, are seen', { skip: engine !== 'sqlite' && 'the same on every engine' }, async () => {
    const [pid] = await jobWorkers(s, admin);
    const idle = async () => (await s.get('/api/infrastructure/processes', { token: admin })).body.processes.find((p) => p.pid === pid).idle_seconds;
    const behind = async () => (await s.get('/api/ops/jobs/counts', { token: admin })).body.queues;
    let id;
    assert.equal((await s.get('/api/infrastructure/processes', { token: admin })).body.processes[0].idle_seconds, null, 'the supervisor runs no jobs');
    process.kill(pid, 'SIGSTOP');
    try {
      [id] = await addJobs(s, 1);
      await until(async () => (await idle()) >= 6, { ms: 60_000, what: 'the process to be shown as standing still' }); // figures are stale after 5 s
      assert.match((await s.get('/metrics')).text, /^jobs_idle_seconds\{worker="1"\} ([6-9]|\d\d)/m);
      const [queue, ...others] = await behind();
      assert.deepEqual([queue.queue, queue.due, queue.estimated, others], ['upkeep', 1, false, []]);
      assert.ok(queue.oldest_seconds >= 1);
      assert.match((await cli('counts')).stdout, /^upkeep +1 +\d+\.\d s$/m);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await done(id);
    assert.deepEqual(await behind(), []);
    await until(async () => (await idle()) < 6, { what: 'the process to be at work again' });
  });
});

test('a service with a database of its own has its jobs there: they run, and are seen by its name', async () => {
  const own = tempDir();
  const path = join(own.path, 'coocook.db');
  const s = await Server.start({ demo: true, env: { WORKERS: '1', JOB_WORKERS: '1', COOCOOK_DATABASE_URL: `sqlite:///${path}` } });
  try {
    const admin = (await s.demoUser('admin')).token;
    const sqlite = async (text) => {
      const r = await exec('sqlite3', ['-cmd', '.timeout 10000', path, text]);
      assert.equal(r.code, 0, r.stderr);
      return r.stdout.trim();
    };
    const now = Date.now() * 1000;
    await sqlite("INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', 7000)"); // ids that the other database does not have
    const id = Number(await sqlite(`INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, created_at)
      VALUES ('platform.prune', 'upkeep', 'upkeep', 5, ${now}, 3, '{}', ${now}) RETURNING id`));
    const job = await until(async () => {
      const { body } = await s.get(`/api/ops/jobs/${id}?service=coocook`, { token: admin });
      return body.state === 'done' && body;
    }, { ms: 60_000, what: 'the job to be done' });
    assert.equal(job.kind, 'platform.prune');
    assert.equal((await s.get(`/api/ops/jobs/${id}`, { token: admin })).status, 404);
    assert.equal((await s.get(`/api/jobs/${id}?service=coocook`, { token: admin })).status, 200);
    assert.deepEqual((await s.get('/api/ops/jobs?service=coocook&kind=platform.prune', { token: admin })).body.jobs.map((j) => j.id), [id]);
    assert.deepEqual((await s.get('/api/ops/jobs/counts?service=coocook', { token: admin })).body.counts.find((c) => c.kind === 'platform.prune'),
      { kind: 'platform.prune', state: 'done', count: 1, estimated: false });
    assert.equal((await s.post(`/api/ops/jobs/${id}/retry?service=coocook`, undefined, { token: admin })).status, 409); // it is done
    const listed = await exec(BIN, ['jobs', 'show', String(id), '--service', 'coocook'], { env: s.env, cwd: s.dir.path });
    assert.equal(listed.code, 0, listed.stderr);
  } finally {
    await s.stop();
    own.remove();
  }
});
