/* limits: what counts against which limit, also what ends before the stages, and what never counts. */
#include <unistd.h>

#include "harness.h"
#include "scratch.h"
#include "auth/auth.h"

struct in {
	struct sf_str name, password;
};
static const struct sf_field fields[] = { SF_IN(struct in, name, SF_F_TEXT, .max = 10),
										  SF_IN(struct in, password, SF_F_TEXT, .keep_space = true),
										  { 0 } };

static int ok(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("ok", true));
}
static int broken(struct sf_req *r) {
	(void)r;
	return SF_EDB;
}
static int closed(struct sf_req *r) {
	(void)r;
	return SF_ENOTFOUND;
}

#define ROW(rate_) .auth = SF_PUBLIC, .rate = (rate_), .summary = "x"
#define BODY       .body = fields, .body_size = sizeof(struct in)
static const struct sf_route routes[] = {
	{ SF_GET, "/api/free", ok, ROW(SF_RATE_NONE) },
	{ SF_POST, "/api/free", ok, ROW(SF_RATE_NONE), BODY },
	{ SF_GET, "/api/read", ok, ROW(SF_RATE_API) },
	{ SF_GET, "/api/broken", broken, ROW(SF_RATE_API) },
	{ SF_POST, "/api/write", ok, ROW(SF_RATE_WRITE), BODY },
	{ SF_POST, "/api/login", ok, ROW(SF_RATE_AUTH), BODY },
	{ SF_POST, "/api/gate/{key:text}", ok, ROW(SF_RATE_API), BODY, .gate = closed },
	{ SF_PUT, "/api/me", ok, ROW(SF_RATE_WRITE), BODY, .auth_field = "password" },
	{ 0 },
};
static const struct sf_service service = { .name = "test", .title = "Test", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };
HARNESS(.services = services, .rate_auth = 3, .rate_api = 5)

/* Each test asks from addresses of its own. */
static const char *from(const char *address) {
	return sf_arena_printf(h.arena, "X-Forwarded-For: %s", address).p;
}
static int left(const struct sf_http_req *req) {
	const char *text = answer_header(&h, req, "RateLimit-Remaining");
	return text ? atoi(text) : -1;
}
#define assert_left(req, n) assert_int_equal(left(req), n)

static void test_classes(void **state) {
	(void)state;
	const char *me = from("192.0.2.1");
	for (int i = 0; i < 3; i++) {
		struct sf_http_req *req = call(&h, SF_POST, "/api/login", me, "{}");
		assert_status(req, 200);
		assert_string_equal(answer_header(&h, req, "RateLimit-Limit"), "3");
		assert_left(req, 2 - i);
	}
	struct sf_http_req *req = call(&h, SF_POST, "/api/login", me, "{}");
	assert_status(req, 429);
	assert_holds(req, "\"code\":\"rate_limited\"");
	assert_true(atoi(answer_header(&h, req, "Retry-After")) >= 1);
	assert_left(req, 0);
	/* another class has its own count, and what has none is never refused */
	assert_left(call(&h, SF_GET, "/api/read", me, NULL), 4);
	for (int i = 0; i < 20; i++) {
		req = call(&h, SF_GET, "/api/free", me, NULL);
		assert_status(req, 200);
		assert_left(req, -1);
	}
	struct harness none = harness_new(&(struct sf_app_opts) { .services = services });
	assert_null(answer_header(&none, call(&none, SF_GET, "/api/read", me, NULL), "RateLimit-Limit"));
	harness_free(&none);
	sf_app_http(h.app, &h.http);
}

/* What ends before the stages counts as what it asked for would have, and as an API request where that is nothing. */
static void test_refused(void **state) {
	(void)state;
	static const struct {
		enum sf_method method;
		const char *target, *type, *body;
		int status, limit;
	} rows[] = {
		{ SF_GET, "/api/nowhere", NULL, NULL, 404, 5 },
		{ SF_POST, "/nowhere", NULL, "{}", 404, 5 },
		{ SF_DELETE, "/api/read", NULL, NULL, 405, 5 },
		{ SF_DELETE, "/api/free", NULL, NULL, 405, 5 },
		{ SF_GET, "/api/%zz", NULL, NULL, 400, 5 },
		{ SF_GET, "no path", NULL, NULL, 400, 5 },
		{ SF_POST, "/api/write", "text/plain", "{}", 415, 5 },
		{ SF_POST, "/api/login", "text/plain", "{}", 415, 3 },
		{ SF_POST, "/api/gate/x", NULL, "{}", 404, 5 },
		{ SF_POST, "/api/login", NULL, NULL /* 9,000 bytes */, 413, 3 },
	};
	char *big = calloc(1, 9000);
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		const char *me = from(sf_arena_printf(h.arena, "192.0.2.%zu", 10 + i).p);
		const char *head =
			rows[i].type ? sf_arena_printf(h.arena, "%s\nContent-Type: %s", me, rows[i].type).p : me;
		struct sf_str body = rows[i].status == 413 ? (struct sf_str) { big, 9000 } : sf_str(rows[i].body);
		for (int k = 1; k <= rows[i].limit + 3; k++) {
			struct sf_http_req *req = call_with(&h, rows[i].method, rows[i].target, head, body);
			bool over = k > rows[i].limit;
			assert_status(req, over ? 429 : rows[i].status);
			assert_left(req, over ? 0 : rows[i].limit - k);
			assert_holds(req, "\"code\":");
			if (over) assert_true(atoi(answer_header(&h, req, "Retry-After")) >= 1);
		}
		/* it is the same count that others of the class have */
		if (rows[i].limit == 5) assert_status(call(&h, SF_GET, "/api/read", me, NULL), 429);
		assert_left(call(&h, SF_POST, "/api/login", me, "{}"), rows[i].limit == 3 ? 0 : 2);
	}
	free(big);
	assert_left(call(&h, SF_GET, "/api/nowhere", from("192.0.2.9"), NULL),
				4); /* others are not limited by it */
}

