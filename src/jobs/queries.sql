-- The queue's statements. Every one that ends or gives back a run names its worker: whoever lost the job touches no row.
-- Instants are µs.
--
-- PostgreSQL keeps the plans, so they must be right however many jobs there are (see migration 0004). What names ids says
-- nothing of the state, only of the worker, which is set while a job runs: then no other index than that of the
-- ids fits, whatever the statistics say.

-- ---- adding ----

-- name: add :one no row: one of that key is live. run_at 0: now, by the database's clock
-- in: kind text, queue text, lane text, priority int, run_at int, max_attempts int, payload text, job_key text?, owner_user int, trace text?
-- out: id int
INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, job_key, owner_user, trace, created_at)
VALUES (:kind, :queue, :lane, :priority, CASE WHEN :run_at = 0 THEN jobs_now() ELSE :run_at END, :max_attempts,
        :payload, :job_key, :owner_user, :trace, jobs_now())
ON CONFLICT (kind, job_key) WHERE job_key IS NOT NULL DO NOTHING RETURNING id;
-- sqlite:
INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, job_key, owner_user, trace, created_at)
VALUES (:kind, :queue, :lane, :priority,
        CASE WHEN :run_at = 0 THEN CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000 ELSE :run_at END,
        :max_attempts, :payload, :job_key, :owner_user, :trace,
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000)
ON CONFLICT (kind, job_key) WHERE job_key IS NOT NULL DO NOTHING RETURNING id;

-- name: keyed :one the live job of a key
-- in: kind text, job_key text
-- out: id int
SELECT id FROM jobs WHERE kind = :kind AND job_key = :job_key;

-- name: add_many :exec jobs: a JSON array of objects
-- in: jobs text
INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, job_key, owner_user, trace, created_at)
SELECT kind, queue, lane, priority, COALESCE(run_at, jobs_now()), max_attempts, payload, job_key, owner_user, trace, jobs_now()
FROM json_to_recordset(CAST(:jobs AS json)) AS j(kind text, queue text, lane text, priority bigint, run_at bigint,
     max_attempts bigint, payload text, job_key text, owner_user bigint, trace text)
ON CONFLICT (kind, job_key) WHERE job_key IS NOT NULL DO NOTHING;
-- sqlite:
INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, job_key, owner_user, trace, created_at)
SELECT value ->> 'kind', value ->> 'queue', value ->> 'lane', value ->> 'priority',
       COALESCE(value ->> 'run_at', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000),
       value ->> 'max_attempts', value ->> 'payload', value ->> 'job_key', value ->> 'owner_user', value ->> 'trace',
       CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000
FROM json_each(:jobs) WHERE true
ON CONFLICT (kind, job_key) WHERE job_key IS NOT NULL DO NOTHING;

-- ---- workers ----

-- name: worker_add :one
-- in: name text, now int, lease int
-- out: id int, now int
INSERT INTO job_workers (name, beat_at, expires_at) VALUES (:name, jobs_now(), jobs_now() + :lease + 0 * :now)
RETURNING id, jobs_now() AS now;
-- sqlite:
INSERT INTO job_workers (name, beat_at, expires_at) VALUES (:name, :now, :now + :lease) RETURNING id, :now AS now;

-- name: worker_beat :one no row: the lease was taken away. held: how many jobs it runs; cancel: how many of them are asked to stop
-- in: id int, now int, lease int
-- out: now int, held int, cancel int
UPDATE job_workers SET beat_at = jobs_now(), expires_at = jobs_now() + :lease + 0 * :now WHERE id = :id
RETURNING jobs_now() AS now,
          (SELECT count(*) FROM jobs WHERE worker = :id AND state = 'running') AS held,
          (SELECT count(*) FROM jobs WHERE worker = :id AND state = 'running' AND cancel_requested = 1) AS cancel;
-- sqlite:
UPDATE job_workers SET beat_at = :now, expires_at = :now + :lease WHERE id = :id
RETURNING :now AS now,
          (SELECT count(*) FROM jobs WHERE worker = :id AND state = 'running') AS held,
          (SELECT count(*) FROM jobs WHERE worker = :id AND state = 'running' AND cancel_requested = 1) AS cancel;

-- name: worker_list :many
-- out: id int, name text, expires_at int
SELECT id, name, expires_at FROM job_workers;

-- name: worker_lock :one
-- in: id int
-- out: expires_at int
SELECT expires_at FROM job_workers WHERE id = :id FOR UPDATE;

-- name: worker_gone :exec
-- in: id int
DELETE FROM job_workers WHERE id = :id;

