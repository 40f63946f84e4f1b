/* db: one interface over PostgreSQL (libpq, pipelined, on the loop) and SQLite (WAL, one writer thread).
 *
 * SQL stands in .sql files as named queries; tools/sqlgen compiles them into descriptors (struct
 * sf_query) and typed C: for a query `chef_get` of service `coocook`, "coocook.q.h" declares
 *
 *     struct coocook_q_chef_get_in  { int64_t id; };
 *     struct coocook_q_chef_get_row { int64_t id; struct sf_str name; ... };
 *     extern const struct sf_query coocook_chef_get_desc;
 *     int coocook_q_chef_get(struct sf_dbh *h, const struct coocook_q_chef_get_in *in,
 *                            struct coocook_q_chef_get_row *row);          // :one
 *     int coocook_q_chef_list(struct sf_dbh *h, const ..._in *in, struct sf_rows *rows);  // :many
 *     int coocook_q_chef_off(struct sf_dbh *h, const ..._in *in, int64_t *changed);       // :exec
 *
 * (`in` is left out where a query takes nothing.) A file is a sequence of
 *
 *     -- name: chef_get :one             one of :one :many :exec; a comment line may follow
 *     -- in: id int, note text?
 *     -- out: id int, name text, bio text?, rating float
 *     SELECT id, name, bio, rating FROM chefs WHERE id = :id;
 *     -- sqlite:                         optional: other text for that engine (or `-- pg:` before the first)
 *     SELECT ...;
 *
 * Types: int float bool text json time (instant, µs) date (days) bytes ints (a list: PostgreSQL
 * `= ANY(:ids)`, SQLite `IN (SELECT value FROM json_each(:ids))`). `?` allows NULL: text, json and bytes are NULL
 * when p is NULL; int, bool, time and date become struct sf_oint, float struct sf_ofloat. A :one or :many with RETURNING and
 * :exec are writes; a plain SELECT is a read (SELECT … FOR UPDATE is a write).
 *
 * "~" functions suspend. Strings of rows live in the handle's arena. */
#ifndef SF_DB_DB_H
#define SF_DB_DB_H

#include "core/core.h"

struct sf_loop;
struct sf_json;

/* ---- descriptors, written by tools/sqlgen ------------------------------------------------------ */

