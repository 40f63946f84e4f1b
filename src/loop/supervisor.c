/* supervisor: the parent of all workers, from the first socket to the last exit.
 *
 * It serves no request and opens no database, so that it has nothing to fail with. It owns what must outlive
 * a worker: the listening sockets, the shared memory, the knowledge who runs. Signals:
 *
 *   SIGTERM, SIGINT   leave: /ready says 503 while everything is still served for drain_wait_ms (a balancer takes
 *                     the server out), then workers finish what they have within drain_ms. Again: at once.
 *   SIGHUP            upgrade: a trial run of the binary on disk, with the same arguments, which must say it is well;
 *                     then this process execs it. A binary that does not start changes nothing.
 *   SIGCHLD           a worker died: see slot.c. */
#include "loop/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/log.h"
#include "core/time.h"

#define SHM_BYTES    ((size_t)256 * 1024 * 1024) /* address space; only what is used takes memory */
#define TRIAL_MS     10000
#define LAST_WORD_MS 4000 /* after drain_ms, before SIGKILL to all: longer than a worker's own grace */

static void close_plain(uv_handle_t *h) {
	if (!uv_is_closing(h)) uv_close(h, NULL);
}

static bool anyone_left(const struct sf_loop__super *s) {
	for (int i = 0; i < s->nslots; i++)
		if (!sf_list_empty(&s->slots[i].procs)) return true;
	return false;
}

/* Takes its own handles off the loop, which then ends. */
static void wind_up(struct sf_loop__super *s) {
	for (size_t i = 0; i < SF_COUNT(s->signals); i++) close_plain((uv_handle_t *)&s->signals[i]);
	close_plain((uv_handle_t *)&s->leave);
	for (int i = 0; i < s->nslots; i++) close_plain((uv_handle_t *)&s->slots[i].respawn);
}

void sf_loop__super_changed(struct sf_loop__super *s) {
	sf_loop__procs_publish(s);
	if (s->phase == SF_SUPER_STOPS) {
		if (!anyone_left(s)) wind_up(s);
		return;
	}
	if (s->told_up) return;
	for (int i = 0; i < s->nslots; i++) {
		bool ready = s->slots[i].closed;
		for (struct sf_node *n = s->slots[i].procs.next; n != &s->slots[i].procs; n = n->next) {
			const struct sf_loop__proc *p = SF_CONTAINER(n, struct sf_loop__proc, node);
			if (p->state == SF_PROC_READY && p->generation == s->generation) ready = true;
		}
		if (!ready) return;
	}
	s->told_up = true;
	sf_log(SF_INFO, "all workers ready", SF_KV("workers", s->nslots), SF_KV("port", s->port),
		   SF_KV("after_ms", (sf_time_now() - s->started) / 1000));
	if (s->opts->on_up && s->generation == 0) s->opts->on_up(s->port, s->opts->arg);
}

/* ---- leaving ---------------------------------------------------------------------------------- */

static void kill_all(struct sf_loop__super *s, const char *why) {
	sf_log(SF_WARN, "workers are killed", SF_KV("why", why));
	for (int i = 0; i < s->nslots; i++) sf_loop__slot_kill(&s->slots[i]);
}

static void too_long(uv_timer_t *t) {
	kill_all(t->data, "they did not end in time");
}

static void stop_now(struct sf_loop__super *s) {
	s->phase = SF_SUPER_STOPS;
	/* Only the workers hold the sockets from here on: each takes what is queued, then closes, and whoever comes later
	 * is refused at once instead of waiting in a queue that nobody will serve. */
	for (int i = 0; i < s->nslots; i++) {
		if (s->slots[i].listen_fd >= 0) close(s->slots[i].listen_fd);
		sf_loop__slot_stop(&s->slots[i]);
	}
	uv_timer_start(&s->leave, too_long, (uint64_t)(s->opts->drain_ms + LAST_WORD_MS), 0);
	sf_loop__super_changed(s);
}

