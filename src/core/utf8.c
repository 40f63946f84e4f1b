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

size_t sf_utf8_control(const char *text, const char *end) {
	const unsigned char *p = (const unsigned char *)text;
	size_t left = (size_t)(end - text);
	if (p[0] < 0x20 || p[0] == 0x7F) return 1;
	if (p[0] == 0xC2) return left >= 2 && p[1] >= 0x80 && p[1] < 0xA0 ? 2 : 0;
	if (p[0] != 0xE2 || left < 3) return 0;
	bool turns =
		(p[1] == 0x80 && p[2] >= 0xA8 && p[2] <= 0xAE) || (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9);
	return turns ? 3 : 0;
}

size_t sf_utf8_len(struct sf_str s) {
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) n += !sf_core__utf8_tail((unsigned char)s.p[i]);
	return n;
}
