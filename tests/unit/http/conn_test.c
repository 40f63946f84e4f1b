/* Connections: keep-alive, pipelining, splitting, bodies, the client's departure. */
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void keep_alive(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	for (int i = 0; i < 20; i++) {
		assert_true(peer_send(&p, GET("/hello")));
		assert_true(peer_answer(&p, &a, false));
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, "hello");
		assert_null(strstr(a.head, "Connection:"));
		answer_free(&a);
	}
	struct sf_http_stats st = rig_stats(&r);
	assert_int_equal(st.conns, 1);
	assert_int_equal(st.idle, 1);
	assert_int_equal(st.answered, 20);
	assert_true(st.conn_bytes <= 2048);
	peer_close(&p);
	RIG_WAIT(rig_stats(&r).conns == 0);
	rig_stop(&r);
}

static void http10(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	char text[64];
	for (int i = 0; i < 2; i++) {
		peer_send(&p, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
		assert_true(peer_answer(&p, &a, false));
		assert_string_equal(answer_header(&a, "Connection", text, sizeof(text)), "keep-alive");
		answer_free(&a);
	}
	peer_send(&p, "GET /hello HTTP/1.0\r\n\r\n");
	assert_true(peer_answer(&p, &a, false));
	assert_string_equal(answer_header(&a, "Connection", text, sizeof(text)), "close");
	assert_true(peer_ended(&p));
	answer_free(&a);
	peer_close(&p);
	rig_stop(&r);
}

static void stages_may_close(void **state) {
	(void)state;
	struct rig r = { 0 };
	bool closed;
	rig_start(&r);
	assert_int_equal(rig_ask(&r, GET("/close") GET("/hello"), &closed), 200);
	assert_true(closed);
	rig_stop(&r);
}

static void pipelined(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	char all[16384];
	size_t n = 0;
	for (int i = 0; i < 100; i++)
		n += (size_t)sprintf(all + n, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%03d", i);
	assert_true(peer_write(&p, all, n));
	for (int i = 0; i < 100; i++) {
		char want[16];
		sprintf(want, "%03d", i);
		assert_true(peer_answer(&p, &a, false));
		assert_string_equal(a.body, want);
		answer_free(&a);
	}
	assert_int_equal(rig_stats(&r).requests, 100);
	peer_close(&p);
	rig_stop(&r);
}

/* Requests that suspend and ones that do not, in one write: answers come in the order of the requests. */
static void pipelined_in_order(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	peer_send(&p, GET("/hello") GET("/sleep?30") GET("/hello") GET("/sleep?1") GET("/none") GET("/sleep?0")
					  GET("/big?300000") GET("/hello"));
	static const char *const want[] = { "hello", "slept", "hello", "slept", "", "slept", NULL, "hello" };
	for (size_t i = 0; i < SF_COUNT(want); i++) {
		assert_true(peer_answer(&p, &a, false));
		if (want[i])
			assert_string_equal(a.body ? a.body : "", want[i]);
		else
			assert_int_equal(a.n, 300000);
		answer_free(&a);
	}
	peer_close(&p);
	rig_stop(&r);
}

struct flood {
	struct peer *peer;
	int n;
};
static void *flood(void *arg) {
	struct flood *f = arg;
	for (int i = 0; i < f->n; i++)
		if (!peer_send(f->peer, GET("/hello"))) break;
	return NULL;
}

/* A client that sends far more than is kept for it has to wait, and loses nothing. */
static void pipelined_past_the_limit(void **state) {
	(void)state;
	enum { N = 30000 }; /* about 1 MiB */
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	struct flood f = { &p, N };
	pthread_t t;
	peer_send(&p, GET("/sleep?150"));
	assert_int_equal(pthread_create(&t, NULL, flood, &f), 0);
	for (int i = 0; i <= N; i++) {
		assert_true(peer_answer(&p, &a, false));
		assert_int_equal(a.status, 200);
		answer_free(&a);
	}
	pthread_join(t, NULL);
	assert_int_equal(rig_stats(&r).requests, N + 1);
	peer_close(&p);
	rig_stop(&r);
}

static const char whole[] =
	"POST /echo?x=1 HTTP/1.1\r\nHost: example.com\r\nA: 1\r\nContent-Length: 11\r\n\r\nhello world"
	"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	"6;q=1\r\nhello \r\n5\r\nworld\r\n0\r\nTrailer: v\r\n\r\n"
	"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

static void expect_whole(struct peer *p) {
	struct answer a;
	for (int i = 0; i < 3; i++) {
		assert_true(peer_answer(p, &a, false));
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, i < 2 ? "hello world" : "hello");
		answer_free(&a);
	}
}

/* Cut into two writes at every place; the pause makes them two reads. */
static void split_everywhere(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	for (size_t cut = 1; cut < sizeof(whole) - 1; cut++) {
		uint64_t before = rig_stats(&r).requests;
		peer_write(&p, whole, cut);
		rig_stats(&r); /* a round through the loop: what was sent has been read, or will be before the rest */
		peer_write(&p, whole + cut, sizeof(whole) - 1 - cut);
		expect_whole(&p);
		assert_int_equal(rig_stats(&r).requests, before + 3);
	}
	for (size_t i = 0; i < sizeof(whole) - 1; i++) {
		peer_write(&p, whole + i, 1);
		rig_stats(&r);
	}
	expect_whole(&p);
	peer_close(&p);
	rig_stop(&r);
}

static void large_body(void **state) {
	(void)state;
	enum { N = 5 << 20 };
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	char *body = sf_malloc(N), head[128];
	for (size_t i = 0; i < N; i++) body[i] = (char)('A' + i * 7 % 26);
	sprintf(head, "POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", N);
	for (int i = 0; i < 2; i++) {
		peer_send(&p, head);
		assert_true(peer_write(&p, body, N));
		assert_true(peer_answer(&p, &a, false));
		assert_int_equal(a.n, N);
		assert_memory_equal(a.body, body, N);
		answer_free(&a);
	}
	free(body);
	peer_close(&p);
	rig_stop(&r);
}

static void expect_continue(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	peer_send(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.status, 100);
	answer_free(&a);
	peer_send(&p, "hello");
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "hello");
	answer_free(&a);
	/* the body came along: nothing to invite */
	peer_send(&p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.status, 200);
	answer_free(&a);
	/* refused before the body: no invitation */
	peer_send(&p, "POST /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.status, 415);
	answer_free(&a);
	assert_true(peer_ended(&p));
	peer_close(&p);
	rig_stop(&r);
}

/* A body that is refused early: the client, still sending, reads the answer and an orderly end. */
static void early_refusal_is_readable(void **state) {
	(void)state;
	enum { N = 3 << 20 };
	struct rig r = { 0 };
	rig_start(&r);
	char *body = sf_calloc(1, N);
	struct peer p = peer_open(&r);
	struct answer a;
	peer_send(&p, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n");
	assert_true(peer_write(&p, body, N));
	assert_true(peer_answer(&p, &a, false));
	assert_int_equal(a.status, 413);
	assert_true(peer_ended(&p));
	assert_false(p.reset);
	answer_free(&a);
	peer_close(&p);
	free(body);
	RIG_WAIT(rig_stats(&r).conns == 0);
	rig_stop(&r);
}

static void disconnect_cancels(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	for (int how = 0; how < 3; how++) { /* FIN, RST, FIN behind another request */
		struct peer p = peer_open(&r);
		peer_send(&p, how == 2 ? GET("/sleep?60000") GET("/hello") : GET("/sleep?60000"));
		RIG_WAIT(atomic_load(&r.sleeping) == 1);
		if (how == 1)
			setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &(struct linger) { 1, 0 }, sizeof(struct linger));
		peer_close(&p);
		RIG_WAIT(atomic_load(&r.canceled) == how + 1);
		RIG_WAIT(rig_stats(&r).conns == 0);
		assert_int_equal(atomic_load(&r.last_err), SF_ECANCELED);
	}
	assert_int_equal(rig_stats(&r).canceled, 3);
	assert_int_equal(rig_stats(&r).inflight, 0);
	rig_stop(&r);
}

/* Gone in the middle of a head, of a body, or of reading a large answer. */
static void disconnect_anywhere(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	static const char *const begun[] = {
		"GET /hel",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabc",
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		GET("/big?9000000") GET("/hello"),
		GET("/big?9000000"),
		""
	};
	for (size_t i = 0; i < SF_COUNT(begun) * 2; i++) {
		struct peer p = peer_open(&r);
		peer_send(&p, begun[i / 2]);
		RIG_WAIT(rig_stats(&r).conns == 1);
		if (i % 2) setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &(struct linger) { 1, 0 }, sizeof(struct linger));
		peer_close(&p);
		RIG_WAIT(rig_stats(&r).conns == 0);
	}
	assert_int_equal(rig_stats(&r).inflight, 0);
	rig_stop(&r);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keep_alive),         cmocka_unit_test(http10),
		cmocka_unit_test(stages_may_close),   cmocka_unit_test(pipelined),
		cmocka_unit_test(pipelined_in_order), cmocka_unit_test(pipelined_past_the_limit),
		cmocka_unit_test(split_everywhere),   cmocka_unit_test(large_body),
		cmocka_unit_test(expect_continue),    cmocka_unit_test(early_refusal_is_readable),
		cmocka_unit_test(disconnect_cancels), cmocka_unit_test(disconnect_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
