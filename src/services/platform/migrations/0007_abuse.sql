-- What keeps strangers from harming an account: whose address is confirmed, who has signed in to it before, and what may still be
-- tried or sent.

-- Confirmed once its owner has shown that mail to the address arrives. Until then nothing that the account writes is sent to
-- others. Accounts from before count as confirmed.
ALTER TABLE users ADD COLUMN email_confirmed @bool NOT NULL DEFAULT true;

-- The code that confirms an account's address: mailed to it, typed by whoever is signed in.
CREATE TABLE email_codes (
    user_id @int PRIMARY KEY REFERENCES users (id),
    code_hash text NOT NULL,            -- keyed digest
    tries @int NOT NULL DEFAULT 0,
    sent_at @time NOT NULL,
    expires_at @time NOT NULL
);
CREATE INDEX email_codes_expires_at ON email_codes (expires_at);

-- Clients that have signed in to an account: keyed digests of an address or of a browser's cookie.
CREATE TABLE known_clients (
    user_id @int NOT NULL REFERENCES users (id),
    client text NOT NULL,
    seen_at @time NOT NULL,
    PRIMARY KEY (user_id, client)
);
CREATE INDEX known_clients_seen_at ON known_clients (seen_at);

-- Failed sign-ins of one client with one name, whether or not the name exists, within the window that began at `since`.
CREATE TABLE client_failures (
    email text NOT NULL,
    client text NOT NULL,               -- as in known_clients
    failures @int NOT NULL,
    since @time NOT NULL,
    PRIMARY KEY (email, client)
);
CREATE INDEX client_failures_since ON client_failures (since);

-- Budgets of what may be tried or sent, by purpose and whom it is about. A budget that is used up comes back piece by piece
-- until `whole_at`, microseconds since 1970 (GCRA, a leaky bucket as a meter: ITU-T I.371).
CREATE TABLE budgets (
    key text PRIMARY KEY,
    whole_at @int NOT NULL
);
CREATE INDEX budgets_whole_at ON budgets (whole_at);

-- The newest code that each client asked for. `otps` holds the newest of all, for clients that have asked for none.
CREATE TABLE otp_clients (
    email text NOT NULL,
    purpose text NOT NULL CONSTRAINT otp_clients_purpose CHECK (purpose IN ('register', 'reset')),
    client text NOT NULL,               -- as in known_clients; '': codes from before this table
    otp_hash text NOT NULL,
    tries @int NOT NULL DEFAULT 0,
    sent_at @time NOT NULL,
    expires_at @time NOT NULL,
    PRIMARY KEY (email, purpose, client)
);
CREATE INDEX otp_clients_expires_at ON otp_clients (expires_at);
INSERT INTO otp_clients (email, purpose, client, otp_hash, tries, sent_at, expires_at)
SELECT email, purpose, '', otp_hash, tries, sent_at, expires_at FROM otps WHERE used_at IS NULL;

-- Failures were counted by name alone. The table stays for binaries of before that still run beside this one.
DELETE FROM login_failures;
