-- Workers: their leases, and what dead ones leave.

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
