/* arena: alignment, budget, growth over blocks, disposers, recycling. */
#include "core/test.h"

#include <pthread.h>
#include <stdlib.h>

static void pieces_are_aligned_and_apart(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	unsigned char *piece[400];
	for (size_t i = 0; i < SF_COUNT(piece); i++) {
		size_t n = i * 7 % 300;
		piece[i] = sf_arena_alloc(a, n);
		assert_int_equal((uintptr_t)piece[i] % 16, 0);
		memset(piece[i], (int)(i & 255), n);
	}
	for (size_t i = 0; i < SF_COUNT(piece); i++)
		for (size_t k = 0; k < i * 7 % 300; k++) assert_int_equal(piece[i][k], i & 255);
	assert_true(sf_arena_used(a) >= 400 * 150 * 9 / 10);
	sf_arena_free(a);
}

static void large_pieces_leave_the_block_in_use(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	char *one = sf_arena_alloc(a, 16);
	memset(sf_arena_alloc(a, 1 << 20), 7, 1 << 20);
	char *two = sf_arena_alloc(a, 16);
	assert_ptr_equal(two, one + 16);
	char *z = sf_arena_zalloc(a, 5000);
	for (size_t i = 0; i < 5000; i++) assert_int_equal(z[i], 0);
	sf_arena_free(a);
}

static void try_stops_at_the_budget(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(10000);
	assert_null(sf_arena_try(a, 10001));
	assert_null(sf_arena_try(a, SIZE_MAX));
	assert_null(sf_arena_try(a, SIZE_MAX - 7));
	assert_non_null(sf_arena_try(a, 6000));
	assert_null(sf_arena_try(a, 6000));
	assert_non_null(sf_arena_try(a, 3000));
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (int i = 0; i < 2000; i++) sf_buf_char(&b, 'x');
	assert_true(b.failed);
	assert_true(b.n <= 1000);
	sf_arena_free(a);
}

static char order[8];
static size_t norder;
static void note(void *arg) {
	order[norder++] = *(char *)arg;
}

static struct sf_arena *nested_arena;
static void note_and_defer(void *arg) {
	note(arg);
	sf_arena_defer(nested_arena, note, "n");
}

static void disposers_run_newest_first(void **state) {
	(void)state;
	norder = 0;
	struct sf_arena *a = nested_arena = sf_arena_new(0);
	sf_arena_defer(a, note, "a");
	sf_arena_defer(a, note_and_defer, "b");
	sf_arena_defer(a, note, "c");
	sf_arena_reset(a);
	assert_int_equal(norder, 4);
	assert_memory_equal(order, "cbna", 4);
	sf_arena_defer(a, note, "d");
	sf_arena_free(a);
	assert_int_equal(norder, 5);
	assert_int_equal(order[4], 'd');
	sf_arena_free(NULL);
}

static void reset_keeps_the_first_block(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	char *first = sf_arena_alloc(a, 32);
	for (int i = 0; i < 3000; i++) memset(sf_arena_alloc(a, 500), i & 255, 500);
	memset(sf_arena_alloc(a, 100000), 1, 100000);
	sf_arena_reset(a);
	assert_int_equal(sf_arena_used(a), 0);
	assert_ptr_equal(sf_arena_alloc(a, 32), first);
	sf_arena_free(a);
}

static void blocks_are_recycled(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	void *was = a;
	sf_arena_free(a);
	a = sf_arena_new(0);
	assert_ptr_equal(a, was);
	sf_arena_free(a);
}

static void *in_a_thread(void *arg) {
	for (int i = 0; i < 100; i++) {
		struct sf_arena *a = sf_arena_new(0);
		memset(sf_arena_alloc(a, 3000), 1, 3000);
		sf_arena_free(a);
	}
	return arg;
}

static void a_threads_end_frees_its_blocks(void **state) {
	(void)state; /* the leak check of the sanitizer build is the judge */
	pthread_t t[4];
	for (size_t i = 0; i < SF_COUNT(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, in_a_thread, NULL), 0);
	for (size_t i = 0; i < SF_COUNT(t); i++) assert_int_equal(pthread_join(t[i], NULL), 0);
}

static void text_is_copied_and_terminated(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_str s = sf_arena_str(a, (struct sf_str) { "abcdef", 3 });
	assert_str(s, "abc");
	assert_int_equal(s.p[3], 0);
	assert_null(sf_arena_str(a, SF_STR_NULL).p);
	assert_string_equal(sf_arena_cstr(a, SF_STR_NULL), "");
	assert_str(sf_arena_line(a, SF_STR("a\nb\r\n\tc")), "a b   c");
	assert_str(sf_arena_line(a, SF_STR("\xc2\x85 김\xe2\x80\xa8민\xe2\x80\xae\xe2\x81\xa6준\x1b\x7f")),
			   "  김 민  준  ");
	assert_str(sf_arena_printf(a, "%d-%s", 7, "x"), "7-x");
	char big[2000];
	memset(big, 'y', sizeof(big) - 1), big[sizeof(big) - 1] = 0;
	assert_str(sf_arena_printf(a, "%s", big), big);
	sf_arena_free(a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_and_apart),
		cmocka_unit_test(large_pieces_leave_the_block_in_use),
		cmocka_unit_test(try_stops_at_the_budget),
		cmocka_unit_test(disposers_run_newest_first),
		cmocka_unit_test(reset_keeps_the_first_block),
		cmocka_unit_test(blocks_are_recycled),
		cmocka_unit_test(a_threads_end_frees_its_blocks),
		cmocka_unit_test(text_is_copied_and_terminated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
