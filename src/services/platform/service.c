/* service: the rows of the platform itself: accounts, products, users, health. */
#include "services/platform/internal.h"
#include "services/services.h"

#define TOKEN_MAX 4096
#define LANGUAGES "ko|en"

/* ---- inputs ------------------------------------------------------------------------------------------- */

const struct sf_field platform__register_fields[] = {
	SF_IN(struct platform_register_body, email, SF_F_EMAIL, .required = true, .max = 254,
		  .example = "\"kim@example.com\""),
	SF_IN(struct platform_register_body, password, SF_F_TEXT, .required = true, .keep_space = true, .min = 8,
		  .max = 128, .example = "\"a long sentence\""),
	SF_IN(struct platform_register_body, name, SF_F_TEXT, .required = true, .min = 1, .max = 100,
		  .example = "\"김철수\""),
	{ 0 },
};
/* A password that is set has one line. One that is compared may be older than that rule. */
static const struct sf_field login_in[] = {
	SF_IN(struct platform_login_body, email, SF_F_TEXT, .required = true, .min = 1, .max = 254,
		  .example = "\"demo@softfactory.com\""),
	SF_IN(struct platform_login_body, password, SF_F_TEXT, .required = true, .keep_space = true,
		  .multiline = true, .min = 1, .max = 128, .example = "\"demo123\""),
	{ 0 },
};
static const struct sf_field email_in[] = {
	SF_IN(struct platform_email_body, email, SF_F_EMAIL, .required = true, .max = 254,
		  .example = "\"kim@example.com\""),
	{ 0 },
};
#define OTP_FIELDS                                                                                           \
	SF_IN(struct platform_otp_body, email, SF_F_EMAIL, .required = true, .max = 254,                         \
		  .example = "\"kim@example.com\""),                                                                 \
		SF_IN(struct platform_otp_body, otp, SF_F_TEXT, .required = true, .min = 6, .max = 6,                \
			  .example = "\"012345\"", .help = "the code that was mailed"),                                  \
		SF_IN(struct platform_otp_body, password, SF_F_TEXT, .required = true, .keep_space = true, .min = 8, \
			  .max = 128, .example = "\"a long sentence\""),                                                 \
		SF_IN(struct platform_otp_body, password_confirm, SF_F_TEXT, .required = true, .keep_space = true,   \
			  .min = 8, .max = 128, .example = "\"a long sentence\"")
static const struct sf_field otp_in[] = { OTP_FIELDS, { 0 } };
static const struct sf_field verify_in[] = {
	OTP_FIELDS,
	SF_IN(struct platform_otp_body, name, SF_F_TEXT, .min = 1, .max = 100, .example = "\"김철수\"",
		  .help = "without it, what stands before the @"),
	{ 0 },
};
static const struct sf_field code_in[] = {
	SF_IN(struct platform_code_body, code, SF_F_TEXT, .required = true, .min = 8, .max = 20,
		  .example = "\"7XKQ-2M4D\"", .help = "the code that was mailed, with or without its dash"),
	{ 0 },
};
static const struct sf_field refresh_in[] = {
	SF_IN(struct platform_refresh_body, refresh_token, SF_F_TEXT, .required = true, .min = 1,
		  .max = TOKEN_MAX),
	{ 0 },
};
static const struct sf_field profile_in[] = {
	SF_IN(struct platform_profile_body, name, SF_F_TEXT, .min = 1, .max = 100),
	SF_IN(struct platform_profile_body, time_zone, SF_F_ZONE,
		  .help = "an IANA name: times without offset are read in it, and times are shown in it"),
	SF_IN(struct platform_profile_body, language, SF_F_ENUM, .choices = LANGUAGES),
	SF_IN(struct platform_profile_body, password, SF_F_TEXT, .keep_space = true, .min = 8, .max = 128,
		  .help = "a new password; revokes every token and session"),
	SF_IN(struct platform_profile_body, current_password, SF_F_TEXT, .keep_space = true, .multiline = true,
		  .min = 1, .max = 128, .help = "needed with password"),
	{ 0 },
};
static const struct sf_field users_in[] = {
	SF_IN(struct platform_users_query, q, SF_F_TEXT, .max = 100, .help = "part of email or name"),
	{ 0 },
};
static const struct sf_field user_change_in[] = {
	SF_IN(struct platform_user_change_body, role, SF_F_ENUM, .choices = "user|admin"),
	SF_IN(struct platform_user_change_body, is_active, SF_F_BOOL),
	{ 0 },
};
#define BODY(fields, type)  .body = (fields), .body_size = sizeof(struct type)
#define QUERY(fields, type) .query = (fields), .query_size = sizeof(struct type)

