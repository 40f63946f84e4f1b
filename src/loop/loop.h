/* loop: one libuv loop a worker process, coroutines on it, and memory shared between the workers.
 *
 * A coroutine is straight-line C that suspends in an await while the loop goes on. Rules:
 *  1. A suspended coroutine is never killed. Deadline, disconnect and drain make its await return
 *     SF_ECANCELED or SF_EDEADLINE, and it unwinds by its own `out:`.
 *  2. The operation under an await is finished or detached before the await returns.
 *  3. libuv handles never live on a coroutine stack or in an arena.
 *  4. Everything here is for the loop's own thread, but for what is said to be thread-safe.
 * Functions marked "~" may suspend: they are called from a coroutine only. */
#ifndef SF_LOOP_LOOP_H
#define SF_LOOP_LOOP_H

#include "core/core.h"

struct uv_loop_s;
struct sf_loop;
struct sf_co;

/* ---- loop ----------------------------------------------------------------------------------- */

struct sf_loop_opts {
	size_t stack_size;   /* usable bytes a coroutine; 0: 128 KiB (512 KiB under ASan) */
	size_t max_inflight; /* coroutines at once; 0: 10,000 */
	size_t keep_stacks;  /* idle stacks kept for reuse; 0: 256 */
};
struct sf_loop *sf_loop_new(const struct sf_loop_opts *opts); /* opts may be NULL */
/* Runs what is pending, closes the loop's own handles. Returns how many handles or coroutines were
 * left behind by others: 0, or the program has a leak (named in the log). */
int sf_loop_free(struct sf_loop *l);
void sf_loop_run(struct sf_loop *l); /* until nothing is left or sf_loop_stop */
void sf_loop_stop(struct sf_loop *l);
struct uv_loop_s *sf_loop_uv(struct sf_loop *l);
struct sf_loop *sf_loop_self(void);     /* the loop of this thread, NULL outside */
int64_t sf_loop_now(struct sf_loop *l); /* monotonic ms, as of this iteration */
/* Calls fn(arg) once, later in this or the next iteration, from the loop (never nested). */
void sf_loop_later(struct sf_loop *l, void (*fn)(void *arg), void *arg);
/* Like it, from any thread. */
void sf_loop_post(struct sf_loop *l, void (*fn)(void *arg), void *arg);

struct sf_loop_stats {
	size_t co_live, co_peak, stacks_idle, stack_high_water; /* high water in bytes, page precision */
	uint64_t co_started, co_refused;
	int64_t lag_ms_max; /* longest time one iteration kept the loop busy since the last call */
};
void sf_loop_stats(struct sf_loop *l, struct sf_loop_stats *out);

/* ---- coroutines ----------------------------------------------------------------------------- */

/* Starts fn(arg) on a pooled, guarded stack and runs it at once up to its first await. SF_EOVERLOAD:
 * max_inflight reached, fn is not called. *out (may be NULL) is valid until fn returns. Not from within a coroutine. */
SF_MUSTCHECK
int sf_co_start(struct sf_loop *l, void (*fn)(void *arg), void *arg, struct sf_co **out);
struct sf_co *sf_co_self(void); /* NULL outside a coroutine */
/* The present or the next cancellable await returns `reason` (SF_ECANCELED, SF_EDRAINING, SF_EDEADLINE), and so do all later ones. */
void sf_co_cancel(struct sf_co *co, int reason);
int sf_co_canceled(const struct sf_co *co);           /* reason, or 0 */
void sf_co_deadline(struct sf_co *co, int64_t at_ms); /* in sf_loop_now time; 0: none. Precision 50 ms. */
int64_t sf_co_deadline_get(const struct sf_co *co);
/* Between shield(true) and shield(false), cancellation waits: for work that must be finished, as a COMMIT. Nests. */
void sf_co_shield(bool on);
/* Where the loop notes whose code it executes, as it goes: the mark of the coroutine that runs, 0 between them. For memory
 * that outlives the process. NULL: nowhere. */
