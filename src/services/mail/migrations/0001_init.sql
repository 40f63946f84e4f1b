-- Mails that were kept instead of sent (no SMTP_URL); message_id is the same at every attempt of a job.
CREATE TABLE mail_outbox (
    id @id,
    message_id text NOT NULL CONSTRAINT mail_outbox_message_id UNIQUE,
    template text NOT NULL,
    sender text NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text NOT NULL,
    created_at @time NOT NULL DEFAULT @now
);
CREATE INDEX mail_outbox_recipient ON mail_outbox (recipient, id);
