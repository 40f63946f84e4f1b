/* http: the HTTP/1.1 protocol (RFC 9110, 9112) and nothing else: who a user is and what is cached are
 * not known here. app/ hands in the stages of a request, in order; this folder reads, runs them in a
 * coroutine, and writes the answer.
 *
 * Lifetimes: the server and static files live as long as the worker; a connection until its socket is
 * closed; a request (struct sf_http_req, its arena and all text it points at) until its answer has
 * been handed to the socket. An idle connection holds no buffer. */
#ifndef SF_HTTP_HTTP_H
#define SF_HTTP_HTTP_H

#include "core/core.h"

struct sf_loop;
struct sf_http_server;
struct sf_http_conn;

enum sf_method { SF_GET, SF_HEAD, SF_POST, SF_PUT, SF_PATCH, SF_DELETE, SF_OPTIONS, SF_METHODS };
/* Statuses by a dense number, for tables of counters: below SF_HTTP_STATUSES; 0 stands for a status this server does not know. */
#define SF_HTTP_STATUSES 64
size_t sf_http_status_index(int status);
int sf_http_status_at(size_t index); /* 0: none has that number */
const char *sf_method_name(enum sf_method m);

struct sf_http_header {
	struct sf_str name, value; /* name as sent; compare with sf_http_header */
};

/* How an answer's body may be compressed. */
enum sf_compress { SF_COMPRESS_AUTO, SF_COMPRESS_NEVER };

struct sf_http_req {
	/* what came in: borrowed until the request ends */
	enum sf_method method;
	struct sf_str target;      /* as sent: "/a/b?c=d" */
	struct sf_str path, query; /* parts of target, still encoded; query without the '?' */
	struct sf_http_header *headers;
	size_t nheaders;
	struct sf_str body; /* whole, de-chunked; p NULL when there is none */
	bool http10;
	struct sf_str peer; /* address of the socket's other end, "127.0.0.1" */
	int64_t started_ns; /* sf_clock_ns when its first byte came */
	size_t bytes_in;

	/* the request's own */
	struct sf_arena *arena;
	struct sf_http_conn *conn; /* NULL in an in-process request */
	void *app;                 /* of the one who set the stages */

	/* the answer; written by stages, sent when they are done. Until then it may be changed. Of a 304 (and 204), type and body
	 * are not sent, but what they are tells which headers the 200 would have: they stay. */
	int status;             /* 0: none yet */
	struct sf_buf head;     /* extra header lines, each ended by \r\n; sf_http_add writes it */
	struct sf_str type;     /* Content-Type; p NULL: none is sent */
	struct sf_buf out;      /* body, in the arena */
	struct sf_str body_ref; /* or: a body that outlives the request (static files); wins over out */
	struct sf_str coding;   /* Content-Encoding that the body has already; p NULL: none */
	bool varies;            /* it was chosen by Accept-Encoding */
	enum sf_compress compress;
	bool close;       /* Connection: close after this answer */
	size_t bytes_out; /* set when sent */
};

/* One step of every request. 0: go on; SF_HTTP_DONE: the answer stands, skip to the end; an error:
 * skip to the end, where `finish` turns it into an answer. */
#define SF_HTTP_DONE 1
struct sf_http_stage {
	const char *name;
	int (*run)(struct sf_http_req *req); /* ~ in the request's coroutine */
};

struct sf_http_opts {
	/* Called on the loop (no await) when the headers are complete. *body_max comes in as the server's
	 * limit and may be changed. Not 0: the error is answered through finish and the connection is closed
	 * if a body was to come. Only after 0 is `Expect: 100-continue` answered and the body read. */
	int (*on_head)(struct sf_http_req *req, size_t *body_max);
	const struct sf_http_stage *stages; /* ends with run NULL */
	/* Last: err is what a stage returned (0, SF_HTTP_DONE or an error). Must leave an answer. Also called, with no
	 * coroutine, for protocol errors of a request that never got that far (then app may be NULL). Must not suspend. */
	void (*finish)(struct sf_http_req *req, int err);
	/* After the answer was handed to the socket, or the client is gone (bytes_out 0): counters and the log line. */
	void (*after)(struct sf_http_req *req);

