/* Fetching from a server on loopback that misbehaves as it is told. */
#include "http/client_server.h"

#include "http/client.h"

static bool has(struct sf_str s, const char *part) {
	return s.n && memmem(s.p, s.n, part, strlen(part));
}

/* ---- plain ------------------------------------------------------------------------------------------ */

static void plain(void) {
	assert_int_equal(FETCH("/ok"), 0);
	assert_int_equal(rig.got.status, 200);
	assert_str(rig.got.body, "ok");
	assert_true(sf_str_eq(rig.got.url, url("/ok")));
	assert_str(sf_fetched_header(&rig.got, "content-length"), "2");
	assert_null(sf_fetched_header(&rig.got, "nope").p);
	assert_int_equal(FETCH("/none"), 0);
	assert_int_equal(rig.got.status, 204);
	assert_int_equal(rig.got.body.n, 0);
	assert_non_null(rig.got.body.p);
	assert_int_equal(FETCH("/hints"), 0);
	assert_int_equal(rig.got.status, 200);
	assert_null(sf_fetched_header(&rig.got, "link").p);
	assert_int_equal(rig.got.nheaders, 3);
	assert_str(rig.got.headers[2].value, "2");
	assert_int_equal(FETCH("/status?500"), 0);
	assert_int_equal(rig.got.status, 500);
}
static void an_answer_comes_back(void **state) {
	(void)state;
	rig_run(plain);
}

static void reuse(void) {
	for (int i = 0; i < 50; i++) assert_int_equal(FETCH("/ok"), 0);
	assert_int_equal(stats().connects, 1);
	assert_int_equal(stats().requests, 50);
}
static void connections_are_used_again(void **state) {
	(void)state;
	rig_run(reuse);
	assert_int_equal(atomic_load(&server.conns), 1);
	assert_int_equal(atomic_load(&server.requests), 50);
}

static void sent(void) {
	struct sf_http_header h[] = { { SF_STR("X-One"), SF_STR("1") },
								  { SF_STR("X-Empty"), SF_STR("") },
								  { SF_STR("Content-Type"), SF_STR("application/json") } };
	assert_int_equal(FETCH("/echo", .method = SF_POST, .body = SF_STR("{\"a\":1}"), .headers = h,
						   .nheaders = 3, .trace = SF_STR("00-11-22-01")),
					 0);
	assert_true(sf_str_starts(rig.got.body, SF_STR("POST /echo HTTP/1.1\r\n")));
	assert_true(has(rig.got.body, "\r\nX-One: 1\r\n") && has(rig.got.body, "\r\nX-Empty:\r\n"));
	assert_true(has(rig.got.body, "\r\ntraceparent: 00-11-22-01\r\n"));
	assert_true(has(rig.got.body, "\r\nContent-Type: application/json\r\n"));
	assert_true(has(rig.got.body, "\r\nUser-Agent: SoftFactory\r\n") && has(rig.got.body, "|{\"a\":1}"));
	static const enum sf_method with[] = { SF_PUT, SF_PATCH, SF_DELETE, SF_POST };
	for (size_t i = 0; i < SF_COUNT(with); i++) {
		assert_int_equal(FETCH("/echo", .method = with[i], .body = SF_STR("x=1")), 0);
		assert_true(sf_str_starts(rig.got.body, sf_str(sf_method_name(with[i]))));
		assert_true(has(rig.got.body, "|x=1") && !has(rig.got.body, "Content-Type"));
		assert_int_equal(FETCH("/echo", .method = with[i]), 0);
		assert_true(has(rig.got.body, "Content-Length: 0\r\n") == (with[i] != SF_DELETE));
	}
	assert_int_equal(FETCH("/ok", .method = SF_HEAD), 0);
	assert_int_equal(rig.got.body.n, 0);
}
static void methods_headers_and_bodies_are_sent(void **state) {
	(void)state;
	rig_run(sent);
}

