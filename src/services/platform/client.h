/* client: what other services may ask of platform. */
#ifndef SF_SERVICES_PLATFORM_CLIENT_H
#define SF_SERVICES_PLATFORM_CLIENT_H

#include "core/core.h"

struct sf_req;

struct platform_user {
	int64_t id;
	struct sf_str email, name, time_zone; /* in the arena of the request or the transaction */
	bool admin, is_active;
};
/* ~ One user. SF_ENOTFOUND: no such user. */
SF_MUSTCHECK
int platform_user(struct sf_req *r, int64_t id, struct platform_user *out);
struct sf_app;
struct sf_dbh;
/* ~ Several in one statement, in the order of ids; whom nobody is found for has id 0. `admin` is not filled. Within tx, a transaction
 * of `service`, where both have the same database: who holds a connection must not wait for another of the same pool. */
SF_MUSTCHECK
int platform_users_of(const struct sf_app *app, struct sf_dbh *tx, const char *service, const int64_t *ids,
					  size_t n, struct platform_user *out);

#endif
