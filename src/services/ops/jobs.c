/* jobs: following one's own job, and the queue as an administrator sees and steers it. */
#include "services/ops/internal.h"

/* ---- answers ---------------------------------------------------------------------------------- */

static void time_or_null(struct sf_json *j, const char *key, int64_t t) {
	sf_json_key(j, key);
	if (t)
		sf_json_time(j, t);
	else
		sf_json_null(j);
}

/* Text of an error may name hosts and statements: who is no administrator learns that it failed, not how. */
static struct sf_str error_for(const struct sf_job_view *v, bool admin) {
	return admin || !v->error.p ? v->error : SF_STR("The last attempt failed.");
}

static void followed(struct sf_json *j, const struct sf_job_view *v, bool admin) {
	sf_json_add(j, SF_KV("id", v->id), SF_KV("kind", v->kind), SF_KV("state", v->state),
				SF_KV("attempts", v->attempts), SF_KV("progress", v->progress),
				SF_KV("progress_text", v->progress_text), SF_KV("error", error_for(v, admin)));
	sf_json_key(j, "result");
	sf_json_raw(j, v->result.n ? v->result : SF_STR("null"));
	sf_json_key(j, "created_at");
	sf_json_time(j, v->created_at);
	time_or_null(j, "finished_at", v->finished_at);
}

static void listed(struct sf_json *j, const struct sf_job_view *v) {
	followed(j, v, true);
	sf_json_add(j, SF_KV("queue", v->queue), SF_KV("priority", v->priority),
				SF_KV("max_attempts", v->max_attempts), SF_KV("key", v->key));
	sf_json_key(j, "owner");
	if (v->owner)
		sf_json_int(j, v->owner);
	else
		sf_json_null(j);
	sf_json_key(j, "run_at");
	sf_json_time(j, v->run_at);
	time_or_null(j, "started_at", v->started_at);
}

/* ---- one -------------------------------------------------------------------------------------- */

int ops_job_follow(struct sf_req *r) { /* 404 for others than owner and administrators */
	const struct sf_caller *c = sf_req_caller(r);
	struct sf_job_view v;
	int err = sf_job_get(sf_req_db(r), sf_path_int(r, "id"), &v);
	if (err) return err;
	if (!c->admin && v.owner != c->user) return SF_ENOTFOUND;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	followed(j, &v, c->admin);
	sf_json_obj_end(j);
	return 0;
}

int ops_job_show(struct sf_req *r) {
	struct sf_job_view v;
	int err = sf_job_get(sf_req_db(r), sf_path_int(r, "id"), &v);
	if (err) return err;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	listed(j, &v);
	sf_json_key(j, "payload");
	sf_json_raw(j, v.payload.n ? v.payload : SF_STR("{}"));
	sf_json_obj_end(j);
	return 0;
}

/* ---- all -------------------------------------------------------------------------------------- */

static struct sf_job_filter filter_of(const struct ops_filter *in) {
	return (struct sf_job_filter) { .state = in->state,
									.kind = in->kind,
									.queue = in->queue,
									.error = in->error,
									.from = in->from.has ? in->from.v : 0,
									.to = in->to.has ? in->to.v : 0 };
}

int ops_job_list(struct sf_req *r) {
	const struct ops_jobs_query *q = sf_req_query(r);
	struct sf_job_filter f = filter_of(&q->filter);
	struct sf_job_view *v;
	size_t n;
	f.before = q->before.has ? q->before.v : 0, f.limit = q->limit;
	int err = sf_job_list(sf_req_db(r), &f, &v, &n);
	if (err) return err;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "jobs");
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) {
		sf_json_obj(j);
		listed(j, &v[i]);
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
	sf_json_key(j, "next");
	if (n > 0 && n == (size_t)q->limit)
		sf_json_int(j, v[n - 1].id);
	else
		sf_json_null(j);
	sf_json_obj_end(j);
	return 0;
}

int ops_job_counts(struct sf_req *r) {
	struct sf_job_count *c;
	size_t n;
	int err = sf_job_counts(sf_req_db(r), &c, &n);
	if (err) return err;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "counts");
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) {
		sf_json_obj(j);
		sf_json_add(j, SF_KV("kind", c[i].kind), SF_KV("state", c[i].state), SF_KV("count", c[i].n),
					SF_KV("estimated", c[i].estimated));
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
	sf_json_obj_end(j);
	return 0;
}

/* ---- acting ----------------------------------------------------------------------------------- */

static int act(struct sf_req *r, enum sf_job_action action, const char *cannot, const char *done) {
	int64_t id = sf_path_int(r, "id");
	struct sf_dbh *h = sf_req_db(r);
	struct sf_job_view v;
	int err = sf_job_act(h, id, action);
	if (err == SF_ECONFLICT) return sf_fail(r, err, NULL, "%s", cannot);
	if (!err) err = sf_job_get(h, id, &v);
	return err ? err : sf_reply(r, 200, SF_KV("id", id), SF_KV("state", v.state), SF_KV("message", done));
}

int ops_job_retry(struct sf_req *r) { /* 409 when it runs or is done */
	return act(r, SF_JOB_RETRY, "A job that runs or is done cannot be run again.", "The job will be run.");
}
int ops_job_discard(struct sf_req *r) { /* 409 when it runs or is done */
	return act(r, SF_JOB_DISCARD, "Only a job that is dead or waits can be discarded.",
			   "The job is discarded.");
}
int ops_job_cancel(struct sf_req *r) { /* 409 when it is over */
	return act(r, SF_JOB_CANCEL, "This job is over already.",
			   "The job is cancelled, or asked to stop if it runs.");
}

int ops_job_bulk(struct sf_req *r) {
	const struct ops_bulk_body *in = sf_req_body(r);
	struct sf_job_filter f = filter_of(&in->filter);
	enum sf_job_action action = sf_str_eq(in->action, SF_STR("retry"))    ? SF_JOB_RETRY
								: sf_str_eq(in->action, SF_STR("cancel")) ? SF_JOB_CANCEL
																		  : SF_JOB_DISCARD;
	int64_t n;
	int err = sf_job_act_many(sf_req_db(r), &f, action, in->preview, in->most, &n);
	return err ? err
			   : sf_reply(r, 200, SF_KV("action", in->action), SF_KV("preview", in->preview),
						  SF_KV("count", n), SF_KV("more", (bool)(n >= in->most)));
}
