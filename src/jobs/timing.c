/* timing: how long runs took, by kind and how they ended, for telemetry.
 *
 * Counters in shared memory, an area for each worker slot, as routes have theirs (app/stats.c): they outlive the worker, and
 * whichever worker is asked for /metrics adds all up. The area's name holds a hash of the kinds, so that another
 * binary's are never added to ours. */
#include "jobs/internal.h"

#include "core/hash.h"
#include <stdio.h>

static const int64_t bounds_us[SF_JOB_BUCKETS - 1] = { 1000,    5000,     10000,    25000,     50000,
													   100000,  250000,   500000,   1000000,   2500000,
													   5000000, 10000000, 30000000, 120000000, 300000000 };

static struct {
	char prefix[32];
	struct sf_job_timing *mine; /* [kind][outcome]; NULL: not asked for yet */
} timing;

static size_t area_size(void) {
	return (sf_jobs__declared()->n + 1) * SF_JOB_OUTCOMES * sizeof(struct sf_job_timing);
}

static const char *prefix(void) {
	const struct sf_jobs__declared *d = sf_jobs__declared();
	struct sf_buf b = { 0 };
	if (timing.prefix[0]) return timing.prefix;
	for (size_t i = 0; i < d->n; i++) sf_buf_printf(&b, "%s\n", d->kind[i].row->kind);
	snprintf(timing.prefix, sizeof timing.prefix, "jobs.%08x.", (unsigned)sf_hash64_fixed(b.p, b.n));
	sf_buf_fini(&b);
	return timing.prefix;
}

void sf_jobs__timing_reset(void) {
	timing.prefix[0] = '\0';
	timing.mine = NULL;
}

static struct sf_job_timing *mine(void) {
	struct sf_worker w;
	char name[64];
	if (timing.mine) return timing.mine;
	snprintf(name, sizeof name, "%s%d", prefix(), sf_worker_self(&w) ? w.slot : 0);
	return timing.mine = sf_shm_area(name, area_size());
}

void sf_jobs__timed(const struct sf_job *j, enum sf_job_outcome outcome, int64_t us) {
	size_t kind = (size_t)(j->kind - sf_jobs__declared()->kind), i = 0;
	struct sf_job_timing *t = &mine()[kind * SF_JOB_OUTCOMES + outcome];
	while (i < SF_COUNT(bounds_us) && us > bounds_us[i]) i++;
	__atomic_fetch_add(&t->bucket[i], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&t->us_sum, us > 0 ? (uint64_t)us : 0, __ATOMIC_RELAXED);
}

struct sum {
	size_t i;
	struct sf_job_timing *out;
};

static void add_area(const char *name, void *p, size_t n, void *arg) {
	const struct sum *s = arg;
	(void)name;
	if (n != area_size()) return;
	const struct sf_job_timing *t = (const struct sf_job_timing *)p + s->i;
	for (size_t i = 0; i < SF_JOB_BUCKETS; i++)
		s->out->bucket[i] += __atomic_load_n(&t->bucket[i], __ATOMIC_RELAXED);
	s->out->us_sum += __atomic_load_n(&t->us_sum, __ATOMIC_RELAXED);
}

const char *sf_job_timing(size_t kind, enum sf_job_outcome outcome, struct sf_job_timing *out) {
	const struct sf_jobs__declared *d = sf_jobs__declared();
	if (kind >= d->n) return NULL;
	memset(out, 0, sizeof *out);
	sf_shm_each(prefix(), add_area, &(struct sum) { kind * SF_JOB_OUTCOMES + outcome, out });
	return d->kind[kind].row->kind;
}
