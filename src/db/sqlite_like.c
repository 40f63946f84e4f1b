/* LIKE of the SQLite engine: without regard to case in every script, as PostgreSQL's ILIKE, where SQLite's own folds ASCII
 * only. Case is that of C.UTF-8, one character to one: what PostgreSQL's towlower says. */
#include "db/sqlite.h"
#include <locale.h>
#include <wctype.h>

struct text {
	const unsigned char *p, *end;
};

/* Takes one character of UTF-8; what is broken counts byte by byte. */
static uint32_t next(struct text *t) {
	uint32_t c = *t->p++;
	size_t more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC2 ? 1 : 0;
	if (c < 0x80 || (size_t)(t->end - t->p) < more) return c;
	c &= more == 3 ? 0x07 : more == 2 ? 0x0F : 0x1F;
	for (; more; more--) c = c << 6 | (*t->p++ & 0x3F);
	return c;
}

static bool same(uint32_t a, uint32_t b, locale_t utf8) {
	if (a == b) return true;
	if (a < 0x80 && b < 0x80) return (a | 0x20) == (b | 0x20) && (a | 0x20) >= 'a' && (a | 0x20) <= 'z';
	return towlower_l((wint_t)a, utf8) == towlower_l((wint_t)b, utf8);
}

/* What stands in the pattern: a character, or a wildcard. */
enum kind { END, CHARACTER, ONE, ANY, BROKEN };

static enum kind take(struct text *pattern, uint32_t escape, uint32_t *c) {
	if (pattern->p == pattern->end) return END;
	*c = next(pattern);
	if (escape && *c == escape) {
		if (pattern->p == pattern->end) return BROKEN; /* an escape of nothing matches nothing */
		*c = next(pattern);
		return CHARACTER;
	}
	return *c == '%' ? ANY : *c == '_' ? ONE : CHARACTER;
}

/* One way back is enough: what a later % took need not be tried with an earlier one. */
static bool like(struct text pattern, struct text s, uint32_t escape, locale_t utf8) {
	struct text back_pattern = { NULL, NULL }, back_s = { NULL, NULL };
	for (;;) {
		struct text at = pattern;
		uint32_t c = 0;
		enum kind k = take(&at, escape, &c);
		if (k == BROKEN) return false;
		if (k == ANY) {
			pattern = back_pattern = at, back_s = s;
			continue;
		}
		if (k == END && s.p == s.end) return true;
		if (k != END && s.p != s.end) {
			struct text rest = s;
			uint32_t got = next(&rest);
			if (k == ONE || same(c, got, utf8)) {
				pattern = at, s = rest;
				continue;
			}
		}
		if (!back_pattern.p || back_s.p == back_s.end) return false;
		next(&back_s);
		pattern = back_pattern, s = back_s;
	}
}

static struct text text_of(sqlite3_value *v) {
	const unsigned char *p = sqlite3_value_text(v);
	return (struct text) { p, p ? p + sqlite3_value_bytes(v) : p };
}

/* x LIKE pattern ESCAPE e is like(pattern, x, e). */
static void call(sqlite3_context *ctx, int n, sqlite3_value **arg) {
	struct text pattern = text_of(arg[0]), s = text_of(arg[1]), e = { NULL, NULL };
	uint32_t escape = 0;
	if (n > 2) {
		e = text_of(arg[2]);
		if (e.p && e.p != e.end) escape = next(&e);
		if (!e.p || !escape || e.p != e.end) {
			sqlite3_result_error(ctx, "ESCAPE expression must be a single character", -1);
			return;
		}
	}
	if (pattern.p && s.p) sqlite3_result_int(ctx, like(pattern, s, escape, (locale_t)sqlite3_user_data(ctx)));
}

static void let_go(void *utf8) {
	freelocale(utf8);
}

int sf_lite__like_add(sqlite3 *db) {
	int rc = SQLITE_OK, flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
	for (int args = 2; args <= 3 && rc == SQLITE_OK; args++) {
		locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
		if (!utf8) return SQLITE_ERROR;
		rc = sqlite3_create_function_v2(db, "like", args, flags, utf8, call, NULL, NULL,
										let_go); /* lets go of it on failure, too */
	}
	return rc;
}
