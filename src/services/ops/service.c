/* service: the rows of operations: following a job, steering the queue, and connections to databases. */
#include "services/ops/internal.h"
#include "services/services.h"

#define JOBS   "/api/ops/jobs"
#define STATES "scheduled|ready|running|retrying|done|dead|cancelled"

/* ---- inputs ----------------------------------------------------------------------------------- */

#define FILTER(holder)                                                                                       \
	{ .name = "state", .type = SF_F_ENUM, .offset = offsetof(holder, filter.state), .choices = STATES },     \
		{ .name = "kind",                                                                                    \
		  .type = SF_F_TEXT,                                                                                 \
		  .offset = offsetof(holder, filter.kind),                                                           \
		  .min = 1,                                                                                          \
		  .max = 100,                                                                                        \
		  .example = "\"platform.prune\"" },                                                                 \
		{ .name = "queue",                                                                                   \
		  .type = SF_F_TEXT,                                                                                 \
		  .offset = offsetof(holder, filter.queue),                                                          \
		  .min = 1,                                                                                          \
		  .max = 100 },                                                                                      \
		{ .name = "error",                                                                                   \
		  .type = SF_F_TEXT,                                                                                 \
		  .offset = offsetof(holder, filter.error),                                                          \
		  .min = 1,                                                                                          \
		  .max = 200,                                                                                        \
		  .help = "part of what went wrong" },                                                               \
		{ .name = "from",                                                                                    \
		  .type = SF_F_TIME,                                                                                 \
		  .offset = offsetof(holder, filter.from),                                                           \
		  .help = "added at that time or later" },                                                           \
	{                                                                                                        \
		.name = "to", .type = SF_F_TIME, .offset = offsetof(holder, filter.to),                              \
		.help = "added before that time"                                                                     \
	}

#define SERVICE(holder)                                                                                      \
	SF_IN(holder, service, SF_F_TEXT, .min = 1, .max = 40, .example = "\"coocook\"",                         \
		  .help = "whose database the jobs lie in; only for a service that has one of its own")

static const struct sf_field one_in[] = { SERVICE(struct ops_one_query), { 0 } };
static const struct sf_field jobs_in[] = {
	SERVICE(struct ops_jobs_query),
	FILTER(struct ops_jobs_query),
	SF_IN(struct ops_jobs_query, before, SF_F_INT, .min = 1, .max = INT64_MAX,
		  .help = "`next` of the page before"),
	SF_IN(struct ops_jobs_query, limit, SF_F_INT, .min = 1, .max = 200, .fallback = "50"),
	SF_IN(struct ops_jobs_query, ticks, SF_F_BOOL, .fallback = "false",
		  .help = "true: also runs of schedules that are done and had nothing to do, which have no result; "
				  "without it "
				  "they are left out unless `kind` names theirs"),
	{ 0 },
};
static const struct sf_field bulk_in[] = {
	SERVICE(struct ops_bulk_body),
	SF_IN(struct ops_bulk_body, action, SF_F_ENUM, .required = true, .choices = "retry|discard|cancel"),
	FILTER(struct ops_bulk_body),
	SF_IN(struct ops_bulk_body, preview, SF_F_BOOL, .fallback = "false",
		  .help = "true only counts what would be done"),
	SF_IN(struct ops_bulk_body, most, SF_F_INT, .min = 1, .max = 10000, .fallback = "1000",
		  .help = "jobs of one call; repeat it while `more`"),
	{ 0 },
};

/* ---- replies ---------------------------------------------------------------------------------- */

#define FOLLOWED                                                                                             \
	SF_OUT(id, SF_F_INT, .required = true), SF_OUT(kind, SF_F_TEXT, .required = true),                       \
		SF_OUT(state, SF_F_ENUM, .required = true, .choices = STATES),                                       \
		SF_OUT(attempts, SF_F_INT, .required = true, .help = "runs so far"),                                 \
		SF_OUT(progress, SF_F_INT, .required = true, .help = "per cent"),                                    \
		SF_OUT(progress_text, SF_F_TEXT, .required = true, .nullable = true),                                \
		SF_OUT(result, SF_F_JSON, .required = true, .nullable = true),                                       \
		SF_OUT(error, SF_F_TEXT, .required = true, .nullable = true,                                         \
			   .help = "why the last run failed; for others than administrators a sentence"),                \
		SF_OUT(created_at, SF_F_TIME, .required = true),                                                     \
		SF_OUT(finished_at, SF_F_TIME, .required = true, .nullable = true)
