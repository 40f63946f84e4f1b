/* publish: a worker writes its figures into the shared memory of its slot once a second.
 *
 * What only grows is added to the slot's sum as a difference to the last time, so that the sum goes on when a worker is
 * replaced. What is a present amount is written with pid and time into one of a few places; one whose writer is dead
 * grows stale and is left out. */
#include "telemetry/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "core/hash.h"
#include "core/time.h"
#include "http/http.h"
#include "jobs/jobs.h"
#include "loop/loop.h"

#define PERIOD_MS 1000

struct snapshot {
	struct sf_http_stats http;
	struct sf_db_stats db;
	struct sf_loop_stats loop;
	struct sf_jobs_stats jobs;
	struct sf_telemetry__process process;
};

static struct {
	uv_timer_t *timer; /* heap: closes after the stop; NULL: not started */
	struct sf_telemetry_opts opts;
	struct sf_jobs *jobs; /* NULL: this process runs none */
	struct sf_telemetry__slot *slot;
	struct sf_telemetry__live *live;
	struct snapshot last; /* what was added so far */
} publisher;

const char *sf_telemetry__prefix(void) {
	static char prefix[24];
	if (!prefix[0]) {
		struct sf_buf names = { 0 };
		for (size_t i = 0; i < sf_telemetry__nmetrics; i++)
			sf_buf_cstr(&names, sf_telemetry__metrics[i].name);
		snprintf(prefix, sizeof prefix, "stats.%08x.", (unsigned)sf_hash64_fixed(names.p, names.n));
		sf_buf_fini(&names);
	}
	return prefix;
}

