/* rows: the checks that a route must pass before the program starts, each with a line that names the row. */
#include "app/internal.h"
#include "core/json.h"

#include <stdio.h>

struct check { /* of one row */
	struct sf_arena *a;
	struct sf_app__row *row;
	struct sf_str *why;
};

SF_PRINTF(2, 3) static int refuse(struct check *c, const char *fmt, ...) {
	char text[256];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	*c->why = sf_arena_printf(c->a, "%s: " SF_PRI ": %s", c->row->service->name, SF_ARG(c->row->label), text);
	return SF_EINVAL;
}

static bool is_name(struct sf_str s) {
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (i > 0 && c >= '0' && c <= '9')))
			return false;
	}
	return s.n > 0;
}

/* "{id}" or "{name:text}" */
static int check_param(struct check *c, struct sf_str segment) {
	struct sf_app__row *row = c->row;
	if (segment.p[segment.n - 1] != '}') return refuse(c, "a path parameter does not end with }");
	struct sf_str name, kind = SF_STR_NULL, inner = { segment.p + 1, segment.n - 2 };
	bool typed = sf_str_cut(inner, ':', &name, &kind);
	if (!is_name(name)) return refuse(c, "a path parameter has no proper name");
	if (typed && !sf_str_eq(kind, SF_STR("text")))
		return refuse(c, "a path parameter is {name} or {name:text}");
	if (row->nparams == SF_APP_PARAMS) return refuse(c, "more than %d path parameters", SF_APP_PARAMS);
	for (size_t i = 0; i < row->nparams; i++)
		if (sf_str_eq(row->params[i], name)) return refuse(c, "a path parameter comes twice");
	row->params[row->nparams] = name;
	row->param_text[row->nparams++] = typed;
	return 0;
}

static int check_path(struct check *c) {
	struct sf_str rest = sf_str(c->row->route->path), segment;
	if (rest.n == 0 || rest.p[0] != '/') return refuse(c, "the path must begin with /");
	if (rest.n > 1 && rest.p[rest.n - 1] == '/') return refuse(c, "the path must not end with /");
	rest.p++, rest.n--;
	int depth = 0;
	for (bool more = rest.n > 0; more; depth++) {
		more = sf_str_cut(rest, '/', &segment, &rest);
		if (segment.n == 0) return refuse(c, "the path has an empty segment");
		if (memchr(segment.p, '%', segment.n)) return refuse(c, "write the path decoded");
		if (segment.p[0] == '{') {
			int err = check_param(c, segment);
			if (err) return err;
		} else if (memchr(segment.p, '{', segment.n)) {
			return refuse(c, "a path parameter must be a whole segment");
		}
	}
	return depth > 12 ? refuse(c, "the path has more than 12 segments") : 0;
}

/* "chefs" or "chef:{id}": the part before ':' is declared by the service, the parameter is one of the path's. */
static int check_tags(struct check *c) {
	struct sf_str rest = sf_str(c->row->route->cache_tags), tag, name, param;
	for (bool more = rest.n > 0; more;) {
		more = sf_str_cut(rest, ',', &tag, &rest);
		bool known = false, has_param = sf_str_cut(sf_str_trim(tag), ':', &name, &param);
		for (const char *const *t = c->row->service->tags; t && *t; t++) known |= sf_str_eq(sf_str(*t), name);
		if (!known) return refuse(c, "the service declares no cache tag \"" SF_PRI "\"", SF_ARG(name));
		if (!has_param) continue;
		known = false;
		if (param.n > 2 && param.p[0] == '{' && param.p[param.n - 1] == '}') {
			struct sf_str inner = { param.p + 1, param.n - 2 };
			for (size_t i = 0; i < c->row->nparams; i++) known |= sf_str_eq(c->row->params[i], inner);
		}
		if (!known) return refuse(c, "the cache tag's " SF_PRI " is no parameter of the path", SF_ARG(param));
	}
	return 0;
}

static int check_example(struct check *c, const struct sf_field *f) {
	if (!f->example) return 0;
	/* wrapped, since the example may be a bare text or number */
	struct sf_str text = sf_arena_printf(c->a, "[%s]", f->example), why;
	struct json_t *v;
	return sf_json_parse(c->a, text, &v, &why) ? refuse(c, "the example of \"%s\" is not JSON", f->name) : 0;
}

