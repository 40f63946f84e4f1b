/* Adding jobs on both engines: with the caller's transaction, one of a key, many at once; and which kinds are refused. */
#include "jobs/queue.h"

static const struct sf_job_kind table[] = {
	{ .kind = "note", .run = run_note_at },
	{ .kind = "single", .run = run_note_at, .unique = SF_JOB_UNIQUE_LIVE },
	{ 0 },
};
static const struct sf_job_kind *const kinds[] = { table, NULL };

static void declare(void) {
	declare_kinds(table);
}

static void with_the_transaction(struct rig *r) {
	struct sf_dbh *tx;
	int64_t kept, lost;
	declare();
	runner(r, (struct sf_jobs_opts) { 0 });
	OK(sf_tx_begin(r->db, r->a, "test", &tx));
	OK(sf_job_add(tx, &(struct sf_job_new) { .kind = "note" }, &lost));
	sf_tx_end(tx);
	OK(sf_tx_begin(r->db, r->a, "test", &tx));
	OK(sf_job_add(tx, &(struct sf_job_new) { .kind = "note", .payload = SF_STR("{\"n\":5}") }, &kept));
	if (r->pg) { /* not to be seen before the commit; on SQLite nobody else could look and write */
		assert_int_equal(number(r, "SELECT count(*) FROM jobs"), 0);
		assert_int_equal(sf_sleep(30), 0);
		assert_int_equal(shared->norder, 0);
	}
	OK(sf_tx_commit(tx));
	sf_tx_end(tx);
	WAIT_FOR(is(r, kept, "done"));
	assert_int_equal(shared->norder, 1);
	assert_int_equal(shared->order[0], 5);
	struct sf_job_view v;
	ERR(sf_job_get(db(r), lost, &v), lost == kept ? SF_OK : SF_ENOTFOUND);
}
BOTH(with_the_transaction)

static void one_of_a_key(struct rig *r) {
	struct sf_job_new one = { .kind = "single", .key = SF_STR("user-7") };
	struct sf_dbh *tx;
	int64_t first, second = 0, other;
	size_t added = 99;
	declare();
	OK(sf_job_add(db(r), &one, &first));
	OK(sf_tx_begin(r->db, r->a, "test", &tx));
	ERR(sf_job_add(tx, &one, &second), SF_EDUP);
	assert_int_equal(second, first);
	OK(sf_job_add(tx, &(struct sf_job_new) { .kind = "single", .key = SF_STR("user-8") },
				  &other)); /* it goes on */
	OK(sf_tx_commit(tx));
	sf_tx_end(tx);
	struct sf_job_new three[] = { one,
								  { .kind = "single", .key = SF_STR("user-9") },
								  { .kind = "single", .key = SF_STR("user-9") } };
	OK(sf_job_add_many(db(r), three, 3, &added));
	assert_int_equal(added, 1);
	ERR(sf_job_add(db(r), &(struct sf_job_new) { .kind = "single" }, NULL), SF_EINVAL);
	assert_int_equal(number(r, "SELECT count(*) FROM jobs"), 3);
	runner(r, (struct sf_jobs_opts) { 0 });
	WAIT_FOR(shared->norder == 3);
	WAIT_FOR(number(r, "SELECT count(*) FROM jobs") == 0);
	OK(sf_job_add(db(r), &one, &second)); /* over: the key is free */
	assert_true(second > other);
}
BOTH(one_of_a_key)

static void many_at_once(struct rig *r) {
	enum { N = 2500 };
	struct sf_job_new *jobs = sf_arena_zalloc(r->a, N * sizeof *jobs);
	size_t added = 0;
	declare();
	for (int i = 0; i < N; i++)
		jobs[i] = (struct sf_job_new) {
			.kind = "note", .payload = sf_arena_printf(r->a, "{\"n\":%d, \"t\":\"\\u00fc\\\"\\\\\"}", i)
		};
	OK(sf_job_add_many(db(r), jobs, N, &added));
	assert_int_equal(added, N);
	runner(r, (struct sf_jobs_opts) { 0 });
	WAIT_FOR(number(r, "SELECT count(*) FROM job_history WHERE state = 'done'") == N);
	assert_int_equal(shared->norder, N);
	bool seen[N] = { 0 };
	for (int i = 0; i < N; i++) {
		assert_false(seen[shared->order[i]]);
		seen[shared->order[i]] = true;
	}
	struct sf_jobs_stats s;
	sf_jobs_stats(r->js, &s);
	assert_int_equal(s.done, N);
	assert_int_equal(s.claimed, N);
	assert_int_equal(s.refused, 0);
}
BOTH(many_at_once)

static void refused(void **state) {
	static const struct sf_job_kind twice[] = { { .kind = "a", .run = run_note_at },
												{ .kind = "a", .run = run_note_at },
												{ 0 } };
	static const struct sf_job_kind none[] = { { .kind = "a" }, { 0 } };
	static const struct sf_job_kind odd[] = { { .kind = "a b", .run = run_note_at }, { 0 } };
	static const struct sf_job_kind late[] = { { .kind = "a", .run = run_note_at, .priority = 10 }, { 0 } };
	struct sf_str why = SF_STR_NULL;
	(void)state;
	shared_new();
	ERR(sf_jobs_declare((const struct sf_job_kind *const[]) { twice, NULL }, NULL, &why), SF_EINVAL);
	assert_true(sf_str_eq(why, SF_STR("job a: declared twice")));
	ERR(sf_jobs_declare((const struct sf_job_kind *const[]) { none, NULL }, NULL, &why), SF_EINVAL);
	ERR(sf_jobs_declare((const struct sf_job_kind *const[]) { odd, NULL }, NULL, &why), SF_EINVAL);
	ERR(sf_jobs_declare((const struct sf_job_kind *const[]) { late, NULL }, NULL, &why), SF_EINVAL);
	OK(sf_jobs_declare(kinds, NULL, &why));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		TWO(with_the_transaction),
		TWO(one_of_a_key),
		TWO(many_at_once),
	};
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
