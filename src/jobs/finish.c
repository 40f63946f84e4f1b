/* finish: writing how runs ended. What is done and has nothing to say ends many in one statement: while one is under way
 * the next gather, so that batches grow with the load and nothing waits when there is none.
 *
 * An end that was sent and not answered is sent again: it may have happened, and then the second touches no row, which
 * is not to be taken for a lost lease. */
#include "jobs/internal.h"

#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"
#include <stdlib.h>

#include "jobs.q.h"

enum { BATCH = 1000, RETRY_MS = 100, RETRY_MAX_MS = 2000 };

int64_t sf_jobs__jitter(int64_t bound) {
	uint64_t n; /* not of rand(), whose numbers are the same in all workers */
	sf_random(&n, sizeof n);
	return 1 + (int64_t)(n % (uint64_t)bound);
}

int64_t sf_jobs__backoff_ms(const struct sf_jobs__kind *k, int64_t attempt) {
	int64_t bound = k->backoff_ms;
	for (int64_t i = 1; i < attempt && bound < k->backoff_max_ms; i++) bound *= 2;
	if (bound > k->backoff_max_ms) bound = k->backoff_max_ms;
	return sf_jobs__jitter(bound);
}

void sf_jobs__ended(struct sf_job *j) {
	struct sf_jobs__src *s = j->src;
	if (j->end == SF_JOBS__ENDED) {
		sf_jobs__run_free(j);
		return;
	}
	sf_list_push(&s->ended, &j->node);
	sf_jobs__signal(&s->end);
}

/* What a statement about n runs came to that touched `changed` rows. */
static void count_refused(struct sf_jobs__src *s, int64_t n, int64_t changed, bool unknown) {
	if (changed >= n || unknown) return;
	s->js->stats.refused += (uint64_t)(n - changed);
	sf_log(SF_WARN, "jobs ended after their lease was lost", SF_KV("count", n - changed));
}

