/* admit: who may stay at the limits of connections, and who gives way. */
#include "rig.h"

#include "http/internal.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* What the server says to a request on p; 0: it closed. */
static int ask(struct peer *p, const char *raw) {
	struct answer a;
	int status = peer_send(p, raw) && peer_answer(p, &a, false) ? a.status : 0;
	if (status) answer_free(&a);
	return status;
}

static void wait_ms(int64_t ms) {
	nanosleep(&(struct timespec) { ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* ---- all ------------------------------------------------------------------------------------- */

/* However many silent connections there are, a new client is served at once, and they are closed oldest first. */
static void silent_ones_give_way(void **state) {
	(void)state;
	enum { N = 40, MAX = 8 };
	struct rig r = { .opts = { .max_conns = MAX } };
	rig_start(&r);
	struct peer silent[N];
	for (int i = 0; i < N; i++) {
		silent[i] = peer_open(&r);
		RIG_WAIT(rig_stats(&r).accepted == (uint64_t)i + 1);
	}
	struct sf_http_stats st = rig_stats(&r);
	assert_int_equal(st.conns, MAX);
	assert_int_equal(st.idle, MAX);
	assert_int_equal(st.evicted, N - MAX);
	for (int i = 0; i < N - MAX; i++) assert_true(peer_ended(&silent[i]));
	struct peer p = peer_open(&r);
	assert_int_equal(ask(&p, GET("/hello")), 200);
	assert_true(peer_ended(&silent[N - MAX]));
	assert_int_equal(ask(&silent[N - MAX + 1], GET("/hello")), 200); /* one that speaks after all */
	assert_int_equal(rig_stats(&r).overloaded, 0);
	for (int i = 0; i < N; i++) peer_close(&silent[i]);
	peer_close(&p);
	rig_stop(&r);
}

/* Of those between requests, the one that has waited longest. */
static void idle_ones_give_way(void **state) {
	(void)state;
	enum { MAX = 4 };
	struct rig r = { .opts = { .max_conns = MAX } };
	rig_start(&r);
	struct peer in[MAX], more[2];
	static const int order[MAX] = { 2, 0, 3, 1 }; /* of their last requests */
	for (int i = 0; i < MAX; i++) {
		in[i] = peer_open(&r);
		assert_int_equal(ask(&in[i], GET("/hello")), 200);
	}
	for (int i = 0; i < MAX; i++) {
		wait_ms(5);
		assert_int_equal(ask(&in[order[i]], GET("/hello")), 200);
	}
	for (int i = 0; i < 2; i++) {
		more[i] = peer_open(&r);
		assert_int_equal(ask(&more[i], GET("/hello")), 200);
		assert_true(peer_ended(&in[order[i]]));
	}
	assert_int_equal(ask(&in[order[2]], GET("/hello")), 200);
	assert_int_equal(ask(&in[order[3]], GET("/hello")), 200);
	assert_int_equal(rig_stats(&r).evicted, 2);
	for (int i = 0; i < MAX; i++) peer_close(&in[i]);
	for (int i = 0; i < 2; i++) peer_close(&more[i]);
	rig_stop(&r);
}

/* Whoever has been without a whole head for a second goes before one that waits between requests, however long; a younger one
 * goes after it. */
static void the_order_of_kinds(void **state) {
	(void)state;
	struct rig r = { .opts = { .max_conns = 3 } };
	rig_start(&r);
	struct peer used = peer_open(&r), silent = peer_open(&r), half = peer_open(&r), p[3];
	assert_int_equal(ask(&used, GET("/hello")), 200);
	peer_send(&half, "GET /hel");
	RIG_WAIT(rig_stats(&r).idle == 2);
	p[0] = peer_open(&r); /* silent and half are younger than a second */
	assert_int_equal(ask(&p[0], GET("/hello")), 200);
	assert_true(peer_ended(&used));
	wait_ms(1100);
	p[1] = peer_open(&r);
	assert_int_equal(ask(&p[1], GET("/hello")), 200);
	assert_true(peer_ended(&silent));
	p[2] = peer_open(&r);
	assert_int_equal(ask(&p[2], GET("/hello")), 200);
	assert_true(peer_ended(&half));
	assert_int_equal(ask(&p[0], GET("/hello")), 200);
	assert_int_equal(rig_stats(&r).evicted, 3);
	peer_close(&used);
	peer_close(&silent);
	peer_close(&half);
	for (int i = 0; i < 3; i++) peer_close(&p[i]);
	rig_stop(&r);
}

/* Where every connection has a request, new ones hear 503 at once. */
static void busy_ones_stay(void **state) {
	(void)state;
	struct rig r = { .opts = { .max_conns = 3 } };
	rig_start(&r);
	struct peer in[3];
	struct answer a;
	char text[64];
	for (int i = 0; i < 3; i++) {
		in[i] = peer_open(&r);
		peer_send(&in[i], i < 2 ? GET("/sleep?60000")
								: "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
	}
	RIG_WAIT(atomic_load(&r.sleeping) == 2 && rig_stats(&r).idle == 0);
	for (int i = 0; i < 20; i++) {
		struct peer p = peer_open(&r);
		peer_send(&p, GET("/hello"));
		assert_true(peer_answer(&p, &a, false));
		assert_int_equal(a.status, 503);
		assert_string_equal(answer_header(&a, "Retry-After", text, sizeof(text)), "1");
		assert_non_null(strstr(a.body, "\"code\":\"overloaded\""));
		assert_true(peer_ended(&p));
		assert_false(p.reset);
		answer_free(&a);
		peer_close(&p);
	}
	struct sf_http_stats st = rig_stats(&r);
	assert_true(st.conns == 3 && st.evicted == 0 && st.overloaded == 20);
	assert_int_equal(ask(&in[2], "123456789"), 200); /* it had its time */
	peer_close(&in[0]);
	RIG_WAIT(rig_stats(&r).conns == 2);
	assert_int_equal(rig_ask(&r, GET("/hello"), NULL), 200);
	for (int i = 0; i < 3; i++) peer_close(&in[i]);
	rig_stop(&r);
}

static sem_t held, go_on;
static void hold(void *arg) {
	(void)arg;
	sem_post(&held);
	sem_wait(&go_on);
}

/* A request that has arrived is answered, even if a new connection is accepted before it is read. */
static void one_with_a_request_stays(void **state) {
	(void)state;
	struct rig r = { .opts = { .max_conns = 2 } };
	rig_start(&r);
	sem_init(&held, 0, 0), sem_init(&go_on, 0, 0);
	for (int i = 0; i < 5; i++) {
		struct peer old = peer_open(&r), young = peer_open(&r);
		assert_int_equal(ask(&old, GET("/hello")), 200);
		wait_ms(5);
		assert_int_equal(ask(&young, GET("/hello")), 200);
		sf_loop_post(r.loop, hold, NULL);
		sem_wait(&held);
		struct peer late = peer_open(&r);
		peer_send(&late, GET("/hello"));
		peer_send(&old, GET("/hello")); /* the server sees both at once */
		sem_post(&go_on);
		struct answer a;
		assert_true(peer_answer(&old, &a, false));
		assert_int_equal(a.status, 200);
		answer_free(&a);
		assert_true(peer_answer(&late, &a, false));
		assert_int_equal(a.status, 200);
		answer_free(&a);
		assert_true(peer_ended(&young));
		peer_close(&old), peer_close(&young), peer_close(&late);
		RIG_WAIT(rig_stats(&r).conns == 0);
	}
	sem_destroy(&held), sem_destroy(&go_on);
	rig_stop(&r);
}

/* ---- of one address --------------------------------------------------------------------------- */

static void an_address_holds_so_many(void **state) {
	(void)state;
	struct rig r = { .opts = { .address_conns = 2 } };
	rig_start(&r);
	struct peer in[2] = { peer_open(&r), peer_open(&r) };
	for (int i = 0; i < 2; i++) assert_int_equal(ask(&in[i], GET("/hello")), 200);
	for (int i = 0; i < 3; i++) {
		bool closed = false;
		assert_int_equal(rig_ask(&r, GET("/hello"), &closed), 503);
		assert_true(closed);
	}
	for (int i = 0; i < 2; i++) assert_int_equal(ask(&in[i], GET("/hello")), 200);
	struct sf_http_stats st = rig_stats(&r);
	assert_true(st.crowded == 3 && st.evicted == 0 && st.conns == 2);
	peer_close(&in[0]);
	RIG_WAIT(rig_stats(&r).conns == 1);
	assert_int_equal(rig_ask(&r, GET("/hello"), NULL), 200);
	peer_close(&in[1]);
	RIG_WAIT(rig_stats(&r).conns == 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(rig_ask(&r, GET("/hello"), NULL), 200); /* it is forgotten */
	rig_stop(&r);
}

static bool loopback(struct sf_str peer) {
	return sf_str_starts(peer, SF_STR("127."));
}

static void a_proxy_holds_any_number(void **state) {
	(void)state;
	struct rig r = { .opts = { .address_conns = 2, .uncounted = loopback } };
	rig_start(&r);
	struct peer in[5];
	for (int i = 0; i < 5; i++) in[i] = peer_open(&r);
	for (int i = 0; i < 5; i++) assert_int_equal(ask(&in[i], GET("/hello")), 200);
	assert_int_equal(rig_stats(&r).crowded, 0);
	for (int i = 0; i < 5; i++) peer_close(&in[i]);
	rig_stop(&r);
}

static struct sockaddr_storage address(const char *text) {
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	return ss;
}

static void which_addresses_are_one(void **state) {
	(void)state;
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "::ffff:192.0.2.2", "::ffff:192.0.2.1", false },
		{ "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true },
		{ "2001:db8:0:1::1", "2001:db8:0:2::1", false },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sockaddr_storage a = address(rows[i].a), b = address(rows[i].b);
		unsigned char ka[16], kb[16];
		assert_true(sf_http__address_key(&a, ka) && sf_http__address_key(&b, kb));
		if ((memcmp(ka, kb, 16) == 0) != rows[i].same) fail_msg("%s, %s", rows[i].a, rows[i].b);
	}
	struct sockaddr_storage none = { .ss_family = AF_UNIX };
	unsigned char key[16];
	assert_false(sf_http__address_key(&none, key));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_ones_give_way),     cmocka_unit_test(idle_ones_give_way),
		cmocka_unit_test(the_order_of_kinds),       cmocka_unit_test(busy_ones_stay),
		cmocka_unit_test(one_with_a_request_stays), cmocka_unit_test(an_address_holds_so_many),
		cmocka_unit_test(a_proxy_holds_any_number), cmocka_unit_test(which_addresses_are_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
