/* Shared inside jobs/: the declared kinds of the process, the runner and its databases, one run, and who does what.
 *
 * A runner has a source for each database. Four coroutines tend a source: the pump (pump.c) claims and starts, the ender
 * (finish.c) writes how runs ended, the keeper (lease.c) renews the lease, the janitor (prune.c) rescues and
 * tidies. Runs are coroutines of their own (handler.c). */
#ifndef SF_JOBS_INTERNAL_H
#define SF_JOBS_INTERNAL_H

#include "jobs/jobs.h"

#include "db/db.h"
#include "loop/loop.h"

enum {
	SF_JOBS__CRASHES = 3,     /* workers taken down, then dead */
	SF_JOBS__PRIORITIES = 10, /* 0 … 9 */
	SF_JOBS__BATCH_MAX = 512, /* jobs claimed at once; also what may be lost to a crash at once */
	SF_JOBS__PAYLOAD_MAX = 1 << 20,
	SF_JOBS__RESULT_MAX = 64 << 10,
	SF_JOBS__ERROR_MAX = 2000,
};

/* ---- kinds (declare.c) ------------------------------------------------------------------------------------- */

struct sf_jobs__kind { /* a declared row with its defaults filled in; lifetime: process */
	const struct sf_job_kind *row;
	const char *queue, *lane; /* lane: the queue, or "queue/kind" where there are limits */
	int priority, max_attempts;
	int64_t timeout_ms, backoff_ms, backoff_max_ms;
	bool limited;
};
struct sf_jobs__declared { /* everything this process knows of jobs */
	struct sf_jobs__kind *kind;
	size_t n;
	const struct sf_cron *const *crons; /* as declared; may be NULL */
};
const struct sf_jobs__declared *sf_jobs__declared(void);
const struct sf_jobs__kind *sf_jobs__kind(struct sf_str name); /* NULL: unknown */

/* ---- a signal a coroutine waits for ------------------------------------------------------------------------- */

struct sf_jobs__signal {
	struct sf_wait *wait;
	bool set;
};
void sf_jobs__signal(struct sf_jobs__signal *s);
/* ~ 0 when it was set (and clears it), SF_EDEADLINE after ms. One waits at a time. */
int sf_jobs__wait(struct sf_jobs__signal *s, int64_t ms);

/* ---- the runner (runner.c) ----------------------------------------------------------------------------------- */

enum sf_jobs__end { /* how a run ended; what finish.c writes */
					SF_JOBS__DONE,
					SF_JOBS__DEAD,
					SF_JOBS__CANCELLED,
					SF_JOBS__BACK, /* runs again at run_at */
					SF_JOBS__ENDED /* by the handler's own transaction, or not ours any more: nothing to write */
};

struct sf_job { /* heap; lifetime: from the claim until its end is written */
	struct sf_jobs__src *src;
	struct sf_node node; /* in src->ready or src->ended */
	struct sf_node all;  /* in src->runs, from the claim to the end */
	const struct sf_jobs__kind *kind;
	int64_t id, fence, worker, run_at, priority, attempts, max_attempts, crashes;
	struct sf_str payload_text, trace; /* behind this struct */
	char key[32];
	uint32_t mark; /* in the black box */
	/* while the handler runs */
	struct sf_arena *arena; /* NULL outside */
	struct json_t *payload;
	struct sf_dbh *db;
	struct sf_co *co;
	int64_t started_ms, progress_ms; /* sf_loop_now */
	int percent;
	bool cancel;     /* somebody wants it to stop */
	bool lost;       /* the lease is not ours any more */
	bool committing; /* sf_job_commit was tried: its outcome may be unknown */
	bool committed;  /* sf_job_commit has ended it */
	bool unknown;    /* the statement that ends it was sent and not answered */
	int verdict;     /* enum below, of sf_job_fail and its kin */
	int64_t later_ms;
	struct sf_str why, result; /* heap copies */
	/* how it ended */
	enum sf_jobs__end end;
	struct sf_jobs__letter *letter; /* the message that brought it, to be acknowledged; NULL: none */
	bool uncount;                   /* BACK: no attempt */
	int64_t back_at;                /* BACK: µs of the database's clock */
};
enum { SF_JOBS__NONE, SF_JOBS__FAIL, SF_JOBS__GIVE_UP, SF_JOBS__LATER };

