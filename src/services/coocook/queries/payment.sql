-- Payments.

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
