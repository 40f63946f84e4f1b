/* supervisor: restarts, upgrades, recycling and the end of a server, with real processes.
 *
 * This program plays three parts: the test; the supervisor, when its second argument is "serve"; and that
 * supervisor's workers. A worker answers each connection with one line, "<slot> <pid> <generation> <draining>". Files
 * in the test's folder change what a worker does: `fail` makes it exit before it is ready, `fail1` that of slot 1. The folder also holds the
 * "binary on disk", a symbolic link that a test may turn elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"

#define PATIENCE_MS 60000

/* ---- the worker ------------------------------------------------------------------------------- */

static struct {
	struct sf_loop *l;
	struct sf_worker self;
	uv_poll_t accept;
} w;

static void answer(int fd) {
	char ask[16] = "", line[64];
	if (recv(fd, ask, sizeof ask - 1, 0) > 0) {
		if (ask[0] == 'c') sf_worker_recycle(&w.self);
		if (ask[0] == 'x') abort();
		int n = snprintf(line, sizeof line, "%d %d %d %d\n", w.self.slot, getpid(), w.self.generation,
						 sf_super_draining());
		(void)!send(fd, line, (size_t)n, MSG_NOSIGNAL);
	}
	close(fd);
}

static void accept_all(uv_poll_t *h, int status, int events) {
	(void)h, (void)status, (void)events;
	int fd;
	while ((fd = accept(w.self.listen_fd, NULL, NULL)) >= 0) answer(fd);
}

static void on_drain(void *arg) {
	(void)arg;
	accept_all(NULL, 0, 0);
	uv_close((uv_handle_t *)&w.accept, NULL);
	close(w.self.listen_fd);
	sf_worker_detach(&w.self);
}

static int worker_main(void) {
	char own[16];
	snprintf(own, sizeof own, "fail%d", w.self.slot);
	if (access("fail", F_OK) == 0 || access(own, F_OK) == 0) return 3;
	w.l = sf_loop_new(NULL);
	w.self.on_drain = on_drain;
	if (sf_worker_attach(w.l, &w.self) != 0) return 4;
	uv_poll_init(sf_loop_uv(w.l), &w.accept, w.self.listen_fd);
	uv_poll_start(&w.accept, UV_READABLE, accept_all);
	sf_worker_ready(&w.self);
	sf_loop_run(w.l);
	return sf_loop_free(w.l) == 0 ? 0 : 5;
}

static int super_main(char **argv) { /* argv: binary, serve, port, workers, drain_wait_ms */
	return sf_super_run(&(struct sf_super_opts) {
		.listen = "127.0.0.1",
		.port = atoi(argv[2]),
		.workers = atoi(argv[3]),
		.drain_wait_ms = atoi(argv[4]),
		.drain_ms = 5000,
		.argv = argv,
	});
}

/* ---- the test's hands ------------------------------------------------------------------------- */

static char binary[PATH_MAX];
struct server {
	char dir[64];
	int pid, port;
};
struct said {
	int slot, pid, generation, draining;
};

static void path_in(const struct server *s, const char *name, char out[128]) {
	snprintf(out, 128, "%s/%s", s->dir, name);
}

static bool log_has(const struct server *s, const char *what) {
	static char text[1 << 20];
	char path[128];
	path_in(s, "log", path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0) close(fd);
	if (n < 0) return false;
	text[n] = '\0';
	if (!what) { /* the port in the line "listening" */
		const char *at = strstr(text, "\"listening\"");
		at = at ? strstr(at, "\"port\":") : NULL;
		return at && strchr(at, '\n') && sscanf(at, "\"port\":%d", &((struct server *)s)->port) == 1;
	}
	return strstr(text, what) != NULL;
}

static void wait_log(const struct server *s, const char *what) {
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	while (!log_has(s, what)) {
		if (sf_clock_ns() > end) fail_msg("not in the log within %d ms: %s", PATIENCE_MS, what);
		usleep(10000);
	}
}

static void start(struct server *s, int port, int workers, int wait_ms) {
	*s = (struct server) { .dir = "/tmp/sf-super-XXXXXX" };
	assert_non_null(mkdtemp(s->dir));
	char bin[128], log[128], texts[3][16];
	path_in(s, "bin", bin);
	path_in(s, "log", log);
	assert_int_equal(symlink(binary, bin), 0);
	snprintf(texts[0], 16, "%d", port), snprintf(texts[1], 16, "%d", workers),
		snprintf(texts[2], 16, "%d", wait_ms);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
		if (chdir(s->dir) != 0) _exit(9);
		int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);
		dup2(fd, 2);
		char *argv[] = {
			"./bin", "serve", texts[0], texts[1], texts[2], NULL
		}; /* relative: it must be resolved */
		execv(argv[0], argv);
		_exit(9);
	}
}

static void up(struct server *s, int workers, int wait_ms) {
	start(s, 0, workers, wait_ms);
	wait_log(s, NULL);
	wait_log(s, "all workers ready");
}