-- name: rescue_bury :exec of those to blame, the ones that took their worker down too often
-- in: worker int, ids ints, crashes int, error text, now int
WITH gone AS (
    DELETE FROM jobs WHERE id = ANY(:ids) AND worker = :worker AND crashes + 1 >= :crashes RETURNING *
), kept AS (
    INSERT INTO job_history (id, kind, queue, priority, run_at, state, attempts, max_attempts, crashes, payload, job_key,
        owner_user, trace, progress, progress_text, error, result, created_at, started_at, finished_at)
    SELECT id, kind, queue, priority, run_at, 'dead', attempts, max_attempts, crashes + 1, payload, job_key,
        owner_user, trace, progress, progress_text, :error, NULL, created_at, started_at, :now FROM gone
    RETURNING kind
)
INSERT INTO job_tally (kind, state, day, n)
SELECT kind, 'dead', CAST(:now AS bigint) / 86400000000, count(*) FROM kept GROUP BY kind;
-- sqlite:
UPDATE jobs SET crashes = crashes + 1, error = :error, finished_at = :now, final_state = 'dead'
WHERE id IN (SELECT value FROM json_each(:ids)) AND worker = :worker AND crashes + 1 >= :crashes;

-- name: rescue_blamed :exec the others of those to blame are suspects from now on. certain 0: one of them did it, so only the first suspicion counts
-- in: worker int, ids ints, certain int, error text
UPDATE jobs SET state = 'retrying', worker = NULL, fence = fence + 1, attempts = attempts - 1, error = :error,
    crashes = CASE WHEN :certain = 1 OR crashes = 0 THEN crashes + 1 ELSE crashes END,
    lane = CASE WHEN crashes = 0 THEN lane || '!' ELSE lane END
WHERE id = ANY(:ids) AND worker = :worker;

-- name: rescue :exec the rest goes back as if nothing had happened
-- in: worker int
UPDATE jobs SET worker = NULL, fence = fence + 1, attempts = attempts - 1,
    state = CASE WHEN error IS NULL THEN 'ready' ELSE 'retrying' END
WHERE worker = :worker AND state = 'running';

-- name: rescue_orphans :exec claimed by a worker whose row was taken away while the claim was on its way
-- in: error text
UPDATE jobs SET state = 'retrying', worker = NULL, fence = fence + 1, attempts = attempts - 1, error = :error
WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM job_workers w WHERE w.id = jobs.worker);

-- name: mine :many what the database says this worker runs
-- in: worker int
-- out: id int, fence int, cancel_requested int
SELECT id, fence, cancel_requested FROM jobs WHERE worker = :worker AND state = 'running';

-- ---- claiming ----

-- name: claim :many lanes: PostgreSQL a JSON array of {lane, priority, floor}, in the order of claiming; SQLite one lane's name
-- in: worker int, now int, lanes text, n int
-- out: id int, kind text, priority int, run_at int, attempts int, max_attempts int, crashes int, payload text, trace text?, fence int, cancel_requested int, progress int
SELECT id, kind, priority, run_at, attempts, max_attempts, crashes, payload, trace, fence, cancel_requested, progress
FROM jobs_claim(:worker, :now, :lanes, :n);
-- sqlite:
UPDATE jobs SET state = 'running', worker = :worker, fence = fence + 1, attempts = attempts + 1, started_at = :now
WHERE id IN (SELECT id FROM jobs WHERE lane = :lanes AND priority IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND run_at <= :now
             AND state <> 'running' ORDER BY priority, run_at, id LIMIT :n)
RETURNING id, kind, priority, run_at, attempts, max_attempts, crashes, payload, trace, fence, cancel_requested, progress;

-- name: due :one how many of a lane are due, up to most
-- in: lane text, now int, most int
-- out: n int
SELECT count(*) AS n FROM (
    SELECT 1 FROM generate_series(CAST(0 AS bigint), 9) AS p(priority)
    CROSS JOIN LATERAL (SELECT 1 FROM jobs j WHERE j.lane = :lane AND j.priority = p.priority AND j.run_at <= :now
        AND j.state <> 'running' ORDER BY j.lane, j.priority, j.run_at LIMIT :most) AS d
    LIMIT :most) AS n;
-- sqlite:
SELECT count(*) AS n FROM (SELECT 1 FROM jobs WHERE lane = :lane AND priority IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    AND run_at <= :now AND state <> 'running' LIMIT :most) AS d;

-- name: next :one when the next job comes due; NULL: none
-- in: lanes text, now int
-- out: run_at int?
SELECT min(d.run_at) AS run_at
FROM json_to_recordset(CAST(:lanes AS json)) AS l(lane text, priority bigint)
CROSS JOIN LATERAL (SELECT j.run_at FROM jobs j
    WHERE j.lane = l.lane AND j.priority = l.priority AND j.run_at > :now AND j.state <> 'running'
    ORDER BY j.lane, j.priority, j.run_at LIMIT 1) d;
-- sqlite:
SELECT min(run_at) AS run_at FROM jobs WHERE run_at > :now AND state <> 'running' AND :lanes IS NOT NULL;

