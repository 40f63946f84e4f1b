/* loop, inside: what loop.c, coroutine.c, await.c and the supervisor's files share. */
#ifndef SF_LOOP_INTERNAL_H
#define SF_LOOP_INTERNAL_H

#include <uv.h>

#include "loop/loop.h"

#if defined(__SANITIZE_ADDRESS__)
#define SF_LOOP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SF_LOOP_ASAN 1
#endif
#endif

/* ---- context (switch.c) --------------------------------------------------------------------- */

#if defined(__x86_64__) || defined(__aarch64__)
#define SF_LOOP_ASM 1
struct sf_loop__ctx {
	void *sp; /* of a context that does not run; its registers lie there */
};
#else
#include <ucontext.h>
struct sf_loop__ctx {
	ucontext_t uc;
};
#endif

/* Makes a context that enters entry() on the stack [base, base + size) when first switched to. entry never returns. */
void sf_loop__ctx_make(struct sf_loop__ctx *c, void *base, size_t size, void (*entry)(void));
/* Keeps the running context in `from` and goes on with `to`. The signal mask is not touched. */
void sf_loop__ctx_switch(struct sf_loop__ctx *from, struct sf_loop__ctx *to);

/* ---- coroutine ------------------------------------------------------------------------------ */

/* Lives at the upper end of its own stack. Lifetime: from start until fn returns; then the stack is idle
 * and `next` links it into the loop's list. */
struct sf_co {
	struct sf_loop__ctx ctx;
	struct sf_loop *loop;
	void (*fn)(void *arg);
	void *arg;
	struct sf_wait *wait; /* what it is suspended in; NULL while it runs or is ready to */
	int64_t deadline;     /* 0: none */
	int canceled;         /* reason or 0 */
	unsigned shield;
	uint32_t mark; /* what the watch shows while it runs */
	bool done;
	struct sf_co *next;   /* idle stacks, newest first */
	struct sf_node ready; /* loop's ready line */
	struct sf_node all;   /* every live coroutine, to name what leaks */
	void *map;            /* start of the mapping: guard, stack, this struct */
	void *base;           /* lowest usable byte */
	void *fake;           /* ASan's fake stack while suspended */
};

/* ---- loop ----------------------------------------------------------------------------------- */

struct sf_loop__call {
	void (*fn)(void *arg);
	void *arg;
};
struct sf_loop__calls {
	struct sf_loop__call *at;
	size_t n, cap;
};

struct sf_loop__timer { /* of a sf_sleep; kept for the next one */
	uv_timer_t uv;
	struct sf_wait *w;
	struct sf_loop__timer *next;
};
struct sf_loop__work { /* of a sf_offload; kept for the next one */
	uv_work_t uv;
	int (*fn)(void *arg);
	void *arg;
	int result;
	struct sf_wait *w;
	struct sf_loop__work *next;
};

struct sf_loop {
	uv_loop_t uv;
	struct sf_loop_opts opts;

	/* coroutines */
	struct sf_co *current;
	struct sf_loop__ctx main;
	void *main_fake; /* ASan: the loop's own stack */
	const void *main_base;
	size_t main_size;
	volatile uint32_t *watch; /* never NULL: nobody looks at `unwatched` */
	uint32_t unwatched;
	struct sf_node ready; /* woken by a coroutine, run when that one suspends or ends */
	struct sf_node live;
	struct sf_co *idle;
	size_t nidle, nlive, peak, high_water;
	uint64_t started, refused;

	/* awaits */
	struct sf_node timed; /* suspended waits that have a deadline */
	uv_timer_t tick;      /* runs while `timed` is not empty */
	struct sf_loop__timer *timers;
	struct sf_loop__work *works;

	/* calls */
	struct sf_loop__calls later, running;
	uv_idle_t idler; /* active while `later` is not empty: the loop must not sleep then */
	uv_prepare_t prepare;
	uv_check_t check;
	uv_async_t async;
	uv_mutex_t post_lock;
	struct sf_loop__calls posted;

	/* memory: see sf_loop__tend */
	int64_t tend_ms;       /* loop time from which it is looked at again */
	uint64_t tend_started; /* coroutines started by then */
	uint64_t tend_rss;     /* resident bytes after it was given back last */

	/* lag */
	int64_t woke_ms; /* when the poll returned */
	int64_t lag_max;
};

/* memory.c */
void sf_loop__tend(struct sf_loop *l); /* every some seconds: gives memory back when little happens */

/* coroutine.c */
void sf_loop__stacks_trim(struct sf_loop *l, size_t keep); /* unmaps idle stacks beyond `keep` */
void sf_loop__resume(struct sf_co *co);                    /* from the loop's stack only */
void sf_loop__suspend(struct sf_co *co);                   /* from co */
void sf_loop__stacks_free(struct sf_loop *l);              /* all idle ones */
void sf_loop__co_abandon(struct sf_co *co); /* gives the stack of one that will never run again back */
size_t sf_loop__high_water(struct sf_loop *l);

