/* The SQLite engine as its callers see it: types, errors, transactions, cancellation and time-outs. */
#include "fixture.h"
#include "core/time.h"

/* ---- types --------------------------------------------------------------------------------------------------- */

static const struct sf_dbcol all_cols[] = { EVERY_PLAIN, EVERY_NULLABLE };
#define ALL_COLS "i, f, b, t, j, at, day, raw, i0, b0, at0, day0, f0, t0, j0, raw0"
#define ALL_TYPES                                                                                            \
	"i INTEGER, f REAL, b INTEGER, t TEXT, j TEXT, at TEXT, day TEXT, raw BLOB, i0 INTEGER, b0 INTEGER, "    \
	"at0 TEXT, day0 TEXT, f0 REAL, t0 TEXT, j0 TEXT, raw0 BLOB"
QUERY(all_add, SF_Q_ONE, true,
	  "INSERT INTO t (" ALL_COLS
	  ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16) RETURNING " ALL_COLS,
	  IN(all_cols), OUT(all_cols, struct every), .id = 1);
QUERY(all_list, SF_Q_MANY, false, "SELECT " ALL_COLS " FROM t ORDER BY i", OUT(all_cols, struct every),
	  .id = 2);

static void same_text(struct sf_str a, struct sf_str b) {
	assert_int_equal(a.p != NULL, b.p != NULL);
	assert_true(sf_str_eq(a, b));
}
static void same(const struct every *a, const struct every *b) {
	assert_int_equal(a->i, b->i);
	assert_true(a->f == b->f);
	assert_int_equal(a->b, b->b);
	same_text(a->t, b->t), same_text(a->j, b->j), same_text(a->raw, b->raw);
	same_text(a->t0, b->t0), same_text(a->j0, b->j0), same_text(a->raw0, b->raw0);
	assert_int_equal(a->at, b->at), assert_int_equal(a->day, b->day);
	assert_int_equal(a->i0.has, b->i0.has), assert_int_equal(a->i0.v, b->i0.v);
	assert_int_equal(a->b0.has, b->b0.has), assert_int_equal(a->b0.v, b->b0.v);
	assert_int_equal(a->at0.has, b->at0.has), assert_int_equal(a->at0.v, b->at0.v);
	assert_int_equal(a->day0.has, b->day0.has), assert_int_equal(a->day0.v, b->day0.v);
	assert_int_equal(a->f0.has, b->f0.has);
	assert_true(a->f0.v == b->f0.v);
}

static void types_body(struct world *w) {
	const struct every full = { .i = INT64_MIN,
								.f = 0.1,
								.b = true,
								.t = SF_STR("서울의 셰프 'O\"Neil; --"),
								.j = SF_STR("{\"값\":[1,2]}"),
								.at = 1763820101000001,
								.day = 20779,
								.raw = SF_STR("\0\xff\x80z"),
								.i0 = { true, 0 },
								.b0 = { true, 0 },
								.at0 = { true, -1 },
								.day0 = { true, -1 },
								.f0 = { true, -2.5e300 },
								.t0 = SF_STR(""),
								.j0 = SF_STR("[]"),
								.raw0 = SF_STR("") };
	const struct every bare = { .i = INT64_MAX, .t = SF_STR(""), .j = SF_STR("null"), .raw = SF_STR("x") };
	struct every row;
	struct sf_rows rows;
	sql(w, "CREATE TABLE t (" ALL_TYPES ")");
	OK(sf_db_one(autoh(w), &all_add, &full, &row));
	same(&full, &row);
	OK(sf_db_one(autoh(w), &all_add, &bare, &row));
	same(&bare, &row);
	OK(sf_db_all(autoh(w), &all_list, NULL, &rows));
	assert_int_equal(rows.n, 2);
	same(&full, &((struct every *)rows.at)[0]);
	same(&bare, &((struct every *)rows.at)[1]);
	/* as SQLAlchemy writes them */
	assert_int_equal(
		number(w, "SELECT at = '2025-11-22 14:01:41.000001' AND day = '2026-11-22' AND b = 1 FROM t "
				  "ORDER BY i LIMIT 1"),
		1);
}
static void types(void **state) {
	world_run(*state, types_body);
}

