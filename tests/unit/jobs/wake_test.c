/* wake, listen: a runner hears of jobs at once, whoever adds them; its poll is far away here. */
#include "jobs/queue.h"

#include "child.h"

#include <libpq-fe.h>

#define FAR_MS 600000

static int run_note(struct sf_job *j) {
	(void)j;
	shared->norder++;
	return 0;
}
static const struct sf_job_kind table[] = { { .kind = "note", .run = run_note }, { 0 } };

static void declare(void) {
	declare_kinds(table);
}

/* A runner that has run a job, and then has nothing to do for a while. */
static void quiet(struct rig *r) {
	runner(r, (struct sf_jobs_opts) { .poll_ms = FAR_MS, .lease_ms = FAR_MS });
	add(r, "note", "{}");
	WAIT_FOR(shared->norder == 1);
	assert_int_equal(sf_sleep(400), 0); /* looks that follow the first one are over */
}

/* ---- another process of this host ------------------------------------------------------------------------------ */

static int go[2];

static void told_main(struct rig *r) {
	quiet(r);
	assert_int_equal(write(go[1], "x", 1), 1);
	WAIT_FOR(shared->norder == 2);
}
static void teller_main(struct rig *r) {
	add(r, "note", "{}");
	WAIT_FOR(shared->norder == 2); /* what is held back dies with its database */
}

static void another_process(bool pg) {
	struct rig r;
	int status = -1;
	if (pg && !server.dir[0]) skip();
	declare();
	rig_up(&r, pg);
	assert_int_equal(pipe(go), 0);
	pid_t pid = fork_child();
	if (pid == 0) {
		struct rig c = { .pg = pg };
		char byte;
		memcpy(c.url, r.url, sizeof c.url);
		close(go[1]);
		if (read(go[0], &byte, 1) == 1) rig_loop(&c, teller_main);
		_exit(0);
	}
	close(go[0]);
	rig_loop(&r, told_main);
	close(go[1]);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	rig_down(&r);
}
static void another_process_lite(void **state) {
	(void)state;
	another_process(false);
}
static void another_process_pg(void **state) {
	(void)state;
	another_process(true);
}

/* ---- another host ----------------------------------------------------------------------------------------------- */

#define ON_PG(fn)                                                                                            \
	static void fn##_pg(void **state) {                                                                      \
		(void)state;                                                                                         \
		on_engine(true, fn);                                                                                 \
	}

static void hears_a_notification(struct rig *r) {
	static const char listeners[] =
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
		"AND query = 'LISTEN softfactory_jobs' AND state = 'idle'";
	declare();
	quiet(r);
	WAIT_FOR(number(r, listeners) == 1);
	sql(r, "INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, created_at) "
		   "VALUES ('note', 'default', 'default', 5, jobs_now(), 3, '{}', 0)");
	sql(r, "NOTIFY softfactory_jobs, 'd'");
	WAIT_FOR(shared->norder == 2);
	sql(r, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN softfactory_jobs'");
	WAIT_FOR(number(r, listeners) == 1); /* it comes back, and looks at what it may have missed */
}
ON_PG(hears_a_notification)

static void notifies(struct rig *r) {
	PGnotify *n = NULL;
	struct sf_dbh *tx;
	declare();
	PGconn *c = PQconnectdb(r->url);
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	PQclear(PQexec(c, "LISTEN softfactory_jobs"));
	OK(sf_tx_begin(r->db, r->a, "test", &tx)); /* rolled back: there is nothing to tell */
	OK(sf_job_add(tx, &(struct sf_job_new) { .kind = "note" }, NULL));
	sf_tx_end(tx);
	assert_int_equal(sf_sleep(100), 0);
	assert_true(PQconsumeInput(c) && !PQnotifies(c));
	OK(sf_tx_begin(r->db, r->a, "test", &tx));
	OK(sf_job_add(tx, &(struct sf_job_new) { .kind = "note" }, NULL));
	OK(sf_tx_commit(tx));
	sf_tx_end(tx);
	WAIT_FOR(PQconsumeInput(c) && (n = PQnotifies(c)));
	assert_string_equal(n->extra, "d");
	PQfreemem(n);
	PQfinish(c);
}
ON_PG(notifies)

int main(void) {
	const struct CMUnitTest tests[] = { TWO(another_process), cmocka_unit_test(hears_a_notification_pg),
										cmocka_unit_test(notifies_pg) };
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
