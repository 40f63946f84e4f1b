/* What the files of the outgoing client share.
 *
 *   client_fetch.c     sf_fetch: one request with its redirects and repeats, straight-line in the caller's coroutine
 *     client_try.c       one exchange: options of an easy handle, what comes back, what went wrong
 *       client.c           libcurl's multi interface on the loop; handles kept for reuse
 *     client_host.c      what is known of each host:port, and whose turn it is
 *       client_breaker.c   leaving alone a host that fails (pure)
 *     client_retry.c     what may be repeated, when and how often (pure)
 *     client_url.c       addresses as text: parts, redirects, whose port it may be (pure)
 *     client_guard.c     addresses as numbers: which networks are not the world (pure) */
#ifndef SF_HTTP_CLIENT_H
#define SF_HTTP_CLIENT_H

#include <curl/curl.h>
#include <uv.h>

#include "core/core.h"
#include "http/http.h"
#include "loop/loop.h"

enum {
	SF_CLIENT__TOTAL = 200,    /* exchanges and connections at once */
	SF_CLIENT__PER_HOST = 6,   /* connections to one host:port */
	SF_CLIENT__STREAMS = 64,   /* exchanges at once with a host that speaks HTTP/2 */
	SF_CLIENT__HOSTS = 1024,   /* hosts remembered, beside those in use */
	SF_CLIENT__EASIES = 64,    /* idle handles kept */
	SF_CLIENT__HEAD = 64 << 10 /* bytes of an answer's headers */
};

/* ---- breaker (client_breaker.c) --------------------------------------------------------------- */

/* Lifetime: its host's. All times in ms of the loop's clock. */
struct sf_client__breaker {
	enum sf_breaker_state state;
	int row;            /* failures in a row */
	int64_t until_ms;   /* OPEN: when a probe may go */
	int64_t pause_ms;   /* the last pause, doubled by each failed probe */
	bool probing;       /* HALF_OPEN: the one probe is under way */
	int64_t second[10]; /* which second a bucket is of */
	uint32_t good[10], bad[10];
};
/* May a request go now? *probe: as the one that is let through while half open. Each true is followed by one of the two below, which are
 * told the same. */
bool sf_client__breaker_take(struct sf_client__breaker *b, int64_t now_ms, bool *probe);
/* As take, without taking: to refuse early. */
bool sf_client__breaker_lets(const struct sf_client__breaker *b, int64_t now_ms);
void sf_client__breaker_note(struct sf_client__breaker *b, int64_t now_ms, bool probe, bool good);
/* It ended without saying anything about the host. */
void sf_client__breaker_forget(struct sf_client__breaker *b, bool probe);

/* ---- repeats (client_retry.c) ------------------------------------------------------------------- */

/* Requests and repeats of the last minute, in buckets of ten seconds. */
struct sf_client__budget {
	int64_t slot[6];
	uint32_t requests[6], repeats[6];
};
void sf_client__budget_request(struct sf_client__budget *b, int64_t now_ms);
/* Counts a repeat, if the minute's budget has one left: a tenth of its requests, and ten at least. */
bool sf_client__budget_repeat(struct sf_client__budget *b, int64_t now_ms);
bool sf_client__repeatable(enum sf_method method, const struct sf_http_header *headers, size_t n);
bool sf_client__repeat_status(int status); /* 429, 502, 503, 504 */
/* Full jitter: anything from 0 to 100 ms doubled `repeat` times (0 at the first), at most 5 s. */
int64_t sf_client__backoff(int repeat);
/* Retry-After, RFC 9110 §10.2.3: seconds or a date; ms from now (wall clock, µs), 0 when it says nothing, at most a day. */
int64_t sf_client__retry_after(struct sf_str value, int64_t now);

/* ---- addresses (client_url.c, client_guard.c) ---------------------------------------------------- */

struct sf_client__url {  /* all text in the arena */
	const char *text;    /* for libcurl: with user information, without fragment */
	struct sf_str shown; /* without user information */
	struct sf_str key;   /* "host:port", lower case: one host of the table */
	struct sf_str host;  /* lower case, IPv6 without brackets */
	int port;
	bool tls, userinfo, ipv6;
};
SF_MUSTCHECK
int sf_client__url(struct sf_arena *a, struct sf_str text, struct sf_client__url *out, struct sf_str *why);
/* The address that a Location header means, RFC 3986 §5.2. */
SF_MUSTCHECK
int sf_client__location(struct sf_arena *a, const struct sf_client__url *base, struct sf_str location,
						struct sf_client__url *out, struct sf_str *why);