enum sf_dbtype {
	SF_T_INT,
	SF_T_FLOAT,
	SF_T_BOOL,
	SF_T_TEXT,
	SF_T_JSON,
	SF_T_TIME,
	SF_T_DATE,
	SF_T_BYTES,
	SF_T_INTS
};
struct sf_oint {
	bool has;
	int64_t v;
};
struct sf_ofloat {
	bool has;
	double v;
};
struct sf_ints {
	const int64_t *p;
	size_t n;
};
struct sf_dbcol { /* a parameter or a result column: where it stands in the C struct */
	const char *name;
	enum sf_dbtype type;
	bool null;
	uint32_t offset;
};
enum sf_query_kind { SF_Q_ONE, SF_Q_MANY, SF_Q_EXEC };
struct sf_query {
	const char *name; /* "coocook.chef_get" */
	enum sf_query_kind kind;
	bool write;
	const char *pg, *lite; /* text with $1… and ?1… */
	const struct sf_dbcol *in, *out;
	uint16_t nin, nout;
	uint32_t row_size;
	uint32_t id; /* dense over the program, from sf_query_id: index of the prepared statement */
};
struct sf_rows {
	const struct sf_query *q;
	void *at; /* array of the query's row struct */
	size_t n;
};
#define SF_ROW(rows, query, i)                                                                               \
	(&((struct query##_row *)(rows).at)[i]) /* SF_ROW(rows, coocook_q_chef_list, 0)->name */

struct sf_migration {
	const char *service; /* owner */
	int version;         /* from the file's name: 0001_init.sql → 1 */
	const char *name;
	const char *pg, *lite; /* statements separated by ';' */
};

/* ---- database ---------------------------------------------------------------------------------- */

enum sf_engine { SF_PG, SF_LITE };
struct sf_db;  /* lifetime: worker */
struct sf_dbh; /* where statements run: the database (each its own transaction) or one open transaction */

struct sf_db_opts {
	const char *url; /* postgresql://…, postgres://…, sqlite:///relative.db, sqlite:////absolute.db */
	const char *const
		*replica_urls;            /* NULL-terminated or NULL; used by reads of preference SF_READ_REPLICA */
	int pool_size, pool_overflow; /* PostgreSQL connections: kept, and more for a while; 20, 10 */
	int64_t recycle_ms;           /* age at which a connection is replaced; 1,800,000 */
	int64_t
		wait_ms; /* longest wait for a connection or the writer, then SF_EOVERLOAD; 250 (PostgreSQL), 5,000 (SQLite) */
	size_t wait_max;      /* longest waiting line; past it SF_EOVERLOAD at once; 1,000 */
	int64_t statement_ms; /* time-out of a statement, then SF_EDEADLINE; 10,000 */
	int readers;          /* SQLite reading threads; 2 */
	int64_t quiet_ms; /* SQLite: without writes for that long, the log is copied into the main file; 5,000 */
};
/* Opens without waiting: a server that is down is retried in the background [APP-6]. SF_EINVAL: bad URL (*why says what). */
SF_MUSTCHECK
int sf_db_open(struct sf_loop *l, const struct sf_db_opts *o, struct sf_db **out, struct sf_str *why);
void sf_db_close(struct sf_db *db, void (*done)(void *arg), void *arg); /* finishes what runs, then done */
/* fn(db) is called when its closing begins, for who keeps something about it. One; NULL: none any more. */
void sf_db_on_close(struct sf_db *db, void (*fn)(struct sf_db *db));
enum sf_engine sf_db_engine(const struct sf_db *db);
const char *sf_db_url(const struct sf_db *db); /* as it was opened: holds the password */
/* ~ 0 when a trivial statement works on a writable primary within 1 s; else SF_EUNAVAILABLE. */
SF_MUSTCHECK
int sf_db_ping(struct sf_db *db);
/* ~ The same of replica i (from 0), which may be read only. SF_ENOTFOUND: there are no more. */
SF_MUSTCHECK
int sf_db_ping_replica(struct sf_db *db, size_t i);

struct sf_db_stats { /* plain counters; telemetry pulls them */
	size_t open, busy, idle, waiting, max;
	uint64_t queries, errors, slow /* > 100 ms */, timeouts, refused, reconnects, commits, rollbacks,
		groups /* SQLite: COMMITs that grouped commits shared */;
	uint64_t query_us_sum;
	uint64_t query_us_bucket[12]; /* ≤ 100 µs, 250, 500, 1 ms, 2.5, 5, 10, 25, 50, 100, 1 s, more */
};
void sf_db_stats(const struct sf_db *db, struct sf_db_stats *out);
/* One server's connections, or the threads of a SQLite file. */
struct sf_db_pool {
	const char *server; /* "host:port/database" or the file's path; lives as long as the database */
	bool replica;
	size_t open, busy, idle, waiting, max; /* waiting: statements and transactions in line for one */
};
/* The i-th pool, the primary's first; false: there are no more. */
SF_MUSTCHECK
bool sf_db_pool(const struct sf_db *db, size_t i, struct sf_db_pool *out);
/* Who uses a connection: a transaction has one for itself; a statement alone shares one, or waits for it. [D-3] */
struct sf_db_holder {
	const char *label, *query; /* query: the last one's name, "" before the first */
	struct sf_str request;     /* as sf_db_tag has it, borrowed until the loop goes on; p NULL: none */
	int64_t job;               /* likewise; 0: none */
	int64_t age_ms;            /* since it got the connection; of a statement: since it was asked for */
	bool transaction, replica; /* replica: it may run on one */
};
/* Fills in the first n, the oldest first, and returns how many there are. */
size_t sf_db_holders(const struct sf_db *db, struct sf_db_holder *out, size_t n);

/* ---- running ------------------------------------------------------------------------------------ */

enum sf_read { SF_READ_PRIMARY, SF_READ_REPLICA };
/* A handle on the database itself, in the arena; nothing to give back. label: route or job, static text. */
struct sf_dbh *sf_db_auto(struct sf_db *db, struct sf_arena *arena, enum sf_read pref, const char *label);

/* ~ The three that generated functions call. `in` and `row` are the query's C structs. Errors: SF_ENOTFOUND (one, no row),
 * SF_EDUP (unique or exclusion violation; sf_db_constraint names it), SF_ECONFLICT (check or foreign key), SF_ESERIAL (deadlock, serialization:
 * run the transaction again), SF_EDEADLINE, SF_EOVERLOAD, SF_EUNAVAILABLE (connection lost; a write may have happened), SF_EDB (a bug; logged with the query's name). */
SF_MUSTCHECK
int sf_db_one(struct sf_dbh *h, const struct sf_query *q, const void *in, void *row);
SF_MUSTCHECK
int sf_db_all(struct sf_dbh *h, const struct sf_query *q, const void *in, struct sf_rows *rows);
SF_MUSTCHECK
int sf_db_exec(struct sf_dbh *h, const struct sf_query *q, const void *in,
			   int64_t *changed); /* changed may be NULL */
/* SQLite: a trigger's RAISE(ABORT, 'name') is SF_EDUP with that name, as an exclusion constraint. */
const char *sf_db_constraint(
	const struct sf_dbh
		*h); /* of the last SF_EDUP/SF_ECONFLICT of this handle; "" if unknown. SQLite: "chefs.user_id" */

/* ~ A transaction: PostgreSQL READ COMMITTED on a connection of its own; SQLite BEGIN IMMEDIATE on the one writer, so that
 * SELECT … FOR UPDATE is a plain SELECT there. After an error of a statement only sf_tx_end may follow (both engines). */
SF_MUSTCHECK
int sf_tx_begin(struct sf_db *db, struct sf_arena *arena, const char *label, struct sf_dbh **out);
/* ~ Commits. 0 only when it is durable. Shielded from cancellation once begun. SF_EUNAVAILABLE: outcome unknown. */
SF_MUSTCHECK
int sf_tx_commit(struct sf_dbh *tx);
/* ~ Runs an :exec statement that must change a row, and commits: on PostgreSQL in one round trip instead of two, for which the
 * statement's text there ends in a SELECT that divides by the number of rows it changed. SF_ENOTFOUND: it changed none.
 * That and the errors of a statement: nothing was committed. SF_EUNAVAILABLE: outcome unknown. */
SF_MUSTCHECK
int sf_tx_commit_with(struct sf_dbh *tx, const struct sf_query *q, const void *in);
/* Ends it: rolls back what is open. NULL is fine; cannot fail, never suspends: the pool does the work. */
void sf_tx_end(struct sf_dbh *tx);
/* Runs fn(arg) when the commit has succeeded (never after a rollback), before sf_tx_commit returns, in the order of the
 * calls; fn must not suspend: cache tags, wake-ups. */
void sf_tx_after(struct sf_dbh *tx, void (*fn)(void *arg), void *arg);
/* For sf_db_holders: the request (borrowed as long as the handle lives; p NULL: none) or the job (0: none) it works for. */
void sf_db_tag(struct sf_dbh *h, struct sf_str request, int64_t job);
struct sf_arena *sf_dbh_arena(const struct sf_dbh *h);
enum sf_engine sf_dbh_engine(const struct sf_dbh *h);
struct sf_db *sf_dbh_db(const struct sf_dbh *h);
bool sf_dbh_in_tx(const struct sf_dbh *h); /* false: an auto handle, on which sf_tx_after means nothing */

/* Result as JSON: an array of objects, keys are the out names, each written by its type (bytes as base64url). */
void sf_rows_json(struct sf_json *j, const struct sf_rows *rows);
void sf_row_json(struct sf_json *j, const struct sf_query *q, const void *row);    /* one object */
void sf_row_members(struct sf_json *j, const struct sf_query *q, const void *row); /* its members only */

/* ---- queries and migrations of the program -------------------------------------------------------- */

/* All descriptors, written by sqlgen into the build (NULL-terminated), for the EXPLAIN test, `db` commands and statement caches. */
extern const struct sf_query *const sf_all_queries[];
extern const uint32_t sf_all_queries_n;
extern const struct sf_migration *const sf_all_migrations[]; /* NULL-terminated, by service, then version */

/* ~ Applies what is missing, in order of service and version, under a lock, each in a transaction, recorded with
 * its checksum in schema_migrations(service, version, name, checksum, applied_at). SF_ECONFLICT: an applied one has changed (*why names it). */
SF_MUSTCHECK
int sf_migrate(struct sf_db *db, const struct sf_migration *const *all, struct sf_arena *a, int *applied,
			   struct sf_str *why);
struct sf_migration_state {
	const struct sf_migration *m;
	bool applied, changed;
	int64_t applied_at;
};
/* ~ State of each, in the arena; *n entries. */
SF_MUSTCHECK
int sf_migrate_status(struct sf_db *db, const struct sf_migration *const *all, struct sf_arena *a,
					  struct sf_migration_state **out, size_t *n);

#endif
