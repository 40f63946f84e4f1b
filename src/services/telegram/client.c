/* client: a message as the payload of its job. */
#include "services/telegram/client.h"

#include "core/config.h"
#include "core/json.h"
#include "db/db.h"
#include "jobs/jobs.h"
#include "services/telegram/internal.h"

/* {chat, text} or {user, text} */
static int add(struct sf_dbh *tx, const char *whom, int64_t id, struct sf_str text, struct sf_str trace) {
	struct sf_buf b;
	sf_buf_init(&b, sf_dbh_arena(tx));
	struct sf_json j = sf_json(&b);
	sf_json_obj(&j);
	sf_json_add(&j, SF_KV(whom, id), SF_KV("text", telegram__clip(text)));
	sf_json_obj_end(&j);
	if (b.failed) return SF_ENOMEM;
	const struct sf_job_new job = { .kind = "telegram.send", .payload = sf_buf_view(&b), .trace = trace };
	return sf_job_add(tx, &job, NULL);
}

int telegram__say(struct sf_dbh *tx, int64_t chat, struct sf_str text, struct sf_str trace) {
	return add(tx, "chat", chat, text, trace);
}

int telegram_notify(struct sf_dbh *tx, int64_t user, struct sf_str text) {
	const char *token = sf_config_text("TELEGRAM_TOKEN");
	return token && *token ? add(tx, "user", user, text, SF_STR_NULL) : 0;
}
