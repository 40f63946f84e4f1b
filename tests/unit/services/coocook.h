/* What the tests of CooCook's handlers share: an application with CooCook alone over a SQLite file, and requests run in process.
 * The user of a request is its session cookie: "u7" is user 7. Users from 1000 on have no subscription. */
#ifndef SERVICES_COOCOOK_H
#define SERVICES_COOCOOK_H

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
#include "core/time.h"
#include "jobs/jobs.h"
#include "loop/loop.h"
#include "services/services.h"

struct world {
	struct sf_loop *l;
	struct sf_db *db;
	struct sf_arena *a;
	struct sf_app *app;
	struct sf_http_opts http;
	void (*body)(struct world *w);
	char dir[64], url[160];
	bool closed;
};

#define OK(expr) must(expr, #expr, __LINE__)
static inline void must(int err, const char *what, int line) {
	if (err) fail_msg("line %d: %s: %s", line, what, sf_err_symbol(err));
}

/* ---- identity ---------------------------------------------------------------------------------- */

static int session(struct sf_req *r, struct sf_str cookie, struct sf_caller *out) {
	(void)r;
	int64_t user = 0;
	if (cookie.n < 2 || sf_str_int((struct sf_str) { cookie.p + 1, cookie.n - 1 }, &user)) return SF_EAUTH;
	*out = (struct sf_caller) { .user = user };
	return 0;
}
static struct sf_str csrf(struct sf_arena *a, struct sf_str cookie) {
	(void)a, (void)cookie;
	return SF_STR("proof");
}
static int subscribed(struct sf_req *r, int64_t user, const char *product, bool *out) {
	(void)r;
	assert_string_equal(product, "coocook");
	*out = user < 1000;
	return 0;
}
static const struct sf_identity identity = { session, csrf, subscribed };

/* ---- the application --------------------------------------------------------------------------- */

