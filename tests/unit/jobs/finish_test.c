/* finish: how long until the next attempt, and whose word about a run's end counts. */
#include "jobs/queue.h"

#include "jobs/internal.h"

static int run_fail(struct sf_job *j) { /* until the test says otherwise, an attempt that fails */
	shared->begun++;
	while (!shared->over) {
		int err = sf_sleep(5);
		if (err) return err;
	}
	return shared->refused ? sf_job_fail(j, SF_EIO, "no") : 0;
}
static int run_commit(struct sf_job *j) {
	struct sf_dbh *tx = NULL;
	shared->begun++;
	int err = 0;
	while (!shared->over && !err) err = sf_sleep(5);
	if (!err) err = sf_job_begin(j, &tx);
	if (!err) err = sf_job_commit(j, tx);
	sf_tx_end(tx);
	shared->runs[0] = err;
	return err;
}
static const struct sf_job_kind table[] = {
	{ .kind = "fail", .run = run_fail, .max_attempts = 5, .backoff_ms = 3600000, .backoff_max_ms = 3600000 },
	{ .kind = "commit", .run = run_commit },
	{ 0 },
};

static void declare(void) {
	declare_kinds(table);
}

/* Full jitter: evenly from nothing to the bound, which doubles up to the cap; other numbers in each process. */
static void back_off(void **state) {
	enum { N = 4000 };
	const struct sf_jobs__kind k = { .backoff_ms = 1000, .backoff_max_ms = 30000 };
	(void)state;
	for (int attempt = 1; attempt <= 12; attempt++) {
		int64_t bound = attempt < 6 ? 1000 << (attempt - 1) : 30000, sum = 0, least = INT64_MAX, most = 0;
		for (int i = 0; i < N; i++) {
			int64_t ms = sf_jobs__backoff_ms(&k, attempt);
			sum += ms;
			if (ms < least) least = ms;
			if (ms > most) most = ms;
		}
		assert_in_range(least, 1, bound / 50);
		assert_in_range(most, bound - bound / 50, bound);
		assert_in_range(sum / N, bound * 45 / 100, bound * 55 / 100);
	}
	assert_in_range(sf_jobs__backoff_ms(&k, 1000000000), 1, 30000);
	int same = 0;
	for (int i = 0; i < 50; i++) {
		srand(7);
		int64_t here = sf_jobs__backoff_ms(&k, 12);
		srand(7); /* as another worker begins */
		same += here == sf_jobs__backoff_ms(&k, 12);
	}
	assert_in_range(same, 0, 5);
}

/* What fails waits as `retrying`, counted and with its reason, for its back-off. */
static void waits_for_its_retry(struct rig *r) {
	declare();
	shared->over = shared->refused = 1;
	runner(r, (struct sf_jobs_opts) { 0 });
	int64_t id = add(r, "fail", "{}"), now = sf_time_now();
	WAIT_FOR(is(r, id, "retrying"));
	struct sf_job_view v = view(r, id);
	assert_int_equal(v.attempts, 1);
	assert_true(sf_str_eq(v.error, SF_STR("no")));
	assert_in_range(v.run_at - now, 0, 3700 * SF_USEC);
	assert_int_equal(shared->begun, 1);
	OK(sf_job_act(db(r), id, SF_JOB_RETRY)); /* now, says somebody */
	WAIT_FOR(shared->begun == 2);
}
BOTH(waits_for_its_retry)

/* The job has another fence, though the same worker: it was given back and taken again. The older run ends nothing. */
static void an_older_run(struct rig *r) {
	struct sf_jobs_stats s;
	declare();
	runner(r, (struct sf_jobs_opts) { .lease_ms = 600000 });
	int64_t commits = add(r, "commit", "{}"), fails = add(r, "fail", "{}");
	WAIT_FOR(shared->begun == 2);
	sql(r, "UPDATE jobs SET fence = fence + 1");
	shared->refused = 1, shared->over = 1;
	WAIT_FOR((sf_jobs_stats(r->js, &s), s.refused == 2));
	assert_string_equal(sf_err_symbol(shared->runs[0]), "SF_ECONFLICT");
	assert_true(is(r, commits, "running") && is(r, fails, "running"));
	assert_int_equal(number(r, "SELECT count(*) FROM job_history"), 0);
}
BOTH(an_older_run)

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(back_off), TWO(waits_for_its_retry),
										TWO(an_older_run) };
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
