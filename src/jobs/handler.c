/* handler: one run: what its handler sees and may say, and what its return comes to.
 *
 * A coroutine takes one ready job after the other for a moment, so that jobs that end at once cost no coroutine each. One
 * that was cancelled stays so, hence it ends with the job that it happened to. */
#include "jobs/internal.h"

#include "core/json.h"
#include "core/log.h"
#include "core/time.h"
#include <stdio.h>
#include <stdlib.h>

#include "jobs.q.h"

enum { IN_A_ROW = 64, ROW_US = 2000, PROGRESS_MS = 1000, SOON_MS = 300 };

/* ---- what a handler may ask ------------------------------------------------------------------------------------ */

int64_t sf_job_id(const struct sf_job *j) {
	return j->id;
}
struct sf_str sf_job_key(const struct sf_job *j) {
	return sf_str(j->key);
}
int sf_job_attempt(const struct sf_job *j) {
	return (int)j->attempts;
}
const struct json_t *sf_job_payload(const struct sf_job *j) {
	return j->payload;
}
struct sf_arena *sf_job_arena(const struct sf_job *j) {
	return j->arena;
}
struct sf_str sf_job_trace(const struct sf_job *j) {
	return j->trace;
}
void *sf_job_context(const struct sf_job *j) {
	return j->src->js->o.context;
}
struct sf_dbh *sf_job_db(struct sf_job *j) {
	if (!j->db) {
		j->db = sf_db_auto(j->src->db, j->arena, SF_READ_PRIMARY, j->kind->row->kind);
		sf_db_tag(j->db, SF_STR_NULL, j->id);
	}
	return j->db;
}

int sf_job_begin(struct sf_job *j, struct sf_dbh **tx) {
	int err = sf_tx_begin(j->src->db, j->arena, j->kind->row->kind, tx);
	if (!err) sf_db_tag(*tx, SF_STR_NULL, j->id);
	return err;
}

int sf_job_commit(struct sf_job *j, struct sf_dbh *tx) {
	int64_t changed = 0;
	int err = jobs_q_over(tx,
						  &(struct jobs_q_over_in) { .id = j->id,
													 .worker = j->worker,
													 .fence = j->fence,
													 .state = SF_STR("done"),
													 .result = j->result,
													 .now = sf_jobs__now(j->src) },
						  &changed);
	if (err) return err;
	if (!changed) {
		j->lost = true;
		return SF_ECONFLICT;
	}
	err = sf_tx_commit(tx);
	if (!err) j->committed = true;
	if (err == SF_EUNAVAILABLE) j->committing = true;
	return err;
}

int sf_job_progress(struct sf_job *j, int percent, const char *what) {
	int64_t now = sf_loop_now(j->src->js->loop);
	struct jobs_q_progress_row row;
	if (j->cancel || j->lost) return SF_ECANCELED;
	if (j->progress_ms && now - j->progress_ms < PROGRESS_MS) return 0;
	j->progress_ms = now;
	j->percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
	int err = jobs_q_progress(sf_job_db(j),
							  &(struct jobs_q_progress_in) { .id = j->id,
															 .worker = j->worker,
															 .fence = j->fence,
															 .progress = j->percent,
															 .what = sf_str(what) },
							  &row);
	if (err == SF_ENOTFOUND)
		j->lost = true;
	else if (!err && row.cancel_requested)
		j->cancel = true;
	else
		return err;
	return SF_ECANCELED;
}

static struct sf_str dup(struct sf_str s) {
	char *p = sf_try_realloc(NULL, s.n + 1);
	if (!p) return SF_STR_NULL;
	memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return (struct sf_str) { p, s.n };
}

void sf_job_result(struct sf_job *j, struct sf_str json) {
	if (json.n > SF_JOBS__RESULT_MAX) {
		sf_log(SF_WARN, "a job's result is too large to be kept", SF_KV("id", j->id), SF_KV("bytes", json.n));
		return;
	}
	free((char *)j->result.p);
	j->result = dup(json);
}

