/* json_write: JSON straight into growable text.
 *
 * Text is scanned eight bytes at a time for what must not stand as it is; runs without any are copied whole, so that
 * usual text costs about a memcpy. Multi-byte UTF-8 is checked on the way and stays unescaped. */
#include "core/json.h"
#include "core/internal.h"
#include "core/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- text ------------------------------------------------------------------------------------------ */

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Not 0 when one of the eight bytes is a control character, a quote, a backslash or not ASCII. A borrow may raise a
 * false alarm for a byte above a true one; the first byte reported is always right, and only "any" is asked. */
static inline uint64_t special(uint64_t w) {
	uint64_t quote = w ^ ONES * '"', slash = w ^ ONES * '\\';
	return (w | (w - ONES * 0x20) | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash)) & HIGHS;
}

/* End of the run from p that may stand as it is. */
static const unsigned char *plain_run(const unsigned char *p, const unsigned char *end) {
	for (;;) {
		uint64_t w;
		while ((size_t)(end - p) >= sizeof(w)) {
			memcpy(&w, p, sizeof(w));
			if (special(w)) break;
			p += sizeof(w);
		}
		/* Hangul, kana, Chinese: three bytes whose first leaves the others free */
		while (end - p >= 3 && p[0] >= 0xE1 && p[0] <= 0xEC && sf_core__utf8_tail(p[1]) &&
			   sf_core__utf8_tail(p[2]))
			p += 3;
		/* at most four characters one by one, then the faster ways again */
		for (int i = 0; i < 4; i++) {
			if (p == end || *p < 0x20 || *p == '"' || *p == '\\') return p;
			size_t n = sf_core__utf8_step(p, end);
			if (!n) return p;
			p += n;
		}
	}
}