static void process_stats(struct sf_telemetry__process *out) {
	struct rusage u;
	struct stat st;
	getrusage(RUSAGE_SELF, &u);
	out->cpu_us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
				  (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	out->rss_bytes = sf_memory_resident();
	/* since Linux 6.2 the folder's size is their number: reading it would cost more with every connection */
	out->open_fds = stat("/proc/self/fd", &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void db_add(struct sf_db_stats *to, const struct sf_db_stats *from) {
	uint64_t *a = (uint64_t *)to;
	const uint64_t *b = (const uint64_t *)from;
	for (size_t i = 0; i < sizeof *to / sizeof *a; i++) a[i] += b[i];
}
_Static_assert(sizeof(struct sf_db_stats) % sizeof(uint64_t) == 0, "added word by word");

static void take(struct snapshot *s) {
	memset(s, 0, sizeof *s);
	if (publisher.opts.http) sf_http_stats(publisher.opts.http, &s->http);
	for (struct sf_db *const *db = publisher.opts.dbs; db && *db; db++) {
		struct sf_db_stats one = { 0 };
		sf_db_stats(*db, &one);
		db_add(&s->db, &one);
	}
	sf_loop_stats(publisher.opts.loop, &s->loop);
	if (publisher.jobs) sf_jobs_stats(publisher.jobs, &s->jobs);
	process_stats(&s->process);
}

static uint64_t member(const struct snapshot *s, const struct sf_telemetry__metric *m) {
	const void *const sources[] = { [SF_TM_HTTP] = &s->http,
									[SF_TM_DB] = &s->db,
									[SF_TM_LOOP] = &s->loop,
									[SF_TM_JOBS] = &s->jobs,
									[SF_TM_PROCESS] = &s->process };
	uint64_t v;
	memcpy(&v, (const char *)sources[m->source] + m->offset, sizeof v);
	return v;
}

static void add(uint64_t *to, uint64_t now, uint64_t before) {
	if (now > before) __atomic_fetch_add(to, now - before, __ATOMIC_RELAXED);
}

/* A place for the present amounts: our own, or one nobody uses. */
static struct sf_telemetry__live *claim(struct sf_telemetry__slot *slot, int64_t now) {
	struct sf_telemetry__live *oldest = &slot->live[0];
	for (int i = 0; i < SF_TM_LIVE; i++) {
		struct sf_telemetry__live *l = &slot->live[i];
		if (l->pid == getpid()) return l;
		if (l->at_us < oldest->at_us) oldest = l;
	}
	oldest->pid = getpid(), oldest->at_us = now, oldest->jobs = 0;
	oldest->conns_seq &= ~1u; /* who had the place may have died while it wrote */
	return oldest;
}

static void publish(void) {
	struct sf_telemetry__slot *slot = publisher.slot;
	struct snapshot now;
	take(&now);
	for (size_t i = 0; i < sf_telemetry__nmetrics; i++) {
		const struct sf_telemetry__metric *m = &sf_telemetry__metrics[i];
		uint64_t v = member(&now, m);
		if (m->kind == SF_TM_COUNTER)
			add(&slot->counter[i], v, member(&publisher.last, m));
		else
			__atomic_store_n(&publisher.live->value[i], v, __ATOMIC_RELAXED);
	}
	for (size_t i = 0; i < SF_TM_DB_BUCKETS; i++)
		add(&slot->db_bucket[i], now.db.query_us_bucket[i], publisher.last.db.query_us_bucket[i]);
	add(&slot->db_us, now.db.query_us_sum, publisher.last.db.query_us_sum);
	sf_telemetry__conns_publish(publisher.live, &publisher.opts);
	__atomic_store_n(&publisher.live->at_us, sf_time_now(), __ATOMIC_RELEASE);
	publisher.last = now;
}

static void on_timer(uv_timer_t *t) {
	(void)t;
	publish();
}

void sf_telemetry_jobs(struct sf_jobs *jobs) {
	publisher.jobs = jobs;
	__atomic_store_n(&publisher.live->jobs, jobs != NULL, __ATOMIC_RELAXED);
}

void sf_telemetry_start(const struct sf_telemetry_opts *opts) {
	SF_BUG_ON(publisher.timer != NULL);
	char name[32];
	memset(&publisher, 0, sizeof publisher);
	publisher.opts = *opts;
	snprintf(name, sizeof name, "%s%d", sf_telemetry__prefix(), opts->slot);
	publisher.slot = sf_shm_area(name, sizeof *publisher.slot);
	publisher.live = claim(publisher.slot, sf_time_now());
	publisher.timer = sf_calloc(1, sizeof *publisher.timer);
	SF_BUG_ON(uv_timer_init(sf_loop_uv(opts->loop), publisher.timer) != 0);
	uv_timer_start(publisher.timer, on_timer, PERIOD_MS, PERIOD_MS);
	uv_unref((uv_handle_t *)publisher.timer);
	publish();
}

static void closed(uv_handle_t *h) {
	free(h);
}

void sf_telemetry_stop(void) {
	if (!publisher.timer) return;
	publish();
	publisher.live->pid = 0, publisher.live->at_us = 0; /* nothing of ours is present any more */
	uv_close((uv_handle_t *)publisher.timer, closed);
	publisher.timer = NULL;
}

/* ---- all workers ------------------------------------------------------------------------------- */

static bool alive(const struct sf_telemetry__live *l, int64_t now) {
	return l->pid != 0 && now - __atomic_load_n(&l->at_us, __ATOMIC_ACQUIRE) < SF_TM_STALE_US;
}

bool sf_telemetry__of_slot(const struct sf_telemetry__slot *s, size_t i, uint64_t *out) {
	int64_t now = sf_time_now();
	uint64_t sum = 0;
	bool any = false, of_jobs = sf_telemetry__metrics[i].source == SF_TM_JOBS;
	for (int k = 0; k < SF_TM_LIVE; k++)
		if (alive(&s->live[k], now) && (!of_jobs || s->live[k].jobs)) {
			sum += __atomic_load_n(&s->live[k].value[i], __ATOMIC_RELAXED);
			any = true;
		}
	if (any) *out = sum;
	return any;
}

struct since {
	int64_t pid, ms;
	size_t metric;
	bool found;
};

static void since_of_slot(const char *name, void *p, size_t n, void *arg) {
	(void)name;
	const struct sf_telemetry__slot *s = p;
	struct since *w = arg;
	if (n != sizeof *s) return;
	for (int k = 0; k < SF_TM_LIVE; k++) {
		const struct sf_telemetry__live *l = &s->live[k];
		if (l->pid != w->pid || !l->jobs) continue;
		int64_t silent = (sf_time_now() - __atomic_load_n(&l->at_us, __ATOMIC_ACQUIRE)) / 1000;
		w->ms = (int64_t)__atomic_load_n(&l->value[w->metric], __ATOMIC_RELAXED) + (silent > 0 ? silent : 0);
		w->found = true;
	}
}

bool sf_telemetry__since(int64_t pid, size_t i, int64_t *ms) {
	struct since w = { .pid = pid, .metric = i };
	sf_shm_each(sf_telemetry__prefix(), since_of_slot, &w);
	if (w.found) *ms = w.ms;
	return w.found;
}

bool sf_telemetry_jobs_idle(int64_t pid, int64_t *ms) {
	for (size_t i = 0; i < sf_telemetry__nmetrics; i++)
		if (sf_telemetry__metrics[i].kind == SF_TM_SINCE) return sf_telemetry__since(pid, i, ms);
	return false;
}

size_t sf_telemetry_jobs_connected(void) {
	struct sf_telemetry__total t;
	sf_telemetry__collect(&t);
	for (size_t i = 0; i < sf_telemetry__nmetrics; i++)
		if (strcmp(sf_telemetry__metrics[i].name, "jobs_broker_connected") == 0) return (size_t)t.value[i];
	return 0;
}

static void collect_slot(const char *name, void *p, size_t n, void *arg) {
	(void)name;
	const struct sf_telemetry__slot *s = p;
	struct sf_telemetry__total *t = arg;
	int64_t now = sf_time_now();
	if (n != sizeof *s) return; /* of another binary */
	for (size_t i = 0; i < sf_telemetry__nmetrics; i++) {
		enum sf_telemetry__kind kind = sf_telemetry__metrics[i].kind;
		if (kind == SF_TM_COUNTER) t->value[i] += __atomic_load_n(&s->counter[i], __ATOMIC_RELAXED);
		for (int k = 0; k < SF_TM_LIVE && kind != SF_TM_COUNTER; k++) {
			if (!alive(&s->live[k], now)) continue;
			uint64_t v = __atomic_load_n(&s->live[k].value[i], __ATOMIC_RELAXED);
			if (kind == SF_TM_MAX)
				t->value[i] = v > t->value[i] ? v : t->value[i];
			else
				t->value[i] += v;
		}
	}
	for (size_t i = 0; i < SF_TM_DB_BUCKETS; i++)
		t->db_bucket[i] += __atomic_load_n(&s->db_bucket[i], __ATOMIC_RELAXED);
	t->db_us += __atomic_load_n(&s->db_us, __ATOMIC_RELAXED);
}

void sf_telemetry__collect(struct sf_telemetry__total *out) {
	memset(out, 0, sizeof *out);
	sf_shm_each(sf_telemetry__prefix(), collect_slot, out);
}
