/* send: the job that sends a message.
 *
 * The Bot API has no key that makes sending twice the same as sending once. A message whose answer was lost on the way is sent
 * again, and the chat then shows it twice; nothing is lost. */
#include <jansson.h>
#include <string.h>

#include "core/config.h"
#include "core/json.h"
#include "jobs/jobs.h"
#include "services/platform/client.h"
#include "services/telegram/internal.h"

#define ANSWER_MAX (64 << 10)
#define TIMEOUT_MS 20000

static struct sf_dbh *db_of(struct sf_job *j) {
	return sf_db_auto(sf_app_db(sf_job_context(j), "telegram"), sf_job_arena(j), SF_READ_PRIMARY,
					  "telegram job");
}

/* ~ The chat that a job is for; 0: the user has none, or is not active any more. */
static int chat_of(struct sf_job *j, int64_t *chat) {
	const json_t *payload = sf_job_payload(j), *user = json_object_get(payload, "user");
	*chat = json_integer_value(json_object_get(payload, "chat"));
	if (!user) return 0;
	struct telegram_q_link_of_user_row row;
	struct telegram_q_link_of_user_in in = { .user_id = json_integer_value(user) };
	struct platform_user who;
	int err = telegram_q_link_of_user(db_of(j), &in, &row);
	if (err) return err == SF_ENOTFOUND ? 0 : err;
	err = platform_users_of(sf_job_context(j), db_of(j), "telegram", &in.user_id, 1, &who);
	if (!err && who.id && who.is_active) *chat = row.chat_id;
	return err;
}

static struct sf_str message_body(struct sf_arena *a, int64_t chat, struct sf_str text) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	struct sf_json j = sf_json(&b);
	sf_json_obj(&j);
	sf_json_add(&j, SF_KV("chat_id", chat), SF_KV("text", telegram__clip(text)),
				sf_kv_bool("disable_web_page_preview", true));
	sf_json_obj_end(&j);
	return sf_buf_view(&b);
}

struct answer {
	int status;
	bool ok;
	int64_t retry_after_ms, message_id;
	const char *description; /* of an error; Telegram's words */
};

/* The client's words, which name the host, unless they hold what nobody may read. */
static struct sf_str without_token(struct sf_str why, int err) {
	const char *token = sf_config_text("TELEGRAM_TOKEN");
	bool fit = why.p && !memmem(why.p, why.n, token, strlen(token));
	return fit ? why : sf_str(sf_err_text(err));
}

/* ~ Asks the Bot API once. Its address holds the token, so its path goes into no error. */
static int ask(struct sf_job *j, struct sf_str body, struct answer *out) {
	static const struct sf_http_header json_type = { SF_STR("Content-Type"), SF_STR("application/json") };
	struct sf_arena *a = sf_job_arena(j);
	const struct sf_fetch in = {
		.method = SF_POST,
		.url = sf_arena_printf(a, "%s/bot%s/sendMessage", sf_config_text("TELEGRAM_BASE_URL"),
							   sf_config_text("TELEGRAM_TOKEN")),
		.headers = &json_type,
		.nheaders = 1,
		.body = body,
		.trace = sf_job_trace(j),
		.timeout_ms = TIMEOUT_MS,
		.body_max = ANSWER_MAX,
	};
	struct sf_fetched got;
	struct sf_str why = SF_STR_NULL;
	json_t *said = NULL;
	int err = sf_fetch(sf_app_client(sf_job_context(j)), &in, a, &got, &why);
	if (err == SF_ECANCELED) return err;
	if (err == SF_EINVAL)
		return sf_job_give_up(j, "TELEGRAM_BASE_URL and TELEGRAM_TOKEN do not make an address");
	if (err)
		return sf_job_fail(j, err, "the Bot API did not answer: " SF_PRI, SF_ARG(without_token(why, err)));
	if (sf_json_parse(a, got.body, &said, &why) != 0) said = NULL;
	const json_t *parameters = json_object_get(said, "parameters");
	const char *words = json_string_value(json_object_get(said, "description"));
	int64_t seconds = json_integer_value(json_object_get(parameters, "retry_after"));
	*out = (struct answer) {
		.status = got.status,
		.ok = json_is_true(json_object_get(said, "ok")),
		.retry_after_ms = seconds > 0 && seconds < 86400 ? seconds * 1000 : got.retry_after_ms,
		.message_id = json_integer_value(json_object_get(json_object_get(said, "result"), "message_id")),
		.description = words ? words : "no description",
	};
	return 0;
}

int telegram__send(struct sf_job *j) {
	const json_t *text = json_object_get(sf_job_payload(j), "text");
	const char *token = sf_config_text("TELEGRAM_TOKEN");
	struct answer said = { 0 };
	int64_t chat = 0, ms = 0;
	int err = chat_of(j, &chat);
	if (err) return err;
	if (chat == 0) return sf_job_result(j, SF_STR("{\"sent\":false}")), 0;
	if (!json_is_string(text) || json_string_length(text) == 0)
		return sf_job_give_up(j, "the payload needs a text");
	if (!token || !*token) return sf_job_give_up(j, "TELEGRAM_TOKEN is not set");
	struct sf_str words = { json_string_value(text), json_string_length(text) };
	err = ask(j, message_body(sf_job_arena(j), chat, words), &said);
	if (err) return err;
	switch (telegram__outcome(said.status, said.ok, said.retry_after_ms, &ms)) {
	case TELEGRAM__SENT:
		sf_job_result(j, sf_arena_printf(sf_job_arena(j), "{\"sent\":true,\"message_id\":%lld}",
										 (long long)said.message_id));
		return 0;
	case TELEGRAM__LATER: return sf_job_later(j, ms, "the Bot API asks to wait for %lld ms", (long long)ms);
	case TELEGRAM__GONE:
		err = telegram_q_unlink_chat(db_of(j), &(struct telegram_q_unlink_chat_in) { .chat_id = chat }, NULL);
		if (err) return err;
		return sf_job_give_up(j, "the chat takes no messages, its link is ended: %s", said.description);
	case TELEGRAM__NEVER: return sf_job_give_up(j, "refused with %d: %s", said.status, said.description);
	case TELEGRAM__AGAIN: break;
	}
	return sf_job_fail(j, SF_EUNAVAILABLE, "the Bot API answered %d: %s", said.status, said.description);
}
