/* Sign-ins in process, over SQLite: a browser's session and the tokens beside it begin and end together; they are listed, ended one
 * by one and all at once, and it is known when they were used. */
#include "platform.h"

#define SESSIONS "/api/auth/sessions"

/* ---- a browser ---------------------------------------------------------------------------------------- */

static void a_browsers_session(struct world *w) {
	join(w, "web@example.com");
	struct answer a =
		POST(w, NULL, "/auth/login", "{\"email\":\"web@example.com\",\"password\":\"eight888\"}");
	IS(a, 200);
	struct account c = account_of(w, a);
	const char *session = cookie_of(w, a, "sf_session"), *csrf = cookie_of(w, a, "sf_csrf");
	const char *with = sf_arena_printf(w->a, "Cookie: x=1; sf_session=%s; sf_csrf=%s\n", session, csrf).p;
	const char *proven = sf_arena_printf(w->a, "%sX-CSRF-Token: %s\n", with, csrf).p;
	IS(GET(w, with, ME), 200);
	IS(PUT(w, with, ME, "{\"name\":\"No\"}"), 403); /* another site can send the cookie, but not the header */
	IS(PUT(w, proven, ME, "{\"name\":\"Yes\"}"), 200);
	IS(GET(w, sf_arena_printf(w->a, "Cookie: sf_session=%sx\n", session).p, ME), 401);
	/* a new password keeps the browser signed in, with a new cookie */
	a = PUT(w, proven, ME, "{\"password\":\"another one\",\"current_password\":\"eight888\"}");
	IS(a, 200);
	IS(GET(w, with, ME), 401);
	IS(GET(w, c.auth, ME), 401);
	session = cookie_of(w, a, "sf_session"), csrf = cookie_of(w, a, "sf_csrf");
	with = sf_arena_printf(w->a, "Cookie: sf_session=%s\n", session).p;
	IS(GET(w, with, ME), 200);
	proven = sf_arena_printf(w->a, "%sX-CSRF-Token: %s\n", with, csrf).p;
	a = POST(w, proven, "/auth/logout", "%s", "");
	IS(a, 200);
	assert_string_equal(cookie_of(w, a, "sf_session"), "");
	IS(GET(w, with, ME), 401);
}

static void signing_out_of_the_browser_ends_its_tokens(struct world *w) {
	join(w, "web2@example.com");
	struct answer a =
		POST(w, NULL, "/auth/login", "{\"email\":\"web2@example.com\",\"password\":\"eight888\"}");
	struct account c = account_of(w, a);
	const char *proven = sf_arena_printf(w->a, "Cookie: sf_session=%s\nX-CSRF-Token: %s\n",
										 cookie_of(w, a, "sf_session"), cookie_of(w, a, "sf_csrf"))
							 .p;
	IS(GET(w, c.auth, ME), 200);
	IS(POST(w, proven, "/auth/logout", "%s", ""), 200);
	IS(GET(w, c.auth, ME), 401);
	IS(refresh(w, c.refresh), 401);
}

static void sessions_run_out(struct world *w) {
	join(w, "late@example.com");
	struct answer a =
		POST(w, NULL, "/auth/login", "{\"email\":\"late@example.com\",\"password\":\"eight888\"}");
	const char *with = sf_arena_printf(w->a, "Cookie: sf_session=%s\n", cookie_of(w, a, "sf_session")).p;
	IS(GET(w, with, ME), 200);
	OK(run_sql(w, "UPDATE sessions SET expires_at = '2020-01-01 00:00:00.000000'"));
	IS(GET(w, with, ME), 401);
	OK(platform_start(w->db, w->a)); /* and is cleared away */
}

/* ---- what belongs together --------------------------------------------------------------------------------- */

