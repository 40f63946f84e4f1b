/* Time zones for cron.c: pieces of time with one offset from UTC each. */
#ifndef SF_JOBS_CRON_H
#define SF_JOBS_CRON_H

#include "core/core.h"

struct sf_jobs__zone;
/* The zone of that IANA name; NULL or "": UTC. Reads a small file the first time; the zone lives until this thread asks for
 * another. SF_EINVAL: there is none. */
SF_MUSTCHECK
int sf_jobs__zone(const char *name, const struct sf_jobs__zone **out);
/* Seconds that local time is ahead of UTC at the instant t (seconds), and the instant at which that ends (INT64_MAX: never). */
int32_t sf_jobs__zone_offset(const struct sf_jobs__zone *z, int64_t t, int64_t *end);

#endif
