/* pg: shared by the files of the PostgreSQL engine; nobody else includes it.
 *
 *   pg.c          the engine's table: open, close, run, stats        pg_pool.c   which connection runs what, growth, waiting
 *   pg_target.c   URL, hosts, name resolution                        pg_stmt.c   sending statements, reading results in order
 *   pg_conn.c     one connection: start, hello, events, loss          pg_codec.c  values in and out, binary
 *   pg_tend.c     time: too late, too slow, idle, old
 *   pg_tx.c       leases: begin, commit, clean-up, scripts            pg_error.c  SQLSTATE to sf_err, the log
 *
 * Shape. A database has a pool for its primary and one a replica. A pool has connections; a connection has a
 * flight: the commands sent, oldest first, whose results come in that order. A command is a struct sf_pg_op. A single
 * statement enters its pool's line and is put on a connection at the end of the loop's iteration, together with
 * all others of that iteration, so that they share a write. A transaction leases a connection instead.
 *
 * Invariants:
 *  1. A connection with a holder (a lease) carries commands of that transaction only.
 *  2. An op is either in a line or in one flight; it is freed by whoever takes it out.
 *  3. op->wait is NULL once nobody waits; what comes for it then is dropped.
 *  4. A PGconn goes with PQfinish in sf_pg__lose only, so every loop that wakes somebody looks at c->pg again. */
#ifndef SF_DB_PG_H
#define SF_DB_PG_H

#include <libpq-fe.h>
#include <uv.h>

#include "core/log.h"
#include "core/time.h"
#include "db/internal.h"
#include "loop/loop.h"

enum {
	/* time */
	SF_PG_TICK_FAST_MS = 20,   /* while anything waits, runs or connects */
	SF_PG_TICK_SLOW_MS = 500,  /* otherwise */
	SF_PG_CONNECT_MS = 2000,   /* an attempt to connect may take that long, then the next host comes first */
	SF_PG_BACKOFF_MIN_MS = 50, /* pause after the first failed attempt, doubling */
	SF_PG_BACKOFF_MAX_MS = 1500,
	SF_PG_CHECK_MS = 20000, /* an idle connection is asked that often whether it lives */
	SF_PG_STALE_MS = 30000, /* ... and is asked before use past this (a suspended machine) */
	SF_PG_CLEAN_MS = 5000,  /* a dirty connection that is not clean by then is closed */
	SF_PG_SLACK_MS = 250,   /* by that the server's own time-out comes first */
	SF_PG_GRACE_MS = 2000,  /* a server silent that long past a statement's time-out is taken for gone */
	SF_PG_SPARE_MS = 10000, /* a connection above pool_size is closed when idle that long */
	SF_PG_ORPHAN_MS = 100,  /* what nobody waits for is cancelled when it runs longer */

	/* sharing: see pg_pool.c and pg_tend.c for how they were found */
	SF_PG_DEPTH_MAX = 64, /* statements in flight a shared connection */
	SF_PG_GROUP_MAX = 16, /* reads that share a Sync */
	SF_PG_PACK = 8,       /* reads in a row that go to one connection */
	SF_PG_GROW_AT = 16,   /* in flight on every connection: open another */
	SF_PG_WRITES_AT = 1,  /* ... or as many ahead of a write */

	/* limits of time: at least so many µs, and so many times what a group of this pool takes of late */
	SF_PG_STALL_US =
		4000, /* a connection whose oldest statement runs longer gets no more, if that can be helped */
	SF_PG_STALL_TIMES = 4,
	SF_PG_RESCUE_US = 40000, /* reads behind one that runs longer are asked elsewhere */
	SF_PG_RESCUE_TIMES = 10,
	SF_PG_SLOW_US = 20000, /* a read that takes longer alone is slow */
	SF_PG_SLOW_TIMES = 8,
	SF_PG_SLOW_FOR_MS = 10000, /* ... and is sent alone that long, or until it takes less */
	SF_PG_PATIENCE_MS = 100,   /* that long a statement waits rather than go behind a slow one */

	SF_PG_PREPARED_MAX = 500, /* prepared statements a connection [D-5] */
	SF_PG_CANCELS_MAX = 2,    /* threads that send cancel requests at once */
};

/* ---- where to connect -------------------------------------------------------------------------- */

