/* input values: one value of a query or a body, checked against its field and stored at its place.
 *
 * A query gives text, a body gives JSON; both end in the same put_… functions, so that a rule holds for both. What differs: a body's
 * types are strict (a number in quotes is refused, and 3.0 is no integer), a query has only text to offer.
 * Every function returns NULL, or the reason as a phrase that continues the field's name: "must be …". */
#include "app/internal.h"
#include "core/json.h"
#include "core/zone.h"

#include <jansson.h>
#include <math.h>

/* Optional and without a default: the place also says whether it came. */
static bool is_optional(const struct sf_field *f) {
	return !f->required && !f->fallback;
}

size_t sf_app__field_size(const struct sf_field *f) {
	switch (f->type) {
	case SF_F_INT:
	case SF_F_TIME:
	case SF_F_DATE: return is_optional(f) ? sizeof(struct sf_oint) : sizeof(int64_t);
	case SF_F_FLOAT: return is_optional(f) ? sizeof(struct sf_ofloat) : sizeof(double);
	case SF_F_BOOL: return is_optional(f) ? sizeof(struct sf_oint) : sizeof(bool);
	case SF_F_INTS: return sizeof(struct sf_ints);
	case SF_F_TEXTS: return sizeof(struct sf_texts);
	case SF_F_JSON: return sizeof(struct json_t *);
	case SF_F_WHEN: return sizeof(struct sf_when);
	default: return sizeof(struct sf_str);
	}
}

size_t sf_app__field_align(const struct sf_field *f) {
	return f->type == SF_F_BOOL && !is_optional(f) ? _Alignof(bool) : _Alignof(int64_t);
}

void sf_app__range(const struct sf_field *f, int64_t *min, int64_t *max) {
	bool text = f->type == SF_F_TEXT || f->type == SF_F_EMAIL || f->type == SF_F_URL;
	bool none = f->min == 0 && f->max == 0;
	bool open = f->max == 0 && f->min > 0; /* only a lower end was given */
	*min = none && !text ? INT64_MIN : f->min;
	*max = !none && !open ? f->max : text ? SF_APP_TEXT_MAX : INT64_MAX;
	if (text && f->required && *min < 1) *min = 1;
	if (f->type == SF_F_EMAIL && *max > 254) *max = 254; /* RFC 5321 §4.5.3.1.3 */
	if (f->type == SF_F_URL && *max > 2048) *max = 2048;
}

/* "must be between 1 and 24", "must be at most 2000 characters" */
static const char *range_reason(struct sf_arena *a, const struct sf_field *f, const char *verb,
								const char *unit) {
	int64_t min, max;
	sf_app__range(f, &min, &max);
	long long lo = min, hi = max;
	if (min > INT64_MIN && max < INT64_MAX && min == max)
		return sf_arena_printf(a, "must %s %lld%s", verb, lo, unit).p;
	if (min > INT64_MIN && max < INT64_MAX && (min > 0 || !*unit))
		return sf_arena_printf(a, "must %s between %lld and %lld%s", verb, lo, hi, unit).p;
	if (max < INT64_MAX) return sf_arena_printf(a, "must %s at most %lld%s", verb, hi, unit).p;
	return sf_arena_printf(a, "must %s at least %lld%s", verb, lo, unit).p;
}

/* ---- putting --------------------------------------------------------------------------------------- */

static void store_int(const struct sf_field *f, int64_t v, void *at) {
	if (is_optional(f))
		*(struct sf_oint *)at = (struct sf_oint) { .has = true, .v = v };
	else if (f->type == SF_F_BOOL)
		*(bool *)at = v != 0;
	else
		*(int64_t *)at = v;
}

static const char *put_int(struct sf_arena *a, const struct sf_field *f, int64_t v, void *at) {
	int64_t min, max;
	sf_app__range(f, &min, &max);
	if (v < min || v > max) return range_reason(a, f, "be", "");
	store_int(f, v, at);
	return NULL;
}

static const char *put_float(struct sf_arena *a, const struct sf_field *f, double v, void *at) {
	int64_t min, max;
	sf_app__range(f, &min, &max);
	if (!isfinite(v)) return "must be a number";
	if ((min > INT64_MIN && v < (double)min) || (max < INT64_MAX && v > (double)max))
		return range_reason(a, f, "be", "");
	if (is_optional(f))
		*(struct sf_ofloat *)at = (struct sf_ofloat) { .has = true, .v = v };
	else
		*(double *)at = v;
	return NULL;
}

