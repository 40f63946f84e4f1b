/* body: what is decided before a request's body is read: the gate of its row, and how long the body may be. */
#include "harness.h"

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

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits_of_rows),
		cmocka_unit_test(test_gate),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
