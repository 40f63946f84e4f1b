/* The writing thread of the SQLite engine: groups of units of work that share one COMMIT.
 *
 * SQLite has one writer at a time. Left to itself it answers the others with SQLITE_BUSY, at once where a reading
 * transaction wants to write, or after a time-out; and each COMMIT costs an fsync. So all writes of a process go
 * through this thread, and the threads of several processes take turns by locks of a file of their own:
 *
 *     wait for work → lock → BEGIN IMMEDIATE → { SAVEPOINT u, the unit, RELEASE u }… → COMMIT → unlock → answers
 *
 * A unit is a single statement or a whole interactive transaction, which holds the thread between its statements.
 * What fails is rolled back to its savepoint and harms no neighbour. Nobody is told of success before the COMMIT.
 *
 * A group ends when the line is empty, but a group that is small beside the last one lingers a moment, for those who
 * were answered together come back together; without that, groups of 1 and 63 would alternate for 64 clients.
 *
 * Two byte locks of the file (open file description locks: the kernel drops them when a process dies) make the
 * turns fair: who wants the writer's lock holds the turnstile's while it waits, so that a process which has just
 * finished a group cannot overtake one that is waiting.
 *
 * Some errors (disk full, I/O, an interrupted write) make SQLite roll the whole transaction back, with everything the
 * group did. Then the unit at fault gets its error, single statements before it run again in the next group, and
 * interactive transactions that were waiting for the COMMIT get SF_ESERIAL: certainly not done, worth another run. */
#include "db/sqlite.h"
#include "core/time.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOCK_WRITER, LOCK_TURNSTILE };
#define TRIES 3 /* runs of a single statement whose group is lost again and again */

struct group {
	struct sf_lite *db;
	struct sf_node jobs; /* what waits for the COMMIT */
	size_t units, last_units;
	int64_t started_ns, commit_ns; /* of this group; how long the last COMMIT took */
	bool lost;                     /* SQLite rolled the transaction back */
	const struct sf_lite__job
		*culprit; /* ... because of this statement; NULL: of an interactive transaction */
};

/* ---- the lock between processes -------------------------------------------------------------------------------- */

static int lock(struct sf_lite *db, short type, int which) {
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = which, .l_len = 1 };
	int rc;
	do {
		rc = fcntl(db->lock_fd, F_OFD_SETLKW, &l);
	} while (rc != 0 && errno == EINTR);
	return rc == 0 ? 0 : errno;
}

