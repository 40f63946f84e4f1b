/* Platform's handlers in process, over SQLite: accounts from registering to the lock, tokens and their end, administration,
 * products. */
#include "platform.h"

static void sql(struct world *w, const char *text) {
	OK(run_sql(w, text));
}

/* ---- accounts ----------------------------------------------------------------------------------- */

static void registering(struct world *w) {
	struct account c = join(w, "Kim@Example.com");
	assert_int_equal(c.id, 21); /* after those of the demo */
	struct answer a = GET(w, c.auth, ME);
	IS(a, 200);
	assert_string_equal(text_of(a, "email"), "kim@example.com");
	a = POST(w, NULL, "/api/auth/register",
			 "{\"email\":\"KIM@example.COM\",\"password\":\"eight888\",\"name\":\"X\"}");
	IS(a, 400);
	assert_non_null(json_object_get(json_object_get(a.body, "fields"), "email"));
	IS(login(w, "kIM@example.com", "eight888"), 200);
	IS(login(w, "kim@example.com", "eight889"), 401);
}

static void the_demo_users_can_sign_in(struct world *w) {
	IS(login(w, "demo@softfactory.com", "demo123"), 200);
	IS(login(w, "admin@softfactory.com", "admin123"), 200);
	IS(login(w, "chef@softfactory.com", "chef123"), 200);
	struct answer a = GET(w, bearer(w, "demo_token"), ME);
	IS(a, 200);
	assert_int_equal(int_of(a, "id"), 1);
	OK(platform_service.demo(w->db, w->a)); /* a second time changes nothing */
	a = GET(w, bearer(w, "demo_token"), "/api/platform/dashboard");
	assert_int_equal(int_of(a, "subscription_count"), 6);
}

static void old_hashes_are_taken_and_replaced(struct world *w) {
	join(w, "old@example.com");
	sql(w,
		"UPDATE users SET password_hash = "
		"'pbkdf2:sha256:1000$saltSALTsalt$a74e09701229752dc99fed3e687344487cde6d1405131ecfe2ada71d877b56ce' "
		"WHERE email = 'old@example.com'");
	IS(login(w, "old@example.com", "eight888"), 401);
	IS(login(w, "old@example.com", "비밀번호 1!"), 200);
	struct sf_query q = { .name = "test.hashes",
						  .kind = SF_Q_EXEC,
						  .write = true,
						  .pg = "",
						  .lite = "UPDATE users SET name = name WHERE email = 'old@example.com' AND "
								  "password_hash LIKE '$argon2id$%'",
						  .id = UINT32_MAX };
	int64_t changed = 0;
	OK(sf_db_exec(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, &changed));
	assert_int_equal(changed, 1);
	IS(login(w, "old@example.com", "비밀번호 1!"), 200);
}

static void ten_failures_lock_any_name(struct world *w) {
	join(w, "lock@example.com");
	static const char *const names[] = { "lock@example.com", "nobody@example.com" };
	for (size_t n = 0; n < SF_COUNT(names); n++) {
		for (int i = 0; i < 10; i++) IS(login(w, names[n], "wrong wrong"), 401);
		IS(login(w, names[n], "wrong wrong"), 423);
		IS(login(w, names[n], "eight888"), 423);
	}
	/* 15 minutes later */
	sql(w,
		"UPDATE client_failures SET since = strftime('%Y-%m-%d %H:%M:%f', 'now', '-901 seconds') || '000'");
	IS(login(w, "lock@example.com", "wrong wrong"), 401);
	IS(login(w, "lock@example.com", "eight888"), 200);
	/* a success begins the count anew */
	for (int i = 0; i < 9; i++) IS(login(w, "lock@example.com", "wrong wrong"), 401);
	IS(login(w, "lock@example.com", "eight888"), 200);
	IS(login(w, "lock@example.com", "wrong wrong"), 401);
}

/* ---- guesses at the same time -------------------------------------------------------------------- */

static struct {
	struct world *w;
	int left, status[600];
	struct sf_wait *wait;
} crowd;