static struct sf_db *world_db;
static struct sf_db *db_of(const char *service) {
	(void)service;
	return world_db;
}
static void world_closed(void *arg) {
	((struct world *)arg)->closed = true;
}
static void world_main(void *arg) {
	static const struct sf_service *const services[] = { &platform_service, &coocook_service, NULL };
	struct world *w = arg;
	struct sf_str why = SF_STR_NULL;
	int applied = 0;
	OK(sf_jobs_declare((const struct sf_job_kind *const[]) { mail_service.jobs, NULL }, NULL, &why));
	OK(sf_migrate(w->db, sf_all_migrations, w->a, &applied, &why));
	struct sf_app_opts opts = { .services = services, .db_of = db_of, .identity = &identity };
	int err = sf_app_new(&opts, &w->app, &why);
	if (err) fail_msg("the rows are refused: " SF_PRI, SF_ARG(why));
	sf_app_http(w->app, &w->http);
	w->body(w);
	sf_app_free(w->app);
	sf_db_close(w->db, world_closed, w);
}
/* Runs body in a coroutine and proves that nothing is left. */
static inline void world_run(void (*body)(struct world *w)) {
	struct world *w = calloc(1, sizeof(*w));
	struct sf_str why = SF_STR_NULL;
	assert_non_null(w);
	strcpy(w->dir, "/tmp/sf-coocook-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->url, sizeof(w->url), "sqlite:///%s/test.db", w->dir);
	sf_log_setup(SF_ERROR, 2);
	w->l = sf_loop_new(NULL);
	w->a = sf_arena_new(0);
	w->body = body;
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

/* ---- requests ---------------------------------------------------------------------------------- */

struct answer {
	int status;
	json_t *body; /* dies with the world's arena */
	struct sf_str head;
};
static void drop_json(void *arg) {
	json_decref(arg);
}
/* ~ user 0: nobody. key NULL: none. The body is written with printf. */
__attribute__((format(printf, 6, 7))) static inline struct answer ask(struct world *w, int64_t user,
																	  enum sf_method method, const char *key,
																	  const char *target, const char *body,
																	  ...) {
	struct sf_arena *a = sf_arena_new(0);
	char text[1024], cookie[40], length[24];
	va_list ap;
	va_start(ap, body);
	int n = vsnprintf(text, sizeof(text), body, ap);
	va_end(ap);
	snprintf(cookie, sizeof(cookie), "sf_session=u%lld", (long long)user);
	snprintf(length, sizeof(length), "%d", n);
	struct sf_http_header headers[6] = { { SF_STR("Content-Type"), SF_STR("application/json") },
										 { SF_STR("Content-Length"), sf_str(length) } };
	size_t nheaders = 2;
	if (user) {
		headers[nheaders++] = (struct sf_http_header) { SF_STR("Cookie"), sf_str(cookie) };
		headers[nheaders++] = (struct sf_http_header) { SF_STR("X-CSRF-Token"), SF_STR("proof") };
	}
	if (key) headers[nheaders++] = (struct sf_http_header) { SF_STR("Idempotency-Key"), sf_str(key) };
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
#define GET(w, user, target)       ask(w, user, SF_GET, NULL, target, "%s", "")
#define DELETE(w, user, target)    ask(w, user, SF_DELETE, NULL, target, "%s", "")
#define POST(w, user, target, ...) ask(w, user, SF_POST, NULL, target, __VA_ARGS__)
#define PUT(w, user, target, ...)  ask(w, user, SF_PUT, NULL, target, __VA_ARGS__)
#define IS(answer_, want)                                                                                    \
	do {                                                                                                     \
		struct answer is_ = (answer_);                                                                       \
		if (is_.status != (want))                                                                            \
			fail_msg("line %d: status %d, not %d: %s", __LINE__, is_.status, want, text_of(is_, "error"));   \
	} while (0)

static inline int64_t int_of(struct answer a, const char *name) {
	return json_integer_value(json_object_get(a.body, name));
}
static inline const char *text_of(struct answer a, const char *name) {
	const char *s = json_string_value(json_object_get(a.body, name));
	return s ? s : "";
}
static inline json_t *list_of(struct answer a, const char *name) {
	return name ? json_object_get(a.body, name) : a.body;
}
/* Formats a path; the text lives in the world's arena. */
__attribute__((format(printf, 2, 3))) static inline const char *path(struct world *w, const char *fmt, ...) {
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return sf_arena_cstr(w->a, sf_str(text));
}
/* A day from today as YYYY-MM-DD. */
static inline const char *day(struct world *w, int from_today) {
	char text[16];
	sf_date_format(sf_date_of(sf_time_now()) + from_today, text);
	return sf_arena_cstr(w->a, sf_str(text));
}
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
/* ~ Runs a statement; returns its error. */
static inline int run_sql(struct world *w, const char *sql) {
	struct sf_query q = {
		.name = "test.run", .kind = SF_Q_EXEC, .write = true, .pg = sql, .lite = sql, .id = UINT32_MAX
	};
	return sf_db_exec(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, NULL);
}

/* ---- many at once -------------------------------------------------------------------------------- */

struct crowd {
	struct world *w;
	int (*one)(struct world *w, int i); /* ~ returns a status */
	int *status;
	size_t left;
	struct sf_wait *wait;
};
struct member {
	struct crowd *crowd;
	int i;
};
static void member_main(void *arg) {
	struct member *m = arg;
	struct crowd *c = m->crowd;
	c->status[m->i] = c->one(c->w, m->i);
	if (--c->left == 0 && c->wait) sf_wake(c->wait, 0);
}
static void member_start(void *arg) {
	struct member *m = arg;
	OK(sf_co_start(m->crowd->w->l, member_main, m, NULL));
}
/* ~ Runs one(w, 0..n-1), all in coroutines of their own; their statuses. */
static inline int *at_once(struct world *w, int n, int (*one)(struct world *w, int i)) {
	struct crowd c = { .w = w, .one = one, .left = (size_t)n };
	c.status = sf_arena_zalloc(w->a, (size_t)n * sizeof(int));
	struct member *m = sf_arena_zalloc(w->a, (size_t)n * sizeof(*m));
	struct sf_wait wait;
	sf_wait_init(&wait, NULL, NULL);
	c.wait = &wait;
	for (int i = 0; i < n; i++) {
		m[i] = (struct member) { &c, i };
		sf_loop_later(w->l, member_start, &m[i]);
	}
	OK(sf_await(&wait, -1));
	return c.status;
}
static inline int count(const int *status, int n, int want) {
	int found = 0;
	for (int i = 0; i < n; i++) found += status[i] == want;
	return found;
}

#endif
