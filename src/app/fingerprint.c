/* fingerprint: what a request asks for, as it was understood, so that a repetition of it is known as one.
 *
 * White space of a body, the order of its members, members nobody reads and spellings of the same number make no other request;
 * a client that makes its JSON anew for a retry sends the same one. So the fingerprint is made of what validation left: the
 * row, the path's parameters, the checked fields in the row's order, each with its length. A body that its handler reads by
 * itself (`text_body`) counts as it is. Bodies hold passwords, so the digest is a keyed one. */
#include "app/internal.h"

#include <jansson.h>

#define PURPOSE "idempotency"

static void piece(struct sf_buf *b, const void *p, size_t n) {
	uint64_t size = n;
	sf_buf_add(b, &size, sizeof size);
	sf_buf_add(b, p, n);
}

static void text(struct sf_buf *b, struct sf_str s) {
	if (s.p)
		piece(b, s.p, s.n);
	else
		sf_buf_add(b, "\xff", 1); /* absent; no length begins so */
}

static int append(const char *p, size_t n, void *b) {
	sf_buf_add(b, p, n);
	return 0;
}

/* Members in the order of their names: RFC 8785 in spirit. */
static void json_value(struct sf_buf *b, const struct json_t *v) {
	if (!v) {
		text(b, SF_STR_NULL);
		return;
	}
	struct sf_buf one;
	sf_buf_init(&one, b->arena);
	(void)json_dump_callback(v, append, &one, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
	text(b, sf_buf_view(&one));
}

/* Member by member: the padding of a struct is not defined. */
static void number(struct sf_buf *b, const struct sf_field *f, const char *at) {
	bool optional = !f->required && !f->fallback;
	if (f->type == SF_F_FLOAT) {
		const struct sf_ofloat *v = (const struct sf_ofloat *)at;
		if (optional && !v->has)
			text(b, SF_STR_NULL);
		else
			piece(b, optional ? &v->v : (const double *)at, sizeof v->v);
	} else if (optional) {
		const struct sf_oint *v = (const struct sf_oint *)at;
		if (v->has)
			piece(b, &v->v, sizeof v->v);
		else
			text(b, SF_STR_NULL);
	} else {
		piece(b, at, f->type == SF_F_BOOL ? sizeof(bool) : sizeof(int64_t));
	}
}

static void put(struct sf_buf *b, const struct sf_field *f, const char *at) {
	switch (f->type) {
	case SF_F_TEXT:
	case SF_F_EMAIL:
	case SF_F_URL:
	case SF_F_ZONE:
	case SF_F_ENUM: text(b, *(const struct sf_str *)at); return;
	case SF_F_INTS: {
		const struct sf_ints *ints = (const struct sf_ints *)at;
		piece(b, ints->p, ints->n * sizeof *ints->p);
		return;
	}
	case SF_F_TEXTS: {
		const struct sf_texts *texts = (const struct sf_texts *)at;
		uint64_t n = texts->n;
		sf_buf_add(b, &n, sizeof n);
		for (size_t i = 0; i < texts->n; i++) text(b, texts->p[i]);
		return;
	}
	case SF_F_JSON: json_value(b, *(struct json_t *const *)at); return;
	case SF_F_WHEN: {
		const struct sf_when *w = (const struct sf_when *)at;
		const int64_t parts[] = { w->has, w->day_only, w->has ? (w->day_only ? w->day : w->at) : 0 };
		piece(b, parts, sizeof parts);
		return;
	}
	case SF_F_INT:
	case SF_F_FLOAT:
	case SF_F_BOOL:
	case SF_F_TIME:
	case SF_F_DATE: number(b, f, at); return;
	case SF_F_TIMES:
	case SF_F_OBJECT:
	case SF_F_ARRAY: return; /* of replies only */
	}
}

static void fields(struct sf_buf *b, const struct sf_field *list, size_t n, const void *from) {
	for (size_t i = 0; i < n; i++) put(b, &list[i], (const char *)from + list[i].offset);
}

static struct sf_str understood(const struct sf_req *r) {
	const struct sf_route *route = r->row->route;
	struct sf_buf b;
	sf_buf_init(&b, r->http->arena);
	text(&b, r->row->label);
	for (size_t i = 0; i < r->row->nparams; i++) text(&b, r->params[i]);
	if (r->query) fields(&b, route->query, r->row->nquery, r->query);
	if (route->page_of) piece(&b, &r->page, sizeof r->page);
	if (r->body) fields(&b, route->body, r->row->nbody, r->body);
	if (route->text_body) text(&b, r->http->body);
	return sf_buf_view(&b);
}

struct sf_str sf_app__fingerprint(const struct sf_req *r) {
	return sf_secret_hex(r->http->arena, PURPOSE, understood(r));
}

bool sf_app__fingerprint_fits(const struct sf_req *r, struct sf_str fingerprint) {
	return sf_secret_hex_verify(r->http->arena, PURPOSE, understood(r), fingerprint);
}
