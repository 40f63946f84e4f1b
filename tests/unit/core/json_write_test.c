/* json_write: commas, escapes at every place, UTF-8 that is none, shortest floats. */
#include "core/test.h"
#include "core/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static void structure(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	struct sf_json j = sf_json(&b);
	sf_json_obj(&j);
	sf_json_add(&j, SF_KV("id", 7), SF_KV("name", "x"), SF_KV("ok", (bool)false),
				SF_KV("raw", SF_STR("no raw")));
	sf_json_key(&j, "list");
	sf_json_arr(&j);
	sf_json_int(&j, -1);
	sf_json_float(&j, 4.5);
	sf_json_arr(&j);
	sf_json_arr_end(&j);
	sf_json_obj(&j);
	sf_json_obj_end(&j);
	sf_json_null(&j);
	sf_json_bool(&j, true);
	sf_json_str(&j, SF_STR_NULL);
	sf_json_str(&j, SF_STR(""));
	sf_json_raw(&j, SF_STR("{\"a\":1}"));
	sf_json_raw(&j, SF_STR_NULL);
	sf_json_arr_end(&j);
	sf_json_key(&j, "at");
	sf_json_time(&j, 0);
	sf_json_key(&j, "day");
	sf_json_date(&j, 19000);
	sf_json_kv(&j, (const struct sf_kv[]) { { .key = "r", .type = SF_KV_RAW, .s = SF_STR("[1]") }, { 0 } });
	sf_json_obj_end(&j);
	assert_str(sf_buf_view(&b), "{\"id\":7,\"name\":\"x\",\"ok\":false,\"raw\":\"no "
								"raw\",\"list\":[-1,4.5,[],{},null,true,null,\"\",{\"a\":1},null],"
								"\"at\":\"1970-01-01T00:00:00Z\",\"day\":\"2022-01-08\",\"r\":[1]}");
	sf_buf_fini(&b);
}

static void written(struct sf_str s, struct sf_buf *b) {
	sf_buf_clear(b);
	struct sf_json j = sf_json(b);
	sf_json_str(&j, s);
}

static void escapes(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	written(SF_STR("\"\\/\b\f\n\r\t\x01\x1f\x7f<한😀"), &b);
	assert_str(sf_buf_view(&b), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f<한😀\"");
	written((struct sf_str) { "a\0b", 3 }, &b);
	assert_str(sf_buf_view(&b), "\"a\\u0000b\"");
	sf_buf_fini(&b);
}

static void bad_utf8_is_replaced(void **state) {
	(void)state;
	static const struct {
		const char *text, *want;
	} v[] = { { "\xff", "\"\xEF\xBF\xBD\"" },
			  { "a\xC0\x80z", "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\"" },
			  { "\xED\x95", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
			  { "한\xED\xA0\x80", "\"한\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" } };
	struct sf_buf b = { 0 };
	for (size_t i = 0; i < SF_COUNT(v); i++) {
		written(sf_str(v[i].text), &b);
		assert_str(sf_buf_view(&b), v[i].want);
	}
	sf_buf_fini(&b);
}

/* Each byte at each place of a text of 40: jansson reads back what was written. */
static void every_byte_everywhere(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	char text[40];
	for (unsigned c = 1; c < 128; c++)
		for (size_t at = 0; at < sizeof(text); at++) {
			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			written((struct sf_str) { text, sizeof(text) }, &b);
			json_t *v = json_loadb(b.p, b.n, JSON_DECODE_ANY, NULL);
			assert_non_null(v);
			assert_int_equal(json_string_length(v), sizeof(text));
			assert_memory_equal(json_string_value(v), text, sizeof(text));
			json_decref(v);
		}
	sf_buf_fini(&b);
}

/* Any bytes at all give a valid JSON text. */
static void random_bytes_stay_json(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < 20000; i++) {
		unsigned char text[48];
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t n = x % (sizeof(text) + 1);
		for (size_t k = 0; k < n; k++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			text[k] = (unsigned char)(x >> 32);
		}
		written((struct sf_str) { (char *)text, n }, &b);
		json_t *v = json_loadb(b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_non_null(v);
		json_decref(v);
	}
	sf_buf_fini(&b);
}

static struct sf_str float_text(struct sf_buf *b, double v) {
	sf_buf_clear(b);
	struct sf_json j = sf_json(b);
	sf_json_float(&j, v);
	return sf_buf_view(b);
}

static void floats(void **state) {
	(void)state;
	static const struct {
		double v;
		const char *want;
	} cases[] = { { 0, "0" },
				  { 4, "4" },
				  { 4.5, "4.5" },
				  { -4.25, "-4.25" },
				  { 0.1, "0.1" },
				  { 0.3, "0.3" },
				  { 1.05, "1.05" },
				  { 0.000001, "0.000001" },
				  { 1e15, "1e+15" },
				  { 123456789012345.0, "123456789012345" },
				  { 0.1 + 0.2, "0.30000000000000004" },
				  { 1e-7, "1e-07" },
				  { 1e300, "1e+300" },
				  { 5e-324, "4.94065645841247e-324" },
				  { 1.7976931348623157e308, "1.7976931348623157e+308" },
				  { 1.0 / 3, "0.3333333333333333" },
				  { 3.14159, "3.14159" },
				  { 999999999.999999, "999999999.999999" } };
	struct sf_buf b = { 0 };
	for (size_t i = 0; i < SF_COUNT(cases); i++) assert_str(float_text(&b, cases[i].v), cases[i].want);
	assert_str(float_text(&b, NAN), "null");
	assert_str(float_text(&b, INFINITY), "null");
	assert_str(float_text(&b, -INFINITY), "null");
	sf_buf_fini(&b);
}

static void floats_read_back_the_same(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < 100000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		double v;
		if (i & 1)
			memcpy(&v, &x, sizeof(v));
		else
			v = (double)(int64_t)(x % 2000000000000) / (double[]) { 1, 10, 100, 1e3, 1e5, 1e6 }[x % 6];
		if (!isfinite(v)) continue;
		struct sf_str s = float_text(&b, v);
		char text[64];
		assert_true(s.n < sizeof(text));
		memcpy(text, s.p, s.n), text[s.n] = 0;
		assert_true(strtod(text, NULL) == v);
	}
	sf_buf_fini(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structure),
		cmocka_unit_test(escapes),
		cmocka_unit_test(bad_utf8_is_replaced),
		cmocka_unit_test(every_byte_everywhere),
		cmocka_unit_test(random_bytes_stay_json),
		cmocka_unit_test(floats),
		cmocka_unit_test(floats_read_back_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
