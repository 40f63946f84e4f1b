/* Looking at jobs and steering them on both engines: counts, pages, filters, and what is done to many at once. */
#include "jobs/queue.h"

static int run_give_up(struct sf_job *j) {
	shared->runs[1]++;
	return sf_job_give_up(j, "no such address");
}
static const struct sf_job_kind table[] = {
	{ .kind = "note", .run = run_note_at },
	{ .kind = "give.up", .run = run_give_up },
	{ 0 },
};

static void declare(void) {
	declare_kinds(table);
}

static int64_t count_of(struct rig *r, const char *kind, const char *state) {
	struct sf_job_counts c;
	OK(sf_job_counts(db(r), &c));
	for (size_t i = 0; i < c.nkinds; i++)
		if (sf_str_eq(c.kinds[i].kind, sf_str(kind)) && sf_str_eq(c.kinds[i].state, sf_str(state)))
			return c.kinds[i].n;
	return 0;
}

static void lists_and_bulk(struct rig *r) {
	struct sf_job_view *v;
	size_t n;
	int64_t next;
	int64_t changed = 0;
	declare();
	runner(r, (struct sf_jobs_opts) { 0 });
	for (int i = 0; i < 25; i++) add(r, "give.up", "{}");
	for (int i = 0; i < 5; i++) add(r, "note", "{}");
	WAIT_FOR(number(r, "SELECT count(*) FROM job_history") == 30);
	drain(r, 1000);
	for (int i = 0; i < 10; i++) add(r, "note", "{}");
	OK(sf_job_add(db(r), &(struct sf_job_new) { .kind = "note", .run_at = sf_time_now() + SF_DAY_USEC },
				  NULL));
	assert_int_equal(count_of(r, "give.up", "dead"), 25);
	assert_int_equal(count_of(r, "note", "done"), 5);
	assert_int_equal(count_of(r, "note", "ready"), 10);
	assert_int_equal(count_of(r, "note", "scheduled"), 1);

	int64_t before = 0, total = 0, last = INT64_MAX;
	do { /* all, in pages of 7 */
		OK(sf_job_list(db(r), &(struct sf_job_filter) { .before = before, .limit = 7 }, &v, &n, &next));
		for (size_t i = 0; i < n; i++) {
			assert_true(v[i].id < last);
			last = v[i].id;
		}
		total += (int64_t)n;
		before = last;
	} while (n);
	assert_int_equal(total, 41);
	OK(sf_job_list(
		db(r),
		&(struct sf_job_filter) { .state = SF_STR("dead"), .error = SF_STR("such ADDR"), .limit = 100 }, &v,
		&n, &next));
	assert_int_equal(n, 25);
	OK(sf_job_list(db(r), &(struct sf_job_filter) { .state = SF_STR("dead"), .error = SF_STR("such%addr") },
				   &v, &n, &next));
	assert_int_equal(n, 0);
	OK(sf_job_list(db(r),
				   &(struct sf_job_filter) { .state = SF_STR("scheduled"), .queue = SF_STR("default") }, &v,
				   &n, &next));
	assert_int_equal(n, 1);

	struct sf_job_filter dead = { .kind = SF_STR("give.up"), .state = SF_STR("dead") };
	OK(sf_job_act_many(db(r), &dead, SF_JOB_RETRY, true, 1000, &changed));
	assert_int_equal(changed, 25);
	assert_int_equal(count_of(r, "give.up", "dead"), 25); /* a preview changes nothing */
	OK(sf_job_act_many(db(r), &dead, SF_JOB_RETRY, false, 10, &changed));
	assert_int_equal(changed, 10);
	assert_int_equal(count_of(r, "give.up", "dead"), 15);
	assert_int_equal(count_of(r, "give.up", "ready"), 10);
	OK(sf_job_act_many(db(r), &dead, SF_JOB_DISCARD, false, 1000, &changed));
	assert_int_equal(changed, 15);
	assert_int_equal(count_of(r, "give.up", "cancelled"), 15);
	OK(sf_job_act_many(db(r), &(struct sf_job_filter) { .kind = SF_STR("note") }, SF_JOB_RETRY, false, 1000,
					   &changed));
	assert_int_equal(changed, 1); /* the scheduled one is due now */
	runner(r, (struct sf_jobs_opts) { 0 });
	WAIT_FOR(number(r, "SELECT count(*) FROM jobs") == 0);
	assert_int_equal(count_of(r, "give.up", "dead"), 10);
	assert_int_equal(count_of(r, "note", "done"), 16);
	assert_int_equal(shared->runs[1], 35);
}
BOTH(lists_and_bulk)

int main(void) {
	const struct CMUnitTest tests[] = {
		TWO(lists_and_bulk),
	};
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
