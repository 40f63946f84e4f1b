/* str: comparing, cutting and reading borrowed text. */
#include "core/core.h"
#include "core/internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static unsigned char lower(unsigned char c) {
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool sf_str_ieq(struct sf_str a, struct sf_str b) {
	if (a.n != b.n) return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i])) return false;
	return true;
}

bool sf_str_starts(struct sf_str s, struct sf_str prefix) {
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static bool is_space(char c) {
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct sf_str sf_str_trim(struct sf_str s) {
	while (s.n && is_space(s.p[0])) s.p++, s.n--;
	while (s.n && is_space(s.p[s.n - 1])) s.n--;
	return s;
}

bool sf_str_cut(struct sf_str s, char sep, struct sf_str *head, struct sf_str *rest) {
	const char *at = s.n ? memchr(s.p, sep, s.n) : NULL;
	if (!at) {
		*head = s;
		*rest = (struct sf_str) { s.p ? s.p + s.n : NULL, 0 };
		return false;
	}
	*head = (struct sf_str) { s.p, (size_t)(at - s.p) };
	*rest = (struct sf_str) { at + 1, s.n - head->n - 1 };
	return true;
}

int sf_str_int(struct sf_str s, int64_t *out) {
	bool minus = s.n && s.p[0] == '-';
	size_t i = minus;
	if (i == s.n) return SF_EINVAL;
	int64_t v = 0; /* counted downwards, where there is one more number */
	for (; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - '0';
		if (digit > 9) return SF_EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, (int64_t)digit, &v))
			return SF_EINVAL;
	}
	if (!minus && v == INT64_MIN) return SF_EINVAL;
	*out = minus ? v : -v;
	return 0;
}

/* [-] digits [. digits] [e [+-] digits], or [-] . digits: strtod takes more (hex, inf, spaces). */
static bool looks_decimal(struct sf_str s) {
	size_t i = 0, digits = 0;
	if (i < s.n && s.p[i] == '-') i++;
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) digits++;
	if (i < s.n && s.p[i] == '.')
		for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) digits++;
	if (!digits) return false;
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		i++;
		if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
		if (i == s.n) return false;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
	}
	return i == s.n;
}

int sf_str_float(struct sf_str s, double *out) {
	char text[512];
	if (s.n >= sizeof(text) || !looks_decimal(s)) return SF_EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	double v = strtod(text, NULL);
	if (!isfinite(v)) return SF_EINVAL;
	*out = v;
	return 0;
}

/* ---- numbers as text --------------------------------------------------------------------------- */

static const char pairs[201] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
	"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

void sf_core__two(unsigned v, char *out) {
	memcpy(out, pairs + (size_t)2 * (v % 100), 2);
}

size_t sf_core__u64(uint64_t v, char *out) {
	char text[20], *p = text + sizeof(text);
	while (v >= 100) {
		p -= 2;
		memcpy(p, pairs + 2 * (v % 100), 2);
		v /= 100;
	}
	if (v >= 10) {
		p -= 2;
		memcpy(p, pairs + 2 * v, 2);
	} else {
		*--p = (char)('0' + v);
	}
	size_t n = (size_t)(text + sizeof(text) - p);
	memcpy(out, p, n);
	return n;
}

size_t sf_core__i64(int64_t v, char *out) {
	if (v >= 0) return sf_core__u64((uint64_t)v, out);
	*out = '-';
	return 1 + sf_core__u64(-(uint64_t)v, out + 1);
}
