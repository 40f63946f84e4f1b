/* core: the vocabulary everything else is written in: errors, memory and text.
 *
 * core/ is the base library, so it has one face per subject instead of one for the folder:
 *   core.h    errors, arenas, strings, growable text          json.h    JSON writing and reading
 *   log.h     JSON-lines log                                  time.h    clocks, UTC times and dates as text
 *   config.h  the table of settings                           hash.h    hashing and encodings
 *   zone.h    time zones
 */
#ifndef SF_CORE_CORE_H
#define SF_CORE_CORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- compiler ------------------------------------------------------------------------------- */

#define SF_MUSTCHECK                    __attribute__((warn_unused_result))
#define SF_PRINTF(fmt, args)            __attribute__((format(printf, fmt, args)))
#define SF_NONNULL                      __attribute__((nonnull))
#define SF_UNUSED                       __attribute__((unused))
#define SF_LIKELY(x)                    __builtin_expect(!!(x), 1)
#define SF_UNLIKELY(x)                  __builtin_expect(!!(x), 0)
#define SF_COUNT(array)                 (sizeof(array) / sizeof((array)[0]))
#define SF_CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* ---- errors --------------------------------------------------------------------------------- */

/* Every fallible function returns 0 or one of these, negative. One list gives the enum, the HTTP
 * status, the machine code of the error body and the sentence a person reads by default. */
#define SF_ERR_MAP(X)                                                                                        \
	X(SF_EINVAL, 400, "invalid", "The request is not valid.")                                                \
	X(SF_EMALFORMED, 400, "malformed", "The request could not be read.")                                     \
	X(SF_EAUTH, 401, "unauthorized", "Sign in to do this.")                                                  \
	X(SF_EFORBIDDEN, 403, "forbidden", "You are not allowed to do this.")                                    \
	X(SF_ECSRF, 403, "csrf", "The X-CSRF-Token header is missing or out of date. Load the page again.")      \
	X(SF_ENOTFOUND, 404, "not_found", "There is nothing here.")                                              \
	X(SF_EMETHOD, 405, "method_not_allowed", "This address does not take that method.")                      \
	X(SF_ETIMEOUT, 408, "request_timeout", "The request took too long to arrive.")                           \
	X(SF_ECONFLICT, 409, "conflict", "This conflicts with the present state.")                               \
	X(SF_EDUP, 409, "duplicate", "This exists already.")                                                     \
	X(SF_ETOOLARGE, 413, "too_large", "The request body is too large.")                                      \
	X(SF_EURITOOLONG, 414, "uri_too_long", "The address is too long.")                                       \
	X(SF_EMEDIA, 415, "unsupported_media_type", "Send the body as application/json.")                        \
	X(SF_ERANGE, 416, "range_not_satisfiable", "That range is outside the file.")                            \
	X(SF_EIDEMPOTENCY, 422, "idempotency_mismatch", "This Idempotency-Key was used with another request.")   \
	X(SF_ELOCKED, 423, "locked", "This account is locked for a while.")                                      \
	X(SF_ERATE, 429, "rate_limited", "Too many requests. Try again shortly.")                                \
	X(SF_EHEADERS, 431, "headers_too_large", "The request headers are too large.")                           \
	X(SF_ECANCELED, 499, "canceled", "The client went away.")                                                \
	X(SF_EINTERNAL, 500, "internal", "Something went wrong on our side.")                                    \
	X(SF_EDB, 500, "database", "Something went wrong on our side.")                                          \
	X(SF_EIO, 500, "io", "Something went wrong on our side.")                                                \
	X(SF_EVERSION, 505, "http_version", "This server speaks HTTP/1.0 and HTTP/1.1.")                         \
	X(SF_ENOMEM, 503, "overloaded", "The server is busy. Try again shortly.")                                \
	X(SF_EOVERLOAD, 503, "overloaded", "The server is busy. Try again shortly.")                             \
	X(SF_EDRAINING, 503, "draining", "The server is restarting. Try again shortly.")                         \
	X(SF_EUNAVAILABLE, 503, "unavailable", "A part of the system is down. Try again shortly.")               \
	X(SF_EDEADLINE, 503, "deadline", "This took too long. Try again shortly.")                               \
	X(SF_ESERIAL, 503, "retry", "Others changed this at the same time. Try again.")