/* Valid UTF-8 without control characters; where lines are allowed \n and \t are, too, and CRLF becomes LF. */
static const char *clean_text(struct sf_arena *a, bool multiline, struct sf_str *s) {
	size_t returns = 0;
	for (size_t i = 0; i < s->n; i++) {
		char c = s->p[i];
		bool pair = c == '\r' && i + 1 < s->n && s->p[i + 1] == '\n';
		if (sf_utf8_control(s->p + i, s->p + s->n) == 0) continue;
		if (!multiline) return "must be one line without control characters";
		if (c != '\n' && c != '\t' && !pair) return "must not hold control characters";
		returns += pair;
	}
	if (!sf_utf8_valid(*s)) return "must be valid UTF-8";
	if (returns == 0) return NULL;
	char *copy = sf_arena_try(a, s->n - returns);
	if (!copy) return "must be shorter";
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->p[i] != '\r') copy[n++] = s->p[i];
	*s = (struct sf_str) { copy, n };
	return NULL;
}

/* What mail systems take in practice: one @, a local part of at most 64, a domain with a dot, no space. Whether it exists, only a
 * mail can tell. */
static bool is_email(struct sf_str s) {
	struct sf_str local, domain, rest;
	if (!sf_str_cut(s, '@', &local, &domain)) return false;
	if (sf_str_cut(domain, '@', &rest, &rest)) return false;
	if (local.n == 0 || local.n > 64 || domain.n < 3 || domain.n > 253) return false;
	if (local.p[0] == '.' || local.p[local.n - 1] == '.') return false;
	if (domain.p[0] == '.' || domain.p[domain.n - 1] == '.' || !memchr(domain.p, '.', domain.n)) return false;
	for (size_t i = 0; i < s.n; i++)
		if (strchr(" \t\n\"(),:;<>[\\]", s.p[i])) return false;
	for (size_t i = 0; i < domain.n; i++) {
		unsigned char c = (unsigned char)domain.p[i];
		bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
		if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c < 0x80) return false;
		if (c == '.' && domain.p[i + 1] == '.') return false;
	}
	return true;
}

static bool is_web_address(struct sf_str s) {
	struct sf_str scheme, rest;
	if (!sf_str_cut(s, ':', &scheme, &rest)) return false;
	if (!sf_str_ieq(scheme, SF_STR("http")) && !sf_str_ieq(scheme, SF_STR("https"))) return false;
	if (!sf_str_starts(rest, SF_STR("//"))) return false;
	rest.p += 2, rest.n -= 2;
	if (rest.n == 0 || strchr("/?#:@", rest.p[0])) return false;
	for (size_t i = 0; i < s.n; i++)
		if (strchr(" \t\n\"<>\\^`{|}", s.p[i])) return false;
	return true;
}

/* "rating" in "rating|price|newest" */
static bool is_choice(const char *choices, struct sf_str s) {
	struct sf_str rest = sf_str(choices), one;
	for (bool more = true; more;) {
		more = sf_str_cut(rest, '|', &one, &rest);
		if (sf_str_eq(one, s)) return true;
	}
	return false;
}

static const char *choices_reason(struct sf_arena *a, const char *choices) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	sf_buf_cstr(&b, "must be one of ");
	for (const char *p = choices; *p; p++) {
		if (*p == '|')
			sf_buf_cstr(&b, ", ");
		else
			sf_buf_char(&b, *p);
	}
	sf_buf_char(&b, '\0');
	return b.failed ? "must be one of the choices" : b.p;
}

static const char *put_text(struct sf_arena *a, const struct sf_field *f, struct sf_str s, void *at) {
	const char *bad = clean_text(a, f->multiline, &s);
	if (bad) return bad;
	if (!f->keep_space) s = sf_str_trim(s);
	if (f->type == SF_F_ENUM) {
		if (!is_choice(f->choices, s)) return choices_reason(a, f->choices);
	} else {
		int64_t min, max, n = (int64_t)sf_utf8_len(s);
		sf_app__range(f, &min, &max);
		if (n == 0 && min > 0) return f->required ? "must be given" : "must not be empty";
		if (n < min || n > max) return range_reason(a, f, "have", " characters");
		if (f->type == SF_F_EMAIL && n > 0 && !is_email(s)) return "must be an email address";
		if (f->type == SF_F_URL && n > 0 && !is_web_address(s))
			return "must be a web address that begins with http:// or https://";
	}
	*(struct sf_str *)at = s;
	return NULL;
}

