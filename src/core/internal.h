/* What the files of core/ share. */
#ifndef SF_CORE_INTERNAL_H
#define SF_CORE_INTERNAL_H

#include "core/core.h"
#include "core/log.h"

struct sf_json;

/* Decimal text of v, at most 20 characters, no NUL; returns the length. */
size_t sf_core__u64(uint64_t v, char *out);
size_t sf_core__i64(int64_t v, char *out); /* at most 20 characters */
/* Exactly two digits of v < 100. */
void sf_core__two(unsigned v, char *out);

static inline bool sf_core__utf8_tail(unsigned char c) {
	return (c & 0xC0) == 0x80;
}

/* Length of the UTF-8 sequence at p (p < end), 1..4, or 0 when it is not valid (RFC 3629). NUL counts as valid. */
static inline size_t sf_core__utf8_step(const unsigned char *p, const unsigned char *end) {
	unsigned char c = p[0];
	size_t left = (size_t)(end - p);
	if (c < 0x80) return 1;
	if (c < 0xC2) return 0; /* a tail byte, or an overlong form of ASCII */
	if (c < 0xE0) return left >= 2 && sf_core__utf8_tail(p[1]) ? 2 : 0;
	if (c < 0xF0) {
		if (left < 3 || !sf_core__utf8_tail(p[1]) || !sf_core__utf8_tail(p[2])) return 0;
		if (c == 0xE0 && p[1] < 0xA0) return 0;  /* overlong */
		if (c == 0xED && p[1] >= 0xA0) return 0; /* surrogates */
		return 3;
	}
	if (c > 0xF4 || left < 4 || !sf_core__utf8_tail(p[1]) || !sf_core__utf8_tail(p[2]) ||
		!sf_core__utf8_tail(p[3]))
		return 0;
	if (c == 0xF0 && p[1] < 0x90) return 0;  /* overlong */
	if (c == 0xF4 && p[1] >= 0x90) return 0; /* past U+10FFFF */
	return 4;
}

/* Shortest decimal text that reads back as v, which must be finite; at most 32 characters, no NUL. */
size_t sf_core__float(double v, char *out);

/* A JSON string with its quotes, escaped, without the comma. */
void sf_core__json_quoted(struct sf_buf *out, struct sf_str s);

/* ---- log_text.c ---- */
/* Appends a line for people. context: what sf_log__text_pairs made of the pairs that every line carries. */
void sf_log__text_line(struct sf_buf *b, bool colour, enum sf_level level, const char *msg,
					   const struct sf_kv *kv, struct sf_str context);
void sf_log__text_pairs(struct sf_buf *b, const struct sf_kv *kv); /* " key=value" of each */

/* Makes the arena's piece p of `old` bytes `n` bytes long, moving it if need be: NULL past the budget
 * or when memory is out, and then p stays as it was. p NULL: a new piece. */
void *sf_core__arena_grow(struct sf_arena *a, void *p, size_t old, size_t n);

#endif
