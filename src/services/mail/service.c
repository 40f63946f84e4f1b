/* service: the rows of mail: its jobs, and the outbox of demo mode. */
#include "jobs/jobs.h"
#include "services/mail/internal.h"
#include "services/services.h"

static const struct sf_field outbox_in[] = {
	SF_IN(struct mail_outbox_query, to, SF_F_TEXT, .min = 1, .max = 254,
		  .help = "only mails to this address"),
	{ 0 },
};
#define MAIL_FIELDS                                                                                          \
	SF_OUT(id, SF_F_INT, .required = true), SF_OUT(to, SF_F_EMAIL, .required = true),                        \
		SF_OUT(template, SF_F_TEXT, .required = true), SF_OUT(subject, SF_F_TEXT, .required = true),         \
		SF_OUT(created_at, SF_F_TIME, .required = true)
static const struct sf_field listed_out[] = { MAIL_FIELDS, { 0 } };
static const struct sf_field one_out[] = {
	MAIL_FIELDS,
	SF_OUT(from, SF_F_EMAIL, .required = true),
	SF_OUT(text, SF_F_TEXT, .required = true),
	SF_OUT(html, SF_F_TEXT, .required = true),
	SF_OUT(message_id, SF_F_TEXT, .required = true),
	{ 0 },
};

static const struct sf_route routes[] = {
	{ SF_GET, "/api/ops/outbox", mail__outbox, .auth = SF_ADMIN, .rate = SF_RATE_API, .query = outbox_in,
	  .query_size = sizeof(struct mail_outbox_query), .page_of = "mails", .per_page = 50, .reply = listed_out,
	  .summary = "Mails that were kept because no mail server is set, newest first" },
	{ SF_GET, "/api/ops/outbox/{id}", mail__outbox_one, .auth = SF_ADMIN, .rate = SF_RATE_API,
	  .reply = one_out, .errors = { SF_ENOTFOUND }, .summary = "One of them, as text and HTML" },
	{ SF_GET, "/api/ops/outbox/{id}/html", mail__outbox_html, .auth = SF_ADMIN, .rate = SF_RATE_API,
	  .produces = "text/html", .errors = { SF_ENOTFOUND },
	  .summary = "Its HTML as a page of its own, without scripts, for a frame" },
	{ 0 },
};

/* A server that is down is asked for about ten hours; what is dead can be tried again from there. */
static const struct sf_job_kind jobs[] = {
	{ .kind = "email.send",
	  .run = mail__run,
	  .queue = "mail",
	  .priority = SF_JOB_PRIORITY,
	  .timeout_ms = 60000,
	  .max_attempts = 30,
	  .backoff_ms = 1000,
	  .backoff_max_ms = 3600000,
	  .summary = "Send one mail" },
	{ .kind = "email.batch",
	  .run = mail__batch,
	  .queue = "mail",
	  .priority = SF_JOB_PRIORITY,
	  .timeout_ms = 60000,
	  .max_attempts = 30,
	  .backoff_ms = 1000,
	  .summary = "Hand out mails that were asked for together" },
	{ 0 },
};

const struct sf_service mail_service = {
	.name = "mail",
	.title = "Mail: what is sent to people",
	.routes = routes,
	.tags = (const char *const[]) { NULL },
	.jobs = jobs,
};
