-- How many codes an address was sent within a day, so that nobody guesses for ever nor fills a stranger's mailbox.
ALTER TABLE otps ADD COLUMN sends @int NOT NULL DEFAULT 1;
ALTER TABLE otps ADD COLUMN sends_from @time NOT NULL DEFAULT '1970-01-01 00:00:00.000000';
