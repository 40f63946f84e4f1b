/* A program that runs and adds jobs whose effect is a row in a ledger, for tests that kill what is around it.
 *
 *     ledger migrate URL             the queue's tables and the ledger
 *     ledger add URL FIRST N [KIND]  one job a transaction, payload {"n":FIRST} …; prints "added" at the end
 *     ledger run URL AMQP_URL        runs jobs until SIGTERM; prints a line of counters 10 times a second */
#include "core/json.h"
#include "core/log.h"
#include "db/db.h"
#include "jobs/jobs.h"
#include "loop/loop.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static struct {
	char **argv;
	int argc;
	struct sf_loop *loop;
	struct sf_db *db;
	struct sf_jobs *jobs;
	uv_signal_t term;
	uv_timer_t timer;
	int code;
	bool drained;
} program = { .code = 1 };

static const struct sf_query ledger_add = { .name = "test.ledger",
											.kind = SF_Q_EXEC,
											.write = true,
											.pg = "INSERT INTO ledger (n) VALUES ($1)",
											.lite = "INSERT INTO ledger (n) VALUES (?1)",
											.in = (const struct sf_dbcol[]) { { "n", SF_T_INT, false, 0 } },
											.nin = 1,
											.id = UINT32_MAX };

static int enter(struct sf_job *j) {
	struct sf_dbh *tx = NULL;
	int64_t n = json_integer_value(json_object_get(sf_job_payload(j), "n"));
	int err = sf_job_begin(j, &tx);
	if (!err) err = sf_db_exec(tx, &ledger_add, &n, NULL);
	if (!err) err = sf_job_commit(j, tx);
	sf_tx_end(tx);
	return err;
}
static int run_twice(struct sf_job *j) { /* fails at first */
	return sf_job_attempt(j) == 1 ? sf_job_fail(j, SF_EUNAVAILABLE, "not yet") : enter(j);
}
static int run_poison(struct sf_job *j) {
	return sf_job_give_up(j, "never");
}
static const struct sf_job_kind table[] = {
	{ .kind = "ledger", .run = enter },
	{ .kind = "twice", .run = run_twice, .queue = "other", .backoff_ms = 300, .backoff_max_ms = 300 },
	{ .kind = "poison", .run = run_poison },
	{ .kind = "narrow", .run = enter, .max_running = 1 },
	{ 0 },
};
static const struct sf_job_kind *const kinds[] = { table, NULL };

static void die(const char *what, int err) {
	fprintf(stderr, "ledger: %s: %s\n", what, sf_err_symbol(err));
	exit(1);
}

static void migrate(struct sf_arena *a) {
	const struct sf_migration *mine[16] = { 0 };
	struct sf_str why = SF_STR_NULL;
	int n = 0;
	size_t k = 0;
	for (const struct sf_migration *const *m = sf_all_migrations; *m; m++)
		if (!strcmp((*m)->service, "jobs")) mine[k++] = *m;
	int err = sf_migrate(program.db, mine, a, &n, &why);
	if (err) die("migrate", err);
	const char *text = "CREATE TABLE ledger (n BIGINT NOT NULL)";
	struct sf_query q = {
		.name = "test.table", .kind = SF_Q_EXEC, .write = true, .pg = text, .lite = text, .id = UINT32_MAX
	};
	err = sf_db_exec(sf_db_auto(program.db, a, SF_READ_PRIMARY, "test"), &q, NULL, NULL);
	if (err) die("ledger", err);
}

static void add(struct sf_arena *a) {
	long first = atol(program.argv[3]), n = atol(program.argv[4]);
	for (long i = first; i < first + n; i++) {
		char payload[32];
		snprintf(payload, sizeof payload, "{\"n\":%ld}", i);
		struct sf_job_new job = { .kind = program.argc > 5 ? program.argv[5] : "ledger",
								  .payload = sf_str(payload) };
		int err = sf_job_add(sf_db_auto(program.db, a, SF_READ_PRIMARY, "test"), &job, NULL);
		if (err) die("add", err);
		sf_arena_reset(a);
	}
	if (sf_sleep(20)) return; /* the wake-ups of the last */
	puts("added");
}

static void closed(void *arg) {
	(void)arg;
}
static void once(void *arg) {
	(void)arg;
	struct sf_arena *a = sf_arena_new(0);
	if (!strcmp(program.argv[1], "migrate"))
		migrate(a);
	else
		add(a);
	sf_arena_free(a);
	program.code = 0;
	sf_db_close(program.db, closed, NULL);
}

static void drained(void *arg) {
	(void)arg;
	sf_jobs_free(program.jobs);
	uv_close((uv_handle_t *)&program.term, NULL);
	uv_close((uv_handle_t *)&program.timer, NULL);
	sf_db_close(program.db, closed, NULL);
	program.code = 0;
}
static void on_term(uv_signal_t *s, int number) {
	(void)number;
	uv_signal_stop(s);
	sf_jobs_drain(program.jobs, 5000, drained, NULL);
}
static void report(uv_timer_t *t) {
	struct sf_jobs_stats s;
	(void)t;
	sf_jobs_stats(program.jobs, &s);
	printf("{\"claimed\":%llu,\"done\":%llu,\"brought\":%llu}\n", (unsigned long long)s.claimed,
		   (unsigned long long)s.done, (unsigned long long)s.brought);
	fflush(stdout);
}
static void serve(void) {
	struct sf_db *dbs[] = { program.db, NULL };
	struct sf_jobs_opts o = { .dbs = dbs, .kinds = kinds, .amqp_url = program.argv[3] };
	int err = sf_jobs_start(program.loop, &o, &program.jobs);
	if (err) die("start", err);
	uv_signal_init(sf_loop_uv(program.loop), &program.term);
	uv_signal_start(&program.term, on_term, SIGTERM);
	uv_timer_init(sf_loop_uv(program.loop), &program.timer);
	uv_timer_start(&program.timer, report, 100, 100);
}

int main(int argc, char **argv) {
	struct sf_str why;
	program.argc = argc, program.argv = argv;
	if (argc < 3 || (!strcmp(argv[1], "run") && argc < 4) || (!strcmp(argv[1], "add") && argc < 5)) return 2;
	sf_log_setup(SF_INFO, 2);
	int err = sf_jobs_declare(kinds, NULL, &why);
	if (err) die("declare", err);
	program.loop = sf_loop_new(NULL);
	err =
		sf_db_open(program.loop, &(struct sf_db_opts) { .url = argv[2], .wait_ms = 5000 }, &program.db, &why);
	if (err) die("open", err);
	if (!strcmp(argv[1], "run"))
		serve();
	else if (sf_co_start(program.loop, once, NULL, NULL))
		die("start", SF_EOVERLOAD);
	sf_loop_run(program.loop);
	return sf_loop_free(program.loop) ? 1 : program.code;
}
