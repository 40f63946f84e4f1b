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
	struct sf_str email, otp, password, password_confirm, name; /* name p NULL: none */
};
struct platform_code_body {
	struct sf_str code;
};
struct platform_refresh_body {
	struct sf_str refresh_token;
};
struct platform_profile_body { /* what is absent stays */
	struct sf_str name, password, current_password, time_zone, language;
};
struct platform_users_query {
	struct sf_str q;
};
struct platform_user_change_body {
	struct sf_str role;
	struct sf_oint is_active;
};

extern const struct sf_field platform__register_fields[]; /* of platform_register_body */

/* ---- handlers, all ~ -------------------------------------------------------------------------------- */

sf_handler platform_register, platform_login, platform_refresh, platform_logout;
sf_handler platform_session_login, platform_session_get;
sf_handler platform_session_list, platform_session_end, platform_logout_all;
sf_handler platform_otp_register, platform_otp_verify, platform_otp_forgot, platform_otp_reset;
sf_handler platform_confirm_mail, platform_confirm;
sf_handler platform_me, platform_me_change;
sf_handler platform_products, platform_dashboard, platform_subscriptions;
sf_handler platform_users, platform_user_change;
sf_handler platform_health, platform_ready, platform_infrastructure, platform_processes;

int platform_demo(struct sf_db *db, struct sf_arena *a); /* ~ */
void platform__uses_store(struct sf_dbh *h);             /* ~ writes what platform__used has noted */
int platform__prune(struct sf_job *j);                   /* ~ a job: takes away the rows whose time is over */
SF_MUSTCHECK
int platform__prune_all(struct sf_dbh *h, int64_t now, int64_t *removed); /* ~ what it does */

/* ---- shared ----------------------------------------------------------------------------------------- */

/* The user as answers show it: {id,email,name,role,is_active,created_at}. */
/* The members of a user as every answer has them, into an open object. */
void platform__user_members(struct sf_json *j, const struct platform_q_user_lock_row *u);
void platform__user_json(struct sf_json *j, const char *key, const struct platform_q_user_lock_row *u);

/* A user's row as it is and stays, for tx holds its lock: tokens and sessions are made from nothing else. See lock.c, which alone
 * fills one. */
struct platform_locked {
	struct sf_dbh *tx;
	struct platform_q_user_lock_row u;
	int64_t now; /* the wall clock once the lock was had, µs: a wait for it may have been long */
};
/* What a right password was checked against, before the transaction. Text in the request's arena. */
struct platform_proof {
	int64_t user, tokens_from;
	struct sf_str email, password_hash;
	bool older;            /* the hash is of an older form (Werkzeug's) */
	struct sf_str renewed; /* the same password in the present form, to be stored instead; n 0: none */
};
/* ~ Locks a user's row. SF_ENOTFOUND: no such user. */
SF_MUSTCHECK
int platform__lock(struct sf_dbh *tx, int64_t id, struct platform_locked *out);
/* ~ The same of whoever gave a right password, which is stored anew where it should be. SF_EAUTH: the user was deactivated, or
 * password or role were changed, or all sign-ins ended, since it was checked. */
SF_MUSTCHECK
int platform__lock_proved(struct sf_dbh *tx, const struct platform_proof *proof, struct platform_locked *out);
/* ~ The same of the caller. SF_EAUTH, with its sentence: the user is not active, or the caller's token or session was ended since
 * the request began, or the proof (NULL: none) does not hold any more. */
SF_MUSTCHECK
int platform__lock_caller(struct sf_req *r, struct sf_dbh *tx, const struct platform_proof *proof,
						  struct platform_locked *out);
/* ~ Stores the row with what was changed in it. */
SF_MUSTCHECK
int platform__store(const struct platform_locked *l);

/* A pair of tokens; text in the request's arena. */
struct platform_pair {
	struct sf_str access, refresh;
};
/* ~ Signs a pair for the user and stores the refresh token, of a sign-in's family. */
SF_MUSTCHECK
int platform__issue(struct sf_req *r, const struct platform_locked *l, struct sf_str family,
					struct platform_pair *out);
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