-- name: limit_add :exec
-- in: kind text
INSERT INTO job_limits (kind, next_at) VALUES (:kind, 0) ON CONFLICT (kind) DO NOTHING;

-- name: limit_lock :one
-- in: kind text
-- out: next_at int
SELECT next_at FROM job_limits WHERE kind = :kind FOR UPDATE;

-- name: limit_set :exec
-- in: kind text, next_at int
UPDATE job_limits SET next_at = :next_at WHERE kind = :kind;

-- name: limit_running :one
-- in: lane text, suspects text
-- out: n int
SELECT count(*) AS n FROM jobs WHERE (lane = :lane OR lane = :suspects) AND state = 'running' AND lane <> queue;

-- name: lanes :many the lanes that hold jobs, found by skipping through the index
-- out: lane text
WITH RECURSIVE at (lane) AS (
    SELECT (SELECT lane FROM jobs WHERE state <> 'running' ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT j.lane FROM jobs j WHERE j.state <> 'running' AND j.lane > at.lane ORDER BY j.lane LIMIT 1) FROM at WHERE at.lane IS NOT NULL
)
SELECT lane FROM at WHERE lane IS NOT NULL;

-- name: relane :exec jobs of a lane that the declarations know no more
-- in: was text, kind text, lane text
UPDATE jobs SET lane = CASE WHEN crashes > 0 THEN :lane || '!' ELSE :lane END
WHERE lane = :was AND kind = :kind AND state <> 'running';

-- ---- ending ----

-- name: done :exec many at once. The worker's number alone says whose they are: it never claims a job again that it still runs
-- in: worker int, ids ints, now int
WITH gone AS (
    DELETE FROM jobs WHERE id = ANY(:ids) AND worker = :worker RETURNING *
), tally AS (
    INSERT INTO job_tally (kind, state, day, n)
    SELECT kind, 'done', CAST(:now AS bigint) / 86400000000, count(*) FROM gone GROUP BY kind
)
INSERT INTO job_history (id, kind, queue, priority, run_at, state, attempts, max_attempts, crashes, payload, job_key,
    owner_user, trace, progress, progress_text, error, result, created_at, started_at, finished_at)
SELECT id, kind, queue, priority, run_at, 'done', attempts, max_attempts, crashes, payload, job_key,
    owner_user, trace, progress, progress_text, error, NULL, created_at, started_at, :now FROM gone;
-- sqlite:
UPDATE jobs SET finished_at = :now, final_state = 'done'
WHERE id IN (SELECT value FROM json_each(:ids)) AND worker = :worker;

-- name: over :exec one, with all there is to say
-- in: id int, worker int, fence int, state text, error text?, result text?, now int
WITH gone AS (
    DELETE FROM jobs WHERE id = :id AND worker = :worker AND fence = :fence RETURNING *
), tally AS (
    INSERT INTO job_tally (kind, state, day, n) SELECT kind, :state, CAST(:now AS bigint) / 86400000000, 1 FROM gone
)
INSERT INTO job_history (id, kind, queue, priority, run_at, state, attempts, max_attempts, crashes, payload, job_key,
    owner_user, trace, progress, progress_text, error, result, created_at, started_at, finished_at)
SELECT id, kind, queue, priority, run_at, :state, attempts, max_attempts, crashes, payload, job_key,
    owner_user, trace, progress, progress_text, COALESCE(:error, error), :result, created_at, started_at, :now FROM gone;
-- sqlite:
UPDATE jobs SET finished_at = :now, error = COALESCE(:error, error), result = :result, final_state = :state
WHERE id = :id AND worker = :worker AND fence = :fence;

-- name: back :exec runs again at run_at; uncount 1: this was no attempt
-- in: id int, worker int, fence int, run_at int, uncount int, error text?
UPDATE jobs SET worker = NULL, run_at = :run_at, attempts = attempts - :uncount, error = COALESCE(:error, error),
    state = CASE WHEN COALESCE(:error, error) IS NULL THEN 'ready' ELSE 'retrying' END
WHERE id = :id AND worker = :worker AND fence = :fence;

-- name: give_back :exec claimed, never begun
-- in: worker int, ids ints
UPDATE jobs SET worker = NULL, attempts = attempts - 1, state = CASE WHEN error IS NULL THEN 'ready' ELSE 'retrying' END
WHERE id = ANY(:ids) AND worker = :worker;

-- name: progress :one
-- in: id int, worker int, fence int, progress int, what text?
-- out: cancel_requested int
UPDATE jobs SET progress = :progress, progress_text = :what
WHERE id = :id AND worker = :worker AND fence = :fence RETURNING cancel_requested;

-- ---- looking ----

