/* await: waking, cancelling, deadlines, shields, and each kind of wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>
#include <uv.h>

#include "core/time.h"
#include "loop/loop.h"

/* A coroutine that waits once on something the test wakes or cuts. */
struct waiter {
	struct sf_wait *w; /* while it waits */
	int64_t max_ms;
	int64_t deadline; /* set by itself, in ms from now; 0: none */
	bool fixed;       /* cannot be cut short */
	bool shield;
	int result, again; /* of the await; of a second one after it */
	int detached;      /* calls of cancel */
	bool over;
	int64_t over_ms;
	struct sf_co *co;
};

static void detach(struct sf_wait *w) {
	((struct waiter *)w->arg)->detached++;
}

static void wait_once(void *arg) {
	struct waiter *t = arg;
	struct sf_wait w;
	if (t->deadline) sf_co_deadline(sf_co_self(), sf_loop_now(sf_loop_self()) + t->deadline);
	sf_wait_init(&w, t->fixed ? NULL : detach, t);
	t->w = &w;
	if (t->shield) sf_co_shield(true);
	t->result = sf_await(&w, t->max_ms);
	t->over_ms = sf_clock_ns() / 1000000;
	t->w = NULL;
	if (t->shield) sf_co_shield(false);
	t->again = sf_sleep(0);
	t->over = true;
}

static struct sf_loop *with(struct waiter *t) {
	struct sf_loop *l = sf_loop_new(NULL);
	assert_int_equal(sf_co_start(l, wait_once, t, &t->co), 0);
	assert_false(t->over);
	return l;
}

static void end(struct sf_loop *l) {
	sf_loop_run(l);
	assert_int_equal(sf_loop_free(l), 0);
}

static void wake_from_the_loop(void **state) {
	(void)state;
	struct waiter t = { .max_ms = -1 };
	struct sf_loop *l = with(&t);
	sf_wake(t.w, 42);
	assert_null(t.w); /* it ran before sf_wake returned */
	end(l);
	assert_int_equal(t.result, 42);
	assert_int_equal(t.again, 0);
	assert_int_equal(t.detached, 0);
}

static void early(void *arg) {
	struct sf_wait w;
	sf_wait_init(&w, NULL, NULL);
	sf_wake(&w, 7);
	*(int *)arg = sf_await(&w, -1);
}

static void wake_before_await(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	int r = 0;
	assert_int_equal(sf_co_start(l, early, &r, NULL), 0);
	assert_int_equal(r, 7); /* without suspending */
	end(l);
}

/* ---- waking from a coroutine ---------------------------------------------------------------- */

struct chain {
	struct sf_wait *w;
	struct chain *next;
	int *order, *n;
	int id;
};

static void link_of_chain(void *arg) {
	struct chain *c = arg;
	struct sf_wait w;
	sf_wait_init(&w, NULL, NULL);
	c->w = &w;
	assert_int_equal(sf_await(&w, -1), c->id);
	c->order[(*c->n)++] = c->id;
	if (c->next) sf_wake(c->next->w, c->next->id);
	c->order[(*c->n)++] = -c->id; /* still running: the woken one waits for us */
}

static void wake_from_a_coroutine(void **state) {
	(void)state;
	enum { N = 1000 };
	static struct chain c[N];
	static int order[2 * N];
	int n = 0;
	struct sf_loop *l = sf_loop_new(NULL);
	for (int i = 0; i < N; i++) {
		c[i] = (struct chain) { .next = i + 1 < N ? &c[i + 1] : NULL, .order = order, .n = &n, .id = i + 1 };
		assert_int_equal(sf_co_start(l, link_of_chain, &c[i], NULL), 0);
	}
	sf_wake(c[0].w, 1); /* a chain of a thousand, without recursion */
	assert_int_equal(n, 2 * N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(order[2 * i], i + 1);
		assert_int_equal(order[2 * i + 1], -(i + 1));
	}
	end(l);
}

/* ---- cancellation ----------------------------------------------------------------------------- */

static void cancel_while_waiting(void **state) {
	(void)state;
	struct waiter t = { .max_ms = -1 };
	struct sf_loop *l = with(&t);
	sf_co_cancel(t.co, SF_ECANCELED);
	assert_true(t.over); /* the sleep after it ends at once too */
	assert_int_equal(t.result, SF_ECANCELED);
	assert_int_equal(t.again, SF_ECANCELED);
	assert_int_equal(t.detached, 1);
	end(l);
}

static void the_first_reason_stays(void **state) {
	(void)state;
	struct waiter t = { .max_ms = -1, .fixed = true };
	struct sf_loop *l = with(&t);
	sf_co_cancel(t.co, SF_EDRAINING);
	sf_co_cancel(t.co, SF_ECANCELED);
	assert_int_equal(sf_co_canceled(t.co), SF_EDRAINING);
	assert_non_null(t.w); /* what cannot be cut short goes on */
	sf_wake(t.w, 5);
	assert_int_equal(t.result, 5);
	assert_int_equal(t.again, SF_EDRAINING); /* and the next await shows it */
	end(l);
}

