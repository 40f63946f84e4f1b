/* The one writer of SQLite under load and trouble: grouped commits, several processes, a killed holder of the lock, a
 * full disk, a line that is too long. No client ever sees SQLITE_BUSY [APP-5]. */
#include "child.h"
#include "fixture.h"
#include "core/time.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct add_in {
	int64_t id, by;
};
static const struct sf_dbcol add_cols[] = { COL(struct add_in, id, SF_T_INT, false),
											COL(struct add_in, by, SF_T_INT, false) };
static const struct sf_dbcol number_cols[] = { COL(struct number, n, SF_T_INT, false) };
QUERY(insert, SF_Q_EXEC, true, "INSERT INTO n (n) VALUES (1)", .id = 1);
QUERY(insert_big, SF_Q_EXEC, true, "INSERT INTO n (n) VALUES (randomblob(100000))", .id = 2);
QUERY(balance, SF_Q_ONE, false, "SELECT n FROM account WHERE id = ?1", .in = add_cols, .nin = 1,
	  OUT(number_cols, struct number), .id = 3);
QUERY(set_balance, SF_Q_EXEC, true, "UPDATE account SET n = ?2 WHERE id = ?1", IN(add_cols), .id = 4);
QUERY(count, SF_Q_ONE, false, "SELECT count(*) FROM n", OUT(number_cols, struct number), .id = 5);
#define TABLE "CREATE TABLE IF NOT EXISTS n (id INTEGER PRIMARY KEY, n)"

static struct sf_dbh *own(struct member *m) {
	return sf_db_auto(m->crowd->w->db, m->a, SF_READ_PRIMARY, "m");
}
static void write_once(struct member *m) {
	m->err = sf_db_exec(own(m), &insert, NULL, NULL);
}
static void write_20(struct member *m) {
	for (int i = 0; i < 20 && !m->err; i++) m->err = sf_db_exec(own(m), &insert, NULL, NULL);
}
static void hold(struct member *m) {
	struct sf_dbh *tx = NULL;
	m->err = sf_tx_begin(m->crowd->w->db, m->a, "m", &tx);
	if (!m->err) m->err = sf_sleep(60000);
	sf_tx_end(tx);
}

/* ---- groups -------------------------------------------------------------------------------------------------------- */

static void groups_body(struct world *w) {
	struct crowd c = { .w = w };
	struct member *m[64];
	struct sf_db_stats before, after;
	sql(w, TABLE);
	sf_db_stats(w->db, &before);
	for (int i = 0; i < 64; i++) m[i] = crowd_add(&c, write_20, i);
	crowd_wait(&c);
	for (int i = 0; i < 64; i++) OK(m[i]->err);
	sf_db_stats(w->db, &after);
	assert_int_equal(after.commits - before.commits, 64 * 20);
	assert_true(after.groups > before.groups);
	assert_true((after.groups - before.groups) * 4 <= after.commits - before.commits);
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 64 * 20);
}
static void grouped_commits(void **state) {
	world_run(*state, groups_body);
}

/* ---- cancellation ----------------------------------------------------------------------------------------------------- */

/* Clients that are cut off at any moment, over and over: what was committed is counted, nothing else is there, and
 * neither a reader nor the writer stays taken. */
