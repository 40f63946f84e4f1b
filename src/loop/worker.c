/* worker: how a worker process stands to its supervisor.
 *
 * A socket pair joins them. The worker says single letters (R: I serve; C: I want a successor; T, every second: my loop turns); the
 * supervisor says nothing there, but the end of the stream tells a worker that its supervisor is gone. It is asked
 * to drain by SIGTERM. */
#include "loop/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"

static struct {
	bool known; /* the environment was read */
	int slot;   /* -1: no worker */
	enum sf_worker_role role;
	int listen_fd, generation;
	int ctrl; /* -1: none */
	bool attached, drained;
	struct sf_worker *w;
	uv_signal_t term;
	uv_poll_t poll;
	uv_timer_t turns;
} worker = { .slot = -1, .ctrl = -1 };

static int from_env(const char *name, int fallback) {
	const char *text = getenv(name);
	int64_t v;
	if (!text || sf_str_int(sf_str(text), &v) != 0 || v < 0 || v > INT32_MAX) return fallback;
	return (int)v;
}

/* Once a process: takes hold of what was inherited. */
static void inherit(void) {
	int shm = from_env("SF_SHM_FD", -1);
	worker.known = true;
	worker.slot = from_env("SF_WORKER", -1);
	worker.listen_fd = from_env("SF_LISTEN_FD", -1);
	worker.role = from_env("SF_ROLE", SF_WORKER_HTTP) == SF_WORKER_JOBS ? SF_WORKER_JOBS : SF_WORKER_HTTP;
	if (worker.slot < 0 || (worker.role == SF_WORKER_HTTP && worker.listen_fd < 0)) {
		worker.slot = -1;
		return;
	}
	worker.generation = from_env("SF_GENERATION", 0);
	worker.ctrl = from_env("SF_CTRL_FD", -1);
	if (worker.listen_fd >= 0) sf_loop__cloexec(worker.listen_fd, true);
	if (worker.ctrl >= 0) sf_loop__cloexec(worker.ctrl, true);
	if (shm < 0) return;
	sf_loop__cloexec(shm, true);
	if (sf_shm_open(shm, 0, NULL) != 0)
		sf_log(SF_ERROR, "shared memory of the supervisor cannot be used; counters are this worker's alone");
}

bool sf_worker_self(struct sf_worker *w) {
	if (!worker.known) inherit();
	if (worker.slot < 0) return false;
	w->slot = worker.slot, w->role = worker.role;
	w->listen_fd = worker.listen_fd, w->generation = worker.generation;
	return true;
}

static void drain(const char *why) {
	if (worker.drained) return;
	worker.drained = true;
	sf_log(SF_INFO, "worker drains", SF_KV("slot", worker.w->slot), SF_KV("why", why));
	if (worker.w->on_drain) worker.w->on_drain(worker.w->arg);
}

static void on_term(uv_signal_t *h, int sig) {
	(void)h, (void)sig;
	drain("asked by the supervisor");
}

static void on_ctrl(uv_poll_t *h, int status, int events) {
	(void)status, (void)events;
	char said[16];
	ssize_t n = recv(worker.ctrl, said, sizeof said, MSG_DONTWAIT);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
	uv_poll_stop(h);
	drain("the supervisor is gone");
}

/* Never waits: of a supervisor that does not read, there is nothing to be told. */
static void on_turn(uv_timer_t *h) {
	(void)h;
	(void)!send(worker.ctrl, "T", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int sf_worker_attach(struct sf_loop *l, struct sf_worker *w) {
	SF_BUG_ON(worker.attached);
	uv_loop_t *uv = sf_loop_uv(l);
	worker.w = w;
	if (uv_signal_init(uv, &worker.term) != 0) return SF_EIO;
	worker.attached = true;
	if (uv_signal_start(&worker.term, on_term, SIGTERM) != 0) goto fail;
	uv_unref((uv_handle_t *)&worker.term);
	if (worker.ctrl >= 0) {
		if (uv_poll_init(uv, &worker.poll, worker.ctrl) != 0) goto fail;
		uv_poll_start(&worker.poll, UV_READABLE | UV_DISCONNECT, on_ctrl);
		uv_unref((uv_handle_t *)&worker.poll);
		uv_timer_init(uv, &worker.turns);
		uv_timer_start(&worker.turns, on_turn, 0, SF_LOOP_TURN_MS);
		uv_unref((uv_handle_t *)&worker.turns);
	}
	return 0;
fail:
	uv_close((uv_handle_t *)&worker.term, NULL);
	worker.attached = false;
	return SF_EIO;
}

static void say(char letter) {
	if (worker.ctrl >= 0 && send(worker.ctrl, &letter, 1, MSG_NOSIGNAL) != 1)
		sf_log(SF_WARN, "the supervisor cannot be told", SF_KV("error", (const char *)strerror(errno)));
}

void sf_worker_ready(struct sf_worker *w) {
	(void)w;
	say('R');
}

void sf_worker_recycle(struct sf_worker *w) {
	(void)w;
	if (!worker.drained) say('C');
}

void sf_worker_detach(struct sf_worker *w) {
	(void)w;
	if (!worker.attached) return;
	worker.attached = false;
	uv_close((uv_handle_t *)&worker.term, NULL);
	if (worker.ctrl < 0) return;
	uv_close((uv_handle_t *)&worker.poll, NULL);
	uv_close((uv_handle_t *)&worker.turns, NULL);
}
