/* The pool under many coroutines: right results beside failing and cancelled neighbours, waiting that ends, slow
 * statements that hold up nobody, bounded prepared statements. */
#include "db/pg_server.h"

static struct pg_env env;

struct in {
	int64_t a, b;
};
struct row {
	int64_t n;
	struct sf_str t;
};
static const struct sf_dbcol in_cols[] = { { "a", SF_T_INT, false, offsetof(struct in, a) },
										   { "b", SF_T_INT, false, offsetof(struct in, b) } };
static const struct sf_dbcol row_cols[] = { { "n", SF_T_INT, false, offsetof(struct row, n) },
											{ "t", SF_T_TEXT, false, offsetof(struct row, t) } };
#define READ(sql)                                                                                            \
	{                                                                                                        \
		.name = "test.read", .kind = SF_Q_ONE, .pg = sql, .in = in_cols, .nin = 2, .out = row_cols,          \
		.nout = 2, .row_size = sizeof(struct row)                                                            \
	}
static const struct sf_query sum = READ("SELECT $1 + $2, '합계 ' || ($1 + $2)");
static const struct sf_query divide = READ("SELECT $1 / ($2 - $2), ''");
static const struct sf_query shut = READ("SELECT $1, pg_advisory_xact_lock($2)::text");
static const struct sf_query slow = READ("SELECT $1, pg_advisory_xact_lock_shared($2)::text");
static const struct sf_query put = { .name = "test.put",
									 .kind = SF_Q_EXEC,
									 .write = true,
									 .in = in_cols,
									 .nin = 2,
									 .pg = "INSERT INTO kv (k, v) VALUES ($1, $2)" };
static const struct sf_query total =
	READ("SELECT coalesce(sum(v), 0)::bigint, count(*)::text FROM kv WHERE k >= $1 AND $2 = 0");

static struct sf_dbh *automatic(struct pg_env *e) {
	return sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
}

/* ---- many ------------------------------------------------------------------------------------------- */

enum { MANY = 1000, ROUNDS = 20 };
struct one {
	struct pg_env *e;
	int64_t id;
	struct sf_co *co;
	bool done;
};
static struct one many[MANY];
static size_t running, cut, written;

static void work_once(struct one *o, struct sf_arena *a, int round) {
	struct sf_dbh *h = sf_db_auto(o->e->db, a, SF_READ_PRIMARY, "many");
	struct row r;
	int err;
	switch ((o->id + round) % 8) {
	case 0:
		err = sf_db_one(h, &divide, &(struct in) { 1, o->id }, &r);
		assert_true(err == SF_EDB || err == SF_ECANCELED);
		break;
	case 1: { /* every second one is there already */
		int64_t k = o->id * 1000 + round / 2;
		err = sf_db_exec(h, &put, &(struct in) { k, 1 }, NULL);
		assert_true(err == 0 || err == SF_EDUP || err == SF_ECANCELED);
		written += err == 0;
		break;
	}
	case 2: {
		struct sf_dbh *tx;
		err = sf_tx_begin(o->e->db, a, "many", &tx);
		assert_true(err == 0 || err == SF_ECANCELED || err == SF_EOVERLOAD);
		if (err) break;
		err = sf_db_exec(tx, &put, &(struct in) { -1 - o->id * 1000 - round, 1 }, NULL);
		assert_true(err == 0 || err == SF_ECANCELED);
		sf_tx_end(tx); /* rolled back: nothing of it may remain */
		break;
	}
	default:
		err = sf_db_one(h, &sum, &(struct in) { o->id, round }, &r);
		assert_true(err == 0 || err == SF_ECANCELED);
		if (err) break;
		char text[64];
		snprintf(text, sizeof(text), "합계 %lld", (long long)(o->id + round));
		assert_int_equal(r.n, o->id + round);
		assert_string_equal(r.t.p, text);
	}
}