struct clock_row {
	int64_t a, b, c, d;
};
static const struct sf_dbcol clock_cols[] = { COL(struct clock_row, a, SF_T_TIME, false),
											  COL(struct clock_row, b, SF_T_TIME, false),
											  COL(struct clock_row, c, SF_T_TIME, false),
											  COL(struct clock_row, d, SF_T_DATE, false) };
QUERY(clocks, SF_Q_ONE, false,
	  "SELECT '2025-11-22 14:01:41', '2025-11-22T14:01:41', '2025-11-22 14:01:41.5', '2026-11-22 00:00:00'",
	  OUT(clock_cols, struct clock_row), .id = 3);
QUERY(no_clock, SF_Q_ONE, false, "SELECT 'x', 'x', 'x', 'x'", OUT(clock_cols, struct clock_row), .id = 4);
QUERY(null_clock, SF_Q_ONE, false, "SELECT NULL, 'x', 'x', 'x'", OUT(clock_cols, struct clock_row), .id = 5);
QUERY(few_cols, SF_Q_ONE, false, "SELECT 1", OUT(clock_cols, struct clock_row), .id = 6);
QUERY(bad_sql, SF_Q_ONE, false, "SELEKT 1", OUT(clock_cols, struct clock_row), .id = 7);

static void clocks_body(struct world *w) {
	struct clock_row row = { 7, 7, 7, 7 };
	ERR(sf_db_one(autoh(w), &no_clock, NULL, &row), SF_EDB);
	ERR(sf_db_one(autoh(w), &null_clock, NULL, &row), SF_EDB);
	ERR(sf_db_one(autoh(w), &few_cols, NULL, &row), SF_EDB);
	ERR(sf_db_one(autoh(w), &bad_sql, NULL, &row), SF_EDB);
	assert_int_equal(row.a, 7); /* untouched on failure */
	OK(sf_db_one(autoh(w), &clocks, NULL, &row));
	assert_int_equal(row.a, 1763820101000000);
	assert_int_equal(row.b, row.a);
	assert_int_equal(row.c, row.a + 500000);
	assert_int_equal(row.d, 20779);
}
static void clocks_as_others_write_them(void **state) {
	world_run(*state, clocks_body);
}

struct ints_in {
	struct sf_ints ids;
	struct sf_str name;
};
static const struct sf_dbcol ints_cols[] = { COL(struct ints_in, ids, SF_T_INTS, false),
											 COL(struct ints_in, name, SF_T_TEXT, false) };
static const struct sf_dbcol number_cols[] = { COL(struct number, n, SF_T_INT, false) };
QUERY(ints_sum, SF_Q_ONE, false, "SELECT coalesce(sum(value), 0) + length(?2) FROM json_each(?1)",
	  IN(ints_cols), OUT(number_cols, struct number), .id = 8);
static void ints_body(struct world *w) {
	const int64_t ids[] = { 1, -2, INT64_C(1) << 40 };
	struct number row;
	OK(sf_db_one(autoh(w), &ints_sum, (&(struct ints_in) { { ids, 3 }, SF_STR("셰프") }), &row));
	assert_int_equal(row.n, (INT64_C(1) << 40) - 1 + 2);
	OK(sf_db_one(autoh(w), &ints_sum, (&(struct ints_in) { { NULL, 0 }, SF_STR("") }), &row));
	assert_int_equal(row.n, 0);
}
static void lists(void **state) {
	world_run(*state, ints_body);
}

QUERY(many, SF_Q_MANY, false,
	  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 50000) SELECT x FROM c",
	  OUT(number_cols, struct number), .id = 9);
