/* slot: keeps one place of the server manned.
 *
 *   spawn ──▶ STARTING ──"ready"──▶ READY ──a younger one is ready, or the end──▶ DRAINING ──▶ gone
 *                 │                   │
 *                 └──dies, too late───┴──dies──▶ wait ──▶ spawn
 *
 * At most one worker of a slot is starting. When it is ready the older ones are drained: so a recycled worker, an upgrade
 * and a restart are one thing, and a successor that never gets ready leaves the old worker where it is. All share the slot's
 * socket, so a connection that waits in its queue is taken by whoever is there.
 *
 * The wait before a new try: 100 ms after a worker that had served for a while; each failure in a row
 * doubles it, up to 30 s, which too many ends within a minute reach at once. While a slot waits for long and others serve, its
 * socket rests: it leaves the kernel's group, so that new connections go to the others instead of a queue that nobody
 * reads. Those already in it are refused then, which a client notices at once.
 *
 * A worker whose loop turns says so every second. One that serves and falls silent (a handler that never ends, a lock that
 * nobody gives back) is killed with SIGABRT, for its core says where it stood, and replaced. Silence is counted in
 * looks, so that a machine or a whole process group that slept is not taken for it. */
#include "loop/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/log.h"
#include "core/time.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   30000
#define REST_MS          1000  /* a wait from which on the socket rests */
#define SERVED_MS        5000  /* a worker ready that long was no failure */
#define READY_MS         60000 /* a worker that is not ready by then is taken for stuck */
#define GRACE_MS         3000  /* after drain_ms: closing what is left, before SIGKILL */
#define LOOKS            3     /* in the watchdog's time; as many in a row without a word are silence */
#define ABORT_MS         5000  /* for its core, before SIGKILL */

/* ---- a worker -------------------------------------------------------------------------------- */

static void proc_closed(uv_handle_t *h) {
	struct sf_loop__proc *p = h->data;
	if (--p->handles > 0) return;
	close(p->ctrl);
	free(p);
}

static void proc_gone(struct sf_loop__proc *p) {
	sf_list_del(&p->node);
	uv_close((uv_handle_t *)&p->poll, proc_closed);
	uv_close((uv_handle_t *)&p->timer, proc_closed);
}

static void proc_late(uv_timer_t *t) {
	struct sf_loop__proc *p = t->data;
	sf_log(SF_ERROR,
		   p->state == SF_PROC_STARTING ? "worker not ready in time, killed"
										: "worker did not end in time, killed",
		   SF_KV("slot", p->slot->index), SF_KV("pid", p->pid), SF_KV("generation", p->generation));
	kill(p->pid, SIGKILL);
}

static void proc_silent(uv_timer_t *t) {
	struct sf_loop__proc *p = t->data;
	if (p->silent++ < LOOKS - 1) return;
	sf_log(SF_ERROR, "worker stands still, killed", SF_KV("slot", p->slot->index), SF_KV("pid", p->pid),
		   SF_KV("generation", p->generation), SF_KV("limit_ms", p->slot->super->opts->watchdog_ms));
	kill(p->pid, SIGABRT);
	uv_timer_start(&p->timer, proc_late, ABORT_MS, 0);
}

/* From its first word on: a worker of an older binary, which does not say any, is left alone. */
static void proc_turns(struct sf_loop__proc *p) {
	int64_t limit = p->slot->super->opts->watchdog_ms, look = limit / LOOKS;
	p->turned = true, p->silent = 0;
	if (!limit || p->state != SF_PROC_READY || uv_is_active((uv_handle_t *)&p->timer)) return;
	if (look < SF_LOOP_TURN_MS * 3 / 2) look = SF_LOOP_TURN_MS * 3 / 2;
	uv_timer_start(&p->timer, proc_silent, (uint64_t)look, (uint64_t)look);
}

static void proc_drain(struct sf_loop__proc *p, const char *why) {
	if (p->state == SF_PROC_DRAINING) return;
	p->state = SF_PROC_DRAINING;
	sf_log(SF_INFO, "worker drains", SF_KV("slot", p->slot->index), SF_KV("pid", p->pid),
		   SF_KV("generation", p->generation), SF_KV("why", why));
	kill(p->pid, SIGTERM);
	uv_timer_start(&p->timer, proc_late, (uint64_t)(p->slot->super->opts->drain_ms + GRACE_MS), 0);
}

