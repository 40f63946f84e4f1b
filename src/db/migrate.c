/* Migrations: what a service's numbered SQL files change in the database, each applied once, in order, under a lock.
 *
 * Each migration runs in a transaction of its own together with its row in schema_migrations, so that it is either
 * there with its record or not at all. The lock is PostgreSQL's advisory lock of the transaction; on SQLite the
 * transaction itself is the lock. A process that waited for the lock looks again before it applies anything. */
#include "db/internal.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"

#define LOCK_RETRY_MS 100
#define LOCK_MS       600000 /* another process may migrate for that long before we give up */

struct applied_in {
	struct sf_str service;
	int64_t version;
	struct sf_str name, checksum;
	int64_t applied_at;
};
static const struct sf_dbcol applied_cols[] = {
	{ "service", SF_T_TEXT, false, offsetof(struct applied_in, service) },
	{ "version", SF_T_INT, false, offsetof(struct applied_in, version) },
	{ "name", SF_T_TEXT, false, offsetof(struct applied_in, name) },
	{ "checksum", SF_T_TEXT, false, offsetof(struct applied_in, checksum) },
	{ "applied_at", SF_T_TIME, false, offsetof(struct applied_in, applied_at) },
};

#define LIST                                                                                                 \
	"SELECT service, version, name, checksum, applied_at FROM schema_migrations ORDER BY service, version"
static const struct sf_query q_list = {
	.name = "db.migrations",
	.kind = SF_Q_MANY,
	.write = true, /* on the primary, always */
	.pg = LIST,
	.lite = LIST,
	.out = applied_cols,
	.nout = SF_COUNT(applied_cols),
	.row_size = sizeof(struct applied_in),
	.id = SF_DB__UNCACHED,
};

#define ADD "INSERT INTO schema_migrations (service, version, name, checksum, applied_at) VALUES "
static const struct sf_query q_add = {
	.name = "db.migration_add",
	.kind = SF_Q_EXEC,
	.write = true,
	.pg = ADD "($1, $2, $3, $4, $5)",
	.lite = ADD "(?1, ?2, ?3, ?4, ?5)",
	.in = applied_cols,
	.nin = SF_COUNT(applied_cols),
	.id = SF_DB__UNCACHED,
};

struct exists_row {
	int64_t n;
};
static const struct sf_dbcol exists_cols[] = { { "n", SF_T_INT, false, offsetof(struct exists_row, n) } };
static const struct sf_query q_exists = {
	.name = "db.migrations_exist",
	.kind = SF_Q_ONE,
	.write = true,
	.pg = "SELECT count(to_regclass('schema_migrations'))",
	.lite = "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'",
	.out = exists_cols,
	.nout = 1,
	.row_size = sizeof(struct exists_row),
	.id = SF_DB__UNCACHED,
};

/* By enum sf_engine. The lock's key is "sfmigrat" read as a number. */
static const char *const prepare[] = {
	[SF_PG] = "SELECT pg_advisory_xact_lock(8315454061460742516);"
			  "CREATE TABLE IF NOT EXISTS schema_migrations (service text NOT NULL, version bigint NOT NULL, "
			  "name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL, "
			  "PRIMARY KEY (service, version))",
	[SF_LITE] =
		"CREATE TABLE IF NOT EXISTS schema_migrations (service TEXT NOT NULL, version INTEGER NOT NULL, "
		"name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL, "
		"PRIMARY KEY (service, version))",
};

static const char *text_of(const struct sf_db *db, const struct sf_migration *m) {
	return db->eng->kind == SF_PG ? m->pg : m->lite;
}

static struct sf_str checksum(const struct sf_db *db, const struct sf_migration *m, char hex[65]) {
	unsigned char sum[32];
	const char *text = text_of(db, m);
	sf_sha256(text, strlen(text), sum);
	sf_hex(sum, sizeof sum, hex);
	return (struct sf_str) { hex, 64 };
}

static const struct applied_in *find(const struct sf_rows *rows, const struct sf_migration *m) {
	const struct applied_in *at = rows->at;
	for (size_t i = 0; i < rows->n; i++)
		if (at[i].version == m->version && sf_str_eq(at[i].service, sf_str(m->service))) return &at[i];
	return NULL;
}

static bool same(const struct sf_db *db, const struct applied_in *row, const struct sf_migration *m) {
	char hex[65];
	return sf_str_eq(row->checksum, checksum(db, m, hex));
}

