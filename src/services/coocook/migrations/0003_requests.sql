-- Requests end by themselves, a guest holds a bounded part of a calendar, and a chef's profile goes with its user.
--
-- expires_at: a request that is not confirmed by then is cancelled (job coocook.expire). NULL: it waits for ever, as one that was
-- brought in from elsewhere does.
-- cancel_reason: who or what ended a booking; NULL: it is not cancelled, or was before this was noted.
-- resume: the chef's user is not active, so the profile is not either; what is_active becomes again when the user is.
ALTER TABLE bookings ADD COLUMN expires_at @time;
ALTER TABLE bookings ADD COLUMN cancel_reason text
    CONSTRAINT bookings_cancel_reason CHECK (cancel_reason IN ('guest', 'chef', 'expired', 'closed'));
ALTER TABLE chefs ADD COLUMN resume @bool;
CREATE INDEX bookings_pending ON bookings (expires_at) WHERE status = 'pending';
CREATE INDEX bookings_open ON bookings (user_id, chef_id)
    WHERE status IN ('pending', 'confirmed') AND payment_status = 'unpaid';

-- Requests that are open now get the time that new ones have by default.
-- pg:
UPDATE bookings SET expires_at = least(now() + interval '48 hours', starts_at) WHERE status = 'pending' AND starts_at > now();

-- Whether a guest may take `hours` hours of a chef unpaid. Exact whoever asks at once: the guest's bookings are made one after the
-- other from here to the end of their transactions, and a statement within a volatile function sees what was committed meanwhile.
CREATE FUNCTION booking_room(guest bigint, chef bigint, hours bigint, most bigint, most_hours bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    held bigint;
    held_hours bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('coocook.guest', guest));
    SELECT count(*) FILTER (WHERE chef_id = chef), coalesce(sum(duration_hours), 0) INTO held, held_hours
    FROM bookings WHERE user_id = guest AND status IN ('pending', 'confirmed') AND payment_status = 'unpaid';
    RETURN held < most AND held_hours + hours <= most_hours;
END $$;
-- sqlite:
UPDATE bookings SET expires_at = min(strftime('%Y-%m-%d %H:%M:%f000', 'now', '+48 hours'), starts_at)
WHERE status = 'pending' AND starts_at > strftime('%Y-%m-%d %H:%M:%f000', 'now');
