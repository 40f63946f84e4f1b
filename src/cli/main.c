/* main: the table of subcommands, and --help. */
#include "cli/internal.h"

#include <ctype.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/config.h"
#include "core/log.h"

static const struct cli_command commands[] = {
	{ "serve", cli_serve, "[settings]", "run the platform",
	  "Starts a supervisor and its workers on PORT (8000). Logs are JSON lines on standard error.\n"
	  "SIGTERM drains and ends, SIGHUP starts new workers from the binary on disk.\n",
	  CLI_ALL_SETTINGS },
	{ "worker", cli_worker, "[settings]", "run jobs alone",
	  "Starts a supervisor and JOB_WORKERS processes (at least one) that run jobs, of --queues or of all, "
	  "and answer no\n"
	  "requests. Signals as for serve.\n",
	  CLI_ALL_SETTINGS },
	{ "config", cli_config, "[--json] [settings]", "print the settings in force and where they come from",
	  "Secrets are hidden. A wrong value is named, and the exit code is 2.\n", CLI_ALL_SETTINGS },
	{ "routes", cli_routes, "[--json]", "list the routes of all services", "", CLI_NO_SETTINGS },
	{ "openapi", cli_openapi, "", "print the OpenAPI 3.1 document", "", CLI_NO_SETTINGS },
	{ "db", cli_db, "migrate | status | queries [--json] [name] | connections [--json] [--pid PID]",
	  "apply migrations, show their state, print the SQL, show connections",
	  "  migrate   applies what is missing, under a lock, each in a transaction\n"
	  "  status    every migration, whether it was applied and whether its text changed since\n"
	  "  queries   the named queries with their SQL for both engines (for EXPLAIN and for reading)\n"
	  "  connections  who uses which connection of the instance that runs on this machine, and for how "
	  "long;\n"
	  "               --pid names its supervisor where there are several\n",
	  CLI_SETTINGS },
	{ "jobs", cli_jobs, "list | counts | show ID | retry | discard | cancel [ID] [filter] [--json]",
	  "look at the queue and steer it",
	  "  list      the newest first, 50 of them; --limit N other than that (1000 at most), --before ID the "
	  "next page;\n"
	  "            runs of schedules that had nothing to do only with --ticks or their --kind\n"
	  "  counts    by kind and state, and how long queues have been behind\n"
	  "  show      one job with its payload, result and error\n"
	  "  retry     run a job now that is dead, cancelled or waits\n"
	  "  discard   give one up that is dead or waits; it is cancelled then\n"
	  "  cancel    the same of one that waits, and ask one that runs to stop\n\n"
	  "Without an ID the last three act on all that the filter names: they say how many, and do it with "
	  "--yes.\n\n"
	  "Filter:\n"
	  "  --state S               scheduled, ready, running, retrying, done, dead or cancelled\n"
	  "  --kind K, --queue Q     as `show` prints them\n"
	  "  --error TEXT            part of what went wrong\n"
	  "  --from TIME, --to TIME  added then or later, added before: 2026-11-22T14:00:00Z, or a day (UTC)\n\n"
	  "--json prints the jobs (or counts) as the API has them. --service NAME looks into the database of "
	  "that service.\n"
	  "Exit codes: 0, 1 when it cannot be done, 2 when it was asked wrongly; then nothing was done.\n\n"
	  "  softfactory jobs list --state dead --error timeout\n"
	  "  softfactory jobs retry --state dead --kind email.send --from 2026-11-22T01:00:00Z --yes\n",
	  CLI_SETTINGS },
	{ "user", cli_user, "add | list | show | set-password | role | disable | enable [arguments]",
	  "accounts: make the first administrator, help people",
	  "  add EMAIL --name NAME [--role admin|user]   make an account; its mail counts as confirmed\n"
	  "  list [--q TEXT] [--page N] [--limit N]      by number; TEXT is part of an address or a name\n"
	  "  show EMAIL                                  one, with its subscriptions\n"
	  "  set-password EMAIL                          ends all of its sign-ins\n"
	  "  role EMAIL admin|user                       ends all of its sign-ins; the last administrator stays\n"
	  "  disable EMAIL, enable EMAIL                 whether it may sign in\n\n"
	  "An account is named by its address or its number. Passwords are asked for on the terminal, or read "
	  "from the first\n"
	  "line of standard input with --password-stdin: never an argument, which every process of the machine "
	  "can see.\n"
	  "--json prints what list, show and add tell as JSON.\n"
	  "Exit codes: 0, 1 when it cannot be done, 2 when it was asked wrongly; then nothing was done.\n\n"
	  "  softfactory user add boss@example.com --name Boss --role admin\n"
	  "  pass show boss | softfactory user set-password boss@example.com --password-stdin\n",
	  CLI_SETTINGS },
	{ "subscription", cli_subscription, "grant | list | cancel [arguments]",
	  "give and take subscriptions without a payment",
	  "  grant EMAIL PRODUCT [--plan monthly|annual] [--until DATE]   or lengthen the active one\n"
	  "  list [EMAIL]                                                 of one account, or of all\n"
	  "  cancel EMAIL PRODUCT                                         ends at once\n\n"
	  "PRODUCT is a product's short name, such as coocook. Without --until a monthly plan ends in 30 days, "
	  "an annual one in\n"
	  "365. DATE is the last day (UTC), or an instant such as 2026-11-22T14:00:00Z. list takes --after "
	  "NUMBER, --limit N, --json.\n\n"
	  "  softfactory subscription grant kim@example.com coocook --plan annual\n",
	  CLI_SETTINGS },
	{ "version", cli_version, "", "print the version", "", CLI_NO_SETTINGS },
	{ 0 },
};