struct sf_jobs__lane {
	const char *queue;
	struct sf_str name;                 /* owned */
	const struct sf_jobs__kind *kind;   /* of a limited lane */
	int64_t floor[SF_JOBS__PRIORITIES]; /* claims start at this run_at; see claim.c */
	int64_t free_at;                    /* limited: µs before which nothing can be claimed */
	bool suspects;                      /* jobs that a worker died of */
};

struct sf_jobs__src { /* one database of a runner; lifetime: the runner */
	struct sf_jobs *js;
	struct sf_db *db;
	int64_t worker;         /* id of our row in job_workers; 0: none yet */
	int64_t skew_us;        /* what the database's clock is ahead of ours */
	int64_t lease_until_ms; /* sf_loop_now time until which the lease holds for certain */
	struct sf_jobs__lane *lane;
	size_t nlane;
	struct sf_node runs, ready, ended;
	size_t nruns, nready;
	/* claiming */
	struct sf_jobs__signal pump;
	int batch;          /* how many to ask for */
	bool doubt;         /* a claim went unanswered: the database may hold runs for us that we do not know */
	int64_t full_at_ms; /* when claims look at everything again, not only above the floors */
	int64_t next_at;    /* µs: the earliest job that is known to come due; 0: unknown */
	int64_t next_asked_ms;
	int64_t suspects_at_ms; /* when suspects are looked for again */
	size_t turn;            /* the lane that claims begin with: one queue's line does not keep the others */
	bool keep_slot;         /* a job with limits is due: the next slot that gets free is for it */
	int64_t limited_at_ms;  /* when such jobs are looked for again while there is no free slot */
	/* the rest */
	struct sf_jobs__signal end, keep, tidy;
	uint64_t beats; /* renewals in a row that succeeded */
	int64_t tidied_ms, folded_ms;
	struct sf_jobs__listener *listener; /* PostgreSQL */
	int coroutines;                     /* of the four, how many live */
	bool pumping;                       /* the pump lives, and may claim */
};

struct sf_jobs {
	struct sf_loop *loop;
	struct sf_jobs_opts o; /* defaults filled in; queues is a copy */
	struct sf_jobs__src *src;
	size_t nsrc, turn; /* the source that starts next */
	size_t running, coroutines;
	struct sf_job *alone; /* a suspect that waits to run, or runs, with nothing beside it */
	bool alone_runs;
	int64_t alone_ms;
	bool dispatching;     /* sf_jobs__dispatch is on its way */
	bool draining, hurry; /* hurry: the time to finish is over */
	int64_t drain_ms, drained_ms;
	void (*done)(void *arg);
	void *done_arg;
	bool over;
	struct sf_jobs__box *box;
	struct sf_jobs_stats stats;
	int64_t progress_at_ms;
	struct sf_jobs *next; /* of the process */
	struct sf_jobs__signal schedule;
	struct sf_jobs__amqp *amqp; /* NULL: no broker */
	int helpers; /* coroutines beside those of the sources and the runs: the drain waits for them */
};

/* How long a coroutine of a source waits for the database before it asks again, over another connection: one that a router has
 * forgotten is silent for ever. More after each time in vain, for a database may also be slow. *ms is 0 at first. */
void sf_jobs__bound(struct sf_jobs *js, int64_t *ms); /* the coroutine that calls */
int sf_jobs__unbound(int64_t *ms, int err);           /* err of what it asked, returned */

int64_t sf_jobs__now(const struct sf_jobs__src *s); /* µs, the database's clock as far as we know it */
/* Lets the loop start what is ready, as far as concurrency allows. */
void sf_jobs__dispatch(struct sf_jobs *js);
/* A coroutine of the runner's own has ended, or a run has: the drain looks whether all is over. */
void sf_jobs__check_over(struct sf_jobs *js);
/* Marks what shows that the runner lives: a claim, an end, an answer that there is nothing. */
void sf_jobs__progressed(struct sf_jobs *js);

/* The same statement under an id that is not kept prepared: planned each time, for the table as it is now. A kept plan
 * was made when the table was small, perhaps, and goes through all of it; large batches are worth a plan. */
#define SF_JOBS__REPLAN UINT32_MAX

/* ---- claiming (claim.c), the pump (pump.c) ------------------------------------------------------------------- */