/* ---- replies ------------------------------------------------------------------------------------------ */

#define USER_FIELDS                                                                                          \
	SF_OUT(id, SF_F_INT, .required = true), SF_OUT(email, SF_F_EMAIL, .required = true),                     \
		SF_OUT(name, SF_F_TEXT, .required = true),                                                           \
		SF_OUT(role, SF_F_ENUM, .required = true, .choices = "user|admin"),                                  \
		SF_OUT(is_active, SF_F_BOOL, .required = true),                                                      \
		SF_OUT(email_confirmed, SF_F_BOOL, .required = true,                                                 \
			   .help =                                                                                       \
				   "mail to the address reaches its owner; until then what the account writes is mailed "    \
				   "to nobody"),                                                                             \
		SF_OUT(time_zone, SF_F_ZONE, .required = true),                                                      \
		SF_OUT(language, SF_F_ENUM, .required = true, .nullable = true, .choices = LANGUAGES,                \
			   .help = "null until one is chosen"),                                                          \
		SF_OUT(created_at, SF_F_TIME, .required = true)
#define PRODUCT_FIELDS                                                                                       \
	SF_OUT(id, SF_F_INT, .required = true), SF_OUT(name, SF_F_TEXT, .required = true),                       \
		SF_OUT(slug, SF_F_TEXT, .required = true),                                                           \
		SF_OUT(description, SF_F_TEXT, .required = true, .nullable = true),                                  \
		SF_OUT(icon, SF_F_TEXT, .required = true, .nullable = true),                                         \
		SF_OUT(monthly_price, SF_F_INT, .required = true), SF_OUT(annual_price, SF_F_INT, .required = true), \
		SF_OUT(currency, SF_F_TEXT, .required = true), SF_OUT(is_active, SF_F_BOOL, .required = true)

static const struct sf_field user_out[] = { USER_FIELDS, { 0 } };
static const struct sf_field listed_user_out[] = { USER_FIELDS,
												   SF_OUT(active_subscriptions, SF_F_INT, .required = true),
												   { 0 } };
