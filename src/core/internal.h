/* What the files of core/ share. */
#ifndef SF_CORE_INTERNAL_H
#define SF_CORE_INTERNAL_H

#include "core/core.h"

struct sf_json;

/* Decimal text of v, at most 20 characters, no NUL; returns the length. */
size_t sf_core__u64(uint64_t v, char *out);
size_t sf_core__i64(int64_t v, char *out); /* at most 20 characters */
/* Exactly two digits of v < 100. */
void sf_core__two(unsigned v, char *out);

/* Length of the UTF-8 sequence at p (p < end), 1..4, or 0 when it is not valid (RFC 3629). NUL counts as valid. */
size_t sf_core__utf8_step(const unsigned char *p, const unsigned char *end);

/* Shortest decimal text that reads back as v, which must be finite; at most 32 characters, no NUL. */
size_t sf_core__float(double v, char *out);

/* A JSON string with its quotes, escaped, without the comma. */
void sf_core__json_quoted(struct sf_buf *out, struct sf_str s);

/* Makes the arena's piece p of `old` bytes `n` bytes long, moving it if need be: NULL past the budget
 * or when memory is out, and then p stays as it was. p NULL: a new piece. */
void *sf_core__arena_grow(struct sf_arena *a, void *p, size_t old, size_t n);

#endif