/* ---- strangers (devices.c, budgets.c, guard.c) ------------------------------------------------------ */

/* Who asks, as keyed digests, each also under the secret of before; device n 0: a client without our cookie. In the request's
 * arena. */
struct platform_client {
	struct sf_str address, address_before, device, device_before;
};
struct platform_client platform__client(struct sf_req *r);
struct platform_client
platform__client_named(struct sf_req *r); /* after giving it the cookie, or for longer */
/* ~ Whether the client has signed in to the account; user 0: to none. */
SF_MUSTCHECK
int platform__client_known(struct sf_req *r, struct sf_dbh *h, int64_t user, const struct platform_client *c,
						   bool *known);
/* ~ From now on it has. */
SF_MUSTCHECK
int platform__client_seen(struct sf_req *r, struct sf_dbh *tx, int64_t user, const struct platform_client *c);

/* Names a budget: of what, about whom (an email, a number), for whom. In the request's arena. */
struct sf_str platform__budget_key(struct sf_req *r, const char *purpose, struct sf_str about,
								   struct sf_str who);
/* ~ Takes a piece. SF_ERATE: there is none. *whole_at (may be NULL): what is on record then. */
SF_MUSTCHECK
int platform__budget_take(struct sf_dbh *h, struct sf_str key, const struct platform_budget *b, int64_t now,
						  int64_t *whole_at);

struct platform_guard { /* of one password that is to be checked */
	struct sf_str email, budget;
	int64_t user; /* 0: nobody has the name */
	struct platform_client who;
	bool signed_in; /* the client has a live sign-in: no stranger */
	/* what is on record */
	struct sf_str client; /* by which failures are counted */
	bool known, by_device;
	int64_t failures, whole_at, seen_at /* the client, at a sign-in; 0: never */;
};
/* ~ Whether the client of r may try a password of the name: 423 when it has failed too often, 429 when too many strangers have. */
SF_MUSTCHECK
int platform__guard(struct sf_req *r, struct sf_str email, int64_t user, struct platform_guard *g);
/* ~ The same of whoever is signed in: sign_in names that sign-in. */
SF_MUSTCHECK
int platform__guard_self(struct sf_req *r, struct sf_str email, struct sf_str sign_in,
						 struct platform_guard *g);
/* ~ After a right password: whether it still may, for others have tried meanwhile. */
SF_MUSTCHECK
int platform__guard_again(struct sf_req *r, struct platform_guard *g);
/* ~ Counts a wrong one. 0, or 423 or 429 when others have used up what was left meanwhile. */
SF_MUSTCHECK
int platform__guard_wrong(struct sf_req *r, struct platform_guard *g);
/* ~ Within the transaction that a right one leads to: begins the count of its client anew. */
SF_MUSTCHECK
int platform__guard_right(struct sf_dbh *tx, const struct platform_guard *g);
/* ~ Within the transaction that sets a password by a mailed code: no failure counts any more, the client is known, and no other. */
SF_MUSTCHECK
int platform__guard_reset(struct sf_req *r, struct sf_dbh *tx, struct sf_str email, int64_t user);

/* ---- codes (otp_codes.c) ---------------------------------------------------------------------------- */

struct platform_otp {
	struct sf_str email;
	const char *purpose; /* "register", "reset" */
	struct sf_str otp_hash;
};
/* ~ Within tx, mails a code with that template, or only the word that the template is; user: whose email it is, 0: nobody's. SF_ERATE:
 * nothing may be sent now: then tx is not to be committed. */
SF_MUSTCHECK
int platform__otp_send(struct sf_req *r, struct sf_dbh *tx, struct sf_str email, const char *purpose,
					   int64_t user, const char *template);
/* ~ Whether this is a code that was sent; counts the try. SF_EINVAL with the reason: it is not. */
SF_MUSTCHECK
int platform__otp_try(struct sf_req *r, struct sf_str email, const char *purpose, struct sf_str typed,
					  struct platform_otp *out);
