/* The SQLite engine as the loop sees it: makes jobs, puts them in line, waits for them and takes their rows over. */
#include "db/sqlite.h"
#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"
#include <stdio.h>
#include <stdlib.h>

#define KEEP_JOBS  128
#define KEEP_BYTES 16384 /* a larger buffer is not kept with an idle job */
#define PING_MS    1000

static struct sf_lite *lite(const struct sf_db *db) {
	return (struct sf_lite *)db;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static struct sf_lite__job *job_new(struct sf_lite *db, enum sf_lite__op op, const struct sf_dbh *h) {
	struct sf_lite__job *job = db->idle;
	if (job) {
		db->idle = job->next_idle, db->nidle--;
	} else {
		job = sf_calloc(1, sizeof *job);
	}
	sf_list_init(&job->node);
	job->op = op, job->q = NULL, job->tx = NULL, job->err = 0, job->n = 0, job->tries = 0;
	job->constraint[0] = job->why[0] = 0;
	job->wait = NULL, job->taken = job->delivered = job->detached = false;
	job->timeout_ms = h ? h->statement_ms : 0;
	atomic_store_explicit(&job->abandoned, false, memory_order_relaxed);
	return job;
}

static void trim(struct sf_buf *b) {
	if (b->cap > KEEP_BYTES || b->failed) sf_buf_fini(b);
	sf_buf_clear(b);
}

static void job_free(struct sf_lite *db, struct sf_lite__job *job) {
	if (db->nidle < KEEP_JOBS) {
		trim(&job->in), trim(&job->rows), trim(&job->text);
		job->next_idle = db->idle, db->idle = job, db->nidle++;
		return;
	}
	sf_buf_fini(&job->in), sf_buf_fini(&job->rows), sf_buf_fini(&job->text);
	free(job);
}

static const void *copy(struct sf_buf *b, const void *p, size_t n) {
	void *at = b->p + b->n;
	if (n) memcpy(at, p, n);
	b->n += n;
	return at;
}

/* Copies the parameters: first the values, then the lists, then the text, in one piece of memory. */
static int job_params(struct sf_lite__job *job, const struct sf_query *q, const void *in) {
	size_t need = q->nin * sizeof *job->params;
	job->q = q;
	for (unsigned i = 0; i < q->nin; i++) {
		struct sf_db__val v = sf_db__get(&q->in[i], in);
		enum sf_dbtype t = q->in[i].type;
		if (t == SF_T_INTS) need += v.ints.n * sizeof *v.ints.p;
		if (!v.null && (t == SF_T_TEXT || t == SF_T_JSON || t == SF_T_BYTES)) need += v.s.n;
	}
	if (need && !sf_buf_reserve(&job->in, need)) return SF_ENOMEM;
	job->params = (struct sf_db__val *)job->in.p;
	job->in.n = q->nin * sizeof *job->params;
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < q->nin; i++) {
			struct sf_db__val v = sf_db__get(&q->in[i], in);
			enum sf_dbtype t = q->in[i].type;
			if (pass == 0 && t == SF_T_INTS) v.ints.p = copy(&job->in, v.ints.p, v.ints.n * sizeof *v.ints.p);
			if (pass == 1 && t == SF_T_INTS) continue;
			if (pass == 1 && !v.null && (t == SF_T_TEXT || t == SF_T_JSON || t == SF_T_BYTES))
				v.s.p = copy(&job->in, v.s.p, v.s.n);
			job->params[i] = v;
		}
	}
	return 0;
}

