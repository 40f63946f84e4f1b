-- Mail's statements, on its own table only.

-- name: keep :exec
-- in: message_id text, template text, sender text, recipient text, subject text, body_text text, body_html text, created_at time
INSERT INTO mail_outbox (message_id, template, sender, recipient, subject, body_text, body_html, created_at)
VALUES (:message_id, :template, :sender, :recipient, :subject, :body_text, :body_html, :created_at)
ON CONFLICT (message_id) DO NOTHING;

-- name: keep_many :exec mails: a JSON array of objects; created_at in UTC without a zone, as SQLite keeps it
-- in: mails text
INSERT INTO mail_outbox (message_id, template, sender, recipient, subject, body_text, body_html, created_at)
SELECT message_id, template, sender, recipient, subject, body_text, body_html, CAST(created_at || 'Z' AS timestamptz)
FROM json_to_recordset(CAST(:mails AS json)) AS m (message_id text, template text, sender text, recipient text, subject text,
    body_text text, body_html text, created_at text)
ON CONFLICT (message_id) DO NOTHING;
-- sqlite:
INSERT INTO mail_outbox (message_id, template, sender, recipient, subject, body_text, body_html, created_at)
SELECT value ->> 'message_id', value ->> 'template', value ->> 'sender', value ->> 'recipient', value ->> 'subject',
    value ->> 'body_text', value ->> 'body_html', value ->> 'created_at'
FROM json_each(:mails) WHERE true
ON CONFLICT (message_id) DO NOTHING;

-- name: prune :exec
-- Keeps the newest.
-- in: keep int
DELETE FROM mail_outbox WHERE id <= (SELECT max(id) FROM mail_outbox) - :keep;

-- name: page :many
-- in: limit int, offset int
-- out: id int, to text, template text, subject text, created_at time
SELECT id, recipient, template, subject, created_at FROM mail_outbox ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- name: page_to :many
-- in: to text, limit int, offset int
-- out: id int, to text, template text, subject text, created_at time
SELECT id, recipient, template, subject, created_at FROM mail_outbox WHERE recipient = :to
ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- name: count :one
-- out: n int
SELECT count(*) AS n FROM mail_outbox;

-- name: count_to :one
-- in: to text
-- out: n int
SELECT count(*) AS n FROM mail_outbox WHERE recipient = :to;

-- name: one :one
-- in: id int
-- out: id int, from text, to text, template text, subject text, text text, html text, message_id text, created_at time
SELECT id, sender, recipient, template, subject, body_text, body_html, message_id, created_at FROM mail_outbox WHERE id = :id;
