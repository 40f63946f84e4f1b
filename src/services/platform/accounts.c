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

int platform_register(struct sf_req *r) { /* 400: the email is taken */
	const struct platform_register_body *in = sf_req_body(r);
	char hash[SF_PASSWORD_HASH_MAX];
	struct platform_q_user_lock_row u = { .email = platform_email(sf_req_arena(r), in->email),
										  .name = in->name,
										  .role = SF_STR("user"),
										  .is_active = true,
										  .created_at = sf_req_now(r) };
	struct platform_q_user_add_row row;
	struct platform_pair pair;
	struct sf_dbh *tx = NULL;
	int err = platform__hash(r, u.email, in->password, hash);
	if (err) goto out;
	err = sf_req_begin(r, &tx);
	if (err) goto out;
	struct platform_q_user_add_in add = {
		.email = u.email, .name = u.name, .password_hash = sf_str(hash), .created_at = u.created_at
	};
	err = platform_q_user_add(tx, &add, &row);
	if (err == SF_EDUP)
		err = sf_fail(r, SF_EINVAL, "email", "This email has an account already. Sign in instead.");
	if (err) goto out;
	u.id = row.id;
	err = platform__trial(tx, u.id, u.created_at);
	if (err) goto out;
	err = platform__issue(r, tx, &u, SF_STR_NULL, &pair);
	if (err) goto out;
	platform__reply_pair(r, 201, &pair, &u);
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

/* ---- signing in --------------------------------------------------------------------------------------- */

/* ~ A password that was right but is stored in an older form (Werkzeug's) is stored anew. Failing changes nothing. */
static void rehash(struct sf_req *r, const struct platform_q_user_lock_row *u, struct sf_str password) {
	char hash[SF_PASSWORD_HASH_MAX];
	if (platform__hash(r, u->email, password, hash) != 0) return;
	struct platform_q_user_rehash_in in = { .id = u->id,
											.old_hash = u->password_hash,
											.password_hash = sf_str(hash) };
	if (platform_q_user_rehash(sf_req_db(r), &in, NULL) != 0)
		sf_log(SF_WARN, "password not stored anew", SF_KV("user", u->id));
}

static struct platform_q_user_lock_row as_user(const struct platform_q_user_by_email_row *e) {
	return (struct platform_q_user_lock_row) {
		.id = e->id,
		.email = e->email,
		.password_hash = e->password_hash,
		.name = e->name,
		.role = e->role,
		.is_active = e->is_active,
		.tokens_from = e->tokens_from,
		.created_at = e->created_at,
	};
}

static int too_often(struct sf_req *r) {
	return sf_fail(r, SF_ELOCKED, NULL, "Too many failed attempts. Try again in 15 minutes.");
}

/* ~ 423 when the name has failed too often, whether or not anybody has it. *failed: it has failed lately. */
static int locked(struct sf_req *r, struct sf_str email, bool *failed) {
	struct platform_q_login_failures_in in = { .email = email, .cutoff = sf_req_now(r) - PLATFORM_LOCK_USEC };
	struct platform_q_login_failures_row row;
	int err = platform_q_login_failures(sf_req_db(r), &in, &row);
	*failed = err == 0;
	if (err == SF_ENOTFOUND) return 0;
	return !err && row.failures >= PLATFORM_FAILURES_MAX ? too_often(r) : err;
}

/* ~ Counts a wrong password. 0, or 423 when others have locked the name meanwhile. */
static int count_wrong(struct sf_req *r, struct sf_str email) {
	int64_t now = sf_req_now(r);
	struct platform_q_login_failed_in in = {
		.email = email, .now = now, .cutoff = now - PLATFORM_LOCK_USEC, .most = PLATFORM_FAILURES_MAX
	};
	struct platform_q_login_failed_row row;
	int err = platform_q_login_failed(sf_req_db(r), &in, &row);
	return !err && row.failures > PLATFORM_FAILURES_MAX ? too_often(r) : err;
}

/* The lock is looked at before the password, to spare the work, and once more after it, because many guesses may be sent at
 * once: those that come to their end after the tenth wrong one learn nothing, not even that one of them was right. */
int platform__authenticate(struct sf_req *r, const struct platform_login_body *in,
						   struct platform_q_user_lock_row *u) {
	struct sf_dbh *h = sf_req_db(r);
	struct sf_str email = platform_email(sf_req_arena(r), in->email);
	struct platform_q_user_by_email_row row = { 0 };
	bool failed, upgrade = false;
	int err = locked(r, email, &failed);
	if (err) return err;
	err = platform_q_user_by_email(h, &(struct platform_q_user_by_email_in) { .email = email }, &row);
	if (err && err != SF_ENOTFOUND) return err;
	err = platform__check(r, email, in->password, err ? SF_STR_NULL : row.password_hash, &upgrade);
	if (err == SF_EAUTH) {
		err = count_wrong(r, email);
		return err ? err : sf_fail(r, SF_EAUTH, NULL, "The email or the password is wrong.");
	}
	if (!err) err = locked(r, email, &failed);
	if (err) return err;
	if (!row.is_active)
		return sf_fail(r, SF_EFORBIDDEN, NULL, "This account is not active. Write to us to reopen it.");
	*u = as_user(&row);
	if (upgrade) rehash(r, u, in->password);
	return failed ? platform_q_login_worked(h, &(struct platform_q_login_worked_in) { .email = email }, NULL)
				  : 0;
}

int platform_login(struct sf_req *r) { /* 401, 403 inactive, 423 locked */
	struct platform_q_user_lock_row u;
	struct platform_pair pair;
	int err = platform__authenticate(r, sf_req_body(r), &u);
	if (!err) err = platform__issue(r, sf_req_db(r), &u, SF_STR_NULL, &pair);
	return err ? err : platform__reply_pair(r, 200, &pair, &u);
}

/* ---- one's own profile -------------------------------------------------------------------------------- */

int platform_me(struct sf_req *r) {
	struct platform_q_user_get_in in = { .id = sf_req_caller(r)->user };
	struct platform_q_user_get_row row;
	int err = platform_q_user_get(sf_req_db(r), &in, &row);
	return err ? err : sf_reply_row(r, 200, &platform_user_get_desc, &row);
}

/* ~ The present password is asked for before a new one is taken. Wrong ones count as failed logins: a stolen token must
 * not be the way to guess it. */
static int check_current(struct sf_req *r, const struct platform_profile_body *in, struct sf_str *email) {
	if (!in->password.p) return 0;
	if (!in->current_password.p)
		return sf_fail(r, SF_EINVAL, "current_password", "Give your present password to set a new one.");
	struct platform_q_user_hash_in me = { .id = sf_req_caller(r)->user };
	struct platform_q_user_hash_row row;
	bool failed;
	int err = platform_q_user_hash(sf_req_db(r), &me, &row);
	if (!err) err = locked(r, row.email, &failed);
	if (err) return err;
	*email = row.email;
	err = platform__check(r, row.email, in->current_password, row.password_hash, NULL);
	if (err == SF_EAUTH) {
		err = count_wrong(r, row.email);
		return err ? err : sf_fail(r, SF_EINVAL, "current_password", "This is not your present password.");
	}
	return err ? err : locked(r, row.email, &failed);
}

/* Answers the user, and after a change of password what the caller needs to go on: its old tokens are revoked. */
static int reply_me(struct sf_req *r, const struct platform_q_user_lock_row *u,
					const struct platform_pair *pair) {
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("id", u->id), SF_KV("email", u->email), SF_KV("name", u->name),
				SF_KV("role", u->role), SF_KV("is_active", u->is_active));
	sf_json_key(j, "created_at");
	sf_json_time(j, u->created_at);
	if (pair)
		sf_json_add(j, SF_KV("access_token", pair->access), SF_KV("refresh_token", pair->refresh),
					SF_KV("expires_in", PLATFORM_ACCESS_S));
	sf_json_obj_end(j);
	return 0;
}

