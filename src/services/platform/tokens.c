/* tokens: issuing pairs, rotating refresh tokens, and revoking.
 *
 * Every refresh token is a row of a family: the sign-in and all that followed from it. It is used once, and the next one takes its
 * place, so a family has one that was not used yet. Whoever presents a used one again shows that it was copied, and since nobody
 * can tell who copied whom, the family ends.
 *
 * Two tabs of a browser, or a client whose answer was lost, do the same without harm and within moments. For
 * PLATFORM_GRACE_USEC a used token is therefore answered with the pair that the family has by then: the very same tokens, signed
 * again, not a second pair. So there is one line of tokens still, and of two holders the slower one is found out by its next
 * refresh. */
#include <stdio.h>

#include "core/log.h"
#include "core/time.h"
#include "services/platform/internal.h"

void platform__user_members(struct sf_json *j, const struct platform_q_user_lock_row *u) {
	sf_json_add(j, SF_KV("id", u->id), SF_KV("email", u->email), SF_KV("name", u->name),
				SF_KV("role", u->role), SF_KV("is_active", u->is_active),
				SF_KV("email_confirmed", u->email_confirmed), SF_KV("time_zone", u->time_zone),
				SF_KV("language", u->language));
	sf_json_key(j, "created_at");
	sf_json_time(j, u->created_at);
}

void platform__user_json(struct sf_json *j, const char *key, const struct platform_q_user_lock_row *u) {
	if (key) sf_json_key(j, key);
	sf_json_obj(j);
	platform__user_members(j, u);
	sf_json_obj_end(j);
}

struct names { /* of a pair; empty: to be drawn */
	const char *access, *refresh;
};

static struct sf_claims claims_of(const struct platform_q_user_lock_row *u, enum sf_token_type typ,
								  int64_t iat, const char *jti) {
	bool admin = sf_str_eq(u->role, SF_STR("admin"));
	struct sf_claims c = {
		.sub = u->id, .role = admin ? SF_ROLE_ADMIN : SF_ROLE_USER, .iat = iat, .typ = typ
	};
	c.exp = iat + (typ == SF_TOKEN_ACCESS ? PLATFORM_ACCESS_S : PLATFORM_REFRESH_S);
	snprintf(c.jti, sizeof c.jti, "%s", jti);
	return c;
}

/* Signs both tokens; their names are drawn where `jti` has none. */
static int sign(struct sf_arena *a, const struct platform_q_user_lock_row *u, int64_t iat, struct names *jti,
				struct platform_pair *out) {
	struct sf_claims access = claims_of(u, SF_TOKEN_ACCESS, iat, jti->access),
					 refresh = claims_of(u, SF_TOKEN_REFRESH, iat, jti->refresh);
	struct platform_pair pair;
	int err = sf_token_sign(a, &access, &pair.access);
	if (!err) err = sf_token_sign(a, &refresh, &pair.refresh);
	if (err) return err;
	*jti = (struct names) { sf_arena_cstr(a, sf_str(access.jti)), sf_arena_cstr(a, sf_str(refresh.jti)) };
	*out = pair;
	return 0;
}

int platform__issue(struct sf_req *r, const struct platform_locked *l, struct sf_str family,
					struct platform_pair *out) {
	/* What this host has refused beyond the locked row was never committed: a token of now must not be taken for one of then. */
	int64_t refused = sf_token_revoked_before(l->u.id), from = l->u.tokens_from;
	int64_t iat = platform_issued_at(l->now, refused > from ? refused : from);
	struct names jti = { "", "" };
	struct platform_pair pair;
	int err = sign(sf_req_arena(r), &l->u, iat, &jti, &pair);
	if (err) return err;
	struct platform_q_refresh_add_in in = {
		.jti = sf_str(jti.refresh),
		.family = family,
		.access_jti = sf_str(jti.access),
		.user_id = l->u.id,
		.expires_at = (iat + PLATFORM_REFRESH_S) * SF_USEC,
	};
	err = platform_q_refresh_add(l->tx, &in, NULL);
	if (!err) *out = pair;
	return err;
}

/* ~ The pair that a family has now, again. */
static int issue_again(struct sf_req *r, const struct platform_locked *l, struct sf_str family,
					   struct platform_pair *out) {
	struct sf_arena *a = sf_req_arena(r);
	struct platform_q_refresh_newest_row row;
	int err =
		platform_q_refresh_newest(l->tx, &(struct platform_q_refresh_newest_in) { .family = family }, &row);
	if (err) return err;
	struct names jti = { sf_arena_cstr(a, row.access_jti), sf_arena_cstr(a, row.jti) };
	return sign(a, &l->u, row.expires_at / SF_USEC - PLATFORM_REFRESH_S, &jti, out);
}

int platform__reply_pair(struct sf_req *r, int status, const struct platform_pair *pair,
						 const struct platform_q_user_lock_row *u) {
	struct sf_json *j = sf_reply_json(r, status);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("access_token", pair->access), SF_KV("refresh_token", pair->refresh),
				SF_KV("expires_in", PLATFORM_ACCESS_S));
	platform__user_json(j, "user", u);
	sf_json_obj_end(j);
	return 0;
}

/* ---- revoking ----------------------------------------------------------------------------------------- */

struct revocation { /* in the request's arena */
	const char *jti;
	int64_t exp;
};

