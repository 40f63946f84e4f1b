/* idempotency: one effect and one answer however often and however concurrently a request comes, over SQLite. */
#include "auth/auth.h"
#include "db/fixture.h"
#include "harness.h"

#define SECRET "a secret of thirty-two bytes or more"

static struct world *world; /* of the running test: handlers reach its database through db_of */
static struct harness h;

/* What a handler does between its effect and its commit. */
static struct plan {
	int fail;  /* returned after the effect, before the commit */
	bool stop; /* waits for `gate` before the commit */
	struct sf_wait *gate;
	struct sf_co *stopped; /* who waits there */
	bool meet;             /* waits until another request has met it */
	int runs;
} plan;
static int retries; /* answers 409: another request with the key was running */

static struct sf_db *db_of(const char *service) {
	(void)service;
	return world->db;
}

static const struct sf_query effect_add = {
	.name = "test.effect_add",
	.kind = SF_Q_EXEC,
	.write = true,
	.lite = "INSERT INTO effects DEFAULT VALUES",
	.pg = "",
	.id = 60000,
};

struct in {
	int64_t n;
	struct sf_str note;
	struct sf_oint maybe;
	bool twice;
	double ratio;
	struct sf_texts words;
	struct sf_ints ids;
	const struct json_t *free;
};
static const struct sf_field fields[] = {
	SF_IN(struct in, n, SF_F_INT, .required = true, .min = 1, .max = 1000),
	SF_IN(struct in, note, SF_F_TEXT),
	SF_IN(struct in, maybe, SF_F_INT),
	SF_IN(struct in, twice, SF_F_BOOL, .fallback = "false"),
	SF_IN(struct in, ratio, SF_F_FLOAT, .fallback = "1.5"),
	SF_IN(struct in, words, SF_F_TEXTS),
	SF_IN(struct in, ids, SF_F_INTS),
	SF_IN(struct in, free, SF_F_JSON),
	{ 0 },
};

static int effect_post(struct sf_req *r) {
	const struct in *in = sf_req_body(r);
	struct sf_dbh *tx = NULL;
	plan.runs++;
	int err = 0;
	while (!err && plan.meet && retries == 0) err = sf_sleep(1);
	if (!err) err = sf_req_begin(r, &tx);
	if (err) goto out;
	err = sf_db_exec(tx, &effect_add, NULL, NULL);
	if (err) goto out;
	if (plan.fail) {
		err = sf_fail(r, plan.fail, NULL, "It does not work today.");
		goto out;
	}
	sf_reply(r, 201, SF_KV("n", in->n), SF_KV("run", plan.runs), SF_KV("note", "서울 \"x\""));
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

/* Waits before its transaction, for one writer is all that SQLite has. */
static int slow_post(struct sf_req *r) {
	if (plan.stop) {
		struct sf_wait gate;
		sf_wait_init(&gate, NULL, NULL);
		plan.stop = false, plan.gate = &gate, plan.stopped = sf_co_self();
		int err = sf_await(&gate, -1);
		plan.gate = NULL;
		if (!err) err = sf_co_canceled(sf_co_self());
		if (err) return err;
	}
	return effect_post(r);
}

/* Answers without a transaction of its own. */
static int plain_post(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("run", ++plan.runs));
}
static int refuse_post(struct sf_req *r) {
	return sf_reply(r, 409, SF_KV("run", ++plan.runs));
}

#define ROW(path, fn)                                                                                        \
	{                                                                                                        \
		SF_POST, path, fn, .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .summary = "x", .idempotent = true,      \
						   .body = fields, .body_size = sizeof(struct in), .status = 201                     \
	}
static const struct sf_route routes[] = {
	ROW("/api/effect", effect_post),
	ROW("/api/effect/{id}", effect_post),
	ROW("/api/slow", slow_post),
	ROW("/api/plain", plain_post),
	ROW("/api/refuse", refuse_post),
	{ SF_POST, "/api/mine", effect_post, .auth = SF_USER, .rate = SF_RATE_NONE, .summary = "x",
	  .idempotent = true, .body = fields, .body_size = sizeof(struct in) },
	{ 0 },
};
static const struct sf_service service = { .name = "test", .title = "Test", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };

static void prepare(struct world *w) {
	world = w;
	OK(sf_secrets_setup(SECRET, NULL));
	plan = (struct plan) { 0 };
	h = harness_new(&(struct sf_app_opts) { .services = services, .db_of = db_of, .demo = true });
	sql(w, "CREATE TABLE effects (id INTEGER PRIMARY KEY)");
	struct sf_str why = SF_STR_NULL;
	int applied = 0;
	OK(sf_migrate(w->db, sf_all_migrations, w->a, &applied, &why));
}
static void finish(void) {
	harness_free(&h);
	world = NULL;
}

