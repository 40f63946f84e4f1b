/* Users' URLs: the guard on what is really connected to. Names are resolved and sockets connected by the stand-ins below: a
 * name has the answers that a test gives it, one after the other, and whatever address libcurl connects to on a web port, the
 * test's server on loopback is behind it. libcurl sees the address it wanted. */
#include "http/client_server.h"

#include "core/config.h"
#include "http/client.h"

#include <dlfcn.h>
#include <netdb.h>

static struct fakes {
	pthread_mutex_t lock;
	const char *answers[4]; /* of any name that ends in .test, two as "a,b"; the last one stays */
	int asked, connects;
	struct sockaddr_in wanted[1024]; /* by socket */
	atomic_int held, let_go;         /* who asks for slow.test waits for let_go */
} fakes = { .lock = PTHREAD_MUTEX_INITIALIZER };

int getaddrinfo(const char *restrict name, const char *restrict service,
				const struct addrinfo *restrict hints, struct addrinfo **restrict out) {
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(
			RTLD_NEXT, "getaddrinfo");
	size_t n = name ? strlen(name) : 0;
	if (n < 5 || strcmp(name + n - 5, ".test") != 0) return real(name, service, hints, out);
	if (strcmp(name, "slow.test") == 0) {
		atomic_fetch_add(&fakes.held, 1);
		while (!atomic_load(&fakes.let_go)) nanosleep(&(struct timespec) { 0, 1000000 }, NULL);
		atomic_fetch_sub(&fakes.held, 1);
		return EAI_AGAIN;
	}
	pthread_mutex_lock(&fakes.lock);
	const char *ip = fakes.answers[fakes.asked];
	if (fakes.answers[fakes.asked + 1]) fakes.asked++;
	pthread_mutex_unlock(&fakes.lock);
	struct addrinfo h = *hints;
	h.ai_flags = AI_NUMERICHOST, h.ai_family = AF_UNSPEC;
	char first[64];
	const char *comma = strchrnul(ip, ',');
	snprintf(first, sizeof(first), "%.*s", (int)(comma - ip), ip);
	int err = real(first, service, &h, out);
	if (!err && *comma) err = real(comma + 1, service, &h, &(*out)->ai_next); /* freed one by one */
	return err;
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t n) {
	int (*real)(int, const struct sockaddr *, socklen_t) =
		(int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
	struct sockaddr_in in;
	SF_BUG_ON(to.__sockaddr__->sa_family != AF_INET || fd >= 1024 || n < sizeof(in));
	memcpy(&in, to.__sockaddr__, sizeof(in));
	fakes.wanted[fd] = in;
	fakes.connects++;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons((uint16_t)server.port);
	return real(fd, (struct sockaddr *)&in, sizeof(in));
}

int getpeername(int fd, __SOCKADDR_ARG out, socklen_t *restrict n) {
	SF_BUG_ON(fd >= 1024 || *n < sizeof(fakes.wanted[fd]));
	memcpy(out.__sockaddr__, &fakes.wanted[fd], sizeof(fakes.wanted[fd]));
	*n = sizeof(fakes.wanted[fd]);
	return 0;
}

#define OUTSIDE "93.184.216.34"
static void answers(const char *first, const char *second) {
	fakes.answers[0] = first, fakes.answers[1] = second;
	fakes.asked = fakes.connects = 0;
}
static int visit(const char *address) {
	return fetch(&(struct sf_fetch) { .url = sf_str(address), .redirects = 3, .foreign = true });
}

static void outside(void) {
	answers(OUTSIDE, NULL);
	assert_int_equal(visit("http://shop.test/ok"), 0);
	assert_int_equal(rig.got.status, 200);
	assert_int_equal(visit("http://shop.test:8080/to?302=http://other.test/ok"), 0);
	assert_str(rig.got.url, "http://other.test/ok");
	assert_int_equal(stats().forbidden, 0);
}
static void the_world_is_reached(void **state) {
	(void)state;
	rig_run(outside);
}

static const char *inner;
static void inside(void) {
	answers(inner, NULL);
	assert_int_equal(visit("http://shop.test/ok"), SF_EFORBIDDEN);
	assert_str(rig.why, "The address is not one of the public Internet.");
	assert_int_equal(stats().forbidden, 1);
	assert_int_equal(fakes.connects, 0);
}
static void names_of_inner_addresses_are_refused(void **state) {
	(void)state;
	static const char *const ips[] = {
		"127.0.0.1",     "10.0.0.5",    "172.16.0.1", "192.168.1.1",     "169.254.169.254",
		"100.100.1.1",   "0.0.0.0",     "224.0.0.1",  "198.18.0.1",      "255.255.255.255",
		"::1",           "fe80::1",     "fd00::1",    "::ffff:10.0.0.1", "64:ff9b::7f00:1",
		"2002:a00:1::1", "10.0.0.1,::1"
	};
	for (size_t i = 0; i < SF_COUNT(ips); i++) {
		inner = ips[i];
		rig_run(inside);
	}
	assert_int_equal(atomic_load(&server.requests), 0);
}

static void redirected(void) {
	static const char *const to[] = {
		"http://127.0.0.1/ok",      "http://2130706433/ok", "http://0177.0.0.1/ok",
		"http://[::1]/ok",          "http://127.1/ok",      "http://[::ffff:7f00:1]/ok",
		"http://169.254.169.254/x", "http://localhost/ok",  "http://good@127.0.0.1/ok",
		"http://shop.test:6379/ok", "//10.0.0.1/ok"
	};
	for (size_t i = 0; i < SF_COUNT(to); i++) {
		char path[128];
		answers(OUTSIDE, NULL);
		snprintf(path, sizeof(path), "http://shop.test/to?302=%s", to[i]);
		if (visit(path) != SF_EFORBIDDEN) fail_msg("followed to %s", to[i]);
	}
	assert_int_equal(stats().forbidden, SF_COUNT(to));
	assert_int_equal(atomic_load(&server.requests), (int)SF_COUNT(to)); /* each time the first hop only */
}
static void every_redirect_is_checked(void **state) {
	(void)state;
	rig_run(redirected);
}

/* The name of the first hop is the world's, that of the second is ours: two names of one attacker. */
static void changing_on_the_way(void) {
	answers(OUTSIDE, "127.0.0.1");
	assert_int_equal(visit("http://a.test/to?302=http://b.test/ok"), SF_EFORBIDDEN);
	assert_int_equal(fakes.connects, 1);
}
/* The same name, asked for anew at another port: checked at each connect. */
static void changing_between(void) {
	answers(OUTSIDE, "10.0.0.1");
	assert_int_equal(visit("http://a.test/big?10"), 0);
	assert_int_equal(visit("http://a.test:8080/ok"), SF_EFORBIDDEN);
	assert_int_equal(fakes.connects, 1);
}
static void answers_that_change_do_not_get_past(void **state) {
	(void)state;
	rig_run(changing_on_the_way);
	rig_run(changing_between);
	assert_int_equal(atomic_load(&server.requests), 2);
}

/* A name of both: only the address of the world is connected to. */
static void both(void) {
	answers("10.0.0.1," OUTSIDE, NULL);
	assert_int_equal(visit("http://a.test/ok"), 0);
	assert_int_equal(fakes.connects, 1);
	answers("::1," OUTSIDE, NULL);
	assert_int_equal(visit("http://b.test/ok"), 0);
	assert_int_equal(fakes.connects, 1);
}
static void of_two_answers_the_outer_one_is_taken(void **state) {
	(void)state;
	rig_run(both);
}

/* A connection that our own code opened to an inner host stands in libcurl's pool under its name. */
static void pooled(void) {
	answers("127.0.0.1", NULL);
	assert_int_equal(fetch(&(struct sf_fetch) { .url = SF_STR("http://inner.test/ok") }), 0);
	assert_int_equal(visit("http://inner.test/ok"), SF_EFORBIDDEN);
	assert_int_equal(fakes.connects, 1);
	assert_int_equal(atomic_load(&server.requests), 1);
	assert_int_equal(fetch(&(struct sf_fetch) { .url = SF_STR("http://inner.test/ok") }), 0);
}
static void pooled_connections_are_checked_too(void **state) {
	(void)state;
	rig_run(pooled);
}

static void allowed(void) {
	answers("127.0.0.1", NULL);
	assert_int_equal(visit("http://intra.test:9999/ok"), 0);
	assert_int_equal(visit("http://127.0.0.1:7777/ok"), 0);
	assert_int_equal(visit("http://intra.test/ok"), SF_EFORBIDDEN);
	assert_int_equal(visit("http://127.0.0.1:7778/ok"), SF_EFORBIDDEN);
	assert_int_equal(visit("http://127.0.0.1:7777/to?302=http://127.0.0.1/ok"), SF_EFORBIDDEN);
}
static void exceptions_are_named_in_the_settings(void **state) {
	(void)state;
	char why[256], *argv[] = { "t", "--fetch-allow", "intra.test:9999, 127.0.0.1:7777", NULL }, *rest[4];
	int n;
	assert_int_equal(sf_config_load(3, argv, rest, &n, why, sizeof(why)), 0);
	rig_run(allowed);
	assert_int_equal(sf_config_load(1, argv, rest, &n, why, sizeof(why)), 0);
}

static void cut_while_resolving(void) {
	int64_t from = sf_clock_ns();
	assert_int_equal(fetch(&(struct sf_fetch) { .url = SF_STR("http://slow.test/ok"), .timeout_ms = 100 }),
					 SF_EDEADLINE);
	assert_in_range(ms_since(from), 90, 5000);
	assert_int_equal(atomic_load(&fakes.held), 1);
}
static void a_slow_resolver_is_not_waited_for(void **state) {
	(void)state;
	int64_t from = sf_clock_ns();
	rig_run(cut_while_resolving);
	assert_true(ms_since(from) < 8000);
	atomic_store(&fakes.let_go, 1);
	while (atomic_load(&fakes.held) && ms_since(from) < 10000)
		nanosleep(&(struct timespec) { 0, 1000000 }, NULL);
	assert_int_equal(atomic_load(&fakes.held), 0);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, server_reset_counts)
	const struct CMUnitTest tests[] = {
		T(the_world_is_reached),
		T(names_of_inner_addresses_are_refused),
		T(every_redirect_is_checked),
		T(answers_that_change_do_not_get_past),
		T(of_two_answers_the_outer_one_is_taken),
		T(pooled_connections_are_checked_too),
		T(exceptions_are_named_in_the_settings),
		T(a_slow_resolver_is_not_waited_for),
	};
	return cmocka_run_group_tests(tests, server_start, server_stop);
}
