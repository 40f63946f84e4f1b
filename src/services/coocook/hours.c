/* hours: a chef's days and hours. See hours.h. */
#include "services/coocook/hours.h"

#include "app/app.h"

#define MAX_SPAN (COOCOOK_MAX_HOURS * COOCOOK_HOUR)

int64_t coocook_hour_up(const struct sf_zone *z, int64_t t) {
	for (;;) {
		int64_t end, second = t / SF_USEC - (t % SF_USEC < 0);
		int64_t wall = t + sf_zone_offset(z, second, &end) * SF_USEC;
		int64_t over = ((wall % COOCOOK_HOUR) + COOCOOK_HOUR) % COOCOOK_HOUR;
		int64_t at = over ? t + COOCOOK_HOUR - over : t;
		if (end == INT64_MAX || at < end * SF_USEC) return at;
		t = end * SF_USEC; /* clocks change before */
	}
}

struct coocook_span coocook_days_span(const struct sf_zone *z, int64_t first, int64_t last) {
	return (struct coocook_span) { sf_zone_day_start(z, first), sf_zone_day_start(z, last + 1) };
}

struct coocook_span coocook_whole_days(const struct sf_zone *z, struct coocook_span s) {
	int64_t last = s.to > s.from ? s.to - 1 : s.from;
	return coocook_days_span(z, sf_zone_day(z, s.from), sf_zone_day(z, last));
}

static int64_t shared(struct coocook_span a, struct coocook_span b) {
	int64_t from = a.from > b.from ? a.from : b.from, to = a.to < b.to ? a.to : b.to;
	return to > from ? to - from : 0;
}

/* Of the days that the span meets, the first from `day` on that has more than 24 hours; false: none. */
static bool next_long(const struct sf_zone *z, struct coocook_span s, int64_t *day,
					  struct coocook_span *out) {
	for (;; ++*day) {
		*out = coocook_days_span(z, *day, *day);
		if (out->from >= s.to) return false;
		if (out->to - out->from > MAX_SPAN) return true;
	}
}

bool coocook_long_day(const struct sf_zone *z, struct coocook_span s) {
	int64_t day = sf_zone_day(z, s.from);
	struct coocook_span found;
	return next_long(z, s, &day, &found);
}

int64_t coocook_last_day(const struct sf_zone *z, int64_t now, int64_t horizon) {
	return sf_zone_day(z, now + horizon);
}

int coocook_when(const struct sf_when *asked, const struct sf_zone *z, int64_t now, struct coocook_when *out,
				 const char **why) {
	static const char form[] = "must be YYYY-MM-DD, or a date-time on the hour in the chef's time zone";
	static const char past[] = "must not be in the past";
	struct coocook_when w = { .day = asked->day, .exact = !asked->day_only };
	if (w.exact) {
		if (coocook_hour_up(z, asked->at) != asked->at) return *why = form, SF_EINVAL;
		if (asked->at < now) return *why = past, SF_EINVAL;
		w.day = sf_zone_day(z, asked->at);
		w.window = (struct coocook_span) { asked->at, asked->at + MAX_SPAN };
	} else {
		if (w.day < sf_zone_day(z, now)) return *why = past, SF_EINVAL;
		w.window = coocook_days_span(z, w.day, w.day);
		if (w.window.from < now) w.window.from = coocook_hour_up(z, now);
	}
	*out = w;
	return 0;
}

/* ---- what is free ------------------------------------------------------------------------------- */

/* Whether the days of the span hold it beside what is booked on them. */
static bool days_hold(const struct coocook_calendar *c, struct coocook_span s) {
	struct coocook_span whole;
	for (int64_t day = sf_zone_day(c->zone, s.from); next_long(c->zone, s, &day, &whole); day++) {
		int64_t booked = shared(s, whole);
		for (size_t i = 0; i < c->n; i++) booked += shared(c->busy[i], whole);
		if (booked > MAX_SPAN) return false;
	}
	return true;
}

bool coocook_fits(const struct coocook_calendar *c, struct coocook_span s) {
	for (size_t i = 0; i < c->n; i++)
		if (shared(c->busy[i], s)) return false;
	return days_hold(c, s);
}

bool coocook_first_free(const struct coocook_calendar *c, struct coocook_span window, int64_t hours,
						int64_t *start) {
	int64_t at = coocook_hour_up(c->zone, window.from), need = hours * COOCOOK_HOUR;
	for (size_t i = 0; at + need <= window.to;) {
		while (i < c->n && c->busy[i].to <= at) i++;
		if (i < c->n && c->busy[i].from < at + need) {
			at = coocook_hour_up(c->zone, c->busy[i].to);
		} else if (days_hold(c, (struct coocook_span) { at, at + need })) {
			*start = at;
			return true;
		} else {
			at = coocook_hour_up(c->zone, at + 1);
		}
	}
	return false;
}

size_t coocook_next_free(const struct coocook_calendar *c, struct coocook_span window, int64_t hours,
						 int64_t *starts, size_t max) {
	size_t found = 0;
	while (found < max && coocook_first_free(c, window, hours, &starts[found]))
		window.from = starts[found++] + hours * COOCOOK_HOUR;
	return found;
}

struct day { /* of a zone */
	int64_t day;
	struct coocook_span span;
	bool steady; /* clocks do not change: they are `ahead` of UTC */
	int64_t ahead;
};
static struct day day_of(const struct sf_zone *z, int64_t day) {
	struct day d = { .day = day, .span = coocook_days_span(z, day, day) };
	int64_t end; /* both ends of the span are full seconds */
	d.ahead = sf_zone_offset(z, d.span.from / SF_USEC, &end) * SF_USEC;
	d.steady = end == INT64_MAX || end * SF_USEC >= d.span.to;
	return d;
}

/* The beginning of an hour of the day; false: clocks skip it. */
static bool hour_of(const struct sf_zone *z, const struct day *d, int hour, int64_t *at) {
	int64_t wall = sf_date_start(d->day) + hour * COOCOOK_HOUR;
	*at = d->steady ? wall - d->ahead : sf_zone_instant(z, wall);
	return d->steady ? *at >= d->span.from : sf_zone_wall(z, *at) == wall;
}

size_t coocook_hours(const struct coocook_calendar *c, int64_t day, int64_t from,
					 int out[COOCOOK_MAX_HOURS]) {
	struct day d = day_of(c->zone, day);
	size_t found = 0, i = 0;
	for (int hour = 0; hour < 24; hour++) {
		int64_t at;
		if (!hour_of(c->zone, &d, hour, &at) || at < from) continue;
		struct coocook_span s = { at, at + COOCOOK_HOUR };
		while (i < c->n && c->busy[i].to <= at) i++;
		if (i < c->n && c->busy[i].from < s.to) continue;
		if (d.steady || days_hold(c, s)) out[found++] = hour;
	}
	return found;
}

int coocook_days(bool has_from, int64_t *from, bool has_to, int64_t *to, int64_t today, const char **why) {
	int64_t first = has_from ? *from : has_to && *to < today ? *to : today;
	int64_t last = has_to ? *to : first + 29;
	if (last < first) return *why = "must not be before the first day", SF_EINVAL;
	if (last - first >= COOCOOK_MAX_DAYS)
		return *why = "must be less than 90 days after the first day", SF_EINVAL;
	*from = first, *to = last;
	return 0;
}
