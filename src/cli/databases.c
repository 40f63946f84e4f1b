/* databases: one pool for each database URL that the settings name, and which service uses which. */
#include "cli/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/app.h"
#include "core/config.h"
#include "core/log.h"
#include "db/db.h"
#include "services/services.h"

#define DATABASES_MAX 16

static struct {
	struct {
		const char *url;
		struct sf_db *db;
	} pool[DATABASES_MAX];
	size_t n, closing;
	void (*done)(void *arg);
	void *arg;
} databases;

static const char *url_of(const char *service) {
	const char *own = sf_config_service(service, "_DATABASE_URL");
	return own ? own : sf_config_text("DATABASE_URL");
}

static struct sf_db *find(const char *url) {
	for (size_t i = 0; i < databases.n; i++)
		if (strcmp(databases.pool[i].url, url) == 0) return databases.pool[i].db;
	return NULL;
}

/* "a,b" as a NULL-terminated list, one allocation; NULL: nothing in it. */
static const char **split(const char *text) {
	if (!text) return NULL;
	size_t most = 2, len = strlen(text), n = 0;
	for (const char *p = text; *p; p++) most += *p == ',';
	const char **list = sf_calloc(1, most * sizeof *list + len + 1);
	char *copy = (char *)(list + most), *save = NULL;
	memcpy(copy, text, len + 1);
	for (char *at = strtok_r(copy, ", ", &save); at; at = strtok_r(NULL, ", ", &save)) list[n++] = at;
	return list;
}

static int open_one(struct sf_loop *l, const char *url) {
	if (find(url)) return 0;
	if (databases.n == DATABASES_MAX) {
		sf_log(SF_ERROR, "too many databases", SF_KV("most", DATABASES_MAX));
		return SF_EINVAL;
	}
	bool lite = strncmp(url, "sqlite", 6) == 0;
	bool main_one = strcmp(url, sf_config_text("DATABASE_URL")) == 0; /* the replicas are this one's */
	const char **replicas = lite || !main_one ? NULL : split(sf_config_text("DATABASE_REPLICA_URLS"));
	struct sf_db_opts o = {
		.url = url,
		.replica_urls = replicas,
		.pool_size = (int)sf_config_int("DB_POOL_SIZE"),
		.pool_overflow = (int)sf_config_int("DB_POOL_OVERFLOW"),
		.recycle_ms = sf_config_int("DB_POOL_RECYCLE"),
		.wait_ms = lite ? 5000 : sf_config_int("DB_POOL_WAIT"),
		.wait_max = 1000,
		.statement_ms = sf_config_int("DB_STATEMENT_TIMEOUT"),
		.readers = (int)sf_config_int("DB_READERS"),
	};
	struct sf_str why = SF_STR_NULL;
	struct sf_db *db;
	int err = sf_db_open(l, &o, &db, &why);
	free(replicas);
	if (err) {
		sf_log(SF_ERROR, "the database cannot be opened", SF_KV("why", why),
			   SF_KV("error", sf_err_symbol(err)));
		return err;
	}
	databases.pool[databases.n].url = url;
	databases.pool[databases.n++].db = db;
	return 0;
}

int cli_databases_open(struct sf_loop *l) {
	int err = open_one(l, sf_config_text("DATABASE_URL"));
	for (size_t i = 0; !err && sf_services[i]; i++) err = open_one(l, url_of(sf_services[i]->name));
	return err;
}

bool cli_service_known(const char *service) {
	for (size_t i = 0; sf_services[i]; i++)
		if (strcmp(sf_services[i]->name, service) == 0) return true;
	return false;
}

const char *cli_database_missing(const char *service) {
	static const char scheme[] = "sqlite:///";
	const char *url = url_of(service);
	if (strncmp(url, scheme, sizeof scheme - 1) != 0) return NULL;
	return access(url + sizeof scheme - 1, F_OK) == 0 ? NULL : url + sizeof scheme - 1;
}

struct sf_db *cli_database_of(const char *service) {
	return cli_service_known(service) ? find(url_of(service)) : NULL;
}

void cli_database_services(const struct sf_db *db, char *out, size_t n) {
	size_t at = 0;
	out[0] = '\0';
	for (size_t i = 0; sf_services[i] && at + 1 < n; i++)
		if (cli_database_of(sf_services[i]->name) == db)
			at += (size_t)snprintf(out + at, n - at, "%s%s", at ? "," : "", sf_services[i]->name);
}

size_t cli_databases(struct sf_db **out, size_t n) {
	size_t k = 0;
	for (; k < databases.n && k < n; k++) out[k] = databases.pool[k].db;
	return k;
}

static void one_closed(void *arg) {
	(void)arg;
	if (--databases.closing > 0) return;
	databases.n = 0;
	databases.done(databases.arg);
}

void cli_databases_close(void (*done)(void *arg), void *arg) {
	databases.done = done, databases.arg = arg;
	databases.closing = databases.n;
	if (databases.n == 0) {
		done(arg);
		return;
	}
	for (size_t i = 0, n = databases.n; i < n; i++) sf_db_close(databases.pool[i].db, one_closed, NULL);
}
