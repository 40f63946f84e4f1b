/* The queue when workers die, stand still or lose their lease: runners in forked processes, killed on purpose. */
#include "jobs/queue.h"

#include "child.h"

/* ---- kinds ------------------------------------------------------------------------------------------------- */

static int enter(struct sf_job *j) { /* the effect and the end in one transaction */
	struct sf_dbh *tx = NULL;
	int64_t id = sf_job_id(j);
	int err = sf_job_begin(j, &tx);
	if (!err) err = sf_db_exec(tx, &ledger_add, &id, NULL);
	if (!err) err = sf_job_commit(j, tx);
	sf_tx_end(tx);
	return err;
}
static int run_ledger(struct sf_job *j) {
	int err = sf_sleep(1);
	return err ? err : enter(j);
}
static int run_count(struct sf_job *j) { /* {"n":3} */
	__atomic_fetch_add(&shared->order[payload_int(j, "n")], 1, __ATOMIC_SEQ_CST);
	return 0;
}
static int run_long(struct sf_job *j) { /* ten leases long; its effect by itself */
	__atomic_fetch_add(&shared->begun, 1, __ATOMIC_SEQ_CST);
	int err = sf_sleep(3000);
	if (!err) err = enter(j);
	if (!err) __atomic_fetch_add(&shared->over, 1, __ATOMIC_SEQ_CST);
	return err;
}
static int run_stopped(struct sf_job *j) { /* the first process that runs it is stopped in the midst of it */
	int err = 0;
	if (__atomic_fetch_add(&shared->begun, 1, __ATOMIC_SEQ_CST) == 0) {
		usleep(
			150000); /* the loop does nothing meanwhile, so no write of SQLite's holds its lock over the stop */
		shared->runs[10] = (int)getpid();
		raise(SIGSTOP);
		err = enter(j); /* much later: nobody told it yet */
		shared->refused = err;
		shared->runs[11] = 1;
		return err;
	}
	return enter(j);
}
static int run_abort(struct sf_job *j) {
	(void)j;
	__atomic_fetch_add(&shared->runs[20], 1, __ATOMIC_SEQ_CST);
	signal(SIGABRT, SIG_DFL);
	raise(SIGKILL); /* as abort() would end it, without a core */
	return 0;
}
static int abort_here(void *arg) {
	(void)arg;
	abort();
}
static int run_fault(struct sf_job *j) { /* dies in another thread, while the loop sleeps */
	(void)j;
	__atomic_fetch_add(&shared->runs[21], 1, __ATOMIC_SEQ_CST);
	int err = sf_sleep(300); /* so that others have begun beside it */
	return err ? err : sf_offload(abort_here, NULL);
}
static int run_wait(struct sf_job *j) { /* waits until the test says so */
	__atomic_fetch_add(&shared->begun, 1, __ATOMIC_SEQ_CST);
	while (!shared->over) {
		int err = sf_sleep(10);
		if (err) return err;
	}
	return enter(j);
}
static const struct sf_job_kind table[] = {
	{ .kind = "ledger", .run = run_ledger }, { .kind = "count", .run = run_count },
	{ .kind = "long", .run = run_long },     { .kind = "stopped", .run = run_stopped },
	{ .kind = "abort", .run = run_abort },   { .kind = "fault", .run = run_fault },
	{ .kind = "wait", .run = run_wait },     { 0 },
};
static const struct sf_job_kind *const kinds[] = { table, NULL };

/* ---- forked runners ------------------------------------------------------------------------------------------ */

struct child {
	struct rig rig;
	struct sf_jobs_opts o;
	int ctl; /* a byte here: drain */
};

static void child_main(struct rig *r) {
	struct child *c = SF_CONTAINER(r, struct child, rig);
	runner(r, c->o);
	int err = sf_wait_fd(c->ctl, 1, -1);
	(void)err;
	drain(r, 5000);
}

struct worker {
	pid_t pid;
	int ctl;
};