struct sf_pg_host {
	char *name, *port, *addr; /* addr: from hostaddr= or NULL; name may be a socket's directory */
};
struct sf_pg_target {  /* a parsed URL; lifetime: the pool */
	char **key, **val; /* options but for host, hostaddr, port; NULL-terminated */
	struct sf_pg_host *host;
	size_t nhost;
	bool by_name; /* some host needs the resolver, which may block: it runs in the thread pool */
	char *shown;  /* "host:port/database", for logs: no user, no password */
};
SF_MUSTCHECK
int sf_pg__target_parse(struct sf_pg_target *t, const char *url, struct sf_str *why);
void sf_pg__target_fini(struct sf_pg_target *t);
/* The lists host, hostaddr and port for libpq, beginning at host `first`, names resolved (blocks when by_name;
 * thread-safe). Heap strings. SF_EUNAVAILABLE: no host resolves. */
struct sf_pg_where {
	char *host, *addr, *port;
};
SF_MUSTCHECK
int sf_pg__target_resolve(const struct sf_pg_target *t, size_t first, struct sf_pg_where *out);
void sf_pg__where_fini(struct sf_pg_where *w);

/* ---- commands ----------------------------------------------------------------------------------- */

enum sf_pg_op_kind {
	SF_PG_STMT,    /* a statement somebody waits for, or waited */
	SF_PG_PREPARE, /* Parse; of is the statement it was sent for */
	SF_PG_SYNC,    /* end of a group: one implicit transaction */
	SF_PG_CONTROL, /* the pool's own: hello, ping, BEGIN, ROLLBACK, DEALLOCATE; done() takes the result */
	SF_PG_SCRIPT   /* simple protocol, outside of pipeline mode */
};
struct sf_pg_conn;
struct sf_pg_pool;
struct sf_pg_op {        /* lifetime: from submission until its result is taken or dropped */
	struct sf_node node; /* in a pool's line or a connection's flight */
	enum sf_pg_op_kind kind;
	const struct sf_query *q;
	const void *in;       /* parameters; borrowed from who waits, read when it is sent */
	struct sf_wait *wait; /* invariant 3 */
	struct sf_pg_pool *pool;
	struct sf_pg_conn *conn; /* whose flight it is in, or NULL */
	void (*done)(struct sf_pg_conn *c,
				 struct sf_pg_op *op); /* of CONTROL and STMT; may be NULL; res is cleared after */
	struct sf_pg_op *of;               /* of PREPARE: the statement behind it, if still there */
	PGresult *res;
	int err;                  /* why there is no result; of STMT also: what its Parse said */
	int64_t line_ms, sent_ms; /* loop time when it entered the line, and when it was sent */
	int64_t deadline_ms;      /* loop time; 0: none */
	int late;                 /* what who waits is told then */
	uint8_t tries;            /* it was taken back into the line that often */
	bool alone;               /* gets a Sync of its own */
	bool ended;               /* a write whose results are here, waiting for the Sync that commits it */
};

/* ---- prepared statements of a connection -------------------------------------------------------- */

struct sf_pg_stmt {
	struct sf_node node; /* LRU: oldest first */
	const struct sf_query *q;
	struct sf_pg_stmt *chain; /* same hash bucket */
	bool checked;             /* its columns fit the descriptor */
	char name[16];
};
enum { SF_PG_BUCKETS = 256 };

/* ---- connection ---------------------------------------------------------------------------------- */

