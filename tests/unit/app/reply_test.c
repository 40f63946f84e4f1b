/* reply: rows, pages and texts as answers, by descriptors as sqlgen makes them. */
#include "harness.h"
#include "core/json.h"

struct thing {
	int64_t id;
	struct sf_str name;
};
static const struct sf_dbcol cols[] = { { "id", SF_T_INT, false, offsetof(struct thing, id) },
										{ "name", SF_T_TEXT, true, offsetof(struct thing, name) } };
static const struct sf_query things = {
	.name = "test.things", .kind = SF_Q_MANY, .out = cols, .nout = 2, .row_size = sizeof(struct thing)
};
static struct thing two[] = { { 1, SF_STR("하나") }, { 2, { NULL, 0 } } };

static struct sf_rows some(size_t n) {
	return (struct sf_rows) { .q = &things, .at = two, .n = n };
}
static int rows_get(struct sf_req *r) {
	struct sf_rows rows = some(2);
	return sf_reply_rows(r, 200, &rows);
}
static int row_get(struct sf_req *r) {
	return sf_reply_row(r, 0, &things, &two[1]);
}
static int page_get(struct sf_req *r) {
	struct sf_rows rows = some(sf_req_page(r).page == 1 ? 2 : 0);
	return sf_reply_page(r, &rows, 25);
}
static int empty_get(struct sf_req *r) {
	struct sf_rows rows = some(0);
	return sf_reply_page(r, &rows, 0);
}
static int json_get(struct sf_req *r) {
	sf_reply(r, 500, SF_KV("never", "sent")); /* a second answer replaces the first */
	struct sf_json *j = sf_reply_json(r, 203);
	sf_json_arr(j);
	sf_json_int(j, 1);
	sf_json_arr_end(j);
	return 0;
}
static int text_get(struct sf_req *r) {
	char text[] = "a,b";
	return sf_reply_text(r, 200, "text/csv", sf_str(text));
}
static int huge_get(struct sf_req *r) {
	sf_reply_json(r, 200);
	sf_req_http(r)->out.failed = true; /* as when the request's memory is used up */
	return 0;
}

#define OPEN .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .summary = "x"
static const struct sf_route routes[] = {
	{ SF_GET, "/rows", rows_get, OPEN, .reply_list = true },
	{ SF_POST, "/row", row_get, OPEN, .status = 201 },
	{ SF_GET, "/page", page_get, OPEN, .page_of = "things", .per_page = 12 },
	{ SF_GET, "/list", page_get, OPEN, .page_of = "things", .reply_list = true },
	{ SF_GET, "/empty", empty_get, OPEN, .page_of = "things" },
	{ SF_GET, "/json", json_get, OPEN },
	{ SF_GET, "/text", text_get, OPEN, .produces = "text/csv" },
	{ SF_GET, "/huge", huge_get, OPEN },
	{ 0 },
};
static const struct sf_service service = { .name = "test", .title = "Test", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };
HARNESS(.services = services)

static void expect(enum sf_method m, const char *target, int status, const char *body) {
	struct sf_http_req *req = call(&h, m, target, NULL, NULL);
	assert_status(req, status);
	assert_string_equal(sf_arena_cstr(h.arena, answer_body(req)), body);
}
#define TWO "[{\"id\":1,\"name\":\"하나\"},{\"id\":2,\"name\":null}]"

static void test_rows(void **state) {
	(void)state;
	expect(SF_GET, "/rows", 200, TWO);
	expect(SF_POST, "/row", 201, "{\"id\":2,\"name\":null}");
}

static void test_pages(void **state) {
	(void)state;
	expect(SF_GET, "/page", 200, "{\"things\":" TWO ",\"total\":25,\"pages\":3,\"current_page\":1}");
	expect(SF_GET, "/page?page=9&per_page=25", 200,
		   "{\"things\":[],\"total\":25,\"pages\":1,\"current_page\":9}");
	expect(SF_GET, "/empty", 200, "{\"things\":[],\"total\":0,\"pages\":0,\"current_page\":1}");
	expect(SF_GET, "/list", 200, TWO);
	assert_string_equal(answer_header(&h, call(&h, SF_GET, "/list", NULL, NULL), "X-Total-Count"), "25");
}

static void test_others(void **state) {
	(void)state;
	expect(SF_GET, "/json", 203, "[1]");
	expect(SF_GET, "/text", 200, "a,b");
	assert_true(sf_str_eq(call(&h, SF_GET, "/text", NULL, NULL)->type, SF_STR("text/csv")));
	struct sf_http_req *req = call(&h, SF_GET, "/huge", NULL, NULL);
	assert_status(req, 503);
	assert_holds(req, "\"code\":\"overloaded\"");
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_pages),
										cmocka_unit_test(test_others) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
