-- Platform's statements, on its own tables only.

-- ==== users ====

-- name: user_add :one
-- in: email text, password_hash text, name text, email_confirmed bool, created_at time
-- out: id int
INSERT INTO users (email, password_hash, name, email_confirmed, created_at)
VALUES (:email, :password_hash, :name, :email_confirmed, :created_at)
RETURNING id;

-- name: user_by_email :one
-- in: email text
-- out: id int, email text, password_hash text, name text, role text, is_active bool, tokens_from int, created_at time
SELECT id, email, password_hash, name, role, is_active, tokens_from, created_at FROM users WHERE email = :email;

-- name: user_get :one
-- in: id int
-- out: id int, email text, name text, role text, is_active bool, email_confirmed bool, time_zone text,
-- out: language text?, created_at time
SELECT id, email, name, role, is_active, email_confirmed, time_zone, language, created_at FROM users WHERE id = :id;

-- name: user_zone :one
-- in: id int
-- out: time_zone text
SELECT time_zone FROM users WHERE id = :id;

-- name: user_lock :one
-- in: id int
-- out: id int, email text, password_hash text, name text, role text, is_active bool, email_confirmed bool, tokens_from int,
-- out: time_zone text, language text?, created_at time
SELECT id, email, password_hash, name, role, is_active, email_confirmed, tokens_from, time_zone, language, created_at
FROM users WHERE id = :id FOR UPDATE;

-- name: admins_lock :many
-- Who administers and can sign in, locked in the order of ids.
-- out: id int
SELECT id FROM users WHERE role = 'admin' AND is_active ORDER BY id FOR UPDATE;

-- name: user_hash :one
-- in: id int
-- out: email text, password_hash text, tokens_from int
SELECT email, password_hash, tokens_from FROM users WHERE id = :id;

-- name: user_change :exec
-- in: id int, name text, password_hash text, role text, is_active bool, tokens_from int, time_zone text, language text?
UPDATE users SET name = :name, password_hash = :password_hash, role = :role, is_active = :is_active, tokens_from = :tokens_from,
    time_zone = :time_zone, language = :language
WHERE id = :id;

-- name: password_methods :many
-- From one entry of the index to the next one that differs, so that many users of one method cost as much as one.
-- out: method text
WITH RECURSIVE m (method) AS (
    SELECT min(password_method(password_hash)) FROM users WHERE password_method(password_hash) IS NOT NULL
    UNION ALL
    SELECT (SELECT min(password_method(u.password_hash)) FROM users u
        WHERE password_method(u.password_hash) IS NOT NULL AND password_method(u.password_hash) > m.method)
    FROM m WHERE m.method IS NOT NULL
)
SELECT method FROM m WHERE method IS NOT NULL;
-- sqlite:
WITH RECURSIVE m (method) AS (
    SELECT min(password_method) FROM users WHERE password_method IS NOT NULL
    UNION ALL
    SELECT (SELECT min(u.password_method) FROM users u WHERE u.password_method IS NOT NULL AND u.password_method > m.method)
    FROM m WHERE m.method IS NOT NULL
)
SELECT method FROM m WHERE method IS NOT NULL;

-- name: users_page :many
-- in: limit int, offset int
-- out: id int, email text, name text, role text, is_active bool, email_confirmed bool, time_zone text,
-- out: language text?, created_at time, active_subscriptions int
SELECT id, email, name, role, is_active, email_confirmed, time_zone, language, created_at,
    (SELECT count(*) FROM subscriptions s WHERE s.user_id = u.id AND s.status = 'active') AS active_subscriptions
FROM users u ORDER BY id LIMIT :limit OFFSET :offset;

-- name: users_count :one
-- out: n int
SELECT n FROM user_count;

-- name: users_search :many
-- `pattern` is a LIKE pattern (platform_like).
-- in: pattern text, limit int, offset int
-- out: id int, email text, name text, role text, is_active bool, email_confirmed bool, time_zone text,
-- out: language text?, created_at time, active_subscriptions int
SELECT id, email, name, role, is_active, email_confirmed, time_zone, language, created_at,
    (SELECT count(*) FROM subscriptions s WHERE s.user_id = u.id AND s.status = 'active') AS active_subscriptions
FROM users u WHERE email @ilike :pattern ESCAPE '\' OR name @ilike :pattern ESCAPE '\'
ORDER BY id LIMIT :limit OFFSET :offset;

