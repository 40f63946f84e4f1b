/* The server as a whole: deadlines, overload, draining, thousands of slow clients, recycling. */
#include "rig.h"

#include <malloc.h>
#include <sys/resource.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* ---- deadlines ------------------------------------------------------------------------------ */

static void slow_head(void **state) {
	(void)state;
	struct rig r = { .opts = { .head_ms = 100 } };
	rig_start(&r);
	int64_t from = sf_clock_ns(); /* the first byte is not waited for */
	struct peer p = peer_open(&r);
	struct answer a;
	peer_send(&p, "G");
	while (sf_clock_ns() - from < 60 * INT64_C(1000000))
		rig_stats(&r); /* what comes later does not extend the time */
	peer_send(&p, "ET /hello HTTP/1.1\r\nHost");
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.status, 408);
	assert_true(sf_clock_ns() - from >= 90 * INT64_C(1000000));
	assert_true(peer_ended(&p));
	answer_free(&a);
	peer_close(&p);
	assert_int_equal(rig_stats(&r).timeouts, 1);
	rig_stop(&r);
}

static void slow_body(void **state) {
	(void)state;
	struct rig r = { .opts = { .body_ms = 100 } };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	peer_send(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.status, 408);
	assert_true(peer_ended(&p));
	answer_free(&a);
	peer_close(&p);
	rig_stop(&r);
}

/* One that was used waits idle_ms, one that never said anything head_ms. */
static void idle_connection(void **state) {
	(void)state;
	static const struct {
		int64_t head_ms, idle_ms;
		bool used_first;
	} rows[] = { { 100, 60000, false }, { 60000, 100, true } };
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct rig r = { .opts = { .head_ms = rows[i].head_ms, .idle_ms = rows[i].idle_ms } };
		rig_start(&r);
		int64_t from = sf_clock_ns();
		struct peer fresh = peer_open(&r), used = peer_open(&r);
		struct peer *first = rows[i].used_first ? &used : &fresh, *other = first == &used ? &fresh : &used;
		struct answer a;
		peer_send(&used, GET("/hello"));
		assert_true(peer_answer(&used, &a, false));
		answer_free(&a);
		RIG_WAIT(rig_stats(&r).conns == 1 || rig_stats(&r).idle == 2);
		assert_true(peer_ended(first)); /* without a word: nothing was asked */
		assert_true(!first->reset && sf_clock_ns() - from >= 90 * INT64_C(1000000));
		peer_send(other, GET("/hello"));
		assert_true(peer_answer(other, &a, false));
		assert_int_equal(a.status, 200);
		answer_free(&a);
		assert_int_equal(rig_stats(&r).timeouts, !rows[i].used_first);
		peer_close(&fresh);
		peer_close(&used);
		RIG_WAIT(rig_stats(&r).idle == 0);
		rig_stop(&r);
	}
}

static void slow_stage(void **state) {
	(void)state;
	struct rig r = { .opts = { .request_ms = 100 } };
	rig_start(&r);
	assert_int_equal(rig_ask(&r, GET("/sleep?60000"), NULL), 503);
	assert_int_equal(atomic_load(&r.last_err), SF_EDEADLINE);
	rig_stop(&r);
}

/* A client that asks for much and reads nothing is let go, with the memory of its answer. */
static void client_that_does_not_read(void **state) {
	(void)state;
	struct rig r = { .opts = { .body_ms = 200 } };
	rig_start(&r);
	struct peer p = peer_open(&r);
	peer_send(&p, GET("/big?30000000"));
	RIG_WAIT(rig_stats(&r).timeouts == 1);
	RIG_WAIT(rig_stats(&r).conns == 0);
	peer_close(&p);
	rig_stop(&r);
}

static void client_that_reads_slowly(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	int small = 128 << 10;
	setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	struct answer a;
	peer_send(&p, GET("/big?8000000") GET("/hello"));
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.n, 8000000);
	for (size_t i = 0; i < a.n; i += 4099) assert_int_equal(a.body[i], 'a' + i % 23);
	answer_free(&a);
	assert_true(peer_answer(&p, &a, false));
	assert_string_equal(a.body, "hello");
	answer_free(&a);
	peer_close(&p);
	rig_stop(&r);
}

/* ---- overload ------------------------------------------------------------------------------- */

