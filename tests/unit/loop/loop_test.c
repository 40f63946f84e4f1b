/* loop: calls put off, posts from threads, the measure of lag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <uv.h>

#include "core/time.h"
#include "loop/loop.h"

static void nothing(uv_timer_t *t) {
	(void)t;
}

struct order {
	struct sf_loop *l;
	int n, inside, deepest, left;
};

static void again(void *arg) {
	struct order *o = arg;
	if (++o->inside > o->deepest) o->deepest = o->inside;
	o->n++;
	if (o->left-- > 0) sf_loop_later(o->l, again, o);
	o->inside--;
}

static void later_runs_once_and_never_nested(void **state) {
	(void)state;
	struct order o = { .l = sf_loop_new(NULL), .left = 100 };
	sf_loop_later(o.l, again, &o);
	assert_int_equal(o.n, 0);
	sf_loop_run(o.l); /* ends by itself once nothing is put off any more */
	assert_int_equal(o.n, 101);
	assert_int_equal(o.deepest, 1);
	assert_int_equal(sf_loop_free(o.l), 0);
}

static void later_does_not_wait_for_the_poll(void **state) {
	(void)state;
	struct order o = { .l = sf_loop_new(NULL) };
	uv_timer_t t; /* keeps the loop asleep unless the call wakes it */
	assert_int_equal(uv_timer_init(sf_loop_uv(o.l), &t), 0);
	assert_int_equal(uv_timer_start(&t, nothing, 200, 0), 0);
	sf_loop_later(o.l, again, &o);
	uv_run(sf_loop_uv(o.l), UV_RUN_ONCE);
	assert_int_equal(o.n, 1);
	uv_close((uv_handle_t *)&t, NULL);
	assert_int_equal(sf_loop_free(o.l), 0);
}

static void later_is_run_before_the_end(void **state) {
	(void)state;
	struct order o = { .l = sf_loop_new(NULL), .left = 3 };
	sf_loop_later(o.l, again, &o);
	assert_int_equal(sf_loop_free(o.l), 0);
	assert_int_equal(o.n, 4);
}

/* ---- posts ------------------------------------------------------------------------------------ */

enum { THREADS = 4, POSTS = 1000 };
struct posts {
	struct sf_loop *l;
	uv_thread_t home;
	int n, strangers;
	uv_timer_t alive;
};

static void posted(void *arg) {
	struct posts *p = arg;
	uv_thread_t me = uv_thread_self();
	if (!uv_thread_equal(&me, &p->home)) p->strangers++;
	if (++p->n == THREADS * POSTS) uv_close((uv_handle_t *)&p->alive, NULL);
}

static void post_many(void *arg) {
	struct posts *p = arg;
	for (int i = 0; i < POSTS; i++) sf_loop_post(p->l, posted, p);
}

static void post_from_threads(void **state) {
	(void)state;
	struct posts p = { .l = sf_loop_new(NULL), .home = uv_thread_self() };
	assert_int_equal(uv_timer_init(sf_loop_uv(p.l), &p.alive), 0);
	assert_int_equal(uv_timer_start(&p.alive, nothing, 60000, 0), 0);
	uv_thread_t t[THREADS];
	for (int i = 0; i < THREADS; i++) assert_int_equal(uv_thread_create(&t[i], post_many, &p), 0);
	sf_loop_run(p.l);
	for (int i = 0; i < THREADS; i++) assert_int_equal(uv_thread_join(&t[i]), 0);
	assert_int_equal(p.n, THREADS * POSTS);
	assert_int_equal(p.strangers, 0);
	assert_int_equal(sf_loop_free(p.l), 0);
}

/* ---- lag -------------------------------------------------------------------------------------- */

static void hog(uv_timer_t *t) {
	int64_t until = sf_clock_ns() + 30 * 1000000;
	while (sf_clock_ns() < until) {
	}
	uv_close((uv_handle_t *)t, NULL);
}

static void lag_is_seen(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	uv_timer_t t;
	assert_int_equal(uv_timer_init(sf_loop_uv(l), &t), 0);
	assert_int_equal(uv_timer_start(&t, hog, 5, 0), 0);
	sf_loop_run(l);
	struct sf_loop_stats s;
	sf_loop_stats(l, &s);
	assert_true(s.lag_ms_max >= 28);
	sf_loop_stats(l, &s);
	assert_int_equal(s.lag_ms_max, 0); /* since the last call */
	assert_int_equal(sf_loop_free(l), 0);
}

static void stop_it(void *arg) {
	sf_loop_stop(arg);
}

static void stop_ends_the_run(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	uv_timer_t t;
	assert_int_equal(uv_timer_init(sf_loop_uv(l), &t), 0);
	assert_int_equal(uv_timer_start(&t, nothing, 60000, 0), 0);
	sf_loop_later(l, stop_it, l);
	sf_loop_run(l);
	uv_close((uv_handle_t *)&t, NULL);
	assert_int_equal(sf_loop_free(l), 0);
	assert_int_equal(sf_loop_free(NULL), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_runs_once_and_never_nested),
		cmocka_unit_test(later_does_not_wait_for_the_poll),
		cmocka_unit_test(later_is_run_before_the_end),
		cmocka_unit_test(post_from_threads),
		cmocka_unit_test(lag_is_seen),
		cmocka_unit_test(stop_ends_the_run),
	};
	return cmocka_run_group_tests_name("loop/loop", tests, NULL, NULL);
}
