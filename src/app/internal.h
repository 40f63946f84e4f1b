/* app, inside: what the files of this folder share. */
#ifndef SF_APP_INTERNAL_H
#define SF_APP_INTERNAL_H

#include "app/app.h"
#include "auth/auth.h"

#define SF_APP_PARAMS      4  /* parameters in one path */
#define SF_APP_FIELDS      64 /* inputs of one query or body: a bit mask tells which came */
#define SF_APP_TEXT_MAX    10000
#define SF_APP_PER_PAGE    20 /* default of per_page */
#define SF_APP_PER_PAGE_UP 100
#define SF_APP_PAGE_UP     1000000000 /* keeps the offset far from overflow */
#define SF_APP_ID_MAX      128
#define SF_APP_JSON_MAX    10000 /* values of a body */
#define SF_APP_BODY_MORE   16384 /* bytes of a body beyond what its fields can need */
#define SF_APP_TRACE_LEN   55    /* 00-<32 hex>-<16 hex>-<2 hex> */

struct json_t;
struct sf_app__node;

/* A route with all that can be known about it at start. Lifetime: the application. */
struct sf_app__row {
	const struct sf_route *route;
	const struct sf_service *service;
	size_t index; /* in sf_app_each order */
	struct sf_str params[SF_APP_PARAMS];
	bool param_text[SF_APP_PARAMS]; /* {name:text}; else a positive integer */
	size_t nparams;
	struct sf_str label;                  /* "POST /api/coocook/bookings": of idempotency records and logs */
	struct sf_str headers;                /* fixed header lines of a success */
	void *query_defaults, *body_defaults; /* the input structs with the fallbacks in them */
	size_t nquery, nbody;                 /* fields */
	size_t body_max;                      /* of the route, or of its fields; 0: the server's */
	const struct sf_field *auth_field;    /* of the body; NULL: none */
	bool shared;                          /* a public GET: same answer for everybody, has an ETag */
};

struct sf_app {
	struct sf_app_opts opts;
	struct sf_arena *arena; /* rows, trie, header blocks */
	struct sf_app__node *root;
	struct sf_app__row *rows;
	size_t nrows;
	struct sf_str security;      /* header lines of every answer */
	struct sf_str security_html; /* further ones of HTML */
	struct sf_str *origins;      /* of CORS; norigins 0: off */
	size_t norigins;
	bool any_origin;
	bool access_log;
	bool starting;         /* sf_app_set_ready(app, false) */
	struct sf_buf openapi; /* the document; heap */
	struct sf_str openapi_etag;
	struct sf_route_stats *stats; /* this worker's: nrows + 1 entries, in shared memory */
	uint64_t layout;              /* hash of the rows: tells apart the counters of another binary */
	unsigned char seed[16];       /* of request and trace ids */
	uint64_t ids;                 /* made so far */
	uint64_t claims;              /* idempotency claims so far: paces the clean-up */
};

struct sf_app__problem {
	struct sf_app__problem *next;
	const char *field;
	struct sf_str why;
};

/* Request headers this folder reads, found in one pass. */
struct sf_app__headers {
	struct sf_str authorization, cookie, csrf, content_type, content_length, transfer_encoding, forwarded_for,
		idempotency_key, if_none_match, origin, preflight, request_id, time_zone, traceparent;
};

struct sf_req {
	struct sf_http_req *http;
	struct sf_app *app;
	const struct sf_app__row *row; /* NULL: a file, OPTIONS or nothing */
	struct sf_str params[SF_APP_PARAMS];
	int64_t param_ints[SF_APP_PARAMS];
	uint16_t allowed; /* methods of the path, bits by enum sf_method; for 405 and OPTIONS */
	bool secret_path;
	size_t body_max;            /* bytes, after decoding */
	enum sf_body_coding coding; /* of the body */
	struct sf_app__headers in;

	struct sf_caller caller;
	bool gated;     /* the row has a gate, and it let the request through */
	bool bad_token; /* an Authorization that was refused */
	struct sf_str id, ip;
	char trace[SF_APP_TRACE_LEN + 1];
	int64_t now;

	const struct sf_zone *zone; /* NULL: not asked for yet */
	struct sf_app__wall *walls; /* times of the input that came without offset */
	void *query, *body;
	struct sf_page page;
	struct sf_dbh *db;
	struct sf_json json;
	bool own_cache, own_etag, own_policy; /* the handler wrote that header itself */