static int check_input(struct check *c, const struct sf_field *f, uint32_t size) {
	if (f->type >= SF_F_OBJECT)
		return refuse(c, "\"%s\": an input cannot be an object or array of objects", f->name);
	if (f->offset + sf_app__field_size(f) > size) return refuse(c, "\"%s\" lies outside its struct", f->name);
	if (f->offset % sf_app__field_align(f))
		return refuse(c, "\"%s\" has another C type than its struct", f->name);
	bool lines = f->type == SF_F_TEXT || f->type == SF_F_TEXTS;
	if (f->multiline && !lines) return refuse(c, "\"%s\": only text can have several lines", f->name);
	if (f->required && f->fallback) return refuse(c, "\"%s\" is required and has a default", f->name);
	int64_t min, max;
	sf_app__range(f, &min, &max);
	if (min > max) return refuse(c, "\"%s\": min is above max", f->name);
	return 0;
}

static int check_fields(struct check *c, const struct sf_field *fields, uint32_t size, bool input, size_t *n,
						int depth) {
	if (depth > 8) return refuse(c, "replies nest deeper than 8");
	size_t i = 0;
	for (; fields && fields[i].name; i++) {
		const struct sf_field *f = &fields[i];
		struct sf_str name = sf_str(f->name);
		if (f->prefix && !input && name.n > 1 && name.p[name.n - 1] == ':') name.n--; /* "database:" */
		if (!is_name(name)) return refuse(c, "\"%s\" is no proper field name", f->name);
		if (f->type == SF_F_ENUM && (!f->choices || !*f->choices))
			return refuse(c, "\"%s\" has no choices", f->name);
		for (size_t k = 0; k < i; k++)
			if (strcmp(fields[k].name, f->name) == 0) return refuse(c, "\"%s\" comes twice", f->name);
		int err = check_example(c, f);
		if (!err && input) err = check_input(c, f, size);
		if (!err && f->sub) err = check_fields(c, f->sub, 0, false, NULL, depth + 1);
		if (err) return err;
	}
	if (input && i > SF_APP_FIELDS) return refuse(c, "more than %d fields", SF_APP_FIELDS);
	if (n) *n = i;
	return 0;
}

/* The struct as it is before any input: fallbacks in place. Proves at start that each fallback is valid. */
static int prepare_defaults(struct check *c, const struct sf_field *fields, uint32_t size, void **out) {
	char *at = sf_arena_zalloc(c->a, size ? size : 1);
	for (const struct sf_field *f = fields; f && f->name; f++) {
		if (!f->fallback) continue;
		const char *bad = sf_app__value_text(c->a, NULL, f, sf_str(f->fallback), at + f->offset);
		if (bad) return refuse(c, "the default of \"%s\" %s", f->name, bad);
	}
	*out = at;
	return 0;
}

static int check_body(struct check *c) {
	const struct sf_route *r = c->row->route;
	if (sf_app__is_read(r->method) && (r->body || r->text_body)) return refuse(c, "a GET takes no body");
	if (r->body && r->text_body) return refuse(c, "a body is either fields or text");
	if ((r->body && !r->body_size) || (r->query && !r->query_size))
		return refuse(c, "fields without the size of their struct");
	if (r->consumes && !r->text_body) return refuse(c, "consumes goes with text_body");
	if ((r->body_max || r->json_max) && !r->body && !r->text_body)
		return refuse(c, "body_max and json_max go with a body");
	if (r->idempotent && r->method == SF_GET) return refuse(c, "a GET needs no Idempotency-Key");
	return 0;
}

static int find_auth_field(struct check *c) {
	const struct sf_field *f = c->row->route->body;
	const char *name = c->row->route->auth_field;
	if (!name) return 0;
	while (f && f->name && strcmp(f->name, name) != 0) f++;
	if (!f || !f->name || f->type != SF_F_TEXT || f->required || f->fallback)
		return refuse(c, "auth_field is no optional text of the body");
	c->row->auth_field = f;
	return 0;
}

/* Bytes that a value of the field can need as JSON, each character escaped as Python's json.dumps does it (a pair of
 * surrogates takes 12); 0: there is no bound. */
static size_t value_room(const struct sf_field *f) {
	enum { NUMBER = 32, CHARACTER = 12 };
	int64_t min, max;
	sf_app__range(f, &min, &max);
	switch (f->type) {
	case SF_F_TEXT:
	case SF_F_EMAIL:
	case SF_F_URL: return (size_t)max * CHARACTER;
	case SF_F_ENUM: return strlen(f->choices) * CHARACTER;
	case SF_F_ZONE: return (size_t)SF_ZONE_NAME_MAX * CHARACTER;
	case SF_F_INTS: return f->max ? (size_t)f->max * NUMBER : 0;
	case SF_F_INT:
	case SF_F_FLOAT:
	case SF_F_BOOL:
	case SF_F_TIME:
	case SF_F_WHEN:
	case SF_F_DATE: return NUMBER;
	default: return 0;
	}
}

