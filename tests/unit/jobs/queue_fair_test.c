/* The queue on both engines: nothing waits for ever, whatever else there is to do. */
#include "jobs/queue.h"

/* ---- kinds ----------------------------------------------------------------------------------------------- */

static int run_note(struct sf_job *j) { /* {"n":3}: remembers the order */
	shared->order[shared->norder++ % 4096] = payload_int(j, "n");
	return 0;
}
static int run_nap(struct sf_job *j) { /* the same, a moment later */
	int err = sf_sleep(3);
	return err ? err : run_note(j);
}
static int run_counted(struct sf_job *j) { /* how many are at once, and when the first and the last began */
	int now = ++shared->running;
	if (now > shared->most) shared->most = now;
	if (!shared->at[0]) shared->at[0] = sf_time_now();
	shared->at[1] = sf_time_now();
	int err = sf_sleep(3);
	shared->running--;
	return err ? err : run_note(j);
}
static int run_wait(struct sf_job *j) { /* until the test says so */
	(void)j;
	shared->begun++;
	while (!shared->over) {
		int err = sf_sleep(20);
		if (err) return err;
	}
	return 0;
}
static const struct sf_job_kind table[] = {
	{ .kind = "note", .run = run_note },
	{ .kind = "nap", .run = run_nap },
	{ .kind = "nap.other", .run = run_nap, .queue = "other" },
	{ .kind = "rate", .run = run_note, .max_per_s = 500 },
	{ .kind = "one", .run = run_note, .max_running = 1 },
	{ .kind = "two", .run = run_counted, .max_running = 2 },
	{ .kind = "slow", .run = run_counted, .max_per_s = 40 },
	{ .kind = "wait", .run = run_wait },
	{ 0 },
};

static void declare(void) {
	declare_kinds(table);
}

