/* app: the one choke point. A route is a row of a table; dispatch, authentication, limits, validation, idempotency,
 * HTTP caching, error bodies, counters, the log line and the OpenAPI document all read that row.
 *
 * A handler is straight-line C: it reads its checked input, runs queries, writes an answer and returns 0 or an
 * error; dispatch writes the error body. All memory is the request's arena: handlers free nothing. */
#ifndef SF_APP_APP_H
#define SF_APP_APP_H

#include "core/core.h"
#include "core/json.h"
#include "core/zone.h"
#include "db/db.h"
#include "http/http.h"

struct sf_app;
struct sf_client;
struct sf_job_kind;
struct sf_cron;
struct sf_req; /* one request as handlers see it; lifetime: the request */

/* ---- fields: what comes in with a query string or a body, what goes out -------------------------------- */

enum sf_ftype {
	SF_F_INT,
	SF_F_FLOAT,
	SF_F_BOOL,
	SF_F_TEXT,
	SF_F_EMAIL,
	SF_F_URL,
	SF_F_ENUM,
	SF_F_ZONE, /* an IANA time zone that there is: struct sf_str */
	SF_F_TIME,
	SF_F_DATE,
	SF_F_WHEN, /* inputs only: a date or a time */
	SF_F_INTS,
	SF_F_TEXTS, /* arrays */
	SF_F_JSON,  /* any value: struct json_t * */
	/* of replies only: */
	SF_F_OBJECT, /* `sub` describes it; without, it holds texts by any name */
	SF_F_ARRAY,  /* of objects, which `sub` describes */
	SF_F_TIMES,  /* an array of instants */
};
/* Where an input goes: member `offset` of the row's struct. C types: INT, TIME (µs), DATE (days) int64_t; FLOAT double; BOOL bool;
 * texts and ENUM struct sf_str; INTS struct sf_ints; TEXTS struct sf_texts. An optional field without fallback is struct sf_oint (also for
 * BOOL) or struct sf_ofloat; optional text is absent when p is NULL. Text is trimmed, valid UTF-8, one line without control characters
 * (sf_utf8_control); `multiline` text may hold \n and \t, and its CRLF becomes \n. A TIME or WHEN without offset is in the caller's zone
 * (sf_req_zone); a bare date as TIME is that day's midnight there. */
struct sf_field {
	const char *name;
	enum sf_ftype type;
	bool required;   /* input: absent or null is an error; reply: always there */
	bool nullable;   /* reply: may be null */
	bool keep_space; /* input text is not trimmed (passwords) */
	bool multiline;  /* input text may have several lines (a comment); a name, a title, an address has one */
	uint32_t offset;
	int64_t min,
		max; /* numbers: range; text: code points; arrays: elements. Both 0: no limit but text ≤ 10,000 */
	bool prefix;          /* reply: stands for every member whose name begins with this one */
	const char *choices;  /* of ENUM: "rating|price|newest" */
	const char *fallback; /* default, as text */
	const char *help;     /* a phrase for the API document */
	const char *example;  /* JSON text */
	const struct sf_field *sub;
};
struct sf_texts {
	const struct sf_str *p;
	size_t n;
};
struct sf_when { /* SF_F_WHEN */
	bool has;
	bool day_only; /* `day` holds it, in the zone that the handler knows; else `at` */
	int64_t day, at;
};
/* Reads one text into `out` (the field's C type) by the field's rules. NULL, or why it is refused: a phrase such as "must be a date",
 * static or in the arena. For values that come another way than with a request. */