-- name: live_get :one
-- in: id int, now int
-- out: id int, kind text, queue text, state text, priority int, run_at int, attempts int, max_attempts int, payload text, job_key text?, owner_user int, progress int, progress_text text?, error text?, result text?, created_at int, started_at int, finished_at int
SELECT id, kind, queue, CASE WHEN state = 'ready' AND run_at > :now THEN 'scheduled' ELSE state END AS state, priority, run_at, attempts, max_attempts,
    payload, job_key, owner_user, progress, progress_text, error, CAST(NULL AS text) AS result, created_at, started_at,
    CAST(0 AS bigint) AS finished_at FROM jobs WHERE id = :id;

-- name: over_get :one
-- in: id int
-- out: id int, kind text, queue text, state text, priority int, run_at int, attempts int, max_attempts int, payload text, job_key text?, owner_user int, progress int, progress_text text?, error text?, result text?, created_at int, started_at int, finished_at int
SELECT id, kind, queue, state, priority, run_at, attempts, max_attempts, payload, job_key, owner_user, progress,
    progress_text, error, result, created_at, started_at, finished_at
FROM job_history WHERE id = :id ORDER BY finished_at DESC LIMIT 1;

-- A page looks at 20,000 jobs at most, whatever the filter: these say where such a stretch of ids ends. No row: at the end.

-- name: live_floor :one
-- in: before int
-- out: id int
SELECT id FROM jobs WHERE id < :before ORDER BY id DESC LIMIT 1 OFFSET 19999;

-- name: over_floor :one
-- in: before int
-- out: id int
SELECT id FROM job_history WHERE id < :before ORDER BY id DESC LIMIT 1 OFFSET 19999;

-- name: failed_floor :one
-- in: before int, state text
-- out: id int
SELECT id FROM job_history WHERE state = :state AND state <> 'done' AND id < :before ORDER BY id DESC LIMIT 1 OFFSET 19999;

-- name: live_ceiling :one
-- in: after int
-- out: id int
SELECT id FROM jobs WHERE id > :after ORDER BY id LIMIT 1 OFFSET 19999;

-- name: failed_ceiling :one
-- in: after int, state text
-- out: id int
SELECT id FROM job_history WHERE state = :state AND state <> 'done' AND id > :after ORDER BY id LIMIT 1 OFFSET 19999;

-- name: live_list :many error: a pattern
-- in: before int, floor int, from_ int, until int, kind text?, queue text?, error text?, state text?, now int, n int
-- out: id int, kind text, queue text, state text, priority int, run_at int, attempts int, max_attempts int, payload text, job_key text?, owner_user int, progress int, progress_text text?, error text?, result text?, created_at int, started_at int, finished_at int
SELECT id, kind, queue, CASE WHEN state = 'ready' AND run_at > :now THEN 'scheduled' ELSE state END AS state, priority, run_at, attempts, max_attempts,
    payload, job_key, owner_user, progress, progress_text, error, CAST(NULL AS text) AS result, created_at, started_at,
    CAST(0 AS bigint) AS finished_at
FROM jobs WHERE id < :before AND id >= :floor AND created_at >= :from_ AND created_at < :until AND (:kind IS NULL OR kind = :kind)
    AND (:queue IS NULL OR queue = :queue) AND (:error IS NULL OR error @ilike :error ESCAPE '!')
    AND (:state IS NULL OR CASE WHEN state = 'ready' AND run_at > :now THEN 'scheduled' ELSE state END = :state)
ORDER BY id DESC LIMIT :n;

-- name: over_list :many state NULL: any
-- in: before int, floor int, from_ int, until int, kind text?, queue text?, error text?, state text?, n int
-- out: id int, kind text, queue text, state text, priority int, run_at int, attempts int, max_attempts int, payload text, job_key text?, owner_user int, progress int, progress_text text?, error text?, result text?, created_at int, started_at int, finished_at int
SELECT id, kind, queue, state, priority, run_at, attempts, max_attempts, payload, job_key, owner_user, progress,
    progress_text, error, result, created_at, started_at, finished_at
FROM job_history WHERE id < :before AND id >= :floor AND created_at >= :from_ AND created_at < :until AND (:kind IS NULL OR kind = :kind)
    AND (:queue IS NULL OR queue = :queue) AND (:error IS NULL OR error @ilike :error ESCAPE '!')
    AND (:state IS NULL OR state = :state)
ORDER BY id DESC LIMIT :n;

-- name: failed_list :many dead or cancelled, by an index of their own
-- in: before int, floor int, from_ int, until int, kind text?, queue text?, error text?, state text, n int
-- out: id int, kind text, queue text, state text, priority int, run_at int, attempts int, max_attempts int, payload text, job_key text?, owner_user int, progress int, progress_text text?, error text?, result text?, created_at int, started_at int, finished_at int
SELECT id, kind, queue, state, priority, run_at, attempts, max_attempts, payload, job_key, owner_user, progress,
    progress_text, error, result, created_at, started_at, finished_at
