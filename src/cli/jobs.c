/* jobs: the command that looks at the queue and steers it, as /api/ops/jobs does. */
#include "cli/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/time.h"
#include "app/app.h"
#include "db/db.h"
#include "jobs/jobs.h"
#include "services/services.h"

#define LIST_MAX 1000

struct asked {
	const char *what; /* "list" */
	int64_t id;       /* 0: none */
	struct sf_job_filter filter;
	const char *service; /* whose database */
	bool any, yes, json; /* any: the filter names something */
	bool paged;          /* --before or --limit was said */
};

static const char *const states[] = {
	"scheduled", "ready", "running", "retrying", "done", "dead", "cancelled"
};

/* ---- arguments -------------------------------------------------------------------------------- */

static int take_text(int *argc, char **argv, const char *name, struct sf_str *out, bool *any) {
	const char *v = NULL;
	int code = cli_take_text(argc, argv, name, &v);
	if (v) *out = sf_str(v), *any = true;
	return code;
}

static int take_time(int *argc, char **argv, const char *name, int64_t *out, bool *any) {
	const char *v = cli_take_value(argc, argv, name);
	if (!v) return 0;
	if (sf_time_parse(sf_str(v), out) != 0)
		return cli_wrong("%s takes a time such as 2026-11-22T14:00:00Z, not \"%s\"", name, v);
	*any = true;
	return 0;
}

static int take_int(int *argc, char **argv, const char *name, int64_t most, int64_t *out, bool *any) {
	const char *v = cli_take_value(argc, argv, name);
	if (!v) return 0;
	if (sf_str_int(sf_str(v), out) != 0 || *out < 1)
		return cli_wrong("%s takes a positive number, not \"%s\"", name, v);
	if (*out > most) return cli_wrong("%s takes %lld at most, not %s", name, (long long)most, v);
	*any = true;
	return 0;
}

static int check_state(struct sf_str state) {
	for (size_t i = 0; i < SF_COUNT(states); i++)
		if (sf_str_eq(state, sf_str(states[i]))) return 0;
	return cli_wrong(
		"--state is one of scheduled, ready, running, retrying, done, dead, cancelled, not \"" SF_PRI "\"",
		SF_ARG(state));
}

static int read_filter(int *argc, char **argv, struct asked *a) {
	struct sf_job_filter *f = &a->filter;
	a->yes = cli_take_flag(argc, argv, "--yes");
	f->idle_ticks = cli_take_flag(argc, argv, "--ticks");
	a->json = cli_take_flag(argc, argv, "--json");
	a->service = cli_take_value(argc, argv, "--service");
	int code = take_text(argc, argv, "--state", &f->state, &a->any);
	if (!code && f->state.p) code = check_state(f->state);
	if (!code) code = take_text(argc, argv, "--kind", &f->kind, &a->any);
	if (!code) code = take_text(argc, argv, "--queue", &f->queue, &a->any);
	if (!code) code = take_text(argc, argv, "--error", &f->error, &a->any);
	if (!code) code = take_time(argc, argv, "--from", &f->from, &a->any);
	if (!code) code = take_time(argc, argv, "--to", &f->to, &a->any);
	if (!code) code = take_int(argc, argv, "--before", INT64_MAX, &f->before, &a->paged);
	return code ? code : take_int(argc, argv, "--limit", LIST_MAX, &f->limit, &a->paged);
}

/* ---- what is done, all ~ ------------------------------------------------------------------------ */

static int failed(int err) {
	if (err == SF_ENOTFOUND)
		cli_wrong("there is no such job");
	else if (err == SF_ECONFLICT)
		cli_wrong("the state of the job does not allow it");
	else
		cli_wrong(
			"the queue cannot be reached (%s, the log above says more): is DATABASE_URL that of the server? "
			"`softfactory db status` shows its tables",
			sf_err_symbol(err));
	return 1;
}

/* Page after page, until there are as many as were asked for. */
static int list(const struct asked *q, struct sf_dbh *h) {
	struct sf_job_filter f = q->filter;
	int64_t next = f.before;
	size_t n = 0, most = f.limit > 0 ? (size_t)f.limit : 50;
	struct sf_job_view *all = sf_arena_alloc(sf_dbh_arena(h), most * sizeof *all);
	do {
		struct sf_job_view *v;
		size_t got;
		f.before = next, f.limit = (int64_t)(most - n);
		int err = sf_job_list(h, &f, &v, &got, &next);
		if (err) return failed(err);
		memcpy(all + n, v, got * sizeof *v);
		n += got;
	} while (next && n < most);
	cli_jobs_list(all, n, q->json);
	return 0;
}

static int counts(const struct asked *q, struct sf_dbh *h) {
	struct sf_job_counts c;
	int err = sf_job_counts(h, &c);
	if (err) return failed(err);
	cli_jobs_counts(&c, q->json);
	return 0;
}

static int show(const struct asked *q, struct sf_dbh *h) {
	struct sf_job_view v;
	int err = sf_job_get(h, q->id, &v);
	if (err) return failed(err);
	cli_jobs_show(&v, q->json);
	return 0;
}

static const char *jobs_of(int64_t n) {
	return n == 1 ? "job" : "jobs";
}

