/* supervisor: restarts and the end of a server. */
#include "loop/server.h"

static void serves_on_one_port(void **state) {
	(void)state;
	struct server s;
	struct said a[3];
	up(&s, 3, 0);
	hear_all(&s, 3, a);
	assert_true(a[0].pid != a[1].pid && a[1].pid != a[2].pid);
	assert_int_equal(a[0].generation, 0);
	assert_int_equal(a[0].draining, 0);
	down(&s);
	for (int i = 0; i < 3; i++) assert_int_equal(kill(a[i].pid, 0), -1);
}

static void a_killed_worker_is_replaced(void **state) {
	(void)state;
	struct server s;
	struct said before[2], after[2];
	up(&s, 2, 0);
	hear_all(&s, 2, before);
	assert_int_equal(kill(before[1].pid, SIGKILL), 0);
	wait_log(&s, "\"signal\":\"SIGKILL\"");
	wait_log(&s, "worker will be started again");
	hear_all(&s, 2, after); /* who was queued at its socket is served by the successor */
	assert_int_equal(after[0].pid, before[0].pid);
	assert_true(after[1].pid != before[1].pid);
	down(&s);
}

static void an_aborting_worker_is_named(void **state) {
	(void)state;
	struct server s;
	struct said a;
	up(&s, 1, 0);
	assert_false(ask(&s, "x", &a));
	wait_log(&s, "\"signal\":\"SIGABRT\"");
	assert_true(ask(&s, "q", &a));
	down(&s);
}

/* One whose loop does not turn, and one that cannot even die of SIGABRT, for it is stopped. */
static void a_worker_that_stands_still_is_replaced(void **state) {
	(void)state;
	struct server s;
	struct said a, b;
	start_with(&s, (struct how) { .workers = 1, .watchdog_ms = 1 });
	wait_log(&s, NULL);
	wait_log(&s, "all workers ready");
	assert_false(ask(&s, "l", &a)); /* nobody answers, until its end closes the connection */
	wait_log(&s, "worker stands still, killed");
	wait_log(&s, "\"signal\":\"SIGABRT\"");
	assert_true(ask(&s, "q", &a));
	kill(a.pid, SIGSTOP);
	wait_log(&s, "\"signal\":\"SIGKILL\"");
	assert_true(ask(&s, "q", &b));
	assert_true(b.pid != a.pid);
	down(&s);
}

static void draining_is_seen_while_it_still_serves(void **state) {
	(void)state;
	struct server s;
	struct said a;
	up(&s, 1, 700);
	kill(s.pid, SIGTERM);
	wait_log(&s, "server drains");
	assert_true(ask(&s, "q", &a));
	assert_int_equal(a.draining, 1);
	assert_int_equal(ended(&s), 0);
	tidy(&s);
}

static void the_queue_is_served_before_the_end(void **state) {
	(void)state;
	enum { N = 20 };
	struct server s;
	struct said a;
	int fd[N];
	up(&s, 1, 0);
	assert_true(ask(&s, "q", &a));
	kill(a.pid, SIGSTOP); /* the worker is busy; these wait in the socket's queue */
	for (int i = 0; i < N; i++) {
		fd[i] = dial(&s);
		assert_true(fd[i] >= 0);
		assert_int_equal(send(fd[i], "q", 1, MSG_NOSIGNAL), 1);
	}
	kill(s.pid, SIGTERM);
	wait_log(&s, "the server stops");
	kill(a.pid, SIGCONT);
	for (int i = 0; i < N; i++) assert_true(hear(fd[i], &a));
	assert_int_equal(ended(&s), 0);
	tidy(&s);
}

static void a_second_interrupt_ends_at_once(void **state) {
	(void)state;
	struct server s;
	struct said a;
	up(&s, 1, 60000);
	assert_true(ask(&s, "q", &a));
	kill(s.pid, SIGINT);
	wait_log(&s, "server drains");
	kill(s.pid, SIGINT);
	assert_int_equal(ended(&s), 1);
	assert_int_equal(kill(a.pid, 0), -1);
	tidy(&s);
}

static void workers_end_when_the_supervisor_is_gone(void **state) {
	(void)state;
	struct server s;
	struct said a[2];
	up(&s, 2, 0);
	hear_all(&s, 2, a);
	kill(s.pid, SIGKILL);
	assert_int_equal(ended(&s), -SIGKILL);
	wait_log(&s, "the supervisor is gone");
	wait_gone(a[0].pid), wait_gone(a[1].pid);
	/* and the port is free for the next supervisor */
	struct server next;
	int port = s.port;
	start(&next, port, 1, 0);
	wait_log(&next, "all workers ready");
	next.port = port;
	assert_true(ask(&next, "q", &a[0]));
	down(&next);
	tidy(&s);
}

static void a_taken_port_is_refused(void **state) {
	(void)state;
	struct server s, second;
	up(&s, 1, 0);
	start(&second, s.port, 1, 0);
	assert_int_equal(ended(&second), 1);
	assert_true(log_has(&second, "the port is in use by another program"));
	tidy(&second);
	down(&s);
}

static void what_dies_at_once_is_tried_ever_less_often(void **state) {
	(void)state;
	struct server s;
	struct said a;
	up(&s, 1, 0);
	make_file(&s, "fail");
	assert_false(ask(&s, "x", &a));
	wait_log(&s, "\"in_ms\":100,");
	wait_log(&s, "\"in_ms\":200,");
	wait_log(&s, "\"in_ms\":400,");
	wait_log(&s, "\"in_ms\":800,");
	remove_file(&s, "fail");
	assert_true(ask(&s, "q", &a)); /* waits in the queue until the next try */
	down(&s);
}

static void others_take_over_from_a_slot_that_cannot_start(void **state) {
	(void)state;
	struct server s;
	struct said a[2];
	up(&s, 2, 0);
	hear_all(&s, 2, a);
	make_file(&s, "fail1");
	kill(a[1].pid, SIGKILL);
	wait_log(&s, "\"socket_rests\":true");
	int64_t from = sf_clock_ns();
	/* half of them would have gone to the other socket's queue; before the next try */
	for (int i = 0; i < 100 && sf_clock_ns() - from < 1000 * INT64_C(1000000); i++) {
		struct said b;
		assert_true(ask(&s, "q", &b));
		assert_int_equal(b.slot, 0);
	}
	remove_file(&s, "fail1");
	hear_all(&s, 2, a); /* the slot comes back, with its socket */
	down(&s);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_on_one_port),
		cmocka_unit_test(a_killed_worker_is_replaced),
		cmocka_unit_test(an_aborting_worker_is_named),
		cmocka_unit_test(a_worker_that_stands_still_is_replaced),
		cmocka_unit_test(draining_is_seen_while_it_still_serves),
		cmocka_unit_test(the_queue_is_served_before_the_end),
		cmocka_unit_test(a_second_interrupt_ends_at_once),
		cmocka_unit_test(workers_end_when_the_supervisor_is_gone),
		cmocka_unit_test(a_taken_port_is_refused),
		cmocka_unit_test(what_dies_at_once_is_tried_ever_less_often),
		cmocka_unit_test(others_take_over_from_a_slot_that_cannot_start),
	};
	int code = play(argv);
	(void)argc;
	return code >= 0 ? code : cmocka_run_group_tests_name("loop/supervisor", tests, NULL, NULL);
}
