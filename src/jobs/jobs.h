/* jobs: work that outlives the request that asks for it.
 *
 * A job is a row written in the transaction of the change that asks for it, so it exists exactly when the change does. A worker
 * claims it under a lease, runs its handler in a coroutine, and records the end in a transaction. Delivery is at least once:
 * a worker that dies, or whose lease lapses, is followed by another. An effect is exactly once when the handler writes it in
 * the transaction that ends the job (sf_job_begin, sf_job_commit): a worker that has lost its lease cannot commit it. Effects
 * outside (a mail, a charge) carry sf_job_key, the same at every attempt.
 *
 * States: scheduled (due later), ready, running, retrying (due later, has failed), done, dead (gave up), cancelled.
 * Memory of a run is the job's arena. "~" suspends. */
#ifndef SF_JOBS_JOBS_H
#define SF_JOBS_JOBS_H

#include "core/core.h"

struct sf_loop;
struct sf_db;
struct sf_dbh;
struct json_t;
struct sf_json;
struct sf_job; /* one run, as its handler sees it; lifetime: the run */

/* ---- kinds: rows of a service, as routes are -------------------------------------------------------- */

enum sf_job_unique { SF_JOB_ANY, SF_JOB_UNIQUE_LIVE /* one of the key that is not over yet */ };

struct sf_job_kind {
	const char *kind;             /* "email.send" */
	int (*run)(struct sf_job *j); /* ~ 0: done. An error: tried again, or dead; see sf_job_fail */
	const char *queue;            /* NULL: "default" */
	int priority;       /* 0 first … 9 last; 5 when 0 rows say nothing is meant: use SF_JOB_PRIORITY */
	int64_t timeout_ms; /* of one run; 0: 5 minutes */
	int max_attempts;   /* 0: 20 */
	int64_t backoff_ms,
		backoff_max_ms; /* base and cap of exponential back-off with full jitter; 0: 1 s, 1 h */
	int max_running;    /* over all workers; 0: no limit */
	int max_per_s;      /* starts a second over all workers; 0: no limit */
	enum sf_job_unique unique;
	const char *summary;
};
#define SF_JOB_PRIORITY 5

enum sf_catchup { SF_CATCHUP_ONCE /* the last missed tick */, SF_CATCHUP_SKIP, SF_CATCHUP_ALL };
struct sf_cron {
	const char *name; /* unique */
	const char *expr; /* minute hour day month weekday; lists, ranges, steps, names; "@hourly" … */
	const char *zone; /* IANA name; NULL: UTC */
	const char *kind, *payload; /* JSON text, NULL: {} */
	enum sf_catchup catchup;
};
/* The handler of a schedule's kind sets a result (sf_job_result) when it has found something to do, and none else: lists of jobs
 * leave out the ticks without one. */

/* ---- enqueuing ------------------------------------------------------------------------------------------ */

struct sf_job_new {
	const char *kind;      /* of a declared row (else a bug) */
	struct sf_str payload; /* JSON text, at most 1 MiB; p NULL: {} */
	int64_t run_at;        /* instant µs; 0: now */
	int priority;          /* 0: the kind's */
	struct sf_str key;     /* of a unique kind, or to make an ANY job unique; p NULL: none */
	int64_t owner;         /* user who may follow it at /api/jobs/{id}; 0: admins only */
	struct sf_str trace;   /* traceparent of the request; p NULL: none */
};
/* ~ Adds a job in the caller's transaction (or by itself on an auto handle); workers are woken after the commit. *id may be NULL. SF_EDUP:
 * one of that key is live already, *id is its id, and nothing was added (the transaction goes on). */
SF_MUSTCHECK
int sf_job_add(struct sf_dbh *h, const struct sf_job_new *job, int64_t *id);
/* ~ Many in one statement a thousand; keys that are live already are passed over. *added may be NULL. */
SF_MUSTCHECK
int sf_job_add_many(struct sf_dbh *h, const struct sf_job_new *jobs, size_t n, size_t *added);

/* ---- in a handler --------------------------------------------------------------------------------------- */

