/* A server that misbehaves as it is told, for the tests of the outgoing client: threads that block, one a connection.
 *
 *   /ok "ok"                /echo request line, headers and body      /status?503 that status
 *   /flaky?n  the first n are 503        /later?s  429 with Retry-After: s, then 200    /drop?n  the first n are closed, then 200
 *   /mute never answers     /slow-head, /slow-body  one byte, then nothing              /half  closes amid the body
 *   /big?n  n bytes without a length     /long?n  says Content-Length: n, sends nothing more
 *   /head?n  headers of n bytes          /reset  RST                   /once  closes a connection used before without an answer
 *   /to?code=URL  redirects              /loop  redirects to itself    /hints  103, then 200 */
#ifndef TESTS_HTTP_CLIENT_SERVER_H
#define TESTS_HTTP_CLIENT_SERVER_H

#include "core/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
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

#define SERVER_CONNS 512

static struct server {
	int fd, port;
	pthread_t thread;
	pthread_mutex_t lock;
	int open[SERVER_CONNS]; /* sockets, -1: free */
	atomic_int live, conns, requests, flaky;
} server;

struct served {
	int fd, nth; /* of its connection */
	char head[16384], *path, *query, *body;
	size_t body_n;
};

static void say(int fd, const void *p, size_t n) {
	for (size_t at = 0; at < n;) {
		ssize_t k = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
		if (k <= 0) return;
		at += (size_t)k;
	}
}

/* The text is a body, or "\nHeader: value\n\nbody". */
static SF_PRINTF(3, 4) void answer(int fd, int status, const char *fmt, ...) {
	char body[20000], head[20000];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(body, sizeof(body), fmt, ap);
	va_end(ap);
	char *text = body + (body[0] == '\n'), *split = NULL, lines[8192] = "";
	if (body[0] == '\n' && (split = strstr(text, "\n\n"))) {
		size_t k = 0;
		for (char *c = text; c <= split; c++) {
			if (*c == '\n') lines[k++] = '\r';
			lines[k++] = *c;
		}
		lines[k] = 0;
		text = split + 2;
	}
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status,
					 strlen(text), lines, text);
	say(fd, head, (size_t)n);
}

/* Until the client hangs up, ten seconds at most. */
static void wait_for_end(int fd) {
	char c[512];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	while (poll(&p, 1, 10000) > 0 && recv(fd, c, sizeof(c), 0) > 0) continue;
}

static bool is(const struct served *s, const char *path) {
	return strcmp(s->path, path) == 0;
}

static bool serve_redirect(struct served *s) {
	char *to = strchr(s->query, '=');
	if (is(s, "/loop")) {
		answer(s->fd, 302, "\nLocation: /loop\n\nloop");
	} else if (is(s, "/to") && to) {
		*to++ = 0;
		answer(s->fd, atoi(s->query), "\nLocation: %s\n\nelsewhere", to);
	} else {
		return false;
	}
	return true;
}

static bool serve_repeats(struct served *s) {
	int n = atoi(s->query);
	if (is(s, "/flaky")) {
		bool bad = atomic_fetch_add(&server.flaky, 1) < n;
		answer(s->fd, bad ? 503 : 200, bad ? "bad" : "good");
	} else if (is(s, "/later")) {
		if (atomic_fetch_add(&server.flaky, 1) == 0)
			answer(s->fd, 429, "\nRetry-After: %d\n\nbusy", n);
		else
			answer(s->fd, 200, "good");
	} else if (is(s, "/drop")) {
		if (atomic_fetch_add(&server.flaky, 1) < n)
			shutdown(s->fd, SHUT_RDWR);
		else
			answer(s->fd, 200, "good");
	} else if (is(s, "/once")) {
		if (s->nth > 1)
			shutdown(s->fd, SHUT_RDWR);
		else
			answer(s->fd, 200, "once");
	} else {
		return false;
	}
	return true;
}

static void serve_stream(struct served *s) {
	char chunk[4096];
	size_t n = (size_t)atoi(s->query);
	memset(chunk, 'x', sizeof(chunk));
	const char *head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
	say(s->fd, head, strlen(head));
	for (size_t at = 0; at < n; at += sizeof(chunk))
		say(s->fd, chunk, n - at < sizeof(chunk) ? n - at : sizeof(chunk));
	shutdown(s->fd, SHUT_RDWR);
}

