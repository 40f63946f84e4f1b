/* rows: every wrong row is refused with a line that names it. */
#include "harness.h"

static int handler(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("ok", true));
}

struct in {
	int64_t n;
	struct sf_oint m;
	struct sf_str text;
	bool yes;
};
static const char *const tags[] = { "chefs", "chef", NULL };

#define GOOD .run = handler, .auth = SF_PUBLIC, .rate = SF_RATE_API, .summary = "x"
#define FIELDS(...)                                                                                          \
	(const struct sf_field[]) {                                                                              \
		__VA_ARGS__, {                                                                                       \
			0                                                                                                \
		}                                                                                                    \
	}
#define N_FIELD                                                                                              \
	{ .name = "n", .type = SF_F_INT, .required = true, .offset = offsetof(struct in, n) }

struct wrong {
	const char *why; /* part of the line */
	struct sf_route row;
};
static const struct wrong table[] = {
	{ "auth", { SF_GET, "/x", handler, .rate = SF_RATE_API, .summary = "x" } },
	{ "rate", { SF_GET, "/x", handler, .auth = SF_PUBLIC, .summary = "x" } },
	{ "handler", { SF_GET, "/x", NULL, .auth = SF_PUBLIC, .rate = SF_RATE_API, .summary = "x" } },
	{ "summary", { SF_GET, "/x", handler, .auth = SF_PUBLIC, .rate = SF_RATE_API } },
	{ "subscription",
	  { SF_GET, "/x", handler, .auth = { .kind = SF_ACCESS_SUB }, .rate = SF_RATE_API, .summary = "x" } },
	{ "HEAD and OPTIONS", { SF_HEAD, "/x", GOOD } },
	{ "HEAD and OPTIONS", { SF_OPTIONS, "/x", GOOD } },
	{ "begin with /", { SF_GET, "x", GOOD } },
	{ "not end with /", { SF_GET, "/x/", GOOD } },
	{ "empty segment", { SF_GET, "/x//y", GOOD } },
	{ "decoded", { SF_GET, "/x%20", GOOD } },
	{ "whole segment", { SF_GET, "/x/a{id}", GOOD } },
	{ "end with }", { SF_GET, "/x/{id", GOOD } },
	{ "proper name", { SF_GET, "/x/{}", GOOD } },
	{ "{name:text}", { SF_GET, "/x/{id:int}", GOOD } },
	{ "comes twice", { SF_GET, "/x/{id}/{id}", GOOD } },
	{ "more than 4", { SF_GET, "/{a}/{b}/{c}/{d}/{e}", GOOD } },
	{ "cache tag \"dishes\"", { SF_GET, "/x", GOOD, .cache_tags = "chefs,dishes" } },
	{ "no parameter of the path", { SF_GET, "/x", GOOD, .cache_tags = "chef:{id}" } },
	{ "GET takes no body", { SF_GET, "/x", GOOD, .body = FIELDS(N_FIELD), .body_size = sizeof(struct in) } },
	{ "GET takes no body", { SF_GET, "/x", GOOD, .text_body = true } },
	{ "fields or text",
	  { SF_POST, "/x", GOOD, .text_body = true, .body = FIELDS(N_FIELD), .body_size = sizeof(struct in) } },
	{ "text_body", { SF_POST, "/x", GOOD, .consumes = "text/csv" } },
	{ "no optional text", { SF_POST, "/x", GOOD, .auth_field = "password" } },
	{ "no optional text",
	  { SF_POST, "/x", GOOD, .auth_field = "n", .body = FIELDS(N_FIELD), .body_size = sizeof(struct in) } },
	{ "go with a body", { SF_GET, "/x", GOOD, .body_max = 100 } },
	{ "go with a body", { SF_POST, "/x", GOOD, .json_max = 100 } },
	{ "size of their struct", { SF_POST, "/x", GOOD, .body = FIELDS(N_FIELD) } },
	{ "Idempotency-Key", { SF_GET, "/x", GOOD, .idempotent = true } },
	{ "only a GET is paged", { SF_POST, "/x", GOOD, .page_of = "things" } },
	{ "come with page_of",
	  { SF_GET, "/x", GOOD, .page_of = "things", .query = FIELDS({ .name = "page", .type = SF_F_INT }),
		.query_size = sizeof(struct in) } },
	{ "per_page goes", { SF_GET, "/x", GOOD, .per_page = 12 } },
	{ "1 to 100", { SF_GET, "/x", GOOD, .page_of = "things", .per_page = 101 } },
	{ "cached by others", { SF_POST, "/x", GOOD, .max_age = 60 } },
	{ "cached by others",
	  { SF_GET, "/x", handler, .auth = SF_USER, .rate = SF_RATE_API, .summary = "x", .max_age = 60 } },
	{ "status", { SF_POST, "/x", GOOD, .status = 404 } },
	{ "enum sf_err", { SF_POST, "/x", GOOD, .errors = { 404 } } },
	{ "enum sf_err", { SF_POST, "/x", GOOD, .errors = { -SF_ERR_COUNT } } },
	{ "comes twice",
	  { SF_POST, "/x", GOOD, .body = FIELDS(N_FIELD, N_FIELD), .body_size = sizeof(struct in) } },
	{ "no choices",
	  { SF_POST, "/x", GOOD,
		.body = FIELDS({ .name = "t", .type = SF_F_ENUM, .offset = offsetof(struct in, text) }),
		.body_size = sizeof(struct in) } },
	{ "required and has a default",
	  { SF_POST, "/x", GOOD,
		.body = FIELDS({ .name = "n", .type = SF_F_INT, .required = true, .fallback = "1" }),
		.body_size = sizeof(struct in) } },
	{ "outside",
	  { SF_POST, "/x", GOOD, .body = FIELDS({ .name = "n", .type = SF_F_INT, .offset = sizeof(struct in) }),
		.body_size = sizeof(struct in) } },
	{ "C type",
	  { SF_POST, "/x", GOOD, .body = FIELDS({ .name = "n", .type = SF_F_INT, .required = true, .offset = 1 }),
		.body_size = sizeof(struct in) } },
	{ "min is above max",
	  { SF_POST, "/x", GOOD, .body = FIELDS({ .name = "n", .type = SF_F_INT, .min = 5, .max = 2 }),
		.body_size = sizeof(struct in) } },
	{ "object",
	  { SF_POST, "/x", GOOD, .body = FIELDS({ .name = "n", .type = SF_F_OBJECT }),
		.body_size = sizeof(struct in) } },
	{ "only text can have several lines",
	  { SF_POST, "/x", GOOD, .body = FIELDS({ .name = "n", .type = SF_F_INT, .multiline = true }),
		.body_size = sizeof(struct in) } },
	{ "time zone",
	  { SF_GET, "/x", GOOD, .max_age = 60, .query = FIELDS({ .name = "n", .type = SF_F_TIME }),
		.query_size = sizeof(struct in) } },
	{ "default of \"n\" must carry its offset",
	  { SF_GET, "/x", GOOD,
		.query = FIELDS({ .name = "n", .type = SF_F_TIME, .fallback = "2026-11-22T18:00" }),
		.query_size = sizeof(struct in) } },
	{ "default of \"n\" must be between 1 and 9",
	  { SF_GET, "/x", GOOD,
		.query = FIELDS({ .name = "n", .type = SF_F_INT, .fallback = "10", .min = 1, .max = 9 }),
		.query_size = sizeof(struct in) } },
	{ "default of \"t\" must be one of a, b",
	  { SF_GET, "/x", GOOD,
		.query = FIELDS({ .name = "t",
						  .type = SF_F_ENUM,
						  .choices = "a|b",
						  .fallback = "c",
						  .offset = offsetof(struct in, text) }),
		.query_size = sizeof(struct in) } },
	{ "not JSON",
	  { SF_GET, "/x", GOOD, .reply = FIELDS({ .name = "n", .type = SF_F_INT, .example = "one" }) } },
	{ "not JSON",
	  { SF_GET, "/x", GOOD,
		.reply = FIELDS({ .name = "o",
						  .type = SF_F_OBJECT,
						  .sub = FIELDS({ .name = "n", .type = SF_F_INT, .example = "{" }) }) } },
	{ "proper field name", { SF_GET, "/x", GOOD, .reply = FIELDS({ .name = "a b", .type = SF_F_INT }) } },
};

