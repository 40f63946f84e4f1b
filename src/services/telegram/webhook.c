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

int telegram_webhook_gate(struct sf_req *r) {
	return secret_fits(sf_path_text(r, "secret")) ? 0 : SF_ENOTFOUND;
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

/* ~ Who is linked to the chat, whether or not the account is active; 0: nobody. */
static int linked_to(struct sf_dbh *h, int64_t chat, int64_t *user) {
	struct telegram_q_link_of_chat_row link;
	int err = telegram_q_link_of_chat(h, &(struct telegram_q_link_of_chat_in) { .chat_id = chat }, &link);
	if (err && err != SF_ENOTFOUND) return err;
	*user = err ? 0 : link.user_id;
	return 0;
}

/* ~ An account; id 0: there is no such, or it is not active. */
static int active(struct sf_req *r, int64_t id, struct platform_user *out) {
	*out = (struct platform_user) { 0 };
	int err = id ? platform_user(r, id, out) : 0;
	if (err && err != SF_ENOTFOUND) return err;
	if (err || !out->is_active) *out = (struct platform_user) { 0 };
	return 0;
}

/* What was read before the transaction began. */
struct sides {
	int64_t linked;              /* user of the chat's link, 0: none */
	struct platform_user holder; /* the same, while the account is active; else id 0 */
	struct platform_user asker;  /* whose code was sent; id 0: nobody's */
};

static int read_sides(struct sf_req *r, const struct message *m, struct sides *out) {
	int64_t asker = 0;
	*out = (struct sides) { 0 };
	int err = linked_to(sf_req_db(r), m->chat, &out->linked);
	if (!err) err = active(r, out->linked, &out->holder);
	if (!err && m->argument.n && (m->command == TELEGRAM__START || m->command == TELEGRAM__SWITCH))
		err = telegram__code_user(r, sf_req_db(r), m->argument, &asker);
	return err ? err : active(r, asker, &out->asker);
}

static struct sf_str account(struct sf_req *r, const struct platform_user *u) {
	struct sf_arena *a = sf_req_arena(r);
	struct sf_str name = u->confirmed ? sf_arena_name(a, u->name) : SF_STR("(name not confirmed)");
	return sf_arena_printf(a, SF_PRI " (" SF_PRI ")", SF_ARG(name), SF_ARG(u->email));
}

static struct sf_str ask_to_switch(struct sf_req *r, const struct message *m, const struct sides *s) {
	struct sf_str from = account(r, &s->holder), to = account(r, &s->asker);
	return sf_arena_printf(sf_req_arena(r),
						   "This chat is linked to the account of " SF_PRI ". Nothing has changed.\n"
						   "To link it to the account of " SF_PRI " instead, send\n/switch " SF_PRI,
						   SF_ARG(from), SF_ARG(to), SF_ARG(m->argument));
}

/* Links the chat. A chat that is linked to another account is asked first, by name: whoever sends a code may have been given it by
 * somebody else. */
static int start(struct sf_req *r, struct sf_dbh *tx, const struct message *m, const struct sides *s,
				 struct sf_str *text) {
	int64_t linked = 0, user = 0;
	if (m->argument.n == 0) return 0; /* the text for who sends no code stands */
	int err = linked_to(tx, m->chat, &linked);
	if (!err && linked != s->linked) err = SF_EUNAVAILABLE; /* changed meanwhile: Telegram sends it again */
	if (err) return err;
	if (m->command == TELEGRAM__START && s->holder.id && s->asker.id && s->holder.id != s->asker.id)
		return *text = ask_to_switch(r, m, s), 0;
	if (s->asker.id) err = telegram__link(r, tx, m->chat, m->argument, &user);
	if (!err && user && user != s->asker.id) err = SF_EUNAVAILABLE;
	if (err) return err;
	if (user) {
		struct sf_str name = account(r, &s->asker);
		*text = sf_arena_printf(sf_req_arena(r),
								"This chat is linked to your account, " SF_PRI
								". You will be told here about your bookings.\n"
								"/bookings shows the next ones, /stop ends the link.",
								SF_ARG(name));
	} else {
		*text =
			SF_STR("This code is not valid, or it is over. Ask for a new one on the website: it works once, "
				   "for ten minutes.");
	}
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
	struct sides sides = { 0 };
	int64_t fresh = 0;
	bool answered = read_message(in->message, &m);
	int err = answered ? read_sides(r, &m, &sides) : 0;
	if (!err && answered) err = telegram__answer(r, m.command, sides.holder.id, &text);
	if (!err) err = sf_req_begin(r, &tx);
	if (err) return err;
	struct telegram_q_update_take_in take = { .update_id = in->update_id, .received_at = sf_req_now(r) };
	err = telegram_q_update_take(tx, &take, &fresh);
	if (!err && fresh && answered) {
		if (m.command == TELEGRAM__START || m.command == TELEGRAM__SWITCH)
			err = start(r, tx, &m, &sides, &text);
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