/* ~ A transaction that holds the lock, with the table there, and what has been applied. */
static int locked(struct sf_db *db, struct sf_arena *a, struct sf_dbh **out, struct sf_rows *rows,
				  struct sf_str *why) {
	struct sf_dbh *tx = NULL;
	int err;
	for (int64_t waited = 0;; waited += LOCK_RETRY_MS) {
		err = sf_tx_begin(db, a, "migrate", &tx);
		if (err != SF_EOVERLOAD || waited >= LOCK_MS) break;
		if ((err = sf_sleep(LOCK_RETRY_MS))) break;
	}
	if (!err) {
		tx->statement_ms = 0; /* building an index may take its time */
		err = db->eng->script(tx, prepare[db->eng->kind], why);
	}
	if (!err) err = sf_db_all(tx, &q_list, NULL, rows);
	if (err)
		sf_tx_end(tx);
	else
		*out = tx;
	return err;
}

/* ~ One migration, unless another process was first. */
static int apply(struct sf_db *db, const struct sf_migration *m, struct sf_arena *a, int *applied,
				 struct sf_str *why) {
	struct sf_dbh *tx = NULL;
	struct sf_rows rows = { 0 };
	struct sf_str said = SF_STR_NULL;
	char hex[65];
	int64_t started = sf_clock_ns();
	int err = locked(db, a, &tx, &rows, &said);
	if (err || find(&rows, m)) goto out;
	if (text_of(db, m)[0]) err = db->eng->script(tx, text_of(db, m), &said);
	if (!err)
		err = sf_db_exec(tx, &q_add,
						 &(struct applied_in) { sf_str(m->service), m->version, sf_str(m->name),
												checksum(db, m, hex), sf_time_now() },
						 NULL);
	if (!err) err = sf_tx_commit(tx);
	if (err) goto out;
	++*applied;
	sf_log(SF_INFO, "migration applied", SF_KV("service", m->service), SF_KV("name", m->name),
		   SF_KV("ms", (sf_clock_ns() - started) / 1000000));
out:
	if (err)
		*why = sf_arena_printf(a, "%s %s failed: " SF_PRI, m->service, m->name,
							   SF_ARG(said.p ? said : sf_str(sf_err_code(err))));
	sf_tx_end(tx);
	return err;
}

int sf_migrate(struct sf_db *db, const struct sf_migration *const *all, struct sf_arena *a, int *applied,
			   struct sf_str *why) {
	struct sf_dbh *tx = NULL;
	struct sf_rows rows = { 0 };
	struct sf_str said = SF_STR_NULL;
	int n = 0;
	int err = locked(db, a, &tx, &rows, &said);
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	if (err) {
		*why = sf_arena_printf(a, "schema_migrations: " SF_PRI,
							   SF_ARG(said.p ? said : sf_str(sf_err_code(err))));
		return err;
	}
	for (size_t i = 0; all[i]; i++) { /* before anything is applied */
		const struct applied_in *row = find(&rows, all[i]);
		if (!row || same(db, row, all[i])) continue;
		*why = sf_arena_printf(
			a, "%s %s was applied with another text; migrations are never edited, add a new one",
			all[i]->service, all[i]->name);
		return SF_ECONFLICT;
	}
	for (size_t i = 0; all[i] && !err; i++)
		if (!find(&rows, all[i])) err = apply(db, all[i], a, &n, why);
	if (!err) *applied = n;
	return err;
}

int sf_migrate_status(struct sf_db *db, const struct sf_migration *const *all, struct sf_arena *a,
					  struct sf_migration_state **out, size_t *n) {
	struct sf_dbh *h = sf_db_auto(db, a, SF_READ_PRIMARY, "migrate status");
	struct sf_rows rows = { 0 };
	struct exists_row exists;
	size_t count = 0;
	int err = sf_db_one(h, &q_exists, NULL, &exists);
	if (!err && exists.n) err = sf_db_all(h, &q_list, NULL, &rows);
	if (err) return err;
	while (all[count]) count++;
	struct sf_migration_state *state = sf_arena_zalloc(a, (count + 1) * sizeof *state);
	for (size_t i = 0; i < count; i++) {
		const struct applied_in *row = find(&rows, all[i]);
		state[i].m = all[i];
		if (!row) continue;
		state[i].applied = true, state[i].applied_at = row->applied_at;
		state[i].changed = !same(db, row, all[i]);
	}
	*out = state, *n = count;
	return 0;
}