static void test_refused(void **state) {
	(void)state;
	for (size_t i = 0; i < SF_COUNT(table); i++) {
		struct sf_route routes[2] = { table[i].row, { 0 } };
		const struct sf_service service = { .name = "shop", .title = "Shop", .routes = routes, .tags = tags };
		const struct sf_service *services[] = { &service, NULL };
		struct sf_app *app = NULL;
		struct sf_str why = SF_STR_NULL;
		if (sf_app_new(&(struct sf_app_opts) { .services = services }, &app, &why) != SF_EINVAL)
			fail_msg("taken, though it should say: %s", table[i].why);
		assert_null(app);
		if (!holds(why, table[i].why) || !holds(why, "shop: "))
			fail_msg("\"" SF_PRI "\" does not say: %s", SF_ARG(why), table[i].why);
	}
}

static void test_good(void **state) {
	(void)state;
	const struct sf_route routes[] = {
		{ SF_GET, "/x/{id}", GOOD, .cache_tags = "chefs, chef:{id}", .max_age = 60, .stale = 30,
		  .page_of = "things", .per_page = 12 },
		{ SF_POST, "/x/{id}", GOOD, .idempotent = true,
		  .body = FIELDS(
			  N_FIELD,
			  { .name = "yes", .type = SF_F_BOOL, .fallback = "true", .offset = offsetof(struct in, yes) }),
		  .body_size = sizeof(struct in) },
		{ 0 },
	};
	const struct sf_service service = { .name = "shop", .title = "Shop", .routes = routes, .tags = tags };
	const struct sf_service *services[] = { &service, NULL };
	struct harness h = harness_new(&(struct sf_app_opts) { .services = services });
	harness_free(&h);
}

static void test_duplicate(void **state) {
	(void)state;
	static const struct sf_route routes[] = { { SF_GET, "/x", GOOD }, { 0 } };
	const struct sf_service one = { .name = "one", .title = "One", .routes = routes },
							two = { .name = "two", .title = "Two", .routes = routes };
	const struct sf_service *services[] = { &one, &two, NULL };
	struct sf_app *app = NULL;
	struct sf_str why = SF_STR_NULL;
	assert_int_equal(sf_app_new(&(struct sf_app_opts) { .services = services }, &app, &why), SF_EINVAL);
	assert_true(holds(why, "GET /x"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_duplicate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
