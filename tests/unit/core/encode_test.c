/* encode: hexadecimal, base64url and percent-encoding, and texts that are none. */
#include "core/test.h"
#include "core/hash.h"

static void hex(void **state) {
	(void)state;
	unsigned char b[4] = { 1, 2, 3, 4 };
	assert_int_equal(sf_unhex(SF_STR("00fFaB10"), b, 4), 0);
	assert_memory_equal(b, "\x00\xff\xab\x10", 4);
	assert_int_equal(sf_unhex(SF_STR("00"), b, 4), SF_EINVAL);
	assert_int_equal(sf_unhex(SF_STR("0000000g"), b, 4), SF_EINVAL);
	assert_int_equal(sf_unhex(SF_STR("000000000"), b, 4), SF_EINVAL);
	assert_memory_equal(b, "\x00\xff\xab\x10", 4);
}

static void base64url_vectors(void **state) { /* RFC 4648 §10 without padding, and both special digits */
	(void)state;
	static const struct {
		const char *plain, *text;
	} v[] = {
		{ "", "" },           { "f", "Zg" },          { "fo", "Zm8" },          { "foo", "Zm9v" },
		{ "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "-_-_" }
	};
	for (size_t i = 0; i < SF_COUNT(v); i++) {
		char text[32], plain[32];
		size_t n = 99;
		assert_int_equal(sf_base64url(v[i].plain, strlen(v[i].plain), text), strlen(v[i].text));
		assert_string_equal(text, v[i].text);
		assert_int_equal(sf_unbase64url(sf_str(text), plain, sizeof(plain), &n), 0);
		assert_int_equal(n, strlen(v[i].plain));
		assert_memory_equal(plain, v[i].plain, n);
	}
}

static void base64url_refuses(void **state) {
	(void)state;
	char out[8];
	size_t n = 99;
	static const char *const bad[] = { "Z",    "Zg=",  "Zg==", "Zh",    "Zm9",
									   "Zm9+", "Zm9/", "Zm 9", "Zm9vY", "Zm9v\n" };
	for (size_t i = 0; i < SF_COUNT(bad); i++)
		assert_int_equal(sf_unbase64url(sf_str(bad[i]), out, sizeof(out), &n), SF_EINVAL);
	assert_int_equal(sf_unbase64url(SF_STR("Zm9vYmFy"), out, 5, &n), SF_EINVAL);
	assert_int_equal(n, 99);
	assert_int_equal(sf_unbase64url(SF_STR("Zm9vYmFy"), out, 6, &n), 0);
}

static void percent_decoding(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_str out;
	assert_int_equal(sf_percent_decode(a, SF_STR("a%20b+c"), true, &out), 0);
	assert_str(out, "a b c");
	assert_int_equal(sf_percent_decode(a, SF_STR("a+b"), false, &out), 0);
	assert_str(out, "a+b");
	assert_int_equal(sf_percent_decode(a, SF_STR("%ED%95%9C"), false, &out), 0);
	assert_str(out, "한");
	assert_int_equal(sf_percent_decode(a, SF_STR("%2e%2E%2f"), false, &out), 0);
	assert_str(out, "../");
	assert_int_equal(sf_percent_decode(a, SF_STR("%2541"), false, &out), 0); /* once only */
	assert_str(out, "%41");
	assert_int_equal(sf_percent_decode(a, SF_STR(""), false, &out), 0);
	static const char *const bad[] = { "%",     "%1",  "a%",     "%zz",       "%0g",  "%00",
									   "a%00b", "%ff", "%c0%af", "%ed%a0%80", "\xff", "%u0041" };
	for (size_t i = 0; i < SF_COUNT(bad); i++)
		assert_int_equal(sf_percent_decode(a, sf_str(bad[i]), true, &out), SF_EINVAL);
	sf_arena_free(a);
}

static void percent_encoding_round_trips(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_buf b;
	sf_buf_init(&b, a);
	sf_percent_encode(&b, SF_STR("a-b._~/? 한&=+%"));
	assert_str(sf_buf_view(&b), "a-b._~%2F%3F%20%ED%95%9C%26%3D%2B%25");
	struct sf_str back;
	assert_int_equal(sf_percent_decode(a, sf_buf_view(&b), true, &back), 0);
	assert_str(back, "a-b._~/? 한&=+%");
	sf_arena_free(a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex),
		cmocka_unit_test(base64url_vectors),
		cmocka_unit_test(base64url_refuses),
		cmocka_unit_test(percent_decoding),
		cmocka_unit_test(percent_encoding_round_trips),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
