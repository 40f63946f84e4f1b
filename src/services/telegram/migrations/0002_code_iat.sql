-- A code ends when all sign-ins of its time are ended, as by a new password. Seconds, as the iat of a token.
ALTER TABLE telegram_codes ADD COLUMN iat @int NOT NULL DEFAULT 0;
