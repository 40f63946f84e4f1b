/* Transactions against a real server: commit, rollback, cancellation, conflicts, deadlock, the end of a dirty one. */
#include "db/pg_server.h"

#include "core/time.h"

static struct pg_env env;

struct kv {
	int64_t k, v;
};
static const struct sf_dbcol kv_cols[] = { { "k", SF_T_INT, false, offsetof(struct kv, k) },
										   { "v", SF_T_INT, false, offsetof(struct kv, v) } };
#define EXEC(sql, n)                                                                                         \
	{ .name = "test.exec", .kind = SF_Q_EXEC, .write = true, .pg = sql, .in = kv_cols, .nin = n }
static const struct sf_query put = EXEC("INSERT INTO kv (k, v) VALUES ($1, $2)", 2);
static const struct sf_query add = EXEC("UPDATE kv SET v = v + $2 WHERE k = $1", 2);
static const struct sf_query add_must =
	EXEC("WITH done AS (UPDATE kv SET v = v + $2 WHERE k = $1 RETURNING 1) SELECT 1 / count(*) FROM done", 2);
static const struct sf_query clear = EXEC("TRUNCATE kv", 0);
static const struct sf_query nap = EXEC("SELECT pg_sleep($1 / 1000.0)", 1);
static const struct sf_query get = { .name = "test.get",
									 .kind = SF_Q_ONE,
									 .pg = "SELECT k, v FROM kv WHERE k = $1",
									 .in = kv_cols,
									 .nin = 1,
									 .out = kv_cols,
									 .nout = 2,
									 .row_size = sizeof(struct kv) };

static struct sf_dbh *automatic(struct pg_env *e) {
	return sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
}
static int64_t value(struct pg_env *e, int64_t k) {
	struct kv row = { 0 };
	int err = sf_db_one(automatic(e), &get, &(struct kv) { k, 0 }, &row);
	assert_true(err == 0 || err == SF_ENOTFOUND);
	return err ? -1 : row.v;
}
static size_t busy(struct pg_env *e) {
	struct sf_db_stats s;
	sf_db_stats(e->db, &s);
	return s.busy + s.waiting;
}

