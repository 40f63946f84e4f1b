/* config: reads the table of settings from flags and environment, checks every value, and prints it. */
#include "core/config.h"
#include "core/internal.h"
#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 128

/* Flags of the program that are no settings: handed on in rest[]. */
static const char *const handed_on[] = { "--help", "--version", "--json" };

static struct {
	struct value {
		const char *text, *source;
		int64_t number; /* of INT, BYTES, MSEC and BOOL */
	} values[ROWS_MAX]; /* as sf_config_rows */
} state;

/* ---- values -------------------------------------------------------------------------------------- */

struct unit {
	const char *name;
	int64_t factor;
};
static const struct unit byte_units[] = {
	{ "", 1 },          { "B", 1 },         { "KB", 1000 },     { "MB", 1000000 }, { "GB", 1000000000 },
	{ "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 },
};
static const struct unit time_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(enum sf_config_type type) {
	return type == SF_CFG_BYTES ? byte_units : type == SF_CFG_MSEC ? time_units : no_units;
}

/* "4MiB": a whole number and one of the units */
static int read_number(struct sf_str s, const struct unit *units, int64_t *out) {
	size_t digits = s.n && s.p[0] == '-';
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9') digits++;
	int64_t v;
	if (sf_str_int((struct sf_str) { s.p, digits }, &v)) return SF_EINVAL;
	struct sf_str unit = sf_str_trim((struct sf_str) { s.p + digits, s.n - digits });
	for (; units->name; units++)
		if (sf_str_ieq(unit, sf_str(units->name)))
			return __builtin_mul_overflow(v, units->factor, out) ? SF_EINVAL : 0;
	return SF_EINVAL;
}

static int read_bool(struct sf_str s, int64_t *out) {
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes", "off", "on" };
	for (size_t i = 0; i < SF_COUNT(words); i++)
		if (sf_str_ieq(s, sf_str(words[i]))) {
			*out = i % 2 == 1;
			return 0;
		}
	return SF_EINVAL;
}

static bool is_choice(struct sf_str s, const char *choices) {
	struct sf_str rest = sf_str(choices), head;
	bool more = true;
	while (more) {
		more = sf_str_cut(rest, '|', &head, &rest);
		if (sf_str_eq(head, s)) return true;
	}
	return false;
}

/* A number as the row's help would write it: in the largest unit that divides it. */
static void say_number(char *out, size_t n, enum sf_config_type type, int64_t v) {
	const struct unit *best = units_of(type);
	if (type == SF_CFG_BYTES || type == SF_CFG_MSEC)
		for (const struct unit *u = best; u->name; u++)
			if (v && v % u->factor == 0 && u->factor >= best->factor) best = u;
	snprintf(out, n, "%lld%s", (long long)(v / best->factor), best->name);
}

static int wrong_range(const struct sf_config_row *row, const char *text, char *why, size_t why_n) {
	char min[32], max[32];
	say_number(min, sizeof(min), row->type, row->min);
	say_number(max, sizeof(max), row->type, row->max);
	snprintf(why, why_n, "%s (%s) must be a %s from %s to %s, not \"%.60s\"", row->name, row->flag,
			 row->type == SF_CFG_BYTES  ? "size such as 512KiB or 4MiB,"
			 : row->type == SF_CFG_MSEC ? "time such as 250ms, 30s or 5m,"
										: "whole number",
			 min, max, text);
	return SF_EINVAL;
}

static int set(const struct sf_config_row *row, const char *text, const char *source, char *why,
			   size_t why_n) {
	struct value *v = &state.values[row - sf_config_rows];
	struct sf_str s = sf_str_trim(sf_str(text));
	int64_t number = 0;
	switch (row->type) {
	case SF_CFG_INT:
	case SF_CFG_BYTES:
	case SF_CFG_MSEC:
		if (read_number(s, units_of(row->type), &number) || number < row->min || number > row->max)
			return wrong_range(row, text, why, why_n);
		break;
	case SF_CFG_BOOL:
		if (read_bool(s, &number)) {
			snprintf(why, why_n, "%s (%s) must be true or false, not \"%.60s\"", row->name, row->flag, text);
			return SF_EINVAL;
		}
		break;
	case SF_CFG_CHOICE:
		if (!is_choice(sf_str(text), row->choices)) {
			snprintf(why, why_n, "%s (%s) must be one of %s, not \"%.60s\"", row->name, row->flag,
					 row->choices, text);
			return SF_EINVAL;
		}
		break;
	case SF_CFG_TEXT:
		if (!sf_utf8_valid(sf_str(text))) {
			snprintf(why, why_n, "%s (%s) is not valid UTF-8", row->name, row->flag);
			return SF_EINVAL;
		}
		break;
	}
	/* empty text is no text: `--web-dir=` undoes what the environment says */
	*v = (struct value) { *text ? text : NULL, source, number };
	return 0;
}

/* ---- loading ------------------------------------------------------------------------------------- */

static const struct sf_config_row *row_of_flag(struct sf_str flag) {
	for (const struct sf_config_row *row = sf_config_rows; row->name; row++)
		if (sf_str_eq(flag, sf_str(row->flag))) return row;
	return NULL;
}

static int load_defaults(char *why, size_t why_n) {
	for (const struct sf_config_row *row = sf_config_rows; row->name; row++) {
		SF_BUG_ON(row - sf_config_rows >= ROWS_MAX);
		state.values[row - sf_config_rows] = (struct value) { NULL, "default", 0 };
		if (row->fallback && set(row, row->fallback, "default", why, why_n)) return SF_EINVAL;
		/* empty counts as unset: that is what a compose file passes on for a variable nobody set */
		const char *text = getenv(row->name);
		if (text && *text && set(row, text, "environment", why, why_n)) return SF_EINVAL;
	}
	return 0;
}

/* One flag at argv[*i]; takes the next argument too where it is the value. */
static int load_flag(int argc, char **argv, int *i, char *why, size_t why_n) {
	struct sf_str name, value;
	bool given = sf_str_cut(sf_str(argv[*i]), '=', &name, &value);
	const struct sf_config_row *row = row_of_flag(name);
	if (!row) {
		snprintf(why, why_n, "there is no flag \"%.60s\"; --help lists them", argv[*i]);
		return SF_EINVAL;
	}
	if (given) return set(row, value.p, "flag", why, why_n);
	if (row->type == SF_CFG_BOOL) return set(row, "true", "flag", why, why_n);
	if (*i + 1 >= argc) {
		snprintf(why, why_n, "%s needs a value", row->flag);
		return SF_EINVAL;
	}
	return set(row, argv[++*i], "flag", why, why_n);
}

static bool is_handed_on(const char *arg) {
	if (arg[0] != '-' || arg[1] != '-') return true;
	for (size_t i = 0; i < SF_COUNT(handed_on); i++)
		if (strcmp(arg, handed_on[i]) == 0) return true;
	return false;
}

int sf_config_load(int argc, char **argv, char **rest, int *nrest, char *why, size_t why_n) {
	int n = 0;
	if (load_defaults(why, why_n)) return SF_EINVAL;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) { /* all that follows is handed on */
			for (i++; i < argc; i++) rest[n++] = argv[i];
		} else if (is_handed_on(argv[i])) {
			rest[n++] = argv[i];
		} else if (load_flag(argc, argv, &i, why, why_n)) {
			return SF_EINVAL;
		}
	}
	*nrest = n;
	return 0;
}