int sf_jobs__lanes(struct sf_jobs__src *s); /* builds them from queues and kinds; SF_EINVAL: no such queue */
/* ~ Claims at most n jobs of the open lanes into s->ready; *got. */
int sf_jobs__claim(struct sf_jobs__src *s, struct sf_arena *a, int n, size_t *got);
/* ~ Claims jobs of kinds with limits, to the head of s->ready, as many as can begin now. */
int sf_jobs__claim_limited(struct sf_jobs__src *s, struct sf_arena *a);
/* A run has ended that may have counted for its kind's max_running. */
void sf_jobs__limit_freed(struct sf_jobs__src *s, const struct sf_jobs__kind *k);
/* ~ One suspect, into js->alone. */
int sf_jobs__claim_suspect(struct sf_jobs__src *s, struct sf_arena *a);
/* ~ When the next job comes due after `since`, a time no later than that of the last claim, or what came due in
 * between would be seen by neither: s->next_at. */
int sf_jobs__ask_next(struct sf_jobs__src *s, struct sf_arena *a, int64_t since);
/* ~ At the start: limits' rows; lanes that no declaration knows any more are taken into those that are. */
int sf_jobs__prepare_lanes(struct sf_jobs__src *s, struct sf_arena *a);
/* Rows of a claim, which are put in order, become runs, at the end of s->runs and, but for those with limits, of s->ready. */
void sf_jobs__take(struct sf_jobs__src *s, const struct sf_rows *rows);
/* The open lanes as a claim on PostgreSQL takes them, above their floors or in full. */
struct sf_str sf_jobs__open_lanes(struct sf_jobs__src *s, struct sf_arena *a, bool full);
bool sf_jobs__look_at_all(const struct sf_jobs__src *s); /* it is time for a claim without floors */
void sf_jobs__looked_at_all(struct sf_jobs__src *s, int64_t took_ms);
/* Where the next claim of the open lanes starts: the last one stopped at this priority and run_at, or, where priority is
 * SF_JOBS__PRIORITIES, took all there was. */
void sf_jobs__set_floors(struct sf_jobs__src *s, int64_t priority, int64_t run_at, int64_t now);
void sf_jobs__pump(void *src); /* ~ */

/* ---- runs (handler.c) ------------------------------------------------------------------------------------------ */

void sf_jobs__run_some(void *src_slot); /* ~ a coroutine that runs one job after the other for a while */
void sf_jobs__run_free(struct sf_job *j);

/* ---- durations (timing.c) ---------------------------------------------------------------------------------------- */

void sf_jobs__timed(const struct sf_job *j, enum sf_job_outcome outcome, int64_t us);
void sf_jobs__timing_reset(void); /* the declaration has changed */

/* ---- ends (finish.c) -------------------------------------------------------------------------------------------- */

void sf_jobs__ended(struct sf_job *j);  /* j->end says how */
void sf_jobs__ender(void *src);         /* ~ */
int64_t sf_jobs__jitter(int64_t bound); /* evenly in 1 … bound */
/* Full jitter: evenly between 0 and the exponential bound of the attempt, at least 1 ms. */
int64_t sf_jobs__backoff_ms(const struct sf_jobs__kind *k, int64_t attempt);

/* ---- what a dead worker leaves behind (blackbox.c) ---------------------------------------------------------------- */

/* dir outlives the box. */
struct sf_jobs__box *sf_jobs__box_new(struct sf_loop *l, const char *dir, int concurrency);
void sf_jobs__box_free(struct sf_loop *l, struct sf_jobs__box *b);
/* The name of a worker's row: the process and where its box is. src: index of the source. */
void sf_jobs__box_name(const struct sf_jobs__box *b, size_t src, char out[256]);
/* Notes that a job's handler begins, at most `concurrency` at once; returns its coroutine's mark. */
uint32_t sf_jobs__box_begin(struct sf_jobs__box *b, size_t src, int64_t worker, int64_t job);
void sf_jobs__box_end(struct sf_jobs__box *b, uint32_t mark);
struct sf_jobs__death {
	bool known;   /* its box was found; else each of its jobs may be to blame */
	int signal;   /* 0: none that it could note */
	int64_t *ids; /* in the arena: the jobs that are to blame for its end */
	size_t n;
	bool certain; /* else one of ids */
};
/* What is to blame for the end of the worker whose row has that name and number. */
void sf_jobs__box_look(const struct sf_jobs__box *b, struct sf_str name, int64_t worker, struct sf_arena *a,
					   struct sf_jobs__death *out);
