/* request: what a handler reads of its request, and its database. */
#include "app/internal.h"
#include "core/time.h"

const void *sf_req_body(const struct sf_req *r) {
	return r->body;
}
const void *sf_req_query(const struct sf_req *r) {
	return r->query;
}
const struct sf_caller *sf_req_caller(const struct sf_req *r) {
	return &r->caller;
}
struct sf_arena *sf_req_arena(const struct sf_req *r) {
	return r->http->arena;
}
struct sf_http_req *sf_req_http(const struct sf_req *r) {
	return r->http;
}
struct sf_app *sf_req_app(const struct sf_req *r) {
	return r->app;
}
const struct sf_route *sf_req_route(const struct sf_req *r) {
	return r->row ? r->row->route : NULL;
}
struct sf_str sf_req_id(const struct sf_req *r) {
	return r->id;
}
struct sf_str sf_req_traceparent(const struct sf_req *r) {
	return (struct sf_str) { r->trace, SF_APP_TRACE_LEN };
}
struct sf_page sf_req_page(const struct sf_req *r) {
	return r->page;
}

/* A name that the path does not have is a bug of the handler. */
static size_t param(const struct sf_req *r, const char *name) {
	size_t n = strlen(name), i = 0;
	while (i < r->row->nparams && !(r->row->params[i].n == n && memcmp(r->row->params[i].p, name, n) == 0))
		i++;
	SF_BUG_ON(i == r->row->nparams);
	return i;
}

int64_t sf_path_int(const struct sf_req *r, const char *name) {
	size_t i = param(r, name);
	SF_BUG_ON(r->row->param_text[i]);
	return r->param_ints[i];
}

struct sf_str sf_path_text(const struct sf_req *r, const char *name) {
	return r->params[param(r, name)];
}

/* Address and time are found when first asked for; the request itself is never const. */
struct sf_str sf_req_ip(const struct sf_req *r) {
	if (!r->ip.p) ((struct sf_req *)r)->ip = sf_client_ip(r->http->arena, r->http->peer, r->in.forwarded_for);
	return r->ip;
}

int64_t sf_req_now(const struct sf_req *r) {
	if (!r->now) ((struct sf_req *)r)->now = sf_time_now();
	return r->now;
}

/* ---- database -------------------------------------------------------------------------------------- */

struct sf_db *sf_app_db(const struct sf_app *app, const char *service) {
	return app->opts.db_of ? app->opts.db_of(service) : NULL;
}

static struct sf_db *database(const struct sf_req *r) {
	struct sf_db *db = sf_app_db(r->app, r->row->service->name);
	SF_BUG_ON(!db);
	return db;
}

struct sf_dbh *sf_req_db(struct sf_req *r) {
	if (!r->db) {
		r->db = sf_db_auto(database(r), r->http->arena, r->row->route->read, r->row->label.p);
		sf_db_tag(r->db, r->id, 0);
	}
	return r->db;
}

int sf_req_begin(struct sf_req *r, struct sf_dbh **tx) {
	int err = sf_app__still_in(r);
	if (!err) err = sf_tx_begin(database(r), r->http->arena, r->row->label.p, tx);
	if (!err) sf_db_tag(*tx, r->id, 0);
	return err;
}

int sf_req_commit(struct sf_req *r, struct sf_dbh *tx) {
	int err = sf_app__still_in(r);
	if (err) return err;
	return r->idem.claimed ? sf_app__idem_commit(r, tx) : sf_tx_commit(tx);
}