/* ~ Uses it within tx: one of all who hold it; every code of the email and purpose is over. SF_EINVAL with the reason: another was
 * faster. */
SF_MUSTCHECK
int platform__otp_use(struct sf_req *r, struct sf_dbh *tx, const struct platform_otp *o);

int platform__otp_refused(struct sf_req *r); /* SF_EINVAL with that reason */
/* ~ Answers a request for a code, whoever has the email; purpose: "register" or "reset". */
SF_MUSTCHECK
int platform__otp_ask(struct sf_req *r, struct sf_str email, const char *purpose);
/* Answers 202 {status, message, outbox}. */
void platform__reply_queued(struct sf_req *r, const char *message);
/* ~ Mails the code that confirms the email of a user whose row is locked, within its transaction; none where none may be sent now. */
SF_MUSTCHECK
int platform__confirm_send(struct sf_req *r, const struct platform_locked *l);

/* ~ In demo mode whoever joins can book at once. */
SF_MUSTCHECK
int platform__trial(struct sf_dbh *tx, int64_t user, int64_t now);
/* ~ Signs in with email and password and answers a pair; cookie: opens a browser session too. 401, 403 inactive, 423 locked. */
SF_MUSTCHECK
int platform__sign_in(struct sf_req *r, bool cookie);
/* ~ Begins a sign-in, a row of sessions: cookie: a browser's, whose cookies are set; pair: with tokens, NULL: without. */
SF_MUSTCHECK
int platform__begin(struct sf_req *r, const struct platform_locked *l, bool cookie,
					struct platform_pair *pair);
/* ~ Keeps a sign-in going as long as its newest refresh token. */
SF_MUSTCHECK
int platform__renew(struct sf_req *r, const struct platform_locked *l, struct sf_str id);
/* ~ Ends a sign-in: its session and all its tokens, durably within the transaction, in memory once it is committed. SF_ENOTFOUND: the
 * locked user has none of that id. */
SF_MUSTCHECK
int platform__end(const struct platform_locked *l, struct sf_str id);
/* ~ The id of the caller's sign-in, n 0: there is none (the demo's token). */
SF_MUSTCHECK
int platform__current(struct sf_req *r, struct sf_dbh *h, struct sf_str *id);
struct sf_str platform__session_id(struct sf_req *r,
								   struct sf_str cookie); /* as it is stored; in the arena */
void platform__session_forget(struct sf_req *r); /* deletes the cookies; after the answer was begun */
/* ~ Revokes the refresh tokens of a family, and the access tokens issued with them. */
SF_MUSTCHECK
int platform__revoke_family(const struct platform_locked *l, struct sf_str family);
/* ~ Revokes one access token, until it would have expired (second). */
SF_MUSTCHECK
int platform__revoke_access(const struct platform_locked *l, struct sf_str jti, int64_t exp);
/* ~ Sets role (p NULL: as it is) and activity (-1: as it is) of a user, who is locked then; a change ends every sign-in, so commit it
 * with platform__commit_revoked. SF_ENOTFOUND; SF_ECONFLICT: it would leave no administrator who can sign in. */
SF_MUSTCHECK
int platform__change_rights(struct sf_dbh *tx, int64_t id, struct sf_str role, int active,
							struct platform_locked *out, bool *changed);
/* ~ Ends every token and session of a user and raises tokens_from of the row, which the caller then stores. Commit with
 * platform__commit_revoked. */
SF_MUSTCHECK
int platform__revoke_all(struct platform_locked *l);
/* ~ sf_req_commit after platform__revoke_all: what was revoked is refused by this host from then on, also when nobody knows whether
 * the commit came through. */
SF_MUSTCHECK
int platform__commit_revoked(struct sf_req *r, const struct platform_locked *l);

/* platform_identity's part: ~ the caller of a cookie; what is known of the caller's use. */
int platform__session(struct sf_req *r, struct sf_str cookie, struct sf_caller *out);
void platform__used(struct sf_req *r);
int platform__subscribed(struct sf_req *r, int64_t user, const char *product, bool *out);

#endif