static void many_body(struct world *w) {
	struct sf_rows rows;
	OK(sf_db_all(autoh(w), &many, NULL, &rows));
	assert_int_equal(rows.n, 50000);
	assert_int_equal(((struct number *)rows.at)[49999].n, 50000);
}
static void many_rows(void **state) {
	world_run(*state, many_body);
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static void expect(struct world *w, const char *text, int err, const char *constraint) {
	struct sf_query q = {
		.name = "test.expect", .kind = SF_Q_EXEC, .write = true, .lite = text, .id = UINT32_MAX
	};
	struct sf_dbh *h = autoh(w);
	int64_t changed = 7;
	int got = sf_db_exec(h, &q, NULL, &changed);
	if (got != err) fail_msg("%s: %s", text, sf_err_symbol(got));
	if (err) assert_int_equal(changed, 7);
	if (constraint) assert_string_equal(sf_db_constraint(h), constraint);
}

static void errors_body(struct world *w) {
	struct sf_dbh *h = autoh(w);
	struct number row = { 7 };
	static const struct sf_dbcol cols[] = { COL(struct number, n, SF_T_INT, false) };
	QUERY(none, SF_Q_ONE, false, "SELECT id FROM u WHERE id = 99", OUT(cols, struct number), .id = 10);
	QUERY(three, SF_Q_EXEC, true, "UPDATE u SET name = name || '!'", .id = 11);
	sql(w, "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, age INTEGER CONSTRAINT adult "
		   "CHECK (age >= 18), nick TEXT)");
	sql(w, "CREATE UNIQUE INDEX u_nick ON u (lower(nick))");
	sql(w, "CREATE TABLE v (u INTEGER REFERENCES u (id), d INTEGER REFERENCES u (id) DEFERRABLE INITIALLY "
		   "DEFERRED)");
	sql(w,
		"CREATE TRIGGER v_no BEFORE INSERT ON v WHEN NEW.u = 3 BEGIN SELECT RAISE(ABORT, 'v_overlap'); END");
	sql(w, "INSERT INTO u VALUES (1, '김', 20, 'a'), (2, 'b', 20, 'b'), (3, 'c', 20, 'c')");
	expect(w, "INSERT INTO u VALUES (1, 'x', 20, 'x')", SF_EDUP, "u.id");
	expect(w, "INSERT INTO u VALUES (9, '김', 20, 'x')", SF_EDUP, "u.name");
	expect(w, "INSERT INTO u VALUES (9, 'x', 20, 'B')", SF_EDUP, "u_nick");
	expect(w, "INSERT INTO u VALUES (9, 'x', 2, 'x')", SF_ECONFLICT, "adult");
	expect(w, "INSERT INTO v VALUES (77, NULL)", SF_ECONFLICT, "");
	expect(w, "INSERT INTO v VALUES (NULL, 77)", SF_ECONFLICT, "");
	expect(w, "INSERT INTO v VALUES (3, NULL)", SF_EDUP, "v_overlap");
	expect(w, "INSERT INTO u VALUES (9, NULL, 20, 'x')", SF_EDB, NULL);
	expect(w, "INSERT INTO nowhere VALUES (1)", SF_EDB, NULL);
	assert_int_equal(number(w, "SELECT (SELECT count(*) FROM u) * 10 + (SELECT count(*) FROM v)"), 30);
	ERR(sf_db_one(h, &none, NULL, &row), SF_ENOTFOUND);
	assert_int_equal(row.n, 7);
	int64_t changed;
	OK(sf_db_exec(h, &three, NULL, &changed));
	assert_int_equal(changed, 3);
	assert_string_equal(sf_db_constraint(h), "");
}
static void errors(void **state) {
	world_run(*state, errors_body);
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

QUERY(insert, SF_Q_EXEC, true, "INSERT INTO n (n) VALUES (1)", .id = 20);
QUERY(insert_row, SF_Q_ONE, true, "INSERT INTO n (n) VALUES (5) RETURNING n", OUT(number_cols, struct number),
	  .id = 21);
QUERY(count, SF_Q_ONE, false, "SELECT count(*) FROM n", OUT(number_cols, struct number), .id = 22);
QUERY(insert_dup, SF_Q_EXEC, true, "INSERT INTO n (id, n) VALUES (1, 1)", .id = 23);
#define TABLE "CREATE TABLE n (id INTEGER PRIMARY KEY, n INTEGER)"

static void hook(void *arg) {
	int *at = arg;
	*at = *at * 10 + 1;
}
static void hook2(void *arg) {
	int *at = arg;
	*at = *at * 10 + 2;
}

static void transaction_body(struct world *w) {
	struct sf_dbh *tx = NULL;
	struct number row;
	struct sf_db_holder holder[4];
	int hooks = 0;
	sql(w, TABLE);
	OK(sf_tx_begin(w->db, w->a, "label", &tx));
	sf_tx_after(tx, hook, &hooks), sf_tx_after(tx, hook2, &hooks);
	OK(sf_db_one(tx, &insert_row, NULL, &row));
	assert_int_equal(row.n, 5);
	OK(sf_db_one(tx, &count, NULL, &row));
	assert_int_equal(row.n, 1);                               /* its own write */
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 0); /* not yet for others */
	assert_int_equal(sf_db_holders(w->db, holder, 4), 1);
	assert_string_equal(holder[0].label, "label");
	assert_string_equal(holder[0].query, "test.count");
	OK(sf_tx_commit(tx));
	assert_int_equal(hooks, 12);
	ERR(sf_db_one(tx, &count, NULL, &row), SF_EDB); /* after its end */
	sf_tx_end(tx), sf_tx_end(tx), sf_tx_end(NULL);
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 1);
	assert_int_equal(sf_db_holders(w->db, holder, 4), 0);

	OK(sf_tx_begin(w->db, w->a, "back", &tx));
	sf_tx_after(tx, hook, &hooks);
	OK(sf_db_exec(tx, &insert, NULL, NULL));
	sf_tx_end(tx);
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 1);
	assert_int_equal(hooks, 12);

	OK(sf_tx_begin(w->db, w->a, "error", &tx));
	OK(sf_db_exec(tx, &insert, NULL, NULL));
	ERR(sf_db_exec(tx, &insert_dup, NULL, NULL), SF_EDUP);
	assert_string_equal(sf_db_constraint(tx), "n.id");
	ERR(sf_db_exec(tx, &insert, NULL, NULL), SF_EDB);
	ERR(sf_tx_commit(tx), SF_EDB);
	sf_tx_end(tx);
	sql(w, "INSERT INTO n (n) VALUES (1)");
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 2);

	struct sf_db_stats s; /* commits: table, transaction, insert */
	sf_db_stats(w->db, &s);
	assert_int_equal(s.commits, 3);
	assert_int_equal(s.rollbacks, 2);
	assert_int_equal(s.waiting, 0);
	assert_int_equal(s.open, 3);
}
static void transactions(void **state) {
	world_run(*state, transaction_body);
}

