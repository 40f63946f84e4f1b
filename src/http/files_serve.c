/* Answers with a static file: which one, whether the client has it, and which part of it is wanted. */
#include "http/http.h"
#include "http/internal.h"

#include <strings.h>

#include "core/hash.h"

/* "/chefs" is /chefs or /chefs.html; "/docs/" is /docs/index.html. */
static const struct sf_static__file *file_for(const struct sf_static *s, struct sf_arena *a,
											  struct sf_str path) {
	if (path.n == 0 || path.p[0] != '/') return NULL;
	bool folder = path.p[path.n - 1] == '/';
	const struct sf_static__file *f = folder ? NULL : sf_static__find(s, path);
	if (!f)
		f = sf_static__find(s,
							sf_arena_printf(a, SF_PRI "%s", SF_ARG(path), folder ? "index.html" : ".html"));
	return f && !f->form_only ? f : NULL;
}

enum range { RANGE_NONE, RANGE_PART, RANGE_BAD };

static bool digits(struct sf_str s, uint64_t *out) {
	int64_t v;
	if (s.n == 0 || s.p[0] < '0' || s.p[0] > '9') return false;
	if (sf_str_int(s, &v)) v = INT64_MAX; /* past any file */
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	*out = (uint64_t)v;
	return true;
}

/* One byte range (RFC 9110 §14.1.2). Several, or another unit, or nonsense: the whole file, which is always right. */
static enum range range_of(struct sf_str value, size_t size, size_t *from, size_t *n) {
	struct sf_str first, last;
	uint64_t a = 0, b = 0;
	if (value.n < 6 || strncasecmp(value.p, "bytes=", 6) != 0) return RANGE_NONE;
	value.p += 6, value.n -= 6;
	if (memchr(value.p, ',', value.n) || !sf_str_cut(value, '-', &first, &last)) return RANGE_NONE;
	first = sf_str_trim(first), last = sf_str_trim(last);
	if (first.n == 0) { /* the last b bytes */
		if (!digits(last, &b)) return RANGE_NONE;
		if (b == 0 || size == 0) return RANGE_BAD;
		*n = b < size ? (size_t)b : size;
		*from = size - *n;
		return RANGE_PART;
	}
	if (!digits(first, &a) || (last.n && !digits(last, &b))) return RANGE_NONE;
	if (last.n && b < a) return RANGE_NONE;
	if (a >= size) return RANGE_BAD;
	if (!last.n || b >= size) b = size - 1;
	*from = (size_t)a, *n = (size_t)(b - a) + 1;
	return RANGE_PART;
}

/* True when If-Range is absent or names this very form (strong comparison); a date names none, for no Last-Modified is sent. */
static bool range_wanted(const struct sf_http_req *req, const struct sf_static__form *form) {
	struct sf_str cond = sf_http_header(req, "if-range");
	return !cond.p || sf_str_eq(cond, sf_str(form->etag));
}

/* 206 and 416: a part of the plain form, which is the only one that has parts. */
static void answer_part(struct sf_http_req *req, enum range kind, size_t from, size_t n) {
	size_t size = req->body_ref.n;
	if (kind == RANGE_BAD) {
		sf_http_add(req, "Content-Range", sf_arena_printf(req->arena, "bytes */%zu", size));
		req->status = 416;
		req->type = req->body_ref = SF_STR_NULL;
		return;
	}
	sf_http_add(req, "Content-Range",
				sf_arena_printf(req->arena, "bytes %zu-%zu/%zu", from, from + n - 1, size));
	req->status = 206;
	req->body_ref = (struct sf_str) { req->body_ref.p + from, n };
}

int sf_static_serve(const struct sf_static *s, struct sf_http_req *req, struct sf_str path) {
	struct sf_str plain;
	if (sf_percent_decode(req->arena, path, false, &plain)) return SF_ENOTFOUND;
	const struct sf_static__file *f = file_for(s, req->arena, plain);
	if (!f) return SF_ENOTFOUND;
	if (req->method != SF_GET && req->method != SF_HEAD) return SF_EMETHOD;

	const struct sf_static__form *form = &f->forms[SF_CODING_IDENTITY];
	bool br = f->forms[SF_CODING_BR].body.p, gz = f->forms[SF_CODING_GZIP].body.p;
	struct sf_str range = req->method == SF_GET ? sf_http_header(req, "range") : SF_STR_NULL;
	size_t from = 0, n = 0;
	enum range kind =
		range.p && range_wanted(req, form) ? range_of(range, form->body.n, &from, &n) : RANGE_NONE;
	enum sf_http__coding coding = kind == RANGE_NONE ? sf_http__coding(req, gz, br) : SF_CODING_IDENTITY;
	form = &f->forms[coding];

	req->status = 200;
	req->type = f->type;
	req->body_ref = form->body;
	req->coding = sf_http__coding_name(coding);
	req->varies = br || gz;
	req->compress = SF_COMPRESS_NEVER; /* what is worth it has its forms */
	sf_http_add(req, "ETag", sf_str(form->etag));
	sf_http_add(req, "Cache-Control", f->cache);
	if (sf_http_not_modified(req, sf_str(form->etag))) {
		req->status = 304;
		return 0;
	}
	sf_http_add(req, "Accept-Ranges", SF_STR("bytes"));
	if (kind != RANGE_NONE) answer_part(req, kind, from, n);
	return 0;
}
