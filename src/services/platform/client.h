/* client: what other services may ask of platform. */
#ifndef SF_SERVICES_PLATFORM_CLIENT_H
#define SF_SERVICES_PLATFORM_CLIENT_H

#include "core/core.h"

struct sf_req;

struct platform_user {
	int64_t id;
	struct sf_str email, name; /* in the request's arena */
	bool admin, is_active;
};
/* ~ One user. SF_ENOTFOUND: no such user. */
SF_MUSTCHECK
int platform_user(struct sf_req *r, int64_t id, struct platform_user *out);

#endif
