/* coroutine: starting, reuse of stacks, limits, cancellation flags, the guard below a stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "core/time.h"
#include "loop/loop.h"

static void count(void *arg) {
	(*(int *)arg)++;
}

static void runs_at_once(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	int n = 0;
	assert_null(sf_co_self());
	assert_int_equal(sf_co_start(l, count, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(sf_loop_free(l), 0);
	assert_null(sf_loop_self());
}

static void registers(void *arg) { /* values kept in callee-saved registers live through a switch */
	volatile int64_t seed = *(int64_t *)arg;
	int64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
	double x = (double)seed * 0.5;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(sf_sleep(0), 0);
		a += i, b += a, c ^= b, d += c, e ^= d, f += e, x = x * 0.5 + (double)i;
	}
	*(int64_t *)arg = a + b + c + d + e + f + (int64_t)x;
}

static void keeps_registers(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	int64_t v[50], want[50];
	for (int i = 0; i < 50; i++) { /* alone: the truth */
		want[i] = i * 1000003;
		assert_int_equal(sf_co_start(l, registers, &want[i], NULL), 0);
		sf_loop_run(l);
	}
	for (int i = 0; i < 50; i++) {
		v[i] = i * 1000003;
		assert_int_equal(sf_co_start(l, registers, &v[i], NULL), 0);
	}
	sf_loop_run(l);
	assert_memory_equal(v, want, sizeof v);
	assert_int_equal(sf_loop_free(l), 0);
}

static void nap(void *arg) {
	assert_int_equal(sf_sleep(1), 0);
	(*(int *)arg)++;
}

static void ten_thousand(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	int n = 0;
	for (int i = 0; i < 10000; i++) assert_int_equal(sf_co_start(l, nap, &n, NULL), 0);
	struct sf_loop_stats s;
	sf_loop_stats(l, &s);
	assert_int_equal(s.co_live, 10000);
	sf_loop_run(l);
	assert_int_equal(n, 10000);
	sf_loop_stats(l, &s);
	assert_int_equal(s.co_live, 0);
	assert_int_equal(s.co_peak, 10000);
	assert_int_equal(s.co_started, 10000);
	assert_int_equal(s.stacks_idle, 256);
	assert_int_equal(sf_loop_free(l), 0);
}

static void refuses_past_the_limit(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(&(struct sf_loop_opts) { .max_inflight = 3 });
	int n = 0;
	for (int i = 0; i < 3; i++) assert_int_equal(sf_co_start(l, nap, &n, NULL), 0);
	struct sf_co *co = (struct sf_co *)&n;
	assert_int_equal(sf_co_start(l, nap, &n, &co), SF_EOVERLOAD);
	assert_ptr_equal(co, &n); /* untouched */
	sf_loop_run(l);
	assert_int_equal(n, 3);
	assert_int_equal(sf_co_start(l, nap, &n, NULL), 0);
	sf_loop_run(l);
	struct sf_loop_stats s;
	sf_loop_stats(l, &s);
	assert_int_equal(s.co_refused, 1);
	assert_int_equal(sf_loop_free(l), 0);
}

static void where(void *arg) {
	char local;
	*(uintptr_t *)arg = (uintptr_t)sf_co_self();
	__asm__ volatile("" : : "r"(&local) : "memory");
}

static void reuses_the_newest_stack(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	uintptr_t first = 0, again = 1;
	assert_int_equal(sf_co_start(l, where, &first, NULL), 0);
	assert_int_equal(sf_co_start(l, where, &again, NULL), 0);
	assert_int_equal(first, again);
	struct sf_loop_stats s;
	sf_loop_stats(l, &s);
	assert_int_equal(s.stacks_idle, 1);
	assert_int_equal(sf_loop_free(l), 0);
}

static void touch(void *arg) {
	size_t n = *(size_t *)arg;
	volatile char *p = __builtin_alloca(n);
	for (size_t i = 0; i < n; i += 512) p[i] = 1;
}

static void high_water(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(&(struct sf_loop_opts) { .stack_size = 1024 * 1024 });
	struct sf_loop_stats s;
	size_t n = 1000;
	assert_int_equal(sf_co_start(l, touch, &n, NULL), 0);
	sf_loop_stats(l, &s);
	assert_true(s.stack_high_water >= 1000 && s.stack_high_water < 100 * 1024);
	n = 500 * 1024;
	assert_int_equal(sf_co_start(l, touch, &n, NULL), 0);
	sf_loop_stats(l, &s);
	assert_true(s.stack_high_water >= n && s.stack_high_water < n + 100 * 1024);
	assert_int_equal(sf_loop_free(l), 0);
}

