// Job workers that are killed, upgraded and stopped; schedules whose keeper dies; a program of job workers alone.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { BIN, Server, onEachEngine } from '../lib/server.mjs';
import { Daemon, until } from '../lib/proc.mjs';
import { onDatabase } from '../lib/coocook.mjs';
import { addJobs, jobWorkers, over } from '../lib/jobs.mjs';

onEachEngine(describe, after, 'job workers', (engine) => {
  let s, admin;
  before(async () => {
    s = await Server.start({ engine, demo: true, env: { WORKERS: '1', JOB_WORKERS: '2', JOB_LEASE: '1s' } });
    admin = (await s.demoUser('admin')).token;
  });
  after(() => s?.stop());
  const ready = (not = []) => until(async () => {
    const pids = await jobWorkers(s, admin);
    return pids.length === 2 && pids.every((p) => !not.includes(p)) && pids;
  }, { ms: 30_000, what: 'two job workers' });
  const live = async () => Number((await onDatabase(s, "SELECT count(*) FROM jobs WHERE kind = 'platform.prune'"))[0][0]);
  const allDone = (n) => until(async () => (await live()) === 0 && (await over(s)) === n, { ms: 30_000, every: 100, what: `${n} jobs done` });

  test('kill -9: a successor takes its place, and each job is done once', async () => {
    await ready();
    const before = await over(s);
    for (let i = 0; i < 2; i++) {
      const [victim] = await ready();
      await addJobs(s, 150);
      process.kill(victim, 'SIGKILL');
      await ready([victim]);
    }
    await allDone(before + 300);
    assert.equal(await over(s, 'dead'), 0);
  });

  test('SIGHUP: new job workers, the supervisor stays, nothing is lost', async () => {
    const old = await ready(), before = await over(s);
    await addJobs(s, 200);
    s.daemon.signal('SIGHUP');
    await ready(old);
    await addJobs(s, 50);
    await allDone(before + 250);
    assert.equal(await over(s, 'dead'), 0);
  });

  test('each tick is one job although whoever keeps the schedules is killed', async () => {
    const before = await over(s);
    for (let i = 1; i <= 4; i++) {
      const [victim] = await ready();
      process.kill(victim, 'SIGKILL');
      await onDatabase(s, `UPDATE job_schedules SET next_at = ${(Date.now() - 7_200_000) * 1000} WHERE name = 'platform.prune'`);
      await until(async () => (await over(s)) >= before + i, { what: 'the tick' });
      await ready([victim]);
    }
    await until(async () => Number((await onDatabase(s, "SELECT next_at FROM job_schedules WHERE name = 'platform.prune'"))[0][0]) > Date.now() * 1000, { what: 'the next tick to lie ahead' });
    assert.equal(await live(), 0);
    assert.equal(await over(s), before + 4);
  });

  test('`softfactory worker` runs jobs of its queues beside, without a port', async () => {
    const beside = new Daemon(BIN, ['worker', '--queues', 'upkeep', '--job-workers', '1'], { env: s.env, cwd: s.dir.path });
    try {
      await beside.logContains('"msg":"all workers ready"');
      assert.ok(!beside.lines.some((l) => l.includes('"msg":"listening"')));
      const first = JSON.parse(beside.lines.find((l) => l.includes('"msg":"worker started"'))).pid;
      beside.signal('SIGHUP');
      await until(() => beside.lines.filter((l) => l.includes('"msg":"all workers ready"')).length === 2, { what: 'the upgrade', ms: 30_000 });
      await until(() => { try { process.kill(first, 0); return false; } catch { return true; } }, { what: 'the old worker to end' });
    } finally {
      assert.equal((await beside.stop('SIGTERM', 20_000)).code, 0, beside.log());
    }
    const wrong = new Daemon(BIN, ['worker', '--queues', 'nosuch'], { env: s.env, cwd: s.dir.path });
    assert.equal((await wrong.done).code, 2, wrong.log());
    const nowhere = new Daemon(BIN, ['worker'], { env: { ...s.env, AMQP_URL: 'http://localhost' }, cwd: s.dir.path });
    assert.equal((await nowhere.done).code, 2, nowhere.log());
    assert.match(nowhere.log(), /AMQP_URL must be amqp:/);
  });

  test('SIGTERM with jobs under way ends with code 0, and those left are there for the next', async () => {
    const before = await over(s);
    await addJobs(s, 300);
    s.daemon.signal('SIGTERM');
    assert.equal((await s.daemon.done).code, 0);
    assert.equal((await live()) + (await over(s)), before + 300);
    assert.equal(await onDatabase(s, "SELECT count(*) FROM jobs WHERE kind = 'platform.prune' AND state = 'running'").then((r) => Number(r[0][0])), 0);
  });
});

test('a job worker that stands still is killed and replaced, and what waited for it is run', async () => {
  const s = await Server.start({ engine: 'sqlite', demo: true, env: { WORKERS: '1', JOB_WORKERS: '1', JOB_LEASE: '1s', WATCHDOG: '5s' } });
  try {
    const admin = (await s.demoUser('admin')).token;
    const [stuck] = await until(async () => { const pids = await jobWorkers(s, admin); return pids.length && pids; }, { what: 'the job worker' });
    process.kill(stuck, 'SIGSTOP');
    await addJobs(s, 5);
    await until(async () => (await over(s)) === 5, { every: 100, what: 'a successor that runs them' });
    assert.match(s.daemon.log(), new RegExp(`"msg":"worker stands still, killed".*"pid":${stuck}`));
    assert.ok(!(await jobWorkers(s, admin)).includes(stuck));
  } finally {
    await s.stop();
  }
});