static void refused_input(void) {
	static const struct sf_http_header rows[] = {
		{ SF_STR("X-A"), SF_STR("a\r\nB: c") },
		{ SF_STR("X-A"), SF_STR("a\nb") },
		{ SF_STR("X-A"), SF_STR("a\0b") },
		{ SF_STR("X A"), SF_STR("a") },
		{ SF_STR("X:"), SF_STR("a") },
		{ SF_STR(""), SF_STR("a") },
		{ SF_STR("X\r\nY"), SF_STR("a") },
		{ SF_STR("Host"), SF_STR("evil") },
		{ SF_STR("content-length"), SF_STR("5") },
		{ SF_STR("Transfer-Encoding"), SF_STR("chunked") },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		assert_int_equal(FETCH("/ok", .headers = &rows[i], .nheaders = 1), SF_EINVAL);
		assert_true(rig.why.n > 10);
	}
	assert_int_equal(FETCH("/ok", .trace = SF_STR("00\r\nX: y")), SF_EINVAL);
	assert_int_equal(FETCH("/ok", .body = SF_STR("of a GET")), SF_EINVAL);
	assert_int_equal(fetch(&(struct sf_fetch) { .url = SF_STR("ftp://127.0.0.1/") }), SF_EINVAL);
	assert_int_equal(fetch(&(struct sf_fetch) { 0 }), SF_EINVAL);
}
static void what_must_not_be_sent_is_refused(void **state) {
	(void)state;
	rig_run(refused_input);
	assert_int_equal(atomic_load(&server.requests), 0);
}

static void environment(void) {
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	int err = FETCH("/ok");
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(err, 0);
}
static void proxies_of_the_environment_are_ignored(void **state) {
	(void)state;
	rig_run(environment);
}

/* ---- limits ------------------------------------------------------------------------------------------- */

static void deadlines(void) {
	static const char *const paths[] = { "/mute", "/slow-head", "/slow-body" };
	for (size_t i = 0; i < SF_COUNT(paths); i++) {
		int64_t from = sf_clock_ns();
		assert_int_equal(FETCH(paths[i], .timeout_ms = 150, .retries = 3), SF_EDEADLINE);
		assert_in_range(ms_since(from), 140, 5000);
	}
	/* one deadline over all hops and repeats */
	int64_t from = sf_clock_ns();
	assert_int_equal(FETCH("/loop", .timeout_ms = 300, .redirects = INT32_MAX), SF_EDEADLINE);
	assert_in_range(ms_since(from), 290, 5000);
	assert_true(stats().redirects > 1);
	assert_int_equal(FETCH("/to?302=/mute", .timeout_ms = 150, .redirects = 3, .retries = 3), SF_EDEADLINE);
	sf_co_deadline(sf_co_self(), sf_loop_now(rig.loop) + 100);
	assert_int_equal(FETCH("/mute"), SF_EDEADLINE);
	sf_co_deadline(sf_co_self(), 0);
	assert_int_equal(FETCH("/ok"), 0);
}
static void slow_answers_end_at_the_deadline(void **state) {
	(void)state;
	rig_run(deadlines);
}

static void sizes(void) {
	assert_int_equal(FETCH("/big?100000", .body_max = 100000), 0);
	assert_int_equal(rig.got.body.n, 100000);
	assert_int_equal(FETCH("/big?100001", .body_max = 100000), SF_ETOOLARGE);
	assert_int_equal(FETCH("/long?100001", .body_max = 100000), SF_ETOOLARGE); /* before it is sent */
	assert_int_equal(FETCH("/long?100001", .body_max = 100000, .method = SF_HEAD), 0);
	assert_int_equal(FETCH("/big?5000000"), SF_ETOOLARGE);
	assert_int_equal(FETCH("/head?30000"), 0);
	assert_int_equal(FETCH("/head?90000"), SF_ETOOLARGE);
	assert_int_equal(stats().failures, 0);
}
static void large_answers_are_cut_off(void **state) {
	(void)state;
	rig_run(sizes);
}

/* ---- failures and repeats ------------------------------------------------------------------------------- */

