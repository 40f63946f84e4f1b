/* What the files of http/ share: the worker's server, a connection, and one message being read or answered.
 *
 * Who calls whom:
 *
 *   server.c   listens, accepts, sweeps deadlines, drains
 *     admit.c   who may stay, and who gives way
 *     conn.c   states of a connection: reads, hands bytes to the parser, starts the request, closes
 *       due.c     its deadlines
 *       parse.c   llhttp callbacks: bytes → struct sf_http_req
 *       run.c     stages, and their coroutine
 *       answer.c  head and body → socket
 *         encode.c  gzip and brotli     negotiate.c  Accept-Encoding     status.c  status lines
 *   message.c  what stages call: headers, cookies, conditional requests     decode.c  compressed bodies
 *   files.c, files_serve.c   static files */
#ifndef SF_HTTP_INTERNAL_H
#define SF_HTTP_INTERNAL_H

#include <uv.h>
#include <llhttp/llhttp.h>

#include "core/core.h"
#include "http/http.h"

enum {
	SF_HTTP__READ_BUF = 64 << 10,  /* one a worker, lent to whichever socket is readable */
	SF_HTTP__WRITE_BUF = 64 << 10, /* one a worker, in which answers are put together */
	SF_HTTP__PEND_MAX = 64 << 10,  /* bytes a client may send ahead of an answer */
	SF_HTTP__PARK_MAX = 1024,      /* an unfinished head up to this size waits without an arena */
	SF_HTTP__SLICE = 2048,         /* of pipelined bytes copied for one request at a time */
	SF_HTTP__TARGET_MAX = 8 << 10, /* past it 414 */
	SF_HTTP__BODY_COPY = 16 << 10, /* bodies up to this are copied behind their head, larger ones are not */
	SF_HTTP__SHED_MAX = 256,       /* refused connections that may linger at once */
	SF_HTTP__LINGER_MS = 2000,     /* time a client has to read a last answer before the reset */
	SF_HTTP__LINGER_BYTES = 16 << 20,
};

/* What a connection is doing. Each state has one list of the server; times within a list are equal, so its
 * first entry is the next due, and a sweep looks at no other. IDLE and RUN share the list `calm`, see conn.c. */
enum sf_http__state {
	SF_CONN_IDLE,   /* between requests: no buffer, no arena */
	SF_CONN_HEAD,   /* new, or part of a request line or of headers has come */
	SF_CONN_BODY,   /* headers are complete, the body is not */
	SF_CONN_RUN,    /* the request's stages run; their coroutine keeps the time */
	SF_CONN_WRITE,  /* the answer waits for the socket */
	SF_CONN_LINGER, /* answered for good: our side is shut, what still comes is thrown away */
	SF_CONN_CLOSED, /* uv_close called; freed in its callback */
	SF_CONN_STATES
};

/* Lifetime: one message, in its own arena, from its first byte until the socket has taken the answer. */
struct sf_http__msg {
	struct sf_http_req req; /* first: stages get its address */
	llhttp_t parser;
	const struct sf_http_opts *opts;
	struct sf_http_server *server;
	char *head; /* the head as received, in one piece; spans of req point into it */
	uint32_t head_n, head_cap, headers_cap;
	uint64_t length; /* Content-Length */
	size_t body_max;
	size_t framing;     /* bytes of a chunked body that were not body: chunk heads, extensions, trailers */
	struct sf_buf body; /* a body that did not come in one piece with its head */
	const char *scan;   /* framing checked up to here, within one call of the parser */
	int err;            /* 0, or why the message is refused */
	uint8_t part;       /* of a header: 1 name, 2 value */
	char last;          /* last byte of framing */
	bool chunked;
	bool head_done, done;
	bool body_unread;     /* the message is refused before its end: close after the answer, with lingering */
	bool keep, keep_said; /* the client's wish, and whether it must be confirmed (HTTP/1.0) */
	bool expect;          /* a 100 Continue is due */
	bool shed;            /* refused for load */
	struct sf_co *co;     /* while its stages are suspended */
};

