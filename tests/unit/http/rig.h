/* A server in a thread of its own and a blocking client, for the tests of http/.
 *
 * The stages below answer by path:
 *   /hello "hello"      /echo the body         /big?n /bigjson?n  n letters, ETag "abc"      /sleep?ms  after that time
 *   /none 204           /deny refused on_head  /small a route with a body limit of 10
 *   /fail?n  returns the error -n              /close asks for Connection: close */
#ifndef TESTS_HTTP_RIG_H
#define TESTS_HTTP_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/time.h"
#include "http/http.h"
#include "loop/loop.h"

struct rig {
	struct sf_http_opts opts;
	struct sf_static *files;
	int port, left;
	int64_t drain_ms;
	pthread_t thread;
	sem_t ready;
	struct sf_loop *loop;
	struct sf_http_server *server;
	struct sf_http_stats stats;
	atomic_int canceled, finished, after, sleeping;
	atomic_int last_err;
};

static struct rig *rig_now; /* the stages' */

/* ---- stages --------------------------------------------------------------------------------- */

static SF_UNUSED int rig_on_head(struct sf_http_req *req, size_t *body_max) {
	if (sf_str_eq(req->path, SF_STR("/deny"))) return SF_EMEDIA;
	if (sf_str_eq(req->path, SF_STR("/small"))) *body_max = 10;
	if (sf_str_eq(req->path, SF_STR("/large"))) *body_max = 32 << 20;
	return 0;
}

static int rig_arg(const struct sf_http_req *req) {
	return req->query.p ? atoi(sf_arena_cstr(req->arena, req->query)) : 0;
}

static int rig_big(struct sf_http_req *req) {
	int n = rig_arg(req);
	for (int i = 0; i < n; i++) sf_buf_char(&req->out, (char)('a' + i % 23));
	bool json = sf_str_starts(req->path, SF_STR("/bigjson"));
	sf_http_add(req, "ETag", SF_STR("\"abc\""));
	req->type = json ? SF_STR("application/json") : SF_STR("image/png");
	req->status = sf_http_not_modified(req, SF_STR("\"abc\"")) ? 304 : 200;
	return 0;
}

static int rig_route(struct sf_http_req *req) {
	req->status = 200;
	req->type = SF_STR("text/plain");
	if (sf_str_eq(req->path, SF_STR("/hello"))) {
		sf_buf_cstr(&req->out, "hello");
	} else if (sf_str_eq(req->path, SF_STR("/echo")) || sf_str_eq(req->path, SF_STR("/small")) ||
			   sf_str_eq(req->path, SF_STR("/large"))) {
		sf_buf_str(&req->out, req->body);
	} else if (sf_str_starts(req->path, SF_STR("/big"))) {
		return rig_big(req);
	} else if (sf_str_eq(req->path, SF_STR("/sleep"))) {
		atomic_fetch_add(&rig_now->sleeping, 1);
		int err = sf_sleep(rig_arg(req));
		atomic_fetch_sub(&rig_now->sleeping, 1);
		if (err == SF_ECANCELED) atomic_fetch_add(&rig_now->canceled, 1);
		if (err) return err;
		sf_buf_cstr(&req->out, "slept");
	} else if (sf_str_eq(req->path, SF_STR("/none"))) {
		req->status = 204, req->type = SF_STR_NULL;
	} else if (sf_str_eq(req->path, SF_STR("/close"))) {
		req->close = true;
	} else if (sf_str_eq(req->path, SF_STR("/host"))) {
		sf_buf_str(&req->out, sf_http_header(req, "host"));
	} else if (sf_str_eq(req->path, SF_STR("/fail"))) {
		return -rig_arg(req);
	} else if (sf_str_eq(req->target, SF_STR("*"))) {
		req->status = 204, req->type = SF_STR_NULL;
	} else if (rig_now->files) {
		sf_http_answer_reset(req);
		return sf_static_serve(rig_now->files, req, req->path);
	} else {
		return SF_ENOTFOUND;
	}
	return 0;
}

static const struct sf_http_stage rig_stages[] = { { "route", rig_route }, { 0 } };

