/* The queue on both engines: in which order jobs run, and how each run may end. */
#include "jobs/queue.h"

/* ---- kinds ----------------------------------------------------------------------------------------------- */

static int run_wait(struct sf_job *j) { /* until it is stopped */
	shared->begun++;
	int err = 0;
	while (!err) err = sf_sleep(1000);
	(void)j;
	return err;
}
static int run_short(struct sf_job *j) { /* {"ms":20} */
	int now = ++shared->running;
	if (now > shared->most) shared->most = now;
	int err = sf_sleep(payload_int(j, "ms"));
	shared->running--;
	shared->over++;
	return err;
}
static int run_fail(struct sf_job *j) {
	shared->runs[0]++;
	return sf_job_fail(j, SF_EIO, "the post office is closed (%d)", sf_job_attempt(j));
}
static int run_give_up(struct sf_job *j) {
	shared->runs[1]++;
	return sf_job_give_up(j, "no such address");
}
static int run_later(struct sf_job *j) {
	if (shared->runs[2]++ == 0) return sf_job_later(j, 30, "asked to wait");
	return sf_job_attempt(j) == 1 ? 0 : sf_job_give_up(j, "the attempt was counted");
}
static int run_serial(struct sf_job *j) { /* our own database's trouble is not the job's fault */
	if (shared->runs[3]++ < 3)
		return shared->runs[3] == 1 ? SF_ESERIAL : shared->runs[3] == 2 ? SF_EUNAVAILABLE : SF_EOVERLOAD;
	return sf_job_attempt(j) == 1 ? 0 : sf_job_give_up(j, "the attempt was counted");
}
static int run_ledger(struct sf_job *j) { /* its effect and its end in one transaction */
	struct sf_dbh *tx = NULL;
	int64_t id = sf_job_id(j);
	sf_job_result(j, SF_STR("{\"ok\":true}"));
	int err = sf_job_begin(j, &tx);
	if (!err) err = sf_db_exec(tx, &ledger_add, &id, NULL);
	if (!err) err = sf_job_commit(j, tx);
	sf_tx_end(tx);
	return err;
}
static int run_progress(struct sf_job *j) {
	int err = sf_job_progress(j, 40, "half way");
	if (!err) shared->begun++;
	while (!err) {
		err = sf_sleep(20);
		if (!err) err = sf_job_progress(j, 50, "on and on");
	}
	return err;
}
static int run_talk(struct sf_job *j) {
	sf_job_result(j, SF_STR("{\"sum\":7}"));
	bool right = sf_str_eq(sf_job_trace(j), SF_STR("00-abc-01")) && sf_job_context(j) && sf_job_key(j).n > 4;
	return right ? 0 : sf_job_give_up(j, "something was not passed on");
}

static const struct sf_job_kind table[] = {
	{ .kind = "note", .run = run_note_at },
	{ .kind = "note.other", .run = run_note_at, .queue = "other" },
	{ .kind = "wait", .run = run_wait, .max_attempts = 3 },
	{ .kind = "wait.short", .run = run_wait, .timeout_ms = 60, .max_attempts = 1 },
	{ .kind = "short", .run = run_short },
	{ .kind = "two", .run = run_short, .max_running = 2 },
	{ .kind = "slow", .run = run_note_at, .max_per_s = 20 },
	{ .kind = "fail", .run = run_fail, .max_attempts = 3, .backoff_ms = 5, .backoff_max_ms = 20 },
	{ .kind = "give.up", .run = run_give_up },
	{ .kind = "later", .run = run_later, .max_attempts = 1 },
	{ .kind = "serial", .run = run_serial, .max_attempts = 1 },
	{ .kind = "ledger", .run = run_ledger },
	{ .kind = "progress", .run = run_progress },
	{ .kind = "talk", .run = run_talk },
	{ 0 },
};

static void declare(void) {
	declare_kinds(table);
}

/* ---- order --------------------------------------------------------------------------------------------------- */

static void urgent_first(struct rig *r) {
	declare();
	for (int i = 0; i < 30; i++) {
		struct sf_job_new job = { .kind = "note",
								  .priority = 9 - i % 9,
								  .payload = sf_arena_printf(r->a, "{\"n\":%d}", i) };
		OK(sf_job_add(db(r), &job, NULL));
	}
	runner(r, (struct sf_jobs_opts) { .concurrency = 1 });
	WAIT_FOR(shared->norder == 30);
	for (int i = 1; i < 30; i++) assert_true(9 - shared->order[i - 1] % 9 <= 9 - shared->order[i] % 9);
}
BOTH(urgent_first)

