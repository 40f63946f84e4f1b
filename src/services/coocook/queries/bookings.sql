-- Bookings, each on its chef's calendar. `total` as in chefs.sql.

-- name: slots :many
-- What a chef has booked between two instants; `early` is a day before `from`, for no booking is longer.
-- in: chef_id int, early time, from time, to time
-- out: starts_at time, ends_at time
SELECT starts_at, ends_at FROM bookings
WHERE chef_id = :chef_id AND starts_at > :early AND starts_at < :to AND ends_at > :from AND status <> 'cancelled'
ORDER BY starts_at;

-- name: booking_take :one
-- Books hours if the chef is there, is not the guest and has them free; no row otherwise. One statement, so that there
-- is nothing between looking and taking but what ON CONFLICT catches: a booking that another connection commits
-- meanwhile (bookings_slot). The price is by the hour. `early` is a day before `starts_at`, for no booking is longer.
-- in: user_id int, chef_id int, booking_date date, early time, starts_at time, ends_at time, duration_hours int,
-- in: special_requests text?, created_at time
-- out: id int, total_price int
INSERT INTO bookings (user_id, chef_id, booking_date, starts_at, ends_at, duration_hours, total_price,
    special_requests, created_at, announce)
SELECT :user_id, c.id, :booking_date, :starts_at, :ends_at, :duration_hours, c.price_per_session * :duration_hours,
    :special_requests, :created_at, true
FROM chefs c
WHERE c.id = :chef_id AND c.is_active AND c.user_id <> :user_id
    AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.chef_id = :chef_id AND b.starts_at > :early
        AND b.starts_at < :ends_at AND b.ends_at > :starts_at AND b.status <> 'cancelled')
ON CONFLICT DO NOTHING
RETURNING id, total_price;

-- name: bookings_of_user :many
-- in: user_id int, limit int, offset int
-- out: id int, chef_id int, chef_name text, chef_cuisine text, booking_date date, starts_at time, ends_at time,
-- out: duration_hours int, total_price int, status text, payment_status text, reviewed bool, special_requests text?,
-- out: created_at time, total int
SELECT b.id, b.chef_id, c.name, c.cuisine_type, b.booking_date, b.starts_at, b.ends_at, b.duration_hours,
    b.total_price, b.status, b.payment_status, b.reviewed, b.special_requests, b.created_at,
    (SELECT count(*) FROM bookings WHERE user_id = :user_id) AS total
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.user_id = :user_id
ORDER BY b.id DESC LIMIT :limit OFFSET :offset;

-- name: bookings_of_user_by_status :many
-- in: user_id int, status text, limit int, offset int
-- out: id int, chef_id int, chef_name text, chef_cuisine text, booking_date date, starts_at time, ends_at time,
-- out: duration_hours int, total_price int, status text, payment_status text, reviewed bool, special_requests text?,
-- out: created_at time, total int
SELECT b.id, b.chef_id, c.name, c.cuisine_type, b.booking_date, b.starts_at, b.ends_at, b.duration_hours,
    b.total_price, b.status, b.payment_status, b.reviewed, b.special_requests, b.created_at,
    (SELECT count(*) FROM bookings WHERE user_id = :user_id AND status = :status) AS total
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.user_id = :user_id AND b.status = :status
ORDER BY b.id DESC LIMIT :limit OFFSET :offset;

-- name: bookings_of_chef :many
-- in: chef_id int, limit int, offset int
-- out: id int, user_id int, booking_date date, starts_at time, ends_at time, duration_hours int, total_price int,
-- out: status text, payment_status text, reviewed bool, special_requests text?, created_at time, total int
SELECT id, user_id, booking_date, starts_at, ends_at, duration_hours, total_price, status, payment_status, reviewed,
    special_requests, created_at, (SELECT count(*) FROM bookings WHERE chef_id = :chef_id) AS total
FROM bookings WHERE chef_id = :chef_id
ORDER BY starts_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: bookings_of_chef_by_status :many
-- in: chef_id int, status text, limit int, offset int
-- out: id int, user_id int, booking_date date, starts_at time, ends_at time, duration_hours int, total_price int,
-- out: status text, payment_status text, reviewed bool, special_requests text?, created_at time, total int
SELECT id, user_id, booking_date, starts_at, ends_at, duration_hours, total_price, status, payment_status, reviewed,
    special_requests, created_at,
    (SELECT count(*) FROM bookings WHERE chef_id = :chef_id AND status = :status) AS total
FROM bookings WHERE chef_id = :chef_id AND status = :status
ORDER BY starts_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: bookings_next :many
-- What a guest has ahead, the soonest first.
-- in: user_id int, now time, limit int
-- out: id int, chef_name text, starts_at time, duration_hours int, status text
SELECT b.id, c.name, b.starts_at, b.duration_hours, b.status
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.user_id = :user_id AND b.ends_at > :now AND b.status IN ('pending', 'confirmed')
ORDER BY b.starts_at, b.id LIMIT :limit;

-- name: booking_get :one
-- in: id int
-- out: id int, user_id int, chef_id int, chef_name text, chef_cuisine text, booking_date date, starts_at time,
-- out: ends_at time, duration_hours int, total_price int, status text, payment_status text, reviewed bool,
-- out: special_requests text?, created_at time, chef_user_id int
SELECT b.id, b.user_id, b.chef_id, c.name, c.cuisine_type, b.booking_date, b.starts_at, b.ends_at,
    b.duration_hours, b.total_price, b.status, b.payment_status, b.reviewed, b.special_requests, b.created_at, c.user_id
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.id = :id;

-- name: booking_lock :one
-- in: id int
-- out: user_id int, chef_id int, chef_user_id int, ends_at time, total_price int, status text, payment_status text,
-- out: reviewed bool
SELECT b.user_id, b.chef_id, c.user_id, b.ends_at, b.total_price, b.status, b.payment_status, b.reviewed
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.id = :id FOR UPDATE OF b;

-- name: booking_turn :exec
-- in: id int, status text
UPDATE bookings SET status = :status WHERE id = :id;

-- name: booking_paid :exec
-- in: id int, payment_status text
UPDATE bookings SET payment_status = :payment_status WHERE id = :id;

-- name: booking_reviewed :exec
-- in: id int
UPDATE bookings SET reviewed = true WHERE id = :id;