static int take_turn(struct sf_lite *db) {
	if (db->lock_fd < 0) db->lock_fd = open(db->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (db->lock_fd < 0) return errno;
	int err = lock(db, F_WRLCK, LOCK_TURNSTILE);
	if (err) return err;
	err = lock(db, F_WRLCK, LOCK_WRITER);
	int end = lock(db, F_UNLCK, LOCK_TURNSTILE);
	return err ? err : end;
}

static void give_turn(struct sf_lite *db) {
	if (lock(db, F_UNLCK, LOCK_WRITER) == 0) return;
	close(db->lock_fd); /* gives every lock up */
	db->lock_fd = -1;
}

/* ---- the line ------------------------------------------------------------------------------------------------- */

/* The first job of the line, waiting up to wait_ns for one; NULL: none came. */
static struct sf_lite__job *next(struct sf_lite *db, int64_t wait_ns) {
	struct sf_lite__line *line = &db->writes;
	struct sf_lite__job *job = NULL;
	uv_mutex_lock(&line->lock);
	if (!line->n && wait_ns > 0 && !line->stop)
		uv_cond_timedwait(&line->more, &line->lock, (uint64_t)wait_ns);
	if (line->n) {
		job = SF_CONTAINER(line->jobs.next, struct sf_lite__job, node);
		sf_list_del(&job->node);
		line->n--;
		job->taken = true;
		if (job->op == SF_LITE__BEGIN) job->tx->refs++, job->tx->state = SF_LITE__ACTIVE;
	}
	uv_mutex_unlock(&line->lock);
	return job;
}

static void answer(struct sf_lite *db, struct sf_lite__job *job) {
	struct sf_node one;
	sf_list_init(&one);
	sf_list_push(&one, &job->node);
	sf_lite__deliver(db, &one);
}

/* Fails everything that waits: the file cannot be written at all. */
static void fail_all(struct sf_lite *db, int err, const char *why) {
	struct sf_lite__job *job;
	while ((job = next(db, 0))) {
		job->err = err;
		snprintf(job->why, sizeof job->why, "%s", why);
		if (job->op == SF_LITE__BEGIN) {
			uv_mutex_lock(&db->writes.lock);
			job->tx->state = SF_LITE__OVER, job->tx->why_over = err, job->tx->refs--;
			uv_mutex_unlock(&db->writes.lock);
		}
		answer(db, job);
	}
}

/* ---- units ------------------------------------------------------------------------------------------------------ */

/* Takes back what the unit did; a transaction that SQLite has ended already takes the whole group with it. */
static void undo(struct group *g) {
	struct sf_lite__conn *c = &g->db->writer;
	if (!sqlite3_get_autocommit(c->db) && sf_lite__conn_do(c, SF_LITE__SQL_BACK) == SQLITE_OK &&
		sf_lite__conn_do(c, SF_LITE__SQL_RELEASE) == SQLITE_OK)
		return;
	if (!sqlite3_get_autocommit(c->db) && sf_lite__conn_do(c, SF_LITE__SQL_ROLLBACK) != SQLITE_OK)
		sf_lite__note(g->db, "sqlite could not roll back", sqlite3_errmsg(c->db));
	g->lost = true;
}

/* Ends the unit's savepoint for good; job gets the error if that fails. */
static void keep(struct group *g, struct sf_lite__job *job) {
	struct sf_lite__conn *c = &g->db->writer;
	int deferred = 0, high = 0, rc;
	/* a deferred foreign key that is broken would make the COMMIT of everybody fail */
	sqlite3_db_status(c->db, SQLITE_DBSTATUS_DEFERRED_FKS, &deferred, &high, 0);
	if (deferred) {
		job->err = SF_ECONFLICT;
	} else if ((rc = sf_lite__conn_do(c, SF_LITE__SQL_RELEASE)) != SQLITE_OK) {
		sf_lite__conn_error(c, job, rc);
	}
	if (job->err) undo(g);
}

static bool save(struct group *g, struct sf_lite__job *job) {
	struct sf_lite__conn *c = &g->db->writer;
	int rc = sf_lite__conn_do(c, SF_LITE__SQL_SAVE);
	if (rc == SQLITE_OK) return true;
	sf_lite__conn_error(c, job, rc);
	if (sqlite3_get_autocommit(c->db)) g->lost = true;
	return false;
}

/* Whether the file can be written: writes a field of its first page as it is. */
static void probe(struct sf_lite__conn *c, struct sf_lite__job *job) {
	char sql[64];
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(c->db, "PRAGMA user_version", -1, &s, NULL);
	if (rc == SQLITE_OK) {
		int version = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
		rc = sqlite3_finalize(s);
		snprintf(sql, sizeof sql, "PRAGMA user_version=%d", version);
	}
	if (rc == SQLITE_OK) rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK) sf_lite__conn_error(c, job, rc);
}

static void single(struct group *g, struct sf_lite__job *job) {
	struct sf_lite__conn *c = &g->db->writer;
	job->err = 0;
	if (save(g, job)) {
		if (job->op == SF_LITE__PROBE) {
			probe(c, job);
		} else {
			sf_lite__conn_run(c, job);
		}
		if (job->err)
			undo(g);
		else
			keep(g, job);
	}
	if (g->lost) g->culprit = job;
	sf_list_push(&g->jobs, &job->node);
}

/* The next thing that the transaction's coroutine wants; NULL: its end, or it paused too long. */
static struct sf_lite__job *tx_next(struct sf_lite *db, struct sf_lite__tx *tx) {
	struct sf_lite__job *job;
	int64_t until = sf_clock_ns() + db->hold_ms * 1000000, now = 0;
	uv_mutex_lock(&db->writes.lock);
	while (!tx->job && !tx->ended && (now = sf_clock_ns()) < until)
		uv_cond_timedwait(&db->tx_more, &db->writes.lock, (uint64_t)(until - now));
	job = tx->job;
	tx->job = NULL;
	if (job) {
		job->taken = true;
	} else {
		tx->state = SF_LITE__OVER;
		tx->why_over = SF_EDEADLINE;
	}
	bool paused = !job && !tx->ended;
	uv_mutex_unlock(&db->writes.lock);
	if (paused) sf_lite__note(db, "a transaction paused too long and was rolled back", tx->label);
	return job;
}

static void tx_over(struct sf_lite *db, struct sf_lite__tx *tx, int why) {
	uv_mutex_lock(&db->writes.lock);
	if (tx->state != SF_LITE__OVER) tx->state = SF_LITE__OVER, tx->why_over = why;
	bool last = --tx->refs == 0;
	uv_mutex_unlock(&db->writes.lock);
	if (last) free(tx);
}

