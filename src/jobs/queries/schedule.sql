-- The scheduler: who leads, and the ticks.

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
