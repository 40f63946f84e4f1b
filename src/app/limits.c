/* limits: the stages that count a request against its rate limits, by client address and by user. */
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

int sf_app__limit_ip(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	enum sf_rate rate = r->row->route->rate;
	if (rate == SF_RATE_NONE) return 0;
	int64_t limit = rate == SF_RATE_AUTH ? r->app->opts.rate_auth : r->app->opts.rate_api;
	if (limit <= 0) return 0;
	struct sf_str bucket = sf_client_bucket(http->arena, sf_req_ip(r));
	return take(r, rate == SF_RATE_AUTH ? "auth" : "api", "ip:", bucket, limit);
}

int sf_app__limit_user(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	if (r->row->route->rate != SF_RATE_WRITE || r->caller.user == 0 || r->app->opts.rate_write <= 0) return 0;
	struct sf_buf who;
	sf_buf_init(&who, http->arena);
	sf_buf_int(&who, r->caller.user);
	return take(r, "write", "user:", sf_buf_view(&who), r->app->opts.rate_write);
}