FROM job_history WHERE state = :state AND state <> 'done' AND id < :before AND id >= :floor AND created_at >= :from_ AND created_at < :until AND (:kind IS NULL OR kind = :kind)
    AND (:queue IS NULL OR queue = :queue) AND (:error IS NULL OR error @ilike :error ESCAPE '!')
ORDER BY id DESC LIMIT :n;

-- name: waiting :many exact: of those that wait at most 20,001, by the index, and all that run. A number, for plans that do not see parameters
-- in: now int
-- out: kind text, queue text, state text, n int, due int
SELECT kind, queue, CASE WHEN state = 'ready' AND run_at > :now THEN 'scheduled' ELSE state END AS state, count(*) AS n,
    count(CASE WHEN run_at <= :now THEN 1 END) AS due
FROM (SELECT kind, queue, state, run_at FROM jobs WHERE state <> 'running' ORDER BY lane, priority, run_at, id LIMIT 20001) AS w
GROUP BY 1, 2, 3
UNION ALL
SELECT kind, queue, state, count(*) AS n, CAST(0 AS bigint) AS due FROM jobs WHERE state = 'running' GROUP BY 1, 2, 3;

-- name: waiting_about :many estimated from a part of a large table: PostgreSQL takes `part` of its pages, SQLite `part` short stretches of ids
-- in: now int, part int
-- out: kind text, queue text, state text, n int, due int
SELECT kind, queue, state, CAST(round(n * scale) AS bigint) AS n, CAST(round(due * scale) AS bigint) AS due
FROM (
    SELECT kind, queue, CASE WHEN state = 'ready' AND run_at > :now THEN 'scheduled' ELSE state END AS state,
        count(*) AS n, count(CASE WHEN run_at <= :now THEN 1 END) AS due
    FROM jobs TABLESAMPLE SYSTEM (LEAST(100.0, 100.0 * :part * CAST(current_setting('block_size') AS bigint) / GREATEST(pg_relation_size('jobs'), 1)))
    WHERE state <> 'running' GROUP BY 1, 2, 3
) AS j CROSS JOIN (
    SELECT GREATEST(1.0, pg_relation_size('jobs') / (CAST(current_setting('block_size') AS bigint) * 1.0 * :part)) AS scale
) AS s;
-- sqlite:
WITH RECURSIVE span AS (
    SELECT (SELECT min(id) FROM jobs) AS lo, ((SELECT max(id) FROM jobs) - (SELECT min(id) FROM jobs)) / :part + 1 AS step
), at (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM at WHERE i + 1 < :part)
SELECT kind, queue, CASE WHEN state = 'ready' AND run_at > :now THEN 'scheduled' ELSE state END AS state,
    CAST(round(count(*) * max(1.0, step / 500.0)) AS INTEGER) AS n,
    CAST(round(count(CASE WHEN run_at <= :now THEN 1 END) * max(1.0, step / 500.0)) AS INTEGER) AS due
FROM at CROSS JOIN span CROSS JOIN jobs
WHERE id >= span.lo + i * span.step AND id < span.lo + i * span.step + min(span.step, 500)
    AND state <> 'running'
GROUP BY 1, 2, 3;

-- name: tallies :many of what is over
-- out: kind text, state text, n int
SELECT kind, state, CAST(sum(n) AS bigint) AS n FROM job_tally GROUP BY kind, state HAVING sum(n) > 0;

-- name: oldest :many by queue, of what is due, skipping from lane to lane through the index
-- in: now int
-- out: queue text, oldest_at int
WITH RECURSIVE at (lane) AS (
    SELECT (SELECT min(lane) FROM jobs WHERE state <> 'running')
    UNION ALL
    SELECT (SELECT min(j.lane) FROM jobs j WHERE j.state <> 'running' AND j.lane > at.lane) FROM at WHERE at.lane IS NOT NULL
)
SELECT d.queue, min(d.run_at) AS oldest_at FROM at CROSS JOIN generate_series(0, 9) AS p
CROSS JOIN LATERAL (SELECT j.queue, j.run_at FROM jobs j
    WHERE j.lane = at.lane AND j.priority = p AND j.state <> 'running' AND j.run_at <= :now
    ORDER BY j.lane, j.priority, j.run_at LIMIT 1) d
GROUP BY d.queue;
-- sqlite:
WITH RECURSIVE at (lane) AS (
    SELECT (SELECT min(lane) FROM jobs WHERE state <> 'running')
    UNION ALL
    SELECT (SELECT min(j.lane) FROM jobs j WHERE j.state <> 'running' AND j.lane > at.lane) FROM at WHERE at.lane IS NOT NULL
)
SELECT queue, min(run_at) AS oldest_at FROM (
    SELECT (SELECT j.queue FROM jobs j WHERE j.lane = at.lane AND j.state <> 'running' LIMIT 1) AS queue,
        (SELECT min(j.run_at) FROM jobs j WHERE j.lane = at.lane AND j.priority = p.value AND j.state <> 'running'
            AND j.run_at <= :now) AS run_at
    FROM at CROSS JOIN json_each('[0,1,2,3,4,5,6,7,8,9]') AS p WHERE at.lane IS NOT NULL
) WHERE run_at IS NOT NULL GROUP BY queue;

