/* cors: which other origins' pages may call the API (Fetch standard, "CORS protocol"), and OPTIONS.
 *
 * Origins come from a list. Listed ones may send credentials; "*" lets everybody in, but without credentials. */
#include "app/internal.h"

void sf_app__cors_prepare(struct sf_app *app) {
	struct sf_str rest = sf_str(app->opts.cors), one;
	size_t max = 1;
	for (size_t i = 0; i < rest.n; i++) max += rest.p[i] == ',';
	app->origins = sf_arena_alloc(app->arena, max * sizeof *app->origins);
	for (bool more = rest.n > 0; more;) {
		more = sf_str_cut(rest, ',', &one, &rest);
		one = sf_str_trim(one);
		if (one.n > 1 && one.p[one.n - 1] == '/') one.n--;
		if (one.n == 0) continue;
		if (sf_str_eq(one, SF_STR("*"))) app->any_origin = true;
		app->origins[app->norigins++] = one;
	}
}

/* 0 not allowed, 1 by name, 2 as anybody */
static int allowed(const struct sf_app *app, struct sf_str origin) {
	for (size_t i = 0; i < app->norigins; i++)
		if (sf_str_eq(app->origins[i], origin)) return 1;
	return app->any_origin ? 2 : 0;
}

void sf_app__cors_write(struct sf_req *r) {
	if (r->app->norigins == 0) return;
	struct sf_http_req *http = r->http;
	if (!r->app->any_origin || r->app->norigins > 1) sf_http_add(http, "Vary", SF_STR("Origin"));
	if (!r->in.origin.p) return;
	switch (allowed(r->app, r->in.origin)) {
	case 1:
		sf_http_add(http, "Access-Control-Allow-Origin", r->in.origin);
		sf_http_add(http, "Access-Control-Allow-Credentials", SF_STR("true"));
		break;
	case 2: sf_http_add(http, "Access-Control-Allow-Origin", SF_STR("*")); break;
	default: return;
	}
	sf_http_add(http, "Access-Control-Expose-Headers",
				SF_STR("X-Request-Id, ETag, Retry-After, X-Total-Count, Idempotent-Replayed, "
					   "RateLimit-Limit, RateLimit-Remaining, "
					   "RateLimit-Reset"));
}

struct sf_str sf_app__allow(struct sf_arena *a, uint16_t methods) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (int m = 0; m < SF_METHODS; m++) {
		if (m != SF_OPTIONS && !(methods & (1u << m))) continue;
		if (b.n) sf_buf_str(&b, SF_STR(", "));
		sf_buf_cstr(&b, sf_method_name((enum sf_method)m));
	}
	return sf_buf_view(&b);
}

int sf_app__options(struct sf_req *r) {
	struct sf_http_req *http = r->http;
	struct sf_str allow = sf_app__allow(http->arena, r->allowed);
	http->status = 204;
	sf_http_add(http, "Allow", allow);
	if (r->in.origin.p && r->in.preflight.p && allowed(r->app, r->in.origin)) {
		sf_http_add(http, "Access-Control-Allow-Methods", allow);
		sf_http_add(http, "Access-Control-Allow-Headers",
					SF_STR("Authorization, Content-Type, Idempotency-Key, If-None-Match, X-CSRF-Token, "
						   "X-Request-Id, traceparent"));
		sf_http_add(http, "Access-Control-Max-Age", SF_STR("600"));
	}
	return SF_HTTP_DONE;
}
