/* A primary and its replica: reads where they are wanted, a replica that goes and comes, a failover that is followed. */
#include "db/pg_server.h"

static struct pg_env env; /* env.server is the primary */
static struct pg_server replica;

struct in {
	int64_t k;
};
struct row {
	int64_t n;
};
static const struct sf_dbcol in_cols[] = { { "k", SF_T_INT, false, offsetof(struct in, k) } };
static const struct sf_dbcol row_cols[] = { { "n", SF_T_INT, false, offsetof(struct row, n) } };
static const struct sf_query role = { .name = "test.role",
									  .kind = SF_Q_ONE,
									  .pg = "SELECT pg_is_in_recovery()::int",
									  .out = row_cols,
									  .nout = 1,
									  .row_size = sizeof(struct row) };
static const struct sf_query put = { .name = "test.put",
									 .kind = SF_Q_EXEC,
									 .write = true,
									 .pg = "INSERT INTO kv VALUES ($1)",
									 .in = in_cols,
									 .nin = 1 };
static const struct sf_query returning = { .name = "test.returning",
										   .kind = SF_Q_ONE,
										   .write = true,
										   .in = in_cols,
										   .nin = 1,
										   .pg = "INSERT INTO kv VALUES ($1) RETURNING k",
										   .out = row_cols,
										   .nout = 1,
										   .row_size = sizeof(struct row) };
static int64_t next_key;

static int ask(struct pg_env *e, enum sf_read pref, int64_t *n) {
	struct sf_arena *a = sf_arena_new(0);
	struct row r = { -1 };
	int err = sf_db_one(sf_db_auto(e->db, a, pref, "test"), &role, NULL, &r);
	sf_arena_free(a);
	*n = r.n;
	return err;
}
static bool from_replica(struct pg_env *e) {
	int64_t n;
	return ask(e, SF_READ_REPLICA, &n) == 0 && n == 1;
}
static int write_once(struct pg_env *e) {
	struct sf_arena *a = sf_arena_new(0);
	int err =
		sf_db_exec(sf_db_auto(e->db, a, SF_READ_REPLICA, "test"), &put, &(struct in) { ++next_key }, NULL);
	sf_arena_free(a);
	return err;
}
static int promote_job(void *arg) {
	struct pg_server *s = arg;
	return pg_shell(PG_BIN "/pg_ctl -D %s/data -w promote", s->dir);
}

static void replica_reads(struct pg_env *e) {
	int64_t n;
	struct row r;
	PG_WAIT_FOR(sf_db_ping(e->db) == 0);
	PG_WAIT_FOR(from_replica(e));
	assert_int_equal(ask(e, SF_READ_PRIMARY, &n), 0);
	assert_int_equal(n, 0);
	/* writes go to the primary, whatever the handle prefers */
	assert_int_equal(write_once(e), 0);
	struct sf_dbh *h = sf_db_auto(e->db, e->arena, SF_READ_REPLICA, "test");
	assert_int_equal(sf_db_one(h, &returning, &(struct in) { ++next_key }, &r), 0);
	assert_int_equal(r.n, next_key);
	/* a lost replica is left out without an error, and taken back */
	assert_int_equal(sf_offload(crash_job, &replica), 0);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(ask(e, SF_READ_REPLICA, &n), 0);
		assert_int_equal(n, 0);
	}
	assert_int_equal(sf_offload(up_job, &replica), 0);
	PG_WAIT_FOR(from_replica(e));
}

static void failover(struct pg_env *e) {
	PG_WAIT_FOR(write_once(e) == 0);
	assert_int_equal(sf_offload(crash_job, &env.server), 0);
	assert_int_equal(write_once(e), SF_EUNAVAILABLE);
	assert_int_equal(sf_offload(promote_job, &replica), 0);
	PG_WAIT_FOR(write_once(e) == 0);
	PG_WAIT_FOR(sf_db_ping(e->db) == 0);
}

static void test_replica_reads(void **state) {
	static char url[128];
	static const char *const urls[] = { url, NULL };
	(void)state;
	snprintf(url, sizeof(url), "postgresql://test@127.0.0.1:%d/postgres", replica.port);
	env.opts = (struct sf_db_opts) { .replica_urls = urls, .pool_size = 3 };
	pg_env_run(&env, replica_reads);
}
static void test_failover(void **state) {
	static char url[160];
	(void)state;
	snprintf(url, sizeof(url), "postgresql://test@127.0.0.1:%d,127.0.0.1:%d/postgres", env.server.port,
			 replica.port);
	env.opts = (struct sf_db_opts) { .url = url, .pool_size = 3, .wait_ms = 250 };
	pg_env_run(&env, failover);
}

static int up(void **state) {
	(void)state;
	if (!pg_server_start(&env.server)) return 0;
	if (pg_psql(&env.server, "CREATE TABLE kv (k bigint PRIMARY KEY)")) return -1;
	strcpy(replica.dir, env.server.dir);
	strcat(replica.dir, "/replica");
	replica.port = pg_free_port();
	if (pg_shell("mkdir -m 700 %s && " PG_BIN
				 "/pg_basebackup -h %s -p %d -U test -D %s/data -R -X stream -c fast",
				 replica.dir, env.server.dir, env.server.port, replica.dir))
		return -1;
	return pg_server_up(&replica);
}
static int down(void **state) {
	(void)state;
	if (replica.dir[0]) pg_server_down(&replica, "immediate");
	pg_server_stop(&env.server);
	return 0;
}

int main(void) {
	sf_log_setup(SF_ERROR, 2); /* lost connections are part of it */
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_replica_reads),
										cmocka_unit_test(test_failover) };
	return cmocka_run_group_tests(tests, up, down);
}