/* Without spaces at its ends; a line break there is not forgiven. */
static struct sf_str bare(struct sf_str s) {
	while (s.n && s.p[0] == ' ') s.p++, s.n--;
	while (s.n && s.p[s.n - 1] == ' ') s.n--;
	return s;
}

static const char *put_zone(struct sf_str s, void *at) {
	const struct sf_zone *z;
	s = bare(s);
	if (s.n == 0 || sf_zone_get(s, &z)) return SF_APP_BAD_ZONE;
	*(struct sf_str *)at = s;
	return NULL;
}

static const char *put_date(const struct sf_field *f, struct sf_str s, void *at) {
	int64_t day = 0;
	if (sf_date_parse(bare(s), &day)) return "must be a date such as 2026-11-22";
	store_int(f, day, at);
	return NULL;
}

/* r: as for sf_app__value_text. */
static const char *put_time(struct sf_req *r, const struct sf_field *f, struct sf_str s, void *at) {
	bool local = false;
	int64_t v = 0;
	if (sf_time_parse_wall(bare(s), &v, &local)) return "must be a time such as 2026-11-22T14:00:00Z";
	if (local && !r) return "must carry its offset";
	store_int(f, v, at);
	if (local) sf_app__wall_add(r, f, is_optional(f) ? &((struct sf_oint *)at)->v : at);
	return NULL;
}

static const char *put_when(struct sf_req *r, const struct sf_field *f, struct sf_str s, void *at) {
	struct sf_when w = { .has = true }, *to = at;
	bool local = false;
	s = bare(s);
	w.day_only = sf_date_parse(s, &w.day) == 0;
	if (!w.day_only && sf_time_parse_wall(s, &w.at, &local))
		return "must be a date such as 2026-11-22, or a time such as 2026-11-22T14:00:00Z";
	if (local && !r) return "must carry its offset";
	*to = w;
	if (local) sf_app__wall_add(r, f, &to->at);
	return NULL;
}

static const char *check_count(struct sf_arena *a, const struct sf_field *f, size_t n) {
	int64_t min, max;
	sf_app__range(f, &min, &max);
	if ((int64_t)n < min || (int64_t)n > max)
		return range_reason(a, f, "hold", (max == 1 ? " entry" : " entries"));
	return NULL;
}

static const struct sf_field element_text[2] = {
	{ .name = "", .type = SF_F_TEXT, .min = 1 },
	{ .name = "", .type = SF_F_TEXT, .min = 1, .multiline = true },
};

/* ---- from a query ------------------------------------------------------------------------------------ */

static const char *text_bool(const struct sf_field *f, struct sf_str s, void *at) {
	bool yes = sf_str_eq(s, SF_STR("true")) || sf_str_eq(s, SF_STR("1"));
	if (!yes && !sf_str_eq(s, SF_STR("false")) && !sf_str_eq(s, SF_STR("0"))) return "must be true or false";
	store_int(f, yes, at);
	return NULL;
}

const char *sf_app__value_text(struct sf_arena *a, struct sf_req *r, const struct sf_field *f,
							   struct sf_str s, void *at) {
	int64_t i = 0;
	double d = 0;
	switch (f->type) {
	case SF_F_INT: return sf_str_int(s, &i) ? "must be a whole number" : put_int(a, f, i, at);
	case SF_F_FLOAT: return sf_str_float(s, &d) ? "must be a number" : put_float(a, f, d, at);
	case SF_F_BOOL: return text_bool(f, s, at);
	case SF_F_ZONE: return put_zone(s, at);
	case SF_F_TIME: return put_time(r, f, s, at);
	case SF_F_DATE: return put_date(f, s, at);
	case SF_F_WHEN: return put_when(r, f, s, at);
	case SF_F_INTS:
	case SF_F_TEXTS: return sf_app__value_list(a, f, &s, 1, at);
	case SF_F_JSON: {
		struct json_t *v;
		struct sf_str why;
		if (sf_json_parse(a, s, &v, &why)) return "must be JSON";
		*(struct json_t **)at = v;
		return NULL;
	}
	default: return put_text(a, f, s, at);
	}
}