static void guess(void *arg) {
	struct answer a = login(crowd.w, "crowd@example.com", arg);
	crowd.status[a.status]++;
	if (a.status == 503) assert_non_null(strstr(a.head.p, "Retry-After: "));
	if (--crowd.left == 0) sf_wake(crowd.wait, 0);
}
static void guess_start(void *arg) {
	OK(sf_co_start(crowd.w->l, guess, arg, NULL));
}
static void run_crowd(struct world *w, int wrong, int right) {
	struct sf_wait wait;
	memset(&crowd, 0, sizeof(crowd));
	crowd.w = w, crowd.left = wrong + right, crowd.wait = &wait;
	sf_wait_init(&wait, NULL, NULL);
	for (int i = 0; i < wrong; i++) sf_loop_later(w->l, guess_start, "wrong wrong");
	for (int i = 0; i < right; i++) sf_loop_later(w->l, guess_start, "eight888");
	OK(sf_await(&wait, -1));
}

static void parallel_guesses_do_not_outrun_the_lock(struct world *w) {
	join(w, "crowd@example.com");
	run_crowd(w, 30, 3);
	assert_int_equal(crowd.status[401], 10);
	assert_int_equal(crowd.status[423], 23); /* the right ones came after the tenth wrong one */
	sql(w, "DELETE FROM client_failures");
	run_crowd(w, 0, 20); /* many right ones at once are no attack */
	assert_int_equal(crowd.status[200], 20);
}

static void who_would_wait_too_long_is_told_at_once(struct world *w) {
	join(w, "crowd@example.com");
	sf_password_setup(1, 0);
	run_crowd(w, 2, 3);
	assert_int_equal(crowd.status[401] + crowd.status[200], 1);
	assert_int_equal(crowd.status[503], 4);
	IS(login(w, "crowd@example.com", "eight888"), 200); /* those who were refused count as no failure */
}

/* ---- tokens --------------------------------------------------------------------------------------- */

/* Moves the clock on: as if refresh tokens had been used some seconds earlier. */
static void used_before(struct world *w, const char *seconds) {
	sql(w, sf_arena_printf(w->a,
						   "UPDATE refresh_tokens SET used_at = strftime('%%Y-%%m-%%d %%H:%%M:%%f', used_at, "
						   "'-%s seconds') || '000' WHERE used_at IS NOT NULL",
						   seconds)
			   .p);
}

static void refresh_rotates_and_reuse_ends_the_family(struct world *w) {
	struct account c = join(w, "fam@example.com"),
				   other = account_of(w, login(w, "fam@example.com", "eight888"));
	struct answer a = refresh(w, c.refresh);
	IS(a, 200);
	struct account two = account_of(w, a);
	assert_string_not_equal(two.refresh, c.refresh);
	IS(GET(w, two.auth, ME), 200);
	IS(GET(w, c.auth, ME), 200);
	used_before(w, "11");
	IS(refresh(w, c.refresh), 401); /* copied: somebody has used it */
	IS(refresh(w, two.refresh), 401);
	IS(GET(w, two.auth, ME), 401);
	IS(GET(w, c.auth, ME), 401);
	IS(GET(w, other.auth, ME), 200); /* another login's */
	IS(refresh(w, other.refresh), 200);
	IS(refresh(w, other.access), 401); /* not a refresh token */
	IS(refresh(w, "junk"), 401);
}

static void a_refresh_token_is_answered_again_for_a_moment(struct world *w) {
	struct account c = join(w, "tabs@example.com");
	struct account one = account_of(w, refresh(w, c.refresh)), two = account_of(w, refresh(w, c.refresh));
	assert_string_equal(one.access, two.access); /* one line of tokens, not two */
	assert_string_equal(one.refresh, two.refresh);
	IS(GET(w, two.auth, ME), 200);
	/* the answer that came last was lost, and another tab has gone on meanwhile: the newest pair is answered */
	struct account three = account_of(w, refresh(w, two.refresh)),
				   late = account_of(w, refresh(w, c.refresh));
	assert_string_equal(three.refresh, late.refresh);
	assert_string_not_equal(three.refresh, two.refresh);
	used_before(w, "8");
	IS(refresh(w, two.refresh), 200);
	used_before(w, "3");
	IS(GET(w, three.auth, ME), 200);
	IS(refresh(w, two.refresh), 401);
	IS(refresh(w, three.refresh), 401);
	IS(GET(w, three.auth, ME), 401);
}

