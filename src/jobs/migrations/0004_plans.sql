-- pg:
-- Connections keep the plans that they have made. One that was made while the queue was empty, and a vacuum had said so, reads the
-- table from one end to the other at each statement, and goes on with that when a million jobs stand in it. The planner
-- looks at the pages a table has. So this one has some from the beginning, enough for every statement to go by its
-- index, and vacuum does not give them back, for which it would also have to lock the table against everybody.
ALTER TABLE jobs SET (vacuum_truncate = off);
INSERT INTO jobs (id, kind, queue, lane, priority, run_at, max_attempts, payload, created_at)
SELECT -n, '', '', '', 9, 0, 0, repeat('x', 1700), 0 FROM generate_series(1, 1024) n;
DELETE FROM jobs WHERE id < 0;

-- Claims run in the order of their index. A planner that believes the table to be empty would as soon collect all that is due and sort
-- it, which with a million due jobs it does for each claim; here it is not given the choice.
CREATE FUNCTION jobs_claim(claimer bigint, at bigint, lanes text, most bigint) RETURNS SETOF jobs LANGUAGE plpgsql
SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY UPDATE jobs SET state = 'running', worker = claimer, fence = jobs.fence + 1, attempts = jobs.attempts + 1, started_at = at
    WHERE jobs.id = ANY (ARRAY(
        SELECT d.id
        FROM json_to_recordset(CAST(lanes AS json)) AS l(lane text, priority bigint, floor bigint)
        CROSS JOIN LATERAL (
            SELECT j.id FROM jobs j
            WHERE j.lane = l.lane AND j.priority = l.priority AND j.run_at >= l.floor AND j.run_at <= at
              AND j.state <> 'running'
            ORDER BY j.lane, j.priority, j.run_at, j.id LIMIT most FOR UPDATE SKIP LOCKED
        ) d
        LIMIT most))
    RETURNING jobs.*;
END $$;
