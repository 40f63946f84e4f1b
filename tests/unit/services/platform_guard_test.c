/* What strangers can do to an account by guessing, from one address and from many at once, and what they cannot: keep those out who
 * have signed in to it before. Addresses are told by X-Forwarded-For. */
#include "services/platform/internal.h"
#include "platform.h"

#define EMAIL "kim@example.com"

static const char *at(struct world *w, const char *address, const char *cookie) {
	return sf_arena_printf(w->a, "X-Forwarded-For: %s\n%s%s%s", address, cookie ? "Cookie: sf_device=" : "",
						   cookie ? cookie : "", cookie ? "\n" : "")
		.p;
}
static struct answer sign_in(struct world *w, const char *who, const char *email, const char *password) {
	return POST(w, who, LOGIN, "{\"email\":\"%s\",\"password\":\"%s\"}", email, password);
}
/* ~ As if `n` failures of strangers with the name stood on record. */
static void strangers_failed(struct world *w, const char *email, int n) {
	int64_t whole_at = sf_time_now() + n * INT64_C(120000000);
	OK(run_sql(w, sf_arena_printf(
					  w->a, "INSERT OR REPLACE INTO budgets (key, whole_at) VALUES ('sign-in %s ', %lld)",
					  email, (long long)whole_at)
					  .p));
}
/* ---- one stranger ------------------------------------------------------------------------------------ */

static void a_stranger_locks_the_name_for_itself_alone(struct world *w) {
	OK(sf_proxies_setup("127.0.0.1"));
	join(w, EMAIL);
	const char *stranger = at(w, "192.0.2.1", NULL);
	for (int i = 0; i < 10; i++) IS(sign_in(w, stranger, EMAIL, "wrong wrong"), 401);
	struct answer a = sign_in(w, stranger, EMAIL, "eight888");
	IS(a, 423);
	assert_non_null(strstr(sf_arena_cstr(w->a, a.head), "Retry-After: 900"));
	IS(sign_in(w, at(w, "192.0.2.1", "not-a-cookie-of-ours"), EMAIL, "eight888"), 423);
	IS(sign_in(w, at(w, "192.0.2.1", "AAAAAAAAAAAAAAAAAAAAAA"), EMAIL, "eight888"), 423); /* nor a new one */
	IS(sign_in(w, at(w, "198.51.100.1", NULL), EMAIL, "eight888"), 200);
	IS(login(w, EMAIL, "eight888"), 200);
	for (int i = 0; i < 10; i++) IS(sign_in(w, at(w, "2001:db8::1", NULL), EMAIL, "wrong wrong"), 401);
	IS(sign_in(w, at(w, "2001:db8::2", NULL), EMAIL, "eight888"), 423); /* the same network */
	IS(sign_in(w, at(w, "2001:db8:0:1::1", NULL), EMAIL, "eight888"), 200);
}

/* The office's address is locked by a colleague's guesses; the owner's own browser is known by its cookie. */
static void a_browser_is_known_where_its_address_is_locked(struct world *w) {
	OK(sf_proxies_setup("127.0.0.1"));
	join(w, EMAIL);
	struct answer a = POST(w, at(w, "192.0.2.1", NULL), "/auth/login",
						   "{\"email\":\"" EMAIL "\",\"password\":\"eight888\"}");
	IS(a, 200);
	const char *cookie = cookie_of(w, a, "sf_device");
	assert_int_equal(strlen(cookie), 22);
	assert_non_null(strstr(sf_arena_cstr(w->a, a.head), "HttpOnly"));
	for (int i = 0; i < 10; i++) IS(sign_in(w, at(w, "192.0.2.1", NULL), EMAIL, "wrong wrong"), 401);
	IS(sign_in(w, at(w, "192.0.2.1", NULL), EMAIL, "eight888"), 423);
	IS(sign_in(w, at(w, "192.0.2.1", cookie), EMAIL, "eight888"), 200);
	for (int i = 0; i < 10; i++) IS(sign_in(w, at(w, "192.0.2.1", cookie), EMAIL, "wrong wrong"), 401);
	IS(sign_in(w, at(w, "203.0.113.9", cookie), EMAIL, "eight888"), 423); /* it is a client as well */
	IS(sign_in(w, at(w, "203.0.113.9", cookie), "chef@softfactory.com", "chef123"), 200); /* of that name */
}

/* ---- many strangers ---------------------------------------------------------------------------------- */

static void past_their_budget_strangers_wait_and_others_do_not(struct world *w) {
	OK(sf_proxies_setup("127.0.0.1"));
	join(w, EMAIL);
	const char *cookie = cookie_of(w,
								   POST(w, at(w, "192.0.2.7", NULL), "/auth/login",
										"{\"email\":\"" EMAIL "\",\"password\":\"eight888\"}"),
								   "sf_device");
	static const char *const names[] = { EMAIL, "nobody@example.com" }; /* nothing tells them apart */
	for (size_t i = 0; i < SF_COUNT(names); i++) {
		strangers_failed(w, names[i], 99);
		IS(sign_in(w, at(w, "198.51.100.1", NULL), names[i], "wrong wrong"), 401); /* the hundredth */
		struct answer a = sign_in(w, at(w, "198.51.100.2", NULL), names[i], "eight888");
		IS(a, 429);
		assert_non_null(strstr(sf_arena_cstr(w->a, a.head), "Retry-After: "));
	}
	IS(login(w, EMAIL, "eight888"), 200);                                  /* an address it knows */
	IS(sign_in(w, at(w, "198.51.100.2", cookie), EMAIL, "eight888"), 200); /* a browser it knows */
	IS(login(w, EMAIL, "wrong wrong"), 401); /* known ones do not draw on the budget */
	OK(run_sql(w, "UPDATE budgets SET whole_at = whole_at - 120000000")); /* two minutes later */
	IS(sign_in(w, at(w, "198.51.100.3", NULL), EMAIL, "wrong wrong"), 401);
	IS(sign_in(w, at(w, "198.51.100.4", NULL), EMAIL, "eight888"), 429);
	OK(run_sql(w, "UPDATE budgets SET whole_at = whole_at - 120000000"));
	IS(sign_in(w, at(w, "198.51.100.4", NULL), EMAIL, "eight888"), 200);
}

