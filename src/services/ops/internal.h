/* Shared inside services/ops/: the checked inputs of its routes and its handlers. */
#ifndef SF_SERVICES_OPS_INTERNAL_H
#define SF_SERVICES_OPS_INTERNAL_H

#include "app/app.h"
#include "jobs/jobs.h"

/* ---- inputs: what is absent is p NULL or has no value ---------------------------------------------- */

struct ops_one_query {
	struct sf_str service; /* whose database; absent: that of this service */
};
struct ops_filter {
	struct sf_str state, kind, queue, error;
	struct sf_oint from, to;
};
struct ops_jobs_query {
	struct sf_str service;
	struct ops_filter filter;
	struct sf_oint before;
	int64_t limit;
	bool ticks;
};
struct ops_bulk_body {
	struct sf_str service;
	struct sf_str action;
	struct ops_filter filter;
	bool preview;
	int64_t most;
};

/* ---- handlers, all ~ ------------------------------------------------------------------------------- */

sf_handler ops_db;
sf_handler ops_job_follow;
sf_handler ops_job_counts, ops_job_list, ops_job_show;
sf_handler ops_job_retry, ops_job_discard, ops_job_cancel, ops_job_bulk;

#endif
