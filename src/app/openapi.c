/* openapi: the OpenAPI 3.1 document of all rows, made once at start, and the route that serves it. */
#include "app/internal.h"
#include "core/config.h"
#include "core/json.h"

/* ---- the routes ---------------------------------------------------------------------------------------- */

static int openapi_get(struct sf_req *r) {
	sf_reply_json(r, 200);
	r->http->body_ref = sf_buf_view(&r->app->openapi);
	sf_app__etag(r, r->app->openapi_etag);
	return 0;
}

/* The page is a file of the web app, which brings its own ETag and Cache-Control. */
static int docs_get(struct sf_req *r) {
	const struct sf_static *files = r->app->opts.files;
	if (!files) return SF_ENOTFOUND;
	r->own_etag = r->own_cache = true;
	return sf_static_serve(files, r->http, SF_STR("/docs"));
}

static const struct sf_route routes[] = {
	{ SF_GET, "/api/openapi.json", openapi_get, .auth = SF_PUBLIC, .rate = SF_RATE_API, .max_age = 3600,
	  .stale = 3600, .summary = "This document" },
	{ SF_GET, "/docs", docs_get, .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .produces = "text/html",
	  .errors = { SF_ENOTFOUND }, .summary = "This document as a page" },
	{ 0 },
};
const struct sf_service sf_app__service = { .name = "api", .title = "The API itself", .routes = routes };

/* ---- small pieces --------------------------------------------------------------------------------------- */

static void member(struct sf_json *j, const char *key, const char *value) {
	sf_json_key(j, key);
	sf_json_str(j, sf_str(value));
}
static void open(struct sf_json *j, const char *key) {
	sf_json_key(j, key);
	sf_json_obj(j);
}
static void ref(struct sf_json *j, const char *key, const char *to) {
	open(j, key);
	member(j, "$ref", to);
	sf_json_obj_end(j);
}

/* "get_api_coocook_chefs_by_id_reviews": from method and path, hence unique and steady */
static struct sf_str operation_id(struct sf_arena *a, const struct sf_app__row *row) {
	static const char *const names[] = {
		[SF_GET] = "get", [SF_POST] = "post", [SF_PUT] = "put", [SF_PATCH] = "patch", [SF_DELETE] = "delete"
	};
	struct sf_buf b;
	sf_buf_init(&b, a);
	sf_buf_cstr(&b, names[row->route->method]);
	size_t nparam = 0;
	struct sf_str rest = sf_str(row->route->path), segment;
	rest.p++, rest.n--;
	for (bool more = rest.n > 0; more;) {
		more = sf_str_cut(rest, '/', &segment, &rest);
		sf_buf_char(&b, '_');
		if (segment.p[0] == '{') {
			sf_buf_cstr(&b, "by_");
			segment = row->params[nparam++];
		}
		for (size_t i = 0; i < segment.n; i++) {
			char c = segment.p[i];
			bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
			if (!plain) c = '_';
			sf_buf_char(&b, c);
		}
	}
	return sf_buf_view(&b);
}

/* The path without the parameters' types */
static struct sf_str plain_path(struct sf_arena *a, const struct sf_app__row *row) {
	struct sf_buf b;
	bool skip = false;
	sf_buf_init(&b, a);
	for (const char *p = row->route->path; *p; p++) {
		if (*p == ':') skip = true;
		if (*p == '}') skip = false;
		if (!skip) sf_buf_char(&b, *p);
	}
	return sf_buf_view(&b);
}

/* ---- one operation ---------------------------------------------------------------------------------------- */

static void parameter(struct sf_json *j, const char *in, const struct sf_field *f) {
	sf_json_obj(j);
	sf_json_add(j, SF_KV("name", f->name), SF_KV("in", in), SF_KV("required", f->required));
	if (f->help) member(j, "description", f->help);
	sf_json_key(j, "schema");
	sf_app__openapi_input(j, f);
	sf_json_obj_end(j);
}

static void path_parameters(struct sf_json *j, struct sf_arena *a, const struct sf_app__row *row) {
	for (size_t i = 0; i < row->nparams; i++) {
		struct sf_field f = { .name = sf_arena_cstr(a, row->params[i]),
							  .type = row->param_text[i] ? SF_F_TEXT : SF_F_INT,
							  .required = true,
							  .min = 1,
							  .max = row->param_text[i] ? SF_APP_TEXT_MAX : INT64_MAX };
		parameter(j, "path", &f);
	}
}

static void reference(struct sf_json *j, const char *to) {
	sf_json_obj(j);
	member(j, "$ref", to);
	sf_json_obj_end(j);
}

