/* What messages say: written and read back, and everything else refused. What goes through a broker is in tests/fault/rabbit. */
#include "jobs/amqp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sf_jobs__letter sample(void) {
	return (struct sf_jobs__letter) { .id = 9007199254740993,
									  .fence = 7,
									  .tag = 12,
									  .database = "0123456789abcdef0123456789abcdef",
									  .kind = "email.send",
									  .queue = "default" };
}

static void written_and_read(void **state) {
	(void)state;
	struct sf_jobs__letter l = sample(), back = { .tag = 99, .generation = 3 };
	char text[512];
	assert_int_equal(sf_jobs__letter_write(&l, text, sizeof text), 0);
	assert_int_equal(sf_jobs__letter_read(sf_str(text), &back), 0);
	assert_true(back.id == l.id && back.fence == l.fence);
	assert_string_equal(back.database, l.database);
	assert_string_equal(back.kind, l.kind);
	assert_string_equal(back.queue, l.queue);
	assert_true(back.tag == 99 && back.generation == 3); /* the delivery's own */
}

static void too_small(void **state) {
	(void)state;
	struct sf_jobs__letter l = sample();
	char text[512];
	assert_int_equal(sf_jobs__letter_write(&l, text, 40), SF_ETOOLARGE);
}

static void refused(void **state) {
	(void)state;
	static const char *const bad[] = {
		"",
		"[]",
		"7",
		"{}",
		"{\"id\":1}",
		"{\"database\":\"d\",\"id\":\"1\",\"fence\":0,\"kind\":\"k\",\"queue\":\"q\"}",
		"{\"database\":\"d\",\"id\":0,\"fence\":0,\"kind\":\"k\",\"queue\":\"q\"}",
		"{\"database\":\"d\",\"id\":1,\"fence\":-1,\"kind\":\"k\",\"queue\":\"q\"}",
		"{\"database\":\"\",\"id\":1,\"fence\":0,\"kind\":\"k\",\"queue\":\"q\"}",
		"{\"database\":\"d\",\"id\":1,\"fence\":0,\"kind\":\"k\",\"queue\":7}",
		"{\"database\":\"0123456789012345678901234567890123456789\",\"id\":1,\"fence\":0,\"kind\":\"k\","
		"\"queue\":\"q\"}",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sf_jobs__letter l = { .id = 42 };
		assert_int_equal(sf_jobs__letter_read(sf_str(bad[i]), &l), SF_EINVAL);
		assert_true(l.id == 42 && !l.database[0]); /* untouched */
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
	const struct CMUnitTest tests[] = { cmocka_unit_test(written_and_read), cmocka_unit_test(too_small),
										cmocka_unit_test(refused), cmocka_unit_test(urls) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
