/* webhook: updates of the bot. An update is applied in one transaction with its number and the job that answers it, so it has its
 * effect once, however often Telegram sends it. What is not a command in a private chat is taken and left alone: an answer other
 * than 2xx makes Telegram send the update again. */
#include <jansson.h>

#include "core/config.h"
#include "core/hash.h"
#include "core/time.h"
#include "services/platform/client.h"
#include "services/telegram/internal.h"

#define KEPT_USEC   (INT64_C(7) * SF_DAY_USEC) /* numbers of updates; Telegram repeats one for a day */
#define PRUNE_EVERY 64                         /* updates */

/* In a time that says nothing about either text, not even its length. */
static bool secret_fits(struct sf_str given) {
	const char *want = sf_config_text("TELEGRAM_WEBHOOK_SECRET");
	unsigned char a[32], b[32];
	if (!want || !*want) return false;
	sf_sha256(given.p, given.n, a);
	sf_sha256(want, strlen(want), b);
	return sf_equal_ct(a, b, sizeof a);
}

struct message {
	int64_t chat;
	enum telegram__command command;
	struct sf_str argument;
};

/* False: nothing that is answered. Groups are not: what is a user's own is not told to others. */
static bool read_message(const json_t *m, struct message *out) {
	const json_t *chat = json_object_get(m, "chat"), *text = json_object_get(m, "text");
	const char *type = json_string_value(json_object_get(chat, "type"));
	if (!json_is_string(text) || !type || strcmp(type, "private") != 0) return false;
	struct sf_str words = { json_string_value(text), json_string_length(text) };
	*out = (struct message) { .chat = json_integer_value(json_object_get(chat, "id")) };
	out->command = telegram__command(words, &out->argument);
	return out->chat > 0;
}

/* ~ Who is linked to the chat; 0: nobody, or somebody who is locked out. */
static int user_of(struct sf_req *r, int64_t chat, int64_t *user) {
	struct telegram_q_link_of_chat_row link;
	struct platform_user who;
	*user = 0;
	int err = telegram_q_link_of_chat(sf_req_db(r), &(struct telegram_q_link_of_chat_in) { .chat_id = chat },
									  &link);
	if (!err) err = platform_user(r, link.user_id, &who);
	if (err) return err == SF_ENOTFOUND ? 0 : err;
	if (who.is_active) *user = who.id;
	return 0;
}

static int start(struct sf_req *r, struct sf_dbh *tx, const struct message *m, struct sf_str *text) {
	int64_t user = 0;
	if (m->argument.n == 0) return 0; /* what was read stands */
	int err = telegram__link(r, tx, m->chat, m->argument, &user);
	if (err) return err;
	*text =
		user ? SF_STR("This chat is linked to your account. You will be told here about your bookings.\n"
					  "/bookings shows the next ones, /stop ends the link.")
			 : SF_STR(
				   "This code is not valid, or it is over. Ask for a new one on the website: it works once, "
				   "for ten minutes.");
	return 0;
}

static int stop(struct sf_dbh *tx, int64_t chat, struct sf_str *text) {
	int64_t gone = 0;
	int err = telegram_q_unlink_chat(tx, &(struct telegram_q_unlink_chat_in) { .chat_id = chat }, &gone);
	if (err) return err;
	*text = gone ? SF_STR("This chat is no longer linked to an account.")
				 : SF_STR("This chat was not linked to an account.");
	return 0;
}

int telegram_webhook(struct sf_req *r) {
	const struct telegram_update *in = sf_req_body(r);
	struct message m;
	struct sf_str text = SF_STR_NULL;
	struct sf_dbh *tx = NULL;
	int64_t user = 0, fresh = 0;
	if (!secret_fits(sf_path_text(r, "secret"))) return SF_ENOTFOUND;
	bool answered = read_message(in->message, &m);
	int err = answered ? user_of(r, m.chat, &user) : 0;
	if (!err && answered) err = telegram__answer(r, m.command, user, &text);
	if (!err) err = sf_req_begin(r, &tx);
	if (err) return err;
	struct telegram_q_update_take_in take = { .update_id = in->update_id, .received_at = sf_req_now(r) };
	err = telegram_q_update_take(tx, &take, &fresh);
	if (!err && fresh && answered) {
		if (m.command == TELEGRAM__START) err = start(r, tx, &m, &text);
		if (m.command == TELEGRAM__STOP) err = stop(tx, m.chat, &text);
		if (!err) err = telegram__say(tx, m.chat, text, sf_req_traceparent(r));
	}
	if (!err && fresh && in->update_id % PRUNE_EVERY == 0)
		err = telegram_q_update_prune(
			tx, &(struct telegram_q_update_prune_in) { .cutoff = sf_req_now(r) - KEPT_USEC }, NULL);
	if (err) goto out;
	sf_reply(r, 200, sf_kv_bool("ok", true));
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}