static bool serve_badly(struct served *s) {
	char text[32768];
	int n = atoi(s->query);
	if (is(s, "/mute")) {
		wait_for_end(s->fd);
	} else if (is(s, "/slow-head")) {
		say(s->fd, "HTTP/1.1 200 OK\r\nA: ", 20);
		wait_for_end(s->fd);
	} else if (is(s, "/slow-body")) {
		say(s->fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na", 39);
		wait_for_end(s->fd);
	} else if (is(s, "/half")) {
		say(s->fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na", 39);
		shutdown(s->fd, SHUT_RDWR);
	} else if (is(s, "/long")) {
		say(s->fd, text,
			(size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", n));
		if (s->head[0] != 'H') wait_for_end(s->fd);
	} else if (is(s, "/head")) {
		say(s->fd, "HTTP/1.1 200 OK\r\n", 17);
		for (int at = 0; at < n; at += 100) {
			snprintf(text, sizeof(text), "X-%04d: %090d\r\n", at / 100, 0);
			say(s->fd, text, strlen(text));
		}
		say(s->fd, "Content-Length: 0\r\n\r\n", 21);
	} else if (is(s, "/reset")) {
		struct linger hard = { 1, 0 };
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		return false;
	} else {
		return false;
	}
	return true;
}

/* false: the connection is to be closed */
static bool serve(struct served *s) {
	atomic_fetch_add(&server.requests, 1);
	if (serve_redirect(s) || serve_repeats(s) || serve_badly(s)) return true;
	if (is(s, "/reset")) return false;
	if (is(s, "/ok")) {
		answer(s->fd, 200, "ok");
	} else if (is(s, "/none")) {
		say(s->fd, "HTTP/1.1 204 No\r\n\r\n", 19);
	} else if (is(s, "/hints")) {
		say(s->fd, "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n", 34);
		answer(s->fd, 200, "\nX-Two: 1\nX-Two: 2\n\nhinted");
	} else if (is(s, "/status")) {
		answer(s->fd, atoi(s->query), "status");
	} else if (is(s, "/big")) {
		serve_stream(s);
	} else if (is(s, "/echo")) {
		answer(s->fd, 200, "%s|%.*s", s->head, (int)s->body_n, s->body ? s->body : "");
	} else {
		answer(s->fd, 404, "nothing");
	}
	return true;
}

/* Reads one request; false at the end of the connection. Its head is text without the body; HEAD is answered as GET without a
 * body, which only /ok of this server can do, so tests use it there. */
static bool read_request(struct served *s, char *buf, size_t cap, size_t *have) {
	char *end;
	while (!(end = *have ? memmem(buf, *have, "\r\n\r\n", 4) : NULL)) {
		ssize_t n = *have < cap ? recv(s->fd, buf + *have, cap - *have, 0) : 0;
		if (n <= 0) return false;
		*have += (size_t)n;
	}
	size_t head = (size_t)(end - buf) + 4;
	snprintf(s->head, sizeof(s->head), "%.*s", (int)(head - 2), buf);
	const char *length = strcasestr(s->head, "\r\nContent-Length: ");
	s->body_n = length ? strtoul(length + 18, NULL, 10) : 0;
	while (*have < head + s->body_n) {
		ssize_t n = recv(s->fd, buf + *have, cap - *have, 0);
		if (n <= 0) return false;
		*have += (size_t)n;
	}
	s->body = buf + head;
	return true;
}

static void *connection(void *arg) {
	int slot = (int)(intptr_t)arg;
	struct served *s = sf_calloc(1, sizeof(*s));
	size_t cap = 1 << 16, have = 0;
	char *buf = sf_malloc(cap), line[8192];
	s->fd = server.open[slot];
	while (read_request(s, buf, cap, &have)) {
		s->nth++;
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(s->head, "\r"), s->head);
		s->path = strchr(line, ' ') + 1;
		*strrchr(line, ' ') = 0;
		s->query = strchr(s->path, '?');
		if (s->query)
			*s->query++ = 0;
		else
			s->query = s->path + strlen(s->path);
		size_t used = (size_t)(s->body - buf) + s->body_n;
		if (!serve(s)) break;
		memmove(buf, buf + used, have - used);
		have -= used;
	}
	pthread_mutex_lock(&server.lock);
	close(s->fd);
	server.open[slot] = -1;
	pthread_mutex_unlock(&server.lock);
	free(buf);
	free(s);
	atomic_fetch_sub(&server.live, 1);
	return NULL;
}

static void *accepting(void *arg) {
	(void)arg;
	for (int fd; (fd = accept(server.fd, NULL, NULL)) >= 0;) {
		pthread_t t;
		int slot = 0;
		pthread_mutex_lock(&server.lock);
		while (slot < SERVER_CONNS && server.open[slot] >= 0) slot++;
		SF_BUG_ON(slot == SERVER_CONNS);
		server.open[slot] = fd;
		pthread_mutex_unlock(&server.lock);
		atomic_fetch_add(&server.conns, 1);
		atomic_fetch_add(&server.live, 1);
		SF_BUG_ON(pthread_create(&t, NULL, connection, (void *)(intptr_t)slot) != 0);
		pthread_detach(t);
	}
	return NULL;
}

static int server_start(void **state) {
	(void)state;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	sf_log_setup(SF_ERROR, 2);
	pthread_mutex_init(&server.lock, NULL);
	for (int i = 0; i < SERVER_CONNS; i++) server.open[i] = -1;
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server.fd, (struct sockaddr *)&in, sizeof(in)) || listen(server.fd, 1024) ||
		getsockname(server.fd, (struct sockaddr *)&in, &n))
		return -1;
	server.port = ntohs(in.sin_port);
	return pthread_create(&server.thread, NULL, accepting, NULL);
}

static int server_stop(void **state) {
	(void)state;
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
	pthread_mutex_lock(&server.lock);
	for (int i = 0; i < SERVER_CONNS; i++)
		if (server.open[i] >= 0) shutdown(server.open[i], SHUT_RDWR);
	pthread_mutex_unlock(&server.lock);
	for (int i = 0; i < 5000 && atomic_load(&server.live); i++)
		nanosleep(&(struct timespec) { 0, 2000000 }, NULL);
	return atomic_load(&server.live);
}

static int server_reset_counts(void **state) {
	(void)state;
	atomic_store(&server.conns, 0);
	atomic_store(&server.requests, 0);
	atomic_store(&server.flaky, 0);
	return 0;
}

/* ---- a loop with a client ------------------------------------------------------------------------- */

static struct rig {
	struct sf_loop *loop;
	struct sf_client *client;
	struct sf_arena *arena;
	void (*body)(void);
	struct sf_fetched got;
	struct sf_str why;
} rig;

static void rig_body(void *arg) {
	(void)arg;
	rig.body();
}
static void rig_begin(void) {
	rig.loop = sf_loop_new(NULL);
	rig.arena = sf_arena_new(0);
	assert_int_equal(sf_client_new(rig.loop, &rig.client), 0);
}
/* Nothing may be left: no handle, no coroutine, no turn taken at a host. */
static void rig_end(void) {
	struct sf_client_stats st;
	sf_client_stats(rig.client, &st);
	assert_int_equal(st.active, 0);
	assert_int_equal(st.waiting, 0);
	sf_client_free(rig.client);
	sf_loop_run(rig.loop);
	sf_arena_free(rig.arena);
	assert_int_equal(sf_loop_free(rig.loop), 0);
}
/* Runs body in a coroutine of a fresh loop with a fresh client. */
static void rig_run(void (*body)(void)) {
	rig_begin();
	rig.body = body;
	assert_int_equal(sf_co_start(rig.loop, rig_body, NULL, NULL), 0);
	sf_loop_run(rig.loop);
	rig_end();
}

static SF_UNUSED struct sf_str url(const char *path) {
	return sf_arena_printf(rig.arena, "http://127.0.0.1:%d%s", server.port, path);
}

static int fetch(const struct sf_fetch *in) {
	rig.got = (struct sf_fetched) { 0 };
	return sf_fetch(rig.client, in, rig.arena, &rig.got, &rig.why);
}
#define FETCH(path_, ...) fetch(&(struct sf_fetch) { .url = url(path_), __VA_ARGS__ })

static SF_UNUSED int64_t ms_since(int64_t ns) {
	return (sf_clock_ns() - ns) / 1000000;
}

static SF_UNUSED struct sf_client_stats stats(void) {
	struct sf_client_stats st;
	sf_client_stats(rig.client, &st);
	return st;
}

#endif
