/* add: enqueuing, in the caller's transaction or by itself; who is waiting hears of it after the commit. */
#include "jobs/internal.h"

#include "core/json.h"

#include "jobs.q.h"

enum { MANY = 1000, TRIES = 3 };
#define MANY_BYTES (size_t)(4 << 20)

static const struct sf_jobs__kind *kind_of(const struct sf_job_new *job) {
	const struct sf_jobs__kind *k = job->kind ? sf_jobs__kind(sf_str(job->kind)) : NULL;
	SF_BUG_ON(!k); /* a kind is declared before it is added */
	return k;
}

static int priority_of(const struct sf_job_new *job, const struct sf_jobs__kind *k) {
	int p = job->priority > 0 ? job->priority : k->priority;
	return p < SF_JOBS__PRIORITIES ? p : SF_JOBS__PRIORITIES - 1;
}

static struct sf_str payload_of(const struct sf_job_new *job) {
	return job->payload.p ? job->payload : SF_STR("{}");
}

static int check(const struct sf_job_new *job, const struct sf_jobs__kind *k) {
	if (job->payload.n > SF_JOBS__PAYLOAD_MAX || job->key.n > 500) return SF_ETOOLARGE;
	if (k->row->unique == SF_JOB_UNIQUE_LIVE && !job->key.p) return SF_EINVAL; /* unique by what? */
	return 0;
}

int sf_job_add(struct sf_dbh *h, const struct sf_job_new *job, int64_t *id) {
	const struct sf_jobs__kind *k = kind_of(job);
	struct jobs_q_add_in in = { .kind = sf_str(k->row->kind),
								.queue = sf_str(k->queue),
								.lane = sf_str(k->lane),
								.priority = priority_of(job, k),
								.run_at = job->run_at,
								.max_attempts = k->max_attempts,
								.payload = payload_of(job),
								.job_key = job->key,
								.owner_user = job->owner,
								.trace = job->trace };
	struct jobs_q_add_row row;
	struct jobs_q_keyed_row live;
	int err = check(job, k);
	if (err) return err;
	for (int tries = 0; tries < TRIES; tries++) {
		err = jobs_q_add(h, &in, &row);
		if (!err) {
			if (id) *id = row.id;
			sf_jobs__wake_after(h, SF_JOBS__WAKE_DUE);
			return 0;
		}
		if (err != SF_ENOTFOUND) return err;
		err = jobs_q_keyed(h, &(struct jobs_q_keyed_in) { .kind = in.kind, .job_key = in.job_key }, &live);
		if (!err) {
			if (id) *id = live.id;
			return SF_EDUP;
		}
		if (err != SF_ENOTFOUND) return err; /* else: it has just ended; the key is free */
	}
	return SF_ESERIAL;
}

static void write_job(struct sf_json *w, const struct sf_job_new *job, const struct sf_jobs__kind *k) {
	sf_json_obj(w);
	sf_json_add(w, SF_KV("kind", k->row->kind), SF_KV("queue", k->queue), SF_KV("lane", k->lane),
				SF_KV("priority", priority_of(job, k)), SF_KV("max_attempts", k->max_attempts),
				SF_KV("payload", payload_of(job)), SF_KV("owner_user", job->owner));
	if (job->run_at) sf_json_add(w, SF_KV("run_at", job->run_at));
	if (job->key.p) sf_json_add(w, SF_KV("job_key", job->key));
	if (job->trace.p) sf_json_add(w, SF_KV("trace", job->trace));
	sf_json_obj_end(w);
}

int sf_job_add_many(struct sf_dbh *h, const struct sf_job_new *jobs, size_t n, size_t *added) {
	struct sf_buf text = { 0 };
	size_t total = 0;
	int err = 0;
	for (size_t i = 0; i < n; i++)
		if ((err = check(&jobs[i], kind_of(&jobs[i])))) return err;
	for (size_t i = 0; i < n && !err;) {
		int64_t changed = 0;
		sf_buf_clear(&text);
		struct sf_json w = sf_json(&text);
		sf_json_arr(&w);
		for (size_t k = 0; k < MANY && i < n && text.n < MANY_BYTES; k++, i++)
			write_job(&w, &jobs[i], kind_of(&jobs[i]));
		sf_json_arr_end(&w);
		if (text.failed)
			err = SF_ENOMEM;
		else
			err = jobs_q_add_many(h, &(struct jobs_q_add_many_in) { .jobs = sf_buf_view(&text) }, &changed);
		total += (size_t)changed;
	}
	sf_buf_fini(&text);
	if (total) sf_jobs__wake_after(h, SF_JOBS__WAKE_DUE);
	if (!err && added) *added = total;
	return err;
}
