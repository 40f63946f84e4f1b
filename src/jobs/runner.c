/* runner: the life of what runs jobs in a worker process: start, dispatch to coroutines, drain, end. */
#include "jobs/internal.h"

#include "core/log.h"
#include "core/time.h"
#include <stdlib.h>

enum { ALONE_PATIENCE_MS = 5000, DRAIN_TAIL_MS = 3000, ASK_MS = 1000, ASK_MAX_MS = 10000 };

/* ---- signals ------------------------------------------------------------------------------------------------- */

void sf_jobs__signal(struct sf_jobs__signal *s) {
	struct sf_wait *w = s->wait;
	s->set = true;
	s->wait = NULL;
	if (w) sf_wake(w, 0);
}

static void unlink_wait(struct sf_wait *w) {
	((struct sf_jobs__signal *)w->arg)->wait = NULL;
}

int sf_jobs__wait(struct sf_jobs__signal *s, int64_t ms) {
	struct sf_wait w;
	int err = 0;
	if (!s->set) {
		sf_wait_init(&w, unlink_wait, s);
		s->wait = &w;
		err = sf_await(&w, ms);
	}
	if (!err) s->set = false;
	return err;
}

/* ---- small things ---------------------------------------------------------------------------------------------- */

int64_t sf_jobs__now(const struct sf_jobs__src *s) {
	return sf_time_now() + s->skew_us;
}

void sf_jobs__bound(struct sf_jobs *js, int64_t *ms) {
	if (!*ms) *ms = ASK_MS;
	sf_co_deadline(sf_co_self(), sf_loop_now(js->loop) + *ms);
}

int sf_jobs__unbound(int64_t *ms, int err) {
	sf_co_deadline(sf_co_self(), 0);
	*ms = err != SF_EDEADLINE ? ASK_MS : *ms * 3 / 2 < ASK_MAX_MS ? *ms * 3 / 2 : ASK_MAX_MS;
	return err;
}

void sf_jobs__progressed(struct sf_jobs *js) {
	js->progress_at_ms = sf_loop_now(js->loop);
}

void sf_jobs_stats(struct sf_jobs *js, struct sf_jobs_stats *out) {
	*out = js->stats;
	out->running = js->running;
	out->progress_ms = sf_loop_now(js->loop) - js->progress_at_ms;
	out->broker = js->nsrc > 0 && sf_jobs__amqp_up(&js->src[0]);
	js->stats.lag_ms_max = 0;
}

/* ---- dispatch ---------------------------------------------------------------------------------------------------- */

static bool any_ready(const struct sf_jobs *js) {
	bool any = false;
	for (size_t i = 0; i < js->nsrc; i++) {
		if (js->src[i].keep_slot) return false;
		any = any || js->src[i].nready;
	}
	return any;
}

/* Whether another run may begin now: a suspect has the worker to itself, as far as patience goes. */
static bool may_start(struct sf_jobs *js) {
	if (js->coroutines >= (size_t)js->o.concurrency) return false;
	if (!js->alone) return any_ready(js);
	if (js->alone_runs) return false;
	return js->running == 0 || sf_loop_now(js->loop) - js->alone_ms > ALONE_PATIENCE_MS;
}

static void dispatch(void *arg) {
	struct sf_jobs *js = arg;
	js->dispatching = false;
	while (!js->draining && may_start(js)) {
		js->coroutines++;
		if (sf_co_start(js->loop, sf_jobs__run_some, js, NULL)) {
			js->coroutines--; /* the process is full: the next poll tries again */
			return;
		}
	}
}