static void parameters(struct sf_json *j, struct sf_arena *a, const struct sf_app__row *row) {
	const struct sf_route *r = row->route;
	sf_json_key(j, "parameters");
	sf_json_arr(j);
	path_parameters(j, a, row);
	for (const struct sf_field *f = r->query; f && f->name; f++) parameter(j, "query", f);
	if (r->page_of) {
		const char *fallback = sf_arena_printf(a, "%d", r->per_page ? r->per_page : SF_APP_PER_PAGE).p;
		parameter(j, "query",
				  &(struct sf_field) { .name = "page",
									   .type = SF_F_INT,
									   .min = 1,
									   .max = SF_APP_PAGE_UP,
									   .fallback = "1",
									   .help = "Which page, from 1; a page past the end is an empty list." });
		parameter(j, "query",
				  &(struct sf_field) { .name = "per_page",
									   .type = SF_F_INT,
									   .min = 1,
									   .max = SF_APP_PER_PAGE_UP,
									   .fallback = fallback,
									   .help = "Entries on a page." });
	}
	if (r->idempotent) reference(j, "#/components/parameters/IdempotencyKey");
	if (!r->idempotent && row->shared) reference(j, "#/components/parameters/IfNoneMatch");
	if (sf_app__needs_zone(r->query) || sf_app__needs_zone(r->body))
		reference(j, "#/components/parameters/TimeZone");
	sf_json_arr_end(j);
}

/* {"<type>": {"schema": …, "example": …}} for a body that is no JSON object of fields */
static void text_content(struct sf_json *j, struct sf_arena *a, const char *types) {
	struct sf_str rest = sf_str(types), one;
	open(j, "content");
	for (bool more = true; more;) {
		more = sf_str_cut(rest, ',', &one, &rest);
		open(j, sf_arena_cstr(a, sf_str_trim(one)));
		open(j, "schema");
		sf_json_obj_end(j);
		sf_json_obj_end(j);
	}
	sf_json_obj_end(j);
}

static void request_body(struct sf_json *j, struct sf_arena *a, const struct sf_app__row *row) {
	const struct sf_route *r = row->route;
	if (!r->body && !r->text_body) return;
	bool required = r->text_body || r->method != SF_POST;
	for (const struct sf_field *f = r->body; f && f->name; f++) required |= f->required;
	open(j, "requestBody");
	if (row->body_max)
		sf_json_add(
			j, SF_KV("description", sf_arena_printf(a, "At most %zu KiB.", (row->body_max + 1023) / 1024)));
	sf_json_add(j, SF_KV("required", required));
	if (r->text_body) {
		text_content(j, a, r->consumes ? r->consumes : "application/json");
	} else {
		open(j, "content");
		open(j, "application/json");
		open(j, "schema");
		member(j, "type", "object");
		sf_app__openapi_object(j, r->body, true);
		sf_json_obj_end(j);
		sf_json_key(j, "example");
		sf_app__openapi_example(j, r->body);
		sf_json_obj_end(j);
		sf_json_obj_end(j);
	}
	sf_json_obj_end(j);
}

static bool has_field(const struct sf_field *f, const char *name) {
	for (; f && f->name; f++)
		if (strcmp(f->name, name) == 0) return true;
	return false;
}

static const struct sf_field page_members[] = {
	SF_OUT(total, SF_F_INT, .required = true, .example = "1", .help = "Entries on all pages."),
	SF_OUT(pages, SF_F_INT, .required = true, .example = "1"),
	SF_OUT(current_page, SF_F_INT, .required = true, .example = "1"),
	{ 0 },
};

/* A paged answer whose row describes the elements gets its frame here; one that describes the frame itself (it names
 * the list) is taken as it stands, with what the frame always has. */
static const struct sf_field *reply_fields(struct sf_arena *a, const struct sf_route *r) {
	if (!r->page_of || r->reply_list) return r->reply;
	size_t n = 0, k = 0;
	bool framed = has_field(r->reply, r->page_of);
	while (framed && r->reply[n].name) n++;
	struct sf_field *out = sf_arena_zalloc(a, (n + 1 + SF_COUNT(page_members)) * sizeof *out);
	for (; k < n; k++) out[k] = r->reply[k];
	if (!framed)
		out[k++] =
			(struct sf_field) { .name = r->page_of, .type = SF_F_ARRAY, .required = true, .sub = r->reply };
	/* lists of its own frame ("data" with page and per_page) bring their own numbers */
	for (const struct sf_field *f = page_members; f->name; f++)
		if (!has_field(out, f->name) && !(framed && has_field(r->reply, "page"))) out[k++] = *f;
	return out;
}