/* ~ Ends a batch that is done. The runs go on success; else they stay in `batch`. */
static int write_done(struct sf_jobs__src *s, struct sf_arena *a, struct sf_node *batch, size_t n) {
	int64_t *ids = sf_arena_alloc(a, n * sizeof *ids), changed = 0;
	bool unknown = false;
	size_t i = 0;
	for (struct sf_node *at = batch->next; at != batch; at = at->next, i++) {
		struct sf_job *j = SF_CONTAINER(at, struct sf_job, node);
		ids[i] = j->id;
		unknown = unknown || j->unknown;
	}
	struct jobs_q_done_in in = { .worker = SF_CONTAINER(batch->next, struct sf_job, node)->worker,
								 .ids = { ids, n },
								 .now = sf_jobs__now(s) };
	int err = jobs_q_done(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.done"), &in, &changed);
	if (err) return err;
	count_refused(s, (int64_t)n, changed, unknown);
	s->js->stats.done += (uint64_t)changed;
	while (!sf_list_empty(batch)) sf_jobs__run_free(SF_CONTAINER(batch->next, struct sf_job, node));
	return 0;
}

static int write_over(struct sf_jobs__src *s, struct sf_dbh *h, struct sf_job *j, int64_t *changed) {
	static const char *const names[] = {
		[SF_JOBS__DONE] = "done", [SF_JOBS__DEAD] = "dead", [SF_JOBS__CANCELLED] = "cancelled"
	};
	struct jobs_q_over_in in = { .id = j->id,
								 .worker = j->worker,
								 .fence = j->fence,
								 .state = sf_str(names[j->end]),
								 .error = j->end == SF_JOBS__DONE ? SF_STR_NULL : j->why,
								 .result = j->result,
								 .now = sf_jobs__now(s) };
	return jobs_q_over(h, &in, changed);
}

static int write_back(struct sf_dbh *h, struct sf_job *j, int64_t *changed) {
	struct jobs_q_back_in in = { .id = j->id,
								 .worker = j->worker,
								 .fence = j->fence,
								 .run_at = j->back_at,
								 .uncount = j->uncount,
								 .error = j->why };
	return jobs_q_back(h, &in, changed);
}

/* ~ Writes one end that has more to say, and frees the run on success. */
static int write_one(struct sf_jobs__src *s, struct sf_arena *a, struct sf_job *j) {
	struct sf_dbh *h = sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.end");
	struct sf_jobs_stats *stats = &s->js->stats;
	int64_t changed = 0;
	int err = j->end == SF_JOBS__BACK ? write_back(h, j, &changed) : write_over(s, h, j, &changed);
	if (err) return err;
	/* a handler's commit whose outcome nobody knew has ended it if the row is gone */
	count_refused(s, 1, changed, j->unknown || j->committing);
	if (changed && j->end == SF_JOBS__DONE)
		stats->done++;
	else if (changed && j->end == SF_JOBS__DEAD)
		stats->dead++;
	else if (changed && j->end == SF_JOBS__BACK && !j->uncount)
		stats->failed++;
	if (changed && j->end == SF_JOBS__DEAD)
		sf_log(SF_WARN, "a job is dead", SF_KV("id", j->id), SF_KV("kind", j->kind->row->kind),
			   SF_KV("error", j->why));
	if (changed && j->end == SF_JOBS__BACK && (!s->next_at || j->back_at < s->next_at)) {
		s->next_at = j->back_at;
		sf_jobs__signal(&s->pump);
	}
	sf_jobs__run_free(j);
	return 0;
}

static void put_back(struct sf_jobs__src *s, struct sf_node *batch) {
	while (!sf_list_empty(batch)) {
		struct sf_job *j = SF_CONTAINER(batch->next, struct sf_job, node);
		j->unknown = true;
		sf_list_del(&j->node);
		sf_list_push(&s->ended, &j->node);
	}
}

/* ~ Writes one portion of what has ended. */
static int write_some(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_node batch, *at = s->ended.next;
	struct sf_job *first = SF_CONTAINER(at, struct sf_job, node);
	size_t n = 0;
	int err;
	sf_list_init(&batch);
	if (first->lost) {
		s->js->stats.refused++;
		sf_jobs__run_free(first);
		return 0;
	}
	if (first->end != SF_JOBS__DONE || first->result.p) {
		sf_list_del(&first->node);
		sf_list_push(&batch, &first->node);
		err = write_one(s, a, first);
	} else {
		for (struct sf_node *next; at != &s->ended && n < BATCH; at = next) {
			struct sf_job *j = SF_CONTAINER(at, struct sf_job, node);
			next = at->next;
			if (j->end != SF_JOBS__DONE || j->result.p || j->lost || j->worker != first->worker) continue;
			sf_list_del(&j->node);
			sf_list_push(&batch, &j->node);
			n++;
		}
		err = write_done(s, a, &batch, n);
	}
	if (err)
		put_back(s, &batch);
	else
		sf_jobs__progressed(s->js);
	return err;
}

void sf_jobs__ender(void *src) {
	struct sf_jobs__src *s = src;
	struct sf_jobs *js = s->js;
	struct sf_arena *a = sf_arena_new(0);
	int64_t pause = 0, patience = 0;
	while (!js->drained_ms) {
		while (!sf_list_empty(&s->ended) && !js->drained_ms) {
			sf_jobs__bound(js, &patience);
			int err = sf_jobs__unbound(&patience, write_some(s, a));
			sf_arena_reset(a);
			if (!err) {
				pause = 0;
				continue;
			}
			if (!pause) sf_log(SF_WARN, "ends of jobs cannot be written", SF_KV("error", sf_err_symbol(err)));
			pause = pause ? pause * 2 : RETRY_MS;
			if (pause > RETRY_MAX_MS) pause = RETRY_MAX_MS;
			if (js->draining && pause > RETRY_MS) pause = RETRY_MS;
			if (sf_sleep(pause)) break;
		}
		if (js->drained_ms) break;
		if (sf_jobs__wait(&s->end, -1) == SF_ECANCELED) break;
	}
	sf_arena_free(a);
	s->coroutines--;
	sf_jobs__check_over(js);
}
