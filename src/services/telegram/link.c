/* link: codes that tie a chat to a user: drawn for who is signed in, used once in the chat, within ten minutes, and until all
 * sign-ins of its user are ended: a thief who was signed out by a new password shall not be told of bookings. */
#include "auth/auth.h"
#include "core/config.h"
#include "core/hash.h"
#include "core/time.h"
#include "services/telegram/internal.h"

#define CODE_BYTES 16
#define CODE_TEXT  22 /* the bytes as base64url: what Telegram lets stand in t.me/<bot>?start=<code> */
#define CODE_USEC  (INT64_C(600) * SF_USEC)

static struct sf_str hash_of(struct sf_arena *a, struct sf_str code) {
	unsigned char digest[32];
	char *hex = sf_arena_alloc(a, 2 * sizeof digest + 1);
	sf_sha256(code.p, code.n, digest);
	sf_hex(digest, sizeof digest, hex);
	return (struct sf_str) { hex, 2 * sizeof digest };
}

/* Whether all of the user's sign-ins of that time were ended since. */
static bool ended(int64_t user, int64_t iat) {
	return iat < sf_token_revoked_before(user);
}

int telegram_link_code(struct sf_req *r) {
	struct sf_arena *a = sf_req_arena(r);
	struct sf_dbh *h = sf_req_db(r);
	unsigned char bytes[CODE_BYTES];
	char *code = sf_arena_alloc(a, CODE_TEXT + 2), at[32];
	struct telegram_q_link_of_user_row link;
	int64_t user = sf_req_caller(r)->user, expires = sf_req_now(r) + CODE_USEC;
	int err = telegram_q_link_of_user(h, &(struct telegram_q_link_of_user_in) { .user_id = user }, &link);
	bool linked = err == 0;
	if (err && err != SF_ENOTFOUND) return err;
	sf_random(bytes, sizeof bytes);
	struct sf_str text = { code, sf_base64url(bytes, sizeof bytes, code) };
	struct telegram_q_code_put_in in = {
		.user_id = user, .code_hash = hash_of(a, text), .iat = sf_req_caller(r)->iat, .expires_at = expires
	};
	err = telegram_q_code_prune(h, &(struct telegram_q_code_prune_in) { .now = sf_req_now(r) }, NULL);
	if (!err) err = telegram_q_code_put(h, &in, NULL);
	if (err) return err;
	const char *bot = sf_config_text("TELEGRAM_BOT");
	struct sf_str url =
		bot ? sf_arena_printf(a, "https://t.me/%s?start=" SF_PRI, bot, SF_ARG(text)) : SF_STR_NULL;
	return sf_reply(r, 201, SF_KV("code", text), SF_KV("command", sf_arena_printf(a, "/start %s", code)),
					sf_kv_time("expires_at", expires, at), SF_KV("url", url), SF_KV("linked", linked));
}

int telegram_link_state(struct sf_req *r) {
	struct telegram_q_link_of_user_in in = { .user_id = sf_req_caller(r)->user };
	struct telegram_q_link_of_user_row link;
	bool configured = sf_config_text("TELEGRAM_TOKEN") && sf_config_text("TELEGRAM_WEBHOOK_SECRET");
	int err = telegram_q_link_of_user(sf_req_db(r), &in, &link);
	if (err && err != SF_ENOTFOUND) return err;
	bool linked = err == 0;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("configured", configured), SF_KV("linked", linked));
	sf_json_key(j, "linked_at");
	sf_json_time_or_null(j, linked ? link.linked_at : 0);
	sf_json_obj_end(j);
	return 0;
}

int telegram_link_end(struct sf_req *r) { /* 404: none is linked */
	int64_t changed = 0;
	struct telegram_q_unlink_user_in in = { .user_id = sf_req_caller(r)->user };
	int err = telegram_q_unlink_user(sf_req_db(r), &in, &changed);
	if (!err && !changed) err = SF_ENOTFOUND;
	return err ? err : sf_reply(r, 200, SF_KV("message", "The chat is unlinked."));
}

int telegram__code_user(struct sf_req *r, struct sf_dbh *h, struct sf_str code, int64_t *user) {
	struct telegram_q_code_user_row row;
	if (code.n != CODE_TEXT) return *user = 0, 0;
	struct telegram_q_code_user_in in = { .code_hash = hash_of(sf_req_arena(r), code), .now = sf_req_now(r) };
	int err = telegram_q_code_user(h, &in, &row);
	if (err && err != SF_ENOTFOUND) return err;
	*user = err || ended(row.user_id, row.iat) ? 0 : row.user_id;
	return 0;
}

/* ~ A user has one chat: the one until now hears that it is that no longer. */
static int tell_former_chat(struct sf_req *r, struct sf_dbh *tx, int64_t user, int64_t chat) {
	struct telegram_q_link_of_user_row link;
	int err = telegram_q_link_of_user(tx, &(struct telegram_q_link_of_user_in) { .user_id = user }, &link);
	if (err) return err == SF_ENOTFOUND ? 0 : err;
	if (link.chat_id == chat) return 0;
	return telegram__say(tx, link.chat_id,
						 SF_STR("Your account is linked to another chat now. This one is no longer linked."),
						 sf_req_traceparent(r));
}

int telegram__link(struct sf_req *r, struct sf_dbh *tx, int64_t chat, struct sf_str code, int64_t *user) {
	struct telegram_q_code_take_row row;
	if (code.n != CODE_TEXT) return *user = 0, 0;
	struct telegram_q_code_take_in take = { .code_hash = hash_of(sf_req_arena(r), code),
											.now = sf_req_now(r) };
	int err = telegram_q_code_take(tx, &take, &row);
	if (err == SF_ENOTFOUND || (!err && ended(row.user_id, row.iat))) return *user = 0, 0;
	if (err) return err;
	err = tell_former_chat(r, tx, row.user_id, chat);
	struct telegram_q_link_clear_in clear = { .user_id = row.user_id, .chat_id = chat };
	if (!err) err = telegram_q_link_clear(tx, &clear, NULL);
	struct telegram_q_link_put_in put = { .user_id = row.user_id,
										  .chat_id = chat,
										  .linked_at = sf_req_now(r) };
	if (!err) err = telegram_q_link_put(tx, &put, NULL);
	if (!err) *user = row.user_id;
	return err;
}