#define SF_ERR_ORDINAL(name, status, code, text) name##_ORDINAL,
enum { SF_ERR_ZERO, SF_ERR_MAP(SF_ERR_ORDINAL) SF_ERR_COUNT };
#undef SF_ERR_ORDINAL
#define SF_ERR_VALUE(name, status, code, text) name = -name##_ORDINAL,
enum sf_err { SF_OK = 0, SF_ERR_MAP(SF_ERR_VALUE) };
#undef SF_ERR_VALUE

int sf_err_status(int err);         /* HTTP status; 200 for 0, 500 for a number not in the list */
const char *sf_err_code(int err);   /* machine code, static text */
const char *sf_err_text(int err);   /* sentence for a person, static text */
const char *sf_err_symbol(int err); /* "SF_EINVAL", for logs, static text */

/* A broken invariant: logs file, line and expression, then aborts. On in every build. */
#define SF_BUG_ON(cond)                                                                                      \
	do {                                                                                                     \
		if (SF_UNLIKELY(cond)) sf_bug(__FILE__, __LINE__, #cond);                                            \
	} while (0)
__attribute__((noreturn, cold)) void sf_bug(const char *file, int line, const char *what);

/* ---- heap ----------------------------------------------------------------------------------- */

/* Small fixed sizes: never NULL, the process aborts when memory is out. Freed with free(). */
__attribute__((malloc, returns_nonnull)) void *sf_malloc(size_t n);
__attribute__((malloc, returns_nonnull)) void *sf_calloc(size_t n, size_t size);
__attribute__((returns_nonnull)) void *sf_realloc(void *p, size_t n);
__attribute__((malloc, returns_nonnull)) char *sf_strdup(const char *s);
/* Sizes that come from input: NULL when memory is out. */
void *sf_try_realloc(void *p, size_t n);

/* ---- strings -------------------------------------------------------------------------------- */

/* A borrowed piece of text; not NUL-terminated unless its source says so. p NULL means "absent". */
struct sf_str {
	const char *p;
	size_t n;
};
#define SF_STR(literal) ((struct sf_str) { (literal), sizeof(literal) - 1 })
#define SF_STR_NULL     ((struct sf_str) { NULL, 0 })
#define SF_PRI          "%.*s" /* printf("..." SF_PRI, SF_ARG(s)) */
#define SF_ARG(s)       (int)(s).n, ((s).p ? (s).p : "")

static inline struct sf_str sf_str(const char *s) {
	return (struct sf_str) { s, s ? strlen(s) : 0 };
}
static inline bool sf_str_eq(struct sf_str a, struct sf_str b) {
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool sf_str_ieq(struct sf_str a, struct sf_str b); /* ASCII case ignored */
bool sf_str_starts(struct sf_str s, struct sf_str prefix);
struct sf_str sf_str_trim(struct sf_str s); /* ASCII space on both ends */
/* Cuts s at the first `sep`: *head is what stands before, *rest what follows. False: no sep, head = s. */
bool sf_str_cut(struct sf_str s, char sep, struct sf_str *head, struct sf_str *rest);
/* Whole text as a decimal integer / finite number. SF_EINVAL on anything else, also overflow. */
SF_MUSTCHECK
int sf_str_int(struct sf_str s, int64_t *out);
SF_MUSTCHECK
int sf_str_float(struct sf_str s, double *out);
bool sf_utf8_valid(struct sf_str s); /* RFC 3629, NUL refused */
size_t sf_utf8_len(struct sf_str s); /* code points of valid UTF-8 */
/* Length in bytes of the control character at p (p < end), 0 when there is none: C0, DEL, C1, the line and paragraph separators
 * (U+2028, U+2029), and the characters that turn the direction of the text after them (U+202A to U+202E, U+2066 to U+2069). */
size_t sf_utf8_control(const char *p, const char *end);

/* ---- arena ---------------------------------------------------------------------------------- */

/* Memory of one lifetime (a request, a job), given back all at once. Blocks are recycled per
 * process through a small free list. Not shared between threads. */
struct sf_arena;

struct sf_arena *sf_arena_new(size_t budget); /* budget in bytes that sf_arena_try may use; 0: 64 MiB */
void sf_arena_trim(void); /* gives the blocks that this thread keeps for the next arenas back to the heap */
void sf_arena_free(struct sf_arena *a);  /* runs the disposers, newest first; NULL is fine */
void sf_arena_reset(struct sf_arena *a); /* disposes, keeps the first block */
size_t sf_arena_used(const struct sf_arena *a);
/* 16-byte aligned, not zeroed; never NULL (for small fixed sizes). */
__attribute__((returns_nonnull)) void *sf_arena_alloc(struct sf_arena *a, size_t n);
__attribute__((returns_nonnull)) void *sf_arena_zalloc(struct sf_arena *a, size_t n);
/* For sizes from input: NULL past the budget or when memory is out. */
void *sf_arena_try(struct sf_arena *a, size_t n);
struct sf_str sf_arena_str(struct sf_arena *a, struct sf_str s); /* copy, NUL-terminated */
char *sf_arena_cstr(struct sf_arena *a, struct sf_str s);
/* The text on one line: each control character is a space. What a user wrote must not look like lines of ours, nor turn them. */
struct sf_str sf_arena_line(struct sf_arena *a, struct sf_str s);
/* A name that somebody gave himself, as it may stand in a message to others: one line of at most 40 code points in which no
 * program finds a link, a telephone number, a mention or a command; those words are "…". "-" where nothing is left. */
struct sf_str sf_arena_name(struct sf_arena *a, struct sf_str s);
SF_PRINTF(2, 3) struct sf_str sf_arena_printf(struct sf_arena *a, const char *fmt, ...);
/* Runs fn(arg) when the arena is freed or reset: for things that are not memory. */
void sf_arena_defer(struct sf_arena *a, void (*fn)(void *arg), void *arg);

/* ---- growable text -------------------------------------------------------------------------- */

/* Owned text that grows. With an arena it lives and dies with it (sf_buf_fini does nothing). Growth
 * past memory or budget sets `failed`; later appends do nothing, so that one check at the end is
 * enough. Zero-initialised is an empty heap buffer. */
struct sf_buf {
	char *p;
	size_t n, cap;
	struct sf_arena *arena;
	bool failed;
};

void sf_buf_init(struct sf_buf *b, struct sf_arena *arena);
void sf_buf_fini(struct sf_buf *b);  /* frees and empties */
void sf_buf_clear(struct sf_buf *b); /* keeps the memory */
/* Room for n more bytes at b->p + b->n; NULL (and failed) when there is none. */
char *sf_buf_reserve(struct sf_buf *b, size_t n);
void sf_buf_add(struct sf_buf *b, const void *p, size_t n);
void sf_buf_str(struct sf_buf *b, struct sf_str s);
void sf_buf_cstr(struct sf_buf *b, const char *s);
void sf_buf_char(struct sf_buf *b, char c);
void sf_buf_int(struct sf_buf *b, int64_t v);
SF_PRINTF(2, 3) void sf_buf_printf(struct sf_buf *b, const char *fmt, ...);
static inline struct sf_str sf_buf_view(const struct sf_buf *b) {
	return (struct sf_str) { b->p, b->n };
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* Intrusive doubly linked ring; the head is a node whose neighbours are the ends. */
struct sf_node {
	struct sf_node *next, *prev;
};
static inline void sf_list_init(struct sf_node *h) {
	h->next = h->prev = h;
}
static inline bool sf_list_empty(const struct sf_node *h) {
	return h->next == h;
}
static inline void sf_list_push(struct sf_node *h, struct sf_node *n) { /* at the end */
	n->prev = h->prev, n->next = h;
	h->prev->next = n, h->prev = n;
}
static inline void sf_list_del(struct sf_node *n) { /* safe on a node that is in no list after init */
	n->prev->next = n->next, n->next->prev = n->prev;
	n->next = n->prev = n;
}

#endif
