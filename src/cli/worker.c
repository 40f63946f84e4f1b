/* worker: the life of an http worker, from the inherited socket to the last answer.
 *
 * Start. A coroutine prepares the databases (prepare.c) and tries until it succeeds. The socket is listened on once they are
 * prepared, so that who connects meanwhile waits in its queue instead of hearing an error; but also after the
 * first failure, or when it takes long: then /health answers, /ready says what is awaited, other routes answer 503,
 * and a database that comes an hour late is taken up within a second [APP-6].
 *
 * Drain. The server stops accepting and finishes what it has (http/), then the databases close what they have, and
 * the loop ends by itself because nothing is left on it. That it does is checked: a handle or coroutine left
 * behind is a leak, and the exit code says so. */
#include "cli/internal.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "app/app.h"
#include "auth/auth.h"
#include "core/config.h"
#include "core/log.h"
#include "db/db.h"
#include "http/http.h"
#include "loop/loop.h"
#include "services/services.h"
#include "telemetry/telemetry.h"

#define SPARE_COROUTINES 64   /* beyond requests: the preparation and the like */
#define LISTEN_AFTER_MS  2000 /* whether or not the databases are prepared */
#define LAST_WORD_MS     1000 /* after the drain's limit */
#define DATABASES_MAX    16

static struct {
	struct sf_worker self;
	struct sf_loop *loop;
	struct sf_static *files;
	struct sf_app *app;
	struct sf_client *client; /* outgoing requests */
	struct sf_http_server *http;
	struct sf_db *dbs[DATABASES_MAX + 1];
	struct sf_co *preparing; /* NULL once it is over */
	struct sf_co *following; /* likewise */
	uv_timer_t timer;        /* LISTEN_AFTER_MS at first; later ends a drain that hangs */
	bool listening, draining, failed;
} worker;

/* ---- start -------------------------------------------------------------------------------------- */

static void load_web(const char *argv0) {
	char buf[PATH_MAX];
	const char *dir = cli_web_dir(argv0, buf, sizeof buf);
	if (!dir)
		sf_log(SF_WARN, "no web app was found; only the API is served",
			   SF_KV("hint", "make web, or set WEB_DIR"));
	else if (sf_static_load(dir, &worker.files) != 0)
		sf_log(SF_WARN, "the web app cannot be read; only the API is served", SF_KV("folder", dir));
}

static void on_recycle(void *arg) {
	sf_worker_recycle(arg);
}

/* Proxies carry many clients. Programs of this machine are counted only where the limit was set by hand: a proxy beside us may not
 * be in TRUSTED_PROXIES, and load is made from here. */
static bool uncounted(struct sf_str peer) {
	static int by_hand = -1;
	if (by_hand < 0) by_hand = strcmp(sf_config_source("HTTP_MAX_CONNS_PER_ADDRESS"), "default") != 0;
	bool here = sf_str_starts(peer, SF_STR("127.")) || sf_str_eq(peer, SF_STR("::1"));
	return (here && !by_hand) || sf_proxy_trusted(peer);
}

static int make_http(void) {
	struct sf_http_opts opts = {
		.body_max = (size_t)sf_config_int("HTTP_BODY_MAX"),
		.head_ms = sf_config_int("HTTP_HEAD_TIMEOUT"),
		.body_ms = sf_config_int("HTTP_BODY_TIMEOUT"),
		.idle_ms = sf_config_int("HTTP_IDLE_TIMEOUT"),
		.request_ms = sf_config_int("HTTP_REQUEST_TIMEOUT"),
		.max_conns = (size_t)sf_config_int("HTTP_MAX_CONNS"),
		.address_conns = (size_t)sf_config_int("HTTP_MAX_CONNS_PER_ADDRESS"),
		.uncounted = uncounted,
		.max_inflight = (size_t)sf_config_int("MAX_INFLIGHT"),
		.max_requests = (size_t)sf_config_int("MAX_REQUESTS"),
		.on_recycle = on_recycle,
		.arg = &worker.self,
	};
	sf_app_http(worker.app, &opts);
	return sf_http_server_new(worker.loop, &opts, &worker.http);
}

