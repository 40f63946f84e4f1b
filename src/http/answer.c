/* From a finished request to the socket: head and a small body in one buffer and one write.
 *
 * The worker's write buffer holds bytes of one connection at a time (`wowner`). While conn.c feeds that
 * connection, answers to pipelined requests gather there and leave in one write; otherwise an answer leaves at
 * once. What the socket does not take is copied and left to uv_write; a large body is not copied: its message
 * lives until the write is done. */
#include "http/http.h"
#include "http/internal.h"

#include <stdlib.h>

#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"

/* ---- writing -------------------------------------------------------------------------------- */

struct unsent {
	uv_write_t write;
	struct sf_http_conn *conn;
	char copy[];
};

static void on_written(uv_write_t *w, int status) {
	struct unsent *u = SF_CONTAINER(w, struct unsent, write);
	struct sf_http_conn *c = u->conn;
	free(u);
	c->writes--;
	if (c->state == SF_CONN_CLOSED) return;
	if (status < 0)
		sf_http__conn_gone(c);
	else if (c->writes == 0 && c->state == SF_CONN_WRITE)
		sf_http__conn_next(c);
	else if (c->writes == 0)
		sf_http__conn_more(c);
}

/* Writes buf (copied where the socket does not take it) and then body (not copied). False: the client is gone. */
static bool write_out(struct sf_http_conn *c, const char *buf, size_t n, struct sf_str body) {
	uv_stream_t *stream = (uv_stream_t *)&c->tcp;
	uv_buf_t bufs[2] = { uv_buf_init((char *)buf, (unsigned)n),
						 uv_buf_init((char *)body.p, (unsigned)body.n) };
	int sent = uv_try_write(stream, bufs, body.n ? 2 : 1);
	if (SF_LIKELY(sent == (int)(n + body.n))) return true;
	if (sent < 0 && sent != UV_EAGAIN) return false;
	size_t done = sent < 0 ? 0 : (size_t)sent, copied = done < n ? n - done : 0;
	struct unsent *u = sf_malloc(sizeof(*u) + copied);
	u->conn = c;
	if (copied) memcpy(u->copy, buf + done, copied);
	size_t skip = done > n ? done - n : 0;
	bufs[0] = uv_buf_init(u->copy, (unsigned)copied);
	bufs[1] = uv_buf_init((char *)body.p + skip, (unsigned)(body.n - skip));
	const uv_buf_t *first = copied ? bufs : bufs + 1;
	if (uv_write(&u->write, stream, first, (copied != 0) + (bufs[1].len != 0), on_written) < 0) {
		free(u);
		return false;
	}
	c->writes++;
	return true;
}

void sf_http__flush(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	if (s->wowner != c || s->wn == 0) return;
	size_t n = s->wn;
	s->wn = 0, s->wowner = NULL;
	if (c->state != SF_CONN_CLOSED && !write_out(c, s->wbuf, n, SF_STR_NULL)) c->gone = true;
}

/* n bytes (≤ the buffer) of the write buffer for c. */
static char *take(struct sf_http_conn *c, size_t n) {
	struct sf_http_server *s = c->server;
	if (s->wowner && (s->wowner != c || s->wn + n > SF_HTTP__WRITE_BUF)) sf_http__flush(s->wowner);
	s->wowner = c;
	return s->wbuf + s->wn;
}

void sf_http__send(struct sf_http_conn *c, const void *p, size_t n) {
	memcpy(take(c, n), p, n);
	c->server->wn += n;
}

/* ---- the head ------------------------------------------------------------------------------- */

static void date_renew(struct sf_http_server *s) {
	int64_t loop_now = sf_loop_now(s->loop);
	if (SF_LIKELY(loop_now < s->date_until)) return;
	int64_t now = sf_time_now();
	memcpy(s->date, "Date: ", 6);
	s->date_n = 6 + sf_time_format_http(now, s->date + 6);
	memcpy(s->date + s->date_n, "\r\n", 2);
	s->date_n += 2;
	s->date_until = loop_now + 1000 - now % SF_USEC / 1000;
}

static char *put(char *p, const char *text, size_t n) {
	memcpy(p, text, n);
	return p + n;
}
#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

static char *put_uint(char *p, size_t v) {
	char digits[20];
	size_t n = 0;
	do digits[n++] = (char)('0' + v % 10);
	while ((v /= 10));
	while (n) *p++ = digits[--n];
	return p;
}

/* What the head says of the body; the stages' own lines come last. */
struct entity {
	struct sf_str body;   /* what is sent; of a HEAD request what would be */
	struct sf_str coding; /* p NULL: none */
	bool vary, bodiless;
};

