/* telemetry, inside: the table of metrics, and what a worker slot publishes in shared memory. */
#ifndef SF_TELEMETRY_INTERNAL_H
#define SF_TELEMETRY_INTERNAL_H

#include "core/core.h"
#include "db/db.h"
#include "telemetry/telemetry.h"

/* How a metric behaves, and so how the workers' values are put together. */
enum sf_telemetry__kind {
	SF_TM_COUNTER, /* only grows: deltas are added up for the slot, over all its workers */
	SF_TM_SUM,     /* a present amount: summed over living workers */
	SF_TM_MAX,     /* a present amount: the largest of living workers */
	SF_TM_EACH,    /* a present amount: one series a worker slot */
	SF_TM_SINCE, /* ms since something: one series a job worker, which goes on growing when the worker stands still */
};
enum sf_telemetry__source { SF_TM_HTTP, SF_TM_DB, SF_TM_LOOP, SF_TM_JOBS, SF_TM_PROCESS };

struct sf_telemetry__metric {
	const char *name, *help;
	enum sf_telemetry__kind kind;
	enum sf_telemetry__source source;
	uint32_t offset; /* of a 64-bit member in the source's struct */
	double scale;    /* the member times this is the metric */
};
extern const struct sf_telemetry__metric sf_telemetry__metrics[];

#define SF_TM_MAX_METRICS 64
extern const size_t sf_telemetry__nmetrics;

struct sf_telemetry__process { /* of this process, from the kernel */
	uint64_t cpu_us, rss_bytes, open_fds;
};

#define SF_TM_DB_BUCKETS 12
#define SF_TM_LIVE       4       /* workers of one slot at once: the serving one and drained ones */
#define SF_TM_STALE_US   5000000 /* who has not published for that long is dead */

/* Areas "stats.<hash of the table>.<slot>"; the hash keeps apart what another binary measures. Counters outlive workers; the present amounts are each process's own. */
struct sf_telemetry__slot {
	uint64_t counter[SF_TM_MAX_METRICS];
	uint64_t db_bucket[SF_TM_DB_BUCKETS], db_us;
	struct sf_telemetry__live {
		int64_t pid, at_us, jobs; /* jobs: 1 when it runs any */
		uint64_t value[SF_TM_MAX_METRICS];
		uint32_t conns_seq; /* odd while conns is being written */
		struct sf_telemetry_conns conns;
	} live[SF_TM_LIVE];
};

/* Writes who uses which connection of these databases into the process's place. (connections.c) */
void sf_telemetry__conns_publish(struct sf_telemetry__live *to, const struct sf_telemetry_opts *opts);

const char *sf_telemetry__prefix(void); /* of the areas' names, up to the slot */

/* All slots put together. */
struct sf_telemetry__total {
	uint64_t value[SF_TM_MAX_METRICS];
	uint64_t db_bucket[SF_TM_DB_BUCKETS], db_us;
};
void sf_telemetry__collect(struct sf_telemetry__total *out);
/* Value of metric i in the slot of that area, for SF_TM_EACH; false when nobody lives there whom it is about. */
bool sf_telemetry__of_slot(const struct sf_telemetry__slot *s, size_t i, uint64_t *out);
/* ms by metric i, of SF_TM_SINCE, in the process with that pid, and since it last said so; false: it runs no jobs. */
bool sf_telemetry__since(int64_t pid, size_t i, int64_t *ms);

#endif
