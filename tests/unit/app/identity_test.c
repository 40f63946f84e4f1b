/* identity: tokens, sessions, CSRF, and the levels of access. */
#include "harness.h"
#include "auth/auth.h"
#include "core/hash.h"

static int whoami(struct sf_req *r) {
	const struct sf_caller *c = sf_req_caller(r);
	return sf_reply(r, 200, SF_KV("user", c->user), SF_KV("admin", c->admin), SF_KV("via", (int)c->via));
}

/* What happens while a handler waits: all sign-ins of its caller are ended, or its token alone. */
static int revoked_meanwhile(struct sf_req *r) {
	const struct sf_caller *c = sf_req_caller(r);
	struct sf_dbh *tx;
	if (c->user == 51) sf_token_revoke_user(51, sf_time_now() / SF_USEC + 1);
	if (c->user == 52) sf_token_revoke(c->jti, c->token_exp);
	int err = sf_req_begin(r, &tx); /* refused before the database, which these rows do not have */
	return err == SF_EAUTH ? err : SF_EINTERNAL;
}

#define ROW(m, p, a)                                                                                         \
	{ m, p, whoami, .auth = a, .rate = SF_RATE_WRITE, .summary = "x" }
static const struct sf_route routes[] = {
	ROW(SF_GET, "/api/public", SF_PUBLIC),
	ROW(SF_POST, "/api/public", SF_PUBLIC),
	{ SF_GET, "/api/cached", whoami, .auth = SF_PUBLIC, .rate = SF_RATE_API, .max_age = 60, .summary = "x" },
	ROW(SF_GET, "/api/user", SF_USER),
	ROW(SF_POST, "/api/user", SF_USER),
	ROW(SF_GET, "/api/anyone", SF_ANYONE),
	{ SF_POST, "/api/leave", whoami, .auth = SF_USER, .rate = SF_RATE_API, .no_csrf = true, .summary = "x" },
	ROW(SF_GET, "/api/sub", SF_SUB("coocook")),
	ROW(SF_GET, "/api/admin", SF_ADMIN),
	{ SF_POST, "/api/late", revoked_meanwhile, .auth = SF_USER, .rate = SF_RATE_WRITE, .summary = "x" },
	{ 0 },
};
static const struct sf_service service = { .name = "test", .title = "Test", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };

/* Cookies "u7" are sessions of user 7, "down" meets a broken store. */
static int lookups;
static int session(struct sf_req *r, struct sf_str cookie, struct sf_caller *out) {
	(void)r;
	lookups++;
	if (sf_str_eq(cookie, SF_STR("down"))) return SF_EUNAVAILABLE;
	if (cookie.n < 2 || cookie.p[0] != 'u') return SF_EAUTH;
	out->user = cookie.p[1] - '0';
	return 0;
}
static int subscribed(struct sf_req *r, int64_t user, const char *product, bool *out) {
	(void)r;
	*out = user == 7 && strcmp(product, "coocook") == 0;
	return user == 9 ? SF_EUNAVAILABLE : 0;
}
static const struct sf_identity identity = { .session = session,
											 .session_s = 3600,
											 .subscribed = subscribed };

static struct harness h;
#define NEW "0123456789abcdef0123456789abcdef"
#define OLD "fedcba9876543210fedcba9876543210"

static int setup(void **state) {
	(void)state;
	assert_int_equal(sf_secrets_setup(NEW, (const char *const[]) { OLD, NULL }), 0);
	h = harness_new(&(struct sf_app_opts) { .services = services, .identity = &identity, .demo = true });
	return 0;
}
static int teardown(void **state) {
	(void)state;
	harness_free(&h);
	return 0;
}

