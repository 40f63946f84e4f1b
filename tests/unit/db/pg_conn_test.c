/* Losing and finding the server: restarts under load, a late start, a primary that takes no writes, several hosts. */
#include "db/pg_server.h"

#include <pthread.h>

static struct pg_env env;

struct in {
	int64_t a, b;
};
struct row {
	int64_t n;
};
static const struct sf_dbcol in_cols[] = { { "a", SF_T_INT, false, offsetof(struct in, a) },
										   { "b", SF_T_INT, false, offsetof(struct in, b) } };
static const struct sf_dbcol row_cols[] = { { "n", SF_T_INT, false, offsetof(struct row, n) } };
static const struct sf_query sum = { .name = "test.sum",
									 .kind = SF_Q_ONE,
									 .pg = "SELECT $1 + $2",
									 .in = in_cols,
									 .nin = 2,
									 .out = row_cols,
									 .nout = 1,
									 .row_size = sizeof(struct row) };
static const struct sf_query put = { .name = "test.put",
									 .kind = SF_Q_EXEC,
									 .write = true,
									 .in = in_cols,
									 .nin = 2,
									 .pg = "INSERT INTO kv (k, v) VALUES ($1, $2)" };
static const struct sf_query has = { .name = "test.has",
									 .kind = SF_Q_ONE,
									 .in = in_cols,
									 .nin = 2,
									 .out = row_cols,
									 .nout = 1,
									 .row_size = sizeof(struct row),
									 .pg = "SELECT count(*) FROM kv WHERE k BETWEEN $1 AND $2" };

static int sum_once(struct pg_env *e) {
	struct sf_arena *a = sf_arena_new(0);
	struct row r;
	int err = sf_db_one(sf_db_auto(e->db, a, SF_READ_PRIMARY, "test"), &sum, &(struct in) { 1, 2 }, &r);
	if (!err) assert_int_equal(r.n, 3);
	sf_arena_free(a);
	return err;
}

static int restart_job(void *arg) {
	pg_server_down(arg, "immediate");
	return pg_server_up(arg);
}

/* ---- restart under load -------------------------------------------------------------------------------- */

static bool stop;
static size_t live, ok, down_errs;
static int64_t next_key;
static int64_t acked[200000];
static size_t acked_n;

static void load_once(struct pg_env *e, struct sf_arena *a) {
	struct sf_dbh *h = sf_db_auto(e->db, a, SF_READ_PRIMARY, "load"), *tx;
	struct row r;
	int64_t k = ++next_key;
	int err;
	switch (k % 4) {
	case 0: err = sf_db_exec(h, &put, &(struct in) { k, 1 }, NULL); break;
	case 1:
		err = sf_tx_begin(e->db, a, "load", &tx);
		if (err) break;
		err = sf_db_exec(tx, &put, &(struct in) { k, 1 }, NULL);
		if (!err) err = sf_tx_commit(tx);
		sf_tx_end(tx);
		break;
	default:
		err = sf_db_one(h, &sum, &(struct in) { k, 7 }, &r);
		if (!err) assert_int_equal(r.n, k + 7);
	}
	if (!err && k % 4 < 2 && acked_n < SF_COUNT(acked)) acked[acked_n++] = k;
	if (err && err != SF_EUNAVAILABLE && err != SF_EOVERLOAD)
		fail_msg("case %d: %s", (int)(k % 4), sf_err_symbol(err));
	ok += err == 0;
	down_errs += err != 0;
}
static void load(void *arg) {
	struct pg_env *e = arg;
	while (!stop) {
		struct sf_arena *a = sf_arena_new(0);
		load_once(e, a);
		sf_arena_free(a);
	}
	live--;
}
static void start_load(void *arg) {
	struct pg_env *e = arg;
	for (int i = 0; i < 50; i++) {
		live++;
		assert_int_equal(sf_co_start(e->loop, load, e, NULL), 0);
	}
}

static void restart_under_load(struct pg_env *e) {
	struct row r;
	stop = false, live = ok = down_errs = acked_n = 0, next_key = 0;
	sf_loop_later(e->loop, start_load, e);
	PG_WAIT_FOR(ok > 2000);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sf_offload(restart_job, &e->server), 0);
		size_t before = ok;
		PG_WAIT_FOR(ok > before + 500);
	}
	stop = true;
	PG_WAIT_FOR(live == 0);
	assert_true(down_errs > 0 && stats(e).reconnects > 0);
	for (size_t i = 0; i < acked_n;
		 i++) { /* what was acknowledged is there (fsync is off, the system did not crash) */
		struct sf_arena *a = sf_arena_new(0);
		struct in k = { acked[i], acked[i] };
		assert_int_equal(sf_db_one(sf_db_auto(e->db, a, SF_READ_PRIMARY, "check"), &has, &k, &r), 0);
		assert_int_equal(r.n, 1);
		sf_arena_free(a);
	}
}