struct storm {
	int64_t committed, unknown;
};
static struct storm *storm_of(struct member *m) {
	return (struct storm *)m->crowd->w->user;
}
static void client(struct member *m) {
	struct storm *s = storm_of(m);
	struct number row;
	for (int i = 0; !m->err; i++) {
		struct sf_dbh *tx = NULL;
		if ((m->i + i) % 3 == 0) {
			m->err = sf_db_one(own(m), &count, NULL, &row);
		} else if ((m->i + i) % 3 == 1) {
			m->err = sf_db_exec(own(m), &insert, NULL, NULL);
			if (!m->err)
				s->committed++;
			else
				s->unknown++; /* it may have been in a group already */
		} else {
			m->err = sf_tx_begin(m->crowd->w->db, m->a, "storm", &tx);
			if (!m->err) m->err = sf_db_exec(tx, &insert, NULL, NULL);
			if (!m->err) m->err = sf_db_one(tx, &count, NULL, &row);
			if (!m->err && !(m->err = sf_tx_commit(tx))) s->committed++;
			sf_tx_end(tx);
		}
	}
}
static void storm_body(struct world *w) {
	struct storm s = { 0 };
	struct member *m[48];
	struct sf_db_stats stats;
	w->user = &s;
	sql(w, TABLE);
	srandom(7);
	for (int round = 0; round < 25; round++) {
		struct crowd c = { .w = w };
		for (int i = 0; i < 48; i++) m[i] = crowd_add(&c, client, i);
		for (int left = 48; left; left--) {
			if (random() % 4 == 0) OK(sf_sleep(random() % 3));
			if (random() % 16 == 0) continue;
			if (m[left - 1]->co) sf_co_cancel(m[left - 1]->co, SF_ECANCELED);
		}
		OK(sf_sleep(1));
		for (int i = 0; i < 48; i++)
			if (!m[i]->over) sf_co_cancel(m[i]->co, SF_EDRAINING);
		crowd_wait(&c);
		for (int i = 0; i < 48; i++) assert_true(m[i]->err == SF_ECANCELED || m[i]->err == SF_EDRAINING);
	}
	sql(w, "INSERT INTO n (n) VALUES (1)"); /* after whatever still ran for those who had left */
	int64_t there = number(w, "SELECT count(*) FROM n") - 1;
	assert_true(there >= s.committed && there <= s.committed + s.unknown);
	assert_true(s.committed > 0);
	sf_db_stats(w->db, &stats);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(sf_db_holders(w->db, &(struct sf_db_holder) { 0 }, 1), 0);
}
static void cancel_storm(void **state) {
	world_run(*state, storm_body);
}

/* ---- processes --------------------------------------------------------------------------------------------------------- */

enum { CLIENTS = 64, PROCESSES = 4, ACCOUNTS = 8, TURNS = 48 };

/* Reads a balance, then writes it raised by one: with any lost update the sum is wrong. Every third turn is a plain
 * write, every fourth a transaction that is given up. */
static void teller(struct member *m) {
	for (int turn = 0; turn < TURNS && !m->err; turn++) {
		struct add_in in = { .id = (m->i + turn) % ACCOUNTS };
		struct sf_dbh *tx = NULL;
		struct number row;
		if (turn % 3 == 0) {
			m->err = sf_db_exec(own(m), &insert, NULL, NULL);
			continue;
		}
		m->err = sf_db_one(own(m), &balance, &in, &row); /* as a page does before its form is sent */
		if (!m->err) m->err = sf_tx_begin(m->crowd->w->db, m->a, "teller", &tx);
		if (!m->err) m->err = sf_db_one(tx, &balance, &in, &row);
		in.by = row.n + 1;
		if (!m->err) m->err = sf_db_exec(tx, &set_balance, &in, NULL);
		if (!m->err && turn % 4 != 1) m->err = sf_tx_commit(tx);
		sf_tx_end(tx);
	}
}
static void tellers_body(struct world *w) {
	struct crowd c = { .w = w };
	struct member *m[CLIENTS];
	for (int i = 0; i < CLIENTS; i++) m[i] = crowd_add(&c, teller, i);
	crowd_wait(&c);
	for (int i = 0; i < CLIENTS; i++) OK(m[i]->err);
}
static void bank_body(struct world *w) {
	sql(w, TABLE);
	sql(w, "CREATE TABLE account (id INTEGER PRIMARY KEY, n INTEGER NOT NULL DEFAULT 0)");
	sql(w, "INSERT INTO account (id) SELECT value FROM json_each('[0,1,2,3,4,5,6,7]')");
}
static void sums_body(struct world *w) {
	int committed = 0, single = 0;
	for (int turn = 0; turn < TURNS; turn++) {
		if (turn % 3 == 0)
			single++;
		else if (turn % 4 != 1)
			committed++;
	}
	assert_int_equal(number(w, "SELECT sum(n) FROM account"), PROCESSES * CLIENTS * committed);
	assert_int_equal(number(w, "SELECT count(*) FROM n"), PROCESSES * CLIENTS * single);
	assert_int_equal(number(w, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
					 1);
}

static pid_t in_child(struct world *w, void (*body)(struct world *w)) {
	pid_t pid = fork_child();
	if (pid) return pid;
	world_run(w, body);
	_exit(0);
}
static void child_ok(pid_t pid) {
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) fail_msg("a child ended with status %x", (unsigned)status);
}

static void four_processes(void **state) {
	pid_t pid[PROCESSES];
	world_run(*state, bank_body);
	for (int i = 0; i < PROCESSES; i++) pid[i] = in_child(*state, tellers_body);
	for (int i = 0; i < PROCESSES; i++) child_ok(pid[i]);
	world_run(*state, sums_body);
}

