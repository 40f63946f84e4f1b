/* input: what is taken from a query and a body, what is refused and with which words; hostile bodies. */
#include "harness.h"
#include "core/json.h"
#include "loop/loop.h"

#include <jansson.h>

struct in {
	int64_t hours, count;
	struct sf_oint maybe, flag, at, day;
	double price;
	struct sf_ofloat rate;
	bool yes;
	struct sf_str name, note, mail, url, sort, secret;
	struct sf_ints ids;
	struct sf_texts tags, lines;
	const struct json_t *any;
};

#define FIELDS                                                                                               \
	SF_IN(struct in, hours, SF_F_INT, .required = true, .min = 1, .max = 24),                                \
		SF_IN(struct in, count, SF_F_INT, .fallback = "5", .min = 1, .max = INT64_MAX),                      \
		SF_IN(struct in, maybe, SF_F_INT), SF_IN(struct in, flag, SF_F_BOOL),                                \
		SF_IN(struct in, at, SF_F_TIME), SF_IN(struct in, day, SF_F_DATE),                                   \
		SF_IN(struct in, price, SF_F_FLOAT, .fallback = "1.5", .min = 0, .max = 100),                        \
		SF_IN(struct in, rate, SF_F_FLOAT), SF_IN(struct in, yes, SF_F_BOOL, .fallback = "true"),            \
		SF_IN(struct in, name, SF_F_TEXT, .required = true, .min = 2, .max = 5),                             \
		SF_IN(struct in, note, SF_F_TEXT, .multiline = true, .max = 10), SF_IN(struct in, mail, SF_F_EMAIL), \
		SF_IN(struct in, url, SF_F_URL),                                                                     \
		SF_IN(struct in, sort, SF_F_ENUM, .choices = "rating|price|newest", .fallback = "rating"),           \
		SF_IN(struct in, secret, SF_F_TEXT, .keep_space = true), SF_IN(struct in, ids, SF_F_INTS, .max = 3), \
		SF_IN(struct in, tags, SF_F_TEXTS, .min = 1, .max = 2),                                              \
		SF_IN(struct in, lines, SF_F_TEXTS, .multiline = true), SF_IN(struct in, any, SF_F_JSON)
static const struct sf_field fields[] = { FIELDS, { 0 } };

static const struct sf_field optional[] = { SF_IN(struct in, count, SF_F_INT, .fallback = "5"),
											SF_IN(struct in, note, SF_F_TEXT),
											{ 0 } };

static struct in seen; /* what the handler was given last */

static int take_body(struct sf_req *r) {
	seen = *(const struct in *)sf_req_body(r);
	return sf_reply(r, 200, SF_KV("ok", true));
}
static int take_query(struct sf_req *r) {
	seen = *(const struct in *)sf_req_query(r);
	return sf_reply(r, 200, SF_KV("ok", true));
}
static int take_page(struct sf_req *r) {
	struct sf_page p = sf_req_page(r);
	return sf_reply(r, 200, SF_KV("page", p.page), SF_KV("per_page", p.per_page), SF_KV("offset", p.offset));
}

#define OPEN .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .summary = "x"
static const struct sf_route routes[] = {
	{ SF_POST, "/body", take_body, OPEN, .body = fields, .body_size = sizeof(struct in) },
	{ SF_PUT, "/body", take_body, OPEN, .body = fields, .body_size = sizeof(struct in) },
	{ SF_POST, "/optional", take_body, OPEN, .body = optional, .body_size = sizeof(struct in) },
	{ SF_POST, "/few", take_body, OPEN, .body = optional, .body_size = sizeof(struct in), .json_max = 10 },
	{ SF_GET, "/query", take_query, OPEN, .query = fields, .query_size = sizeof(struct in) },
	{ SF_GET, "/page", take_page, OPEN, .page_of = "things", .per_page = 12 },
	{ 0 },
};
static const struct sf_service service = { .name = "test", .title = "Test", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };
HARNESS(.services = services)

/* The reason the answer gives for a field; "" for none. */
static const char *reason(const struct sf_http_req *req, const char *field) {
	struct json_t *v = NULL;
	assert_int_equal(sf_json_parse(h.arena, answer_body(req), &v, NULL), 0);
	const char *text = json_string_value(json_object_get(json_object_get(v, "fields"), field));
	return text ? text : "";
}

