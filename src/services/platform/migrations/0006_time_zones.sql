-- Whose clocks a time without offset is by, and in which times are shown to them: an IANA name that was checked when it was
-- chosen. language: which one they read; null while they have not said.
ALTER TABLE users ADD COLUMN time_zone text NOT NULL DEFAULT 'Asia/Seoul';
ALTER TABLE users ADD COLUMN language text CONSTRAINT users_language CHECK (language IN ('ko', 'en'));
