-- Steering. Ids are few.

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