static struct sf_http_req *post(const char *body) {
	return call(&h, SF_POST, "/body", NULL, body);
}

static void test_body_good(void **state) {
	(void)state;
	assert_status(post("{\"hours\":3,\"name\":\"  J\\u00f6rg \",\"unknown\":[1]}"), 200);
	assert_int_equal(seen.hours, 3);
	assert_int_equal(seen.count, 5);
	assert_true(seen.price == 1.5 && seen.yes && !seen.maybe.has && !seen.flag.has && !seen.rate.has);
	assert_true(sf_str_eq(seen.name, SF_STR("Jörg")));
	assert_true(sf_str_eq(seen.sort, SF_STR("rating")));
	assert_null(seen.note.p);
	assert_null(seen.any);
	assert_status(
		post("{\"hours\":24,\"name\":\"한국어\",\"count\":9223372036854775807,\"maybe\":-7,"
			 "\"flag\":false,\"at\":\"2026-11-22T14:00:00+09:00\","
			 "\"day\":\"2026-11-22\",\"price\":3,\"rate\":0.25,\"yes\":false,\"note\":"
			 "\"a\\r\\nb\\tc\",\"mail\":\" a.b@ex-ample.co.kr \","
			 "\"url\":\"https://example.com/a?b=c\",\"sort\":\"newest\",\"secret\":\" x "
			 "\",\"ids\":[1,2],\"tags\":[\"a\",\" b \"],\"lines\":[\"a\\r\\nb\"],\"any\":{\"x\":[null]}}"),
		200);
	assert_true(seen.count == INT64_MAX && seen.maybe.v == -7 && seen.flag.has && !seen.flag.v && !seen.yes);
	assert_int_equal(seen.at.v, INT64_C(1795323600) * SF_USEC);
	assert_int_equal(seen.day.v, 20779);
	assert_true(seen.price == 3.0 && seen.rate.has && seen.rate.v == 0.25);
	assert_true(sf_str_eq(seen.note, SF_STR("a\nb\tc")));
	assert_true(sf_str_eq(seen.mail, SF_STR("a.b@ex-ample.co.kr")));
	assert_true(sf_str_eq(seen.secret, SF_STR(" x ")));
	assert_true(seen.ids.n == 2 && seen.ids.p[1] == 2 && seen.tags.n == 2 &&
				sf_str_eq(seen.tags.p[1], SF_STR("b")));
	assert_true(seen.lines.n == 1 && sf_str_eq(seen.lines.p[0], SF_STR("a\nb")));
	assert_true(json_is_object(seen.any));
	/* an optional text may be emptied, null is absent */
	assert_status(post("{\"hours\":1,\"name\":\"ab\",\"note\":\"\",\"maybe\":null,\"sort\":null}"), 200);
	assert_true(seen.note.p && seen.note.n == 0 && !seen.maybe.has && sf_str_eq(seen.sort, SF_STR("rating")));
}

