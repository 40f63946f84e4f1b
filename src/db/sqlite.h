/* Shared by the files of the SQLite engine: the job that travels from the loop to a thread and back, the lines it
 * waits in, and a thread's connection.
 *
 *     loop (sqlite.c)              writer thread (sqlite_writer.c)        reader threads (sqlite_reader.c)
 *     coroutine ── job ──▶ line `writes` ──▶ group ── COMMIT ──┐
 *               └─ job ──▶ line `reads` ─────────────────────────────────▶ SELECT ──┐
 *     uv_async ◀──────────────────── list `done` ◀───────────────┴──────────────────┘
 *
 * A job belongs to whoever holds it: the loop before it is put in a line and after it comes out of `done`, a thread
 * in between. It carries copies of its parameters and rows, so that a coroutine may leave before its job is done. */
#ifndef SF_DB_SQLITE_H
#define SF_DB_SQLITE_H

#include "db/internal.h"
#include <sqlite3.h>
#include <stdatomic.h>
#include <uv.h>

#define SF_LITE__GROUP_UNITS 256       /* single writes and transactions that share a COMMIT at most */
#define SF_LITE__GROUP_NS    5000000   /* no further unit joins a group that is this old */
#define SF_LITE__LINGER_NS   500000    /* longest wait for company before a COMMIT */
#define SF_LITE__RETRY_NS    500000000 /* between the writer's attempts to open the file */
#define SF_LITE__QUIET_MS    5000      /* after the last write the log is copied into the main file */
#define SF_LITE__BUSY_MS     5000      /* against programs that do not take our lock; a net only */

enum sf_lite__op {
	SF_LITE__READ,
	SF_LITE__WRITE,
	SF_LITE__PROBE,
	SF_LITE__BEGIN,
	SF_LITE__SCRIPT,
	SF_LITE__COMMIT
};

struct sf_lite__tx;

struct sf_lite__job {
	struct sf_node node; /* in a line, a group or `done` */
	enum sf_lite__op op;
	const struct sf_query *q;
	struct sf_db__val *params; /* q->nin of them, in `in` */
	struct sf_buf in;          /* the parameters and their text; of a script: its text */
	int64_t timeout_ms;        /* of the statement; 0: none */
	struct sf_lite__tx *tx;    /* of BEGIN: what to open */
	/* result */
	int err;
	size_t n;
	int64_t changed;
	struct sf_buf rows,
		text; /* a text in a row is its offset in `text` plus 1, until the loop puts it into an arena */
	char constraint[120]; /* of SF_EDUP and SF_ECONFLICT */
	char why[240];        /* SQLite's message where an operator should read it */
	/* guarded by the lock of its line */
	bool taken; /* a thread has it */
	uint8_t tries;
	/* loop */
	struct sf_wait *wait;
	struct sf_lite__job *next_idle;
	bool delivered, detached;
	atomic_bool abandoned; /* nobody waits for this read any more */
};

/* One waiting line. */
struct sf_lite__line {
	uv_mutex_t lock;
	uv_cond_t more;
	struct sf_node jobs;
	size_t n;    /* in `jobs` */
	size_t busy; /* threads at work */
	bool stop;   /* threads leave when the line is empty */
};

/* An interactive transaction: guarded by the lock of `writes`. Freed when loop and writer have both let go. */
struct sf_lite__tx {
	enum { SF_LITE__WAITING, SF_LITE__ACTIVE, SF_LITE__OVER } state;
	int why_over;             /* answer to a statement that comes later: SF_EDEADLINE, SF_ESERIAL, … */
	struct sf_lite__job *job; /* the next statement; NULL: the coroutine is busy elsewhere */
	bool ended;               /* sf_tx_end was called */
	const char *label;
	int refs;
};

struct sf_lite__conn {
	sqlite3 *db; /* NULL: not open (yet) */
	sqlite3_stmt **cache;
	uint32_t ncache;
	sqlite3_stmt *fixed[8]; /* by enum sf_lite__fixed */
	/* when its memory goes back: see sf_lite__conn_rest */
	int64_t rest_at_ns; /* end of the present span */
	unsigned runs;      /* statements in it */
	bool worked;        /* many of an earlier one */
	/* the running statement, for the progress handler */
	int64_t deadline_ns;
	const atomic_bool *abandoned;
};

