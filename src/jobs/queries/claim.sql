-- Claiming, and what is known of lanes and limits. Instants are µs in all of these files.
--
-- PostgreSQL keeps the plans, so they must be right however many jobs there are (see migration 0004). What names ids says
-- nothing of the state, only of the worker, which is set while a job runs: then no other index than that of the
-- ids fits, whatever the statistics say.

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
