/* What a runner takes the database's clock for: jobs come due by it. */
#include "jobs/internal.h"
#include "queue.h"

static int nothing(struct sf_job *j) {
	(void)j;
	return 0;
}
static const struct sf_job_kind table[] = { { .kind = "test.nothing", .run = nothing }, { 0 } };

/* How far ahead the database's clock is believed to be after some renewals of the lease, which must say the same or better. */
static int64_t believed(struct rig *r) {
	struct sf_jobs__src *s;
	runner(r, (struct sf_jobs_opts) { .lease_ms = 300 });
	s = &r->js->src[0];
	WAIT_FOR(s->worker);
	int64_t first = s->skew_us;
	WAIT_FOR(s->beats >= 5);
	assert_true(s->skew_us >= first);
	int64_t last = s->skew_us;
	drain(r, 1000);
	return last;
}

/* The time an answer takes is not the clock's. */
static void agreeing(struct rig *r) {
	assert_int_equal(believed(r), 0);
}
BOTH(agreeing)

static void shift_clock(struct rig *r, const char *hours) {
	char text[300];
	snprintf(text, sizeof text,
			 "CREATE OR REPLACE FUNCTION jobs_now() RETURNS bigint LANGUAGE sql VOLATILE AS "
			 "'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 3600000000 * %s'",
			 hours);
	sql(r, text);
}

static void differing(struct rig *r) {
	const int64_t hour = INT64_C(3600) * SF_USEC;
	shift_clock(r, "1");
	int64_t ahead = believed(r);
	assert_true(ahead <= hour &&
				ahead > hour - 10 * SF_USEC); /* never too far: nothing starts before its time */
	shift_clock(r, "-1");
	int64_t behind = believed(r);
	assert_true(behind <= -hour && behind > -hour - 10 * SF_USEC);
}
static void differing_pg(void **state) {
	(void)state;
	on_engine(true, differing);
}

int main(void) {
	static const struct sf_job_kind *const kinds[] = { table, NULL };
	const struct CMUnitTest tests[] = { TWO(agreeing), cmocka_unit_test(differing_pg) };
	struct sf_str why = SF_STR_NULL;
	if (sf_jobs_declare(kinds, NULL, &why)) return 1;
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
