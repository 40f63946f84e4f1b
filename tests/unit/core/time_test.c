/* time: the calendar against the C library's, formats, and dates that do not exist. */
#include "core/test.h"
#include "core/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void calendar_agrees_with_the_c_library(void **state) {
	(void)state;
	for (int64_t day = -800000; day < 800000; day += 37) {
		time_t t = (time_t)(day * 86400);
		struct tm tm;
		gmtime_r(&t, &tm);
		int y, m, d;
		sf_date_split(day, &y, &m, &d);
		assert_int_equal(y, tm.tm_year + 1900);
		assert_int_equal(m, tm.tm_mon + 1);
		assert_int_equal(d, tm.tm_mday);
		assert_true(sf_date_join(y, m, d) == day);
	}
}

static void every_day_round_trips(void **state) {
	(void)state;
	for (int64_t day = -719162; day <= 2932896; day += 11) {
		char text[16];
		int64_t back = 0;
		assert_int_equal(sf_date_format(day, text), 10);
		assert_int_equal(sf_date_parse(sf_str(text), &back), 0);
		assert_true(back == day);
	}
}

static void formats(void **state) {
	(void)state;
	char buf[32];
	assert_int_equal(sf_time_format(0, buf), 20);
	assert_string_equal(buf, "1970-01-01T00:00:00Z");
	int64_t t = INT64_C(1795356101) * SF_USEC;
	sf_time_format(t, buf);
	assert_string_equal(buf, "2026-11-22T14:01:41Z");
	assert_int_equal(sf_time_format(t + 42, buf), 27);
	assert_string_equal(buf, "2026-11-22T14:01:41.000042Z");
	sf_time_format(-1, buf);
	assert_string_equal(buf, "1969-12-31T23:59:59.999999Z");
	assert_int_equal(sf_time_format_sql(t + 5, buf), 26);
	assert_string_equal(buf, "2026-11-22 14:01:41.000005");
	assert_int_equal(sf_time_format_http(INT64_C(784111777) * SF_USEC, buf), 29);
	assert_string_equal(buf, "Sun, 06 Nov 1994 08:49:37 GMT");
	sf_time_format_http(-SF_USEC, buf);
	assert_string_equal(buf, "Wed, 31 Dec 1969 23:59:59 GMT");
	/* never longer than the buffer */
	assert_int_equal(sf_time_format(INT64_MAX, buf), 27);
	assert_int_equal(sf_time_format(INT64_MIN, buf), 27);
	assert_int_equal(sf_date_format(INT64_MAX / 2, buf), 10);
	assert_string_equal(buf, "9999-12-31");
}

static void weekdays_agree_with_the_c_library(void **state) {
	(void)state;
	for (int64_t day = -1000; day < 1000; day++) {
		char mine[32], theirs[32];
		time_t t = (time_t)(day * 86400 + 3661);
		struct tm tm;
		gmtime_r(&t, &tm);
		sf_time_format_http(t * SF_USEC, mine);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		assert_string_equal(mine, theirs);
	}
}

static void readable_times(void **state) {
	(void)state;
	static const struct {
		const char *text, *want;
	} good[] = {
		{ "2026-11-22T14:01:41Z", "2026-11-22T14:01:41Z" },
		{ "2026-11-22t14:01:41z", "2026-11-22T14:01:41Z" },
		{ "2026-11-22 14:01:41", "2026-11-22T14:01:41Z" },
		{ "2026-11-22T14:01", "2026-11-22T14:01:00Z" },
		{ "2026-11-22T14:01Z", "2026-11-22T14:01:00Z" },
		{ "2026-11-22", "2026-11-22T00:00:00Z" },
		{ "2026-11-22T23:01:41+09:00", "2026-11-22T14:01:41Z" },
		{ "2026-11-22T00:30:00+09:00", "2026-11-21T15:30:00Z" },
		{ "2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00Z" },
		{ "2026-11-22T14:01:41.5Z", "2026-11-22T14:01:41.500000Z" },
		{ "2026-11-22T14:01:41.123456789Z", "2026-11-22T14:01:41.123456Z" },
		{ "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z" },
		{ "2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z" },
		{ "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" },
		{ "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z" },
	};
	for (size_t i = 0; i < SF_COUNT(good); i++) {
		int64_t t = 0;
		char buf[32];
		assert_int_equal(sf_time_parse(sf_str(good[i].text), &t), 0);
		sf_time_format(t, buf);
		assert_string_equal(buf, good[i].want);
	}
}