static void not_before_its_time(struct rig *r) {
	int64_t now = sf_time_now();
	declare();
	runner(r, (struct sf_jobs_opts) { .poll_ms = 10000 });
	WAIT_FOR(sf_loop_now(r->loop) && number(r, "SELECT count(*) FROM job_workers") == 1);
	for (int i = 1; i <= 4; i++) {
		struct sf_job_new job = { .kind = "note",
								  .run_at = now + i * 150000,
								  .payload = sf_arena_printf(r->a, "{\"n\":%d}", i) };
		OK(sf_job_add(db(r), &job, NULL));
	}
	int64_t far;
	OK(sf_job_add(db(r), &(struct sf_job_new) { .kind = "note", .run_at = now + 3600 * SF_USEC }, &far));
	WAIT_FOR(shared->norder == 4);
	for (int i = 1; i <= 4; i++) {
		assert_int_equal(shared->order[i - 1], i);
		int64_t late = shared->at[i] - (now + i * 150000);
		assert_true(late >= -2000);      /* SQLite's clock counts in milliseconds */
		assert_true(late < 8 * SF_USEC); /* by their time, not by the net of 10 s */
	}
	assert_true(is(r, far, "scheduled"));
}
BOTH(not_before_its_time)

static void only_its_queues(struct rig *r) {
	declare();
	int64_t mine = add(r, "note.other", "{\"n\":1}"), theirs = add(r, "note", "{\"n\":2}");
	runner(r, (struct sf_jobs_opts) { .queues = " , other" });
	WAIT_FOR(is(r, mine, "done"));
	assert_int_equal(sf_sleep(30), 0);
	assert_true(is(r, theirs, "ready"));
	struct sf_jobs *none;
	ERR(sf_jobs_start(
			r->loop,
			&(struct sf_jobs_opts) { .dbs = (struct sf_db *[]) { r->db, NULL }, .queues = "other, nosuch" },
			&none),
		SF_EINVAL);
}
BOTH(only_its_queues)

/* ---- ends ------------------------------------------------------------------------------------------------------ */

static void failures(struct rig *r) {
	struct sf_jobs_stats s;
	declare();
	runner(r, (struct sf_jobs_opts) { 0 });
	int64_t fail = add(r, "fail", "{}"), give_up = add(r, "give.up", "{}"), later = add(r, "later", "{}"),
			serial = add(r, "serial", "{}"), bad = add(r, "note", "{\"n\":");
	WAIT_FOR(is(r, fail, "dead") && is(r, give_up, "dead") && is(r, later, "done") && is(r, serial, "done") &&
			 is(r, bad, "dead"));
	assert_int_equal(shared->runs[0], 3);
	assert_int_equal(shared->runs[1], 1);
	assert_int_equal(shared->runs[2], 2);
	assert_int_equal(shared->runs[3], 4);
	struct sf_job_view v = view(r, fail);
	assert_true(sf_str_eq(v.error, SF_STR("the post office is closed (3)")));
	assert_int_equal(v.attempts, 3);
	assert_true(v.finished_at >= v.started_at && v.started_at >= v.created_at - 2000);
	assert_true(sf_str_eq(view(r, give_up).error, SF_STR("no such address")));
	assert_true(sf_str_starts(view(r, bad).error, SF_STR("the payload is no JSON")));
	sf_jobs_stats(r->js, &s);
	assert_int_equal(s.dead, 3);
	assert_int_equal(s.failed, 2);
	assert_int_equal(s.done, 2);
}
BOTH(failures)

static void too_long(struct rig *r) {
	declare();
	runner(r, (struct sf_jobs_opts) { 0 });
	int64_t id = add(r, "wait.short", "{}");
	WAIT_FOR(is(r, id, "dead"));
	assert_true(sf_str_eq(view(r, id).error, SF_STR("it took longer than its time limit")));
}
BOTH(too_long)

static void effect_with_the_end(struct rig *r) {
	declare();
	runner(r, (struct sf_jobs_opts) { 0 });
	int64_t id = 0;
	for (int i = 0; i < 50; i++) id = add(r, "ledger", "{}");
	WAIT_FOR(number(r, "SELECT count(*) FROM job_history WHERE state = 'done'") == 50);
	assert_int_equal(number(r, "SELECT count(DISTINCT job) FROM ledger"), 50);
	assert_int_equal(number(r, "SELECT count(*) FROM ledger"), 50);
	assert_true(sf_str_eq(view(r, id).result, SF_STR("{\"ok\":true}")));
}
BOTH(effect_with_the_end)