int64_t sf_job_id(const struct sf_job *j);
struct sf_str sf_job_key(const struct sf_job *j); /* "job-<id>": idempotency key for effects outside */
int sf_job_attempt(const struct sf_job *j);       /* 1 at the first */
const struct json_t *sf_job_payload(const struct sf_job *j);
struct sf_arena *sf_job_arena(const struct sf_job *j);
struct sf_dbh *sf_job_db(struct sf_job *j);         /* auto handle on the database the job is in */
struct sf_str sf_job_trace(const struct sf_job *j); /* traceparent to be passed on */
void *sf_job_context(const struct sf_job *j);       /* what sf_jobs_opts.context says: the application */
/* ~ A transaction whose commit also ends the job as done, if it is still ours: else SF_ECONFLICT, and nothing was written. */
SF_MUSTCHECK
int sf_job_begin(struct sf_job *j, struct sf_dbh **tx);
SF_MUSTCHECK
int sf_job_commit(struct sf_job *j, struct sf_dbh *tx);
/* ~ Progress in per cent with a word for a person, at most one write a second. SF_ECANCELED: somebody wants it to stop. */
SF_MUSTCHECK
int sf_job_progress(struct sf_job *j, int percent, const char *what);
void sf_job_result(struct sf_job *j, struct sf_str json); /* kept with the job; copied; ≤ 64 KiB */
/* Records why and returns err. sf_job_fail: tried again with back-off. sf_job_give_up: dead at once. sf_job_later: not a failure,
 * run again after ms (a 429's Retry-After); the attempt is not counted. */
SF_PRINTF(3, 4) int sf_job_fail(struct sf_job *j, int err, const char *fmt, ...);
SF_PRINTF(2, 3) int sf_job_give_up(struct sf_job *j, const char *fmt, ...);
SF_PRINTF(3, 4) int sf_job_later(struct sf_job *j, int64_t ms, const char *fmt, ...);

/* ---- running ------------------------------------------------------------------------------------------------ */

struct sf_jobs; /* the runner of one worker process */
struct sf_jobs_opts {
	struct sf_db *const *dbs;               /* databases that hold jobs, NULL-terminated */
	const struct sf_job_kind *const *kinds; /* tables of kinds, each ends with kind NULL; NULL-terminated */
	const struct sf_cron *const *crons;
	const char *queues;   /* comma list; NULL: all */
	int concurrency;      /* coroutines at once; 0: 16 */
	int64_t lease_ms;     /* 0: 15 s; renewed every third of it */
	int64_t poll_ms;      /* net under the wake-ups; 0: 1 s */
	int64_t keep_done_ms; /* 0: 7 days */
	const char *
		amqp_url; /* amqp://… or amqps://…: jobs go through RabbitMQ while it is there; NULL: they are polled */
	const char *amqp_ca_file;            /* PEM, for amqps; NULL: the system's */
	int amqp_prefetch, amqp_heartbeat_s; /* 0: 64 and 2 */
	const char *crash_dir;               /* where to note what runs, for who finds us dead; NULL: /dev/shm */
	bool schedule;                       /* may be elected scheduler */
	void *context;
};
/* Kinds are declared once a process, before any sf_job_add: http workers, which only add, too. Refuses (SF_EINVAL, *why) duplicates and bad rows. */
SF_MUSTCHECK
int sf_jobs_declare(const struct sf_job_kind *const *kinds, const struct sf_cron *const *crons,
					struct sf_str *why);
SF_MUSTCHECK
int sf_jobs_start(struct sf_loop *l, const struct sf_jobs_opts *o, struct sf_jobs **out);
/* Takes no more; running jobs have limit_ms to finish, then are cancelled and given back; done(arg) when none is left. */
void sf_jobs_drain(struct sf_jobs *js, int64_t limit_ms, void (*done)(void *arg), void *arg);
void sf_jobs_free(struct sf_jobs *js);

struct sf_jobs_stats { /* plain counters; telemetry pulls them */
	uint64_t claimed, done, failed, dead, rescued, refused /* lost its lease before the end */,
		brought /* of the claimed: those that a message of the broker named */;
	size_t running;
	int64_t progress_ms; /* since this runner last claimed, finished or asked in vain: its liveness */
	size_t broker;       /* 1: connected to RabbitMQ */
	int64_t lag_ms_max;  /* longest time from due to start, since the last call */
};
void sf_jobs_stats(struct sf_jobs *js, struct sf_jobs_stats *out);

/* How long runs took, of all workers of this host, by kind (in order of declaration) and how they ended. NULL: no such kind;
 * else its name. */
enum sf_job_outcome {
	SF_JOB_RAN,       /* done */
	SF_JOB_FAILED,    /* tried again later */
	SF_JOB_DIED,      /* dead */
	SF_JOB_CANCELLED, /* asked to stop */
	SF_JOB_PUT_BACK, /* run again, and not for what it did: a drain, a wait it asked for, the database away */
	SF_JOB_REFUSED,  /* its lease was lost meanwhile */
	SF_JOB_OUTCOMES
};
#define SF_JOB_BUCKETS 16 /* up to 1, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 30 s, 2, 5 min, more */
struct sf_job_timing {
	uint64_t bucket[SF_JOB_BUCKETS], us_sum;
};
const char *sf_job_timing(size_t kind, enum sf_job_outcome outcome, struct sf_job_timing *out);

