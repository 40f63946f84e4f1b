/* user: the command that makes accounts and changes what they may, for those who run the platform. */
#include "cli/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "app/app.h"
#include "core/json.h"
#include "core/time.h"
#include "db/db.h"
#include "loop/loop.h"
#include "services/platform/client.h"
#include "services/services.h"

#define LIST_MAX     1000
#define PINGS        10
#define PING_MS      500
#define PASSWORD_MAX 1024 /* longer ones are refused by the rules anyway */

struct asked {
	int (*run)(const struct asked *q, struct sf_db *db, struct sf_arena *a);
	const char *who, *name, *role, *q;
	int64_t page, limit;
	bool json, password_stdin;
	int active; /* of disable and enable */
	char password[PASSWORD_MAX];
};

/* ---- what tools of platform share -------------------------------------------------------------------------- */

static bool tables_stand(struct sf_db *db, struct sf_arena *a) {
	struct sf_migration_state *states;
	size_t n;
	if (sf_migrate_status(db, sf_all_migrations, a, &states, &n) != 0) return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(states[i].m->service, platform_service.name) == 0 && !states[i].applied) return false;
	return true;
}

struct sf_db *cli_platform(struct sf_arena *a) {
	struct sf_db *db = cli_database_of(platform_service.name);
	int err = sf_db_ping(db);
	for (int i = 1; err && i < PINGS; i++) /* a busy server, or one that is just being started */
		err = sf_sleep(PING_MS) ? SF_ECANCELED : sf_db_ping(db);
	if (err) {
		cli_wrong("the database cannot be reached: is DATABASE_URL that of the server?");
		return NULL;
	}
	if (tables_stand(db, a)) return db;
	cli_wrong("the database has no tables yet, or older ones: run `softfactory db migrate` first");
	return NULL;
}

int cli_platform_failed(int err, const char *who, struct sf_str why) {
	if (why.p)
		cli_wrong(SF_PRI, SF_ARG(why));
	else if (err == SF_ENOTFOUND)
		cli_wrong("there is no account \"%s\"; `softfactory user list` shows them", who);
	else if (err == SF_EDUP)
		cli_wrong("%s has an account already", who);
	else if (err == SF_ECONFLICT)
		cli_wrong("%s is the last administrator: make another one first", who);
	else
		cli_wrong("it could not be done: %s", sf_err_text(err));
	return err == SF_EINVAL ? 2 : 1;
}

/* ---- passwords ---------------------------------------------------------------------------------------------- */

/* One line without its end. False: there is none, or it is too long. */
static bool read_line(FILE *from, char *out, size_t n) {
	if (!fgets(out, (int)n, from)) return false;
	size_t len = strcspn(out, "\r\n");
	bool whole = out[len] != '\0' || feof(from);
	out[len] = '\0';
	return whole && len > 0;
}

/* Asks on the terminal without showing what is typed. */
static bool ask(FILE *terminal, const char *prompt, char *out, size_t n) {
	struct termios before, quiet;
	int fd = fileno(terminal);
	if (tcgetattr(fd, &before) != 0) return false;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(fd, TCSAFLUSH, &quiet) != 0) return false;
	fputs(prompt, terminal);
	fflush(terminal);
	bool read = read_line(terminal, out, n);
	(void)tcsetattr(fd, TCSAFLUSH, &before);
	fputc('\n', terminal);
	return read;
}

static int read_password(struct asked *q) {
	char again[PASSWORD_MAX];
	if (q->password_stdin)
		return read_line(stdin, q->password, sizeof q->password)
				   ? 0
				   : cli_wrong("--password-stdin: standard input has no line with a password");
	FILE *terminal = isatty(STDIN_FILENO) ? fopen("/dev/tty", "r+") : NULL;
	if (!terminal) return cli_wrong("there is no terminal to ask for the password on: use --password-stdin");
	bool asked = ask(terminal, "Password: ", q->password, sizeof q->password) &&
				 ask(terminal, "The same again: ", again, sizeof again);
	fclose(terminal);
	if (!asked) return cli_wrong("no password was given");
	int code = strcmp(q->password, again) == 0 ? 0 : cli_wrong("the two are not the same; nothing was done");
	explicit_bzero(again, sizeof again);
	return code;
}

