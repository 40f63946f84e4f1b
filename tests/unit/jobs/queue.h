/* What the tests of the queue share: both engines, a database each, a runner in this process or in forked ones. */
#ifndef TESTS_UNIT_JOBS_QUEUE_H
#define TESTS_UNIT_JOBS_QUEUE_H

#include "db/pg_server.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "core/json.h"
#include "jobs/jobs.h"
#include <jansson.h>

struct rig {
	char url[200], dir[64];
	bool pg;
	struct sf_loop *loop;
	struct sf_db *db;
	struct sf_arena *a;
	struct sf_jobs *js;
	void (*test)(struct rig *r);
	bool closed, drained;
};

static struct pg_server server;

static inline void must(int err, const char *what, int line) {
	if (err) fail_msg("line %d: %s: %s", line, what, sf_err_symbol(err));
}
#define OK(expr)         must(expr, #expr, __LINE__)
#define ERR(expr, error) assert_string_equal(sf_err_symbol(expr), sf_err_symbol(error))

static inline struct sf_dbh *db(struct rig *r) {
	return sf_db_auto(r->db, r->a, SF_READ_PRIMARY, "test");
}
static inline void sql(struct rig *r, const char *text) {
	struct sf_query q = {
		.name = "test.sql", .kind = SF_Q_EXEC, .write = true, .pg = text, .lite = text, .id = UINT32_MAX
	};
	must(sf_db_exec(db(r), &q, NULL, NULL), text, __LINE__);
}
static inline int64_t number(struct rig *r, const char *text) {
	static const struct sf_dbcol cols[] = { { "n", SF_T_INT, false, 0 } };
	struct sf_query q = { .name = "test.number",
						  .kind = SF_Q_ONE,
						  .write = true,
						  .pg = text,
						  .lite = text,
						  .id = UINT32_MAX,
						  .out = cols,
						  .nout = 1,
						  .row_size = sizeof(int64_t) };
	int64_t n = -1;
	must(sf_db_one(db(r), &q, NULL, &n), text, __LINE__);
	return n;
}

/* Waits until cond holds, at most 20 s. */
#define WAIT_FOR(cond)                                                                                       \
	do {                                                                                                     \
		int64_t until_ = sf_clock_ns() + INT64_C(20000000000);                                               \
		while (!(cond)) {                                                                                    \
			if (sf_clock_ns() > until_) fail_msg("line %d: waited in vain for %s", __LINE__, #cond);         \
			if (sf_sleep(2)) fail_msg("cancelled");                                                          \
		}                                                                                                    \
	} while (0)

static inline void rig_true(void *flag) {
	*(bool *)flag = true;
}

/* A runner on r's database; fields of o that are set count. */
static inline void runner(struct rig *r, struct sf_jobs_opts o) {
	struct sf_db *dbs[] = { r->db, NULL };
	o.dbs = dbs, o.crash_dir = r->dir;
	o.context = o.context ? o.context : r;
	OK(sf_jobs_start(r->loop, &o, &r->js));
}
static inline void drain(struct rig *r, int64_t ms) {
	r->drained = false;
	sf_jobs_drain(r->js, ms, rig_true, &r->drained);
	WAIT_FOR(r->drained);
	sf_jobs_free(r->js);
	r->js = NULL;
}

static inline void rig_main(void *arg) {
	struct rig *r = arg;
	r->test(r);
	if (r->js) drain(r, 1000);
	sf_db_close(r->db, rig_true, &r->closed);
}

/* Runs test in a coroutine of a new loop on url. */
static inline void rig_loop(struct rig *r, void (*test)(struct rig *r)) {
	struct sf_str why;
	struct sf_db_opts o = { .url = r->url, .wait_ms = 5000 };
	r->loop = sf_loop_new(NULL);
	r->a = sf_arena_new(0);
	r->test = test, r->closed = false;
	OK(sf_db_open(r->loop, &o, &r->db, &why));
	OK(sf_co_start(r->loop, rig_main, r, NULL));
	sf_loop_run(r->loop);
	assert_true(r->closed);
	assert_int_equal(sf_loop_free(r->loop), 0);
	sf_arena_free(r->a);
}

static inline void rig_migrate(struct rig *r) {
	struct sf_str why = SF_STR_NULL;
	int n = 0;
	const struct sf_migration *mine[8] = { 0 };
	size_t k = 0;
	for (const struct sf_migration *const *m = sf_all_migrations; *m; m++)
		if (!strcmp((*m)->service, "jobs")) mine[k++] = *m;
	int err = sf_migrate(r->db, mine, r->a, &n, &why);
	if (err) fail_msg("migrations: %s: " SF_PRI, sf_err_symbol(err), SF_ARG(why));
	sql(r, "CREATE TABLE ledger (job BIGINT NOT NULL, note TEXT NOT NULL DEFAULT '')");
}

/* A fresh database on the engine, with the queue's tables and a ledger. */
static inline void rig_up(struct rig *r, bool pg) {
	static int count;
	*r = (struct rig) { .pg = pg };
	assert_true(scratch_folder(r->dir, sizeof r->dir, "sf-jobs"));
	if (pg) {
		char cmd[64];
		snprintf(cmd, sizeof cmd, "CREATE DATABASE q%d_%d", (int)getpid(), ++count);
		assert_int_equal(pg_psql(&server, cmd), 0);
		snprintf(r->url, sizeof r->url, "postgresql://test@127.0.0.1:%d/q%d_%d", server.port, (int)getpid(),
				 count);
	} else {
		snprintf(r->url, sizeof r->url, "sqlite:///%s/q.db", r->dir);
	}
	rig_loop(r, rig_migrate);
}
static inline void rig_down(struct rig *r) {
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf %s", r->dir);
	assert_int_equal(system(cmd), 0);
}
static inline void on_engine(bool pg, void (*test)(struct rig *r)) {
	struct rig r;
	if (pg && !server.dir[0]) skip();
	rig_up(&r, pg);
	rig_loop(&r, test);
	rig_down(&r);
}
/* One test twice: fn_lite and fn_pg. */
#define BOTH(fn)                                                                                             \
	static void fn##_lite(void **state) {                                                                    \
		(void)state;                                                                                         \
		on_engine(false, fn);                                                                                \
	}                                                                                                        \
	static void fn##_pg(void **state) {                                                                      \
		(void)state;                                                                                         \
		on_engine(true, fn);                                                                                 \
	}