static void logging_out_ends_the_login(struct world *w) {
	struct account c = join(w, "out@example.com"),
				   other = account_of(w, login(w, "out@example.com", "eight888"));
	struct account two = account_of(w, refresh(w, c.refresh));
	IS(POST(w, two.auth, "/api/auth/logout", "%s", ""), 200);
	IS(GET(w, two.auth, ME), 401);
	IS(GET(w, c.auth, ME), 401);
	IS(refresh(w, two.refresh), 401);
	IS(GET(w, other.auth, ME), 200);
	IS(POST(w, two.auth, "/api/auth/logout", "%s", ""), 401);
	IS(POST(w, bearer(w, "demo_token"), "/api/auth/logout", "%s", ""), 200);
	IS(GET(w, bearer(w, "demo_token"), ME), 200);
	/* what was revoked is revoked in a new process too: it stands in the table */
	struct sf_query q = { .name = "test.revoked",
						  .kind = SF_Q_EXEC,
						  .write = true,
						  .pg = "",
						  .lite = "DELETE FROM revoked_tokens",
						  .id = UINT32_MAX };
	int64_t rows = 0;
	OK(sf_db_exec(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, &rows));
	assert_int_equal(rows, 2);
}

static void changing_the_password_ends_all_else(struct world *w) {
	struct account c = join(w, "pw@example.com"),
				   other = account_of(w, login(w, "pw@example.com", "eight888"));
	struct answer a = PUT(w, c.auth, ME, "{\"password\":\"another one\"}");
	IS(a, 400);
	assert_non_null(json_object_get(json_object_get(a.body, "fields"), "current_password"));
	IS(PUT(w, c.auth, ME, "{\"password\":\"another one\",\"current_password\":\"wrong wrong\"}"), 400);
	IS(PUT(w, c.auth, ME, "{\"name\":\"새 이름\"}"), 200);
	IS(GET(w, other.auth, ME), 200); /* a name ends nothing */
	a = PUT(w, c.auth, ME, "{\"password\":\"another one\",\"current_password\":\"eight888\"}");
	IS(a, 200);
	assert_string_equal(text_of(a, "name"), "새 이름");
	struct account next = account_of(w, a);
	IS(GET(w, next.auth, ME), 200); /* within the same second */
	IS(GET(w, c.auth, ME), 401);
	IS(GET(w, other.auth, ME), 401);
	IS(refresh(w, other.refresh), 401);
	IS(refresh(w, next.refresh), 200);
	IS(login(w, "pw@example.com", "eight888"), 401);
	IS(login(w, "pw@example.com", "another one"), 200);
}

static void guessing_the_present_password_locks(struct world *w) {
	struct account c = join(w, "stolen@example.com");
	for (int i = 0; i < 10; i++)
		IS(PUT(w, c.auth, ME, "{\"password\":\"another one\",\"current_password\":\"guess number %d\"}", i),
		   400);
	IS(PUT(w, c.auth, ME, "{\"password\":\"another one\",\"current_password\":\"eight888\"}"), 423);
	IS(PUT(w, c.auth, ME, "{\"name\":\"Still works\"}"), 200);
	struct answer a = login(w, "stolen@example.com", "eight888"); /* the owner is not kept out */
	IS(a, 200);
	struct account owner = account_of(w, a), next = account_of(w, refresh(w, c.refresh));
	IS(PUT(w, next.auth, ME, "{\"password\":\"another one\",\"current_password\":\"eight888\"}"),
	   423); /* the same sign-in */
	for (int i = 0; i < 10; i++)
		IS(login(w, "stolen@example.com", "wrong wrong"), 401); /* of the owner's address, even */
	IS(login(w, "stolen@example.com", "eight888"), 423);
	IS(PUT(w, owner.auth, ME, "{\"password\":\"another one\",\"current_password\":\"eight888\"}"), 200);
}

/* ---- administration, products ------------------------------------------------------------------------ */