static struct {
	struct world *w;
	int left, n, status[600];
	struct sf_wait *wait;
} crowd;

static void guess(void *arg) {
	char address[32];
	snprintf(address, sizeof address, "198.51.100.%d", crowd.n++);
	struct answer a = sign_in(crowd.w, at(crowd.w, address, NULL), EMAIL, arg);
	crowd.status[a.status]++;
	if (--crowd.left == 0) sf_wake(crowd.wait, 0);
}
static void guess_start(void *arg) {
	OK(sf_co_start(crowd.w->l, guess, arg, NULL));
}

/* From thirty addresses at once: no more guesses are judged than are left, and a right one that comes after them says nothing. */
static void many_addresses_at_once_do_not_outrun_the_budget(struct world *w) {
	OK(sf_proxies_setup("127.0.0.1"));
	join(w, EMAIL);
	strangers_failed(w, EMAIL, 92);
	struct sf_wait wait;
	memset(&crowd, 0, sizeof crowd);
	crowd.w = w, crowd.left = 33, crowd.wait = &wait;
	sf_wait_init(&wait, NULL, NULL);
	for (int i = 0; i < 30; i++) sf_loop_later(w->l, guess_start, "wrong wrong");
	for (int i = 0; i < 3; i++) sf_loop_later(w->l, guess_start, "eight888");
	OK(sf_await(&wait, -1));
	assert_int_equal(crowd.status[401], 8);
	assert_int_equal(crowd.status[429], 25);
}

/* ---- what is on record --------------------------------------------------------------------------------- */

static void twenty_clients_are_known_and_pruned_in_time(struct world *w) {
	OK(sf_proxies_setup("127.0.0.1"));
	struct account c = join(w, EMAIL);
	OK(run_sql(
		w, sf_arena_printf(
			   w->a,
			   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25) INSERT INTO "
			   "known_clients (user_id, client, seen_at) SELECT %lld, 'c' || i, '2020-01-01 00:00:' || (10 + "
			   "i) || '.000000' FROM n",
			   (long long)c.id)
			   .p));
	OK(run_sql(
		w, "INSERT INTO client_failures (email, client, failures, since) VALUES ('a', 'b', 1, '2020-01-01 "
		   "00:00:00.000000')"));
	OK(run_sql(w, "INSERT INTO budgets (key, whole_at) VALUES ('old', 1), ('new', 9000000000000000)"));
	IS(sign_in(w, at(w, "198.51.100.1", NULL), EMAIL, "eight888"), 200);
	assert_int_equal(number(w, "SELECT count(*) FROM known_clients"), 20);
	assert_int_equal(number(w, "SELECT count(*) FROM known_clients WHERE client IN ('c1', 'c7')"), 0);
	assert_int_equal(
		number(w, "SELECT count(*) FROM known_clients WHERE client LIKE '%.%' OR client LIKE '%:%'"), 0);
	int64_t removed;
	OK(platform__prune_all(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), sf_time_now(), &removed));
	assert_true(removed > 0);
	assert_int_equal(number(w, "SELECT count(*) FROM known_clients"), 2); /* where it joined, and now */
	assert_int_equal(number(w, "SELECT count(*) FROM client_failures"), 0);
	assert_int_equal(number(w, "SELECT count(*) FROM budgets WHERE key = 'old'"), 0);
	assert_int_equal(number(w, "SELECT count(*) FROM budgets WHERE key = 'new'"), 1);
}

/* A rotation of the secret makes strangers of nobody. */
static void the_known_stay_known_when_the_secret_is_rotated(struct world *w) {
	OK(sf_proxies_setup("127.0.0.1"));
	join(w, EMAIL);
	OK(sf_secrets_setup("another secret of thirty-two bytes or more",
						(const char *const[]) { SECRET, NULL }));
	strangers_failed(w, EMAIL, 110);
	IS(login(w, EMAIL, "eight888"), 200);
	IS(sign_in(w, at(w, "198.51.100.1", NULL), EMAIL, "eight888"), 429);
}

WORLD_TEST(a_stranger_locks_the_name_for_itself_alone)
WORLD_TEST(a_browser_is_known_where_its_address_is_locked)
WORLD_TEST(past_their_budget_strangers_wait_and_others_do_not)
WORLD_TEST(many_addresses_at_once_do_not_outrun_the_budget)
WORLD_TEST(twenty_clients_are_known_and_pruned_in_time)
WORLD_TEST(the_known_stay_known_when_the_secret_is_rotated)

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_locks_the_name_for_itself_alone_test),
		cmocka_unit_test(a_browser_is_known_where_its_address_is_locked_test),
		cmocka_unit_test(past_their_budget_strangers_wait_and_others_do_not_test),
		cmocka_unit_test(many_addresses_at_once_do_not_outrun_the_budget_test),
		cmocka_unit_test(twenty_clients_are_known_and_pruned_in_time_test),
		cmocka_unit_test(the_known_stay_known_when_the_secret_is_rotated_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