static void broken(void) {
	assert_int_equal(FETCH("/reset"), SF_EUNAVAILABLE);
	assert_true(has(rig.why, "127.0.0.1"));
	assert_int_equal(FETCH("/drop?9"), SF_EUNAVAILABLE);
	assert_int_equal(FETCH("/half"), SF_EUNAVAILABLE);
	assert_int_equal(fetch(&(struct sf_fetch) { .url = SF_STR("http://127.0.0.1:1/") }), SF_EUNAVAILABLE);
	assert_int_equal(fetch(&(struct sf_fetch) { .url = SF_STR("http://no.such.host.invalid/") }),
					 SF_EUNAVAILABLE);
	assert_int_equal(stats().failures, 5);
}
static void broken_connections_are_unavailable(void **state) {
	(void)state;
	rig_run(broken);
}

/* A host that takes no more connections leaves the next one unanswered: as a host that is away does. */
static void unanswered(void) {
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	int full = socket(AF_INET, SOCK_STREAM, 0), waits[4];
	assert_int_equal(bind(full, (struct sockaddr *)&in, n), 0);
	assert_int_equal(listen(full, 0), 0);
	assert_int_equal(getsockname(full, (struct sockaddr *)&in, &n), 0);
	for (size_t i = 0; i < SF_COUNT(waits); i++) {
		waits[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(waits[i], (struct sockaddr *)&in, n);
	}
	struct sf_str to = sf_arena_printf(rig.arena, "http://127.0.0.1:%d/", ntohs(in.sin_port));
	assert_int_equal(fetch(&(struct sf_fetch) { .url = to, .connect_ms = 150, .timeout_ms = 20000 }),
					 SF_EUNAVAILABLE);
	for (size_t i = 0; i < SF_COUNT(waits); i++) close(waits[i]);
	close(full);
}
static void connecting_has_a_time_of_its_own(void **state) {
	(void)state;
	rig_run(unanswered);
}

static void repeats(void) {
	assert_int_equal(FETCH("/flaky?2", .retries = 2), 0);
	assert_int_equal(rig.got.status, 200);
	assert_int_equal(stats().repeats, 2);
	atomic_store(&server.flaky, 0);
	assert_int_equal(FETCH("/flaky?2", .retries = 1), 0);
	assert_int_equal(rig.got.status, 503); /* the last answer */
	atomic_store(&server.flaky, 0);
	assert_int_equal(FETCH("/drop?2", .retries = 2), 0);
	assert_int_equal(rig.got.status, 200);
	atomic_store(&server.flaky, 0);
	assert_int_equal(FETCH("/flaky?1", .retries = 2, .method = SF_POST, .body = SF_STR("a")), 0);
	assert_int_equal(rig.got.status, 503); /* not safe */
	struct sf_http_header key = { SF_STR("Idempotency-Key"), SF_STR("job-1") };
	atomic_store(&server.flaky, 0);
	assert_int_equal(FETCH("/flaky?1", .retries = 2, .method = SF_POST, .headers = &key, .nheaders = 1), 0);
	assert_int_equal(rig.got.status, 200);
	static const int codes[] = { 429, 502, 504, 500, 404 };
	for (size_t i = 0; i < SF_COUNT(codes); i++) {
		uint64_t before = stats().repeats;
		char path[32];
		snprintf(path, sizeof(path), "/status?%d", codes[i]);
		assert_int_equal(FETCH(path, .retries = 1), 0);
		assert_int_equal(rig.got.status, codes[i]);
		assert_int_equal(stats().repeats - before, i < 3);
	}
}
static void only_what_is_safe_is_repeated(void **state) {
	(void)state;
	rig_run(repeats);
}

static void budget(void) {
	for (int i = 0; i < 7; i++) assert_int_equal(FETCH("/status?429", .retries = 2), 0);
	assert_int_equal(stats().repeats, 10); /* of 14 that were asked for */
}
static void repeats_have_a_budget(void **state) {
	(void)state;
	rig_run(budget);
}

static void retry_after(void) {
	int64_t from = sf_clock_ns();
	assert_int_equal(FETCH("/later?1", .retries = 1), 0);
	assert_int_equal(rig.got.status, 200);
	assert_in_range(ms_since(from), 990, 8000);
	atomic_store(&server.flaky, 0);
	from = sf_clock_ns();
	assert_int_equal(FETCH("/later?30", .retries = 1, .timeout_ms = 20000), 0);
	assert_int_equal(rig.got.status, 429); /* it would come after the deadline */
	assert_int_equal(rig.got.retry_after_ms, 30000);
	assert_true(ms_since(from) < 10000);
}
static void retry_after_is_honoured_within_the_deadline(void **state) {
	(void)state;
	rig_run(retry_after);
}

/* libcurl would write a POST again by itself when a connection used before breaks. */
static void lost(void) {
	assert_int_equal(FETCH("/once", .method = SF_POST), 0);
	assert_int_equal(FETCH("/once", .method = SF_POST), SF_EUNAVAILABLE);
	assert_int_equal(atomic_load(&server.requests), 2);
	assert_int_equal(FETCH("/once"), 0);
	assert_int_equal(FETCH("/once"), 0); /* a GET is: one lost, one on a new connection */
	assert_int_equal(atomic_load(&server.requests), 5);
}
static void an_unsafe_request_is_never_written_twice(void **state) {
	(void)state;
	rig_run(lost);
}

static void breaker(void) {
	char host[32];
	int64_t left = 0;
	snprintf(host, sizeof(host), "127.0.0.1:%d", server.port);
	assert_int_equal(sf_client_breaker(rig.client, host, NULL), SF_BREAKER_CLOSED);
	for (int i = 0; i < 5; i++) assert_int_equal(FETCH("/status?503"), 0);
	assert_int_equal(sf_client_breaker(rig.client, host, &left), SF_BREAKER_OPEN);
	assert_in_range(left, 1, 2000);
	assert_int_equal(stats().open, 1);
	int64_t from = sf_clock_ns();
	assert_int_equal(FETCH("/ok", .retries = 5), SF_EUNAVAILABLE);
	assert_true(has(rig.why, "left alone"));
	assert_true(ms_since(from) < 5000); /* at once, not repeated */
	assert_int_equal(stats().left_alone, 1);
	assert_int_equal(atomic_load(&server.requests), 5);
	assert_int_equal(sf_sleep(left + 20), 0);
	assert_int_equal(FETCH("/reset"), SF_EUNAVAILABLE); /* the probe */
	assert_int_equal(sf_client_breaker(rig.client, host, &left), SF_BREAKER_OPEN);
	assert_in_range(left, 2001, 4000);
	assert_int_equal(sf_sleep(left + 20), 0);
	assert_int_equal(FETCH("/ok"), 0); /* the next one closes it */
	assert_int_equal(sf_client_breaker(rig.client, host, &left), SF_BREAKER_CLOSED);
	assert_int_equal(left, 0);
	assert_int_equal(stats().open, 0);
}
static void a_host_that_fails_is_left_alone(void **state) {
	(void)state;
	rig_run(breaker);
}

/* A host that answers more than was wanted is well. */
static void spoken(void) {
	for (int i = 0; i < 9; i++)
		if (i == 4)
			assert_int_equal(FETCH("/big?1000", .body_max = 10), SF_ETOOLARGE);
		else
			assert_int_equal(FETCH("/reset"), SF_EUNAVAILABLE);
	assert_int_equal(stats().open, 0);
	assert_int_equal(FETCH("/reset"), SF_EUNAVAILABLE);
	assert_int_equal(stats().open, 1);
}
static void an_answer_that_is_too_large_is_no_failure(void **state) {
	(void)state;
	rig_run(spoken);
}

/* ---- redirects -------------------------------------------------------------------------------------------- */

static void redirects(void) {
	assert_int_equal(FETCH("/to?302=/ok"), 0);
	assert_int_equal(rig.got.status, 302);
	assert_str(sf_fetched_header(&rig.got, "location"), "/ok");
	assert_int_equal(FETCH("/to?302=/ok", .redirects = 1), 0);
	assert_int_equal(rig.got.status, 200);
	assert_true(sf_str_eq(rig.got.url, url("/ok")));
	assert_int_equal(FETCH("/to?302=/echo", .redirects = 1, .trace = SF_STR("00-11-22-01")), 0);
	assert_true(has(rig.got.body, "\r\ntraceparent: 00-11-22-01\r\n"));
	int before = atomic_load(&server.requests);
	assert_int_equal(FETCH("/loop", .redirects = 5), 0);
	assert_int_equal(rig.got.status, 302);
	assert_int_equal(atomic_load(&server.requests) - before, 6);
	assert_int_equal(FETCH("/to?302=file:///etc/passwd", .redirects = 3), SF_EINVAL);
	assert_int_equal(FETCH("/to?302=gopher://127.0.0.1:25/x", .redirects = 3), SF_EINVAL);
}
static void redirects_are_followed_up_to_the_limit(void **state) {
	(void)state;
	rig_run(redirects);
}

static void redirected_methods(void) {
	static const struct {
		int code;
		enum sf_method method, becomes;
	} rows[] = { { 301, SF_POST, SF_GET }, { 302, SF_POST, SF_GET }, { 303, SF_POST, SF_GET },
				 { 303, SF_PUT, SF_GET },  { 302, SF_PUT, SF_PUT },  { 307, SF_POST, SF_POST },
				 { 308, SF_POST, SF_POST } };
	struct sf_http_header h = { SF_STR("Content-Type"), SF_STR("text/x") };
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		char path[32];
		snprintf(path, sizeof(path), "/to?%d=/echo", rows[i].code);
		assert_int_equal(FETCH(path, .redirects = 1, .method = rows[i].method, .body = SF_STR("bb"),
							   .headers = &h, .nheaders = 1),
						 0);
		bool kept = rows[i].method == rows[i].becomes;
		assert_true(sf_str_starts(rig.got.body, sf_str(sf_method_name(rows[i].becomes))));
		assert_int_equal(has(rig.got.body, "|bb"), kept);
		assert_int_equal(has(rig.got.body, "text/x"), kept);
	}
}
static void redirects_change_methods_as_rfc_9110_says(void **state) {
	(void)state;
	rig_run(redirected_methods);
}

