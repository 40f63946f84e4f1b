/* Every named query of the program against SQLite with every migration applied: it prepares, returns as many columns
 * as it declares, takes no parameter it lacks, and names nothing that is not there. */
#include "fixture.h"
#include <sqlite3.h>

static void migrate_body(struct world *w) {
	struct sf_str why = { 0 };
	int applied = 0;
	int err = sf_migrate(w->db, sf_all_migrations, w->a, &applied, &why);
	if (err) fail_msg(SF_PRI, SF_ARG(why));
	OK(sf_migrate(w->db, sf_all_migrations, w->a, &applied, &why));
	assert_int_equal(applied, 0);
}

static void every_query(void **state) {
	struct world *w = *state;
	sqlite3 *db = NULL;
	unsigned n = 0, wrong = 0;
	world_run(w, migrate_body);
	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	for (; sf_all_queries[n]; n++) {
		const struct sf_query *q = sf_all_queries[n];
		sqlite3_stmt *s = NULL;
		assert_int_equal(q->id, n);
		if (sqlite3_prepare_v2(db, q->lite, -1, &s, NULL) != SQLITE_OK) {
			print_error("%s: %s\n", q->name, sqlite3_errmsg(db));
			wrong++;
		} else if (q->kind != SF_Q_EXEC && sqlite3_column_count(s) != q->nout) {
			print_error("%s: returns %d columns, declares %d\n", q->name, sqlite3_column_count(s), q->nout);
			wrong++;
		} else if (sqlite3_bind_parameter_count(s) > q->nin) {
			print_error("%s: takes %d parameters, declares %d\n", q->name, sqlite3_bind_parameter_count(s),
						q->nin);
			wrong++;
		} else if (!q->write && !sqlite3_stmt_readonly(s)) {
			print_error("%s: is taken for a read and writes\n", q->name);
			wrong++;
		}
		sqlite3_finalize(s);
	}
	assert_int_equal(n, sf_all_queries_n);
	assert_int_equal(wrong, 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void) {
	const struct CMUnitTest tests[] = { DB_TEST(every_query) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