static void unreadable_times(void **state) {
	(void)state;
	static const char *const bad[] = { "",
									   "2026",
									   "2026-11",
									   "2026-02-30",
									   "2023-02-29",
									   "1900-02-29",
									   "2026-04-31",
									   "2026-13-01",
									   "2026-00-10",
									   "2026-01-00",
									   "2026-01-32",
									   "0000-01-01",
									   "10000-01-01",
									   "26-01-01",
									   "2026-1-1",
									   "2026/01/01",
									   "2026-11-22T",
									   "2026-11-22T14",
									   "2026-11-22T24:00:00Z",
									   "2026-11-22T14:60Z",
									   "2026-11-22T14:01:60Z",
									   "2026-11-22T14:01:41.Z",
									   "2026-11-22T14:01:41ZZ",
									   "2026-11-22T14:01:41+9:00",
									   "2026-11-22T14:01:41+0900",
									   "2026-11-22T14:01:41+24:00",
									   "2026-11-22T14:01:41+09:60",
									   "2026-11-22T14:01:41+",
									   "2026-11-22T14:01:41 +09:00",
									   "2026-11-22T14:01:4",
									   "2026-11-22  14:01:41",
									   "2026-11-22X14:01:41Z",
									   " 2026-11-22",
									   "2026-11-22 ",
									   "-026-11-22",
									   "+026-11-22",
									   "0001-01-01T00:00:00+00:01",
									   "9999-12-31T23:59:59-00:01",
									   "2026-11-22T14:01:41.1234567890123456789Z",
									   "yesterday",
									   "２026-11-22" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		int64_t t = 42;
		assert_int_equal(sf_time_parse(sf_str(bad[i]), &t), SF_EINVAL);
		assert_int_equal(t, 42);
	}
	int64_t day = 42;
	assert_int_equal(sf_date_parse(SF_STR("2026-11-22T00:00:00Z"), &day), SF_EINVAL);
	assert_int_equal(sf_date_parse(SF_STR("2026-02-30"), &day), SF_EINVAL);
	assert_int_equal(sf_date_parse(SF_STR_NULL, &day), SF_EINVAL);
	assert_int_equal(day, 42);
}

static void random_instants_round_trip(void **state) {
	(void)state;
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < 20000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		int64_t t = (int64_t)(x % (UINT64_C(4000000000) * 1000000)) - INT64_C(1000000000) * 1000000, back = 0;
		char buf[32];
		sf_time_format(t, buf);
		assert_int_equal(sf_time_parse(sf_str(buf), &back), 0);
		assert_true(back == t);
		sf_time_format_sql(t, buf);
		assert_int_equal(sf_time_parse(sf_str(buf), &back), 0);
		assert_true(back == t);
	}
}

static void clocks_go_forward(void **state) {
	(void)state;
	int64_t a = sf_clock_ns(), b = sf_clock_ns();
	assert_true(b >= a);
	assert_true(llabs(sf_time_now() / SF_USEC - (int64_t)time(NULL)) <= 1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar_agrees_with_the_c_library),
		cmocka_unit_test(every_day_round_trips),
		cmocka_unit_test(formats),
		cmocka_unit_test(weekdays_agree_with_the_c_library),
		cmocka_unit_test(readable_times),
		cmocka_unit_test(unreadable_times),
		cmocka_unit_test(random_instants_round_trip),
		cmocka_unit_test(clocks_go_forward),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