static void reply_schema(struct sf_json *j, const struct sf_route *r, const struct sf_field *fields) {
	open(j, "schema");
	if (r->reply_list) {
		member(j, "type", "array");
		open(j, "items");
	}
	member(j, "type", "object");
	if (fields) sf_app__openapi_object(j, fields, false);
	if (r->reply_list) sf_json_obj_end(j);
	sf_json_obj_end(j);
	if (!fields) return;
	sf_json_key(j, "example");
	if (r->reply_list) sf_json_arr(j);
	sf_app__openapi_example(j, fields);
	if (r->reply_list) sf_json_arr_end(j);
}

static void limit_headers(struct sf_json *j, const struct sf_route *r) {
	if (r->rate == SF_RATE_NONE) return;
	ref(j, "RateLimit-Limit", "#/components/headers/RateLimitLimit");
	ref(j, "RateLimit-Remaining", "#/components/headers/RateLimitRemaining");
	ref(j, "RateLimit-Reset", "#/components/headers/RateLimitReset");
}

static void success_headers(struct sf_json *j, const struct sf_app__row *row) {
	const struct sf_route *r = row->route;
	open(j, "headers");
	ref(j, "X-Request-Id", "#/components/headers/RequestId");
	ref(j, "traceparent", "#/components/headers/Traceparent");
	ref(j, "Cache-Control", "#/components/headers/CacheControl");
	if (row->shared) ref(j, "ETag", "#/components/headers/ETag");
	if (r->idempotent) ref(j, "Idempotent-Replayed", "#/components/headers/IdempotentReplayed");
	if (r->page_of && r->reply_list) ref(j, "X-Total-Count", "#/components/headers/TotalCount");
	limit_headers(j, r);
	sf_json_obj_end(j);
}

/* The 202 that may come instead. */
static void accepted(struct sf_json *j, const struct sf_app__row *row) {
	const struct sf_route *r = row->route;
	if (!r->accepted) return;
	open(j, "202");
	member(j, "description", r->accepted_when);
	success_headers(j, row);
	open(j, "content");
	open(j, "application/json");
	reply_schema(j, r, r->accepted);
	sf_json_obj_end(j);
	sf_json_obj_end(j);
	sf_json_obj_end(j);
}

static void success(struct sf_json *j, struct sf_arena *a, const struct sf_app__row *row) {
	const struct sf_route *r = row->route;
	int status = r->status ? r->status : 200;
	open(j, sf_arena_printf(a, "%d", status).p);
	member(j, "description",
		   status == 201   ? "Created."
		   : status == 202 ? "Accepted: the work goes on."
		   : status == 204 ? "Done; no body."
						   : "Done.");
	success_headers(j, row);
	if (r->produces && !sf_str_starts(sf_str(r->produces), SF_STR("application/json"))) {
		text_content(j, a, r->produces);
	} else if (status != 204) {
		open(j, "content");
		open(j, "application/json");
		reply_schema(j, r, reply_fields(a, r));
		sf_json_obj_end(j);
		sf_json_obj_end(j);
	}
	sf_json_obj_end(j);
	if (row->shared && status == 200) ref(j, "304", "#/components/responses/NotModified");
}

/* ---- errors ------------------------------------------------------------------------------------------------ */

/* The errors of a row as a bit set over enum sf_err, so that those of one status stand together. */
static uint64_t errors_of(const struct sf_app__row *row) {
	const struct sf_route *r = row->route;
	uint64_t set = 0;
#define ADD(err) (set |= UINT64_C(1) << -(err))
	ADD(SF_EINTERNAL), ADD(SF_EOVERLOAD), ADD(SF_EDRAINING), ADD(SF_EUNAVAILABLE), ADD(SF_EDEADLINE),
		ADD(SF_ESERIAL);
	ADD(SF_EMALFORMED);
	if (r->query || r->body || r->page_of || r->idempotent) ADD(SF_EINVAL);
	bool open_to_all = r->auth.kind == SF_ACCESS_PUBLIC || r->auth.kind == SF_ACCESS_ANYONE;
	if (!open_to_all) ADD(SF_EAUTH);
	if (!open_to_all && (r->auth.kind != SF_ACCESS_USER || r->auth.who)) ADD(SF_EFORBIDDEN);
	/* a session's write without its CSRF token is refused whoever the caller is */
	if (!open_to_all && r->method != SF_GET && !r->no_csrf) ADD(SF_ECSRF);
	if (row->nparams) ADD(SF_ENOTFOUND);
	if (r->body || r->text_body) ADD(SF_ETOOLARGE), ADD(SF_EMEDIA);
	if (r->idempotent) ADD(SF_ECONFLICT), ADD(SF_EIDEMPOTENCY);
	if (r->rate != SF_RATE_NONE) ADD(SF_ERATE);
	for (size_t i = 0; i < SF_COUNT(r->errors) && r->errors[i]; i++) ADD(r->errors[i]);
#undef ADD
	return set;
}

