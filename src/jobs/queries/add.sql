-- Adding jobs.

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
