/* utf8: every boundary of RFC 3629, at every place of a longer text. */
#include "core/test.h"

static const char *const good[] = { "",
									"a",
									"\x7F",
									"\xC2\x80",
									"\xDF\xBF",
									"\xE0\xA0\x80",
									"\xED\x9F\xBF",
									"\xEE\x80\x80",
									"\xEF\xBF\xBF",
									"\xF0\x90\x80\x80",
									"\xF4\x8F\xBF\xBF",
									"한글 텍스트",
									"👩‍🍳" };
static const char *const bad[] = { "\x80",
								   "\xBF",
								   "\xC0\x80",
								   "\xC1\xBF",
								   "\xC2",
								   "\xC2"
								   "a",
								   "\xE0\x80\x80",
								   "\xE0\x9F\xBF",
								   "\xE1\x80",
								   "\xE1\x80"
								   "a",
								   "\xED\xA0\x80",
								   "\xED\xBF\xBF",
								   "\xF0\x8F\xBF\xBF",
								   "\xF0\x90\x80",
								   "\xF4\x90\x80\x80",
								   "\xF5\x80\x80\x80",
								   "\xF8\x88\x80\x80\x80",
								   "\xFE",
								   "\xFF",
								   "\xF0\x90\x80"
								   "aa" };

/* The text with up to 20 letters before and after it: the eight-byte steps meet it everywhere. */
static void everywhere(const char *text, bool want) {
	char whole[128];
	size_t n = strlen(text);
	for (size_t before = 0; before <= 20; before++)
		for (size_t after = 0; after <= 20; after++) {
			memset(whole, 'x', sizeof(whole));
			memcpy(whole + before, text, n);
			assert_int_equal(sf_utf8_valid((struct sf_str) { whole, before + n + after }), want);
		}
}

static void valid(void **state) {
	(void)state;
	for (size_t i = 0; i < SF_COUNT(good); i++) everywhere(good[i], true);
	for (size_t i = 0; i < SF_COUNT(bad); i++) everywhere(bad[i], false);
	assert_true(sf_utf8_valid(SF_STR_NULL));
}

static void nul_is_refused(void **state) {
	(void)state;
	char text[32];
	for (size_t at = 0; at < sizeof(text); at++) {
		memset(text, 'a', sizeof(text));
		text[at] = 0;
		assert_false(sf_utf8_valid((struct sf_str) { text, sizeof(text) }));
	}
}

/* Every sequence of two bytes, against the definition. */
static void all_pairs(void **state) {
	(void)state;
	for (unsigned a = 1; a < 256; a++)
		for (unsigned b = 1; b < 256; b++) {
			char text[2] = { (char)a, (char)b };
			bool want = (a < 0x80 && b < 0x80) || (a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF);
			assert_int_equal(sf_utf8_valid((struct sf_str) { text, 2 }), want);
		}
}

static void length_in_code_points(void **state) {
	(void)state;
	assert_int_equal(sf_utf8_len(SF_STR("")), 0);
	assert_int_equal(sf_utf8_len(SF_STR("abc")), 3);
	assert_int_equal(sf_utf8_len(SF_STR("한글")), 2);
	assert_int_equal(sf_utf8_len(SF_STR("a😀b")), 3);
}

static size_t encode(uint32_t c, char *p) {
	if (c < 0x80) return p[0] = (char)c, 1;
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; --i;) p[i] = (char)(0x80 | (c & 63)), c >>= 6;
	p[0] = (char)(0xF00 >> n | c);
	return n;
}

/* Every code point, against the definition. */
static void control_characters(void **state) {
	(void)state;
	for (uint32_t c = 0; c <= 0x10FFFF; c++) {
		if (c >= 0xD800 && c <= 0xDFFF) continue;
		char text[8];
		size_t n = encode(c, text);
		bool want = c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) ||
					(c >= 0x2066 && c <= 0x2069);
		assert_int_equal(sf_utf8_control(text, text + n), want ? n : 0);
		for (size_t cut = 1; cut < n; cut++) assert_int_equal(sf_utf8_control(text, text + cut), 0);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid),
		cmocka_unit_test(nul_is_refused),
		cmocka_unit_test(all_pairs),
		cmocka_unit_test(length_in_code_points),
		cmocka_unit_test(control_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