/* Bytes that are no request: their peer is all that is known. */
static void test_malformed(void **state) {
	(void)state;
	static const int errors[] = { SF_EMALFORMED, SF_EHEADERS, SF_EURITOOLONG,
								  SF_ETIMEOUT,   SF_EVERSION, SF_EMALFORMED };
	for (size_t i = 0; i < SF_COUNT(errors); i++) {
		struct sf_http_req req = { .arena = h.arena, .peer = SF_STR("198.51.100.1") };
		sf_buf_init(&req.head, h.arena);
		sf_buf_init(&req.out, h.arena);
		h.http.finish(&req, errors[i]);
		assert_status(&req, i < 5 ? sf_err_status(errors[i]) : 429);
		assert_left(&req, i < 5 ? 4 - (int)i : 0);
		h.http.after(&req);
	}
}

/* What failed for a reason of ours is not the client's, and one request counts once. */
static void test_not_counted(void **state) {
	(void)state;
	const char *me = from("192.0.2.50");
	for (int i = 0; i < 10; i++) {
		struct sf_http_req req = { .arena = h.arena, .peer = SF_STR("192.0.2.50") };
		sf_buf_init(&req.head, h.arena);
		sf_buf_init(&req.out, h.arena);
		h.http.finish(&req, i % 2 ? SF_EOVERLOAD : SF_EDRAINING);
		assert_status(&req, 503);
		assert_left(&req, -1);
	}
	sf_app_set_ready(h.app, false);
	for (int i = 0; i < 10; i++) assert_status(call(&h, SF_GET, "/api/read", me, NULL), 503);
	sf_app_set_ready(h.app, true);
	assert_left(call(&h, SF_GET, "/api/read", me, NULL), 4);
	assert_left(call(&h, SF_GET, "/api/broken", me, NULL), 3);
	assert_left(call(&h, SF_POST, "/api/write", me, "{\"name\":\"much too long a name\"}"), 2);
	for (int i = 0; i < 10; i++)
		assert_status(
			call(&h, SF_POST, "/api/free", sf_arena_printf(h.arena, "%s\nContent-Type: x/y", me).p, "{}"),
			415);
	assert_left(call(&h, SF_GET, "/api/read", me, NULL), 1);
}

static void test_files(void **state) {
	(void)state;
	char folder[256], path[300];
	struct sf_static *files = NULL;
	assert_true(scratch_folder(folder, sizeof folder, "sf-limits"));
	snprintf(path, sizeof path, "%s/a.txt", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("file", f);
	fclose(f);
	assert_int_equal(sf_static_load(folder, &files), 0);
	struct harness w =
		harness_new(&(struct sf_app_opts) { .services = services, .rate_api = 5, .files = files });
	const char *me = from("192.0.2.60");
	for (int i = 0; i < 20; i++) {
		struct sf_http_req *req = call(&w, SF_GET, i % 2 ? "/a.txt" : "/nowhere", me, NULL);
		assert_status(req, i % 2 ? 200 : 404);
		assert_null(answer_header(&w, req, "RateLimit-Limit"));
	}
	struct sf_http_req *req = call(&w, SF_POST, "/a.txt", me, "{}");
	assert_status(req, 405);
	assert_string_equal(answer_header(&w, req, "RateLimit-Remaining"), "4");
	assert_string_equal(answer_header(&w, call(&w, SF_GET, "/api/nowhere", me, NULL), "RateLimit-Remaining"),
						"3");
	harness_free(&w);
	sf_app_http(h.app, &h.http);
	sf_static_free(files);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* A password in the body counts as a sign-in, any other change does not. */
static void test_auth_field(void **state) {
	(void)state;
	const char *me = from("192.0.2.70");
	assert_left(call(&h, SF_PUT, "/api/me", me, "{\"name\":\"Kim\"}"), 4);
	assert_left(call(&h, SF_POST, "/api/login", me, "{}"), 2);
	assert_left(call(&h, SF_PUT, "/api/me", me, "{\"password\":\"secret\"}"),
				1); /* of three, the nearer to its end */
	assert_left(call(&h, SF_PUT, "/api/me", me, "{\"password\":\"secret\"}"), 0);
	assert_status(call(&h, SF_PUT, "/api/me", me, "{\"password\":\"secret\"}"), 429);
	assert_status(call(&h, SF_POST, "/api/login", me, "{}"), 429);
	assert_status(call(&h, SF_PUT, "/api/me", me, "{\"name\":\"Kim\"}"), 200);
	assert_status(call(&h, SF_PUT, "/api/me", me, "{\"name\":\"Kim\"}"),
				  429); /* and it counted as a write, too */
}

static int trust(void **state) {
	assert_int_equal(sf_proxies_setup("127.0.0.1"), 0);
	return setup(state);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),     cmocka_unit_test(test_refused), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_not_counted), cmocka_unit_test(test_files),   cmocka_unit_test(test_auth_field),
	};
	return cmocka_run_group_tests(tests, trust, teardown);
}