/* Processes that never stop writing get their turns alike: none is left to wait out its time. */
enum { SHARES = 3 };
static _Atomic int64_t *share; /* of each, in memory that the children share */
static int my_share;
static void writer(struct member *m) {
	int64_t until = sf_clock_ns() + 700000000;
	while (!m->err && sf_clock_ns() < until)
		if (!(m->err = sf_db_exec(own(m), &insert, NULL, NULL))) share[my_share]++;
}
static void share_body(struct world *w) {
	struct crowd c = { .w = w };
	struct member *m[CLIENTS];
	for (int i = 0; i < CLIENTS; i++) m[i] = crowd_add(&c, writer, i);
	crowd_wait(&c);
	for (int i = 0; i < CLIENTS; i++) OK(m[i]->err);
}
static void fair_turns(void **state) {
	pid_t pid[SHARES];
	int64_t least = INT64_MAX, most = 0;
	share = mmap(NULL, sizeof *share * SHARES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(share, MAP_FAILED);
	world_run(*state, bank_body);
	for (my_share = 0; my_share < SHARES; my_share++) pid[my_share] = in_child(*state, share_body);
	for (int i = 0; i < SHARES; i++) child_ok(pid[i]);
	for (int i = 0; i < SHARES; i++) {
		least = share[i] < least ? share[i] : least;
		most = share[i] > most ? share[i] : most;
	}
	assert_true(least > 0 && least * 4 >= most);
	munmap((void *)share, sizeof *share * SHARES);
}

/* A process that holds the writer is killed: the others go on, and nothing of what it did is left. */
enum { PIPE = 99 }; /* the descriptor by which the child tells that it holds the writer */
static void killed_body(struct world *w) {
	struct sf_dbh *tx = NULL;
	OK(sf_tx_begin(w->db, w->a, "victim", &tx));
	OK(sf_db_exec(tx, &insert, NULL, NULL));
	assert_int_equal(write(PIPE, "x", 1), 1);
	(void)!sf_sleep(60000);
	sf_tx_end(tx);
}
static void survivor_body(struct world *w) {
	sql(w, "INSERT INTO n (n) VALUES (2)");
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 1);
}
static void table_body(struct world *w) {
	sql(w, TABLE);
}
static void killed_holder(void **state) {
	int ends[2];
	char c;
	world_run(*state, table_body);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], PIPE), PIPE);
	close(ends[1]);
	pid_t victim = in_child(*state, killed_body);
	close(PIPE);
	assert_int_equal(read(ends[0], &c, 1), 1); /* it holds the writer now */
	close(ends[0]);
	pid_t survivor = in_child(*state, survivor_body);
	assert_int_equal(kill(victim, SIGKILL), 0);
	assert_int_equal(waitpid(victim, NULL, 0), victim);
	child_ok(survivor);
}

/* ---- limits --------------------------------------------------------------------------------------------------------------- */

/* Another process sits on the lock: who waits too long, or finds the line too long, is told so. */
static void overload_body(struct world *w) {
	struct crowd c = { .w = w };
	struct member *m[12];
	struct sf_dbh *tx = NULL;
	struct sf_db_stats s;
	char path[160];
	sql(w, TABLE);
	snprintf(path, sizeof path, "%s-writer", w->path);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	for (int i = 0; i < 12; i++) m[i] = crowd_add(&c, i % 2 ? hold : write_once, i);
	OK(sf_sleep(20));
	sf_db_stats(w->db, &s);
	assert_int_equal(s.waiting, 8);
	for (int i = 0; i < 12; i++) assert_int_equal(m[i]->over, i >= 8); /* at once: the line holds 8 */
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 0);          /* readers do not care */
	crowd_wait(&c);
	for (int i = 0; i < 12; i++) ERR(m[i]->err, SF_EOVERLOAD);
	ERR(sf_tx_begin(w->db, w->a, "late", &tx), SF_EOVERLOAD);
	sf_db_stats(w->db, &s);
	assert_int_equal(s.refused, 13);
	assert_int_equal(s.waiting, 0);
	close(fd);
	sql(w, "INSERT INTO n (n) VALUES (1)");
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 1); /* those who gave up left nothing */
}
static void overload(void **state) {
	struct world *w = *state;
	w->opts.wait_ms = 150, w->opts.wait_max = 8;
	world_run(w, overload_body);
}

