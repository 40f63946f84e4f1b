/* name: what is left of names in messages that go to others. */
#include "core/test.h"

#include <stdio.h>

static void what_is_a_name_stays(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	static const char *const names[] = {
		"김철수",         "Anne-Marie O'Neil", "J. R. R. Kim", "J.R. Kim", "Park & Co",   "박셰프 (서울)",
		"Lee/Kim",        "100% 손맛",         "No. 1",        "a@b",      "<b>셰프</b>", "Chef #",
		"Kim 2026-10-03", "~!%^&*()_+`|{}[]"
	};
	for (size_t i = 0; i < SF_COUNT(names); i++) {
		bool date = i == 12; /* eight digits are a telephone number */
		assert_str(sf_arena_name(a, sf_str(names[i])), date ? "Kim …" : names[i]);
	}
	sf_arena_free(a);
}

static void what_would_become_a_link_is_left_out(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	static const char *const cases[][2] = {
		{ "Your account is suspended, verify at http://evil.example",
		  "Your account is suspended, verify at …" },
		{ "HTTPS://evil.example/x kim", "… kim" },
		{ "tg://resolve?domain=x", "…" },
		{ "(http://evil.example)", "…" },
		{ "www.evil.example", "…" },
		{ "WWW.evil", "…" },
		{ "Kim evil.example/login", "Kim …" },
		{ "evil.example:8080", "…" },
		{ "evil.한국?x", "…" },
		{ "kim@evil.example", "…" },
		{ "call 02-1234-5678 now", "call … now" },
		{ "evil.example", "evil. example" },
		{ "St.John", "St. John" },
		{ "a.bc.de", "a. bc. de" },
		{ "한국.한국", "한국. 한국" },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++)
		assert_str(sf_arena_name(a, sf_str(cases[i][0])), cases[i][1]);
	sf_arena_free(a);
}

static void commands_and_mentions_are_plain_words(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	static const char *const cases[][2] = {
		{ "/start code", "start code" }, { "@kim", "kim" },     { "(@kim)", "(kim)" },
		{ "#tag $USD", "tag USD" },      { "/@#kim", "/@kim" }, { "kim#1", "kim#1" },
		{ "-/stop", "-stop" },           { "@김", "김" },       { "Kim\r\nBcc: x", "Kim Bcc: x" },
		{ "  a \t b ", "a b" },          { "", "-" },           { " \n ", "-" },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++)
		assert_str(sf_arena_name(a, sf_str(cases[i][0])), cases[i][1]);
	sf_arena_free(a);
}

static void a_long_one_is_cut(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	char text[400] = "", want[sizeof text + 8];
	for (int i = 0; i < 40; i++) strcat(text, "김");
	assert_str(sf_arena_name(a, sf_str(text)), text);
	snprintf(want, sizeof want, "%s…", text);
	strcat(text, "이");
	assert_str(sf_arena_name(a, sf_str(text)), want);
	assert_str(sf_arena_name(a, SF_STR("123 456 abc def ghi jkl mno pqr stu vwx yz end")),
			   "123 456 abc def ghi jkl mno pqr stu vwx…");
	sf_arena_free(a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_name_stays),
		cmocka_unit_test(what_would_become_a_link_is_left_out),
		cmocka_unit_test(commands_and_mentions_are_plain_words),
		cmocka_unit_test(a_long_one_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