void sf_loop__super_misconfigured(struct sf_loop__super *s) {
	if (s->told_up || s->generation > 0 || s->phase != SF_SUPER_RUNS) return; /* others serve: go on */
	sf_log(SF_ERROR, "the server cannot run with these settings and stops");
	s->code = 2;
	stop_now(s);
}

static void waited(uv_timer_t *t) {
	stop_now(t->data);
}

static void leave(struct sf_loop__super *s, const char *signal_name) {
	if (s->phase != SF_SUPER_RUNS) {
		s->code = 1;
		if (s->phase == SF_SUPER_LEAVES) stop_now(s);
		kill_all(s, "asked twice");
		return;
	}
	s->phase = SF_SUPER_LEAVES;
	sf_loop__procs_draining(true);
	sf_log(SF_INFO, "server drains", SF_KV("signal", signal_name), SF_KV("wait_ms", s->opts->drain_wait_ms),
		   SF_KV("limit_ms", s->opts->drain_ms));
	if (s->opts->drain_wait_ms > 0)
		uv_timer_start(&s->leave, waited, (uint64_t)s->opts->drain_wait_ms, 0);
	else
		stop_now(s);
	sf_loop__super_changed(s);
}

/* ---- upgrade ---------------------------------------------------------------------------------- */

static void trial_late(uv_timer_t *t) {
	struct sf_loop__super *s = t->data;
	if (s->trial.pid) kill(s->trial.pid, SIGKILL); /* reaping it says the rest */
}

static void trial_start(struct sf_loop__super *s) {
	int pair[2];
	if (s->phase != SF_SUPER_RUNS || s->trial.pid) return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return;
	const struct sf_loop__var vars[] = { { "SF_TRIAL", SF_LOOP_REEXEC_VERSION },
										 { "SF_CTRL_FD", pair[1] },
										 { 0 } };
	int pid = sf_loop__spawn(s->path, s->opts->argv, vars, (int[]) { pair[1], -1 }, 0);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return;
	}
	sf_log(SF_INFO, "upgrade: trial of the binary on disk", SF_KV("path", (const char *)s->path),
		   SF_KV("pid", pid));
	s->trial.pid = pid, s->trial.fd = pair[0];
	uv_timer_start(&s->leave, trial_late, TRIAL_MS, 0);
}

/* In the trial process: configuration was read and everything is linked, so say so. */
static int trial_answer(const char *version) {
	const char *fd = getenv("SF_CTRL_FD");
	if (atoi(version) != SF_LOOP_REEXEC_VERSION || !fd) return 1;
	return send(atoi(fd), "K", 1, MSG_NOSIGNAL) == 1 ? 0 : 1;
}

static void trial_reaped(struct sf_loop__super *s, int status) {
	char said = 0;
	bool ok = recv(s->trial.fd, &said, 1, MSG_DONTWAIT) == 1 && said == 'K' && WIFEXITED(status) &&
			  WEXITSTATUS(status) == 0;
	close(s->trial.fd);
	s->trial.pid = 0;
	if (s->phase != SF_SUPER_RUNS) return;
	uv_timer_stop(&s->leave);
	if (ok)
		sf_loop__reexec(s);
	else
		sf_log(SF_ERROR, "the new binary does not start; the old workers go on serving",
			   SF_KV("path", (const char *)s->path),
			   SF_KV("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1));
}

/* ---- signals ---------------------------------------------------------------------------------- */

static void reap(struct sf_loop__super *s) {
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->trial.pid) {
			trial_reaped(s, status);
			continue;
		}
		for (int i = 0; i < s->nslots; i++)
			if (sf_loop__slot_reaped(&s->slots[i], pid, status)) break;
	}
}

static void on_signal(uv_signal_t *h, int sig) {
	struct sf_loop__super *s = h->data;
	switch (sig) {
	case SIGTERM: leave(s, "SIGTERM"); break;
	case SIGINT: leave(s, "SIGINT"); break;
	case SIGHUP: trial_start(s); break;
	default: reap(s); break;
	}
}