static void committed(void *arg) {
	const struct revocation *v = arg;
	sf_token_revoke(v->jti, v->exp);
}

int platform__revoke_access(const struct platform_locked *l, struct sf_str jti, int64_t exp) {
	struct platform_q_revoked_add_in in = { .jti = jti, .expires_at = exp * SF_USEC, .now = l->now };
	int err = platform_q_revoked_add(l->tx, &in, NULL);
	if (err) return err;
	struct sf_arena *a = sf_dbh_arena(l->tx);
	struct revocation *v = sf_arena_alloc(a, sizeof *v);
	*v = (struct revocation) { sf_arena_cstr(a, jti), exp };
	sf_tx_after(l->tx, committed, v);
	return 0;
}

int platform__revoke_family(const struct platform_locked *l, struct sf_str family) {
	/* the access token of a refresh token ends that much before it */
	static const int64_t before = PLATFORM_REFRESH_S - PLATFORM_ACCESS_S;
	struct platform_q_family_access_in in = { .family = family, .since = l->now + before * SF_USEC };
	struct sf_rows rows;
	int err = platform_q_refresh_revoke_family(
		l->tx, &(struct platform_q_refresh_revoke_family_in) { .family = family }, NULL);
	if (!err) err = platform_q_family_access(l->tx, &in, &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		const struct platform_q_family_access_row *row = SF_ROW(rows, platform_q_family_access, i);
		err = platform__revoke_access(l, row->access_jti, row->expires_at / SF_USEC - before);
	}
	return err;
}

int platform__revoke_all(struct platform_locked *l) {
	struct platform_q_refresh_last_row last;
	int64_t user = l->u.id;
	int err = platform_q_refresh_last(l->tx, &(struct platform_q_refresh_last_in) { .user_id = user }, &last);
	if (!err)
		err = platform_q_refresh_revoke_user(
			l->tx, &(struct platform_q_refresh_revoke_user_in) { .user_id = user }, NULL);
	if (!err)
		err = platform_q_sessions_delete_user(
			l->tx, &(struct platform_q_sessions_delete_user_in) { .user_id = user }, NULL);
	int64_t last_iat = !err && last.expires_at.has ? last.expires_at.v / SF_USEC - PLATFORM_REFRESH_S : 0;
	l->u.tokens_from = platform_revoke_from(l->now, l->u.tokens_from, last_iat);
	return err;
}

int platform__commit_revoked(struct sf_req *r, const struct platform_locked *l) {
	int err = sf_req_commit(r, l->tx);
	if (!err || err == SF_EUNAVAILABLE) sf_token_revoke_user(l->u.id, l->u.tokens_from);
	return err;
}

/* ---- refreshing ---------------------------------------------------------------------------------------- */

/* ~ Of a family whose sign-in has no row, the tokens end all the same. */
static int end_reused(const struct platform_locked *l, struct sf_str family) {
	int err = platform__end(l, family);
	return err == SF_ENOTFOUND ? platform__revoke_family(l, family) : err;
}

/* ~ Exchanges a refresh token of the locked user. Used too long ago, it revokes its family: *reused, and the caller commits. */
static int exchange(struct sf_req *r, const struct platform_locked *l, const struct sf_claims *c,
					struct platform_pair *out, bool *reused) {
	struct sf_str jti = sf_str(c->jti);
	struct platform_q_refresh_lock_row row;
	int err = platform_q_refresh_lock(l->tx, &(struct platform_q_refresh_lock_in) { .jti = jti }, &row);
	if (err) return err;
	if (row.user_id != l->u.id || row.revoked) return SF_EAUTH;
	if (row.used_at.has && l->now - row.used_at.v <= PLATFORM_GRACE_USEC)
		return issue_again(r, l, row.family, out);
	*reused = row.used_at.has;
	if (*reused) return end_reused(l, row.family);
	struct platform_q_refresh_use_in use = { .jti = jti, .now = l->now };
	err = platform_q_refresh_use(l->tx, &use, NULL);
	if (!err) err = platform__renew(r, l, row.family);
	return err ? err : platform__issue(r, l, row.family, out);
}

int platform_refresh(struct sf_req *r) { /* 401: not valid, used before, or its user may no longer sign in */
	const struct platform_refresh_body *in = sf_req_body(r);
	struct sf_claims claims;
	struct platform_locked l;
	struct platform_pair pair;
	struct sf_dbh *tx = NULL;
	bool reused = false;
	int err = sf_token_verify(in->refresh_token, SF_TOKEN_REFRESH, &claims);
	if (!err) err = sf_req_begin(r, &tx);
	if (!err) err = platform__lock(tx, claims.sub, &l);
	if (!err && (!l.u.is_active || claims.iat < l.u.tokens_from)) err = SF_EAUTH;
	if (!err) err = exchange(r, &l, &claims, &pair, &reused);
	if (err) goto out;
	if (!reused) platform__reply_pair(r, 200, &pair, &l.u);
	err = sf_req_commit(r, tx);
	if (err || !reused) goto out;
	sf_log(SF_WARN, "a refresh token was used again, its family is revoked", SF_KV("user", claims.sub));
	err = SF_EAUTH;
out:
	sf_tx_end(tx);
	if (err == SF_EAUTH || err == SF_ENOTFOUND)
		return sf_fail(r, SF_EAUTH, NULL, "This refresh token is not valid. Sign in again.");
	return err;
}
