-- Chefs by words.

-- name: chefs_search :many
-- Best first: all words in the name, then in name, cuisine or location, then anywhere; popular ones before others.
-- in: words text, in_name text, in_head text, limit int, offset int
-- out: id int, name text, bio text?, cuisine_type text, location text, price_per_session int, rating float,
-- out: rating_count int, time_zone text, total int
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count, c.time_zone, h.total
FROM (SELECT id, popularity, count(*) OVER () AS total,
        CASE WHEN head @@ to_tsquery('simple', :in_name) THEN 0
            WHEN head @@ to_tsquery('simple', :in_head) THEN 1 ELSE 2 END AS tier
    FROM chefs WHERE is_active AND search @@ to_tsquery('simple', :words)
    ORDER BY tier, popularity DESC, id LIMIT :limit OFFSET :offset) h
JOIN chefs c ON c.id = h.id
ORDER BY h.tier, h.popularity DESC, h.id;
-- sqlite:
SELECT c.id, c.name, c.bio, c.cuisine_type, c.location, c.price_per_session, c.rating, c.rating_count, c.time_zone, h.total
FROM (SELECT id, popularity, count(*) OVER () AS total,
        CASE WHEN id IN (SELECT rowid FROM chefs_fts WHERE chefs_fts MATCH :in_name) THEN 0
            WHEN id IN (SELECT rowid FROM chefs_fts WHERE chefs_fts MATCH :in_head) THEN 1 ELSE 2 END AS tier
    FROM chefs WHERE is_active AND id IN (SELECT rowid FROM chefs_fts WHERE chefs_fts MATCH :words)
    ORDER BY tier, popularity DESC, id LIMIT :limit OFFSET :offset) h
JOIN chefs c ON c.id = h.id
ORDER BY h.tier, h.popularity DESC, h.id;
