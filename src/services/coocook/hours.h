/* hours: a chef's days and hours, as pure functions: no I/O, no clock. Instants are µs, days count from 1970-01-01.
 *
 * A chef's days are those of the chef's time zone, and hours begin when clocks there are on the hour. Where clocks change, a day has
 * 23 or 25 hours (on Lord Howe Island half an hour less or more), but never more than 24 of it are booked. An hour that clocks skip
 * cannot be named; of one that comes twice the name means the first. */
#ifndef SF_SERVICES_COOCOOK_HOURS_H
#define SF_SERVICES_COOCOOK_HOURS_H

#include "core/core.h"
#include "core/zone.h"

struct sf_when;

#define COOCOOK_HOUR      (INT64_C(3600) * SF_USEC)
#define COOCOOK_MAX_HOURS 24 /* of a booking, and of a day */
#define COOCOOK_MAX_DAYS  90 /* of one availability answer */

struct coocook_span { /* [from, to) */
	int64_t from, to;
};
struct coocook_calendar { /* of one chef */
	const struct sf_zone *zone;
	const struct coocook_span
		*busy; /* sorted by `from`, not overlapping; all that meets the days looked at */
	size_t n;
};

int64_t coocook_hour_up(const struct sf_zone *z, int64_t t); /* the first beginning of an hour from t on */
struct coocook_span coocook_days_span(const struct sf_zone *z, int64_t first, int64_t last);
struct coocook_span coocook_whole_days(const struct sf_zone *z,
									   struct coocook_span s); /* the days it meets */
bool coocook_long_day(const struct sf_zone *z,
					  struct coocook_span s); /* one of them has more than 24 hours */
int64_t coocook_last_day(const struct sf_zone *z, int64_t now,
						 int64_t horizon); /* that can be booked; horizon: µs */

/* When a guest wants the chef: a day whose first free hours will do, or an hour to start at. */
struct coocook_when {
	int64_t day;
	bool exact;
	struct coocook_span window; /* where the booking may lie; exact: window.from is its start */
};
/* What was asked for, by the clocks of the chef. SF_EINVAL with *why, a phrase, for what is not on the hour there and for what
 * is over: a day before today, an hour that has begun. */
SF_MUSTCHECK
int coocook_when(const struct sf_when *asked, const struct sf_zone *z, int64_t now, struct coocook_when *out,
				 const char **why);

/* Whether the span is free, and no day of it has more than 24 hours booked with it. */
bool coocook_fits(const struct coocook_calendar *c, struct coocook_span s);
/* First start of `hours` free hours in a row within the window. */
bool coocook_first_free(const struct coocook_calendar *c, struct coocook_span window, int64_t hours,
						int64_t *start);
/* Up to max starts, one after the other, as coocook_first_free finds them; returns how many. */
size_t coocook_next_free(const struct coocook_calendar *c, struct coocook_span window, int64_t hours,
						 int64_t *starts, size_t max);
/* The hours of a day, 0 to 23, that begin at `from` or later and can be booked; returns how many. */
size_t coocook_hours(const struct coocook_calendar *c, int64_t day, int64_t from, int out[COOCOOK_MAX_HOURS]);

/* First and last day of an availability answer. Absent bounds: today, and 30 days in all. SF_EINVAL with *why, a phrase, when
 * to < from or the range is over COOCOOK_MAX_DAYS. */
SF_MUSTCHECK
int coocook_days(bool has_from, int64_t *from, bool has_to, int64_t *to, int64_t today, const char **why);

#endif
