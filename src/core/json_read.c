/* json_read: one JSON text through jansson into a value that dies with an arena, and a value back as text.
 *
 * jansson is handed the text in pieces, and each piece is first scanned here, for three things that it does not
 * do. Its parser calls itself for every level, and we run on small coroutine stacks: the depth is bounded. A value of
 * two bytes costs it several allocations, so that a megabyte of them takes a fifth of a second: their number is bounded. And
 * between two pieces the parse can pause, wherever it stands, since it has a stack of its own. */
#include "core/json.h"
#include "core/internal.h"

#include <jansson.h>

/* ---- the scan --------------------------------------------------------------------------------------- */

enum verdict { GOOD, TOO_DEEP, TOO_MANY, NUL_BYTE };

/* Where a text stands, as far as telling what is quoted from the rest takes. */
struct scan {
	int depth, line;
	size_t values, values_max;
	bool quoted, escaped;
	bool opened; /* a bracket, and nothing since: what follows is its first value, unless it closes */
};

static enum verdict scan(struct scan *s, const char *p, const char *end) {
	for (; p < end; p++) {
		char c = *p;
		if (c == '\0') return NUL_BYTE; /* the end of the text to jansson, whatever follows it */
		s->line += c == '\n';
		if (s->quoted) {
			if (s->escaped)
				s->escaped = false;
			else if (c == '\\')
				s->escaped = true;
			else if (c == '"')
				s->quoted = false;
			continue;
		}
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
		bool close = c == ']' || c == '}', open = c == '[' || c == '{';
		s->values += c == ',' || (s->opened && !close);
		if (s->values > s->values_max) return TOO_MANY;
		s->opened = open;
		s->quoted = c == '"';
		s->depth += open - close;
		if (s->depth > SF_JSON_DEPTH) return TOO_DEEP;
	}
	return GOOD;
}

/* ---- the pieces ------------------------------------------------------------------------------------- */

struct reader {
	struct sf_str rest;
	struct scan scan;
	enum verdict verdict;
	const struct sf_json_limits *limits;
	size_t turn_values, turn_bytes; /* since the last pause */
	int err;                        /* of the pause */
};

/* jansson's callback. 0 is the end of the text to it: what comes of the parse counts only where there is no verdict or error. */
static size_t next_piece(void *to, size_t n, void *arg) {
	enum { TURN_BYTES = 16 << 10 };
	struct reader *r = arg;
	size_t before = r->scan.values;
	if (r->verdict || r->err) return 0;
	if (r->limits->pause && (r->turn_values >= SF_JSON_TURN || r->turn_bytes >= TURN_BYTES)) {
		r->turn_values = r->turn_bytes = 0;
		r->err = r->limits->pause(r->limits->arg);
		if (r->err) return 0;
	}
	n = n < r->rest.n ? n : r->rest.n;
	if (n == 0) return 0;
	r->verdict = scan(&r->scan, r->rest.p, r->rest.p + n);
	if (r->verdict) return 0;
	memcpy(to, r->rest.p, n);
	r->rest.p += n, r->rest.n -= n;
	r->turn_values += r->scan.values - before;
	r->turn_bytes += n;
	return n;
}

static void unref(void *value) {
	json_decref(value);
}

/* A sentence for a person; jansson's own words where it has good ones. */
static const char *reason(enum json_error_code code) {
	switch (code) {
	case json_error_premature_end_of_input: return "it ends too early";
	case json_error_end_of_input_expected: return "something follows its end";
	case json_error_invalid_utf8: return "it is not valid UTF-8";
	case json_error_duplicate_key: return "a key stands twice in one object";
	case json_error_null_character: return "a text holds a NUL character";
	case json_error_null_byte_in_key: return "a key holds a NUL character";
	case json_error_numeric_overflow: return "a number is too large";
	case json_error_out_of_memory: return "it is too large";
	default: return "it is not JSON";
	}
}

/* What the scan refused; 0: nothing. */
static int refused(struct sf_arena *a, const struct reader *r, struct sf_str *why) {
	struct sf_str sentence = SF_STR("The JSON could not be read: it holds a NUL byte.");
	if (r->verdict == GOOD) return 0;
	if (r->verdict == TOO_DEEP)
		sentence = sf_arena_printf(a, "The JSON could not be read: line %d is nested deeper than %d levels.",
								   r->scan.line, SF_JSON_DEPTH);
	if (r->verdict == TOO_MANY)
		sentence = sf_arena_printf(a, "The JSON holds more than %zu values.", r->limits->values);
	if (why) *why = sentence;
	return r->verdict == TOO_MANY ? SF_ETOOLARGE : SF_EMALFORMED;
}

int sf_json_parse_limited(struct sf_arena *a, struct sf_str text, const struct sf_json_limits *limits,
						  struct json_t **out, struct sf_str *why) {
	static const struct sf_json_limits none = { 0 };
	struct reader r = { .rest = text, .limits = limits ? limits : &none, .scan = { .line = 1, .values = 1 } };
	r.scan.values_max = r.limits->values ? r.limits->values : SIZE_MAX;
	json_error_t error;
	json_t *v = json_load_callback(next_piece, &r, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	int err = r.err ? r.err : refused(a, &r, why);
	if (err) {
		json_decref(v);
		return err;
	}
	if (!v) {
		if (why)
			*why = sf_arena_printf(a, "The JSON could not be read: %s (line %d, column %d).",
								   reason(json_error_code(&error)), error.line > 0 ? error.line : 1,
								   error.column > 0 ? error.column : 1);
		return SF_EMALFORMED;
	}
	sf_arena_defer(a, unref, v);
	*out = v;
	return 0;
}

int sf_json_parse(struct sf_arena *a, struct sf_str text, struct json_t **out, struct sf_str *why) {
	return sf_json_parse_limited(a, text, NULL, out, why);
}

/* ---- back to text ------------------------------------------------------------------------------------- */

/* jansson writes 0.1 with 17 digits; through our writer a float keeps its shortest text. */
static void write_value(struct sf_json *j, const json_t *v, int depth) {
	SF_BUG_ON(depth > 2 * SF_JSON_DEPTH);
	switch (json_typeof(v)) {
	case JSON_OBJECT: {
		/* jansson's iterators take a value that is not const, but only read it */
		json_t *object = (json_t *)v;
		sf_json_obj(j);
		for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
			sf_json_str(j, sf_str(json_object_iter_key(it)));
			sf_buf_char(j->out, ':');
			j->comma = false;
			write_value(j, json_object_iter_value(it), depth + 1);
		}
		sf_json_obj_end(j);
		break;
	}
	case JSON_ARRAY:
		sf_json_arr(j);
		for (size_t i = 0; i < json_array_size(v); i++) write_value(j, json_array_get(v, i), depth + 1);
		sf_json_arr_end(j);
		break;
	case JSON_STRING: sf_json_str(j, (struct sf_str) { json_string_value(v), json_string_length(v) }); break;
	case JSON_INTEGER: sf_json_int(j, json_integer_value(v)); break;
	case JSON_REAL: sf_json_float(j, json_real_value(v)); break;
	case JSON_TRUE: sf_json_bool(j, true); break;
	case JSON_FALSE: sf_json_bool(j, false); break;
	case JSON_NULL: sf_json_null(j); break;
	}
}

struct sf_str sf_json_dump(struct sf_arena *a, const struct json_t *v) {
	if (!v) return SF_STR("null");
	struct sf_buf b;
	sf_buf_init(&b, a);
	struct sf_json j = sf_json(&b);
	write_value(&j, v, 0);
	return b.failed ? SF_STR_NULL : sf_buf_view(&b);
}
