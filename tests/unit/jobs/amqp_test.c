/* What messages say: written and read back, and everything else refused. What goes through a broker is in tests/fault/rabbit. */
#include "jobs/amqp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sf_jobs__letter sample(size_t n) {
	struct sf_jobs__letter l = { .n = n,
								 .tag = 12,
								 .database = "0123456789abcdef0123456789abcdef",
								 .kind = "email.send",
								 .queue = "default" };
	for (size_t i = 0; i < n; i++)
		l.job[i] = (struct sf_jobs__named) { 9007199254740993 + (int64_t)i, 7 + (int64_t)i };
	return l;
}

static void written_and_read(void **state) {
	(void)state;
	for (size_t n = 1; n <= SF_JOBS__LETTER_JOBS; n++) {
		struct sf_jobs__letter l = sample(n), back = { .tag = 99, .generation = 3 };
		char text[1024];
		assert_int_equal(sf_jobs__letter_write(&l, text, sizeof text), 0);
		assert_int_equal(sf_jobs__letter_read(sf_str(text), &back), 0);
		assert_int_equal(back.n, n);
		for (size_t i = 0; i < n; i++)
			assert_true(back.job[i].id == l.job[i].id && back.job[i].fence == l.job[i].fence);
		assert_string_equal(back.database, l.database);
		assert_string_equal(back.queue, l.queue);
		assert_true(back.tag == 99 && back.generation == 3); /* the delivery's own */
	}
}

static void longest(void **state) { /* fits into what a publication has room for */
	(void)state;
	struct sf_jobs__letter l = sample(SF_JOBS__LETTER_JOBS);
	char text[1024];
	memset(l.database, 'd', sizeof l.database - 1);
	memset(l.queue, 'q', sizeof l.queue - 1);
	for (size_t i = 0; i < l.n; i++) l.job[i] = (struct sf_jobs__named) { INT64_MAX, INT64_MAX };
	assert_int_equal(sf_jobs__letter_write(&l, text, sizeof text), 0);
}

static void notice(void **state) {
	(void)state;
	struct sf_jobs__letter l = sample(1);
	char text[1024];
	l.what = SF_JOBS__NOTICE;
	assert_int_equal(sf_jobs__letter_write(&l, text, sizeof text), 0);
	assert_string_equal(text, "{\"database\":\"0123456789abcdef0123456789abcdef\",\"id\":9007199254740993,"
							  "\"kind\":\"email.send\",\"queue\":\"default\"}");
	assert_int_equal(sf_jobs__letter_read(sf_str(text), &l), SF_EINVAL); /* nobody runs it */
}

static void too_small(void **state) {
	(void)state;
	struct sf_jobs__letter l = sample(2);
	char text[512];
	assert_int_equal(sf_jobs__letter_write(&l, text, sizeof text), 0);
	size_t n = strlen(text) + 1;
	assert_int_equal(sf_jobs__letter_write(&l, text, n), 0);
	for (size_t less = 1; less < n; less++)
		assert_int_equal(sf_jobs__letter_write(&l, text, n - less), SF_ETOOLARGE);
}

static void refused(void **state) {
	(void)state;
	static const char *const bad[] = {
		"",
		"[]",
		"7",
		"{}",
		"{\"jobs\":[[1,0]]}",
		"{\"database\":\"d\",\"queue\":\"q\"}",
		"{\"database\":\"d\",\"queue\":\"q\",\"jobs\":[]}",
		"{\"database\":\"d\",\"queue\":\"q\",\"jobs\":7}",
		"{\"database\":\"d\",\"queue\":\"q\",\"jobs\":[7]}",
		"{\"database\":\"d\",\"queue\":\"q\",\"jobs\":[[1]]}",
		"{\"database\":\"d\",\"queue\":\"q\",\"jobs\":[[\"1\",0]]}",
		"{\"database\":\"d\",\"queue\":\"q\",\"jobs\":[[0,0]]}",
		"{\"database\":\"d\",\"queue\":\"q\",\"jobs\":[[1,0],[1,-1]]}",
		"{\"database\":\"d\",\"queue\":\"q\",\"jobs\":[[1,0],[2,0],[3,0],[4,0],[5,0],[6,0],[7,0],[8,0],[9,0]]"
		"}",
		"{\"database\":\"\",\"queue\":\"q\",\"jobs\":[[1,0]]}",
		"{\"database\":\"d\",\"queue\":7,\"jobs\":[[1,0]]}",
		"{\"database\":\"0123456789012345678901234567890123456789\",\"queue\":\"q\",\"jobs\":[[1,0]]}",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sf_jobs__letter l = { .n = 3 };
		assert_int_equal(sf_jobs__letter_read(sf_str(bad[i]), &l), SF_EINVAL);
		assert_true(l.n == 3 && !l.job[0].id && !l.database[0]); /* untouched */
	}
}

static void urls(void **state) {
	(void)state;
	static const char *const good[] = { "amqp://h", "amqp://u:p@h:5672/v", "amqps://u:p@h/",
										"amqp://[::1]:1/" };
	static const char *const bad[] = {
		"", "http://x", "amqp:/h", "amqp://[::1", "amqp://h:port/", "amqp://h/a/b"
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!sf_jobs__amqp_url_usable(good[i])) fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (sf_jobs__amqp_url_usable(bad[i])) fail_msg("%s", bad[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(written_and_read), cmocka_unit_test(longest),
										cmocka_unit_test(notice),           cmocka_unit_test(too_small),
										cmocka_unit_test(refused),          cmocka_unit_test(urls) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
