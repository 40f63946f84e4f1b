/* What the tests of a service's handlers share: an application with that service alone over a SQLite file, requests run in
 * process, and what their answers hold. A service's own header says which service, who asks, and what comes first. */
#ifndef SERVICES_SERVICE_H
#define SERVICES_SERVICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "app/app.h"
#include "core/log.h"
#include "core/time.h"
#include "jobs/jobs.h"
#include "loop/loop.h"
#include "scratch.h"
#include "services/services.h"

struct world;
struct setup {                                 /* of one service's tests */
	const struct sf_service *service, *beside; /* beside: one it asks, or NULL */
	const struct sf_identity *identity;
	bool demo;
	void (*prepare)(struct world *w); /* ~ once the schema stands; may be NULL */
};
struct world {
	struct sf_loop *l;
	struct sf_db *db;
	struct sf_arena *a;
	struct sf_app *app;
	struct sf_http_opts http;
	const struct setup *setup;
	void (*body)(struct world *w);
	char dir[64], url[160];
	bool closed;
};

#define OK(expr) must(expr, #expr, __LINE__)
static inline void must(int err, const char *what, int line) {
	if (err) fail_msg("line %d: %s: %s", line, what, sf_err_symbol(err));
}

/* ---- the application --------------------------------------------------------------------------- */

static struct sf_db *world_db;
static inline struct sf_db *db_of(const char *service) {
	(void)service;
	return world_db;
}
static inline void world_closed(void *arg) {
	((struct world *)arg)->closed = true;
}
static inline void world_main(void *arg) {
	struct world *w = arg;
	const struct sf_service *services[] = { w->setup->service, w->setup->beside, NULL };
	struct sf_str why = SF_STR_NULL;
	int applied = 0;
	OK(sf_jobs_declare((const struct sf_job_kind *const[]) { mail_service.jobs, coocook_service.jobs, NULL },
					   NULL, &why));
	OK(sf_migrate(w->db, sf_all_migrations, w->a, &applied, &why));
	if (w->setup->prepare) w->setup->prepare(w);
	struct sf_app_opts opts = {
		.services = services, .db_of = db_of, .identity = w->setup->identity, .demo = w->setup->demo
	};
	int err = sf_app_new(&opts, &w->app, &why);
	if (err) fail_msg("the rows are refused: " SF_PRI, SF_ARG(why));
	sf_app_http(w->app, &w->http);
	w->body(w);
	sf_app_free(w->app);
	sf_db_close(w->db, world_closed, w);
}
/* Runs body in a coroutine and proves that nothing is left. */
static inline void world_run_in(const struct setup *setup, void (*body)(struct world *w)) {
	struct world *w = calloc(1, sizeof(*w));
	struct sf_str why = SF_STR_NULL;
	assert_non_null(w);
	w->setup = setup, w->body = body;
	assert_true(scratch_folder(w->dir, sizeof w->dir, "sf-service"));
	snprintf(w->url, sizeof(w->url), "sqlite:///%s/test.db", w->dir);
	sf_log_setup(SF_ERROR, 2);
	w->l = sf_loop_new(NULL);
	w->a = sf_arena_new(0);
	OK(sf_db_open(w->l, &(struct sf_db_opts) { .url = w->url }, &w->db, &why));
	world_db = w->db;
	OK(sf_co_start(w->l, world_main, w, NULL));
	sf_loop_run(w->l);
	assert_true(w->closed);
	sf_arena_free(w->a);
	assert_int_equal(sf_loop_free(w->l), 0);
	char cmd[128];
	snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
	assert_int_equal(system(cmd), 0);
	free(w);
}
/* ~ Runs a statement; returns its error. */
static inline int run_sql(struct world *w, const char *sql) {
	struct sf_query q = {
		.name = "test.run", .kind = SF_Q_EXEC, .write = true, .pg = sql, .lite = sql, .id = UINT32_MAX
	};
	return sf_db_exec(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, NULL);
}

/* ---- requests ---------------------------------------------------------------------------------- */

struct answer {
	int status;
	json_t *body; /* dies with the world's arena */
	struct sf_str head;
};
static inline void drop_json(void *arg) {
	json_decref(arg);
}
/* ~ who: header lines such as "Authorization: Bearer …", each ended by \n, or NULL. body: printf, "" for none. */
__attribute__((format(printf, 5, 6))) static inline struct answer
ask(struct world *w, enum sf_method method, const char *target, const char *who, const char *body, ...) {
	struct sf_arena *a = sf_arena_new(0);
	char text[4096], length[24];
	va_list ap;
	va_start(ap, body);
	int n = vsnprintf(text, sizeof(text), body, ap);
	va_end(ap);
	snprintf(length, sizeof(length), "%d", n);
	struct sf_http_header headers[8] = { { SF_STR("Content-Type"), SF_STR("application/json") },
										 { SF_STR("Content-Length"), sf_str(length) } };
	size_t nheaders = 2;
	struct sf_str rest = sf_str(who), line, name, value;
	while (rest.n) {
		sf_str_cut(rest, '\n', &line, &rest);
		sf_str_cut(line, ':', &name, &value);
		headers[nheaders++] = (struct sf_http_header) { name, sf_str_trim(value) };
	}
	struct sf_http_req req = {
		.method = method,
		.target = sf_str(target),
		.headers = headers,
		.nheaders = nheaders,
		.body = n ? (struct sf_str) { text, (size_t)n } : SF_STR_NULL,
		.peer = SF_STR("127.0.0.1"),
		.started_ns = 1,
		.arena = a,
	};
	sf_http_run(&w->http, &req);
	struct answer out = { .status = req.status, .head = sf_arena_str(w->a, sf_buf_view(&req.head)) };
	out.body = req.out.n ? json_loadb(req.out.p, req.out.n, JSON_DECODE_ANY, NULL) : NULL;
	if (out.body) sf_arena_defer(w->a, drop_json, out.body);
	sf_arena_free(a);
	return out;
}
#define GET(w, who, target)       ask(w, SF_GET, target, WHO(w, who), "%s", "")
#define DELETE(w, who, target)    ask(w, SF_DELETE, target, WHO(w, who), "%s", "")
#define POST(w, who, target, ...) ask(w, SF_POST, target, WHO(w, who), __VA_ARGS__)
#define PUT(w, who, target, ...)  ask(w, SF_PUT, target, WHO(w, who), __VA_ARGS__)

static inline const char *text_of(struct answer a, const char *name) {
	const char *s = json_string_value(json_object_get(a.body, name));
	return s ? s : "";
}
static inline int64_t int_of(struct answer a, const char *name) {
	return json_integer_value(json_object_get(a.body, name));
}
#define IS(answer_, want)                                                                                    \
	do {                                                                                                     \
		struct answer is_ = (answer_);                                                                       \
		if (is_.status != (want))                                                                            \
			fail_msg("line %d: status %d, not %d: %s", __LINE__, is_.status, want, text_of(is_, "error"));   \
	} while (0)

/* ---- the database -------------------------------------------------------------------------------- */

/* ~ A number out of the database. */
static inline int64_t number(struct world *w, const char *sql) {
	struct row {
		int64_t n;
	} row = { -1 };
	static const struct sf_dbcol out[] = { { "n", SF_T_INT, false, offsetof(struct row, n) } };
	struct sf_query q = { .name = "test.number",
						  .kind = SF_Q_ONE,
						  .pg = sql,
						  .lite = sql,
						  .out = out,
						  .nout = 1,
						  .row_size = sizeof(row),
						  .id = UINT32_MAX };
	must(sf_db_one(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, &row), sql, __LINE__);
	return row.n;
}

#endif
