/* dispatch: what every answer carries, whatever happened: errors, ids, caching, CORS, counters. */
#include <unistd.h>

#include "harness.h"
#include "scratch.h"
#include "app/internal.h"
#include "core/config.h"

static int handler_error; /* what /fail returns */

static int ok_get(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("ok", true), SF_KV("id", sf_req_id(r)));
}
static int same_get(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("name", "한국"));
}
static int item_get(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("id", sf_path_int(r, "id")), SF_KV("note", sf_path_text(r, "note")),
					SF_KV("ip", sf_req_ip(r)));
}
static int fail_get(struct sf_req *r) {
	sf_reply(r, 200, SF_KV("half", true));
	sf_reply_header(r, "X-Half", SF_STR("1"));
	return handler_error;
}
static int conflict_post(struct sf_req *r) {
	sf_fail_field(r, "duration_hours", "must be shorter"); /* a conflict is no wrong request: left out */
	sf_fail_more(r, "next_free", SF_STR("[\"2026-11-22T14:00:00Z\"]"));
	sf_fail_more(r, "left", SF_STR("3"));
	return sf_fail(r, SF_ECONFLICT, NULL, "The chef is booked on %s.", "Monday");
}
static int rules_post(struct sf_req *r) {
	sf_fail_field(r, "a", "must be later than b");
	sf_fail_field(r, "a", "second reason of a");
	sf_fail_field(r, "b", "must not be \"x\"");
	return SF_EINVAL;
}
static int phrase_post(struct sf_req *r) {
	sf_fail_more(r, "next_free", SF_STR("[]")); /* not of a wrong request */
	return sf_fail(r, SF_EINVAL, "booking_date", "must not be after %s", "Monday");
}
static int silent_get(struct sf_req *r) {
	(void)r;
	return 0;
}
static int cookie_post(struct sf_req *r) {
	sf_reply_cookie(r, "sf_session", SF_STR("abc"), 3600, false);
	sf_reply_cookie(r, "sf_csrf", SF_STR("def"), 0, true);
	sf_reply_header(r, "Cache-Control", SF_STR("max-age=1"));
	return sf_reply(r, 201, SF_KV("ok", true));
}
static int text_post(struct sf_req *r) {
	return sf_reply_text(r, 200, "text/plain", sf_req_http(r)->body);
}

static const struct sf_field conflict_out[] = {
	SF_OUT(next_free, SF_F_TIMES),
	SF_OUT(left, SF_F_INT),
	{ 0 },
};
#define OPEN .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .summary = "x"
static const struct sf_route routes[] = {
	{ SF_GET, "/api/ok", ok_get, OPEN },
	{ SF_GET, "/api/same", same_get, OPEN, .max_age = 300, .stale = 60 },
	{ SF_GET, "/api/items/{id}/{note:text}", item_get, OPEN },
	{ SF_GET, "/api/quiet", ok_get, OPEN, .quiet = true },
	{ SF_GET, "/api/hook/{key:text}", ok_get, OPEN, .secret_path = true },
	{ SF_GET, "/api/fail", fail_get, OPEN },
	{ SF_POST, "/api/conflict", conflict_post, OPEN, .conflict = conflict_out },
	{ SF_POST, "/api/bare", conflict_post, OPEN },
	{ SF_POST, "/api/phrase", phrase_post, OPEN },
	{ SF_POST, "/api/rules", rules_post, OPEN },
	{ SF_GET, "/api/silent", silent_get, OPEN },
	{ SF_POST, "/api/cookie", cookie_post, OPEN },
	{ SF_POST, "/api/csv", text_post, OPEN, .text_body = true, .consumes = "text/csv, text/plain",
	  .body_max = 2000000 },
	{ 0 },
};
static const struct sf_service service = { .name = "test", .title = "Test", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };
HARNESS(.services = services, .cors = "https://app.example.com, https://b.example.com/")
static struct sf_http_req *get(const char *target) {
	return call(&h, SF_GET, target, NULL, NULL);
}
#define assert_header(req, name, value) assert_string_equal(answer_header(&h, req, name), value)

