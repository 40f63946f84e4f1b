/* identity: the stages that find out who is asking, and whether they may.
 *
 * A bearer token wins over a session cookie; a refused token does not fall back to the cookie, so that a client whose token
 * has run out hears of it. On a public route whoever cannot be told is nobody; answers that others may cache
 * (public, with a max-age) never look at the caller at all. */
#include "app/internal.h"
#include "core/hash.h"

/* False: no token was sent. "Bearer" with nothing after it is a token, and a wrong one. */
static bool bearer(struct sf_str header, struct sf_str *token) {
	struct sf_str scheme, rest;
	if (!header.p) return false;
	bool more = sf_str_cut(header, ' ', &scheme, &rest);
	*token = more ? sf_str_trim(rest) : SF_STR("");
	return sf_str_ieq(scheme, SF_STR("bearer"));
}

static void by_token(struct sf_req *r, struct sf_str token) {
	struct sf_claims claims;
	if (r->app->opts.demo && sf_str_eq(token, SF_STR("demo_token"))) {
		r->caller = (struct sf_caller) { .user = 1, .via = SF_VIA_DEMO };
		return;
	}
	if (sf_token_verify(token, SF_TOKEN_ACCESS, &claims)) {
		r->bad_token = true;
		return;
	}
	r->caller = (struct sf_caller) { .user = claims.sub,
									 .admin = claims.role == SF_ROLE_ADMIN,
									 .via = SF_VIA_TOKEN,
									 .token_exp = claims.exp };
	memcpy(r->caller.jti, claims.jti, sizeof r->caller.jti);
}

/* A write with a cookie must prove that our own page made it: other sites can send the cookie, but cannot read the token. */
static bool csrf_right(struct sf_req *r, struct sf_str cookie) {
	struct sf_str want = r->app->opts.identity->csrf(r->http->arena, cookie), got = r->in.csrf;
	return want.n > 0 && got.n == want.n && sf_equal_ct(got.p, want.p, want.n);
}

static int by_session(struct sf_req *r, bool open) {
	const struct sf_identity *who = r->app->opts.identity;
	if (!who || !who->session || !r->in.cookie.p) return 0;
	struct sf_str cookie = sf_http_cookie(r->http, "sf_session");
	if (cookie.n == 0) return 0;
	bool proven = sf_app__is_read(r->http->method) || csrf_right(r, cookie);
	if (!proven && open) return 0;
	struct sf_caller caller = { 0 };
	int err = who->session(r, cookie, &caller);
	if (err == SF_EAUTH || (err && open)) return err == SF_ECANCELED ? err : 0;
	if (err) return err;
	if (!proven)
		return sf_fail(r, SF_EFORBIDDEN, NULL,
					   "The X-CSRF-Token header is missing or wrong. Load the page again.");
	caller.via = SF_VIA_SESSION;
	caller.session = cookie;
	r->caller = caller;
	return 0;
}

int sf_app__identify(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	struct sf_str token;
	bool open = r->row->route->auth.kind == SF_ACCESS_PUBLIC;
	if (open && r->row->route->max_age) return 0;
	if (bearer(r->in.authorization, &token)) {
		by_token(r, token);
		return 0;
	}
	return by_session(r, open);
}

static int subscription(struct sf_req *r, const char *product) {
	bool has = false;
	if (r->caller.via == SF_VIA_DEMO || r->caller.admin) return 0;
	const struct sf_identity *who = r->app->opts.identity;
	int err = who && who->subscribed ? who->subscribed(r, r->caller.user, product, &has) : 0;
	if (err || has) return err;
	return sf_fail(r, SF_EFORBIDDEN, NULL, "This needs an active subscription to %s.", product);
}

int sf_app__authorise(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	const struct sf_access *need = &r->row->route->auth;
	if (need->kind == SF_ACCESS_PUBLIC) return 0;
	if (r->caller.user == 0)
		return r->bad_token
				   ? sf_fail(r, SF_EAUTH, NULL, "Your sign-in is not valid or has run out. Sign in again.")
				   : SF_EAUTH;
	if (need->kind == SF_ACCESS_SUB) return subscription(r, need->product);
	if (need->kind == SF_ACCESS_ADMIN && !r->caller.admin)
		return sf_fail(r, SF_EFORBIDDEN, NULL, "Only administrators may do this.");
	return 0;
}