static struct sf_http_req *post(const char *target, const char *key, const char *body) {
	return call(&h, SF_POST, target, sf_arena_printf(h.arena, "Idempotency-Key: %s", key).p, body);
}
static bool replayed(const struct sf_http_req *req) {
	return answer_header(&h, req, "Idempotent-Replayed") != NULL;
}
static int64_t effects(void) {
	return number(world, "SELECT count(*) FROM effects");
}
static int64_t keys(void) {
	return number(world, "SELECT count(*) FROM idempotency_keys");
}

/* ---- many at once ---------------------------------------------------------------------------------------- */

enum { MANY = 100 };
static struct sf_http_req *answers[MANY];

static void one_of_many(struct member *m) {
	for (;;) {
		struct sf_http_req *req = post("/api/effect", "k-1", "{\"n\":5}");
		answers[m->i] = req;
		if (req->status != 409) return;
		assert_string_equal(answer_header(&h, req, "Retry-After"), "1");
		retries++;
		assert_int_equal(sf_sleep(1), 0);
	}
}

static void many_body(struct world *w) {
	prepare(w);
	struct crowd crowd = { .w = w };
	plan.meet = true;
	for (int i = 0; i < MANY; i++) crowd_add(&crowd, one_of_many, i);
	crowd_wait(&crowd);
	int first = 0;
	for (int i = 0; i < MANY; i++) {
		assert_status(answers[i], 201);
		assert_true(sf_str_eq(answer_body(answers[i]), answer_body(answers[0])));
		first += !replayed(answers[i]);
	}
	assert_int_equal(first, 1);
	assert_int_equal(plan.runs, 1);
	assert_true(retries > 0);
	assert_int_equal(effects(), 1);
	assert_int_equal(keys(), 1);
	finish();
}

/* Different keys do not meet. */
static void one_of_different(struct member *m) {
	char key[32];
	snprintf(key, sizeof key, "k-%d", m->i);
	answers[m->i] = post("/api/effect", key, "{\"n\":5}");
}
static void different_body(struct world *w) {
	prepare(w);
	struct crowd crowd = { .w = w };
	for (int i = 0; i < MANY; i++) crowd_add(&crowd, one_of_different, i);
	crowd_wait(&crowd);
	for (int i = 0; i < MANY; i++) assert_status(answers[i], 201);
	assert_int_equal(effects(), MANY);
	finish();
}

/* ---- one after the other ------------------------------------------------------------------------------------ */

static void replay_body(struct world *w) {
	prepare(w);
	struct sf_http_req *one = post("/api/effect", "a", "{\"n\":5}"),
					   *two = post("/api/effect", "a", "{\"n\":5}");
	assert_status(one, 201);
	assert_status(two, 201);
	assert_holds(one, "서울 \\\"x\\\"");
	assert_true(!replayed(one) && replayed(two) && sf_str_eq(answer_body(one), answer_body(two)));
	assert_true(sf_str_eq(two->type, SF_STR("application/json")));
	struct sf_http_req *other = post("/api/effect", "a", "{\"n\":6}");
	assert_status(other, 422);
	assert_holds(other, "\"code\":\"idempotency_mismatch\"");
	/* the same key of another route, another address, another user */
	assert_status(post("/api/plain", "a", "{\"n\":5}"), 200);
	assert_status(post("/api/effect/7", "a", "{\"n\":5}"), 201);
	assert_status(post("/api/effect/8", "a", "{\"n\":5}"), 422);
	const char *headers = "Idempotency-Key: a\nAuthorization: Bearer demo_token";
	assert_status(call(&h, SF_POST, "/api/mine", headers, "{\"n\":5}"), 201);
	assert_true(replayed(call(&h, SF_POST, "/api/mine", headers, "{\"n\":5}")));
	assert_status(post("/api/mine", "a", "{\"n\":5}"), 401);
	assert_int_equal(effects(), 3);
	/* without a key nothing is kept */
	assert_status(call(&h, SF_POST, "/api/effect", NULL, "{\"n\":5}"), 201);
	assert_int_equal(effects(), 4);
	assert_int_equal(keys(), 4);
	finish();
}

