/* str: comparing, cutting, and reading numbers that people type. */
#include "core/test.h"

static void comparing(void **state) {
	(void)state;
	assert_true(sf_str_ieq(SF_STR("Content-Length"), SF_STR("content-lENGTH")));
	assert_false(sf_str_ieq(SF_STR("a"), SF_STR("ab")));
	assert_false(sf_str_ieq(SF_STR("@"), SF_STR("`"))); /* differ by the case bit only, and are no letters */
	assert_false(sf_str_ieq(SF_STR("\xC0"), SF_STR("\xE0")));
	assert_true(sf_str_eq(SF_STR_NULL, SF_STR("")));
	assert_true(sf_str_starts(SF_STR("abc"), SF_STR("ab")));
	assert_true(sf_str_starts(SF_STR("abc"), SF_STR("")));
	assert_false(sf_str_starts(SF_STR("a"), SF_STR("ab")));
}

static void trimming_and_cutting(void **state) {
	(void)state;
	assert_str(sf_str_trim(SF_STR(" \t\r\n a b \v\f")), "a b");
	assert_str(sf_str_trim(SF_STR("   ")), "");
	assert_str(sf_str_trim(SF_STR_NULL), "");
	struct sf_str head, rest;
	assert_true(sf_str_cut(SF_STR("a=b=c"), '=', &head, &rest));
	assert_str(head, "a");
	assert_str(rest, "b=c");
	assert_true(sf_str_cut(SF_STR("="), '=', &head, &rest));
	assert_str(head, "");
	assert_str(rest, "");
	assert_false(sf_str_cut(SF_STR("abc"), '=', &head, &rest));
	assert_str(head, "abc");
	assert_str(rest, "");
	assert_false(sf_str_cut(SF_STR_NULL, '=', &head, &rest));
	/* the parts may be the source */
	struct sf_str s = SF_STR("x,y");
	assert_true(sf_str_cut(s, ',', &head, &s));
	assert_str(s, "y");
}

static void integers(void **state) {
	(void)state;
	int64_t v = 42;
	assert_int_equal(sf_str_int(SF_STR("9223372036854775807"), &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(sf_str_int(SF_STR("-9223372036854775808"), &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(sf_str_int(SF_STR("-0"), &v), 0);
	assert_true(v == 0);
	v = 42;
	static const char *const bad[] = { "",
									   "-",
									   "+1",
									   " 1",
									   "1 ",
									   "1.0",
									   "0x1",
									   "1e3",
									   "--1",
									   "9223372036854775808",
									   "-9223372036854775809",
									   "99999999999999999999",
									   "1\xC2\xA0",
									   "１" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		assert_int_equal(sf_str_int(sf_str(bad[i]), &v), SF_EINVAL);
		assert_int_equal(v, 42);
	}
	assert_int_equal(sf_str_int((struct sf_str) { "1\0", 2 }, &v), SF_EINVAL);
}

static void floats(void **state) {
	(void)state;
	double v = 42;
	static const struct {
		const char *text;
		double want;
	} good[] = { { "0", 0 },      { "-1.5", -1.5 },
				 { ".5", .5 },    { "5.", 5 },
				 { "1e3", 1000 }, { "1E-2", 0.01 },
				 { "1e+2", 100 }, { "0.1", 0.1 },
				 { "1e-400", 0 }, { "179769313486231570000e288", 179769313486231570000e288 } };
	for (size_t i = 0; i < SF_COUNT(good); i++) {
		assert_int_equal(sf_str_float(sf_str(good[i].text), &v), 0);
		assert_true(v == good[i].want);
	}
	v = 42;
	static const char *const bad[] = { "",     "-",  ".",  "e5", "1e",    "1e+", "inf",   "nan",
									   "0x10", " 1", "1 ", "+1", "1e999", "1,5", "1.2.3", "-.e1" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		assert_int_equal(sf_str_float(sf_str(bad[i]), &v), SF_EINVAL);
		assert_true(v == 42);
	}
	char zeros[600];
	memset(zeros, '0', sizeof(zeros));
	assert_int_equal(sf_str_float((struct sf_str) { zeros, sizeof(zeros) }, &v), SF_EINVAL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparing),
		cmocka_unit_test(trimming_and_cutting),
		cmocka_unit_test(integers),
		cmocka_unit_test(floats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
