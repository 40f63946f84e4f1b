/* The SQLite engine as the loop sees it: statements and transactions as jobs, what came of them, opening and closing. */
#include "db/sqlite.h"
#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"
#include <stdio.h>
#include <stdlib.h>

#define PING_MS 1000

static struct sf_lite *lite(const struct sf_db *db) {
	return (struct sf_lite *)db;
}

/* ---- outcomes --------------------------------------------------------------------------------------------------- */

/* Says once that the file cannot be read or written, and once that it can again. */
static void health(struct sf_lite *db, const struct sf_lite__job *job) {
	bool reading = job->op == SF_LITE__READ, now = job->err == SF_EUNAVAILABLE;
	bool *down = reading ? &db->read_down : &db->write_down;
	bool within = job->tx && job->op != SF_LITE__COMMIT; /* that a transaction goes well proves nothing yet */
	if (now == *down || (!now && (job->err || within))) return;
	*down = now;
	if (now)
		sf_log(SF_ERROR, "sqlite cannot use the database file", SF_KV("path", db->path),
			   SF_KV("error", job->why), SF_KV("reading", reading));
	else
		sf_log(SF_INFO, "sqlite can use the database file again", SF_KV("path", db->path),
			   SF_KV("reading", reading));
}

static void report(struct sf_lite *db, const struct sf_lite__job *job) {
	health(db, job);
	if (job->err != SF_EDB && job->err != SF_ENOMEM && !(job->err == SF_EOVERLOAD && job->why[0])) return;
	sf_log(SF_ERROR, "a statement failed", SF_KV("query", job->q ? job->q->name : "a script"),
		   SF_KV("error", job->why), SF_KV("code", sf_err_code(job->err)));
}

static void lite_closed(struct sf_lite *db);

/* From the loop: wakes the coroutines of all that is done. */
static void on_done(uv_async_t *async) {
	struct sf_lite *db = async->data;
	struct sf_node jobs;
	char note[sizeof db->note];
	sf_list_init(&jobs);
	uv_mutex_lock(&db->done_lock);
	if (!sf_list_empty(&db->done)) {
		jobs.next = db->done.next, jobs.prev = db->done.prev;
		jobs.next->prev = jobs.prev->next = &jobs;
		sf_list_init(&db->done);
	}
	memcpy(note, db->note, sizeof note);
	db->note[0] = 0;
	bool exited = db->exited == db->nthreads;
	db->head.stats.groups = db->groups;
	uv_mutex_unlock(&db->done_lock);
	if (note[0]) sf_log(SF_WARN, "sqlite", SF_KV("note", note), SF_KV("path", db->path));
	while (!sf_list_empty(&jobs)) {
		struct sf_lite__job *job = SF_CONTAINER(jobs.next, struct sf_lite__job, node);
		sf_list_del(&job->node);
		sf_lite__in_flight(db, -1);
		report(db, job);
		if (job->detached) {
			sf_lite__job_free(db, job);
			continue;
		}
		job->delivered = true;
		if (job->wait) sf_wake(job->wait, 0);
	}
	if (exited && db->head.closing) lite_closed(db);
}

void sf_lite__deliver(struct sf_lite *db, struct sf_node *jobs) {
	if (sf_list_empty(jobs)) return;
	uv_mutex_lock(&db->done_lock);
	bool first = sf_list_empty(&db->done);
	jobs->next->prev = db->done.prev, db->done.prev->next = jobs->next;
	jobs->prev->next = &db->done, db->done.prev = jobs->prev;
	uv_mutex_unlock(&db->done_lock);
	sf_list_init(jobs);
	if (first) uv_async_send(&db->async);
}

void sf_lite__note(struct sf_lite *db, const char *what, const char *why) {
	uv_mutex_lock(&db->done_lock);
	snprintf(db->note, sizeof db->note, "%s%s%s", what, why[0] ? ": " : "", why);
	uv_mutex_unlock(&db->done_lock);
	uv_async_send(&db->async);
}

