-- What operators do by command (manage.c).

-- name: manage_user_add :one
-- in: email text, password_hash text, name text, role text, created_at time
-- out: id int
INSERT INTO users (email, password_hash, name, role, created_at) VALUES (:email, :password_hash, :name, :role, :created_at)
RETURNING id;

-- name: admin_any :one
-- An administrator who may sign in.
-- out: id int
SELECT id FROM users WHERE role = 'admin' AND is_active ORDER BY id LIMIT 1;

-- name: product_by_slug :one
-- in: slug text
-- out: id int, name text
SELECT id, name FROM products WHERE slug = :slug;

-- name: product_slugs :many
-- out: slug text
SELECT slug FROM products ORDER BY id;

-- name: subscription_active :one
-- in: user_id int, product_id int
-- out: id int
SELECT id FROM subscriptions WHERE user_id = :user_id AND product_id = :product_id AND status = 'active';

-- name: subscription_extend :exec
-- in: id int, plan_type text, current_period_end time
UPDATE subscriptions SET plan_type = :plan_type, current_period_end = :current_period_end WHERE id = :id;

-- name: subscription_end :exec
-- in: user_id int, product_id int
UPDATE subscriptions SET status = 'canceled' WHERE user_id = :user_id AND product_id = :product_id AND status = 'active';

-- name: subscriptions_all :many
-- Keyset paging by id.
-- in: after int, limit int
-- out: id int, email text, product_slug text, plan_type text, status text, current_period_end time?
SELECT s.id, u.email, p.slug AS product_slug, s.plan_type, s.status, s.current_period_end
FROM subscriptions s JOIN users u ON u.id = s.user_id JOIN products p ON p.id = s.product_id
WHERE s.id > :after ORDER BY s.id LIMIT :limit;
