-- The demo's data.
--
-- Each fills a table from one JSON text, an array of objects: four statements instead of two thousand. Chefs are named
-- by their user, for ids are not known before; times are text in UTC without a zone, as SQLite keeps them.

-- name: demo_chefs :exec
-- rating and popularity as chef_rate has them
-- in: rows json, prior_sum int, prior_n int
-- pg:
INSERT INTO chefs (user_id, name, bio, cuisine_type, location, price_per_session, rating_sum, rating_count, rating,
    popularity, created_at)
SELECT owner, name, bio, cuisine, location, price, rating_sum, rating_count,
    CASE WHEN rating_count = 0 THEN 0
        ELSE CAST((200 * rating_sum / rating_count + 1) / 2 AS @float) / 100 END,
    CAST(:prior_sum + rating_sum AS @float) / (:prior_n + rating_count), CAST(created_at || 'Z' AS timestamptz)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (owner bigint, name text, bio text, cuisine text, location text,
    price bigint, rating_sum bigint, rating_count bigint, created_at text)
ORDER BY owner;
-- sqlite:
INSERT INTO chefs (user_id, name, bio, cuisine_type, location, price_per_session, rating_sum, rating_count, rating,
    popularity, created_at)
SELECT value ->> 'owner', value ->> 'name', value ->> 'bio', value ->> 'cuisine', value ->> 'location',
    value ->> 'price', value ->> 'rating_sum', value ->> 'rating_count',
    CASE WHEN value ->> 'rating_count' = 0 THEN 0
        ELSE CAST((200 * (value ->> 'rating_sum') / (value ->> 'rating_count') + 1) / 2 AS @float) / 100 END,
    CAST(:prior_sum + (value ->> 'rating_sum') AS @float) / (:prior_n + (value ->> 'rating_count')),
    value ->> 'created_at'
FROM json_each(:rows)
ORDER BY value ->> 'owner';

-- name: demo_bookings :exec
-- in: rows json
-- pg:
INSERT INTO bookings (user_id, chef_id, booking_date, starts_at, ends_at, duration_hours, total_price, status,
    payment_status, reviewed, special_requests, created_at,
    expires_at)
SELECT r.guest, c.id, CAST(r.day AS date), CAST(r.starts_at || 'Z' AS timestamptz),
    CAST(r.ends_at || 'Z' AS timestamptz), r.hours, c.price_per_session * r.hours, r.status, r.payment, r.rating > 0,
    r.request, CAST(r.created_at || 'Z' AS timestamptz),
    CAST(r.expires_at || 'Z' AS timestamptz)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (owner bigint, guest bigint, day text, starts_at text,
    ends_at text, hours bigint, status text, payment text, rating bigint, request text, created_at text,
    expires_at text)
JOIN chefs c ON c.user_id = r.owner
ORDER BY r.created_at, c.id, r.starts_at;
-- sqlite:
INSERT INTO bookings (user_id, chef_id, booking_date, starts_at, ends_at, duration_hours, total_price, status,
    payment_status, reviewed, special_requests, created_at,
    expires_at)
SELECT value ->> 'guest', c.id, value ->> 'day', value ->> 'starts_at', value ->> 'ends_at', value ->> 'hours',
    c.price_per_session * (value ->> 'hours'), value ->> 'status', value ->> 'payment', value ->> 'rating' > 0,
    value ->> 'request', value ->> 'created_at', value ->> 'expires_at'
FROM json_each(:rows) JOIN chefs c ON c.user_id = value ->> 'owner'
ORDER BY value ->> 'created_at', c.id, value ->> 'starts_at';

-- name: demo_payments :exec
-- in: rows json
-- pg:
INSERT INTO booking_payments (booking_id, user_id, amount, status, provider, provider_ref, created_at, refunded_at)
SELECT b.id, b.user_id, b.total_price, b.payment_status, 'sandbox', 'sandbox_demo_' || b.id, b.created_at,
    CASE WHEN b.payment_status = 'refunded' THEN b.created_at END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (owner bigint, starts_at text)
JOIN chefs c ON c.user_id = r.owner
JOIN bookings b ON b.chef_id = c.id AND b.starts_at = CAST(r.starts_at || 'Z' AS timestamptz)
WHERE b.payment_status <> 'unpaid';
-- sqlite:
INSERT INTO booking_payments (booking_id, user_id, amount, status, provider, provider_ref, created_at, refunded_at)
SELECT b.id, b.user_id, b.total_price, b.payment_status, 'sandbox', 'sandbox_demo_' || b.id, b.created_at,
    CASE WHEN b.payment_status = 'refunded' THEN b.created_at END
FROM json_each(:rows) JOIN chefs c ON c.user_id = value ->> 'owner'
JOIN bookings b ON b.chef_id = c.id AND b.starts_at = value ->> 'starts_at'
WHERE b.payment_status <> 'unpaid';

-- name: demo_reviews :exec
-- in: rows json
-- pg:
INSERT INTO booking_reviews (booking_id, chef_id, user_id, rating, comment, created_at)
SELECT b.id, b.chef_id, b.user_id, r.rating, r.comment, CAST(r.reviewed_at || 'Z' AS timestamptz)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (owner bigint, starts_at text, rating bigint,
    comment text, reviewed_at text)
JOIN chefs c ON c.user_id = r.owner
JOIN bookings b ON b.chef_id = c.id AND b.starts_at = CAST(r.starts_at || 'Z' AS timestamptz)
WHERE r.rating > 0
ORDER BY r.reviewed_at, b.id;
-- sqlite:
INSERT INTO booking_reviews (booking_id, chef_id, user_id, rating, comment, created_at)
SELECT b.id, b.chef_id, b.user_id, value ->> 'rating', value ->> 'comment', value ->> 'reviewed_at'
FROM json_each(:rows) JOIN chefs c ON c.user_id = value ->> 'owner'
JOIN bookings b ON b.chef_id = c.id AND b.starts_at = value ->> 'starts_at'
WHERE value ->> 'rating' > 0
ORDER BY value ->> 'reviewed_at', b.id;
