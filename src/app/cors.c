/* cors: which other origins' pages may call the API (Fetch standard, "CORS protocol"), and OPTIONS.
 *
 * Origins come from a list. Listed ones may send credentials; "*" lets everybody in, but without credentials, also beside
 * listed ones. */
#include "app/internal.h"

/* The next entry of a list, without the slash at its end; false: none is left. */
static bool next_origin(struct sf_str *rest, struct sf_str *one) {
	while (rest->n > 0) {
		struct sf_str entry;
		sf_str_cut(*rest, ',', &entry, rest);
		entry = sf_str_trim(entry);
		if (entry.n > 1 && entry.p[entry.n - 1] == '/') entry.n--;
		if (entry.n == 0) continue;
		*one = entry;
		return true;
	}
	return false;
}

/* scheme://host[:port] as a browser writes it: lower case, nothing after the port (RFC 6454 §6.2). */
static bool is_origin(struct sf_str s) {
	struct sf_str scheme, host;
	if (!sf_str_cut(s, ':', &scheme, &host) || scheme.n == 0 || host.n < 3 || memcmp(host.p, "//", 2) != 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool slash = c == '/' && i <= scheme.n + 2;
		if (!slash && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr(":.-_+[]", c))
			return false;
	}
	return true;
}

bool sf_app_origins_valid(const char *list) {
	struct sf_str rest = sf_str(list), one;
	while (next_origin(&rest, &one))
		if (!sf_str_eq(one, SF_STR("*")) && !is_origin(one)) return false;
	return true;
}

void sf_app__cors_prepare(struct sf_app *app) {
	struct sf_str rest = sf_str(app->opts.cors), one;
	size_t max = 1;
	for (size_t i = 0; i < rest.n; i++) max += rest.p[i] == ',';
	app->origins = sf_arena_alloc(app->arena, max * sizeof *app->origins);
	while (next_origin(&rest, &one)) {
		if (sf_str_eq(one, SF_STR("*")))
			app->any_origin = true;
		else
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
	if (r->app->norigins == 0 && !r->app->any_origin) return;
	struct sf_http_req *http = r->http;
	if (r->app->norigins > 0) sf_http_add(http, "Vary", SF_STR("Origin"));
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
					SF_STR("Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-None-Match, "
						   "Time-Zone, X-CSRF-Token, X-Request-Id, traceparent"));
		sf_http_add(http, "Access-Control-Max-Age", SF_STR("600"));
	}
	return SF_HTTP_DONE;
}
