/* What the files of auth/ share. */
#ifndef SF_AUTH_INTERNAL_H
#define SF_AUTH_INTERNAL_H

#include "auth/auth.h"

/* revoke.c: whether the token is revoked, by its jti or its user. Never suspends, takes no lock. */
bool sf_auth__revoked(int64_t user, int64_t iat, const char *jti);

/* limit.c: sf_limit_take at a given time, ms of the wall clock. */
void sf_auth__limit_at(const char *cls, struct sf_str key, int64_t limit, int64_t window_ms, int64_t now_ms,
					   struct sf_limit_result *out);

/* werkzeug.c: checks a hash of the Flask platform, on the calling thread. 0 right, SF_EAUTH wrong or unreadable. */
int sf_auth__werkzeug_check(struct sf_str password, struct sf_str hash);

#endif