static void error_response(struct sf_json *j, struct sf_arena *a, const struct sf_app__row *row, int status,
						   uint64_t set) {
	open(j, sf_arena_printf(a, "%d", status).p);
	struct sf_buf text, *b = &text;
	sf_buf_init(b, a);
	for (int e = 1; e < SF_ERR_COUNT; e++) {
		if (!(set >> e & 1) || sf_err_status(-e) != status) continue;
		if (b->n) sf_buf_char(b, ' ');
		sf_buf_cstr(b, sf_err_text(-e));
	}
	sf_json_key(j, "description");
	sf_json_str(j, sf_buf_view(b));
	open(j, "headers");
	ref(j, "X-Request-Id", "#/components/headers/RequestId");
	if (status == 401) ref(j, "WWW-Authenticate", "#/components/headers/WwwAuthenticate");
	if (status == 415) ref(j, "Accept-Encoding", "#/components/headers/AcceptEncoding");
	if (status == 429 || status == 503 || (status == 409 && row->route->idempotent))
		ref(j, "Retry-After", "#/components/headers/RetryAfter");
	if (status < 500) limit_headers(j, row->route);
	sf_json_obj_end(j);
	open(j, "content");
	open(j, "application/json");
	if (status == 503 && row->route->unready) {
		open(j, "schema");
		sf_json_key(j, "anyOf");
		sf_json_arr(j);
		sf_json_obj(j);
		member(j, "type", "object");
		sf_app__openapi_object(j, reply_fields(a, row->route), false);
		sf_json_obj_end(j);
		sf_json_raw(j, SF_STR("{\"$ref\":\"#/components/schemas/Error\"}"));
		sf_json_arr_end(j);
		sf_json_obj_end(j);
	} else if (status == 409 && row->route->conflict) {
		sf_json_key(j, "schema");
		sf_app__openapi_error(j, row->route->conflict);
	} else {
		ref(j, "schema",
			status == 400 ? "#/components/schemas/ValidationError" : "#/components/schemas/Error");
	}
	open(j, "examples");
	for (int e = 1; e < SF_ERR_COUNT; e++)
		if ((set >> e & 1) && sf_err_status(-e) == status)
			ref(j, sf_err_code(-e), sf_arena_printf(a, "#/components/examples/%s", sf_err_code(-e)).p);
	sf_json_obj_end(j);
	sf_json_obj_end(j);
	sf_json_obj_end(j);
	sf_json_obj_end(j);
}

static void responses(struct sf_json *j, struct sf_arena *a, const struct sf_app__row *row) {
	uint64_t set = errors_of(row);
	open(j, "responses");
	success(j, a, row);
	accepted(j, row);
	for (int status = 400; status < 600; status++) {
		bool any = false;
		for (int e = 1; e < SF_ERR_COUNT; e++) any |= (set >> e & 1) && sf_err_status(-e) == status;
		if (any && status != 499) error_response(j, a, row, status, set);
	}
	sf_json_obj_end(j);
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

static void security(struct sf_json *j, const struct sf_route *r) {
	sf_json_key(j, "security");
	if (r->auth.kind == SF_ACCESS_PUBLIC)
		sf_json_raw(j, SF_STR("[]"));
	else if (r->auth.kind == SF_ACCESS_ANYONE)
		sf_json_raw(j, SF_STR("[{},{\"bearer\":[]},{\"session\":[]}]"));
	else if (r->method == SF_GET || r->no_csrf)
		sf_json_raw(j, SF_STR("[{\"bearer\":[]},{\"session\":[]}]"));
	else
		sf_json_raw(j, SF_STR("[{\"bearer\":[]},{\"session\":[],\"csrf\":[]}]"));
}

static void description(struct sf_json *j, struct sf_arena *a, const struct sf_route *r) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	switch (r->auth.kind) {
	case SF_ACCESS_ADMIN: sf_buf_cstr(&b, "For administrators."); break;
	case SF_ACCESS_SUB: sf_buf_printf(&b, "Needs an active subscription to `%s`.", r->auth.product); break;
	case SF_ACCESS_USER: sf_buf_cstr(&b, "For signed-in users."); break;
	case SF_ACCESS_ANYONE: sf_buf_cstr(&b, "Public; answers by who asks."); break;
	default: sf_buf_cstr(&b, "Public."); break;
	}
	if (r->auth.who) sf_buf_printf(&b, " Only for: %s.", r->auth.who);
	if (r->idempotent) sf_buf_cstr(&b, " Honours `Idempotency-Key`.");
	if (r->auth_field) sf_buf_printf(&b, " With `%s` it also counts as a sign-in.", r->auth_field);
	sf_json_key(j, "description");
	sf_json_str(j, sf_buf_view(&b));
}

