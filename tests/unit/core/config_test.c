/* config: the table's order, sources and their precedence, wrong values, hidden secrets. */
#include "core/test.h"
#include "core/config.h"

#include <jansson.h>
#include <stdlib.h>

static char why[256];
static char *rest[32];
static int nrest;

static int load(const char *const *args) {
	char *argv[32] = { "softfactory" };
	int argc = 1;
	for (; *args; args++) argv[argc++] = (char *)(uintptr_t)*args;
	why[0] = 0;
	nrest = -1;
	return sf_config_load(argc, argv, rest, &nrest, why, sizeof(why));
}
#define LOAD(...) load((const char *const[]) { __VA_ARGS__ __VA_OPT__(, ) NULL })

static int clear(void **state) {
	(void)state;
	for (const struct sf_config_row *row = sf_config_rows; row->name; row++) unsetenv(row->name);
	return 0;
}

static void rows_are_in_order_and_complete(void **state) {
	(void)state;
	const struct sf_config_row *last = NULL;
	for (const struct sf_config_row *row = sf_config_rows; row->name; last = row++) {
		if (last) assert_true(strcmp(last->name, row->name) < 0);
		assert_memory_equal(row->flag, "--", 2);
		assert_int_equal(row->help[strlen(row->help) - 1], '.');
		if (row->type == SF_CFG_INT || row->type == SF_CFG_MSEC || row->type == SF_CFG_BYTES)
			assert_true(row->max > row->min);
		for (const struct sf_config_row *other = sf_config_rows; other < row; other++)
			assert_string_not_equal(row->flag, other->flag);
	}
	assert_int_equal(LOAD(), 0); /* defaults are within their own ranges */
}

static void defaults(void **state) {
	(void)state;
	assert_int_equal(LOAD(), 0);
	assert_int_equal(nrest, 0);
	assert_int_equal(sf_config_int("PORT"), 8000);
	assert_int_equal(sf_config_int("HTTP_BODY_MAX"), 1 << 20);
	assert_int_equal(sf_config_int("DB_POOL_RECYCLE"), 1800000);
	assert_int_equal(sf_config_int("DB_POOL_WAIT"), 250);
	assert_string_equal(sf_config_text("DATABASE_URL"), "sqlite:///data/softfactory.db");
	assert_null(sf_config_text("JWT_SECRET"));
	assert_false(sf_config_bool("DEMO_MODE"));
	assert_true(sf_config_bool("ACCESS_LOG"));
	assert_string_equal(sf_config_source("PORT"), "default");
}

static void flags_win_over_the_environment(void **state) {
	(void)state;
	setenv("PORT", "9000", 1);
	setenv("WORKERS", "3", 1);
	setenv("LISTEN", "", 1);
	assert_int_equal(LOAD("serve", "--port", "9100", "--demo-mode", "--log-level=debug",
						  "--http-body-max=4MiB", "--drain-timeout", "2m", "x", "-", "--", "--port"),
					 0);
	assert_int_equal(sf_config_int("PORT"), 9100);
	assert_string_equal(sf_config_source("PORT"), "flag");
	assert_int_equal(sf_config_int("WORKERS"), 3);
	assert_string_equal(sf_config_source("WORKERS"), "environment");
	assert_string_equal(sf_config_text("LISTEN"), "0.0.0.0");
	assert_true(sf_config_bool("DEMO_MODE"));
	assert_string_equal(sf_config_text("LOG_LEVEL"), "debug");
	assert_int_equal(sf_config_int("HTTP_BODY_MAX"), 4 << 20);
	assert_int_equal(sf_config_int("DRAIN_TIMEOUT"), 120000);
	assert_int_equal(nrest, 4);
	assert_string_equal(rest[0], "serve");
	assert_string_equal(rest[1], "x");
	assert_string_equal(rest[2], "-");
	assert_string_equal(rest[3], "--port");
	setenv("WEB_DIR", "/x", 1);
	assert_int_equal(LOAD("--web-dir="), 0);
	assert_null(sf_config_text("WEB_DIR"));
}

