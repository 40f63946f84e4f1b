/* buf: text that grows, on the heap or in an arena. */
#include "core/core.h"
#include "core/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST 64 /* bytes of a buffer's first memory, at least */

void sf_buf_init(struct sf_buf *b, struct sf_arena *arena) {
	*b = (struct sf_buf) { .arena = arena };
}

void sf_buf_fini(struct sf_buf *b) {
	if (!b->arena) free(b->p);
	*b = (struct sf_buf) { .arena = b->arena };
}

void sf_buf_clear(struct sf_buf *b) {
	b->n = 0;
	b->failed = false;
}

static __attribute__((noinline)) char *grow(struct sf_buf *b, size_t n) {
	size_t need, cap;
	if (b->failed || __builtin_add_overflow(b->n, n, &need)) goto failed;
	if (need <= b->cap) return b->p + b->n;
	if (__builtin_mul_overflow(b->cap, (size_t)2, &cap) || cap < need) cap = need;
	if (cap < FIRST) cap = FIRST;
	char *p = b->arena ? sf_core__arena_grow(b->arena, b->p, b->cap, cap) : sf_try_realloc(b->p, cap);
	if (!p && cap > need) { /* twice as much is too much; just enough may do */
		cap = need;
		p = b->arena ? sf_core__arena_grow(b->arena, b->p, b->cap, cap) : sf_try_realloc(b->p, cap);
	}
	if (!p) goto failed;
	b->p = p;
	b->cap = cap;
	return p + b->n;
failed:
	b->failed = true;
	return NULL;
}

char *sf_buf_reserve(struct sf_buf *b, size_t n) {
	if (SF_LIKELY(n <= b->cap - b->n && b->p && !b->failed)) return b->p + b->n;
	return grow(b, n);
}

void sf_buf_add(struct sf_buf *b, const void *p, size_t n) {
	char *to = n ? sf_buf_reserve(b, n) : NULL;
	if (!to) return;
	memcpy(to, p, n);
	b->n += n;
}

void sf_buf_str(struct sf_buf *b, struct sf_str s) {
	sf_buf_add(b, s.p, s.n);
}

void sf_buf_cstr(struct sf_buf *b, const char *s) {
	sf_buf_add(b, s, strlen(s));
}

void sf_buf_char(struct sf_buf *b, char c) {
	char *to = sf_buf_reserve(b, 1);
	if (!to) return;
	*to = c;
	b->n++;
}

void sf_buf_int(struct sf_buf *b, int64_t v) {
	char *to = sf_buf_reserve(b, 20);
	if (to) b->n += sf_core__i64(v, to);
}

void sf_buf_printf(struct sf_buf *b, const char *fmt, ...) {
	va_list args;
	va_start(args, fmt);
	size_t room = b->p && !b->failed ? b->cap - b->n : 0;
	int n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, args);
	va_end(args);
	SF_BUG_ON(n < 0);
	if ((size_t)n >= room) {
		char *to = sf_buf_reserve(b, (size_t)n + 1);
		if (!to) return;
		va_start(args, fmt);
		vsnprintf(to, (size_t)n + 1, fmt, args);
		va_end(args);
	}
	b->n += (size_t)n;
}
