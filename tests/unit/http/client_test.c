/* Prepared handles on the loop, and the life of a client. */
#include "http/client_server.h"

#include "http/client.h"

static size_t count(char *p, size_t one, size_t n, void *arg) {
	(void)p;
	*(size_t *)arg += one * n;
	return one * n;
}

static CURL *easy_for(const char *path, size_t *got) {
	CURL *easy = curl_easy_init();
	curl_easy_setopt(easy, CURLOPT_URL, sf_arena_cstr(rig.arena, url(path)));
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, got);
	return easy;
}

static void prepared(void) {
	size_t got = 0;
	long status = 0;
	CURL *easy = easy_for("/ok", &got);
	for (int i = 0; i < 3; i++) assert_int_equal(sf_client__perform(rig.client, easy, 5000), CURLE_OK);
	assert_int_equal(curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status), CURLE_OK);
	assert_int_equal(status, 200);
	assert_int_equal(got, 6);
	curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1:1/");
	assert_int_equal(sf_client__perform(rig.client, easy, 0), CURLE_COULDNT_CONNECT);
	curl_easy_setopt(easy, CURLOPT_URL, "nonsense://x");
	assert_int_equal(sf_client__perform(rig.client, easy, 5000), CURLE_UNSUPPORTED_PROTOCOL);
	curl_easy_cleanup(easy);
}
static void prepared_handles_run(void **state) {
	(void)state;
	rig_run(prepared);
	assert_int_equal(atomic_load(&server.conns), 1);
}

static void timed(void) {
	size_t got = 0;
	CURL *easy = easy_for("/mute", &got);
	int64_t from = sf_clock_ns();
	assert_int_equal(sf_client__perform(rig.client, easy, 100), SF_EDEADLINE);
	assert_in_range(ms_since(from), 90, 5000);
	curl_easy_setopt(easy, CURLOPT_URL,
					 sf_arena_cstr(rig.arena, url("/ok"))); /* still the caller's, and whole */
	assert_int_equal(sf_client__perform(rig.client, easy, 5000), CURLE_OK);
	sf_co_cancel(sf_co_self(), SF_EDRAINING);
	assert_int_equal(sf_client__perform(rig.client, easy, 5000), SF_EDRAINING);
	curl_easy_cleanup(easy);
}
static void handles_come_back_at_the_deadline(void **state) {
	(void)state;
	rig_run(timed);
}

static void free_at_once(void *arg) {
	(void)arg;
	int err = FETCH("/ok");
	sf_client_free(rig.client); /* from within the event that brought the answer */
	assert_int_equal(err, 0);
}
static void a_client_may_be_freed_by_its_last_coroutine(void **state) {
	(void)state;
	rig_begin();
	assert_int_equal(sf_co_start(rig.loop, free_at_once, NULL, NULL), 0);
	sf_loop_run(rig.loop);
	sf_arena_free(rig.arena);
	assert_int_equal(sf_loop_free(rig.loop), 0);
}

static void never_used(void **state) {
	(void)state;
	rig_begin();
	rig_end();
	sf_client_free(NULL);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, server_reset_counts)
	const struct CMUnitTest tests[] = {
		T(prepared_handles_run),
		T(handles_come_back_at_the_deadline),
		T(a_client_may_be_freed_by_its_last_coroutine),
		T(never_used),
	};
	return cmocka_run_group_tests(tests, server_start, server_stop);
}
