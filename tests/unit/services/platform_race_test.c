/* Requests in flight while what they were let in by is taken away: a sign-in, a change of password, a change of rights. Many are
 * under way at once, in the line before the hash, when the change comes; what ends after it has no effect. */
#include "platform.h"

#define MOST 24

/* One request of a crowd: run as a coroutine, its answer kept; a client asks again until the first one of the crowd is over. */
struct one {
	const char *target, *who;
	char body[256];
	enum sf_method method;
	bool client, over;
	struct answer answer, refused; /* refused: of a client, the last answer that was no 200 */
};
static struct {
	struct world *w;
	struct one all[MOST];
	int n, left;
	struct sf_wait *wait;   /* of who waits for the last one; NULL: nobody yet */
	const char *tokens[64]; /* access tokens that clients were given */
	size_t ntokens;
} crowd;

static void run_one(void *arg) {
	struct one *o = arg;
	do {
		o->answer = ask(crowd.w, o->method, o->target, o->who, "%s", o->body);
		if (!o->client) break;
		if (o->answer.status != 200)
			o->refused = o->answer;
		else if (crowd.ntokens < SF_COUNT(crowd.tokens))
			crowd.tokens[crowd.ntokens++] = text_of(o->answer, "access_token");
	} while (!crowd.all[0].over);
	o->over = true;
	if (--crowd.left == 0 && crowd.wait) sf_wake(crowd.wait, 0);
}
static void start_one(void *arg) {
	OK(sf_co_start(crowd.w->l, run_one, arg, NULL));
}
static void crowd_begin(struct world *w) {
	memset(&crowd, 0, sizeof(crowd));
	crowd.w = w;
}
static void crowd_add(enum sf_method method, const char *target, const char *who, const char *body) {
	struct one *o = &crowd.all[crowd.n++];
	assert_true(crowd.n <= MOST);
	*o = (struct one) { .method = method, .target = target, .who = who };
	snprintf(o->body, sizeof(o->body), "%s", body);
	crowd.left++;
	sf_loop_later(crowd.w->l, start_one, o);
}
/* ~ Waits for all; at least one was under way, else the test shows nothing. */
static void crowd_end(void) {
	struct sf_wait wait;
	assert_true(crowd.left > 0);
	sf_wait_init(&wait, NULL, NULL);
	crowd.wait = &wait;
	OK(sf_await(&wait, -1));
}
/* ~ Half with a session, half with tokens alone. When it returns the first one is over, so that the others have read their user and
 * are in the line. */
static void crowd_of_logins(struct world *w, int n, const char *email, const char *password) {
	crowd_begin(w);
	for (int i = 0; i < n; i++)
		crowd_add(SF_POST, i % 2 ? LOGIN : "/auth/login", NULL,
				  sf_arena_printf(w->a, "{\"email\":\"%s\",\"password\":\"%s\"}", email, password).p);
	while (crowd.left == n) OK(sf_sleep(1));
}
/* ~ Who came late was refused, and what was given before works no more. */
static void nobody_is_in(struct world *w) {
	int refused = 0;
	crowd_end();
	for (int i = 0; i < crowd.n; i++) {
		struct answer a = crowd.all[i].answer;
		if (a.status != 200 && a.status != 401 && a.status != 403) IS(a, 503); /* the line was too long */
		refused += a.status == 401 || a.status == 403;
		if (a.status != 200) continue;
		IS(GET(w, bearer(w, text_of(a, "access_token")), ME), 401);
		IS(refresh(w, text_of(a, "refresh_token")), 401);
		if (i % 2 == 0)
			IS(GET(w, sf_arena_printf(w->a, "Cookie: sf_session=%s\n", cookie_of(w, a, "sf_session")).p, ME),
			   401);
	}
	assert_true(refused > 0);
}

static const char *user_at(struct world *w, int64_t id) {
	return sf_arena_printf(w->a, "/api/platform/admin/users/%lld", (long long)id).p;
}

static void a_sign_in_in_flight_ends_with_the_deactivation(struct world *w) {
	struct account admin = account_of(w, login(w, "admin@softfactory.com", "admin123")),
				   c = join(w, "off@example.com");
	crowd_of_logins(w, 6, "off@example.com", "eight888");
	IS(PUT(w, admin.auth, user_at(w, c.id), "{\"is_active\":false}"), 200);
	nobody_is_in(w);
	IS(PUT(w, admin.auth, user_at(w, c.id), "{\"is_active\":true}"), 200);
	IS(GET(w, c.auth, ME), 401);
}