/* Lifetime: the socket. Freed in uv_close's callback. */
struct sf_http_conn {
	uv_tcp_t tcp; /* first: uv's pointers are cast */
	struct sf_http_server *server;
	struct sf_node node; /* in server->conns[state], or server->calm */
	int64_t due;         /* sf_loop_now time at which its state has lasted too long */
	int64_t look;        /* in calm: when the sweep looks at it */
	int64_t since;       /* start of BODY, or of the wait before this look at WRITE */
	struct sf_http__msg *msg;
	struct sf_http__address *address; /* that it is counted for; NULL: none */
	char *parked;                     /* HEAD without a msg: what came of the head, to be parsed again */
	int64_t first_ns;                 /* when its first byte came */
	char *pend;                       /* bytes that came ahead of their turn */
	uint32_t parked_n, pend_at, pend_n, pend_cap;
	uint32_t writes;  /* uv_write calls under way */
	size_t progress;  /* BODY: bytes received, WRITE: bytes unsent at the last look, LINGER: bytes dropped */
	uint8_t state;    /* enum sf_http__state */
	bool silent;      /* HEAD: nothing has come yet */
	bool gone;        /* the client closed while its request ran */
	bool stopped;     /* reading is off, PEND_MAX reached */
	bool later;       /* resume is queued on the loop */
	bool last;        /* close when the write ends */
	bool last_linger; /* … with lingering */
	bool feeding;     /* conn.c is handing it bytes: answers gather and are written once */
	bool shed;        /* accepted only to be told 503 */
	char peer[46];
};

struct sf_http__encoders;  /* encode.c */
struct sf_http__addresses; /* admit.c */

/* Lifetime: the worker. Freed when its last handle and connection are gone after sf_http_server_free. */
struct sf_http_server {
	struct sf_http_opts opts;
	struct sf_loop *loop;
	uv_loop_t *uv;
	uv_tcp_t listener;
	uv_timer_t timer;
	int handles; /* listener and timer still open */
	bool listening, ticking, draining, freed, drained;
	bool accept_logged;
	struct sf_node conns[SF_CONN_STATES], calm;
	size_t nshed, closing; /* closing: of stats.conns, those that are CLOSED and not freed yet */
	struct sf_http_stats stats;
	struct sf_http__addresses *addresses;
	int64_t tick_ms, look_ms; /* between sweeps; between looks at one in calm */
	uint64_t recycle_at;
	int64_t drain_until, drain_idle_ms;
	void (*drain_done)(void *arg);
	void *drain_arg;
	int64_t date_until; /* sf_loop_now time until which `date` is right */
	char date[40];      /* "Date: Sun, 22 Nov 2026 14:01:41 GMT\r\n" */
	size_t date_n;
	struct sf_http__encoders *encoders;
	size_t wn; /* bytes in wbuf, all of wowner */
	struct sf_http_conn *wowner;
	char *rbuf, *wbuf;
};

/* ---- server.c */
/* Takes over a connected stream socket. NULL: no memory or not a socket; fd is closed then. */
struct sf_http_conn *sf_http__adopt(struct sf_http_server *s, int fd);
void sf_http__conn_freed(struct sf_http_server *s); /* a connection's memory is gone: may end a drain */
void sf_http__tick(struct sf_http_server *s);       /* makes sure that the sweep runs */

/* ---- admit.c */
struct sf_http__addresses *sf_http__addresses_new(void);
void sf_http__addresses_free(struct sf_http__addresses *t);
/* What connections of that address are counted by. False: it is no IP address. */
bool sf_http__address_key(const struct sockaddr_storage *ss, unsigned char key[16]);
void sf_http__arrive(struct sf_http_conn *c); /* notes who it is, and counts it for its address */
void sf_http__leave(struct sf_http_conn *c);  /* counts it no more */
/* Whether it may stay; another that waits may be closed for it. */
bool sf_http__admit(struct sf_http_conn *c);

/* ---- conn.c */
struct sf_http_conn *sf_http__conn_new(struct sf_http_server *s);
void sf_http__conn_shed(struct sf_http_conn *c); /* a new one is told 503 and closed */
void sf_http__conn_hasten(
	struct sf_http_conn *c); /* in a drain: a silent one waits no longer than an idle one */
