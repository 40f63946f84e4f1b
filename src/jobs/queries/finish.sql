-- The ends of runs. Every one that ends or gives back a run names its worker: whoever lost the job touches no row.

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