-- name: users_search_count :one
-- in: pattern text
-- out: n int
SELECT count(*) AS n FROM users WHERE email @ilike :pattern ESCAPE '\' OR name @ilike :pattern ESCAPE '\';

-- name: user_any :one
-- out: id int
SELECT id FROM users ORDER BY id LIMIT 1;

-- ==== products and subscriptions ====

-- name: products :many
-- out: id int, name text, slug text, description text?, icon text?, monthly_price int, annual_price int, currency text,
-- out: is_active bool
SELECT id, name, slug, description, icon, monthly_price, annual_price, currency, is_active FROM products
WHERE is_active ORDER BY id;

-- name: subscriptions_of_user :many
-- in: user_id int
-- out: id int, product_id int, product_name text, product_slug text, plan_type text, status text,
-- out: current_period_start time?, current_period_end time?, created_at time
SELECT s.id, s.product_id, p.name, p.slug, s.plan_type, s.status, s.current_period_start, s.current_period_end, s.created_at
FROM subscriptions s JOIN products p ON p.id = s.product_id WHERE s.user_id = :user_id ORDER BY s.id;

-- name: subscribed :one
-- in: user_id int, slug text, now time
-- out: id int
SELECT s.id FROM products p JOIN subscriptions s ON s.product_id = p.id AND s.user_id = :user_id
WHERE p.slug = :slug AND s.status = 'active' AND (s.current_period_end IS NULL OR s.current_period_end > :now) LIMIT 1;

-- name: subscription_add :exec
-- in: user_id int, slug text, plan_type text, current_period_start time, current_period_end time
INSERT INTO subscriptions (user_id, product_id, plan_type, status, current_period_start, current_period_end, created_at)
SELECT :user_id, id, :plan_type, 'active', :current_period_start, :current_period_end, :current_period_start
FROM products WHERE slug = :slug;
-- pg:
INSERT INTO subscriptions (user_id, product_id, plan_type, status, current_period_start, current_period_end, created_at)
SELECT :user_id::bigint, id, :plan_type::text, 'active', :current_period_start::timestamptz, :current_period_end::timestamptz,
    :current_period_start::timestamptz
FROM products WHERE slug = :slug;

-- ==== failed sign-ins and who is known ====

-- name: guard :one
-- What is on record of a name and a client, the client by its address and by its browser's cookie, each also as it was digested
-- under the secret of before. user_id 0: nobody has the name.
-- in: email text, user_id int, address text, address_before text, device text, device_before text, budget text, since time,
-- in: forgotten time
-- out: address_failures int?, device_failures int?, address_seen time?, device_seen time?, whole_at int?
SELECT
    (SELECT failures FROM client_failures WHERE email = :email AND client = :address AND since >= :since),
    (SELECT failures FROM client_failures WHERE email = :email AND client = :device AND since >= :since),
    (SELECT max(seen_at) FROM known_clients
        WHERE user_id = :user_id AND client IN (:address, :address_before) AND seen_at > :forgotten),
    (SELECT max(seen_at) FROM known_clients
        WHERE user_id = :user_id AND client IN (:device, :device_before) AND seen_at > :forgotten),
    (SELECT whole_at FROM budgets WHERE key = :budget);

-- name: client_known :one
-- in: user_id int, address text, address_before text, device text, device_before text, forgotten time
-- out: user_id int
SELECT user_id FROM known_clients
WHERE user_id = :user_id AND client IN (:address, :address_before, :device, :device_before) AND seen_at > :forgotten LIMIT 1;

-- name: client_failed :one
-- The window begins anew when it is over, and with the failure that locks.
-- in: email text, client text, now time, cutoff time, most int
-- out: failures int
INSERT INTO client_failures (email, client, failures, since) VALUES (:email, :client, 1, :now)
ON CONFLICT (email, client) DO UPDATE SET
    failures = CASE WHEN client_failures.since < :cutoff THEN 1 ELSE client_failures.failures + 1 END,
    since = CASE WHEN client_failures.since < :cutoff OR client_failures.failures + 1 = :most THEN :now
        ELSE client_failures.since END
RETURNING failures;

-- name: client_worked :exec
-- in: email text, client text
DELETE FROM client_failures WHERE email = :email AND client = :client;

