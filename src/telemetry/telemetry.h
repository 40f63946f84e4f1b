/* telemetry: pulls the counters of http, db, jobs and loop from their owners once a second and shows those of all workers at
 * GET /metrics, in Prometheus' text format.
 *
 * Label values come from tables of the program only (routes, states, slots), never from a request, so the number of
 * series is bounded whatever clients send. */
#ifndef SF_TELEMETRY_TELEMETRY_H
#define SF_TELEMETRY_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_VERSION "0.1.0" /* of the program */

struct sf_db;
struct sf_http_server;
struct sf_jobs;
struct sf_loop;
struct sf_service;

/* What a worker publishes. The arrays and objects live until sf_telemetry_stop. */
struct sf_telemetry_opts {
	struct sf_loop *loop;
	struct sf_http_server *http;
	struct sf_db *const *dbs; /* NULL-terminated */
	int slot;
};
/* Publishes once a second until stopped; one at a time in a process. */
void sf_telemetry_start(const struct sf_telemetry_opts *opts);
/* From now on the runner's figures too; after sf_telemetry_start, and the runner lives until sf_telemetry_stop. */
void sf_telemetry_jobs(struct sf_jobs *jobs);
void sf_telemetry_stop(
	void); /* publishes a last time and closes the timer; before the objects go. Fine when not started. */

/* How long ago the job worker with that pid last took, ended or asked for a job, in ms; it goes on growing when the process stands still.
 * False: it is none, or has not begun. */
bool sf_telemetry_jobs_idle(int64_t pid, int64_t *ms);

/* How many job workers of this host are connected to RabbitMQ, as they said within the last seconds. */
size_t sf_telemetry_jobs_connected(void);

extern const struct sf_service telemetry_service; /* GET /metrics */

#endif
