/* client: what other services may ask of telegram: that a user be told something, if a chat of theirs is linked. */
#ifndef SF_SERVICES_TELEGRAM_CLIENT_H
#define SF_SERVICES_TELEGRAM_CLIENT_H

#include "core/core.h"

struct sf_dbh;

/* ~ Writes a job (telegram.send) in the caller's transaction, so that the message exists exactly when the change does. The chat
 * is looked up when the job runs; a user without one is not told. Nothing is written while no TELEGRAM_TOKEN is set. */
SF_MUSTCHECK
int telegram_notify(struct sf_dbh *tx, int64_t user, struct sf_str text);

#endif
