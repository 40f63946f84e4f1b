/* schedule: what was missed is caught up as the row says, and of several schedulers one keeps each tick. */
#include "jobs/queue.h"

#include "core/time.h"

#define HOUR (INT64_C(3600) * SF_USEC)

static int ran(struct sf_job *j) {
	shared->runs[payload_int(j, "n")]++;
	return 0;
}

static char expr[24]; /* hourly, half an hour from now: no tick is near */
static const struct sf_job_kind kinds[] = { { "t.ran", ran, .summary = "counts" }, { 0 } };
static const struct sf_cron crons[] = {
	{ "t.all", expr, .kind = "t.ran", .payload = "{\"n\":0}", .catchup = SF_CATCHUP_ALL },
	{ "t.once", expr, .kind = "t.ran", .payload = "{\"n\":1}", .catchup = SF_CATCHUP_ONCE },
	{ "t.skip", expr, .kind = "t.ran", .payload = "{\"n\":2}", .catchup = SF_CATCHUP_SKIP },
	{ 0 },
};

static void declare(void) {
	const struct sf_job_kind *k[] = { kinds, NULL };
	static const struct sf_cron *c[] = { crons, NULL };
	struct sf_str why;
	snprintf(expr, sizeof expr, "%d * * * *", (int)((sf_time_now() / (60 * SF_USEC) + 30) % 60));
	shared_new();
	OK(sf_jobs_declare(k, c, &why));
}

static struct sf_jobs *scheduler(struct rig *r) {
	struct sf_db *dbs[] = { r->db, NULL };
	struct sf_jobs *js = NULL;
	OK(sf_jobs_start(r->loop,
					 &(struct sf_jobs_opts) {
						 .dbs = dbs, .crash_dir = r->dir, .lease_ms = 600, .poll_ms = 50, .schedule = true },
					 &js));
	return js;
}
static void end(struct rig *r, struct sf_jobs *js) {
	bool over = false;
	sf_jobs_drain(js, 1000, rig_true, &over);
	WAIT_FOR(over);
	sf_jobs_free(js);
	(void)r;
}

static int64_t tick_before(void) { /* the last one that is over */
	struct sf_cron_spec spec;
	const char *why;
	int64_t t = 0;
	OK(sf_cron_parse(expr, &spec, &why));
	OK(sf_cron_next(&spec, NULL, sf_time_now() - HOUR, &t));
	return t;
}
static void missed(struct rig *r, const char *name, int hours) {
	char text[160];
	snprintf(text, sizeof text, "UPDATE job_schedules SET next_at = %lld WHERE name = '%s'",
			 (long long)(tick_before() - hours * HOUR), name);
	sql(r, text);
}

static void what_was_missed(struct rig *r) {
	declare();
	r->js = scheduler(r);
	WAIT_FOR(number(r, "SELECT count(*) FROM job_schedules") == 3);
	assert_int_equal(number(r, "SELECT count(*) FROM job_schedules WHERE last_at > 0"), 0);
	drain(r, 1000); /* nobody is there */
	missed(r, "t.all", 4), missed(r, "t.once", 4), missed(r, "t.skip", 4);
	r->js = scheduler(r);
	WAIT_FOR(shared->runs[0] == 5 && shared->runs[1] == 1);
	WAIT_FOR(number(r, "SELECT count(*) FROM job_schedules WHERE next_at > last_at + 3599000000") == 3);
	drain(r, 1000);
	assert_int_equal(shared->runs[0], 5);
	assert_int_equal(shared->runs[1], 1);
	assert_int_equal(shared->runs[2], 0);
	assert_int_equal(number(r, "SELECT count(*) FROM jobs"), 0);
}
BOTH(what_was_missed)

static void after_years(struct rig *r) { /* ONCE runs the last of 175,200 ticks, not each of them */
	declare();
	r->js = scheduler(r);
	WAIT_FOR(number(r, "SELECT count(*) FROM job_schedules") == 3);
	missed(r, "t.once", 24 * 365 * 20);
	char text[96];
	snprintf(text, sizeof text, "SELECT count(*) FROM job_schedules WHERE last_at = %lld",
			 (long long)tick_before());
	WAIT_FOR(number(r, text) == 1);
	WAIT_FOR(shared->runs[1] == 1);
	drain(r, 1000);
	assert_int_equal(number(r, "SELECT count(*) FROM job_history"), 1);
	assert_int_equal(number(r, "SELECT count(*) FROM jobs"), 0);
}
BOTH(after_years)

static void one_of_three(struct rig *r) {
	struct sf_jobs *js[3];
	declare();
	for (int i = 0; i < 3; i++) js[i] = scheduler(r);
	WAIT_FOR(number(r, "SELECT count(*) FROM job_schedules") == 3);
	for (int n = 1; n <= 6; n++) {
		missed(r, "t.once", n % 3);
		WAIT_FOR(shared->runs[1] >= n);
		/* whoever kept it or not stops, and another one joins */
		end(r, js[n % 3]);
		js[n % 3] = scheduler(r);
	}
	/* one that stood still: its lease lapses, and it finds out */
	sql(r, "UPDATE job_leader SET holder = 'gone', expires_at = expires_at + 200000");
	missed(r, "t.once", 1);
	WAIT_FOR(shared->runs[1] >= 7);
	for (int i = 0; i < 3; i++) end(r, js[i]);
	assert_int_equal(shared->runs[1], 7);
	assert_int_equal(number(r, "SELECT count(*) FROM jobs"), 0);
	assert_int_equal(number(r, "SELECT count(*) FROM job_leader"), 0); /* the last one has resigned */
}
BOTH(one_of_three)

static void another_expression(
	struct rig *r) { /* a changed row is reckoned anew, and ticks nothing that it did not mean */
	declare();
	r->js = scheduler(r);
	WAIT_FOR(number(r, "SELECT count(*) FROM job_schedules") == 3);
	drain(r, 1000);
	sql(r, "UPDATE job_schedules SET spec = '* * * * * UTC', next_at = 1000000");
	r->js = scheduler(r);
	WAIT_FOR(number(r, "SELECT count(*) FROM job_schedules WHERE next_at > 1000000") == 3);
	drain(r, 1000);
	assert_int_equal(number(r, "SELECT count(*) FROM job_history"), 0);
}
BOTH(another_expression)

int main(void) {
	const struct CMUnitTest tests[] = { TWO(what_was_missed), TWO(after_years), TWO(one_of_three),
										TWO(another_expression) };
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
