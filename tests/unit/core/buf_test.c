/* buf: growth on the heap and in an arena, numbers, printf, failure that stays. */
#include "core/test.h"

#include <stdio.h>

static void fill(struct sf_buf *b) {
	for (int i = 0; i < 20000; i++) {
		sf_buf_int(b, i);
		sf_buf_char(b, ',');
	}
}

static void check_filled(const struct sf_buf *b) {
	char want[32];
	size_t at = 0;
	assert_false(b->failed);
	for (int i = 0; i < 20000; i++) {
		int n = snprintf(want, sizeof(want), "%d,", i);
		assert_memory_equal(b->p + at, want, (size_t)n);
		at += (size_t)n;
	}
	assert_int_equal(at, b->n);
}

static void grows_on_the_heap(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	fill(&b);
	check_filled(&b);
	sf_buf_clear(&b);
	assert_int_equal(b.n, 0);
	assert_true(b.cap > 0);
	sf_buf_fini(&b);
	assert_null(b.p);
	sf_buf_fini(&b);
}

static void grows_in_an_arena_also_between_others(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_buf b, c;
	sf_buf_init(&b, a);
	sf_buf_init(&c, a);
	for (int i = 0; i < 3000; i++) {
		sf_buf_printf(&b, "b%d ", i);
		sf_buf_printf(&c, "c%d ", i);
		if (i % 100 == 0) memset(sf_arena_alloc(a, 64), 0xEE, 64);
	}
	char want[16];
	size_t at = 0;
	for (int i = 0; i < 3000; i++) {
		int n = snprintf(want, sizeof(want), "b%d ", i);
		assert_memory_equal(b.p + at, want, (size_t)n);
		want[0] = 'c';
		assert_memory_equal(c.p + at, want, (size_t)n);
		at += (size_t)n;
	}
	struct sf_buf d;
	sf_buf_init(&d, a);
	fill(&d);
	check_filled(&d);
	sf_buf_fini(&d);
	sf_arena_free(a);
}

static void growing_alone_wastes_nothing(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (int i = 0; i < 1000000; i++) sf_buf_char(&b, 'x');
	assert_true(sf_arena_used(a) < 1200000);
	sf_arena_free(a);
}

static void numbers(void **state) {
	(void)state;
	const int64_t v[] = { 0, 7, -7, 10, 99, 100, 101, 999, 1000, 12345678, -1000000, INT64_MAX, INT64_MIN };
	for (size_t i = 0; i < SF_COUNT(v); i++) {
		char want[32];
		snprintf(want, sizeof(want), "%lld", (long long)v[i]);
		struct sf_buf b = { 0 };
		sf_buf_int(&b, v[i]);
		assert_str(sf_buf_view(&b), want);
		sf_buf_fini(&b);
	}
}

static void failure_stays_until_cleared(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	sf_buf_cstr(&b, "abc");
	assert_null(sf_buf_reserve(&b, SIZE_MAX));
	assert_null(sf_buf_reserve(&b, SIZE_MAX / 2));
	assert_true(b.failed);
	sf_buf_cstr(&b, "def");
	sf_buf_printf(&b, "%d", 5);
	sf_buf_char(&b, 'x');
	sf_buf_int(&b, 1);
	assert_str(sf_buf_view(&b), "abc");
	sf_buf_clear(&b);
	sf_buf_cstr(&b, "def");
	assert_str(sf_buf_view(&b), "def");
	sf_buf_fini(&b);
}

static void printf_fits_and_grows(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	for (int width = 0; width < 300; width++) sf_buf_printf(&b, "%*d", width, 1);
	size_t want = 1;
	for (size_t width = 1; width < 300; width++) want += width;
	assert_int_equal(b.n, want);
	sf_buf_add(&b, NULL, 0);
	sf_buf_str(&b, SF_STR_NULL);
	assert_int_equal(b.n, want);
	sf_buf_fini(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_on_the_heap),
		cmocka_unit_test(grows_in_an_arena_also_between_others),
		cmocka_unit_test(growing_alone_wastes_nothing),
		cmocka_unit_test(numbers),
		cmocka_unit_test(failure_stays_until_cleared),
		cmocka_unit_test(printf_fits_and_grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