-- name: name_worked :exec
-- in: email text
DELETE FROM client_failures WHERE email = :email;

-- name: client_seen :exec
-- in: user_id int, client text, now time
INSERT INTO known_clients (user_id, client, seen_at) VALUES (:user_id, :client, :now)
ON CONFLICT (user_id, client) DO UPDATE SET seen_at = excluded.seen_at;

-- name: clients_trim :exec
-- Forgets all but the newest `most` of a user.
-- in: user_id int, most int
DELETE FROM known_clients WHERE user_id = :user_id AND client IN (
    SELECT client FROM known_clients WHERE user_id = :user_id ORDER BY seen_at DESC, client OFFSET :most);
-- sqlite:
DELETE FROM known_clients WHERE user_id = :user_id AND client IN (
    SELECT client FROM known_clients WHERE user_id = :user_id ORDER BY seen_at DESC, client LIMIT -1 OFFSET :most);

-- name: clients_forget :exec
-- in: user_id int
DELETE FROM known_clients WHERE user_id = :user_id;

-- name: budget_take :one
-- Takes one piece of a budget; no row when none is left. `fresh`: when a budget that was whole is whole again; `limit`: where one
-- that has a piece left is whole at the latest.
-- in: key text, now int, fresh int, each int, limit int
-- out: whole_at int
INSERT INTO budgets (key, whole_at) VALUES (:key, :fresh)
ON CONFLICT (key) DO UPDATE
SET whole_at = CASE WHEN budgets.whole_at > :now THEN budgets.whole_at + :each ELSE excluded.whole_at END
WHERE budgets.whole_at <= :limit
RETURNING whole_at;

-- name: budget_refill :exec
-- in: key text
DELETE FROM budgets WHERE key = :key;

-- ==== tokens and sessions ====

-- name: refresh_add :exec
-- in: jti text, family text, access_jti text, user_id int, expires_at time
INSERT INTO refresh_tokens (jti, family, access_jti, user_id, expires_at)
VALUES (:jti, :family, :access_jti, :user_id, :expires_at);

-- name: refresh_lock :one
-- in: jti text
-- out: family text, user_id int, used_at time?, revoked bool
SELECT family, user_id, used_at, revoked FROM refresh_tokens WHERE jti = :jti FOR UPDATE;

-- name: refresh_use :exec
-- in: jti text, now time
UPDATE refresh_tokens SET used_at = :now WHERE jti = :jti;

-- name: refresh_newest :one
-- in: family text
-- out: jti text, access_jti text, expires_at time
SELECT jti, access_jti, expires_at FROM refresh_tokens WHERE family = :family AND used_at IS NULL AND NOT revoked
ORDER BY expires_at DESC LIMIT 1;

-- name: refresh_revoke_family :exec
-- in: family text
UPDATE refresh_tokens SET revoked = true WHERE family = :family;

-- name: family_of_access :one
-- The family of the refresh token that was issued together with an access token.
-- in: access_jti text
-- out: family text
SELECT family FROM refresh_tokens WHERE access_jti = :access_jti LIMIT 1;

-- name: family_access :many
-- The access tokens issued with a family's refresh tokens; `since` leaves out those whose time is over.
-- in: family text, since time
-- out: access_jti text, expires_at time
SELECT access_jti, expires_at FROM refresh_tokens WHERE family = :family AND expires_at > :since;

-- name: refresh_last :one
-- in: user_id int
-- out: expires_at time?
SELECT max(expires_at) AS expires_at FROM refresh_tokens WHERE user_id = :user_id;

-- name: refresh_revoke_user :exec
-- in: user_id int
UPDATE refresh_tokens SET revoked = true WHERE user_id = :user_id;

-- name: revoked_add :exec
-- in: jti text, expires_at time, now time
INSERT INTO revoked_tokens (jti, expires_at, revoked_at) VALUES (:jti, :expires_at, :now) ON CONFLICT (jti) DO NOTHING;

-- name: revoked_get :one
-- in: jti text
-- out: expires_at time
SELECT expires_at FROM revoked_tokens WHERE jti = :jti;

-- name: revoked_since :many
-- in: since time, now time
-- out: jti text, expires_at time
SELECT jti, expires_at FROM revoked_tokens WHERE revoked_at > :since AND expires_at > :now;

