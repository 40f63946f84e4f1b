/* service: the rows of telegram: the bot's webhook, codes that link a chat, and the jobs that send. */
#include "jobs/jobs.h"
#include "services/services.h"
#include "services/telegram/internal.h"

static const struct sf_field update_in[] = {
	SF_IN(struct telegram_update, update_id, SF_F_INT, .required = true, .min = 0, .max = INT64_MAX),
	SF_IN(struct telegram_update, message, SF_F_JSON,
		  .help = "an update of another sort is taken and left alone"),
	{ 0 },
};
static const struct sf_field update_out[] = { SF_OUT(ok, SF_F_BOOL, .required = true), { 0 } };
static const struct sf_field link_out[] = {
	SF_OUT(code, SF_F_TEXT, .required = true, .help = "works once, for ten minutes; a new one ends it"),
	SF_OUT(command, SF_F_TEXT, .required = true, .help = "what to send to the bot"),
	SF_OUT(expires_at, SF_F_TIME, .required = true),
	SF_OUT(url, SF_F_TEXT, .nullable = true, .required = true,
		   .help = "sends it, opened on a device with Telegram; null when TELEGRAM_BOT is not set"),
	SF_OUT(linked, SF_F_BOOL, .required = true, .help = "whether a chat is linked now"),
	{ 0 },
};
static const struct sf_field state_out[] = {
	SF_OUT(configured, SF_F_BOOL, .required = true, .help = "whether this platform has a bot"),
	SF_OUT(linked, SF_F_BOOL, .required = true),
	SF_OUT(linked_at, SF_F_TIME, .required = true, .nullable = true),
	{ 0 },
};
static const struct sf_field ended_out[] = { SF_OUT(message, SF_F_TEXT, .required = true), { 0 } };

static const struct sf_route routes[] = {
	{ SF_POST, "/api/telegram/webhook/{secret:text}", telegram_webhook, .auth = SF_PUBLIC,
	  .rate = SF_RATE_HOOK, .tolerant = true, .body = update_in, .body_size = sizeof(struct telegram_update),
	  .reply = update_out, .errors = { SF_ENOTFOUND }, .secret_path = true, .gate = telegram_webhook_gate,
	  .body_max = 64 << 10, .summary = "Updates of the Telegram bot, each applied once" },
	{ SF_GET, "/api/telegram/link", telegram_link_state, .auth = SF_USER, .rate = SF_RATE_API,
	  .reply = state_out, .summary = "Whether there is a bot, and whether a chat is linked to the caller" },
	{ SF_POST, "/api/telegram/link", telegram_link_code, .auth = SF_USER, .rate = SF_RATE_WRITE,
	  .reply = link_out, .status = 201, .summary = "Make a code that links a Telegram chat to the caller" },
	{ SF_DELETE, "/api/telegram/link", telegram_link_end, .auth = SF_USER, .rate = SF_RATE_WRITE,
	  .reply = ended_out, .errors = { SF_ENOTFOUND }, .summary = "Unlink the caller's chat" },
	{ 0 },
};

/* Below what Telegram lets a bot send, 30 messages a second. */
static const struct sf_job_kind jobs[] = {
	{ .kind = "telegram.send",
	  .run = telegram__send,
	  .queue = "telegram",
	  .priority = SF_JOB_PRIORITY,
	  .timeout_ms = 30000,
	  .max_attempts = 20,
	  .backoff_ms = 1000,
	  .backoff_max_ms = 1800000,
	  .max_per_s = 25,
	  .summary = "Send one Telegram message" },
	{ 0 },
};

const struct sf_service telegram_service = {
	.name = "telegram",
	.title = "Telegram: the bot and its messages",
	.routes = routes,
	.tags = (const char *const[]) { NULL },
	.jobs = jobs,
};
