/* platform rules: emails, patterns, and the seconds that tell new tokens from revoked ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/platform/rules.h"

static struct sf_arena *a;

static int setup(void **state) {
	(void)state;
	a = sf_arena_new(0);
	return 0;
}
static int teardown(void **state) {
	(void)state;
	sf_arena_free(a);
	return 0;
}

static void is(struct sf_str s, const char *want) {
	if (!sf_str_eq(s, sf_str(want))) fail_msg("\"" SF_PRI "\" is not \"%s\"", SF_ARG(s), want);
}

static void emails_are_lower_case(void **state) {
	(void)state;
	is(platform_email(a, SF_STR("Kim.Lee+X@Example.COM")), "kim.lee+x@example.com");
	is(platform_email(a, SF_STR("김@예시.한국")), "김@예시.한국");
	is(platform_email(a, SF_STR("[`@{")), "[`@{"); /* neighbours of the letters */
	is(platform_email(a, SF_STR("")), "");
}

static void wildcards_are_text(void **state) {
	(void)state;
	is(platform_like(a, SF_STR("kim")), "%kim%");
	is(platform_like(a, SF_STR("100%_\\")), "%100\\%\\_\\\\%");
	is(platform_like(a, SF_STR("길동")), "%길동%");
	is(platform_like(a, SF_STR("")), "%%");
}

static void devices_are_told_apart(void **state) {
	(void)state;
	static const char *const known[][2] = {
		{ "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
		  "Safari/537.36",
		  "Chrome on Windows" },
		{ "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
		  "Safari/537.36 "
		  "Edg/126.0.0.0",
		  "Edge on Windows" },
		{ "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
		  "Whale/3.26.244.21 "
		  "Chrome/126.0.0.0 Safari/537.36",
		  "Whale on Windows" },
		{ "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
		  "Version/17.5 Safari/605.1.15",
		  "Safari on macOS" },
		{ "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
		  "CriOS/126.0 "
		  "Mobile/15E148 Safari/604.1",
		  "Chrome on iPhone" },
		{ "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) "
		  "SamsungBrowser/25.0 Chrome/121.0.0.0 "
		  "Mobile Safari/537.36",
		  "Samsung Internet on Android" },
		{ "Mozilla/5.0 (Linux; Android 14; SM-S921N; wv) AppleWebKit/537.36 Chrome/126.0 Mobile "
		  "Safari/537.36;KAKAOTALK 2410850",
		  "KakaoTalk on Android" },
		{ "curl/7.88.1", "curl" },
		{ "python-requests/2.31", "python-requests" },
		{ "node", "node" },
		{ "\xff\xfe\r\n<script>", "" },
		{ "", "" },
	};
	for (size_t i = 0; i < SF_COUNT(known); i++) is(platform_device(a, sf_str(known[i][0])), known[i][1]);
	is(platform_device(a, SF_STR_NULL), "");
	char longest[200];
	memset(longest, 'x', sizeof longest);
	assert_int_equal(platform_device(a, (struct sf_str) { longest, sizeof longest }).n, PLATFORM_DEVICE_MAX);
}

/* Whatever happens within one second: what was issued before a revocation is out, what is issued after it is in. */
static void revoking_and_issuing_take_turns(void **state) {
	(void)state;
	int64_t now = INT64_C(1800000000) * SF_USEC, from = 0;
	for (int i = 0; i < 100; i++, now += 100000) {
		int64_t old = platform_issued_at(now, from);
		from = platform_revoke_from(now, from, old);
		assert_true(old < from);
		assert_true(platform_issued_at(now, from) >= from);
	}
	assert_int_equal(platform_issued_at(now, 0), now / SF_USEC);
	assert_int_equal(platform_revoke_from(now, 0, 0), now / SF_USEC + 1);
	/* another host's clock is five seconds ahead of ours */
	assert_int_equal(platform_revoke_from(now, 0, now / SF_USEC + 5), now / SF_USEC + 6);
	assert_int_equal(platform_issued_at(now + SF_DAY_USEC, from), (now + SF_DAY_USEC) / SF_USEC);
}

static void a_budget_comes_back_piece_by_piece(void **state) {
	(void)state;
	const struct platform_budget b = { .most = 3, .each = 10 };
	int64_t whole_at = 0, now = 1000;
	for (int i = 0; i < 3; i++) { /* what the statement does */
		assert_int_equal(platform_budget_wait(&b, whole_at, now), 0);
		assert_true(whole_at <= platform_budget_limit(&b, now));
		whole_at = (whole_at > now ? whole_at : now) + b.each;
	}
	assert_int_equal(platform_budget_wait(&b, whole_at, now), 10);
	assert_true(whole_at > platform_budget_limit(&b, now));
	assert_int_equal(platform_budget_wait(&b, whole_at, now + 9), 1);
	assert_int_equal(platform_budget_wait(&b, whole_at, now + 10), 0);
	assert_int_equal(platform_budget_wait(&b, whole_at + b.each, now + 19), 1); /* that one is taken again */
	const struct platform_budget strangers = PLATFORM_STRANGERS;
	assert_int_equal(strangers.most + SF_DAY_USEC / strangers.each, 820); /* guesses in the first day */
}

static void codes_are_read_as_they_are_typed(void **state) {
	(void)state;
	is(platform_code(a, SF_STR("7XKQ-2M4D")), "7XKQ2M4D");
	is(platform_code(a, SF_STR(" 7xkq 2m4d ")), "7XKQ2M4D");
	is(platform_code(a, SF_STR("oO1i-LlI0")), "00111110");
	is(platform_code(a, SF_STR("")), "");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(emails_are_lower_case, setup, teardown),
		cmocka_unit_test_setup_teardown(devices_are_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(wildcards_are_text, setup, teardown),
		cmocka_unit_test_setup_teardown(a_budget_comes_back_piece_by_piece, setup, teardown),
		cmocka_unit_test_setup_teardown(codes_are_read_as_they_are_typed, setup, teardown),
		cmocka_unit_test_setup_teardown(revoking_and_issuing_take_turns, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
