/* The worker's server: listening, accepting, the sweep of deadlines, draining. */
#include "http/http.h"
#include "http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/log.h"
#include "loop/loop.h"

/* ---- the sweep ------------------------------------------------------------------------------ */

static struct sf_http_conn *first_of(const struct sf_node *list) {
	return sf_list_empty(list) ? NULL : SF_CONTAINER(list->next, struct sf_http_conn, node);
}

static bool quiet(const struct sf_http_server *s) {
	for (int i = 0; i < SF_CONN_CLOSED; i++)
		if (!sf_list_empty(&s->conns[i])) return false;
	return sf_list_empty(&s->calm);
}

static void move_all(struct sf_node *from, struct sf_node *to) {
	while (!sf_list_empty(from)) {
		struct sf_node *n = from->next;
		sf_list_del(n);
		sf_list_push(to, n);
	}
}

/* What is left at the end of a drain. Requests unwind with SF_EDRAINING and may still answer. */
static void drain_rest(struct sf_http_server *s) {
	struct sf_node running;
	struct sf_http_conn *c;
	s->drain_until = INT64_MAX;
	for (int i = 0; i < SF_CONN_CLOSED; i++)
		while ((c = first_of(&s->conns[i]))) sf_http__conn_gone(c);
	sf_list_init(&running);
	while ((c = first_of(&s->calm))) {
		sf_list_del(&c->node);
		sf_list_push(&running, &c->node);
		if (c->state == SF_CONN_IDLE)
			sf_http__conn_gone(c);
		else if (c->msg && c->msg->co)
			sf_co_cancel(c->msg->co, SF_EDRAINING);
	}
	move_all(&running, &s->calm);
}

/* Idle connections past their time. Who was active since the last look is looked at again later; in a drain, where times
 * are short and differ, all are. */
static void sweep_calm(struct sf_http_server *s, int64_t now) {
	struct sf_node seen;
	struct sf_http_conn *c;
	sf_list_init(&seen);
	while ((c = first_of(&s->calm)) && (c->look <= now || s->draining)) {
		sf_list_del(&c->node);
		sf_list_push(&seen, &c->node);
		c->look = now + s->look_ms;
		if (c->state == SF_CONN_IDLE && c->due <= now) sf_http__conn_due(c);
	}
	move_all(&seen, &s->calm);
}

static void on_tick(uv_timer_t *t) {
	struct sf_http_server *s = SF_CONTAINER(t, struct sf_http_server, timer);
	int64_t now = sf_loop_now(s->loop);
	struct sf_http_conn *c;
	for (int i = 0; i < SF_CONN_CLOSED; i++)
		while ((c = first_of(&s->conns[i])) && c->due <= now) sf_http__conn_due(c);
	sweep_calm(s, now);
	if (s->draining && now >= s->drain_until) drain_rest(s);
	if (!quiet(s) || s->freed) return;
	uv_timer_stop(t);
	s->ticking = false;
}

void sf_http__tick(struct sf_http_server *s) {
	if (s->ticking || s->freed) return;
	s->ticking = uv_timer_start(&s->timer, on_tick, (uint64_t)s->tick_ms, (uint64_t)s->tick_ms) == 0;
}

/* ---- accepting ------------------------------------------------------------------------------ */

static void on_connection(uv_stream_t *listener, int status) {
	struct sf_http_server *s = SF_CONTAINER(listener, struct sf_http_server, listener);
	if (status < 0) {
		/* out of descriptors: libuv spends its spare one on closing what waits */
		if (!s->accept_logged)
			sf_log(SF_ERROR, "accept failed", SF_KV("why", uv_strerror(status)),
				   SF_KV("conns", s->stats.conns));
		s->accept_logged = true;
		return;
	}
	struct sf_http_conn *c = sf_http__conn_new(s);
	if (!c) return;
	s->stats.accepted++;
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0) {
		sf_http__conn_gone(c);
		return;
	}
	sf_http__tick(s);
	sf_http__arrive(c);
	if (sf_http__conn_start(c) < 0)
		sf_http__conn_gone(c);
	else if (!sf_http__admit(c))
		sf_http__conn_shed(c);
}