static void commit_and_rollback(struct pg_env *e) {
	struct sf_dbh *tx;
	int64_t n = 0;
	assert_int_equal(sf_db_exec(automatic(e), &clear, NULL, NULL), 0);
	assert_int_equal(sf_tx_begin(e->db, e->arena, "commit", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { 1, 10 }, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(value(e, 1), -1); /* not to be seen outside yet */
	assert_int_equal(sf_db_exec(tx, &add, &(struct kv) { 1, 5 }, &n), 0);
	assert_int_equal(sf_tx_commit(tx), 0);
	sf_tx_end(tx);
	assert_int_equal(value(e, 1), 15);

	assert_int_equal(sf_tx_begin(e->db, e->arena, "rollback", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &add, &(struct kv) { 1, 100 }, &n), 0);
	sf_tx_end(tx);
	assert_int_equal(value(e, 1), 15);

	assert_int_equal(sf_tx_begin(e->db, e->arena, "empty", &tx), 0); /* costs nothing, and commits */
	assert_int_equal(sf_tx_commit(tx), 0);
	sf_tx_end(tx);
	assert_int_equal(sf_db_exec(automatic(e), &add, &(struct kv) { 77, 1 }, &n), 0);
	assert_int_equal(n, 0);
	PG_WAIT_FOR(busy(e) == 0);
}

static void violations(struct pg_env *e) {
	struct sf_dbh *tx, *h = automatic(e);
	assert_int_equal(sf_db_exec(h, &clear, NULL, NULL), 0);
	assert_int_equal(sf_db_exec(h, &put, &(struct kv) { 1, 1 }, NULL), 0);
	assert_int_equal(sf_db_exec(h, &put, &(struct kv) { 1, 1 }, NULL), SF_EDUP);
	assert_string_equal(sf_db_constraint(h), "kv_pkey");
	assert_int_equal(sf_db_exec(h, &put, &(struct kv) { 2, -1 }, NULL), SF_ECONFLICT);
	assert_string_equal(sf_db_constraint(h), "kv_v_check");
	assert_int_equal(sf_tx_begin(e->db, e->arena, "violation", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { 3, 3 }, NULL), 0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { 1, 1 }, NULL), SF_EDUP);
	assert_string_equal(sf_db_constraint(tx), "kv_pkey");
	assert_int_not_equal(sf_tx_commit(tx), 0);
	sf_tx_end(tx);
	assert_int_equal(value(e, 3), -1);
}

/* ---- two at once -------------------------------------------------------------------------------------- */

struct locker {
	struct pg_env *e;
	int64_t first, second;
	int err;
	bool has_first, ended;
	struct locker *other;
};

static void lock_two(void *arg) {
	struct locker *l = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_dbh *tx;
	assert_int_equal(sf_tx_begin(l->e->db, a, "locker", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &add, &(struct kv) { l->first, 1 }, NULL), 0);
	l->has_first = true;
	PG_WAIT_FOR(l->other->has_first);
	l->err = sf_db_exec(tx, &add, &(struct kv) { l->second, 1 }, NULL);
	if (!l->err) l->err = sf_tx_commit(tx);
	sf_tx_end(tx);
	sf_arena_free(a);
	l->ended = true;
}

static void start_two(void *arg) {
	struct locker *l = arg;
	assert_int_equal(sf_co_start(l->e->loop, lock_two, l, NULL), 0);
	assert_int_equal(sf_co_start(l->e->loop, lock_two, l->other, NULL), 0);
}

static void deadlock(struct pg_env *e) {
	assert_int_equal(sf_db_exec(automatic(e), &clear, NULL, NULL), 0);
	assert_int_equal(sf_db_exec(automatic(e), &put, &(struct kv) { 1, 0 }, NULL), 0);
	assert_int_equal(sf_db_exec(automatic(e), &put, &(struct kv) { 2, 0 }, NULL), 0);
	struct locker a = { .e = e, .first = 1, .second = 2 }, b = { .e = e, .first = 2, .second = 1 };
	a.other = &b, b.other = &a;
	sf_loop_later(e->loop, start_two, &a);
	PG_WAIT_FOR(a.ended && b.ended);
	assert_true((a.err == 0 && b.err == SF_ESERIAL) || (a.err == SF_ESERIAL && b.err == 0));
	assert_int_equal(value(e, 1), 1);
	assert_int_equal(value(e, 2), 1);
}

/* ---- cut short -------------------------------------------------------------------------------------------- */

struct sleeper {
	struct pg_env *e;
	struct sf_co *co;
	bool runs, ended;
	int err;
	int64_t deadline_ms;
};

static void sleep_in_tx(void *arg) {
	struct sleeper *s = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_dbh *tx;
	s->co = sf_co_self();
	if (s->deadline_ms) sf_co_deadline(s->co, sf_loop_now(s->e->loop) + s->deadline_ms);
	assert_int_equal(sf_tx_begin(s->e->db, a, "sleeper", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { 50, 1 }, NULL), 0);
	s->runs = true;
	s->err = sf_db_exec(tx, &nap, &(struct kv) { 30000, 0 }, NULL);
	sf_tx_end(tx);
	sf_arena_free(a);
	s->ended = true;
}
static void start_sleeper(void *arg) {
	struct sleeper *s = arg;
	assert_int_equal(sf_co_start(s->e->loop, sleep_in_tx, s, NULL), 0);
}

static void canceled(struct pg_env *e) {
	struct sf_db_stats before, after;
	assert_int_equal(sf_db_exec(automatic(e), &clear, NULL, NULL), 0);
	struct sleeper s = { .e = e };
	sf_loop_later(e->loop, start_sleeper, &s);
	PG_WAIT_FOR(s.runs);
	sf_db_stats(e->db, &before);
	struct sf_db_holder who[4];
	assert_int_equal(sf_db_holders(e->db, who, 4), 1);
	assert_string_equal(who[0].label, "sleeper");
	assert_string_equal(who[0].query, "test.exec");
	PG_WAIT_FOR(sf_db_holders(e->db, who, 4) == 1 && who[0].age_ms >= 20);
	sf_co_cancel(s.co, SF_ECANCELED);
	PG_WAIT_FOR(s.ended);
	assert_int_equal(s.err, SF_ECANCELED);
	assert_int_equal(sf_db_holders(e->db, who, 4), 0);
	/* the connection is rolled back and stays; the row's lock is gone long before the 30 s are over */
	PG_WAIT_FOR(busy(e) == 0);
	sf_db_stats(e->db, &after);
	assert_true(after.open >= before.open && after.reconnects == 0);
	assert_int_equal(value(e, 50), -1);
	assert_int_equal(sf_db_exec(automatic(e), &put, &(struct kv) { 50, 2 }, NULL), 0);

	struct sleeper d = { .e = e, .deadline_ms = 100 };
	assert_int_equal(sf_db_exec(automatic(e), &clear, NULL, NULL), 0);
	sf_loop_later(e->loop, start_sleeper, &d);
	PG_WAIT_FOR(d.ended);
	assert_int_equal(d.err, SF_EDEADLINE);
	PG_WAIT_FOR(busy(e) == 0);
}

static void times_out(struct pg_env *e) {
	struct sf_dbh *tx;
	int64_t t0 = sf_clock_ns();
	assert_int_equal(sf_db_exec(automatic(e), &nap, &(struct kv) { 30000, 0 }, NULL), SF_EDEADLINE);
	assert_int_equal(sf_tx_begin(e->db, e->arena, "times out", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &nap, &(struct kv) { 30000, 0 }, NULL), SF_EDEADLINE);
	sf_tx_end(tx);
	assert_true(sf_clock_ns() - t0 < INT64_C(30000000000)); /* before either would have ended by itself */
	PG_WAIT_FOR(busy(e) == 0);
}

/* The server ends the session of a transaction: the statement fails, nothing else does. */
static void killed(struct pg_env *e) {
	struct sf_dbh *tx;
	assert_int_equal(sf_db_exec(automatic(e), &clear, NULL, NULL), 0);
	assert_int_equal(sf_tx_begin(e->db, e->arena, "killed", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { 1, 1 }, NULL), 0);
	assert_int_equal(
		pg_psql(&e->server,
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
				"WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"),
		0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { 2, 1 }, NULL), SF_EUNAVAILABLE);
	sf_tx_end(tx);
	assert_int_equal(value(e, 1), -1);
	assert_int_equal(sf_tx_begin(e->db, e->arena, "killed", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { 1, 1 }, NULL), 0);
	assert_int_equal(
		pg_psql(&e->server,
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
				"WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"),
		0);
	assert_int_equal(sf_tx_commit(tx), SF_EUNAVAILABLE);
	sf_tx_end(tx);
	assert_int_equal(value(e, 1), -1);
}

