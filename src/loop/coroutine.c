/* coroutine: starting, suspending and resuming straight-line C on a stack of its own.
 *
 * Stacks. Each is one mapping: a guard that must never be touched (an overflow kills the worker instead of
 * another request's memory; it is wider than a page, so that a frame of some KiB cannot jump over it), the
 * stack, and at its upper end struct sf_co itself, so that starting a coroutine allocates nothing. What a
 * coroutine leaves is reused by the next one, newest first: its pages are in the cache. Beyond `keep_stacks` idle ones
 * go back to the kernel. Memory of a stack is only what was touched: usually two or three pages.
 *
 * Who runs. The loop's stack is the hub: it resumes a coroutine, and a coroutine that suspends or ends always
 * switches back to it, never to another coroutine. A coroutine that wakes another puts it on the ready
 * line, which the hub drains. So stacks never nest, and a chain of wake-ups needs no recursion.
 *
 * Signal masks are not switched, and floating-point modes are not kept (see switch.c). */
#include "loop/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/log.h"

#ifdef SF_LOOP_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define GUARD_BYTES    ((size_t)64 * 1024)
#define HIGH_WATER_MAX 64 /* stacks looked at for one figure: the newest, which are reused most */

/* ---- sanitizer ------------------------------------------------------------------------------ */

/* ASan must know which stack is in use, or it takes frames of the other for overflows. */
static inline void fiber_leave(void **fake, const void *to_base, size_t to_size) {
#ifdef SF_LOOP_ASAN
	__sanitizer_start_switch_fiber(fake, to_base, to_size);
#else
	(void)fake, (void)to_base, (void)to_size;
#endif
}

static inline void fiber_enter(void *fake, const void **from_base, size_t *from_size) {
#ifdef SF_LOOP_ASAN
	__sanitizer_finish_switch_fiber(fake, from_base, from_size);
#else
	(void)fake, (void)from_base, (void)from_size;
#endif
}

/* ---- stacks --------------------------------------------------------------------------------- */

static size_t stack_usable(const struct sf_co *co) {
	return (size_t)((char *)co - (char *)co->base);
}

static size_t map_size(const struct sf_loop *l) {
	return GUARD_BYTES + l->opts.stack_size;
}

static struct sf_co *stack_map(struct sf_loop *l) {
	size_t n = map_size(l);
	char *map = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (map == MAP_FAILED) return NULL;
	if (mprotect(map + GUARD_BYTES, n - GUARD_BYTES, PROT_READ | PROT_WRITE) != 0) {
		munmap(map, n);
		return NULL;
	}
#ifdef SF_LOOP_ASAN
	__asan_unpoison_memory_region(map + GUARD_BYTES, n - GUARD_BYTES);
#endif
	size_t own = (sizeof(struct sf_co) + 63) & ~(size_t)63;
	struct sf_co *co = (struct sf_co *)(map + n - own);
	co->loop = l, co->map = map, co->base = map + GUARD_BYTES;
	return co;
}

static void stack_unmap(struct sf_co *co) {
	size_t n = map_size(co->loop);
#ifdef SF_LOOP_ASAN
	__asan_unpoison_memory_region(co->base, n - GUARD_BYTES);
#endif
	munmap(co->map, n);
}

/* Bytes of a stack that were ever touched: from its lowest resident page up. */
static size_t stack_touched(const struct sf_co *co) {
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = co->loop->opts.stack_size, pages = n / page;
	unsigned char resident[1024];
	char *at = co->base;
	for (size_t i = 0; i < pages; i += sizeof resident) {
		size_t take = pages - i < sizeof resident ? pages - i : sizeof resident;
		if (mincore(at + i * page, take * page, resident) != 0) return 0;
		for (size_t k = 0; k < take; k++)
			if (resident[k] & 1) return n - (i + k) * page;
	}
	return 0;
}

static void high_water_see(struct sf_loop *l, const struct sf_co *co) {
	size_t touched = stack_touched(co);
	if (touched > l->high_water) l->high_water = touched;
}

size_t sf_loop__high_water(struct sf_loop *l) {
	int n = 0;
	for (const struct sf_co *co = l->idle; co && n < HIGH_WATER_MAX; co = co->next, n++)
		high_water_see(l, co);
	return l->high_water;
}

static struct sf_co *stack_take(struct sf_loop *l) {
	struct sf_co *co = l->idle;
	if (SF_UNLIKELY(!co)) return stack_map(l);
	l->idle = co->next, l->nidle--;
	return co;
}

static void stack_give(struct sf_loop *l, struct sf_co *co) {
	if (SF_UNLIKELY(l->nidle >= l->opts.keep_stacks)) {
		if (l->nidle % 64 == 0) high_water_see(l, co);
		stack_unmap(co);
		return;
	}
	co->next = l->idle, l->idle = co, l->nidle++;
}

void sf_loop__stacks_trim(struct sf_loop *l, size_t keep) {
	sf_loop__high_water(l);
	while (l->nidle > keep) {
		struct sf_co *co = l->idle;
		l->idle = co->next, l->nidle--;
		stack_unmap(co);
	}
}