enum sf_pg_state {
	SF_PG_RESOLVING, /* the thread pool looks names up */
	SF_PG_CONNECTING,
	SF_PG_HELLO,    /* settings and role are being asked */
	SF_PG_READY,    /* shared, or leased when holder is set */
	SF_PG_CLEANING, /* came back dirty: cancelling, rolling back */
	SF_PG_LOST      /* no PGconn any more; goes when the holder lets go and the handles are closed */
};
struct sf_pg_conn {      /* lifetime: from the attempt to connect until refs is 0 */
	struct sf_node node; /* in pool->conns */
	struct sf_pg_pool *pool;
	enum sf_pg_state state;
	PGconn *pg;
	uv_poll_t *poll; /* its own allocation: it outlives a socket that libpq replaces */
	int fd, events;
	int refs; /* poll handles and thread-pool jobs that still point here */
	struct sf_node flight;
	size_t in_flight;           /* statements and controls in it, without SYNC and PREPARE */
	size_t waited_for;          /* ... that somebody waits for */
	size_t solo;                /* ... that want the connection to themselves */
	size_t unsynced;            /* commands since the last Sync */
	int64_t group_ns;           /* since when the oldest group runs */
	int64_t head_ns;            /* since when the oldest command is the oldest */
	struct sf_dbh *holder;      /* leased to this transaction */
	bool leased;                /* holder's lease, also once the handle is gone (cleaning) */
	bool begun;                 /* BEGIN was sent, no COMMIT or ROLLBACK has come back */
	bool reserved;              /* drains for a waiting transaction */
	bool retiring;              /* closes when it is empty */
	bool canceling;             /* a cancel request is under way in the thread pool */
	bool checking;              /* a ping is in flight */
	bool asked;                 /* cleaning: the server was asked to stop what runs */
	bool rolling;               /* cleaning: ROLLBACK is in flight */
	uint8_t rollbacks;          /* ... how often */
	const struct sf_query *bad; /* the last whose Parse failed, which the log has said, and as what */
	int bad_err;
	int group_err;  /* the first error of the group being read, 0 if none */
	PGresult *last; /* of the statement that went with the last COMMIT; NULL: not here yet */
	int last_err;   /* ... why there is none */
	int64_t started_ms, ready_ms, used_ms, alive_ms,
		clean_ms; /* loop time; alive: last word from the server */
	int64_t recycle_at_ms;
	struct sf_pg_where where;
	size_t first; /* host that came first in this attempt */
	struct sf_node lru;
	struct sf_pg_stmt *bucket[SF_PG_BUCKETS];
	size_t prepared;
	uint32_t names; /* counter for statement names */
};

/* ---- pool ----------------------------------------------------------------------------------------- */

struct sf_pg;
struct sf_pg_lease_wait { /* on the stack of a coroutine that waits for a lease */
	struct sf_node node;
	struct sf_wait wait;
	struct sf_dbh *tx;
	struct sf_pg_conn *conn; /* out */
	int64_t line_ms;
};
struct sf_pg_pool { /* lifetime: the database */
	struct sf_pg *db;
	struct sf_pg_target target;
	bool replica;
	struct sf_node conns;
	size_t nconns;    /* all but LOST ones */
	size_t opening;   /* not yet READY */
	size_t keep, max; /* connections kept; at most; shrunk when the server has fewer [D-4] */
	size_t leased;
	struct sf_node line; /* ops without a connection, oldest first */
	size_t line_n;
	struct sf_node leases; /* struct sf_pg_lease_wait, oldest first */
	size_t leases_n;
	bool later;                 /* dispatch is scheduled */
	bool fast;                  /* the tick's pace */
	size_t lost;                /* connections that broke and were not replaced yet */
	bool down;                  /* the last attempt to connect failed, and none is READY */
	bool told;                  /* ... which the log has said */
	struct sf_pg_conn *filling; /* during a dispatch: gets the next reads, too */
	size_t filled;
	bool crowded;                 /* a write was put behind others */
	size_t first;                 /* host to try first */
	int64_t backoff_ms, retry_ms; /* pause and when it ends */
	int64_t typical_ns; /* what a group of statements takes of late: moving average without outliers */
	size_t cancels;     /* cancel requests under way */
	struct sf_pg_slow { /* reads that were slow of late, by hash */
		const struct sf_query *q;
		int64_t until_ms;
	} slow[64];
	uv_timer_t tick;
	struct sf_buf scratch; /* array parameters while a statement is encoded */
};
struct sf_pg { /* a database; lifetime: until sf_db__closed */
	struct sf_db head;
	struct sf_loop *loop;
	const struct sf_db_opts *o;
	struct sf_db_opts opts;
	struct sf_pg_pool *pool; /* [0] the primary, then the replicas */
	size_t npools, next_replica;
	struct sf_node free_ops; /* recycled struct sf_pg_op */
	size_t live;             /* connections and timers not yet closed; close ends at 0 */
	bool closing, closed;
};

static inline struct sf_pg *sf_pg__of(const struct sf_db *db) {
	return SF_CONTAINER(db, struct sf_pg, head);
}

