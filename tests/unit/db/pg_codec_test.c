/* Every type both ways through a real server: extremes, NULL, Korean text, microseconds; and results that do not fit. */
#include "db/pg_server.h"

#include <math.h>

#include "core/time.h"

static struct pg_env env;

struct all {
	int64_t i;
	double f;
	bool b;
	struct sf_str t, j;
	int64_t at, day;
	struct sf_str raw;
};
struct all_null {
	struct sf_oint i;
	struct sf_ofloat f;
	struct sf_oint b;
	struct sf_str t, j;
	struct sf_oint at, day;
	struct sf_str raw;
};
#define COLS(s, null)                                                                                        \
	{ "i", SF_T_INT, null, offsetof(s, i) }, { "f", SF_T_FLOAT, null, offsetof(s, f) },                      \
		{ "b", SF_T_BOOL, null, offsetof(s, b) }, { "t", SF_T_TEXT, null, offsetof(s, t) },                  \
		{ "j", SF_T_JSON, null, offsetof(s, j) }, { "at", SF_T_TIME, null, offsetof(s, at) },                \
		{ "day", SF_T_DATE, null, offsetof(s, day) }, {                                                      \
		"raw", SF_T_BYTES, null, offsetof(s, raw)                                                            \
	}
static const struct sf_dbcol all_cols[] = { COLS(struct all, false) };
static const struct sf_dbcol null_cols[] = { COLS(struct all_null, true) };

#define QUERY(kind_, write_, sql, in_, out_, row)                                                            \
	{                                                                                                        \
		.name = "test." #kind_, .kind = kind_, .write = write_, .pg = sql, .in = in_, .out = out_,           \
		.nin = SF_COUNT(all_cols), .nout = SF_COUNT(all_cols), .row_size = sizeof(row)                       \
	}
static const struct sf_query echo =
	QUERY(SF_Q_ONE, false, "SELECT $1, $2, $3, $4, $5, $6, $7, $8", all_cols, all_cols, struct all);
static const struct sf_query echo_null =
	QUERY(SF_Q_ONE, false, "SELECT $1, $2, $3, $4, $5, $6, $7, $8", null_cols, null_cols, struct all_null);
/* the same values as the server understands them, so that both sides cannot be wrong alike */
static const struct sf_query as_text = QUERY(SF_Q_ONE, false,
											 "SELECT 1::int8, 2::float8, true, concat_ws('|', $1, $2, $3, "
											 "$4, $5::text, $6, $7, encode($8, 'hex')), '1'::json, "
											 "now(), current_date, ''::bytea",
											 all_cols, all_cols, struct all);

static struct all sample(void) {
	struct all in = { .i = INT64_MIN,
					  .f = -0.1,
					  .b = true,
					  .t = SF_STR("김치찌개 'x' \\ \"y\""),
					  .j = SF_STR("{\"가\": [1,2]}"),
					  .raw = { "\0\xff\x01", 3 } };
	assert_int_equal(sf_time_parse(SF_STR("2026-11-22T14:01:41.000001Z"), &in.at), 0);
	in.day = sf_date_join(1969, 12, 31);
	return in;
}

static void check_echo(struct sf_dbh *h, const struct all *in) {
	struct all out;
	assert_int_equal(sf_db_one(h, &echo, in, &out), 0);
	assert_int_equal(out.i, in->i);
	assert_true(memcmp(&out.f, &in->f, sizeof(out.f)) == 0 || (isnan(out.f) && isnan(in->f)));
	assert_int_equal(out.b, in->b);
	assert_true(sf_str_eq(out.t, in->t) && sf_str_eq(out.j, in->j) && sf_str_eq(out.raw, in->raw));
	assert_int_equal(out.at, in->at);
	assert_int_equal(out.day, in->day);
}

static void both_ways(struct pg_env *e) {
	struct sf_dbh *h = sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
	struct all in = sample(), out;
	check_echo(h, &in);
	assert_int_equal(sf_db_one(h, &as_text, &in, &out), 0);
	assert_string_equal(out.t.p, "-9223372036854775808|-0.1|t|김치찌개 'x' \\ \"y\"|{\"가\": [1,2]}|"
								 "2026-11-22 14:01:41.000001+00|1969-12-31|00ff01");
	in.i = INT64_MAX, in.f = INFINITY, in.b = false, in.t = SF_STR(""), in.j = SF_STR("null"),
	in.raw = SF_STR("");
	assert_int_equal(sf_time_parse(SF_STR("0001-01-01T00:00:00Z"), &in.at), 0);
	in.day = sf_date_join(9999, 12, 31);
	check_echo(h, &in);
	in.f = NAN, in.at = -1, in.day = 0;
	check_echo(h, &in);
	in.f = 5e-324, in.at = 0;
	check_echo(h, &in);
}

