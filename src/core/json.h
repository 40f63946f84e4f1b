/* json: writing JSON into growable text, and a small face over jansson for reading it (RFC 8259). */
#ifndef SF_CORE_JSON_H
#define SF_CORE_JSON_H

#include "core/core.h"
#include "core/log.h"

/* ---- writing -------------------------------------------------------------------------------- */

/* Writes straight into `out`, putting commas itself. Text is escaped; text that is not UTF-8 has the
 * bad bytes replaced by U+FFFD. Numbers that JSON lacks (NaN, Inf) become null. */
struct sf_json {
	struct sf_buf *out;
	bool comma; /* a comma is due before the next element */
};

static inline struct sf_json sf_json(struct sf_buf *out) {
	return (struct sf_json) { out, false };
}
void sf_json_obj(struct sf_json *j);
void sf_json_obj_end(struct sf_json *j);
void sf_json_arr(struct sf_json *j);
void sf_json_arr_end(struct sf_json *j);
void sf_json_key(struct sf_json *j, const char *key); /* key: plain ASCII, not escaped */
void sf_json_str(struct sf_json *j, struct sf_str s); /* null when s.p is NULL */
void sf_json_int(struct sf_json *j, int64_t v);
void sf_json_float(struct sf_json *j, double v); /* shortest text that reads back the same */
void sf_json_bool(struct sf_json *j, bool v);
void sf_json_null(struct sf_json *j);
void sf_json_time(struct sf_json *j, int64_t t); /* "…Z" */
void sf_json_date(struct sf_json *j, int64_t day);
/* null for 0, where that stands for "none". */
void sf_json_int_or_null(struct sf_json *j, int64_t v);
void sf_json_time_or_null(struct sf_json *j, int64_t t);
void sf_json_raw(struct sf_json *j, struct sf_str json);    /* JSON text put in as it is */
void sf_json_kv(struct sf_json *j, const struct sf_kv *kv); /* pairs up to key NULL, inside an object */
/* sf_json_add(j, SF_KV("id", id), SF_KV("name", name)): members of the open object. */
#define sf_json_add(j, ...) sf_json_kv(j, (const struct sf_kv[]) { __VA_ARGS__, { 0 } })

/* ---- reading -------------------------------------------------------------------------------- */

struct json_t; /* jansson's value; read it with jansson.h where more than this face is needed */

#define SF_JSON_DEPTH 64

/* Parses one JSON text. Refused (SF_EMALFORMED, with *why a static or arena sentence that names the
 * line): trailing text, duplicate keys, invalid UTF-8, NUL in text, nesting past SF_JSON_DEPTH,
 * numbers that do not fit. The value dies with the arena. */
SF_MUSTCHECK
int sf_json_parse(struct sf_arena *a, struct sf_str text, struct json_t **out, struct sf_str *why);
/* How much a client's text may cost. */
struct sf_json_limits {
	size_t values; /* that it may hold, members and elements too; past it SF_ETOOLARGE; 0: any number */
	/* Called every SF_JSON_TURN values or so, that parsing may give way to other work (~ if this suspends). Not 0 ends it with that
	 * error. May be NULL. */
	int (*pause)(void *arg);
	void *arg;
};
#define SF_JSON_TURN 1024 /* values, or 16 KiB of text: some tenths of a millisecond */

/* sf_json_parse with limits (NULL: none). */
SF_MUSTCHECK
int sf_json_parse_limited(struct sf_arena *a, struct sf_str text, const struct sf_json_limits *limits,
						  struct json_t **out, struct sf_str *why);
/* Compact text of a value, in the arena. */
struct sf_str sf_json_dump(struct sf_arena *a, const struct json_t *v);

#endif