/* Says how many jobs of which states the filter names. */
static int preview(const struct asked *q, struct sf_dbh *h, enum sf_job_action action) {
	struct sf_job_filter f = q->filter;
	struct sf_buf of = { 0 };
	int64_t n, total = 0;
	for (size_t i = 0; i < SF_COUNT(states); i++) {
		if (!q->filter.state.p) f.state = sf_str(states[i]);
		int err = sf_job_act_many(h, &f, action, true, INT64_MAX, &n);
		if (err) {
			sf_buf_fini(&of);
			return failed(err);
		}
		total += n;
		if (n) sf_buf_printf(&of, "%s%lld " SF_PRI, of.n ? ", " : "", (long long)n, SF_ARG(f.state));
		if (q->filter.state.p) break;
	}
	if (q->json)
		printf("{\"action\":\"%s\",\"preview\":true,\"count\":%lld}\n", q->what, (long long)total);
	else if (total)
		printf("%s would act on %lld %s (%.*s); --yes does it\n", q->what, (long long)total, jobs_of(total),
			   (int)of.n, of.p);
	else
		printf("%s would act on no job: the filter names none whose state allows it\n", q->what);
	sf_buf_fini(&of);
	return 0;
}

/* One by its id, or all that the filter names: only counted unless --yes. */
static int act(const struct asked *q, struct sf_dbh *h) {
	enum sf_job_action action = strcmp(q->what, "retry") == 0    ? SF_JOB_RETRY
								: strcmp(q->what, "cancel") == 0 ? SF_JOB_CANCEL
																 : SF_JOB_DISCARD;
	int64_t n = 0;
	if (q->id) {
		int err = sf_job_act(h, q->id, action);
		if (err) return failed(err);
		printf(q->json ? "{\"action\":\"%s\",\"id\":%lld}\n" : "%s: job %lld\n", q->what, (long long)q->id);
		return 0;
	}
	if (!q->yes) return preview(q, h, action);
	/* one sweep over the ids, in portions: a job that fails again meanwhile is not met twice */
	int err = sf_job_act_many(h, &q->filter, action, false, INT64_MAX, &n);
	if (err) {
		cli_wrong("%s was cut short; what it had done stands, and the same command does the rest", q->what);
		return failed(err);
	}
	if (q->json)
		printf("{\"action\":\"%s\",\"preview\":false,\"count\":%lld}\n", q->what, (long long)n);
	else
		printf("%s: %lld %s\n", q->what, (long long)n, jobs_of(n));
	return 0;
}

static int run(void *arg) {
	const struct asked *q = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_dbh *h = sf_db_auto(cli_database_of(q->service), a, SF_READ_PRIMARY, "jobs command");
	int code;
	if (strcmp(q->what, "list") == 0)
		code = list(q, h);
	else if (strcmp(q->what, "counts") == 0)
		code = counts(q, h);
	else if (strcmp(q->what, "show") == 0)
		code = show(q, h);
	else
		code = act(q, h);
	sf_arena_free(a);
	return code;
}

/* What goes together and what does not; nothing is done with half of what was said. */
static int check(const struct asked *q) {
	bool is_list = strcmp(q->what, "list") == 0, is_show = strcmp(q->what, "show") == 0;
	bool is_counts = strcmp(q->what, "counts") == 0, acts = !is_list && !is_show && !is_counts;
	if ((is_list || is_counts) && q->id)
		return cli_wrong("jobs %s takes no number; `jobs show %lld` shows one", q->what, (long long)q->id);
	if (is_show && !q->id) return cli_wrong("jobs show needs the number of a job");
	if (acts && !q->id && !q->any)
		return cli_wrong("jobs %s needs the number of a job or a filter, such as --kind or --state", q->what);
	if (q->any && (q->id || is_counts))
		return cli_wrong("jobs %s takes %s, not a filter as well", q->what,
						 is_counts ? "all there are" : "one job");
	if (q->paged && !is_list) return cli_wrong("--before and --limit are for jobs list");
	if (q->filter.idle_ticks && !is_list) return cli_wrong("--ticks is for jobs list");
	if (q->yes && !acts) return cli_wrong("--yes is for jobs retry, discard and cancel");
	return 0;
}

int cli_jobs(int argc, char **argv) {
	static const char *const known[] = { "list", "counts", "show", "retry", "discard", "cancel" };
	struct asked q = { 0 };
	int code = read_filter(&argc, argv, &q);
	if (!code) code = cli_settings(&argc, argv);
	if (code) return code;
	for (size_t i = 0; argc > 1 && i < SF_COUNT(known); i++)
		if (strcmp(argv[1], known[i]) == 0) q.what = known[i];
	if (!q.what)
		return cli_wrong(
			"jobs takes one of list, counts, show, retry, discard, cancel; `softfactory jobs --help` "
			"says more");
	if (argc > 3) return cli_wrong("jobs %s takes one number at most; \"%s\" is too much", q.what, argv[3]);
	if (argc == 3 && (sf_str_int(sf_str(argv[2]), &q.id) != 0 || q.id < 1))
		return cli_wrong("jobs %s takes the number of a job, not \"%s\"", q.what, argv[2]);
	code = check(&q);
	if (code) return code;
	if (!q.service) q.service = ops_service.name;
	if (!cli_service_known(q.service)) return cli_wrong("there is no service \"%s\"", q.service);
	const char *file = cli_database_missing(q.service);
	if (file) {
		cli_wrong("there is no database %s; DATABASE_URL names the one that the server uses", file);
		return 1;
	}
	if (cli_jobs_declare() != 0) return 1;
	return cli_task(run, &q);
}
