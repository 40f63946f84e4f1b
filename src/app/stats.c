/* stats: counters of each route and the access log line, after the answer is out.
 *
 * Counters are arrays in shared memory, one a worker slot, so that workers do not share cache lines; the sum over slots is the host's.
 * Adds are atomic, since a slot's old and new worker may overlap during a restart. The area's name holds a hash of the rows: another
 * binary's counters are never added to ours. */
#include "app/internal.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"

#include <stdio.h>

static const int64_t bounds_us[13] = { 250,   500,    1000,   2500,   5000,    10000,  25000,
									   50000, 100000, 250000, 500000, 1000000, 5000000 };

static void area_prefix(const struct sf_app *app, char out[32]) {
	snprintf(out, 32, "route.%08x.", (unsigned)app->layout);
}

void sf_app__stats_open(struct sf_app *app) {
	struct sf_buf b = { 0 };
	for (size_t i = 0; i < app->nrows; i++) {
		sf_buf_str(&b, app->rows[i].label);
		sf_buf_char(&b, '\n');
	}
	app->layout = sf_hash64_fixed(b.p, b.n);
	sf_buf_fini(&b);
	struct sf_worker w;
	char prefix[32], name[64];
	area_prefix(app, prefix);
	snprintf(name, sizeof name, "%s%d", prefix, sf_worker_self(&w) ? w.slot : 0);
	app->stats = sf_shm_area(name, (app->nrows + 1) * sizeof *app->stats);
}

struct sum {
	size_t i, size;
	struct sf_route_stats *out;
};

static void sum_area(const char *name, void *p, size_t n, void *arg) {
	(void)name;
	struct sum *s = arg;
	if (n != s->size) return;
	const uint64_t *from = (const uint64_t *)((const struct sf_route_stats *)p + s->i);
	uint64_t *to = (uint64_t *)s->out;
	for (size_t k = 0; k < sizeof *s->out / sizeof *to; k++)
		to[k] += __atomic_load_n(&from[k], __ATOMIC_RELAXED);
}

void sf_app_route_stats(const struct sf_app *app, size_t i, struct sf_route_stats *out) {
	SF_BUG_ON(i > app->nrows);
	memset(out, 0, sizeof *out);
	char prefix[32];
	area_prefix(app, prefix);
	sf_shm_each(prefix, sum_area, &(struct sum) { i, (app->nrows + 1) * sizeof *out, out });
}

static void count(uint64_t *at, uint64_t n) {
	__atomic_fetch_add(at, n, __ATOMIC_RELAXED);
}

/* A file that a page is made of, by its name's ending; a page has none. */
static bool is_asset(struct sf_str path) {
	const char *slash = memrchr(path.p, '/', path.n);
	return slash && memchr(slash, '.', path.n - (size_t)(slash - path.p));
}

static void access_line(const struct sf_http_req *http, const struct sf_req *r, int64_t us) {
	bool file = !r->row && http->status < 400 && http->method != SF_OPTIONS;
	bool quiet = (r->row && r->row->route->quiet) || (file && sf_log_is_text() && is_asset(http->path));
	enum sf_level level = quiet ? SF_DEBUG : SF_INFO;
	if (level < sf_log_level_now) return;
	struct sf_str path = r->secret_path ? SF_STR_NULL : http->path, trace = { r->trace + 3, 32 };
	sf_log(level, "request", SF_KV("method", sf_method_name(http->method)),
		   SF_KV("route", r->row ? r->row->route->path : NULL), SF_KV("path", path),
		   SF_KV("status", http->status), SF_KV("us", us), SF_KV("bytes", (int64_t)http->bytes_out),
		   SF_KV("user", r->caller.user), SF_KV("request_id", r->id), SF_KV("trace_id", trace),
		   SF_KV("ip", sf_req_ip(r)));
}

void sf_app__after(struct sf_http_req *http) {
	const struct sf_req *r = sf_app__req(http);
	struct sf_app *app = r->app;
	struct sf_route_stats *s = &app->stats[r->row ? r->row->index : app->nrows];
	int64_t us = (sf_clock_ns() - http->started_ns) / 1000;
	size_t bucket = 0;
	while (bucket < SF_COUNT(bounds_us) && us > bounds_us[bucket]) bucket++;
	count(&s->status[sf_http_status_index(http->status)], 1);
	count(&s->bucket[bucket], 1);
	count(&s->us_sum, us > 0 ? (uint64_t)us : 0);
	if (app->access_log) access_line(http, r, us);
}
