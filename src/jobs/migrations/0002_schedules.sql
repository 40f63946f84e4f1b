-- The scheduler. Instants are µs since 1970 as integers, as in 0001.

-- When each cron row of the program ticks next. spec is the expression and zone that next_at was reckoned with.
CREATE TABLE job_schedules (
    name text NOT NULL PRIMARY KEY,
    spec text NOT NULL,
    next_at @int NOT NULL,
    last_at @int NOT NULL DEFAULT 0
);

-- Who tends them: one row, a lease of the process that holds it.
CREATE TABLE job_leader (
    role text NOT NULL PRIMARY KEY,
    holder text NOT NULL,
    expires_at @int NOT NULL
);
