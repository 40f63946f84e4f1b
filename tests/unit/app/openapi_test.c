/* openapi: the document is JSON, names every route, and its references, ids and examples hold. */
#include "harness.h"
#include "core/json.h"

#include <jansson.h>

static int handler(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("ok", true));
}

struct in {
	int64_t id;
	struct sf_str name, sort;
	struct sf_ints ids;
	struct sf_texts tags;
	struct sf_ofloat price;
	bool open;
};
static const struct sf_field item[] = {
	SF_OUT(id, SF_F_INT, .required = true, .example = "7"),
	SF_OUT(name, SF_F_TEXT, .required = true, .help = "A \"name\"."),
	SF_OUT(bio, SF_F_TEXT, .nullable = true),
	SF_OUT(kind, SF_F_ENUM, .choices = "a|b", .nullable = true),
	SF_OUT(at, SF_F_TIME),
	SF_OUT(day, SF_F_DATE),
	SF_OUT(tags, SF_F_TEXTS),
	SF_OUT(extra, SF_F_JSON),
	{ 0 },
};
static const struct sf_field frame[] = {
	SF_OUT(chef_id, SF_F_INT, .required = true),
	SF_OUT(reviews, SF_F_ARRAY, .required = true, .sub = item),
	{ 0 },
};
static const struct sf_field body[] = {
	SF_IN(struct in, id, SF_F_INT, .required = true, .min = 1, .max = INT64_MAX),
	SF_IN(struct in, name, SF_F_TEXT, .required = true, .min = 2, .max = 100, .example = "\"Ann\""),
	SF_IN(struct in, price, SF_F_FLOAT, .min = 0, .max = 10),
	SF_IN(struct in, ids, SF_F_INTS, .max = 5),
	SF_IN(struct in, tags, SF_F_TEXTS),
	{ 0 },
};
static const struct sf_field query[] = {
	SF_IN(struct in, sort, SF_F_ENUM, .choices = "rating|price", .fallback = "rating", .help = "The order."),
	SF_IN(struct in, open, SF_F_BOOL, .fallback = "true"),
	{ 0 },
};

#define OPEN .auth = SF_PUBLIC, .rate = SF_RATE_API, .summary = "x"
static const struct sf_route routes[] = {
	{ SF_GET, "/api/items", handler, OPEN, .page_of = "items", .per_page = 12, .query = query,
	  .query_size = sizeof(struct in), .reply = item, .max_age = 60 },
	{ SF_POST, "/api/items", handler, .auth = SF_SUB("coocook"), .rate = SF_RATE_WRITE, .summary = "Add",
	  .body = body, .body_size = sizeof(struct in), .status = 201, .idempotent = true,
	  .errors = { SF_EDUP, SF_ELOCKED }, .reply = item },
	{ SF_GET, "/api/items/{id}", handler, .auth = SF_WHO("owner"), .rate = SF_RATE_API, .summary = "One",
	  .reply = item },
	{ SF_DELETE, "/api/items/{id}", handler, .auth = SF_ADMIN, .rate = SF_RATE_WRITE, .summary = "Off",
	  .status = 204 },
	{ SF_GET, "/api/items/{id}/reviews", handler, OPEN, .page_of = "reviews", .reply = frame },
	{ SF_GET, "/api/list", handler, OPEN, .page_of = "list", .reply = item, .reply_list = true },
	{ SF_POST, "/api/apps/{app_id:text}/csv", handler, OPEN, .text_body = true,
	  .consumes = "text/csv, text/plain" },
	{ SF_GET, "/metrics", handler, .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .summary = "Metrics",
	  .produces = "text/plain" },
	{ 0 },
};
static const struct sf_service service = { .name = "shop", .title = "Shop: things", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };
static struct harness h;
static struct json_t *doc;

static int setup(void **state) {
	(void)state;
	h = harness_new(&(struct sf_app_opts) { .services = services });
	struct sf_str why = SF_STR_NULL;
	struct sf_http_req *req = call(&h, SF_GET, "/api/openapi.json", NULL, NULL);
	assert_status(req, 200);
	int err = sf_json_parse(h.arena, answer_body(req), &doc, &why);
	if (err) print_error(SF_PRI "\n", SF_ARG(why));
	return err;
}
static int teardown(void **state) {
	(void)state;
	harness_free(&h);
	return 0;
}