static void shield_defers_cancellation(void **state) {
	(void)state;
	struct waiter t = { .max_ms = -1, .shield = true, .deadline = 1 };
	struct sf_loop *l = with(&t);
	sf_co_cancel(t.co, SF_ECANCELED);
	assert_non_null(t.w);
	sf_wake(t.w, 9);
	assert_int_equal(t.result, 9);
	assert_int_equal(t.again, SF_ECANCELED);
	assert_int_equal(t.detached, 0);
	end(l);
}

static void shields_nest(void *arg) {
	sf_co_cancel(sf_co_self(), SF_ECANCELED);
	sf_co_shield(true);
	sf_co_shield(true);
	sf_co_shield(false);
	((int *)arg)[0] = sf_sleep(1);
	sf_co_shield(false);
	((int *)arg)[1] = sf_sleep(1);
}

static void nested_shields(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	int r[2] = { 1, 1 };
	assert_int_equal(sf_co_start(l, shields_nest, r, NULL), 0);
	end(l);
	assert_int_equal(r[0], 0);
	assert_int_equal(r[1], SF_ECANCELED);
}

static void cancel_other(void *arg) {
	struct waiter *t = arg;
	sf_co_cancel(t->co, SF_ECANCELED);
	assert_int_equal(t->detached, 1);
	assert_false(t->over); /* it runs once we have ended */
}

static void cancel_from_a_coroutine(void **state) {
	(void)state;
	struct waiter t = { .max_ms = -1 };
	struct sf_loop *l = with(&t);
	assert_int_equal(sf_co_start(l, cancel_other, &t, NULL), 0);
	assert_true(t.over);
	assert_int_equal(t.result, SF_ECANCELED);
	end(l);
}

/* ---- deadlines -------------------------------------------------------------------------------- */

/* most: what would have ended the wait next. */
static void took(int64_t from_ms, int64_t at_ms, int64_t least, int64_t most) {
	assert_true(at_ms - from_ms >= least - 2);
	assert_true(at_ms - from_ms < most);
}

static void await_has_a_limit(void **state) {
	(void)state;
	struct waiter t = { .max_ms = 60, .deadline = 60000 };
	int64_t from = sf_clock_ns() / 1000000;
	struct sf_loop *l = with(&t);
	end(l);
	assert_int_equal(t.result, SF_EDEADLINE);
	assert_int_equal(t.again, 0); /* the limit was the await's, not the coroutine's */
	assert_int_equal(t.detached, 1);
	took(from, t.over_ms, 60, 60000);
}

static void coroutine_has_a_deadline(void **state) {
	(void)state;
	struct waiter t = { .max_ms = 60000, .deadline = 80 };
	int64_t from = sf_clock_ns() / 1000000;
	struct sf_loop *l = with(&t);
	end(l);
	assert_int_equal(t.result, SF_EDEADLINE);
	assert_int_equal(t.again, SF_EDEADLINE); /* it stays passed */
	took(from, t.over_ms, 80, 60000);
}

static void deadline_set_while_waiting(void **state) {
	(void)state;
	struct waiter t = { .max_ms = -1 };
	struct sf_loop *l = with(&t);
	sf_co_deadline(t.co, sf_loop_now(l) + 30);
	assert_true(sf_co_deadline_get(t.co) > 0);
	end(l);
	assert_int_equal(t.result, SF_EDEADLINE);
}

static void deadline_taken_back(void **state) {
	(void)state;
	struct waiter t = { .max_ms = -1, .deadline = 60000 };
	struct sf_loop *l = with(&t);
	sf_co_deadline(t.co, 0);
	sf_wake(t.w, 3);
	int64_t from = sf_clock_ns();
	end(l); /* and no timer keeps the loop */
	assert_true(sf_clock_ns() - from < INT64_C(60000000000));
	assert_int_equal(t.result, 3);
}

/* Several that expire in one tick, where the first to run wakes another of them. */
static struct waiter pair[2];
static void expires_and_wakes(void *arg) {
	(void)arg;
	struct sf_wait w;
	sf_wait_init(&w, detach, &pair[0]);
	pair[0].result = sf_await(&w, 10);
	sf_wake(pair[1].w, 77);
}

static void expired_one_wakes_another(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	pair[0] = (struct waiter) { 0 }, pair[1] = (struct waiter) { .max_ms = 10 };
	assert_int_equal(sf_co_start(l, expires_and_wakes, NULL, NULL), 0);
	assert_int_equal(sf_co_start(l, wait_once, &pair[1], NULL), 0);
	end(l);
	assert_int_equal(pair[0].result, SF_EDEADLINE);
	/* the wake came from a coroutine while the second was still waiting, or its own limit came first */
	assert_true(pair[1].result == 77);
	assert_true(pair[1].over);
}

