/* Sending statements down a connection's pipeline and taking their results in order.
 *
 * What travels: [Parse] Bind Describe Execute … Sync. A Sync ends an implicit transaction and makes the server send what
 * it has; libpq 15 writes to the socket at each Sync (PQpipelineSync flushes), and the server does at each ReadyForQuery. So
 * the number of Syncs is the number of system calls on both sides. Reads of one iteration of the loop therefore share
 * one, up to SF_PG_GROUP_MAX: at READ COMMITTED each still has a snapshot of its own. If one fails, the server skips
 * those behind it; they have not been run, so they go back to the line and come with a Sync of their own next time. A
 * write is always the last of its group: what follows it cannot undo it, and what stands before it only read. Its
 * result is given out when the Sync behind it is answered, for that is when it is committed.
 *
 * A Parse of a shared connection has a group to itself, so that it neither is skipped for a neighbour's error nor fails
 * a neighbour. The connection's table of prepared statements may then name one whose Parse has failed; using it
 * gives 26000 (as it does when a proxy has changed the server behind us): it is forgotten, and parsed again once. */
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>

#include "db/pg.h"

/* ---- ops --------------------------------------------------------------------------------------------- */

struct sf_pg_op *sf_pg__op_new(struct sf_pg_pool *p, enum sf_pg_op_kind kind, const struct sf_query *q) {
	struct sf_node *n = p->db->free_ops.next;
	struct sf_pg_op *op;
	if (n != &p->db->free_ops) {
		sf_list_del(n);
		op = SF_CONTAINER(n, struct sf_pg_op, node);
	} else {
		op = sf_malloc(sizeof(*op));
	}
	*op = (struct sf_pg_op) { .kind = kind, .q = q, .pool = p };
	sf_list_init(&op->node);
	return op;
}

void sf_pg__op_free(struct sf_pg_op *op) {
	PQclear(op->res); /* NULL is fine */
	op->res = NULL;
	sf_list_push(&op->pool->db->free_ops, &op->node);
}

void sf_pg__drop(struct sf_pg_op *op, int err) {
	struct sf_wait *w = op->wait;
	if (!w) {
		sf_pg__op_free(op);
		return;
	}
	op->err = err;
	op->wait = NULL;
	sf_wake(w, 0); /* who waited frees it */
}

void sf_pg__detach(struct sf_wait *w) {
	struct sf_pg_op *op = w->arg;
	op->wait = NULL;
	if (op->conn) {
		op->conn->waited_for--;
		sf_pg__pace(op->pool);
		return;
	}
	sf_list_del(&op->node);
	op->pool->line_n--;
	sf_pg__op_free(op);
}

/* ---- the table of prepared statements ------------------------------------------------------------------ */

static struct sf_pg_stmt **bucket_of(struct sf_pg_conn *c, const struct sf_query *q) {
	uintptr_t h = (uintptr_t)q >> 4;
	return &c->bucket[(h ^ h >> 8) % SF_PG_BUCKETS];
}

static struct sf_pg_stmt *find(struct sf_pg_conn *c, const struct sf_query *q) {
	struct sf_pg_stmt *s = *bucket_of(c, q);
	while (s && s->q != q) s = s->chain;
	return s;
}

static void forget(struct sf_pg_conn *c, struct sf_pg_stmt *s) {
	struct sf_pg_stmt **at = bucket_of(c, s->q);
	while (*at != s) at = &(*at)->chain;
	*at = s->chain;
	sf_list_del(&s->node);
	c->prepared--;
	free(s);
}

void sf_pg__stmts_fini(struct sf_pg_conn *c) {
	while (!sf_list_empty(&c->lru)) forget(c, SF_CONTAINER(c->lru.next, struct sf_pg_stmt, node));
}

/* ---- sending ------------------------------------------------------------------------------------------- */

static bool counts(const struct sf_pg_op *op) {
	return op->kind != SF_PG_SYNC && op->kind != SF_PG_PREPARE;
}