static void work(void *arg) {
	struct one *o = arg;
	for (int i = 0; i < ROUNDS && !sf_co_canceled(sf_co_self()); i++) {
		struct sf_arena *a = sf_arena_new(0);
		work_once(o, a, i);
		sf_arena_free(a);
	}
	cut += sf_co_canceled(sf_co_self()) != 0;
	o->done = true;
	running--;
}

static void start_many(void *arg) {
	struct pg_env *e = arg;
	running = 0, cut = 0, written = 0;
	for (int i = 0; i < MANY; i++) {
		many[i] = (struct one) { .e = e, .id = i };
		running++;
		assert_int_equal(sf_co_start(e->loop, work, &many[i], &many[i].co), 0);
	}
}

static void many_at_once(struct pg_env *e) {
	struct row r;
	sf_loop_later(e->loop, start_many, e);
	PG_WAIT_FOR(running > 0 && written > 10);
	for (int i = 0; i < MANY; i += 10)
		if (!many[i].done) sf_co_cancel(many[i].co, SF_ECANCELED);
	PG_WAIT_FOR(running == 0);
	assert_true(cut > 0 && cut <= MANY / 10);
	PG_WAIT_FOR(stats(e).busy == 0 && stats(e).waiting == 0);
	struct sf_db_stats s = stats(e);
	assert_true(s.open > 0 && s.open <= 10);
	assert_int_equal(s.open, s.idle);
	assert_int_equal(s.reconnects, 0); /* nothing was thrown away */
	struct sf_db_holder who;
	assert_int_equal(sf_db_holders(e->db, &who, 1), 0);
	/* what was acknowledged is there; of the cancelled ones some may be there besides */
	assert_int_equal(sf_db_one(automatic(e), &total, &(struct in) { 0, 0 }, &r), 0);
	assert_true(r.n >= (int64_t)written && r.n <= (int64_t)(written + cut));
	assert_int_equal(sf_db_one(automatic(e), &total, &(struct in) { -1000000000, 0 }, &r), 0);
	assert_true(r.n >= (int64_t)written && r.n <= (int64_t)(written + cut));
}

/* ---- waiting ---------------------------------------------------------------------------------------- */

static void exhausted(struct pg_env *e) {
	struct sf_dbh *tx[4];
	struct row r;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sf_tx_begin(e->db, e->arena, "holds on", &tx[i]), 0);
		assert_int_equal(sf_db_one(tx[i], &sum, &(struct in) { 1, 2 }, &r), 0);
	}
	int64_t from = sf_loop_now(e->loop);
	assert_int_equal(sf_tx_begin(e->db, e->arena, "waits", &tx[3]), SF_EOVERLOAD);
	assert_true(sf_loop_now(e->loop) - from >= e->opts.wait_ms); /* it had its time in the line */
	struct sf_db_holder who[8];
	assert_int_equal(sf_db_holders(e->db, who, 8), 3);
	assert_string_equal(who[0].label, "holds on");
	assert_string_equal(who[0].query, "test.read");
	assert_true(who[0].age_ms >= e->opts.wait_ms - 1);
	assert_int_equal(sf_db_one(automatic(e), &sum, &(struct in) { 3, 4 }, &r),
					 0); /* single statements still run */
	assert_int_equal(r.n, 7);
	sf_tx_end(tx[1]);
	assert_int_equal(sf_tx_begin(e->db, e->arena, "has its turn", &tx[3]), 0);
	sf_tx_end(tx[0]), sf_tx_end(tx[2]), sf_tx_end(tx[3]);
}

static size_t refused;
static void one_more(void *arg) {
	struct pg_env *e = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_dbh *tx;
	assert_int_equal(sf_tx_begin(e->db, a, "one more", &tx), SF_EOVERLOAD);
	sf_arena_free(a);
	running--;
}
static void start_more(void *arg) {
	struct pg_env *e = arg;
	for (int i = 0; i < 8; i++) {
		running++;
		assert_int_equal(sf_co_start(e->loop, one_more, e, NULL), 0);
	}
	refused = 8 - running; /* without waiting at all */
}
static void line_is_bounded(struct pg_env *e) {
	struct sf_dbh *tx;
	assert_int_equal(sf_tx_begin(e->db, e->arena, "holds on", &tx), 0);
	running = refused = 0;
	sf_loop_later(e->loop, start_more, e);
	PG_WAIT_FOR(running > 0);
	PG_WAIT_FOR(running == 0);
	assert_int_equal(refused, 8 - 5);
	sf_tx_end(tx);
}

