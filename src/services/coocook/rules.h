/* rules: what CooCook decides, as pure functions: no I/O, no clock. When a chef can be booked: hours.h. */
#ifndef SF_SERVICES_COOCOOK_RULES_H
#define SF_SERVICES_COOCOOK_RULES_H

#include "core/core.h"

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