static const struct {
	const char *field, *value, *why;
} bad[] = {
	{ "hours", "0", "must be between 1 and 24" },
	{ "hours", "25", "must be between 1 and 24" },
	{ "hours", "-9223372036854775808", "must be between 1 and 24" },
	{ "hours", "3.0", "must be a whole number" },
	{ "hours", "1e0", "must be a whole number" },
	{ "hours", "\"3\"", "must be a whole number" },
	{ "hours", "true", "must be a whole number" },
	{ "hours", "[3]", "must be a whole number" },
	{ "hours", "{}", "must be a whole number" },
	{ "hours", "null", "must be given" },
	{ "count", "0", "must be at least 1" },
	{ "price", "-0.5", "must be between 0 and 100" },
	{ "price", "100.01", "must be between 0 and 100" },
	{ "price", "\"1\"", "must be a number" },
	{ "rate", "false", "must be a number" },
	{ "yes", "1", "must be true or false" },
	{ "flag", "\"true\"", "must be true or false" },
	{ "at", "\"2026-02-30T10:00:00Z\"", "must be a time such as 2026-11-22T14:00:00Z" },
	{ "at", "1795328400", "must be a time such as 2026-11-22T14:00:00Z" },
	{ "day", "\"2026-02-30\"", "must be a date such as 2026-11-22" },
	{ "day", "\"22.11.2026\"", "must be a date such as 2026-11-22" },
	{ "day", "\"2026-11-22T00:00:00Z\"", "must be a date such as 2026-11-22" },
	{ "name", "\"a\"", "must have between 2 and 5 characters" },
	{ "name", "\"abcdef\"", "must have between 2 and 5 characters" },
	{ "name", "\"   \"", "must be given" },
	{ "name", "7", "must be text" },
	{ "name", "[\"ab\"]", "must be text" },
	{ "name", "\"a\\u0001b\"", "must be one line without control characters" },
	{ "name", "\"a\\u007fb\"", "must be one line without control characters" },
	{ "name", "\"a\\u0085b\"", "must be one line without control characters" },
	{ "name", "\"a\\rb\"", "must be one line without control characters" },
	{ "name", "\"a\\r\\nb\"", "must be one line without control characters" },
	{ "name", "\"ab\\n\"", "must be one line without control characters" },
	{ "name", "\"a\\tb\"", "must be one line without control characters" },
	{ "name", "\"a\\u2028b\"", "must be one line without control characters" },
	{ "name", "\"a\\u202eb\"", "must be one line without control characters" },
	{ "name", "\"a\\u2066b\"", "must be one line without control characters" },
	{ "secret", "\"a\\nb\"", "must be one line without control characters" },
	{ "mail", "\"a@b.de\\r\\n\"", "must be one line without control characters" },
	{ "url", "\"https://b.de\\t\"", "must be one line without control characters" },
	{ "tags", "[\"a\", \"b\\nc\"]",
	  "must be a list in which each entry must be one line without control characters" },
	{ "lines", "[\"b\\rc\"]", "must be a list in which each entry must not hold control characters" },
	{ "note", "\"a\\rb\"", "must not hold control characters" },
	{ "note", "\"a\\u2029b\"", "must not hold control characters" },
	{ "note", "\"a\\u202db\"", "must not hold control characters" },
	{ "note", "\"12345678901\"", "must have at most 10 characters" },
	{ "mail", "\"nobody\"", "must be an email address" },
	{ "mail", "\"a@b\"", "must be an email address" },
	{ "mail", "\"a@b@c.de\"", "must be an email address" },
	{ "mail", "\"a b@c.de\"", "must be an email address" },
	{ "mail", "\"a@c..de\"", "must be an email address" },
	{ "mail", "\"<a@c.de>\"", "must be an email address" },
	{ "mail", "17", "must be an email address" },
	{ "url", "\"javascript:alert(1)\"", "must be a web address that begins with http:// or https://" },
	{ "url", "\"https://\"", "must be a web address that begins with http:// or https://" },
	{ "url", "\"//example.com\"", "must be a web address that begins with http:// or https://" },
	{ "url", "\"http://a b\"", "must be a web address that begins with http:// or https://" },
	{ "sort", "\"Rating\"", "must be one of rating, price, newest" },
	{ "sort", "\"\"", "must be one of rating, price, newest" },
	{ "sort", "\"rating|price\"", "must be one of rating, price, newest" },
	{ "sort", "1", "must be one of rating, price, newest" },
	{ "ids", "[1,2,3,4]", "must hold at most 3 entries" },
	{ "ids", "[1,\"2\"]", "must hold whole numbers only" },
	{ "ids", "[1.0]", "must hold whole numbers only" },
	{ "ids", "1", "must be a list of whole numbers" },
	{ "tags", "[]", "must hold between 1 and 2 entries" },
	{ "tags", "[\"\"]", "must be a list in which each entry must not be empty" },
	{ "tags", "[1]", "must hold texts only" },
	{ "tags", "\"a\"", "must be a list of texts" },
};

