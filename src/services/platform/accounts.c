/* accounts: registering, signing in, and one's own profile. */
#include "core/config.h"
#include "core/log.h"
#include "core/time.h"
#include "services/platform/internal.h"

int platform__trial(struct sf_dbh *tx, int64_t user, int64_t now) {
	if (!sf_config_bool("DEMO_MODE")) return 0;
	struct platform_q_subscription_add_in in = { .user_id = user,
												 .slug = SF_STR("coocook"),
												 .plan_type = SF_STR("monthly"),
												 .current_period_start = now,
												 .current_period_end = now + 30 * SF_DAY_USEC };
	return platform_q_subscription_add(tx, &in, NULL);
}

/* The account is good at once, but what it writes is sent to nobody until its email is confirmed (confirm.c). With REGISTER_QUIET
 * nothing says whether the email is taken: a code is mailed, and /auth/verify-otp makes the account. */
int platform_register(struct sf_req *r) { /* 400: the email is taken */
	const struct platform_register_body *in = sf_req_body(r);
	char hash[SF_PASSWORD_HASH_MAX];
	struct platform_q_user_add_row row;
	struct platform_locked l;
	struct platform_pair pair;
	struct sf_dbh *tx = NULL;
	struct sf_str email = platform_email(sf_req_arena(r), in->email);
	if (sf_config_bool("REGISTER_QUIET")) return platform__otp_ask(r, in->email, "register");
	int err = platform__hash(r, email, in->password, hash);
	if (!err) err = sf_req_begin(r, &tx);
	if (err) goto out;
	struct platform_client c = platform__client(r);
	struct platform_q_user_add_in add = {
		.email = email, .name = in->name, .password_hash = sf_str(hash), .created_at = sf_req_now(r)
	};
	err = platform_q_user_add(tx, &add, &row);
	if (err == SF_EDUP) {
		sf_fail_field(r, "email", "must not have an account already");
		err = sf_fail(r, SF_EINVAL, NULL, "This email has an account already. Sign in instead.");
	}
	if (!err) err = platform__trial(tx, row.id, add.created_at);
	if (!err) err = platform__lock(tx, row.id, &l);
	if (!err) err = platform__client_seen(r, tx, row.id, &c);
	if (!err) err = platform__confirm_send(r, &l);
	if (!err) err = platform__begin(r, &l, false, &pair);
	if (err) goto out;
	platform__reply_pair(r, 201, &pair, &l.u);
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

/* ---- signing in --------------------------------------------------------------------------------------- */

/* ~ What was checked, to be looked at again under lock; a password in an older form is hashed anew. Failing to changes nothing. */
static struct platform_proof proof_of(struct sf_req *r, const struct platform_q_user_by_email_row *row,
									  bool older, struct sf_str password) {
	struct platform_proof proof = { .user = row->id,
									.email = row->email,
									.tokens_from = row->tokens_from,
									.password_hash = row->password_hash,
									.older = older };
	char hash[SF_PASSWORD_HASH_MAX];
	if (older && platform__hash(r, row->email, password, hash) == 0)
		proof.renewed = sf_arena_str(sf_req_arena(r), sf_str(hash));
	return proof;
}

static int authenticate(struct sf_req *r, const struct platform_login_body *in, struct platform_guard *g,
						struct platform_proof *out) {
	struct sf_str email = platform_email(sf_req_arena(r), in->email);
	struct platform_q_user_by_email_row row = { 0 };
	struct platform_q_user_by_email_in by = { .email = email };
	bool older = false;
	int err = platform_q_user_by_email(sf_req_db(r), &by, &row);
	bool unknown = err == SF_ENOTFOUND;
	if (err && !unknown) return err;
	err = platform__guard(r, email, row.id, g);
	if (err) return err;
	err = platform__check(r, email, in->password, unknown ? SF_STR_NULL : row.password_hash, &older);
	if (err == SF_EAUTH) {
		err = platform__guard_wrong(r, g);
		return err ? err : sf_fail(r, SF_EAUTH, NULL, "The email or the password is wrong.");
	}
	if (!err) err = platform__guard_again(r, g);
	if (err) return err;
	if (!row.is_active)
		return sf_fail(r, SF_EFORBIDDEN, NULL, "This account is not active. Write to us to reopen it.");
	*out = proof_of(r, &row, older, in->password);
	return 0;
}

/* ~ The client is known from now on; one that is, and was seen lately, costs no write. */
static int remember(struct sf_req *r, const struct platform_guard *g, bool browser,
					const struct platform_locked *l) {
	struct platform_client c = browser ? platform__client_named(r) : g->who;
	bool same = sf_str_eq(c.device, g->who.device) && (g->by_device || !browser);
	int err = platform__guard_right(l->tx, g);
	if (err || (same && g->seen_at > sf_req_now(r) - PLATFORM_SEEN_USEC)) return err;
	return platform__client_seen(r, l->tx, l->u.id, &c);
}

int platform__sign_in(struct sf_req *r, bool cookie) {
	struct platform_proof proof;
	struct platform_guard guard;
	struct platform_locked l;
	struct platform_pair pair;
	struct sf_dbh *tx = NULL;
	int err = authenticate(r, sf_req_body(r), &guard, &proof);
	if (!err) err = sf_req_begin(r, &tx);
	if (err) goto out;
	err = platform__lock_proved(tx, &proof, &l);
	if (err == SF_EAUTH) err = sf_fail(r, err, NULL, "The account has changed meanwhile. Sign in again.");
	if (!err) err = remember(r, &guard, cookie, &l);
	if (!err) err = platform__begin(r, &l, cookie, &pair);
	if (err) goto out;
	platform__reply_pair(r, 200, &pair, &l.u);
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

int platform_login(struct sf_req *r) { /* 401, 403 inactive, 423 locked */
	return platform__sign_in(r, false);
}

/* ---- one's own profile -------------------------------------------------------------------------------- */

int platform_me(struct sf_req *r) {
	struct platform_q_user_get_in in = { .id = sf_req_caller(r)->user };
	struct platform_q_user_get_row row;
	int err = platform_q_user_get(sf_req_db(r), &in, &row);
	return err ? err : sf_reply_row(r, 200, &platform_user_get_desc, &row);
}

/* ~ The present password is asked for before a new one is taken. Wrong ones are counted: a stolen token must not be the way to
 * guess it. */
static int check_current(struct sf_req *r, const struct platform_profile_body *in,
						 struct platform_proof *out) {
	if (!in->current_password.p)
		return sf_fail(r, SF_EINVAL, "current_password", "must be given to set a new one");
	struct platform_q_user_hash_in me = { .id = sf_req_caller(r)->user };
	struct platform_q_user_hash_row row;
	struct platform_guard guard;
	struct sf_str sign_in;
	bool older = false;
	int err = platform_q_user_hash(sf_req_db(r), &me, &row);
	if (!err) err = platform__current(r, sf_req_db(r), &sign_in);
	if (!err) err = platform__guard_self(r, row.email, sign_in.n ? sign_in : SF_STR("demo"), &guard);
	if (err) return err;
	err = platform__check(r, row.email, in->current_password, row.password_hash, &older);
	if (err == SF_EAUTH) {
		err = platform__guard_wrong(r, &guard);
		return err ? err : sf_fail(r, SF_EINVAL, "current_password", "must be your present password");
	}
	if (!err) err = platform__guard_again(r, &guard);
	if (err) return err;
	*out = (struct platform_proof) { .user = me.id,
									 .email = row.email,
									 .tokens_from = row.tokens_from,
									 .password_hash = row.password_hash,
									 .older = older };
	return 0;
}

/* Answers the user, and after a change of password what the caller needs to go on: its old tokens are revoked. */
static int reply_me(struct sf_req *r, const struct platform_q_user_lock_row *u,
					const struct platform_pair *pair) {
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	platform__user_members(j, u);
	if (pair)
		sf_json_add(j, SF_KV("access_token", pair->access), SF_KV("refresh_token", pair->refresh),
					SF_KV("expires_in", PLATFORM_ACCESS_S));
	sf_json_obj_end(j);
	return 0;
}

/* ~ Sets the new password, ends all sign-ins and begins one: the caller's. *pair: unless the caller is a browser. */
static int set_password(struct sf_req *r, struct platform_locked *l, struct sf_str hash,
						struct platform_pair *pair) {
	l->u.password_hash = hash;
	int err = platform__revoke_all(l);
	return err ? err : platform__begin(r, l, !pair, pair);
}

int platform_me_change(struct sf_req *r) { /* 400: current_password missing or wrong, 423: too often */
	const struct platform_profile_body *in = sf_req_body(r);
	struct platform_proof proof;
	struct platform_locked l;
	struct platform_pair pair, *tokens = NULL;
	char hash[SF_PASSWORD_HASH_MAX];
	struct sf_dbh *tx = NULL;
	bool password = in->password.p != NULL;
	if (password && sf_req_caller(r)->via != SF_VIA_SESSION) tokens = &pair;
	int err = password ? check_current(r, in, &proof) : 0;
	if (!err && password) err = platform__hash(r, proof.email, in->password, hash);
	if (!err) err = sf_req_begin(r, &tx);
	if (!err) err = platform__lock_caller(r, tx, password ? &proof : NULL, &l);
	if (err) goto out;
	if (in->name.p) l.u.name = in->name;
	if (in->time_zone.p) l.u.time_zone = in->time_zone;
	if (in->language.p) l.u.language = in->language;
	if (password) err = set_password(r, &l, sf_str(hash), tokens);
	if (!err) err = platform__store(&l);
	if (err) goto out;
	reply_me(r, &l.u, tokens);
	err = password ? platform__commit_revoked(r, &l) : sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}