static void signals_start(struct sf_loop__super *s) {
	static const int which[SF_COUNT(s->signals)] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	for (size_t i = 0; i < SF_COUNT(which); i++) {
		SF_BUG_ON(uv_signal_init(sf_loop_uv(s->loop), &s->signals[i]) != 0);
		s->signals[i].data = s;
		SF_BUG_ON(uv_signal_start(&s->signals[i], on_signal, which[i]) != 0);
	}
	signal(SIGPIPE, SIG_IGN);
	sigset_t none; /* a re-exec leaves them blocked */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	reap(s); /* who died while there was no handler */
}

/* ---- life ------------------------------------------------------------------------------------- */

static int start_fresh(struct sf_loop__super *s) {
	int http = s->opts->workers, n = http + s->opts->job_workers;
	s->port = s->opts->port;
	int *fds = sf_malloc((size_t)n * sizeof *fds);
	int err = http ? sf_loop__listen(s->opts->listen, &s->port, http, fds, false) : 0;
	for (int i = http; i < n; i++) fds[i] = -1;
	if (!err) err = sf_shm_open(-1, SHM_BYTES, &s->shm_fd);
	if (!err) {
		sf_loop__cloexec(s->shm_fd, true);
		s->nslots = n;
		s->slots = sf_calloc((size_t)n, sizeof *s->slots);
		for (int i = 0; i < n; i++) sf_loop__slot_init(&s->slots[i], s, i, fds[i]);
	}
	free(fds);
	return err;
}

static int take_over(struct sf_loop__super *s, const char *text) {
	int err = sf_loop__reexec_take(s, text);
	unsetenv("SF_REEXEC");
	if (!err) err = sf_shm_open(s->shm_fd, 0, NULL);
	if (err)
		sf_log(SF_ERROR, "what the old supervisor handed over cannot be read",
			   SF_KV("error", sf_err_symbol(err)));
	return err;
}

static void say_started(const struct sf_loop__super *s) {
	if (s->opts->workers)
		sf_log(SF_INFO, "listening", SF_KV("address", s->opts->listen), SF_KV("port", s->port),
			   SF_KV("workers", s->opts->workers), SF_KV("job_workers", s->opts->job_workers),
			   SF_KV("pid", getpid()), SF_KV("generation", s->generation));
	else
		sf_log(SF_INFO, "started", SF_KV("job_workers", s->opts->job_workers), SF_KV("pid", getpid()),
			   SF_KV("generation", s->generation));
}

int sf_super_run(const struct sf_super_opts *opts) {
	const char *trial = getenv("SF_TRIAL"), *text = getenv("SF_REEXEC"), *path = getenv("SF_BINARY");
	if (trial) return trial_answer(trial);
	SF_BUG_ON(opts->workers + opts->job_workers < 1);
	struct sf_loop__super s = { .opts = opts, .shm_fd = -1, .started = sf_time_now() };
	s.path = path ? sf_strdup(path) : sf_loop__resolve(opts->argv[0]);
	s.loop = sf_loop_new(NULL);
	int code = 1;
	if ((text ? take_over(&s, text) : start_fresh(&s)) == 0) {
		SF_BUG_ON(uv_timer_init(sf_loop_uv(s.loop), &s.leave) != 0);
		s.leave.data = &s;
		sf_loop__procs_draining(false);
		say_started(&s);
		for (int i = 0; i < s.nslots; i++)
			if (!s.slots[i].closed) sf_loop__slot_spawn(&s.slots[i]);
		signals_start(&s);
		sf_loop_run(s.loop);
		code = s.code;
		sf_log(SF_INFO, "server ended", SF_KV("code", code));
	}
	int left = sf_loop_free(s.loop);
	SF_BUG_ON(code != 1 && left != 0);
	free(s.slots);
	free(s.path);
	return code;
}
