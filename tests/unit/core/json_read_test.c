/* json_read: what is refused and why, depth on a small stack, limits, and back to text. */
#include "core/test.h"
#include "core/json.h"

#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

static int parse(struct sf_arena *a, struct sf_str text, struct sf_str *why) {
	struct json_t *v = NULL;
	*why = SF_STR_NULL;
	int err = sf_json_parse(a, text, &v, why);
	assert_int_equal(err == 0, v != NULL);
	assert_int_equal(err == 0, why->p == NULL);
	return err;
}

static void refused(void **state) {
	(void)state;
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "ends too early" },
		{ "{\"a\":1,\"a\":2}", "stands twice" },
		{ "[1] x", "follows its end" },
		{ "{}{}", "follows its end" },
		{ "\"\\u0000\"", "NUL" },
		{ "{\"a\\u0000b\":1}", "NUL" },
		{ "\"\xff\"", "UTF-8" },
		{ "\"\xC0\xAF\"", "UTF-8" },
		{ "\"\xED\xA0\x80\"", "UTF-8" },
		{ "\"\\ud800\"", "not JSON" },
		{ "[1,]", "not JSON" },
		{ "{\"a\":1,}", "not JSON" },
		{ "{a:1}", "not JSON" },
		{ "'a'", "not JSON" },
		{ "NaN", "not JSON" },
		{ "[1 2]", "not JSON" },
		{ "01", "not JSON" },
		{ "1e999", "too large" },
		{ "9223372036854775808", "too large" },
		{ "\xEF\xBB\xBF{}", "not JSON" },
		{ "{\"a\":", "too early" },
		{ "\"abc", "too early" },
		{ "// x\n1", "not JSON" },
		{ "\"a\nb\"", "not JSON" },
	};
	struct sf_arena *a = sf_arena_new(0);
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		struct sf_str why;
		assert_int_equal(parse(a, sf_str(bad[i].text), &why), SF_EMALFORMED);
		if (!memmem(why.p, why.n, bad[i].why, strlen(bad[i].why)))
			fail_msg("%s: " SF_PRI, bad[i].text, SF_ARG(why));
		assert_non_null(memmem(why.p, why.n, "line ", 5));
	}
	struct sf_str why;
	assert_int_equal(parse(a, SF_STR_NULL, &why), SF_EMALFORMED);
	assert_int_equal(parse(a, (struct sf_str) { "1\0", 2 }, &why), SF_EMALFORMED);
	assert_int_equal(parse(a, SF_STR("{\n\"a\": 1,\n  oops}"), &why), SF_EMALFORMED);
	assert_non_null(memmem(why.p, why.n, "line 3", 6));
	sf_arena_free(a);
}

static void taken(void **state) {
	(void)state;
	static const char *const good[] = { "{}",
										"[]",
										"1",
										"null",
										"\"x\"",
										" [ 1 , -2.5e3 ] \n",
										"{\"a\":{\"a\":1},\"b\":[{},{}]}",
										"\"\\ud83d\\ude00\"",
										"\"[[[[{{{{\\\"[[[\\\\\"",
										"9223372036854775807",
										"-9223372036854775808",
										"1e-999" };
	struct sf_arena *a = sf_arena_new(0);
	struct sf_str why;
	for (size_t i = 0; i < SF_COUNT(good); i++)
		if (parse(a, sf_str(good[i]), &why)) fail_msg("%s: " SF_PRI, good[i], SF_ARG(why));
	sf_arena_free(a);
}

static struct sf_str nested(struct sf_arena *a, char open, char shut, size_t depth) {
	char *p = sf_arena_alloc(a, 2 * depth);
	memset(p, open, depth);
	memset(p + depth, shut, depth);
	return (struct sf_str) { p, 2 * depth };
}

static void *depths(void *arg) {
	struct sf_arena *a = sf_arena_new(0);
	struct sf_str why;
	assert_int_equal(parse(a, nested(a, '[', ']', SF_JSON_DEPTH), &why), 0);
	assert_int_equal(parse(a, nested(a, '[', ']', SF_JSON_DEPTH + 1), &why), SF_EMALFORMED);
	assert_non_null(memmem(why.p, why.n, "deeper than 64", 14));
	assert_int_equal(parse(a, nested(a, '[', ']', 500000), &why), SF_EMALFORMED);
	assert_int_equal(parse(a, nested(a, '{', '}', 500000), &why), SF_EMALFORMED);
	/* closing brackets first must not buy depth that the parser would then use */
	struct sf_str s = nested(a, ']', '[', 100000);
	assert_int_equal(parse(a, s, &why), SF_EMALFORMED);
	/* objects and arrays in turn, at the limit, with values to free */
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (int i = 0; i < SF_JSON_DEPTH / 2; i++) sf_buf_cstr(&b, "[{\"k\":");
	sf_buf_cstr(&b, "\"v\"");
	for (int i = 0; i < SF_JSON_DEPTH / 2; i++) sf_buf_cstr(&b, "}]");
	assert_int_equal(parse(a, sf_buf_view(&b), &why), 0);
	sf_arena_free(a);
	return arg;
}

/* As on a coroutine: little stack. The sanitizers' frames are larger, so that they get more. */
static void depth_on_a_small_stack(void **state) {
	(void)state;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 96 << 10);