/* An arena that goes while its transaction is open gives the writer back. */
static void forgotten_body(struct world *w) {
	struct sf_arena *a = sf_arena_new(0);
	struct sf_dbh *tx = NULL;
	sql(w, TABLE);
	OK(sf_tx_begin(w->db, a, "forgotten", &tx));
	OK(sf_db_exec(tx, &insert, NULL, NULL));
	sf_arena_free(a);
	sql(w, "INSERT INTO n (n) VALUES (1)");
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 1);
}
static void forgotten(void **state) {
	world_run(*state, forgotten_body);
}

/* A transaction that sleeps longer than a statement may take loses the writer. */
static void pause_body(struct world *w) {
	struct sf_dbh *tx = NULL;
	sql(w, TABLE);
	OK(sf_tx_begin(w->db, w->a, "sleeper", &tx));
	OK(sf_db_exec(tx, &insert, NULL, NULL));
	sql(w, "INSERT INTO n (n) VALUES (1)"); /* waits until the writer is free */
	ERR(sf_db_exec(tx, &insert, NULL, NULL), SF_EDEADLINE);
	sf_tx_end(tx);
	OK(sf_tx_begin(w->db, w->a, "sleeper", &tx));
	sql(w, "INSERT INTO n (n) VALUES (1)");
	ERR(sf_tx_commit(tx), SF_EDEADLINE);
	sf_tx_end(tx);
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 2);
}
static void long_pause(void **state) {
	struct world *w = *state;
	w->opts.statement_ms = 100;
	world_run(w, pause_body);
}