struct sf_lite {
	struct sf_db head;
	char *path, *lock_path;
	int64_t hold_ms; /* longest pause of a transaction between its statements */
	struct sf_lite__line reads, writes;
	uv_cond_t
		tx_more; /* with writes.lock: a statement for the transaction that holds the writer, or its end */
	bool opened; /* guarded by reads.lock: the writer has tried to open the file */
	struct sf_lite__conn writer;
	int64_t retry_ns;                 /* the writer tries to open the file not before that */
	int64_t quiet_ns;                 /* see sf_db_opts.quiet_ms */
	int64_t logged_ns, last_write_ns; /* first and last write that only the log holds; 0: none */
	int lock_fd;
	/* from the threads to the loop */
	uv_mutex_t done_lock;
	struct sf_node done;
	char note[240]; /* for the log: what happened outside a job; "" none */
	size_t exited;
	uint64_t groups;
	/* loop */
	uv_async_t async;
	uv_thread_t *threads; /* the writer, then the readers */
	size_t nthreads;
	size_t inflight;           /* jobs on their way: the loop must not end */
	struct sf_lite__job *idle; /* kept for reuse */
	size_t nidle;
	bool write_down, read_down; /* said in the log */
};

/* ---- sqlite_conn.c: one connection, for the thread that opened it ------------------------------------------------ */

enum sf_lite__fixed {
	SF_LITE__SQL_BEGIN,
	SF_LITE__SQL_COMMIT,
	SF_LITE__SQL_ROLLBACK,
	SF_LITE__SQL_SAVE,
	SF_LITE__SQL_RELEASE,
	SF_LITE__SQL_BACK
};
int sf_lite__make_folder(const char *path); /* mkdir -p of the folder that the file is in; errno */
/* Opens it; on failure `why` holds the reason and a later call tries again. */
SF_MUSTCHECK
int sf_lite__conn_open(struct sf_lite__conn *c, const char *path, bool writer, char *why, size_t n);
void sf_lite__conn_close(struct sf_lite__conn *c);
/* sqlite_like.c: makes LIKE fold case in every script. SQLite's code. */
SF_MUSTCHECK
int sf_lite__like_add(sqlite3 *db);
/* SQLite's code. */
SF_MUSTCHECK
int sf_lite__conn_do(struct sf_lite__conn *c, enum sf_lite__fixed sql);
/* In how many ns the connection's memory is to be looked at, 0: now, by its thread and without a lock; -1: not until it has run something. */
int64_t sf_lite__conn_rest_in(const struct sf_lite__conn *c);
/* Ends the span of time that is due: in a quiet one after a busy one the connection's memory goes back. */
void sf_lite__conn_rest(struct sf_lite__conn *c);
/* The job's statement or script, from parameters to rows; the outcome is in the job. */
void sf_lite__conn_run(struct sf_lite__conn *c, struct sf_lite__job *job);
/* Puts what SQLite says about its result rc into the job. */
void sf_lite__conn_error(struct sf_lite__conn *c, struct sf_lite__job *job, int rc);

/* ---- sqlite_job.c: on the loop ------------------------------------------------------------------------------------ */

struct sf_lite__job *sf_lite__job_new(struct sf_lite *db, enum sf_lite__op op,
									  const struct sf_dbh *h); /* h: NULL or whose */
void sf_lite__job_free(struct sf_lite *db, struct sf_lite__job *job);
void sf_lite__jobs_fini(struct sf_lite *db); /* frees those kept for reuse */
/* Copies the parameters into the job. SF_ENOMEM. */
SF_MUSTCHECK
int sf_lite__job_params(struct sf_lite__job *job, const struct sf_query *q, const void *in);
/* Moves the rows into the arena. SF_ENOMEM: past its budget. */
SF_MUSTCHECK
int sf_lite__job_rows(const struct sf_lite__job *job, struct sf_arena *a, struct sf_db__result *res);
void sf_lite__in_flight(struct sf_lite *db,
						int change); /* counts jobs on their way, which keep the loop alive */
/* Puts the job in line. SF_EOVERLOAD: the line is full. */
SF_MUSTCHECK
int sf_lite__submit(struct sf_lite *db, struct sf_lite__line *line, struct sf_lite__job *job);
/* Gives the open transaction its next statement. Why it is over, if it is. */
SF_MUSTCHECK
int sf_lite__submit_tx(struct sf_lite *db, struct sf_lite__tx *tx, struct sf_lite__job *job);
/* ~ Waits for a job in line, at most line_ms until a thread takes it. 0: it is done, and its outcome is in it. Else
 * the job is gone: it never ran (SF_EOVERLOAD), or it runs on for nobody. */
SF_MUSTCHECK
int sf_lite__wait(struct sf_lite *db, struct sf_lite__job *job, int64_t line_ms);

/* ---- threads ------------------------------------------------------------------------------------------------------ */

void sf_lite__writer_main(void *db);
void sf_lite__reader_main(void *db);
/* Hands over finished jobs (a ring's head, emptied). Any thread. */
void sf_lite__deliver(struct sf_lite *db, struct sf_node *jobs);
void sf_lite__note(struct sf_lite *db, const char *what, const char *why); /* one line for the log */
void sf_lite__exited(struct sf_lite *db);                                  /* a thread's last act */

#endif