static void count_up(void *arg) {
	++*(int *)arg;
}

/* Runs put(k, 10), then `last` together with the COMMIT; what it said. */
static int put_and(struct pg_env *e, int64_t k, const struct sf_query *last, const struct kv *in,
				   int *hooks) {
	struct sf_dbh *tx;
	assert_int_equal(sf_tx_begin(e->db, e->arena, "last", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { k, 10 }, NULL), 0);
	sf_tx_after(tx, count_up, hooks);
	int err = sf_tx_commit_with(tx, last, in);
	if (err == SF_EDUP || err == SF_ECONFLICT) assert_true(*sf_db_constraint(tx) != 0);
	assert_int_equal(sf_db_exec(tx, &put, &(struct kv) { 90, 1 }, NULL), SF_EDB); /* it is over */
	sf_tx_end(tx);
	return err;
}

/* Twice, for at first the last statement and COMMIT have to be parsed on that connection. */
static void commits_with_a_last_statement(struct pg_env *e) {
	struct sf_dbh *tx;
	int hooks = 0;
	assert_int_equal(sf_db_exec(automatic(e), &clear, NULL, NULL), 0);
	for (int64_t i = 0; i < 2; i++) {
		const int64_t k = 1 + 10 * i;
		assert_int_equal(put_and(e, k, &add_must, &(struct kv) { k, 5 }, &hooks), 0);
		assert_int_equal(value(e, k), 15);
		assert_int_equal(put_and(e, k + 1, &add_must, &(struct kv) { 77, 5 }, &hooks), SF_ENOTFOUND);
		assert_int_equal(put_and(e, k + 2, &put, &(struct kv) { k, 1 }, &hooks), SF_EDUP);
		assert_int_equal(put_and(e, k + 3, &add_must, &(struct kv) { k, -99 }, &hooks), SF_ECONFLICT);
		assert_int_equal(put_and(e, k + 4, &nap, &(struct kv) { 30000, 0 }, &hooks), SF_EDEADLINE);
		for (int n = 1; n <= 4; n++) assert_int_equal(value(e, k + n), -1);
		assert_int_equal(hooks, i + 1);
	}
	assert_int_equal(sf_tx_begin(e->db, e->arena, "only", &tx), 0);
	assert_int_equal(sf_tx_commit_with(tx, &add_must, &(struct kv) { 1, 1 }), 0);
	sf_tx_end(tx);
	assert_int_equal(value(e, 1), 16);
	PG_WAIT_FOR(busy(e) == 0);
	assert_int_equal(sf_tx_begin(e->db, e->arena, "killed", &tx), 0);
	assert_int_equal(sf_db_exec(tx, &add, &(struct kv) { 1, 1 }, NULL), 0);
	assert_int_equal(
		pg_psql(&e->server,
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
				"WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"),
		0);
	assert_int_equal(sf_tx_commit_with(tx, &add_must, &(struct kv) { 1, 1 }), SF_EUNAVAILABLE);
	sf_tx_end(tx);
	assert_int_equal(value(e, 1), 16);
}

#define TEST(name, ...)                                                                                      \
	static void test_##name(void **state) {                                                                  \
		(void)state;                                                                                         \
		env.opts = (struct sf_db_opts) { __VA_ARGS__ };                                                      \
		pg_env_run(&env, name);                                                                              \
	}
TEST(commit_and_rollback, .pool_size = 3)
TEST(violations, .pool_size = 3)
TEST(deadlock, .pool_size = 5)
TEST(canceled, .pool_size = 3)
TEST(times_out, .pool_size = 3, .statement_ms = 300)
TEST(killed, .pool_size = 3)
TEST(commits_with_a_last_statement, .pool_size = 2, .statement_ms = 300)

static int up(void **state) {
	(void)state;
	if (!pg_server_start(&env.server)) return 0;
	return pg_psql(&env.server, "CREATE TABLE kv (k bigint PRIMARY KEY, v bigint NOT NULL CHECK (v >= 0))");
}
static int down(void **state) {
	(void)state;
	pg_server_stop(&env.server);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit_and_rollback),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_deadlock),
		cmocka_unit_test(test_canceled),
		cmocka_unit_test(test_times_out),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_commits_with_a_last_statement),
	};
	return cmocka_run_group_tests(tests, up, down);
}