/* The disk is full for a while (a limit on the size of files stands for it): a clean error, and recovery. */
static void full_body(struct world *w) {
	struct rlimit old, small;
	int err = 0;
	sql(w, TABLE);
	OK(sf_db_ping(w->db));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1000000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int written = 0;
	for (; written < 50 && !err; written++) err = sf_db_exec(autoh(w), &insert_big, NULL, NULL);
	written--;
	ERR(err, SF_EUNAVAILABLE);
	struct number row;
	OK(sf_db_one(autoh(w), &count, NULL, &row)); /* reading goes on */
	assert_int_equal(row.n, written);
	struct sf_dbh *tx = NULL;
	OK(sf_tx_begin(w->db, w->a, "full", &tx));
	err = sf_db_exec(tx, &insert_big, NULL, NULL);
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	ERR(err, SF_EUNAVAILABLE);
	small.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	ERR(sf_db_ping(w->db), SF_EUNAVAILABLE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	OK(sf_db_ping(w->db));
	OK(sf_db_exec(autoh(w), &insert_big, NULL, NULL));
	assert_int_equal(number(w, "SELECT count(*) FROM n"), written + 1);
	assert_int_equal(number(w, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
					 1);
}
static void full_disk(void **state) {
	signal(SIGXFSZ, SIG_IGN);
	world_run(*state, full_body);
}

/* The file cannot be made at first: the program lives, says so, and heals when the obstacle goes [APP-6]. */
static void late_body(struct world *w) {
	struct number row;
	ERR(sf_db_ping(w->db), SF_EUNAVAILABLE);
	ERR(sf_db_exec(autoh(w), &insert, NULL, NULL), SF_EUNAVAILABLE);
	ERR(sf_db_one(autoh(w), &count, NULL, &row), SF_EUNAVAILABLE);
	char at[100];
	snprintf(at, sizeof at, "%s/data", w->dir);
	assert_int_equal(unlink(at), 0);
	for (int i = 0; sf_db_ping(w->db) != 0; i++) {
		assert_true(i < 100);
		OK(sf_sleep(50));
	}
	sql(w, TABLE);
	sql(w, "INSERT INTO n (n) VALUES (1)");
	assert_int_equal(number(w, "SELECT count(*) FROM n"), 1);
}
static void late_file(void **state) {
	struct world *w = *state;
	char at[100];
	snprintf(at, sizeof at, "%s/data", w->dir);
	FILE *f = fopen(at, "w"); /* a file where the folder should be */
	assert_non_null(f);
	fclose(f);
	world_run(w, late_body);
}

/* Rows in a copy of the main file alone, as somebody takes it who does not know of the log; -1: not even the table. */
static int64_t rows_in_copy(struct world *w) {
	char cmd[400], copy[200];
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int64_t n = -1;
	snprintf(copy, sizeof copy, "%s/copy.db", w->dir);
	snprintf(cmd, sizeof cmd, "cp %s %s", w->path, copy);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(sqlite3_open(copy, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, "SELECT count(*) FROM n", -1, &s, NULL) == SQLITE_OK &&
		sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

/* A few writes, then nothing: soon the main file holds them. */
static void quiet_body(struct world *w) {
	sql(w, TABLE);
	for (int i = 0; i < 3; i++) OK(sf_db_exec(autoh(w), &insert, NULL, NULL));
	for (int i = 0; rows_in_copy(w) != 3; i++) {
		assert_true(i < 500);
		OK(sf_sleep(20));
	}
}
static void log_is_copied_in_a_pause(void **state) {
	struct world *w = *state;
	w->opts.quiet_ms = 100;
	world_run(w, quiet_body);
}

/* A heartbeat leaves no pause that is long enough: it happens all the same. */
static void beating_body(struct world *w) {
	sql(w, TABLE);
	for (int i = 0; rows_in_copy(w) < 1; i++) {
		assert_true(i < 3000);
		OK(sf_db_exec(autoh(w), &insert, NULL, NULL));
		OK(sf_sleep(2));
	}
}
static void log_is_copied_beside_a_heartbeat(void **state) {
	struct world *w = *state;
	w->opts.quiet_ms = 200;
	world_run(w, beating_body);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		DB_TEST(grouped_commits),
		DB_TEST(cancel_storm),
		DB_TEST(four_processes),
		DB_TEST(fair_turns),
		DB_TEST(killed_holder),
		DB_TEST(overload),
		DB_TEST(full_disk),
		DB_TEST(late_file),
		DB_TEST(log_is_copied_in_a_pause),
		DB_TEST(log_is_copied_beside_a_heartbeat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