static void proc_ready(struct sf_loop__proc *p) {
	if (p->state != SF_PROC_STARTING) return;
	struct sf_loop__slot *slot = p->slot;
	p->state = SF_PROC_READY;
	p->ready_ms = sf_loop_now(slot->super->loop);
	uv_timer_stop(&p->timer);
	if (p->turned) proc_turns(p);
	if (slot->listen_fd >= 0) sf_loop__relisten(slot->listen_fd); /* it may have rested */
	sf_log(SF_INFO, "worker ready", SF_KV("slot", slot->index), SF_KV("pid", p->pid),
		   SF_KV("generation", p->generation), SF_KV("after_ms", (sf_time_now() - p->started) / 1000));
	bool younger = false;
	for (struct sf_node *n = slot->procs.next; n != &slot->procs; n = n->next) { /* oldest first */
		struct sf_loop__proc *other = SF_CONTAINER(n, struct sf_loop__proc, node);
		if (other == p)
			younger = true;
		else if (!younger)
			proc_drain(other, "its successor serves");
		else if (other->state == SF_PROC_READY)
			proc_drain(p, "its successor serves already");
	}
	sf_loop__super_changed(slot->super);
}

static struct sf_loop__proc *starting(struct sf_loop__slot *slot) {
	for (struct sf_node *n = slot->procs.next; n != &slot->procs; n = n->next) {
		struct sf_loop__proc *p = SF_CONTAINER(n, struct sf_loop__proc, node);
		if (p->state == SF_PROC_STARTING && p->generation == slot->super->generation) return p;
	}
	return NULL;
}

static void proc_recycle(struct sf_loop__proc *p) {
	struct sf_loop__slot *slot = p->slot;
	if (p->state != SF_PROC_READY || slot->super->phase != SF_SUPER_RUNS) return;
	if (starting(slot) || slot->waiting) return; /* a successor is on its way */
	sf_log(SF_INFO, "worker asks for a successor", SF_KV("slot", slot->index), SF_KV("pid", p->pid));
	sf_loop__slot_spawn(slot);
}

/* The worker speaks in single letters: R ready, C recycle, T its loop turns. Its end of the socket closes when it dies. */
static void proc_says(uv_poll_t *h, int status, int events) {
	(void)status, (void)events;
	struct sf_loop__proc *p = h->data;
	char said[64];
	ssize_t n = recv(p->ctrl, said, sizeof said, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n <= 0) {
		uv_poll_stop(h); /* reaping it will say why */
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (said[i] == 'R') proc_ready(p);
		if (said[i] == 'C') proc_recycle(p);
		if (said[i] == 'T') proc_turns(p);
	}
}

static struct sf_loop__proc *proc_new(struct sf_loop__slot *slot, int pid, int ctrl) {
	uv_loop_t *uv = sf_loop_uv(slot->super->loop);
	struct sf_loop__proc *p = sf_calloc(1, sizeof *p);
	p->slot = slot, p->pid = pid, p->ctrl = ctrl;
	p->generation = slot->super->generation;
	p->handles = 2;
	SF_BUG_ON(uv_poll_init(uv, &p->poll, ctrl) != 0 || uv_timer_init(uv, &p->timer) != 0);
	p->poll.data = p->timer.data = p;
	uv_poll_start(&p->poll, UV_READABLE | UV_DISCONNECT, proc_says);
	sf_list_push(&slot->procs, &p->node);
	return p;
}

/* ---- the slot -------------------------------------------------------------------------------- */

static void respawn(uv_timer_t *t) {
	struct sf_loop__slot *slot = t->data;
	slot->waiting = false;
	sf_loop__slot_spawn(slot);
}

static bool others_serve(const struct sf_loop__slot *slot) {
	const struct sf_loop__super *s = slot->super;
	for (int i = 0; i < s->nslots; i++)
		for (const struct sf_node *n = s->slots[i].procs.next;
			 i != slot->index && s->slots[i].listen_fd >= 0 && n != &s->slots[i].procs; n = n->next)
			if (SF_CONTAINER(n, struct sf_loop__proc, node)->state == SF_PROC_READY) return true;
	return false;
}