void sf_lite__exited(struct sf_lite *db) {
	uv_mutex_lock(&db->done_lock);
	db->exited++;
	uv_async_send(&db->async); /* under the lock: the loop must not free db before this returns */
	uv_mutex_unlock(&db->done_lock);
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static int outcome(struct sf_dbh *h, struct sf_lite__job *job, struct sf_db__result *res) {
	int err = job->err;
	if (!err && res && job->q) err = sf_lite__job_rows(job, h->arena, res);
	if (job->constraint[0]) sf_db__constraint(h, sf_str(job->constraint));
	sf_lite__job_free(lite(h->db), job);
	return err;
}

static int run(struct sf_dbh *h, const struct sf_query *q, const void *in, struct sf_db__result *res) {
	struct sf_lite *db = lite(h->db);
	bool read = !h->tx && !q->write;
	struct sf_lite__job *job = sf_lite__job_new(db, read ? SF_LITE__READ : SF_LITE__WRITE, h);
	int err = sf_lite__job_params(job, q, in);
	if (!err)
		err = h->tx ? sf_lite__submit_tx(db, h->lease, job)
					: sf_lite__submit(db, read ? &db->reads : &db->writes, job);
	if (err) {
		sf_lite__job_free(db, job);
		return err;
	}
	err = sf_lite__wait(db, job, h->tx ? -1 : h->db->opts.wait_ms);
	return err ? err : outcome(h, job, res);
}

static int script(struct sf_dbh *tx, const char *sql, struct sf_str *why) {
	struct sf_lite *db = lite(tx->db);
	struct sf_lite__job *job = sf_lite__job_new(db, SF_LITE__SCRIPT, tx);
	sf_buf_add(&job->in, sql, strlen(sql) + 1);
	int err = job->in.failed ? SF_ENOMEM : sf_lite__submit_tx(db, tx->lease, job);
	if (err) {
		sf_lite__job_free(db, job);
		return err;
	}
	err = sf_lite__wait(db, job, -1);
	if (err) return err;
	if (job->err) *why = sf_arena_str(tx->arena, sf_str(job->why));
	return outcome(tx, job, NULL);
}

static void tx_leave(struct sf_lite *db, struct sf_lite__tx *tx) {
	uv_mutex_lock(&db->writes.lock);
	tx->ended = true;
	uv_cond_signal(&db->tx_more);
	bool last = --tx->refs == 0;
	uv_mutex_unlock(&db->writes.lock);
	if (last) free(tx);
}

static int begin(struct sf_dbh *h) {
	struct sf_lite *db = lite(h->db);
	struct sf_lite__tx *tx = sf_calloc(1, sizeof *tx);
	struct sf_lite__job *job = sf_lite__job_new(db, SF_LITE__BEGIN, h);
	tx->refs = 1, tx->label = h->label;
	job->tx = tx;
	int err = sf_lite__submit(db, &db->writes, job);
	if (err) {
		sf_lite__job_free(db, job);
	} else if (!(err = sf_lite__wait(db, job, h->db->opts.wait_ms))) {
		err = outcome(h, job, NULL);
	}
	if (err)
		tx_leave(db, tx);
	else
		h->lease = tx;
	return err;
}

static int commit(struct sf_dbh *h) {
	struct sf_lite *db = lite(h->db);
	struct sf_lite__job *job = sf_lite__job_new(db, SF_LITE__COMMIT, h);
	int err = sf_lite__submit_tx(db, h->lease, job);
	if (err) {
		sf_lite__job_free(db, job);
		return err;
	}
	err = sf_lite__wait(db, job, -1);
	return err ? err : outcome(h, job, NULL);
}

static void end(struct sf_dbh *h) {
	tx_leave(lite(h->db), h->lease);
	h->lease = NULL;
}

/* ---- health and figures ------------------------------------------------------------------------------------------ */

static int probe(struct sf_lite *db, const struct sf_query *q, enum sf_lite__op op) {
	struct sf_lite__job *job = sf_lite__job_new(db, op, NULL);
	job->timeout_ms = PING_MS;
	job->q = q;
	int err = sf_lite__submit(db, op == SF_LITE__READ ? &db->reads : &db->writes, job);
	if (err) {
		sf_lite__job_free(db, job);
		return err;
	}
	err = sf_lite__wait(db, job, PING_MS);
	if (err) return err;
	err = job->err;
	sf_lite__job_free(db, job);
	return err;
}

/* Reading shows that the file is there; writing is tried only when it failed the last time. */
static int ping(struct sf_db *head) {
	static const struct sf_query schema = { .name = "db.ping",
											.kind = SF_Q_EXEC,
											.lite = "SELECT 1 FROM sqlite_schema LIMIT 1",
											.id = SF_DB__UNCACHED };
	struct sf_lite *db = lite(head);
	int err = probe(db, &schema, SF_LITE__READ);
	if (!err && db->write_down) err = probe(db, NULL, SF_LITE__PROBE);
	return err == 0 || err == SF_ECANCELED || err == SF_EDRAINING ? err : SF_EUNAVAILABLE;
}

static bool pool(const struct sf_db *head, size_t i, struct sf_db_pool *out) {
	struct sf_lite *db = lite(head);
	struct sf_lite__line *lines[] = { &db->reads, &db->writes };
	if (i > 0) return false;
	*out = (struct sf_db_pool) { .server = db->path, .max = db->nthreads, .open = db->nthreads };
	for (size_t k = 0; k < SF_COUNT(lines); k++) {
		uv_mutex_lock(&lines[k]->lock);
		out->busy += lines[k]->busy, out->waiting += lines[k]->n;
		uv_mutex_unlock(&lines[k]->lock);
	}
	out->idle = out->open - out->busy;
	return true;
}

/* ---- opening and closing ------------------------------------------------------------------------------------------ */

static void line_init(struct sf_lite__line *line) {
	SF_BUG_ON(uv_mutex_init(&line->lock) != 0 || uv_cond_init(&line->more) != 0);
	sf_list_init(&line->jobs);
}

static void line_stop(struct sf_lite__line *line) {
	uv_mutex_lock(&line->lock);
	line->stop = true;
	uv_cond_broadcast(&line->more);
	uv_mutex_unlock(&line->lock);
}

static void line_fini(struct sf_lite__line *line) {
	uv_mutex_destroy(&line->lock);
	uv_cond_destroy(&line->more);
}

/* One allocator for all threads, without its global lock for statistics; once a process, before the first use. */
static void configure(void) {
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int lite_open(struct sf_loop *l, const struct sf_db_opts *o, struct sf_db **out, struct sf_str *why) {
	static uv_once_t once = UV_ONCE_INIT;
	const char *path = o->url + strlen("sqlite:///");
	if (!path[0] || !strcmp(path, ":memory:")) {
		*why = SF_STR(
			"a SQLite URL names a file: sqlite:///data/softfactory.db or sqlite:////var/lib/softfactory.db");
		return SF_EINVAL;
	}
	uv_once(&once, configure);
	struct sf_lite *db = sf_calloc(1, sizeof *db);
	size_t n = strlen(path) + sizeof "-writer";
	db->path = sf_strdup(path);
	db->lock_path = sf_malloc(n);
	snprintf(db->lock_path, n, "%s-writer", path);
	db->lock_fd = -1;
	db->hold_ms = o->statement_ms;
	db->quiet_ns = (o->quiet_ms ? o->quiet_ms : SF_LITE__QUIET_MS) * 1000000;
	sf_list_init(&db->done);
	line_init(&db->reads), line_init(&db->writes);
	SF_BUG_ON(uv_cond_init(&db->tx_more) != 0 || uv_mutex_init(&db->done_lock) != 0);
	SF_BUG_ON(uv_async_init(sf_loop_uv(l), &db->async, on_done) != 0);
	db->async.data = db;
	uv_unref((uv_handle_t *)&db->async);
	db->nthreads = 1 + (size_t)o->readers;
	db->threads = sf_calloc(db->nthreads, sizeof *db->threads);
	for (size_t i = 0; i < db->nthreads; i++)
		SF_BUG_ON(uv_thread_create(&db->threads[i], i ? sf_lite__reader_main : sf_lite__writer_main, db) !=
				  0);
	*out = &db->head;
	return 0;
}

static void lite_close(struct sf_db *head) {
	struct sf_lite *db = lite(head);
	uv_ref((uv_handle_t *)&db->async);
	db->inflight++; /* the close itself */
	line_stop(&db->reads), line_stop(&db->writes);
}

static void on_closed(uv_handle_t *async) {
	struct sf_lite *db = async->data;
	sf_db__closed(&db->head);
}

/* Every thread is past its work. */
static void lite_closed(struct sf_lite *db) {
	for (size_t i = 0; i < db->nthreads; i++) uv_thread_join(&db->threads[i]);
	uv_close((uv_handle_t *)&db->async, on_closed);
}

static void lite_free(struct sf_db *head) {
	struct sf_lite *db = lite(head);
	sf_lite__jobs_fini(db);
	line_fini(&db->reads), line_fini(&db->writes);
	uv_cond_destroy(&db->tx_more);
	uv_mutex_destroy(&db->done_lock);
	free(db->threads), free(db->path), free(db->lock_path);
	free(db);
}

const struct sf_db__engine sf_db__lite = {
	.kind = SF_LITE,
	.open = lite_open,
	.close = lite_close,
	.free = lite_free,
	.ping = ping,
	.run = run,
	.script = script,
	.begin = begin,
	.commit = commit,
	.end = end,
	.pool = pool,
};