static const struct sf_field profile_out[] = {
	USER_FIELDS,
	SF_OUT(access_token, SF_F_TEXT, .help = "after a change of password: the old tokens are revoked"),
	SF_OUT(refresh_token, SF_F_TEXT),
	SF_OUT(expires_in, SF_F_INT),
	{ 0 },
};
static const struct sf_field pair_out[] = {
	SF_OUT(access_token, SF_F_TEXT, .required = true),
	SF_OUT(refresh_token, SF_F_TEXT, .required = true),
	SF_OUT(expires_in, SF_F_INT, .required = true, .help = "seconds that the access token lives"),
	SF_OUT(user, SF_F_OBJECT, .required = true, .sub = user_out),
	{ 0 },
};
static const struct sf_field session_out[] = {
	SF_OUT(user, SF_F_OBJECT, .required = true, .nullable = true, .sub = user_out,
		   .help = "null: nobody is signed in"),
	{ 0 },
};
static const struct sf_field signed_in_out[] = {
	SF_OUT(id, SF_F_TEXT, .required = true, .help = "opaque"),
	SF_OUT(device, SF_F_TEXT, .required = true,
		   .help = "what its client called itself, shortened; may be empty"),
	SF_OUT(address, SF_F_TEXT, .required = true, .help = "from where it was used last; may be empty"),
	SF_OUT(created_at, SF_F_TIME, .required = true),
	SF_OUT(last_used_at, SF_F_TIME, .required = true, .help = "to a minute"),
	SF_OUT(current, SF_F_BOOL, .required = true, .help = "this request came with it"),
	{ 0 },
};
static const struct sf_field message_out[] = { SF_OUT(message, SF_F_TEXT, .required = true), { 0 } };
static const struct sf_field queued_out[] = {
	SF_OUT(status, SF_F_TEXT, .required = true),
	SF_OUT(message, SF_F_TEXT, .required = true),
	SF_OUT(outbox, SF_F_BOOL, .required = true,
		   .help = "no mail server is set: an administrator finds the mail at /ops/outbox"),
	{ 0 },
};
static const struct sf_field product_out[] = { PRODUCT_FIELDS, { 0 } };
static const struct sf_field subscription_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(product_id, SF_F_INT, .required = true),
	SF_OUT(product_name, SF_F_TEXT, .required = true),
	SF_OUT(product_slug, SF_F_TEXT, .required = true),
	SF_OUT(plan_type, SF_F_ENUM, .required = true, .choices = "monthly|annual"),
	SF_OUT(status, SF_F_ENUM, .required = true, .choices = "active|canceled|past_due"),
	SF_OUT(current_period_start, SF_F_TIME, .required = true, .nullable = true),
	SF_OUT(current_period_end, SF_F_TIME, .required = true, .nullable = true),
	SF_OUT(created_at, SF_F_TIME, .required = true),
	{ 0 },
};
static const struct sf_field dashboard_product_out[] = {
	PRODUCT_FIELDS,
	SF_OUT(subscribed, SF_F_BOOL, .required = true),
	SF_OUT(subscription, SF_F_OBJECT, .sub = subscription_out),
	{ 0 },
};
static const struct sf_field dashboard_out[] = {
	SF_OUT(user, SF_F_OBJECT, .required = true, .sub = user_out),
	SF_OUT(products, SF_F_ARRAY, .required = true, .sub = dashboard_product_out),
	SF_OUT(subscription_count, SF_F_INT, .required = true),
	{ 0 },
};
static const struct sf_field health_out[] = { SF_OUT(status, SF_F_TEXT, .required = true), { 0 } };
static const struct sf_field checks_out[] = {
	SF_OUT(database, SF_F_TEXT, .required = true, .help = "ok, slow, or why it is not"),
	{ .name = "database:",
	  .type = SF_F_TEXT,
	  .prefix = true,
	  .help = "of a service with a database of its own, by its name" },
	SF_OUT(replica, SF_F_TEXT, .help = "where there are replicas"),
	SF_OUT(queue, SF_F_TEXT,
		   .help =
			   "where job workers run: whether they make progress, and whether RabbitMQ, if any, is there"),
	{ 0 },
};
static const struct sf_field ready_out[] = {
	SF_OUT(status, SF_F_ENUM, .required = true, .choices = "ready|degraded|not_ready|draining",
		   .help = "degraded, with 200: something is slow, or missing that can be done without"),
	SF_OUT(checks, SF_F_OBJECT, .required = true, .sub = checks_out),
	{ 0 },
};
#define HEALTHS "healthy|degraded|unhealthy"
static const struct sf_field infrastructure_out[] = {
	SF_OUT(overall_status, SF_F_ENUM, .required = true, .choices = HEALTHS),
	SF_OUT(api_status, SF_F_ENUM, .required = true, .choices = HEALTHS),
	SF_OUT(database_status, SF_F_ENUM, .required = true, .choices = HEALTHS),
	SF_OUT(uptime, SF_F_INT, .required = true, .help = "seconds"),
	SF_OUT(timestamp, SF_F_TIME, .required = true),
	{ 0 },
};
static const struct sf_field process_out[] = {
	SF_OUT(name, SF_F_TEXT, .required = true),
	SF_OUT(pid, SF_F_INT, .required = true),
	SF_OUT(status, SF_F_TEXT, .required = true, .help = "starting, ready, draining, backoff"),
	SF_OUT(generation, SF_F_INT, .required = true, .help = "upgrades since the start"),
	SF_OUT(restarts, SF_F_INT, .required = true),
	SF_OUT(started_at, SF_F_TIME, .required = true),
	SF_OUT(idle_seconds, SF_F_INT, .required = true, .nullable = true,
		   .help =
			   "of a job worker: since it last took, ended or asked for a job, or stood still; else null"),
	{ 0 },
};
static const struct sf_field processes_out[] = {
	SF_OUT(processes, SF_F_ARRAY, .required = true, .sub = process_out),
	SF_OUT(total_count, SF_F_INT, .required = true),
	{ 0 },
};

/* ---- rows --------------------------------------------------------------------------------------------- */