#define TWO(fn) cmocka_unit_test(fn##_lite), cmocka_unit_test(fn##_pg)

static inline int server_up(void **state) {
	(void)state;
	sf_log_setup(SF_ERROR, 2);
	pg_server_start(&server);
	return 0;
}
static inline int server_gone(void **state) {
	(void)state;
	pg_server_stop(&server);
	return 0;
}

/* ---- jobs that tests run ------------------------------------------------------------------------------- */

/* Seen by forked runners as well. */
struct shared {
	volatile int runs[64], begun, over, refused;
	volatile int running, most; /* at once, and the most there were */
	volatile int order[4096], norder;
	volatile int64_t at[4096]; /* sf_time_now of starts */
};
static struct shared *shared;

static inline void shared_new(void) {
	if (!shared)
		shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	memset((void *)shared, 0, sizeof *shared);
}

static inline int payload_int(struct sf_job *j, const char *key) {
	return (int)json_integer_value(json_object_get(sf_job_payload(j), key));
}

/* Adds one job of a kind with a payload. */
static inline int64_t add(struct rig *r, const char *kind, const char *payload) {
	int64_t id = 0;
	OK(sf_job_add(db(r), &(struct sf_job_new) { .kind = kind, .payload = sf_str(payload) }, &id));
	assert_true(id > 0);
	return id;
}
static inline struct sf_job_view view(struct rig *r, int64_t id) {
	struct sf_job_view v = { 0 };
	OK(sf_job_get(db(r), id, &v));
	return v;
}
static inline bool is(struct rig *r, int64_t id, const char *state) {
	return sf_str_eq(view(r, id).state, sf_str(state));
}

/* Writes a job's id to the ledger. */
static const struct sf_query ledger_add = { .name = "test.ledger",
											.kind = SF_Q_EXEC,
											.write = true,
											.pg = "INSERT INTO ledger (job) VALUES ($1)",
											.lite = "INSERT INTO ledger (job) VALUES (?1)",
											.in = (const struct sf_dbcol[]) { { "job", SF_T_INT, false, 0 } },
											.nin = 1,
											.id = UINT32_MAX };

/* The kinds of this table are all there is, and nothing is remembered. */
static inline void declare_kinds(const struct sf_job_kind *table) {
	const struct sf_job_kind *const kinds[] = { table, NULL };
	struct sf_str why;
	shared_new();
	OK(sf_jobs_declare(kinds, NULL, &why));
}

/* A job {"n":3}: remembers the order and when. */
static inline int run_note_at(struct sf_job *j) {
	shared->order[shared->norder++ % 4096] = payload_int(j, "n");
	shared->at[payload_int(j, "n") % 4096] = sf_time_now();
	return 0;
}

#endif
