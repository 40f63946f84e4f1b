-- Bookings, each on its chef's calendar. `total` as in chefs.sql.

-- name: slots :many
-- What a chef has booked between two instants; `early` is a day before `from`, for no booking is longer.
-- in: chef_id int, early time, from time, to time
-- out: starts_at time, ends_at time
SELECT starts_at, ends_at FROM bookings
WHERE chef_id = :chef_id AND starts_at > :early AND starts_at < :to AND ends_at > :from AND status <> 'cancelled'
ORDER BY starts_at;

-- name: booking_take :one
-- Books hours if the chef is there, by the clocks of time_zone, is not the guest, has them free, and the guest may hold that
-- many more unpaid; no row otherwise. One statement, so that there is nothing between looking and taking but what ON CONFLICT
-- catches: a booking that another connection commits meanwhile (bookings_slot). The price is by the hour. `early` is a day before `starts_at`, for no
-- booking is longer. most: unpaid bookings with this chef; most_hours: unpaid hours in all (booking_room).
-- in: user_id int, chef_id int, booking_date date, early time, starts_at time, ends_at time, duration_hours int,
-- in: time_zone text, special_requests text?, created_at time, expires_at time, most int, most_hours int
-- out: id int, total_price int
INSERT INTO bookings (user_id, chef_id, booking_date, starts_at, ends_at, time_zone, duration_hours, total_price,
    special_requests, created_at, expires_at, announce)
SELECT :user_id, c.id, :booking_date, :starts_at, :ends_at, c.time_zone, :duration_hours,
    c.price_per_session * :duration_hours, :special_requests, :created_at, :expires_at, true
FROM chefs c
WHERE c.id = :chef_id AND c.is_active AND c.user_id <> :user_id AND c.time_zone = :time_zone
    AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.chef_id = :chef_id AND b.starts_at > :early
        AND b.starts_at < :ends_at AND b.ends_at > :starts_at AND b.status <> 'cancelled')
    AND booking_room(:user_id, :chef_id, :duration_hours, :most, :most_hours)
ON CONFLICT DO NOTHING
RETURNING id, total_price;
-- sqlite:
INSERT INTO bookings (user_id, chef_id, booking_date, starts_at, ends_at, time_zone, duration_hours, total_price,
    special_requests, created_at, expires_at, announce)
SELECT :user_id, c.id, :booking_date, :starts_at, :ends_at, c.time_zone, :duration_hours,
    c.price_per_session * :duration_hours, :special_requests, :created_at, :expires_at, true
FROM chefs c
WHERE c.id = :chef_id AND c.is_active AND c.user_id <> :user_id AND c.time_zone = :time_zone
    AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.chef_id = :chef_id AND b.starts_at > :early
        AND b.starts_at < :ends_at AND b.ends_at > :starts_at AND b.status <> 'cancelled')
    AND (SELECT count(*) FILTER (WHERE chef_id = :chef_id) < :most
            AND coalesce(sum(duration_hours), 0) + :duration_hours <= :most_hours
        FROM bookings WHERE user_id = :user_id AND status IN ('pending', 'confirmed') AND payment_status = 'unpaid')
ON CONFLICT DO NOTHING
RETURNING id, total_price;

-- name: bookings_held :one
-- What a guest holds unpaid: bookings with this chef, and hours in all.
-- in: user_id int, chef_id int
-- out: held int, hours int
SELECT count(*) FILTER (WHERE chef_id = :chef_id) AS held, CAST(coalesce(sum(duration_hours), 0) AS @int) AS hours
FROM bookings WHERE user_id = :user_id AND status IN ('pending', 'confirmed') AND payment_status = 'unpaid';

