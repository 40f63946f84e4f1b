/* declare: the kinds of jobs that this process knows, from the rows of its services. */
#include "jobs/internal.h"

#include <stdio.h>
#include <stdlib.h>

static struct sf_jobs__declared process; /* written once, before the first job */

const struct sf_jobs__declared *sf_jobs__declared(void) {
	return &process;
}

static int order(const void *a, const void *b) {
	return strcmp(((const struct sf_jobs__kind *)a)->row->kind, ((const struct sf_jobs__kind *)b)->row->kind);
}

const struct sf_jobs__kind *sf_jobs__kind(struct sf_str name) {
	size_t lo = 0, hi = process.n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const char *at = process.kind[mid].row->kind;
		int c = strncmp(name.p, at, name.n);
		if (c == 0 && at[name.n] == 0) return &process.kind[mid];
		if (c < 0 || (c == 0 && at[name.n]))
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static bool word(const char *s) { /* also what may stand in a lane's name */
	size_t n = s ? strlen(s) : 0;
	return n > 0 && n <= 100 &&
		   strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static const char *wrong(const struct sf_job_kind *k) {
	if (!word(k->kind)) return "a kind is letters, digits, '.', '_' and '-'";
	if (!k->run) return "a kind needs a handler";
	if (k->queue && !word(k->queue)) return "a queue is letters, digits, '.', '_' and '-'";
	if (k->priority < 0 || k->priority >= SF_JOBS__PRIORITIES) return "a priority is 0 to 9";
	if (k->timeout_ms < 0 || k->max_attempts < 0 || k->backoff_ms < 0 || k->backoff_max_ms < 0)
		return "time limits and attempts are not negative";
	if (k->max_running < 0 || k->max_per_s < 0) return "limits are not negative";
	return NULL;
}

static struct sf_jobs__kind filled(const struct sf_job_kind *row) {
	struct sf_jobs__kind k = {
		.row = row,
		.queue = row->queue ? row->queue : "default",
		.priority = row->priority ? row->priority : SF_JOB_PRIORITY,
		.max_attempts = row->max_attempts ? row->max_attempts : 20,
		.timeout_ms = row->timeout_ms ? row->timeout_ms : 300000,
		.backoff_ms = row->backoff_ms ? row->backoff_ms : 1000,
		.backoff_max_ms = row->backoff_max_ms ? row->backoff_max_ms : 3600000,
		.limited = row->max_running > 0 || row->max_per_s > 0,
	};
	char lane[256];
	snprintf(lane, sizeof lane, k.limited ? "%s/%s" : "%s", k.queue, row->kind);
	k.lane = sf_strdup(lane);
	return k;
}

static void clear(struct sf_jobs__declared *d) {
	for (size_t i = 0; i < d->n; i++) free((char *)d->kind[i].lane);
	free(d->kind);
	*d = (struct sf_jobs__declared) { 0 };
}

static int refuse(struct sf_jobs__declared *d, struct sf_str *why, const char *name, const char *what) {
	static char text[300]; /* the program ends with it */
	int n = snprintf(text, sizeof text, "job %s: %s", name ? name : "?", what);
	*why = (struct sf_str) { text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1 };
	clear(d);
	return SF_EINVAL;
}

static bool known(const struct sf_jobs__declared *d, const char *kind) {
	for (size_t i = 0; kind && i < d->n; i++)
		if (!strcmp(d->kind[i].row->kind, kind)) return true;
	return false;
}

static int check_crons(struct sf_jobs__declared *d, struct sf_str *why) {
	for (const struct sf_cron *const *t = d->crons; t && *t; t++)
		for (const struct sf_cron *c = *t; c->name; c++) {
			struct sf_cron_spec spec;
			const char *bad = NULL;
			int64_t next;
			if (!word(c->name))
				return refuse(d, why, c->name, "a schedule's name is letters, digits, '.', '_' and '-'");
			if (!known(d, c->kind)) return refuse(d, why, c->name, "the schedule's kind is not declared");
			if (sf_cron_parse(c->expr, &spec, &bad)) return refuse(d, why, c->name, bad);
			if (sf_cron_next(&spec, c->zone, 0, &next)) return refuse(d, why, c->name, "unknown time zone");
			for (const struct sf_cron *const *u = d->crons; u <= t; u++)
				for (const struct sf_cron *e = *u; e->name && e != c; e++)
					if (!strcmp(e->name, c->name))
						return refuse(d, why, c->name, "two schedules have this name");
		}
	return 0;
}

int sf_jobs_declare(const struct sf_job_kind *const *kinds, const struct sf_cron *const *crons,
					struct sf_str *why) {
	struct sf_jobs__declared d = { .crons = crons };
	size_t n = 0;
	for (const struct sf_job_kind *const *t = kinds; t && *t; t++)
		for (const struct sf_job_kind *k = *t; k->kind; k++) n++;
	d.kind = sf_calloc(n + 1, sizeof *d.kind);
	for (const struct sf_job_kind *const *t = kinds; t && *t; t++)
		for (const struct sf_job_kind *k = *t; k->kind; k++) {
			const char *bad = wrong(k);
			if (!bad && known(&d, k->kind)) bad = "declared twice";
			if (bad) return refuse(&d, why, k->kind, bad);
			d.kind[d.n++] = filled(k);
		}
	qsort(d.kind, d.n, sizeof *d.kind, order);
	int err = check_crons(&d, why);
	if (err) return err;
	clear(&process);
	process = d;
	sf_jobs__timing_reset();
	return 0;
}