static const char *bearer(int64_t user, enum sf_role role, enum sf_token_type typ) {
	struct sf_str token;
	int64_t now = sf_time_now() / SF_USEC;
	struct sf_claims c = { .sub = user, .role = role, .iat = now, .exp = now + 3600, .typ = typ };
	assert_int_equal(sf_token_sign(h.arena, &c, &token), 0);
	return sf_arena_printf(h.arena, "Authorization: Bearer " SF_PRI, SF_ARG(token)).p;
}

static void expect(enum sf_method m, const char *target, const char *headers, int status, const char *part) {
	struct sf_http_req *req = call(&h, m, target, headers, NULL);
	assert_status(req, status);
	assert_holds(req, part);
	if (status == 401) assert_memory_equal(answer_header(&h, req, "WWW-Authenticate"), "Bearer", 6);
}

static void test_levels(void **state) {
	(void)state;
	const char *nobody = NULL, *plain = bearer(5, SF_ROLE_USER, SF_TOKEN_ACCESS),
			   *member = bearer(7, SF_ROLE_USER, SF_TOKEN_ACCESS),
			   *admin = bearer(2, SF_ROLE_ADMIN, SF_TOKEN_ACCESS), *demo = "authorization: bearer demo_token";
	expect(SF_GET, "/api/public", nobody, 200, "\"user\":0");
	expect(SF_GET, "/api/public", plain, 200, "\"user\":5");
	expect(SF_GET, "/api/cached", plain, 200, "\"user\":0");
	expect(SF_GET, "/api/user", nobody, 401, "\"code\":\"unauthorized\"");
	expect(SF_GET, "/api/user", plain, 200, "{\"user\":5,\"admin\":false,\"via\":1}");
	expect(SF_POST, "/api/user", plain, 200, "\"user\":5");
	expect(SF_GET, "/api/sub", nobody, 401, "unauthorized");
	expect(SF_GET, "/api/sub", plain, 403, "\"error\":\"This needs an active subscription to coocook.\"");
	expect(SF_GET, "/api/sub", member, 200, "\"user\":7");
	expect(SF_GET, "/api/sub", admin, 200, "\"user\":2");
	expect(SF_GET, "/api/sub", demo, 200, "{\"user\":1,\"admin\":false,\"via\":3}");
	expect(SF_GET, "/api/sub", bearer(9, SF_ROLE_USER, SF_TOKEN_ACCESS), 503, "unavailable");
	expect(SF_GET, "/api/admin", nobody, 401, "unauthorized");
	expect(SF_GET, "/api/admin", plain, 403, "forbidden");
	expect(SF_GET, "/api/admin", demo, 403, "forbidden");
	expect(SF_GET, "/api/admin", admin, 200, "\"admin\":true");
}

static void test_bad_tokens(void **state) {
	(void)state;
	static const char *const bad[] = { "Authorization: Bearer nonsense", "Authorization: Bearer ",
									   "Authorization: Bearer a.b.c", "Authorization: Bearer demo_token2" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		expect(SF_GET, "/api/user", bad[i], 401, "Sign in again.");
		expect(SF_GET, "/api/public", bad[i], 200, "\"user\":0");
	}
	expect(SF_GET, "/api/user", bearer(5, SF_ROLE_USER, SF_TOKEN_REFRESH), 401, "Sign in again.");
	expect(SF_GET, "/api/user", "Authorization: Basic dTpw", 401, "unauthorized");
	/* a refused token does not fall back to the cookie */
	expect(SF_GET, "/api/user", "Authorization: Bearer x\nCookie: sf_session=u7", 401, "unauthorized");
	struct harness live = harness_new(&(struct sf_app_opts) { .services = services, .identity = &identity });
	assert_status(call(&live, SF_GET, "/api/user", "Authorization: Bearer demo_token", NULL), 401);
	harness_free(&live);
	sf_app_http(h.app, &h.http);
}

