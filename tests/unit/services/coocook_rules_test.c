/* CooCook's rules: status, ratings, dates, hours, search text, taste. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/coocook/rules.h"

#define DAY  INT64_C(20000) /* 2024-10-04 */
#define H(n) (sf_date_start(DAY) + (n)*COOCOOK_HOUR)

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

static void when(void **state) {
	(void)state;
	const int64_t now = H(9) + 20 * 60 * SF_USEC; /* 2024-10-04T09:20 */
	static const struct {
		const char *text;
		int err;
		bool exact;
		int64_t from, to; /* hours from the day's start */
	} cases[] = {
		{ "2024-10-05", 0, false, 24, 48 },
		{ "2024-10-04", 0, false, 10, 24 }, /* today: what is left of it */
		{ "2024-10-03", SF_EINVAL, false, 0, 0 },
		{ "2024-10-04T10:00:00Z", 0, true, 10, 34 },
		{ "2024-10-04T10:00", 0, true, 10, 34 },
		{ "2024-10-04 19:00:00+09:00", 0, true, 10, 34 },
		{ "2024-10-04T09:00:00Z", SF_EINVAL, false, 0, 0 }, /* has begun */
		{ "2024-10-04T10:30:00Z", SF_EINVAL, false, 0, 0 },
		{ "2024-10-04T10:00:00.5Z", SF_EINVAL, false, 0, 0 },
		{ "2024-10-05T23:00:00Z", 0, true, 47, 71 },
		{ "2024-02-30", SF_EINVAL, false, 0, 0 },
		{ "tomorrow", SF_EINVAL, false, 0, 0 },
		{ "", SF_EINVAL, false, 0, 0 },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		struct coocook_when w = { 0 };
		const char *why = NULL;
		assert_int_equal(coocook_when(sf_str(cases[i].text), now, &w, &why), cases[i].err);
		if (cases[i].err) {
			assert_non_null(why);
			continue;
		}
		assert_int_equal(w.exact, cases[i].exact);
		assert_int_equal(w.window.from, H(cases[i].from));
		assert_int_equal(w.window.to, H(cases[i].to));
		assert_int_equal(w.day, sf_date_of(w.window.from));
	}
	assert_int_equal(coocook_last_day(now, 0), DAY);
	assert_int_equal(coocook_last_day(now, 14 * COOCOOK_HOUR), DAY);
	assert_int_equal(coocook_last_day(now, 15 * COOCOOK_HOUR), DAY + 1);
	/* the last hour of a day has no whole hour left, yet is no past date */
	struct coocook_when w;
	const char *why = NULL;
	int64_t start = 0;
	assert_int_equal(coocook_when(SF_STR("2024-10-04"), H(23) + 1, &w, &why), 0);
	assert_false(coocook_first_free(NULL, 0, w.window, 1, &start));
}

static void first_free(void **state) {
	(void)state;
	const struct coocook_span busy[] = { { H(-2), H(1) }, { H(3), H(5) }, { H(5), H(8) }, { H(23), H(26) } };
	static const struct {
		int64_t from, to, hours, start; /* start -1: none */
	} cases[] = {
		{ 0, 24, 1, 1 },   { 0, 24, 2, 1 },    { 0, 24, 3, 8 },   { 0, 24, 15, 8 }, { 0, 24, 16, -1 },
		{ 2, 24, 2, 8 },   { 3, 6, 1, -1 },    { 1, 3, 2, 1 },    { 1, 4, 3, -1 },  { 22, 24, 2, -1 },
		{ 22, 48, 2, 26 }, { 26, 50, 24, 26 }, { 0, 24, 24, -1 },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		int64_t start = -1;
		struct coocook_span window = { H(cases[i].from), H(cases[i].to) };
		bool found = coocook_first_free(busy, SF_COUNT(busy), window, cases[i].hours, &start);
		assert_int_equal(found, cases[i].start >= 0);
		if (found) assert_int_equal(start, H(cases[i].start));
	}
	int64_t starts[3];
	assert_int_equal(coocook_next_free(busy, 4, (struct coocook_span) { H(0), H(48) }, 2, starts, 3), 3);
	assert_int_equal(starts[0], H(1));
	assert_int_equal(starts[1], H(8));
	assert_int_equal(starts[2], H(10));
	assert_int_equal(coocook_next_free(busy, 4, (struct coocook_span) { H(0), H(8) }, 2, starts, 3), 1);
}