static void test_body_bad(void **state) {
	(void)state;
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		bool hours = strcmp(bad[i].field, "hours") == 0, name = strcmp(bad[i].field, "name") == 0;
		struct sf_str body = sf_arena_printf(h.arena, "{\"%s\":%s%s%s}", bad[i].field, bad[i].value,
											 hours ? "" : ",\"hours\":1", name ? "" : ",\"name\":\"ab\"");
		struct sf_http_req *req = call_with(&h, SF_POST, "/body", NULL, body);
		if (req->status != 400 || strcmp(reason(req, bad[i].field), bad[i].why) != 0)
			fail_msg(SF_PRI " → %d " SF_PRI, SF_ARG(body), req->status, SF_ARG(answer_body(req)));
		assert_holds(req, "\"code\":\"invalid\"");
	}
}

static void test_all_at_once(void **state) {
	(void)state;
	struct sf_http_req *req = post("{\"count\":0,\"day\":\"x\",\"sort\":\"y\"}");
	assert_status(req, 400);
	assert_string_equal(reason(req, "hours"), "must be given");
	assert_string_equal(reason(req, "name"), "must be given");
	assert_string_equal(reason(req, "count"), "must be at least 1");
	assert_string_equal(reason(req, "day"), "must be a date such as 2026-11-22");
	assert_string_equal(reason(req, "sort"), "must be one of rating, price, newest");
	assert_holds(req, "\"error\":\"Some fields are not valid: hours, count, day, name, sort.\"");
	assert_holds(post("{\"name\":\"ab\",\"hours\":99}"), "\"error\":\"Hours must be between 1 and 24.\"");
}

static void test_no_body(void **state) {
	(void)state;
	assert_string_equal(reason(post(NULL), "hours"), "must be given");
	assert_string_equal(reason(post(" "), "hours"), "must be given");
	assert_status(call(&h, SF_POST, "/optional", NULL, NULL), 200);
	assert_int_equal(seen.count, 5);
	assert_status(call(&h, SF_PUT, "/body", NULL, NULL), 400);
}

static void test_query(void **state) {
	(void)state;
	assert_status(call(&h, SF_GET,
					   "/query?hours=3&name=%ED%95%9C%EA%B5%AD+x&flag=1&yes=false&ids=1&ids=2&tags=a&at=2026-"
					   "11-22&sort=price&rate=0.5&zzz=%zz&&=",
					   NULL, NULL),
				  200);
	assert_true(seen.hours == 3 && seen.flag.has && seen.flag.v == 1 && !seen.yes && seen.ids.n == 2 &&
				seen.tags.n == 1 && seen.rate.v == 0.5);
	assert_true(sf_str_eq(seen.name, SF_STR("한국 x")));
	/* texts a form left empty are absent */
	assert_status(call(&h, SF_GET, "/query?hours=3&name=ab&sort=&note=&day=&mail=", NULL, NULL), 200);
	assert_true(sf_str_eq(seen.sort, SF_STR("rating")) && !seen.note.p && !seen.day.has);
	static const struct {
		const char *query, *field, *why;
	} cases[] = {
		{ "name=ab", "hours", "must be given" },
		{ "name=ab&hours=", "hours", "must be a whole number" },
		{ "name=ab&hours=3.0", "hours", "must be a whole number" },
		{ "name=ab&hours=99999999999999999999", "hours", "must be a whole number" },
		{ "name=ab&hours=3&hours=4", "hours", "must be given once" },
		{ "name=ab&hours=3&price=nan", "price", "must be a number" },
		{ "name=ab&hours=3&price=inf", "price", "must be a number" },
		{ "name=ab&hours=3&yes=TRUE", "yes", "must be true or false" },
		{ "name=%ff&hours=3", "name", "must be text in UTF-8, percent-encoded" },
		{ "name=%&hours=3", "name", "must be text in UTF-8, percent-encoded" },
		{ "name=a%00b&hours=3", "name", "must be text in UTF-8, percent-encoded" },
		{ "name=a%01b&hours=3", "name", "must be one line without control characters" },
		{ "name=a%0d%0ab&hours=3", "name", "must be one line without control characters" },
		{ "name=%0a&hours=3", "name", "must be one line without control characters" },
		{ "name=ab&hours=3&tags=a%e2%80%a8", "tags",
		  "must be a list in which each entry must be one line without control characters" },
		{ "name=ab&hours=3&note=a%0db", "note", "must not hold control characters" },
		{ "name=&hours=3", "name", "must be given" },
		{ "name=ab&hours=3&ids=1&ids=x", "ids", "must hold whole numbers only" },
		{ "name=ab&hours=3&ids=1&ids=2&ids=3&ids=4&ids=5&ids=6&ids=7&ids=8&ids=9&ids=10", "ids",
		  "must hold at most 3 entries" },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		struct sf_http_req *req =
			call(&h, SF_GET, sf_arena_printf(h.arena, "/query?%s", cases[i].query).p, NULL, NULL);
		if (req->status != 400 || strcmp(reason(req, cases[i].field), cases[i].why) != 0)
			fail_msg("%s → %d " SF_PRI, cases[i].query, req->status, SF_ARG(answer_body(req)));
	}
}

