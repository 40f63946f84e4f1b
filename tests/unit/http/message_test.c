/* Headers, cookies and conditions as stages see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/http.h"
#include "http/internal.h"

#define HEADERS(...)                                                                                         \
	struct sf_http_header headers[] = { __VA_ARGS__ };                                                       \
	struct sf_http_req req = { .headers = headers, .nheaders = SF_COUNT(headers) };                          \
	req.arena = sf_arena_new(0);                                                                             \
	sf_buf_init(&req.head, req.arena);                                                                       \
	sf_buf_init(&req.out, req.arena)
#define HEAD(name, value)                                                                                    \
	{ SF_STR(name), SF_STR(value) }

static void assert_str(struct sf_str s, const char *want) {
	if (!sf_str_eq(s, sf_str(want))) fail_msg("\"%.*s\" is not \"%s\"", SF_ARG(s), want);
}

static void headers_by_name(void **state) {
	(void)state;
	HEADERS(HEAD("Host", "x"), HEAD("ACCEPT", "a"), HEAD("accept", "b"), HEAD("Empty", ""));
	assert_str(sf_http_header(&req, "host"), "x");
	assert_str(sf_http_header(&req, "accept"), "a");
	assert_null(sf_http_header(&req, "hos").p);
	assert_null(sf_http_header(&req, "hostt").p);
	assert_non_null(sf_http_header(&req, "empty").p);
	assert_int_equal(sf_http_header(&req, "empty").n, 0);
	sf_arena_free(req.arena);
}

static void cookies(void **state) {
	(void)state;
	HEADERS(HEAD("Cookie", "a=1; sf_session=abc=d==;b=\"quoted\"; bad; =x; sf=2"),
			HEAD("cookie", "late=9; a=7"));
	assert_str(sf_http_cookie(&req, "a"), "1");
	assert_str(sf_http_cookie(&req, "sf_session"), "abc=d==");
	assert_str(sf_http_cookie(&req, "b"), "quoted");
	assert_str(sf_http_cookie(&req, "sf"), "2");
	assert_str(sf_http_cookie(&req, "late"), "9");
	assert_null(sf_http_cookie(&req, "bad").p);
	assert_null(sf_http_cookie(&req, "A").p);
	assert_null(sf_http_cookie(&req, "session").p);
	sf_arena_free(req.arena);
}

static void answer_headers(void **state) {
	(void)state;
	HEADERS(HEAD("Host", "x"));
	sf_http_add(&req, "X-A", SF_STR("1"));
	sf_http_add(&req, "X-B", SF_STR("two\r\nSet-Cookie: evil=1\0!"));
	assert_str(sf_buf_view(&req.head), "X-A: 1\r\nX-B: twoSet-Cookie: evil=1!\r\n");
	assert_true(sf_http__head_has(&req, "x-b"));
	assert_false(sf_http__head_has(&req, "set-cookie"));
	assert_false(sf_http__head_has(&req, "x"));
	req.status = 200, req.type = SF_STR("a/b"), req.body_ref = SF_STR("c"), req.compress = SF_COMPRESS_NEVER;
	sf_http_answer_reset(&req);
	assert_int_equal(req.head.n, 0);
	assert_int_equal(req.status, 0);
	assert_null(req.type.p);
	assert_null(req.body_ref.p);
	assert_int_equal(req.compress, SF_COMPRESS_AUTO);
	sf_arena_free(req.arena);
}

static void weak_tags(void **state) {
	(void)state;
	HEADERS(HEAD("Host", "x"));
	sf_http__head_weaken(&req);
	assert_int_equal(req.head.n, 0);
	sf_http_add(&req, "A", SF_STR("ETag: \"no\""));
	sf_http_add(&req, "ETag", SF_STR("\"abc\""));
	sf_http_add(&req, "B", SF_STR("2"));
	sf_http__head_weaken(&req);
	sf_http__head_weaken(&req);
	assert_str(sf_buf_view(&req.head), "A: ETag: \"no\"\r\nETag: W/\"abc\"\r\nB: 2\r\n");
	sf_arena_free(req.arena);
}

static void not_modified(void **state) {
	(void)state;
	static const struct {
		const char *value;
		bool same;
	} rows[] = {
		{ "\"a\"", true },
		{ "W/\"a\"", true },
		{ "\"b\"", false },
		{ "\"b\", \"a\"", true },
		{ "\"b\",W/\"a\"", true },
		{ "*", true },
		{ "", false },
		{ "a", false },
		{ "\"a", false },
		{ "\"b,\"a\"", false },
		{ "\"x,y\", \"a\"", true },
		{ "\"aa\"", false },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_http_header h = { SF_STR("If-None-Match"), sf_str(rows[i].value) };
		struct sf_http_req req = { .headers = &h, .nheaders = 1 };
		if (sf_http_not_modified(&req, SF_STR("\"a\"")) != rows[i].same) fail_msg("%s", rows[i].value);
		if (sf_http_not_modified(&req, SF_STR("W/\"a\"")) != rows[i].same)
			fail_msg("%s, weak", rows[i].value);
	}
	struct sf_http_req none = { 0 };
	assert_false(sf_http_not_modified(&none, SF_STR("\"a\"")));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_by_name), cmocka_unit_test(cookies),      cmocka_unit_test(answer_headers),
		cmocka_unit_test(weak_tags),       cmocka_unit_test(not_modified),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