/* ---- asking -------------------------------------------------------------------------------------- */

static const struct value *value_of(const char *name, unsigned types) {
	for (const struct sf_config_row *row = sf_config_rows; row->name; row++)
		if (strcmp(row->name, name) == 0) {
			SF_BUG_ON(!(types & 1u << row->type));
			return &state.values[row - sf_config_rows];
		}
	SF_BUG_ON("no such setting");
	return NULL;
}

int64_t sf_config_int(const char *name) {
	return value_of(name, 1u << SF_CFG_INT | 1u << SF_CFG_BYTES | 1u << SF_CFG_MSEC)->number;
}

bool sf_config_bool(const char *name) {
	return value_of(name, 1u << SF_CFG_BOOL)->number;
}

const char *sf_config_text(const char *name) {
	return value_of(name, 1u << SF_CFG_TEXT | 1u << SF_CFG_CHOICE)->text;
}

const char *sf_config_source(const char *name) {
	return value_of(name, ~0u)->source;
}

const char *sf_config_service(const char *service, const char *suffix) {
	char name[96];
	int n = snprintf(name, sizeof(name), "%s%s", service, suffix);
	if (n < 0 || (size_t)n >= sizeof(name)) return NULL;
	for (char *p = name; *p; p++) {
		if (*p == '-') *p = '_';
		if (*p >= 'a' && *p <= 'z') *p = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[*p - 'a'];
	}
	const char *text = getenv(name);
	return text && *text ? text : NULL;
}