static void free_hours(void **state) {
	(void)state;
	const struct coocook_span busy[] = { { H(-2), H(1) }, { H(3), H(5) }, { H(5), H(8) }, { H(23), H(26) } };
	struct coocook_span out[5];
	assert_int_equal(coocook_free(busy, 4, (struct coocook_span) { H(0), H(48) }, out), 3);
	assert_int_equal(out[0].from, H(1));
	assert_int_equal(out[0].to, H(3));
	assert_int_equal(out[1].from, H(8));
	assert_int_equal(out[1].to, H(23));
	assert_int_equal(out[2].from, H(26));
	assert_int_equal(out[2].to, H(48));
	assert_int_equal(coocook_free(busy, 4, (struct coocook_span) { H(3), H(8) }, out), 0);
	assert_int_equal(coocook_free(NULL, 0, (struct coocook_span) { H(4) + 1, H(6) }, out), 1);
	assert_int_equal(out[0].from, H(5)); /* the begun hour is gone */
	assert_int_equal(coocook_free(NULL, 0, (struct coocook_span) { H(6), H(6) }, out), 0);
	assert_int_equal(coocook_free(busy, 4, (struct coocook_span) { H(9), H(12) }, out), 1);
}

/* Whatever first_free gives is free, lies in the window, and no earlier hour would have done. */
static void first_free_is_first(void **state) {
	(void)state;
	uint32_t seed = 7;
	for (int round = 0; round < 2000; round++) {
		struct coocook_span busy[12];
		bool taken[48] = { false };
		size_t n = 0;
		for (int64_t at = 0; at < 40 && n < 12;) {
			seed = seed * 1664525 + 1013904223;
			int64_t gap = seed >> 28, length = 1 + (seed >> 20 & 7);
			at += gap & 3;
			if (at + length > 48) break;
			busy[n++] = (struct coocook_span) { H(at), H(at + length) };
			for (int64_t h = at; h < at + length; h++) taken[h] = true;
			at += length;
		}
		int64_t hours = 1 + (seed >> 8 & 7), start = 0, want = -1;
		for (int64_t h = 0; h + hours <= 48 && want < 0; h++) {
			bool clear = true;
			for (int64_t k = h; k < h + hours; k++) clear &= !taken[k];
			if (clear) want = h;
		}
		bool found = coocook_first_free(busy, n, (struct coocook_span) { H(0), H(48) }, hours, &start);
		assert_int_equal(found, want >= 0);
		if (found) assert_int_equal(start, H(want));
	}
}

static void days(void **state) {
	(void)state;
	static const struct {
		int64_t from, to; /* days from today, INT64_MIN: absent */
		int err;
		int64_t first, last;
	} cases[] = {
		{ INT64_MIN, INT64_MIN, 0, 0, 29 },
		{ 3, INT64_MIN, 0, 3, 32 },
		{ INT64_MIN, 10, 0, 0, 10 },
		{ 0, 89, 0, 0, 89 },
		{ 0, 90, SF_EINVAL, 0, 0 },
		{ 5, 4, SF_EINVAL, 0, 0 },
		{ 5, 5, 0, 5, 5 },
		{ INT64_MIN, -3, 0, -3, -3 },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		bool has_from = cases[i].from != INT64_MIN, has_to = cases[i].to != INT64_MIN;
		int64_t from = has_from ? DAY + cases[i].from : 0, to = has_to ? DAY + cases[i].to : 0;
		const char *why = NULL;
		assert_int_equal(coocook_days(has_from, &from, has_to, &to, DAY, &why), cases[i].err);
		if (cases[i].err) {
			assert_non_null(why);
			continue;
		}
		assert_int_equal(from, DAY + cases[i].first);
		assert_int_equal(to, DAY + cases[i].last);
	}
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
		cmocka_unit_test(status_turns), cmocka_unit_test(ratings),    cmocka_unit_test(when),
		cmocka_unit_test(first_free),   cmocka_unit_test(free_hours), cmocka_unit_test(first_free_is_first),
		cmocka_unit_test(first_names),  cmocka_unit_test(days),       cmocka_unit_test(search_terms),
		cmocka_unit_test(favourites),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
