/* view: looking at the queue: one job, lists by keyset, counts. Lists merge what is live with what is over by id. */
#include "jobs/internal.h"

#include "core/time.h"

#include "jobs.q.h"

enum { PAGE = 50, PAGE_MAX = 1000 };

/* The rows of all the queries here are alike; one struct stands for them. */
_Static_assert(sizeof(struct jobs_q_live_get_row) == sizeof(struct jobs_q_live_list_row) &&
				   sizeof(struct jobs_q_over_get_row) == sizeof(struct jobs_q_live_list_row) &&
				   sizeof(struct jobs_q_over_list_row) == sizeof(struct jobs_q_live_list_row) &&
				   sizeof(struct jobs_q_failed_list_row) == sizeof(struct jobs_q_live_list_row),
			   "lists and single rows have the same columns");

static struct sf_job_view view_of(const void *row) {
	const struct jobs_q_live_list_row *r = row;
	return (struct sf_job_view) { .id = r->id,
								  .owner = r->owner_user,
								  .created_at = r->created_at,
								  .run_at = r->run_at,
								  .started_at = r->started_at,
								  .finished_at = r->finished_at,
								  .kind = r->kind,
								  .queue = r->queue,
								  .state = r->state,
								  .error = r->error,
								  .payload = r->payload,
								  .result = r->result,
								  .progress_text = r->progress_text,
								  .key = r->job_key,
								  .attempts = (int)r->attempts,
								  .max_attempts = (int)r->max_attempts,
								  .priority = (int)r->priority,
								  .progress = (int)r->progress };
}

int sf_job_get(struct sf_dbh *h, int64_t id, struct sf_job_view *out) {
	union {
		struct jobs_q_live_get_row live;
		struct jobs_q_over_get_row over;
	} row;
	int err = jobs_q_live_get(h, &(struct jobs_q_live_get_in) { .id = id, .now = sf_time_now() }, &row.live);
	/* looked for in this order, a job that ends in between is still found */
	if (err == SF_ENOTFOUND) err = jobs_q_over_get(h, &(struct jobs_q_over_get_in) { .id = id }, &row.over);
	if (!err) *out = view_of(&row);
	return err;
}

struct sf_str sf_jobs__pattern(struct sf_arena *a, struct sf_str part) {
	struct sf_buf b;
	if (!part.p) return SF_STR_NULL;
	sf_buf_init(&b, a);
	sf_buf_char(&b, '%');
	for (size_t i = 0; i < part.n; i++) {
		if (strchr("%_!", part.p[i])) sf_buf_char(&b, '!');
		sf_buf_char(&b, part.p[i]);
	}
	sf_buf_char(&b, '%');
	return b.failed ? SF_STR_NULL : sf_buf_view(&b);
}

static bool over_state(struct sf_str s) {
	return sf_str_eq(s, SF_STR("done")) || sf_str_eq(s, SF_STR("dead")) || sf_str_eq(s, SF_STR("cancelled"));
}

static int list_live(struct sf_dbh *h, const struct sf_job_filter *f, int64_t n, struct sf_rows *rows) {
	struct jobs_q_live_list_in in = { .before = f->before ? f->before : INT64_MAX,
									  .from_ = f->from,
									  .until = f->to ? f->to : INT64_MAX,
									  .kind = f->kind,
									  .queue = f->queue,
									  .error = sf_jobs__pattern(sf_dbh_arena(h), f->error),
									  .state = f->state,
									  .now = sf_time_now(),
									  .n = n };
	return jobs_q_live_list(h, &in, rows);
}

static int list_over(struct sf_dbh *h, const struct sf_job_filter *f, int64_t n, struct sf_rows *rows) {
	struct jobs_q_over_list_in in = { .before = f->before ? f->before : INT64_MAX,
									  .from_ = f->from,
									  .until = f->to ? f->to : INT64_MAX,
									  .kind = f->kind,
									  .queue = f->queue,
									  .error = sf_jobs__pattern(sf_dbh_arena(h), f->error),
									  .state = f->state,
									  .n = n };
	if (!f->state.p || sf_str_eq(f->state, SF_STR("done"))) return jobs_q_over_list(h, &in, rows);
	struct jobs_q_failed_list_in failed = { .before = in.before,
											.from_ = in.from_,
											.until = in.until,
											.kind = in.kind,
											.queue = in.queue,
											.error = in.error,
											.state = in.state,
											.n = n };
	return jobs_q_failed_list(h, &failed, rows);
}

int sf_job_list(struct sf_dbh *h, const struct sf_job_filter *f, struct sf_job_view **out, size_t *n) {
	int64_t most = f->limit <= 0 ? PAGE : f->limit > PAGE_MAX ? PAGE_MAX : f->limit;
	struct sf_rows live = { 0 }, over = { 0 };
	int err = 0;
	if (!f->state.p || !over_state(f->state)) err = list_live(h, f, most, &live);
	if (!err && (!f->state.p || over_state(f->state))) err = list_over(h, f, most, &over);
	if (err) return err;
	struct sf_job_view *v = sf_arena_try(sf_dbh_arena(h), (live.n + over.n + 1) * sizeof *v);
	if (!v) return SF_ENOMEM;
	size_t i = 0, k = 0, at = 0;
	while (at < (size_t)most && (i < live.n || k < over.n)) {
		const struct jobs_q_live_list_row *a = i < live.n ? SF_ROW(live, jobs_q_live_list, i) : NULL;
		const struct jobs_q_over_list_row *b = k < over.n ? SF_ROW(over, jobs_q_over_list, k) : NULL;
		if (a && (!b || a->id >= b->id)) {
			if (b && b->id == a->id) k++; /* ended between the two looks */
			v[at++] = view_of(a), i++;
		} else {
			v[at++] = view_of(b), k++;
		}
	}
	*out = v, *n = at;
	return 0;
}

int sf_job_counts(struct sf_dbh *h, struct sf_job_count **out, size_t *n) {
	struct sf_rows rows;
	int err = jobs_q_counts(h, &(struct jobs_q_counts_in) { .now = sf_time_now() }, &rows);
	if (err) return err;
	struct sf_job_count *c = sf_arena_try(sf_dbh_arena(h), (rows.n + 1) * sizeof *c);
	if (!c) return SF_ENOMEM;
	for (size_t i = 0; i < rows.n; i++) {
		const struct jobs_q_counts_row *row = SF_ROW(rows, jobs_q_counts, i);
		c[i] = (struct sf_job_count) { .kind = row->kind, .state = row->state, .n = row->n };
	}
	*out = c, *n = rows.n;
	return 0;
}
