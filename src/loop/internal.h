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

	/* lag */
	int64_t woke_ms; /* when the poll returned */
	int64_t lag_max;
};

/* coroutine.c */
void sf_loop__resume(struct sf_co *co);       /* from the loop's stack only */
void sf_loop__suspend(struct sf_co *co);      /* from co */
void sf_loop__stacks_free(struct sf_loop *l); /* all idle ones */
void sf_loop__co_abandon(struct sf_co *co);   /* gives the stack of one that will never run again back */
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

#endif
