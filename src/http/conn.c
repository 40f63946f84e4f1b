/* A connection's life: bytes in, one request at a time, answers out in order, and its end.
 *
 *     accepted ──────────▶ HEAD ──▶ BODY ──▶ RUN ──answered──▶ IDLE (or WRITE until the socket takes it)
 *     IDLE ──first byte──▶  │  too late: 408  │                 └─ last answer ─▶ LINGER ─▶ CLOSED
 *       └── idle_ms, EOF ──▶ CLOSED           └── EOF: the coroutine is cancelled, closed when it has unwound
 *
 * A new connection is in HEAD before its first byte: a client connects because it has something to ask, so the time for the
 * head counts from there. One that stays silent (`silent`) is closed without a word.
 *
 * Reading stays on all the time, so a client that goes away is noticed while its request runs and no system call
 * is spent on switching it. What comes early waits in `pend`, at most SF_HTTP__PEND_MAX bytes. A message that
 * comes in one read passes through HEAD and BODY without entering their lists.
 *
 * A client that sends a head in small pieces costs no arena meanwhile: what came is parked in a piece of its exact size and
 * parsed again when more comes. Beyond PARK_MAX the arena stays, so that dribbling cannot buy much parsing either.
 *
 * Invariants: (1) `msg` is set in BODY and RUN, in HEAD unless `parked` or `silent` is, and in WRITE while the socket still reads its body. (2) A
 * connection whose coroutine runs is never closed: `gone` is set, the coroutine cancelled, and its end closes.
 * (3) Memory is freed in uv_close's callback, so a pointer is good for the rest of an event. */
#include "http/http.h"
#include "http/internal.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "loop/loop.h"

/* ---- states --------------------------------------------------------------------------------- */

/* Between IDLE and RUN, which is every request, no list is touched: neighbours in a list are other
 * connections' memory, and with thousands of them each would be a cache miss. The sweep finds out who was active. */
static bool calm(int state) {
	return state == SF_CONN_IDLE || state == SF_CONN_RUN;
}

void sf_http__conn_state(struct sf_http_conn *c, enum sf_http__state state, int64_t in_ms) {
	struct sf_http_server *s = c->server;
	bool stays = calm(c->state) && calm(state);
	s->stats.idle -= c->state == SF_CONN_IDLE;
	s->stats.idle += state == SF_CONN_IDLE;
	c->state = (uint8_t)state;
	if (state == SF_CONN_RUN && stays) return;
	c->due = sf_loop_now(s->loop) + in_ms;
	if (stays) return;
	c->look = sf_loop_now(s->loop) + s->look_ms;
	sf_list_del(&c->node);
	sf_list_push(calm(state) ? &s->calm : &s->conns[state], &c->node);
}

static void go_idle(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	sf_http__conn_state(c, SF_CONN_IDLE, s->draining ? s->drain_idle_ms : s->opts.idle_ms);
}

/* Something has come of it, or it ends: it counts as idle no longer. */
static void speak(struct sf_http_conn *c) {
	c->server->stats.idle -= c->silent;
	c->silent = false;
}

static void go_new(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	if (s->draining) {
		go_idle(c);
		return;
	}
	sf_http__conn_state(c, SF_CONN_HEAD, s->opts.head_ms);
	c->silent = true;
	s->stats.idle++;
}