static void credentials(void) {
	struct sf_http_header h[] = { { SF_STR("Authorization"), SF_STR("Bearer sesame") },
								  { SF_STR("Cookie"), SF_STR("a=sesame") },
								  { SF_STR("Proxy-Authorization"), SF_STR("Basic sesame") },
								  { SF_STR("X-Kept"), SF_STR("1") } };
	char path[64];
	assert_int_equal(FETCH("/to?302=/echo", .redirects = 1, .headers = h, .nheaders = 4), 0);
	assert_true(has(rig.got.body, "Authorization: Bearer sesame") && has(rig.got.body, "a=sesame"));
	snprintf(path, sizeof(path), "/to?302=http://localhost:%d/echo", server.port);
	assert_int_equal(FETCH(path, .redirects = 1, .headers = h, .nheaders = 4), 0);
	assert_true(has(rig.got.body, "X-Kept") && !has(rig.got.body, "sesame"));
	/* and from there to itself: the other host still has no right to them */
	snprintf(path, sizeof(path), "/to?302=http://localhost:%d/to?302=/echo", server.port);
	assert_int_equal(FETCH(path, .redirects = 2, .headers = h, .nheaders = 4), 0);
	assert_true(has(rig.got.body, "X-Kept") && !has(rig.got.body, "sesame"));
	struct sf_str with = sf_arena_printf(rig.arena, "http://me:pw@127.0.0.1:%d/to?302=/echo", server.port);
	assert_int_equal(fetch(&(struct sf_fetch) { .url = with, .redirects = 1 }), 0);
	assert_true(has(rig.got.body, "Authorization: Basic bWU6cHc="));
	assert_false(has(rig.got.url, "pw"));
	snprintf(path, sizeof(path), "/to?302=http://localhost:%d/echo", server.port);
	with = sf_arena_printf(rig.arena, "http://me:pw@127.0.0.1:%d%s", server.port, path);
	assert_int_equal(fetch(&(struct sf_fetch) { .url = with, .redirects = 1 }), 0);
	assert_false(has(rig.got.body, "Authorization"));
}
static void credentials_stay_with_their_host(void **state) {
	(void)state;
	rig_run(credentials);
}

