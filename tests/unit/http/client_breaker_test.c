/* The circuit breaker: what opens it, the one probe, the pauses that double. */
#include "core/test.h"

#include "http/client.h"

static struct sf_client__breaker b;
static bool probe; /* what the last request that was let go went as */

static bool take(int64_t now) {
	return sf_client__breaker_take(&b, now, &probe);
}
static void note(int64_t now, bool good) {
	sf_client__breaker_note(&b, now, probe, good);
}

static int fresh(void **state) {
	(void)state;
	b = (struct sf_client__breaker) { 0 };
	probe = false;
	return 0;
}

static void go_wrong(int n, int64_t now) {
	for (int i = 0; i < n; i++) {
		assert_true(take(now));
		note(now, false);
	}
}

static void five_failures_in_a_row_open_it(void **state) {
	(void)state;
	go_wrong(4, 1000);
	note(1000, true); /* breaks the row */
	go_wrong(4, 1000);
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
	go_wrong(1, 1000);
	assert_int_equal(b.state, SF_BREAKER_OPEN);
	assert_false(take(1000));
	assert_false(take(2999));
	assert_true(sf_client__breaker_lets(&b, 3000));
}

static void more_than_half_of_twenty_opens_it(void **state) {
	(void)state;
	for (int i = 0; i < 10; i++) note(500 + i, true);
	for (int i = 0; i < 3; i++) { /* 9 bad, never 5 in a row */
		for (int k = 0; k < 3; k++) note(5000, false);
		note(5000, true);
	}
	assert_int_equal(b.state, SF_BREAKER_CLOSED); /* 13 good, 9 bad */
	for (int k = 0; k < 4; k++) note(6000, false);
	note(6000, true); /* 14 good, 13 bad */
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
	note(6000, false); /* 14 : 14 */
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
	note(6000, false);
	assert_int_equal(b.state, SF_BREAKER_OPEN);
}

static void what_is_older_than_ten_seconds_does_not_count(void **state) {
	(void)state;
	for (int i = 0; i < 4; i++) {
		for (int k = 0; k < 4; k++) note(1000, false);
		note(1000, true);
	} /* 16 bad, 4 good: at twenty, the last one was good */
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
	note(12000, false);
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
	for (int k = 0; k < 3; k++) note(12000, false);
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
}

static void one_probe_decides(void **state) {
	(void)state;
	go_wrong(5, 0);
	assert_true(take(2000));
	assert_int_equal(b.state, SF_BREAKER_HALF_OPEN);
	assert_false(take(2000));
	note(2100, true);
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
	go_wrong(4, 2200); /* counts from the start again */
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
}

static void a_probe_that_says_nothing_is_followed_by_another(void **state) {
	(void)state;
	go_wrong(5, 0);
	assert_true(take(2000));
	sf_client__breaker_forget(&b, probe);
	assert_int_equal(b.state, SF_BREAKER_HALF_OPEN);
	assert_true(take(2001));
}

static void pauses_double_up_to_a_minute(void **state) {
	(void)state;
	static const int64_t want[] = { 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	int64_t now = 0;
	go_wrong(5, now);
	for (size_t i = 0; i < SF_COUNT(want); i++) {
		assert_int_equal(b.until_ms - now, want[i]);
		assert_false(take(b.until_ms - 1));
		now = b.until_ms;
		assert_true(take(now));
		note(now, false);
	}
}

static void what_ends_late_changes_nothing(void **state) {
	(void)state;
	go_wrong(5, 0);
	int64_t until = b.until_ms;
	sf_client__breaker_note(&b, 100, false, false);
	sf_client__breaker_note(&b, 100, false, true);
	sf_client__breaker_forget(&b, false);
	assert_int_equal(b.state, SF_BREAKER_OPEN);
	assert_int_equal(b.until_ms, until);
	/* also while the probe is under way: it alone decides, and there is one of it */
	assert_true(take(until));
	assert_true(probe);
	sf_client__breaker_note(&b, until + 1, false, true);
	sf_client__breaker_note(&b, until + 1, false, false);
	sf_client__breaker_forget(&b, false);
	assert_int_equal(b.state, SF_BREAKER_HALF_OPEN);
	assert_false(sf_client__breaker_lets(&b, until + 1));
	note(until + 2, true);
	assert_int_equal(b.state, SF_BREAKER_CLOSED);
	assert_true(take(until + 3));
	assert_false(probe);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(five_failures_in_a_row_open_it, fresh),
		cmocka_unit_test_setup(more_than_half_of_twenty_opens_it, fresh),
		cmocka_unit_test_setup(what_is_older_than_ten_seconds_does_not_count, fresh),
		cmocka_unit_test_setup(one_probe_decides, fresh),
		cmocka_unit_test_setup(a_probe_that_says_nothing_is_followed_by_another, fresh),
		cmocka_unit_test_setup(pauses_double_up_to_a_minute, fresh),
		cmocka_unit_test_setup(what_ends_late_changes_nothing, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
