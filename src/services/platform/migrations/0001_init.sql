-- Platform's tables. users, products, subscriptions and payments carry the names and columns of the platform this one
-- replaces; the rest is ours.

-- pg:
CREATE EXTENSION IF NOT EXISTS pg_trgm;
-- all:

CREATE TABLE users (
    id @id,
    email text NOT NULL CONSTRAINT users_email UNIQUE,
    password_hash text NOT NULL,
    name text NOT NULL,
    role text NOT NULL DEFAULT 'user' CONSTRAINT users_role CHECK (role IN ('user', 'admin')),
    is_active @bool NOT NULL DEFAULT true,
    -- tokens issued before this second (since 1970) are revoked
    tokens_from @int NOT NULL DEFAULT 0,
    created_at @time NOT NULL DEFAULT @now
);
CREATE INDEX users_tokens_from ON users (tokens_from) WHERE tokens_from > 0;
-- pg:
CREATE INDEX users_email_words ON users USING gin (email gin_trgm_ops);
CREATE INDEX users_name_words ON users USING gin (name gin_trgm_ops);
-- all:

-- How many users there are, so that a list's total is one look-up.
CREATE TABLE user_count (
    n @int NOT NULL
);
INSERT INTO user_count (n) VALUES (0);
-- pg:
CREATE FUNCTION user_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE user_count SET n = n + (SELECT count(*) FROM added);
    RETURN NULL;
END $$;
CREATE FUNCTION user_count_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE user_count SET n = n - (SELECT count(*) FROM removed);
    RETURN NULL;
END $$;
CREATE TRIGGER users_count_insert AFTER INSERT ON users REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION user_count_insert();
CREATE TRIGGER users_count_delete AFTER DELETE ON users REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION user_count_delete();
-- sqlite:
CREATE TRIGGER users_count_insert AFTER INSERT ON users BEGIN
    UPDATE user_count SET n = n + 1;
END;
CREATE TRIGGER users_count_delete AFTER DELETE ON users BEGIN
    UPDATE user_count SET n = n - 1;
END;
-- all:

CREATE TABLE products (
    id @id,
    name text NOT NULL,
    slug text NOT NULL CONSTRAINT products_slug UNIQUE,
    description text,
    icon text,
    monthly_price @int NOT NULL,
    annual_price @int NOT NULL,
    currency text NOT NULL DEFAULT 'KRW',
    is_active @bool NOT NULL DEFAULT true,
    created_at @time NOT NULL DEFAULT @now
);
INSERT INTO products (name, slug, description, icon, monthly_price, annual_price) VALUES
    ('CooCook', 'coocook', 'Book a chef who cooks at your place', '🍳', 29900, 299000),
    ('SNS Auto', 'sns-auto', 'Write once, post everywhere, on time', '📱', 49900, 499000),
    ('Review Campaigns', 'review', 'Let the right people try your product and tell', '⭐', 39900, 399000),
    ('AI Automation', 'ai-automation', 'Digital employees for the work that repeats', '🤖', 89900, 899000),
    ('WebApp Builder', 'webapp-builder', 'Learn to build web apps and put them online', '💻', 590000, 5900000),
    ('Experience', 'experience', 'Every experience listing in one place', '🎟', 19900, 199000);

CREATE TABLE subscriptions (
    id @id,
    user_id @int NOT NULL REFERENCES users (id),
    product_id @int NOT NULL REFERENCES products (id),
    plan_type text NOT NULL CONSTRAINT subscriptions_plan CHECK (plan_type IN ('monthly', 'annual')),
    status text NOT NULL DEFAULT 'active' CONSTRAINT subscriptions_status CHECK (status IN ('active', 'canceled', 'past_due')),
    stripe_subscription_id text,
    current_period_start @time,
    current_period_end @time,
    created_at @time NOT NULL DEFAULT @now
);
CREATE UNIQUE INDEX subscriptions_active ON subscriptions (user_id, product_id) WHERE status = 'active';
CREATE INDEX subscriptions_user ON subscriptions (user_id, id);

CREATE TABLE payments (
    id @id,
    user_id @int NOT NULL REFERENCES users (id),
    product_id @int REFERENCES products (id),
    subscription_id @int REFERENCES subscriptions (id),
    amount @int NOT NULL,
    currency text NOT NULL DEFAULT 'KRW',
    status text NOT NULL,
    stripe_payment_id text,
    created_at @time NOT NULL DEFAULT @now
);
CREATE INDEX payments_user ON payments (user_id, id);

-- A refresh token is used once; the next one of its family takes its place. Using one twice revokes the family.
CREATE TABLE refresh_tokens (
    jti text PRIMARY KEY,
    family text NOT NULL,
    access_jti text NOT NULL,
    user_id @int NOT NULL REFERENCES users (id),
    expires_at @time NOT NULL,
    used_at @time,
    revoked @bool NOT NULL DEFAULT false
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_access ON refresh_tokens (access_jti);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- Access tokens that were logged out, until they would have expired.
CREATE TABLE revoked_tokens (
    jti text PRIMARY KEY,
    expires_at @time NOT NULL,
    revoked_at @time NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);
CREATE INDEX revoked_tokens_age ON revoked_tokens (revoked_at);

-- Browser sessions; the cookie itself is not stored, only its SHA-256.
CREATE TABLE sessions (
    id_hash text PRIMARY KEY,
    user_id @int NOT NULL REFERENCES users (id),
    created_at @time NOT NULL,
    expires_at @time NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Failed logins of a name within the window that began at `since`, whether or not the name exists.
CREATE TABLE login_failures (
    email text PRIMARY KEY,
    failures @int NOT NULL,
    since @time NOT NULL
);
CREATE INDEX login_failures_since ON login_failures (since);
