/* encode: bytes as hexadecimal, base64url and percent-encoded text, and back. */
#include "core/hash.h"

static const char hex_digits[] = "0123456789abcdef";

void sf_hex(const void *p, size_t n, char *out) {
	const unsigned char *b = p;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = hex_digits[b[i] >> 4];
		out[2 * i + 1] = hex_digits[b[i] & 15];
	}
	out[2 * n] = 0;
}

/* 0..15; more for what is no digit */
static unsigned hex_value(char c) {
	if (c >= '0' && c <= '9') return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A') + 10;
	return 16;
}

int sf_unhex(struct sf_str s, void *out, size_t n) {
	unsigned char *to = out;
	if (s.n != 2 * n) return SF_EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (hex_value(s.p[i]) > 15) return SF_EINVAL;
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)(hex_value(s.p[2 * i]) << 4 | hex_value(s.p[2 * i + 1]));
	return 0;
}

/* ---- base64url ------------------------------------------------------------------------------------ */

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t sf_base64url(const void *p, size_t n, char *out) {
	const unsigned char *b = p;
	char *to = out;
	for (; n >= 3; b += 3, n -= 3) {
		unsigned v = (unsigned)b[0] << 16 | (unsigned)b[1] << 8 | b[2];
		*to++ = b64_digits[v >> 18];
		*to++ = b64_digits[v >> 12 & 63];
		*to++ = b64_digits[v >> 6 & 63];
		*to++ = b64_digits[v & 63];
	}
	if (n) {
		unsigned v = (unsigned)b[0] << 16 | (n == 2 ? (unsigned)b[1] << 8 : 0);
		*to++ = b64_digits[v >> 18];
		*to++ = b64_digits[v >> 12 & 63];
		if (n == 2) *to++ = b64_digits[v >> 6 & 63];
	}
	*to = 0;
	return (size_t)(to - out);
}

static int b64_value(char c) {
	if (c >= 'A' && c <= 'Z') return c - 'A';
	if (c >= 'a' && c <= 'z') return c - 'a' + 26;
	if (c >= '0' && c <= '9') return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* One text has one reading: padding, other characters and left-over bits that are not 0 are refused. */
int sf_unbase64url(struct sf_str s, void *out, size_t cap, size_t *n) {
	unsigned char *to = out;
	size_t len = s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0);
	if (s.n % 4 == 1 || len > cap) return SF_EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (b64_value(s.p[i]) < 0) return SF_EINVAL;
	if (s.n % 4 && b64_value(s.p[s.n - 1]) & (s.n % 4 == 2 ? 15 : 3)) return SF_EINVAL;
	unsigned acc = 0, bits = 0;
	for (size_t i = 0; i < s.n; i++) {
		acc = acc << 6 | (unsigned)b64_value(s.p[i]);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*to++ = (unsigned char)(acc >> bits);
		}
	}
	*n = len;
	return 0;
}

/* ---- percent-encoding ------------------------------------------------------------------------------ */

static bool needs_decoding(struct sf_str s, bool plus) {
	return s.n && (memchr(s.p, '%', s.n) || (plus && memchr(s.p, '+', s.n)));
}

int sf_percent_decode(struct sf_arena *a, struct sf_str s, bool plus, struct sf_str *out) {
	if (!needs_decoding(s, plus)) {
		if (!sf_utf8_valid(s)) return SF_EINVAL;
		*out = s;
		return 0;
	}
	char *text = sf_arena_try(a, s.n + 1);
	if (!text) return SF_ENOMEM;
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			if (s.n - i < 3) return SF_EINVAL;
			unsigned high = hex_value(s.p[i + 1]), low = hex_value(s.p[i + 2]);
			if (high > 15 || low > 15) return SF_EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		text[n++] = c;
	}
	text[n] = 0;
	struct sf_str whole = { text, n };
	if (!sf_utf8_valid(whole)) return SF_EINVAL;
	*out = whole;
	return 0;
}

static bool unreserved(unsigned char c) {
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
		   c == '.' || c == '_' || c == '~';
}

void sf_percent_encode(struct sf_buf *b, struct sf_str s) {
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (unreserved(c)) {
			sf_buf_char(b, (char)c);
		} else {
			char text[3] = { '%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15] };
			sf_buf_add(b, text, 3);
		}
	}
}
