/* client: what other services may ask of platform. */
#ifndef SF_SERVICES_PLATFORM_CLIENT_H
#define SF_SERVICES_PLATFORM_CLIENT_H

#include "core/core.h"

struct sf_req;

/* Told when a user is deactivated or activated; id: the user's. How the user is now, ask platform_users_of. */
#define PLATFORM_USER_CHANGED "user.changed"

struct platform_user {
	int64_t id;
	struct sf_str email, name, time_zone; /* in the arena of the request or the transaction */
	bool admin, is_active;
	bool
		confirmed; /* mail to the address reaches the owner, who has shown it: until then nothing that the account writes, its
					   name neither, is sent to others */
};
/* ~ One user. SF_ENOTFOUND: no such user. */
SF_MUSTCHECK
int platform_user(struct sf_req *r, int64_t id, struct platform_user *out);
struct sf_app;
struct sf_dbh;
/* ~ Several in one statement, in the order of ids; whom nobody is found for has id 0. `admin` is not filled. On tx, a handle or
 * transaction of `service`, where both have the same database: who holds a connection must not wait for another of the same pool. */
SF_MUSTCHECK
int platform_users_of(const struct sf_app *app, struct sf_dbh *tx, const char *service, const int64_t *ids,
					  size_t n, struct platform_user *out);

/* ---- for commands (manage.c): what an operator does with users and subscriptions, without a request and without a sign-in ----
 *
 * Whoever may run the program with the database's URL may do all of it. */

struct sf_arena;
struct sf_db;
struct platform_account {
	int64_t id, created_at; /* µs */
	struct sf_str email, name, role;
	bool is_active;
};
struct platform_new_account {
	struct sf_str email, name, role, password; /* role: "user" or "admin" */
};
/* All ~; db is that of platform; texts that are returned live in the arena. Where a value is refused: SF_EINVAL and *why says which
 * and why. SF_ENOTFOUND: no such user (by address, in any case of its letters, or by number). */

/* Makes an account, with the rules of registration, whose mail counts as confirmed. SF_EDUP: the address has one already. */
SF_MUSTCHECK
int platform_account_add(struct sf_db *db, struct sf_arena *a, const struct platform_new_account *in,
						 int64_t *id, struct sf_str *why);
SF_MUSTCHECK
int platform_account_find(struct sf_db *db, struct sf_arena *a, struct sf_str who,
						  struct platform_account *out);
/* Those whose address or name holds q (n 0: all), by number, after number `after`; *out is in the arena. */
SF_MUSTCHECK
int platform_accounts(struct sf_db *db, struct sf_arena *a, struct sf_str q, int64_t page, int64_t limit,
					  struct platform_account **out, size_t *n);
/* Sets a password; every sign-in of the user ends, on running servers within a second. */
SF_MUSTCHECK
int platform_account_password(struct sf_db *db, struct sf_arena *a, int64_t id, struct sf_str password,
							  struct sf_str *why);
/* Sets role (p NULL: as it is) and activity (-1: as it is); a change ends every sign-in. SF_ECONFLICT: it would leave nobody who
 * administers. */
SF_MUSTCHECK
int platform_account_change(struct sf_db *db, struct sf_arena *a, int64_t id, struct sf_str role, int active);

/* Whether anybody administers the platform. */
SF_MUSTCHECK
int platform_has_admin(struct sf_db *db, struct sf_arena *a, bool *out);

struct platform_grant {
	int64_t id, until; /* µs; 0: without end */
	struct sf_str email, product, plan, status;
};
/* Gives the user a subscription, or lengthens the active one; until: µs, 0: a month or a year from now, by the plan. *why names the
 * products there are when there is no such. */
SF_MUSTCHECK
int platform_grant(struct sf_db *db, struct sf_arena *a, int64_t user, struct sf_str product,
				   struct sf_str plan, int64_t until, int64_t *ends, struct sf_str *why);
/* Ends the active one at once. SF_ENOTFOUND: there is none. */
SF_MUSTCHECK
int platform_grant_end(struct sf_db *db, struct sf_arena *a, int64_t user, struct sf_str product,
					   struct sf_str *why);
/* Of one user, or (user 0) all after number `after`. */
SF_MUSTCHECK
int platform_grants(struct sf_db *db, struct sf_arena *a, int64_t user, int64_t after, int64_t limit,
					struct platform_grant **out, size_t *n);

#endif
