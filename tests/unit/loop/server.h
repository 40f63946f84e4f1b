/* Tests of the supervisor, with real processes: a server to play with.
 *
 * The program plays three parts: the test; the supervisor, when its second argument is "serve"; and that
 * supervisor's workers. A worker answers each connection with one line, "<slot> <pid> <generation> <draining>". One that runs jobs
 * has no socket; others answer for it what everybody may know. Files in the test's folder change what a worker does: `fail`
 * makes it exit before it is ready, `fail1` that of slot 1, `busy` is a job that runs. The folder also holds the "binary on
 * disk", a symbolic link that a test may turn elsewhere. */
#ifndef TESTS_UNIT_LOOP_SERVER_H
#define TESTS_UNIT_LOOP_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
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
#include "scratch.h"

#define PATIENCE_MS 60000

/* ---- the worker ------------------------------------------------------------------------------- */

static struct {
	struct sf_loop *l;
	struct sf_worker self;
	uv_poll_t accept;
	uv_timer_t work; /* of one that runs jobs */
} w;

/* What is known of the first job worker that is ready: slot, pid, generation, restarts. */
static int told_of_others(char line[64]) {
	struct sf_proc list[16];
	for (size_t i = 0, n = sf_super_processes(list, 16); i < n; i++)
		if (list[i].slot >= 0 && list[i].role == SF_WORKER_JOBS && strcmp(list[i].state, "ready") == 0)
			return snprintf(line, 64, "%d %d %d %d\n", list[i].slot, list[i].pid, list[i].generation,
							list[i].restarts);
	return snprintf(line, 64, "-1 0 0 0\n");
}

