/* procs: what every process of the server may know about the others, in shared memory.
 *
 * The supervisor alone writes; a sequence number that is odd while it does lets readers notice and try again. */
#include "loop/internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define PROCS_MAX 520

struct table {
	_Atomic uint32_t seq;
	_Atomic uint32_t draining;
	uint32_t n;
	struct sf_proc at[PROCS_MAX];
};

static struct table *table(void) {
	return sf_shm_area("loop.procs", sizeof(struct table));
}

static const char *const state_names[] = {
	[SF_PROC_STARTING] = "starting", [SF_PROC_READY] = "ready", [SF_PROC_DRAINING] = "draining"
};
static const char *const phase_names[] = {
	[SF_SUPER_RUNS] = "ready", [SF_SUPER_LEAVES] = "draining", [SF_SUPER_STOPS] = "draining"
};

static void add(struct table *t, struct sf_proc p, const char *state) {
	if (t->n == PROCS_MAX) return;
	snprintf(p.state, sizeof p.state, "%s", state);
	t->at[t->n++] = p;
}

void sf_loop__procs_publish(const struct sf_loop__super *s) {
	struct table *t = table();
	atomic_fetch_add(&t->seq, 1);
	t->n = 0;
	add(t,
		(struct sf_proc) { .pid = getpid(), .slot = -1, .generation = s->generation, .started = s->started },
		phase_names[s->phase]);
	int numbers[2] = { 0 };
	for (int i = 0; i < s->nslots; i++) {
		const struct sf_loop__slot *slot = &s->slots[i];
		enum sf_worker_role role = sf_loop__slot_role(slot);
		int number = numbers[role]++;
		for (const struct sf_node *n = slot->procs.next; n != &slot->procs; n = n->next) {
			const struct sf_loop__proc *p = SF_CONTAINER(n, struct sf_loop__proc, node);
			add(t,
				(struct sf_proc) { .pid = p->pid,
								   .slot = i,
								   .generation = p->generation,
								   .role = role,
								   .number = number,
								   .started = p->started,
								   .restarts = slot->restarts },
				state_names[p->state]);
		}
		if (slot->waiting)
			add(t,
				(struct sf_proc) { .slot = i,
								   .generation = s->generation,
								   .role = role,
								   .number = number,
								   .restarts = slot->restarts },
				"backoff");
	}
	atomic_fetch_add(&t->seq, 1);
}

void sf_loop__procs_draining(bool on) {
	atomic_store(&table()->draining, on);
}

bool sf_super_draining(void) {
	static struct table *known; /* the area never moves: asked with every /ready */
	if (!known) known = table();
	return atomic_load(&known->draining) != 0;
}

void sf_proc_name(const struct sf_proc *p, char out[32]) {
	if (p->slot < 0)
		snprintf(out, 32, "supervisor");
	else
		snprintf(out, 32, p->role == SF_WORKER_JOBS ? "job worker %d" : "worker %d", p->number);
}

size_t sf_super_processes(struct sf_proc *out, size_t n) {
	struct table *t = table();
	for (int tries = 0; tries < 1000; tries++) {
		uint32_t seq = atomic_load(&t->seq);
		if (seq & 1) continue;
		size_t have = t->n < n ? t->n : n;
		if (have > PROCS_MAX) continue;
		memcpy(out, t->at, have * sizeof *out);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load(&t->seq) == seq) return have;
	}
	return 0; /* the supervisor died while it wrote */
}
