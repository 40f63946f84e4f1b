/* The queue by itself: what adding costs, one by one and in batches, how fast a full queue is worked off by handlers that do
 * nothing and by some that write a row, each in the transaction that ends its job, and how long it takes at a steady
 * rate until a handler starts: from the call that adds the job ("add"), and from that call's return, when the job is
 * committed ("commit"; a handler may start before the news of the commit arrives). One process.
 *
 *     jobs URL [N [RATE [SECONDS]]]
 *
 * Where AMQP_URL is set the jobs go through RabbitMQ; "brought" is the share of them that messages named.
 * Prints one JSON object. The database's durability is what the server (or SQLite's setting) says, and is printed. */
#include "core/core.h"
#include "core/log.h"
#include "core/time.h"
#include "db/db.h"
#include "jobs/jobs.h"
#include "loop/loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { SINGLES = 2000, ADDERS = 16, ROWS_SHARE = 5, OWN_STATEMENT = 900 };

static struct {
	const char *url;
	int n, rate, seconds;
	struct sf_loop *loop;
	struct sf_db *db;
	struct sf_jobs *js;
	struct sf_jobs_opts opts;
	int singles_left, adders_left;
	bool drained;
	struct lag {
		int64_t asked, committed, started;
	} * lag;
	int nlag;
	uint64_t claimed, brought; /* of the runners that are over */
} bench;

static void must(int err, const char *what) {
	if (!err) return;
	fprintf(stderr, "%s: %s\n", what, sf_err_symbol(err));
	exit(1);
}
static double seconds_since(int64_t ns) {
	return (double)(sf_clock_ns() - ns) / 1e9;
}
static struct sf_dbh *handle(struct sf_arena *a) {
	return sf_db_auto(bench.db, a, SF_READ_PRIMARY, "bench");
}

/* ---- kinds ----------------------------------------------------------------------------------------------- */

static int run_nothing(struct sf_job *j) {
	(void)j;
	return 0;
}
static int run_lag(struct sf_job *j) { /* its trace is its place in bench.lag */
	int64_t i;
	if (sf_str_int(sf_job_trace(j), &i) == 0 && i >= 0 && i < bench.nlag)
		bench.lag[i].started = sf_clock_ns();
	return 0;
}
static int run_row(struct sf_job *j) {
	static const struct sf_query q = { .name = "bench.effect",
									   .kind = SF_Q_EXEC,
									   .write = true,
									   .pg = "INSERT INTO bench_effects (at) VALUES (1)",
									   .lite = "INSERT INTO bench_effects (at) VALUES (1)",
									   .id = OWN_STATEMENT };
	struct sf_dbh *tx = NULL;
	int err = sf_job_begin(j, &tx);
	if (!err) err = sf_db_exec(tx, &q, NULL, NULL);
	if (!err) err = sf_job_commit(j, tx);
	sf_tx_end(tx);
	return err;
}
static const struct sf_job_kind table[] = {
	{ .kind = "bench.nothing", .run = run_nothing },
	{ .kind = "bench.nothing_other", .run = run_nothing, .queue = "other" },
	{ .kind = "bench.lag", .run = run_lag },
	{ .kind = "bench.lag_other", .run = run_lag, .queue = "other" },
	{ .kind = "bench.row", .run = run_row },
	{ 0 },
};

/* Of two queues, the one after the other. */
static const char *const of_nothing[2] = { "bench.nothing", "bench.nothing_other" };
static const char *const of_lag[2] = { "bench.lag", "bench.lag_other" };
static const char *const of_row[2] = { "bench.row", "bench.row" };

/* ---- parts -------------------------------------------------------------------------------------------------- */

static void drained(void *arg) {
	(void)arg;
	bench.drained = true;
}
static void runner_start(void) {
	must(sf_jobs_start(bench.loop, &bench.opts, &bench.js), "start");
}
static void runner_stop(void) {
	struct sf_jobs_stats s;
	sf_jobs_stats(bench.js, &s);
	bench.claimed += s.claimed, bench.brought += s.brought;
	bench.drained = false;
	sf_jobs_drain(bench.js, 10000, drained, NULL);
	while (!bench.drained) must(sf_sleep(1), "sleep");
	sf_jobs_free(bench.js);
}

