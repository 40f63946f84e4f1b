/* telemetry: pulls the counters of http, db, jobs and loop from their owners once a second and shows those of all workers at
 * GET /metrics, in Prometheus' text format.
 *
 * Label values come from tables of the program only (routes, states, slots), never from a request, so the number of
 * series is bounded whatever clients send. */
#ifndef SF_TELEMETRY_TELEMETRY_H
#define SF_TELEMETRY_TELEMETRY_H

#include "core/core.h"

#define SF_VERSION "0.1.0" /* of the program */

struct sf_db;
struct sf_http_server;
struct sf_jobs;
struct sf_json;
struct sf_loop;
struct sf_service;

/* What a worker publishes. The arrays and objects live until sf_telemetry_stop. */
struct sf_telemetry_opts {
	struct sf_loop *loop;
	struct sf_http_server *http;
	struct sf_db *const *dbs; /* NULL-terminated */
	/* Writes the names of the services that use the database, "coocook,platform", cut at n with its NUL. NULL: none is shown. */
	void (*services)(const struct sf_db *db, char *out, size_t n);
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

/* ---- connections to databases [D-3] ------------------------------------------------------------- */

#define SF_TELEMETRY_POOLS 16 /* of a process; more are not shown */
#define SF_TELEMETRY_HELD  64 /* likewise; the oldest are */

/* As one process said at at_us. Texts that are too long are cut. */
struct sf_telemetry_conns {
	int64_t at_us; /* wall clock */
	uint32_t npools, nheld, held_all;
	struct sf_telemetry_pool {
		char services[96], server[96];
		bool lite, replica;
		uint32_t open, busy, idle, waiting, max;
	} pool[SF_TELEMETRY_POOLS];
	struct sf_telemetry_held {
		char label[96], query[64], request[64];
		int64_t job, ms; /* job: 0: none */
		uint32_t pool;
		bool transaction;
	} held[SF_TELEMETRY_HELD];
};
/* What the process with that pid published last, at most a second ago unless it stands still. False: nothing. */
SF_MUSTCHECK
bool sf_telemetry_conns(int64_t pid, struct sf_telemetry_conns *out);
/* Writes the members of GET /api/ops/db for all workers of this instance. */
void sf_telemetry_conns_json(struct sf_json *j);

extern const struct sf_service telemetry_service; /* GET /metrics */

#endif