static void test_routes(void **state) {
	(void)state;
	struct sf_http_req *req = get("/api/items/7/a%20b");
	assert_status(req, 200);
	assert_holds(req, "{\"id\":7,\"note\":\"a b\",\"ip\":\"127.0.0.1\"}");
	assert_true(sf_str_eq(req->type, SF_STR("application/json")));
	req = get("/api/nowhere");
	assert_status(req, 404);
	assert_holds(req, "{\"error\":\"There is nothing here.\",\"code\":\"not_found\",\"request_id\":\"");
	assert_header(req, "Cache-Control", "no-store");
	req = call(&h, SF_DELETE, "/api/ok", NULL, NULL);
	assert_status(req, 405);
	assert_header(req, "Allow", "GET, HEAD, OPTIONS");
	req = call(&h, SF_HEAD, "/api/ok", NULL, NULL);
	assert_status(req, 200);
	req = call(&h, SF_OPTIONS, "/api/conflict", NULL, NULL);
	assert_status(req, 204);
	assert_header(req, "Allow", "POST, OPTIONS");
	assert_null(answer_header(&h, req, "Access-Control-Allow-Methods"));
	assert_status(call(&h, SF_OPTIONS, "/api/nowhere", NULL, NULL), 404);
	assert_status(get("/no/page"), 404);
}

static void test_errors(void **state) {
	(void)state;
	struct sf_http_req *req = call(&h, SF_POST, "/api/conflict", NULL, NULL);
	assert_status(req, 409);
	assert_holds(req, "\"error\":\"The chef is booked on Monday.\",\"code\":\"conflict\"");
	assert_holds(req, "\",\"next_free\":[\"2026-11-22T14:00:00Z\"],\"left\":3}");
	assert_false(holds(answer_body(req), "fields"));
	req = call(&h, SF_POST, "/api/bare", NULL, NULL); /* its row documents no members of its own */
	assert_status(req, 409);
	assert_false(holds(answer_body(req), "next_free"));
	req = call(&h, SF_POST, "/api/phrase", NULL, NULL);
	assert_status(req, 400);
	assert_holds(req, "\"error\":\"Booking date must not be after Monday.\"");
	assert_holds(req, "\"fields\":{\"booking_date\":\"must not be after Monday\"}}");
	req = call(&h, SF_POST, "/api/rules", NULL, NULL);
	assert_status(req, 400);
	assert_holds(req, "\"error\":\"Some fields are not valid: a, b.\"");
	assert_holds(req, "\"fields\":{\"a\":\"must be later than b\",\"b\":\"must not be \\\"x\\\"\"}}");
	static const struct {
		int err, status;
		const char *retry;
	} cases[] = {
		{ SF_EDB, 500, NULL },      { SF_EINTERNAL, 500, NULL },   { SF_EIO, 500, NULL },
		{ SF_EOVERLOAD, 503, "1" }, { SF_EUNAVAILABLE, 503, "1" }, { SF_EDEADLINE, 503, "1" },
		{ SF_ESERIAL, 503, "1" },   { SF_ENOTFOUND, 404, NULL },   { SF_EDUP, 409, NULL },
		{ SF_ELOCKED, 423, NULL },  { -9999, 500, NULL },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		handler_error = cases[i].err;
		req = get("/api/fail");
		assert_status(req, cases[i].status);
		assert_holds(req, "\"request_id\":\"");
		assert_false(holds(answer_body(req), "half"));
		assert_null(answer_header(&h, req, "X-Half"));
		const char *retry = answer_header(&h, req, "Retry-After");
		if (cases[i].retry)
			assert_string_equal(retry, cases[i].retry);
		else
			assert_null(retry);
	}
	handler_error = SF_ECANCELED;
	req = get("/api/fail");
	assert_true(req->status == 499 && req->close && answer_body(req).n == 0);
	assert_status(get("/api/silent"), 500);
}

/* Errors that http/ finds before there are headers: the same body, with an id. */
static void test_early_error(void **state) {
	(void)state;
	struct sf_http_req req = { .arena = h.arena };
	sf_buf_init(&req.head, h.arena);
	sf_buf_init(&req.out, h.arena);
	h.http.finish(&req, SF_EHEADERS);
	assert_int_equal(req.status, 431);
	assert_holds(&req, "\"code\":\"headers_too_large\",\"request_id\":\"");
	assert_non_null(answer_header(&h, &req, "X-Request-Id"));
	assert_non_null(answer_header(&h, &req, "traceparent"));
	assert_header(&req, "Cache-Control", "no-store");
	h.http.after(&req);
}

