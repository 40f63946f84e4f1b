/* openapi schemas: the fields of a row as JSON Schema 2020-12, and examples that fit them. */
#include "app/internal.h"
#include "core/json.h"

#include <stdio.h>

static void member(struct sf_json *j, const char *key, const char *value) {
	sf_json_key(j, key);
	sf_json_str(j, sf_str(value));
}

/* "type": "string", or ["string", "null"] */
static void type_of(struct sf_json *j, const char *type, bool nullable) {
	sf_json_key(j, "type");
	if (!nullable) {
		sf_json_str(j, sf_str(type));
		return;
	}
	sf_json_arr(j);
	sf_json_str(j, sf_str(type));
	sf_json_str(j, SF_STR("null"));
	sf_json_arr_end(j);
}

/* Of a number, or of a length or count, where 0 at the low end says nothing. */
static void limits(struct sf_json *j, const struct sf_field *f, const char *low, const char *high) {
	int64_t min, max;
	bool counts = f->type != SF_F_INT && f->type != SF_F_FLOAT;
	sf_app__range(f, &min, &max);
	if (min > (counts ? 0 : INT64_MIN)) {
		sf_json_key(j, low);
		sf_json_int(j, min);
	}
	if (max < INT64_MAX) {
		sf_json_key(j, high);
		sf_json_int(j, max);
	}
}

static void choices(struct sf_json *j, const struct sf_field *f) {
	struct sf_str rest = sf_str(f->choices), one;
	sf_json_key(j, "enum");
	sf_json_arr(j);
	for (bool more = true; more;) {
		more = sf_str_cut(rest, '|', &one, &rest);
		sf_json_str(j, one);
	}
	if (f->nullable) sf_json_null(j);
	sf_json_arr_end(j);
}

/* What clean_text of input_value.c takes, as an ECMA-262 pattern. */
static void characters(struct sf_json *j, const struct sf_field *f) {
#define CONTROL_BUT(c0) "[^" c0 "\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]"
	member(j, "pattern",
		   f->multiline ? "^(\\r\\n|" CONTROL_BUT("\\u0000-\\u0008\\u000b-\\u001f") ")*$"
						: "^" CONTROL_BUT("\\u0000-\\u001f") "*$");
#undef CONTROL_BUT
}

/* Of an array of numbers, texts or instants. */
static void items(struct sf_json *j, const struct sf_field *f, bool input) {
	bool ints = f->type == SF_F_INTS;
	sf_json_key(j, "items");
	sf_json_obj(j);
	member(j, "type", ints ? "integer" : "string");
	if (ints) member(j, "format", "int64");
	if (f->type == SF_F_TIMES) member(j, "format", "date-time");
	if (!ints && input) characters(j, f);
	sf_json_obj_end(j);
}

/* Text types differ in format and limits only. */
static void text_schema(struct sf_json *j, const struct sf_field *f, bool input) {
	static const char *const formats[] = {
		[SF_F_EMAIL] = "email", [SF_F_URL] = "uri", [SF_F_TIME] = "date-time", [SF_F_DATE] = "date"
	};
	bool formatted = f->type < SF_COUNT(formats) && formats[f->type];
	type_of(j, "string", f->nullable);
	if (formatted) member(j, "format", formats[f->type]);
	if (f->type == SF_F_ENUM)
		choices(j, f);
	else if (input && f->type != SF_F_TIME && f->type != SF_F_DATE) {
		limits(j, f, "minLength", "maxLength");
		characters(j, f);
	}
}

static void typed_schema(struct sf_json *j, const struct sf_field *f, bool input) {
	switch (f->type) {
	case SF_F_INT:
		type_of(j, "integer", f->nullable);
		member(j, "format", "int64");
		if (input || f->min || f->max) limits(j, f, "minimum", "maximum");
		break;
	case SF_F_FLOAT:
		type_of(j, "number", f->nullable);
		if (input || f->min || f->max) limits(j, f, "minimum", "maximum");
		break;
	case SF_F_BOOL: type_of(j, "boolean", f->nullable); break;
	case SF_F_INTS:
	case SF_F_TEXTS:
	case SF_F_TIMES:
		type_of(j, "array", f->nullable);
		items(j, f, input);
		if (input) limits(j, f, "minItems", "maxItems");
		break;
	case SF_F_ZONE:
		type_of(j, "string", f->nullable);
		member(j, "pattern", "^[A-Z][A-Za-z0-9_+/-]{0,62}$");
		break;
	case SF_F_WHEN:
		type_of(j, "string", f->nullable);
		member(j, "pattern",
			   "^\\d{4}-\\d{2}-\\d{2}([Tt ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?([Zz]|[+-]\\d{2}:\\d{2})?)?$");
		break;
	case SF_F_JSON: break; /* any value */
	case SF_F_OBJECT:
		type_of(j, "object", f->nullable);
		if (f->sub)
			sf_app__openapi_object(j, f->sub, false);
		else {
			sf_json_key(j, "additionalProperties");
			sf_json_raw(j, SF_STR("{\"type\":\"string\"}"));
		}
		break;
	case SF_F_ARRAY:
		type_of(j, "array", f->nullable);
		sf_json_key(j, "items");
		sf_json_obj(j);
		if (f->sub) {
			member(j, "type", "object");
			sf_app__openapi_object(j, f->sub, false);
		}
		sf_json_obj_end(j);
		break;
	default: text_schema(j, f, input); break;
	}
}