const char *sf_field_check(struct sf_arena *a, const struct sf_field *f, struct sf_str text, void *out) {
	return sf_app__value_text(a, NULL, f, text, out);
}

const char *sf_app__value_list(struct sf_arena *a, const struct sf_field *f, const struct sf_str *texts,
							   size_t n, void *at) {
	const char *bad = check_count(a, f, n);
	if (bad) return bad;
	if (f->type == SF_F_INTS) {
		int64_t *v = sf_arena_try(a, n * sizeof *v + 1);
		if (!v) return "must be shorter";
		for (size_t i = 0; i < n; i++)
			if (sf_str_int(texts[i], &v[i])) return "must hold whole numbers only";
		*(struct sf_ints *)at = (struct sf_ints) { v, n };
		return NULL;
	}
	struct sf_str *v = sf_arena_try(a, n * sizeof *v + 1);
	if (!v) return "must be shorter";
	for (size_t i = 0; i < n; i++)
		if ((bad = put_text(a, &element_text[f->multiline], texts[i], &v[i])))
			return sf_arena_printf(a, "must be a list in which each entry %s", bad).p;
	*(struct sf_texts *)at = (struct sf_texts) { v, n };
	return NULL;
}

/* ---- from a body ---------------------------------------------------------------------------------------- */

static struct sf_str json_text(const struct json_t *v) {
	return (struct sf_str) { json_string_value(v), json_string_length(v) };
}

static const char *json_list(struct sf_arena *a, const struct sf_field *f, const struct json_t *v, void *at) {
	bool ints = f->type == SF_F_INTS;
	if (!json_is_array(v)) return ints ? "must be a list of whole numbers" : "must be a list of texts";
	size_t n = json_array_size(v);
	const char *bad = check_count(a, f, n);
	if (bad) return bad;
	if (ints) {
		int64_t *p = sf_arena_try(a, n * sizeof *p + 1);
		if (!p) return "must be shorter";
		for (size_t i = 0; i < n; i++) {
			if (!json_is_integer(json_array_get(v, i))) return "must hold whole numbers only";
			p[i] = json_integer_value(json_array_get(v, i));
		}
		*(struct sf_ints *)at = (struct sf_ints) { p, n };
		return NULL;
	}
	struct sf_str *p = sf_arena_try(a, n * sizeof *p + 1);
	if (!p) return "must be shorter";
	for (size_t i = 0; i < n; i++) {
		const struct json_t *one = json_array_get(v, i);
		if (!json_is_string(one)) return "must hold texts only";
		if ((bad = put_text(a, &element_text[f->multiline], json_text(one), &p[i])))
			return sf_arena_printf(a, "must be a list in which each entry %s", bad).p;
	}
	*(struct sf_texts *)at = (struct sf_texts) { p, n };
	return NULL;
}

static const char *text_type_reason(const struct sf_field *f) {
	switch (f->type) {
	case SF_F_EMAIL: return "must be an email address";
	case SF_F_URL: return "must be a web address that begins with http:// or https://";
	case SF_F_ZONE: return SF_APP_BAD_ZONE;
	case SF_F_TIME: return "must be a time such as 2026-11-22T14:00:00Z";
	case SF_F_DATE: return "must be a date such as 2026-11-22";
	case SF_F_WHEN: return "must be a date such as 2026-11-22, or a time such as 2026-11-22T14:00:00Z";
	default: return "must be text";
	}
}

const char *sf_app__value_json(struct sf_arena *a, struct sf_req *r, const struct sf_field *f,
							   const struct json_t *v, void *at) {
	switch (f->type) {
	case SF_F_INT:
		return json_is_integer(v) ? put_int(a, f, json_integer_value(v), at) : "must be a whole number";
	case SF_F_FLOAT:
		return json_is_number(v) ? put_float(a, f, json_number_value(v), at) : "must be a number";
	case SF_F_BOOL:
		if (!json_is_boolean(v)) return "must be true or false";
		store_int(f, json_is_true(v), at);
		return NULL;
	case SF_F_INTS:
	case SF_F_TEXTS: return json_list(a, f, v, at);
	case SF_F_JSON: *(const struct json_t **)at = v; return NULL;
	case SF_F_ENUM:
		return json_is_string(v) ? put_text(a, f, json_text(v), at) : choices_reason(a, f->choices);
	default: break;
	}
	if (!json_is_string(v)) return text_type_reason(f);
	return sf_app__value_text(a, r, f, json_text(v), at);
}
