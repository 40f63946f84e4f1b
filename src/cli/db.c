/* db: the command that applies and shows migrations, and prints the named queries. */
#include "cli/internal.h"

#include <stdio.h>

#include "core/json.h"
#include "core/time.h"
#include "db/db.h"

static int migrate(void *arg) {
	struct sf_db *dbs[16];
	(void)arg;
	struct sf_arena *a = sf_arena_new(0);
	int code = 0;
	size_t n = cli_databases(dbs, 16);
	for (size_t i = 0; i < n && code == 0; i++) {
		struct sf_str why = SF_STR_NULL;
		int applied = 0, err = sf_migrate(dbs[i], sf_all_migrations, a, &applied, &why);
		if (err) {
			code = 1;
			cli_wrong("the migrations could not be applied: " SF_PRI,
					  SF_ARG(why.n ? why : sf_str(sf_err_text(err))));
		} else {
			printf("%d applied\n", applied);
		}
	}
	sf_arena_free(a);
	return code;
}

static int status(void *arg) {
	struct sf_db *dbs[16];
	(void)arg;
	struct sf_arena *a = sf_arena_new(0);
	size_t n = cli_databases(dbs, 16);
	int code = 0;
	for (size_t i = 0; i < n; i++) {
		struct sf_migration_state *state;
		size_t count;
		int err = sf_migrate_status(dbs[i], sf_all_migrations, a, &state, &count);
		if (err) {
			code = 1;
			cli_wrong("the database does not answer: %s", sf_err_text(err));
			continue;
		}
		for (size_t k = 0; k < count; k++) {
			char when[32] = "missing";
			if (state[k].applied) sf_time_format(state[k].applied_at, when);
			printf("%-10s %04d %-24s %s%s\n", state[k].m->service, state[k].m->version, state[k].m->name,
				   when, state[k].changed ? "  CHANGED since it was applied" : "");
			if (state[k].changed) code = 1;
		}
	}
	sf_arena_free(a);
	return code;
}

static const char *const type_names[] = { "int",  "float", "bool",  "text", "json",
										  "time", "date",  "bytes", "ints" };

static void columns_json(struct sf_json *j, const char *key, const struct sf_dbcol *cols, size_t n) {
	sf_json_key(j, key);
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) {
		sf_json_obj(j);
		sf_json_add(j, SF_KV("name", cols[i].name), SF_KV("type", type_names[cols[i].type]),
					SF_KV("null", cols[i].null));
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
}

static void query_json(struct sf_json *j, const struct sf_query *q) {
	sf_json_obj(j);
	sf_json_add(j, SF_KV("name", q->name), SF_KV("write", q->write), SF_KV("pg", q->pg),
				SF_KV("sqlite", q->lite));
	columns_json(j, "in", q->in, q->nin);
	columns_json(j, "out", q->out, q->nout);
	sf_json_obj_end(j);
}

static int queries(int argc, char **argv) {
	bool json = false;
	const char *only = NULL;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else
			only = argv[i];
	}
	struct sf_buf b = { 0 };
	struct sf_json j = sf_json(&b);
	bool found = only == NULL;
	if (json) sf_json_arr(&j);
	for (uint32_t i = 0; sf_all_queries[i]; i++) {
		const struct sf_query *q = sf_all_queries[i];
		if (only && strcmp(only, q->name) != 0) continue;
		found = true;
		if (json)
			query_json(&j, q);
		else
			sf_buf_printf(&b, "-- %s\n%s;\n%s%s%s\n", q->name, q->pg,
						  strcmp(q->pg, q->lite) ? "-- sqlite:\n" : "", strcmp(q->pg, q->lite) ? q->lite : "",
						  strcmp(q->pg, q->lite) ? ";\n" : "");
	}
	if (json) sf_json_arr_end(&j), sf_buf_char(&b, '\n');
	if (found) {
		cli_print(&b);
		return 0;
	}
	sf_buf_fini(&b);
	return cli_wrong("there is no query \"%s\"; `softfactory db queries` lists them", only);
}

int cli_db(int argc, char **argv) {
	if (argc > 1 && strcmp(argv[1], "queries") == 0) return queries(argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "connections") == 0) return cli_db_connections(argc - 1, argv + 1);
	int code = cli_settings(&argc, argv);
	if (code) return code;
	if (argc == 2 && strcmp(argv[1], "migrate") == 0) return cli_task(migrate, NULL);
	if (argc == 2 && strcmp(argv[1], "status") == 0) return cli_task(status, NULL);
	return cli_wrong(
		"db takes one of migrate, status, queries, connections; `softfactory db --help` says more");
}
