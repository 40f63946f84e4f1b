/* await: suspending a coroutine until something happened, with deadlines and cancellation.
 *
 * A wait goes through the states
 *
 *     FRESH ──sf_await──▶ ASLEEP ──sf_wake, cut──▶ OVER
 *       └──sf_wake──▶ EARLY ──sf_await──▶ OVER
 *
 * and is woken exactly once. Cutting it short (cancellation, deadline) first calls the wait's `cancel`, which
 * detaches the operation, so that no wake can follow; a wait without `cancel` is never cut short.
 *
 * Deadlines are coarse: waits that have one stand on a list, and one timer looks through it every 50 ms while it
 * is not empty. Setting and dropping a deadline, which every query does, is then two list operations instead of
 * two of a heap; a deadline that comes 50 ms late harms nobody. Sleeping is exact: it has a libuv timer. */
#include "loop/internal.h"

#include <stdlib.h>

#include "core/log.h"

#define TICK_MS 50

enum wait_state { FRESH, EARLY, ASLEEP, OVER };

/* ---- the wait ------------------------------------------------------------------------------- */

void sf_wait_init(struct sf_wait *w, void (*cancel)(struct sf_wait *w), void *arg) {
	w->co = sf_co_self();
	SF_BUG_ON(!w->co);
	w->cancel = cancel, w->arg = arg, w->result = 0;
	sf_list_init(&w->node);
	sf_list_init(&w->timed);
	w->until = INT64_MAX;
	w->state = FRESH;
}

/* When this wait is cut short; INT64_MAX: never. The coroutine's own deadline does not count under a shield. */
static int64_t wait_limit(const struct sf_wait *w) {
	const struct sf_co *co = w->co;
	if (co->deadline == 0 || co->shield) return w->until;
	return co->deadline < w->until ? co->deadline : w->until;
}

static void tick(uv_timer_t *t);

static void timed_add(struct sf_loop *l, struct sf_wait *w) {
	if (sf_list_empty(&l->timed)) {
		if (!uv_is_active((uv_handle_t *)&l->tick))
			SF_BUG_ON(uv_timer_start(&l->tick, tick, TICK_MS, TICK_MS) != 0);
		uv_ref((uv_handle_t *)&l->tick);
	}
	sf_list_push(&l->timed, &w->timed);
}

static void timed_del(struct sf_loop *l, struct sf_wait *w) {
	if (sf_list_empty(&w->timed)) return;
	sf_list_del(&w->timed);
	/* the next tick stops the timer, unless another wait came by then; meanwhile it holds the loop no longer */
	if (sf_list_empty(&l->timed)) uv_unref((uv_handle_t *)&l->tick);
}

static void tick(uv_timer_t *t) {
	struct sf_loop *l = t->data;
	struct sf_node over;
	sf_list_init(&over);
	int64_t now = sf_loop_now(l);
	for (struct sf_node *n = l->timed.next, *next; n != &l->timed; n = next) {
		next = n->next;
		if (wait_limit(SF_CONTAINER(n, struct sf_wait, timed)) > now) continue;
		sf_list_del(n);
		sf_list_push(&over, n);
	}
	/* What runs in between may wake others of this list, which then leave it. */
	while (!sf_list_empty(&over)) sf_loop__cut(SF_CONTAINER(over.next, struct sf_wait, timed), SF_EDEADLINE);
	if (sf_list_empty(&l->timed)) uv_timer_stop(t), uv_unref((uv_handle_t *)t);
}

/* The wait has its result: its coroutine goes on, now or when the running one suspends. */
static void finish(struct sf_wait *w, int result) {
	struct sf_co *co = w->co;
	struct sf_loop *l = co->loop;
	w->result = result;
	co->wait = NULL;
	if (l->current)
		sf_list_push(&l->ready, &co->ready);
	else
		sf_loop__resume(co);
}

void sf_loop__cut(struct sf_wait *w, int reason) {
	SF_BUG_ON(w->state != ASLEEP || !w->cancel);
	timed_del(w->co->loop, w);
	w->state = OVER;
	w->cancel(w);
	finish(w, reason);
}

int sf_await(struct sf_wait *w, int64_t max_ms) {
	struct sf_co *co = w->co;
	struct sf_loop *l = co->loop;
	SF_BUG_ON(l->current != co);
	if (w->state == EARLY) {
		w->state = OVER;
		return w->result;
	}
	SF_BUG_ON(w->state != FRESH);
	if (w->cancel) {
		int64_t now = sf_loop_now(l);
		if (max_ms >= 0) w->until = max_ms < INT64_MAX - now ? now + max_ms : INT64_MAX;
		int64_t limit = wait_limit(w);
		int reason = co->canceled && !co->shield ? co->canceled : 0;
		if (!reason && limit <= now && max_ms != 0) reason = SF_EDEADLINE;
		if (SF_UNLIKELY(reason)) {
			w->state = OVER;
			w->cancel(w);
			return reason;
		}
		if (limit != INT64_MAX) timed_add(l, w);
	}
	w->state = ASLEEP;
	co->wait = w;
	sf_loop__suspend(co);
	return w->result;
}

void sf_wake(struct sf_wait *w, int result) {
	if (w->state == FRESH) {
		w->result = result;
		w->state = EARLY;
		return;
	}
	SF_BUG_ON(w->state != ASLEEP);
	timed_del(w->co->loop, w);
	w->state = OVER;
	finish(w, result);
}

/* The deadline of a suspended coroutine was set anew: the tick reads it, if the wait is on its list. */
void sf_loop__deadline_changed(struct sf_co *co) {
	struct sf_wait *w = co->wait;
	if (w->cancel && sf_list_empty(&w->timed) && wait_limit(w) != INT64_MAX) timed_add(co->loop, w);
}

