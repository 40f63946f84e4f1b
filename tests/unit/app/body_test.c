/* body: what is decided before a request's body is read: the gate of its row, how long the body may be, how it may be coded. */
#include "harness.h"

#include <zlib.h>

static int ok(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("n", (int64_t)sf_req_http(r)->body.n));
}
static int gate(struct sf_req *r) {
	return sf_str_eq(sf_path_text(r, "key"), SF_STR("right")) ? 0 : SF_ENOTFOUND;
}

struct in {
	struct sf_str note, sort;
	struct sf_ints ids;
	struct sf_texts tags;
	const struct json_t *any;
	struct sf_oint n;
};
#define NOTE SF_IN(struct in, note, SF_F_TEXT, .max = 100)
static const struct sf_field bounded[] = { NOTE,
										   SF_IN(struct in, n, SF_F_INT),
										   SF_IN(struct in, sort, SF_F_ENUM, .choices = "a|b"),
										   SF_IN(struct in, ids, SF_F_INTS, .max = 10),
										   { 0 } };
static const struct sf_field any[] = { NOTE, SF_IN(struct in, any, SF_F_JSON), { 0 } };
static const struct sf_field list[] = { NOTE, SF_IN(struct in, ids, SF_F_INTS), { 0 } };
static const struct sf_field texts[] = { NOTE, SF_IN(struct in, tags, SF_F_TEXTS, .max = 2), { 0 } };
static const struct sf_field wide[] = { SF_IN(struct in, note, SF_F_TEXT, .max = 1000000), { 0 } };

#define OPEN      .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .summary = "x"
#define BODY(in_) .body = (in_), .body_size = sizeof(struct in)
static const struct sf_route routes[] = {
	{ SF_POST, "/signin", ok, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH, .summary = "x", BODY(wide) },
	{ SF_POST, "/bounded", ok, OPEN, BODY(bounded) },
	{ SF_POST, "/any", ok, OPEN, BODY(any) },
	{ SF_POST, "/list", ok, OPEN, BODY(list) },
	{ SF_POST, "/texts", ok, OPEN, BODY(texts) },
	{ SF_POST, "/wide", ok, OPEN, BODY(wide) },
	{ SF_POST, "/own", ok, OPEN, BODY(bounded), .body_max = 2000000 },
	{ SF_POST, "/text", ok, OPEN, .text_body = true },
	{ SF_DELETE, "/none", ok, OPEN },
	{ SF_POST, "/gate/{key:text}", ok, OPEN, BODY(bounded), .gate = gate },
	{ 0 },
};
static const struct sf_service service = { .name = "test", .title = "Test", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };
HARNESS(.services = services)

/* A JSON object of n bytes. */
static struct sf_str object(size_t n) {
	char *p = sf_arena_alloc(h.arena, n);
	memset(p, ' ', n);
	p[0] = '{', p[n - 1] = '}';
	return (struct sf_str) { p, n };
}

static void test_limits_of_rows(void **state) {
	(void)state;
	enum { MORE = 16 << 10, SERVER = 1 << 20 };
	static const struct {
		enum sf_method method;
		const char *path;
		size_t max;
	} rows[] = {
		{ SF_POST, "/signin", 8 << 10 },
		/* 100 characters of 12 bytes, eleven numbers of 32, the choices and the names, in whole KiB */
		{ SF_POST, "/bounded", MORE + 2048 },
		{ SF_POST, "/any", SERVER },
		{ SF_POST, "/list", SERVER },
		{ SF_POST, "/texts", SERVER },
		{ SF_POST, "/wide", SERVER },
		{ SF_POST, "/own", 2000000 },
		{ SF_POST, "/text", SERVER },
		{ SF_DELETE, "/none", MORE },
		{ SF_POST, "/nowhere", 0 },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		assert_status(call_with(&h, rows[i].method, rows[i].path, NULL, object(rows[i].max + 2)),
					  rows[i].max ? 413 : 404);
		if (rows[i].max)
			assert_status(call_with(&h, rows[i].method, rows[i].path, NULL, object(rows[i].max)), 200);
	}
}