static void push(struct sf_pg_conn *c, struct sf_pg_op *op) {
	if (sf_list_empty(&c->flight)) c->head_ns = c->group_ns = sf_clock_ns();
	op->conn = c;
	op->sent_ms = sf_loop_now(c->pool->db->loop);
	sf_list_push(&c->flight, &op->node);
	c->in_flight += counts(op);
	c->solo += op->alone;
	c->waited_for += op->wait != NULL;
	if (op->kind != SF_PG_SYNC) c->unsynced++;
}

bool sf_pg__sync_with(struct sf_pg_conn *c, struct sf_pg_op *op) {
	if (!PQpipelineSync(c->pg)) {
		sf_pg__lose(c, PQerrorMessage(c->pg), true);
		sf_pg__drop(op, SF_EUNAVAILABLE);
		return false;
	}
	push(c, op);
	c->unsynced = 0;
	return true;
}

bool sf_pg__sync(struct sf_pg_conn *c) {
	return c->unsynced == 0 || sf_pg__sync_with(c, sf_pg__op_new(c->pool, SF_PG_SYNC, NULL));
}

bool sf_pg__send_text(struct sf_pg_conn *c, const char *sql) {
	if (!PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0)) return false;
	push(c, sf_pg__op_new(c->pool, SF_PG_CONTROL, NULL));
	return true;
}

bool sf_pg__send_script(struct sf_pg_conn *c, struct sf_pg_op *op, const char *sql) {
	if (!PQexitPipelineMode(c->pg) || !PQsendQuery(c->pg, sql)) {
		sf_pg__lose(c, PQerrorMessage(c->pg), true);
		sf_pg__drop(op, SF_EUNAVAILABLE);
		return false;
	}
	push(c, op);
	c->unsynced = 0; /* its end is a Sync's */
	return true;
}

/* Makes room for one more prepared statement. */
static bool evict(struct sf_pg_conn *c) {
	struct sf_pg_stmt *s = SF_CONTAINER(c->lru.next, struct sf_pg_stmt, node);
	char sql[48];
	snprintf(sql, sizeof(sql), "DEALLOCATE %s", s->name);
	forget(c, s);
	return sf_pg__send_text(c, sql);
}

/* Sends the Parse for op's query and enters it in the table. NULL: libpq could not take it. */
static struct sf_pg_stmt *prepare(struct sf_pg_conn *c, struct sf_pg_op *op) {
	const struct sf_query *q = op->q;
	Oid types[SF_PG_PARAMS_MAX];
	for (int i = 0; i < q->nin; i++) types[i] = sf_pg__oid(q->in[i].type);
	if (!c->leased && !sf_pg__sync(c)) return NULL;
	if (c->prepared >= SF_PG_PREPARED_MAX && !evict(c)) return NULL;
	struct sf_pg_stmt *s = sf_calloc(1, sizeof(*s)), **at = bucket_of(c, q);
	s->q = q, s->chain = *at, *at = s;
	snprintf(s->name, sizeof(s->name), "sf%u", ++c->names);
	sf_list_push(&c->lru, &s->node);
	c->prepared++;
	if (!PQsendPrepare(c->pg, s->name, q->pg, q->nin, types)) return NULL;
	struct sf_pg_op *parse = sf_pg__op_new(c->pool, SF_PG_PREPARE, q);
	push(c, parse);
	if (!c->leased && !sf_pg__sync(c)) return NULL;
	return s;
}

static bool send_once(struct sf_pg_conn *c, const struct sf_query *q, const struct sf_pg_params *p) {
	Oid types[SF_PG_PARAMS_MAX];
	for (int i = 0; i < q->nin; i++) types[i] = sf_pg__oid(q->in[i].type);
	return PQsendQueryParams(c->pg, q->pg, q->nin, types, p->val, p->len, p->fmt, 1);
}