struct sf_http_conn *sf_http__adopt(struct sf_http_server *s, int fd) {
	struct sf_http_conn *c = sf_http__conn_new(s);
	if (!c) {
		close(fd);
		return NULL;
	}
	s->stats.accepted++;
	sf_http__tick(s);
	int rc = uv_tcp_open(&c->tcp, fd);
	if (rc < 0) close(fd);
	if (rc < 0 || sf_http__conn_start(c) < 0) {
		sf_http__conn_gone(c);
		return NULL;
	}
	sf_http__arrive(c);
	return c;
}

int sf_http_listen(struct sf_http_server *s, int fd) {
	SF_BUG_ON(s->listening);
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3), one = 1;
	if (own < 0) return SF_EIO;
	/* accepted sockets inherit it: no system call a connection */
	(void)setsockopt(own, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (uv_tcp_init(s->uv, &s->listener) < 0) {
		close(own);
		return SF_EIO;
	}
	s->handles++;
	s->listening = true;
	int rc = uv_tcp_open(&s->listener, own);
	if (rc < 0)
		close(own);
	else
		rc = uv_listen((uv_stream_t *)&s->listener, 4096, on_connection);
	if (rc == 0) return 0;
	sf_log(SF_ERROR, "cannot listen", SF_KV("why", uv_strerror(rc)));
	return SF_EIO;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void server_free(struct sf_http_server *s) {
	sf_http__encoders_free(s->encoders);
	sf_http__addresses_free(s->addresses);
	free(s->rbuf);
	free(s->wbuf);
	free(s);
}

static size_t conns_left(const struct sf_http_server *s) {
	return s->stats.conns + s->nshed;
}

static void drain_end(struct sf_http_server *s) {
	if (!s->draining || s->drained || conns_left(s)) return;
	s->drained = true;
	if (s->drain_done) sf_loop_later(s->loop, s->drain_done, s->drain_arg);
}

void sf_http__conn_freed(struct sf_http_server *s) {
	drain_end(s);
	if (s->freed && s->handles == 0 && conns_left(s) == 0) server_free(s);
}

static void on_handle_closed(uv_handle_t *h) {
	struct sf_http_server *s = h->data;
	s->handles--;
	if (s->freed && s->handles == 0 && conns_left(s) == 0) server_free(s);
}

static void handle_close(struct sf_http_server *s, uv_handle_t *h) {
	h->data = s;
	uv_close(h, on_handle_closed);
}

/* Who is in the socket's queue has connected, and is served: when the socket closes for good, the kernel would reset it. */
static void accept_rest(struct sf_http_server *s) {
	uv_os_fd_t listener;
	int fd;
	if (uv_fileno((uv_handle_t *)&s->listener, &listener) < 0) return;
	while (s->stats.conns < s->opts.max_conns &&
		   (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		(void)sf_http__adopt(s, fd);
}

void sf_http_drain(struct sf_http_server *s, int64_t limit_ms, void (*done)(void *arg), void *arg) {
	int64_t now = sf_loop_now(s->loop);
	SF_BUG_ON(s->draining);
	s->draining = true;
	s->drain_done = done, s->drain_arg = arg;
	s->drain_until = now + limit_ms;
	s->drain_idle_ms = limit_ms / 2 < 2000 ? limit_ms / 2 : 2000;
	if (s->listening) {
		accept_rest(s);
		handle_close(s, (uv_handle_t *)&s->listener);
	}
	s->listening = false;
	for (struct sf_node *n = s->calm.next; n != &s->calm; n = n->next)
		SF_CONTAINER(n, struct sf_http_conn, node)->due = now + s->drain_idle_ms;
	for (struct sf_node *n = s->conns[SF_CONN_HEAD].next, *next; n != &s->conns[SF_CONN_HEAD]; n = next) {
		next = n->next;
		sf_http__conn_hasten(SF_CONTAINER(n, struct sf_http_conn, node));
	}
	drain_end(s);
}

void sf_http_server_free(struct sf_http_server *s) {
	if (!s || s->freed) return;
	s->draining = true, s->drained = true;
	drain_rest(s);
	s->freed = true;
	if (s->listening) handle_close(s, (uv_handle_t *)&s->listener);
	handle_close(s, (uv_handle_t *)&s->timer);
}

void sf_http_stats(const struct sf_http_server *s, struct sf_http_stats *out) {
	*out = s->stats;
	out->conn_bytes = sizeof(struct sf_http_conn);
}

static void defaults(struct sf_http_opts *o) {
	if (!o->head_max) o->head_max = 16 << 10;
	if (!o->headers_max) o->headers_max = 100;
	if (!o->body_max) o->body_max = 1 << 20;
	if (!o->head_ms) o->head_ms = 10000;
	if (!o->body_ms) o->body_ms = 30000;
	if (!o->idle_ms) o->idle_ms = 75000;
	if (!o->request_ms) o->request_ms = 30000;
	if (!o->max_conns) o->max_conns = 15000;
	if (!o->max_inflight) o->max_inflight = 1000;
	/* descriptors are needed for more than clients: databases, files, libuv's spare */
	struct rlimit rl;
	if (getrlimit(RLIMIT_NOFILE, &rl) || rl.rlim_cur == RLIM_INFINITY || rl.rlim_cur < 256) return;
	size_t most = (size_t)rl.rlim_cur - 128;
	if (o->max_conns <= most) return;
	sf_log(SF_WARN, "fewer connections than wanted, for lack of file descriptors",
		   SF_KV("wanted", o->max_conns), SF_KV("max_conns", most));
	o->max_conns = most;
}

static int64_t min3(int64_t a, int64_t b, int64_t c) {
	int64_t least = a < b ? a : b;
	return least < c ? least : c;
}

int sf_http_server_new(struct sf_loop *l, const struct sf_http_opts *opts, struct sf_http_server **out) {
	if (!opts->stages || !opts->finish) return SF_EINVAL;
	struct sf_http_server *s = sf_calloc(1, sizeof(*s));
	s->opts = *opts;
	defaults(&s->opts);
	s->loop = l;
	s->uv = sf_loop_uv(l);
	if (uv_timer_init(s->uv, &s->timer) < 0) {
		free(s);
		return SF_EIO;
	}
	uv_unref((uv_handle_t *)&s->timer);
	s->handles = 1;
	for (int i = 0; i < SF_CONN_STATES; i++) sf_list_init(&s->conns[i]);
	sf_list_init(&s->calm);
	s->tick_ms = min3(s->opts.head_ms, s->opts.body_ms, s->opts.idle_ms) / 4;
	s->tick_ms = s->tick_ms < 10 ? 10 : s->tick_ms > 250 ? 250 : s->tick_ms;
	s->look_ms = s->opts.idle_ms / 8;
	if (s->opts.max_requests) {
		uint32_t dice;
		sf_random(&dice, sizeof(dice));
		size_t tenth = s->opts.max_requests / 10;
		s->recycle_at = s->opts.max_requests - tenth + dice % (2 * tenth + 1);
	}
	s->rbuf = sf_malloc(SF_HTTP__READ_BUF);
	s->wbuf = sf_malloc(SF_HTTP__WRITE_BUF);
	s->encoders = sf_http__encoders_new();
	s->addresses = sf_http__addresses_new();
	signal(SIGPIPE, SIG_IGN); /* a client that is gone is an error of write, not the end of the process */
	*out = s;
	return 0;
}