/* at(doc, "paths", "/api/items", "get", NULL) */
static const struct json_t *at(const struct json_t *v, ...) {
	va_list args;
	va_start(args, v);
	for (const char *key; (key = va_arg(args, const char *));) {
		v = json_is_array(v) ? json_array_get(v, (size_t)atoi(key)) : json_object_get(v, key);
		if (!v) fail_msg("no %s", key);
	}
	va_end(args);
	return v;
}
static const char *text(const struct json_t *v) {
	return json_is_string(v) ? json_string_value(v) : "";
}
static const char *dump(const struct json_t *v) {
	return sf_arena_cstr(h.arena, sf_json_dump(h.arena, v));
}

static void test_served(void **state) {
	(void)state;
	struct sf_http_req *req = call(&h, SF_GET, "/api/openapi.json", NULL, NULL);
	const char *etag = answer_header(&h, req, "ETag");
	assert_non_null(etag);
	assert_string_equal(answer_header(&h, req, "Cache-Control"),
						"public, max-age=3600, stale-while-revalidate=3600");
	req = call(&h, SF_GET, "/api/openapi.json", sf_arena_printf(h.arena, "If-None-Match: %s", etag).p, NULL);
	assert_status(req, 304);
	assert_string_equal(text(at(doc, "openapi", NULL)), "3.1.0");
	struct sf_buf out = { 0 };
	sf_app_openapi(h.app, &out);
	assert_true(sf_str_eq(sf_buf_view(&out), answer_body(call(&h, SF_GET, "/api/openapi.json", NULL, NULL))));
	sf_buf_fini(&out);
}

struct names {
	size_t n;
	const char *ids[64];
};
static bool name_it(const struct sf_service *s, const struct sf_route *r, void *arg) {
	static const char *const keys[] = { "get", "head", "post", "put", "patch", "delete" };
	struct names *all = arg;
	struct sf_str path = sf_str(r->path);
	char plain[128];
	size_t n = 0;
	bool skip = false;
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == ':') skip = true;
		if (path.p[i] == '}') skip = false;
		if (!skip) plain[n++] = path.p[i];
	}
	plain[n] = 0;
	const struct json_t *op = at(doc, "paths", plain, keys[r->method], NULL);
	assert_string_equal(text(at(op, "summary", NULL)), r->summary);
	assert_string_equal(text(at(op, "tags", "0", NULL)), s->name);
	const char *id = text(at(op, "operationId", NULL));
	for (size_t i = 0; i < all->n; i++) assert_string_not_equal(all->ids[i], id);
	all->ids[all->n++] = id;
	return true;
}

static void test_names_every_route(void **state) {
	(void)state;
	struct names all = { 0 };
	sf_app_each(h.app, name_it, &all);
	assert_int_equal(all.n, SF_COUNT(routes) - 1 + 2); /* ours, the document's own and that of its page */
}

/* Every "$ref" leads somewhere. */
static void follow(const struct json_t *v) {
	const char *key;
	struct json_t *sub;
	size_t i;
	if (json_is_object(v)) {
		json_object_foreach((struct json_t *)(uintptr_t)v, key, sub) {
			if (strcmp(key, "$ref") != 0) {
				follow(sub);
				continue;
			}
			struct sf_str rest = sf_str(text(sub)), part;
			const struct json_t *to = doc;
			assert_true(sf_str_cut(rest, '/', &part, &rest));
			for (bool more = true; more;) {
				more = sf_str_cut(rest, '/', &part, &rest);
				to = json_object_get(to, sf_arena_cstr(h.arena, part));
				if (!to) fail_msg("%s leads nowhere", text(sub));
			}
		}
	} else if (json_is_array(v)) {
		json_array_foreach(v, i, sub) follow(sub);
	}
}

static void test_references(void **state) {
	(void)state;
	follow(doc);
}