static struct { char **argv; } process;

char **cli_argv(void) {
	return process.argv;
}

int cli_wrong(const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	fputs("softfactory: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return 2;
}

const char *cli_take_value(int *argc, char **argv, const char *name) {
	size_t len = strlen(name);
	for (int i = 1; i < *argc; i++) {
		if (strncmp(argv[i], name, len) != 0 || (argv[i][len] && argv[i][len] != '=')) continue;
		int used = argv[i][len] ? 1 : 2;
		const char *value = argv[i][len] ? argv[i] + len + 1 : i + 1 < *argc ? argv[i + 1] : "";
		if (i + used > *argc) used = 1;
		for (int k = i; k + used <= *argc; k++) argv[k] = argv[k + used];
		*argc -= used;
		return value;
	}
	return NULL;
}

int cli_take_text(int *argc, char **argv, const char *name, const char **out) {
	const char *v = cli_take_value(argc, argv, name);
	if (v && !*v) return cli_wrong("%s needs a value", name);
	if (v) *out = v;
	return 0;
}

bool cli_take_flag(int *argc, char **argv, const char *flag) {
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], flag) != 0) continue;
		for (int k = i; k < *argc; k++) argv[k] = argv[k + 1];
		(*argc)--;
		return true;
	}
	return false;
}

void cli_print(struct sf_buf *b) {
	fwrite(b->p, 1, b->n, stdout);
	sf_buf_fini(b);
}

int cli_settings(int *argc, char **argv) {
	char why[512] = "";
	char **rest = sf_calloc((size_t)*argc + 1, sizeof *rest);
	int n = 0;
	int err = sf_config_load(*argc, argv, rest, &n, why, sizeof why);
	if (!err) {
		for (int i = 0; i < n; i++) argv[i + 1] = rest[i];
		*argc = n + 1;
		argv[*argc] = NULL;
	}
	free(rest);
	if (err) return cli_wrong("%s", why);
	enum sf_level level;
	enum sf_log_format format;
	if (sf_log_parse_format(sf_str(sf_config_text("LOG_FORMAT")), &format) == 0) sf_log_set_format(format);
	if (sf_log_parse_level(sf_str(sf_config_text("LOG_LEVEL")), &level) == 0)
		sf_log_setup(level, STDERR_FILENO);
	return 0;
}

static int usage(FILE *to) {
	fputs("SoftFactory: a business platform in one binary.\n\nUsage: softfactory <command> [arguments]\n\n",
		  to);
	for (const struct cli_command *c = commands; c->name; c++)
		fprintf(to, "  %-12s %s\n", c->name, c->summary);
	fputs("\n`softfactory <command> --help` says more. Settings are environment variables or flags: "
		  "`softfactory config`.\n",
		  to);
	return to == stdout ? 0 : 2;
}

static int command_help(const struct cli_command *c) {
	printf("Usage: softfactory %s%s%s\n\n%c%s.\n%s%s", c->name, *c->args ? " " : "", c->args,
		   toupper((unsigned char)c->summary[0]), c->summary + 1, *c->help ? "\n" : "", c->help);
	if (c->settings == CLI_SETTINGS)
		fputs("\nSettings, such as DATABASE_URL, are environment variables or flags: `softfactory config` "
			  "lists them.\n",
			  stdout);
	if (c->settings == CLI_ALL_SETTINGS) {
		struct sf_buf b = { 0 };
		fputs("\nSettings:\n", stdout);
		sf_config_help(&b);
		cli_print(&b);
	}
	return 0;
}

static bool asks_help(const char *word) {
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int help_on(const char *name) {
	for (const struct cli_command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0) return command_help(c);
	return cli_wrong("there is no command \"%s\"; `softfactory --help` lists them", name);
}

int main(int argc, char **argv) {
	setlocale(LC_ALL, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	signal(SIGPIPE, SIG_IGN);
	process.argv = argv;
	if (argc < 2) return usage(stderr);
	bool help = asks_help(argv[1]) || strcmp(argv[1], "help") == 0;
	if (help && argc == 2) return usage(stdout);
	if (help) return help_on(argv[2]);
	if (strcmp(argv[1], "--version") == 0) return cli_version(1, argv + 1);
	for (const struct cli_command *c = commands; c->name; c++) {
		if (strcmp(c->name, argv[1]) != 0) continue;
		for (int i = 2; i < argc; i++)
			if (asks_help(argv[i])) return command_help(c);
		/* a copy that cli_settings may reorder; the process keeps argv for its re-exec */
		char **args = sf_calloc((size_t)argc + 1, sizeof *args);
		memcpy(args, argv + 1, (size_t)(argc - 1) * sizeof *args);
		int code = c->run(argc - 1, args);
		free(args);
		sf_log_flush();
		return code;
	}
	return cli_wrong("there is no command \"%s\"; `softfactory --help` lists them", argv[1]);
}
