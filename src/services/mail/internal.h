/* Shared inside services/mail/.
 *
 *   client.c       mail_send: payloads of jobs
 *   batch.c        the job of many mails: hands them out
 *   send.c         the job of one: renders, then sends or keeps
 *     templates.c    what is written (pure)
 *     mime.c         how a message is put on the wire, RFC 5322 and 2045 to 2047 (pure)
 *     smtp.c         handing it to a server, RFC 5321
 *     settings.c     what the settings say of that server
 *     outbox.c       keeping it, and the routes that show what is kept */
#ifndef SF_SERVICES_MAIL_INTERNAL_H
#define SF_SERVICES_MAIL_INTERNAL_H

#include "app/app.h"
#include "auth/auth.h"
#include "core/core.h"

struct json_t;
struct sf_job;
struct sf_json;

/* ---- templates ------------------------------------------------------------------------------------- */

#define MAIL__SECRET "mail seal 1" /* what data of secret templates is encrypted for (sf_secret_encrypt) */
struct mail__template {
	const char *name;
	const char *subject[2]; /* Korean, English */
	const char *body[2];    /* paragraphs, an empty line between them; {field} is replaced */
	const char *facts;      /* fields listed under the body, separated by commas; NULL: none */
	int priority;           /* of its jobs; 0: the kind's */
	bool secret;            /* its data is encrypted in the queue */
};
const struct mail__template *mail__template(struct sf_str name); /* NULL: no such */
struct mail__text {
	struct sf_str subject, text, html;
};
struct mail__reader {
	struct sf_str name;        /* p NULL: without a greeting by name */
	struct sf_str zone, place; /* as sf_zone_text takes them */
};
/* Writes the mail in both languages, Korean first. SF_EINVAL: a field is missing (*why names it). */
SF_MUSTCHECK
int mail__render(struct sf_arena *a, const struct mail__template *t, const struct mail__reader *reader,
				 const struct json_t *data, struct mail__text *out, struct sf_str *why);

/* ---- message --------------------------------------------------------------------------------------- */

struct mail__message {
	struct sf_str from_name, from, to_name, to; /* addresses passed mail__address */
	struct sf_str id;                           /* of Message-ID, without its brackets */
	int64_t date;                               /* instant */
	struct mail__text text;
};
/* True for an address that can stand between < and > in a header and an SMTP command: local@domain in ASCII without spaces and
 * quotes (RFC 5321 §4.1.2, Dot-string). */
bool mail__address(struct sf_str s);
/* "Name <address>" or "address". SF_EINVAL: neither. */
SF_MUSTCHECK
int mail__mailbox(struct sf_arena *a, struct sf_str s, struct sf_str *name, struct sf_str *address);
/* The whole message, lines end with CRLF. What is no header text (CR, LF, control characters) becomes a space. */
void mail__mime(const struct mail__message *m, struct sf_buf *out);

/* ---- sending ----------------------------------------------------------------------------------------- */

enum mail__outcome { MAIL__SENT, MAIL__AGAIN, MAIL__NEVER };
/* What libcurl's code and the server's last reply mean for the mail; offered: its sender was named to the server (pure). */
enum mail__outcome mail__outcome(int curl_code, long reply, bool offered);
/* Whether the connection to the server of that URL must be TLS; choice: SMTP_TLS, NULL as "auto"; ca_file: SMTP_CA_FILE or NULL (pure).
 * SF_EINVAL: they contradict each other, or the URL is none; *why says it, static. */
SF_MUSTCHECK
int mail__tls(const char *url, const char *choice, const char *ca_file, bool *tls, const char **why);
/* ~ Hands the message to the server of the URL. A negative error: cancelled or out of time, the mail may have been taken.
 * Else *out, and *why: the server's last words, or libcurl's, in the arena. */
SF_MUSTCHECK
int mail__smtp(struct sf_arena *a, const char *url, const struct mail__message *m, enum mail__outcome *out,
			   struct sf_str *why);

/* Renders the mail of a payload (pure but for settings); key: names it in Message-ID. SF_EINVAL: it can never be sent;
 * SF_EUNAVAILABLE: not with the settings as they are. *why, p NULL before, says why, in the arena. */
SF_MUSTCHECK
int mail__compose(struct sf_arena *a, const struct json_t *payload, struct sf_str key,
				  struct mail__message *m, const struct mail__template **t, struct sf_str *why);
int mail__run(struct sf_job *j);   /* ~ email.send */
int mail__batch(struct sf_job *j); /* ~ email.batch */

/* ---- outbox ------------------------------------------------------------------------------------------ */

/* ~ Keeps the message within the job's transaction. */
SF_MUSTCHECK
int mail__keep(struct sf_dbh *tx, const char *template, const struct mail__message *m);
/* One message as an object of the array that mail__keep_many takes. */
void mail__kept_json(struct sf_json *w, const char *template, const struct mail__message *m);
/* ~ Keeps them all in the transaction. */
SF_MUSTCHECK
int mail__keep_many(struct sf_dbh *tx, struct sf_str mails);
struct mail_outbox_query {
	struct sf_str to; /* p NULL: all */
};
sf_handler mail__outbox, mail__outbox_one, mail__outbox_html;

#endif