static SF_UNUSED void rig_finish(struct sf_http_req *req, int err) {
	atomic_store(&rig_now->last_err, err);
	atomic_fetch_add(&rig_now->finished, 1);
	if (err >= 0) return;
	sf_http_answer_reset(req);
	req->status = sf_err_status(err);
	req->type = SF_STR("application/json");
	sf_buf_printf(&req->out, "{\"code\":\"%s\"}", sf_err_code(err));
}

static void rig_after(struct sf_http_req *req) {
	(void)req;
	atomic_fetch_add(&rig_now->after, 1);
}

/* ---- the server's thread -------------------------------------------------------------------- */

static SF_UNUSED int rig_socket(int *port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 4096), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static void *rig_thread(void *arg) {
	struct rig *r = arg;
	r->loop = sf_loop_new(NULL);
	int fd = rig_socket(&r->port);
	assert_int_equal(sf_http_server_new(r->loop, &r->opts, &r->server), 0);
	assert_int_equal(sf_http_listen(r->server, fd), 0);
	close(fd);
	sem_post(&r->ready);
	sf_loop_run(r->loop);
	r->left = sf_loop_free(r->loop);
	return NULL;
}

/* r->opts may hold limits; the rest is filled here. */
static SF_UNUSED void rig_start(struct rig *r) {
	rig_now = r;
	sf_log_setup(SF_ERROR, 2);
	r->opts.stages = rig_stages;
	r->opts.on_head = rig_on_head;
	r->opts.finish = rig_finish;
	r->opts.after = rig_after;
	sem_init(&r->ready, 0, 0);
	assert_int_equal(pthread_create(&r->thread, NULL, rig_thread, r), 0);
	sem_wait(&r->ready);
}

static void rig_stats_in_loop(void *arg) {
	struct rig *r = arg;
	sf_http_stats(r->server, &r->stats);
	sem_post(&r->ready);
}

static SF_UNUSED struct sf_http_stats rig_stats(struct rig *r) {
	sf_loop_post(r->loop, rig_stats_in_loop, r);
	sem_wait(&r->ready);
	return r->stats;
}

static void rig_drained(void *arg) {
	struct rig *r = arg;
	sf_http_stats(r->server, &r->stats);
	sf_http_server_free(r->server);
}
static void rig_drain_in_loop(void *arg) {
	struct rig *r = arg;
	sf_http_drain(r->server, r->drain_ms, rig_drained, r);
}
static SF_UNUSED void rig_drain(struct rig *r, int64_t ms) {
	r->drain_ms = ms;
	sf_loop_post(r->loop, rig_drain_in_loop, r);
}

/* Waits for the end of a drain and checks that nothing is left of connections, coroutines and handles. */
static SF_UNUSED void rig_join(struct rig *r) {
	pthread_join(r->thread, NULL);
	assert_int_equal(r->left, 0);
	assert_int_equal(r->stats.conns, 0);
	assert_int_equal(r->stats.idle, 0);
	assert_int_equal(r->stats.inflight, 0);
	assert_int_equal(r->stats.accepted, r->stats.closed);
	assert_int_equal(atomic_load(&r->after), r->stats.answered + r->stats.canceled);
	sem_destroy(&r->ready);
}

static SF_UNUSED void rig_stop(struct rig *r) {
	rig_drain(r, 300);
	rig_join(r);
}

enum { RIG_PATIENCE_S = 60 }; /* past this a condition never comes; how fast it comes is not asserted */

/* Waits until cond holds. */
#define RIG_WAIT(cond)                                                                                       \
	do {                                                                                                     \
		int64_t rig_until_ = sf_clock_ns() + RIG_PATIENCE_S * INT64_C(1000000000);                           \
		while (!(cond) && sf_clock_ns() < rig_until_) nanosleep(&(struct timespec) { 0, 2000000 }, NULL);    \
		assert_true(cond);                                                                                   \
	} while (0)

/* ---- the client ----------------------------------------------------------------------------- */

struct peer {
	int fd;
	char *buf;
	size_t n, cap;
	bool closed, reset; /* the server has closed its side */
};
struct answer {
	int status;
	char head[8192];
	char *body; /* the test frees it with answer_free */
	size_t n;
	size_t length; /* Content-Length, SIZE_MAX when there is none */
};

