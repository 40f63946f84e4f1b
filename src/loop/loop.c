/* loop: one libuv loop a worker process, with calls put off to later and a measure of its lag.
 *
 * One iteration of libuv is: timers, idle, prepare, poll (waits, then runs what descriptors brought), check, close
 * callbacks. Calls put off are run in prepare and in check, so that none waits behind a sleeping poll; an idle
 * handle is active while there are any, which keeps the poll from sleeping and the loop from ending. The log is flushed
 * in prepare, which is the last thing before the loop may sleep.
 *
 * Lag is the time from the poll's return (libuv takes the time there) to the next prepare: what somebody who becomes ready
 * in the meantime has to wait. */
#include "loop/internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "core/time.h"

__thread struct sf_loop *sf_loop__self;

/* ---- calls put off -------------------------------------------------------------------------- */

static void calls_add(struct sf_loop__calls *c, void (*fn)(void *arg), void *arg) {
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 16;
		c->at = sf_realloc(c->at, c->cap * sizeof *c->at);
	}
	c->at[c->n++] = (struct sf_loop__call) { fn, arg };
}

static void idle_nothing(uv_idle_t *h) {
	(void)h;
}

/* Runs what is there now; what the calls put off in turn waits for the next round. */
static void run_later(struct sf_loop *l) {
	if (l->later.n == 0) return;
	SF_BUG_ON(l->running.n != 0);
	struct sf_loop__calls batch = l->later;
	l->later = l->running;
	l->running = batch;
	for (size_t i = 0; i < l->running.n; i++) l->running.at[i].fn(l->running.at[i].arg);
	l->running.n = 0;
	if (l->later.n == 0) uv_idle_stop(&l->idler);
}

void sf_loop_later(struct sf_loop *l, void (*fn)(void *arg), void *arg) {
	if (l->later.n == 0) uv_idle_start(&l->idler, idle_nothing);
	calls_add(&l->later, fn, arg);
}

void sf_loop_post(struct sf_loop *l, void (*fn)(void *arg), void *arg) {
	uv_mutex_lock(&l->post_lock);
	calls_add(&l->posted, fn, arg);
	uv_mutex_unlock(&l->post_lock);
	uv_async_send(&l->async);
}

static void on_async(uv_async_t *h) {
	struct sf_loop *l = h->data;
	uv_mutex_lock(&l->post_lock);
	struct sf_loop__calls batch = l->posted;
	l->posted = (struct sf_loop__calls) { 0 };
	uv_mutex_unlock(&l->post_lock);
	for (size_t i = 0; i < batch.n; i++) batch.at[i].fn(batch.at[i].arg);
	free(batch.at);
}

/* ---- iterations ----------------------------------------------------------------------------- */

static void on_prepare(uv_prepare_t *h) {
	struct sf_loop *l = h->data;
	run_later(l);
	sf_log_flush();
	if (sf_loop_now(l) >= l->tend_ms) sf_loop__tend(l);
	if (l->woke_ms == 0) return;
	int64_t lag = sf_clock_ns() / 1000000 - l->woke_ms;
	if (lag > l->lag_max) l->lag_max = lag;
	l->woke_ms = 0;
}

static void on_check(uv_check_t *h) {
	struct sf_loop *l = h->data;
	l->woke_ms = (int64_t)uv_now(&l->uv);
	run_later(l);
}

/* ---- life ----------------------------------------------------------------------------------- */

static struct sf_loop_opts defaults(const struct sf_loop_opts *given) {
	struct sf_loop_opts o = given ? *given : (struct sf_loop_opts) { 0 };
#ifdef SF_LOOP_ASAN
	if (o.stack_size < (size_t)512 * 1024)
		o.stack_size = (size_t)512 * 1024; /* redzones make frames several times larger */
#else
	if (!o.stack_size) o.stack_size = (size_t)128 * 1024;
#endif
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (o.stack_size < 4 * page) o.stack_size = 4 * page;
	o.stack_size = (o.stack_size + page - 1) / page * page;
	if (!o.max_inflight) o.max_inflight = 10000;
	if (!o.keep_stacks) o.keep_stacks = 256;
	return o;
}

