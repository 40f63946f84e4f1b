/* client: what other services may ask of mail: that one be sent.
 *
 * A mail is a job (email.send) written in the caller's transaction, so that it exists exactly when the change does. The
 * names of templates and their fields stand in templates.c. */
#ifndef SF_SERVICES_MAIL_CLIENT_H
#define SF_SERVICES_MAIL_CLIENT_H

#include "core/core.h"
#include "core/log.h"

struct sf_dbh;

struct mail_to {
	struct sf_str email, name; /* name p NULL: none is known */
	struct sf_str time_zone;   /* in which times are written to them; p NULL: SF_ZONE_DEFAULT */
	int64_t user;              /* may follow the job at /api/jobs/{id}; 0: admins only */
};
struct mail {
	const char *template; /* of templates.c (else a bug) */
	const struct mail_to *to;
	size_t nto;               /* one mail each */
	const struct sf_kv *data; /* the template's fields, ends with key NULL; instants are in UTC */
	struct sf_str
		place; /* zone of where it takes place: who is in it needs not be told the zone; p NULL: each is */
	struct sf_str trace; /* traceparent of the request; p NULL: none */
};
/* ~ Writes the jobs in the transaction, one statement whatever nto is. */
SF_MUSTCHECK
int mail_send(struct sf_dbh *tx, const struct mail *m);
/* What is wrong with the settings of mail, a sentence without its end; NULL: nothing. */
const char *mail_settings(void);
/* False for an address that no mail can be sent to: its mail would be given up. */
bool mail_reaches(struct sf_str email);
/* True where mails are kept for an administrator to read, for no mail server is set. */
bool mail_kept(void);
/* ~ The same of n mails together, in one statement; many come as one job that hands them out (batch.c). */
SF_MUSTCHECK
int mail_send_all(struct sf_dbh *tx, const struct mail *m, size_t n);

#endif