void sf_loop__stacks_free(struct sf_loop *l) {
	while (l->idle) {
		struct sf_co *co = l->idle;
		l->idle = co->next, l->nidle--;
		stack_unmap(co);
	}
}

void sf_loop__co_abandon(struct sf_co *co) {
	sf_list_del(&co->all);
	co->loop->nlive--;
	stack_unmap(co);
}

/* ---- running -------------------------------------------------------------------------------- */

/* First code on a new stack. Its frame is never left, so it must not be instrumented. */
__attribute__((noreturn, no_sanitize("address"), noinline)) static void entry(void) {
	struct sf_co *co = sf_loop__self->current;
	struct sf_loop *l = co->loop;
	fiber_enter(NULL, &l->main_base, &l->main_size);
	co->fn(co->arg);
	co->done = true;
	fiber_leave(NULL, l->main_base, l->main_size); /* NULL: this stack is finished with */
	sf_loop__ctx_switch(&co->ctx, &l->main);
	__builtin_unreachable();
}

static void run_one(struct sf_loop *l, struct sf_co *co) {
	struct sf_loop *outer = sf_loop__self;
	sf_loop__self = l, l->current = co, *l->watch = co->mark;
	fiber_leave(&l->main_fake, co->base, stack_usable(co));
	sf_loop__ctx_switch(&l->main, &co->ctx);
	fiber_enter(l->main_fake, NULL, NULL);
	l->current = NULL, sf_loop__self = outer, *l->watch = 0;
	if (!co->done) return;
	sf_list_del(&co->all);
	l->nlive--;
	stack_give(l, co);
}

void sf_loop__resume(struct sf_co *co) {
	struct sf_loop *l = co->loop;
	SF_BUG_ON(l->current != NULL);
	run_one(l, co);
	while (!sf_list_empty(&l->ready)) {
		struct sf_co *next = SF_CONTAINER(l->ready.next, struct sf_co, ready);
		sf_list_del(&next->ready);
		run_one(l, next);
	}
}

void sf_loop__suspend(struct sf_co *co) {
	struct sf_loop *l = co->loop;
	fiber_leave(&co->fake, l->main_base, l->main_size);
	sf_loop__ctx_switch(&co->ctx, &l->main);
	fiber_enter(co->fake, &l->main_base, &l->main_size);
}

int sf_co_start(struct sf_loop *l, void (*fn)(void *arg), void *arg, struct sf_co **out) {
	SF_BUG_ON(l->current != NULL);
	struct sf_co *co = SF_LIKELY(l->nlive < l->opts.max_inflight) ? stack_take(l) : NULL;
	if (SF_UNLIKELY(!co)) {
		if (l->nlive < l->opts.max_inflight)
			sf_log(SF_ERROR, "no memory for a coroutine's stack", SF_KV("live", l->nlive),
				   SF_KV("error", (const char *)strerror(errno)));
		l->refused++;
		return SF_EOVERLOAD;
	}
	co->fn = fn, co->arg = arg, co->wait = NULL, co->deadline = 0;
	co->canceled = 0, co->shield = 0, co->mark = 0, co->done = false, co->fake = NULL;
	sf_list_init(&co->ready);
	sf_list_push(&l->live, &co->all);
	sf_loop__ctx_make(&co->ctx, co->base, stack_usable(co), entry);
	l->started++;
	if (++l->nlive > l->peak) l->peak = l->nlive;
	if (out) *out = co;
	sf_loop__resume(co);
	return 0;
}

struct sf_co *sf_co_self(void) {
	return sf_loop__self ? sf_loop__self->current : NULL;
}

/* ---- cancellation --------------------------------------------------------------------------- */

void sf_co_cancel(struct sf_co *co, int reason) {
	SF_BUG_ON(reason >= 0);
	if (co->canceled) return; /* the first reason stays */
	co->canceled = reason;
	if (co->wait && co->wait->cancel && !co->shield) sf_loop__cut(co->wait, reason);
}

int sf_co_canceled(const struct sf_co *co) {
	return co->canceled;
}

void sf_co_deadline(struct sf_co *co, int64_t at_ms) {
	co->deadline = at_ms;
	if (co->wait) sf_loop__deadline_changed(co);
}

int64_t sf_co_deadline_get(const struct sf_co *co) {
	return co->deadline;
}

void sf_co_shield(bool on) {
	struct sf_co *co = sf_co_self();
	SF_BUG_ON(!co);
	SF_BUG_ON(!on && co->shield == 0);
	co->shield += on ? 1u : -1u;
}

/* ---- the watch ------------------------------------------------------------------------------ */

void sf_loop_watch(struct sf_loop *l, volatile uint32_t *at) {
	l->watch = at ? at : &l->unwatched;
	*l->watch = l->current ? l->current->mark : 0;
}

void sf_co_mark(struct sf_co *co, uint32_t mark) {
	struct sf_loop *l = co->loop;
	co->mark = mark;
	if (l->current == co) *l->watch = mark;
}
