/* Bytes to a request: llhttp's callbacks, and the checks it leaves to us.
 *
 * The head is copied once, into one piece of the request's arena, and parsed there, so that every span stays
 * valid as long as the request; where a head comes in several reads the piece grows and spans are moved along.
 * A body that came whole with its head stays in that piece; any other is gathered in `body`.
 *
 * llhttp 8.1, even strict, lets pass what proxies read differently: a bare LF after the request line, before the
 * empty line and between trailers, folded lines, a nameless header, several spaces before the target, HTTP/0.9
 * and RTSP. check_lines() and check_framing() go over the raw bytes and refuse these: two parsers that disagree
 * are how requests are smuggled. */
#include "http/http.h"
#include "http/internal.h"

#include <strings.h>

#include "core/time.h"
#include "loop/loop.h"

static struct sf_http__msg *msg_of(llhttp_t *p) {
	return SF_CONTAINER(p, struct sf_http__msg, parser);
}

static int refuse(struct sf_http__msg *m, int err) {
	m->err = err;
	return -1;
}

/* ---- spans ---------------------------------------------------------------------------------- */

static int on_url(llhttp_t *p, const char *at, size_t n) {
	struct sf_http__msg *m = msg_of(p);
	struct sf_str *target = &m->req.target;
	if (!target->p) target->p = at;
	target->n += n;
	return target->n > SF_HTTP__TARGET_MAX ? refuse(m, SF_EURITOOLONG) : 0;
}

static int header_more(struct sf_http__msg *m) {
	struct sf_http_req *req = &m->req;
	if (req->nheaders == m->opts->headers_max) return refuse(m, SF_EHEADERS);
	if (req->nheaders == m->headers_cap) {
		uint32_t cap = m->headers_cap ? m->headers_cap * 2 : 16;
		struct sf_http_header *more = sf_arena_alloc(req->arena, cap * sizeof(*more));
		if (req->nheaders) memcpy(more, req->headers, req->nheaders * sizeof(*more));
		req->headers = more, m->headers_cap = cap;
	}
	req->headers[req->nheaders++] = (struct sf_http_header) { 0 };
	return 0;
}

static int on_header_field(llhttp_t *p, const char *at, size_t n) {
	struct sf_http__msg *m = msg_of(p);
	if (m->head_done) return 0; /* a trailer */
	if (m->part != 1) {
		if (header_more(m)) return -1;
		m->req.headers[m->req.nheaders - 1].name.p = at;
		m->part = 1;
	}
	m->req.headers[m->req.nheaders - 1].name.n += n;
	return 0;
}

static int on_header_value(llhttp_t *p, const char *at, size_t n) {
	struct sf_http__msg *m = msg_of(p);
	if (m->head_done) return 0;
	if (m->part == 0) return refuse(m, SF_EMALFORMED); /* ": value" */
	struct sf_str *value = &m->req.headers[m->req.nheaders - 1].value;
	if (m->part == 1)
		value->p = at;
	else if (at != value->p + value->n)
		return refuse(m, SF_EMALFORMED); /* folded, or nameless */
	m->part = 2;
	value->n += n;
	return 0;
}

/* ---- the head ------------------------------------------------------------------------------- */

/* Every line ends with CR LF and none begins with a space, up to and with the empty line; *body is what follows. */
static int check_lines(const char *p, const char *end, const char **body) {
	for (;;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl || nl == p || nl[-1] != '\r') return SF_EMALFORMED;
		if (nl == p + 1) {
			*body = nl + 1;
			return 0;
		}
		if (*p == ' ' || *p == '\t') return SF_EMALFORMED;
		p = nl + 1;
	}
}

/* METHOD SP target SP HTTP/d.d CR LF, and a version that we speak. */
static int check_request_line(struct sf_http__msg *m) {
	const char *p = memchr(m->head, ' ', m->head_n);
	const struct sf_str target = m->req.target;
	if (!p || target.p != p + 1) return SF_EMALFORMED;
	p = target.p + target.n;
	if (m->head + m->head_n - p < 11 || memcmp(p, " HTTP/", 6) != 0 || p[9] != '\r') return SF_EMALFORMED;
	if (m->parser.http_major != 1) return SF_EVERSION;
	m->req.http10 = m->parser.http_minor == 0;
	return 0;
}

static int method_of(const llhttp_t *p, enum sf_method *out) {
	switch (p->method) {
	case HTTP_GET: *out = SF_GET; return 0;
	case HTTP_HEAD: *out = SF_HEAD; return 0;
	case HTTP_POST: *out = SF_POST; return 0;
	case HTTP_PUT: *out = SF_PUT; return 0;
	case HTTP_PATCH: *out = SF_PATCH; return 0;
	case HTTP_DELETE: *out = SF_DELETE; return 0;
	case HTTP_OPTIONS: *out = SF_OPTIONS; return 0;
	default: return SF_EMETHOD;
	}
}