#ifdef __SANITIZE_ADDRESS__
	pthread_attr_setstacksize(&attr, 512 << 10);
#endif
	pthread_t t;
	assert_int_equal(pthread_create(&t, &attr, depths, NULL), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	pthread_attr_destroy(&attr);
}

/* ---- limits ------------------------------------------------------------------------------------------ */

static int limited(struct sf_arena *a, const char *text, size_t values) {
	struct json_t *v = NULL;
	struct sf_str why = SF_STR_NULL;
	int err = sf_json_parse_limited(a, sf_str(text), &(struct sf_json_limits) { .values = values }, &v, &why);
	assert_int_equal(err == 0, v != NULL);
	assert_int_equal(err == 0, why.p == NULL);
	return err;
}

static void values_are_counted(void **state) {
	(void)state;
	static const struct {
		const char *text;
		size_t values;
	} rows[] = {
		{ "1", 1 },
		{ " \"a,[b\" ", 1 },
		{ "[]", 1 },
		{ "[ \n]", 1 },
		{ "{}", 1 },
		{ "[1]", 2 },
		{ "[ 1 , 2 ]", 3 },
		{ "[[],[ ],{}]", 4 },
		{ "[[[[1]]]]", 5 },
		{ "{\"a\":1,\"b\":[1,2,{\"c\":null}]}", 7 },
		{ "[\"\\\",[\",\"\\\\\",3]", 4 },
	};
	struct sf_arena *a = sf_arena_new(0);
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		if (limited(a, rows[i].text, rows[i].values)) fail_msg("%s", rows[i].text);
		if (rows[i].values > 1 && limited(a, rows[i].text, rows[i].values - 1) != SF_ETOOLARGE)
			fail_msg("%s has more", rows[i].text);
	}
	/* what is refused anyway: the limit neither helps nor hurts */
	assert_int_equal(limited(a, "[1,2", 3), SF_EMALFORMED);
	assert_int_equal(limited(a, "", 1), SF_EMALFORMED);
	struct json_t *v = NULL;
	struct sf_str why;
	assert_int_equal(
		sf_json_parse_limited(a, SF_STR("[1,2]"), &(struct sf_json_limits) { .values = 2 }, &v, &why),
		SF_ETOOLARGE);
	assert_str(why, "The JSON holds more than 2 values.");
	sf_arena_free(a);
}

struct pauses {
	int n, fail_at;
};
static int pause(void *arg) {
	struct pauses *p = arg;
	return ++p->n == p->fail_at ? SF_ECANCELED : 0;
}

/* n elements of `one`, in an array */
static struct sf_str repeated(struct sf_arena *a, const char *one, size_t n) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (size_t i = 0; i < n; i++) sf_buf_printf(&b, "%s%s", i ? "," : "[", one);
	sf_buf_char(&b, ']');
	return sf_buf_view(&b);
}

/* Twice as many values, or twice as much text, give way twice as often; wherever the pieces are cut, the value is the same. */
static void long_texts_pause(void **state) {
	(void)state;
	static const char *const elements[] = { "1", "{}", "[\"\\u00e9\\\\\"]", "\"\xED\x95\x9C\xEA\xB5\xAD\"" };
	struct sf_arena *a = sf_arena_new(0);
	struct sf_str why;
	for (size_t i = 0; i < SF_COUNT(elements); i++) {
		struct pauses p = { 0 };
		struct sf_json_limits limits = { .pause = pause, .arg = &p };
		struct json_t *v = NULL;
		struct sf_str text = repeated(a, elements[i], 20000);
		assert_int_equal(sf_json_parse_limited(a, text, &limits, &v, &why), 0);
		assert_true(p.n >= 20000 / SF_JSON_TURN / 2 && p.n <= 80);
		assert_int_equal(json_array_size(v), 20000);
		for (size_t k = 1; k < 20000; k++)
			assert_true(json_equal(json_array_get(v, 0), json_array_get(v, k)));
		p = (struct pauses) { .fail_at = 3 };
		why = SF_STR_NULL;
		assert_int_equal(sf_json_parse_limited(a, text, &limits, &v, &why), SF_ECANCELED);
		assert_true(p.n == 3 && why.p == NULL);
	}
	struct pauses p = { 0 };
	struct json_t *v = NULL;
	assert_int_equal(sf_json_parse_limited(a, repeated(a, "1", 1000),
										   &(struct sf_json_limits) { .pause = pause, .arg = &p }, &v, &why),
					 0);
	assert_int_equal(p.n, 0);
	sf_arena_free(a);
}

static void dumping(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	struct json_t *v = NULL;
	struct sf_str why, text = SF_STR("{\"b\\\"\":[1,2.5,0.1,true,false,null,\"한\\n\"],\"a\":{}}");
	assert_int_equal(sf_json_parse(a, text, &v, &why), 0);
	struct sf_str out = sf_json_dump(a, v);
	assert_str(out, "{\"b\\\"\":[1,2.5,0.1,true,false,null,\"한\\n\"],\"a\":{}}");
	assert_str(sf_json_dump(a, NULL), "null");
	sf_arena_free(a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(taken),
		cmocka_unit_test(depth_on_a_small_stack),
		cmocka_unit_test(values_are_counted),
		cmocka_unit_test(long_texts_pause),
		cmocka_unit_test(dumping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
