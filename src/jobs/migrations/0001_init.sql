-- The queue. Instants are µs since 1970 as integers, so that both engines compare and index them alike.

-- Jobs that are not over. A row is written two times: when it is claimed and when it ends (it is deleted then).
-- lane is where claims look: the queue, "queue/kind" for a kind with limits, and "!" behind it for a job that a
-- worker died of.
CREATE TABLE jobs (
    id @id,
    kind text NOT NULL,
    queue text NOT NULL,
    lane text NOT NULL,
    priority @int NOT NULL,
    run_at @int NOT NULL,
    state text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'retrying', 'running')),
    attempts @int NOT NULL DEFAULT 0,
    max_attempts @int NOT NULL,
    crashes @int NOT NULL DEFAULT 0,
    payload text NOT NULL,
    job_key text,
    owner_user @int NOT NULL DEFAULT 0,
    trace text,
    worker @int,                      -- of job_workers, while it runs
    fence @int NOT NULL DEFAULT 0,    -- one more at each claim and rescue
    cancel_requested @int NOT NULL DEFAULT 0,
    progress @int NOT NULL DEFAULT 0,
    progress_text text,
    error text,
    created_at @int NOT NULL,
    started_at @int NOT NULL DEFAULT 0
-- sqlite:
    , finished_at @int, final_state text, result text -- set by the statement that ends it; see jobs_over
-- pg:
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
-- sqlite:
);
-- all:
CREATE INDEX jobs_due ON jobs (lane, priority, run_at, id) WHERE state <> 'running';
CREATE INDEX jobs_worker ON jobs (worker) WHERE state = 'running';
CREATE INDEX jobs_limited ON jobs (lane) WHERE state = 'running' AND lane <> queue;
CREATE UNIQUE INDEX jobs_job_key ON jobs (kind, job_key) WHERE job_key IS NOT NULL;
-- sqlite:
CREATE INDEX jobs_run_at ON jobs (run_at) WHERE state <> 'running';
-- all:

-- A lease belongs to a worker. While its row is here its jobs are its own; a row that lapsed may be taken away.
CREATE TABLE job_workers (
    id @id,
    name text NOT NULL,               -- host boot, pid namespace, pid and start of the process
    beat_at @int NOT NULL,
    expires_at @int NOT NULL
);

-- One row a kind with limits, locked while such jobs are claimed.
CREATE TABLE job_limits (
    kind text NOT NULL PRIMARY KEY,
    next_at @int NOT NULL             -- when the rate allows the next start
);

-- Jobs that are over: only added to; taken away by days.
CREATE TABLE job_history (
    id @int NOT NULL,
    kind text NOT NULL,
    queue text NOT NULL,
    priority @int NOT NULL,
    run_at @int NOT NULL,
    state text NOT NULL CHECK (state IN ('done', 'dead', 'cancelled')),
    attempts @int NOT NULL,
    max_attempts @int NOT NULL,
    crashes @int NOT NULL,
    payload text NOT NULL,
    job_key text,
    owner_user @int NOT NULL,
    trace text,
    progress @int NOT NULL,
    progress_text text,
    error text,
    result text,
    created_at @int NOT NULL,
    started_at @int NOT NULL,
    finished_at @int NOT NULL
-- pg:
) PARTITION BY RANGE (finished_at);
-- sqlite:
);
-- all:
CREATE INDEX job_history_id ON job_history (id);
CREATE INDEX job_history_failed ON job_history (state, id) WHERE state <> 'done';
-- sqlite:
CREATE INDEX job_history_finished_at ON job_history (finished_at);
-- pg:
CREATE TABLE job_history_rest PARTITION OF job_history DEFAULT;
-- all:

-- How many are over, by day: what is added up, never counted. PostgreSQL adds rows and folds them now and then, so that no
-- two workers wait for one another.
CREATE TABLE job_tally (
    kind text NOT NULL,
    state text NOT NULL,
    day @int NOT NULL,
    n @int NOT NULL
-- sqlite:
    , PRIMARY KEY (kind, state, day)
-- all:
);