SF_PRINTF(3, 0) static void why(struct sf_job *j, int verdict, const char *fmt, va_list ap) {
	char text[SF_JOBS__ERROR_MAX];
	int n = vsnprintf(text, sizeof text, fmt, ap);
	if (n < 0) n = 0;
	if ((size_t)n >= sizeof text) { /* cut where a character ends */
		n = sizeof text - 1;
		while (n > 0 && !sf_utf8_valid((struct sf_str) { text, (size_t)n })) n--;
	}
	free((char *)j->why.p);
	j->why = dup((struct sf_str) { text, (size_t)n });
	j->verdict = verdict;
}

int sf_job_fail(struct sf_job *j, int err, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	why(j, SF_JOBS__FAIL, fmt, ap);
	va_end(ap);
	return err;
}

int sf_job_give_up(struct sf_job *j, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	why(j, SF_JOBS__GIVE_UP, fmt, ap);
	va_end(ap);
	return SF_EINVAL;
}

int sf_job_later(struct sf_job *j, int64_t ms, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	why(j, SF_JOBS__LATER, fmt, ap);
	va_end(ap);
	j->later_ms = ms > 0 ? ms : 0;
	return SF_ERATE;
}

/* ---- what its return comes to ------------------------------------------------------------------------------------- */

static void explain(struct sf_job *j, const char *text) {
	if (!j->why.p) j->why = dup(sf_str(text));
}

static void back(struct sf_job *j, int64_t ms, bool uncount) {
	j->end = SF_JOBS__BACK, j->uncount = uncount;
	j->back_at = sf_jobs__now(j->src) + ms * 1000;
}

/* Our own database's trouble, or others' changes at the same time: not the job's fault, unless it says so itself. */
static bool not_to_blame(const struct sf_job *j, int err) {
	return j->verdict == SF_JOBS__NONE &&
		   (err == SF_ESERIAL || err == SF_EUNAVAILABLE || err == SF_EOVERLOAD);
}

static void failed(struct sf_job *j, int err, bool timed_out) {
	if (timed_out && j->verdict == SF_JOBS__NONE) explain(j, "it took longer than its time limit");
	explain(j, sf_err_symbol(err));
	if (j->verdict == SF_JOBS__GIVE_UP || j->attempts >= j->max_attempts)
		j->end = SF_JOBS__DEAD;
	else
		back(j, sf_jobs__backoff_ms(j->kind, j->attempts), false);
}

static void judge(struct sf_job *j, int err, int canceled, bool timed_out) {
	if (j->committed)
		j->end = SF_JOBS__ENDED, j->src->js->stats.done++;
	else if (j->lost)
		j->end = SF_JOBS__ENDED, j->src->js->stats.refused++;
	else if (err >= 0)
		j->end = SF_JOBS__DONE;
	else if (j->cancel)
		explain(j, "cancelled while it ran"), j->end = SF_JOBS__CANCELLED;
	else if (canceled == SF_EDRAINING)
		back(j, 0, true);
	else if (j->verdict == SF_JOBS__LATER)
		back(j, j->later_ms, true);
	else if (not_to_blame(j, err))
		explain(j, sf_err_symbol(err)), back(j, 50 + sf_jobs__jitter(SOON_MS), true);
	else
		failed(j, err, timed_out);
}

static enum sf_job_outcome outcome(const struct sf_job *j) {
	switch (j->end) {
	case SF_JOBS__DONE: return SF_JOB_RAN;
	case SF_JOBS__DEAD: return SF_JOB_DIED;
	case SF_JOBS__CANCELLED: return SF_JOB_CANCELLED;
	case SF_JOBS__BACK: return j->uncount ? SF_JOB_PUT_BACK : SF_JOB_FAILED;
	default: return j->committed ? SF_JOB_RAN : SF_JOB_REFUSED;
	}
}

/* ---- one run --------------------------------------------------------------------------------------------------------- */

