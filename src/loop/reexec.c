/* reexec: the supervisor becomes the binary on disk without letting go of anything.
 *
 * exec keeps the process: its pid, its children and every descriptor that is not close-on-exec. So the listening
 * sockets, the shared memory and the control sockets of the workers stay open, and one line of numbers in
 * the environment (SF_REEXEC) tells the new program what they are:
 *
 *   version generation shm port slots, a listening socket (-1: none) and restarts a slot, workers, slot pid control generation state started a worker
 *
 * Signals are blocked over the exec, and so wait until the new program has its handlers. */
#include "loop/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"

static int workers(const struct sf_loop__super *s) {
	int n = 0;
	for (int i = 0; i < s->nslots; i++)
		for (struct sf_node *p = s->slots[i].procs.next; p != &s->slots[i].procs; p = p->next) n++;
	return n;
}

static void write_state(const struct sf_loop__super *s, struct sf_buf *b) {
	sf_buf_printf(b, "%d %d %d %d %d", SF_LOOP_REEXEC_VERSION, s->generation, s->shm_fd, s->port, s->nslots);
	for (int i = 0; i < s->nslots; i++)
		sf_buf_printf(b, " %d %d", s->slots[i].listen_fd, s->slots[i].restarts);
	sf_buf_printf(b, " %d", workers(s));
	for (int i = 0; i < s->nslots; i++)
		for (struct sf_node *n = s->slots[i].procs.next; n != &s->slots[i].procs; n = n->next) {
			const struct sf_loop__proc *p = SF_CONTAINER(n, struct sf_loop__proc, node);
			sf_buf_printf(b, " %d %d %d %d %d %lld", i, p->pid, p->ctrl, p->generation, (int)p->state,
						  (long long)p->started);
		}
	sf_buf_char(b, '\0');
}

static void keep_open(const struct sf_loop__super *s, bool over_exec) {
	sf_loop__cloexec(s->shm_fd, !over_exec);
	for (int i = 0; i < s->nslots; i++) {
		const struct sf_loop__slot *slot = &s->slots[i];
		if (slot->listen_fd >= 0) sf_loop__cloexec(slot->listen_fd, !over_exec);
		for (struct sf_node *n = slot->procs.next; n != &slot->procs; n = n->next)
			sf_loop__cloexec(SF_CONTAINER(n, struct sf_loop__proc, node)->ctrl, !over_exec);
	}
}

void sf_loop__reexec(struct sf_loop__super *s) {
	struct sf_buf text = { 0 };
	sigset_t all, before;
	write_state(s, &text);
	if (text.failed || setenv("SF_REEXEC", text.p, 1) != 0 || setenv("SF_BINARY", s->path, 1) != 0) {
		sf_log(SF_ERROR, "upgrade given up: no memory");
		sf_buf_fini(&text);
		return;
	}
	sf_buf_fini(&text);
	keep_open(s, true);
	sf_log(SF_INFO, "supervisor becomes the new binary", SF_KV("path", (const char *)s->path),
		   SF_KV("generation", s->generation + 1));
	sf_log_flush();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	execv(s->path, s->opts->argv);
	int err = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	keep_open(s, false);
	unsetenv("SF_REEXEC");
	sf_log(SF_ERROR, "the new binary cannot be run; the old workers go on serving",
		   SF_KV("path", (const char *)s->path), SF_KV("error", (const char *)strerror(err)));
}

/* ---- taking over ------------------------------------------------------------------------------ */

struct reader {
	const char *at;
	bool bad;
};
static int64_t number(struct reader *r) {
	char *end;
	errno = 0;
	long long v = strtoll(r->at, &end, 10);
	if (end == r->at || errno) r->bad = true;
	r->at = end;
	return v;
}

/* Brings the slots that were handed over to what the settings want now. Slots may stand in any order of roles. */
static void fit(struct sf_loop__super *s) {
	int had[2] = { 0 };
	for (int i = 0; i < s->nslots; i++) {
		enum sf_worker_role role = sf_loop__slot_role(&s->slots[i]);
		/* a job worker holds nothing that its slot would have to keep */
		s->slots[i].closed = role == SF_WORKER_JOBS && had[role] >= s->opts->job_workers;
		had[role]++;
	}
	if (s->opts->workers < had[SF_WORKER_HTTP])
		sf_log(SF_WARN,
			   "fewer workers take effect at the next restart: a socket cannot be given up without loss",
			   SF_KV("workers", had[SF_WORKER_HTTP]), SF_KV("wanted", s->opts->workers));
	for (int i = had[SF_WORKER_HTTP]; i < s->opts->workers; i++, s->nslots++) {
		int fd = -1;
		if (sf_loop__listen(s->opts->listen, &s->port, 1, &fd, true) != 0)
			break; /* said in the log; the others serve */
		sf_loop__slot_init(&s->slots[s->nslots], s, s->nslots, fd);
	}
	for (int i = had[SF_WORKER_JOBS]; i < s->opts->job_workers; i++, s->nslots++)
		sf_loop__slot_init(&s->slots[s->nslots], s, s->nslots, -1);
}

int sf_loop__reexec_take(struct sf_loop__super *s, const char *text) {
	struct reader r = { text, false };
	if (number(&r) != SF_LOOP_REEXEC_VERSION) return SF_EVERSION;
	s->generation = (int)number(&r) + 1;
	s->shm_fd = (int)number(&r);
	s->port = (int)number(&r);
	int had = (int)number(&r);
	if (r.bad || had < 1 || had > 4096) return SF_EINVAL;
	s->nslots = had;
	s->slots = sf_calloc((size_t)(had + s->opts->workers + s->opts->job_workers), sizeof *s->slots);
	for (int i = 0; i < had; i++) {
		sf_loop__slot_init(&s->slots[i], s, i, (int)number(&r));
		s->slots[i].restarts = (int)number(&r);
	}
	fit(s);
	for (int64_t n = number(&r); n > 0 && !r.bad; n--) {
		int slot = (int)number(&r), pid = (int)number(&r), ctrl = (int)number(&r), gen = (int)number(&r);
		int state = (int)number(&r);
		int64_t started = number(&r);
		if (r.bad || slot < 0 || slot >= had || state < 0 || state > SF_PROC_DRAINING) break;
		sf_loop__slot_adopt(&s->slots[slot], pid, ctrl, gen, state, started);
	}
	for (int i = 0; i < had; i++)
		if (s->slots[i].closed) sf_loop__slot_stop(&s->slots[i]);
	keep_open(s, false);
	return r.bad ? SF_EINVAL : 0;
}