/* The same request, however it is written; and what is another one. */
static void spelling_body(struct world *w) {
	prepare(w);
	static const char *const same[] = {
		"{\"n\":5,\"note\":\"가\",\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]}}",
		"{ \"free\" : {\"y\":[2],\"x\":1}, \"ids\":[1, 2],\n\"words\":[\"a\",\"b\"], \"note\":\" \\uac00 \", "
		"\"n\":5 }",
		"{\"n\":5,\"note\":\"가\",\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]},"
		"\"unknown\":[1],"
		"\"maybe\":null,\"twice\":false,\"ratio\":15e-1}",
	};
	static const char *const other[] = {
		"{\"n\":6,\"note\":\"가\",\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]}}",
		"{\"n\":5,\"note\":\"나\",\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]}}",
		"{\"n\":5,\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]}}",
		"{\"n\":5,\"note\":\"가\",\"words\":[\"ab\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]}}",
		"{\"n\":5,\"note\":\"가\",\"words\":[\"a\",\"b\"],\"ids\":[2,1],\"free\":{\"x\":1,\"y\":[2]}}",
		"{\"n\":5,\"note\":\"가\",\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[3]}}",
		"{\"n\":5,\"note\":\"가\",\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]},"
		"\"maybe\":0}",
		"{\"n\":5,\"note\":\"가\",\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]},"
		"\"twice\":true}",
		"{\"n\":5,\"note\":\"가\",\"words\":[\"a\",\"b\"],\"ids\":[1,2],\"free\":{\"x\":1,\"y\":[2]},"
		"\"ratio\":2}",
	};
	struct sf_http_req *first = post("/api/effect", "a", same[0]);
	assert_status(first, 201);
	for (size_t i = 1; i < SF_COUNT(same); i++) {
		struct sf_http_req *req = post("/api/effect", "a", same[i]);
		assert_status(req, 201);
		assert_true(replayed(req) && sf_str_eq(answer_body(req), answer_body(first)));
	}
	for (size_t i = 0; i < SF_COUNT(other); i++) assert_status(post("/api/effect", "a", other[i]), 422);
	assert_int_equal(effects(), 1);
	/* the digest is a keyed one, and a rotation of its secret is none of the client's business */
	const char *const previous[] = { SECRET, NULL };
	OK(sf_secrets_setup("another secret of thirty-two bytes", previous));
	assert_true(replayed(post("/api/effect", "a", same[1])));
	assert_status(post("/api/effect", "a", other[0]), 422);
	OK(sf_secrets_setup("another secret of thirty-two bytes", NULL));
	assert_status(post("/api/effect", "a", same[0]), 422);
	finish();
}

static void failure_body(struct world *w) {
	prepare(w);
	/* the handler's verdict is the answer, also the second time, though the second time it would be another */
	plan.fail = SF_ECONFLICT;
	struct sf_http_req *first = post("/api/effect", "a", "{\"n\":5}");
	assert_status(first, 409);
	assert_false(replayed(first));
	assert_holds(first, "It does not work today.");
	plan.fail = 0;
	struct sf_http_req *second = post("/api/effect", "a", "{ \"n\": 5 }");
	assert_status(second, 409);
	assert_true(replayed(second) && sf_str_eq(answer_body(first), answer_body(second)));
	assert_status(post("/api/effect", "a", "{\"n\":6}"), 422);
	assert_int_equal(effects(), 0);
	plan.fail = SF_EINTERNAL;
	assert_status(post("/api/effect", "bug", "{\"n\":5}"), 500);
	plan.fail = 0;
	assert_status(post("/api/effect", "bug", "{\"n\":5}"), 500);
	/* what says "later" is not kept */
	static const int later[] = { SF_EUNAVAILABLE, SF_EOVERLOAD, SF_ERATE, SF_ECANCELED };
	int64_t before = keys();
	for (size_t i = 0; i < SF_COUNT(later); i++) {
		plan.fail = later[i];
		assert_true(post("/api/effect", "later", "{\"n\":5}")->status >= 429);
		assert_int_equal(keys(), before);
	}
	plan.fail = 0;
	assert_status(post("/api/effect", "later", "{\"n\":5}"), 201);
	assert_int_equal(effects(), 1);
	/* what is wrong with the request itself takes no key */
	assert_status(post("/api/effect", "b", "{\"n\":0}"), 400);
	assert_status(post("/api/effect", "b", "{\"n\":1}"), 201);
	/* nor does it matter how the handler says so */
	int refused = plan.runs;
	assert_status(post("/api/refuse", "c", "{\"n\":1}"), 409);
	assert_status(post("/api/refuse", "c", "{\"n\":1}"), 409);
	assert_int_equal(plan.runs, refused + 1);
	assert_int_equal(number(w, "SELECT count(*) FROM idempotency_keys WHERE state = 'running'"), 0);
	/* an answer without a commit of its own is kept */
	int runs = plan.runs;
	struct sf_http_req *one = post("/api/plain", "d", "{\"n\":1}"),
					   *two = post("/api/plain", "d", "{\"n\":1}");
	assert_true(replayed(two) && sf_str_eq(answer_body(one), answer_body(two)));
	assert_int_equal(plan.runs, runs + 1);
	finish();
}

