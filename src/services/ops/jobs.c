/* jobs: following one's own job, and the queue as an administrator sees and steers it. */
#include "services/ops/internal.h"

#include "core/time.h"
#include "db/db.h"

/* The database that holds the jobs asked for; 400 for a service that there is not. */
static int database(struct sf_req *r, struct sf_str service, struct sf_dbh **h) {
	char name[64];
	struct sf_db *db = NULL;
	if (!service.p) {
		*h = sf_req_db(r);
		return 0;
	}
	if (service.n < sizeof name) {
		memcpy(name, service.p, service.n);
		name[service.n] = '\0';
		db = sf_app_db(sf_req_app(r), name);
	}
	if (!db) {
		sf_fail(r, SF_EINVAL, "service", "must be the name of a service");
		return SF_EINVAL;
	}
	*h = sf_db_auto(db, sf_req_arena(r), SF_READ_PRIMARY, "ops.jobs");
	return 0;
}

static int one(struct sf_req *r, struct sf_dbh **h, struct sf_job_view *v) {
	int err = database(r, ((const struct ops_one_query *)sf_req_query(r))->service, h);
	return err ? err : sf_job_get(*h, sf_path_int(r, "id"), v);
}

/* ---- one -------------------------------------------------------------------------------------- */

int ops_job_follow(struct sf_req *r) { /* 404 for others than owner and administrators */
	const struct sf_caller *c = sf_req_caller(r);
	struct sf_job_view v;
	struct sf_dbh *h;
	int err = one(r, &h, &v);
	if (err) return err;
	if (!c->admin && v.owner != c->user) return SF_ENOTFOUND;
	/* an error may name hosts and statements: who is no administrator learns that it failed, not how */
	if (!c->admin && v.error.p) v.error = SF_STR("The last attempt failed.");
	sf_job_json(sf_reply_json(r, 200), &v, SF_JOB_FOLLOWED);
	return 0;
}

int ops_job_show(struct sf_req *r) {
	struct sf_job_view v;
	struct sf_dbh *h;
	int err = one(r, &h, &v);
	if (err) return err;
	sf_job_json(sf_reply_json(r, 200), &v, SF_JOB_WHOLE);
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
	int64_t next;
	f.before = q->before.has ? q->before.v : 0, f.limit = q->limit, f.idle_ticks = q->ticks;
	struct sf_dbh *h;
	int err = database(r, q->service, &h);
	if (!err) err = sf_job_list(h, &f, &v, &n, &next);
	if (err) return err;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "jobs");
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) sf_job_json(j, &v[i], SF_JOB_LISTED);
	sf_json_arr_end(j);
	sf_json_key(j, "next");
	sf_json_int_or_null(j, next);
	sf_json_obj_end(j);
	return 0;
}

static int64_t oldest_of(const struct sf_job_counts *c, struct sf_str queue) {
	for (size_t i = 0; i < c->nages; i++)
		if (sf_str_eq(c->ages[i].queue, queue)) return c->ages[i].oldest_us;
	return 0;
}

/* How far each queue with jobs that could run now is behind; the depths stand by queue. */
static void lag(struct sf_json *j, const struct sf_job_counts *c) {
	sf_json_key(j, "queues");
	sf_json_arr(j);
	for (size_t i = 0; i < c->ndepths;) {
		struct sf_str queue = c->depths[i].queue;
		int64_t due = 0;
		bool estimated = false;
		for (; i < c->ndepths && sf_str_eq(c->depths[i].queue, queue); i++)
			due += c->depths[i].due, estimated |= c->depths[i].estimated;
		if (!due) continue;
		sf_json_obj(j);
		sf_json_add(j, SF_KV("queue", queue), SF_KV("due", due), SF_KV("estimated", estimated),
					SF_KV("oldest_seconds", oldest_of(c, queue) / SF_USEC));
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
}

int ops_job_counts(struct sf_req *r) {
	struct sf_job_counts c;
	struct sf_dbh *h;
	int err = database(r, ((const struct ops_one_query *)sf_req_query(r))->service, &h);
	if (!err) err = sf_job_counts(h, &c);
	if (err) return err;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "counts");
	sf_json_arr(j);
	for (size_t i = 0; i < c.nkinds; i++) {
		const struct sf_job_count *k = &c.kinds[i];
		sf_json_obj(j);
		sf_json_add(j, SF_KV("kind", k->kind), SF_KV("state", k->state), SF_KV("count", k->n),
					SF_KV("estimated", k->estimated));
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
	lag(j, &c);
	sf_json_obj_end(j);
	return 0;
}

/* ---- acting ----------------------------------------------------------------------------------- */

static int act(struct sf_req *r, enum sf_job_action action, const char *cannot, const char *done) {
	int64_t id = sf_path_int(r, "id");
	struct sf_dbh *h;
	struct sf_job_view v;
	int err = database(r, ((const struct ops_one_query *)sf_req_query(r))->service, &h);
	if (!err) err = sf_job_act(h, id, action);
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
	struct sf_dbh *h;
	int err = database(r, in->service, &h);
	if (!err) err = sf_job_act_many(h, &f, action, in->preview, in->most, &n);
	return err ? err
			   : sf_reply(r, 200, SF_KV("action", in->action), SF_KV("preview", in->preview),
						  SF_KV("count", n), SF_KV("more", (bool)(n >= in->most)));
}
