/* jobs_print: how the jobs command shows jobs, as text or as JSON. */
#include "cli/internal.h"

#include <stdio.h>

#include "core/json.h"
#include "core/time.h"
#include "jobs/jobs.h"

enum { ERROR_WIDTH = 80 };

static const char *when(int64_t t, char buf[32]) {
	if (!t) return "-";
	sf_time_format(t, buf);
	return buf;
}

/* Text of others may hold control characters, which a terminal would obey; JSON escapes them. */
static void text(struct sf_buf *b, struct sf_str s) {
	for (size_t i = 0, control; i < s.n; i += control ? control : 1) {
		control = sf_utf8_control(s.p + i, s.p + s.n);
		if (control)
			sf_buf_char(b, ' ');
		else
			sf_buf_char(b, s.p[i]);
	}
}

static void field(struct sf_buf *b, const char *name, struct sf_str s) {
	if (!s.p) return;
	sf_buf_printf(b, "%-10s", name);
	text(b, s);
	sf_buf_char(b, '\n');
}

/* The first bytes of a long text, cut where a character ends. */
static struct sf_str start_of(struct sf_str s, size_t most) {
	if (s.n > most)
		for (s.n = most; s.n && !sf_utf8_valid(s);) s.n--;
	return s;
}

void cli_jobs_list(const struct sf_job_view *v, size_t n, bool json) {
	struct sf_buf b = { 0 };
	struct sf_json j = sf_json(&b);
	if (json)
		sf_json_arr(&j);
	else
		sf_buf_printf(&b, "%-10s %-24s %-10s %-9s %-28s %s\n", "ID", "KIND", "STATE", "ATTEMPTS", "CREATED",
					  "ERROR");
	for (size_t i = 0; i < n; i++) {
		char at[32];
		if (json) {
			sf_job_json(&j, &v[i], SF_JOB_LISTED);
			continue;
		}
		sf_buf_printf(&b, "%-10lld %-24.*s %-10.*s %3d/%-5d %-28s ", (long long)v[i].id, SF_ARG(v[i].kind),
					  SF_ARG(v[i].state), v[i].attempts, v[i].max_attempts, when(v[i].created_at, at));
		text(&b, start_of(v[i].error, ERROR_WIDTH));
		sf_buf_char(&b, '\n');
	}
	if (json) sf_json_arr_end(&j), sf_buf_char(&b, '\n');
	cli_print(&b);
}

void cli_jobs_show(const struct sf_job_view *v, bool json) {
	struct sf_buf b = { 0 };
	struct sf_json j = sf_json(&b);
	char at[4][32];
	if (json) {
		sf_job_json(&j, v, SF_JOB_WHOLE);
		sf_buf_char(&b, '\n');
		cli_print(&b);
		return;
	}
	sf_buf_printf(&b, "id        %lld\nkind      " SF_PRI "\nqueue     " SF_PRI "\nstate     " SF_PRI "\n",
				  (long long)v->id, SF_ARG(v->kind), SF_ARG(v->queue), SF_ARG(v->state));
	sf_buf_printf(&b, "attempts  %d of %d\ncreated   %s\nrun at    %s\nstarted   %s\nfinished  %s\n",
				  v->attempts, v->max_attempts, when(v->created_at, at[0]), when(v->run_at, at[1]),
				  when(v->started_at, at[2]), when(v->finished_at, at[3]));
	field(&b, "key", v->key);
	if (v->owner) sf_buf_printf(&b, "owner     %lld\n", (long long)v->owner);
	if (v->progress) sf_buf_printf(&b, "progress  %d %%\n", v->progress);
	field(&b, "at", v->progress_text);
	field(&b, "payload", v->payload);
	field(&b, "result", v->result);
	field(&b, "error", v->error);
	cli_print(&b);
}

static int64_t oldest_of(const struct sf_job_counts *c, struct sf_str queue) {
	for (size_t i = 0; i < c->nages; i++)
		if (sf_str_eq(c->ages[i].queue, queue)) return c->ages[i].oldest_us;
	return 0;
}

/* Queues with jobs that could run now: how many, and for how long the oldest has waited. The depths stand by queue. */
static void due(struct sf_buf *b, const struct sf_job_counts *c) {
	bool first = true;
	for (size_t i = 0; i < c->ndepths;) {
		struct sf_str queue = c->depths[i].queue;
		int64_t n = 0;
		bool about = false;
		for (; i < c->ndepths && sf_str_eq(c->depths[i].queue, queue); i++)
			n += c->depths[i].due, about |= c->depths[i].estimated;
		if (!n) continue;
		if (first) sf_buf_printf(b, "\n%-24s %-10s %s\n", "QUEUE", "DUE", "OLDEST FOR");
		first = false;
		sf_buf_printf(b, "%-24.*s %s%-10lld %.1f s\n", SF_ARG(queue), about ? "about " : "", (long long)n,
					  (double)oldest_of(c, queue) / SF_USEC);
	}
}

void cli_jobs_counts(const struct sf_job_counts *c, bool json) {
	struct sf_buf b = { 0 };
	struct sf_json j = sf_json(&b);
	if (json)
		sf_json_arr(&j);
	else
		sf_buf_printf(&b, "%-24s %-10s %s\n", "KIND", "STATE", "JOBS");
	for (size_t i = 0; i < c->nkinds; i++) {
		const struct sf_job_count *k = &c->kinds[i];
		if (json) {
			sf_json_obj(&j);
			sf_json_add(&j, SF_KV("kind", k->kind), SF_KV("state", k->state), SF_KV("count", k->n),
						SF_KV("estimated", k->estimated));
			sf_json_obj_end(&j);
		} else {
			sf_buf_printf(&b, "%-24.*s %-10.*s %s%lld\n", SF_ARG(k->kind), SF_ARG(k->state),
						  k->estimated ? "about " : "", (long long)k->n);
		}
	}
	if (json)
		sf_json_arr_end(&j), sf_buf_char(&b, '\n');
	else
		due(&b, c);
	cli_print(&b);
}
