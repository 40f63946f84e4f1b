/* publish: what workers publish adds up over their deaths; and /metrics over it. */
#include "app/harness.h"

#include <sys/wait.h>
#include <unistd.h>

#include "core/config.h"
#include "loop/loop.h"
#include "telemetry/internal.h"

static size_t index_of(const char *name) {
	for (size_t i = 0; i < sf_telemetry__nmetrics; i++)
		if (strcmp(sf_telemetry__metrics[i].name, name) == 0) return i;
	fail_msg("no metric %s", name);
	return 0;
}

static uint64_t value_of(const char *name) {
	struct sf_telemetry__total t;
	sf_telemetry__collect(&t);
	return t.value[index_of(name)];
}

static void nothing(void *arg) {
	(void)arg;
}

static void nap(void *arg) {
	*(int *)arg = sf_sleep(60000);
}

/* One worker's life in that slot: `n` coroutines that end, and `live` that are there while it publishes. */
static void live_as(int slot, int n, int live) {
	struct sf_loop *l = sf_loop_new(NULL);
	sf_telemetry_start(&(struct sf_telemetry_opts) { .loop = l, .slot = slot });
	struct sf_co *co[8];
	int r;
	for (int i = 0; i < n; i++) assert_int_equal(sf_co_start(l, nothing, NULL, NULL), 0);
	for (int i = 0; i < live; i++) assert_int_equal(sf_co_start(l, nap, &r, &co[i]), 0);
	for (int i = 0; i < live; i++) sf_co_cancel(co[i], SF_ECANCELED);
	sf_telemetry_stop();
	assert_int_equal(sf_loop_free(l), 0);
}

static void counters_go_on_with_the_successor(void **state) {
	(void)state;
	uint64_t before = value_of("coroutines_started_total");
	live_as(1, 10, 0);
	assert_int_equal(value_of("coroutines_started_total") - before, 10);
	live_as(1, 5, 0); /* its own count starts from 0 */
	live_as(2, 7, 2);
	assert_int_equal(value_of("coroutines_started_total") - before, 24);
}

static void present_amounts_go_with_the_worker(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	struct sf_co *co[3];
	int r;
	for (int i = 0; i < 3; i++) assert_int_equal(sf_co_start(l, nap, &r, &co[i]), 0);
	uint64_t before = value_of("coroutines_live");
	sf_telemetry_start(&(struct sf_telemetry_opts) { .loop = l, .slot = 3 });
	assert_int_equal(value_of("coroutines_live") - before, 3);
	assert_true(value_of("process_resident_memory_bytes") > 100000);
	sf_telemetry_stop();
	assert_int_equal(value_of("coroutines_live"), before);
	for (int i = 0; i < 3; i++) sf_co_cancel(co[i], SF_ECANCELED);
	assert_int_equal(sf_loop_free(l), 0);
}

static void workers_of_one_slot_do_not_disturb_each_other(void **state) {
	(void)state;
	uint64_t before = value_of("coroutines_started_total");
	for (int i = 0; i < 6; i++) { /* more than there are places; some die without a word */
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct sf_loop *l = sf_loop_new(NULL);
			for (int k = 0; k < 4; k++)
				if (sf_co_start(l, nothing, NULL, NULL) != 0) _exit(1);
			sf_telemetry_start(&(struct sf_telemetry_opts) { .loop = l, .slot = 4 });
			if (i % 2 == 0) sf_telemetry_stop();
			_exit(0);
		}
		int status = 1;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	assert_int_equal(value_of("coroutines_started_total") - before, 24);
}

/* ---- the page ------------------------------------------------------------------------------------ */

static const struct sf_service *const services[] = { &telemetry_service, NULL };

static size_t series_of(const struct sf_http_req *req) {
	size_t n = 0;
	struct sf_str rest = answer_body(req), line;
	while (rest.n > 0) {
		bool more = sf_str_cut(rest, '\n', &line, &rest);
		if (line.n && line.p[0] != '#') n++;
		if (!more) break;
	}
	return n;
}

static void the_page_counts_its_series(void **state) {
	(void)state;
	struct harness h = harness_new(&(struct sf_app_opts) { .services = services });
	struct sf_http_req *req = call(&h, SF_GET, "/metrics", NULL, NULL);
	assert_status(req, 200);
	req = call(&h, SF_GET, "/metrics", NULL, NULL); /* the second sees the first */
	assert_holds(req, "http_requests_total{method=\"GET\",endpoint=\"/metrics\",status=\"200\"} 1\n");
	assert_null(memmem(answer_body(req).p, answer_body(req).n, "status=\"404\"", 12)); /* has not occurred */
	assert_holds(req, "http_connections_open 0\n");
	assert_holds(req, "db_query_duration_seconds_bucket{le=\"+Inf\"} ");
	char own[64];
	snprintf(own, sizeof own, "softfactory_telemetry_series %zu\n", series_of(req));
	assert_holds(req, own);
	harness_free(&h);
}

static void hostile_paths_add_no_series(void **state) {
	(void)state;
	struct harness h = harness_new(&(struct sf_app_opts) { .services = services });
	for (int i = 0; i < 3; i++) (void)call(&h, SF_GET, "/nowhere", NULL, NULL);
	(void)call(&h, SF_GET, "/metrics", NULL, NULL);
	struct sf_http_req *req = call(&h, SF_GET, "/metrics", NULL, NULL);
	size_t before = series_of(req);
	assert_holds(req, "endpoint=\"unmatched\",status=\"404\"} 3\n");
	for (int i = 0; i < 2000; i++) {
		char path[64];
		snprintf(path, sizeof path, "/%d/%c\"}/{x}", i, 'a' + i % 26);
		(void)call(&h, i % 2 ? SF_POST : SF_GET, path, NULL, NULL);
	}
	req = call(&h, SF_GET, "/metrics", NULL, NULL);
	assert_int_equal(series_of(req), before);
	assert_holds(req, "endpoint=\"unmatched\",status=\"404\"} 2003\n");
	harness_free(&h);
}

static int with_shared_memory(void **state) {
	(void)state;
	char why[256];
	char *argv[] = { "test", NULL }, *rest[2];
	int n;
	if (sf_config_load(1, argv, rest, &n, why, sizeof why) != 0) return -1;
	return sf_shm_open(-1, 32 << 20, NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_go_on_with_the_successor),
		cmocka_unit_test(present_amounts_go_with_the_worker),
		cmocka_unit_test(workers_of_one_slot_do_not_disturb_each_other),
		cmocka_unit_test(the_page_counts_its_series),
		cmocka_unit_test(hostile_paths_add_no_series),
	};
	return cmocka_run_group_tests_name("telemetry/publish", tests, with_shared_memory, NULL);
}
