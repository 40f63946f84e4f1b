-- What a message broker has been told, where AMQP_URL is set. Empty without it.

-- A message is under way for this job at this fence. Taken away when the job is claimed, when the broker did not
-- confirm, and when it has been here for so long that the message must be taken for lost. A mark that is lost costs a
-- message that comes twice, so it need not survive a crash.
-- pg:
CREATE UNLOGGED TABLE job_sent (
-- sqlite:
CREATE TABLE job_sent (
-- all:
    id @int NOT NULL PRIMARY KEY,
    fence @int NOT NULL,
    sent_at @int NOT NULL
-- pg:
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
-- sqlite:
);
-- all:
CREATE INDEX job_sent_sent_at ON job_sent (sent_at);

-- A notice of this job's death is under way, or has arrived. One that was retried may die again.
CREATE TABLE job_dead_sent (
    id @int NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    queue text NOT NULL,
    died_at @int NOT NULL,
    sent_at @int NOT NULL,
    confirmed @int NOT NULL DEFAULT 0
);
CREATE INDEX job_dead_sent_sent_at ON job_dead_sent (sent_at);

-- What this database is called in messages: brokers are shared.
CREATE TABLE job_database (
    name text NOT NULL
);
-- pg:
INSERT INTO job_database (name) VALUES (md5(random()::text || clock_timestamp()::text || current_database()));
-- sqlite:
INSERT INTO job_database (name) VALUES (lower(hex(randomblob(16))));
