/* reexec: the upgrade of a server that serves, and recycling, which is the same for one worker. */
#include "loop/server.h"

static void hup_upgrades_without_losing_anyone(void **state) {
	(void)state;
	struct server s;
	struct said before[2], after[2];
	up(&s, 2, 0);
	hear_all(&s, 2, before);
	for (int g = 1; g <= 3; g++) {
		assert_int_equal(kill(s.pid, SIGHUP), 0);
		until_generation(&s, 2, g);
	}
	/* the supervisor is the same process, and the old workers end by themselves */
	wait_gone(before[0].pid), wait_gone(before[1].pid);
	hear_all(&s, 2, after);
	assert_int_equal(after[0].generation, 3);
	down(&s);
}

static void a_binary_that_does_not_start_changes_nothing(void **state) {
	(void)state;
	struct server s;
	struct said before[2], after[2];
	char bin[128];
	up(&s, 2, 0);
	hear_all(&s, 2, before);
	path_in(&s, "bin", bin);
	const char *const bad[] = { "/bin/false", "/bin/true", "/nowhere" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		unlink(bin);
		assert_int_equal(symlink(bad[i], bin), 0);
		char log[128];
		path_in(&s, "log", log);
		assert_int_equal(truncate(log, 0), 0);
		assert_int_equal(kill(s.pid, SIGHUP), 0);
		wait_log(&s, "the new binary does not start; the old workers go on serving");
		hear_all(&s, 2, after);
		assert_int_equal(after[0].pid, before[0].pid);
		assert_int_equal(after[1].pid, before[1].pid);
	}
	unlink(bin); /* and the next one, which is well, is taken */
	assert_int_equal(symlink(binary, bin), 0);
	assert_int_equal(kill(s.pid, SIGHUP), 0);
	until_generation(&s, 2, 1);
	down(&s);
}

static void successors_that_fail_leave_the_old_ones(void **state) {
	(void)state;
	struct server s;
	struct said before[2], after[2];
	up(&s, 2, 0);
	hear_all(&s, 2, before);
	make_file(&s, "fail");
	assert_int_equal(kill(s.pid, SIGHUP), 0);
	wait_log(&s, "the successor did not get ready; the old worker goes on serving");
	hear_all(&s, 2, after);
	assert_int_equal(after[0].pid, before[0].pid);
	assert_int_equal(after[1].pid, before[1].pid);
	remove_file(&s, "fail");
	until_generation(&s, 2, 1); /* it is tried again, and the upgrade comes through */
	down(&s);
}

static void recycling_loses_no_one(void **state) {
	(void)state;
	struct server s;
	struct said a, b;
	up(&s, 1, 0);
	assert_true(ask(&s, "c", &a));
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	do {
		assert_true(ask(&s, "q", &b));
		assert_true(sf_clock_ns() < end);
	} while (b.pid == a.pid);
	assert_int_equal(b.generation, 0);
	wait_log(&s, "worker asks for a successor");
	wait_log(&s, "its successor serves");
	down(&s);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hup_upgrades_without_losing_anyone),
		cmocka_unit_test(a_binary_that_does_not_start_changes_nothing),
		cmocka_unit_test(successors_that_fail_leave_the_old_ones),
		cmocka_unit_test(recycling_loses_no_one),
	};
	int code = play(argv);
	(void)argc;
	return code >= 0 ? code : cmocka_run_group_tests_name("loop/reexec", tests, NULL, NULL);
}