static void nulls(struct pg_env *e) {
	struct sf_dbh *h = sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
	struct all_null in = { .t = SF_STR_NULL }, out;
	memset(&out, 0xaa, sizeof(out));
	assert_int_equal(sf_db_one(h, &echo_null, &in, &out), 0);
	assert_true(!out.i.has && !out.f.has && !out.b.has && !out.t.p && !out.j.p && !out.at.has &&
				!out.day.has && !out.raw.p);
	in = (struct all_null) { .i = { true, 7 },
							 .f = { true, 2.5 },
							 .b = { true, 0 },
							 .t = SF_STR(""),
							 .j = SF_STR("0"),
							 .at = { true, 1 },
							 .day = { true, -1 },
							 .raw = { "\0", 1 } };
	assert_int_equal(sf_db_one(h, &echo_null, &in, &out), 0);
	assert_true(out.i.has && out.i.v == 7 && out.f.has && out.f.v == 2.5 && out.b.has && out.b.v == 0);
	assert_true(out.t.p && out.t.n == 0 && out.j.n == 1 && out.at.v == 1 && out.day.v == -1 &&
				out.raw.n == 1);
}

/* More than any buffer holds, both ways at once on several connections. */
struct big {
	struct sf_str t;
};
static size_t big_done;
static void big_one(void *arg) {
	static const struct sf_dbcol cols[] = { { "t", SF_T_TEXT, false, offsetof(struct big, t) } };
	static const struct sf_query q = { .name = "test.big",
									   .kind = SF_Q_ONE,
									   .in = cols,
									   .nin = 1,
									   .out = cols,
									   .nout = 1,
									   .row_size = sizeof(struct big),
									   .pg = "SELECT $1 || 'end'" };
	struct pg_env *e = arg;
	struct sf_arena *a = sf_arena_new(0);
	size_t n = 3000000 + big_done * 1001;
	struct big in = { { sf_arena_alloc(a, n), n } }, out;
	memset((char *)in.t.p, 'x', n);
	assert_int_equal(sf_db_one(sf_db_auto(e->db, a, SF_READ_PRIMARY, "big"), &q, &in, &out), 0);
	assert_int_equal(out.t.n, n + 3);
	assert_memory_equal(out.t.p, in.t.p, n);
	assert_string_equal(out.t.p + n, "end");
	sf_arena_free(a);
	big_done++;
}
static void start_big(void *arg) {
	for (int i = 0; i < 4; i++)
		assert_int_equal(sf_co_start(((struct pg_env *)arg)->loop, big_one, arg, NULL), 0);
}
static void big(struct pg_env *e) {
	sf_loop_later(e->loop, start_big, e);
	PG_WAIT_FOR(big_done == 4);
}

/* ---- what the server's other types become ------------------------------------------------------------ */

struct num {
	int64_t a, b;
	double c, d, x, y;
	struct sf_str u;
};
static void other_types(struct pg_env *e) {
	static const struct sf_dbcol cols[] = {
		{ "a", SF_T_INT, false, offsetof(struct num, a) },
		{ "b", SF_T_INT, false, offsetof(struct num, b) },
		{ "c", SF_T_FLOAT, false, offsetof(struct num, c) },
		{ "d", SF_T_FLOAT, false, offsetof(struct num, d) },
		{ "x", SF_T_FLOAT, false, offsetof(struct num, x) },
		{ "y", SF_T_FLOAT, false, offsetof(struct num, y) },
		{ "u", SF_T_TEXT, false, offsetof(struct num, u) },
	};
	static const struct sf_query q = {
		.name = "test.other",
		.kind = SF_Q_ONE,
		.out = cols,
		.nout = SF_COUNT(cols),
		.row_size = sizeof(struct num),
		.pg = "SELECT (-32768)::int2, (-2147483648)::int4, 4.55::numeric, (-0.000123456789)::numeric, "
			  "123456789012345678901234567890.5::numeric, 1.5::float4, "
			  "'0a0b0c0d-0000-4000-8000-00000000ffee'::uuid"
	};
	struct num r;
	struct sf_dbh *h = sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
	assert_int_equal(sf_db_one(h, &q, NULL, &r), 0);
	assert_int_equal(r.a, -32768);
	assert_int_equal(r.b, INT32_MIN);
	assert_true(r.c == 4.55 && r.d == -0.000123456789 && r.x == 123456789012345678901234567890.5 &&
				r.y == 1.5);
	assert_string_equal(r.u.p, "0a0b0c0d-0000-4000-8000-00000000ffee");
}

