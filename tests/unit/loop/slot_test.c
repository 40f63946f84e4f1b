/* slot: places of workers that run jobs, which have no socket. */
#include "loop/server.h"

#include <sys/resource.h>

/* The first job worker that is ready, as the others know it: slot, pid, generation, restarts in place of draining. */
static struct said job_worker(const struct server *s) {
	struct said j = { .slot = -1 };
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	while (j.slot < 0) {
		if (sf_clock_ns() > end) fail_msg("no job worker is ready");
		assert_true(ask(s, "j", &j));
	}
	return j;
}

static struct said another(const struct server *s, int pid) {
	struct said j = job_worker(s);
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	for (; j.pid == pid; j = job_worker(s))
		if (sf_clock_ns() > end) fail_msg("job worker %d has no successor", pid);
	return j;
}

static void up_with_jobs(struct server *s, int workers, int job_workers) {
	start_with(s, (struct how) { .workers = workers, .job_workers = job_workers });
	if (workers) wait_log(s, NULL);
	wait_log(s, "all workers ready");
}

static void a_killed_job_worker_is_replaced(void **state) {
	(void)state;
	static const int signals[] = { SIGKILL, SIGABRT, SIGSEGV };
	struct server s;
	up_with_jobs(&s, 1, 1);
	struct said j = job_worker(&s);
	assert_int_equal(j.slot, 1);
	for (size_t i = 0; i < SF_COUNT(signals); i++) {
		assert_int_equal(kill(j.pid, signals[i]), 0);
		struct said next = another(&s, j.pid);
		assert_int_equal(next.draining, i + 1); /* restarts */
		j = next;
	}
	down(&s);
}

static void only_job_workers_stand_back_for_the_processor(void **state) {
	(void)state;
	struct server s;
	struct said http;
	up_with_jobs(&s, 1, 1);
	int before = getpriority(PRIO_PROCESS, (id_t)s.pid), want = before + 3 < 19 ? before + 3 : 19;
	struct said j = job_worker(&s);
	assert_true(ask(&s, "q", &http));
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)http.pid), before);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)j.pid), want);
	assert_int_equal(kill(j.pid, SIGKILL), 0);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)another(&s, j.pid).pid), want);
	down(&s);
}

static void a_job_worker_ends_its_job_before_the_server_ends(void **state) {
	(void)state;
	struct server s;
	up_with_jobs(&s, 1, 1);
	struct said j = job_worker(&s);
	make_file(&s, "busy");
	kill(s.pid, SIGTERM);
	wait_log(&s, "\"worker ended\""); /* the other one, which has nothing to do */
	assert_int_equal(kill(j.pid, 0), 0);
	assert_false(log_has(&s, "server ended"));
	remove_file(&s, "busy");
	assert_int_equal(ended(&s), 0);
	assert_false(log_has(&s, "killed"));
	tidy(&s);
}

static void a_job_that_does_not_end_is_cut_off_by_the_drains_limit(void **state) {
	(void)state;
	struct server s;
	up_with_jobs(&s, 0, 1);
	make_file(&s, "busy");
	kill(s.pid, SIGTERM);
	assert_int_equal(ended(&s), 0);
	assert_true(log_has(&s, "worker did not end in time, killed"));
	tidy(&s);
}

static void hup_replaces_job_workers_too(void **state) {
	(void)state;
	struct server s;
	up_with_jobs(&s, 1, 1);
	struct said j = job_worker(&s), next;
	make_file(&s, "busy");
	assert_int_equal(kill(s.pid, SIGHUP), 0);
	until_generation(&s, 1, 1);
	next = another(&s, j.pid);
	assert_int_equal(next.generation, 1);
	assert_int_equal(kill(j.pid, 0), 0); /* the successor works while the old one ends what it runs */
	remove_file(&s, "busy");
	wait_gone(j.pid);
	assert_int_equal(job_worker(&s).pid, next.pid);
	down(&s);
}

static void a_server_may_have_job_workers_alone(void **state) {
	(void)state;
	struct server s;
	up_with_jobs(&s, 0, 2);
	assert_false(log_has(&s, "\"listening\""));
	assert_int_equal(kill(s.pid, SIGHUP), 0);
	wait_log(&s, "\"generation\":1");
	wait_log(&s, "its successor serves");
	down(&s);
}

static void a_job_worker_that_fails_is_tried_again(void **state) {
	(void)state;
	struct server s;
	struct said a;
	up_with_jobs(&s, 1, 1);
	struct said j = job_worker(&s);
	make_file(&s, "fail1");
	kill(j.pid, SIGKILL);
	wait_log(&s, "\"in_ms\":400,");
	assert_true(ask(&s, "q", &a)); /* nobody else minds */
	remove_file(&s, "fail1");
	another(&s, j.pid);
	down(&s);
}

static void job_workers_end_when_the_supervisor_is_gone(void **state) {
	(void)state;
	struct server s;
	up_with_jobs(&s, 1, 1);
	struct said j = job_worker(&s);
	kill(s.pid, SIGKILL);
	assert_int_equal(ended(&s), -SIGKILL);
	wait_gone(j.pid);
	tidy(&s);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_job_worker_is_replaced),
		cmocka_unit_test(only_job_workers_stand_back_for_the_processor),
		cmocka_unit_test(a_job_worker_ends_its_job_before_the_server_ends),
		cmocka_unit_test(a_job_that_does_not_end_is_cut_off_by_the_drains_limit),
		cmocka_unit_test(hup_replaces_job_workers_too),
		cmocka_unit_test(a_server_may_have_job_workers_alone),
		cmocka_unit_test(a_job_worker_that_fails_is_tried_again),
		cmocka_unit_test(job_workers_end_when_the_supervisor_is_gone),
	};
	int code = play(argv);
	(void)argc;
	return code >= 0 ? code : cmocka_run_group_tests_name("loop/slot", tests, NULL, NULL);
}
