/* identity: the stages that find out who is asking, and whether they may.
 *
 * A bearer token wins over a session cookie; a refused token does not fall back to the cookie, so that a client whose token
 * has run out hears of it. On a public route whoever cannot be told is nobody; answers that others may cache
 * (public, with a max-age) never look at the caller at all.
 *
 * A write with a cookie also carries X-CSRF-Token, a keyed digest of the cookie, which proves that our own page made it: other
 * sites can send the cookie, but cannot read sf_csrf. Tokens of earlier secrets are right as well, and a read with a session gives
 * the browser the one of the present secret, so that a page which was open over a rotation, or lost the cookie, goes on. */
#include "app/internal.h"
#include "core/hash.h"

#define SESSION_COOKIE "sf_session"
#define CSRF_COOKIE    "sf_csrf"
#define CSRF_PURPOSE   "csrf"

/* ---- CSRF tokens --------------------------------------------------------------------------------- */

static struct sf_str csrf_token(struct sf_arena *a, struct sf_str cookie) {
	unsigned char d[32];
	char *text = sf_arena_alloc(a, 64);
	sf_secret_digest(a, CSRF_PURPOSE, cookie, d);
	return (struct sf_str) { text, sf_base64url(d, sizeof d, text) };
}

static bool csrf_right(struct sf_req *r, struct sf_str cookie) {
	unsigned char d[33];
	size_t n = 0;
	struct sf_str got = r->in.csrf;
	return got.n > 0 && sf_unbase64url(got, d, sizeof d, &n) == 0 && n == 32 &&
		   sf_secret_verify(r->http->arena, CSRF_PURPOSE, cookie, d);
}

/* Answers that others may keep carry no cookie. */
static void csrf_renew(struct sf_req *r, struct sf_str cookie) {
	if (r->row->shared) return;
	struct sf_str want = csrf_token(r->http->arena, cookie);
	if (!sf_str_eq(sf_http_cookie(r->http, CSRF_COOKIE), want))
		sf_reply_cookie(r, CSRF_COOKIE, want, r->app->opts.identity->session_s, true);
}

void sf_reply_session(struct sf_req *r, struct sf_str session, int64_t max_age_s) {
	sf_reply_cookie(r, SESSION_COOKIE, session, max_age_s, false);
	sf_reply_cookie(r, CSRF_COOKIE, session.n ? csrf_token(r->http->arena, session) : SF_STR(""), max_age_s,
					true);
}

/* ---- who is asking ------------------------------------------------------------------------------- */

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
		r->caller = (struct sf_caller) { .user = 1, .via = SF_VIA_DEMO, .iat = INT64_MAX };
		return;
	}
	if (sf_token_verify(token, SF_TOKEN_ACCESS, &claims)) {
		r->bad_token = true;
		return;
	}
	r->caller = (struct sf_caller) { .user = claims.sub,
									 .admin = claims.role == SF_ROLE_ADMIN,
									 .via = SF_VIA_TOKEN,
									 .token_exp = claims.exp,
									 .iat = claims.iat };
	memcpy(r->caller.jti, claims.jti, sizeof r->caller.jti);
}

static int by_session(struct sf_req *r, bool open) {
	const struct sf_identity *who = r->app->opts.identity;
	if (!who || !who->session || !r->in.cookie.p) return 0;
	struct sf_str cookie = sf_http_cookie(r->http, SESSION_COOKIE);
	if (cookie.n == 0) return 0;
	bool read = sf_app__is_read(r->http->method);
	bool proven = read || r->row->route->no_csrf || csrf_right(r, cookie);
	if (!proven && open) return 0;
	struct sf_caller caller = { 0 };
	int err = who->session(r, cookie, &caller);
	if (err == SF_EAUTH || (err && open)) return err == SF_ECANCELED ? err : 0;
	if (err) return err;
	if (!proven) return SF_ECSRF;
	if (read) csrf_renew(r, cookie);
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
	const struct sf_identity *who = r->app->opts.identity;
	int err = 0;
	if (bearer(r->in.authorization, &token))
		by_token(r, token);
	else
		err = by_session(r, open);
	if (r->caller.user && who && who->used) who->used(r);
	return err;
}

int sf_app__still_in(struct sf_req *r) {
	const struct sf_caller *c = &r->caller;
	if (c->user == 0 || r->row->route->auth.kind == SF_ACCESS_PUBLIC) return 0;
	bool ended = sf_token_revoked_before(c->user) > c->iat || (c->jti[0] && sf_token_revoked(c->jti));
	return ended ? sf_fail(r, SF_EAUTH, NULL, "Your sign-in has ended meanwhile. Sign in again.") : 0;
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
	if (need->kind == SF_ACCESS_PUBLIC || need->kind == SF_ACCESS_ANYONE) return 0;
	if (r->caller.user == 0)
		return r->bad_token
				   ? sf_fail(r, SF_EAUTH, NULL, "Your sign-in is not valid or has run out. Sign in again.")
				   : SF_EAUTH;
	if (need->kind == SF_ACCESS_SUB) return subscription(r, need->product);
	if (need->kind == SF_ACCESS_ADMIN && !r->caller.admin)
		return sf_fail(r, SF_EFORBIDDEN, NULL, "Only administrators may do this.");
	return 0;
}