static inline int64_t sf_pg__now(const struct sf_pg_pool *p) {
	return sf_loop_now(p->db->loop);
}
/* Takes single statements. */
static inline bool sf_pg__shared(const struct sf_pg_conn *c) {
	return c->state == SF_PG_READY && !c->leased && !c->reserved && !c->retiring && !c->canceling;
}
static inline int64_t sf_pg__ns(const struct sf_pg_pool *p, int64_t us, int64_t times) {
	return us * 1000 > times * p->typical_ns ? us * 1000 : times * p->typical_ns;
}
static inline bool sf_pg__stalled(const struct sf_pg_conn *c, int64_t now_ns) {
	return c->in_flight &&
		   (c->solo || now_ns - c->head_ns > sf_pg__ns(c->pool, SF_PG_STALL_US, SF_PG_STALL_TIMES));
}
/* Each connection of a pool; the body may lose c, but nothing in it may free another (sf_pg__tx_end puts that off). */
#define SF_PG_EACH(c, p)                                                                                     \
	for (struct sf_pg_conn *c = SF_CONTAINER((p)->conns.next, struct sf_pg_conn, node), *next_;              \
		 next_ = SF_CONTAINER(c->node.next, struct sf_pg_conn, node), &c->node != &(p)->conns; c = next_)

/* pg_conn.c */
void sf_pg__conn_open(struct sf_pg_pool *p); /* starts an attempt in the background */
void sf_pg__lose(struct sf_pg_conn *c, const char *why,
				 bool bad); /* closes it; its ops fail or go back to the line; bad: logged as a warning */
void sf_pg__conn_free(struct sf_pg_conn *c); /* of a LOST one, once refs is 0 and no lease is left */
void sf_pg__watch(struct sf_pg_conn *c);     /* flushes, and waits for what is needed next */
void sf_pg__cancel(struct sf_pg_conn *c);    /* asks the server, from the thread pool, to stop what runs */

/* pg_stmt.c */
struct sf_pg_op *sf_pg__op_new(struct sf_pg_pool *p, enum sf_pg_op_kind kind, const struct sf_query *q);
void sf_pg__op_free(struct sf_pg_op *op);
/* Sends a statement, its Parse first when the connection has not met it. False: the connection is lost, op with it. */
SF_MUSTCHECK
bool sf_pg__send(struct sf_pg_conn *c, struct sf_pg_op *op);
SF_MUSTCHECK
bool sf_pg__sync(struct sf_pg_conn *c); /* ends the group; false: lost */
SF_MUSTCHECK
bool sf_pg__sync_with(
	struct sf_pg_conn *c,
	struct sf_pg_op *op); /* with op, of kind SYNC, to tell when it is answered; false: lost, op dropped */
/* Sends SQL text without parameters as a CONTROL; false: libpq could not take it (the connection is not lost yet). */
SF_MUSTCHECK
bool sf_pg__send_text(struct sf_pg_conn *c, const char *sql);
/* The simple protocol, outside of the pipeline; nothing may be in flight. */
SF_MUSTCHECK
bool sf_pg__send_script(struct sf_pg_conn *c, struct sf_pg_op *op, const char *sql);
/* A statement that has not been run, or only reads, may be run again: once, and not within a transaction. */
bool sf_pg__may_repeat(const struct sf_pg_conn *c, const struct sf_pg_op *op);
void sf_pg__again(struct sf_pg_op *op); /* puts it, out of any list, in front of the line, to be sent alone */
void sf_pg__pump(struct sf_pg_conn *c); /* takes all results that are there */
void sf_pg__drop(struct sf_pg_op *op,
				 int err);             /* ends an op out of any list: wakes who waits, frees it otherwise */
void sf_pg__detach(struct sf_wait *w); /* cancel function of an op's wait; w->arg is the op */
void sf_pg__stmts_fini(struct sf_pg_conn *c);

/* pg_pool.c */
SF_MUSTCHECK
int sf_pg__pool_init(struct sf_pg *db, struct sf_pg_pool *p, const char *url, bool replica,
					 struct sf_str *why);