static void answer(int fd) {
	char ask[16] = "", line[64];
	if (recv(fd, ask, sizeof ask - 1, 0) > 0) {
		if (ask[0] == 'c') sf_worker_recycle(&w.self);
		if (ask[0] == 'x') abort();
		for (volatile bool for_ever = true; ask[0] == 'l' && for_ever;) {
		} /* the loop does not turn any more */
		int n = ask[0] == 'j' ? told_of_others(line)
							  : snprintf(line, sizeof line, "%d %d %d %d\n", w.self.slot, getpid(),
										 w.self.generation, sf_super_draining());
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

/* ---- one that runs jobs: takes what it runs to its end, then goes ---- */

static void look_at_work(uv_timer_t *t) {
	if (access("busy", F_OK) == 0) return;
	uv_close((uv_handle_t *)t, NULL);
	sf_worker_detach(&w.self);
}

static void look_at_nothing(uv_timer_t *t) {
	(void)t;
}

static void on_drain_jobs(void *arg) {
	(void)arg;
	uv_timer_start(&w.work, look_at_work, 0, 5);
}

static int job_worker_main(void) {
	w.l = sf_loop_new(NULL);
	w.self.on_drain = on_drain_jobs;
	if (w.self.listen_fd != -1 || sf_worker_attach(w.l, &w.self) != 0) return 4;
	uv_timer_init(sf_loop_uv(w.l), &w.work);
	uv_timer_start(&w.work, look_at_nothing, 60000, 60000);
	sf_worker_ready(&w.self);
	sf_loop_run(w.l);
	return sf_loop_free(w.l) == 0 ? 0 : 5;
}

static int worker_main(void) {
	char own[16];
	snprintf(own, sizeof own, "fail%d", w.self.slot);
	if (access("fail", F_OK) == 0 || access(own, F_OK) == 0) return 3;
	if (w.self.role == SF_WORKER_JOBS) return job_worker_main();
	w.l = sf_loop_new(NULL);
	w.self.on_drain = on_drain;
	if (sf_worker_attach(w.l, &w.self) != 0) return 4;
	uv_poll_init(sf_loop_uv(w.l), &w.accept, w.self.listen_fd);
	uv_poll_start(&w.accept, UV_READABLE, accept_all);
	sf_worker_ready(&w.self);
	sf_loop_run(w.l);
	return sf_loop_free(w.l) == 0 ? 0 : 5;
}

static int
super_main(char **argv) { /* argv: binary, serve, port, workers, drain_wait_ms, job workers, watchdog_ms */
	return sf_super_run(&(struct sf_super_opts) {
		.job_nice = 3,
		.listen = "127.0.0.1",
		.port = atoi(argv[2]),
		.workers = atoi(argv[3]),
		.job_workers = atoi(argv[5]),
		.drain_wait_ms = atoi(argv[4]),
		.drain_ms = 5000,
		.watchdog_ms = atoi(argv[6]),
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

static inline void path_in(const struct server *s, const char *name, char out[128]) {
	snprintf(out, 128, "%s/%s", s->dir, name);
}

static inline bool log_has(const struct server *s, const char *what) {
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

static inline void wait_log(const struct server *s, const char *what) {
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	while (!log_has(s, what)) {
		if (sf_clock_ns() > end)
			fail_msg("not in the log within %d ms: %s", PATIENCE_MS, what ? what : "listening");
		usleep(10000);
	}
}

struct how {
	int port, workers, wait_ms, job_workers, watchdog_ms;
};
static inline void start_with(struct server *s, struct how how) {
	*s = (struct server) { 0 };
	assert_true(scratch_folder(s->dir, sizeof s->dir, "sf-super"));
	char bin[128], log[128], texts[5][16];
	path_in(s, "bin", bin);
	path_in(s, "log", log);
	assert_int_equal(symlink(binary, bin), 0);
	const int value[] = { how.port, how.workers, how.wait_ms, how.job_workers, how.watchdog_ms };
	for (size_t i = 0; i < SF_COUNT(value); i++) snprintf(texts[i], 16, "%d", value[i]);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
		if (chdir(s->dir) != 0) _exit(9);
		int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);
		dup2(fd, 2);
		char *argv[] = {
			"./bin", "serve", texts[0], texts[1], texts[2], texts[3], texts[4], NULL
		}; /* relative: it must be resolved */
		execv(argv[0], argv);
		_exit(9);
	}
}

static inline void start(struct server *s, int port, int workers, int wait_ms) {
	start_with(s, (struct how) { .port = port, .workers = workers, .wait_ms = wait_ms });
}

static inline void up(struct server *s, int workers, int wait_ms) {
	start(s, 0, workers, wait_ms);
	wait_log(s, NULL);
	wait_log(s, "all workers ready");
}

static inline int ended(struct server *s) {
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	int status = 0;
	while (waitpid(s->pid, &status, WNOHANG) == 0) {
		if (sf_clock_ns() > end) fail_msg("the supervisor did not end");
		usleep(5000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline void tidy(struct server *s) {
	char path[64 + 256 + 2];
	DIR *d = opendir(s->dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		snprintf(path, sizeof path, "%s/%s", s->dir, e->d_name);
		unlink(path); /* but for . and .. */
	}
	closedir(d);
	assert_int_equal(rmdir(s->dir), 0);
}

static inline void down(struct server *s) {
	kill(s->pid, SIGTERM);
	assert_int_equal(ended(s), 0);
	assert_true(log_has(s, "server ended"));
	tidy(s);
}

static inline int dial(const struct server *s) {
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port) };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
	close(fd);
	return -1;
}

static inline bool hear(int fd, struct said *out) {
	char line[64] = "";
	size_t n = 0;
	ssize_t got;
	while (n < sizeof line - 1 && (got = recv(fd, line + n, sizeof line - 1 - n, 0)) > 0) n += (size_t)got;
	close(fd);
	return sscanf(line, "%d %d %d %d", &out->slot, &out->pid, &out->generation, &out->draining) == 4;
}

static inline bool ask(const struct server *s, const char *what, struct said *out) {
	int fd = dial(s);
	if (fd < 0) return false;
	if (send(fd, what, 1, MSG_NOSIGNAL) != 1) {
		close(fd);
		return false;
	}
	return hear(fd, out);
}

static inline void make_file(const struct server *s, const char *name) {
	char path[128];
	path_in(s, name, path);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static inline void remove_file(const struct server *s, const char *name) {
	char path[128];
	path_in(s, name, path);
	unlink(path);
}

/* Waits until nobody of that pid is left. */
static inline void wait_gone(int pid) {
	int64_t end = sf_clock_ns() + PATIENCE_MS * INT64_C(1000000);
	while (kill(pid, 0) == 0) {
		if (sf_clock_ns() > end) fail_msg("process %d did not end", pid);
		usleep(5000);
	}
}

/* Asks until every slot was heard; each ask must succeed. */
static inline void hear_all(const struct server *s, int workers, struct said *by_slot) {
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
static inline int until_generation(const struct server *s, int workers, int generation) {
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

/* The part that this process plays, if it is not the test's; else -1. */
static inline int play(char **argv) {
	if (sf_worker_self(&w.self)) return worker_main();
	if (argv[1] && strcmp(argv[1], "serve") == 0) return super_main(argv);
	ssize_t n = readlink("/proc/self/exe", binary, sizeof binary - 1);
	if (n <= 0) return 1;
	binary[n] = '\0';
	signal(SIGPIPE, SIG_IGN);
	return -1;
}

#endif
