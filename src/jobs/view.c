/* view: looking at the queue: one job, and lists by keyset. Lists merge what is live with what is over by id, and look at a
 * bounded number of jobs a page, so that a filter that few of millions pass costs no more than one that all do. */
#include "jobs/internal.h"

#include "core/json.h"
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

/* ~ Of the live ones, newest first; *floor: down to which id it has looked, 0: to the end. */
static int list_live(struct sf_dbh *h, const struct sf_job_filter *f, int64_t n, struct sf_rows *rows,
					 int64_t *floor) {
	struct jobs_q_live_floor_row edge = { 0 };
	struct jobs_q_live_list_in in = { .before = f->before ? f->before : INT64_MAX,
									  .from_ = f->from,
									  .until = f->to ? f->to : INT64_MAX,
									  .kind = f->kind,
									  .queue = f->queue,
									  .error = sf_jobs__pattern(sf_dbh_arena(h), f->error),
									  .state = f->state,
									  .now = sf_time_now(),
									  .n = n };
	int err = jobs_q_live_floor(h, &(struct jobs_q_live_floor_in) { .before = in.before }, &edge);
	if (err && err != SF_ENOTFOUND) return err;
	in.floor = *floor = edge.id;
	return jobs_q_live_list(h, &in, rows);
}

/* ~ The same of those that are over. */
static int list_over(struct sf_dbh *h, const struct sf_job_filter *f, int64_t n, struct sf_rows *rows,
					 int64_t *floor) {
	struct jobs_q_over_floor_row edge = { 0 };
	struct jobs_q_over_list_in in = { .before = f->before ? f->before : INT64_MAX,
									  .from_ = f->from,
									  .until = f->to ? f->to : INT64_MAX,
									  .kind = f->kind,
									  .queue = f->queue,
									  .error = sf_jobs__pattern(sf_dbh_arena(h), f->error),
									  .state = f->state,
									  .idle = f->idle_ticks || f->kind.p,
									  .n = n };
	int err = jobs_q_over_floor(h, &(struct jobs_q_over_floor_in) { .before = in.before }, &edge);
	if (err && err != SF_ENOTFOUND) return err;
	in.floor = *floor = edge.id;
	return jobs_q_over_list(h, &in, rows);
}

/* ~ The same of dead or cancelled ones, which have an index of their own. */
static int list_failed(struct sf_dbh *h, const struct sf_job_filter *f, int64_t n, struct sf_rows *rows,
					   int64_t *floor) {
	struct jobs_q_failed_floor_row edge = { 0 };
	struct jobs_q_failed_list_in in = { .before = f->before ? f->before : INT64_MAX,
										.from_ = f->from,
										.until = f->to ? f->to : INT64_MAX,
										.kind = f->kind,
										.queue = f->queue,
										.error = sf_jobs__pattern(sf_dbh_arena(h), f->error),
										.state = f->state,
										.n = n };
	int err = jobs_q_failed_floor(
		h, &(struct jobs_q_failed_floor_in) { .before = in.before, .state = f->state }, &edge);
	if (err && err != SF_ENOTFOUND) return err;
	in.floor = *floor = edge.id;
	return jobs_q_failed_list(h, &in, rows);
}

/* Both lists in one by falling id, at most `most`, none under `floor`; where one list has been looked at no further, the
 * other must wait for the next page. */
static size_t merge(const struct sf_rows *live, const struct sf_rows *over, int64_t floor, size_t most,
					struct sf_job_view *v) {
	size_t i = 0, k = 0, at = 0;
	while (at < most && (i < live->n || k < over->n)) {
		const struct jobs_q_live_list_row *a = i < live->n ? SF_ROW(*live, jobs_q_live_list, i) : NULL;
		const struct jobs_q_live_list_row *b = k < over->n ? SF_ROW(*over, jobs_q_live_list, k) : NULL;
		const struct jobs_q_live_list_row *one = !b || (a && a->id >= b->id) ? a : b;
		if (!one || one->id < floor) break;
		if (b && one->id == b->id) k++; /* also one that ended between the two looks */
		if (one == a) i++;
		v[at++] = view_of(one);
	}
	return at;
}

int sf_job_list(struct sf_dbh *h, const struct sf_job_filter *f, struct sf_job_view **out, size_t *n,
				int64_t *next) {
	int64_t most = f->limit <= 0 ? PAGE : f->limit > PAGE_MAX ? PAGE_MAX : f->limit, floor[2] = { 0 };
	struct sf_rows live = { 0 }, over = { 0 };
	bool any = !f->state.p, ended = !any && over_state(f->state);
	int err = 0;
	if (!ended) err = list_live(h, f, most, &live, &floor[0]);
	if (!err && (any || sf_str_eq(f->state, SF_STR("done"))))
		err = list_over(h, f, most, &over, &floor[1]);
	else if (!err && ended)
		err = list_failed(h, f, most, &over, &floor[1]);
	if (err) return err;
	struct sf_job_view *v = sf_arena_try(sf_dbh_arena(h), (live.n + over.n + 1) * sizeof *v);
	if (!v) return SF_ENOMEM;
	int64_t until = floor[0] > floor[1] ? floor[0] : floor[1];
	size_t got = merge(&live, &over, until, (size_t)most, v);
	*out = v, *n = got;
	*next = got == (size_t)most ? v[got - 1].id : until;
	return 0;
}

/* ---- as JSON ------------------------------------------------------------------------------------------------- */

static void time_or_null(struct sf_json *j, const char *key, int64_t t) {
	sf_json_key(j, key);
	sf_json_time_or_null(j, t);
}

static void columns(struct sf_json *j, const struct sf_job_view *v) {
	sf_json_add(j, SF_KV("queue", v->queue), SF_KV("priority", v->priority),
				SF_KV("max_attempts", v->max_attempts), SF_KV("key", v->key));
	sf_json_key(j, "owner");
	sf_json_int_or_null(j, v->owner);
	sf_json_key(j, "run_at");
	sf_json_time(j, v->run_at);
	time_or_null(j, "started_at", v->started_at);
}

void sf_job_json(struct sf_json *j, const struct sf_job_view *v, enum sf_job_detail detail) {
	sf_json_obj(j);
	sf_json_add(j, SF_KV("id", v->id), SF_KV("kind", v->kind), SF_KV("state", v->state),
				SF_KV("attempts", v->attempts), SF_KV("progress", v->progress),
				SF_KV("progress_text", v->progress_text), SF_KV("error", v->error));
	sf_json_key(j, "result");
	sf_json_raw(j, v->result.n ? v->result : SF_STR("null"));
	sf_json_key(j, "created_at");
	sf_json_time(j, v->created_at);
	time_or_null(j, "finished_at", v->finished_at);
	if (detail >= SF_JOB_LISTED) columns(j, v);
	if (detail == SF_JOB_WHOLE) {
		sf_json_key(j, "payload");
		sf_json_raw(j, v->payload.n ? v->payload : SF_STR("{}"));
	}
	sf_json_obj_end(j);
}
