-- Recommendations.

-- name: tastes :many
-- What the guest's last bookings were.
-- in: user_id int
-- out: cuisine_type text, location text, bookings int
SELECT c.cuisine_type, c.location, count(*)
FROM (SELECT chef_id FROM bookings WHERE user_id = :user_id AND status <> 'cancelled' ORDER BY id DESC LIMIT 100) b
JOIN chefs c ON c.id = b.chef_id
GROUP BY c.cuisine_type, c.location
ORDER BY c.cuisine_type, c.location;

-- name: recommend_cuisine :many
-- Popular chefs of a cuisine whom the guest has not booked and is not.
-- in: user_id int, name text, limit int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, popularity float
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone, popularity
FROM chefs WHERE is_active AND cuisine_type = :name AND user_id <> :user_id
    AND id NOT IN (SELECT chef_id FROM bookings WHERE user_id = :user_id)
ORDER BY popularity DESC, id LIMIT :limit;

-- name: recommend_location :many
-- in: user_id int, name text, limit int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, popularity float
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone, popularity
FROM chefs WHERE is_active AND location = :name AND user_id <> :user_id
    AND id NOT IN (SELECT chef_id FROM bookings WHERE user_id = :user_id)
ORDER BY popularity DESC, id LIMIT :limit;

-- name: recommend_popular :many
-- in: user_id int, limit int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, popularity float
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone, popularity
FROM chefs WHERE is_active AND user_id <> :user_id
    AND id NOT IN (SELECT chef_id FROM bookings WHERE user_id = :user_id)
ORDER BY popularity DESC, id LIMIT :limit;
