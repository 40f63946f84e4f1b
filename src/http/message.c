/* What stages call on a request and its answer: headers, cookies, conditional requests. */
#include "http/http.h"
#include "http/internal.h"

#include <strings.h>

static bool name_is(struct sf_str name, const char *lower, size_t n) {
	return name.n == n && strncasecmp(name.p, lower, n) == 0;
}

struct sf_str sf_http_header(const struct sf_http_req *req, const char *name) {
	size_t n = strlen(name);
	for (size_t i = 0; i < req->nheaders; i++)
		if (name_is(req->headers[i].name, name, n)) return req->headers[i].value;
	return SF_STR_NULL;
}

static bool cookie_in(struct sf_str line, struct sf_str name, struct sf_str *out) {
	struct sf_str pair, key, value;
	for (bool more = true; more;) {
		more = sf_str_cut(line, ';', &pair, &line);
		if (!sf_str_cut(pair, '=', &key, &value) || !sf_str_eq(sf_str_trim(key), name)) continue;
		value = sf_str_trim(value);
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') value.p++, value.n -= 2;
		*out = value;
		return true;
	}
	return false;
}

struct sf_str sf_http_cookie(const struct sf_http_req *req, const char *name) {
	struct sf_str found = SF_STR_NULL;
	for (size_t i = 0; i < req->nheaders; i++)
		if (name_is(req->headers[i].name, "cookie", 6) &&
			cookie_in(req->headers[i].value, sf_str(name), &found))
			break;
	return found;
}

/* Headers that answer.c writes itself: a second one would be request smuggling or nonsense. */
static bool ours(const char *name) {
	static const char *const names[] = { "Content-Length", "Date", "Connection", "Transfer-Encoding",
										 "Content-Encoding" };
	for (size_t i = 0; i < SF_COUNT(names); i++)
		if (!strcasecmp(name, names[i])) return true;
	return false;
}

void sf_http_add(struct sf_http_req *req, const char *name, struct sf_str value) {
	size_t n = strlen(name);
	SF_BUG_ON(ours(name));
	char *p = sf_buf_reserve(&req->head, n + value.n + 4);
	if (!p) return; /* answer.c sees `failed` */
	char *at = p;
	while (*name) *at++ = *name++;
	*at++ = ':', *at++ = ' ';
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n' && value.p[i] != '\0') *at++ = value.p[i];
	*at++ = '\r', *at++ = '\n';
	req->head.n += (size_t)(at - p);
}

void sf_http_answer_reset(struct sf_http_req *req) {
	sf_buf_clear(&req->head);
	sf_buf_clear(&req->out);
	req->head.failed = req->out.failed = false;
	req->status = 0;
	req->type = req->body_ref = req->coding = SF_STR_NULL;
	req->varies = false;
	req->compress = SF_COMPRESS_AUTO;
}

/* Start of the value of that header in the answer's head, or NULL. */
static char *head_find(const struct sf_http_req *req, const char *name) {
	size_t n = strlen(name);
	if (req->head.n == 0) return NULL;
	char *p = req->head.p, *end = p + req->head.n;
	while (p < end) {
		char *nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl) break;
		if ((size_t)(nl - p) > n && p[n] == ':' && !strncasecmp(p, name, n)) {
			p += n + 1;
			while (*p == ' ') p++;
			return p;
		}
		p = nl + 1;
	}
	return NULL;
}

bool sf_http__head_has(const struct sf_http_req *req, const char *name) {
	return head_find(req, name) != NULL;
}

void sf_http__head_weaken(struct sf_http_req *req) {
	char *p = head_find(req, "etag");
	if (!p || *p != '"') return;
	size_t at = (size_t)(p - req->head.p);
	if (!sf_buf_reserve(&req->head, 2)) return;
	p = req->head.p + at;
	memmove(p + 2, p, req->head.n - at);
	p[0] = 'W', p[1] = '/';
	req->head.n += 2;
}

static struct sf_str opaque(struct sf_str etag) {
	if (etag.n >= 2 && etag.p[0] == 'W' && etag.p[1] == '/') etag.p += 2, etag.n -= 2;
	return etag;
}

/* A list of entity tags; a comma may stand inside a tag's quotes. */
static bool tag_in_list(struct sf_str list, struct sf_str etag) {
	const char *p = list.p, *end = p + list.n;
	while (p < end) {
		while (p < end && (*p == ' ' || *p == '\t' || *p == ',')) p++;
		const char *start = p;
		if (end - p >= 2 && p[0] == 'W' && p[1] == '/') p += 2;
		if (p == end || *p != '"') return false; /* not a list of tags: the condition does not hold */
		const char *close = memchr(p + 1, '"', (size_t)(end - p - 1));
		if (!close) return false;
		p = close + 1;
		if (sf_str_eq(opaque((struct sf_str) { start, (size_t)(p - start) }), etag)) return true;
	}
	return false;
}

bool sf_http_not_modified(const struct sf_http_req *req, struct sf_str etag) {
	etag = opaque(etag);
	for (size_t i = 0; i < req->nheaders; i++) {
		struct sf_str value = req->headers[i].value;
		if (!name_is(req->headers[i].name, "if-none-match", 13)) continue;
		if ((value.n == 1 && value.p[0] == '*') || tag_in_list(value, etag)) return true;
	}
	return false;
}
