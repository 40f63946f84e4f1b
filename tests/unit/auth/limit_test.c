/* limit: exact counts, the sliding share of the window before, many keys, many processes. */
#include "auth/test.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIN 60000

static int take_n(const char *cls, const char *key, int n, int64_t limit, int64_t now) {
	int allowed = 0;
	struct sf_limit_result r;
	for (int i = 0; i < n; i++) {
		sf_auth__limit_at(cls, sf_str(key), limit, MIN, now, &r);
		allowed += r.allowed;
	}
	return allowed;
}

static void a_window_allows_exactly_its_limit(void **state) {
	(void)state;
	struct sf_limit_result r;
	int64_t now = INT64_C(1800000000000) - INT64_C(1800000000000) % MIN;
	for (int i = 0; i < 10; i++) {
		sf_auth__limit_at("a", SF_STR("ip:1"), 10, MIN, now + i * 100, &r);
		assert_true(r.allowed);
		assert_int_equal(r.limit, 10);
		assert_int_equal(r.remaining, 9 - i);
		assert_int_equal(r.reset_s, 60 - (i * 100 + 0) / 1000);
	}
	sf_auth__limit_at("a", SF_STR("ip:1"), 10, MIN, now + 30001, &r);
	assert_false(r.allowed);
	assert_int_equal(r.remaining, 0);
	assert_int_equal(r.reset_s, 30);
	assert_int_equal(take_n("a", "ip:2", 20, 10, now), 10); /* another key */
	assert_int_equal(take_n("b", "ip:1", 20, 10, now), 10); /* another limit */
}

static void the_window_before_weighs_with_its_share(void **state) {
	(void)state;
	int64_t now = INT64_C(1900000000000) - INT64_C(1900000000000) % MIN;
	assert_int_equal(take_n("s", "k", 200, 100, now), 100);
	assert_int_equal(take_n("s", "k", 200, 100, now + MIN), 0);            /* all of it still counts */
	assert_int_equal(take_n("s", "k", 200, 100, now + MIN + MIN / 4), 25); /* three quarters count */
	assert_int_equal(take_n("s", "k", 200, 100, now + MIN + MIN / 2), 25); /* half, and 25 of this window */
	assert_int_equal(take_n("s", "k", 200, 100, now + 2 * MIN - 1), 49);   /* the last of them, and 50 */
	assert_int_equal(take_n("s", "k", 200, 100, now + 10 * MIN), 100);     /* long after */
}

/* A few requests on each side of a window's edge are as limited as if there were no edge. */
static void a_small_limit_holds_across_the_edge(void **state) {
	(void)state;
	int64_t now = INT64_C(1950000000000) - INT64_C(1950000000000) % MIN;
	for (int before = 1; before <= 5; before++) {
		char key[] = { 'e', (char)('0' + before), 0 };
		assert_int_equal(take_n("e", key, before, 5, now - 500), before);
		assert_int_equal(take_n("e", key, 9, 5, now + 500), 5 - before);
	}
}

static void no_limit_and_huge_limits(void **state) {
	(void)state;
	struct sf_limit_result r;
	sf_auth__limit_at("n", SF_STR("k"), 0, MIN, 1000, &r);
	assert_true(r.allowed);
	sf_auth__limit_at("n", SF_STR("k"), INT64_MAX, MIN, 1000, &r);
	assert_true(r.allowed);
	sf_limit_take("n", SF_STR("clock"), 1, MIN, &r);
	assert_true(r.allowed);
	assert_in_range(r.reset_s, 0, 60);
}

/* The wall clock of today must fit what a word holds. */
static void the_real_clock_is_counted_too(void **state) {
	(void)state;
	struct sf_limit_result r;
	int allowed = 0;
	for (int i = 0; i < 30; i++) {
		sf_limit_take("real", SF_STR("ip:9"), 7, 3600000, &r);
		allowed += r.allowed;
	}
	assert_in_range(allowed, 7, 14); /* 14: the hour may end in the midst */
	assert_false(r.allowed);
	assert_int_equal(take_n("real", "end of the century", 20, 7, INT64_C(4102444800000)), 7);
}

static void a_flood_of_keys_forgets_only_the_unused(void **state) {
	(void)state;
	int64_t now = INT64_C(2000000000000) - INT64_C(2000000000000) % MIN;
	char key[64];
	struct sf_limit_result r;
	for (int i = 0; i < 30000; i++) {
		snprintf(key, sizeof(key), "ip:%d", i);
		assert_int_equal(take_n("f", key, 1, 1, now), 1);
	}
	int again = 0;
	for (int i = 0; i < 30000; i++) {
		snprintf(key, sizeof(key), "ip:%d", i);
		again += take_n("f", key, 1, 1, now);
	}
	assert_true(again < 1500); /* 65,536 places in sets of 8, less than half full */
	/* long after, new keys take the places of old ones and count exactly */
	for (int i = 0; i < 200000; i++) {
		snprintf(key, sizeof(key), "late:%d", i);
		sf_auth__limit_at("f", sf_str(key), 5, MIN, now + 100 * MIN + i, &r);
		assert_true(r.allowed);
		assert_int_equal(r.remaining, 4);
	}
}

static void long_keys_keep_their_difference(void **state) {
	(void)state;
	int64_t now = INT64_C(2000000060000);
	assert_int_equal(take_n("l", "ip:2001:0db8:0000:0000:0000:0000:0000:0001/64", 2, 1, now), 1);
	assert_int_equal(take_n("l", "ip:2001:0db8:0000:0000:0000:0000:0000:0002/64", 2, 1, now), 1);
}

static void four_processes_together_get_the_limit(void **state) {
	(void)state;
	int64_t now = INT64_C(2100000000000);
	int fds[2];
	pid_t pids[4];
	assert_int_equal(pipe(fds), 0);
	for (int p = 0; p < 4; p++) {
		pids[p] = fork();
		assert_true(pids[p] >= 0);
		if (pids[p] == 0) {
			int got = take_n("p", "shared", 20000, 30000, now);
			_exit(write(fds[1], &got, sizeof(got)) != sizeof(got));
		}
	}
	int sum = 0;
	for (int p = 0; p < 4; p++) {
		int got = 0;
		assert_int_equal(read(fds[0], &got, sizeof(got)), sizeof(got));
		sum += got;
	}
	for (int p = 0; p < 4; p++) assert_int_equal(waitpid(pids[p], NULL, 0), pids[p]);
	assert_int_equal(sum, 30000);
	close(fds[0]), close(fds[1]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_allows_exactly_its_limit),
		cmocka_unit_test(the_window_before_weighs_with_its_share),
		cmocka_unit_test(a_small_limit_holds_across_the_edge),
		cmocka_unit_test(no_limit_and_huge_limits),
		cmocka_unit_test(four_processes_together_get_the_limit),
		cmocka_unit_test(a_flood_of_keys_forgets_only_the_unused),
		cmocka_unit_test(the_real_clock_is_counted_too),
		cmocka_unit_test(long_keys_keep_their_difference),
	};
	return cmocka_run_group_tests(tests, shared, NULL);
}
