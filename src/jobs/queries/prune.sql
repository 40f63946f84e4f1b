-- Tidying: history and tallies.

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
