-- The broker: what is under way in messages.

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