/* ---- a slow statement ---------------------------------------------------------------------------------- */

/* Connections for what follows, so that none has to be opened meanwhile. */
static void open_connections(struct pg_env *e, size_t n) {
	struct sf_dbh *tx[12];
	struct row r;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sf_tx_begin(e->db, e->arena, "opens", &tx[i]), 0);
		assert_int_equal(sf_db_one(tx[i], &sum, &(struct in) { 1, 2 }, &r), 0);
	}
	for (size_t i = 0; i < n; i++) sf_tx_end(tx[i]);
	PG_WAIT_FOR(stats(e).busy == 0);
	assert_true(stats(e).idle >= n);
}
/* Slow statements last until the gate's transaction ends. */
static struct sf_dbh *shut_gate(struct pg_env *e) {
	struct sf_dbh *tx;
	struct row r;
	assert_int_equal(sf_tx_begin(e->db, e->arena, "gate", &tx), 0);
	assert_int_equal(sf_db_one(tx, &shut, &(struct in) { 1, 1 }, &r), 0);
	return tx;
}
static void slow_one(void *arg) {
	struct pg_env *e = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct row r;
	running++;
	assert_int_equal(
		sf_db_one(sf_db_auto(e->db, a, SF_READ_PRIMARY, "slow"), &slow, &(struct in) { 1, 1 }, &r), 0);
	running--;
	sf_arena_free(a);
}
static void start_slow(void *arg) {
	assert_int_equal(sf_co_start(((struct pg_env *)arg)->loop, slow_one, arg, NULL), 0);
}
static void slow_holds_up_nobody(struct pg_env *e) {
	struct row r;
	open_connections(e, 3);
	struct sf_dbh *gate = shut_gate(e);
	running = 0;
	sf_loop_later(e->loop, start_slow, e);
	PG_WAIT_FOR(running > 0);
	assert_int_equal(sf_sleep(20), 0); /* past what counts as stalled */
	for (int i = 0; i < 100; i++)
		assert_int_equal(sf_db_one(automatic(e), &sum, &(struct in) { i, 1 }, &r), 0);
	assert_int_equal(running, 1); /* it still runs */
	sf_tx_end(gate);
	PG_WAIT_FOR(running == 0);
}

/* A slow read that left in one write with quick ones: those are asked again elsewhere, and it is sent alone from then on. */
static size_t quick_done;
static void quick_one(void *arg) {
	struct one *o = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct row r;
	assert_int_equal(
		sf_db_one(sf_db_auto(o->e->db, a, SF_READ_PRIMARY, "quick"), &sum, &(struct in) { o->id, 1 }, &r), 0);
	assert_int_equal(r.n, o->id + 1);
	quick_done++;
	sf_arena_free(a);
	running--;
}
static void start_mixed(void *arg) {
	struct pg_env *e = arg;
	assert_int_equal(sf_co_start(e->loop, slow_one, e, NULL), 0);
	for (int i = 0; i < 7; i++) {
		many[i] = (struct one) { .e = e, .id = i };
		running++;
		assert_int_equal(sf_co_start(e->loop, quick_one, &many[i], NULL), 0);
	}
}
static void slow_neighbour(struct pg_env *e) {
	open_connections(e, 10); /* one for each of them */
	for (int round = 0; round < 2; round++) {
		struct sf_dbh *gate = shut_gate(e);
		running = quick_done = 0;
		sf_loop_later(e->loop, start_mixed, e);
		PG_WAIT_FOR(quick_done == 7);
		assert_int_equal(running, 1); /* the slow one */
		sf_tx_end(gate);
		PG_WAIT_FOR(running == 0);
	}
	PG_WAIT_FOR(stats(e).busy == 0); /* what was left to itself has ended */
	assert_int_equal(stats(e).reconnects, 0);
}

