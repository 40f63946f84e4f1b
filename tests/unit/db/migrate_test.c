/* Migrations on SQLite: applied once and in order, all or nothing, refused when changed; two processes at once. */
#include "child.h"
#include "fixture.h"
#include <sys/wait.h>

#define M(service, version, name, text)                                                                      \
	&(const struct sf_migration) {                                                                           \
		service, version, name, text, text                                                                   \
	}

static const struct sf_migration *const first[] = {
	M("shop", 1, "0001_init", "CREATE TABLE a (id INTEGER); INSERT INTO a VALUES (1)"), NULL
};
static const struct sf_migration *const second[] = {
	M("app", 1, "0001_init", "CREATE TABLE u (id INTEGER)"),
	M("shop", 1, "0001_init", "CREATE TABLE a (id INTEGER); INSERT INTO a VALUES (1)"),
	M("shop", 2, "0002_more",
	  "INSERT INTO a VALUES (2); CREATE TRIGGER t AFTER INSERT ON u BEGIN INSERT INTO a VALUES (new.id); "
	  "END;"),
	M("shop", 3, "0003_pg_only", ""), NULL
};
static const struct sf_migration *const changed[] = {
	M("shop", 1, "0001_init", "CREATE TABLE a (id BIGINT)"),
	M("shop", 4, "0004_new", "CREATE TABLE never (id INTEGER)"), NULL
};
static const struct sf_migration *const broken[] = {
	M("shop", 5, "0005_good", "CREATE TABLE good (id INTEGER)"),
	M("shop", 6, "0006_bad", "CREATE TABLE bad (id INTEGER); INSERT INTO nowhere VALUES (1)"),
	M("shop", 7, "0007_after", "CREATE TABLE after_bad (id INTEGER)"), NULL
};
static const struct sf_migration *const escapes[] = {
	M("shop", 8, "0008_commit", "CREATE TABLE esc (id INTEGER); COMMIT"), NULL
};

static void migrate_body(struct world *w) {
	struct sf_migration_state *state;
	struct sf_str why = { 0 };
	size_t n = 0;
	int applied = 77;
	OK(sf_migrate_status(w->db, first, w->a, &state, &n)); /* before there is a table */
	assert_int_equal(n, 1);
	assert_false(state[0].applied);
	OK(sf_migrate(w->db, first, w->a, &applied, &why));
	assert_int_equal(applied, 1);
	OK(sf_migrate(w->db, second, w->a, &applied, &why));
	assert_int_equal(applied, 3);
	OK(sf_migrate(w->db, second, w->a, &applied, &why));
	assert_int_equal(applied, 0);
	sql(w, "INSERT INTO u VALUES (7)");
	assert_int_equal(number(w, "SELECT sum(id) FROM a"), 10);
	OK(sf_migrate_status(w->db, second, w->a, &state, &n));
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++)
		assert_true(state[i].applied && !state[i].changed && state[i].applied_at > 0);

	applied = 77;
	ERR(sf_migrate(w->db, changed, w->a, &applied, &why), SF_ECONFLICT);
	assert_true(strstr(why.p, "shop 0001_init was applied with another text") != NULL);
	assert_int_equal(applied, 77);
	assert_int_equal(number(w, "SELECT count(*) FROM sqlite_schema WHERE name = 'never'"), 0);
	OK(sf_migrate_status(w->db, changed, w->a, &state, &n));
	assert_true(state[0].changed && !state[1].applied);

	ERR(sf_migrate(w->db, broken, w->a, &applied, &why), SF_EDB);
	assert_true(strstr(why.p, "shop 0006_bad failed: no such table: nowhere") != NULL);
	assert_int_equal(
		number(w, "SELECT count(*) FROM sqlite_schema WHERE name IN ('good', 'bad', 'after_bad')"), 1);
	assert_int_equal(number(w, "SELECT max(version) FROM schema_migrations"), 5);

	ERR(sf_migrate(w->db, escapes, w->a, &applied, &why), SF_EDB);
	assert_true(strstr(why.p, "not authorized") != NULL);
	assert_int_equal(number(w, "SELECT count(*) FROM sqlite_schema WHERE name = 'esc'"), 0);
}
static void migrations(void **state) {
	world_run(*state, migrate_body);
}

/* Four processes start on a new file at once: each migration runs once, nobody fails. */
static void race_body(struct world *w) {
	struct sf_str why = { 0 };
	int applied = 0;
	OK(sf_migrate(w->db, second, w->a, &applied, &why));
}
static void count_body(struct world *w) {
	assert_int_equal(number(w, "SELECT count(*) FROM schema_migrations"), 4);
	assert_int_equal(number(w, "SELECT count(*) FROM a"), 2);
}
static void processes(void **state) {
	pid_t pid[4];
	for (int i = 0; i < 4; i++) {
		pid[i] = fork_child();
		if (pid[i] == 0) {
			world_run(*state, race_body);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++) {
		int status = -1;
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	world_run(*state, count_body);
}

int main(void) {
	const struct CMUnitTest tests[] = { DB_TEST(migrations), DB_TEST(processes) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
