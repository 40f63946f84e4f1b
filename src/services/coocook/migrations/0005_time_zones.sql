-- A chef's days and hours are by the clocks of the chef's time zone (hours.h), an IANA name that was checked when it was chosen. A
-- booking keeps the zone that it was made in: booking_date is the day there on which it starts.
ALTER TABLE chefs ADD COLUMN time_zone text NOT NULL DEFAULT 'Asia/Seoul';
ALTER TABLE bookings ADD COLUMN time_zone text NOT NULL DEFAULT 'Asia/Seoul';

-- Until now it was the day in UTC. Korea is nine hours ahead, all year.
-- pg:
UPDATE bookings SET booking_date = CAST(starts_at AT TIME ZONE 'UTC' + interval '9 hours' AS date)
WHERE booking_date <> CAST(starts_at AT TIME ZONE 'UTC' + interval '9 hours' AS date);
-- sqlite:
UPDATE bookings SET booking_date = date(starts_at, '+9 hours') WHERE booking_date <> date(starts_at, '+9 hours');