static void keys_body(struct world *w) {
	prepare(w);
	char longest[257];
	memset(longest, 'k', 256);
	longest[256] = 0;
	assert_status(post("/api/effect", longest, "{\"n\":5}"), 400);
	longest[255] = 0;
	assert_status(post("/api/effect", longest, "{\"n\":5}"), 201);
	static const char *const bad[] = { "", "a b", "\x01", "caf\xc3\xa9" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) assert_status(post("/api/effect", bad[i], "{\"n\":5}"), 400);
	assert_int_equal(effects(), 1);
	finish();
}

static void old_body(struct world *w) {
	prepare(w);
	assert_status(post("/api/effect", "a", "{\"n\":5}"), 201);
	sql(w, "UPDATE idempotency_keys SET created_at = '2001-01-01 00:00:00.000000'");
	struct sf_http_req *req = post("/api/effect", "a", "{\"n\":6}");
	assert_status(req, 201);
	assert_false(replayed(req));
	assert_true(replayed(post("/api/effect", "a", "{\"n\":6}")));
	assert_int_equal(effects(), 2);
	/* the clean-up */
	sql(w, "UPDATE idempotency_keys SET created_at = '2001-01-01 00:00:00.000000'");
	char key[32];
	for (int i = 0; i < 600; i++) {
		snprintf(key, sizeof key, "n-%d", i);
		assert_status(post("/api/plain", key, "{\"n\":1}"), 200);
	}
	assert_int_equal(number(w, "SELECT count(*) FROM idempotency_keys WHERE created_at < '2002-01-01'"), 0);
	finish();
}

/* ---- while another runs ---------------------------------------------------------------------------------------- */

static struct sf_http_req *slow_answer;

static void slow_request(struct member *m) {
	(void)m;
	slow_answer = post("/api/slow", "s", "{\"n\":5}");
}
static void start_slow(struct crowd *crowd) {
	plan.stop = true;
	crowd_add(crowd, slow_request, 0);
	while (!plan.gate) assert_int_equal(sf_sleep(1), 0);
}

static void running_body(struct world *w) {
	prepare(w);
	struct crowd crowd = { .w = w };
	start_slow(&crowd);
	struct sf_http_req *req = post("/api/slow", "s", "{\"n\":5}");
	assert_status(req, 409);
	assert_non_null(answer_header(&h, req, "Retry-After"));
	assert_status(post("/api/slow", "s", "{\"n\":6}"), 422);
	sf_wake(plan.gate, 0);
	crowd_wait(&crowd);
	assert_status(slow_answer, 201);
	assert_true(replayed(post("/api/slow", "s", "{\"n\":5}")));
	assert_int_equal(effects(), 1);
	finish();
}

/* The lease lapses under a request that still lives: the other one wins, and the late one has no effect. */
static void lapsed_body(struct world *w) {
	prepare(w);
	struct crowd crowd = { .w = w };
	start_slow(&crowd);
	sql(w, "UPDATE idempotency_keys SET lease_until = '2001-01-01 00:00:00.000000'");
	assert_status(post("/api/slow", "s", "{\"n\":6}"), 422);
	struct sf_http_req *req = post("/api/slow", "s", "{\"n\":5}");
	assert_status(req, 201);
	assert_false(replayed(req));
	sf_wake(plan.gate, 0);
	crowd_wait(&crowd);
	assert_status(slow_answer, 409);
	assert_int_equal(effects(), 1);
	struct sf_http_req *again = post("/api/slow", "s", "{\"n\":5}");
	assert_true(replayed(again) && sf_str_eq(answer_body(again), answer_body(req)));
	finish();
}

/* The client goes away: the claim is given up although its coroutine is cancelled. */
static void gone_body(struct world *w) {
	prepare(w);
	struct crowd crowd = { .w = w };
	start_slow(&crowd);
	sf_co_cancel(plan.stopped, SF_ECANCELED);
	sf_wake(plan.gate, 0);
	crowd_wait(&crowd);
	assert_int_equal(slow_answer->status, 499);
	assert_int_equal(keys(), 0);
	assert_status(post("/api/slow", "s", "{\"n\":5}"), 201);
	assert_int_equal(effects(), 1);
	finish();
}

#define RUN(name)                                                                                            \
	static void test_##name(void **state) {                                                                  \
		world_run(*state, name##_body);                                                                      \
	}
RUN(many)
RUN(different)
RUN(replay)
RUN(spelling)
RUN(failure)
RUN(keys)
RUN(old)
RUN(running)
RUN(lapsed)
RUN(gone)

int main(void) {
	const struct CMUnitTest tests[] = {
		DB_TEST(test_many),     DB_TEST(test_different), DB_TEST(test_replay), DB_TEST(test_failure),
		DB_TEST(test_spelling), DB_TEST(test_keys),      DB_TEST(test_old),    DB_TEST(test_running),
		DB_TEST(test_lapsed),   DB_TEST(test_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
