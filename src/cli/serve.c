/* serve: `softfactory serve` and `softfactory worker`, the supervisor of the platform; in a worker process, the worker. */
#include "cli/internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "app/app.h"
#include "core/config.h"
#include "core/log.h"
#include "loop/loop.h"
#include "services/mail/client.h"
#include "services/telegram/client.h"

static int check_database(void) {
	const char *url = sf_config_text("DATABASE_URL");
	static const char *const known[] = { "sqlite:///", "postgresql://", "postgres://" };
	for (size_t i = 0; url && i < SF_COUNT(known); i++)
		if (strncmp(url, known[i], strlen(known[i])) == 0) return 0;
	return cli_wrong("DATABASE_URL must begin with sqlite:///, postgresql:// or postgres://");
}

/* What is found wrong only when a job runs would be found in the dead letters. */
static int check_outside(void) {
	const char *why = mail_settings();
	if (!why) why = telegram_settings();
	if (!why && !sf_app_origins_valid(sf_config_text("CORS_ALLOWED_ORIGINS")))
		why =
			"CORS_ALLOWED_ORIGINS must be origins such as https://app.example.com, or *, separated by commas";
	return why ? cli_wrong("%s", why) : 0;
}

/* Connections are descriptors: take as many as the system allows. */
static void raise_files(void) {
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == l.rlim_max) return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

/* A few words for the person who started it; logs go to standard error. */
static void greet(int port, void *arg) {
	(void)arg;
	char buf[PATH_MAX], base[300];
	const char *listen = sf_config_text("LISTEN");
	bool local =
		strcmp(listen, "0.0.0.0") == 0 || strcmp(listen, "::") == 0 || strcmp(listen, "127.0.0.1") == 0;
	bool demo = sf_config_bool("DEMO_MODE"), v6 = !local && strchr(listen, ':');
	if (!demo && !isatty(STDOUT_FILENO)) return;
	snprintf(base, sizeof base, "http://%s%.200s%s:%d", v6 ? "[" : "", local ? "localhost" : listen,
			 v6 ? "]" : "", port);
	printf("\n  SoftFactory runs at  %s\n  The API's document   %s/docs\n", base, base);
	if (!cli_web_dir(cli_argv()[0], buf, sizeof buf))
		printf("  The web app is not built: run `make web`, or set WEB_DIR.\n");
	if (demo)
		printf("\n  Log in as  admin@softfactory.com  admin123  (administrator)\n"
			   "             demo@softfactory.com   demo123   (customer)\n"
			   "             chef@softfactory.com   chef123   (chef)\n");
	printf("\n  Ctrl-C stops it.\n\n");
	fflush(stdout);
}

/* `softfactory worker`: the same supervisor with job workers alone. */
int cli_worker(int argc, char **argv) {
	struct sf_worker self = { 0 };
	bool is_worker = sf_worker_self(&self);
	int code = cli_settings(&argc, argv);
	if (code) return is_worker ? SF_WORKER_MISCONFIGURED : code;
	if (argc > 1) return cli_wrong("worker takes no argument \"%s\"", argv[1]);
	if (is_worker) return cli_job_worker_run(&self);
	code = check_database();
	if (!code) code = cli_secret();
	if (!code) code = check_outside();
	if (code) return code;
	raise_files();
	int workers = (int)sf_config_int("JOB_WORKERS");
	const struct sf_super_opts opts = {
		.job_workers = workers ? workers : 1,
		.drain_ms = sf_config_int("DRAIN_TIMEOUT"),
		.watchdog_ms = sf_config_int("WATCHDOG"),
		.argv = cli_argv(),
	};
	return sf_super_run(&opts);
}

int cli_serve(int argc, char **argv) {
	struct sf_worker self = { 0 };
	bool is_worker = sf_worker_self(&self);
	int code = cli_settings(&argc, argv);
	if (code) return is_worker ? SF_WORKER_MISCONFIGURED : code;
	if (argc > 1) return cli_wrong("serve takes no argument \"%s\"", argv[1]);
	if (is_worker)
		return self.role == SF_WORKER_JOBS ? cli_job_worker_run(&self) : cli_worker_run(&self, cli_argv()[0]);
	code = check_database();
	if (!code) code = cli_secret();
	if (!code) code = check_outside();
	if (code) return code;
	raise_files();
	int workers = (int)sf_config_int("WORKERS");
	const struct sf_super_opts opts = {
		.listen = sf_config_text("LISTEN"),
		.port = (int)sf_config_int("PORT"),
		.workers = workers ? workers : (int)uv_available_parallelism(),
		.job_workers = (int)sf_config_int("JOB_WORKERS"),
		.job_nice = (int)sf_config_int("JOB_NICE"),
		.drain_ms = sf_config_int("DRAIN_TIMEOUT"),
		.watchdog_ms = sf_config_int("WATCHDOG"),
		.drain_wait_ms = sf_config_int("DRAIN_WAIT"),
		.argv = cli_argv(),
		.on_up = greet,
	};
	return sf_super_run(&opts);
}
