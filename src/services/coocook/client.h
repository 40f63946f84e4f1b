/* client: what other services may ask of CooCook. */
#ifndef SF_SERVICES_COOCOOK_CLIENT_H
#define SF_SERVICES_COOCOOK_CLIENT_H

#include "core/core.h"

struct sf_req;

struct coocook_next {
	int64_t id, starts_at /* instant */, hours;
	struct sf_str chef, status,
		time_zone; /* in the request's arena; chef p NULL: the name is not confirmed (platform/client.h); time_zone: of where it
					* takes place */
};
/* ~ A guest's bookings that are not over and not cancelled, the soonest first: at most `most`, *n of them. */
SF_MUSTCHECK
int coocook_next_bookings(struct sf_req *r, int64_t user, struct coocook_next *out, size_t most, size_t *n);

#endif