static int ended(struct server *s) {
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	int status = 0;
	while (waitpid(s->pid, &status, WNOHANG) == 0) {
		if (sf_clock_ns() > end) fail_msg("the supervisor did not end");
		usleep(5000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void tidy(struct server *s) {
	static const char *const names[] = { "bin", "log", "fail", "fail1" };
	char path[128];
	for (size_t i = 0; i < SF_COUNT(names); i++) {
		path_in(s, names[i], path);
		unlink(path);
	}
	rmdir(s->dir);
}

static void down(struct server *s) {
	kill(s->pid, SIGTERM);
	assert_int_equal(ended(s), 0);
	assert_true(log_has(s, "server ended"));
	tidy(s);
}

static int dial(const struct server *s) {
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port) };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
	close(fd);
	return -1;
}

static bool hear(int fd, struct said *out) {
	char line[64] = "";
	size_t n = 0;
	ssize_t got;
	while (n < sizeof line - 1 && (got = recv(fd, line + n, sizeof line - 1 - n, 0)) > 0) n += (size_t)got;
	close(fd);
	return sscanf(line, "%d %d %d %d", &out->slot, &out->pid, &out->generation, &out->draining) == 4;
}

static bool ask(const struct server *s, const char *what, struct said *out) {
	int fd = dial(s);
	if (fd < 0) return false;
	if (send(fd, what, 1, MSG_NOSIGNAL) != 1) {
		close(fd);
		return false;
	}
	return hear(fd, out);
}

/* Asks until every slot was heard; each ask must succeed. */
static void hear_all(const struct server *s, int workers, struct said *by_slot) {
	int seen = 0;
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	for (int i = 0; i < workers; i++) by_slot[i].pid = 0;
	while (seen < workers) {
		struct said a;
		if (sf_clock_ns() > end) fail_msg("a slot never answered");
		assert_true(ask(s, "q", &a));
		assert_true(a.slot >= 0 && a.slot < workers);
		if (!by_slot[a.slot].pid) seen++;
		by_slot[a.slot] = a;
	}
}

/* Asks all the time until every slot answers from `generation`; none may fail. Returns how many asks that took. */
static int until_generation(const struct server *s, int workers, int generation) {
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	bool done[16] = { false };
	for (int asks = 1, left = workers;; asks++) {
		struct said a;
		assert_true(ask(s, "q", &a));
		if (a.generation == generation && !done[a.slot]) done[a.slot] = true, left--;
		if (left == 0) return asks;
		if (sf_clock_ns() > end) fail_msg("generation %d never served", generation);
	}
}

/* ---- tests ------------------------------------------------------------------------------------- */

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
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	while (kill(before[0].pid, 0) == 0 || kill(before[1].pid, 0) == 0) {
		assert_true(sf_clock_ns() < end);
		usleep(5000);
	}
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
	char fail[128];
	up(&s, 2, 0);
	hear_all(&s, 2, before);
	path_in(&s, "fail", fail);
	close(open(fail, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(kill(s.pid, SIGHUP), 0);
	wait_log(&s, "the successor did not get ready; the old worker goes on serving");
	hear_all(&s, 2, after);
	assert_int_equal(after[0].pid, before[0].pid);
	assert_int_equal(after[1].pid, before[1].pid);
	unlink(fail);
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
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	while (kill(a[0].pid, 0) == 0 || kill(a[1].pid, 0) == 0) {
		assert_true(sf_clock_ns() < end);
		usleep(5000);
	}
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
	char fail[128];
	up(&s, 1, 0);
	path_in(&s, "fail", fail);
	close(open(fail, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_false(ask(&s, "x", &a));
	wait_log(&s, "\"in_ms\":100,");
	wait_log(&s, "\"in_ms\":200,");
	wait_log(&s, "\"in_ms\":400,");
	wait_log(&s, "\"in_ms\":800,");
	unlink(fail);
	assert_true(ask(&s, "q", &a)); /* waits in the queue until the next try */
	down(&s);
}

static void others_take_over_from_a_slot_that_cannot_start(void **state) {
	(void)state;
	struct server s;
	struct said a[2];
	char fail[128];
	up(&s, 2, 0);
	hear_all(&s, 2, a);
	path_in(&s, "fail1", fail);
	close(open(fail, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	kill(a[1].pid, SIGKILL);
	wait_log(&s, "\"socket_rests\":true");
	int64_t from = sf_clock_ns();
	/* half of them would have gone to the other socket's queue; before the next try */
	for (int i = 0; i < 100 && sf_clock_ns() - from < 1000 * INT64_C(1000000); i++) {
		struct said b;
		assert_true(ask(&s, "q", &b));
		assert_int_equal(b.slot, 0);
	}
	unlink(fail);
	hear_all(&s, 2, a); /* the slot comes back, with its socket */
	down(&s);
}

int main(int argc, char **argv) {
	if (sf_worker_self(&w.self)) return worker_main();
	if (argc > 1 && strcmp(argv[1], "serve") == 0) return super_main(argv);
	ssize_t n = readlink("/proc/self/exe", binary, sizeof binary - 1);
	if (n <= 0) return 1;
	binary[n] = '\0';
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_on_one_port),
		cmocka_unit_test(a_killed_worker_is_replaced),
		cmocka_unit_test(an_aborting_worker_is_named),
		cmocka_unit_test(hup_upgrades_without_losing_anyone),
		cmocka_unit_test(a_binary_that_does_not_start_changes_nothing),
		cmocka_unit_test(successors_that_fail_leave_the_old_ones),
		cmocka_unit_test(recycling_loses_no_one),
		cmocka_unit_test(draining_is_seen_while_it_still_serves),
		cmocka_unit_test(the_queue_is_served_before_the_end),
		cmocka_unit_test(a_second_interrupt_ends_at_once),
		cmocka_unit_test(workers_end_when_the_supervisor_is_gone),
		cmocka_unit_test(a_taken_port_is_refused),
		cmocka_unit_test(what_dies_at_once_is_tried_ever_less_often),
		cmocka_unit_test(others_take_over_from_a_slot_that_cannot_start),
	};
	return cmocka_run_group_tests_name("loop/supervisor", tests, NULL, NULL);
}