#define LISTED                                                                                               \
	FOLLOWED, SF_OUT(queue, SF_F_TEXT, .required = true), SF_OUT(priority, SF_F_INT, .required = true),      \
		SF_OUT(max_attempts, SF_F_INT, .required = true),                                                    \
		SF_OUT(owner, SF_F_INT, .required = true, .nullable = true),                                         \
		SF_OUT(key, SF_F_TEXT, .required = true, .nullable = true),                                          \
		SF_OUT(run_at, SF_F_TIME, .required = true),                                                         \
		SF_OUT(started_at, SF_F_TIME, .required = true, .nullable = true)

static const struct sf_field followed_out[] = { FOLLOWED, { 0 } };
static const struct sf_field listed_out[] = { LISTED, { 0 } };
static const struct sf_field shown_out[] = { LISTED, SF_OUT(payload, SF_F_JSON, .required = true), { 0 } };
static const struct sf_field page_out[] = {
	SF_OUT(jobs, SF_F_ARRAY, .required = true, .sub = listed_out),
	SF_OUT(next, SF_F_INT, .required = true, .nullable = true,
		   .help =
			   "`before` of the next page; null: the last. A page looks at a bounded number of jobs: it may "
			   "hold few or none and not be the last"),
	{ 0 },
};
static const struct sf_field count_out[] = {
	SF_OUT(kind, SF_F_TEXT, .required = true),
	SF_OUT(state, SF_F_ENUM, .required = true, .choices = STATES),
	SF_OUT(count, SF_F_INT, .required = true),
	SF_OUT(estimated, SF_F_BOOL, .required = true),
	{ 0 },
};
static const struct sf_field lag_out[] = {
	SF_OUT(queue, SF_F_TEXT, .required = true),
	SF_OUT(due, SF_F_INT, .required = true, .help = "jobs that could run now"),
	SF_OUT(estimated, SF_F_BOOL, .required = true),
	SF_OUT(oldest_seconds, SF_F_INT, .required = true, .help = "how long the oldest of them has been due"),
	{ 0 },
};
static const struct sf_field counts_out[] = {
	SF_OUT(counts, SF_F_ARRAY, .required = true, .sub = count_out),
	SF_OUT(queues, SF_F_ARRAY, .required = true, .sub = lag_out, .help = "those with jobs that are due"),
	{ 0 },
};
static const struct sf_field acted_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(state, SF_F_ENUM, .required = true, .choices = STATES),
	SF_OUT(message, SF_F_TEXT, .required = true),
	{ 0 },
};
static const struct sf_field bulk_out[] = {
	SF_OUT(action, SF_F_TEXT, .required = true),
	SF_OUT(preview, SF_F_BOOL, .required = true),
	SF_OUT(count, SF_F_INT, .required = true, .help = "jobs that were (preview: would be) acted on"),
	SF_OUT(more, SF_F_BOOL, .required = true, .help = "there may be more than `most`: call again"),
	{ 0 },
};