int sf_http__conn_start(struct sf_http_conn *c);   /* reads; a UV_ error closes nothing */
void sf_http__conn_linger(struct sf_http_conn *c); /* shuts our side, drops what comes, closes soon */
void sf_http__conn_state(struct sf_http_conn *c, enum sf_http__state state, int64_t in_ms);
void sf_http__conn_next(struct sf_http_conn *c); /* the answer is with the socket: go on or close */
void sf_http__conn_more(struct sf_http_conn *c); /* bytes that came early get their turn soon */
/* No answer can reach it any more: closes now, or cancels its request and closes when that has unwound. */
void sf_http__conn_gone(struct sf_http_conn *c);
void sf_http__conn_close(struct sf_http_conn *c);           /* now; no coroutine of it runs */
void sf_http__conn_refuse(struct sf_http_conn *c, int err); /* answers what it is reading, and closes */

/* ---- due.c */
void sf_http__conn_due(struct sf_http_conn *c); /* its time has come: 408, close or look again later */

/* ---- parse.c */
struct sf_http__msg *sf_http__msg_new(struct sf_http_server *s, struct sf_http_conn *c);
void sf_http__msg_free(struct sf_http__msg *m);
/* Reads from data and returns how many bytes it took. m->done or m->err say that the message is ready. */
size_t sf_http__parse(struct sf_http__msg *m, const char *data, size_t n);
/* Cuts req->target into path and query. SF_EMALFORMED; *authority is set for the absolute form. */
SF_MUSTCHECK
int sf_http__cut_target(struct sf_http_req *req, struct sf_str *authority);

/* ---- run.c */
void sf_http__run(struct sf_http__msg *m);             /* in a coroutine, or refuses for load */
void sf_http__refuse(struct sf_http__msg *m, int err); /* answers an error without running stages */

/* ---- answer.c */
void sf_http__answer(struct sf_http__msg *m);                        /* sends what req holds; m is given up */
void sf_http__send(struct sf_http_conn *c, const void *p, size_t n); /* copied; flushed with what follows */
void sf_http__flush(struct sf_http_conn *c);

/* ---- status.c */
struct sf_str
sf_http__status_line(int status); /* "HTTP/1.1 200 OK\r\n"; p NULL for a number without a name */

/* ---- negotiate.c */
enum sf_http__coding { SF_CODING_IDENTITY, SF_CODING_GZIP, SF_CODING_BR };
/* The better of those offered by a client (RFC 9110 §12.5.3); absent header: identity. */
enum sf_http__coding sf_http__coding(const struct sf_http_req *req, bool gzip, bool br);
struct sf_str sf_http__coding_name(enum sf_http__coding coding); /* for Content-Encoding; p NULL: identity */
bool sf_http__compressible(struct sf_str type);

/* ---- encode.c */
struct sf_http__encoders *sf_http__encoders_new(void);
void sf_http__encoders_free(struct sf_http__encoders *e);
/* ~ (when large and in a coroutine) The body in that coding, in the arena; false: not worth it or no memory. */
bool sf_http__encode(struct sf_http__encoders *e, struct sf_arena *a, enum sf_http__coding coding,
					 struct sf_str body, struct sf_str *out);

/* The body in gzip, on the heap; false: not worth it. Takes its time: for what is compressed once. */
bool sf_http__gzip_well(struct sf_str body, struct sf_str *out);

/* ---- message.c */
bool sf_http__head_has(const struct sf_http_req *req, const char *name); /* in the answer's head */
void sf_http__head_weaken(struct sf_http_req *req); /* a strong ETag of the answer becomes weak */

/* ---- files.c */
struct sf_static__form {
	struct sf_str body; /* p NULL: there is none */
	char etag[24];      /* strong, with its quotes: "0123456789abcdef", "fedcba9876543210-br" */
};
struct sf_static__file {
	struct sf_str path;              /* "/css/app.css", decoded; owned, as the plain form is */
	struct sf_static__form forms[3]; /* by enum sf_http__coding */
	struct sf_str type, cache;
	bool form_only; /* x.js.br: reached through x.js */
	bool own_gz;    /* the form in gzip was made by us, not read */
};

/* Lifetime: the worker. Not changed after it is loaded. */
struct sf_static {
	struct sf_static__file *files;
	size_t n, cap;
	uint32_t *slots; /* of files, from 1; open addressing, half full at most */
	size_t nslots;
};

struct sf_static__file *sf_static__find(const struct sf_static *s, struct sf_str path);

#endif