/* ---- what is done, all ~ ------------------------------------------------------------------------------------ */

static void account_json(struct sf_json *j, const struct platform_account *u) {
	sf_json_obj(j);
	sf_json_add(j, SF_KV("id", u->id), SF_KV("email", u->email), SF_KV("name", u->name),
				SF_KV("role", u->role), SF_KV("is_active", u->is_active));
	sf_json_key(j, "created_at");
	sf_json_time(j, u->created_at);
}

static void account_line(struct sf_buf *b, const struct platform_account *u) {
	sf_buf_printf(b, "%-8lld %-6.*s %-9s %-36.*s %.*s\n", (long long)u->id, SF_ARG(u->role),
				  u->is_active ? "active" : "disabled", SF_ARG(u->email), SF_ARG(u->name));
}

static int add(const struct asked *q, struct sf_db *db, struct sf_arena *a) {
	struct sf_str why = SF_STR_NULL;
	struct platform_new_account in = { .email = sf_str(q->who),
									   .name = sf_str(q->name),
									   .role = sf_str(q->role),
									   .password = sf_str(q->password) };
	int64_t id;
	int err = platform_account_add(db, a, &in, &id, &why);
	if (err) return cli_platform_failed(err, q->who, why);
	if (q->json)
		printf("{\"id\":%lld}\n", (long long)id);
	else
		printf("Account %lld (%s) is made: %s\n", (long long)id, q->role, q->who);
	return 0;
}

static int list(const struct asked *q, struct sf_db *db, struct sf_arena *a) {
	struct platform_account *all;
	size_t n;
	int err = platform_accounts(db, a, sf_str(q->q), q->page, q->limit, &all, &n);
	if (err) return cli_platform_failed(err, "", SF_STR_NULL);
	struct sf_buf b = { 0 };
	struct sf_json j = sf_json(&b);
	if (q->json) sf_json_arr(&j);
	for (size_t i = 0; i < n; i++) {
		if (!q->json) {
			account_line(&b, &all[i]);
			continue;
		}
		account_json(&j, &all[i]);
		sf_json_obj_end(&j);
	}
	if (q->json) sf_json_arr_end(&j), sf_buf_char(&b, '\n');
	cli_print(&b);
	if (!q->json && n == 0) fputs("There is no such account.\n", stderr);
	return 0;
}

static int show(const struct asked *q, struct sf_db *db, struct sf_arena *a) {
	struct platform_account u;
	struct platform_grant *grants;
	size_t n;
	int err = platform_account_find(db, a, sf_str(q->who), &u);
	if (!err) err = platform_grants(db, a, u.id, 0, 0, &grants, &n);
	if (err) return cli_platform_failed(err, q->who, SF_STR_NULL);
	struct sf_buf b = { 0 };
	if (q->json) {
		struct sf_json j = sf_json(&b);
		account_json(&j, &u);
		sf_json_key(&j, "subscriptions");
		cli_grants_json(&j, grants, n);
		sf_json_obj_end(&j);
		sf_buf_char(&b, '\n');
	} else {
		char at[32];
		sf_time_format(u.created_at, at);
		sf_buf_printf(
			&b,
			"id        %lld\nemail     %.*s\nname      %.*s\nrole      %.*s\nstate     %s\nsince     %s\n",
			(long long)u.id, SF_ARG(u.email), SF_ARG(u.name), SF_ARG(u.role),
			u.is_active ? "active" : "disabled", at);
		cli_grants_print(&b, grants, n, false);
	}
	cli_print(&b);
	return 0;
}

static int set_password(const struct asked *q, struct sf_db *db, struct sf_arena *a) {
	struct platform_account u;
	struct sf_str why = SF_STR_NULL;
	int err = platform_account_find(db, a, sf_str(q->who), &u);
	if (!err) err = platform_account_password(db, a, u.id, sf_str(q->password), &why);
	if (err) return cli_platform_failed(err, q->who, why);
	printf("The password of %s is set; all of its sign-ins have ended.\n", q->who);
	return 0;
}