void sf_pg__pool_fini(struct sf_pg_pool *p);
void sf_pg__submit(struct sf_pg_op *op); /* puts it at the end of the line */
/* Assigns what waits, in this iteration of the loop or the next. */
void sf_pg__dispatch_later(struct sf_pg_pool *p);
void sf_pg__connected(struct sf_pg_conn *c); /* it said hello */
void sf_pg__ready(struct sf_pg_conn *c);     /* it may be used: new, or back from a transaction and clean */
void sf_pg__connect_failed(struct sf_pg_pool *p, const char *why);
void sf_pg__demoted(struct sf_pg_pool *p); /* the primary takes no writes: closes all, looks again [D-2] */
void sf_pg__limit(struct sf_pg_pool *p, int64_t max_connections, int64_t reserved); /* [D-4] */
SF_MUSTCHECK
int sf_pg__lease(struct sf_pg_pool *p, struct sf_dbh *tx,
				 struct sf_pg_conn **out); /* ~ a connection for tx alone */
/* Closes the pool once nothing is left in it, and then the database. */
void sf_pg__pool_close(struct sf_pg_pool *p);

/* pg_tend.c */
void sf_pg__pace(struct sf_pg_pool *p);  /* lets the tick run as fast as is needed */
void sf_pg__check(struct sf_pg_conn *c); /* asks an idle connection whether it lives and is still a primary */
/* An idle connection that has not been heard of for long is asked first, and not used until it answers. */
bool sf_pg__stale(struct sf_pg_conn *c, int64_t now);
bool sf_pg__is_slow(struct sf_pg_pool *p, const struct sf_query *q, int64_t now);
void sf_pg__took(struct sf_pg_pool *p, const struct sf_query *q,
				 int64_t ns);                             /* how long a read took that ran alone */
void sf_pg__group_took(struct sf_pg_pool *p, int64_t ns); /* how long the server took for a group */
/* The database closes: idle connections go, others when they are done. */
void sf_pg__pool_shut(struct sf_pg_pool *p);

/* pg_tx.c */
int sf_pg__tx_begin(struct sf_dbh *tx);
int sf_pg__tx_run(struct sf_dbh *tx, const struct sf_query *q, const void *in, struct sf_pg_op **out); /* ~ */
int sf_pg__tx_script(struct sf_dbh *tx, const char *sql, struct sf_str *why);
int sf_pg__tx_commit(struct sf_dbh *tx);
/* ~ The same with a last statement in front of it. *last: its result, valid until the transaction's end; untouched when there is
 * none. */
SF_MUSTCHECK
int sf_pg__tx_commit_with(struct sf_dbh *tx, const struct sf_query *q, const void *in, const PGresult **last);
void sf_pg__tx_end(struct sf_dbh *tx);
void sf_pg__clean(struct sf_pg_conn *c); /* goes on with the clean-up of a connection that came back dirty */

/* pg_codec.c */
struct sf_pg_params {
	const char *val[64];
	int len[64], fmt[64];
	char num[64][8];
};
enum { SF_PG_PARAMS_MAX = 64 };
Oid sf_pg__oid(enum sf_dbtype t); /* a parameter's declared type */
/* Values stay valid until scratch is used again or `in` goes. SF_ENOMEM, SF_EDB (more than 64, or a list too long). */
SF_MUSTCHECK
int sf_pg__encode(const struct sf_query *q, const void *in, struct sf_pg_params *p, struct sf_buf *scratch);
/* SF_EDB when the result's columns do not fit the descriptor; why says which. */
SF_MUSTCHECK
int sf_pg__fits(const struct sf_query *q, const PGresult *res, char *why, size_t why_n);
/* Rows into h's arena. SF_EDB on NULL where the descriptor forbids it or a value out of range (logged), SF_ENOMEM past the budget. */
SF_MUSTCHECK
int sf_pg__decode(struct sf_dbh *h, const struct sf_query *q, const PGresult *res, struct sf_db__result *out);

/* pg_error.c */
int sf_pg__error(const PGresult *res,
				 const struct sf_query *q); /* the sf_err of an error result, logged if it is a bug */
int sf_pg__sqlstate(const char *state);     /* the mapping alone; NULL or "": SF_EUNAVAILABLE */
bool sf_pg__state_is(const PGresult *res, const char *state);
const char *sf_pg__line(char *buf, size_t n,
						const char *msg); /* first line of a libpq message, without newline */

#endif
