/* arena: memory of one lifetime, handed out by moving a pointer and given back all at once.
 *
 * An arena starts in a block of 8 KiB that also holds its own struct, which is enough for most requests;
 * such blocks go to a short free list of the thread instead of to the heap. When the first few are full,
 * larger ones follow, so that a big answer does not make a long chain. A piece larger than a quarter of a
 * block gets memory of its own: the rest of the present block stays in use, and a buffer that grows as the
 * newest such piece is grown by realloc, which moves pages instead of bytes.
 *
 * Under AddressSanitizer what is not handed out is poisoned, so that overruns and uses after the end are
 * reported as with malloc. */
#include "core/core.h"
#include "core/internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define UNDER_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(UNDER_ASAN)
#include <sanitizer/asan_interface.h>
/* not inlined: gcc would warn that the runtime is shown memory that was never written */
static __attribute__((noinline)) void poison(void *p, size_t n) {
	__asan_poison_memory_region(p, n);
}
static __attribute__((noinline)) void unpoison(void *p, size_t n) {
	__asan_unpoison_memory_region(p, n);
}
#else
static inline void poison(void *p, size_t n) {
	(void)p, (void)n;
}
static inline void unpoison(void *p, size_t n) {
	(void)p, (void)n;
}
#endif

#define ALIGN        16u
#define BLOCK        ((size_t)8192)  /* whole, with its header */
#define LARGE_BLOCK  ((size_t)65536) /* what follows after SMALL_BLOCKS */
#define SMALL_BLOCKS 4
#define OWN_PIECE    (BLOCK / 4) /* larger pieces get memory of their own */
#define KEEP         64          /* blocks on a thread's free list */
#define BUDGET       ((size_t)64 << 20)

struct block {
	_Alignas(ALIGN) struct block *next;
	size_t size; /* bytes of data */
	char data[];
};

struct defer {
	void (*fn)(void *arg);
	void *arg;
	struct defer *next;
};

struct sf_arena {
	char *at, *end;       /* free part of the newest block */
	struct block *blocks; /* newest first; the last one holds this struct */
	struct block *own;    /* pieces with memory of their own, newest first */
	struct defer *defers; /* newest first */
	size_t nblocks, used, budget;
};