static void test_paging(void **state) {
	(void)state;
	assert_holds(call(&h, SF_GET, "/page", NULL, NULL), "{\"page\":1,\"per_page\":12,\"offset\":0}");
	assert_holds(call(&h, SF_GET, "/page?page=3&per_page=100", NULL, NULL),
				 "{\"page\":3,\"per_page\":100,\"offset\":200}");
	assert_holds(call(&h, SF_GET, "/page?page=1000000000", NULL, NULL), "\"offset\":11999999988");
	static const char *const wrong[] = { "page=0",       "page=-1",         "page=x",     "page=",
										 "page=1.5",     "page=1000000001", "per_page=0", "per_page=101",
										 "per_page=all", "page=1&page=2" };
	for (size_t i = 0; i < SF_COUNT(wrong); i++)
		assert_status(call(&h, SF_GET, sf_arena_printf(h.arena, "/page?%s", wrong[i]).p, NULL, NULL), 400);
}

static void test_hostile(void **state) {
	(void)state;
	static const char *const texts[] = {
		"{",
		"}",
		"[",
		"nul",
		"{\"a\":}",
		"{\"a\":1}x",
		"{'a':1}",
		"[1,]",
		"{\"a\":01}",
		"{\"hours\":1,\"hours\":2,\"name\":\"ab\"}",
		"\xef\xbb\xbf{}",
		"{\"name\":\"\\ud800\"}",
		"{\"name\":\"\xff\xfe\"}",
		"{\"name\":\"\xc0\xaf\"}",
		"{\"name\":\"\xed\xa0\x80\"}",
		"{\"name\":\"a\\u0000b\"}",
		"{\"hours\":1e999999}",
		"{\"hours\":99999999999999999999999999}",
		"null",
		"true",
		"3",
		"\"text\"",
		"[]",
		"[{}]",
	};
	for (size_t i = 0; i < SF_COUNT(texts); i++) {
		struct sf_http_req *req = post(texts[i]);
		assert_status(req, 400);
		assert_holds(req, "\"code\":\"malformed\"");
	}
	static const char *const repeated[] = { "[", "{\"a\":", "A", "[1,", "\"", "{\"a\":[", "\\", " ", "{}" };
	for (size_t i = 0; i < SF_COUNT(repeated); i++) {
		size_t n = strlen(repeated[i]), total = (1 << 20) / n * n;
		char *junk = malloc(total);
		for (size_t k = 0; k < total; k += n) memcpy(junk + k, repeated[i], n);
		struct sf_http_req *req = call_with(&h, SF_POST, "/body", NULL, (struct sf_str) { junk, total });
		assert_status(req, 400);
		assert_true(answer_body(req).n < 1000); /* nothing of it comes back */
		free(junk);
	}
	char *binary = malloc(1 << 20);
	for (size_t i = 0; i < 1 << 20; i++) binary[i] = (char)(i * 2654435761u >> 13);
	assert_status(call_with(&h, SF_POST, "/body", NULL, (struct sf_str) { binary, 1 << 20 }), 400);
	free(binary);
}