bool sf_pg__send(struct sf_pg_conn *c, struct sf_pg_op *op) {
	const struct sf_query *q = op->q;
	struct sf_pg_params p;
	int err = sf_pg__encode(q, op->in, &p, &c->pool->scratch);
	if (err) {
		op->err = err;
		if (op->done) op->done(c, op);
		sf_pg__drop(op, err);
		return true;
	}
	bool ok;
	if (q->id == SF_DB__UNCACHED) {
		ok = send_once(c, q, &p);
	} else {
		struct sf_pg_stmt *s = find(c, q);
		if (s) {
			sf_list_del(&s->node);
			sf_list_push(&c->lru, &s->node);
		} else {
			s = prepare(c, op);
		}
		ok = s && PQsendQueryPrepared(c->pg, s->name, q->nin, p.val, p.len, p.fmt, 1);
	}
	if (!ok) {
		sf_pg__lose(c, c->pg ? PQerrorMessage(c->pg) : "", true);
		sf_pg__drop(op, SF_EUNAVAILABLE);
		return false;
	}
	push(c, op);
	return true;
}

/* ---- results --------------------------------------------------------------------------------------------- */

static struct sf_pg_op *pop(struct sf_pg_conn *c, int64_t now_ns) {
	struct sf_pg_op *op = SF_CONTAINER(c->flight.next, struct sf_pg_op, node);
	sf_list_del(&op->node);
	op->conn = NULL;
	c->in_flight -= counts(op);
	c->solo -= op->alone;
	c->waited_for -= op->wait != NULL;
	c->head_ns = now_ns;
	return op;
}

void sf_pg__again(struct sf_pg_op *op) {
	struct sf_pg_pool *p = op->pool;
	PQclear(op->res);
	op->res = NULL, op->err = 0, op->alone = true;
	op->tries++;
	op->line_ms = sf_loop_now(p->db->loop);
	sf_list_push(p->line.next,
				 &op->node); /* "at the end" of the ring that begins behind the head: in front */
	p->line_n++;
	sf_pg__dispatch_later(p);
}

bool sf_pg__may_repeat(const struct sf_pg_conn *c, const struct sf_pg_op *op) {
	return !c->leased && op->wait && op->kind == SF_PG_STMT && op->tries == 0 && !c->pool->db->closing;
}

static void check_columns(struct sf_pg_conn *c, struct sf_pg_op *op) {
	const struct sf_query *q = op->q;
	struct sf_pg_stmt *s = find(c, q);
	if ((s && s->checked) || q->kind == SF_Q_EXEC) return;
	char why[160];
	op->err = sf_pg__fits(q, op->res, why, sizeof(why));
	if (op->err)
		sf_log(SF_ERROR, "query does not fit its declaration", SF_KV("query", q->name), SF_KV("error", why));
	else if (s)
		s->checked = true;
}

/* What an error means for the connection. True: the statement went back to the line. */
static bool handle_error(struct sf_pg_conn *c, struct sf_pg_op *op) {
	bool gone = sf_pg__state_is(op->res, "26000"), changed = sf_pg__state_is(op->res, "0A000");
	bool standby = sf_pg__state_is(op->res, "25006") && !c->pool->replica;
	struct sf_pg_stmt *s = gone || changed ? find(c, op->q) : NULL;
	int err = sf_pg__sqlstate(PQresultErrorField(op->res, PG_DIAG_SQLSTATE));
	/* "cached plan must not change result type", of a statement that has worked: the next run parses anew */
	if (changed && s && s->checked && c->leased) err = op->err = SF_ESERIAL;
	if (s) forget(c, s);
	if (gone && !s && op->q == c->bad) err = op->err = c->bad_err;
	c->group_err = c->group_err ? c->group_err : err;
	if (standby) sf_pg__demoted(c->pool);
	if (!sf_pg__may_repeat(c, op)) return false;
	if (s || standby || (err == SF_EUNAVAILABLE && !op->q->write)) {
		sf_pg__again(op);
		return true;
	}
	return false;
}

static void finish_stmt(struct sf_pg_conn *c, struct sf_pg_op *op) {
	switch (PQresultStatus(op->res)) {
	case PGRES_TUPLES_OK: check_columns(c, op); break;
	case PGRES_FATAL_ERROR:
		if (handle_error(c, op)) return;
		break;
	case PGRES_PIPELINE_ABORTED: /* a neighbour in the group failed: not run */
		if (sf_pg__may_repeat(c, op)) {
			sf_pg__again(op);
			return;
		}
		op->err = c->leased && c->group_err ? c->group_err : SF_EDB;
		break;
	default: break;
	}
	if (op->done) op->done(c, op);
	sf_pg__drop(op, op->err);
}

