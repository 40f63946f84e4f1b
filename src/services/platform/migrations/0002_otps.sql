-- One-time codes that were mailed: one row an email and purpose, the newest code.
CREATE TABLE otps (
    id @id,
    email text NOT NULL,
    purpose text NOT NULL CONSTRAINT otps_purpose CHECK (purpose IN ('register', 'reset')),
    otp_hash text NOT NULL,             -- keyed digest
    tries @int NOT NULL DEFAULT 0,      -- wrong ones
    expires_at @time NOT NULL,
    sent_at @time NOT NULL,
    used_at @time,
    CONSTRAINT otps_email UNIQUE (email, purpose)
);
CREATE INDEX otps_expires_at ON otps (expires_at);