/* Whoever does not pass learns nothing of the rest: neither of the type nor of the size. */
static void test_gate(void **state) {
	(void)state;
	assert_status(call(&h, SF_POST, "/gate/right", NULL, "{}"), 200);
	assert_status(call(&h, SF_POST, "/gate/right", "Content-Type: text/plain", "{}"), 415);
	assert_status(call(&h, SF_POST, "/gate/wrong", NULL, "{}"), 404);
	assert_status(call(&h, SF_POST, "/gate/wrong", "Content-Type: text/plain", "{}"), 404);
	assert_status(call_with(&h, SF_POST, "/gate/wrong", NULL, object(1 << 20)), 404);
	assert_status(call(&h, SF_POST, "/gate/wrong", NULL, "{"), 404);
	assert_status(call(&h, SF_GET, "/gate/right", NULL, NULL), 405);
}

static struct sf_str gzip(struct sf_str plain) {
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t cap = deflateBound(&z, plain.n);
	char *p = sf_arena_alloc(h.arena, cap);
	z.next_in = (Bytef *)plain.p, z.avail_in = (uInt)plain.n;
	z.next_out = (Bytef *)p, z.avail_out = (uInt)cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	struct sf_str out = { p, cap - z.avail_out };
	deflateEnd(&z);
	return out;
}

static struct sf_http_req *coded(const char *path, const char *coding, struct sf_str body) {
	return call_with(&h, SF_POST, path, sf_arena_printf(h.arena, "Content-Encoding: %s", coding).p, body);
}

/* The limit is that of what comes out; the handler sees nothing else. */
static void test_gzip(void **state) {
	(void)state;
	enum { MAX = 18 << 10 };
	assert_status(coded("/bounded", "gzip", gzip(SF_STR("{\"note\":\"a\"}"))), 200);
	assert_holds(coded("/text", "gzip", gzip(SF_STR("{\"a\":1}"))), "{\"n\":7}");
	assert_status(coded("/bounded", "x-gzip", gzip(object(MAX))), 200);
	struct sf_http_req *req = coded("/bounded", "gzip", gzip(object(MAX + 1)));
	assert_status(req, 413);
	assert_null(answer_header(&h, req, "Accept-Encoding"));
	assert_status(coded("/any", "gzip", gzip(object(1 << 20))), 200);
	assert_status(coded("/any", "gzip", gzip(object((1 << 20) + 1))), 413);
	assert_status(coded("/own", "gzip", gzip(object(2000000))), 200);
	req = coded("/bounded", "gzip", SF_STR("{}"));
	assert_status(req, 400);
	assert_holds(req, "\"error\":\"The body could not be read: it is not gzip, or it ends too early.\"");
	struct sf_str half = gzip(object(1000));
	half.n -= 3;
	assert_status(coded("/bounded", "gzip", half), 400);
	assert_status(coded("/none", "gzip", half), 405);
	assert_status(call_with(&h, SF_DELETE, "/none", "Content-Encoding: gzip", half),
				  200); /* nobody reads it */
}

static void test_codings(void **state) {
	(void)state;
	static const char *const others[] = { "deflate",  "br",       "zstd", "gzip, gzip",
										  "gzip, br", "compress", "g zip" };
	for (size_t i = 0; i < SF_COUNT(others); i++) {
		struct sf_http_req *req = coded("/bounded", others[i], SF_STR("{}"));
		assert_status(req, 415);
		assert_string_equal(answer_header(&h, req, "Accept-Encoding"), "gzip");
		assert_holds(req, "Content-Encoding: gzip");
	}
	assert_status(coded("/bounded", "identity", SF_STR("{}")), 200);
	assert_status(coded("/bounded", "", SF_STR("{}")), 200);
	assert_status(coded("/bounded", "br", SF_STR_NULL), 200); /* there is no body */
	/* the type is another matter */
	struct sf_http_req *req = call(&h, SF_POST, "/bounded", "Content-Type: text/csv", "{}");
	assert_status(req, 415);
	assert_null(answer_header(&h, req, "Accept-Encoding"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits_of_rows),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_codings),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