	size_t head_max; /* request line and headers; default 16 KiB (431; 414 for the target alone past 8 KiB) */
	size_t headers_max; /* count; default 100 (431) */
	size_t body_max;    /* default 1 MiB (413) */
	/* To complete headers, from the connection's first moment and for later requests from their first byte; default 10 s. 408; in
	 * silence where nothing came. */
	int64_t head_ms;
	int64_t body_ms;    /* for the body; default 30 s, and at least 1 KiB/s after 5 s (408) */
	int64_t idle_ms;    /* between requests; default 75 s */
	int64_t request_ms; /* deadline of the stages; default 30 s */
	/* Past it the oldest connection without a request gives way; where there is none, the new one gets 503 and is closed. Default 15,000. */
	size_t max_conns;
	size_t
		address_conns; /* of one address (IPv6: /64); further ones get 503 and are closed; 0: as many as there may be */
	bool (*uncounted)(struct sf_str peer); /* addresses that hold any number, as proxies do; NULL: none */
	size_t
		max_inflight; /* requests whose stages run; further ones get 503 + Retry-After at once; default 1,000 */
	size_t max_requests; /* of this worker before on_recycle, ± 10 % jitter; 0: none */
	void (*on_recycle)(void *arg);
	void *arg;
};

struct sf_http_stats { /* plain counters; telemetry pulls them */
	uint64_t accepted, closed, requests, answered, canceled, parse_errors, timeouts, overloaded, bytes_in,
		bytes_out;
	uint64_t evicted /* without a request, for a new one */, crowded /* refused: too many of that address */;
	size_t conns, idle, inflight, conn_bytes /* of ours an idle connection costs */;
};

/* opts are copied, the arrays they point at are borrowed. */
SF_MUSTCHECK
int sf_http_server_new(struct sf_loop *l, const struct sf_http_opts *opts, struct sf_http_server **out);
SF_MUSTCHECK
int sf_http_listen(struct sf_http_server *s,
				   int fd); /* a bound, listening, non-blocking socket; not closed by us */
void sf_http_stats(const struct sf_http_server *s, struct sf_http_stats *out);
/* Stops accepting; every answer from now on says Connection: close; idle connections may still send
 * one last request, and are closed in an orderly way after 2 s of silence (half of limit_ms where that is less);
 * done(arg), once none is left; after limit_ms the rest is cancelled and closed. */
void sf_http_drain(struct sf_http_server *s, int64_t limit_ms, void (*done)(void *arg), void *arg);
void sf_http_server_free(
	struct sf_http_server *s); /* after done; closes the handles (loop must still run once) */

/* ---- for stages ------------------------------------------------------------------------------ */

/* First header of that name, ASCII case ignored; p NULL when absent. name in lower case. */
struct sf_str sf_http_header(const struct sf_http_req *req, const char *name);
struct sf_str sf_http_cookie(const struct sf_http_req *req, const char *name); /* RFC 6265 */
/* Adds an answer header. CR, LF and NUL in the value are dropped. Content-Length, Date, Connection,
 * Transfer-Encoding and Content-Encoding are ours and refused (a bug). */
void sf_http_add(struct sf_http_req *req, const char *name, struct sf_str value);
/* Drops body, type and headers of an answer begun, to write another. */
void sf_http_answer_reset(struct sf_http_req *req);
/* True when If-None-Match (RFC 9110 §13.1.2) holds that ETag: the caller makes the answer a 304. etag with its quotes; an answer that
 * may be compressed is sent with it weakened, in every coding. */
bool sf_http_not_modified(const struct sf_http_req *req, struct sf_str etag);

/* How the client has coded the body, by Content-Encoding. */
enum sf_body_coding { SF_BODY_PLAIN, SF_BODY_GZIP, SF_BODY_OTHER /* nothing we read */ };
enum sf_body_coding sf_http_body_coding(const struct sf_http_req *req);
/* ~ (in a coroutine) Puts what the gzip in req->body holds in its place: at most `max` bytes, else SF_ETOOLARGE, before more
 * memory than that is taken. SF_EMALFORMED: it is not gzip, or not whole. SF_ENOMEM, or why the request was cancelled. */
SF_MUSTCHECK
int sf_http_inflate(struct sf_http_req *req, size_t max);

/* Runs stages over a request that has no connection: unit tests drive handlers through this (~). The caller has
 * filled method, target, headers, body; path and query are cut here. */
void sf_http_run(const struct sf_http_opts *opts, struct sf_http_req *req);

/* ---- outgoing requests ------------------------------------------------------------------------ */