struct ints_in {
	struct sf_ints ids;
};
struct ints_row {
	int64_t id;
};
static void lists(struct pg_env *e) {
	static const struct sf_dbcol in_cols[] = { { "ids", SF_T_INTS, false, offsetof(struct ints_in, ids) } };
	static const struct sf_dbcol cols[] = { { "id", SF_T_INT, false, offsetof(struct ints_row, id) } };
	static const struct sf_query q = {
		.name = "test.lists",
		.kind = SF_Q_MANY,
		.in = in_cols,
		.nin = 1,
		.out = cols,
		.nout = 1,
		.row_size = sizeof(struct ints_row),
		.pg = "SELECT g FROM generate_series(1, 10) g WHERE g = ANY($1) ORDER BY g"
	};
	static const struct sf_query back = { .name = "test.list_back",
										  .kind = SF_Q_ONE,
										  .in = in_cols,
										  .nin = 1,
										  .out = in_cols,
										  .nout = 1,
										  .row_size = sizeof(struct ints_in),
										  .pg = "SELECT $1 || 7::int8" };
	int64_t ids[] = { 9, 3, INT64_MAX, INT64_MIN };
	struct ints_in in = { { ids, 4 } }, out;
	struct sf_rows rows;
	struct sf_dbh *h = sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
	assert_int_equal(sf_db_all(h, &q, &in, &rows), 0);
	assert_int_equal(rows.n, 2);
	assert_int_equal(((struct ints_row *)rows.at)[0].id, 3);
	assert_int_equal(((struct ints_row *)rows.at)[1].id, 9);
	assert_int_equal(sf_db_one(h, &back, &in, &out), 0);
	assert_int_equal(out.ids.n, 5);
	assert_true(out.ids.p[2] == INT64_MAX && out.ids.p[3] == INT64_MIN && out.ids.p[4] == 7);
	in.ids.n = 0;
	assert_int_equal(sf_db_all(h, &q, &in, &rows), 0);
	assert_int_equal(rows.n, 0);
}

/* A statement whose columns are not what the query declares is an error, not a wrong value. */
static void misfits(struct pg_env *e) {
	static const struct sf_dbcol cols[] = { { "id", SF_T_INT, false, offsetof(struct ints_row, id) } };
	static const char *const bad[] = {
		"SELECT 'x'::text", "SELECT 1.5::numeric",         "SELECT 1::int8, 2::int8",
		"SELECT now()",     "SELECT NULL::int8",           "SELECT true",
		"SELEC 1",          "SELECT id FROM no_such_table"
	};
	static struct sf_query q[SF_COUNT(bad)];
	struct ints_row r;
	struct sf_dbh *h = sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		q[i] = (struct sf_query) { .name = "test.misfit",
								   .kind = SF_Q_ONE,
								   .out = cols,
								   .nout = 1,
								   .row_size = sizeof(r),
								   .pg = bad[i] };
		assert_int_equal(sf_db_one(h, &q[i], NULL, &r), SF_EDB);
		assert_int_equal(sf_db_one(h, &q[i], NULL, &r), SF_EDB); /* also when it has been prepared */
	}
	static const struct sf_query good = { .name = "test.fits",
										  .kind = SF_Q_ONE,
										  .out = cols,
										  .nout = 1,
										  .row_size = sizeof(r),
										  .pg = "SELECT count(*) FROM pg_class" };
	assert_int_equal(sf_db_one(h, &good, NULL, &r), 0);
	assert_true(r.id > 100);
}

static void test_both_ways(void **state) {
	(void)state;
	pg_env_run(&env, both_ways);
}
static void test_nulls(void **state) {
	(void)state;
	pg_env_run(&env, nulls);
}
static void test_other_types(void **state) {
	(void)state;
	pg_env_run(&env, other_types);
}
static void test_lists(void **state) {
	(void)state;
	pg_env_run(&env, lists);
}
static void test_misfits(void **state) {
	(void)state;
	pg_env_run(&env, misfits);
}

static void test_big(void **state) {
	(void)state;
	env.opts = (struct sf_db_opts) { .pool_size = 2, .wait_ms = 5000 };
	pg_env_run(&env, big);
}

static int up(void **state) {
	(void)state;
	pg_server_start(&env.server);
	return 0;
}
static int down(void **state) {
	(void)state;
	pg_server_stop(&env.server);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_nulls),   cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_lists),     cmocka_unit_test(test_misfits), cmocka_unit_test(test_big),
	};
	return cmocka_run_group_tests(tests, up, down);
}
