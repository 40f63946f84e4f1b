/* Shared inside services/platform/: the checked inputs of its routes, its handlers, and what they share. */
#ifndef SF_SERVICES_PLATFORM_INTERNAL_H
#define SF_SERVICES_PLATFORM_INTERNAL_H

#include "app/app.h"
#include "auth/auth.h"
#include "jobs/jobs.h"
#include "platform.q.h"
#include "services/platform/rules.h"

/* ---- inputs ----------------------------------------------------------------------------------------- */

struct platform_register_body {
	struct sf_str email, password, name;
};
struct platform_login_body {
	struct sf_str email, password;
};
struct platform_email_body {
	struct sf_str email;
};
struct platform_otp_body {
	struct sf_str email, otp, password, password_confirm;
};
struct platform_refresh_body {
	struct sf_str refresh_token;
};
struct platform_profile_body { /* what is absent stays */
	struct sf_str name, password, current_password;
};
struct platform_users_query {
	struct sf_str q;
};
struct platform_user_change_body {
	struct sf_str role;
	struct sf_oint is_active;
};

/* ---- handlers, all ~ -------------------------------------------------------------------------------- */

sf_handler platform_register, platform_login, platform_refresh, platform_logout;
sf_handler platform_session_login, platform_session_get;
sf_handler platform_otp_register, platform_otp_verify, platform_otp_forgot, platform_otp_reset;
sf_handler platform_me, platform_me_change;
sf_handler platform_products, platform_dashboard, platform_subscriptions;
sf_handler platform_users, platform_user_change;
sf_handler platform_health, platform_ready, platform_infrastructure, platform_processes;

int platform_demo(struct sf_db *db, struct sf_arena *a); /* ~ */
int platform__prune(struct sf_job *j);                   /* ~ a job: takes away the rows whose time is over */

/* ---- shared ----------------------------------------------------------------------------------------- */

/* The user as answers show it: {id,email,name,role,is_active,created_at}. */
void platform__user_json(struct sf_json *j, const char *key, const struct platform_q_user_lock_row *u);

/* A pair of tokens; text in the request's arena. */
struct platform_pair {
	struct sf_str access, refresh;
};
/* ~ Signs a pair for the user and stores the refresh token; family empty: a new one. */
SF_MUSTCHECK
int platform__issue(struct sf_req *r, struct sf_dbh *h, const struct platform_q_user_lock_row *u,
					struct sf_str family, struct platform_pair *out);
/* Answers {access_token, refresh_token, expires_in, user}. */
int platform__reply_pair(struct sf_req *r, int status, const struct platform_pair *pair,
						 const struct platform_q_user_lock_row *u);

/* ~ sf_password_hash and sf_password_check in the turn of the request's client; name: the email it is about. SF_EOVERLOAD with the
 * reason and Retry-After: too many wait. */
SF_MUSTCHECK
int platform__hash(struct sf_req *r, struct sf_str name, struct sf_str password,
				   char out[SF_PASSWORD_HASH_MAX]);
SF_MUSTCHECK
int platform__check(struct sf_req *r, struct sf_str name, struct sf_str password, struct sf_str hash,
					bool *upgrade);

/* ~ In demo mode whoever joins can book at once. */
SF_MUSTCHECK
int platform__trial(struct sf_dbh *tx, int64_t user, int64_t now);
/* ~ Checks email and password with lock-out: 401, 403 inactive, 423 locked. On 0 *u is the user. */
SF_MUSTCHECK
int platform__authenticate(struct sf_req *r, const struct platform_login_body *in,
						   struct platform_q_user_lock_row *u);
/* ~ Opens a browser session: stores it and sets the cookies. *family (may be NULL): of the tokens that end with it. */
SF_MUSTCHECK
int platform__session_open(struct sf_req *r, struct sf_dbh *h, int64_t user, struct sf_str *family);
/* ~ Ends the caller's session within tx, and the tokens of its family. */
SF_MUSTCHECK
int platform__session_close(struct sf_req *r, struct sf_dbh *tx);
void platform__session_forget(struct sf_req *r); /* deletes the cookies; after the answer was begun */
/* ~ Revokes the refresh tokens of a family, and the access tokens issued with them: durably within tx, in memory once it is
 * committed. */
SF_MUSTCHECK
int platform__revoke_family(struct sf_req *r, struct sf_dbh *tx, struct sf_str family);
/* ~ Ends every token and session of a user within tx; *tokens_from goes into the user's row. After the commit call
 * sf_token_revoke_user(user, tokens_from). */
SF_MUSTCHECK
int platform__revoke_all(struct sf_req *r, struct sf_dbh *tx, int64_t user, int64_t *tokens_from);

/* ~ platform_identity's part that asks the database. */
int platform__session(struct sf_req *r, struct sf_str cookie, struct sf_caller *out);
int platform__subscribed(struct sf_req *r, int64_t user, const char *product, bool *out);

#endif