-- pg:
CREATE FUNCTION jobs_now() RETURNS bigint LANGUAGE sql VOLATILE
AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint';

-- Makes the partition of a day (since 1970) if it is not there; false: rows of that day stand in the rest.
CREATE FUNCTION jobs_history_day(d bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    part text := 'job_history_' || d;
    lo bigint := d * 86400000000;
    hi bigint := (d + 1) * 86400000000;
BEGIN
    IF to_regclass(part) IS NOT NULL THEN RETURN true; END IF;
    PERFORM pg_advisory_xact_lock(hashtext('job_history'));
    IF to_regclass(part) IS NOT NULL THEN RETURN true; END IF;
    IF EXISTS (SELECT 1 FROM job_history_rest WHERE finished_at >= lo AND finished_at < hi) THEN RETURN false; END IF;
    SET LOCAL lock_timeout = '500ms';
    EXECUTE format('CREATE TABLE %I (LIKE job_history INCLUDING ALL)', part);
    EXECUTE format('ALTER TABLE job_history ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, lo, hi);
    RETURN true;
END $$;

-- Drops the partitions of days before d; returns how many.
CREATE FUNCTION jobs_history_drop(d bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    part text;
    n bigint := 0;
BEGIN
    SET LOCAL lock_timeout = '500ms';
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'job_history'::regclass AND c.relname ~ '^job_history_[0-9]+$'
          AND substr(c.relname, 13)::bigint < d
    LOOP
        EXECUTE format('DROP TABLE %I', part);
        n := n + 1;
    END LOOP;
    DELETE FROM job_history_rest WHERE finished_at < d * 86400000000;
    DELETE FROM job_tally WHERE day < d;
    RETURN n;
END $$;

SELECT jobs_history_day(jobs_now() / 86400000000 + n) FROM generate_series(0, 2) n;
-- sqlite:
-- The statement that ends a job sets final_state; the row moves to the history by itself.
CREATE TRIGGER jobs_over AFTER UPDATE OF final_state ON jobs WHEN NEW.final_state IS NOT NULL
BEGIN
    INSERT INTO job_history (id, kind, queue, priority, run_at, state, attempts, max_attempts, crashes, payload, job_key,
        owner_user, trace, progress, progress_text, error, result, created_at, started_at, finished_at)
    VALUES (NEW.id, NEW.kind, NEW.queue, NEW.priority, NEW.run_at, NEW.final_state, NEW.attempts, NEW.max_attempts,
        NEW.crashes, NEW.payload, NEW.job_key, NEW.owner_user, NEW.trace, NEW.progress, NEW.progress_text, NEW.error,
        NEW.result, NEW.created_at, NEW.started_at, NEW.finished_at);
    INSERT INTO job_tally (kind, state, day, n) VALUES (NEW.kind, NEW.final_state, NEW.finished_at / 86400000000, 1)
    ON CONFLICT (kind, state, day) DO UPDATE SET n = n + 1;
    DELETE FROM jobs WHERE id = NEW.id;
END;
CREATE TRIGGER job_history_gone AFTER DELETE ON job_history
BEGIN
    UPDATE job_tally SET n = n - 1
    WHERE kind = OLD.kind AND state = OLD.state AND day = OLD.finished_at / 86400000000;
END;
CREATE TRIGGER job_history_state AFTER UPDATE OF state ON job_history
BEGIN
    UPDATE job_tally SET n = n - 1
    WHERE kind = OLD.kind AND state = OLD.state AND day = OLD.finished_at / 86400000000;
    INSERT INTO job_tally (kind, state, day, n) VALUES (NEW.kind, NEW.state, NEW.finished_at / 86400000000, 1)
    ON CONFLICT (kind, state, day) DO UPDATE SET n = n + 1;
END;
