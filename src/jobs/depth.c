/* depth: how much is due in each queue and for how long, for telemetry. */
#include "jobs/internal.h"

#include "core/time.h"

#include "jobs.q.h"

int sf_job_depths(struct sf_dbh *h, struct sf_job_depth **out, size_t *n) {
	struct sf_rows rows;
	int64_t now = sf_time_now();
	int err = jobs_q_depths(h, &(struct jobs_q_depths_in) { .now = now }, &rows);
	if (err) return err;
	struct sf_job_depth *d = sf_arena_try(sf_dbh_arena(h), (rows.n + 1) * sizeof *d);
	if (!d) return SF_ENOMEM;
	for (size_t i = 0; i < rows.n; i++) {
		const struct jobs_q_depths_row *row = SF_ROW(rows, jobs_q_depths, i);
		d[i] =
			(struct sf_job_depth) { .queue = row->queue, .due = row->due, .oldest_us = now - row->oldest_at };
	}
	*out = d, *n = rows.n;
	return 0;
}
