/* rules: the pure part of accounts: no I/O, no clock. */
#ifndef SF_SERVICES_PLATFORM_RULES_H
#define SF_SERVICES_PLATFORM_RULES_H

#include "core/core.h"
#include "core/time.h"

#define PLATFORM_ACCESS_S     3600                         /* life of an access token */
#define PLATFORM_REFRESH_S    (INT64_C(30) * 86400)        /* of a refresh token */
#define PLATFORM_GRACE_USEC   (INT64_C(10) * SF_USEC)      /* that a used refresh token is answered */
#define PLATFORM_SESSION_S    (INT64_C(30) * 86400)        /* of a browser session */
#define PLATFORM_FAILURES_MAX 10                           /* failed logins that lock */
#define PLATFORM_LOCK_USEC    (INT64_C(15) * 60 * SF_USEC) /* the window, and how long the lock lasts */

#define PLATFORM_OTP_USEC       (INT64_C(10) * 60 * SF_USEC) /* life of a one-time code */
#define PLATFORM_OTP_PAUSE_USEC (INT64_C(60) * SF_USEC)      /* between two codes for one address */
#define PLATFORM_OTP_TRIES      5
#define PLATFORM_OTP_A_DAY      10 /* codes for one address and purpose, so 50 guesses */

/* Lower case as emails are stored and compared; ASCII only, the rest stays. In the arena. */
struct sf_str platform_email(struct sf_arena *a, struct sf_str email);
/* %text% as a LIKE pattern with '\' as escape: wildcards in the text are taken as text. In the arena. */
struct sf_str platform_like(struct sf_arena *a, struct sf_str text);
/* What a User-Agent header says of a device, for people: "Firefox on Windows", "curl"; empty: nothing that can be shown. In the
 * arena, at most PLATFORM_DEVICE_MAX bytes of ASCII. */
#define PLATFORM_DEVICE_MAX 60
struct sf_str platform_device(struct sf_arena *a, struct sf_str user_agent);
/* The second a new token is issued at: not before those that were revoked, so that it is not one of them. */
int64_t platform_issued_at(int64_t now_usec, int64_t tokens_from);
/* The second from which tokens count after a revocation now: all issued up to this second are out, and the newest one, `last_iat`,
 * also when the clock of the host that issued it is ahead of ours. */
int64_t platform_revoke_from(int64_t now_usec, int64_t tokens_from, int64_t last_iat);

#endif
