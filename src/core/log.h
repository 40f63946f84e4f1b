/* log: one JSON object a line, on standard error; on a terminal, lines for people (log_text.c).
 *
 * sf_log(SF_INFO, "worker started", SF_KV("pid", pid), SF_KV("slot", slot));
 * → {"time":"…Z","level":"info","msg":"worker started","pid":41,"slot":0}
 *
 * The message is fixed text, what varies are key–value pairs, and no pair is evaluated below the level.
 * Lines gather in a buffer that the loop flushes once an iteration; errors flush at once. */
#ifndef SF_CORE_LOG_H
#define SF_CORE_LOG_H

#include "core/core.h"

enum sf_level { SF_DEBUG, SF_INFO, SF_WARN, SF_ERROR };

/* A key with a typed value: for the log and for JSON answers. Build with SF_KV. */
struct sf_kv {
	const char *key;
	enum sf_kv_type { SF_KV_INT, SF_KV_FLOAT, SF_KV_BOOL, SF_KV_STR, SF_KV_RAW } type;
	union {
		int64_t i;
		double f;
		bool b;
		struct sf_str s; /* SF_KV_RAW: JSON text to be put in as it is; NULL p writes null */
	};
};
static inline struct sf_kv sf_kv_int(const char *k, int64_t v) {
	return (struct sf_kv) { .key = k, .type = SF_KV_INT, .i = v };
}
static inline struct sf_kv sf_kv_float(const char *k, double v) {
	return (struct sf_kv) { .key = k, .type = SF_KV_FLOAT, .f = v };
}
static inline struct sf_kv sf_kv_bool(const char *k, bool v) {
	return (struct sf_kv) { .key = k, .type = SF_KV_BOOL, .b = v };
}
static inline struct sf_kv sf_kv_str(const char *k, struct sf_str v) {
	return (struct sf_kv) { .key = k, .type = SF_KV_STR, .s = v };
}
static inline struct sf_kv sf_kv_cstr(const char *k, const char *v) {
	return (struct sf_kv) { .key = k, .type = SF_KV_STR, .s = sf_str(v) };
}
struct sf_kv sf_kv_time(const char *k, int64_t t, char buf[32]); /* ISO text kept in buf */
#define SF_KV(key, value)                                                                                    \
	_Generic((value), bool: sf_kv_bool, float: sf_kv_float, double: sf_kv_float,                   \
			 char *: sf_kv_cstr, const char *: sf_kv_cstr, struct sf_str: sf_kv_str,               \
			 default: sf_kv_int)(key, value)

extern enum sf_level sf_log_level_now; /* read by the macro only; set with sf_log_setup */
#define sf_log(level, msg, ...)                                                                              \
	do {                                                                                                     \
		if ((level) >= sf_log_level_now)                                                                     \
			sf_log_write(level, msg, (const struct sf_kv[]) { __VA_ARGS__ __VA_OPT__(, ) { 0 } });           \
	} while (0)

enum sf_log_format {
	SF_LOG_JSON,
	SF_LOG_TEXT, /* in colour on a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb */
	SF_LOG_AUTO, /* SF_LOG_TEXT where lines go to a terminal, else SF_LOG_JSON */
};
/* level: lines below it are dropped. fd: where lines go (2 by default; not closed). */
void sf_log_setup(enum sf_level level, int fd);
void sf_log_set_format(enum sf_log_format format); /* SF_LOG_JSON by default */
/* Whether lines are for people: files that came as they should are not worth a line to them. */
bool sf_log_is_text(void);
/* Both: SF_EINVAL where the text names none. */
SF_MUSTCHECK
int sf_log_parse_level(struct sf_str s, enum sf_level *out);
SF_MUSTCHECK
int sf_log_parse_format(struct sf_str s, enum sf_log_format *out);
/* Pairs that every later line of this process carries (worker, slot); copied; ends with key NULL. */
void sf_log_context(const struct sf_kv *kv);
void sf_log_write(enum sf_level level, const char *msg, const struct sf_kv *kv); /* kv ends with key NULL */
void sf_log_flush(void);

#endif