static SF_UNUSED struct peer peer_open(const struct rig *r) {
	struct peer p = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct sockaddr_in in = { .sin_family = AF_INET,
							  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
							  .sin_port = htons((uint16_t)r->port) };
	int one = 1;
	assert_true(p.fd >= 0);
	assert_int_equal(connect(p.fd, (struct sockaddr *)&in, sizeof(in)), 0);
	setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(p.fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval) { .tv_sec = RIG_PATIENCE_S },
			   sizeof(struct timeval));
	return p;
}

static SF_UNUSED void peer_close(struct peer *p) {
	if (p->fd >= 0) close(p->fd);
	free(p->buf);
	*p = (struct peer) { .fd = -1 };
}

static SF_UNUSED bool peer_write(struct peer *p, const void *data, size_t n) {
	for (size_t at = 0; at < n;) {
		ssize_t sent = send(p->fd, (const char *)data + at, n - at, MSG_NOSIGNAL);
		if (sent < 0) return false;
		at += (size_t)sent;
	}
	return true;
}

static SF_UNUSED bool peer_send(struct peer *p, const char *text) {
	return peer_write(p, text, strlen(text));
}

/* Reads something more; false at the end. */
static bool peer_fill(struct peer *p) {
	if (p->closed) return false;
	if (p->cap - p->n < 65536) p->buf = sf_realloc(p->buf, p->cap = p->cap * 2 + 131072);
	ssize_t n = recv(p->fd, p->buf + p->n, p->cap - p->n - 1, 0);
	if (n < 0 && errno == EAGAIN) fail_msg("no answer within ten seconds");
	if (n < 0) p->reset = true;
	if (n <= 0) {
		p->closed = true;
		return false;
	}
	p->n += (size_t)n;
	p->buf[p->n] = 0;
	return true;
}

/* True when the server closes without sending anything more. */
static SF_UNUSED bool peer_ended(struct peer *p) {
	while (p->n == 0 && peer_fill(p)) continue;
	return p->closed && p->n == 0;
}

static SF_UNUSED const char *answer_header(const struct answer *a, const char *name, char *out, size_t n) {
	char key[128];
	snprintf(key, sizeof(key), "\r\n%s: ", name);
	const char *at = strcasestr(a->head, key);
	if (!at) return NULL;
	at += strlen(key);
	snprintf(out, n, "%.*s", (int)strcspn(at, "\r"), at);
	return out;
}

/* Reads one answer; false when the server closed before a whole one. `head_only`: to a HEAD request. */
static SF_UNUSED bool peer_answer(struct peer *p, struct answer *a, bool head_only) {
	char *end, text[64];
	*a = (struct answer) { 0 };
	while (!p->n || !(end = memmem(p->buf, p->n, "\r\n\r\n", 4)))
		if (!peer_fill(p)) return false;
	size_t head = (size_t)(end - p->buf) + 4;
	assert_true(head < sizeof(a->head));
	memcpy(a->head, p->buf, head);
	assert_int_equal(sscanf(a->head, "HTTP/1.1 %d ", &a->status), 1);
	const char *length = answer_header(a, "Content-Length", text, sizeof(text));
	a->length = length ? (size_t)strtoul(length, NULL, 10) : SIZE_MAX;
	bool bodiless = head_only || a->status < 200 || a->status == 204 || a->status == 304;
	assert_true(bodiless || length);
	a->n = bodiless ? 0 : a->length;
	while (p->n < head + a->n)
		if (!peer_fill(p)) return false;
	a->body = sf_malloc(a->n + 1);
	memcpy(a->body, p->buf + head, a->n);
	a->body[a->n] = 0;
	memmove(p->buf, p->buf + head + a->n, p->n - head - a->n);
	p->n -= head + a->n;
	return true;
}

static SF_UNUSED void answer_free(struct answer *a) {
	free(a->body);
	a->body = NULL;
}

/* One request on a connection of its own: its status, 0 when none came. */
static SF_UNUSED int rig_ask(struct rig *r, const char *raw, bool *closed) {
	struct peer p = peer_open(r);
	struct answer a;
	peer_send(&p, raw);
	int status = peer_answer(&p, &a, !strncmp(raw, "HEAD", 4)) ? a.status : 0;
	answer_free(&a);
	if (closed) *closed = peer_ended(&p);
	peer_close(&p);
	return status;
}

#endif
