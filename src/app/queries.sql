-- Idempotency keys. A claim is one statement, so that of any number of equal requests exactly one goes on; it
-- holds its row while it has the row's claim number, and a claim that lost it cannot record an answer.

-- name: idem_claim :exec takes the key if it is free, over (older than `fresh`) or left behind by a request that died
-- PostgreSQL: its commit does not wait for the disk. The effect's does and flushes it too, so it is only lost together with that.
-- in: owner int, key text, route text, body_hash text, claim int, now time, lease_until time, fresh time
WITH relaxed AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO idempotency_keys (owner, key, route, body_hash, state, claim, lease_until, created_at)
SELECT :owner, :key, :route, :body_hash, 'running', :claim, :lease_until, :now FROM relaxed
ON CONFLICT (owner, key, route) DO UPDATE
SET body_hash = excluded.body_hash, state = 'running', claim = excluded.claim, lease_until = excluded.lease_until,
    created_at = excluded.created_at, status = NULL, response = NULL
WHERE idempotency_keys.created_at < :fresh
   OR (idempotency_keys.state = 'running' AND idempotency_keys.lease_until < :now
       AND idempotency_keys.body_hash = excluded.body_hash);
-- sqlite:
INSERT INTO idempotency_keys (owner, key, route, body_hash, state, claim, lease_until, created_at)
VALUES (:owner, :key, :route, :body_hash, 'running', :claim, :lease_until, :now)
ON CONFLICT (owner, key, route) DO UPDATE
SET body_hash = excluded.body_hash, state = 'running', claim = excluded.claim, lease_until = excluded.lease_until,
    created_at = excluded.created_at, status = NULL, response = NULL
WHERE idempotency_keys.created_at < :fresh
   OR (idempotency_keys.state = 'running' AND idempotency_keys.lease_until < :now
       AND idempotency_keys.body_hash = excluded.body_hash);

-- name: idem_get :one
-- in: owner int, key text, route text
-- out: body_hash text, state text, status int?, response text?
SELECT body_hash, state, status, response FROM idempotency_keys
WHERE owner = :owner AND key = :key AND route = :route;

-- name: idem_done :exec
-- in: owner int, key text, route text, claim int, status int, response text
UPDATE idempotency_keys SET state = 'done', status = :status, response = :response
WHERE owner = :owner AND key = :key AND route = :route AND claim = :claim AND state = 'running';

-- name: idem_commit :exec the same as the last statement of a transaction: no row undoes it
-- in: owner int, key text, route text, claim int, status int, response text
WITH done AS (
    UPDATE idempotency_keys SET state = 'done', status = :status, response = :response
    WHERE owner = :owner AND key = :key AND route = :route AND claim = :claim AND state = 'running' RETURNING 1
)
SELECT 1 / count(*) FROM done;
-- sqlite:
UPDATE idempotency_keys SET state = 'done', status = :status, response = :response
WHERE owner = :owner AND key = :key AND route = :route AND claim = :claim AND state = 'running';

-- name: idem_release :exec
-- in: owner int, key text, route text, claim int
DELETE FROM idempotency_keys
WHERE owner = :owner AND key = :key AND route = :route AND claim = :claim AND state = 'running';

-- name: idem_forget :exec
-- in: fresh time
DELETE FROM idempotency_keys WHERE created_at < :fresh;