/* ---- sleep ------------------------------------------------------------------------------------ */

struct sleeper {
	int64_t ms, took;
	int result;
};
static void sleeps(void *arg) {
	struct sleeper *s = arg;
	struct sf_loop *l = sf_loop_self();
	int64_t t = sf_loop_now(l);
	s->result = sf_sleep(s->ms);
	s->took = sf_loop_now(l) - t;
}

static void sleeping(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	struct sleeper s[3] = { { .ms = 30, .result = 1 }, { .ms = 0, .result = 1 }, { .ms = 7, .result = 1 } };
	for (int i = 0; i < 3; i++) assert_int_equal(sf_co_start(l, sleeps, &s[i], NULL), 0);
	end(l);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(s[i].result, 0);
		assert_true(s[i].took >= s[i].ms);
	}
}

static void sleep_canceled(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	struct sleeper s = { .ms = 60000 };
	struct sf_co *co;
	assert_int_equal(sf_co_start(l, sleeps, &s, &co), 0);
	sf_co_cancel(co, SF_EDRAINING);
	assert_int_equal(s.result, SF_EDRAINING);
	end(l); /* the timer is gone: the loop ends at once */
	assert_true(s.took < 30000);
}

/* ---- descriptors ------------------------------------------------------------------------------ */

struct pipe_reader {
	int fd[2];
	int64_t max_ms;
	int result;
	struct sf_co *co;
};
static void reads_pipe(void *arg) {
	struct pipe_reader *p = arg;
	p->result = sf_wait_fd(p->fd[0], UV_READABLE, p->max_ms);
}

static struct sf_loop *with_pipe(struct pipe_reader *p) {
	assert_int_equal(pipe2(p->fd, O_CLOEXEC | O_NONBLOCK), 0);
	struct sf_loop *l = sf_loop_new(NULL);
	assert_int_equal(sf_co_start(l, reads_pipe, p, &p->co), 0);
	return l;
}

static void end_pipe(struct sf_loop *l, struct pipe_reader *p) {
	end(l);
	close(p->fd[0]), close(p->fd[1]);
}

static void fd_readable(void **state) {
	(void)state;
	struct pipe_reader p = { .max_ms = 10000 };
	struct sf_loop *l = with_pipe(&p);
	assert_int_equal(write(p.fd[1], "x", 1), 1);
	end_pipe(l, &p);
	assert_int_equal(p.result, UV_READABLE);
}

static void fd_deadline(void **state) {
	(void)state;
	struct pipe_reader p = { .max_ms = 20 };
	struct sf_loop *l = with_pipe(&p);
	end_pipe(l, &p);
	assert_int_equal(p.result, SF_EDEADLINE);
}

static void fd_canceled(void **state) {
	(void)state;
	struct pipe_reader p = { .max_ms = -1 };
	struct sf_loop *l = with_pipe(&p);
	sf_co_cancel(p.co, SF_ECANCELED);
	assert_int_equal(p.result, SF_ECANCELED);
	end_pipe(l, &p);
}

static void fd_bad(void **state) {
	(void)state;
	struct pipe_reader p = { .fd = { 19999, -1 }, .max_ms = -1 };
	struct sf_loop *l = sf_loop_new(NULL);
	assert_int_equal(sf_co_start(l, reads_pipe, &p, NULL), 0);
	assert_int_equal(p.result, SF_EIO);
	end(l);
}

/* ---- thread pool ------------------------------------------------------------------------------ */

static _Atomic int worked;
struct job {
	uv_thread_t thread;
	int in, out;
	struct sf_co *co;
	int after;
};
static int work(void *arg) {
	struct job *j = arg;
	j->thread = uv_thread_self();
	worked++;
	return j->in * 2;
}
static void offloads(void *arg) {
	struct job *j = arg;
	j->out = sf_offload(work, j);
	j->after = sf_sleep(0);
}

static void offload_from_many(void **state) {
	(void)state;
	enum { N = 500 };
	static struct job jobs[N];
	struct sf_loop *l = sf_loop_new(NULL);
	uv_thread_t me = uv_thread_self();
	worked = 0;
	for (int i = 0; i < N; i++) {
		jobs[i] = (struct job) { .in = i };
		assert_int_equal(sf_co_start(l, offloads, &jobs[i], NULL), 0);
	}
	end(l);
	assert_int_equal(worked, N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(jobs[i].out, 2 * i);
		assert_false(uv_thread_equal(&jobs[i].thread, &me));
	}
}