void sf_jobs__box_row(struct sf_jobs__box *b); /* such a row is there now */
/* Such a row was taken away by somebody else. With the last one of a process that is gone its box goes, too. */
void sf_jobs__box_done(const struct sf_jobs__box *b, struct sf_str name, bool gone);
/* Removes boxes whose process was first found dead keep_ms ago. */
void sf_jobs__box_sweep(const char *dir, int64_t keep_ms);
/* Whether the process of that name was on this host, and is no more. */
bool sf_jobs__process_gone(struct sf_str name);

/* ---- the lease (lease.c), tidying (prune.c) --------------------------------------------------------------------- */

int sf_jobs__register(struct sf_jobs__src *s, struct sf_arena *a); /* ~ a new row in job_workers */
void sf_jobs__keeper(void *src);                                   /* ~ */
/* ~ Rescues the jobs of workers whose lease lapsed or whose process, on this host, is gone. */
int sf_jobs__rescue(struct sf_jobs__src *s, struct sf_arena *a);
/* ~ After a claim that was not answered: gives back what the database says we run and we do not know. */
int sf_jobs__reconcile(struct sf_jobs__src *s, struct sf_arena *a);
/* ~ Looks which runs are asked to stop, and stops them. */
int sf_jobs__look_for_cancels(struct sf_jobs__src *s, struct sf_arena *a);
void sf_jobs__janitor(void *src); /* ~ */

/* ---- wake-ups (wake.c, listen.c) ---------------------------------------------------------------------------------- */

enum { SF_JOBS__WAKE_DUE = 'd', SF_JOBS__WAKE_CANCEL = 'c' };
/* Something has changed in db: wakes the runners of this process now, those of others soon. */
void sf_jobs__wake(struct sf_db *db, char what);
/* The same after h's transaction has committed, or at once on an auto handle. */
void sf_jobs__wake_after(struct sf_dbh *h, char what);
void sf_jobs__wake_src(struct sf_jobs__src *s, char what);
void sf_jobs__wake_add(struct sf_jobs *js); /* takes part in wake-ups */
void sf_jobs__wake_del(struct sf_jobs *js);
void sf_jobs__listen(struct sf_jobs__src *s);   /* PostgreSQL: LISTEN on a connection of its own */
void sf_jobs__unlisten(struct sf_jobs__src *s); /* closes it; memory goes later */

/* ---- looking and steering (view.c, act.c) -------------------------------------------------------------------------- */

/* The LIKE pattern (ESCAPE '!') of texts that have `part` in them; absent stays absent. */
struct sf_str sf_jobs__pattern(struct sf_arena *a, struct sf_str part);

/* ---- the broker (amqp.c, amqp_relay.c); all do nothing without one ------------------------------------------------------------------ */

/* SF_EINVAL: AMQP_URL is none; said in the log. */
SF_MUSTCHECK
int sf_jobs__amqp_new(struct sf_jobs *js);
bool sf_jobs__amqp_up(const struct sf_jobs__src *s); /* jobs may be left to it: open lanes are not polled */
void sf_jobs__amqp_due(struct sf_jobs__src *s);      /* jobs may have come due: the relay looks */
/* ~ Claims at most n jobs that messages name; *got is added to. Only while it is up. */
int sf_jobs__amqp_claim(struct sf_jobs__src *s, struct sf_arena *a, int n, size_t *got);
/* It has brought nothing for a while, and nothing runs: the table is looked at once, as a net. */
bool sf_jobs__amqp_quiet(struct sf_jobs__src *s);
void sf_jobs__amqp_over(struct sf_job *j); /* acknowledges the run's message */
void sf_jobs__relay(void *src);            /* ~ a coroutine of each source */
void sf_jobs__amqp_drain(struct sf_jobs *js);
/* After the last end was written; it is a helper until it has stopped. */
void sf_jobs__amqp_stop(struct sf_jobs *js);
void sf_jobs__amqp_free(struct sf_jobs *js);

/* ---- the scheduler (schedule.c) ------------------------------------------------------------------------------------ */

/* ~ Tends the schedules while this runner is the elected one, until js->draining; started as a helper by runner.c
 * where opts.schedule says so. js->schedule is signalled when draining begins. */
void sf_jobs__scheduler(void *js);

#endif