static void add_n(struct rig *r, const char *kind, int n) {
	struct sf_job_new *jobs = sf_arena_zalloc(r->a, (size_t)n * sizeof *jobs);
	for (int i = 0; i < n; i++) jobs[i] = (struct sf_job_new) { .kind = kind };
	OK(sf_job_add_many(db(r), jobs, (size_t)n, NULL));
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

/* A claim that was given up in vain happened after all, and after the look at what it may have taken. */
static void taken_unheard(struct rig *r) {
	declare();
	runner(r, (struct sf_jobs_opts) { .lease_ms = 600 });
	WAIT_FOR(number(r, "SELECT count(*) FROM job_workers") == 1);
	OK(sf_job_add(db(r), &(struct sf_job_new) { .kind = "note", .run_at = sf_time_now() + 3600 * SF_USEC },
				  NULL));
	sql(r, "UPDATE jobs SET state = 'running', fence = fence + 1, attempts = attempts + 1, "
		   "run_at = 0, worker = (SELECT id FROM job_workers)");
	WAIT_FOR(shared->norder == 1);
	WAIT_FOR(number(r, "SELECT count(*) FROM job_history WHERE state = 'done' AND attempts = 1") == 1);
}
BOTH(taken_unheard)

/* A job that is suspected of having killed a worker wants to run alone, but waits for a long one only for a while, and does
 * not keep the line behind it. */
static void a_suspect_beside_a_long_one(struct rig *r) {
	declare();
	runner(r, (struct sf_jobs_opts) { 0 });
	int64_t waits = add(r, "wait", "{}"), suspect;
	WAIT_FOR(shared->begun == 1);
	OK(sf_job_add(db(r), &(struct sf_job_new) { .kind = "note", .run_at = sf_time_now() + 3600 * SF_USEC },
				  &suspect));
	sql(r, "UPDATE jobs SET lane = lane || '!', crashes = 1, run_at = 1 WHERE kind = 'note'");
	WAIT_FOR(is(r, suspect, "running"));
	add_n(r, "nap", 100);
	WAIT_FOR(number(r, "SELECT count(*) FROM job_history WHERE state = 'done'") == 101);
	assert_true(is(r, waits, "running"));
	shared->over = 1;
}
static void a_suspect_beside_a_long_one_lite(void **state) { /* takes seconds, and is the same on both */
	(void)state;
	on_engine(false, a_suspect_beside_a_long_one);
}

/* Where a job of that number stands in the order in which they ran. */
static int place_of(int n) {
	for (int i = 0; i < shared->norder; i++)
		if (shared->order[i] == n) return i;
	return -1;
}

/* A long line of one queue does not keep another queue's jobs, whichever is declared first. */
static void queues_beside_each_other(struct rig *r) {
	enum { N = 2000 };
	const char *const line[] = { "nap", "nap.other" };
	for (int i = 0; i < 2; i++) {
		declare();
		add_n(r, line[i], N);
		add(r, line[1 - i], "{\"n\":7}");
		runner(r, (struct sf_jobs_opts) { 0 });
		WAIT_FOR(shared->norder == N + 1);
		assert_in_range(place_of(7), 0, N / 2);
		drain(r, 1000);
	}
}
BOTH(queues_beside_each_other)

/* Nor those of a kind with a limit, although it must have a free slot to begin. */
static void limits_beside_a_long_line(struct rig *r) {
	enum { N = 2000 };
	declare();
	add_n(r, "nap", N);
	runner(r, (struct sf_jobs_opts) { 0 });
	WAIT_FOR(shared->norder > 50);
	add(r, "rate", "{\"n\":7}"), add(r, "one", "{\"n\":8}");
	WAIT_FOR(shared->norder == N + 2);
	assert_in_range(place_of(7), 0, N - 200);
	assert_in_range(place_of(8), 0, N - 200);
}
BOTH(limits_beside_a_long_line)

/* ---- over several runners --------------------------------------------------------------------------------- */

enum { RUNNERS = 3 };

static void with_three(struct rig *r, void (*work)(struct rig *r)) {
	struct sf_db *dbs[] = { r->db, NULL };
	struct sf_jobs *js[RUNNERS];
	bool over[RUNNERS] = { 0 };
	for (int i = 0; i < RUNNERS; i++)
		OK(sf_jobs_start(r->loop, &(struct sf_jobs_opts) { .dbs = dbs, .poll_ms = 50 }, &js[i]));
	WAIT_FOR(number(r, "SELECT count(*) FROM job_workers") == RUNNERS);
	work(r);
	for (int i = 0; i < RUNNERS; i++) sf_jobs_drain(js[i], 1000, rig_true, &over[i]);
	for (int i = 0; i < RUNNERS; i++) {
		WAIT_FOR(over[i]);
		sf_jobs_free(js[i]);
	}
}

static void limited(struct rig *r) {
	add_n(r, "two", 60);
	WAIT_FOR(shared->norder == 60);
	assert_int_equal(shared->most, 2);
	shared->norder = 0, shared->at[0] = 0;
	add_n(r, "slow", 30);
	WAIT_FOR(shared->norder == 30);
	assert_true(shared->at[1] - shared->at[0] >= 600000); /* 29 steps of 25 ms, few of them made up for */
}
static void limits_hold_over_all(struct rig *r) {
	declare();
	with_three(r, limited);
}
BOTH(limits_hold_over_all)

/* ---- what others hold, and what comes late [Q-8] ------------------------------------------------------------ */

static const struct sf_query hold = { .name = "test.hold",
									  .kind = SF_Q_EXEC,
									  .write = true,
									  .pg = "UPDATE jobs SET progress = 1 WHERE id = $1",
									  .lite = "UPDATE jobs SET progress = 1 WHERE id = ?1",
									  .in = (const struct sf_dbcol[]) { { "id", SF_T_INT, false, 0 } },
									  .nin = 1,
									  .id = UINT32_MAX };

/* A row that somebody else has locked is passed over, not waited for. */
static void locked_ones_are_passed_over(struct rig *r) {
	struct sf_dbh *tx;
	declare();
	int64_t held = add(r, "note", "{\"n\":1}");
	OK(sf_tx_begin(r->db, r->a, "test", &tx));
	OK(sf_db_exec(tx, &hold, &held, NULL));
	runner(r, (struct sf_jobs_opts) { 0 });
	add_n(r, "note", 50);
	WAIT_FOR(shared->norder == 50);
	assert_true(is(r, held, "ready"));
	OK(sf_tx_commit(tx));
	sf_tx_end(tx);
	WAIT_FOR(is(r, held, "done"));
}

/* Of two transactions the one that began first, with the lower id and the earlier time, commits last, long after. */
static void committed_in_reverse(struct rig *r) {
	struct sf_dbh *first, *second;
	int64_t low, high;
	declare();
	runner(r, (struct sf_jobs_opts) { .poll_ms = 100 });
	OK(sf_tx_begin(r->db, r->a, "first", &first));
	OK(sf_job_add(first, &(struct sf_job_new) { .kind = "note", .run_at = sf_time_now() - 60 * SF_USEC },
				  &low));
	OK(sf_tx_begin(r->db, r->a, "second", &second));
	OK(sf_job_add(second, &(struct sf_job_new) { .kind = "note" }, &high));
	OK(sf_tx_commit(second));
	sf_tx_end(second);
	assert_true(low < high);
	for (int i = 1; i <= 20; i++) { /* claims, so that their floors lie above it */
		WAIT_FOR(shared->norder == i);
		add_n(r, "note", 1);
	}
	WAIT_FOR(shared->norder == 21 && is(r, high, "done"));
	OK(sf_tx_commit(first));
	sf_tx_end(first);
	WAIT_FOR(is(r, low, "done"));
}
#define ON_PG(fn) /* SQLite has one writer at a time */                                                      \
	static void fn##_pg(void **state) {                                                                      \
		(void)state;                                                                                         \
		on_engine(true, fn);                                                                                 \
	}
ON_PG(locked_ones_are_passed_over)
ON_PG(committed_in_reverse)

int main(void) {
	const struct CMUnitTest tests[] = {
		TWO(taken_unheard),
		cmocka_unit_test(a_suspect_beside_a_long_one_lite),
		TWO(queues_beside_each_other),
		TWO(limits_beside_a_long_line),
		TWO(limits_hold_over_all),
		cmocka_unit_test(locked_ones_are_passed_over_pg),
		cmocka_unit_test(committed_in_reverse_pg),
	};
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