static void too_many_in_flight(void **state) {
	(void)state;
	struct rig r = { .opts = { .max_inflight = 2 } };
	rig_start(&r);
	struct peer busy[2] = { peer_open(&r), peer_open(&r) }, p = peer_open(&r);
	struct answer a;
	char text[64];
	for (int i = 0; i < 2; i++) peer_send(&busy[i], GET("/sleep?60000"));
	RIG_WAIT(atomic_load(&r.sleeping) == 2);
	for (int i = 0; i < 5; i++) {
		peer_send(&p, GET("/hello"));
		assert_true(peer_answer(&p, &a, false));
		assert_int_equal(atomic_load(&r.sleeping), 2); /* it did not wait for them */
		assert_int_equal(a.status, 503);
		assert_string_equal(answer_header(&a, "Retry-After", text, sizeof(text)), "1");
		answer_free(&a);
	}
	assert_int_equal(rig_stats(&r).overloaded, 5);
	peer_close(&busy[0]);
	RIG_WAIT(rig_stats(&r).inflight == 1);
	peer_send(&p, GET("/hello")); /* the same connection is served again */
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.status, 200);
	answer_free(&a);
	peer_close(&busy[1]);
	peer_close(&p);
	rig_stop(&r);
}

/* Out of descriptors: waiting connections are closed instead of waiting in vain, and service goes on after. */
static void out_of_descriptors(void **state) {
	(void)state;
	enum { N = 60, ROOM = 10 };
	struct rig r = { 0 };
	rig_start(&r);
	struct sockaddr_in in = { .sin_family = AF_INET,
							  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
							  .sin_port = htons((uint16_t)r.port) };
	struct rlimit before, low;
	int fds[N], served = 0;
	for (int i = 0; i < N; i++) fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = (rlim_t)fds[N - 1] + 1 + ROOM;
	setrlimit(RLIMIT_NOFILE, &low);
	for (int i = 0; i < N; i++) assert_int_equal(connect(fds[i], (struct sockaddr *)&in, sizeof(in)), 0);
	for (int i = 0; i < N; i++) {
		char one[16];
		static const char ask[] = GET("/hello");
		send(fds[i], ask, sizeof(ask) - 1, MSG_NOSIGNAL);
		served += recv(fds[i], one, sizeof(one), 0) ==
				  sizeof(one); /* an answer, an end or a reset, but not silence */
	}
	assert_in_range(served, 1, N - 1);
	setrlimit(RLIMIT_NOFILE, &before);
	for (int i = 0; i < N; i++) close(fds[i]);
	assert_int_equal(rig_ask(&r, GET("/hello"), NULL), 200);
	rig_stop(&r);
}