static void wrong_values_teach(void **state) {
	(void)state;
	assert_int_equal(LOAD("--port", "70000"), SF_EINVAL);
	assert_string_equal(why, "PORT (--port) must be a whole number from 0 to 65535, not \"70000\"");
	assert_int_equal(LOAD("--port=80x"), SF_EINVAL);
	assert_int_equal(LOAD("--port="), SF_EINVAL);
	assert_int_equal(LOAD("--port"), SF_EINVAL);
	assert_string_equal(why, "--port needs a value");
	assert_int_equal(LOAD("--prot", "80"), SF_EINVAL);
	assert_string_equal(why, "there is no flag \"--prot\"; --help lists them");
	assert_int_equal(LOAD("--log-level", "loud"), SF_EINVAL);
	assert_string_equal(why, "LOG_LEVEL (--log-level) must be one of debug|info|warn|error, not \"loud\"");
	assert_int_equal(LOAD("--demo-mode=perhaps"), SF_EINVAL);
	assert_int_equal(LOAD("--db-pool-wait", "250"), SF_EINVAL); /* of what? */
	assert_string_equal(
		why,
		"DB_POOL_WAIT (--db-pool-wait) must be a time such as 250ms, 30s or 5m, from 1ms to 1m, not \"250\"");
	assert_int_equal(LOAD("--http-body-max", "9999999999999GiB"), SF_EINVAL);
	assert_string_equal(why, "HTTP_BODY_MAX (--http-body-max) must be a size such as 512KiB or 4MiB, from "
							 "1KiB to 1GiB, not \"9999999999999GiB\"");
	setenv("WORKERS", "-1", 1);
	assert_int_equal(LOAD(), SF_EINVAL);
	assert_non_null(strstr(why, "WORKERS"));
}

static void secrets_are_hidden(void **state) {
	(void)state;
	assert_int_equal(LOAD("--jwt-secret=very-secret-text", "--database-url=postgresql://me:p%40ss@db:5432/x",
						  "--jwt-previous-secrets=old-secret",
						  "--database-replica-urls=postgresql://r:one@a/x,postgresql://r@b/x,postgresql://h/"
						  "x?password=two,postgresql://r:t@h/r@e@c/x"),
					 0);
	struct sf_buf b = { 0 };
	for (int json = 0; json < 2; json++) {
		sf_buf_clear(&b);
		sf_config_print(&b, json);
		sf_buf_char(&b, 0);
		static const char *const never[] = {
			"secret-text", "old-secret", "p%40ss", "one", "two", ":t@", "h/r"
		};
		for (size_t i = 0; i < SF_COUNT(never); i++) {
			const char *at = strstr(b.p, never[i]);
			/* words of the help may hold "one" */
			if (at && !(json || i == 3)) fail_msg("%s is shown", never[i]);
		}
		assert_non_null(strstr(b.p, "postgresql://me:********@db:5432/x"));
		assert_non_null(strstr(
			b.p, "postgresql://r:********@a/x,postgresql://r@b/x,********,postgresql://r:********@c/x"));
	}
	json_t *v = json_loads(b.p, 0, NULL);
	assert_true(json_is_array(v));
	json_decref(v);
	sf_buf_clear(&b);
	sf_config_help(&b);
	sf_buf_char(&b, 0);
	assert_non_null(strstr(b.p, "--port N"));
	assert_non_null(strstr(b.p, "[8000]"));
	sf_buf_fini(&b);
}

static void a_services_own(void **state) {
	(void)state;
	assert_int_equal(LOAD(), 0);
	assert_null(sf_config_service("sns-auto", "_DATABASE_URL"));
	setenv("SNS_AUTO_DATABASE_URL", "sqlite:///x", 1);
	assert_string_equal(sf_config_service("sns-auto", "_DATABASE_URL"), "sqlite:///x");
	unsetenv("SNS_AUTO_DATABASE_URL");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rows_are_in_order_and_complete, clear),
		cmocka_unit_test_setup(defaults, clear),
		cmocka_unit_test_setup(flags_win_over_the_environment, clear),
		cmocka_unit_test_setup(wrong_values_teach, clear),
		cmocka_unit_test_setup(secrets_are_hidden, clear),
		cmocka_unit_test_setup(a_services_own, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
