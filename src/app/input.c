/* input: the query string and the JSON body of a request, checked against the row's fields into its structs.
 *
 * Nothing stops at the first problem: a form shows all of them at once. A struct starts as a copy of its defaults
 * (made at start), and only what came is written over it. */
#include "app/internal.h"
#include "core/hash.h"
#include "core/json.h"

#include <jansson.h>

#include "loop/loop.h"

static void *defaults(struct sf_req *r, const void *from, uint32_t size) {
	void *at = sf_arena_alloc(r->http->arena, size ? size : 1);
	if (size) memcpy(at, from, size);
	return at;
}

/* ---- query --------------------------------------------------------------------------------------------- */

static const struct sf_field paging[] = {
	{ .name = "page",
	  .type = SF_F_INT,
	  .fallback = "1",
	  .min = 1,
	  .max = SF_APP_PAGE_UP,
	  .offset = offsetof(struct sf_page, page) },
	{ .name = "per_page",
	  .type = SF_F_INT,
	  .fallback = "20",
	  .min = 1,
	  .max = SF_APP_PER_PAGE_UP,
	  .offset = offsetof(struct sf_page, per_page) },
};

struct pairs { /* a query string, decoded */
	struct sf_str *names, *values;
	bool *bad; /* the value could not be decoded */
	size_t n;
};

static int split_query(struct sf_arena *a, struct sf_str query, struct pairs *out) {
	size_t max = 1;
	for (size_t i = 0; i < query.n; i++) max += query.p[i] == '&';
	out->names = sf_arena_try(a, max * (2 * sizeof(struct sf_str) + 1));
	if (!out->names) return SF_ENOMEM;
	out->values = out->names + max;
	out->bad = (bool *)(out->values + max);
	out->n = 0;
	struct sf_str pair, name, value;
	for (bool more = true; more;) {
		more = sf_str_cut(query, '&', &pair, &query);
		if (pair.n == 0) continue;
		value = SF_STR("");
		sf_str_cut(pair, '=', &name, &value);
		if (name.n == pair.n) value = SF_STR("");
		size_t i = out->n;
		if (sf_percent_decode(a, name, true, &out->names[i])) continue; /* the name of nothing we know */
		out->bad[i] = sf_percent_decode(a, value, true, &out->values[i]) != 0;
		out->n++;
	}
	return 0;
}

/* Texts left empty by a form count as not given; an empty number is a wrong number. */
static bool empty_is_absent(const struct sf_field *f) {
	return f->type != SF_F_INT && f->type != SF_F_FLOAT && f->type != SF_F_BOOL;
}

static const char *query_field(struct sf_req *r, const struct pairs *q, const struct sf_field *f, char *at) {
	struct sf_arena *a = r->http->arena;
	struct sf_str few[8], *values = few;
	size_t n = 0;
	for (size_t i = 0; i < q->n; i++) {
		if (strlen(f->name) != q->names[i].n || memcmp(f->name, q->names[i].p, q->names[i].n) != 0) continue;
		if (q->bad[i]) return "must be text in UTF-8, percent-encoded";
		if (q->values[i].n == 0 && empty_is_absent(f)) continue;
		if (n == SF_COUNT(few) && values == few) {
			values = sf_arena_try(a, q->n * sizeof *values);
			if (!values) return "must be shorter";
			memcpy(values, few, sizeof few);
		}
		values[n++] = q->values[i];
	}
	if (n == 0) return f->required ? "must be given" : NULL;
	if (f->type == SF_F_INTS || f->type == SF_F_TEXTS)
		return sf_app__value_list(a, f, values, n, at + f->offset);
	if (n > 1) return "must be given once";
	return sf_app__value_text(a, r, f, values[0], at + f->offset);
}

static int check_query(struct sf_req *r) {
	const struct sf_route *route = r->row->route;
	struct pairs q = { 0 };
	int err = r->http->query.n ? split_query(r->http->arena, r->http->query, &q) : 0;
	if (err) return err;
	if (route->query) {
		r->query = defaults(r, r->row->query_defaults, route->query_size);
		for (size_t i = 0; i < r->row->nquery; i++) {
			const char *bad = query_field(r, &q, &route->query[i], r->query);
			if (bad) sf_fail_field(r, route->query[i].name, bad);
		}
	}
	if (!route->page_of) return 0;
	r->page = (struct sf_page) { .page = 1, .per_page = route->per_page ? route->per_page : SF_APP_PER_PAGE };
	for (size_t i = 0; i < SF_COUNT(paging); i++) {
		const char *bad = query_field(r, &q, &paging[i], (char *)&r->page);
		if (bad) sf_fail_field(r, paging[i].name, bad);
	}
	r->page.limit = r->page.per_page;
	r->page.offset = (r->page.page - 1) * r->page.per_page;
	return 0;
}

/* ---- body ------------------------------------------------------------------------------------------------- */

/* Large texts are read in turns with other requests. */
static int pause(void *arg) {
	(void)arg;
	return sf_co_self() ? sf_yield() : 0;
}

static int check_body(struct sf_req *r) {
	const struct sf_route *route = r->row->route;
	struct sf_arena *a = r->http->arena;
	struct json_t *root = NULL;
	r->body = defaults(r, r->row->body_defaults, route->body_size);
	if (sf_str_trim(r->http->body).n > 0) {
		struct sf_str why = SF_STR_NULL;
		struct sf_json_limits limits = { .values = route->json_max ? route->json_max : SF_APP_JSON_MAX,
										 .pause = pause };
		int err = sf_json_parse_limited(a, r->http->body, &limits, &root, &why);
		if (err && why.p) return sf_fail(r, err, NULL, SF_PRI, SF_ARG(why));
		if (err) return err;
	}
	/* a POST whose fields are all optional may come without a body */
	if (root ? !json_is_object(root) : route->method != SF_POST)
		return sf_fail(r, SF_EMALFORMED, NULL, "The body must be a JSON object.");
	for (size_t i = 0; i < r->row->nbody; i++) {
		const struct sf_field *f = &route->body[i];
		const struct json_t *v = root ? json_object_get(root, f->name) : NULL;
		const char *bad = NULL;
		if (v && !json_is_null(v))
			bad = sf_app__value_json(a, r, f, v, (char *)r->body + f->offset);
		else if (f->required)
			bad = "must be given";
		if (bad) sf_fail_field(r, f->name, bad);
	}
	return 0;
}

int sf_app__validate(struct sf_req *r) {
	sf_app__zone_header(r);
	int err = r->row->route->query || r->row->route->page_of ? check_query(r) : 0;
	if (!err && r->row->route->body) err = check_body(r);
	if (!err) err = sf_app__walls_place(r);
	if (err) return err;
	return r->problems ? SF_EINVAL : 0;
}
