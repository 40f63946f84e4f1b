/* Shared inside services/telegram/.
 *
 *   client.c   telegram_notify: messages as jobs
 *   send.c     the job that sends one
 *   link.c     codes that tie a chat to a user
 *   webhook.c  updates of the bot
 *     answer.c   what it answers to a command
 *     rules.c    texts and answers (pure) */
#ifndef SF_SERVICES_TELEGRAM_INTERNAL_H
#define SF_SERVICES_TELEGRAM_INTERNAL_H

#include "app/app.h"
#include "core/core.h"
#include "services/telegram/rules.h"
#include "telegram.q.h"

struct json_t;
struct sf_job;

struct telegram_update {
	int64_t update_id;
	const struct json_t *message; /* NULL: an update of another sort */
};

sf_handler telegram_webhook, telegram_link_code, telegram_link_state, telegram_link_end;
int telegram_webhook_gate(struct sf_req *r); /* SF_ENOTFOUND: the path does not hold the webhook's secret */
int telegram__send(struct sf_job *j);        /* ~ telegram.send */

/* ~ Adds a message to a chat in the transaction; trace: traceparent, p NULL: none. */
SF_MUSTCHECK
int telegram__say(struct sf_dbh *tx, int64_t chat, struct sf_str text, struct sf_str trace);
/* ~ Who got that code; 0: there is no such code (any more). Uses nothing up. */
SF_MUSTCHECK
int telegram__code_user(struct sf_req *r, struct sf_dbh *h, struct sf_str code, int64_t *user);
/* ~ Links the chat to whoever got that code, which is used up; *user is 0 when there is no such code (any more). The user's
 * chat until now, another one, is told that its link has ended. */
SF_MUSTCHECK
int telegram__link(struct sf_req *r, struct sf_dbh *tx, int64_t chat, struct sf_str code, int64_t *user);
/* ~ The answer to a command that only reads; user 0: the chat is not linked. In the request's arena. */
SF_MUSTCHECK
int telegram__answer(struct sf_req *r, enum telegram__command command, int64_t user, struct sf_str *text);

#endif
