/* app: the application put together: rows checked, trie built, fixed texts prepared, stages handed to http/. */
#include "app/internal.h"
#include "core/config.h"
#include "core/hash.h"
#include "jobs/jobs.h"

#include <stdio.h>
#include <stdlib.h>

/* The stages of http/ are given the request alone, so the application is the process's. */
static struct app_process {
	struct sf_app *serving;
	char refusal[320]; /* why the last sf_app_new failed: outlives the application it refused */
} process;

void sf_app__serve(struct sf_app *app) {
	process.serving = app;
}
struct sf_app *sf_app__serving(void) {
	return process.serving;
}

static size_t count_rows(const struct sf_service *const *services) {
	size_t n = 0;
	for (; *services; services++)
		for (const struct sf_route *r = (*services)->routes; r && r->path; r++) n++;
	return n;
}

/* What it follows must reach a job of its own. */
static int check_follows(struct sf_app *app, const struct sf_service *s, struct sf_str *why) {
	for (const struct sf_follow *f = s->follows; f && f->event; f++) {
		const struct sf_job_kind *k = s->jobs;
		while (f->kind && k && k->kind && strcmp(k->kind, f->kind) != 0) k++;
		if (f->kind && k && k->kind) continue;
		*why = sf_arena_printf(app->arena, "%s: what follows %s is no job of it: %s", s->name, f->event,
							   f->kind ? f->kind : "none");
		return SF_EINVAL;
	}
	return 0;
}

static int add_service(struct sf_app *app, const struct sf_service *s, struct sf_str *why) {
	for (const struct sf_route *r = s->routes; r && r->path; r++) {
		struct sf_app__row *row = &app->rows[app->nrows];
		row->service = s;
		row->route = r;
		row->index = app->nrows++;
		int err = sf_app__row_check(app->arena, row, why);
		if (!err) err = sf_app__router_add(app->arena, app->root, row, why);
		if (err) return err;
	}
	return 0;
}

/* The services of the options, then our own. */
static int add_all(struct sf_app *app, struct sf_str *why) {
	static const struct sf_service *const own[] = { &sf_app__service, NULL };
	const struct sf_service *const *lists[] = { app->opts.services, own };
	app->rows = sf_arena_zalloc(app->arena, (count_rows(lists[0]) + count_rows(own)) * sizeof *app->rows);
	for (size_t i = 0; i < SF_COUNT(lists); i++)
		for (const struct sf_service *const *s = lists[i]; *s; s++) {
			int err = add_service(app, *s, why);
			if (!err) err = check_follows(app, *s, why);
			if (err) return err;
		}
	return 0;
}

int sf_app_new(const struct sf_app_opts *opts, struct sf_app **out, struct sf_str *why) {
	struct sf_app *app = sf_calloc(1, sizeof *app);
	app->opts = *opts;
	app->arena = sf_arena_new(0);
	app->root = sf_app__router_new(app->arena);
	sf_random(app->seed, sizeof app->seed);
	int err = add_all(app, why);
	if (err) {
		snprintf(process.refusal, sizeof process.refusal, SF_PRI, SF_ARG(*why));
		*why = sf_str(process.refusal);
		sf_app_free(app);
		return err;
	}
	sf_app__router_seal(app->arena, app->root);
	sf_app__headers_prepare(app);
	sf_app__cors_prepare(app);
	app->access_log = sf_config_bool("ACCESS_LOG");
	sf_app__stats_open(app);
	sf_app_openapi(app, &app->openapi);
	uint64_t hash = sf_hash64_fixed(app->openapi.p, app->openapi.n);
	app->openapi_etag = sf_arena_printf(app->arena, "\"%016llx\"", (unsigned long long)hash);
	*out = app;
	return 0;
}

void sf_app_free(struct sf_app *app) {
	if (!app) return;
	if (sf_app__serving() == app) sf_app__serve(NULL);
	sf_buf_fini(&app->openapi);
	sf_arena_free(app->arena);
	free(app);
}

struct sf_client *sf_app_client(const struct sf_app *app) {
	return app->opts.client;
}

void sf_app_set_ready(struct sf_app *app, bool ready) {
	app->starting = !ready;
}

void sf_app_http(struct sf_app *app, struct sf_http_opts *http) {
	sf_app__serve(app);
	http->on_head = sf_app__on_head;
	http->stages = sf_app__stages;
	http->finish = sf_app__finish;
	http->after = sf_app__after;
}

void sf_app_each(const struct sf_app *app,
				 bool (*fn)(const struct sf_service *s, const struct sf_route *r, void *arg), void *arg) {
	for (size_t i = 0; i < app->nrows; i++)
		if (!fn(app->rows[i].service, app->rows[i].route, arg)) return;
}