int platform_me_change(struct sf_req *r) { /* 400: current_password missing or wrong, 423: too often */
	const struct platform_profile_body *in = sf_req_body(r);
	const struct sf_caller *c = sf_req_caller(r);
	struct platform_q_user_lock_row u;
	struct platform_pair pair;
	struct sf_str email = SF_STR_NULL;
	char hash[SF_PASSWORD_HASH_MAX];
	struct sf_dbh *tx = NULL;
	bool password = in->password.p != NULL, token = password && c->via != SF_VIA_SESSION;
	int err = check_current(r, in, &email);
	if (!err && password) err = platform__hash(r, email, in->password, hash);
	if (!err) err = sf_req_begin(r, &tx);
	if (!err) err = platform_q_user_lock(tx, &(struct platform_q_user_lock_in) { .id = c->user }, &u);
	if (err) goto out;
	if (in->name.p) u.name = in->name;
	if (password) {
		u.password_hash = sf_str(hash);
		err = platform__revoke_all(r, tx, u.id, &u.tokens_from);
		if (!err)
			err = token ? platform__issue(r, tx, &u, SF_STR_NULL, &pair)
						: platform__session_open(r, tx, u.id, NULL);
		if (err) goto out;
	}
	struct platform_q_user_change_in change = { .id = u.id,
												.name = u.name,
												.password_hash = u.password_hash,
												.role = u.role,
												.is_active = u.is_active,
												.tokens_from = u.tokens_from };
	err = platform_q_user_change(tx, &change, NULL);
	if (err) goto out;
	reply_me(r, &u, token ? &pair : NULL);
	err = sf_req_commit(r, tx);
	/* also when nobody knows whether the commit came through */
	if (password && (!err || err == SF_EUNAVAILABLE)) sf_token_revoke_user(u.id, u.tokens_from);
out:
	sf_tx_end(tx);
	return err;
}
