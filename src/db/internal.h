/* Shared inside db/: what db.c dispatches through, and what an engine (pg*.c, sqlite*.c) implements.
 *
 * db.c owns all that is alike: handles, counters, the slow-query log, holders, hooks after a commit. An engine
 * runs one statement, begins, commits and ends. Everything here is for the loop's thread unless it says otherwise. */
#ifndef SF_DB_INTERNAL_H
#define SF_DB_INTERNAL_H

#include "db/db.h"

/* A query with this id is prepared for one run only. Other ids index an engine's table of prepared statements of a
 * connection; the table grows as ids come, for a program may run queries of its own besides sf_all_queries. */
#define SF_DB__UNCACHED UINT32_MAX

struct sf_db__engine;

/* The head of an engine's database struct (its first member). Lifetime: from open until close calls done. */
struct sf_db {
	const struct sf_db__engine *eng;
	struct sf_loop *loop;
	struct sf_db_opts opts; /* with defaults filled in; strings are copies */
	struct sf_db_stats
		stats; /* db.c counts queries, errors, slow, timeouts, refused, commits, rollbacks and the
	                               times; the engine counts reconnects and groups */
	struct sf_node holders; /* open transactions and statements alone that run: struct sf_dbh.node */
	char **owned_urls;      /* copies behind opts, freed by db.c */
	int64_t slow_since_ns;  /* the second in which slow_lines were written */
	unsigned slow_lines;
	bool closing;
	void (*on_close)(struct sf_db *db);
	void (*done)(void *arg); /* of sf_db_close */
	void *done_arg;
};

struct sf_dbh { /* lifetime: its arena; a transaction's is out of use after sf_tx_end */
	struct sf_db *db;
	struct sf_arena *arena;
	const char *label; /* static text */
	enum sf_read pref;
	bool tx;                     /* a transaction */
	bool open;                   /* ... that is neither committed nor ended */
	bool failed;                 /* ... of which a statement failed: only end may follow */
	int64_t statement_ms;        /* time-out of a statement of this handle; 0: none (migrations) */
	const struct sf_query *last; /* what runs or ran last; NULL at first */
	int64_t since_ns;            /* sf_clock_ns of begin; of a statement alone: of its start */
	struct sf_str request;       /* as sf_db_tag has it */
	int64_t job;                 /* likewise */
	struct sf_str
		constraint;      /* of the last SF_EDUP or SF_ECONFLICT, in the arena; set with sf_db__constraint */
	struct sf_node node; /* in db->holders */
	struct sf_db__hook *hooks, **hooks_end;
	void *lease; /* the engine's own, of a transaction: set by begin, given back by end */
};

struct sf_db__result {
	void *at; /* rows decoded into h->arena, each q->row_size bytes (zeroed padding); unset where n is 0 */
	size_t n; /* at most 1 for SF_Q_ONE */
	int64_t changed; /* rows inserted, updated or deleted */
};

struct sf_db__engine {
	enum sf_engine kind;
	/* Makes the engine's struct, whose head db.c fills in after; the engine reads `o` (defaults are in it; strings
	 * live as long as the database). Starts connecting in the background, never waits. SF_EINVAL: *why says what. */
	int (*open)(struct sf_loop *l, const struct sf_db_opts *o, struct sf_db **out, struct sf_str *why);
	/* Refuses new work (SF_EUNAVAILABLE), lets what runs finish, closes every handle and thread, and calls
	 * sf_db__closed from the loop as its last act. */
	void (*close)(struct sf_db *db);
	/* Frees the engine's struct; called by sf_db__closed. */
	void (*free)(struct sf_db *db);
	/* ~ As sf_db_ping. */
	int (*ping)(struct sf_db *db);
	/* ~ As sf_db_ping_replica; NULL: an engine without replicas. */
	int (*ping_replica)(struct sf_db *db, size_t i);
	/* ~ Runs one statement on an auto handle (h->tx false: a transaction of its own, on a replica where h->pref and
	 * !q->write allow) or on the open transaction h. Returns the errors that db.h lists, but for SF_ENOTFOUND: no
	 * row is n == 0 and 0. Logs what an operator needs, with q->name; db.c logs slow ones and counts. */
	int (*run)(struct sf_dbh *h, const struct sf_query *q, const void *in, struct sf_db__result *res);
	/* ~ Several statements separated by ';' without parameters or results, on the open transaction. *why (in h's
	 * arena) is the server's message on failure. For migrations. */
	int (*script)(struct sf_dbh *tx, const char *sql, struct sf_str *why);
	/* ~ Opens a transaction and sets tx->lease. On failure nothing is held. */
	int (*begin)(struct sf_dbh *tx);
	/* ~ Commits; called with cancellation shielded, so its awaits need bounds of their own. Whatever it returns, end
	 * follows. */
	int (*commit)(struct sf_dbh *tx);
	/* ~ As sf_tx_commit_with, shielded, too. NULL: the statement and the commit one after the other will do. */
	int (*commit_with)(struct sf_dbh *tx, const struct sf_query *q, const void *in);
	/* Gives the lease back, rolling back what is open; once for every begin that succeeded. Never suspends, cannot
	 * fail; the handle and its arena may be gone when it returns. */
	void (*end)(struct sf_dbh *tx);
	/* As sf_db_pool. */
	bool (*pool)(const struct sf_db *db, size_t i, struct sf_db_pool *out);
};
extern const struct sf_db__engine sf_db__pg, sf_db__lite;

void sf_db__closed(struct sf_db *db); /* the end of close: frees the database, calls the user's done */
/* Copies the name of the violated constraint for sf_db_constraint. */
void sf_db__constraint(struct sf_dbh *h, struct sf_str name);

/* One value between a C struct and an engine: parameters on the way in, columns on the way out. */
struct sf_db__val {
	bool null;
	union {
		int64_t i; /* SF_T_INT, SF_T_TIME (µs), SF_T_DATE (days), SF_T_BOOL (0, 1) */
		double f;
		struct sf_str s; /* SF_T_TEXT, SF_T_JSON, SF_T_BYTES; borrowed */
		struct sf_ints ints;
	};
};
struct sf_db__val sf_db__get(const struct sf_dbcol *c,
							 const void *in); /* reads the member that c describes */
/* Writes it into a zeroed row. False: NULL in a column that allows none (nothing is written). Thread-safe. */
bool sf_db__put(const struct sf_dbcol *c, void *row, const struct sf_db__val *v);

#endif