/* ---- cancellation and time-outs ----------------------------------------------------------------------------------- */

QUERY(forever, SF_Q_ONE, false,
	  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
	  OUT(number_cols, struct number), .id = 30);
QUERY(forever_write, SF_Q_EXEC, true,
	  "INSERT INTO n (n) SELECT x FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
	  "SELECT max(x) AS x FROM c)",
	  .id = 31);

static void read_forever(struct member *m) {
	struct number row;
	m->err = sf_db_one(sf_db_auto(m->crowd->w->db, m->a, SF_READ_PRIMARY, "m"), &forever, NULL, &row);
}
static void write_once(struct member *m) {
	m->err = sf_db_exec(sf_db_auto(m->crowd->w->db, m->a, SF_READ_PRIMARY, "m"), &insert, NULL, NULL);
}
static void hold_and_write(struct member *m) {
	struct sf_dbh *tx = NULL;
	m->err = sf_tx_begin(m->crowd->w->db, m->a, "m", &tx);
	if (!m->err) m->err = sf_db_exec(tx, &insert, NULL, NULL);
	if (!m->err) m->err = sf_sleep(60000);
	sf_tx_end(tx);
}

static void cancel_body(struct world *w) {
	struct crowd c = { .w = w };
	sql(w, TABLE);
	/* 3 reads on 2 readers: two run, one waits; all leave at once and the readers are free again */
	struct member *r[3];
	for (int i = 0; i < 3; i++) r[i] = crowd_add(&c, read_forever, i);
	OK(sf_sleep(30));
	for (int i = 0; i < 3; i++) sf_co_cancel(r[i]->co, SF_ECANCELED);
	crowd_wait(&c);
	for (int i = 0; i < 3; i++) ERR(r[i]->err, SF_ECANCELED);
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 0);
	/* one holds the writer, one waits for it: the waiting one leaves without a trace, the holder rolls back */
	struct member *hold = crowd_add(&c, hold_and_write, 0);
	OK(sf_sleep(30));
	struct member *wait = crowd_add(&c, write_once, 0), *wait_tx = crowd_add(&c, hold_and_write, 0);
	OK(sf_sleep(30));
	assert_false(wait->over || wait_tx->over);
	sf_co_cancel(wait->co, SF_ECANCELED), sf_co_cancel(wait_tx->co, SF_EDRAINING);
	while (!wait->over || !wait_tx->over) OK(sf_sleep(1));
	assert_false(hold->over);
	ERR(wait->err, SF_ECANCELED);
	ERR(wait_tx->err, SF_EDRAINING);
	sf_co_cancel(hold->co, SF_ECANCELED);
	crowd_wait(&c);
	ERR(hold->err, SF_ECANCELED);
	sql(w, "INSERT INTO n (n) VALUES (1)");
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 1);
}
static void cancellation(void **state) {
	world_run(*state, cancel_body);
}

static void write_forever(struct member *m) {
	m->err = sf_db_exec(sf_db_auto(m->crowd->w->db, m->a, SF_READ_PRIMARY, "m"), &forever_write, NULL, NULL);
}
static void tx_write(struct member *m) {
	struct sf_dbh *tx = NULL;
	m->err = sf_tx_begin(m->crowd->w->db, m->a, "m", &tx);
	if (!m->err) m->err = sf_db_exec(tx, &insert, NULL, NULL);
	if (!m->err) m->err = sf_tx_commit(tx);
	sf_tx_end(tx);
}

