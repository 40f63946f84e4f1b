/* Addresses as numbers: both edges of every network that is not the world. */
#include "core/test.h"

#include "http/client.h"

#include <arpa/inet.h>

static const struct {
	const char *ip;
	bool is_public;
} rows[] = {
	{ "0.0.0.0", false },
	{ "0.255.255.255", false },
	{ "1.0.0.0", true },
	{ "1.1.1.1", true },
	{ "8.8.8.8", true },
	{ "9.255.255.255", true },
	{ "10.0.0.0", false },
	{ "10.255.255.255", false },
	{ "11.0.0.0", true },
	{ "100.63.255.255", true },
	{ "100.64.0.0", false },
	{ "100.127.255.255", false },
	{ "100.128.0.0", true },
	{ "126.255.255.255", true },
	{ "127.0.0.0", false },
	{ "127.0.0.1", false },
	{ "127.255.255.255", false },
	{ "128.0.0.0", true },
	{ "169.253.255.255", true },
	{ "169.254.0.0", false },
	{ "169.254.169.254", false },
	{ "169.254.255.255", false },
	{ "169.255.0.0", true },
	{ "172.15.255.255", true },
	{ "172.16.0.0", false },
	{ "172.31.255.255", false },
	{ "172.32.0.0", true },
	{ "191.255.255.255", true },
	{ "192.0.0.0", false },
	{ "192.0.0.255", false },
	{ "192.0.1.0", true },
	{ "192.0.2.1", false },
	{ "192.0.3.0", true },
	{ "192.88.99.1", false },
	{ "192.167.255.255", true },
	{ "192.168.0.0", false },
	{ "192.168.255.255", false },
	{ "192.169.0.0", true },
	{ "198.17.255.255", true },
	{ "198.18.0.0", false },
	{ "198.19.255.255", false },
	{ "198.20.0.0", true },
	{ "198.51.100.7", false },
	{ "203.0.113.7", false },
	{ "203.0.114.0", true },
	{ "223.255.255.255", true },
	{ "224.0.0.0", false },
	{ "239.255.255.255", false },
	{ "240.0.0.0", false },
	{ "255.255.255.255", false },
	{ "::", false },
	{ "::1", false },
	{ "::2", false },
	{ "::8.8.8.8", false },
	{ "::ffff:127.0.0.1", false },
	{ "::ffff:10.0.0.1", false },
	{ "::ffff:169.254.169.254", false },
	{ "::ffff:8.8.8.8", true },
	{ "::ffff:0:8.8.8.8", false },
	{ "64:ff9b::127.0.0.1", false },
	{ "64:ff9b::192.168.1.1", false },
	{ "64:ff9b::8.8.8.8", true },
	{ "64:ff9b:1::8.8.8.8", false },
	{ "100::1", false },
	{ "1fff:ffff::1", false },
	{ "2000::1", true },
	{ "2001::1", false },
	{ "2001:1ff:ffff::1", false },
	{ "2001:200::1", true },
	{ "2001:4860:4860::8888", true },
	{ "2001:db8::1", false },
	{ "2001:db9::1", true },
	{ "2002:7f00:1::1", false },
	{ "2002:a00:1::1", false },
	{ "2002:c0a8:101::1", false },
	{ "2002:808:808::1", true },
	{ "2606:4700::1111", true },
	{ "3ffe::1", true },
	{ "3fff::1", false },
	{ "3fff:fff::1", false },
	{ "3fff:1000::1", true },
	{ "4000::1", false },
	{ "5f00::1", false },
	{ "fc00::1", false },
	{ "fdff::1", false },
	{ "fe80::1", false },
	{ "febf::1", false },
	{ "fec0::1", false },
	{ "ff02::1", false },
};

static void networks(void **state) {
	(void)state;
	assert_true(SF_COUNT(rows) >= 60);
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sockaddr_in v4 = { .sin_family = AF_INET };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
		bool is_4 = inet_pton(AF_INET, rows[i].ip, &v4.sin_addr) == 1;
		if (!is_4) assert_int_equal(inet_pton(AF_INET6, rows[i].ip, &v6.sin6_addr), 1);
		if (sf_client__public(is_4 ? (void *)&v4 : (void *)&v6) != rows[i].is_public)
			fail_msg("%s is %spublic", rows[i].ip, rows[i].is_public ? "" : "not ");
	}
}

static void other_families_are_refused(void **state) {
	(void)state;
	struct sockaddr_storage other = { .ss_family = AF_UNIX };
	assert_false(sf_client__public((struct sockaddr *)&other));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(other_families_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
