/* What the tests of db/ share: a loop with one coroutine, a database in a temporary folder, and descriptors by hand. */
#ifndef DB_FIXTURE_H
#define DB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "db/db.h"
#include "loop/loop.h"
#include "scratch.h"

struct world {
	struct sf_loop *l;
	struct sf_db *db;
	struct sf_arena *a;
	char dir[64], url[160], path[128];
	struct sf_db_opts opts;
	void (*body)(struct world *w);
	bool closed;
	void *user; /* the test's own */
};

#define COL(type_, member, kind, null_)                                                                      \
	{ #member, kind, null_, offsetof(type_, member) }
#define QUERY(name_, kind_, write_, sql, ...)                                                                \
	static const struct sf_query name_ = {                                                                   \
		.name = "test." #name_, .kind = kind_, .write = write_, .pg = sql, .lite = sql, __VA_ARGS__          \
	}
#define IN(cols)       .in = cols, .nin = SF_COUNT(cols)
#define OUT(cols, row) .out = cols, .nout = SF_COUNT(cols), .row_size = sizeof(row)

/* A row with a member of every type, plain and nullable. */
struct every {
	int64_t i;
	double f;
	bool b;
	struct sf_str t, j;
	int64_t at, day;
	struct sf_str raw;
	struct sf_ints ids;
	struct sf_oint i0, b0, at0, day0;
	struct sf_ofloat f0;
	struct sf_str t0, j0, raw0;
};
#define EVERY_PLAIN                                                                                          \
	COL(struct every, i, SF_T_INT, false), COL(struct every, f, SF_T_FLOAT, false),                          \
		COL(struct every, b, SF_T_BOOL, false), COL(struct every, t, SF_T_TEXT, false),                      \
		COL(struct every, j, SF_T_JSON, false), COL(struct every, at, SF_T_TIME, false),                     \
		COL(struct every, day, SF_T_DATE, false), COL(struct every, raw, SF_T_BYTES, false)
#define EVERY_NULLABLE                                                                                       \
	COL(struct every, i0, SF_T_INT, true), COL(struct every, b0, SF_T_BOOL, true),                           \
		COL(struct every, at0, SF_T_TIME, true), COL(struct every, day0, SF_T_DATE, true),                   \
		COL(struct every, f0, SF_T_FLOAT, true), COL(struct every, t0, SF_T_TEXT, true),                     \
		COL(struct every, j0, SF_T_JSON, true), COL(struct every, raw0, SF_T_BYTES, true)

static inline void must(int err, const char *what, int line) {
	if (err) fail_msg("line %d: %s: %s", line, what, sf_err_symbol(err));
}
#define OK(expr)         must(expr, #expr, __LINE__)
#define ERR(expr, error) assert_string_equal(sf_err_symbol(expr), sf_err_symbol(error))

static inline void world_closed(void *arg) {
	((struct world *)arg)->closed = true;
}
static inline void world_main(void *arg) {
	struct world *w = arg;
	w->body(w);
	if (w->db) sf_db_close(w->db, world_closed, w);
}
/* Opens the database, runs body in a coroutine, closes, and proves that nothing is left. */
static inline void world_run(struct world *w, void (*body)(struct world *w)) {
	struct sf_str why;
	w->l = sf_loop_new(NULL);
	w->a = sf_arena_new(0);
	w->body = body;
	w->closed = false;
	w->opts.url = w->url;
	OK(sf_db_open(w->l, &w->opts, &w->db, &why));
	OK(sf_co_start(w->l, world_main, w, NULL));
	sf_loop_run(w->l);
	assert_true(w->closed);
	sf_arena_free(w->a);
	assert_int_equal(sf_loop_free(w->l), 0);
	w->db = NULL;
}
static inline int world_setup(void **state) {
	struct world *w = calloc(1, sizeof *w);
	if (!w) return -1;
	if (!scratch_folder(w->dir, sizeof w->dir, "sf-db")) return -1;
	snprintf(w->path, sizeof w->path, "%s/data/test.db", w->dir);
	snprintf(w->url, sizeof w->url, "sqlite:///%s", w->path);
	*state = w;
	return 0;
}
static inline int world_teardown(void **state) {
	struct world *w = *state;
	char cmd[128];
	snprintf(cmd, sizeof cmd, "rm -rf %s", w->dir);
	free(w);
	return system(cmd);
}
#define DB_TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

/* Runs statements that take and return nothing, each on its own. */
static inline void sql(struct world *w, const char *text) {
	struct sf_query q = {
		.name = "test.sql", .kind = SF_Q_EXEC, .write = true, .pg = text, .lite = text, .id = UINT32_MAX
	};
	must(sf_db_exec(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, NULL), text, __LINE__);
}
struct number {
	int64_t n;
};
/* The number that a SELECT returns. */
static inline int64_t number(struct world *w, const char *text) {
	static const struct sf_dbcol cols[] = { COL(struct number, n, SF_T_INT, false) };
	struct sf_query q = { .name = "test.number",
						  .kind = SF_Q_ONE,
						  .pg = text,
						  .lite = text,
						  .id = UINT32_MAX,
						  OUT(cols, struct number) };
	struct number row = { -1 };
	must(sf_db_one(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, &row), text, __LINE__);
	return row.n;
}
static inline struct sf_dbh *autoh(struct world *w) {
	return sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test");
}

/* Coroutines that a coroutine starts and waits for. */
struct crowd {
	struct world *w;
	size_t left;
	struct sf_wait *wait;
};
struct member { /* one of a crowd, lifetime: the world's arena */
	struct crowd *crowd;
	void (*fn)(struct member *m);
	int i;
	int err; /* what it came to, for the test to look at */
	bool over;
	struct sf_co *co;
	struct sf_arena *a;
};
static inline void member_main(void *arg) {
	struct member *m = arg;
	m->a = sf_arena_new(0);
	m->fn(m);
	m->over = true;
	sf_arena_free(m->a);
	struct crowd *c = m->crowd;
	if (--c->left == 0 && c->wait) sf_wake(c->wait, 0);
}
static inline void member_start(void *arg) {
	struct member *m = arg;
	m->co = NULL;
	OK(sf_co_start(m->crowd->w->l, member_main, m, &m->co));
}
static inline struct member *crowd_add(struct crowd *c, void (*fn)(struct member *m), int i) {
	struct member *m = sf_arena_zalloc(c->w->a, sizeof *m);
	m->crowd = c, m->fn = fn, m->i = i;
	c->left++;
	sf_loop_later(c->w->l, member_start, m);
	return m;
}
static inline void crowd_wait(struct crowd *c) {
	struct sf_wait w;
	if (!c->left) return;
	sf_wait_init(&w, NULL, NULL);
	c->wait = &w;
	OK(sf_await(&w, -1));
	c->wait = NULL;
}

#endif
