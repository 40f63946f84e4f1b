/* A connection of the SQLite engine: opening, prepared statements, binding, decoding and the meaning of its errors.
 * Each connection is used by the thread that opened it only. */
#include "db/sqlite.h"
#include "core/time.h"
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PROGRESS_STEPS 4000 /* virtual machine instructions between looks at the clock */

/* ---- opening ------------------------------------------------------------------------------------------------- */

static int progress(void *arg) {
	const struct sf_lite__conn *c = arg;
	if (c->abandoned && atomic_load_explicit(c->abandoned, memory_order_relaxed)) return 1;
	return c->deadline_ns && sf_clock_ns() > c->deadline_ns;
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

#define MAP_FILE  "PRAGMA mmap_size=67108864;" /* of the file, bytes */
#define REST_NS   INT64_C(5000000000)
#define REST_RUNS 200 /* statements in that time, from which a connection is at work */

/* What a busy time leaves, up to 64 MiB of the file and 8 MiB of pages a connection, goes back in the first quiet span after it. A
 * worker without work still asks its database some times a second, so quiet is few statements, not none. */
int64_t sf_lite__conn_rest_in(const struct sf_lite__conn *c) {
	if (!c->db || (!c->runs && !c->worked)) return -1;
	int64_t now = sf_clock_ns();
	return now < c->rest_at_ns ? c->rest_at_ns - now : 0;
}

void sf_lite__conn_rest(struct sf_lite__conn *c) {
	bool busy = c->runs >= REST_RUNS;
	c->runs = 0, c->rest_at_ns = sf_clock_ns() + REST_NS;
	if (busy || !c->worked) {
		c->worked = busy;
		return;
	}
	c->worked = false;
	sqlite3_db_release_memory(c->db);
	/* unmaps the file; it is mapped again with the next page that is read. A failure leaves it as it was. */
	(void)sqlite3_exec(c->db, "PRAGMA mmap_size=0;" MAP_FILE, NULL, NULL, NULL);
	malloc_trim(0);
}

int sf_lite__make_folder(const char *path) {
	char *dir = sf_strdup(path);
	int err = 0;
	for (char *p = dir + 1; !err && (p = strchr(p, '/')); p++) {
		*p = 0;
		if (mkdir(dir, 0755) != 0 && errno != EEXIST) err = errno;
		*p = '/';
	}
	free(dir);
	return err;
}

/* Durable means durable: in WAL mode synchronous=FULL syncs the log at every COMMIT (NORMAL would not, and a power cut
 * could take back what a client was told); the group commit makes that cheap. */
static int pragmas(sqlite3 *db, bool writer) {
	int rc =
		sqlite3_exec(db,
					 "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;" MAP_FILE
					 "PRAGMA cache_size=-8192;"
					 "PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864;",
					 NULL, NULL, NULL);
	if (rc == SQLITE_OK && !writer)
		rc = sqlite3_exec(db, "PRAGMA query_only=ON; SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
	if (rc != SQLITE_OK || !writer) return rc;
	sqlite3_stmt *s = NULL;
	rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &s, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(s) == SQLITE_ROW && !sqlite3_stricmp((const char *)sqlite3_column_text(s, 0), "wal")
				 ? SQLITE_OK
				 : SQLITE_CANTOPEN;
	}
	int end = sqlite3_finalize(s);
	return rc == SQLITE_OK ? end : rc;
}

int sf_lite__conn_open(struct sf_lite__conn *c, const char *path, bool writer, char *why, size_t n) {
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
	sqlite3 *db = NULL;
	int err = writer ? sf_lite__make_folder(path) : 0;
	if (err) {
		snprintf(why, n, "its folder: %s", strerror(err));
		return SF_EUNAVAILABLE;
	}
	int rc = sqlite3_open_v2(path, &db, flags, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_extended_result_codes(db, 1);
		sqlite3_busy_timeout(db, SF_LITE__BUSY_MS);
		rc = pragmas(db, writer);
	}
	if (rc == SQLITE_OK) rc = sf_lite__like_add(db);
	if (rc != SQLITE_OK) {
		snprintf(why, n, "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
		sqlite3_close(db);
		return SF_EUNAVAILABLE;
	}
	sqlite3_progress_handler(db, PROGRESS_STEPS, progress, c);
	c->db = db;
	return 0;
}

void sf_lite__conn_close(struct sf_lite__conn *c) {
	for (uint32_t i = 0; i < c->ncache; i++) sqlite3_finalize(c->cache[i]);
	for (size_t i = 0; i < SF_COUNT(c->fixed); i++) sqlite3_finalize(c->fixed[i]);
	free(c->cache);
	sqlite3_close(c->db);
	*c = (struct sf_lite__conn) { 0 };
}

int sf_lite__conn_do(struct sf_lite__conn *c, enum sf_lite__fixed sql) {
	static const char *const text[] = {
		[SF_LITE__SQL_BEGIN] = "BEGIN IMMEDIATE", [SF_LITE__SQL_COMMIT] = "COMMIT",
		[SF_LITE__SQL_ROLLBACK] = "ROLLBACK",     [SF_LITE__SQL_SAVE] = "SAVEPOINT u",
		[SF_LITE__SQL_RELEASE] = "RELEASE u",     [SF_LITE__SQL_BACK] = "ROLLBACK TO u",
	};
	c->deadline_ns = 0, c->abandoned = NULL;
	if (!c->fixed[sql]) {
		int rc = sqlite3_prepare_v3(c->db, text[sql], -1, SQLITE_PREPARE_PERSISTENT, &c->fixed[sql], NULL);
		if (rc != SQLITE_OK) return rc;
	}
	sqlite3_step(c->fixed[sql]);
	return sqlite3_reset(c->fixed[sql]);
}

/* ---- errors --------------------------------------------------------------------------------------------------- */

/* "UNIQUE constraint failed: chefs.user_id" → "chefs.user_id"; "… failed: index 'x'" → "x". */
static void constraint_name(const char *message, char *out, size_t n) {
	const char *p = strstr(message, "constraint failed: ");
	out[0] = 0;
	if (!p) return;
	p += strlen("constraint failed: ");
	size_t len = strlen(p);
	if (!strncmp(p, "index '", 7)) p += 7, len -= 7 + (p[len - 8] == '\'');
	snprintf(out, n, "%.*s", (int)len, p);
}

static int constraint_error(struct sf_lite__job *job, int rc, const char *message) {
	constraint_name(message, job->constraint, sizeof job->constraint);
	switch (rc) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID: return SF_EDUP;
	case SQLITE_CONSTRAINT_TRIGGER: /* RAISE(ABORT, 'name') stands for PostgreSQL's exclusion constraint */
		snprintf(job->constraint, sizeof job->constraint, "%s", message);
		return SF_EDUP;
	case SQLITE_CONSTRAINT_CHECK:
	case SQLITE_CONSTRAINT_FOREIGNKEY: return SF_ECONFLICT;
	default: return SF_EDB; /* NOT NULL and types: the program should not have sent that */
	}
}

void sf_lite__conn_error(struct sf_lite__conn *c, struct sf_lite__job *job, int rc) {
	const char *message = sqlite3_errmsg(c->db);
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		job->err = constraint_error(job, rc, message);
		if (job->err != SF_EDB) return;
		break;
	case SQLITE_INTERRUPT: job->err = SF_EDEADLINE; return;
	case SQLITE_NOMEM: job->err = SF_ENOMEM; break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: job->err = SF_EOVERLOAD; break;
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_PROTOCOL: job->err = SF_EUNAVAILABLE; break;
	default: job->err = SF_EDB; break;
	}
	snprintf(job->why, sizeof job->why, "%s (%s)", message, sqlite3_errstr(rc));
}