/* ---- many, and cut short ------------------------------------------------------------------------------------ */

static int answered, canceled;
static void one_of_many(void *arg) {
	(void)arg;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_fetched got;
	int err =
		sf_fetch(rig.client,
				 &(struct sf_fetch) { .url = url((intptr_t)arg % 2 ? "/ok" : "/echo"), .timeout_ms = 60000 },
				 a, &got, NULL);
	answered += err == 0 && got.status == 200;
	sf_arena_free(a);
}
static void a_thousand_at_once(void **state) {
	(void)state;
	rig_begin();
	answered = 0;
	for (intptr_t i = 0; i < 1000; i++)
		assert_int_equal(sf_co_start(rig.loop, one_of_many, (void *)i, NULL), 0);
	assert_int_equal(stats().active, SF_CLIENT__PER_HOST);
	assert_int_equal(stats().waiting, 1000 - SF_CLIENT__PER_HOST);
	sf_loop_run(rig.loop);
	assert_int_equal(answered, 1000);
	assert_true(atomic_load(&server.conns) <= SF_CLIENT__PER_HOST);
	rig_end();
}

static const char *cut_path;
static void cut_one(void *arg) {
	(void)arg;
	int err = FETCH(cut_path, .retries = 3);
	canceled += err == SF_ECANCELED;
}
struct cut {
	struct sf_co *cos[8];
	int n;
};
static void cut_after(void *arg) {
	struct cut *cut = arg;
	int err = sf_sleep(30);
	for (int i = 0; i < cut->n && !err; i++) sf_co_cancel(cut->cos[i], SF_ECANCELED);
}
/* Six under way and two waiting for a turn; the paths stop before the head, amid it, amid the body, and (one) in the back-off. */
static void cancellation_leaves_nothing(void **state) {
	(void)state;
	static const char *const paths[] = { "/mute", "/slow-head", "/slow-body", "/later?9" };
	for (size_t i = 0; i < SF_COUNT(paths); i++) {
		struct cut cut = { .n = i == 3 ? 1 : 8 };
		rig_begin();
		canceled = 0, cut_path = paths[i];
		for (int k = 0; k < cut.n; k++)
			assert_int_equal(sf_co_start(rig.loop, cut_one, NULL, &cut.cos[k]), 0);
		assert_int_equal(sf_co_start(rig.loop, cut_after, &cut, NULL), 0);
		int64_t from = sf_clock_ns();
		sf_loop_run(rig.loop);
		assert_int_equal(canceled, cut.n);
		assert_true(ms_since(from) < 8000);
		rig_end();
	}
}