/* Thousands of clients that never finish a request cost the others nothing. */
static void slow_loris(void **state) {
	(void)state;
	enum { N = 2000 };
	struct rlimit rl;
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	struct rig r = { .opts = { .head_ms = 4000 } };
	rig_start(&r);
	struct peer *slow = sf_calloc(N, sizeof(*slow)), p;
	struct answer a;
	size_t heap = mallinfo2().uordblks;
	for (int i = 0; i < N; i++) {
		slow[i] = peer_open(&r);
		peer_send(&slow[i], i % 2 ? "GET /hello" : "GET /hello HTTP/1.1\r\nA: b\r\nC");
	}
	RIG_WAIT(rig_stats(&r).conns == N && rig_stats(&r).idle == 0);
	assert_true(mallinfo2().uordblks - heap < (size_t)N * 2048); /* no buffer each */
	p = peer_open(&r);
	for (int i = 0; i < 500; i++) {
		if (!peer_send(&slow[i], "x")) continue;
		peer_send(&p, GET("/hello"));
		assert_true(peer_answer(&p, &a, false));
		assert_int_equal(a.status, 200);
		answer_free(&a);
	}
	RIG_WAIT(rig_stats(&r).timeouts == N); /* each at its own time, and all of them */
	for (int i = 0; i < N; i++) {
		assert_true(peer_answer(&slow[i], &a, false));
		assert_int_equal(a.status, 408);
		answer_free(&a);
		peer_close(&slow[i]);
	}
	free(slow);
	peer_close(&p);
	RIG_WAIT(rig_stats(&r).conns == 0);
	rig_stop(&r);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void drain_finishes_what_it_has(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer busy = peer_open(&r), idle = peer_open(&r), forgotten = peer_open(&r);
	struct answer a;
	char text[64];
	peer_send(&busy, GET("/sleep?200"));
	RIG_WAIT(atomic_load(&r.sleeping) == 1);
	RIG_WAIT(rig_stats(&r).conns == 3);
	rig_drain(&r, 10000);
	RIG_WAIT(rig_stats(&r).conns == 3);
	struct sockaddr_in in = { .sin_family = AF_INET,
							  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
							  .sin_port = htons((uint16_t)r.port) };
	int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	RIG_WAIT(connect(late, (struct sockaddr *)&in, sizeof(in)) != 0); /* nobody listens any more */
	close(late);
	peer_send(&idle, GET("/hello")); /* one last request is served */
	assert_true(peer_answer(&idle, &a, false));
	assert_int_equal(a.status, 200);
	assert_string_equal(answer_header(&a, "Connection", text, sizeof(text)), "close");
	answer_free(&a);
	assert_true(peer_ended(&idle));
	assert_true(peer_answer(&busy, &a, false));
	assert_string_equal(a.body, "slept");
	answer_free(&a);
	assert_true(peer_ended(&busy));
	assert_true(peer_ended(&forgotten)); /* one that stays silent does not hold the drain up to its limit */
	assert_false(idle.reset || busy.reset || forgotten.reset);
	peer_close(&idle);
	peer_close(&busy);
	peer_close(&forgotten);
	rig_join(&r);
	assert_int_equal(r.stats.canceled, 0);
}

static void drain_cuts_off_at_its_limit(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer busy = peer_open(&r), half = peer_open(&r);
	struct answer a;
	peer_send(&busy, GET("/sleep?60000"));
	peer_send(&half, "GET /hel");
	RIG_WAIT(atomic_load(&r.sleeping) == 1);
	rig_drain(&r, 100);
	assert_true(peer_answer(&busy, &a, false));
	assert_int_equal(a.status, 503);
	assert_int_equal(atomic_load(&r.last_err), SF_EDRAINING);
	answer_free(&a);
	assert_true(peer_ended(&busy));
	assert_true(peer_ended(&half));
	peer_close(&busy);
	peer_close(&half);
	rig_join(&r);
}

static void drain_of_nothing(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	rig_stop(&r);
}

static atomic_int recycled;
static void on_recycle(void *arg) {
	(void)arg;
	atomic_fetch_add(&recycled, 1);
}

static void recycles_once(void **state) {
	(void)state;
	struct rig r = { .opts = { .max_requests = 100, .on_recycle = on_recycle } };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	for (int i = 1; i <= 300; i++) {
		peer_send(&p, GET("/hello"));
		assert_true(peer_answer(&p, &a, false));
		answer_free(&a);
		if (i < 90) assert_int_equal(atomic_load(&recycled), 0);
		if (i == 111) RIG_WAIT(atomic_load(&recycled) == 1);
	}
	assert_int_equal(atomic_load(&recycled), 1);
	peer_close(&p);
	rig_stop(&r);
}

/* Connections that come, ask and reset leave nothing behind [APP-3]. */
static void churn(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	for (int i = 0; i < 3000; i++) {
		struct peer p = peer_open(&r);
		struct answer a;
		peer_send(&p, i % 5 == 1 ? GET("/sleep?5") : GET("/hello"));
		if (i % 3 == 0) {
			if (peer_answer(&p, &a, false)) answer_free(&a);
		}
		if (i % 2) setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &(struct linger) { 1, 0 }, sizeof(struct linger));
		peer_close(&p);
	}
	RIG_WAIT(rig_stats(&r).conns == 0);
	struct sf_http_stats st = rig_stats(&r);
	assert_int_equal(st.accepted, st.closed);
	assert_int_equal(st.inflight, 0);
	assert_int_equal(st.idle, 0);
	rig_stop(&r);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_head),
		cmocka_unit_test(slow_body),
		cmocka_unit_test(idle_connection),
		cmocka_unit_test(slow_stage),
		cmocka_unit_test(client_that_does_not_read),
		cmocka_unit_test(client_that_reads_slowly),
		cmocka_unit_test(too_many_in_flight),
		cmocka_unit_test(out_of_descriptors),
		cmocka_unit_test(slow_loris),
		cmocka_unit_test(drain_finishes_what_it_has),
		cmocka_unit_test(drain_cuts_off_at_its_limit),
		cmocka_unit_test(drain_of_nothing),
		cmocka_unit_test(recycles_once),
		cmocka_unit_test(churn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
