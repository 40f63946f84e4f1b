/* pump: the coroutine that keeps a source's line of ready jobs filled, waking when there is something to claim. */
#include "jobs/internal.h"

#include "core/log.h"
#include "core/time.h"

enum { RETRY_MS = 200, NEXT_MS = 50, SUSPECTS_MS = 1000, GOOD_MS = 40 };

/* A line that was worked off sooner than GOOD_MS is too short, one that lasts far longer keeps jobs from others. */
static void adapt(struct sf_jobs__src *s, size_t got, int64_t took_ms) {
	int least = s->js->o.concurrency;
	if (got >= (size_t)s->batch && took_ms < GOOD_MS)
		s->batch *= 2;
	else if (took_ms > 4 * GOOD_MS)
		s->batch /= 2;
	if (s->batch < least) s->batch = least;
	if (s->batch > SF_JOBS__BATCH_MAX) s->batch = least > SF_JOBS__BATCH_MAX ? least : SF_JOBS__BATCH_MAX;
}

/* How long there is nothing to do but for a wake-up. */
static int64_t idle_ms(const struct sf_jobs__src *s) {
	int64_t ms = s->js->o.poll_ms, now = sf_jobs__now(s);
	if (s->next_at && s->next_at != INT64_MAX && (s->next_at - now) / 1000 + 1 < ms)
		ms = (s->next_at - now) / 1000 + 1;
	for (size_t i = 0; i < s->nlane; i++)
		if (s->lane[i].free_at > now && (s->lane[i].free_at - now) / 1000 + 1 < ms)
			ms = (s->lane[i].free_at - now) / 1000 + 1;
	return ms > 0 ? ms : 1;
}

static int start(struct sf_jobs__src *s, struct sf_arena *a) {
	int err = sf_jobs__register(s, a);
	if (!err) err = sf_jobs__prepare_lanes(s, a);
	if (err) return err;
	sf_jobs__signal(&s->keep), sf_jobs__signal(&s->tidy);
	return 0;
}

/* ~ One look at the suspects, if it is time and none is under way. */
static int suspects(struct sf_jobs__src *s, struct sf_arena *a) {
	if (s->js->alone || sf_loop_now(s->js->loop) < s->suspects_at_ms) return 0;
	int err = sf_jobs__claim_suspect(s, a);
	/* while there are some, one follows the other, each after what came between */
	s->suspects_at_ms = sf_loop_now(s->js->loop) + (s->js->alone ? 0 : SUSPECTS_MS);
	return err;
}

/* ~ One round of a worker that is registered; *ms is how long to wait for the next. */
static int round_of(struct sf_jobs__src *s, struct sf_arena *a, int64_t *claimed_ms, int64_t *ms) {
	struct sf_loop *l = s->js->loop;
	size_t got = 0;
	int err = 0;
	if (s->doubt) err = sf_jobs__reconcile(s, a);
	if (!err) err = suspects(s, a);
	if (!err) err = sf_jobs__claim_limited(s, a);
	if (err) s->keep_slot = false;
	sf_jobs__dispatch(s->js); /* also for a suspect that has waited for long enough */
	if (err) return err;
	if (s->nready >=
		(size_t)(s->batch + 1) / 2) { /* woken for nothing: what is there is enough for every slot */
		if (s->js->running >= (size_t)s->js->o.concurrency) sf_jobs__progressed(s->js);
		return 0;
	}
	int64_t before = sf_loop_now(l),
			since = sf_jobs__now(s); /* what comes due from here on is the next, also while we claim */
	int asked = s->batch - (int)s->nready;
	err = sf_jobs__claim(s, a, asked, &got);
	if (err) return err;
	sf_jobs__progressed(s->js);
	sf_jobs__dispatch(s->js);
	if (got >= (size_t)asked) {
		adapt(s, got, before - *claimed_ms);
		*claimed_ms = sf_loop_now(l);
		return 0;
	}
	adapt(s, 0, before - *claimed_ms > 4 * GOOD_MS ? 4 * GOOD_MS + 1 : 0);
	*claimed_ms = sf_loop_now(l);
	if (s->next_at <= sf_jobs__now(s) || sf_loop_now(l) - s->next_asked_ms >= NEXT_MS) {
		s->next_asked_ms = sf_loop_now(l);
		err = sf_jobs__ask_next(s, a, since);
	} else if (*ms > NEXT_MS) {
		*ms = NEXT_MS; /* asked a moment ago: ask again when the moment is over */
	}
	return err;
}

void sf_jobs__pump(void *src) {
	struct sf_jobs__src *s = src;
	struct sf_jobs *js = s->js;
	struct sf_arena *a = sf_arena_new(0);
	int64_t claimed_ms = sf_loop_now(js->loop), patience = 0;
	int last = 0;
	while (!js->draining) {
		int64_t ms = js->o.poll_ms;
		int err = s->worker ? 0 : start(s, a);
		if (!err) {
			sf_jobs__bound(js, &patience);
			err = sf_jobs__unbound(&patience, round_of(s, a, &claimed_ms, &ms));
		}
		sf_arena_reset(a);
		if (err && err != last) sf_log(SF_WARN, "jobs cannot be claimed", SF_KV("error", sf_err_symbol(err)));
		last = err;
		if (js->draining) break;
		int64_t idle = idle_ms(s);
		if (idle < ms) ms = idle;
		if (err) ms = RETRY_MS;
		if (sf_jobs__wait(&s->pump, ms) == 0 && err && sf_sleep(RETRY_MS / 10)) break;
	}
	sf_arena_free(a);
	s->pumping = false;
	s->coroutines--;
	sf_jobs__check_over(js);
}
