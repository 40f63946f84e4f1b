-- CooCook's statements, on its own tables only.
--
-- A query whose last column is `total` gives in each row how many rows there are in all pages. coocook__page takes it
-- from the first row and leaves it out of the answer.

-- ==== lists of chefs ====
-- One query for each order and filter, so that each is read from one index in order and stops after the page, whatever
-- plan is cached.
-- The total of a list without a price range is kept in chef_counts; with one it is counted in the index.

-- name: chefs_by_rating :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM chefs WHERE is_active
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: chefs_by_price :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM chefs WHERE is_active
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: chefs_by_newest :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM chefs WHERE is_active
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: cuisine_by_rating :many
-- in: cuisine text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'cuisine' AND name = :cuisine) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: cuisine_by_price :many
-- in: cuisine text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'cuisine' AND name = :cuisine) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: cuisine_by_newest :many
-- By way of the ids, which only the right index holds: going through all of the newest looks cheap to the planner, and
-- is not for a rare cuisine.
-- in: cuisine text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'cuisine' AND name = :cuisine) AS total
FROM (SELECT id, created_at FROM chefs WHERE is_active AND cuisine_type = :cuisine
    ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit;

-- name: location_by_rating :many
-- in: location text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'location' AND name = :location) AS total
FROM chefs WHERE is_active AND location = :location
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: location_by_price :many
-- in: location text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'location' AND name = :location) AS total
FROM chefs WHERE is_active AND location = :location
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: location_by_newest :many
-- in: location text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'location' AND name = :location) AS total
FROM (SELECT id, created_at FROM chefs WHERE is_active AND location = :location
    ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit;

-- name: chefs_priced_by_rating :many
-- The price stands in the index of the order, which is walked alone as in the far pages. "+ 0" keeps the planner from
-- going by price and sorting half the table.
-- in: min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count,
    (SELECT count(*) FROM chefs WHERE is_active
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM (SELECT id, rating, rating_count FROM chefs
    WHERE is_active AND price_per_session + 0 BETWEEN :min_price AND :max_price
    ORDER BY rating DESC, rating_count DESC, id LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.rating DESC, p.rating_count DESC, p.id LIMIT :limit;

-- name: chefs_priced_by_price :many
-- in: min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: chefs_priced_by_newest :many
-- in: min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count,
    (SELECT count(*) FROM chefs WHERE is_active
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM (SELECT id, created_at FROM chefs
    WHERE is_active AND price_per_session + 0 BETWEEN :min_price AND :max_price
    ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit;

-- name: cuisine_priced_by_rating :many
-- in: cuisine text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: cuisine_priced_by_price :many
-- in: cuisine text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: cuisine_priced_by_newest :many
-- in: cuisine text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: location_priced_by_rating :many
-- in: location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active AND location = :location
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND location = :location AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: location_priced_by_price :many
-- in: location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active AND location = :location
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND location = :location AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: location_priced_by_newest :many
-- in: location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active AND location = :location
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND location = :location AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: both_priced_by_rating :many
-- in: cuisine text, location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
       
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
    AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY rating DESC, rating_count DESC, id LIMIT :limit OFFSET :offset;

-- name: both_priced_by_price :many
-- in: cuisine text, location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
    (SELECT count(*) FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
       
        AND price_per_session BETWEEN :min_price AND :max_price) AS total
FROM chefs WHERE is_active AND cuisine_type = :cuisine AND location = :location
    AND price_per_session BETWEEN :min_price AND :max_price
ORDER BY price_per_session, id LIMIT :limit OFFSET :offset;

-- name: both_priced_by_newest :many
-- in: cuisine text, location text, min_price int, max_price int, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count,
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
-- out: rating_count int, total int
SELECT c.id, name, bio, cuisine_type, location, c.price_per_session, c.rating, c.rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM (SELECT id, rating, rating_count FROM chefs WHERE is_active
    ORDER BY rating DESC, rating_count DESC, id LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.rating DESC, p.rating_count DESC, p.id LIMIT :limit;

-- name: deep_by_price :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT c.id, name, bio, cuisine_type, location, c.price_per_session, c.rating, c.rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM (SELECT id, price_per_session FROM chefs WHERE is_active
    ORDER BY price_per_session, id LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.price_per_session, p.id LIMIT :limit;

-- name: deep_by_newest :many
-- in: limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT c.id, name, bio, cuisine_type, location, c.price_per_session, c.rating, c.rating_count,
    (SELECT chefs FROM chef_counts WHERE kind = 'all' AND name = '') AS total
FROM (SELECT id, created_at FROM chefs WHERE is_active
    ORDER BY created_at DESC, id DESC LIMIT 100 OFFSET :offset) p JOIN chefs c ON c.id = p.id
ORDER BY p.created_at DESC, p.id DESC LIMIT :limit;


-- name: chefs_of_user :many
-- in: user_id int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, 1 AS total
FROM chefs WHERE user_id = :user_id AND is_active;

-- name: cuisines :many
-- out: cuisine_type text, chefs int
SELECT name, chefs FROM chef_counts WHERE kind = 'cuisine' AND chefs > 0 ORDER BY chefs DESC, name;

-- name: chefs_popular :many
-- in: limit int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, popularity float
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, popularity
FROM chefs WHERE is_active
ORDER BY popularity DESC, id LIMIT :limit;

-- ==== search ====

-- name: chefs_search :many
-- Best first: all words in the name, then in name, cuisine or location, then anywhere; popular ones before others.
-- in: words text, in_name text, in_head text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count, h.total
FROM (SELECT id, popularity, count(*) OVER () AS total,
        CASE WHEN head @@ to_tsquery('simple', :in_name) THEN 0
            WHEN head @@ to_tsquery('simple', :in_head) THEN 1 ELSE 2 END AS tier
    FROM chefs WHERE is_active AND search @@ to_tsquery('simple', :words)
    ORDER BY tier, popularity DESC, id LIMIT :limit OFFSET :offset) h
JOIN chefs c ON c.id = h.id
ORDER BY h.tier, h.popularity DESC, h.id;
-- sqlite:
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count, h.total
FROM (SELECT id, popularity, count(*) OVER () AS total,
        CASE WHEN id IN (SELECT rowid FROM chefs_fts WHERE chefs_fts MATCH :in_name) THEN 0
            WHEN id IN (SELECT rowid FROM chefs_fts WHERE chefs_fts MATCH :in_head) THEN 1 ELSE 2 END AS tier
    FROM chefs WHERE is_active AND id IN (SELECT rowid FROM chefs_fts WHERE chefs_fts MATCH :words)
    ORDER BY tier, popularity DESC, id LIMIT :limit OFFSET :offset) h
JOIN chefs c ON c.id = h.id
ORDER BY h.tier, h.popularity DESC, h.id;

-- ==== one chef ====

-- name: chef_get :one
-- in: id int
-- out: id int, user_id int, name text, bio text?, cuisine_type text, location text, price_per_session int,
-- out: rating float, rating_count int
SELECT id, user_id, name, bio, cuisine_type, location, price_per_session, rating, rating_count
FROM chefs WHERE id = :id AND is_active;

-- name: chef_owned :one
-- in: id int, user_id int
-- out: id int
SELECT id FROM chefs WHERE id = :id AND user_id = :user_id;

-- name: chef_add :one
-- in: user_id int, name text, bio text?, cuisine_type text, location text, price_per_session int, popularity float,
-- in: created_at time
-- out: id int
INSERT INTO chefs (user_id, name, bio, cuisine_type, location, price_per_session, popularity, created_at)
VALUES (:user_id, :name, :bio, :cuisine_type, :location, :price_per_session, :popularity, :created_at)
RETURNING id;

-- name: chef_change :exec
-- What is NULL stays.
-- in: id int, user_id int, name text?, bio text?, cuisine_type text?, location text?, price_per_session int?,
-- in: is_active bool?
UPDATE chefs SET name = coalesce(:name, name), bio = coalesce(:bio, bio),
    cuisine_type = coalesce(:cuisine_type, cuisine_type), location = coalesce(:location, location),
    price_per_session = coalesce(:price_per_session, price_per_session), is_active = coalesce(:is_active, is_active)
WHERE id = :id AND user_id = :user_id;

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

-- ==== bookings ====

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
-- out: user_id int, chef_id int, chef_user_id int, total_price int, status text, payment_status text, reviewed bool
SELECT b.user_id, b.chef_id, c.user_id, b.total_price, b.status, b.payment_status, b.reviewed
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

-- ==== letters ====

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
-- out: id int, user_id int, chef_user_id int, chef_name text, starts_at time, duration_hours int, total_price int
SELECT b.id, b.user_id, c.user_id, c.name, b.starts_at, b.duration_hours, b.total_price
FROM bookings b JOIN chefs c ON c.id = b.chef_id
WHERE b.id = ANY(:ids);

-- ==== payments ====

-- name: payment_add :one
-- in: booking_id int, user_id int, amount int, provider text, provider_ref text, created_at time
-- out: id int
INSERT INTO booking_payments (booking_id, user_id, amount, status, provider, provider_ref, created_at)
VALUES (:booking_id, :user_id, :amount, 'paid', :provider, :provider_ref, :created_at)
RETURNING id;

-- name: payment_refund :one
-- in: booking_id int, refunded_at time
-- out: id int, amount int
UPDATE booking_payments SET status = 'refunded', refunded_at = :refunded_at
WHERE booking_id = :booking_id AND status = 'paid'
RETURNING id, amount;

-- ==== reviews ====

-- name: review_add :one
-- in: booking_id int, chef_id int, user_id int, rating int, comment text?, created_at time
-- out: id int
INSERT INTO booking_reviews (booking_id, chef_id, user_id, rating, comment, created_at)
VALUES (:booking_id, :chef_id, :user_id, :rating, :comment, :created_at)
RETURNING id;

-- name: review_get :one
-- in: booking_id int
-- out: id int, booking_id int, chef_id int, user_id int, rating int, comment text?, created_at time
SELECT id, booking_id, chef_id, user_id, rating, comment, created_at
FROM booking_reviews WHERE booking_id = :booking_id;

-- name: reviews_of_chef :many
-- in: chef_id int, limit int, offset int
-- out: id int, user_id int, rating int, comment text?, created_at time
SELECT id, user_id, rating, comment, created_at
FROM booking_reviews WHERE chef_id = :chef_id
ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- ==== recommendations ====

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
-- out: rating_count int, popularity float
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, popularity
FROM chefs WHERE is_active AND cuisine_type = :name AND user_id <> :user_id
    AND id NOT IN (SELECT chef_id FROM bookings WHERE user_id = :user_id)
ORDER BY popularity DESC, id LIMIT :limit;

-- name: recommend_location :many
-- in: user_id int, name text, limit int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, popularity float
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, popularity
FROM chefs WHERE is_active AND location = :name AND user_id <> :user_id
    AND id NOT IN (SELECT chef_id FROM bookings WHERE user_id = :user_id)
ORDER BY popularity DESC, id LIMIT :limit;

-- name: recommend_popular :many
-- in: user_id int, limit int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, popularity float
SELECT id, name, bio, cuisine_type, location, price_per_session, rating, rating_count, popularity
FROM chefs WHERE is_active AND user_id <> :user_id
    AND id NOT IN (SELECT chef_id FROM bookings WHERE user_id = :user_id)
ORDER BY popularity DESC, id LIMIT :limit;

-- ==== the demo ====
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
    payment_status, reviewed, special_requests, created_at)
SELECT r.guest, c.id, CAST(r.day AS date), CAST(r.starts_at || 'Z' AS timestamptz),
    CAST(r.ends_at || 'Z' AS timestamptz), r.hours, c.price_per_session * r.hours, r.status, r.payment, r.rating > 0,
    r.request, CAST(r.created_at || 'Z' AS timestamptz)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (owner bigint, guest bigint, day text, starts_at text,
    ends_at text, hours bigint, status text, payment text, rating bigint, request text, created_at text)
JOIN chefs c ON c.user_id = r.owner
ORDER BY r.created_at, c.id, r.starts_at;
-- sqlite:
INSERT INTO bookings (user_id, chef_id, booking_date, starts_at, ends_at, duration_hours, total_price, status,
    payment_status, reviewed, special_requests, created_at)
SELECT value ->> 'guest', c.id, value ->> 'day', value ->> 'starts_at', value ->> 'ends_at', value ->> 'hours',
    c.price_per_session * (value ->> 'hours'), value ->> 'status', value ->> 'payment', value ->> 'rating' > 0,
    value ->> 'request', value ->> 'created_at'
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
