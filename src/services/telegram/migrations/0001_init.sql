-- One private chat a user, one user a chat: who links anew takes the place of what was.
CREATE TABLE telegram_links (
    user_id @int PRIMARY KEY,
    chat_id @int NOT NULL CONSTRAINT telegram_links_chat UNIQUE,
    linked_at @time NOT NULL
);

-- Codes that link a chat once; only the SHA-256 of a code is stored, and a user's newest takes the place of the one before.
CREATE TABLE telegram_codes (
    user_id @int PRIMARY KEY,
    code_hash text NOT NULL CONSTRAINT telegram_codes_hash UNIQUE,
    expires_at @time NOT NULL
);
CREATE INDEX telegram_codes_expiry ON telegram_codes (expires_at);

-- Updates that were applied, so that one that Telegram sends again does nothing. It repeats them for a day.
CREATE TABLE telegram_updates (
    update_id @int PRIMARY KEY,
    received_at @time NOT NULL
);
CREATE INDEX telegram_updates_age ON telegram_updates (received_at);
