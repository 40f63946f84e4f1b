/* proxy: forged headers move nobody, trusted chains are followed, IPv6 is counted by network. */
#include "auth/test.h"

static struct sf_arena *a;

static int setup(void **state) {
	(void)state;
	a = sf_arena_new(0);
	return sf_proxies_setup(NULL);
}

static int teardown(void **state) {
	(void)state;
	sf_arena_free(a);
	return 0;
}

static struct sf_str client(const char *peer, const char *forwarded) {
	return sf_client_ip(a, sf_str(peer), sf_str(forwarded));
}

static void without_trust_the_header_is_nothing(void **state) {
	(void)state;
	assert_str(client("9.9.9.9", "1.2.3.4"), "9.9.9.9");
	assert_str(client("127.0.0.1", "1.2.3.4, 127.0.0.1"), "127.0.0.1");
	assert_str(client("::ffff:9.9.9.9", NULL), "9.9.9.9");
	assert_str(client("", NULL), "");
}

static void chains(void **state) {
	(void)state;
	assert_int_equal(sf_proxies_setup("127.0.0.1, 10.0.0.0/8 ,2001:db8::/32,"), 0);
	static const struct {
		const char *peer, *forwarded, *want;
	} c[] = {
		{ "127.0.0.1", NULL, "127.0.0.1" },
		{ "127.0.0.1", "", "127.0.0.1" },
		{ "127.0.0.1", "1.2.3.4", "1.2.3.4" },
		{ "127.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4" }, /* the client's own words stand left */
		{ "127.0.0.1", "6.6.6.6, 1.2.3.4, 10.1.2.3", "1.2.3.4" },
		{ "127.0.0.1", "1.2.3.4,10.1.2.3,10.255.255.255", "1.2.3.4" },
		{ "127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1" }, /* all trusted: the first */
		{ "9.9.9.9", "1.2.3.4", "9.9.9.9" },               /* not from a proxy */
		{ "11.0.0.1", "1.2.3.4", "11.0.0.1" },
		{ "127.0.0.1", "1.2.3.4:5678", "1.2.3.4" },
		{ "127.0.0.1", "[2001:470::1]:80", "2001:470::1" },
		{ "127.0.0.1", "2001:470:0:0::1", "2001:470::1" },
		{ "2001:db8::5", "1.2.3.4", "1.2.3.4" },
		{ "::ffff:127.0.0.1", "1.2.3.4", "1.2.3.4" },
		{ "127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4" },
		{ "127.0.0.1", "1.2.3.4, junk", "127.0.0.1" },
		{ "127.0.0.1", "1.2.3.4, unknown, 10.0.0.9", "10.0.0.9" },
		{ "127.0.0.1", ",,,", "127.0.0.1" },
		{ "127.0.0.1", "1.2.3.4, ", "127.0.0.1" },
		{ "127.0.0.1", "1.2.3.4.5", "127.0.0.1" },
		{ "127.0.0.1", "01.2.3.4", "127.0.0.1" },
		{ "127.0.0.1", "[::1", "127.0.0.1" },
	};
	for (size_t i = 0; i < SF_COUNT(c); i++) assert_str(client(c[i].peer, c[i].forwarded), c[i].want);
	char big[10000];
	memset(big, '1', sizeof(big) - 1), big[sizeof(big) - 1] = 0;
	assert_str(client("127.0.0.1", big), "127.0.0.1");
}

static void networks_end_at_their_last_bit(void **state) {
	(void)state;
	assert_int_equal(sf_proxies_setup("192.168.16.0/20"), 0);
	assert_str(client("192.168.15.255", "1.1.1.1"), "192.168.15.255");
	assert_str(client("192.168.16.0", "1.1.1.1"), "1.1.1.1");
	assert_str(client("192.168.31.255", "1.1.1.1"), "1.1.1.1");
	assert_str(client("192.168.32.0", "1.1.1.1"), "192.168.32.0");
	assert_int_equal(sf_proxies_setup("0.0.0.0/0"), 0);
	assert_str(client("8.8.8.8", "1.1.1.1"), "1.1.1.1");
	assert_str(client("2001:470::1", "1.1.1.1"), "2001:470::1");
	assert_int_equal(sf_proxies_setup("::/0"), 0);
	assert_str(client("2001:470::1", "1.1.1.1"), "1.1.1.1");
}

static void wrong_lists_change_nothing(void **state) {
	(void)state;
	assert_int_equal(sf_proxies_setup("10.0.0.0/8"), 0);
	static const char *const bad[] = { "10.0.0.0/33",   "10.0.0.0/-1", "10.0.0.0/x", "10.0.0.0/",
									   "proxy.example", "::1/129",     "1.2.3",      "10.0.0.1 10.0.0.2" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) assert_int_equal(sf_proxies_setup(bad[i]), SF_EINVAL);
	assert_str(client("10.0.0.1", "1.1.1.1"), "1.1.1.1");
}

static void a_forged_header_cannot_move_the_bucket(void **state) {
	(void)state;
	assert_int_equal(sf_proxies_setup("127.0.0.1"), 0);
	struct sf_limit_result r;
	int allowed = 0;
	for (int i = 0; i < 50; i++) {
		/* the attacker writes another first entry each time; our proxy appends where it really came from */
		struct sf_str header = sf_arena_printf(a, "77.%d.%d.%d, 5.5.5.5", i, i, i);
		struct sf_str ip = sf_client_ip(a, SF_STR("127.0.0.1"), header);
		sf_auth__limit_at("x", sf_client_bucket(a, ip), 10, 60000, INT64_C(1800000000000), &r);
		allowed += r.allowed;
	}
	assert_int_equal(allowed, 10);
}

static void buckets(void **state) {
	(void)state;
	assert_str(sf_client_bucket(a, SF_STR("1.2.3.4")), "1.2.3.4");
	assert_str(sf_client_bucket(a, SF_STR("2001:db8:1:2:3:4:5:6")), "2001:db8:1:2::/64");
	assert_str(sf_client_bucket(a, SF_STR("2001:db8:1:2:ffff::")), "2001:db8:1:2::/64");
	assert_str(sf_client_bucket(a, SF_STR("2001:db8:1:3::1")), "2001:db8:1:3::/64");
	assert_str(sf_client_bucket(a, SF_STR("junk")), "junk");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		SET_UP(without_trust_the_header_is_nothing),    SET_UP(chains),
		SET_UP(networks_end_at_their_last_bit),         SET_UP(wrong_lists_change_nothing),
		SET_UP(a_forged_header_cannot_move_the_bucket), SET_UP(buckets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