static void finish(struct sf_pg_conn *c, struct sf_pg_op *op) {
	ExecStatusType st = PQresultStatus(op->res);
	switch (op->kind) {
	case SF_PG_STMT: finish_stmt(c, op); return;
	case SF_PG_PREPARE:
		if (st == PGRES_FATAL_ERROR) {
			c->bad = op->q, c->bad_err = sf_pg__error(op->res, op->q);
			c->group_err = c->group_err ? c->group_err : c->bad_err;
		}
		if (st != PGRES_COMMAND_OK && find(c, op->q)) forget(c, find(c, op->q));
		break;
	case SF_PG_CONTROL:
		if (st == PGRES_FATAL_ERROR) {
			op->err = sf_pg__error(op->res, op->q);
			c->group_err = c->group_err ? c->group_err : op->err;
		}
		if (op->done) op->done(c, op);
		break;
	case SF_PG_SCRIPT:
		if (!PQenterPipelineMode(c->pg)) sf_pg__lose(c, PQerrorMessage(c->pg), true);
		sf_pg__drop(op, 0);
		return;
	case SF_PG_SYNC: break;
	}
	sf_pg__op_free(op);
}

/* A write that went well is committed by the Sync behind it: it changes places with that and waits. */
static bool wait_for_commit(struct sf_pg_conn *c, struct sf_pg_op *op) {
	if (op->kind != SF_PG_STMT || !op->q->write || c->leased || op->node.next == &c->flight) return false;
	ExecStatusType st = PQresultStatus(op->res);
	struct sf_pg_op *sync = SF_CONTAINER(op->node.next, struct sf_pg_op, node);
	if (sync->kind != SF_PG_SYNC || (st != PGRES_TUPLES_OK && st != PGRES_COMMAND_OK)) return false;
	sf_list_del(&op->node);
	sf_list_push(sync->node.next, &op->node); /* "at the end" of the ring that begins there: behind sync */
	op->ended = true;
	return true;
}

/* One result for the oldest command. False: the connection is out of step and lost. */
static bool take(struct sf_pg_conn *c, PGresult *r, int64_t now_ns) {
	struct sf_pg_op *op = SF_CONTAINER(c->flight.next, struct sf_pg_op, node);
	if (r && PQresultStatus(r) == PGRES_FATAL_ERROR && !PQresultErrorField(r, PG_DIAG_SQLSTATE)) {
		PQclear(r); /* libpq's own: the connection is gone */
		sf_pg__lose(c, PQerrorMessage(c->pg), true);
		return false;
	}
	if (op->kind == SF_PG_SYNC) {
		bool ok = r && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
		PQclear(r);
		if (!ok) {
			sf_pg__lose(c, "results out of step", true);
			return false;
		}
		if (!c->leased) sf_pg__group_took(c->pool, now_ns - c->group_ns);
		c->group_err = 0, c->group_ns = now_ns;
		sf_pg__drop(pop(c, now_ns), 0);
		if (!sf_list_empty(&c->flight) && SF_CONTAINER(c->flight.next, struct sf_pg_op, node)->ended)
			finish(c, pop(c, now_ns));
		return true;
	}
	if (!r) {
		if (wait_for_commit(c, op)) return true;
		if (op->alone && !op->q->write && op->res) sf_pg__took(c->pool, op->q, now_ns - c->head_ns);
		finish(c, pop(c, now_ns));
		return true;
	}
	bool first =
		!op->res || (PQresultStatus(r) == PGRES_FATAL_ERROR && PQresultStatus(op->res) != PGRES_FATAL_ERROR);
	if (first) {
		PQclear(op->res);
		op->res = r;
	} else {
		PQclear(r);
	}
	return true;
}

void sf_pg__pump(struct sf_pg_conn *c) {
	int64_t now_ns = sf_clock_ns();
	while (c->pg && !sf_list_empty(&c->flight) && !PQisBusy(c->pg))
		if (!take(c, PQgetResult(c->pg), now_ns)) return;
}
