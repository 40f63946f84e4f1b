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

#define PLATFORM_CODE_USEC SF_DAY_USEC /* life of a code that confirms an address */

#define PLATFORM_KNOWN_USEC                                                                                  \
	(INT64_C(180) * SF_DAY_USEC)       /* how long an account knows a client that it has not seen */
#define PLATFORM_SEEN_USEC SF_DAY_USEC /* after which it is noted again that it was seen */
#define PLATFORM_KNOWN_MAX 20          /* clients that an account knows */

/* A budget: `most` pieces at once, one more each `each` µs. What is on record of it is when it will be whole again, µs since 1970. */
struct platform_budget {
	int64_t most, each;
};
#define PLATFORM_MINUTES(n) ((n)*INT64_C(60) * SF_USEC)
#define PLATFORM_STRANGERS                                                                                   \
	{ .most = 100, .each = PLATFORM_MINUTES(2) } /* failed sign-ins with one name by unknown clients */
#define PLATFORM_OTP_CLIENT                                                                                  \
	{ .most = 5, .each = PLATFORM_MINUTES(300) } /* codes to one address asked for by one client */
#define PLATFORM_OTP_ADDRESS                                                                                 \
	{ .most = 10, .each = PLATFORM_MINUTES(240) } /* codes to one address */
#define PLATFORM_OTP_KNOWN                                                                                   \
	{ .most = 3, .each = PLATFORM_MINUTES(480) } /* further ones for clients that the account knows */
#define PLATFORM_CODES                                                                                       \
	{ .most = 5, .each = PLATFORM_MINUTES(300) } /* codes that confirm an account's address */

/* A code that confirms an address, as it was drawn, from how it was typed: no spaces and dashes, capitals, O and I read as digits. In
 * the arena. */
struct sf_str platform_code(struct sf_arena *a, struct sf_str typed);
/* Where a budget that has a piece left is whole again at the latest. */
int64_t platform_budget_limit(const struct platform_budget *b, int64_t now);
/* How long until there is a piece, µs; 0: there is one. */
int64_t platform_budget_wait(const struct platform_budget *b, int64_t whole_at, int64_t now);
/* Lower case as emails are stored and compared; ASCII only, the rest stays. In the arena. */
struct sf_str platform_email(struct sf_arena *a, struct sf_str email);
struct sf_str platform_local(struct sf_str email); /* what stands before its @ */
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
