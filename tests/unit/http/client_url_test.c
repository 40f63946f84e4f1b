/* Addresses as text: their parts, redirects, and the forms that a user's address may not have. */
#include "core/test.h"

#include "http/client.h"

static struct sf_arena *a;

static int open_arena(void **state) {
	(void)state;
	a = sf_arena_new(0);
	return 0;
}
static int close_arena(void **state) {
	(void)state;
	sf_arena_free(a);
	return 0;
}

static int parse(const char *text, struct sf_client__url *u, struct sf_str *why) {
	*why = SF_STR_NULL;
	return sf_client__url(a, sf_str(text), u, why);
}

static void parts(void **state) {
	(void)state;
	static const struct {
		const char *in, *text, *shown, *key;
	} rows[] = {
		{ "http://Example.COM", "http://example.com/", "http://example.com/", "example.com:80" },
		{ "HTTPS://example.com:443/a?b#c", "https://example.com/a?b", "https://example.com/a?b",
		  "example.com:443" },
		{ "http://example.com:8080?q=1", "http://example.com:8080/?q=1", "http://example.com:8080/?q=1",
		  "example.com:8080" },
		{ "http://me:s3@example.com/x", "http://me:s3@example.com/x", "http://example.com/x",
		  "example.com:80" },
		{ "https://[2606:4700::1111]:8443/", "https://[2606:4700::1111]:8443/",
		  "https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443" },
		{ "http://example.com/\xec\x9a\x94 \xeb\xa6\xac", "http://example.com/%EC%9A%94%20%EB%A6%AC",
		  "http://example.com/%EC%9A%94%20%EB%A6%AC", "example.com:80" },
		{ "http://example.com/a@b:c", "http://example.com/a@b:c", "http://example.com/a@b:c",
		  "example.com:80" },
		{ "http://example.com#@127.0.0.1/", "http://example.com/", "http://example.com/", "example.com:80" },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_client__url u;
		struct sf_str why;
		assert_int_equal(parse(rows[i].in, &u, &why), 0);
		assert_string_equal(u.text, rows[i].text);
		assert_str(u.shown, rows[i].shown);
		assert_str(u.key, rows[i].key);
	}
}

static void no_addresses(void **state) {
	(void)state;
	static const char *const rows[] = { "",
										"example.com",
										"//example.com/",
										"http://",
										"http:///x",
										"ftp://example.com/",
										"file:///etc/passwd",
										"gopher://example.com:25/",
										"http:example.com",
										"http://exa mple.com/",
										"http://example.com\\@127.0.0.1/",
										"http://example.com/\r\nHost: x",
										"http://example.com/\x01",
										"http://example.com:0/",
										"http://example.com:65536/",
										"http://example.com:80a/",
										"http://example.com:-1/",
										"http://a:b:c/",
										"http://[::1/",
										"http://[::1]x/",
										"http://[fe80::1%25eth0]/",
										"http://[zz]/",
										"http://%31%32%37.0.0.1/",
										"http://a@b@example.com/",
										"http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/" };
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_client__url u;
		struct sf_str why;
		if (parse(rows[i], &u, &why) != SF_EINVAL) fail_msg("taken for an address: %s", rows[i]);
		assert_true(why.n > 10 && why.p[why.n - 1] == '.');
	}
}

