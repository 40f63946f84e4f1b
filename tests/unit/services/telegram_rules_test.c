/* Telegram's rules: commands, messages that are too long, and what the Bot API's answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "services/telegram/rules.h"

static void commands(void **state) {
	(void)state;
	static const struct {
		const char *text;
		enum telegram__command command;
		const char *argument;
	} cases[] = {
		{ "/start", TELEGRAM__START, "" },
		{ "/start abc_-9", TELEGRAM__START, "abc_-9" },
		{ "  /start\t abc \n", TELEGRAM__START, "abc" },
		{ "/START@SomeBot abc def", TELEGRAM__START, "abc def" },
		{ "/switch abc", TELEGRAM__SWITCH, "abc" },
		{ "/stop", TELEGRAM__STOP, "" },
		{ "/bookings\nplease", TELEGRAM__BOOKINGS, "please" },
		{ "/posts@x", TELEGRAM__POSTS, "" },
		{ "/status", TELEGRAM__STATUS, "" },
		{ "/statusx", TELEGRAM__UNKNOWN, "" },
		{ "/star t", TELEGRAM__UNKNOWN, "t" },
		{ "/", TELEGRAM__UNKNOWN, "" },
		{ "/@", TELEGRAM__UNKNOWN, "" },
		{ "start", TELEGRAM__TALK, "" },
		{ "hello /start abc", TELEGRAM__TALK, "" },
		{ "   ", TELEGRAM__TALK, "" },
		{ "", TELEGRAM__TALK, "" },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		struct sf_str argument = SF_STR_NULL;
		assert_int_equal(telegram__command(sf_str(cases[i].text), &argument), cases[i].command);
		assert_true(sf_str_eq(argument, sf_str(cases[i].argument)));
	}
}

/* Repeats a character; returns how many bytes of the text one message holds. */
static size_t clipped(const char *one, size_t times, const char *end) {
	static char text[4 * (TELEGRAM_TEXT_MAX + 8)];
	size_t n = strlen(one), at = 0;
	for (size_t i = 0; i < times; i++, at += n) memcpy(text + at, one, n);
	memcpy(text + at, end, strlen(end));
	struct sf_str s = { text, at + strlen(end) }, got = telegram__clip(s);
	assert_ptr_equal(got.p, text);
	return got.n;
}

static void clip(void **state) {
	(void)state;
	assert_int_equal(clipped("a", 0, ""), 0);
	assert_int_equal(clipped("a", TELEGRAM_TEXT_MAX, ""), TELEGRAM_TEXT_MAX);
	assert_int_equal(clipped("a", TELEGRAM_TEXT_MAX + 1, ""), TELEGRAM_TEXT_MAX);
	assert_int_equal(clipped("é", TELEGRAM_TEXT_MAX + 1, ""), 2 * TELEGRAM_TEXT_MAX);
	assert_int_equal(clipped("한", TELEGRAM_TEXT_MAX + 1, ""), 3 * TELEGRAM_TEXT_MAX);
	/* outside of the basic plane a character is two units: half of one never stays */
	assert_int_equal(clipped("😀", TELEGRAM_TEXT_MAX / 2, ""), 2 * TELEGRAM_TEXT_MAX);
	assert_int_equal(clipped("a", TELEGRAM_TEXT_MAX - 1, "😀"), TELEGRAM_TEXT_MAX - 1);
	assert_int_equal(clipped("a", TELEGRAM_TEXT_MAX - 2, "😀b"), TELEGRAM_TEXT_MAX + 2);
}

static void outcomes(void **state) {
	(void)state;
	static const struct {
		int status;
		bool ok;
		enum telegram__outcome outcome;
	} cases[] = {
		{ 200, true, TELEGRAM__SENT },   { 200, false, TELEGRAM__AGAIN }, { 302, false, TELEGRAM__AGAIN },
		{ 400, false, TELEGRAM__NEVER }, { 401, false, TELEGRAM__NEVER }, { 403, false, TELEGRAM__GONE },
		{ 404, false, TELEGRAM__NEVER }, { 408, false, TELEGRAM__AGAIN }, { 500, false, TELEGRAM__AGAIN },
		{ 503, true, TELEGRAM__AGAIN },
	};
	int64_t ms = -1;
	for (size_t i = 0; i < SF_COUNT(cases); i++)
		assert_int_equal(telegram__outcome(cases[i].status, cases[i].ok, 7000, &ms), cases[i].outcome);
	assert_int_equal(ms, -1); /* only 429 says when */
	assert_int_equal(telegram__outcome(429, false, 7000, &ms), TELEGRAM__LATER);
	assert_int_equal(ms, 7000);
	assert_int_equal(telegram__outcome(429, false, 0, &ms), TELEGRAM__LATER);
	assert_in_range(ms, 1000, 60000);
	assert_int_equal(telegram__outcome(429, false, INT64_MAX, &ms), TELEGRAM__LATER);
	assert_int_equal(ms, 3600000);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands),
		cmocka_unit_test(clip),
		cmocka_unit_test(outcomes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