static void spawn_later(struct sf_loop__slot *slot) {
	struct sf_loop__super *s = slot->super;
	int64_t now = sf_loop_now(s->loop), delay = BACKOFF_FIRST_MS;
	int most = s->opts->max_restarts_per_min > 0 ? s->opts->max_restarts_per_min : 20;
	if (now - slot->minute_ms > 60000) slot->minute_ms = now, slot->exits = 0;
	for (int i = 1; i < slot->failures && delay < BACKOFF_MAX_MS; i++) delay *= 2;
	if (delay > BACKOFF_MAX_MS || ++slot->exits > most) delay = BACKOFF_MAX_MS;
	slot->waiting = true;
	bool rests =
		slot->listen_fd >= 0 && delay >= REST_MS && sf_list_empty(&slot->procs) && others_serve(slot);
	if (rests) (void)shutdown(slot->listen_fd, SHUT_RD);
	uv_timer_start(&slot->respawn, respawn, (uint64_t)delay, 0);
	sf_log(delay >= 1000 ? SF_ERROR : SF_WARN, "worker will be started again", SF_KV("slot", slot->index),
		   SF_KV("in_ms", delay), SF_KV("failures", slot->failures), SF_KV("socket_rests", rests));
}

void sf_loop__slot_init(struct sf_loop__slot *slot, struct sf_loop__super *s, int index, int listen_fd) {
	*slot = (struct sf_loop__slot) { .super = s, .index = index, .listen_fd = listen_fd };
	sf_list_init(&slot->procs);
	SF_BUG_ON(uv_timer_init(sf_loop_uv(s->loop), &slot->respawn) != 0);
	slot->respawn.data = slot;
}

enum sf_worker_role sf_loop__slot_role(const struct sf_loop__slot *slot) {
	return slot->listen_fd < 0 ? SF_WORKER_JOBS : SF_WORKER_HTTP;
}

void sf_loop__slot_spawn(struct sf_loop__slot *slot) {
	struct sf_loop__super *s = slot->super;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		sf_log(SF_ERROR, "no control channel for a worker", SF_KV("error", (const char *)strerror(errno)));
		slot->failures++;
		spawn_later(slot);
		return;
	}
	const struct sf_loop__var vars[] = {
		{ "SF_WORKER", slot->index },
		{ "SF_ROLE", sf_loop__slot_role(slot) },
		{ "SF_LISTEN_FD", slot->listen_fd },
		{ "SF_CTRL_FD", pair[1] },
		{ "SF_SHM_FD", s->shm_fd },
		{ "SF_GENERATION", s->generation },
		{ NULL, 0 },
	};
	/* the list ends with the first -1: a slot without a socket has none to hand on */
	int pid =
		sf_loop__spawn(s->path, s->opts->argv, vars, (int[]) { pair[1], s->shm_fd, slot->listen_fd, -1 },
					   sf_loop__slot_role(slot) == SF_WORKER_JOBS ? s->opts->job_nice : 0);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		slot->failures++;
		spawn_later(slot);
		return;
	}
	struct sf_loop__proc *p = proc_new(slot, pid, pair[0]);
	p->started = sf_time_now();
	uv_timer_start(&p->timer, proc_late, READY_MS, 0);
	sf_log(SF_INFO, "worker started", SF_KV("slot", slot->index), SF_KV("pid", pid),
		   SF_KV("generation", s->generation));
	sf_loop__super_changed(s);
}

void sf_loop__slot_adopt(struct sf_loop__slot *slot, int pid, int ctrl, int generation, int state,
						 int64_t started) {
	struct sf_loop__proc *p = proc_new(slot, pid, ctrl);
	p->generation = generation, p->started = started;
	p->state = (enum sf_loop__state)state;
	p->ready_ms = state == SF_PROC_STARTING ? 0 : 1;
	if (state == SF_PROC_DRAINING)
		uv_timer_start(&p->timer, proc_late, (uint64_t)(slot->super->opts->drain_ms + GRACE_MS), 0);
}