static void refused_of_a_user(void **state) {
	(void)state;
	static const char *const rows[] = {
		"http://127.0.0.1/",
		"http://127.1/",
		"http://127.0.1/",
		"http://2130706433/",
		"http://0177.0.0.1/",
		"http://017700000001/",
		"http://0x7f.0.0.1/",
		"http://0x7f000001/",
		"http://0X7F000001/",
		"http://127.0.0.0x1/",
		"http://127.0.0.01/",
		"http://0/",
		"http://0.0.0.0/",
		"http://8.8.8/",     /* public, but no four numbers */
		"http://134744072/", /* 8.8.8.8 */
		"http://10.1.2.3/",
		"http://172.31.255.255/",
		"http://192.168.0.1/",
		"http://100.64.0.1/",
		"http://169.254.169.254/latest/meta-data/",
		"http://198.18.0.1/",
		"http://224.0.0.1/",
		"http://255.255.255.255/",
		"http://[::1]/",
		"http://[::]/",
		"http://[::ffff:127.0.0.1]/",
		"http://[::ffff:7f00:1]/",
		"http://[0:0:0:0:0:ffff:a00:1]/",
		"http://[fe80::1]/",
		"http://[fc00::1]/",
		"http://[fd12:3456::1]/",
		"http://[64:ff9b::a00:1]/",
		"http://[2002:7f00:1::]/",
		"http://[::127.0.0.1]/",
		"http://[2001:db8::1]/",
		"http://[ff02::1]/",
		"http://localhost/",
		"http://LOCALHOST/",
		"http://a.localhost/",
		"http://localhost./",
		"http://example.com./",
		"http://127.0.0.1./",
		"http://.example.com/",
		"http://good@127.0.0.1/",
		"http://good@example.com/",
		"http://good:pw@example.com/",
		"http://@example.com/",
		"http://example.com:22/",
		"http://example.com:25/",
		"http://example.com:6379/",
		"http://example.com:8000/",
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_client__url u;
		struct sf_str why;
		assert_int_equal(parse(rows[i], &u, &why), 0);
		if (sf_client__url_foreign(&u, &why) != SF_EFORBIDDEN) fail_msg("let through: %s", rows[i]);
		assert_true(why.n > 10 && why.p[why.n - 1] == '.');
	}
}

static void allowed_of_a_user(void **state) {
	(void)state;
	static const char *const rows[] = { "http://example.com/",       "https://example.com:8443/",
										"http://example.com:8080/",  "http://8.8.8.8/",
										"https://1.1.1.1:443/",      "http://172.32.0.1/",
										"https://[2606:4700::1111]", "http://[::ffff:8.8.8.8]/",
										"http://[64:ff9b::808:808]", "http://0xabc.example.com/",
										"http://127.0.0.1.nip.io/" /* refused when it is resolved */ };
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_client__url u;
		struct sf_str why;
		assert_int_equal(parse(rows[i], &u, &why), 0);
		if (sf_client__url_foreign(&u, &why)) fail_msg("refused: %s", rows[i]);
	}
}

static void redirects(void **state) {
	(void)state;
	static const struct {
		const char *base, *location, *want; /* NULL: refused */
		bool same;
	} rows[] = {
		{ "http://a.com/x/y?z", "w", "http://a.com/x/w", true },
		{ "http://a.com/x/y?z", "/w?1", "http://a.com/w?1", true },
		{ "http://a.com/x/y", "../w", "http://a.com/w", true },
		{ "http://a.com/x/y", "?q", "http://a.com/x/y?q", true },
		{ "https://a.com/x", "//b.com/y", "https://b.com/y", false },
		{ "http://a.com/x", "http://b.com", "http://b.com/", false },
		{ "http://a.com/x", "https://a.com/x", "https://a.com/x", false },
		{ "http://a.com/x", "http://a.com:8080/x", "http://a.com:8080/x", false },
		{ "http://a.com/x", "http://a.com:80/x", "http://a.com/x", true },
		{ "http://a.com/x", "file:///etc/passwd", NULL, false },
		{ "http://a.com/x", "ftp://a.com/", NULL, false },
		{ "http://a.com/x", "gopher://127.0.0.1:25/_HELO", NULL, false },
		{ "http://a.com/x", "http://\xec\x9a\x94.kr/", NULL, false },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_client__url base, u;
		struct sf_str why;
		assert_int_equal(parse(rows[i].base, &base, &why), 0);
		int err = sf_client__location(a, &base, sf_str(rows[i].location), &u, &why);
		assert_int_equal(err, rows[i].want ? 0 : SF_EINVAL);
		if (err) continue;
		assert_string_equal(u.text, rows[i].want);
		assert_int_equal(sf_client__same_origin(&base, &u), rows[i].same);
	}
}

static void lists(void **state) {
	(void)state;
	assert_false(sf_client__listed(NULL, SF_STR("a:80")));
	assert_false(sf_client__listed("", SF_STR("a:80")));
	assert_false(sf_client__listed("a:8, aa:80,a", SF_STR("a:80")));
	assert_true(sf_client__listed("b:1, A:80 ", SF_STR("a:80")));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(refused_of_a_user),
		cmocka_unit_test(allowed_of_a_user),
		cmocka_unit_test(redirects),
		cmocka_unit_test(lists),
	};
	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