-- ---- steering; ids are few ----

-- name: live_ids :many states: ",ready,retrying,"
-- in: after int, ceiling int, from_ int, until int, kind text?, queue text?, error text?, states text, now int, n int
-- out: id int
SELECT id FROM jobs WHERE id > :after AND id <= :ceiling AND created_at >= :from_ AND created_at < :until AND (:kind IS NULL OR kind = :kind)
    AND (:queue IS NULL OR queue = :queue) AND (:error IS NULL OR error @ilike :error ESCAPE '!')
    AND :states LIKE '%,' || CASE WHEN state = 'ready' AND run_at > :now THEN 'scheduled' ELSE state END || ',%'
ORDER BY id LIMIT :n;

-- name: failed_ids :many
-- in: after int, ceiling int, from_ int, until int, kind text?, queue text?, error text?, state text, n int
-- out: id int
SELECT id FROM job_history WHERE state = :state AND state <> 'done' AND id > :after AND id <= :ceiling AND created_at >= :from_ AND created_at < :until AND (:kind IS NULL OR kind = :kind)
    AND (:queue IS NULL OR queue = :queue) AND (:error IS NULL OR error @ilike :error ESCAPE '!')
ORDER BY id LIMIT :n;

-- name: cancel_waiting :exec
-- in: ids ints, error text, now int
WITH gone AS (
    DELETE FROM jobs WHERE id = ANY(:ids) AND worker IS NULL RETURNING *
), tally AS (
    INSERT INTO job_tally (kind, state, day, n)
    SELECT kind, 'cancelled', CAST(:now AS bigint) / 86400000000, count(*) FROM gone GROUP BY kind
)
INSERT INTO job_history (id, kind, queue, priority, run_at, state, attempts, max_attempts, crashes, payload, job_key,
    owner_user, trace, progress, progress_text, error, result, created_at, started_at, finished_at)
SELECT id, kind, queue, priority, run_at, 'cancelled', attempts, max_attempts, crashes, payload, job_key,
    owner_user, trace, progress, progress_text, COALESCE(error, :error), NULL, created_at, started_at, :now FROM gone;
-- sqlite:
UPDATE jobs SET finished_at = :now, error = COALESCE(error, :error), final_state = 'cancelled'
WHERE id IN (SELECT value FROM json_each(:ids)) AND worker IS NULL;

-- name: cancel_running :exec
-- in: ids ints
UPDATE jobs SET cancel_requested = 1 WHERE id = ANY(:ids) AND worker IS NOT NULL;

-- name: hasten :exec what waits for its time runs now
-- in: ids ints, now int
UPDATE jobs SET run_at = :now WHERE id = ANY(:ids) AND worker IS NULL AND run_at > :now;

-- name: revive :exec one whose key is live again stays where it is
-- in: ids ints, now int
INSERT INTO jobs (id, kind, queue, lane, priority, run_at, max_attempts, payload, job_key, owner_user, trace, created_at)
SELECT id, kind, queue, queue, priority, :now, max_attempts, payload, job_key, owner_user, trace, created_at
FROM job_history WHERE id = ANY(:ids) AND state <> 'done'
ON CONFLICT DO NOTHING;

-- name: revived :exec takes away from the history what revive has put back
-- in: ids ints
WITH gone AS (
    DELETE FROM job_history h WHERE id = ANY(:ids) AND state <> 'done' AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = h.id)
    RETURNING kind, state, finished_at
)
INSERT INTO job_tally (kind, state, day, n) SELECT kind, state, finished_at / 86400000000, -1 FROM gone;
-- sqlite:
DELETE FROM job_history WHERE id IN (SELECT value FROM json_each(:ids)) AND state <> 'done'
    AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = job_history.id);

-- name: relane_ids :exec
-- in: ids ints, kind text, lane text
UPDATE jobs SET lane = :lane WHERE id = ANY(:ids) AND kind = :kind AND worker IS NULL;

-- name: discard :exec dead ones nobody will try again
-- in: ids ints
WITH was AS (
    UPDATE job_history SET state = 'cancelled' WHERE id = ANY(:ids) AND state = 'dead' RETURNING kind, finished_at
), less AS (
    INSERT INTO job_tally (kind, state, day, n) SELECT kind, 'dead', finished_at / 86400000000, -1 FROM was
)
INSERT INTO job_tally (kind, state, day, n) SELECT kind, 'cancelled', finished_at / 86400000000, 1 FROM was;
-- sqlite:
UPDATE job_history SET state = 'cancelled' WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'dead';

-- ---- tidying ----