/* Moves the rows into the arena; their texts turn from offsets into pointers. */
static int take_rows(struct sf_lite__job *job, struct sf_arena *a, struct sf_db__result *res) {
	const struct sf_query *q = job->q;
	res->n = 0, res->changed = job->changed;
	if (!job->n) return 0;
	char *rows = sf_arena_try(a, job->rows.n), *text = sf_arena_try(a, job->text.n + 1);
	if (!rows || !text) return SF_ENOMEM;
	memcpy(rows, job->rows.p, job->rows.n);
	if (job->text.n) memcpy(text, job->text.p, job->text.n);
	for (unsigned i = 0; i < q->nout; i++) {
		enum sf_dbtype t = q->out[i].type;
		if (t != SF_T_TEXT && t != SF_T_JSON && t != SF_T_BYTES) continue;
		char *at = rows + q->out[i].offset;
		for (size_t k = 0; k < job->n; k++, at += q->row_size) {
			struct sf_str *s = (struct sf_str *)at;
			if (s->p) s->p = text + ((uintptr_t)s->p - 1);
		}
	}
	res->at = rows, res->n = job->n;
	return 0;
}

/* ---- lines and waiting -------------------------------------------------------------------------------------------- */

static void in_flight(struct sf_lite *db, int change) {
	size_t before = db->inflight;
	db->inflight = (size_t)((int64_t)before + change);
	if (!before) uv_ref((uv_handle_t *)&db->async);
	if (!db->inflight) uv_unref((uv_handle_t *)&db->async);
}

/* Puts the job in line. SF_EOVERLOAD: the line is full. */
static int submit(struct sf_lite *db, struct sf_lite__line *line, struct sf_lite__job *job) {
	uv_mutex_lock(&line->lock);
	bool full = line->n >= db->head.opts.wait_max;
	if (!full) {
		sf_list_push(&line->jobs, &job->node);
		line->n++;
		uv_cond_signal(&line->more);
	}
	uv_mutex_unlock(&line->lock);
	if (!full) in_flight(db, 1);
	return full ? SF_EOVERLOAD : 0;
}

/* Gives the open transaction its next statement. */
static int submit_tx(struct sf_lite *db, struct sf_lite__tx *tx, struct sf_lite__job *job) {
	int err = 0;
	uv_mutex_lock(&db->writes.lock);
	if (tx->state == SF_LITE__OVER) {
		err = tx->why_over;
	} else {
		tx->job = job;
		job->tx = tx;
		uv_cond_signal(&db->tx_more);
	}
	uv_mutex_unlock(&db->writes.lock);
	if (!err) in_flight(db, 1);
	return err;
}

/* Takes a job back that no thread has taken. */
static bool take_back(struct sf_lite *db, struct sf_lite__job *job) {
	struct sf_lite__line *line = job->op == SF_LITE__READ ? &db->reads : &db->writes;
	uv_mutex_lock(&line->lock);
	bool ours = !job->taken;
	if (ours && job->tx && job->tx->job == job)
		job->tx->job = NULL;
	else if (ours)
		sf_list_del(&job->node), line->n--;
	uv_mutex_unlock(&line->lock);
	if (ours) in_flight(db, -1);
	return ours;
}

struct waiting {
	struct sf_lite *db;
	struct sf_lite__job *job;
	bool back; /* the job was taken back: it never ran */
};

static void cut(struct sf_wait *w) {
	struct waiting *at = w->arg;
	at->job->wait = NULL;
	at->back = take_back(at->db, at->job);
}

/* Whether it is the coroutine that ends, and not only the longest wait in line. */
static bool co_over(void) {
	struct sf_co *co = sf_co_self();
	int64_t deadline = sf_co_deadline_get(co);
	return sf_co_canceled(co) || (deadline && deadline <= sf_loop_now(sf_loop_self()));
}

/* ~ Waits for a job in line, at most line_ms until a thread takes it. 0: it is done, and its outcome is in it. Else
 * the job is gone: it never ran (SF_EOVERLOAD), or it runs on for nobody. */