static void offload_is_not_cut_short(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	struct job j = { .in = 21 };
	assert_int_equal(sf_co_start(l, offloads, &j, &j.co), 0);
	sf_co_cancel(j.co, SF_ECANCELED);
	end(l);
	assert_int_equal(j.out, 42);
	assert_int_equal(j.after, SF_ECANCELED);
}

/* ---- yielding ---------------------------------------------------------------------------------- */

struct yields {
	int pipe[2], n, err;
	bool heard;
};

static void hears(void *arg) {
	struct yields *y = arg;
	char c;
	assert_true(sf_wait_fd(y->pipe[0], UV_READABLE, -1) > 0);
	y->heard = read(y->pipe[0], &c, 1) == 1;
}
static void yields(void *arg) {
	struct yields *y = arg;
	assert_int_equal(write(y->pipe[1], "x", 1), 1);
	while (!y->heard && !y->err && y->n < 1000) y->n++, y->err = sf_yield();
}

/* Descriptors that are ready get their turn, soon. */
static void yield_lets_descriptors_in(void **state) {
	(void)state;
	struct yields y = { 0 };
	struct sf_loop *l = sf_loop_new(NULL);
	assert_int_equal(pipe2(y.pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(sf_co_start(l, hears, &y, NULL), 0);
	assert_int_equal(sf_co_start(l, yields, &y, NULL), 0);
	end(l);
	assert_true(y.heard && y.n <= 4);
	close(y.pipe[0]), close(y.pipe[1]);
}

struct cut {
	int64_t deadline;
	bool shield;
	int reason, yields;
};

static void yields_on(void *arg) {
	struct cut *c = arg;
	struct sf_co *self = sf_co_self();
	if (c->shield) sf_co_shield(true);
	if (c->deadline)
		sf_co_deadline(self, sf_loop_now(sf_loop_self()) + c->deadline);
	else
		sf_co_cancel(self, SF_ECANCELED);
	int64_t until = sf_clock_ns() + 5000000000;
	while (!c->reason && c->yields < 3 + 100000000 * !c->shield && sf_clock_ns() < until)
		c->yields++, c->reason = sf_yield();
	if (c->shield) sf_co_shield(false);
}

static void yield_is_cut_short(void **state) {
	(void)state;
	struct cut cuts[] = { { 0 }, { .deadline = 5 }, { .shield = true } };
	struct sf_loop *l = sf_loop_new(NULL);
	for (size_t i = 0; i < SF_COUNT(cuts); i++)
		assert_int_equal(sf_co_start(l, yields_on, &cuts[i], NULL), 0);
	end(l);
	assert_int_equal(cuts[0].reason, SF_ECANCELED);
	assert_int_equal(cuts[0].yields, 1);
	assert_int_equal(cuts[1].reason, SF_EDEADLINE);
	assert_true(cuts[2].reason == 0 && cuts[2].yields == 3);
}

/* ---- all at once ------------------------------------------------------------------------------ */

static void nested_call(int depth, int *sum) { /* awaits at every depth of a call chain */
	int here = depth;
	assert_int_equal(sf_sleep(0), 0);
	if (depth > 0) nested_call(depth - 1, sum);
	assert_int_equal(sf_sleep(0), 0);
	*sum += here;
}
static void nested(void *arg) {
	nested_call(20, arg);
}

static void awaits_nest_in_calls(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	int sum[10] = { 0 };
	for (int i = 0; i < 10; i++) assert_int_equal(sf_co_start(l, nested, &sum[i], NULL), 0);
	end(l);
	for (int i = 0; i < 10; i++) assert_int_equal(sum[i], 210);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wake_from_the_loop),
		cmocka_unit_test(wake_before_await),
		cmocka_unit_test(wake_from_a_coroutine),
		cmocka_unit_test(cancel_while_waiting),
		cmocka_unit_test(the_first_reason_stays),
		cmocka_unit_test(shield_defers_cancellation),
		cmocka_unit_test(nested_shields),
		cmocka_unit_test(cancel_from_a_coroutine),
		cmocka_unit_test(await_has_a_limit),
		cmocka_unit_test(coroutine_has_a_deadline),
		cmocka_unit_test(deadline_set_while_waiting),
		cmocka_unit_test(deadline_taken_back),
		cmocka_unit_test(expired_one_wakes_another),
		cmocka_unit_test(sleeping),
		cmocka_unit_test(sleep_canceled),
		cmocka_unit_test(fd_readable),
		cmocka_unit_test(fd_deadline),
		cmocka_unit_test(fd_canceled),
		cmocka_unit_test(fd_bad),
		cmocka_unit_test(offload_from_many),
		cmocka_unit_test(offload_is_not_cut_short),
		cmocka_unit_test(yield_lets_descriptors_in),
		cmocka_unit_test(yield_is_cut_short),
		cmocka_unit_test(awaits_nest_in_calls),
	};
	return cmocka_run_group_tests_name("loop/await", tests, NULL, NULL);
}