static const struct sf_field held_out[] = {
	SF_OUT(holder, SF_F_TEXT, .required = true, .example = "\"POST /api/coocook/bookings\"",
		   .help = "the route, the kind of job, or the part of the program"),
	SF_OUT(transaction, SF_F_BOOL, .required = true,
		   .help = "true: it has the connection for itself; false: a statement alone, which shares one or "
				   "waits for it"),
	SF_OUT(ms, SF_F_INT, .required = true,
		   .help = "how long, at `as_of`; of a statement: since it was asked for"),
	SF_OUT(query, SF_F_TEXT, .required = true, .nullable = true, .example = "\"coocook.booking_add\"",
		   .help = "the statement that runs or ran last, as `softfactory db queries` names it"),
	SF_OUT(request_id, SF_F_TEXT, .required = true, .nullable = true),
	SF_OUT(job_id, SF_F_INT, .required = true, .nullable = true),
	{ 0 },
};
static const struct sf_field database_out[] = {
	SF_OUT(services, SF_F_TEXT, .required = true, .example = "\"coocook,ops,platform\"",
		   .help = "whose data lie there"),
	SF_OUT(server, SF_F_TEXT, .required = true, .help = "host, port and database, or the file"),
	SF_OUT(engine, SF_F_ENUM, .required = true, .choices = "postgresql|sqlite"),
	SF_OUT(role, SF_F_ENUM, .required = true, .choices = "primary|replica"),
	SF_OUT(open, SF_F_INT, .required = true, .help = "connections; SQLite: threads"),
	SF_OUT(in_use, SF_F_INT, .required = true),
	SF_OUT(idle, SF_F_INT, .required = true),
	SF_OUT(waiting, SF_F_INT, .required = true, .help = "statements and transactions in line for one"),
	SF_OUT(max, SF_F_INT, .required = true),
	SF_OUT(held, SF_F_ARRAY, .required = true, .sub = held_out, .help = "the oldest first"),
	{ 0 },
};
static const struct sf_field db_process_out[] = {
	SF_OUT(name, SF_F_TEXT, .required = true, .example = "\"worker 0\""),
	SF_OUT(pid, SF_F_INT, .required = true),
	SF_OUT(as_of, SF_F_TIME, .required = true, .nullable = true,
		   .help = "when the process said so, which each does once a second; null: not yet"),
	SF_OUT(databases, SF_F_ARRAY, .required = true, .sub = database_out),
	SF_OUT(not_shown, SF_F_INT, .required = true, .help = "holders beyond the 64 oldest of the process"),
	{ 0 },
};
static const struct sf_field db_out[] = {
	SF_OUT(processes, SF_F_ARRAY, .required = true, .sub = db_process_out),
	{ 0 },
};

/* ---- rows ------------------------------------------------------------------------------------- */

#define ONE .query = one_in, .query_size = sizeof(struct ops_one_query)
#define ACT                                                                                                  \
	.auth = SF_ADMIN, .rate = SF_RATE_WRITE, ONE, .reply = acted_out, .errors = { SF_ENOTFOUND, SF_ECONFLICT }

static const struct sf_route routes[] = {
	{ SF_GET, "/api/jobs/{id}", ops_job_follow, .auth = SF_WHO("owner or admin"), .rate = SF_RATE_API, ONE,
	  .reply = followed_out, .errors = { SF_ENOTFOUND }, .summary = "How a job is getting on" },
	{ SF_GET, "/api/ops/db", ops_db, .auth = SF_ADMIN, .rate = SF_RATE_API, .reply = db_out,
	  .summary = "Who uses which database connection of this instance, and for how long" },
	{ SF_GET, JOBS "/counts", ops_job_counts, .auth = SF_ADMIN, .rate = SF_RATE_API, ONE, .reply = counts_out,
	  .summary = "Jobs by kind and state" },
	{ SF_GET, JOBS, ops_job_list, .auth = SF_ADMIN, .rate = SF_RATE_API, .query = jobs_in,
	  .query_size = sizeof(struct ops_jobs_query), .reply = page_out,
	  .summary = "Jobs that a filter names, the newest first" },
	{ SF_GET, JOBS "/{id}", ops_job_show, .auth = SF_ADMIN, .rate = SF_RATE_API, ONE, .reply = shown_out,
	  .errors = { SF_ENOTFOUND }, .summary = "A job with its payload" },
	{ SF_POST, JOBS "/{id}/retry", ops_job_retry, ACT,
	  .summary = "Run a job now that is dead, cancelled or waits" },
	{ SF_POST, JOBS "/{id}/discard", ops_job_discard, ACT, .summary = "Give up a job that is dead or waits" },
	{ SF_POST, JOBS "/{id}/cancel", ops_job_cancel, ACT,
	  .summary = "Cancel a job that waits, or ask a running one to stop" },
	{ SF_POST, JOBS "/bulk", ops_job_bulk, .auth = SF_ADMIN, .rate = SF_RATE_WRITE, .body = bulk_in,
	  .body_size = sizeof(struct ops_bulk_body), .reply = bulk_out,
	  .summary = "Retry, discard or cancel all jobs that a filter names, or count them first" },
	{ 0 },
};

const struct sf_service ops_service = {
	.name = "ops",
	.title = "Operations: jobs and connections",
	.routes = routes,
};
