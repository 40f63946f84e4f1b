/* services: the list of modules that this binary holds. */
#ifndef SF_SERVICES_SERVICES_H
#define SF_SERVICES_SERVICES_H

#include "core/core.h"

struct sf_service;
struct sf_identity;
struct sf_dbh;
struct sf_db;
struct sf_arena;

extern const struct sf_service platform_service;     /* accounts, products, subscriptions, health */
extern const struct sf_service telegram_service;     /* the bot and its messages */
extern const struct sf_service coocook_service;      /* chef bookings */
extern const struct sf_service mail_service;         /* mails and the outbox of demo mode */
extern const struct sf_service ops_service;          /* jobs as they are followed and steered */
extern const struct sf_service *const sf_services[]; /* all, NULL-terminated */

/* ~ Within the transaction of a change: tells every service that follows the event (events.c). id: of what has changed. */
SF_MUSTCHECK
int services_tell(struct sf_dbh *tx, const char *event, int64_t id);

/* ---- of platform, for the start of a worker (cli/) ---- */

extern const struct sf_identity platform_identity; /* for sf_app_new */
/* ~ Once the tables stand: puts into memory what the workers share of it (revoked tokens). 0 or a database error. */
int platform_start(struct sf_db *db, struct sf_arena *a);
/* ~ Follows what other hosts and the command line revoke, within half a second, and writes down when sign-ins were used; until the
 * coroutine is cancelled. */
void platform_follow(struct sf_db *db);
/* Why /ready of this worker answers 503 although its database is well ("migrations are being applied"); static text, NULL
 * (as at first): no reason. */
void platform_not_ready(const char *why);

#endif