static void canceled_before(void *arg) {
	(void)arg;
	sf_co_cancel(sf_co_self(), SF_EDRAINING);
	canceled = FETCH("/ok");
}
static void a_cancelled_coroutine_asks_for_nothing(void **state) {
	(void)state;
	rig_begin();
	assert_int_equal(sf_co_start(rig.loop, canceled_before, NULL, NULL), 0);
	sf_loop_run(rig.loop);
	assert_int_equal(canceled, SF_EDRAINING);
	assert_int_equal(atomic_load(&server.requests), 0);
	rig_end();
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, server_reset_counts)
	const struct CMUnitTest tests[] = {
		T(an_answer_comes_back),
		T(connections_are_used_again),
		T(methods_headers_and_bodies_are_sent),
		T(what_must_not_be_sent_is_refused),
		T(proxies_of_the_environment_are_ignored),
		T(slow_answers_end_at_the_deadline),
		T(large_answers_are_cut_off),
		T(broken_connections_are_unavailable),
		T(connecting_has_a_time_of_its_own),
		T(only_what_is_safe_is_repeated),
		T(repeats_have_a_budget),
		T(retry_after_is_honoured_within_the_deadline),
		T(an_unsafe_request_is_never_written_twice),
		T(a_host_that_fails_is_left_alone),
		T(an_answer_that_is_too_large_is_no_failure),
		T(redirects_are_followed_up_to_the_limit),
		T(redirects_change_methods_as_rfc_9110_says),
		T(credentials_stay_with_their_host),
		T(a_thousand_at_once),
		T(cancellation_leaves_nothing),
		T(a_cancelled_coroutine_asks_for_nothing),
	};
	return cmocka_run_group_tests(tests, server_start, server_stop);
}
