/* exposition: GET /metrics, the text format of Prometheus (version 0.0.4). */
#include "telemetry/internal.h"

#include <stdio.h>

#include "app/app.h"
#include "jobs/jobs.h"
#include "loop/loop.h"

enum { PROCS_MOST = 512 };

struct page {
	struct sf_buf out;
	size_t series; /* lines with a value */
	const struct sf_app *app;
	size_t route; /* index in sf_app_each order */
};

static void head(struct page *p, const char *name, const char *type, const char *help) {
	sf_buf_printf(&p->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

SF_PRINTF(3, 4) static void line(struct page *p, double value, const char *fmt, ...) {
	char series[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(series, sizeof series, fmt, ap);
	va_end(ap);
	SF_BUG_ON(n < 0 || (size_t)n >= sizeof series);
	if (value >= 0 && value < 9e15 && value == (double)(int64_t)value)
		sf_buf_printf(&p->out, "%s %lld\n", series, (long long)value);
	else
		sf_buf_printf(&p->out, "%s %.15g\n", series, value);
	p->series++;
}

/* ---- routes -------------------------------------------------------------------------------------- */

static const char *const route_le[] = { "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025",
										"0.05",    "0.1",    "0.25",  "0.5",    "1",     "5",    "+Inf" };
static const char *const db_le[] = { "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005",
									 "0.01",   "0.025",   "0.05",   "0.1",   "1",      "+Inf" };

static void histogram(struct page *p, const char *name, const char *labels, const uint64_t *bucket,
					  const char *const *le, size_t n, uint64_t sum_us) {
	uint64_t total = 0;
	const char *comma = *labels ? "," : "";
	for (size_t i = 0; i < n; i++) {
		total += bucket[i];
		line(p, (double)total, "%s_bucket{%s%sle=\"%s\"}", name, labels, comma, le[i]);
	}
	line(p, (double)sum_us * 1e-6, *labels ? "%s_sum{%s}" : "%s_sum%s", name, labels);
	line(p, (double)total, *labels ? "%s_count{%s}" : "%s_count%s", name, labels);
}

static void requests_of(struct page *p, const char *method, const char *path) {
	struct sf_route_stats s;
	sf_app_route_stats(p->app, p->route++, &s);
	for (size_t i = 0; i < SF_HTTP_STATUSES; i++)
		if (s.status[i])
			line(p, (double)s.status[i], "http_requests_total{method=\"%s\",endpoint=\"%s\",status=\"%03d\"}",
				 method, path, sf_http_status_at(i));
}

static void durations_of(struct page *p, const char *method, const char *path) {
	struct sf_route_stats s;
	sf_app_route_stats(p->app, p->route++, &s);
	uint64_t any = 0;
	for (size_t i = 0; i < SF_COUNT(route_le); i++) any += s.bucket[i];
	if (!any) return; /* sixteen lines that say nothing */
	char labels[400];
	snprintf(labels, sizeof labels, "method=\"%s\",endpoint=\"%.350s\"", method, path);
	histogram(p, "http_request_duration_seconds", labels, s.bucket, route_le, SF_COUNT(route_le), s.us_sum);
}

static bool each_requests(const struct sf_service *s, const struct sf_route *r, void *arg) {
	(void)s;
	requests_of(arg, sf_method_name(r->method), r->path);
	return true;
}
static bool each_durations(const struct sf_service *s, const struct sf_route *r, void *arg) {
	(void)s;
	durations_of(arg, sf_method_name(r->method), r->path);
	return true;
}

static void routes(struct page *p) {
	head(p, "http_requests_total", "counter",
		 "Requests answered, by route and status; 499: the client went away.");
	p->route = 0;
	sf_app_each(p->app, each_requests, p);
	requests_of(p, "", "unmatched"); /* files of the web app, unknown addresses, broken requests */
	head(p, "http_request_duration_seconds", "histogram", "Time from a request's first byte to its answer.");
	p->route = 0;
	sf_app_each(p->app, each_durations, p);
	durations_of(p, "", "unmatched");
}

/* ---- workers -------------------------------------------------------------------------------------- */

struct each_slot {
	struct page *p;
	size_t metric;
};
static void of_slot(const char *name, void *at, size_t n, void *arg) {
	const struct each_slot *e = arg;
	const struct sf_telemetry__metric *m = &sf_telemetry__metrics[e->metric];
	uint64_t v;
	if (n != sizeof(struct sf_telemetry__slot) || !sf_telemetry__of_slot(at, e->metric, &v)) return;
	line(e->p, (double)v * m->scale, "%s{worker=\"%.8s\"}", m->name, name + strlen(sf_telemetry__prefix()));
}

static const char *type_of(enum sf_telemetry__kind kind) {
	return kind == SF_TM_COUNTER ? "counter" : "gauge";
}

/* Of processes that the supervisor has, so that one that publishes nothing any more is there as well: it is the one to see. One that
 * drains takes no jobs and may well stand still. */
static void since(struct page *p, size_t metric, const struct sf_proc *procs, size_t n) {
	const struct sf_telemetry__metric *m = &sf_telemetry__metrics[metric];
	int64_t ms;
	for (size_t i = 0; i < n; i++)
		if (procs[i].slot >= 0 && strcmp(procs[i].state, "ready") == 0 &&
			sf_telemetry__since(procs[i].pid, metric, &ms))
			line(p, (double)ms * m->scale, "%s{worker=\"%d\"}", m->name, procs[i].slot);
}

static void workers(struct page *p, const struct sf_proc *procs, size_t n) {
	struct sf_telemetry__total t;
	sf_telemetry__collect(&t);
	double busy = 0, most = 0;
	for (size_t i = 0; i < sf_telemetry__nmetrics; i++) {
		const struct sf_telemetry__metric *m = &sf_telemetry__metrics[i];
		head(p, m->name, type_of(m->kind), m->help);
		if (m->kind == SF_TM_EACH)
			sf_shm_each(sf_telemetry__prefix(), of_slot, &(struct each_slot) { p, i });
		else if (m->kind == SF_TM_SINCE)
			since(p, i, procs, n);
		else
			line(p, (double)t.value[i] * m->scale, "%s", m->name);
		if (strcmp(m->name, "db_connections_busy") == 0) busy = (double)t.value[i];
		if (strcmp(m->name, "db_connections_max") == 0) most = (double)t.value[i];
	}
	head(p, "database_connections_available", "gauge", "Database connections that may still be taken.");
	line(p, most > busy ? most - busy : 0, "database_connections_available");
	head(p, "db_query_duration_seconds", "histogram", "Time of a statement, from its start to its result.");
	histogram(p, "db_query_duration_seconds", "", t.db_bucket, db_le, SF_COUNT(db_le), t.db_us);
}

static void processes(struct page *p, const struct sf_proc *list, size_t n) {
	static const char *const states[] = { "starting", "ready", "draining", "backoff" };
	head(p, "softfactory_workers", "gauge", "Worker processes by state.");
	for (size_t s = 0; s < SF_COUNT(states); s++) {
		int count = 0;
		for (size_t i = 0; i < n; i++) count += list[i].slot >= 0 && strcmp(list[i].state, states[s]) == 0;
		line(p, count, "softfactory_workers{state=\"%s\"}", states[s]);
	}
	int64_t restarts = 0;
	for (size_t i = 0; i < n; i++) {
		bool again = false; /* a slot shows its count with each of its processes */
		for (size_t k = 0; k < i; k++) again |= list[k].slot == list[i].slot;
		if (!again) restarts += list[i].restarts;
	}
	head(p, "softfactory_worker_restarts_total", "counter", "Workers started again because one had died.");
	line(p, (double)restarts, "softfactory_worker_restarts_total");
	if (n == 0) return;
	head(p, "process_start_time_seconds", "gauge", "Start of the supervisor, seconds since 1970.");
	line(p, (double)list[0].started * 1e-6, "process_start_time_seconds");
}

/* ---- jobs -------------------------------------------------------------------------------------------- */

static const char *const job_le[SF_JOB_BUCKETS] = { "0.001", "0.005", "0.01", "0.025", "0.05", "0.1",
													"0.25",  "0.5",   "1",    "2.5",   "5",    "10",
													"30",    "120",   "300",  "+Inf" };
static const char *const outcomes[SF_JOB_OUTCOMES] = {
	[SF_JOB_RAN] = "done",          [SF_JOB_FAILED] = "failed",
	[SF_JOB_DIED] = "dead",         [SF_JOB_CANCELLED] = "cancelled",
	[SF_JOB_PUT_BACK] = "put_back", [SF_JOB_REFUSED] = "refused"
};

static void job_durations(struct page *p) {
	struct sf_job_timing t;
	const char *kind;
	head(p, "job_duration_seconds", "histogram", "Time that runs took, by kind and how they ended.");
	for (size_t k = 0; sf_job_timing(k, SF_JOB_RAN, &t); k++)
		for (int o = 0; o < SF_JOB_OUTCOMES; o++) {
			uint64_t any = 0;
			char labels[200];
			kind = sf_job_timing(k, (enum sf_job_outcome)o, &t);
			for (size_t i = 0; i < SF_JOB_BUCKETS; i++) any += t.bucket[i];
			if (!any) continue;
			snprintf(labels, sizeof labels, "kind=\"%.100s\",outcome=\"%s\"", kind, outcomes[o]);
			histogram(p, "job_duration_seconds", labels, t.bucket, job_le, SF_COUNT(job_le), t.us_sum);
		}
}

/* ~ From the database, and left out while it does not answer: the rest of the page must not depend on it. Kinds and queues
 * are rows of the program. */
static void jobs(struct page *p, struct sf_arena *a) {
	struct sf_db *db = sf_app_db(p->app, "ops");
	if (!db) return;
	struct sf_dbh *h = sf_db_auto(db, a, SF_READ_PRIMARY, "metrics");
	struct sf_job_counts c;
	if (sf_job_counts(h, &c) != 0) return;
	head(p, "jobs", "gauge",
		 "Jobs by kind and state; those that are over for as long as they are kept. Large numbers that wait "
		 "are "
		 "estimates.");
	for (size_t i = 0; i < c.nkinds; i++)
		line(p, (double)c.kinds[i].n, "jobs{kind=\"%.*s\",state=\"%.*s\"}", SF_ARG(c.kinds[i].kind),
			 SF_ARG(c.kinds[i].state));
	head(p, "jobs_depth", "gauge", "Jobs that are not over, by queue and state.");
	for (size_t i = 0; i < c.ndepths; i++)
		line(p, (double)c.depths[i].n, "jobs_depth{queue=\"%.*s\",state=\"%.*s\"}", SF_ARG(c.depths[i].queue),
			 SF_ARG(c.depths[i].state));
	head(p, "jobs_due", "gauge", "Jobs that are due and wait for a worker, by queue.");
	for (size_t i = 0, k; i < c.ndepths; i = k) { /* ordered by queue */
		int64_t due = 0;
		for (k = i; k < c.ndepths && sf_str_eq(c.depths[k].queue, c.depths[i].queue); k++)
			due += c.depths[k].due;
		line(p, (double)due, "jobs_due{queue=\"%.*s\"}", SF_ARG(c.depths[i].queue));
	}
	head(p, "jobs_oldest_due_seconds", "gauge",
		 "How long the oldest job that is due has been so, by queue; none where nothing is.");
	for (size_t i = 0; i < c.nages; i++)
		line(p, (double)c.ages[i].oldest_us * 1e-6, "jobs_oldest_due_seconds{queue=\"%.*s\"}",
			 SF_ARG(c.ages[i].queue));
}

/* ---- the page -------------------------------------------------------------------------------------- */

static int metrics_get(struct sf_req *r) {
	struct page p = { .app = sf_req_app(r) };
	sf_buf_init(&p.out, sf_req_arena(r));
	struct sf_proc *procs = sf_arena_alloc(sf_req_arena(r), PROCS_MOST * sizeof *procs);
	size_t n = sf_super_processes(procs, PROCS_MOST);
	routes(&p);
	workers(&p, procs, n);
	processes(&p, procs, n);
	job_durations(&p);
	jobs(&p, sf_req_arena(r));
	head(&p, "softfactory_draining", "gauge", "1 while the server is about to stop.");
	line(&p, sf_super_draining(), "softfactory_draining");
	head(&p, "softfactory_build_info", "gauge", "The running program.");
	line(&p, 1, "softfactory_build_info{version=\"" SF_VERSION "\"}");
	head(&p, "softfactory_telemetry_series", "gauge", "Series on this page, this one too.");
	line(&p, (double)(p.series + 1), "softfactory_telemetry_series");
	if (p.out.failed) return SF_ENOMEM;
	return sf_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", sf_buf_view(&p.out));
}

static const struct sf_route routes_table[] = {
	{ SF_GET, "/metrics", metrics_get, .auth = SF_PUBLIC, .rate = SF_RATE_NONE,
	  .produces = "text/plain; version=0.0.4; charset=utf-8", .quiet = true,
	  .summary = "Counters and gauges of all workers in Prometheus' text format" },
	{ 0 },
};

const struct sf_service telemetry_service = {
	.name = "telemetry",
	.title = "Telemetry: metrics",
	.routes = routes_table,
};