-- name: revoked_users :many
-- in: tokens_from int
-- out: id int, tokens_from int
SELECT id, tokens_from FROM users WHERE tokens_from > 0 AND tokens_from > :tokens_from;

-- name: session_add :exec
-- in: id_hash text, user_id int, device text, address text, now time, expires_at time
INSERT INTO sessions (id_hash, user_id, device, address, created_at, last_used_at, expires_at)
VALUES (:id_hash, :user_id, :device, :address, :now, :now, :expires_at);

-- name: session_renew :exec
-- A sign-in lives as long as its newest refresh token. It may have no row: a release before this one issued its tokens.
-- in: id_hash text, user_id int, device text, address text, now time, expires_at time
INSERT INTO sessions (id_hash, user_id, device, address, created_at, last_used_at, expires_at)
VALUES (:id_hash, :user_id, :device, :address, :now, :now, :expires_at)
ON CONFLICT (id_hash) DO UPDATE SET address = excluded.address, last_used_at = excluded.last_used_at,
    expires_at = excluded.expires_at;

-- name: session_used :exec
-- in: id_hash text, address text, now time, before time
UPDATE sessions SET last_used_at = :now, address = :address
WHERE id_hash = :id_hash AND (last_used_at IS NULL OR last_used_at < :before);

-- name: session_used_by :exec
-- The same of the sign-in that an access token belongs to.
-- in: access_jti text, address text, now time, before time
UPDATE sessions SET last_used_at = :now, address = :address
WHERE id_hash = (SELECT family FROM refresh_tokens WHERE access_jti = :access_jti LIMIT 1)
    AND (last_used_at IS NULL OR last_used_at < :before);

-- name: sessions_of_user :many
-- in: user_id int, current text, now time, limit int, offset int
-- out: id text, device text, address text, created_at time, last_used_at time, current bool
SELECT id_hash AS id, device, address, created_at, coalesce(last_used_at, created_at) AS last_used_at, id_hash = :current AS current
FROM sessions
WHERE user_id = :user_id AND expires_at > :now ORDER BY coalesce(last_used_at, created_at) DESC, id_hash LIMIT :limit OFFSET :offset;

-- name: sessions_count :one
-- in: user_id int, now time
-- out: n int
SELECT count(*) AS n FROM sessions WHERE user_id = :user_id AND expires_at > :now;

-- name: session_user :one
-- in: id_hash text, now time
-- out: user_id int, role text, tokens_from int
SELECT s.user_id, u.role, u.tokens_from FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id_hash = :id_hash AND s.expires_at > :now AND u.is_active;

-- name: session_live :one
-- in: id_hash text, user_id int, now time
-- out: user_id int
SELECT user_id FROM sessions WHERE id_hash = :id_hash AND user_id = :user_id AND expires_at > :now;

-- name: session_delete :exec
-- in: id_hash text, user_id int
DELETE FROM sessions WHERE id_hash = :id_hash AND user_id = :user_id;

-- name: sessions_delete_user :exec
-- in: user_id int
DELETE FROM sessions WHERE user_id = :user_id;

-- ==== what is over ====

-- name: prune_refresh :exec
-- in: now time
DELETE FROM refresh_tokens WHERE expires_at < :now;

-- name: prune_revoked :exec
-- in: now time
DELETE FROM revoked_tokens WHERE expires_at < :now;

-- name: prune_sessions :exec
-- in: now time
DELETE FROM sessions WHERE expires_at < :now;

-- name: prune_failures :exec
-- in: cutoff time
DELETE FROM client_failures WHERE since < :cutoff;

-- name: prune_clients :exec
-- in: cutoff time
DELETE FROM known_clients WHERE seen_at < :cutoff;

-- name: prune_budgets :exec
-- in: now int
DELETE FROM budgets WHERE whole_at < :now;

-- name: prune_email_codes :exec
-- in: now time
DELETE FROM email_codes WHERE expires_at < :now;

-- ==== demo ====

-- name: demo_user_add :exec
-- in: id int, email text, password_hash text, name text, role text, created_at time
INSERT INTO users (id, email, password_hash, name, role, created_at)
VALUES (:id, :email, :password_hash, :name, :role, :created_at);

-- name: users_sequence :one
-- Ids that were given by hand must not be given again.
-- out: last int
SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users)) AS last;
-- sqlite:
SELECT max(id) AS last FROM users;

