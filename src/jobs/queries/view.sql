-- Looking at jobs and counting them.

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

-- name: over_list :many state NULL: any. idle 0: without the ticks of schedules (by their key, see schedule.c) that found nothing to do
-- in: before int, floor int, from_ int, until int, kind text?, queue text?, error text?, state text?, idle int, n int
-- out: id int, kind text, queue text, state text, priority int, run_at int, attempts int, max_attempts int, payload text, job_key text?, owner_user int, progress int, progress_text text?, error text?, result text?, created_at int, started_at int, finished_at int
SELECT id, kind, queue, state, priority, run_at, attempts, max_attempts, payload, job_key, owner_user, progress,
    progress_text, error, result, created_at, started_at, finished_at
FROM job_history WHERE id < :before AND id >= :floor AND created_at >= :from_ AND created_at < :until AND (:kind IS NULL OR kind = :kind)
    AND (:queue IS NULL OR queue = :queue) AND (:error IS NULL OR error @ilike :error ESCAPE '!')
    AND (:state IS NULL OR state = :state)
    AND (:idle = 1 OR state <> 'done' OR result IS NOT NULL OR job_key IS NULL OR substr(job_key, 1, 5) <> 'cron:')
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
