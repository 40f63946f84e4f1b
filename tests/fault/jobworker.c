/* A worker and an enqueuer of their own over the real queue, for tests that kill them and for the benchmark.
 * Usage: jobworker URL init|work|add [name=value...]
 *
 *   init   applies the queue's migrations and makes the tables that the kinds write to
 *   work   runs jobs until SIGTERM, then prints one JSON object: what sf_jobs_stats says, and the lag of those that measure it
 *          lease, concurrency, outside=FILE (where the effects outside of the database go: a line "key seq" each),
 *          amqp=URL (through RabbitMQ), ca=FILE, heartbeat=S, say=MS (what sf_jobs_stats says also every so often)
 *   add    adds n jobs of kind=, in transactions of `batch`, by `co` coroutines; prints one JSON object
 *          from=SEQ, ms= (payload), rate= (a second), due= (µs from now), bare=1 (no row in asked),
 *          told=FILE (a line "seq n" for each transaction that this side knows to be committed)
 *
 * Who asked is written in the transaction that enqueues (asked), what was done in the one that ends the job (ledger): the two
 * tables must hold the same numbers, each once, whatever was killed when. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "core/core.h"
#include "core/log.h"
#include "core/time.h"
#include "db/db.h"
#include "jobs/jobs.h"
#include "loop/loop.h"

enum { HIST_US = 100, HIST_N = 100000 /* 100 µs steps up to 10 s */, DRAIN_MS = 3000, RETRY_MS = 20 };

static struct {
	struct sf_loop *loop;
	struct sf_db *db;
	struct sf_jobs *jobs;
	uv_signal_t term;
	uv_timer_t say;
	int outside, told;
	/* adding */
	const char *kind;
	int64_t from, first, n, batch, ms, rate, due, bare, flying, added, failed, began_us;
	int live, result;
	/* lag */
	uint64_t lags, lag_max, runs;
	uint32_t hist[HIST_N + 1];
	int64_t last_ns;
} W = { .outside = -1, .told = -1 };

/* ---- statements --------------------------------------------------------------------------------------------- */