const char *sf_field_check(struct sf_arena *a, const struct sf_field *f, struct sf_str text, void *out);
/* SF_IN(struct booking_in, chef_id, SF_F_INT, .required = true, .min = 1, .max = INT64_MAX) */
#define SF_IN(type_, member, ftype, ...)                                                                     \
	{ .name = #member, .type = ftype, .offset = offsetof(type_, member), __VA_ARGS__ }
/* SF_OUT(id, SF_F_INT, .required = true) */
#define SF_OUT(member, ftype, ...)                                                                           \
	{ .name = #member, .type = ftype, __VA_ARGS__ }

/* ---- routes ------------------------------------------------------------------------------------------------ */

enum sf_access_kind {
	SF_ACCESS_UNSET,
	SF_ACCESS_PUBLIC,
	SF_ACCESS_ANYONE, /* as PUBLIC, but the answer depends on the caller: when the caller cannot be told, that is an error */
	SF_ACCESS_USER,
	SF_ACCESS_SUB,
	SF_ACCESS_ADMIN
};
struct sf_access {
	enum sf_access_kind kind;
	const char *product; /* of SUB */
	const char *who; /* for the document, when the handler checks more: "owner", "chef", "owner or chef" */
};
#define SF_PUBLIC                                                                                            \
	{ .kind = SF_ACCESS_PUBLIC }
#define SF_ANYONE                                                                                            \
	{ .kind = SF_ACCESS_ANYONE }
#define SF_USER                                                                                              \
	{ .kind = SF_ACCESS_USER }
#define SF_WHO(who_)                                                                                         \
	{ .kind = SF_ACCESS_USER, .who = (who_) }
#define SF_SUB(product_)                                                                                     \
	{ .kind = SF_ACCESS_SUB, .product = (product_) }
#define SF_ADMIN                                                                                             \
	{ .kind = SF_ACCESS_ADMIN }

enum sf_rate {
	SF_RATE_UNSET,
	SF_RATE_NONE /* health, metrics */,
	SF_RATE_AUTH,
	SF_RATE_API,
	SF_RATE_WRITE,
	SF_RATE_HOOK, /* one limit for the route, whoever sends, once the row's gate is passed; else as API */
};

typedef int sf_handler(struct sf_req *r); /* ~ */

struct sf_route {
	enum sf_method method;
	const char
		*path; /* "/api/coocook/chefs/{id}"; {id} is a positive integer (else 404), {name:text} any segment */
	sf_handler *run;
	struct sf_access auth;
	enum sf_rate rate;
	const struct sf_field *query; /* ends with name NULL; query_size: its struct */
	const struct sf_field *body;
	uint32_t query_size, body_size;
	const char *page_of;  /* plural name: a paged list; adds page and per_page to the query */
	int per_page;         /* default of per_page; 0: 20 */
	bool text_body;       /* body is not JSON: the handler reads sf_req_http(r)->body; `consumes` says what */
	const char *consumes; /* "text/csv"; NULL: application/json */
	const char *produces; /* NULL: application/json */
	/* Before the body is read, for what needs no body to be refused (a secret in the path): 0, or the error. Must not suspend. */
	int (*gate)(struct sf_req *r);
	/* Bytes of a body at most. 0: 8 KiB where `rate` is SF_RATE_AUTH or there is an auth_field; 16 KiB more than the fields can need where they are bounded; else
	 * the server's limit, which also bounds the other two. */
	size_t body_max;
	/* An optional text of the body: a request that gives it counts as SF_RATE_AUTH by its address, too (a changed password). */
	const char *auth_field;
	/* A webhook whose sender repeats what it is refused: what cannot be used, of whoever passed the gate, is answered 200 {"ok":true} and
	 * logged. */
	bool tolerant;
	size_t json_max;              /* JSON values that a body may hold; 0: 10,000 */
	const struct sf_field *reply; /* members of the answer's object (of each element where reply_list) */
	bool reply_list;              /* the answer is a bare array */
	int status;                   /* of success; 0: 200 */
	const struct sf_field
		*conflict; /* members that a 409 may carry beside those of every error (sf_fail_more) */
	const struct sf_field
		*accepted;             /* members of the 202 that a setting or the like makes it answer instead */
	const char *accepted_when; /* a sentence that says so */
	bool unready;              /* the handler's own 503 has the shape of a success */
	int errors[8];             /* enum sf_err beyond those every such route has; ends with 0 */
	const char *cache_tags;    /* "chefs" or "chef:{id}"; declared in the service's tags */
	int max_age,
		stale; /* seconds: Cache-Control of a public GET; 0: no-store for per-user, no-cache for public */
	enum sf_read read;
	bool idempotent;   /* honours Idempotency-Key: reply first, then sf_req_commit */
	bool secret_reply; /* its answer holds tokens: what is stored of it is encrypted */
	bool quiet; /* its log line is at debug level, and it answers also while the tables may be missing */
	bool
		no_csrf; /* a session's write without X-CSRF-Token is taken: nothing that somebody could gain by starting it */
	bool secret_path;    /* a parameter of its path is a secret: no log holds the path of a request to it */
	const char *summary; /* a sentence for the document */
};

struct sf_follow;
struct sf_service {
	const char *name;              /* "coocook" */
	const char *title;             /* "CooCook: chef bookings" */
	const struct sf_route *routes; /* ends with path NULL */
	const char *const *tags;       /* cache tags it raises, without ids: "chefs", "chef"; NULL-terminated */
	/* ~ Puts demo data into an empty database (idempotent); may be NULL. */
	int (*demo)(struct sf_db *db, struct sf_arena *a);
	const struct sf_job_kind
		*jobs;                   /* kinds of jobs it runs (jobs/jobs.h), ends with kind NULL; may be NULL */
	const struct sf_cron *crons; /* what is run at which times, ends with name NULL; may be NULL */
	const struct sf_follow *follows; /* events of other services, ends with event NULL; may be NULL */
};
/* With each event of that name a job is added whose kind is one of the follower's, with the payload {"id": <of what has changed>}, in
 * the transaction and the database of who tells (services_tell). */
struct sf_follow {
	const char *event; /* "user.changed" */
	const char *kind;
};

/* ---- what a handler calls ---------------------------------------------------------------------------------- */

enum sf_via { SF_VIA_NOBODY, SF_VIA_TOKEN, SF_VIA_SESSION, SF_VIA_DEMO };
struct sf_caller {
	int64_t user; /* 0: nobody */
	bool admin;
	enum sf_via via;
	char jti[33];          /* of the token */
	int64_t token_exp;     /* of the token, seconds */
	struct sf_str session; /* cookie text */
	/* Seconds: when all sign-ins before a later second than this are ended, the caller's is one of them. The token's iat; of a session
	 * the user's last such second as its row was read. */
	int64_t iat;
};

const void *sf_req_body(const struct sf_req *r);  /* the row's body struct, checked */
const void *sf_req_query(const struct sf_req *r); /* the row's query struct, checked */
int64_t sf_path_int(const struct sf_req *r, const char *name);
struct sf_str sf_path_text(const struct sf_req *r, const char *name);
const struct sf_caller *sf_req_caller(const struct sf_req *r);
struct sf_arena *sf_req_arena(const struct sf_req *r);
struct sf_http_req *sf_req_http(const struct sf_req *r);
struct sf_app *sf_req_app(const struct sf_req *r);
const struct sf_route *sf_req_route(const struct sf_req *r);
struct sf_str sf_req_id(const struct sf_req *r);          /* X-Request-Id */
struct sf_str sf_req_traceparent(const struct sf_req *r); /* W3C, our span: to be passed on */
struct sf_str sf_req_ip(const struct sf_req *r);          /* client address behind trusted proxies */
int64_t sf_req_now(const struct sf_req *r);               /* wall clock µs, the same for the whole request */
struct sf_page {
	int64_t page, per_page, limit, offset;
};
struct sf_page sf_req_page(const struct sf_req *r); /* of a paged route */
/* ~ The zone of the one who asks: of the header Time-Zone, else as the user has chosen, else SF_ZONE_DEFAULT. */
SF_MUSTCHECK
int sf_req_zone(struct sf_req *r, const struct sf_zone **out);

/* Statements, each its own transaction, with the row's read preference, on the database of the row's service. */
struct sf_dbh *sf_req_db(struct sf_req *r);
/* ~ A transaction: sf_req_begin; …; sf_reply…; sf_req_commit; out: sf_tx_end. The commit also records an
 * idempotent route's answer, so the answer is written before it. Both refuse with SF_EAUTH a caller whose token, or all of whose
 * sign-ins, were ended on this host since the request began: what was waited for is not done for who may no longer ask. */
SF_MUSTCHECK
int sf_req_begin(struct sf_req *r, struct sf_dbh **tx);
SF_MUSTCHECK
int sf_req_commit(struct sf_req *r, struct sf_dbh *tx);

/* Records why and returns err: `return sf_fail(r, SF_ECONFLICT, NULL, "The chef is booked then.");` The sentence is for a person and
 * replaces the error's default. With a field, what is wrong is the request itself: err is a 400, and the text is a phrase that
 * continues the field's name, `sf_fail(r, SF_EINVAL, "to", "must not be before %s", day)`, from which the sentence is made. */
SF_PRINTF(4, 5) int sf_fail(struct sf_req *r, int err, const char *field, const char *fmt, ...);
/* The Retry-After of an error that is 423, 429 or 503, in seconds; 429 and 503 say 1 without it. */
void sf_fail_retry(struct sf_req *r, int64_t seconds);
/* Adds a field's reason, a phrase "must …", without ending: for rules that find several, or that say it in a better sentence
 * by sf_fail without a field. Then return SF_EINVAL: no other error has "fields". */
void sf_fail_field(struct sf_req *r, const char *field, const char *why);
/* Adds a member (JSON text, borrowed) to the body of a 409; the row's `conflict` documents it. */
void sf_fail_more(struct sf_req *r, const char *name, struct sf_str json);

/* Answers. All return 0, so a handler may end with `return sf_reply(...)`. */
#define sf_reply(r, status, ...) sf_reply_kv(r, status, (const struct sf_kv[]) { __VA_ARGS__, { 0 } })
int sf_reply_kv(struct sf_req *r, int status, const struct sf_kv *kv);
int sf_reply_rows(struct sf_req *r, int status, const struct sf_rows *rows);               /* bare array */
int sf_reply_row(struct sf_req *r, int status, const struct sf_query *q, const void *row); /* one object */
int sf_reply_page(struct sf_req *r, const struct sf_rows *rows,
				  int64_t total); /* {"<page_of>":[…],"total",…} */
/* Starts a JSON answer; the caller writes one value into it. */
struct sf_json *sf_reply_json(struct sf_req *r, int status);
int sf_reply_text(struct sf_req *r, int status, const char *type, struct sf_str body); /* copied */
/* Content-Security-Policy: instead of the one that HTML has otherwise. */
void sf_reply_header(struct sf_req *r, const char *name, struct sf_str value);
/* Sets a cookie: HttpOnly unless `readable`, SameSite=Lax, Path=/, Secure behind TLS; max_age_s 0 deletes it. */
void sf_reply_cookie(struct sf_req *r, const char *name, struct sf_str value, int64_t max_age_s,
					 bool readable);
/* Sets the cookies of a browser's session: sf_session, and sf_csrf, which scripts read and send as X-CSRF-Token on writes. An
 * empty session with max_age_s 0 deletes both. */
void sf_reply_session(struct sf_req *r, struct sf_str session, int64_t max_age_s);

/* ---- the application ---------------------------------------------------------------------------------------- */

/* What app/ must ask of the service that owns users; wired in cli/. All ~. */
struct sf_identity {
	/* The caller of a session cookie; SF_EAUTH when it is unknown or over. */
	int (*session)(struct sf_req *r, struct sf_str cookie, struct sf_caller *out);
	/* Notes that the caller, who came with a token or a session, has made this request. Does not suspend. May be NULL. */
	void (*used)(struct sf_req *r);
	int64_t session_s; /* a session's longest life, seconds: that of a cookie which is renewed */
	int (*subscribed)(struct sf_req *r, int64_t user, const char *product, bool *out);
	int (*time_zone)(struct sf_req *r, int64_t user, struct sf_str *out); /* n 0: no such user */
};

struct sf_app_opts {
	const struct sf_service *const *services;    /* NULL-terminated */
	struct sf_db *(*db_of)(const char *service); /* its database */
	const struct sf_identity *identity;
	const struct sf_static *files; /* the web app; NULL: none */
	struct sf_client *client;      /* outgoing requests of handlers and jobs; NULL: none */
	bool demo;                     /* DEMO_MODE: Bearer demo_token */
	bool tls;                      /* cookies are Secure */
	const char *cors;              /* CORS_ALLOWED_ORIGINS: sf_app_origins_valid; may be NULL */
	int64_t rate_auth, rate_api, rate_write, rate_hook; /* per minute; 0: no limit */
};
/* Whether each entry of a comma list is "*" or an origin as browsers write it (scheme://host[:port], lower case). NULL is an empty list. */
bool sf_app_origins_valid(const char *list);
/* Checks every row and refuses (SF_EINVAL, *why names the row) a duplicate, a missing auth, rate, summary or handler, an unknown
 * cache tag, a body on GET. Builds the trie. */
SF_MUSTCHECK
int sf_app_new(const struct sf_app_opts *opts, struct sf_app **out, struct sf_str *why);
void sf_app_free(struct sf_app *app);
struct sf_db *sf_app_db(const struct sf_app *app,
						const char *service); /* a service's database; NULL: no such */
struct sf_client *sf_app_client(const struct sf_app *app);
/* While not ready (an application is, at first), routes that are not `quiet` answer 503: their tables may be missing. */
void sf_app_set_ready(struct sf_app *app, bool ready);
/* Fills on_head, stages, finish, after and the limits of the server's options with the application's. */
void sf_app_http(struct sf_app *app, struct sf_http_opts *http);
void sf_app_openapi(const struct sf_app *app, struct sf_buf *out); /* OpenAPI 3.1 document */
/* Every row of every service, in order, for `softfactory routes`: fn returns false to stop. */
void sf_app_each(const struct sf_app *app,
				 bool (*fn)(const struct sf_service *s, const struct sf_route *r, void *arg), void *arg);

/* Counters by route (row order) and status, in memory shared by the workers; telemetry pulls them. */
struct sf_route_stats {
	uint64_t status[SF_HTTP_STATUSES]; /* by sf_http_status_index; 499: the client went away */
	uint64_t
		bucket[14]; /* durations ≤ 0.25 ms, .5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500 ms, 1 s, 5 s, more */
	uint64_t us_sum;
};
/* Sum over all workers of route i in sf_app_each order; i == number of routes: requests that matched none. */
void sf_app_route_stats(const struct sf_app *app, size_t i, struct sf_route_stats *out);

#endif