	struct sf_limit_result limit;
	bool limited;  /* limit is filled */
	bool counted;  /* by its address */
	bool of_files; /* for the web app */

	struct sf_str sentence; /* of sf_fail; p NULL: the error's default */
	struct sf_app__problem *problems, **problems_end;
	struct sf_app__problem *more; /* of sf_fail_more: name and JSON text */
	int64_t retry_s;              /* Retry-After; 0: the default of the status */

	struct sf_app__idem { /* an Idempotency-Key that this request has claimed */
		bool claimed, done;
		int64_t claim;
		struct sf_str key;
	} idem;
};

static inline struct sf_req *sf_app__req(const struct sf_http_req *http) {
	return http->app;
}
static inline bool sf_app__is_read(enum sf_method m) {
	return m == SF_GET || m == SF_HEAD;
}

/* ---- app.c ---- */
/* The application that this process serves: stages are given the request alone. One a process. */
void sf_app__serve(struct sf_app *app);
struct sf_app *sf_app__serving(void);

/* ---- rows.c: start-up checks ---- */
/* Fills row from route; SF_EINVAL and *why when the row is wrong. */
SF_MUSTCHECK
int sf_app__row_check(struct sf_arena *a, struct sf_app__row *row, struct sf_str *why);

/* ---- router.c ---- */
struct sf_app__node *sf_app__router_new(struct sf_arena *a);
/* Puts the row at its place. SF_EINVAL and *why: a duplicate, or other parameter names at the same place. */
SF_MUSTCHECK
int sf_app__router_add(struct sf_arena *a, struct sf_app__node *root, struct sf_app__row *row,
					   struct sf_str *why);
void sf_app__router_seal(struct sf_arena *a, struct sf_app__node *root); /* after the last row */
struct sf_app__match {
	const struct sf_app__row *row;
	uint16_t allowed;
	bool secret; /* a row of that path, of whichever method, has secret_path */
	struct sf_str params[SF_APP_PARAMS];
	int64_t param_ints[SF_APP_PARAMS];
};
/* 0, SF_ENOTFOUND, SF_EMETHOD (match->allowed says what would do) or SF_EMALFORMED (a bad escape). a: the request's, for escapes. */
SF_MUSTCHECK
int sf_app__router_find(const struct sf_app__node *root, enum sf_method method, struct sf_str path,
						struct sf_arena *a, struct sf_app__match *match);

/* ---- input.c, input_value.c ---- */
/* Checks the query and the body of r into r->query, r->body, r->page; all problems are recorded in r. */
SF_MUSTCHECK
int sf_app__validate(struct sf_req *r);
size_t sf_app__field_size(const struct sf_field *f);  /* of its C type */
size_t sf_app__field_align(const struct sf_field *f); /* of its C type */
/* Reads one value into `at` (the field's place). Returns NULL, or why it is not valid (arena or static text). A time without
 * offset is left to sf_app__walls_place; r NULL, of a default in a row: it is refused. */
const char *sf_app__value_text(struct sf_arena *a, struct sf_req *r, const struct sf_field *f,
							   struct sf_str text, void *at);
const char *sf_app__value_json(struct sf_arena *a, struct sf_req *r, const struct sf_field *f,
							   const struct json_t *v, void *at);
/* An array from the repeated values of a query. */
const char *sf_app__value_list(struct sf_arena *a, const struct sf_field *f, const struct sf_str *texts,
							   size_t n, void *at);
/* Range of a number or a length, with the rule "both 0: none" worked out. */
void sf_app__range(const struct sf_field *f, int64_t *min, int64_t *max);

/* ---- clocks.c ---- */
#define SF_APP_BAD_ZONE "must be an IANA time zone such as Asia/Seoul"
bool sf_app__needs_zone(const struct sf_field *fields); /* one of them may be a time without offset */
void sf_app__zone_header(
	struct sf_req *r); /* takes Time-Zone over; a wrong one is a problem of the request */
void sf_app__wall_add(struct sf_req *r, const struct sf_field *f,
					  int64_t *at); /* `at` holds a wall time of the caller's */