/* A long but valid text where a short one is wanted; a long list. */
static void test_large(void **state) {
	(void)state;
	struct sf_buf b;
	sf_buf_init(&b, h.arena);
	sf_buf_cstr(&b, "{\"hours\":1,\"name\":\"");
	for (int i = 0; i < 900000; i++) sf_buf_char(&b, 'y');
	sf_buf_cstr(&b, "\"}");
	struct sf_http_req *req = call_with(&h, SF_POST, "/body", NULL, sf_buf_view(&b));
	assert_status(req, 400);
	assert_string_equal(reason(req, "name"), "must have between 2 and 5 characters");
	sf_buf_clear(&b);
	sf_buf_cstr(&b, "{\"hours\":1,\"name\":\"ab\",\"ids\":[1");
	for (int i = 0; i < 9000; i++) sf_buf_cstr(&b, ",1");
	sf_buf_cstr(&b, "]}");
	req = call_with(&h, SF_POST, "/body", NULL, sf_buf_view(&b));
	assert_string_equal(reason(req, "ids"), "must hold at most 3 entries");
	/* the default limit of a text */
	sf_buf_clear(&b);
	sf_buf_cstr(&b, "{\"hours\":1,\"name\":\"ab\",\"secret\":\"");
	for (int i = 0; i < 10001; i++) sf_buf_cstr(&b, "한");
	sf_buf_cstr(&b, "\"}");
	req = call_with(&h, SF_POST, "/body", NULL, sf_buf_view(&b));
	assert_string_equal(reason(req, "secret"), "must have at most 10000 characters");
}

/* {"any":[1,1,…]} of n values in all */
static struct sf_str values(size_t n) {
	struct sf_buf b;
	sf_buf_init(&b, h.arena);
	sf_buf_cstr(&b, "{\"any\":[1");
	for (size_t i = 3; i < n; i++) sf_buf_cstr(&b, ",1");
	sf_buf_cstr(&b, "]}");
	return sf_buf_view(&b);
}

static void test_many_values(void **state) {
	(void)state;
	struct sf_http_req *req = call_with(&h, SF_POST, "/optional", NULL, values(10000));
	assert_status(req, 200);
	req = call_with(&h, SF_POST, "/optional", NULL, values(10001));
	assert_status(req, 413);
	assert_holds(req, "\"error\":\"The JSON holds more than 10000 values.\",\"code\":\"too_large\"");
	assert_status(call_with(&h, SF_POST, "/few", NULL, values(10)), 200); /* a row of its own limit */
	assert_status(call_with(&h, SF_POST, "/few", NULL, values(11)), 413);
}

/* ---- turns ------------------------------------------------------------------------------------------- */

struct turns {
	struct sf_str body;
	int status, others; /* times that another coroutine ran meanwhile */
	bool over;
};

static void asks(void *arg) {
	struct turns *t = arg;
	t->status = call_with(&h, SF_POST, "/optional", NULL, t->body)->status;
	t->over = true;
}
static void counts(void *arg) {
	struct turns *t = arg;
	for (; !t->over; t->others++) assert_int_equal(sf_yield(), 0);
}

static struct turns run_beside(struct sf_str body) {
	struct turns t = { .body = body };
	struct sf_loop *l = sf_loop_new(NULL);
	assert_int_equal(sf_co_start(l, asks, &t, NULL), 0);
	assert_int_equal(sf_co_start(l, counts, &t, NULL), 0);
	sf_loop_run(l);
	assert_int_equal(sf_loop_free(l), 0);
	return t;
}

/* Reading a large body gives other requests their turn, at least once every two thousand values or 32 KiB. */
static void test_turns(void **state) {
	(void)state;
	struct turns t = run_beside(values(10000));
	assert_int_equal(t.status, 200);
	assert_true(t.others >= 5);
	struct sf_buf b;
	sf_buf_init(&b, h.arena);
	sf_buf_cstr(&b, "{\"any\":\"");
	for (int i = 0; i < 130000; i++) sf_buf_char(&b, 'y');
	sf_buf_cstr(&b, "\"}");
	t = run_beside(sf_buf_view(&b));
	assert_int_equal(t.status, 200);
	assert_true(t.others >= 4);
	t = run_beside(values(100)); /* nothing to wait for */
	assert_true(t.status == 200 && t.others == 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body_good), cmocka_unit_test(test_body_bad), cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_no_body),   cmocka_unit_test(test_query),    cmocka_unit_test(test_paging),
		cmocka_unit_test(test_hostile),   cmocka_unit_test(test_large),    cmocka_unit_test(test_many_values),
		cmocka_unit_test(test_turns),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