void sf_jobs__dispatch(struct sf_jobs *js) {
	if (js->dispatching) return;
	js->dispatching = true;
	sf_loop_later(js->loop, dispatch, js);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void defaults(struct sf_jobs_opts *o) {
	if (o->concurrency <= 0) o->concurrency = 16;
	if (!o->crash_dir) o->crash_dir = "/dev/shm";
	if (o->lease_ms <= 0) o->lease_ms = 15000;
	if (o->poll_ms <= 0) o->poll_ms = 1000;
	if (o->keep_done_ms <= 0) o->keep_done_ms = INT64_C(7) * 86400 * 1000;
	o->queues = o->queues && *o->queues ? sf_strdup(o->queues) : NULL;
}

static void begin(struct sf_jobs__src *s, void (*fn)(void *src)) {
	s->coroutines++;
	if (sf_co_start(s->js->loop, fn, s, NULL)) {
		sf_log(SF_ERROR, "a coroutine of the jobs runner did not start");
		s->coroutines--;
	}
}

static void begin_helper(struct sf_jobs *js, void (*fn)(void *js)) {
	js->helpers++;
	if (!sf_co_start(js->loop, fn, js, NULL)) return;
	sf_log(SF_ERROR, "a coroutine of the jobs runner did not start");
	js->helpers--;
}

static void begin_all(void *arg) {
	struct sf_jobs *js = arg;
	js->dispatching = false;
	for (size_t i = 0; i < js->nsrc && !js->draining; i++) {
		struct sf_jobs__src *s = &js->src[i];
		begin(s, sf_jobs__keeper);
		begin(s, sf_jobs__janitor);
		begin(s, sf_jobs__ender);
		s->pumping = true;
		begin(s, sf_jobs__pump);
		if (js->amqp) begin(s, sf_jobs__relay);
		if (sf_db_engine(s->db) == SF_PG) sf_jobs__listen(s);
	}
	if (js->o.schedule) begin_helper(js, sf_jobs__scheduler);
	sf_jobs__dispatch(js);
}

int sf_jobs_start(struct sf_loop *l, const struct sf_jobs_opts *o, struct sf_jobs **out) {
	struct sf_jobs *js = sf_calloc(1, sizeof *js);
	int err = 0;
	js->loop = l, js->o = *o;
	js->progress_at_ms = sf_loop_now(l);
	defaults(&js->o);
	while (o->dbs[js->nsrc]) js->nsrc++;
	js->src = sf_calloc(js->nsrc + 1, sizeof *js->src);
	for (size_t i = 0; i < js->nsrc && !err; i++) {
		struct sf_jobs__src *s = &js->src[i];
		s->js = js, s->db = o->dbs[i], s->batch = js->o.concurrency;
		sf_list_init(&s->runs), sf_list_init(&s->ready), sf_list_init(&s->ended);
		err = sf_jobs__lanes(s);
	}
	if (!err) err = sf_jobs__amqp_new(js);
	if (err) {
		js->over = true;
		sf_jobs_free(js);
		return err;
	}
	js->box = sf_jobs__box_new(l, js->o.crash_dir, js->o.concurrency);
	sf_jobs__wake_add(js);
	js->dispatching = true; /* until they run */
	sf_loop_later(l, begin_all, js);
	*out = js;
	return 0;
}

/* ---- drain ------------------------------------------------------------------------------------------------------- */

static void cancel_all(struct sf_jobs *js) {
	for (size_t i = 0; i < js->nsrc; i++) {
		struct sf_node *head = &js->src[i].runs;
		for (struct sf_node *at = head->next, *next; at != head; at = next) {
			struct sf_job *j = SF_CONTAINER(at, struct sf_job, all);
			next = at->next;
			if (j->co) sf_co_cancel(j->co, SF_EDRAINING);
		}
	}
}

static void finished(void *arg) {
	struct sf_jobs *js = arg;
	if (js->done) js->done(js->done_arg);
}

static bool unsettled(const struct sf_jobs *js) {
	for (size_t i = 0; i < js->nsrc; i++)
		if (js->src[i].nruns || js->src[i].pumping) return true;
	return false;
}

void sf_jobs__check_over(struct sf_jobs *js) {
	if (!js->draining || js->over || js->coroutines || js->helpers) return;
	for (size_t i = 0; i < js->nsrc; i++)
		if (js->src[i].coroutines) return;
	js->over = true;
	sf_jobs__wake_del(js);
	for (size_t i = 0; i < js->nsrc; i++) sf_jobs__unlisten(&js->src[i]);
	sf_loop_later(js->loop, finished, js);
}

/* Gives what was claimed and never begun to the enders, who give it back. */
static void give_back(struct sf_jobs *js) {
	for (size_t i = 0; i < js->nsrc; i++) {
		struct sf_jobs__src *s = &js->src[i];
		while (!sf_list_empty(&s->ready)) {
			struct sf_job *j = SF_CONTAINER(s->ready.next, struct sf_job, node);
			sf_list_del(&j->node), s->nready--;
			j->end = SF_JOBS__BACK, j->uncount = true, j->back_at = j->run_at;
			sf_jobs__ended(j);
		}
	}
	struct sf_job *j = js->alone;
	if (!j || js->alone_runs) return;
	js->alone = NULL;
	j->end = SF_JOBS__BACK, j->uncount = true, j->back_at = j->run_at;
	sf_jobs__ended(j);
}

static void drain(void *arg) {
	struct sf_jobs *js = arg;
	struct sf_jobs__signal never = { 0 };
	give_back(js);
	int64_t until = js->drain_ms;
	while (unsettled(js) && sf_loop_now(js->loop) < until) {
		if (sf_jobs__wait(&never, 5) == SF_ECANCELED) break;
		give_back(js); /* what a claim brought that was under way */
	}
	js->hurry = true;
	cancel_all(js);
	until = sf_loop_now(js->loop) + DRAIN_TAIL_MS;
	while (unsettled(js) && sf_loop_now(js->loop) < until)
		if (sf_jobs__wait(&never, 5) == SF_ECANCELED)
			break;
		else
			give_back(js);
	js->drained_ms = sf_loop_now(js->loop);
	sf_jobs__amqp_stop(js);
	for (size_t i = 0; i < js->nsrc; i++) {
		struct sf_jobs__src *s = &js->src[i];
		sf_jobs__signal(&s->end), sf_jobs__signal(&s->keep), sf_jobs__signal(&s->tidy);
	}
	js->coroutines--;
	sf_jobs__check_over(js);
}

static void drain_start(void *arg) {
	struct sf_jobs *js = arg;
	js->coroutines++;
	if (!sf_co_start(js->loop, drain, js, NULL)) return;
	js->coroutines--;
	sf_loop_later(js->loop, drain_start, js);
}

void sf_jobs_drain(struct sf_jobs *js, int64_t limit_ms, void (*done)(void *arg), void *arg) {
	SF_BUG_ON(js->draining);
	js->draining = true;
	js->done = done, js->done_arg = arg;
	js->drain_ms = sf_loop_now(js->loop) + limit_ms;
	for (size_t i = 0; i < js->nsrc; i++)
		sf_jobs__signal(&js->src[i].pump), sf_jobs__signal(&js->src[i].tidy);
	sf_jobs__signal(&js->schedule);
	sf_jobs__amqp_drain(js);
	sf_loop_later(js->loop, drain_start, js);
}

void sf_jobs_free(struct sf_jobs *js) {
	if (!js) return;
	SF_BUG_ON(!js->over);
	for (size_t i = 0; i < js->nsrc; i++) {
		struct sf_jobs__src *s = &js->src[i];
		while (!sf_list_empty(&s->runs)) sf_jobs__run_free(SF_CONTAINER(s->runs.next, struct sf_job, all));
		for (size_t k = 0; k < s->nlane; k++) free((char *)s->lane[k].name.p);
		free(s->lane);
	}
	sf_jobs__amqp_free(js);
	sf_jobs__box_free(js->loop, js->box);
	free(js->src);
	free((char *)js->o.queues);
	free(js);
}