static void add_singles(void *arg) {
	struct sf_arena *a = sf_arena_new(0);
	(void)arg;
	while (bench.singles_left-- > 0) {
		must(sf_job_add(handle(a), &(struct sf_job_new) { .kind = "bench.nothing" }, NULL), "add");
		sf_arena_reset(a);
	}
	sf_arena_free(a);
	bench.adders_left--;
}
static void add_singles_start(void *arg) {
	for (int i = 0; i < bench.adders_left; i++) must(sf_co_start(bench.loop, add_singles, arg, NULL), "co");
}
static double singles(int adders) {
	int64_t began = sf_clock_ns();
	bench.singles_left = SINGLES, bench.adders_left = adders;
	sf_loop_later(bench.loop, add_singles_start, NULL);
	while (bench.adders_left) must(sf_sleep(1), "sleep");
	return SINGLES / seconds_since(began);
}

static void add_batches(struct sf_arena *a, const char *const kind[2], int n) {
	enum { BATCH = 1000 };
	static struct sf_job_new jobs[BATCH];
	for (int i = 0; i < BATCH; i++) jobs[i] = (struct sf_job_new) { .kind = kind[i % 2] };
	for (int done = 0; done < n; done += BATCH) {
		must(sf_job_add_many(handle(a), jobs, n - done < BATCH ? (size_t)(n - done) : BATCH, NULL),
			 "add_many");
		sf_arena_reset(a);
	}
}

static void wait_done(uint64_t n) {
	struct sf_jobs_stats s = { 0 };
	while (s.done < n) {
		must(sf_sleep(1), "sleep");
		sf_jobs_stats(bench.js, &s);
	}
}

/* Waits until the runner stands, with a broker until jobs come from there; how many jobs that took. */
static uint64_t warm(struct sf_arena *a) {
	struct sf_jobs_stats s = { 0 };
	uint64_t n = 0;
	must(sf_sleep(300), "sleep");
	for (; bench.opts.amqp_url && !s.brought; n++) {
		must(sf_job_add(handle(a), &(struct sf_job_new) { .kind = "bench.nothing" }, NULL), "add");
		wait_done(n + 1);
		sf_jobs_stats(bench.js, &s);
		sf_arena_reset(a);
	}
	return n;
}

static void steady(struct sf_arena *a) {
	int64_t began = sf_clock_ns();
	int total = bench.rate * bench.seconds, sent = 0;
	char place[32];
	while (sent < total) {
		int due = (int)(seconds_since(began) * bench.rate);
		for (; sent < due && sent < total; sent++) {
			int n = snprintf(place, sizeof place, "%d", sent);
			struct sf_job_new job = { .kind = of_lag[sent % 2], .trace = { place, (size_t)n } };
			bench.lag[sent].asked = sf_clock_ns();
			must(sf_job_add(handle(a), &job, NULL), "add");
			bench.lag[sent].committed = sf_clock_ns();
			sf_arena_reset(a);
		}
		must(sf_sleep(1), "sleep");
	}
}

static int by_value(const void *a, const void *b) {
	return *(const int64_t *)a < *(const int64_t *)b ? -1 : *(const int64_t *)a > *(const int64_t *)b;
}
struct percentiles {
	int64_t p50, p99, max; /* µs */
};
static struct percentiles percentiles(bool from_commit) {
	int64_t *us = sf_calloc((size_t)bench.nlag, sizeof *us);
	for (int i = 0; i < bench.nlag; i++) {
		const struct lag *l = &bench.lag[i];
		int64_t ns = l->started - (from_commit ? l->committed : l->asked);
		us[i] = ns > 0 ? ns / 1000 : 0;
	}
	qsort(us, (size_t)bench.nlag, sizeof *us, by_value);
	struct percentiles p = { us[(bench.nlag - 1) / 2], us[(int64_t)(bench.nlag - 1) * 99 / 100],
							 us[bench.nlag - 1] };
	free(us);
	return p;
}

struct text_row {
	struct sf_str text;
};
static struct sf_str durability(struct sf_arena *a) {
	static const struct sf_dbcol col[] = { { "text", SF_T_TEXT, false, 0 } };
	struct sf_query q = { .name = "bench.durability",
						  .kind = SF_Q_ONE,
						  .write = true,
						  .pg = "SELECT 'synchronous_commit=' || current_setting('synchronous_commit') || ' "
								"fsync=' || current_setting('fsync')",
						  .lite = "SELECT 'journal_mode=' || journal_mode || ' synchronous=' || synchronous "
								  "FROM pragma_journal_mode, pragma_synchronous",
						  .out = col,
						  .nout = 1,
						  .row_size = sizeof(struct text_row),
						  .id = UINT32_MAX };
	struct text_row row;
	must(sf_db_one(handle(a), &q, NULL, &row), "durability");
	return row.text;
}

static void make_effects(struct sf_arena *a) {
	static const struct sf_query q = { .name = "bench.effects",
									   .kind = SF_Q_EXEC,
									   .write = true,
									   .pg = "CREATE TABLE IF NOT EXISTS bench_effects (at bigint)",
									   .lite = "CREATE TABLE IF NOT EXISTS bench_effects (at INTEGER)",
									   .id = UINT32_MAX };
	must(sf_db_exec(handle(a), &q, NULL, NULL), "table");
}