struct browser {
	struct account tokens;
	const char *cookie, *proven; /* header lines: for reads, for writes */
};
static struct browser browse(struct world *w, const char *email, const char *agent) {
	const char *who = sf_arena_printf(w->a, "User-Agent: %s\n", agent).p;
	struct answer a = POST(w, who, "/auth/login", "{\"email\":\"%s\",\"password\":\"eight888\"}", email);
	IS(a, 200);
	struct browser b = { .tokens = account_of(w, a) };
	b.cookie = sf_arena_printf(w->a, "Cookie: sf_session=%s\n", cookie_of(w, a, "sf_session")).p;
	b.proven = sf_arena_printf(w->a, "%sX-CSRF-Token: %s\n", b.cookie, cookie_of(w, a, "sf_csrf")).p;
	return b;
}
static void is_out(struct world *w, struct browser b) {
	IS(GET(w, b.cookie, ME), 401);
	IS(GET(w, b.tokens.auth, ME), 401);
	IS(refresh(w, b.tokens.refresh), 401);
}
static void is_in(struct world *w, struct browser b) {
	IS(GET(w, b.cookie, ME), 200);
	IS(GET(w, b.tokens.auth, ME), 200);
}

static void either_way_out_ends_both(struct world *w) {
	join(w, "both@example.com");
	struct browser by_token = browse(w, "both@example.com", "x"),
				   by_cookie = browse(w, "both@example.com", "x"),
				   refreshed = browse(w, "both@example.com", "x"),
				   copied = browse(w, "both@example.com", "x"), stays = browse(w, "both@example.com", "x");
	IS(POST(w, by_token.tokens.auth, "/api/auth/logout", "%s", ""), 200);
	is_out(w, by_token);
	IS(POST(w, by_cookie.proven, "/auth/logout", "%s", ""), 200);
	is_out(w, by_cookie);
	struct account next = account_of(w, refresh(w, refreshed.tokens.refresh));
	IS(POST(w, next.auth, "/auth/logout", "%s", ""), 200);
	is_out(w, refreshed);
	IS(GET(w, next.auth, ME), 401);
	/* a copied refresh token ends the cookie, too */
	IS(refresh(w, copied.tokens.refresh), 200);
	OK(run_sql(w,
			   "UPDATE refresh_tokens SET used_at = '2020-01-01 00:00:00.000000' WHERE used_at IS NOT NULL"));
	IS(refresh(w, copied.tokens.refresh), 401);
	is_out(w, copied);
	is_in(w, stays);
}

static void sign_ins_are_listed_and_ended_one_by_one(struct world *w) {
	struct account c = join(w, "list@example.com"), other = join(w, "other@example.com");
	struct browser b = browse(w, "list@example.com", "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0");
	struct answer a = GET(w, b.cookie, SESSIONS);
	IS(a, 200);
	assert_int_equal(int_of(a, "total"), 2);
	const json_t *mine = json_array_get(json_object_get(a.body, "sessions"), 0),
				 *first = json_array_get(json_object_get(a.body, "sessions"), 1);
	assert_string_equal(json_string_value(json_object_get(mine, "device")), "Firefox on Linux");
	assert_string_equal(json_string_value(json_object_get(mine, "address")), "127.0.0.1");
	assert_true(json_is_true(json_object_get(mine, "current")));
	assert_true(json_is_false(json_object_get(first, "current")));
	assert_string_equal(json_string_value(json_object_get(first, "device")), "");
	a = GET(w, b.tokens.auth, SESSIONS); /* the tokens are of the same sign-in */
	assert_true(
		json_is_true(json_object_get(json_array_get(json_object_get(a.body, "sessions"), 0), "current")));
	const char *one =
		sf_arena_printf(w->a, SESSIONS "/%s", json_string_value(json_object_get(first, "id"))).p;
	IS(DELETE(w, other.auth, one), 404);
	IS(GET(w, c.auth, ME), 200);
	IS(DELETE(w, b.cookie, one), 403); /* without the proof */
	IS(DELETE(w, b.proven, one), 200);
	IS(DELETE(w, b.proven, one), 404);
	IS(DELETE(w, b.proven, SESSIONS "/nothing"), 404);
	IS(GET(w, c.auth, ME), 401);
	IS(refresh(w, c.refresh), 401);
	is_in(w, b);
	one = sf_arena_printf(w->a, SESSIONS "/%s", json_string_value(json_object_get(mine, "id"))).p;
	a = DELETE(w, b.proven, one);
	IS(a, 200);
	assert_string_equal(cookie_of(w, a, "sf_session"), "");
	is_out(w, b);
	IS(GET(w, other.auth, ME), 200);
	a = GET(w, bearer(w, "demo_token"), SESSIONS);
	IS(a, 200);
	assert_int_equal(int_of(a, "total"), 0);
}

