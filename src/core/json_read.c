/* json_read: one JSON text through jansson into a value that dies with an arena, and a value back as text.
 *
 * jansson's parser calls itself for every level, and we run on small coroutine stacks: the depth is
 * counted first, in a scan that only has to tell text in quotes from the rest. */
#include "core/json.h"
#include "core/internal.h"

#include <jansson.h>

/* Line (from 1) where nesting passes SF_JSON_DEPTH, or 0. */
static int too_deep(struct sf_str s) {
	int depth = 0, line = 1;
	bool quoted = false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '[' || c == '{') {
			if (++depth > SF_JSON_DEPTH) return line;
		} else if (c == ']' || c == '}') {
			depth--;
		}
		line += c == '\n';
	}
	return 0;
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

int sf_json_parse(struct sf_arena *a, struct sf_str text, struct json_t **out, struct sf_str *why) {
	int line = too_deep(text);
	if (line) {
		if (why)
			*why = sf_arena_printf(a, "The JSON could not be read: line %d is nested deeper than %d levels.",
								   line, SF_JSON_DEPTH);
		return SF_EMALFORMED;
	}
	/* a NUL byte is the end of the text to jansson, whatever follows it */
	if (text.n && memchr(text.p, 0, text.n)) {
		if (why) *why = SF_STR("The JSON could not be read: it holds a NUL byte.");
		return SF_EMALFORMED;
	}
	json_error_t error;
	json_t *v = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
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