static void spawn(struct worker *w, struct rig *r, struct sf_jobs_opts o) {
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	w->pid = fork_child();
	if (w->pid == 0) {
		static struct child c;
		close(fds[1]);
		c.o = o, c.ctl = fds[0];
		memcpy(c.rig.url, r->url, sizeof c.rig.url);
		memcpy(c.rig.dir, r->dir, sizeof c.rig.dir);
		rig_loop(&c.rig, child_main);
		_exit(0);
	}
	close(fds[0]);
	w->ctl = fds[1];
}
static void kill_hard(struct worker *w) {
	int status;
	kill(w->pid, SIGKILL);
	waitpid(w->pid, &status, 0);
	close(w->ctl);
	w->pid = 0;
}
static void end(struct worker *w) {
	int status = -1;
	if (!w->pid) return;
	assert_int_equal(write(w->ctl, "x", 1), 1);
	waitpid(w->pid, &status, 0);
	close(w->ctl);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	w->pid = 0;
}

/* The loop of a test must not be inherited by a running coroutine, so the tests below are plain functions that look at the
 * database in short loops of their own. */
static const char *ask_sql;
static int64_t answer;
static void ask_main(struct rig *r) {
	answer = number(r, ask_sql);
}
static int64_t ask(struct rig *r, const char *text) {
	ask_sql = text;
	rig_loop(r, ask_main);
	return answer;
}
static void nap(int ms) {
	usleep((useconds_t)ms * 1000);
}
#define UNTIL(cond, seconds)                                                                                 \
	do {                                                                                                     \
		int64_t until_ = sf_clock_ns() + INT64_C(1000000000) * (seconds);                                    \
		while (!(cond)) {                                                                                    \
			if (sf_clock_ns() > until_) fail_msg("line %d: waited in vain for %s", __LINE__, #cond);         \
			nap(20);                                                                                         \
		}                                                                                                    \
	} while (0)

static const char *fill_kind;
static int fill_n;
static void fill_main(struct rig *r) {
	struct sf_job_new *jobs = sf_arena_zalloc(r->a, (size_t)fill_n * sizeof *jobs);
	for (int i = 0; i < fill_n; i++)
		jobs[i] =
			(struct sf_job_new) { .kind = fill_kind, .payload = sf_arena_printf(r->a, "{\"n\":%d}", i) };
	OK(sf_job_add_many(db(r), jobs, (size_t)fill_n, NULL));
}
static void fill(struct rig *r, const char *kind, int n) {
	fill_kind = kind, fill_n = n;
	rig_loop(r, fill_main);
}

static void prepare(struct rig *r, bool pg) {
	struct sf_str why;
	if (pg && !server.dir[0]) skip();
	shared_new();
	OK(sf_jobs_declare(kinds, NULL, &why));
	rig_up(r, pg);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void each_once(bool pg) {
	enum { N = 3000, WORKERS = 3 };
	struct rig r;
	struct worker w[WORKERS];
	prepare(&r, pg);
	fill(&r, "count", N);
	for (int i = 0; i < WORKERS; i++) spawn(&w[i], &r, (struct sf_jobs_opts) { 0 });
	UNTIL(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done'") == N, 30);
	for (int i = 0; i < WORKERS; i++) end(&w[i]);
	for (int i = 0; i < N; i++) assert_int_equal(shared->order[i], 1);
	rig_down(&r);
}

static void killed(bool pg) {
	enum { N = 2000, WORKERS = 2, KILLS = 6 };
	struct rig r;
	struct worker w[WORKERS];
	struct sf_jobs_opts o = { .lease_ms = 2000, .poll_ms = 100 };
	prepare(&r, pg);
	fill(&r, "ledger", N);
	for (int i = 0; i < WORKERS; i++) spawn(&w[i], &r, o);
	for (int k = 0; k < KILLS; k++) {
		nap(150 + 37 * k);
		kill_hard(&w[k % WORKERS]);
		spawn(&w[k % WORKERS], &r, o);
	}
	UNTIL(ask(&r, "SELECT count(*) FROM jobs") == 0, 40);
	assert_int_equal(ask(&r, "SELECT count(*) FROM ledger"), N);
	assert_int_equal(ask(&r, "SELECT count(DISTINCT job) FROM ledger"), N);
	assert_int_equal(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done'"), N);
	for (int i = 0; i < WORKERS; i++) end(&w[i]);
	rig_down(&r);
}

static void longer_than_its_lease(bool pg) {
	struct rig r;
	struct worker w[2];
	struct sf_jobs_opts o = { .lease_ms = 300, .poll_ms = 50 };
	prepare(&r, pg);
	fill(&r, "long", 1);
	for (int i = 0; i < 2; i++) spawn(&w[i], &r, o);
	UNTIL(shared->over == 1, 20);
	UNTIL(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done' AND crashes = 0") == 1, 5);
	assert_int_equal(shared->begun, 1);
	assert_int_equal(ask(&r, "SELECT count(*) FROM ledger"), 1);
	for (int i = 0; i < 2; i++) end(&w[i]);
	rig_down(&r);
}

static void stopped_past_its_lease(bool pg) {
	struct rig r;
	struct worker w[2];
	struct sf_jobs_opts o = { .lease_ms = 300, .poll_ms = 50 };
	prepare(&r, pg);
	fill(&r, "stopped", 1);
	spawn(&w[0], &r, o);
	UNTIL(shared->runs[10] != 0, 10);
	spawn(&w[1], &r, o);
	UNTIL(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done'") == 1, 10);
	assert_int_equal(shared->begun, 2);
	kill(w[0].pid, SIGCONT);
	UNTIL(shared->runs[11] == 1, 10);
	/* the commit was refused, or the renewal of the lease was faster and stopped the run */
	assert_true(shared->refused == SF_ECONFLICT || shared->refused == SF_EDRAINING);
	assert_int_equal(ask(&r, "SELECT count(*) FROM ledger"), 1);
	fill(&r, "count", 20); /* and it works on, as a new worker */
	UNTIL(ask(&r, "SELECT count(*) FROM jobs") == 0, 10);
	assert_int_equal(shared->begun, 2);
	for (int i = 0; i < 2; i++) end(&w[i]);
	rig_down(&r);
}

/* Starts dead workers again, as a supervisor does, until no job is left: also the one whose last job was given up as it died. */
static void until_empty(struct rig *r, struct worker *w, int n, struct sf_jobs_opts o) {
	int64_t until = sf_clock_ns() + INT64_C(60000000000);
	int status;
	for (bool empty = false; !empty; nap(20)) {
		assert_true(sf_clock_ns() < until);
		empty = ask(r, "SELECT count(*) FROM jobs") == 0;
		for (int i = 0; i < n; i++)
			if (waitpid(w[i].pid, &status, WNOHANG) == w[i].pid) {
				close(w[i].ctl);
				spawn(&w[i], r, o);
			}
	}
}

/* Dies of it while its code is executed: nobody else is suspected, begun or not. */
static void poison(bool pg) {
	enum { N = 200 };
	struct rig r;
	struct worker w[2];
	struct sf_jobs_opts o = { .lease_ms = 3000, .poll_ms = 50 };
	prepare(&r, pg);
	fill(&r, "abort", 1);
	fill(&r, "count", N);
	for (int i = 0; i < 2; i++) spawn(&w[i], &r, o);
	until_empty(&r, w, 2, o);
	assert_int_equal(shared->runs[20], 3);
	assert_int_equal(
		ask(&r, "SELECT count(*) FROM job_history WHERE state = 'dead' AND kind = 'abort' AND crashes = 3"),
		1);
	assert_int_equal(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done' AND crashes = 0"), N);
	for (int i = 0; i < 2; i++) end(&w[i]);
	rig_down(&r);
}

/* Dies in a thread of the pool, with others begun: each may have been it, until it is alone. */
static void poison_elsewhere(bool pg) {
	enum { N = 100 };
	int status;
	struct rig r;
	struct worker w;
	struct sf_jobs_opts o = { .lease_ms = 3000, .poll_ms = 50 };
	prepare(&r, pg);
	fill(&r, "fault", 1);
	fill(&r, "wait", N);
	spawn(&w, &r, o);
	UNTIL(shared->runs[21] == 1 && waitpid(w.pid, &status, WNOHANG) == w.pid, 30);
	assert_true(shared->begun > 0);
	close(w.ctl);
	shared->over = 1;
	spawn(&w, &r, o);
	until_empty(&r, &w, 1, o);
	assert_int_equal(shared->runs[21], 3);
	assert_int_equal(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'dead' AND kind = 'fault' AND "
							 "crashes = 3 AND error LIKE '%SIGABRT%'"),
					 1);
	assert_int_equal(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done' AND crashes <= 1"), N);
	int64_t suspects = ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done' AND crashes = 1");
	assert_in_range(suspects, 1, 15); /* those that had begun beside it */
	end(&w);
	rig_down(&r);
}

/* Killed from outside, again and again, while jobs wait and many more are held: none is to blame. */
static void killed_while_waiting(bool pg) {
	enum { N = 300, KILLS = 4 };
	struct rig r;
	struct worker w;
	struct sf_jobs_opts o = { .lease_ms = 3000, .poll_ms = 50 };
	prepare(&r, pg);
	fill(&r, "wait", N);
	spawn(&w, &r, o);
	for (int k = 0; k < KILLS; k++) {
		int begun = shared->begun;
		UNTIL(shared->begun >= begun + 16, 30);
		nap(30);
		kill_hard(&w);
		spawn(&w, &r, o);
	}
	shared->over = 1;
	UNTIL(ask(&r, "SELECT count(*) FROM jobs") == 0, 40);
	assert_int_equal(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done'"), N);
	assert_in_range(ask(&r, "SELECT count(*) FROM job_history WHERE crashes > 0"), 0,
					1); /* the odds of a strike */
	end(&w);
	rig_down(&r);
}

/* A host is gone with all that its worker noted: what it held is suspected, and runs. */
static void host_gone(bool pg) {
	enum { N = 40 };
	struct rig r;
	struct worker w;
	struct sf_jobs_opts o = { .lease_ms = 500, .poll_ms = 50 };
	prepare(&r, pg);
	fill(&r, "wait", N);
	spawn(&w, &r, o);
	UNTIL(shared->begun >= 16, 30);
	kill_hard(&w);
	ask(&r, "UPDATE job_workers SET name = 'of another host' RETURNING id");
	int64_t held = ask(&r, "SELECT count(*) FROM jobs WHERE state = 'running'");
	shared->over = 1;
	spawn(&w, &r, o);
	UNTIL(ask(&r, "SELECT count(*) FROM jobs") == 0, 40);
	assert_int_equal(ask(&r, "SELECT count(*) FROM job_history WHERE state = 'done'"), N);
	assert_int_equal(ask(&r, "SELECT count(*) FROM job_history WHERE crashes = 1"), held);
	end(&w);
	rig_down(&r);
}

#define EACH(fn)                                                                                             \
	static void fn##_lite(void **state) {                                                                    \
		(void)state;                                                                                         \
		fn(false);                                                                                           \
	}                                                                                                        \
	static void fn##_pg(void **state) {                                                                      \
		(void)state;                                                                                         \
		fn(true);                                                                                            \
	}
EACH(each_once)
EACH(killed)
EACH(longer_than_its_lease)
EACH(stopped_past_its_lease)
EACH(poison)
EACH(poison_elsewhere)
EACH(killed_while_waiting)
EACH(host_gone)

int main(void) {
	const struct CMUnitTest tests[] = {
		TWO(each_once), TWO(killed),           TWO(longer_than_its_lease), TWO(stopped_past_its_lease),
		TWO(poison),    TWO(poison_elsewhere), TWO(killed_while_waiting),  TWO(host_gone),
	};
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