/* The limit of a body whose row sets none; 0: the server's. Beside what the fields can need there is room for white space and for
 * members that are ignored. Whole KiB. */
static size_t body_room(const struct sf_route *r) {
	enum { AUTH = 8 << 10 };
	size_t sum = SF_APP_BODY_MORE;
	if (r->text_body) return 0;
	if (r->rate == SF_RATE_AUTH || r->auth_field) return AUTH;
	for (const struct sf_field *f = r->body; f && f->name; f++) {
		size_t room = value_room(f);
		if (!room) return 0;
		sum += strlen(f->name) + room;
	}
	return (sum + 1023) / 1024 * 1024;
}

static bool has_paging(const struct sf_field *f) {
	for (; f && f->name; f++)
		if (strcmp(f->name, "page") == 0 || strcmp(f->name, "per_page") == 0) return true;
	return false;
}

static int check_policy(struct check *c) {
	const struct sf_route *r = c->row->route;
	if (r->auth.kind == SF_ACCESS_UNSET) return refuse(c, "says nothing about auth");
	if (r->auth.kind == SF_ACCESS_ANYONE && r->method != SF_GET) return refuse(c, "only a GET is for anyone");
	if (r->no_csrf && (r->method == SF_GET || r->body || r->text_body))
		return refuse(c, "no_csrf is for a write without a body");
	if (r->auth.kind == SF_ACCESS_SUB && !r->auth.product)
		return refuse(c, "asks for a subscription to nothing");
	if (r->rate == SF_RATE_UNSET) return refuse(c, "says nothing about rate");
	if ((r->rate == SF_RATE_HOOK || r->tolerant) && !r->gate) return refuse(c, "is a webhook without a gate");
	if (!r->run) return refuse(c, "has no handler");
	if (!r->summary || !*r->summary) return refuse(c, "has no summary");
	if (r->page_of && r->method != SF_GET) return refuse(c, "only a GET is paged");
	if (r->page_of && has_paging(r->query)) return refuse(c, "page and per_page come with page_of");
	if (r->per_page && !r->page_of) return refuse(c, "per_page goes with page_of");
	if (r->per_page < 0 || r->per_page > SF_APP_PER_PAGE_UP) return refuse(c, "per_page must be 1 to 100");
	if (r->max_age < 0 || r->stale < 0) return refuse(c, "max_age and stale are seconds");
	if ((r->max_age || r->stale) && (r->method != SF_GET || r->auth.kind != SF_ACCESS_PUBLIC))
		return refuse(c, "only a public GET may be cached by others");
	if (r->max_age && sf_app__needs_zone(r->query)) /* a cache of others knows neither caller nor header */
		return refuse(c, "an answer that others may cache cannot hang on the caller's time zone");
	if (!r->accepted != !r->accepted_when) return refuse(c, "accepted and accepted_when belong together");
	if (r->status && (r->status < 200 || r->status > 399)) return refuse(c, "status is that of success");
	for (size_t i = 0; i < SF_COUNT(r->errors) && r->errors[i]; i++)
		if (r->errors[i] > 0 || r->errors[i] <= -SF_ERR_COUNT)
			return refuse(c, "errors holds what is no enum sf_err");
	return 0;
}

int sf_app__row_check(struct sf_arena *a, struct sf_app__row *row, struct sf_str *why) {
	struct check c = { a, row, why };
	const struct sf_route *r = row->route;
	bool method = r->method == SF_GET || r->method == SF_POST || r->method == SF_PUT ||
				  r->method == SF_PATCH || r->method == SF_DELETE;
	row->label = sf_arena_printf(a, "%s %s", method ? sf_method_name(r->method) : "?", r->path);
	if (!method) return refuse(&c, "HEAD and OPTIONS are answered from the other rows");
	int err = check_path(&c);
	if (!err) err = check_policy(&c);
	if (!err) err = check_body(&c);
	if (!err && r->cache_tags) err = check_tags(&c);
	if (!err) err = check_fields(&c, r->query, r->query_size, true, &row->nquery, 0);
	if (!err) err = check_fields(&c, r->body, r->body_size, true, &row->nbody, 0);
	if (!err) err = check_fields(&c, r->reply, 0, false, NULL, 0);
	if (!err) err = check_fields(&c, r->conflict, 0, false, NULL, 0);
	if (!err) err = prepare_defaults(&c, r->query, r->query_size, &row->query_defaults);
	if (!err) err = prepare_defaults(&c, r->body, r->body_size, &row->body_defaults);
	if (!err) err = find_auth_field(&c);
	if (err) return err;
	row->body_max = r->body_max ? r->body_max : body_room(r);
	row->shared = r->auth.kind == SF_ACCESS_PUBLIC && r->method == SF_GET;
	return 0;
}