void sf_loop_watch(struct sf_loop *l, volatile uint32_t *at);
void sf_co_mark(struct sf_co *co, uint32_t mark); /* 0 at the start */

/* ---- awaiting ------------------------------------------------------------------------------- */

/* One await: lives on the coroutine's stack. Set `cancel` (and `arg`) when the operation can be
 * detached; it is called from the loop and must leave nothing that would wake this wait later. NULL:
 * the await cannot be cut short, and cancellation shows at the next one. */
struct sf_wait {
	void (*cancel)(struct sf_wait *w);
	void *arg;
	int result;
	/* private */
	struct sf_co *co;
	struct sf_node node;  /* free for the operation's own waiting line; sf_wait_init makes it a ring of one */
	struct sf_node timed; /* the loop's list of waits with a deadline */
	int64_t until;
	uint8_t state;
};
void sf_wait_init(struct sf_wait *w, void (*cancel)(struct sf_wait *w), void *arg);
/* ~ Suspends until sf_wake, cancellation or the deadline. Returns the result given to sf_wake, or the
 * reason. Returns at once if sf_wake came first. max_ms < 0: only the coroutine's own deadline counts. */
SF_MUSTCHECK
int sf_await(struct sf_wait *w, int64_t max_ms);
/* Ends the await. From the loop: the coroutine runs now, before this returns. From a coroutine: it
 * runs once that one suspends. Waking twice is a bug. */
void sf_wake(struct sf_wait *w, int result);

SF_MUSTCHECK
int sf_sleep(int64_t ms); /* ~ 0, or the reason of a cancellation */
/* ~ Lets everything else that is ready run once, for a computation too long for one turn of the loop. 0, or the reason of a
 * cancellation. */
SF_MUSTCHECK
int sf_yield(void);
SF_MUSTCHECK
int sf_wait_fd(int fd, int events,
			   int64_t max_ms); /* ~ UV_READABLE|UV_WRITABLE; returns the events (> 0) or an error */
/* ~ Runs fn(arg) on libuv's thread pool and returns what it returned. Cannot be cut short, so arg may live on the stack. */
SF_MUSTCHECK
int sf_offload(int (*fn)(void *arg), void *arg);

/* ---- memory shared by all workers ------------------------------------------------------------ */

/* Called once by the supervisor before workers start; -1 for fd makes a new memfd. Workers are given
 * the fd in the environment (SF_SHM_FD). Without a call, areas are private to the process (tests, tools). */
SF_MUSTCHECK
int sf_shm_open(int fd, size_t size, int *fd_out);
/* The area of that name: the same memory in every worker, zeroed at first, 64-byte aligned. Asking
 * with another size makes a new area (a new binary's layout). Thread-safe. Aborts when full. */
void *sf_shm_area(const char *name, size_t size);
/* Walks the areas whose name starts with `prefix`; fn gets name, memory and size. */
void sf_shm_each(const char *prefix, void (*fn)(const char *name, void *p, size_t n, void *arg), void *arg);

/* ---- memory ---------------------------------------------------------------------------------- */

uint64_t sf_memory_resident(void); /* bytes of this process; 0: the kernel does not say */

/* ---- supervisor ------------------------------------------------------------------------------ */

/* What a worker does: answer requests on its slot's socket, or run jobs, without a socket. */
enum sf_worker_role { SF_WORKER_HTTP, SF_WORKER_JOBS };

/* Parent of all workers, as nginx's master: owns the listening sockets (one SO_REUSEPORT socket a
 * worker slot, never closed while it lives, so that no queued connection is lost), restarts what dies
 * with backoff, SIGTERM/SIGINT: drain; SIGHUP: re-exec itself from disk, new workers on the same
 * sockets, old ones drained. Workers are exec'd too: `argv0 <argv...>` with SF_WORKER=<slot> and SF_ROLE=<role>. */