/* libcurl's multi interface on the loop: connections are reused, a host that keeps failing is left alone for a while (circuit
 * breaker), and an address that a user gave never leads into our own network. Lifetime: worker. */
struct sf_client;
SF_MUSTCHECK
int sf_client_new(struct sf_loop *l, struct sf_client **out);
void sf_client_free(struct sf_client *c); /* no request may be under way; the loop must still run once */

struct sf_fetch {
	enum sf_method method;
	struct sf_str url;                    /* http or https */
	const struct sf_http_header *headers; /* besides Host, Content-Length, User-Agent, traceparent */
	size_t nheaders;
	struct sf_str body;
	struct sf_str trace; /* traceparent to pass on; p NULL: none */
	int64_t timeout_ms;  /* of everything, retries too; 0: 10 s */
	int64_t connect_ms;  /* 0: 3 s */
	size_t body_max;     /* of the answer; 0: 4 MiB; past it SF_ETOOLARGE */
	int redirects;       /* followed at most; the one after that is handed back as it is; 0: none */
	int retries; /* after connection failures, 429, 502, 503, 504; only of GET, HEAD, PUT, DELETE or with an Idempotency-Key header */
	/* The URL came from a user: loopback, private, link-local, multicast and reserved addresses are refused, after resolution and
	 * on every redirect; only ports 80, 443, 8080, 8443. The setting FETCH_ALLOW names exceptions. */
	bool foreign;
};
struct sf_fetched {
	int status;
	struct sf_http_header *headers;
	size_t nheaders;
	struct sf_str body, url; /* url: the last one, after redirects, without user information */
	int64_t retry_after_ms;  /* from Retry-After, 0: absent */
};
/* First header of that name, ASCII case ignored; p NULL when absent. */
struct sf_str sf_fetched_header(const struct sf_fetched *f, const char *name);
/* ~ One request; what came back lives in the arena. 0 whatever the status. SF_EFORBIDDEN: an address that `foreign` refuses; SF_EUNAVAILABLE:
 * not reached, or the breaker of its host is open; SF_EDEADLINE; SF_ETOOLARGE; SF_EINVAL: no such URL. *why (may be NULL): a sentence. */
SF_MUSTCHECK
int sf_fetch(struct sf_client *c, const struct sf_fetch *in, struct sf_arena *a, struct sf_fetched *out,
			 struct sf_str *why);

/* A host that failed five times in a row, or more than half of the time within ten seconds (of twenty requests at least), is left alone for
 * two seconds, then asked once (half open), and left alone twice as long each time that fails, up to a minute. Failures are
 * what is SF_EUNAVAILABLE or SF_EDEADLINE and the statuses 502, 503 and 504. */
enum sf_breaker_state { SF_BREAKER_CLOSED, SF_BREAKER_OPEN, SF_BREAKER_HALF_OPEN };
struct sf_client_stats { /* plain counters; telemetry pulls them */
	uint64_t requests /* sent, repeats and redirects too */, repeats, redirects,
		connects /* new connections */, failures /* as above */, forbidden /* by `foreign` */,
		left_alone /* refused by a breaker */;
	size_t active, waiting /* for their turn at a host */, hosts, open /* breakers */;
};
void sf_client_stats(const struct sf_client *c, struct sf_client_stats *out);
/* What the breaker says of "host:port"; CLOSED for one that was never asked. *retry_ms (may be NULL): until a probe may go. */
enum sf_breaker_state sf_client_breaker(const struct sf_client *c, const char *host, int64_t *retry_ms);

/* ---- static files ------------------------------------------------------------------------------ */

/* All files below a folder, read once into memory (shared by fork or mapped), with ETag, type, precompressed
 * neighbours (x.js.br, x.js.gz) and caching: names with a hash of ≥ 8 hex digits before the extension
 * (app.3f9c0d21.js) are `public, max-age=31536000, immutable`, others `no-cache`. */
struct sf_static;
SF_MUSTCHECK
int sf_static_load(const char *folder, struct sf_static **out);
void sf_static_free(struct sf_static *s);
/* Answers GET and HEAD of a path ("/chefs" also finds chefs.html, "/" index.html): 304, one byte range (206, 416), each coding with a
 * strong ETag of its own. SF_ENOTFOUND when there is no such file; path is decoded and never leaves the folder. */
SF_MUSTCHECK
int sf_static_serve(const struct sf_static *s, struct sf_http_req *req, struct sf_str path);

#endif