/* ---- a server that comes late ------------------------------------------------------------------------------ */

static void late_server(struct pg_env *e) {
	assert_int_equal(sum_once(e), SF_EUNAVAILABLE);
	assert_int_equal(sf_db_ping(e->db), SF_EUNAVAILABLE);
	assert_int_equal(sf_offload(up_job, &e->server), 0);
	PG_WAIT_FOR(sf_db_ping(e->db) == 0);
	assert_int_equal(sum_once(e), 0);
}

/* ---- roles -------------------------------------------------------------------------------------------------- */

static void read_only_primary(struct pg_env *e) {
	struct sf_dbh *h = sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
	PG_WAIT_FOR(sf_db_ping(e->db) == 0);
	assert_int_equal(pg_psql(&e->server, "ALTER SYSTEM SET default_transaction_read_only = on"), 0);
	assert_int_equal(pg_psql(&e->server, "SELECT pg_reload_conf()"), 0);
	PG_WAIT_FOR(sf_db_exec(h, &put, &(struct in) { -next_key++, 1 }, NULL) == SF_EUNAVAILABLE);
	assert_int_equal(stats(e).open, 0); /* all of them are gone, not the one alone */
	assert_int_equal(sf_db_ping(e->db), SF_EUNAVAILABLE);
	assert_int_equal(pg_psql(&e->server, "SET default_transaction_read_only = off; ALTER SYSTEM RESET "
										 "default_transaction_read_only"),
					 256); /* one transaction: refused */
	assert_int_equal(pg_psql(&e->server, "BEGIN READ WRITE; COMMIT"), 0);
	assert_int_equal(
		pg_shell("sed -i s/^default_transaction_read_only.*// %s/data/postgresql.auto.conf", e->server.dir),
		0);
	assert_int_equal(pg_psql(&e->server, "SELECT pg_reload_conf()"), 0);
	PG_WAIT_FOR(sf_db_exec(h, &put, &(struct in) { -next_key++, 1 }, NULL) == 0);
}

/* ---- several hosts, names, sockets, recycling -------------------------------------------------------------------- */

static void answers(struct pg_env *e) {
	PG_WAIT_FOR(sf_db_ping(e->db) == 0);
	assert_int_equal(sum_once(e), 0);
}
/* How many backends have answered so far; a question that fails would have been seen. */
static size_t backends_seen(struct pg_env *e) {
	static const struct sf_query pid = { .name = "test.pid",
										 .kind = SF_Q_ONE,
										 .pg = "SELECT pg_backend_pid()::bigint",
										 .out = row_cols,
										 .nout = 1,
										 .row_size = sizeof(struct row) };
	static int64_t seen[6];
	static size_t n;
	struct sf_arena *a = sf_arena_new(0);
	struct row r;
	assert_int_equal(sf_db_one(sf_db_auto(e->db, a, SF_READ_PRIMARY, "test"), &pid, NULL, &r), 0);
	sf_arena_free(a);
	for (size_t i = 0; i < n; i++)
		if (seen[i] == r.n) return n;
	if (n < SF_COUNT(seen)) seen[n++] = r.n;
	return n;
}
static void recycles(struct pg_env *e) {
	PG_WAIT_FOR(sf_db_ping(e->db) == 0);
	PG_WAIT_FOR(backends_seen(e) == 6); /* of three at once: some were replaced meanwhile, unseen */
	assert_int_equal(stats(e).reconnects, 0);
}

/* TLS: records that OpenSSL holds back while the socket is silent. */
struct text {
	struct sf_str t;
};
static void over_tls(struct pg_env *e) {
	static const struct sf_dbcol cols[] = { { "t", SF_T_TEXT, false, offsetof(struct text, t) } };
	static const struct sf_query q = { .name = "test.tls",
									   .kind = SF_Q_ONE,
									   .in = in_cols,
									   .nin = 2,
									   .out = cols,
									   .nout = 1,
									   .row_size = sizeof(struct text),
									   .pg = "SELECT repeat('x', $1::int) || ssl FROM pg_stat_ssl "
											 "WHERE pid = pg_backend_pid() AND $2 = 0" };
	struct sf_dbh *h = sf_db_auto(e->db, e->arena, SF_READ_PRIMARY, "test");
	struct text r;
	PG_WAIT_FOR(sf_db_ping(e->db) == 0);
	for (int64_t n = 100; n < 300000; n = n * 5 / 4) {
		assert_int_equal(sf_db_one(h, &q, &(struct in) { n, 0 }, &r), 0);
		assert_int_equal(r.t.n, n + 4);
		assert_string_equal(r.t.p + n, "true");
	}
}

