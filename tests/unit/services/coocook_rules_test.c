/* CooCook's rules: status, ratings, search text, taste. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/coocook/rules.h"

static void status_turns(void **state) {
	(void)state;
	static const char *const names[] = { "pending", "confirmed", "completed", "cancelled" };
	static const bool may[4][4] = {
		/* to:        pending confirmed completed cancelled */
		{ false, true, false, true },
		{ false, false, true, true },
		{ false, false, false, false },
		{ false, false, false, false },
	};
	for (int from = 0; from < 4; from++)
		for (int to = 0; to < 4; to++)
			assert_int_equal(coocook_may_turn(sf_str(names[from]), sf_str(names[to])), may[from][to]);
	assert_false(coocook_may_turn(SF_STR(""), SF_STR("confirmed")));
	assert_false(coocook_may_turn(SF_STR_NULL, SF_STR("confirmed")));
}

static void ratings(void **state) {
	(void)state;
	assert_true(coocook_rating(0, 0) == 0);
	assert_true(coocook_rating(5, 1) == 5);
	assert_true(coocook_rating(14, 3) == 4.67);
	assert_true(coocook_rating(13, 3) == 4.33);
	assert_true(coocook_rating(9, 2) == 4.5);
	assert_true(coocook_popularity(0, 0) == 4);
	/* one perfect rating does not beat thirty good ones; thirty beat ten of the same mean */
	assert_true(coocook_popularity(5, 1) < coocook_popularity(145, 30));
	assert_true(coocook_popularity(48, 10) < coocook_popularity(144, 30));
	assert_true(coocook_popularity(3, 1) < coocook_popularity(0, 0));
}

static void search_terms(void **state) {
	(void)state;
	static const struct {
		const char *q;
		size_t words;
		const char *tsquery, *fts5;
	} cases[] = {
		{ "kim", 1, "'kim':*", "\"kim\" *" },
		{ "  Seoul   pasta ", 2, "'Seoul':* & 'pasta':*", "\"Seoul\" * AND \"pasta\" *" },
		{ "궁중 요리", 2, "'궁중':* & '요리':*", "\"궁중\" * AND \"요리\" *" },
		{ "한식·양식", 2, "'한식':* & '양식':*", "\"한식\" * AND \"양식\" *" },
		{ "x' | !y:*", 2, "'x':* & 'y':*", "\"x\" * AND \"y\" *" },
		{ "\"a\\b(c)", 3, "'a':* & 'b':* & 'c':*", "\"a\" * AND \"b\" * AND \"c\" *" },
		{ "1 2 3 4 5 6 7 8 9 10 11", 10, NULL, NULL },
		{ "a\U0001F600b \u2192", 2, "'a':* & 'b':*", "\"a\" * AND \"b\" *" },
		{ "글👍치 👨‍🍳 ★x", 3, "'글':* & '치':* & 'x':*", "\"글\" * AND \"치\" * AND \"x\" *" },
		{ "👍🏽", 0, NULL, NULL },
		{ "あア寿", 1, "'あア寿':*", "\"あア寿\" *" },
		{ "!!", 0, NULL, NULL },
		{ "（，　）", 0, NULL, NULL },
		{ "", 0, NULL, NULL },
	};
	struct sf_arena *a = sf_arena_new(0);
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		struct coocook_terms pg, lite;
		coocook_terms(a, sf_str(cases[i].q), COOCOOK_TSQUERY, &pg);
		coocook_terms(a, sf_str(cases[i].q), COOCOOK_FTS5, &lite);
		assert_int_equal(pg.words, cases[i].words);
		assert_int_equal(lite.words, cases[i].words);
		if (!cases[i].tsquery) continue;
		assert_true(sf_str_eq(pg.all, sf_str(cases[i].tsquery)));
		assert_true(sf_str_eq(lite.all, sf_str(cases[i].fts5)));
	}
	struct coocook_terms t;
	coocook_terms(a, SF_STR("a b"), COOCOOK_TSQUERY, &t);
	assert_true(sf_str_eq(t.name, SF_STR("'a':*A & 'b':*A")));
	assert_true(sf_str_eq(t.head, SF_STR("'a':*AB & 'b':*AB")));
	coocook_terms(a, SF_STR("a"), COOCOOK_FTS5, &t);
	assert_true(sf_str_eq(t.name, SF_STR("{name} : \"a\" *")));
	assert_true(sf_str_eq(t.head, SF_STR("{name cuisine_type location} : \"a\" *")));
	sf_arena_free(a);
}

static void favourites(void **state) {
	(void)state;
	const struct coocook_taste t[] = {
		{ SF_STR("Korean"), SF_STR("Seoul"), 2 },
		{ SF_STR("Thai"), SF_STR("Busan"), 3 },
		{ SF_STR("Korean"), SF_STR("Busan"), 2 },
		{ SF_STR("Indian"), SF_STR("Jeju"), 3 },
	};
	struct sf_str out[3];
	assert_int_equal(coocook_favourites(t, 4, false, out, 3), 3);
	assert_true(sf_str_eq(out[0], SF_STR("Korean")));
	assert_true(sf_str_eq(out[1], SF_STR("Indian"))); /* as often as Thai; by name */
	assert_true(sf_str_eq(out[2], SF_STR("Thai")));
	assert_int_equal(coocook_favourites(t, 4, true, out, 2), 2);
	assert_true(sf_str_eq(out[0], SF_STR("Busan")));
	assert_true(sf_str_eq(out[1], SF_STR("Jeju")));
	assert_int_equal(coocook_favourites(t, 1, true, out, 3), 1);
	assert_int_equal(coocook_favourites(t, 0, true, out, 3), 0);
}

static void first_names(void **state) {
	(void)state;
	static const char *const cases[][2] = {
		{ "김민지", "김○○" },
		{ "김철", "김○" },
		{ "김", "김○" },
		{ "남궁민수", "남궁○○" },
		{ "남궁현", "남궁○" },
		{ "선우", "선○" },
		{ "황보 관", "황보○" },
		{ " 이 서준 ", "이○○" },
		{ "이서준 Seojun Lee", "이○○" },
		{ "김수한무거북이", "김○○○" },
		{ "\u1100\u1175\u11B7\u1106\u1175\u11AB\u110C\u1175",
		  "\u1100\u1175\u11B7○○" }, /* 김민지 in letters */
		{ "王小明", "王○○" },
		{ "さくら", "さ○○" },
		{ "Minji Kim", "Minji K." },
		{ "Minji", "Minji" },
		{ "Jean-Luc  de la Cruz", "Jean-Luc C." },
		{ "Ólafur Árnason", "Ólafur Á." },
		{ "Dr. Kim", "Dr. K." },
		{ "Guest 7", "Guest 7." },
		{ "Bartholomew-Maximilian Q", "Bartholomew-Maximili Q." },
		{ "A\nB", "A B." },
		{ "kim@example.com", NULL },
		{ "Kim kim@example.com", NULL },
		{ "010-1234-5678", NULL },
		{ "Guest 910006", NULL },
		{ "http://evil.example", NULL },
		{ "evil.example", NULL },
		{ "  ", NULL },
		{ "", NULL },
	};
	struct sf_arena *a = sf_arena_new(0);
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		struct sf_str got = coocook_first_name(a, sf_str(cases[i][0]));
		if (!cases[i][1])
			assert_null(got.p);
		else
			assert_string_equal(sf_arena_cstr(a, got), cases[i][1]);
	}
	sf_arena_free(a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_turns), cmocka_unit_test(ratings),    cmocka_unit_test(search_terms),
		cmocka_unit_test(first_names),  cmocka_unit_test(favourites),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
