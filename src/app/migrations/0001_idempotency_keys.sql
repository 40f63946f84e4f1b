-- What a request with an Idempotency-Key answered, so that its repetition is answered the same.
CREATE TABLE idempotency_keys (
    owner @int NOT NULL,          -- the user, 0: nobody
    key text NOT NULL,
    route text NOT NULL,          -- "POST /api/coocook/bookings"
    body_hash text NOT NULL,      -- of path and body
    state text NOT NULL CHECK (state IN ('running', 'done')),
    claim @int NOT NULL,          -- of the request that holds it
    lease_until @time NOT NULL,
    status @int,
    response text,
    created_at @time NOT NULL,
    PRIMARY KEY (owner, key, route)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
