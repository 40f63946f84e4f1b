/* log_text: a log line for a person at a terminal.
 *
 *   14:03:07 GET    /api/coocook/chefs 200 1.3 ms
 *   14:03:08 warn   database cannot be reached  error="connection refused" slot=1
 *
 * Times are of this machine's zone. Control characters are escaped: a path that a client sends must not move the cursor. */
#include "core/internal.h"
#include "core/time.h"

#include <time.h>

#define DIM    "\x1b[2m"
#define RED    "\x1b[31m"
#define GREEN  "\x1b[32m"
#define YELLOW "\x1b[33m"
#define CYAN   "\x1b[36m"
#define PLAIN  "\x1b[0m"

static void in_colour(struct sf_buf *b, bool colour, const char *code) {
	if (colour) sf_buf_cstr(b, code);
}

static void escape(struct sf_buf *b, struct sf_str s) {
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i], next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;
		if (c == '\n')
			sf_buf_cstr(b, "\\n");
		else if (c < 0x20 || c == 0x7f)
			sf_buf_printf(b, "\\x%02x", c);
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0) /* U+0080 to U+009F: C1 controls */
			sf_buf_printf(b, "\\x%02x", next), i++;
		else
			sf_buf_char(b, s.p[i]);
	}
}

static void value(struct sf_buf *b, const struct sf_kv *kv) {
	switch (kv->type) {
	case SF_KV_INT: sf_buf_printf(b, "%lld", (long long)kv->i); break;
	case SF_KV_FLOAT: sf_buf_printf(b, "%.6g", kv->f); break;
	case SF_KV_BOOL: sf_buf_cstr(b, kv->b ? "yes" : "no"); break;
	case SF_KV_STR:
	case SF_KV_RAW: {
		bool quote = kv->s.n == 0 || memchr(kv->s.p, ' ', kv->s.n) || memchr(kv->s.p, '=', kv->s.n);
		if (quote) sf_buf_char(b, '"');
		escape(b, kv->s);
		if (quote) sf_buf_char(b, '"');
		break;
	}
	}
}

static bool is_null(const struct sf_kv *kv) {
	return (kv->type == SF_KV_STR || kv->type == SF_KV_RAW) && !kv->s.p;
}

void sf_log__text_pairs(struct sf_buf *b, const struct sf_kv *kv) {
	for (; kv->key; kv++) {
		if (is_null(kv)) continue;
		sf_buf_printf(b, " %s=", kv->key);
		value(b, kv);
	}
}

static void clock_time(struct sf_buf *b, bool colour) {
	time_t now = (time_t)(sf_time_now() / SF_USEC);
	struct tm tm;
	char text[16] = "";
	if (localtime_r(&now, &tm)) (void)strftime(text, sizeof text, "%H:%M:%S", &tm);
	in_colour(b, colour, DIM);
	sf_buf_cstr(b, text);
	in_colour(b, colour, PLAIN);
}

static const struct sf_kv *find(const struct sf_kv *kv, const char *key) {
	for (; kv->key; kv++)
		if (strcmp(kv->key, key) == 0) return is_null(kv) ? NULL : kv;
	return NULL;
}

/* The line of a request, as app/ writes it: method, path, status and duration are what a person looks for. */
static void request_line(struct sf_buf *b, bool colour, const struct sf_kv *kv) {
	const struct sf_kv *method = find(kv, "method"), *path = find(kv, "path"), *status = find(kv, "status"),
					   *us = find(kv, "us"), *user = find(kv, "user"), *id = find(kv, "request_id");
	if (!path) path = find(kv, "route"); /* of a path that is a secret */
	int64_t code = status ? status->i : 0;
	struct sf_str verb = method ? method->s : SF_STR("?");
	sf_buf_printf(b, " %-6.*s ", SF_ARG(verb));
	if (path) escape(b, path->s);
	in_colour(b, colour, code >= 500 ? RED : code >= 400 ? YELLOW : code >= 300 ? CYAN : GREEN);
	sf_buf_printf(b, " %lld", (long long)code);
	in_colour(b, colour, PLAIN);
	if (us) sf_buf_printf(b, " %.1f ms", (double)us->i / 1000);
	in_colour(b, colour, DIM);
	if (user && user->i) sf_buf_printf(b, " user=%lld", (long long)user->i);
	if (id && code >= 500) sf_buf_printf(b, " request_id=" SF_PRI, SF_ARG(id->s));
	in_colour(b, colour, PLAIN);
}

void sf_log__text_line(struct sf_buf *b, bool colour, enum sf_level level, const char *msg,
					   const struct sf_kv *kv, struct sf_str context) {
	static const char *const names[] = {
		[SF_DEBUG] = "debug", [SF_INFO] = "info", [SF_WARN] = "warn", [SF_ERROR] = "error"
	};
	static const char *const colours[] = {
		[SF_DEBUG] = DIM, [SF_INFO] = "", [SF_WARN] = YELLOW, [SF_ERROR] = RED
	};
	clock_time(b, colour);
	if (strcmp(msg, "request") == 0 && find(kv, "method")) {
		request_line(b, colour, kv);
	} else {
		in_colour(b, colour, colours[level]);
		sf_buf_printf(b, " %-6s ", names[level]);
		in_colour(b, colour, PLAIN);
		sf_buf_cstr(b, msg);
		in_colour(b, colour, DIM);
		sf_log__text_pairs(b, kv);
		sf_buf_str(b, context);
		in_colour(b, colour, PLAIN);
	}
	sf_buf_char(b, '\n');
}
