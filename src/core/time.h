/* time: clocks, and UTC instants and dates as text (ISO 8601 / RFC 3339).
 *
 * An instant is int64_t microseconds since 1970-01-01T00:00:00Z; a date is int64_t days since
 * 1970-01-01. Both count as UTC everywhere in the program; zones appear only at the edges. */
#ifndef SF_CORE_TIME_H
#define SF_CORE_TIME_H

#include "core/core.h"

#define SF_USEC     INT64_C(1000000)
#define SF_DAY_USEC (INT64_C(86400) * SF_USEC)
#define SF_TIME_MIN (INT64_C(-719162) * SF_DAY_USEC)     /* 0001-01-01T00:00:00Z */
#define SF_TIME_MAX (INT64_C(2932897) * SF_DAY_USEC - 1) /* 9999-12-31T23:59:59.999999Z */

int64_t sf_time_now(void); /* wall clock, µs */
int64_t sf_clock_ns(void); /* monotonic, ns, for durations */

/* "2026-11-22T14:01:41Z" (with ".ffffff" only when the µs are not 0). buf ≥ 32 bytes; returns length. */
size_t sf_time_format(int64_t t, char *buf);
size_t sf_date_format(int64_t day, char *buf);    /* "2026-11-22"; buf ≥ 16 bytes */
size_t sf_time_format_http(int64_t t, char *buf); /* RFC 9110 IMF-fixdate, 29 bytes; buf ≥ 32 */
size_t sf_time_format_sql(int64_t t, char *buf);  /* "2026-11-22 14:01:41.000000"; buf ≥ 32 */

/* RFC 3339 date-time; `T` or space; seconds and fraction optional; offset optional (absent = UTC).
 * A bare date is midnight UTC. SF_EINVAL on anything else, also 2026-02-30. Years 1..9999. */
SF_MUSTCHECK
int sf_time_parse(struct sf_str s, int64_t *t);
/* The same, but *local says that no offset came: then *t is the wall time that was written (zone.h). */
SF_MUSTCHECK
int sf_time_parse_wall(struct sf_str s, int64_t *t, bool *local);
SF_MUSTCHECK
int sf_date_parse(struct sf_str s, int64_t *day); /* exactly YYYY-MM-DD */

int64_t sf_date_of(int64_t t); /* day that holds the instant, floor */
static inline int64_t sf_date_start(int64_t day) {
	return day * SF_DAY_USEC;
}
void sf_date_split(int64_t day, int *year, int *month, int *mday); /* proleptic Gregorian */
int64_t sf_date_join(int year, int month, int mday);

#endif
