/* limits: the stages that count a request against its rate limits, by client address and by user.
 *
 * Each request is counted once by address, in the class of its row: by a stage before anything that costs, or, when it ends
 * before the stages (no such route, a wrong method, a body that is too large, bytes that are no request), at its end. Files of the
 * web app are not counted, nor is what failed for a reason of ours. */
#include "app/internal.h"

enum { WINDOW_MS = 60000 };

/* Takes one from the limit; the headers show the limit that is nearest to its end. */
static int take(struct sf_req *r, const char *cls, const char *kind, struct sf_str who, int64_t limit) {
	if (limit <= 0) return 0;
	struct sf_buf key;
	sf_buf_init(&key, r->http->arena);
	sf_buf_cstr(&key, kind);
	sf_buf_str(&key, who);
	struct sf_limit_result got;
	sf_limit_take(cls, sf_buf_view(&key), limit, WINDOW_MS, &got);
	if (!r->limited || !got.allowed || got.remaining < r->limit.remaining) r->limit = got;
	r->limited = true;
	if (got.allowed) return 0;
	r->retry_s = got.reset_s > 0 ? got.reset_s : 1;
	return SF_ERATE;
}

static int by_address(struct sf_req *r, enum sf_rate rate) {
	if (rate == SF_RATE_NONE) return 0;
	if (rate == SF_RATE_HOOK && r->gated)
		return take(r, "hook", "route:", sf_str(r->row->route->path), r->app->opts.rate_hook);
	int64_t limit = rate == SF_RATE_AUTH ? r->app->opts.rate_auth : r->app->opts.rate_api;
	if (limit <= 0) return 0;
	struct sf_str bucket = sf_client_bucket(r->http->arena, sf_req_ip(r));
	return take(r, rate == SF_RATE_AUTH ? "auth" : "api", "ip:", bucket, limit);
}

int sf_app__limit_ip(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	r->counted = true;
	return by_address(r, r->row->route->rate);
}

int sf_app__limit_user(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	if (r->row->route->rate != SF_RATE_WRITE || r->caller.user == 0 || r->app->opts.rate_write <= 0) return 0;
	struct sf_buf who;
	sf_buf_init(&who, http->arena);
	sf_buf_int(&who, r->caller.user);
	return take(r, "write", "user:", sf_buf_view(&who), r->app->opts.rate_write);
}

int sf_app__limit_field(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	const struct sf_field *f = r->row->auth_field;
	if (!f || !((const struct sf_str *)((const char *)r->body + f->offset))->p) return 0;
	return by_address(r, SF_RATE_AUTH);
}

int sf_app__limit_refused(struct sf_req *r, int err) {
	bool theirs = sf_err_status(err) < 500 || err == SF_EVERSION;
	if (r->counted || r->of_files || !theirs || err == SF_ECANCELED) return err;
	r->counted = true;
	int limited = by_address(r, r->row ? r->row->route->rate : SF_RATE_API);
	if (!limited) return err;
	r->sentence = SF_STR_NULL;
	r->problems = NULL;
	return limited;
}
