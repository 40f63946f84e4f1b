/* utf8: checking and counting text by RFC 3629 (no surrogates, no overlong forms, up to U+10FFFF). */
#include "core/core.h"
#include "core/internal.h"

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
	for (size_t i = 0; i < s.n; i++) n += !sf_core__utf8_tail((unsigned char)s.p[i]);
	return n;
}