int sf_http__cut_target(struct sf_http_req *req, struct sf_str *authority) {
	struct sf_str t = req->target;
	*authority = SF_STR_NULL;
	if (t.n == 1 && t.p[0] == '*') {
		if (req->method != SF_OPTIONS) return SF_EMALFORMED;
	} else if (t.n == 0 || t.p[0] != '/') { /* absolute form, RFC 9112 §3.2.2 */
		size_t scheme = t.n >= 7 && !strncasecmp(t.p, "http://", 7)    ? 7
						: t.n >= 8 && !strncasecmp(t.p, "https://", 8) ? 8
																	   : 0;
		if (!scheme) return SF_EMALFORMED;
		size_t end = scheme;
		while (end < t.n && t.p[end] != '/' && t.p[end] != '?') end++;
		*authority = (struct sf_str) { t.p + scheme, end - scheme };
		if (authority->n == 0) return SF_EMALFORMED;
		t.p += end, t.n -= end;
	}
	if (t.n && memchr(t.p, '#', t.n)) return SF_EMALFORMED;
	if (!sf_str_cut(t, '?', &req->path, &req->query)) req->query = SF_STR_NULL;
	if (req->path.n == 0) req->path = SF_STR("/");
	return 0;
}

/* A host and port of RFC 9110 §7.2, in the characters that real ones have. */
static bool host_ok(struct sf_str host) {
	static const bool good[256] = {
		['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['.'] = true, ['-'] = true,
		['_'] = true,         [':'] = true,         ['['] = true,         [']'] = true, ['~'] = true,
	};
	for (size_t i = 0; i < host.n; i++)
		if (!good[(unsigned char)host.p[i]]) return false;
	return host.n > 0 && host.n <= 255;
}

/* Trims values and looks at the headers that steer the protocol. llhttp has refused a repeated or bad
 * Content-Length and one beside a Transfer-Encoding. */
static int check_headers(struct sf_http__msg *m, struct sf_http_header **host) {
	size_t hosts = 0, codings = 0;
	for (size_t i = 0; i < m->req.nheaders; i++) {
		struct sf_http_header *h = &m->req.headers[i];
		while (h->value.n && (h->value.p[h->value.n - 1] == ' ' || h->value.p[h->value.n - 1] == '\t'))
			h->value.n--;
		switch (h->name.n) {
		case 0: return SF_EMALFORMED;
		case 4:
			if (!strncasecmp(h->name.p, "host", 4)) *host = h, hosts++;
			break;
		case 6:
			if (!strncasecmp(h->name.p, "expect", 6))
				m->expect = sf_str_ieq(h->value, SF_STR("100-continue")) && !m->req.http10;
			break;
		case 17:
			if (!strncasecmp(h->name.p, "transfer-encoding", 17)) {
				codings++;
				if (!sf_str_ieq(h->value, SF_STR("chunked"))) return SF_EMALFORMED;
			}
			break;
		default: break;
		}
	}
	if (codings > 1 || (codings && m->req.http10)) return SF_EMALFORMED;
	if (hosts > 1 || (hosts == 0 && !m->req.http10)) return SF_EMALFORMED;
	if (hosts && !host_ok((*host)->value)) return SF_EMALFORMED;
	return 0;
}

static int check_head(struct sf_http__msg *m) {
	struct sf_http_header *host = NULL;
	struct sf_str authority = SF_STR_NULL;
	int err = check_lines(m->head, m->head + m->head_n, &m->scan);
	if (!err) err = check_request_line(m);
	if (!err) err = check_headers(m, &host);
	if (!err) err = method_of(&m->parser, &m->req.method);
	if (!err) err = sf_http__cut_target(&m->req, &authority);
	if (err) return err;
	if (authority.p) {
		if (!host_ok(authority)) return SF_EMALFORMED;
		if (host) host->value = authority;
	}
	m->chunked = (m->parser.flags & F_CHUNKED) != 0;
	m->length = m->chunked ? 0 : m->parser.content_length;
	m->keep = llhttp_should_keep_alive(&m->parser);
	m->keep_said = m->keep && m->req.http10;
	m->parser.upgrade =
		0; /* no other protocol is offered: the request is answered as it is (RFC 9110 §7.8) */
	return 0;
}

static int on_headers_complete(llhttp_t *p) {
	struct sf_http__msg *m = msg_of(p);
	int err = check_head(m);
	m->head_done = true;
	if (err) return refuse(m, err);
	bool body = m->chunked || m->length > 0;
	m->body_max = m->opts->body_max;
	err = m->opts->on_head ? m->opts->on_head(&m->req, &m->body_max) : 0;
	if (!err && m->length > m->body_max) err = SF_ETOOLARGE;
	if (err && body) return refuse(m, err);
	m->err = err; /* without a body the message ends here, and the connection can go on */
	m->expect = m->expect && body;
	return 0;
}

/* ---- the body ------------------------------------------------------------------------------- */

static int check_framing(struct sf_http__msg *m, const char *to) {
	for (const char *p = m->scan; p < to; p++) {
		if (*p == '\n' && m->last != '\r') return SF_EMALFORMED;
		m->last = *p;
	}
	m->framing += (size_t)(to - m->scan);
	m->scan = to;
	/* chunk heads may outweigh small chunks, but not without end */
	return m->framing > m->opts->head_max + 8 * m->body.n ? SF_EMALFORMED : 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n) {
	struct sf_http__msg *m = msg_of(p);
	if (m->chunked) {
		int err = check_framing(m, at);
		if (err) return refuse(m, err);
		m->scan = at + n, m->last = 0;
	} else if (n == m->length && at >= m->head && at < m->head + m->head_n) {
		m->req.body = (struct sf_str) { at, n };
		return 0;
	}
	if (m->body.n + n > m->body_max) return refuse(m, SF_ETOOLARGE);
	if (!m->body.p && m->length)
		(void)sf_buf_reserve(&m->body, m->length < (256 << 10) ? (size_t)m->length : 256 << 10);
	sf_buf_add(&m->body, at, n);
	return m->body.failed ? refuse(m, SF_ENOMEM) : 0;
}

static int on_message_complete(llhttp_t *p) {
	struct sf_http__msg *m = msg_of(p);
	if (m->body.p) m->req.body = sf_buf_view(&m->body);
	m->done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/* ---- messages ------------------------------------------------------------------------------- */

struct sf_http__msg *sf_http__msg_new(struct sf_http_server *s, struct sf_http_conn *c) {
	struct sf_arena *a = sf_arena_new(0);
	struct sf_http__msg *m = sf_arena_zalloc(a, sizeof(*m));
	m->server = s, m->opts = &s->opts;
	m->req.arena = a, m->req.conn = c;
	m->req.peer = sf_str(c->peer);
	m->req.started_ns = sf_clock_ns();
	sf_buf_init(&m->req.head, a);
	sf_buf_init(&m->req.out, a);
	sf_buf_init(&m->body, a);
	llhttp_init(&m->parser, HTTP_REQUEST, &settings);
	return m;
}

void sf_http__msg_free(struct sf_http__msg *m) {
	if (m) sf_arena_free(m->req.arena); /* m lies in it */
}

/* Room for n more bytes of head; spans follow when the piece moves. */
static void head_grow(struct sf_http__msg *m, size_t n) {
	size_t need = m->head_n + n;
	if (need <= m->head_cap) return;
	size_t cap = m->head_cap ? (size_t)m->head_cap * 2 : 1024;
	while (cap < need) cap *= 2;
	const char *old = m->head;
	m->head = sf_arena_alloc(m->req.arena, cap);
	m->head_cap = (uint32_t)cap;
	if (!old) return;
	memcpy(m->head, old, m->head_n);
	if (m->req.target.p) m->req.target.p = m->head + (m->req.target.p - old);
	for (size_t i = 0; i < m->req.nheaders; i++) {
		struct sf_http_header *h = &m->req.headers[i];
		h->name.p = m->head + (h->name.p - old);
		if (h->value.p) h->value.p = m->head + (h->value.p - old);
	}
}

/* The first word, as far as it has come, could be a method that nobody knows. */
static bool method_shaped(const struct sf_http__msg *m) {
	uint32_t i = 0;
	while (i < m->head_n && ((m->head[i] >= 'A' && m->head[i] <= 'Z') || m->head[i] == '-')) i++;
	return i > 0 && (i == m->head_n || m->head[i] == ' ');
}

/* What llhttp refused, as an error of ours. */
static int error_of(const struct sf_http__msg *m, llhttp_errno_t rc) {
	switch (rc) {
	case HPE_INVALID_VERSION:
	case HPE_PAUSED_H2_UPGRADE: return SF_EVERSION;
	case HPE_INVALID_METHOD: return method_shaped(m) ? SF_EMETHOD : SF_EMALFORMED;
	default: return SF_EMALFORMED;
	}
}

size_t sf_http__parse(struct sf_http__msg *m, const char *data, size_t n) {
	const char *from = data;
	if (!m->head_done) {
		size_t room = m->opts->head_max - m->head_n;
		n = n > SF_HTTP__SLICE ? SF_HTTP__SLICE : n;
		n = n > room ? room : n;
		head_grow(m, n);
		from = m->head + m->head_n;
		memcpy(m->head + m->head_n, data, n);
		m->head_n += (uint32_t)n;
	}
	m->scan = from;
	llhttp_errno_t rc = llhttp_execute(&m->parser, from, n);
	size_t taken =
		m->done ? (size_t)(llhttp_get_error_pos(&m->parser) - from) : n; /* what is refused is used up */
	if (rc == HPE_OK && !m->head_done && m->head_n >= m->opts->head_max) {
		m->err = m->req.nheaders ? SF_EHEADERS : SF_EURITOOLONG;
	} else if (rc != HPE_OK && !m->done && !m->err) {
		m->err = error_of(m, rc);
	} else if (m->chunked && !m->err) {
		m->err = check_framing(m, from + taken);
		if (m->err) m->done = false;
	}
	m->req.bytes_in += taken;
	m->body_unread = m->err && !m->done;
	return taken;
}
