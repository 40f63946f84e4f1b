/* Jobs of the SQLite engine, on the loop's side: made and recycled, filled with copies of the parameters, put in line,
 * waited for, and emptied of their rows. */
#include "db/sqlite.h"
#include "loop/loop.h"
#include <stdlib.h>

#define KEEP_JOBS  128
#define KEEP_BYTES 16384 /* a larger buffer is not kept with an idle job */

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

struct sf_lite__job *sf_lite__job_new(struct sf_lite *db, enum sf_lite__op op, const struct sf_dbh *h) {
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

void sf_lite__job_free(struct sf_lite *db, struct sf_lite__job *job) {
	if (db->nidle < KEEP_JOBS) {
		trim(&job->in), trim(&job->rows), trim(&job->text);
		job->next_idle = db->idle, db->idle = job, db->nidle++;
		return;
	}
	sf_buf_fini(&job->in), sf_buf_fini(&job->rows), sf_buf_fini(&job->text);
	free(job);
}

void sf_lite__jobs_fini(struct sf_lite *db) {
	db->nidle = KEEP_JOBS; /* so that none is kept */
	while (db->idle) {
		struct sf_lite__job *job = db->idle;
		db->idle = job->next_idle;
		sf_lite__job_free(db, job);
	}
}

static const void *copy(struct sf_buf *b, const void *p, size_t n) {
	void *at = b->p + b->n;
	if (n) memcpy(at, p, n);
	b->n += n;
	return at;
}

/* Copies the parameters: first the values, then the lists, then the text, in one piece of memory. */
int sf_lite__job_params(struct sf_lite__job *job, const struct sf_query *q, const void *in) {
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

/* Their texts turn from offsets into pointers. */
int sf_lite__job_rows(const struct sf_lite__job *job, struct sf_arena *a, struct sf_db__result *res) {
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

void sf_lite__in_flight(struct sf_lite *db, int change) {
	size_t before = db->inflight;
	db->inflight = (size_t)((int64_t)before + change);
	if (!before) uv_ref((uv_handle_t *)&db->async);
	if (!db->inflight) uv_unref((uv_handle_t *)&db->async);
}

int sf_lite__submit(struct sf_lite *db, struct sf_lite__line *line, struct sf_lite__job *job) {
	uv_mutex_lock(&line->lock);
	bool full = line->n >= db->head.opts.wait_max;
	if (!full) {
		sf_list_push(&line->jobs, &job->node);
		line->n++;
		uv_cond_signal(&line->more);
	}
	uv_mutex_unlock(&line->lock);
	if (!full) sf_lite__in_flight(db, 1);
	return full ? SF_EOVERLOAD : 0;
}

int sf_lite__submit_tx(struct sf_lite *db, struct sf_lite__tx *tx, struct sf_lite__job *job) {
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
	if (!err) sf_lite__in_flight(db, 1);
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
	if (ours) sf_lite__in_flight(db, -1);
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

int sf_lite__wait(struct sf_lite *db, struct sf_lite__job *job, int64_t line_ms) {
	struct waiting at = { .db = db, .job = job };
	for (;;) {
		struct sf_wait w;
		sf_wait_init(&w, cut, &at);
		job->wait = &w;
		int err = sf_await(&w, line_ms);
		if (job->delivered) return 0;
		bool over = co_over();
		if (at.back) {
			sf_lite__job_free(db, job);
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