-- name: requests_expire :many
-- Cancels requests whose time is over; nobody else has those in hand.
-- in: now time, limit int
-- out: id int, payment_status text
UPDATE bookings SET status = 'cancelled', cancel_reason = 'expired', expires_at = NULL
WHERE status = 'pending' AND id = ANY (ARRAY(SELECT id FROM bookings WHERE status = 'pending' AND expires_at <= :now
    ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING id, payment_status;
-- sqlite:
UPDATE bookings SET status = 'cancelled', cancel_reason = 'expired', expires_at = NULL
WHERE id IN (SELECT id FROM bookings WHERE status = 'pending' AND expires_at <= :now ORDER BY expires_at LIMIT :limit)
RETURNING id, payment_status;

-- name: requests_close_chef :many
-- Cancels the requests to a user's profile, as requests_expire does.
-- in: user_id int
-- out: id int, payment_status text
UPDATE bookings SET status = 'cancelled', cancel_reason = 'closed', expires_at = NULL
WHERE chef_id = (SELECT id FROM chefs WHERE user_id = :user_id) AND status = 'pending'
RETURNING id, payment_status;

-- name: requests_close_guest :many
-- Cancels the requests that a user has sent.
-- in: user_id int
-- out: id int, payment_status text
UPDATE bookings SET status = 'cancelled', cancel_reason = 'closed', expires_at = NULL
WHERE user_id = :user_id AND status = 'pending'
RETURNING id, payment_status;

-- name: bookings_of_user :many
-- in: user_id int, limit int, offset int
-- out: id int, chef_id int, chef_name text, chef_cuisine text, booking_date date, starts_at time, ends_at time,
-- out: time_zone text, duration_hours int, total_price int, status text, payment_status text, reviewed bool,
-- out: special_requests text?, expires_at time?, cancel_reason text?, created_at time, total int
SELECT b.id, b.chef_id, c.name, c.cuisine_type, b.booking_date, b.starts_at, b.ends_at, b.time_zone, b.duration_hours,
    b.total_price, b.status, b.payment_status, b.reviewed, b.special_requests, b.expires_at,
    b.cancel_reason, b.created_at,
    (SELECT count(*) FROM bookings WHERE user_id = :user_id) AS total
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.user_id = :user_id
ORDER BY b.id DESC LIMIT :limit OFFSET :offset;

-- name: bookings_of_user_by_status :many
-- in: user_id int, status text, limit int, offset int
-- out: id int, chef_id int, chef_name text, chef_cuisine text, booking_date date, starts_at time, ends_at time,
-- out: time_zone text, duration_hours int, total_price int, status text, payment_status text, reviewed bool,
-- out: special_requests text?, expires_at time?, cancel_reason text?, created_at time, total int
SELECT b.id, b.chef_id, c.name, c.cuisine_type, b.booking_date, b.starts_at, b.ends_at, b.time_zone, b.duration_hours,
    b.total_price, b.status, b.payment_status, b.reviewed, b.special_requests, b.expires_at,
    b.cancel_reason, b.created_at,
    (SELECT count(*) FROM bookings WHERE user_id = :user_id AND status = :status) AS total
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.user_id = :user_id AND b.status = :status
ORDER BY b.id DESC LIMIT :limit OFFSET :offset;

-- name: bookings_of_chef :many
-- Users' names are platform's: who reads puts them into user_name.
-- in: chef_id int, limit int, offset int
-- out: id int, user_id int, user_name text?, booking_date date, starts_at time, ends_at time, time_zone text, duration_hours int,
-- out: total_price int, status text, payment_status text, reviewed bool, special_requests text?, expires_at time?,
-- out: cancel_reason text?, created_at time, total int
SELECT id, user_id, CAST(NULL AS text), booking_date, starts_at, ends_at, time_zone, duration_hours, total_price, status, payment_status, reviewed,
    special_requests, expires_at, cancel_reason, created_at, (SELECT count(*) FROM bookings WHERE chef_id = :chef_id) AS total
FROM bookings WHERE chef_id = :chef_id
ORDER BY starts_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: bookings_of_chef_by_status :many
-- in: chef_id int, status text, limit int, offset int
-- out: id int, user_id int, user_name text?, booking_date date, starts_at time, ends_at time, time_zone text, duration_hours int,
-- out: total_price int, status text, payment_status text, reviewed bool, special_requests text?, expires_at time?,
-- out: cancel_reason text?, created_at time, total int
SELECT id, user_id, CAST(NULL AS text), booking_date, starts_at, ends_at, time_zone, duration_hours, total_price, status, payment_status, reviewed,
    special_requests, expires_at, cancel_reason, created_at,
    (SELECT count(*) FROM bookings WHERE chef_id = :chef_id AND status = :status) AS total
FROM bookings WHERE chef_id = :chef_id AND status = :status
ORDER BY starts_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: bookings_next :many
-- What a guest has ahead, the soonest first.
-- in: user_id int, now time, limit int
-- out: id int, chef_name text, chef_user_id int, starts_at time, time_zone text, duration_hours int, status text
SELECT b.id, c.name, c.user_id, b.starts_at, b.time_zone, b.duration_hours, b.status
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.user_id = :user_id AND b.ends_at > :now AND b.status IN ('pending', 'confirmed')
ORDER BY b.starts_at, b.id LIMIT :limit;

-- name: booking_get :one
-- in: id int
-- out: id int, user_id int, user_name text?, chef_id int, chef_name text, chef_cuisine text, booking_date date, starts_at time,
-- out: ends_at time, time_zone text, duration_hours int, total_price int, status text, payment_status text,
-- out: reviewed bool, special_requests text?, expires_at time?, cancel_reason text?, created_at time, chef_user_id int
SELECT b.id, b.user_id, CAST(NULL AS text), b.chef_id, c.name, c.cuisine_type, b.booking_date, b.starts_at, b.ends_at,
    b.time_zone, b.duration_hours, b.total_price, b.status, b.payment_status, b.reviewed, b.special_requests,
    b.expires_at, b.cancel_reason, b.created_at, c.user_id
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.id = :id;

-- name: booking_lock :one
-- in: id int
-- out: user_id int, chef_id int, chef_user_id int, ends_at time, total_price int, status text, payment_status text,
-- out: reviewed bool, expires_at time?
SELECT b.user_id, b.chef_id, c.user_id, b.ends_at, b.total_price, b.status, b.payment_status, b.reviewed, b.expires_at
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.id = :id FOR UPDATE OF b;

-- name: booking_turn :exec
-- in: id int, status text, cancel_reason text?
UPDATE bookings SET status = :status, cancel_reason = :cancel_reason, expires_at = NULL WHERE id = :id;

-- name: booking_paid :exec
-- in: id int, payment_status text
UPDATE bookings SET payment_status = :payment_status WHERE id = :id;

-- name: booking_reviewed :exec
-- in: id int
UPDATE bookings SET reviewed = true WHERE id = :id;