static char *put_head(char *p, struct sf_http__msg *m, const struct entity *e, bool last) {
	struct sf_http_server *s = m->server;
	const struct sf_http_req *req = &m->req;
	struct sf_str line = sf_http__status_line(req->status);
	if (SF_LIKELY(line.p != NULL)) {
		p = put(p, line.p, line.n);
	} else {
		p = put_uint(PUT(p, "HTTP/1.1 "), (size_t)req->status);
		p = PUT(p, " \r\n");
	}
	date_renew(s);
	p = put(p, s->date, s->date_n);
	if (req->type.p && !e->bodiless) p = PUT(put(PUT(p, "Content-Type: "), req->type.p, req->type.n), "\r\n");
	if (e->coding.p && !e->bodiless)
		p = PUT(put(PUT(p, "Content-Encoding: "), e->coding.p, e->coding.n), "\r\n");
	if (e->vary) p = PUT(p, "Vary: Accept-Encoding\r\n");
	if (!e->bodiless) p = PUT(put_uint(PUT(p, "Content-Length: "), e->body.n), "\r\n");
	if (last)
		p = PUT(p, "Connection: close\r\n");
	else if (m->keep_said)
		p = PUT(p, "Connection: keep-alive\r\n");
	if (req->head.n) p = put(p, req->head.p, req->head.n);
	return PUT(p, "\r\n");
}

/* Room that put_head needs at most. */
static size_t head_room(const struct sf_http_req *req) {
	return 320 + req->type.n + req->head.n;
}

/* Chooses the form of the body (~ compressing a large one).
 *
 * An answer that may be compressed says so in whichever form it goes out, and its ETag is weak in all of them: what an encoder makes of
 * it is not the same bytes for ever. So a 304 knows both, though it compresses nothing, and carries what its 200 would
 * (RFC 9110 §15.4.5): a cache that renews its copy from it is not led to take parts of one form for those of another. */
static struct entity entity_of(struct sf_http__msg *m) {
	enum { WORTH = 1024 };
	struct sf_http_req *req = &m->req;
	struct entity e = { .body = req->body_ref.p ? req->body_ref : sf_buf_view(&req->out) };
	e.bodiless = req->status == 204 || req->status == 304;
	e.coding = req->coding, e.vary = req->varies;
	if (req->varies || req->coding.p || req->compress == SF_COMPRESS_NEVER) return e;
	if (req->status == 204 || req->status == 206 || e.body.n <= WORTH || !sf_http__compressible(req->type))
		return e;
	e.vary = true;
	sf_http__head_weaken(req);
	if (e.bodiless) return e;
	enum sf_http__coding coding = sf_http__coding(req, true, true);
	struct sf_str coded;
	if (coding == SF_CODING_IDENTITY ||
		!sf_http__encode(m->server->encoders, req->arena, coding, e.body, &coded))
		return e;
	e.body = coded, e.coding = sf_http__coding_name(coding);
	return e;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* Head and body to the socket or the write buffer. *held: the body is still being read from the message. */
static size_t put_answer(struct sf_http_conn *c, struct sf_http__msg *m, const struct entity *e, bool last,
						 bool *held) {
	struct sf_http_server *s = c->server;
	struct sf_str body = e->bodiless || m->req.method == SF_HEAD ? SF_STR_NULL : e->body;
	size_t room = head_room(&m->req);
	bool small = body.n <= SF_HTTP__BODY_COPY && room + body.n <= SF_HTTP__WRITE_BUF;
	*held = false;
	if (SF_LIKELY(small)) {
		char *p = take(c, room + body.n), *end = put_head(p, m, e, last);
		if (body.n) end = put(end, body.p, body.n);
		s->wn += (size_t)(end - p);
		if (!c->feeding) sf_http__flush(c);
		return (size_t)(end - p);
	}
	sf_http__flush(c);
	char *p = room <= SF_HTTP__WRITE_BUF ? take(c, room) : sf_arena_alloc(m->req.arena, room);
	size_t n = (size_t)(put_head(p, m, e, last) - p);
	s->wowner = NULL;
	uint32_t writes = c->writes;
	if (!write_out(c, p, n, body)) c->gone = true;
	*held = c->writes != writes;
	return n + body.n;
}

static void account(struct sf_http__msg *m, size_t sent) {
	struct sf_http_server *s = m->server;
	m->req.bytes_out = sent;
	s->stats.bytes_in += m->req.bytes_in;
	s->stats.bytes_out += sent;
	if (sent)
		s->stats.answered++;
	else
		s->stats.canceled++;
	if (m->opts->after) m->opts->after(&m->req);
}

void sf_http__answer(struct sf_http__msg *m) {
	struct sf_http_conn *c = m->req.conn;
	struct sf_http_server *s = m->server;
	bool held = false;
	if (SF_LIKELY(!c->gone)) {
		struct entity e = entity_of(m); /* ~ */
		m->co = NULL;
		bool last = m->req.close || !m->keep || m->body_unread || s->draining;
		size_t sent = c->gone ? 0 : put_answer(c, m, &e, last, &held);
		if (c->gone) sent = 0;
		if (last) c->last = true, c->last_linger = m->body_unread || s->draining;
		account(m, sent);
	} else {
		m->co = NULL;
		account(m, 0);
	}
	if (!held) {
		c->msg = NULL;
		sf_http__msg_free(m);
	}
	sf_http__conn_next(c);
}
