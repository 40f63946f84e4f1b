-- What the two sides of a booking are yet to be told. A row is written by the very statement that makes it true, whichever
-- that is, so that a booking which is made by one statement stays one statement; the job coocook.letters takes it
-- away in the transaction that adds the mails. Each event happens once to a booking, for its status never leads back.
--
-- announce: that the booking was made is told. Not so of those that were brought in from elsewhere, of which both sides know.
ALTER TABLE bookings ADD COLUMN announce @bool NOT NULL DEFAULT false;

CREATE TABLE booking_letters (
    id @id,
    booking_id @int NOT NULL,
    event text NOT NULL
        CONSTRAINT booking_letters_event CHECK (event IN ('created', 'confirmed', 'cancelled', 'paid'))
-- pg:
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
-- sqlite:
);

-- pg:
CREATE FUNCTION booking_letter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO booking_letters (booking_id, event) VALUES (NEW.id, TG_ARGV[0]);
    RETURN NULL;
END $$;
CREATE TRIGGER bookings_created AFTER INSERT ON bookings FOR EACH ROW WHEN (NEW.announce)
    EXECUTE FUNCTION booking_letter('created');
CREATE TRIGGER bookings_confirmed AFTER UPDATE OF status ON bookings FOR EACH ROW
    WHEN (NEW.status = 'confirmed' AND OLD.status <> 'confirmed') EXECUTE FUNCTION booking_letter('confirmed');
CREATE TRIGGER bookings_cancelled AFTER UPDATE OF status ON bookings FOR EACH ROW
    WHEN (NEW.status = 'cancelled' AND OLD.status <> 'cancelled') EXECUTE FUNCTION booking_letter('cancelled');
CREATE TRIGGER bookings_paid AFTER UPDATE OF payment_status ON bookings FOR EACH ROW
    WHEN (NEW.payment_status = 'paid' AND OLD.payment_status <> 'paid') EXECUTE FUNCTION booking_letter('paid');
-- sqlite:
CREATE TRIGGER bookings_created AFTER INSERT ON bookings WHEN new.announce BEGIN
    INSERT INTO booking_letters (booking_id, event) VALUES (new.id, 'created');
END;
CREATE TRIGGER bookings_confirmed AFTER UPDATE OF status ON bookings
WHEN new.status = 'confirmed' AND old.status <> 'confirmed' BEGIN
    INSERT INTO booking_letters (booking_id, event) VALUES (new.id, 'confirmed');
END;
CREATE TRIGGER bookings_cancelled AFTER UPDATE OF status ON bookings
WHEN new.status = 'cancelled' AND old.status <> 'cancelled' BEGIN
    INSERT INTO booking_letters (booking_id, event) VALUES (new.id, 'cancelled');
END;
CREATE TRIGGER bookings_paid AFTER UPDATE OF payment_status ON bookings
WHEN new.payment_status = 'paid' AND old.payment_status <> 'paid' BEGIN
    INSERT INTO booking_letters (booking_id, event) VALUES (new.id, 'paid');
END;