static void operation(struct sf_json *j, struct sf_arena *a, const struct sf_app__row *row) {
	static const char *const keys[] = {
		[SF_GET] = "get", [SF_POST] = "post", [SF_PUT] = "put", [SF_PATCH] = "patch", [SF_DELETE] = "delete"
	};
	const struct sf_route *r = row->route;
	open(j, keys[r->method]);
	sf_json_add(j, SF_KV("operationId", operation_id(a, row)), SF_KV("summary", r->summary));
	description(j, a, r);
	sf_json_key(j, "tags");
	sf_json_arr(j);
	sf_json_str(j, sf_str(row->service->name));
	sf_json_arr_end(j);
	security(j, r);
	parameters(j, a, row);
	request_body(j, a, row);
	responses(j, a, row);
	sf_json_obj_end(j);
}

/* All methods of a path stand under it, so the rows are walked once a path, at its first row. */
static void paths(struct sf_json *j, struct sf_arena *a, const struct sf_app *app) {
	open(j, "paths");
	for (size_t i = 0; i < app->nrows; i++) {
		const char *path = app->rows[i].route->path;
		bool seen = false;
		for (size_t k = 0; k < i && !seen; k++) seen = strcmp(app->rows[k].route->path, path) == 0;
		if (seen) continue;
		open(j, sf_arena_cstr(a, plain_path(a, &app->rows[i])));
		for (size_t k = i; k < app->nrows; k++)
			if (strcmp(app->rows[k].route->path, path) == 0) operation(j, a, &app->rows[k]);
		sf_json_obj_end(j);
	}
	sf_json_obj_end(j);
}

static void tags(struct sf_json *j, const struct sf_app *app) {
	sf_json_key(j, "tags");
	sf_json_arr(j);
	const struct sf_service *last = NULL;
	for (size_t i = 0; i < app->nrows; i++) {
		if (app->rows[i].service == last) continue;
		last = app->rows[i].service;
		sf_json_obj(j);
		member(j, "name", last->name);
		member(j, "description", last->title);
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
}

/* Whom to ask about the API: API_CONTACT is an address or a URL. */
static void contact(struct sf_json *j) {
	const char *whom = sf_config_text("API_CONTACT");
	open(j, "contact");
	member(j, "name", "SoftFactory");
	if (whom && *whom) member(j, strstr(whom, "://") ? "url" : "email", whom);
	sf_json_obj_end(j);
}

void sf_app_openapi(const struct sf_app *app, struct sf_buf *out) {
	struct sf_arena *a = sf_arena_new(0);
	struct sf_json json = sf_json(out), *j = &json;
	sf_json_obj(j);
	member(j, "openapi", "3.1.0");
	member(j, "jsonSchemaDialect", "https://json-schema.org/draft/2020-12/schema");
	open(j, "info");
	member(j, "title", "SoftFactory");
	member(j, "version", "1");
	contact(j);
	sf_json_key(j, "license");
	sf_json_raw(j, SF_STR("{\"name\":\"MIT\",\"identifier\":\"MIT\"}"));
	sf_json_key(j, "description");
	sf_json_raw(
		j, SF_STR("\"Errors have one "
				  "shape (schema Error; ValidationError, which names the fields, for 400). Times are "
				  "answered in UTC with Z; sent without an "
				  "offset they are in the caller's time zone (Asia/Seoul unless chosen; header Time-Zone). "
				  "Money is in the currency's smallest unit. "
				  "A text has one line without control characters unless its pattern says otherwise. "
				  "Bodies may be sent with Content-Encoding: gzip; their limit is that of what is inside. "
				  "HEAD works on every GET, OPTIONS "
				  "on every path. X-Request-Id and traceparent are taken over or made, and returned.\""));
	sf_json_obj_end(j);
	sf_json_key(j, "servers");
	sf_json_raw(j, SF_STR("[{\"url\":\"/\"}]"));
	tags(j, app);
	paths(j, a, app);
	uint64_t used = 0;
	for (size_t i = 0; i < app->nrows; i++) used |= errors_of(&app->rows[i]);
	sf_app__openapi_components(j, used);
	sf_json_obj_end(j);
	sf_arena_free(a);
}
