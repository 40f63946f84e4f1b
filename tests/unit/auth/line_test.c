/* line: whose password is hashed when, who is refused, and that nothing is left of those who go. The hash is a cheap one, so
 * that a hundred turns take no time; what is asserted is order and number. */
#include "auth/test.h"

static const char cheap[] = /* of "password" */
	"$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$dxM42BlXPGcRaznheIro4EsOsM+d+7/i5tdGzz5GT8c";

#define LONG_MS 300000

static struct sf_loop *loop;
static struct login {
	const char *client, *name, *hash;
	int result, at; /* at: how many had ended before */
	int64_t retry_s;
	struct sf_co *co;
} logins[512];
static int nlogins, ended;

static void login(void *arg) {
	struct login *l = arg;
	struct sf_turn t = { .client = sf_str(l->client), .name = sf_str(l->name) };
	l->result = sf_password_check(&t, SF_STR("password"), sf_str(l->hash), NULL, 0, NULL);
	l->retry_s = t.retry_s;
	l->at = ended++;
}

static struct login *come(const char *client, const char *name) {
	struct login *l = &logins[nlogins++];
	*l = (struct login) { .client = client, .name = name, .hash = cheap, .result = 1 };
	assert_int_equal(sf_co_start(loop, login, l, &l->co), 0);
	return l;
}

static int count(int result) {
	int n = 0;
	for (int i = 0; i < nlogins; i++) n += logins[i].result == result;
	return n;
}

static int setup(void **state) {
	(void)state;
	nlogins = ended = 0;
	loop = sf_loop_new(NULL);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	sf_loop_run(loop);
	return sf_loop_free(loop);
}

/* The first test, for it knows what a turn is taken to last: 100 ms until one was measured. */
static void whoever_would_wait_too_long_is_refused_at_once(void **state) {
	(void)state;
	sf_password_setup(1, 1000);
	for (int i = 0; i < 40; i++) come("flood", "kim@example.com");
	assert_int_equal(count(SF_EOVERLOAD), 29); /* one runs, ten wait: 1,000 ms */
	for (int i = 11; i < 40; i++) assert_int_equal(logins[i].retry_s, 2);
	const struct login *honest = come("honest", "lee@example.com");
	assert_int_equal(honest->result, 1); /* it waits */
	sf_loop_run(loop);
	assert_int_equal(honest->result, 0);
	assert_int_equal(count(0), 12);
}

static void a_flood_from_one_client_costs_others_a_turn(void **state) {
	(void)state;
	sf_password_setup(1, LONG_MS);
	for (int i = 0; i < 200; i++) come("flood", i % 2 ? "kim@example.com" : "lee@example.com");
	const struct login *honest = come("honest", "kim@example.com"),
					   *again = come("honest", "kim@example.com");
	sf_loop_run(loop);
	assert_int_equal(count(0), 202);
	assert_in_range(honest->at, 0, 2); /* the one that ran, and one turn of the flood */
	assert_in_range(again->at, 0, 4);
}

static void a_flood_for_one_name_costs_others_of_its_client_a_turn(void **state) {
	(void)state;
	sf_password_setup(1, LONG_MS);
	for (int i = 0; i < 60; i++) come("office", "kim@example.com");
	const struct login *other = come("office", "lee@example.com");
	sf_loop_run(loop);
	assert_in_range(other->at, 0, 2);
}

static void as_many_run_as_were_set(void **state) {
	(void)state;
	sf_password_setup(3, LONG_MS);
	struct login *first[4];
	for (int i = 0; i < 4; i++) first[i] = come("a", "kim@example.com");
	sf_co_cancel(first[3]->co, SF_ECANCELED); /* waits, so it can be cut short; the others cannot */
	assert_int_equal(first[3]->result, SF_ECANCELED);
	sf_co_cancel(first[2]->co, SF_ECANCELED);
	assert_int_equal(first[2]->result, 1);
	sf_loop_run(loop);
	assert_int_equal(count(0), 3);
	sf_password_setup(0, LONG_MS); /* one at least */
	come("a", "kim@example.com"), come("a", "kim@example.com");
	sf_loop_run(loop);
	assert_int_equal(count(0), 5);
}

static void a_full_line_makes_room_for_who_has_less_in_it(void **state) {
	(void)state;
	sf_password_setup(1, LONG_MS);
	for (int i = 0; i < 260; i++) come("flood", "kim@example.com");
	assert_int_equal(count(SF_EOVERLOAD), 3); /* one runs, 256 wait */
	const struct login *honest = come("honest", "lee@example.com");
	for (int i = 258; i < nlogins - 1; i++) assert_int_equal(logins[i].result, SF_EOVERLOAD);
	assert_int_equal(honest->result, 1);
	for (int i = 10; i < 257; i++) /* those who go away keep nobody from his turn */
		if (logins[i].result == 1) sf_co_cancel(logins[i].co, SF_ECANCELED);
	sf_loop_run(loop);
	assert_int_equal(honest->result, 0);
	assert_int_equal(count(0), 11);
	assert_int_equal(logins[256].result, SF_EOVERLOAD); /* the last of the flood gave way */
}

static void nobody_waits_longer_than_the_bound(void **state) {
	(void)state;
	static const char costly[] = /* some 200 ms, of another password */
		"$argon2id$v=19$m=8192,t=200,p=1$HhfGrUrR4AHxoS9SsxE89w$6Hn9pEmCn2MjY3xothz+cc+nRfDyWlRnTM90DNf+ICA";
	sf_password_setup(1, LONG_MS);
	for (int i = 0; i < 60; i++) come("a", "kim@example.com"); /* turns are short, as is measured */
	sf_loop_run(loop);
	sf_password_setup(1, 150);
	struct login *slow = &logins[nlogins++];
	*slow = (struct login) { .client = "a", .name = "b", .hash = costly, .result = 1 };
	assert_int_equal(sf_co_start(loop, login, slow, NULL), 0);
	const struct login *waits = come("b", "lee@example.com");
	assert_int_equal(waits->result, 1);
	sf_loop_run(loop);
	assert_int_equal(waits->result, SF_EOVERLOAD);
	assert_int_equal(waits->retry_s, 1);
	assert_true(waits->at < slow->at);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		SET_UP(whoever_would_wait_too_long_is_refused_at_once),
		SET_UP(a_flood_from_one_client_costs_others_a_turn),
		SET_UP(a_flood_for_one_name_costs_others_of_its_client_a_turn),
		SET_UP(as_many_run_as_were_set),
		SET_UP(a_full_line_makes_room_for_who_has_less_in_it),
		SET_UP(nobody_waits_longer_than_the_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