static size_t rounded(size_t n) {
	return (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

/* ---- the free list ---------------------------------------------------------------------------- */

static _Thread_local struct spare {
	struct block *list;
	size_t n;
	bool watched; /* the thread's end will free the list */
} spare;
static pthread_key_t spare_key;
static pthread_once_t spare_once = PTHREAD_ONCE_INIT;

static void spare_free(void *arg) {
	struct spare *s = arg;
	while (s->list) {
		struct block *b = s->list;
		unpoison(b->data, b->size);
		s->list = b->next;
		free(b);
	}
	s->n = KEEP; /* what this thread still gives back goes to the heap */
}

void sf_arena_trim(void) {
	spare_free(&spare);
	spare.n = 0;
}

static void spare_key_make(void) {
	SF_BUG_ON(pthread_key_create(&spare_key, spare_free) != 0);
}

static struct block *block_take(void) {
	struct block *b = spare.list;
	if (b) {
		spare.list = b->next;
		spare.n--;
		return b;
	}
	b = sf_malloc(BLOCK);
	b->size = BLOCK - sizeof(*b);
	poison(b->data, b->size);
	return b;
}

static void block_give(struct block *b) {
	if (b->size != BLOCK - sizeof(*b) || spare.n >= KEEP) {
		unpoison(b->data, b->size);
		free(b);
		return;
	}
	if (!spare.watched) {
		spare.watched = true;
		pthread_once(&spare_once, spare_key_make);
		pthread_setspecific(spare_key, &spare);
	}
	poison(b->data, b->size);
	b->next = spare.list;
	spare.list = b;
	spare.n++;
}

/* ---- lifetime ---------------------------------------------------------------------------------- */

static void start_block(struct sf_arena *a, struct block *b) {
	b->next = a->blocks;
	a->blocks = b;
	a->nblocks++;
	a->at = b->data;
	a->end = b->data + b->size;
}

struct sf_arena *sf_arena_new(size_t budget) {
	struct block *b = block_take();
	unpoison(b->data, sizeof(struct sf_arena));
	struct sf_arena *a = (struct sf_arena *)b->data;
	*a = (struct sf_arena) { .budget = budget ? budget : BUDGET };
	start_block(a, b);
	a->at += rounded(sizeof(*a));
	return a;
}

/* A disposer may still use the arena, and may add another one. */
static void dispose(struct sf_arena *a) {
	while (a->defers) {
		struct defer *d = a->defers;
		a->defers = d->next;
		d->fn(d->arg);
	}
}

static void own_free(struct sf_arena *a) {
	while (a->own) {
		struct block *b = a->own;
		a->own = b->next;
		free(b);
	}
}

void sf_arena_free(struct sf_arena *a) {
	if (!a) return;
	dispose(a);
	own_free(a);
	for (struct block *b = a->blocks, *next; b; b = next) {
		next = b->next;
		block_give(b);
	}
}

void sf_arena_reset(struct sf_arena *a) {
	dispose(a);
	own_free(a);
	while (a->blocks->next) {
		struct block *b = a->blocks;
		a->blocks = b->next;
		block_give(b);
	}
	a->nblocks = 1;
	a->used = 0;
	a->at = a->blocks->data + rounded(sizeof(*a));
	a->end = a->blocks->data + a->blocks->size;
	poison(a->at, (size_t)(a->end - a->at));
}

size_t sf_arena_used(const struct sf_arena *a) {
	return a->used;
}

/* ---- handing out ------------------------------------------------------------------------------- */

static void *own_piece(struct sf_arena *a, size_t n) {
	struct block *b = malloc(sizeof(*b) + n);
	if (!b) return NULL;
	b->size = n;
	b->next = a->own;
	a->own = b;
	a->used += n;
	return b->data;
}

static __attribute__((noinline)) void *take_slow(struct sf_arena *a, size_t n, size_t whole) {
	if (n > OWN_PIECE) return own_piece(a, n);
	struct block *b;
	if (a->nblocks < SMALL_BLOCKS) {
		b = block_take();
	} else {
		b = malloc(LARGE_BLOCK);
		if (!b) return NULL;
		b->size = LARGE_BLOCK - sizeof(*b);
		poison(b->data, b->size);
	}
	start_block(a, b);
	void *p = a->at;
	a->at += whole;
	a->used += whole;
	unpoison(p, n);
	return p;
}

static inline void *take(struct sf_arena *a, size_t n) {
	if (SF_UNLIKELY(n > SIZE_MAX / 2)) return NULL;
	size_t whole = rounded(n ? n : 1);
	if (SF_UNLIKELY(whole > (size_t)(a->end - a->at))) return take_slow(a, n, whole);
	void *p = a->at;
	a->at += whole;
	a->used += whole;
	unpoison(p, n);
	return p;
}

void *sf_arena_alloc(struct sf_arena *a, size_t n) {
	void *p = take(a, n);
	SF_BUG_ON(!p);
	return p;
}

void *sf_arena_zalloc(struct sf_arena *a, size_t n) {
	return memset(sf_arena_alloc(a, n), 0, n);
}

void *sf_arena_try(struct sf_arena *a, size_t n) {
	if (n > a->budget || a->used > a->budget - n) return NULL;
	return take(a, n);
}

static void *grow_own(struct sf_arena *a, size_t n) {
	size_t old = a->own->size;
	struct block *b = realloc(a->own, sizeof(*b) + n);
	if (!b) return NULL;
	b->size = n;
	a->own = b;
	a->used += n - old;
	return b->data;
}

void *sf_core__arena_grow(struct sf_arena *a, void *p, size_t old, size_t n) {
	if (n <= old && p) return p;
	if (!p) return sf_arena_try(a, n);
	if (n - old > a->budget || a->used > a->budget - (n - old)) return NULL;
	if (a->own && p == a->own->data) return grow_own(a, n);
	size_t whole = rounded(old ? old : 1), more = rounded(n) - whole;
	if ((char *)p + whole == a->at && more <= (size_t)(a->end - a->at)) {
		a->at += more;
		a->used += more;
		unpoison(p, n);
		return p;
	}
	void *q = sf_arena_try(a, n);
	if (q) memcpy(q, p, old);
	return q;
}

/* ---- text and disposers ------------------------------------------------------------------------ */

char *sf_arena_cstr(struct sf_arena *a, struct sf_str s) {
	char *p = sf_arena_alloc(a, s.n + 1);
	if (s.n) memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return p;
}

struct sf_str sf_arena_str(struct sf_arena *a, struct sf_str s) {
	if (!s.p) return SF_STR_NULL;
	return (struct sf_str) { sf_arena_cstr(a, s), s.n };
}

struct sf_str sf_arena_line(struct sf_arena *a, struct sf_str s) {
	char *p = sf_arena_alloc(a, s.n + 1);
	size_t n = 0;
	for (size_t i = 0, control; i < s.n; i += control ? control : 1) {
		control = sf_utf8_control(s.p + i, s.p + s.n);
		p[n++] = control ? ' ' : s.p[i];
	}
	p[n] = 0;
	return (struct sf_str) { p, n };
}

struct sf_str sf_arena_printf(struct sf_arena *a, const char *fmt, ...) {
	char small[256];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	SF_BUG_ON(n < 0);
	if ((size_t)n < sizeof(small)) return sf_arena_str(a, (struct sf_str) { small, (size_t)n });
	char *p = sf_arena_alloc(a, (size_t)n + 1);
	va_start(args, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, args);
	va_end(args);
	return (struct sf_str) { p, (size_t)n };
}

void sf_arena_defer(struct sf_arena *a, void (*fn)(void *arg), void *arg) {
	struct defer *d = sf_arena_alloc(a, sizeof(*d));
	*d = (struct defer) { fn, arg, a->defers };
	a->defers = d;
}