/* ---- looking at and steering the queue ------------------------------------------------------------------------ */

struct sf_job_view {
	int64_t id, owner, created_at, run_at, started_at, finished_at; /* 0: not yet */
	struct sf_str kind, queue, state, error, payload, result, progress_text, key;
	int attempts, max_attempts, priority, progress;
};
/* As one JSON object: what the owner may see; with all the columns; with the payload too. */
enum sf_job_detail { SF_JOB_FOLLOWED, SF_JOB_LISTED, SF_JOB_WHOLE };
void sf_job_json(struct sf_json *j, const struct sf_job_view *v, enum sf_job_detail detail);
/* ~ One job, live or over. SF_ENOTFOUND. */
SF_MUSTCHECK
int sf_job_get(struct sf_dbh *h, int64_t id, struct sf_job_view *out);

struct sf_job_filter {                       /* absent: p NULL or 0 */
	struct sf_str state, kind, queue, error; /* error: part of its text */
	int64_t from, to;                        /* created_at */
	int64_t before;                          /* id: the page before it (keyset); 0: the newest */
	int64_t limit;                           /* 0: 50 */
	/* In lists: also ticks of schedules that are done and had nothing to do, which is told by a result that they do not have. They
	 * are a few a minute for ever, and left out unless this or `kind` asks for them. */
	bool idle_ticks;
};
/* ~ Newest first. *next: `before` of the next page, 0: this was the last. A page may hold fewer than it could, even none,
 * and not be the last: each looks at so many jobs and no more. */
SF_MUSTCHECK
int sf_job_list(struct sf_dbh *h, const struct sf_job_filter *f, struct sf_job_view **out, size_t *n,
				int64_t *next);
struct sf_job_count {
	struct sf_str kind, state;
	int64_t n;
	bool estimated; /* of large numbers of jobs that wait */
};
struct sf_job_depth { /* of a queue: what is not over */
	struct sf_str queue, state;
	int64_t n, due; /* due: could run now */
	bool estimated;
};
struct sf_job_age {
	struct sf_str queue;
	int64_t oldest_us; /* how long the oldest job that is due has been so */
};
struct sf_job_counts {
	struct sf_job_count *kinds;  /* by kind and state */
	struct sf_job_depth *depths; /* by queue and state */
	struct sf_job_age *ages;     /* queues where nothing is due are left out */
	size_t nkinds, ndepths, nages;
};
/* ~ How much there is, in bounded time however much there is: what is over is tallied, never counted; what waits is counted up
 * to some ten thousands and estimated from a part of it beyond. */
SF_MUSTCHECK
int sf_job_counts(struct sf_dbh *h, struct sf_job_counts *out);
enum sf_job_action { SF_JOB_RETRY, SF_JOB_DISCARD, SF_JOB_CANCEL };
/* ~ On one job: SF_ENOTFOUND, SF_ECONFLICT when its state does not allow it. A running job is asked to stop. */
SF_MUSTCHECK
int sf_job_act(struct sf_dbh *h, int64_t id, enum sf_job_action action);
/* ~ On all that the filter names, at most `most` at a call in id order (*n: how many); preview only counts. */
SF_MUSTCHECK
int sf_job_act_many(struct sf_dbh *h, const struct sf_job_filter *f, enum sf_job_action action, bool preview,
					int64_t most, int64_t *n);

/* ---- cron (pure) ---------------------------------------------------------------------------------------------- */

struct sf_cron_spec {
	uint64_t minute; /* bit sets */
	uint32_t hour, mday, month, wday;
	bool hour_any, mday_any, wday_any; /* the field begins with * */
};
/* SF_EINVAL with *why on a bad expression. */
SF_MUSTCHECK
int sf_cron_parse(const char *expr, struct sf_cron_spec *out, const char **why);
/* The next tick after t in the zone (POSIX zoneinfo; SF_EINVAL: unknown zone). A local time that a change of clocks skips fires at the
 * first instant after the gap. One that it repeats fires at both passes when the hour is * (or every second one), else once, at the first. INT64_MAX:
 * never. */
SF_MUSTCHECK
int sf_cron_next(const struct sf_cron_spec *spec, const char *zone, int64_t t, int64_t *next);

#endif
