/* client: a message as the payload of its job. */
#include "services/telegram/client.h"

#include "core/config.h"
#include "core/json.h"
#include "db/db.h"
#include "jobs/jobs.h"
#include "services/telegram/internal.h"

/* {chat, text} or {user, text} */
static struct sf_job_new message(struct sf_arena *a, const char *whom, int64_t id, struct sf_str text) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	struct sf_json j = sf_json(&b);
	sf_json_obj(&j);
	sf_json_add(&j, SF_KV(whom, id), SF_KV("text", telegram__clip(text)));
	sf_json_obj_end(&j);
	return (struct sf_job_new) { .kind = "telegram.send", .payload = sf_buf_view(&b) };
}

#define SECRET_MIN 16
/* What stands in a path as it is; Telegram takes the same as the secret of a webhook. */
#define SECRET_OF "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

const char *telegram_settings(void) {
	const char *url = sf_config_text("TELEGRAM_BASE_URL"),
			   *secret = sf_config_text("TELEGRAM_WEBHOOK_SECRET");
	if (!url || (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0))
		return "TELEGRAM_BASE_URL must begin with https:// or http://";
	if (secret && (strlen(secret) < SECRET_MIN || secret[strspn(secret, SECRET_OF)]))
		return "TELEGRAM_WEBHOOK_SECRET must be 16 or more of A-Z, a-z, 0-9, _ and -";
	return NULL;
}

int telegram__say(struct sf_dbh *tx, int64_t chat, struct sf_str text, struct sf_str trace) {
	struct sf_job_new job = message(sf_dbh_arena(tx), "chat", chat, text);
	job.trace = trace;
	return sf_job_add(tx, &job, NULL);
}

static bool linked(const struct sf_rows *links, int64_t user) {
	for (size_t i = 0; i < links->n; i++)
		if (SF_ROW(*links, telegram_q_links_of_users, i)->user_id == user) return true;
	return false;
}

/* tx where it is of telegram's database, else a handle of that. */
static struct sf_dbh *handle(const struct sf_app *app, struct sf_dbh *tx, const char *service) {
	struct sf_db *db = sf_app_db(app, "telegram");
	bool same = db == sf_app_db(app, service);
	return same ? tx : sf_db_auto(db, sf_dbh_arena(tx), SF_READ_PRIMARY, "telegram links");
}

int telegram_notify(const struct sf_app *app, struct sf_dbh *tx, const char *service,
					const struct telegram_note *notes, size_t n) {
	const char *token = sf_config_text("TELEGRAM_TOKEN");
	if (!token || !*token || n == 0) return 0;
	struct sf_arena *a = sf_dbh_arena(tx);
	struct sf_dbh *h = handle(app, tx, service);
	int64_t *users = sf_arena_alloc(a, n * sizeof *users);
	struct sf_job_new *jobs = sf_arena_alloc(a, n * sizeof *jobs);
	struct sf_rows links;
	size_t njobs = 0;
	for (size_t i = 0; i < n; i++) users[i] = notes[i].user;
	int err =
		telegram_q_links_of_users(h, &(struct telegram_q_links_of_users_in) { .ids = { users, n } }, &links);
	if (err) return err;
	for (size_t i = 0; i < n; i++)
		if (linked(&links, notes[i].user)) jobs[njobs++] = message(a, "user", notes[i].user, notes[i].text);
	return njobs ? sf_job_add_many(tx, jobs, njobs, NULL) : 0;
}

int telegram_forget(const struct sf_app *app, struct sf_dbh *tx, const char *service, int64_t user) {
	struct telegram_q_unlink_user_in in = { .user_id = user };
	return telegram_q_unlink_user(handle(app, tx, service), &in, NULL);
}
