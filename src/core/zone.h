/* zone: IANA time zones: pieces of time with one offset from UTC each, from the system's tz database.
 *
 * Instants are µs as in time.h. A wall time is what clocks in the zone show, as µs since 1970-01-01 00:00 there. Where clocks are
 * put forward some wall times do not exist, where they are put back some come twice; RFC 5545 §3.3.5 says which instant is meant. */
#ifndef SF_CORE_ZONE_H
#define SF_CORE_ZONE_H

#include "core/time.h"

#define SF_ZONE_NAME_MAX 64
#define SF_ZONE_DEFAULT                                                                                      \
	"Asia/Seoul" /* of users and chefs who have chosen none, and of whoever is not signed in */

struct sf_zone;

/* The zone of that name; an empty one: UTC. Reads a small file the first time, and keeps it for the life of the process. Any
 * thread. SF_EINVAL: there is no such zone. */
SF_MUSTCHECK
int sf_zone_get(struct sf_str name, const struct sf_zone **out);
/* The same for a name that was checked when it was stored. If it is gone from the tz database since: SF_ZONE_DEFAULT, which is
 * there without a tz database, too. */
const struct sf_zone *sf_zone_of(struct sf_str name);
struct sf_str sf_zone_name(const struct sf_zone *z);

/* Seconds that wall time is ahead of UTC at t (seconds), and when that ends (seconds; INT64_MAX: never). */
int32_t sf_zone_offset(const struct sf_zone *z, int64_t t, int64_t *end);
int64_t sf_zone_wall(const struct sf_zone *z, int64_t t); /* the wall time of an instant */
/* The instant of a wall time: of one that comes twice the first, of one that is skipped as if clocks had not been put forward. */
int64_t sf_zone_instant(const struct sf_zone *z, int64_t wall);
/* The first instant at which clocks show that wall time or later: of one that is skipped the end of the gap. */
int64_t sf_zone_reach(const struct sf_zone *z, int64_t wall);

/* Days of the zone: day d is from sf_zone_day_start(d) until sf_zone_day_start(d + 1); where clocks change it has more
 * or fewer than 24 hours. */
int64_t sf_zone_day_start(const struct sf_zone *z, int64_t day);
int64_t sf_zone_day(const struct sf_zone *z, int64_t t); /* that holds the instant */

size_t sf_zone_format(const struct sf_zone *z, int64_t t, char *buf); /* "2026-11-22 18:00"; buf ≥ 32 bytes */
/* An instant as a message tells it to a reader in `zone` (by sf_zone_of): "2026-11-22 18:00", and with the zone, "2026-11-22
 * 18:00 (Asia/Seoul)", unless it is also that of the place where it happens (n 0: nowhere). */
struct sf_str sf_zone_text(struct sf_arena *a, struct sf_str zone, struct sf_str place, int64_t t);

#endif