static int change(const struct asked *q, struct sf_db *db, struct sf_arena *a) {
	struct platform_account u;
	int err = platform_account_find(db, a, sf_str(q->who), &u);
	if (!err) err = platform_account_change(db, a, u.id, q->role ? sf_str(q->role) : SF_STR_NULL, q->active);
	if (err) return cli_platform_failed(err, q->who, SF_STR_NULL);
	if (q->role)
		printf("%s has the role %s.\n", q->who, q->role);
	else
		printf("%s %s.\n", q->who, q->active ? "may sign in" : "may no longer sign in");
	return 0;
}

/* ---- the command -------------------------------------------------------------------------------------------- */

static int body(void *arg) {
	struct asked *q = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_db *db = cli_platform(a);
	int code = db ? q->run(q, db, a) : 1;
	sf_arena_free(a);
	return code;
}

static int take_number(int *argc, char **argv, const char *name, int64_t most, int64_t *out) {
	const char *v = NULL;
	int code = cli_take_text(argc, argv, name, &v);
	if (code || !v) return code;
	if (sf_str_int(sf_str(v), out) != 0 || *out < 1 || *out > most)
		return cli_wrong("%s takes a number from 1 to %lld, not \"%s\"", name, (long long)most, v);
	return 0;
}

static bool is_role(const char *role) {
	return strcmp(role, "admin") == 0 || strcmp(role, "user") == 0;
}

static const struct {
	const char *name;
	int (*run)(const struct asked *q, struct sf_db *db, struct sf_arena *a);
	int args; /* beside the name */
	bool password;
	int active;
} actions[] = {
	{ "add", add, 1, true, -1 },       { "list", list, 0, false, -1 },
	{ "show", show, 1, false, -1 },    { "set-password", set_password, 1, true, -1 },
	{ "role", change, 2, false, -1 },  { "disable", change, 1, false, 0 },
	{ "enable", change, 1, false, 1 },
};

static int flags(int *argc, char **argv, struct asked *q) {
	q->json = cli_take_flag(argc, argv, "--json");
	q->password_stdin = cli_take_flag(argc, argv, "--password-stdin");
	int code = cli_take_text(argc, argv, "--name", &q->name);
	if (!code) code = cli_take_text(argc, argv, "--role", &q->role);
	if (!code) code = cli_take_text(argc, argv, "--q", &q->q);
	if (!code) code = take_number(argc, argv, "--page", INT64_MAX / LIST_MAX, &q->page);
	if (!code) code = take_number(argc, argv, "--limit", LIST_MAX, &q->limit);
	return code ? code : cli_settings(argc, argv);
}

int cli_user(int argc, char **argv) {
	struct asked q = { .q = "", .page = 1, .limit = 50, .active = -1 };
	int code = flags(&argc, argv, &q);
	if (code) return code;
	size_t i = 0;
	while (i < SF_COUNT(actions) && !(argc > 1 && strcmp(argv[1], actions[i].name) == 0)) i++;
	if (i == SF_COUNT(actions))
		return cli_wrong(
			"user takes one of add, list, show, set-password, role, disable, enable; `softfactory user "
			"--help` says more");
	if (argc != actions[i].args + 2)
		return cli_wrong("user %s: %s; `softfactory user --help` says more", argv[1],
						 argc < actions[i].args + 2 ? "something is missing" : "that is too much");
	q.run = actions[i].run, q.active = actions[i].active;
	if (actions[i].args > 0) q.who = argv[2];
	if (q.run == change && actions[i].args == 2) q.role = argv[3];
	if (q.run == add && !q.name) return cli_wrong("user add needs --name NAME");
	if (q.run == add && !q.role) q.role = "user";
	if (q.role && !is_role(q.role)) return cli_wrong("a role is admin or user, not \"%s\"", q.role);
	if (actions[i].password) code = read_password(&q);
	if (!code && cli_jobs_declare() != 0) code = 1; /* a change tells other services by jobs */
	if (!code) code = cli_task(body, &q);
	explicit_bzero(q.password, sizeof q.password);
	return code;
}
