-- Chefs: lists of them, and one.
--
-- A query whose last column is `total` gives in each row how many rows there are in all pages. coocook__page takes it
-- from the first row and leaves it out of the answer.
--
-- One query for each order and filter, so that each is read from one index in order and stops after the page, whatever
-- plan is cached.
-- The total of a list without a price range is kept in chef_counts; with one it is counted in the index.

-- name: chefs_by_rating :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM chefs WHERE is_active
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: chefs_by_price :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM chefs WHERE is_active
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: chefs_by_newest :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM chefs WHERE is_active
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: cuisine_by_rating :many
-- in: cuisine text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'cuisine' AND name = :cuisine) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: cuisine_by_price :many
-- in: cuisine text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'cuisine' AND name = :cuisine) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: cuisine_by_newest :many
-- By way of the ids, which only the right index holds: going through all of the newest looks cheap to the planner, and
-- is not for a rare cuisine.
-- in: cuisine text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'cuisine' AND name = :cuisine) AS total
FROM (SELECT id, created_at FROM chefs WHERE is_active AND cuisine_type = :cuisine
    ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit;

-- name: location_by_rating :many
-- in: location text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'location' AND name = :location) AS total
FROM chefs WHERE is_active AND location = :location
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: location_by_price :many
-- in: location text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'location' AND name = :location) AS total
FROM chefs WHERE is_active AND location = :location
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: location_by_newest :many
-- in: location text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'location' AND name = :location) AS total
FROM (SELECT id, created_at FROM chefs WHERE is_active AND location = :location
    ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit;

-- name: chefs_priced_by_rating :many
-- The price stands in the index of the order, which is walked alone as in the far pages. "+ 0" keeps the planner from
-- going by price and sorting half the table.
-- in: min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM (SELECT id, rating, rating_count FROM chefs
    WHERE is_active AND price_per_session + 0 BETWEEN :min_price AND :max_price
    ORDER BY rating DESC, rating_count DESC, id LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.rating DESC, p.rating_count DESC, p.id LIMIT :limit;

-- name: chefs_priced_by_price :many
-- in: min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: chefs_priced_by_newest :many
-- in: min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM (SELECT id, created_at FROM chefs
    WHERE is_active AND price_per_session + 0 BETWEEN :min_price AND :max_price
    ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit;

-- name: cuisine_priced_by_rating :many
-- in: cuisine text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: cuisine_priced_by_price :many
-- in: cuisine text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: cuisine_priced_by_newest :many
-- in: cuisine text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: location_priced_by_rating :many
-- in: location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND location = :location
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND location = :location AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: location_priced_by_price :many
-- in: location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND location = :location
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND location = :location AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: location_priced_by_newest :many
-- in: location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND location = :location
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND location = :location AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: both_priced_by_rating :many
-- in: cuisine text, location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
       
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
    AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: both_priced_by_price :many
-- in: cuisine text, location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
       
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
    AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: both_priced_by_newest :many
-- in: cuisine text, location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
       
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
    AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- Far pages walk the index alone and then fetch the chefs of the page. The inner limit is a number (the most a page
-- may hold), for the planner takes a parameter there for a tenth of the table.

-- name: deep_by_rating :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT c.id, name, bio, cuisine_type, location, c.price_per_session, c.rating, c.rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM (SELECT id, rating, rating_count FROM chefs WHERE is_active
    ORDER BY rating DESC, rating_count DESC, id LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.rating DESC, p.rating_count DESC, p.id LIMIT :limit;

-- name: deep_by_price :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT c.id, name, bio, cuisine_type, location, c.price_per_session, c.rating, c.rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM (SELECT id, price_per_session FROM chefs WHERE is_active
    ORDER BY price_per_session, id LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.price_per_session, p.id LIMIT :limit;

-- name: deep_by_newest :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT c.id, name, bio, cuisine_type, location, c.price_per_session, c.rating, c.rating_count, time_zone,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM (SELECT id, created_at FROM chefs WHERE is_active
    ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit;


-- name: chefs_of_user :many
-- in: user_id int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone, 1 AS total
FROM chefs WHERE user_id = :user_id AND is_active;

-- name: cuisines :many
-- out: cuisine_type text, chefs int
SELECT name, chefs FROM chef_counts WHERE kind = 'cuisine' AND chefs > 0 ORDER BY chefs DESC, name;

-- name: chefs_popular :many
-- in: limit int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, popularity float
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone, popularity
FROM chefs WHERE is_active
ORDER BY popularity DESC, id LIMIT :limit;

-- name: chef_get :one
-- in: id int
-- out: id int, user_id int, name text, bio text?, cuisine_type text, location text, price_per_session int,
-- out: rating float, rating_count int, time_zone text
SELECT id, user_id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, time_zone
FROM chefs WHERE id = :id AND is_active;

-- name: chef_owned :one
-- in: id int, user_id int
-- out: id int
SELECT id FROM chefs WHERE id = :id AND user_id = :user_id;

-- name: chef_hold :one
-- For the rest of the transaction; bookings that only look on are not kept waiting.
-- in: id int
-- out: id int
SELECT id FROM chefs WHERE id = :id FOR NO KEY UPDATE;
-- sqlite:
SELECT id FROM chefs WHERE id = :id;

-- name: chef_add :one
-- in: user_id int, name text, bio text?, cuisine_type text, location text, price_per_session int, popularity float,
-- in: time_zone text, created_at time
-- out: id int
INSERT INTO chefs (user_id, name, bio, cuisine_type, location, price_per_session, popularity, time_zone, created_at)
VALUES (:user_id, :name, :bio, :cuisine_type, :location, :price_per_session, :popularity, :time_zone, :created_at)
RETURNING id;

-- name: chef_change :exec
-- What is NULL stays.
-- in: id int, user_id int, name text?, bio text?, cuisine_type text?, location text?, price_per_session int?,
-- in: time_zone text?, is_active bool?
UPDATE chefs SET name = coalesce(:name, name), bio = coalesce(:bio, bio),
    cuisine_type = coalesce(:cuisine_type, cuisine_type), location = coalesce(:location, location),
    price_per_session = coalesce(:price_per_session, price_per_session),
    time_zone = coalesce(:time_zone, time_zone),
    is_active = CASE WHEN resume IS NULL THEN coalesce(:is_active, is_active) ELSE is_active END,
    resume = CASE WHEN resume IS NULL THEN resume ELSE coalesce(:is_active, resume) END
WHERE id = :id AND user_id = :user_id;

-- name: chef_close :exec
-- The profile is as inactive as its user, and keeps what it is to be again.
-- in: user_id int
UPDATE chefs SET resume = is_active, is_active = false WHERE user_id = :user_id AND resume IS NULL;

-- name: chef_open :exec
-- in: user_id int
UPDATE chefs SET is_active = resume, resume = NULL WHERE user_id = :user_id AND resume IS NOT NULL;

-- name: chef_owners :many
-- closed: as that of an account that is closed.
-- in: after int, limit int
-- out: id int, user_id int, closed bool
SELECT id, user_id, resume IS NOT NULL FROM chefs WHERE id > :after ORDER BY id LIMIT :limit;

-- name: chef_rate :one
-- Adds a review to the mean, in integers to the hundredth (coocook_rating), and to the popularity (coocook_popularity).
-- in: id int, rating int, prior_sum int, prior_n int
-- out: rating float, rating_count int
UPDATE chefs SET rating_sum = rating_sum + :rating, rating_count = rating_count + 1,
    rating = CAST((200 * (rating_sum + :rating) / (rating_count + 1) + 1) / 2 AS @float) / 100,
    popularity = CAST(:prior_sum + rating_sum + :rating AS @float) / (:prior_n + rating_count + 1)
WHERE id = :id
RETURNING rating, rating_count;

-- name: chef_any :one
-- out: id int
SELECT id FROM chefs ORDER BY id LIMIT 1;