static void test_sessions(void **state) {
	(void)state;
	expect(SF_GET, "/api/user", "Cookie: a=b; sf_session=u7; c=d", 200,
		   "{\"user\":7,\"admin\":false,\"via\":2}");
	expect(SF_GET, "/api/sub", "Cookie: sf_session=u7", 200, "\"user\":7");
	expect(SF_GET, "/api/user", "Cookie: sf_session=gone", 401, "unauthorized");
	expect(SF_GET, "/api/user", "Cookie: sf_session=down", 503, "unavailable");
	expect(SF_GET, "/api/public", "Cookie: sf_session=down", 200, "\"user\":0");
	expect(SF_GET, "/api/public", "Cookie: sf_session=u7", 200, "\"user\":7");
	lookups = 0;
	expect(SF_GET, "/api/cached", "Cookie: sf_session=u7", 200, "\"user\":0");
	assert_int_equal(lookups, 0);
}

/* The CSRF token of a cookie under a secret, as RFC 2104 and our purpose make it. */
static const char *csrf(const char *secret, const char *cookie) {
	unsigned char d[32];
	char *text = sf_arena_alloc(h.arena, 64);
	sf_hmac_sha256(sf_str(secret), sf_arena_printf(h.arena, "csrf:%s", cookie), d);
	sf_base64url(d, sizeof d, text);
	return text;
}
static const char *write_as(const char *cookie, const char *token) {
	return sf_arena_printf(h.arena, "Cookie: sf_session=%s\nX-CSRF-Token: %s", cookie, token).p;
}

static void test_csrf(void **state) {
	(void)state;
	const char *mine = csrf(NEW, "u7");
	expect(SF_POST, "/api/user", "Cookie: sf_session=u7", 403, "\"code\":\"csrf\"");
	expect(SF_POST, "/api/user", write_as("u7", ""), 403, "X-CSRF-Token");
	expect(SF_POST, "/api/user", write_as("u7", "x"), 403, "X-CSRF-Token");
	expect(SF_POST, "/api/user", write_as("u7", csrf(NEW, "u8")), 403, "X-CSRF-Token");
	expect(SF_POST, "/api/user", write_as("u7", csrf("a secret that nobody here knows of", "u7")), 403,
		   "X-CSRF-Token");
	expect(SF_POST, "/api/user", write_as("u7", sf_arena_printf(h.arena, "%sA", mine).p), 403, "csrf");
	expect(SF_POST, "/api/user", write_as("u7", mine), 200, "\"user\":7");
	expect(SF_POST, "/api/user", write_as("u7", csrf(OLD, "u7")), 200, "\"user\":7"); /* rotation */
	expect(SF_POST, "/api/user", write_as("gone", csrf(NEW, "gone")), 401, "unauthorized");
	/* a public write without it is nobody's: signing in works with an old cookie */
	expect(SF_POST, "/api/public", "Cookie: sf_session=u7", 200, "\"user\":0");
	expect(SF_POST, "/api/public", write_as("u7", mine), 200, "\"user\":7");
	/* signing out needs none, tokens neither */
	expect(SF_POST, "/api/leave", "Cookie: sf_session=u7", 200, "\"user\":7");
	expect(SF_POST, "/api/user", "Authorization: Bearer demo_token", 200, "\"user\":1");
}

/* What a read tells the browser about sf_csrf; NULL: nothing. */
static const char *renewed(enum sf_method m, const char *target, const char *cookies) {
	struct sf_http_req *req =
		call(&h, m, target, sf_arena_printf(h.arena, "Cookie: sf_session=u7%s", cookies).p, NULL);
	return answer_header(&h, req, "Set-Cookie");
}

