-- Telegram's statements, on its own tables only.

-- name: update_take :exec
-- Changes nothing when the update was applied already.
-- in: update_id int, received_at time
INSERT INTO telegram_updates (update_id, received_at) VALUES (:update_id, :received_at) ON CONFLICT (update_id) DO NOTHING;

-- name: update_prune :exec
-- in: cutoff time
DELETE FROM telegram_updates WHERE received_at < :cutoff;

-- name: code_put :exec
-- iat: of the sign-in that draws it, seconds
-- in: user_id int, code_hash text, iat int, expires_at time
INSERT INTO telegram_codes (user_id, code_hash, iat, expires_at) VALUES (:user_id, :code_hash, :iat, :expires_at)
ON CONFLICT (user_id) DO UPDATE SET code_hash = excluded.code_hash, iat = excluded.iat, expires_at = excluded.expires_at;

-- name: code_user :one
-- Whose code it is.
-- in: code_hash text, now time
-- out: user_id int, iat int
SELECT user_id, iat FROM telegram_codes WHERE code_hash = :code_hash AND expires_at > :now;

-- name: code_take :one
-- A code is used once.
-- in: code_hash text, now time
-- out: user_id int, iat int
DELETE FROM telegram_codes WHERE code_hash = :code_hash AND expires_at > :now RETURNING user_id, iat;

-- name: code_prune :exec
-- in: now time
DELETE FROM telegram_codes WHERE expires_at <= :now;

-- name: link_clear :exec
-- in: user_id int, chat_id int
DELETE FROM telegram_links WHERE user_id = :user_id OR chat_id = :chat_id;

-- name: link_put :exec
-- in: user_id int, chat_id int, linked_at time
INSERT INTO telegram_links (user_id, chat_id, linked_at) VALUES (:user_id, :chat_id, :linked_at);

-- name: link_of_chat :one
-- in: chat_id int
-- out: user_id int
SELECT user_id FROM telegram_links WHERE chat_id = :chat_id;

-- name: link_of_user :one
-- in: user_id int
-- out: chat_id int, linked_at time
SELECT chat_id, linked_at FROM telegram_links WHERE user_id = :user_id;

-- name: links_of_users :many
-- in: ids ints
-- out: user_id int
SELECT user_id FROM telegram_links WHERE user_id = ANY(:ids);

-- name: unlink_chat :exec
-- in: chat_id int
DELETE FROM telegram_links WHERE chat_id = :chat_id;

-- name: unlink_user :exec
-- in: user_id int
DELETE FROM telegram_links WHERE user_id = :user_id;