/* ---- printing ------------------------------------------------------------------------------------ */

#define HIDDEN "********"

/* One URL without its password; what is no URL is hidden whole. Everything between the name and the last @
 * goes, so that an unencoded @ or / in a password betrays nothing. */
static void hide_in_url(struct sf_buf *out, struct sf_str s) {
	const char *scheme = memmem(s.p, s.n, "://", 3);
	const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;
	if (!scheme || memmem(s.p, s.n, "password=", 9)) {
		sf_buf_cstr(out, HIDDEN);
		return;
	}
	const char *user = scheme + 3;
	const char *colon = at && at > user ? memchr(user, ':', (size_t)(at - user)) : NULL;
	if (!colon) {
		sf_buf_str(out, s);
		return;
	}
	sf_buf_add(out, s.p, (size_t)(colon + 1 - s.p));
	sf_buf_cstr(out, HIDDEN);
	sf_buf_add(out, at, (size_t)(s.p + s.n - at));
}

static void say_value(struct sf_buf *out, const struct sf_config_row *row) {
	const struct value *v = &state.values[row - sf_config_rows];
	struct sf_str rest = sf_str(v->text), head;
	if (!v->text) return;
	if (!row->secret) {
		sf_buf_str(out, rest);
		return;
	}
	if (!strstr(row->name, "URL")) {
		sf_buf_cstr(out, HIDDEN);
		return;
	}
	for (bool more = true; more;) {
		more = sf_str_cut(rest, ',', &head, &rest);
		hide_in_url(out, head);
		if (more) sf_buf_char(out, ',');
	}
}

static void print_json(struct sf_buf *out) {
	struct sf_json j = sf_json(out);
	struct sf_buf text = { 0 };
	sf_json_arr(&j);
	for (const struct sf_config_row *row = sf_config_rows; row->name; row++) {
		const struct value *v = &state.values[row - sf_config_rows];
		sf_buf_clear(&text);
		say_value(&text, row);
		sf_json_obj(&j);
		sf_json_add(&j, SF_KV("name", row->name), SF_KV("flag", row->flag),
					SF_KV("value", v->text ? sf_buf_view(&text) : SF_STR_NULL), SF_KV("source", v->source),
					SF_KV("help", row->help));
		sf_json_obj_end(&j);
	}
	sf_json_arr_end(&j);
	sf_buf_char(out, '\n');
	sf_buf_fini(&text);
}

void sf_config_print(struct sf_buf *out, bool json) {
	if (json) {
		print_json(out);
		return;
	}
	struct sf_buf text = { 0 };
	for (const struct sf_config_row *row = sf_config_rows; row->name; row++) {
		const struct value *v = &state.values[row - sf_config_rows];
		sf_buf_clear(&text);
		say_value(&text, row);
		sf_buf_printf(out, "%-22s %-11s " SF_PRI "\n", row->name, v->text ? v->source : "unset",
					  SF_ARG(text));
	}
	sf_buf_fini(&text);
}

void sf_config_help(struct sf_buf *out) {
	static const char *const kinds[] = {
		[SF_CFG_INT] = "N",     [SF_CFG_BOOL] = "",      [SF_CFG_TEXT] = "TEXT",
		[SF_CFG_CHOICE] = NULL, [SF_CFG_BYTES] = "SIZE", [SF_CFG_MSEC] = "TIME"
	};
	for (const struct sf_config_row *row = sf_config_rows; row->name; row++) {
		const char *kind = row->type == SF_CFG_CHOICE ? row->choices : kinds[row->type];
		char flag[96];
		snprintf(flag, sizeof(flag), "%s %s", row->flag, kind);
		sf_buf_printf(out, "  %-32s %s%s%s%s\n", flag, row->help, row->fallback ? " [" : "",
					  row->fallback ? row->fallback : "", row->fallback ? "]" : "");
	}
}