struct effect {
	int64_t seq, job;
};
struct range {
	int64_t from, n;
};
#define INT(s, m)                                                                                            \
	{ #m, SF_T_INT, false, offsetof(struct s, m) }
static const struct sf_dbcol effect_cols[] = { INT(effect, seq), INT(effect, job) };
static const struct sf_dbcol range_cols[] = { INT(range, from), INT(range, n) };
/* ids far behind those of the program's own queries */
static const struct sf_query effect_add = { .name = "test.effect_add",
											.kind = SF_Q_EXEC,
											.write = true,
											.pg = "INSERT INTO ledger (seq, job) VALUES ($1, $2)",
											.lite = "INSERT INTO ledger (seq, job) VALUES (?1, ?2)",
											.in = effect_cols,
											.nin = 2,
											.id = 2000 };
static const struct sf_query asked_add = {
	.name = "test.asked_add",
	.kind = SF_Q_EXEC,
	.write = true,
	.pg = "INSERT INTO asked (seq) SELECT generate_series($1, $1 + $2 - 1)",
	.lite = "INSERT INTO asked (seq) WITH RECURSIVE s (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM s "
			"WHERE i + 1 < ?1 + ?2) SELECT i FROM s",
	.in = range_cols,
	.nin = 2,
	.id = 2001
};
#define DDL(n_, text)                                                                                        \
	{ .name = "test.table", .kind = SF_Q_EXEC, .write = true, .pg = text, .lite = text, .id = 2002 + (n_) }
static const struct sf_query tables[] = {
	DDL(0, "CREATE TABLE asked (seq bigint NOT NULL)"),
	DDL(1, "CREATE TABLE ledger (seq bigint NOT NULL, job bigint NOT NULL)"),
};

/* ---- kinds --------------------------------------------------------------------------------------------------- */

static int64_t field(const struct sf_job *j, const char *name) {
	return json_integer_value(json_object_get(sf_job_payload(j), name));
}

static int ledger(struct sf_job *j) {
	struct sf_dbh *tx = NULL;
	int err = sf_job_begin(j, &tx);
	if (!err) err = sf_db_exec(tx, &effect_add, &(struct effect) { field(j, "seq"), sf_job_id(j) }, NULL);
	if (!err) err = sf_job_commit(j, tx);
	sf_tx_end(tx);
	return err;
}

/* Appends a line in one write: other processes append to the same file. */
static void append(int fd, const char *line, int n) {
	SF_BUG_ON(fd >= 0 && write(fd, line, (size_t)n) != n);
}

static int outside(struct sf_job *j) {
	char line[80];
	int n = snprintf(line, sizeof line, SF_PRI " %lld\n", SF_ARG(sf_job_key(j)), (long long)field(j, "seq"));
	append(W.outside, line, n);
	return ledger(j);
}

static int flaky(struct sf_job *j) {
	if (sf_job_attempt(j) < 3) return sf_job_fail(j, SF_EIO, "attempt %d fails", sf_job_attempt(j));
	return ledger(j);
}

static int slow(struct sf_job *j) {
	int err = sf_sleep(field(j, "ms"));
	return err ? err : ledger(j);
}

/* Keeps the loop busy, so that after a stop the handler goes on before the lease is looked at. */
static int block(struct sf_job *j) {
	int64_t until = sf_clock_ns() + field(j, "ms") * 1000000;
	append(1, "blocking\n", 9);
	while (sf_clock_ns() < until) usleep(1000);
	return ledger(j);
}

static int crash(struct sf_job *j) {
	(void)j;
	kill(getpid(), SIGKILL);
	return 0;
}

static int never(struct sf_job *j) {
	return sf_job_give_up(j, "never");
}

static int nop(struct sf_job *j) {
	(void)j;
	W.runs++;
	W.last_ns = sf_clock_ns();
	return 0;
}

static int lag(struct sf_job *j) {
	int64_t us = sf_time_now() - field(j, "at");
	uint64_t at = us < 0 ? 0 : (uint64_t)us;
	W.hist[at / HIST_US < HIST_N ? at / HIST_US : HIST_N]++;
	W.lags++;
	if (at > W.lag_max) W.lag_max = at;
	return nop(j);
}

#define KIND(name, fn)                                                                                       \
	{ .kind = name, .run = fn, .priority = SF_JOB_PRIORITY, .summary = "of a test" }
static const struct sf_job_kind kinds[] = {
	KIND("ledger.write", ledger),
	KIND("ledger.outside", outside),
	{ .kind = "ledger.flaky",
	  .run = flaky,
	  .priority = SF_JOB_PRIORITY,
	  .backoff_ms = 5,
	  .backoff_max_ms = 50,
	  .summary = "fails twice" },
	KIND("ledger.slow", slow),
	KIND("ledger.block", block),
	{ .kind = "ledger.narrow", .run = ledger, .max_running = 1, .summary = "one at a time" },
	KIND("crash", crash),
	KIND("never", never),
	KIND("nop", nop),
	KIND("lag", lag),
	{ 0 },
};
static const struct sf_job_kind *const all_kinds[] = { kinds, NULL };

/* ---- init ---------------------------------------------------------------------------------------------------- */

static void closed(void *arg) {
	(void)arg;
}

static void init(void *arg) {
	(void)arg;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_str why = SF_STR_NULL;
	int applied = 0, err;
	while (sf_db_ping(W.db))
		if (sf_sleep(RETRY_MS)) break;
	err = sf_migrate(W.db, sf_all_migrations, a, &applied, &why);
	for (size_t i = 0; i < SF_COUNT(tables) && !err; i++)
		err = sf_db_exec(sf_db_auto(W.db, a, SF_READ_PRIMARY, "init"), &tables[i], NULL, NULL);
	if (err) fprintf(stderr, "init: %s " SF_PRI "\n", sf_err_symbol(err), SF_ARG(why));
	W.result = err != 0;
	sf_arena_free(a);
	sf_db_close(W.db, closed, NULL);
}

/* ---- add ------------------------------------------------------------------------------------------------------- */

/* The kind of a number, where a mixture is asked for. */
static const char *kind_of(int64_t seq) {
	if (strcmp(W.kind, "mixed") != 0) return W.kind;
	return seq % 10 == 0 ? "ledger.flaky" : seq % 4 == 1 ? "ledger.outside" : "ledger.write";
}

static int add_range(struct sf_arena *a, struct sf_dbh *h, int64_t from, int64_t n) {
	struct sf_job_new *jobs = sf_arena_zalloc(a, (size_t)n * sizeof *jobs);
	int64_t now = sf_time_now();
	for (int64_t i = 0; i < n; i++) {
		jobs[i].kind = kind_of(from + i);
		jobs[i].run_at = W.due ? W.began_us + W.due : 0;
		jobs[i].payload = sf_arena_printf(a, "{\"seq\":%lld,\"ms\":%lld,\"at\":%lld}", (long long)(from + i),
										  (long long)W.ms, (long long)(W.due ? jobs[i].run_at : now));
	}
	return n == 1 ? sf_job_add(h, &jobs[0], NULL) : sf_job_add_many(h, jobs, (size_t)n, NULL);
}

static int add_some(struct sf_arena *a, int64_t from, int64_t n) {
	struct sf_dbh *tx = NULL;
	if (W.bare) return add_range(a, sf_db_auto(W.db, a, SF_READ_PRIMARY, "add"), from, n);
	int err = sf_tx_begin(W.db, a, "add", &tx);
	if (!err) err = add_range(a, tx, from, n);
	if (!err) err = sf_db_exec(tx, &asked_add, &(struct range) { from, n }, NULL);
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	return err;
}

static void adder(void *arg) {
	struct sf_arena *a = sf_arena_new(0);
	(void)arg;
	while (W.added + W.flying < W.n) {
		int64_t left = W.n - W.added - W.flying, n = left < W.batch ? left : W.batch, from = W.from;
		W.from += n, W.flying += n;
		if (W.rate) {
			int64_t due = W.began_us + (W.from - n - W.first) * SF_USEC / W.rate;
			while (sf_time_now() < due)
				if (sf_sleep((due - sf_time_now()) / 1000 > 1 ? (due - sf_time_now()) / 1000 : 1)) break;
		}
		int err = add_some(a, from, n);
		W.flying -= n;
		if (!err) {
			char line[64];
			W.added += n;
			append(W.told, line, snprintf(line, sizeof line, "%lld %lld\n", (long long)from, (long long)n));
		} else {
			W.failed++; /* it may have happened: those numbers are not used again */
			if (sf_sleep(RETRY_MS)) break;
		}
		sf_arena_reset(a);
	}
	sf_arena_free(a);
	if (--W.live > 0) return;
	printf("{\"added\":%lld,\"failed\":%lld,\"seconds\":%.4f}\n", (long long)W.added, (long long)W.failed,
		   (double)(sf_time_now() - W.began_us) / 1e6);
	fflush(stdout);
	sf_db_close(W.db, closed, NULL);
}

static void add_start(void *co) {
	W.began_us = sf_time_now();
	for (int i = *(int *)co; i > 0; i--) {
		W.live++;
		SF_BUG_ON(sf_co_start(W.loop, adder, NULL, NULL) != 0);
	}
}

static void add_ready(void *co) {
	while (sf_db_ping(W.db))
		if (sf_sleep(RETRY_MS)) return;
	sf_loop_later(W.loop, add_start, co);
}

/* ---- work ------------------------------------------------------------------------------------------------------- */

static uint64_t percentile(double share) {
	uint64_t seen = 0, want = (uint64_t)((double)W.lags * share);
	for (uint64_t i = 0; i <= HIST_N; i++)
		if ((seen += W.hist[i]) > want) return (i + 1) * HIST_US;
	return 0;
}

static void say(void) {
	struct sf_jobs_stats s;
	sf_jobs_stats(W.jobs, &s);
	printf("{\"done\":%llu,\"failed\":%llu,\"dead\":%llu,\"rescued\":%llu,\"refused\":%llu,\"brought\":%llu,"
		   "\"lags\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu,\"runs\":%llu,\"last_ns\":%lld}\n",
		   (unsigned long long)s.done, (unsigned long long)s.failed, (unsigned long long)s.dead,
		   (unsigned long long)s.rescued, (unsigned long long)s.refused, (unsigned long long)s.brought,
		   (unsigned long long)W.lags, (unsigned long long)percentile(0.5),
		   (unsigned long long)percentile(0.99), (unsigned long long)W.lag_max, (unsigned long long)W.runs,
		   (long long)W.last_ns);
	fflush(stdout);
}
static void on_say(uv_timer_t *t) {
	(void)t;
	say();
}

static void drained(void *arg) {
	(void)arg;
	say();
	uv_close((uv_handle_t *)&W.say, NULL);
	sf_jobs_free(W.jobs);
	sf_db_close(W.db, closed, NULL);
}

static void on_term(uv_signal_t *t, int number) {
	(void)number;
	uv_signal_stop(t);
	uv_close((uv_handle_t *)t, NULL);
	sf_jobs_drain(W.jobs, DRAIN_MS, drained, NULL);
}

static int work(struct sf_jobs_opts *o, int64_t say_ms) {
	struct sf_db *dbs[] = { W.db, NULL };
	o->dbs = dbs, o->kinds = all_kinds;
	int err = sf_jobs_start(W.loop, o, &W.jobs);
	if (err) return err;
	SF_BUG_ON(uv_signal_init(sf_loop_uv(W.loop), &W.term) || uv_signal_start(&W.term, on_term, SIGTERM));
	SF_BUG_ON(uv_timer_init(sf_loop_uv(W.loop), &W.say));
	if (say_ms) uv_timer_start(&W.say, on_say, (uint64_t)say_ms, (uint64_t)say_ms);
	append(1, "working\n", 8);
	sf_loop_run(W.loop);
	return 0;
}

/* ---- main --------------------------------------------------------------------------------------------------------- */

static const char *option(int argc, char **argv, const char *name, const char *fallback) {
	size_t n = strlen(name);
	for (int i = 3; i < argc; i++)
		if (!strncmp(argv[i], name, n) && argv[i][n] == '=') return argv[i] + n + 1;
	return fallback;
}
static int64_t number(int argc, char **argv, const char *name, int64_t fallback) {
	const char *text = option(argc, argv, name, NULL);
	return text ? atoll(text) : fallback;
}
static int appended(int argc, char **argv, const char *name) {
	const char *path = option(argc, argv, name, NULL);
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	SF_BUG_ON(path && fd < 0);
	return fd;
}

int main(int argc, char **argv) {
	struct sf_str why = SF_STR_NULL;
	int co = (int)number(argc, argv, "co", 4), err = 0;
	if (argc < 3) {
		fprintf(stderr, "usage: jobworker URL init|work|add [name=value...]\n");
		return 2;
	}
	struct sf_db_opts o = { .url = argv[1],
							.pool_size = (int)number(argc, argv, "pool", 8),
							.wait_ms = 5000 };
	struct sf_jobs_opts jobs = { .lease_ms = number(argc, argv, "lease", 0),
								 .poll_ms = number(argc, argv, "poll", 0),
								 .concurrency = (int)number(argc, argv, "concurrency", 0),
								 .crash_dir = option(argc, argv, "pages", NULL),
								 .amqp_url = option(argc, argv, "amqp", NULL),
								 .amqp_ca_file = option(argc, argv, "ca", NULL),
								 .amqp_heartbeat_s = (int)number(argc, argv, "heartbeat", 0) };
	W.kind = option(argc, argv, "kind", "ledger.write");
	W.first = W.from = number(argc, argv, "from", 1), W.n = number(argc, argv, "n", 1);
	W.batch = number(argc, argv, "batch", 1), W.ms = number(argc, argv, "ms", 0);
	W.rate = number(argc, argv, "rate", 0), W.due = number(argc, argv, "due", 0);
	W.bare = number(argc, argv, "bare", 0);
	W.outside = appended(argc, argv, "outside"), W.told = appended(argc, argv, "told");
	signal(SIGPIPE, SIG_IGN);
	sf_log_setup(SF_INFO, 2);
	W.loop = sf_loop_new(NULL);
	if (sf_db_open(W.loop, &o, &W.db, &why) || sf_jobs_declare(all_kinds, NULL, &why)) {
		fprintf(stderr, SF_PRI "\n", SF_ARG(why));
		return 2;
	}
	if (!strcmp(argv[2], "work"))
		err = work(&jobs, number(argc, argv, "say", 0));
	else
		err = sf_co_start(W.loop, argv[2][0] == 'i' ? init : add_ready, &co, NULL);
	if (err) return 1;
	if (strcmp(argv[2], "work") != 0) sf_loop_run(W.loop);
	return sf_loop_free(W.loop) ? 3 : W.result;
}