/* One with a method that nobody knows: what its address takes, and no path that holds a secret in the log. */
static void test_early_path(void **state) {
	(void)state;
	static const struct {
		const char *target, *allow;
		bool secret;
	} rows[] = {
		{ "/api/conflict?a", "POST, OPTIONS", false },
		{ "/api/hook/abc?x=1", "GET, HEAD, OPTIONS", true },
		{ "/nowhere", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", false },
		{ "no path", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", false },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_http_req req = { .arena = h.arena, .path = sf_str(rows[i].target) };
		sf_buf_init(&req.head, h.arena);
		sf_buf_init(&req.out, h.arena);
		h.http.finish(&req, SF_EMETHOD);
		assert_int_equal(req.status, 405);
		assert_header(&req, "Allow", rows[i].allow);
		assert_int_equal(sf_app__req(&req)->secret_path, rows[i].secret);
	}
}

static void test_media(void **state) {
	(void)state;
	static const struct {
		const char *target, *type;
		int status;
	} cases[] = {
		{ "/api/csv", "text/csv", 200 },
		{ "/api/csv", "TEXT/CSV; charset=UTF-8", 200 },
		{ "/api/csv", "text/plain; charset=\"utf-8\"", 200 },
		{ "/api/csv", "text/csv; charset=euc-kr", 415 },
		{ "/api/csv", "application/json", 415 },
		{ "/api/csv", "text/csvx", 415 },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		const char *headers = sf_arena_printf(h.arena, "Content-Type: %s", cases[i].type).p;
		assert_status(call(&h, SF_POST, cases[i].target, headers, "a,b"), cases[i].status);
	}
	char *big = calloc(1, 2000001);
	assert_status(
		call_with(&h, SF_POST, "/api/csv", "Content-Type: text/csv", (struct sf_str) { big, 2000000 }), 200);
	assert_status(
		call_with(&h, SF_POST, "/api/csv", "Content-Type: text/csv", (struct sf_str) { big, 2000001 }), 413);
	free(big);
}

static void test_ids(void **state) {
	(void)state;
	struct sf_http_req *req = call(&h, SF_GET, "/api/ok", "X-Request-Id: my-id.1", NULL);
	assert_header(req, "X-Request-Id", "my-id.1");
	assert_holds(req, "\"id\":\"my-id.1\"");
	static const char *const refused[] = { "a b", "", "\x7f", "caf\xc3\xa9" };
	for (size_t i = 0; i < SF_COUNT(refused); i++) {
		req = call(&h, SF_GET, "/api/ok", sf_arena_printf(h.arena, "X-Request-Id: %s", refused[i]).p, NULL);
		assert_int_equal(strlen(answer_header(&h, req, "X-Request-Id")), 32);
	}
	char longest[160] = "X-Request-Id: ";
	memset(longest + 14, 'x', 129);
	assert_int_equal(strlen(answer_header(&h, call(&h, SF_GET, "/api/ok", longest, NULL), "X-Request-Id")),
					 32);
	longest[14 + 128] = 0;
	assert_int_equal(strlen(answer_header(&h, call(&h, SF_GET, "/api/ok", longest, NULL), "X-Request-Id")),
					 128);
	const char *a = answer_header(&h, get("/api/ok"), "X-Request-Id"),
			   *b = answer_header(&h, get("/api/ok"), "X-Request-Id");
	assert_string_not_equal(a, b);
}

static void test_trace(void **state) {
	(void)state;
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
	struct sf_http_req *req =
		call(&h, SF_GET, "/api/ok", "traceparent: 00-" TRACE "-00f067aa0ba902b7-00", NULL);
	const char *back = answer_header(&h, req, "traceparent");
	assert_memory_equal(back, "00-" TRACE "-", 36);
	assert_memory_not_equal(back + 36, "00f067aa0ba902b7", 16);
	assert_string_equal(back + 52, "-00");
	static const char *const refused[] = {
		"nonsense",
		"00-" TRACE "-00f067aa0ba902b7",
		"ff-" TRACE "-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-" TRACE "-0000000000000000-01",
		"00-" TRACE "-00f067aa0ba902b7-01-more",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
	};
	for (size_t i = 0; i < SF_COUNT(refused); i++) {
		req = call(&h, SF_GET, "/api/ok", sf_arena_printf(h.arena, "traceparent: %s", refused[i]).p, NULL);
		back = answer_header(&h, req, "traceparent");
		assert_int_equal(strlen(back), 55);
		assert_memory_not_equal(back + 3, TRACE, 32);
	}
	req = call(&h, SF_GET, "/api/ok", "traceparent: 01-" TRACE "-00f067aa0ba902b7-01-more", NULL);
	assert_memory_equal(answer_header(&h, req, "traceparent"), "00-" TRACE "-", 36);
}

static void test_caching(void **state) {
	(void)state;
	struct sf_http_req *req = get("/api/same");
	assert_header(req, "Cache-Control", "public, max-age=300, stale-while-revalidate=60");
	assert_header(req, "X-Content-Type-Options", "nosniff");
	assert_non_null(answer_header(&h, req, "Referrer-Policy"));
	const char *etag = answer_header(&h, req, "ETag");
	assert_int_equal(strlen(etag), 18);
	assert_header(get("/api/same"), "ETag", etag);
	static const char *const same[] = { "%s", "W/%s", "\"x\", %s", "*%.0s" };
	for (size_t i = 0; i < SF_COUNT(same); i++) {
		char value[64], header[96];
		_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
			snprintf(value, sizeof value, same[i], etag);
		_Pragma("GCC diagnostic pop") snprintf(header, sizeof header, "If-None-Match: %s", value);
		req = call(&h, SF_GET, "/api/same", header, NULL);
		assert_status(req, 304);
		assert_header(req, "ETag", etag);
		assert_header(req, "Cache-Control", "public, max-age=300, stale-while-revalidate=60");
	}
	assert_status(call(&h, SF_GET, "/api/same", "If-None-Match: \"0000000000000000\"", NULL), 200);
	assert_header(get("/api/ok"), "Cache-Control", "no-cache");
	assert_header(call(&h, SF_POST, "/api/conflict", NULL, NULL), "Cache-Control", "no-store");
	req = call(&h, SF_POST, "/api/cookie", NULL, NULL);
	assert_header(req, "Cache-Control", "max-age=1");
	assert_header(req, "Set-Cookie", "sf_session=abc; Path=/; SameSite=Lax; Max-Age=3600; HttpOnly");
	assert_true(
		holds(sf_buf_view(&req->head), "Set-Cookie: sf_csrf=def; Path=/; SameSite=Lax; Max-Age=0\r\n"));
}

static void test_cors(void **state) {
	(void)state;
	struct sf_http_req *req =
		call(&h, SF_OPTIONS, "/api/conflict",
			 "Origin: https://app.example.com\nAccess-Control-Request-Method: POST", NULL);
	assert_status(req, 204);
	assert_header(req, "Access-Control-Allow-Origin", "https://app.example.com");
	assert_header(req, "Access-Control-Allow-Methods", "POST, OPTIONS");
	assert_true(strstr(answer_header(&h, req, "Access-Control-Allow-Headers"), "Authorization") != NULL);
	req = call(&h, SF_GET, "/api/ok", "Origin: https://b.example.com", NULL);
	assert_header(req, "Access-Control-Allow-Origin", "https://b.example.com");
	assert_header(req, "Access-Control-Allow-Credentials", "true");
	assert_header(req, "Vary", "Origin");
	assert_header(call(&h, SF_GET, "/api/nowhere", "Origin: https://b.example.com", NULL),
				  "Access-Control-Allow-Origin", "https://b.example.com");
	static const char *const strangers[] = { "https://evil.example.com", "http://app.example.com",
											 "https://app.example.com.evil.com", "null" };
	for (size_t i = 0; i < SF_COUNT(strangers); i++) {
		req = call(&h, SF_GET, "/api/ok", sf_arena_printf(h.arena, "Origin: %s", strangers[i]).p, NULL);
		assert_null(answer_header(&h, req, "Access-Control-Allow-Origin"));
		assert_header(req, "Vary", "Origin");
	}
	assert_header(get("/api/ok"), "Vary", "Origin");
	struct harness any = harness_new(&(struct sf_app_opts) { .services = services, .cors = "*" });
	req = call(&any, SF_GET, "/api/ok", "Origin: https://who.example.com", NULL);
	assert_string_equal(answer_header(&any, req, "Access-Control-Allow-Origin"), "*");
	assert_null(answer_header(&any, req, "Access-Control-Allow-Credentials"));
	harness_free(&any);
	struct harness both =
		harness_new(&(struct sf_app_opts) { .services = services, .cors = "*, https://app.example.com" });
	req = call(&both, SF_GET, "/api/ok", "Origin: https://app.example.com", NULL);
	assert_string_equal(answer_header(&both, req, "Access-Control-Allow-Origin"), "https://app.example.com");
	assert_string_equal(answer_header(&both, req, "Access-Control-Allow-Credentials"), "true");
	static const char *const others[] = { "*", "null", "https://who.example.com" };
	for (size_t i = 0; i < SF_COUNT(others); i++) { /* the literal "*" of a client, too, is anybody */
		req = call(&both, SF_GET, "/api/ok", sf_arena_printf(both.arena, "Origin: %s", others[i]).p, NULL);
		assert_string_equal(answer_header(&both, req, "Access-Control-Allow-Origin"), "*");
		assert_null(answer_header(&both, req, "Access-Control-Allow-Credentials"));
		assert_string_equal(answer_header(&both, req, "Vary"), "Origin");
	}
	harness_free(&both);
	struct harness off = harness_new(&(struct sf_app_opts) { .services = services });
	req = call(&off, SF_GET, "/api/ok", "Origin: https://app.example.com", NULL);
	assert_null(answer_header(&off, req, "Access-Control-Allow-Origin"));
	assert_null(answer_header(&off, req, "Vary"));
	harness_free(&off);
	sf_app_http(h.app, &h.http);
}

static void test_origins(void **state) {
	(void)state;
	static const char *const good[] = { NULL,
										"",
										"*",
										"https://app.example.com",
										"https://a.kr/ , *, http://[::1]:8080",
										"capacitor://localhost" };
	static const char *const bad[] = { "null",
									   "app.example.com",
									   "https://",
									   "https://App.example.com",
									   "https://a.kr/path",
									   "https://u@a.kr",
									   "https://a.kr https://b.kr",
									   "https:/a.kr",
									   "**" };
	for (size_t i = 0; i < SF_COUNT(good); i++) assert_true(sf_app_origins_valid(good[i]));
	for (size_t i = 0; i < SF_COUNT(bad); i++)
		if (sf_app_origins_valid(bad[i])) fail_msg("%s", bad[i]);
}

static void test_stats(void **state) {
	(void)state;
	struct sf_route_stats before, after;
	sf_app_route_stats(h.app, 0, &before);
	for (int i = 0; i < 10; i++) assert_status(get("/api/ok"), 200);
	sf_app_route_stats(h.app, 0, &after);
	assert_int_equal(after.status[sf_http_status_index(200)] - before.status[sf_http_status_index(200)], 10);
	uint64_t n = 0;
	for (size_t i = 0; i < SF_COUNT(after.bucket); i++) n += after.bucket[i] - before.bucket[i];
	assert_int_equal(n, 10);
	size_t lost = SF_COUNT(routes) - 1 + 2; /* after our rows, the document's and that of its page */
	sf_app_route_stats(h.app, lost, &before);
	assert_status(get("/api/nowhere"), 404);
	sf_app_route_stats(h.app, lost, &after);
	assert_int_equal(after.status[sf_http_status_index(404)] - before.status[sf_http_status_index(404)], 1);
}

/* Routes that need tables wait for them; health does not. */
static void test_starting(void **state) {
	(void)state;
	sf_app_set_ready(h.app, false);
	struct sf_http_req *req = get("/api/ok");
	assert_status(req, 503);
	assert_header(req, "Retry-After", "1");
	assert_status(get("/api/quiet"), 200);
	assert_status(get("/api/nowhere"), 404);
	sf_app_set_ready(h.app, true);
	assert_status(get("/api/ok"), 200);
}

/* One line a request with what an operator looks for; quiet rows at debug only. */
static void test_access_line(void **state) {
	(void)state;
	char text[4096] = "", why[256], *rest[2], *argv[] = { "test", "--access-log=true", NULL };
	int nrest = 0;
	FILE *file = tmpfile();
	assert_int_equal(sf_config_load(2, argv, rest, &nrest, why, sizeof why), 0);
	struct harness l = harness_new(&(struct sf_app_opts) { .services = services });
	sf_log_setup(SF_INFO, fileno(file));
	assert_status(call(&l, SF_GET, "/api/items/7/a%20b?secret=1",
					   "X-Request-Id: rid-1\ntraceparent: 00-" TRACE "-00f067aa0ba902b7-01", NULL),
				  200);
	assert_status(call(&l, SF_GET, "/api/quiet", NULL, NULL), 200);
	assert_status(call(&l, SF_GET, "/api/nowhere\x01\"", NULL, NULL), 404);
	assert_status(call(&l, SF_GET, "/api/hook/secret-1", NULL, NULL), 200);
	assert_status(call(&l, SF_DELETE, "/api/hook/secret-3", NULL, NULL), 405);
	sf_log_flush();
	sf_log_setup((enum sf_level)(SF_ERROR + 1), 2);
	rewind(file);
	assert_true(fread(text, 1, sizeof text - 1, file) > 0);
	fclose(file);
	static const char *const parts[] = {
		"\"msg\":\"request\",\"method\":\"GET\",\"route\":\"/api/items/{id}/{note:text}\",\"path\":\"/api/"
		"items/7/a%20b\",\"status\":200,\"us\":",
		"\"user\":0,\"request_id\":\"rid-1\",\"trace_id\":\"" TRACE "\",\"ip\":\"127.0.0.1\"}\n",
		"\"route\":null,\"path\":\"/api/nowhere\\u0001\\\"\",\"status\":404",
		"\"route\":\"/api/hook/{key:text}\",\"path\":null,\"status\":200",
		"\"route\":null,\"path\":null,\"status\":405",
	};
	for (size_t i = 0; i < SF_COUNT(parts); i++)
		if (!strstr(text, parts[i])) fail_msg("no %s in %s", parts[i], text);
	assert_null(strstr(text, "quiet"));
	assert_null(strstr(text, "secret"));
	harness_free(&l);
	sf_app_http(h.app, &h.http);
}

static void put(const char *folder, const char *name, const char *text) {
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_files(void **state) {
	(void)state;
	char folder[64], path[128];
	assert_true(scratch_folder(folder, sizeof folder, "sf-app"));
	static const char *const names[] = { "index.html", "404.html", "docs.html", "plain.txt" };
	for (size_t i = 0; i < SF_COUNT(names); i++) put(folder, names[i], names[i]);
	struct sf_static *files = NULL;
	assert_int_equal(sf_static_load(folder, &files), 0);
	struct harness w =
		harness_new(&(struct sf_app_opts) { .services = services, .files = files, .tls = true });
	struct sf_http_req *req = call(&w, SF_GET, "/", NULL, NULL);
	assert_status(req, 200);
	assert_holds(req, "index.html");
	assert_true(strstr(answer_header(&w, req, "Content-Security-Policy"), "default-src 'self'") != NULL);
	assert_null(strstr(answer_header(&w, req, "Content-Security-Policy"), "unsafe"));
	assert_string_equal(answer_header(&w, req, "Cross-Origin-Opener-Policy"), "same-origin");
	assert_non_null(answer_header(&w, req, "Strict-Transport-Security"));
	assert_string_equal(answer_header(&w, call(&w, SF_POST, "/api/cookie", NULL, NULL), "Set-Cookie"),
						"sf_session=abc; Path=/; SameSite=Lax; Max-Age=3600; HttpOnly; Secure");
	assert_holds(call(&w, SF_GET, "/docs", NULL, NULL), "docs.html");
	assert_null(answer_header(&w, call(&w, SF_GET, "/plain.txt", NULL, NULL), "Content-Security-Policy"));
	const char *etag = answer_header(&w, call(&w, SF_GET, "/404.html", NULL, NULL), "ETag");
	req = call(&w, SF_GET, "/no/such/page",
			   sf_arena_printf(w.arena, "If-None-Match: %s\nRange: bytes=0-1", etag).p, NULL);
	assert_status(req, 404);
	assert_holds(req, "404.html");
	req = call(&w, SF_GET, "/api/nowhere", NULL, NULL);
	assert_status(req, 404);
	assert_holds(req, "\"code\":\"not_found\"");
	assert_status(call(&w, SF_GET, "/auth/nowhere", NULL, NULL), 404);
	assert_status(call(&w, SF_POST, "/docs", NULL, "{}"), 405);
	assert_status(call(&w, SF_POST, "/plain.txt", NULL, "{}"), 405);
	assert_status(call(&w, SF_POST, "/nowhere", NULL, "{}"), 404);
	harness_free(&w);
	sf_app_http(h.app, &h.http);
	sf_static_free(files);
	for (size_t i = 0; i < SF_COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),      cmocka_unit_test(test_errors),
		cmocka_unit_test(test_early_error), cmocka_unit_test(test_early_path),
		cmocka_unit_test(test_media),       cmocka_unit_test(test_ids),
		cmocka_unit_test(test_trace),       cmocka_unit_test(test_caching),
		cmocka_unit_test(test_cors),        cmocka_unit_test(test_origins),
		cmocka_unit_test(test_stats),       cmocka_unit_test(test_files),
		cmocka_unit_test(test_starting),    cmocka_unit_test(test_access_line),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
