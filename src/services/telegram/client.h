/* client: what other services may ask of telegram: that a user be told something, if a chat of theirs is linked. */
#ifndef SF_SERVICES_TELEGRAM_CLIENT_H
#define SF_SERVICES_TELEGRAM_CLIENT_H

#include "core/core.h"

struct sf_app;
struct sf_dbh;

/* What is wrong with the settings of telegram, a sentence without its end; NULL: nothing. */
const char *telegram_settings(void);

struct telegram_note {
	int64_t user;
	struct sf_str text;
};
/* ~ Writes a job (telegram.send) in tx, a transaction of `service`, for each whose user has a chat linked, so that the message exists
 * exactly when the change does; two statements whatever n is. Where it goes is looked up again when it is sent. Nothing is
 * written while no TELEGRAM_TOKEN is set. */
SF_MUSTCHECK
int telegram_notify(const struct sf_app *app, struct sf_dbh *tx, const char *service,
					const struct telegram_note *notes, size_t n);
/* ~ Ends the link of a user's chat, in tx, a transaction of `service`, where both have the same database. */
SF_MUSTCHECK
int telegram_forget(const struct sf_app *app, struct sf_dbh *tx, const char *service, int64_t user);

#endif