static const struct sf_route routes[] = {
	{ SF_GET, "/health", platform_health, .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .reply = health_out,
	  .quiet = true, .summary = "Whether the process lives" },
	{ SF_GET, "/ready", platform_ready, .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .reply = ready_out,
	  .quiet = true, .unready = true,
	  .summary = "Whether requests should be sent here; 503 with the same body when not" },
	{ SF_GET, "/api/infrastructure/health", platform_infrastructure, .auth = SF_PUBLIC, .rate = SF_RATE_API,
	  .reply = infrastructure_out, .summary = "Health as dashboards of the earlier platform read it" },
	{ SF_GET, "/api/infrastructure/processes", platform_processes, .auth = SF_ADMIN, .rate = SF_RATE_API,
	  .reply = processes_out, .summary = "Supervisor and workers" },

	{ SF_POST, "/api/auth/register", platform_register, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH,
	  BODY(platform__register_fields, platform_register_body), .reply = pair_out, .status = 201,
	  .errors = { SF_EOVERLOAD }, .accepted = queued_out,
	  .accepted_when = "Where `REGISTER_QUIET` is set, for every address: go on with `/auth/verify-otp`.",
	  .idempotent = true, .secret_reply = true,
	  .summary = "Make an account and sign in; a code that confirms the email is mailed" },
	{ SF_POST, "/api/auth/confirm", platform_confirm, .auth = SF_USER, .rate = SF_RATE_AUTH,
	  BODY(code_in, platform_code_body), .reply = user_out,
	  .summary = "Confirm the caller's email with the code that was mailed" },
	{ SF_POST, "/api/auth/confirm/mail", platform_confirm_mail, .auth = SF_USER, .rate = SF_RATE_AUTH,
	  .reply = queued_out, .status = 202, .errors = { SF_ECONFLICT },
	  .summary = "Mail the code that confirms the caller's email again; at most one a minute" },
	{ SF_POST, "/api/auth/login", platform_login, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH,
	  BODY(login_in, platform_login_body), .reply = pair_out,
	  .errors = { SF_EAUTH, SF_EFORBIDDEN, SF_ELOCKED }, .summary = "Sign in with email and password" },
	{ SF_POST, "/api/auth/refresh", platform_refresh, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH,
	  BODY(refresh_in, platform_refresh_body), .reply = pair_out, .errors = { SF_EAUTH },
	  .summary = "Exchange a refresh token for a new pair. Once more within 10 s is answered with the same "
				 "pair, later use "
				 "ends the sign-in" },
	{ SF_POST, "/api/auth/logout", platform_logout, .auth = SF_USER, .rate = SF_RATE_WRITE,
	  .reply = message_out, .no_csrf = true,
	  .summary = "End the sign-in that the token or cookie belongs to, with all that was issued by it" },
	{ SF_GET, "/api/auth/me", platform_me, .auth = SF_USER, .rate = SF_RATE_API, .reply = user_out,
	  .summary = "The caller" },
	{ SF_PUT, "/api/auth/me", platform_me_change, .auth = SF_USER, .rate = SF_RATE_WRITE,
	  .auth_field = "password", BODY(profile_in, platform_profile_body), .reply = profile_out,
	  .errors = { SF_ELOCKED }, .summary = "Change name, time zone, language or password" },
	{ SF_GET, "/api/auth/sessions", platform_session_list, .auth = SF_USER, .rate = SF_RATE_API,
	  .page_of = "sessions", .reply = signed_in_out,
	  .summary = "The caller's sign-ins, the last used first" },
	{ SF_DELETE, "/api/auth/sessions/{id:text}", platform_session_end, .auth = SF_USER, .rate = SF_RATE_WRITE,
	  .reply = message_out, .errors = { SF_ENOTFOUND },
	  .summary = "End one of the caller's sign-ins: its browser session and all its tokens" },
	{ SF_POST, "/api/auth/logout-all", platform_logout_all, .auth = SF_USER, .rate = SF_RATE_WRITE,
	  .reply = message_out, .summary = "End every sign-in of the caller, this one too" },
	{ SF_POST, "/auth/login", platform_session_login, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH,
	  BODY(login_in, platform_login_body), .reply = pair_out,
	  .errors = { SF_EAUTH, SF_EFORBIDDEN, SF_ELOCKED },
	  .summary = "Sign in and open a browser session (cookies sf_session and sf_csrf)" },
	{ SF_POST, "/auth/logout", platform_logout, .auth = SF_USER, .rate = SF_RATE_WRITE, .reply = message_out,
	  .no_csrf = true, .summary = "End the browser session; needs no X-CSRF-Token" },
	{ SF_GET, "/auth/session", platform_session_get, .auth = SF_ANYONE, .rate = SF_RATE_API,
	  .reply = session_out, .summary = "Who the caller's cookie or token stands for, if anybody" },
	{ SF_POST, "/auth/register", platform_otp_register, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH,
	  BODY(email_in, platform_email_body), .reply = queued_out, .status = 202,
	  .summary = "Mail a one-time code to make an account with; at most one a minute" },
	{ SF_POST, "/auth/verify-otp", platform_otp_verify, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH,
	  BODY(verify_in, platform_otp_body), .reply = user_out, .status = 201, .errors = { SF_EOVERLOAD },
	  .idempotent = true, .summary = "Make an account with the code that was mailed" },
	{ SF_POST, "/auth/forgot-password", platform_otp_forgot, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH,
	  BODY(email_in, platform_email_body), .reply = queued_out, .status = 202,
	  .summary = "Mail a one-time code to set a new password with; at most one a minute" },
	{ SF_POST, "/auth/reset-password", platform_otp_reset, .auth = SF_PUBLIC, .rate = SF_RATE_AUTH,
	  BODY(otp_in, platform_otp_body), .reply = message_out, .errors = { SF_EOVERLOAD },
	  .summary = "Set a new password with the code that was mailed; ends every token and session" },

	{ SF_GET, "/api/platform/products", platform_products, .auth = SF_PUBLIC, .rate = SF_RATE_API,
	  .reply = product_out, .reply_list = true, .cache_tags = "products", .max_age = 3600, .stale = 86400,
	  .read = SF_READ_REPLICA, .summary = "The products that can be subscribed to" },
	{ SF_GET, "/api/payment/plans", platform_products, .auth = SF_PUBLIC, .rate = SF_RATE_API,
	  .reply = product_out, .reply_list = true, .cache_tags = "products", .max_age = 3600, .stale = 86400,
	  .read = SF_READ_REPLICA, .summary = "The same list, under the name that payment pages use" },
	{ SF_GET, "/api/platform/dashboard", platform_dashboard, .auth = SF_USER, .rate = SF_RATE_API,
	  .reply = dashboard_out, .summary = "The caller, all products, and which of them are subscribed" },
	{ SF_GET, "/api/payment/subscriptions", platform_subscriptions, .auth = SF_USER, .rate = SF_RATE_API,
	  .reply = subscription_out, .reply_list = true, .summary = "The caller's subscriptions" },

	{ SF_GET, "/api/platform/admin/users", platform_users, .auth = SF_ADMIN, .rate = SF_RATE_API,
	  QUERY(users_in, platform_users_query), .page_of = "users", .reply = listed_user_out,
	  .read = SF_READ_REPLICA, .summary = "All users, or those whose email or name holds q" },
	{ SF_PUT, "/api/platform/admin/users/{id}", platform_user_change, .auth = SF_ADMIN, .rate = SF_RATE_WRITE,
	  BODY(user_change_in, platform_user_change_body), .reply = user_out,
	  .errors = { SF_ENOTFOUND, SF_ECONFLICT },
	  .summary = "Change a user's role or activity; ends their tokens and sessions" },
	{ 0 },
};

/* ---- jobs --------------------------------------------------------------------------------------------- */

static const struct sf_job_kind jobs[] = {
	{ "platform.prune", platform__prune, .queue = "upkeep", .max_attempts = 3, .unique = SF_JOB_UNIQUE_LIVE,
	  .summary = "Takes away tokens, sessions and failed logins whose time is over" },
	{ 0 },
};
static const struct sf_cron crons[] = {
	{ "platform.prune", "@hourly", .kind = "platform.prune" },
	{ 0 },
};

const struct sf_service platform_service = {
	.name = "platform",
	.title = "Platform: accounts, products, users, health",
	.routes = routes,
	.tags = (const char *const[]) { "products", NULL },
	.demo = platform_demo,
	.jobs = jobs,
	.crons = crons,
};