/* Everything that a wrong setting can spoil. */
static int set_up(const char *argv0) {
	int err = cli_databases_open(worker.loop);
	if (err) return err;
	cli_databases(worker.dbs, DATABASES_MAX);
	err = cli_auth_setup();
	if (!err) err = sf_client_new(worker.loop, &worker.client);
	if (err) return err;
	load_web(argv0);
	err = cli_app_new(worker.files, worker.client, &worker.app);
	return err ? err : make_http();
}

/* ---- preparation --------------------------------------------------------------------------------- */

static void listen_now(void) {
	if (worker.listening || worker.draining) return;
	worker.listening = true;
	uv_timer_stop(&worker.timer);
	if (sf_http_listen(worker.http, worker.self.listen_fd) != 0) {
		worker.failed = true; /* said in the log; another worker of the slot may do better */
		sf_loop_stop(worker.loop);
		return;
	}
	sf_worker_ready(&worker.self);
}

static void takes_long(uv_timer_t *t) {
	(void)t;
	listen_now();
}

/* Other hosts share a server, and commands such as `softfactory user` any database. */
static void follow(void *arg) {
	(void)arg;
	worker.following = sf_co_self();
	platform_follow(cli_database_of(platform_service.name));
	worker.following = NULL;
}
static void follow_later(void *arg) {
	if (worker.draining) return;
	if (sf_co_start(worker.loop, follow, arg, NULL) != 0)
		sf_log(SF_ERROR, "revocations of other processes are not followed");
}

static void first_failure(void *arg) {
	(void)arg;
	listen_now();
}

static void prepare(void *arg) {
	(void)arg;
	worker.preparing = sf_co_self();
	if (cli_prepare_until(first_failure, NULL)) {
		sf_app_set_ready(worker.app, true);
		listen_now();
		sf_loop_later(worker.loop, follow_later, NULL);
	}
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
	sf_http_server_free(worker.http);
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
	if (worker.following) sf_co_cancel(worker.following, SF_EDRAINING);
	sf_http_drain(worker.http, limit, drained, NULL);
	close(worker.self.listen_fd); /* after http took what was queued: a successor has the rest, or nobody */
}

/* ---- life --------------------------------------------------------------------------------------- */

int cli_worker_run(const struct sf_worker *self, const char *argv0) {
	sf_log_context((const struct sf_kv[]) { SF_KV("worker", self->slot), { 0 } });
	worker.self = *self;
	worker.self.on_drain = on_drain;
	worker.loop = sf_loop_new(
		&(struct sf_loop_opts) { .max_inflight = (size_t)sf_config_int("MAX_INFLIGHT") + SPARE_COROUTINES });
	if (set_up(argv0) != 0) return SF_WORKER_MISCONFIGURED;
	uv_timer_init(sf_loop_uv(worker.loop), &worker.timer);
	uv_timer_start(&worker.timer, takes_long, LISTEN_AFTER_MS, 0);
	if (sf_worker_attach(worker.loop, &worker.self) != 0) return 1;
	sf_telemetry_start(&(struct sf_telemetry_opts) { .loop = worker.loop,
													 .http = worker.http,
													 .dbs = worker.dbs,
													 .services = cli_database_services,
													 .slot = self->slot });
	sf_app_set_ready(worker.app, false);
	platform_not_ready("the database has not answered yet");
	if (sf_co_start(worker.loop, prepare, NULL, NULL) != 0) return 1;
	sf_loop_run(worker.loop);
	if (worker.failed) return 1;
	sf_app_free(worker.app);
	sf_static_free(worker.files);
	return sf_loop_free(worker.loop) == 0 ? 0 : 1;
}