/* ---- overflow --------------------------------------------------------------------------------- */

static __attribute__((noinline)) int deeper(volatile char *above, int n) {
	volatile char frame[4096];
	memset((char *)frame, n, sizeof frame);
	if (n < 100000) n = deeper(frame, n + 1);
	return n + frame[17] + above[0];
}

static void overflow(void *arg) {
	volatile char top[16] = { 0 };
	*(int *)arg = deeper(top, 1);
}

static void overflow_hits_the_guard(void **state) {
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		fclose(stderr), fclose(stdout);
		struct sf_loop *l = sf_loop_new(NULL);
		int r = 0;
		if (sf_co_start(l, overflow, &r, NULL) != 0) _exit(2);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
#if defined(__SANITIZE_ADDRESS__)
	assert_true(WIFSIGNALED(status) ||
				(WIFEXITED(status) && WEXITSTATUS(status) == 1)); /* ASan's own report */
#else
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
#endif
}

/* ---- leaks ------------------------------------------------------------------------------------ */

static void forever(void *arg) {
	struct sf_wait w;
	sf_wait_init(&w, NULL, NULL);
	*(int *)arg = sf_await(&w, -1);
}

static void a_leaked_coroutine_is_counted(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	int r = 0;
	assert_int_equal(sf_co_start(l, forever, &r, NULL), 0);
	sf_loop_run(l);
	assert_int_equal(sf_loop_free(l), 1);
}

static void a_leaked_handle_is_counted(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	static uv_timer_t t;
	assert_int_equal(uv_timer_init(sf_loop_uv(l), &t), 0);
	assert_int_equal(sf_loop_free(l), 1);
}

/* ---- the watch -------------------------------------------------------------------------------- */

static volatile uint32_t seen;
static void marked(void *arg) {
	struct sf_co *co = sf_co_self();
	assert_int_equal(seen, 0);
	sf_co_mark(co, *(uint32_t *)arg);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(seen, *(uint32_t *)arg);
		assert_int_equal(sf_sleep(1), 0);
	}
	sf_co_mark(co, 0);
	assert_int_equal(seen, 0);
}

static void watch_shows_who_runs(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	uint32_t marks[] = { 7, 8, 9 };
	sf_loop_watch(l, &seen);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(sf_co_start(l, marked, &marks[i], NULL), 0);
		assert_int_equal(seen, 0); /* between them */
	}
	sf_loop_run(l);
	assert_int_equal(seen, 0);
	sf_loop_watch(l, NULL);
	assert_int_equal(sf_loop_free(l), 0);
}

/* ---- cost ------------------------------------------------------------------------------------- */

/* What others take of the machine does not count. */
static int64_t cpu_ns(void) {
	struct timespec t;
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void start_costs_little(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	int n = 0;
	int64_t best = INT64_MAX;
	for (int round = 0; round < 20; round++) {
		int64_t t = cpu_ns();
		for (int i = 0; i < 10000; i++)
			if (sf_co_start(l, count, &n, NULL) != 0) fail();
		t = (cpu_ns() - t) / 10000;
		if (t < best) best = t;
	}
	print_message("start and finish of a coroutine: %d ns\n", (int)best);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(best < 1000); /* a system call in the path would show */
#endif
	assert_int_equal(sf_loop_free(l), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_at_once),
		cmocka_unit_test(keeps_registers),
		cmocka_unit_test(ten_thousand),
		cmocka_unit_test(refuses_past_the_limit),
		cmocka_unit_test(reuses_the_newest_stack),
		cmocka_unit_test(high_water),
		cmocka_unit_test(overflow_hits_the_guard),
		cmocka_unit_test(a_leaked_coroutine_is_counted),
		cmocka_unit_test(a_leaked_handle_is_counted),
		cmocka_unit_test(watch_shows_who_runs),
		cmocka_unit_test(start_costs_little),
	};
	return cmocka_run_group_tests_name("loop/coroutine", tests, NULL, NULL);
}