static void signing_out_everywhere(struct world *w) {
	struct account c = join(w, "all@example.com"), other = join(w, "other@example.com");
	struct browser b = browse(w, "all@example.com", "x"), d = browse(w, "all@example.com", "x");
	struct answer a = POST(w, b.proven, "/api/auth/logout-all", "%s", "");
	IS(a, 200);
	assert_string_equal(cookie_of(w, a, "sf_session"), "");
	is_out(w, b);
	is_out(w, d);
	IS(GET(w, c.auth, ME), 401);
	IS(POST(w, c.auth, "/api/auth/logout-all", "%s", ""), 401);
	is_in(w, browse(w, "all@example.com", "x")); /* within the same second */
	IS(GET(w, other.auth, ME), 200);
}

/* ---- use ---------------------------------------------------------------------------------------------------- */

static struct sf_co *following;
static void follow(void *arg) {
	following = sf_co_self();
	platform_follow(((struct world *)arg)->db);
	following = NULL;
}
static void follow_start(void *arg) {
	OK(sf_co_start(((struct world *)arg)->l, follow, arg, NULL));
}
/* ~ What a statement counts. */
static int64_t count(struct world *w, const char *sql) {
	static const struct sf_dbcol out[] = { { "n", SF_T_INT, false, 0 } };
	int64_t n = -1;
	struct sf_query q = { .name = "test.count",
						  .kind = SF_Q_ONE,
						  .lite = sql,
						  .out = out,
						  .nout = 1,
						  .row_size = sizeof(n),
						  .id = UINT32_MAX };
	OK(sf_db_one(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, &n));
	return n;
}

static void use_is_noted_once_a_minute(struct world *w) {
	join(w, "use@example.com");
	struct browser b = browse(w, "use@example.com", "x");
	OK(run_sql(w, "CREATE TABLE noted (n int)"));
	OK(run_sql(
		w,
		"CREATE TRIGGER note AFTER UPDATE OF last_used_at ON sessions WHEN NEW.last_used_at > '2021' BEGIN "
		"INSERT INTO noted VALUES (1); END"));
	sf_loop_later(w->l, follow_start, w);
	for (int i = 0; i < 40; i++) { /* whenever it is written, it looks as if it were long ago again */
		OK(run_sql(w, "UPDATE sessions SET last_used_at = '2020-01-01 00:00:00.000000'"));
		IS(GET(w, b.cookie, ME), 200);
		IS(GET(w, b.tokens.auth, ME), 200);
		if (i < 4) OK(sf_sleep(300));
	}
	while (count(w, "SELECT count(*) FROM noted") == 0) OK(sf_sleep(10));
	OK(sf_sleep(600)); /* two more looks */
	assert_in_range(count(w, "SELECT count(*) FROM noted"), 1,
					4); /* cookie and token, in two minutes at most */
	sf_co_cancel(following, SF_ECANCELED);
}

WORLD_TEST(a_browsers_session)
WORLD_TEST(signing_out_of_the_browser_ends_its_tokens)
WORLD_TEST(sessions_run_out)
WORLD_TEST(either_way_out_ends_both)
WORLD_TEST(sign_ins_are_listed_and_ended_one_by_one)
WORLD_TEST(signing_out_everywhere)
WORLD_TEST(use_is_noted_once_a_minute)

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_browsers_session_test),
		cmocka_unit_test(signing_out_of_the_browser_ends_its_tokens_test),
		cmocka_unit_test(sessions_run_out_test),
		cmocka_unit_test(either_way_out_ends_both_test),
		cmocka_unit_test(sign_ins_are_listed_and_ended_one_by_one_test),
		cmocka_unit_test(signing_out_everywhere_test),
		cmocka_unit_test(use_is_noted_once_a_minute_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