static int wait_for(struct sf_lite *db, struct sf_lite__job *job, int64_t line_ms) {
	struct waiting at = { .db = db, .job = job };
	for (;;) {
		struct sf_wait w;
		sf_wait_init(&w, cut, &at);
		job->wait = &w;
		int err = sf_await(&w, line_ms);
		if (job->delivered) return 0;
		bool over = co_over();
		if (at.back) {
			job_free(db, job);
			return over ? err : SF_EOVERLOAD;
		}
		if (over) {
			atomic_store_explicit(&job->abandoned, true, memory_order_relaxed);
			job->detached = true;
			return err;
		}
		line_ms = -1; /* it runs: the statement's own time-out counts from here */
	}
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
		in_flight(db, -1);
		report(db, job);
		if (job->detached) {
			job_free(db, job);
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
	if (!err && res && job->q) err = take_rows(job, h->arena, res);
	if (job->constraint[0]) sf_db__constraint(h, sf_str(job->constraint));
	job_free(lite(h->db), job);
	return err;
}

static int run(struct sf_dbh *h, const struct sf_query *q, const void *in, struct sf_db__result *res) {
	struct sf_lite *db = lite(h->db);
	bool read = !h->tx && !q->write;
	struct sf_lite__job *job = job_new(db, read ? SF_LITE__READ : SF_LITE__WRITE, h);
	int err = job_params(job, q, in);
	if (!err) err = h->tx ? submit_tx(db, h->lease, job) : submit(db, read ? &db->reads : &db->writes, job);
	if (err) {
		job_free(db, job);
		return err;
	}
	err = wait_for(db, job, h->tx ? -1 : h->db->opts.wait_ms);
	return err ? err : outcome(h, job, res);
}

static int script(struct sf_dbh *tx, const char *sql, struct sf_str *why) {
	struct sf_lite *db = lite(tx->db);
	struct sf_lite__job *job = job_new(db, SF_LITE__SCRIPT, tx);
	sf_buf_add(&job->in, sql, strlen(sql) + 1);
	int err = job->in.failed ? SF_ENOMEM : submit_tx(db, tx->lease, job);
	if (err) {
		job_free(db, job);
		return err;
	}
	err = wait_for(db, job, -1);
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
	struct sf_lite__job *job = job_new(db, SF_LITE__BEGIN, h);
	tx->refs = 1, tx->label = h->label;
	job->tx = tx;
	int err = submit(db, &db->writes, job);
	if (err) {
		job_free(db, job);
	} else if (!(err = wait_for(db, job, h->db->opts.wait_ms))) {
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
	struct sf_lite__job *job = job_new(db, SF_LITE__COMMIT, h);
	int err = submit_tx(db, h->lease, job);
	if (err) {
		job_free(db, job);
		return err;
	}
	err = wait_for(db, job, -1);
	return err ? err : outcome(h, job, NULL);
}

static void end(struct sf_dbh *h) {
	tx_leave(lite(h->db), h->lease);
	h->lease = NULL;
}

/* ---- health and figures ------------------------------------------------------------------------------------------ */

static int probe(struct sf_lite *db, const struct sf_query *q, enum sf_lite__op op) {
	struct sf_lite__job *job = job_new(db, op, NULL);
	job->timeout_ms = PING_MS;
	job->q = q;
	int err = submit(db, op == SF_LITE__READ ? &db->reads : &db->writes, job);
	if (err) {
		job_free(db, job);
		return err;
	}
	err = wait_for(db, job, PING_MS);
	if (err) return err;
	err = job->err;
	job_free(db, job);
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

static void stats(const struct sf_db *head, struct sf_db_stats *out) {
	struct sf_lite *db = lite(head);
	struct sf_lite__line *lines[] = { &db->reads, &db->writes };
	out->max = out->open = db->nthreads;
	out->busy = out->waiting = 0;
	for (size_t i = 0; i < SF_COUNT(lines); i++) {
		uv_mutex_lock(&lines[i]->lock);
		out->busy += lines[i]->busy, out->waiting += lines[i]->n;
		uv_mutex_unlock(&lines[i]->lock);
	}
	out->idle = out->open - out->busy;
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
	db->nidle = KEEP_JOBS; /* job_free keeps none */
	while (db->idle) {
		struct sf_lite__job *job = db->idle;
		db->idle = job->next_idle;
		job_free(db, job);
	}
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
	.stats = stats,
};
