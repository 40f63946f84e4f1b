-- A session is a sign-in: of a browser, or of a program, which is given no cookie. The tokens issued with it are of the family that
-- bears its id. `device` is what the client called itself, shortened; `address` is where it was used last.
ALTER TABLE sessions ADD COLUMN device text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN last_used_at @time;
-- Families of tokens alone, of before: a refresh token lives 30 days.
-- pg:
INSERT INTO sessions (id_hash, user_id, created_at, expires_at)
SELECT family, min(user_id), min(expires_at) - interval '30 days', max(expires_at) FROM refresh_tokens WHERE NOT revoked
GROUP BY family ON CONFLICT (id_hash) DO NOTHING;
-- sqlite:
INSERT INTO sessions (id_hash, user_id, created_at, expires_at)
SELECT family, min(user_id), strftime('%Y-%m-%d %H:%M:%f', min(expires_at), '-30 days') || '000', max(expires_at)
FROM refresh_tokens WHERE NOT revoked GROUP BY family ON CONFLICT (id_hash) DO NOTHING;
-- all:

-- The administrators who can sign in, of whom one stays.
CREATE INDEX users_admins ON users (id) WHERE role = 'admin' AND is_active;

-- How a password is hashed, unless as new ones are: 'scrypt:32768:8:1', 'pbkdf2:sha256:600000', '$argon2id$v=19$m=4096,t=1,p=1'.
-- What occurs is looked up at every sign-in.
-- pg:
CREATE FUNCTION password_method(hash text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE
    WHEN substr(hash, 1, 7) IN ('scrypt:', 'pbkdf2:') THEN split_part(hash, '$', 1)
    WHEN substr(hash, 1, 10) = '$argon2id$' AND substr(hash, 1, 31) <> '$argon2id$v=19$m=65536,t=2,p=1$'
        THEN '$argon2id$v=19$' || split_part(hash, '$', 4) END $$;
CREATE INDEX users_password_method ON users (password_method(password_hash)) WHERE password_method(password_hash) IS NOT NULL;
-- sqlite:
ALTER TABLE users ADD COLUMN password_method text AS (CASE
    WHEN substr(password_hash, 1, 7) IN ('scrypt:', 'pbkdf2:') THEN substr(password_hash, 1, instr(password_hash, '$') - 1)
    WHEN substr(password_hash, 1, 10) = '$argon2id$' AND substr(password_hash, 1, 31) <> '$argon2id$v=19$m=65536,t=2,p=1$'
        THEN substr(password_hash, 1, instr(password_hash, ',p=') + 3) END) VIRTUAL;
CREATE INDEX users_password_method ON users (password_method) WHERE password_method IS NOT NULL;