-- name: history_day :one
-- in: day int
-- out: ok bool
SELECT jobs_history_day(:day) AS ok;
-- sqlite:
SELECT :day IS NOT NULL AS ok;

-- name: history_drop :one
-- in: day int
-- out: n int
SELECT jobs_history_drop(:day) AS n;
-- sqlite:
SELECT :day * 0 AS n;

-- name: prune :exec a batch; PostgreSQL drops days instead
-- in: until int, n int
DELETE FROM job_history WHERE id IN (SELECT id FROM job_history WHERE finished_at < :until ORDER BY finished_at LIMIT :n)
    AND finished_at < :until;

-- name: tally_fold :exec
-- in: day int
WITH was AS (DELETE FROM job_tally WHERE day <= :day RETURNING kind, state, day, n)
INSERT INTO job_tally (kind, state, day, n) SELECT kind, state, day, sum(n) FROM was GROUP BY kind, state, day;
-- sqlite:
DELETE FROM job_tally WHERE n = 0 AND day < :day;

-- name: notify :one
-- in: what text
-- out: ok int
SELECT 1 AS ok FROM (SELECT pg_notify('softfactory_jobs', :what)) AS n;
-- sqlite:
SELECT :what IS NOT NULL AS ok;

-- ---- the scheduler ----

-- name: lead :one no row: somebody else leads
-- in: holder text, now int, lease int
-- out: expires_at int
INSERT INTO job_leader (role, holder, expires_at) VALUES ('scheduler', :holder, jobs_now() + :lease + 0 * :now)
ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE job_leader.holder = excluded.holder OR job_leader.expires_at <= jobs_now()
RETURNING expires_at;
-- sqlite:
INSERT INTO job_leader (role, holder, expires_at) VALUES ('scheduler', :holder, :now + :lease)
ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE job_leader.holder = excluded.holder OR job_leader.expires_at <= :now
RETURNING expires_at;

-- name: leader :one
-- out: expires_at int
SELECT expires_at FROM job_leader WHERE role = 'scheduler';

-- name: resign :exec
-- in: holder text
DELETE FROM job_leader WHERE role = 'scheduler' AND holder = :holder;

-- name: schedules :many
-- out: name text, spec text, next_at int, last_at int
SELECT name, spec, next_at, last_at FROM job_schedules;

-- name: schedule_set :exec a row that is new, or whose expression or zone has changed
-- in: name text, spec text, next_at int
INSERT INTO job_schedules (name, spec, next_at) VALUES (:name, :spec, :next_at)
ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, next_at = excluded.next_at WHERE job_schedules.spec <> excluded.spec;

-- name: schedule_tick :exec no row: somebody else has ticked, or leads
-- in: name text, was int, next_at int, tick int, holder text, now int
UPDATE job_schedules SET next_at = :next_at, last_at = CASE WHEN :tick > 0 THEN :tick ELSE last_at END
WHERE name = :name AND next_at = :was AND EXISTS (
    SELECT 1 FROM job_leader WHERE role = 'scheduler' AND holder = :holder AND expires_at > jobs_now() + 0 * :now);
-- sqlite:
UPDATE job_schedules SET next_at = :next_at, last_at = CASE WHEN :tick > 0 THEN :tick ELSE last_at END
WHERE name = :name AND next_at = :was AND EXISTS (
    SELECT 1 FROM job_leader WHERE role = 'scheduler' AND holder = :holder AND expires_at > :now);

-- ---- the broker ----

-- name: database :one what this database is called in messages
-- out: name text
SELECT name FROM job_database;

-- name: send :many takes due jobs that no message is under way for, in order; relays pass over what another holds
-- in: lanes text, now int, n int
-- out: id int, fence int, kind text, queue text, priority int, run_at int
WITH due AS (
    SELECT d.id, d.fence, d.kind, d.queue, d.priority, d.run_at
    FROM set_config('synchronous_commit', 'off', true)
    CROSS JOIN json_to_recordset(CAST(:lanes AS json)) AS l(lane text, priority bigint, floor bigint)
    CROSS JOIN LATERAL (
        SELECT j.id, j.fence, j.kind, j.queue, j.priority, j.run_at FROM jobs j
        WHERE j.lane = l.lane AND j.priority = l.priority AND j.run_at >= l.floor AND j.run_at <= :now
          AND j.state <> 'running' AND NOT EXISTS (SELECT 1 FROM job_sent s WHERE s.id = j.id AND s.fence = j.fence)
        ORDER BY j.lane, j.priority, j.run_at, j.id LIMIT :n FOR UPDATE OF j SKIP LOCKED
    ) d
    LIMIT :n
), marked AS (
    INSERT INTO job_sent (id, fence, sent_at) SELECT id, fence, :now FROM due ORDER BY id
    ON CONFLICT (id) DO UPDATE SET fence = excluded.fence, sent_at = excluded.sent_at WHERE job_sent.fence <> excluded.fence
    RETURNING id
)
SELECT due.id, fence, kind, queue, priority, run_at FROM due JOIN marked ON marked.id = due.id ORDER BY priority, run_at, due.id;
-- sqlite:
INSERT INTO job_sent (id, fence, sent_at)
SELECT id, fence, :now FROM (
    SELECT j.id, j.fence FROM jobs j
    WHERE j.lane IN (SELECT value ->> 'lane' FROM json_each(:lanes)) AND j.run_at <= :now AND j.state <> 'running'
      AND NOT EXISTS (SELECT 1 FROM job_sent s WHERE s.id = j.id AND s.fence = j.fence)
    ORDER BY j.priority, j.run_at, j.id LIMIT :n) WHERE true