/* Serves one interactive transaction from its savepoint to its end. */
static void interactive(struct group *g, struct sf_lite__job *begin) {
	struct sf_lite *db = g->db;
	struct sf_lite__tx *tx = begin->tx;
	struct sf_lite__job *job = NULL;
	begin->err = 0;
	bool open = save(g, begin);
	answer(db, begin);
	if (!open) {
		tx_over(db, tx, SF_EDB);
		return;
	}
	while ((job = tx_next(db, tx)) && job->op != SF_LITE__COMMIT) {
		sf_lite__conn_run(&db->writer, job);
		bool gone = sqlite3_get_autocommit(db->writer.db);
		answer(db, job);
		if (gone) {
			g->lost = true;
			tx_over(db, tx, SF_EDB);
			return;
		}
	}
	if (job) {
		job->err = 0;
		keep(g, job);
		sf_list_push(&g->jobs, &job->node);
	} else {
		undo(g);
	}
	tx_over(db, tx, SF_EDB);
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

/* The group's transaction is gone: statements go back to the head of the line, in their order. */
static void rerun(struct group *g) {
	struct sf_lite__line *line = &g->db->writes;
	struct sf_node done;
	sf_list_init(&done);
	uv_mutex_lock(&line->lock);
	while (!sf_list_empty(&g->jobs)) {
		struct sf_lite__job *job = SF_CONTAINER(g->jobs.prev, struct sf_lite__job, node);
		sf_list_del(&job->node);
		if (job->op == SF_LITE__COMMIT) {
			if (!job->err) job->err = SF_ESERIAL;
		} else if (job != g->culprit && ++job->tries < TRIES) {
			job->taken = false;
			sf_list_push(line->jobs.next, &job->node); /* before the first: at the head */
			line->n++;
			continue;
		} else if (!job->err) {
			job->err = SF_EUNAVAILABLE;
		}
		sf_list_push(&done, &job->node);
	}
	uv_mutex_unlock(&line->lock);
	sf_lite__deliver(g->db, &done);
}

static void commit(struct group *g) {
	struct sf_lite__conn *c = &g->db->writer;
	int64_t started = sf_clock_ns();
	int rc = sf_lite__conn_do(c, SF_LITE__SQL_COMMIT);
	g->commit_ns = sf_clock_ns() - started;
	if (rc == SQLITE_OK) return;
	for (struct sf_node *n = g->jobs.next; n != &g->jobs; n = n->next) {
		struct sf_lite__job *job = SF_CONTAINER(n, struct sf_lite__job, node);
		sf_lite__conn_error(c, job, rc);
		job->err = SF_EUNAVAILABLE;
	}
	if (!sqlite3_get_autocommit(c->db) && sf_lite__conn_do(c, SF_LITE__SQL_ROLLBACK) != SQLITE_OK)
		sf_lite__note(g->db, "sqlite could not roll back", sqlite3_errmsg(c->db));
}

/* Another unit for the group, or NULL when it is time to commit. */
static struct sf_lite__job *join(struct group *g) {
	if (g->lost || g->units >= SF_LITE__GROUP_UNITS || sf_clock_ns() - g->started_ns > SF_LITE__GROUP_NS)
		return NULL;
	struct sf_lite__job *job = next(g->db, 0);
	if (job || !g->units || g->units * 2 > g->last_units) return job;
	int64_t linger = g->commit_ns / 2;
	return next(g->db, linger < SF_LITE__LINGER_NS ? linger : SF_LITE__LINGER_NS);
}

static void run_group(struct group *g) {
	struct sf_lite *db = g->db;
	struct sf_lite__conn *c = &db->writer;
	struct sf_lite__job *job;
	int err = take_turn(db);
	if (err) {
		fail_all(db, SF_EUNAVAILABLE, strerror(err));
		return;
	}
	int rc = sf_lite__conn_do(c, SF_LITE__SQL_BEGIN);
	if (rc != SQLITE_OK) {
		struct sf_lite__job said = { 0 };
		sf_lite__conn_error(c, &said, rc);
		fail_all(db, said.err, said.why);
		give_turn(db);
		return;
	}
	g->units = 0, g->lost = false, g->culprit = NULL;
	g->started_ns = sf_clock_ns();
	while ((job = join(g))) {
		if (job->op == SF_LITE__BEGIN)
			interactive(g, job);
		else
			single(g, job);
		g->units++;
	}
	if (!g->lost) commit(g);
	give_turn(db);
	g->last_units = g->units;
	if (g->lost) {
		rerun(g);
		return;
	}
	if (!sf_list_empty(&g->jobs)) {
		db->last_write_ns = sf_clock_ns();
		if (!db->logged_ns) db->logged_ns = db->last_write_ns;
		uv_mutex_lock(&db->done_lock);
		db->groups++;
		uv_mutex_unlock(&db->done_lock);
	}
	sf_lite__deliver(db, &g->jobs);
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

/* SQLite copies its write-ahead log into the main file once the log holds 16 MB, which a quiet installation never reaches: all it
 * has would be in a file that people do not think of when they copy. So the writer does it in the first pause of quiet_ns, and
 * where the pauses are too short, because of heartbeats, after six times that. PASSIVE waits for nobody: what a reader still
 * needs stays in the log until the next time. */
#define PAUSES_MOST 6

/* Time until the log is to be copied; 0: now; -1: it holds nothing. */
static int64_t checkpoint_in(const struct sf_lite *db) {
	if (!db->logged_ns) return -1;
	int64_t now = sf_clock_ns(), quiet = db->last_write_ns + db->quiet_ns,
			late = db->logged_ns + PAUSES_MOST * db->quiet_ns, at = quiet < late ? quiet : late;
	return at > now ? at - now : 0;
}

static void checkpoint(struct sf_lite *db) {
	int in_log = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(db->writer.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
	bool all = rc == SQLITE_OK && copied == in_log;
	db->logged_ns = all ? 0 : sf_clock_ns();
	db->last_write_ns = db->logged_ns;
	if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
		sf_lite__note(db, "sqlite could not copy its log into the main file", sqlite3_errmsg(db->writer.db));
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* Sleeps until there is work; false: the line is empty and closed. While the file is not open, wakes up to try. Wakes up
 * to copy the log, too. */
static bool wait_for_work(struct sf_lite *db) {
	struct sf_lite__line *line = &db->writes;
	uv_mutex_lock(&line->lock);
	line->busy = 0;
	while (!line->n && !line->stop) {
		int64_t wait = db->writer.db ? checkpoint_in(db) : SF_LITE__RETRY_NS;
		int64_t rest = sf_lite__conn_rest_in(&db->writer);
		if (rest == 0) {
			uv_mutex_unlock(&line->lock);
			sf_lite__conn_rest(&db->writer);
			uv_mutex_lock(&line->lock);
		} else if (rest > 0 && (wait < 0 || rest < wait)) {
			uv_cond_timedwait(&line->more, &line->lock, (uint64_t)rest);
		} else if (wait < 0)
			uv_cond_wait(&line->more, &line->lock);
		else if (wait == 0 || uv_cond_timedwait(&line->more, &line->lock, (uint64_t)wait) != 0)
			break;
	}
	bool more = line->n || !line->stop;
	line->busy = more;
	uv_mutex_unlock(&line->lock);
	return more;
}

static void open_file(struct sf_lite *db, bool first) {
	char why[200];
	int err = 0;
	if (first || sf_clock_ns() >= db->retry_ns) {
		db->retry_ns = sf_clock_ns() + SF_LITE__RETRY_NS;
		/* two processes must not turn a new file to WAL at once */
		bool turn = sf_lite__make_folder(db->path) == 0 && take_turn(db) == 0;
		err = sf_lite__conn_open(&db->writer, db->path, true, why, sizeof why);
		if (turn) give_turn(db);
		if (err && first) sf_lite__note(db, "sqlite could not open the database", why);
		if (!err && !first) sf_lite__note(db, "sqlite opened the database at last", "");
	}
	if (!db->writer.db) fail_all(db, SF_EUNAVAILABLE, "the database is not open");
	if (!first) return;
	uv_mutex_lock(&db->reads.lock);
	db->opened = true;
	uv_cond_broadcast(&db->reads.more);
	uv_mutex_unlock(&db->reads.lock);
}

void sf_lite__writer_main(void *arg) {
	struct sf_lite *db = arg;
	struct group g = { .db = db };
	sf_list_init(&g.jobs);
	open_file(db, true);
	while (wait_for_work(db)) {
		if (!db->writer.db) open_file(db, false);
		if (!db->writer.db) continue;
		if (checkpoint_in(db) == 0)
			checkpoint(db);
		else
			run_group(&g);
	}
	sf_lite__conn_close(&db->writer);
	if (db->lock_fd >= 0) close(db->lock_fd);
	sf_lite__exited(db);
}
