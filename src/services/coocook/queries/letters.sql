-- What guests and chefs are still to be told of.

-- name: letters_take :many
-- The oldest that nobody else has in hand; they are written by triggers (migrations/0002_letters.sql).
-- in: limit int
-- out: booking_id int, event text
DELETE FROM booking_letters WHERE id = ANY (ARRAY(
    SELECT id FROM booking_letters ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING booking_id, event;
-- sqlite:
DELETE FROM booking_letters WHERE id IN (SELECT id FROM booking_letters ORDER BY id LIMIT :limit)
RETURNING booking_id, event;

-- name: letters_of :many
-- What the letters about these bookings say.
-- in: ids ints
-- out: id int, user_id int, chef_user_id int, chef_name text, starts_at time, time_zone text, duration_hours int,
-- out: total_price int, cancel_reason text?
SELECT b.id, b.user_id, c.user_id, c.name, b.starts_at, b.time_zone, b.duration_hours, b.total_price, b.cancel_reason
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.id = ANY(:ids);
