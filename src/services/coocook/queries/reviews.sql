-- Reviews.

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
-- Users' names are platform's: who reads puts them into author.
-- in: chef_id int, limit int, offset int
-- out: id int, user_id int, author text?, rating int, comment text?, created_at time
SELECT id, user_id, CAST(NULL AS text), rating, comment, created_at
FROM booking_reviews WHERE chef_id = :chef_id
ORDER BY id DESC LIMIT :limit OFFSET :offset;