/* ---- sleeping ------------------------------------------------------------------------------- */

static void timer_give(struct sf_loop__timer *t) {
	struct sf_loop *l = t->uv.loop->data;
	t->w = NULL;
	t->next = l->timers, l->timers = t;
}

static void sleep_over(uv_timer_t *uv) {
	struct sf_loop__timer *t = uv->data;
	struct sf_wait *w = t->w;
	timer_give(t);
	sf_wake(w, 0);
}

static void sleep_cancel(struct sf_wait *w) {
	struct sf_loop__timer *t = w->arg;
	uv_timer_stop(&t->uv);
	timer_give(t);
}

int sf_sleep(int64_t ms) {
	struct sf_co *co = sf_co_self();
	SF_BUG_ON(!co);
	struct sf_loop *l = co->loop;
	struct sf_loop__timer *t = l->timers;
	if (t) {
		l->timers = t->next;
	} else {
		t = sf_calloc(1, sizeof *t);
		SF_BUG_ON(uv_timer_init(&l->uv, &t->uv) != 0);
		t->uv.data = t;
	}
	struct sf_wait w;
	sf_wait_init(&w, sleep_cancel, t);
	t->w = &w;
	uv_update_time(&l->uv); /* the iteration may be old: sleep from now */
	SF_BUG_ON(uv_timer_start(&t->uv, sleep_over, ms > 0 ? (uint64_t)ms : 0, 0) != 0);
	return sf_await(&w, -1);
}

/* ---- yielding ------------------------------------------------------------------------------- */

static void yield_over(void *arg) {
	sf_wake(arg, 0);
}

/* Not a timer: libuv would run one that is due at once again before it looks at any descriptor. */
int sf_yield(void) {
	struct sf_wait w;
	sf_wait_init(&w, NULL, NULL);
	struct sf_co *co = w.co;
	sf_loop_later(co->loop, yield_over, &w);
	int err = sf_await(&w, -1);
	if (err || co->shield) return err;
	if (co->canceled) return co->canceled;
	return co->deadline && co->deadline <= sf_loop_now(co->loop) ? SF_EDEADLINE : 0;
}

/* ---- file descriptors ----------------------------------------------------------------------- */

struct poll_wait {
	uv_poll_t uv;
	struct sf_wait *w;
};

static void poll_closed(uv_handle_t *h) {
	free(h->data);
}

static void poll_event(uv_poll_t *uv, int status, int events) {
	struct poll_wait *p = uv->data;
	struct sf_wait *w = p->w;
	uv_close((uv_handle_t *)uv, poll_closed); /* takes the descriptor off the poll set at once */
	sf_wake(w, status < 0 ? SF_EIO : events);
}

static void poll_cancel(struct sf_wait *w) {
	struct poll_wait *p = w->arg;
	uv_close((uv_handle_t *)&p->uv, poll_closed);
}

int sf_wait_fd(int fd, int events, int64_t max_ms) {
	struct sf_co *co = sf_co_self();
	SF_BUG_ON(!co);
	struct poll_wait *p = sf_calloc(1, sizeof *p);
	if (uv_poll_init(&co->loop->uv, &p->uv, fd) != 0) {
		free(p);
		return SF_EIO;
	}
	p->uv.data = p;
	struct sf_wait w;
	sf_wait_init(&w, poll_cancel, p);
	p->w = &w;
	if (uv_poll_start(&p->uv, events, poll_event) != 0) {
		uv_close((uv_handle_t *)&p->uv, poll_closed);
		return SF_EIO;
	}
	return sf_await(&w, max_ms);
}

/* ---- thread pool ---------------------------------------------------------------------------- */

static void work_run(uv_work_t *uv) {
	struct sf_loop__work *k = uv->data;
	k->result = k->fn(k->arg);
}

static void work_done(uv_work_t *uv, int status) {
	(void)status; /* UV_ECANCELED cannot be: nobody cancels */
	struct sf_loop__work *k = uv->data;
	struct sf_loop *l = uv->loop->data;
	struct sf_wait *w = k->w;
	int result = k->result;
	k->next = l->works, l->works = k;
	sf_wake(w, result);
}

int sf_offload(int (*fn)(void *arg), void *arg) {
	struct sf_co *co = sf_co_self();
	SF_BUG_ON(!co);
	struct sf_loop *l = co->loop;
	struct sf_loop__work *k = l->works;
	if (k)
		l->works = k->next;
	else
		k = sf_calloc(1, sizeof *k);
	struct sf_wait w;
	sf_wait_init(&w, NULL, NULL);
	k->uv.data = k, k->fn = fn, k->arg = arg, k->w = &w;
	SF_BUG_ON(uv_queue_work(&l->uv, &k->uv, work_run, work_done) != 0);
	return sf_await(&w, -1);
}

/* ---- of the loop ---------------------------------------------------------------------------- */

void sf_loop__await_init(struct sf_loop *l) {
	sf_list_init(&l->timed);
	SF_BUG_ON(uv_timer_init(&l->uv, &l->tick) != 0);
	l->tick.data = l;
	uv_unref((uv_handle_t *)&l->tick);
}

static void timer_closed(uv_handle_t *h) {
	free(h->data);
}

void sf_loop__await_close(struct sf_loop *l) {
	uv_close((uv_handle_t *)&l->tick, NULL);
	while (l->timers) {
		struct sf_loop__timer *t = l->timers;
		l->timers = t->next;
		uv_close((uv_handle_t *)&t->uv, timer_closed);
	}
}

void sf_loop__await_free(struct sf_loop *l) {
	while (l->works) {
		struct sf_loop__work *k = l->works;
		l->works = k->next;
		free(k);
	}
}