void sf_loop__slot_stop(struct sf_loop__slot *slot) {
	slot->waiting = false;
	uv_timer_stop(&slot->respawn);
	for (struct sf_node *n = slot->procs.next; n != &slot->procs; n = n->next)
		proc_drain(SF_CONTAINER(n, struct sf_loop__proc, node), "the server stops");
}

void sf_loop__slot_kill(struct sf_loop__slot *slot) {
	for (struct sf_node *n = slot->procs.next; n != &slot->procs; n = n->next)
		kill(SF_CONTAINER(n, struct sf_loop__proc, node)->pid, SIGKILL);
}

/* ---- deaths ---------------------------------------------------------------------------------- */

static const char *exit_hint(int code) {
	switch (code) {
	case 127: return "the program could not be run";
	case SF_WORKER_MISCONFIGURED: return "a setting is wrong, see the line before";
	default: return "see the lines before";
	}
}

static void log_death(const struct sf_loop__proc *p, int status) {
	bool asked = p->state == SF_PROC_DRAINING && ((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
												  (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
	char name[32] = "";
	if (WIFSIGNALED(status)) {
		const char *abbrev = sigabbrev_np(WTERMSIG(status));
		snprintf(name, sizeof name, "SIG%s", abbrev ? abbrev : "?");
	}
	if (asked)
		sf_log(SF_INFO, "worker ended", SF_KV("slot", p->slot->index), SF_KV("pid", p->pid),
			   SF_KV("generation", p->generation));
	else if (WIFSIGNALED(status))
		sf_log(SF_ERROR, "worker died of a signal", SF_KV("slot", p->slot->index), SF_KV("pid", p->pid),
			   SF_KV("signal", (const char *)name), SF_KV("generation", p->generation));
	else
		sf_log(SF_ERROR, "worker exited", SF_KV("slot", p->slot->index), SF_KV("pid", p->pid),
			   SF_KV("status", WEXITSTATUS(status)), SF_KV("generation", p->generation),
			   SF_KV("hint", exit_hint(WEXITSTATUS(status))));
}

/* Whether somebody serves the slot, or is about to. */
static bool manned(struct sf_loop__slot *slot, bool *serves) {
	bool any = slot->waiting || starting(slot) != NULL;
	*serves = false;
	for (struct sf_node *n = slot->procs.next; n != &slot->procs; n = n->next) {
		const struct sf_loop__proc *p = SF_CONTAINER(n, struct sf_loop__proc, node);
		if (p->state == SF_PROC_READY) *serves = true;
	}
	return any || *serves;
}

bool sf_loop__slot_reaped(struct sf_loop__slot *slot, int pid, int status) {
	struct sf_loop__proc *p = NULL;
	for (struct sf_node *n = slot->procs.next; n != &slot->procs && !p; n = n->next)
		if (SF_CONTAINER(n, struct sf_loop__proc, node)->pid == pid)
			p = SF_CONTAINER(n, struct sf_loop__proc, node);
	if (!p) return false;
	log_death(p, status);
	struct sf_loop__super *s = slot->super;
	bool was_starting = p->state == SF_PROC_STARTING, serves;
	bool served = p->ready_ms && sf_loop_now(s->loop) - p->ready_ms >= SERVED_MS;
	bool wanted = p->state != SF_PROC_DRAINING;
	proc_gone(p);
	bool taken_care_of = manned(slot, &serves);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SF_WORKER_MISCONFIGURED) sf_loop__super_misconfigured(s);
	if (s->phase != SF_SUPER_STOPS && !slot->closed && (wanted || !taken_care_of)) {
		slot->restarts++;
		slot->failures = served ? 1 : slot->failures + 1;
		if (was_starting && serves)
			sf_log(SF_ERROR, "the successor did not get ready; the old worker goes on serving",
				   SF_KV("slot", slot->index));
		/* a starting one that died is tried again although the old one serves: it was to be replaced */
		if (!slot->waiting && !starting(slot) && (was_starting || !serves)) spawn_later(slot);
	}
	sf_loop__super_changed(s);
	return true;
}
