-- CooCook's tables. chefs, bookings, booking_payments and booking_reviews carry the names and columns of the platform
-- this one replaces, and more of their own. user_id is a user of another service: no foreign key.
--
-- Invariants that the database itself keeps:
--  1. A chef is never booked twice for the same time: bookings_slot (PostgreSQL: an exclusion constraint; SQLite:
--     triggers). Hours that do not overlap cannot add up to more than 24 a day.
--  2. chef_counts holds how many active chefs there are, in all and by cuisine and location, so that a list's total is
--     one look-up.
--  3. A booking has at most one paid payment and at most one review.

-- pg:
CREATE EXTENSION IF NOT EXISTS btree_gist;
-- all:

CREATE TABLE chefs (
    id @id,
    user_id @int NOT NULL CONSTRAINT chefs_user UNIQUE,
    name text NOT NULL,
    bio text,
-- pg:
    cuisine_type text COLLATE "C" NOT NULL,
    location text COLLATE "C" NOT NULL,
-- sqlite:
    cuisine_type text NOT NULL,
    location text NOT NULL,
-- all:
    price_per_session @int NOT NULL CONSTRAINT chefs_price_range CHECK (price_per_session >= 0),
    rating @float NOT NULL DEFAULT 0,
    rating_count @int NOT NULL DEFAULT 0,
    rating_sum @int NOT NULL DEFAULT 0,
    popularity @float NOT NULL DEFAULT 4,
    is_active @bool NOT NULL DEFAULT true,
    created_at @time NOT NULL DEFAULT @now
-- pg:
    -- The signs are blanked because PostgreSQL's parser would take "pasta/pizza" for one path and "a.b" for one host.
    , head tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', translate(name, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32))), 'A')
        || setweight(to_tsvector('simple', translate(cuisine_type || ' ' || location,
            '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32))), 'B')) STORED
    , search tsvector GENERATED ALWAYS AS (
        to_tsvector('simple', translate(name || ' ' || cuisine_type || ' ' || location || ' ' || coalesce(bio, ''),
            '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)))) STORED
-- all:
);
-- the price behind the order is for lists with a price range
CREATE INDEX chefs_rating ON chefs (rating DESC, rating_count DESC, id, price_per_session) WHERE is_active;
CREATE INDEX chefs_price ON chefs (price_per_session, id) WHERE is_active;
CREATE INDEX chefs_newest ON chefs (created_at DESC, id DESC, price_per_session) WHERE is_active;
CREATE INDEX chefs_popular ON chefs (popularity DESC, id) WHERE is_active;
CREATE INDEX chefs_cuisine_rating ON chefs (cuisine_type, rating DESC, rating_count DESC, id) WHERE is_active;
CREATE INDEX chefs_cuisine_price ON chefs (cuisine_type, price_per_session, id) WHERE is_active;
CREATE INDEX chefs_cuisine_newest ON chefs (cuisine_type, created_at DESC, id DESC) WHERE is_active;
CREATE INDEX chefs_cuisine_popular ON chefs (cuisine_type, popularity DESC, id) WHERE is_active;
CREATE INDEX chefs_location_rating ON chefs (location, rating DESC, rating_count DESC, id) WHERE is_active;
CREATE INDEX chefs_location_price ON chefs (location, price_per_session, id) WHERE is_active;
CREATE INDEX chefs_location_newest ON chefs (location, created_at DESC, id DESC) WHERE is_active;
CREATE INDEX chefs_location_popular ON chefs (location, popularity DESC, id) WHERE is_active;
CREATE INDEX chefs_cuisine_location ON chefs (cuisine_type, location, price_per_session, id) WHERE is_active;

-- kind: all (name empty), cuisine, location
CREATE TABLE chef_counts (
-- pg:
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
-- sqlite:
    kind text NOT NULL,
    name text NOT NULL,
-- all:
    chefs @int NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE bookings (
    id @id,
    user_id @int NOT NULL,
    chef_id @int NOT NULL REFERENCES chefs (id),
    booking_date @date NOT NULL,
    starts_at @time NOT NULL,
    ends_at @time NOT NULL,
    duration_hours @int NOT NULL CONSTRAINT bookings_duration CHECK (duration_hours BETWEEN 1 AND 24),
    total_price @int NOT NULL CONSTRAINT bookings_price CHECK (total_price >= 0),
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT bookings_status CHECK (status IN ('pending', 'confirmed', 'completed', 'cancelled')),
    payment_status text NOT NULL DEFAULT 'unpaid'
        CONSTRAINT bookings_payment CHECK (payment_status IN ('unpaid', 'paid', 'refunded')),
    reviewed @bool NOT NULL DEFAULT false,
    special_requests text,
    created_at @time NOT NULL DEFAULT @now,
    CONSTRAINT bookings_span CHECK (ends_at > starts_at)
-- pg:
    , CONSTRAINT bookings_slot EXCLUDE USING gist (chef_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (status <> 'cancelled')
-- all:
);
CREATE INDEX bookings_user ON bookings (user_id, id DESC, status);
CREATE INDEX bookings_chef ON bookings (chef_id, starts_at DESC, id DESC, status);

CREATE TABLE booking_payments (
    id @id,
    booking_id @int NOT NULL REFERENCES bookings (id),
    user_id @int NOT NULL,
    amount @int NOT NULL,
    currency text NOT NULL DEFAULT 'KRW',
    status text NOT NULL CONSTRAINT booking_payments_status CHECK (status IN ('paid', 'refunded')),
    provider text NOT NULL,
    provider_ref text NOT NULL,
    created_at @time NOT NULL DEFAULT @now,
    refunded_at @time
);
CREATE UNIQUE INDEX booking_payments_paid ON booking_payments (booking_id) WHERE status = 'paid';

CREATE TABLE booking_reviews (
    id @id,
    booking_id @int NOT NULL CONSTRAINT booking_reviews_once UNIQUE REFERENCES bookings (id),
    chef_id @int NOT NULL REFERENCES chefs (id),
    user_id @int NOT NULL,
    rating @int NOT NULL CONSTRAINT booking_reviews_rating CHECK (rating BETWEEN 1 AND 5),
    comment text,
    created_at @time NOT NULL DEFAULT @now
);
CREATE INDEX booking_reviews_chef ON booking_reviews (chef_id, id DESC);

-- pg:
CREATE INDEX chefs_search ON chefs USING gin (search);

-- Once a statement, so that filling the table costs one update of each count. Counts are touched in one order
-- everywhere, so that two writers wait for each other and never deadlock.
CREATE FUNCTION chef_counts_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chef_counts AS t (kind, name, chefs)
    SELECT CASE GROUPING(cuisine_type, location) WHEN 3 THEN 'all' WHEN 1 THEN 'cuisine' ELSE 'location' END,
        coalesce(cuisine_type, location, ''), count(*)
    FROM added WHERE is_active GROUP BY GROUPING SETS ((), (cuisine_type), (location)) HAVING count(*) > 0
    ORDER BY 1, 2
    ON CONFLICT (kind, name) DO UPDATE SET chefs = t.chefs + excluded.chefs;
    RETURN NULL;
END $$;
CREATE FUNCTION chef_counts_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chef_counts AS t (kind, name, chefs)
    SELECT CASE GROUPING(cuisine_type, location) WHEN 3 THEN 'all' WHEN 1 THEN 'cuisine' ELSE 'location' END,
        coalesce(cuisine_type, location, ''), -count(*)
    FROM removed WHERE is_active GROUP BY GROUPING SETS ((), (cuisine_type), (location)) HAVING count(*) > 0
    ORDER BY 1, 2
    ON CONFLICT (kind, name) DO UPDATE SET chefs = t.chefs + excluded.chefs;
    RETURN NULL;
END $$;
CREATE FUNCTION chef_counts_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chef_counts AS t (kind, name, chefs)
    SELECT CASE GROUPING(cuisine_type, location) WHEN 3 THEN 'all' WHEN 1 THEN 'cuisine' ELSE 'location' END,
        coalesce(cuisine_type, location, ''), sum(n)
    FROM (SELECT cuisine_type, location, 1 AS n FROM added WHERE is_active
          UNION ALL SELECT cuisine_type, location, -1 FROM removed WHERE is_active) d
    GROUP BY GROUPING SETS ((), (cuisine_type), (location)) HAVING sum(n) <> 0
    ORDER BY 1, 2
    ON CONFLICT (kind, name) DO UPDATE SET chefs = t.chefs + excluded.chefs;
    RETURN NULL;
END $$;
CREATE TRIGGER chefs_counts_insert AFTER INSERT ON chefs REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION chef_counts_insert();
CREATE TRIGGER chefs_counts_delete AFTER DELETE ON chefs REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION chef_counts_delete();
CREATE TRIGGER chefs_counts_update AFTER UPDATE ON chefs REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION chef_counts_update();

-- sqlite:
CREATE TRIGGER chefs_counts_insert AFTER INSERT ON chefs WHEN new.is_active BEGIN
    INSERT INTO chef_counts (kind, name, chefs)
    VALUES ('all', '', 1), ('cuisine', new.cuisine_type, 1), ('location', new.location, 1)
    ON CONFLICT (kind, name) DO UPDATE SET chefs = chefs + 1;
END;
CREATE TRIGGER chefs_counts_delete AFTER DELETE ON chefs WHEN old.is_active BEGIN
    UPDATE chef_counts SET chefs = chefs - 1
    WHERE (kind, name) IN (VALUES ('all', ''), ('cuisine', old.cuisine_type), ('location', old.location));
END;
CREATE TRIGGER chefs_counts_update AFTER UPDATE OF is_active, cuisine_type, location ON chefs BEGIN
    UPDATE chef_counts SET chefs = chefs - 1
    WHERE old.is_active
        AND (kind, name) IN (VALUES ('all', ''), ('cuisine', old.cuisine_type), ('location', old.location));
    INSERT INTO chef_counts (kind, name, chefs)
    SELECT column1, column2, 1
    FROM (VALUES ('all', ''), ('cuisine', new.cuisine_type), ('location', new.location)) WHERE new.is_active
    ON CONFLICT (kind, name) DO UPDATE SET chefs = chefs + 1;
END;

-- The write that a booking needs checks first; these hold against every other writer too.
CREATE TRIGGER bookings_slot_insert BEFORE INSERT ON bookings
WHEN new.status <> 'cancelled' AND EXISTS (
    SELECT 1 FROM bookings WHERE chef_id = new.chef_id AND starts_at < new.ends_at
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', new.starts_at, '-24 hours') AND ends_at > new.starts_at
        AND status <> 'cancelled')
BEGIN
    SELECT RAISE(ABORT, 'bookings_slot');
END;
CREATE TRIGGER bookings_slot_update BEFORE UPDATE OF chef_id, starts_at, ends_at, status ON bookings
WHEN new.status <> 'cancelled' AND EXISTS (
    SELECT 1 FROM bookings WHERE chef_id = new.chef_id AND starts_at < new.ends_at
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', new.starts_at, '-24 hours') AND ends_at > new.starts_at
        AND status <> 'cancelled' AND id <> new.id)
BEGIN
    SELECT RAISE(ABORT, 'bookings_slot');
END;

CREATE VIRTUAL TABLE chefs_fts USING fts5 (name, cuisine_type, location, bio, content = 'chefs', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 0', prefix = '1 2 3');
CREATE TRIGGER chefs_fts_insert AFTER INSERT ON chefs BEGIN
    INSERT INTO chefs_fts (rowid, name, cuisine_type, location, bio)
    VALUES (new.id, new.name, new.cuisine_type, new.location, new.bio);
END;
CREATE TRIGGER chefs_fts_delete AFTER DELETE ON chefs BEGIN
    INSERT INTO chefs_fts (chefs_fts, rowid, name, cuisine_type, location, bio)
    VALUES ('delete', old.id, old.name, old.cuisine_type, old.location, old.bio);
END;
CREATE TRIGGER chefs_fts_update AFTER UPDATE OF name, cuisine_type, location, bio ON chefs BEGIN
    INSERT INTO chefs_fts (chefs_fts, rowid, name, cuisine_type, location, bio)
    VALUES ('delete', old.id, old.name, old.cuisine_type, old.location, old.bio);
    INSERT INTO chefs_fts (rowid, name, cuisine_type, location, bio)
    VALUES (new.id, new.name, new.cuisine_type, new.location, new.bio);
END;
