/* sqlgen: what it makes of small files, and what it says about wrong ones. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "scratch.h"

struct fixture {
	char dir[64], tool[PATH_MAX + 32];
	char said[4096]; /* standard error of the last run */
	char text[65536];
};

__attribute__((format(printf, 1, 2))) static int shell(const char *fmt, ...) {
	char cmd[PATH_MAX * 3];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	return system(cmd);
}

static int setup(void **state) {
	struct fixture *f = calloc(1, sizeof *f);
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (!f || n < 0) return -1;
	exe[n] = 0;
	for (int i = 0; i < 3; i++) *strrchr(exe, '/') = 0; /* B/tests/db/sqlgen_test → B */
	snprintf(f->tool, sizeof f->tool, "%s/tools/sqlgen", exe);
	*state = f;
	return scratch_folder(f->dir, sizeof f->dir, "sqlgen") &&
				   shell("mkdir -p %s/shop/migrations %s/out", f->dir, f->dir) == 0
			   ? 0
			   : -1;
}

static int teardown(void **state) {
	struct fixture *f = *state;
	int err = shell("rm -rf %s", f->dir);
	free(f);
	return err;
}

static void put(const struct fixture *f, const char *path, const char *text) {
	char at[PATH_MAX];
	snprintf(at, sizeof at, "%s/%s", f->dir, path);
	FILE *out = fopen(at, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static const char *get(struct fixture *f, const char *path) {
	char at[PATH_MAX];
	snprintf(at, sizeof at, "%s/%s", f->dir, path);
	FILE *in = fopen(at, "r");
	assert_non_null(in);
	size_t n = fread(f->text, 1, sizeof f->text - 1, in);
	f->text[n] = 0;
	fclose(in);
	return f->text;
}

static int run(struct fixture *f) {
	int rc = shell("cd %s && %s out shop 2> said", f->dir, f->tool);
	snprintf(f->said, sizeof f->said, "%s", get(f, "said"));
	return rc;
}

static void has(struct fixture *f, const char *path, const char *piece) {
	if (!strstr(get(f, path), piece)) fail_msg("%s lacks: %s\nit is:\n%s", path, piece, f->text);
}

static void makes(struct fixture *f, const char *queries) {
	put(f, "shop/queries.sql", queries);
	if (run(f) != 0) fail_msg("%s", f->said);
}

static void refuses(struct fixture *f, const char *queries, const char *message) {
	put(f, "shop/queries.sql", queries);
	if (run(f) == 0) fail_msg("accepted: %s", queries);
	if (!strstr(f->said, message)) fail_msg("expected: %s\nsaid: %s", message, f->said);
}

static void compiles(const struct fixture *f) {
	assert_int_equal(
		shell("cc -std=gnu17 -Wall -Wextra -Werror -Isrc -I%s/out -fsyntax-only %s/out/*.c", f->dir, f->dir),
		0);
}

static void parameters(void **state) {
	struct fixture *f = *state;
	makes(f, "-- name: a :one\n-- in: b int, a text?\n-- out: id int\n"
			 "SELECT id, ':b', \":a\", 'it''s :b', $$ :a $$, x$y -- :nope\n/* :nope /* :b */ */ FROM t\n"
			 " WHERE a = :a AND b=:b AND c = :a;\n");
	has(f, "out/shop.q.c",
		".pg = \"SELECT id, ':b', \\\":a\\\", 'it''s :b', $$ :a $$, x$y FROM t WHERE a = $2 AND b=$1 AND c = "
		"$2\"");
	has(f, "out/shop.q.c", "AND b=?1 AND c = ?2\"");
	has(f, "out/shop.q.c", "{ \"a\", SF_T_TEXT, true, offsetof(struct shop_q_a_in, a) }");
	has(f, "out/shop.q.h",
		"int shop_q_a(struct sf_dbh *h, const struct shop_q_a_in *in, struct shop_q_a_row *row)");
	compiles(f);
}

static void dialects(void **state) {
	struct fixture *f = *state;
	makes(f,
		  "-- name: common :many\n-- in: ids ints\n-- out: id int\nSELECT id FROM t WHERE id = ANY (:ids) "
		  "FOR UPDATE OF t SKIP LOCKED\n"
		  "-- name: other :exec\n-- in: at time\nUPDATE t SET at = :at::timestamptz WHERE tags @> '{}';\n-- "
		  "sqlite:\nUPDATE t SET at = :at;\n"
		  "-- name: both :one\n-- out: n int\n-- pg:\nSELECT 1::int8 AS n\n-- sqlite:\nSELECT @now AS n\n");
	has(f, "out/shop.q.c", ".pg = \"SELECT id FROM t WHERE id = ANY ($1) FOR UPDATE OF t SKIP LOCKED\"");
	has(f, "out/shop.q.c", ".lite = \"SELECT id FROM t WHERE id IN (SELECT value FROM json_each(?1))\"");
	has(f, "out/shop.q.c", ".pg = \"UPDATE t SET at = $1::timestamptz WHERE tags @> '{}'\"");
	has(f, "out/shop.q.c", ".lite = \"UPDATE t SET at = ?1\"");
	has(f, "out/shop.q.c", ".pg = \"SELECT 1::int8 AS n\"");
	has(f, "out/shop.q.c", ".lite = \"SELECT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000') AS n\"");
	compiles(f);
}

/* Which statements are writes decides whether a replica may run them. */
static void writes(void **state) {
	static const struct {
		const char *sql, *write;
	} cases[] = {
		{ "-- name: q :one\n-- out: a int\nSELECT a FROM t", "false" },
		{ "-- name: q :one\n-- out: a int\nSELECT a FROM t FOR SHARE", "true" },
		{ "-- name: q :one\n-- out: a int\nSELECT 'update', \"delete\" AS a FROM t", "false" },
		{ "-- name: q :one\n-- out: a int\nWITH x AS (SELECT 1) SELECT a FROM x", "false" },
		{ "-- name: q :one\n-- out: a int\nWITH x AS (DELETE FROM t RETURNING a) SELECT a FROM x", "true" },
		{ "-- name: q :one\n-- out: a int\nINSERT INTO t VALUES (1) RETURNING a", "true" },
		{ "-- name: q :exec\nSELECT 1", "true" },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char expect[32];
		makes(f, cases[i].sql);
		snprintf(expect, sizeof expect, ".write = %s", cases[i].write);
		has(f, "out/shop.q.c", expect);
	}
}

static void structs(void **state) {
	struct fixture *f = *state;
	makes(f, "-- name: q :many  all of them\n-- second line with */ in it\n"
			 "-- out: a int?, b float?, c bool?, d time?, e date?, f text?, g json?, h bytes?\n"
			 "-- out: default int, i float, j bool, k time, l date, m text, n json, o bytes\nSELECT 1\n");
	has(f, "out/shop.q.h", "/* shop.q (queries.sql:1): all of them\n * second line with * / in it */");
	has(f, "out/shop.q.h", "\tstruct sf_oint a;");
	has(f, "out/shop.q.h", "\tstruct sf_ofloat b;");
	has(f, "out/shop.q.h", "\tstruct sf_str h;");
	has(f, "out/shop.q.h", "\tint64_t default_;");
	has(f, "out/shop.q.c", "{ \"default\", SF_T_INT, false, offsetof(struct shop_q_q_row, default_) }");
	has(f, "out/shop.q.h", "int shop_q_q(struct sf_dbh *h, struct sf_rows *rows)");
	has(f, "out/all.c", "sf_all_queries_n = 1;");
	compiles(f);
}

static void wrong_queries(void **state) {
	struct fixture *f = *state;
	refuses(f, "-- name: q :one\n-- out: a int\nSELECT a\nWHERE b = :b",
			"shop/queries.sql:4: parameter \":b\" is not in");
	refuses(f, "-- name: q :one\n-- in: b int\n-- out: a int\nSELECT a",
			"queries.sql:1: q: parameter \"b\" is used nowhere");
	refuses(f, "-- name: q :exec\nDELETE FROM t\n-- name: q :exec\nDELETE FROM t",
			"queries.sql:3: q stands already in ");
	refuses(f, "-- name: q :exec\n-- in: a int, a text\nDELETE FROM t",
			"queries.sql:2: \"a\" stands here twice");
	refuses(f, "-- name: q :exec\n-- in: a integer\nDELETE FROM t", "queries.sql:2: \"integer\" is no type");
	refuses(f, "-- name: q :exec\n-- in: a ints?\nDELETE FROM t", "a: ints cannot be NULL");
	refuses(f, "-- name: q :one\n-- out: a ints\nSELECT a", "a: ints is for parameters only");
	refuses(f, "-- name: q :exec\n-- in: a\nDELETE FROM t", "write \"a TYPE\"");
	refuses(f, "-- name: Q :exec\nDELETE FROM t", "\"Q\" is no name");
	refuses(f, "-- name: q\nDELETE FROM t", "must follow the name");
	refuses(f, "-- name: q :one\nSELECT 1", "say what comes back");
	refuses(f, "-- name: q :exec\n-- out: a int\nDELETE FROM t", ":exec returns no rows");
	refuses(f, "-- name: q :exec\nDELETE FROM t;\nDELETE FROM u", "queries.sql:3: q: one statement a query");
	refuses(f, "-- name: q :one\n-- out: a int\nSELECT a::int", "queries.sql:3: SQLite has no \"::\" cast");
	refuses(f, "-- name: q :exec\n", "q: no SQL for PostgreSQL");
	refuses(f, "-- name: q :exec\nDELETE FROM t WHERE a = 'x", "queries.sql:2: a string starts here");
	refuses(f, "-- name: q :exec\nDELETE FROM t /* x", "queries.sql:2: a comment starts here");
	refuses(f, "-- name: q :exec\nDELETE FROM t WHERE a = @nope", "there is no macro \"@nope\"");
	refuses(f, "SELECT 1", "queries.sql:1: SQL before the first");
	refuses(f, "-- name: q :exec\nA\n-- pg:\nB\n-- sqlite:\nC", "the text before them is nobody's");
}

static void migrations(void **state) {
	struct fixture *f = *state;
	put(f, "shop/queries.sql", "");
	put(f, "shop/migrations/0002_more.sql", "CREATE INDEX i ON t (a);\n");
	put(f, "shop/migrations/0001_init.sql",
		"-- about\nCREATE TABLE t (\n  id @id, -- key\n-- pg:\n  doc tsvector,\n-- sqlite:\n  doc TEXT,\n-- "
		"all:\n  at @time NOT NULL DEFAULT @now\n);\n");
	assert_int_equal(run(f), 0);
	has(f, "out/all.c",
		"\"shop\", 1, \"0001_init\",\n\t\t\"CREATE TABLE t ( id bigint GENERATED BY DEFAULT AS IDENTITY "
		"PRIMARY KEY, "
		"doc tsvector, at timestamptz NOT NULL DEFAULT now() );\",\n\t\t\"CREATE TABLE t ( id INTEGER "
		"PRIMARY KEY "
		"AUTOINCREMENT, doc TEXT, at TEXT NOT NULL DEFAULT (strftime(");
	assert_true(strstr(f->text, "\"shop\", 2, \"0002_more\"") >
				strstr(f->text, "\"shop\", 1, \"0001_init\""));
	compiles(f);
	put(f, "shop/migrations/0002_again.sql", "SELECT 1;");
	assert_int_not_equal(run(f), 0);
	assert_non_null(strstr(f->said, "has the same number"));
	assert_int_equal(shell("rm %s/shop/migrations/0002*", f->dir), 0);
	put(f, "shop/migrations/2_x.sql", "SELECT 1;");
	assert_int_not_equal(run(f), 0);
	assert_non_null(strstr(f->said, "is called NNNN_name.sql"));
	assert_int_equal(shell("rm %s/shop/migrations/2_x.sql", f->dir), 0);
	put(f, "shop/migrations/0003_cast.sql", "-- pg:\nSELECT 1::int;\n-- sqlite:\nSELECT 1;\n");
	assert_int_equal(run(f), 0);
	put(f, "shop/migrations/0003_cast.sql", "\nSELECT 1::int;\n");
	assert_int_not_equal(run(f), 0);
	assert_non_null(strstr(f->said, "0003_cast.sql:2: SQLite has no"));
}

/* A folder of files by subject is one owner, as a single file is. */
static void several_files(void **state) {
	struct fixture *f = *state;
	assert_int_equal(shell("mkdir -p %s/shop/queries", f->dir), 0);
	put(f, "shop/queries/b.sql", "-- name: two :exec\nDELETE FROM b");
	put(f, "shop/queries/a.sql", "\n-- name: one :exec\nDELETE FROM a");
	put(f, "shop/queries/notes.txt", "nothing of ours");
	assert_int_equal(run(f), 0);
	has(f, "out/shop.q.h", "/* shop.one (a.sql:2) */");
	assert_true(strstr(f->text, "shop.two (b.sql:1)") > strstr(f->text, "shop.one (a.sql:2)"));
	has(f, "out/all.c", "&shop_one_desc,\n\t&shop_two_desc,");
	compiles(f);
	put(f, "shop/queries/c.sql", "-- name: one :exec\nDELETE FROM c");
	assert_int_not_equal(run(f), 0);
	assert_non_null(strstr(f->said, "shop/queries/c.sql:1: one stands already in "));
	assert_non_null(strstr(f->said, "shop/queries/a.sql:2"));
}

/* A file whose text stays keeps its time stamp: nothing is compiled again for it. */
static void keeps_stamp(void **state) {
	struct fixture *f = *state;
	char at[PATH_MAX];
	struct stat old, now;
	makes(f, "-- name: q :exec\nDELETE FROM t");
	snprintf(at, sizeof at, "%s/out/shop.q.h", f->dir);
	assert_int_equal(shell("touch -d 2001-01-01 %s", at), 0);
	assert_int_equal(stat(at, &old), 0);
	makes(f, "-- name: q :exec\nDELETE FROM u");
	assert_int_equal(stat(at, &now), 0);
	assert_int_equal(old.st_mtime, now.st_mtime);
	has(f, "out/shop.q.c", "DELETE FROM u");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(parameters, setup, teardown),
		cmocka_unit_test_setup_teardown(dialects, setup, teardown),
		cmocka_unit_test_setup_teardown(writes, setup, teardown),
		cmocka_unit_test_setup_teardown(structs, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_queries, setup, teardown),
		cmocka_unit_test_setup_teardown(migrations, setup, teardown),
		cmocka_unit_test_setup_teardown(several_files, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_stamp, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