/* ~ Off and on again while they wait: the row looks as it did, but what was read of it is void. */
static void a_sign_in_in_flight_ends_though_the_user_is_active_again(struct world *w) {
	struct account admin = account_of(w, login(w, "admin@softfactory.com", "admin123")),
				   c = join(w, "onoff@example.com");
	crowd_of_logins(w, 6, "onoff@example.com", "eight888");
	IS(PUT(w, admin.auth, user_at(w, c.id), "{\"is_active\":false}"), 200);
	IS(PUT(w, admin.auth, user_at(w, c.id), "{\"is_active\":true}"), 200);
	nobody_is_in(w);
}

static void a_sign_in_in_flight_ends_with_the_demotion(struct world *w) {
	struct account admin = account_of(w, login(w, "admin@softfactory.com", "admin123")),
				   c = join(w, "king@example.com");
	IS(PUT(w, admin.auth, user_at(w, c.id), "{\"role\":\"admin\"}"), 200);
	crowd_of_logins(w, 6, "king@example.com", "eight888");
	IS(PUT(w, admin.auth, user_at(w, c.id), "{\"role\":\"user\"}"), 200);
	nobody_is_in(w);
	c = account_of(w, login(w, "king@example.com", "eight888"));
	IS(GET(w, c.auth, "/api/platform/admin/users"), 403);
}

static void a_sign_in_in_flight_ends_with_the_password(struct world *w) {
	join(w, "pass@example.com");
	struct account c = account_of(w, login(w, "pass@example.com", "eight888"));
	crowd_begin(w);
	crowd_add(SF_PUT, ME, c.auth, "{\"password\":\"another one\",\"current_password\":\"eight888\"}");
	for (int i = 1; i <= 4; i++) {
		crowd_add(SF_POST, LOGIN, NULL, "{\"email\":\"pass@example.com\",\"password\":\"eight888\"}");
		crowd.all[i].client = true;
	}
	crowd_end();
	IS(crowd.all[0].answer, 200);
	int refused = 0;
	for (int i = 1; i < crowd.n; i++) refused += crowd.all[i].refused.status == 401;
	assert_true(refused > 0);
	for (size_t i = 0; i < crowd.ntokens; i++) IS(GET(w, bearer(w, crowd.tokens[i]), ME), 401);
	IS(login(w, "pass@example.com", "another one"), 200);
}

/* ~ A thief who knows the old password, and has a token of it, sets one of his own; the owner is faster. */
static void a_change_of_password_in_flight_does_not_undo_another(struct world *w) {
	join(w, "own@example.com");
	struct account owner = account_of(w, login(w, "own@example.com", "eight888")),
				   thief = account_of(w, login(w, "own@example.com", "eight888"));
	crowd_begin(w);
	crowd_add(SF_PUT, ME, owner.auth, "{\"password\":\"the owner's\",\"current_password\":\"eight888\"}");
	for (int i = 0; i < 4; i++)
		crowd_add(SF_PUT, ME, thief.auth, "{\"password\":\"the thief's\",\"current_password\":\"eight888\"}");
	crowd_end();
	int changed = 0;
	for (int i = 0; i < crowd.n; i++) changed += crowd.all[i].answer.status == 200;
	assert_int_equal(changed, 1); /* whoever came first; of the others none */
	for (int i = 0; i < crowd.n; i++)
		if (crowd.all[i].answer.status != 200) IS(crowd.all[i].answer, 401);
	bool by_owner = crowd.all[0].answer.status == 200;
	IS(login(w, "own@example.com", "the owner's"), by_owner ? 200 : 401);
	IS(login(w, "own@example.com", "the thief's"), by_owner ? 401 : 200);
}

/* ~ The caller's own token is signed out while its change of password waits for the hash. */
static void a_change_of_password_in_flight_ends_with_its_token(struct world *w) {
	struct account c = join(w, "gone@example.com");
	crowd_begin(w);
	for (int i = 0; i < 6; i++)
		crowd_add(SF_PUT, ME, c.auth, "{\"password\":\"another one\",\"current_password\":\"eight888\"}");
	OK(sf_sleep(1));
	IS(POST(w, c.auth, "/api/auth/logout", "%s", ""), 200);
	assert_int_equal(crowd.left, 6);
	crowd_end();
	for (int i = 0; i < crowd.n; i++) IS(crowd.all[i].answer, 401);
	IS(login(w, "gone@example.com", "eight888"), 200);
}

