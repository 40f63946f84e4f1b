/* cli: what the subcommands share. One file a subcommand; main.c holds their table. */
#ifndef SF_CLI_INTERNAL_H
#define SF_CLI_INTERNAL_H

#include "core/core.h"

struct sf_loop;
struct sf_db;
struct sf_app;
struct sf_arena;
struct sf_service;
struct sf_worker;

struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
	const char *args;                  /* "[--json] [name]" */
	const char *summary;               /* one line of `softfactory --help` */
	const char *help;                  /* the rest of `softfactory <command> --help` */
	enum {
		CLI_NO_SETTINGS,
		CLI_SETTINGS,
		CLI_ALL_SETTINGS
	} settings; /* their flags are taken; and listed by --help */
};

int cli_serve(int argc, char **argv);
int cli_worker(int argc, char **argv);
int cli_jobs(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_routes(int argc, char **argv);
int cli_openapi(int argc, char **argv);
int cli_db(int argc, char **argv);
int cli_db_connections(int argc, char **argv); /* argv[0] is "connections" */
int cli_user(int argc, char **argv);
int cli_subscription(int argc, char **argv);
int cli_version(int argc, char **argv);

char **cli_argv(void); /* of the process, whole and in its order: for workers and the re-exec */
/* Prints "softfactory: <sentence>" on standard error; returns 2, the exit code of wrong use. */
SF_PRINTF(1, 2) int cli_wrong(const char *fmt, ...);
/* Reads the settings from environment and flags; what is no flag stays in argv[1..]. Returns 0, or 2 after saying why. */
int cli_settings(int *argc, char **argv);
/* Takes "--name value" or "--name=value" out of argv; NULL: it is not there, "": its value is missing. */
const char *cli_take_value(int *argc, char **argv, const char *name);
/* The same; *out stays when it is not there. 0, or 2 after saying that the value is missing. */
int cli_take_text(int *argc, char **argv, const char *name, const char **out);
/* Takes a flag without a value out of argv[1..]; false: it is not there. */
bool cli_take_flag(int *argc, char **argv, const char *flag);
void cli_print(struct sf_buf *b); /* to standard output, and empties it */

/* What `softfactory jobs` prints (jobs_print.c), as text for a person or as the JSON of the API. */
struct sf_job_view;
struct sf_job_counts;
void cli_jobs_list(const struct sf_job_view *v, size_t n, bool json);
void cli_jobs_show(const struct sf_job_view *v, bool json);
void cli_jobs_counts(const struct sf_job_counts *c, bool json);

/* ---- the running program: databases and application, shared by serve and the tools --------------------- */

/* Opens the database of every service (one pool for services that share a URL). 0, or a code after a log line. */
SF_MUSTCHECK
int cli_databases_open(struct sf_loop *l);
bool cli_service_known(const char *service);
/* The file of a service's SQLite database where there is none yet, else NULL: opening it would make it. */
const char *cli_database_missing(const char *service);
struct sf_db *cli_database_of(const char *service); /* NULL: unknown service */
size_t cli_databases(struct sf_db **out, size_t n); /* each pool once */
/* The names of the services that use it, "coocook,platform", cut at n with its NUL. */
void cli_database_services(const struct sf_db *db, char *out, size_t n);
void cli_databases_close(void (*done)(void *arg), void *arg);

/* The application over all services with what the settings say, its kinds of jobs declared; 0, or a code after a log line. */
struct sf_static;
struct sf_client;
SF_MUSTCHECK
int cli_app_new(const struct sf_static *files, struct sf_client *client,
				struct sf_app **out); /* files, client: may be NULL */

/* Makes the kinds of jobs and the schedules of all services known; before anything is added. 0, or a code after a log line. */
SF_MUSTCHECK
int cli_jobs_declare(void);

const struct sf_service *const *cli_services(void); /* every module, telemetry too; NULL-terminated */

/* ~ Applies the migrations to every database, replays revoked tokens, and in demo mode puts the demo data in. May be done again. */
SF_MUSTCHECK
int cli_prepare(struct sf_arena *a,
				struct sf_str *why); /* why: in the arena, where more than the error is known */

/* ~ What a tool of platform's needs: its database, with its tables. NULL after saying what is missing. */
struct sf_db *cli_platform(struct sf_arena *a);
/* Says what err of services/platform/client.h means; why: its reason, p NULL: none. Returns the exit code. */
int cli_platform_failed(int err, const char *who, struct sf_str why);

/* Subscriptions, as JSON and as lines; emails: whose they are. (subscription.c) */
struct platform_grant;
struct sf_json;
void cli_grants_json(struct sf_json *j, const struct platform_grant *g, size_t n);
void cli_grants_print(struct sf_buf *b, const struct platform_grant *g, size_t n, bool emails);

/* Runs fn(arg) as a coroutine on a loop of its own with the databases open; returns fn's exit code. For tools. */
int cli_task(int (*fn)(void *arg), void *arg);

/* The folder of the web app, or NULL: WEB_DIR, else beside the program. buf ≥ PATH_MAX. */
const char *cli_web_dir(const char *argv0, char *buf, size_t n);
/* Takes the accepted secrets out of the settings (auth/auth.h, sf_secrets_setup). NULL, or what is wrong with them. */
SF_MUSTCHECK
const char *cli_secrets_setup(void);
/* Sees to it that there is a JWT_SECRET before anything is started: in demo mode without one, that which is kept beside the data,
 * made at the first start. It goes into the environment, where workers and later binaries find it. 0, or the exit code after a line why. */
SF_MUSTCHECK
int cli_secret(void);
/* What tokens need of the settings; 0, or a code after a log line. */
SF_MUSTCHECK
int cli_auth_setup(void);
/* ~ Prepares the databases and tries until it succeeds; failed(arg) after the first failure. False: the coroutine was cancelled. */
bool cli_prepare_until(void (*failed)(void *arg), void *arg);
/* The life of a worker process that answers requests; returns its exit code. */
int cli_worker_run(const struct sf_worker *self, const char *argv0);
/* The life of one that runs jobs. */
int cli_job_worker_run(const struct sf_worker *self);

#endif