struct sf_super_opts {
	const char *listen;    /* "0.0.0.0", "127.0.0.1", "::" */
	int port;              /* 0: any free port, printed in the log line "listening" */
	int workers;           /* that answer requests; 0: none, and nothing is listened on */
	int job_workers;       /* that run jobs; at least one worker in all */
	int job_nice;          /* added to the niceness of those that run jobs, 0 to 19 */
	int64_t drain_ms;      /* time limit for in-flight work */
	int64_t drain_wait_ms; /* keep accepting that long after /ready turned 503 */
	int64_t
		watchdog_ms; /* a worker whose loop stands still that long, 4.5 s at least, is replaced; 0: none */
	int max_restarts_per_min; /* of one slot before backoff reaches its longest (30 s); 0: 20 */
	char **argv;              /* of this process, for the re-exec and the workers */
	/* Called once, when every worker serves for the first time (not again after a re-exec); may be NULL. */
	void (*on_up)(int port, void *arg);
	void *arg;
};
/* Runs until a signal ends it; returns the exit code. */
int sf_super_run(const struct sf_super_opts *opts);

/* Exit code of a worker that no second try can help: a setting is wrong. Before any worker of a new server was ready, the
 * server then stops with code 2, and its log says why. */
#define SF_WORKER_MISCONFIGURED 78

/* In a worker: how it stands to its supervisor. */
struct sf_worker {
	int slot; /* 0.., over all roles */
	enum sf_worker_role role;
	int listen_fd;               /* this slot's listening socket, non-blocking; SF_WORKER_JOBS: -1 */
	int generation;              /* counts re-execs */
	void (*on_drain)(void *arg); /* SIGTERM from the supervisor, or the supervisor is gone */
	void *arg;
};
/* Fills *w from the environment (on_drain and arg stay as they are) and opens the shared memory; false when this process is
 * no worker. May be asked again; the first time before any sf_shm_area. */
bool sf_worker_self(struct sf_worker *w);
/* Installs signals and the control pipe on the loop; call on_drain at most once. w stays valid. */
SF_MUSTCHECK
int sf_worker_attach(struct sf_loop *l, struct sf_worker *w);
void sf_worker_ready(struct sf_worker *w);   /* tells the supervisor that this worker serves */
void sf_worker_recycle(struct sf_worker *w); /* asks for a successor; on_drain follows once it serves */
void sf_worker_detach(struct sf_worker *w);  /* closes the handles; before sf_loop_free */
/* True once the whole server drains (shared by all workers): /ready answers 503. */
bool sf_super_draining(void);
struct sf_proc {
	int pid, slot, generation;
	enum sf_worker_role role;
	int number;      /* among the slots of its role, 0.. */
	int64_t started; /* wall clock µs */
	int restarts;
	char state[16]; /* "starting", "ready", "draining", "backoff" */
};
/* "supervisor", "worker 0", "job worker 1". */
void sf_proc_name(const struct sf_proc *p, char out[32]);
/* Up to n entries about supervisor (slot -1) and workers, from shared memory; returns how many. */
size_t sf_super_processes(struct sf_proc *out, size_t n);

/* ---- looking on from outside ----------------------------------------------------------------------- */

struct sf_instance { /* a supervisor with its workers that runs on this machine */
	int pid;         /* the supervisor's */
	char memory[64]; /* path of its shared memory */
};
/* Those that this user may look into (their own, and root all), the first n by pid; returns how many there are. Blocks. */
size_t sf_instances(struct sf_instance *out, size_t n);
/* Makes the memory of that instance the one that sf_shm_area and sf_super_processes see; once, before their first use. SF_EUNAVAILABLE: it
 * ended meanwhile. SF_EINVAL: it is no instance of this version. */
SF_MUSTCHECK
int sf_instance_join(const struct sf_instance *i);

#endif
