/* job_worker: the life of a process that runs jobs: databases, preparation, the runner, drain.
 *
 * It tells the supervisor that it is ready once its databases are prepared; also after the first failure, or when it takes
 * long, for a worker that is not ready in a minute is taken for stuck, and one that waits for its database is not. */
#include "cli/internal.h"

#include <stdlib.h>
#include <uv.h>

#include "app/app.h"
#include "core/config.h"
#include "core/log.h"
#include "db/db.h"
#include "jobs/jobs.h"
#include "http/http.h"
#include "loop/loop.h"
#include "telemetry/telemetry.h"

#define SPARE_COROUTINES 64 /* beyond jobs: the runner's own */
#define READY_AFTER_MS   2000
#define LAST_WORD_MS     1000 /* after the drain's limit */
#define DATABASES_MAX    16

static struct {
	struct sf_worker self;
	struct sf_loop *loop;
	struct sf_app *app;
	struct sf_client *client; /* outgoing requests */
	struct sf_db *dbs[DATABASES_MAX + 1];
	struct sf_jobs *jobs;         /* NULL until the databases are prepared */
	struct sf_co *preparing;      /* NULL once it is over */
	uv_timer_t timer;             /* READY_AFTER_MS at first; later ends a drain that hangs */
	bool ready, draining, failed; /* failed: the settings name a queue that there is not */
} worker;

static void ready_now(void *arg) {
	(void)arg;
	if (worker.ready || worker.draining) return;
	worker.ready = true;
	uv_timer_stop(&worker.timer);
	sf_worker_ready(&worker.self);
}

static void takes_long(uv_timer_t *t) {
	(void)t;
	ready_now(NULL);
}

static int set_up(void) {
	int err = cli_databases_open(worker.loop);
	if (err) return err;
	cli_databases(worker.dbs, DATABASES_MAX);
	err = cli_auth_setup();
	if (!err) err = sf_client_new(worker.loop, &worker.client);
	return err ? err : cli_app_new(NULL, worker.client, &worker.app);
}

static void start_jobs(void *arg) {
	(void)arg;
	if (worker.draining) return;
	const struct sf_jobs_opts opts = {
		.dbs = worker.dbs,
		.queues = sf_config_text("JOB_QUEUES"),
		.concurrency = (int)sf_config_int("JOB_CONCURRENCY"),
		.lease_ms = sf_config_int("JOB_LEASE"),
		.keep_done_ms = sf_config_int("JOB_KEEP_DONE"),
		.amqp_url = sf_config_text("AMQP_URL"),
		.amqp_ca_file = sf_config_text("AMQP_CA_FILE"),
		.amqp_prefetch = (int)sf_config_int("AMQP_PREFETCH"),
		.amqp_heartbeat_s = (int)(sf_config_int("AMQP_HEARTBEAT") / 1000),
		.crash_dir = sf_config_text("JOB_CRASH_DIR"),
		.schedule = true,
		.context = worker.app,
	};
	if (sf_jobs_start(worker.loop, &opts, &worker.jobs) != 0) {
		sf_log(SF_ERROR, "jobs cannot be run", SF_KV("queues", opts.queues ? opts.queues : "all"));
		worker.failed = true;
		sf_loop_stop(worker.loop);
		return;
	}
	sf_telemetry_jobs(worker.jobs);
	ready_now(NULL);
}

static void prepare(void *arg) {
	(void)arg;
	worker.preparing = sf_co_self();
	if (cli_prepare_until(ready_now, NULL)) sf_loop_later(worker.loop, start_jobs, NULL);
	worker.preparing = NULL;
}

/* ---- drain -------------------------------------------------------------------------------------- */

static void hangs(uv_timer_t *t) {
	(void)t;
	sf_log(SF_ERROR, "the drain took too long; what is left is given up");
	sf_loop_stop(worker.loop);
}

static void databases_closed(void *arg) {
	(void)arg;
	uv_close((uv_handle_t *)&worker.timer, NULL);
}

static void drained(void *arg) {
	(void)arg;
	sf_telemetry_stop();
	sf_jobs_free(worker.jobs);
	worker.jobs = NULL;
	sf_client_free(worker.client);
	sf_worker_detach(&worker.self);
	cli_databases_close(databases_closed, NULL);
}

static void on_drain(void *arg) {
	(void)arg;
	int64_t limit = sf_config_int("DRAIN_TIMEOUT");
	worker.draining = true;
	uv_timer_start(&worker.timer, hangs, (uint64_t)(limit + LAST_WORD_MS), 0);
	if (worker.preparing) sf_co_cancel(worker.preparing, SF_EDRAINING);
	if (worker.jobs)
		sf_jobs_drain(worker.jobs, limit, drained, NULL);
	else
		sf_loop_later(worker.loop, drained, NULL);
}

/* ---- life --------------------------------------------------------------------------------------- */

int cli_job_worker_run(const struct sf_worker *self) {
	sf_log_context((const struct sf_kv[]) { SF_KV("worker", self->slot), SF_KV("role", "jobs"), { 0 } });
	worker.self = *self;
	worker.self.on_drain = on_drain;
	worker.loop = sf_loop_new(&(struct sf_loop_opts) {
		.max_inflight = (size_t)sf_config_int("JOB_CONCURRENCY") + SPARE_COROUTINES });
	if (set_up() != 0) return SF_WORKER_MISCONFIGURED;
	uv_timer_init(sf_loop_uv(worker.loop), &worker.timer);
	uv_timer_start(&worker.timer, takes_long, READY_AFTER_MS, 0);
	if (sf_worker_attach(worker.loop, &worker.self) != 0) return 1;
	sf_telemetry_start(&(struct sf_telemetry_opts) {
		.loop = worker.loop, .dbs = worker.dbs, .services = cli_database_services, .slot = self->slot });
	if (sf_co_start(worker.loop, prepare, NULL, NULL) != 0) return 1;
	sf_loop_run(worker.loop);
	if (worker.failed) return SF_WORKER_MISCONFIGURED;
	sf_app_free(worker.app);
	return sf_loop_free(worker.loop) == 0 ? 0 : 1;
}
