/* rules: what CooCook decides, as pure functions: no I/O, no clock. Instants are µs, days count from 1970-01-01,
 * both UTC; a chef's day is a UTC day and is booked in whole hours. */
#ifndef SF_SERVICES_COOCOOK_RULES_H
#define SF_SERVICES_COOCOOK_RULES_H

#include "core/core.h"
#include "core/time.h"

#define COOCOOK_HOUR      (INT64_C(3600) * SF_USEC)
#define COOCOOK_MAX_HOURS 24
#define COOCOOK_MAX_DAYS  90 /* of one availability answer */

/* ---- status ---------------------------------------------------------------------------------- */

/* Whether a booking may go from one status to the other. */
bool coocook_may_turn(struct sf_str from, struct sf_str to);

/* When a request ends that is not confirmed: ttl after it was made, and when its hours begin. */
int64_t coocook_expires(int64_t created, int64_t ttl, int64_t starts);

/* ---- ratings ---------------------------------------------------------------------------------- */

/* Popularity is a Bayesian mean: every chef starts with PRIOR_N reviews that add up to PRIOR_SUM, so that one
 * glad guest does not outrank a hundred. The query chef_rate takes the priors as parameters. */
#define COOCOOK_PRIOR_N   10
#define COOCOOK_PRIOR_SUM 40
double coocook_popularity(int64_t rating_sum, int64_t rating_count);
double coocook_rating(int64_t rating_sum, int64_t rating_count); /* mean, two decimals; 0 without reviews */

/* ---- time ------------------------------------------------------------------------------------- */

struct coocook_span { /* [from, to) */
	int64_t from, to;
};

/* When a guest wants the chef: a day whose first free hours will do, or an hour to start at. */
struct coocook_when {
	int64_t day;
	bool exact;
	struct coocook_span window; /* where the booking may lie; exact: window.from is its start */
};
/* The last day that can be booked: the one in which now + horizon (µs) lies. */
int64_t coocook_last_day(int64_t now, int64_t horizon);
/* Reads `booking_date`: YYYY-MM-DD, or a date-time on the hour. SF_EINVAL with *why, a phrase such as "must not be in the past", for
 * anything else and for what is over: a day before today, an hour that has begun. Whether it is too far ahead is the caller's to look. */
SF_MUSTCHECK
int coocook_when(struct sf_str text, int64_t now, struct coocook_when *out, const char **why);

/* busy: sorted by `from`, not overlapping. First start of `hours` free hours in a row within the window. */
bool coocook_first_free(const struct coocook_span *busy, size_t n, struct coocook_span window, int64_t hours,
						int64_t *start);
/* Up to max starts, one after the other, as coocook_first_free finds them; returns how many. */
size_t coocook_next_free(const struct coocook_span *busy, size_t n, struct coocook_span window, int64_t hours,
						 int64_t *starts, size_t max);
/* The free parts of the window, whole hours; out holds n + 1. Returns how many. */
size_t coocook_free(const struct coocook_span *busy, size_t n, struct coocook_span window,
					struct coocook_span *out);

/* First and last day of an availability answer. Absent bounds: today, and 30 days in all. SF_EINVAL with *why, a phrase about `to`,
 * when to < from or the range is over COOCOOK_MAX_DAYS. */
SF_MUSTCHECK
int coocook_days(bool has_from, int64_t *from, bool has_to, int64_t *to, int64_t today, const char **why);

/* ---- search ----------------------------------------------------------------------------------- */

/* A search as text of an engine's full-text language. A chef is found when each word begins a word of the name, the
 * cuisine, the location or the bio. Korean needs no more: particles follow the noun, so 파스타 finds 파스타를. */
struct coocook_terms {
	struct sf_str all;  /* in any column */
	struct sf_str name; /* ... all of them in the name */
	struct sf_str head; /* ... all of them in name, cuisine or location */
	size_t words;       /* 0: nothing to look for, the texts are unset */
};
enum coocook_fts { COOCOOK_TSQUERY, COOCOOK_FTS5 };
/* Any text is safe: words are letters and digits only, everything else parts them. At most 10 words count. */
void coocook_terms(struct sf_arena *a, struct sf_str q, enum coocook_fts lang, struct coocook_terms *out);

/* ---- names ------------------------------------------------------------------------------------ */

/* What everybody may see of a person's name, in the arena: "Minji K." of Minji Kim, "김○○" of 김민지, "남궁○○" of 남궁민수. p NULL when
 * nothing of it may be shown: it is empty, an address, or a number. */
struct sf_str coocook_first_name(struct sf_arena *a, struct sf_str name);

/* ---- taste ------------------------------------------------------------------------------------ */

/* What a guest booked: a cuisine at a place, and how often. */
struct coocook_taste {
	struct sf_str cuisine, location;
	int64_t bookings;
};
/* The names booked most, best first, ties by name; returns how many (at most max). */
size_t coocook_favourites(const struct coocook_taste *t, size_t n, bool location, struct sf_str *out,
						  size_t max);

#endif