/* The pool keeps within what the server allows. */
static void small_server(struct pg_env *e) {
	PG_WAIT_FOR(sf_db_ping(e->db) == 0);
	size_t workers = (size_t)sysconf(_SC_NPROCESSORS_ONLN), fit = (16 - 3 - 3) / workers;
	assert_int_equal(stats(e).max, fit < 2 ? 2 : fit);
	stop = false, live = ok = down_errs = acked_n = 0;
	next_key += 1000000;
	sf_loop_later(e->loop, start_load, e);
	PG_WAIT_FOR(ok > 500);
	stop = true;
	PG_WAIT_FOR(live == 0);
	assert_true(stats(e).open <= stats(e).max);
	assert_int_equal(stats(e).reconnects, 0);
}

#define TEST(name, ...)                                                                                      \
	static void test_##name(void **state) {                                                                  \
		(void)state;                                                                                         \
		env.opts = (struct sf_db_opts) { __VA_ARGS__ };                                                      \
		pg_env_run(&env, name);                                                                              \
	}
TEST(restart_under_load, .pool_size = 5, .pool_overflow = 5, .wait_ms = 250)
TEST(read_only_primary, .pool_size = 3, .wait_ms = 250)
TEST(recycles, .pool_size = 3, .recycle_ms = 300)

static void test_late_server(void **state) {
	(void)state;
	if (!env.server.dir[0]) skip();
	crash_job(&env.server);
	env.opts.wait_ms = 250;
	pg_env_run(&env, late_server);
}

static void with_url(const char *fmt, ...) {
	static char url[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(url, sizeof(url), fmt, ap);
	va_end(ap);
	env.opts = (struct sf_db_opts) { .url = url, .pool_size = 2 };
	pg_env_run(&env, answers);
}
static void test_urls(void **state) {
	(void)state;
	if (!env.server.dir[0]) skip();
	int port = env.server.port, nobody = pg_free_port();
	with_url("postgres://test@127.0.0.1:%d,127.0.0.1:%d/postgres", nobody, port);
	with_url("postgresql://test@localhost:%d/postgres", port);
	with_url("postgresql://test@no-such-host.invalid:%d,localhost:%d/postgres", port, port);
	with_url("postgresql:///postgres?host=%s&port=%d&user=test", env.server.dir, port);
}
static void test_bad_url(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	struct sf_db *db;
	struct sf_str why = SF_STR_NULL;
	assert_int_equal(
		sf_db_open(l, &(struct sf_db_opts) { .url = "postgresql://u:secret@h:5432/d?nonsense=1" }, &db, &why),
		SF_EINVAL);
	assert_true(why.n > 0 && !memmem(why.p, why.n, "secret", 6));
	assert_int_equal(sf_loop_free(l), 0);
}

static void restart_with(const char *extra) {
	pg_server_down(&env.server, "fast");
	snprintf(env.server.extra, sizeof(env.server.extra), "%s", extra);
	assert_int_equal(pg_server_up(&env.server), 0);
}
static void test_small_server(void **state) {
	(void)state;
	if (!env.server.dir[0]) skip();
	restart_with("-c max_connections=16");
	env.opts = (struct sf_db_opts) { .pool_size = 20, .pool_overflow = 10 };
	pg_env_run(&env, small_server);
	restart_with("");
}
static void test_over_tls(void **state) {
	static char url[128];
	(void)state;
	if (!env.server.dir[0]) skip();
	if (pg_shell("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "
				 "%s/data/server.key "
				 "-out %s/data/server.crt && chmod 600 %s/data/server.key",
				 env.server.dir, env.server.dir, env.server.dir)) {
		print_message("SKIPPED: no openssl command\n");
		skip();
	}
	restart_with("-c ssl=on");
	snprintf(url, sizeof(url), "postgresql://test@127.0.0.1:%d/postgres?sslmode=require", env.server.port);
	env.opts = (struct sf_db_opts) { .url = url, .pool_size = 2 };
	pg_env_run(&env, over_tls);
	restart_with("");
}

static int up(void **state) {
	(void)state;
	if (!pg_server_start(&env.server)) return 0;
	return pg_psql(&env.server, "CREATE TABLE kv (k bigint PRIMARY KEY, v bigint)");
}
static int down(void **state) {
	(void)state;
	pg_server_stop(&env.server);
	return 0;
}

int main(void) {
	sf_log_setup(SF_ERROR, 2); /* lost connections are part of it */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_bad_url),
		cmocka_unit_test(test_recycles),
		cmocka_unit_test(test_read_only_primary),
		cmocka_unit_test(test_restart_under_load),
		cmocka_unit_test(test_small_server),
		cmocka_unit_test(test_over_tls),
		cmocka_unit_test(test_late_server),
	};
	return cmocka_run_group_tests(tests, up, down);
}