static void cancelled(struct rig *r) {
	declare();
	int64_t waiting = add(r, "note", "{}"), n = 0;
	OK(sf_job_act(db(r), waiting, SF_JOB_CANCEL));
	assert_true(is(r, waiting, "cancelled"));
	ERR(sf_job_act(db(r), waiting, SF_JOB_CANCEL), SF_ECONFLICT);
	ERR(sf_job_act(db(r), 987654, SF_JOB_CANCEL), SF_ENOTFOUND);
	runner(r, (struct sf_jobs_opts) { 0 });
	int64_t running = add(r, "wait", "{}"), telling = add(r, "progress", "{}");
	WAIT_FOR(shared->begun == 2);
	struct sf_job_view v = view(r, telling);
	assert_true(v.progress == 40 && sf_str_eq(v.progress_text, SF_STR("half way")));
	assert_true(sf_str_eq(v.state, SF_STR("running")));
	ERR(sf_job_act(db(r), running, SF_JOB_RETRY), SF_ECONFLICT);
	ERR(sf_job_act(db(r), running, SF_JOB_DISCARD), SF_ECONFLICT);
	OK(sf_job_act(db(r), running, SF_JOB_CANCEL));
	OK(sf_job_act_many(db(r), &(struct sf_job_filter) { .kind = SF_STR("progress") }, SF_JOB_CANCEL, false,
					   10, &n));
	assert_int_equal(n, 1);
	WAIT_FOR(is(r, running, "cancelled") && is(r, telling, "cancelled"));
	assert_int_equal(shared->norder, 0);
}
BOTH(cancelled)

static void what_is_passed_on(struct rig *r) {
	int64_t id;
	declare();
	runner(r, (struct sf_jobs_opts) { 0 });
	OK(sf_job_add(db(r), &(struct sf_job_new) { .kind = "talk", .trace = SF_STR("00-abc-01"), .owner = 12 },
				  &id));
	WAIT_FOR(is(r, id, "done"));
	struct sf_job_view v = view(r, id);
	assert_int_equal(v.owner, 12);
	assert_true(sf_str_eq(v.result, SF_STR("{\"sum\":7}")));
}
BOTH(what_is_passed_on)

/* ---- limits ---------------------------------------------------------------------------------------------------- */

static void so_many_at_once(struct rig *r) {
	declare();
	for (int i = 0; i < 12; i++) add(r, "two", "{\"ms\":15}");
	runner(r, (struct sf_jobs_opts) { 0 });
	WAIT_FOR(number(r, "SELECT count(*) FROM job_history") == 12);
	assert_int_equal(shared->most, 2);
}
BOTH(so_many_at_once)

static void so_many_a_second(struct rig *r) {
	declare();
	for (int i = 0; i < 16; i++)
		OK(sf_job_add(
			db(r), &(struct sf_job_new) { .kind = "slow", .payload = sf_arena_printf(r->a, "{\"n\":%d}", i) },
			NULL));
	runner(r, (struct sf_jobs_opts) { 0 });
	WAIT_FOR(shared->norder == 16);
	int64_t first = INT64_MAX, last = 0;
	for (int i = 0; i < 16; i++) {
		if (shared->at[i] < first) first = shared->at[i];
		if (shared->at[i] > last) last = shared->at[i];
	}
	assert_true(last - first >=
				650000); /* 16 at 20 a second: 15 steps of 50 ms, two of them made up for at once */
}
BOTH(so_many_a_second)

/* ---- the end of a runner --------------------------------------------------------------------------------------- */

static void drained(struct rig *r) {
	declare();
	runner(r, (struct sf_jobs_opts) { .concurrency = 4 });
	int64_t stuck = add(r, "wait", "{}"), quick = add(r, "short", "{\"ms\":60}");
	WAIT_FOR(shared->begun == 1 && shared->running + shared->over == 1);
	for (int i = 0; i < 20; i++) add(r, "wait", "{}");
	WAIT_FOR(shared->begun >= 3); /* four once the quick one is over */
	drain(r, 150);
	assert_true(is(r, quick, "done"));
	struct sf_job_view v = view(r, stuck);
	assert_true(sf_str_eq(v.state, SF_STR("ready")));
	assert_int_equal(v.attempts, 0); /* it was not its fault */
	assert_int_equal(number(r, "SELECT count(*) FROM jobs WHERE state = 'ready' AND attempts = 0"), 21);
	assert_int_equal(number(r, "SELECT count(*) FROM job_workers"), 0);
}
BOTH(drained)

static void forgotten_when_old(struct rig *r) {
	declare();
	runner(r, (struct sf_jobs_opts) { .keep_done_ms = 100, .poll_ms = 50 });
	int64_t id = add(r, "note", "{}");
	WAIT_FOR(is(r, id, "done"));
	if (r->pg) sql(r, "UPDATE job_history SET finished_at = finished_at - 864000000000 * 20");
	struct sf_job_view v;
	WAIT_FOR(sf_job_get(db(r), id, &v) == SF_ENOTFOUND);
	if (r->pg)
		assert_true(number(r, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'job_history'::regclass") >=
					4);
	else
		assert_int_equal(number(r, "SELECT COALESCE(sum(n), 0) FROM job_tally"), 0);
}
BOTH(forgotten_when_old)

int main(void) {
	const struct CMUnitTest tests[] = {
		TWO(urgent_first),    TWO(not_before_its_time), TWO(only_its_queues), TWO(failures),
		TWO(too_long),        TWO(effect_with_the_end), TWO(cancelled),       TWO(what_is_passed_on),
		TWO(so_many_at_once), TWO(so_many_a_second),    TWO(drained),         TWO(forgotten_when_old),
	};
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