static void test_operation(void **state) {
	(void)state;
	const struct json_t *get = at(doc, "paths", "/api/items", "get", NULL),
						*post = at(doc, "paths", "/api/items", "post", NULL);
	assert_string_equal(dump(at(get, "security", NULL)), "[]");
	assert_string_equal(dump(at(post, "security", NULL)), "[{\"bearer\":[]},{\"session\":[],\"csrf\":[]}]");
	const struct json_t *sort = at(get, "parameters", "0", NULL),
						*per_page = at(get, "parameters", "3", NULL);
	assert_string_equal(dump(at(sort, "schema", NULL)),
						"{\"type\":\"string\",\"enum\":[\"rating\",\"price\"],\"description\":\"The "
						"order.\",\"default\":\"rating\"}");
	assert_string_equal(dump(at(get, "parameters", "1", "schema", "default", NULL)), "true");
	assert_string_equal(text(at(per_page, "name", NULL)), "per_page");
	assert_string_equal(dump(at(per_page, "schema", "default", NULL)), "12");
	assert_string_equal(dump(at(per_page, "schema", "maximum", NULL)), "100");
	const struct json_t *schema = at(post, "requestBody", "content", "application/json", "schema", NULL);
	assert_string_equal(dump(at(schema, "required", NULL)), "[\"id\",\"name\"]");
	assert_string_equal(dump(at(schema, "properties", "id", NULL)),
						"{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1}");
	assert_string_equal(
		dump(at(schema, "properties", "name", NULL)),
		"{\"type\":\"string\",\"minLength\":2,\"maxLength\":100,\"pattern\":"
		"\"^[^\\\\u0000-\\\\u001f\\\\u007f-\\\\u009f\\\\u2028-\\\\u202e\\\\u2066-\\\\u2069]*$\","
		"\"examples\":[\"Ann\"]}");
	assert_string_equal(
		dump(at(schema, "properties", "ids", NULL)),
		"{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"format\":\"int64\"},\"maxItems\":5}");
	assert_string_equal(dump(at(post, "requestBody", "required", NULL)), "true");
	static const char *const statuses[] = { "201", "400", "401", "403", "409", "413",
											"415", "422", "423", "429", "500", "503" };
	for (size_t i = 0; i < SF_COUNT(statuses); i++) at(post, "responses", statuses[i], NULL);
	at(post, "responses", "409", "content", "application/json", "examples", "duplicate", NULL);
	at(get, "responses", "304", NULL);
	assert_null(json_object_get(at(get, "responses", NULL), "401"));
	at(doc, "paths", "/api/items/{id}", "get", "responses", "404", NULL);
	assert_null(
		json_object_get(at(doc, "paths", "/api/items/{id}", "delete", "responses", "204", NULL), "content"));
}

static void test_replies(void **state) {
	(void)state;
	const struct json_t *page = at(doc, "paths", "/api/items", "get", "responses", "200", "content",
								   "application/json", "schema", NULL);
	assert_string_equal(dump(at(page, "required", NULL)), "[\"items\",\"total\",\"pages\",\"current_page\"]");
	const struct json_t *one = at(page, "properties", "items", "items", "properties", NULL);
	assert_string_equal(dump(at(one, "bio", "type", NULL)), "[\"string\",\"null\"]");
	assert_string_equal(dump(at(one, "kind", "enum", NULL)), "[\"a\",\"b\",null]");
	assert_string_equal(dump(at(one, "at", "format", NULL)), "\"date-time\"");
	/* a row that describes the frame itself */
	page = at(doc, "paths", "/api/items/{id}/reviews", "get", "responses", "200", "content",
			  "application/json", "schema", NULL);
	assert_string_equal(dump(at(page, "required", NULL)),
						"[\"chef_id\",\"reviews\",\"total\",\"pages\",\"current_page\"]");
	at(page, "properties", "reviews", "items", "properties", "name", NULL);
	const struct json_t *list = at(doc, "paths", "/api/list", "get", "responses", "200", NULL);
	assert_string_equal(text(at(list, "content", "application/json", "schema", "type", NULL)), "array");
	at(list, "headers", "X-Total-Count", NULL);
	at(doc, "paths", "/metrics", "get", "responses", "200", "content", "text/plain", NULL);
	at(doc, "paths", "/api/apps/{app_id}/csv", "post", "requestBody", "content", "text/plain", NULL);
	const struct json_t *error = at(doc, "components", "schemas", "Error", NULL);
	assert_string_equal(dump(at(error, "required", NULL)), "[\"error\",\"code\",\"request_id\"]");
	assert_null(json_object_get(at(error, "properties", NULL), "fields"));
	error = at(doc, "components", "schemas", "ValidationError", NULL);
	at(error, "properties", "fields", NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_served),     cmocka_unit_test(test_names_every_route),
		cmocka_unit_test(test_references), cmocka_unit_test(test_operation),
		cmocka_unit_test(test_replies),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