-- ==== one-time codes ====

-- name: otp_put :exec
-- The newest code of all takes the place of the one before.
-- in: email text, purpose text, otp_hash text, expires_at time, now time
INSERT INTO otps (email, purpose, otp_hash, expires_at, sent_at) VALUES (:email, :purpose, :otp_hash, :expires_at, :now)
ON CONFLICT (email, purpose) DO UPDATE
SET otp_hash = excluded.otp_hash, expires_at = excluded.expires_at, sent_at = excluded.sent_at, tries = 0, used_at = NULL;

-- name: otp_client_put :one
-- The same of one client; no row when the one before was sent after `since`.
-- in: email text, purpose text, client text, otp_hash text, expires_at time, now time, since time
-- out: client text
INSERT INTO otp_clients (email, purpose, client, otp_hash, expires_at, sent_at)
VALUES (:email, :purpose, :client, :otp_hash, :expires_at, :now)
ON CONFLICT (email, purpose, client) DO UPDATE
SET otp_hash = excluded.otp_hash, expires_at = excluded.expires_at, sent_at = excluded.sent_at, tries = 0
WHERE otp_clients.sent_at <= :since
RETURNING client;

-- name: otp_try :one
-- Counts a try, by a client that asked for none, of the newest code if it is neither over nor used up, and says what it should
-- have been.
-- in: email text, purpose text, now time, most int
-- out: otp_hash text
UPDATE otps SET tries = tries + 1
WHERE email = :email AND purpose = :purpose AND used_at IS NULL AND expires_at > :now AND tries < :most
RETURNING otp_hash;

-- name: otp_client_try :one
-- The same of the code that the client asked for.
-- in: email text, purpose text, client text, now time, most int
-- out: otp_hash text
UPDATE otp_clients SET tries = tries + 1
WHERE email = :email AND purpose = :purpose AND client = :client AND expires_at > :now AND tries < :most
RETURNING otp_hash;

-- name: otp_use :exec
-- One of any number that hold the code.
-- in: email text, purpose text, otp_hash text
DELETE FROM otp_clients WHERE email = :email AND purpose = :purpose AND otp_hash = :otp_hash;

-- name: otp_end :exec
-- in: email text, purpose text, now time
UPDATE otps SET used_at = :now WHERE email = :email AND purpose = :purpose AND used_at IS NULL;

-- name: otp_clients_end :exec
-- in: email text, purpose text
DELETE FROM otp_clients WHERE email = :email AND purpose = :purpose;

-- name: prune_otps :exec
-- in: cutoff time
DELETE FROM otps WHERE expires_at < :cutoff;

-- name: prune_otp_clients :exec
-- in: cutoff time
DELETE FROM otp_clients WHERE expires_at < :cutoff;

-- ==== confirming an address ====

-- name: email_code_put :one
-- A new code takes the place of the one before; no row when that was sent after `since`.
-- in: user_id int, code_hash text, expires_at time, now time, since time
-- out: user_id int
INSERT INTO email_codes (user_id, code_hash, expires_at, sent_at) VALUES (:user_id, :code_hash, :expires_at, :now)
ON CONFLICT (user_id) DO UPDATE
SET code_hash = excluded.code_hash, expires_at = excluded.expires_at, sent_at = excluded.sent_at, tries = 0
WHERE email_codes.sent_at <= :since
RETURNING user_id;

-- name: email_code_try :one
-- Counts a try of a code that is neither over nor used up, and says what it should have been.
-- in: user_id int, now time, most int
-- out: code_hash text
UPDATE email_codes SET tries = tries + 1 WHERE user_id = :user_id AND expires_at > :now AND tries < :most
RETURNING code_hash;

-- name: email_code_end :exec
-- in: user_id int
DELETE FROM email_codes WHERE user_id = :user_id;

-- name: user_confirm :exec
-- in: id int
UPDATE users SET email_confirmed = true WHERE id = :id AND NOT email_confirmed;

-- name: users_by_ids :many
-- in: ids ints
-- out: id int, email text, name text, is_active bool, email_confirmed bool, time_zone text
SELECT id, email, name, is_active, email_confirmed, time_zone FROM users WHERE id = ANY(:ids) ORDER BY id;
-- sqlite:
SELECT id, email, name, is_active, email_confirmed, time_zone FROM users WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id;