struct sf_loop *sf_loop_new(const struct sf_loop_opts *opts) {
	struct sf_loop *l = sf_calloc(1, sizeof *l);
	l->opts = defaults(opts);
	SF_BUG_ON(uv_loop_init(&l->uv) != 0); /* fails only without descriptors or memory */
	l->uv.data = l;
	l->watch = &l->unwatched;
	sf_list_init(&l->ready);
	sf_list_init(&l->live);
	SF_BUG_ON(uv_mutex_init(&l->post_lock) != 0);
	SF_BUG_ON(uv_async_init(&l->uv, &l->async, on_async) != 0);
	uv_idle_init(&l->uv, &l->idler);
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	l->async.data = l->prepare.data = l->check.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_check_start(&l->check, on_check);
	uv_unref((uv_handle_t *)&l->async);
	uv_unref((uv_handle_t *)&l->prepare);
	uv_unref((uv_handle_t *)&l->check);
	sf_loop__await_init(l);
	sf_loop__self = l;
	return l;
}

void sf_loop_run(struct sf_loop *l) {
	struct sf_loop *outer = sf_loop__self;
	sf_loop__self = l;
	uv_run(&l->uv, UV_RUN_DEFAULT);
	sf_loop__self = outer;
	sf_log_flush();
}

void sf_loop_stop(struct sf_loop *l) {
	uv_stop(&l->uv);
}

static void count_left(uv_handle_t *h, void *arg) {
	if (uv_is_closing(h)) return;
	(*(int *)arg)++;
	sf_log(SF_ERROR, "handle left open at the end of the loop",
		   SF_KV("type", uv_handle_type_name(uv_handle_get_type(h))), SF_KV("active", uv_is_active(h) != 0));
	uv_close(h, NULL);
}

static void close_own(struct sf_loop *l) {
	uv_close((uv_handle_t *)&l->idler, NULL);
	uv_close((uv_handle_t *)&l->prepare, NULL);
	uv_close((uv_handle_t *)&l->check, NULL);
	uv_close((uv_handle_t *)&l->async, NULL);
	sf_loop__await_close(l);
}

int sf_loop_free(struct sf_loop *l) {
	if (!l) return 0;
	SF_BUG_ON(l->current != NULL);
	struct sf_loop *outer = sf_loop__self == l ? NULL : sf_loop__self;
	sf_loop__self = l;
	int left = 0;
	/* what is already on its way: calls put off, posts, close callbacks */
	for (int i = 0; i < 16; i++) uv_run(&l->uv, UV_RUN_NOWAIT);
	left += (int)l->nlive;
	if (l->nlive)
		sf_log(SF_ERROR, "coroutines left suspended at the end of the loop", SF_KV("count", l->nlive));
	close_own(l);
	uv_walk(&l->uv, count_left, &left);
	uv_run(&l->uv, UV_RUN_DEFAULT); /* close callbacks; thread-pool work that still runs */
	while (!sf_list_empty(&l->live)) sf_loop__co_abandon(SF_CONTAINER(l->live.next, struct sf_co, all));
	sf_loop__stacks_free(l);
	sf_loop__await_free(l);
	sf_loop__self = outer;
	uv_mutex_destroy(&l->post_lock);
	free(l->later.at);
	free(l->running.at);
	free(l->posted.at);
	sf_log_flush();
	if (uv_loop_close(&l->uv) == 0)
		free(l);
	else
		left++; /* something opened a handle while it ended: libuv still points at the memory */
	return left;
}

struct uv_loop_s *sf_loop_uv(struct sf_loop *l) {
	return &l->uv;
}

struct sf_loop *sf_loop_self(void) {
	return sf_loop__self;
}

int64_t sf_loop_now(struct sf_loop *l) {
	return (int64_t)uv_now(&l->uv);
}

void sf_loop_stats(struct sf_loop *l, struct sf_loop_stats *out) {
	*out = (struct sf_loop_stats) {
		.co_live = l->nlive,
		.co_peak = l->peak,
		.stacks_idle = l->nidle,
		.stack_high_water = sf_loop__high_water(l),
		.co_started = l->started,
		.co_refused = l->refused,
		.lag_ms_max = l->lag_max,
	};
	l->lag_max = 0;
}