/* ---- prepared statements ---------------------------------------------------------------------------------- */

static void prepared_are_bounded(struct pg_env *e) {
	enum { DISTINCT = 1200 };
	static const struct sf_query count =
		READ("SELECT count(*), max(name) FROM pg_prepared_statements WHERE $1 = $1 AND $2 = $2");
	struct sf_query *q = sf_calloc(DISTINCT, sizeof(*q));
	struct row r;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < DISTINCT; i++) {
			q[i] = sum;
			q[i].pg = sf_arena_printf(e->arena, "SELECT $1 + $2 + %d, ''", i).p;
			assert_int_equal(sf_db_one(automatic(e), &q[i], &(struct in) { 1, 2 }, &r), 0);
			assert_int_equal(r.n, 3 + i);
		}
	assert_int_equal(sf_db_one(automatic(e), &count, &(struct in) { 0, 0 }, &r), 0);
	assert_true(r.n > 100 && r.n <= 500);
	free(q);
}

/* A table changes under a prepared statement: "cached plan must not change result type" is not seen. */
static void plans_change(struct pg_env *e) {
	static const struct sf_query star = READ("SELECT * FROM shape WHERE n + $1 > $2");
	static const struct sf_query alter = { .name = "test.alter",
										   .kind = SF_Q_EXEC,
										   .write = true,
										   .pg = "ALTER TABLE shape ALTER COLUMN t TYPE varchar(7)" };
	struct row r;
	assert_int_equal(sf_db_one(automatic(e), &star, &(struct in) { 1, 1 }, &r), 0);
	assert_int_equal(sf_db_exec(automatic(e), &alter, NULL, NULL), 0);
	assert_int_equal(sf_db_one(automatic(e), &star, &(struct in) { 1, 1 }, &r), 0);
	assert_string_equal(r.t.p, "x");
}

#define TEST(name, ...)                                                                                      \
	static void test_##name(void **state) {                                                                  \
		(void)state;                                                                                         \
		env.opts = (struct sf_db_opts) { __VA_ARGS__ };                                                      \
		pg_env_run(&env, name);                                                                              \
	}
TEST(many_at_once, .pool_size = 6, .pool_overflow = 4)
TEST(exhausted, .pool_size = 2, .pool_overflow = 2, .wait_ms = 1000)
TEST(line_is_bounded, .pool_size = 1, .wait_max = 5, .wait_ms = 1000)
TEST(slow_holds_up_nobody, .pool_size = 4, .statement_ms = PG_PATIENCE_MS)
TEST(slow_neighbour, .pool_size = 12, .statement_ms = PG_PATIENCE_MS)
TEST(prepared_are_bounded, .pool_size = 1)
TEST(plans_change, .pool_size = 1)

static int up(void **state) {
	(void)state;
	if (!pg_server_start(&env.server)) return 0;
	return pg_psql(&env.server,
				   "CREATE TABLE kv (k bigint PRIMARY KEY, v bigint); CREATE TABLE shape (n bigint, t text); "
				   "INSERT INTO shape VALUES (5, chr(120))");
}
static int down(void **state) {
	(void)state;
	pg_server_stop(&env.server);
	return 0;
}

int main(void) {
	sf_log_setup(SF_ERROR + 1, 2); /* failing statements are part of it */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_at_once),    cmocka_unit_test(test_exhausted),
		cmocka_unit_test(test_line_is_bounded), cmocka_unit_test(test_slow_holds_up_nobody),
		cmocka_unit_test(test_slow_neighbour),  cmocka_unit_test(test_prepared_are_bounded),
		cmocka_unit_test(test_plans_change),
	};
	return cmocka_run_group_tests(tests, up, down);
}