static void closed(void *arg) {
	(void)arg;
}

static void body(void *arg) {
	struct sf_arena *a = sf_arena_new(0), *b = sf_arena_new(0);
	struct sf_str why = SF_STR_NULL;
	(void)arg;
	int applied = 0;
	must(sf_migrate(bench.db, sf_all_migrations, a, &applied, &why), "migrate");
	double one = singles(1), sixteen = singles(ADDERS);
	runner_start();
	wait_done(2 * SINGLES);
	runner_stop();

	int64_t began = sf_clock_ns();
	add_batches(b, of_nothing, bench.n);
	double batched = bench.n / seconds_since(began);
	began = sf_clock_ns();
	runner_start();
	wait_done((uint64_t)bench.n);
	double emptied = bench.n / seconds_since(began);

	began = sf_clock_ns(); /* from enqueue to done: both at once */
	add_batches(b, of_nothing, bench.n);
	wait_done(2 * (uint64_t)bench.n);
	double through = bench.n / seconds_since(began);
	runner_stop();

	int nrows = bench.n / ROWS_SHARE;
	make_effects(b);
	began = sf_clock_ns();
	runner_start();
	add_batches(b, of_row, nrows);
	wait_done((uint64_t)nrows);
	double rows = nrows / seconds_since(began);
	runner_stop();

	runner_start();
	uint64_t warmed = warm(b);
	steady(b);
	wait_done(warmed + (uint64_t)(bench.rate * bench.seconds));
	runner_stop();
	struct percentiles add = percentiles(false), commit = percentiles(true);
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("{\"engine\":\"%s\",\"durability\":\"" SF_PRI
		   "\",\"add_one_per_s\":%.0f,\"add_%d_at_once_per_s\":%.0f,"
		   "\"add_batched_per_s\":%.0f,\"full_to_empty_per_s\":%.0f,\"enqueue_to_done_per_s\":%.0f,"
		   "\"enqueue_to_row_per_s\":%.0f,\"rate\":%d,\"add_p50_us\":%" PRId64 ",\"add_p99_us\":%" PRId64
		   ",\"add_max_us\":%" PRId64 ",\"commit_p50_us\":%" PRId64 ",\"commit_p99_us\":%" PRId64
		   ",\"commit_max_us\":%" PRId64 ",\"cpu_s\":%.1f,"
		   "\"transport\":\"%s\",\"brought\":%.3f}\n",
		   sf_db_engine(bench.db) == SF_PG ? "postgresql" : "sqlite", SF_ARG(durability(a)), one, ADDERS,
		   sixteen, batched, emptied, through, rows, bench.rate, add.p50, add.p99, add.max, commit.p50,
		   commit.p99, commit.max,
		   (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
			   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6,
		   bench.opts.amqp_url ? "rabbitmq" : "database",
		   bench.claimed ? (double)bench.brought / (double)bench.claimed : 0);
	sf_arena_free(a);
	sf_arena_free(b);
	sf_db_close(bench.db, closed, NULL);
}

int main(int argc, char **argv) {
	static const struct sf_job_kind *const kinds[] = { table, NULL };
	struct sf_str why = SF_STR_NULL;
	if (argc < 2) {
		fprintf(stderr, "usage: jobs URL [N [RATE [SECONDS]]]\n");
		return 2;
	}
	bench.url = argv[1];
	bench.n = argc > 2 ? atoi(argv[2]) : 50000;
	bench.rate = argc > 3 ? atoi(argv[3]) : 1000;
	bench.seconds = argc > 4 ? atoi(argv[4]) : 5;
	bench.nlag = bench.rate * bench.seconds;
	bench.lag = sf_calloc((size_t)bench.nlag + 1, sizeof *bench.lag);
	sf_log_setup(SF_WARN, 2);
	must(sf_jobs_declare(kinds, NULL, &why), "declare");
	bench.loop = sf_loop_new(NULL);
	must(sf_db_open(bench.loop, &(struct sf_db_opts) { .url = bench.url, .wait_ms = 10000 }, &bench.db, &why),
		 "open");
	static struct sf_db *dbs[2];
	dbs[0] = bench.db;
	bench.opts = (struct sf_jobs_opts) { .dbs = dbs, .amqp_url = getenv("AMQP_URL") };
	must(sf_co_start(bench.loop, body, NULL, NULL), "co");
	sf_loop_run(bench.loop);
	free(bench.lag);
	return sf_loop_free(bench.loop) ? 1 : 0;
}
