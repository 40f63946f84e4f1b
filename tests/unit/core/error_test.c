/* error: every error has a status, a code, a sentence; unknown numbers are internal errors. */
#include "core/test.h"

static void every_error_is_described(void **state) {
	(void)state;
	for (int err = -1; err > -SF_ERR_COUNT; err--) {
		assert_in_range(sf_err_status(err), 400, 599);
		assert_true(strlen(sf_err_code(err)) > 1);
		const char *text = sf_err_text(err);
		assert_int_equal(text[strlen(text) - 1], '.');
		assert_memory_equal(sf_err_symbol(err), "SF_E", 4);
	}
	assert_int_equal(sf_err_status(0), 200);
	assert_int_equal(sf_err_status(SF_ENOTFOUND), 404);
	assert_string_equal(sf_err_code(SF_EDUP), "duplicate");
	assert_string_equal(sf_err_symbol(SF_ESERIAL), "SF_ESERIAL");
}

static void unknown_numbers_are_internal(void **state) {
	(void)state;
	const int numbers[] = { 1, -SF_ERR_COUNT, -100000, INT32_MIN, INT32_MAX };
	for (size_t i = 0; i < SF_COUNT(numbers); i++) {
		assert_int_equal(sf_err_status(numbers[i]), 500);
		assert_string_equal(sf_err_code(numbers[i]), "internal");
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_is_described),
		cmocka_unit_test(unknown_numbers_are_internal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