/* ~ Several who sign in at once with a password stored in the old form: the first one's new form is not another password. */
static void storing_a_password_anew_shuts_nobody_out(struct world *w) {
	join(w, "older@example.com");
	OK(run_sql(
		w,
		"UPDATE users SET password_hash = "
		"'pbkdf2:sha256:1000$saltSALTsalt$a74e09701229752dc99fed3e687344487cde6d1405131ecfe2ada71d877b56ce' "
		"WHERE email = 'older@example.com'"));
	crowd_of_logins(w, 4, "older@example.com", "비밀번호 1!");
	crowd_end();
	for (int i = 0; i < crowd.n; i++) {
		IS(crowd.all[i].answer, 200);
		IS(GET(w, bearer(w, text_of(crowd.all[i].answer, "access_token")), ME), 200);
	}
}

/* ~ The instant of a revocation is the one at which it is decided, not the one at which its request came: what was issued while it
 * waited for the hash is revoked, too. */
static void what_is_issued_while_a_revocation_waits_is_revoked(struct world *w) {
	struct account c = join(w, "wait@example.com");
	crowd_begin(w);
	while (sf_time_now() % SF_USEC < SF_USEC * 9 / 10) OK(sf_sleep(1)); /* the line outlasts the second */
	for (int i = 0; i < 10; i++)
		crowd_add(SF_POST, LOGIN, NULL, "{\"email\":\"wait@example.com\",\"password\":\"eight888\"}");
	crowd_add(SF_PUT, ME, c.auth, "{\"password\":\"another one\",\"current_password\":\"eight888\"}");
	OK(sf_sleep(1));
	crowd_end();
	IS(crowd.all[10].answer, 200);
	for (int i = 0; i < 10; i++)
		if (crowd.all[i].answer.status == 200)
			IS(GET(w, bearer(w, text_of(crowd.all[i].answer, "access_token")), ME), 401);
}

/* ~ Both are let in as administrators before either has done anything. */
static void two_administrators_cannot_end_each_other(struct world *w) {
	static const char *const ways[] = { "{\"role\":\"user\"}", "{\"is_active\":false}" };
	struct account one = account_of(w, login(w, "admin@softfactory.com", "admin123")),
				   two = join(w, "two@example.com");
	for (size_t i = 0; i < 4; i++) {
		IS(PUT(w, one.auth, user_at(w, two.id), "{\"role\":\"admin\"}"), 200);
		two = account_of(w, login(w, "two@example.com", "eight888"));
		crowd_begin(w);
		crowd_add(SF_PUT, user_at(w, two.id), one.auth, ways[i % 2]);
		crowd_add(SF_PUT, user_at(w, one.id), two.auth, ways[i / 2]);
		crowd_end();
		int first = crowd.all[0].answer.status == 200 ? 0 : 1;
		IS(crowd.all[first].answer, 200);
		IS(crowd.all[1 - first].answer, 401);
		struct account left = first == 0 ? one : two, lost = first == 0 ? two : one;
		IS(GET(w, left.auth, "/api/platform/admin/users"), 200);
		IS(PUT(w, left.auth, user_at(w, lost.id), "{\"is_active\":true,\"role\":\"admin\"}"), 200);
		IS(PUT(w, left.auth, user_at(w, left.id), "%s", ways[i % 2]), 409);
		if (first == 1) one = account_of(w, login(w, "admin@softfactory.com", "admin123"));
		IS(PUT(w, one.auth, user_at(w, two.id), "{\"role\":\"user\"}"), 200);
	}
	IS(PUT(w, one.auth, user_at(w, one.id), "{\"role\":\"user\"}"), 409);
}

/* One world each, for its users' passwords are what costs. */
static void sign_ins_in_flight(struct world *w) {
	a_sign_in_in_flight_ends_with_the_deactivation(w);
	a_sign_in_in_flight_ends_though_the_user_is_active_again(w);
	a_sign_in_in_flight_ends_with_the_demotion(w);
	a_sign_in_in_flight_ends_with_the_password(w);
	storing_a_password_anew_shuts_nobody_out(w);
}
static void changes_in_flight(struct world *w) {
	a_change_of_password_in_flight_does_not_undo_another(w);
	a_change_of_password_in_flight_ends_with_its_token(w);
	what_is_issued_while_a_revocation_waits_is_revoked(w);
	two_administrators_cannot_end_each_other(w);
}
WORLD_TEST(sign_ins_in_flight)
WORLD_TEST(changes_in_flight)

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sign_ins_in_flight_test),
		cmocka_unit_test(changes_in_flight_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