bool sf_client__same_origin(const struct sf_client__url *a, const struct sf_client__url *b);
/* What can be refused of a user's address before it is resolved: SF_EFORBIDDEN. */
SF_MUSTCHECK
int sf_client__url_foreign(const struct sf_client__url *u, struct sf_str *why);
/* True when the comma list of host:port holds it. */
bool sf_client__listed(const char *list, struct sf_str key);
/* True for an address of the public Internet. */
bool sf_client__public(const struct sockaddr *sa);

/* ---- hosts (client_host.c) ------------------------------------------------------------------------ */

/* Lifetime: while in use, and then until its place is wanted. */
struct sf_client__host {
	struct sf_client__host *next; /* of its bucket */
	struct sf_node age;           /* least recently used first */
	struct sf_node hungry;        /* in the client's line of hosts that have both somebody waiting and room */
	struct sf_node line;          /* waits, first come first served */
	size_t users;                 /* fetches that hold a pointer to it */
	size_t active;                /* exchanges under way */
	bool h2;
	struct sf_client__breaker breaker;
	struct sf_client__budget budget;
	char key[];
};
struct sf_client__hosts {
	struct sf_client__host *bucket[256];
	struct sf_node age, hungry;
	size_t n, active, waiting;
};
void sf_client__hosts_init(struct sf_client__hosts *hs);
void sf_client__hosts_fini(struct sf_client__hosts *hs);
struct sf_client__host *sf_client__host_find(const struct sf_client__hosts *hs,
											 struct sf_str key); /* NULL: unknown */
struct sf_client__host *sf_client__host_use(struct sf_client__hosts *hs, struct sf_str key);
void sf_client__host_unuse(struct sf_client__host *h);
/* ~ Waits for a turn at that host; 0 is followed by sf_client__turn_give. */
SF_MUSTCHECK
int sf_client__turn_take(struct sf_client__hosts *hs, struct sf_client__host *h, int64_t max_ms);
void sf_client__turn_give(struct sf_client__hosts *hs, struct sf_client__host *h);

/* ---- the client (client.c) ------------------------------------------------------------------------- */

/* Lifetime: worker. */
struct sf_client {
	struct sf_loop *loop;
	CURLM *multi;
	uv_timer_t *timer;
	const char *allow; /* FETCH_ALLOW */
	struct sf_client__hosts hosts;
	CURL *idle[SF_CLIENT__EASIES];
	size_t nidle, performing;
	struct sf_client_stats stats;
};
CURL *sf_client__easy_take(struct sf_client *c); /* without options; NULL: no memory */
void sf_client__easy_give(struct sf_client *c, CURL *easy);
/* ~ Performs a prepared handle of HTTP on the loop; returns the CURLcode, or a negative sf_err when cancelled or after
 * timeout_ms (SF_EDEADLINE; 0: only the coroutine's deadline counts). The handle stays the caller's; its PRIVATE, NOSIGNAL, QUICK_EXIT
 * and proxy options are set here. Not for SMTP, FTP and the like: libcurl blocks in them. */
SF_MUSTCHECK
int sf_client__perform(struct sf_client *c, CURL *easy, int64_t timeout_ms);

/* ---- one exchange (client_try.c) -------------------------------------------------------------------- */

/* What is sent in one go, and what came back. Lifetime: sf_fetch. */
struct sf_client__try {
	struct sf_client *c;
	enum sf_method method;
	const struct sf_client__url *url;
	const struct sf_fetch *in;
	bool with_body;   /* no redirect has dropped it */
	bool same_origin; /* credentials may be sent */
	bool guarded;     /* addresses are checked */
	bool repeatable;

	struct sf_buf head, answer;
	size_t body_max;
	int status;
	bool issued;  /* the request was begun to be written */
	bool lost;    /* its connection was lost then, and it may not be written again */
	bool refused; /* by the guard */
	bool lasting; /* another try would end the same */
	bool too_large, no_memory;
};
/* ~ 0: there is an answer in t. SF_EUNAVAILABLE: connection failed or broke (worth another try unless `lasting`), SF_EFORBIDDEN,
 * SF_ETOOLARGE, SF_EINVAL, or why the await ended. */
SF_MUSTCHECK
int sf_client__try(struct sf_client__try *t, struct sf_client__host *h, int64_t max_ms, struct sf_arena *a,
				   struct sf_str *why);

#endif