void sf_http__conn_hasten(struct sf_http_conn *c) {
	if (!c->silent) return;
	speak(c);
	go_idle(c);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void pend_drop(struct sf_http_conn *c) {
	free(c->pend);
	c->pend = NULL;
	c->pend_at = c->pend_n = c->pend_cap = 0;
}

static void park_drop(struct sf_http_conn *c) {
	free(c->parked);
	c->parked = NULL;
	c->parked_n = 0;
}

static void on_closed(uv_handle_t *h) {
	struct sf_http_conn *c = (struct sf_http_conn *)h;
	struct sf_http_server *s = c->server;
	sf_list_del(&c->node);
	if (c->shed)
		s->nshed--;
	else
		s->stats.conns--, s->closing--;
	s->stats.closed++;
	pend_drop(c);
	park_drop(c);
	if (!c->later)
		free(c);
	else
		c->server = NULL; /* resume() frees it */
	sf_http__conn_freed(s);
}

void sf_http__conn_close(struct sf_http_conn *c) {
	if (c->state == SF_CONN_CLOSED) return;
	speak(c);
	sf_http__conn_state(c, SF_CONN_CLOSED, 0);
	c->server->closing += !c->shed;
	sf_http__leave(c);
	if (c->server->wowner == c) c->server->wowner = NULL, c->server->wn = 0;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
	sf_http__msg_free(c->msg);
	c->msg = NULL;
}

void sf_http__conn_gone(struct sf_http_conn *c) {
	c->gone = true;
	if (c->state == SF_CONN_RUN) {
		if (c->msg && c->msg->co) sf_co_cancel(c->msg->co, SF_ECANCELED);
	} else {
		sf_http__conn_close(c);
	}
}

void sf_http__conn_linger(struct sf_http_conn *c) {
	uv_os_fd_t fd;
	if (c->gone || uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
		sf_http__conn_close(c);
		return;
	}
	c->progress = 0;
	pend_drop(c);
	sf_http__conn_state(c, SF_CONN_LINGER, SF_HTTP__LINGER_MS);
	if (c->stopped && sf_http__conn_start(c) < 0) sf_http__conn_close(c);
}

/* ---- input ---------------------------------------------------------------------------------- */

static bool reads_messages(const struct sf_http_conn *c) {
	return c->state == SF_CONN_IDLE || c->state == SF_CONN_HEAD || c->state == SF_CONN_BODY;
}

static void request_ready(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	struct sf_http__msg *m = c->msg;
	sf_http__conn_state(c, SF_CONN_RUN, 0);
	s->stats.requests++;
	if (s->recycle_at && s->stats.requests == s->recycle_at && s->opts.on_recycle)
		sf_loop_later(s->loop, s->opts.on_recycle, s->opts.arg);
	if (SF_LIKELY(!m->err))
		sf_http__run(m);
	else
		sf_http__refuse(m, m->err);
}

/* Gives the message's arena back and keeps the few bytes of its head. */
static void park(struct sf_http_conn *c) {
	struct sf_http__msg *m = c->msg;
	char *p = sf_try_realloc(NULL, m->head_n);
	if (!p) return; /* the arena stays */
	memcpy(p, m->head, m->head_n);
	c->parked = p, c->parked_n = m->head_n, c->first_ns = m->req.started_ns;
	c->msg = NULL;
	sf_http__msg_free(m);
}

static void begin(struct sf_http_conn *c) {
	speak(c);
	c->msg = sf_http__msg_new(c->server, c);
	if (!c->parked) return;
	c->msg->req.started_ns = c->first_ns;
	(void)sf_http__parse(c->msg, c->parked, c->parked_n); /* as far as it went before */
	park_drop(c);
}

void sf_http__conn_refuse(struct sf_http_conn *c, int err) {
	if (!c->msg) begin(c);
	c->msg->err = err;
	c->msg->body_unread = true;
	request_ready(c);
}

/* After a read that left the message unfinished. */
static void wait_for_more(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	struct sf_http__msg *m = c->msg;
	if (!m->head_done) {
		if (c->state != SF_CONN_HEAD) sf_http__conn_state(c, SF_CONN_HEAD, s->opts.head_ms);
		if (m->head_n <= SF_HTTP__PARK_MAX) park(c);
		return;
	}
	if (m->expect) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		if (!m->body.n) sf_http__send(c, go_on, sizeof(go_on) - 1);
		m->expect = false;
	}
	c->progress = m->req.bytes_in;
	if (c->state == SF_CONN_BODY) return;
	c->since = sf_loop_now(s->loop);
	sf_http__conn_state(c, SF_CONN_BODY, s->opts.body_ms < 1000 ? s->opts.body_ms : 1000);
}

/* Empty lines between messages are no message (RFC 9112 §2.2): they neither cost nor keep anything. */
static size_t skip_lines(const char *data, size_t n) {
	size_t at = 0;
	while (at < n && (data[at] == '\r' || data[at] == '\n')) at++;
	return at;
}

/* Hands bytes to messages, one after the other, as long as they are answered at once. Returns how many were used. */
static size_t feed(struct sf_http_conn *c, const char *data, size_t n) {
	size_t at = 0;
	c->feeding = true;
	while (at < n && reads_messages(c) && c->writes == 0 && !c->gone) {
		if (!c->msg) {
			if (!c->parked) at += skip_lines(data + at, n - at);
			if (at == n) break;
			begin(c);
		}
		at += sf_http__parse(c->msg, data + at, n - at);
		if (c->msg->body_unread) c->server->stats.parse_errors++;
		if (c->msg->done || c->msg->err)
			request_ready(c);
		else
			wait_for_more(c);
	}
	c->feeding = false;
	sf_http__flush(c);
	if (c->gone)
		sf_http__conn_gone(c);
	else if (c->writes && c->state == SF_CONN_IDLE)
		sf_http__conn_next(c);
	return at;
}

/* Keeps what came ahead of its turn; past the limit the client has to wait. */
static void keep(struct sf_http_conn *c, const char *data, size_t n) {
	if (c->pend_at) {
		memmove(c->pend, c->pend + c->pend_at, c->pend_n - c->pend_at);
		c->pend_n -= c->pend_at;
		c->pend_at = 0;
	}
	if (c->pend_n + n > c->pend_cap) {
		size_t cap = c->pend_cap ? c->pend_cap * 2 : 1024;
		while (cap < c->pend_n + n) cap *= 2;
		char *p = sf_try_realloc(c->pend, cap);
		if (!p) {
			sf_http__conn_gone(c);
			return;
		}
		c->pend = p, c->pend_cap = (uint32_t)cap;
	}
	memcpy(c->pend + c->pend_n, data, n);
	c->pend_n += (uint32_t)n;
	if (c->pend_n < SF_HTTP__PEND_MAX || c->stopped) return;
	uv_read_stop((uv_stream_t *)&c->tcp);
	c->stopped = true;
}

