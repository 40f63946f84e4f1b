/* Repeats: which requests and statuses, the budget of a minute, back-off, Retry-After. */
#include "core/test.h"

#include "http/client.h"

#include "core/time.h"

static void only_what_may_be_sent_twice(void **state) {
	(void)state;
	struct sf_http_header key = { SF_STR("Idempotency-Key"), SF_STR("job-7") },
						  empty = { SF_STR("Idempotency-Key"), SF_STR("") };
	assert_true(sf_client__repeatable(SF_GET, NULL, 0));
	assert_true(sf_client__repeatable(SF_HEAD, NULL, 0));
	assert_true(sf_client__repeatable(SF_PUT, NULL, 0));
	assert_true(sf_client__repeatable(SF_DELETE, NULL, 0));
	assert_false(sf_client__repeatable(SF_POST, NULL, 0));
	assert_false(sf_client__repeatable(SF_PATCH, NULL, 0));
	assert_true(sf_client__repeatable(SF_POST, &key, 1));
	assert_false(sf_client__repeatable(SF_POST, &empty, 1));
	static const int yes[] = { 429, 502, 503, 504 }, no[] = { 200, 301, 400, 404, 408, 409, 500, 501 };
	for (size_t i = 0; i < SF_COUNT(yes); i++) assert_true(sf_client__repeat_status(yes[i]));
	for (size_t i = 0; i < SF_COUNT(no); i++) assert_false(sf_client__repeat_status(no[i]));
}

static void a_tenth_of_a_minute_and_ten_at_least(void **state) {
	(void)state;
	struct sf_client__budget b = { 0 };
	int n = 0;
	while (sf_client__budget_repeat(&b, 0)) n++;
	assert_int_equal(n, 10);
	for (int i = 0; i < 300; i++) sf_client__budget_request(&b, i * 100); /* 30 s */
	for (n = 0; sf_client__budget_repeat(&b, 30000);) n++;
	assert_int_equal(n, 20); /* 30 less the 10 of before */
	assert_false(sf_client__budget_repeat(&b, 59000));
	for (n = 0; sf_client__budget_repeat(&b, 200000);) n++; /* all that is forgotten */
	assert_int_equal(n, 10);
}

static void backoff_has_full_jitter(void **state) {
	(void)state;
	for (int repeat = 0; repeat < 40; repeat++) {
		int64_t most = repeat < 6 ? 100 << repeat : 5000, low = INT64_MAX, high = 0;
		if (most > 5000) most = 5000;
		for (int i = 0; i < 400; i++) {
			int64_t ms = sf_client__backoff(repeat);
			low = ms < low ? ms : low, high = ms > high ? ms : high;
		}
		assert_true(low >= 0 && low < most / 4);
		assert_true(high <= most && high > most * 3 / 4);
	}
}

static void retry_after_is_seconds_or_a_date(void **state) {
	(void)state;
	int64_t now = 0;
	assert_int_equal(sf_time_parse(SF_STR("2026-11-22T15:00:00Z"), &now), 0);
	assert_int_equal(sf_client__retry_after(SF_STR(" 120 "), now), 120000);
	assert_int_equal(sf_client__retry_after(SF_STR("0"), now), 0);
	assert_int_equal(sf_client__retry_after(SF_STR("999999999"), now), 86400000);
	assert_int_equal(sf_client__retry_after(SF_STR("99999999999999999999999"), now), 0);
	assert_int_equal(sf_client__retry_after(SF_STR("-5"), now), 0);
	assert_int_equal(sf_client__retry_after(SF_STR("soon"), now), 0);
	assert_int_equal(sf_client__retry_after(SF_STR(""), now), 0);
	assert_int_equal(sf_client__retry_after(SF_STR_NULL, now), 0);
	assert_int_equal(sf_client__retry_after(SF_STR("Sun, 22 Nov 2026 15:00:30 GMT"), now), 30000);
	assert_int_equal(sf_client__retry_after(SF_STR("Sun, 22 Nov 2026 14:00:30 GMT"), now), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_may_be_sent_twice),
		cmocka_unit_test(a_tenth_of_a_minute_and_ten_at_least),
		cmocka_unit_test(backoff_has_full_jitter),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
