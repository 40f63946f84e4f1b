/* LIKE of the SQLite engine: wildcards, escapes, and case in every script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "db/sqlite.h"

static int ask(sqlite3 *db, const char *text, const char *pattern) {
	sqlite3_stmt *s = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT ?1 LIKE ?2 ESCAPE '\\'", -1, &s, NULL), SQLITE_OK);
	sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, pattern, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int is = sqlite3_column_type(s, 0) == SQLITE_NULL ? -1 : sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return is;
}

static void matches(void **state) {
	static const struct {
		const char *text, *pattern;
		int is;
	} cases[] = {
		{ "", "", 1 },
		{ "", "%", 1 },
		{ "", "_", 0 },
		{ "abc", "abc", 1 },
		{ "abc", "ab", 0 },
		{ "ab", "abc", 0 },
		{ "ABC", "aBc", 1 },
		{ "a@c", "a`c", 0 }, /* these differ by the bit that folds letters */
		{ "[", "{", 0 },
		{ "abc", "a_c", 1 },
		{ "a김c", "a_c", 1 },
		{ "👍", "_", 1 },
		{ "👍", "__", 0 },
		{ "xabcabdy", "%abd%", 1 },
		{ "aaab", "%aab", 1 },
		{ "mississippi", "%iss%ip%", 1 },
		{ "mississippi", "%iss%ipx%", 0 },
		{ "abc", "%%%", 1 },
		{ "abc", "%_c", 1 },
		{ "100%", "%0\\%", 1 },
		{ "1000", "%0\\%", 0 },
		{ "a_b", "a\\_b", 1 },
		{ "axb", "a\\_b", 0 },
		{ "a\\b", "a\\\\b", 1 },
		{ "a\\", "a\\", 0 }, /* an escape of nothing */
		{ "ÉCLAIR", "%éclair%", 1 },
		{ "ångström", "ÅNGSTRÖM", 1 },
		{ "Борис", "борис", 1 },
		{ "ＦＵＬＬ", "ｆｕｌｌ", 1 },
		{ "STRASSE", "straße", 0 },
		{ "e\u0301", "é", 0 },
		{ NULL, "%", -1 },
		{ "a", NULL, -1 },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++)
		if (ask(*state, cases[i].text, cases[i].pattern) != cases[i].is)
			fail_msg("\"%s\" LIKE \"%s\" is not %d", cases[i].text, cases[i].pattern, cases[i].is);
}

/* A pattern of many % is no way to keep the server busy. */
static void wildcards_cost_little(void **state) {
	char text[4001], pattern[201];
	memset(text, 'a', 4000), text[4000] = 0;
	for (size_t i = 0; i < 200; i += 2) pattern[i] = '%', pattern[i + 1] = 'a';
	strcpy(pattern + 198, "%b");
	assert_int_equal(ask(*state, text, pattern), 0);
}

static void escape_is_one_character(void **state) {
	sqlite3_stmt *s = NULL;
	assert_int_equal(sqlite3_prepare_v2(*state, "SELECT 'a' LIKE 'a' ESCAPE 'xy'", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ERROR);
	sqlite3_finalize(s);
	assert_int_equal(sqlite3_prepare_v2(*state, "SELECT 'É' LIKE 'é'", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(s, 0), 1);
	sqlite3_finalize(s);
}

static int open_db(void **state) {
	sqlite3 *db = NULL;
	if (sqlite3_open(":memory:", &db) != SQLITE_OK || sf_lite__like_add(db) != SQLITE_OK) return -1;
	*state = db;
	return 0;
}
static int close_db(void **state) {
	return sqlite3_close(*state) == SQLITE_OK ? 0 : -1;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(wildcards_cost_little),
		cmocka_unit_test(escape_is_one_character),
	};
	return cmocka_run_group_tests(tests, open_db, close_db);
}