/* A fallback is text in the row; in the document it has the field's type. */
static void fallback(struct sf_json *j, const struct sf_field *f) {
	bool plain = f->type == SF_F_INT || f->type == SF_F_FLOAT || f->type == SF_F_JSON;
	sf_json_key(j, "default");
	if (plain)
		sf_json_raw(j, sf_str(f->fallback));
	else if (f->type == SF_F_BOOL)
		sf_json_bool(j, f->fallback[0] == 't' || f->fallback[0] == '1');
	else if (f->type == SF_F_INTS || f->type == SF_F_TEXTS) {
		sf_json_arr(j);
		if (f->type == SF_F_INTS)
			sf_json_raw(j, sf_str(f->fallback));
		else
			sf_json_str(j, sf_str(f->fallback));
		sf_json_arr_end(j);
	} else
		sf_json_str(j, sf_str(f->fallback));
}

static void schema(struct sf_json *j, const struct sf_field *f, bool input) {
	sf_json_obj(j);
	typed_schema(j, f, input);
	if (f->help || f->type == SF_F_ZONE) member(j, "description", f->help ? f->help : "An IANA time zone.");
	if (input && f->fallback) fallback(j, f);
	if (f->example) {
		sf_json_key(j, "examples");
		sf_json_arr(j);
		sf_json_raw(j, sf_str(f->example));
		sf_json_arr_end(j);
	}
	sf_json_obj_end(j);
}

void sf_app__openapi_input(struct sf_json *j, const struct sf_field *f) {
	schema(j, f, true);
}

void sf_app__openapi_object(struct sf_json *j, const struct sf_field *fields, bool input) {
	bool any = false;
	sf_json_key(j, "properties");
	sf_json_obj(j);
	for (const struct sf_field *f = fields; f->name; f++) {
		if (f->prefix) continue;
		sf_json_key(j, f->name);
		schema(j, f, input);
		any |= f->required;
	}
	sf_json_obj_end(j);
	bool open = false;
	for (const struct sf_field *f = fields; f->name; f++) {
		if (!f->prefix) continue;
		char pattern[64];
		snprintf(pattern, sizeof pattern, "^%s", f->name);
		if (!open) sf_json_key(j, "patternProperties"), sf_json_obj(j);
		open = true;
		sf_json_key(j, pattern);
		schema(j, f, input);
	}
	if (open) sf_json_obj_end(j);
	if (!any) return;
	sf_json_key(j, "required");
	sf_json_arr(j);
	for (const struct sf_field *f = fields; f->name; f++)
		if (f->required) sf_json_str(j, sf_str(f->name));
	sf_json_arr_end(j);
}

/* ---- examples ------------------------------------------------------------------------------------------ */

static void example_text(struct sf_json *j, const struct sf_field *f) {
	static const char words[] = "Some words, as many as it needs. ";
	int64_t min, max;
	char text[128];
	sf_app__range(f, &min, &max);
	size_t n = min > 10 ? (size_t)min : 10;
	if ((int64_t)n > max) n = (size_t)max;
	if (n >= sizeof text) n = sizeof text - 1;
	for (size_t i = 0; i < n; i++) text[i] = words[i % (sizeof words - 1)];
	if (n > 0 && text[n - 1] == ' ') text[n - 1] = '.';
	sf_json_str(j, (struct sf_str) { text, n });
}

static void example_number(struct sf_json *j, const struct sf_field *f) {
	int64_t min, max, v = 1;
	sf_app__range(f, &min, &max);
	if (v < min) v = min;
	if (v > max) v = max;
	sf_json_int(j, v);
}

static void example_choice(struct sf_json *j, const struct sf_field *f) {
	struct sf_str first, rest;
	sf_str_cut(sf_str(f->choices), '|', &first, &rest);
	sf_json_str(j, first);
}

void sf_app__openapi_example_value(struct sf_json *j, const struct sf_field *f) {
	if (f->example) {
		sf_json_raw(j, sf_str(f->example));
		return;
	}
	switch (f->type) {
	case SF_F_INT:
	case SF_F_FLOAT: example_number(j, f); break;
	case SF_F_BOOL: sf_json_bool(j, true); break;
	case SF_F_EMAIL: sf_json_str(j, SF_STR("ann@example.com")); break;
	case SF_F_URL: sf_json_str(j, SF_STR("https://example.com/page")); break;
	case SF_F_TIME: sf_json_str(j, SF_STR("2026-11-22T14:00:00Z")); break;
	case SF_F_DATE: sf_json_str(j, SF_STR("2026-11-22")); break;
	case SF_F_WHEN: sf_json_str(j, SF_STR("2026-11-22T18:00:00+09:00")); break;
	case SF_F_ZONE: sf_json_str(j, SF_STR(SF_ZONE_DEFAULT)); break;
	case SF_F_ENUM: example_choice(j, f); break;
	case SF_F_INTS: sf_json_raw(j, SF_STR("[1]")); break;
	case SF_F_TEXTS: sf_json_raw(j, SF_STR("[\"one\"]")); break;
	case SF_F_TIMES: sf_json_raw(j, SF_STR("[\"2026-11-22T14:00:00Z\"]")); break;
	case SF_F_JSON: sf_json_raw(j, SF_STR("{}")); break;
	case SF_F_OBJECT:
		if (f->sub)
			sf_app__openapi_example(j, f->sub);
		else
			sf_json_raw(j, SF_STR("{}"));
		break;
	case SF_F_ARRAY:
		sf_json_arr(j);
		if (f->sub) sf_app__openapi_example(j, f->sub);
		sf_json_arr_end(j);
		break;
	default: example_text(j, f); break;
	}
}

void sf_app__openapi_example(struct sf_json *j, const struct sf_field *fields) {
	sf_json_obj(j);
	for (const struct sf_field *f = fields; f->name; f++) {
		if (f->prefix) continue;
		sf_json_key(j, f->name);
		sf_app__openapi_example_value(j, f);
	}
	sf_json_obj_end(j);
}