static void escape(struct sf_buf *out, unsigned char c) {
	static const char hex[] = "0123456789abcdef";
	static const char letters[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
	if (c >= 0x80) { /* not UTF-8 */
		sf_buf_add(out, "\xEF\xBF\xBD", 3);
	} else if (c >= 0x20) { /* quote or backslash */
		sf_buf_add(out, (char[2]) { '\\', (char)c }, 2);
	} else if (letters[c]) {
		sf_buf_add(out, (char[2]) { '\\', letters[c] }, 2);
	} else {
		sf_buf_add(out, (char[6]) { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
	}
}

void sf_core__json_quoted(struct sf_buf *out, struct sf_str s) {
	const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
	sf_buf_char(out, '"');
	while (p < end) {
		const unsigned char *stop = plain_run(p, end);
		sf_buf_add(out, p, (size_t)(stop - p));
		if (stop < end) escape(out, *stop++);
		p = stop;
	}
	sf_buf_char(out, '"');
}

/* ---- numbers ---------------------------------------------------------------------------------------- */

/* Up to 15 digits of which at most six stand behind the point, as prices and ratings do: v is m / 10^k for whole m, and
 * since both are exact and division rounds correctly, the text reads back as v. */
static size_t short_float(double v, char *out) {
	static const double powers[] = { 1, 10, 100, 1e3, 1e4, 1e5, 1e6 };
	double size = fabs(v);
	if (size >= 1e9 && size != floor(size)) return 0;
	if (size >= 1e15) return 0;
	for (unsigned k = 0; k < SF_COUNT(powers); k++) {
		uint64_t m = (uint64_t)(size * powers[k] + 0.5);
		if ((double)m / powers[k] != size) continue;
		size_t n = 0;
		if (signbit(v)) out[n++] = '-';
		uint64_t unit = (uint64_t)powers[k];
		n += sf_core__u64(m / unit, out + n);
		if (!k) return n;
		out[n++] = '.';
		uint64_t rest = m % unit;
		for (unsigned i = k; i-- > 0; rest /= 10) out[n + i] = (char)('0' + rest % 10);
		return n + k;
	}
	return 0;
}

size_t sf_core__float(double v, char *out) {
	size_t n = short_float(v, out);
	if (n) return n;
	for (int digits = 15; digits <= 17; digits++) {
		char text[40];
		int len = snprintf(text, sizeof(text), "%.*g", digits, v);
		if (digits < 17 && strtod(text, NULL) != v) continue;
		memcpy(out, text, (size_t)len);
		return (size_t)len;
	}
	return 0; /* not reached: 17 digits always do */
}

/* ---- the face ---------------------------------------------------------------------------------------- */

static inline void begin_value(struct sf_json *j) {
	if (j->comma) sf_buf_char(j->out, ',');
	j->comma = true;
}

static inline void open(struct sf_json *j, char c) {
	begin_value(j);
	sf_buf_char(j->out, c);
	j->comma = false;
}

static inline void shut(struct sf_json *j, char c) {
	sf_buf_char(j->out, c);
	j->comma = true;
}

void sf_json_obj(struct sf_json *j) {
	open(j, '{');
}

void sf_json_obj_end(struct sf_json *j) {
	shut(j, '}');
}

void sf_json_arr(struct sf_json *j) {
	open(j, '[');
}

void sf_json_arr_end(struct sf_json *j) {
	shut(j, ']');
}

void sf_json_key(struct sf_json *j, const char *key) {
	struct sf_str k = sf_str(key);
	char *p = sf_buf_reserve(j->out, k.n + 4);
	if (!p) return;
	size_t at = 0;
	if (j->comma) p[at++] = ',';
	p[at++] = '"';
	memcpy(p + at, k.p, k.n);
	at += k.n;
	p[at++] = '"';
	p[at++] = ':';
	j->out->n += at;
	j->comma = false;
}

void sf_json_str(struct sf_json *j, struct sf_str s) {
	begin_value(j);
	if (s.p)
		sf_core__json_quoted(j->out, s);
	else
		sf_buf_add(j->out, "null", 4);
}

void sf_json_int(struct sf_json *j, int64_t v) {
	begin_value(j);
	sf_buf_int(j->out, v);
}

void sf_json_float(struct sf_json *j, double v) {
	if (!isfinite(v)) {
		sf_json_null(j);
		return;
	}
	begin_value(j);
	char *p = sf_buf_reserve(j->out, 40);
	if (p) j->out->n += sf_core__float(v, p);
}

void sf_json_bool(struct sf_json *j, bool v) {
	begin_value(j);
	sf_buf_add(j->out, v ? "true" : "false", v ? 4 : 5);
}

void sf_json_null(struct sf_json *j) {
	begin_value(j);
	sf_buf_add(j->out, "null", 4);
}

void sf_json_time(struct sf_json *j, int64_t t) {
	begin_value(j);
	char *p = sf_buf_reserve(j->out, 34);
	if (!p) return;
	size_t n = sf_time_format(t, p + 1);
	p[0] = p[n + 1] = '"';
	j->out->n += n + 2;
}

void sf_json_int_or_null(struct sf_json *j, int64_t v) {
	v ? sf_json_int(j, v) : sf_json_null(j);
}

void sf_json_time_or_null(struct sf_json *j, int64_t t) {
	t ? sf_json_time(j, t) : sf_json_null(j);
}

void sf_json_date(struct sf_json *j, int64_t day) {
	begin_value(j);
	char *p = sf_buf_reserve(j->out, 18);
	if (!p) return;
	size_t n = sf_date_format(day, p + 1);
	p[0] = p[n + 1] = '"';
	j->out->n += n + 2;
}

void sf_json_raw(struct sf_json *j, struct sf_str json) {
	begin_value(j);
	if (json.n)
		sf_buf_str(j->out, json);
	else
		sf_buf_add(j->out, "null", 4);
}

void sf_json_kv(struct sf_json *j, const struct sf_kv *kv) {
	for (; kv->key; kv++) {
		sf_json_key(j, kv->key);
		switch (kv->type) {
		case SF_KV_INT: sf_json_int(j, kv->i); break;
		case SF_KV_FLOAT: sf_json_float(j, kv->f); break;
		case SF_KV_BOOL: sf_json_bool(j, kv->b); break;
		case SF_KV_STR: sf_json_str(j, kv->s); break;
		case SF_KV_RAW: sf_json_raw(j, kv->s); break;
		}
	}
}