/* ~ Makes instants of all of them. */
SF_MUSTCHECK
int sf_app__walls_place(struct sf_req *r);

/* ---- ids.c ---- */
void sf_app__ids_take(struct sf_req *r); /* X-Request-Id and traceparent, taken over or made */
struct sf_str sf_app__id_new(struct sf_app *app, struct sf_arena *a);

/* ---- identity.c, limits.c: stages ---- */
int sf_app__identify(struct sf_http_req *http); /* ~ */
/* 0, or SF_EAUTH with its sentence: what let the caller in has been revoked since, as far as this host knows. A public
 * route asks nobody. Never suspends. */
int sf_app__still_in(struct sf_req *r);
int sf_app__authorise(struct sf_http_req *http); /* ~ */
int sf_app__limit_ip(struct sf_http_req *http);
int sf_app__limit_user(struct sf_http_req *http);
int sf_app__limit_field(struct sf_http_req *http); /* auth_field */
/* At the end of a request that ends with err (< 0): counts it if no stage has, and returns SF_ERATE once that is too often. */
int sf_app__limit_refused(struct sf_req *r, int err);

/* ---- fingerprint.c ---- */
/* Keyed digest of what a validated request asks for: two requests with the same one are the same. */
struct sf_str sf_app__fingerprint(const struct sf_req *r);
/* Whether a digest made earlier, under any accepted secret, is that of this request. */
bool sf_app__fingerprint_fits(const struct sf_req *r, struct sf_str fingerprint);

/* ---- idempotency.c ---- */
/* ~ Before the handler: 0 go on, SF_HTTP_DONE the stored answer stands, or an error. */
SF_MUSTCHECK
int sf_app__idem_claim(struct sf_req *r);
/* ~ Commits the handler's transaction together with the answer that stands in the request. */
SF_MUSTCHECK
int sf_app__idem_commit(struct sf_req *r, struct sf_dbh *tx);
/* ~ After it: records the answer of a handler that committed nothing itself, its error too, or gives the claim up. */
void sf_app__idem_settle(struct sf_req *r, int err);

/* ---- headers.c ---- */
void sf_app__headers_read(struct sf_req *r);
void sf_app__headers_prepare(struct sf_app *app); /* the fixed blocks of the application and of each row */
void sf_app__headers_write(struct sf_req *r, int err);
/* Adds the ETag (with its quotes) of the answer in place, and makes it a 304 where the caller has that one. */
void sf_app__etag(struct sf_req *r, struct sf_str etag);
int sf_app__conditional(struct sf_http_req *http); /* stage: ETag, 304 */

/* ---- cors.c ---- */
void sf_app__cors_prepare(struct sf_app *app);
void sf_app__cors_write(struct sf_req *r);
int sf_app__options(struct sf_req *r); /* answers OPTIONS */
struct sf_str sf_app__allow(struct sf_arena *a, uint16_t allowed);

/* ---- errors.c ---- */
/* Writes the answer of an error. */
void sf_app__error_write(struct sf_req *r, int err);

/* ---- dispatch.c ---- */
extern const struct sf_http_stage sf_app__stages[];
int sf_app__on_head(struct sf_http_req *http, size_t *body_max);
void sf_app__finish(struct sf_http_req *http, int err);

/* ---- stats.c ---- */
void sf_app__stats_open(struct sf_app *app);
void sf_app__after(struct sf_http_req *http);

/* ---- openapi.c, openapi_schema.c, openapi_parts.c ---- */
void sf_app__openapi_input(struct sf_json *j, const struct sf_field *f); /* schema of one input */
/* Schema of an object of these fields; `input`: required and ranges are those of a request. */
void sf_app__openapi_object(struct sf_json *j, const struct sf_field *fields, bool input);
void sf_app__openapi_example(struct sf_json *j, const struct sf_field *fields);
void sf_app__openapi_example_value(struct sf_json *j, const struct sf_field *f);
/* openapi_parts.c; used: the errors that some route has, a bit set over enum sf_err */
void sf_app__openapi_components(struct sf_json *j, uint64_t used);
/* openapi_parts.c: schema of an error's body, with up to 8 members more (NULL: none). */
void sf_app__openapi_error(struct sf_json *j, const struct sf_field *more);
extern const struct sf_service sf_app__service; /* rows of this folder */

#endif