static void test_csrf_is_renewed(void **state) {
	(void)state;
	const char *mine = csrf(NEW, "u7"),
			   *want = sf_arena_printf(h.arena, "sf_csrf=%s; Path=/; SameSite=Lax; Max-Age=3600", mine).p;
	const char *has = sf_arena_printf(h.arena, "; sf_csrf=%s", mine).p,
			   *old = sf_arena_printf(h.arena, "; sf_csrf=%s", csrf(OLD, "u7")).p;
	assert_string_equal(renewed(SF_GET, "/api/user", ""), want);
	assert_string_equal(renewed(SF_GET, "/api/user", old), want);
	assert_string_equal(renewed(SF_HEAD, "/api/user", "; sf_csrf=x"), want);
	assert_string_equal(renewed(SF_GET, "/api/anyone", old), want);
	assert_null(renewed(SF_GET, "/api/user", has));
	/* an answer that caches share belongs to nobody */
	assert_null(renewed(SF_GET, "/api/public", old));
	assert_null(renewed(SF_GET, "/api/cached", old));
	assert_null(renewed(SF_POST, "/api/leave", old));
	assert_null(
		answer_header(&h, call(&h, SF_GET, "/api/anyone", "Cookie: sf_session=gone", NULL), "Set-Cookie"));
}

static void test_anyone(void **state) {
	(void)state;
	expect(SF_GET, "/api/anyone", NULL, 200, "\"user\":0");
	expect(SF_GET, "/api/anyone", "Cookie: sf_session=u7", 200, "\"user\":7");
	expect(SF_GET, "/api/anyone", "Cookie: sf_session=gone", 200, "\"user\":0");
	expect(SF_GET, "/api/anyone", "Authorization: Bearer x", 200, "\"user\":0");
	/* that the store is down does not make the caller nobody */
	expect(SF_GET, "/api/anyone", "Cookie: sf_session=down", 503, "unavailable");
	struct sf_http_req *req = call(&h, SF_GET, "/api/anyone", NULL, NULL);
	assert_string_equal(answer_header(&h, req, "Cache-Control"), "private, no-store");
}

/* A transaction is neither begun nor committed for who was let in and is out by then. */
static void test_revoked_meanwhile(void **state) {
	(void)state;
	expect(SF_POST, "/api/late", bearer(51, SF_ROLE_USER, SF_TOKEN_ACCESS), 401, "has ended meanwhile");
	expect(SF_POST, "/api/late", bearer(52, SF_ROLE_USER, SF_TOKEN_ACCESS), 401, "has ended meanwhile");
}

static void test_caching(void **state) {
	(void)state;
	struct sf_http_req *req = call(&h, SF_GET, "/api/user", "Authorization: Bearer demo_token", NULL);
	assert_string_equal(answer_header(&h, req, "Cache-Control"), "private, no-store");
	assert_null(answer_header(&h, req, "ETag"));
}

static void test_write_limit(void **state) {
	(void)state;
	struct harness l = harness_new(&(struct sf_app_opts) {
		.services = services, .identity = &identity, .rate_api = 100, .rate_write = 2 });
	const char *mine = bearer(41, SF_ROLE_USER, SF_TOKEN_ACCESS),
			   *yours = bearer(42, SF_ROLE_USER, SF_TOKEN_ACCESS);
	for (int i = 0; i < 2; i++) {
		struct sf_http_req *req = call(&l, SF_POST, "/api/user", mine, NULL);
		assert_status(req, 200);
		assert_string_equal(answer_header(&l, req, "RateLimit-Limit"), "2");
	}
	assert_status(call(&l, SF_POST, "/api/user", mine, NULL), 429);
	assert_status(call(&l, SF_POST, "/api/user", yours, NULL), 200);
	assert_status(call(&l, SF_POST, "/api/public", NULL, NULL), 200); /* nobody: by address only */
	harness_free(&l);
	sf_app_http(h.app, &h.http);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),          cmocka_unit_test(test_bad_tokens),
		cmocka_unit_test(test_sessions),        cmocka_unit_test(test_csrf),
		cmocka_unit_test(test_csrf_is_renewed), cmocka_unit_test(test_anyone),
		cmocka_unit_test(test_caching),         cmocka_unit_test(test_revoked_meanwhile),
		cmocka_unit_test(test_write_limit),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