static void administration(struct world *w) {
	struct account admin = account_of(w, login(w, "admin@softfactory.com", "admin123")),
				   c = join(w, "u100%@example.com");
	struct answer a = GET(w, admin.auth, "/api/platform/admin/users?q=100%25");
	IS(a, 200);
	assert_int_equal(int_of(a, "total"), 1);
	IS(GET(w, c.auth, "/api/platform/admin/users"), 403);
	const char *one = sf_arena_printf(w->a, "/api/platform/admin/users/%lld", (long long)c.id).p;
	IS(PUT(w, admin.auth, one, "{\"role\":\"user\",\"is_active\":true}"), 200);
	IS(GET(w, c.auth, ME), 200); /* nothing changed, nothing revoked */
	IS(PUT(w, admin.auth, one, "{\"is_active\":false}"), 200);
	IS(GET(w, c.auth, ME), 401);
	IS(refresh(w, c.refresh), 401);
	IS(login(w, "u100%@example.com", "eight888"), 403);
	IS(login(w, "u100%@example.com", "wrong wrong"), 401);
	IS(PUT(w, admin.auth, one, "{\"is_active\":true,\"role\":\"admin\"}"), 200);
	c = account_of(w, login(w, "u100%@example.com", "eight888"));
	IS(GET(w, c.auth, "/api/platform/admin/users"), 200);
	IS(PUT(w, admin.auth, "/api/platform/admin/users/2", "{\"role\":\"user\"}"), 409);
	IS(PUT(w, admin.auth, "/api/platform/admin/users/2", "{\"is_active\":false}"), 409);
	IS(PUT(w, admin.auth, "/api/platform/admin/users/999", "{\"role\":\"user\"}"), 404);
	IS(PUT(w, admin.auth, one, "{\"role\":\"king\"}"), 400);
}

static void products_and_subscriptions(struct world *w) {
	struct answer a = GET(w, NULL, "/api/platform/products");
	IS(a, 200);
	assert_int_equal(json_array_size(a.body), 6);
	for (size_t i = 0; i < 6; i++) {
		const json_t *p = json_array_get(a.body, i);
		assert_int_equal(json_integer_value(json_object_get(p, "annual_price")),
						 10 * json_integer_value(json_object_get(p, "monthly_price")));
	}
	struct account chef = account_of(w, login(w, "chef@softfactory.com", "chef123"));
	a = GET(w, chef.auth, "/api/payment/subscriptions");
	assert_int_equal(json_array_size(a.body), 1);
	a = GET(w, chef.auth, "/api/platform/dashboard");
	assert_int_equal(int_of(a, "subscription_count"), 1);
	sql(w, "UPDATE subscriptions SET current_period_end = '2020-01-01 00:00:00.000000' WHERE user_id = 3");
	a = GET(w, chef.auth, "/api/platform/dashboard");
	assert_int_equal(int_of(a, "subscription_count"), 0); /* paid for once, over now */
}

static void health(struct world *w) {
	IS(GET(w, NULL, "/health"), 200);
	IS(GET(w, NULL, "/ready"), 200);
	platform_not_ready("migrations are being applied");
	struct answer a = GET(w, NULL, "/ready");
	IS(a, 503);
	assert_string_equal(json_string_value(json_object_get(json_object_get(a.body, "checks"), "database")),
						"migrations are being applied");
	platform_not_ready(NULL);
	IS(GET(w, NULL, "/ready"), 200);
}

WORLD_TEST(registering)
WORLD_TEST(the_demo_users_can_sign_in)
WORLD_TEST(old_hashes_are_taken_and_replaced)
WORLD_TEST(ten_failures_lock_any_name)
WORLD_TEST(parallel_guesses_do_not_outrun_the_lock)
WORLD_TEST(who_would_wait_too_long_is_told_at_once)
WORLD_TEST(refresh_rotates_and_reuse_ends_the_family)
WORLD_TEST(a_refresh_token_is_answered_again_for_a_moment)
WORLD_TEST(logging_out_ends_the_login)
WORLD_TEST(changing_the_password_ends_all_else)
WORLD_TEST(guessing_the_present_password_locks)
WORLD_TEST(administration)
WORLD_TEST(products_and_subscriptions)
WORLD_TEST(health)

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registering_test),
		cmocka_unit_test(the_demo_users_can_sign_in_test),
		cmocka_unit_test(old_hashes_are_taken_and_replaced_test),
		cmocka_unit_test(ten_failures_lock_any_name_test),
		cmocka_unit_test(parallel_guesses_do_not_outrun_the_lock_test),
		cmocka_unit_test(who_would_wait_too_long_is_told_at_once_test),
		cmocka_unit_test(refresh_rotates_and_reuse_ends_the_family_test),
		cmocka_unit_test(a_refresh_token_is_answered_again_for_a_moment_test),
		cmocka_unit_test(logging_out_ends_the_login_test),
		cmocka_unit_test(changing_the_password_ends_all_else_test),
		cmocka_unit_test(guessing_the_present_password_locks_test),
		cmocka_unit_test(administration_test),
		cmocka_unit_test(products_and_subscriptions_test),
		cmocka_unit_test(health_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