/* await.c */
void sf_loop__await_init(struct sf_loop *l);
void sf_loop__await_close(struct sf_loop *l); /* closes the handles kept for reuse */
void sf_loop__await_free(struct sf_loop *l);  /* after the loop ran: frees what needs no close */
void sf_loop__deadline_changed(struct sf_co *co);
/* Ends the suspended, cancellable wait of a coroutine with a reason. */
void sf_loop__cut(struct sf_wait *w, int reason);

/* loop.c */
extern __thread struct sf_loop *sf_loop__self;

/* ---- supervisor ------------------------------------------------------------------------------ */

#define SF_LOOP_TURN_MS 1000 /* how often a worker says that its loop turns */

/* One worker process of a slot. Lifetime: from fork until it is reaped and its handles are closed. */
enum sf_loop__state { SF_PROC_STARTING, SF_PROC_READY, SF_PROC_DRAINING };
struct sf_loop__proc {
	struct sf_loop__slot *slot;
	struct sf_node node; /* of the slot's line, oldest first */
	int pid, ctrl, generation;
	enum sf_loop__state state;
	int64_t started;  /* wall clock µs */
	int64_t ready_ms; /* when it got ready; 0: not yet */
	uv_poll_t poll;   /* on ctrl: what the worker says */
	uv_timer_t timer; /* STARTING: ready in time; READY: looks whether it turns; DRAINING: gone in time */
	bool turned;      /* its loop has said that it turns */
	int silent;       /* looks since it last did */
	int handles;
};

/* A place for a worker: its listening socket stays, whoever serves it. */
struct sf_loop__slot {
	struct sf_loop__super *super;
	int index, listen_fd; /* listen_fd -1: of a worker that runs jobs */
	bool closed;          /* of an upgrade that wants fewer: nobody follows who is there */
	struct sf_node procs;
	uv_timer_t respawn;
	bool waiting;      /* respawn runs */
	int failures;      /* in a row, of workers that did not serve for a while */
	int restarts;      /* since the server was started */
	int64_t minute_ms; /* start of the minute in which `exits` are counted */
	int exits;
};

/* The server. Lifetime: sf_super_run. */
struct sf_loop__super {
	struct sf_loop *loop;
	const struct sf_super_opts *opts;
	char *path; /* of the binary on disk */
	int port, generation, shm_fd, nslots;
	struct sf_loop__slot *slots;
	enum { SF_SUPER_RUNS, SF_SUPER_LEAVES, SF_SUPER_STOPS } phase; /* LEAVES: serves, but /ready says no */
	bool told_up;
	int code; /* exit code */
	uv_signal_t signals[4];
	uv_timer_t leave;
	struct {         /* the new binary's trial before a re-exec */
		int pid, fd; /* pid 0: none */
		bool said_ok;
		int64_t since_ms;
	} trial;
	int64_t started;
};

/* listen.c: n sockets on one port; *port 0 becomes the one found. Logs and returns an error. */
SF_MUSTCHECK
int sf_loop__listen(const char *host, int *port, int n, int *fds, bool shared);

void sf_loop__relisten(int fd); /* a socket that was shut down for reading takes connections again */

/* spawn.c */
char *sf_loop__resolve(const char *argv0); /* path to exec; owned */
void sf_loop__cloexec(int fd, bool on);
/* Forks and execs `path argv` with the variables added and nicer by `nicer`; fds[] (ends with -1) stay open in it. Returns the
 * pid or an error. */
struct sf_loop__var {
	const char *name;
	int64_t value;
};
SF_MUSTCHECK
int sf_loop__spawn(const char *path, char **argv, const struct sf_loop__var *vars, const int *fds, int nicer);

/* procs.c: what everybody may know, in shared memory */
void sf_loop__procs_publish(const struct sf_loop__super *s);
void sf_loop__procs_draining(bool on);

/* slot.c */
void sf_loop__slot_init(struct sf_loop__slot *slot, struct sf_loop__super *s, int index, int listen_fd);
enum sf_worker_role sf_loop__slot_role(const struct sf_loop__slot *slot);
void sf_loop__slot_spawn(struct sf_loop__slot *slot);
void sf_loop__slot_adopt(struct sf_loop__slot *slot, int pid, int ctrl, int generation, int state,
						 int64_t started);
void sf_loop__slot_stop(struct sf_loop__slot *slot); /* no successor any more; drains all */
void sf_loop__slot_kill(struct sf_loop__slot *slot); /* SIGKILL to all */
bool sf_loop__slot_reaped(struct sf_loop__slot *slot, int pid, int status); /* false: not one of its own */

/* supervisor.c: called by slots */
void sf_loop__super_changed(struct sf_loop__super *s);
void sf_loop__super_misconfigured(struct sf_loop__super *s); /* a worker found that it can never serve */

/* reexec.c: hands everything to the binary on disk, in this process */
void sf_loop__reexec(struct sf_loop__super *s); /* returns only when it failed */
SF_MUSTCHECK
int sf_loop__reexec_take(struct sf_loop__super *s, const char *text);
#define SF_LOOP_REEXEC_VERSION 2 /* of the text handed over */

#endif