/* Goes on with kept bytes, from the loop. */
static void resume(void *arg) {
	struct sf_http_conn *c = arg;
	c->later = false;
	if (!c->server) {
		free(c);
		return;
	}
	size_t used = feed(c, c->pend + c->pend_at, c->pend_n - c->pend_at);
	if (!c->pend || c->state == SF_CONN_CLOSED) return; /* no more is wanted */
	c->pend_at += (uint32_t)used;
	if (c->pend_at < c->pend_n) return;
	pend_drop(c);
	if (c->stopped && sf_http__conn_start(c) < 0) sf_http__conn_gone(c);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf) {
	(void)suggested;
	*buf = uv_buf_init(((struct sf_http_conn *)h)->server->rbuf, SF_HTTP__READ_BUF);
}

/* The client closed its side. It may only have ended its sending and still want what it asked for, but the two look the
 * same: an answer on its way is finished, a request still running is cancelled. */
static void on_end(struct sf_http_conn *c) {
	if (c->state == SF_CONN_WRITE)
		c->last = true, c->last_linger = false;
	else
		sf_http__conn_gone(c);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
	struct sf_http_conn *c = (struct sf_http_conn *)stream;
	if (SF_UNLIKELY(nread < 0)) {
		if (nread == UV_EOF)
			on_end(c);
		else
			sf_http__conn_gone(c);
		return;
	}
	size_t n = (size_t)nread, used = 0;
	if (c->state == SF_CONN_LINGER) {
		c->progress += n;
		if (c->progress > SF_HTTP__LINGER_BYTES) sf_http__conn_close(c);
		return;
	}
	if (SF_LIKELY(!c->pend_n)) used = feed(c, buf->base, n);
	if (used == n || c->state == SF_CONN_CLOSED || c->state == SF_CONN_LINGER || c->gone) return;
	if (c->last)
		c->last_linger = true; /* what was not read must not turn the answer into a reset */
	else
		keep(c, buf->base + used, n - used);
}

int sf_http__conn_start(struct sf_http_conn *c) {
	c->stopped = false;
	return uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

struct sf_http_conn *sf_http__conn_new(struct sf_http_server *s) {
	struct sf_http_conn *c = sf_calloc(1, sizeof(*c));
	c->server = s;
	sf_list_init(&c->node);
	if (uv_tcp_init(s->uv, &c->tcp) < 0) {
		free(c);
		return NULL;
	}
	s->stats.conns++;
	c->state = SF_CONN_CLOSED; /* for the first entry into a list */
	go_new(c);
	return c;
}

/* It lingers so that the answer is not lost to a reset, unless too many do. */
void sf_http__conn_shed(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	s->stats.overloaded++;
	c->shed = true;
	s->stats.conns--, s->nshed++;
	sf_http__leave(c);
	speak(c);
	c->msg = sf_http__msg_new(s, c);
	c->msg->shed = true;
	c->msg->body_unread = s->nshed <= SF_HTTP__SHED_MAX;
	sf_http__conn_state(c, SF_CONN_RUN, 0);
	sf_http__refuse(c->msg, SF_EOVERLOAD);
}

/* ---- after an answer ------------------------------------------------------------------------ */

void sf_http__conn_more(struct sf_http_conn *c) {
	if (c->pend_at == c->pend_n || c->feeding || c->later) return;
	c->later = true;
	sf_loop_later(c->server->loop, resume, c); /* not from here: this may be a coroutine */
}

static void wait_for_socket(struct sf_http_conn *c) {
	c->progress = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
	c->since = sf_loop_now(c->server->loop);
	sf_http__conn_state(c, SF_CONN_WRITE, 1000);
}

void sf_http__conn_next(struct sf_http_conn *c) {
	if (c->state == SF_CONN_CLOSED) return;
	if (c->last) sf_http__flush(c);
	if (c->gone) {
		go_idle(c);
		if (!c->feeding) sf_http__conn_close(c); /* else feed() does */
		return;
	}
	if (c->writes) {
		wait_for_socket(c);
		return;
	}
	sf_http__msg_free(c->msg);
	c->msg = NULL;
	if (!c->last) {
		go_idle(c);
		sf_http__conn_more(c);
	} else if (c->last_linger || c->pend_at < c->pend_n) {
		sf_http__conn_linger(c);
	} else {
		sf_http__conn_close(c);
	}
}
