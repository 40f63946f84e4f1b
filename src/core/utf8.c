/* utf8: checking and counting text by RFC 3629 (no surrogates, no overlong forms, up to U+10FFFF). */
#include "core/core.h"
#include "core/internal.h"

static bool tail(unsigned char c) {
	return (c & 0xC0) == 0x80;
}

size_t sf_core__utf8_step(const unsigned char *p, const unsigned char *end) {
	unsigned char c = p[0];
	size_t left = (size_t)(end - p);
	if (c < 0x80) return 1;
	if (c < 0xC2) return 0; /* a tail byte, or an overlong form of ASCII */
	if (c < 0xE0) return left >= 2 && tail(p[1]) ? 2 : 0;
	if (c < 0xF0) {
		if (left < 3 || !tail(p[1]) || !tail(p[2])) return 0;
		if (c == 0xE0 && p[1] < 0xA0) return 0;  /* overlong */
		if (c == 0xED && p[1] >= 0xA0) return 0; /* surrogates */
		return 3;
	}
	if (c > 0xF4 || left < 4 || !tail(p[1]) || !tail(p[2]) || !tail(p[3])) return 0;
	if (c == 0xF0 && p[1] < 0x90) return 0;  /* overlong */
	if (c == 0xF4 && p[1] >= 0x90) return 0; /* past U+10FFFF */
	return 4;
}

bool sf_utf8_valid(struct sf_str s) {
	const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
	while (p < end) {
		/* eight bytes of ASCII without NUL at once; false alarms only make the slow path look */
		uint64_t w;
		if ((size_t)(end - p) >= sizeof(w)) {
			memcpy(&w, p, sizeof(w));
			if (!((w | (w - 0x0101010101010101u)) & 0x8080808080808080u)) {
				p += sizeof(w);
				continue;
			}
		}
		size_t n = *p ? sf_core__utf8_step(p, end) : 0;
		if (!n) return false;
		p += n;
	}
	return true;
}

size_t sf_utf8_len(struct sf_str s) {
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) n += !tail((unsigned char)s.p[i]);
	return n;
}