static int call(struct sf_job *j) {
	struct sf_str bad;
	if (j->cancel) return SF_ECANCELED; /* asked to stop before it began */
	if (sf_json_parse(j->arena, j->payload_text, &j->payload, &bad))
		return sf_job_give_up(j, "the payload is no JSON: " SF_PRI, SF_ARG(bad));
	return j->kind->row->run(j);
}

static void run(struct sf_job *j) {
	struct sf_loop *l = j->src->js->loop;
	struct sf_co *co = sf_co_self();
	j->arena = sf_arena_new(0);
	j->co = co;
	j->started_ms = sf_loop_now(l);
	j->mark = sf_jobs__box_begin(j->src->js->box, (size_t)(j->src - j->src->js->src), j->worker, j->id);
	sf_co_mark(co, j->mark);
	int64_t ns = sf_clock_ns();
	sf_co_deadline(co, j->started_ms + j->kind->timeout_ms);
	int err = call(j);
	bool timed_out = sf_loop_now(l) - j->started_ms >= j->kind->timeout_ms;
	sf_co_deadline(co, 0);
	j->co = NULL, j->db = NULL, j->payload = NULL;
	sf_arena_free(j->arena); /* ends what the handler left open */
	sf_co_mark(co, 0);
	sf_jobs__box_end(j->src->js->box, j->mark);
	j->arena = NULL;
	judge(j, err, sf_co_canceled(co), timed_out);
	sf_jobs__timed(j, outcome(j), (sf_clock_ns() - ns) / 1000);
}

/* Whether the slot that has just got free is not for whoever is next in line. */
static bool slot_is_kept(struct sf_jobs *js) {
	bool kept = false;
	for (size_t i = 0; i < js->nsrc; i++) {
		if (!js->src[i].keep_slot) continue;
		sf_jobs__signal(&js->src[i].pump);
		kept = true;
	}
	return kept;
}

static struct sf_job *next_ready(struct sf_jobs *js) {
	struct sf_job *j = js->alone;
	if (j) {
		if (js->alone_runs) return NULL;
		js->alone_runs = true;
		return j;
	}
	if (slot_is_kept(js)) return NULL;
	for (size_t i = 0; i < js->nsrc; i++) {
		struct sf_jobs__src *s = &js->src[js->turn++ % js->nsrc];
		if (!s->nready) continue;
		j = SF_CONTAINER(s->ready.next, struct sf_job, node);
		sf_list_del(&j->node), s->nready--;
		if (s->nready == (size_t)s->batch / 2 || !s->nready) sf_jobs__signal(&s->pump);
		return j;
	}
	return NULL;
}

void sf_jobs__run_some(void *arg) {
	struct sf_jobs *js = arg;
	struct sf_co *co = sf_co_self();
	int64_t until = sf_clock_ns() + ROW_US * 1000;
	for (int n = 0; n < IN_A_ROW && !js->draining; n++) {
		struct sf_job *j = js->alone && js->running ? NULL : next_ready(js);
		if (!j && js->alone && sf_loop_now(js->loop) - js->alone_ms > 5000) j = next_ready(js);
		if (!j) break;
		struct sf_jobs__src *s = j->src;
		bool alone = j == js->alone, limited = j->kind->limited;
		js->running++;
		run(j);
		js->running--;
		if (alone) js->alone = NULL, js->alone_runs = false, s->suspects_at_ms = 0;
		sf_jobs__progressed(js);
		sf_jobs__ended(j);
		if (alone || (limited && !s->nready)) sf_jobs__signal(&s->pump);
		if (slot_is_kept(js) || alone || sf_co_canceled(co) || sf_clock_ns() > until) break;
	}
	js->coroutines--;
	sf_jobs__dispatch(js);
	sf_jobs__check_over(js);
}

void sf_jobs__run_free(struct sf_job *j) {
	sf_jobs__amqp_over(j);
	sf_list_del(&j->node);
	sf_list_del(&j->all);
	j->src->nruns--;
	if (j->kind && j->kind->limited) sf_jobs__limit_freed(j->src, j->kind);
	free((char *)j->why.p);
	free((char *)j->result.p);
	free(j);
}
