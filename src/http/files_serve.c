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

/* True when If-Range is absent or names this very content (strong comparison). */
static bool range_wanted(const struct sf_http_req *req, const struct sf_static__file *f) {
	struct sf_str cond = sf_http_header(req, "if-range");
	return !cond.p || sf_str_eq(cond, sf_str(f->etag));
}

int sf_static_serve(const struct sf_static *s, struct sf_http_req *req, struct sf_str path) {
	struct sf_str plain;
	if (sf_percent_decode(req->arena, path, false, &plain)) return SF_ENOTFOUND;
	const struct sf_static__file *f = file_for(s, req->arena, plain);
	if (!f) return SF_ENOTFOUND;
	if (req->method != SF_GET && req->method != SF_HEAD) return SF_EMETHOD;

	bool forms = f->br.p || f->gz.p;
	sf_http_add(req, "ETag", sf_str(f->etag));
	sf_http_add(req, "Cache-Control", f->cache);
	if (sf_http_not_modified(req, sf_str(f->etag))) {
		if (forms) sf_http_add(req, "Vary", SF_STR("Accept-Encoding"));
		req->status = 304;
		return 0;
	}
	sf_http_add(req, "Accept-Ranges", SF_STR("bytes"));
	struct sf_str range = req->method == SF_GET ? sf_http_header(req, "range") : SF_STR_NULL;
	size_t from = 0, n = f->body.n;
	enum range kind = range.p && range_wanted(req, f) ? range_of(range, f->body.n, &from, &n) : RANGE_NONE;
	if (kind == RANGE_BAD) {
		sf_http_add(req, "Content-Range", sf_arena_printf(req->arena, "bytes */%zu", f->body.n));
		req->status = 416;
		return 0;
	}
	req->status = 200;
	req->type = f->type;
	req->body_ref = (struct sf_str) { f->body.p + from, n };
	if (kind == RANGE_PART) {
		sf_http_add(req, "Content-Range",
					sf_arena_printf(req->arena, "bytes %zu-%zu/%zu", from, from + n - 1, f->body.n));
		if (forms) sf_http_add(req, "Vary", SF_STR("Accept-Encoding"));
		req->status = 206;
		return 0;
	}
	req->body_br = f->br, req->body_gz = f->gz;
	return 0;
}