/* A write that runs out of time takes its whole group down in SQLite; the neighbours run again and succeed. */
static void timeout_body(struct world *w) {
	struct crowd c = { .w = w };
	struct number row;
	struct member *m[20];
	sql(w, TABLE);
	ERR(sf_db_one(autoh(w), &forever, NULL, &row), SF_EDEADLINE);
	struct member *hold = crowd_add(&c, hold_and_write, 0); /* so that what follows shares a group */
	OK(sf_sleep(10));
	for (int i = 0; i < 20; i++) m[i] = crowd_add(&c, i == 10 ? write_forever : write_once, i);
	struct member *after = crowd_add(&c, tx_write, 0);
	OK(sf_sleep(10));
	sf_co_cancel(hold->co, SF_ECANCELED);
	crowd_wait(&c);
	for (int i = 0; i < 20; i++) {
		if (i == 10)
			ERR(m[i]->err, SF_EDEADLINE);
		else
			OK(m[i]->err);
	}
	OK(after->err);
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 20);
	struct sf_db_stats s;
	sf_db_stats(w->db, &s);
	assert_int_equal(s.timeouts, 2);
	assert_true(s.slow >= 2);
}
static void timeouts(void **state) {
	struct world *w = *state;
	w->opts.statement_ms = 200;
	world_run(w, timeout_body);
}

/* A transaction that waits for the COMMIT of such a group is certainly not done, and is told to run again. */
static void lost_body(struct world *w) {
	int64_t committed = 0;
	bool lost = false;
	sql(w, TABLE);
	for (int round = 0; round < 20 && !lost;
		 round++) { /* whether the two share a group is a matter of time */
		struct crowd c = { .w = w };
		struct member *tx = crowd_add(&c, tx_write, 0), *bad = crowd_add(&c, write_forever, 0);
		crowd_wait(&c);
		ERR(bad->err, SF_EDEADLINE);
		lost = tx->err == SF_ESERIAL;
		if (!lost) OK(tx->err);
		committed += !lost;
		assert_int_equal(number(w, "SELECT count(*) FROM n"), committed);
	}
	assert_true(lost);
}
static void lost_group(void **state) {
	struct world *w = *state;
	w->opts.statement_ms = 50;
	world_run(w, lost_body);
}

/* A coroutine's own deadline ends the wait, not only the statement's time-out. */
static void deadline_body(struct world *w) {
	struct number row;
	sf_co_deadline(sf_co_self(), sf_loop_now(w->l) + 100);
	int64_t started = sf_clock_ns();
	ERR(sf_db_one(autoh(w), &forever, NULL, &row), SF_EDEADLINE);
	assert_true(sf_clock_ns() - started < INT64_C(10000000000)); /* what a statement may take */
	sf_co_deadline(sf_co_self(), 0);
}
static void deadline(void **state) {
	world_run(*state, deadline_body);
}

static void urls(void **state) {
	struct world *w = *state;
	struct sf_str why = { 0 };
	const char *const wrong[] = { "mysql://x", "sqlite://x", "sqlite:///", "sqlite:///:memory:", "" };
	w->l = sf_loop_new(NULL);
	for (size_t i = 0; i < SF_COUNT(wrong); i++) {
		w->opts.url = wrong[i];
		why = SF_STR_NULL;
		ERR(sf_db_open(w->l, &w->opts, &w->db, &why), SF_EINVAL);
		assert_true(why.n > 10);
	}
	assert_int_equal(sf_loop_free(w->l), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		DB_TEST(types),        DB_TEST(clocks_as_others_write_them),
		DB_TEST(lists),        DB_TEST(many_rows),
		DB_TEST(errors),       DB_TEST(transactions),
		DB_TEST(forgotten),    DB_TEST(long_pause),
		DB_TEST(cancellation), DB_TEST(timeouts),
		DB_TEST(lost_group),   DB_TEST(deadline),
		DB_TEST(urls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