ON CONFLICT (id) DO UPDATE SET fence = excluded.fence, sent_at = excluded.sent_at
RETURNING id, fence, (SELECT kind FROM jobs WHERE jobs.id = job_sent.id) AS kind, (SELECT queue FROM jobs WHERE jobs.id = job_sent.id) AS queue,
    (SELECT priority FROM jobs WHERE jobs.id = job_sent.id) AS priority, (SELECT run_at FROM jobs WHERE jobs.id = job_sent.id) AS run_at;

-- name: sent_gone :exec
-- in: ids ints
DELETE FROM job_sent WHERE id = ANY(:ids);
-- sqlite:
DELETE FROM job_sent WHERE id IN (SELECT value FROM json_each(:ids));

-- name: sent_old :exec messages that must be taken for lost
-- in: after int, until int
DELETE FROM job_sent WHERE sent_at >= :after AND sent_at < :until;

-- name: claim_sent :many exactly these jobs at these fences, as far as they still wait
-- in: worker int, now int, ids ints, fences ints
-- out: id int, kind text, priority int, run_at int, attempts int, max_attempts int, crashes int, payload text, trace text?, fence int, cancel_requested int, progress int
WITH told AS (
    SELECT f.id, f.fence FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS f(id, fence)
), gone AS (
    DELETE FROM job_sent s USING told WHERE s.id = told.id AND s.fence = told.fence
), free AS (
    SELECT j.id FROM jobs j JOIN told ON j.id = told.id AND j.fence = told.fence
    WHERE j.state <> 'running' AND j.run_at <= :now FOR UPDATE OF j SKIP LOCKED
)
UPDATE jobs SET state = 'running', worker = :worker, fence = jobs.fence + 1, attempts = attempts + 1, started_at = :now
FROM free WHERE jobs.id = free.id
RETURNING jobs.id, kind, priority, run_at, attempts, max_attempts, crashes, payload, trace, jobs.fence, cancel_requested, progress;
-- sqlite:
UPDATE jobs SET state = 'running', worker = :worker, fence = fence + 1, attempts = attempts + 1, started_at = :now
WHERE id IN (SELECT j.id FROM json_each(:ids) i JOIN json_each(:fences) f ON f.key = i.key
             JOIN jobs j ON j.id = i.value AND j.fence = f.value WHERE j.state <> 'running' AND j.run_at <= :now)
RETURNING id, kind, priority, run_at, attempts, max_attempts, crashes, payload, trace, fence, cancel_requested, progress;

-- name: dead_send :many takes dead jobs whose death no notice is under way for, or only an old one without confirmation
-- in: after int, now int, old int, n int
-- out: id int, kind text, queue text
INSERT INTO job_dead_sent (id, kind, queue, died_at, sent_at)
SELECT h.id, h.kind, h.queue, h.finished_at, :now FROM job_history h
WHERE h.state = 'dead' AND h.finished_at > :after AND NOT EXISTS (
    SELECT 1 FROM job_dead_sent s WHERE s.id = h.id AND s.died_at >= h.finished_at AND (s.confirmed = 1 OR s.sent_at >= :old))
ORDER BY h.id LIMIT :n
ON CONFLICT (id) DO UPDATE SET died_at = excluded.died_at, sent_at = excluded.sent_at, confirmed = 0
WHERE job_dead_sent.died_at < excluded.died_at OR (job_dead_sent.confirmed = 0 AND job_dead_sent.sent_at < :old)
RETURNING id, kind, queue;

-- name: dead_confirmed :exec
-- in: ids ints
UPDATE job_dead_sent SET confirmed = 1 WHERE id = ANY(:ids);
-- sqlite:
UPDATE job_dead_sent SET confirmed = 1 WHERE id IN (SELECT value FROM json_each(:ids));

-- name: dead_failed :exec
-- in: ids ints
DELETE FROM job_dead_sent WHERE id = ANY(:ids) AND confirmed = 0;
-- sqlite:
DELETE FROM job_dead_sent WHERE id IN (SELECT value FROM json_each(:ids)) AND confirmed = 0;

-- name: dead_old :exec
-- in: until int
DELETE FROM job_dead_sent WHERE sent_at < :until;