static void wrong(struct sf_lite__job *job, const struct sf_dbcol *c, const char *what) {
	job->err = SF_EDB;
	snprintf(job->why, sizeof job->why, "column \"%s\" %s", c->name, what);
}

/* ---- parameters ---------------------------------------------------------------------------------------------- */

static int bind_ints(sqlite3_stmt *s, int at, struct sf_ints ints) {
	struct sf_buf b = { 0 };
	sf_buf_char(&b, '[');
	for (size_t i = 0; i < ints.n; i++) {
		if (i) sf_buf_char(&b, ',');
		sf_buf_int(&b, ints.p[i]);
	}
	sf_buf_char(&b, ']');
	int rc = b.failed ? SQLITE_NOMEM : sqlite3_bind_text64(s, at, b.p, b.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	sf_buf_fini(&b);
	return rc;
}

static int bind_all(sqlite3_stmt *s, const struct sf_lite__job *job) {
	int n = sqlite3_bind_parameter_count(s), rc = SQLITE_OK;
	char text[32];
	for (int i = 0; i < job->q->nin && i < n && rc == SQLITE_OK; i++) {
		const struct sf_db__val *v = &job->params[i];
		enum sf_dbtype type = job->q->in[i].type;
		if (v->null) {
			rc = sqlite3_bind_null(s, i + 1);
			continue;
		}
		switch (type) {
		case SF_T_INT:
		case SF_T_BOOL: rc = sqlite3_bind_int64(s, i + 1, v->i); break;
		case SF_T_FLOAT: rc = sqlite3_bind_double(s, i + 1, v->f); break;
		case SF_T_TEXT:
		case SF_T_JSON: rc = sqlite3_bind_text64(s, i + 1, v->s.p, v->s.n, SQLITE_STATIC, SQLITE_UTF8); break;
		case SF_T_BYTES: rc = sqlite3_bind_blob64(s, i + 1, v->s.p, v->s.n, SQLITE_STATIC); break;
		case SF_T_TIME:
			rc = sqlite3_bind_text64(s, i + 1, text, sf_time_format_sql(v->i, text), SQLITE_TRANSIENT,
									 SQLITE_UTF8);
			break;
		case SF_T_DATE:
			rc = sqlite3_bind_text64(s, i + 1, text, sf_date_format(v->i, text), SQLITE_TRANSIENT,
									 SQLITE_UTF8);
			break;
		case SF_T_INTS: rc = bind_ints(s, i + 1, v->ints); break;
		}
	}
	return rc;
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

static bool decode_text(struct sf_lite__job *job, sqlite3_stmt *s, int i, struct sf_db__val *v, bool bytes) {
	const void *p = bytes ? sqlite3_column_blob(s, i) : sqlite3_column_text(s, i);
	size_t n = (size_t)sqlite3_column_bytes(s, i);
	v->s = (struct sf_str) { (const char *)(uintptr_t)(job->text.n + 1), n };
	if (n) sf_buf_add(&job->text, p, n);
	sf_buf_char(&job->text, 0);
	return !job->text.failed;
}

static bool decode_clock(struct sf_lite__job *job, sqlite3_stmt *s, int i, struct sf_db__val *v) {
	const struct sf_dbcol *c = &job->q->out[i];
	struct sf_str text = { (const char *)sqlite3_column_text(s, i), (size_t)sqlite3_column_bytes(s, i) };
	int err;
	if (c->type == SF_T_TIME) {
		err = sf_time_parse(text, &v->i);
	} else {
		if (text.n > 10) text.n = 10; /* a date that was stored with its midnight */
		err = sf_date_parse(text, &v->i);
	}
	if (err) wrong(job, c, c->type == SF_T_TIME ? "holds no instant" : "holds no date");
	return !err;
}

static bool decode_row(struct sf_lite__job *job, sqlite3_stmt *s) {
	const struct sf_query *q = job->q;
	char *row = sf_buf_reserve(&job->rows, q->row_size);
	if (!row) return false;
	memset(row, 0, q->row_size);
	job->rows.n += q->row_size;
	for (int i = 0; i < q->nout; i++) {
		const struct sf_dbcol *c = &q->out[i];
		struct sf_db__val v = { .null = sqlite3_column_type(s, i) == SQLITE_NULL };
		bool ok = true;
		if (!v.null) {
			switch (c->type) {
			case SF_T_INT:
			case SF_T_BOOL: v.i = sqlite3_column_int64(s, i); break;
			case SF_T_FLOAT: v.f = sqlite3_column_double(s, i); break;
			case SF_T_TEXT:
			case SF_T_JSON: ok = decode_text(job, s, i, &v, false); break;
			case SF_T_BYTES: ok = decode_text(job, s, i, &v, true); break;
			case SF_T_TIME:
			case SF_T_DATE: ok = decode_clock(job, s, i, &v); break;
			case SF_T_INTS: wrong(job, c, "is a list, which no result can be"), ok = false; break;
			}
		}
		if (!ok) return false;
		if (!sf_db__put(c, row, &v)) return wrong(job, c, "is NULL, and its type has no \"?\""), false;
	}
	job->n++;
	return true;
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

/* The prepared statement of the job's query: the cached one, or one that *own says to finalize. */
static sqlite3_stmt *prepare(struct sf_lite__conn *c, struct sf_lite__job *job, bool *own) {
	const struct sf_query *q = job->q;
	sqlite3_stmt *s = NULL;
	*own = q->id == SF_DB__UNCACHED;
	if (!*own && q->id < c->ncache && c->cache[q->id]) return c->cache[q->id];
	int rc = sqlite3_prepare_v3(c->db, q->lite, -1, *own ? 0 : SQLITE_PREPARE_PERSISTENT, &s, NULL);
	if (rc != SQLITE_OK) return sf_lite__conn_error(c, job, rc), NULL;
	if (sqlite3_column_count(s) != q->nout && q->kind != SF_Q_EXEC) {
		job->err = SF_EDB;
		snprintf(job->why, sizeof job->why, "it returns %d columns and declares %d", sqlite3_column_count(s),
				 q->nout);
		sqlite3_finalize(s);
		return NULL;
	}
	if (*own) return s;
	if (q->id >= c->ncache) {
		uint32_t n = q->id + 32;
		c->cache = sf_realloc(c->cache, n * sizeof *c->cache);
		memset(c->cache + c->ncache, 0, (n - c->ncache) * sizeof *c->cache);
		c->ncache = n;
	}
	return c->cache[q->id] = s;
}

static void step(struct sf_lite__conn *c, struct sf_lite__job *job, sqlite3_stmt *s) {
	int64_t before = sqlite3_total_changes64(c->db);
	int rc = bind_all(s, job);
	if (rc != SQLITE_OK) {
		sf_lite__conn_error(c, job, rc);
		return;
	}
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (job->q->kind == SF_Q_EXEC) continue;
		if (job->q->kind == SF_Q_ONE && job->n == 1) {
			if (sqlite3_stmt_readonly(s)) return;
			continue; /* the rest of what it changes must happen */
		}
		if (!decode_row(job, s)) {
			if (!job->err) job->err = SF_ENOMEM;
			return;
		}
	}
	if (rc != SQLITE_DONE)
		sf_lite__conn_error(c, job, rc);
	else if (sqlite3_total_changes64(c->db) != before)
		job->changed = sqlite3_changes64(c->db);
}

/* A script of a migration must not end the transaction that it runs in. */
static int no_transactions(void *arg, int action, const char *a, const char *b, const char *d,
						   const char *e) {
	(void)arg, (void)a, (void)b, (void)d, (void)e;
	return action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT ? SQLITE_DENY : SQLITE_OK;
}

void sf_lite__conn_run(struct sf_lite__conn *c, struct sf_lite__job *job) {
	c->runs++;
	job->err = 0, job->n = 0, job->changed = 0;
	job->constraint[0] = job->why[0] = 0;
	sf_buf_clear(&job->rows), sf_buf_clear(&job->text);
	c->deadline_ns = job->timeout_ms ? sf_clock_ns() + job->timeout_ms * 1000000 : 0;
	c->abandoned = job->op == SF_LITE__READ ? &job->abandoned : NULL;
	if (job->op == SF_LITE__SCRIPT) {
		sqlite3_set_authorizer(c->db, no_transactions, NULL);
		int rc = sqlite3_exec(c->db, job->in.p, NULL, NULL, NULL);
		if (rc != SQLITE_OK) sf_lite__conn_error(c, job, rc);
		sqlite3_set_authorizer(c->db, NULL, NULL);
	} else {
		bool own;
		sqlite3_stmt *s = prepare(c, job, &own);
		if (!s) return;
		step(c, job, s);
		sqlite3_reset(s);
		sqlite3_clear_bindings(s);
		if (own) sqlite3_finalize(s);
	}
	c->abandoned = NULL;
}
